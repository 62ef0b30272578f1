// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * An engine: a thread that runs jobs.
 *
 * It takes queues from the run lists in turn, see svm_test_queue.c, and runs the
 * first job of each for a time slice. So a long job of one queue delays another
 * queue by a time slice, and a job that waits costs nothing. Queues of a higher
 * priority come first, but for a turn now and then, so that none waits for ever.
 *
 * One engine is for jobs on buffer objects alone, which stay where they are until the
 * fence of the job signals. So these jobs never fault. Memory reclaim may come to wait
 * for their fences: between the start of a turn and its end the thread neither
 * allocates, nor takes a lock that is held over an allocation; lockdep is told. The
 * other engines signal no fence that the kernel knows of.
 *
 * Locking. svm_test_engine.lock.
 */

#include <linux/cleanup.h>
#include <linux/dma-fence.h>
#include <linux/kthread.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include <drm/drm_svm.h>
#include <drm/drm_svm_test.h>

#include "svm_test_cmd.h"
#include "svm_test_device.h"
#include "svm_test_engine.h"
#include "svm_test_fault.h"
#include "svm_test_job.h"
#include "svm_test_mmu.h"
#include "svm_test_queue.h"
#include "svm_test_vm.h"

/* Every so many turns one begins with another priority than the highest. */
#define TURNS	8

static bool engine_has_work(struct svm_test_engine *engine)
{
	unsigned int i;

	for (i = 0; i < DRM_SVM_TEST_PRIORITY_NUM; i++)
		if (!list_empty_careful(&engine->runnable[i]))
			return true;
	return false;
}

/* The list to take a queue from, or NULL */
static struct list_head *engine_next_list(struct svm_test_engine *engine)
{
	unsigned int first = DRM_SVM_TEST_PRIORITY_NUM - 1, i;
	struct list_head *list;

	if (++engine->turns % TURNS == 0)
		first = engine->turns / TURNS % DRM_SVM_TEST_PRIORITY_NUM;
	for (i = 0; i < DRM_SVM_TEST_PRIORITY_NUM; i++) {
		list = &engine->runnable[(first + DRM_SVM_TEST_PRIORITY_NUM - i) %
					 DRM_SVM_TEST_PRIORITY_NUM];
		if (!list_empty(list))
			return list;
	}
	return NULL;
}

static struct svm_test_queue *engine_pick(struct svm_test_engine *engine)
{
	struct svm_test_queue *queue;
	struct list_head *list;

	guard(spinlock_irq)(&engine->lock);

	list = engine_next_list(engine);
	if (!list)
		return NULL;
	queue = list_first_entry(list, struct svm_test_queue, link);
	list_del_init(&queue->link);
	queue->running = true;
	queue->woken = false;
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
	svm_test_queue_update_locked(queue);
}

static void engine_retire(struct svm_test_job *job)
{
	svm_test_job_complete(job);
	svm_test_queue_retire(job);
}

/*
 * The commands of a job are over. Faults of accesses ahead may be in flight: what they
 * do to the memory must not come after the job's fence. Returns whether there are none.
 */
static bool engine_settle(struct svm_test_engine *engine,
			  struct svm_test_queue *queue, struct svm_test_job *job)
{
	guard(spinlock_irq)(&engine->lock);

	job->settles = queue->ahead && !job->forced;
	return !job->settles;
}

/* The first job, and how it is to be stopped, if it is. */
static struct svm_test_job *engine_first(struct svm_test_engine *engine,
					 struct svm_test_queue *queue, u32 *stop)
{
	struct svm_test_job *job;

	/* Others only append while the queue is marked as running. */
	guard(spinlock_irq)(&engine->lock);

	job = svm_test_queue_first(queue);
	*stop = queue->stop;
	WRITE_ONCE(queue->stop, 0);
	if (job && *stop)
		job->forced |= queue->force;
	queue->force = false;
	return job;
}

/* End all jobs of a queue that is closing, so that whoever closes can go on. */
static void engine_close(struct svm_test_engine *engine,
			 struct svm_test_queue *queue)
{
	struct svm_test_job *job;
	u32 stop;

	svm_test_wait_end(&queue->wait);
	while ((job = engine_first(engine, queue, &stop))) {
		scoped_guard(spinlock_irq, &engine->lock)
			svm_test_queue_abandon_locked(job);
		if (svm_test_job_move(job) == SVM_TEST_MOVE_RUNNING)
			drm_svm_prefetch_cancel(&job->prefetch);
		svm_test_job_end(job, DRM_SVM_TEST_STATUS_CANCELLED, queue->err);
		engine_retire(job);
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
	if (queue->closing || queue->stop)
		svm_test_queue_update_locked(queue);
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
	unsigned int wanted = job->num_slots, posted, i;
	struct svm_test_slot *slots = svm_test_job_slots(job);

	if (job->forced && job->stage != SVM_TEST_STAGE_CMDS) {
		job->num_slots = 0;
		/* It may be forced at this moment, and stopped in the next turn. */
		svm_test_job_end(job, job->stop ?: DRM_SVM_TEST_STATUS_CANCELLED,
				 svm_test_stop_errno(job->stop));
		engine_yield(engine, queue);
		return;
	}
	for (i = 1; i < wanted; i++)
		slots[i].access |= DRM_SVM_ACCESS_AHEAD;

	/* Answers may come before all is posted: count from the full number. */
	spin_lock_irq(&engine->lock);
	job->awaits = slots;
	queue->ahead += wanted - 1;
	spin_unlock_irq(&engine->lock);

	posted = svm_test_fault_post(engine->gpu->faults, slots, wanted);
	job->num_slots = posted;

	spin_lock_irq(&engine->lock);
	queue->ahead -= wanted - max(posted, 1U);
	if (!posted)
		job->awaits = NULL;
	spin_unlock_irq(&engine->lock);

	if (posted)
		engine_yield(engine, queue);
	else
		engine_stall(engine, queue);
}

/* A job that may not fault misses all the same: it reaches for what is not bound. */
static void engine_refuse(struct svm_test_engine *engine,
			  struct svm_test_queue *queue, struct svm_test_job *job)
{
	job->num_slots = 0;
	svm_test_job_fail(job, DRM_SVM_TEST_STATUS_FAULT, -EFAULT, job->slots[0].addr);
	engine_yield(engine, queue);
}

/*
 * Stop a job: its commands end, and what they wait for is not waited for any longer. It
 * still reports and signals its user fence, for which its time begins again; that is
 * given up if it is forced, and the memory does not come.
 */
static void engine_stop(struct svm_test_engine *engine,
			struct svm_test_queue *queue, struct svm_test_job *job,
			u32 status)
{
	bool cmds = job->stage == SVM_TEST_STAGE_CMDS, moves, gives_up, first;

	scoped_guard(spinlock_irq, &engine->lock) {
		job->stop = status;
		first = !job->stopped;
		job->stopped = true;
		if (first)
			svm_test_queue_limit_locked(queue);
		moves = svm_test_job_move(job) == SVM_TEST_MOVE_RUNNING;
		gives_up = !cmds && job->forced && job->awaits;
		if ((cmds && !moves) || gives_up) {
			svm_test_queue_abandon_locked(job);
			job->num_slots = 0;
		}
	}
	/* Memory must not move after the end of the job: wait for that of the prefetch. */
	if (moves)
		drm_svm_prefetch_cancel(&job->prefetch);
	else if (cmds)
		svm_test_job_fail(job, status, svm_test_stop_errno(status), 0);
	else if (gives_up)
		svm_test_job_end(job, status, svm_test_stop_errno(status));
}

/* Take up what a job has waited for; it may have failed by that. */
static void job_go_on(struct svm_test_job *job)
{
	struct svm_test_slot *slot = svm_test_job_slots(job);

	/*
	 * The first miss was of the access that is next; the others were of
	 * accesses ahead, which will say for themselves if they fail.
	 */
	if (job->stage == SVM_TEST_STAGE_CMDS && svm_test_job_deps_failed(job))
		svm_test_job_fail(job, DRM_SVM_TEST_STATUS_CANCELLED, -ECANCELED, 0);
	else if (job->num_slots && slot->err)
		svm_test_job_fail(job, DRM_SVM_TEST_STATUS_FAULT, slot->err, slot->addr);
	job->num_slots = 0;
}

/* Run a job for a time slice. */
static enum svm_test_step engine_slice(struct svm_test_engine *engine,
				       struct svm_test_queue *queue,
				       struct svm_test_job *job)
{
	unsigned int n = engine->gpu->config.timeslice;
	enum svm_test_step step;

	job_go_on(job);
	do {
		if (job->stage != SVM_TEST_STAGE_CMDS && !engine_settle(engine, queue, job))
			return SVM_TEST_STEP_MORE;
		step = svm_test_cmd_step(job, engine->mmu);
		cond_resched();
	} while (step == SVM_TEST_STEP_MORE && --n && !READ_ONCE(queue->stop) &&
		 !READ_ONCE(queue->closing) && !READ_ONCE(engine->paused));
	return step;
}

static void engine_serve(struct svm_test_engine *engine,
			 struct svm_test_queue *queue)
{
	struct svm_test_job *job;
	enum svm_test_step step;
	u32 stop;

	if (READ_ONCE(queue->closing)) {
		engine_close(engine, queue);
		return;
	}

	job = engine_first(engine, queue, &stop);
	if (stop)
		engine_stop(engine, queue, job, stop);
	if (READ_ONCE(engine->dead))
		svm_test_job_end(job, DRM_SVM_TEST_STATUS_CANCELLED, -ENODEV);
	/* It goes on waiting, although it was stopped. */
	if (READ_ONCE(job->awaits) || svm_test_job_move(job) == SVM_TEST_MOVE_RUNNING) {
		engine_yield(engine, queue);
		return;
	}
	step = engine_slice(engine, queue, job);
	if (step != SVM_TEST_STEP_WAIT)
		svm_test_wait_end(&queue->wait);

	switch (step) {
	case SVM_TEST_STEP_MORE:
	case SVM_TEST_STEP_MOVE:
		engine_yield(engine, queue);
		break;
	case SVM_TEST_STEP_MISS:
		if (engine->buffers)
			engine_refuse(engine, queue, job);
		else
			engine_miss(engine, queue, job);
		break;
	case SVM_TEST_STEP_WAIT:
		svm_test_queue_block(queue, job->vm->mm, job->cmds[job->cmd].src);
		break;
	case SVM_TEST_STEP_DONE:
		engine_retire(job);
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
	bool cookie;

	while (!kthread_should_stop()) {
		queue = engine_pick(engine);
		if (!queue) {
			wait_event_idle(engine->wait,
					engine_has_work(engine) || kthread_should_stop());
			continue;
		}
		if (engine->buffers)
			cookie = dma_fence_begin_signalling();
		engine_serve(engine, queue);
		if (engine->buffers)
			dma_fence_end_signalling(cookie);
		engine_rest(engine);
	}
	return 0;
}

/**
 * svm_test_engine_unstall() - the fault buffer has room again
 * @engine: the engine
 */
void svm_test_engine_unstall(struct svm_test_engine *engine)
{
	struct svm_test_queue *queue, *next;

	guard(spinlock_irq)(&engine->lock);

	if (engine->paused)
		return;
	list_for_each_entry_safe(queue, next, &engine->stalled, link) {
		list_del_init(&queue->link);
		svm_test_queue_update_locked(queue);
	}
}

/**
 * svm_test_engine_kill() - the hardware of an engine is gone
 * @engine: the engine, for buffer objects alone
 *
 * Its jobs end from now on, as soon as what they wait for has signalled.
 */
void svm_test_engine_kill(struct svm_test_engine *engine)
{
	/* Between two units of work it looks again; see engine_slice(). */
	svm_test_engine_pause(engine);
	WRITE_ONCE(engine->dead, true);
	svm_test_engine_resume(engine);
}

static bool engine_is_empty(struct svm_test_engine *engine)
{
	guard(spinlock_irq)(&engine->lock);

	return !engine->load;
}

/**
 * svm_test_engine_wait_idle() - wait until an engine has no jobs
 * @engine: the engine, for buffer objects alone, to which nobody submits
 *
 * Return: 0 or -EINTR.
 */
int svm_test_engine_wait_idle(struct svm_test_engine *engine)
{
	return wait_event_killable(engine->idle, engine_is_empty(engine)) ? -EINTR : 0;
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
	unsigned int i;

	scoped_guard(spinlock_irq, &engine->lock) {
		WRITE_ONCE(engine->paused, true);
		for (i = 0; i < DRM_SVM_TEST_PRIORITY_NUM; i++)
			list_for_each_entry_safe(queue, next, &engine->runnable[i], link)
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
	int err = -ENOMEM, i;

	engine = kzalloc_obj(*engine);
	if (!engine)
		return ERR_PTR(-ENOMEM);

	engine->gpu = gpu;
	engine->buffers = index == gpu->config.engines;
	spin_lock_init(&engine->lock);
	for (i = 0; i < DRM_SVM_TEST_PRIORITY_NUM; i++)
		INIT_LIST_HEAD(&engine->runnable[i]);
	INIT_LIST_HEAD(&engine->stalled);
	INIT_LIST_HEAD(&engine->blocked);
	timer_setup(&engine->look, svm_test_queue_look, 0);
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
	timer_shutdown_sync(&engine->look);
	WARN_ON(engine_has_work(engine) || !list_empty(&engine->stalled) ||
		!list_empty(&engine->blocked));
	svm_test_mmu_destroy(engine->mmu);
	kfree(engine);
}
