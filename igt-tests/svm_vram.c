// SPDX-License-Identifier: MIT
/*
 * Pages in VRAM: they get there by a GPU fault, come back when the CPU touches
 * them, and leave when something else needs the room.
 */

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "igt.h"
#include "svm_mem.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("Pages move between RAM and the memory of the GPU.");

#define MAGIC		0x71710000u
#define VRAM_MB		16

static void in_and_out(int fd)
{
	size_t size = 16 * svm_page_size();
	char *base = svm_mmap_small(size);

	svm_pattern(base, size, MAGIC);
	igt_assert(svm_gpu_pattern_ok(fd, base, size, MAGIC));
	igt_assert_eq(svm_vram_pages(fd, base, size), 16);
	igt_assert(svm_pattern_ok(base, size, MAGIC));
	igt_assert_eq(svm_location(fd, base), DRM_SVM_LOCATION_NONE);
	svm_gpu_fill(fd, base, size, MAGIC + 1);
	igt_assert_eq(svm_vram_pages(fd, base, size), 16);
	igt_assert(svm_cpu_all32(base, size, MAGIC + 1));
}

/* A mapping that begins and ends amid blocks: what of a block is there comes home at once */
static void home_ends(int fd)
{
	size_t page = svm_page_size(), first = 12, end = 20, size = svm_range_size();
	char *base = svm_mmap_small(size), *area = svm_page(base, first);

	igt_assert_eq(mprotect(base, first * page, PROT_NONE), 0);
	igt_assert_eq(mprotect(svm_page(base, end), size - end * page, PROT_NONE), 0);
	svm_gpu_fill(fd, area, (end - first) * page, MAGIC);
	igt_assert_eq(svm_device_pages(area, (end - first) * page), end - first);
	igt_assert_eq_u32(READ_ONCE(*(uint32_t *)area), MAGIC);
	igt_assert_eq(svm_device_pages(area, (end - first) * page), 4);
	igt_assert_eq_u32(READ_ONCE(*(uint32_t *)svm_page(base, 16)), MAGIC);
	igt_assert_eq(svm_device_pages(area, (end - first) * page), 0);
	igt_assert(svm_cpu_all32(area, (end - first) * page, MAGIC));
}

static void vram_untouched(int fd)
{
	size_t size = 16 * svm_page_size();
	char *base = svm_mmap_small(size);

	svm_gpu_write32(fd, base, MAGIC);
	igt_assert_eq(svm_location(fd, base), DRM_SVM_LOCATION_VRAM);
	igt_assert(svm_cpu_all32(base + 4, size - 4, 0));
	igt_assert_eq_u32(*(uint32_t *)base, MAGIC);
}

static void read_untouched(int fd)
{
	char *base = svm_mmap_small(svm_range_size());

	svm_gpu_touch(fd, base, svm_range_size(), svm_page_size(), false);
	igt_assert_eq(svm_vram_pages(fd, base, svm_range_size()), 0);
}

static void vram_huge(int fd)
{
	size_t size = svm_range_size();
	char *base = svm_mmap_thp(size);

	svm_pattern(base, size, MAGIC);
	igt_assert(svm_gpu_pattern_ok(fd, base, size, MAGIC));
	igt_assert_eq(svm_vram_pages(fd, base, size), size / svm_page_size());
	igt_assert_eq(svm_leaf(fd, base), size);
	igt_assert(svm_pattern_ok(base, size, MAGIC));
}

static void huge_untouched(int fd)
{
	size_t size = svm_range_size();
	char *base = svm_mmap_aligned(size, size);

	madvise(base, size, MADV_HUGEPAGE);
	svm_gpu_write32(fd, base + size / 2, MAGIC);
	igt_assert_eq(svm_vram_pages(fd, base, size), size / svm_page_size());
	igt_assert_eq(svm_leaf(fd, base), size);
	igt_assert(svm_cpu_all32(base, size / 2, 0));
	igt_assert_eq_u32(*(uint32_t *)(base + size / 2), MAGIC);
}

static void huge_split(int fd)
{
	size_t page = svm_page_size(), size = svm_range_size();
	char *base = svm_mmap_thp(size);

	svm_gpu_fill(fd, base, size, MAGIC);
	igt_assert_eq(svm_leaf(fd, base), size);
	munmap(base + 5 * page, page);
	igt_assert_eq(__svm_gpu_touch(fd, base + 5 * page, 4, 4, false), -ENOENT);
	svm_gpu_fill(fd, base + 6 * page, page, MAGIC + 1);
	igt_assert(svm_cpu_all32(base, 5 * page, MAGIC));
	igt_assert(svm_cpu_all32(base + 6 * page, page, MAGIC + 1));
	igt_assert(svm_cpu_all32(base + 7 * page, size - 7 * page, MAGIC));
}

/* The CPU takes slices home here and there; the GPU wants all of it again. */
static void back_again(int fd)
{
	size_t page = svm_page_size(), size = svm_range_size();
	char *base = svm_mmap_small(size);

	svm_pattern(base, size, MAGIC);
	svm_gpu_touch(fd, base, size, page, false);
	igt_assert_eq(svm_vram_pages(fd, base, size), size / page);
	/* More than 64 KiB would come with a page of a block of which more has come home. */
	for (size_t at = 0; at < size / 2; at += size / 8)
		(void)READ_ONCE(base[at]);
	igt_assert_eq(svm_vram_pages(fd, base, size), size / page - 4 * 16);
	svm_gpu_touch(fd, base, size, page, false);
	igt_assert_eq(svm_vram_pages(fd, base, size), size / page);
	igt_assert(svm_pattern_ok(base, size, MAGIC));
}

static void vram_oversubscribe(int fd)
{
	size_t size = (size_t)2 * VRAM_MB << 20;
	char *base = svm_mmap_small(size);

	svm_gpu_fill(fd, base, size, MAGIC);
	svm_gpu_fill(fd, base, size / 2, MAGIC + 1);
	igt_assert(svm_cpu_all32(base, size / 2, MAGIC + 1));
	igt_assert(svm_cpu_all32(base + size / 2, size / 2, MAGIC));
}

static void oversubscribe_huge(int fd)
{
	size_t size = (size_t)2 * VRAM_MB << 20;
	char *base = svm_mmap_thp(size);

	for (int i = 0; i < 2; i++) {
		svm_gpu_fill(fd, base, size, MAGIC + i);
		igt_assert_eq_u32(svm_gpu_read32(fd, base), MAGIC + i);
	}
	igt_assert(svm_cpu_all32(base, size, MAGIC + 1));
}

static void fork_shared(int fd)
{
	size_t size = 16 * svm_page_size();
	char *base = svm_mmap_small(size);

	svm_gpu_fill(fd, base, size, MAGIC);
	igt_fork(child, 1) {
		igt_assert(svm_cpu_all32(base, size, MAGIC));
		memset(base, 0, size);
	}
	igt_waitchildren();
	igt_assert(svm_cpu_all32(base, size, MAGIC));
	svm_gpu_fill(fd, base, size, MAGIC + 1);
	igt_assert(svm_cpu_all32(base, size, MAGIC + 1));
}

static void vram_moved(int fd)
{
	size_t size = 16 * svm_page_size();
	char *base = svm_mmap_small(size), *to = svm_mmap_small(size);

	svm_gpu_fill(fd, base, size, MAGIC);
	igt_assert(mremap(base, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	igt_assert_eq(__svm_gpu_touch(fd, base, 4, 4, false), -ENOENT);
	igt_assert_eq_u32(svm_gpu_read32(fd, to), MAGIC);
	igt_assert(svm_cpu_all32(to, size, MAGIC));
}

/* What the last owner wrote is not to be seen by the next one. */
static void no_leak(int fd)
{
	size_t size = (size_t)VRAM_MB << 19;
	char *base = svm_mmap_small(size);

	svm_gpu_fill(fd, base, size, MAGIC);
	munmap(base, size);
	igt_fork(child, 1) {
		int own = svm_open_attached();
		char *map = svm_mmap_small(size);

		svm_gpu_touch(own, map, size, 16 * svm_page_size(), true);
		igt_assert(svm_cpu_all32(map + 8, svm_page_size() - 8, 0));
		for (size_t at = 0; at < size; at += svm_page_size())
			igt_assert(svm_cpu_all32(map + at + 8, svm_page_size() - 8, 0));
		close(own);
	}
	igt_waitchildren();
}

static void file_stays(int fd)
{
	size_t size = svm_page_size();
	char *base = svm_mmap_fd(svm_memfd(size), size, MAP_SHARED);

	svm_gpu_fill(fd, base, size, MAGIC);
	igt_assert_eq(svm_location(fd, base), DRM_SVM_LOCATION_SYSTEM);
	igt_assert(svm_cpu_all32(base, size, MAGIC));
}

static void vram_both(int fd)
{
	uint32_t *word = svm_mmap_small(svm_page_size());
	struct drm_svm_test_cmd cmd = {
		.op = DRM_SVM_TEST_OP_ATOMIC_ADD,
		.dst = (uintptr_t)word,
		.count = 20000,
		.arg0 = 1,
	};
	struct drm_svm_test_wait result;
	uint64_t job = svm_submit(fd, &cmd, 1);

	for (int i = 0; i < 2000; i++)
		__atomic_fetch_add(word, 1, __ATOMIC_SEQ_CST);
	svm_wait(fd, job, &result);
	igt_assert_eq_u32(result.out_status, DRM_SVM_TEST_STATUS_OK);
	igt_assert_eq_u32(*word, 22000);
}

static const struct svm_case cases[] = {
	{ "in-and-out", "Pages go to VRAM when the GPU uses them and come back for the CPU.",
	  in_and_out },
	{ "home-ends", "A mapping that ends amid a block comes home.", home_ends },
	{ "untouched", "Memory that the GPU writes first is made in VRAM, all zero.",
	  vram_untouched },
	{ "read-untouched", "A GPU read of untouched memory allocates no VRAM.", read_untouched },
	{ "huge", "A huge page moves whole.", vram_huge },
	{ "huge-untouched", "A huge page is made in VRAM where the program wants huge pages.",
	  huge_untouched },
	{ "huge-split", "A part of a huge page in VRAM is unmapped.", huge_split },
	{ "back-again", "Slices that the CPU took home go to VRAM again, all of them.",
	  back_again },
	{ "oversubscribe", "Twice the VRAM is used.", vram_oversubscribe },
	{ "oversubscribe-huge", "Twice the VRAM is used, with huge pages.", oversubscribe_huge },
	{ "fork", "A child shares pages in VRAM, copy on write.", fork_shared },
	{ "mremap", "Pages in VRAM move with their mapping.", vram_moved },
	{ "no-leak", "VRAM of a process is cleared before another one gets it.", no_leak },
	{ "file", "File pages stay in RAM and are mapped there.", file_stays },
	{ "both", "CPU and GPU atomics on one page in VRAM lose nothing.", vram_both },
};

int igt_main()
{
	igt_fixture()
		svm_module_load("vram_mb=16");

	svm_cases(cases);

	igt_fixture()
		svm_module_reset();
}
