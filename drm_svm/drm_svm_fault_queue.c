// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/cpumask.h>
#include <linux/memcontrol.h>
#include <linux/moduleparam.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "drm_svm_internal.h"
#include "drm_svm_trace.h"
#include "drm_svm_vram.h"

/**
 * DOC: Fault queue
 *
 * Every address space has a queue of its own, served by a few work items on one
 * unbound workqueue. A work item takes a batch and serves it, some times, and goes
 * to the end of the workqueue: processes take turns, and one whose faults are slow
 * holds up no other. Faults of all contexts share the queue, so that one walk of
 * the CPU's page table serves every GPU that missed there.
 *
 * The first fault of an idle address space wakes one worker. While that one
 * works, faults collect, and the next push wakes another worker, up to the
 * limit; but none while one is on its way: batches grow with the load.
 */

static unsigned int workers;
module_param(workers, uint, 0444);
MODULE_PARM_DESC(workers,
		 "workers that serve the faults of one address space (1..16, default as many as processors, up to 4)");

#define DRM_SVM_DEFAULT_WORKERS	4U

/* Batches that a worker takes before others get their turn */
#define DRM_SVM_BATCHES		16

#define DRM_SVM_ACCESS_RW	(DRM_SVM_ACCESS_READ | DRM_SVM_ACCESS_WRITE)

/* Wake a worker for what is there; one that has not begun yet will see it. */
static void drm_svm_queue_wake_locked(struct drm_svm_fault_queue *q)
{
	lockdep_assert_held(&q->lock);
	if (!q->count || !q->idle || work_pending(&q->worker[q->woken].work))
		return;
	q->woken = __ffs(q->idle);
	q->idle &= ~BIT(q->woken);
	queue_work(drm_svm_wq, &q->worker[q->woken].work);
}

static unsigned int drm_svm_queue_slot(const struct drm_svm_fault_queue *q,
				       unsigned int n)
{
	return (q->head + n) % DRM_SVM_QUEUE_SIZE;
}

/*
 * A fair share: what is there, divided by the workers that could take it, but
 * not less than is worth sorting.
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
	n = drm_svm_queue_share(q);
	for (i = 0; i < n; i++) {
		const struct drm_svm_queued_fault *queued = &q->ring[drm_svm_queue_slot(q, i)];

		batch[i] = (struct drm_svm_fault_entry) {
			.ctx = queued->ctx, .fault = queued->fault, .err = DRM_SVM_PENDING,
		};
	}
	q->head = drm_svm_queue_slot(q, n);
	q->count -= n;
	drm_svm_queue_wake_locked(q);
	return n;
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_queue_pop);

/*
 * The first worker has its memory from the start, so that no fault waits for any; the
 * others get theirs with their first batch.
 */
static bool drm_svm_queue_equip(struct drm_svm_worker *worker)
{
	if (!worker->scratch)
		worker->scratch = kvzalloc_obj(*worker->scratch, GFP_KERNEL_ACCOUNT);
	return worker->scratch;
}

/*
 * One without memory leaves what there is to the first one, which looks again when it
 * is done; it does not wake itself.
 */
static void drm_svm_queue_rest(struct drm_svm_worker *worker)
{
	struct drm_svm_fault_queue *q = &worker->svm->queue;

	guard(spinlock_irqsave)(&q->lock);
	q->idle |= BIT(worker->index);
	if (worker->scratch || q->idle & BIT(0))
		drm_svm_queue_wake_locked(q);
}

/* Not without end, even if faults come as fast as they are served. */
static void drm_svm_queue_serve(struct drm_svm_worker *worker)
{
	struct drm_svm_fault_queue *q = &worker->svm->queue;
	unsigned int i, n;

	for (i = 0; i < DRM_SVM_BATCHES; i++) {
		n = drm_svm_queue_pop(q, worker->scratch->batch);
		if (!n)
			return;
		drm_svm_fault_serve(worker->svm, worker->scratch, n);
	}
}

/*
 * Memory for the worker, and for ranges, views and page tables, is charged to the process
 * whose memory it describes.
 */
static void drm_svm_queue_work(struct work_struct *work)
{
	struct drm_svm_worker *worker =
		container_of(work, struct drm_svm_worker, work);
	struct mem_cgroup *memcg, *old;

	memcg = get_mem_cgroup_from_mm(worker->svm->mm);
	old = set_active_memcg(memcg);
	if (drm_svm_queue_equip(worker))
		drm_svm_queue_serve(worker);
	set_active_memcg(old);
	mem_cgroup_put(memcg);
	drm_svm_queue_rest(worker);
}

/**
 * drm_svm_fault_queue_push() - hand a GPU fault to the workers
 * @ctx: the context that missed; zeroed, before it is attached
 * @fault: the fault; copied
 *
 * On success &drm_svm_context_ops.fault_done is called for it exactly once,
 * from another context, possibly before this returns.
 *
 * The driver ends its pushes before it calls drm_svm_context_detach(), which
 * gives up the queue. A push that comes while detach still waits for faults is
 * refused; one that comes at its end may use memory that is freed.
 *
 * Context: any, hard interrupts included.
 * Return: 0; -ENOSPC when the queue is full: keep the fault and push it again
 * later; -EINVAL for a fault without access, or with an unknown one; -ENXIO when the
 * context is not attached, or not yet; -EFAULT when it is being detached. After an error
 * fault_done will not be called.
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
	drm_svm_stat_add(ctx, DRM_SVM_STAT_FAULTS, 1);
	trace_drm_svm_fault(ctx, fault);
	drm_svm_queue_wake_locked(q);
	return 0;
}
EXPORT_SYMBOL_GPL(drm_svm_fault_queue_push);

static void drm_svm_queue_init_worker(struct drm_svm *svm, unsigned int index)
{
	struct drm_svm_worker *worker = &svm->queue.worker[index];

	worker->svm = svm;
	worker->index = index;
	INIT_WORK(&worker->work, drm_svm_queue_work);
}

/**
 * drm_svm_fault_queue_init() - make the queue of an address space
 * @svm: the address space, zeroed
 *
 * The memory that one worker needs is allocated here, so that no fault can fail for
 * want of a batch.
 *
 * Return: 0 or -ENOMEM; call drm_svm_fault_queue_fini() in either case.
 */
int drm_svm_fault_queue_init(struct drm_svm *svm)
{
	struct drm_svm_fault_queue *q = &svm->queue;
	unsigned int i;

	spin_lock_init(&q->lock);
	q->nworkers = workers ? min(workers, DRM_SVM_MAX_WORKERS) :
				min(num_online_cpus(), DRM_SVM_DEFAULT_WORKERS);
	q->idle = GENMASK(q->nworkers - 1, 0);
	for (i = 0; i < q->nworkers; i++)
		drm_svm_queue_init_worker(svm, i);
	q->ring = kvzalloc_objs(*q->ring, DRM_SVM_QUEUE_SIZE, GFP_KERNEL_ACCOUNT);
	if (!q->ring || !drm_svm_queue_equip(&q->worker[0]))
		return -ENOMEM;
	return 0;
}

/**
 * drm_svm_fault_queue_fini() - free the queue
 * @svm: an address space without contexts, so without faults
 */
void drm_svm_fault_queue_fini(struct drm_svm *svm)
{
	struct drm_svm_fault_queue *q = &svm->queue;
	unsigned int i;

	WARN_ON(q->count);
	for (i = 0; i < q->nworkers; i++) {
		cancel_work_sync(&q->worker[i].work);
		if (q->worker[i].scratch)
			drm_svm_filler_destroy(q->worker[i].scratch->filler);
		kvfree(q->worker[i].scratch);
	}
	kvfree(q->ring);
}
