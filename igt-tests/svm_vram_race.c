// SPDX-License-Identifier: MIT
/*
 * CPUs, GPUs and eviction meet at the same pages. Atomics of all sides add up
 * exactly, whatever moved in between, and pages that nobody wrote keep their data.
 */

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_job.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("CPUs, GPUs and eviction meet at the same pages.");

#define OLD	0x6a6a0000u
#define NEW	0x7c7c0000u
#define THREADS	8

/* Words that everybody adds to: at the begin, in the middle and at the end of the area */
enum { WORDS = 3 };

static uint64_t *word(const struct svm_area *area, int i)
{
	size_t last = area->size / svm_page_size() - 1;

	return svm_page(area->base, i * last / (WORDS - 1));
}

static void clear_words(const struct svm_area *area)
{
	for (int i = 0; i < WORDS; i++)
		*word(area, i) = 0;
}

static void check_words(const struct svm_area *area, uint64_t sum)
{
	for (int i = 0; i < WORDS; i++)
		igt_assert_eq_u64(*word(area, i), sum);
}

/* @n jobs of @adds to each word; returns the last one */
static uint64_t submit_adds(int fd, const struct svm_area *area, int n, uint64_t adds)
{
	struct drm_svm_test_cmd cmds[WORDS];
	uint64_t job = 0;

	for (int i = 0; i < WORDS; i++)
		cmds[i] = svm_cmd_add64(word(area, i), 1, adds);
	while (n--)
		job = svm_submit_on(fd, 0, cmds, WORDS);
	return job;
}

struct adder {
	const struct svm_area *area;
	int adds;
};

static void *adder_main(void *data)
{
	struct adder *adder = data;

	for (int i = 0; i < adder->adds; i++)
		__atomic_fetch_add(word(adder->area, i % WORDS), 1, __ATOMIC_SEQ_CST);
	return NULL;
}

/* Two threads, one GPU, one evictor */
static void all_sides(int fd, bool huge)
{
	enum { JOBS = 10, GPU_ADDS = 300, CPU_ADDS = 300 * WORDS };
	struct svm_area area = svm_area(fd, huge, OLD);
	struct adder adders[2] = { { &area, CPU_ADDS }, { &area, CPU_ADDS } };
	uint64_t job;

	clear_words(&area);
	svm_evictor_start(fd);
	job = submit_adds(fd, &area, JOBS, GPU_ADDS);
	svm_threads(2, adder_main, adders, sizeof(adders[0]));
	svm_wait_ok(fd, job);
	svm_evictor_stop();
	check_words(&area, JOBS * GPU_ADDS + 2 * CPU_ADDS / WORDS);
}

/* Threads that all touch pages in VRAM at the same moment */
struct storm {
	char *base;
	size_t at, step;
	int *arrived;
};

static void *storm_main(void *data)
{
	struct storm *storm = data;

	__atomic_fetch_add(storm->arrived, 1, __ATOMIC_SEQ_CST);
	while (READ_ONCE(*storm->arrived) < THREADS)
		sched_yield();
	for (int i = 0; i < 4; i++)
		__atomic_fetch_add((uint32_t *)(storm->base + storm->at + i * storm->step), 1,
				   __ATOMIC_SEQ_CST);
	return NULL;
}

/* Each thread begins @apart bytes after the one before; returns how often they ran */
static void run_storm(int fd, const struct svm_area *area, size_t apart, int rounds)
{
	struct storm storms[THREADS];

	for (int round = 0; round < rounds; round++) {
		int arrived = 0;

		svm_to_vram(fd, area->base, area->size);
		for (int i = 0; i < THREADS; i++)
			storms[i] = (struct storm) {
				.base = area->base,
				.at = i * apart,
				.step = svm_page_size(),
				.arrived = &arrived,
			};
		svm_threads(THREADS, storm_main, storms, sizeof(storms[0]));
	}
}

static void storm_same(int fd, bool huge)
{
	enum { ROUNDS = 8 };
	struct svm_area area = svm_area(fd, huge, OLD);
	uint32_t want[4];

	for (int i = 0; i < 4; i++)
		want[i] = *(uint32_t *)svm_page(area.base, i) + THREADS * ROUNDS;
	run_storm(fd, &area, 0, ROUNDS);
	for (int i = 0; i < 4; i++)
		igt_assert_eq_u32(*(uint32_t *)svm_page(area.base, i), want[i]);
	igt_assert(svm_pattern_ok(area.base + 4, svm_page_size() - 4, OLD + 2654435761u));
}

static void storm_apart(int fd, bool huge)
{
	enum { ROUNDS = 8 };
	struct svm_area area = svm_area(fd, huge, OLD);
	size_t apart = area.size / THREADS;
	uint32_t want[THREADS];

	for (int i = 0; i < THREADS; i++)
		want[i] = *(uint32_t *)(area.base + i * apart) + ROUNDS;
	run_storm(fd, &area, apart, ROUNDS);
	for (int i = 0; i < THREADS; i++)
		igt_assert_eq_u32(*(uint32_t *)(area.base + i * apart), want[i]);
}

static void storm_evict(int fd, bool huge)
{
	enum { ROUNDS = 20 };
	struct svm_area area = svm_area(fd, huge, OLD);
	struct adder adders[THREADS];
	uint64_t sum = 0;

	for (int i = 0; i < THREADS; i++)
		adders[i] = (struct adder) { &area, WORDS };
	clear_words(&area);
	svm_evictor_start(fd);
	for (int round = 0; round < ROUNDS; round++) {
		svm_gpu_touch(fd, area.base, area.size, svm_page_size(), false);
		svm_threads(THREADS, adder_main, adders, sizeof(adders[0]));
		sum += THREADS;
		check_words(&area, sum);
	}
	svm_evictor_stop();
}

/* What changes the mapping of the area over and over, until told to stop */
struct changer {
	struct svm_area area;
	bool (*change)(const struct svm_area *area);
	bool stop, ok;
};

static void *changer_main(void *data)
{
	struct changer *changer = data;

	changer->ok = true;
	while (changer->ok && !READ_ONCE(changer->stop))
		changer->ok = changer->change(&changer->area);
	return NULL;
}

/* GPU atomics go on, and add up, under a change that keeps all data */
static void under_change(int fd, bool huge, bool evict,
			 bool (*change)(const struct svm_area *area))
{
	enum { JOBS = 15, ADDS = 200 };
	struct changer changer = { .area = svm_area(fd, huge, OLD), .change = change };
	pthread_t thread;

	clear_words(&changer.area);
	if (evict)
		svm_evictor_start(fd);
	igt_assert(!pthread_create(&thread, NULL, changer_main, &changer));
	for (int i = 0; i < JOBS; i++)
		svm_wait_ok(fd, submit_adds(fd, &changer.area, 1, ADDS));
	WRITE_ONCE(changer.stop, true);
	pthread_join(thread, NULL);
	if (evict)
		svm_evictor_stop();
	igt_assert(changer.ok);
	check_words(&changer.area, JOBS * ADDS);
}

static bool change_populate(const struct svm_area *area)
{
	return !madvise(area->base, area->size, MADV_POPULATE_WRITE);
}

static void race_populated(int fd, bool huge)
{
	under_change(fd, huge, true, change_populate);
}

/* It may fail when pages are on their way */
static bool change_collapse(const struct svm_area *area)
{
	madvise(area->base, svm_range_size(), MADV_HUGEPAGE);
	madvise(area->base, svm_range_size(), MADV_COLLAPSE);
	usleep(1000);
	return true;
}

static void race_collapsed(int fd, bool huge)
{
	under_change(fd, huge, true, change_collapse);
}

/* Splits the mapping, and joins it again */
static bool change_split(const struct svm_area *area)
{
	size_t at = area->size / 2 + svm_page_size();
	bool ok = !madvise(area->base, at, MADV_DONTFORK) &&
		  !madvise(area->base, at, MADV_DOFORK);

	usleep(500);
	return ok;
}

static void race_split(int fd, bool huge)
{
	under_change(fd, huge, true, change_split);
}

/* A page that nobody adds to goes away and comes back */
static bool change_hole(const struct svm_area *area)
{
	char *hole = area->base + 3 * svm_page_size();
	bool ok = !madvise(hole, svm_page_size(), MADV_DONTNEED) && !*(uint32_t *)hole;

	usleep(500);
	return ok;
}

static void race_hole(int fd, bool huge)
{
	under_change(fd, huge, true, change_hole);
}

/* Memory that no GPU uses: to protect it takes long, with mmap_lock */
static bool change_elsewhere(const struct svm_area *area)
{
	return !mprotect(area->base, area->size, PROT_READ) &&
	       !mprotect(area->base, area->size, PROT_READ | PROT_WRITE);
}

/* Pages go to VRAM though mmap_lock is hardly ever free, and none is left behind */
static void busy_lock(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	struct changer changer = {
		.area = { .base = svm_mmap_small(64 << 20), .size = 64 << 20 },
		.change = change_elsewhere,
	};
	pthread_t thread;

	memset(changer.area.base, 1, changer.area.size);
	svm_evict_vram(fd);
	igt_assert(!pthread_create(&thread, NULL, changer_main, &changer));
	svm_gpu_touch(fd, area.base, area.size, svm_page_size(), true);
	WRITE_ONCE(changer.stop, true);
	pthread_join(thread, NULL);
	igt_assert(changer.ok);
	igt_assert_eq(svm_device_pages(area.base, area.size), area.size / svm_page_size());
	munmap(changer.area.base, changer.area.size);
}

/* The area moves about while it is evicted; its data goes with it */
static void race_moved(int fd, bool huge)
{
	enum { MOVES = 16 };
	struct svm_area area = svm_area(fd, huge, OLD);
	char *here = area.base, *there = svm_mmap_small(2 * svm_range_size());

	svm_evictor_start(fd);
	for (int i = 0; i < MOVES; i++) {
		/* of huge pages every second place is a bad one */
		char *to = i & 1 ? here : there + (i & 2) / 2 * svm_page_size();

		igt_assert(mremap(area.base, area.size, area.size,
				  MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
		area.base = to;
		if (i % 4 == 3)
			svm_gpu_touch(fd, to, area.size, svm_page_size(), false);
	}
	svm_evictor_stop();
	svm_area_check(fd, &area, OLD);
}

/* Memory comes and goes under a GPU that uses it; the rest of it stays intact */
static void race_unmapped(int fd, bool huge)
{
	enum { ROUNDS = 4 };
	struct svm_area area = svm_area(fd, huge, OLD);
	size_t half = area.size / 2, page = svm_page_size();
	struct drm_svm_test_cmd cmd = svm_cmd_touch(area.base, half, page, true);
	struct drm_svm_test_wait result;

	svm_evictor_start(fd);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t job = svm_submit(fd, &cmd, 1);

		igt_assert(!munmap(area.base, half));
		svm_mmap_fixed(area.base, half, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1);
		svm_wait(fd, job, &result);
		igt_assert(!result.out_errno || result.out_errno == ENOENT);
		igt_assert(svm_cpu_all32(area.base, half, 0));
		svm_gpu_fill(fd, area.base, half, NEW);
		igt_assert(svm_cpu_all32(area.base, half, NEW));
	}
	svm_evictor_stop();
	igt_assert(svm_pattern_ok(area.base + half, half,
				  OLD + half / sizeof(uint32_t) * 2654435761u));
}

static const struct svm_vram_case cases[] = {
	{ "all-sides", "Threads, a GPU and an evictor meet at some words.", all_sides },
	{ "storm-same", "Eight threads touch the same page at once.", storm_same },
	{ "storm-apart", "Eight threads touch different pages at once.", storm_apart },
	{ "storm-evict", "Eight threads touch pages that are evicted.", storm_evict },
	{ "populate", "Pages are called home while the GPU works on them.", race_populated },
	{ "collapse", "Pages are made a huge page while the GPU works on them.", race_collapsed },
	{ "split", "The mapping is split while the GPU works on it.", race_split },
	{ "hole", "A page is dropped while the GPU works on others.", race_hole },
	{ "busy-lock", "Pages go to VRAM while another thread has mmap_lock.", busy_lock },
	{ "mremap", "Pages move in the address space while they are evicted.", race_moved },
	{ "munmap", "Memory is unmapped while the GPU works on it.", race_unmapped },
};

int igt_main()
{
	igt_fixture()
		svm_vram_on("vram_mb=16");

	svm_vram_cases(cases);

	igt_fixture()
		svm_vram_off();
}
