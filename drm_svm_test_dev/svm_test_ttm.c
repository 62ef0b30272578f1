// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * TTM: who has which part of VRAM, and who has to go when there is no room.
 *
 * Two kinds of buffer objects share VRAM. Those of svm_test_gem.c belong to
 * this driver. Those of drm_svm back the memory of processes; TTM asks about
 * them here too, and the question is handed on: that is all that a driver does
 * for them. There are also the ghosts of TTM, which hold the old place of a
 * buffer object while its content is copied; nobody wants them moved.
 *
 * A buffer object of this driver moves when no job with fences uses it any more, in
 * three steps: its GPU mappings go,
 * with every TLB entry, so that no engine writes any more; it is copied; TTM is
 * told. A copy that fails leaves it where it was.
 *
 * Locking. The functions of TTM are called with the dma_resv of the buffer
 * object held, but for ttm_tt_destroy.
 */

#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include <drm/drm_device.h>
#include <drm/drm_svm.h>
#include <drm/ttm/ttm_allocation.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_device.h>
#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_range_manager.h>
#include <drm/ttm/ttm_resource.h>
#include <drm/ttm/ttm_tt.h>

#include "drm_svm_compat.h"
#include "svm_test_bind.h"
#include "svm_test_copy.h"
#include "svm_test_device.h"
#include "svm_test_gem.h"
#include "svm_test_gpusvm.h"
#include "svm_test_port.h"
#include "svm_test_ttm.h"
#include "svm_test_vram.h"

static const struct ttm_place system_place = {
	.mem_type = TTM_PL_SYSTEM,
};

static struct svm_test_device *ttm_gpu(struct ttm_device *bdev)
{
	return container_of(bdev, struct svm_test_device, bdev);
}

static struct ttm_tt *svm_test_tt_create(struct ttm_buffer_object *tbo,
					 u32 page_flags)
{
	struct ttm_tt *tt;

	tt = kzalloc_obj(*tt);
	if (!tt)
		return NULL;

	/* With room for DMA addresses */
	if (ttm_sg_tt_init(tt, tbo, page_flags, ttm_cached)) {
		kfree(tt);
		return NULL;
	}
	return tt;
}

static void svm_test_tt_destroy(struct ttm_device *bdev, struct ttm_tt *tt)
{
	ttm_tt_fini(tt);
	kfree(tt);
}

static void svm_test_evict_flags(struct ttm_buffer_object *tbo,
				 struct ttm_placement *placement)
{
	if (drm_svm_bo_evict_flags(tbo, placement))
		return;
	if (svm_test_on_gpusvm(ttm_gpu(tbo->bdev)) &&
	    svm_test_gpusvm_bo_evict_flags(tbo, placement))
		return;

	placement->placement = &system_place;
	/*
	 * The content of a ghost is worth nothing once its copy is done, and that
	 * of any other when nobody can look at it any more.
	 */
	placement->num_placement = to_svm_test_bo(tbo) &&
				   !READ_ONCE(ttm_gpu(tbo->bdev)->vram_gone);
}

static bool move_has_content(struct ttm_buffer_object *tbo)
{
	if (tbo->resource && tbo->resource->mem_type == TTM_PL_VRAM)
		return true;
	return tbo->ttm && (ttm_tt_is_populated(tbo->ttm) ||
			    ttm_tt_is_swapped(tbo->ttm));
}

/*
 * Whether all was written, which is not known before the end: else the buffer object
 * would show what its new place held before. Not to be interrupted, as the caller frees
 * the place after an error.
 */
static int move_wait(struct dma_fence *fence)
{
	if (IS_ERR(fence))
		return PTR_ERR(fence);
	dma_fence_wait(fence, false);
	return min(dma_fence_get_status(fence), 0);
}

/* Give a buffer object that nobody wrote its place, and no old content. */
static int move_first(struct ttm_buffer_object *tbo,
		      struct ttm_resource *new_mem)
{
	const struct drm_svm_run run = {
		.addr = (u64)new_mem->start << PAGE_SHIFT,
		.npages = PFN_UP(new_mem->size),
		.location = DRM_SVM_LOCATION_VRAM,
	};
	struct dma_fence *fence;
	int err = 0;

	if (new_mem->mem_type == TTM_PL_VRAM) {
		fence = svm_test_copy_clear(ttm_gpu(tbo->bdev)->copy, &run, 1);
		err = move_wait(fence);
		if (!IS_ERR(fence))
			dma_fence_put(fence);
	}
	if (!err)
		ttm_bo_move_null(tbo, new_mem);
	return err;
}

/* One side of a segment, for the pages from @page on; at most @npages of them. */
static u32 move_side(struct ttm_buffer_object *tbo, struct ttm_resource *res,
		     u32 page, u32 npages, u64 *addr, u16 *location)
{
	struct drm_svm_run run;

	svm_test_bo_run(tbo, res, page, npages, &run);
	*addr = run.addr;
	*location = run.location;
	return run.npages;
}

static u32 move_segs(struct ttm_buffer_object *tbo, struct ttm_resource *new_mem,
		     struct drm_svm_copy *segs)
{
	u32 npages = PFN_UP(tbo->base.size), page, n = 0, len;

	for (page = 0; page < npages; page += len, n++) {
		len = move_side(tbo, tbo->resource, page, npages - page,
				&segs[n].src, &segs[n].src_location);
		len = move_side(tbo, new_mem, page, len,
				&segs[n].dst, &segs[n].dst_location);
		segs[n].npages = len;
	}
	return n;
}

static struct dma_fence *move_copy(struct ttm_buffer_object *tbo,
				   struct ttm_resource *new_mem)
{
	struct dma_fence *fence;
	struct drm_svm_copy *segs;

	segs = kvmalloc_objs(*segs, PFN_UP(tbo->base.size));
	if (!segs)
		return ERR_PTR(-ENOMEM);

	fence = svm_test_copy_submit(ttm_gpu(tbo->bdev)->copy, segs,
				     move_segs(tbo, new_mem, segs));
	kvfree(segs);
	return fence;
}

static int move_content(struct ttm_buffer_object *tbo, bool evict,
			struct ttm_operation_ctx *ctx,
			struct ttm_resource *new_mem)
{
	struct dma_fence *fence;
	int err;

	/* Wherever it goes, its pages in RAM are one side of the copy. */
	err = ttm_bo_populate(tbo, ctx);
	if (err)
		return err;

	fence = move_copy(tbo, new_mem);
	err = move_wait(fence);
	if (!err)
		err = ttm_bo_move_accel_cleanup(tbo, fence, evict, true, new_mem);
	if (!IS_ERR(fence))
		dma_fence_put(fence);
	return err;
}

/* Jobs use a buffer object until their fences signal. */
static int move_wait_jobs(struct ttm_buffer_object *tbo, struct ttm_operation_ctx *ctx)
{
	long left;

	left = dma_resv_wait_timeout(tbo->base.resv, DMA_RESV_USAGE_BOOKKEEP,
				     ctx->interruptible,
				     ctx->no_wait_gpu ? 0 : MAX_SCHEDULE_TIMEOUT);
	if (left < 0)
		return left;
	return left ? 0 : -EBUSY;
}

static int svm_test_move(struct ttm_buffer_object *tbo, bool evict,
			 struct ttm_operation_ctx *ctx,
			 struct ttm_resource *new_mem, struct ttm_place *hop)
{
	struct svm_test_bo *bo = to_svm_test_bo(tbo);
	int err;

	if (drm_svm_bo_is_svm(tbo))
		return drm_svm_bo_move(tbo, ctx, new_mem);
	if (svm_test_on_gpusvm(ttm_gpu(tbo->bdev)) &&
	    svm_test_gpusvm_bo_is_svm(tbo))
		return svm_test_gpusvm_bo_move(tbo, ctx, new_mem);

	if (WARN_ON_ONCE(!bo))
		return -EINVAL;
	err = move_wait_jobs(tbo, ctx);
	if (err)
		return err;
	svm_test_bo_unmap(bo);
	if (move_has_content(tbo))
		err = move_content(tbo, evict, ctx, new_mem);
	else
		err = move_first(tbo, new_mem);
	if (!err)
		svm_test_bo_moved(bo, evict);
	return err;
}

static void svm_test_swap_notify(struct ttm_buffer_object *tbo)
{
	struct svm_test_bo *bo = to_svm_test_bo(tbo);

	if (bo)
		svm_test_bo_unmap(bo);
}

/*
 * For debuggers, of a buffer object in VRAM: the CPU cannot see it, so this is what a
 * window of the bus would be on hardware. Nobody is moved for it.
 */
static int svm_test_access_memory(struct ttm_buffer_object *tbo, unsigned long offset,
				  void *buf, int len, int write)
{
	u64 at = ((u64)tbo->resource->start << PAGE_SHIFT) + offset;
	struct svm_test_memory *memory = ttm_gpu(tbo->bdev)->memory;
	struct page *page;
	int done, n;

	for (done = 0; done < len; done += n, at += n) {
		n = min_t(int, len - done, PAGE_SIZE - offset_in_page(at));
		page = svm_test_memory_page(memory, svm_test_bus_addr(at, DRM_SVM_LOCATION_VRAM));
		if (!page)
			return -EIO;
		if (write)
			memcpy_to_page(page, offset_in_page(at), buf + done, n);
		else
			memcpy_from_page(buf + done, page, offset_in_page(at), n);
	}
	return len;
}

/* To make room it is not worth to wait for jobs. */
static bool svm_test_eviction_valuable(struct ttm_buffer_object *tbo,
				       const struct ttm_place *place)
{
	if (to_svm_test_bo(tbo) &&
	    !dma_resv_test_signaled(tbo->base.resv, DMA_RESV_USAGE_BOOKKEEP))
		return false;
	return drm_svm_bo_eviction_valuable(tbo, place);
}

static struct ttm_device_funcs svm_test_ttm_funcs = {
	.ttm_tt_create = svm_test_tt_create,
	.ttm_tt_destroy = svm_test_tt_destroy,
	.eviction_valuable = svm_test_eviction_valuable,
	.evict_flags = svm_test_evict_flags,
	.move = svm_test_move,
	.swap_notify = svm_test_swap_notify,
	.access_memory = svm_test_access_memory,
};

/**
 * svm_test_ttm_place_system() - move a buffer object to RAM
 * @tbo: the buffer object, its dma_resv held
 * @ctx: how to wait
 *
 * Return: 0 or an error of ttm_bo_validate().
 */
int svm_test_ttm_place_system(struct ttm_buffer_object *tbo,
			      struct ttm_operation_ctx *ctx)
{
	struct ttm_placement placement = {
		.num_placement = 1,
		.placement = &system_place,
	};

	return ttm_bo_validate(tbo, &placement, ctx);
}

/**
 * svm_test_ttm_place_vram() - move a buffer object to VRAM
 * @tbo: the buffer object, its dma_resv held
 * @evict: others may be evicted for it
 * @ctx: how to wait
 *
 * Return: 0, -ENOSPC, or another error of ttm_bo_validate().
 */
int svm_test_ttm_place_vram(struct ttm_buffer_object *tbo, bool evict,
			    struct ttm_operation_ctx *ctx)
{
	const struct ttm_place place = {
		.mem_type = TTM_PL_VRAM,
		.flags = evict ? 0 : TTM_PL_FLAG_DESIRED,
	};
	struct ttm_placement placement = {
		.num_placement = 1,
		.placement = &place,
	};

	return ttm_bo_validate(tbo, &placement, ctx);
}

/**
 * svm_test_ttm_evict_all() - move everything out of VRAM
 * @gpu: the device
 *
 * Return: 0, or the error of the first buffer object that does not go.
 */
int svm_test_ttm_evict_all(struct svm_test_device *gpu)
{
	if (!svm_test_config_vram_size(&gpu->config))
		return 0;
	if (svm_test_on_gpusvm(gpu))
		return svm_test_gpusvm_evict_all(gpu);
	return drm_svm_vram_evict_all(&gpu->vram);
}

/* Find a place, and have memory behind it before anybody knows of it. */
static int svm_test_man_alloc(struct ttm_resource_manager *man,
			      struct ttm_buffer_object *tbo,
			      const struct ttm_place *place,
			      struct ttm_resource **res)
{
	struct svm_test_device *gpu = ttm_gpu(tbo->bdev);
	int err;

	err = svm_test_inject_alloc(&gpu->inject);
	if (err)
		return err;
	err = gpu->range_man->alloc(man, tbo, place, res);
	if (err)
		return err;

	err = svm_test_memory_back(gpu->memory, (*res)->start,
				   PFN_UP((*res)->size));
	/*
	 * By now the place is in the LRU list. Whoever closes VRAM and then evicts
	 * all that is in the list either finds it there, or was seen here.
	 */
	if (READ_ONCE(gpu->vram_closed))
		err = -ENOSPC;
	if (err) {
		man->func->free(man, *res);
		*res = NULL;
	}
	return err;
}

static const struct dmem_cgroup_ops dmem_ops = {
	.reclaim = ttm_resource_manager_dmem_reclaim,
};

/*
 * Have VRAM charged to cgroups, where the kernel can. The controller may ask the manager
 * to evict until the region is unregistered, so that is not left to drmm_*(), which comes
 * after the manager is gone.
 */
static int ttm_init_dmem(struct svm_test_device *gpu, struct ttm_resource_manager *man,
			 u64 size)
{
	const struct dmem_cgroup_init init = {
		.size = size,
		.ops = &dmem_ops,
		.reclaim_priv = man,
	};
	struct dmem_cgroup_region *region;

	region = dmem_cgroup_register_region(&init, "drm/%s/vram", gpu->drm.unique);
	if (IS_ERR(region))
		return PTR_ERR(region);
	man->cg = region;
	return 0;
}

/* The range manager of TTM, but for what comes with a new place */
static int ttm_init_manager(struct svm_test_device *gpu, u64 size)
{
	struct ttm_resource_manager *man;
	int err;

	err = ttm_range_man_init(&gpu->bdev, TTM_PL_VRAM, false,
				 size >> PAGE_SHIFT);
	if (err)
		return err;

	man = ttm_manager_type(&gpu->bdev, TTM_PL_VRAM);
	err = ttm_init_dmem(gpu, man, size);
	if (err) {
		ttm_range_man_fini(&gpu->bdev, TTM_PL_VRAM);
		return err;
	}
	gpu->range_man = man->func;
	gpu->vram_man = *man->func;
	gpu->vram_man.alloc = svm_test_man_alloc;
	man->func = &gpu->vram_man;
	return 0;
}

/* Nobody has a buffer object in VRAM any more. */
static int ttm_fini_manager(struct svm_test_device *gpu)
{
	struct ttm_resource_manager *man = ttm_manager_type(&gpu->bdev, TTM_PL_VRAM);
	struct dmem_cgroup_region *region = man->cg;

	/* so that nothing is charged to a region that is gone */
	man->cg = NULL;
	dmem_cgroup_unregister_region(region);
	return ttm_range_man_fini(&gpu->bdev, TTM_PL_VRAM);
}

/**
 * svm_test_ttm_init() - have buffer objects, in RAM and in VRAM if there is any
 * @gpu: the device, whose memory and copy engine are there
 *
 * Return: 0 or a negative errno.
 */
int svm_test_ttm_init(struct svm_test_device *gpu)
{
	u64 size = svm_test_config_vram_size(&gpu->config);
	int err;

	err = ttm_device_init(&gpu->bdev, &svm_test_ttm_funcs, gpu->drm.dev,
			      gpu->drm.anon_inode->i_mapping,
			      gpu->drm.vma_offset_manager,
			      TTM_ALLOCATION_PROPAGATE_ENOSPC);
	if (err || !size)
		return err;

	err = ttm_init_manager(gpu, size);
	if (err)
		goto err_device;

	if (svm_test_on_gpusvm(gpu))
		err = svm_test_gpusvm_init_vram(gpu, size);
	else
		err = svm_test_port_init_vram(gpu, size);
	if (err)
		goto err_manager;
	return 0;

err_manager:
	ttm_fini_manager(gpu);
err_device:
	ttm_device_fini(&gpu->bdev);
	return err;
}

/**
 * svm_test_ttm_unplug() - give VRAM up
 * @gpu: the device; nobody uses buffer objects any more, and no file is attached
 *
 * Memory of processes goes home. Buffer objects lose their memory, but stay until
 * their files are closed, as the memory manager of TTM has to.
 */
void svm_test_ttm_unplug(struct svm_test_device *gpu)
{
	if (!svm_test_config_vram_size(&gpu->config))
		return;
	WRITE_ONCE(gpu->vram_closed, true);
	WRITE_ONCE(gpu->vram_gone, true);
	if (svm_test_on_gpusvm(gpu))
		svm_test_gpusvm_fini_vram(gpu);
	else
		drm_svm_vram_fini(&gpu->vram);
}

/**
 * svm_test_ttm_fini() - undo what is left of svm_test_ttm_init()
 * @gpu: the device, unplugged; no file has a buffer object any more
 */
void svm_test_ttm_fini(struct svm_test_device *gpu)
{
	if (svm_test_config_vram_size(&gpu->config))
		WARN_ON(ttm_fini_manager(gpu));
	ttm_device_fini(&gpu->bdev);
}
