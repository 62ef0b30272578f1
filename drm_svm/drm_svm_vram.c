// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/delay.h>
#include <linux/export.h>
#include <linux/ioport.h>
#include <linux/mm.h>

#include <drm/ttm/ttm_device.h>
#include <drm/ttm/ttm_resource.h>

#include "drm_svm_internal.h"

/**
 * DOC: VRAM
 *
 * Device-private pages stand for the VRAM of a GPU in the page tables of the
 * CPU: page n is offset n * PAGE_SIZE of the driver's TTM memory type. The CPU
 * cannot reach them; when it tries, migrate_to_ram() brings the data home.
 *
 * A page belongs to the &struct drm_svm_bo in its zone_device_data, from its
 * initialization by a migration until folio_free(). Bit 0 of that pointer says
 * that the data has left already: the page only waits for its last reference.
 */

#define DRM_SVM_FOLIO_RETIRED	1UL

/* Between tries to bring home a page that somebody holds at the moment. */
#define DRM_SVM_EVICT_PAUSE_US	1000

struct drm_svm_bo *drm_svm_folio_bo(const struct folio *folio)
{
	unsigned long data = (unsigned long)folio_zone_device_data(folio);

	return (struct drm_svm_bo *)(data & ~DRM_SVM_FOLIO_RETIRED);
}

bool drm_svm_folio_is_retired(const struct folio *folio)
{
	return (unsigned long)folio_zone_device_data(folio) &
	       DRM_SVM_FOLIO_RETIRED;
}

/* Under the folio's lock: its data is in RAM now. */
void drm_svm_folio_retire(struct folio *folio)
{
	unsigned long data = (unsigned long)folio_zone_device_data(folio);

	folio_set_zone_device_data(folio, (void *)(data | DRM_SVM_FOLIO_RETIRED));
}

/* The VRAM of a device page. */
struct drm_svm_vram *drm_svm_page_vram(const struct page *page)
{
	return container_of(page_pgmap(page), struct drm_svm_vram, pagemap);
}

/* Its offset there, in bytes. */
u64 drm_svm_page_offset(const struct page *page)
{
	struct drm_svm_vram *vram = drm_svm_page_vram(page);

	return (u64)(page_to_pfn(page) - PHYS_PFN(vram->pagemap.range.start)) <<
	       PAGE_SHIFT;
}

struct page *drm_svm_vram_page(struct drm_svm_vram *vram, u64 offset)
{
	return pfn_to_page(PHYS_PFN(vram->pagemap.range.start + offset));
}

/* Atomic context: the last page of a BO only queues it. */
static void drm_svm_vram_folio_free(struct folio *folio)
{
	struct drm_svm_vram *vram = drm_svm_page_vram(folio_page(folio, 0));
	struct drm_svm_bo *bo = drm_svm_folio_bo(folio);
	long nr = folio_nr_pages(folio);

	folio_set_zone_device_data(folio, NULL);
	if (atomic_long_sub_and_test(nr, &bo->live) &&
	    llist_add(&bo->free_node, &vram->freed))
		queue_work(drm_svm_idle_wq, &vram->free_work);
}

static void drm_svm_vram_folio_split(struct folio *head, struct folio *tail)
{
	if (!tail)
		return;
	tail->pgmap = head->pgmap;
	folio_set_zone_device_data(tail, folio_zone_device_data(head));
}

static const struct dev_pagemap_ops drm_svm_pagemap_ops = {
	.folio_free = drm_svm_vram_folio_free,
	.folio_split = drm_svm_vram_folio_split,
	.migrate_to_ram = drm_svm_migrate_to_ram,
};

static void drm_svm_vram_free_work(struct work_struct *work)
{
	struct drm_svm_vram *vram = container_of(work, struct drm_svm_vram,
						 free_work);
	struct drm_svm_bo *bo, *next;

	llist_for_each_entry_safe(bo, next, llist_del_all(&vram->freed),
				  free_node) {
		drm_svm_bo_put(bo);
		cond_resched();
	}
}

/**
 * drm_svm_vram_init() - put struct pages behind the VRAM of a GPU
 * @vram: to initialize; memory of the driver
 * @sdev: the GPU
 * @bdev: its TTM device
 * @mem_type: the TTM memory type; its resources start at page offsets
 * @size: bytes of it, a multiple of PAGE_SIZE
 * @ops: copy and clear
 *
 * Faults of the GPU's contexts migrate pages there from now on.
 *
 * Context: process context.
 * Return: 0, -ENOMEM, or another error of memremap_pages().
 */
int drm_svm_vram_init(struct drm_svm_vram *vram, struct drm_svm_device *sdev,
		      struct ttm_device *bdev, u32 mem_type, u64 size,
		      const struct drm_svm_vram_ops *ops)
{
	struct resource *res;
	void *addr;

	memset(vram, 0, sizeof(*vram));
	vram->sdev = sdev;
	vram->bdev = bdev;
	vram->ops = ops;
	vram->mem_type = mem_type;
	vram->npages = size >> PAGE_SHIFT;
	init_llist_head(&vram->freed);
	INIT_WORK(&vram->free_work, drm_svm_vram_free_work);

	res = request_free_mem_region(&iomem_resource, size, "drm_svm");
	if (IS_ERR(res))
		return PTR_ERR(res);
	vram->pagemap.type = MEMORY_DEVICE_PRIVATE;
	vram->pagemap.range.start = res->start;
	vram->pagemap.range.end = res->end;
	vram->pagemap.nr_range = 1;
	vram->pagemap.ops = &drm_svm_pagemap_ops;
	vram->pagemap.owner = vram;
	addr = memremap_pages(&vram->pagemap, NUMA_NO_NODE);
	if (IS_ERR(addr)) {
		release_mem_region(res->start, resource_size(res));
		return PTR_ERR(addr);
	}
	/* complete: pairs with the READ_ONCE() of the fault path */
	WRITE_ONCE(sdev->vram, vram);
	return 0;
}
EXPORT_SYMBOL_GPL(drm_svm_vram_init);

/**
 * drm_svm_vram_evict_all() - bring every page home
 * @vram: the VRAM
 *
 * Also evicts the driver's own BOs of that memory type.
 *
 * Return: 0, or the error of what could not be evicted.
 */
int drm_svm_vram_evict_all(struct drm_svm_vram *vram)
{
	struct ttm_resource_manager *man =
		ttm_manager_type(vram->bdev, vram->mem_type);
	int err;

	err = ttm_resource_manager_evict_all(vram->bdev, man);
	flush_work(&vram->free_work);
	return err;
}
EXPORT_SYMBOL_GPL(drm_svm_vram_evict_all);

/**
 * drm_svm_vram_fini() - take the struct pages away
 * @vram: VRAM of a GPU that has no context any more
 *
 * Brings every page home first; pages that somebody holds are waited for.
 */
void drm_svm_vram_fini(struct drm_svm_vram *vram)
{
	WRITE_ONCE(vram->sdev->vram, NULL);
	while (drm_svm_vram_evict_all(vram))
		fsleep(DRM_SVM_EVICT_PAUSE_US);
	memunmap_pages(&vram->pagemap);
	flush_work(&vram->free_work);
	release_mem_region(vram->pagemap.range.start,
			   range_len(&vram->pagemap.range));
}
EXPORT_SYMBOL_GPL(drm_svm_vram_fini);
