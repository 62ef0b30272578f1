/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _SVM_TEST_PT_H_
#define _SVM_TEST_PT_H_

#include <kunit/visibility.h>

#include <linux/export.h>
#include <linux/pgtable.h>
#include <linux/types.h>

struct drm_svm_run;
struct svm_test_pt;

/* Bytes of the two larger leaves; the small one is a page. */
#define SVM_TEST_LEAF_MEDIUM_SHIFT	16
#define SVM_TEST_LEAF_LARGE_SHIFT	PMD_SHIFT

/**
 * struct svm_test_translation - what a walk of the page table found
 */
struct svm_test_translation {
	/** @addr: address on the bus of the first byte of the leaf. */
	u64 addr;
	/** @shift: log2 of the bytes of the leaf. */
	u8 shift;
	/** @write: the leaf may be written, and is marked dirty. */
	bool write;
};

struct svm_test_pt *svm_test_pt_create(unsigned int va_bits);
void svm_test_pt_destroy(struct svm_test_pt *pt);

int svm_test_pt_prepare(struct svm_test_pt *pt, u64 start, u64 end);
void svm_test_pt_map(struct svm_test_pt *pt, u64 start,
		     const struct drm_svm_run *runs, unsigned int n);
void svm_test_pt_unmap(struct svm_test_pt *pt, u64 start, u64 end);
void svm_test_pt_query(struct svm_test_pt *pt, u64 start, u64 end, u32 *state);

bool svm_test_pt_walk(struct svm_test_pt *pt, u64 addr, u32 access,
		      struct svm_test_translation *tr);
bool svm_test_pt_probe(struct svm_test_pt *pt, u64 addr, u32 access);

#endif
