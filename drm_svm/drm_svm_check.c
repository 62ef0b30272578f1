// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/static_stub.h>

#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>

#include <drm/drm_drv.h>
#include <drm/drm_print.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_device.h>
#include <drm/ttm/ttm_placement.h>

#include "drm_svm_migrate.h"

/**
 * DOC: Mistakes of a driver
 *
 * A function that a driver forgets still compiles, and shows much later, as a
 * jump to zero or as wrong data. Mistakes that can be detected at the beginning
 * are refused here, with a message in the log.
 *
 * A wait for something that does not come has no timeout, because giving up
 * would be wrong; but after a while the log says what is waited for, once for
 * each wait.
 */

static const char *
drm_svm_check_missing_context_op(const struct drm_svm_context_ops *ops)
{
	return !ops->map_prepare ? "map_prepare" :
	       !ops->map ? "map" :
	       !ops->unmap ? "unmap" :
	       !ops->tlb_flush_start ? "tlb_flush_start" :
	       !ops->tlb_flush_wait ? "tlb_flush_wait" :
	       !ops->fault_done ? "fault_done" : NULL;
}

/**
 * drm_svm_check_context_ops() - check that a driver has all MMU functions
 * @sdev: the GPU
 * @ops: its MMU functions
 *
 * Logged once, because a program can repeat this.
 *
 * Return: 0 or -EINVAL.
 */
int drm_svm_check_context_ops(const struct drm_svm_device *sdev,
			      const struct drm_svm_context_ops *ops)
{
	const char *missing = drm_svm_check_missing_context_op(ops);

	if (!missing)
		return 0;
	drm_err_once(sdev->drm, "the driver has no %s() in its drm_svm_context_ops\n",
		     missing);
	return -EINVAL;
}

static const char *drm_svm_check_missing_vram_op(const struct drm_svm_vram *vram)
{
	return !vram->ops->copy ? "copy" :
	       !vram->ops->clear ? "clear" :
	       vram->owner && !vram->ops->peer_addr ? "peer_addr" : NULL;
}

/**
 * drm_svm_check_vram_ops() - check that a driver has all functions for its VRAM
 * @vram: the VRAM, its ops, owner and module set
 *
 * Return: 0 or -EINVAL.
 */
int drm_svm_check_vram_ops(const struct drm_svm_vram *vram)
{
	const struct file_operations *fops = vram->drm->driver->fops;
	const char *missing = drm_svm_check_missing_vram_op(vram);

	if (missing) {
		drm_err(vram->drm, "the driver has no %s() in its drm_svm_vram_ops\n",
			missing);
		return -EINVAL;
	}
	if (fops && fops->owner && !vram->module) {
		drm_err(vram->drm, "the driver has no module in its drm_svm_vram_config\n");
		return -EINVAL;
	}
	return 0;
}

static const char *
drm_svm_check_missing_ttm_func(const struct ttm_device_funcs *funcs)
{
	return !funcs->ttm_tt_create ? "ttm_tt_create" :
	       !funcs->ttm_tt_destroy ? "ttm_tt_destroy" :
	       !funcs->eviction_valuable ? "eviction_valuable" :
	       !funcs->evict_flags ? "evict_flags" :
	       !funcs->move ? "move" : NULL;
}

static int drm_svm_check_ttm_funcs(const struct drm_svm_vram *vram)
{
	const char *missing = drm_svm_check_missing_ttm_func(vram->bdev->funcs);

	if (!missing)
		return 0;
	drm_err(vram->drm, "the driver has no %s() in its ttm_device_funcs\n", missing);
	return -EINVAL;
}

/* Evict as TTM does for want of room. Called with the dma_resv held. */
static int drm_svm_check_evict(struct drm_svm_bo *bo)
{
	const struct ttm_device_funcs *funcs = bo->vram->bdev->funcs;
	struct ttm_operation_ctx ctx = { .interruptible = false };
	struct ttm_placement placement = { 0 };
	int err;

	dma_resv_assert_held(bo->tbo.base.resv);
	funcs->evict_flags(&bo->tbo, &placement);
	if (placement.num_placement != 1 ||
	    placement.placement->mem_type != TTM_PL_SYSTEM) {
		drm_err(bo->vram->drm,
			"evict_flags() of the driver does not call drm_svm_bo_evict_flags()\n");
		return -EINVAL;
	}
	/* forget the first move, which was into VRAM */
	bo->asked = false;
	err = ttm_bo_validate(&bo->tbo, &placement, &ctx);
	if (bo->asked || err == -ENOMEM)
		return err;
	drm_err(bo->vram->drm, "move() of the driver does not call drm_svm_bo_move()\n");
	return -EINVAL;
}

/**
 * drm_svm_check_ttm() - check that a driver forwards TTM's calls on our BOs
 * @vram: the VRAM, with all that it takes to make a buffer
 *
 * A driver that does not would take VRAM away from pages of processes without
 * telling anybody. So a buffer of one page is made, and evicted.
 *
 * Context: process context, no lock held that eviction takes.
 * Return: 0, -EINVAL, or the reason why there is no buffer.
 */
int drm_svm_check_ttm(struct drm_svm_vram *vram)
{
	struct drm_svm_stats *stats;
	struct drm_svm_bo *bo;
	int err;

	err = drm_svm_check_ttm_funcs(vram);
	if (err)
		return err;
	stats = drm_svm_stats_create();
	if (!stats)
		return -ENOMEM;
	bo = drm_svm_bo_create(vram, stats, 1, DRM_SVM_ROOM_EVICT);
	drm_svm_stats_put(stats);
	if (IS_ERR(bo)) {
		drm_err(vram->drm, "no page of TTM's memory type %u for a buffer of drm_svm: %pe\n",
			vram->mem_type, bo);
		return PTR_ERR(bo);
	}
	dma_resv_lock(bo->tbo.base.resv, NULL);
	err = drm_svm_check_evict(bo);
	drm_svm_bo_unlock(bo);
	drm_svm_bo_fill_done(bo);
	return err;
}
