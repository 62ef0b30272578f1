/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _SVM_TEST_SVM_H_
#define _SVM_TEST_SVM_H_

#include <linux/types.h>

struct drm_svm_context_ops;
struct drm_svm_vram_ops;
struct svm_test_slot;
struct svm_test_vm;

extern const struct drm_svm_context_ops svm_test_context_ops;
extern const struct drm_svm_vram_ops svm_test_vram_ops;

int svm_test_svm_push_fault(struct svm_test_vm *vm, struct svm_test_slot *slot);
void svm_test_svm_flush(struct svm_test_vm *vm, u64 start, u64 end);

#endif
