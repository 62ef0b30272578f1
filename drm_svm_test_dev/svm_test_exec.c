// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Submission: from the ioctl to a job in the queue of an engine, and back to
 * the result.
 *
 * A submission is built up in a struct svm_test_submission: everything is
 * copied, checked and allocated first, with no lock held. Then it is published
 * in one go under svm_test_vm.submit_lock: from the result table on nothing
 * can fail. The lock makes the order of fences that of the jobs in the queue.
 */

#include <linux/dma-fence-chain.h>
#include <linux/hrtimer.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <drm/drm_file.h>
#include <drm/drm_svm.h>
#include <drm/drm_svm_test.h>
#include <drm/drm_syncobj.h>

#include "svm_test_cmd.h"
#include "svm_test_device.h"
#include "svm_test_engine.h"
#include "svm_test_exec.h"
#include "svm_test_job.h"
#include "svm_test_vm.h"

/* A syncobj to signal */
struct svm_test_out {
	struct drm_syncobj *syncobj;
	/* @chain: node for the point of a timeline, else NULL */
	struct dma_fence_chain *chain;
	u64 point;
};

struct svm_test_submission {
	struct svm_test_vm *vm;
	struct drm_file *file;
	struct drm_svm_test_submit *args;
	/* @job: with all it needs; NULL once it is queued */
	struct svm_test_job *job;
	struct svm_test_out *outs;
};

static int submit_check(const struct svm_test_vm *vm,
			const struct drm_svm_test_submit *args)
{
	if (args->pad || args->flags & ~DRM_SVM_TEST_SUBMIT_NO_RESULT)
		return -EINVAL;
	if (!args->num_cmds || args->num_cmds > SVM_TEST_MAX_CMDS ||
	    args->num_in_syncs > SVM_TEST_MAX_SYNCS ||
	    args->num_out_syncs > SVM_TEST_MAX_SYNCS)
		return -EINVAL;
	if (args->engine != DRM_SVM_TEST_ENGINE_ANY &&
	    args->engine >= vm->gpu->config.engines)
		return -EINVAL;
	return 0;
}

static int submit_check_mm(struct svm_test_vm *vm)
{
	int err;

	err = svm_test_vm_enter(vm);
	if (err)
		return err;
	err = svm_test_vm_check_attached(vm);
	svm_test_vm_leave(vm);
	return err;
}

static int submit_alloc(struct svm_test_submission *sub)
{
	struct drm_svm_test_submit *args = sub->args;

	sub->job = svm_test_job_alloc(sub->vm, args->num_cmds,
				      args->num_in_syncs);
	if (!sub->job)
		return -ENOMEM;

	sub->outs = kzalloc_objs(*sub->outs, args->num_out_syncs,
				 GFP_KERNEL_ACCOUNT);
	return sub->outs ? 0 : -ENOMEM;
}

static int submit_copy_cmds(struct svm_test_submission *sub)
{
	struct svm_test_job *job = sub->job;
	u32 i;

	if (copy_from_user(job->cmds, u64_to_user_ptr(sub->args->cmds),
			   array_size(job->num_cmds, sizeof(*job->cmds))))
		return -EFAULT;

	for (i = 0; i < job->num_cmds; i++) {
		int err = svm_test_cmd_validate(&job->cmds[i]);

		if (err)
			return err;
	}
	return 0;
}

static int copy_sync(u64 syncs, u32 i, struct drm_svm_sync *sync)
{
	struct drm_svm_sync __user *from = u64_to_user_ptr(syncs);

	if (copy_from_user(sync, from + i, sizeof(*sync)))
		return -EFAULT;
	if (sync->flags & ~DRM_SVM_SYNC_TIMELINE)
		return -EINVAL;
	/* A point is what makes a timeline: neither goes without the other. */
	if (!sync->point != !(sync->flags & DRM_SVM_SYNC_TIMELINE))
		return -EINVAL;
	return 0;
}

static int submit_find_in_syncs(struct svm_test_submission *sub)
{
	struct drm_svm_sync sync;
	u32 i;

	for (i = 0; i < sub->args->num_in_syncs; i++) {
		int err = copy_sync(sub->args->in_syncs, i, &sync);

		if (err)
			return err;
		/* -EINVAL: the syncobj, or its timeline, has no such fence */
		err = drm_syncobj_find_fence(sub->file, sync.handle, sync.point,
					     0, &sub->job->deps[i].fence);
		if (err) {
			sub->job->deps[i].fence = NULL;
			return err == -EINVAL ? -ENOENT : err;
		}
	}
	return 0;
}

static int submit_find_out_syncs(struct svm_test_submission *sub)
{
	struct drm_svm_sync sync;
	u32 i;

	for (i = 0; i < sub->args->num_out_syncs; i++) {
		struct svm_test_out *out = &sub->outs[i];
		int err = copy_sync(sub->args->out_syncs, i, &sync);

		if (err)
			return err;
		out->point = sync.point;
		out->syncobj = drm_syncobj_find(sub->file, sync.handle);
		if (!out->syncobj)
			return -ENOENT;
		if (!sync.point)
			continue;
		out->chain = dma_fence_chain_alloc();
		if (!out->chain)
			return -ENOMEM;
	}
	return 0;
}

static void submit_cleanup(struct svm_test_submission *sub)
{
	u32 i;

	for (i = 0; sub->outs && i < sub->args->num_out_syncs; i++) {
		if (sub->outs[i].syncobj)
			drm_syncobj_put(sub->outs[i].syncobj);
		dma_fence_chain_free(sub->outs[i].chain);
	}
	kfree(sub->outs);
	svm_test_job_put(sub->job);
}

/* The engine that is asked for, or the one with the fewest jobs */
static unsigned int submit_engine(const struct svm_test_submission *sub)
{
	struct svm_test_device *gpu = sub->vm->gpu;
	unsigned int best = 0, i;

	if (sub->args->engine != DRM_SVM_TEST_ENGINE_ANY)
		return array_index_nospec(sub->args->engine,
					  gpu->config.engines);

	for (i = 1; i < gpu->config.engines; i++)
		if (svm_test_engine_load(gpu->engines[i]) <
		    svm_test_engine_load(gpu->engines[best]))
			best = i;
	return best;
}

/*
 * Count the job, and enter it into the table of results unless nobody wants its
 * result: it counts until it ends, or else until its result is fetched.
 */
static int submit_add_locked(struct svm_test_submission *sub)
{
	struct svm_test_vm *vm = sub->vm;
	int err;

	lockdep_assert_held(&vm->submit_lock);

	if (atomic_read(&vm->num_jobs) >= SVM_TEST_MAX_JOBS)
		return -EBUSY;

	sub->args->out_job = 0;
	sub->job->fetch = !(sub->args->flags & DRM_SVM_TEST_SUBMIT_NO_RESULT);
	if (sub->job->fetch) {
		err = xa_insert(&vm->results, vm->last_job + 1, sub->job,
				GFP_KERNEL);
		if (err)
			return err;
		svm_test_job_get(sub->job);
		sub->args->out_job = ++vm->last_job;
	}
	atomic_inc(&vm->num_jobs);
	return 0;
}

/* Hand the fence of the job to its out-syncs. */
static void submit_install_fence(struct svm_test_submission *sub)
{
	u32 i;

	for (i = 0; i < sub->args->num_out_syncs; i++) {
		struct svm_test_out *out = &sub->outs[i];

		if (!out->chain) {
			drm_syncobj_replace_fence(out->syncobj,
						  sub->job->fence);
			continue;
		}
		drm_syncobj_add_point(out->syncobj, out->chain, sub->job->fence,
				      out->point);
		/* The timeline owns it now. */
		out->chain = NULL;
	}
}

static int submit_publish(struct svm_test_submission *sub)
{
	unsigned int index = submit_engine(sub);
	struct svm_test_job *job = sub->job;
	struct svm_test_vm *vm = sub->vm;
	int err;

	guard(mutex)(&vm->submit_lock);

	if (vm->closed)
		return -ENODEV;
	job->engine = vm->gpu->engines[index];
	job->queue = &vm->queues[index];
	err = submit_add_locked(sub);
	if (err)
		return err;

	/* Nothing can fail from here on. */
	svm_test_job_arm(job);
	submit_install_fence(sub);
	svm_test_engine_submit(job);
	sub->job = NULL;
	return 0;
}

static int submit_steps(struct svm_test_submission *sub)
{
	int err;

	err = submit_alloc(sub);
	if (!err)
		err = submit_copy_cmds(sub);
	if (!err)
		err = submit_find_in_syncs(sub);
	if (!err)
		err = submit_find_out_syncs(sub);
	return err ?: submit_publish(sub);
}

/**
 * svm_test_ioctl_submit() - DRM_IOCTL_SVM_TEST_SUBMIT
 * @drm: the device
 * @data: struct drm_svm_test_submit
 * @file: the file
 *
 * Return: 0, or an error after which nothing was submitted.
 */
int svm_test_ioctl_submit(struct drm_device *drm, void *data,
			  struct drm_file *file)
{
	struct svm_test_submission sub = {
		.vm = file->driver_priv,
		.file = file,
		.args = data,
	};
	int err;

	err = submit_check(sub.vm, sub.args);
	if (err)
		return err;
	err = submit_check_mm(sub.vm);
	if (err)
		return err;

	err = submit_steps(&sub);
	submit_cleanup(&sub);
	return err;
}

static struct svm_test_job *wait_lookup(struct svm_test_vm *vm, u64 id)
{
	struct svm_test_job *job;

	xa_lock(&vm->results);
	job = xa_load(&vm->results, id);
	if (job)
		svm_test_job_get(job);
	xa_unlock(&vm->results);
	return job;
}

/* Wait until the absolute time @timeout. */
static int wait_done(struct svm_test_vm *vm, struct svm_test_job *job,
		     s64 timeout)
{
	ktime_t left = timeout;
	int err;

	if (svm_test_job_is_done(job))
		return 0;

	if (timeout != KTIME_MAX)
		left = ktime_sub(max_t(s64, timeout, 0), ktime_get());
	if (left <= 0)
		return -ETIME;

	err = wait_event_interruptible_hrtimeout(vm->done,
						 svm_test_job_is_done(job),
						 left);
	/* The last moment counts: the job may have ended with the time. */
	return svm_test_job_is_done(job) ? 0 : err;
}

/* Take the job out of the table of results; only one waiter can. */
static int wait_fetch(struct svm_test_vm *vm, u64 id, struct svm_test_job *job)
{
	guard(mutex)(&vm->submit_lock);

	if (xa_cmpxchg(&vm->results, id, job, NULL, GFP_KERNEL) != job)
		return -ENOENT;
	atomic_dec(&vm->num_jobs);
	svm_test_job_put(job);
	return 0;
}

/**
 * svm_test_ioctl_wait() - DRM_IOCTL_SVM_TEST_WAIT
 * @drm: the device
 * @data: struct drm_svm_test_wait
 * @file: the file
 *
 * The timeout is absolute, so that the call can be restarted as it is.
 *
 * Return: 0, -EINVAL, -EPERM, -ENOENT, -ETIME or -ERESTARTSYS.
 */
int svm_test_ioctl_wait(struct drm_device *drm, void *data,
			struct drm_file *file)
{
	struct drm_svm_test_wait *args = data;
	struct svm_test_vm *vm = file->driver_priv;
	struct svm_test_job *job;
	int err;

	if (args->flags)
		return -EINVAL;
	err = svm_test_vm_check_mm(vm);
	if (err)
		return err;

	job = wait_lookup(vm, args->job);
	if (!job)
		return -ENOENT;

	err = wait_done(vm, job, args->timeout);
	if (!err)
		err = wait_fetch(vm, args->job, job);
	if (!err) {
		args->out_status = job->status;
		args->out_errno = -job->err;
		args->out_cmd = job->cmd;
		args->out_addr = job->addr;
	}
	svm_test_job_put(job);
	return err;
}
