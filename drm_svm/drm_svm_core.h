/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _DRM_SVM_CORE_H_
#define _DRM_SVM_CORE_H_

/* Address spaces, their ranges, and what GPUs have mapped of these. */

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/export.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>
#include <linux/xarray.h>

#include "drm_svm_fault.h"

struct migrate_vma;

enum drm_svm_stat {
	DRM_SVM_STAT_FAULTS,
	DRM_SVM_STAT_DUPLICATES,
	DRM_SVM_STAT_BATCHES,
	DRM_SVM_STAT_RETRIES,
	DRM_SVM_STAT_WAITS,
	DRM_SVM_STAT_FAILED,
	DRM_SVM_STAT_WALKS,
	DRM_SVM_STAT_PAGES_MAPPED,
	DRM_SVM_STAT_PAGES_UNMAPPED,
	DRM_SVM_STAT_INVALIDATIONS,
	DRM_SVM_STAT_FLUSHES,
	DRM_SVM_STAT_DMA_MAPPED,
	DRM_SVM_STAT_DMA_UNMAPPED,
	DRM_SVM_STAT_VRAM_IN,
	DRM_SVM_STAT_VRAM_COPIED_IN,
	DRM_SVM_STAT_VRAM_OUT,
	DRM_SVM_STAT_VRAM_CPU_FAULTS,
	DRM_SVM_STAT_VRAM_EVICTIONS,
	DRM_SVM_STAT_VRAM_EVICTED,
	DRM_SVM_STAT_VRAM_BUSY,
	DRM_SVM_STAT_VRAM_NO_SPACE,
	DRM_SVM_STAT_VRAM_FAILED,
	/* gauges */
	DRM_SVM_STAT_VRAM_PAGES,
	DRM_SVM_STAT_VRAM_RESERVED,
	DRM_SVM_STAT_NUM,
};

struct drm_svm_stat_values {
	u64 v[DRM_SVM_STAT_NUM];
};

/*
 * The open files of events of a context, under @lock. @n, their number, is also
 * read without it. @ended: the context is detached, so nothing is reported any
 * more.
 */
struct drm_svm_listeners {
	spinlock_t lock;
	struct list_head list;
	unsigned int n;
	bool ended;
};

/*
 * What is counted and reported of a context. The context, each BO made for it,
 * and each file of its events have a reference.
 */
struct drm_svm_stats {
	struct kref ref;
	struct drm_svm_stat_values __percpu *values;
	struct drm_svm_listeners listeners;
};

/* Context: any. */
static inline void drm_svm_stats_add(struct drm_svm_stats *stats,
				     enum drm_svm_stat stat, u64 n)
{
	this_cpu_add(stats->values->v[stat], n);
}

static inline void drm_svm_context_count(struct drm_svm_context *ctx,
					 enum drm_svm_stat stat, u64 n)
{
	drm_svm_stats_add(ctx->stats, stat, n);
}

/*
 * Ranges of which memory was unmapped; @list is a lock-less producer list.
 * @scanning and @next_scan, in jiffies: one scan for idle ranges at a time, and
 * not too often.
 */
struct drm_svm_gc {
	struct llist_head list;
	struct delayed_work work;
	unsigned long scanning;
	unsigned long next_scan;
};

/*
 * One shared address space. Found by mm, which is held by mmgrab() only,
 * because a GPU must not keep the memory of a process that ends.
 */
struct drm_svm {
	struct kref ref;
	struct rcu_head rcu;
	struct mm_struct *mm;
	struct hlist_node node;

	/*
	 * Looked up under RCU. The key is the address, XOR @base, where the
	 * process has most of its mappings. That is small for these, so that
	 * the first ranges need no path of nodes from the top of the address
	 * space.
	 */
	struct xarray ranges;
	unsigned long base;
	atomic_long_t nranges;

	struct drm_svm_fault_queue queue;
	struct drm_svm_pool waiters;
	struct drm_svm_pool movers;
	struct drm_svm_threads threads;
	struct drm_svm_gc gc;

	/* See drm_svm_quirk_make_split_queue(). */
	u64 huge_cgroup;
};

/* State bits of a range. */
#define DRM_SVM_RANGE_REMOVED	0	/* under service_lock */
#define DRM_SVM_RANGE_IN_GC	1	/* on the list of struct drm_svm_gc */

/*
 * The part of a range that one context has mapped: @nmapped pages. @ticket is
 * the flush that the last cleared entry needs. @vram: pages mapped in VRAM;
 * @peer: those in the VRAM of another GPU. @dma_addr has an address for each
 * page, only for devices that track DMA. @err belongs to the current try. So
 * does @prepared: the driver has promised that a map needs no memory. The fault
 * path sets it before it asks the driver; an unmap of the whole range, which
 * ends the promise, clears it under pt_lock, and so does the start of the next
 * try.
 *
 * @nmapped and the bitmaps change under pt_lock. The fault path reads them
 * under service_lock alone, so an invalidation can clear bits concurrently. The
 * worst case is a refault or one redundant map.
 */
struct drm_svm_view {
	struct list_head link;
	struct drm_svm_context *ctx;
	u64 ticket;
	dma_addr_t *dma_addr;
	bool prepared;
	int err;
	unsigned int nmapped;
	/* at the end, because they are cleared together */
	DECLARE_BITMAP(mapped, DRM_SVM_RANGE_PAGES);
	DECLARE_BITMAP(writable, DRM_SVM_RANGE_PAGES);
	DECLARE_BITMAP(vram, DRM_SVM_RANGE_PAGES);
	DECLARE_BITMAP(peer, DRM_SVM_RANGE_PAGES);
};

/*
 * One PMD_SIZE window of address space.
 *
 * @service_lock: one service at a time; outside of mmap_lock.
 * @pt_lock: taken inside MMU notifiers, so nothing that may reclaim is called
 *	under it. Protects @views, their bitmaps and the page tables of the
 *	window. The list itself changes under both locks.
 * @finish: for the second pass of one invalidation at a time (@finishing);
 *	others that run concurrently do both passes at once.
 * @holder: the task that collects a huge page of the range, with @held; see
 *	drm_svm_quirk_hold().
 * @view: the view of one context, because most ranges have no other; its ctx is
 *	NULL while no context has it.
 */
struct drm_svm_range {
	struct drm_svm *svm;
	unsigned long start;
	unsigned long flags;
	struct kref ref;
	struct mutex service_lock;
	struct mutex pt_lock;
	struct list_head views;
	struct mmu_interval_notifier notifier;
	struct mmu_interval_notifier_finish finish;
	bool finishing;
	struct task_struct *holder;
	struct migrate_vma *held;
	struct llist_node gc_node;
	struct rcu_head rcu;
	struct drm_svm_view view;
};

static inline unsigned long drm_svm_page_addr(const struct drm_svm_range *range,
					      unsigned int index)
{
	return range->start + ((unsigned long)index << PAGE_SHIFT);
}

/*
 * Take mmap_lock for reading. Without @patient this is a trylock, because the
 * owner may be blocked on user space; the first tries of a fault use that.
 * Later tries are patient, because a trylock might never succeed against a task
 * that takes the lock again and again. The wait ends, and false is returned,
 * when the process is to stop or to end, or when a context is being detached,
 * for which mmap_read_lock_killable() would not do.
 */
static inline bool drm_svm_mmap_read_lock(struct mm_struct *mm, bool patient)
{
	if (!patient)
		return mmap_read_trylock(mm);
	return !down_read_interruptible(&mm->mmap_lock);
}

/* Return whether the GPU can already do @access to page @index. */
static inline bool drm_svm_view_covers(const struct drm_svm_view *view,
				       unsigned int index, u32 access)
{
	if (access & DRM_SVM_ACCESS_WRITE)
		return test_bit(index, view->writable);
	return test_bit(index, view->mapped);
}

/* The VRAM that faults of the context migrate pages to, or NULL */
static inline struct drm_svm_vram *
drm_svm_context_vram(const struct drm_svm_context *ctx)
{
	return READ_ONCE(ctx->sdev->vram);
}

/* drm_svm_core.c */
extern struct workqueue_struct *drm_svm_idle_wq;
int drm_svm_core_init(void);
void drm_svm_core_exit(void);
u64 drm_svm_context_va_end(const struct drm_svm_context *ctx);
int drm_svm_context_check_interval(const struct drm_svm_context *ctx, u64 start,
				   u64 size);
void drm_svm_context_put_busy(struct drm_svm_context *ctx);
void drm_svm_fault_might_wait(void);
void drm_svm_fault_finish(struct drm_svm_fault_entry *entry);
extern unsigned long drm_svm_notice_after;
void drm_svm_notice_detach(struct drm_svm_context *ctx);
#ifdef CONFIG_LOCKDEP
extern struct lockdep_map drm_svm_fault_done_map;
#endif

/* drm_svm_space.c */
struct drm_svm *drm_svm_space_lookup(struct mm_struct *mm, struct drm_svm *spare);
void drm_svm_space_remove(struct drm_svm *svm);
void drm_svm_space_teach_lockdep(void);
struct drm_svm_range *drm_svm_space_lookup_range(struct mm_struct *mm,
						 unsigned long addr);

/* drm_svm_range.c */
struct drm_svm_range *drm_svm_range_lookup(struct drm_svm *svm,
					   unsigned long addr);
struct drm_svm_range *drm_svm_range_next(struct drm_svm *svm,
					 unsigned long *key);
unsigned long drm_svm_range_skip_hole(struct drm_svm *svm, unsigned long start,
				      unsigned long end);
struct drm_svm_range *drm_svm_range_obtain(struct drm_svm *svm,
					   unsigned long addr);
void drm_svm_range_put(struct drm_svm_range *range);
struct drm_svm_view *drm_svm_range_find_view(struct drm_svm_range *range,
					     struct drm_svm_context *ctx);
struct drm_svm_view *drm_svm_range_obtain_view(struct drm_svm_range *range,
					       struct drm_svm_context *ctx);
void drm_svm_range_unmap_context(struct drm_svm_range *range,
				 struct drm_svm_context *ctx);
void drm_svm_range_drop_views(struct drm_svm_range *range,
			      struct drm_svm_context *ctx);
void drm_svm_range_remove_all(struct drm_svm *svm);
int drm_svm_range_module_init(void);
void drm_svm_range_module_exit(void);
void drm_svm_gc_init(struct drm_svm *svm);
void drm_svm_gc_fini(struct drm_svm *svm);
void drm_svm_gc_queue(struct drm_svm_range *range);

/* drm_svm_notifier.c */
extern const struct mmu_interval_notifier_ops drm_svm_notifier_ops;
void drm_svm_range_unmap_locked(struct drm_svm_range *range,
				struct drm_svm_view *view, unsigned long start,
				unsigned long end);
void drm_svm_range_unmap_vram(struct drm_svm_range *range, unsigned long start,
			      unsigned long end);
void drm_svm_range_flush_locked(struct drm_svm_range *range);

/* drm_svm_run.c */
int drm_svm_run_map_locked(struct drm_svm_range *range,
			   struct drm_svm_view *view,
			   struct drm_svm_scratch *scratch, unsigned int first,
			   unsigned int end, const unsigned long *writes);
void drm_svm_run_unmap_dma(struct drm_svm_view *view, unsigned int first,
			   unsigned int end);

/* drm_svm_event.c */
extern atomic_t drm_svm_event_files;
int drm_svm_events_open(struct drm_svm_stats *stats, unsigned int entries);
void drm_svm_events_end(struct drm_svm_stats *stats);
void drm_svm_event_add(struct drm_svm_stats *stats, u64 begun,
		       const struct drm_svm_event *event);

/*
 * Return whether anybody wants to know what happens to the context. Call
 * drm_svm_event_add() only then, so that a record costs nothing otherwise.
 * Context: any.
 */
static inline bool drm_svm_event_is_wanted(const struct drm_svm_stats *stats)
{
	return READ_ONCE(stats->listeners.n);
}

/*
 * Return the time at which something begins, for drm_svm_event_add(), or 0 if
 * no file of events is open at all. Context: any.
 */
static inline u64 drm_svm_event_begin(void)
{
	return atomic_read(&drm_svm_event_files) ? ktime_get_ns() : 0;
}

/* drm_svm_stats.c */
struct drm_svm_stats *drm_svm_stats_create(void);
struct drm_svm_stats *drm_svm_stats_get(struct drm_svm_stats *stats);
void drm_svm_stats_put(struct drm_svm_stats *stats);
const char *drm_svm_counter_name(enum drm_svm_counter counter);
u64 drm_svm_counter_read(struct drm_svm_context *ctx, enum drm_svm_counter counter);
u64 drm_svm_stats_vram(struct drm_svm_stats *stats);

/* drm_svm_check.c */
int drm_svm_check_context_ops(const struct drm_svm_device *sdev,
			      const struct drm_svm_context_ops *ops);

/* drm_svm_prefetch.c */
int drm_svm_prefetch_check(struct drm_svm_context *ctx,
			   struct drm_svm_prefetch *args);
int drm_svm_prefetch_work(struct drm_svm_context *ctx,
			  struct drm_svm_prefetch *args, const bool *stop);

#endif
