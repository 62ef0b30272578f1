/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _SVM_TEST_TTM_H_
#define _SVM_TEST_TTM_H_

#include <linux/types.h>

struct svm_test_bo;
struct svm_test_device;
struct ttm_buffer_object;
struct ttm_operation_ctx;

int svm_test_ttm_init(struct svm_test_device *gpu);
void svm_test_ttm_unplug(struct svm_test_device *gpu);
void svm_test_ttm_fini(struct svm_test_device *gpu);

int svm_test_ttm_place_system(struct ttm_buffer_object *tbo,
			      struct ttm_operation_ctx *ctx);
int svm_test_ttm_place_vram(struct ttm_buffer_object *tbo, bool evict,
			    struct ttm_operation_ctx *ctx);
int svm_test_ttm_evict_all(struct svm_test_device *gpu);

#endif
