/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _SVM_TEST_GEM_H_
#define _SVM_TEST_GEM_H_

#include <linux/list.h>
#include <linux/types.h>

#include <drm/ttm/ttm_bo.h>

struct drm_device;
struct drm_file;
struct drm_printer;
struct drm_svm_run;
struct ttm_resource;

/**
 * struct svm_test_bo - a buffer object of a program
 */
struct svm_test_bo {
	/** @tbo: the part of TTM; its dma_resv protects @bindings. */
	struct ttm_buffer_object tbo;
	/** @wants_vram: where it belongs; constant. */
	bool wants_vram;
	/** @in_vram: where it is, for who need not know exactly. */
	bool in_vram;
	/** @arriving: it is on its way; under the dma_resv, as are the next. */
	bool arriving;
	/** @arrived: when its content had arrived where it is, in jiffies. */
	unsigned long arrived;
	/** @evicted: when it was evicted, in jiffies. */
	unsigned long evicted;
	/** @rest: for how many jiffies it evicts no others, or zero. */
	unsigned long rest;
	/** @bindings: where it is bound. */
	struct list_head bindings;
};

struct svm_test_bo *to_svm_test_bo(struct ttm_buffer_object *tbo);

void svm_test_bo_run(struct ttm_buffer_object *tbo, struct ttm_resource *res,
		     u32 page, u32 npages, struct drm_svm_run *run);
int svm_test_bo_make_resident(struct svm_test_bo *bo, bool interruptible);
void svm_test_bo_moved(struct svm_test_bo *bo, bool evict);

int svm_test_ioctl_bo_create(struct drm_device *drm, void *data,
			     struct drm_file *file);
int svm_test_ioctl_bo_mmap(struct drm_device *drm, void *data,
			   struct drm_file *file);
void svm_test_show_fdinfo(struct drm_printer *p, struct drm_file *file);

#endif
