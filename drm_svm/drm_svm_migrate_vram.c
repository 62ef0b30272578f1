// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/hmm.h>
#include <linux/memremap.h>
#include <linux/migrate.h>
#include <linux/mm.h>

#include "drm_svm_internal.h"
#include "drm_svm_trace.h"

/**
 * DOC: To VRAM
 *
 * Before a GPU fault is mirrored, the pages around it move to the VRAM of the
 * GPU, if they can. It is all best effort: what does not move, because it is
 * pinned, or no room is left, or somebody raced, is mapped where it is.
 *
 * The order of locks is mmap_lock, then the BO, then folios. The BO is allocated
 * before, since making room for it evicts other BOs, and it may itself be evicted
 * before it is filled: filling begins with a look whether it is still there.
 */

/* A slice of a range to fill, in pages; @whole: a huge page stays one. */
struct drm_svm_slice {
	unsigned int first;
	unsigned int last;
	unsigned int lo;
	unsigned int hi;
	bool whole;
};

/* What the CPU has at the fault: a walk of one page. */
static unsigned long drm_svm_slice_peek(struct drm_svm_range *range,
					unsigned long addr,
					struct drm_svm_vram *vram)
{
	unsigned long pfn = 0;
	struct hmm_range hmm = {
		.notifier = &range->notifier,
		.notifier_seq = mmu_interval_read_begin(&range->notifier),
		.start = addr & PAGE_MASK,
		.end = (addr & PAGE_MASK) + PAGE_SIZE,
		.hmm_pfns = &pfn,
		.dev_private_owner = vram,
	};

	return hmm_range_fault(&hmm) ? HMM_PFN_ERROR : pfn;
}

static bool drm_svm_slice_is_whole(struct drm_svm_range *range,
				   struct vm_area_struct *vma, unsigned long pfn)
{
	if (vma->vm_start > range->start ||
	    vma->vm_end - range->start < DRM_SVM_RANGE_SIZE)
		return false;
	if (!(pfn & HMM_PFN_VALID))
		return vma->vm_flags & VM_HUGEPAGE;
	return hmm_pfn_to_map_order(pfn) >= PMD_SHIFT - PAGE_SHIFT;
}

/* Which pages to move for this fault; false: none. With mmap_lock held. */
static bool drm_svm_slice_choose(struct drm_svm_slice *slice,
				 struct drm_svm_range *range,
				 const struct drm_svm_fault_entry *entry,
				 struct drm_svm_vram *vram)
{
	unsigned long addr = entry->fault.addr;
	struct vm_area_struct *vma;
	unsigned long pfn;

	vma = find_vma_intersection(range->svm->mm, addr, addr + 1);
	if (drm_svm_mirror_check_vma(vma, entry->fault.access) ||
	    !vma_is_anonymous(vma) || vma->vm_flags & VM_SPECIAL)
		return false;
	pfn = drm_svm_slice_peek(range, addr, vram);
	if (pfn & HMM_PFN_ERROR)
		return false;
	if (pfn & HMM_PFN_VALID &&
	    is_device_private_page(hmm_pfn_to_page(pfn)))
		return false;
	/* a read of what nobody wrote needs no memory at all */
	if (!(pfn & HMM_PFN_VALID) &&
	    !(entry->fault.access & DRM_SVM_ACCESS_WRITE))
		return false;

	slice->whole = drm_svm_slice_is_whole(range, vma, pfn);
	slice->first = 0;
	slice->last = DRM_SVM_RANGE_PAGES;
	if (!slice->whole)
		drm_svm_policy_window(drm_svm_range_find_view(range, entry->ctx),
				      drm_svm_page_index(addr), &slice->first,
				      &slice->last);
	slice->lo = slice->first;
	slice->hi = slice->last;
	if (vma->vm_start > drm_svm_page_addr(range, slice->lo))
		slice->lo = drm_svm_page_index(vma->vm_start);
	if (vma->vm_end < drm_svm_page_addr(range, slice->hi))
		slice->hi = drm_svm_page_index(vma->vm_end);
	return true;
}

/* A device page of the BO, ready to be a destination: locked. */
static struct page *drm_svm_fill_page(struct drm_svm_bo *bo, unsigned int index,
				      unsigned int order)
{
	struct drm_svm_vram *vram = bo->vram;
	struct page *page;

	page = drm_svm_vram_page(vram, drm_svm_bo_offset(bo) +
				 ((u64)index << PAGE_SHIFT));
	/*
	 * Freed, but somebody who speculated may hold it for a moment. Of the
	 * page alone: it may still say that it is the tail of a huge page.
	 */
	if (page_ref_count(page))
		return NULL;
	/* the same: page_folio() is right only from here on */
	zone_device_page_init(page, &vram->pagemap, order);
	if (order)
		folio_set_large_rmappable(page_folio(page));
	folio_set_zone_device_data(page_folio(page), bo);
	atomic_long_add(1L << order, &bo->live);
	return page;
}

/* Destination of entry @i, page @index of the BO, and what to do to it. */
static void drm_svm_fill_entry(struct drm_svm_migration *m, unsigned int i,
			       struct drm_svm_bo *bo, unsigned int index,
			       bool write)
{
	unsigned int npages = drm_svm_migration_stride(m, i);
	struct page *src = migrate_pfn_to_page(m->src[i]);
	struct page *dst;

	if (!(m->src[i] & MIGRATE_PFN_MIGRATE) || (!src && !write))
		return;
	dst = drm_svm_fill_page(bo, index, ilog2(npages));
	if (!dst)
		return;
	if (!src) {
		drm_svm_migration_add_clear(m, dst, npages);
	} else if (drm_svm_migration_add_copy(m, i, src, dst, npages, true)) {
		unlock_page(dst);
		put_page(dst);
		return;
	}
	m->dst[i] = migrate_pfn(page_to_pfn(dst));
	if (npages > 1)
		m->dst[i] |= MIGRATE_PFN_COMPOUND;
}

/* With mmap_lock and the BO held. */
static void drm_svm_fill_slice(struct drm_svm_range *range,
			       const struct drm_svm_slice *slice,
			       struct drm_svm_bo *bo,
			       struct drm_svm_migration *m,
			       struct vm_area_struct *vma, bool write)
{
	struct migrate_vma args = {
		.vma = vma,
		.src = m->src,
		.dst = m->dst,
		.start = drm_svm_page_addr(range, slice->lo),
		.end = drm_svm_page_addr(range, slice->hi),
		/* for the notifier; device pages are not selected */
		.pgmap_owner = range->svm,
		.flags = MIGRATE_VMA_SELECT_SYSTEM |
			 (slice->whole ? MIGRATE_VMA_SELECT_COMPOUND : 0),
	};
	unsigned int i;

	if (migrate_vma_setup(&args) || !args.cpages)
		return;
	m->npages = args.npages;
	for (i = 0; i < m->npages; i += drm_svm_migration_stride(m, i))
		drm_svm_fill_entry(m, i, bo, slice->lo - slice->first + i, write);
	if (drm_svm_migration_transfer(m))
		drm_svm_migration_drop_dst(m);
	drm_svm_migration_unmap_dma(m);
	migrate_vma_pages(&args);
	migrate_vma_finalize(&args);
}

static bool drm_svm_slice_is_mapped(struct drm_svm_range *range,
				    const struct drm_svm_slice *slice,
				    struct vm_area_struct *vma)
{
	return vma && vma_is_anonymous(vma) && !(vma->vm_flags & VM_SPECIAL) &&
	       vma->vm_end >= drm_svm_page_addr(range, slice->hi);
}

static void drm_svm_fill(struct drm_svm_range *range,
			 const struct drm_svm_slice *slice,
			 struct drm_svm_bo *bo, struct drm_svm_migration *m,
			 bool write)
{
	struct mm_struct *mm = range->svm->mm;
	unsigned long start = drm_svm_page_addr(range, slice->lo);
	struct vm_area_struct *vma;

	if (!mmap_read_trylock(mm))
		return;
	vma = find_vma_intersection(mm, start, start + 1);
	if (drm_svm_slice_is_mapped(range, slice, vma) &&
	    drm_svm_bo_trylock_resident(bo)) {
		drm_svm_fill_slice(range, slice, bo, m, vma, write);
		drm_svm_bo_unlock(bo);
	}
	mmap_read_unlock(mm);
}

/* Returns the page past those that were looked after. */
static unsigned int drm_svm_migrate_one(struct drm_svm_range *range,
					const struct drm_svm_fault_entry *entry,
					struct drm_svm_vram *vram)
{
	unsigned int next = drm_svm_page_index(entry->fault.addr) + 1;
	struct mm_struct *mm = range->svm->mm;
	struct drm_svm_migration *m;
	struct drm_svm_slice slice;
	struct drm_svm_bo *bo;
	bool chosen;

	if (!mmap_read_trylock(mm))
		return next;
	chosen = drm_svm_slice_choose(&slice, range, entry, vram);
	mmap_read_unlock(mm);
	if (!chosen)
		return next;
	m = drm_svm_migration_alloc(vram, slice.hi - slice.lo);
	if (!m)
		return next;
	bo = drm_svm_bo_create(vram, slice.last - slice.first);
	if (!IS_ERR(bo)) {
		drm_svm_fill(range, &slice, bo, m,
			     entry->fault.access & DRM_SVM_ACCESS_WRITE);
		drm_svm_bo_fill_done(bo);
	}
	drm_svm_migration_free(m);
	return slice.hi;
}

/**
 * drm_svm_migrate_to_vram() - bring the pages of faults to the GPUs' memory
 * @range: the range
 * @entries: the faults, sorted by page
 * @n: number of @entries
 *
 * Context: process context, service_lock of @range held, a reference on the
 * users of the mm held.
 */
void drm_svm_migrate_to_vram(struct drm_svm_range *range,
			     const struct drm_svm_fault_entry *entries,
			     unsigned int n)
{
	unsigned int i, next = 0;

	lockdep_assert_held(&range->service_lock);

	for (i = 0; i < n; i++) {
		struct drm_svm_vram *vram =
			READ_ONCE(entries[i].ctx->sdev->vram);

		if (!vram || entries[i].err != DRM_SVM_PENDING ||
		    drm_svm_page_index(entries[i].fault.addr) < next)
			continue;
		next = drm_svm_migrate_one(range, &entries[i], vram);
	}
}
