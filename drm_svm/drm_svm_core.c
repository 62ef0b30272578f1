// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/static_stub.h>

#include <linux/device.h>
#include <linux/dma-fence.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>

#include <drm/drm_print.h>

#include "drm_svm_vram.h"
#include "drm_svm_trace.h"

/**
 * DOC: Contexts and their faults
 *
 * Functions that every other file may call: the address limit of a context, the
 * answer to a fault, and the log messages about waits that take long.
 */

/*
 * For work that no GPU fault waits for: removing ranges, freeing BOs, ending
 * address spaces.
 */
struct workqueue_struct *drm_svm_idle_wq;

int __init drm_svm_core_init(void)
{
	drm_svm_idle_wq = alloc_workqueue("drm_svm_idle", WQ_UNBOUND, 0);
	return drm_svm_idle_wq ? 0 : -ENOMEM;
}

void drm_svm_core_exit(void)
{
	destroy_workqueue(drm_svm_idle_wq);
}

/**
 * drm_svm_context_va_end() - end of the addresses that a context shares
 * @ctx: the context, attached
 *
 * Return: the first address, in bytes, that the process or the GPU cannot use.
 */
u64 drm_svm_context_va_end(const struct drm_svm_context *ctx)
{
	return min_t(u64, ctx->svm->mm->task_size, ctx->sdev->va_end);
}

/**
 * drm_svm_context_check_mm() - may the caller act on this address space
 * @ctx: the context
 *
 * For the ioctls of the driver: a child of fork(), a process that was passed
 * the file, and a process after execve() have another address space.
 *
 * Context: process context.
 * Return: 0, -ENXIO when not attached, -EPERM when the caller's mm is not the
 * one that attached.
 */
int drm_svm_context_check_mm(struct drm_svm_context *ctx)
{
	struct drm_svm *svm;

	/* pairs with the release in drm_svm_context_attach() */
	svm = smp_load_acquire(&ctx->svm);
	if (!svm)
		return -ENXIO;
	return svm->mm == current->mm ? 0 : -EPERM;
}
EXPORT_SYMBOL_GPL(drm_svm_context_check_mm);

/**
 * drm_svm_context_check_interval() - check an interval of a payload
 * @ctx: the context, attached
 * @start: first address
 * @size: bytes
 *
 * Return: 0, or -EINVAL if it is empty, or does not consist of whole shared
 * pages.
 */
int drm_svm_context_check_interval(const struct drm_svm_context *ctx, u64 start,
				   u64 size)
{
	u64 end;

	if (!size || !PAGE_ALIGNED(start | size) ||
	    check_add_overflow(start, size, &end) ||
	    end > drm_svm_context_va_end(ctx))
		return -EINVAL;
	return 0;
}

/**
 * drm_svm_context_put_busy() - drop one count of &drm_svm_context.busy
 * @ctx: the context; detach may free it from now on
 *
 * Each fault that is not answered yet holds a count, and so may the code that
 * handles one.
 */
void drm_svm_context_put_busy(struct drm_svm_context *ctx)
{
	if (atomic_dec_and_test(&ctx->busy))
		wake_up_var(&ctx->busy);
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_context_put_busy);

/*
 * For lockdep, fault_done() runs under a lock that detach takes, because detach
 * waits for fault_done(). All contexts share one map, because a worker answers
 * the faults of all contexts one after the other.
 */
#ifdef CONFIG_LOCKDEP
struct lockdep_map drm_svm_fault_done_map =
	STATIC_LOCKDEP_MAP_INIT("drm_svm_fault_done", &drm_svm_fault_done_map);
EXPORT_SYMBOL_IF_KUNIT(drm_svm_fault_done_map);
#endif

/**
 * drm_svm_fault_might_wait() - tell lockdep that fault_done() may be waited for
 *
 * Does nothing else.
 */
void drm_svm_fault_might_wait(void)
{
	lock_map_acquire(&drm_svm_fault_done_map);
	lock_map_release(&drm_svm_fault_done_map);
}

static void drm_svm_fault_report(const struct drm_svm_fault_entry *entry)
{
	struct drm_svm_context *ctx = entry->ctx;
	bool ahead = entry->fault.access & DRM_SVM_ACCESS_AHEAD;

	trace_drm_svm_fault_done(ctx, &entry->fault, entry->answer);
	if (!drm_svm_event_is_wanted(ctx->stats))
		return;
	drm_svm_event_add(ctx->stats, 0, &(struct drm_svm_event) {
		.type = DRM_SVM_EVENT_FAULT,
		.cause = ahead ? DRM_SVM_CAUSE_GPU_AHEAD : DRM_SVM_CAUSE_GPU_FAULT,
		.start = entry->fault.addr & PAGE_MASK,
		.size = PAGE_SIZE,
		.err = entry->answer,
	});
}

/**
 * drm_svm_fault_finish() - answer a fault
 * @entry: the fault, with its answer
 *
 * Context: process context, no lock held. The context may be gone on return.
 */
void drm_svm_fault_finish(struct drm_svm_fault_entry *entry)
{
	struct drm_svm_context *ctx = entry->ctx;

	if (entry->answer)
		drm_svm_context_count(ctx, DRM_SVM_STAT_FAILED, 1);
	drm_svm_fault_report(entry);
	lock_map_acquire(&drm_svm_fault_done_map);
	ctx->ops->fault_done(ctx, &entry->fault, entry->answer);
	lock_map_release(&drm_svm_fault_done_map);
	drm_svm_context_put_busy(ctx);
}

/*
 * Jiffies after which a wait is logged; nothing that works takes so long. Only
 * tests change it.
 */
unsigned long drm_svm_notice_after = 10 * HZ;
EXPORT_SYMBOL_IF_KUNIT(drm_svm_notice_after);

/*
 * Rate-limited, because programs can cause these messages as often as they
 * like.
 */
void drm_svm_notice_copy(struct drm_svm_vram *vram, struct dma_fence *fence)
{
	KUNIT_STATIC_STUB_REDIRECT(drm_svm_notice_copy, vram, fence);
	drm_err_ratelimited(vram->drm,
			    "a copy of VRAM takes long, waiting for fence %llu:%llu of the driver\n",
			    fence->context, fence->seqno);
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_notice_copy);

void drm_svm_notice_detach(struct drm_svm_context *ctx)
{
	KUNIT_STATIC_STUB_REDIRECT(drm_svm_notice_detach, ctx);
	dev_notice_ratelimited(ctx->sdev->dma_dev,
			       "drm_svm: detach waits for %d faults that take long: for a file system, or for fault_done() of the driver\n",
			       atomic_read(&ctx->busy));
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_notice_detach);
