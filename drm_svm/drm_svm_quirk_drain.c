// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/gfp.h>
#include <linux/migrate.h>
#include <linux/mm.h>

#include "drm_svm_quirk.h"

/**
 * DOC: Quirk: pages of locked memory stay in batches after they were unmapped
 *
 * When a small page of locked memory (mlock()) is unmapped, munlock_folio()
 * puts it in a batch of that CPU, with a reference, and handles it when the
 * batch is full or the batches of all CPUs are drained. For a page of RAM that
 * makes no difference. A device page is neither freed until then, nor can it
 * migrate, and it keeps its BO in VRAM.
 *
 * Kernels: 7.2, 7.3. Remove when munlock_vma_folio() leaves device pages alone,
 * or lru_add_drain_all() is exported.
 *
 * So the eviction of such a BO drains the batches. Where nothing is evicted, a
 * work item checks the BOs that were filled with locked memory, once a second
 * while there are any.
 */

#define DRM_SVM_DRAIN_PERIOD	HZ

/*
 * Have the batches of all CPUs drained. lru_add_drain_all() is not exported,
 * but migrate_device_pfns() calls it for a page of RAM that is in no LRU list,
 * because such a page may be in a batch. A page that was just allocated is in
 * no list either, and is left as it was.
 */
static void drm_svm_drain(void)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
	unsigned long pfn;

	if (!page)
		return;
	pfn = page_to_pfn(page);
	migrate_device_pfns(&pfn, 1);
	__free_page(page);
}

/*
 * Return whether a page is in a batch, judging by its references: others that
 * want its data, such as a CPU fault, have its lock or wait for it.
 */
static bool drm_svm_drain_is_held(struct drm_svm_vram *vram, unsigned long index)
{
	struct folio *folio = drm_svm_vram_get_folio(vram, index);
	bool held = false;

	if (!folio)
		return false;
	if (folio_trylock(folio)) {
		held = folio_ref_count(folio) - 1 > folio_mapcount(folio);
		folio_unlock(folio);
	}
	folio_put(folio);
	return held;
}

static bool drm_svm_drain_any_is_held(struct drm_svm_vram *vram,
				      unsigned long index, unsigned int npages)
{
	unsigned int i;

	for (i = 0; i < npages; i++) {
		if (drm_svm_drain_is_held(vram, index + i))
			return true;
	}
	return false;
}

/**
 * drm_svm_drain_bo() - drain batches for a BO that cannot be evicted, if useful
 * @bo: the BO, its dma_resv held, in VRAM
 *
 * Return: whether they were drained.
 */
bool drm_svm_drain_bo(struct drm_svm_bo *bo)
{
	dma_resv_assert_held(bo->tbo.base.resv);
	if (!drm_svm_drain_any_is_held(bo->vram, drm_svm_bo_offset(bo) >> PAGE_SHIFT,
				       bo->tbo.base.size >> PAGE_SHIFT))
		return false;
	drm_svm_drain();
	return true;
}

/* The pages of the next watched BO. Later changes to the BO do no harm. */
static bool drm_svm_drain_next(struct drm_svm_vram *vram, unsigned long *index,
			       unsigned int *npages)
{
	struct drm_svm_bo *bo;

	guard(spinlock)(&vram->lock);
	bo = list_first_entry_or_null(&vram->locked, struct drm_svm_bo, locked_node);
	if (!bo)
		return false;
	list_move_tail(&bo->locked_node, &vram->locked);
	*index = bo->index;
	*npages = bo->tbo.base.size >> PAGE_SHIFT;
	return true;
}

static void drm_svm_drain_work(struct work_struct *work)
{
	struct drm_svm_vram *vram = container_of(to_delayed_work(work),
						 struct drm_svm_vram, drain_work);
	unsigned long index, i, n = READ_ONCE(vram->nlocked);
	unsigned int npages;

	for (i = 0; i < n && drm_svm_drain_next(vram, &index, &npages); i++) {
		if (drm_svm_drain_any_is_held(vram, index, npages)) {
			drm_svm_drain();
			break;
		}
		cond_resched();
	}
	guard(spinlock)(&vram->lock);
	if (vram->nlocked && !vram->ending)
		queue_delayed_work(drm_svm_idle_wq, &vram->drain_work,
				   DRM_SVM_DRAIN_PERIOD);
}

/*
 * Watch a BO because it is filled with locked memory. It is resident, and its
 * dma_resv is held.
 */
void drm_svm_drain_watch(struct drm_svm_bo *bo)
{
	struct drm_svm_vram *vram = bo->vram;

	dma_resv_assert_held(bo->tbo.base.resv);
	guard(spinlock)(&vram->lock);
	if (!list_empty(&bo->locked_node))
		return;
	list_add(&bo->locked_node, &vram->locked);
	vram->nlocked++;
	if (!vram->ending)
		queue_delayed_work(drm_svm_idle_wq, &vram->drain_work,
				   DRM_SVM_DRAIN_PERIOD);
}

/* The BO is being freed. */
void drm_svm_drain_unwatch(struct drm_svm_bo *bo)
{
	struct drm_svm_vram *vram = bo->vram;

	guard(spinlock)(&vram->lock);
	if (list_empty(&bo->locked_node))
		return;
	list_del_init(&bo->locked_node);
	vram->nlocked--;
}

void drm_svm_drain_init(struct drm_svm_vram *vram)
{
	INIT_LIST_HEAD(&vram->locked);
	INIT_DELAYED_WORK(&vram->drain_work, drm_svm_drain_work);
}

/* The VRAM is ending, so nothing queues the work any more. */
void drm_svm_drain_fini(struct drm_svm_vram *vram)
{
	cancel_delayed_work_sync(&vram->drain_work);
}
