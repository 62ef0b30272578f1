/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _SVM_TEST_FILE_H_
#define _SVM_TEST_FILE_H_

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include <drm/drm_file.h>

struct drm_device;
struct svm_test_device;
struct svm_test_vm;

/**
 * struct svm_test_file - what an open file has: an address space, queues, jobs
 */
struct svm_test_file {
	/** @ref: held by the open file, and by unplug for a while. */
	struct kref ref;
	/** @gpu: the device. */
	struct svm_test_device *gpu;
	/** @own: the address space that was made with the file. */
	struct svm_test_vm *own;
	/**
	 * @vm: the address space that the file uses: @own, or the one of another file,
	 * which it joined. Changes once, under svm_test_device.vms_lock, and is read
	 * without it: both stay as long as the file.
	 */
	struct svm_test_vm *vm;
	/** @link: link in svm_test_vm.files of @vm, under svm_test_device.vms_lock. */
	struct list_head link;
	/** @unplugged: unplug has looked after it; under the same lock. */
	bool unplugged;
	/**
	 * @submit_lock: orders submissions, so that fences of a queue have
	 * growing numbers; protects the fields up to @results, and no job is
	 * added to @num_jobs without it.
	 */
	struct mutex submit_lock;
	/** @closed: nothing is submitted any more; set once. */
	bool closed;
	/** @last_job: number of the last job. */
	u64 last_job;
	/** @queues: by number; the first are there from the start, one for an engine. */
	struct xarray queues;
	/** @num_queues: how many there are. */
	unsigned int num_queues;
	/** @results: jobs whose result can be fetched, by number. */
	struct xarray results;
	/** @num_jobs: jobs that did not end, or whose result is to be fetched. */
	atomic_t num_jobs;
	/** @done: woken when a job ends. */
	wait_queue_head_t done;
};

static inline struct svm_test_file *to_svm_test_file(struct drm_file *file)
{
	return file->driver_priv;
}

/* The address space that a file uses; there until the file is closed. */
static inline struct svm_test_vm *svm_test_file_vm(struct drm_file *file)
{
	/* Pairs with svm_test_ioctl_vm() */
	return smp_load_acquire(&to_svm_test_file(file)->vm);
}

struct svm_test_file *svm_test_file_open(struct svm_test_device *gpu);
void svm_test_file_close(struct svm_test_file *file);
void svm_test_file_unplug_all(struct svm_test_device *gpu);

int svm_test_ioctl_vm(struct drm_device *drm, void *data, struct drm_file *file);

#endif
