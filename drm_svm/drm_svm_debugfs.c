// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/export.h>
#include <linux/sched.h>

#include <drm/drm_print.h>

#include "drm_svm_core.h"

/* Print one line for each run of pages with the same access. */
static void drm_svm_print_pages(const struct drm_svm_range *range,
				const unsigned long *mapped,
				const unsigned long *writable,
				struct drm_printer *p)
{
	unsigned int b, e, end = DRM_SVM_RANGE_PAGES;
	bool write;

	for (b = 0; (b = find_next_bit(mapped, end, b)) < end; b = e) {
		write = test_bit(b, writable);
		e = find_next_zero_bit(mapped, end, b);
		if (write)
			e = find_next_zero_bit(writable, e, b);
		else
			e = find_next_bit(writable, e, b);
		drm_printf(p, "    %lx-%lx r%c\n", drm_svm_page_addr(range, b),
			   drm_svm_page_addr(range, e), write ? 'w' : '-');
	}
}

/* Copies the bitmaps, so that reclaim does not wait for a slow printer. */
static void drm_svm_print_range(struct drm_svm_context *ctx,
				struct drm_svm_range *range,
				struct drm_printer *p)
{
	DECLARE_BITMAP(mapped, DRM_SVM_RANGE_PAGES) = { 0 };
	DECLARE_BITMAP(writable, DRM_SVM_RANGE_PAGES) = { 0 };
	struct drm_svm_view *view;

	scoped_guard(mutex, &range->pt_lock) {
		view = drm_svm_range_find_view(range, ctx);
		if (view) {
			bitmap_copy(mapped, view->mapped, DRM_SVM_RANGE_PAGES);
			bitmap_copy(writable, view->writable,
				    DRM_SVM_RANGE_PAGES);
		}
	}
	drm_printf(p, "  range %lx: %u of %u pages\n", range->start,
		   bitmap_weight(mapped, DRM_SVM_RANGE_PAGES),
		   DRM_SVM_RANGE_PAGES);
	drm_svm_print_pages(range, mapped, writable, p);
}

/* Print how many faults have no answer yet, and where they are. */
static void drm_svm_print_queue(struct drm_svm *svm, struct drm_printer *p)
{
	struct drm_svm_fault_queue *q = &svm->queue;

	/* read without locks: for a look, not for a decision */
	drm_printf(p, "queued faults: %u, busy workers: %lu of %u\n",
		   READ_ONCE(q->count), q->nmade - hweight_long(READ_ONCE(q->idle)),
		   q->nworkers);
	drm_printf(p, "faults that wait for their page: %u, in %u threads\n",
		   READ_ONCE(svm->waiters.nbusy),
		   READ_ONCE(svm->waiters.nmade));
}

/**
 * drm_svm_print() - describe what a context has of its address space
 * @ctx: the context; one that is not attached prints as such
 * @p: where to
 *
 * For debugfs: the fault queue, counters, and every range with its mapped
 * pages. Shows addresses of the process, so it is for root.
 *
 * Context: process context; the driver keeps @ctx from being detached.
 */
void drm_svm_print(struct drm_svm_context *ctx, struct drm_printer *p)
{
	struct drm_svm_range *range;
	struct drm_svm *svm;
	unsigned long key = 0;
	unsigned int i;

	/* pairs with the release in drm_svm_context_attach() */
	svm = smp_load_acquire(&ctx->svm);
	if (!svm) {
		drm_puts(p, "not attached\n");
		return;
	}
	drm_svm_print_queue(svm, p);
	for (i = 0; i < DRM_SVM_COUNTER_NUM; i++) {
		if (drm_svm_counter_name(i))
			drm_printf(p, "%s: %llu\n", drm_svm_counter_name(i),
				   drm_svm_counter_read(ctx, i));
	}

	while ((range = drm_svm_range_next(svm, &key))) {
		drm_svm_print_range(ctx, range, p);
		drm_svm_range_put(range);
		cond_resched();
	}
}
EXPORT_SYMBOL_GPL(drm_svm_print);
