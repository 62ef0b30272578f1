// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/dma-resv.h>
#include <linux/hmm.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/wait_bit.h>

#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_placement.h>

#include "drm_svm_migrate.h"
#include "drm_svm_quirk.h"
#include "drm_svm_trace.h"

/**
 * DOC: Eviction
 *
 * TTM starts an eviction with the dma_resv of a BO held, and without mm, VMA or
 * address: the pages may belong to a child of the process that filled the BO,
 * or have moved within its address space. Small pages migrate to RAM by
 * migrate_device_pfns(), whichever process maps them. That calls notifiers for
 * each page; so where the first page is mapped, all pages of the BO are
 * unmapped from the GPUs first, with one TLB flush. The pages also go where the
 * memory policy of that mapping (mbind()) wants them. Huge pages migrate from
 * where they are mapped: drm_svm_quirk_evict.c.
 */

/* Tries of an eviction against folios and locks that are held for a moment */
#define DRM_SVM_EVICT_TRIES	4

/* Pages in a row that fail to be copied alone, before the rest is given up */
#define DRM_SVM_SINGLE_TRIES	16

/* Index in VRAM of the first page of the BO. */
static unsigned long drm_svm_evict_index(const struct drm_svm_eviction *e)
{
	return drm_svm_bo_offset(e->bo) >> PAGE_SHIFT;
}

/*
 * Unmap the pages of the BO from the GPUs. They are around the first one,
 * unless they were mapped elsewhere since. Returns false if there is no range.
 */
static bool drm_svm_evict_unmap(struct drm_svm_eviction *e,
				const struct drm_svm_rmap_place *place)
{
	struct drm_svm_range *range = drm_svm_space_lookup_range(place->mm, place->addr);
	unsigned long start, size;

	if (!range)
		return false;
	start = place->addr - min((unsigned long)e->first << PAGE_SHIFT,
				  place->addr - range->start);
	size = min(e->bo->tbo.base.size, DRM_SVM_RANGE_SIZE - (start - range->start));
	drm_svm_range_unmap_vram(range, start, start + size);
	drm_svm_range_put(range);
	return true;
}

/* Reserve RAM for the small pages of the BO at [@addr, @end), a part of @vma. */
static void drm_svm_evict_reserve_in(struct drm_svm_eviction *e,
				     struct vm_area_struct *vma, unsigned long addr,
				     unsigned long end, unsigned long index)
{
	for (; addr < end; addr += PAGE_SIZE, index++) {
		struct folio *folio = drm_svm_vram_get_folio(e->bo->vram, index);
		unsigned long pfn;

		if (!folio)
			continue;
		pfn = folio_test_large(folio) ? 0 : folio_pfn(folio);
		folio_put(folio);
		if (pfn && !drm_svm_ram_reserve(e->m, pfn, vma, addr, 0))
			return;
		cond_resched();
	}
}

/*
 * Reserve RAM where memory policies of mappings want it, on the assumption that
 * all pages are around the first one. migrate_device_pfns() itself does not know
 * the mapping. Pages without a reservation migrate to any RAM: no eviction fails
 * because of a policy.
 */
static void drm_svm_evict_reserve(struct drm_svm_eviction *e,
				  const struct drm_svm_rmap_place *place)
{
	unsigned long npages = e->end - e->first;
	unsigned long start = place->addr, end = start + (npages << PAGE_SHIFT);
	struct vm_area_struct *vma;
	struct vma_iterator vmi;

	if (!list_empty(&e->m->reserved))
		return;
	vma_iter_init(&vmi, place->mm, start);
	for_each_vma_range(vmi, vma, end) {
		unsigned long from = max(start, vma->vm_start);

		if (vma_policy(vma))
			drm_svm_evict_reserve_in(e, vma, from, min(end, vma->vm_end),
						 drm_svm_evict_index(e) + e->first +
						 ((from - start) >> PAGE_SHIFT));
	}
}

/* Called for a mapping that may have the folio. */
static bool drm_svm_evict_visit(const struct drm_svm_rmap_visitor *visitor,
				const struct drm_svm_rmap_place *place)
{
	struct drm_svm_eviction *e = container_of(visitor, struct drm_svm_eviction,
						  visitor);

	if (place->large)
		return drm_svm_quirk_evict_huge(e, place);
	drm_svm_evict_reserve(e, place);
	return drm_svm_evict_unmap(e, place);
}

/*
 * Collect the device pages that are in use; free ones must be left out. A huge
 * page that is still there is left out too, unless @whole.
 */
static unsigned int drm_svm_evict_collect(struct drm_svm_eviction *e, bool whole)
{
	unsigned long index = drm_svm_evict_index(e);
	struct drm_svm_migration *m = e->m;
	unsigned int i, nr, n = 0;

	for (i = e->start; i < e->end; i += nr) {
		struct folio *folio = drm_svm_vram_get_folio(e->bo->vram, index + i);
		unsigned int j;

		nr = 1;
		if (!folio)
			continue;
		nr = min_t(unsigned int, folio_nr_pages(folio), e->end - i);
		for (j = 0; j < nr && (whole || nr == 1); j++)
			m->src[n++] = folio_pfn(folio) + j;
		folio_put(folio);
	}
	return n;
}

/*
 * Evict small pages, and if @whole huge ones too, for which nothing else is
 * left.
 */
static int drm_svm_evict_pages(struct drm_svm_eviction *e, bool whole)
{
	struct drm_svm_migration *m = e->m;
	int err;

	drm_svm_migration_reset(m, e->bo->vram);
	m->npages = drm_svm_evict_collect(e, whole);
	if (!m->npages)
		return 0;
	memset(m->dst, 0, m->npages * sizeof(*m->dst));
	err = migrate_device_pfns(m->src, m->npages);
	return err ?: drm_svm_ram_run(m, &e->moved);
}

/* The first page in use, or @start. A hint: pages are freed at any time. */
static unsigned int drm_svm_evict_first(struct drm_svm_eviction *e)
{
	unsigned long index = drm_svm_evict_index(e);
	struct folio *folio;
	unsigned int i;

	for (i = e->start; i < e->end; i++) {
		folio = drm_svm_vram_get_folio(e->bo->vram, index + i);
		if (!folio)
			continue;
		folio_put(folio);
		return i;
	}
	return e->start;
}

/* One try. Returns 0 although pages may be left, or an error. */
static int drm_svm_evict_try(struct drm_svm_eviction *e, bool whole)
{
	int err = 0;

	e->first = drm_svm_evict_first(e);
	drm_svm_rmap_walk(e->bo->vram, drm_svm_evict_index(e) + e->first, &e->visitor);
	if (drm_svm_bo_has_pages(e->bo))
		err = drm_svm_evict_pages(e, whole);
	drm_svm_ram_unreserve(e->m);
	return err;
}

/*
 * Count and report an eviction, with the error that it ended with. One that a CPU
 * fault needs, because it could not migrate a huge page itself, is counted and
 * reported as a part of that fault.
 */
static void drm_svm_evict_report(const struct drm_svm_eviction *e,
				 enum drm_svm_cause cause, u64 begun, int err)
{
	bool for_cpu = cause == DRM_SVM_CAUSE_CPU_FAULT;
	struct drm_svm_bo *bo = e->bo;

	if (!for_cpu) {
		drm_svm_stats_add(bo->stats, DRM_SVM_STAT_VRAM_EVICTIONS, 1);
		drm_svm_stats_add(bo->stats, DRM_SVM_STAT_VRAM_EVICTED,
				  e->moved.moved);
	}
	trace_drm_svm_evict(bo, e->moved.moved, atomic_long_read(&bo->live));
	if (!drm_svm_event_is_wanted(bo->stats))
		return;
	drm_svm_event_add(bo->stats, begun, &(struct drm_svm_event) {
		.type = for_cpu ? DRM_SVM_EVENT_MIGRATE : DRM_SVM_EVENT_EVICT,
		.cause = cause,
		.start = bo->addr,
		.size = bo->tbo.base.size,
		.pages = e->moved.moved,
		.from = DRM_SVM_LOCATION_VRAM,
		.to = DRM_SVM_LOCATION_SYSTEM,
		.err = err,
	});
}

/*
 * Migrate all pages of a BO, which is locked and resident, to RAM. Needs no mm,
 * so it works when the process that filled the BO is gone. Returns 0 when no
 * page is left; -EBUSY when one is; the error of a copy; -ERESTARTSYS when the
 * caller is being killed. What moved has moved.
 */
static int drm_svm_migrate_evict(struct drm_svm_bo *bo, enum drm_svm_cause cause)
{
	struct drm_svm_eviction e = {
		.visitor.visit = drm_svm_evict_visit,
		.bo = bo,
		.end = bo->tbo.base.size >> PAGE_SHIFT,
	};
	u64 begun = drm_svm_event_begin();
	unsigned int try;
	int err = 0;

	if (!drm_svm_bo_has_pages(bo))
		return 0;
	e.m = drm_svm_migration_alloc(e.end, GFP_KERNEL);
	if (!e.m)
		return -EBUSY;
	for (try = 1; try <= DRM_SVM_EVICT_TRIES && !err &&
	     drm_svm_bo_has_pages(bo); try++) {
		if (drm_svm_vram_is_interrupted(bo->vram)) {
			err = -ERESTARTSYS;
			break;
		}
		err = drm_svm_evict_try(&e, try == DRM_SVM_EVICT_TRIES);
		cond_resched();
	}
	drm_svm_migration_free(e.m);
	err = drm_svm_bo_has_pages(bo) ? (err ?: -EBUSY) : 0;
	drm_svm_evict_report(&e, cause, begun, err);
	return err;
}

/* Migrate the pages of a BO, if it has any, to RAM. Its dma_resv is held. */
int drm_svm_bo_evict(struct drm_svm_bo *bo, enum drm_svm_cause cause)
{
	int err;

	if (!drm_svm_bo_is_resident(bo))
		return 0;
	err = drm_svm_migrate_evict(bo, cause);
	if (err == -EBUSY && drm_svm_drain_bo(bo))
		err = drm_svm_migrate_evict(bo, cause);
	return err;
}

static bool drm_svm_evict_is_small(struct drm_svm_eviction *e)
{
	struct folio *folio = drm_svm_vram_get_folio(e->bo->vram,
						     drm_svm_evict_index(e) + e->start);
	bool is_small = folio && !folio_test_large(folio);

	if (folio)
		folio_put(folio);
	return is_small;
}

/**
 * drm_svm_bo_evict_singly() - migrate the pages of a BO to RAM one at a time
 * @bo: the BO, whose dma_resv is held and which is resident
 *
 * For pages that do not leave together, because the memory of one of them broke
 * without anybody noticing yet. A device that is gone copies none: after some
 * failures in a row the rest is not tried. A huge page that eviction could not
 * split is not tried either.
 *
 * Context: process context, no other lock held that eviction takes.
 */
void drm_svm_bo_evict_singly(struct drm_svm_bo *bo)
{
	unsigned int npages = bo->tbo.base.size >> PAGE_SHIFT, failed = 0;
	struct drm_svm_eviction e = {
		.visitor.visit = drm_svm_evict_visit,
		.bo = bo,
		.m = drm_svm_migration_alloc(1, GFP_KERNEL),
	};

	for (; e.m && e.start < npages && failed < DRM_SVM_SINGLE_TRIES; e.start++) {
		e.end = e.start + 1;
		if (drm_svm_evict_is_small(&e))
			failed = drm_svm_evict_try(&e, false) ? failed + 1 : 0;
		cond_resched();
	}
	drm_svm_migration_free(e.m);
}

void drm_svm_bo_evict_work(struct work_struct *work)
{
	struct drm_svm_vram *vram = container_of(work, struct drm_svm_vram,
						 evict_work);
	struct drm_svm_bo *bo, *next;

	llist_for_each_entry_safe(bo, next, llist_del_all(&vram->to_evict),
				  evict_node) {
		dma_resv_lock(bo->tbo.base.resv, NULL);
		drm_svm_bo_evict(bo, DRM_SVM_CAUSE_CPU_FAULT);
		/* further CPU faults handle pages that could not leave */
		clear_and_wake_up_bit(0, &bo->evict_queued);
		drm_svm_bo_unlock(bo);
		drm_svm_bo_put(bo);
		cond_resched();
	}
}

static const struct ttm_place drm_svm_bo_system = {
	.mem_type = TTM_PL_SYSTEM,
};

/**
 * drm_svm_bo_evict_flags() - for &ttm_device_funcs.evict_flags
 * @tbo: the BO to evict
 * @placement: returns where to
 *
 * Return: whether the BO belongs to drm_svm; else the driver decides.
 */
bool drm_svm_bo_evict_flags(struct ttm_buffer_object *tbo,
			    struct ttm_placement *placement)
{
	if (!drm_svm_bo_is_svm(tbo))
		return false;
	placement->num_placement = 1;
	placement->placement = &drm_svm_bo_system;
	return true;
}
EXPORT_SYMBOL_GPL(drm_svm_bo_evict_flags);

/**
 * drm_svm_bo_eviction_valuable() - for &ttm_device_funcs.eviction_valuable
 * @tbo: any BO of the driver's TTM device, its dma_resv held
 * @place: the place that is wanted, or NULL for any
 *
 * Replaces ttm_bo_eviction_valuable(), which it asks first. The pages of a BO
 * of drm_svm migrate to RAM here already, unless the caller is prefetching
 * them. TTM silently skips a BO that is not worth evicting, but writes an error
 * to the kernel log for each BO that cannot be moved, and any process can have
 * pages that cannot.
 *
 * Context: process context, no lock held that eviction takes but @tbo's
 * dma_resv.
 * Return: whether @tbo is to be evicted; true as well when the caller is being
 * killed, so that drm_svm_bo_move() ends the search.
 */
bool drm_svm_bo_eviction_valuable(struct ttm_buffer_object *tbo,
				  const struct ttm_place *place)
{
	int err;

	dma_resv_assert_held(tbo->base.resv);
	if (!ttm_bo_eviction_valuable(tbo, place))
		return false;
	if (!drm_svm_bo_is_svm(tbo))
		return true;
	if (drm_svm_keep_has(to_drm_svm_bo(tbo)))
		return false;
	err = drm_svm_bo_evict(to_drm_svm_bo(tbo), DRM_SVM_CAUSE_ROOM);
	return !err || err == -ERESTARTSYS;
}
EXPORT_SYMBOL_GPL(drm_svm_bo_eviction_valuable);

/**
 * drm_svm_bo_move() - for &ttm_device_funcs.move, for a BO of drm_svm
 * @tbo: the BO, its dma_resv held
 * @ctx: the operation
 * @new_mem: where to: the VRAM that it was created for, or the system
 *
 * To the system means that every page migrates to RAM and the BO is left
 * without pages, to be freed.
 *
 * Return: 0; -EBUSY when some page could not be moved: TTM goes on with the
 * next BO, what moved is gone; -ERESTARTSYS when the caller is being killed.
 */
int drm_svm_bo_move(struct ttm_buffer_object *tbo,
		    struct ttm_operation_ctx *ctx, struct ttm_resource *new_mem)
{
	struct drm_svm_bo *bo = to_drm_svm_bo(tbo);
	int err;

	dma_resv_assert_held(tbo->base.resv);
	bo->asked = true;
	/* for a driver that does not call drm_svm_bo_eviction_valuable() */
	if (drm_svm_keep_has(bo))
		return -EBUSY;
	err = drm_svm_bo_evict(bo, DRM_SVM_CAUSE_ROOM);
	if (!err)
		ttm_bo_move_null(tbo, new_mem);
	/* other errors would end TTM's search for room */
	return !err || err == -ERESTARTSYS ? err : -EBUSY;
}
EXPORT_SYMBOL_GPL(drm_svm_bo_move);
