// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/hmm.h>
#include <linux/memremap.h>
#include <linux/mm.h>

#include "drm_svm_internal.h"

/**
 * DOC: To VRAM
 *
 * Before a GPU fault is mirrored, the pages around it move to the VRAM of the
 * GPU, if they can. What does not move is mapped where it is.
 */

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

/* Whether the page of a fault is worth to be moved: not if it is in VRAM. */
static bool drm_svm_slice_is_wanted(const struct drm_svm_fault *fault,
				    unsigned long pfn)
{
	if (pfn & HMM_PFN_ERROR)
		return false;
	if (pfn & HMM_PFN_VALID && !is_zero_pfn(page_to_pfn(hmm_pfn_to_page(pfn))))
		return !is_device_private_page(hmm_pfn_to_page(pfn));
	/* a read of what nobody wrote needs no memory at all */
	return fault->access & DRM_SVM_ACCESS_WRITE;
}

static void drm_svm_slice_set(struct drm_svm_slice *slice,
			      struct drm_svm_range *range,
			      const struct drm_svm_fault_entry *entry,
			      struct vm_area_struct *vma)
{
	unsigned int first = 0, last = DRM_SVM_RANGE_PAGES;

	if (!slice->whole)
		drm_svm_policy_slice(drm_svm_range_find_view(range, entry->ctx),
				     drm_svm_page_index(entry->fault.addr),
				     &first, &last);
	slice->base = drm_svm_page_addr(range, first);
	slice->npages = last - first;
	slice->start = max(slice->base, vma->vm_start);
	/* by the last byte: the end of the last range may not be a number */
	slice->end = min(slice->base + ((unsigned long)slice->npages << PAGE_SHIFT) - 1,
			 vma->vm_end - 1) + 1;
	slice->holes = entry->fault.access & DRM_SVM_ACCESS_WRITE;
	slice->stats = entry->ctx->stats;
	/* of the others it is not known whether they are there */
	slice->want = 1;
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
	addr &= PAGE_MASK;
	if (drm_svm_mirror_peek(vma->vm_mm, addr, addr + PAGE_SIZE, &pfn) ||
	    !drm_svm_slice_is_wanted(&entry->fault, pfn))
		return false;
	*slice = (struct drm_svm_slice) {
		.vram = vram,
		.whole = drm_svm_slice_is_whole(range, vma, pfn),
	};
	drm_svm_slice_set(slice, range, entry, vma);
	return true;
}

/* With mmap_lock held. Returns the number of faults that were looked after. */
static unsigned int drm_svm_migrate_choose(struct drm_svm_range *range,
					   struct drm_svm_filler *filler,
					   const struct drm_svm_fault_entry *entries,
					   unsigned int n)
{
	unsigned long next = 0;
	unsigned int i;

	for (i = 0; i < n && filler->n < DRM_SVM_FILL_SLICES; i++) {
		struct drm_svm_vram *vram =
			READ_ONCE(entries[i].ctx->sdev->vram);
		struct drm_svm_slice *slice = &filler->slices[filler->n];

		if (!vram || entries[i].err != DRM_SVM_PENDING ||
		    entries[i].fault.addr < next || READ_ONCE(vram->closed))
			continue;
		next = (entries[i].fault.addr & PAGE_MASK) + PAGE_SIZE;
		if (!drm_svm_slice_choose(slice, range, &entries[i], vram))
			continue;
		next = slice->end;
		filler->n++;
	}
	return i;
}

/* Whether some fault is of a GPU with VRAM; if so there is a filler, if possible. */
static bool drm_svm_migrate_is_possible(struct drm_svm *svm,
					struct drm_svm_scratch *scratch,
					const struct drm_svm_fault_entry *entries,
					unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n && !READ_ONCE(entries[i].ctx->sdev->vram); i++)
		;
	if (i == n)
		return false;
	if (!scratch->filler)
		scratch->filler = drm_svm_filler_create(svm);
	return scratch->filler;
}

/**
 * drm_svm_migrate_to_vram() - bring the pages of faults to the GPUs' memory
 * @range: the range
 * @scratch: of the worker
 * @entries: the faults, sorted by page
 * @n: number of @entries
 *
 * Context: process context, service_lock of @range held, a reference on the
 * users of the mm held. Tries mmap_lock.
 */
void drm_svm_migrate_to_vram(struct drm_svm_range *range,
			     struct drm_svm_scratch *scratch,
			     const struct drm_svm_fault_entry *entries,
			     unsigned int n)
{
	struct mm_struct *mm = range->svm->mm;
	struct drm_svm_filler *filler;
	unsigned int i;

	lockdep_assert_held(&range->service_lock);

	if (!drm_svm_migrate_is_possible(range->svm, scratch, entries, n))
		return;
	filler = scratch->filler;
	for (i = 0; i < n;) {
		if (!mmap_read_trylock(mm))
			return;
		i += drm_svm_migrate_choose(range, filler, entries + i, n - i);
		mmap_read_unlock(mm);
		if (!filler->n)
			continue;
		drm_svm_filler_make_bos(filler);
		if (mmap_read_trylock(mm)) {
			drm_svm_filler_run(filler);
			mmap_read_unlock(mm);
		}
		drm_svm_filler_done(filler);
	}
}
