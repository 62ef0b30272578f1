/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _SVM_TEST_ENGINE_H_
#define _SVM_TEST_ENGINE_H_

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/types.h>
#include <linux/wait.h>

#include <drm/drm_svm_test.h>

struct svm_test_device;
struct svm_test_mmu;
struct svm_test_queue;
struct task_struct;

/**
 * struct svm_test_engine - a thread that runs jobs
 */
struct svm_test_engine {
	/** @gpu: the device. */
	struct svm_test_device *gpu;
	/** @mmu: how it gets at memory. */
	struct svm_test_mmu *mmu;
	/** @task: the thread. */
	struct task_struct *task;
	/**
	 * @lock: protects all below, the queues, and svm_test_job.awaits. With
	 * interrupts off, as fences of other drivers signal in any context.
	 */
	spinlock_t lock;
	/** @runnable: queues to serve, in turn, by priority. */
	struct list_head runnable[DRM_SVM_TEST_PRIORITY_NUM];
	/** @turns: how many were taken. */
	unsigned int turns;
	/** @stalled: queues that wait for room in the fault buffer, or for @paused. */
	struct list_head stalled;
	/** @blocked: queues that wait for user fences. */
	struct list_head blocked;
	/** @num_blocked: length of @blocked. */
	unsigned int num_blocked;
	/** @look: has the queues in @blocked look again. */
	struct timer_list look;
	/** @buffers: its jobs use buffer objects alone, and signal fences; constant. */
	bool buffers;
	/** @paused: no command is executed. */
	bool paused;
	/** @dead: the hardware is gone: jobs end with -ENODEV; set once. */
	bool dead;
	/** @busy: the thread has taken a queue. */
	bool busy;
	/** @load: jobs in all queues. */
	unsigned int load;
	/** @wait: where the thread waits for @runnable. */
	wait_queue_head_t wait;
	/** @idle: woken when a queue may have become empty, or the engine paused. */
	wait_queue_head_t idle;
};

struct svm_test_engine *svm_test_engine_create(struct svm_test_device *gpu,
					       unsigned int index);
void svm_test_engine_destroy(struct svm_test_engine *engine);
void svm_test_engine_pause(struct svm_test_engine *engine);
void svm_test_engine_resume(struct svm_test_engine *engine);
void svm_test_engine_unstall(struct svm_test_engine *engine);
void svm_test_engine_kill(struct svm_test_engine *engine);
int svm_test_engine_wait_idle(struct svm_test_engine *engine);

/* How many jobs an engine has; may be out of date */
static inline unsigned int svm_test_engine_load(const struct svm_test_engine *engine)
{
	return READ_ONCE(engine->load);
}

#endif
