// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/hmm.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/rculist.h>
#include <linux/wait_bit.h>

#include "drm_svm_vram.h"

/**
 * DOC: Pages by their numbers
 *
 * A walk of a page table reports pages by PFN. Nothing keeps such a page: its
 * GPU may be removed at any time, and the struct page with it. So a PFN is
 * looked up in the list of all VRAM, under RCU. A struct page of a device is
 * accessed only in that RCU section, with a reference to the page, or under
 * &drm_svm_range.pt_lock with a good sequence.
 */

/* Changed under the mutex, read under RCU. */
static DEFINE_MUTEX(drm_svm_vrams_lock);
static LIST_HEAD(drm_svm_vrams);

/* From now on device pages of @vram can be looked up. */
void drm_svm_vram_enlist(struct drm_svm_vram *vram)
{
	guard(mutex)(&drm_svm_vrams_lock);
	list_add_tail_rcu(&vram->link, &drm_svm_vrams);
}

/* On return nothing accesses device pages of @vram without a reference. */
void drm_svm_vram_delist(struct drm_svm_vram *vram)
{
	scoped_guard(mutex, &drm_svm_vrams_lock)
		list_del_rcu(&vram->link);
	synchronize_rcu();
	drm_svm_vram_wait_users(vram);
}

/**
 * drm_svm_pfn_vram() - the VRAM of a page that a walk found
 * @pfn: what hmm_range_fault() says of the page
 *
 * Context: RCU read-side critical section, in which the VRAM and the struct
 * page stay. To use the VRAM after it, increment &drm_svm_vram.users, and call
 * drm_svm_vram_put() soon.
 * Return: the VRAM; NULL when the page is in none, or there is no page.
 */
struct drm_svm_vram *drm_svm_pfn_vram(unsigned long pfn)
{
	unsigned long number = pfn & ~HMM_PFN_FLAGS;
	struct drm_svm_vram *vram;

	if (!(pfn & HMM_PFN_VALID))
		return NULL;
	list_for_each_entry_rcu(vram, &drm_svm_vrams, link) {
		if (number - PHYS_PFN(vram->pagemap.range.start) < vram->npages)
			return vram;
	}
	return NULL;
}

/* Return whether a page that a walk found is in the VRAM of any GPU. */
bool drm_svm_pfn_is_vram(unsigned long pfn)
{
	guard(rcu)();
	return drm_svm_pfn_vram(pfn);
}

/* The folio of a page that a walk found if it is in RAM, else NULL. */
struct folio *drm_svm_pfn_folio(unsigned long pfn)
{
	struct page *page = NULL;

	if (drm_svm_pfn_is_valid(pfn))
		page = pfn_to_online_page(pfn & ~HMM_PFN_FLAGS);
	return page ? page_folio(page) : NULL;
}

/*
 * Return whether a page that a walk found belongs to no file and is not the
 * zero page.
 */
bool drm_svm_pfn_is_anon(unsigned long pfn)
{
	struct folio *folio = drm_svm_pfn_folio(pfn);

	return folio ? folio_test_anon(folio) : drm_svm_pfn_is_vram(pfn);
}

/* Return whether a page that a walk found was merged by KSM. */
bool drm_svm_pfn_is_ksm(unsigned long pfn)
{
	struct folio *folio = drm_svm_pfn_folio(pfn);

	return folio && folio_test_ksm(folio);
}

/*
 * Return whether a page that a walk found has lost its data. A page that is
 * being freed has no BO either, so it counts only where pages are poisoned, and
 * while it has a reference.
 */
bool drm_svm_pfn_is_poisoned(unsigned long pfn)
{
	struct drm_svm_vram *vram;
	struct page *page;

	guard(rcu)();
	vram = drm_svm_pfn_vram(pfn);
	if (!vram || !READ_ONCE(vram->npoisoned))
		return false;
	page = hmm_pfn_to_page(pfn);
	return drm_svm_folio_is_poisoned(page_folio(page)) && page_count(page);
}

/* Return whether a GPU can access a page that a walk found where it is. */
bool drm_svm_pfn_is_usable(unsigned long pfn, const struct drm_svm_device *sdev)
{
	guard(rcu)();
	return !drm_svm_pfn_vram(pfn) ||
	       drm_svm_page_is_reachable(hmm_pfn_to_page(pfn), sdev);
}

/**
 * drm_svm_walk_peek() - look what the CPU has at some addresses
 * @mm: the address space
 * @start: first address
 * @end: address past the last one
 * @pfns: returns what hmm_range_fault() says of each page
 *
 * The result may be out of date on return, so nothing is mapped from it.
 *
 * Context: mmap_lock of @mm held.
 * Return: 0 or an error of hmm_range_fault().
 */
int drm_svm_walk_peek(struct mm_struct *mm, unsigned long start,
		      unsigned long end, unsigned long *pfns)
{
	/* is in no interval tree, so the walk never sees it change */
	struct mmu_interval_notifier nobody = { .mm = mm };
	struct hmm_range hmm = {
		.notifier = &nobody,
		.start = start,
		.end = end,
		.hmm_pfns = pfns,
		.dev_private_owner = (void *)&drm_svm_pagemap_owner,
	};

	memset(pfns, 0, ((end - start) >> PAGE_SHIFT) * sizeof(*pfns));
	return hmm_range_fault(&hmm);
}
