// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/hmm.h>
#include <linux/interval_tree_generic.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>

#include "drm_svm_internal.h"

/**
 * DOC: Splitting
 *
 * A huge page in VRAM that has to leave while RAM has no huge page for it must be
 * split, or it stays for ever. migrate_device_pages() cannot do that, and what
 * splits a folio is not exported to modules. But to collect a huge page with
 * migrate_vma_setup(), without asking for huge pages, splits it, wherever it is
 * mapped. All that takes is one process that has it.
 *
 * Who that is, the BO cannot know: the pages may have gone to a child, and the
 * process that filled it may be dead. So the reverse map of anonymous memory is
 * asked, in the way of folio_lock_anon_vma_read(). All locks are tried only, so it
 * works under any lock of ours; who is in the way of one try is not for the next.
 */

/* Processes that have the page, and mappings that may or may not have it. */
#define DRM_SVM_SPLIT_TRIES	16
#define DRM_SVM_SPLIT_MAPPINGS	65536

static unsigned long drm_svm_avc_start(struct anon_vma_chain *avc)
{
	return avc->vma->vm_pgoff;
}

static unsigned long drm_svm_avc_last(struct anon_vma_chain *avc)
{
	return avc->vma->vm_pgoff + vma_pages(avc->vma) - 1;
}

/* The tree that mm/interval_tree.c maintains; here it is only read. */
INTERVAL_TREE_DEFINE(struct anon_vma_chain, rb, unsigned long, rb_subtree_last,
		     drm_svm_avc_start, drm_svm_avc_last, static inline,
		     drm_svm_avc_tree)

/* Locked; the folio is locked too. NULL: not mapped, or its lock is taken. */
static struct anon_vma *drm_svm_split_trylock_anon_vma(struct folio *folio)
{
	unsigned long mapping;
	struct anon_vma *anon_vma;
	struct rw_semaphore *lock;

	/* an anon_vma that is freed stays one until the end of this section */
	guard(rcu)();
	mapping = (unsigned long)READ_ONCE(folio->mapping);
	if ((mapping & FOLIO_MAPPING_FLAGS) != FOLIO_MAPPING_ANON ||
	    !folio_mapped(folio))
		return NULL;
	anon_vma = (struct anon_vma *)(mapping - FOLIO_MAPPING_ANON);
	lock = &READ_ONCE(anon_vma->root)->rwsem;
	if (!down_read_trylock(lock))
		return NULL;
	/* mapped still: it was the right one, and stays while we have its lock */
	if (folio_mapped(folio))
		return anon_vma;
	up_read(lock);
	return NULL;
}

/* The mm of a mapping, with a user and mmap_lock held, unless that is taken. */
static struct mm_struct *drm_svm_split_trylock_mm(struct vm_area_struct *vma)
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
 * A process that may have a folio, which is locked, and where; the first @skip are
 * passed over.
 */
static struct mm_struct *drm_svm_split_find(struct folio *folio,
					    unsigned int skip,
					    unsigned long *addr)
{
	unsigned long first = folio->index;
	unsigned long last = first + folio_nr_pages(folio) - 1;
	struct anon_vma *anon_vma = drm_svm_split_trylock_anon_vma(folio);
	struct mm_struct *mm = NULL;
	struct anon_vma_chain *avc;

	if (!anon_vma)
		return NULL;
	for (avc = drm_svm_avc_tree_iter_first(&anon_vma->rb_root, first, last);
	     avc && !mm;
	     avc = drm_svm_avc_tree_iter_next(avc, first, last)) {
		if (skip) {
			skip--;
			continue;
		}
		mm = drm_svm_split_trylock_mm(avc->vma);
		/* wraps where the mapping begins within the folio */
		*addr = avc->vma->vm_start +
			((first - avc->vma->vm_pgoff) << PAGE_SHIFT);
	}
	up_read(&anon_vma->root->rwsem);
	return mm;
}

/* Whether the process has a part of the folio from @addr on, with mmap_lock held. */
static bool drm_svm_split_has(struct mm_struct *mm, unsigned long addr,
			      const struct folio *folio)
{
	unsigned long pfn;

	if (drm_svm_mirror_peek(mm, addr, addr + PAGE_SIZE, &pfn) ||
	    !(pfn & HMM_PFN_VALID))
		return false;
	pfn = page_to_pfn(hmm_pfn_to_page(pfn));
	return pfn >= folio_pfn(folio) &&
	       pfn < folio_pfn(folio) + DRM_SVM_RANGE_PAGES;
}

/*
 * Collect a folio where it is mapped, and put it back. Returns whether it was there.
 */
static bool drm_svm_split_collect(struct mm_struct *mm, unsigned long addr,
				  const struct folio *folio,
				  struct drm_svm_migration *m)
{
	unsigned long end = addr + DRM_SVM_RANGE_SIZE;
	struct vm_area_struct *vma;

	vma = find_vma_intersection(mm, addr, end);
	if (!vma || !drm_svm_split_has(mm, max(addr, vma->vm_start), folio))
		return false;
	drm_svm_migration_reset(m, NULL);
	m->args.vma = vma;
	m->args.start = max(addr, vma->vm_start);
	m->args.end = min(end, vma->vm_end);
	m->args.pgmap_owner = (void *)&drm_svm_pagemap_owner;
	m->args.flags = MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
	if (!migrate_vma_setup(&m->args))
		migrate_vma_finalize(&m->args);
	return true;
}

/* One mapping; returns false at the end. Counts those that have the page. */
static bool drm_svm_split_once(struct drm_svm_vram *vram, unsigned long index,
			       struct drm_svm_migration *m, unsigned int skip,
			       unsigned int *found)
{
	struct folio *folio = drm_svm_vram_get_folio(vram, index);
	struct mm_struct *mm = NULL;
	unsigned long addr;

	if (!folio)
		return false;
	if (folio_trylock(folio)) {
		if (folio_test_large(folio))
			mm = drm_svm_split_find(folio, skip, &addr);
		folio_unlock(folio);
	}
	/* a reference too many, and it would not be split; used as a number from here */
	folio_put(folio);
	if (!mm)
		return false;
	*found += drm_svm_split_collect(mm, addr, folio, m);
	mmap_read_unlock(mm);
	mmput_async(mm);
	return true;
}

/**
 * drm_svm_split() - split a huge page in VRAM
 * @vram: the VRAM
 * @index: its first page
 * @m: memory for a migration of a whole range
 *
 * Best effort. Its pages stay where they are, in VRAM and in page tables.
 *
 * Context: process context. Only tries locks.
 */
void drm_svm_split(struct drm_svm_vram *vram, unsigned long index,
		   struct drm_svm_migration *m)
{
	unsigned int skip, found = 0;

	for (skip = 0; skip < DRM_SVM_SPLIT_MAPPINGS; skip++) {
		if (!drm_svm_split_once(vram, index, m, skip, &found) ||
		    found == DRM_SVM_SPLIT_TRIES)
			break;
		cond_resched();
	}
}
