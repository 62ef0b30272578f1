// SPDX-License-Identifier: MIT
/*
 * userfaultfd that takes the access to pages away (read-write protection, Linux 7.3): a
 * program that pages out or measures what is in use learns of each first access, reads
 * too. The GPU's accesses are no exception, and pages in VRAM are none either.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/userfaultfd.h>

#include "igt.h"
#include "svm_job.h"
#include "svm_mem.h"
#include "svm_prefetch.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("GPU accesses of memory whose access userfaultfd takes away.");

/* The C library's headers may be older than Linux 7.3 */
#ifndef UFFDIO_RWPROTECT
#define UFFD_FEATURE_RWP		(1 << 17)
#define UFFD_FEATURE_RWP_ASYNC		(1 << 18)
#define UFFDIO_REGISTER_MODE_RWP	((__u64)1 << 3)
#define UFFD_PAGEFAULT_FLAG_RWP		(1 << 3)
#define UFFDIO_RWPROTECT_MODE_RWP	((__u64)1 << 0)

struct uffdio_rwprotect {
	struct uffdio_range range;
	__u64 mode;
};

#define UFFDIO_RWPROTECT		_IOWR(UFFDIO, 0x09, struct uffdio_rwprotect)
#endif

#define PAGES	32
#define SEED	0x0a770000u
#define WAIT_MS	30000

/* Pages around a fault that the GPU looks at, and may bring in */
#define BLOCK	16

static size_t area_size(void)
{
	return PAGES * svm_page_size();
}

/* Register [base, base + size) */
static int rwp_open(void *base, size_t size, uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_RWP | features };
	struct uffdio_register reg = {
		.range = { .start = client_ptr(base), .len = size },
		.mode = UFFDIO_REGISTER_MODE_RWP,
	};
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	igt_require_f(uffd >= 0, "no userfaultfd\n");
	igt_require_f(!ioctl(uffd, UFFDIO_API, &api), "no read-write protection before Linux 7.3\n");
	igt_assert_eq(ioctl(uffd, UFFDIO_REGISTER, &reg), 0);
	return uffd;
}

static void rwp_set(int uffd, void *base, size_t size, bool protect)
{
	struct uffdio_rwprotect rwp = {
		.range = { .start = client_ptr(base), .len = size },
		.mode = protect ? UFFDIO_RWPROTECT_MODE_RWP : 0,
	};

	igt_assert_eq(ioctl(uffd, UFFDIO_RWPROTECT, &rwp), 0);
}

/* The page is protected; bit 57 of pagemap says so */
static bool is_protected(const void *page)
{
	return svm_pagemap(page) & (1ull << 57);
}

/* The job waits for @page and nothing else, and ends when it is given back */
static void expect_asks(int fd, int uffd, const struct drm_svm_test_cmd *cmd, void *page)
{
	uint64_t job = svm_submit(fd, cmd, 1), addr;

	igt_assert(svm_uffd_pending(uffd, WAIT_MS, &addr));
	igt_assert_eq_u64(addr & ~(svm_page_size() - 1), client_ptr(page));
	igt_assert_eq(__svm_poll_job(fd, job), -ETIME);
	rwp_set(uffd, page, svm_page_size(), false);
	svm_wait_ok(fd, job);
	igt_assert(!svm_uffd_pending(uffd, 0, &addr));
}

static void expect_read_asks(int fd, int uffd, void *page, uint32_t seed)
{
	char *copy = svm_mmap_anon(svm_page_size());
	struct drm_svm_test_cmd cmd = svm_cmd_copy(copy, page, svm_page_size());

	expect_asks(fd, uffd, &cmd, page);
	igt_assert(svm_pattern_ok(copy, svm_page_size(), seed));
	munmap(copy, svm_page_size());
}

static char *fill_pages(void)
{
	char *base = svm_mmap_small(svm_range_size());
	size_t i;

	for (i = 0; i < PAGES; i++)
		svm_pattern(svm_page(base, i), svm_page_size(), SEED + i);
	return base;
}

static void rwp_read(int fd)
{
	char *base = fill_pages();
	int uffd = rwp_open(base, area_size(), 0);

	rwp_set(uffd, svm_page(base, 1), 2 * svm_page_size(), true);
	igt_assert(svm_gpu_pattern_ok(fd, base, svm_page_size(), SEED));
	expect_read_asks(fd, uffd, svm_page(base, 1), SEED + 1);
	/* the neighbour was not asked for, and still asks */
	igt_assert(is_protected(svm_page(base, 2)));
	igt_assert_eq_u32(svm_prot(fd, svm_page(base, 2)), 0);
	expect_read_asks(fd, uffd, svm_page(base, 2), SEED + 2);
	igt_assert(svm_gpu_pattern_ok(fd, svm_page(base, 1), svm_page_size(), SEED + 1));
	close(uffd);
}

static void rwp_write(int fd)
{
	char *base = fill_pages();
	int uffd = rwp_open(base, area_size(), 0);
	struct drm_svm_test_cmd cmd = svm_cmd_fill(base, svm_page_size(), 7);

	rwp_set(uffd, base, area_size(), true);
	expect_asks(fd, uffd, &cmd, base);
	igt_assert(svm_cpu_all32(base, svm_page_size(), 7));
	igt_assert(is_protected(svm_page(base, 1)));
	close(uffd);
}

/* What the GPU has mapped is taken from it */
static void rwp_mapped(int fd)
{
	char *base = fill_pages();
	int uffd = rwp_open(base, area_size(), 0);
	size_t i;

	svm_gpu_touch(fd, base, area_size(), svm_page_size(), false);
	igt_assert(svm_prot_all(fd, base, area_size(), SVM_RW));
	rwp_set(uffd, base, area_size(), true);
	igt_assert(svm_prot_all(fd, base, area_size(), 0));
	for (i = 0; i < PAGES; i += 5)
		expect_read_asks(fd, uffd, svm_page(base, i), SEED + i);
	close(uffd);
}

/* Nobody is asked: the kernel notes which pages were accessed, and no others */
static void rwp_async(int fd)
{
	char *base = fill_pages();
	int uffd = rwp_open(base, area_size(), UFFD_FEATURE_RWP_ASYNC);
	size_t i;

	rwp_set(uffd, base, area_size(), true);
	igt_assert(svm_gpu_pattern_ok(fd, svm_page(base, 3), svm_page_size(), SEED + 3));
	svm_gpu_write32(fd, svm_page(base, 5), 1);
	for (i = 0; i < PAGES; i++)
		igt_assert_f(is_protected(svm_page(base, i)) == (i != 3 && i != 5),
			     "page %zu\n", i);
	close(uffd);
}

/* Nor are pages made that nobody has accessed, where most of the block is there */
static void async_ahead(int fd)
{
	char *base = svm_mmap_small(svm_range_size());
	int uffd = rwp_open(base, area_size(), UFFD_FEATURE_RWP_ASYNC);
	size_t i;

	for (i = 4; i < BLOCK; i++)
		svm_pattern(svm_page(base, i), svm_page_size(), SEED + i);
	svm_gpu_write32(fd, svm_page(base, 1), 1);
	for (i = 0; i < BLOCK; i++)
		igt_assert_f(!!(svm_pagemap(svm_page(base, i)) & SVM_PM_PRESENT) ==
			     (i == 1 || i >= 4), "page %zu\n", i);
	close(uffd);
}

/* A page in VRAM asks as well, and stays in RAM afterwards */
static void vram_read(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, SEED);
	size_t page = svm_page_size();
	char *at = area.base + 4 * page, *copy = svm_mmap_anon(page);
	struct drm_svm_test_cmd cmd = svm_cmd_copy(copy, at, page);
	int uffd = rwp_open(area.base, area.size, 0);
	struct drm_svm_prefetch args;

	igt_assert_eq(svm_vram_pages(fd, area.base, area.size), area.size / page);
	rwp_set(uffd, area.base, area.size, true);
	igt_assert(svm_prot_all(fd, area.base, area.size, 0));
	expect_asks(fd, uffd, &cmd, at);
	igt_assert(!memcmp(copy, at, page));
	/* of the pages around it the GPU has none */
	igt_assert_eq_u32(svm_prot(fd, at - page), 0);
	cmd.src += page;
	expect_asks(fd, uffd, &cmd, at + page);

	args = svm_prefetch_args(area.base, area.size, DRM_SVM_LOCATION_VRAM);
	igt_assert_eq_u64(svm_prefetch_counts(fd, &args), 0);
	igt_assert_eq_u64(args.out_unsupported, area.size / page);

	rwp_set(uffd, area.base, area.size, false);
	svm_area_check(fd, &area, SEED);
	close(uffd);
	/* and moves again once nobody wants to know */
	svm_to_vram(fd, area.base, area.size);
	svm_area_check(fd, &area, SEED + 1);
	munmap(copy, page);
	svm_area_free(&area);
}

static const struct svm_case cases[] = {
	{ "read", "A GPU read of a protected page asks the program, for that page alone.",
	  rwp_read },
	{ "write", "A GPU write asks the program.", rwp_write },
	{ "mapped", "What the GPU has mapped asks again once it is protected.", rwp_mapped },
	{ "async", "The kernel notes the GPU's accesses, and no others.", rwp_async },
	{ "async-ahead", "No page is made that the GPU has not accessed.", async_ahead },
};

static const struct svm_vram_case vram_cases[] = {
	{ "vram", "A page in VRAM that is protected comes home and asks.", vram_read },
};

int igt_main()
{
	svm_cases(cases);
	igt_fixture()
		svm_vram_on("vram_mb=16");
	svm_vram_cases(vram_cases);
	igt_fixture()
		svm_vram_off();
}
