// SPDX-License-Identifier: MIT
/*
 * madvise, mlock and page migration under memory that the GPU has mapped.
 */

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "igt.h"
#include "svm_mem.h"

IGT_TEST_DESCRIPTION("The CPU gives advice on memory that the GPU has mapped.");

#define PAGES	64
#define MAGIC	0x77770000u
#define COMPACT	"/proc/sys/vm/compact_memory"

static size_t area_size(void)
{
	return PAGES * svm_page_size();
}

static char *gpu_area(int fd)
{
	char *base = svm_mmap_small(svm_range_size());

	svm_gpu_fill(fd, base, area_size(), MAGIC);
	igt_assert(svm_prot_all(fd, base, area_size(), SVM_RW));
	return base;
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

static void madvise_dontneed(int fd)
{
	char *base = gpu_area(fd);

	igt_assert(!madvise(base, area_size(), MADV_DONTNEED));
	igt_assert(svm_prot_all(fd, base, area_size(), 0));
	check_coherent(fd, base, area_size(), 0);
}

static void dontneed_page(int fd)
{
	char *base = gpu_area(fd);
	size_t page = svm_page_size();

	igt_assert(!madvise(base + 9 * page, page, MADV_DONTNEED));
	igt_assert(svm_prot_all(fd, base, 9 * page, SVM_RW));
	igt_assert(svm_prot_all(fd, base + 9 * page, page, 0));
	igt_assert(svm_prot_all(fd, base + 10 * page, area_size() - 10 * page, SVM_RW));
	igt_assert_eq_u32(svm_gpu_read32(fd, base + 9 * page), 0);
	igt_assert_eq_u32(svm_gpu_read32(fd, base + 10 * page), MAGIC);
}

/* The private copy goes, the page of the file comes back */
static void dontneed_private_file(int fd)
{
	int file = svm_tmpfile(svm_scratch_dir(), area_size());
	char *base = svm_mmap_fd(file, area_size(), MAP_PRIVATE);

	svm_gpu_fill(fd, base, area_size(), MAGIC);
	igt_assert(!madvise(base, area_size(), MADV_DONTNEED));
	check_coherent(fd, base, area_size(), 0);
	close(file);
}

/* Pages of shared memory only lose their mapping: the data stays */
static void dontneed_shared(int fd)
{
	char *base = svm_mmap_fd(svm_memfd(area_size()), area_size(), MAP_SHARED);

	svm_gpu_fill(fd, base, area_size(), MAGIC);
	igt_assert(!madvise(base, area_size(), MADV_DONTNEED));
	check_coherent(fd, base, area_size(), MAGIC);
}

static void remove_shared(int fd)
{
	char *base = svm_mmap_fd(svm_memfd(area_size()), area_size(), MAP_SHARED);

	svm_gpu_fill(fd, base, area_size(), MAGIC);
	igt_assert(!madvise(base, area_size(), MADV_REMOVE));
	igt_assert(svm_prot_all(fd, base, area_size(), 0));
	check_coherent(fd, base, area_size(), 0);
}

/* The GPU wrote before: the mapping must not hide that later data is written */
static void free_then_use(int fd)
{
	char *base = gpu_area(fd);

	igt_assert(!madvise(base, area_size(), MADV_FREE));
	svm_gpu_fill(fd, base, area_size(), MAGIC + 1);
	check_coherent(fd, base, area_size(), MAGIC + 1);
}

static void madvise_cold(int fd)
{
	char *base = gpu_area(fd);

	igt_require(!madvise(base, area_size(), MADV_COLD));
	check_coherent(fd, base, area_size(), MAGIC);
}

static void madvise_pageout(int fd)
{
	char *base;

	svm_need_swap();
	base = gpu_area(fd);
	svm_swap_out(base, area_size());
	igt_assert(svm_prot_all(fd, base, area_size(), 0));
	igt_assert_eq_u32(svm_gpu_read32(fd, base), MAGIC);
	check_coherent(fd, base, area_size(), MAGIC);
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
	char *base = gpu_area(fd);

	igt_require(!madvise(base, svm_range_size(), MADV_POPULATE_READ));
	igt_assert(svm_prot_all(fd, base, area_size(), SVM_RW));
	igt_assert_eq_u32(svm_gpu_read32(fd, base + area_size()), 0);
	svm_gpu_fill(fd, base, svm_range_size(), MAGIC);
	check_coherent(fd, base, svm_range_size(), MAGIC);
}

/* Small pages that the GPU has mapped move into one huge page */
static void madvise_collapse(int fd)
{
	size_t size = svm_range_size();
	char *base = svm_mmap_small(size);

	svm_gpu_fill(fd, base, size, MAGIC);
	igt_assert(!madvise(base, size, MADV_HUGEPAGE));
	svm_lru_drain();
	igt_require_f(!madvise(base, size, MADV_COLLAPSE), "collapse: %s\n",
		      strerror(errno));
	igt_assert_eq_u64(svm_smaps_kb(base, "AnonHugePages"), size / 1024);
	check_coherent(fd, base, size, MAGIC);
}

static void madvise_lock(int fd)
{
	char *base = gpu_area(fd);

	igt_assert(!mlock(base, area_size()));
	igt_assert_eq_u64(svm_smaps_kb(base, "Locked"), area_size() / 1024);
	check_coherent(fd, base, area_size(), MAGIC);
	igt_assert(!munlock(base, area_size()));
	check_coherent(fd, base, area_size(), MAGIC + 1);
}

/* Pages that the GPU faults in are locked like those of the CPU */
static void lock_on_fault(int fd)
{
	char *base = svm_mmap_small(svm_range_size());

	igt_require(!mlock2(base, svm_range_size(), MLOCK_ONFAULT));
	igt_assert_eq_u64(svm_smaps_kb(base, "Rss"), 0);
	svm_gpu_fill(fd, base, area_size(), MAGIC);
	igt_assert_lte_u64(area_size() / 1024, svm_smaps_kb(base, "Locked"));
	check_coherent(fd, base, area_size(), MAGIC);
	igt_assert(!munlock(base, svm_range_size()));
}

static void lock_all(int fd)
{
	char *base = gpu_area(fd);

	igt_require(!mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT));
	check_coherent(fd, base, area_size(), MAGIC);
	base = gpu_area(fd);
	igt_assert(!munlockall());
	check_coherent(fd, base, area_size(), MAGIC);
}

/*
 * Soft dirty tracking write-protects all pages. A write of the GPU must be seen
 * by it as one of the CPU is: checkpointing programs rely on that.
 */
static void soft_dirty(int fd)
{
	char *base = gpu_area(fd);
	size_t page = svm_page_size();

	igt_assert(svm_sys_write("/proc/self/clear_refs", "4"));
	igt_require(!(svm_pagemap(base) & SVM_PM_SOFT_DIRTY));
	igt_assert_eq_u32(svm_gpu_read32(fd, base + page), MAGIC);
	svm_gpu_write32(fd, base, MAGIC);
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
	igt_assert_eq_u32(svm_gpu_read32(fd, base), MAGIC);
	igt_assert_neq_u64(svm_pagemap(base) & SVM_PM_PFN, frame);
	check_coherent(fd, base, area_size(), MAGIC);
}

static void migrate_anon(int fd)
{
	migrate(fd, gpu_area(fd));
}

static void migrate_shared(int fd)
{
	char *base = svm_mmap_fd(svm_memfd(area_size()), area_size(), MAP_SHARED);

	svm_gpu_fill(fd, base, area_size(), MAGIC);
	migrate(fd, base);
}

static void migrate_disk(int fd)
{
	int file = svm_tmpfile(svm_scratch_dir(), area_size());
	char *base = svm_mmap_fd(file, area_size(), MAP_SHARED);

	svm_gpu_fill(fd, base, area_size(), MAGIC);
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
static size_t compact_area(int fd)
{
	size_t size = 8 * svm_range_size(), page = svm_page_size(), at, moved;
	uint64_t *frames = calloc(size / page, sizeof(*frames));
	char *base = svm_mmap_small(size);

	igt_assert(frames);
	svm_gpu_fill(fd, base, size, MAGIC);
	for (at = page; at < size; at += 2 * page)
		igt_assert(!madvise(base + at, page, MADV_DONTNEED));
	for (at = 0; at < size; at += 2 * page)
		frames[at / page] = svm_pagemap(base + at) & SVM_PM_PFN;
	igt_require(svm_sys_write(COMPACT, "1"));
	moved = count_moved(base, size, frames);
	igt_info("compaction moved %zu pages\n", moved);
	for (at = 0; at < size; at += 2 * page)
		igt_assert_eq_u32(*(uint32_t *)(base + at), MAGIC);
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
	int areas = 0;

	while (!compact_area(fd))
		igt_require_f(++areas < 16, "compaction moved nothing\n");
}

static const struct svm_case cases[] = {
	{ "dontneed", "Dropped pages are unmapped at once and read as zeroes.", madvise_dontneed },
	{ "dontneed-page", "One page is dropped, the others stay mapped.", dontneed_page },
	{ "dontneed-private-file", "Without its private copy a page is that of the file.",
	  dontneed_private_file },
	{ "dontneed-shared", "Shared pages keep their data.", dontneed_shared },
	{ "remove-shared", "Removed pages of shared memory read as zeroes.", remove_shared },
	{ "free-then-use", "A lazily freed page that the GPU writes is in use again.",
	  free_then_use },
	{ "cold", "Cold pages keep their data.", madvise_cold },
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

int igt_main()
{
	svm_cases(cases);
}
