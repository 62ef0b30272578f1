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
 * VRAM, stayed because it has to be split before it can move. @reserved: RAM
 * that is allocated already, for device folios in the order of VRAM; each folio's
 * index is the number of the device page that it is for. @cause: for the events
 * of a migration to RAM; none for an eviction, which reports its BO as a whole.
 * @begun: see drm_svm_event_begin().
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
	enum drm_svm_cause cause;
	u64 begun;
	struct list_head reserved;
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
	u64 denied;
	u64 no_space;
	u64 failed;
};

/*
 * Pages [@start, @end) to migrate to VRAM. @base and @npages: the aligned block
 * of addresses around them that the BO stands behind. @whole: a huge page stays
 * one. @holes: pages that were never touched are made there. @want: number of
 * pages that are known to have to move.
 */
struct drm_svm_chunk {
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
 * Chunks whose BOs are made before the first of them is filled: enough for a
 * range of which every other block is in VRAM, and for the rest of the block of
 * the fault.
 */
#define DRM_SVM_MIGRATOR_CHUNKS	((unsigned int)(DRM_SVM_RANGE_SIZE / DRM_SVM_CHUNK_MIN / 2 + 1))

/*
 * Migrates chunks to VRAM. With two migrations the next chunk is collected
 * while the previous one is copied; the second one is allocated when there are
 * two chunks for the first time. @tried: pages of the range in service for
 * which migration was attempted for its faults; all GPUs have been unmapped
 * from them, whether they moved or not. @keep: of a prefetch that has found no
 * room, or NULL. @cause: what it migrates for.
 */
struct drm_svm_migrator {
	struct drm_svm *svm;
	DECLARE_BITMAP(tried, DRM_SVM_RANGE_PAGES);
	unsigned int n;
	struct drm_svm_chunk chunks[DRM_SVM_MIGRATOR_CHUNKS];
	struct drm_svm_migration *m[2];
	struct drm_svm_moved moved;
	struct drm_svm_keep *keep;
	enum drm_svm_cause cause;
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

enum drm_svm_direction {
	DRM_SVM_TO_RAM,
	DRM_SVM_TO_VRAM,
};

/* drm_svm_migrate.c */
struct drm_svm_migration *drm_svm_migration_alloc(unsigned int max, gfp_t gfp);
void drm_svm_migration_reset(struct drm_svm_migration *m,
			     struct drm_svm_vram *vram);
void drm_svm_migration_free(struct drm_svm_migration *m);
int drm_svm_migration_add_copy(struct drm_svm_migration *m, unsigned int i,
			       struct page *ram, struct page *vram_page,
			       unsigned int npages,
			       enum drm_svm_direction direction);
void drm_svm_migration_add_clear(struct drm_svm_migration *m,
				 struct page *vram_page, unsigned int npages);
void drm_svm_migration_start(struct drm_svm_migration *m);
void drm_svm_migration_drop(struct drm_svm_migration *m, unsigned int i);
int drm_svm_migration_wait(struct drm_svm_migration *m);

/* drm_svm_migrate_vram.c */
struct drm_svm_migrator *drm_svm_migrator_alloc(struct drm_svm *svm,
						enum drm_svm_cause cause);
void drm_svm_migrator_free(struct drm_svm_migrator *migrator);
bool drm_svm_migrator_try_bos(struct drm_svm_migrator *migrator);
void drm_svm_migrator_make_bos(struct drm_svm_migrator *migrator);
unsigned long drm_svm_chunk_ask_cpu(struct vm_area_struct *vma,
				    unsigned long start, unsigned long addr);
void drm_svm_chunk_set_block(struct drm_svm_chunk *chunk);
void drm_svm_migrator_run(struct drm_svm_migrator *migrator);
void drm_svm_migrator_release(struct drm_svm_migrator *migrator);

/* drm_svm_migrate_fault.c */
int drm_svm_migrate_to_vram(struct drm_svm_range *range,
			    struct drm_svm_scratch *scratch,
			    const struct drm_svm_fault_entry *entries,
			    unsigned int n, bool patient);

/* drm_svm_migrate_ram.c */
bool drm_svm_ram_reserve(struct drm_svm_migration *m, unsigned long src,
			 struct vm_area_struct *vma, unsigned long addr,
			 unsigned int order);
void drm_svm_ram_unreserve(struct drm_svm_migration *m);
void drm_svm_ram_prepare(struct drm_svm_migration *m, struct drm_svm_vram *vram,
			 struct vm_area_struct *vma, unsigned long start,
			 unsigned long end, struct page *fault_page);
int drm_svm_ram_collect(struct drm_svm_migration *m);
int drm_svm_ram_run(struct drm_svm_migration *m, struct drm_svm_moved *moved);
vm_fault_t drm_svm_migrate_to_ram(struct vm_fault *vmf);
bool drm_svm_migrate_vma_to_ram(struct drm_svm_migration *m,
				struct drm_svm_vram *vram, struct vm_area_struct *vma,
				unsigned long start, unsigned long end,
				struct drm_svm_moved *moved);

/* drm_svm_evict.c */
int drm_svm_bo_evict(struct drm_svm_bo *bo, enum drm_svm_cause cause);
void drm_svm_bo_evict_singly(struct drm_svm_bo *bo);
void drm_svm_bo_evict_work(struct work_struct *work);

#if IS_ENABLED(CONFIG_KUNIT)
/* Static without KUnit; only for tests/. */
struct page *drm_svm_chunk_page(struct drm_svm_bo *bo, unsigned int index,
				unsigned int order);
void drm_svm_chunk_drop_bad(struct drm_svm_migration *m);
bool drm_svm_chunk_is_wanted(const struct drm_svm_fault *fault,
			     unsigned long pfn);
unsigned int drm_svm_chunk_window(struct drm_svm_migrator *migrator,
				  struct drm_svm_range *range,
				  const struct drm_svm_fault_entry *entry,
				  struct vm_area_struct *vma);
#endif

#endif
