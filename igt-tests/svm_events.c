// SPDX-License-Identifier: MIT
/*
 * TEST: svm events
 * Category: Core
 * Description: What a program can read of what happens to its memory.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "igt.h"
#include "igt_thread.h"
#include "svm_bo.h"
#include "svm_hw.h"
#include "svm_job.h"
#include "svm_prefetch.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("What a program can read of what happens to its memory.");

#define MAGIC		0xe7e70000u
#define NONE		DRM_SVM_LOCATION_NONE
#define SYSTEM		DRM_SVM_LOCATION_SYSTEM
#define VRAM		DRM_SVM_LOCATION_VRAM
#define RECORD		sizeof(struct drm_svm_event)
#define MANY		16384	/* records: more than a subtest makes */
#define BLOCK		16	/* pages that migrate together */

/* What was read from a file of events */
struct log {
	size_t n;
	struct drm_svm_event e[MANY];
};

static struct log told, other;

static int open_events_of(int fd, uint32_t entries)
{
	struct drm_svm_events args = { .entries = entries };

	igt_assert_eq(client_events(fd, &args), 0);
	igt_assert_lte(0, args.out_fd);
	igt_assert_eq_u32(args.out_size, RECORD);
	return args.out_fd;
}

static int open_events(int fd)
{
	int events = open_events_of(fd, MANY);

	igt_assert_eq(fcntl(events, F_SETFL, O_NONBLOCK), 0);
	return events;
}

static void read_all(int events, struct log *log)
{
	ssize_t len = 1;

	for (log->n = 0; log->n < MANY && len > 0; log->n += len > 0 ? len / RECORD : 0) {
		len = read(events, &log->e[log->n], (MANY - log->n) * RECORD);
		igt_assert(len >= 0 || errno == EAGAIN);
		igt_assert(len <= 0 || len % RECORD == 0);
	}
	igt_assert_lt_u64(log->n, MANY);
}

/* Records of @type; those that moved pages to @to */
static size_t count(const struct log *log, uint32_t type)
{
	size_t n = 0;

	for (size_t i = 0; i < log->n; i++)
		n += log->e[i].type == type;
	return n;
}

static uint64_t pages_of(const struct log *log, uint32_t type, uint32_t to)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < log->n; i++)
		if (log->e[i].type == type && log->e[i].to == to)
			pages += log->e[i].pages;
	return pages;
}

static const struct drm_svm_event *only(const struct log *log, uint32_t type)
{
	size_t i = 0;

	igt_assert_eq_u64(count(log, type), 1);
	while (log->e[i].type != type)
		i++;
	return &log->e[i];
}

/* All pages of [base, base + size) moved, and there is nothing else to tell. */
static void assert_moved(const struct drm_svm_event *e, uint32_t cause, const void *base,
			 size_t size, uint32_t from, uint32_t to)
{
	igt_assert_eq_u32(e->cause, cause);
	igt_assert_eq_u64(e->start, client_ptr(base));
	igt_assert_eq_u64(e->size, size);
	igt_assert_eq_u32(e->pages, size / svm_page_size());
	igt_assert_eq_u32(e->from, from);
	igt_assert_eq_u32(e->to, to);
	igt_assert_eq(e->err, 0);
	igt_assert_eq_u32(e->lost, 0);
}

/* Blocks that the CPU has written, small pages all */
static char *written(size_t blocks)
{
	size_t size = blocks * BLOCK * svm_page_size();
	char *base = svm_mmap_small(size);

	svm_pattern(base, size, MAGIC);
	return base;
}

/* Each type with its cause */

/* Pages of a file do not migrate. */
static void fault_in_ram(int fd)
{
	size_t page = svm_page_size(), size = BLOCK * page;
	char *base = svm_mmap_fd(svm_memfd(size), size, MAP_SHARED);
	struct client_counts before, after;
	int events = open_events(fd);
	size_t ahead = 0;

	memset(base, 1, size);
	svm_counters(fd, &before);
	svm_gpu_touch(fd, base, size, page, true);
	svm_counters(fd, &after);
	read_all(events, &told);
	igt_assert_lt_u64(0, told.n);
	igt_assert_eq_u64(told.n, client_counted(&before, &after, FAULTS));
	for (size_t i = 0; i < told.n; i++) {
		const struct drm_svm_event *e = &told.e[i];

		igt_assert_eq_u32(e->type, DRM_SVM_EVENT_FAULT);
		igt_assert(e->cause == DRM_SVM_CAUSE_GPU_FAULT ||
			   e->cause == DRM_SVM_CAUSE_GPU_AHEAD);
		ahead += e->cause == DRM_SVM_CAUSE_GPU_AHEAD;
		igt_assert_eq_u64(e->start % page, 0);
		igt_assert_lte_u64(client_ptr(base), e->start);
		igt_assert_lt_u64(e->start, client_ptr(base) + size);
		igt_assert_eq_u64(e->size, page);
		igt_assert_eq_u32(e->pages | e->from | e->to | e->lost, 0);
		igt_assert_eq(e->err, 0);
	}
	igt_assert_lt_u64(0, ahead);
	igt_assert_lt_u64(ahead, told.n);
	close(events);
}

static void fault_fails(int fd)
{
	char *hole = svm_mmap_anon(svm_page_size());
	struct client_counts before, after;
	int events = open_events(fd);
	size_t failed = 0;

	munmap(hole, svm_page_size());
	svm_counters(fd, &before);
	igt_assert_eq(__svm_gpu_write32(fd, (uint32_t *)hole + 1, 1), -ENOENT);
	svm_counters(fd, &after);
	read_all(events, &told);
	igt_assert_eq_u64(told.n, client_counted(&before, &after, FAULTS));
	for (size_t i = 0; i < told.n; i++) {
		igt_assert_eq_u64(told.e[i].start, client_ptr(hole));
		igt_assert(!told.e[i].err || told.e[i].err == -ENOENT);
		failed += told.e[i].err == -ENOENT;
	}
	igt_assert_lt_u64(0, failed);
	igt_assert_eq_u64(failed, client_counted(&before, &after, FAILED));
	close(events);
}

static void fault_to_vram(int fd)
{
	size_t size = BLOCK * svm_page_size();
	char *base = written(1);
	int events = open_events(fd);
	const struct drm_svm_event *e;

	svm_gpu_touch(fd, base, size, svm_page_size(), false);
	read_all(events, &told);
	e = only(&told, DRM_SVM_EVENT_MIGRATE);
	assert_moved(e, DRM_SVM_CAUSE_GPU_FAULT, base, size, SYSTEM, VRAM);
	igt_assert_eq_u64(e->vram, size);
	/* the fault is answered when its pages are there */
	igt_assert_eq_u32(told.e[0].type, DRM_SVM_EVENT_MIGRATE);
	igt_assert_eq_u64(count(&told, DRM_SVM_EVENT_FAULT), told.n - 1);
	close(events);
}

static void fault_creates(int fd)
{
	size_t size = BLOCK * svm_page_size();
	char *base = svm_mmap_small(size);
	int events = open_events(fd);

	svm_gpu_write32(fd, base, MAGIC);
	read_all(events, &told);
	assert_moved(only(&told, DRM_SVM_EVENT_MIGRATE), DRM_SVM_CAUSE_GPU_FAULT, base, size,
		     NONE, VRAM);
	close(events);
}

static void cpu_fault(int fd)
{
	size_t size = BLOCK * svm_page_size();
	char *base = svm_prefetched(fd, size, MAGIC);
	int events = open_events(fd);

	(void)READ_ONCE(base[5 * svm_page_size()]);
	read_all(events, &told);
	igt_assert_eq_u64(told.n, 1);
	assert_moved(only(&told, DRM_SVM_EVENT_MIGRATE), DRM_SVM_CAUSE_CPU_FAULT, base, size,
		     VRAM, SYSTEM);
	igt_assert(svm_pattern_ok(base, size, MAGIC));
	close(events);
}

static void cpu_fault_huge(int fd)
{
	size_t size = svm_range_size();
	char *base = svm_mmap_thp(size);
	int events = open_events(fd);

	svm_gpu_touch(fd, base, size, size / 2, false);
	read_all(events, &told);
	assert_moved(only(&told, DRM_SVM_EVENT_MIGRATE), DRM_SVM_CAUSE_GPU_FAULT, base, size,
		     SYSTEM, VRAM);
	WRITE_ONCE(base[size - 1], 1);
	read_all(events, &told);
	assert_moved(only(&told, DRM_SVM_EVENT_MIGRATE), DRM_SVM_CAUSE_CPU_FAULT, base, size,
		     VRAM, SYSTEM);
	close(events);
}

/* The copy for the CPU fails: nothing moved, and the record says why. */
static void cpu_fault_fails(int fd)
{
	size_t page = svm_page_size(), size = BLOCK * page;
	char *base = svm_prefetched(fd, size, MAGIC);
	int events = open_events(fd);
	uint32_t value;

	svm_hw_fail_copy(fd, 0, 1000000);
	igt_assert(!svm_hw_load(base, &value));
	svm_hw_fail_copy(fd, 0, 0);
	read_all(events, &told);
	/* the block, and then the page alone */
	igt_assert_eq_u64(told.n, 2);
	for (size_t i = 0; i < told.n; i++) {
		igt_assert_eq_u32(told.e[i].type, DRM_SVM_EVENT_MIGRATE);
		igt_assert_eq_u32(told.e[i].cause, DRM_SVM_CAUSE_CPU_FAULT);
		igt_assert_eq_u64(told.e[i].start, client_ptr(base));
		igt_assert_eq_u64(told.e[i].size, i ? page : size);
		igt_assert_eq_u32(told.e[i].pages, 0);
		igt_assert_lt(told.e[i].err, 0);
		igt_assert_eq_u64(told.e[i].vram, size);
	}
	close(events);
}

static void prefetch_both_ways(int fd)
{
	static const uint32_t locations[] = { VRAM, SYSTEM };
	size_t size = 4 * BLOCK * svm_page_size();
	char *base = written(4);
	int events = open_events(fd);

	for (size_t i = 0; i < ARRAY_SIZE(locations); i++) {
		uint32_t to = locations[i];
		const struct drm_svm_event *e;

		igt_assert_eq_u64(svm_prefetch(fd, base, size, to), size / svm_page_size());
		read_all(events, &told);
		assert_moved(only(&told, DRM_SVM_EVENT_PREFETCH), DRM_SVM_CAUSE_PREFETCH, base,
			     size, NONE, to);
		igt_assert_eq_u32(told.e[told.n - 1].type, DRM_SVM_EVENT_PREFETCH);
		igt_assert_eq_u64(pages_of(&told, DRM_SVM_EVENT_MIGRATE, to),
				  size / svm_page_size());
		e = only(&told, DRM_SVM_EVENT_MIGRATE);
		assert_moved(e, DRM_SVM_CAUSE_PREFETCH, base, size,
			     to == VRAM ? SYSTEM : VRAM, to);
	}
	/* there is nothing to move */
	svm_prefetch(fd, base, size, SYSTEM);
	read_all(events, &told);
	igt_assert_eq_u64(told.n, 1);
	igt_assert_eq_u32(told.e[0].type, DRM_SVM_EVENT_PREFETCH);
	igt_assert_eq_u64(told.e[0].size, size);
	igt_assert_eq_u32(told.e[0].pages, 0);
	close(events);
}

/* A prefetch of what is not mapped has done nothing; one without room says so. */
static void prefetch_fails(int fd)
{
	size_t size = BLOCK * svm_page_size();
	char *base = written(1), *hole = svm_mmap_anon(size);
	struct drm_svm_prefetch args = svm_prefetch_args(hole, size, VRAM);
	int events = open_events(fd);
	const struct drm_svm_event *e;

	munmap(hole, size);
	igt_assert_eq(__svm_prefetch(fd, &args), -ENOENT);
	read_all(events, &told);
	igt_assert_eq_u64(told.n, 1);
	igt_assert_eq_u32(told.e[0].type, DRM_SVM_EVENT_PREFETCH);
	igt_assert_eq_u64(told.e[0].start, client_ptr(hole));
	igt_assert_eq_u64(told.e[0].size, 0);
	igt_assert_eq(told.e[0].err, -ENOENT);

	svm_hw_write(fd, "inject/fail_alloc", 1000);
	igt_assert_eq_u64(svm_prefetch(fd, base, size, VRAM), 0);
	svm_hw_write(fd, "inject/fail_alloc", 0);
	read_all(events, &told);
	e = only(&told, DRM_SVM_EVENT_MIGRATE);
	igt_assert_eq_u64(e->start, client_ptr(base));
	igt_assert_eq_u64(e->size, size);
	igt_assert_eq_u32(e->pages, 0);
	igt_assert_eq_u32(e->to, VRAM);
	igt_assert_eq(e->err, -ENOSPC);
	igt_assert_eq(only(&told, DRM_SVM_EVENT_PREFETCH)->err, 0);
	close(events);
}

/* Evictions of pages of [base, base + size); all that were there when @pages is their number */
static void assert_evicted(const struct log *log, uint32_t cause, const char *base, size_t size,
			   uint64_t pages)
{
	igt_assert_lt_u64(0, count(log, DRM_SVM_EVENT_EVICT));
	for (size_t i = 0; i < log->n; i++) {
		const struct drm_svm_event *e = &log->e[i];

		if (e->type != DRM_SVM_EVENT_EVICT)
			continue;
		igt_assert_eq_u32(e->cause, cause);
		igt_assert_lte_u64(client_ptr(base), e->start);
		igt_assert_lte_u64(e->start + e->size, client_ptr(base) + size);
		igt_assert_lte_u64(e->pages, e->size / svm_page_size());
		igt_assert_eq_u32(e->from, VRAM);
		igt_assert_eq_u32(e->to, SYSTEM);
	}
	igt_assert_eq_u64(pages_of(log, DRM_SVM_EVENT_EVICT, SYSTEM), pages);
}

static void evict_room(int fd)
{
	size_t size = svm_vram_size(fd) / 2;
	char *base = svm_prefetched(fd, size, MAGIC);
	struct client_counts before, after;
	int events = open_events(fd);

	svm_counters(fd, &before);
	svm_bo_create(fd, svm_vram_size(fd) / 4 * 3, DRM_SVM_TEST_BO_VRAM);
	svm_counters(fd, &after);
	igt_assert_lt_u64(0, client_counted(&before, &after, VRAM_EVICTED_PAGES));
	read_all(events, &told);
	assert_evicted(&told, DRM_SVM_CAUSE_ROOM, base, size,
		       client_counted(&before, &after, VRAM_EVICTED_PAGES));
	igt_assert_eq_u64(count(&told, DRM_SVM_EVENT_EVICT),
			  client_counted(&before, &after, VRAM_EVICTIONS));
	igt_assert(svm_pattern_ok(base, size, MAGIC));
	close(events);
}

static void evict_huge(int fd)
{
	size_t size = svm_range_size();
	char *base = svm_mmap_thp(size);
	int events = open_events(fd);

	svm_gpu_touch(fd, base, size, size / 2, false);
	read_all(events, &told);
	svm_evict_vram(fd);
	read_all(events, &told);
	assert_moved(only(&told, DRM_SVM_EVENT_EVICT), DRM_SVM_CAUSE_DRIVER, base, size, VRAM,
		     SYSTEM);
	close(events);
}

static void evict_suspend(int fd)
{
	size_t size = 2 * svm_range_size();
	char *base = svm_prefetched(fd, size, MAGIC);
	int events = open_events(fd);

	svm_hw_write(fd, "suspend", 1);
	svm_hw_write(fd, "suspend", 0);
	read_all(events, &told);
	assert_evicted(&told, DRM_SVM_CAUSE_SUSPEND, base, size, size / svm_page_size());
	igt_assert_eq_u64(told.e[told.n - 1].vram, 0);
	igt_assert(svm_pattern_ok(base, size, MAGIC));
	close(events);
}

/* Pages leave VRAM from where they came there, wherever the program has them now. */
static void moved_mapping(int fd)
{
	size_t size = BLOCK * svm_page_size();
	char *base = svm_prefetched(fd, size, MAGIC), *to = svm_mmap_small(size);
	int events = open_events(fd);

	igt_assert(mremap(base, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	(void)READ_ONCE(to[0]);
	read_all(events, &told);
	assert_moved(only(&told, DRM_SVM_EVENT_MIGRATE), DRM_SVM_CAUSE_CPU_FAULT, base, size,
		     VRAM, SYSTEM);
	close(events);
}

/* The sums */

static void assert_sums(const struct log *log, const struct client_counts *before,
			const struct client_counts *after)
{
	uint64_t failed = 0;

	igt_assert_eq_u64(pages_of(log, DRM_SVM_EVENT_MIGRATE, VRAM),
			  client_counted(before, after, VRAM_PAGES_IN));
	igt_assert_eq_u64(pages_of(log, DRM_SVM_EVENT_MIGRATE, SYSTEM) +
			  pages_of(log, DRM_SVM_EVENT_EVICT, SYSTEM),
			  client_counted(before, after, VRAM_PAGES_OUT));
	igt_assert_eq_u64(pages_of(log, DRM_SVM_EVENT_EVICT, SYSTEM),
			  client_counted(before, after, VRAM_EVICTED_PAGES));
	igt_assert_eq_u64(count(log, DRM_SVM_EVENT_EVICT),
			  client_counted(before, after, VRAM_EVICTIONS));
	igt_assert_eq_u64(count(log, DRM_SVM_EVENT_FAULT),
			  client_counted(before, after, FAULTS));
	for (size_t i = 0; i < log->n; i++)
		failed += log->e[i].type == DRM_SVM_EVENT_FAULT && log->e[i].err;
	igt_assert_eq_u64(failed, client_counted(before, after, FAILED));
}

/* Twice the VRAM, by GPU, CPU and prefetch; the times are those of the clock, in order. */
static void add_up_of(int fd, bool huge)
{
	size_t size = 2 * svm_vram_size(fd);
	char *base = huge ? svm_mmap_thp(size) : svm_mmap_small(size);
	struct client_counts before, after;
	struct timespec now;
	uint64_t first, last;
	int events = open_events(fd);

	svm_counters(fd, &before);
	clock_gettime(CLOCK_MONOTONIC, &now);
	first = now.tv_sec * 1000000000ull + now.tv_nsec;
	svm_gpu_fill(fd, base, size, MAGIC);
	for (size_t at = 0; at < size; at += svm_range_size())
		WRITE_ONCE(*(uint32_t *)(base + at), MAGIC);
	svm_gpu_touch(fd, base, size, svm_page_size(), false);
	svm_prefetch(fd, base, size / 4, SYSTEM);
	svm_prefetch(fd, base, size / 4, VRAM);
	svm_evict_vram(fd);
	igt_assert(svm_cpu_all32(base, size, MAGIC));
	clock_gettime(CLOCK_MONOTONIC, &now);
	last = now.tv_sec * 1000000000ull + now.tv_nsec;
	svm_counters(fd, &after);
	read_all(events, &told);

	assert_sums(&told, &before, &after);
	for (size_t i = 0; i < told.n; i++) {
		const struct drm_svm_event *e = &told.e[i];

		igt_assert_lte_u64(first, e->time);
		igt_assert_lte_u64(e->duration, e->time - first);
		igt_assert_lte_u64(e->vram, svm_vram_size(fd));
		igt_assert_eq_u32(e->lost, 0);
		igt_assert(!i || told.e[i - 1].time <= e->time);
	}
	igt_assert_lte_u64(told.e[told.n - 1].time, last);
	close(events);
}

static void add_up(int fd)
{
	add_up_of(fd, false);
}

static void add_up_huge(int fd)
{
	add_up_of(fd, true);
}

/* Each context has its own events, though their pages lie side by side. */
static void own_events(int fd)
{
	size_t page = svm_page_size(), block = BLOCK * page, size = 4 * block;
	int second = svm_open_attached(), events[2] = { open_events(fd), open_events(second) };
	char *base = written(4);

	for (size_t i = 0; i < 4; i++)
		svm_prefetch(i % 2 ? second : fd, base + i * block, block, VRAM);
	for (int i = 0; i < 2; i++) {
		read_all(events[i], &told);
		igt_assert_eq_u64(told.n, 4);
		igt_assert_eq_u64(pages_of(&told, DRM_SVM_EVENT_MIGRATE, VRAM), 2 * BLOCK);
	}
	/* who wants them home does not matter */
	svm_prefetch(fd, base, size, SYSTEM);
	read_all(events[0], &told);
	read_all(events[1], &other);
	igt_assert_eq_u64(told.n, 3);
	igt_assert_eq_u64(other.n, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_moved(&told.e[i], DRM_SVM_CAUSE_PREFETCH, base + 2 * i * block, block,
			     VRAM, SYSTEM);
		assert_moved(&other.e[i], DRM_SVM_CAUSE_PREFETCH, base + (2 * i + 1) * block,
			     block, VRAM, SYSTEM);
	}
	close(events[0]);
	close(events[1]);
	close(second);
}

/* The ring */

/* There and back: four records */
static void to_and_fro(int fd, char *base, unsigned int times)
{
	size_t size = BLOCK * svm_page_size();

	while (times--) {
		igt_assert_eq_u64(svm_prefetch(fd, base, size, VRAM), BLOCK);
		igt_assert_eq_u64(svm_prefetch(fd, base, size, SYSTEM), BLOCK);
	}
}

static void lost_counted(int fd)
{
	enum { ENTRIES = 6, TIMES = 10, LOST = 4 * TIMES - ENTRIES };
	struct drm_svm_event e[ENTRIES + 2];
	int small = open_events_of(fd, ENTRIES), all = open_events(fd);
	char *base = written(1);

	/* what is lost is new; then a record of its own says how many these were */
	to_and_fro(fd, base, TIMES);
	read_all(all, &told);
	igt_assert_eq_u64(told.n, 4 * TIMES);
	memset(e, 0xff, sizeof(e));
	igt_assert_eq(read(small, e, sizeof(e)), (ENTRIES + 1) * RECORD);
	igt_assert(!memcmp(e, told.e, ENTRIES * RECORD));
	igt_assert_eq_u32(e[ENTRIES].type, DRM_SVM_EVENT_LOST);
	igt_assert_eq_u32(e[ENTRIES].lost, LOST);
	igt_assert_lte_u64(told.e[told.n - 1].time, e[ENTRIES].time);
	igt_assert_eq_u64(e[ENTRIES].start | e[ENTRIES].size | e[ENTRIES].vram, 0);
	igt_assert_eq_u64(e[ENTRIES].pages | e[ENTRIES].cause | e[ENTRIES].err, 0);

	/* without room for that record, the next one says it */
	to_and_fro(fd, base, TIMES);
	igt_assert_eq(read(small, e, ENTRIES * RECORD), ENTRIES * RECORD);
	for (int i = 0; i < ENTRIES; i++)
		igt_assert_eq_u32(e[i].lost, 0);
	to_and_fro(fd, base, 1);
	igt_assert_eq(read(small, e, sizeof(e)), 4 * RECORD);
	igt_assert_eq_u32(e[0].lost, LOST);
	for (int i = 1; i < 4; i++)
		igt_assert_eq_u32(e[i].lost, 0);
	close(small);
	close(all);
}

/* One record at a time goes round a ring of three. */
static void ring_wraps(int fd)
{
	int small = open_events_of(fd, 3), all = open_events(fd);
	char *base = written(1);
	struct drm_svm_event e;

	for (int i = 0; i < 10; i++) {
		svm_prefetch(fd, base, BLOCK * svm_page_size(), i % 2 ? SYSTEM : VRAM);
		read_all(all, &told);
		igt_assert_eq_u64(told.n, 2);
		for (int n = 0; n < 2; n++) {
			igt_assert_eq(read(small, &e, RECORD), RECORD);
			igt_assert(!memcmp(&e, &told.e[n], RECORD));
		}
	}
	close(small);
	close(all);
}

static void read_sizes(int fd)
{
	int events = open_events(fd);
	char *base = written(1), buf[4 * RECORD];

	to_and_fro(fd, base, 3);
	for (size_t size = 0; size < RECORD; size++) {
		memset(buf, 0xc5, sizeof(buf));
		igt_assert_eq(read(events, buf, size), -1);
		igt_assert_eq(errno, EINVAL);
		igt_assert_eq(buf[0], (char)0xc5);
	}
	for (size_t size = RECORD; size < 3 * RECORD; size += RECORD / 2) {
		memset(buf, 0xc5, sizeof(buf));
		igt_assert_eq(read(events, buf, size), size / RECORD * RECORD);
		igt_assert_eq(buf[size / RECORD * RECORD], (char)0xc5);
	}
	/* 1 + 1 + 2 + 2 were read of 12; an empty file is asked for no size either */
	read_all(events, &told);
	igt_assert_eq_u64(told.n, 6);
	igt_assert_eq(read(events, buf, 1), -1);
	igt_assert_eq(errno, EINVAL);
	igt_assert_eq(write(events, buf, RECORD), -1);
	igt_assert_eq(errno, EBADF);
	close(events);
}

/* A buffer that cannot be written takes nothing; one in VRAM adds what becomes of it. */
static void read_buffers(int fd)
{
	size_t page = svm_page_size(), size = BLOCK * page;
	char *base = written(1), *bad = svm_mmap_anon(2 * page), *far;
	int events = open_events(fd), twin = open_events(fd);

	igt_assert_eq(mprotect(bad + page, page, PROT_NONE), 0);
	to_and_fro(fd, base, 1);
	igt_assert_eq(read(events, bad + page, page), -1);
	igt_assert_eq(errno, EFAULT);
	igt_assert_eq(read(events, bad + page - RECORD, 2 * RECORD), -1);
	igt_assert_eq(errno, EFAULT);
	igt_assert_eq(read(events, bad + page - RECORD, RECORD), RECORD);
	read_all(events, &told);
	igt_assert_eq_u64(told.n, 3);
	read_all(twin, &other);
	igt_assert(!memcmp(bad + page - RECORD, &other.e[0], RECORD));
	igt_assert(!memcmp(&told.e[0], &other.e[1], 3 * RECORD));

	far = svm_prefetched(fd, size, MAGIC);
	read_all(twin, &other);
	igt_assert_eq_u64(other.n, 2);
	igt_assert_eq(read(events, far, size), 2 * RECORD);
	igt_assert(!memcmp(far, &other.e[0], 2 * RECORD));
	read_all(events, &told);
	igt_assert_eq_u64(told.n, 1);
	assert_moved(&told.e[0], DRM_SVM_CAUSE_CPU_FAULT, far, size, VRAM, SYSTEM);
	close(events);
	close(twin);
}

/* Waiting */

static short polled(int events, int ms)
{
	struct pollfd pollfd = { .fd = events, .events = POLLIN | POLLRDNORM | POLLOUT };

	igt_assert_lte(0, poll(&pollfd, 1, ms));
	return pollfd.revents;
}

static void event_poll(int fd)
{
	int events = open_events_of(fd, 2);
	struct drm_svm_event e[2];
	char *base = written(1);

	igt_assert_eq(polled(events, 0), 0);
	to_and_fro(fd, base, 1);
	igt_assert_eq(polled(events, 0), POLLIN | POLLRDNORM);
	igt_assert_eq(read(events, e, RECORD), RECORD);
	igt_assert_eq(polled(events, 0), POLLIN | POLLRDNORM);
	igt_assert_eq(read(events, e, RECORD), RECORD);
	/* two were lost, which there is a record for */
	igt_assert_eq(polled(events, 0), POLLIN | POLLRDNORM);
	igt_assert_eq(read(events, e, RECORD), RECORD);
	igt_assert_eq_u32(e[0].lost, 2);
	igt_assert_eq(polled(events, 0), 0);
	close(events);
}

static void nonblocking(int fd)
{
	int events = open_events(fd);
	struct drm_svm_event e;

	igt_assert_eq(read(events, &e, RECORD), -1);
	igt_assert_eq(errno, EAGAIN);
	to_and_fro(fd, written(1), 1);
	igt_assert_eq(read(events, &e, RECORD), RECORD);
	close(events);
}

struct waiter {
	int events;
	bool polls;
	ssize_t len;
	struct drm_svm_event e;
};

static void *wait_thread(void *data)
{
	struct waiter *w = data;

	if (w->polls)
		igt_assert_eq(polled(w->events, 60000) & POLLIN, POLLIN);
	w->len = read(w->events, &w->e, RECORD);
	return NULL;
}

/* A record wakes a reader and a poller, and the end of the address space does. */
static void event_wakes(void)
{
	int fd = svm_open_attached();
	struct waiter w[] = { { open_events_of(fd, 8), false }, { open_events_of(fd, 8), true } };
	pthread_t threads[2];
	char *base = written(1);

	for (int i = 0; i < 2; i++)
		igt_assert(!pthread_create(&threads[i], NULL, wait_thread, &w[i]));
	usleep(200000);
	svm_prefetch(fd, base, BLOCK * svm_page_size(), VRAM);
	for (int i = 0; i < 2; i++) {
		igt_assert(!pthread_join(threads[i], NULL));
		igt_thread_assert_no_failures();
		igt_assert_eq(w[i].len, RECORD);
		igt_assert_eq_u32(w[i].e.type, DRM_SVM_EVENT_MIGRATE);
		/* the prefetch itself */
		igt_assert_eq(read(w[i].events, &w[i].e, RECORD), RECORD);
	}
	w[0].len = 1;
	igt_assert(!pthread_create(&threads[0], NULL, wait_thread, &w[0]));
	usleep(200000);
	close(fd);
	igt_assert(!pthread_join(threads[0], NULL));
	igt_assert_eq(w[0].len, 0);
	igt_assert_eq(polled(w[1].events, 60000), POLLHUP);
	close(w[0].events);
	close(w[1].events);
}

/* A reader that waits ends with a signal, and with its process. */
static void wait_ends(void)
{
	struct drm_svm_event e;
	int fd = svm_open_attached(), events = open_events_of(fd, 8);
	pid_t pid;

	svm_alarms(false, 10000);
	igt_assert_eq(read(events, &e, RECORD), -1);
	igt_assert_eq(errno, EINTR);
	svm_alarms(false, 0);
	close(events);
	close(fd);

	pid = svm_fork();
	if (!pid) {
		fd = svm_open_attached();
		exit(read(open_events_of(fd, 8), &e, RECORD) != -1);
	}
	igt_assert(svm_until(svm_hw_waits_in("drm_svm_events_read"), 30000));
	kill(pid, SIGKILL);
	igt_assert_eq(svm_reap(60), 128 + SIGKILL);
}

/* Lives */

static void close_full(int fd)
{
	int small = open_events_of(fd, 1), all = open_events(fd);
	char *base = written(1);

	to_and_fro(fd, base, 4);
	close(small);
	to_and_fro(fd, base, 4);
	read_all(all, &told);
	igt_assert_eq_u64(told.n, 32);
	close(all);
}

/* The file of events outlives the file, the address space and the driver. */
static void close_file_first(void)
{
	int fd = svm_open_attached(), events = open_events(fd), small = open_events_of(fd, 1);
	char *base = svm_prefetched(fd, BLOCK * svm_page_size(), MAGIC);
	struct drm_svm_event e;
	int err = -EBUSY;

	igt_assert_eq(polled(events, 0), POLLIN | POLLRDNORM);
	close(fd);
	/* nobody is told of this one any more */
	igt_assert(svm_pattern_ok(base, BLOCK * svm_page_size(), MAGIC));
	igt_assert_eq(polled(events, 10000), POLLIN | POLLRDNORM | POLLHUP);
	svm_module_unload();
	igt_assert_neq(__svm_delete_module("drm_svm"), 0);

	read_all(events, &told);
	igt_assert_eq_u64(told.n, 2);
	igt_assert_eq(read(events, &e, RECORD), 0);
	igt_assert_eq(polled(events, 0), POLLHUP);
	/* what was lost is told at the end as well */
	igt_assert_eq(read(small, &e, RECORD), RECORD);
	igt_assert_eq_u32(e.lost, 0);
	igt_assert_eq(read(small, &e, RECORD), RECORD);
	igt_assert_eq_u32(e.type, DRM_SVM_EVENT_LOST);
	igt_assert_eq_u32(e.lost, 1);
	igt_assert_eq(read(small, &e, RECORD), 0);
	close(events);
	close(small);
	igt_assert(svm_until(!(err = __svm_delete_module("drm_svm")) || err == -ENOENT, 5000));
	svm_module_load("vram_mb=16");
}

/* The device goes: what its address spaces told before can be read. */
static void unplug_first(void)
{
	int fd, events;

	svm_module_load("vram_mb=16");
	fd = svm_open_attached();
	events = open_events(fd);
	svm_prefetched(fd, BLOCK * svm_page_size(), MAGIC);
	svm_hw_unplug(fd, SVM_HW_ORDERLY);
	igt_assert_eq(polled(events, 10000), POLLIN | POLLRDNORM | POLLHUP);
	read_all(events, &told);
	igt_assert_lte_u64(2, told.n);
	igt_assert_eq(polled(events, 0), POLLHUP);
	close(fd);
	close(events);
	svm_module_load("vram_mb=16");
}

static void event_limit(int fd)
{
	int events[DRM_SVM_EVENTS_MAX_FILES], second = svm_open_attached();
	struct drm_svm_events args = { .entries = MANY, .out_fd = -7 };
	char *base = written(1);

	for (int i = 0; i < DRM_SVM_EVENTS_MAX_FILES; i++)
		events[i] = open_events(fd);
	igt_assert_eq(client_events(fd, &args), -EMFILE);
	igt_assert_eq(args.out_fd, -7);
	/* another address space has its own */
	close(open_events(second));
	close(events[3]);
	events[3] = open_events(fd);
	igt_assert_eq(client_events(fd, &args), -EMFILE);

	to_and_fro(fd, base, 1);
	read_all(events[0], &told);
	igt_assert_eq_u64(told.n, 4);
	for (int i = 1; i < DRM_SVM_EVENTS_MAX_FILES; i++) {
		read_all(events[i], &other);
		igt_assert_eq_u64(other.n, told.n);
		igt_assert(!memcmp(other.e, told.e, told.n * RECORD));
	}
	for (int i = 0; i < DRM_SVM_EVENTS_MAX_FILES; i++)
		close(events[i]);
	close(second);
}

static size_t open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	igt_assert(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void event_invalid(int fd)
{
	static const uint32_t bad[] = { 0, DRM_SVM_EVENTS_MAX + 1, 1u << 31, UINT32_MAX };
	struct drm_svm_events args;
	size_t before = open_files();
	int second = svm_open();

	for (int bit = 0; bit < 32; bit++) {
		args = (struct drm_svm_events) { .flags = 1u << bit, .entries = 1 };
		igt_assert_eq(client_events(fd, &args), -EINVAL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		args = (struct drm_svm_events) { .entries = bad[i] };
		igt_assert_eq(client_events(fd, &args), -EINVAL);
	}
	args = (struct drm_svm_events) { .entries = 1 };
	igt_assert_eq(client_events(second, &args), -ENXIO);
	close(second);
	igt_assert_eq_u64(open_files(), before);

	/* the most; and what is there for the kernel to write is not read */
	memset(&args, 0xff, sizeof(args));
	args.flags = 0;
	args.entries = DRM_SVM_EVENTS_MAX;
	igt_assert_eq(client_events(fd, &args), 0);
	igt_assert_eq(fcntl(args.out_fd, F_GETFD), FD_CLOEXEC);
	igt_assert_eq(fcntl(args.out_fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	igt_assert_eq(close(args.out_fd), 0);
	igt_assert_eq_u64(open_files(), before);
}

/* A full ring costs the process that asked for it. */
static void event_charged(int fd)
{
	uint64_t size = DRM_SVM_EVENTS_MAX * RECORD, before;
	int events;

	svm_cgroup_enter();
	before = svm_cgroup_current();
	events = open_events_of(fd, DRM_SVM_EVENTS_MAX);
	igt_assert_lte_u64(before + size / 4 * 3, svm_cgroup_current());
	close(events);
	svm_cgroup_leave();
}

/* A page breaks, and does not come back; so the device is made anew. */
static void evict_bad_page(void)
{
	size_t page = svm_page_size(), size = BLOCK * page;
	int fd = svm_open_attached(), events;
	char *base = svm_prefetched(fd, size, MAGIC);

	/* the offset is looked up by what the GPU has */
	svm_gpu_touch(fd, base, size, page, false);
	events = open_events(fd);
	svm_hw_write(fd, "inject/bad_page", svm_hw_offset(fd, base + 3 * page));
	read_all(events, &told);
	igt_assert_eq_u64(told.n, 1);
	assert_evicted(&told, DRM_SVM_CAUSE_BAD_PAGE, base, size, BLOCK - 1);
	munmap(base, size);
	close(events);
	close(fd);
	svm_module_load("vram_mb=16");
}

/* Others */

static bool is_refused(int fd, int events)
{
	struct drm_svm_events args = { .entries = 1 };
	struct drm_svm_event e;

	return read(events, &e, RECORD) == -1 && errno == EPERM &&
	       read(events, &e, 1) == -1 && errno == EPERM &&
	       (fd < 0 || client_events(fd, &args) == -EPERM);
}

/*
 * A child is told nothing. What it does with the pages that it has in common with its
 * parent is told to the parent, by the parent's addresses.
 */
static void fork_child(int fd)
{
	size_t size = BLOCK * svm_page_size();
	char *base = svm_prefetched(fd, size, MAGIC), *to = svm_mmap_small(size);
	int events = open_events(fd);

	igt_fork(child, 1) {
		igt_assert(is_refused(fd, events));
		igt_assert(mremap(base, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
		igt_assert(svm_pattern_ok(to, size, MAGIC));
		igt_assert(is_refused(fd, events));
	}
	igt_waitchildren();
	read_all(events, &told);
	igt_assert_eq_u64(pages_of(&told, DRM_SVM_EVENT_MIGRATE, SYSTEM), BLOCK);
	for (size_t i = 0; i < told.n; i++) {
		igt_assert_lte_u64(client_ptr(base), told.e[i].start);
		igt_assert_lte_u64(told.e[i].start + told.e[i].size, client_ptr(base) + size);
	}
	igt_assert(svm_pattern_ok(base, size, MAGIC));
	close(events);
}

static void passed_on(void)
{
	int sock[2], fd, events;

	igt_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sock), 0);
	igt_fork(child, 1) {
		fd = svm_receive_fd(sock[1]);
		igt_assert(polled(fd, 0) & POLLIN);
		igt_assert(is_refused(-1, fd));
		close(fd);
	}
	fd = svm_open_attached();
	events = open_events(fd);
	to_and_fro(fd, written(1), 1);
	svm_send_fd(sock[0], events);
	igt_waitchildren();
	read_all(events, &told);
	igt_assert_eq_u64(told.n, 4);
	close(events);
	close(fd);
	close(sock[0]);
	close(sock[1]);
}

/* The owner has ended: what is left of it is for nobody. */
static void owner_ends(void)
{
	int sock[2], events;

	igt_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sock), 0);
	if (!svm_fork()) {
		int fd = svm_open_attached();

		events = open_events(fd);
		to_and_fro(fd, written(1), 1);
		svm_send_fd(sock[1], events);
		exit(0);
	}
	events = svm_receive_fd(sock[0]);
	igt_assert_eq(svm_reap(60), 0);
	igt_assert(svm_until(polled(events, 0) & POLLHUP, 10000));
	igt_assert(is_refused(-1, events));
	close(events);
	close(sock[0]);
	close(sock[1]);
}

/* Several threads read one file: each record goes to one of them. */

struct reader {
	int events;
	uint64_t pages, lost;
};

static void *read_thread(void *data)
{
	struct reader *r = data;
	struct drm_svm_event e[3];
	ssize_t len;

	while ((len = read(r->events, e, sizeof(e))) > 0)
		for (size_t i = 0; i < len / RECORD; i++) {
			r->pages += e[i].type == DRM_SVM_EVENT_MIGRATE ? e[i].pages : 0;
			r->lost += e[i].lost;
		}
	igt_assert_eq(len, 0);
	return NULL;
}

static void many_readers(void)
{
	enum { READERS = 3, TIMES = 200 };
	int fd = svm_open_attached(), events = open_events_of(fd, 16384);
	struct reader r[READERS] = {};
	pthread_t threads[READERS];
	uint64_t pages = 0;
	char *base = written(1);

	for (int i = 0; i < READERS; i++) {
		r[i].events = events;
		igt_assert(!pthread_create(&threads[i], NULL, read_thread, &r[i]));
	}
	to_and_fro(fd, base, TIMES);
	close(fd);
	for (int i = 0; i < READERS; i++) {
		igt_assert(!pthread_join(threads[i], NULL));
		igt_thread_assert_no_failures();
		pages += r[i].pages;
		igt_assert_eq_u64(r[i].lost, 0);
	}
	igt_assert_eq_u64(pages, 2 * TIMES * BLOCK);
	close(events);
}

static const struct svm_case cases[] = {
	{ "fault-in-ram", "Faults on memory that stays where it is.", fault_in_ram },
	{ "fault-fails", "Faults on an address without memory.", fault_fails },
	{ "fault-to-vram", "A fault takes a block to VRAM.", fault_to_vram },
	{ "fault-creates", "A fault makes a block in VRAM.", fault_creates },
	{ "cpu-fault", "The CPU brings a block home.", cpu_fault },
	{ "cpu-fault-huge", "A huge page goes to VRAM and comes home.", cpu_fault_huge },
	{ "cpu-fault-fails", "The copy for the CPU fails.", cpu_fault_fails },
	{ "prefetch", "The program moves pages there and back.", prefetch_both_ways },
	{ "prefetch-fails", "The program asks for what cannot be.", prefetch_fails },
	{ "evict-room", "Blocks leave because others need the VRAM.", evict_room },
	{ "evict-huge", "A huge page leaves VRAM.", evict_huge },
	{ "evict-suspend", "Blocks leave for a suspend.", evict_suspend },
	{ "mremap", "Pages are told at the address where they came to VRAM.", moved_mapping },
	{ "add-up", "The records add up to the counters, in the order of time.", add_up },
	{ "add-up-huge", "The same for huge pages.", add_up_huge },
	{ "own", "Each file has the events of its own address space.", own_events },
	{ "lost", "A full file counts what it loses.", lost_counted },
	{ "wrap", "Records go round a small ring.", ring_wraps },
	{ "read-sizes", "Whole records are read, as many as fit.", read_sizes },
	{ "read-buffers", "Buffers that cannot be written, and one in VRAM.", read_buffers },
	{ "poll", "A file is readable when there is a record.", event_poll },
	{ "nonblock", "A file that does not block.", nonblocking },
	{ "close-full", "A full file is closed.", close_full },
	{ "limit", "So many files, and no more.", event_limit },
	{ "invalid", "Malformed calls are refused and open nothing.", event_invalid },
	{ "charged", "The memory of a file is charged to the process.", event_charged },
	{ "fork", "A child is told nothing, and not what it does elsewhere.", fork_child },
};

static const struct svm_test tests[] = {
	{ "wakes", "Waiting readers are woken.", event_wakes },
	{ "wait-ends", "A reader that waits can be interrupted and killed.", wait_ends },
	{ "evict-bad-page", "Pages leave because one of them broke.", evict_bad_page },
	{ "close-file-first", "Events outlive the file, and the driver's module.",
	  close_file_first },
	{ "unplug-first", "Events outlive the device.", unplug_first },
	{ "passed", "A process that was handed the file is refused.", passed_on },
	{ "owner-ends", "Nobody reads the events of a process that has ended.", owner_ends },
	{ "readers", "Several threads read one file.", many_readers },
};

int igt_main()
{
	igt_fixture()
		svm_vram_on("vram_mb=16");

	svm_cases(cases);
	svm_tests(tests);

	igt_fixture()
		svm_vram_off();
}
