/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _SVM_TEST_VM_H_
#define _SVM_TEST_VM_H_

#include <linux/atomic.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include <drm/drm_svm.h>

#include "svm_test_bind.h"
#include "svm_test_engine.h"
#include "svm_test_tlb.h"

struct svm_test_device;
struct svm_test_gpusvm;
struct svm_test_pt;

/**
 * struct svm_test_vm - the GPU address space of one file
 */
struct svm_test_vm {
	/** @ref: held by the file, and by unplug for a while. */
	struct kref ref;
	/** @gpu: the device. */
	struct svm_test_device *gpu;
	/** @ctx: the shared address space, once the file is attached. */
	struct drm_svm_context ctx;
	/** @gpusvm: the same with drm_gpusvm, in place of @ctx. */
	struct svm_test_gpusvm *gpusvm;
	/** @pt: the page table. */
	struct svm_test_pt *pt;
	/** @asid: its tag in the TLBs. */
	struct svm_test_asid asid;
	/** @bindings: where buffer objects are. */
	struct svm_test_bindings bindings;
	/**
	 * @ctx_lock: held for reading while @ctx is worked with, for writing to
	 * detach it; see svm_test_vm_enter().
	 */
	struct rw_semaphore ctx_lock;
	/** @attach_lock: one attempt to attach at a time. */
	struct mutex attach_lock;
	/** @link: link in svm_test_device.vms, under its lock, as is the next. */
	struct list_head link;
	/** @unplugged: unplug has looked after it. */
	bool unplugged;
	/**
	 * @submit_lock: orders submissions, so that fences of a queue have
	 * growing numbers; protects the fields up to @results, and no job is
	 * added to @num_jobs without it.
	 */
	struct mutex submit_lock;
	/** @closed: nothing is submitted or attached any more; set once. */
	bool closed;
	/** @last_job: number of the last job. */
	u64 last_job;
	/** @results: jobs whose result can be fetched, by number. */
	struct xarray results;
	/** @num_jobs: jobs that did not end, or whose result is to be fetched. */
	atomic_t num_jobs;
	/** @done: woken when a job ends. */
	wait_queue_head_t done;
	/** @queues: one for each engine of the device. */
	struct svm_test_queue queues[];
};

static inline struct svm_test_vm *to_svm_test_vm(struct drm_svm_context *ctx)
{
	return container_of(ctx, struct svm_test_vm, ctx);
}

struct svm_test_vm *svm_test_vm_create(struct svm_test_device *gpu);
void svm_test_vm_destroy(struct svm_test_vm *vm);

void svm_test_vm_unplug_all(struct svm_test_device *gpu);

int svm_test_vm_enter(struct svm_test_vm *vm);
bool svm_test_vm_try_enter(struct svm_test_vm *vm);
void svm_test_vm_leave(struct svm_test_vm *vm);
int svm_test_vm_check_attached(struct svm_test_vm *vm);
int svm_test_vm_check_mm(struct svm_test_vm *vm);

#endif
