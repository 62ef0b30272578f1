// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/hmm.h>
#include <linux/memcontrol.h>
#include <linux/memory_hotplug.h>
#include <linux/migrate.h>
#include <linux/mm.h>

#include "drm_svm_quirk.h"

/**
 * DOC: Quirk: a zap drops what the entry of a migration does not have
 *
 * When a huge entry is zapped while its device page migrates,
 * zap_huge_pmd_folio() takes the migration entry for the entry of the page, and
 * drops a mapping and a reference that it does not have.
 *
 * Kernels: 7.2, 7.3. Remove when zap_huge_pmd_folio() looks at the entry, not
 * at the folio.
 *
 * So references are added while an entry may be zapped, and the mapcount tells
 * how many of them were dropped: the page is locked and not mapped, so the
 * count has nothing else. What remains is the moment of the commit, which
 * counts references. A zap in this moment makes the commit fail, for a page
 * that no process has any more, and drops the reference that comes with
 * &migrate_vma.fault_page.
 */

#define DRM_SVM_SPARE_REFS	1024

/**
 * drm_svm_quirk_guard_huge() - give a migration's huge page spare references
 * @m: the migration, collected
 *
 * Return: the page, for drm_svm_quirk_unguard_huge(), or NULL when there is
 * none.
 */
struct folio *drm_svm_quirk_guard_huge(struct drm_svm_migration *m)
{
	struct page *src = migrate_pfn_to_page(m->src[0]);
	struct folio *folio;

	if (!src || !(m->src[0] & MIGRATE_PFN_MIGRATE))
		return NULL;
	folio = page_folio(src);
	if (!folio_test_large(folio))
		return NULL;
	folio_ref_add(folio, DRM_SVM_SPARE_REFS);
	return folio;
}

/**
 * drm_svm_quirk_unguard_huge() - take back the spare references that are left
 * @folio: the page, or NULL
 */
void drm_svm_quirk_unguard_huge(struct folio *folio)
{
	int zapped;

	if (!folio)
		return;
	zapped = -folio_entire_mapcount(folio);
	if (zapped > 0) {
		atomic_set(&folio->_entire_mapcount, -1);
		atomic_set(&folio->_large_mapcount, -1);
		atomic_set(&folio->_nr_pages_mapped, 0);
	}
	folio_put_refs(folio, DRM_SVM_SPARE_REFS - max(zapped, 0));
}

/* The walk's entry of an address, or zero if the CPU has nothing there */
static unsigned long drm_svm_quirk_peek(struct vm_area_struct *vma, unsigned long addr)
{
	unsigned long pfn;

	if (drm_svm_walk_peek(vma->vm_mm, addr, addr + PAGE_SIZE, &pfn))
		return 0;
	return pfn & HMM_PFN_VALID ? pfn : 0;
}

/* Return whether the CPU has nothing there, or the zero page. */
static bool drm_svm_quirk_is_hole(unsigned long pfn)
{
	struct folio *folio = drm_svm_pfn_folio(pfn);

	return !(pfn & HMM_PFN_VALID) || (folio && !folio_test_anon(folio));
}

/*
 * Return whether pages of the mapping may have been shared with another
 * process, because the process has forked or is a child. Core mm takes the
 * write_protect_seq of @vma->vm_mm at each fork, and the chain of a child's
 * mapping begins with that of its parent's.
 */
static bool drm_svm_quirk_was_forked(struct vm_area_struct *vma)
{
	return READ_ONCE(vma->anon_vma) &&
	       (raw_read_seqcount(&vma->vm_mm->write_protect_seq) ||
		!list_is_singular(&vma->anon_vma_chain));
}

/**
 * DOC: Quirk: soft-dirty is taken for writable
 *
 * remove_migration_pmd(), which puts a huge device page in place, tests the
 * writable bit in the entry of a device page, where that bit means soft-dirty.
 * For a page that fork() has left to two processes this ends in a VM_BUG_ON()
 * on 7.2, in a warning on 7.3.
 *
 * Kernels: 7.2, 7.3. Remove when remove_migration_pmd() looks at the entry of
 * the migration.
 *
 * So such a page is split, and its pages move one by one.
 */

/**
 * drm_svm_quirk_may_be_huge() - may a huge page move to VRAM whole
 * @vma: the mapping
 * @start: where the page begins
 *
 * Context: mmap_lock held, so no fork() changes the answer.
 * Return: false when it must be split.
 */
bool drm_svm_quirk_may_be_huge(struct vm_area_struct *vma, unsigned long start)
{
	unsigned long pfn;
	struct page *page;

	mmap_assert_locked(vma->vm_mm);
	if (!drm_svm_quirk_was_forked(vma))
		return true;
	pfn = drm_svm_quirk_peek(vma, start);
	if (drm_svm_quirk_is_hole(pfn) || pfn & HMM_PFN_WRITE)
		return true;
	/* not PageAnonExclusive(): it asserts too, for a page just freed */
	page = pfn_to_online_page(pfn & ~HMM_PFN_FLAGS);
	return !page || test_bit(PG_anon_exclusive, &page->flags.f);
}

/**
 * DOC: Quirk: places of pages of KSM are not all known
 *
 * After fork(), KSM may know the mappings of its pages only through the
 * relative that had them merged. Once that relative has other pages there, the
 * reverse map no longer finds the pages in our mapping, nor a migration entry
 * for one: the entry would stay, and every access to it would be retried for
 * ever.
 *
 * Kernels: 7.2, 7.3. Remove when KSM knows its places for those that share them
 * by fork.
 *
 * So if a process has forked, or is a child, what has pages of KSM is not
 * collected. drm_svm_policy_may_move() leaves out what KSM may merge now.
 */

/**
 * drm_svm_quirk_has_ksm() - are there pages of KSM that must not be collected
 * @vma: the mapping
 * @start: first address
 * @end: address past the last one
 * @pfns: room for a word a page
 *
 * Context: mmap_lock held.
 * Return: whether there are, or may be.
 */
bool drm_svm_quirk_has_ksm(struct vm_area_struct *vma, unsigned long start,
			   unsigned long end, unsigned long *pfns)
{
	unsigned int i, n = (end - start) >> PAGE_SHIFT;

	mmap_assert_locked(vma->vm_mm);
	if (!drm_svm_quirk_was_forked(vma))
		return false;
	if (drm_svm_walk_peek(vma->vm_mm, start, end, pfns))
		return true;
	for (i = 0; i < n && !drm_svm_pfn_is_huge(pfns[i]); i++) {
		if (drm_svm_pfn_is_ksm(pfns[i]))
			return true;
	}
	return false;
}

/**
 * DOC: Quirk: a huge page that fills a hole makes no split queue of its cgroup
 *
 * Each memory cgroup has a queue of huge pages that may be split. A CPU fault
 * makes it (folio_memcg_alloc_deferred(), which is not exported), but
 * migrate_vma, which fills a hole, does not. Without it a huge page is queued
 * on the queue of the parent, and later dequeued from that of the cgroup, under
 * another lock, once there is one.
 *
 * Kernels: 7.2, 7.3. Remove when migrate_vma_insert_huge_pmd_page() calls
 * folio_memcg_alloc_deferred().
 *
 * So the first huge page of a cgroup is made in system memory, and moved. If no
 * huge page is available, small ones are moved.
 */

/* ID of the memory cgroup of @mm, or zero for the root or none. */
static u64 drm_svm_quirk_cgroup(struct mm_struct *mm)
{
	struct mem_cgroup *memcg = get_mem_cgroup_from_mm(mm);
	u64 id = 0;

	if (memcg && !mem_cgroup_is_root(memcg))
		id = mem_cgroup_id(memcg);
	mem_cgroup_put(memcg);
	return id;
}

/**
 * drm_svm_quirk_lacks_split_queue() - may the process lack a split queue
 * @svm: the address space
 *
 * Return: whether drm_svm_quirk_make_split_queue() is to come before a hole is
 * filled.
 */
bool drm_svm_quirk_lacks_split_queue(struct drm_svm *svm)
{
	return READ_ONCE(svm->huge_cgroup) != drm_svm_quirk_cgroup(svm->mm);
}

/**
 * drm_svm_quirk_make_split_queue() - let a CPU fault fill a hole, if it is one
 * @svm: the address space
 * @vma: the mapping
 * @start: a range where a huge page is to be made
 *
 * Context: mmap_lock held, also on return.
 */
void drm_svm_quirk_make_split_queue(struct drm_svm *svm, struct vm_area_struct *vma,
				    unsigned long start)
{
	u64 id = drm_svm_quirk_cgroup(svm->mm);
	unsigned long pfn;

	mmap_assert_locked(svm->mm);
	if (!drm_svm_quirk_is_hole(drm_svm_quirk_peek(vma, start)))
		return;
	handle_mm_fault(vma, start, FAULT_FLAG_WRITE | FAULT_FLAG_REMOTE, NULL);
	pfn = drm_svm_quirk_peek(vma, start);
	if (pfn && drm_svm_policy_is_whole(vma, start, pfn))
		WRITE_ONCE(svm->huge_cgroup, id);
}
