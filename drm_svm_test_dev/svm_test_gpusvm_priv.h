/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _SVM_TEST_GPUSVM_PRIV_H_
#define _SVM_TEST_GPUSVM_PRIV_H_

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include <drm/drm_gpusvm.h>

struct drm_pagemap;
struct drm_pagemap_addr;
struct drm_svm_attach;
struct drm_svm_run;
struct svm_test_device;
struct svm_test_vm;

/**
 * struct svm_test_gpusvm - an address space as drm_gpusvm has it
 */
struct svm_test_gpusvm {
	/** @base: the part of drm_gpusvm. */
	struct drm_gpusvm base;
	/** @vm: the rest. */
	struct svm_test_vm *vm;
	/** @lock: one fault at a time. */
	struct mutex lock;
	/** @fault_lock: protects @faults; a leaf. */
	spinlock_t fault_lock;
	/** @faults: misses that wait for @fault_work. */
	struct list_head faults;
	/** @fault_work: serves them. */
	struct work_struct fault_work;
	/** @gc_lock: protects @gc; a leaf. */
	spinlock_t gc_lock;
	/** @gc: ranges of which a part was unmapped. */
	struct list_head gc;
	/** @gc_work: removes them. */
	struct work_struct gc_work;
	/** @closed: nothing is served any more; set once. */
	bool closed;
	/** @num_faults: misses so far. */
	atomic64_t num_faults;
	/** @num_failed: misses that were answered with an error. */
	atomic64_t num_failed;
	/** @num_duplicates: misses that were served by another one. */
	atomic64_t num_duplicates;
	/** @pages_mapped: pages mapped so far. */
	atomic64_t pages_mapped;
	/** @invalidations: invalidations that met a mapped page. */
	atomic64_t invalidations;
};

/**
 * struct svm_test_gpusvm_counts - pages that were copied
 */
struct svm_test_gpusvm_counts {
	/** @pages_in: pages that came to VRAM. */
	u64 pages_in;
	/** @copied_in: those of them that were copied. */
	u64 copied_in;
	/** @pages_out: pages that went to RAM. */
	u64 pages_out;
};

int svm_test_gpusvm_attach(struct svm_test_vm *vm, struct drm_svm_attach *args);
void svm_test_gpusvm_gc(struct svm_test_gpusvm *peer);

void *svm_test_gpusvm_vram_owner(struct svm_test_device *gpu);
int svm_test_gpusvm_vram_hold(struct svm_test_device *gpu);
void svm_test_gpusvm_vram_release(struct svm_test_device *gpu);
struct drm_pagemap *svm_test_gpusvm_vram_pagemap(struct svm_test_device *gpu);
void svm_test_gpusvm_vram_counts(struct svm_test_device *gpu,
				 struct svm_test_gpusvm_counts *counts);
void svm_test_gpusvm_run(const struct drm_pagemap_addr *addr,
			 struct drm_svm_run *run);

#endif
