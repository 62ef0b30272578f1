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
 * What the CPU lacks for an access of the GPU is brought in by faults of the CPU, page by
 * page, under mmap_lock, without waiting for a page.
 */

/* Whether the CPU has a page there that is the process's own. */
static bool drm_svm_populate_has_copy(struct vm_area_struct *vma, unsigned long addr)
{
	unsigned long pfn;

	addr &= PAGE_MASK;
	return !drm_svm_walk_peek(vma->vm_mm, addr, addr + PAGE_SIZE, &pfn) &&
	       drm_svm_pfn_is_anon(pfn);
}

/*
 * FAULT_FLAG_RETRY_NOWAIT is a wish that file systems do not all hear: a page
 * that is not cached may be read at once, and to make a shared page writable is
 * for the file system to do, which may wait for its server or for writeback.
 */
static bool drm_svm_populate_may_block(struct vm_area_struct *vma,
				       unsigned long addr, bool write)
{
	struct address_space *mapping;
	struct folio *folio;
	bool cached;

	/* a private mapping of /dev/zero has a file, and nothing is read from it */
	if (vma_is_anonymous(vma) || !vma->vm_file || is_vm_hugetlb_page(vma))
		return false;
	mapping = vma->vm_file->f_mapping;
	if (shmem_mapping(mapping))
		return false;
	if (write && vma->vm_flags & VM_SHARED)
		return true;
	/* nor for a page that was copied from a file */
	if (drm_svm_populate_has_copy(vma, addr))
		return false;
	folio = filemap_get_folio(mapping, linear_page_index(vma, addr));
	if (IS_ERR(folio))
		return true;
	/* the readahead that a marked page asks for may wait too */
	cached = folio_test_uptodate(folio) && !folio_test_readahead(folio);
	folio_put(folio);
	return !cached;
}

/**
 * drm_svm_populate_page() - bring in one page, as a fault of the CPU does
 * @vma: the mapping
 * @addr: the page
 * @access: DRM_SVM_ACCESS_READ, DRM_SVM_ACCESS_WRITE
 *
 * A page in VRAM comes home; where it is write-protected there it stays so, and is made
 * writable by the next call.
 *
 * Context: process context, mmap_lock held, also on return. Does not wait for the page.
 * Return: %DRM_SVM_PENDING when it came, %DRM_SVM_MUST_WAIT when it may have to be
 * waited for, or the errno of the fault.
 */
int drm_svm_populate_page(struct vm_area_struct *vma, unsigned long addr,
			  u32 access)
{
	bool write = access & DRM_SVM_ACCESS_WRITE;
	unsigned int flags = FAULT_FLAG_REMOTE | FAULT_FLAG_ALLOW_RETRY |
			     FAULT_FLAG_RETRY_NOWAIT;
	vm_fault_t ret;

	if (drm_svm_populate_may_block(vma, addr, write))
		return DRM_SVM_MUST_WAIT;
	if (write)
		flags |= FAULT_FLAG_WRITE;
	ret = handle_mm_fault(vma, addr & PAGE_MASK, flags, NULL);
	/* a file system may have failed for the signal */
	if (ret & VM_FAULT_ERROR && signal_pending(current))
		return DRM_SVM_MUST_WAIT;
	if (ret & VM_FAULT_ERROR)
		return vm_fault_to_errno(ret, 0) ?: -EFAULT;
	/* mmap_lock is still held: that is what RETRY_NOWAIT says */
	if (ret & VM_FAULT_RETRY)
		return DRM_SVM_MUST_WAIT;
	return DRM_SVM_PENDING;
}

/* Anonymous memory that may not be written to; that of KSM stays merged. */
static bool drm_svm_pfn_is_protected(unsigned long pfn)
{
	return !(pfn & HMM_PFN_WRITE) && drm_svm_pfn_is_anon(pfn) &&
	       !drm_svm_pfn_is_ksm(pfn);
}

/**
 * drm_svm_populate_is_protected() - is a page to be made writable before it moves
 * @vma: the mapping
 * @access: the access of the fault
 * @pfn: what hmm_range_fault() says of its page
 *
 * Not under userfaultfd, which may count what is written.
 *
 * Return: whether it is a write to anonymous memory that a fork() has write-protected.
 */
bool drm_svm_populate_is_protected(struct vm_area_struct *vma, u32 access,
				   unsigned long pfn)
{
	return access & DRM_SVM_ACCESS_WRITE && drm_svm_pfn_is_protected(pfn) &&
	       !uffd_disable_fault_around(vma);
}

/* The first page comes home from VRAM with its neighbours; then it is copied too. */
#define DRM_SVM_UNPROTECT_TRIES	2

/**
 * drm_svm_populate_writable() - make pages of anonymous memory writable that are there
 * @vma: the mapping; it may be written to
 * @start: first address
 * @end: address past the last one
 * @pfns: room for a word a page
 *
 * Best effort. A page that is write-protected since a fork() is copied, or is that of
 * @vma alone again. Pages in VRAM come home for that: nobody copies them there.
 *
 * Context: process context, mmap_lock held. Does not wait for pages.
 */
void drm_svm_populate_writable(struct vm_area_struct *vma, unsigned long start,
			       unsigned long end, unsigned long *pfns)
{
	unsigned int i, n, try, npages = (end - start) >> PAGE_SHIFT;

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
