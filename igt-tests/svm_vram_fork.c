// SPDX-License-Identifier: MIT
/*
 * Pages in VRAM that several processes share since a fork: who writes gets a copy,
 * who does not keeps what was there, and eviction finds all of them.
 */

#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_job.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("Pages in VRAM that processes share, copy on write.");

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

static void child_reads(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);

	igt_fork(child, 1)
		igt_assert(area_has(&area, OLD));
	igt_waitchildren();
	svm_area_check(fd, &area, OLD);
}

static void child_writes(int fd, bool huge)
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

static void parent_gpu_writes(int fd, bool huge)
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

static void child_gpu_writes(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	int written = svm_gate(), done = svm_gate();

	igt_fork(child, 1) {
		int own = svm_open_attached();

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

/* Both GPUs write at the same time, each its own pages, while VRAM is evicted */
static void both_gpus_write(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	int go = svm_gate();

	igt_fork(child, 1) {
		int own = svm_open_attached();

		svm_gate_wait(go);
		for (uint32_t i = 0; i < 6; i++) {
			svm_gpu_fill(own, area.base, area.size, NEW + i);
			igt_assert(svm_cpu_all32(area.base, area.size, NEW + i));
		}
	}
	svm_gate_open(go);
	for (uint32_t i = 0; i < 6; i++) {
		svm_gpu_fill(fd, area.base, area.size, OLD + i);
		__svm_evict_vram(fd);
		igt_assert(svm_cpu_all32(area.base, area.size, OLD + i));
	}
	igt_waitchildren();
}

/* fork() of children that have children; the exit status says whether @ok holds */
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

/* Brings pages to VRAM, has a child, and ends */
static bool leave_heir(bool huge, int gone, int said)
{
	int own = svm_open_attached();
	struct svm_area area = svm_area(own, huge, NEW);

	if (!fork()) {
		char byte = heir_keeps(&area, gone);

		_exit(write(said, &byte, 1) != 1);
	}
	return true;
}

static void parent_exits(int fd, bool huge)
{
	int gone = svm_gate(), said[2];
	char byte = 0;
	pid_t pid;

	igt_assert(!pipe(said));
	FORKED(pid, leave_heir(huge, gone, said[1]));
	igt_assert(ended_well(pid));
	svm_evict_vram(fd);
	svm_gate_open(gone);
	close(said[1]);
	igt_assert(read(said[0], &byte, 1) == 1 && byte);
	close(said[0]);
}

/* The pages are the parent's alone again */
static void child_exits(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);

	igt_fork(child, 3)
		igt_assert_eq(svm_device_pages(area.base, area.size), pages_of(&area));
	igt_waitchildren();
	svm_gpu_pattern(fd, area.base, area.size, NEW);
	svm_area_check(fd, &area, NEW);
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

	igt_assert(generation(&area, 0));
	svm_gpu_pattern(fd, area.base, area.size, OLD);
	svm_area_check(fd, &area, OLD);
}

/* What a child sees does not change while the parent's GPU goes on writing in VRAM */
static void under_writes(int fd, bool huge)
{
	enum { CHILDREN = 4, FILLS = 32 };
	struct svm_area area = svm_area(fd, huge, OLD);
	struct drm_svm_test_cmd cmds[FILLS];
	uint64_t job;

	for (int i = 0; i < FILLS; i++)
		cmds[i] = svm_cmd_fill(area.base, area.size, NEW + i);
	job = svm_submit(fd, cmds, FILLS);
	for (int i = 0; i < CHILDREN; i++) {
		igt_fork(child, 1) {
			char *copy = svm_mmap_small(area.size);

			memcpy(copy, area.base, area.size);
			__svm_evict_vram(fd);
			igt_assert(!memcmp(copy, area.base, area.size));
		}
	}
	svm_wait_ok(fd, job);
	igt_assert(svm_cpu_all32(area.base, area.size, NEW + FILLS - 1));
	igt_waitchildren();
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

/*
 * The GPU writes all of an area that a fork() has write-protected: no page goes to VRAM
 * twice, and a few faults are for many pages.
 */
static void fill_at_once(int fd, const struct svm_area *area, uint32_t value)
{
	struct drm_svm_counters before, after;
	size_t pages = pages_of(area);

	svm_counters(fd, &before);
	svm_gpu_fill(fd, area->base, area->size, value);
	svm_counters(fd, &after);
	igt_info("%llu faults, %llu pages to VRAM\n",
		 (unsigned long long)(after.out_faults - before.out_faults),
		 (unsigned long long)(after.out_vram_pages_in - before.out_vram_pages_in));
	igt_assert_lte_u64(after.out_vram_pages_in - before.out_vram_pages_in, pages);
	igt_assert_lte_u64(after.out_faults - before.out_faults, pages / 4);
	igt_assert_eq(svm_vram_pages(fd, area->base, area->size), pages);
	igt_assert(svm_cpu_all32(area->base, area->size, value));
}

static void fill_after_child(int fd, bool huge)
{
	struct svm_area area = svm_area_sized(fd, huge, svm_range_size(), OLD);

	igt_fork(child, 1)
		igt_assert_eq(svm_device_pages(area.base, area.size), pages_of(&area));
	igt_waitchildren();
	fill_at_once(fd, &area, NEW);
}

static void fill_beside_child(int fd, bool huge)
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

static void fill_by_child(int fd, bool huge)
{
	struct svm_area area = svm_area_sized(fd, huge, svm_range_size(), OLD);

	igt_fork(child, 1)
		fill_at_once(svm_open_attached(), &area, NEW);
	igt_waitchildren();
	svm_area_check(fd, &area, OLD);
}

static const struct svm_vram_case cases[] = {
	{ "child-reads", "The child reads pages in VRAM.", child_reads },
	{ "child-writes", "The child writes, the parent keeps its pages.", child_writes },
	{ "parent-writes", "The parent writes, the child keeps its pages.", parent_writes },
	{ "parent-gpu-writes", "The parent's GPU writes, the child keeps its pages.",
	  parent_gpu_writes },
	{ "evicted", "Pages of both are evicted before one of them touches them.", fork_evicted },
	{ "child-gpu-reads", "The child's GPU uses inherited pages where they are.",
	  child_gpu_reads },
	{ "child-gpu-writes", "The child's GPU writes, the parent keeps its pages.",
	  child_gpu_writes },
	{ "both-gpus-write", "Both GPUs write, each to its own memory.", both_gpus_write },
	{ "parent-exits", "The child keeps pages that its dead parent brought to VRAM.",
	  parent_exits },
	{ "child-exits", "After the end of its children the parent's pages are its own.",
	  child_exits },
	{ "grandchildren", "Three generations write to pages that they share.",
	  fork_grandchildren },
	{ "before-vram", "Pages go to VRAM while a child has them too.", before_vram },
	{ "under-writes", "A child's memory does not change while the GPU writes in VRAM.",
	  under_writes },
	{ "fill-after-child", "The GPU writes all that a dead child has shared.",
	  fill_after_child },
	{ "fill-beside-child", "The GPU writes all that a child has too.", fill_beside_child },
	{ "fill-by-child", "The child's GPU writes all that its parent has too.", fill_by_child },
	{ "under-eviction", "Children come and go while VRAM is evicted.", under_eviction },
};

int igt_main()
{
	igt_fixture()
		svm_vram_on("vram_mb=16");

	svm_vram_cases(cases);

	igt_fixture()
		svm_vram_off();
}
