// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/fs.h>
#include <linux/hmm.h>
#include <linux/hugetlb_inline.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/userfaultfd_k.h>

#include "drm_svm_compat.h"
#include "drm_svm_core.h"
#include "drm_svm_policy.h"

/**
 * DOC: Policy
 *
 * Decisions, and nothing else: no locks, no allocations, no side effects.
 */

/* Pages around a fault that are always looked at, because a walk is cheap. */
#define DRM_SVM_WINDOW_MIN	((unsigned int)(DRM_SVM_CHUNK_MIN >> PAGE_SHIFT))

/**
 * drm_svm_policy_window() - choose the pages to look at for a fault
 * @view: what the GPU has of the range already, or NULL
 * @index: page of the fault, within the range
 * @growth: DRM_SVM_GROWTH_MAP or DRM_SVM_GROWTH_MOVE
 * @first: returns the first page of the window
 * @end: returns the page past the window
 *
 * The window is a naturally aligned power of two of pages: the largest block of
 * which more than 1/@growth is mapped once the 64 KiB around the fault are.
 * Neighbours of pages in use are likely to be used next, and a page that the
 * CPU has already costs little to map. A sequential scan of a range takes six
 * faults, or three where pages move to VRAM: a window that moves costs as much
 * as moving thirty more pages in the same one.
 */
void drm_svm_policy_window(const struct drm_svm_view *view, unsigned int index,
			   unsigned int growth, unsigned int *first,
			   unsigned int *end)
{
	unsigned int leaf = DRM_SVM_WINDOW_MIN;
	unsigned int size, block, mapped;

	*first = round_down(index, leaf);
	*end = *first + leaf;
	if (!view || !view->nmapped)
		return;

	mapped = bitmap_weight_from(view->mapped, *first, *end);
	for (size = leaf * 2; size <= DRM_SVM_RANGE_PAGES; size *= 2) {
		block = round_down(index, size);
		if (bitmap_weight_from(view->mapped, block, block + size) -
		    mapped + leaf <= size / growth)
			continue;
		*first = block;
		*end = block + size;
	}
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_policy_window);

/**
 * drm_svm_policy_bounds() - the pages of a range that are in a mapping
 * @range: the range
 * @vma: the mapping, some of which is in the range
 * @first: returns the first page
 * @end: returns the page past the last one
 */
void drm_svm_policy_bounds(const struct drm_svm_range *range,
			   const struct vm_area_struct *vma, unsigned int *first,
			   unsigned int *end)
{
	*first = 0;
	*end = DRM_SVM_RANGE_PAGES;
	if (vma->vm_start > range->start)
		*first = drm_svm_page_index(vma->vm_start);
	if (vma->vm_end - range->start < DRM_SVM_RANGE_SIZE)
		*end = drm_svm_page_index(vma->vm_end);
}

/**
 * drm_svm_policy_is_in_use() - is all of a range worth mapping
 * @ctx: the context of a fault whose page the CPU has
 * @view: what it has of the range already, or NULL
 * @more: other pages of the range fault at the same time
 *
 * A range that faults again, or for several pages at once, is likely to fault
 * more. Mapping all that the CPU has present costs about ten faults, once. Not
 * for a GPU with VRAM, because it moves what it maps.
 *
 * Return: whether to look at the rest of the range, and not at the window
 * alone.
 */
bool drm_svm_policy_is_in_use(const struct drm_svm_context *ctx,
			      const struct drm_svm_view *view, bool more)
{
	if (drm_svm_context_vram(ctx))
		return false;
	return more || (view && view->nmapped);
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_policy_is_in_use);

/**
 * drm_svm_policy_ahead() - choose the pages to make along with the missing ones
 * @there: pages that are present, including those that were missing
 * @index: page of the fault, within the range
 * @first: first page to look at; returns the first one to make
 * @end: page past those to look at; returns the one past those to make
 *
 * The largest aligned block that is at least half populated, so that
 * speculative allocations never exceed requested ones. A block that sticks out
 * of the pages to look at must be more than half populated, because one page of
 * two says little.
 */
void drm_svm_policy_ahead(const unsigned long *there, unsigned int index,
			  unsigned int *first, unsigned int *end)
{
	unsigned int from = *first, to = *end, size, lo, hi, twice;

	*first = index;
	*end = index;
	for (size = DRM_SVM_WINDOW_MIN; size <= DRM_SVM_RANGE_PAGES; size *= 2) {
		lo = max(round_down(index, size), from);
		hi = min(round_down(index, size) + size, to);
		twice = 2 * bitmap_weight_from(there, lo, hi);
		if (twice < hi - lo || (twice == hi - lo && twice < size))
			continue;
		*first = lo;
		*end = hi;
	}
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_policy_ahead);

/**
 * drm_svm_policy_chunk() - choose the pages to move to VRAM together
 * @view: what the GPU has of the range already, or NULL
 * @first: first page, a multiple of the smallest chunk
 * @end: the page past those that are to be moved
 *
 * VRAM is allocated for the whole chunk, so pages of it that are in VRAM
 * already would take VRAM twice.
 *
 * Return: the number of pages of the largest aligned block that begins at
 * @first and of which nothing is in VRAM; zero when there is none.
 */
unsigned int drm_svm_policy_chunk(const struct drm_svm_view *view,
				  unsigned int first, unsigned int end)
{
	unsigned int size = DRM_SVM_WINDOW_MIN;
	unsigned int in_vram = end;

	if (view)
		in_vram = find_next_bit(view->vram, end, first);
	if (first + size > in_vram)
		return 0;
	while (first % (2 * size) == 0 && first + 2 * size <= in_vram)
		size *= 2;
	return size;
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_policy_chunk);

static bool drm_svm_policy_is_secret(struct vm_area_struct *vma)
{
	unsigned long magic;

	if (!vma->vm_file)
		return false;
	magic = file_inode(vma->vm_file)->i_sb->s_magic;
	return magic == SECRETMEM_MAGIC || magic == GUEST_MEMFD_MAGIC;
}

/*
 * Return whether the mapping has the kernel's own pages without a file, as
 * [vvar]: only the process itself may fault on them, no other task on its
 * behalf. Up to Linux 7.2 [vvar] is VM_IO.
 */
static bool drm_svm_policy_is_kernel_data(struct vm_area_struct *vma)
{
	return !vma->vm_file && vma->vm_flags & VM_MIXEDMAP;
}

/**
 * drm_svm_policy_check_vma() - may the GPU access this mapping
 * @vma: the mapping, or NULL
 * @access: DRM_SVM_ACCESS_READ, DRM_SVM_ACCESS_WRITE
 *
 * hmm_range_fault() does not refuse secret memory, which is not in the kernel's
 * direct map: a device that copies by CPU would oops. Nor does it refuse shadow
 * stacks, which stores of the CPU cannot reach either.
 *
 * Context: mmap_lock held.
 * Return: 0, -ENOENT, -EOPNOTSUPP or -EACCES.
 */
int drm_svm_policy_check_vma(struct vm_area_struct *vma, u32 access)
{
	if (!vma)
		return -ENOENT;
	if (vma->vm_flags & (VM_IO | VM_PFNMAP | VM_SHADOW_STACK) ||
	    drm_svm_policy_is_kernel_data(vma) || drm_svm_policy_is_secret(vma))
		return -EOPNOTSUPP;
	if (!(vma->vm_flags & VM_READ))
		return -EACCES;
	if (access & DRM_SVM_ACCESS_WRITE && !(vma->vm_flags & VM_WRITE))
		return -EACCES;
	return 0;
}

/*
 * Return whether a mapping has pages of its own: anonymous memory, private
 * mappings of /dev/zero included, or copies of file pages. DAX and hugetlbfs do
 * not count, because their pages are not migrated.
 */
static bool drm_svm_policy_has_own_pages(struct vm_area_struct *vma)
{
	if (vma_is_anonymous(vma))
		return true;
	return vma_is_cow_mapping(vma) && !is_vm_hugetlb_page(vma) &&
	       !vma_is_dax(vma);
}

/**
 * drm_svm_policy_has_vram() - can there be pages of a mapping in VRAM
 * @vma: the mapping, or NULL
 * @access: what the GPU wants of it: DRM_SVM_ACCESS_READ, DRM_SVM_ACCESS_WRITE
 *
 * Context: mmap_lock held.
 * Return: whether the GPU may access the mapping, and it is of a kind of which
 * pages are migrated: all of them, or those that were copied from a file.
 */
bool drm_svm_policy_has_vram(struct vm_area_struct *vma, u32 access)
{
	return !drm_svm_policy_check_vma(vma, access) &&
	       drm_svm_policy_has_own_pages(vma) && !(vma->vm_flags & VM_SPECIAL);
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_policy_has_vram);

/**
 * drm_svm_policy_may_move() - may pages of a mapping move to VRAM
 * @vma: the mapping, or NULL
 * @access: what the GPU wants of it: DRM_SVM_ACCESS_READ, DRM_SVM_ACCESS_WRITE
 *
 * While KSM merges a page, core mm does not know all places where it is mapped.
 * A migration entry that is put in such a place would stay, and an access
 * there, by GPU or CPU, would be retried for ever.
 *
 * Where userfaultfd may take away the access to pages, the entry of a device
 * page would let the GPU read what it must not, see drm_svm_mirror_hide_vram().
 * And where userfaultfd watches a private mapping of a file, a zap of copied
 * pages leaves its marks only for those in RAM.
 *
 * Context: mmap_lock held.
 * Return: whether there can be pages of the mapping in VRAM, and neither KSM
 * nor userfaultfd forbids it.
 */
bool drm_svm_policy_may_move(struct vm_area_struct *vma, u32 access)
{
	return drm_svm_policy_has_vram(vma, access) &&
	       !(vma->vm_flags & VM_MERGEABLE) && !userfaultfd_rwp(vma) &&
	       (vma_is_anonymous(vma) || !userfaultfd_armed(vma));
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_policy_may_move);

/**
 * drm_svm_policy_may_be_whole() - can the CPU make one huge page of a range
 * @vma: the mapping
 * @start: first address of the range
 *
 * What else decides that can only be found out by a CPU fault, see
 * drm_svm_chunk_ask_cpu(). Memory under userfaultfd is not faulted for that,
 * because its holes are not filled in VRAM.
 *
 * Return: whether a CPU fault is worth it.
 */
bool drm_svm_policy_may_be_whole(struct vm_area_struct *vma, unsigned long start)
{
	return drm_svm_vma_has_range(vma, start) &&
	       !(vma->vm_flags & VM_NOHUGEPAGE) && vma_is_anonymous(vma) &&
	       !userfaultfd_armed(vma);
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_policy_may_be_whole);

/**
 * drm_svm_policy_is_whole() - is a range moved as one huge page
 * @vma: the mapping
 * @start: first address of the range
 * @pfn: what hmm_range_fault() says of one of its pages
 *
 * Return: whether the range is one huge page. The huge zero page counts.
 */
bool drm_svm_policy_is_whole(const struct vm_area_struct *vma,
			     unsigned long start, unsigned long pfn)
{
	return drm_svm_vma_has_range(vma, start) && pfn & HMM_PFN_VALID &&
	       drm_svm_pfn_is_huge(pfn);
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_policy_is_whole);

/**
 * drm_svm_policy_cpu_window() - choose the addresses that migrate to RAM
 * together
 * @addr: the address that the CPU touched
 * @huge: it is of a huge page
 * @gone: pages of its BO that are not in use, or no longer
 * @start: returns the first address
 * @end: returns the address past the last one
 *
 * At least DRM_SVM_CHUNK_MIN, doubling with the pages that have already been
 * migrated back: scanning a range takes six CPU faults, and speculation is
 * bounded by past use.
 */
void drm_svm_policy_cpu_window(unsigned long addr, bool huge, unsigned long gone,
			       unsigned long *start, unsigned long *end)
{
	unsigned long size = DRM_SVM_CHUNK_MIN;

	while (size < DRM_SVM_RANGE_SIZE &&
	       (huge || gone << PAGE_SHIFT >= 2 * size))
		size *= 2;
	*start = round_down(addr, size);
	*end = *start + size;
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_policy_cpu_window);

/**
 * drm_svm_policy_may_write() - may a page be mapped writable without a request
 * @folio: the folio of the page, which the CPU can write
 *
 * The GPU did not ask to write, and nothing tells later whether it did, so a
 * page that is mapped writable counts as dirty at once. That costs nothing when
 * the folio is dirty already, or is anonymous memory that reclaim must write to
 * swap in any case. A clean file page, a page that MADV_FREE gave up, and a
 * page with a clean copy in swap would all be written back for nothing: they
 * are mapped read-only until the GPU writes.
 *
 * Return: true to map it writable, and to mark it dirty.
 */
bool drm_svm_policy_may_write(struct folio *folio)
{
	if (folio_test_dirty(folio))
		return true;
	return folio_test_anon(folio) && folio_test_swapbacked(folio) &&
	       !folio_test_swapcache(folio);
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_policy_may_write);
