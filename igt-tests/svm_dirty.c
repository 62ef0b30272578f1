// SPDX-License-Identifier: MIT
/*
 * No write of the GPU is lost when memory goes to swap and comes back. The CPU's
 * page table does not learn of the GPU's writes: unless the driver marks the
 * pages dirty, reclaim drops those that look clean and the old data returns.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "igt.h"
#include "svm_mem.h"

IGT_TEST_DESCRIPTION("GPU writes survive swap.");

#define PAGES	32
#define OLD	0x01d00000u
#define NEW	0x2e2e0000u
#define MIB	(1024 * 1024)

static size_t area_size(void)
{
	return PAGES * svm_page_size();
}

/* An area filled by the CPU that has been in swap and is back by a CPU read:
 * writable in the CPU's page table, and clean, as swap still has the same data.
 */
static char *clean_area(void)
{
	char *base = svm_mmap_small(svm_range_size());

	svm_need_swap();
	svm_pattern(base, area_size(), OLD);
	svm_swap_out(base, area_size());
	igt_assert(svm_pattern_ok(base, area_size(), OLD));
	/* else the test would be none: the page must be one that can be dropped */
	igt_require(svm_kpageflags(base) & SVM_KPF_SWAPCACHE);
	igt_require(!(svm_kpageflags(base) & SVM_KPF_DIRTY));
	return base;
}

static void check_after_swap(int fd, char *base, uint32_t seed)
{
	svm_swap_out(base, area_size());
	igt_assert(svm_prot_all(fd, base, area_size(), 0));
	igt_assert(svm_pattern_ok(base, area_size(), seed));
}

/* The GPU's fault allocates the pages */
static void first_touch(int fd)
{
	char *base = svm_mmap_small(svm_range_size());

	svm_need_swap();
	svm_gpu_pattern(fd, base, area_size(), NEW);
	check_after_swap(fd, base, NEW);
}

static void first_touch_gpu_reads_back(int fd)
{
	char *base = svm_mmap_small(svm_range_size());

	svm_need_swap();
	svm_gpu_pattern(fd, base, area_size(), NEW);
	svm_swap_out(base, area_size());
	igt_assert(svm_gpu_pattern_ok(fd, base, area_size(), NEW));
}

static void after_cpu_write(int fd)
{
	char *base = svm_mmap_small(svm_range_size());

	svm_need_swap();
	svm_pattern(base, area_size(), OLD);
	svm_gpu_pattern(fd, base, area_size(), NEW);
	check_after_swap(fd, base, NEW);
}

/* The zero page first, then a write */
static void after_gpu_read(int fd)
{
	char *base = svm_mmap_small(svm_range_size());

	svm_need_swap();
	svm_gpu_touch(fd, base, area_size(), svm_page_size(), false);
	svm_gpu_pattern(fd, base, area_size(), NEW);
	check_after_swap(fd, base, NEW);
}

/*
 * No fault of the CPU is needed for the GPU's write, as the page is writable;
 * a driver that relies on the fault to mark the page dirty loses the data.
 */
static void clean_write(int fd)
{
	char *base = clean_area();

	svm_gpu_pattern(fd, base, area_size(), NEW);
	check_after_swap(fd, base, NEW);
}

/* The write does not even fault for the GPU, as the read has mapped it writable */
static void clean_read_write(int fd)
{
	char *base = clean_area();

	svm_gpu_touch(fd, base, area_size(), svm_page_size(), false);
	igt_info("after a read: 0x%x\n", svm_query_page(fd, base));
	svm_gpu_pattern(fd, base, area_size(), NEW);
	check_after_swap(fd, base, NEW);
}

/* One word of each page, by an atomic operation */
static void clean_atomic(int fd)
{
	char *base = clean_area();
	uint32_t *word = svm_page(base, 3);
	uint32_t old = *word;

	svm_gpu_add(fd, word, 5, 3, false);
	svm_swap_out(base, area_size());
	igt_assert_eq_u32(*word, old + 15);
}

static void clean_many_times(int fd)
{
	char *base = clean_area();
	uint32_t i;

	for (i = 1; i <= 4; i++) {
		svm_gpu_pattern(fd, base, area_size(), NEW + i);
		check_after_swap(fd, base, NEW + i);
	}
}

/* Swapped in by the GPU's read, written by the GPU later */
static void swapped_in_by_gpu(int fd)
{
	char *base = svm_mmap_small(svm_range_size());

	svm_need_swap();
	svm_pattern(base, area_size(), OLD);
	svm_swap_out(base, area_size());
	svm_gpu_touch(fd, base, area_size(), svm_page_size(), false);
	svm_gpu_pattern(fd, base, area_size(), NEW);
	check_after_swap(fd, base, NEW);
}

/* The file of the device is gone when the page is reclaimed */
static void device_closed(int fd)
{
	char *base = clean_area();
	int own = svm_open_attached();

	svm_gpu_pattern(own, base, area_size(), NEW);
	close(own);
	svm_swap_out(base, area_size());
	igt_assert(svm_pattern_ok(base, area_size(), NEW));
}

static void unmapped_by_mprotect(int fd)
{
	char *base = clean_area();

	svm_gpu_pattern(fd, base, area_size(), NEW);
	igt_assert(!mprotect(base, svm_range_size(), PROT_READ));
	check_after_swap(fd, base, NEW);
}

/* The data moves with the page, and so must the fact that it is dirty */
static void moved_by_mremap(int fd)
{
	char *base = clean_area(), *target = svm_mmap_small(svm_range_size());

	svm_gpu_pattern(fd, base, area_size(), NEW);
	igt_assert(mremap(base, area_size(), area_size(), MREMAP_MAYMOVE | MREMAP_FIXED,
			  target) == target);
	check_after_swap(fd, target, NEW);
}

static void dirty_forked(int fd)
{
	char *base = clean_area();

	svm_gpu_pattern(fd, base, area_size(), NEW);
	igt_fork(child, 1)
		igt_assert(svm_pattern_ok(base, area_size(), NEW));
	igt_waitchildren();
	check_after_swap(fd, base, NEW);
}

/* swapoff brings the pages back; later they go out to swap anew */
static void swap_turned_off(int fd)
{
	char *base = clean_area();

	svm_gpu_pattern(fd, base, area_size(), NEW);
	svm_swap_out(base, area_size());
	svm_swap_off();
	svm_swap_on();
	igt_assert(svm_gpu_pattern_ok(fd, base, area_size(), NEW));
	svm_gpu_pattern(fd, base, area_size(), NEW + 1);
	check_after_swap(fd, base, NEW + 1);
}

static void private_file(int fd)
{
	int file = svm_tmpfile(svm_scratch_dir(), area_size());
	char *base = svm_mmap_fd(file, area_size(), MAP_PRIVATE);
	uint32_t word = 1;

	svm_need_swap();
	svm_gpu_pattern(fd, base, area_size(), NEW);
	check_after_swap(fd, base, NEW);
	igt_assert(pread(file, &word, sizeof(word), 0) == sizeof(word));
	igt_assert_eq_u32(word, 0);
	close(file);
}

static bool gone(const void *addr, size_t size)
{
	return svm_smaps_kb(addr, "Rss") == 0;
}

/* Reclaims what may be reclaimed; lazily freed pages have no other sign of it */
static void reclaim(char *base)
{
	if (!svm_try_pageout(base, area_size(), gone))
		igt_info("%u KiB stay\n", (unsigned int)svm_smaps_kb(base, "Rss"));
}

static void free_write(int fd)
{
	char *base = svm_mmap_small(svm_range_size());

	svm_need_swap();
	svm_pattern(base, area_size(), OLD);
	igt_assert(!madvise(base, area_size(), MADV_FREE));
	svm_gpu_pattern(fd, base, area_size(), NEW);
	reclaim(base);
	igt_assert(svm_pattern_ok(base, area_size(), NEW));
}

/* A lazily freed page is writable and clean: see clean-read-write */
static void free_read_write(int fd)
{
	char *base = svm_mmap_small(svm_range_size());

	svm_need_swap();
	svm_pattern(base, area_size(), OLD);
	igt_assert(!madvise(base, area_size(), MADV_FREE));
	svm_gpu_touch(fd, base, area_size(), svm_page_size(), false);
	svm_gpu_pattern(fd, base, area_size(), NEW);
	reclaim(base);
	igt_assert(svm_pattern_ok(base, area_size(), NEW));
}

/* Freed after the write: then it may be lost, but page by page, old or zero */
static void write_free(int fd)
{
	char *base = svm_mmap_small(svm_range_size());
	size_t i;

	svm_need_swap();
	svm_gpu_fill(fd, base, area_size(), NEW);
	igt_assert(!madvise(base, area_size(), MADV_FREE));
	reclaim(base);
	for (i = 0; i < PAGES; i++) {
		uint32_t word = svm_gpu_read32(fd, svm_page(base, i));

		igt_assert(word == NEW || word == 0);
		igt_assert(svm_cpu_all32(svm_page(base, i), svm_page_size(), word));
	}
}

static void dirty_locked(int fd)
{
	char *base = clean_area();

	igt_assert(!mlock(base, area_size()));
	svm_gpu_pattern(fd, base, area_size(), NEW);
	madvise(base, area_size(), MADV_PAGEOUT);
	igt_assert(!svm_swapped(base, svm_page_size()));
	igt_assert(!munlock(base, area_size()));
	check_after_swap(fd, base, NEW);
}

/* Shared memory: what is in swap is not in the page table, but in smaps */

static bool shm_swapped(const void *addr, size_t size)
{
	return svm_smaps_kb(addr, "Swap") >= size / 1024;
}

static void shm_swap_out(char *base)
{
	igt_assert_f(svm_try_pageout(base, area_size(), shm_swapped), "cannot swap out\n");
}

static char *shm_area(void)
{
	svm_need_swap();
	return svm_mmap_fd(svm_memfd(area_size()), area_size(), MAP_SHARED);
}

static void shm_first_touch(int fd)
{
	char *base = shm_area();

	svm_gpu_pattern(fd, base, area_size(), NEW);
	shm_swap_out(base);
	igt_assert(svm_pattern_ok(base, area_size(), NEW));
}

/* The CPU's read has put a page into the hole: clean, but writable, as shared
 * memory has no write notification. Reclaim drops it if the GPU's write is missed.
 */
static void shm_hole_read_write(int fd)
{
	char *base = shm_area();

	igt_assert(svm_cpu_all32(base, area_size(), 0));
	svm_gpu_pattern(fd, base, area_size(), NEW);
	shm_swap_out(base);
	igt_assert(svm_pattern_ok(base, area_size(), NEW));
}

static void shm_clean_write(int fd)
{
	char *base = shm_area();

	svm_pattern(base, area_size(), OLD);
	shm_swap_out(base);
	igt_assert(svm_pattern_ok(base, area_size(), OLD));
	svm_gpu_pattern(fd, base, area_size(), NEW);
	shm_swap_out(base);
	igt_assert(svm_pattern_ok(base, area_size(), NEW));
}

static void shm_read_write(int fd)
{
	char *base = shm_area();

	svm_gpu_touch(fd, base, area_size(), svm_page_size(), false);
	svm_gpu_pattern(fd, base, area_size(), NEW);
	shm_swap_out(base);
	igt_assert(svm_gpu_pattern_ok(fd, base, area_size(), NEW));
}

/* The mapping is gone when the page goes to swap */
static void shm_unmapped(int fd)
{
	int file;
	char *base, *twin;

	svm_need_swap();
	file = svm_memfd(area_size());
	base = svm_mmap_fd(file, area_size(), MAP_SHARED);
	igt_assert(svm_cpu_all32(base, area_size(), 0));
	svm_gpu_pattern(fd, base, area_size(), NEW);
	igt_assert(!munmap(base, area_size()));
	twin = svm_mmap_fd(file, area_size(), MAP_SHARED);
	igt_assert(svm_pattern_ok(twin, area_size(), NEW));
	shm_swap_out(twin);
	igt_assert(svm_pattern_ok(twin, area_size(), NEW));
	close(file);
}

/* Pressure from a memory cgroup instead of advice */

static void check_chunks(int fd, char *base, size_t size, size_t chunk)
{
	size_t at;

	for (at = 0; at < size; at += chunk)
		igt_assert(svm_pattern_ok(base + at, chunk, NEW + at));
}

static void cgroup_fill(int fd, char *base, size_t size, size_t chunk)
{
	size_t at;

	for (at = 0; at < size; at += chunk)
		svm_gpu_pattern(fd, base + at, chunk, NEW + at);
}

static void cgroup_reclaim(int fd)
{
	const size_t size = 8 * MIB, chunk = MIB / 2;
	char *base;

	svm_need_swap();
	svm_cgroup_enter();
	base = svm_mmap_small(size);
	cgroup_fill(fd, base, size, chunk);
	svm_lru_drain();
	/* an error only says that less could be had */
	svm_cgroup_set("memory.reclaim", "6M");
	igt_assert_lte_u64(2048, svm_smaps_kb(base, "Swap"));
	check_chunks(fd, base, size, chunk);
	munmap(base, size);
	svm_cgroup_leave();
}

/* The GPU works in twice the memory that the group may have */
static void cgroup_high(int fd)
{
	const size_t size = 8 * MIB, chunk = MIB / 2;
	char *base;
	int i;

	svm_need_swap();
	svm_cgroup_enter();
	base = svm_mmap_small(size);
	igt_require(svm_cgroup_set("memory.high", "4M"));
	for (i = 0; i < 2; i++)
		cgroup_fill(fd, base, size, chunk);
	svm_cgroup_set("memory.reclaim", "4M");
	igt_assert_lt_u64(0, svm_smaps_kb(base, "Swap"));
	igt_assert(svm_cgroup_set("memory.high", "max"));
	check_chunks(fd, base, size, chunk);
	munmap(base, size);
	svm_cgroup_leave();
}

static const struct svm_case cases[] = {
	{ "first-touch", "Pages that the GPU made survive swap.", first_touch },
	{ "first-touch-gpu-reads", "The GPU reads back from swap what it wrote.",
	  first_touch_gpu_reads_back },
	{ "after-cpu-write", "The GPU's data replaces the CPU's.", after_cpu_write },
	{ "after-gpu-read", "The GPU's data replaces the zero page.", after_gpu_read },
	{ "clean-write", "A page swapped in by a CPU read, then written by the GPU.",
	  clean_write },
	{ "clean-read-write", "The same, mapped for the GPU by a read.", clean_read_write },
	{ "clean-atomic", "The same, written by an atomic operation.", clean_atomic },
	{ "clean-many-times", "The same, out and in several times.", clean_many_times },
	{ "swapped-in-by-gpu", "A page swapped in by a GPU read, then written.",
	  swapped_in_by_gpu },
	{ "device-closed", "The device file is closed before reclaim.", device_closed },
	{ "mprotect", "Write access is gone before reclaim.", unmapped_by_mprotect },
	{ "mremap", "The page is moved before reclaim.", moved_by_mremap },
	{ "fork", "The page is shared with a child before reclaim.", dirty_forked },
	{ "swapoff", "Swap is turned off and on.", swap_turned_off },
	{ "private-file", "Private copies of pages of a file survive swap.", private_file },
	{ "free-write", "A lazily freed page that the GPU wrote is kept.", free_write },
	{ "free-read-write", "The same, mapped for the GPU by a read.", free_read_write },
	{ "write-free", "A page freed after the write has its data or zeroes.", write_free },
	{ "locked", "Locked pages stay, and go to swap when unlocked.", dirty_locked },
	{ "shm-first-touch", "Shared pages that the GPU made survive swap.", shm_first_touch },
	{ "shm-hole-read-write", "A hole read by the CPU, then written by the GPU.",
	  shm_hole_read_write },
	{ "shm-clean-write", "A shared page swapped in by a CPU read, then written.",
	  shm_clean_write },
	{ "shm-read-write", "A hole read, then written, by the GPU.", shm_read_write },
	{ "shm-unmapped", "The mapping is gone before reclaim.", shm_unmapped },
	{ "cgroup-reclaim", "Reclaim of a memory cgroup.", cgroup_reclaim },
	{ "cgroup-high", "The GPU works in more memory than its cgroup may have.", cgroup_high },
};

int igt_main()
{
	svm_cases(cases);
}
