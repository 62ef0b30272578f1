// SPDX-License-Identifier: MIT
/*
 * Who waits for whom: the kernel's trace of locks that were taken already shows that
 * faults of different ranges are served without waiting for each other. As proof that
 * it would show it, faults of one range do wait.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "igt.h"
#include "svm_job.h"
#include "svm_random.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("Faults of different ranges do not wait for each other.");

#define TRACE	"/sys/kernel/tracing/instances/svm_locks/"

enum { RANGES = 64, ENGINES = 4 };

struct touch {
	int fd;
	uint32_t engine;
	char *base;
	size_t size;
	size_t stride;
};

static void *touch_thread(void *arg)
{
	struct touch *touch = arg;
	struct drm_svm_test_cmd cmd;

	cmd = svm_cmd_touch(touch->base, touch->size, touch->stride, true);
	svm_wait_ok(touch->fd, svm_submit_on(touch->fd, touch->engine, &cmd, 1));
	return NULL;
}

static bool trace_set(const char *file, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), TRACE "%s", file);
	return svm_sys_write(path, value);
}

/*
 * Not spinlocks (1). With lockdep each mutex_lock() is traced as one that spins for a mutex
 * (33), contended or not: there only sleeping counts.
 */
static const char *wait_filter(void)
{
	return svm_has_lockdep() ? "flags != 1 && flags != 33" : "flags != 1";
}

/* What sleeps counts, and what spins because the owner of such a lock runs */
static void trace_start(void)
{
	int trace;

	igt_require(!mkdir(TRACE, 0755) || errno == EEXIST);
	igt_require(trace_set("events/lock/contention_begin/filter", wait_filter()));
	igt_assert(trace_set("options/stacktrace", "1"));
	igt_assert(trace_set("buffer_size_kb", "8192"));
	/* to open it so empties it */
	trace = open(TRACE "trace", O_WRONLY | O_TRUNC);
	igt_assert_lte(0, trace);
	close(trace);
	igt_assert(trace_set("events/lock/contention_begin/enable", "1"));
}

static bool is_lock_function(const char *name)
{
	return strstr(name, "contention") || strstr(name, "mutex") || strstr(name, "rwsem") ||
	       strstr(name, "down_") || strstr(name, "rwbase");
}

/* Whether a function of the library waited, or one that it called for other things */
static bool is_wait_of_ours(FILE *trace, char *line, size_t size)
{
	char name[128];

	while (fgets(line, size, trace) && sscanf(line, " => %127s", name) == 1) {
		if (is_lock_function(name))
			continue;
		if (strncmp(name, "drm_svm_", 8))
			break;
		igt_debug("waits in %s\n", name);
		return true;
	}
	return false;
}

/* How often the library waited for a lock since trace_start() */
static unsigned int trace_stop(void)
{
	unsigned int n = 0;
	char line[512];
	FILE *trace;

	igt_assert(trace_set("events/lock/contention_begin/enable", "0"));
	trace = fopen(TRACE "trace", "r");
	igt_assert(trace);
	while (fgets(line, sizeof(line), trace)) {
		if (strstr(line, "<stack trace>"))
			n += is_wait_of_ours(trace, line, sizeof(line));
	}
	fclose(trace);
	return n;
}

static void trace_end(void)
{
	trace_set("events/lock/contention_begin/enable", "0");
	rmdir(TRACE);
}

static unsigned int count_waits(struct touch touches[ENGINES])
{
	trace_start();
	svm_threads(ENGINES, touch_thread, touches, sizeof(touches[0]));
	return trace_stop();
}

/*
 * Each engine touches a page of each of its ranges, and does not look ahead: no two faults
 * are of one range.
 */
static unsigned int waits_apart(int fd)
{
	size_t range = svm_range_size(), size = RANGES * range;
	char *base = svm_mmap_small(ENGINES * size);
	struct touch touches[ENGINES];
	unsigned int n;

	for (int i = 0; i < ENGINES; i++)
		touches[i] = (struct touch) { fd, i, base + i * size, size, range };
	n = count_waits(touches);
	munmap(base, ENGINES * size);
	return n;
}

/* All engines touch pages of the same ranges, none of them the same */
static unsigned int waits_together(int fd)
{
	size_t leaf = 16 * svm_page_size(), size = RANGES * svm_range_size();
	char *base = svm_mmap_small(size);
	struct touch touches[ENGINES];
	unsigned int n;

	for (int i = 0; i < ENGINES; i++)
		touches[i] = (struct touch) { fd, i, base + i * leaf, size - ENGINES * leaf,
					      ENGINES * leaf };
	n = count_waits(touches);
	munmap(base, size);
	return n;
}

static void no_waits(int fd)
{
	struct client_counts before, after;
	unsigned int n;

	svm_counters(fd, &before);
	n = waits_apart(fd);
	svm_counters(fd, &after);
	igt_info("%llu faults of as many ranges: %u waits for locks\n",
		 (unsigned long long)(client_counted(&before, &after, FAULTS)), n);
	igt_assert_lte_u64(ENGINES * RANGES, client_counted(&before, &after, FAULTS));
	igt_assert_eq(n, 0);
	igt_assert_f(svm_until(waits_together(fd), 30000), "the trace shows no waits at all\n");
}

static const struct svm_case ram_cases[] = {
	{ "ram", "Faults of memory in RAM.", no_waits },
};

static const struct svm_case vram_cases[] = {
	{ "vram", "Faults of memory that moves to VRAM.", no_waits },
};

int igt_main()
{
	igt_fixture() {
		svm_require_patching();
		svm_vram_on("vram_mb=0 engines=4 lanes=1");
	}

	svm_cases(ram_cases);

	igt_fixture()
		svm_vram_on("vram_mb=64 engines=4 lanes=1");

	svm_cases(vram_cases);

	igt_fixture() {
		trace_end();
		svm_vram_off();
	}
}
