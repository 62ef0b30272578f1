// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/delay.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/ioport.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/wait.h>
#include <linux/wait_bit.h>

#include <drm/drm_drv.h>
#include <drm/drm_print.h>
#include <drm/ttm/ttm_device.h>
#include <drm/ttm/ttm_resource.h>

#include "drm_svm_migrate.h"
#include "drm_svm_quirk.h"

/* Tries to bring home pages that somebody holds for a moment, and their pause. */
#define DRM_SVM_EVICT_TRIES	200
#define DRM_SVM_EVICT_PAUSE_US	1000

/* Tries of copies that fail, before what they are to bring home is given up. */
#define DRM_SVM_COPY_TRIES	4

/* Pages in a row that cannot be copied, each by itself, before the others are given up. */
#define DRM_SVM_SINGLE_TRIES	16

/* Longest pause between tries, and how often to say that pages do not come home */
#define DRM_SVM_EVICT_PAUSE_MAX_US	(128 * DRM_SVM_EVICT_PAUSE_US)
#define DRM_SVM_EVICT_NOTICE		(10 * HZ)

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
	drm_svm_vram_keep_bad(vram);
}

static void drm_svm_vram_init_work(struct drm_svm_vram *vram)
{
	init_llist_head(&vram->freed);
	INIT_WORK(&vram->free_work, drm_svm_vram_free_work);
	init_llist_head(&vram->leaving);
	INIT_WORK(&vram->leave_work, drm_svm_bo_leave_work);
	xa_init(&vram->bad);
	atomic_long_set(&vram->lost, DRM_SVM_LOST_NONE);
	atomic_set(&vram->users, 0);
	spin_lock_init(&vram->lock);
	INIT_LIST_HEAD(&vram->keeps);
	drm_svm_drain_init(vram);
}

/**
 * drm_svm_vram_init() - put struct pages behind the VRAM of a GPU
 * @vram: to initialize; memory of the driver
 * @sdev: the GPU
 * @bdev: its TTM device
 * @mem_type: the TTM memory type; its resources start at page offsets
 * @size: bytes of it, a multiple of PAGE_SIZE
 * @ops: copy and clear
 * @owner: GPUs with the same one reach each other's VRAM; NULL: nobody reaches it
 *
 * Faults of the GPU's contexts migrate pages there from now on. Before, a buffer is made
 * and evicted, to see that the driver hands on what TTM asks about it; so TTM has the
 * memory type, with a page to be had, and the driver is ready for TTM's calls. Its engines
 * need not be: nothing is copied.
 *
 * Context: process context, no lock held that eviction takes.
 * Return: 0, -EINVAL when @ops or the driver's functions for TTM do not do, -ENOSPC when
 * not one page of the memory type is to be had, -ENOMEM, -ERANGE when no physical addresses
 * are free for the pages, or another error of memremap_pages().
 */
int drm_svm_vram_init(struct drm_svm_vram *vram, struct drm_svm_device *sdev,
		      struct ttm_device *bdev, u32 mem_type, u64 size,
		      const struct drm_svm_vram_ops *ops, const void *owner)
{
	struct resource *res;
	void *addr;
	int err;

	memset(vram, 0, sizeof(*vram));
	vram->sdev = sdev;
	vram->drm = sdev->drm;
	vram->bdev = bdev;
	vram->ops = ops;
	vram->owner = owner;
	vram->mem_type = mem_type;
	vram->npages = size >> PAGE_SHIFT;
	drm_svm_vram_init_work(vram);

	err = drm_svm_check_vram_ops(vram) ?: drm_svm_check_ttm(vram);
	if (err)
		return err;
	res = request_free_mem_region(&iomem_resource, size, "drm_svm");
	if (IS_ERR(res))
		return PTR_ERR(res);
	vram->pagemap.type = MEMORY_DEVICE_PRIVATE;
	vram->pagemap.range.start = res->start;
	vram->pagemap.range.end = res->end;
	vram->pagemap.nr_range = 1;
	vram->pagemap.ops = &drm_svm_pagemap_ops;
	vram->pagemap.owner = (void *)&drm_svm_pagemap_owner;
	addr = memremap_pages(&vram->pagemap, NUMA_NO_NODE);
	if (IS_ERR(addr)) {
		release_mem_region(res->start, resource_size(res));
		return PTR_ERR(addr);
	}
	drm_svm_vram_enlist(vram);
	/* complete: pairs with the READ_ONCE() of the fault path */
	WRITE_ONCE(sdev->vram, vram);
	return 0;
}
EXPORT_SYMBOL_GPL(drm_svm_vram_init);

/* Whether an eviction failed as the hardware did; else it is worth to be tried again. */
static bool drm_svm_vram_is_copy_error(int err)
{
	return err && err != -EBUSY && err != -EAGAIN && err != -ENOMEM &&
	       err != -EINTR && err != -ERESTARTSYS;
}

/*
 * Pages that do not come home are lost. Their locks are held for the time of a copy at
 * most. One that is split in this moment is missed, and met again.
 */
static void drm_svm_vram_lose(struct drm_svm_vram *vram, unsigned long index,
			      unsigned long end)
{
	unsigned long nr;

	for (; index < end; index += nr) {
		struct folio *folio = drm_svm_vram_get_folio(vram, index);

		nr = 1;
		if (!folio)
			continue;
		folio_lock(folio);
		if (!drm_svm_folio_is_retired(folio))
			drm_svm_folio_lose(folio);
		nr = folio_nr_pages(folio);
		folio_unlock(folio);
		folio_put(folio);
	}
}

/*
 * One page at a time, where they do not come home together, as the memory of one of them
 * broke and nobody has noticed yet. A device that is gone copies none: after some in a row
 * no more are tried. A huge page that eviction could not split counts as one.
 */
static void drm_svm_vram_evict_singly(struct drm_svm_vram *vram,
				      unsigned long index, unsigned long end)
{
	struct drm_svm_migration *m = drm_svm_migration_alloc(1, GFP_KERNEL);
	struct drm_svm_moved moved = { 0 };
	unsigned int failed = 0;

	for (; m && index < end && failed < DRM_SVM_SINGLE_TRIES; index++) {
		struct folio *folio = drm_svm_vram_get_folio(vram, index);
		bool is_small;

		if (!folio)
			continue;
		is_small = !folio_test_large(folio);
		folio_put(folio);
		if (!is_small)
			continue;
		drm_svm_migration_reset(m, vram);
		m->npages = 1;
		m->src[0] = page_to_pfn(drm_svm_vram_page(vram, (u64)index << PAGE_SHIFT));
		m->dst[0] = 0;
		failed = migrate_device_pfns(m->src, 1) ||
			 drm_svm_home_run(m, &moved) ? failed + 1 : 0;
	}
	drm_svm_migration_free(m);
}

/*
 * Bring the pages of one BO home; returns the page past the BO, or past @index. When VRAM
 * goes, what cannot be copied in some tries is lost.
 */
static unsigned long drm_svm_vram_evict_bo(struct drm_svm_vram *vram,
					   unsigned long index, int *err)
{
	struct drm_svm_bo *bo = drm_svm_vram_get_bo(vram, index);
	unsigned long next = index + 1;
	int ret;

	if (!bo)
		return next;
	dma_resv_lock(bo->tbo.base.resv, NULL);
	if (drm_svm_bo_is_resident(bo)) {
		next = (drm_svm_bo_offset(bo) + bo->tbo.base.size) >> PAGE_SHIFT;
		ret = drm_svm_bo_evict(bo, true);
		*err = *err ?: ret;
		if (READ_ONCE(vram->ending) && drm_svm_vram_is_copy_error(ret) &&
		    ++bo->copies_failed >= DRM_SVM_COPY_TRIES) {
			index = drm_svm_bo_offset(bo) >> PAGE_SHIFT;
			drm_svm_vram_evict_singly(vram, index, next);
			drm_svm_vram_lose(vram, index, next);
		}
	}
	drm_svm_bo_unlock(bo);
	drm_svm_bo_put(bo);
	return next;
}

/* The next page in use; most of VRAM may be free. */
static unsigned long drm_svm_vram_skip_free(struct drm_svm_vram *vram,
					    unsigned long index)
{
	for (; index < vram->npages; index++) {
		if (page_count(drm_svm_vram_page(vram, (u64)index << PAGE_SHIFT)))
			break;
		if (index % DRM_SVM_RANGE_PAGES == 0)
			cond_resched();
	}
	return index;
}

/* Ours go one by one, by their pages: TTM would stop at the first one that cannot. */
static int drm_svm_vram_evict_pages(struct drm_svm_vram *vram)
{
	unsigned long index = 0;
	int err = 0;

	while ((index = drm_svm_vram_skip_free(vram, index)) < vram->npages) {
		index = drm_svm_vram_evict_bo(vram, index, &err);
		cond_resched();
	}
	flush_work(&vram->free_work);
	return err;
}

/*
 * And those of the driver, by TTM, once none of ours is left: at one that cannot go TTM
 * would end, and write an error to the kernel's log, at each try.
 */
static int drm_svm_vram_evict_once(struct drm_svm_vram *vram)
{
	struct ttm_resource_manager *man =
		ttm_manager_type(vram->bdev, vram->mem_type);
	int err = drm_svm_vram_evict_pages(vram);

	if (err)
		return err;
	err = ttm_resource_manager_evict_all(vram->bdev, man);
	flush_work(&vram->free_work);
	return err;
}

/**
 * drm_svm_vram_evict_all() - bring every page home
 * @vram: the VRAM
 *
 * Then evicts the driver's own BOs of that memory type. Tries again, for a bounded
 * time, where a page is held by somebody for a moment. Nothing keeps GPU faults from
 * bringing other pages in.
 *
 * Context: process context, no lock held that eviction takes.
 * Return: 0, -EBUSY, -ERESTARTSYS when the caller is being killed, or the error of a
 * copy.
 */
int drm_svm_vram_evict_all(struct drm_svm_vram *vram)
{
	unsigned int try;
	int err;

	for (try = 0; try < DRM_SVM_EVICT_TRIES; try++) {
		err = drm_svm_vram_evict_once(vram);
		if (err != -EBUSY)
			break;
		fsleep(DRM_SVM_EVICT_PAUSE_US);
	}
	return err;
}
EXPORT_SYMBOL_GPL(drm_svm_vram_evict_all);

/* A copy that failed is tried again. */
static int drm_svm_vram_empty(struct drm_svm_vram *vram)
{
	unsigned int try;
	int err;

	for (try = 0; try < DRM_SVM_COPY_TRIES; try++) {
		err = drm_svm_vram_evict_all(vram);
		if (!err)
			break;
	}
	return err;
}

/**
 * drm_svm_vram_suspend() - bring every page home, and let none in
 * @vram: the VRAM
 *
 * For a device whose memory is about to lose its power. The driver stops the GPU
 * first, but not the copies. Also evicts the driver's own BOs of that memory type.
 *
 * Context: process context, no lock held that eviction takes.
 * Return: 0, or an error: then not everything could go, and VRAM stays open.
 */
int drm_svm_vram_suspend(struct drm_svm_vram *vram)
{
	int err;

	WRITE_ONCE(vram->closed, true);
	err = drm_svm_vram_empty(vram);
	if (err)
		WRITE_ONCE(vram->closed, false);
	return err;
}
EXPORT_SYMBOL_GPL(drm_svm_vram_suspend);

/**
 * drm_svm_vram_resume() - let pages in again
 * @vram: the VRAM, suspended
 */
void drm_svm_vram_resume(struct drm_svm_vram *vram)
{
	WRITE_ONCE(vram->closed, false);
	drm_svm_vram_keep_bad(vram);
}
EXPORT_SYMBOL_GPL(drm_svm_vram_resume);

/*
 * Bring all pages home for good. Only the hardware can keep them from it: where it fails to
 * copy, again and again, they are lost. Signals do not count. What is busy, or finds no
 * memory, belongs to others all the same, and is waited for.
 */
static void drm_svm_vram_empty_for_good(struct drm_svm_vram *vram)
{
	unsigned long notice = jiffies + DRM_SVM_EVICT_NOTICE;
	unsigned long pause = DRM_SVM_EVICT_PAUSE_US;
	int err;

	while ((err = drm_svm_vram_evict_pages(vram))) {
		if (time_after(jiffies, notice)) {
			drm_notice(vram->drm,
				   "pages of processes cannot leave VRAM yet (%pe), trying again\n",
				   ERR_PTR(err));
			notice = jiffies + DRM_SVM_EVICT_NOTICE;
		}
		fsleep(pause);
		pause = min(2 * pause, DRM_SVM_EVICT_PAUSE_MAX_US);
	}
}

/* No page has a reference any more, but for the moment in which it is freed. */
static void drm_svm_vram_release(struct drm_svm_vram *vram)
{
	drm_svm_vram_delist(vram);
	memunmap_pages(&vram->pagemap);
	release_mem_region(vram->pagemap.range.start,
			   range_len(&vram->pagemap.range));
	xa_destroy(&vram->bad);
}

/* @vram is part of the DRM device, whose code is in the driver's module. */
static void drm_svm_vram_release_work(struct work_struct *work)
{
	struct drm_svm_vram *vram = container_of(work, struct drm_svm_vram,
						 free_work);
	struct module *module = drm_svm_vram_module(vram);
	struct drm_device *drm = vram->drm;

	drm_svm_vram_release(vram);
	drm_dev_put(drm);
	module_put(module);
}

/*
 * Processes have lost pages, perhaps for as long as they run: keep what these need, and
 * have the last page that is freed queue the rest, so that no work item waits for it.
 * False: the module is being unloaded.
 */
static bool drm_svm_vram_release_later(struct drm_svm_vram *vram)
{
	if (!try_module_get(drm_svm_vram_module(vram)))
		return false;
	drm_dev_get(vram->drm);
	INIT_WORK(&vram->free_work, drm_svm_vram_release_work);
	drm_svm_vram_drop_lost(vram, DRM_SVM_LOST_NONE);
	return true;
}

/**
 * drm_svm_vram_fini() - take the struct pages away
 * @vram: VRAM of a GPU that has no context any more; else it warns, and does the same
 *
 * Brings every page home first, and goes on until it has: signals do not end it, and it
 * waits for memory and for those who hold a page. What cannot come, because copies fail or
 * the memory is bad, is lost: who touches it gets SIGBUS. So a device that is gone says so
 * by the errors of its copies, for which -EBUSY, -EAGAIN, -ENOMEM, -EINTR and -ERESTARTSYS
 * will not do. As long as processes have such pages, @vram and the DRM device that it is
 * part of, and the driver's module, are kept; @ops and the TTM device are not used any
 * more. Where the module is being unloaded already, it waits for these processes.
 *
 * Context: process context, no lock held that eviction takes.
 */
void drm_svm_vram_fini(struct drm_svm_vram *vram)
{
	WARN_ON(atomic_read(&vram->sdev->ncontexts));
	scoped_guard(spinlock, &vram->lock)
		WRITE_ONCE(vram->ending, true);
	WRITE_ONCE(vram->closed, true);
	WRITE_ONCE(vram->sdev->vram, NULL);
	/* what it keeps after this is dropped, and then it keeps no more */
	flush_work(&vram->free_work);
	drm_svm_vram_drop_bad(vram);
	drm_svm_vram_empty_for_good(vram);
	/* what is left is the driver's */
	WARN_ON(drm_svm_vram_empty(vram));
	drm_svm_drain_fini(vram);
	/* a BO that is on its list has no pages any more */
	flush_work(&vram->leave_work);
	/* tasks that waited for that have BOs */
	drm_svm_vram_wait_users(vram);
	flush_work(&vram->free_work);
	if (drm_svm_vram_has_lost(vram) && drm_svm_vram_release_later(vram))
		return;
	drm_svm_vram_wait_lost(vram);
	drm_svm_vram_release(vram);
}
EXPORT_SYMBOL_GPL(drm_svm_vram_fini);
