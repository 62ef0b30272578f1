// SPDX-License-Identifier: MIT
/*
 * Locked memory in VRAM. Where it is unmapped, Linux keeps references to its pages for
 * that processor, which is none of the processors that want the VRAM next.
 */

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_hw.h"
#include "svm_job.h"
#include "svm_prefetch.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("Locked memory gives its VRAM back.");

#define MAGIC	0x10c10000u
#define PAGES	16ul	/* so few that no batch is full */
#define VRAM	DRM_SVM_LOCATION_VRAM

static void run_on_cpu(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % sysconf(_SC_NPROCESSORS_ONLN), &set);
	igt_assert_eq(sched_setaffinity(0, sizeof(set), &set), 0);
}

/* Batches of Linux have pages that were touched or locked on another processor. */
static bool bring(int fd, char *addr, size_t size)
{
	svm_prefetch(fd, addr, size, VRAM);
	return svm_resident(fd, addr, size, VRAM) == size / svm_page_size();
}

static char *locked(int fd)
{
	size_t size = PAGES * svm_page_size();
	char *base = svm_mmap_small(size);

	memset(base, 1, size);
	igt_require(!mlock2(base, size, MLOCK_ONFAULT));
	svm_gpu_fill(fd, base, size, MAGIC);
	igt_assert(svm_until(bring(fd, base, size), 10000));
	return base;
}

/* Locked when they are in VRAM already, which nobody tells the library */
static char *locked_late(int fd)
{
	size_t size = PAGES * svm_page_size();
	char *base = svm_mmap_small(size);

	svm_gpu_fill(fd, base, size, MAGIC);
	igt_assert_eq(svm_resident(fd, base, size, VRAM), PAGES);
	igt_require(!mlock2(base, size, MLOCK_ONFAULT));
	return base;
}

static void unmap(char *base)
{
	run_on_cpu(1);
	munmap(base, PAGES * svm_page_size());
	run_on_cpu(0);
}

static void lock_unmapped(int fd)
{
	unmap(locked(fd));
	svm_vram_all_free();
}

/* A page each of many blocks, which keeps the whole block */
static void unmapped_blocks(int fd)
{
	size_t block = 65536, size = PAGES * block;
	char *base = svm_mmap_small(size);

	igt_require(!mlock2(base, size, MLOCK_ONFAULT));
	for (size_t at = 0; at < size; at += block) {
		base[at] = 1;
		igt_assert(svm_until(bring(fd, base + at, svm_page_size()), 10000));
	}
	run_on_cpu(1);
	munmap(base, size);
	run_on_cpu(0);
	svm_vram_all_free();
}

static void lock_evicted(int fd)
{
	unmap(locked_late(fd));
	igt_assert_eq(__svm_evict_vram(fd), 0);
	svm_vram_all_free();
}

static void lock_suspended(int fd)
{
	unmap(locked_late(fd));
	svm_hw_write(fd, "suspend", 1);
	svm_hw_write(fd, "suspend", 0);
	svm_vram_all_free();
}

/* Somebody needs all of VRAM. */
static void lock_needed(int fd)
{
	size_t size = svm_vram_size(fd);
	char *base = svm_mmap_small(size);

	unmap(locked_late(fd));
	memset(base, 2, size);
	igt_assert_eq(svm_prefetch(fd, base, size, VRAM), size / svm_page_size());
}

/* A child has the pages too, and has not locked them. */
static void lock_forked(int fd)
{
	char *base = locked_late(fd);
	size_t size = PAGES * svm_page_size();
	int unmapped[2], done[2];
	char byte = 0;
	pid_t pid;

	igt_assert(!pipe(unmapped) && !pipe(done));
	pid = svm_fork();
	if (!pid) {
		if (read(unmapped[0], &byte, 1) != 1 || !svm_cpu_all32(base, size, MAGIC))
			_exit(1);
		_exit(write(done[1], &byte, 1) != 1);
	}
	unmap(base);
	igt_assert_eq(__svm_evict_vram(fd), 0);
	igt_assert_eq(write(unmapped[1], &byte, 1), 1);
	igt_assert_eq(read(done[0], &byte, 1), 1);
	igt_assert_eq(svm_reap(60), 0);
}

static void lock_ended(int fd)
{
	if (!svm_fork()) {
		int own = svm_open_attached();

		run_on_cpu(1);
		locked(own);
		_exit(0);
	}
	igt_assert_eq(svm_reap(60), 0);
	svm_vram_all_free();
}

static const struct svm_case cases[] = {
	{ "munmap", "Locked pages are unmapped.", lock_unmapped },
	{ "munmap-blocks", "Each of many blocks has a locked page.", unmapped_blocks },
	{ "exit", "A process ends that has locked pages.", lock_ended },
	{ "evict", "Pages that were locked and unmapped are evicted.", lock_evicted },
	{ "suspend", "The device is suspended then.", lock_suspended },
	{ "need", "Others want all of VRAM then.", lock_needed },
	{ "fork", "A child has them still when they are evicted.", lock_forked },
};

/* The module goes. */
static void lock_unload(void)
{
	int fd = svm_open_attached();

	unmap(locked_late(fd));
	close(fd);
	svm_module_unload();
}

static const struct svm_test tests[] = {
	{ "unload", "The module goes then.", lock_unload },
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
