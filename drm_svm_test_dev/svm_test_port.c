// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The port to drm_svm: the ops that the library calls for a GPU page table and
 * for VRAM, as functions of this GPU, and the ioctls that call the library.
 * This file is the example for other drivers. docs/porting.rst names the other
 * calls of the library, each of which is where the driver does the rest of the
 * work.
 *
 * Locking is that of the callees. All ops of the page table but
 * svm_test_ctx_map_prepare() and svm_test_ctx_fault_done() run in MMU
 * notifiers, or under a lock that is taken in them. So none of these ops, and
 * no lock that one of them takes, waits for memory.
 *
 * Invalidation is in three steps, which drm_svm calls in this order:
 *
 * 1. svm_test_ctx_unmap() clears the entries;
 * 2. svm_test_ctx_tlb_flush_start() counts the flush, so that no walk that is
 *    under way puts an old entry into a TLB afterwards, and then empties every
 *    TLB. The count has to be first: see svm_test_tlb_insert();
 * 3. svm_test_ctx_tlb_flush_wait() waits for the accesses that have their
 *    translation already.
 */

#include <linux/cleanup.h>
#include <linux/module.h>

#include <drm/drm_file.h>
#include <drm/drm_svm.h>
#include <drm/ttm/ttm_placement.h>

#include "svm_test_copy.h"
#include "svm_test_device.h"
#include "svm_test_engine.h"
#include "svm_test_fault.h"
#include "svm_test_file.h"
#include "svm_test_mmu.h"
#include "svm_test_port.h"
#include "svm_test_pt.h"
#include "svm_test_vm.h"
#include "svm_test_vram.h"

static int svm_test_ctx_map_prepare(struct drm_svm_context *ctx, u64 start,
				    u64 end)
{
	return svm_test_pt_prepare(to_svm_test_vm(ctx)->pt, start, end);
}

static void svm_test_ctx_map(struct drm_svm_context *ctx, u64 start,
			     const struct drm_svm_run *runs, unsigned int n)
{
	svm_test_pt_map(to_svm_test_vm(ctx)->pt, start, runs, n);
}

static void svm_test_ctx_unmap(struct drm_svm_context *ctx, u64 start, u64 end)
{
	svm_test_pt_unmap(to_svm_test_vm(ctx)->pt, start, end);
}

static void svm_test_ctx_tlb_flush_start(struct drm_svm_context *ctx, u64 start,
					 u64 end)
{
	struct svm_test_vm *vm = to_svm_test_vm(ctx);
	struct svm_test_device *gpu = vm->gpu;
	unsigned int i;

	/* Fully ordered: after the entries were cleared, before any TLB */
	atomic64_inc_return(&vm->asid.flushes);
	for (i = 0; i < gpu->config.engines; i++)
		svm_test_mmu_flush(gpu->engines[i]->mmu, &vm->asid, start, end);
}

static void svm_test_ctx_tlb_flush_wait(struct drm_svm_context *ctx)
{
	struct svm_test_device *gpu = to_svm_test_vm(ctx)->gpu;
	unsigned int i;

	for (i = 0; i < gpu->config.engines; i++)
		svm_test_mmu_drain(gpu->engines[i]->mmu);
}

static void svm_test_ctx_fault_done(struct drm_svm_context *ctx,
				    const struct drm_svm_fault *fault, int err)
{
	svm_test_fault_done((void *)(uintptr_t)fault->cookie, err);
}

static void svm_test_ctx_query(struct drm_svm_context *ctx, u64 start, u64 end,
			       u32 *state)
{
	svm_test_pt_query(to_svm_test_vm(ctx)->pt, start, end, state);
}

static const struct drm_svm_context_ops svm_test_context_ops = {
	.map_prepare = svm_test_ctx_map_prepare,
	.map = svm_test_ctx_map,
	.unmap = svm_test_ctx_unmap,
	.tlb_flush_start = svm_test_ctx_tlb_flush_start,
	.tlb_flush_wait = svm_test_ctx_tlb_flush_wait,
	.fault_done = svm_test_ctx_fault_done,
	.query = svm_test_ctx_query,
};

/**
 * svm_test_port_flush() - flush addresses that are not of drm_svm
 * @vm: address space
 * @start: first address
 * @end: first address past the interval, whose entries are cleared
 *
 * On return no access goes on that was translated before.
 */
void svm_test_port_flush(struct svm_test_vm *vm, u64 start, u64 end)
{
	struct svm_test_mmu *mmu = svm_test_buffer_engine(vm->gpu)->mmu;

	svm_test_ctx_tlb_flush_start(&vm->ctx, start, end);
	/* The one engine that never sees addresses of drm_svm */
	svm_test_mmu_flush(mmu, &vm->asid, start, end);
	svm_test_ctx_tlb_flush_wait(&vm->ctx);
	svm_test_mmu_drain(mmu);
}

/**
 * svm_test_ioctl_attach() - DRM_IOCTL_SVM_TEST_ATTACH
 * @drm: the DRM device
 * @data: struct drm_svm_attach
 * @file: the file
 *
 * Return: 0, or an error of drm_svm_ioctl_attach(), after which it can be tried
 * again unless it is -EEXIST; -ENODEV.
 */
int svm_test_ioctl_attach(struct drm_device *drm, void *data,
			  struct drm_file *file)
{
	struct svm_test_vm *vm = svm_test_file_vm(file);
	int err = svm_test_vm_enter(vm);

	if (err)
		return err;
	/* svm_test_vm_enter() keeps a detach out, attach_lock a second attach */
	scoped_guard(mutex, &vm->attach_lock) {
		/* Before: jobs may come as soon as it is attached. */
		const void *mm = vm->mm;

		vm->mm = mm ?: current->mm;
		err = drm_svm_ioctl_attach(&vm->ctx, &vm->gpu->sdev,
					   &svm_test_context_ops, data);
		if (err)
			vm->mm = mm;
	}
	svm_test_vm_leave(vm);
	return err;
}

/**
 * svm_test_ioctl_query() - DRM_IOCTL_SVM_TEST_QUERY
 * @drm: the DRM device
 * @data: struct drm_svm_query
 * @file: the file
 *
 * Return: 0, or an error of drm_svm_ioctl_query(); -ENODEV.
 */
int svm_test_ioctl_query(struct drm_device *drm, void *data,
			 struct drm_file *file)
{
	struct svm_test_vm *vm = svm_test_file_vm(file);
	int err = svm_test_vm_enter(vm);

	if (err)
		return err;
	err = drm_svm_ioctl_query(&vm->ctx, data);
	svm_test_vm_leave(vm);
	return err;
}

/**
 * svm_test_ioctl_prefetch() - DRM_IOCTL_SVM_TEST_PREFETCH
 * @drm: the DRM device
 * @data: struct drm_svm_prefetch
 * @file: the file
 *
 * Return: 0, or an error of drm_svm_ioctl_prefetch(); -ENODEV.
 */
int svm_test_ioctl_prefetch(struct drm_device *drm, void *data,
			    struct drm_file *file)
{
	struct svm_test_vm *vm = svm_test_file_vm(file);
	int err = svm_test_vm_enter(vm);

	if (err)
		return err;
	err = drm_svm_ioctl_prefetch(&vm->ctx, data);
	svm_test_vm_leave(vm);
	return err;
}

/**
 * svm_test_ioctl_counters() - DRM_IOCTL_SVM_TEST_COUNTERS
 * @drm: the DRM device
 * @data: struct drm_svm_counters
 * @file: the file
 *
 * Return: 0, or an error of drm_svm_ioctl_counters(); -ENODEV.
 */
int svm_test_ioctl_counters(struct drm_device *drm, void *data,
			    struct drm_file *file)
{
	struct svm_test_vm *vm = svm_test_file_vm(file);
	int err = svm_test_vm_enter(vm);

	if (err)
		return err;
	err = drm_svm_ioctl_counters(&vm->ctx, data);
	svm_test_vm_leave(vm);
	return err;
}

/**
 * svm_test_ioctl_events() - DRM_IOCTL_SVM_TEST_EVENTS
 * @drm: the DRM device
 * @data: struct drm_svm_events
 * @file: the file
 *
 * Return: 0, or an error of drm_svm_ioctl_events(); -ENODEV.
 */
int svm_test_ioctl_events(struct drm_device *drm, void *data,
			  struct drm_file *file)
{
	struct svm_test_vm *vm = svm_test_file_vm(file);
	int err = svm_test_vm_enter(vm);

	if (err)
		return err;
	err = drm_svm_ioctl_events(&vm->ctx, data);
	svm_test_vm_leave(vm);
	return err;
}

/**
 * svm_test_ioctl_vram_info() - DRM_IOCTL_SVM_TEST_VRAM_INFO
 * @drm: the DRM device
 * @data: struct drm_svm_vram_info
 * @file: the file
 *
 * Return: 0, or an error of drm_svm_ioctl_vram_info(); -ENODEV.
 */
int svm_test_ioctl_vram_info(struct drm_device *drm, void *data,
			     struct drm_file *file)
{
	struct svm_test_vm *vm = svm_test_file_vm(file);
	/* Unplug waits for this before it takes VRAM away. */
	int err = svm_test_vm_enter(vm);

	if (err)
		return err;
	err = drm_svm_ioctl_vram_info(&vm->ctx, &vm->gpu->sdev, data);
	svm_test_vm_leave(vm);
	return err;
}

static struct svm_test_device *vram_gpu(struct drm_svm_vram *vram)
{
	return container_of(vram, struct svm_test_device, vram);
}

static struct dma_fence *svm_test_vram_copy(struct drm_svm_vram *vram,
					    const struct drm_svm_copy *segs,
					    unsigned int n)
{
	return svm_test_copy_submit(vram_gpu(vram)->copy, segs, n);
}

static struct dma_fence *svm_test_vram_clear(struct drm_svm_vram *vram,
					     const struct drm_svm_run *runs,
					     unsigned int n)
{
	return svm_test_copy_clear(vram_gpu(vram)->copy, runs, n);
}

static u64 svm_test_vram_peer_addr(struct drm_svm_vram *vram,
				   struct drm_svm_device *peer, u64 offset)
{
	/* The buses of all devices are laid out alike. */
	return svm_test_bus_peer(vram_gpu(vram)->index, offset);
}

static const struct drm_svm_vram_ops svm_test_vram_ops = {
	.copy = svm_test_vram_copy,
	.clear = svm_test_vram_clear,
	.peer_addr = svm_test_vram_peer_addr,
};

/**
 * svm_test_port_init_vram() - let processes use the VRAM of a device
 * @gpu: the device, whose TTM has the memory type
 * @size: bytes
 *
 * Return: 0 or an error of drm_svm_vram_init().
 */
int svm_test_port_init_vram(struct svm_test_device *gpu, u64 size)
{
	const struct drm_svm_vram_config config = {
		.bdev = &gpu->bdev,
		.mem_type = TTM_PL_VRAM,
		.size = size,
		.ops = &svm_test_vram_ops,
		/* the same for all devices: each can use the VRAM of the others */
		.owner = gpu->config.peer ? THIS_MODULE : NULL,
		.module = THIS_MODULE,
	};

	return drm_svm_vram_init(&gpu->vram, &gpu->sdev, &config);
}
