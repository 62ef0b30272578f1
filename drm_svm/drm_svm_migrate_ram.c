// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/memremap.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "drm_svm_migrate.h"
#include "drm_svm_quirk.h"
#include "drm_svm_trace.h"

/**
 * DOC: To RAM
 *
 * A CPU access to a page in VRAM calls migrate_to_ram() with mmap_lock and the
 * lock of the page held, so no lock of the driver or of a BO may be taken: all
 * that is needed is in the device page. A window of pages around the fault
 * migrates to RAM, or a huge page.
 *
 * If no huge page can be allocated in RAM the device folio must be split. That
 * is impossible here, because the faulting CPU holds a reference: a work item
 * evicts the BO (drm_svm_evict.c), and the task waits for that before it is
 * back in user mode and refaults. migrate_vma_pages() cannot split it either:
 * it expects one reference fewer and fixes up only one of the mappings.
 *
 * A migrated device page can stay locked and referenced for a while; it is
 * marked stale so that it is not migrated again.
 *
 * Forward progress: a GPU fault waits for room in VRAM, so for evictions.
 * Evictions wait for RAM, for copies, and for invalidations, that is, for TLB
 * flushes. None of these waits for a GPU fault: RAM is allocated by the rules
 * of reclaim, which may call our notifiers, which wait for flushes only; copies
 * keep the contract of struct drm_svm_vram_ops. A page that cannot migrate is
 * not waited for. So GPU faults that evict each other's pages can be slow, but
 * each is served once it has its room, or is mapped in RAM: the access is tried
 * again before that page is a candidate for eviction, because its BO was moved
 * to the end of the LRU.
 */

/* For memory that is not necessary: the kernel reclaims little, and kills no process. */
#define DRM_SVM_RAM_GFP_EASY \
	(GFP_HIGHUSER_MOVABLE | __GFP_NOWARN | __GFP_NORETRY)

/* @vma is NULL for eviction, which does not know who maps the page. */
static struct folio *drm_svm_ram_alloc(struct vm_area_struct *vma, unsigned long addr,
				       unsigned int order, gfp_t gfp)
{
	if (vma)
		return vma_alloc_folio(gfp, order, vma, addr);
	return folio_alloc(gfp, order);
}

/**
 * drm_svm_ram_reserve() - allocate RAM that a device folio is to migrate to
 * @m: the migration that will move it; reservations are made in the order of VRAM
 * @src: number of the first page of the device folio
 * @vma: its mapping, whose memory policy says where in RAM
 * @addr: its address
 * @order: its order
 *
 * Context: process context, mmap_lock of the mapping held.
 * Return: whether there is memory. Without a reservation the folio can still
 * migrate, to any RAM.
 */
bool drm_svm_ram_reserve(struct drm_svm_migration *m, unsigned long src,
			 struct vm_area_struct *vma, unsigned long addr,
			 unsigned int order)
{
	struct folio *folio;

	mmap_assert_locked(vma->vm_mm);
	folio = drm_svm_ram_alloc(vma, addr, order, DRM_SVM_RAM_GFP_EASY);
	if (!folio)
		return false;
	folio->index = src;
	list_add_tail(&folio->lru, &m->reserved);
	return true;
}

/* Free the reservations that were not used. */
void drm_svm_ram_unreserve(struct drm_svm_migration *m)
{
	struct folio *folio, *next;

	list_for_each_entry_safe(folio, next, &m->reserved, lru) {
		list_del(&folio->lru);
		folio_put(folio);
	}
}

/*
 * Take the RAM that was reserved for device page @src, if any. Both come in the
 * order of VRAM, so what is before it in the list is not needed any more.
 */
static struct folio *drm_svm_ram_take_reserved(struct drm_svm_migration *m,
					       const struct page *src)
{
	struct folio *folio, *next;

	list_for_each_entry_safe(folio, next, &m->reserved, lru) {
		unsigned long pfn = folio->index;

		if (pfn > page_to_pfn(src))
			break;
		list_del(&folio->lru);
		if (pfn == page_to_pfn(src))
			return folio;
		folio_put(folio);
	}
	return NULL;
}

/* Allocate a destination page or folio for entry @i, and add its copy. */
static bool drm_svm_ram_add(struct drm_svm_migration *m, unsigned int i,
			    struct page *src, unsigned long addr,
			    unsigned int order)
{
	struct folio *dst = drm_svm_ram_take_reserved(m, src);

	if (!dst)
		dst = drm_svm_ram_alloc(m->args.vma, addr, order,
					order ? DRM_SVM_RAM_GFP_EASY : GFP_HIGHUSER_MOVABLE);
	if (!dst)
		return false;
	folio_lock(dst);
	if (drm_svm_migration_add_copy(m, i, folio_page(dst, 0), src, 1U << order,
				       DRM_SVM_TO_RAM)) {
		folio_unlock(dst);
		folio_put(dst);
		return false;
	}
	m->dst[i] = migrate_pfn(folio_pfn(dst));
	if (order)
		m->dst[i] |= MIGRATE_PFN_COMPOUND;
	return true;
}

/*
 * Return whether a page may migrate: it is in @m's VRAM, has its data, and its
 * BO has its place.
 */
static bool drm_svm_ram_may_move(struct drm_svm_migration *m, struct page *src)
{
	struct folio *folio = page_folio(src);

	return drm_svm_page_vram(src) == m->vram &&
	       !drm_svm_folio_is_poisoned(folio) && !drm_svm_folio_is_stale(folio) &&
	       !drm_svm_bo_has_lost_place(drm_svm_folio_bo(folio));
}

/* Find a destination for entry @i. */
static void drm_svm_ram_entry(struct drm_svm_migration *m, unsigned int i)
{
	unsigned long addr = m->args.start + ((unsigned long)i << PAGE_SHIFT);
	unsigned int npages = drm_svm_migration_stride(m, i);
	struct page *src = migrate_pfn_to_page(m->src[i]);
	bool bad;

	if (!src || !(m->src[i] & MIGRATE_PFN_MIGRATE))
		return;
	if (!drm_svm_ram_may_move(m, src)) {
		m->src[i] &= ~MIGRATE_PFN_MIGRATE;
		return;
	}
	bad = drm_svm_vram_has_bad(m->vram, drm_svm_page_offset(src), npages);
	if (bad ? npages == 1 : drm_svm_ram_add(m, i, src, addr, ilog2(npages)))
		return;
	if (npages > 1) {
		m->split = true;
		m->split_index = drm_svm_page_offset(src) >> PAGE_SHIFT;
	}
}

/*
 * Pages of one context whose addresses follow each other: [@start, @end), of
 * which @pages moved. They become one record of its events. @stats: of the
 * context; NULL if there are none yet.
 */
struct drm_svm_ram_row {
	struct drm_svm_stats *stats;
	u64 start;
	u64 end;
	u64 pages;
};

/* Report the pages of the row, and begin a new one. @err: that of the copy. */
static void drm_svm_ram_end_row(struct drm_svm_migration *m,
				struct drm_svm_ram_row *row, int err)
{
	bool all = row->pages << PAGE_SHIFT == row->end - row->start;

	if (row->stats)
		drm_svm_event_add(row->stats, m->begun, &(struct drm_svm_event) {
			.type = DRM_SVM_EVENT_MIGRATE,
			.cause = m->cause,
			.start = row->start,
			.size = row->end - row->start,
			.pages = row->pages,
			.from = DRM_SVM_LOCATION_VRAM,
			.to = DRM_SVM_LOCATION_SYSTEM,
			.err = err ?: (all ? 0 : -EBUSY),
		});
	*row = (struct drm_svm_ram_row) { };
}

/*
 * A folio, whose first page is @src, has moved, or has stayed although it was to
 * move. It is locked, and has its BO.
 */
static void drm_svm_ram_add_to_row(struct drm_svm_migration *m,
				   struct drm_svm_ram_row *row, struct page *src,
				   bool has_moved, int err)
{
	struct drm_svm_bo *bo = drm_svm_folio_bo(page_folio(src));
	long nr = folio_nr_pages(page_folio(src));
	u64 addr;

	if (!m->cause || !drm_svm_event_is_wanted(bo->stats))
		return;
	addr = drm_svm_bo_page_addr(bo, src);
	if (row->stats != bo->stats || row->end != addr) {
		drm_svm_ram_end_row(m, row, err);
		row->stats = bo->stats;
		row->start = addr;
		row->end = addr;
	}
	row->end += (u64)nr << PAGE_SHIFT;
	row->pages += has_moved ? nr : 0;
}

/*
 * Entry @i was committed, or not. Its source is still locked, and has its BO. A
 * page that moved is marked stale, because others may still hold it and it must
 * not be copied again. A bad page will never move, so it is poisoned. @err: that
 * of the transfer.
 */
static void drm_svm_ram_settle(struct drm_svm_migration *m, unsigned int i, int err,
			       struct drm_svm_moved *moved,
			       struct drm_svm_ram_row *row)
{
	struct page *src = migrate_pfn_to_page(m->src[i]);
	struct folio *folio;
	long nr;

	if (!src)
		return;
	folio = page_folio(src);
	nr = folio_nr_pages(folio);
	/* the flag is left for what moved, which has a BO */
	if (m->src[i] & MIGRATE_PFN_MIGRATE) {
		drm_svm_stats_add(drm_svm_folio_bo(folio)->stats,
				  DRM_SVM_STAT_VRAM_OUT, nr);
		drm_svm_ram_add_to_row(m, row, src, true, err);
		drm_svm_folio_mark_stale(folio);
		moved->moved += nr;
	} else if (!drm_svm_ram_may_move(m, src)) {
		return;
	} else if (nr == 1 && drm_svm_vram_has_bad(m->vram,
						   drm_svm_page_offset(src), 1)) {
		drm_svm_folio_poison(folio);
		moved->failed++;
	} else {
		moved->busy += nr;
		drm_svm_ram_add_to_row(m, row, src, false, err);
	}
}

/* Allocate destinations and copy; on failure no entry has a destination. */
static int drm_svm_ram_transfer(struct drm_svm_migration *m)
{
	struct folio *huge = drm_svm_quirk_guard_huge(m);
	unsigned int i;
	int err;

	for (i = 0; i < m->npages; i += drm_svm_migration_stride(m, i))
		drm_svm_ram_entry(m, i);
	drm_svm_migration_start(m);
	err = drm_svm_migration_wait(m);
	drm_svm_quirk_unguard_huge(huge);
	return err;
}

/* Return whether the page that was touched could move, but found no memory. */
static bool drm_svm_ram_is_stuck(struct drm_svm_migration *m,
				 struct vm_fault *vmf)
{
	unsigned int i = (vmf->address - m->args.start) >> PAGE_SHIFT;
	struct page *page;

	/* a huge page is the only entry, and is split if it cannot move */
	if (m->src[0] & MIGRATE_PFN_COMPOUND)
		return false;
	page = migrate_pfn_to_page(m->src[i]);
	return page && m->src[i] & MIGRATE_PFN_MIGRATE && !m->dst[i] &&
	       !drm_svm_vram_has_bad(m->vram, drm_svm_page_offset(page), 1);
}

/*
 * Commit the entries that have a destination; the other pages stay. @err is
 * that of the transfer, for the trace and the events.
 */
static void drm_svm_ram_finish(struct drm_svm_migration *m, int err,
			       struct drm_svm_moved *moved)
{
	struct drm_svm_ram_row row = { };
	struct folio *huge;
	unsigned int i;

	if (m->args.vma)
		migrate_vma_pages(&m->args);
	else
		migrate_device_pages(m->src, m->dst, m->npages);
	huge = drm_svm_quirk_guard_huge(m);
	for (i = 0; i < m->npages; i += drm_svm_migration_stride(m, i))
		drm_svm_ram_settle(m, i, err, moved, &row);
	/* while the pages are locked, and keep their BOs */
	drm_svm_ram_end_row(m, &row, err);
	if (m->args.vma)
		migrate_vma_finalize(&m->args);
	else
		migrate_device_finalize(m->src, m->dst, m->npages);
	drm_svm_quirk_unguard_huge(huge);
	/* device pages have no address; their eviction is traced as such */
	if (m->args.vma)
		trace_drm_svm_to_ram(m->args.start, m->args.end, moved->moved, err);
}

/**
 * drm_svm_ram_run() - migrate collected pages to RAM
 * @m: the migration: pages of a mapping, or device pages
 * @moved: the counts of what became of them are added here
 *
 * Return: 0, or the error of a copy: then all have stayed.
 */
int drm_svm_ram_run(struct drm_svm_migration *m, struct drm_svm_moved *moved)
{
	int err = drm_svm_ram_transfer(m);

	drm_svm_ram_finish(m, err, moved);
	return err;
}

/**
 * drm_svm_ram_prepare() - choose which pages of a mapping to collect
 * @m: memory for the migration
 * @vram: whose pages
 * @vma: the mapping, with mmap_lock held
 * @start: first address, within @vma and one range
 * @end: address past the last one
 * @fault_page: a page that the caller has locked and has a reference to, or
 *	NULL
 */
void drm_svm_ram_prepare(struct drm_svm_migration *m, struct drm_svm_vram *vram,
			 struct vm_area_struct *vma, unsigned long start,
			 unsigned long end, struct page *fault_page)
{
	mmap_assert_locked(vma->vm_mm);
	drm_svm_migration_reset(m, vram);
	m->args.vma = vma;
	m->args.start = start;
	m->args.end = end;
	m->args.fault_page = fault_page;
	m->args.pgmap_owner = (void *)&drm_svm_pagemap_owner;
	m->args.flags = MIGRATE_VMA_SELECT_DEVICE_PRIVATE |
			MIGRATE_VMA_SELECT_COMPOUND;
}

/**
 * drm_svm_ram_collect() - collect pages of a mapping that are in VRAM
 * @m: the migration, prepared
 *
 * Return: 0 when there are any, for drm_svm_ram_run(); -ENOENT when there are
 * none; another error.
 */
int drm_svm_ram_collect(struct drm_svm_migration *m)
{
	int err = migrate_vma_setup(&m->args);

	if (err)
		return err;
	m->npages = m->args.npages;
	return m->args.cpages ? 0 : -ENOENT;
}

/**
 * drm_svm_migrate_vma_to_ram() - migrate pages of a mapping to RAM, for a prefetch
 * @m: memory for the migration
 * @vram: whose pages
 * @vma: the mapping, with mmap_lock held
 * @start: first address, within @vma and one range
 * @end: address past the last one
 * @moved: the counts of what became of them are added here; a failure as well
 *
 * Return: whether some pages moved.
 */
bool drm_svm_migrate_vma_to_ram(struct drm_svm_migration *m,
				struct drm_svm_vram *vram, struct vm_area_struct *vma,
				unsigned long start, unsigned long end,
				struct drm_svm_moved *moved)
{
	struct drm_svm_moved now = { 0 };
	struct drm_svm_bo *bo = NULL;
	int err;

	drm_svm_ram_prepare(m, vram, vma, start, end, NULL);
	m->cause = DRM_SVM_CAUSE_PREFETCH;
	if (drm_svm_ram_collect(m))
		return false;
	err = drm_svm_ram_run(m, &now);
	/* a huge page stayed: have its BO evicted, in small pages */
	if (m->split)
		bo = drm_svm_vram_get_bo(m->vram, m->split_index);
	if (bo) {
		drm_svm_bo_evict_later(bo);
		drm_svm_bo_put(bo);
	}
	moved->moved += now.moved;
	moved->failed += now.failed + (err ? now.busy : 0);
	return now.moved;
}

static vm_fault_t drm_svm_ram_fault(struct drm_svm_migration *m,
				    struct vm_fault *vmf, unsigned long start,
				    unsigned long end)
{
	struct drm_svm_moved moved = { 0 };
	bool stuck;
	int err;

	drm_svm_ram_prepare(m, drm_svm_page_vram(vmf->page), vmf->vma, start, end,
			    vmf->page);
	m->cause = DRM_SVM_CAUSE_CPU_FAULT;
	err = drm_svm_ram_collect(m);
	if (err)
		return err == -ENOENT ? 0 : VM_FAULT_SIGBUS;
	err = drm_svm_ram_transfer(m);
	stuck = !err && drm_svm_ram_is_stuck(m, vmf);
	drm_svm_ram_finish(m, err, &moved);
	if (err)
		return VM_FAULT_SIGBUS;
	return stuck ? VM_FAULT_OOM : 0;
}

/*
 * Fault-around window. A PTE-mapped huge page is migrated alone: collecting it
 * splits the folio and passes its lock on; the refault then finds a small page.
 */
static void drm_svm_ram_window(struct vm_fault *vmf, struct drm_svm_bo *bo,
			       unsigned long *start, unsigned long *end)
{
	bool huge = folio_test_large(page_folio(vmf->page));

	*start = vmf->address & PAGE_MASK;
	*end = *start + PAGE_SIZE;
	if (huge && vmf->pte)
		return;
	drm_svm_policy_cpu_window(vmf->address, huge, drm_svm_bo_unused(bo), start, end);
	*start = max(*start, vmf->vma->vm_start);
	*end = min(*end, vmf->vma->vm_end);
}

/*
 * The page waits to be split. A fault of the kernel's own does not wait, and is
 * tried again and again; signals are checked in between.
 */
static void drm_svm_ram_wait(struct vm_fault *vmf, struct drm_svm_bo *bo)
{
	if (vmf->flags & FAULT_FLAG_USER)
		drm_svm_bo_wait_evicted(bo);
}

/*
 * The page has no data any more: unmap the VRAM of the range from all GPUs, so
 * that none goes on with what is in its place.
 */
static vm_fault_t drm_svm_ram_poisoned(struct vm_fault *vmf)
{
	struct drm_svm_range *range = drm_svm_space_lookup_range(vmf->vma->vm_mm,
								 vmf->address);

	if (range) {
		drm_svm_range_unmap_vram(range, range->start,
					 range->start + DRM_SVM_RANGE_SIZE);
		drm_svm_range_put(range);
	}
	return VM_FAULT_HWPOISON;
}

/**
 * drm_svm_migrate_to_ram() - migrate a page that the CPU touched to RAM
 * @vmf: the fault; the page is locked and referenced by the caller
 *
 * When the copy of the neighbours fails, the page is tried alone.
 *
 * Return: 0 when the page is in RAM, or was not to be moved for the moment, or
 * waits to be split, so that the fault is tried again; VM_FAULT_OOM;
 * VM_FAULT_SIGBUS when the data could not be copied; VM_FAULT_HWPOISON when
 * there is no data any more.
 */
vm_fault_t drm_svm_migrate_to_ram(struct vm_fault *vmf)
{
	struct drm_svm_bo *bo = drm_svm_folio_bo(page_folio(vmf->page));
	unsigned long start, end, addr = vmf->address & PAGE_MASK;
	struct drm_svm_migration *m;
	vm_fault_t ret;

	if (drm_svm_folio_check_place(page_folio(vmf->page)))
		return drm_svm_ram_poisoned(vmf);
	if (!bo)
		return VM_FAULT_HWPOISON;
	/* the work item that splits it needs its lock, so return at once */
	if (drm_svm_bo_is_queued(bo)) {
		drm_svm_ram_wait(vmf, bo);
		return 0;
	}
	drm_svm_stats_add(bo->stats, DRM_SVM_STAT_VRAM_CPU_FAULTS, 1);
	drm_svm_ram_window(vmf, bo, &start, &end);
	m = drm_svm_migration_alloc((end - start) >> PAGE_SHIFT, GFP_KERNEL);
	if (!m)
		return VM_FAULT_OOM;
	ret = drm_svm_ram_fault(m, vmf, start, end);
	if (ret == VM_FAULT_SIGBUS && end - start > PAGE_SIZE &&
	    !folio_test_large(page_folio(vmf->page)))
		ret = drm_svm_ram_fault(m, vmf, addr, addr + PAGE_SIZE);
	if (m->split) {
		drm_svm_bo_evict_later(bo);
		drm_svm_ram_wait(vmf, bo);
	}
	drm_svm_migration_free(m);
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_migrate_to_ram);
