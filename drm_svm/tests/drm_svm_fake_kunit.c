// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What the tests of the library share: a GPU, its VRAM, and pages.
 */

#include <kunit/device.h>
#include <kunit/resource.h>
#include <kunit/test.h>

#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/gfp.h>
#include <linux/ioport.h>
#include <linux/lockdep.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/pagemap.h>

#include "drm_svm_fake_kunit.h"

static struct fake_gpu *to_fake_gpu(struct drm_svm_context *ctx)
{
	return container_of(ctx, struct fake_gpu, ctx);
}

/* What an eviction does where all pages of a range are in VRAM */
static void fake_evict(struct drm_svm_context *ctx, unsigned long addr)
{
	struct drm_svm_range *range = drm_svm_range_lookup(ctx->svm, addr);
	struct drm_svm_view *view = drm_svm_range_find_view(range, ctx);

	scoped_guard(mutex, &range->pt_lock) {
		fake_mapped(view, 0, DRM_SVM_RANGE_PAGES);
		bitmap_fill(view->vram, DRM_SVM_RANGE_PAGES);
	}
	drm_svm_range_unmap_vram(range, range->start, range->start + DRM_SVM_RANGE_SIZE);
	drm_svm_range_put(range);
}

static int fake_map_prepare(struct drm_svm_context *ctx, u64 start, u64 end)
{
	struct fake_gpu *gpu = to_fake_gpu(ctx);
	unsigned long addr = READ_ONCE(gpu->disturb);

	gpu->promised = true;
	gpu->nprepared++;
	if (gpu->evict) {
		gpu->evict--;
		fake_evict(ctx, start);
	}
	if (!addr)
		return 0;
	gpu->ndisturbed++;
	addr = vm_mmap(NULL, addr, PAGE_SIZE, PROT_READ,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, 0);
	return IS_ERR_VALUE(addr) ? -ENOMEM : 0;
}

static void fake_map(struct drm_svm_context *ctx, u64 start,
		     const struct drm_svm_run *runs, unsigned int n)
{
	struct fake_gpu *gpu = to_fake_gpu(ctx);
	unsigned int i;

	gpu->nmaps++;
	if (!gpu->promised)
		gpu->nbroken++;
	for (i = 0; i < n; i++, gpu->nruns++) {
		if (gpu->nruns < FAKE_RUNS)
			gpu->runs[gpu->nruns] = (struct fake_run) {
				.start = start, .run = runs[i],
			};
		start += (u64)runs[i].npages << PAGE_SHIFT;
	}
}

static void fake_unmap(struct drm_svm_context *ctx, u64 start, u64 end)
{
	struct fake_gpu *gpu = to_fake_gpu(ctx);

	gpu->nunmaps++;
	if (end - start == DRM_SVM_RANGE_SIZE)
		gpu->promised = false;
	gpu->unmap_start = start;
	gpu->unmap_end = end;
}

static void fake_tlb_flush_start(struct drm_svm_context *ctx, u64 start, u64 end)
{
	to_fake_gpu(ctx)->nflushes++;
}

static void fake_tlb_flush_wait(struct drm_svm_context *ctx)
{
}

static void fake_fault_done(struct drm_svm_context *ctx,
			    const struct drm_svm_fault *fault, int err)
{
	struct fake_gpu *gpu = to_fake_gpu(ctx);
	unsigned int i;

#ifdef CONFIG_LOCKDEP
	gpu->seen_by_lockdep = lock_is_held(&drm_svm_fault_done_map);
#endif
	scoped_guard(spinlock, &gpu->lock) {
		i = atomic_read(&gpu->ndone);
		if (i < FAKE_DONE)
			gpu->done[i] = (struct fake_done) {
				.cookie = fault->cookie, .err = err,
			};
		atomic_inc(&gpu->ndone);
	}
	wake_up(&gpu->answered);
}

const struct drm_svm_context_ops fake_context_ops = {
	.map_prepare = fake_map_prepare,
	.map = fake_map,
	.unmap = fake_unmap,
	.tlb_flush_start = fake_tlb_flush_start,
	.tlb_flush_wait = fake_tlb_flush_wait,
	.fault_done = fake_fault_done,
};

KUNIT_DEFINE_ACTION_WRAPPER(fake_detach, drm_svm_context_detach,
			    struct drm_svm_context *);
KUNIT_DEFINE_ACTION_WRAPPER(fake_range_put, drm_svm_range_put,
			    struct drm_svm_range *);

struct device *fake_device(struct kunit *test)
{
	static atomic_t number;
	struct device *dev;
	char name[16];

	snprintf(name, sizeof(name), "gpu%d", atomic_inc_return(&number));
	dev = kunit_device_register(test, name);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	KUNIT_ASSERT_EQ(test, dma_set_mask_and_coherent(dev, DMA_BIT_MASK(64)), 0);
	return dev;
}

struct fake_gpu *fake_gpu_create(struct kunit *test)
{
	struct fake_gpu *gpu = kunit_kzalloc(test, sizeof(*gpu), GFP_KERNEL);
	struct device *dev = fake_device(test);

	KUNIT_ASSERT_NOT_NULL(test, gpu);
	KUNIT_ASSERT_EQ(test, drm_svm_device_init(&gpu->sdev, NULL, dev,
						  BIT_ULL(47)), 0);
	/* each address is undone: the DMA layer of a debug kernel watches */
	gpu->sdev.track_dma = true;
	spin_lock_init(&gpu->lock);
	init_waitqueue_head(&gpu->answered);

	KUNIT_ASSERT_EQ(test, kunit_attach_mm(), 0);
	KUNIT_ASSERT_EQ(test, drm_svm_context_attach(&gpu->ctx, &gpu->sdev,
						     &fake_context_ops), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, fake_detach,
							&gpu->ctx), 0);
	return gpu;
}

struct drm_svm_range *fake_range(struct kunit *test, struct fake_gpu *gpu,
				 unsigned long addr)
{
	struct drm_svm_range *range = drm_svm_range_obtain(gpu->ctx.svm, addr);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, range);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, fake_range_put,
							range), 0);
	return range;
}

struct drm_svm_view *fake_view(struct kunit *test, struct drm_svm_range *range,
			       struct fake_gpu *gpu)
{
	struct drm_svm_view *view;

	scoped_guard(mutex, &range->service_lock)
		view = drm_svm_range_obtain_view(range, &gpu->ctx);
	KUNIT_ASSERT_NOT_NULL(test, view);
	return view;
}

static void fake_free_pages(void *page)
{
	__free_pages(page, compound_order(page));
}

/* A folio of RAM, of 1 << @order pages. */
struct page *fake_pages(struct kunit *test, unsigned int order)
{
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_COMP | __GFP_ZERO, order);

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, fake_free_pages,
							page), 0);
	return page;
}

struct fake_small {
	struct page *pages;
	unsigned int n;
};

static void fake_free_small(void *data)
{
	struct fake_small *small = data;
	unsigned int i;

	for (i = 0; i < small->n; i++)
		__free_page(small->pages + i);
}

/* Pages of RAM that follow each other, a folio each. */
struct page *fake_small_pages(struct kunit *test, unsigned int order)
{
	struct fake_small *small = kunit_kzalloc(test, sizeof(*small), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, small);
	small->n = 1U << order;
	small->pages = alloc_pages(GFP_KERNEL, order);
	KUNIT_ASSERT_NOT_NULL(test, small->pages);
	split_page(small->pages, order);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, fake_free_small,
							small), 0);
	return small->pages;
}

static void fake_folio_free(struct folio *folio)
{
	folio_set_zone_device_data(folio, NULL);
}

static vm_fault_t fake_migrate_to_ram(struct vm_fault *vmf)
{
	return VM_FAULT_SIGBUS;
}

static const struct dev_pagemap_ops fake_pagemap_ops = {
	.folio_free = fake_folio_free,
	.migrate_to_ram = fake_migrate_to_ram,
};

static void fake_vram_destroy(void *data)
{
	struct fake_vram *vram = data;
	struct range *range = &vram->vram.pagemap.range;

	memunmap_pages(&vram->vram.pagemap);
	release_mem_region(range->start, range_len(range));
	dma_resv_fini(&vram->resv);
	kfree(vram);
}

struct fake_vram *fake_vram_create(struct kunit *test, struct fake_gpu *gpu)
{
	struct fake_vram *vram = kzalloc_obj(*vram);
	struct dev_pagemap *pagemap = &vram->vram.pagemap;
	struct resource *res;

	KUNIT_ASSERT_NOT_NULL(test, vram);
	res = request_free_mem_region(&iomem_resource, FAKE_VRAM_SIZE, "fake");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, res);
	pagemap->type = MEMORY_DEVICE_PRIVATE;
	pagemap->range.start = res->start;
	pagemap->range.end = res->end;
	pagemap->nr_range = 1;
	pagemap->ops = &fake_pagemap_ops;
	pagemap->owner = vram;
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, memremap_pages(pagemap, NUMA_NO_NODE));

	dma_resv_init(&vram->resv);
	xa_init(&vram->vram.bad);
	spin_lock_init(&vram->bdev.lru_lock);
	vram->bo.tbo.base.resv = &vram->resv;
	vram->bo.tbo.bdev = &vram->bdev;
	vram->vram.sdev = &gpu->sdev;
	vram->vram.npages = FAKE_VRAM_SIZE >> PAGE_SHIFT;
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, fake_vram_destroy,
							vram), 0);
	return vram;
}

struct page *fake_vram_page(struct fake_vram *vram, unsigned long index)
{
	return pfn_to_page(PHYS_PFN(vram->vram.pagemap.range.start) + index);
}

static void fake_put_page(void *page)
{
	put_page(page);
}

/* Pages of VRAM, from @index on, that somebody has: one folio. */
struct page *fake_vram_use(struct kunit *test, struct fake_vram *vram,
			   unsigned long index, unsigned int order)
{
	struct page *page = fake_vram_page(vram, index);

	zone_device_page_init(page, &vram->vram.pagemap, order);
	if (order)
		folio_set_large_rmappable(page_folio(page));
	folio_set_zone_device_data(page_folio(page), &vram->bo);
	unlock_page(page);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, fake_put_page,
							page), 0);
	return page;
}

/* Its bitmaps say so, and no more; where the pages are is for the test to say. */
void fake_mapped(struct drm_svm_view *view, unsigned int first, unsigned int npages)
{
	bitmap_set(view->mapped, first, npages);
	view->nmapped = bitmap_weight(view->mapped, DRM_SVM_RANGE_PAGES);
}

MODULE_DESCRIPTION("KUnit tests of drm_svm");
MODULE_LICENSE("Dual MIT/GPL");
MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
