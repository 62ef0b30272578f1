// SPDX-License-Identifier: MIT
/*
 * Files that change under their mapping: truncated, punched, written, read
 * through other mappings, while the GPU has the pages mapped.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "igt.h"
#include "svm_mem.h"

IGT_TEST_DESCRIPTION("Files change while the GPU has them mapped.");

#define PAGES	32
#define MAGIC	0x5f5f0000u

enum where { DISK, TMPFS };

struct file_case {
	const char *name;
	const char *describe;
	void (*run)(int fd, int file, char *base);
	int flags;	/* of mmap() */
};

static size_t area_size(void)
{
	return PAGES * svm_page_size();
}

static void gpu_fill_checked(int fd, char *base)
{
	svm_gpu_fill(fd, base, area_size(), MAGIC);
	igt_assert(svm_prot_all(fd, base, area_size(), SVM_RW));
}

static void truncate_whole(int fd, int file, char *base)
{
	gpu_fill_checked(fd, base);
	igt_assert(!ftruncate(file, 0));
	igt_assert(svm_prot_all(fd, base, area_size(), 0));
	igt_assert_eq(__svm_gpu_write32(fd, base, 0), -EFAULT);
	igt_assert_eq(__svm_gpu_touch(fd, svm_page(base, 1), 4, 4, false), -EFAULT);
}

static void truncate_half(int fd, int file, char *base)
{
	size_t half = area_size() / 2;

	gpu_fill_checked(fd, base);
	igt_assert(!ftruncate(file, half));
	igt_assert(svm_prot_all(fd, base, half, SVM_RW));
	igt_assert(svm_prot_all(fd, base + half, half, 0));
	igt_assert_eq(__svm_gpu_write32(fd, base + half, 0), -EFAULT);
	igt_assert_eq_u32(svm_gpu_read32(fd, base + half - 4), MAGIC);
}

/* The old data must not come back with the old size */
static void truncate_regrow(int fd, int file, char *base)
{
	gpu_fill_checked(fd, base);
	igt_assert(!ftruncate(file, 0));
	igt_assert(!ftruncate(file, area_size()));
	igt_assert_eq_u32(svm_gpu_read32(fd, base), 0);
	igt_assert_eq_u32(svm_gpu_read32(fd, base + area_size() - 4), 0);
	svm_gpu_fill(fd, base, area_size(), 1);
	igt_assert(svm_cpu_all32(base, area_size(), 1));
}

static void punch(int file, size_t first, size_t n)
{
	igt_require_f(!fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				 first * svm_page_size(), n * svm_page_size()),
		      "fallocate: %s\n", strerror(errno));
}

static void punch_hole(int fd, int file, char *base)
{
	size_t page = svm_page_size();

	gpu_fill_checked(fd, base);
	punch(file, 8, 4);
	igt_assert(svm_prot_all(fd, base, 8 * page, SVM_RW));
	igt_assert(svm_prot_all(fd, base + 8 * page, 4 * page, 0));
	igt_assert(svm_prot_all(fd, base + 12 * page, area_size() - 12 * page, SVM_RW));
	igt_assert_eq_u32(svm_gpu_read32(fd, base + 8 * page), 0);
	igt_assert_eq_u32(svm_gpu_read32(fd, base + 12 * page), MAGIC);
	svm_gpu_fill(fd, base + 8 * page, 4 * page, 2);
	igt_assert(svm_cpu_all32(base + 8 * page, 4 * page, 2));
}

/* A private copy is not the file's: it stays */
static void punch_hole_private(int fd, int file, char *base)
{
	gpu_fill_checked(fd, base);
	punch(file, 8, 4);
	igt_assert_eq_u32(svm_gpu_read32(fd, svm_page(base, 8)), MAGIC);
	igt_assert(svm_cpu_all32(base, area_size(), MAGIC));
}

/* ... but truncation takes private copies as well */
static void truncate_private(int fd, int file, char *base)
{
	gpu_fill_checked(fd, base);
	igt_assert(!ftruncate(file, 0));
	igt_assert_eq(__svm_gpu_write32(fd, base, 0), -EFAULT);
}

static void cpu_write(int fd, int file, char *base)
{
	uint32_t value = MAGIC + 1;

	gpu_fill_checked(fd, base);
	igt_assert(pwrite(file, &value, sizeof(value), 0) == sizeof(value));
	igt_assert_eq_u32(svm_gpu_read32(fd, base), MAGIC + 1);
	svm_gpu_write32(fd, base, MAGIC + 2);
	igt_assert(pread(file, &value, sizeof(value), 0) == sizeof(value));
	igt_assert_eq_u32(value, MAGIC + 2);
}

/* A page that nobody wrote through the private mapping follows the file */
static void cpu_write_private(int fd, int file, char *base)
{
	uint32_t value = MAGIC + 1;

	igt_assert_eq_u32(svm_gpu_read32(fd, base), 0);
	igt_assert(pwrite(file, &value, sizeof(value), 0) == sizeof(value));
	igt_assert_eq_u32(svm_gpu_read32(fd, base), MAGIC + 1);
	svm_gpu_write32(fd, base, MAGIC + 2);
	igt_assert(pread(file, &value, sizeof(value), 0) == sizeof(value));
	igt_assert_eq_u32(value, MAGIC + 1);
	igt_assert_eq_u32(*(uint32_t *)base, MAGIC + 2);
}

static void two_mappings(int fd, int file, char *base)
{
	char *twin = svm_mmap_fd(file, area_size(), MAP_SHARED);

	svm_gpu_fill(fd, base, area_size(), MAGIC);
	igt_assert_eq_u32(svm_gpu_read32(fd, twin), MAGIC);
	svm_gpu_write32(fd, twin, 3);
	igt_assert_eq_u32(svm_gpu_read32(fd, base), 3);
	igt_assert(!munmap(base, area_size()));
	igt_assert_eq_u32(svm_gpu_read32(fd, svm_page(twin, 1)), MAGIC);
	igt_assert(!munmap(twin, area_size()));
}

/* The page cache loses the pages; they come back from the disk */
static void drop_cache(int fd, int file, char *base)
{
	svm_gpu_fill(fd, base, area_size(), MAGIC);
	igt_assert(!msync(base, area_size(), MS_SYNC));
	igt_assert(!madvise(base, area_size(), MADV_DONTNEED));
	igt_assert(!posix_fadvise(file, 0, area_size(), POSIX_FADV_DONTNEED));
	igt_assert_eq_u32(svm_gpu_read32(fd, base), MAGIC);
	igt_assert(svm_cpu_all32(base, area_size(), MAGIC));
}

static void collapse_range(int fd, int file, char *base)
{
	size_t page = svm_page_size(), i;

	for (i = 0; i < PAGES; i++)
		svm_gpu_fill(fd, svm_page(base, i), page, MAGIC + i);
	igt_require_f(!fallocate(file, FALLOC_FL_COLLAPSE_RANGE, 0, 4 * page),
		      "no FALLOC_FL_COLLAPSE_RANGE\n");
	igt_assert_eq_u32(svm_gpu_read32(fd, base), MAGIC + 4);
	igt_assert_eq(__svm_gpu_write32(fd, svm_page(base, PAGES - 4), 0), -EFAULT);
}

/* Written past the page cache, which is thrown away */
static void direct_write(int fd, int file, char *base)
{
	char path[64];
	void *data = aligned_alloc(svm_page_size(), svm_page_size());
	int direct;

	igt_assert(data);
	gpu_fill_checked(fd, base);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	direct = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	igt_require_fd(direct);
	memset(data, 0x42, svm_page_size());
	igt_assert(pwrite(direct, data, svm_page_size(), 0) == (ssize_t)svm_page_size());
	igt_assert_eq_u32(svm_gpu_read32(fd, base), 0x42424242);
	igt_assert_eq_u32(svm_gpu_read32(fd, svm_page(base, 1)), MAGIC);
	close(direct);
	free(data);
}

static void file_sealed(int fd, int file, char *base)
{
	void *mapped;

	igt_assert(!munmap(base, area_size()));
	igt_require(!fcntl(file, F_ADD_SEALS, F_SEAL_WRITE));
	mapped = mmap(NULL, area_size(), PROT_READ, MAP_SHARED, file, 0);
	igt_assert(mapped != MAP_FAILED);
	igt_assert_eq(__svm_gpu_write32(fd, mapped, 1), -EACCES);
	igt_assert_eq_u32(svm_gpu_read32(fd, mapped), 0);
	igt_assert_eq_u32(svm_prot(fd, mapped), SVM_RO);
}

static const struct file_case both[] = {
	{ "truncate", "Pages of a truncated file are unusable.", truncate_whole, MAP_SHARED },
	{ "truncate-half", "Pages before the new end stay mapped.", truncate_half,
	  MAP_SHARED },
	{ "truncate-regrow", "A file that shrank and grew reads as zeroes.",
	  truncate_regrow, MAP_SHARED },
	{ "truncate-private", "Truncation takes private copies, too.", truncate_private,
	  MAP_PRIVATE },
	{ "punch-hole", "A hole reads as zeroes, other pages stay mapped.", punch_hole,
	  MAP_SHARED },
	{ "punch-hole-private", "Private copies survive a hole in the file.",
	  punch_hole_private, MAP_PRIVATE },
	{ "write", "write() and the GPU see each other's data.", cpu_write, MAP_SHARED },
	{ "write-private", "A private page follows the file until it is written.",
	  cpu_write_private, MAP_PRIVATE },
	{ "two-mappings", "Two mappings of one file are coherent.", two_mappings,
	  MAP_SHARED },
};

static const struct file_case disk_only[] = {
	{ "drop-cache", "Pages dropped from the cache come back.", drop_cache, MAP_SHARED },
	{ "collapse-range", "Blocks taken out of a file move the others.", collapse_range,
	  MAP_SHARED },
	{ "direct-write", "Data written past the page cache is seen.", direct_write,
	  MAP_SHARED },
};

static const struct file_case tmpfs_only[] = {
	{ "sealed", "A file sealed against writes is not written.", file_sealed, MAP_SHARED },
};

static void run_file(const struct file_case *c, enum where where)
{
	int fd = svm_open_attached();
	int file = where == DISK ? svm_tmpfile(svm_scratch_dir(), area_size()) :
		memfd_create("svm", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	igt_assert_fd(file);
	igt_assert(!ftruncate(file, area_size()));
	c->run(fd, file, svm_mmap_fd(file, area_size(), c->flags));
	close(file);
	close(fd);
}

static void run_files(const struct file_case *cases, size_t n, enum where where)
{
	const struct file_case *c;

	for (c = cases; c < cases + n; c++) {
		igt_describe(c->describe);
		igt_subtest_f("%s-%s", where == DISK ? "disk" : "tmpfs", c->name)
			run_file(c, where);
	}
}

#define RUN(cases, where) run_files(cases, sizeof(cases) / sizeof(*(cases)), where)

int igt_main()
{
	RUN(both, DISK);
	RUN(disk_only, DISK);
	RUN(both, TMPFS);
	RUN(tmpfs_only, TMPFS);
}
