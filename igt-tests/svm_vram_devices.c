// SPDX-License-Identifier: MIT
/*
 * Two GPUs, each with VRAM of its own, use the same memory of one process. A page
 * is in one place at a time, so what one GPU has in its VRAM has to leave it when
 * the other one asks.
 */

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_job.h"
#include "svm_prefetch.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("Two GPUs with VRAM use the same memory.");

#define OLD	0x2d2d0000u
#define NEW	0x3d3d0000u
#define DEVICES	2

static void open_both(int fd, int fds[DEVICES])
{
	fds[0] = fd;
	fds[1] = svm_open_index_attached(1);
}

static size_t pages_of(const struct svm_area *area)
{
	return area->size / svm_page_size();
}

/* Each in turn writes what the other one reads, and the CPU at times */
static void devices_alternate(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	int fds[DEVICES];

	open_both(fd, fds);
	for (uint32_t i = 0; i < 6; i++) {
		int writer = fds[i % DEVICES], reader = fds[(i + 1) % DEVICES];

		svm_gpu_pattern(writer, area.base, area.size, NEW + i);
		igt_assert(svm_gpu_pattern_ok(reader, area.base, area.size, NEW + i));
		if (i % 3 == 2)
			igt_assert(svm_pattern_ok(area.base, area.size, NEW + i));
	}
	svm_evict_vram(fds[1]);
	svm_area_check(fd, &area, NEW + 5);
	close(fds[1]);
}

/* A page in the VRAM of one is in the reach of the other only after it has left */
static void handed_over(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	int fds[DEVICES];

	open_both(fd, fds);
	igt_assert_eq(svm_vram_pages(fds[1], area.base, area.size), 0);
	igt_assert(svm_gpu_pattern_ok(fds[1], area.base, area.size, OLD));
	for (int i = 1; i >= 0; i--) {
		svm_evict_vram(fds[0]);
		svm_evict_vram(fds[1]);
		svm_to_vram(fds[i], area.base, area.size);
		igt_assert_eq(svm_vram_pages(fds[!i], area.base, area.size), 0);
		igt_assert(svm_gpu_pattern_ok(fds[!i], area.base, area.size, OLD));
	}
	svm_gpu_pattern(fds[1], area.base, area.size, NEW);
	close(fds[1]);
	igt_assert(svm_pattern_ok(area.base, area.size, NEW));
}

/* Eviction of one device leaves the pages in the other's VRAM */
static void evict_one(int fd, bool huge)
{
	struct svm_area a = svm_area(fd, huge, OLD), b;
	int fds[DEVICES];

	open_both(fd, fds);
	b = svm_area(fds[1], huge, NEW);
	svm_evict_vram(fds[0]);
	igt_assert_eq(svm_device_pages(a.base, a.size), 0);
	igt_assert_eq(svm_device_pages(b.base, b.size), pages_of(&b));
	svm_area_check(fds[0], &a, OLD);
	svm_area_check(fds[1], &b, NEW);
	svm_area_free(&b);
	close(fds[1]);
}

/* From the memory of the one to the memory of the other, by either's engines */
static void copy_between(int fd, bool huge)
{
	struct svm_area a = svm_area(fd, huge, OLD), b;
	int fds[DEVICES];

	open_both(fd, fds);
	b = svm_area(fds[1], huge, NEW);
	svm_gpu_copy(fds[0], b.base, a.base, a.size);
	igt_assert(svm_pattern_ok(b.base, b.size, OLD));
	svm_gpu_pattern(fds[1], b.base, b.size, NEW);
	svm_to_vram(fds[0], a.base, a.size);
	svm_to_vram(fds[1], b.base, b.size);
	svm_gpu_copy(fds[1], a.base, b.base, b.size);
	igt_assert(svm_pattern_ok(a.base, a.size, NEW));
	svm_area_free(&b);
	close(fds[1]);
}

/* Adds of both, to the first word of some pages, by as many jobs as @n */
static uint64_t submit_adds(int fd, const struct svm_area *area, int n, uint64_t adds)
{
	enum { WORDS = 4 };
	struct drm_svm_test_cmd cmds[WORDS];
	uint64_t job = 0;

	for (int i = 0; i < WORDS; i++)
		cmds[i] = svm_cmd_add64(svm_page(area->base, i * 7), 1, adds);
	while (n--)
		job = svm_submit_on(fd, 0, cmds, WORDS);
	return job;
}

static void run_both(const int fds[DEVICES], const struct svm_area *area, int n, uint64_t adds)
{
	uint64_t jobs[DEVICES];

	for (int i = 0; i < 4; i++)
		*(uint64_t *)svm_page(area->base, i * 7) = 0;
	for (int i = 0; i < DEVICES; i++)
		jobs[i] = submit_adds(fds[i], area, n, adds);
	for (int i = 0; i < n; i++)
		__atomic_fetch_add((uint64_t *)area->base, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < DEVICES; i++)
		svm_wait_ok(fds[i], jobs[i]);
	igt_assert_eq_u64(*(uint64_t *)area->base, DEVICES * n * adds + n);
	for (int i = 1; i < 4; i++)
		igt_assert_eq_u64(*(uint64_t *)svm_page(area->base, i * 7), DEVICES * n * adds);
}

/* Atomics of both GPUs and of the CPU at the same time */
static void devices_atomics(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	int fds[DEVICES];

	open_both(fd, fds);
	run_both(fds, &area, 8, 200);
	close(fds[1]);
}

static void atomics_evicted(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	int fds[DEVICES];

	open_both(fd, fds);
	svm_evictor_start(fds[1]);
	run_both(fds, &area, 5, 200);
	svm_evictor_stop();
	close(fds[1]);
}

/* At the same time one writes the even pages and the other one the odd ones */
static void devices_interleaved(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	size_t page = svm_page_size(), n = pages_of(&area);
	int fds[DEVICES];

	open_both(fd, fds);
	for (uint32_t round = 0; round < 3; round++) {
		struct drm_svm_test_cmd cmds[DEVICES][16];
		uint64_t jobs[DEVICES];

		for (size_t i = 0; i < 32; i++)
			cmds[i % 2][i / 2] = svm_cmd_fill(area.base + i * (n / 32) * page, page,
							  NEW + round * 32 + i);
		for (int i = 0; i < DEVICES; i++)
			jobs[i] = svm_submit(fds[i], cmds[i], 16);
		for (int i = 0; i < DEVICES; i++)
			svm_wait_ok(fds[i], jobs[i]);
		for (size_t i = 0; i < 32; i++)
			igt_assert(svm_cpu_all32(area.base + i * (n / 32) * page, page,
						 NEW + round * 32 + i));
	}
	close(fds[1]);
}

/* The pages of one block are in both VRAMs: to the CPU each comes from where it is */
static void devices_mixed(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	size_t page = svm_page_size(), n = 32;
	int fds[DEVICES];

	open_both(fd, fds);
	for (int i = 0; i < DEVICES; i++)
		svm_evict_vram(fds[i]);
	for (size_t i = 0; i < n; i++)
		igt_assert_eq(svm_prefetch(fds[i % DEVICES], area.base + i * page, page,
					   DRM_SVM_LOCATION_VRAM), 1);
	igt_assert_eq(svm_device_pages(area.base, n * page), n);
	igt_assert(svm_pattern_ok(area.base, n * page, OLD));
	close(fds[1]);
	svm_area_check(fd, &area, OLD);
}

/*
 * Each GPU copies between the same two places all the time: a command needs both,
 * and neither GPU may keep the other one from ever having them.
 */
static void copy_fight(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	size_t half = area.size / 2, size = 4 * svm_page_size();
	struct drm_svm_test_cmd cmds[DEVICES];
	uint64_t jobs[DEVICES];
	int fds[DEVICES];

	open_both(fd, fds);
	cmds[0] = svm_cmd_copy(area.base + half, area.base, size);
	cmds[1] = svm_cmd_copy(area.base + half + size, area.base, size);
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < DEVICES; i++)
			jobs[i] = svm_submit(fds[i], &cmds[i], 1);
		for (int i = 0; i < DEVICES; i++)
			svm_wait_ok(fds[i], jobs[i]);
	}
	for (int i = 0; i < DEVICES; i++)
		igt_assert(svm_pattern_ok(area.base + half + i * size, size, OLD));
	close(fds[1]);
}

/* Two files of the process on one device: what is in VRAM is for both */
static void two_files(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	int other = svm_open_attached();

	svm_gpu_touch(other, area.base, area.size, svm_page_size(), false);
	igt_assert_eq(svm_vram_pages(other, area.base, area.size), pages_of(&area));
	igt_assert_eq(svm_vram_pages(fd, area.base, area.size), pages_of(&area));
	svm_gpu_pattern(other, area.base, area.size, NEW);
	igt_assert(svm_gpu_pattern_ok(fd, area.base, area.size, NEW));
	svm_evict_vram(fd);
	igt_assert_eq(svm_vram_pages(other, area.base, area.size), 0);
	igt_assert(svm_gpu_pattern_ok(other, area.base, area.size, NEW));
	close(other);
	svm_area_check(fd, &area, NEW);
}

static const struct svm_vram_case cases[] = {
	{ "alternate", "One writes what the other one reads, in turns.", devices_alternate },
	{ "hand-over", "Pages go from the VRAM of one to that of the other.", handed_over },
	{ "evict-one", "Eviction is of one device.", evict_one },
	{ "copy-between", "Data goes from the VRAM of one to that of the other.", copy_between },
	{ "atomics", "Atomics of both GPUs and of the CPU add up.", devices_atomics },
	{ "atomics-evicted", "They add up while pages are evicted.", atomics_evicted },
	{ "interleaved", "Both write to pages side by side.", devices_interleaved },
	{ "mixed", "Pages side by side are in the VRAM of both.", devices_mixed },
	{ "two-files", "Two files of one device use the same pages.", two_files },
	{ "copy-fight", "Both copy between the same pages.", copy_fight },
};

static const struct svm_vram_case lane_cases[] = {
	{ "copy-fight-one-lane",
	  "Both copy between the same pages, and ask for one page at a time.", copy_fight,
	  .one = true },
};

int igt_main()
{
	igt_fixture()
		svm_vram_on("num_devices=2 vram_mb=16");

	svm_vram_cases(cases);

	igt_fixture()
		svm_vram_on("num_devices=2 vram_mb=16 lanes=1");

	svm_vram_cases(lane_cases);

	igt_fixture()
		svm_vram_off();
}
