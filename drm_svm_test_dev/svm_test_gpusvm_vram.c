// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * VRAM by drm_pagemap: what a driver does for the kernel's own manager of device
 * memory. The pattern is that of xe: a TTM buffer object for each range that
 * migrates, eviction by TTM.
 *
 * The pages' references keep this module, so drm_pagemap is told of the memory
 * only while a file is attached; see svm_test_gpusvm_vram_hold().
 */

#include <linux/cleanup.h>
#include <linux/delay.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/io.h>
#include <linux/llist.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include <drm/drm_gem.h>
#include <drm/drm_pagemap.h>
#include <drm/drm_svm.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_resource.h>

#include "svm_test_copy.h"
#include "svm_test_device.h"
#include "svm_test_gpusvm.h"
#include "svm_test_gpusvm_priv.h"
#include "svm_test_vram.h"

/* How the driver's addresses differ from those of the DMA layer */
#define PROTO_VRAM	DRM_INTERCONNECT_DRIVER
#define PROTO_PEER	(DRM_INTERCONNECT_DRIVER + 1)

/* Milliseconds between two tries to bring everything home, before the device goes */
#define FINI_RETRY_MS	10

struct svm_test_gpusvm_vram {
	struct svm_test_device *gpu;
	struct dev_pagemap pagemap;
	struct drm_pagemap dpagemap;
	/* @hold_lock: protects @held */
	struct mutex hold_lock;
	/* @held: @dpagemap was initialized once */
	bool held;
	/* @freed: buffer objects without pages, whose reference is to be dropped */
	struct llist_head freed;
	struct work_struct free_work;
	atomic64_t pages_in;
	atomic64_t copied_in;
	atomic64_t pages_out;
};

struct gpusvm_bo {
	struct ttm_buffer_object tbo;
	struct drm_pagemap_devmem devmem;
	struct svm_test_gpusvm_vram *vram;
	/* @mm: of the process; a reference, as its child may have pages longer */
	struct mm_struct *mm;
	struct llist_node free_node;
};

static struct gpusvm_bo *to_gpusvm_bo(struct ttm_buffer_object *tbo)
{
	return container_of(tbo, struct gpusvm_bo, tbo);
}

static void gpusvm_bo_destroy(struct ttm_buffer_object *tbo)
{
	struct gpusvm_bo *bo = to_gpusvm_bo(tbo);

	drm_gem_object_release(&tbo->base);
	mmdrop(bo->mm);
	kfree(bo);
}

static void gpusvm_bo_gem_free(struct drm_gem_object *obj)
{
	ttm_bo_fini(container_of(obj, struct ttm_buffer_object, base));
}

static const struct drm_gem_object_funcs gpusvm_bo_gem_funcs = {
	.free = gpusvm_bo_gem_free,
};

static void vram_free_work(struct work_struct *work)
{
	struct svm_test_gpusvm_vram *vram =
		container_of(work, struct svm_test_gpusvm_vram, free_work);
	struct gpusvm_bo *bo, *next;

	llist_for_each_entry_safe(bo, next, llist_del_all(&vram->freed),
				  free_node)
		drm_gem_object_put(&bo->tbo.base);
}

/* The last page is gone. May be called with a page-table lock held. */
static void devmem_release(struct drm_pagemap_devmem *devmem)
{
	struct gpusvm_bo *bo = container_of(devmem, struct gpusvm_bo, devmem);

	dma_fence_put(devmem->pre_migrate_fence);
	if (llist_add(&bo->free_node, &bo->vram->freed))
		queue_work(system_dfl_wq, &bo->vram->free_work);
}

static int devmem_populate_pfn(struct drm_pagemap_devmem *devmem,
			       unsigned long npages, unsigned long *pfn)
{
	struct gpusvm_bo *bo = container_of(devmem, struct gpusvm_bo, devmem);
	unsigned long first = PHYS_PFN(bo->vram->pagemap.range.start) +
			      bo->tbo.resource->start;
	unsigned long i;

	for (i = 0; i < npages; i++)
		pfn[i] = first + i;
	return 0;
}

static struct svm_test_gpusvm_vram *page_vram(struct page *page)
{
	return container_of(page_pgmap(page), struct svm_test_gpusvm_vram,
			    pagemap);
}

static u64 page_offset_in_vram(struct page *page)
{
	return PFN_PHYS(page_to_pfn(page)) - page_pgmap(page)->range.start;
}

/**
 * svm_test_gpusvm_run() - what an address of drm_pagemap says
 * @addr: the address
 * @run: the same as a run of drm_svm, for reading
 */
void svm_test_gpusvm_run(const struct drm_pagemap_addr *addr,
			 struct drm_svm_run *run)
{
	run->addr = addr->addr;
	run->npages = NR_PAGES(addr->order);
	run->prot = DRM_SVM_PAGE_READ;
	if (addr->proto == PROTO_VRAM)
		run->location = DRM_SVM_LOCATION_VRAM;
	else if (addr->proto == PROTO_PEER)
		run->location = DRM_SVM_LOCATION_PEER;
	else
		run->location = DRM_SVM_LOCATION_SYSTEM;
}

/* One page or large page: between @page of VRAM and what @addr says */
static struct drm_svm_copy copy_seg(struct page *page,
				    const struct drm_pagemap_addr *addr,
				    bool to_ram)
{
	struct drm_svm_copy seg = {};
	struct drm_svm_run run = {
		.npages = folio_nr_pages(page_folio(page)),
		.location = DRM_SVM_LOCATION_NONE,
	};

	/* A hole has no other side. */
	if (addr->addr)
		svm_test_gpusvm_run(addr, &run);
	seg.npages = run.npages;
	if (to_ram) {
		seg.src = page_offset_in_vram(page);
		seg.src_location = DRM_SVM_LOCATION_VRAM;
		seg.dst = run.addr;
		seg.dst_location = run.location;
	} else {
		seg.src = run.addr;
		seg.src_location = run.location;
		seg.dst = page_offset_in_vram(page);
		seg.dst_location = DRM_SVM_LOCATION_VRAM;
	}
	return seg;
}

static bool copy_extends(const struct drm_svm_copy *last,
			 const struct drm_svm_copy *seg)
{
	u64 size = (u64)last->npages << PAGE_SHIFT;

	return last->src_location == seg->src_location &&
	       last->dst_location == seg->dst_location &&
	       last->dst + size == seg->dst &&
	       (last->src_location == DRM_SVM_LOCATION_NONE ||
		last->src + size == seg->src);
}

static unsigned int copy_segs(struct page **pages,
			      const struct drm_pagemap_addr *addr,
			      unsigned long npages, bool to_ram,
			      struct drm_svm_copy *segs)
{
	unsigned int n = 0;
	unsigned long i;

	for (i = 0; i < npages;) {
		struct drm_svm_copy seg;

		if (!pages[i] || (to_ram && !addr[i].addr)) {
			i++;
			continue;
		}
		seg = copy_seg(pages[i], &addr[i], to_ram);
		i += seg.npages;
		if (n && copy_extends(&segs[n - 1], &seg))
			segs[n - 1].npages += seg.npages;
		else
			segs[n++] = seg;
	}
	return n;
}

static void copy_count(struct svm_test_gpusvm_vram *vram,
		       const struct drm_svm_copy *segs, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (segs[i].dst_location != DRM_SVM_LOCATION_VRAM) {
			atomic64_add(segs[i].npages, &vram->pages_out);
			continue;
		}
		atomic64_add(segs[i].npages, &vram->pages_in);
		if (segs[i].src_location != DRM_SVM_LOCATION_NONE)
			atomic64_add(segs[i].npages, &vram->copied_in);
	}
}

static int copy_wait(struct svm_test_gpusvm_vram *vram,
		     const struct drm_svm_copy *segs, unsigned int n)
{
	struct dma_fence *fence;
	int err;

	fence = svm_test_copy_submit(vram->gpu->copy, segs, n);
	if (IS_ERR(fence))
		return PTR_ERR(fence);
	dma_fence_wait(fence, false);
	err = min(dma_fence_get_status(fence), 0);
	dma_fence_put(fence);
	if (!err)
		copy_count(vram, segs, n);
	return err;
}

static struct svm_test_gpusvm_vram *copy_vram(struct page **pages,
					      unsigned long npages)
{
	unsigned long i;

	for (i = 0; i < npages; i++)
		if (pages[i])
			return page_vram(pages[i]);
	return NULL;
}

static int copy_pages(struct page **pages, const struct drm_pagemap_addr *addr,
		      unsigned long npages, bool to_ram)
{
	struct svm_test_gpusvm_vram *vram = copy_vram(pages, npages);
	struct drm_svm_copy *segs;
	unsigned int n;
	int err = 0;

	if (!vram)
		return 0;
	segs = kvmalloc_objs(*segs, npages);
	if (!segs)
		return -ENOMEM;
	n = copy_segs(pages, addr, npages, to_ram, segs);
	if (n)
		err = copy_wait(vram, segs, n);
	kvfree(segs);
	return err;
}

static int devmem_copy_to_devmem(struct page **pages,
				 struct drm_pagemap_addr *addr,
				 unsigned long npages, struct dma_fence *pre)
{
	if (pre)
		dma_fence_wait(pre, false);
	return copy_pages(pages, addr, npages, false);
}

static int devmem_copy_to_ram(struct page **pages,
			      struct drm_pagemap_addr *addr,
			      unsigned long npages, struct dma_fence *pre)
{
	if (pre)
		dma_fence_wait(pre, false);
	return copy_pages(pages, addr, npages, true);
}

static const struct drm_pagemap_devmem_ops devmem_ops = {
	.devmem_release = devmem_release,
	.populate_devmem_pfn = devmem_populate_pfn,
	.copy_to_devmem = devmem_copy_to_devmem,
	.copy_to_ram = devmem_copy_to_ram,
};

/* With its dma_resv held, and one reference, for its pages */
static struct gpusvm_bo *gpusvm_bo_create(struct svm_test_gpusvm_vram *vram,
					  struct mm_struct *mm, u64 size)
{
	static const struct ttm_place place = { .mem_type = TTM_PL_VRAM };
	struct ttm_placement placement = {
		.num_placement = 1,
		.placement = &place,
	};
	struct ttm_operation_ctx ctx = { .interruptible = false };
	struct gpusvm_bo *bo;
	int err;

	bo = kzalloc_obj(*bo, GFP_KERNEL_ACCOUNT);
	if (!bo)
		return ERR_PTR(-ENOMEM);

	bo->vram = vram;
	bo->mm = mm;
	mmgrab(mm);
	bo->tbo.base.funcs = &gpusvm_bo_gem_funcs;
	drm_gem_private_object_init(&vram->gpu->drm, &bo->tbo.base, size);
	/* Frees @bo if it fails. Large pages need the alignment. */
	err = ttm_bo_init_reserved(&vram->gpu->bdev, &bo->tbo,
				   ttm_bo_type_kernel, &placement,
				   PFN_UP(size), &ctx, NULL, NULL,
				   gpusvm_bo_destroy);
	return err ? ERR_PTR(err) : bo;
}

/* The reference is for the pages; as xe does it, the lock is held until all is done. */
static int vram_populate_locked(struct svm_test_gpusvm_vram *vram,
				struct gpusvm_bo *bo, unsigned long start,
				unsigned long end, unsigned long timeslice_ms)
{
	const struct drm_pagemap_migrate_details details = {
		.timeslice_ms = timeslice_ms,
	};

	/* Whoever was there before has gone. */
	dma_resv_wait_timeout(bo->tbo.base.resv, DMA_RESV_USAGE_KERNEL, false,
			      MAX_SCHEDULE_TIMEOUT);
	drm_pagemap_devmem_init(&bo->devmem, vram->gpu->drm.dev, bo->mm,
				&devmem_ops, &vram->dpagemap, end - start, NULL);
	return drm_pagemap_migrate_to_devmem(&bo->devmem, bo->mm, start, end,
					     &details);
}

static int vram_populate_mm(struct drm_pagemap *dpagemap, unsigned long start,
			    unsigned long end, struct mm_struct *mm,
			    unsigned long timeslice_ms)
{
	struct svm_test_gpusvm_vram *vram =
		container_of(dpagemap, struct svm_test_gpusvm_vram, dpagemap);
	struct gpusvm_bo *bo;
	int err;

	bo = gpusvm_bo_create(vram, mm, end - start);
	if (IS_ERR(bo))
		return PTR_ERR(bo);

	drm_gem_object_get(&bo->tbo.base);
	err = vram_populate_locked(vram, bo, start, end, timeslice_ms);
	ttm_bo_unreserve(&bo->tbo);
	drm_gem_object_put(&bo->tbo.base);
	return err;
}

static struct drm_pagemap_addr vram_device_map(struct drm_pagemap *dpagemap,
					       struct device *dev,
					       struct page *page,
					       unsigned int order,
					       enum dma_data_direction dir)
{
	struct svm_test_gpusvm_vram *vram = page_vram(page);
	u64 addr = page_offset_in_vram(page);

	if (vram->gpu->drm.dev == dev)
		return drm_pagemap_addr_encode(addr, PROTO_VRAM, order, dir);
	addr = svm_test_bus_peer(vram->gpu->index, addr);
	return drm_pagemap_addr_encode(addr, PROTO_PEER, order, dir);
}

/* Nothing to undo; but drm_pagemap calls it between devices. */
static void vram_device_unmap(struct drm_pagemap *dpagemap, struct device *dev,
			      const struct drm_pagemap_addr *addr)
{
}

/* It is a part of struct svm_test_gpusvm_vram. */
static void vram_destroy(struct drm_pagemap *dpagemap, bool is_atomic_or_reclaim)
{
}

static const struct drm_pagemap_ops vram_ops = {
	.device_map = vram_device_map,
	.device_unmap = vram_device_unmap,
	.populate_mm = vram_populate_mm,
	.destroy = vram_destroy,
};

/**
 * svm_test_gpusvm_vram_hold() - have the VRAM used
 * @gpu: the device
 *
 * Return: 0 or -ENOMEM.
 */
int svm_test_gpusvm_vram_hold(struct svm_test_device *gpu)
{
	struct svm_test_gpusvm_vram *vram = gpu->gpusvm;
	int err;

	if (!vram)
		return 0;
	guard(mutex)(&vram->hold_lock);

	if (!vram->held) {
		err = drm_pagemap_init(&vram->dpagemap, &vram->pagemap,
				       &gpu->drm, &vram_ops);
		vram->held = !err;
		return err;
	}
	if (drm_pagemap_get_unless_zero(&vram->dpagemap))
		return 0;
	return drm_pagemap_reinit(&vram->dpagemap);
}

/**
 * svm_test_gpusvm_vram_release() - undo svm_test_gpusvm_vram_hold()
 * @gpu: the device
 */
void svm_test_gpusvm_vram_release(struct svm_test_device *gpu)
{
	struct svm_test_gpusvm_vram *vram = gpu->gpusvm;

	if (!vram)
		return;
	guard(mutex)(&vram->hold_lock);
	drm_pagemap_put(&vram->dpagemap);
}

/**
 * svm_test_gpusvm_vram_owner() - whose pages the device can use
 * @gpu: the device
 *
 * Return: the owner, or NULL when there is no VRAM.
 */
void *svm_test_gpusvm_vram_owner(struct svm_test_device *gpu)
{
	return gpu->gpusvm ? gpu->gpusvm->pagemap.owner : NULL;
}

/**
 * svm_test_gpusvm_vram_pagemap() - where pages can migrate to
 * @gpu: the device
 *
 * Return: the memory, or NULL when there is none, or none at this moment.
 */
struct drm_pagemap *svm_test_gpusvm_vram_pagemap(struct svm_test_device *gpu)
{
	if (!gpu->gpusvm || READ_ONCE(gpu->vram_closed))
		return NULL;
	return &gpu->gpusvm->dpagemap;
}

/**
 * svm_test_gpusvm_vram_counts() - what was copied so far, for all files
 * @gpu: the device
 * @counts: returns it
 */
void svm_test_gpusvm_vram_counts(struct svm_test_device *gpu,
				 struct svm_test_gpusvm_counts *counts)
{
	struct svm_test_gpusvm_vram *vram = gpu->gpusvm;

	*counts = (struct svm_test_gpusvm_counts) {};
	if (!vram)
		return;
	counts->pages_in = atomic64_read(&vram->pages_in);
	counts->copied_in = atomic64_read(&vram->copied_in);
	counts->pages_out = atomic64_read(&vram->pages_out);
}

/**
 * svm_test_gpusvm_bo_is_svm() - does it back the memory of a process?
 * @tbo: the buffer object
 *
 * Return: whether it is one of this file.
 */
bool svm_test_gpusvm_bo_is_svm(struct ttm_buffer_object *tbo)
{
	return tbo->destroy == gpusvm_bo_destroy;
}

/**
 * svm_test_gpusvm_bo_evict_flags() - where is it evicted to?
 * @tbo: the buffer object
 * @placement: returns the place
 *
 * Return: whether it is one of this file.
 */
bool svm_test_gpusvm_bo_evict_flags(struct ttm_buffer_object *tbo,
				    struct ttm_placement *placement)
{
	static const struct ttm_place system_place = {
		.mem_type = TTM_PL_SYSTEM,
	};

	if (!svm_test_gpusvm_bo_is_svm(tbo))
		return false;
	placement->num_placement = 1;
	placement->placement = &system_place;
	return true;
}

/**
 * svm_test_gpusvm_bo_move() - give it its first place, or bring its pages home
 * @tbo: the buffer object, its dma_resv held
 * @ctx: the operation
 * @new_mem: where to
 *
 * Return: 0, or -EBUSY when some page could not go.
 */
int svm_test_gpusvm_bo_move(struct ttm_buffer_object *tbo,
			    struct ttm_operation_ctx *ctx,
			    struct ttm_resource *new_mem)
{
	bool is_in_vram = tbo->resource &&
			  tbo->resource->mem_type == TTM_PL_VRAM;

	if (is_in_vram && drm_pagemap_evict_to_ram(&to_gpusvm_bo(tbo)->devmem))
		return -EBUSY;
	ttm_bo_move_null(tbo, new_mem);
	return 0;
}

/**
 * svm_test_gpusvm_evict_all() - bring everything home
 * @gpu: the device
 *
 * For a suspend as well, as svm_test_device.vram_closed keeps others out.
 *
 * Return: 0, or the error of the first buffer object that does not go.
 */
int svm_test_gpusvm_evict_all(struct svm_test_device *gpu)
{
	struct ttm_resource_manager *man =
		ttm_manager_type(&gpu->bdev, TTM_PL_VRAM);

	return ttm_resource_manager_evict_all(&gpu->bdev, man);
}

static int vram_init_pagemap(struct svm_test_gpusvm_vram *vram, u64 size)
{
	struct dev_pagemap *pagemap = &vram->pagemap;
	struct resource *res;
	void *err;

	res = request_free_mem_region(&iomem_resource, size, "svm_test_gpusvm");
	if (IS_ERR(res))
		return PTR_ERR(res);

	pagemap->type = MEMORY_DEVICE_PRIVATE;
	pagemap->range.start = res->start;
	pagemap->range.end = res->end;
	pagemap->nr_range = 1;
	pagemap->ops = drm_pagemap_pagemap_ops_get();
	pagemap->owner = vram->gpu->config.peer ? (void *)THIS_MODULE :
						  (void *)vram;
	err = memremap_pages(pagemap, NUMA_NO_NODE);
	if (!IS_ERR(err))
		return 0;
	release_mem_region(pagemap->range.start, range_len(&pagemap->range));
	return PTR_ERR(err);
}

/**
 * svm_test_gpusvm_init_vram() - have device pages for the VRAM
 * @gpu: the device
 * @size: bytes
 *
 * Return: 0 or a negative errno.
 */
int svm_test_gpusvm_init_vram(struct svm_test_device *gpu, u64 size)
{
	struct svm_test_gpusvm_vram *vram;
	int err;

	vram = kzalloc_obj(*vram);
	if (!vram)
		return -ENOMEM;

	vram->gpu = gpu;
	mutex_init(&vram->hold_lock);
	INIT_WORK(&vram->free_work, vram_free_work);
	err = vram_init_pagemap(vram, size);
	if (err) {
		kfree(vram);
		return err;
	}
	gpu->gpusvm = vram;
	return 0;
}

/**
 * svm_test_gpusvm_fini_vram() - bring everything home, for good
 * @gpu: the device, to which no file is attached
 */
void svm_test_gpusvm_fini_vram(struct svm_test_device *gpu)
{
	struct svm_test_gpusvm_vram *vram = gpu->gpusvm;
	struct range range = vram->pagemap.range;

	/* What does not go now does when its process ends. */
	while (svm_test_gpusvm_evict_all(gpu))
		msleep(FINI_RETRY_MS);
	/* Waits for all pages to be free */
	memunmap_pages(&vram->pagemap);
	release_mem_region(range.start, range_len(&range));
	flush_work(&vram->free_work);
	mutex_destroy(&vram->hold_lock);
	gpu->gpusvm = NULL;
	kfree(vram);
}
