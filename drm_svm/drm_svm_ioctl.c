// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/export.h>
#include <linux/hmm.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "drm_svm_vram.h"

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
	args->out_va_end = drm_svm_context_va_end(ctx);
	args->out_page_size = PAGE_SIZE;
	args->out_range_size = DRM_SVM_RANGE_SIZE;
	return 0;
}
EXPORT_SYMBOL_GPL(drm_svm_ioctl_attach);

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

/**
 * drm_svm_ioctl_counters() - body of a counters ioctl
 * @ctx: the context
 * @args: the payload
 *
 * Context: process context, no lock held.
 * Return: 0, -EINVAL, -ENXIO, -EPERM, or -EFAULT when the array cannot be
 * written to.
 */
int drm_svm_ioctl_counters(struct drm_svm_context *ctx,
			   struct drm_svm_counters *args)
{
	unsigned int i, n = min_t(unsigned int, args->count, DRM_SVM_COUNTER_NUM);
	u64 __user *values = u64_to_user_ptr(args->values);
	u64 value[DRM_SVM_COUNTER_NUM];
	int err;

	if (args->flags || args->pad || args->count > DRM_SVM_COUNTERS_MAX)
		return -EINVAL;
	err = drm_svm_context_check_mm(ctx);
	if (err)
		return err;

	for (i = 0; i < n; i++)
		value[i] = drm_svm_counter_read(ctx, i);
	if (copy_to_user(values, value, n * sizeof(*values)) ||
	    clear_user(values + n, (args->count - n) * sizeof(*values)))
		return -EFAULT;
	args->out_count = DRM_SVM_COUNTER_NUM;
	return 0;
}
EXPORT_SYMBOL_GPL(drm_svm_ioctl_counters);

/**
 * drm_svm_ioctl_events() - body of an ioctl that opens a file of events
 * @ctx: the context
 * @args: the payload
 *
 * The driver keeps @ctx attached. The file may outlive it, and the driver's
 * module as well.
 *
 * Context: process context, no lock held.
 * Return: 0, -EINVAL, -ENXIO, -EPERM, -EMFILE, -ENFILE or -ENOMEM.
 */
int drm_svm_ioctl_events(struct drm_svm_context *ctx,
			 struct drm_svm_events *args)
{
	int fd, err;

	if (args->flags || !args->entries || args->entries > DRM_SVM_EVENTS_MAX)
		return -EINVAL;
	err = drm_svm_context_check_mm(ctx);
	if (err)
		return err;
	fd = drm_svm_events_open(ctx->stats, args->entries);
	if (fd < 0)
		return fd;
	args->out_fd = fd;
	args->out_size = sizeof(struct drm_svm_event);
	return 0;
}
EXPORT_SYMBOL_GPL(drm_svm_ioctl_events);

/**
 * drm_svm_ioctl_prefetch() - body of a prefetch ioctl
 * @ctx: the context
 * @args: the payload
 *
 * The driver keeps @ctx attached. After drm_dev_unplug() the call returns soon.
 *
 * Context: process context, no lock held that eviction takes.
 * Return: 0, or an error of struct drm_svm_prefetch.
 */
int drm_svm_ioctl_prefetch(struct drm_svm_context *ctx,
			   struct drm_svm_prefetch *args)
{
	int err;

	err = drm_svm_context_check_mm(ctx);
	if (err)
		return err;
	err = drm_svm_prefetch_check(ctx, args);
	if (err)
		return err;
	err = drm_svm_prefetch_work(ctx, args, NULL);
	/* only the call that follows an interruption goes on from there */
	if (err != -ERESTARTSYS)
		args->progress = 0;
	return err;
}
EXPORT_SYMBOL_GPL(drm_svm_ioctl_prefetch);

/**
 * drm_svm_ioctl_vram_info() - body of a VRAM info ioctl
 * @ctx: the context; one that is not attached has nothing
 * @sdev: the GPU
 * @args: the payload
 *
 * Context: process context, no lock held that eviction takes. The driver keeps
 * drm_svm_vram_fini() from running at the same time.
 * Return: 0, -EINVAL, or -EPERM when the context is attached to the memory of
 * another process.
 */
int drm_svm_ioctl_vram_info(struct drm_svm_context *ctx,
			    struct drm_svm_device *sdev,
			    struct drm_svm_vram_info *args)
{
	struct drm_svm_vram *vram = READ_ONCE(sdev->vram);
	int err;

	if (args->flags || args->pad)
		return -EINVAL;
	err = drm_svm_context_check_mm(ctx);
	if (err && err != -ENXIO)
		return err;
	memset(args, 0, sizeof(*args));
	if (!vram)
		return 0;
	/* an allocation would get what was given up a moment ago */
	flush_work(&vram->free_work);
	args->out_size = (u64)vram->npages << PAGE_SHIFT;
	args->out_free = (u64)drm_svm_vram_free_pages(vram) << PAGE_SHIFT;
	if (!err)
		args->out_own = drm_svm_counter_read(ctx, DRM_SVM_COUNTER_CUR_VRAM_RESERVED) <<
				PAGE_SHIFT;
	return 0;
}
EXPORT_SYMBOL_GPL(drm_svm_ioctl_vram_info);
