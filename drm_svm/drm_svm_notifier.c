// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/migrate.h>
#include <linux/mm.h>

#include "drm_svm_core.h"
#include "drm_svm_quirk.h"
#include "drm_svm_trace.h"

/**
 * DOC: Invalidation
 *
 * Before the CPU changes part of its mapping, the GPU's entries of just those
 * pages are removed.
 *
 * There are two passes. The first clears page-table entries of every range
 * concerned and takes a ticket for the flush that each context now owes. The
 * second posts one flush for all that a context owes, and waits for it. An
 * munmap() of 1 GiB clears 512 ranges and flushes once.
 *
 * Two invalidations of the same page may run concurrently. The second one finds
 * nothing mapped, yet it must not return before the flush of the first one is
 * over, because the page would be freed while a TLB still has it. So a view
 * remembers its last ticket, and every invalidation waits for a ticket that is
 * not done.
 *
 * Invalidations run inside reclaim. Nothing here allocates, and nothing that is
 * waited for may allocate. An invalidation that must not sleep (the OOM
 * reaper's) is refused where a GPU has a page mapped or a flush is owed; the
 * reaper then skips the VMA.
 */

/* Take a ticket for the flush of [@start, @end). */
static u64 drm_svm_flush_owe(struct drm_svm_context *ctx, unsigned long start,
			     unsigned long end)
{
	guard(spinlock)(&ctx->flush.lock);
	ctx->flush.start = min_t(u64, ctx->flush.start, start);
	ctx->flush.end = max_t(u64, ctx->flush.end, end);
	return ++ctx->flush.ticket;
}

/*
 * Checked without the lock: in most cases another range of the same
 * invalidation has flushed already.
 */
static bool drm_svm_flush_is_done(struct drm_svm_context *ctx, u64 ticket)
{
	/* TLBs are clean: pairs with the exchange in drm_svm_flush_wait() */
	return ticket <= smp_load_acquire(&ctx->flush.done);
}

/*
 * Post one flush for all that is owed, unless one that covers @ticket was
 * posted.
 */
static void drm_svm_flush_post(struct drm_svm_context *ctx, u64 ticket)
{
	if (drm_svm_flush_is_done(ctx, ticket))
		return;
	guard(spinlock)(&ctx->flush.lock);
	if (ticket <= ctx->flush.posted)
		return;
	ctx->ops->tlb_flush_start(ctx, ctx->flush.start, ctx->flush.end);
	drm_svm_context_count(ctx, DRM_SVM_STAT_FLUSHES, 1);
	trace_drm_svm_flush(ctx, ctx->flush.start, ctx->flush.end);
	ctx->flush.start = U64_MAX;
	ctx->flush.end = 0;
	/* after its start: pairs with the load in drm_svm_flush_wait() */
	smp_store_release(&ctx->flush.posted, ctx->flush.ticket);
}

/* Wait for the flush that covers @ticket; it was posted. */
static void drm_svm_flush_wait(struct drm_svm_context *ctx, u64 ticket)
{
	u64 posted, done;

	if (drm_svm_flush_is_done(ctx, ticket))
		return;
	/* before the wait: pairs with the release in drm_svm_flush_post() */
	posted = smp_load_acquire(&ctx->flush.posted);
	ctx->ops->tlb_flush_wait(ctx);
	/* after the wait: pairs with the load in drm_svm_flush_is_done() */
	done = READ_ONCE(ctx->flush.done);
	while (done < posted && !try_cmpxchg_release(&ctx->flush.done, &done, posted))
		;
}

/**
 * drm_svm_range_flush_locked() - finish the flushes that a range owes
 * @range: the range
 *
 * Posts the flushes of all contexts before it waits for the first one.
 *
 * Context: pt_lock held; sleeps in the driver's tlb_flush_wait().
 */
void drm_svm_range_flush_locked(struct drm_svm_range *range)
{
	struct drm_svm_view *view;

	lockdep_assert_held(&range->pt_lock);

	list_for_each_entry(view, &range->views, link)
		drm_svm_flush_post(view->ctx, view->ticket);
	list_for_each_entry(view, &range->views, link)
		drm_svm_flush_wait(view->ctx, view->ticket);
}

/*
 * Unmap DMA addresses, after a flush, because no TLB may have them any more.
 * Only devices that track DMA pay for this flush.
 */
static void drm_svm_view_release_dma(struct drm_svm_view *view,
				     unsigned int first, unsigned int end)
{
	DECLARE_BITMAP(ram, DRM_SVM_RANGE_PAGES);
	unsigned int b = first, e;

	drm_svm_flush_post(view->ctx, view->ticket);
	drm_svm_flush_wait(view->ctx, view->ticket);
	bitmap_andnot(ram, view->mapped, view->vram, DRM_SVM_RANGE_PAGES);
	for_each_set_bitrange_from(b, e, ram, end)
		drm_svm_run_unmap_dma(view, b, e);
}

/* Number of mapped pages in [@first, @end). */
static unsigned int drm_svm_view_count(const struct drm_svm_view *view, unsigned int first,
				       unsigned int end)
{
	if (!view->nmapped || end - first == DRM_SVM_RANGE_PAGES)
		return view->nmapped;
	return bitmap_weight_from(view->mapped, first, end);
}

/* Clear the bitmaps of [@first, @end), in which @n pages are mapped. */
static void drm_svm_view_forget(struct drm_svm_view *view, unsigned int first,
				unsigned int end, unsigned int n)
{
	/* the common case, at a fraction of the cost */
	if (n == view->nmapped) {
		memset_startat(view, 0, mapped);
	} else {
		bitmap_clear(view->mapped, first, end - first);
		bitmap_clear(view->writable, first, end - first);
		bitmap_clear(view->vram, first, end - first);
		bitmap_clear(view->peer, first, end - first);
	}
	view->nmapped -= n;
}

/**
 * drm_svm_range_unmap_locked() - unmap pages from one context
 * @range: the range
 * @view: the context's view of it
 * @start: first address, page aligned, within the range
 * @end: address past the last one, page aligned, within the range
 *
 * Clears page-table entries and takes a ticket; the caller sees to
 * drm_svm_range_flush_locked(), at once or later.
 *
 * Context: pt_lock held. Does not allocate.
 */
void drm_svm_range_unmap_locked(struct drm_svm_range *range,
				struct drm_svm_view *view, unsigned long start,
				unsigned long end)
{
	unsigned int first = drm_svm_page_index(start);
	unsigned int npages = (end - start) >> PAGE_SHIFT;
	unsigned int n = drm_svm_view_count(view, first, first + npages);
	struct drm_svm_context *ctx = view->ctx;

	lockdep_assert_held(&range->pt_lock);

	if (!n)
		return;
	ctx->ops->unmap(ctx, start, end);
	/* the driver may have freed the page tables that it had promised */
	if (npages == DRM_SVM_RANGE_PAGES)
		WRITE_ONCE(view->prepared, false);
	view->ticket = drm_svm_flush_owe(ctx, start, end);
	if (view->dma_addr)
		drm_svm_view_release_dma(view, first, first + npages);
	drm_svm_view_forget(view, first, first + npages, n);
	drm_svm_context_count(ctx, DRM_SVM_STAT_INVALIDATIONS, 1);
	drm_svm_context_count(ctx, DRM_SVM_STAT_PAGES_UNMAPPED, n);
	trace_drm_svm_unmap(ctx, start, end, n);
}

/* Return whether a context owes a flush, so that the invalidation must wait. */
static bool drm_svm_range_owes(struct drm_svm_range *range)
{
	struct drm_svm_view *view;

	lockdep_assert_held(&range->pt_lock);
	list_for_each_entry(view, &range->views, link) {
		if (!drm_svm_flush_is_done(view->ctx, view->ticket))
			return true;
	}
	return false;
}

static bool drm_svm_range_is_mapped(struct drm_svm_range *range,
				    unsigned long start, unsigned long end)
{
	unsigned int first = drm_svm_page_index(start);
	unsigned int npages = (end - start) >> PAGE_SHIFT;
	struct drm_svm_view *view;

	lockdep_assert_held(&range->pt_lock);
	list_for_each_entry(view, &range->views, link) {
		if (drm_svm_view_count(view, first, first + npages))
			return true;
	}
	return false;
}

/* Unmap only the pages in VRAM, or only those in system memory. */
static void drm_svm_range_unmap_where_locked(struct drm_svm_range *range,
					     unsigned long start,
					     unsigned long end, u32 location)
{
	unsigned int first = drm_svm_page_index(start);
	unsigned int npages = (end - start) >> PAGE_SHIFT;
	DECLARE_BITMAP(pages, DRM_SVM_RANGE_PAGES);
	struct drm_svm_view *view;
	unsigned int b, e;

	lockdep_assert_held(&range->pt_lock);
	list_for_each_entry(view, &range->views, link) {
		if (location == DRM_SVM_LOCATION_VRAM)
			bitmap_and(pages, view->mapped, view->vram,
				   DRM_SVM_RANGE_PAGES);
		else
			bitmap_andnot(pages, view->mapped, view->vram,
				      DRM_SVM_RANGE_PAGES);
		b = first;
		for_each_set_bitrange_from(b, e, pages, first + npages)
			drm_svm_range_unmap_locked(range, view,
						   drm_svm_page_addr(range, b),
						   drm_svm_page_addr(range, e));
	}
}

/**
 * drm_svm_range_unmap_vram() - unmap pages in VRAM from all contexts
 * @range: the range
 * @start: first address, page aligned, within the range
 * @end: address past the last one, page aligned, within the range
 *
 * On return the GPUs cannot reach these pages until they fault again.
 *
 * Context: process context. Takes pt_lock, waits for a flush.
 */
void drm_svm_range_unmap_vram(struct drm_svm_range *range, unsigned long start,
			      unsigned long end)
{
	guard(mutex)(&range->pt_lock);
	drm_svm_range_unmap_where_locked(range, start, end, DRM_SVM_LOCATION_VRAM);
	drm_svm_range_flush_locked(range);
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_range_unmap_vram);

/* Take pt_lock and break a hold. If !@blockable, fail instead of sleeping. */
static bool drm_svm_notifier_lock(struct drm_svm_range *range, bool blockable)
{
	if (blockable)
		mutex_lock(&range->pt_lock);
	else if (!mutex_trylock(&range->pt_lock))
		return false;
	drm_svm_quirk_break_hold_locked(range);
	return true;
}

/*
 * Return whether this is the only range concerned: no other one shares the
 * flush.
 */
static bool drm_svm_range_has_all(const struct drm_svm_range *range,
				  const struct mmu_notifier_range *mmu_range)
{
	return mmu_range->start >= range->start &&
	       mmu_range->end - range->start <= DRM_SVM_RANGE_SIZE;
}

static bool drm_svm_notifier_start(struct mmu_interval_notifier *notifier,
				   const struct mmu_notifier_range *mmu_range,
				   unsigned long seq,
				   struct mmu_interval_notifier_finish **finish)
{
	struct drm_svm_range *range =
		container_of(notifier, struct drm_svm_range, notifier);
	unsigned long start = max(mmu_range->start & PAGE_MASK, range->start);
	unsigned long end = min(mmu_range->end - 1, range->start +
				DRM_SVM_RANGE_SIZE - 1);
	bool blockable = mmu_notifier_range_blockable(mmu_range);
	struct drm_svm_view *view;

	/* by the last byte, because the end of the last range may overflow */
	end = (end | ~PAGE_MASK) + 1;

	if (!drm_svm_notifier_lock(range, blockable))
		return false;
	if (!blockable && (drm_svm_range_owes(range) ||
			   drm_svm_range_is_mapped(range, start, end))) {
		mutex_unlock(&range->pt_lock);
		return false;
	}

	mmu_interval_set_seq(notifier, seq);
	if (mmu_range->event == MMU_NOTIFY_MIGRATE &&
	    mmu_range->owner == range->svm) {
		/* to VRAM: pages that are there already stay mapped */
		drm_svm_range_unmap_where_locked(range, start, end,
						 DRM_SVM_LOCATION_SYSTEM);
	} else {
		list_for_each_entry(view, &range->views, link)
			drm_svm_range_unmap_locked(range, view, start, end);
	}
	if (drm_svm_range_owes(range)) {
		if (range->finishing || drm_svm_range_has_all(range, mmu_range)) {
			drm_svm_range_flush_locked(range);
		} else {
			range->finishing = true;
			*finish = &range->finish;
		}
	}
	mutex_unlock(&range->pt_lock);

	if (mmu_range->event == MMU_NOTIFY_UNMAP)
		drm_svm_gc_queue(range);
	return true;
}

/* Removing the range waits for the end of the invalidation, so it stays. */
static void drm_svm_notifier_finish(struct mmu_interval_notifier_finish *finish)
{
	struct drm_svm_range *range =
		container_of(finish, struct drm_svm_range, finish);

	guard(mutex)(&range->pt_lock);
	drm_svm_range_flush_locked(range);
	range->finishing = false;
}

const struct mmu_interval_notifier_ops drm_svm_notifier_ops = {
	.invalidate_start = drm_svm_notifier_start,
	.invalidate_finish = drm_svm_notifier_finish,
};
