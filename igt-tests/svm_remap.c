// SPDX-License-Identifier: MIT
/*
 * munmap, mremap, mprotect and new mappings at old addresses, under memory that
 * the GPU has mapped. What a wrong driver shows here: translations that outlive
 * the mapping (stale page tables or TLBs), and neighbours unmapped for nothing.
 */

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#include "igt.h"
#include "svm_mem.h"

IGT_TEST_DESCRIPTION("The CPU remaps memory that the GPU has mapped.");

#define PAGES		64
#define MAGIC		0x3a3a0000u
#define REUSE_LOOPS	64

/*
 * Written by the GPU, so mapped for it, page by page and writable.
 *
 * The mapping is smaller than a range. Where one covers a whole aligned 2 MiB,
 * Linux invalidates all of that when it splits the mapping, in case there is a
 * huge page; no driver could keep the neighbours then.
 */
static char *gpu_area(int fd, uint32_t seed)
{
	size_t size = PAGES * svm_page_size();
	char *base = svm_mmap_small(svm_range_size());
	void *source = svm_mmap_anon(size);

	igt_assert(!munmap(base + size, svm_range_size() - size));
	svm_pattern(source, size, seed);
	svm_gpu_copy(fd, base, source, size);
	munmap(source, size);
	igt_assert(svm_prot_all(fd, base, size, SVM_RW));
	return base;
}

static size_t area_size(void)
{
	return PAGES * svm_page_size();
}

/* Word 0 of page @n in an area made with @seed */
static uint32_t word_of_page(uint32_t seed, size_t n)
{
	uint32_t words[2];

	svm_pattern(words, sizeof(words), 0);
	return seed + (uint32_t)(n * svm_page_size() / sizeof(uint32_t)) * words[1];
}

/* Nothing of pages [@first, @first + @n) is mapped; the others still are, with data. */
static void check_others(int fd, char *base, size_t first, size_t n, uint32_t prot)
{
	size_t i;

	for (i = 0; i < PAGES; i++) {
		bool out = i >= first && i < first + n;

		igt_assert_f(svm_prot(fd, svm_page(base, i)) == (out ? 0 : prot),
			     "page %zu: state 0x%x\n", i,
			     svm_query_page(fd, svm_page(base, i)));
	}
	for (i = 0; i < PAGES; i++)
		if (i < first || i >= first + n)
			igt_assert_eq_u32(svm_gpu_read32(fd, svm_page(base, i)),
					  word_of_page(MAGIC, i));
}

static void munmap_part(int fd, size_t first, size_t n)
{
	char *base = gpu_area(fd, MAGIC);

	igt_assert(!munmap(svm_page(base, first), n * svm_page_size()));
	check_others(fd, base, first, n, SVM_RW);
	igt_assert_eq(__svm_gpu_write32(fd, svm_page(base, first), 0), -ENOENT);
	igt_assert_eq(__svm_gpu_write32(fd, svm_page(base, first + n - 1), 0), -ENOENT);
}

static void munmap_whole(int fd)
{
	munmap_part(fd, 0, PAGES);
}

static void munmap_head(int fd)
{
	munmap_part(fd, 0, 5);
}

static void munmap_tail(int fd)
{
	munmap_part(fd, PAGES - 5, 5);
}

static void munmap_middle(int fd)
{
	munmap_part(fd, 20, 9);
}

static void munmap_page(int fd)
{
	munmap_part(fd, 33, 1);
}

/* The interval reaches over three ranges */
static void munmap_over_ranges(int fd)
{
	size_t range = svm_range_size(), page = svm_page_size();
	char *base = svm_mmap_small(3 * range);
	size_t at;

	for (at = 0; at < 3 * range; at += range / 2)
		svm_gpu_write32(fd, base + at, MAGIC + at);
	svm_gpu_write32(fd, base + 3 * range - page, MAGIC);
	igt_assert(!munmap(base + page, 3 * range - 2 * page));
	igt_assert_eq_u32(svm_gpu_read32(fd, base), MAGIC);
	igt_assert_eq_u32(svm_gpu_read32(fd, base + 3 * range - page), MAGIC);
	for (at = range / 2; at < 3 * range; at += range / 2)
		igt_assert_eq(__svm_gpu_write32(fd, base + at, 0), -ENOENT);
}

static void mprotect_read_only(int fd)
{
	char *base = gpu_area(fd, MAGIC);

	igt_assert(!mprotect(base, area_size(), PROT_READ));
	igt_assert(!(svm_prot(fd, base) & DRM_SVM_PAGE_WRITE));
	igt_assert_eq(__svm_gpu_write32(fd, base, 0), -EACCES);
	igt_assert(svm_gpu_pattern_ok(fd, base, area_size(), MAGIC));
	igt_assert(svm_pattern_ok(base, area_size(), MAGIC));
	igt_assert(svm_prot_all(fd, base, area_size(), SVM_RO));
}

static void mprotect_none(int fd)
{
	char *base = gpu_area(fd, MAGIC);

	igt_assert(!mprotect(base, area_size(), PROT_NONE));
	igt_assert(svm_prot_all(fd, base, area_size(), 0));
	igt_assert_eq(__svm_gpu_touch(fd, base, 4, 4, false), -EACCES);
}

static void mprotect_read_write(int fd)
{
	char *base = gpu_area(fd, MAGIC);

	igt_assert(!mprotect(base, area_size(), PROT_READ));
	igt_assert_eq(__svm_gpu_write32(fd, base, 0), -EACCES);
	igt_assert_eq_u32(svm_gpu_read32(fd, base), MAGIC);
	igt_assert(!mprotect(base, area_size(), PROT_READ | PROT_WRITE));
	svm_gpu_fill(fd, base, area_size(), MAGIC);
	igt_assert(svm_cpu_all32(base, area_size(), MAGIC));
}

static void mprotect_part(int fd)
{
	char *base = gpu_area(fd, MAGIC);

	igt_assert(!mprotect(svm_page(base, 20), 3 * svm_page_size(), PROT_NONE));
	check_others(fd, base, 20, 3, SVM_RW);
	igt_assert_eq(__svm_gpu_write32(fd, svm_page(base, 21), 0), -EACCES);
}

static void move_to(int fd, char *target)
{
	size_t size = area_size();
	char *base = gpu_area(fd, MAGIC);

	igt_assert(mremap(base, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, target) == target);
	igt_assert(svm_prot_all(fd, base, size, 0));
	igt_assert_eq(__svm_gpu_write32(fd, base, 0), -ENOENT);
	igt_assert(svm_gpu_pattern_ok(fd, target, size, MAGIC));
	svm_gpu_fill(fd, target, size, 7);
	igt_assert(svm_cpu_all32(target, size, 7));
}

static void mremap_move(int fd)
{
	move_to(fd, svm_mmap_small(svm_range_size()));
}

/* What the GPU had mapped at the target must be gone, too */
static void mremap_onto_mapped(int fd)
{
	move_to(fd, gpu_area(fd, ~MAGIC));
}

static void mremap_within_range(int fd)
{
	char *base = gpu_area(fd, MAGIC);
	size_t size = area_size() / 2;
	char *target = base + svm_range_size() / 2;

	igt_assert(mremap(base, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, target) == target);
	igt_assert_eq(__svm_gpu_write32(fd, base, 0), -ENOENT);
	igt_assert(svm_gpu_pattern_ok(fd, target, size, MAGIC));
	igt_assert_eq_u32(svm_gpu_read32(fd, base + size), word_of_page(MAGIC, PAGES / 2));
}

static void mremap_grow(int fd)
{
	size_t size = area_size();
	char *base = gpu_area(fd, MAGIC);

	igt_assert_eq(__svm_gpu_write32(fd, base + size, 0), -ENOENT);
	igt_assert(mremap(base, size, 2 * size, 0) == base);
	igt_assert(svm_prot_all(fd, base, size, SVM_RW));
	svm_gpu_fill(fd, base + size, size, MAGIC);
	igt_assert(svm_cpu_all32(base + size, size, MAGIC));
	igt_assert(svm_pattern_ok(base, size, MAGIC));
}

static void mremap_shrink(int fd)
{
	size_t size = area_size();
	char *base = gpu_area(fd, MAGIC);

	igt_assert(mremap(base, size, size / 2, 0) == base);
	check_others(fd, base, PAGES / 2, PAGES / 2, SVM_RW);
	igt_assert_eq(__svm_gpu_write32(fd, base + size / 2, 0), -ENOENT);
}

static void mremap_dontunmap(int fd)
{
	size_t size = area_size();
	char *base = gpu_area(fd, MAGIC);
	char *moved = mremap(base, size, size, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);

	igt_require_f(moved != MAP_FAILED, "no MREMAP_DONTUNMAP\n");
	igt_assert(svm_prot_all(fd, base, size, 0));
	igt_assert(svm_gpu_pattern_ok(fd, moved, size, MAGIC));
	igt_assert_eq_u32(svm_gpu_read32(fd, base), 0);
	svm_gpu_fill(fd, base, size, 9);
	igt_assert(svm_pattern_ok(moved, size, MAGIC));
}

/* An old size of zero makes a second mapping of shared memory */
static void mremap_duplicate(int fd)
{
	size_t size = area_size();
	char *base = svm_mmap_fd(svm_memfd(size), size, MAP_SHARED);
	char *twin;

	svm_gpu_fill(fd, base, size, MAGIC);
	twin = mremap(base, 0, size, MREMAP_MAYMOVE);
	igt_assert(twin != MAP_FAILED);
	svm_gpu_write32(fd, twin, 1);
	igt_assert_eq_u32(svm_gpu_read32(fd, base), 1);
	igt_assert(!munmap(base, size));
	igt_assert_eq_u32(svm_gpu_read32(fd, svm_page(twin, 1)), MAGIC);
}

static void map_fixed_over(int fd)
{
	char *base = gpu_area(fd, MAGIC);

	svm_mmap_fixed(svm_page(base, 10), 4 * svm_page_size(), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1);
	check_others(fd, base, 10, 4, SVM_RW);
	igt_assert_eq_u32(svm_gpu_read32(fd, svm_page(base, 11)), 0);
}

static void brk_shrink(int fd)
{
	size_t page = svm_page_size();
	char *brk = sbrk(0), *base;

	igt_assert(sbrk(page - (uintptr_t)brk % page + 4 * page) != (void *)-1);
	base = (char *)sbrk(0) - 4 * page;
	svm_gpu_fill(fd, base, 4 * page, MAGIC);
	igt_assert(sbrk(-(intptr_t)(2 * page)) != (void *)-1);
	igt_assert_eq(__svm_gpu_write32(fd, base + 2 * page, 0), -ENOENT);
	igt_assert_eq_u32(svm_gpu_read32(fd, base + page), MAGIC);
}

static void shm_detach(int fd)
{
	int id = shmget(IPC_PRIVATE, svm_page_size(), IPC_CREAT | 0600);
	void *addr;

	igt_require(id >= 0);
	addr = shmat(id, NULL, 0);
	shmctl(id, IPC_RMID, NULL);
	igt_assert(addr != (void *)-1);
	svm_gpu_write32(fd, addr, MAGIC);
	igt_assert(!shmdt(addr));
	igt_assert_eq(__svm_gpu_write32(fd, addr, 0), -ENOENT);
}

/* The first word, as read through the TLB of each engine */
static void check_each_engine(int fd, const void *addr, uint32_t want)
{
	static uint64_t sum __attribute__((aligned(8)));
	struct drm_svm_test_cmd cmd = {
		.op = DRM_SVM_TEST_OP_COMPARE,
		.dst = (uintptr_t)addr,
		.src = (uintptr_t)&want,
		.size = sizeof(want),
		.result = (uintptr_t)&sum,
	};

	sum = 0;
	svm_run_each_engine(fd, &cmd);
	igt_assert_f(READ_ONCE(sum) == sizeof(want), "stale translation\n");
}

static void *new_anon(void *addr, size_t size, int file)
{
	return svm_mmap_fixed(addr, size, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static void *new_shared(void *addr, size_t size, int file)
{
	return svm_mmap_fixed(addr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file);
}

/*
 * New memory at the same address, again and again. The engines have used the
 * old translation just before, so each TLB holds it.
 */
static void reuse(int fd, bool unmap_first,
		  void *(*map)(void *addr, size_t size, int file))
{
	size_t size = 2 * svm_page_size();
	char *base = svm_mmap_small(svm_range_size());
	uint32_t i;

	for (i = 0; i < REUSE_LOOPS; i++) {
		int file = svm_memfd(size);
		uint32_t *addr;

		if (unmap_first)
			igt_assert(!munmap(base, size));
		addr = map(base, size, file);
		addr[0] = MAGIC + i;
		check_each_engine(fd, addr, MAGIC + i);
		svm_gpu_write32(fd, addr, ~i);
		igt_assert_eq_u32(addr[0], ~i);
		close(file);
	}
}

static void reuse_munmap(int fd)
{
	reuse(fd, true, new_anon);
}

static void reuse_map_fixed(int fd)
{
	reuse(fd, false, new_anon);
}

static void reuse_shared(int fd)
{
	reuse(fd, true, new_shared);
}

/* A new kind of memory behind the address each time, same page-table slot */
static void reuse_other_kind(int fd)
{
	size_t size = svm_page_size();
	char *base = svm_mmap_small(svm_range_size());
	int disk = svm_tmpfile(svm_scratch_dir(), size), shm = svm_memfd(size);
	int i;

	for (i = 0; i < 24; i++) {
		uint32_t *addr = (uint32_t *)base;

		if (i % 3 == 0)
			new_anon(addr, size, -1);
		else
			new_shared(addr, size, i % 3 == 1 ? disk : shm);
		svm_gpu_write32(fd, addr, MAGIC + i);
		igt_assert_eq_u32(addr[0], MAGIC + i);
		check_each_engine(fd, addr, MAGIC + i);
	}
	close(disk);
	close(shm);
}

/* Two pages exchange their places: what was cached for one is the other now */
static void swap_places(int fd)
{
	size_t page = svm_page_size();
	char *base = gpu_area(fd, MAGIC), *spare = svm_mmap_small(svm_range_size());
	const int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
	uint32_t word[2];
	int i;

	for (i = 0; i < 2; i++)
		word[i] = *(uint32_t *)svm_page(base, i);
	for (i = 0; i < 32; i++) {
		igt_assert(mremap(base, page, page, flags, spare) == spare);
		igt_assert(mremap(base + page, page, page, flags, base) == base);
		igt_assert(mremap(spare, page, page, flags, base + page) == base + page);
		check_each_engine(fd, base, word[!(i & 1)]);
		check_each_engine(fd, base + page, word[i & 1]);
	}
}

static const struct svm_case cases[] = {
	{ "munmap-whole", "All pages go; the address has no mapping.", munmap_whole },
	{ "munmap-head", "The first pages go, the others stay mapped.", munmap_head },
	{ "munmap-tail", "The last pages go, the others stay mapped.", munmap_tail },
	{ "munmap-middle", "Pages in the middle go, the others stay mapped.", munmap_middle },
	{ "munmap-page", "One page goes, the others stay mapped.", munmap_page },
	{ "munmap-over-ranges", "One munmap takes parts of several ranges.",
	  munmap_over_ranges },
	{ "mprotect-read-only", "After RW to RO the GPU reads, and cannot write.",
	  mprotect_read_only },
	{ "mprotect-none", "After PROT_NONE the GPU reaches nothing.", mprotect_none },
	{ "mprotect-read-write", "After RO to RW the GPU can write.", mprotect_read_write },
	{ "mprotect-part", "Only the pages whose access changed are unmapped.",
	  mprotect_part },
	{ "mremap-move", "Moved pages are found at the new address only.", mremap_move },
	{ "mremap-onto-mapped", "Moved pages replace what the GPU had mapped there.",
	  mremap_onto_mapped },
	{ "mremap-within-range", "Pages move inside of one range.", mremap_within_range },
	{ "mremap-grow", "New pages can be used, old ones stay mapped.", mremap_grow },
	{ "mremap-shrink", "Cut pages are gone, the others stay mapped.", mremap_shrink },
	{ "mremap-dontunmap", "The old address reads as zeroes, the new one has the data.",
	  mremap_dontunmap },
	{ "mremap-duplicate", "Two mappings of one page are coherent.", mremap_duplicate },
	{ "map-fixed-over", "A mapping over a part replaces that part.", map_fixed_over },
	{ "brk-shrink", "Memory given back by brk is gone.", brk_shrink },
	{ "shm-detach", "A detached System V segment is gone.", shm_detach },
	{ "reuse-munmap", "munmap, mmap at the same address: no engine sees old data.",
	  reuse_munmap },
	{ "reuse-map-fixed", "mmap over the old mapping: no engine sees old data.",
	  reuse_map_fixed },
	{ "reuse-shared", "The same with shared memory.", reuse_shared },
	{ "reuse-other-kind", "The kind of memory at an address changes each time.",
	  reuse_other_kind },
	{ "swap-places", "Two pages exchange their places.", swap_places },
};

int igt_main()
{
	svm_cases(cases);
}
