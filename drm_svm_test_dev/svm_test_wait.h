/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _SVM_TEST_WAIT_H_
#define _SVM_TEST_WAIT_H_

#include <linux/list.h>
#include <linux/types.h>

struct drm_device;
struct drm_file;

/**
 * struct svm_test_wait - the wait of a job or a thread for a user fence
 */
struct svm_test_wait {
	/** @node: link in a bucket of svm_test_wait.c; unhashed: waits for nothing. */
	struct hlist_node node;
	/** @mm: whose address it is; never followed. */
	const void *mm;
	/** @addr: address of the value. */
	u64 addr;
	/** @wake: the value may have changed. Called with a spinlock held. */
	void (*wake)(struct svm_test_wait *wait);
};

void svm_test_wait_begin(struct svm_test_wait *wait, const void *mm, u64 addr);
void svm_test_wait_end(struct svm_test_wait *wait);
void svm_test_wait_wake(const void *mm, u64 addr);

int svm_test_ioctl_fence_wait(struct drm_device *drm, void *data,
			      struct drm_file *drm_file);

#endif
