// SPDX-License-Identifier: MIT
/*
 * TEST: svm concurrency
 * Category: Core
 * Description: Threads, processes, files, engines and devices at once.
 */

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "igt.h"
#include "igt_thread.h"
#include "svm_job.h"
#include "svm_mem.h"

IGT_TEST_DESCRIPTION("Threads, processes, files, engines and devices at once.");

static uint32_t num_engines(int fd)
{
	struct drm_svm_test_info info;

	svm_info(fd, &info);
	return info.out_engines;
}

static void *map_shared(size_t size)
{
	void *addr = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	igt_assert(addr != MAP_FAILED);
	return addr;
}

/* Workers: threads with one file or several, or processes */

enum { WORKERS = 4, ROUNDS = 12, OWN_PAGES = 8 };

struct worker {
	int index, fd;
	uint32_t *own;		/* pages of its own */
	uint32_t *shared;	/* [i]: word of worker i; [WORKERS]: of all */
};

/* Own pages hold what their owner wrote; shared words lose no update. */
static void *work(void *arg)
{
	struct worker *worker = arg;
	size_t size = OWN_PAGES * svm_page_size();

	for (int round = 0; round < ROUNDS; round++) {
		uint32_t value = worker->index << 16 | round;
		struct drm_svm_test_cmd cmds[] = {
			svm_cmd_fill(worker->own, size, value),
			svm_cmd_add32(&worker->shared[worker->index], 1, 5),
			svm_cmd_add32(&worker->shared[WORKERS], 1, 7),
		};

		svm_wait_ok(worker->fd, svm_submit(worker->fd, cmds, ARRAY_SIZE(cmds)));
		igt_assert(svm_cpu_all32(worker->own, size, value));
		igt_assert_eq_u32(READ_ONCE(worker->shared[worker->index]), 5 * (round + 1));
	}
	return NULL;
}

static void workers_init(struct worker *workers, uint32_t *shared)
{
	for (int i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker) { .index = i, .shared = shared };
		workers[i].own = svm_mmap_anon(OWN_PAGES * svm_page_size());
	}
}

static void workers_check(struct worker *workers, uint32_t *shared)
{
	igt_assert_eq_u32(shared[WORKERS], 7 * ROUNDS * WORKERS);
	for (int i = 0; i < WORKERS; i++) {
		igt_assert_eq_u32(shared[i], 5 * ROUNDS);
		munmap(workers[i].own, OWN_PAGES * svm_page_size());
	}
	munmap(shared, svm_page_size());
}

static void concurrent_threads(int devices)
{
	struct worker workers[WORKERS];
	uint32_t *shared = svm_mmap_anon(svm_page_size());
	int fds[2];

	workers_init(workers, shared);
	for (int d = 0; d < devices; d++)
		fds[d] = svm_open_index_attached(d);
	for (int i = 0; i < WORKERS; i++)
		workers[i].fd = fds[i % devices];
	svm_threads(WORKERS, work, workers, sizeof(workers[0]));
	for (int d = 0; d < devices; d++)
		close(fds[d]);
	workers_check(workers, shared);
}

static void concurrent_processes(int devices)
{
	struct worker workers[WORKERS];
	uint32_t *shared = map_shared(svm_page_size());

	workers_init(workers, shared);
	igt_fork(i, WORKERS) {
		workers[i].fd = svm_open_index_attached(i % devices);
		work(&workers[i]);
	}
	igt_waitchildren();
	workers_check(workers, shared);
}

/* Many files of one process share its one address space */
static void concurrent_files(int devices)
{
	enum { FILES = 6 };
	uint32_t *buf = svm_mmap_anon(svm_page_size());
	int fds[FILES];

	for (int i = 0; i < FILES; i++)
		fds[i] = svm_open_index_attached(i % devices);
	for (int i = 0; i < FILES; i++) {
		svm_gpu_write32(fds[i], buf, 100 + i);
		for (int j = 0; j < FILES; j++)
			igt_assert_eq_u32(svm_gpu_read32(fds[j], buf), 100 + i);
	}
	/* One change of the CPU reaches all of them */
	igt_assert_eq(madvise(buf, svm_page_size(), MADV_DONTNEED), 0);
	for (int i = 0; i < FILES; i++)
		igt_assert_eq_u32(svm_query_page(fds[i], buf), 0);
	*buf = 7;
	for (int i = 0; i < FILES; i++)
		igt_assert_eq_u32(svm_gpu_read32(fds[i], buf), 7);

	/* The others go on when one is closed */
	for (int i = 0; i < FILES; i++) {
		close(fds[i]);
		for (int j = i + 1; j < FILES; j++)
			igt_assert_eq_u32(svm_gpu_read32(fds[j], buf), 7);
	}
	munmap(buf, svm_page_size());
}

/* Atomics of the CPU and of all engines on neighbours in one cache line */

enum { GPU_ADDS = 1000000, GPU_JOBS = 4 };

struct adder {
	uint8_t *line;
	bool is64, stop;
	uint64_t added;
};

/* Adds as long as the GPU does, so that the two meet */
static void *cpu_adder(void *arg)
{
	struct adder *adder = arg;

	for (; !READ_ONCE(adder->stop); adder->added++) {
		if (adder->is64)
			__atomic_fetch_add((uint64_t *)adder->line + 1, 1, __ATOMIC_RELAXED);
		else
			__atomic_fetch_add((uint32_t *)adder->line + 1, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static uint64_t line_word(const uint8_t *line, bool is64, int i)
{
	return is64 ? ((const uint64_t *)line)[i] : ((const uint32_t *)line)[i];
}

static void atomics(bool is64, int devices)
{
	struct adder adder = { .line = svm_mmap_anon(svm_page_size()), .is64 = is64 };
	size_t esize = is64 ? 8 : 4;
	uint64_t jobs[2][16][GPU_JOBS];
	uint32_t engines[2], total = 0;
	pthread_t thread;
	int fds[2];

	for (int d = 0; d < devices; d++) {
		fds[d] = svm_open_index_attached(d);
		engines[d] = num_engines(fds[d]) < 16 ? num_engines(fds[d]) : 16;
		total += engines[d];
	}
	igt_assert_eq(pthread_create(&thread, NULL, cpu_adder, &adder), 0);
	for (int n = 0; n < GPU_JOBS; n++) {
		for (int d = 0; d < devices; d++) {
			for (uint32_t e = 0; e < engines[d]; e++) {
				uint8_t *at = adder.line + esize * (1 + n % 2);
				struct drm_svm_test_cmd cmd = svm_cmd_add64(at, 1, GPU_ADDS);

				cmd.flags = is64 ? DRM_SVM_TEST_CMD_64 : 0;
				jobs[d][e][n] = svm_submit_on(fds[d], e, &cmd, 1);
			}
		}
	}
	for (int n = 0; n < GPU_JOBS; n++)
		for (int d = 0; d < devices; d++)
			for (uint32_t e = 0; e < engines[d]; e++)
				svm_wait_ok(fds[d], jobs[d][e][n]);
	WRITE_ONCE(adder.stop, true);
	pthread_join(thread, NULL);
	igt_assert_eq_u64(line_word(adder.line, is64, 1),
			  (adder.added + total * GPU_ADDS * GPU_JOBS / 2) &
			  (is64 ? ~0ull : 0xffffffff));
	igt_assert_eq_u64(line_word(adder.line, is64, 2), total * GPU_ADDS * GPU_JOBS / 2);
	igt_assert_eq_u64(line_word(adder.line, is64, 0) | line_word(adder.line, is64, 3), 0);
	for (int d = 0; d < devices; d++)
		close(fds[d]);
	munmap(adder.line, svm_page_size());
}

static void atomics_32(int devices)
{
	atomics(false, devices);
}

static void atomics_64(int devices)
{
	atomics(true, devices);
}

/*
 * Storms: while other threads have the GPU read a region all the time, and so
 * fill its TLBs, one thread changes the mapping and looks after each change
 * what the GPU sees.
 */

enum { STORM_PAGES = 24, STORM_ROUNDS = 40 };

struct storm {
	int fd;
	uint8_t *region;
	bool stop;
	uint32_t seen;
};

static void *hammer(void *arg)
{
	struct storm *storm = arg;
	size_t page = svm_page_size();

	while (!READ_ONCE(storm->stop)) {
		int err = __svm_gpu_touch(storm->fd, storm->region, STORM_PAGES * page,
					  page, false);

		igt_assert_f(!err || err == -ENOENT || err == -EACCES, "error %d\n", err);
		__atomic_fetch_add(&storm->seen, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void write_generation(struct storm *storm, uint32_t gen)
{
	for (int i = 0; i < STORM_PAGES; i++)
		*(uint32_t *)(storm->region + i * svm_page_size()) = gen * 1000 + i;
}

static void check_generation(struct storm *storm, uint32_t gen, uint32_t *words)
{
	struct drm_svm_test_cmd cmds[STORM_PAGES];

	for (int i = 0; i < STORM_PAGES; i++)
		cmds[i] = svm_cmd_copy(&words[i], storm->region + i * svm_page_size(), 4);
	svm_wait_ok(storm->fd, svm_submit(storm->fd, cmds, STORM_PAGES));
	for (int i = 0; i < STORM_PAGES; i++)
		igt_assert_eq_u32(READ_ONCE(words[i]), gen ? gen * 1000 + i : 0);
}

static void change_dontneed(struct storm *storm, uint32_t gen, uint32_t *words)
{
	igt_assert_eq(madvise(storm->region, STORM_PAGES * svm_page_size(), MADV_DONTNEED), 0);
	check_generation(storm, 0, words);
	write_generation(storm, gen);
	check_generation(storm, gen, words);
}

static void change_remap(struct storm *storm, uint32_t gen, uint32_t *words)
{
	size_t size = STORM_PAGES * svm_page_size();

	igt_assert_eq(munmap(storm->region, size), 0);
	igt_assert_eq(__svm_gpu_read32(storm->fd, storm->region, words), -ENOENT);
	igt_assert(mmap(storm->region, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
		   storm->region);
	write_generation(storm, gen);
	check_generation(storm, gen, words);
}

static void change_protect(struct storm *storm, uint32_t gen, uint32_t *words)
{
	size_t size = STORM_PAGES * svm_page_size();

	write_generation(storm, gen);
	svm_gpu_write32(storm->fd, storm->region, gen * 1000);
	igt_assert_eq(mprotect(storm->region, size, PROT_READ), 0);
	igt_assert_eq(__svm_gpu_write32(storm->fd, storm->region, 1), -EACCES);
	check_generation(storm, gen, words);
	igt_assert_eq(mprotect(storm->region, size, PROT_NONE), 0);
	igt_assert_eq(__svm_gpu_read32(storm->fd, storm->region, words), -EACCES);
	igt_assert_eq(mprotect(storm->region, size, PROT_READ | PROT_WRITE), 0);
}

static void run_storm(void (*change)(struct storm *storm, uint32_t gen, uint32_t *words))
{
	uint32_t *words = svm_mmap_anon(svm_page_size());
	struct storm storm = {
		.fd = svm_open_attached(),
		.region = svm_mmap_anon(STORM_PAGES * svm_page_size()),
	};
	pthread_t threads[2];

	write_generation(&storm, 1);
	for (int i = 0; i < 2; i++)
		igt_assert_eq(pthread_create(&threads[i], NULL, hammer, &storm), 0);
	igt_assert(svm_until(READ_ONCE(storm.seen) > 2, 20000));
	for (uint32_t gen = 2; gen < STORM_ROUNDS; gen++)
		change(&storm, gen, words);
	WRITE_ONCE(storm.stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	igt_thread_assert_no_failures();
	close(storm.fd);
	munmap(storm.region, STORM_PAGES * svm_page_size());
	munmap(words, svm_page_size());
}

/* Ranges next to each other, each faulted in by a thread of its own */
struct range_job {
	int fd;
	uint32_t *range, value;
};

static void *range_thread(void *arg)
{
	struct range_job *job = arg;
	size_t size = svm_range_size();

	svm_gpu_touch(job->fd, job->range, size, svm_page_size(), false);
	svm_gpu_fill(job->fd, job->range, size, job->value);
	igt_assert(svm_cpu_all32(job->range, size, job->value));
	return NULL;
}

static void ranges_side_by_side(int fd)
{
	size_t size = svm_range_size();
	uint8_t *map = svm_mmap_aligned(WORKERS * size, size);
	struct range_job jobs[WORKERS];
	struct client_counts counters;

	for (int i = 0; i < WORKERS; i++)
		jobs[i] = (struct range_job) { fd, (void *)(map + i * size), 0xab00 + i };
	svm_threads(WORKERS, range_thread, jobs, sizeof(jobs[0]));
	svm_counters(fd, &counters);
	igt_assert_lte_u64(WORKERS, client_count(&counters, CUR_RANGES));
	munmap(map, WORKERS * size);
}

/* What stands in the place of a page that is not there; 0: the page is there */
static uint64_t absent(const void *addr)
{
	uint64_t entry = svm_pagemap(addr);

	return entry & SVM_PM_PRESENT ? 0 : entry & (SVM_PM_SWAP | SVM_PM_TYPE);
}

/*
 * A fault moves a page to VRAM, by a copy that takes long. While the page is on its way, a
 * fault of another range is served from begin to end, unless the two have a lock in common:
 * then the page has arrived before that fault is answered. False also where the page was
 * not seen on its way.
 */
static bool is_served_beside(int fd, uint32_t *slow, uint32_t *quick)
{
	struct drm_svm_test_cmd cmd = svm_cmd_add32(slow, 1, 1);
	uint64_t job, moving, then;

	*slow = 1;
	job = svm_submit_on(fd, 0, &cmd, 1);
	igt_assert(svm_until(absent(slow) || __svm_poll_job(fd, job) != -ETIME, 20000));
	moving = absent(slow);
	cmd = svm_cmd_add32(quick, 1, 1);
	svm_wait_ok(fd, svm_submit_on(fd, 1, &cmd, 1));
	then = absent(slow);
	svm_wait_ok(fd, job);
	igt_assert_eq_u32(*quick, 1);
	/* What is in VRAM has an entry of another type */
	return moving && then == moving && absent(slow) != moving;
}

static void disjoint_ranges(void)
{
	enum { TRIES = 4 };
	size_t size = svm_range_size(), page = svm_page_size();
	uint8_t *slow, *quick;
	bool beside = false;
	int fd;

	svm_module_load("engines=2 vram_mb=16 copy_latency_us=2000000");
	fd = svm_open_attached();
	slow = svm_mmap_small(TRIES * size);
	quick = map_shared(TRIES * size);
	for (int i = 0; i < TRIES && !beside; i++)
		beside = is_served_beside(fd, svm_page(slow, i * size / page),
					  svm_page(quick, i * size / page));
	igt_assert_f(beside, "a fault waits until that of another range is served\n");
	munmap(slow, TRIES * size);
	munmap(quick, TRIES * size);
	close(fd);
	svm_module_load(NULL);
	fd = svm_open_attached();
	ranges_side_by_side(fd);
	close(fd);
}

/*
 * All engines miss the same page. One fault maps it, all others are duplicates,
 * in the same batch or in a later one.
 */
static void concurrent_duplicates(void)
{
	enum { ROUNDS = 400, ENOUGH = 20 };
	int fd = svm_open_attached();
	/* Apart, so that no page comes with another one */
	size_t stride = svm_range_size();
	uint32_t engines = num_engines(fd);
	uint8_t *map = svm_mmap_anon(ROUNDS * stride);
	struct client_counts before, after;
	uint64_t jobs[16], duplicates;

	igt_require(engines > 1);
	engines = engines < 16 ? engines : 16;
	madvise(map, ROUNDS * stride, MADV_NOHUGEPAGE);
	svm_counters(fd, &before);
	duplicates = client_count(&before, DUPLICATES);
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t *word = (uint64_t *)(map + round * stride);
		struct drm_svm_test_cmd cmd = svm_cmd_add64(word, 1, 1);

		for (uint32_t e = 0; e < engines; e++)
			jobs[e] = svm_submit_on(fd, e, &cmd, 1);
		for (uint32_t e = 0; e < engines; e++)
			svm_wait_ok(fd, jobs[e]);
		igt_assert_eq_u64(READ_ONCE(*word), engines);
		svm_counters(fd, &after);
		/* Unless something got in between, nothing is faulted twice */
		if (client_count(&after, RETRIES) == client_count(&before, RETRIES))
			igt_assert_eq_u64(client_counted(&before, &after, FAULTS),
					  client_counted(&before, &after, DUPLICATES) + 1);
		before = after;
		if (round >= ENOUGH && client_count(&after, DUPLICATES) > duplicates)
			break;
	}
	close(fd);
	munmap(map, ROUNDS * stride);
	igt_assert_f(duplicates != client_count(&after, DUPLICATES),
		     "no two engines missed together\n");
}

/* A fault buffer of two entries: misses wait for room, and none is lost */
static void concurrent_overflow(void)
{
	enum { PAGES = 64 };
	struct drm_svm_test_info before, after;
	uint64_t jobs[16];
	size_t page = svm_page_size();
	uint32_t engines;
	uint8_t *buf;
	int fd;

	svm_module_load("fault_entries=2");
	fd = svm_open_attached();
	svm_info(fd, &before);
	igt_assert_eq_u32(before.out_fault_entries, 2);
	engines = before.out_engines < 16 ? before.out_engines : 16;
	buf = svm_mmap_anon(engines * PAGES * page);
	for (uint32_t e = 0; e < engines; e++) {
		struct drm_svm_test_cmd cmd = svm_cmd_touch(buf + e * PAGES * page,
							    PAGES * page, page, true);

		cmd.arg1 = e + 1;
		jobs[e] = svm_submit_on(fd, e, &cmd, 1);
	}
	for (uint32_t e = 0; e < engines; e++)
		svm_wait_ok(fd, jobs[e]);
	for (uint32_t i = 0; i < engines * PAGES; i++)
		igt_assert_eq_u32(*(uint32_t *)(buf + i * page), i / PAGES + 1);
	svm_info(fd, &after);
	igt_assert_lt_u64(before.out_fault_overflows, after.out_fault_overflows);
	munmap(buf, engines * PAGES * page);
	close(fd);
	svm_module_load(NULL);
}

/* Translations that are thrown out of the smallest TLB all the time */
static void tiny_tlb(void)
{
	size_t size = 32 * svm_page_size();
	uint8_t *src = svm_mmap_anon(size), *dst = svm_mmap_anon(size);
	int fd;

	svm_module_load("tlb_entries=1 lanes=1 timeslice=1");
	fd = svm_open_attached();
	for (size_t i = 0; i < size; i++)
		src[i] = i * 5 + (i >> 9);
	svm_gpu_copy(fd, dst + 1, src, size - 1);
	igt_assert(!memcmp(dst + 1, src, size - 1));
	igt_assert_eq(madvise(src, size, MADV_DONTNEED), 0);
	svm_gpu_copy(fd, dst, src, size);
	igt_assert(svm_cpu_all32(dst, size, 0));
	close(fd);
	munmap(src, size);
	munmap(dst, size);
	svm_module_load(NULL);
}

static void storm_dontneed(void)
{
	run_storm(change_dontneed);
}

static void storm_remap(void)
{
	run_storm(change_remap);
}

static void storm_protect(void)
{
	run_storm(change_protect);
}

static const struct svm_test tests[] = {
	{ "storm-dontneed", "The GPU never sees a page that was dropped.", storm_dontneed },
	{ "storm-remap", "The GPU never sees a mapping that was replaced.", storm_remap },
	{ "storm-protect", "The GPU never uses a permission that was taken away.", storm_protect },
	{ "disjoint-ranges", "Ranges are faulted in side by side, and none waits for another one.",
	  disjoint_ranges },
	{ "duplicates", "Engines that miss the same page are answered once each, by one mapping.",
	  concurrent_duplicates },
	{ "overflow", "A full fault buffer delays faults and loses none.", concurrent_overflow },
	{ "tiny-tlb", "One TLB entry, one lane and one unit at a time give the same results.",
	  tiny_tlb },
};

/* Subtests NAME-N-devices */
static const struct {
	const char *name;
	const char *describe;
	void (*run)(int devices);
} by_devices[] = {
	{ "threads",
	  "Threads share a file and lose no update; their own pages stay their own.",
	  concurrent_threads },
	{ "processes", "Processes share memory and lose no update.", concurrent_processes },
	{ "files", "All files of a process see one address space and each change of it.",
	  concurrent_files },
	{ "atomics-32", "Atomics of the CPU and all engines on one cache line add up.",
	  atomics_32 },
	{ "atomics-64", "Atomics of the CPU and all engines on one cache line add up.",
	  atomics_64 },
};

int igt_main()
{
	igt_fixture()
		close(svm_open());

	svm_tests(tests);

	for (int devices = 1; devices <= 2; devices++) {
		igt_subtest_group() {
			igt_fixture() {
				svm_close_leaked();
				svm_module_load(devices == 2 ? "num_devices=2" : NULL);
			}
			for (size_t i = 0; i < ARRAY_SIZE(by_devices); i++) {
				igt_describe(by_devices[i].describe);
				igt_subtest_f("%s-%d-device%s", by_devices[i].name, devices,
					      devices == 1 ? "" : "s")
					by_devices[i].run(devices);
			}
		}
	}
	igt_fixture() {
		svm_close_leaked();
		svm_module_load(NULL);
	}
}
