// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/hmm.h>
#include <linux/memremap.h>
#include <linux/mm.h>

#include "drm_svm_migrate.h"

/**
 * DOC: To VRAM
 *
 * Before a GPU fault is mirrored, the pages around it migrate to the VRAM of
 * the GPU, if they can. Pages that do not move are mapped where they are.
 */

/*
 * Return whether the page of a fault is worth moving: not if it is in VRAM, nor
 * if a device has it pinned, which may last.
 */
VISIBLE_IF_KUNIT
bool drm_svm_chunk_is_wanted(const struct drm_svm_fault *fault,
			     unsigned long pfn)
{
	struct folio *folio;

	if (pfn & HMM_PFN_ERROR)
		return false;
	if (pfn & HMM_PFN_VALID) {
		folio = drm_svm_pfn_folio(pfn);
		if (!folio)
			return false;
		/* else it is a zero page, maybe the huge one */
		if (folio_test_anon(folio))
			return !folio_maybe_dma_pinned(folio);
	}
	/* a read of what was never written needs no memory at all */
	return fault->access & DRM_SVM_ACCESS_WRITE;
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_chunk_is_wanted);

/*
 * Make a chunk of @npages pages from page @first on, as far as the mapping
 * goes.
 */
static void drm_svm_chunk_add(struct drm_svm_migrator *migrator,
			      struct drm_svm_range *range,
			      const struct drm_svm_fault_entry *entry,
			      struct vm_area_struct *vma, unsigned int first,
			      unsigned int npages)
{
	struct drm_svm_chunk *chunk = &migrator->chunks[migrator->n++];
	unsigned long base = drm_svm_page_addr(range, first);
	/* by the last byte, because the end of the last range may overflow */
	unsigned long last = base + ((unsigned long)npages << PAGE_SHIFT) - 1;

	*chunk = (struct drm_svm_chunk) {
		.vram = entry->ctx->sdev->vram,
		.stats = entry->ctx->stats,
		.base = base,
		.npages = npages,
		.start = max(base, vma->vm_start),
		.end = min(last, vma->vm_end - 1) + 1,
		.holes = entry->fault.access & DRM_SVM_ACCESS_WRITE,
	};
	/* it is not known whether the other pages are present */
	chunk->want = entry->fault.addr >= chunk->start &&
		      entry->fault.addr < chunk->end;
}

/*
 * Make chunks of at least the window that will be mapped, because what does not
 * move now is mapped in RAM and does not fault again. Blocks that have pages in
 * VRAM are left alone, except that of the fault. Returns the page past the
 * window, as far as that is in the mapping, because other mappings have faults
 * of their own.
 */
VISIBLE_IF_KUNIT
unsigned int drm_svm_chunk_window(struct drm_svm_migrator *migrator,
				  struct drm_svm_range *range,
				  const struct drm_svm_fault_entry *entry,
				  struct vm_area_struct *vma)
{
	struct drm_svm_view *view = drm_svm_range_find_view(range, entry->ctx);
	unsigned int index = drm_svm_page_index(entry->fault.addr);
	unsigned int leaf = DRM_SVM_CHUNK_MIN >> PAGE_SHIFT;
	unsigned int n, start, first, end, vma_first, vma_end;

	drm_svm_policy_bounds(range, vma, &vma_first, &vma_end);
	drm_svm_policy_window(view, index, DRM_SVM_GROWTH_MOVE, &start, &end);
	for (first = start; first < end && migrator->n < DRM_SVM_MIGRATOR_CHUNKS;
	     first += n ?: leaf) {
		n = drm_svm_policy_chunk(view, first, end);
		if (!n && round_down(index, leaf) == first)
			n = leaf;
		if (n && first + n > vma_first && first < vma_end)
			drm_svm_chunk_add(migrator, range, entry, vma, first, n);
	}
	start = max(start, vma_first);
	end = min(first, vma_end);
	bitmap_set(migrator->tried, start, end - start);
	return end;
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_chunk_window);

/*
 * Return whether nothing is known of the range yet: neither from what the GPU
 * has, nor from another fault of this batch. The CPU makes no huge page where
 * it has some pages.
 */
static bool drm_svm_chunk_is_first(const struct drm_svm_migrator *migrator,
				   struct drm_svm_range *range,
				   const struct drm_svm_fault_entry *entry)
{
	struct drm_svm_view *view = drm_svm_range_find_view(range, entry->ctx);

	return (!view || !view->nmapped) &&
	       bitmap_empty(migrator->tried, DRM_SVM_RANGE_PAGES);
}

/* The window of a fault, as far as it is in the mapping. */
static void drm_svm_chunk_bounds(struct drm_svm_range *range,
				 const struct drm_svm_fault_entry *entry,
				 struct vm_area_struct *vma, unsigned int *first,
				 unsigned int *end)
{
	unsigned int vma_first, vma_end;

	drm_svm_policy_bounds(range, vma, &vma_first, &vma_end);
	drm_svm_policy_window(drm_svm_range_find_view(range, entry->ctx),
			      drm_svm_page_index(entry->fault.addr),
			      DRM_SVM_GROWTH_MOVE, first, end);
	*first = max(*first, vma_first);
	*end = min(*end, vma_end);
}

/*
 * The page of the fault is write-protected. In VRAM it would still be, and
 * would have to migrate to RAM to be copied; so would its neighbours, one by
 * one. So make the pages that are going to move writable first. Returns what
 * the CPU then has of the page of the fault.
 */
static unsigned long drm_svm_chunk_unprotect(struct drm_svm_migrator *migrator,
					     struct drm_svm_range *range,
					     const struct drm_svm_fault_entry *entry,
					     struct vm_area_struct *vma)
{
	unsigned long pfn, addr = entry->fault.addr & PAGE_MASK;
	unsigned int first, end;

	drm_svm_chunk_bounds(range, entry, vma, &first, &end);
	/* nothing is in flight, so this memory is free */
	drm_svm_populate_writable(vma, drm_svm_page_addr(range, first),
				  drm_svm_page_addr(range, end), migrator->m[0]->src);
	if (drm_svm_walk_peek(vma->vm_mm, addr, addr + PAGE_SIZE, &pfn))
		return HMM_PFN_ERROR;
	return pfn;
}

/* Return whether the page is a copy of a page of a file, in RAM. */
static bool drm_svm_pfn_is_copy(unsigned long pfn)
{
	struct folio *folio = drm_svm_pfn_folio(pfn);

	return folio && folio_test_anon(folio);
}

/*
 * For a mapping of a file: make a chunk of the copied pages of the window that
 * are contiguous with that of the fault. Returns the page past them.
 */
static unsigned int drm_svm_chunk_copies(struct drm_svm_migrator *migrator,
					 struct drm_svm_range *range,
					 const struct drm_svm_fault_entry *entry,
					 struct vm_area_struct *vma)
{
	unsigned int index = drm_svm_page_index(entry->fault.addr);
	unsigned int first, end, from = index, to = index;
	unsigned long *pfns = migrator->m[0]->src;

	drm_svm_chunk_bounds(range, entry, vma, &first, &end);
	if (drm_svm_walk_peek(vma->vm_mm, drm_svm_page_addr(range, first),
			      drm_svm_page_addr(range, end), pfns))
		return index + 1;
	while (to < end && drm_svm_pfn_is_copy(pfns[to - first]))
		to++;
	while (from > first && drm_svm_pfn_is_copy(pfns[from - 1 - first]))
		from--;
	if (to == index)
		return index + 1;
	drm_svm_chunk_add(migrator, range, entry, vma, from, to - from);
	drm_svm_chunk_set_block(&migrator->chunks[migrator->n - 1]);
	bitmap_set(migrator->tried, from, to - from);
	return to;
}

/*
 * Choose the pages to move for this fault. Called with mmap_lock held. Returns
 * the page of the range past those that were looked at.
 */
static unsigned int drm_svm_chunk_choose(struct drm_svm_migrator *migrator,
					 struct drm_svm_range *range,
					 const struct drm_svm_fault_entry *entry)
{
	unsigned long pfn, addr = entry->fault.addr & PAGE_MASK;
	unsigned int next = drm_svm_page_index(addr) + 1;
	struct vm_area_struct *vma;

	mmap_assert_locked(range->svm->mm);
	vma = find_vma_intersection(range->svm->mm, addr, addr + 1);
	if (!drm_svm_policy_may_move(vma, entry->fault.access))
		return next;
	if (drm_svm_walk_peek(vma->vm_mm, addr, addr + PAGE_SIZE, &pfn))
		return next;
	if (drm_svm_populate_is_protected(vma, entry->fault.access, pfn))
		pfn = drm_svm_chunk_unprotect(migrator, range, entry, vma);
	if (!drm_svm_chunk_is_wanted(&entry->fault, pfn))
		return next;
	if (!vma_is_anonymous(vma))
		return drm_svm_chunk_copies(migrator, range, entry, vma);
	if (!(pfn & HMM_PFN_VALID) && drm_svm_chunk_is_first(migrator, range, entry))
		pfn = drm_svm_chunk_ask_cpu(vma, range->start, addr);
	if (!drm_svm_policy_is_whole(vma, range->start, pfn))
		return drm_svm_chunk_window(migrator, range, entry, vma);
	bitmap_fill(migrator->tried, DRM_SVM_RANGE_PAGES);
	drm_svm_chunk_add(migrator, range, entry, vma, 0, DRM_SVM_RANGE_PAGES);
	migrator->chunks[migrator->n - 1].whole = true;
	return DRM_SVM_RANGE_PAGES;
}

/* Called with mmap_lock held. Returns the number of faults looked at. */
static unsigned int drm_svm_migrate_choose(struct drm_svm_range *range,
					   struct drm_svm_migrator *migrator,
					   const struct drm_svm_fault_entry *entries,
					   unsigned int n)
{
	unsigned int i, next = 0;

	mmap_assert_locked(range->svm->mm);
	for (i = 0; i < n && migrator->n < DRM_SVM_MIGRATOR_CHUNKS; i++) {
		struct drm_svm_vram *vram =
			drm_svm_context_vram(entries[i].ctx);

		if (!vram || entries[i].answer != DRM_SVM_PENDING ||
		    drm_svm_page_index(entries[i].fault.addr) < next ||
		    READ_ONCE(vram->closed))
			continue;
		next = drm_svm_chunk_choose(migrator, range, &entries[i]);
	}
	return i;
}

/*
 * Return whether a fault is of a GPU with VRAM, and there is, or could be made,
 * a migrator.
 */
static bool drm_svm_migrate_is_possible(struct drm_svm *svm,
					struct drm_svm_scratch *scratch,
					const struct drm_svm_fault_entry *entries,
					unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n && !drm_svm_context_vram(entries[i].ctx); i++)
		;
	if (i == n)
		return false;
	if (!scratch->migrator)
		scratch->migrator = drm_svm_migrator_alloc(svm, DRM_SVM_CAUSE_GPU_FAULT);
	return scratch->migrator;
}

/**
 * drm_svm_migrate_to_vram() - move the pages of faults to the GPUs' memory
 * @range: the range
 * @scratch: of the worker
 * @entries: the faults, sorted by page
 * @n: number of @entries
 * @patient: wait for mmap_lock instead of trying it
 *
 * Context: process context of a thread of the process, service_lock of @range
 * held.
 * Return: 0, or -EAGAIN when the trylock of mmap_lock failed, or the wait for
 * it was interrupted. What moved has moved.
 */
int drm_svm_migrate_to_vram(struct drm_svm_range *range,
			    struct drm_svm_scratch *scratch,
			    const struct drm_svm_fault_entry *entries,
			    unsigned int n, bool patient)
{
	struct mm_struct *mm = range->svm->mm;
	struct drm_svm_migrator *migrator;
	unsigned int i;
	bool locked;

	lockdep_assert_held(&range->service_lock);

	scratch->unmapped = NULL;
	if (!drm_svm_migrate_is_possible(range->svm, scratch, entries, n))
		return 0;
	migrator = scratch->migrator;
	bitmap_zero(migrator->tried, DRM_SVM_RANGE_PAGES);
	scratch->unmapped = migrator->tried;
	for (i = 0; i < n;) {
		if (!drm_svm_mmap_read_lock(mm, patient))
			return -EAGAIN;
		i += drm_svm_migrate_choose(range, migrator, entries + i, n - i);
		mmap_read_unlock(mm);
		if (!migrator->n)
			continue;
		drm_svm_migrator_make_bos(migrator);
		locked = drm_svm_mmap_read_lock(mm, patient);
		if (locked) {
			drm_svm_migrator_run(migrator);
			mmap_read_unlock(mm);
		}
		drm_svm_migrator_release(migrator);
		if (!locked)
			return -EAGAIN;
	}
	return 0;
}
