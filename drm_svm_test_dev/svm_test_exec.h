/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _SVM_TEST_EXEC_H_
#define _SVM_TEST_EXEC_H_

struct drm_device;
struct drm_file;

int svm_test_ioctl_submit(struct drm_device *drm, void *data,
			  struct drm_file *drm_file);
int svm_test_ioctl_wait(struct drm_device *drm, void *data,
			struct drm_file *drm_file);
int svm_test_ioctl_queue_create(struct drm_device *drm, void *data,
				struct drm_file *drm_file);
int svm_test_ioctl_queue_destroy(struct drm_device *drm, void *data,
				 struct drm_file *drm_file);
int svm_test_ioctl_cancel(struct drm_device *drm, void *data,
			  struct drm_file *drm_file);

#endif
