// SPDX-License-Identifier: MIT
/*
 * What the kernel does with memory on its own account, with pages in VRAM: locking
 * them, merging equal ones, swapping out what came home.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_job.h"
#include "svm_prefetch.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("Pages in VRAM are locked, merged and swapped out.");

#define OLD	0x4e4e0000u
#define NEW	0x4f4f0000u
#define SAME	0x5c5c5c5cu
#define MIB	(1024 * 1024)

static uint64_t meminfo_kb(const char *field)
{
	FILE *file = fopen("/proc/meminfo", "re");
	size_t len = strlen(field);
	uint64_t kb = 0;
	char line[128];

	igt_assert(file);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, field, len) && line[len] == ':')
			kb = strtoull(line + len + 1, NULL, 10);
	fclose(file);
	return kb;
}

/* Pages that are locked are counted, and no longer when they are gone */
static void lock_area(int fd, const struct svm_area *area, int flags)
{
	uint64_t locked = meminfo_kb("Mlocked");

	igt_require(!mlock2(area->base, area->size, flags));
	igt_assert(svm_gpu_pattern_ok(fd, area->base, area->size, OLD));
	svm_area_check(fd, area, OLD);
	igt_assert_eq_u64(svm_smaps_kb(area->base, "Locked"), area->size / 1024);
	svm_to_vram(fd, area->base, area->size);
	svm_area_free(area);
	/* the library has the batches of Linux emptied, in which they may be */
	igt_assert(svm_until(meminfo_kb("Mlocked") <= locked, 10000));
}

static void reclaim_lock(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);

	igt_assert(!mlock(area.base, area.size));
	igt_assert_eq(svm_device_pages(area.base, area.size), 0);
	igt_assert(!munlock(area.base, area.size));
	svm_to_vram(fd, area.base, area.size);
	lock_area(fd, &area, 0);
}

static void lock_on_fault(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);

	lock_area(fd, &area, MLOCK_ONFAULT);
}

static void lock_all(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD), later;

	igt_require(!mlockall(MCL_CURRENT | MCL_FUTURE));
	igt_assert_eq(svm_device_pages(area.base, area.size), 0);
	svm_area_check(fd, &area, OLD);
	later = svm_area(fd, huge, NEW);
	svm_area_check(fd, &later, NEW);
	igt_assert(!munlockall());
	svm_area_check(fd, &area, OLD + 1);
	svm_area_free(&later);
}

static void *equal_pages(int fd, size_t pages)
{
	size_t size = pages * svm_page_size();
	char *base = svm_mmap_small(size);

	svm_gpu_fill(fd, base, size, SAME);
	svm_to_vram(fd, base, size);
	igt_assert(!madvise(base, size, MADV_MERGEABLE));
	return base;
}

/* KSM compares its pages by the CPU, so they must stay where it can. */
static void ksm_stays(int fd, bool huge)
{
	size_t page = svm_page_size(), n = 32;
	char *base = svm_mmap_small(n * page);

	memset(base, SAME & 0xff, n * page);
	svm_ksm_merge(base, n * page);
	igt_assert_eq(svm_prefetch(fd, base, page, DRM_SVM_LOCATION_VRAM), 0);
	igt_assert_eq_u32(svm_gpu_read32(fd, base), SAME);
	igt_assert_eq(svm_resident(fd, base, page, DRM_SVM_LOCATION_SYSTEM), 1);
	/* a write makes a page of its own */
	svm_gpu_write32(fd, base, NEW);
	igt_assert_eq_u32(*(uint32_t *)base, NEW);
	igt_assert_eq_u32(*(uint32_t *)(base + page), SAME);
	svm_ksm_scan();
	igt_assert_eq_u32(*(uint32_t *)(base + (n - 1) * page), SAME);
}

/* Equal pages in VRAM are no candidates; they keep their data and can be written */
static void ksm_candidates(int fd, bool huge)
{
	size_t page = svm_page_size(), size = 32 * page;
	char *base = equal_pages(fd, 32);

	svm_ksm_run();
	svm_ksm_scan();
	svm_gpu_write32(fd, base + 3 * page, NEW);
	svm_evict_vram(fd);
	svm_ksm_scan();
	igt_assert_eq_u32(*(uint32_t *)(base + 3 * page), NEW);
	igt_assert(svm_cpu_all32(base, 3 * page, SAME));
	igt_assert(svm_cpu_all32(base + 4 * page, size - 4 * page, SAME));
}

/*
 * The GPU reads merged pages, and equal ones are looked at afterwards: they are
 * compared with the merged page, wherever the GPU's read has left it.
 */
static void ksm_merged(int fd, bool huge)
{
	size_t page = svm_page_size(), size = 32 * page;
	char *base = svm_mmap_small(size), *more = svm_mmap_small(size);

	memset(base, SAME & 0xff, size);
	svm_ksm_merge(base, size);
	svm_gpu_touch(fd, base, size, page, false);
	memset(more, SAME & 0xff, size);
	igt_assert(!madvise(more, size, MADV_MERGEABLE));
	svm_ksm_scan();
	igt_assert(svm_cpu_all32(more, size, SAME));
	igt_assert_eq_u32(svm_gpu_read32(fd, base + 7 * page), SAME);

	svm_gpu_write32(fd, base, NEW);
	svm_evict_vram(fd);
	igt_assert_eq_u32(*(uint32_t *)base, NEW);
	igt_assert(svm_cpu_all32(base + page, size - page, SAME));
	igt_assert(svm_cpu_all32(more, size, SAME));
}

/*
 * Pages that cannot move are asked to, over and over, while the scanner passes: each time
 * they are where they were. If not, who reads them here does so for ever.
 */
static void ksm_scanned(int fd, bool huge)
{
	enum { TIMES = 400 };
	size_t page = svm_page_size(), size = 64 * page;
	char *base = svm_mmap_small(size);

	memset(base, SAME & 0xff, size);
	svm_ksm_merge(base, size);
	igt_require(svm_sys_set("/sys/kernel/mm/ksm/sleep_millisecs", "0"));
	for (int i = 0; i < TIMES; i++) {
		svm_prefetch(fd, base, size, DRM_SVM_LOCATION_VRAM);
		igt_assert_eq(svm_device_pages(base, size), 0);
		igt_assert(svm_cpu_all32(base + i % 64 * page, page, SAME));
	}
	igt_assert(svm_cpu_all32(base, size, SAME));
}

/* Pages are made, and while they are merged the GPU wants to have them */
static void ksm_made(int fd, bool huge)
{
	size_t page = svm_page_size(), size = 32 * page;
	char *base = svm_mmap_small(size);

	igt_assert(!madvise(base, size, MADV_MERGEABLE));
	svm_ksm_run();
	for (uint32_t i = 0; i < 150; i++) {
		uint32_t *value = (uint32_t *)(base + i % 20 * page);

		igt_assert(!madvise(base, size, MADV_DONTNEED));
		memset(base, SAME & 0xff, size);
		usleep(i % 30 * 500);
		svm_gpu_write32(fd, value, i);
		igt_assert_eq(svm_device_pages(base, size), 0);
		igt_assert_eq_u32(*value, i);
		*value = SAME;
		igt_assert(svm_cpu_all32(base, size, SAME));
	}
}

/*
 * Pages are merged that a relative shares, and then there are others in their place: the
 * kernel forgets them, but the relative still has them.
 */
static void merge_and_replace(char *base, size_t size)
{
	svm_ksm_merge(base, size);
	svm_pattern(base, size, NEW);
	svm_ksm_scan();
}

/* All of it can be used, and is as it was */
static void use_forgotten(int fd, char *base, size_t size)
{
	size_t page = svm_page_size();

	svm_gpu_touch(fd, base, size, page, false);
	svm_gpu_write32(fd, base, NEW);
	svm_prefetch(fd, base, size, DRM_SVM_LOCATION_VRAM);
	svm_evict_vram(fd);
	igt_assert_eq_u32(*(uint32_t *)base, NEW);
	igt_assert(svm_cpu_all32(base + page, size - page, SAME));
}

static void ksm_forked(int fd, bool huge)
{
	size_t size = 32 * svm_page_size();
	char *base = svm_mmap_small(size);

	memset(base, SAME & 0xff, size);
	igt_fork(child, 1)
		merge_and_replace(base, size);
	igt_waitchildren();
	use_forgotten(fd, base, size);
}

static void ksm_inherited(int fd, bool huge)
{
	size_t size = 32 * svm_page_size();
	char *base = svm_mmap_small(size);
	int forgotten = svm_gate();

	memset(base, SAME & 0xff, size);
	igt_fork(child, 1) {
		int own = svm_open_attached();

		svm_gate_wait(forgotten);
		use_forgotten(own, base, size);
		close(own);
	}
	merge_and_replace(base, size);
	svm_gate_open(forgotten);
	igt_waitchildren();
}

/* Merged pages are written and merged again, while the GPU uses all of them */
static void ksm_busy(int fd, bool huge)
{
	size_t page = svm_page_size(), size = 32 * page;
	char *base = equal_pages(fd, 32);

	svm_ksm_run();
	for (uint32_t i = 0; i < 20; i++) {
		svm_gpu_fill(fd, base, size / 2, SAME);
		svm_gpu_write32(fd, base + i * page, i);
		igt_assert(svm_cpu_all32(base + size / 2 + 8 * page, 8 * page, SAME));
		igt_assert_eq_u32(svm_gpu_read32(fd, base + i * page), i);
		usleep(20000);
		igt_assert_eq_u32(*(uint32_t *)(base + i * page), i);
		*(uint32_t *)(base + i * page) = SAME;
	}
	igt_assert(svm_cpu_all32(base, size, SAME));
}

/* Out of VRAM, and with it all it takes to be there again, and out of RAM */
static void to_swap(int fd, const struct svm_area *area)
{
	svm_evict_vram(fd);
	igt_assert_eq(svm_device_pages(area->base, area->size), 0);
	svm_swap_out(area->base, area->size);
}

static void reclaim_swap(int fd, bool huge)
{
	struct svm_area area;

	svm_need_swap();
	area = svm_area(fd, huge, OLD);
	to_swap(fd, &area);
	igt_assert(svm_pattern_ok(area.base, area.size, OLD));
	svm_gpu_pattern(fd, area.base, area.size, NEW);
	to_swap(fd, &area);
	igt_assert(svm_gpu_pattern_ok(fd, area.base, area.size, NEW));
	svm_area_check(fd, &area, NEW);
}

/* Still equal to its copy in swap, until the GPU writes to it in VRAM */
static void swap_clean(int fd, bool huge)
{
	struct svm_area area = { .size = 32 * svm_page_size() };

	svm_need_swap();
	area.base = svm_mmap_small(area.size);
	for (int i = 0; i < 3; i++) {
		svm_pattern(area.base, area.size, OLD);
		svm_swap_out(area.base, area.size);
		igt_assert(svm_pattern_ok(area.base, area.size, OLD));
		svm_gpu_pattern(fd, area.base, area.size, NEW);
		to_swap(fd, &area);
		igt_assert(svm_pattern_ok(area.base, area.size, NEW));
	}
}

/* Reclaimed, or not worth it: lazily freed pages have no other sign of it */
static bool is_gone(const void *addr, size_t size)
{
	return svm_smaps_kb(addr, "Rss") == 0;
}

/*
 * Pages that the program gave back lazily are in use again once the GPU has written to
 * them, in VRAM too: reclaim must not take them for clean when they are home.
 */
static void lazily_freed(int fd, bool huge)
{
	struct svm_area area = { .size = huge ? svm_range_size() : 32 * svm_page_size() };

	svm_need_swap();
	area.base = huge ? svm_mmap_thp(area.size) : svm_mmap_small(area.size);
	svm_pattern(area.base, area.size, OLD);
	svm_lru_drain();
	igt_assert(!madvise(area.base, area.size, MADV_FREE));
	svm_gpu_pattern(fd, area.base, area.size, NEW);
	igt_assert_lt(0, svm_device_pages(area.base, area.size));
	svm_evict_vram(fd);
	igt_assert_eq(svm_device_pages(area.base, area.size), 0);
	svm_try_pageout(area.base, area.size, is_gone);
	igt_assert(svm_pattern_ok(area.base, area.size, NEW));
}

/* What was written after MADV_FREE must not be dropped, wherever it was written. */
static void lazily_freed_there(int fd, bool huge)
{
	size_t page = svm_page_size(), size = 16 * page;
	char *base = svm_mmap_small(size);

	svm_need_swap();
	memset(base, 1, size);
	svm_lru_drain();
	igt_assert(!madvise(base, size, MADV_FREE));
	/* lists of the kernel hold them for a moment */
	igt_assert(svm_until((svm_lru_drain(),
			      svm_prefetch(fd, base, size, DRM_SVM_LOCATION_VRAM),
			      svm_resident(fd, base, size, DRM_SVM_LOCATION_VRAM) == 16), 1000));
	svm_gpu_fill(fd, base, size, NEW);
	igt_assert_eq(svm_resident(fd, base, size, DRM_SVM_LOCATION_VRAM), 16);
	svm_evict_vram(fd);
	igt_assert_eq(svm_resident(fd, base, size, DRM_SVM_LOCATION_SYSTEM), 16);
	svm_lru_drain();
	/* what is dropped is neither there nor in swap */
	svm_try_pageout(base, size, svm_swapped);
	igt_assert(svm_cpu_all32(base, size, NEW));
}

/* A child has the pages in VRAM when they are swapped out */
static void swap_forked(int fd, bool huge)
{
	struct svm_area area;
	int out, done;

	svm_need_swap();
	area = svm_area(fd, huge, OLD);
	out = svm_gate();
	done = svm_gate();
	igt_fork(child, 1) {
		svm_gate_wait(out);
		igt_assert(svm_pattern_ok(area.base, area.size, OLD));
		svm_pattern(area.base, area.size, NEW);
		svm_gate_open(done);
	}
	svm_evict_vram(fd);
	svm_try_pageout(area.base, area.size, svm_swapped);
	svm_gate_open(out);
	svm_gate_wait(done);
	igt_assert(svm_gpu_pattern_ok(fd, area.base, area.size, OLD));
	igt_waitchildren();
	svm_area_check(fd, &area, OLD);
}

/*
 * A process may have less RAM and VRAM than it uses, and swap. Pages in VRAM count,
 * but cannot be reclaimed there: the limit has to leave room for more than these.
 */
static void reclaim_pressure(int fd, bool huge)
{
	size_t size = 12 * MIB, chunk = MIB;
	char *base;

	svm_need_swap();
	svm_cgroup_enter();
	igt_require(svm_cgroup_set("memory.max", "10485760"));
	base = svm_mmap_untouched(size, huge);
	for (size_t at = 0; at < size; at += chunk)
		svm_gpu_pattern(fd, base + at, chunk, NEW + at);
	for (size_t at = 0; at < size; at += 4 * chunk)
		igt_assert(svm_gpu_pattern_ok(fd, base + at, chunk, NEW + at));
	for (size_t at = 0; at < size; at += chunk)
		igt_assert(svm_pattern_ok(base + at, chunk, NEW + at));
	igt_assert_lt_u64(0, svm_cgroup_stat("pswpout"));
	munmap(base, size);
	svm_cgroup_leave();
}

static bool is_soft_dirty(const struct svm_area *area, size_t page)
{
	return svm_pagemap(svm_page(area->base, page)) & SVM_PM_SOFT_DIRTY;
}

/* Checkpointing programs rely on it to know what was written since they looked */
static void soft_dirty(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);

	svm_evict_vram(fd);
	igt_assert(svm_sys_write("/proc/self/clear_refs", "4"));
	igt_require(!is_soft_dirty(&area, 3));
	/* written by the CPU; it goes to VRAM and comes back */
	*(uint32_t *)svm_page(area.base, 3) = NEW;
	svm_gpu_touch(fd, area.base, area.size, svm_page_size(), false);
	igt_assert(is_soft_dirty(&area, 3));
	svm_evict_vram(fd);
	igt_assert(is_soft_dirty(&area, 3));
	igt_assert_eq_u32(*(uint32_t *)svm_page(area.base, 3), NEW);
}

static const struct svm_vram_case cases[] = {
	{ "mlock", "Pages come home to be locked, and all locks are gone in the end.",
	  reclaim_lock },
	{ "mlock-on-fault", "Pages in VRAM are locked where they are.", lock_on_fault },
	{ "mlockall", "All of the process is locked.", lock_all },
	{ "ksm-stays", "Merged pages stay where KSM can compare them.", ksm_stays, .one = true },
	{ "ksm-candidates", "Equal pages in VRAM keep their data.", ksm_candidates, .one = true },
	{ "ksm-merged", "The GPU uses merged pages while others are merged with them.", ksm_merged,
	  .one = true },
	{ "ksm-scanned", "Merged pages are asked to move while they are scanned.", ksm_scanned,
	  .one = true },
	{ "ksm-made", "Pages are merged as the GPU wants to have them.", ksm_made, .one = true },
	{ "ksm-forked", "Pages were merged with those of a child.", ksm_forked, .one = true },
	{ "ksm-inherited", "Pages were merged with those of the parent.", ksm_inherited,
	  .one = true },
	{ "ksm-busy", "Pages are merged and separated while the GPU uses them.", ksm_busy,
	  .one = true },
	{ "swap", "What the GPU wrote in VRAM survives swap.", reclaim_swap },
	{ "swap-clean", "Pages equal to their copy in swap are written in VRAM.", swap_clean,
	  .one = true },
	{ "lazily-freed", "Lazily freed pages that the GPU writes in VRAM are kept.",
	  lazily_freed },
	{ "lazily-freed-there", "What the GPU writes in VRAM after MADV_FREE is not dropped.",
	  lazily_freed_there, .one = true },
	{ "soft-dirty", "Pages that were written stay marked in VRAM and back.", soft_dirty },
	{ "swap-forked", "Pages that a child shares survive swap.", swap_forked },
};

static const struct svm_vram_case pressure_cases[] = {
	{ "pressure", "More is used than fits in RAM and VRAM.", reclaim_pressure },
};

int igt_main()
{
	igt_fixture()
		svm_vram_on("vram_mb=16");

	svm_vram_cases(cases);

	igt_fixture()
		svm_vram_on("vram_mb=4");

	svm_vram_cases(pressure_cases);

	igt_fixture()
		svm_vram_off();
}
