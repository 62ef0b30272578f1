// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/cpumask.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>

#include "drm_svm_core.h"
#include "drm_svm_trace.h"

/**
 * DOC: Fault queue
 *
 * Every address space has a queue of its own, served by a few threads of the
 * process, the workers. A worker takes a batch of faults and serves it.
 * Processes compete for CPUs with these threads as with all others, and a
 * process whose faults are slow holds up no other process. Faults of all
 * contexts share the queue, so that one walk of the CPU page table serves every
 * GPU that missed there.
 *
 * The first fault of an idle address space wakes one worker. While that one
 * works, faults collect, and the next push wakes another worker, but none while
 * a woken worker has not begun yet: batches grow with the load. There is one
 * worker from the start. A worker that finds faults that it was not woken for,
 * and no idle worker, makes another one, up to the limit.
 *
 * When the process has ended there are no workers, and a work item answers the
 * faults that are pushed.
 */

static unsigned int workers;
module_param(workers, uint, 0444);
MODULE_PARM_DESC(workers,
		 "workers that serve the faults of one address space (1..16, default as many as processors, up to 4)");

#define DRM_SVM_DEFAULT_WORKERS	4U

/* Jiffies until another try, after the process could have no more threads */
#define DRM_SVM_GROW_PAUSE	HZ

#define DRM_SVM_ACCESS_RW	(DRM_SVM_ACCESS_READ | DRM_SVM_ACCESS_WRITE)

/*
 * Wake a worker for queued faults. A woken worker that has not begun yet will
 * see them, so no other one is woken.
 */
static void drm_svm_queue_wake_locked(struct drm_svm_fault_queue *q)
{
	unsigned int index;

	lockdep_assert_held(&q->lock);
	if (q->count && q->dead)
		queue_work(drm_svm_idle_wq, &q->fail_work);
	if (!q->count || !q->idle || q->woken)
		return;
	index = __ffs(q->idle);
	q->idle &= ~BIT(index);
	q->woken = &q->worker[index];
	drm_svm_thread_wake(&q->woken->thread);
}

static unsigned int drm_svm_queue_slot(const struct drm_svm_fault_queue *q,
				       unsigned int n)
{
	return (q->head + n) % DRM_SVM_QUEUE_SIZE;
}

/*
 * A fair share: the queued faults divided by the number of workers that could
 * take them, but not fewer than are worth sorting.
 */
#define DRM_SVM_BATCH_MIN	32U

VISIBLE_IF_KUNIT
unsigned int drm_svm_queue_share(const struct drm_svm_fault_queue *q)
{
	unsigned int share = max(q->count / q->nworkers, DRM_SVM_BATCH_MIN);

	return min3(share, q->count, DRM_SVM_BATCH_MAX);
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_queue_share);

VISIBLE_IF_KUNIT
unsigned int drm_svm_queue_pop(struct drm_svm_fault_queue *q,
			       struct drm_svm_fault_entry *batch)
{
	unsigned int i, n;

	guard(spinlock_irqsave)(&q->lock);
	q->woken = NULL;
	n = drm_svm_queue_share(q);
	for (i = 0; i < n; i++) {
		const struct drm_svm_queued_fault *queued = &q->ring[drm_svm_queue_slot(q, i)];

		batch[i] = (struct drm_svm_fault_entry) {
			.ctx = queued->ctx, .fault = queued->fault, .answer = DRM_SVM_PENDING,
		};
	}
	q->head = drm_svm_queue_slot(q, n);
	q->count -= n;
	drm_svm_queue_wake_locked(q);
	return n;
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_queue_pop);

/*
 * Return whether there are faults, or threads of pools are to be made, which
 * @grow says. An idle worker is woken by the next push.
 */
static bool drm_svm_queue_begin(struct drm_svm_worker *worker, bool *grow)
{
	struct drm_svm_fault_queue *q = &worker->thread.svm->queue;
	unsigned int index = worker - q->worker;

	guard(spinlock_irqsave)(&q->lock);
	if (q->woken == worker)
		q->woken = NULL;
	*grow = READ_ONCE(q->grow_pools) && xchg(&q->grow_pools, false);
	__assign_bit(index, &q->idle, !q->count && !*grow);
	/* that may take long: another worker serves the faults */
	if (*grow)
		drm_svm_queue_wake_locked(q);
	return q->count || *grow;
}

/* Return the worker that the caller is to make now, or NULL. */
static struct drm_svm_worker *drm_svm_queue_next_worker(struct drm_svm_fault_queue *q)
{
	guard(spinlock_irqsave)(&q->lock);
	if (q->growing || q->idle || q->woken || q->nmade == q->nworkers ||
	    time_before(jiffies, q->grow_after))
		return NULL;
	q->growing = true;
	return &q->worker[q->nmade];
}

static bool drm_svm_queue_run(struct drm_svm_thread *thread);

static int drm_svm_queue_add_worker(struct drm_svm *svm, struct drm_svm_worker *worker)
{
	if (!worker->scratch)
		worker->scratch = drm_svm_scratch_alloc();
	if (!worker->scratch)
		return -ENOMEM;
	return drm_svm_thread_start(svm, &worker->thread, drm_svm_queue_run, "drm_svm");
}

/*
 * Make another worker if one is needed. If the process may have no more
 * threads, the existing workers have to do.
 */
static void drm_svm_queue_grow(struct drm_svm *svm)
{
	struct drm_svm_fault_queue *q = &svm->queue;
	struct drm_svm_worker *worker = drm_svm_queue_next_worker(q);
	int err;

	if (!worker)
		return;
	err = drm_svm_queue_add_worker(svm, worker);
	guard(spinlock_irqsave)(&q->lock);
	q->growing = false;
	if (!err)
		q->nmade++;
	else if (err == -ENOMEM)
		q->grow_after = jiffies + DRM_SVM_GROW_PAUSE;
}

/* Serve one batch; returns false when there is none. */
static bool drm_svm_queue_run(struct drm_svm_thread *thread)
{
	struct drm_svm_worker *worker = container_of(thread, struct drm_svm_worker, thread);
	struct drm_svm *svm = thread->svm;
	unsigned int n;
	bool grow;

	if (!drm_svm_queue_begin(worker, &grow)) {
		worker->served = false;
		return false;
	}
	__set_current_state(TASK_RUNNING);
	if (grow) {
		drm_svm_pool_grow(&svm->movers);
		drm_svm_pool_grow(&svm->waiters);
		return true;
	}
	/* faults came while the worker was busy */
	if (worker->served)
		drm_svm_queue_grow(svm);
	worker->served = true;
	n = drm_svm_queue_pop(&svm->queue, worker->scratch->batch);
	if (n)
		drm_svm_fault_serve(svm, worker->scratch, n);
	drm_svm_pool_grow(&svm->waiters);
	return true;
}

/*
 * Take up to @max faults of @ctx, or of all contexts if it is NULL, out of the
 * queue. The other faults stay in order.
 */
static unsigned int drm_svm_queue_take(struct drm_svm_fault_queue *q,
				       struct drm_svm_context *ctx,
				       struct drm_svm_fault_entry *entries,
				       unsigned int max)
{
	unsigned int i, n = 0, left = 0;

	guard(spinlock_irqsave)(&q->lock);
	for (i = 0; i < q->count; i++) {
		struct drm_svm_queued_fault *queued = &q->ring[drm_svm_queue_slot(q, i)];

		if (n == max || (ctx && queued->ctx != ctx)) {
			q->ring[drm_svm_queue_slot(q, left++)] = *queued;
			continue;
		}
		entries[n++] = (struct drm_svm_fault_entry) {
			.ctx = queued->ctx, .fault = queued->fault, .answer = -EFAULT,
		};
	}
	q->count = left;
	return n;
}

/**
 * drm_svm_fault_queue_cancel() - answer queued faults with -EFAULT
 * @svm: the address space
 * @ctx: the context that is being detached, or NULL for all, of a process that
 *	has ended
 *
 * Context: process context, no lock held.
 */
void drm_svm_fault_queue_cancel(struct drm_svm *svm, struct drm_svm_context *ctx)
{
	struct drm_svm_fault_entry entries[8];
	unsigned int i, n;

	while ((n = drm_svm_queue_take(&svm->queue, ctx, entries, ARRAY_SIZE(entries)))) {
		for (i = 0; i < n; i++)
			drm_svm_fault_finish(&entries[i]);
	}
}

static void drm_svm_queue_fail_work(struct work_struct *work)
{
	struct drm_svm *svm = container_of(work, struct drm_svm, queue.fail_work);

	drm_svm_pool_cancel(&svm->waiters, NULL, NULL);
	drm_svm_pool_cancel(&svm->movers, NULL, NULL);
	drm_svm_fault_queue_cancel(svm, NULL);
}

/**
 * drm_svm_fault_queue_die() - note that the threads that serve faults end
 * @svm: the address space of a process that ends
 *
 * Called by each of the threads, so that what the others still queue is
 * answered too.
 */
void drm_svm_fault_queue_die(struct drm_svm *svm)
{
	guard(spinlock_irqsave)(&svm->queue.lock);
	svm->queue.dead = true;
	queue_work(drm_svm_idle_wq, &svm->queue.fail_work);
}

/**
 * drm_svm_fault_queue_interrupt() - end the waits of all workers
 * @svm: the address space
 *
 * The faults that they are serving are served, or answered for the GPU to try
 * again.
 */
void drm_svm_fault_queue_interrupt(struct drm_svm *svm)
{
	struct drm_svm_fault_queue *q = &svm->queue;
	unsigned int i;

	for (i = 0; i < q->nworkers; i++)
		drm_svm_thread_interrupt(&q->worker[i].thread);
}

/**
 * drm_svm_fault_queue_push() - hand a GPU fault to the workers
 * @ctx: the context that missed; zeroed, before it is attached
 * @fault: the fault; copied
 *
 * On success &drm_svm_context_ops.fault_done is called for it exactly once, by
 * another task, possibly before this returns.
 *
 * The driver ends its pushes before it calls drm_svm_context_detach(), which
 * drops the queue. A push while detach still waits for faults is refused; a
 * push at the end of detach may use freed memory.
 *
 * Context: any, hard interrupts included.
 * Return: 0; -ENOSPC when the queue is full: keep the fault and push it again
 * later; -EINVAL for a fault without access, or with an unknown one; -ENXIO
 * when the context is not attached, or not yet; -EFAULT when it is being
 * detached. After an error fault_done will not be called.
 */
int drm_svm_fault_queue_push(struct drm_svm_context *ctx,
			     const struct drm_svm_fault *fault)
{
	struct drm_svm_fault_queue *q;
	struct drm_svm *svm;

	/* pairs with the release in drm_svm_context_attach() */
	svm = smp_load_acquire(&ctx->svm);
	if (!svm)
		return -ENXIO;
	q = &svm->queue;
	if (!(fault->access & DRM_SVM_ACCESS_RW) ||
	    fault->access & ~(DRM_SVM_ACCESS_RW | DRM_SVM_ACCESS_AHEAD))
		return -EINVAL;

	guard(spinlock_irqsave)(&q->lock);
	/* under the lock: detach sets it there, then waits for busy faults */
	if (ctx->dead)
		return -EFAULT;
	if (q->count == DRM_SVM_QUEUE_SIZE)
		return -ENOSPC;

	atomic_inc(&ctx->busy);
	q->ring[drm_svm_queue_slot(q, q->count++)] =
		(struct drm_svm_queued_fault) { .ctx = ctx, .fault = *fault };
	drm_svm_context_count(ctx, DRM_SVM_STAT_FAULTS, 1);
	trace_drm_svm_fault(ctx, fault);
	drm_svm_queue_wake_locked(q);
	return 0;
}
EXPORT_SYMBOL_GPL(drm_svm_fault_queue_push);

/**
 * drm_svm_fault_queue_init() - make the queue of an address space
 * @svm: the address space, zeroed
 *
 * Return: 0 or -ENOMEM; call drm_svm_fault_queue_fini() in either case.
 */
int drm_svm_fault_queue_init(struct drm_svm *svm)
{
	struct drm_svm_fault_queue *q = &svm->queue;

	spin_lock_init(&q->lock);
	INIT_WORK(&q->fail_work, drm_svm_queue_fail_work);
	q->nworkers = workers ? min(workers, DRM_SVM_MAX_WORKERS) :
				min(num_online_cpus(), DRM_SVM_DEFAULT_WORKERS);
	q->ring = kvzalloc_objs(*q->ring, DRM_SVM_QUEUE_SIZE, GFP_KERNEL_ACCOUNT);
	return q->ring ? 0 : -ENOMEM;
}

/**
 * drm_svm_fault_queue_start() - make the first worker
 * @svm: the address space, complete
 *
 * With one worker no fault can fail for want of a thread or of memory for a
 * batch.
 *
 * Context: process context of the process.
 * Return: as drm_svm_thread_start().
 */
int drm_svm_fault_queue_start(struct drm_svm *svm)
{
	svm->queue.nmade = 1;
	return drm_svm_queue_add_worker(svm, &svm->queue.worker[0]);
}

/**
 * drm_svm_fault_queue_fini() - free the queue
 * @svm: an address space without contexts, and so without faults; its threads
 *	have left
 */
void drm_svm_fault_queue_fini(struct drm_svm *svm)
{
	struct drm_svm_fault_queue *q = &svm->queue;
	unsigned int i;

	WARN_ON(q->count);
	for (i = 0; i < q->nworkers; i++) {
		drm_svm_thread_join(&q->worker[i].thread);
		drm_svm_scratch_free(q->worker[i].scratch);
	}
	cancel_work_sync(&q->fail_work);
	kvfree(q->ring);
}
