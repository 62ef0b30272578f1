/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _SVM_TEST_QUEUE_H_
#define _SVM_TEST_QUEUE_H_

#include <linux/hrtimer.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/types.h>

#include "svm_test_wait.h"

struct svm_test_engine;
struct svm_test_file;
struct svm_test_job;
struct svm_test_slot;

/**
 * struct svm_test_queue - jobs that run one after the other
 *
 * Under the lock of the engine, but for what says otherwise.
 */
struct svm_test_queue {
	/** @ref: held by the file, and by each job. */
	struct kref ref;
	/** @engine: where the jobs run; constant. */
	struct svm_test_engine *engine;
	/** @priority: enum drm_svm_test_priority; constant. */
	u32 priority;
	/** @limit: how long a job may be the first one, or zero; constant. */
	ktime_t limit;

	/** @jobs: in the order of submission; the first one can run. */
	struct list_head jobs;
	/** @link: link in a list of the engine, if any. */
	struct list_head link;
	/** @running: the engine works on the first job. */
	bool running;
	/** @blocked: in svm_test_engine.blocked: the first job waits for a user fence. */
	bool blocked;
	/** @woken: that fence may have changed since the engine took the queue. */
	bool woken;
	/** @closing: jobs are cancelled, with @err. */
	bool closing;
	/** @err: negative errno. */
	int err;
	/** @stop: enum drm_svm_test_status with which the first job is to end, or zero. */
	u32 stop;
	/** @force: and it is not to wait for the memory of its report and its fence. */
	bool force;
	/** @cancelled: jobs up to this number are cancelled. */
	u64 cancelled;
	/** @forced: those of them that are forced. */
	u64 forced;
	/** @ahead: faults of the first job in flight, for accesses ahead. */
	unsigned int ahead;
	/** @deadline: when the first job is stopped, if there is a @limit. */
	ktime_t deadline;
	/** @timer: fires at @deadline, or later than an earlier one. */
	struct hrtimer timer;

	/** @wait: for the user fence of the first job; of the engine's thread alone. */
	struct svm_test_wait wait;

	/** @fence_context: of the fences of the jobs; constant. */
	u64 fence_context;
	/** @seqno: number of the last job, under svm_test_file.submit_lock. */
	u64 seqno;
};

struct svm_test_queue *svm_test_queue_create(struct svm_test_engine *engine,
					     u32 priority, u64 limit_ns);
int svm_test_queue_create_first(struct svm_test_file *file);
struct svm_test_queue *svm_test_queue_get(struct svm_test_queue *queue);
void svm_test_queue_put(struct svm_test_queue *queue);

struct svm_test_job *svm_test_queue_first(struct svm_test_queue *queue);
void svm_test_queue_update_locked(struct svm_test_queue *queue);
void svm_test_queue_limit_locked(struct svm_test_queue *queue);
void svm_test_queue_add(struct svm_test_job *job);
void svm_test_queue_retire(struct svm_test_job *job);
void svm_test_queue_block(struct svm_test_queue *queue, const void *mm, u64 addr);
void svm_test_queue_look(struct timer_list *timer);
int svm_test_queue_move(struct svm_test_job *job);
void svm_test_queue_job_ready(struct svm_test_job *job);
void svm_test_queue_fault_done(struct svm_test_slot *slot, int err);
unsigned int svm_test_queue_free_slots(struct svm_test_job *job);

void svm_test_queue_cancel(struct svm_test_queue *queue, struct svm_test_job *job,
			   bool force);
void svm_test_queue_abandon_locked(struct svm_test_job *job);
void svm_test_queue_close(struct svm_test_queue *queue, int err);
void svm_test_queue_wait_idle(struct svm_test_queue *queue);

#endif
