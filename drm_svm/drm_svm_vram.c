// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/delay.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/ioport.h>
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

/* Tries to evict pages that others hold for a moment, and the pause between */
#define DRM_SVM_EVICT_TRIES	200
#define DRM_SVM_EVICT_PAUSE_US	1000

/* Tries of a BO whose copies fail, before its data is given up */
#define DRM_SVM_COPY_TRIES	4

/*
 * Longest pause between tries, and jiffies between messages that pages cannot
 * leave
 */
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
	init_llist_head(&vram->to_evict);
	INIT_WORK(&vram->evict_work, drm_svm_bo_evict_work);
	xa_init(&vram->bad);
	spin_lock_init(&vram->poison_lock);
	atomic_set(&vram->users, 0);
	spin_lock_init(&vram->lock);
	INIT_LIST_HEAD(&vram->keeps);
	drm_svm_drain_init(vram);
}

static int drm_svm_vram_get_region(struct drm_svm_vram *vram, u64 size)
{
	struct resource *res = request_free_mem_region(&iomem_resource, size,
						       "drm_svm");

	if (IS_ERR(res))
		return PTR_ERR(res);
	vram->pagemap.range.start = res->start;
	vram->pagemap.range.end = res->end;
	vram->pagemap.nr_range = 1;
	return 0;
}

static void drm_svm_vram_put_region(struct drm_svm_vram *vram)
{
	release_mem_region(vram->pagemap.range.start,
			   range_len(&vram->pagemap.range));
}

static int drm_svm_vram_map_pages(struct drm_svm_vram *vram)
{
	vram->pagemap.type = MEMORY_DEVICE_PRIVATE;
	vram->pagemap.ops = &drm_svm_pagemap_ops;
	vram->pagemap.owner = (void *)&drm_svm_pagemap_owner;
	return PTR_ERR_OR_ZERO(memremap_pages(&vram->pagemap, NUMA_NO_NODE));
}

/**
 * drm_svm_vram_init() - put struct pages behind the VRAM of a GPU
 * @vram: to initialize; memory of the driver
 * @sdev: the GPU
 * @config: the VRAM; not used after the call
 *
 * Faults of the GPU's contexts migrate pages there from now on. Before that, a
 * buffer is made and evicted, to check that the driver forwards TTM's calls
 * about it; so TTM has the memory type already, with at least one page
 * available, and the driver is ready for TTM's calls. Its engines need not be
 * ready, because nothing is copied.
 *
 * Context: process context, no lock held that eviction takes.
 * Return: 0, -EINVAL when the driver's functions for VRAM or for TTM are not
 * complete or do not call drm_svm, -ENOSPC when not one page of the memory type
 * is available, -ENOMEM, -ERANGE when no physical addresses are free for the
 * pages, or another error of memremap_pages().
 */
int drm_svm_vram_init(struct drm_svm_vram *vram, struct drm_svm_device *sdev,
		      const struct drm_svm_vram_config *config)
{
	int err;

	memset(vram, 0, sizeof(*vram));
	vram->sdev = sdev;
	vram->drm = sdev->drm;
	vram->bdev = config->bdev;
	vram->ops = config->ops;
	vram->owner = config->owner;
	vram->module = config->module;
	vram->mem_type = config->mem_type;
	vram->npages = config->size >> PAGE_SHIFT;
	drm_svm_vram_init_work(vram);

	err = drm_svm_check_vram_ops(vram);
	if (err)
		return err;
	err = drm_svm_check_ttm(vram);
	if (err)
		return err;
	err = drm_svm_vram_get_region(vram, config->size);
	if (err)
		return err;
	err = drm_svm_vram_map_pages(vram);
	if (err)
		goto err_region;
	drm_svm_vram_enlist(vram);
	/* publishes @vram: pairs with the READ_ONCE() of the fault path */
	WRITE_ONCE(sdev->vram, vram);
	return 0;

err_region:
	drm_svm_vram_put_region(vram);
	return err;
}
EXPORT_SYMBOL_GPL(drm_svm_vram_init);

/**
 * drm_svm_vram_free_pages() - count the pages that can be had without an eviction
 * @vram: the VRAM
 *
 * A bad page that is still in use counts twice, because TTM does not say which
 * pages are. So the figure may be a little low, but nothing is promised that
 * cannot be had.
 *
 * Context: any that may sleep; drm_svm_vram_fini() is not running.
 * Return: the number of pages.
 */
unsigned long drm_svm_vram_free_pages(struct drm_svm_vram *vram)
{
	struct ttm_resource_manager *man = ttm_manager_type(vram->bdev, vram->mem_type);
	unsigned long used;

	if (READ_ONCE(vram->closed))
		return 0;
	used = PHYS_PFN(ttm_resource_manager_usage(man)) +
	       drm_svm_vram_count_loose_bad(vram);
	return vram->npages - min(vram->npages, used);
}

/*
 * Return whether an eviction failed because of the hardware; other errors are
 * worth another try.
 */
static bool drm_svm_vram_is_copy_error(int err)
{
	return err && err != -EBUSY && err != -EAGAIN && err != -ENOMEM &&
	       err != -EINTR && err != -ERESTARTSYS;
}

/*
 * Mark the pages that could not leave as poisoned. Others hold the lock of a
 * page for the duration of a copy at most. A page that is being split may be
 * missed, and is found by the next pass.
 */
static void drm_svm_vram_poison(struct drm_svm_vram *vram, unsigned long index,
				unsigned long end)
{
	unsigned long nr;

	for (; index < end; index += nr) {
		struct folio *folio = drm_svm_vram_get_folio(vram, index);

		nr = 1;
		if (!folio)
			continue;
		folio_lock(folio);
		if (!drm_svm_folio_is_stale(folio))
			drm_svm_folio_poison(folio);
		nr = folio_nr_pages(folio);
		folio_unlock(folio);
		folio_put(folio);
	}
}

/*
 * Migrate the pages of one BO to RAM. Returns the page past the BO, or past
 * @index. When the VRAM goes for good, what cannot be copied in some tries is
 * poisoned.
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
		ret = drm_svm_bo_evict(bo, READ_ONCE(vram->closed) ?
				       DRM_SVM_CAUSE_SUSPEND : DRM_SVM_CAUSE_DRIVER);
		*err = *err ?: ret;
		if (READ_ONCE(vram->ending) && drm_svm_vram_is_copy_error(ret) &&
		    ++bo->copies_failed >= DRM_SVM_COPY_TRIES) {
			index = drm_svm_bo_offset(bo) >> PAGE_SHIFT;
			drm_svm_bo_evict_singly(bo);
			drm_svm_vram_poison(vram, index, next);
		}
	}
	drm_svm_bo_unlock(bo);
	drm_svm_bo_put(bo);
	return next;
}

/* The next page in use, from @index on; most of VRAM may be free. */
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

/*
 * Evict the BOs of drm_svm one by one, by their pages, because TTM would stop
 * at the first one that cannot leave.
 */
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
 * Evict all, and the driver's BOs by TTM, but only once no BO of drm_svm is
 * left: at one that cannot leave TTM would stop, and write an error to the
 * kernel log at each try.
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
 * drm_svm_vram_evict_all() - migrate every page to RAM
 * @vram: the VRAM
 *
 * Then evicts the driver's own BOs of that memory type. Tries again, for a
 * bounded time, if a page is held by others for a moment. GPU faults can bring
 * other pages in at any time.
 *
 * Context: process context, no lock held that eviction takes.
 * Return: 0, -EBUSY, -ERESTARTSYS when the caller is being killed, or the error
 * of a copy.
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

/* Evict all; after a copy failed, try again. */
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
 * drm_svm_vram_suspend() - migrate every page to RAM, and let none in
 * @vram: the VRAM
 *
 * For a device whose memory is about to lose its power. The driver stops the
 * GPU first, but not the copies. Also evicts the driver's own BOs of that
 * memory type.
 *
 * Context: process context, no lock held that eviction takes.
 * Return: 0, or an error: then something could not leave, and VRAM stays open.
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
 * Migrate all pages to RAM for good. Only the hardware can prevent that: pages
 * that it fails to copy, again and again, are poisoned. Signals are ignored.
 * Pages that are busy, or for which there is no memory, belong to other
 * processes, so they are waited for.
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

/* No page has a reference any more, except while it is being freed. */
static void drm_svm_vram_release(struct drm_svm_vram *vram)
{
	drm_svm_vram_delist(vram);
	memunmap_pages(&vram->pagemap);
	drm_svm_vram_put_region(vram);
	xa_destroy(&vram->bad);
}

/*
 * @vram is part of the DRM device, whose code is in the driver's module, so
 * these are put last.
 */
static void drm_svm_vram_release_work(struct work_struct *work)
{
	struct drm_svm_vram *vram = container_of(work, struct drm_svm_vram,
						 release_work);
	struct module *module = vram->module;
	struct drm_device *drm = vram->drm;

	drm_svm_vram_release(vram);
	drm_dev_put(drm);
	module_put(module);
}

/*
 * Processes may have poisoned pages for as long as they run. If so, keep what
 * these pages need: the last page that is freed queues the release, so that no
 * work item waits for it. Returns false if there is no poisoned page, or if the
 * module is being unloaded already, so that there is no reference to it.
 */
static bool drm_svm_vram_release_later(struct drm_svm_vram *vram)
{
	guard(spinlock_irqsave)(&vram->poison_lock);
	if (!vram->npoisoned || !vram->module_held)
		return false;
	drm_dev_get(vram->drm);
	INIT_WORK(&vram->release_work, drm_svm_vram_release_work);
	vram->release_last = true;
	return true;
}

/**
 * drm_svm_vram_fini() - take the struct pages away
 * @vram: VRAM of a GPU that has no context any more; else this warns, and goes
 *	on
 *
 * Migrates every page to RAM first, and goes on until it has: signals do not
 * end it, and it waits for memory and for pages that others hold. Pages that
 * cannot migrate, because copies fail or the memory is bad, are poisoned: a CPU
 * access to them gets SIGBUS. So a device that is gone says so by the errors of
 * its copies; -EBUSY, -EAGAIN, -ENOMEM, -EINTR and -ERESTARTSYS will not do,
 * because they are tried again. As long as processes have poisoned pages,
 * @vram, the DRM device that it is part of and the driver's module are kept;
 * @ops and the TTM device are not used any more. If the module is being
 * unloaded already, this waits for these processes.
 *
 * Context: process context, no lock held that eviction takes.
 */
void drm_svm_vram_fini(struct drm_svm_vram *vram)
{
	int err;

	WARN_ON(atomic_read(&vram->sdev->ncontexts));
	scoped_guard(spinlock, &vram->lock)
		WRITE_ONCE(vram->ending, true);
	WRITE_ONCE(vram->closed, true);
	WRITE_ONCE(vram->sdev->vram, NULL);
	/* a running free_work may still keep bad pages, a later one cannot */
	flush_work(&vram->free_work);
	drm_svm_vram_drop_bad(vram);
	drm_svm_vram_empty_for_good(vram);
	/* only the driver's BOs are left */
	err = drm_svm_vram_empty(vram);
	WARN_ON(err);
	drm_svm_drain_fini(vram);
	/* BOs on the list of evict_work have no pages any more */
	flush_work(&vram->evict_work);
	/* tasks that waited for these BOs have references to them */
	drm_svm_vram_wait_users(vram);
	/* a task that freed the last page of a BO has queued the BO by then */
	synchronize_rcu();
	flush_work(&vram->free_work);
	if (drm_svm_vram_release_later(vram))
		return;
	drm_svm_vram_wait_poisoned(vram);
	drm_svm_vram_release(vram);
}
EXPORT_SYMBOL_GPL(drm_svm_vram_fini);
