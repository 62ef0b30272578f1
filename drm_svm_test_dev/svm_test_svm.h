/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _SVM_TEST_SVM_H_
#define _SVM_TEST_SVM_H_

#include <linux/types.h>

struct svm_test_vm;

void svm_test_svm_flush(struct svm_test_vm *vm, u64 start, u64 end);

#endif
