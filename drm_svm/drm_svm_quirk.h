/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _DRM_SVM_QUIRK_H_
#define _DRM_SVM_QUIRK_H_

/*
 * Work-arounds for bugs of core mm. Each file of this prefix begins with the
 * bug, the kernels that have it, and when the file can be removed.
 */

#include "drm_svm_migrate.h"

/*
 * A place where a folio may be mapped: from @addr on in @mm, whose mmap_lock is
 * held, by the mapping that begins at @start, which may be before @addr or
 * after it. @large: the folio is a huge page. @shared: it is mapped elsewhere
 * too. @folio is only a number, without a reference.
 */
struct drm_svm_rmap_place {
	struct mm_struct *mm;
	unsigned long addr;
	unsigned long start;
	struct folio *folio;
	bool large;
	bool shared;
};

/*
 * Called for each place where a folio may be. Returns whether it is mapped
 * there.
 */
struct drm_svm_rmap_visitor {
	bool (*visit)(const struct drm_svm_rmap_visitor *visitor,
		      const struct drm_svm_rmap_place *place);
};

/*
 * Eviction of the pages [@start, @end) of one BO. @visitor visits the places of
 * a huge page, or of @first, the first page in use.
 */
struct drm_svm_eviction {
	struct drm_svm_rmap_visitor visitor;
	struct drm_svm_bo *bo;
	struct drm_svm_migration *m;
	unsigned int start;
	unsigned int end;
	unsigned int first;
	struct drm_svm_moved moved;
};

/* drm_svm_quirk_hold.c */
bool drm_svm_quirk_hold(struct drm_svm_range *range, struct migrate_vma *args);
void drm_svm_quirk_release(struct drm_svm_range *range);
void drm_svm_quirk_break_hold_locked(struct drm_svm_range *range);

/* drm_svm_quirk_evict.c */
bool drm_svm_quirk_evict_huge(struct drm_svm_eviction *e,
			      const struct drm_svm_rmap_place *place);

/* drm_svm_quirk_rmap.c */
void drm_svm_rmap_walk(struct drm_svm_vram *vram, unsigned long index,
		       const struct drm_svm_rmap_visitor *visitor);

/* drm_svm_quirk_peek.c */
enum drm_svm_page_kind drm_svm_quirk_kind(struct vm_area_struct *vma,
					  unsigned long addr);
unsigned long drm_svm_quirk_skip_hole(struct vm_area_struct *vma,
				      unsigned long start, unsigned long end);

/* drm_svm_quirk_drain.c */
bool drm_svm_drain_bo(struct drm_svm_bo *bo);
void drm_svm_drain_watch(struct drm_svm_bo *bo);
void drm_svm_drain_unwatch(struct drm_svm_bo *bo);
void drm_svm_drain_init(struct drm_svm_vram *vram);
void drm_svm_drain_fini(struct drm_svm_vram *vram);

/* drm_svm_quirk_migrate.c */
struct folio *drm_svm_quirk_guard_huge(struct drm_svm_migration *m);
void drm_svm_quirk_unguard_huge(struct folio *folio);
bool drm_svm_quirk_may_be_huge(struct vm_area_struct *vma, unsigned long start);
bool drm_svm_quirk_has_ksm(struct vm_area_struct *vma, unsigned long start,
			   unsigned long end, unsigned long *pfns);
bool drm_svm_quirk_lacks_split_queue(struct drm_svm *svm);
void drm_svm_quirk_make_split_queue(struct drm_svm *svm, struct vm_area_struct *vma,
				    unsigned long start);

#endif
