// SPDX-License-Identifier: MIT
/*
 * What it costs to have a job run that does nothing: submit, end, wait. Neither manager of
 * memory has a part in it but for the fence, which the GPU writes.
 */

#include "bench.h"
#include "mem.h"

#define SAMPLES	12
#define MANY	100u

static const struct drm_svm_test_cmd nop = { .op = DRM_SVM_TEST_OP_TIMESTAMP };

static int job_result(struct bench *bench, const struct bench_case *c, struct sample *s)
{
	uint64_t jobs[MANY];
	unsigned int i, n;
	int error = 0;

	bench_begin(bench, s);
	for (n = 0; n < c->count && !error; n += !error)
		error = bench_submit(bench, &nop, 1, 0, NULL, &jobs[n]);
	for (i = 0; i < n; i++)
		error = bench_wait(bench, jobs[i]) ?: error;
	bench_end(bench, s);
	return error;
}

/* Jobs without commands and without results: each signals the next value of a fence */
static int signal_values(struct bench *bench, volatile uint64_t *word, uint64_t from,
			 unsigned int n)
{
	struct drm_svm_test_fence fence = { .addr = client_ptr(word), .value = from };
	struct drm_svm_test_submit args = {
		.flags = DRM_SVM_TEST_SUBMIT_NO_RESULT,
		.signal = fence,
	};
	unsigned int i;
	int error = 0;

	for (i = 0; i < n && !error; i++) {
		args.signal.value = ++fence.value;
		error = client_submit(bench->fd, &args);
	}
	return error ?: client_fence_wait(bench->fd, &fence, 1, 0, WAIT_NS, NULL);
}

static int job_fence(struct bench *bench, const struct bench_case *c, struct sample *s)
{
	struct area area = mem_map(PAGE, false);
	volatile uint64_t *word = (uint64_t *)area.start;
	int error;

	/* The fault of the first one is not what is asked for */
	error = signal_values(bench, word, 0, 1);
	bench_begin(bench, s);
	error = error ?: signal_values(bench, word, 1, c->count);
	bench_end(bench, s);
	mem_unmap(&area);
	return error;
}

static void add_cases(unsigned int count)
{
	struct bench_case c = { .setup = SETUP_RAM, .samples = SAMPLES, .count = count };

	c.sample = job_result;
	bench_add(&c, "job-%u-result", count);
	c.sample = job_fence;
	bench_add(&c, "job-%u-fence", count);
}

void add_job_cases(void)
{
	add_cases(1);
	add_cases(MANY);
}
