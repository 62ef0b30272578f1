/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _DRM_SVM_INTERNAL_H_
#define _DRM_SVM_INTERNAL_H_

#include <kunit/visibility.h>

#include <linux/bitmap.h>
#include <linux/export.h>
#include <linux/hashtable.h>
#include <linux/hmm.h>
#include <linux/kref.h>
#include <linux/llist.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/pgtable.h>
#include <linux/rcupdate.h>
#include <linux/sizes.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include <drm/drm_svm.h>

/* A range is one PMD of address space; a page of it is named by its index. */
#define DRM_SVM_RANGE_SIZE	PMD_SIZE
#define DRM_SVM_RANGE_MASK	PMD_MASK
#define DRM_SVM_RANGE_PAGES	(1U << (PMD_SHIFT - PAGE_SHIFT))

/* Faults that one address space queues, and that one worker takes at once. */
#define DRM_SVM_QUEUE_SIZE	1024U
#define DRM_SVM_BATCH_MAX	256U
#define DRM_SVM_MAX_WORKERS	16U

/* Threads of one address space that wait for pages. */
#define DRM_SVM_MAX_WAITERS	16U

struct drm_svm_filler;
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

/* The counters of a context; held by the context and by each BO made for it. */
struct drm_svm_stats {
	struct kref ref;
	struct drm_svm_stat_values __percpu *values;
};

/* Any context. */
static inline void drm_svm_stats_add(struct drm_svm_stats *stats,
				     enum drm_svm_stat stat, u64 n)
{
	this_cpu_add(stats->values->v[stat], n);
}

static inline void drm_svm_stat_add(struct drm_svm_context *ctx,
				    enum drm_svm_stat stat, u64 n)
{
	drm_svm_stats_add(ctx->stats, stat, n);
}

/* A fault in the queue: so small that all of these are 32 KiB. */
struct drm_svm_queued_fault {
	struct drm_svm_context *ctx;
	struct drm_svm_fault fault;
};

/* One fault on its way: from the queue to fault_done(). */
struct drm_svm_fault_entry {
	struct drm_svm_context *ctx;
	struct drm_svm_fault fault;
	/* DRM_SVM_PENDING, DRM_SVM_MUST_WAIT, 0 or a negative errno */
	int err;
};

/* Positive, so that they cannot be mistaken for an errno. */
#define DRM_SVM_PENDING		1
#define DRM_SVM_MUST_WAIT	2

struct vhost_task;

/*
 * A thread of the process. @self: set when it runs for the first time. @has_left: it
 * will not look at the address space again; for itself alone.
 */
struct drm_svm_thread {
	struct drm_svm *svm;
	struct vhost_task *task;
	struct task_struct *self;
	bool (*run)(struct drm_svm_thread *thread);
	bool has_left;
};

/*
 * All threads of an address space, under @lock: @n have not left. @ended: they are to.
 * @abandoned: nobody waits for that, so the last one has all freed by @free_work. @gone:
 * called when the process has ended first.
 */
struct drm_svm_threads {
	spinlock_t lock;
	unsigned int n;
	bool ended;
	bool abandoned;
	void (*gone)(struct drm_svm *svm);
	wait_queue_head_t left;
	struct work_struct free_work;
};

/*
 * One that serves faults. @scratch: what it needs for a batch; there as long as the thread.
 * @served: it has, since it slept.
 */
struct drm_svm_worker {
	struct drm_svm_thread thread;
	struct drm_svm_scratch *scratch;
	bool served;
};

/*
 * @unsorted, @keys: for the time that @batch is sorted; then there is room for @pfns and
 * @runs.
 * @filler: what moves pages to VRAM; made by the first fault of a GPU that has any.
 */
struct drm_svm_scratch {
	struct drm_svm_fault_entry batch[DRM_SVM_BATCH_MAX];
	union {
		struct {
			struct drm_svm_fault_entry unsorted[DRM_SVM_BATCH_MAX];
			u64 keys[2][DRM_SVM_BATCH_MAX];
		};
		struct {
			unsigned long pfns[DRM_SVM_RANGE_PAGES];
			struct drm_svm_run runs[DRM_SVM_RANGE_PAGES];
		};
	};
	struct drm_svm_filler *filler;
};

/*
 * Faults of one address space, in order of arrival. @lock (irq-safe: a driver
 * pushes from its interrupt handler) protects all but what workers have for themselves.
 *
 * @woken: the worker that is on its way. @nmade of @nworkers have threads; one more is
 * being made while @growing. @dead: all threads are gone with the process, so @fail_work
 * answers.
 */
struct drm_svm_fault_queue {
	spinlock_t lock;
	struct drm_svm_queued_fault *ring;
	unsigned int head;
	unsigned int count;
	unsigned int nworkers;
	unsigned int nmade;
	bool growing;
	bool dead;
	unsigned long idle;
	struct drm_svm_worker *woken;
	struct work_struct fail_work;
	struct drm_svm_worker worker[DRM_SVM_MAX_WORKERS];
};

/* A fault that waits for its page. */
struct drm_svm_waiter {
	struct list_head link;
	struct drm_svm_fault_entry entry;
};

/* @waiter: what it is doing; under the lock, NULL when nobody needs it any longer. */
struct drm_svm_wait_thread {
	struct drm_svm_thread thread;
	struct drm_svm_waiter *waiter;
};

/*
 * Faults that wait for their page, under @lock. @npending of them have no thread yet,
 * @nbusy threads have something to do. @nmade threads there are; one more is being made
 * while @growing.
 */
struct drm_svm_waiters {
	spinlock_t lock;
	struct list_head pending;
	unsigned int npending;
	unsigned int nbusy;
	unsigned int nmade;
	bool growing;
	unsigned long idle;
	struct drm_svm_wait_thread thread[DRM_SVM_MAX_WAITERS];
};

/*
 * Ranges whose memory was unmapped; @list is a lock-less producer list. @scanning
 * and @next_scan: one scan for idle ranges at a time, and not too often.
 */
struct drm_svm_gc {
	struct llist_head list;
	struct delayed_work work;
	unsigned long scanning;
	unsigned long next_scan;
};

/*
 * One shared address space. Found by mm, which is held by mmgrab() only: the
 * address space of a process that ends must not live on because a GPU saw it.
 */
struct drm_svm {
	struct kref ref;
	struct rcu_head rcu;
	struct mm_struct *mm;
	struct hlist_node node;

	/*
	 * Looked up under RCU. The key is the address, XOR @base, where the process has
	 * most of its mappings: it is small for these, so that the first ranges need no
	 * path of nodes down from the top of the address space.
	 */
	struct xarray ranges;
	unsigned long base;
	atomic_long_t nranges;

	struct drm_svm_fault_queue queue;
	struct drm_svm_waiters waiters;
	struct drm_svm_threads threads;
	struct drm_svm_gc gc;

	/* See drm_svm_slice_prepare_cgroup(). */
	u64 huge_cgroup;
};

/* State bits of a range. */
#define DRM_SVM_RANGE_REMOVED	0	/* under service_lock */
#define DRM_SVM_RANGE_IN_GC	1	/* on the list of struct drm_svm_gc */

/*
 * What one context has of a range: @nmapped pages. @ticket is the flush that the last
 * cleared entry needs. @vram: pages mapped in VRAM; @peer: those in that of another GPU.
 * @dma_addr, a page each, only for devices that track DMA. @err belongs to the try that is
 * under way. So does @prepared: the driver has promised that a map needs no memory.
 * Service sets it before it asks the driver; an unmap of the whole range, which ends the
 * promise, clears it under pt_lock, and so does the start of the next try.
 *
 * @nmapped and the bitmaps change under pt_lock. Service looks at them under service_lock
 * alone, where they can lose bits meanwhile: then a fault is answered that
 * comes again, or one page more is mapped.
 */
struct drm_svm_view {
	struct list_head link;
	struct drm_svm_context *ctx;
	u64 ticket;
	dma_addr_t *dma_addr;
	bool prepared;
	int err;
	unsigned int nmapped;
	/* the last ones: they are cleared together */
	DECLARE_BITMAP(mapped, DRM_SVM_RANGE_PAGES);
	DECLARE_BITMAP(writable, DRM_SVM_RANGE_PAGES);
	DECLARE_BITMAP(vram, DRM_SVM_RANGE_PAGES);
	DECLARE_BITMAP(peer, DRM_SVM_RANGE_PAGES);
};

/*
 * One PMD_SIZE window of address space.
 *
 * @service_lock: one service at a time; outside of mmap_lock.
 * @pt_lock: taken inside of MMU notifiers, so nothing that may reclaim under
 *	it. Protects @views, their bitmaps and the page tables of the window.
 *	The list itself changes under both locks.
 * @finish: the second pass of an invalidation, for one at a time (@finishing);
 *	others that run at the same moment do both passes at once.
 * @holder: the task that collects a huge page of it, with @held; see
 *	drm_svm_range_hold().
 * @view: that of one context, as most ranges have no other; without one its ctx is
 *	NULL.
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

static inline unsigned int drm_svm_page_index(unsigned long addr)
{
	return (addr & ~DRM_SVM_RANGE_MASK) >> PAGE_SHIFT;
}

static inline unsigned long drm_svm_page_addr(const struct drm_svm_range *range,
					      unsigned int index)
{
	return range->start + ((unsigned long)index << PAGE_SHIFT);
}

static inline bool drm_svm_pfn_is_valid(unsigned long pfn)
{
	return (pfn & (HMM_PFN_VALID | HMM_PFN_ERROR)) == HMM_PFN_VALID;
}

/* Whether the CPU maps the page as part of a huge one, as large as a range. */
static inline bool drm_svm_pfn_is_huge(unsigned long pfn)
{
	return hmm_pfn_to_map_order(pfn) >= PMD_SHIFT - PAGE_SHIFT;
}

/*
 * mmap_lock for reading; false when it was tried, and is taken. Its holder may wait for user
 * space, so the first tries of a fault do not wait for it. A later one is patient: against a
 * task that takes the lock again and again, trying alone might never succeed. That wait ends,
 * with false, when the process is to stop or to end, or when a context is being detached:
 * mmap_read_lock_killable() would not do.
 */
static inline bool drm_svm_mmap_read_lock(struct mm_struct *mm, bool patient)
{
	if (!patient)
		return mmap_read_trylock(mm);
	return !down_read_interruptible(&mm->mmap_lock);
}

/* Whether all of the range that begins at @start is in the mapping. */
static inline bool drm_svm_vma_has_range(const struct vm_area_struct *vma,
					 unsigned long start)
{
	return vma->vm_start <= start && vma->vm_end - start >= DRM_SVM_RANGE_SIZE;
}

/* Whether the GPU can already do @access to page @index. */
static inline bool drm_svm_view_covers(const struct drm_svm_view *view,
				       unsigned int index, u32 access)
{
	if (access & DRM_SVM_ACCESS_WRITE)
		return test_bit(index, view->writable);
	return test_bit(index, view->mapped);
}

/* drm_svm_core.c */
extern struct workqueue_struct *drm_svm_idle_wq;
int drm_svm_core_init(void);
void drm_svm_core_exit(void);
u64 drm_svm_context_va_end(const struct drm_svm_context *ctx);
void drm_svm_context_put_busy(struct drm_svm_context *ctx);
void drm_svm_fault_might_wait(void);
void drm_svm_fault_finish(struct drm_svm_fault_entry *entry);
extern unsigned long drm_svm_notice_after;
void drm_svm_notice_detach(struct drm_svm_context *ctx);
#ifdef CONFIG_LOCKDEP
extern struct lockdep_map drm_svm_fault_done_map;
#endif

/* drm_svm_space.c */
struct drm_svm *drm_svm_space_find(struct mm_struct *mm, struct drm_svm *spare);
void drm_svm_space_remove(struct drm_svm *svm);
void drm_svm_space_teach_lockdep(void);
struct drm_svm_range *drm_svm_range_find(struct mm_struct *mm,
					 unsigned long addr);

/* drm_svm_check.c */
int drm_svm_check_context_ops(const struct drm_svm_device *sdev,
			      const struct drm_svm_context_ops *ops);

/* drm_svm_range.c */
struct drm_svm_range *drm_svm_range_lookup(struct drm_svm *svm,
					   unsigned long addr);
struct drm_svm_range *drm_svm_range_next(struct drm_svm *svm,
					 unsigned long *key);
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
bool drm_svm_range_hold(struct drm_svm_range *range, struct migrate_vma *args);
void drm_svm_range_release_held(struct drm_svm_range *range);
void drm_svm_range_break_hold_locked(struct drm_svm_range *range);

/* drm_svm_mirror.c */
int drm_svm_mirror_try(struct drm_svm_range *range,
		       struct drm_svm_scratch *scratch,
		       struct drm_svm_fault_entry *entries, unsigned int n,
		       bool patient);

/* drm_svm_populate.c */
int drm_svm_populate_page(struct vm_area_struct *vma, unsigned long addr,
			  u32 access);
bool drm_svm_populate_is_protected(struct vm_area_struct *vma, u32 access,
				   unsigned long pfn);
void drm_svm_populate_writable(struct vm_area_struct *vma, unsigned long start,
			       unsigned long end, unsigned long *pfns);

/* drm_svm_run.c */
int drm_svm_run_map_locked(struct drm_svm_range *range,
			   struct drm_svm_view *view,
			   struct drm_svm_scratch *scratch, unsigned int first,
			   unsigned int last, const unsigned long *writes);
void drm_svm_run_unmap_dma(struct drm_svm_view *view, unsigned int first,
			   unsigned int last);

/* drm_svm_fault.c */
void drm_svm_fault_serve(struct drm_svm *svm, struct drm_svm_scratch *scratch,
			 unsigned int n);
struct drm_svm_scratch *drm_svm_scratch_alloc(void);
void drm_svm_scratch_free(struct drm_svm_scratch *scratch);

/* drm_svm_thread.c */
int drm_svm_thread_start(struct drm_svm *svm, struct drm_svm_thread *thread,
			 bool (*run)(struct drm_svm_thread *thread), const char *name);
void drm_svm_thread_wake(struct drm_svm_thread *thread);
void drm_svm_thread_interrupt(struct drm_svm_thread *thread);
void drm_svm_thread_join(struct drm_svm_thread *thread);
void drm_svm_threads_init(struct drm_svm *svm, void (*gone)(struct drm_svm *svm),
			  work_func_t free_work);
void drm_svm_threads_end(struct drm_svm *svm);
bool drm_svm_threads_wait(struct drm_svm *svm);

/* drm_svm_fault_queue.c */
int drm_svm_fault_queue_init(struct drm_svm *svm);
int drm_svm_fault_queue_start(struct drm_svm *svm);
void drm_svm_fault_queue_fini(struct drm_svm *svm);
void drm_svm_fault_queue_cancel(struct drm_svm *svm, struct drm_svm_context *ctx);
void drm_svm_fault_queue_die(struct drm_svm *svm);
void drm_svm_fault_queue_interrupt(struct drm_svm *svm);

/* drm_svm_wait.c */
void drm_svm_wait_init(struct drm_svm *svm);
void drm_svm_wait_fini(struct drm_svm *svm);
void drm_svm_wait_start(struct drm_svm *svm, struct drm_svm_fault_entry *entry);
void drm_svm_wait_cancel(struct drm_svm *svm, struct drm_svm_context *ctx, int err);
void drm_svm_wait_interrupt(struct drm_svm *svm);

/* drm_svm_stats.c */
struct drm_svm_stats *drm_svm_stats_create(void);
struct drm_svm_stats *drm_svm_stats_get(struct drm_svm_stats *stats);
void drm_svm_stats_put(struct drm_svm_stats *stats);
u64 drm_svm_stat_read(struct drm_svm_context *ctx, enum drm_svm_stat stat);
u64 drm_svm_stat_left(struct drm_svm_context *ctx, enum drm_svm_stat in,
		      enum drm_svm_stat out);
u64 drm_svm_stat_gauge(struct drm_svm_context *ctx, enum drm_svm_stat stat);

/* drm_svm_sync.c */
struct drm_svm_syncs;
int drm_svm_syncs_wait(struct drm_file *file, u64 syncs, unsigned int n);
struct drm_svm_syncs *drm_svm_syncs_find(struct drm_file *file, u64 syncs,
					 unsigned int n);
void drm_svm_syncs_signal(struct drm_svm_syncs *s);
void drm_svm_syncs_free(struct drm_svm_syncs *s);

/* drm_svm_prefetch.c */
int drm_svm_prefetch_work(struct drm_svm_context *ctx,
			  struct drm_svm_prefetch *args);

/* drm_svm_policy.c */
/* How much larger than what is in use a window is at most, by what is done with it */
#define DRM_SVM_GROWTH_MAP	2
#define DRM_SVM_GROWTH_MOVE	8
void drm_svm_policy_bounds(const struct drm_svm_range *range,
			   const struct vm_area_struct *vma, unsigned int *lo,
			   unsigned int *hi);
void drm_svm_policy_window(const struct drm_svm_view *view, unsigned int index,
			   unsigned int growth, unsigned int *first,
			   unsigned int *last);
bool drm_svm_policy_is_in_use(const struct drm_svm_context *ctx,
			      const struct drm_svm_view *view, bool more);
void drm_svm_policy_ahead(const unsigned long *there, unsigned int index,
			  unsigned int *first, unsigned int *last);
unsigned int drm_svm_policy_slice(const struct drm_svm_view *view,
				  unsigned int first, unsigned int last);
int drm_svm_policy_check_vma(struct vm_area_struct *vma, u32 access);
bool drm_svm_policy_has_vram(struct vm_area_struct *vma, u32 access);
bool drm_svm_policy_may_move(struct vm_area_struct *vma, u32 access);
bool drm_svm_policy_may_be_whole(struct vm_area_struct *vma, unsigned long start);
bool drm_svm_policy_is_whole(const struct vm_area_struct *vma,
			     unsigned long start, unsigned long pfn);
void drm_svm_policy_home(unsigned long addr, bool huge, unsigned long gone,
			 unsigned long *start, unsigned long *end);
bool drm_svm_policy_may_write(struct folio *folio);

#if IS_ENABLED(CONFIG_KUNIT)
/* Static in other kernels; for tests/ alone. */
void drm_svm_fault_sort(struct drm_svm_scratch *scratch, unsigned int n);
void drm_svm_fault_skip_served(struct drm_svm_range *range,
			       struct drm_svm_fault_entry *entries,
			       unsigned int n);
unsigned int drm_svm_fault_first_pending(struct drm_svm_fault_entry *entries,
					 unsigned int n);
void drm_svm_fault_fail_pending(struct drm_svm_fault_entry *entries,
				unsigned int n, int err);
int drm_svm_fault_check(const struct drm_svm_fault_entry *entry);
unsigned int drm_svm_fault_group(const struct drm_svm_fault_entry *entries,
				 unsigned int n);
unsigned int drm_svm_queue_share(const struct drm_svm_fault_queue *q);
unsigned int drm_svm_queue_pop(struct drm_svm_fault_queue *q,
			       struct drm_svm_fault_entry *batch);
#endif

#endif
