// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The port: what drm_svm wants to be done to a GPU page table, as functions of
 * this GPU. This file is the example for other drivers.
 *
 * Locking is that of the callees. Everything but svm_test_ctx_map_prepare() and
 * svm_test_ctx_fault_done() runs in MMU notifiers, or under a lock that is taken
 * in them, so nothing here, and no lock that it takes, waits for memory.
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

#include <linux/module.h>

#include <drm/drm_svm.h>
#include <drm/drm_svm_test.h>
#include <drm/ttm/ttm_placement.h>

#include "svm_test_backend.h"
#include "svm_test_copy.h"
#include "svm_test_device.h"
#include "svm_test_engine.h"
#include "svm_test_job.h"
#include "svm_test_mmu.h"
#include "svm_test_pt.h"
#include "svm_test_svm.h"
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
		svm_test_mmu_flush(svm_test_engine_mmu(gpu->engines[i]),
				   &vm->asid, start, end);
}

static void svm_test_ctx_tlb_flush_wait(struct drm_svm_context *ctx)
{
	struct svm_test_device *gpu = to_svm_test_vm(ctx)->gpu;
	unsigned int i;

	for (i = 0; i < gpu->config.engines; i++)
		svm_test_mmu_drain(svm_test_engine_mmu(gpu->engines[i]));
}

static void svm_test_ctx_fault_done(struct drm_svm_context *ctx,
				    const struct drm_svm_fault *fault, int err)
{
	svm_test_backend_fault_done((void *)(uintptr_t)fault->cookie, err);
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

static int svm_vram_init(struct svm_test_device *gpu, u64 size)
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

static void svm_vram_fini(struct svm_test_device *gpu)
{
	drm_svm_vram_fini(&gpu->vram);
}

static int svm_vram_evict_all(struct svm_test_device *gpu)
{
	return drm_svm_vram_evict_all(&gpu->vram);
}

static int svm_vram_suspend(struct svm_test_device *gpu)
{
	return drm_svm_vram_suspend(&gpu->vram);
}

static void svm_vram_resume(struct svm_test_device *gpu)
{
	drm_svm_vram_resume(&gpu->vram);
}

static int svm_vram_mark_bad(struct svm_test_device *gpu, u64 offset)
{
	return drm_svm_vram_mark_bad(&gpu->vram, offset);
}

static int svm_attach(struct svm_test_vm *vm, struct drm_svm_attach *args)
{
	return drm_svm_ioctl_attach(&vm->ctx, &vm->gpu->sdev,
				    &svm_test_context_ops, args);
}

static void svm_detach(struct svm_test_vm *vm)
{
	drm_svm_context_detach(&vm->ctx);
}

static int svm_check_mm(struct svm_test_vm *vm)
{
	return drm_svm_context_check_mm(&vm->ctx);
}

static int svm_push_fault(struct svm_test_vm *vm, struct svm_test_slot *slot)
{
	const struct drm_svm_fault fault = {
		.addr = slot->addr,
		.cookie = (uintptr_t)slot,
		.access = slot->access |
			  (slot == slot->job->slots ? 0 : DRM_SVM_ACCESS_AHEAD),
	};

	return drm_svm_fault_queue_push(&vm->ctx, &fault);
}

static int svm_query(struct svm_test_vm *vm, struct drm_svm_query *args)
{
	return drm_svm_ioctl_query(&vm->ctx, args);
}

static int svm_prefetch(struct svm_test_vm *vm, struct drm_file *file,
			struct drm_svm_prefetch *args)
{
	return drm_svm_ioctl_prefetch(&vm->ctx, file, args);
}

static int svm_counters(struct svm_test_vm *vm, struct drm_svm_counters *args)
{
	return drm_svm_ioctl_counters(&vm->ctx, args);
}

static void svm_print(struct svm_test_vm *vm, struct drm_printer *p)
{
	drm_svm_print(&vm->ctx, p);
}

static void svm_memory_stats(struct svm_test_vm *vm,
			     struct drm_memory_stats *vram)
{
	drm_svm_memory_stats(&vm->ctx, vram);
}

/* What the rest of the driver calls; a driver with one manager calls it directly. */
const struct svm_test_backend svm_test_svm_backend = {
	.name = "drm_svm",
	.id = DRM_SVM_TEST_BACKEND_DRM_SVM,
	.vram_init = svm_vram_init,
	.vram_fini = svm_vram_fini,
	.vram_evict_all = svm_vram_evict_all,
	.vram_suspend = svm_vram_suspend,
	.vram_resume = svm_vram_resume,
	.vram_mark_bad = svm_vram_mark_bad,
	.bo_is_svm = drm_svm_bo_is_svm,
	.bo_evict_flags = drm_svm_bo_evict_flags,
	.bo_eviction_valuable = drm_svm_bo_eviction_valuable,
	.bo_move = drm_svm_bo_move,
	.attach = svm_attach,
	.detach = svm_detach,
	.check_mm = svm_check_mm,
	.push_fault = svm_push_fault,
	.query = svm_query,
	.prefetch = svm_prefetch,
	.counters = svm_counters,
	.print = svm_print,
	.memory_stats = svm_memory_stats,
};

/**
 * svm_test_svm_flush() - flush addresses that are not of drm_svm
 * @vm: address space
 * @start: first address
 * @end: first address past the interval, whose entries are cleared
 *
 * On return no access goes on that was translated before.
 */
void svm_test_svm_flush(struct svm_test_vm *vm, u64 start, u64 end)
{
	svm_test_ctx_tlb_flush_start(&vm->ctx, start, end);
	svm_test_ctx_tlb_flush_wait(&vm->ctx);
}
