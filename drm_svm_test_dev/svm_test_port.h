/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _SVM_TEST_PORT_H_
#define _SVM_TEST_PORT_H_

#include <linux/types.h>

struct drm_device;
struct drm_file;
struct svm_test_device;
struct svm_test_vm;

int svm_test_port_init_vram(struct svm_test_device *gpu, u64 size);
void svm_test_port_flush(struct svm_test_vm *vm, u64 start, u64 end);

int svm_test_ioctl_attach(struct drm_device *drm, void *data,
			  struct drm_file *file);
int svm_test_ioctl_query(struct drm_device *drm, void *data,
			 struct drm_file *file);
int svm_test_ioctl_prefetch(struct drm_device *drm, void *data,
			    struct drm_file *file);
int svm_test_ioctl_counters(struct drm_device *drm, void *data,
			    struct drm_file *file);
int svm_test_ioctl_events(struct drm_device *drm, void *data,
			  struct drm_file *file);
int svm_test_ioctl_vram_info(struct drm_device *drm, void *data,
			     struct drm_file *file);

#endif
