// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Buffer objects of programs: the memory that a GPU had before it could share
 * that of a process. They are here to compete with shared memory for VRAM.
 *
 * A buffer object that wants VRAM is moved there when the GPU uses it, and to
 * RAM when the CPU does: the CPU cannot see VRAM. In RAM it has room always,
 * and the GPU can use it there as well.
 *
 * A job may need at the same time what does not fit in together. Then one would
 * evict the other for ever. So who was evicted does not evict others for a
 * while, and stays in RAM if there is no room without that. The while doubles
 * each time that the stay in VRAM was shorter than it: moving may take longer
 * than any fixed time.
 *
 * Where a buffer object is bound to GPU addresses is in svm_test_bind.c.
 */

#include <linux/dma-resv.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_gem_ttm_helper.h>
#include <drm/drm_svm.h>
#include <drm/drm_svm_test.h>
#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_resource.h>
#include <drm/ttm/ttm_tt.h>

#include "svm_test_bind.h"
#include "svm_test_device.h"
#include "svm_test_file.h"
#include "svm_test_gem.h"
#include "svm_test_pt.h"
#include "svm_test_ttm.h"
#include "svm_test_vm.h"

/* How long a buffer object that was evicted evicts no others, in jiffies */
#define REST_MIN	((unsigned long)HZ)
#define REST_MAX	(60UL * HZ)

static void svm_test_bo_destroy(struct ttm_buffer_object *tbo)
{
	struct svm_test_bo *bo = container_of(tbo, struct svm_test_bo, tbo);

	WARN_ON(!list_empty(&bo->bindings));
	drm_gem_object_release(&tbo->base);
	kfree(bo);
}

/**
 * to_svm_test_bo() - whose buffer object is it?
 * @tbo: the buffer object
 *
 * Return: the one of this file, or NULL when it is of drm_svm or TTM's own.
 */
struct svm_test_bo *to_svm_test_bo(struct ttm_buffer_object *tbo)
{
	if (tbo->destroy != svm_test_bo_destroy)
		return NULL;
	return container_of(tbo, struct svm_test_bo, tbo);
}

/**
 * svm_test_bo_run() - find contiguous memory of a buffer object
 * @tbo: the buffer object, its dma_resv held; has pages, if @res is of RAM
 * @res: its place, the present or the next one
 * @page: first page
 * @npages: the most pages, not zero and not past the end
 * @run: as many of them as are contiguous
 */
void svm_test_bo_run(struct ttm_buffer_object *tbo, struct ttm_resource *res,
		     u32 page, u32 npages, struct drm_svm_run *run)
{
	run->prot = DRM_SVM_PAGE_READ | DRM_SVM_PAGE_WRITE;
	if (res->mem_type == TTM_PL_VRAM) {
		run->addr = ((u64)res->start + page) << PAGE_SHIFT;
		run->npages = npages;
		run->location = DRM_SVM_LOCATION_VRAM;
		return;
	}

	run->addr = tbo->ttm->dma_address[page];
	run->npages = 1;
	run->location = DRM_SVM_LOCATION_SYSTEM;
	while (run->npages < npages &&
	       tbo->ttm->dma_address[page + run->npages] ==
	       run->addr + ((u64)run->npages << PAGE_SHIFT))
		run->npages++;
}

static int bo_place(struct svm_test_bo *bo, struct ttm_operation_ctx *ctx)
{
	bool rests = bo->rest && time_before(jiffies, bo->evicted + bo->rest);
	int err;

	if (bo->wants_vram) {
		err = svm_test_ttm_place_vram(&bo->tbo, !rests, ctx);
		if (err != -ENOSPC)
			return err;
	}
	return svm_test_ttm_place_system(&bo->tbo, ctx);
}

/**
 * svm_test_bo_make_resident() - have a buffer object where the GPU can use it
 * @bo: the buffer object, its dma_resv held
 * @interruptible: signals end the wait
 *
 * On return its content has arrived, and it stays while the dma_resv is held.
 *
 * Return: 0, -ENOMEM, or -ERESTARTSYS.
 */
int svm_test_bo_make_resident(struct svm_test_bo *bo, bool interruptible)
{
	struct ttm_operation_ctx ctx = {
		.interruptible = interruptible,
		.gfp_retry_mayfail = true,
	};
	long left;
	int err;

	err = bo_place(bo, &ctx);
	if (err)
		return err;

	if (bo->tbo.resource->mem_type == TTM_PL_SYSTEM) {
		err = ttm_bo_populate(&bo->tbo, &ctx);
		if (err)
			return err;
	}

	left = dma_resv_wait_timeout(bo->tbo.base.resv, DMA_RESV_USAGE_KERNEL,
				     interruptible, MAX_SCHEDULE_TIMEOUT);
	if (left < 0)
		return left;
	if (bo->arriving)
		bo->arrived = jiffies;
	bo->arriving = false;
	return 0;
}

/**
 * svm_test_bo_moved() - note that a buffer object has a new place
 * @bo: the buffer object, its dma_resv held
 * @evict: it had to go
 */
void svm_test_bo_moved(struct svm_test_bo *bo, bool evict)
{
	WRITE_ONCE(bo->in_vram, bo->tbo.resource->mem_type == TTM_PL_VRAM);
	bo->arriving = true;
	if (!evict)
		return;

	if (bo->rest && time_before(jiffies, bo->arrived + bo->rest))
		bo->rest = min(2 * bo->rest, REST_MAX);
	else
		bo->rest = REST_MIN;
	bo->evicted = jiffies;
}

/* With the dma_resv held; drops it, as TTM does, when it had to wait. */
static vm_fault_t bo_fault_reserved(struct vm_fault *vmf,
				    struct ttm_buffer_object *tbo)
{
	struct ttm_operation_ctx ctx = {
		.interruptible = true,
		.gfp_retry_mayfail = true,
	};
	vm_fault_t ret;
	int err;

	err = svm_test_ttm_place_system(tbo, &ctx);
	switch (err) {
	case 0:
		ret = ttm_bo_vm_fault_reserved(vmf, vmf->vma->vm_page_prot,
					       TTM_BO_VM_NUM_PREFAULT);
		break;
	case -ERESTARTSYS:
	case -EINTR:
	case -EBUSY:
		ret = VM_FAULT_NOPAGE;
		break;
	case -ENOMEM:
		ret = VM_FAULT_OOM;
		break;
	default:
		ret = VM_FAULT_SIGBUS;
	}
	if (ret != VM_FAULT_RETRY || vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
		dma_resv_unlock(tbo->base.resv);
	return ret;
}

/*
 * Jobs use the buffer object. Wait for them with no lock held, and not in drm_dev_enter();
 * the fault is repeated then.
 */
static vm_fault_t bo_fault_wait(struct vm_fault *vmf, struct ttm_buffer_object *tbo)
{
	drm_gem_object_get(&tbo->base);
	mmap_read_unlock(vmf->vma->vm_mm);
	dma_resv_wait_timeout(tbo->base.resv, DMA_RESV_USAGE_BOOKKEEP, true,
			      MAX_SCHEDULE_TIMEOUT);
	drm_gem_object_put(&tbo->base);
	return VM_FAULT_RETRY;
}

static bool bo_fault_may_wait(const struct vm_fault *vmf)
{
	return fault_flag_allow_retry_first(vmf->flags) &&
	       !(vmf->flags & (FAULT_FLAG_RETRY_NOWAIT | FAULT_FLAG_VMA_LOCK));
}

static vm_fault_t svm_test_bo_fault(struct vm_fault *vmf)
{
	struct ttm_buffer_object *tbo = vmf->vma->vm_private_data;
	bool waits = false;
	vm_fault_t ret;
	int index;

	if (!drm_dev_enter(tbo->base.dev, &index))
		return VM_FAULT_SIGBUS;

	ret = ttm_bo_vm_reserve(tbo, vmf);
	if (!ret) {
		/* In RAM it stays where it is. */
		waits = bo_fault_may_wait(vmf) &&
			tbo->resource->mem_type != TTM_PL_SYSTEM &&
			!dma_resv_test_signaled(tbo->base.resv, DMA_RESV_USAGE_BOOKKEEP);
		if (waits)
			dma_resv_unlock(tbo->base.resv);
		else
			ret = bo_fault_reserved(vmf, tbo);
	}
	drm_dev_exit(index);
	return waits ? bo_fault_wait(vmf, tbo) : ret;
}

/* For debuggers */
static int svm_test_bo_access(struct vm_area_struct *vma, unsigned long addr,
			      void *buf, int len, int write)
{
	struct ttm_buffer_object *tbo = vma->vm_private_data;
	int index, ret;

	if (!drm_dev_enter(tbo->base.dev, &index))
		return -EIO;

	ret = ttm_bo_vm_access(vma, addr, buf, len, write);
	drm_dev_exit(index);
	return ret;
}

static const struct vm_operations_struct svm_test_bo_vm_ops = {
	.fault = svm_test_bo_fault,
	.open = ttm_bo_vm_open,
	.close = ttm_bo_vm_close,
	.access = svm_test_bo_access,
};

static void svm_test_bo_free(struct drm_gem_object *obj)
{
	ttm_bo_fini(drm_gem_ttm_of_gem(obj));
}

static const struct drm_gem_object_funcs svm_test_bo_funcs = {
	.free = svm_test_bo_free,
	.mmap = drm_gem_ttm_mmap,
	.print_info = drm_gem_ttm_print_info,
	.vm_ops = &svm_test_bo_vm_ops,
};

/* So that the larger leaves of the page table can be used, in pages */
static u32 bo_alignment(u64 size)
{
	if (size >= BIT_ULL(SVM_TEST_LEAF_LARGE_SHIFT))
		return BIT(SVM_TEST_LEAF_LARGE_SHIFT - PAGE_SHIFT);
	if (size >= BIT_ULL(SVM_TEST_LEAF_MEDIUM_SHIFT))
		return BIT(SVM_TEST_LEAF_MEDIUM_SHIFT - PAGE_SHIFT);
	return 1;
}

/* A buffer object that has no memory yet, with its dma_resv held */
static struct svm_test_bo *bo_alloc(struct svm_test_device *gpu, u64 size)
{
	static const struct ttm_place place = { .mem_type = TTM_PL_SYSTEM };
	struct ttm_placement placement = {
		.num_placement = 1,
		.placement = &place,
	};
	struct ttm_operation_ctx ctx = { .interruptible = true };
	struct svm_test_bo *bo;
	int err;

	bo = kzalloc_obj(*bo, GFP_KERNEL_ACCOUNT);
	if (!bo)
		return ERR_PTR(-ENOMEM);

	INIT_LIST_HEAD(&bo->bindings);
	bo->tbo.base.funcs = &svm_test_bo_funcs;
	drm_gem_private_object_init(&gpu->drm, &bo->tbo.base, size);
	/* Frees @bo if it fails */
	err = ttm_bo_init_reserved(&gpu->bdev, &bo->tbo, ttm_bo_type_device,
				   &placement, bo_alignment(size), &ctx, NULL,
				   NULL, svm_test_bo_destroy);
	return err ? ERR_PTR(err) : bo;
}

static int bo_create(struct svm_test_device *gpu, struct drm_file *file,
		     struct drm_svm_test_bo_create *args)
{
	struct svm_test_bo *bo;
	int err;

	bo = bo_alloc(gpu, args->size);
	if (IS_ERR(bo))
		return PTR_ERR(bo);

	bo->wants_vram = args->flags & DRM_SVM_TEST_BO_VRAM;
	err = svm_test_bo_make_resident(bo, true);
	ttm_bo_unreserve(&bo->tbo);

	if (!err)
		err = drm_gem_handle_create(file, &bo->tbo.base,
					    &args->out_handle);
	/* The handle has a reference of its own. */
	drm_gem_object_put(&bo->tbo.base);
	return err;
}

/**
 * svm_test_ioctl_bo_create() - DRM_IOCTL_SVM_TEST_BO_CREATE
 * @drm: the device
 * @data: struct drm_svm_test_bo_create
 * @file: the file
 *
 * Return: 0 or a negative errno.
 */
int svm_test_ioctl_bo_create(struct drm_device *drm, void *data,
			     struct drm_file *file)
{
	struct drm_svm_test_bo_create *args = data;
	int err, index;

	if (args->flags & ~DRM_SVM_TEST_BO_VRAM || !args->size ||
	    !PAGE_ALIGNED(args->size) || args->size > SVM_TEST_MAX_BO_SIZE)
		return -EINVAL;
	err = svm_test_vm_check_mm(svm_test_file_vm(file));
	if (err)
		return err;

	if (!drm_dev_enter(drm, &index))
		return -ENODEV;
	err = bo_create(to_svm_test_device(drm), file, args);
	drm_dev_exit(index);
	return err;
}

/**
 * svm_test_ioctl_bo_mmap() - DRM_IOCTL_SVM_TEST_BO_MMAP
 * @drm: the device
 * @data: struct drm_svm_test_bo_mmap
 * @file: the file
 *
 * Return: 0 or a negative errno.
 */
int svm_test_ioctl_bo_mmap(struct drm_device *drm, void *data,
			   struct drm_file *file)
{
	struct drm_svm_test_bo_mmap *args = data;
	int err;

	if (args->flags)
		return -EINVAL;
	err = svm_test_vm_check_mm(svm_test_file_vm(file));
	if (err)
		return err;
	err = drm_gem_ttm_dumb_map_offset(file, drm, args->handle,
					  &args->out_offset);
	/* -ENOENT: no such handle */
	return err == -ENOENT ? -EBADF : err;
}

static void bo_add_stats(struct svm_test_bo *bo, struct drm_memory_stats *vram,
			 struct drm_memory_stats *system)
{
	struct drm_gem_object *obj = &bo->tbo.base;
	struct drm_memory_stats *wants = bo->wants_vram ? vram : system;
	struct drm_memory_stats *is = READ_ONCE(bo->in_vram) ? vram : system;

	if (drm_gem_object_is_shared_for_memory_stats(obj))
		wants->shared += obj->size;
	else
		wants->private += obj->size;
	is->resident += obj->size;
}

/**
 * svm_test_show_fdinfo() - print what memory a file has
 * @p: where to
 * @file: the file
 *
 * Of shared memory only what is in VRAM is the file's; the rest is that of the
 * process.
 */
void svm_test_show_fdinfo(struct drm_printer *p, struct drm_file *file)
{
	struct drm_memory_stats vram = {}, system = {};
	struct svm_test_vm *vm = svm_test_file_vm(file);
	struct drm_gem_object *obj;
	int id;

	spin_lock(&file->table_lock);
	idr_for_each_entry(&file->object_idr, obj, id)
		bo_add_stats(container_of(obj, struct svm_test_bo, tbo.base),
			     &vram, &system);
	spin_unlock(&file->table_lock);
	drm_svm_memory_stats(&vm->ctx, &vram);

	drm_print_memory_stats(p, &vram, DRM_GEM_OBJECT_RESIDENT, "vram");
	drm_print_memory_stats(p, &system, DRM_GEM_OBJECT_RESIDENT, "system");
}
