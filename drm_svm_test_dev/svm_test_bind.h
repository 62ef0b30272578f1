/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _SVM_TEST_BIND_H_
#define _SVM_TEST_BIND_H_

#include <linux/list.h>
#include <linux/maple_tree.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

struct drm_device;
struct drm_exec;
struct drm_file;
struct drm_svm_test_cmd;
struct svm_test_bo;
struct svm_test_slot;
struct svm_test_vm;

/**
 * struct svm_test_bindings - where buffer objects are in an address space
 */
struct svm_test_bindings {
	/** @lock: protects @tree; held over the dma_resv of a buffer object. */
	struct mutex lock;
	/** @tree: by address, what is bound there. */
	struct maple_tree tree;
	/** @fault_lock: protects @faults; a leaf. */
	spinlock_t fault_lock;
	/** @faults: misses that wait for @work. */
	struct list_head faults;
	/** @work: serves them. */
	struct work_struct work;
};

void svm_test_bind_init(struct svm_test_vm *vm);
void svm_test_bind_clear(struct svm_test_vm *vm);
void svm_test_bind_fini(struct svm_test_vm *vm);

bool svm_test_bind_is_empty(const struct svm_test_vm *vm);
bool svm_test_bind_covers(const struct svm_test_vm *vm, u64 addr);
void svm_test_bind_push_fault(struct svm_test_vm *vm,
			      struct svm_test_slot *slot);

void svm_test_bo_unmap(struct svm_test_bo *bo);

int svm_test_bind_lock(struct svm_test_vm *vm, struct drm_exec *exec,
		       const struct drm_svm_test_cmd *cmds, u32 n);
int svm_test_bind_map(struct svm_test_vm *vm, const struct drm_svm_test_cmd *cmds, u32 n);
int svm_test_bind_check(struct svm_test_vm *vm, const struct drm_svm_test_cmd *cmds, u32 n);

int svm_test_ioctl_bo_bind(struct drm_device *drm, void *data,
			   struct drm_file *file);
int svm_test_ioctl_bo_unbind(struct drm_device *drm, void *data,
			     struct drm_file *file);

#endif
