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
 * When a huge entry is zapped while its device page migrates, zap_huge_pmd_folio() takes
 * the entry of the migration for that of the page, and drops a mapping and a reference that
 * it does not have.
 *
 * Kernels: 7.2, 7.3. Remove when zap_huge_pmd_folio() looks at the entry, not at the folio.
 *
 * So references are added while an entry may be zapped, and the count of mappings tells how
 * many were taken. The page is locked and not mapped, so there are none but those. Left over
 * is the moment of the commit, which counts references. A zap in this moment makes the
 * commit fail, for a page that nobody has any more. It drops the reference that comes with
 * &migrate_vma.fault_page.
 */

#define DRM_SVM_SPARE_REFS	1024

/**
 * drm_svm_quirk_guard_huge() - give the huge page of a migration spare references
 * @m: the migration, collected
 *
 * Return: the page, for drm_svm_quirk_unguard_huge(), or NULL when it is none.
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
 * drm_svm_quirk_unguard_huge() - take the spare references back that are left
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

/* What the CPU has at an address; zero: nothing */
static unsigned long drm_svm_quirk_peek(struct vm_area_struct *vma, unsigned long addr)
{
	unsigned long pfn;

	if (drm_svm_walk_peek(vma->vm_mm, addr, addr + PAGE_SIZE, &pfn))
		return 0;
	return pfn & HMM_PFN_VALID ? pfn : 0;
}

/* Nothing is there, or the zero page: what is put there is new. */
static bool drm_svm_quirk_is_hole(unsigned long pfn)
{
	struct folio *folio = drm_svm_pfn_folio(pfn);

	return !(pfn & HMM_PFN_VALID) || (folio && !folio_test_anon(folio));
}

/*
 * Whether pages of the mapping may have been those of another process too: it forked, or
 * is a child. Core mm takes the count of @vma->vm_mm at each fork, and a child's mapping
 * begins with the chain of its parent's.
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
 * remove_migration_pmd(), which puts a huge device page in place, looks for the bit that says
 * writable in an entry where it means soft-dirty. For a page that a fork() has left
 * to two processes it ends in a VM_BUG_ON() on 7.2, in a warning on 7.3.
 *
 * Kernels: 7.2, 7.3. Remove when remove_migration_pmd() looks at the entry of the migration.
 *
 * So such a page moves in pieces.
 */

/**
 * drm_svm_quirk_may_be_huge() - may a huge page move to VRAM whole
 * @vma: the mapping
 * @start: where the page begins
 *
 * Context: mmap_lock held: no fork() changes the answer meanwhile.
 * Return: false when it must be split.
 */
bool drm_svm_quirk_may_be_huge(struct vm_area_struct *vma, unsigned long start)
{
	unsigned long pfn;
	struct page *page;

	if (!drm_svm_quirk_was_forked(vma))
		return true;
	pfn = drm_svm_quirk_peek(vma, start);
	if (drm_svm_quirk_is_hole(pfn) || pfn & HMM_PFN_WRITE)
		return true;
	/* not PageAnonExclusive(): it stops too, if the page has just gone */
	page = pfn_to_online_page(pfn & ~HMM_PFN_FLAGS);
	return !page || test_bit(PG_anon_exclusive, &page->flags.f);
}

/**
 * DOC: Quirk: places of pages of KSM are not all known
 *
 * Where another process had pages merged that it shares with this one, KSM forgets them
 * once that one has others. They stay in this mapping, but core mm does not find them there
 * any more, and so not the entry of a migration either: it would stay, and whoever touches
 * it would try for ever.
 *
 * Kernels: 7.2, 7.3. Remove when KSM knows its places for those that share them by fork.
 *
 * So where a process has forked, or is a child, what has pages of KSM is not collected.
 * drm_svm_policy_may_move() leaves out what KSM may merge now.
 */

/**
 * drm_svm_quirk_has_ksm() - are there pages that must not be collected
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
 * DOC: Quirk: a huge page that fills a hole makes no split queue for its memory cgroup
 *
 * Each memory cgroup has a queue of huge pages that may be split. The fault of a CPU makes
 * it (folio_memcg_alloc_deferred(), which is not exported), but not migrate_vma, which
 * fills a hole. Such a page goes by the queue of the parent then, and by another one, of
 * another lock, once the cgroup has one.
 *
 * Kernels: 7.2, 7.3. Remove when migrate_vma_insert_huge_pmd_page() calls
 * folio_memcg_alloc_deferred().
 *
 * So the first huge page of a cgroup is made in system memory, and moved. Where no huge
 * page is to be had, small ones are moved.
 */

/* Of the memory controller; zero: the root, or none. */
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
 * drm_svm_quirk_lacks_split_queue() - may the process be in a cgroup without a split queue
 * @svm: the address space
 *
 * Return: whether drm_svm_quirk_make_split_queue() is to come before a hole is filled.
 */
bool drm_svm_quirk_lacks_split_queue(struct drm_svm *svm)
{
	return READ_ONCE(svm->huge_cgroup) != drm_svm_quirk_cgroup(svm->mm);
}

/**
 * drm_svm_quirk_make_split_queue() - have a hole filled by the CPU, if it is one
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

	if (!drm_svm_quirk_is_hole(drm_svm_quirk_peek(vma, start)))
		return;
	handle_mm_fault(vma, start, FAULT_FLAG_WRITE | FAULT_FLAG_REMOTE, NULL);
	pfn = drm_svm_quirk_peek(vma, start);
	if (pfn && drm_svm_policy_is_whole(vma, start, pfn))
		WRITE_ONCE(svm->huge_cgroup, id);
}
