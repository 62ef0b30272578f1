// SPDX-License-Identifier: MIT
/*
 * Copy on write under a GPU: fork with either side writing, by CPU and by GPU,
 * and pages merged by KSM; in RAM and in VRAM, where eviction has to find all
 * pages that several processes share. A driver that keeps a writable translation
 * over fork, or that does not ask for write access, lets the two sides see each
 * other's data.
 */

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_job.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("Copy on write of memory that the GPU has mapped.");

#define PAGES	32
#define OLD	0x0f0f0000u
#define NEW	0x2e2e0000u

static bool area_has(const struct svm_area *area, uint32_t seed)
{
	return svm_pattern_ok(area->base, area->size, seed);
}

static size_t pages_of(const struct svm_area *area)
{
	return area->size / svm_page_size();
}

/* The parent's GPU writes; the child keeps the old data. */
static void parent_gpu_write(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	int written = svm_gate();

	igt_fork(child, 1) {
		svm_gate_wait(written);
		igt_assert(area_has(&area, OLD));
	}
	svm_gpu_pattern(fd, area.base, area.size, NEW);
	svm_gate_open(written);
	svm_area_check(fd, &area, NEW);
	igt_waitchildren();
}

static void child_cpu_write(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	int written = svm_gate(), done = svm_gate();

	igt_fork(child, 1) {
		svm_pattern(area.base, area.size, NEW);
		svm_gate_open(written);
		svm_gate_wait(done);
		igt_assert(area_has(&area, NEW));
	}
	svm_gate_wait(written);
	svm_area_check(fd, &area, OLD);
	svm_gate_open(done);
	igt_waitchildren();
}

/*
 * The child has an address space of its own on the device. The last of small
 * pages was read there before it is written, the others were not.
 */
static void child_gpu_write(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	int written = svm_gate(), done = svm_gate();
	uint32_t last = area.size / 4 - 1;

	igt_fork(child, 1) {
		int own = svm_open_attached();

		igt_assert_eq_u32(svm_gpu_read32(own, area.base + last * 4),
				  OLD + last * 2654435761u);
		svm_gpu_pattern(own, area.base, area.size, NEW);
		svm_gate_open(written);
		svm_gate_wait(done);
		svm_area_check(own, &area, NEW);
	}
	svm_gate_wait(written);
	svm_area_check(fd, &area, OLD);
	svm_gate_open(done);
	igt_waitchildren();
}

/* Both GPUs write at the same time, each its own pages, while VRAM is evicted. */
static void both_gpu_write(int fd, bool huge)
{
	enum { ROUNDS = 8 };
	struct svm_area area = svm_area(fd, huge, OLD);
	int go = svm_gate();

	igt_fork(child, 1) {
		int own = svm_open_attached();

		svm_gate_wait(go);
		for (uint32_t i = 0; i < ROUNDS; i++) {
			svm_gpu_fill(own, area.base, area.size, NEW + i);
			igt_assert(svm_cpu_all32(area.base, area.size, NEW + i));
		}
	}
	svm_gate_open(go);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		svm_gpu_fill(fd, area.base, area.size, OLD + i);
		if (!area.ram)
			__svm_evict_vram(fd);
		igt_assert(svm_cpu_all32(area.base, area.size, OLD + i));
	}
	igt_waitchildren();
}

/* The pages are the parent's alone again. */
static void child_exits_first(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);

	igt_fork(child, 3) {
		/* a child that reads pages in VRAM moves them */
		if (area.ram)
			igt_assert(area_has(&area, OLD));
		svm_area_check_place(&area);
	}
	igt_waitchildren();
	svm_gpu_pattern(fd, area.base, area.size, NEW);
	svm_area_check(fd, &area, NEW);
}

/*
 * fork() by a child, because igt_fork() is for children of the test alone; the exit
 * status says whether @ok holds. An assertion that fails ends such a child too.
 */
#define FORKED(pid, ok) do { \
		pid = fork(); \
		igt_assert(pid >= 0); \
		if (!pid) \
			_exit(!(ok)); \
	} while (0)

static bool ended_well(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && !status;
}

static bool heir_keeps(const struct svm_area *area, int gone)
{
	svm_gate_wait(gone);
	return area_has(area, NEW);
}

/*
 * The process writes an area by its GPU, has a child, and ends. Before that its
 * GPU writes half of the area once more: the child alone has the pages of this
 * half then, and shares those of the other half with its parent until the end.
 */
static void leave_heir(bool huge, int gone, int said)
{
	int own = svm_open_attached();
	struct svm_area area = svm_area(own, huge, NEW);
	pid_t heir = fork();

	igt_assert_lte(0, heir);
	if (!heir) {
		char byte = heir_keeps(&area, gone);

		_exit(write(said, &byte, 1) != 1);
	}
	svm_gpu_fill(own, area.base, area.size / 2, OLD);
}

static void parent_exits_first(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	int gone = svm_gate(), said[2];
	char byte = 0;

	igt_assert(!pipe(said));
	igt_fork(child, 1)
		leave_heir(huge, gone, said[1]);
	igt_waitchildren();
	svm_area_evict(fd, &area);
	svm_gate_open(gone);
	close(said[1]);
	igt_assert(read(said[0], &byte, 1) == 1 && byte);
	close(said[0]);
	svm_area_check(fd, &area, OLD);
}

/* The child has no such mapping; the parent's GPU does not notice. */
static void fork_dontfork(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);

	igt_assert(!madvise(area.base, area.size, MADV_DONTFORK));
	igt_fork(child, 1) {
		int own = svm_open_attached();

		igt_assert_eq(__svm_gpu_touch(own, area.base, 4, 4, false), -ENOENT);
		igt_assert_eq(__svm_gpu_write32(own, area.base, NEW), -ENOENT);
		svm_area_evict(own, &area);
	}
	igt_waitchildren();
	if (area.ram)
		igt_assert(svm_prot_all(fd, area.base, area.size, SVM_RW));
	svm_area_check(fd, &area, OLD);
}

static void fork_wipeonfork(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);

	igt_require(!madvise(area.base, area.size, MADV_WIPEONFORK));
	igt_fork(child, 1) {
		int own = svm_open_attached();

		igt_assert_eq(svm_device_pages(area.base, area.size), 0);
		igt_assert_eq_u32(svm_gpu_read32(own, area.base), 0);
		igt_assert(svm_cpu_all32(area.base, area.size, 0));
		svm_gpu_pattern(own, area.base, area.size, NEW);
		igt_assert(area_has(&area, NEW));
	}
	igt_waitchildren();
	svm_area_check(fd, &area, OLD);
}

/*
 * The GPU writes all of an area that a fork() has write-protected: no page goes
 * to VRAM twice, and a few faults are for many pages.
 */
static void fill_at_once(int fd, const struct svm_area *area, uint32_t value)
{
	struct client_counts before, after;
	size_t pages = pages_of(area);

	svm_counters(fd, &before);
	svm_gpu_fill(fd, area->base, area->size, value);
	svm_counters(fd, &after);
	igt_info("%llu faults, %llu pages to VRAM\n",
		 (unsigned long long)client_counted(&before, &after, FAULTS),
		 (unsigned long long)client_counted(&before, &after, VRAM_PAGES_IN));
	igt_assert_lte_u64(client_counted(&before, &after, VRAM_PAGES_IN), pages);
	igt_assert_lte_u64(client_counted(&before, &after, FAULTS), pages / 4);
	igt_assert_eq(svm_vram_pages(fd, area->base, area->size), area->ram ? 0 : pages);
	igt_assert(svm_cpu_all32(area->base, area->size, value));
}

static void fill_after_fork(int fd, bool huge)
{
	struct svm_area area = svm_area_sized(fd, huge, svm_range_size(), OLD);
	int written = svm_gate();

	igt_fork(child, 1) {
		svm_gate_wait(written);
		igt_assert(area_has(&area, OLD));
	}
	fill_at_once(fd, &area, NEW);
	svm_gate_open(written);
	igt_waitchildren();
}

static bool still_runs(int fd, uint64_t job)
{
	struct drm_svm_test_wait wait;

	return client_wait(fd, job, 0, &wait) == -ETIME;
}

/* Returns whether the job was still running when the last child was there. */
static bool fork_during_job(int fd, const struct svm_area *area)
{
	enum { CHILDREN = 4, FILLS = 32 };
	struct drm_svm_test_cmd cmds[FILLS];
	uint64_t job;
	bool ran;

	for (int i = 0; i < FILLS; i++)
		cmds[i] = svm_cmd_fill(area->base, area->size, NEW + i);
	job = svm_submit(fd, cmds, FILLS);
	for (int i = 0; i < CHILDREN; i++) {
		igt_fork(child, 1) {
			char *copy = svm_mmap_small(area->size);

			memcpy(copy, area->base, area->size);
			if (area->ram)
				usleep(30000);
			else
				__svm_evict_vram(fd);
			igt_assert(!memcmp(copy, area->base, area->size));
		}
	}
	ran = still_runs(fd, job);
	svm_wait_ok(fd, job);
	igt_assert(svm_cpu_all32(area->base, area->size, NEW + FILLS - 1));
	igt_waitchildren();
	return ran;
}

/* What a child sees does not change while the parent's GPU goes on writing. */
static void fork_while_writing(int fd, bool huge)
{
	enum { TRIES = 20 };
	struct svm_area area = svm_area_sized(fd, huge, svm_range_size(), OLD);
	int try = 0;

	while (!fork_during_job(fd, &area))
		igt_assert_lt(++try, TRIES);
}

/* Pages in VRAM */

static void child_reads(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);

	igt_fork(child, 1)
		igt_assert(area_has(&area, OLD));
	igt_waitchildren();
	svm_area_check(fd, &area, OLD);
}

static void parent_writes(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	int written = svm_gate();

	igt_fork(child, 1) {
		svm_gate_wait(written);
		igt_assert(area_has(&area, OLD));
	}
	svm_pattern(area.base, area.size, NEW);
	svm_evict_vram(fd);
	svm_gate_open(written);
	svm_area_check(fd, &area, NEW);
	igt_waitchildren();
}

/* Neither side touches the pages between the fork and the eviction */
static void fork_evicted(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	int gone = svm_gate();

	igt_fork(child, 1) {
		svm_gate_wait(gone);
		igt_assert_eq(svm_device_pages(area.base, area.size), 0);
		igt_assert(area_has(&area, OLD));
		svm_pattern(area.base, area.size, NEW);
	}
	igt_assert_eq(svm_device_pages(area.base, area.size), pages_of(&area));
	svm_evict_vram(fd);
	svm_gate_open(gone);
	igt_waitchildren();
	svm_area_check(fd, &area, OLD);
}

/* The child has what the parent's GPU has, at the same place */
static void child_gpu_reads(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);

	igt_fork(child, 1) {
		int own = svm_open_attached();

		svm_gpu_touch(own, area.base, area.size, svm_page_size(), false);
		igt_assert_eq(svm_vram_pages(own, area.base, area.size), pages_of(&area));
		igt_assert(svm_gpu_pattern_ok(own, area.base, area.size, OLD));
		igt_assert(!(svm_prot(own, area.base) & DRM_SVM_PAGE_WRITE));
		svm_evict_vram(own);
		igt_assert(svm_gpu_pattern_ok(own, area.base, area.size, OLD));
	}
	igt_waitchildren();
	svm_area_check(fd, &area, OLD);
}

/* Generation @n writes part @n of the area, and finds the parts of its ancestors. */
enum { GENERATIONS = 3 };

static bool check_generation(const struct svm_area *area, int n)
{
	size_t part = pages_of(area) / GENERATIONS * svm_page_size();
	bool ok = true;

	svm_pattern(area->base + n * part, part, NEW + n);
	for (int i = 0; i <= n; i++)
		ok &= svm_pattern_ok(area->base + i * part, part, NEW + i);
	for (int i = n + 1; i < GENERATIONS; i++)
		ok &= *(uint32_t *)(area->base + i * part) != NEW + i;
	return ok;
}

/* Brings the pages to VRAM by a GPU of its own, between two looks at them */
static bool generation(const struct svm_area *area, int n)
{
	int own = svm_open_attached();
	bool ok = check_generation(area, n);
	pid_t pid;

	svm_to_vram(own, area->base, area->size);
	if (n + 1 < GENERATIONS) {
		FORKED(pid, generation(area, n + 1));
		ok &= ended_well(pid);
	}
	svm_evict_vram(own);
	ok &= check_generation(area, n);
	close(own);
	return ok;
}

static void fork_grandchildren(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);

	igt_fork(child, 1)
		igt_assert(generation(&area, 0));
	igt_waitchildren();
	svm_gpu_pattern(fd, area.base, area.size, OLD);
	svm_area_check(fd, &area, OLD);
}

/* Pages go to VRAM when a child has them too, or has had them */
static void before_vram(int fd, bool huge)
{
	struct svm_area area = { .size = svm_range_size(), .huge = huge };
	int gate = svm_gate();

	area.base = huge ? svm_mmap_thp(area.size) : svm_mmap_small(area.size);
	svm_pattern(area.base, area.size, OLD);
	igt_fork(child, 1) {
		svm_gate_wait(gate);
		igt_assert(area_has(&area, OLD));
	}
	igt_assert(svm_gpu_pattern_ok(fd, area.base, area.size, OLD));
	igt_assert_lt(0, svm_device_pages(area.base, area.size));
	svm_gate_open(gate);
	igt_waitchildren();
	svm_evict_vram(fd);
	igt_assert(svm_gpu_pattern_ok(fd, area.base, area.size, OLD));
	svm_area_check(fd, &area, OLD);
}

/* Children come and go while a thread evicts all the time. */
static void under_eviction(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);

	svm_evictor_start(fd);
	for (int round = 0; round < 4; round++) {
		svm_gpu_pattern(fd, area.base, area.size, OLD + round);
		igt_fork(child, 2) {
			igt_assert(area_has(&area, OLD + round));
			svm_pattern(area.base, area.size, NEW);
			igt_assert(area_has(&area, NEW));
		}
		igt_assert(svm_gpu_pattern_ok(fd, area.base, area.size, OLD + round));
		igt_waitchildren();
	}
	svm_evictor_stop();
	svm_area_check(fd, &area, OLD + 3);
}

static void fill_after_child(int fd, bool huge)
{
	struct svm_area area = svm_area_sized(fd, huge, svm_range_size(), OLD);

	igt_fork(child, 1)
		igt_assert_eq(svm_device_pages(area.base, area.size), pages_of(&area));
	igt_waitchildren();
	fill_at_once(fd, &area, NEW);
}

static void fill_by_child(int fd, bool huge)
{
	struct svm_area area = svm_area_sized(fd, huge, svm_range_size(), OLD);

	igt_fork(child, 1)
		fill_at_once(svm_open_attached(), &area, NEW);
	igt_waitchildren();
	svm_area_check(fd, &area, OLD);
}

/* Pages in RAM, and what never is in VRAM */

static size_t area_size(void)
{
	return PAGES * svm_page_size();
}

static void check_gpu(int fd, const char *base, uint32_t value)
{
	igt_assert_eq_u32(svm_gpu_read32(fd, base), value);
	igt_assert_eq_u32(svm_gpu_read32(fd, base + area_size() - 4), value);
}

/* fork itself must take write access away from the GPU */
static void fork_protects(int fd)
{
	int done = svm_gate();
	char *base = svm_gpu_area(fd, area_size(), OLD);

	igt_fork(child, 1)
		svm_gate_wait(done);
	igt_assert(!(svm_prot(fd, base) & DRM_SVM_PAGE_WRITE));
	igt_assert(!(svm_prot(fd, svm_page(base, PAGES - 1)) & DRM_SVM_PAGE_WRITE));
	svm_gate_open(done);
	igt_waitchildren();
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

static const struct svm_vram_case both_cases[] = {
	{ "parent-gpu-write", "The child does not see what the parent's GPU writes.",
	  parent_gpu_write },
	{ "child-cpu-write", "The parent's GPU does not see what the child writes.",
	  child_cpu_write },
	{ "child-gpu-write", "The parent does not see what the child's GPU writes.",
	  child_gpu_write },
	{ "both-gpu-write", "Both sides' GPUs write, each to its own memory.", both_gpu_write },
	{ "child-exits-first", "After the child's exit the parent's GPU writes to the memory.",
	  child_exits_first },
	{ "parent-exits-first", "After the parent's exit the child's memory is intact.",
	  parent_exits_first },
	{ "dontfork", "A child without the memory disturbs nobody.", fork_dontfork },
	{ "wipeonfork", "Memory that is wiped in the child is not in the parent.",
	  fork_wipeonfork },
	{ "fill-after-fork", "The GPU writes all that it shares with a child.", fill_after_fork },
	{ "fork-while-writing", "A child's memory does not change under running GPU jobs.",
	  fork_while_writing },
};

static const struct svm_case ram_cases[] = {
	{ "fork-protects", "fork takes write access away from the GPU.", fork_protects },
	{ "huge-page", "Copy on write of a huge page.", huge_page },
	{ "shared-memory", "Shared memory stays shared.", shared_memory },
	{ "private-file", "Copy on write of private pages of a file.", private_file },
	{ "write-one-after-fork", "The GPU writes one page of those that it shares.",
	  write_one_after_fork },
	{ "ksm-read", "Reading merged pages leaves them merged.", ksm_read },
	{ "ksm-write", "Writing a merged page changes no other.", ksm_write },
	{ "ksm-merge-mapped", "Pages that the GPU has mapped are merged.", ksm_merge_mapped },
	{ "ksm-unmerge", "Merged pages are separated again.", ksm_unmerge },
};

static const struct svm_vram_case vram_cases[] = {
	{ "child-reads", "The child reads pages in VRAM.", child_reads },
	{ "parent-writes", "The parent writes, the child keeps its pages.", parent_writes },
	{ "evicted", "Pages of both are evicted before one of them touches them.", fork_evicted },
	{ "child-gpu-reads", "The child's GPU uses inherited pages where they are.",
	  child_gpu_reads },
	{ "grandchildren", "Three generations write to pages that they share.",
	  fork_grandchildren },
	{ "before", "Pages go to VRAM while a child has them too.", before_vram },
	{ "fill-after-child", "The GPU writes all that a dead child has shared.",
	  fill_after_child },
	{ "fill-by-child", "The child's GPU writes all that its parent has too.", fill_by_child },
	{ "under-eviction", "Children come and go while VRAM is evicted.", under_eviction },
};

int igt_main()
{
	svm_in_ram(both_cases);
	svm_cases(ram_cases);

	igt_fixture()
		svm_vram_on("vram_mb=16");

	svm_in_vram(both_cases);
	svm_in_vram(vram_cases);

	igt_fixture()
		svm_vram_off();
}
