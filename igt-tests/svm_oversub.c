// SPDX-License-Identifier: MIT
/*
 * More memory than there is VRAM: whatever goes out, and comes in again, and goes
 * out for something else, is right in the end.
 */

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_job.h"
#include "svm_random.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("Working sets that are larger than VRAM.");

#define NEW	0x3e3e0000u
#define MIB	(1024 * 1024)
#define CHUNK	MIB

/* A working set of @times the VRAM, in which nothing is yet */
static struct svm_area working_set(int fd, bool huge, int times)
{
	struct svm_area area = { .size = times * svm_vram_size(fd), .huge = huge };

	area.base = svm_mmap_untouched(area.size, huge);
	return area;
}

/* The first word of each page, which is what the GPU changes beside the pattern */
static uint32_t *page_word(const struct svm_area *area, size_t page)
{
	return svm_page(area->base, page);
}

static void write_all(int fd, const struct svm_area *area)
{
	for (size_t at = 0; at < area->size; at += CHUNK)
		svm_gpu_pattern(fd, area->base + at, CHUNK, NEW + at);
}

/* The pattern of write_all(), with @added to the first word of each page */
static bool all_ok(const struct svm_area *area, const uint32_t *added)
{
	size_t page = svm_page_size(), n = area->size / page;

	for (size_t i = 0; i < n; i++)
		*page_word(area, i) -= added[i];
	for (size_t at = 0; at < area->size; at += CHUNK)
		if (!svm_pattern_ok(area->base + at, CHUNK, NEW + at))
			return false;
	return true;
}

/* Add 1 to the words of @n pages that @next names one after the other */
static void add_to_pages(int fd, const struct svm_area *area, uint32_t *added, size_t n,
			 size_t (*next)(struct svm_rng *rng, size_t pages))
{
	enum { BATCH = 64 };
	size_t pages = area->size / svm_page_size();
	struct drm_svm_test_cmd cmds[BATCH];
	struct svm_rng rng = svm_rng(0x1234567, 0);
	int filled = 0;

	while (n--) {
		size_t page = next(&rng, pages);

		added[page]++;
		cmds[filled++] = svm_cmd_add32(page_word(area, page), 1, 1);
		if (filled == BATCH || !n)
			svm_wait_ok(fd, svm_submit(fd, cmds, filled));
		if (filled == BATCH)
			filled = 0;
	}
}

static size_t next_random(struct svm_rng *rng, size_t pages)
{
	return svm_rng_below(rng, pages);
}

/* Every seventh page: several times around until each had its turn */
static size_t next_in_order(struct svm_rng *rng, size_t pages)
{
	rng->state += 7;
	return rng->state % pages;
}

static void run(int fd, bool huge, int times, size_t adds,
		size_t (*next)(struct svm_rng *rng, size_t pages))
{
	struct svm_area area = working_set(fd, huge, times);
	uint32_t *added = calloc(area.size / svm_page_size(), sizeof(*added));

	igt_assert(added);
	write_all(fd, &area);
	add_to_pages(fd, &area, added, adds, next);
	igt_assert_lte_u64(svm_vram_pages(fd, area.base, area.size) * svm_page_size(),
			   svm_vram_size(fd));
	igt_assert(all_ok(&area, added));
	free(added);
	svm_area_free(&area);
}

static void stream_2x(int fd, bool huge)
{
	run(fd, huge, 2, 2048, next_in_order);
}

static void stream_4x(int fd, bool huge)
{
	run(fd, huge, 4, 1024, next_in_order);
}

static void random_2x(int fd, bool huge)
{
	run(fd, huge, 2, huge ? 128 : 512, next_random);
}

static void random_4x(int fd, bool huge)
{
	run(fd, huge, 4, huge ? 128 : 256, next_random);
}

/* Pages of before are read again and again while others pass by */
static void hot_set(int fd, bool huge)
{
	struct svm_area area = working_set(fd, huge, 2);
	uint32_t *added = calloc(area.size / svm_page_size(), sizeof(*added));

	igt_assert(added);
	for (size_t at = 0; at < area.size; at += CHUNK) {
		svm_gpu_pattern(fd, area.base + at, CHUNK, NEW + at);
		igt_assert(svm_gpu_pattern_ok(fd, area.base, CHUNK, NEW));
	}
	igt_assert(all_ok(&area, added));
	free(added);
	svm_area_free(&area);
}

/* Buffer objects that compete: each is as large as a quarter of VRAM */
struct bos {
	enum { BOS = 3 } count;
	size_t size;
	uint32_t *gpu[BOS];
	uint32_t handle[BOS];
};

static void bos_make(int fd, struct bos *bos)
{
	bos->size = svm_vram_size(fd) / 4;
	for (int i = 0; i < BOS; i++) {
		bos->handle[i] = svm_bo_create(fd, bos->size, DRM_SVM_TEST_BO_VRAM);
		bos->gpu[i] = svm_bo_bind(fd, bos->handle[i],
					  svm_bo_start(fd) + i * bos->size, bos->size);
		svm_gpu_fill(fd, bos->gpu[i], bos->size, NEW + i);
	}
}

/* Each has what it had, and more of it now */
static void bos_use(int fd, struct bos *bos, uint32_t round)
{
	for (int i = 0; i < BOS; i++) {
		uint32_t *last = bos->gpu[i] + bos->size / sizeof(uint32_t) - 1;

		igt_assert_eq_u32(svm_gpu_read32(fd, bos->gpu[i]), NEW + i + round);
		svm_gpu_add(fd, bos->gpu[i], 1, 1, false);
		igt_assert_eq_u32(svm_gpu_read32(fd, last), NEW + i);
	}
}

static void bos_check(int fd, struct bos *bos, uint32_t rounds)
{
	for (int i = 0; i < BOS; i++) {
		uint32_t *map = svm_bo_map(fd, bos->handle[i], bos->size);

		igt_assert_eq_u32(map[0], NEW + i + rounds);
		igt_assert(svm_cpu_all32(map + 1, bos->size - 4, NEW + i));
		munmap(map, bos->size);
		svm_bo_unbind(fd, bos->gpu[i], bos->size);
		svm_bo_close(fd, bos->handle[i]);
	}
}

static void with_bos(int fd, bool huge)
{
	struct svm_area area = working_set(fd, huge, 2);
	uint32_t *added = calloc(area.size / svm_page_size(), sizeof(*added));
	uint32_t rounds = 0;
	struct bos bos;

	igt_assert(added);
	bos_make(fd, &bos);
	for (size_t at = 0; at < area.size; at += CHUNK) {
		svm_gpu_pattern(fd, area.base + at, CHUNK, NEW + at);
		if (at / CHUNK % 4 == 3)
			bos_use(fd, &bos, rounds++);
	}
	add_to_pages(fd, &area, added, huge ? 32 : 128, next_random);
	bos_use(fd, &bos, rounds++);
	igt_assert(all_ok(&area, added));
	bos_check(fd, &bos, rounds);
	free(added);
	svm_area_free(&area);
}

/* At the same time, each with more than its half of VRAM, one with buffers too */
static void oversub_processes(int fd, bool huge)
{
	igt_fork(child, 2) {
		int own = svm_open_attached();

		if (child)
			with_bos(own, huge);
		else
			run(own, huge, 2, huge ? 64 : 256, next_random);
		close(own);
	}
	igt_waitchildren();
}

/* A command that alone needs more than there is */
static void one_command(int fd, bool huge)
{
	struct svm_area area = working_set(fd, huge, 2);
	size_t half = area.size / 2;

	svm_gpu_fill(fd, area.base, half, NEW);
	svm_gpu_copy(fd, area.base + half, area.base, half);
	svm_gpu_fill(fd, area.base, area.size, NEW + 1);
	svm_gpu_fill(fd, area.base, half, NEW + 2);
	igt_assert(svm_cpu_all32(area.base, half, NEW + 2));
	igt_assert(svm_cpu_all32(area.base + half, half, NEW + 1));
	svm_area_free(&area);
}

/* A file is closed with VRAM full: what it had is still there, and makes room */
static void oversub_closed(int fd, bool huge)
{
	struct svm_area area = working_set(fd, huge, 2), other;
	uint32_t *added = calloc(area.size / svm_page_size(), sizeof(*added));
	int own = svm_open_attached();

	igt_assert(added);
	write_all(own, &area);
	close(own);
	igt_assert_lt(0, svm_device_pages(area.base, area.size));
	other = working_set(fd, huge, 1);
	write_all(fd, &other);
	igt_assert(all_ok(&other, added));
	igt_assert(all_ok(&area, added));
	free(added);
	svm_area_free(&other);
	svm_area_free(&area);
}

static const struct svm_vram_case cases[] = {
	{ "stream-2x", "Twice the VRAM, in order.", stream_2x },
	{ "stream-4x", "Four times the VRAM, in order.", stream_4x },
	{ "random-2x", "Twice the VRAM, in no order.", random_2x },
	{ "random-4x", "Four times the VRAM, in no order.", random_4x },
	{ "hot-set", "Some pages are used all the time, others once.", hot_set },
	{ "one-command", "Single commands need more than VRAM.", one_command },
	{ "buffers", "Buffer objects compete with twice the VRAM.", with_bos },
	{ "processes", "Two processes compete, one of them with buffer objects.",
	  oversub_processes },
	{ "closed", "Pages of a closed file make room for those of another.", oversub_closed },
};

static void oversub_tiny(int fd, bool huge)
{
	run(fd, huge, 8, 256, next_random);
}

static const struct svm_vram_case tiny_cases[] = {
	{ "tiny", "There is less VRAM than a huge page takes.", oversub_tiny },
};

int igt_main()
{
	igt_fixture()
		svm_vram_on("vram_mb=4");

	svm_vram_cases(cases);

	igt_fixture()
		svm_vram_on("vram_mb=1");

	svm_vram_cases(tiny_cases);

	igt_fixture()
		svm_vram_off();
}
