// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/list.h>
#include <linux/sched/signal.h>
#include <linux/spinlock.h>

#include "drm_svm_core.h"

/**
 * DOC: Pools of threads
 *
 * Work that may take long is done by threads of the process that do nothing
 * else: drm_svm_wait.c waits for pages, drm_svm_prefetch_thread.c moves them. A
 * pool has a list of such items, and a thread for each of them, up to a limit.
 * Further items wait until a thread is idle.
 *
 * Threads are made when they are needed, by a worker of the fault queue that
 * has no fault in hand, or by a thread of the pool that has no item in hand,
 * because making a thread may wait for mmap_lock and for memory. If no more can
 * be made, the existing ones have to do.
 *
 * A thread that is interrupted, because the process is to stop or to freeze,
 * puts its item back at the head of the list. Detach, and the end of the
 * process, end the items that no thread has in hand, and interrupt the threads
 * that have one.
 */

/* Wake an idle thread; returns false when there is none. */
static bool drm_svm_pool_wake_locked(struct drm_svm_pool *pool)
{
	unsigned int index;

	lockdep_assert_held(&pool->lock);
	if (!pool->idle)
		return false;
	index = __ffs(pool->idle);
	pool->idle &= ~BIT(index);
	drm_svm_thread_wake(&pool->thread[index].thread);
	return true;
}

/* Have a worker of the fault queue make threads. The first one is always there. */
static void drm_svm_pool_want_thread(struct drm_svm_pool *pool)
{
	struct drm_svm_fault_queue *q = &pool->svm->queue;

	/* full barrier: the worker sees it, or is woken */
	xchg(&q->grow_pools, true);
	drm_svm_thread_wake(&q->worker[0].thread);
}

/* Take the next item; false: there is none, and the thread is idle. */
static bool drm_svm_pool_next(struct drm_svm_pool *pool, struct drm_svm_pool_thread *t)
{
	guard(spinlock)(&pool->lock);
	t->item = list_first_entry_or_null(&pool->pending, struct drm_svm_pool_item, link);
	__assign_bit(t - pool->thread, &pool->idle, !t->item);
	if (!t->item)
		return false;
	list_del(&t->item->link);
	pool->npending--;
	pool->nbusy++;
	return true;
}

/*
 * Give the item up. Returns it if it is over, and NULL if it was taken away, or
 * was interrupted and is at the head of the list again.
 */
static struct drm_svm_pool_item *drm_svm_pool_done(struct drm_svm_pool *pool,
						   struct drm_svm_pool_thread *t, int *err)
{
	struct drm_svm_pool_item *item;

	guard(spinlock)(&pool->lock);
	pool->nbusy--;
	item = t->item;
	t->item = NULL;
	if (!item || (*err != -EINTR && *err != -ERESTARTSYS))
		return item;
	if (item->cancelled) {
		*err = -ECANCELED;
		return item;
	}
	list_add(&item->link, &pool->pending);
	pool->npending++;
	/* this thread may stay stopped alone */
	drm_svm_pool_wake_locked(pool);
	return NULL;
}

static bool drm_svm_pool_run(struct drm_svm_thread *thread)
{
	struct drm_svm_pool_thread *t = container_of(thread, struct drm_svm_pool_thread,
						     thread);
	struct drm_svm_pool *pool = t->pool;
	struct drm_svm_pool_item *item;
	int err;

	/* before an item is in hand, which detach may have to wait for */
	if (READ_ONCE(pool->npending) > 1) {
		__set_current_state(TASK_RUNNING);
		drm_svm_pool_grow(pool);
	}
	if (!drm_svm_pool_next(pool, t))
		return false;
	__set_current_state(TASK_RUNNING);
	err = pool->ops->work(t);
	item = drm_svm_pool_done(pool, t, &err);
	if (item)
		pool->ops->end(item, err);
	return true;
}

/* Return the thread to make now, or NULL: one for each item, up to the limit. */
static struct drm_svm_pool_thread *drm_svm_pool_next_thread(struct drm_svm_pool *pool)
{
	guard(spinlock)(&pool->lock);
	if (pool->growing || pool->nmade == pool->ops->max ||
	    pool->nmade >= pool->npending + pool->nbusy)
		return NULL;
	pool->growing = true;
	return &pool->thread[pool->nmade];
}

static int drm_svm_pool_add_thread(struct drm_svm_pool *pool, struct drm_svm_pool_thread *t)
{
	int err;

	t->pool = pool;
	err = drm_svm_thread_start(pool->svm, &t->thread, drm_svm_pool_run, pool->ops->name);
	guard(spinlock)(&pool->lock);
	pool->growing = false;
	if (!err)
		pool->nmade++;
	return err;
}

static bool drm_svm_pool_is_meant(const struct drm_svm_pool_item *item,
				  const struct drm_svm_context *ctx,
				  const struct drm_svm_pool_item *only)
{
	return (!ctx || item->ctx == ctx) && (!only || item == only);
}

/* Take the items that no thread has in hand. */
static void drm_svm_pool_take_locked(struct drm_svm_pool *pool,
				     const struct drm_svm_context *ctx,
				     const struct drm_svm_pool_item *only,
				     struct list_head *taken)
{
	struct drm_svm_pool_item *item, *next;

	lockdep_assert_held(&pool->lock);
	list_for_each_entry_safe(item, next, &pool->pending, link) {
		if (!drm_svm_pool_is_meant(item, ctx, only))
			continue;
		list_move_tail(&item->link, taken);
		pool->npending--;
	}
}

static void drm_svm_pool_end_all(struct drm_svm_pool *pool, struct list_head *taken, int err)
{
	struct drm_svm_pool_item *item, *next;

	list_for_each_entry_safe(item, next, taken, link)
		pool->ops->end(item, err);
}

/**
 * drm_svm_pool_grow() - make a thread for each item, if possible
 * @pool: the pool
 *
 * If there is no thread at all and none can be made, the items end with an
 * error, because nothing would ever do them. If a signal prevented it, a worker
 * tries again.
 *
 * Context: a worker of the fault queue that has no fault in hand, or a thread
 * of the pool that has no item in hand.
 */
void drm_svm_pool_grow(struct drm_svm_pool *pool)
{
	struct drm_svm_pool_thread *t;
	LIST_HEAD(taken);
	int err = 0;

	if (!READ_ONCE(pool->npending))
		return;
	while (!err && (t = drm_svm_pool_next_thread(pool)))
		err = drm_svm_pool_add_thread(pool, t);
	if (!err)
		return;
	if (err == -ERESTARTNOINTR && !fatal_signal_pending(current)) {
		drm_svm_pool_want_thread(pool);
		return;
	}
	/* else there is a thread, or another task is making one */
	scoped_guard(spinlock, &pool->lock)
		if (!pool->nmade && !pool->growing)
			drm_svm_pool_take_locked(pool, NULL, NULL, &taken);
	drm_svm_pool_end_all(pool, &taken, fatal_signal_pending(current) ? pool->ops->gone : err);
}

/**
 * drm_svm_pool_add() - have a thread do an item
 * @pool: the pool
 * @item: what to do, with its context; the pool's until it ends
 *
 * If no thread is idle, drm_svm_pool_grow() has to follow, unless the pool asks
 * a worker for that, see &struct drm_svm_pool_ops.
 *
 * Context: process context, of any process.
 * Return: 0; &drm_svm_pool_ops.gone when the context is being detached, or the
 * process has ended: then the item is the caller's. After 0 it may be over, and
 * its context gone, on return.
 */
int drm_svm_pool_add(struct drm_svm_pool *pool, struct drm_svm_pool_item *item)
{
	guard(spinlock)(&pool->lock);
	/* detach sets it, and then takes the lock; so does the end of the process */
	if (READ_ONCE(item->ctx->dead) || pool->dead)
		return pool->ops->gone;
	list_add_tail(&item->link, &pool->pending);
	pool->npending++;
	/* under the lock: else the item may be over, and the address space gone */
	if (!drm_svm_pool_wake_locked(pool) && pool->ops->asks &&
	    pool->nmade < pool->ops->max)
		drm_svm_pool_want_thread(pool);
	return 0;
}

/**
 * drm_svm_pool_cancel() - end items
 * @pool: the pool
 * @ctx: the context whose items end, or NULL for all, of a process that has
 *	ended
 * @only: of these items only this one, which may be over already; or NULL
 *
 * An item that no thread has in hand ends here, with &drm_svm_pool_ops.gone, or
 * with -ECANCELED if @only names it. So does an item in hand if the pool can take
 * it away from its thread; else the thread ends it soon, with -ECANCELED.
 *
 * Context: process context, no lock held that the end of an item takes.
 */
void drm_svm_pool_cancel(struct drm_svm_pool *pool, struct drm_svm_context *ctx,
			 const struct drm_svm_pool_item *only)
{
	struct drm_svm_pool_thread *t;
	LIST_HEAD(taken);

	scoped_guard(spinlock, &pool->lock) {
		pool->dead |= !ctx;
		/* a thread that was just made may not be counted yet */
		for (t = pool->thread; t < &pool->thread[pool->ops->max]; t++) {
			if (!t->item || !drm_svm_pool_is_meant(t->item, ctx, only))
				continue;
			WRITE_ONCE(t->item->cancelled, true);
			drm_svm_thread_interrupt(&t->thread);
			if (!pool->ops->can_take)
				continue;
			list_add_tail(&t->item->link, &taken);
			t->item = NULL;
		}
		drm_svm_pool_take_locked(pool, ctx, only, &taken);
	}
	drm_svm_pool_end_all(pool, &taken, only ? -ECANCELED : pool->ops->gone);
}

/* End the waits of all threads; their items go back to the list. */
void drm_svm_pool_interrupt(struct drm_svm_pool *pool)
{
	unsigned int i;

	for (i = 0; i < pool->ops->max; i++)
		drm_svm_thread_interrupt(&pool->thread[i].thread);
}

/* The caller has initialized the lock, so that each pool has a class of its own. */
void drm_svm_pool_init(struct drm_svm_pool *pool, struct drm_svm *svm,
		       const struct drm_svm_pool_ops *ops)
{
	pool->svm = svm;
	pool->ops = ops;
	INIT_LIST_HEAD(&pool->pending);
}

/* There are no contexts, and so no items; the threads have left. */
void drm_svm_pool_fini(struct drm_svm_pool *pool)
{
	unsigned int i;

	for (i = 0; i < pool->ops->max; i++)
		drm_svm_thread_join(&pool->thread[i].thread);
	WARN_ON(!list_empty(&pool->pending));
}
