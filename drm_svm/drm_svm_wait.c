// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "drm_svm_core.h"
#include "drm_svm_trace.h"

/**
 * DOC: Waiting for pages
 *
 * A page may take for ever to come: its userfaultfd handler never answers, or
 * its FUSE server is stuck. Workers do not wait for such pages;
 * drm_svm_mirror.c lists them. A fault that has to wait goes to another thread
 * of the process. The thread does what the process itself would do, a CPU fault
 * that drops mmap_lock and waits, and then lets the GPU try its access again:
 * the page is present now, and the ordinary path maps it. So such a page costs
 * two context switches and a second GPU fault. That is cheap next to a disk,
 * and expensive for writes to a shared file mapping, which pay it for each
 * page.
 *
 * An address space has a bounded number of such threads, made when they are
 * needed; further faults wait until one is free. A thread that waits is killed
 * with the process, and is interrupted when the process is to stop or to
 * freeze; the fault then goes back to the list. Detach does not wait for the
 * thread: it takes the fault away, answers it and interrupts the thread. If a
 * file system waits without looking for signals, the thread goes on waiting,
 * for a page that its process has asked for.
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
	/* else handle_mm_fault() has dropped the lock */
	if (!(*ret & (VM_FAULT_RETRY | VM_FAULT_COMPLETED)))
		mmap_read_unlock(mm);
	return 0;
}

/*
 * Do the CPU fault. Returns 0 when the page came, or may have, -EINTR when
 * interrupted or killed, or another error.
 */
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
	/* a file system may have failed because of the signal */
	if (signal_pending(current))
		return -EINTR;
	return vm_fault_to_errno(ret, 0) ?: -EFAULT;
}

/*
 * Take the next fault to wait for; false: there is none, and the thread is
 * idle. The waiter stays with the thread, where detach finds it and may take it
 * away.
 */
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
 * Returns the waiter, to be answered, or NULL. An interrupted waiter goes back
 * to the head of the list.
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
	waiter->entry.answer = err;
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
	/* a worker may have failed to make a thread, because of a signal */
	drm_svm_wait_grow(thread->svm);
	err = drm_svm_wait_populate(thread->svm->mm, &fault);
	waiter = drm_svm_wait_done(w, t, err);
	if (waiter)
		drm_svm_wait_answer(waiter, err);
	return true;
}

/*
 * Queue a waiter. Returns -EFAULT when its context is being detached, because
 * detach would not find it any more.
 */
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

/*
 * Return the thread to make now, or NULL. Each fault that waits gets one, up to
 * the limit.
 */
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

/* Take the waiters of threads, and those that no thread has yet. */
static void drm_svm_wait_take(struct drm_svm_waiters *w, struct drm_svm_context *ctx,
			      struct list_head *taken)
{
	struct drm_svm_waiter *waiter, *next;
	struct drm_svm_wait_thread *t;

	guard(spinlock)(&w->lock);
	/* a thread that was just made may not be counted yet */
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
 * drm_svm_wait_cancel() - answer the faults that wait
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
 * drm_svm_wait_grow() - make a thread for each fault that waits, if possible
 * @svm: the address space
 *
 * If no more threads can be made, the existing ones have to do. If there is
 * none at all, the pending faults are answered, because nothing would ever
 * serve them; for the GPU to try again if a signal kept the worker from making
 * a thread.
 *
 * Context: a worker that has no fault in hand, or a thread whose fault detach
 * can take away, because making a thread may wait for mmap_lock and for memory.
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

/**
 * drm_svm_wait_start() - let a thread wait for the page of a fault
 * @svm: the address space
 * @entry: the fault; copied, and its answer is changed
 *
 * Context: process context of a worker, no lock held; drm_svm_wait_grow() comes
 * after the batch. The fault is answered later, or at once when there is no
 * memory or when its context is being detached.
 */
void drm_svm_wait_start(struct drm_svm *svm, struct drm_svm_fault_entry *entry)
{
	struct drm_svm_waiter *waiter;

	drm_svm_context_count(entry->ctx, DRM_SVM_STAT_WAITS, 1);
	trace_drm_svm_wait(entry->ctx, &entry->fault);
	entry->answer = -ENOMEM;
	waiter = kzalloc_obj(*waiter, GFP_KERNEL_ACCOUNT);
	if (waiter) {
		waiter->entry = *entry;
		entry->answer = drm_svm_wait_enqueue(&svm->waiters, waiter);
	}
	/* once it is queued it may be answered, and its context be gone */
	if (entry->answer) {
		kfree(waiter);
		drm_svm_fault_finish(entry);
	}
}

/* Interrupt all threads that wait; their faults go back to the list. */
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

/* There are no contexts, and so no faults; the threads have left. */
void drm_svm_wait_fini(struct drm_svm *svm)
{
	unsigned int i;

	for (i = 0; i < DRM_SVM_MAX_WAITERS; i++)
		drm_svm_thread_join(&svm->waiters.thread[i].thread);
	WARN_ON(!list_empty(&svm->waiters.pending));
}
