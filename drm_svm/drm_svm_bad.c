// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/mm.h>

#include "drm_svm_migrate.h"

/**
 * DOC: Bad VRAM
 *
 * A driver learns from its hardware that a page of VRAM has lost its data. No
 * migration writes to that page any more. If a process has it, all pages of its
 * BO migrate to RAM, and the page itself is poisoned, see drm_svm_folio.c: GPUs
 * lose their mappings of it, and accesses by CPU or GPU fail. As soon as no
 * process has the page, a BO of one page keeps it out of use.
 */

/**
 * drm_svm_vram_keep_bad() - take bad pages that nobody has out of use
 * @vram: the VRAM
 *
 * Pages that are still in use are left for the next call: when a BO is freed.
 *
 * Context: process context, no lock held that eviction takes.
 */
void drm_svm_vram_keep_bad(struct drm_svm_vram *vram)
{
	unsigned long index;
	void *entry;

	xa_for_each(&vram->bad, index, entry) {
		struct drm_svm_bo *bo;

		if (!xa_is_value(entry) || READ_ONCE(vram->closed))
			continue;
		bo = drm_svm_bo_create_at(vram, index);
		if (IS_ERR(bo))
			continue;
		/*
		 * replaces an entry: needs no memory; another task may have
		 * been faster
		 */
		if (xa_cmpxchg(&vram->bad, index, entry, bo, GFP_KERNEL) != entry)
			drm_svm_bo_destroy_at(bo);
	}
}

/**
 * drm_svm_vram_count_loose_bad() - count bad pages that no BO keeps out of use
 * @vram: the VRAM
 *
 * Such a page is in use by a buffer, or is about to be taken out of use. TTM
 * may call it free.
 *
 * Return: the number of pages.
 */
unsigned long drm_svm_vram_count_loose_bad(struct drm_svm_vram *vram)
{
	unsigned long index, n = 0;
	void *entry;

	xa_for_each(&vram->bad, index, entry)
		n += xa_is_value(entry);
	return n;
}

/* VRAM goes for good: the BOs of bad pages are not needed any more. */
void drm_svm_vram_drop_bad(struct drm_svm_vram *vram)
{
	unsigned long index;
	void *entry;

	xa_for_each(&vram->bad, index, entry) {
		if (xa_is_value(entry))
			continue;
		xa_store(&vram->bad, index, xa_mk_value(0), GFP_KERNEL);
		drm_svm_bo_destroy_at(entry);
	}
}

/**
 * drm_svm_vram_mark_bad() - note that a page of VRAM has lost its data
 * @vram: the VRAM
 * @offset: of the page, in bytes
 *
 * Buffers of the driver that have the page are evicted, with what is left of
 * their content.
 *
 * Context: process context, no lock held that eviction takes.
 * Return: 0, -EINVAL for an offset past the end, -ENOMEM, or -EBUSY when the
 * page is still in use or the VRAM is suspended. No process gets the page any
 * more, and it is taken out of use when a BO of drm_svm is freed, or on resume;
 * so may be called again.
 */
int drm_svm_vram_mark_bad(struct drm_svm_vram *vram, u64 offset)
{
	unsigned long index = offset >> PAGE_SHIFT;
	struct drm_svm_bo *bo;
	int err;

	if (index >= vram->npages)
		return -EINVAL;
	err = xa_insert(&vram->bad, index, xa_mk_value(0), GFP_KERNEL);
	if (err && err != -EBUSY)
		return err;
	/*
	 * either a migration sees the bad page, or this sees it in use: pairs
	 * with the one in drm_svm_chunk_drop_bad()
	 */
	smp_mb();

	err = 0;
	bo = drm_svm_vram_get_bo(vram, index);
	if (bo) {
		dma_resv_lock(bo->tbo.base.resv, NULL);
		err = drm_svm_bo_evict(bo, DRM_SVM_CAUSE_BAD_PAGE);
		dma_resv_unlock(bo->tbo.base.resv);
		drm_svm_bo_put(bo);
		flush_work(&vram->free_work);
	}
	drm_svm_vram_keep_bad(vram);
	if (!err && xa_is_value(xa_load(&vram->bad, index)))
		err = -EBUSY;
	return err;
}
EXPORT_SYMBOL_GPL(drm_svm_vram_mark_bad);
