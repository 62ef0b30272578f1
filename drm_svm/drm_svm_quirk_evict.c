// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/hmm.h>
#include <linux/migrate.h>
#include <linux/mm.h>

#include "drm_svm_quirk.h"

/**
 * DOC: Quirk: huge pages cannot be evicted by their numbers
 *
 * migrate_device_pfns() takes small pages wherever they are mapped. A huge page
 * must not go that way, because of the moment in which its entry is none
 * (drm_svm_quirk_hold.c). And if system memory has no huge page for it, it has
 * to be split first, but no function that splits a folio is exported to
 * modules.
 *
 * Kernels: 7.2, 7.3. Remove when set_pmd_migration_entry() replaces the entry
 * at once, and folio_split() or the like is exported.
 *
 * So a huge page is looked up where it is mapped. If it is mapped once, in a
 * range, which has our notifier, the range is held and the page moves whole.
 * Else it is split, and its pages move one by one: collecting it with
 * migrate_vma_setup(), without asking for huge pages, splits it wherever it is
 * mapped.
 */

static bool drm_svm_quirk_evict_is_of(unsigned long pfn, const struct folio *folio)
{
	if (!(pfn & HMM_PFN_VALID))
		return false;
	pfn &= ~HMM_PFN_FLAGS;
	return pfn >= folio_pfn(folio) &&
	       pfn < folio_pfn(folio) + DRM_SVM_RANGE_PAGES;
}

/*
 * Return whether the CPU has any page of the folio, which begins at @addr. The
 * first page may be gone (MADV_DONTNEED), or be before the mapping. A mapping
 * without PROT_READ cannot be walked, so it may have the folio.
 */
static bool drm_svm_quirk_evict_is_at(struct drm_svm_migration *m,
				      struct vm_area_struct *vma, unsigned long addr,
				      const struct folio *folio)
{
	unsigned long start = max(addr, vma->vm_start);
	unsigned long end = min(addr + DRM_SVM_RANGE_SIZE, vma->vm_end);
	unsigned long *pfns = m->src;
	unsigned int i;

	if (!(vma->vm_flags & VM_READ))
		return true;
	if (drm_svm_walk_peek(vma->vm_mm, start, end, pfns))
		return false;
	for (i = 0; i < (end - start) >> PAGE_SHIFT; i++) {
		if (drm_svm_quirk_evict_is_of(pfns[i], folio))
			return true;
	}
	return false;
}

/* Return whether the CPU maps the folio at @addr as a huge page. */
static bool drm_svm_quirk_evict_is_huge_at(struct mm_struct *mm, unsigned long addr,
					   const struct folio *folio)
{
	unsigned long pfn;

	return !drm_svm_walk_peek(mm, addr, addr + PAGE_SIZE, &pfn) &&
	       drm_svm_quirk_evict_is_of(pfn, folio) && drm_svm_pfn_is_huge(pfn);
}

static bool drm_svm_quirk_evict_trylock(struct folio *folio)
{
	if (!folio_try_get(folio))
		return false;
	if (folio_trylock(folio))
		return true;
	folio_put(folio);
	return false;
}

/*
 * Return whether the huge page at @addr migrated to RAM. With its range held,
 * it is collected only if its entry has not changed since it was looked at. As
 * in a CPU fault the page is locked and has one reference more, for a zap
 * during the copy to drop.
 */
static bool drm_svm_quirk_evict_held(struct drm_svm_eviction *e,
				     struct vm_area_struct *vma, unsigned long addr,
				     struct drm_svm_range *range, struct folio *folio)
{
	struct drm_svm_migration *m = e->m;
	bool locked, collected;

	drm_svm_ram_prepare(m, e->bo->vram, vma, addr, addr + DRM_SVM_RANGE_SIZE,
			    folio_page(folio, 0));
	if (!drm_svm_quirk_hold(range, &m->args))
		return false;
	locked = drm_svm_quirk_evict_is_huge_at(vma->vm_mm, addr, folio) &&
		 drm_svm_quirk_evict_trylock(folio);
	collected = locked && !drm_svm_ram_collect(m);
	drm_svm_quirk_release(range);
	if (collected && (drm_svm_ram_run(m, &e->moved) || m->split))
		collected = false;
	if (locked) {
		folio_unlock(folio);
		folio_put(folio);
	}
	return collected;
}

/*
 * Return whether the folio, which is mapped nowhere else, migrated to RAM from
 * @addr. RAM is allocated before the folio is locked, because reclaim calls
 * notifiers, and may wait for locks of folios.
 */
static bool drm_svm_quirk_evict_whole(struct drm_svm_eviction *e,
				      struct vm_area_struct *vma, unsigned long addr,
				      struct folio *folio)
{
	struct drm_svm_range *range;
	bool done = false;

	if (addr & ~DRM_SVM_RANGE_MASK || !drm_svm_vma_has_range(vma, addr) ||
	    !drm_svm_quirk_evict_is_huge_at(vma->vm_mm, addr, folio))
		return false;
	range = drm_svm_space_lookup_range(vma->vm_mm, addr);
	if (!range)
		return false;
	if (drm_svm_ram_reserve(e->m, folio_pfn(folio), vma, addr, HPAGE_PMD_ORDER))
		done = drm_svm_quirk_evict_held(e, vma, addr, range, folio);
	drm_svm_ram_unreserve(e->m);
	drm_svm_range_put(range);
	return done;
}

/*
 * Collect the folio where it is mapped, which splits it, and put it back: its
 * pages stay where they are.
 */
static void drm_svm_quirk_evict_split(struct drm_svm_migration *m,
				      struct vm_area_struct *vma, unsigned long addr)
{
	drm_svm_migration_reset(m, NULL);
	m->args.vma = vma;
	m->args.start = max(addr, vma->vm_start);
	m->args.end = min(addr + DRM_SVM_RANGE_SIZE, vma->vm_end);
	m->args.pgmap_owner = (void *)&drm_svm_pagemap_owner;
	m->args.flags = MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
	if (!migrate_vma_setup(&m->args))
		migrate_vma_finalize(&m->args);
}

/**
 * drm_svm_quirk_evict_huge() - evict a huge page from where it may be mapped
 * @e: the eviction
 * @place: the place
 *
 * Context: mmap_lock of the place held.
 * Return: whether it is mapped there; then it has left VRAM, or was split.
 */
bool drm_svm_quirk_evict_huge(struct drm_svm_eviction *e,
			      const struct drm_svm_rmap_place *place)
{
	unsigned long addr = place->addr;
	struct vm_area_struct *vma;

	mmap_assert_locked(place->mm);
	vma = find_vma_intersection(place->mm, max(addr, place->start),
				    addr + DRM_SVM_RANGE_SIZE);
	if (!vma || !drm_svm_quirk_evict_is_at(e->m, vma, addr, place->folio))
		return false;
	if (place->shared || !drm_svm_quirk_evict_whole(e, vma, addr, place->folio))
		drm_svm_quirk_evict_split(e->m, vma, addr);
	return true;
}
