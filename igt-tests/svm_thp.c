// SPDX-License-Identifier: MIT
/*
 * Huge pages: how the GPU maps them, and what becomes of it when a part of one
 * changes. A split by the CPU invalidates the whole huge page, so what is asked
 * for here is data; where the CPU maps the huge page by small entries, the rest
 * of the GPU's leaf has to stay.
 */

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "igt.h"
#include "svm_mem.h"

IGT_TEST_DESCRIPTION("The CPU splits and moves huge pages that the GPU has mapped.");

#define MAGIC		0x19190000u
#define HOLE		37	/* the page that changes */
#define MTHP_ENABLED	"/sys/kernel/mm/transparent_hugepage/hugepages-64kB/enabled"
#define MTHP_SIZE	(64 * 1024)

static char *gpu_huge(int fd, size_t ranges)
{
	size_t size = ranges * svm_range_size();
	char *base = svm_mmap_thp(size);

	svm_gpu_fill(fd, base, size, MAGIC);
	igt_assert(svm_prot_all(fd, base, size, SVM_RW));
	return base;
}

/* All but page HOLE of the range at @base */
static void check_rest(int fd, char *base, uint32_t value)
{
	size_t page = svm_page_size(), size = svm_range_size();
	size_t after = (HOLE + 1) * page;

	igt_assert(svm_cpu_all32(base, HOLE * page, value));
	igt_assert(svm_cpu_all32(base + after, size - after, value));
	igt_assert_eq_u32(svm_gpu_read32(fd, base), value);
	igt_assert_eq_u32(svm_gpu_read32(fd, base + HOLE * page - 4), value);
	svm_gpu_fill(fd, base + after, size - after, value + 1);
	igt_assert(svm_cpu_all32(base + after, size - after, value + 1));
}

static void thp_leaf(int fd)
{
	char *base = gpu_huge(fd, 1);

	igt_assert_eq_u32(svm_leaf(fd, base), svm_range_size());
	igt_assert_eq_u32(svm_leaf(fd, base + svm_range_size() - 1), svm_range_size());
}

/* The first fault of the GPU makes the huge page */
static void leaf_first_touch(int fd)
{
	char *base = svm_mmap_aligned(svm_range_size(), svm_range_size());

	igt_require(!madvise(base, svm_range_size(), MADV_HUGEPAGE));
	svm_gpu_write32(fd, base + svm_range_size() / 2, MAGIC);
	igt_require(svm_smaps_kb(base, "AnonHugePages"));
	igt_assert_eq_u32(svm_leaf(fd, base + svm_range_size() / 2), svm_range_size());
}

static void leaf_mthp(int fd)
{
	char *base;

	igt_require(svm_sys_set(MTHP_ENABLED, "always"));
	base = svm_mmap_aligned(svm_range_size(), svm_range_size());
	memset(base, 1, 4 * MTHP_SIZE);
	svm_gpu_fill(fd, base, 4 * MTHP_SIZE, MAGIC);
	/* several of them in a row may make a larger leaf, never a smaller one */
	igt_assert_lte_u32(MTHP_SIZE, svm_leaf(fd, base + MTHP_SIZE));
	igt_assert(!munmap(base + MTHP_SIZE, svm_page_size()));
	igt_assert_eq_u32(svm_query_page(fd, base + MTHP_SIZE), 0);
	igt_assert_eq_u32(svm_gpu_read32(fd, base + MTHP_SIZE + svm_page_size()), MAGIC);
}

static void munmap_page(int fd)
{
	char *base = gpu_huge(fd, 1), *hole = svm_page(base, HOLE);

	igt_assert(!munmap(hole, svm_page_size()));
	igt_assert_eq_u32(svm_query_page(fd, hole), 0);
	check_rest(fd, base, MAGIC);
	igt_assert_eq(__svm_gpu_write32(fd, hole, 0), -ENOENT);
}

static void munmap_half(int fd)
{
	size_t half = svm_range_size() / 2;
	char *base = gpu_huge(fd, 1);

	igt_assert(!munmap(base + half, half));
	igt_assert(svm_prot_all(fd, base + half, half, 0));
	svm_gpu_fill(fd, base, half, MAGIC + 1);
	igt_assert(svm_cpu_all32(base, half, MAGIC + 1));
	igt_assert_eq(__svm_gpu_write32(fd, base + half, 0), -ENOENT);
}

static void mprotect_page(int fd)
{
	char *base = gpu_huge(fd, 1), *hole = svm_page(base, HOLE);

	igt_assert(!mprotect(hole, svm_page_size(), PROT_READ));
	igt_assert(!(svm_prot(fd, hole) & DRM_SVM_PAGE_WRITE));
	igt_assert_eq(__svm_gpu_write32(fd, hole, 0), -EACCES);
	igt_assert_eq_u32(svm_gpu_read32(fd, hole), MAGIC);
	check_rest(fd, base, MAGIC);
}

/* The whole page loses write access: the CPU's entry stays huge */
static void mprotect_whole(int fd)
{
	char *base = gpu_huge(fd, 1);

	igt_assert(!mprotect(base, svm_range_size(), PROT_READ));
	igt_assert(!(svm_prot(fd, base) & DRM_SVM_PAGE_WRITE));
	igt_assert_eq(__svm_gpu_write32(fd, base, 0), -EACCES);
	svm_gpu_touch(fd, base, svm_range_size(), svm_page_size(), false);
	igt_assert(svm_prot_all(fd, base, svm_range_size(), SVM_RO));
	igt_assert_eq_u32(svm_leaf(fd, base), svm_range_size());
}

static void dontneed_page(int fd)
{
	char *base = gpu_huge(fd, 1), *hole = svm_page(base, HOLE);

	igt_assert(!madvise(hole, svm_page_size(), MADV_DONTNEED));
	igt_assert_eq_u32(svm_gpu_read32(fd, hole), 0);
	check_rest(fd, base, MAGIC);
}

static void remap_page(int fd)
{
	char *base = gpu_huge(fd, 1), *hole = svm_page(base, HOLE);
	char *away = mremap(hole, svm_page_size(), svm_page_size(),
			    MREMAP_MAYMOVE | MREMAP_FIXED, svm_mmap_small(svm_page_size()));

	igt_assert(away != MAP_FAILED);
	svm_gpu_write32(fd, away, MAGIC + 5);
	igt_assert_eq(__svm_gpu_write32(fd, hole, 0), -ENOENT);
	igt_assert_eq_u32(*(uint32_t *)away, MAGIC + 5);
	check_rest(fd, base, MAGIC);
}

/* Moves by its one entry in the CPU's page table */
static void remap_whole(int fd)
{
	size_t size = svm_range_size();
	char *base = gpu_huge(fd, 1), *target = svm_mmap_aligned(size, size);

	igt_assert(mremap(base, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, target) == target);
	igt_assert(svm_prot_all(fd, base, size, 0));
	igt_assert_eq(__svm_gpu_write32(fd, base, 0), -ENOENT);
	igt_assert_eq_u32(svm_gpu_read32(fd, target + size / 2), MAGIC);
	svm_gpu_fill(fd, target, size, 1);
	igt_assert(svm_cpu_all32(target, size, 1));
}

/* The huge page then lies across two ranges */
static void remap_misaligned(int fd)
{
	size_t size = svm_range_size();
	char *base = gpu_huge(fd, 1), *area = svm_mmap_aligned(2 * size, size);
	char *target = area + size / 2;

	igt_assert(mremap(base, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, target) == target);
	igt_assert_eq_u32(svm_gpu_read32(fd, target), MAGIC);
	igt_assert_eq_u32(svm_gpu_read32(fd, target + size - 4), MAGIC);
	svm_gpu_fill(fd, target, size, 2);
	igt_assert(svm_cpu_all32(target, size, 2));
	igt_assert(svm_cpu_all32(area, size / 2, 0));
}

/*
 * A huge page that the CPU maps by small entries, after access to a part of it
 * has changed and changed back. Without its last page, so that Linux does not
 * invalidate all of it when the mapping is split once more.
 */
static char *small_entries(int fd)
{
	char *base = svm_mmap_thp(svm_range_size());
	size_t size = svm_range_size() - svm_page_size();

	igt_assert(!munmap(base + size, svm_page_size()));
	igt_require(!svm_smaps_kb(base, "AnonHugePages"));
	memset(base, 0, size);
	svm_gpu_fill(fd, base, size, MAGIC);
	igt_assert(svm_prot_all(fd, base, size, SVM_RW));
	/* several pages of one folio must have one leaf */
	igt_assert_lt_u32(svm_page_size(), svm_leaf(fd, svm_page(base, HOLE)));
	return base;
}

static void check_leaf_split(int fd, char *base)
{
	size_t page = svm_page_size(), after = (HOLE + 1) * page;
	size_t size = svm_range_size() - page;

	igt_assert_eq_u32(svm_query_page(fd, svm_page(base, HOLE)), 0);
	igt_assert(svm_prot_all(fd, base, HOLE * page, SVM_RW));
	igt_assert(svm_prot_all(fd, base + after, size - after, SVM_RW));
	igt_assert_eq_u32(svm_leaf(fd, svm_page(base, HOLE - 1)), page);
	igt_assert_lt_u32(page, svm_leaf(fd, base));
	igt_assert(svm_cpu_all32(base, HOLE * page, MAGIC));
	svm_gpu_fill(fd, base + after, size - after, MAGIC + 1);
	igt_assert(svm_cpu_all32(base + after, size - after, MAGIC + 1));
}

static void leaf_split_munmap(int fd)
{
	char *base = small_entries(fd);

	igt_assert(!munmap(svm_page(base, HOLE), svm_page_size()));
	check_leaf_split(fd, base);
}

static void leaf_split_mprotect(int fd)
{
	char *base = small_entries(fd);

	igt_assert(!mprotect(svm_page(base, HOLE), svm_page_size(), PROT_NONE));
	check_leaf_split(fd, base);
}

static void leaf_split_dontneed(int fd)
{
	char *base = small_entries(fd);

	igt_assert(!madvise(svm_page(base, HOLE), svm_page_size(), MADV_DONTNEED));
	check_leaf_split(fd, base);
}

/*
 * One leaf of a whole range over small entries of the CPU: read while the pages
 * were shared with a child, so all are mapped read-only, then all made writable
 * by the fault for one write.
 */
static void leaf_split_range(int fd)
{
	char *base = svm_mmap_thp(svm_range_size());
	size_t page = svm_page_size(), after = (HOLE + 1) * page;
	int done = svm_gate();

	igt_assert(!mprotect(base, page, PROT_READ));
	igt_assert(!mprotect(base, page, PROT_READ | PROT_WRITE));
	igt_fork(child, 1)
		svm_gate_wait(done);
	svm_gpu_touch(fd, base, svm_range_size(), page, false);
	svm_gate_open(done);
	igt_waitchildren();
	igt_require(!madvise(base, svm_range_size(), MADV_POPULATE_WRITE));
	svm_gpu_fill(fd, base, svm_range_size(), MAGIC);
	igt_require_f(svm_leaf(fd, base) == svm_range_size(), "leaf of %u bytes\n",
		      svm_leaf(fd, base));
	igt_require(!svm_smaps_kb(base, "AnonHugePages"));

	igt_assert(!madvise(svm_page(base, HOLE), page, MADV_DONTNEED));
	igt_assert_eq_u32(svm_query_page(fd, svm_page(base, HOLE)), 0);
	igt_assert(svm_prot_all(fd, base, HOLE * page, SVM_RW));
	igt_assert(svm_prot_all(fd, base + after, svm_range_size() - after, SVM_RW));
	check_rest(fd, base, MAGIC);
}

/* Single pages lose their mapping, one after the other */
static void leaf_split_many(int fd)
{
	char *base = small_entries(fd);
	size_t i, n = svm_range_size() / svm_page_size() - 1;

	for (i = 1; i < n; i += 8)
		igt_assert(!madvise(svm_page(base, i), svm_page_size(), MADV_DONTNEED));
	for (i = 0; i < n; i++)
		igt_assert_eq_u32(svm_prot(fd, svm_page(base, i)), i % 8 == 1 ? 0 : SVM_RW);
	for (i = 0; i < 32; i++)
		igt_assert_eq_u32(svm_gpu_read32(fd, svm_page(base, i)),
				  i % 8 == 1 ? 0 : MAGIC);
}

static void split_and_collapse(int fd)
{
	char *base = gpu_huge(fd, 1);

	igt_assert(!madvise(svm_page(base, HOLE), svm_page_size(), MADV_DONTNEED));
	check_rest(fd, base, MAGIC);
	svm_gpu_fill(fd, base, svm_range_size(), 3);
	svm_lru_drain();
	igt_require(!madvise(base, svm_range_size(), MADV_COLLAPSE));
	svm_gpu_fill(fd, base, svm_range_size() / 2, 4);
	igt_assert(svm_cpu_all32(base, svm_range_size() / 2, 4));
	igt_assert(svm_cpu_all32(base + svm_range_size() / 2, svm_range_size() / 2, 3));
}

static void swap_out(int fd)
{
	char *base;

	svm_need_swap();
	base = gpu_huge(fd, 2);
	svm_swap_out(base, 2 * svm_range_size());
	igt_assert(svm_prot_all(fd, base, 2 * svm_range_size(), 0));
	igt_assert_eq_u32(svm_gpu_read32(fd, base + svm_range_size()), MAGIC);
	check_rest(fd, base, MAGIC);
	igt_assert(svm_cpu_all32(base + svm_range_size(), svm_range_size(), MAGIC));
}

/* The GPU has the huge zero page, then one page is written */
static void zero_page_write(int fd)
{
	char *base = svm_mmap_aligned(svm_range_size(), svm_range_size());

	igt_require(!madvise(base, svm_range_size(), MADV_HUGEPAGE));
	svm_gpu_touch(fd, base, svm_range_size(), svm_page_size(), false);
	svm_gpu_write32(fd, svm_page(base, HOLE), MAGIC);
	igt_assert_eq_u32(*(uint32_t *)svm_page(base, HOLE), MAGIC);
	check_rest(fd, base, 0);
}

static const struct svm_case cases[] = {
	{ "leaf", "A huge page is mapped by one leaf.", thp_leaf },
	{ "leaf-first-touch", "A huge page made by the GPU's fault has one leaf.",
	  leaf_first_touch },
	{ "leaf-mthp", "A page of 64 KiB has a leaf of at least that size.", leaf_mthp },
	{ "munmap-page", "One page of a huge page goes.", munmap_page },
	{ "munmap-half", "Half of a huge page goes.", munmap_half },
	{ "mprotect-page", "One page of a huge page becomes read-only.", mprotect_page },
	{ "mprotect-whole", "A huge page becomes read-only and keeps its leaf.", mprotect_whole },
	{ "dontneed-page", "One page of a huge page is dropped.", dontneed_page },
	{ "mremap-page", "One page of a huge page moves.", remap_page },
	{ "mremap-whole", "A huge page moves.", remap_whole },
	{ "mremap-misaligned", "A huge page moves to where it lies across two ranges.",
	  remap_misaligned },
	{ "leaf-split-munmap", "munmap of a page splits the leaf, the rest stays mapped.",
	  leaf_split_munmap },
	{ "leaf-split-mprotect", "mprotect of a page splits the leaf, the rest stays mapped.",
	  leaf_split_mprotect },
	{ "leaf-split-dontneed", "MADV_DONTNEED of a page splits the leaf, the rest stays.",
	  leaf_split_dontneed },
	{ "leaf-split-range", "The same with one leaf for all of the range.", leaf_split_range },
	{ "leaf-split-many", "Every eighth page of a range goes, the others stay mapped.",
	  leaf_split_many },
	{ "split-and-collapse", "A huge page is split and made again.", split_and_collapse },
	{ "swap-out", "Huge pages go to swap and come back.", swap_out },
	{ "zero-page-write", "A write into the huge zero page makes a page of its own.",
	  zero_page_write },
};

int igt_main()
{
	svm_cases(cases);
}
