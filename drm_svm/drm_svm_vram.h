/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _DRM_SVM_VRAM_H_
#define _DRM_SVM_VRAM_H_

/* Device pages, the VRAM that they stand for, the BOs that they belong to. */

#include <linux/dma-resv.h>
#include <linux/llist.h>
#include <linux/memremap.h>

#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_resource.h>

#include "drm_svm_core.h"

struct drm_svm_keep;

/*
 * VRAM behind a chunk of a range. @live: device pages in use, and one while
 * @filling; at zero the BO is freed, by @free_node because that may be in
 * atomic context. @stats: those of the context that it was made for. @addr: the
 * address there, for its events; pages may have moved since. @evict_queued,
 * @evict_node: queued for eviction by evict_work, because a CPU fault could not
 * migrate a huge page itself. @asked: the driver has called drm_svm_bo_move()
 * for it. @place: its place in VRAM, where it stays for as long as it has pages;
 * only compared. @index: its first page there. @locked_node: in the list of BOs
 * filled with locked memory.
 */
struct drm_svm_bo {
	struct ttm_buffer_object tbo;
	struct drm_svm_vram *vram;
	struct drm_svm_stats *stats;
	const struct ttm_resource *place;
	unsigned long addr;
	unsigned long index;
	atomic_long_t live;
	bool filling;
	bool asked;
	unsigned int copies_failed;
	unsigned long evict_queued;
	struct llist_node free_node;
	struct llist_node evict_node;
	struct list_head locked_node;
};

static inline struct drm_svm_bo *to_drm_svm_bo(struct ttm_buffer_object *tbo)
{
	return container_of(tbo, struct drm_svm_bo, tbo);
}

/*
 * Return whether the BO has lost its place. Called with a page of it locked and
 * in use, or with its dma_resv held. If so, TTM took the place away and the
 * driver did not tell us, see drm_svm_check_ttm(), and what is there belongs to
 * another buffer.
 */
static inline bool drm_svm_bo_has_lost_place(const struct drm_svm_bo *bo)
{
	return READ_ONCE(bo->tbo.resource) != bo->place;
}

static inline void drm_svm_bo_unlock(struct drm_svm_bo *bo)
{
	dma_resv_unlock(bo->tbo.base.resv);
}

/* Return whether the BO has its place in VRAM. Its dma_resv is held. */
static inline bool drm_svm_bo_is_resident(struct drm_svm_bo *bo)
{
	dma_resv_assert_held(bo->tbo.base.resv);
	return bo->tbo.resource &&
	       bo->tbo.resource->mem_type == bo->vram->mem_type;
}

/* Offset of its first page, in bytes, with the BO locked and resident. */
static inline u64 drm_svm_bo_offset(struct drm_svm_bo *bo)
{
	return (u64)bo->tbo.resource->start << PAGE_SHIFT;
}

/* The VRAM of a device page. */
static inline struct drm_svm_vram *drm_svm_page_vram(const struct page *page)
{
	return container_of(page_pgmap(page), struct drm_svm_vram, pagemap);
}

/* The offset of a device page in its VRAM, in bytes. */
static inline u64 drm_svm_page_offset(const struct page *page)
{
	struct drm_svm_vram *vram = drm_svm_page_vram(page);

	return (u64)(page_to_pfn(page) - PHYS_PFN(vram->pagemap.range.start)) <<
	       PAGE_SHIFT;
}

/*
 * The address at which a device page of the BO came to VRAM, in the address
 * space that the BO was made for. The page is locked and in use.
 */
static inline u64 drm_svm_bo_page_addr(const struct drm_svm_bo *bo,
				       const struct page *page)
{
	return bo->addr + drm_svm_page_offset(page) - ((u64)bo->index << PAGE_SHIFT);
}

/* drm_svm_folio.c */
extern const char drm_svm_pagemap_owner;
struct drm_svm_bo *drm_svm_folio_bo(const struct folio *folio);
bool drm_svm_folio_is_stale(const struct folio *folio);
bool drm_svm_folio_is_poisoned(const struct folio *folio);
void drm_svm_folio_mark_stale(struct folio *folio);
void drm_svm_folio_poison(struct folio *folio);
bool drm_svm_folio_check_place(struct folio *folio);
bool drm_svm_page_is_reachable(const struct page *page,
			       const struct drm_svm_device *sdev);
struct page *drm_svm_vram_page(struct drm_svm_vram *vram, u64 offset);
bool drm_svm_vram_is_interrupted(const struct drm_svm_vram *vram);
struct drm_svm_bo *drm_svm_vram_get_bo(struct drm_svm_vram *vram,
				       unsigned long index);
struct folio *drm_svm_vram_get_folio(struct drm_svm_vram *vram,
				     unsigned long index);
void drm_svm_vram_folio_free(struct folio *folio);
void drm_svm_vram_folio_split(struct folio *head, struct folio *tail);
void drm_svm_vram_wait_poisoned(struct drm_svm_vram *vram);
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
bool drm_svm_pfn_is_poisoned(unsigned long pfn);
bool drm_svm_pfn_is_usable(unsigned long pfn, const struct drm_svm_device *sdev);
int drm_svm_walk_peek(struct mm_struct *mm, unsigned long start,
		      unsigned long end, unsigned long *pfns);

/* drm_svm_vram.c */
unsigned long drm_svm_vram_free_pages(struct drm_svm_vram *vram);

/* drm_svm_bad.c */
void drm_svm_vram_keep_bad(struct drm_svm_vram *vram);
unsigned long drm_svm_vram_count_loose_bad(struct drm_svm_vram *vram);
void drm_svm_vram_drop_bad(struct drm_svm_vram *vram);

/*
 * Called for each page that moves, so fast for VRAM without bad pages, as most
 * is.
 */
static inline bool drm_svm_vram_has_bad(struct drm_svm_vram *vram, u64 offset,
					unsigned int npages)
{
	return !xa_empty(&vram->bad) &&
	       drm_svm_vram_find_bad(vram, offset, npages);
}

/* What an allocation of VRAM may take: free VRAM only, or that of others too. */
enum drm_svm_room {
	DRM_SVM_ROOM_FREE,
	DRM_SVM_ROOM_EVICT,
};

/* drm_svm_bo.c */
int drm_svm_bo_module_init(void);
void drm_svm_bo_module_exit(void);
struct drm_svm_bo *drm_svm_bo_create(struct drm_svm_vram *vram,
				     struct drm_svm_stats *stats,
				     unsigned int npages,
				     enum drm_svm_room room);
struct drm_svm_bo *drm_svm_bo_create_at(struct drm_svm_vram *vram,
					unsigned long index);
void drm_svm_bo_destroy_at(struct drm_svm_bo *bo);
void drm_svm_bo_put(struct drm_svm_bo *bo);
void drm_svm_bo_fill_done(struct drm_svm_bo *bo);
bool drm_svm_bo_has_pages(struct drm_svm_bo *bo);
unsigned long drm_svm_bo_unused(struct drm_svm_bo *bo);
bool drm_svm_bo_is_queued(struct drm_svm_bo *bo);
void drm_svm_bo_evict_later(struct drm_svm_bo *bo);
void drm_svm_bo_wait_evicted(struct drm_svm_bo *bo);
bool drm_svm_bo_trylock_resident(struct drm_svm_bo *bo);

/* drm_svm_core.c */
void drm_svm_notice_copy(struct drm_svm_vram *vram, struct dma_fence *fence);

/* drm_svm_check.c */
int drm_svm_check_vram_ops(const struct drm_svm_vram *vram);
int drm_svm_check_ttm(struct drm_svm_vram *vram);

/* drm_svm_keep.c */
struct drm_svm_keep *drm_svm_keep_create(struct drm_svm_vram *vram);
void drm_svm_keep_destroy(struct drm_svm_keep *keep);
void drm_svm_keep_add(struct drm_svm_keep *keep, u64 offset, unsigned int npages);
void drm_svm_keep_add_bo(struct drm_svm_keep *keep, struct drm_svm_bo *bo);
void drm_svm_keep_note(struct drm_svm_keep *keep, struct drm_svm_bo *bo);
bool drm_svm_keep_is_full(const struct drm_svm_keep *keep);
bool drm_svm_keep_has(struct drm_svm_bo *bo);

#endif
