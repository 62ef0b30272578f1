// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/export.h>
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
 * The threads are a pool (drm_svm_pool.c) of a few, because all of them use the
 * same memory and the same copy engines. A prefetch that is interrupted, because
 * the process is to stop or to freeze, goes on later from where it was.
 */

static struct drm_svm_prefetch_work *to_drm_svm_prefetch_work(struct drm_svm_pool_item *item)
{
	return container_of(item, struct drm_svm_prefetch_work, item);
}

static int drm_svm_prefetch_move(struct drm_svm_pool_thread *t)
{
	struct drm_svm_prefetch_work *work = to_drm_svm_prefetch_work(t->item);

	return drm_svm_prefetch_work(t->item->ctx, &work->args, &t->item->cancelled);
}

static void drm_svm_prefetch_end(struct drm_svm_pool_item *item, int err)
{
	struct drm_svm_prefetch_work *work = to_drm_svm_prefetch_work(item);
	struct drm_svm_context *ctx = item->ctx;

	work->args.progress = 0;
	lock_map_acquire(&drm_svm_fault_done_map);
	work->done(work, err);
	lock_map_release(&drm_svm_fault_done_map);
	drm_svm_context_put_busy(ctx);
}

static const struct drm_svm_pool_ops drm_svm_prefetch_ops = {
	.name = "drm_svm_move",
	.max = DRM_SVM_MAX_MOVERS,
	.asks = true,
	.gone = -ECANCELED,
	.work = drm_svm_prefetch_move,
	.end = drm_svm_prefetch_end,
};

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
 * context is not attached; -ECANCELED when it is being detached, or its process
 * has ended.
 */
int drm_svm_prefetch_queue(struct drm_svm_context *ctx,
			   struct drm_svm_prefetch_work *work)
{
	struct drm_svm *svm;
	int err;

	/* pairs with the release in drm_svm_context_attach() */
	svm = smp_load_acquire(&ctx->svm);
	if (!svm)
		return -ENXIO;
	err = drm_svm_prefetch_check(ctx, &work->args);
	if (err)
		return err;
	work->item = (struct drm_svm_pool_item) { .ctx = ctx };
	/* before it is queued, because it may be over soon */
	atomic_inc(&ctx->busy);
	err = drm_svm_pool_add(&svm->movers, &work->item);
	if (err)
		drm_svm_context_put_busy(ctx);
	return err;
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
	struct drm_svm_context *ctx = work->item.ctx;

	drm_svm_pool_cancel(&ctx->svm->movers, ctx, &work->item);
}
EXPORT_SYMBOL_GPL(drm_svm_prefetch_cancel);

void drm_svm_prefetch_init(struct drm_svm *svm)
{
	spin_lock_init(&svm->movers.lock);
	drm_svm_pool_init(&svm->movers, svm, &drm_svm_prefetch_ops);
}
