// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A queue: jobs that run one after the other on an engine. Queues do not wait for
 * each other.
 *
 * Data model. The first job of a queue runs, the others wait for it. A queue is in
 * one of these states:
 *
 * - on a run list, when its first job can go on: its in-syncs signalled and the fault
 *   that it waits for is answered, or the job is to be stopped, or the queue is closing;
 * - running: taken off the run list by the engine's thread, for a time slice;
 * - on the stalled list, when the fault buffer had no room for a miss; all of that list
 *   goes back to the run lists when the buffer was drained. While the engine is paused
 *   all that could run is there, but for queues that are closing;
 * - on the blocked list, when its first job waits for a user fence. It goes back when
 *   that fence is signalled by an engine, and from time to time: see svm_test_wait.c;
 * - in no list, when it is empty or its first job waits for something else.
 *
 * Only the engine's thread ends jobs, from the head of a queue, so they end in order.
 * Other threads only stop a job: its commands end where they are, and the engine's thread
 * still writes its report and signals its user fence. A job that is forced does not wait
 * for the memory of these two, and ends without them. A queue that is closing ends its
 * jobs without a fence, because the memory may be about to go.
 *
 * A job waits for the first of its faults alone, the access that is next. The others
 * are of accesses ahead. Memory ahead may never be accessed, so a job goes on beside
 * such a fault. When its commands are over it waits for all of those: what they do to
 * the memory must not come after its fence. So a queue has no more such faults in flight
 * than there are lanes, and no slot is used twice. The first fault may never be
 * answered, and is abandoned when its job is stopped.
 *
 * Locking. svm_test_engine.lock, with interrupts off. Nothing is locked inside of it.
 */

#include <linux/cleanup.h>
#include <linux/dma-fence.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/slab.h>

#include <drm/drm_svm_test.h>

#include "svm_test_device.h"
#include "svm_test_engine.h"
#include "svm_test_file.h"
#include "svm_test_job.h"
#include "svm_test_queue.h"
#include "svm_test_vm.h"

/* Blocked queues that look at their fence in one jiffy, at least; and jiffies for all */
#define LOOKS_PER_JIFFY	16U
#define LOOK_JIFFIES	8U

/* How long a job that was stopped may take to report and to signal, at least */
#define LAST_TIME	NSEC_PER_SEC

/**
 * svm_test_queue_first() - the job that runs, or is next to
 * @queue: the queue, the lock of its engine held
 *
 * Return: the job, or NULL when there is none.
 */
struct svm_test_job *svm_test_queue_first(struct svm_test_queue *queue)
{
	lockdep_assert_held(&queue->engine->lock);

	return list_first_entry_or_null(&queue->jobs, struct svm_test_job, link);
}

static bool queue_can_run(const struct svm_test_queue *queue,
			  const struct svm_test_job *job)
{
	if (queue->closing || queue->stop)
		return true;
	if (job->settles)
		return !queue->ahead;
	return !job->awaits && job->move != SVM_TEST_MOVE_RUNNING &&
	       svm_test_job_is_ready(job);
}

/**
 * svm_test_queue_update_locked() - put a queue on the run list if it belongs there
 * @queue: the queue, the lock of its engine held
 */
void svm_test_queue_update_locked(struct svm_test_queue *queue)
{
	struct svm_test_job *job = svm_test_queue_first(queue);
	struct svm_test_engine *engine = queue->engine;

	if (!job || queue->running || !list_empty(&queue->link) ||
	    !queue_can_run(queue, job))
		return;

	if (engine->paused && !queue->closing) {
		list_add_tail(&queue->link, &engine->stalled);
		return;
	}
	/* Somebody waits for the end of a queue that is closing. */
	if (queue->closing)
		list_add(&queue->link, &engine->runnable[DRM_SVM_TEST_PRIORITY_HIGH]);
	else
		list_add_tail(&queue->link, &engine->runnable[queue->priority]);
	wake_up(&engine->wait);
}

/* Have the engine look at a queue, wherever it is. */
static void queue_kick_locked(struct svm_test_queue *queue)
{
	lockdep_assert_held(&queue->engine->lock);

	if (queue->blocked)
		queue->engine->num_blocked--;
	queue->blocked = false;
	list_del_init(&queue->link);
	svm_test_queue_update_locked(queue);
}

/**
 * svm_test_queue_limit_locked() - the time of the first job begins
 * @queue: the queue, the lock of its engine held
 *
 * That of its commands; or, when it was stopped, that of its end.
 */
void svm_test_queue_limit_locked(struct svm_test_queue *queue)
{
	struct svm_test_job *job = svm_test_queue_first(queue);
	ktime_t limit = queue->limit, from = ktime_get();

	if (!limit)
		return;
	/* Fences have to signal, however many jobs are before. */
	if (queue->engine->buffers)
		from = job->submitted;
	else if (job->stopped)
		limit = max_t(ktime_t, limit, LAST_TIME);
	queue->deadline = ktime_add_safe(from, limit);
	hrtimer_start(&queue->timer, queue->deadline, HRTIMER_MODE_ABS);
}

/* Another job has become the first one. */
static void queue_begin_locked(struct svm_test_queue *queue)
{
	struct svm_test_job *job = svm_test_queue_first(queue);

	queue->stop = 0;
	queue->force = false;
	queue->deadline = KTIME_MAX;
	if (!job)
		return;
	if (job->cancelled || job->seqno <= queue->cancelled)
		queue->stop = DRM_SVM_TEST_STATUS_CANCELLED;
	queue->force = job->forced || job->seqno <= queue->forced;
	svm_test_queue_limit_locked(queue);
}

static enum hrtimer_restart queue_timer(struct hrtimer *timer)
{
	struct svm_test_queue *queue = container_of(timer, struct svm_test_queue, timer);

	guard(spinlock_irqsave)(&queue->engine->lock);

	/* It may have been that of the job before. */
	if (ktime_before(ktime_get(), queue->deadline))
		return HRTIMER_NORESTART;
	queue->deadline = KTIME_MAX;
	queue->stop = DRM_SVM_TEST_STATUS_TIMEOUT;
	/* The second time: its memory does not come. */
	queue->force |= svm_test_queue_first(queue)->stopped;
	queue_kick_locked(queue);
	return HRTIMER_NORESTART;
}

/* The fence that the first job waits for may have changed. */
static void queue_wake(struct svm_test_wait *wait)
{
	struct svm_test_queue *queue = container_of(wait, struct svm_test_queue, wait);

	guard(spinlock_irq)(&queue->engine->lock);

	queue->woken = true;
	if (queue->blocked)
		queue_kick_locked(queue);
}

/**
 * svm_test_queue_create() - make an empty queue
 * @engine: where its jobs will run
 * @priority: enum drm_svm_test_priority
 * @limit_ns: nanoseconds that a job may be the first one, or zero
 *
 * Return: the queue, or NULL when there is no memory.
 */
struct svm_test_queue *svm_test_queue_create(struct svm_test_engine *engine,
					     u32 priority, u64 limit_ns)
{
	struct svm_test_queue *queue;

	queue = kzalloc_obj(*queue, GFP_KERNEL_ACCOUNT);
	if (!queue)
		return NULL;

	kref_init(&queue->ref);
	queue->engine = engine;
	queue->priority = priority;
	queue->limit = min_t(u64, limit_ns, KTIME_MAX);
	queue->deadline = KTIME_MAX;
	INIT_LIST_HEAD(&queue->jobs);
	INIT_LIST_HEAD(&queue->link);
	queue->wait.wake = queue_wake;
	queue->fence_context = dma_fence_context_alloc(1);
	hrtimer_setup(&queue->timer, queue_timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
	return queue;
}

/**
 * svm_test_queue_create_first() - make the queues that a file has from the start
 * @file: the file, not open yet
 *
 * Return: 0 or -ENOMEM.
 */
int svm_test_queue_create_first(struct svm_test_file *file)
{
	struct svm_test_device *gpu = file->gpu;
	struct svm_test_queue *queue;
	unsigned int i;
	int err;

	for (i = 0; i < gpu->config.engines; i++) {
		queue = svm_test_queue_create(gpu->engines[i],
					      DRM_SVM_TEST_PRIORITY_NORMAL, 0);
		if (!queue)
			return -ENOMEM;
		err = xa_insert(&file->queues, i, queue, GFP_KERNEL);
		if (err) {
			svm_test_queue_put(queue);
			return err;
		}
		file->num_queues++;
	}
	return 0;
}

static void queue_release(struct kref *ref)
{
	struct svm_test_queue *queue = container_of(ref, struct svm_test_queue, ref);

	WARN_ON(!list_empty(&queue->jobs) || !list_empty(&queue->link));
	hrtimer_cancel(&queue->timer);
	kfree(queue);
}

/**
 * svm_test_queue_get() - take a reference
 * @queue: the queue
 *
 * Return: @queue.
 */
struct svm_test_queue *svm_test_queue_get(struct svm_test_queue *queue)
{
	kref_get(&queue->ref);
	return queue;
}

/**
 * svm_test_queue_put() - drop a reference
 * @queue: the queue
 */
void svm_test_queue_put(struct svm_test_queue *queue)
{
	kref_put(&queue->ref, queue_release);
}

/**
 * svm_test_queue_add() - queue a job
 * @job: the job, whose reference goes to its queue
 */
void svm_test_queue_add(struct svm_test_job *job)
{
	struct svm_test_queue *queue = job->queue;
	struct svm_test_engine *engine = queue->engine;

	guard(spinlock_irq)(&engine->lock);

	list_add_tail(&job->link, &queue->jobs);
	WRITE_ONCE(engine->load, engine->load + 1);
	if (list_is_first(&job->link, &queue->jobs))
		queue_begin_locked(queue);
	svm_test_queue_update_locked(queue);
}

/**
 * svm_test_queue_retire() - take a job that has ended out of its queue
 * @job: the first job, on its engine; the reference of the queue is dropped
 */
void svm_test_queue_retire(struct svm_test_job *job)
{
	struct svm_test_engine *engine = job->queue->engine;

	scoped_guard(spinlock_irq, &engine->lock) {
		list_del_init(&job->link);
		WRITE_ONCE(engine->load, engine->load - 1);
		queue_begin_locked(job->queue);
	}
	svm_test_job_put(job);
}

/**
 * svm_test_queue_block() - the first job waits for a user fence
 * @queue: the queue, running, of the calling engine
 * @mm: whose address it is
 * @addr: address of the fence
 *
 * The first time the engine is to look once more: only from now on a signal is noticed.
 */
void svm_test_queue_block(struct svm_test_queue *queue, const void *mm, u64 addr)
{
	struct svm_test_engine *engine = queue->engine;
	bool waits = !hlist_unhashed(&queue->wait.node) && queue->wait.mm == mm &&
		     queue->wait.addr == addr;

	if (!waits) {
		svm_test_wait_end(&queue->wait);
		svm_test_wait_begin(&queue->wait, mm, addr);
	}

	guard(spinlock_irq)(&engine->lock);

	queue->running = false;
	if (!waits || queue->woken || queue->stop || queue->closing) {
		svm_test_queue_update_locked(queue);
		return;
	}
	queue->blocked = true;
	list_add_tail(&queue->link, &engine->blocked);
	if (!engine->num_blocked++ && engine->gpu->config.look)
		mod_timer(&engine->look, jiffies + 1);
}

/**
 * svm_test_queue_look() - have the queues that wait for user fences look at them
 * @timer: &svm_test_engine.look
 *
 * Called from time to time while there are any, for what the CPU signals.
 */
void svm_test_queue_look(struct timer_list *timer)
{
	struct svm_test_engine *engine = timer_container_of(engine, timer, look);
	struct svm_test_queue *queue;
	unsigned int n;

	guard(spinlock_irqsave)(&engine->lock);

	/* Those that still wait come back behind the others. */
	n = max(LOOKS_PER_JIFFY, engine->num_blocked / LOOK_JIFFIES);
	for (n = min(engine->num_blocked, n); n; n--) {
		queue = list_first_entry(&engine->blocked, struct svm_test_queue, link);
		queue_kick_locked(queue);
	}
	if (engine->num_blocked)
		mod_timer(&engine->look, jiffies + 1);
}

static void queue_moved(struct drm_svm_prefetch_work *work, int err)
{
	struct svm_test_job *job = container_of(work, struct svm_test_job, prefetch);

	scoped_guard(spinlock_irq, &job->queue->engine->lock) {
		job->move_err = err;
		/* Pairs with svm_test_job_move() */
		smp_store_release(&job->move, SVM_TEST_MOVE_DONE);
		svm_test_queue_update_locked(job->queue);
	}
	svm_test_job_put(job);
}

/**
 * svm_test_queue_move() - have drm_svm do the prefetch of a job
 * @job: the first job, on its engine, with what is to be moved
 *
 * The job waits for the end of it.
 *
 * Return: 0 or an error of drm_svm_prefetch_queue().
 */
int svm_test_queue_move(struct svm_test_job *job)
{
	int err;

	/* Before: the end may come at once. */
	job->prefetch.done = queue_moved;
	scoped_guard(spinlock_irq, &job->queue->engine->lock)
		job->move = SVM_TEST_MOVE_RUNNING;
	svm_test_job_get(job);
	err = drm_svm_prefetch_queue(&job->vm->ctx, &job->prefetch);
	if (err)
		svm_test_job_put(job);
	return err;
}

/**
 * svm_test_queue_job_ready() - the last in-sync of a job has signalled
 * @job: the job, queued or about to be
 *
 * Any context.
 */
void svm_test_queue_job_ready(struct svm_test_job *job)
{
	struct svm_test_queue *queue = job->queue;

	guard(spinlock_irqsave)(&queue->engine->lock);

	svm_test_queue_update_locked(queue);
}

/**
 * svm_test_queue_free_slots() - how many misses may a job note?
 * @job: the job, on its engine, waiting for nothing
 *
 * Return: all slots, or only the first while faults ahead are in flight.
 */
unsigned int svm_test_queue_free_slots(struct svm_test_job *job)
{
	struct svm_test_engine *engine = job->queue->engine;

	guard(spinlock_irq)(&engine->lock);

	return job->queue->ahead ? 1 : engine->gpu->config.lanes;
}

/**
 * svm_test_queue_fault_done() - a posted fault is over
 * @slot: the miss
 * @err: 0 when the access can be tried again
 *
 * Drops the reference of the fault to the job.
 */
void svm_test_queue_fault_done(struct svm_test_slot *slot, int err)
{
	struct svm_test_job *job = slot->job;
	struct svm_test_queue *queue = job->queue;

	scoped_guard(spinlock_irq, &queue->engine->lock) {
		if (slot == job->awaits) {
			slot->err = err;
			job->awaits = NULL;
		} else if (slot->abandoned) {
			atomic_dec(&job->vm->abandoned);
		} else {
			queue->ahead--;
		}
		svm_test_queue_update_locked(queue);
	}
	svm_test_job_put(job);
}

/**
 * svm_test_queue_abandon_locked() - a job does not wait for its fault any more
 * @job: the first job of its queue, the lock of its engine held
 */
void svm_test_queue_abandon_locked(struct svm_test_job *job)
{
	lockdep_assert_held(&job->queue->engine->lock);

	if (!job->awaits)
		return;
	job->awaits->abandoned = true;
	job->awaits = NULL;
	atomic_inc(&job->vm->abandoned);
}

/**
 * svm_test_queue_cancel() - stop jobs
 * @queue: the queue
 * @job: a job of it, or NULL for all that are queued at this moment
 * @force: they are not to wait for the memory of their report and their fence
 *
 * Each is stopped when it is the first one. Does not wait.
 */
void svm_test_queue_cancel(struct svm_test_queue *queue, struct svm_test_job *job,
			   bool force)
{
	struct svm_test_job *first;

	guard(spinlock_irq)(&queue->engine->lock);

	first = svm_test_queue_first(queue);
	if (job) {
		job->cancelled = true;
		job->forced |= force;
	} else if (first) {
		queue->cancelled = list_last_entry(&queue->jobs, struct svm_test_job,
						   link)->seqno;
		if (force)
			queue->forced = queue->cancelled;
	}
	if (first && (!job || job == first)) {
		queue->stop = DRM_SVM_TEST_STATUS_CANCELLED;
		queue->force |= force;
		queue_kick_locked(queue);
	}
}

/**
 * svm_test_queue_close() - end the jobs of a queue
 * @queue: the queue, to which nobody submits any more
 * @err: the error of the jobs; the one of the first call counts
 *
 * Does not wait; see svm_test_queue_wait_idle().
 */
void svm_test_queue_close(struct svm_test_queue *queue, int err)
{
	guard(spinlock_irq)(&queue->engine->lock);

	if (!queue->closing)
		queue->err = err;
	WRITE_ONCE(queue->closing, true);
	queue_kick_locked(queue);
}

static bool queue_is_idle(struct svm_test_queue *queue)
{
	guard(spinlock_irq)(&queue->engine->lock);

	return list_empty(&queue->jobs) && !queue->running;
}

/**
 * svm_test_queue_wait_idle() - wait until a queue is empty
 * @queue: the queue, which was closed
 *
 * Short: the engine comes to the queue after some time slices of other queues at
 * most, whatever the first job waits for, and then ends all jobs in one go.
 */
void svm_test_queue_wait_idle(struct svm_test_queue *queue)
{
	wait_event(queue->engine->idle, queue_is_idle(queue));
}
