// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/hmm.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>
#include <linux/userfaultfd_k.h>

#include "drm_svm_compat.h"
#include "drm_svm_vram.h"

/**
 * DOC: Bringing pages in
 *
 * Pages that the CPU lacks for a GPU access are brought in by CPU faults, page
 * by page, under mmap_lock, without waiting for a page.
 */

/* Return whether the CPU has an anonymous page there, the process's own. */
static bool drm_svm_populate_has_copy(struct vm_area_struct *vma, unsigned long addr)
{
	unsigned long pfn;

	addr &= PAGE_MASK;
	return !drm_svm_walk_peek(vma->vm_mm, addr, addr + PAGE_SIZE, &pfn) &&
	       drm_svm_pfn_is_anon(pfn);
}

/*
 * Return whether a CPU fault may wait. Not all file systems heed
 * FAULT_FLAG_RETRY_NOWAIT: a page that is not cached may be read synchronously,
 * and a shared page is made writable by the file system, which may wait for its
 * server or for writeback.
 */
static bool drm_svm_populate_may_block(struct vm_area_struct *vma,
				       unsigned long addr, bool write)
{
	struct address_space *mapping;
	struct folio *folio;
	bool cached;

	/* nothing is read from the file of a private mapping of /dev/zero */
	if (vma_is_anonymous(vma) || !vma->vm_file || is_vm_hugetlb_page(vma))
		return false;
	mapping = vma->vm_file->f_mapping;
	if (shmem_mapping(mapping))
		return false;
	if (write && vma->vm_flags & VM_SHARED)
		return true;
	/* nor from a file of which the page was copied */
	if (drm_svm_populate_has_copy(vma, addr))
		return false;
	folio = filemap_get_folio(mapping, linear_page_index(vma, addr));
	if (IS_ERR(folio))
		return true;
	/* the readahead that a marked page triggers may wait too */
	cached = folio_test_uptodate(folio) && !folio_test_readahead(folio);
	folio_put(folio);
	return !cached;
}

/**
 * drm_svm_populate_page() - bring in one page by a CPU fault
 * @vma: the mapping
 * @addr: the page
 * @access: DRM_SVM_ACCESS_READ, DRM_SVM_ACCESS_WRITE
 *
 * A page in VRAM is migrated to RAM. If it is write-protected in VRAM it stays
 * so, and the next call makes it writable.
 *
 * Context: process context, mmap_lock held, also on return. Does not wait for
 * the page.
 * Return: %DRM_SVM_PENDING when it came, %DRM_SVM_MUST_WAIT when it may have to
 * be waited for, or the errno of the fault.
 */
int drm_svm_populate_page(struct vm_area_struct *vma, unsigned long addr,
			  u32 access)
{
	bool write = access & DRM_SVM_ACCESS_WRITE;
	unsigned int flags = FAULT_FLAG_REMOTE | FAULT_FLAG_ALLOW_RETRY |
			     FAULT_FLAG_RETRY_NOWAIT;
	vm_fault_t ret;

	mmap_assert_locked(vma->vm_mm);
	if (drm_svm_populate_may_block(vma, addr, write))
		return DRM_SVM_MUST_WAIT;
	if (write)
		flags |= FAULT_FLAG_WRITE;
	ret = handle_mm_fault(vma, addr & PAGE_MASK, flags, NULL);
	/* a file system may have failed because of the signal */
	if (ret & VM_FAULT_ERROR && signal_pending(current))
		return DRM_SVM_MUST_WAIT;
	if (ret & VM_FAULT_ERROR)
		return vm_fault_to_errno(ret, 0) ?: -EFAULT;
	/* mmap_lock is still held, because RETRY_NOWAIT was set */
	if (ret & VM_FAULT_RETRY)
		return DRM_SVM_MUST_WAIT;
	return DRM_SVM_PENDING;
}

/*
 * Return whether a page is write-protected anonymous memory; KSM pages, which
 * stay merged, do not count.
 */
static bool drm_svm_pfn_is_protected(unsigned long pfn)
{
	return !(pfn & HMM_PFN_WRITE) && drm_svm_pfn_is_anon(pfn) &&
	       !drm_svm_pfn_is_ksm(pfn);
}

/**
 * drm_svm_populate_is_protected() - is a page to be made writable before moving
 * @vma: the mapping
 * @access: the access of the fault
 * @pfn: what hmm_range_fault() says of its page
 *
 * Not under userfaultfd, which may track writes.
 *
 * Return: whether it is a write to anonymous memory that fork() has
 * write-protected.
 */
bool drm_svm_populate_is_protected(struct vm_area_struct *vma, u32 access,
				   unsigned long pfn)
{
	return access & DRM_SVM_ACCESS_WRITE && drm_svm_pfn_is_protected(pfn) &&
	       !uffd_disable_fault_around(vma);
}

/* The first pass migrates pages from VRAM to RAM, the second copies them. */
#define DRM_SVM_UNPROTECT_TRIES	2

/**
 * drm_svm_populate_writable() - make present pages of anonymous memory writable
 * @vma: the mapping; it may be written to
 * @start: first address
 * @end: address past the last one
 * @pfns: room for a word a page
 *
 * Best effort. A page that fork() has write-protected is copied, or reused if
 * no other mapping has it. Pages in VRAM are migrated to RAM first, because
 * nothing copies them in VRAM.
 *
 * Context: process context, mmap_lock held. Does not wait for pages.
 */
void drm_svm_populate_writable(struct vm_area_struct *vma, unsigned long start,
			       unsigned long end, unsigned long *pfns)
{
	unsigned int i, n, try, npages = (end - start) >> PAGE_SHIFT;

	mmap_assert_locked(vma->vm_mm);
	for (try = 0; try < DRM_SVM_UNPROTECT_TRIES; try++) {
		if (drm_svm_walk_peek(vma->vm_mm, start, end, pfns))
			return;
		for (i = 0, n = 0; i < npages; i++) {
			if (!drm_svm_pfn_is_protected(pfns[i]))
				continue;
			n++;
			if (drm_svm_populate_page(vma, start + ((unsigned long)i << PAGE_SHIFT),
						  DRM_SVM_ACCESS_WRITE) != DRM_SVM_PENDING)
				return;
		}
		if (!n)
			return;
	}
}
