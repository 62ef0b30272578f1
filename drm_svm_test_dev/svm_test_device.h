/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _SVM_TEST_DEVICE_H_
#define _SVM_TEST_DEVICE_H_

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/sizes.h>
#include <linux/time64.h>

#include <drm/drm_device.h>
#include <drm/drm_svm.h>
#include <drm/ttm/ttm_device.h>
#include <drm/ttm/ttm_resource.h>

#include "svm_test_config.h"
#include "svm_test_inject.h"
#include "svm_test_pm.h"

struct drm_driver;
struct faux_device;
struct svm_test_copy;
struct svm_test_engine;
struct svm_test_fault_buffer;
struct svm_test_gpusvm_vram;
struct svm_test_memory;

/* Limits of the submission interface, as DRM_IOCTL_SVM_TEST_INFO reports. */
#define SVM_TEST_MAX_CMDS	4096U
#define SVM_TEST_MAX_SYNCS	64U
#define SVM_TEST_MAX_QUEUES	1024U
#define SVM_TEST_MAX_ABANDONED	64
#define SVM_TEST_MAX_FENCE_NS	(10ULL * NSEC_PER_SEC)

#define SVM_TEST_MAX_BO_SIZE	SZ_4G

/**
 * struct svm_test_device - one virtual GPU
 *
 * What has no lock, and is no flag, is constant while the device is registered.
 */
struct svm_test_device {
	/** @drm: the DRM device. */
	struct drm_device drm;
	/** @sdev: its part in shared virtual memory. */
	struct drm_svm_device sdev;
	/** @vram: the part of its memory in it. */
	struct drm_svm_vram vram;
	/** @gpusvm: the same with drm_gpusvm, in place of @vram. */
	struct svm_test_gpusvm_vram *gpusvm;
	/** @bdev: who has which part of the memory. */
	struct ttm_device bdev;
	/** @range_man: how TTM gives out places in the memory. */
	const struct ttm_resource_manager_func *range_man;
	/** @vram_man: the same, with what this device adds. */
	struct ttm_resource_manager_func vram_man;
	/** @memory: the memory itself, VRAM. */
	struct svm_test_memory *memory;
	/** @inject: what tests let go wrong with it. */
	struct svm_test_inject inject;
	/** @copy: the copy engine. */
	struct svm_test_copy *copy;
	/** @faux: the device behind @drm. */
	struct faux_device *faux;
	/** @config: what it is made of. */
	struct svm_test_config config;
	/** @registered: programs can open it. */
	bool registered;
	/** @index: number of the device, from zero. */
	unsigned int index;
	/** @faults: the fault buffer. */
	struct svm_test_fault_buffer *faults;
	/**
	 * @engines: the first svm_test_config.engines are for shared memory; the next one
	 * is for buffer objects alone.
	 */
	struct svm_test_engine *engines[SVM_TEST_MAX_ENGINES + 1];
	/** @vram_closed: no place in VRAM is given out. */
	bool vram_closed;
	/** @vram_gone: nor is any content of buffer objects worth keeping. */
	bool vram_gone;
	/** @power_lock: one thing at a time is done to the whole device. */
	struct mutex power_lock;
	/** @unplugged: under @power_lock; set once. */
	bool unplugged;
	/** @pm: whether it is suspended. */
	struct svm_test_pm pm;
	/** @vms_lock: protects @vms. */
	struct mutex vms_lock;
	/** @vms: address spaces of all files. */
	struct list_head vms;
};

/* How many svm_test_device.engines there are */
static inline unsigned int svm_test_num_engines(const struct svm_test_device *gpu)
{
	return gpu->config.engines + 1;
}

/* The engine for buffer objects alone */
static inline struct svm_test_engine *svm_test_buffer_engine(const struct svm_test_device *gpu)
{
	return gpu->engines[gpu->config.engines];
}

static inline struct svm_test_device *to_svm_test_device(struct drm_device *drm)
{
	return container_of(drm, struct svm_test_device, drm);
}

struct svm_test_device *
svm_test_device_create(const struct drm_driver *driver,
		       const struct svm_test_config *config, unsigned int index);
int svm_test_device_register(struct svm_test_device *gpu);
int svm_test_device_unplug(struct svm_test_device *gpu, bool surprise);
void svm_test_device_destroy(struct svm_test_device *gpu);

#endif
