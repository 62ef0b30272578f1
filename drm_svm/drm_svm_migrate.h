/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _DRM_SVM_MIGRATE_H_
#define _DRM_SVM_MIGRATE_H_

/* Migrations of pages to VRAM and back. */

#include <linux/migrate.h>

#include "drm_svm_vram.h"

/*
 * One migration, of up to @max pages, between RAM and @vram. @args, with @src
 * and @dst, is what migrate_vma and migrate_device work on. The stages fill the
 * rest: where RAM was DMA-mapped (@dma, zero where it is not), what to copy and
 * to clear, the fences of that. @split: a huge page, at @split_index of the
 * VRAM, stayed because it has to be split before it can move. @spare: RAM for a
 * huge page, to be taken before more is allocated, or NULL.
 */
struct drm_svm_migration {
	struct drm_svm_vram *vram;
	struct migrate_vma args;
	struct dma_fence *copy;
	struct dma_fence *clear;
	unsigned int max;
	unsigned int npages;
	unsigned int nsegs;
	unsigned int nclears;
	bool split;
	unsigned long split_index;
	struct folio *spare;
	unsigned long *src;
	unsigned long *dst;
	dma_addr_t *dma;
	struct drm_svm_copy *segs;
	struct drm_svm_run *clears;
};

/* Counts of pages that were to move, by what became of them. */
struct drm_svm_moved {
	u64 moved;
	u64 copied;
	u64 busy;
	u64 unsupported;
	u64 no_space;
	u64 failed;
};

/*
 * Pages [@start, @end) to migrate to VRAM. @base and @npages: the aligned block
 * of addresses around them that the BO stands behind. @whole: a huge page stays
 * one. @holes: pages that were never touched are made there. @want: number of
 * pages that are known to have to move.
 */
struct drm_svm_slice {
	struct drm_svm_vram *vram;
	struct drm_svm_stats *stats;
	struct drm_svm_bo *bo;
	struct drm_svm_migration *m;
	unsigned long base;
	unsigned long start;
	unsigned long end;
	unsigned int npages;
	unsigned int want;
	bool whole;
	bool holes;
};

/*
 * Slices whose BOs are made before the first of them is filled: enough for a
 * range of which every other block is in VRAM, and for the rest of the block of
 * the fault.
 */
#define DRM_SVM_FILL_SLICES	((unsigned int)(DRM_SVM_RANGE_SIZE / DRM_SVM_SLICE_MIN / 2 + 1))

/*
 * Migrates slices to VRAM. With two migrations the next slice is collected
 * while the previous one is copied; the second one is allocated when there are
 * two slices for the first time. @tried: pages of the range in service for
 * which migration was attempted for its faults; all GPUs have been unmapped
 * from them, whether they moved or not. @keep: of a prefetch that has found no
 * room, or NULL.
 */
struct drm_svm_filler {
	struct drm_svm *svm;
	DECLARE_BITMAP(tried, DRM_SVM_RANGE_PAGES);
	unsigned int n;
	struct drm_svm_slice slices[DRM_SVM_FILL_SLICES];
	struct drm_svm_migration *m[2];
	struct drm_svm_moved moved;
	struct drm_svm_keep *keep;
};

/*
 * Pages that entry @i stands for: a huge page has one entry. The source of a
 * filled hole does not say so any more, so look at the destination too.
 */
static inline unsigned int drm_svm_migration_stride(struct drm_svm_migration *m,
						    unsigned int i)
{
	if ((m->src[i] | m->dst[i]) & MIGRATE_PFN_COMPOUND)
		return min(HPAGE_PMD_NR, m->npages - i);
	return 1;
}

/* drm_svm_migrate.c */
struct drm_svm_migration *drm_svm_migration_alloc(unsigned int max, gfp_t gfp);
void drm_svm_migration_reset(struct drm_svm_migration *m,
			     struct drm_svm_vram *vram);
void drm_svm_migration_free(struct drm_svm_migration *m);
int drm_svm_migration_add_copy(struct drm_svm_migration *m, unsigned int i,
			       struct page *ram, struct page *vram_page,
			       unsigned int npages, bool to_vram);
void drm_svm_migration_add_clear(struct drm_svm_migration *m,
				 struct page *vram_page, unsigned int npages);
void drm_svm_migration_start(struct drm_svm_migration *m);
void drm_svm_migration_drop(struct drm_svm_migration *m, unsigned int i);
int drm_svm_migration_wait(struct drm_svm_migration *m);

/* drm_svm_fill.c */
struct drm_svm_filler *drm_svm_filler_create(struct drm_svm *svm);
void drm_svm_filler_destroy(struct drm_svm_filler *filler);
bool drm_svm_filler_try_bos(struct drm_svm_filler *filler);
void drm_svm_filler_make_bos(struct drm_svm_filler *filler);
unsigned long drm_svm_slice_ask_cpu(struct vm_area_struct *vma,
				    unsigned long start, unsigned long addr);
void drm_svm_slice_set_block(struct drm_svm_slice *slice);
void drm_svm_filler_run(struct drm_svm_filler *filler);
void drm_svm_filler_done(struct drm_svm_filler *filler);

/* drm_svm_migrate_vram.c */
int drm_svm_migrate_to_vram(struct drm_svm_range *range,
			    struct drm_svm_scratch *scratch,
			    const struct drm_svm_fault_entry *entries,
			    unsigned int n, bool patient);

/* drm_svm_migrate_ram.c */
struct folio *drm_svm_ram_alloc(struct vm_area_struct *vma, unsigned long addr,
				unsigned int order);
void drm_svm_home_prepare(struct drm_svm_migration *m, struct drm_svm_vram *vram,
			  struct vm_area_struct *vma, unsigned long start,
			  unsigned long end, struct page *fault_page);
int drm_svm_home_collect(struct drm_svm_migration *m);
int drm_svm_home_run(struct drm_svm_migration *m, struct drm_svm_moved *moved);
vm_fault_t drm_svm_migrate_to_ram(struct vm_fault *vmf);
bool drm_svm_migrate_home(struct drm_svm_migration *m,
			  struct drm_svm_vram *vram, struct vm_area_struct *vma,
			  unsigned long start, unsigned long end,
			  struct drm_svm_moved *moved);

/* drm_svm_evict.c */
int drm_svm_bo_evict(struct drm_svm_bo *bo, bool count);
void drm_svm_bo_leave_work(struct work_struct *work);

#if IS_ENABLED(CONFIG_KUNIT)
/* Static without KUnit; only for tests/. */
struct page *drm_svm_fill_page(struct drm_svm_bo *bo, unsigned int index,
			       unsigned int order);
void drm_svm_slice_drop_bad(struct drm_svm_migration *m);
bool drm_svm_slice_is_wanted(const struct drm_svm_fault *fault,
			     unsigned long pfn);
unsigned int drm_svm_slice_window(struct drm_svm_filler *filler,
				  struct drm_svm_range *range,
				  const struct drm_svm_fault_entry *entry,
				  struct vm_area_struct *vma);
#endif

#endif
