// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/mm.h>

#include "drm_svm_migrate.h"

/**
 * DOC: Bad VRAM
 *
 * A driver learns from its hardware that a page of VRAM has lost its data. No
 * migration writes to it any more. If a process has it, all that shares a BO with
 * it comes home, and the page itself is lost, see drm_svm_vram.c: GPUs lose their
 * mappings, and who touches it, CPU or GPU, is told. As soon as nobody has it, a
 * BO of one page keeps everybody else from getting it.
 */

/**
 * drm_svm_vram_keep_bad() - take bad pages that nobody has out of use
 * @vram: the VRAM
 *
 * What is still in use is left for the next time: when a BO goes.
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
		/* replaces an entry: needs no memory; another one may have been faster */
		if (xa_cmpxchg(&vram->bad, index, entry, bo, GFP_KERNEL) != entry)
			drm_svm_bo_destroy_at(bo);
	}
}

/* VRAM goes: the BOs of bad pages are not needed any more. */
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
 * drm_svm_vram_mark_bad() - a page of VRAM has lost its data
 * @vram: the VRAM
 * @offset: of the page, in bytes
 *
 * Buffers of the driver that have the page are evicted, with what is left of their
 * content.
 *
 * Context: process context, no lock held that eviction takes.
 * Return: 0, -EINVAL for an offset past the end, -ENOMEM, or -EBUSY when somebody has
 * the page still, or the VRAM is suspended. No process gets it any more, and it is
 * taken out of use when a BO of the library goes, or on resume; so may be called again.
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
	/* either who fills the page sees that it is bad, or we see it in use */
	smp_mb();

	err = 0;
	bo = drm_svm_vram_get_bo(vram, index);
	if (bo) {
		dma_resv_lock(bo->tbo.base.resv, NULL);
		err = drm_svm_bo_evict(bo, true);
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
