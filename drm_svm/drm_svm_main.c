// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/swiotlb.h>
#include <linux/wait_bit.h>

#include "drm_svm_vram.h"
#include "drm_svm_trace.h"

/**
 * DOC: Overview
 *
 * Shared virtual memory for DRM drivers: a GPU uses the address space of a
 * process as the process does.
 *
 * There are four objects. &struct drm_svm_device is a GPU that takes part.
 * &struct drm_svm is the address space of one process, shared by all GPUs that
 * the process uses; it is found by mm. &struct drm_svm_context is one GPU's
 * view of it: a GPU page table. &struct drm_svm_range is a window of PMD_SIZE
 * of the address space, the unit of lookup, locking and notification; within a
 * range everything is page-granular.
 *
 * Data flows in one direction. A GPU fault goes into the queue of the address
 * space (drm_svm_fault_queue.c). A worker, which is a thread of the process
 * (drm_svm_thread.c), sorts and groups a batch of faults (drm_svm_fault.c),
 * reads the CPU page table (drm_svm_mirror.c), turns pages into runs
 * (drm_svm_run.c) and calls the driver to write the GPU page table. Before a
 * CPU mapping changes, the notifier removes the GPU's entries
 * (drm_svm_notifier.c).
 */

/**
 * DOC: Locking
 *
 * Outermost first; lockdep learns this order when the module is loaded:
 *
 * 1. &drm_svm_range.service_lock, a mutex: serializes the service of a range,
 *    its creation and its removal. Memory is allocated under it, so a notifier
 *    never takes it
 * 2. mmap_lock, for reading. Workers trylock it first, because its holder may
 *    wait for user space. Under it, the second walk of a try waits for the
 *    invalidations of the mm that are in progress, so no invalidation may wait
 *    for mmap_lock
 * 3. the dma_resv of a BO. A migration to VRAM holds mmap_lock and only
 *    trylocks it. An eviction holds it and only trylocks the mmap_lock of the
 *    processes that map its pages. No notifier waits for an eviction, see
 *    drm_svm_quirk_hold()
 * 4. the locks of folios that migrate
 * 5. reclaim: memory is allocated under all locks above, and under none below
 * 6. &drm_svm_range.pt_lock, a mutex: page tables and bitmaps of the range.
 *    Notifiers take it, and reclaim calls notifiers
 * 7. &drm_svm_context.flush.lock, and the page-table and TLB locks of the
 *    driver
 *
 * The locks of the fault queue, of the pools of threads, of the count of threads
 * and of the files of events are innermost: no other lock of this list is taken
 * under them. The threads that wait for pages take mmap_lock with none of the
 * locks held, and attach takes it for writing. Workers take service_lock and
 * mmap_lock interruptibly, so that detach can interrupt them. The mutex of the
 * table of address spaces is taken by attach and at the end of an address space;
 * none of the locks is taken, and nothing is allocated, under it.
 *
 * There is no lock for all ranges or for all processes on the fault path or in
 * a notifier. Removing the notifier of a range waits for running notifiers, so
 * it is done with none of the locks held.
 */

/* Pause of detach between two attempts to lock a range that a worker serves */
#define DRM_SVM_SERVICE_PAUSE_US	100

/* Jiffies after which detach interrupts the workers again */
#define DRM_SVM_DETACH_PAUSE		max(HZ / 50, 1)

static bool track_dma;
module_param(track_dma, bool, 0444);
MODULE_PARM_DESC(track_dma,
		 "keep DMA addresses and undo each mapping, also where the DMA layer does not need it");

static bool drm_svm_dma_is_coherent(struct device *dev)
{
	bool need_sync = false;

#ifdef CONFIG_DMA_NEED_SYNC
	need_sync = !dev_dma_skip_sync(dev);
#endif
	return !need_sync && !dma_addressing_limited(dev) &&
	       !is_swiotlb_force_bounce(dev);
}

/**
 * drm_svm_device_init() - initialize a GPU for shared virtual memory
 * @sdev: the device to initialize; memory of the driver
 * @drm: the DRM device
 * @dma_dev: the device that does the DMA, its masks set
 * @va_end: first address, in bytes, that the GPU's MMU cannot translate;
 *	rounded down to a whole range
 *
 * Context: process context.
 * Return: 0, or -EOPNOTSUPP when the device is not coherent with the CPU or the
 * DMA layer would have to use bounce buffers, because CPU and GPU cannot share
 * pages then.
 */
int drm_svm_device_init(struct drm_svm_device *sdev, struct drm_device *drm,
			struct device *dma_dev, u64 va_end)
{
	if (!drm_svm_dma_is_coherent(dma_dev))
		return -EOPNOTSUPP;

	*sdev = (struct drm_svm_device) {
		.drm = drm,
		.dma_dev = dma_dev,
		.va_end = va_end & DRM_SVM_RANGE_MASK,
		.track_dma = track_dma || dma_need_unmap(dma_dev),
	};
	return 0;
}
EXPORT_SYMBOL_GPL(drm_svm_device_init);

/**
 * drm_svm_device_fini() - clean up a GPU
 * @sdev: the device; all its contexts are detached, and drm_svm_vram_fini() was
 *	called
 *
 * Warns if this is not so, and then leaves @sdev unchanged because it is still
 * in use.
 */
void drm_svm_device_fini(struct drm_svm_device *sdev)
{
	if (WARN_ON(atomic_read(&sdev->ncontexts)) || WARN_ON(sdev->vram))
		return;
	memset(sdev, 0, sizeof(*sdev));
}
EXPORT_SYMBOL_GPL(drm_svm_device_fini);

/* All threads of @svm have left, or none was made. */
static void drm_svm_free(struct drm_svm *svm)
{
	drm_svm_fault_queue_fini(svm);
	drm_svm_pool_fini(&svm->waiters);
	drm_svm_pool_fini(&svm->movers);
	drm_svm_range_remove_all(svm);
	drm_svm_gc_fini(svm);
	xa_destroy(&svm->ranges);
	mmdrop(svm->mm);
	kfree_rcu(svm, rcu);
}

static void drm_svm_free_work(struct work_struct *work)
{
	drm_svm_free(container_of(work, struct drm_svm, threads.free_work));
	/* module exit waits for the end of this function */
	module_put(THIS_MODULE);
}

/* @svm has no context any more, so its threads do not use its ranges. */
static void drm_svm_end(struct drm_svm *svm)
{
	drm_svm_range_remove_all(svm);
	drm_svm_threads_end(svm);
	drm_svm_fault_queue_interrupt(svm);
	drm_svm_pool_interrupt(&svm->waiters);
	drm_svm_pool_interrupt(&svm->movers);
	if (drm_svm_threads_wait(svm))
		drm_svm_free(svm);
}

static void drm_svm_release(struct kref *ref)
{
	struct drm_svm *svm = container_of(ref, struct drm_svm, ref);

	drm_svm_space_remove(svm);
	drm_svm_end(svm);
}

static struct drm_svm *drm_svm_alloc(struct mm_struct *mm)
{
	struct drm_svm *svm;
	int err;

	svm = kzalloc_obj(*svm, GFP_KERNEL_ACCOUNT);
	if (!svm)
		return ERR_PTR(-ENOMEM);
	kref_init(&svm->ref);
	xa_init_flags(&svm->ranges, XA_FLAGS_ACCOUNT);
	svm->base = mm->mmap_base & DRM_SVM_RANGE_MASK;
	drm_svm_gc_init(svm);
	drm_svm_wait_init(svm);
	drm_svm_prefetch_init(svm);
	drm_svm_threads_init(svm, drm_svm_fault_queue_die, drm_svm_free_work);
	svm->mm = mm;
	mmgrab(mm);
	err = drm_svm_fault_queue_init(svm) ?: drm_svm_fault_queue_start(svm);
	if (err) {
		drm_svm_free(svm);
		return ERR_PTR(err);
	}
	return svm;
}

/*
 * Find or make the address space of @mm. Returns it with a reference, or an
 * ERR_PTR(). The table's mutex is not held while memory is allocated, because
 * it is shared by all processes, and an allocation that is charged to a process
 * at its limit may take arbitrarily long.
 */
static struct drm_svm *drm_svm_obtain(struct mm_struct *mm)
{
	struct drm_svm *svm = drm_svm_space_lookup(mm, NULL), *spare;

	if (svm)
		return svm;
	spare = drm_svm_alloc(mm);
	if (IS_ERR(spare))
		return spare;
	svm = drm_svm_space_lookup(mm, spare);
	if (svm != spare)
		drm_svm_end(spare);
	return svm;
}

/*
 * Get the address space of the caller, with all signals but SIGKILL blocked.
 * Locking all VMAs and creating a thread fail while a signal is pending, and
 * start from scratch when they are called again: with many VMAs and many
 * signals they might never succeed.
 */
static struct drm_svm *drm_svm_obtain_undisturbed(struct mm_struct *mm)
{
	sigset_t blocked, old;
	struct drm_svm *svm;
	int err;

	siginitsetinv(&blocked, sigmask(SIGKILL));
	do {
		sigprocmask(SIG_BLOCK, &blocked, &old);
		/*
		 * Registering the first notifier of an mm takes mmap_lock for
		 * writing and locks all VMAs: do it here, so that the first GPU
		 * fault need not.
		 */
		err = mm_has_notifiers(mm) ? 0 : mmu_notifier_register(NULL, mm);
		svm = err ? ERR_PTR(err) : drm_svm_obtain(mm);
		sigprocmask(SIG_SETMASK, &old, NULL);
		/* a stop or freeze that is over restarts no system call */
	} while (svm == ERR_PTR(-ERESTARTNOINTR) && !signal_pending(current));
	return svm;
}

/**
 * drm_svm_context_attach() - let a GPU page table follow the caller's memory
 * @ctx: the context, zeroed; memory of the driver, which keeps it until
 *	drm_svm_context_detach()
 * @sdev: the GPU
 * @ops: the MMU functions
 *
 * All contexts of one process share one address space, whichever GPUs they
 * belong to. The ops may be called from the first pushed fault until
 * drm_svm_context_detach() returns. The driver serializes attach and detach of
 * one context.
 *
 * Context: process context of the process whose memory is shared. Takes
 * mmap_lock for writing.
 * Return: 0, -EEXIST when attached already, -EINVAL without a user address
 * space or when @ops lacks a function that is not optional, -EINTR or
 * -ERESTARTNOINTR when the caller is being killed or is to stop, -ENOMEM
 * without memory or when the process may have no more threads. After -EINTR,
 * -ERESTARTNOINTR and -ENOMEM attach can be called again.
 */
int drm_svm_context_attach(struct drm_svm_context *ctx,
			   struct drm_svm_device *sdev,
			   const struct drm_svm_context_ops *ops)
{
	struct drm_svm *svm;
	int err;

	if (ctx->svm)
		return -EEXIST;
	if (!current->mm)
		return -EINVAL;
	err = drm_svm_check_context_ops(sdev, ops);
	if (err)
		return err;

	ctx->stats = drm_svm_stats_create();
	if (!ctx->stats)
		return -ENOMEM;
	svm = drm_svm_obtain_undisturbed(current->mm);
	if (IS_ERR(svm)) {
		drm_svm_stats_put(ctx->stats);
		ctx->stats = NULL;
		return PTR_ERR(svm);
	}

	ctx->sdev = sdev;
	ctx->ops = ops;
	ctx->dead = false;
	atomic_set(&ctx->busy, 0);
	spin_lock_init(&ctx->flush.lock);
	ctx->flush.start = U64_MAX;
	atomic_inc(&sdev->ncontexts);
	/* publishes @ctx: pairs with the load in drm_svm_context_check_mm() */
	smp_store_release(&ctx->svm, svm);
	trace_drm_svm_attach(ctx);
	return 0;
}
EXPORT_SYMBOL_GPL(drm_svm_context_attach);

/*
 * Lock a range for detach. The workers are interrupted until that succeeds,
 * because a worker that serves another context may hold service_lock while it
 * waits for mmap_lock.
 */
static void drm_svm_range_lock_service(struct drm_svm_range *range)
{
	while (!mutex_trylock(&range->service_lock)) {
		drm_svm_fault_queue_interrupt(range->svm);
		fsleep(DRM_SVM_SERVICE_PAUSE_US);
	}
}

static void drm_svm_context_visit_ranges(struct drm_svm_context *ctx,
					 void (*func)(struct drm_svm_range *range,
						      struct drm_svm_context *ctx))
{
	struct drm_svm *svm = ctx->svm;
	struct drm_svm_range *range;
	unsigned long key = 0;

	while ((range = drm_svm_range_next(svm, &key))) {
		drm_svm_range_lock_service(range);
		func(range, ctx);
		mutex_unlock(&range->service_lock);
		drm_svm_range_put(range);
		cond_resched();
	}
}

/*
 * Interrupt the workers again and again: an interrupted worker may have to wait
 * for another one, which takes the next fault in the meantime and then waits
 * for mmap_lock.
 */
static void drm_svm_context_wait_idle(struct drm_svm_context *ctx)
{
	unsigned long notice = jiffies + drm_svm_notice_after;
	bool noticed = false;

	do {
		drm_svm_fault_queue_interrupt(ctx->svm);
		if (!noticed && time_after(jiffies, notice)) {
			drm_svm_notice_detach(ctx);
			noticed = true;
		}
	} while (!wait_var_event_timeout(&ctx->busy, !atomic_read(&ctx->busy),
					 DRM_SVM_DETACH_PAUSE));
}

/**
 * drm_svm_context_detach() - stop following
 * @ctx: the context; one that is not attached is left alone
 *
 * Faults that are queued, or that wait for their page, are answered with
 * -EFAULT. Faults that a worker is serving are answered as soon as it is done;
 * the worker is told not to wait for mmap_lock. On return the page table is
 * empty, the TLBs are flushed, and no op is called any more. Works after the
 * process is gone, and while it is stopped.
 *
 * The driver first stops what pushes faults: no drm_svm_fault_queue_push() may
 * run concurrently or later.
 *
 * Context: process context, no lock held that an op takes; not from
 * fault_done().
 */
void drm_svm_context_detach(struct drm_svm_context *ctx)
{
	struct drm_svm *svm = ctx->svm;

	drm_svm_fault_might_wait();
	if (!svm)
		return;
	trace_drm_svm_detach(ctx);
	scoped_guard(spinlock_irqsave, &svm->queue.lock)
		WRITE_ONCE(ctx->dead, true);
	drm_svm_fault_queue_cancel(svm, ctx);
	drm_svm_pool_cancel(&svm->waiters, ctx, NULL);
	drm_svm_pool_cancel(&svm->movers, ctx, NULL);
	drm_svm_context_wait_idle(ctx);
	/* unmap all before the first one is dropped: one flush covers all */
	drm_svm_context_visit_ranges(ctx, drm_svm_range_unmap_context);
	drm_svm_context_visit_ranges(ctx, drm_svm_range_drop_views);
	WRITE_ONCE(ctx->svm, NULL);
	atomic_dec(&ctx->sdev->ncontexts);
	drm_svm_events_end(ctx->stats);
	drm_svm_stats_put(ctx->stats);
	ctx->stats = NULL;
	kref_put(&svm->ref, drm_svm_release);
}
EXPORT_SYMBOL_GPL(drm_svm_context_detach);

static int __init drm_svm_module_init(void)
{
	int err = drm_svm_core_init();

	if (err)
		return err;
	err = drm_svm_range_module_init();
	if (err)
		goto err_core;
	err = drm_svm_bo_module_init();
	if (err)
		goto err_range;
	drm_svm_space_teach_lockdep();
	return 0;

err_range:
	drm_svm_range_module_exit();
err_core:
	drm_svm_core_exit();
	return err;
}

static void __exit drm_svm_module_exit(void)
{
	/* a task may still be returning from drm_svm_bo_wait_work() */
	synchronize_rcu_tasks();
	/* ends the work items, which use what is freed next */
	drm_svm_core_exit();
	drm_svm_bo_module_exit();
	drm_svm_range_module_exit();
}

module_init(drm_svm_module_init);
module_exit(drm_svm_module_exit);

MODULE_DESCRIPTION("Shared virtual memory helpers for DRM drivers");
MODULE_LICENSE("Dual MIT/GPL");
