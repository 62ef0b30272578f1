// SPDX-License-Identifier: MIT
/*
 * madvise, mlock and page migration under memory that the GPU has mapped, in RAM
 * and in VRAM. What gives memory away gives it away at once; what is only a hint
 * costs no data.
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

IGT_TEST_DESCRIPTION("The CPU gives advice on memory that the GPU has mapped.");

#define PAGES	64
#define OLD	0x5a5a0000u
#define NEW	0x7b7b0000u
#define COMPACT	"/proc/sys/vm/compact_memory"

static void advise(const struct svm_area *area, int advice)
{
	igt_assert_f(!madvise(area->base, area->size, advice), "madvise: %s\n", strerror(errno));
}

static void discarded(int fd, const struct svm_area *area)
{
	igt_assert_eq(svm_device_pages(area->base, area->size), 0);
	igt_assert_eq(svm_query_page(fd, area->base), 0);
	igt_assert(svm_prot_all(fd, area->base, area->size, 0));
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

/* Each page is as it was or zero, as the kernel likes; what comes later is kept */
static void free_then_use(int fd, bool huge)
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
	if (!area.ram)
		svm_to_vram(fd, area.base, area.size);
	igt_assert(!madvise(area.base + 3 * svm_page_size(), 5 * svm_page_size(), advice));
	svm_area_check(fd, &area, OLD + 1);
}

static void madvise_cold(int fd, bool huge)
{
	hint(fd, huge, MADV_COLD);
}

/* Pages in VRAM */

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

static void vram_pageout(int fd, bool huge)
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
static void vram_collapse(int fd, bool huge)
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

static void vram_populate_read(int fd, bool huge)
{
	populate(fd, huge, MADV_POPULATE_READ);
}

static void vram_populate_write(int fd, bool huge)
{
	populate(fd, huge, MADV_POPULATE_WRITE);
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

/* Pages in RAM, and what never is in VRAM */

static size_t area_size(void)
{
	return PAGES * svm_page_size();
}

/* GPU and CPU see @value in all pages; then each sees what the other writes. */
static void check_coherent(int fd, char *base, size_t size, uint32_t value)
{
	size_t last = size - sizeof(uint32_t);

	igt_assert(svm_cpu_all32(base, size, value));
	igt_assert_eq_u32(svm_gpu_read32(fd, base), value);
	igt_assert_eq_u32(svm_gpu_read32(fd, base + last), value);
	*(uint32_t *)base = ~value;
	igt_assert_eq_u32(svm_gpu_read32(fd, base), ~value);
	svm_gpu_fill(fd, base, size, value + 1);
	igt_assert(svm_cpu_all32(base, size, value + 1));
}

static void dontneed_page(int fd)
{
	char *base = svm_gpu_area(fd, area_size(), OLD);
	size_t page = svm_page_size();

	igt_assert(!madvise(base + 9 * page, page, MADV_DONTNEED));
	igt_assert(svm_prot_all(fd, base, 9 * page, SVM_RW));
	igt_assert(svm_prot_all(fd, base + 9 * page, page, 0));
	igt_assert(svm_prot_all(fd, base + 10 * page, area_size() - 10 * page, SVM_RW));
	igt_assert_eq_u32(svm_gpu_read32(fd, base + 9 * page), 0);
	igt_assert_eq_u32(svm_gpu_read32(fd, base + 10 * page), OLD);
}

/* The private copy goes, the page of the file comes back */
static void dontneed_private_file(int fd)
{
	int file = svm_tmpfile(svm_scratch_dir(), area_size());
	char *base = svm_mmap_fd(file, area_size(), MAP_PRIVATE);

	svm_gpu_fill(fd, base, area_size(), OLD);
	igt_assert(!madvise(base, area_size(), MADV_DONTNEED));
	check_coherent(fd, base, area_size(), 0);
	close(file);
}

/* Pages of shared memory only lose their mapping: the data stays */
static void dontneed_shared(int fd)
{
	char *base = svm_mmap_fd(svm_memfd(area_size()), area_size(), MAP_SHARED);

	svm_gpu_fill(fd, base, area_size(), OLD);
	igt_assert(!madvise(base, area_size(), MADV_DONTNEED));
	check_coherent(fd, base, area_size(), OLD);
}

static void remove_shared(int fd)
{
	char *base = svm_mmap_fd(svm_memfd(area_size()), area_size(), MAP_SHARED);

	svm_gpu_fill(fd, base, area_size(), OLD);
	igt_assert(!madvise(base, area_size(), MADV_REMOVE));
	igt_assert(svm_prot_all(fd, base, area_size(), 0));
	check_coherent(fd, base, area_size(), 0);
}

static void madvise_pageout(int fd)
{
	char *base;

	svm_need_swap();
	base = svm_gpu_area(fd, area_size(), OLD);
	svm_swap_out(base, area_size());
	igt_assert(svm_prot_all(fd, base, area_size(), 0));
	igt_assert_eq_u32(svm_gpu_read32(fd, base), OLD);
	check_coherent(fd, base, area_size(), OLD);
}

/* The GPU has the zero page; then the CPU has pages of its own */
static void populate_write(int fd)
{
	char *base = svm_mmap_small(svm_range_size());

	svm_gpu_touch(fd, base, area_size(), svm_page_size(), false);
	igt_require(!madvise(base, area_size(), MADV_POPULATE_WRITE));
	check_coherent(fd, base, area_size(), 0);
}

static void populate_read(int fd)
{
	char *base = svm_gpu_area(fd, area_size(), OLD);

	igt_require(!madvise(base, svm_range_size(), MADV_POPULATE_READ));
	igt_assert(svm_prot_all(fd, base, area_size(), SVM_RW));
	igt_assert_eq_u32(svm_gpu_read32(fd, base + area_size()), 0);
	svm_gpu_fill(fd, base, svm_range_size(), OLD);
	check_coherent(fd, base, svm_range_size(), OLD);
}

/* Small pages that the GPU has mapped move into one huge page */
static void madvise_collapse(int fd)
{
	size_t size = svm_range_size();
	char *base = svm_mmap_small(size);

	svm_gpu_fill(fd, base, size, OLD);
	igt_assert(!madvise(base, size, MADV_HUGEPAGE));
	svm_lru_drain();
	igt_require_f(!madvise(base, size, MADV_COLLAPSE), "collapse: %s\n",
		      strerror(errno));
	igt_assert_eq_u64(svm_smaps_kb(base, "AnonHugePages"), size / 1024);
	check_coherent(fd, base, size, OLD);
}

static void madvise_lock(int fd)
{
	char *base = svm_gpu_area(fd, area_size(), OLD);

	igt_assert(!mlock(base, area_size()));
	igt_assert_eq_u64(svm_smaps_kb(base, "Locked"), area_size() / 1024);
	check_coherent(fd, base, area_size(), OLD);
	igt_assert(!munlock(base, area_size()));
	check_coherent(fd, base, area_size(), OLD + 1);
}

/* Pages that the GPU faults in are locked like those of the CPU */
static void lock_on_fault(int fd)
{
	char *base = svm_mmap_small(svm_range_size());

	igt_require(!mlock2(base, svm_range_size(), MLOCK_ONFAULT));
	igt_assert_eq_u64(svm_smaps_kb(base, "Rss"), 0);
	svm_gpu_fill(fd, base, area_size(), OLD);
	igt_assert_lte_u64(area_size() / 1024, svm_smaps_kb(base, "Locked"));
	check_coherent(fd, base, area_size(), OLD);
	igt_assert(!munlock(base, svm_range_size()));
}

static void lock_all(int fd)
{
	char *base = svm_gpu_area(fd, area_size(), OLD);

	igt_require(!mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT));
	check_coherent(fd, base, area_size(), OLD);
	base = svm_gpu_area(fd, area_size(), OLD);
	igt_assert(!munlockall());
	check_coherent(fd, base, area_size(), OLD);
}

/*
 * Soft dirty tracking write-protects all pages. A write of the GPU must be seen
 * by it as one of the CPU is: checkpointing programs rely on that.
 */
static void soft_dirty(int fd)
{
	char *base = svm_gpu_area(fd, area_size(), OLD);
	size_t page = svm_page_size();

	igt_assert(svm_sys_write("/proc/self/clear_refs", "4"));
	igt_require(!(svm_pagemap(base) & SVM_PM_SOFT_DIRTY));
	igt_assert_eq_u32(svm_gpu_read32(fd, base + page), OLD);
	svm_gpu_write32(fd, base, OLD);
	igt_assert(svm_pagemap(base) & SVM_PM_SOFT_DIRTY);
	igt_assert(!(svm_pagemap(base + page) & SVM_PM_SOFT_DIRTY));
}

/* Soft offline moves the page to another frame, surely and at once */
static void migrate(int fd, char *base)
{
	size_t page = svm_page_size();
	uint64_t frame = svm_pagemap(base) & SVM_PM_PFN;

	svm_lru_drain();
	igt_require_f(!madvise(base, page, MADV_SOFT_OFFLINE), "soft offline: %s\n",
		      strerror(errno));
	igt_assert_eq_u32(svm_gpu_read32(fd, base), OLD);
	igt_assert_neq_u64(svm_pagemap(base) & SVM_PM_PFN, frame);
	check_coherent(fd, base, area_size(), OLD);
}

static void migrate_anon(int fd)
{
	migrate(fd, svm_gpu_area(fd, area_size(), OLD));
}

static void migrate_shared(int fd)
{
	char *base = svm_mmap_fd(svm_memfd(area_size()), area_size(), MAP_SHARED);

	svm_gpu_fill(fd, base, area_size(), OLD);
	migrate(fd, base);
}

static void migrate_disk(int fd)
{
	int file = svm_tmpfile(svm_scratch_dir(), area_size());
	char *base = svm_mmap_fd(file, area_size(), MAP_SHARED);

	svm_gpu_fill(fd, base, area_size(), OLD);
	igt_assert(!msync(base, area_size(), MS_SYNC));
	migrate(fd, base);
	close(file);
}

static size_t count_moved(const char *base, size_t size, const uint64_t *frames)
{
	size_t page = svm_page_size(), at, moved = 0;

	for (at = 0; at < size; at += 2 * page)
		moved += frames[at / page] != (svm_pagemap(base + at) & SVM_PM_PFN);
	return moved;
}

/*
 * Blocks of memory with a hole beside each page: compaction fills the holes of
 * the upper blocks with pages of the lower ones. Returns how many pages moved.
 */
static size_t compact_area(int fd, char *base, size_t size)
{
	size_t page = svm_page_size(), at, moved;
	uint64_t *frames = calloc(size / page, sizeof(*frames));

	igt_assert(frames);
	svm_gpu_fill(fd, base, size, OLD);
	for (at = page; at < size; at += 2 * page)
		igt_assert(!madvise(base + at, page, MADV_DONTNEED));
	for (at = 0; at < size; at += 2 * page)
		frames[at / page] = svm_pagemap(base + at) & SVM_PM_PFN;
	igt_require(svm_sys_write(COMPACT, "1"));
	moved = count_moved(base, size, frames);
	igt_info("compaction moved %zu pages\n", moved);
	for (at = 0; at < size; at += 2 * page)
		igt_assert_eq_u32(*(uint32_t *)(base + at), OLD);
	/* the GPU's writes go to the pages as they are now */
	svm_gpu_touch(fd, base, size, 2 * page, true);
	for (at = 0; at < size; at += 2 * page)
		igt_assert_eq_u32(*(uint32_t *)(base + at), 0);
	free(frames);
	return moved;
}

/*
 * Pages at the top of a zone have nowhere to go. They stay, so that the next area
 * takes others.
 */
static void madvise_compact(int fd)
{
	enum { AREAS = 16 };
	size_t size = 8 * svm_range_size(), areas = 0;
	char *base = svm_mmap_small(AREAS * size);
	size_t moved = 0;

	while (areas < AREAS && !moved)
		moved = compact_area(fd, base + areas++ * size, size);
	munmap(base, AREAS * size);
	igt_require_f(moved, "compaction moved nothing\n");
}

static const struct svm_vram_case both_cases[] = {
	{ "dontneed", "Dropped pages are unmapped at once and read as zeroes.", madvise_dontneed },
	{ "free-then-use", "Lazily freed pages are in use again when the GPU writes.",
	  free_then_use },
	{ "cold", "Cold pages keep their data.", madvise_cold },
};

static const struct svm_case ram_cases[] = {
	{ "dontneed-page", "One page is dropped, the others stay mapped.", dontneed_page },
	{ "dontneed-private-file", "Without its private copy a page is that of the file.",
	  dontneed_private_file },
	{ "dontneed-shared", "Shared pages keep their data.", dontneed_shared },
	{ "remove-shared", "Removed pages of shared memory read as zeroes.", remove_shared },
	{ "pageout", "Pages go to swap and come back for the GPU.", madvise_pageout },
	{ "populate-read", "Populating leaves what the GPU has mapped.", populate_read },
	{ "populate-write", "The zero page gives way to pages of the program.", populate_write },
	{ "collapse", "Small pages become a huge page.", madvise_collapse },
	{ "mlock", "Locking and unlocking does not disturb the GPU.", madvise_lock },
	{ "mlock-on-fault", "Pages faulted in by the GPU are locked.", lock_on_fault },
	{ "mlockall", "The whole address space is locked and unlocked.", lock_all },
	{ "soft-dirty", "Writes of the GPU are tracked as those of the CPU.", soft_dirty },
	{ "migrate-anon", "A page moves to another frame.", migrate_anon },
	{ "migrate-shared", "A page of shared memory moves to another frame.", migrate_shared },
	{ "migrate-disk", "A page of a file moves to another frame.", migrate_disk },
	{ "compact", "Compaction moves pages that the GPU has mapped.", madvise_compact },
};

static const struct svm_vram_case vram_cases[] = {
	{ "dontneed-gpu-writes", "The GPU is the first to write to dropped pages.",
	  dontneed_gpu_writes },
	{ "dontneed-part", "Some pages are dropped, the others keep their data.", dontneed_part },
	{ "dontneed-locked", "Locked pages are dropped.", dontneed_locked },
	{ "pageout", "Pages that are to be swapped out keep their data.", vram_pageout },
	{ "hugepage", "Huge pages are wanted.", madvise_hugepage },
	{ "nohugepage", "Huge pages are not wanted.", madvise_nohugepage },
	{ "collapse", "Pages in VRAM become a huge page in RAM.", vram_collapse },
	{ "collapse-mixed", "Pages here, there and nowhere become a huge page.", collapse_mixed,
	  .one = true },
	{ "populate-read", "Pages come home to be read.", vram_populate_read },
	{ "populate-write", "Pages come home to be written.", vram_populate_write },
	{ "guard", "Guards take the place of pages.", madvise_guard },
	{ "guard-part", "A guard takes the place of one page.", guard_part },
	{ "mergeable", "Pages may be merged, and may not.", madvise_mergeable },
};

int igt_main()
{
	svm_in_ram(both_cases);
	svm_cases(ram_cases);

	igt_fixture()
		svm_vram_on("vram_mb=16");

	svm_in_vram(both_cases);
	svm_in_vram(vram_cases);

	igt_fixture()
		svm_vram_off();
}
