/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _SVM_TEST_MMU_H_
#define _SVM_TEST_MMU_H_

#include <linux/types.h>

struct svm_test_asid;
struct svm_test_mmu;
struct svm_test_vm;

struct svm_test_mmu *svm_test_mmu_create(unsigned int tlb_entries);
void svm_test_mmu_destroy(struct svm_test_mmu *mmu);

void svm_test_mmu_enter(struct svm_test_mmu *mmu);
void svm_test_mmu_leave(struct svm_test_mmu *mmu);

void *svm_test_mmu_get(struct svm_test_mmu *mmu, struct svm_test_vm *vm,
		       u64 addr, u32 access);
void svm_test_mmu_put(void *ptr);
bool svm_test_mmu_probe(struct svm_test_mmu *mmu, struct svm_test_vm *vm,
			u64 addr, u32 access);

void svm_test_mmu_flush(struct svm_test_mmu *mmu,
			const struct svm_test_asid *asid, u64 start, u64 end);
void svm_test_mmu_drain(struct svm_test_mmu *mmu);

#endif
