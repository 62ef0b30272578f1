// SPDX-License-Identifier: MIT
/*
 * Private mappings of files: the pages that were copied on write belong to the process,
 * and move to VRAM as anonymous memory does. Those of the file stay where others have
 * them too.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_job.h"
#include "svm_prefetch.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("Copied pages of private file mappings in VRAM.");

#define IN_FILE	0x11f10000u
#define COPY	0x22c20000u
#define EVERY	4	/* one page of so many is copied */

struct mapping {
	int file;
	char *base;
	size_t size;
	size_t pages;
};

/* A file with a pattern, and a private mapping of it, a whole range */
static struct mapping map_file(bool disk)
{
	struct mapping m = { .size = svm_range_size() };
	char *content = svm_mmap_small(m.size);

	m.pages = m.size / svm_page_size();
	m.file = disk ? svm_tmpfile(svm_scratch_dir(), m.size) : svm_memfd(m.size);
	svm_pattern(content, m.size, IN_FILE);
	igt_assert(pwrite(m.file, content, m.size, 0) == (ssize_t)m.size);
	munmap(content, m.size);
	m.base = svm_mmap_fd(m.file, m.size, MAP_PRIVATE);
	return m;
}

static void free_file(const struct mapping *m)
{
	igt_assert(!munmap(m->base, m->size));
	close(m->file);
}

/* What the file says, whatever became of the mapping */
static void check_file(const struct mapping *m)
{
	char *content = svm_mmap_small(m->size);

	igt_assert(pread(m->file, content, m->size, 0) == (ssize_t)m->size);
	igt_assert(svm_pattern_ok(content, m->size, IN_FILE));
	munmap(content, m->size);
}

static struct mapping copied(int fd, bool disk)
{
	struct mapping m = map_file(disk);

	svm_pattern(m.base, m.size, COPY);
	svm_prefetch(fd, m.base, m.size, DRM_SVM_LOCATION_VRAM);
	igt_assert_eq(svm_device_pages(m.base, m.size), m.pages);
	return m;
}

static void all_copied(int fd, bool disk)
{
	struct mapping m = copied(fd, disk);
	struct svm_area area = { .base = m.base, .size = m.size };

	svm_area_check(fd, &area, COPY);
	check_file(&m);
	free_file(&m);
}

static void gpu_touch(int fd, bool disk)
{
	struct mapping m = map_file(disk);
	char *at = svm_page(m.base, 40);
	size_t size = 40 * svm_page_size();

	svm_pattern(at, size, COPY);
	svm_gpu_touch(fd, m.base, m.size, svm_page_size(), false);
	igt_assert_eq(svm_device_pages(m.base, m.size), size / svm_page_size());
	igt_assert_eq(svm_device_pages(at, size), size / svm_page_size());
	igt_assert(svm_gpu_pattern_ok(fd, at, size, COPY));
	svm_gpu_pattern(fd, at, size, COPY + 1);
	svm_evict_vram(fd);
	igt_assert(svm_pattern_ok(at, size, COPY + 1));
	check_file(&m);
	free_file(&m);
}

/* Single pages between those of the file, which count as what cannot move */
static void some_copied(int fd, bool disk)
{
	struct mapping m = map_file(disk);
	size_t n = m.pages / EVERY;
	struct drm_svm_prefetch args =
		svm_prefetch_args(m.base, m.size, DRM_SVM_LOCATION_VRAM);

	for (size_t i = 0; i < m.pages; i += EVERY)
		*(uint32_t *)svm_page(m.base, i) = COPY + i;
	igt_assert_eq(svm_prefetch_counts(fd, &args), n);
	igt_assert_eq_u64(args.out_unsupported, m.pages - n);
	igt_assert_eq(svm_device_pages(m.base, m.size), n);
	for (size_t i = 0; i < m.pages; i += EVERY)
		igt_assert_eq_u32(svm_gpu_read32(fd, svm_page(m.base, i)), COPY + i);
	svm_evict_vram(fd);
	for (size_t i = 0; i < m.pages; i += EVERY) {
		igt_assert_eq_u32(*(uint32_t *)svm_page(m.base, i), COPY + i);
		*(uint32_t *)svm_page(m.base, i) = *(uint32_t *)svm_page(m.base, i + 1);
	}
	check_file(&m);
	free_file(&m);
}

/* What is dropped is the copy: the page of the file is there again */
static void file_dropped(int fd, bool disk)
{
	struct mapping m = copied(fd, disk);

	igt_assert(!madvise(m.base, m.size, MADV_DONTNEED));
	igt_assert_eq(svm_device_pages(m.base, m.size), 0);
	igt_assert(svm_gpu_pattern_ok(fd, m.base, m.size, IN_FILE));
	igt_assert(svm_pattern_ok(m.base, m.size, IN_FILE));
	igt_assert_eq(svm_device_pages(m.base, m.size), 0);
	free_file(&m);
}

static void file_truncated(int fd, bool disk)
{
	struct mapping m = copied(fd, disk);

	igt_assert(!ftruncate(m.file, m.size / 2));
	igt_assert_eq(svm_device_pages(m.base, m.size), m.pages / 2);
	igt_assert_eq(__svm_gpu_write32(fd, m.base + m.size / 2, 0), -EFAULT);
	igt_assert_eq_u32(svm_gpu_read32(fd, m.base), COPY);
	free_file(&m);
}

static void file_forked(int fd, bool disk)
{
	struct mapping m = copied(fd, disk);
	int written = svm_gate();

	igt_fork(child, 1) {
		svm_gate_wait(written);
		igt_assert(svm_pattern_ok(m.base, m.size, COPY));
	}
	svm_gpu_pattern(fd, m.base, m.size, COPY + 1);
	svm_gate_open(written);
	igt_assert(svm_pattern_ok(m.base, m.size, COPY + 1));
	igt_waitchildren();
	check_file(&m);
	free_file(&m);
}

/* Nobody reads the file for a page that was copied and is written to again */
static void forked_not_cached(int fd, bool disk)
{
	struct client_counts before, after;
	struct mapping m = map_file(disk);
	int written = svm_gate();

	svm_pattern(m.base, m.size, COPY);
	igt_assert(!fsync(m.file));
	svm_drop_caches();
	igt_fork(child, 1) {
		svm_gate_wait(written);
		igt_assert(svm_pattern_ok(m.base, m.size, COPY));
	}
	svm_counters(fd, &before);
	svm_gpu_pattern(fd, m.base, m.size, COPY + 1);
	svm_counters(fd, &after);
	igt_assert_eq_u64(client_count(&after, WAITS), client_count(&before, WAITS));
	svm_gate_open(written);
	igt_waitchildren();
	free_file(&m);
}

static void in_parts(int fd, bool disk)
{
	struct mapping m = copied(fd, disk);
	size_t part = m.size / 4;

	igt_assert(!munmap(m.base + part, part));
	igt_assert(!mprotect(m.base + 2 * part, part, PROT_READ));
	igt_assert_eq(svm_device_pages(m.base + 2 * part, 2 * part), m.pages / 2);
	igt_assert_eq(__svm_gpu_write32(fd, m.base + 2 * part, 0), -EACCES);
	svm_evict_vram(fd);
	igt_assert(svm_pattern_ok(m.base, part, COPY));
	igt_assert_eq_u32(svm_gpu_read32(fd, m.base + 3 * part),
			  *(uint32_t *)(m.base + 3 * part));
	free_file(&m);
}

/* A private mapping of /dev/zero has a file, but nothing is read from it */
static void dev_zero(int fd)
{
	struct client_counts before, after;
	size_t size = svm_range_size();
	struct svm_area area = { .base = svm_mmap_aligned(size, size), .size = size };
	int file = open("/dev/zero", O_RDWR | O_CLOEXEC);

	area.base = svm_mmap_fixed(area.base, size, PROT_READ | PROT_WRITE, MAP_PRIVATE,
				   file);
	igt_assert(!madvise(area.base, size, MADV_NOHUGEPAGE));
	svm_counters(fd, &before);
	svm_gpu_pattern(fd, area.base, size, COPY);
	svm_counters(fd, &after);
	igt_assert_eq_u64(client_count(&after, WAITS), client_count(&before, WAITS));
	igt_assert_lte_u64(client_counted(&before, &after, FAULTS), size / svm_page_size() / 4);
	igt_assert_eq(svm_device_pages(area.base, size), size / svm_page_size());
	svm_area_check(fd, &area, COPY);
	close(file);
}

struct file_case {
	const char *name;
	const char *describe;
	void (*run)(int fd, bool disk);
	/* of a file in memory, all pages are in the cache */
	bool disk_only;
};

static const struct file_case cases[] = {
	{ "all-copied", "All pages were copied, move and come back.", all_copied },
	{ "gpu-touch", "The copies move as the GPU touches them, and nothing else.", gpu_touch },
	{ "some-copied", "Single pages were copied.", some_copied },
	{ "dropped", "A copy in VRAM is dropped.", file_dropped },
	{ "truncated", "The file shrinks, which takes copies too.", file_truncated },
	{ "forked", "A child keeps what the parent's GPU writes over.", file_forked },
	{ "forked-not-cached", "Copies are copied again, and the file is not read for that.",
	  forked_not_cached, true },
	{ "in-parts", "Parts of the mapping go, or lose their access.", in_parts },
};

static const struct svm_case other_cases[] = {
	{ "dev-zero", "A private mapping of /dev/zero is filled as anonymous memory is.",
	  dev_zero },
};

static void run(const struct file_case *c, bool disk)
{
	int fd = svm_open_attached();

	c->run(fd, disk);
	close(fd);
	svm_sys_restore();
}

int igt_main()
{
	igt_fixture()
		svm_vram_on("vram_mb=16");

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (!cases[i].disk_only) {
			igt_describe(cases[i].describe);
			igt_subtest_f("memfd-%s", cases[i].name)
				run(&cases[i], false);
		}
		igt_describe(cases[i].describe);
		igt_subtest_f("disk-%s", cases[i].name)
			run(&cases[i], true);
	}
	svm_cases(other_cases);

	igt_fixture()
		svm_vram_off();
}
