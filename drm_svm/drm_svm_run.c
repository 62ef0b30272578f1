// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/dma-mapping.h>
#include <linux/hmm.h>
#include <linux/memremap.h>
#include <linux/mm.h>

#include "drm_svm_internal.h"
#include "drm_svm_trace.h"

/**
 * DOC: Runs
 *
 * From the result of a page-table walk to calls of &drm_svm_context_ops.map.
 *
 * The walk's array is cut into chunks: pages of one folio, physically
 * contiguous, with the same permissions. Chunks that continue each other make a
 * span, of which all is mapped already, or nothing. A span is DMA-mapped in one
 * call and becomes a run, or the end of one. A 2 MiB folio is all of that at once.
 *
 * Where the DMA layer needs every address back (&drm_svm_device.track_dma) a
 * chunk is mapped a page at a time and the addresses are kept in the view, so
 * that an invalidation of one page can undo just that page. Elsewhere nothing
 * is kept.
 *
 * Everything here runs under &drm_svm_range.pt_lock with a good sequence: the
 * CPU's page table still holds the pages, so they are safe to look at without
 * a reference.
 */

/* A page that would have to be bounced is an error: the CPU keeps writing it. */
#define DRM_SVM_DMA_ATTRS	(DMA_ATTR_SKIP_CPU_SYNC | DMA_ATTR_REQUIRE_COHERENT)

/* Pages that are alike and contiguous, in virtual addresses as well. */
struct drm_svm_run_span {
	u64 addr;
	unsigned int index;
	unsigned int npages;
	u16 prot;
	u16 location;
	bool mapped;
};

/*
 * Runs that wait to be written: contiguous in virtual addresses. @span comes next.
 * @fresh: the view has no page of the window yet.
 */
struct drm_svm_run_batch {
	struct drm_svm_range *range;
	struct drm_svm_view *view;
	struct drm_svm_run *runs;
	unsigned int n;
	unsigned int first;
	unsigned int next;
	struct drm_svm_bo *bo;
	struct drm_svm_run_span span;
	bool fresh;
};

static void drm_svm_run_emit(struct drm_svm_run_batch *b)
{
	struct drm_svm_context *ctx = b->view->ctx;
	unsigned long start = drm_svm_page_addr(b->range, b->first);

	if (!b->n)
		return;
	ctx->ops->map(ctx, start, b->runs, b->n);
	trace_drm_svm_map(ctx, start, b->next - b->first, b->n);
	b->n = 0;
}

static bool drm_svm_run_continues(const struct drm_svm_run *run,
				  dma_addr_t addr, u16 prot, u16 location)
{
	return run->addr + ((dma_addr_t)run->npages << PAGE_SHIFT) == addr &&
	       run->prot == prot && run->location == location;
}

static void drm_svm_run_push(struct drm_svm_run_batch *b, unsigned int index,
			     unsigned int npages, dma_addr_t addr)
{
	u16 prot = b->span.prot, location = b->span.location;

	if (b->n && b->next != index)
		drm_svm_run_emit(b);
	if (!b->n)
		b->first = index;

	if (b->n && drm_svm_run_continues(&b->runs[b->n - 1], addr, prot,
					  location)) {
		b->runs[b->n - 1].npages += npages;
	} else {
		b->runs[b->n++] = (struct drm_svm_run) {
			.addr = addr,
			.npages = npages,
			.location = location,
			.prot = prot,
		};
	}
	b->next = index + npages;
}

/* The pages are in a run: the view has them. */
static void drm_svm_run_note(struct drm_svm_view *view, unsigned int index,
			     unsigned int npages,
			     const struct drm_svm_run_span *span)
{
	if (!span->mapped)
		drm_svm_stat_add(view->ctx, DRM_SVM_STAT_PAGES_MAPPED, npages);
	bitmap_set(view->mapped, index, npages);
	if (span->prot & DRM_SVM_PAGE_WRITE)
		bitmap_set(view->writable, index, npages);
	if (span->location != DRM_SVM_LOCATION_SYSTEM)
		bitmap_set(view->vram, index, npages);
	if (span->location == DRM_SVM_LOCATION_PEER)
		bitmap_set(view->peer, index, npages);
}

static int drm_svm_run_map_whole(struct drm_svm_run_batch *b)
{
	struct device *dev = b->view->ctx->sdev->dma_dev;
	const struct drm_svm_run_span *span = &b->span;
	dma_addr_t addr;

	addr = dma_map_phys(dev, span->addr, (size_t)span->npages << PAGE_SHIFT,
			    DMA_BIDIRECTIONAL, DRM_SVM_DMA_ATTRS);
	if (dma_mapping_error(dev, addr))
		return -ENOMEM;
	drm_svm_run_push(b, span->index, span->npages, addr);
	drm_svm_run_note(b->view, span->index, span->npages, span);
	return 0;
}

static int drm_svm_run_map_paged(struct drm_svm_run_batch *b)
{
	struct drm_svm_context *ctx = b->view->ctx;
	const struct drm_svm_run_span *span = &b->span;
	dma_addr_t *dma_addr = b->view->dma_addr + span->index;
	phys_addr_t phys = span->addr;
	unsigned int i;

	for (i = 0; i < span->npages; i++, phys += PAGE_SIZE) {
		if (!span->mapped) {
			dma_addr[i] = dma_map_phys(ctx->sdev->dma_dev, phys,
						   PAGE_SIZE, DMA_BIDIRECTIONAL,
						   DRM_SVM_DMA_ATTRS);
			if (dma_mapping_error(ctx->sdev->dma_dev, dma_addr[i]))
				return -ENOMEM;
			drm_svm_stat_add(ctx, DRM_SVM_STAT_DMA_MAPPED, 1);
		}
		drm_svm_run_push(b, span->index + i, 1, dma_addr[i]);
		drm_svm_run_note(b->view, span->index + i, 1, span);
	}
	return 0;
}

/* No more pages come to the span: make it part of the runs. */
static int drm_svm_run_close_span(struct drm_svm_run_batch *b)
{
	const struct drm_svm_run_span *span = &b->span;
	int err = 0;

	if (!span->npages)
		return 0;
	if (span->location != DRM_SVM_LOCATION_SYSTEM) {
		drm_svm_run_push(b, span->index, span->npages, span->addr);
		drm_svm_run_note(b->view, span->index, span->npages, span);
	} else if (b->view->dma_addr) {
		err = drm_svm_run_map_paged(b);
	} else {
		err = drm_svm_run_map_whole(b);
	}
	b->span.npages = 0;
	return err;
}

static bool drm_svm_run_span_continues(const struct drm_svm_run_span *span,
				       const struct drm_svm_run_span *next)
{
	return span->index + span->npages == next->index &&
	       span->addr + ((u64)span->npages << PAGE_SHIFT) == next->addr &&
	       span->prot == next->prot && span->location == next->location &&
	       span->mapped == next->mapped;
}

static int drm_svm_run_add_span(struct drm_svm_run_batch *b,
				const struct drm_svm_run_span *next)
{
	int err;

	if (b->span.npages && drm_svm_run_span_continues(&b->span, next)) {
		b->span.npages += next->npages;
		return 0;
	}
	err = drm_svm_run_close_span(b);
	b->span = *next;
	return err;
}

/* Pages from @i on that are all mapped, or all not mapped. */
static unsigned int drm_svm_run_same_state(const struct drm_svm_view *view,
					   unsigned int i, unsigned int last)
{
	if (test_bit(i, view->mapped))
		return find_next_zero_bit(view->mapped, last, i) - i;
	return find_next_bit(view->mapped, last, i) - i;
}

/* Whether pages that are mapped need not be mapped again. */
static bool drm_svm_run_is_enough(const struct drm_svm_view *view,
				  unsigned int i, unsigned int n, bool write)
{
	return !write || find_next_zero_bit(view->writable, i + n, i) == i + n;
}

/* Where the GPU finds device pages: in its own memory, or in that of a peer. */
static u64 drm_svm_run_vram_addr(struct drm_svm_device *sdev, struct page *page,
				 u16 *location)
{
	struct drm_svm_vram *vram = drm_svm_page_vram(page);
	u64 offset = drm_svm_page_offset(page);

	if (vram->sdev == sdev) {
		*location = DRM_SVM_LOCATION_VRAM;
		return offset;
	}
	*location = DRM_SVM_LOCATION_PEER;
	return vram->ops->peer_addr(vram, sdev, offset);
}

/* Map one chunk, less what is mapped well enough. */
static int drm_svm_run_add_chunk(struct drm_svm_run_batch *b, unsigned int i,
				 unsigned int last, struct page *page,
				 bool write)
{
	struct drm_svm_run_span span = {
		.addr = page_to_phys(page),
		.prot = DRM_SVM_PAGE_READ | (write ? DRM_SVM_PAGE_WRITE : 0),
		.location = DRM_SVM_LOCATION_SYSTEM,
	};
	int err = 0;

	if (is_device_private_page(page))
		span.addr = drm_svm_run_vram_addr(b->view->ctx->sdev, page,
						  &span.location);

	for (; i < last && !err; i += span.npages) {
		span.index = i;
		span.npages = b->fresh ? last - i :
			      drm_svm_run_same_state(b->view, i, last);
		span.mapped = !b->fresh && test_bit(i, b->view->mapped);
		if (!span.mapped ||
		    !drm_svm_run_is_enough(b->view, i, span.npages, write))
			err = drm_svm_run_add_span(b, &span);
		span.addr += (u64)span.npages << PAGE_SHIFT;
	}
	return err;
}

/* The BO of a device page was used; once for pages that follow each other. */
static void drm_svm_run_bump(struct drm_svm_run_batch *b, struct folio *folio)
{
	struct drm_svm_bo *bo = drm_svm_folio_bo(folio);

	if (!bo || b->bo == bo)
		return;
	drm_svm_bo_bump(bo);
	b->bo = bo;
}

/*
 * Pages from @i on that belong to one folio and have the same permissions. A
 * large mapping of the CPU says so at once, else page by page.
 */
static unsigned int drm_svm_run_chunk(const unsigned long *pfns, unsigned int i,
				      unsigned int last, struct folio *folio)
{
	struct page *page = hmm_pfn_to_page(pfns[i]);
	unsigned long in_folio = folio_nr_pages(folio) - folio_page_idx(folio, page);
	unsigned int order = hmm_pfn_to_map_order(pfns[i]);
	unsigned int n = 1;

	last = min_t(unsigned long, last, i + in_folio);
	if (order >= PMD_SHIFT - PAGE_SHIFT)
		return last - i;
	while (i + n < last && pfns[i + n] == pfns[i] + n)
		n++;
	return n;
}

/*
 * The CPU's entry cannot go before pt_lock is dropped, so neither truncation nor
 * reclaim can miss the flag. A file system whose dirtying allocates has dirtied the
 * folio before it let the CPU's entry be writable. A page in VRAM takes it home:
 * without it, one that MADV_FREE gave up is dropped. Anonymous memory has nobody to
 * tell, in the swap cache or not, and is by far the most.
 */
static void drm_svm_run_dirty(struct folio *folio)
{
	if (folio_test_anon(folio))
		folio_set_dirty(folio);
	else
		folio_mark_dirty(folio);
}

/**
 * drm_svm_run_map_locked() - map what a walk found for one context
 * @range: the range
 * @view: the context's view of it
 * @scratch: the walk's result, and room for runs
 * @first: first page
 * @last: page past the last one
 * @writes: pages to which the GPU asked to write
 *
 * Pages that are mapped well enough already are left alone, pages that the
 * walk did not find are skipped. Each page mapped writable is dirty on return.
 *
 * Context: pt_lock of @range held, sequence checked. Does not wait for memory.
 * Return: 0, or -ENOMEM where a page could not be DMA-mapped; the pages before
 * it are mapped.
 */
int drm_svm_run_map_locked(struct drm_svm_range *range,
			   struct drm_svm_view *view,
			   struct drm_svm_scratch *scratch, unsigned int first,
			   unsigned int last, const unsigned long *writes)
{
	struct drm_svm_run_batch b = {
		.range = range, .view = view, .runs = scratch->runs,
		.fresh = find_next_bit(view->mapped, last, first) >= last,
	};
	const unsigned long *pfns = scratch->pfns;
	unsigned int i, n;
	int err = 0;

	lockdep_assert_held(&range->pt_lock);

	for (i = first; i < last && !err; i += n) {
		bool write, requested;
		struct folio *folio;
		struct page *page;

		n = 1;
		if (!drm_svm_mirror_pfn_usable(pfns[i], view->ctx->sdev))
			continue;
		page = hmm_pfn_to_page(pfns[i]);
		folio = page_folio(page);
		n = drm_svm_run_chunk(pfns, i, last, folio);
		requested = find_next_bit(writes, i + n, i) < i + n;
		write = (pfns[i] & HMM_PFN_WRITE) &&
			drm_svm_policy_map_writable(folio, requested);
		if (write && !folio_test_dirty(folio))
			drm_svm_run_dirty(folio);
		if (folio_is_device_private(folio))
			drm_svm_run_bump(&b, folio);
		err = drm_svm_run_add_chunk(&b, i, i + n, page, write);
	}
	err = err ?: drm_svm_run_close_span(&b);
	drm_svm_run_emit(&b);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_run_map_locked);

/**
 * drm_svm_run_unmap_dma() - give back the DMA addresses of mapped pages
 * @view: a view that keeps DMA addresses
 * @first: first page, mapped
 * @last: page past the last one, all mapped
 *
 * Context: pt_lock of the range held; the GPU can no longer use the addresses.
 */
void drm_svm_run_unmap_dma(struct drm_svm_view *view, unsigned int first,
			   unsigned int last)
{
	struct device *dev = view->ctx->sdev->dma_dev;
	unsigned int i;

	for (i = first; i < last; i++)
		dma_unmap_phys(dev, view->dma_addr[i], PAGE_SIZE,
			       DMA_BIDIRECTIONAL, DRM_SVM_DMA_ATTRS);
	drm_svm_stat_add(view->ctx, DRM_SVM_STAT_DMA_UNMAPPED, last - first);
}
