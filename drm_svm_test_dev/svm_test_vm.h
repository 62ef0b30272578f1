/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _SVM_TEST_VM_H_
#define _SVM_TEST_VM_H_

#include <linux/atomic.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>

#include <drm/drm_svm.h>

#include "svm_test_bind.h"
#include "svm_test_tlb.h"

struct svm_test_device;
struct svm_test_gpusvm;
struct svm_test_pt;

/**
 * struct svm_test_vm - a GPU address space
 */
struct svm_test_vm {
	/** @ref: one for its files, and those of jobs and of unplug. */
	struct kref ref;
	/** @gpu: the device. */
	struct svm_test_device *gpu;
	/** @ctx: the shared address space, once the file is attached. */
	struct drm_svm_context ctx;
	/** @gpusvm: the same with drm_gpusvm, in place of @ctx. */
	struct svm_test_gpusvm *gpusvm;
	/** @mm: what it is attached to, for svm_test_wait_wake(); never followed. */
	const void *mm;
	/** @pt: the page table. */
	struct svm_test_pt *pt;
	/** @asid: its tag in the TLBs. */
	struct svm_test_asid asid;
	/** @abandoned: faults in flight that no job waits for, as it was stopped or closed. */
	atomic_t abandoned;
	/** @bindings: where buffer objects are. */
	struct svm_test_bindings bindings;
	/**
	 * @ctx_lock: held for reading while @ctx is worked with, for writing to
	 * detach it; see svm_test_vm_enter().
	 */
	struct rw_semaphore ctx_lock;
	/** @attach_lock: one attempt to attach at a time. */
	struct mutex attach_lock;
	/** @link: link in svm_test_device.vms, under its lock, as are the next two. */
	struct list_head link;
	/** @files: the files that use it. */
	struct list_head files;
	/** @unplugged: unplug has looked after it. */
	bool unplugged;
	/** @closed: nothing is attached any more; set once. */
	bool closed;
};

static inline struct svm_test_vm *to_svm_test_vm(struct drm_svm_context *ctx)
{
	return container_of(ctx, struct svm_test_vm, ctx);
}

struct svm_test_vm *svm_test_vm_create(struct svm_test_device *gpu);
void svm_test_vm_destroy(struct svm_test_vm *vm);
struct svm_test_vm *svm_test_vm_find(struct svm_test_device *gpu, u64 id);
bool svm_test_vm_is_used(struct svm_test_vm *vm);
struct svm_test_vm *svm_test_vm_get(struct svm_test_vm *vm);
void svm_test_vm_put(struct svm_test_vm *vm);

void svm_test_vm_unplug_all(struct svm_test_device *gpu);

int svm_test_vm_enter(struct svm_test_vm *vm);
bool svm_test_vm_try_enter(struct svm_test_vm *vm);
void svm_test_vm_leave(struct svm_test_vm *vm);
int svm_test_vm_check_attached(struct svm_test_vm *vm);
int svm_test_vm_check_own(struct svm_test_vm *vm);
int svm_test_vm_check_mm(struct svm_test_vm *vm);

#endif
