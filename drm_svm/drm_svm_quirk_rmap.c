// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/interval_tree_generic.h>
#include <linux/mm.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>

#include "drm_svm_compat.h"
#include "drm_svm_quirk.h"

/**
 * DOC: Quirk: nothing that finds the mappings of a folio is exported
 *
 * Kernels: 7.2, 7.3. Remove when rmap_walk() is exported, or huge device pages
 * can be evicted by their numbers.
 *
 * A BO cannot know which processes have its pages: they may have gone to a
 * child, or have moved within the address space, and the process that filled
 * the BO may be dead. So this walks the reverse map of anonymous memory as
 * folio_lock_anon_vma_read() does. All locks are only trylocked, so it works
 * under any lock of ours; a lock that is contended in one try may be free in
 * the next.
 */

/*
 * Most mappings that have the page, and most mappings that may or may not have
 * it. The number is limited because the tree is walked from its beginning for
 * each.
 */
#define DRM_SVM_RMAP_FOUND	16
#define DRM_SVM_RMAP_LOOKED_AT	1024

/*
 * The page offset by which anonymous pages of a mapping are indexed; for a
 * private mapping of /dev/zero it is not that of the file.
 */
static unsigned long drm_svm_avc_start(struct anon_vma_chain *avc)
{
	return vma_start_anon_pgoff(avc->vma);
}

static unsigned long drm_svm_avc_last(struct anon_vma_chain *avc)
{
	return drm_svm_avc_start(avc) + vma_pages(avc->vma) - 1;
}

/* The tree that mm/interval_tree.c maintains; here it is only read. */
INTERVAL_TREE_DEFINE(struct anon_vma_chain, rb, unsigned long, rb_subtree_last,
		     drm_svm_avc_start, drm_svm_avc_last, static inline,
		     drm_svm_avc_tree)

/*
 * Lock the anon_vma of a folio, which is locked too, for reading. NULL if it is
 * not mapped, or the lock is contended.
 */
static struct anon_vma *drm_svm_rmap_trylock_anon_vma(struct folio *folio)
{
	unsigned long mapping;
	struct anon_vma *anon_vma;
	struct rw_semaphore *lock;

	/* a freed anon_vma stays an anon_vma until the end of this section */
	guard(rcu)();
	mapping = (unsigned long)READ_ONCE(folio->mapping);
	if ((mapping & FOLIO_MAPPING_FLAGS) != FOLIO_MAPPING_ANON ||
	    !folio_mapped(folio))
		return NULL;
	anon_vma = (struct anon_vma *)(mapping - FOLIO_MAPPING_ANON);
	lock = &READ_ONCE(anon_vma->root)->rwsem;
	if (!down_read_trylock(lock))
		return NULL;
	/* still mapped: it is the right one, and the lock keeps it */
	if (folio_mapped(folio))
		return anon_vma;
	up_read(lock);
	return NULL;
}

/* The mm of a mapping, with a user and mmap_lock held, or NULL if contended. */
static struct mm_struct *drm_svm_rmap_trylock_mm(struct vm_area_struct *vma)
{
	struct mm_struct *mm = vma->vm_mm;

	if (!mmget_not_zero(mm))
		return NULL;
	if (mmap_read_trylock(mm))
		return mm;
	mmput_async(mm);
	return NULL;
}

/*
 * Find a process that may have a folio, which is locked, and where. The first
 * @skip mappings are passed over.
 */
static void drm_svm_rmap_find(struct folio *folio, unsigned int skip,
			      struct drm_svm_rmap_place *place)
{
	unsigned long first = folio->index;
	unsigned long last = first + folio_nr_pages(folio) - 1;
	struct anon_vma *anon_vma = drm_svm_rmap_trylock_anon_vma(folio);
	struct anon_vma_chain *avc;

	if (!anon_vma)
		return;
	for (avc = drm_svm_avc_tree_iter_first(&anon_vma->rb_root, first, last);
	     avc && !place->mm;
	     avc = drm_svm_avc_tree_iter_next(avc, first, last)) {
		if (skip) {
			skip--;
			continue;
		}
		place->mm = drm_svm_rmap_trylock_mm(avc->vma);
		if (!place->mm)
			continue;
		place->start = avc->vma->vm_start;
		/* wraps if the mapping begins within the folio */
		place->addr = avc->vma->vm_start +
			      ((first - drm_svm_avc_start(avc)) << PAGE_SHIFT);
	}
	up_read(&anon_vma->root->rwsem);
}

/* Visit one mapping; false: there is none. Counts those that have the page. */
static bool drm_svm_rmap_one(struct drm_svm_vram *vram, unsigned long index,
			     unsigned int skip, unsigned int *found,
			     const struct drm_svm_rmap_visitor *visitor)
{
	struct folio *folio = drm_svm_vram_get_folio(vram, index);
	struct drm_svm_rmap_place place = { .folio = folio };

	if (!folio)
		return false;
	if (folio_trylock(folio)) {
		place.large = folio_test_large(folio);
		place.shared = folio_mapcount(folio) > 1;
		drm_svm_rmap_find(folio, skip, &place);
		folio_unlock(folio);
	}
	/* with this reference it would not move; only a number from here on */
	folio_put(folio);
	if (!place.mm)
		return false;
	*found += visitor->visit(visitor, &place);
	mmap_read_unlock(place.mm);
	mmput_async(place.mm);
	return true;
}

/**
 * drm_svm_rmap_walk() - visit a folio wherever it is mapped
 * @vram: the VRAM
 * @index: its first page
 * @visitor: called for each mapping that may have it
 *
 * Best effort: mappings whose locks are contended are left out.
 *
 * Context: process context. Only trylocks.
 */
void drm_svm_rmap_walk(struct drm_svm_vram *vram, unsigned long index,
		       const struct drm_svm_rmap_visitor *visitor)
{
	unsigned int skip, found = 0;

	for (skip = 0; skip < DRM_SVM_RMAP_LOOKED_AT; skip++) {
		if (!drm_svm_rmap_one(vram, index, skip, &found, visitor) ||
		    found == DRM_SVM_RMAP_FOUND || drm_svm_vram_is_interrupted(vram))
			break;
		cond_resched();
	}
}
