// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/export.h>
#include <linux/hmm.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "drm_svm_vram.h"

/**
 * DOC: Query
 *
 * Reports what the GPU has of its pages, from the bitmaps of a view, and where
 * pages are, from the CPU page table. Ranges are read one after the other, so
 * what is reported of two of them need not have been true at the same time.
 */

static int drm_svm_query_check(struct drm_svm_context *ctx,
			       const struct drm_svm_query *args)
{
	if (args->flags & ~DRM_SVM_QUERY_RESIDENCE || args->pad ||
	    args->size >> PAGE_SHIFT > DRM_SVM_QUERY_MAX_PAGES)
		return -EINVAL;
	return drm_svm_context_check_interval(ctx, args->start, args->size);
}

/* Buffers for one range */
struct drm_svm_query_room {
	u32 state[DRM_SVM_RANGE_PAGES];
	unsigned long pfns[DRM_SVM_RANGE_PAGES];
};

static u32 drm_svm_query_location(const struct drm_svm_view *view,
				  unsigned int index)
{
	if (test_bit(index, view->peer))
		return DRM_SVM_LOCATION_PEER;
	return test_bit(index, view->vram) ? DRM_SVM_LOCATION_VRAM :
					     DRM_SVM_LOCATION_SYSTEM;
}

static void drm_svm_query_view(struct drm_svm_view *view, unsigned long start,
			       unsigned long end, u32 *state)
{
	struct drm_svm_context *ctx = view->ctx;
	unsigned int first = drm_svm_page_index(start);
	unsigned int i, n = (end - start) >> PAGE_SHIFT;

	for (i = 0; i < n; i++) {
		if (!test_bit(first + i, view->mapped))
			continue;
		state[i] = DRM_SVM_PAGE_READ |
			   drm_svm_query_location(view, first + i) <<
			   DRM_SVM_PAGE_LOCATION_SHIFT;
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

static u32 drm_svm_query_pfn(struct drm_svm_context *ctx, unsigned long pfn)
{
	u32 location = DRM_SVM_LOCATION_SYSTEM;
	struct drm_svm_vram *vram;

	if (!(pfn & HMM_PFN_VALID))
		return 0;
	scoped_guard(rcu) {
		vram = drm_svm_pfn_vram(pfn);
		if (vram)
			location = vram->sdev == ctx->sdev ? DRM_SVM_LOCATION_VRAM :
							     DRM_SVM_LOCATION_PEER;
	}
	return location << DRM_SVM_PAGE_LOCATION_SHIFT |
	       (hmm_pfn_to_map_order(pfn) + PAGE_SHIFT) <<
	       DRM_SVM_PAGE_FOLIO_SHIFT;
}

/* Add where the pages are, according to the CPU page table. */
static int drm_svm_query_residence(struct drm_svm_context *ctx,
				   unsigned long start, unsigned long end,
				   struct drm_svm_query_room *room)
{
	struct mm_struct *mm = ctx->svm->mm;
	unsigned int i, n = (end - start) >> PAGE_SHIFT;
	int err;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	err = drm_svm_walk_peek(mm, start, end, room->pfns);
	for (i = 0; i < n && !err; i++) {
		room->state[i] &= ~DRM_SVM_PAGE_LOCATION_MASK;
		room->state[i] |= drm_svm_query_pfn(ctx, room->pfns[i]);
	}
	mmap_read_unlock(mm);
	return err;
}

/* Query one range after the other, and copy to user space. */
static int drm_svm_query_all(struct drm_svm_context *ctx,
			     const struct drm_svm_query *args,
			     struct drm_svm_query_room *room)
{
	u32 __user *out = u64_to_user_ptr(args->pages);
	unsigned long start, next, n, end = args->start + args->size;
	int err = 0;

	for (start = args->start; start < end && !err; start = next) {
		next = min((start | ~DRM_SVM_RANGE_MASK) + 1, end);
		n = (next - start) >> PAGE_SHIFT;
		drm_svm_query_range(ctx, start, next, room->state);
		if (args->flags & DRM_SVM_QUERY_RESIDENCE)
			err = drm_svm_query_residence(ctx, start, next, room);
		/* with no lock held: this may fault, into our own notifier */
		if (!err && copy_to_user(out, room->state, n * sizeof(*out)))
			err = -EFAULT;
		out += n;
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	return err;
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
	struct drm_svm_query_room *room;
	int err;

	err = drm_svm_context_check_mm(ctx);
	if (err)
		return err;
	err = drm_svm_query_check(ctx, args);
	if (err)
		return err;
	room = kmalloc_obj(*room);
	if (!room)
		return -ENOMEM;
	err = drm_svm_query_all(ctx, args, room);
	kfree(room);
	return err;
}
EXPORT_SYMBOL_GPL(drm_svm_ioctl_query);
