// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/export.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "drm_svm_internal.h"

/**
 * drm_svm_ioctl_attach() - body of an attach ioctl
 * @ctx: see drm_svm_context_attach()
 * @sdev: see drm_svm_context_attach()
 * @ops: see drm_svm_context_attach()
 * @args: the payload
 *
 * Return: 0, -EINVAL for a malformed payload, or an error of
 * drm_svm_context_attach().
 */
int drm_svm_ioctl_attach(struct drm_svm_context *ctx,
			 struct drm_svm_device *sdev,
			 const struct drm_svm_context_ops *ops,
			 struct drm_svm_attach *args)
{
	int err;

	if (args->flags || args->pad)
		return -EINVAL;
	err = drm_svm_context_attach(ctx, sdev, ops);
	if (err)
		return err;

	args->out_va_start = 0;
	args->out_va_end = min_t(u64, ctx->svm->mm->task_size, sdev->va_end);
	args->out_page_size = PAGE_SIZE;
	args->out_range_size = DRM_SVM_RANGE_SIZE;
	return 0;
}
EXPORT_SYMBOL_GPL(drm_svm_ioctl_attach);

static int drm_svm_query_check(struct drm_svm_context *ctx,
			       const struct drm_svm_query *args)
{
	u64 va_end = min_t(u64, ctx->svm->mm->task_size, ctx->sdev->va_end);
	u64 end;

	if (args->flags || args->pad || !args->size ||
	    !PAGE_ALIGNED(args->start | args->size) ||
	    args->size >> PAGE_SHIFT > DRM_SVM_QUERY_MAX_PAGES ||
	    check_add_overflow(args->start, args->size, &end) || end > va_end)
		return -EINVAL;
	return 0;
}

static void drm_svm_query_view(struct drm_svm_view *view, unsigned long start,
			       unsigned long end, u32 *state)
{
	struct drm_svm_context *ctx = view->ctx;
	unsigned int first = drm_svm_page_index(start);
	unsigned int i, n = (end - start) >> PAGE_SHIFT;
	u32 location;

	for (i = 0; i < n; i++) {
		if (!test_bit(first + i, view->mapped))
			continue;
		location = test_bit(first + i, view->vram) ?
			   DRM_SVM_LOCATION_VRAM : DRM_SVM_LOCATION_SYSTEM;
		state[i] = DRM_SVM_PAGE_READ |
			   location << DRM_SVM_PAGE_LOCATION_SHIFT;
		if (test_bit(first + i, view->writable))
			state[i] |= DRM_SVM_PAGE_WRITE;
	}
	if (ctx->ops->query)
		ctx->ops->query(ctx, start, end, state);
}

/* [@start, @end) is within one range; @state is zeroed here. */
static void drm_svm_query_range(struct drm_svm_context *ctx,
				unsigned long start, unsigned long end,
				u32 *state)
{
	struct drm_svm_range *range = drm_svm_range_lookup(ctx->svm, start);
	struct drm_svm_view *view;

	memset(state, 0, ((end - start) >> PAGE_SHIFT) * sizeof(*state));
	if (!range)
		return;
	scoped_guard(mutex, &range->pt_lock) {
		view = drm_svm_range_find_view(range, ctx);
		if (view)
			drm_svm_query_view(view, start, end, state);
	}
	drm_svm_range_put(range);
}

/* Range by range; @state has room for one. */
static int drm_svm_query_all(struct drm_svm_context *ctx,
			     const struct drm_svm_query *args, u32 *state)
{
	u32 __user *out = u64_to_user_ptr(args->pages);
	unsigned long start, next, n, end = args->start + args->size;

	for (start = args->start; start < end; start = next) {
		next = min((start | ~DRM_SVM_RANGE_MASK) + 1, end);
		n = (next - start) >> PAGE_SHIFT;
		drm_svm_query_range(ctx, start, next, state);
		/* not under a lock: this may fault, into our own notifier */
		if (copy_to_user(out, state, n * sizeof(*state)))
			return -EFAULT;
		out += n;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/**
 * drm_svm_ioctl_query() - body of a query ioctl
 * @ctx: the context
 * @args: the payload
 *
 * Context: process context, no lock held.
 * Return: 0, -ENXIO, -EPERM, -EINVAL, -EFAULT, -ENOMEM or -EINTR.
 */
int drm_svm_ioctl_query(struct drm_svm_context *ctx,
			struct drm_svm_query *args)
{
	u32 *state;
	int err;

	err = drm_svm_context_check_mm(ctx);
	if (!err)
		err = drm_svm_query_check(ctx, args);
	if (err)
		return err;
	state = kmalloc_objs(*state, DRM_SVM_RANGE_PAGES);
	if (!state)
		return -ENOMEM;
	err = drm_svm_query_all(ctx, args, state);
	kfree(state);
	return err;
}
EXPORT_SYMBOL_GPL(drm_svm_ioctl_query);

u64 drm_svm_stat_read(struct drm_svm_context *ctx, enum drm_svm_stat stat)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(ctx->stats, cpu)->v[stat]);
	return sum;
}

/* What went in, less what came out: read in that order, so never negative. */
static u64 drm_svm_stat_gauge(struct drm_svm_context *ctx, enum drm_svm_stat in,
			      enum drm_svm_stat out)
{
	u64 left = drm_svm_stat_read(ctx, out);

	return drm_svm_stat_read(ctx, in) - left;
}

/**
 * drm_svm_ioctl_counters() - body of a counters ioctl
 * @ctx: the context
 * @args: the payload
 *
 * Return: 0, -EINVAL, -ENXIO or -EPERM.
 */
int drm_svm_ioctl_counters(struct drm_svm_context *ctx,
			   struct drm_svm_counters *args)
{
	int err;

	if (args->flags || args->pad)
		return -EINVAL;
	err = drm_svm_context_check_mm(ctx);
	if (err)
		return err;

	args->out_faults = drm_svm_stat_read(ctx, DRM_SVM_STAT_FAULTS);
	args->out_duplicates = drm_svm_stat_read(ctx, DRM_SVM_STAT_DUPLICATES);
	args->out_batches = drm_svm_stat_read(ctx, DRM_SVM_STAT_BATCHES);
	args->out_retries = drm_svm_stat_read(ctx, DRM_SVM_STAT_RETRIES);
	args->out_waits = drm_svm_stat_read(ctx, DRM_SVM_STAT_WAITS);
	args->out_failed = drm_svm_stat_read(ctx, DRM_SVM_STAT_FAILED);
	args->out_walks = drm_svm_stat_read(ctx, DRM_SVM_STAT_WALKS);
	args->out_pages_mapped =
		drm_svm_stat_read(ctx, DRM_SVM_STAT_PAGES_MAPPED);
	args->out_pages_unmapped =
		drm_svm_stat_read(ctx, DRM_SVM_STAT_PAGES_UNMAPPED);
	args->out_invalidations =
		drm_svm_stat_read(ctx, DRM_SVM_STAT_INVALIDATIONS);
	args->out_flushes = drm_svm_stat_read(ctx, DRM_SVM_STAT_FLUSHES);
	args->out_cur_pages = drm_svm_stat_gauge(ctx, DRM_SVM_STAT_PAGES_MAPPED,
						 DRM_SVM_STAT_PAGES_UNMAPPED);
	args->out_cur_ranges = atomic_long_read(&ctx->svm->nranges);
	args->out_cur_dma_pages = drm_svm_stat_gauge(ctx, DRM_SVM_STAT_DMA_MAPPED,
						     DRM_SVM_STAT_DMA_UNMAPPED);
	return 0;
}
EXPORT_SYMBOL_GPL(drm_svm_ioctl_counters);
