// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/kthread.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "drm_svm_internal.h"
#include "drm_svm_trace.h"

/**
 * DOC: Waiting for pages
 *
 * A page may take for ever to come: its userfaultfd handler never answers, its
 * FUSE server is stuck. Workers do not wait for such pages; which ones these
 * are, drm_svm_mirror.c says. A fault that has to wait goes to a kernel thread,
 * which does what the process itself would do, a CPU fault that drops mmap_lock
 * and waits, and then lets the GPU try its access again: the page is present
 * now, and the ordinary path maps it. So such a page costs a thread, made and
 * ended, and a second fault of the GPU; that is cheap next to a disk, and dear
 * for the writes to a shared file mapping, a page each.
 *
 * An address space has a bounded number of such threads; more faults wait for
 * one to be free. A thread may be killed, as the process may: by detach, and by
 * a monitor once nobody but these threads uses the mm. Without the latter a
 * fault that waits would keep the memory of a dead process for ever, where
 * another process holds the file open. A file system may wait where a signal
 * does not reach; then the kill, and detach, wait with it, as a process would.
 */

struct drm_svm_waiter {
	struct list_head link;
	struct drm_svm_fault_entry entry;
	/* while active, under the lock of struct drm_svm_waiters */
	struct task_struct *task;
};

#define DRM_SVM_MONITOR_PERIOD	(HZ / 4)

static int drm_svm_wait_fault(struct mm_struct *mm,
			      const struct drm_svm_fault *fault,
			      unsigned int flags, vm_fault_t *ret)
{
	struct vm_area_struct *vma;
	int err;

	if (mmap_read_lock_killable(mm))
		return -EFAULT;
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

/* Do the CPU fault; 0 when the page came, or may have. */
static int drm_svm_wait_populate(struct mm_struct *mm,
				 const struct drm_svm_fault *fault)
{
	unsigned int flags = FAULT_FLAG_REMOTE | FAULT_FLAG_ALLOW_RETRY |
			     FAULT_FLAG_KILLABLE;
	vm_fault_t ret;
	int err;

	if (fault->access & DRM_SVM_ACCESS_WRITE)
		flags |= FAULT_FLAG_WRITE;
	do {
		if (fatal_signal_pending(current))
			return -EFAULT;
		err = drm_svm_wait_fault(mm, fault, flags, &ret);
		if (err)
			return err;
		flags |= FAULT_FLAG_TRIED;
	} while (ret & VM_FAULT_RETRY);

	if (ret & VM_FAULT_ERROR)
		return vm_fault_to_errno(ret, 0) ?: -EFAULT;
	return 0;
}

/* Page tables are charged to the process, like the pages. */
static void drm_svm_wait_serve(struct drm_svm *svm,
			       struct drm_svm_waiter *waiter)
{
	struct mem_cgroup *memcg, *old;

	memcg = get_mem_cgroup_from_mm(svm->mm);
	old = set_active_memcg(memcg);
	waiter->entry.err = drm_svm_wait_populate(svm->mm, &waiter->entry.fault);
	set_active_memcg(old);
	mem_cgroup_put(memcg);
}

/*
 * The next fault to wait for; its thread can be found and killed from now on.
 * Each active waiter holds a user of the mm, which is what the monitor counts.
 */
static struct drm_svm_waiter *drm_svm_wait_next(struct drm_svm *svm)
{
	struct drm_svm_waiters *w = &svm->waiters;
	struct drm_svm_waiter *waiter;

	guard(spinlock)(&w->lock);
	waiter = list_first_entry_or_null(&w->pending, struct drm_svm_waiter,
					  link);
	if (!waiter) {
		w->nthreads--;
		return NULL;
	}
	list_move_tail(&waiter->link, &w->active);
	waiter->task = current;
	waiter->entry.err = -EFAULT;
	if (mmget_not_zero(svm->mm)) {
		w->nactive++;
		waiter->entry.err = DRM_SVM_PENDING;
	}
	return waiter;
}

/* A kill meant for this waiter must not hit the next one. */
static void drm_svm_wait_done(struct drm_svm *svm,
			      struct drm_svm_waiter *waiter, bool counted)
{
	struct drm_svm_waiters *w = &svm->waiters;

	scoped_guard(spinlock, &w->lock) {
		list_del(&waiter->link);
		flush_signals(current);
		if (counted)
			w->nactive--;
	}
	if (counted)
		mmput_async(svm->mm);
}

static int drm_svm_wait_thread(void *data)
{
	struct drm_svm_waiter *waiter;
	struct drm_svm *svm = data;
	bool counted;

	allow_kernel_signal(SIGKILL);
	while ((waiter = drm_svm_wait_next(svm))) {
		counted = waiter->entry.err == DRM_SVM_PENDING;
		if (counted)
			drm_svm_wait_serve(svm, waiter);
		drm_svm_wait_done(svm, waiter, counted);
		drm_svm_fault_finish(&waiter->entry);
		kfree(waiter);
	}
	drm_svm_put(svm);
	module_put_and_kthread_exit(0);
}

/* The thread is counted by the caller; a busy context keeps @svm. */
static int drm_svm_wait_spawn(struct drm_svm *svm)
{
	struct task_struct *task;

	task = kthread_create(drm_svm_wait_thread, svm, "drm_svm_wait");
	if (IS_ERR(task))
		return -ENOMEM;
	__module_get(THIS_MODULE);
	drm_svm_get(svm);
	wake_up_process(task);
	return 0;
}

/* Answer waiters that are on no list any more. */
static void drm_svm_wait_answer(struct list_head *waiters, int err)
{
	struct drm_svm_waiter *waiter, *next;

	list_for_each_entry_safe(waiter, next, waiters, link) {
		waiter->entry.err = err;
		drm_svm_fault_finish(&waiter->entry);
		kfree(waiter);
	}
}

/* No thread could be made: answer what would wait for it. */
static void drm_svm_wait_fail(struct drm_svm *svm, int err)
{
	struct drm_svm_waiters *w = &svm->waiters;
	LIST_HEAD(failed);

	scoped_guard(spinlock, &w->lock) {
		if (!--w->nthreads)
			list_splice_init(&w->pending, &failed);
	}
	drm_svm_wait_answer(&failed, err);
}

/*
 * Queue a waiter. Returns 1 when it needs a new thread, 0 when a thread will
 * get to it, -EFAULT when its context is being detached: detach marks the
 * context first, then empties the list under the same lock.
 */
static int drm_svm_wait_enqueue(struct drm_svm_waiters *w,
				struct drm_svm_waiter *waiter)
{
	guard(spinlock)(&w->lock);
	if (waiter->entry.ctx->dead)
		return -EFAULT;
	list_add_tail(&waiter->link, &w->pending);
	if (w->nthreads == DRM_SVM_MAX_WAITERS)
		return 0;
	w->nthreads++;
	return 1;
}

static void drm_svm_wait_submit(struct drm_svm *svm,
				const struct drm_svm_fault_entry *entry)
{
	struct drm_svm_waiters *w = &svm->waiters;
	struct drm_svm_fault_entry failed = *entry;
	struct drm_svm_waiter *waiter;

	failed.err = -ENOMEM;
	waiter = kzalloc_obj(*waiter, GFP_KERNEL_ACCOUNT);
	if (waiter) {
		waiter->entry = *entry;
		failed.err = drm_svm_wait_enqueue(w, waiter);
	}
	if (failed.err < 0) {
		kfree(waiter);
		drm_svm_fault_finish(&failed);
	} else if (failed.err) {
		queue_delayed_work(drm_svm_idle_wq, &w->monitor,
				   DRM_SVM_MONITOR_PERIOD);
		failed.err = drm_svm_wait_spawn(svm);
		if (failed.err)
			drm_svm_wait_fail(svm, failed.err);
	}
}

/**
 * drm_svm_wait_start() - wait for the page of a fault, elsewhere
 * @svm: the address space
 * @entry: the fault; copied
 *
 * Context: process context, no lock held. The fault is answered later, or at
 * once when there is no memory.
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

/**
 * drm_svm_wait_cancel() - let no fault wait any longer
 * @svm: the address space
 * @ctx: the context whose faults end, or NULL for all
 *
 * Context: process context, no lock held. Faults that wait for a thread are
 * answered before it returns, faults that a thread waits for soon after.
 */
void drm_svm_wait_cancel(struct drm_svm *svm, struct drm_svm_context *ctx)
{
	struct drm_svm_waiters *w = &svm->waiters;
	struct drm_svm_waiter *waiter, *next;
	LIST_HEAD(cancelled);

	scoped_guard(spinlock, &w->lock) {
		list_for_each_entry(waiter, &w->active, link) {
			if (!ctx || waiter->entry.ctx == ctx)
				send_sig(SIGKILL, waiter->task, 1);
		}
		list_for_each_entry_safe(waiter, next, &w->pending, link) {
			if (!ctx || waiter->entry.ctx == ctx)
				list_move_tail(&waiter->link, &cancelled);
		}
	}
	drm_svm_wait_answer(&cancelled, -EFAULT);
}

/*
 * The process is gone when its memory has no users but the active waiters.
 * Others, such as workers, only add to the users.
 */
static bool drm_svm_wait_is_abandoned(struct drm_svm *svm)
{
	struct drm_svm_waiters *w = &svm->waiters;

	guard(spinlock)(&w->lock);
	return w->nactive && atomic_read(&svm->mm->mm_users) <= w->nactive;
}

static void drm_svm_wait_monitor(struct work_struct *work)
{
	struct drm_svm *svm = container_of(to_delayed_work(work), struct drm_svm,
					   waiters.monitor);

	if (drm_svm_wait_is_abandoned(svm))
		drm_svm_wait_cancel(svm, NULL);
	if (READ_ONCE(svm->waiters.nthreads))
		queue_delayed_work(drm_svm_idle_wq, &svm->waiters.monitor,
				   DRM_SVM_MONITOR_PERIOD);
}

void drm_svm_wait_init(struct drm_svm *svm)
{
	spin_lock_init(&svm->waiters.lock);
	INIT_LIST_HEAD(&svm->waiters.pending);
	INIT_LIST_HEAD(&svm->waiters.active);
	INIT_DELAYED_WORK(&svm->waiters.monitor, drm_svm_wait_monitor);
}

/* Threads hold references: there are none. */
void drm_svm_wait_fini(struct drm_svm *svm)
{
	cancel_delayed_work_sync(&svm->waiters.monitor);
	WARN_ON(!list_empty(&svm->waiters.pending));
	WARN_ON(!list_empty(&svm->waiters.active));
}
