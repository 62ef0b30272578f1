// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/hugetlb_inline.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/rcupdate.h>

#include "drm_svm_compat.h"
#include "drm_svm_quirk.h"

/**
 * DOC: Entries that are no pages
 *
 * hmm_range_fault() reports an entry that never was and a page in swap as the
 * same, and a hole page by page. walk_page_range(), which could tell more, is
 * not exported, nor is what pte_offset_map() needs. So this file reads the page
 * table itself, for two questions: why is a page not there, and how far does a
 * hole reach.
 *
 * It takes no lock of the page table, and changes nothing. Tables of PTEs are
 * freed after an RCU grace period. The tables above them stay while mmap_lock
 * is held and the address is in a mapping. Tables of hugetlbfs, which processes
 * can share, are not looked at.
 *
 * Linux 7.2 and 7.3. Can go when hmm_range_fault() tells swap from nothing, and
 * the size of a hole; or when walk_page_range() is exported.
 */

/* Entries that are looked at for the end of a hole, at most */
#define DRM_SVM_PEEK_STEPS	2048

/*
 * Return the entry in the table of PMDs. If there is no such table, return
 * NULL, and in @size the bytes of the aligned block around @addr that are
 * empty; zero if they are one page instead.
 */
static pmd_t *drm_svm_peek_pmd(struct mm_struct *mm, unsigned long addr,
			       unsigned long *size)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d;
	pud_t *pud, entry;

	*size = PGDIR_SIZE;
	if (pgd_none(pgdp_get(pgd)))
		return NULL;
	p4d = p4d_offset(pgd, addr);
	*size = P4D_SIZE;
	if (p4d_none(p4dp_get(p4d)))
		return NULL;
	pud = pud_offset(p4d, addr);
	entry = pudp_get(pud);
	*size = PUD_SIZE;
	if (pud_none(entry))
		return NULL;
	*size = 0;
	if (!pud_present(entry) || pud_leaf(entry))
		return NULL;
	return pmd_offset(pud, addr);
}

static enum drm_svm_page_kind drm_svm_peek_kind(softleaf_t entry)
{
	if (softleaf_is_swap(entry))
		return DRM_SVM_PAGE_KIND_SWAP;
	if (softleaf_is_migration(entry))
		return DRM_SVM_PAGE_KIND_MOVING;
	if (softleaf_is_hwpoison(entry) || softleaf_is_poison_marker(entry) ||
	    softleaf_is_guard_marker(entry))
		return DRM_SVM_PAGE_KIND_BAD;
	/* a marker of userfaultfd */
	if (softleaf_is_marker(entry))
		return DRM_SVM_PAGE_KIND_EMPTY;
	/* in the memory of a device, or reserved for one */
	return DRM_SVM_PAGE_KIND_PRESENT;
}

/**
 * drm_svm_quirk_kind() - look why a page was not found
 * @vma: the mapping
 * @addr: the page
 *
 * Context: mmap_lock held.
 * Return: %DRM_SVM_PAGE_KIND_EMPTY, %DRM_SVM_PAGE_KIND_SWAP,
 * %DRM_SVM_PAGE_KIND_MOVING, %DRM_SVM_PAGE_KIND_BAD; or
 * %DRM_SVM_PAGE_KIND_PRESENT for any other entry.
 */
enum drm_svm_page_kind drm_svm_quirk_kind(struct vm_area_struct *vma,
					  unsigned long addr)
{
	unsigned long size;
	pmd_t *pmdp, pmd;
	pte_t pte;

	BUILD_BUG_ON(IS_ENABLED(CONFIG_HIGHPTE));
	mmap_assert_locked(vma->vm_mm);
	/* is never in swap */
	if (is_vm_hugetlb_page(vma))
		return DRM_SVM_PAGE_KIND_EMPTY;
	pmdp = drm_svm_peek_pmd(vma->vm_mm, addr, &size);
	if (!pmdp)
		return size ? DRM_SVM_PAGE_KIND_EMPTY : DRM_SVM_PAGE_KIND_PRESENT;

	guard(rcu)();
	pmd = pmdp_get_lockless(pmdp);
	if (pmd_none(pmd))
		return DRM_SVM_PAGE_KIND_EMPTY;
	if (!pmd_present(pmd))
		return drm_svm_peek_kind(softleaf_from_pmd(pmd));
	if (pmd_leaf(pmd) || pmd_bad(pmd))
		return DRM_SVM_PAGE_KIND_PRESENT;
	pte = ptep_get(pte_offset_kernel(&pmd, addr));
	if (pte_none(pte))
		return DRM_SVM_PAGE_KIND_EMPTY;
	if (pte_present(pte))
		return DRM_SVM_PAGE_KIND_PRESENT;
	return drm_svm_peek_kind(softleaf_from_pte(pte));
}

/**
 * drm_svm_quirk_skip_hole() - pass over addresses for which there is no table
 * @vma: the mapping
 * @start: first address, in the mapping
 * @end: end of the interval, not past that of the mapping
 *
 * Where there are tables of PTEs, nothing is passed over.
 *
 * Context: mmap_lock held. The time that this takes is bounded.
 * Return: an address from @start to @end; nothing is there before it.
 */
unsigned long drm_svm_quirk_skip_hole(struct vm_area_struct *vma,
				      unsigned long start, unsigned long end)
{
	unsigned long addr = start, size;
	unsigned int i;
	pmd_t *pmdp;

	mmap_assert_locked(vma->vm_mm);
	if (is_vm_hugetlb_page(vma))
		return start;
	for (i = 0; i < DRM_SVM_PEEK_STEPS && addr < end; i++) {
		pmdp = drm_svm_peek_pmd(vma->vm_mm, addr, &size);
		if (pmdp && pmd_none(pmdp_get_lockless(pmdp)))
			size = PMD_SIZE;
		if (!size)
			break;
		addr = min(addr | (size - 1), end - 1) + 1;
	}
	return addr;
}
