// SPDX-License-Identifier: MIT
/*
 * Many faults at once, of several engines. All jobs wait behind one that runs in a
 * circle until the CPU opens it, so that submitting them is not part of it.
 */

#include <unistd.h>

#include "bench.h"
#include "count.h"
#include "mem.h"

#define SAMPLES	12
#define LANES	16u	/* faults of a job at once */
#define SETTLE_MS	100

/*
 * The job that runs in a circle: a list whose one node is its own successor. At its end it
 * signals a fence.
 */
struct barrier {
	struct area area;
	volatile uint64_t *node, *fence;
	uint64_t job;
};

static int barrier_close(struct bench *bench, struct barrier *barrier)
{
	struct drm_svm_test_cmd chase = {
		.op = DRM_SVM_TEST_OP_CHASE,
		.count = UINT32_MAX,
		.arg1 = sizeof(uint64_t),
	};
	/* A write that leaves the fence as it is */
	struct drm_svm_test_cmd nop = {
		.op = DRM_SVM_TEST_OP_ATOMIC_ADD,
		.flags = DRM_SVM_TEST_CMD_64,
		.count = 1,
	};
	int error;

	/* In ranges of their own: the CPU's store does not take the fence from the GPU */
	barrier->area = mem_map(2 * RANGE, false);
	barrier->node = (uint64_t *)barrier->area.start;
	barrier->fence = (uint64_t *)(barrier->area.start + RANGE);
	*barrier->fence = 0;
	nop.dst = client_ptr(barrier->fence);
	/* Else both begin with a fault, which would be counted */
	error = bench_touch(bench, barrier->area.start, PAGE, PAGE, false);
	if (!error)
		error = bench_submit(bench, &nop, 1, 0, NULL, &barrier->job) ?:
			bench_wait(bench, barrier->job);
	if (error)
		return error;
	*barrier->node = chase.src = client_ptr(barrier->area.start);
	return bench_submit(bench, &chase, 1, 0, barrier->fence, &barrier->job);
}

static void barrier_open(struct barrier *barrier)
{
	*barrier->node = 0;
}

static int barrier_destroy(struct bench *bench, struct barrier *barrier)
{
	int error;

	barrier_open(barrier);
	error = bench_wait(bench, barrier->job);
	mem_unmap(&barrier->area);
	return error;
}

static unsigned int pages_of_job(const struct bench_case *c)
{
	if (c->setup == SETUP_CROWD)
		return c->count / CROWD_ENGINES;
	return c->count < LANES ? c->count : LANES;
}

/* So many engines touch the same pages, each of them as many as it has lanes. */
static int submit_touch(struct bench *bench, const struct bench_case *c,
			const struct area *area, unsigned int i,
			const struct barrier *barrier, uint64_t *job)
{
	unsigned int each = pages_of_job(c);
	struct drm_svm_test_cmd cmds[] = { {
		.op = DRM_SVM_TEST_OP_WAIT,
		.src = client_ptr(barrier->fence),
		.arg0 = 1,
	}, {
		.op = DRM_SVM_TEST_OP_TOUCH,
		.flags = DRM_SVM_TEST_CMD_WRITE,
		.dst = client_ptr(area->start + i / c->sharers * each * c->stride),
		.size = each * c->stride,
		.arg0 = c->stride,
		.arg1 = 1,
	} };

	return bench_submit(bench, cmds, 2, i, NULL, job);
}

static int run_jobs(struct bench *bench, const struct bench_case *c,
		    const struct area *area, struct sample *s)
{
	unsigned int n = c->count / pages_of_job(c), i;
	struct barrier barrier = {};
	uint64_t jobs[CROWD_ENGINES];
	int error;

	count_settle(SETTLE_MS);
	error = barrier_close(bench, &barrier);
	for (i = 0; i < n && !error; i++)
		error = submit_touch(bench, c, area, i, &barrier, &jobs[i]);
	if (error)
		return error;
	bench_start(bench, s);
	barrier_open(&barrier);
	for (i = 0; i < n; i++)
		error = bench_wait(bench, jobs[i]) ?: error;
	bench_end(bench, s);
	return barrier_destroy(bench, &barrier) ?: error;
}

static int batch(struct bench *bench, const struct bench_case *c, struct sample *s)
{
	unsigned int pages = c->count / c->sharers;
	struct area area = c->stride < RANGE ? mem_map(pages * c->stride, false) :
					       mem_map_pages(pages);
	int error;

	s->pages = pages;
	mem_write(&area, c->stride < RANGE ? PAGE : RANGE);
	error = run_jobs(bench, c, &area, s);
	mem_unmap(&area);
	return error;
}

/* In one range: so far apart that they fill it; else each in a range of its own */
static void add_batch(unsigned int count, bool one, unsigned int sharers)
{
	static const char * const shares[] = {
		[1] = "", [2] = "-dup50", [WIDE_ENGINES] = "-dup94", [CROWD_ENGINES] = "-dup99",
	};
	struct bench_case c = {
		.setup = sharers > WIDE_ENGINES ? SETUP_CROWD : SETUP_WIDE,
		.figure = FIGURE_SERVICE,
		.samples = SAMPLES,
		.sample = batch,
		.count = count,
		.stride = one ? RANGE / count * sharers : RANGE,
		.sharers = sharers,
	};

	bench_add(&c, "batch-%u-%s%s", count, one ? "one" : "many", shares[sharers]);
}

void add_batch_cases(void)
{
	static const unsigned int counts[] = { 1, 4, 16, 64, 256 };
	unsigned int i;

	for (i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		add_batch(counts[i], true, 1);
		add_batch(counts[i], false, 1);
	}
	add_batch(64, true, 2);
	add_batch(64, false, 2);
	add_batch(256, true, 2);
	add_batch(256, false, 2);
	add_batch(256, true, WIDE_ENGINES);
	add_batch(256, false, WIDE_ENGINES);
	add_batch(256, true, CROWD_ENGINES);
	add_batch(256, false, CROWD_ENGINES);
}
