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
 *
 * Runs can cover far more addresses than can be read page by page. So those for
 * which the CPU page table has no entries are passed over, in steps as large as
 * its tables: a GPU has mapped nothing there, because it loses a page before the
 * CPU does. A call looks at a bounded number of pages, and says where it ended.
 */

/* Flags with which the CPU page table is read */
#define DRM_SVM_QUERY_CPU	(DRM_SVM_QUERY_RESIDENCE | DRM_SVM_QUERY_DETAILS)
#define DRM_SVM_QUERY_FLAGS	(DRM_SVM_QUERY_CPU | DRM_SVM_QUERY_RUNS)

/* To pass over a hole counts as much as to look at so many pages. */
#define DRM_SVM_QUERY_HOLE_WORK	64U

static int drm_svm_query_check(struct drm_svm_context *ctx,
			       const struct drm_svm_query *args)
{
	bool runs = args->flags & DRM_SVM_QUERY_RUNS;

	if (args->flags & ~DRM_SVM_QUERY_FLAGS || args->pad ||
	    runs != !!args->count)
		return -EINVAL;
	if (!runs && args->size >> PAGE_SHIFT > DRM_SVM_QUERY_MAX_PAGES)
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
			      unsigned int i, u32 flags)
{
	if (!(flags & DRM_SVM_QUERY_DETAILS))
		return room->state[i];
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
	return flags & DRM_SVM_QUERY_CPU ?
	       drm_svm_query_cpu(ctx, start, end, flags, room) : 0;
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
		if (put_user(drm_svm_query_word(room, i, args->flags), words + index + i))
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

/*
 * A call that reports runs. @run: the one that may still grow, unless its size
 * is zero. @nruns: those that were begun. @at: where the next page is. @work:
 * pages that may still be looked at. @full: the array has no room for @at.
 */
struct drm_svm_query_call {
	struct drm_svm_context *ctx;
	struct drm_svm_query_room *room;
	const struct drm_svm_query *args;
	struct drm_svm_query_run run;
	unsigned int nruns;
	unsigned long at;
	unsigned long end;
	unsigned int work;
	bool full;
};

/* Write the run to its place in the array, with no lock held. */
static int drm_svm_query_put_run(struct drm_svm_query_call *q)
{
	struct drm_svm_query_run __user *runs = u64_to_user_ptr(q->args->pages);

	if (!q->run.size)
		return 0;
	return copy_to_user(runs + q->nruns - 1, &q->run, sizeof(q->run)) ?
	       -EFAULT : 0;
}

/* All pages from @at to @end have the word @word. */
static int drm_svm_query_add(struct drm_svm_query_call *q, unsigned long end,
			     u64 word)
{
	int err;

	if (!q->run.size || q->run.state != word) {
		err = drm_svm_query_put_run(q);
		if (err)
			return err;
		q->full = q->nruns == q->args->count;
		if (q->full)
			return 0;
		q->nruns++;
		q->run.start = q->at;
		q->run.size = 0;
		q->run.state = word;
	}
	q->run.size += end - q->at;
	q->at = end;
	return 0;
}

/* Return whether hmm_range_fault() looks at the pages of a mapping. */
static bool drm_svm_query_is_walked(struct vm_area_struct *vma)
{
	return vma->vm_flags & VM_READ && !(vma->vm_flags & (VM_IO | VM_PFNMAP));
}

/*
 * Return in @end how far from @at on there is no page for sure, which can be @at
 * itself, and in @word what these addresses have.
 */
static int drm_svm_query_hole(struct drm_svm_query_call *q, unsigned long *end,
			      u64 *word)
{
	struct mm_struct *mm = q->ctx->svm->mm;
	struct vm_area_struct *vma;

	*word = 0;
	if (!(q->args->flags & DRM_SVM_QUERY_CPU)) {
		*end = drm_svm_range_skip_hole(q->ctx->svm, q->at, q->end);
		return 0;
	}
	*end = q->end;
	if (mmap_read_lock_killable(mm))
		return -EINTR;
	vma = drm_svm_query_find_vma(mm, q->at, end);
	if (vma && drm_svm_query_is_walked(vma))
		*end = drm_svm_quirk_skip_hole(vma, q->at, *end);
	if (q->args->flags & DRM_SVM_QUERY_DETAILS)
		*word = drm_svm_query_mapping(vma);
	mmap_read_unlock(mm);
	if (q->args->flags & DRM_SVM_QUERY_DETAILS && !(*word & DRM_SVM_PAGE_KIND_MASK))
		*word |= (u64)DRM_SVM_PAGE_KIND_EMPTY << DRM_SVM_PAGE_KIND_SHIFT;
	return 0;
}

/* Pass over a hole, or read the pages of one range. */
static int drm_svm_query_step(struct drm_svm_query_call *q)
{
	u32 flags = q->args->flags;
	unsigned int i, n;
	unsigned long end;
	u64 word;
	int err;

	err = drm_svm_query_hole(q, &end, &word);
	if (err)
		return err;
	if (end > q->at) {
		q->work -= min(q->work, DRM_SVM_QUERY_HOLE_WORK);
		return drm_svm_query_add(q, end, word);
	}
	end = min((q->at | ~DRM_SVM_RANGE_MASK) + 1, q->end);
	n = (end - q->at) >> PAGE_SHIFT;
	q->work -= min(q->work, n);
	err = drm_svm_query_read(q->ctx, q->at, end, flags, q->room);
	for (i = 0; i < n && !err && !q->full; i++)
		err = drm_svm_query_add(q, q->at + PAGE_SIZE,
					drm_svm_query_word(q->room, i, flags));
	return err;
}

static int drm_svm_query_runs(struct drm_svm_context *ctx,
			      struct drm_svm_query *args,
			      struct drm_svm_query_room *room)
{
	struct drm_svm_query_call q = {
		.ctx = ctx,
		.room = room,
		.args = args,
		.at = args->start,
		.end = args->start + args->size,
		.work = DRM_SVM_QUERY_MAX_PAGES,
	};
	int err = 0;

	while (q.at < q.end && q.work && !q.full && !err) {
		err = drm_svm_query_step(&q);
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	if (!err)
		err = drm_svm_query_put_run(&q);
	if (err)
		return err;
	args->out_count = q.nruns;
	args->out_next = q.at;
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
	if (args->flags & DRM_SVM_QUERY_RUNS)
		err = drm_svm_query_runs(ctx, args, room);
	else
		err = drm_svm_query_pages(ctx, args, room);
	kfree(room);
	return err;
}
EXPORT_SYMBOL_GPL(drm_svm_ioctl_query);
