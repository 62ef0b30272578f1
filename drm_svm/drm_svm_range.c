// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/dma-resv.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "drm_svm_core.h"
#include "drm_svm_quirk.h"
#include "drm_svm_trace.h"

/**
 * DOC: Ranges
 *
 * A range is a naturally aligned window of PMD_SIZE. It is made when a GPU
 * first faults there. It never splits, grows or merges. It is removed when its
 * memory was unmapped (the notifier queues it, and a work item checks whether a
 * VMA is left), when the limit of ranges is reached and nothing in it is mapped
 * (one worker at a time removes a few of those), or with its address space.
 *
 * Lookup is one load under RCU. Publication is the last step of creation, after
 * the notifier is in place, so a range that is found is complete. The notifier
 * can queue a range for removal before it is published; so creation holds
 * service_lock to its end, and removal takes it. Removal marks the range, so
 * that a fault that found it just before looks it up again. It erases the range
 * from the xarray only when no context has a view of it any more, because
 * detach finds views through the xarray.
 */

static unsigned int max_ranges = 1U << 20;
module_param(max_ranges, uint, 0444);
MODULE_PARM_DESC(max_ranges,
		 "most ranges of 2 MiB that one address space keeps (default 1048576)");

/* Jiffies between scans at the limit of ranges, after one that found nothing */
#define DRM_SVM_SCAN_INTERVAL	HZ

/* Most idle ranges that one scan removes; the fault that scans needs one. */
#define DRM_SVM_SCAN_BATCH	64

/* Jiffies until a contended mmap_lock is tried again */
#define DRM_SVM_GC_DELAY	(HZ / 50)

static struct kmem_cache *drm_svm_range_cache;

static void drm_svm_range_init_locks(struct drm_svm_range *range)
{
	mutex_init(&range->service_lock);
	mutex_init(&range->pt_lock);
}

/*
 * Teach lockdep the order of DOC: Locking, before these locks ever meet. The
 * module is loaded by a process, whose mm stands for that of any other.
 */
static void drm_svm_range_prime_lockdep(void)
{
	struct mm_struct *mm = current->mm;
	struct drm_svm_range *range;
	struct dma_resv resv;

	if (!IS_ENABLED(CONFIG_LOCKDEP) || !mm)
		return;
	range = kzalloc_obj(*range);
	if (!range)
		return;
	drm_svm_range_init_locks(range);
	dma_resv_init(&resv);
	mutex_lock(&range->service_lock);
	mmap_read_lock(mm);
	dma_resv_lock(&resv, NULL);
	fs_reclaim_acquire(GFP_KERNEL);
	mutex_lock(&range->pt_lock);
	mutex_unlock(&range->pt_lock);
	fs_reclaim_release(GFP_KERNEL);
	dma_resv_unlock(&resv);
	mmap_read_unlock(mm);
	mutex_unlock(&range->service_lock);
	dma_resv_fini(&resv);
	kfree(range);
}

int __init drm_svm_range_module_init(void)
{
	drm_svm_range_cache = KMEM_CACHE(drm_svm_range, SLAB_ACCOUNT);
	if (!drm_svm_range_cache)
		return -ENOMEM;
	drm_svm_range_prime_lockdep();
	return 0;
}

void drm_svm_range_module_exit(void)
{
	kmem_cache_destroy(drm_svm_range_cache);
}

static void drm_svm_range_release(struct kref *ref)
{
	struct drm_svm_range *range =
		container_of(ref, struct drm_svm_range, ref);

	WARN_ON(!list_empty(&range->views));
	mutex_destroy(&range->service_lock);
	mutex_destroy(&range->pt_lock);
	kfree_rcu(range, rcu);
}

/**
 * drm_svm_range_put() - drop a reference
 * @range: the range, or NULL
 */
void drm_svm_range_put(struct drm_svm_range *range)
{
	if (range)
		kref_put(&range->ref, drm_svm_range_release);
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_range_put);

static unsigned long drm_svm_range_key(const struct drm_svm *svm,
				       unsigned long addr)
{
	return (addr ^ svm->base) >> PMD_SHIFT;
}

/**
 * drm_svm_range_lookup() - find a range
 * @svm: the address space
 * @addr: any address in it
 *
 * Return: the range with a reference, or NULL.
 */
struct drm_svm_range *drm_svm_range_lookup(struct drm_svm *svm,
					   unsigned long addr)
{
	struct drm_svm_range *range;

	guard(rcu)();
	range = xa_load(&svm->ranges, drm_svm_range_key(svm, addr));
	if (range && !kref_get_unless_zero(&range->ref))
		range = NULL;
	return range;
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_range_lookup);

/**
 * drm_svm_range_next() - iterate over the ranges of an address space
 * @svm: the address space
 * @key: zero for the first call; returns where to go on, in no order of
 *	addresses
 *
 * Return: the range with a reference, or NULL.
 */
struct drm_svm_range *drm_svm_range_next(struct drm_svm *svm,
					 unsigned long *key)
{
	struct drm_svm_range *range;

	guard(rcu)();
	range = xa_find(&svm->ranges, key, ULONG_MAX, XA_PRESENT);
	while (range && !kref_get_unless_zero(&range->ref))
		range = xa_find_after(&svm->ranges, key, ULONG_MAX, XA_PRESENT);
	++*key;
	return range;
}

/**
 * drm_svm_range_skip_hole() - pass over addresses without a range
 * @svm: the address space
 * @start: first address
 * @end: end of the interval
 *
 * The keys of an aligned block of ranges are an aligned block as well, so one
 * search says whether the block is empty. Blocks grow while they are.
 *
 * Return: the end of the hole at @start, at most @end; @start if there is none.
 */
unsigned long drm_svm_range_skip_hole(struct drm_svm *svm, unsigned long start,
				      unsigned long end)
{
	unsigned long size = DRM_SVM_RANGE_SIZE, addr = start & DRM_SVM_RANGE_MASK;
	unsigned long key, mask;

	while (addr < end) {
		mask = (size >> PMD_SHIFT) - 1;
		key = drm_svm_range_key(svm, addr) & ~mask;
		if (!xa_find(&svm->ranges, &key, key | mask, XA_PRESENT)) {
			addr += size;
			if (IS_ALIGNED(addr, 2 * size))
				size *= 2;
		} else if (size > DRM_SVM_RANGE_SIZE) {
			size /= 2;
		} else {
			break;
		}
	}
	return clamp(addr, start, end);
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_range_skip_hole);

/* Make a range that is not published yet. Returns it with service_lock held. */
static struct drm_svm_range *drm_svm_range_alloc(struct drm_svm *svm,
						 unsigned long addr)
{
	struct drm_svm_range *range;
	int err;

	range = kmem_cache_zalloc(drm_svm_range_cache, GFP_KERNEL);
	if (!range)
		return ERR_PTR(-ENOMEM);
	range->svm = svm;
	range->start = addr & DRM_SVM_RANGE_MASK;
	kref_init(&range->ref);
	INIT_LIST_HEAD(&range->views);
	drm_svm_range_init_locks(range);

	mutex_lock(&range->service_lock);
	err = mmu_interval_notifier_insert(&range->notifier, svm->mm,
					   range->start, DRM_SVM_RANGE_SIZE,
					   &drm_svm_notifier_ops);
	if (err) {
		mutex_unlock(&range->service_lock);
		drm_svm_range_put(range);
		return ERR_PTR(err);
	}
	return range;
}

/*
 * Publish @range and unlock its service_lock. On error @range is thrown away:
 * -EBUSY means that another task has published a range there first.
 */
static int drm_svm_range_insert(struct drm_svm *svm,
				struct drm_svm_range *range)
{
	int err;

	/* two references: one for the address space, one for the caller */
	kref_get(&range->ref);
	err = xa_insert(&svm->ranges, drm_svm_range_key(svm, range->start), range,
			GFP_KERNEL_ACCOUNT);
	if (err)
		set_bit(DRM_SVM_RANGE_REMOVED, &range->flags);
	else
		atomic_long_inc(&svm->nranges);
	mutex_unlock(&range->service_lock);
	if (err) {
		mmu_interval_notifier_remove(&range->notifier);
		drm_svm_range_put(range);
		drm_svm_range_put(range);
		return err;
	}
	trace_drm_svm_range_create(svm, range->start);
	return 0;
}

static bool drm_svm_range_is_idle(struct drm_svm_range *range)
{
	struct drm_svm_view *view;

	guard(mutex)(&range->pt_lock);
	list_for_each_entry(view, &range->views, link) {
		if (view->nmapped)
			return false;
	}
	return true;
}

static void drm_svm_view_free(struct drm_svm_range *range,
			      struct drm_svm_view *view)
{
	kvfree(view->dma_addr);
	if (view == &range->view)
		memset(view, 0, sizeof(*view));
	else
		kfree(view);
}

/**
 * drm_svm_range_unmap_context() - unmap all pages of a range from a context
 * @range: the range
 * @ctx: the context, or NULL for all
 *
 * Does not flush the TLBs; the views keep the ticket for
 * drm_svm_range_flush_locked().
 *
 * Context: process context, service_lock held.
 */
void drm_svm_range_unmap_context(struct drm_svm_range *range,
				 struct drm_svm_context *ctx)
{
	struct drm_svm_view *view;

	lockdep_assert_held(&range->service_lock);

	guard(mutex)(&range->pt_lock);
	list_for_each_entry(view, &range->views, link) {
		if (!ctx || view->ctx == ctx)
			drm_svm_range_unmap_locked(range, view, range->start,
						   range->start +
						   DRM_SVM_RANGE_SIZE);
	}
}

/**
 * drm_svm_range_drop_views() - take a range away from one context, or from all
 * @range: the range
 * @ctx: the context, or NULL for all
 *
 * On return the GPU cannot reach the range and the views are freed.
 *
 * Context: process context, service_lock held.
 */
void drm_svm_range_drop_views(struct drm_svm_range *range,
			      struct drm_svm_context *ctx)
{
	struct drm_svm_view *view, *next;

	drm_svm_range_unmap_context(range, ctx);
	guard(mutex)(&range->pt_lock);
	drm_svm_range_flush_locked(range);
	list_for_each_entry_safe(view, next, &range->views, link) {
		if (!ctx || view->ctx == ctx) {
			list_del(&view->link);
			drm_svm_view_free(range, view);
		}
	}
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_range_drop_views);

/*
 * Remove a range from its address space. Called with service_lock held, and
 * unlocks it. The notifier of the range may be running, so the range stays
 * allocated until the last reference is dropped.
 */
static void drm_svm_range_remove_locked(struct drm_svm_range *range)
{
	struct drm_svm *svm = range->svm;

	lockdep_assert_held(&range->service_lock);
	if (test_and_set_bit(DRM_SVM_RANGE_REMOVED, &range->flags)) {
		mutex_unlock(&range->service_lock);
		return;
	}
	drm_svm_range_drop_views(range, NULL);
	xa_erase(&svm->ranges, drm_svm_range_key(svm, range->start));
	mutex_unlock(&range->service_lock);

	/* the notifier, which breaks holds, goes next */
	scoped_guard(mutex, &range->pt_lock)
		drm_svm_quirk_break_hold_locked(range);
	/* waits for running notifiers, so no lock that they take may be held */
	mmu_interval_notifier_remove(&range->notifier);
	atomic_long_dec(&svm->nranges);
	trace_drm_svm_range_remove(svm, range->start);
	drm_svm_range_put(range);
}

static void drm_svm_range_remove(struct drm_svm_range *range)
{
	mutex_lock(&range->service_lock);
	drm_svm_range_remove_locked(range);
}

/*
 * Remove ranges with nothing mapped; returns whether there were any. A range
 * whose service_lock is taken is skipped: it is in use, and the worker that
 * holds the lock may wait for mmap_lock.
 */
static bool drm_svm_range_scan(struct drm_svm *svm)
{
	struct drm_svm_range *range;
	unsigned int removed = 0;
	unsigned long key = 0;

	while ((range = drm_svm_range_next(svm, &key))) {
		if (drm_svm_range_is_idle(range) &&
		    mutex_trylock(&range->service_lock)) {
			drm_svm_range_remove_locked(range);
			removed++;
		}
		drm_svm_range_put(range);
		if (removed == DRM_SVM_SCAN_BATCH)
			break;
		cond_resched();
	}
	return removed > 0;
}

/*
 * The limit is a guard, not an exact account: workers that pass it at the same
 * time exceed it by one each. After a scan that found nothing, faults fail
 * without a new scan for DRM_SVM_SCAN_INTERVAL.
 */
static int drm_svm_range_check_limit(struct drm_svm *svm)
{
	int err = 0;

	if (atomic_long_read(&svm->nranges) < max_ranges)
		return 0;
	if (time_before(jiffies, READ_ONCE(svm->gc.next_scan)))
		return -ENOMEM;
	if (test_and_set_bit_lock(0, &svm->gc.scanning))
		return -EAGAIN;
	if (!drm_svm_range_scan(svm)) {
		WRITE_ONCE(svm->gc.next_scan, jiffies + DRM_SVM_SCAN_INTERVAL);
		err = -ENOMEM;
	}
	clear_bit_unlock(0, &svm->gc.scanning);
	return err;
}

/**
 * drm_svm_range_obtain() - find a range or make it
 * @svm: the address space
 * @addr: any address in it, user space
 *
 * Context: process context, no lock held, a reference on the users of the mm
 * held.
 * Return: the range with a reference; -ENOMEM; -EAGAIN while another worker
 * makes room.
 */
struct drm_svm_range *drm_svm_range_obtain(struct drm_svm *svm,
					   unsigned long addr)
{
	struct drm_svm_range *range;
	int err;

	for (;;) {
		range = drm_svm_range_lookup(svm, addr);
		if (range)
			return range;
		err = drm_svm_range_check_limit(svm);
		if (err)
			return ERR_PTR(err);
		range = drm_svm_range_alloc(svm, addr);
		if (IS_ERR(range))
			return range;
		err = drm_svm_range_insert(svm, range);
		if (!err)
			return range;
		if (err != -EBUSY)
			return ERR_PTR(err);
	}
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_range_obtain);

/**
 * drm_svm_range_find_view() - find the view of a context
 * @range: the range
 * @ctx: the context
 *
 * Context: service_lock or pt_lock held.
 * Return: the view, or NULL when the context has nothing of the range.
 */
struct drm_svm_view *drm_svm_range_find_view(struct drm_svm_range *range,
					     struct drm_svm_context *ctx)
{
	struct drm_svm_view *view;

	lockdep_assert(lockdep_is_held(&range->service_lock) ||
		       lockdep_is_held(&range->pt_lock));
	list_for_each_entry(view, &range->views, link) {
		if (view->ctx == ctx)
			return view;
	}
	return NULL;
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_range_find_view);

/**
 * drm_svm_range_obtain_view() - find the view of a context or make it
 * @range: the range
 * @ctx: the context
 *
 * Context: service_lock held; may allocate.
 * Return: the view, or NULL when there is no memory.
 */
struct drm_svm_view *drm_svm_range_obtain_view(struct drm_svm_range *range,
					       struct drm_svm_context *ctx)
{
	struct drm_svm_view *view;

	lockdep_assert_held(&range->service_lock);
	view = drm_svm_range_find_view(range, ctx);
	if (view)
		return view;

	/* the one within the range, or, for a second context, another one */
	view = !range->view.ctx ? &range->view :
	       kzalloc_obj(struct drm_svm_view, GFP_KERNEL_ACCOUNT);
	if (!view)
		return NULL;
	if (ctx->sdev->track_dma) {
		view->dma_addr = kvzalloc_objs(*view->dma_addr,
					       DRM_SVM_RANGE_PAGES,
					       GFP_KERNEL_ACCOUNT);
		if (!view->dma_addr) {
			drm_svm_view_free(range, view);
			return NULL;
		}
	}
	view->ctx = ctx;
	scoped_guard(mutex, &range->pt_lock)
		list_add_tail(&view->link, &range->views);
	return view;
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_range_obtain_view);

/**
 * drm_svm_range_remove_all() - remove every range
 * @svm: an address space without contexts
 *
 * The collector may be removing the same ranges at the same time.
 */
void drm_svm_range_remove_all(struct drm_svm *svm)
{
	struct drm_svm_range *range;
	unsigned long key = 0;

	while ((range = drm_svm_range_next(svm, &key))) {
		drm_svm_range_remove(range);
		drm_svm_range_put(range);
		cond_resched();
	}
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_range_remove_all);

/* Drop the ranges that still have a VMA from @ranges. */
static void drm_svm_gc_keep_used(struct mm_struct *mm, struct llist_node **ranges)
{
	struct drm_svm_range *range;

	mmap_assert_locked(mm);
	while (*ranges) {
		range = llist_entry(*ranges, struct drm_svm_range, gc_node);
		if (!find_vma_intersection(mm, range->start,
					   range->start + DRM_SVM_RANGE_SIZE)) {
			ranges = &range->gc_node.next;
			continue;
		}
		*ranges = range->gc_node.next;
		clear_bit(DRM_SVM_RANGE_IN_GC, &range->flags);
		drm_svm_range_put(range);
	}
}

/* A mapping created concurrently only loses its GPU PTEs and refaults. */
static void drm_svm_gc_remove(struct llist_node *ranges)
{
	struct drm_svm_range *range, *next;

	llist_for_each_entry_safe(range, next, ranges, gc_node) {
		clear_bit(DRM_SVM_RANGE_IN_GC, &range->flags);
		drm_svm_range_remove(range);
		drm_svm_range_put(range);
		cond_resched();
	}
}

/*
 * Remove the queued ranges that have no VMA. An unmap between the check for
 * VMAs and the clearing of IN_GC does not queue its range again. That range
 * stays, empty, until the limit of ranges is reached or the address space ends,
 * which does no harm.
 */
static void drm_svm_gc_work(struct work_struct *work)
{
	struct drm_svm *svm = container_of(to_delayed_work(work), struct drm_svm,
					   gc.work);
	struct mm_struct *mm = svm->mm;
	struct llist_node *ranges;

	if (mmget_not_zero(mm)) {
		/* the owner may be blocked on user space: retry later */
		if (!mmap_read_trylock(mm)) {
			mmput_async(mm);
			queue_delayed_work(drm_svm_idle_wq, &svm->gc.work,
					   DRM_SVM_GC_DELAY);
			return;
		}
		ranges = llist_del_all(&svm->gc.list);
		drm_svm_gc_keep_used(mm, &ranges);
		mmap_read_unlock(mm);
		mmput_async(mm);
	} else {
		ranges = llist_del_all(&svm->gc.list);
	}
	drm_svm_gc_remove(ranges);
}

/**
 * drm_svm_gc_queue() - queue a range of which memory was unmapped
 * @range: the range
 *
 * The collector removes it if it has no VMA any more.
 *
 * Context: any; called from the notifier, so does not allocate or sleep.
 */
void drm_svm_gc_queue(struct drm_svm_range *range)
{
	struct drm_svm *svm = range->svm;

	if (test_and_set_bit(DRM_SVM_RANGE_IN_GC, &range->flags))
		return;
	kref_get(&range->ref);
	if (llist_add(&range->gc_node, &svm->gc.list))
		queue_delayed_work(drm_svm_idle_wq, &svm->gc.work, 0);
}

void drm_svm_gc_init(struct drm_svm *svm)
{
	init_llist_head(&svm->gc.list);
	INIT_DELAYED_WORK(&svm->gc.work, drm_svm_gc_work);
	svm->gc.next_scan = jiffies;
}

/*
 * The work may have removed the last range, and that range's notifier may have
 * queued the work again. Once the work is cancelled there is no notifier left.
 */
void drm_svm_gc_fini(struct drm_svm *svm)
{
	cancel_delayed_work_sync(&svm->gc.work);
	drm_svm_gc_remove(llist_del_all(&svm->gc.list));
	WARN_ON(atomic_long_read(&svm->nranges));
}
