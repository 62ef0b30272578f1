// SPDX-License-Identifier: MIT
/*
 * Pages of VRAM break.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_hw.h"
#include "svm_job.h"
#include "svm_mem.h"
#include "svm_prefetch.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("Pages of VRAM break; who has them is told, others are unharmed.");

#define MAGIC		0xa1a10000u
#define VRAM		DRM_SVM_LOCATION_VRAM

static sigjmp_buf on_bus;
static volatile int bus_code;

static void bus_handler(int sig, siginfo_t *info, void *context)
{
	bus_code = info->si_code;
	siglongjmp(on_bus, 1);
}

/* The si_code of the SIGBUS that the CPU gets at @addr; 0: none */
static int bus_error_at(const void *addr)
{
	struct sigaction act = { .sa_sigaction = bus_handler, .sa_flags = SA_SIGINFO }, old;

	bus_code = 0;
	igt_assert(!sigaction(SIGBUS, &act, &old));
	if (!sigsetjmp(on_bus, 1))
		(void)READ_ONCE(*(const char *)addr);
	igt_assert(!sigaction(SIGBUS, &old, NULL));
	return bus_code;
}

static char *in_vram(int fd, size_t size)
{
	char *base = svm_prefetched(fd, size, MAGIC);

	/* the offset is looked up by what the GPU has */
	svm_gpu_touch(fd, base, size, svm_page_size(), false);
	return base;
}

/* All words of a pattern but those of page @bad */
static bool rest_ok(const char *base, size_t size, size_t bad)
{
	size_t page = svm_page_size();

	for (size_t at = 0; at < size; at += page)
		if (at != bad * page &&
		    !svm_pattern_ok(base + at, page, MAGIC + at / 4 * 2654435761u))
			return false;
	return true;
}

static void in_use(int fd)
{
	size_t page = svm_page_size(), size = 32 * page;
	char *base = in_vram(fd, size);
	char byte;
	struct iovec local = { &byte, 1 }, remote = { base + 5 * page, 1 };

	svm_hw_write(fd, "inject/bad_page", svm_hw_offset(fd, base + 5 * page));
	igt_assert_eq(bus_error_at(base + 5 * page), BUS_MCEERR_AR);
	igt_assert_eq(bus_error_at(base + 4 * page), 0);
	igt_assert_eq(__svm_gpu_touch(fd, base + 5 * page, 4, 4, false), -EFAULT);
	igt_assert_eq(__svm_gpu_touch(fd, base + 5 * page, 4, 4, true), -EFAULT);
	igt_assert_eq(process_vm_readv(getpid(), &local, 1, &remote, 1, 0), -1);
	igt_assert(rest_ok(base, size, 5));
	/* memory that is mapped anew there is good again */
	munmap(base + 5 * page, page);
	svm_mmap_fixed(base + 5 * page, page, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1);
	svm_gpu_write32(fd, base + 5 * page, MAGIC);
	igt_assert_eq_u32(*(uint32_t *)(base + 5 * page), MAGIC);
}

static void in_huge(int fd)
{
	size_t page = svm_page_size(), size = svm_range_size();
	char *base = svm_mmap_thp(size);

	svm_pattern(base, size, MAGIC);
	igt_assert_eq_u32(svm_gpu_read32(fd, base), MAGIC);
	igt_assert_eq(svm_folio(fd, base), size);
	svm_hw_write(fd, "inject/bad_page", svm_hw_offset(fd, base + 77 * page));
	igt_assert_eq(bus_error_at(base + 77 * page), BUS_MCEERR_AR);
	igt_assert_eq(__svm_gpu_touch(fd, base + 77 * page, 4, 4, false), -EFAULT);
	igt_assert(rest_ok(base, size, 77));
	munmap(base, size);
}

/* Nobody gets a bad page: neither a process nor a buffer object. */
static void out_of_use(int fd)
{
	size_t page = svm_page_size(), size = svm_vram_size(fd);
	char *base = in_vram(fd, page);
	uint64_t offset = svm_hw_offset(fd, base);
	char *all;

	svm_hw_write(fd, "inject/bad_page", offset);
	munmap(base, page);
	all = svm_mmap_small(size);
	svm_prefetch(fd, all, size, VRAM);
	svm_gpu_touch(fd, all, size, page, true);
	for (size_t at = 0; at < size; at += page)
		if (svm_location(fd, all + at) == VRAM)
			igt_assert(svm_hw_offset(fd, all + at) != (int64_t)offset);
	igt_assert(svm_cpu_all32(all + 4, page - 4, 0));
	munmap(all, size);
}

static void never_used(int fd)
{
	size_t page = svm_page_size(), size = 32 * page;
	uint64_t last = svm_vram_size(fd) - page;
	char *base, past[24];

	svm_hw_write(fd, "inject/bad_page", last);
	svm_hw_write(fd, "inject/bad_page", last);
	snprintf(past, sizeof(past), "%" PRIu64, last + page);
	igt_assert_eq(__svm_hw_write(fd, "inject/bad_page", past), -EINVAL);
	base = in_vram(fd, size);
	igt_assert(svm_pattern_ok(base, size, MAGIC));
	munmap(base, size);
}

/* A child shares the page; others have nothing to do with it. */
static void of_others(int fd)
{
	size_t page = svm_page_size(), size = 16 * page;
	char *base = in_vram(fd, size), *other = in_vram(fd, size);
	uint64_t offset = svm_hw_offset(fd, base);
	int gate = svm_gate();

	igt_fork(child, 1) {
		svm_gate_wait(gate);
		igt_assert_eq(bus_error_at(base), BUS_MCEERR_AR);
		igt_assert(rest_ok(base, size, 0));
		igt_assert(svm_pattern_ok(other, size, MAGIC));
	}
	svm_hw_write(fd, "inject/bad_page", offset);
	svm_gate_open(gate);
	igt_waitchildren();
	igt_assert_eq(bus_error_at(base), BUS_MCEERR_AR);
	igt_assert(svm_pattern_ok(other, size, MAGIC));
	munmap(base, size);
}

static const struct svm_case cases[] = {
	{ "in-use", "Who touches a page of VRAM that broke is told; the rest comes home.", in_use },
	{ "in-huge", "A page of a huge page breaks: all others come home.", in_huge },
	{ "out-of-use", "A page that broke is never handed out again.", out_of_use },
	{ "never-used", "A page that nobody has breaks, twice.", never_used },
	{ "of-others", "A page of a parent and its child breaks, others are unharmed.", of_others },
};

/* The driver cannot go while a process has a page of it that nothing can stand for. */
static void poison_unload(void)
{
	size_t page = svm_page_size();
	int fd = svm_open_attached();
	char *base = in_vram(fd, page);

	svm_hw_write(fd, "inject/bad_page", svm_hw_offset(fd, base));
	close(fd);
	igt_assert_eq(__svm_delete_module("drm_svm_test_dev"), -EWOULDBLOCK);
	igt_assert_eq(bus_error_at(base), BUS_MCEERR_AR);
	munmap(base, page);
	svm_module_unload();
}

/* Nobody knows of the page until it is copied: all others come home when the device goes. */
static void poison_unmarked(void)
{
	size_t page = svm_page_size(), size = 32 * page;
	char *base;
	int fd;

	svm_module_load("vram_mb=16");
	fd = svm_open_attached();
	base = in_vram(fd, size);
	svm_hw_write(fd, "inject/fail_page", svm_hw_offset(fd, base + 5 * page));
	svm_hw_unplug(fd, SVM_HW_ORDERLY);
	igt_assert(bus_error_at(base + 5 * page) != 0);
	igt_assert(rest_ok(base, size, 5));
	munmap(base, size);
	close(fd);
	svm_module_unload();
}

static const struct svm_test tests[] = {
	{ "unload", "The module stays while a process has a page that broke.", poison_unload },
	{ "unmarked", "A page that cannot be copied takes no other with it.", poison_unmarked },
};

int igt_main()
{
	igt_fixture()
		svm_module_load("vram_mb=16");

	svm_cases(cases);
	svm_tests(tests);

	igt_fixture()
		svm_module_reset();
}
