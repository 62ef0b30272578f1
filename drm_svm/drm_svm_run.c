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
 * contiguous, with the same permissions. A chunk is DMA-mapped in one call and
 * becomes a run, or the end of one. A 2 MiB folio is all of that at once. The view
 * learns of the pages when their runs are written, many at a time.
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

/*
 * Runs that wait to be written: contiguous in virtual addresses, from page @first to
 * page @next. @mapped: the pages that are added are mapped already. @added: those
 * that were not.
 */
struct drm_svm_run_batch {
	struct drm_svm_range *range;
	struct drm_svm_view *view;
	struct drm_svm_run *runs;
	unsigned int n;
	unsigned int first;
	unsigned int next;
	unsigned int added;
	bool mapped;
	struct drm_svm_bo *bo;
};

/*
 * A page that is there and that the GPU can use where it is: RAM, or VRAM that it
 * reaches; not memory of other devices, which DMA reaches elsewhere.
 */
static bool drm_svm_run_is_usable(unsigned long pfn,
				  const struct drm_svm_device *sdev)
{
	struct page *page = hmm_pfn_to_page(pfn);

	if (!drm_svm_pfn_is_valid(pfn))
		return false;
	if (likely(!is_zone_device_page(page)))
		return true;
	if (is_device_private_page(page))
		return drm_svm_page_is_reachable(page, sdev);
	return !is_pci_p2pdma_page(page);
}

static bool drm_svm_run_is_like(const struct drm_svm_run *run, u16 prot,
				u16 location)
{
	return run->prot == prot && run->location == location;
}

/* The pages are mapped: the view has them. */
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

static void drm_svm_run_emit(struct drm_svm_run_batch *b)
{
	struct drm_svm_context *ctx = b->view->ctx;
	unsigned long start = drm_svm_page_addr(b->range, b->first);

	if (!b->n)
		return;
	ctx->ops->map(ctx, start, b->runs, b->n);
	drm_svm_run_note_all(b);
	trace_drm_svm_map(ctx, start, b->next - b->first, b->n);
	b->n = 0;
}

static void drm_svm_run_push(struct drm_svm_run_batch *b, unsigned int index,
			     unsigned int npages, dma_addr_t addr, u16 prot,
			     u16 location)
{
	struct drm_svm_run *last;

	if (b->n && b->next != index)
		drm_svm_run_emit(b);
	if (!b->n)
		b->first = index;
	b->next = index + npages;

	last = b->n ? &b->runs[b->n - 1] : NULL;
	if (last && drm_svm_run_is_like(last, prot, location) &&
	    last->addr + ((dma_addr_t)last->npages << PAGE_SHIFT) == addr)
		last->npages += npages;
	else
		b->runs[b->n++] = (struct drm_svm_run) {
			.addr = addr,
			.npages = npages,
			.location = location,
			.prot = prot,
		};
}

/* Where the GPU finds RAM; of a page whose address is kept, where it found it. */
static int drm_svm_run_map_dma(struct drm_svm_view *view, unsigned int index,
			       unsigned int npages, struct page *page,
			       dma_addr_t *addr)
{
	struct device *dev = view->ctx->sdev->dma_dev;

	if (view->dma_addr && test_bit(index, view->mapped)) {
		*addr = view->dma_addr[index];
		return 0;
	}
	*addr = dma_map_phys(dev, page_to_phys(page), (size_t)npages << PAGE_SHIFT,
			     DMA_BIDIRECTIONAL, DRM_SVM_DMA_ATTRS);
	if (dma_mapping_error(dev, *addr))
		return -ENOMEM;
	if (view->dma_addr) {
		view->dma_addr[index] = *addr;
		drm_svm_stat_add(view->ctx, DRM_SVM_STAT_DMA_MAPPED, 1);
	}
	return 0;
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

/* Pages from @i on, contiguous in memory, become a run or part of one. */
static int drm_svm_run_add(struct drm_svm_run_batch *b, unsigned int i,
			   unsigned int npages, struct page *page, u16 prot)
{
	bool device = is_device_private_page(page);
	unsigned int n = b->view->dma_addr && !device ? 1 : npages;
	unsigned int end = i + npages;
	u16 location = DRM_SVM_LOCATION_SYSTEM;
	dma_addr_t addr;
	int err;

	for (; i < end; i += n, page += n) {
		if (device) {
			addr = drm_svm_run_vram_addr(b->view->ctx->sdev, page, &location);
		} else {
			err = drm_svm_run_map_dma(b->view, i, n, page, &addr);
			if (err)
				return err;
		}
		drm_svm_run_push(b, i, n, addr, prot, location);
		if (!b->mapped)
			b->added += n;
	}
	return 0;
}

/* The end of the pages from @i on that are all mapped, or all not mapped. */
static unsigned int drm_svm_run_same_state(const struct drm_svm_view *view,
					   unsigned int i, unsigned int last)
{
	if (test_bit(i, view->mapped))
		return find_next_zero_bit(view->mapped, last, i);
	return find_next_bit(view->mapped, last, i);
}

/* Whether pages that are mapped need not be mapped again. */
static bool drm_svm_run_is_enough(const struct drm_svm_view *view,
				  unsigned int i, unsigned int n, u16 prot)
{
	return !(prot & DRM_SVM_PAGE_WRITE) ||
	       find_next_zero_bit(view->writable, i + n, i) == i + n;
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
	unsigned int n = 1;

	if (!folio_test_large(folio))
		return 1;
	last = min_t(unsigned long, last,
		     i + folio_nr_pages(folio) - folio_page_idx(folio, page));
	if (hmm_pfn_to_map_order(pfns[i]) >= PMD_SHIFT - PAGE_SHIFT)
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

/* Whether the GPU asked to write to one of the pages. */
static bool drm_svm_run_is_requested(const unsigned long *writes, unsigned int i,
				     unsigned int n)
{
	return find_next_bit(writes, i + n, i) < i + n;
}

/* With which permissions a chunk is mapped; dirty, if it is writable. */
static u16 drm_svm_run_prot(struct folio *folio, unsigned long pfn,
			    const unsigned long *writes, unsigned int i,
			    unsigned int n)
{
	if (!(pfn & HMM_PFN_WRITE) ||
	    (!drm_svm_policy_may_write(folio) &&
	     !drm_svm_run_is_requested(writes, i, n)))
		return DRM_SVM_PAGE_READ;
	if (!folio_test_dirty(folio))
		drm_svm_run_dirty(folio);
	return DRM_SVM_PAGE_READ | DRM_SVM_PAGE_WRITE;
}

/* Pages of which all are mapped, or none is. */
static int drm_svm_run_add_pages(struct drm_svm_run_batch *b,
				 const unsigned long *pfns, unsigned int i,
				 unsigned int last, const unsigned long *writes)
{
	const struct drm_svm_device *sdev = b->view->ctx->sdev;
	unsigned int n;
	int err = 0;

	for (; i < last && !err; i += n) {
		struct folio *folio;
		struct page *page;
		u16 prot;

		n = 1;
		if (!drm_svm_run_is_usable(pfns[i], sdev))
			continue;
		page = hmm_pfn_to_page(pfns[i]);
		folio = page_folio(page);
		n = drm_svm_run_chunk(pfns, i, last, folio);
		prot = drm_svm_run_prot(folio, pfns[i], writes, i, n);
		if (folio_is_device_private(folio))
			drm_svm_run_bump(b, folio);
		if (!b->mapped || !drm_svm_run_is_enough(b->view, i, n, prot))
			err = drm_svm_run_add(b, i, n, page, prot);
	}
	return err;
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
	};
	unsigned int i, next;
	int err = 0;

	lockdep_assert_held(&range->pt_lock);

	for (i = first; i < last && !err; i = next) {
		b.mapped = test_bit(i, view->mapped);
		next = drm_svm_run_same_state(view, i, last);
		err = drm_svm_run_add_pages(&b, scratch->pfns, i, next, writes);
	}
	drm_svm_run_emit(&b);
	drm_svm_stat_add(view->ctx, DRM_SVM_STAT_PAGES_MAPPED, b.added);
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
