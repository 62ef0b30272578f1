// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/export.h>
#include <linux/hmm.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wordpart.h>

#include <drm/drm_device.h>
#include <drm/drm_file.h>

#include "drm_svm_quirk.h"

/**
 * DOC: Query
 *
 * Reports what the GPU has of its pages, from the bitmaps of a view; where pages
 * are, from the CPU page table; and what an access would meet, from the
 * mappings. Ranges are read one after the other, so what is reported of two of
 * them need not have been true at the same time.
 */

#define DRM_SVM_QUERY_FLAGS	(DRM_SVM_QUERY_RESIDENCE | DRM_SVM_QUERY_DETAILS)

static int drm_svm_query_check(struct drm_svm_context *ctx,
			       const struct drm_svm_query *args)
{
	if (args->flags & ~DRM_SVM_QUERY_FLAGS || args->pad ||
	    args->size >> PAGE_SHIFT > DRM_SVM_QUERY_MAX_PAGES)
		return -EINVAL;
	return drm_svm_context_check_interval(ctx, args->start, args->size);
}

/* Buffers for one range: the lower and the upper halves of words of 64 bits. */
struct drm_svm_query_room {
	u32 state[DRM_SVM_RANGE_PAGES];
	u32 detail[DRM_SVM_RANGE_PAGES];
	unsigned long pfns[DRM_SVM_RANGE_PAGES];
};

static u64 drm_svm_query_word(const struct drm_svm_query_room *room,
			      unsigned int i)
{
	return (u64)room->detail[i] << 32 | room->state[i];
}

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

/* The number of a GPU, as user space knows it. */
static u64 drm_svm_query_device(const struct drm_device *drm)
{
	const struct drm_minor *minor = drm->render ?: drm->primary ?: drm->accel;

	return minor ? minor->index : 0;
}

/* Where a page is that a walk found: bits of a word of 64 bits. */
static u64 drm_svm_query_pfn(struct drm_svm_context *ctx, unsigned long pfn)
{
	u32 location = DRM_SVM_LOCATION_SYSTEM;
	struct drm_svm_vram *vram;
	u64 device = 0;

	if (!(pfn & HMM_PFN_VALID))
		return 0;
	scoped_guard(rcu) {
		vram = drm_svm_pfn_vram(pfn);
		if (vram) {
			location = vram->sdev == ctx->sdev ? DRM_SVM_LOCATION_VRAM :
							     DRM_SVM_LOCATION_PEER;
			device = drm_svm_query_device(vram->drm);
		}
	}
	return device << DRM_SVM_PAGE_DEVICE_SHIFT |
	       location << DRM_SVM_PAGE_LOCATION_SHIFT |
	       (hmm_pfn_to_map_order(pfn) + PAGE_SHIFT) <<
	       DRM_SVM_PAGE_FOLIO_SHIFT;
}

/*
 * Find the mapping at @addr, or return NULL. @end is lowered to the end of the
 * mapping, or of the gap.
 */
static struct vm_area_struct *drm_svm_query_find_vma(struct mm_struct *mm,
						     unsigned long addr,
						     unsigned long *end)
{
	struct vm_area_struct *vma = find_vma(mm, addr);

	if (!vma)
		return NULL;
	if (vma->vm_start > addr) {
		*end = min(*end, vma->vm_start);
		return NULL;
	}
	*end = min(*end, vma->vm_end);
	return vma;
}

/* The kind of a page in a mapping that the GPU may access. */
static enum drm_svm_page_kind drm_svm_query_page(struct vm_area_struct *vma,
						 unsigned long addr,
						 unsigned long pfn)
{
	enum drm_svm_page_kind kind;

	if (drm_svm_pfn_is_valid(pfn))
		return drm_svm_pfn_is_poisoned(pfn) ? DRM_SVM_PAGE_KIND_BAD :
						      DRM_SVM_PAGE_KIND_PRESENT;
	kind = drm_svm_quirk_kind(vma, addr);
	/* a special page, see drm_svm_mirror_is_refused() */
	if (kind == DRM_SVM_PAGE_KIND_PRESENT && pfn & HMM_PFN_ERROR &&
	    vma->vm_flags & VM_MIXEDMAP)
		return DRM_SVM_PAGE_KIND_UNSUPPORTED;
	return kind;
}

/*
 * What is the same for all pages of a mapping, or of a gap if @vma is NULL: the
 * kind if the GPU may not access it, otherwise whether it may write.
 */
static u64 drm_svm_query_mapping(struct vm_area_struct *vma)
{
	switch (drm_svm_policy_check_vma(vma, DRM_SVM_ACCESS_READ)) {
	case 0:
		return drm_svm_policy_check_vma(vma, DRM_SVM_ACCESS_WRITE) ?
		       0 : DRM_SVM_PAGE_MAY_WRITE;
	case -ENOENT:
		return (u64)DRM_SVM_PAGE_KIND_UNMAPPED << DRM_SVM_PAGE_KIND_SHIFT;
	case -EACCES:
		return (u64)DRM_SVM_PAGE_KIND_NO_ACCESS << DRM_SVM_PAGE_KIND_SHIFT;
	default:
		return (u64)DRM_SVM_PAGE_KIND_UNSUPPORTED << DRM_SVM_PAGE_KIND_SHIFT;
	}
}

/* Add what the pages of [@start, @end) are, with mmap_lock held. */
static void drm_svm_query_details(struct mm_struct *mm, unsigned long start,
				  unsigned long end,
				  struct drm_svm_query_room *room)
{
	unsigned long addr = start, next;
	struct vm_area_struct *vma;
	u64 mapping, word;
	unsigned int i = 0;

	while (addr < end) {
		next = end;
		vma = drm_svm_query_find_vma(mm, addr, &next);
		mapping = drm_svm_query_mapping(vma);
		for (; addr < next; addr += PAGE_SIZE, i++) {
			word = mapping;
			if (!(mapping & DRM_SVM_PAGE_KIND_MASK))
				word |= (u64)drm_svm_query_page(vma, addr, room->pfns[i]) <<
					DRM_SVM_PAGE_KIND_SHIFT;
			room->detail[i] |= upper_32_bits(word);
		}
	}
}

/* Add what the CPU page table and the mappings say. */
static int drm_svm_query_cpu(struct drm_svm_context *ctx, unsigned long start,
			     unsigned long end, u32 flags,
			     struct drm_svm_query_room *room)
{
	struct mm_struct *mm = ctx->svm->mm;
	unsigned int i, n = (end - start) >> PAGE_SHIFT;
	u64 place;
	int err;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	err = drm_svm_walk_peek(mm, start, end, room->pfns);
	for (i = 0; i < n && !err; i++) {
		place = drm_svm_query_pfn(ctx, room->pfns[i]);
		room->state[i] &= ~DRM_SVM_PAGE_LOCATION_MASK;
		room->state[i] |= lower_32_bits(place);
		room->detail[i] = upper_32_bits(place);
	}
	if (!err && flags & DRM_SVM_QUERY_DETAILS)
		drm_svm_query_details(mm, start, end, room);
	mmap_read_unlock(mm);
	return err;
}

/* Read pages of one range into the buffers. */
static int drm_svm_query_read(struct drm_svm_context *ctx, unsigned long start,
			      unsigned long end, u32 flags,
			      struct drm_svm_query_room *room)
{
	drm_svm_query_range(ctx, start, end, room->state);
	return flags ? drm_svm_query_cpu(ctx, start, end, flags, room) : 0;
}

/*
 * Write the words of @n pages from page @index of the interval on, with no lock
 * held, because this may fault, and so call our own notifier.
 */
static int drm_svm_query_put_pages(const struct drm_svm_query *args,
				   const struct drm_svm_query_room *room,
				   unsigned long index, unsigned int n)
{
	u64 __user *words = u64_to_user_ptr(args->pages);
	u32 __user *states = u64_to_user_ptr(args->pages);
	unsigned int i;

	if (!(args->flags & DRM_SVM_QUERY_DETAILS))
		return copy_to_user(states + index, room->state, n * sizeof(*states)) ?
		       -EFAULT : 0;
	for (i = 0; i < n; i++) {
		if (put_user(drm_svm_query_word(room, i), words + index + i))
			return -EFAULT;
	}
	return 0;
}

/* Query one range after the other, and copy to user space. */
static int drm_svm_query_pages(struct drm_svm_context *ctx,
			       const struct drm_svm_query *args,
			       struct drm_svm_query_room *room)
{
	unsigned long start, next, end = args->start + args->size;
	int err = 0;

	for (start = args->start; start < end && !err; start = next) {
		next = min((start | ~DRM_SVM_RANGE_MASK) + 1, end);
		err = drm_svm_query_read(ctx, start, next, args->flags, room);
		if (!err)
			err = drm_svm_query_put_pages(args, room,
						      (start - args->start) >> PAGE_SHIFT,
						      (next - start) >> PAGE_SHIFT);
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
	err = drm_svm_query_pages(ctx, args, room);
	kfree(room);
	return err;
}
EXPORT_SYMBOL_GPL(drm_svm_ioctl_query);
