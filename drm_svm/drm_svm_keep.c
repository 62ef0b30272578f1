// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/bitmap.h>
#include <linux/dma-resv.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "drm_svm_vram.h"

/**
 * DOC: What a prefetch keeps
 *
 * A prefetch that finds no room evicts others, but neither the pages that it
 * has brought itself, nor those that it found in VRAM where the program wants
 * them. A &struct drm_svm_keep records which blocks of VRAM these are. TTM asks
 * drm_svm before it evicts a BO, in the task that wants the room, so the keep
 * of a call is found by its task.
 *
 * Only its task reads and writes the blocks of a keep. If a block was freed in
 * the meantime and belongs to another BO, this call does not evict that BO
 * either.
 */

/* Chunks in a row for which no room was made, before no more are tried */
#define DRM_SVM_KEEP_MISSES	8

struct drm_svm_keep {
	struct list_head node;
	struct task_struct *task;
	struct drm_svm_vram *vram;
	unsigned int misses;
	unsigned long blocks[];
};

/**
 * drm_svm_keep_create() - let evictions by the caller skip some blocks
 * @vram: the VRAM; stays until drm_svm_keep_destroy()
 *
 * Return: the keep, empty, or NULL.
 */
struct drm_svm_keep *drm_svm_keep_create(struct drm_svm_vram *vram)
{
	unsigned long size = vram->npages << PAGE_SHIFT;
	unsigned long n = DIV_ROUND_UP(size, DRM_SVM_CHUNK_MIN);
	struct drm_svm_keep *keep;

	keep = kvzalloc(struct_size(keep, blocks, BITS_TO_LONGS(n)),
			GFP_KERNEL_ACCOUNT);
	if (!keep)
		return NULL;
	keep->task = current;
	keep->vram = vram;
	spin_lock(&vram->lock);
	list_add(&keep->node, &vram->keeps);
	spin_unlock(&vram->lock);
	return keep;
}

void drm_svm_keep_destroy(struct drm_svm_keep *keep)
{
	if (!keep)
		return;
	spin_lock(&keep->vram->lock);
	list_del(&keep->node);
	spin_unlock(&keep->vram->lock);
	kvfree(keep);
}

static struct drm_svm_keep *drm_svm_keep_find(struct drm_svm_vram *vram)
{
	struct drm_svm_keep *keep;

	/* no need for the lock: a keep of the caller would be seen */
	if (list_empty(&vram->keeps))
		return NULL;
	guard(spinlock)(&vram->lock);
	list_for_each_entry(keep, &vram->keeps, node) {
		if (keep->task == current)
			return keep;
	}
	return NULL;
}

/* Keep the @npages pages at @offset of the VRAM. */
void drm_svm_keep_add(struct drm_svm_keep *keep, u64 offset, unsigned int npages)
{
	unsigned long first = offset / DRM_SVM_CHUNK_MIN;
	u64 last = offset + ((u64)npages << PAGE_SHIFT) - 1;

	bitmap_set(keep->blocks, first, last / DRM_SVM_CHUNK_MIN - first + 1);
}

/* Keep the place of a BO made for the caller, unless it was evicted. */
void drm_svm_keep_add_bo(struct drm_svm_keep *keep, struct drm_svm_bo *bo)
{
	dma_resv_lock(bo->tbo.base.resv, NULL);
	if (drm_svm_bo_is_resident(bo))
		drm_svm_keep_add(keep, drm_svm_bo_offset(bo),
				 bo->tbo.base.size >> PAGE_SHIFT);
	dma_resv_unlock(bo->tbo.base.resv);
}

/* Note whether room was made for a chunk: @bo is the BO, or an ERR_PTR(). */
void drm_svm_keep_note(struct drm_svm_keep *keep, struct drm_svm_bo *bo)
{
	if (IS_ERR(bo)) {
		keep->misses++;
		return;
	}
	keep->misses = 0;
	drm_svm_keep_add_bo(keep, bo);
}

/*
 * Return whether to ask for no more room: TTM would look at each BO again, and
 * there may be many.
 */
bool drm_svm_keep_is_full(const struct drm_svm_keep *keep)
{
	return keep->misses >= DRM_SVM_KEEP_MISSES;
}

/* Return whether the caller must not evict the BO, whose dma_resv is held. */
bool drm_svm_keep_has(struct drm_svm_bo *bo)
{
	struct drm_svm_keep *keep = drm_svm_keep_find(bo->vram);
	unsigned long first, end;

	dma_resv_assert_held(bo->tbo.base.resv);
	if (!keep || !drm_svm_bo_is_resident(bo))
		return false;
	first = drm_svm_bo_offset(bo) / DRM_SVM_CHUNK_MIN;
	end = first + DIV_ROUND_UP(bo->tbo.base.size, DRM_SVM_CHUNK_MIN);
	return find_next_bit(keep->blocks, end, first) < end;
}
