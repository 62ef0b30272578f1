// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/hmm.h>
#include <linux/memory_hotplug.h>
#include <linux/memremap.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/userfaultfd_k.h>

#include "drm_svm_migrate.h"
#include "drm_svm_quirk.h"
#include "drm_svm_trace.h"

/**
 * DOC: Migration to VRAM
 *
 * A migrator migrates chunks to VRAM, for a GPU fault or a prefetch, which
 * choose them. It is all best effort: a page that does not move, because it is
 * pinned, no room is left or a race was lost, stays where it is.
 *
 * The lock order is mmap_lock, then the BO, then folios. BOs are made before
 * mmap_lock is taken, because making room evicts other BOs. They may be evicted
 * before they are filled, so filling begins with a check that the BO is still
 * resident.
 *
 * Two chunks are in flight if memory allows: one is copied while the next is
 * collected. Both then hold locks of folios, and of BOs. BOs are only
 * trylocked. Collecting can sleep on the lock of a large folio that it has to
 * split. That cannot deadlock: folios in flight are unmapped everywhere, so the
 * owner of the other lock cannot be waiting for one. A CPU fault on a page in
 * flight waits for the end of a copy. So nothing that may fault is called while
 * a chunk is in flight, because it would wait for us.
 */

/**
 * drm_svm_migrator_alloc() - allocate memory to fill VRAM, again and again
 * @svm: the address space
 * @cause: what its chunks migrate for
 *
 * Return: the migrator, empty, or NULL.
 */
struct drm_svm_migrator *drm_svm_migrator_alloc(struct drm_svm *svm,
						enum drm_svm_cause cause)
{
	struct drm_svm_migrator *migrator = kzalloc_obj(*migrator, GFP_KERNEL_ACCOUNT);

	if (!migrator)
		return NULL;
	migrator->svm = svm;
	migrator->cause = cause;
	migrator->m[0] = drm_svm_migration_alloc(DRM_SVM_RANGE_PAGES,
						 GFP_KERNEL_ACCOUNT);
	if (!migrator->m[0]) {
		drm_svm_migrator_free(migrator);
		return NULL;
	}
	return migrator;
}

void drm_svm_migrator_free(struct drm_svm_migrator *migrator)
{
	unsigned int i;

	if (!migrator)
		return;
	for (i = 0; i < ARRAY_SIZE(migrator->m); i++)
		drm_svm_migration_free(migrator->m[i]);
	kfree(migrator);
}

static void drm_svm_migrator_count(struct drm_svm_migrator *migrator,
				   struct drm_svm_chunk *chunk,
				   enum drm_svm_stat stat, u64 n)
{
	drm_svm_stats_add(chunk->stats, stat, n);
	if (stat == DRM_SVM_STAT_VRAM_NO_SPACE)
		migrator->moved.no_space += n;
	else if (stat == DRM_SVM_STAT_VRAM_FAILED)
		migrator->moved.failed += n;
	else if (stat == DRM_SVM_STAT_VRAM_BUSY)
		migrator->moved.busy += n;
	else if (stat == DRM_SVM_STAT_VRAM_IN)
		migrator->moved.moved += n;
}

/* Report that @pages of a chunk, which were at @from, moved; and why not all did. */
static void drm_svm_chunk_event(const struct drm_svm_migrator *migrator,
				const struct drm_svm_chunk *chunk, unsigned int pages,
				enum drm_svm_location from, int err)
{
	if (!drm_svm_event_is_wanted(chunk->stats))
		return;
	drm_svm_event_add(chunk->stats, chunk->m ? chunk->m->begun : 0,
			  &(struct drm_svm_event) {
		.type = DRM_SVM_EVENT_MIGRATE,
		.cause = migrator->cause,
		.start = chunk->start,
		.size = chunk->end - chunk->start,
		.pages = pages,
		.from = from,
		.to = DRM_SVM_LOCATION_VRAM,
		.err = err,
	});
}

/* A chunk is given up before it was collected: its pages stay. */
static void drm_svm_migrator_give_up(struct drm_svm_migrator *migrator,
				     struct drm_svm_chunk *chunk,
				     enum drm_svm_stat stat, int err)
{
	drm_svm_migrator_count(migrator, chunk, stat, chunk->want);
	if (chunk->want)
		drm_svm_chunk_event(migrator, chunk, 0, DRM_SVM_LOCATION_SYSTEM, err);
}

/* Allocate VRAM for a chunk. */
static struct drm_svm_bo *drm_svm_chunk_make_bo(const struct drm_svm_chunk *chunk,
						enum drm_svm_room room)
{
	struct drm_svm_bo *bo;

	bo = drm_svm_bo_create(chunk->vram, chunk->stats, chunk->npages, room);
	if (!IS_ERR(bo))
		bo->addr = chunk->base;
	return bo;
}

/**
 * drm_svm_migrator_try_bos() - allocate VRAM for the chunks from what is free
 * @migrator: its chunks chosen
 *
 * Context: process context, no lock held that eviction takes: not mmap_lock.
 * Return: whether all chunks have a BO; drm_svm_migrator_make_bos() makes the
 * others.
 */
bool drm_svm_migrator_try_bos(struct drm_svm_migrator *migrator)
{
	unsigned int i;

	for (i = 0; i < migrator->n; i++) {
		struct drm_svm_chunk *chunk = &migrator->chunks[i];
		struct drm_svm_bo *bo;

		bo = drm_svm_chunk_make_bo(chunk, DRM_SVM_ROOM_FREE);
		if (IS_ERR(bo))
			return false;
		chunk->bo = bo;
	}
	return true;
}

static struct drm_svm_bo *drm_svm_migrator_make_bo(struct drm_svm_migrator *migrator,
						   const struct drm_svm_chunk *chunk)
{
	struct drm_svm_keep *keep = migrator->keep;
	struct drm_svm_bo *bo;

	if (keep && drm_svm_keep_is_full(keep))
		return ERR_PTR(-ENOSPC);
	bo = drm_svm_chunk_make_bo(chunk, DRM_SVM_ROOM_EVICT);
	if (keep)
		drm_svm_keep_note(keep, bo);
	return bo;
}

/**
 * drm_svm_migrator_make_bos() - allocate what the chunks need, VRAM above all
 * @migrator: its chunks chosen
 *
 * Evicts others, except what the migrator keeps.
 *
 * Context: process context, no lock held that eviction takes: not mmap_lock.
 */
void drm_svm_migrator_make_bos(struct drm_svm_migrator *migrator)
{
	unsigned int i;

	/* without it the chunks are filled one after the other */
	if (migrator->n > 1 && !migrator->m[1])
		migrator->m[1] = drm_svm_migration_alloc(DRM_SVM_RANGE_PAGES,
							 GFP_KERNEL_ACCOUNT);

	for (i = 0; i < migrator->n; i++) {
		struct drm_svm_chunk *chunk = &migrator->chunks[i];
		struct drm_svm_bo *bo;

		if (chunk->bo)
			continue;
		bo = drm_svm_migrator_make_bo(migrator, chunk);
		chunk->bo = IS_ERR(bo) ? NULL : bo;
		if (IS_ERR(bo))
			drm_svm_migrator_give_up(migrator, chunk,
						 bo == ERR_PTR(-ENOMEM) ?
						 DRM_SVM_STAT_VRAM_FAILED :
						 DRM_SVM_STAT_VRAM_NO_SPACE, PTR_ERR(bo));
	}
}

/**
 * drm_svm_chunk_set_block() - choose the block of VRAM that a chunk needs
 * @chunk: its addresses are set; sets the aligned block around them
 */
void drm_svm_chunk_set_block(struct drm_svm_chunk *chunk)
{
	unsigned long size = roundup_pow_of_two(chunk->end - chunk->start);

	size = max(size, DRM_SVM_CHUNK_MIN);
	while (round_down(chunk->start, size) != round_down(chunk->end - 1, size))
		size *= 2;
	chunk->base = round_down(chunk->start, size);
	chunk->npages = size >> PAGE_SHIFT;
}

/*
 * Return whether a page is in use already, though the place is ours: see
 * drm_svm_bo_has_lost_place(). This looks at the counts of the pages
 * themselves, because a free page may look like part of a huge page that was
 * there.
 */
static bool drm_svm_chunk_is_taken(struct page *page, unsigned int order)
{
	unsigned int i;

	for (i = 0; i < 1U << order; i++) {
		if (page_ref_count(page + i))
			return true;
	}
	return false;
}

/* A device page of the BO, locked and ready to be a destination, or NULL. */
VISIBLE_IF_KUNIT
struct page *drm_svm_chunk_page(struct drm_svm_bo *bo, unsigned int index,
				unsigned int order)
{
	u64 offset = drm_svm_bo_offset(bo) + ((u64)index << PAGE_SHIFT);
	struct drm_svm_vram *vram = bo->vram;
	struct page *page;

	if (drm_svm_vram_has_bad(vram, offset, 1U << order))
		return NULL;
	page = drm_svm_vram_page(vram, offset);
	/* all of them are written next, so looking at them costs nothing */
	if (WARN_ON_ONCE(drm_svm_chunk_is_taken(page, order)))
		return NULL;
	/* it may look like the tail of a huge page: page_folio() comes after */
	zone_device_page_init(page, &vram->pagemap, order);
	if (order)
		folio_set_large_rmappable(page_folio(page));
	folio_set_zone_device_data(page_folio(page), bo);
	atomic_long_add(1L << order, &bo->live);
	drm_svm_stats_add(bo->stats, DRM_SVM_STAT_VRAM_PAGES, 1UL << order);
	return page;
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_chunk_page);

/*
 * Return whether to move what migrate_vma would. Not a page of KSM, because KSM
 * reads its pages by the CPU; there are hardly any, see
 * drm_svm_quirk_has_ksm(). Not a zero page, which counts as a hole, where
 * userfaultfd may have it write-protected, because what would replace it is
 * not.
 */
static bool drm_svm_chunk_may_move(const struct drm_svm_chunk *chunk,
				   struct page *src)
{
	if (src)
		return folio_test_anon(page_folio(src)) &&
		       !folio_test_ksm(page_folio(src));
	return chunk->holes && !userfaultfd_wp(chunk->m->args.vma);
}

/* Find a destination for entry @i, and add what to copy or to clear. */
static void drm_svm_chunk_entry(struct drm_svm_chunk *chunk, unsigned int i)
{
	struct drm_svm_migration *m = chunk->m;
	unsigned int npages = drm_svm_migration_stride(m, i);
	struct page *src = migrate_pfn_to_page(m->src[i]);
	struct page *dst;

	if (!(m->src[i] & MIGRATE_PFN_MIGRATE) ||
	    !drm_svm_chunk_may_move(chunk, src))
		return;
	dst = drm_svm_chunk_page(chunk->bo,
				 ((chunk->start - chunk->base) >> PAGE_SHIFT) + i,
				 ilog2(npages));
	if (!dst)
		return;
	m->dst[i] = migrate_pfn(page_to_pfn(dst));
	if (npages > 1)
		m->dst[i] |= MIGRATE_PFN_COMPOUND;
	if (!src)
		drm_svm_migration_add_clear(m, dst, npages);
	else if (drm_svm_migration_add_copy(m, i, src, dst, npages,
					    DRM_SVM_TO_VRAM))
		drm_svm_migration_drop(m, i);
}

static struct vm_area_struct *drm_svm_chunk_vma(struct mm_struct *mm,
						const struct drm_svm_chunk *chunk)
{
	struct vm_area_struct *vma;

	vma = find_vma_intersection(mm, chunk->start, chunk->start + 1);
	if (!drm_svm_policy_may_move(vma, DRM_SVM_ACCESS_READ) ||
	    vma->vm_end < chunk->end)
		return NULL;
	return vma;
}

/**
 * drm_svm_chunk_ask_cpu() - see what the CPU makes where nothing is yet
 * @vma: the mapping
 * @start: first address of the range
 * @addr: a page of the range, of which the CPU has nothing
 *
 * Settings of the machine, the process and the mapping decide whether a fault
 * makes a huge page, and no function that evaluates all of them is exported. So
 * this does a CPU read fault: where a write would make a huge page, it maps the
 * huge zero page, else the small one. Neither takes memory, and migrate_vma
 * treats both as a hole. If the machine is set not to use the huge zero page,
 * the fault makes a huge page, which is then moved.
 *
 * Context: process context, mmap_lock held. Does not wait for the page.
 * Return: what hmm_range_fault() says of @addr afterwards, or zero.
 */
unsigned long drm_svm_chunk_ask_cpu(struct vm_area_struct *vma,
				    unsigned long start, unsigned long addr)
{
	unsigned long pfn;

	mmap_assert_locked(vma->vm_mm);
	if (!drm_svm_policy_may_be_whole(vma, start))
		return 0;
	handle_mm_fault(vma, addr, FAULT_FLAG_REMOTE | FAULT_FLAG_ALLOW_RETRY |
			FAULT_FLAG_RETRY_NOWAIT, NULL);
	return drm_svm_walk_peek(vma->vm_mm, addr, addr + PAGE_SIZE, &pfn) ? 0 : pfn;
}

/*
 * Return whether a chunk has pages of a file, which are not collected: that
 * would unmap such a page from all that map it, and split a large one.
 */
static bool drm_svm_chunk_has_file_pages(const struct drm_svm_chunk *chunk,
					 struct vm_area_struct *vma,
					 struct drm_svm_migration *m)
{
	unsigned int i, n = (chunk->end - chunk->start) >> PAGE_SHIFT;

	if (vma_is_anonymous(vma))
		return false;
	if (drm_svm_walk_peek(vma->vm_mm, chunk->start, chunk->end, m->src))
		return true;
	for (i = 0; i < n && drm_svm_pfn_is_anon(m->src[i]); i++)
		;
	return i < n;
}

/* Called before any chunk is in flight, because it may fault. */
static void drm_svm_chunk_prepare(struct drm_svm *svm, const struct drm_svm_chunk *chunk)
{
	struct vm_area_struct *vma;

	if (!chunk->bo || !chunk->whole || !chunk->holes ||
	    !drm_svm_quirk_lacks_split_queue(svm))
		return;
	vma = drm_svm_chunk_vma(svm->mm, chunk);
	if (vma)
		drm_svm_quirk_make_split_queue(svm, vma, chunk->start);
}

/* Collect a chunk, and start to copy. Returns false if nothing is in flight. */
static bool drm_svm_chunk_start(struct drm_svm_migrator *migrator,
				struct drm_svm_chunk *chunk,
				struct drm_svm_migration *m)
{
	struct vm_area_struct *vma = drm_svm_chunk_vma(migrator->svm->mm, chunk);
	unsigned int i;

	if (!vma || drm_svm_chunk_has_file_pages(chunk, vma, m) ||
	    drm_svm_quirk_has_ksm(vma, chunk->start, chunk->end, m->src))
		return false;
	drm_svm_migration_reset(m, chunk->vram);
	m->args.vma = vma;
	m->args.start = chunk->start;
	m->args.end = chunk->end;
	/* for the notifier; device pages are not selected */
	m->args.pgmap_owner = migrator->svm;
	m->args.flags = MIGRATE_VMA_SELECT_SYSTEM |
			(chunk->whole && drm_svm_quirk_may_be_huge(vma, chunk->start) ?
			 MIGRATE_VMA_SELECT_COMPOUND : 0);
	if (migrate_vma_setup(&m->args) || !m->args.cpages)
		return false;
	m->npages = m->args.npages;
	chunk->m = m;
	if (vma->vm_flags & VM_LOCKED)
		drm_svm_drain_watch(chunk->bo);
	for (i = 0; i < m->npages; i += drm_svm_migration_stride(m, i))
		drm_svm_chunk_entry(chunk, i);
	drm_svm_migration_start(m);
	return true;
}

/* Count what moved, before migrate_vma_finalize(). @err: of the copy. */
static void drm_svm_chunk_count(struct drm_svm_migrator *migrator,
				struct drm_svm_chunk *chunk, int err)
{
	struct drm_svm_migration *m = chunk->m;
	unsigned int i, n, moved = 0, copied = 0, taken = 0;

	for (i = 0; i < m->npages; i += n) {
		n = drm_svm_migration_stride(m, i);
		if (m->src[i] & MIGRATE_PFN_MIGRATE && m->dst[i]) {
			moved += n;
			if (migrate_pfn_to_page(m->src[i]))
				copied += n;
		} else if (migrate_pfn_to_page(m->src[i])) {
			taken += n;
		}
	}
	drm_svm_migrator_count(migrator, chunk, DRM_SVM_STAT_VRAM_IN, moved);
	drm_svm_stats_add(chunk->stats, DRM_SVM_STAT_VRAM_COPIED_IN, copied);
	/* pages that could not even be collected are known by @want only */
	taken = max(taken, max(chunk->want, moved) - moved);
	drm_svm_migrator_count(migrator, chunk,
			       err ? DRM_SVM_STAT_VRAM_FAILED :
			       DRM_SVM_STAT_VRAM_BUSY, taken);
	trace_drm_svm_to_vram(migrator->svm, chunk->start, chunk->end, moved, taken);
	drm_svm_chunk_event(migrator, chunk, moved,
			    moved && !copied ? DRM_SVM_LOCATION_NONE :
					       DRM_SVM_LOCATION_SYSTEM,
			    err ?: (taken ? -EBUSY : 0));
}

/* Drop the destinations that were marked bad since they were chosen. */
VISIBLE_IF_KUNIT
void drm_svm_chunk_drop_bad(struct drm_svm_migration *m)
{
	unsigned int i, n;

	/* pairs with the one in drm_svm_vram_mark_bad() */
	smp_mb();
	for (i = 0; i < m->npages && !xa_empty(&m->vram->bad); i += n) {
		struct page *dst = migrate_pfn_to_page(m->dst[i]);

		n = drm_svm_migration_stride(m, i);
		if (dst && drm_svm_vram_has_bad(m->vram,
						drm_svm_page_offset(dst), n))
			drm_svm_migration_drop(m, i);
	}
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_chunk_drop_bad);

static void drm_svm_chunk_finish(struct drm_svm_migrator *migrator,
				 struct drm_svm_chunk *chunk)
{
	struct drm_svm_migration *m = chunk->m;
	int err = drm_svm_migration_wait(m);

	drm_svm_chunk_drop_bad(m);
	migrate_vma_pages(&m->args);
	drm_svm_chunk_count(migrator, chunk, err);
	migrate_vma_finalize(&m->args);
	drm_svm_bo_unlock(chunk->bo);
}

/**
 * drm_svm_migrator_run() - fill the chunks that have a BO
 * @migrator: the migrator
 *
 * Context: process context, mmap_lock held for reading.
 */
void drm_svm_migrator_run(struct drm_svm_migrator *migrator)
{
	struct drm_svm_chunk *chunk, *prev = NULL;
	unsigned int i, which = 0;

	mmap_assert_locked(migrator->svm->mm);
	for (i = 0; i < migrator->n; i++)
		drm_svm_chunk_prepare(migrator->svm, &migrator->chunks[i]);

	for (i = 0; i < migrator->n; i++) {
		chunk = &migrator->chunks[i];
		if (!chunk->bo)
			continue;
		if (!drm_svm_bo_trylock_resident(chunk->bo)) {
			drm_svm_migrator_give_up(migrator, chunk, DRM_SVM_STAT_VRAM_BUSY,
						 -EBUSY);
			continue;
		}
		if (prev && !migrator->m[which]) {
			drm_svm_chunk_finish(migrator, prev);
			prev = NULL;
			which = 0;
		}
		if (!drm_svm_chunk_start(migrator, chunk, migrator->m[which])) {
			drm_svm_bo_unlock(chunk->bo);
			drm_svm_migrator_give_up(migrator, chunk, DRM_SVM_STAT_VRAM_BUSY,
						 -EBUSY);
			continue;
		}
		which ^= 1;
		if (prev)
			drm_svm_chunk_finish(migrator, prev);
		prev = chunk;
	}
	if (prev)
		drm_svm_chunk_finish(migrator, prev);
}

/**
 * drm_svm_migrator_release() - release the chunks
 * @migrator: the migrator; empty afterwards, its counts stay
 *
 * A BO without pages is freed here.
 */
void drm_svm_migrator_release(struct drm_svm_migrator *migrator)
{
	unsigned int i;

	for (i = 0; i < migrator->n; i++) {
		if (migrator->chunks[i].bo)
			drm_svm_bo_fill_done(migrator->chunks[i].bo);
		migrator->chunks[i].bo = NULL;
	}
	migrator->n = 0;
}
