// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "drm_svm_core.h"
#include "drm_svm_trace.h"

/**
 * DOC: Waiting for pages
 *
 * A page may take for ever to come: its userfaultfd handler never answers, its
 * FUSE server is stuck. Workers do not wait for such pages; which ones these
 * are, drm_svm_mirror.c says. A fault that has to wait goes to another thread of
 * the process, which does what the process itself would do, a CPU fault that drops
 * mmap_lock and waits, and then lets the GPU try its access again: the page is present
 * now, and the ordinary path maps it. So such a page costs two switches of threads and a
 * second fault of the GPU; that is cheap next to a disk, and dear
 * for the writes to a shared file mapping, a page each.
 *
 * An address space has a bounded number of such threads, made when they are needed; more
 * faults wait for one to be free. A thread that waits may be killed with the process, and
 * be interrupted for the process to stop or to freeze; then the fault waits in
 * the list again. Detach does not wait for it: it takes the fault away and answers it. The
 * thread is interrupted, and where a file system waits without looking for signals, it
 * waits on, for a page that its process has asked for.
 */

static int drm_svm_wait_fault(struct mm_struct *mm,
			      const struct drm_svm_fault *fault,
			      unsigned int flags, vm_fault_t *ret)
{
	struct vm_area_struct *vma;
	int err;

	if (!drm_svm_mmap_read_lock(mm, true))
		return -EINTR;
	vma = find_vma_intersection(mm, fault->addr, fault->addr + 1);
	err = drm_svm_policy_check_vma(vma, fault->access);
	if (err) {
		mmap_read_unlock(mm);
		return err;
	}
	*ret = handle_mm_fault(vma, fault->addr & PAGE_MASK, flags, NULL);
	/* else the lock was dropped in there */
	if (!(*ret & (VM_FAULT_RETRY | VM_FAULT_COMPLETED)))
		mmap_read_unlock(mm);
	return 0;
}

/* Do the CPU fault; 0 when the page came, or may have. -EINTR: interrupted, or killed. */
static int drm_svm_wait_populate(struct mm_struct *mm,
				 const struct drm_svm_fault *fault)
{
	unsigned int flags = FAULT_FLAG_REMOTE | FAULT_FLAG_ALLOW_RETRY |
			     FAULT_FLAG_KILLABLE | FAULT_FLAG_INTERRUPTIBLE;
	vm_fault_t ret;
	int err;

	if (fault->access & DRM_SVM_ACCESS_WRITE)
		flags |= FAULT_FLAG_WRITE;
	do {
		if (signal_pending(current))
			return -EINTR;
		err = drm_svm_wait_fault(mm, fault, flags, &ret);
		if (err)
			return err;
		flags |= FAULT_FLAG_TRIED;
	} while (ret & VM_FAULT_RETRY);

	if (!(ret & VM_FAULT_ERROR))
		return 0;
	/* a file system may have failed for the signal */
	if (signal_pending(current))
		return -EINTR;
	return vm_fault_to_errno(ret, 0) ?: -EFAULT;
}

/* The next fault to wait for. Detach finds it with its thread, and may take it away. */
static bool drm_svm_wait_next(struct drm_svm_waiters *w, struct drm_svm_wait_thread *t,
			      struct drm_svm_fault *fault)
{
	guard(spinlock)(&w->lock);
	t->waiter = list_first_entry_or_null(&w->pending, struct drm_svm_waiter, link);
	__assign_bit(t - w->thread, &w->idle, !t->waiter);
	if (!t->waiter)
		return false;
	list_del(&t->waiter->link);
	w->npending--;
	w->nbusy++;
	*fault = t->waiter->entry.fault;
	return true;
}

/*
 * Returns the waiter, to be answered, or NULL. One that was interrupted comes first in the
 * list again.
 */
static struct drm_svm_waiter *drm_svm_wait_done(struct drm_svm_waiters *w,
						struct drm_svm_wait_thread *t, int err)
{
	struct drm_svm_waiter *waiter;

	guard(spinlock)(&w->lock);
	w->nbusy--;
	waiter = t->waiter;
	t->waiter = NULL;
	if (!waiter || err != -EINTR)
		return waiter;
	list_add(&waiter->link, &w->pending);
	w->npending++;
	return NULL;
}

static void drm_svm_wait_answer(struct drm_svm_waiter *waiter, int err)
{
	waiter->entry.err = err;
	drm_svm_fault_finish(&waiter->entry);
	kfree(waiter);
}

static bool drm_svm_wait_run(struct drm_svm_thread *thread)
{
	struct drm_svm_wait_thread *t = container_of(thread, struct drm_svm_wait_thread,
						     thread);
	struct drm_svm_waiters *w = &thread->svm->waiters;
	struct drm_svm_waiter *waiter;
	struct drm_svm_fault fault;
	int err;

	if (!drm_svm_wait_next(w, t, &fault))
		return false;
	__set_current_state(TASK_RUNNING);
	err = drm_svm_wait_populate(thread->svm->mm, &fault);
	waiter = drm_svm_wait_done(w, t, err);
	if (waiter)
		drm_svm_wait_answer(waiter, err);
	return true;
}

/* Queue a waiter; -EFAULT when its context is being detached: nobody would take it away. */
static int drm_svm_wait_enqueue(struct drm_svm_waiters *w,
				struct drm_svm_waiter *waiter)
{
	unsigned int index;

	guard(spinlock)(&w->lock);
	if (waiter->entry.ctx->dead)
		return -EFAULT;
	list_add_tail(&waiter->link, &w->pending);
	w->npending++;
	if (w->idle) {
		index = __ffs(w->idle);
		w->idle &= ~BIT(index);
		drm_svm_thread_wake(&w->thread[index].thread);
	}
	return 0;
}

/* Each fault that waits is to have a thread, as long as that may be. */
static struct drm_svm_wait_thread *drm_svm_wait_next_thread(struct drm_svm_waiters *w)
{
	guard(spinlock)(&w->lock);
	if (w->growing || w->nmade == DRM_SVM_MAX_WAITERS ||
	    w->nmade >= w->npending + w->nbusy)
		return NULL;
	w->growing = true;
	return &w->thread[w->nmade];
}

static int drm_svm_wait_add_thread(struct drm_svm *svm, struct drm_svm_wait_thread *t)
{
	struct drm_svm_waiters *w = &svm->waiters;
	int err;

	err = drm_svm_thread_start(svm, &t->thread, drm_svm_wait_run, "drm_svm_wait");
	guard(spinlock)(&w->lock);
	w->growing = false;
	if (!err)
		w->nmade++;
	return err;
}

/* What threads have, and what none has yet */
static void drm_svm_wait_take(struct drm_svm_waiters *w, struct drm_svm_context *ctx,
			      struct list_head *taken)
{
	struct drm_svm_waiter *waiter, *next;
	struct drm_svm_wait_thread *t;

	guard(spinlock)(&w->lock);
	/* one that was just made may not be counted yet */
	for (t = w->thread; t < &w->thread[DRM_SVM_MAX_WAITERS]; t++) {
		if (!t->waiter || (ctx && t->waiter->entry.ctx != ctx))
			continue;
		list_add_tail(&t->waiter->link, taken);
		t->waiter = NULL;
		drm_svm_thread_interrupt(&t->thread);
	}
	list_for_each_entry_safe(waiter, next, &w->pending, link) {
		if (ctx && waiter->entry.ctx != ctx)
			continue;
		list_move_tail(&waiter->link, taken);
		w->npending--;
	}
}

/**
 * drm_svm_wait_cancel() - let no fault wait any longer
 * @svm: the address space
 * @ctx: the context whose faults end, or NULL for all
 * @err: their answer
 *
 * Context: process context, no lock held. All are answered before it returns.
 */
void drm_svm_wait_cancel(struct drm_svm *svm, struct drm_svm_context *ctx, int err)
{
	struct drm_svm_waiter *waiter, *next;
	LIST_HEAD(taken);

	drm_svm_wait_take(&svm->waiters, ctx, &taken);
	list_for_each_entry_safe(waiter, next, &taken, link)
		drm_svm_wait_answer(waiter, err);
}

/**
 * drm_svm_wait_grow() - have a thread for each fault that waits, as far as possible
 * @svm: the address space
 *
 * Where no more threads can be made, those do that there are; without any nobody would ever
 * get to what is pending. A worker that is to stop cannot make one: the GPU tries again.
 *
 * Context: a worker that has no fault in hand. To make a thread may wait for mmap_lock and
 * for memory.
 */
void drm_svm_wait_grow(struct drm_svm *svm)
{
	struct drm_svm_wait_thread *t;
	int err = 0;

	if (!READ_ONCE(svm->waiters.npending))
		return;
	while (!err && (t = drm_svm_wait_next_thread(&svm->waiters)))
		err = drm_svm_wait_add_thread(svm, t);
	if (err && !READ_ONCE(svm->waiters.nmade))
		drm_svm_wait_cancel(svm, NULL, err == -ERESTARTNOINTR ? 0 : err);
}

static void drm_svm_wait_submit(struct drm_svm *svm,
				const struct drm_svm_fault_entry *entry)
{
	struct drm_svm_fault_entry failed = *entry;
	struct drm_svm_waiter *waiter;

	failed.err = -ENOMEM;
	waiter = kzalloc_obj(*waiter, GFP_KERNEL_ACCOUNT);
	if (waiter) {
		waiter->entry = *entry;
		failed.err = drm_svm_wait_enqueue(&svm->waiters, waiter);
	}
	if (failed.err) {
		kfree(waiter);
		drm_svm_fault_finish(&failed);
	}
}

/**
 * drm_svm_wait_start() - wait for the page of a fault, elsewhere
 * @svm: the address space
 * @entry: the fault; copied
 *
 * Context: process context of a worker, no lock held; drm_svm_wait_grow() comes after the
 * batch. The fault is answered later, or at once when there is no memory.
 */
void drm_svm_wait_start(struct drm_svm *svm, struct drm_svm_fault_entry *entry)
{
	struct drm_svm_context *ctx = entry->ctx;

	/* the fault may be over before we are: keep @ctx, and so @svm */
	atomic_inc(&ctx->busy);
	drm_svm_stat_add(ctx, DRM_SVM_STAT_WAITS, 1);
	trace_drm_svm_wait(ctx, &entry->fault);
	drm_svm_wait_submit(svm, entry);
	drm_svm_context_put_busy(ctx);
}

/* Have no thread wait; what one had is in the list again. */
void drm_svm_wait_interrupt(struct drm_svm *svm)
{
	unsigned int i;

	for (i = 0; i < DRM_SVM_MAX_WAITERS; i++)
		drm_svm_thread_interrupt(&svm->waiters.thread[i].thread);
}

void drm_svm_wait_init(struct drm_svm *svm)
{
	spin_lock_init(&svm->waiters.lock);
	INIT_LIST_HEAD(&svm->waiters.pending);
}

/* Without contexts there are no faults; its threads have left. */
void drm_svm_wait_fini(struct drm_svm *svm)
{
	unsigned int i;

	for (i = 0; i < DRM_SVM_MAX_WAITERS; i++)
		drm_svm_thread_join(&svm->waiters.thread[i].thread);
	WARN_ON(!list_empty(&svm->waiters.pending));
}
