// SPDX-License-Identifier: MIT
/*
 * A read of the GPU stays a read: it allocates no page, breaks no copy on write,
 * dirties nothing. A driver that asks for write access on each fault passes all
 * tests of data, and fails these.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "igt.h"
#include "svm_mem.h"

IGT_TEST_DESCRIPTION("GPU reads change nothing.");

#define PAGES	32
#define OLD	0x01d01d01u

static size_t area_size(void)
{
	return PAGES * svm_page_size();
}

static void gpu_read(int fd, const char *base, size_t size)
{
	svm_gpu_touch(fd, base, size, svm_page_size(), false);
}

static uint64_t faults(int fd)
{
	struct client_counts c;

	svm_counters(fd, &c);
	return client_count(&c, FAULTS);
}

static void check_untouched(int fd, const char *base, size_t size)
{
	igt_assert(svm_kpageflags(base) & SVM_KPF_ZERO_PAGE);
	igt_assert(svm_kpageflags(base + size - 1) & SVM_KPF_ZERO_PAGE);
	igt_assert_eq_u64(svm_smaps_kb(base, "Rss"), 0);
	igt_assert_eq_u64(svm_smaps_kb(base, "Anonymous"), 0);
	igt_assert_eq_u64(svm_smaps_kb(base, "AnonHugePages"), 0);
	igt_assert(svm_prot_all(fd, base, size, SVM_RO));
}

static void read_untouched(int fd)
{
	char *base = svm_mmap_small(svm_range_size());

	igt_assert_eq_u32(svm_gpu_read32(fd, base), 0);
	igt_assert(svm_kpageflags(base) & SVM_KPF_ZERO_PAGE);
	igt_assert_eq_u64(svm_smaps_kb(base, "Rss"), 0);
	igt_assert_eq_u32(svm_prot(fd, base), SVM_RO);
}

static void untouched_range(int fd)
{
	char *base = svm_mmap_small(svm_range_size());

	gpu_read(fd, base, svm_range_size());
	check_untouched(fd, base, svm_range_size());
}

static void untouched_huge(int fd)
{
	char *base = svm_mmap_aligned(svm_range_size(), svm_range_size());

	igt_require(!madvise(base, svm_range_size(), MADV_HUGEPAGE));
	gpu_read(fd, base, svm_range_size());
	check_untouched(fd, base, svm_range_size());
}

/* One page is read; of the others none may be allocated for it */
static void untouched_neighbours(int fd)
{
	char *base = svm_mmap_small(svm_range_size());

	svm_gpu_write32(fd, svm_page(base, 8), 1);
	igt_assert_eq_u64(svm_smaps_kb(base, "Anonymous"), svm_page_size() / 1024);
	gpu_read(fd, base, svm_range_size());
	igt_assert_eq_u64(svm_smaps_kb(base, "Anonymous"), svm_page_size() / 1024);
}

/* The CPU gets a page of its own; the GPU must not go on with the zero page */
static void untouched_then_cpu_write(int fd)
{
	char *base = svm_mmap_small(svm_range_size());

	gpu_read(fd, base, area_size());
	memset(base, 1, svm_page_size());
	igt_assert_eq_u32(svm_gpu_read32(fd, base), 0x01010101);
	igt_assert_eq_u32(svm_gpu_read32(fd, svm_page(base, 1)), 0);
}

static void untouched_then_gpu_write(int fd)
{
	char *base = svm_mmap_small(svm_range_size());

	gpu_read(fd, base, area_size());
	svm_gpu_write32(fd, base, OLD);
	igt_assert_eq_u32(*(uint32_t *)base, OLD);
	igt_assert_eq_u32(*(uint32_t *)svm_page(base, 1), 0);
	igt_assert_eq_u64(svm_smaps_kb(base, "Anonymous"), svm_page_size() / 1024);
}

static void touch_and_count(int fd, char *base, size_t first, size_t n, size_t present)
{
	size_t page = svm_page_size();

	svm_gpu_touch(fd, base + first * page, n * page, page, true);
	igt_assert_eq_u64(svm_smaps_kb(base, "Anonymous"), present * (page >> 10));
}

/* Half of a block does not bring the rest, a page more does. */
static void read_filled(int fd)
{
	size_t leaf = (64 << 10) / svm_page_size();
	char *base = svm_mmap_small(svm_range_size());

	igt_require(leaf >= 4);
	touch_and_count(fd, base, 0, leaf / 2 - 1, leaf / 2 - 1);
	touch_and_count(fd, base, leaf / 2 - 1, 1, leaf);
	touch_and_count(fd, base, leaf, 1, 2 * leaf);
	/* far from what is there */
	touch_and_count(fd, base, 4 * leaf, 1, 2 * leaf + 1);
	munmap(base, svm_range_size());
}

/* The source of a copy is read, the destination written */
static void copy_source(int fd)
{
	char *base = svm_mmap_small(svm_range_size()), *copy = svm_mmap_small(area_size());

	svm_gpu_copy(fd, copy, base, area_size());
	igt_assert_eq_u64(svm_smaps_kb(base, "Rss"), 0);
	igt_assert_eq_u64(svm_smaps_kb(copy, "Rss"), area_size() / 1024);
}

static void read_forked(int fd)
{
	char *base = svm_mmap_small(svm_range_size());
	int done = svm_gate();
	uint64_t before;

	memset(base, 1, area_size());
	igt_fork(child, 1)
		svm_gate_wait(done);
	before = svm_pagemap(base);
	igt_assert(!(before & SVM_PM_EXCLUSIVE));
	gpu_read(fd, base, area_size());
	igt_assert_eq_u64(svm_pagemap(base), before);
	igt_assert_eq_u64(svm_smaps_kb(base, "Shared_Dirty") +
			  svm_smaps_kb(base, "Shared_Clean"), area_size() / 1024);
	igt_assert(svm_prot_all(fd, base, area_size(), SVM_RO));
	svm_gate_open(done);
	igt_waitchildren();
}

static int zero_file(void)
{
	int file = svm_tmpfile(svm_scratch_dir(), area_size());
	char *zeroes = calloc(1, area_size());

	igt_assert(zeroes && write(file, zeroes, area_size()) == (ssize_t)area_size());
	igt_assert(!fsync(file));
	free(zeroes);
	return file;
}

static uint64_t dirty_kb(const char *base)
{
	return svm_smaps_kb(base, "Shared_Dirty") + svm_smaps_kb(base, "Private_Dirty");
}

static void check_clean(int fd, const char *base, int file, const struct stat *before)
{
	struct stat after;

	igt_assert_eq_u64(dirty_kb(base), 0);
	igt_assert(!(svm_kpageflags(base) & SVM_KPF_DIRTY));
	igt_assert(!fstat(file, &after));
	igt_assert(!memcmp(&before->st_mtim, &after.st_mtim, sizeof(after.st_mtim)));
	igt_assert(svm_prot_all(fd, base, area_size(), SVM_RO));
}

/* The CPU got its pages back, and told nobody: the first write of the GPU sees it for all. */
static void forked_then_write(int fd)
{
	size_t page = svm_page_size(), size = svm_range_size();
	char *base = svm_mmap_small(size);
	int done = svm_gate();
	uint64_t before;

	memset(base, 1, size);
	igt_fork(child, 1)
		svm_gate_wait(done);
	gpu_read(fd, base, size);
	svm_gate_open(done);
	igt_waitchildren();
	/* a page on its way to the LRU is copied, and not given back */
	svm_lru_drain();
	memset(base, 2, size);
	igt_assert(svm_prot_all(fd, base, size, SVM_RO));

	before = faults(fd);
	for (size_t at = size / 2; at < size; at += 32 * page)
		svm_gpu_write32(fd, base + at, OLD);
	svm_gpu_write32(fd, base, OLD);
	igt_assert_eq_u64(faults(fd) - before, 1);
	igt_assert_eq_u32(*(uint32_t *)base, OLD);
}

static void shared_file(int fd)
{
	int file = zero_file();
	char *base = svm_mmap_fd(file, area_size(), MAP_SHARED);
	struct stat before;

	igt_assert(!fstat(file, &before));
	usleep(30000);
	gpu_read(fd, base, area_size());
	check_clean(fd, base, file, &before);
	/* what was not seen at once would be when the mapping goes */
	igt_assert(!madvise(base, area_size(), MADV_DONTNEED));
	igt_assert_eq_u32(*(uint32_t *)base, 0);
	igt_assert(!(svm_kpageflags(base) & SVM_KPF_DIRTY));
	close(file);
}

/* Cleaned by write-back: reading it must not make it dirty again */
static void cleaned_file(int fd)
{
	int file = zero_file();
	char *base = svm_mmap_fd(file, area_size(), MAP_SHARED);
	struct stat before;

	svm_gpu_fill(fd, base, area_size(), OLD);
	igt_assert(!msync(base, area_size(), MS_SYNC));
	igt_assert(!fstat(file, &before));
	usleep(30000);
	gpu_read(fd, base, area_size());
	check_clean(fd, base, file, &before);
	*(uint32_t *)base = 1;
	igt_assert_eq_u32(svm_gpu_read32(fd, base), 1);
	close(file);
}

static void read_only_file(int fd)
{
	int file = zero_file();
	char *base = mmap(NULL, area_size(), PROT_READ, MAP_SHARED, file, 0);
	struct stat before;

	igt_assert(base != MAP_FAILED);
	igt_assert(!fstat(file, &before));
	gpu_read(fd, base, area_size());
	check_clean(fd, base, file, &before);
	close(file);
}

/* The descriptor does not even allow writes */
static void read_only_descriptor(int fd)
{
	int file = zero_file(), other;
	char path[64], *base;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	other = open(path, O_RDONLY | O_CLOEXEC);
	igt_assert_fd(other);
	base = mmap(NULL, area_size(), PROT_READ, MAP_SHARED, other, 0);
	igt_assert(base != MAP_FAILED);
	gpu_read(fd, base, area_size());
	igt_assert(svm_prot_all(fd, base, area_size(), SVM_RO));
	close(other);
	close(file);
}

static void private_file(int fd)
{
	int file = zero_file();
	char *base = svm_mmap_fd(file, area_size(), MAP_PRIVATE);

	gpu_read(fd, base, area_size());
	igt_assert(svm_pagemap(base) & SVM_PM_FILE);
	igt_assert_eq_u64(svm_smaps_kb(base, "Anonymous"), 0);
	igt_assert(svm_prot_all(fd, base, area_size(), SVM_RO));
	close(file);
}

/* The CPU's write makes the copy, and the GPU has to notice */
static void private_file_cpu_write(int fd)
{
	int file = zero_file();
	char *base = svm_mmap_fd(file, area_size(), MAP_PRIVATE);

	gpu_read(fd, base, area_size());
	*(uint32_t *)base = OLD;
	igt_assert_eq_u32(svm_gpu_read32(fd, base), OLD);
	igt_assert(!(svm_pagemap(base) & SVM_PM_FILE));
	igt_assert(svm_pagemap(svm_page(base, 1)) & SVM_PM_FILE);
	close(file);
}

static void lazily_freed(int fd)
{
	char *base = svm_mmap_small(svm_range_size());

	memset(base, 1, area_size());
	svm_lru_drain();
	igt_assert(!madvise(base, area_size(), MADV_FREE));
	svm_lru_drain();
	igt_require(svm_smaps_kb(base, "LazyFree") == area_size() / 1024);
	gpu_read(fd, base, area_size());
	igt_assert_eq_u64(svm_smaps_kb(base, "LazyFree"), area_size() / 1024);
}

/* Still equal to its copy in swap, so it can be dropped again for free */
static void swapped_in(int fd)
{
	char *base = svm_mmap_small(svm_range_size());

	svm_need_swap();
	memset(base, 1, area_size());
	svm_swap_out(base, area_size());
	igt_assert_eq_u32(svm_gpu_read32(fd, base), 0x01010101);
	igt_assert(svm_kpageflags(base) & SVM_KPF_SWAPCACHE);
	igt_assert(!(svm_kpageflags(base) & SVM_KPF_DIRTY));
}

static void soft_dirty(int fd)
{
	char *base = svm_mmap_small(svm_range_size());

	memset(base, 1, area_size());
	igt_assert(svm_sys_write("/proc/self/clear_refs", "4"));
	igt_require(!(svm_pagemap(base) & SVM_PM_SOFT_DIRTY));
	gpu_read(fd, base, area_size());
	igt_assert(!(svm_pagemap(base) & SVM_PM_SOFT_DIRTY));
}

/* The GPU reads pages that the CPU may write; its writes then cost no fault. */
static void check_writable(int fd, char *base, size_t size)
{
	uint64_t before;

	gpu_read(fd, base, size);
	igt_assert(svm_prot_all(fd, base, size, SVM_RW));
	before = faults(fd);
	svm_gpu_touch(fd, base, size, svm_page_size(), true);
	igt_assert_eq_u64(faults(fd), before);
}

static void cpu_writable(int fd)
{
	char *base = svm_mmap_small(svm_range_size());

	memset(base, 1, area_size());
	check_writable(fd, base, area_size());
}

static void cpu_writable_huge(int fd)
{
	char *base = svm_mmap_thp(svm_range_size());
	uint64_t before;

	svm_gpu_read32(fd, base);
	gpu_read(fd, base, svm_range_size());
	igt_assert(svm_prot_all(fd, base, svm_range_size(), SVM_RW));
	before = faults(fd);
	svm_gpu_fill(fd, base, svm_range_size(), OLD);
	igt_assert_eq_u64(faults(fd), before);
}

static void cpu_writable_shared(int fd)
{
	char *base = svm_mmap_fd(svm_memfd(area_size()), area_size(), MAP_SHARED);

	memset(base, 1, area_size());
	check_writable(fd, base, area_size());
}

/* A read, and then a second one, of the same pages: one fault each at most */
static void read_again(int fd)
{
	char *base = svm_mmap_small(svm_range_size());
	uint64_t before;

	gpu_read(fd, base, area_size());
	before = faults(fd);
	gpu_read(fd, base, area_size());
	igt_assert_eq_u64(faults(fd), before);
}

static const struct svm_case cases[] = {
	{ "untouched", "A page never touched reads as zero and is not allocated.",
	  read_untouched },
	{ "untouched-range", "Nor is any page of a whole range.", untouched_range },
	{ "untouched-huge", "Nor is a huge page.", untouched_huge },
	{ "untouched-neighbours", "Pages beside a written one are not allocated.",
	  untouched_neighbours },
	{ "untouched-then-cpu-write", "The GPU leaves the zero page when the CPU writes.",
	  untouched_then_cpu_write },
	{ "untouched-then-gpu-write", "The GPU's write allocates the page it writes.",
	  untouched_then_gpu_write },
	{ "filled", "A GPU that fills memory brings the rest of what is there by half.",
	  read_filled },
	{ "copy-source", "The source of a copy is not allocated.", copy_source },
	{ "forked", "Pages shared with a child stay shared.", read_forked },
	{ "forked-then-write", "What the child gave back is mapped writable by one write.",
	  forked_then_write },
	{ "shared-file", "Pages of a file stay clean.", shared_file },
	{ "cleaned-file", "Pages cleaned by write-back stay clean.", cleaned_file },
	{ "read-only-file", "A read-only mapping of a file can be read.", read_only_file },
	{ "read-only-descriptor", "A file that is open for reading only can be read.",
	  read_only_descriptor },
	{ "private-file", "A private mapping keeps the page of the file.", private_file },
	{ "private-file-cpu-write", "The GPU sees the copy that the CPU's write makes.",
	  private_file_cpu_write },
	{ "lazily-freed", "A lazily freed page stays so.", lazily_freed },
	{ "swapped-in", "A page read from swap keeps its place there.", swapped_in },
	{ "soft-dirty", "A read is not tracked as a write.", soft_dirty },
	{ "cpu-writable", "What the CPU may write is mapped writable by a read.", cpu_writable },
	{ "cpu-writable-huge", "The same for a huge page.", cpu_writable_huge },
	{ "cpu-writable-shared", "The same for shared memory.", cpu_writable_shared },
	{ "read-again", "A second read has no fault.", read_again },
};

int igt_main()
{
	svm_cases(cases);
}
