/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _DRM_SVM_FAULT_H_
#define _DRM_SVM_FAULT_H_

/* Faults from the queue to their answer, and the threads that serve them. */

#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "drm_svm_policy.h"

/* Limits of an address space: queued faults, faults of one batch, workers. */
#define DRM_SVM_QUEUE_SIZE	1024U
#define DRM_SVM_BATCH_MAX	256U
#define DRM_SVM_MAX_WORKERS	16U

/* Most threads of one address space that wait for pages, and that do prefetches */
#define DRM_SVM_MAX_WAITERS	16U
#define DRM_SVM_MAX_MOVERS	4U
#define DRM_SVM_POOL_MAX	MAX(DRM_SVM_MAX_WAITERS, DRM_SVM_MAX_MOVERS)

struct drm_svm;
struct drm_svm_migrator;

/* A fault in the queue, so small that a full queue is 32 KiB. */
struct drm_svm_queued_fault {
	struct drm_svm_context *ctx;
	struct drm_svm_fault fault;
};

/* A fault in service: from the queue to fault_done(). */
struct drm_svm_fault_entry {
	struct drm_svm_context *ctx;
	struct drm_svm_fault fault;
	/* 0 or a negative errno for fault_done(), or one of the states below */
	int answer;
};

/*
 * A fault that has no answer yet; one whose page has to be waited for as well.
 * Positive, so that they cannot be mistaken for an errno.
 */
#define DRM_SVM_PENDING		1
#define DRM_SVM_MUST_WAIT	2

struct vhost_task;

/*
 * A thread of the process. @self: set when it runs for the first time.
 * @has_left: it will not look at the address space again; for the thread itself
 * only.
 */
struct drm_svm_thread {
	struct drm_svm *svm;
	struct vhost_task *task;
	struct task_struct *self;
	bool (*run)(struct drm_svm_thread *thread);
	bool has_left;
};

/*
 * All threads of an address space, under @lock. @n: those that have not left.
 * @ended: they are to leave. @abandoned: nobody waits for that, so the last one
 * queues @free_work, which frees all. @owner: the &struct signal_struct of
 * their process, only compared. @killed: see drm_svm_threads_init().
 */
struct drm_svm_threads {
	spinlock_t lock;
	unsigned int n;
	bool ended;
	bool abandoned;
	const void *owner;
	void (*killed)(struct drm_svm *svm);
	wait_queue_head_t left;
	struct work_struct free_work;
};

/*
 * A thread that serves faults. @scratch: its memory for a batch, kept as long
 * as the thread. @served: it has served a batch since it slept.
 */
struct drm_svm_worker {
	struct drm_svm_thread thread;
	struct drm_svm_scratch *scratch;
	bool served;
};

/*
 * @unsorted, @keys: used while @batch is sorted; then the same memory is for
 *	@pfns and @runs.
 * @migrator: migrates pages to VRAM; made by the first fault of a GPU with VRAM
 * @unmapped: pages of the range in service that a migration just took away from
 * all GPUs, whether they moved or not; NULL when there was none.
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
	const unsigned long *unmapped;
	struct drm_svm_migrator *migrator;
};

/*
 * Faults of one address space, in order of arrival. @lock protects all but what
 * workers have for themselves; it is irq-safe, because a driver pushes faults
 * from its interrupt handler.
 *
 * Of @nworkers workers @nmade have threads; one more is being made while
 * @growing, but not before @grow_after, in jiffies. @idle: bits of the workers
 * that sleep. @woken: a woken worker that has not begun yet. @dead: the threads
 * end with the process, so @fail_work answers the faults. @grow_pools: a worker
 * is to make threads of pools; changes without the lock.
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
	bool grow_pools;
	unsigned long grow_after;
	unsigned long idle;
	struct drm_svm_worker *woken;
	struct work_struct fail_work;
	struct drm_svm_worker worker[DRM_SVM_MAX_WORKERS];
};

struct drm_svm_pool;

/* A thread of a pool. @item: what it has in hand, under the lock, or NULL. */
struct drm_svm_pool_thread {
	struct drm_svm_thread thread;
	struct drm_svm_pool *pool;
	struct drm_svm_pool_item *item;
};

/*
 * What the threads of a pool do.
 *
 * @name: of the threads
 * @max: most threads of one address space
 * @asks: when an item is added and no thread is idle, a worker of the fault
 *	queue is asked to make one. Else only workers add items, and make threads
 *	after their batch
 * @can_take: cancelling an item takes it away from the thread that has it in
 *	hand. Else it is marked, and that thread ends it soon
 * @gone: the error with which items end whose context is being detached, or whose
 *	process has ended
 * @work: do the item of @t. Returns 0 or an error; after -EINTR and -ERESTARTSYS
 *	the item is done again later, unless it was cancelled. With @can_take the
 *	item may be taken at any time, so look at it only under the lock
 * @end: the item is over, with 0 or an error; it may be freed. No lock is held
 */
struct drm_svm_pool_ops {
	const char *name;
	unsigned int max;
	bool asks;
	bool can_take;
	int gone;
	int (*work)(struct drm_svm_pool_thread *t);
	void (*end)(struct drm_svm_pool_item *item, int err);
};

/*
 * Items for threads of the process, under @lock. @npending of them have no
 * thread yet, @nbusy threads have one in hand, or had one that was taken away.
 * @nmade threads exist; one more is being made while @growing. @idle: bits of
 * the threads that sleep. @dead: the process has ended.
 */
struct drm_svm_pool {
	struct drm_svm *svm;
	const struct drm_svm_pool_ops *ops;
	spinlock_t lock;
	struct list_head pending;
	unsigned int npending;
	unsigned int nbusy;
	unsigned int nmade;
	bool growing;
	bool dead;
	unsigned long idle;
	struct drm_svm_pool_thread thread[DRM_SVM_POOL_MAX];
};

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
void drm_svm_threads_init(struct drm_svm *svm, void (*killed)(struct drm_svm *svm),
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

/* drm_svm_pool.c */
void drm_svm_pool_init(struct drm_svm_pool *pool, struct drm_svm *svm,
		       const struct drm_svm_pool_ops *ops);
void drm_svm_pool_fini(struct drm_svm_pool *pool);
int drm_svm_pool_add(struct drm_svm_pool *pool, struct drm_svm_pool_item *item);
void drm_svm_pool_grow(struct drm_svm_pool *pool);
void drm_svm_pool_cancel(struct drm_svm_pool *pool, struct drm_svm_context *ctx,
			 const struct drm_svm_pool_item *only);
void drm_svm_pool_interrupt(struct drm_svm_pool *pool);

/* drm_svm_wait.c */
void drm_svm_wait_init(struct drm_svm *svm);
void drm_svm_wait_start(struct drm_svm *svm, struct drm_svm_fault_entry *entry);

/* drm_svm_prefetch_thread.c */
void drm_svm_prefetch_init(struct drm_svm *svm);

#if IS_ENABLED(CONFIG_KUNIT)
/* Static without KUnit; only for tests/. */
void drm_svm_fault_sort(struct drm_svm_scratch *scratch, unsigned int n);
void drm_svm_fault_skip_served(struct drm_svm_range *range,
			       struct drm_svm_fault_entry *entries,
			       unsigned int n);
unsigned int drm_svm_fault_first_pending(struct drm_svm_fault_entry *entries,
					 unsigned int n);
void drm_svm_fault_answer_pending(struct drm_svm_fault_entry *entries,
				  unsigned int n, int err);
int drm_svm_fault_check(const struct drm_svm_fault_entry *entry);
unsigned int drm_svm_fault_group(const struct drm_svm_fault_entry *entries,
				 unsigned int n);
unsigned int drm_svm_queue_share(const struct drm_svm_fault_queue *q);
unsigned int drm_svm_queue_pop(struct drm_svm_fault_queue *q,
			       struct drm_svm_fault_entry *batch);
#endif

#endif
