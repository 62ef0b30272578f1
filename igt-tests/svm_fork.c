// SPDX-License-Identifier: MIT
/*
 * Copy on write under a GPU: fork with either side writing, by CPU and by GPU,
 * and pages merged by KSM. A driver that keeps a writable translation over
 * fork, or that does not ask for write access, lets the two sides see each
 * other's data.
 */

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "igt.h"
#include "svm_mem.h"

IGT_TEST_DESCRIPTION("Copy on write of memory that the GPU has mapped.");

#define PAGES	32
#define OLD	0x01d01d01u
#define NEW	0x2e2e2e2eu

static size_t area_size(void)
{
	return PAGES * svm_page_size();
}

static char *gpu_area(int fd)
{
	char *base = svm_mmap_small(svm_range_size());

	svm_gpu_fill(fd, base, area_size(), OLD);
	igt_assert(svm_prot_all(fd, base, area_size(), SVM_RW));
	return base;
}

static void check_gpu(int fd, const char *base, uint32_t value)
{
	igt_assert_eq_u32(svm_gpu_read32(fd, base), value);
	igt_assert_eq_u32(svm_gpu_read32(fd, base + area_size() - 4), value);
}

/* The parent's GPU writes; the child keeps the old data */
static void parent_gpu_write(int fd)
{
	int written = svm_gate();
	char *base = gpu_area(fd);

	igt_fork(child, 1) {
		svm_gate_wait(written);
		igt_assert(svm_cpu_all32(base, area_size(), OLD));
	}
	svm_gpu_fill(fd, base, area_size(), NEW);
	svm_gate_open(written);
	igt_assert(svm_cpu_all32(base, area_size(), NEW));
	igt_waitchildren();
}

/* fork itself must take write access away from the GPU */
static void fork_protects(int fd)
{
	int done = svm_gate();
	char *base = gpu_area(fd);

	igt_fork(child, 1)
		svm_gate_wait(done);
	igt_assert(!(svm_prot(fd, base) & DRM_SVM_PAGE_WRITE));
	igt_assert(!(svm_prot(fd, svm_page(base, PAGES - 1)) & DRM_SVM_PAGE_WRITE));
	svm_gate_open(done);
	igt_waitchildren();
}

static void child_cpu_write(int fd)
{
	int written = svm_gate(), done = svm_gate();
	char *base = gpu_area(fd);

	igt_fork(child, 1) {
		memset(base, 0xee, area_size());
		svm_gate_open(written);
		svm_gate_wait(done);
	}
	svm_gate_wait(written);
	check_gpu(fd, base, OLD);
	igt_assert(svm_cpu_all32(base, area_size(), OLD));
	svm_gate_open(done);
	igt_waitchildren();
}

/* The child has an address space of its own on the device */
static void child_gpu_write(int fd)
{
	int written = svm_gate(), done = svm_gate();
	char *base = gpu_area(fd);

	igt_fork(child, 1) {
		int own = svm_open_attached();

		check_gpu(own, base, OLD);
		svm_gpu_fill(own, base, area_size(), NEW);
		svm_gate_open(written);
		svm_gate_wait(done);
		igt_assert(svm_cpu_all32(base, area_size(), NEW));
	}
	svm_gate_wait(written);
	check_gpu(fd, base, OLD);
	igt_assert(svm_cpu_all32(base, area_size(), OLD));
	svm_gpu_fill(fd, base, area_size(), ~NEW);
	svm_gate_open(done);
	igt_waitchildren();
}

/* Both sides' GPUs write at the same time, each its own value, several times */
static void both_gpu_write(int fd)
{
	int go = svm_gate();
	char *base = gpu_area(fd);
	uint32_t i;

	igt_fork(child, 1) {
		int own = svm_open_attached();

		svm_gate_wait(go);
		for (i = 0; i < 8; i++) {
			svm_gpu_fill(own, base, area_size(), NEW + i);
			igt_assert(svm_cpu_all32(base, area_size(), NEW + i));
		}
	}
	svm_gate_open(go);
	for (i = 0; i < 8; i++) {
		svm_gpu_fill(fd, base, area_size(), OLD + i);
		igt_assert(svm_cpu_all32(base, area_size(), OLD + i));
	}
	igt_waitchildren();
}

/* The page is the parent's alone again: the write goes to it, not to a copy */
static void child_exits_first(int fd)
{
	char *base = gpu_area(fd);

	igt_fork(child, 1)
		igt_assert(svm_cpu_all32(base, area_size(), OLD));
	igt_waitchildren();
	svm_gpu_fill(fd, base, area_size(), NEW);
	igt_assert(svm_cpu_all32(base, area_size(), NEW));
	check_gpu(fd, base, NEW);
}

/* The one who attached goes; the child's memory is as it was at fork */
static void parent_exits_first(int fd)
{
	int gone = svm_gate();
	char *base = gpu_area(fd);
	int status[2];
	char ok = 0;

	igt_assert(!pipe(status));
	igt_fork(middle, 1) {
		int own = svm_open_attached();

		svm_gpu_fill(own, base, area_size(), NEW);
		if (fork()) {
			svm_gpu_fill(own, base, area_size(), ~NEW);
			_exit(0);
		}
		svm_gate_wait(gone);
		ok = svm_cpu_all32(base, area_size(), NEW);
		_exit(write(status[1], &ok, 1) != 1);
	}
	igt_waitchildren();
	svm_gate_open(gone);
	close(status[1]);
	igt_assert(read(status[0], &ok, 1) == 1 && ok);
	close(status[0]);
	check_gpu(fd, base, OLD);
}

static void huge_page(int fd)
{
	int written = svm_gate();
	size_t size = svm_range_size();
	char *base = svm_mmap_thp(size);

	svm_gpu_fill(fd, base, size, OLD);
	igt_fork(child, 1) {
		svm_gate_wait(written);
		igt_assert(svm_cpu_all32(base, size, OLD));
	}
	svm_gpu_fill(fd, base, size / 2, NEW);
	svm_gate_open(written);
	igt_assert(svm_cpu_all32(base, size / 2, NEW));
	igt_assert(svm_cpu_all32(base + size / 2, size / 2, OLD));
	igt_waitchildren();
}

/* No copies of shared memory, on the other hand */
static void shared_memory(int fd)
{
	int written = svm_gate(), answered = svm_gate();
	char *base = svm_mmap_fd(svm_memfd(area_size()), area_size(), MAP_SHARED);

	svm_gpu_fill(fd, base, area_size(), OLD);
	igt_fork(child, 1) {
		int own = svm_open_attached();

		svm_gate_wait(written);
		check_gpu(own, base, NEW);
		svm_gpu_fill(own, base, area_size(), ~NEW);
		svm_gate_open(answered);
	}
	svm_gpu_fill(fd, base, area_size(), NEW);
	svm_gate_open(written);
	svm_gate_wait(answered);
	check_gpu(fd, base, ~NEW);
	igt_waitchildren();
}

static void private_file(int fd)
{
	int written = svm_gate();
	int file = svm_tmpfile(svm_scratch_dir(), area_size());
	char *base = svm_mmap_fd(file, area_size(), MAP_PRIVATE);

	svm_gpu_fill(fd, base, area_size(), OLD);
	igt_fork(child, 1) {
		svm_gate_wait(written);
		igt_assert(svm_cpu_all32(base, area_size(), OLD));
	}
	svm_gpu_fill(fd, base, area_size(), NEW);
	svm_gate_open(written);
	igt_waitchildren();
	close(file);
}

/* The child has no such mapping; the parent's GPU does not notice */
static void fork_dontfork(int fd)
{
	int done = svm_gate();
	char *base = gpu_area(fd);

	igt_assert(!madvise(base, svm_range_size(), MADV_DONTFORK));
	igt_fork(child, 1) {
		int own = svm_open_attached();

		igt_assert_eq(__svm_gpu_write32(own, base, NEW), -ENOENT);
		svm_gate_open(done);
	}
	svm_gate_wait(done);
	igt_assert(svm_prot_all(fd, base, area_size(), SVM_RW));
	svm_gpu_fill(fd, base, area_size(), NEW);
	igt_assert(svm_cpu_all32(base, area_size(), NEW));
	igt_waitchildren();
}

static void fork_wipeonfork(int fd)
{
	char *base = gpu_area(fd);

	igt_require(!madvise(base, svm_range_size(), MADV_WIPEONFORK));
	igt_fork(child, 1) {
		int own = svm_open_attached();

		check_gpu(own, base, 0);
		svm_gpu_fill(own, base, area_size(), NEW);
	}
	igt_waitchildren();
	check_gpu(fd, base, OLD);
}

/* Each child's view is of one moment: word after word not newer than the last */
static void fork_while_writing(int fd)
{
	char *base = gpu_area(fd);
	struct drm_svm_test_cmd cmds[16] = {};
	struct drm_svm_test_wait result;
	uint64_t job;
	int i;

	for (i = 0; i < 16; i++) {
		cmds[i].op = DRM_SVM_TEST_OP_FILL;
		cmds[i].dst = (uintptr_t)base;
		cmds[i].size = area_size();
		cmds[i].arg0 = i + 1;
	}
	job = svm_submit(fd, cmds, 16);
	for (i = 0; i < 4; i++) {
		igt_fork(child, 1) {
			const uint32_t *word = (uint32_t *)base;
			uint32_t *copy = malloc(area_size());

			memcpy(copy, word, area_size());
			usleep(30000);
			igt_assert(!memcmp(copy, word, area_size()));
		}
	}
	svm_wait(fd, job, &result);
	igt_assert_eq_u32(result.out_errno, 0);
	igt_assert(svm_cpu_all32(base, area_size(), 16));
	igt_waitchildren();
}

/* An area of equal pages, merged; the GPU has them mapped already if @mapped */
static char *merged_area(int fd, bool mapped)
{
	char *base = svm_mmap_small(svm_range_size());

	memset(base, 0x5c, area_size());
	if (mapped)
		svm_gpu_touch(fd, base, area_size(), svm_page_size(), true);
	memset(base, 0x5c, area_size());
	svm_ksm_merge(base, area_size());
	return base;
}

static void ksm_read(int fd)
{
	char *base = merged_area(fd, false);

	check_gpu(fd, base, 0x5c5c5c5c);
	igt_assert(svm_all_ksm(base, area_size()));
	igt_assert_eq_u32(svm_prot(fd, base), SVM_RO);
}

/* The write goes to a copy; the others that share the page keep their data */
static void check_ksm_write(int fd, char *base)
{
	svm_gpu_write32(fd, base, NEW);
	igt_assert_eq_u32(*(uint32_t *)base, NEW);
	igt_assert(svm_cpu_all32(base + svm_page_size(),
				 area_size() - svm_page_size(), 0x5c5c5c5c));
	igt_assert_eq_u32(svm_gpu_read32(fd, svm_page(base, 1)), 0x5c5c5c5c);
}

static void ksm_write(int fd)
{
	check_ksm_write(fd, merged_area(fd, false));
}

static void ksm_merge_mapped(int fd)
{
	check_ksm_write(fd, merged_area(fd, true));
}

static void ksm_unmerge(int fd)
{
	char *base = merged_area(fd, true);

	check_gpu(fd, base, 0x5c5c5c5c);
	igt_assert(!madvise(base, area_size(), MADV_UNMERGEABLE));
	check_ksm_write(fd, base);
}

/* Pages that the fork has write-protected are made writable together, not one a fault */
static void fill_after_fork(int fd)
{
	struct drm_svm_counters before, after;
	size_t size = svm_range_size();
	char *base = svm_mmap_small(size);
	int written = svm_gate();

	svm_gpu_fill(fd, base, size, OLD);
	igt_fork(child, 1) {
		svm_gate_wait(written);
		igt_assert(svm_cpu_all32(base, size, OLD));
	}
	svm_counters(fd, &before);
	svm_gpu_fill(fd, base, size, NEW);
	svm_counters(fd, &after);
	igt_assert_lte_u64(after.out_faults - before.out_faults, size / svm_page_size() / 4);
	svm_gate_open(written);
	igt_waitchildren();
	igt_assert(svm_cpu_all32(base, size, NEW));
}

/* No more is copied for nothing than the GPU wants */
static void write_one_after_fork(int fd)
{
	size_t size = svm_range_size();
	char *base = svm_mmap_small(size);
	int written = svm_gate();

	svm_gpu_fill(fd, base, size, OLD);
	igt_fork(child, 1)
		svm_gate_wait(written);
	svm_gpu_write32(fd, base, NEW);
	for (size_t i = 1; i < size / svm_page_size(); i++)
		igt_assert(!(svm_pagemap(svm_page(base, i)) & SVM_PM_EXCLUSIVE));
	svm_gate_open(written);
	igt_waitchildren();
}

static const struct svm_case cases[] = {
	{ "parent-gpu-write", "The child does not see what the parent's GPU writes.",
	  parent_gpu_write },
	{ "fork-protects", "fork takes write access away from the GPU.", fork_protects },
	{ "child-cpu-write", "The parent's GPU does not see what the child writes.",
	  child_cpu_write },
	{ "child-gpu-write", "The parent does not see what the child's GPU writes.",
	  child_gpu_write },
	{ "both-gpu-write", "Both sides' GPUs write, each to its own memory.", both_gpu_write },
	{ "child-exits-first", "After the child's exit the parent's GPU writes in place.",
	  child_exits_first },
	{ "parent-exits-first", "After the parent's exit the child's memory is intact.",
	  parent_exits_first },
	{ "huge-page", "Copy on write of a huge page.", huge_page },
	{ "shared-memory", "Shared memory stays shared.", shared_memory },
	{ "private-file", "Copy on write of private pages of a file.", private_file },
	{ "dontfork", "Memory that is not inherited stays mapped in the parent.", fork_dontfork },
	{ "wipeonfork", "Memory that is wiped in the child is not in the parent.",
	  fork_wipeonfork },
	{ "fill-after-fork", "The GPU writes all that it shares with a child.", fill_after_fork },
	{ "write-one-after-fork", "The GPU writes one page of those that it shares.",
	  write_one_after_fork },
	{ "fork-while-writing", "A child's memory does not change under running GPU jobs.",
	  fork_while_writing },
	{ "ksm-read", "Reading merged pages leaves them merged.", ksm_read },
	{ "ksm-write", "Writing a merged page changes no other.", ksm_write },
	{ "ksm-merge-mapped", "Pages that the GPU has mapped are merged.", ksm_merge_mapped },
	{ "ksm-unmerge", "Merged pages are separated again.", ksm_unmerge },
};

int igt_main()
{
	svm_cases(cases);
}
