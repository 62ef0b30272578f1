// SPDX-License-Identifier: MIT
/*
 * Where there are several processors, what counts is how many faults are served at the
 * same time. A clock says less than a count of instructions: what else the machine does is
 * in it. So the sides take turns, each round gives one ratio, and of these the median
 * is printed with an interval.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "rate.h"
#include "side.h"

#define ROUNDS	9
/* The median is between the second and the last but one in 96 of 100 cases. */
#define TRIM	1
#define FAULTS	4096u	/* each in a range of its own */

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* All engines go through memory of which the CPU has one page in each range. */
static int storm(struct bench *bench, double *rate)
{
	struct area area = mem_map_pages(FAULTS);
	size_t part = area.size / WIDE_ENGINES;
	uint64_t jobs[WIDE_ENGINES];
	int error = 0, failed;
	unsigned int i, n;
	double begin;

	mem_write(&area, RANGE);
	begin = now();
	for (n = 0; n < WIDE_ENGINES && !error; n += !error) {
		struct drm_svm_test_cmd cmd = {
			.op = DRM_SVM_TEST_OP_TOUCH,
			.flags = DRM_SVM_TEST_CMD_WRITE,
			.dst = client_ptr(area.start + n * part),
			.size = part,
			.arg0 = RANGE,
			.arg1 = 1,
		};

		error = bench_submit(bench, &cmd, 1, n, NULL, &jobs[n]);
	}
	for (i = 0; i < n; i++) {
		failed = bench_wait(bench, jobs[i]);
		error = error ?: failed;
	}
	*rate = FAULTS / (now() - begin);
	mem_unmap(&area);
	return error;
}

/* The second one of a process: for the first one the GPU's page table is made. */
static void serve(enum side side, int result)
{
	struct bench bench = { .side = side };
	double rate;

	bench_open_side(&bench);
	if (storm(&bench, &rate) || storm(&bench, &rate) ||
	    write(result, &rate, sizeof(rate)) != sizeof(rate))
		_exit(EXIT_FAILURE);
	_exit(EXIT_SUCCESS);
}

/* Faults a second, in a process of its own; zero if that fails. */
static double measure(enum side side, unsigned int workers)
{
	double rate = 0;
	int ends[2];
	pid_t child;

	if (!side_load_workers(side, SETUP_WIDE, workers) || pipe(ends))
		return 0;
	fflush(NULL);
	child = fork();
	if (!child)
		serve(side, ends[1]);
	close(ends[1]);
	if (read(ends[0], &rate, sizeof(rate)) != sizeof(rate))
		rate = 0;
	close(ends[0]);
	waitpid(child, NULL, 0);
	side_unload(side);
	return rate;
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static bool compare_workers(unsigned int workers)
{
	double peer[ROUNDS], ours[ROUNDS], ratios[ROUNDS];
	int i;

	for (i = 0; i < ROUNDS; i++) {
		fprintf(stderr, "%u workers, round %d of %d\n", workers, i + 1, ROUNDS);
		peer[i] = measure(SIDE_PEER, workers);
		ours[i] = measure(SIDE_OURS, workers);
		if (!peer[i] || !ours[i])
			return false;
		ratios[i] = ours[i] / peer[i];
	}
	qsort(peer, ROUNDS, sizeof(*peer), compare);
	qsort(ours, ROUNDS, sizeof(*ours), compare);
	qsort(ratios, ROUNDS, sizeof(*ratios), compare);
	printf("%7u %12.0f %12.0f %8.2f  %.2f to %.2f\n", workers, peer[ROUNDS / 2],
	       ours[ROUNDS / 2], ratios[ROUNDS / 2], ratios[TRIM], ratios[ROUNDS - 1 - TRIM]);
	fflush(stdout);
	return true;
}

bool rate_compare(void)
{
	unsigned int workers;

	printf("Faults a second, each in a range of its own, on %ld processors; more is better\n\n"
	       "workers   drm_gpusvm      drm_svm    ratio  its median is in, 96 %%\n",
	       sysconf(_SC_NPROCESSORS_ONLN));
	for (workers = 1; workers <= 8; workers *= 2)
		if (!compare_workers(workers)) {
			fprintf(stderr, "a side does not work\n");
			return false;
		}
	return true;
}
