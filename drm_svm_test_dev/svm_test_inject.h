/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _SVM_TEST_INJECT_H_
#define _SVM_TEST_INJECT_H_

#include <linux/atomic.h>
#include <linux/types.h>

struct dentry;
struct svm_test_device;

/**
 * struct svm_test_inject - what is to go wrong
 */
struct svm_test_inject {
	/** @fail_copy: jobs of the copy engine that will fail. */
	atomic_t fail_copy;
	/** @fail_copy_skip: jobs before them that will not. */
	atomic_t fail_copy_skip;
	/** @fail_page: offset of a page that cannot be copied, or zero. */
	u64 fail_page;
	/** @fail_alloc: places in VRAM that will not be found. */
	atomic_t fail_alloc;
	/** @offset: of the last address that was asked for. */
	u64 offset;
};

int svm_test_inject_copy(struct svm_test_inject *inject);
int svm_test_inject_copy_page(struct svm_test_inject *inject, u64 offset);
int svm_test_inject_alloc(struct svm_test_inject *inject);

void svm_test_inject_debugfs_init(struct svm_test_device *gpu,
				  struct dentry *root);

#endif
