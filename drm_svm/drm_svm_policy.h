/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _DRM_SVM_POLICY_H_
#define _DRM_SVM_POLICY_H_

/* Division of an address space, and decisions about its parts. */

#include <kunit/visibility.h>

#include <linux/hmm.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/sizes.h>

#include <drm/drm_svm.h>

struct drm_svm_range;
struct drm_svm_view;

/* A range is one PMD of address space; a page of it is named by its index. */
#define DRM_SVM_RANGE_SIZE	PMD_SIZE
#define DRM_SVM_RANGE_MASK	PMD_MASK
#define DRM_SVM_RANGE_PAGES	(1U << (PMD_SHIFT - PAGE_SHIFT))

/* The smallest chunk, and so the smallest BO, in bytes. */
#define DRM_SVM_CHUNK_MIN	MAX(SZ_64K, PAGE_SIZE)

static inline unsigned int drm_svm_page_index(unsigned long addr)
{
	return (addr & ~DRM_SVM_RANGE_MASK) >> PAGE_SHIFT;
}

static inline bool drm_svm_pfn_is_valid(unsigned long pfn)
{
	return (pfn & (HMM_PFN_VALID | HMM_PFN_ERROR)) == HMM_PFN_VALID;
}

/*
 * Return whether the CPU maps the page as part of a huge one, as large as a
 * range.
 */
static inline bool drm_svm_pfn_is_huge(unsigned long pfn)
{
	return hmm_pfn_to_map_order(pfn) >= PMD_SHIFT - PAGE_SHIFT;
}

/* Return whether all of the range that begins at @start is in the mapping. */
static inline bool drm_svm_vma_has_range(const struct vm_area_struct *vma,
					 unsigned long start)
{
	return vma->vm_start <= start && vma->vm_end - start >= DRM_SVM_RANGE_SIZE;
}

/* drm_svm_policy.c */
/* A window is less than this many times what is in use, to map and to move. */
#define DRM_SVM_GROWTH_MAP	2
#define DRM_SVM_GROWTH_MOVE	8
void drm_svm_policy_bounds(const struct drm_svm_range *range,
			   const struct vm_area_struct *vma, unsigned int *first,
			   unsigned int *end);
void drm_svm_policy_window(const struct drm_svm_view *view, unsigned int index,
			   unsigned int growth, unsigned int *first,
			   unsigned int *end);
bool drm_svm_policy_is_in_use(const struct drm_svm_context *ctx,
			      const struct drm_svm_view *view, bool more);
void drm_svm_policy_ahead(const unsigned long *there, unsigned int index,
			  unsigned int *first, unsigned int *end);
unsigned int drm_svm_policy_chunk(const struct drm_svm_view *view,
				  unsigned int first, unsigned int end);
int drm_svm_policy_check_vma(struct vm_area_struct *vma, u32 access);
bool drm_svm_policy_has_vram(struct vm_area_struct *vma, u32 access);
bool drm_svm_policy_may_move(struct vm_area_struct *vma, u32 access);
bool drm_svm_policy_may_be_whole(struct vm_area_struct *vma, unsigned long start);
bool drm_svm_policy_is_whole(const struct vm_area_struct *vma,
			     unsigned long start, unsigned long pfn);
void drm_svm_policy_cpu_window(unsigned long addr, bool huge, unsigned long gone,
			       unsigned long *start, unsigned long *end);
bool drm_svm_policy_may_write(struct folio *folio);

#endif
