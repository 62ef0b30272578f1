// SPDX-License-Identifier: MIT
/*
 * TEST: svm vram info
 * Category: Core
 * Description: How much VRAM there is, how much is free, and how much a file's memory has.
 */

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_hw.h"
#include "svm_job.h"
#include "svm_mem.h"
#include "svm_prefetch.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("How much VRAM there is, how much is free, and what a file has of it.");

#define MAGIC	0xb1b10000u
#define VRAM	DRM_SVM_LOCATION_VRAM
#define SYSTEM	DRM_SVM_LOCATION_SYSTEM
#define MIB	(1ull << 20)

/* A buffer that was given up can wait for its last fence, so give it some time. */
static void assert_info(int fd, uint64_t own, uint64_t free)
{
	struct drm_svm_vram_info info;

	igt_assert_f(svm_until((info = svm_vram_info(fd),
				info.out_own == own && info.out_free == free), 5000),
		     "%" PRIu64 " own, %" PRIu64 " free, not %" PRIu64 " and %" PRIu64 "\n",
		     (uint64_t)info.out_own, (uint64_t)info.out_free, own, free);
	igt_assert_eq_u64(info.out_size, svm_vram_size(fd));
}

static void info_moves(int fd)
{
	size_t size = 64 * svm_page_size();
	uint64_t all = svm_vram_size(fd);
	char *base;

	assert_info(fd, 0, all);
	base = svm_prefetched(fd, size, MAGIC);
	assert_info(fd, size, all - size);
	svm_prefetch(fd, base, size, SYSTEM);
	assert_info(fd, 0, all);
	svm_prefetch(fd, base, size, VRAM);
	assert_info(fd, size, all - size);
	munmap(base, size);
	assert_info(fd, 0, all);
}

static void info_faults(int fd)
{
	size_t size = svm_range_size();
	char *base = svm_mmap_thp(size);
	uint64_t all = svm_vram_size(fd);

	assert_info(fd, 0, all);
	svm_gpu_write32(fd, base, MAGIC);
	assert_info(fd, size, all - size);
	svm_evict_vram(fd);
	assert_info(fd, 0, all);
	munmap(base, size);
}

/* What another process has is not free, and not ours; its end gives it back. */
static void info_exit(int fd)
{
	size_t size = 64 * svm_page_size();
	int there = svm_gate(), leave = svm_gate();
	uint64_t all = svm_vram_size(fd);

	igt_fork(child, 1) {
		int own = svm_open_attached();

		svm_prefetched(own, 2 * size, MAGIC);
		assert_info(own, 2 * size, all - 2 * size);
		svm_gate_open(there);
		svm_gate_wait(leave);
	}
	svm_gate_wait(there);
	assert_info(fd, 0, all - 2 * size);
	svm_prefetched(fd, size, MAGIC);
	assert_info(fd, size, all - 3 * size);
	svm_gate_open(leave);
	igt_waitchildren();
	assert_info(fd, size, all - size);
}

/* Files of the process have each their own; those that share an address space do not. */
static void info_files(int fd)
{
	size_t size = 64 * svm_page_size();
	int other = svm_open_attached(), joined = svm_open();
	uint64_t all = svm_vram_size(fd), vm;

	svm_prefetched(fd, size, MAGIC);
	assert_info(fd, size, all - size);
	assert_info(other, 0, all - size);
	assert_info(joined, 0, all - size);
	igt_assert_eq(client_vm(fd, 0, &vm), 0);
	igt_assert_eq(client_vm(joined, vm, &vm), 0);
	assert_info(joined, size, all - size);
	close(joined);
	close(other);
}

static void info_buffers(int fd)
{
	uint64_t all = svm_vram_size(fd);
	uint32_t handle = svm_bo_create(fd, MIB, DRM_SVM_TEST_BO_VRAM);

	assert_info(fd, 0, all - MIB);
	svm_bo_close(fd, handle);
	assert_info(fd, 0, all);
}

/* So much fits without an eviction, and no more. */
static void info_promise(int fd)
{
	size_t page = svm_page_size(), first = 2 * svm_range_size(), free;
	struct drm_svm_prefetch args;
	struct client_counts before, after;
	char *base;

	svm_prefetched(fd, first, MAGIC);
	free = svm_vram_info(fd).out_free;
	igt_assert_eq_u64(free, svm_vram_size(fd) - first);
	base = svm_mmap_small(free);
	args = svm_prefetch_args(base, free, VRAM);
	svm_counters(fd, &before);
	igt_assert_eq(svm_prefetch_counts(fd, &args), free / page);
	svm_counters(fd, &after);
	igt_assert_eq_u64(client_counted(&before, &after, VRAM_EVICTED_PAGES), 0);
	assert_info(fd, svm_vram_size(fd), 0);
	svm_prefetched(fd, page, MAGIC);
	svm_counters(fd, &after);
	igt_assert_lt_u64(0, client_counted(&before, &after, VRAM_EVICTED_PAGES));
}

static void info_suspended(int fd)
{
	uint64_t all = svm_vram_size(fd);

	svm_prefetched(fd, 64 * svm_page_size(), MAGIC);
	svm_hw_write(fd, "suspend", 1);
	assert_info(fd, 0, 0);
	svm_hw_write(fd, "suspend", 0);
	assert_info(fd, 0, all);
}

static void info_not_attached(int attached)
{
	size_t size = 64 * svm_page_size();
	uint64_t all = svm_vram_size(attached);
	int fd = svm_open();

	svm_prefetched(attached, size, MAGIC);
	assert_info(fd, 0, all - size);
	/* nobody's memory: a child may ask as well */
	igt_fork(child, 1)
		assert_info(fd, 0, all - size);
	igt_waitchildren();
	close(fd);
}

static void info_foreign(int fd)
{
	struct drm_svm_vram_info info;

	svm_prefetched(fd, svm_page_size(), MAGIC);
	igt_fork(child, 1)
		igt_assert_eq(client_vram_info(fd, &info), -EPERM);
	igt_waitchildren();
}

static void info_invalid(int fd)
{
	for (int bit = 0; bit < 64; bit++) {
		struct drm_svm_vram_info info = {
			.flags = bit < 32 ? 1u << bit : 0,
			.pad = bit < 32 ? 0 : 1u << (bit - 32),
			.out_size = 1,
		};

		igt_assert_eq(ioctl(fd, DRM_IOCTL_SVM_TEST_VRAM_INFO, &info), -1);
		igt_assert_eq(errno, EINVAL);
		igt_assert_eq_u64(info.out_size, 1);
	}
}

static const struct svm_case cases[] = {
	{ "moves", "VRAM is free again when memory leaves it, or is unmapped.", info_moves },
	{ "faults", "GPU faults and evictions are seen.", info_faults },
	{ "exit", "What another process has is not free until it ends.", info_exit },
	{ "files", "Each address space has its own part.", info_files },
	{ "buffers", "A buffer object takes VRAM too, but not as memory of the file.",
	  info_buffers },
	{ "promise", "What is free can be had without an eviction.", info_promise },
	{ "suspended", "A device that sleeps has nothing free.", info_suspended },
	{ "not-attached", "A file without memory may ask as well.", info_not_attached },
	{ "foreign", "The memory of another process is its own matter.", info_foreign },
	{ "invalid", "Unknown flags and padding are refused.", info_invalid },
};

/* Pages that broke are not free, whether a process has them or nobody does. */
static void info_poisoned(void)
{
	size_t page = svm_page_size(), size = 16 * page;
	uint64_t all;
	char *base;
	int fd;

	svm_module_load("vram_mb=16");
	fd = svm_open_attached();
	all = svm_vram_size(fd);
	base = svm_prefetched(fd, size, MAGIC);
	svm_gpu_touch(fd, base, size, page, false);
	svm_hw_write(fd, "inject/bad_page", svm_hw_offset(fd, base + 5 * page));
	assert_info(fd, 0, all - page);
	munmap(base, size);
	assert_info(fd, 0, all - page);
	svm_hw_write(fd, "inject/bad_page", all - page);
	assert_info(fd, 0, all - 2 * page);
	svm_hw_write(fd, "inject/bad_page", all - page);
	assert_info(fd, 0, all - 2 * page);
	close(fd);
}

/* A page that broke, and that could not be taken out of use yet */
static void poisoned_loose(void)
{
	size_t page = svm_page_size();
	uint64_t all;
	char text[24];
	int fd;

	svm_module_load("vram_mb=16");
	fd = svm_open_attached();
	all = svm_vram_size(fd);
	snprintf(text, sizeof(text), "%" PRIu64, all - page);
	svm_hw_write(fd, "inject/fail_alloc", 1000);
	igt_assert_eq(__svm_hw_write(fd, "inject/bad_page", text), -EBUSY);
	assert_info(fd, 0, all - page);
	svm_hw_write(fd, "inject/fail_alloc", 0);
	igt_assert_eq(__svm_hw_write(fd, "inject/bad_page", text), 0);
	assert_info(fd, 0, all - page);
	close(fd);
}

static void info_none(void)
{
	struct drm_svm_vram_info info;
	int fd;

	svm_module_load(NULL);
	fd = svm_open_attached();
	info = svm_vram_info(fd);
	igt_assert_eq_u64(info.out_size | info.out_free | info.out_own, 0);
	close(fd);
}

static void info_devices(void)
{
	size_t size = 64 * svm_page_size();
	uint64_t all;
	int a, b;

	svm_module_load("num_devices=2 vram_mb=16");
	a = svm_open_index_attached(0);
	b = svm_open_index_attached(1);
	all = svm_vram_size(a);
	svm_prefetched(a, size, MAGIC);
	assert_info(a, size, all - size);
	assert_info(b, 0, all);
	close(a);
	close(b);
}

static const struct svm_test tests[] = {
	{ "poisoned", "Pages of VRAM that broke are not free.", info_poisoned },
	{ "poisoned-loose", "Nor is one that could not be taken out of use yet.",
	  poisoned_loose },
	{ "none", "A GPU without VRAM says so.", info_none },
	{ "devices", "Each GPU speaks of its own VRAM.", info_devices },
};

/* Memory of an earlier subtest may be in VRAM, with no file that it belongs to. */
static int open_empty(void)
{
	int fd = svm_open_attached();

	svm_evict_vram(fd);
	return fd;
}

int igt_main()
{
	igt_fixture()
		svm_module_load("vram_mb=16");

	svm_cases_of(cases, open_empty);
	svm_tests(tests);

	igt_fixture()
		svm_module_reset();
}
