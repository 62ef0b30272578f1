// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/dma-fence.h>
#include <linux/dma-mapping.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "drm_svm_internal.h"

/**
 * DOC: Migration
 *
 * Three ways share the stages of this file: to VRAM for a GPU fault, to RAM for
 * a CPU fault, to RAM for an eviction. Each collects source pages, which takes
 * them out of all page tables and locks them; allocates destinations; adds what
 * to copy and to clear; transfers; commits with migrate_vma_pages() or
 * migrate_device_pages(); and finishes, which puts either the new pages or the
 * old ones back into the page tables.
 *
 * A destination is handed over only when it was written completely. When the
 * transfer fails, none is: the old pages stay.
 */

/**
 * drm_svm_migration_alloc() - memory for one migration
 * @vram: the VRAM on one side
 * @max: most pages
 *
 * Return: the migration, empty, or NULL.
 */
struct drm_svm_migration *drm_svm_migration_alloc(struct drm_svm_vram *vram,
						  unsigned int max)
{
	struct drm_svm_migration *m;
	void *p;

	m = kvzalloc(sizeof(*m) + max * (2 * sizeof(*m->src) + sizeof(*m->dma) +
					 sizeof(*m->segs) + sizeof(*m->clears)),
		     GFP_KERNEL);
	if (!m)
		return NULL;
	m->vram = vram;
	m->max = max;
	p = m + 1;
	m->segs = p;
	p += max * sizeof(*m->segs);
	m->clears = p;
	p += max * sizeof(*m->clears);
	m->dma = p;
	p += max * sizeof(*m->dma);
	m->src = p;
	m->dst = m->src + max;
	return m;
}

void drm_svm_migration_free(struct drm_svm_migration *m)
{
	kvfree(m);
}

/* Pages that entry @i of the source stands for: a huge one has one entry. */
unsigned int drm_svm_migration_stride(struct drm_svm_migration *m,
				      unsigned int i)
{
	if (m->src[i] & MIGRATE_PFN_COMPOUND)
		return min(HPAGE_PMD_NR, m->npages - i);
	return 1;
}

static void drm_svm_migration_add_seg(struct drm_svm_migration *m,
				      const struct drm_svm_copy *seg)
{
	struct drm_svm_copy *last = m->nsegs ? &m->segs[m->nsegs - 1] : NULL;

	if (last && last->src_location == seg->src_location &&
	    last->src + ((u64)last->npages << PAGE_SHIFT) == seg->src &&
	    last->dst + ((u64)last->npages << PAGE_SHIFT) == seg->dst)
		last->npages += seg->npages;
	else
		m->segs[m->nsegs++] = *seg;
}

#define DRM_SVM_COPY_ATTRS	DMA_ATTR_REQUIRE_COHERENT

/**
 * drm_svm_migration_add_copy() - copy pages between RAM and VRAM
 * @m: the migration
 * @i: entry; its DMA mapping is undone by drm_svm_migration_unmap_dma()
 * @ram: first page of RAM
 * @vram_page: first device page
 * @npages: pages, of one folio on either side
 * @to_vram: direction
 *
 * Return: 0 or -ENOMEM.
 */
int drm_svm_migration_add_copy(struct drm_svm_migration *m, unsigned int i,
			       struct page *ram, struct page *vram_page,
			       unsigned int npages, bool to_vram)
{
	struct device *dev = m->vram->sdev->dma_dev;
	u64 offset = drm_svm_page_offset(vram_page);
	struct drm_svm_copy seg = { .npages = npages };
	dma_addr_t addr;

	addr = dma_map_phys(dev, page_to_phys(ram), (size_t)npages << PAGE_SHIFT,
			    DMA_BIDIRECTIONAL, DRM_SVM_COPY_ATTRS);
	if (dma_mapping_error(dev, addr))
		return -ENOMEM;
	/* so that no address is zero, and the size is known: page bits */
	m->dma[i] = addr | npages;
	seg.src = to_vram ? addr : offset;
	seg.dst = to_vram ? offset : addr;
	seg.src_location = to_vram ? DRM_SVM_LOCATION_SYSTEM :
				     DRM_SVM_LOCATION_VRAM;
	seg.dst_location = to_vram ? DRM_SVM_LOCATION_VRAM :
				     DRM_SVM_LOCATION_SYSTEM;
	drm_svm_migration_add_seg(m, &seg);
	return 0;
}

/**
 * drm_svm_migration_add_clear() - VRAM for pages that nobody has touched
 * @m: the migration
 * @vram_page: first device page
 * @npages: pages
 */
void drm_svm_migration_add_clear(struct drm_svm_migration *m,
				 struct page *vram_page, unsigned int npages)
{
	u64 offset = drm_svm_page_offset(vram_page);
	struct drm_svm_run *last = m->nclears ? &m->clears[m->nclears - 1] : NULL;

	if (last && last->addr + ((u64)last->npages << PAGE_SHIFT) == offset) {
		last->npages += npages;
		return;
	}
	m->clears[m->nclears++] = (struct drm_svm_run) {
		.addr = offset,
		.npages = npages,
		.location = DRM_SVM_LOCATION_VRAM,
	};
}

static int drm_svm_migration_wait(struct dma_fence *fence)
{
	int err;

	if (IS_ERR(fence))
		return PTR_ERR(fence);
	dma_fence_wait(fence, false);
	err = dma_fence_get_status(fence);
	dma_fence_put(fence);
	return err < 0 ? err : 0;
}

/**
 * drm_svm_migration_transfer() - copy and clear, and wait for it
 * @m: the migration
 *
 * Return: 0, or an error: then nothing that was to be written may be shown to
 * anybody.
 */
int drm_svm_migration_transfer(struct drm_svm_migration *m)
{
	const struct drm_svm_vram_ops *ops = m->vram->ops;
	struct dma_fence *copy = NULL, *clear = NULL;
	int err = 0, err_clear = 0;

	if (m->nsegs)
		copy = ops->copy(m->vram, m->segs, m->nsegs);
	if (m->nclears)
		clear = ops->clear(m->vram, m->clears, m->nclears);
	if (copy)
		err = drm_svm_migration_wait(copy);
	if (clear)
		err_clear = drm_svm_migration_wait(clear);
	return err ?: err_clear;
}

/**
 * drm_svm_migration_unmap_dma() - give DMA addresses back
 * @m: the migration, its transfer over
 */
void drm_svm_migration_unmap_dma(struct drm_svm_migration *m)
{
	struct device *dev = m->vram->sdev->dma_dev;
	unsigned int i;

	for (i = 0; i < m->npages; i++) {
		dma_addr_t addr = m->dma[i] & PAGE_MASK;
		size_t npages = m->dma[i] & ~PAGE_MASK;

		if (!npages)
			continue;
		dma_unmap_phys(dev, addr, npages << PAGE_SHIFT,
			       DMA_BIDIRECTIONAL, DRM_SVM_COPY_ATTRS);
		m->dma[i] = 0;
	}
}

/**
 * drm_svm_migration_drop_dst() - the transfer failed: no destination may be used
 * @m: the migration, not committed
 */
void drm_svm_migration_drop_dst(struct drm_svm_migration *m)
{
	unsigned int i;

	for (i = 0; i < m->npages; i++) {
		struct page *dst = migrate_pfn_to_page(m->dst[i]);

		if (!dst)
			continue;
		unlock_page(dst);
		put_page(dst);
		m->dst[i] = 0;
	}
}
