// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * An engine: a thread that runs jobs.
 *
 * Data model. Each address space has a queue on each engine. The first job of
 * a queue runs, the others wait for it. A queue is in one of these states:
 *
 * - on the run list, when its first job can go on: its in-syncs signalled and
 *   the fault that it waits for is answered, or the queue is closing;
 * - running: taken off the run list by the thread, for a time slice;
 * - on the stalled list, when the fault buffer had no room for a miss; all of
 *   that list goes back to the run list when the buffer was drained. While the
 *   engine is paused all that could run is there, but for queues that are closing;
 * - in no list, when it is empty or its first job waits.
 *
 * The run list is served in turn, so a long job of one file delays another
 * file by a time slice, and a job that waits costs nothing. Only the thread
 * ends jobs, from the head of a queue, so fences signal in order; whoever
 * wants a job to end marks its queue as closing.
 *
 * A job waits for the first of its faults alone, the access that is next. The
 * others are of accesses ahead. Memory ahead may never be accessed, and its
 * fault may never be answered, so a job goes on, and ends, beside it. Until all
 * of those are answered no job of the queue looks ahead again: a queue has no
 * more faults in flight than there are lanes, and no slot is used twice.
 *
 * Locking. svm_test_engine.lock, with interrupts off as fences of other
 * drivers signal in any context. Nothing is locked inside of it.
 */

#include <linux/cleanup.h>
#include <linux/kthread.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include <drm/drm_svm_test.h>

#include "svm_test_cmd.h"
#include "svm_test_device.h"
#include "svm_test_engine.h"
#include "svm_test_fault.h"
#include "svm_test_job.h"
#include "svm_test_mmu.h"

struct svm_test_engine {
	struct svm_test_device *gpu;
	struct svm_test_mmu *mmu;
	struct task_struct *task;
	/* @lock: protects all below, the queues and svm_test_job.waits */
	spinlock_t lock;
	/* @runnable: queues to serve, in turn */
	struct list_head runnable;
	/* @stalled: queues that wait for room in the fault buffer, or for @paused */
	struct list_head stalled;
	/* @paused: no command is executed */
	bool paused;
	/* @busy: the thread has taken a queue */
	bool busy;
	/* @load: jobs in all queues */
	unsigned int load;
	/* @wait: where the thread waits for @runnable */
	wait_queue_head_t wait;
	/* @idle: woken when a queue may have become empty, or the engine paused */
	wait_queue_head_t idle;
};

static struct svm_test_job *queue_first(struct svm_test_queue *queue)
{
	return list_first_entry_or_null(&queue->jobs, struct svm_test_job, link);
}

/* Put a queue on the run list if it belongs there. */
static void queue_update_locked(struct svm_test_engine *engine,
				struct svm_test_queue *queue)
{
	struct svm_test_job *job = queue_first(queue);

	lockdep_assert_held(&engine->lock);

	if (!job || queue->running || !list_empty(&queue->link))
		return;
	if (!queue->closing &&
	    (job->waits || (job->ended && queue->ahead) ||
	     !svm_test_job_is_ready(job)))
		return;

	if (engine->paused && !queue->closing) {
		list_add_tail(&queue->link, &engine->stalled);
		return;
	}
	list_add_tail(&queue->link, &engine->runnable);
	wake_up(&engine->wait);
}

static struct svm_test_queue *engine_pick(struct svm_test_engine *engine)
{
	struct svm_test_queue *queue;

	guard(spinlock_irq)(&engine->lock);

	queue = list_first_entry_or_null(&engine->runnable,
					 struct svm_test_queue, link);
	if (!queue)
		return NULL;
	list_del_init(&queue->link);
	queue->running = true;
	engine->busy = true;
	return queue;
}

/* The thread has given the queue back: whoever pauses the engine can go on. */
static void engine_rest(struct svm_test_engine *engine)
{
	guard(spinlock_irq)(&engine->lock);

	engine->busy = false;
	if (engine->paused)
		wake_up_all(&engine->idle);
}

/* Give the queue back; what is first in it is served at another time. */
static void engine_yield(struct svm_test_engine *engine,
			 struct svm_test_queue *queue)
{
	guard(spinlock_irq)(&engine->lock);

	queue->running = false;
	queue_update_locked(engine, queue);
}

/* End the first job of a queue that the engine works on. */
static void engine_retire(struct svm_test_engine *engine,
			  struct svm_test_job *job)
{
	svm_test_job_complete(job);

	spin_lock_irq(&engine->lock);
	list_del_init(&job->link);
	WRITE_ONCE(engine->load, engine->load - 1);
	spin_unlock_irq(&engine->lock);

	svm_test_job_put(job);
}

/*
 * The job has done all that it will. Faults of accesses ahead may be in flight:
 * what they do to the memory must not come after the job's end.
 */
static void engine_end(struct svm_test_engine *engine,
		       struct svm_test_queue *queue, struct svm_test_job *job)
{
	scoped_guard(spinlock_irq, &engine->lock) {
		job->ended = true;
		if (queue->ahead)
			return;
	}
	engine_retire(engine, job);
}

static struct svm_test_job *engine_first(struct svm_test_engine *engine,
					 struct svm_test_queue *queue)
{
	/* Others only append while the queue is marked as running. */
	guard(spinlock_irq)(&engine->lock);

	return queue_first(queue);
}

/* End all jobs of a queue that is closing, so that whoever closes can go on. */
static void engine_cancel(struct svm_test_engine *engine,
			  struct svm_test_queue *queue)
{
	struct svm_test_job *job;

	while ((job = engine_first(engine, queue))) {
		svm_test_job_fail(job, DRM_SVM_TEST_STATUS_CANCELLED,
				  queue->err, 0);
		engine_retire(engine, job);
		cond_resched();
	}
	engine_yield(engine, queue);
	/* The queue, and its address space, may be gone from here on. */
	wake_up_all(&engine->idle);
}

/* Give the queue back until the fault buffer was drained. */
static void engine_stall(struct svm_test_engine *engine,
			 struct svm_test_queue *queue)
{
	spin_lock_irq(&engine->lock);
	queue->running = false;
	if (queue->closing)
		queue_update_locked(engine, queue);
	else
		list_add_tail(&queue->link, &engine->stalled);
	spin_unlock_irq(&engine->lock);

	/* The buffer may have been drained before the queue was in the list. */
	if (svm_test_fault_has_room(engine->gpu->faults))
		svm_test_engine_unstall(engine);
}

/* Post the misses of a job and give the queue back until the first is answered. */
static void engine_miss(struct svm_test_engine *engine,
			struct svm_test_queue *queue, struct svm_test_job *job)
{
	unsigned int wanted = job->num_slots, posted;

	/* Answers may come before all is posted: count from the full number. */
	spin_lock_irq(&engine->lock);
	job->waits = true;
	queue->ahead += wanted - 1;
	spin_unlock_irq(&engine->lock);

	posted = svm_test_fault_post(engine->gpu->faults, job->slots, wanted);
	job->num_slots = posted;

	spin_lock_irq(&engine->lock);
	queue->ahead -= wanted - max(posted, 1U);
	if (!posted)
		job->waits = false;
	spin_unlock_irq(&engine->lock);

	if (posted)
		engine_yield(engine, queue);
	else
		engine_stall(engine, queue);
}

/* What keeps a job from going on; true when it has failed. */
static bool job_check(struct svm_test_job *job)
{
	int err;

	err = svm_test_job_deps_error(job);
	if (err) {
		svm_test_job_fail(job, DRM_SVM_TEST_STATUS_CANCELLED, err, 0);
		return true;
	}

	/*
	 * The first miss was of the access that is next; the others were of
	 * accesses ahead, which will say for themselves if they fail.
	 */
	if (job->num_slots && job->slots[0].err) {
		svm_test_job_fail(job, DRM_SVM_TEST_STATUS_FAULT,
				  job->slots[0].err, job->slots[0].addr);
		return true;
	}
	job->num_slots = 0;
	return false;
}

/* Run a job for a time slice. */
static enum svm_test_step engine_slice(struct svm_test_engine *engine,
				       struct svm_test_queue *queue,
				       struct svm_test_job *job)
{
	unsigned int n = engine->gpu->config.timeslice;
	enum svm_test_step step;

	if (job->ended || job_check(job))
		return SVM_TEST_STEP_DONE;

	do {
		step = svm_test_cmd_step(job, engine->mmu);
		cond_resched();
	} while (step == SVM_TEST_STEP_MORE && --n &&
		 !READ_ONCE(queue->closing) && !READ_ONCE(engine->paused));
	return step;
}

static void engine_serve(struct svm_test_engine *engine,
			 struct svm_test_queue *queue)
{
	struct svm_test_job *job = engine_first(engine, queue);

	if (READ_ONCE(queue->closing)) {
		engine_cancel(engine, queue);
		return;
	}

	switch (engine_slice(engine, queue, job)) {
	case SVM_TEST_STEP_MORE:
		engine_yield(engine, queue);
		break;
	case SVM_TEST_STEP_MISS:
		engine_miss(engine, queue, job);
		break;
	case SVM_TEST_STEP_DONE:
		engine_end(engine, queue, job);
		engine_yield(engine, queue);
		/* It may be closing, and empty now. */
		wake_up_all(&engine->idle);
		break;
	}
}

static int engine_main(void *data)
{
	struct svm_test_engine *engine = data;
	struct svm_test_queue *queue;

	while (!kthread_should_stop()) {
		queue = engine_pick(engine);
		if (!queue) {
			wait_event_idle(engine->wait,
					!list_empty_careful(&engine->runnable) ||
					kthread_should_stop());
			continue;
		}
		engine_serve(engine, queue);
		engine_rest(engine);
	}
	return 0;
}

/**
 * svm_test_engine_submit() - queue a job
 * @job: the job, whose reference goes to the queue
 */
void svm_test_engine_submit(struct svm_test_job *job)
{
	struct svm_test_engine *engine = job->engine;

	guard(spinlock_irq)(&engine->lock);

	list_add_tail(&job->link, &job->queue->jobs);
	WRITE_ONCE(engine->load, engine->load + 1);
	queue_update_locked(engine, job->queue);
}

/**
 * svm_test_engine_job_ready() - the last in-sync of a job has signalled
 * @job: the job, queued or about to be
 *
 * Any context.
 */
void svm_test_engine_job_ready(struct svm_test_job *job)
{
	guard(spinlock_irqsave)(&job->engine->lock);

	queue_update_locked(job->engine, job->queue);
}

/**
 * svm_test_engine_free_slots() - how many misses may a job note?
 * @job: the job, on its engine, waiting for nothing
 *
 * Return: all slots, or only the first while faults ahead are in flight.
 */
unsigned int svm_test_engine_free_slots(struct svm_test_job *job)
{
	guard(spinlock_irq)(&job->engine->lock);

	return job->queue->ahead ? 1 : job->engine->gpu->config.lanes;
}

/**
 * svm_test_engine_fault_done() - a posted fault is over
 * @slot: the miss
 * @err: 0 when the access can be tried again
 *
 * Drops the reference of the fault to the job.
 */
void svm_test_engine_fault_done(struct svm_test_slot *slot, int err)
{
	struct svm_test_job *job = slot->job;
	struct svm_test_engine *engine = job->engine;

	spin_lock_irq(&engine->lock);
	if (slot == job->slots) {
		slot->err = err;
		job->waits = false;
		queue_update_locked(engine, job->queue);
	} else if (!--job->queue->ahead) {
		queue_update_locked(engine, job->queue);
	}
	spin_unlock_irq(&engine->lock);

	svm_test_job_put(job);
}

/**
 * svm_test_engine_unstall() - the fault buffer has room again
 * @engine: the engine
 */
void svm_test_engine_unstall(struct svm_test_engine *engine)
{
	guard(spinlock_irq)(&engine->lock);

	if (list_empty(&engine->stalled) || engine->paused)
		return;
	list_splice_tail_init(&engine->stalled, &engine->runnable);
	wake_up(&engine->wait);
}

static bool engine_is_at_rest(struct svm_test_engine *engine)
{
	guard(spinlock_irq)(&engine->lock);

	return !engine->busy;
}

/**
 * svm_test_engine_pause() - have an engine execute nothing
 * @engine: the engine
 *
 * On return it is between two units of work: it holds no translation and reaches
 * for no memory. Jobs stay where they are, also those whose faults are answered
 * from now on. Queues that are closed are still emptied.
 */
void svm_test_engine_pause(struct svm_test_engine *engine)
{
	struct svm_test_queue *queue, *next;

	scoped_guard(spinlock_irq, &engine->lock) {
		WRITE_ONCE(engine->paused, true);
		list_for_each_entry_safe(queue, next, &engine->runnable, link)
			if (!queue->closing)
				list_move_tail(&queue->link, &engine->stalled);
	}
	wait_event(engine->idle, engine_is_at_rest(engine));
}

/**
 * svm_test_engine_resume() - let an engine go on after svm_test_engine_pause()
 * @engine: the engine
 */
void svm_test_engine_resume(struct svm_test_engine *engine)
{
	scoped_guard(spinlock_irq, &engine->lock)
		WRITE_ONCE(engine->paused, false);
	svm_test_engine_unstall(engine);
}

/**
 * svm_test_engine_mmu() - the MMU of an engine
 * @engine: the engine
 *
 * Return: the MMU.
 */
struct svm_test_mmu *svm_test_engine_mmu(struct svm_test_engine *engine)
{
	return engine->mmu;
}

/**
 * svm_test_engine_load() - how many jobs an engine has
 * @engine: the engine
 *
 * Return: a number that may be out of date.
 */
unsigned int svm_test_engine_load(struct svm_test_engine *engine)
{
	return READ_ONCE(engine->load);
}

/**
 * svm_test_queue_init() - initialize an empty queue
 * @queue: the queue, zeroed
 */
void svm_test_queue_init(struct svm_test_queue *queue)
{
	INIT_LIST_HEAD(&queue->jobs);
	INIT_LIST_HEAD(&queue->link);
	queue->fence_context = dma_fence_context_alloc(1);
}

/**
 * svm_test_queue_close() - cancel the jobs of a queue
 * @engine: the engine of the queue
 * @queue: the queue, to which nobody submits any more
 * @err: the error of the jobs; the one of the first call counts
 *
 * Does not wait; see svm_test_queue_wait_idle().
 */
void svm_test_queue_close(struct svm_test_engine *engine,
			  struct svm_test_queue *queue, int err)
{
	guard(spinlock_irq)(&engine->lock);

	if (!queue->closing)
		queue->err = err;
	WRITE_ONCE(queue->closing, true);
	/* It may be on the stalled list. */
	list_del_init(&queue->link);
	queue_update_locked(engine, queue);
}

static bool queue_is_idle(struct svm_test_engine *engine,
			  struct svm_test_queue *queue)
{
	guard(spinlock_irq)(&engine->lock);

	return list_empty(&queue->jobs) && !queue->running;
}

/**
 * svm_test_queue_wait_idle() - wait until a queue is empty
 * @engine: the engine of the queue
 * @queue: the queue, which was closed
 *
 * Short: the engine comes to the queue after a time slice of each other queue at
 * most, whatever the first job waits for, and then cancels all jobs in one go.
 */
void svm_test_queue_wait_idle(struct svm_test_engine *engine,
			      struct svm_test_queue *queue)
{
	wait_event(engine->idle, queue_is_idle(engine, queue));
}

/**
 * svm_test_engine_create() - make an engine and start it
 * @gpu: the device, whose fault buffer is there
 * @index: number of the engine
 *
 * Return: the engine, or an ERR_PTR().
 */
struct svm_test_engine *svm_test_engine_create(struct svm_test_device *gpu,
					       unsigned int index)
{
	struct svm_test_engine *engine;
	int err = -ENOMEM;

	engine = kzalloc_obj(*engine);
	if (!engine)
		return ERR_PTR(-ENOMEM);

	engine->gpu = gpu;
	spin_lock_init(&engine->lock);
	INIT_LIST_HEAD(&engine->runnable);
	INIT_LIST_HEAD(&engine->stalled);
	init_waitqueue_head(&engine->wait);
	init_waitqueue_head(&engine->idle);

	engine->mmu = svm_test_mmu_create(gpu->config.tlb_entries);
	if (!engine->mmu)
		goto err_free;

	engine->task = kthread_run(engine_main, engine, "svm_test%u/%u",
				   gpu->index, index);
	if (IS_ERR(engine->task)) {
		err = PTR_ERR(engine->task);
		goto err_mmu;
	}
	return engine;

err_mmu:
	svm_test_mmu_destroy(engine->mmu);
err_free:
	kfree(engine);
	return ERR_PTR(err);
}

/**
 * svm_test_engine_destroy() - stop an engine and free it
 * @engine: the engine, with no jobs, or NULL
 */
void svm_test_engine_destroy(struct svm_test_engine *engine)
{
	if (!engine)
		return;
	kthread_stop(engine->task);
	WARN_ON(!list_empty(&engine->runnable) || !list_empty(&engine->stalled));
	svm_test_mmu_destroy(engine->mmu);
	kfree(engine);
}
