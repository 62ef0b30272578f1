// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Jobs: their lifetime, what they wait for, and how they end.
 *
 * A job is referenced by its queue until it ends, by the table of results
 * until its result is fetched, and by each fault that is posted for it. It
 * refers to its queue and to its address space, which is shut down when the files
 * that use it have no jobs any more, and then answers the faults that are left.
 *
 * The result is written before svm_test_job.done, which is set with release
 * semantics; from then on the job does not change.
 *
 * Fences. A job that can wait for a page fault has no fence that the kernel knows of,
 * since the kernel waits for fences in reclaim, and the fault may wait for what reclaim
 * is to free. Such a job signals memory, see svm_test_wait.c. A dma_fence is for jobs on
 * buffer objects alone: these do not move while the fence is in their dma_resv, nothing
 * else is reached for, and a job that takes too long is stopped. So the fence signals in
 * finite time, with an error if need be.
 */

#include <linux/dma-fence-chain.h>
#include <linux/eventfd.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <drm/drm_svm_test.h>

#include "svm_test_file.h"
#include "svm_test_job.h"
#include "svm_test_queue.h"
#include "svm_test_vm.h"

static const char *job_fence_driver_name(struct dma_fence *fence)
{
	return "drm_svm_test_dev";
}

static const char *job_fence_timeline_name(struct dma_fence *fence)
{
	return "svm_test_queue";
}

/* No release and no wait, so that a signalled fence can outlive the module. */
static const struct dma_fence_ops job_fence_ops = {
	.get_driver_name = job_fence_driver_name,
	.get_timeline_name = job_fence_timeline_name,
};

/* Free what only a job that has not ended needs. */
static void job_free_input(struct svm_test_job *job)
{
	u32 i;

	for (i = 0; i < job->num_deps; i++)
		dma_fence_put(job->deps[i].fence);
	kvfree(job->deps);
	job->deps = NULL;
	job->num_deps = 0;
	kvfree(job->cmds);
	job->cmds = NULL;
}

static void job_release(struct kref *ref)
{
	struct svm_test_job *job = container_of(ref, struct svm_test_job, ref);

	job_free_input(job);
	if (job->eventfd)
		eventfd_ctx_put(job->eventfd);
	if (job->queue)
		svm_test_queue_put(job->queue);
	if (job->vm)
		svm_test_vm_put(job->vm);
	/* Memory of a fence that was never initialized is just memory. */
	if (job->fence && dma_fence_was_initialized(job->fence))
		dma_fence_put(job->fence);
	else
		kfree(job->fence);
	kfree(job);
}

/**
 * svm_test_job_get() - take a reference
 * @job: the job
 *
 * Return: @job.
 */
struct svm_test_job *svm_test_job_get(struct svm_test_job *job)
{
	kref_get(&job->ref);
	return job;
}

/**
 * svm_test_job_put() - drop a reference
 * @job: the job, or NULL
 */
void svm_test_job_put(struct svm_test_job *job)
{
	if (job)
		kref_put(&job->ref, job_release);
}

/**
 * svm_test_job_alloc() - make a job that is not queued yet
 * @num_cmds: number of commands
 * @num_deps: number of fences to wait for
 * @fence: it has a fence
 *
 * All memory of the job is charged to the caller.
 *
 * Return: the job, or NULL when there is no memory.
 */
struct svm_test_job *svm_test_job_alloc(u32 num_cmds, u32 num_deps, bool fence)
{
	struct svm_test_job *job;
	int i;

	job = kzalloc_obj(*job, GFP_KERNEL_ACCOUNT);
	if (!job)
		return NULL;

	kref_init(&job->ref);
	INIT_LIST_HEAD(&job->link);
	for (i = 0; i < ARRAY_SIZE(job->slots); i++)
		job->slots[i].job = job;
	job->last_slot.job = job;

	if (fence)
		job->fence = kzalloc_obj(*job->fence, GFP_KERNEL_ACCOUNT);
	job->cmds = kvzalloc_objs(*job->cmds, num_cmds, GFP_KERNEL_ACCOUNT);
	job->deps = kvzalloc_objs(*job->deps, num_deps, GFP_KERNEL_ACCOUNT);
	if (!job->fence != !fence || !job->cmds || !job->deps) {
		svm_test_job_put(job);
		return NULL;
	}
	job->num_cmds = num_cmds;
	job->num_deps = num_deps;
	return job;
}

static void job_dep_signalled(struct svm_test_job *job)
{
	if (atomic_dec_and_test(&job->deps_pending))
		svm_test_queue_job_ready(job);
}

static void job_dep_cb(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct svm_test_dep *dep = container_of(cb, struct svm_test_dep, cb);

	job_dep_signalled(dep->job);
}

/**
 * svm_test_job_arm() - make the fence, and watch the fences to wait for
 * @job: the job, with its queue
 *
 * Under svm_test_file.submit_lock. Cannot fail; svm_test_queue_add() has to
 * follow.
 */
void svm_test_job_arm(struct svm_test_job *job)
{
	u32 i;

	lockdep_assert_held(&job->file->submit_lock);

	job->seqno = ++job->queue->seqno;
	job->submitted = ktime_get();
	if (job->fence)
		dma_fence_init(job->fence, &job_fence_ops, NULL,
			       job->queue->fence_context, job->seqno);

	/* One more, so that the job is not ready before all are watched. */
	atomic_set(&job->deps_pending, job->num_deps + 1);
	for (i = 0; i < job->num_deps; i++) {
		struct svm_test_dep *dep = &job->deps[i];

		dep->job = job;
		if (dma_fence_add_callback(dep->fence, &dep->cb, job_dep_cb))
			job_dep_signalled(job);
	}
	job_dep_signalled(job);
}

/**
 * svm_test_job_is_ready() - have all fences to wait for signalled?
 * @job: the job
 *
 * Return: whether they have.
 */
bool svm_test_job_is_ready(const struct svm_test_job *job)
{
	return !atomic_read_acquire(&job->deps_pending);
}

/**
 * svm_test_job_deps_failed() - did a fence to wait for fail?
 * @job: the job, which is ready
 *
 * The point of a timeline does not carry the error; the fence in it does.
 *
 * Return: whether any of them did.
 */
bool svm_test_job_deps_failed(const struct svm_test_job *job)
{
	u32 i;

	for (i = 0; i < job->num_deps; i++) {
		struct dma_fence *fence =
			dma_fence_chain_contained(job->deps[i].fence);

		if (dma_fence_get_status(fence) < 0)
			return true;
	}
	return false;
}

/**
 * svm_test_job_is_done() - has the job ended?
 * @job: the job
 *
 * Return: whether the result may be read.
 */
bool svm_test_job_is_done(const struct svm_test_job *job)
{
	/* Pairs with svm_test_job_complete() */
	return smp_load_acquire(&job->done);
}

/**
 * svm_test_job_next_stage() - a job is over with what it is about
 * @job: the job, on its engine
 */
void svm_test_job_next_stage(struct svm_test_job *job)
{
	memset(&job->progress, 0, sizeof(job->progress));
	memset(&job->last, 0, sizeof(job->last));
	job->stage++;
	if (job->stage == SVM_TEST_STAGE_REPORT) {
		job->last.dst = job->report;
		if (!job->report)
			job->stage++;
	}
	if (job->stage == SVM_TEST_STAGE_SIGNAL) {
		job->last.op = DRM_SVM_TEST_OP_SIGNAL;
		job->last.dst = job->signal.addr;
		job->last.arg0 = job->signal.value;
		if (!job->signal.addr)
			job->stage++;
	}
}

/* The first reason counts. */
static void job_set_status(struct svm_test_job *job, u32 status, int err, u64 addr)
{
	if (job->status)
		return;
	job->status = status;
	job->err = err;
	job->addr = addr;
}

/**
 * svm_test_job_fail() - end what a job is about early
 * @job: the job, on its engine
 * @status: enum drm_svm_test_status
 * @err: negative errno
 * @addr: the faulting address, or zero
 *
 * Its next stage follows: a job that fails still reports that, and signals its fence.
 */
void svm_test_job_fail(struct svm_test_job *job, u32 status, int err, u64 addr)
{
	job_set_status(job, status, err, addr);
	svm_test_job_next_stage(job);
}

/**
 * svm_test_job_end() - end a job early, with no user fence
 * @job: the job, on its engine
 * @status: enum drm_svm_test_status
 * @err: negative errno
 */
void svm_test_job_end(struct svm_test_job *job, u32 status, int err)
{
	if (job->stage != SVM_TEST_STAGE_OVER)
		job_set_status(job, status, err, 0);
	job->stage = SVM_TEST_STAGE_OVER;
}

/**
 * svm_test_job_complete() - end a job
 * @job: the job, first in its queue, on its engine
 *
 * Publishes the result and signals the fence.
 */
void svm_test_job_complete(struct svm_test_job *job)
{
	struct dma_fence *fence = job->fence;
	u32 i;

	/* On return of each call its callback is over or will not come. */
	for (i = 0; i < job->num_deps; i++)
		dma_fence_remove_callback(job->deps[i].fence,
					  &job->deps[i].cb);
	if (!job->fetch)
		atomic_dec(&job->file->num_jobs);

	if (!job->status)
		job->status = DRM_SVM_TEST_STATUS_OK;
	if (fence && job->err)
		dma_fence_set_error(fence, job->err);
	/* Pairs with svm_test_job_is_done() */
	smp_store_release(&job->done, true);
	if (fence)
		dma_fence_signal(fence);
	if (job->eventfd)
		eventfd_signal(job->eventfd);
	wake_up_all(&job->file->done);
	job_free_input(job);
}
