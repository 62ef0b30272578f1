// SPDX-License-Identifier: MIT
/*
 * madvise() about pages that are in VRAM. What gives memory away gives it away at
 * once; what is only a hint costs no data.
 */

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_job.h"
#include "svm_prefetch.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("The CPU gives advice on pages in VRAM.");

#define OLD	0x5a5a0000u
#define NEW	0x7b7b0000u

static void advise(const struct svm_area *area, int advice)
{
	igt_assert_f(!madvise(area->base, area->size, advice), "madvise: %s\n", strerror(errno));
}

static void discarded(int fd, const struct svm_area *area)
{
	igt_assert_eq(svm_device_pages(area->base, area->size), 0);
	igt_assert_eq(svm_query_page(fd, area->base), 0);
	igt_assert_eq_u32(svm_gpu_read32(fd, area->base), 0);
	igt_assert(svm_cpu_all32(area->base, area->size, 0));
	svm_gpu_pattern(fd, area->base, area->size, NEW);
	svm_area_check(fd, area, NEW);
}

static void madvise_dontneed(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);

	advise(&area, MADV_DONTNEED);
	discarded(fd, &area);
}

/* The GPU is the first to write again */
static void dontneed_gpu_writes(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	size_t page = svm_page_size();

	advise(&area, MADV_DONTNEED);
	svm_gpu_touch(fd, area.base, area.size, 2 * page, true);
	igt_assert(svm_cpu_all32(area.base, area.size, 0));
}

static void dontneed_part(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	size_t page = svm_page_size(), at = 10 * page, size = 3 * page;
	char *copy = svm_mmap_small(area.size);

	svm_pattern(copy, area.size, OLD);
	memset(copy + at, 0, size);
	igt_assert(!madvise(area.base + at, size, MADV_DONTNEED));
	igt_assert_eq_u32(svm_gpu_read32(fd, area.base + at), 0);
	igt_assert_eq_u32(svm_gpu_read32(fd, area.base + at + size),
			  *(uint32_t *)(copy + at + size));
	svm_evict_vram(fd);
	igt_assert(!memcmp(copy, area.base, area.size));
}

static void dontneed_locked(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);

	igt_assert(!mlock(area.base, area.size));
	svm_gpu_pattern(fd, area.base, area.size, OLD);
	advise(&area, MADV_DONTNEED_LOCKED);
	igt_assert(!munlock(area.base, area.size));
	discarded(fd, &area);
}

/* Each page is as it was or zero, as the kernel likes; what comes later is kept */
static void lazily_freed(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	size_t page = svm_page_size();
	char *copy = svm_mmap_small(area.size), *zeroes = svm_mmap_small(page);

	svm_pattern(copy, area.size, OLD);
	memset(zeroes, 0, page);
	advise(&area, MADV_FREE);
	for (size_t at = 0; at < area.size; at += page)
		igt_assert(!memcmp(area.base + at, copy + at, page) ||
			   !memcmp(area.base + at, zeroes, page));
	advise(&area, MADV_FREE);
	svm_gpu_pattern(fd, area.base, area.size, NEW);
	svm_area_check(fd, &area, NEW);
}

/* Hints that move no page and change no data */
static void hint(int fd, bool huge, int advice)
{
	struct svm_area area = svm_area(fd, huge, OLD);

	advise(&area, advice);
	svm_area_check(fd, &area, OLD);
	svm_to_vram(fd, area.base, area.size);
	igt_assert(!madvise(area.base + 3 * svm_page_size(), 5 * svm_page_size(), advice));
	svm_area_check(fd, &area, OLD + 1);
}

static void madvise_cold(int fd, bool huge)
{
	hint(fd, huge, MADV_COLD);
}

static void madvise_pageout(int fd, bool huge)
{
	svm_need_swap();
	hint(fd, huge, MADV_PAGEOUT);
}

static void madvise_hugepage(int fd, bool huge)
{
	hint(fd, huge, MADV_HUGEPAGE);
}

static void madvise_nohugepage(int fd, bool huge)
{
	hint(fd, huge, MADV_NOHUGEPAGE);
}

/* Small pages in VRAM become a huge page in RAM, or the call fails; no data is lost */
static void madvise_collapse(int fd, bool huge)
{
	struct svm_area area = svm_area_sized(fd, huge, svm_range_size(), OLD);

	advise(&area, MADV_HUGEPAGE);
	if (madvise(area.base, area.size, MADV_COLLAPSE))
		igt_info("collapse: %s\n", strerror(errno));
	else if (!svm_device_pages(area.base, area.size))
		igt_assert_eq_u64(svm_smaps_kb(area.base, "AnonHugePages"), area.size / 1024);
	svm_area_check(fd, &area, OLD);
}

/* Some are in VRAM, some in RAM, some nowhere; what the collapse makes can move */
static void collapse_mixed(int fd, bool huge)
{
	size_t size = svm_range_size(), part = size / 4;
	char *base = svm_mmap_small(size);

	svm_pattern(base, 3 * part, OLD);
	svm_to_vram(fd, base + part, part);
	igt_assert(!madvise(base, size, MADV_HUGEPAGE));
	if (madvise(base, size, MADV_COLLAPSE))
		igt_info("collapse: %s\n", strerror(errno));
	igt_assert(svm_gpu_pattern_ok(fd, base, 3 * part, OLD));
	svm_evict_vram(fd);
	igt_assert(svm_pattern_ok(base, 3 * part, OLD));
	igt_assert(svm_cpu_all32(base + 3 * part, part, 0));
}

static void populate(int fd, bool huge, int advice)
{
	struct svm_area area = svm_area(fd, huge, OLD);

	advise(&area, advice);
	igt_assert_eq(svm_device_pages(area.base, area.size), 0);
	igt_assert_eq(svm_vram_pages(fd, area.base, area.size), 0);
	svm_area_check(fd, &area, OLD);
}

static void populate_read(int fd, bool huge)
{
	populate(fd, huge, MADV_POPULATE_READ);
}

static void populate_write(int fd, bool huge)
{
	populate(fd, huge, MADV_POPULATE_WRITE);
}

static void madvise_dontfork(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);

	advise(&area, MADV_DONTFORK);
	igt_fork(child, 1) {
		int own = svm_open_attached();

		igt_assert_eq(__svm_gpu_touch(own, area.base, 4, 4, false), -ENOENT);
		svm_evict_vram(own);
	}
	igt_waitchildren();
	svm_area_check(fd, &area, OLD);
}

static void madvise_wipeonfork(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);

	advise(&area, MADV_WIPEONFORK);
	igt_fork(child, 1) {
		int own = svm_open_attached();

		igt_assert_eq(svm_device_pages(area.base, area.size), 0);
		igt_assert_eq_u32(svm_gpu_read32(own, area.base), 0);
		igt_assert(svm_cpu_all32(area.base, area.size, 0));
		svm_gpu_pattern(own, area.base, area.size, NEW);
		igt_assert(svm_pattern_ok(area.base, area.size, NEW));
	}
	igt_waitchildren();
	svm_area_check(fd, &area, OLD);
}

/* Guards take the place of pages in VRAM; without them the pages are empty */
static void madvise_guard(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);

	igt_require_f(!madvise(area.base, area.size, MADV_GUARD_INSTALL), "no guards\n");
	igt_assert_eq(svm_device_pages(area.base, area.size), 0);
	igt_assert_eq(__svm_gpu_touch(fd, area.base, 4, 4, false), -EFAULT);
	igt_assert_eq(__svm_gpu_write32(fd, area.base, NEW), -EFAULT);
	advise(&area, MADV_GUARD_REMOVE);
	discarded(fd, &area);
}

static void guard_part(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	size_t page = svm_page_size(), at = 6 * page;
	char *copy = svm_mmap_small(area.size);

	svm_pattern(copy, area.size, OLD);
	memset(copy + at, 0, page);
	igt_require_f(!madvise(area.base + at, page, MADV_GUARD_INSTALL), "no guards\n");
	igt_assert_eq(__svm_gpu_touch(fd, area.base + at, 4, 4, false), -EFAULT);
	svm_gpu_touch(fd, area.base, at, page, false);
	svm_gpu_touch(fd, area.base + at + page, area.size - at - page, page, false);
	svm_evict_vram(fd);
	igt_assert(!memcmp(copy, area.base, at));
	igt_assert(!madvise(area.base + at, page, MADV_GUARD_REMOVE));
	igt_assert(!memcmp(copy, area.base, area.size));
}

static void madvise_mergeable(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);

	svm_to_vram(fd, area.base, area.size);
	igt_require(!madvise(area.base, area.size, MADV_MERGEABLE));
	svm_area_check(fd, &area, OLD);
	svm_prefetch(fd, area.base, area.size, DRM_SVM_LOCATION_SYSTEM);
	igt_assert_eq(svm_device_pages(area.base, area.size), 0);
	svm_gpu_touch(fd, area.base, area.size, svm_page_size(), false);
	igt_assert_eq(svm_device_pages(area.base, area.size), 0);
	advise(&area, MADV_UNMERGEABLE);
	svm_to_vram(fd, area.base, area.size);
	svm_area_check(fd, &area, OLD + 1);
}

static const struct svm_vram_case cases[] = {
	{ "dontneed", "Dropped pages are unmapped at once and read as zeroes.", madvise_dontneed },
	{ "dontneed-gpu-writes", "The GPU is the first to write to dropped pages.",
	  dontneed_gpu_writes },
	{ "dontneed-part", "Some pages are dropped, the others keep their data.", dontneed_part },
	{ "dontneed-locked", "Locked pages are dropped.", dontneed_locked },
	{ "free", "Lazily freed pages are in use again when the GPU writes.", lazily_freed },
	{ "cold", "Cold pages keep their data.", madvise_cold },
	{ "pageout", "Pages that are to be swapped out keep their data.", madvise_pageout },
	{ "hugepage", "Huge pages are wanted.", madvise_hugepage },
	{ "nohugepage", "Huge pages are not wanted.", madvise_nohugepage },
	{ "collapse", "Pages in VRAM become a huge page in RAM.", madvise_collapse },
	{ "collapse-mixed", "Pages here, there and nowhere become a huge page.", collapse_mixed,
	  .one = true },
	{ "populate-read", "Pages come home to be read.", populate_read },
	{ "populate-write", "Pages come home to be written.", populate_write },
	{ "dontfork", "A child without the pages disturbs nobody.", madvise_dontfork },
	{ "wipeonfork", "A child has empty pages, the parent keeps its own.", madvise_wipeonfork },
	{ "guard", "Guards take the place of pages.", madvise_guard },
	{ "guard-part", "A guard takes the place of one page.", guard_part },
	{ "mergeable", "Pages may be merged, and may not.", madvise_mergeable },
};

int igt_main()
{
	igt_fixture()
		svm_vram_on("vram_mb=16");

	svm_vram_cases(cases);

	igt_fixture()
		svm_vram_off();
}
