/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _DRM_SVM_FAKE_KUNIT_H_
#define _DRM_SVM_FAKE_KUNIT_H_

#include <linux/atomic.h>
#include <linux/dma-resv.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include <drm/ttm/ttm_device.h>

#include "../drm_svm_quirk.h"

struct device;
struct kunit;
struct page;

#define FAKE_RUNS	32U
#define FAKE_DONE	64U

/* A run, and where it was mapped. */
struct fake_run {
	u64 start;
	struct drm_svm_run run;
};

/* The answer to a fault. */
struct fake_done {
	u64 cookie;
	int err;
};

/*
 * A GPU that writes down what it is told, and does nothing. @ctx is attached to the
 * address space of the test. The counts go on where an array is full. Faults are
 * answered by several threads: @ndone counts them, @lock is for @done. While @disturb
 * is the address of a page, that is mapped anew before each map, which comes to nothing
 * if the range is the same. @evict: how many times all of the range is evicted before a
 * map. @promised, as the contract of map_prepare has it; @nbroken: maps without.
 * @seen_by_lockdep: so was the last answer.
 */
struct fake_gpu {
	struct drm_svm_context ctx;
	struct drm_svm_device sdev;
	struct fake_run runs[FAKE_RUNS];
	unsigned int nruns;
	unsigned int nmaps;
	unsigned int nunmaps;
	u64 unmap_start;
	u64 unmap_end;
	unsigned int nflushes;
	unsigned long disturb;
	unsigned int ndisturbed;
	unsigned int evict;
	unsigned int nprepared;
	bool promised;
	unsigned int nbroken;
	spinlock_t lock;
	wait_queue_head_t answered;
	bool seen_by_lockdep;
	atomic_t ndone;
	struct fake_done done[FAKE_DONE];
};

/*
 * The struct pages of a VRAM. All that are in use belong to one BO, which has no
 * place that TTM would know of.
 */
struct fake_vram {
	struct drm_svm_vram vram;
	struct drm_svm_bo bo;
	struct dma_resv resv;
	struct ttm_device bdev;
};

extern const struct drm_svm_context_ops fake_context_ops;

#define FAKE_VRAM_SIZE	(2 * DRM_SVM_RANGE_SIZE)

/* All of these fail the test where they cannot do it, and are undone at its end. */
struct device *fake_device(struct kunit *test);
struct fake_gpu *fake_gpu_create(struct kunit *test);
struct fake_vram *fake_vram_create(struct kunit *test, struct fake_gpu *gpu);
struct page *fake_vram_page(struct fake_vram *vram, unsigned long index);
struct page *fake_vram_use(struct kunit *test, struct fake_vram *vram,
			   unsigned long index, unsigned int order);
struct page *fake_pages(struct kunit *test, unsigned int order);
struct page *fake_small_pages(struct kunit *test, unsigned int order);
struct drm_svm_range *fake_range(struct kunit *test, struct fake_gpu *gpu,
				 unsigned long addr);
struct drm_svm_view *fake_view(struct kunit *test, struct drm_svm_range *range,
			       struct fake_gpu *gpu);
void fake_mapped(struct drm_svm_view *view, unsigned int first, unsigned int npages);

#endif
