// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The fault queue: what is refused, order, shares; and that each fault is
 * answered.
 */

#include <kunit/resource.h>
#include <kunit/test.h>

#include <linux/debug_locks.h>
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/wait_bit.h>

#include "drm_svm_fake_kunit.h"

#define RD	DRM_SVM_ACCESS_READ
#define WR	DRM_SVM_ACCESS_WRITE
#define AHEAD	DRM_SVM_ACCESS_AHEAD

#define ANSWER_TIMEOUT	(20 * HZ)

struct queue_test {
	struct fake_gpu *gpu;
	struct drm_svm_fault_queue *q;
	struct drm_svm_fault_entry *batch;
};

/* Faults that nobody served must not be waited for. */
static void queue_drain(void *data)
{
	struct queue_test *t = data;
	unsigned int i, n;

	while ((n = drm_svm_queue_pop(t->q, t->batch))) {
		for (i = 0; i < n; i++)
			drm_svm_context_put_busy(t->batch[i].ctx);
	}
}

static int queue_init(struct kunit *test)
{
	struct queue_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->batch = kunit_kcalloc(test, DRM_SVM_BATCH_MAX, sizeof(*t->batch),
				 GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->batch);
	t->gpu = fake_gpu_create(test);
	t->q = &t->gpu->ctx.svm->queue;
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, queue_drain, t), 0);
	test->priv = t;
	return 0;
}

static bool take_idle(struct drm_svm_fault_queue *q)
{
	guard(spinlock_irqsave)(&q->lock);
	return xchg(&q->idle, 0);
}

/* The one worker sleeps and counts as busy, so it is not woken: faults stay where they are. */
static void hold_workers(struct queue_test *t)
{
	while (!take_idle(t->q))
		fsleep(100);
}

static int push(struct queue_test *t, u64 addr, u64 cookie, u32 access)
{
	struct drm_svm_fault fault = {
		.addr = addr, .cookie = cookie, .access = access,
	};

	return drm_svm_fault_queue_push(&t->gpu->ctx, &fault);
}

/* Takes what one worker would, and answers it. */
static unsigned int pop(struct queue_test *t)
{
	unsigned int i, n = drm_svm_queue_pop(t->q, t->batch);

	for (i = 0; i < n; i++)
		drm_svm_context_put_busy(&t->gpu->ctx);
	return n;
}

struct access_case {
	const char *name;
	u32 access;
	int err;
};

static const struct access_case access_cases[] = {
	{ "none", 0, -EINVAL },
	{ "read", RD, 0 },
	{ "write", WR, 0 },
	{ "both", RD | WR, 0 },
	{ "both, ahead", RD | WR | AHEAD, 0 },
	{ "ahead alone", AHEAD, -EINVAL },
	{ "unknown", RD | AHEAD << 1, -EINVAL },
	{ "unknown high bit", WR | BIT(31), -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(access, access_cases, name);

static void access_has_to_be_known(struct kunit *test)
{
	const struct access_case *c = test->param_value;
	struct queue_test *t = test->priv;

	hold_workers(t);
	KUNIT_EXPECT_EQ(test, push(t, 0, 0, c->access), c->err);
	KUNIT_EXPECT_EQ(test, t->q->count, c->err ? 0 : 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->gpu->ctx.busy), c->err ? 0 : 1);
}

static void context_that_is_not_attached_is_refused(struct kunit *test)
{
	struct queue_test *t = test->priv;

	drm_svm_context_detach(&t->gpu->ctx);
	KUNIT_EXPECT_EQ(test, push(t, 0, 0, RD), -ENXIO);
	memset(&t->gpu->ctx, 0, sizeof(t->gpu->ctx));
	KUNIT_EXPECT_EQ(test, push(t, 0, 0, RD), -ENXIO);
	KUNIT_EXPECT_EQ(test, drm_svm_context_attach(&t->gpu->ctx, &t->gpu->sdev,
						     &fake_context_ops), 0);
	t->q = &t->gpu->ctx.svm->queue;
	hold_workers(t);
	KUNIT_EXPECT_EQ(test, push(t, 0, 0, RD), 0);
}

static void dead_context_is_refused(struct kunit *test)
{
	struct queue_test *t = test->priv;

	hold_workers(t);
	t->gpu->ctx.dead = true;
	KUNIT_EXPECT_EQ(test, push(t, 0, 0, RD), -EFAULT);
	KUNIT_EXPECT_EQ(test, push(t, 0, 0, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, t->q->count, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->gpu->ctx.busy), 0);
}

static void full_queue_refuses_until_some_are_taken(struct kunit *test)
{
	struct queue_test *t = test->priv;
	unsigned int i, n;

	hold_workers(t);
	for (i = 0; i < DRM_SVM_QUEUE_SIZE; i++)
		KUNIT_ASSERT_EQ(test, push(t, 0, i, RD), 0);
	KUNIT_EXPECT_EQ(test, push(t, 0, i, RD), -ENOSPC);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->gpu->ctx.busy), i);
	n = pop(t);
	KUNIT_EXPECT_GT(test, n, 0);
	while (n--)
		KUNIT_EXPECT_EQ(test, push(t, 0, i++, RD), 0);
	KUNIT_EXPECT_EQ(test, push(t, 0, i, RD), -ENOSPC);
}

/* Over the end of the ring, which does not divide by what goes in at once. */
static void faults_leave_in_order(struct kunit *test)
{
	struct queue_test *t = test->priv;
	const unsigned int step = DRM_SVM_BATCH_MAX - 1;
	u64 in = 0, out = 0;
	unsigned int i, n;

	hold_workers(t);
	while (out < 3 * DRM_SVM_QUEUE_SIZE) {
		for (i = 0; i < step; i++, in++)
			KUNIT_ASSERT_EQ(test, push(t, in << PAGE_SHIFT, in, RD), 0);
		while ((n = pop(t))) {
			for (i = 0; i < n; i++, out++) {
				KUNIT_ASSERT_EQ(test, t->batch[i].fault.cookie, out);
				KUNIT_ASSERT_EQ(test, t->batch[i].fault.addr,
						out << PAGE_SHIFT);
			}
		}
		KUNIT_ASSERT_EQ(test, out, in);
	}
}

static void fault_is_copied_and_pending(struct kunit *test)
{
	struct queue_test *t = test->priv;

	hold_workers(t);
	KUNIT_EXPECT_EQ(test, push(t, 0x1234567, 42, WR | AHEAD), 0);
	KUNIT_EXPECT_EQ(test, pop(t), 1);
	KUNIT_EXPECT_PTR_EQ(test, t->batch[0].ctx, &t->gpu->ctx);
	KUNIT_EXPECT_EQ(test, t->batch[0].fault.addr, 0x1234567);
	KUNIT_EXPECT_EQ(test, t->batch[0].fault.cookie, 42);
	KUNIT_EXPECT_EQ(test, t->batch[0].fault.access, WR | AHEAD);
	KUNIT_EXPECT_EQ(test, t->batch[0].answer, DRM_SVM_PENDING);
	KUNIT_EXPECT_EQ(test, pop(t), 0);
}

struct share_case {
	const char *name;
	unsigned int count;
	unsigned int nworkers;
	unsigned int share;
};

static const struct share_case share_cases[] = {
	{ "none", 0, 4, 0 },
	{ "one", 1, 4, 1 },
	{ "as few as are worth sorting", 32, 4, 32 },
	{ "not less than that", 100, 4, 32 },
	{ "the last that are not divided", 131, 4, 32 },
	{ "the first that are", 132, 4, 33 },
	{ "by four", 1000, 4, 250 },
	{ "no more than a batch", DRM_SVM_QUEUE_SIZE, 1, DRM_SVM_BATCH_MAX },
	{ "a batch", DRM_SVM_QUEUE_SIZE, 4, DRM_SVM_BATCH_MAX },
	{ "by all workers", DRM_SVM_QUEUE_SIZE, DRM_SVM_MAX_WORKERS, 64 },
};

KUNIT_ARRAY_PARAM_DESC(share, share_cases, name);

static void share_is_fair_and_bounded(struct kunit *test)
{
	const struct share_case *c = test->param_value;
	struct drm_svm_fault_queue *q = kunit_kzalloc(test, sizeof(*q), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, q);
	q->count = c->count;
	q->nworkers = c->nworkers;
	KUNIT_EXPECT_EQ(test, drm_svm_queue_share(q), c->share);
}

static void wait_for_answers(struct kunit *test, int n)
{
	struct fake_gpu *gpu = ((struct queue_test *)test->priv)->gpu;

	KUNIT_EXPECT_TRUE(test, wait_event_timeout(gpu->answered,
						   atomic_read(&gpu->ndone) >= n,
						   ANSWER_TIMEOUT));
}

/* All workers, many batches: no fault is lost, none is answered twice. */
static void each_fault_is_answered_once(struct kunit *test)
{
	struct queue_test *t = test->priv;
	u64 seen = 0;
	int i;

	for (i = 0; i < FAKE_DONE; i++)
		KUNIT_ASSERT_EQ(test, push(t, (u64)i << PAGE_SHIFT, i, RD), 0);
	wait_for_answers(test, FAKE_DONE);
	wait_var_event(&t->gpu->ctx.busy, !atomic_read(&t->gpu->ctx.busy));
	KUNIT_EXPECT_EQ(test, atomic_read(&t->gpu->ndone), FAKE_DONE);
	for (i = 0; i < FAKE_DONE; i++) {
		seen |= BIT_ULL(t->gpu->done[i].cookie);
		KUNIT_EXPECT_EQ(test, t->gpu->done[i].err, -ENOENT);
	}
	KUNIT_EXPECT_EQ(test, seen, U64_MAX);
}

struct serve_case {
	const char *name;
	unsigned long prot;
	u32 access;
	int err;
};

static const struct serve_case serve_cases[] = {
	{ "read", PROT_READ | PROT_WRITE, RD, 0 },
	{ "write", PROT_READ | PROT_WRITE, WR, 0 },
	{ "read what is read-only", PROT_READ, RD, 0 },
	{ "write what is read-only", PROT_READ, WR, -EACCES },
	{ "read what nobody may", PROT_NONE, RD, -EACCES },
};

KUNIT_ARRAY_PARAM_DESC(serve, serve_cases, name);

/* The page itself is mapped, as it was asked for, unless the CPU may not either. */
static void fault_is_served_as_the_mapping_allows(struct kunit *test)
{
	const struct serve_case *c = test->param_value;
	struct queue_test *t = test->priv;
	struct fake_run *run = &t->gpu->runs[0];
	unsigned long addr;

	addr = kunit_vm_mmap(test, NULL, 0, PAGE_SIZE, c->prot,
			     MAP_PRIVATE | MAP_ANONYMOUS, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL((void *)addr));
	KUNIT_ASSERT_EQ(test, push(t, addr + PAGE_SIZE - 1, 7, c->access), 0);
	wait_for_answers(test, 1);
	KUNIT_EXPECT_EQ(test, t->gpu->done[0].err, c->err);
	KUNIT_EXPECT_EQ(test, t->gpu->done[0].cookie, 7);
	KUNIT_ASSERT_EQ(test, t->gpu->nruns, c->err ? 0 : 1);
	if (c->err)
		return;
	KUNIT_EXPECT_EQ(test, run->start, addr);
	KUNIT_EXPECT_EQ(test, run->run.npages, 1);
	KUNIT_EXPECT_TRUE(test, run->run.prot & DRM_SVM_PAGE_READ);
	if (c->access & WR)
		KUNIT_EXPECT_TRUE(test, run->run.prot & DRM_SVM_PAGE_WRITE);
	if (!(c->prot & PROT_WRITE))
		KUNIT_EXPECT_FALSE(test, run->run.prot & DRM_SVM_PAGE_WRITE);
}

/*
 * The memory changes during each try: after some tries the GPU is told to look
 * again, and a worker is free for others.
 */
static void fault_that_is_always_disturbed_is_given_up(struct kunit *test)
{
	struct queue_test *t = test->priv;
	unsigned long addr;

	addr = kunit_vm_mmap(test, NULL, 0, 2 * PAGE_SIZE, PROT_READ,
			     MAP_PRIVATE | MAP_ANONYMOUS, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL((void *)addr));
	t->gpu->disturb = addr + PAGE_SIZE;
	KUNIT_ASSERT_EQ(test, push(t, addr, 7, RD), 0);
	wait_for_answers(test, 1);
	WRITE_ONCE(t->gpu->disturb, 0);
	KUNIT_EXPECT_EQ(test, t->gpu->done[0].err, 0);
	KUNIT_EXPECT_EQ(test, t->gpu->nruns, 0);
	KUNIT_EXPECT_GT(test, t->gpu->ndisturbed, 1);
}

/*
 * An eviction unmaps the whole range before the map: that ends the promise of
 * map_prepare, and the range is prepared anew.
 */
static void map_after_an_eviction_is_prepared_again(struct kunit *test)
{
	struct queue_test *t = test->priv;
	unsigned long addr;

	addr = kunit_vm_mmap(test, NULL, 0, PAGE_SIZE, PROT_READ,
			     MAP_PRIVATE | MAP_ANONYMOUS, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL((void *)addr));
	t->gpu->evict = 2;
	KUNIT_ASSERT_EQ(test, push(t, addr, 7, RD), 0);
	wait_for_answers(test, 1);
	KUNIT_EXPECT_EQ(test, t->gpu->done[0].err, 0);
	KUNIT_EXPECT_EQ(test, t->gpu->nprepared, 3);
	KUNIT_EXPECT_EQ(test, t->gpu->nmaps, 1);
	KUNIT_EXPECT_EQ(test, t->gpu->nbroken, 0);
}

/* Lockdep knows what is done in there: a detach, which waits for it, would be reported. */
static void lockdep_sees_the_answer(struct kunit *test)
{
	struct queue_test *t = test->priv;

	if (!IS_ENABLED(CONFIG_PROVE_LOCKING) || !debug_locks)
		kunit_skip(test, "a kernel without lockdep");
	KUNIT_ASSERT_EQ(test, push(t, 0, 0, RD), 0);
	wait_for_answers(test, 1);
	KUNIT_EXPECT_TRUE(test, t->gpu->seen_by_lockdep);
}

static struct kunit_case queue_cases[] = {
	KUNIT_CASE_PARAM(access_has_to_be_known, access_gen_params),
	KUNIT_CASE(context_that_is_not_attached_is_refused),
	KUNIT_CASE(dead_context_is_refused),
	KUNIT_CASE(full_queue_refuses_until_some_are_taken),
	KUNIT_CASE(faults_leave_in_order),
	KUNIT_CASE(fault_is_copied_and_pending),
	KUNIT_CASE_PARAM(share_is_fair_and_bounded, share_gen_params),
	KUNIT_CASE(each_fault_is_answered_once),
	KUNIT_CASE_PARAM(fault_is_served_as_the_mapping_allows, serve_gen_params),
	KUNIT_CASE(fault_that_is_always_disturbed_is_given_up),
	KUNIT_CASE(lockdep_sees_the_answer),
	KUNIT_CASE(map_after_an_eviction_is_prepared_again),
	{}
};

static struct kunit_suite queue_suite = {
	.name = "drm_svm_fault_queue",
	.init = queue_init,
	.test_cases = queue_cases,
};

kunit_test_suite(queue_suite);
