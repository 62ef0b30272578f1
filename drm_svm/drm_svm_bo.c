// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/export.h>
#include <linux/slab.h>
#include <linux/task_work.h>
#include <linux/wait_bit.h>

#include <drm/drm_gem.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_placement.h>

#include "drm_svm_vram.h"
#include "drm_svm_quirk.h"

/**
 * DOC: Buffer objects
 *
 * VRAM comes from TTM, as for every other buffer, so that SVM pages and buffers
 * of the driver compete in one LRU. A &struct drm_svm_bo stands behind a
 * naturally aligned power-of-two chunk of a range; nothing can map it, look it
 * up or pin it. Its only reference is dropped when its last device page is
 * freed.
 *
 * &drm_svm_bo.live counts the device pages, and one more while the BO is being
 * filled.
 */

/* A cache of its own, because kmalloc() would take twice the size. */
static struct kmem_cache *drm_svm_bo_cache;

int __init drm_svm_bo_module_init(void)
{
	drm_svm_bo_cache = KMEM_CACHE(drm_svm_bo, 0);
	return drm_svm_bo_cache ? 0 : -ENOMEM;
}

void drm_svm_bo_module_exit(void)
{
	kmem_cache_destroy(drm_svm_bo_cache);
}

static void drm_svm_bo_gem_free(struct drm_gem_object *obj)
{
	ttm_bo_fini(container_of(obj, struct ttm_buffer_object, base));
}

static const struct drm_gem_object_funcs drm_svm_bo_gem_funcs = {
	.free = drm_svm_bo_gem_free,
};

static void drm_svm_bo_destroy(struct ttm_buffer_object *tbo)
{
	struct drm_svm_bo *bo = to_drm_svm_bo(tbo);

	drm_svm_drain_unwatch(bo);
	if (bo->stats)
		drm_svm_stats_add(bo->stats, DRM_SVM_STAT_VRAM_RESERVED,
				  -(u64)(tbo->base.size >> PAGE_SHIFT));
	drm_svm_stats_put(bo->stats);
	drm_gem_object_release(&tbo->base);
	kmem_cache_free(drm_svm_bo_cache, bo);
}

/* Returns with the dma_resv held, or an error: then the BO was freed. */
static int drm_svm_bo_init(struct drm_svm_bo *bo, struct drm_svm_vram *vram,
			   const struct ttm_place *place, unsigned int npages)
{
	struct ttm_operation_ctx ctx = { .interruptible = false };
	struct ttm_placement placement = {
		.num_placement = 1, .placement = place,
	};

	bo->vram = vram;
	bo->filling = true;
	INIT_LIST_HEAD(&bo->locked_node);
	atomic_long_set(&bo->live, 1);
	bo->tbo.base.funcs = &drm_svm_bo_gem_funcs;
	drm_gem_private_object_init(vram->sdev->drm, &bo->tbo.base,
				    (size_t)npages << PAGE_SHIFT);
	/* on error this has called drm_svm_bo_destroy() */
	return ttm_bo_init_reserved(vram->bdev, &bo->tbo, ttm_bo_type_kernel,
				    &placement, npages, &ctx, NULL, NULL,
				    drm_svm_bo_destroy);
}

/**
 * drm_svm_bo_create() - allocate VRAM
 * @vram: where
 * @stats: counters of the context it is for
 * @npages: pages, a power of two; the offset is a multiple of that
 * @room: where it comes from
 *
 * May evict others, so no lock that eviction needs is held: neither mmap_lock
 * nor a folio's lock.
 *
 * Return: the BO, with one in live for the caller, or an ERR_PTR(): -ENOSPC
 * when there is no room, -EBUSY when the VRAM is suspended or goes, -ENOMEM.
 */
struct drm_svm_bo *drm_svm_bo_create(struct drm_svm_vram *vram,
				     struct drm_svm_stats *stats,
				     unsigned int npages,
				     enum drm_svm_room room)
{
	const struct ttm_place place = {
		.mem_type = vram->mem_type,
		.flags = room == DRM_SVM_ROOM_EVICT ? 0 : TTM_PL_FLAG_DESIRED,
	};
	struct drm_svm_bo *bo;
	int err;

	if (READ_ONCE(vram->closed))
		return ERR_PTR(-EBUSY);
	/* first hand out VRAM that is not used any more */
	if (room == DRM_SVM_ROOM_EVICT)
		flush_work(&vram->free_work);
	bo = kmem_cache_zalloc(drm_svm_bo_cache, GFP_KERNEL_ACCOUNT);
	if (!bo)
		return ERR_PTR(-ENOMEM);
	bo->stats = drm_svm_stats_get(stats);
	drm_svm_stats_add(stats, DRM_SVM_STAT_VRAM_RESERVED, npages);
	err = drm_svm_bo_init(bo, vram, &place, npages);
	if (err)
		return ERR_PTR(err == -ENOMEM ? -ENOSPC : err);
	bo->place = bo->tbo.resource;
	bo->index = bo->tbo.resource->start;
	/* the previous BO may still be in use there, or being copied away */
	dma_resv_wait_timeout(bo->tbo.base.resv, DMA_RESV_USAGE_KERNEL, false,
			      MAX_SCHEDULE_TIMEOUT);
	ttm_bo_unreserve(&bo->tbo);
	return bo;
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_bo_create);

/**
 * drm_svm_bo_create_at() - take one page of VRAM out of use
 * @vram: where
 * @index: the page; the buffer that has it is evicted
 *
 * Return: the BO, pinned, for drm_svm_bo_destroy_at(), or an ERR_PTR().
 */
struct drm_svm_bo *drm_svm_bo_create_at(struct drm_svm_vram *vram,
					unsigned long index)
{
	const struct ttm_place place = {
		.fpfn = index,
		.lpfn = index + 1,
		.mem_type = vram->mem_type,
	};
	struct drm_svm_bo *bo;
	int err;

	bo = kmem_cache_zalloc(drm_svm_bo_cache, GFP_KERNEL);
	if (!bo)
		return ERR_PTR(-ENOMEM);
	err = drm_svm_bo_init(bo, vram, &place, 1);
	if (err)
		return ERR_PTR(err);
	ttm_bo_pin(&bo->tbo);
	ttm_bo_unreserve(&bo->tbo);
	return bo;
}

void drm_svm_bo_destroy_at(struct drm_svm_bo *bo)
{
	dma_resv_lock(bo->tbo.base.resv, NULL);
	ttm_bo_unpin(&bo->tbo);
	dma_resv_unlock(bo->tbo.base.resv);
	drm_svm_bo_put(bo);
}

/* Drop the BO's reference; process context. */
void drm_svm_bo_put(struct drm_svm_bo *bo)
{
	drm_gem_object_put(&bo->tbo.base);
}

/*
 * Return whether device pages of the BO are in use. Called with its dma_resv
 * held, so it is not being filled. A BO that was not filled yet holds a bias of
 * one in @live.
 */
bool drm_svm_bo_has_pages(struct drm_svm_bo *bo)
{
	long live = atomic_long_read(&bo->live);

	dma_resv_assert_held(bo->tbo.base.resv);
	/* pairs with the one in drm_svm_bo_fill_done() */
	smp_rmb();
	return live > READ_ONCE(bo->filling);
}

/*
 * Pages that went back to RAM or never came: an estimate, while others come or
 * go.
 */
unsigned long drm_svm_bo_unused(struct drm_svm_bo *bo)
{
	long live = atomic_long_read(&bo->live);

	return (bo->tbo.base.size >> PAGE_SHIFT) - max(live, 0L);
}

/* Filling is over: a BO without pages is freed. */
void drm_svm_bo_fill_done(struct drm_svm_bo *bo)
{
	WRITE_ONCE(bo->filling, false);
	/* ordered: a task that sees the lower live does not see filling */
	if (atomic_long_dec_and_test(&bo->live))
		drm_svm_bo_put(bo);
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_bo_fill_done);

bool drm_svm_bo_is_queued(struct drm_svm_bo *bo)
{
	return test_bit(0, &bo->evict_queued);
}

/*
 * Have a work item migrate all pages of a BO to RAM. The caller has one of them
 * locked.
 */
void drm_svm_bo_evict_later(struct drm_svm_bo *bo)
{
	struct drm_svm_vram *vram = bo->vram;

	if (test_and_set_bit(0, &bo->evict_queued))
		return;
	drm_gem_object_get(&bo->tbo.base);
	if (llist_add(&bo->evict_node, &vram->to_evict))
		queue_work(drm_svm_idle_wq, &vram->evict_work);
}

struct drm_svm_bo_waiter {
	struct callback_head work;
	struct drm_svm_bo *bo;
};

static void drm_svm_bo_waiter_free(struct drm_svm_bo_waiter *waiter)
{
	struct drm_svm_vram *vram = waiter->bo->vram;

	drm_svm_bo_put(waiter->bo);
	kfree(waiter);
	drm_svm_vram_put(vram);
}

static void drm_svm_bo_wait_work(struct callback_head *work)
{
	struct drm_svm_bo_waiter *waiter =
		container_of(work, struct drm_svm_bo_waiter, work);

	wait_on_bit(&waiter->bo->evict_queued, 0, TASK_KILLABLE);
	drm_svm_bo_waiter_free(waiter);
}

/**
 * drm_svm_bo_wait_evicted() - have the current task wait until a BO is evicted
 * @bo: the BO, queued for eviction; the caller has a page of it locked
 *
 * The task waits on its way back to user mode, where it can be killed. A CPU
 * fault cannot wait itself: it has the lock of the page and a reference to it,
 * and with these the work item cannot migrate the page. Best effort: without
 * memory the task faults again and again until the BO is evicted.
 *
 * Context: a CPU fault from user mode.
 */
void drm_svm_bo_wait_evicted(struct drm_svm_bo *bo)
{
	struct drm_svm_bo_waiter *waiter = kmalloc_obj(*waiter, GFP_NOWAIT);

	if (!waiter)
		return;
	waiter->bo = bo;
	drm_gem_object_get(&bo->tbo.base);
	/* keeps the TTM device until the BO was put */
	atomic_inc(&bo->vram->users);
	init_task_work(&waiter->work, drm_svm_bo_wait_work);
	if (task_work_add(current, &waiter->work, TWA_RESUME))
		drm_svm_bo_waiter_free(waiter);
}

/*
 * Lock a BO that was not evicted, so that it stays; the caller unlocks it. VRAM
 * that is closed is not filled. If it is closed after the check, the eviction
 * of all BOs that follows waits for this lock.
 */
bool drm_svm_bo_trylock_resident(struct drm_svm_bo *bo)
{
	struct dma_resv *resv = bo->tbo.base.resv;

	if (!dma_resv_trylock(resv))
		return false;
	if (drm_svm_bo_is_resident(bo) && !READ_ONCE(bo->vram->closed))
		return true;
	dma_resv_unlock(resv);
	return false;
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_bo_trylock_resident);

/**
 * drm_svm_bo_is_svm() - does a BO belong to drm_svm
 * @tbo: a TTM BO of the driver's TTM device
 *
 * Return: whether drm_svm_bo_move() is to move it.
 */
bool drm_svm_bo_is_svm(struct ttm_buffer_object *tbo)
{
	return tbo->destroy == drm_svm_bo_destroy;
}
EXPORT_SYMBOL_GPL(drm_svm_bo_is_svm);
