// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/export.h>
#include <linux/list.h>
#include <linux/sched/signal.h>
#include <linux/spinlock.h>

#include "drm_svm_core.h"

/**
 * DOC: Prefetch in the order of a queue
 *
 * A driver whose queues have prefetches among their jobs cannot do them where
 * it runs the queue, because that is no thread of the process. It hands them to
 * drm_svm_prefetch_queue(), and another thread of the process does them: the
 * process is charged for the memory, and the work ends with the process.
 *
 * An address space has a few such threads, made by a worker of the fault queue
 * when they are needed, because the driver's thread cannot make any. So a few
 * prefetches run at a time; further ones wait. A prefetch that is interrupted,
 * because the process is to stop or to freeze, goes back to the list, with what
 * it has done so far.
 */

static void drm_svm_prefetch_finish(struct drm_svm_prefetch_work *work, int err)
{
	struct drm_svm_context *ctx = work->ctx;

	work->args.progress = 0;
	lock_map_acquire(&drm_svm_fault_done_map);
	work->done(work, err);
	lock_map_release(&drm_svm_fault_done_map);
	drm_svm_context_put_busy(ctx);
}

static void drm_svm_prefetch_finish_all(struct list_head *works, int err)
{
	struct drm_svm_prefetch_work *work, *next;

	list_for_each_entry_safe(work, next, works, link)
		drm_svm_prefetch_finish(work, err);
}

/* Wake an idle thread; returns false when there is none. */
static bool drm_svm_mover_wake_locked(struct drm_svm_movers *m)
{
	unsigned int index;

	lockdep_assert_held(&m->lock);
	if (!m->idle)
		return false;
	index = __ffs(m->idle);
	m->idle &= ~BIT(index);
	drm_svm_thread_wake(&m->mover[index].thread);
	return true;
}

/*
 * Have a worker of the fault queue make a thread. The first one is always there.
 */
static void drm_svm_prefetch_want_thread(struct drm_svm *svm)
{
	/* full barrier: the worker sees it, or is woken */
	xchg(&svm->movers.wanted, true);
	drm_svm_thread_wake(&svm->queue.worker[0].thread);
}

/**
 * drm_svm_prefetch_wants_thread() - is a thread for prefetches to be made?
 * @svm: the address space
 *
 * Return: true once for each time that one is wanted; drm_svm_prefetch_grow() has to
 * follow.
 */
bool drm_svm_prefetch_wants_thread(struct drm_svm *svm)
{
	return READ_ONCE(svm->movers.wanted) && xchg(&svm->movers.wanted, false);
}

/* Take the next work; false: there is none, and the thread is idle. */
static bool drm_svm_mover_next(struct drm_svm_movers *m, struct drm_svm_mover *mover)
{
	guard(spinlock)(&m->lock);
	mover->work = list_first_entry_or_null(&m->pending, struct drm_svm_prefetch_work,
					       link);
	__assign_bit(mover - m->mover, &m->idle, !mover->work);
	if (!mover->work)
		return false;
	list_del(&mover->work->link);
	m->npending--;
	m->nbusy++;
	return true;
}

/*
 * Give the work up. Returns whether it is finished; else it was interrupted, and
 * is at the head of the list again.
 */
static bool drm_svm_mover_done(struct drm_svm_movers *m, struct drm_svm_mover *mover, int *err)
{
	struct drm_svm_prefetch_work *work = mover->work;

	guard(spinlock)(&m->lock);
	m->nbusy--;
	mover->work = NULL;
	if (*err != -ERESTARTSYS && *err != -EINTR)
		return true;
	*err = work->cancelled ? -ECANCELED : -EFAULT;
	if (work->cancelled || m->dead)
		return true;
	list_add(&work->link, &m->pending);
	m->npending++;
	/* this thread may stay stopped alone */
	drm_svm_mover_wake_locked(m);
	return false;
}

static bool drm_svm_mover_run(struct drm_svm_thread *thread)
{
	struct drm_svm_mover *mover = container_of(thread, struct drm_svm_mover, thread);
	struct drm_svm_movers *m = &thread->svm->movers;
	struct drm_svm_prefetch_work *work;
	int err;

	/* before a work is in hand, which detach would have to wait for */
	if (READ_ONCE(m->npending) > 1) {
		__set_current_state(TASK_RUNNING);
		drm_svm_prefetch_grow(thread->svm);
	}
	if (!drm_svm_mover_next(m, mover))
		return false;
	__set_current_state(TASK_RUNNING);
	work = mover->work;
	err = drm_svm_prefetch_work(work->ctx, &work->args, &work->cancelled);
	if (drm_svm_mover_done(m, mover, &err))
		drm_svm_prefetch_finish(work, err);
	return true;
}

/* Return the thread to make now, or NULL: one for each work, up to the limit. */
static struct drm_svm_mover *drm_svm_mover_next_thread(struct drm_svm_movers *m)
{
	guard(spinlock)(&m->lock);
	if (m->growing || m->nmade == DRM_SVM_MAX_MOVERS ||
	    m->nmade >= m->npending + m->nbusy)
		return NULL;
	m->growing = true;
	return &m->mover[m->nmade];
}

static int drm_svm_mover_make(struct drm_svm *svm, struct drm_svm_mover *mover)
{
	struct drm_svm_movers *m = &svm->movers;
	int err;

	err = drm_svm_thread_start(svm, &mover->thread, drm_svm_mover_run, "drm_svm_move");
	guard(spinlock)(&m->lock);
	m->growing = false;
	if (!err)
		m->nmade++;
	return err;
}

/* Take the works that no thread has, of @ctx or of all contexts if it is NULL. */
static void drm_svm_prefetch_take(struct drm_svm_movers *m, struct drm_svm_context *ctx,
				  struct list_head *taken)
{
	struct drm_svm_prefetch_work *work, *next;

	lockdep_assert_held(&m->lock);
	list_for_each_entry_safe(work, next, &m->pending, link) {
		if (ctx && work->ctx != ctx)
			continue;
		list_move_tail(&work->link, taken);
		m->npending--;
	}
}

/**
 * drm_svm_prefetch_grow() - make a thread for each prefetch, if possible
 * @svm: the address space
 *
 * If no more threads can be made, the existing ones have to do. If there is
 * none at all, the works are finished with an error; but if a signal prevented
 * it, the worker is called again.
 *
 * Context: a worker of the fault queue that has no fault in hand, or one of the
 * threads, because making a thread may wait for mmap_lock and for memory.
 */
void drm_svm_prefetch_grow(struct drm_svm *svm)
{
	struct drm_svm_movers *m = &svm->movers;
	struct drm_svm_mover *mover;
	LIST_HEAD(taken);
	int err = 0;

	if (!READ_ONCE(m->npending))
		return;
	while (!err && (mover = drm_svm_mover_next_thread(m)))
		err = drm_svm_mover_make(svm, mover);
	if (err == -ERESTARTNOINTR && !fatal_signal_pending(current)) {
		drm_svm_prefetch_want_thread(svm);
		return;
	}
	scoped_guard(spinlock, &m->lock)
		if (err && !m->nmade)
			drm_svm_prefetch_take(m, NULL, &taken);
	drm_svm_prefetch_finish_all(&taken, fatal_signal_pending(current) ? -EFAULT : err);
}

/**
 * drm_svm_prefetch_queue() - have a thread of the process move pages
 * @ctx: the context, attached
 * @work: what to do, with &drm_svm_prefetch_work.args and
 *	&drm_svm_prefetch_work.done set; the library's until done is called
 *
 * The interval is checked as in drm_svm_ioctl_prefetch(): when an error is
 * returned nothing was done, and done is not called. Else it is called exactly
 * once, possibly before this returns.
 *
 * Context: process context, of any process; no lock held that done takes.
 * Return: 0; -EINVAL, -ENOSPC as &struct drm_svm_prefetch says; -ENXIO when the
 * context is not attached; -EFAULT when it is being detached, or its process
 * has ended.
 */
int drm_svm_prefetch_queue(struct drm_svm_context *ctx,
			   struct drm_svm_prefetch_work *work)
{
	struct drm_svm_movers *m;
	struct drm_svm *svm;
	int err;

	/* pairs with the release in drm_svm_context_attach() */
	svm = smp_load_acquire(&ctx->svm);
	if (!svm)
		return -ENXIO;
	err = drm_svm_prefetch_check(ctx, &work->args);
	if (err)
		return err;
	work->ctx = ctx;
	work->cancelled = false;

	m = &svm->movers;
	scoped_guard(spinlock, &m->lock) {
		/* detach sets it, and then takes the lock; so does the end of the process */
		if (READ_ONCE(ctx->dead) || m->dead)
			return -EFAULT;
		atomic_inc(&ctx->busy);
		list_add_tail(&work->link, &m->pending);
		m->npending++;
		/* under the lock: else the work may be done, and the context gone */
		if (!drm_svm_mover_wake_locked(m) && m->nmade < DRM_SVM_MAX_MOVERS)
			drm_svm_prefetch_want_thread(svm);
	}
	return 0;
}
EXPORT_SYMBOL_GPL(drm_svm_prefetch_queue);

/**
 * drm_svm_prefetch_cancel() - have a prefetch end soon
 * @work: the work, that was queued; its context is attached during the call
 *
 * If it is not over, &drm_svm_prefetch_work.done is called with -ECANCELED, here
 * or a little later. Pages that were moved stay where they are.
 *
 * Context: process context, no lock held that done takes.
 */
void drm_svm_prefetch_cancel(struct drm_svm_prefetch_work *work)
{
	struct drm_svm_movers *m = &work->ctx->svm->movers;
	struct drm_svm_prefetch_work *pending;
	bool taken = false;
	unsigned int i;

	scoped_guard(spinlock, &m->lock) {
		for (i = 0; i < DRM_SVM_MAX_MOVERS; i++) {
			if (m->mover[i].work != work)
				continue;
			WRITE_ONCE(work->cancelled, true);
			drm_svm_thread_interrupt(&m->mover[i].thread);
		}
		list_for_each_entry(pending, &m->pending, link)
			taken |= pending == work;
		if (taken) {
			list_del(&work->link);
			m->npending--;
		}
	}
	if (taken)
		drm_svm_prefetch_finish(work, -ECANCELED);
}
EXPORT_SYMBOL_GPL(drm_svm_prefetch_cancel);

/**
 * drm_svm_prefetch_cancel_all() - have the prefetches of a context end
 * @svm: the address space
 * @ctx: the context that is being detached, or NULL for all, of a process that
 *	has ended
 *
 * Those that a thread has in hand end soon, and hold a count of
 * &drm_svm_context.busy until then.
 *
 * Context: process context, no lock held.
 */
void drm_svm_prefetch_cancel_all(struct drm_svm *svm, struct drm_svm_context *ctx)
{
	struct drm_svm_movers *m = &svm->movers;
	LIST_HEAD(taken);
	unsigned int i;

	scoped_guard(spinlock, &m->lock) {
		m->dead |= !ctx;
		for (i = 0; i < DRM_SVM_MAX_MOVERS; i++) {
			struct drm_svm_mover *mover = &m->mover[i];

			if (!mover->work || (ctx && mover->work->ctx != ctx))
				continue;
			WRITE_ONCE(mover->work->cancelled, true);
			drm_svm_thread_interrupt(&mover->thread);
		}
		drm_svm_prefetch_take(m, ctx, &taken);
	}
	drm_svm_prefetch_finish_all(&taken, -EFAULT);
}

/* End the waits of all threads; their works go back to the list. */
void drm_svm_prefetch_interrupt(struct drm_svm *svm)
{
	unsigned int i;

	for (i = 0; i < DRM_SVM_MAX_MOVERS; i++)
		drm_svm_thread_interrupt(&svm->movers.mover[i].thread);
}

void drm_svm_prefetch_init(struct drm_svm *svm)
{
	spin_lock_init(&svm->movers.lock);
	INIT_LIST_HEAD(&svm->movers.pending);
}

/* There are no contexts, and so no works; the threads have left. */
void drm_svm_prefetch_fini(struct drm_svm *svm)
{
	unsigned int i;

	for (i = 0; i < DRM_SVM_MAX_MOVERS; i++)
		drm_svm_thread_join(&svm->movers.mover[i].thread);
	WARN_ON(!list_empty(&svm->movers.pending));
}
