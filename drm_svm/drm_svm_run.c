// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/dma-mapping.h>
#include <linux/hmm.h>
#include <linux/memremap.h>
#include <linux/mm.h>

#include "drm_svm_vram.h"
#include "drm_svm_trace.h"

/**
 * DOC: Runs
 *
 * Turns the result of a page-table walk into calls of &drm_svm_context_ops.map.
 *
 * Pages of one folio in the walk's array that are physically contiguous and
 * have the same permissions are DMA-mapped in one call, and become a run or
 * extend the last one. A 2 MiB folio is one run. The bitmaps of the view are
 * updated when runs are written, many pages at a time.
 *
 * Where the DMA layer needs every address back (&drm_svm_device.track_dma),
 * pages are mapped one at a time and the addresses are kept in the view, so
 * that an invalidation of one page can unmap just that page. Elsewhere nothing
 * is kept.
 *
 * Everything here runs under &drm_svm_range.pt_lock with a good sequence: the
 * CPU page table still holds the pages, so they can be accessed without a
 * reference.
 */

/* Fail instead of bouncing a page, because the CPU keeps writing to it. */
#define DRM_SVM_DMA_ATTRS	(DMA_ATTR_SKIP_CPU_SYNC | DMA_ATTR_REQUIRE_COHERENT)

/*
 * Runs to be written together: contiguous in virtual addresses, from page
 * @first up to, not including, page @next. @end: the address past the last run,
 * at which a page extends it; odd if there is no run. @mapped: the pages being
 * added are mapped already. @added: number of pages added that were not. @bo:
 * the BO that was bumped last.
 */
struct drm_svm_run_batch {
	struct drm_svm_range *range;
	struct drm_svm_view *view;
	struct drm_svm_run *runs;
	unsigned int n;
	unsigned int first;
	unsigned int next;
	unsigned int added;
	u64 end;
	bool mapped;
	struct drm_svm_bo *bo;
};

#define DRM_SVM_RUN_NO_END	U64_MAX

static bool drm_svm_run_is_like(const struct drm_svm_run *run, u16 prot,
				u16 location)
{
	return run->prot == prot && run->location == location;
}

/* Note in the view that the pages are mapped as @run says. */
static void drm_svm_run_note(struct drm_svm_view *view, unsigned int index,
			     unsigned int npages, const struct drm_svm_run *run)
{
	bitmap_set(view->mapped, index, npages);
	if (run->prot & DRM_SVM_PAGE_WRITE)
		bitmap_set(view->writable, index, npages);
	if (run->location != DRM_SVM_LOCATION_SYSTEM)
		bitmap_set(view->vram, index, npages);
	if (run->location == DRM_SVM_LOCATION_PEER)
		bitmap_set(view->peer, index, npages);
}

static void drm_svm_run_note_all(struct drm_svm_run_batch *b)
{
	unsigned int i, j, npages, index = b->first;

	for (i = 0; i < b->n; i = j) {
		const struct drm_svm_run *run = &b->runs[i];

		npages = 0;
		for (j = i; j < b->n && drm_svm_run_is_like(&b->runs[j], run->prot,
							    run->location); j++)
			npages += b->runs[j].npages;
		drm_svm_run_note(b->view, index, npages, run);
		index += npages;
	}
}

/* Write the runs of the batch; the next batch begins at page @next. */
static void drm_svm_run_emit(struct drm_svm_run_batch *b, unsigned int next)
{
	struct drm_svm_context *ctx = b->view->ctx;
	unsigned long start = drm_svm_page_addr(b->range, b->first);

	if (b->n) {
		ctx->ops->map(ctx, start, b->runs, b->n);
		drm_svm_run_note_all(b);
		trace_drm_svm_map(ctx, start, b->next - b->first, b->n);
	}
	b->n = 0;
	b->end = DRM_SVM_RUN_NO_END;
	b->first = next;
	b->next = next;
}

/* Add pages from @index on: extend the last run, or begin another one. */
static void drm_svm_run_push(struct drm_svm_run_batch *b, unsigned int index,
			     unsigned int npages, u64 addr, u16 prot,
			     u16 location)
{
	struct drm_svm_run *run = &b->runs[b->n];

	if (b->next != index) {
		drm_svm_run_emit(b, index);
		run = b->runs;
	}
	b->next = index + npages;
	if (b->end == addr && drm_svm_run_is_like(run - 1, prot, location)) {
		run[-1].npages += npages;
	} else {
		b->n++;
		*run = (struct drm_svm_run) {
			.addr = addr,
			.npages = npages,
			.location = location,
			.prot = prot,
		};
	}
	b->end = addr + ((u64)npages << PAGE_SHIFT);
	if (!b->mapped)
		b->added += npages;
}

/* Add pages in RAM, DMA-mapped in one call. */
static int drm_svm_run_add_ram(struct drm_svm_run_batch *b, unsigned int index,
			       unsigned int npages, unsigned long pfn, u16 prot)
{
	struct device *dev = b->view->ctx->sdev->dma_dev;
	dma_addr_t addr = dma_map_phys(dev, PFN_PHYS(pfn & ~HMM_PFN_FLAGS),
				       (size_t)npages << PAGE_SHIFT,
				       DMA_BIDIRECTIONAL, DRM_SVM_DMA_ATTRS);

	if (dma_mapping_error(dev, addr))
		return -ENOMEM;
	drm_svm_run_push(b, index, npages, addr, prot, DRM_SVM_LOCATION_SYSTEM);
	return 0;
}

/* The same where addresses are kept; a page that is mapped keeps its own. */
static int drm_svm_run_add_tracked(struct drm_svm_run_batch *b,
				   unsigned int index, unsigned int npages,
				   unsigned long pfn, u16 prot)
{
	struct drm_svm_view *view = b->view;
	unsigned int end = index + npages;
	int err;

	for (; index < end; index++, pfn++) {
		if (b->mapped) {
			drm_svm_run_push(b, index, 1, view->dma_addr[index], prot,
					 DRM_SVM_LOCATION_SYSTEM);
			continue;
		}
		err = drm_svm_run_add_ram(b, index, 1, pfn, prot);
		if (err)
			return err;
		view->dma_addr[index] = b->end - PAGE_SIZE;
		drm_svm_context_count(view->ctx, DRM_SVM_STAT_DMA_MAPPED, 1);
	}
	return 0;
}

/* The GPU's address of a device page, in its own VRAM or in that of a peer. */
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

/* The end of the pages from @i on that are all mapped, or all unmapped. */
static unsigned int drm_svm_run_same_state(const struct drm_svm_view *view,
					   unsigned int i, unsigned int end)
{
	if (test_bit(i, view->mapped))
		return find_next_zero_bit(view->mapped, end, i);
	return find_next_bit(view->mapped, end, i);
}

/* Return whether mapped pages already have the access @prot. */
static bool drm_svm_run_is_enough(const struct drm_svm_view *view,
				  unsigned int i, unsigned int n, u16 prot)
{
	return !(prot & DRM_SVM_PAGE_WRITE) ||
	       find_next_zero_bit(view->writable, i + n, i) == i + n;
}

/*
 * The BO of a device page was used: make it the last of the LRU. Done once for
 * consecutive pages of the BO.
 */
static void drm_svm_run_bump(struct drm_svm_run_batch *b, struct folio *folio)
{
	struct drm_svm_bo *bo = drm_svm_folio_bo(folio);

	if (!bo || b->bo == bo)
		return;
	/* only trylock dma_resv, because pt_lock is held */
	if (dma_resv_trylock(bo->tbo.base.resv)) {
		ttm_bo_move_to_lru_tail_unlocked(&bo->tbo);
		dma_resv_unlock(bo->tbo.base.resv);
	}
	b->bo = bo;
}

/*
 * Return whether to map a page of a device where it is: not if it is a P2PDMA
 * page, or VRAM that the GPU cannot reach.
 */
static bool drm_svm_run_use_device_page(struct drm_svm_run_batch *b,
					struct page *page, struct folio *folio)
{
	if (!folio_is_device_private(folio))
		return !folio_is_pci_p2pdma(folio);
	if (!drm_svm_page_is_reachable(page, b->view->ctx->sdev))
		return false;
	drm_svm_run_bump(b, folio);
	return true;
}

/*
 * Number of pages from @i on that belong to one folio and have the same
 * permissions. A huge CPU mapping says so at once; otherwise compare page by
 * page.
 */
static unsigned int drm_svm_run_length(const unsigned long *pfns, unsigned int i,
				       unsigned int end, struct folio *folio)
{
	struct page *page = hmm_pfn_to_page(pfns[i]);
	unsigned int n = 1;

	if (!folio_test_large(folio))
		return 1;
	end = min_t(unsigned long, end,
		    i + folio_nr_pages(folio) - folio_page_idx(folio, page));
	if (drm_svm_pfn_is_huge(pfns[i]))
		return end - i;
	while (i + n < end && pfns[i + n] == pfns[i] + n)
		n++;
	return n;
}

/*
 * The CPU's entry cannot go before pt_lock is dropped, so neither truncation
 * nor reclaim can miss the flag. A file system whose dirtying allocates has
 * dirtied the folio before it made the CPU's entry writable. A folio in VRAM
 * takes the flag along to RAM: without it, memory that MADV_FREE gave up would
 * be dropped. Anonymous memory, by far the most common, has no file system to
 * be told, in the swap cache or not.
 */
static void drm_svm_run_dirty(struct folio *folio)
{
	if (folio_test_anon(folio))
		folio_set_dirty(folio);
	else
		folio_mark_dirty(folio);
}

/*
 * Permissions to map the pages [@i, @i + @n) with; marks the folio dirty if
 * writable. @writes: pages to which the GPU asked to write.
 */
static u16 drm_svm_run_prot(struct folio *folio, unsigned long pfn,
			    const unsigned long *writes, unsigned int i,
			    unsigned int n)
{
	if (!(pfn & HMM_PFN_WRITE) ||
	    (!drm_svm_policy_may_write(folio) &&
	     find_next_bit(writes, i + n, i) == i + n))
		return DRM_SVM_PAGE_READ;
	if (!folio_test_dirty(folio))
		drm_svm_run_dirty(folio);
	return DRM_SVM_PAGE_READ | DRM_SVM_PAGE_WRITE;
}

/* Add pages of one folio, according to where they are. */
static int drm_svm_run_add(struct drm_svm_run_batch *b, unsigned int index,
			   unsigned int npages, unsigned long pfn,
			   struct folio *folio, u16 prot)
{
	if (unlikely(folio_is_device_private(folio))) {
		u16 location;
		u64 addr = drm_svm_run_vram_addr(b->view->ctx->sdev,
						 hmm_pfn_to_page(pfn), &location);

		drm_svm_run_push(b, index, npages, addr, prot, location);
		return 0;
	}
	if (b->view->dma_addr)
		return drm_svm_run_add_tracked(b, index, npages, pfn, prot);
	return drm_svm_run_add_ram(b, index, npages, pfn, prot);
}

/* Add pages of which all are mapped, or none is. */
static int drm_svm_run_add_pages(struct drm_svm_run_batch *b,
				 const unsigned long *pfns, unsigned int i,
				 unsigned int end, const unsigned long *writes)
{
	unsigned int n;
	int err = 0;

	for (; i < end && !err; i += n) {
		struct page *page = hmm_pfn_to_page(pfns[i]);
		struct folio *folio;
		u16 prot;

		n = 1;
		if (!drm_svm_pfn_is_valid(pfns[i]))
			continue;
		folio = page_folio(page);
		if (unlikely(folio_is_zone_device(folio)) &&
		    !drm_svm_run_use_device_page(b, page, folio))
			continue;
		n = drm_svm_run_length(pfns, i, end, folio);
		prot = drm_svm_run_prot(folio, pfns[i], writes, i, n);
		if (!b->mapped || !drm_svm_run_is_enough(b->view, i, n, prot))
			err = drm_svm_run_add(b, i, n, pfns[i], folio, prot);
	}
	return err;
}

/**
 * drm_svm_run_map_locked() - map what a walk found for one context
 * @range: the range
 * @view: the context's view of it
 * @scratch: the walk's result, and room for runs
 * @first: first page
 * @end: page past the last one
 * @writes: pages to which the GPU asked to write
 *
 * Pages that are mapped with sufficient access are left alone, pages that the
 * walk did not find are skipped. Each page mapped writable is dirty on return.
 *
 * Context: pt_lock of @range held, sequence checked. Does not wait for memory.
 * Return: 0, or -ENOMEM where a page could not be DMA-mapped; the pages before
 * it are mapped.
 */
int drm_svm_run_map_locked(struct drm_svm_range *range,
			   struct drm_svm_view *view,
			   struct drm_svm_scratch *scratch, unsigned int first,
			   unsigned int end, const unsigned long *writes)
{
	struct drm_svm_run_batch b = {
		.range = range,
		.view = view,
		.runs = scratch->runs,
		.first = first,
		.next = first,
		.end = DRM_SVM_RUN_NO_END,
	};
	unsigned int i, next;
	int err = 0;

	lockdep_assert_held(&range->pt_lock);

	for (i = first; i < end && !err; i = next) {
		b.mapped = test_bit(i, view->mapped);
		next = drm_svm_run_same_state(view, i, end);
		err = drm_svm_run_add_pages(&b, scratch->pfns, i, next, writes);
	}
	drm_svm_run_emit(&b, end);
	view->nmapped += b.added;
	drm_svm_context_count(view->ctx, DRM_SVM_STAT_PAGES_MAPPED, b.added);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_run_map_locked);

/**
 * drm_svm_run_unmap_dma() - unmap the DMA addresses of mapped pages
 * @view: a view that keeps DMA addresses
 * @first: first page, mapped
 * @end: page past the last one, all mapped
 *
 * Context: pt_lock of the range held; the GPU can no longer use the addresses.
 */
void drm_svm_run_unmap_dma(struct drm_svm_view *view, unsigned int first,
			   unsigned int end)
{
	struct device *dev = view->ctx->sdev->dma_dev;
	unsigned int i;

	for (i = first; i < end; i++)
		dma_unmap_phys(dev, view->dma_addr[i], PAGE_SIZE,
			       DMA_BIDIRECTIONAL, DRM_SVM_DMA_ATTRS);
	drm_svm_context_count(view->ctx, DRM_SVM_STAT_DMA_UNMAPPED, end - first);
}
