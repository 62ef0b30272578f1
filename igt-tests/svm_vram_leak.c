// SPDX-License-Identifier: MIT
/*
 * VRAM keeps its content when it is freed, as memory chips do. Nobody may see what
 * another process had there, whichever way it went and whichever way VRAM is got.
 */

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_hw.h"
#include "svm_job.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("Nobody sees what another process had in VRAM.");

#define SECRET	0x5ec2e75eu
#define MINE	0x31313131u

/* All that is in VRAM is the secret: pages, and in the other half a buffer object */
static char *hide(int fd, bool huge)
{
	size_t size = svm_vram_size(fd) / 2;
	char *base = huge ? svm_mmap_thp(size) : svm_mmap_small(size);

	svm_gpu_fill(fd, base, size, SECRET);
	igt_assert_lt(0, svm_device_pages(base, size));
	return base;
}

static void hide_bo(int fd)
{
	size_t size = svm_vram_size(fd) / 2;
	uint32_t handle = svm_bo_create(fd, size, DRM_SVM_TEST_BO_VRAM);

	svm_gpu_fill(fd, svm_bo_bind(fd, handle, svm_bo_start(fd), size), size, SECRET);
}

/* How a process with secrets in VRAM loses them; the child may end with it */
static void lose_munmap(int fd, char *base, size_t size)
{
	munmap(base, size);
	exit(0);
}

static void lose_dontneed(int fd, char *base, size_t size)
{
	madvise(base, size, MADV_DONTNEED);
	exit(0);
}

static void lose_exit(int fd, char *base, size_t size)
{
	_exit(0);
}

static void lose_kill(int fd, char *base, size_t size)
{
	raise(SIGKILL);
}

static void lose_exec(int fd, char *base, size_t size)
{
	execl("/bin/true", "true", NULL);
	_exit(1);
}

static void lose_evict(int fd, char *base, size_t size)
{
	svm_evict_vram(fd);
	exit(0);
}

/* The CPU calls them home */
static void lose_touch(int fd, char *base, size_t size)
{
	igt_assert(svm_cpu_all32(base, size, SECRET));
	exit(0);
}

/* The pages stay, and go when somebody needs the room */
static void lose_close(int fd, char *base, size_t size)
{
	close(fd);
	fd = svm_open();
	svm_evict_vram(fd);
	exit(0);
}

static void lose(bool huge, void (*how)(int fd, char *base, size_t size))
{
	pid_t pid = svm_fork();
	int status;

	if (!pid) {
		int own = svm_open_attached();
		char *base = hide(own, huge);

		hide_bo(own);
		how(own, base, svm_vram_size(own) / 2);
		exit(1);
	}
	status = svm_reap(60);
	igt_assert(!status || status == 128 + SIGKILL);
}

/* A word a page is written; the rest of it is what the device gave, and must be zero */
static void look_in_pages(bool huge)
{
	int own = svm_open_attached();
	size_t size = svm_vram_size(own), page = svm_page_size();
	char *base = svm_mmap_untouched(size, huge);
	char *copy = svm_mmap_small(page);

	for (size_t at = 0; at < size; at += 64 * 1024)
		svm_gpu_write32(own, base + at, MINE);
	igt_assert_lte(size / 2 / page, svm_device_pages(base, size));
	/* by the GPU a part, by the CPU all of it */
	for (size_t at = 8 * page; at < size; at += 128 * 1024) {
		svm_gpu_copy(own, copy, base + at, page);
		igt_assert(svm_cpu_all32(copy, page, 0));
	}
	for (size_t at = 0; at < size; at += 64 * 1024) {
		igt_assert_eq_u32(*(uint32_t *)(base + at), MINE);
		igt_assert(svm_cpu_all32(base + at + 4, 64 * 1024 - 4, 0));
	}
	munmap(base, size);
	munmap(copy, page);
	close(own);
}

static void look_in_bo(void)
{
	int own = svm_open_attached();
	size_t size = svm_vram_size(own) / 8 * 7;
	uint32_t handle = svm_bo_create(own, size, DRM_SVM_TEST_BO_VRAM);
	char *gpu = svm_bo_bind(own, handle, svm_bo_start(own), size);
	char *copy = svm_mmap_small(size);
	uint32_t *map;

	svm_gpu_copy(own, copy, gpu, size);
	igt_assert(svm_cpu_all32(copy, size, 0));
	map = svm_bo_map(own, handle, size);
	igt_assert(svm_cpu_all32(map, size, 0));
	munmap(map, size);
	munmap(copy, size);
	close(own);
}

/* Each way to get VRAM is tried on VRAM that is full of secrets */
static void no_leak(bool huge, void (*how)(int fd, char *base, size_t size))
{
	lose(huge, how);
	look_in_pages(false);
	lose(huge, how);
	look_in_pages(true);
	lose(huge, how);
	look_in_bo();
}

static void after_munmap(int fd, bool huge)
{
	no_leak(huge, lose_munmap);
}

static void after_dontneed(int fd, bool huge)
{
	no_leak(huge, lose_dontneed);
}

static void after_exit(int fd, bool huge)
{
	no_leak(huge, lose_exit);
}

static void after_kill(int fd, bool huge)
{
	no_leak(huge, lose_kill);
}

static void after_exec(int fd, bool huge)
{
	no_leak(huge, lose_exec);
}

static void after_eviction(int fd, bool huge)
{
	no_leak(huge, lose_evict);
}

static void after_touch(int fd, bool huge)
{
	no_leak(huge, lose_touch);
}

static void after_close(int fd, bool huge)
{
	no_leak(huge, lose_close);
}

/* A part of a block is the process's own data, the rest is made by the device */
static void leak_holes(int fd, bool huge)
{
	size_t page = svm_page_size(), size, at;
	char *base;

	lose(huge, lose_exit);
	size = svm_vram_size(fd);
	base = svm_mmap_small(size);
	for (at = 0; at < size; at += 4 * page)
		*(uint32_t *)(base + at) = MINE;
	svm_gpu_touch(fd, base + page, size - page, page, true);
	igt_assert_lt(0, svm_device_pages(base, size));
	for (at = 0; at < size; at += page) {
		/* what has not moved with its neighbours the GPU wrote a zero to */
		igt_assert(*(uint32_t *)(base + at) == 0 ||
			   *(uint32_t *)(base + at) == MINE);
		igt_assert(svm_cpu_all32(base + at + 4, page - 4, 0));
	}
	munmap(base, size);
}

/* A huge page is made by the device, of which the GPU writes one word */
static void huge_page(int fd, bool huge)
{
	size_t range = svm_range_size(), size, at;
	char *base;

	lose(huge, lose_kill);
	size = svm_vram_size(fd);
	base = svm_mmap_untouched(size, true);
	for (at = 0; at < size; at += range) {
		svm_gpu_write32(fd, base + at + range / 2, MINE);
		igt_assert(!munmap(base + at, svm_page_size()));
		igt_assert(svm_cpu_all32(base + at + svm_page_size(),
					 range / 2 - svm_page_size(), 0));
		igt_assert_eq_u32(*(uint32_t *)(base + at + range / 2), MINE);
		igt_assert(svm_cpu_all32(base + at + range / 2 + 4, range / 2 - 4, 0));
	}
	munmap(base, size);
}

/* Memory of which the CPU has written every second page */
static char *half_written(size_t size, bool huge)
{
	size_t page = svm_page_size();
	char *base = svm_mmap_untouched(size, huge);

	for (size_t at = 0; at < size; at += 2 * page)
		memset(base + at, MINE & 0xff, page);
	return base;
}

/* Copies and clears fail, here and there: nobody is shown what they would have replaced */
static void copies_fail(int fd, bool huge)
{
	size_t page = svm_page_size(), size = svm_range_size();

	for (unsigned int skip = 0; skip < 6; skip++) {
		char *base, *copy = svm_mmap_small(size);

		lose(huge, skip % 2 ? lose_exit : lose_evict);
		base = half_written(size, huge);
		svm_hw_fail_copy(fd, skip, 2);
		svm_gpu_touch(fd, base, size, page, false);
		svm_gpu_touch(fd, base + page, size - page, 8 * page, true);
		svm_hw_fail_copy(fd, 0, 0);
		svm_gpu_copy(fd, copy, base, size);
		for (size_t at = 0; at < size; at += page) {
			uint32_t want = at / page % 2 ? 0 : MINE;

			igt_assert(svm_cpu_all32(copy + at, page, want));
			igt_assert(svm_cpu_all32(base + at, page, want));
		}
		munmap(base, size);
		munmap(copy, size);
	}
}

/* What cannot be cleared is no buffer object; what cannot be copied stays where it is */
static void buffers_fail(int fd, bool huge)
{
	size_t size = svm_vram_size(fd) / 2;
	char *gpu, *copy = svm_mmap_small(size);
	uint32_t handle;

	lose(huge, lose_kill);
	svm_hw_fail_copy(fd, 0, 1);
	igt_assert_eq(client_bo_create(fd, size, DRM_SVM_TEST_BO_VRAM, &handle), -EIO);
	svm_hw_fail_copy(fd, 0, 0);
	handle = svm_bo_create(fd, size, DRM_SVM_TEST_BO_VRAM);
	gpu = svm_bo_bind(fd, handle, svm_bo_start(fd), size);
	svm_gpu_fill(fd, gpu, size, MINE);
	svm_hw_fail_copy(fd, 0, 1000);
	igt_assert_lt(__svm_evict_vram(fd), 0);
	svm_hw_fail_copy(fd, 0, 0);
	svm_gpu_copy(fd, copy, gpu, size);
	igt_assert(svm_cpu_all32(copy, size, MINE));
	svm_evict_vram(fd);
	svm_gpu_copy(fd, copy, gpu, size);
	igt_assert(svm_cpu_all32(copy, size, MINE));
	svm_bo_close(fd, handle);
	munmap(copy, size);
}

static const struct svm_vram_case cases[] = {
	{ "munmap", "The secret was unmapped.", after_munmap },
	{ "dontneed", "The secret was dropped.", after_dontneed },
	{ "exit", "The process with the secret ended.", after_exit },
	{ "kill", "The process with the secret was killed.", after_kill },
	{ "exec", "The process with the secret became another one.", after_exec },
	{ "evict", "The secret was evicted.", after_eviction },
	{ "touch", "The secret was called home.", after_touch },
	{ "close", "The file with the secret was closed.", after_close },
	{ "holes", "Some pages of a block are the process's own.", leak_holes },
	{ "huge-page", "A huge page is made in VRAM and split.", huge_page },
	{ "copies-fail", "The new owner's copies and clears fail.", copies_fail },
	{ "buffers-fail", "A buffer object cannot be cleared, or copied.", buffers_fail, true },
};

int igt_main()
{
	igt_fixture()
		svm_vram_on("vram_mb=4");

	svm_vram_cases(cases);

	igt_fixture()
		svm_vram_off();
}
