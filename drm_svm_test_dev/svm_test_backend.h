/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _SVM_TEST_BACKEND_H_
#define _SVM_TEST_BACKEND_H_

#include <linux/spinlock.h>
#include <linux/types.h>

struct drm_file;
struct drm_memory_stats;
struct drm_printer;
struct drm_svm_attach;
struct drm_svm_counters;
struct drm_svm_prefetch;
struct drm_svm_query;
struct svm_test_device;
struct svm_test_slot;
struct svm_test_vm;
struct ttm_buffer_object;
struct ttm_operation_ctx;
struct ttm_place;
struct ttm_placement;
struct ttm_resource;

/**
 * struct svm_test_backend - who manages shared memory for a device
 *
 * Every function has the meaning, the errors and the locking of the drm_svm
 * function that svm_test_svm.c calls for it. What takes an address space is
 * called for one that was attached or not, but for @push_fault.
 */
struct svm_test_backend {
	/** @name: as the module parameter says it. */
	const char *name;
	/** @id: enum drm_svm_test_backend. */
	u64 id;

	/** @vram_init: let processes use the device's memory, @size bytes. */
	int (*vram_init)(struct svm_test_device *gpu, u64 size);
	/** @vram_fini: bring everything home, for good. */
	void (*vram_fini)(struct svm_test_device *gpu);
	/** @vram_evict_all: bring everything home. */
	int (*vram_evict_all)(struct svm_test_device *gpu);
	/** @vram_suspend: the same; nothing comes in until @vram_resume. */
	int (*vram_suspend)(struct svm_test_device *gpu);
	/** @vram_resume: undo @vram_suspend. */
	void (*vram_resume)(struct svm_test_device *gpu);
	/** @vram_mark_bad: never use the page at @offset again. */
	int (*vram_mark_bad)(struct svm_test_device *gpu, u64 offset);

	/** @bo_is_svm: is it a buffer object of this backend? */
	bool (*bo_is_svm)(struct ttm_buffer_object *tbo);
	/** @bo_evict_flags: if so, say where it is evicted to. */
	bool (*bo_evict_flags)(struct ttm_buffer_object *tbo,
			       struct ttm_placement *placement);
	/** @bo_eviction_valuable: is any one worth to be evicted for @place? */
	bool (*bo_eviction_valuable)(struct ttm_buffer_object *tbo,
				     const struct ttm_place *place);
	/** @bo_move: move one that is. */
	int (*bo_move)(struct ttm_buffer_object *tbo,
		       struct ttm_operation_ctx *ctx,
		       struct ttm_resource *new_mem);

	/** @attach: share the memory of the calling process. */
	int (*attach)(struct svm_test_vm *vm, struct drm_svm_attach *args);
	/** @detach: undo it. */
	void (*detach)(struct svm_test_vm *vm);
	/** @check_mm: is it the memory of the calling process? */
	int (*check_mm)(struct svm_test_vm *vm);
	/**
	 * @push_fault: take a miss; when that succeeds
	 * svm_test_backend_fault_done() answers it.
	 */
	int (*push_fault)(struct svm_test_vm *vm, struct svm_test_slot *slot);
	/** @query: what does the GPU see? */
	int (*query)(struct svm_test_vm *vm, struct drm_svm_query *args);
	/** @prefetch: move pages. */
	int (*prefetch)(struct svm_test_vm *vm, struct drm_file *file,
			struct drm_svm_prefetch *args);
	/** @counters: what happened so far? */
	int (*counters)(struct svm_test_vm *vm, struct drm_svm_counters *args);
	/** @print: the same, for debugfs. */
	void (*print)(struct svm_test_vm *vm, struct drm_printer *p);
	/** @memory_stats: add the VRAM that the process has. */
	void (*memory_stats)(struct svm_test_vm *vm,
			     struct drm_memory_stats *vram);
};

extern const struct svm_test_backend svm_test_svm_backend;
extern const struct svm_test_backend svm_test_gpusvm_backend;

/**
 * struct svm_test_service - for how long misses wait for the backend
 */
struct svm_test_service {
	/** @lock: protects all below; a leaf. */
	spinlock_t lock;
	/** @faults: misses that the backend has. */
	unsigned int faults;
	/** @since: since when it has one, in nanoseconds. */
	u64 since;
	/** @total: for how long it had one, before that. */
	u64 total;
};

const struct svm_test_backend *svm_test_backend_find(const char *name);
int svm_test_backend_push_fault(struct svm_test_vm *vm,
				struct svm_test_slot *slot);
void svm_test_backend_fault_done(struct svm_test_slot *slot, int err);
u64 svm_test_backend_service_ns(struct svm_test_device *gpu);

#endif
