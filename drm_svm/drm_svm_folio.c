// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/export.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/preempt.h>
#include <linux/sched/signal.h>
#include <linux/wait.h>

#include "drm_svm_vram.h"

/**
 * DOC: VRAM
 *
 * Device-private pages stand for the VRAM of a GPU in the CPU page tables: page
 * n is offset n * PAGE_SIZE of the driver's TTM memory type. The CPU cannot
 * access them; when it tries, migrate_to_ram() migrates the data to RAM.
 *
 * A page belongs to the &struct drm_svm_bo in its zone_device_data, from its
 * initialization by a migration until folio_free(). Bit 0 of that pointer says
 * that the data has moved already: the page only waits for its last reference
 * to be dropped.
 *
 * A page without a BO is poisoned: its memory is bad, or went with the device.
 * Processes that map it keep it until they unmap it or end, because nothing
 * else can stand in their page tables for data that is gone; a CPU access gets
 * SIGBUS. &drm_svm_vram.npoisoned counts poisoned pages. As long as there are
 * any, the device pages outlive drm_svm_vram_fini(), and the driver's module
 * cannot be unloaded.
 */

#define DRM_SVM_FOLIO_STALE	1UL

/*
 * All VRAM has the same owner for core mm, so that one walk sees the pages of
 * every GPU; drm_svm_page_is_reachable() says which of them a GPU can access.
 */
const char drm_svm_pagemap_owner;

struct drm_svm_bo *drm_svm_folio_bo(const struct folio *folio)
{
	unsigned long data = (unsigned long)folio_zone_device_data(folio);

	return (struct drm_svm_bo *)(data & ~DRM_SVM_FOLIO_STALE);
}

bool drm_svm_folio_is_stale(const struct folio *folio)
{
	return (unsigned long)folio_zone_device_data(folio) &
	       DRM_SVM_FOLIO_STALE;
}

bool drm_svm_folio_is_poisoned(const struct folio *folio)
{
	return !drm_svm_folio_bo(folio);
}

/* Mark a folio whose data is in RAM now; called with the folio locked. */
void drm_svm_folio_mark_stale(struct folio *folio)
{
	unsigned long data = (unsigned long)folio_zone_device_data(folio);

	folio_set_zone_device_data(folio, (void *)(data | DRM_SVM_FOLIO_STALE));
}

struct page *drm_svm_vram_page(struct drm_svm_vram *vram, u64 offset)
{
	return pfn_to_page(PHYS_PFN(vram->pagemap.range.start + offset));
}

/* Return whether the GPU can access a device page where it is. */
bool drm_svm_page_is_reachable(const struct page *page,
			       const struct drm_svm_device *sdev)
{
	struct drm_svm_vram *vram = drm_svm_page_vram(page);
	struct drm_svm_vram *own = READ_ONCE(sdev->vram);

	if (drm_svm_folio_is_poisoned(page_folio(page)) || READ_ONCE(vram->closed))
		return false;
	return vram == own || (own && own->owner && own->owner == vram->owner);
}

/*
 * Return whether to end an eviction early because the caller is being killed.
 * Not once the VRAM goes for good, because its pages belong to other processes,
 * which would lose them.
 */
bool drm_svm_vram_is_interrupted(const struct drm_svm_vram *vram)
{
	return fatal_signal_pending(current) && !READ_ONCE(vram->ending);
}

/* Woken when no poisoned page is left, for a module that is being unloaded. */
static DECLARE_WAIT_QUEUE_HEAD(drm_svm_vram_poisoned_wait);

/*
 * @nr poisoned pages were freed. The last one drops the reference to the module
 * and ends the wait of drm_svm_vram_fini(). If drm_svm_vram_fini() did not wait,
 * the last one queues the release instead. @vram stays until folio_free()
 * returns, because memunmap_pages() waits for the reference that core mm drops
 * after that call.
 */
static void drm_svm_vram_drop_poisoned(struct drm_svm_vram *vram, long nr)
{
	struct module *module = NULL;

	scoped_guard(spinlock_irqsave, &vram->poison_lock) {
		WRITE_ONCE(vram->npoisoned, vram->npoisoned - nr);
		if (vram->npoisoned)
			return;
		if (vram->release_last) {
			queue_work(drm_svm_idle_wq, &vram->release_work);
			return;
		}
		if (vram->module_held)
			module = vram->module;
		vram->module_held = false;
		wake_up_all(&drm_svm_vram_poisoned_wait);
	}
	module_put(module);
}

/*
 * Wait until no process has a poisoned page. Processes may keep them for as
 * long as they like, so the wait must not look like a hung task.
 */
void drm_svm_vram_wait_poisoned(struct drm_svm_vram *vram)
{
	wait_event_idle(drm_svm_vram_poisoned_wait, !READ_ONCE(vram->npoisoned));
}

/*
 * @npages pages of the BO are no longer in use. May be called in atomic
 * context, so the last page only queues the BO to be freed.
 */
void drm_svm_bo_drop_pages(struct drm_svm_bo *bo, long npages)
{
	struct drm_svm_vram *vram = bo->vram;

	drm_svm_stats_add(bo->stats, DRM_SVM_STAT_VRAM_PAGES, -npages);
	/*
	 * drm_svm_vram_fini() waits, by synchronize_rcu(), for tasks between the
	 * count and the queue. A section without preemption is enough for that,
	 * and costs less than rcu_read_lock(): this runs for each page.
	 */
	guard(preempt)();
	if (atomic_long_sub_and_test(npages, &bo->live) &&
	    llist_add(&bo->free_node, &vram->freed))
		queue_work(drm_svm_idle_wq, &vram->free_work);
}

/*
 * The data of the folio is gone: take the folio from its BO. Called with the
 * folio locked. The first poisoned page takes a reference to the module. If the
 * module is being unloaded there is none to be taken; then drm_svm_vram_fini()
 * waits.
 */
void drm_svm_folio_poison(struct folio *folio)
{
	struct drm_svm_vram *vram = drm_svm_page_vram(folio_page(folio, 0));
	struct drm_svm_bo *bo = drm_svm_folio_bo(folio);
	long nr = folio_nr_pages(folio);

	if (!bo)
		return;
	folio_set_zone_device_data(folio, NULL);
	scoped_guard(spinlock_irqsave, &vram->poison_lock) {
		if (!vram->npoisoned)
			vram->module_held = try_module_get(vram->module);
		vram->npoisoned += nr;
	}
	drm_svm_stats_add(bo->stats, DRM_SVM_STAT_VRAM_FAILED, nr);
	drm_svm_bo_drop_pages(bo, nr);
}

/*
 * Return whether the folio's BO has lost its place. Then the data there belongs
 * to another buffer, and the folio is poisoned as well. Called with the folio
 * locked.
 */
bool drm_svm_folio_check_place(struct folio *folio)
{
	struct drm_svm_bo *bo = drm_svm_folio_bo(folio);

	if (!bo || !drm_svm_bo_has_lost_place(bo))
		return false;
	WARN_ONCE(1, "the driver took VRAM away that has pages of processes: evict_flags, move?\n");
	if (!drm_svm_folio_is_stale(folio))
		drm_svm_folio_poison(folio);
	return true;
}

/*
 * Get the folio of a page that is in use, with a reference, or NULL. A page
 * that is free still looks like part of the huge page that it was, and what
 * that makes its head may belong to another folio.
 */
struct folio *drm_svm_vram_get_folio(struct drm_svm_vram *vram,
				     unsigned long index)
{
	struct page *page = drm_svm_vram_page(vram, (u64)index << PAGE_SHIFT);
	struct folio *folio = page_folio(page);

	if (!folio_try_get(folio))
		return NULL;
	if (page_folio(page) == folio &&
	    folio_page_idx(folio, page) < folio_nr_pages(folio))
		return folio;
	folio_put(folio);
	return NULL;
}

/* Get the BO of a page that is in use, with a reference, or NULL. */
struct drm_svm_bo *drm_svm_vram_get_bo(struct drm_svm_vram *vram,
				       unsigned long index)
{
	struct folio *folio = drm_svm_vram_get_folio(vram, index);
	struct drm_svm_bo *bo;

	if (!folio)
		return NULL;
	/* the lock keeps the page from being poisoned, the page keeps the BO */
	folio_lock(folio);
	bo = drm_svm_folio_check_place(folio) ? NULL : drm_svm_folio_bo(folio);
	if (bo)
		drm_gem_object_get(&bo->tbo.base);
	folio_unlock(folio);
	folio_put(folio);
	return bo;
}

/* Called in atomic context. */
void drm_svm_vram_folio_free(struct folio *folio)
{
	struct drm_svm_vram *vram = drm_svm_page_vram(folio_page(folio, 0));
	struct drm_svm_bo *bo = drm_svm_folio_bo(folio);
	long nr = folio_nr_pages(folio);

	folio_set_zone_device_data(folio, NULL);
	if (bo)
		drm_svm_bo_drop_pages(bo, nr);
	else
		drm_svm_vram_drop_poisoned(vram, nr);
}

void drm_svm_vram_folio_split(struct folio *head, struct folio *tail)
{
	if (!tail)
		return;
	tail->pgmap = head->pgmap;
	folio_set_zone_device_data(tail, folio_zone_device_data(head));
}

/*
 * Return whether one of the @npages pages at @offset must not be used; called
 * by drm_svm_vram_has_bad().
 */
bool drm_svm_vram_find_bad(struct drm_svm_vram *vram, u64 offset,
			   unsigned int npages)
{
	unsigned long index = offset >> PAGE_SHIFT;

	return xa_find(&vram->bad, &index, index + npages - 1, XA_PRESENT);
}

/* Wait for those that use the VRAM, or a BO of it, without a page of it. */
void drm_svm_vram_wait_users(struct drm_svm_vram *vram)
{
	wait_var_event(&vram->users, !atomic_read(&vram->users));
}

void drm_svm_vram_put(struct drm_svm_vram *vram)
{
	if (vram && atomic_dec_and_test(&vram->users))
		wake_up_var(&vram->users);
}
