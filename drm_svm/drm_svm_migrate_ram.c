// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/memremap.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "drm_svm_internal.h"
#include "drm_svm_trace.h"

/**
 * DOC: To RAM
 *
 * A CPU that touches a page in VRAM comes here with mmap_lock and the lock of
 * the page, so no lock of the driver or of a BO may be taken: what is needed to
 * know is in the device page. A slice around the fault comes home.
 *
 * Eviction comes from TTM with the dma_resv of a BO, and without mm, VMA or
 * address: the pages may belong to a child of the process that filled the BO,
 * or be elsewhere in its address space by now.
 */

/* Pages that come home with the one that was touched. */
#define DRM_SVM_FAULT_AROUND	(SZ_64K >> PAGE_SHIFT)

/* Tries of an eviction against folios that are locked for a moment. */
#define DRM_SVM_EVICT_TRIES	3

static struct folio *drm_svm_ram_alloc(struct vm_area_struct *vma,
				       unsigned long addr, unsigned int order)
{
	gfp_t gfp = GFP_HIGHUSER_MOVABLE;

	if (order)
		gfp |= __GFP_NOWARN | __GFP_NORETRY;
	if (vma)
		return vma_alloc_folio(gfp, order, vma, addr);
	return folio_alloc(gfp, order);
}

/* One destination page or folio for entry @i, and its copy. */
static bool drm_svm_home_one(struct drm_svm_migration *m, unsigned int i,
			     struct page *src, struct vm_area_struct *vma,
			     unsigned long addr, unsigned int order)
{
	struct folio *dst = drm_svm_ram_alloc(vma, addr, order);

	if (!dst)
		return false;
	folio_lock(dst);
	if (drm_svm_migration_add_copy(m, i, folio_page(dst, 0), src, 1U << order,
				       false)) {
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
 * Destination of entry @i. A huge page for which there is no huge page in RAM
 * is split on the way, which needs a VMA.
 */
static void drm_svm_home_entry(struct drm_svm_migration *m, unsigned int i,
			       struct vm_area_struct *vma, unsigned long addr)
{
	unsigned int j, npages = drm_svm_migration_stride(m, i);
	struct page *src = migrate_pfn_to_page(m->src[i]);

	if (!src || !(m->src[i] & MIGRATE_PFN_MIGRATE))
		return;
	/* its data left in an earlier try; somebody still holds it */
	if (drm_svm_folio_is_retired(page_folio(src))) {
		m->src[i] &= ~MIGRATE_PFN_MIGRATE;
		return;
	}
	if (drm_svm_home_one(m, i, src, vma, addr, ilog2(npages)))
		return;
	for (j = 0; npages > 1 && vma && j < npages; j++)
		drm_svm_home_one(m, i + j, src + j, vma,
				 addr + ((unsigned long)j << PAGE_SHIFT), 0);
}

/* Allocate, copy; on failure no entry has a destination. */
static int drm_svm_home_transfer(struct drm_svm_migration *m,
				 struct vm_area_struct *vma, unsigned long start)
{
	unsigned int i;
	int err;

	for (i = 0; i < m->npages; i += drm_svm_migration_stride(m, i))
		drm_svm_home_entry(m, i, vma,
				   start + ((unsigned long)i << PAGE_SHIFT));
	err = drm_svm_migration_transfer(m);
	drm_svm_migration_unmap_dma(m);
	if (err)
		drm_svm_migration_drop_dst(m);
	return err;
}

/* What moved is not to be copied again, whoever still holds the old page. */
static void drm_svm_home_retire(struct drm_svm_migration *m)
{
	unsigned int i;

	for (i = 0; i < m->npages; i++) {
		struct page *src = migrate_pfn_to_page(m->src[i]);

		if (src && m->src[i] & MIGRATE_PFN_MIGRATE &&
		    is_device_private_page(src))
			drm_svm_folio_retire(page_folio(src));
	}
}

static void drm_svm_home_window(struct vm_fault *vmf, unsigned long *start,
				unsigned long *end)
{
	unsigned long size = DRM_SVM_FAULT_AROUND << PAGE_SHIFT;

	if (folio_test_large(page_folio(vmf->page)))
		size = DRM_SVM_RANGE_SIZE;
	*start = max(round_down(vmf->address, size), vmf->vma->vm_start);
	*end = min(round_down(vmf->address, size) + size, vmf->vma->vm_end);
}

/* The page that was touched could move, but found no memory. */
static bool drm_svm_home_is_stuck(struct drm_svm_migration *m,
				  struct vm_fault *vmf, unsigned long start)
{
	unsigned int i = (vmf->address - start) >> PAGE_SHIFT;

	if (m->src[0] & MIGRATE_PFN_COMPOUND)
		i = 0;
	return m->src[i] & MIGRATE_PFN_MIGRATE && !m->dst[i];
}

/**
 * drm_svm_migrate_to_ram() - the CPU touched a page that is in VRAM
 * @vmf: the fault; the page is locked and referenced by the caller
 *
 * Return: 0 when the page is in RAM, or was not to be moved for the moment, so
 * that the fault is tried again; VM_FAULT_OOM; VM_FAULT_SIGBUS when the data
 * could not be copied.
 */
vm_fault_t drm_svm_migrate_to_ram(struct vm_fault *vmf)
{
	struct drm_svm_vram *vram = drm_svm_page_vram(vmf->page);
	struct migrate_vma args = {
		.vma = vmf->vma,
		.pgmap_owner = vram->pagemap.owner,
		.flags = MIGRATE_VMA_SELECT_DEVICE_PRIVATE |
			 MIGRATE_VMA_SELECT_COMPOUND,
		.fault_page = vmf->page,
	};
	struct drm_svm_migration *m;
	vm_fault_t ret = 0;

	drm_svm_home_window(vmf, &args.start, &args.end);
	m = drm_svm_migration_alloc(vram, (args.end - args.start) >> PAGE_SHIFT);
	if (!m)
		return VM_FAULT_OOM;
	args.src = m->src;
	args.dst = m->dst;
	if (migrate_vma_setup(&args)) {
		ret = VM_FAULT_SIGBUS;
	} else if (args.cpages) {
		m->npages = args.npages;
		if (drm_svm_home_transfer(m, vmf->vma, args.start))
			ret = VM_FAULT_SIGBUS;
		else if (drm_svm_home_is_stuck(m, vmf, args.start))
			ret = VM_FAULT_OOM;
		migrate_vma_pages(&args);
		drm_svm_home_retire(m);
		migrate_vma_finalize(&args);
	}
	drm_svm_migration_free(m);
	return ret;
}

/*
 * The device pages of a BO that are in use. The others are left out, for they may
 * still look like the huge page that they were part of when they were freed.
 */
static unsigned int drm_svm_evict_collect(struct drm_svm_bo *bo,
					  struct drm_svm_migration *m)
{
	struct page *page = drm_svm_vram_page(bo->vram, drm_svm_bo_offset(bo));
	unsigned int i, nr, n = 0;

	for (i = 0; i < m->max; i += nr, page += nr) {
		nr = 1;
		if (!page_ref_count(page))
			continue;
		nr = min_t(unsigned int, folio_nr_pages(page_folio(page)),
			   m->max - i);
		for (unsigned int tail = 0; tail < nr; tail++)
			m->src[n++] = page_to_pfn(page) + tail;
	}
	return n;
}

/* One try to bring the pages of a BO home. */
static int drm_svm_evict_try(struct drm_svm_bo *bo, struct drm_svm_migration *m)
{
	int err;

	m->nsegs = 0;
	m->npages = drm_svm_evict_collect(bo, m);
	if (!m->npages)
		return 0;
	memset(m->dst, 0, m->npages * sizeof(*m->dst));
	err = migrate_device_pfns(m->src, m->npages);
	if (err)
		return err;
	err = drm_svm_home_transfer(m, NULL, 0);
	migrate_device_pages(m->src, m->dst, m->npages);
	drm_svm_home_retire(m);
	migrate_device_finalize(m->src, m->dst, m->npages);
	return err;
}

/**
 * drm_svm_migrate_evict() - bring all pages of a BO home
 * @bo: the BO, locked and in VRAM
 *
 * Needs no mm: works when the process that filled the BO is gone.
 *
 * Return: 0 when no page is left; -EBUSY when one is, -ENOMEM. What moved has
 * moved.
 */
int drm_svm_migrate_evict(struct drm_svm_bo *bo)
{
	struct drm_svm_migration *m;
	unsigned int try;
	int err = 0;

	m = drm_svm_migration_alloc(bo->vram, bo->tbo.base.size >> PAGE_SHIFT);
	if (!m)
		return -EBUSY;
	for (try = 0; try < DRM_SVM_EVICT_TRIES && !err; try++) {
		if (!atomic_long_read(&bo->live))
			break;
		err = drm_svm_evict_try(bo, m);
		cond_resched();
	}
	drm_svm_migration_free(m);
	return atomic_long_read(&bo->live) ? -EBUSY : 0;
}
