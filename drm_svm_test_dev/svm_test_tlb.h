/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _SVM_TEST_TLB_H_
#define _SVM_TEST_TLB_H_

#include <linux/atomic.h>
#include <linux/types.h>

struct svm_test_tlb;
struct svm_test_translation;

/**
 * struct svm_test_asid - the tag of an address space in the TLBs
 */
struct svm_test_asid {
	/** @id: never used again, not even when the address space is gone. */
	u64 id;
	/** @flushes: number of flushes begun; see svm_test_tlb_insert(). */
	atomic64_t flushes;
};

struct svm_test_tlb *svm_test_tlb_create(unsigned int entries);
void svm_test_tlb_destroy(struct svm_test_tlb *tlb);

bool svm_test_tlb_lookup(struct svm_test_tlb *tlb,
			 const struct svm_test_asid *asid, u64 addr, bool write,
			 u64 *dma);
void svm_test_tlb_insert(struct svm_test_tlb *tlb,
			 const struct svm_test_asid *asid, u64 flushes,
			 u64 addr, const struct svm_test_translation *tr);
void svm_test_tlb_flush(struct svm_test_tlb *tlb,
			const struct svm_test_asid *asid, u64 start, u64 end);

#endif
