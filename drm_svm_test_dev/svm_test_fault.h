/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _SVM_TEST_FAULT_H_
#define _SVM_TEST_FAULT_H_

#include <linux/types.h>

struct svm_test_device;
struct svm_test_fault_buffer;
struct svm_test_slot;
struct svm_test_vm;

struct svm_test_fault_buffer *
svm_test_fault_buffer_create(struct svm_test_device *gpu);
void svm_test_fault_buffer_destroy(struct svm_test_fault_buffer *buffer);

unsigned int svm_test_fault_post(struct svm_test_fault_buffer *buffer,
				 struct svm_test_slot *slots, unsigned int n);
bool svm_test_fault_has_room(struct svm_test_fault_buffer *buffer);
void svm_test_fault_done(struct svm_test_slot *slot, int err);
void svm_test_fault_purge(struct svm_test_fault_buffer *buffer,
			  struct svm_test_vm *vm);
u64 svm_test_fault_overflows(struct svm_test_fault_buffer *buffer);
u64 svm_test_fault_cost_ns(struct svm_test_fault_buffer *buffer);

#endif
