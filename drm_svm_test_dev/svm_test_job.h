/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _SVM_TEST_JOB_H_
#define _SVM_TEST_JOB_H_

#include <linux/atomic.h>
#include <linux/dma-fence.h>
#include <linux/kref.h>
#include <linux/ktime.h>
#include <linux/list.h>

#include <drm/drm_svm.h>
#include <drm/drm_svm_test.h>

#include "svm_test_config.h"

struct eventfd_ctx;
struct svm_test_file;
struct svm_test_job;
struct svm_test_op;
struct svm_test_queue;
struct svm_test_vm;

/**
 * struct svm_test_dep - a fence that a job waits for
 */
struct svm_test_dep {
	/** @job: the job. */
	struct svm_test_job *job;
	/** @fence: the fence. */
	struct dma_fence *fence;
	/** @cb: in the list of @fence until it signals or the job ends. */
	struct dma_fence_cb cb;
};

/**
 * struct svm_test_slot - one access that missed
 *
 * Its address is the cookie of the fault.
 */
struct svm_test_slot {
	/** @job: the job; referenced while a fault is posted. */
	struct svm_test_job *job;
	/**
	 * @link: link in a list of the fault buffer, until it is handed on, or
	 * in svm_test_bindings.faults.
	 */
	struct list_head link;
	/** @addr: the address. */
	u64 addr;
	/** @access: DRM_SVM_ACCESS_READ, DRM_SVM_ACCESS_WRITE or both. */
	u32 access;
	/** @err: how the fault ended. */
	int err;
	/** @abandoned: @job does not wait for it any more; under svm_test_engine.lock. */
	bool abandoned;
};

/**
 * enum svm_test_stage - what a job is about
 */
enum svm_test_stage {
	/** @SVM_TEST_STAGE_CMDS: its commands. */
	SVM_TEST_STAGE_CMDS,
	/** @SVM_TEST_STAGE_REPORT: they ended; it reports how, to memory. */
	SVM_TEST_STAGE_REPORT,
	/** @SVM_TEST_STAGE_SIGNAL: it signals its user fence. */
	SVM_TEST_STAGE_SIGNAL,
	/** @SVM_TEST_STAGE_OVER: nothing more. */
	SVM_TEST_STAGE_OVER,
};

/**
 * enum svm_test_move - where the prefetch of a command is
 */
enum svm_test_move {
	/** @SVM_TEST_MOVE_NONE: it did not begin, or its end was taken notice of. */
	SVM_TEST_MOVE_NONE,
	/** @SVM_TEST_MOVE_RUNNING: a thread of the process has it; the job waits. */
	SVM_TEST_MOVE_RUNNING,
	/** @SVM_TEST_MOVE_DONE: it is over. */
	SVM_TEST_MOVE_DONE,
};

/**
 * struct svm_test_progress - how far the present command is
 *
 * Only moves forward when an effect took place, in the same access section, so
 * a command that is resumed repeats nothing.
 */
struct svm_test_progress {
	/** @op: what to do; NULL before the command begins. */
	const struct svm_test_op *op;
	/** @pos: bytes, elements, nodes or repetitions done. */
	u64 pos;
	/** @total: where @pos ends. */
	u64 total;
	/** @stop: ends before @total. */
	bool stop;
	/** @node: CHASE: the next node. */
	u64 node;
	/** @value: what the command returns. */
	u64 value[7];
};

/**
 * struct svm_test_job - a list of commands
 */
struct svm_test_job {
	/** @ref: held by the queue, each posted fault and the result table. */
	struct kref ref;
	/** @file: the file; outlives the job's time in the queue. */
	struct svm_test_file *file;
	/** @vm: address space, referenced; shut down after the job's time in the queue. */
	struct svm_test_vm *vm;
	/** @queue: the queue, referenced. */
	struct svm_test_queue *queue;
	/** @seqno: its number in @queue. */
	u64 seqno;
	/** @submitted: when it was queued. */
	ktime_t submitted;
	/** @link: link in svm_test_queue.jobs, under svm_test_engine.lock. */
	struct list_head link;
	/** @id: its number in the file, or zero when its result is not to be fetched. */
	u64 id;
	/** @fetch: its result will be fetched, it counts until then. */
	bool fetch;
	/** @fence: signals when the job ends; NULL for a job that can fault. */
	struct dma_fence *fence;

	/** @cmds: the commands; freed when the job ends. */
	struct drm_svm_test_cmd *cmds;
	/** @num_cmds: length of @cmds. */
	u32 num_cmds;

	/** @num_deps: length of @deps. */
	u32 num_deps;
	/** @deps: fences to wait for; freed when the job ends. */
	struct svm_test_dep *deps;
	/** @deps_pending: of these, how many did not signal. */
	atomic_t deps_pending;

	/** @cmd: the present command; of the engine alone, as is @progress. */
	u32 cmd;
	/** @progress: how far it is. */
	struct svm_test_progress progress;

	/** @stage: what it is about; of the engine alone, as are the next two. */
	enum svm_test_stage stage;
	/** @last: the command of the stages after SVM_TEST_STAGE_CMDS. */
	struct drm_svm_test_cmd last;
	/** @stop: enum drm_svm_test_status with which it was stopped last, or zero. */
	u32 stop;
	/** @signal: the user fence to signal, if it has an address. */
	struct drm_svm_test_fence signal;
	/** @report: address of a struct drm_svm_test_report, or zero. */
	u64 report;
	/** @eventfd: signalled when the job has ended, or NULL. */
	struct eventfd_ctx *eventfd;

	/** @move: PREFETCH: whether drm_svm works on it; under svm_test_engine.lock. */
	enum svm_test_move move;
	/** @move_err: how that ended. */
	int move_err;
	/** @prefetch: the work. */
	struct drm_svm_prefetch_work prefetch;

	/** @num_slots: accesses that missed. */
	unsigned int num_slots;
	/** @awaits: the miss that is waited for, or NULL; under svm_test_engine.lock. */
	struct svm_test_slot *awaits;
	/** @settles: only faults ahead are waited for; under svm_test_engine.lock. */
	bool settles;
	/** @cancelled: to be stopped when it is the first one; under the same lock. */
	bool cancelled;
	/** @stopped: it was; under the same lock. */
	bool stopped;
	/** @forced: it does not wait for the memory of its end; under the same lock. */
	bool forced;
	/** @slots: the misses; the job needs the first one to go on. */
	struct svm_test_slot slots[SVM_TEST_MAX_LANES];
	/**
	 * @last_slot: that of the stages after SVM_TEST_STAGE_CMDS, when the others may
	 * still be in flight.
	 */
	struct svm_test_slot last_slot;

	/** @status: enum drm_svm_test_status, the result. */
	u32 status;
	/** @err: zero or a negative errno. */
	int err;
	/** @addr: the faulting address, or zero. */
	u64 addr;
	/** @done: set last, with release semantics. */
	bool done;
};

/* Where the prefetch of the present command is: at its end, with what came of it */
static inline enum svm_test_move svm_test_job_move(const struct svm_test_job *job)
{
	/* Pairs with queue_moved() */
	return smp_load_acquire(&job->move);
}

/* The misses of the present stage */
static inline struct svm_test_slot *svm_test_job_slots(struct svm_test_job *job)
{
	return job->stage == SVM_TEST_STAGE_CMDS ? job->slots : &job->last_slot;
}

/* The error of a job that was stopped, by its status */
static inline int svm_test_stop_errno(u32 status)
{
	return status == DRM_SVM_TEST_STATUS_TIMEOUT ? -ETIME : -ECANCELED;
}

struct svm_test_job *svm_test_job_alloc(u32 num_cmds, u32 num_deps, bool fence);
struct svm_test_job *svm_test_job_get(struct svm_test_job *job);
void svm_test_job_put(struct svm_test_job *job);

void svm_test_job_arm(struct svm_test_job *job);
bool svm_test_job_is_ready(const struct svm_test_job *job);
bool svm_test_job_deps_failed(const struct svm_test_job *job);
bool svm_test_job_is_done(const struct svm_test_job *job);
void svm_test_job_next_stage(struct svm_test_job *job);
void svm_test_job_fail(struct svm_test_job *job, u32 status, int err, u64 addr);
void svm_test_job_end(struct svm_test_job *job, u32 status, int err);
void svm_test_job_complete(struct svm_test_job *job);

#endif
