// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/dma-fence.h>
#include <linux/dma-mapping.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "drm_svm_migrate.h"

/**
 * DOC: Migration
 *
 * Three kinds of migration share the stages of this file: to VRAM for a GPU
 * fault or a prefetch, to RAM for a CPU fault or a prefetch, to RAM for an
 * eviction. Each one collects source pages, which takes them out of all page
 * tables and locks them; allocates destinations; adds what to copy and to
 * clear; starts that and waits for it; commits with migrate_vma_pages() or
 * migrate_device_pages(); and finalizes, which puts either the new pages or the
 * old ones back into the page tables.
 *
 * A destination is committed only when it was written completely. When the
 * transfer fails, none is: the old pages stay.
 */

/**
 * drm_svm_migration_alloc() - allocate memory for consecutive migrations
 * @max: most pages of one migration
 * @gfp: GFP_KERNEL_ACCOUNT for memory that is kept for the process; GFP_KERNEL
 *	for a single migration to RAM, which must not fail because the task that
 *	makes room or touches a page is at its limit
 *
 * Return: the migration, to be reset before its use, or NULL.
 */
struct drm_svm_migration *drm_svm_migration_alloc(unsigned int max, gfp_t gfp)
{
	/* in one BO, so runs that do not merge have a gap in between */
	unsigned int max_clears = max / 2 + 1;
	struct drm_svm_migration *m;
	void *p;

	/*
	 * Segments and runs, the largest part, are written before they are
	 * read, so they are not zeroed.
	 */
	m = kvmalloc(sizeof(*m) + max * (2 * sizeof(*m->src) + sizeof(*m->dma) +
					 sizeof(*m->segs)) +
		     max_clears * sizeof(*m->clears), gfp);
	if (!m)
		return NULL;
	memset(m, 0, sizeof(*m));
	m->max = max;
	INIT_LIST_HEAD(&m->reserved);
	p = m + 1;
	m->segs = p;
	p += max * sizeof(*m->segs);
	m->clears = p;
	p += max_clears * sizeof(*m->clears);
	m->dma = p;
	memset(p, 0, max * (sizeof(*m->dma) + 2 * sizeof(*m->src)));
	p += max * sizeof(*m->dma);
	m->src = p;
	m->dst = m->src + max;
	return m;
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_migration_alloc);

/**
 * drm_svm_migration_reset() - begin a new migration
 * @m: the migration; its last one is over
 * @vram: the VRAM on one side
 */
void drm_svm_migration_reset(struct drm_svm_migration *m,
			     struct drm_svm_vram *vram)
{
	m->vram = vram;
	m->npages = 0;
	m->nsegs = 0;
	m->nclears = 0;
	m->split = false;
	m->cause = DRM_SVM_CAUSE_NONE;
	m->begun = drm_svm_event_begin();
	m->args = (struct migrate_vma) { .src = m->src, .dst = m->dst };
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_migration_reset);

void drm_svm_migration_free(struct drm_svm_migration *m)
{
	kvfree(m);
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_migration_free);

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
 * drm_svm_migration_add_copy() - add pages to copy between RAM and VRAM
 * @m: the migration
 * @i: entry; drm_svm_migration_unmap_dma() unmaps it for DMA
 * @ram: first page of RAM
 * @vram_page: first device page
 * @npages: pages, of one folio on either side
 * @direction: which of them is written
 *
 * Return: 0 or -ENOMEM.
 */
int drm_svm_migration_add_copy(struct drm_svm_migration *m, unsigned int i,
			       struct page *ram, struct page *vram_page,
			       unsigned int npages,
			       enum drm_svm_direction direction)
{
	struct device *dev = m->vram->sdev->dma_dev;
	u64 offset = drm_svm_page_offset(vram_page);
	struct drm_svm_copy seg = { .npages = npages };
	bool to_vram = direction == DRM_SVM_TO_VRAM;
	dma_addr_t addr;

	addr = dma_map_phys(dev, page_to_phys(ram), (size_t)npages << PAGE_SHIFT,
			    DMA_BIDIRECTIONAL, DRM_SVM_COPY_ATTRS);
	if (dma_mapping_error(dev, addr))
		return -ENOMEM;
	/* the page bits have the size, so that no entry is zero */
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
EXPORT_SYMBOL_IF_KUNIT(drm_svm_migration_add_copy);

/**
 * drm_svm_migration_add_clear() - add VRAM to clear, for pages never touched
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
EXPORT_SYMBOL_IF_KUNIT(drm_svm_migration_add_clear);

/* A missing fence would count as a finished copy, and show data of others. */
static struct dma_fence *drm_svm_migration_begun(struct dma_fence *fence)
{
	return WARN_ON_ONCE(!fence) ? ERR_PTR(-EIO) : fence;
}

/**
 * drm_svm_migration_start() - start to copy and to clear
 * @m: the migration; drm_svm_migration_wait() comes next
 */
void drm_svm_migration_start(struct drm_svm_migration *m)
{
	const struct drm_svm_vram_ops *ops = m->vram->ops;

	if (m->nsegs)
		m->copy = drm_svm_migration_begun(ops->copy(m->vram, m->segs, m->nsegs));
	if (m->nclears)
		m->clear = drm_svm_migration_begun(ops->clear(m->vram, m->clears,
							      m->nclears));
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_migration_start);

static int drm_svm_migration_wait_fence(struct drm_svm_migration *m,
					struct dma_fence **fence)
{
	struct dma_fence *f = *fence;
	int err;

	*fence = NULL;
	if (IS_ERR_OR_NULL(f))
		return PTR_ERR_OR_ZERO(f);
	/* signals without memory and without us: see struct drm_svm_vram_ops */
	if (!dma_fence_wait_timeout(f, false, drm_svm_notice_after)) {
		drm_svm_notice_copy(m->vram, f);
		dma_fence_wait(f, false);
	}
	err = dma_fence_get_status(f);
	dma_fence_put(f);
	return min(err, 0);
}

static void drm_svm_migration_unmap_dma(struct drm_svm_migration *m)
{
	struct device *dev = m->vram->sdev->dma_dev;
	unsigned int i, npages;

	for (i = 0; i < m->npages; i += npages ?: 1) {
		dma_addr_t addr = m->dma[i] & PAGE_MASK;

		npages = m->dma[i] & ~PAGE_MASK;
		if (!npages)
			continue;
		dma_unmap_phys(dev, addr, (size_t)npages << PAGE_SHIFT,
			       DMA_BIDIRECTIONAL, DRM_SVM_COPY_ATTRS);
		m->dma[i] = 0;
	}
}

/* Entry @i does not migrate: drop its destination, if it has one. */
void drm_svm_migration_drop(struct drm_svm_migration *m, unsigned int i)
{
	struct page *dst = migrate_pfn_to_page(m->dst[i]);

	if (!dst)
		return;
	unlock_page(dst);
	put_page(dst);
	m->dst[i] = 0;
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_migration_drop);

/**
 * drm_svm_migration_wait() - wait until all is copied and cleared
 * @m: the migration, started
 *
 * Return: 0, or an error: then all destinations were dropped, so that nobody
 * can see what is in them.
 */
int drm_svm_migration_wait(struct drm_svm_migration *m)
{
	int err_copy = drm_svm_migration_wait_fence(m, &m->copy);
	int err_clear = drm_svm_migration_wait_fence(m, &m->clear);
	int err = err_copy ?: err_clear;
	unsigned int i;

	drm_svm_migration_unmap_dma(m);
	for (i = 0; err && i < m->npages; i++)
		drm_svm_migration_drop(m, i);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_migration_wait);
