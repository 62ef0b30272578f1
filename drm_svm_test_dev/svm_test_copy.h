/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _SVM_TEST_COPY_H_
#define _SVM_TEST_COPY_H_

struct dma_fence;
struct drm_svm_copy;
struct drm_svm_run;
struct svm_test_copy;
struct svm_test_device;

struct svm_test_copy *svm_test_copy_create(struct svm_test_device *gpu);
void svm_test_copy_destroy(struct svm_test_copy *engine);

void svm_test_copy_flush(struct svm_test_copy *engine);
void svm_test_copy_kill(struct svm_test_copy *engine);

struct dma_fence *svm_test_copy_submit(struct svm_test_copy *engine,
				       const struct drm_svm_copy *segs,
				       unsigned int n);
struct dma_fence *svm_test_copy_clear(struct svm_test_copy *engine,
				      const struct drm_svm_run *runs,
				      unsigned int n);

#endif
