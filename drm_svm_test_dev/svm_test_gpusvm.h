/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _SVM_TEST_GPUSVM_H_
#define _SVM_TEST_GPUSVM_H_

#include <linux/kconfig.h>
#include <linux/types.h>

#include "svm_test_device.h"

struct drm_ioctl_desc;
struct drm_printer;
struct svm_test_slot;
struct svm_test_vm;
struct ttm_buffer_object;
struct ttm_operation_ctx;
struct ttm_placement;
struct ttm_resource;

/**
 * svm_test_on_gpusvm() - does drm_gpusvm manage shared memory?
 * @gpu: the device
 *
 * The functions below may be called only then, except for
 * svm_test_gpusvm_take_ioctls(), which comes before any device. The compiler
 * drops these calls for a kernel without drm_gpusvm.
 *
 * Return: whether it is not drm_svm.
 */
static inline bool svm_test_on_gpusvm(const struct svm_test_device *gpu)
{
	return IS_ENABLED(CONFIG_DRM_GPUSVM) && gpu->config.gpusvm;
}

void svm_test_gpusvm_take_ioctls(struct drm_ioctl_desc *ioctls);
int svm_test_gpusvm_check_mm(struct svm_test_vm *vm);
int svm_test_gpusvm_push_fault(struct svm_test_vm *vm,
			       struct svm_test_slot *slot);
void svm_test_gpusvm_print(struct svm_test_vm *vm, struct drm_printer *p);
void svm_test_gpusvm_detach(struct svm_test_vm *vm);

int svm_test_gpusvm_init_vram(struct svm_test_device *gpu, u64 size);
void svm_test_gpusvm_fini_vram(struct svm_test_device *gpu);
int svm_test_gpusvm_evict_all(struct svm_test_device *gpu);

bool svm_test_gpusvm_bo_is_svm(struct ttm_buffer_object *tbo);
bool svm_test_gpusvm_bo_evict_flags(struct ttm_buffer_object *tbo,
				    struct ttm_placement *placement);
int svm_test_gpusvm_bo_move(struct ttm_buffer_object *tbo,
			    struct ttm_operation_ctx *ctx,
			    struct ttm_resource *new_mem);

#endif
