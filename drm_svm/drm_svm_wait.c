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
 * The threads are a pool (drm_svm_pool.c). A thread that waits is killed with
 * the process, and is interrupted when the process is to stop or to freeze; the
 * fault then goes back to the list. Detach does not wait for the thread: it
 * takes the fault away, answers it and interrupts the thread. If a file system
 * waits without looking for signals, the thread goes on waiting, for a page
 * that its process has asked for.
 */

/* A fault that waits for its page. */
struct drm_svm_waiter {
	struct drm_svm_pool_item item;
	struct drm_svm_fault fault;
};

static struct drm_svm_waiter *to_drm_svm_waiter(struct drm_svm_pool_item *item)
{
	return container_of(item, struct drm_svm_waiter, item);
}

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

/* Wait for the page. Detach may take the waiter away, so its fault is copied. */
static int drm_svm_wait_work(struct drm_svm_pool_thread *t)
{
	struct drm_svm_fault fault;

	scoped_guard(spinlock, &t->pool->lock) {
		if (!t->item)
			return 0;
		fault = to_drm_svm_waiter(t->item)->fault;
	}
	return drm_svm_wait_populate(t->thread.svm->mm, &fault);
}

static void drm_svm_wait_end(struct drm_svm_pool_item *item, int err)
{
	struct drm_svm_waiter *waiter = to_drm_svm_waiter(item);
	struct drm_svm_fault_entry entry = {
		.ctx = item->ctx, .fault = waiter->fault, .answer = err,
	};

	kfree(waiter);
	drm_svm_fault_finish(&entry);
}

static const struct drm_svm_pool_ops drm_svm_wait_ops = {
	.name = "drm_svm_wait",
	.max = DRM_SVM_MAX_WAITERS,
	.can_take = true,
	.gone = -EFAULT,
	.work = drm_svm_wait_work,
	.end = drm_svm_wait_end,
};

/**
 * drm_svm_wait_start() - let a thread wait for the page of a fault
 * @svm: the address space
 * @entry: the fault; copied, and its answer is changed
 *
 * Context: process context of a worker, no lock held; drm_svm_pool_grow() comes
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
		waiter->item.ctx = entry->ctx;
		waiter->fault = entry->fault;
		entry->answer = drm_svm_pool_add(&svm->waiters, &waiter->item);
	}
	/* once it is queued it may be answered, and its context be gone */
	if (entry->answer) {
		kfree(waiter);
		drm_svm_fault_finish(entry);
	}
}

void drm_svm_wait_init(struct drm_svm *svm)
{
	spin_lock_init(&svm->waiters.lock);
	drm_svm_pool_init(&svm->waiters, svm, &drm_svm_wait_ops);
}
