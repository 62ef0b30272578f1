/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _SVM_TEST_VM_H_
#define _SVM_TEST_VM_H_

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include <drm/drm_svm.h>

#include "svm_test_bind.h"
#include "svm_test_engine.h"
#include "svm_test_tlb.h"

struct svm_test_device;
struct svm_test_pt;

/**
 * struct svm_test_vm - the GPU address space of one file
 */
struct svm_test_vm {
	/** @gpu: the device. */
	struct svm_test_device *gpu;
	/** @ctx: the shared address space, once the file is attached. */
	struct drm_svm_context ctx;
	/** @pt: the page table. */
	struct svm_test_pt *pt;
	/** @asid: its tag in the TLBs. */
	struct svm_test_asid asid;
	/** @bindings: where buffer objects are. */
	struct svm_test_bindings bindings;
	/** @attach_lock: one attempt to attach at a time. */
	struct mutex attach_lock;
	/** @link: link in svm_test_device.vms, under its lock. */
	struct list_head link;
	/**
	 * @submit_lock: orders submissions, so that fences of a queue have
	 * growing numbers; protects the fields up to @results, and no job is
	 * added to @num_jobs without it.
	 */
	struct mutex submit_lock;
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

int svm_test_vm_attach(struct svm_test_vm *vm, struct drm_svm_attach *args);

#endif
