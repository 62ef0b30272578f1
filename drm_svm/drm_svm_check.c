// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <drm/drm_print.h>

#include "drm_svm_internal.h"
#include "drm_svm_vram.h"

/**
 * DOC: Mistakes of a driver
 *
 * What a driver forgets compiles, and shows much later, as a jump to zero or as wrong
 * data. What can be seen when it begins is refused here, with a sentence in the log.
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
 * drm_svm_check_context_ops() - see whether a driver has all MMU functions
 * @sdev: the GPU
 * @ops: its MMU functions
 *
 * A program can repeat this, so it is logged once.
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
 * drm_svm_check_vram_ops() - see whether a driver has all functions for its VRAM
 * @vram: the VRAM, its ops and its owner set
 *
 * Return: 0 or -EINVAL.
 */
int drm_svm_check_vram_ops(const struct drm_svm_vram *vram)
{
	const char *missing = drm_svm_check_missing_vram_op(vram);

	if (!missing)
		return 0;
	drm_err(vram->drm, "the driver has no %s() in its drm_svm_vram_ops\n", missing);
	return -EINVAL;
}
