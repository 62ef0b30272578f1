/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _DRM_SVM_VRAM_H_
#define _DRM_SVM_VRAM_H_

/* What keeps pages in VRAM, and moves them there and back. */

#include <linux/dma-resv.h>
#include <linux/llist.h>
#include <linux/memremap.h>
#include <linux/migrate.h>

#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_resource.h>

#include "drm_svm_internal.h"

/*
 * VRAM behind a slice of a range. @live: device pages in use, and one while @filling;
 * at zero it goes, by @free_node from atomic context. @stats: of the
 * context it was made for. @leave_node, while @leaving: its pages have to go home, and
 * who wanted one could not do it. @asked: the driver asked drm_svm_bo_move() about it.
 * @place: its place in VRAM, where it stays for as long as it has pages; only compared.
 * @locked_node, with the number of its first page in @locked_index: locked memory came to it.
 */
struct drm_svm_bo {
	struct ttm_buffer_object tbo;
	struct drm_svm_vram *vram;
	struct drm_svm_stats *stats;
	const struct ttm_resource *place;
	atomic_long_t live;
	bool filling;
	bool asked;
	unsigned int copies_failed;
	unsigned long leaving;
	struct llist_node free_node;
	struct llist_node leave_node;
	struct list_head locked_node;
	unsigned long locked_index;
};

static inline struct drm_svm_bo *to_drm_svm_bo(struct ttm_buffer_object *tbo)
{
	return container_of(tbo, struct drm_svm_bo, tbo);
}

/*
 * Whether the BO has lost its place, with a page of it locked and in use, or with its
 * dma_resv held: then TTM took it away and the driver did not tell us, see
 * drm_svm_check_ttm(). What is in that place belongs to somebody else.
 */
static inline bool drm_svm_bo_has_left(const struct drm_svm_bo *bo)
{
	return READ_ONCE(bo->tbo.resource) != bo->place;
}

static inline void drm_svm_bo_unlock(struct drm_svm_bo *bo)
{
	dma_resv_unlock(bo->tbo.base.resv);
}

/* With its dma_resv held: whether it has its place in VRAM. */
static inline bool drm_svm_bo_is_resident(struct drm_svm_bo *bo)
{
	dma_resv_assert_held(bo->tbo.base.resv);
	return bo->tbo.resource &&
	       bo->tbo.resource->mem_type == bo->vram->mem_type;
}

/* Offset of its first page, with the BO locked and resident. */
static inline u64 drm_svm_bo_offset(struct drm_svm_bo *bo)
{
	return (u64)bo->tbo.resource->start << PAGE_SHIFT;
}

/*
 * One migration, of up to @max pages, between RAM and @vram. @args, with @src and
 * @dst, is what migrate_vma and migrate_device work on. The stages fill the rest:
 * where RAM was DMA-mapped (@dma, zero where it is not), what to copy and to
 * clear, the fences of that. @split: a huge page stayed, at @split_index of the VRAM,
 * that has to be split before it can move. @spare: RAM for a huge page, to be
 * taken before more is allocated, or NULL.
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

struct drm_svm_keep;

/* What became of pages that were to move. */
struct drm_svm_moved {
	u64 moved;
	u64 copied;
	u64 busy;
	u64 unsupported;
	u64 no_space;
	u64 failed;
};

/*
 * Pages [@start, @end) to bring to VRAM. @base and @npages: the aligned block of
 * addresses around them that the BO stands behind. @whole: a huge page stays one.
 * @holes: pages that nobody has touched are made there. @want: pages of which it is
 * known that they should move.
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
 * Where a folio may be mapped: from @addr on in @mm, whose mmap_lock is held, by the mapping
 * that begins at @start, which may be before @addr or after it. @shared: it is mapped
 * elsewhere too. @folio is a number only, without a reference.
 */
struct drm_svm_rmap_place {
	struct mm_struct *mm;
	unsigned long addr;
	unsigned long start;
	struct folio *folio;
	bool large;
	bool shared;
};

/* Looks after a folio at a place. Returns whether it is mapped there. */
struct drm_svm_rmap_visitor {
	bool (*visit)(const struct drm_svm_rmap_visitor *visitor,
		      const struct drm_svm_rmap_place *place);
};

/* &drm_svm_vram.lost of a VRAM that is in use, besides the lost pages. */
#define DRM_SVM_LOST_NONE	1

/* The smallest slice, and so the smallest BO, in bytes. */
#define DRM_SVM_SLICE_MIN	MAX(SZ_64K, PAGE_SIZE)

/*
 * Slices whose BOs are made before the first of them is filled: all of a range of which
 * every other block is in VRAM, and the rest of the block of the fault.
 */
#define DRM_SVM_FILL_SLICES	((unsigned int)(DRM_SVM_RANGE_SIZE / DRM_SVM_SLICE_MIN / 2 + 1))

/*
 * Brings slices to VRAM: two migrations, so that one is copied meanwhile; the second one is
 * made for the first two slices. @tried: pages
 * of the range in service that were to move for its faults. Who had them has lost them,
 * whether they moved or not. @keep: of a prefetch that has found no room, or NULL.
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
 * Pages that entry @i stands for: a huge one has one entry. Of a hole that was filled
 * the source does not say so any more.
 */
static inline unsigned int drm_svm_migration_stride(struct drm_svm_migration *m,
						    unsigned int i)
{
	if ((m->src[i] | m->dst[i]) & MIGRATE_PFN_COMPOUND)
		return min(HPAGE_PMD_NR, m->npages - i);
	return 1;
}

/* The VRAM of a device page. */
static inline struct drm_svm_vram *drm_svm_page_vram(const struct page *page)
{
	return container_of(page_pgmap(page), struct drm_svm_vram, pagemap);
}

/* Its offset there, in bytes. */
static inline u64 drm_svm_page_offset(const struct page *page)
{
	struct drm_svm_vram *vram = drm_svm_page_vram(page);

	return (u64)(page_to_pfn(page) - PHYS_PFN(vram->pagemap.range.start)) <<
	       PAGE_SHIFT;
}

/* drm_svm_folio.c */
extern const char drm_svm_pagemap_owner;
struct drm_svm_bo *drm_svm_folio_bo(const struct folio *folio);
bool drm_svm_folio_is_retired(const struct folio *folio);
bool drm_svm_folio_is_lost(const struct folio *folio);
void drm_svm_folio_retire(struct folio *folio);
void drm_svm_folio_lose(struct folio *folio);
bool drm_svm_folio_has_left(struct folio *folio);
bool drm_svm_page_is_reachable(const struct page *page,
			       const struct drm_svm_device *sdev);
struct module *drm_svm_vram_module(struct drm_svm_vram *vram);
struct page *drm_svm_vram_page(struct drm_svm_vram *vram, u64 offset);
bool drm_svm_vram_is_interrupted(const struct drm_svm_vram *vram);
struct drm_svm_bo *drm_svm_vram_get_bo(struct drm_svm_vram *vram,
				       unsigned long index);
struct folio *drm_svm_vram_get_folio(struct drm_svm_vram *vram,
				     unsigned long index);
void drm_svm_vram_folio_free(struct folio *folio);
void drm_svm_vram_folio_split(struct folio *head, struct folio *tail);
void drm_svm_vram_drop_lost(struct drm_svm_vram *vram, long nr);
bool drm_svm_vram_has_lost(struct drm_svm_vram *vram);
void drm_svm_vram_wait_lost(struct drm_svm_vram *vram);
void drm_svm_vram_put(struct drm_svm_vram *vram);
void drm_svm_vram_wait_users(struct drm_svm_vram *vram);
bool drm_svm_vram_find_bad(struct drm_svm_vram *vram, u64 offset,
			   unsigned int npages);
void drm_svm_bo_drop_pages(struct drm_svm_bo *bo, long npages);

/* drm_svm_walk.c */
void drm_svm_vram_enlist(struct drm_svm_vram *vram);
void drm_svm_vram_delist(struct drm_svm_vram *vram);
struct drm_svm_vram *drm_svm_pfn_vram(unsigned long pfn);
bool drm_svm_pfn_is_vram(unsigned long pfn);
struct folio *drm_svm_pfn_folio(unsigned long pfn);
bool drm_svm_pfn_is_anon(unsigned long pfn);
bool drm_svm_pfn_is_ksm(unsigned long pfn);
bool drm_svm_pfn_is_usable(unsigned long pfn, const struct drm_svm_device *sdev);
int drm_svm_walk_peek(struct mm_struct *mm, unsigned long start,
		      unsigned long end, unsigned long *pfns);

/* drm_svm_bad.c */
void drm_svm_vram_keep_bad(struct drm_svm_vram *vram);
void drm_svm_vram_drop_bad(struct drm_svm_vram *vram);

/* Hardly any VRAM has bad pages, so this is for each page that moves. */
static inline bool drm_svm_vram_has_bad(struct drm_svm_vram *vram, u64 offset,
					unsigned int npages)
{
	return !xa_empty(&vram->bad) &&
	       drm_svm_vram_find_bad(vram, offset, npages);
}

/* drm_svm_bo.c */
int drm_svm_bo_module_init(void);
void drm_svm_bo_module_exit(void);
struct drm_svm_bo *drm_svm_bo_create(struct drm_svm_vram *vram,
				     struct drm_svm_stats *stats,
				     unsigned int npages, bool evict);
struct drm_svm_bo *drm_svm_bo_create_at(struct drm_svm_vram *vram,
					unsigned long index);
void drm_svm_bo_destroy_at(struct drm_svm_bo *bo);
void drm_svm_bo_put(struct drm_svm_bo *bo);
void drm_svm_bo_fill_done(struct drm_svm_bo *bo);
bool drm_svm_bo_has_pages(struct drm_svm_bo *bo);
unsigned long drm_svm_bo_unused(struct drm_svm_bo *bo);
bool drm_svm_bo_is_leaving(struct drm_svm_bo *bo);
void drm_svm_bo_leave(struct drm_svm_bo *bo);
void drm_svm_bo_wait_leaving(struct drm_svm_bo *bo);
bool drm_svm_bo_trylock_resident(struct drm_svm_bo *bo);

/* drm_svm_core.c */
void drm_svm_notice_copy(struct drm_svm_vram *vram, struct dma_fence *fence);

/* drm_svm_check.c */
int drm_svm_check_vram_ops(const struct drm_svm_vram *vram);
int drm_svm_check_ttm(struct drm_svm_vram *vram);

/* drm_svm_drain.c */
bool drm_svm_drain_bo(struct drm_svm_bo *bo);
void drm_svm_drain_watch(struct drm_svm_bo *bo);
void drm_svm_drain_unwatch(struct drm_svm_bo *bo);
void drm_svm_drain_init(struct drm_svm_vram *vram);
void drm_svm_drain_fini(struct drm_svm_vram *vram);

/* drm_svm_keep.c */
struct drm_svm_keep *drm_svm_keep_create(struct drm_svm_vram *vram);
void drm_svm_keep_destroy(struct drm_svm_keep *keep);
void drm_svm_keep_add(struct drm_svm_keep *keep, u64 offset, unsigned int npages);
void drm_svm_keep_add_bo(struct drm_svm_keep *keep, struct drm_svm_bo *bo);
void drm_svm_keep_note(struct drm_svm_keep *keep, struct drm_svm_bo *bo);
bool drm_svm_keep_is_full(const struct drm_svm_keep *keep);
bool drm_svm_keep_has(struct drm_svm_bo *bo);

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

/* drm_svm_rmap.c */
void drm_svm_rmap_walk(struct drm_svm_vram *vram, unsigned long index,
		       const struct drm_svm_rmap_visitor *visitor);

#if IS_ENABLED(CONFIG_KUNIT)
/* Static in other kernels; for tests/ alone. */
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
