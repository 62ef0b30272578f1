// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Submission: from the ioctl to a job in a queue, and back to the result; and the
 * ioctls of queues.
 *
 * A submission is built up in a struct svm_test_submission: everything is
 * copied, checked and allocated first, with no lock held. Then it is published
 * in one go under svm_test_file.submit_lock: from the result table on nothing
 * can fail. The lock makes the order of fences that of the jobs in the queue.
 *
 * A job on buffer objects has these locked and mapped meanwhile, and its fence keeps them
 * there.
 */

#include <linux/align.h>
#include <linux/dma-fence-chain.h>
#include <linux/dma-resv.h>
#include <linux/eventfd.h>
#include <linux/hrtimer.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <drm/drm_exec.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_svm.h>
#include <drm/drm_svm_test.h>
#include <drm/drm_syncobj.h>

#include "svm_test_bind.h"
#include "svm_test_cmd.h"
#include "svm_test_device.h"
#include "svm_test_engine.h"
#include "svm_test_exec.h"
#include "svm_test_file.h"
#include "svm_test_job.h"
#include "svm_test_queue.h"
#include "svm_test_vm.h"

/* A syncobj to signal */
struct svm_test_out {
	struct drm_syncobj *syncobj;
	/* @chain: node for the point of a timeline, else NULL */
	struct dma_fence_chain *chain;
	u64 point;
};

struct svm_test_submission {
	struct svm_test_file *file;
	struct svm_test_vm *vm;
	struct drm_file *drm_file;
	struct drm_svm_test_submit *args;
	/* @queue: with a reference */
	struct svm_test_queue *queue;
	/* @job: with all it needs; NULL once it is queued */
	struct svm_test_job *job;
	/* @fence: that of the job, with a reference, once it is queued */
	struct dma_fence *fence;
	struct svm_test_out *outs;
};

/* Tries to have all buffer objects of a job in place at the same time */
#define SUBMIT_TRIES	64

#define SUBMIT_FLAGS	(DRM_SVM_TEST_SUBMIT_NO_RESULT | DRM_SVM_TEST_SUBMIT_EVENTFD)

static int submit_check(const struct drm_svm_test_submit *args)
{
	if (args->flags & ~SUBMIT_FLAGS ||
	    (args->eventfd && !(args->flags & DRM_SVM_TEST_SUBMIT_EVENTFD)))
		return -EINVAL;
	/* A pointer to no commands is that of a structure that was cut short. */
	if (args->num_cmds > SVM_TEST_MAX_CMDS || (!args->num_cmds && args->cmds) ||
	    args->num_in_syncs > SVM_TEST_MAX_SYNCS ||
	    args->num_out_syncs > SVM_TEST_MAX_SYNCS)
		return -EINVAL;
	if (!IS_ALIGNED(args->signal.addr, sizeof(u64)) ||
	    (args->signal.value && !args->signal.addr) ||
	    !IS_ALIGNED(args->report, sizeof(struct drm_svm_test_report)))
		return -EINVAL;
	return 0;
}

/* The engine with the fewest jobs */
static u32 submit_least_engine(const struct svm_test_device *gpu)
{
	u32 best = 0, i;

	for (i = 1; i < gpu->config.engines; i++)
		if (svm_test_engine_load(gpu->engines[i]) <
		    svm_test_engine_load(gpu->engines[best]))
			best = i;
	return best;
}

static int submit_find_queue(struct svm_test_submission *sub)
{
	struct svm_test_queue *queue;
	u32 id = sub->args->queue;

	if (id == DRM_SVM_TEST_QUEUE_ANY)
		id = submit_least_engine(sub->file->gpu);

	guard(mutex)(&sub->file->submit_lock);

	queue = xa_load(&sub->file->queues, id);
	if (!queue)
		return -EBADF;
	sub->queue = svm_test_queue_get(queue);
	return 0;
}

/*
 * Only a job that cannot fault may have fences, and it must not be made to wait for
 * what can: neither for a user fence, nor for the memory of one.
 */
static int submit_check_queue(const struct svm_test_submission *sub)
{
	const struct drm_svm_test_submit *args = sub->args;

	if (sub->queue->engine->buffers)
		return args->signal.addr || args->report ? -EINVAL : 0;
	return args->num_in_syncs || args->num_out_syncs ? -EINVAL : 0;
}

static int submit_alloc(struct svm_test_submission *sub)
{
	struct drm_svm_test_submit *args = sub->args;
	struct svm_test_job *job;

	job = svm_test_job_alloc(args->num_cmds, args->num_in_syncs,
				 sub->queue->engine->buffers);
	if (!job)
		return -ENOMEM;

	job->file = sub->file;
	job->queue = svm_test_queue_get(sub->queue);
	job->vm = svm_test_vm_get(sub->vm);
	job->signal = args->signal;
	job->report = args->report;
	sub->job = job;
	if (args->flags & DRM_SVM_TEST_SUBMIT_EVENTFD) {
		struct eventfd_ctx *eventfd = eventfd_ctx_fdget(args->eventfd);

		/* It is no file, or no eventfd. */
		if (IS_ERR(eventfd))
			return -EBADF;
		job->eventfd = eventfd;
	}

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

static int copy_sync(u64 syncs, u32 i, struct drm_svm_test_sync *sync)
{
	struct drm_svm_test_sync __user *from = u64_to_user_ptr(syncs);

	if (copy_from_user(sync, from + i, sizeof(*sync)))
		return -EFAULT;
	if (sync->flags & ~DRM_SVM_TEST_SYNC_TIMELINE)
		return -EINVAL;
	/* A point is what makes a timeline: neither goes without the other. */
	if (!sync->point != !(sync->flags & DRM_SVM_TEST_SYNC_TIMELINE))
		return -EINVAL;
	return 0;
}

static int submit_find_in_syncs(struct svm_test_submission *sub)
{
	struct drm_svm_test_sync sync;
	u32 i;

	for (i = 0; i < sub->args->num_in_syncs; i++) {
		int err = copy_sync(sub->args->in_syncs, i, &sync);

		if (err)
			return err;
		/* -ENOENT: no such syncobj; -EINVAL: it, or its timeline, has no such fence */
		err = drm_syncobj_find_fence(sub->drm_file, sync.handle, sync.point,
					     0, &sub->job->deps[i].fence);
		if (err) {
			sub->job->deps[i].fence = NULL;
			return err == -ENOENT ? -EBADF : err;
		}
	}
	return 0;
}

static int submit_find_out_syncs(struct svm_test_submission *sub)
{
	struct drm_svm_test_sync sync;
	u32 i;

	for (i = 0; i < sub->args->num_out_syncs; i++) {
		struct svm_test_out *out = &sub->outs[i];
		int err = copy_sync(sub->args->out_syncs, i, &sync);

		if (err)
			return err;
		out->point = sync.point;
		out->syncobj = drm_syncobj_find(sub->drm_file, sync.handle);
		if (!out->syncobj)
			return -EBADF;
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
	dma_fence_put(sub->fence);
	if (sub->queue)
		svm_test_queue_put(sub->queue);
}

/*
 * Count the job, and enter it into the table of results unless nobody wants its
 * result: it counts until it ends, or else until its result is fetched.
 */
static int submit_add_locked(struct svm_test_submission *sub)
{
	struct svm_test_file *file = sub->file;
	int err;

	lockdep_assert_held(&file->submit_lock);

	/* Those that were stopped while they waited for memory are in flight for ever. */
	if (atomic_read(&file->num_jobs) >= (int)file->gpu->config.max_jobs ||
	    atomic_read(&sub->vm->abandoned) >= SVM_TEST_MAX_ABANDONED)
		return -EBUSY;

	sub->args->out_job = 0;
	sub->job->fetch = !(sub->args->flags & DRM_SVM_TEST_SUBMIT_NO_RESULT);
	if (sub->job->fetch) {
		err = xa_insert(&file->results, file->last_job + 1, sub->job,
				GFP_KERNEL);
		if (err)
			return err;
		svm_test_job_get(sub->job);
		sub->job->id = ++file->last_job;
		sub->args->out_job = sub->job->id;
	}
	atomic_inc(&file->num_jobs);
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
	struct svm_test_file *file = sub->file;
	struct svm_test_job *job = sub->job;
	int err;

	guard(mutex)(&file->submit_lock);

	if (file->closed)
		return -ENODEV;
	/* It may be on its way out. */
	if (READ_ONCE(sub->queue->closing))
		return -EBADF;
	err = submit_add_locked(sub);
	if (err)
		return err;

	/* Nothing can fail from here on. */
	svm_test_job_arm(job);
	/* The job may end as soon as it is queued. */
	if (job->fence)
		sub->fence = dma_fence_get(job->fence);
	submit_install_fence(sub);
	svm_test_queue_add(job);
	sub->job = NULL;
	return 0;
}

static void submit_fence_buffers(struct drm_exec *exec, struct dma_fence *fence)
{
	struct drm_gem_object *obj;

	drm_exec_for_each_locked_object(exec, obj)
		dma_resv_add_fence(obj->resv, fence, DMA_RESV_USAGE_BOOKKEEP);
}

/* Publish a job whose buffer objects are locked, and keep these where they are. */
static int submit_publish_locked(struct svm_test_submission *sub, struct drm_exec *exec)
{
	struct svm_test_job *job = sub->job;
	int err;

	err = svm_test_bind_check(sub->vm, job->cmds, job->num_cmds);
	if (!err)
		err = submit_publish(sub);
	if (!err)
		submit_fence_buffers(exec, sub->fence);
	return err;
}

/* -EAGAIN: the buffer objects did not stay where they were put. */
static int submit_try_buffers(struct svm_test_submission *sub)
{
	struct svm_test_job *job = sub->job;
	struct drm_exec exec;
	int err;

	err = svm_test_bind_map(sub->vm, job->cmds, job->num_cmds);
	if (err)
		return err;
	drm_exec_init(&exec, DRM_EXEC_INTERRUPTIBLE_WAIT | DRM_EXEC_IGNORE_DUPLICATES, 0);
	drm_exec_until_all_locked(&exec) {
		err = svm_test_bind_lock(sub->vm, &exec, job->cmds, job->num_cmds);
		drm_exec_retry_on_contention(&exec);
		if (err)
			break;
	}
	if (!err)
		err = submit_publish_locked(sub, &exec);
	drm_exec_fini(&exec);
	return err;
}

/* Publish a job on buffer objects. */
static int submit_publish_buffers(struct svm_test_submission *sub)
{
	struct mutex *lock = &sub->vm->bindings.lock;
	unsigned int tries = 0;
	int err;

	err = svm_test_pm_enter(sub->file->gpu);
	if (err)
		return err;
	err = mutex_lock_interruptible(lock);
	if (!err) {
		/* One that was evicted rests, so they come to lie side by side, or in RAM. */
		do {
			err = submit_try_buffers(sub);
		} while (err == -EAGAIN && ++tries < SUBMIT_TRIES);
		mutex_unlock(lock);
	}
	svm_test_pm_leave(sub->file->gpu);
	if (err == -EAGAIN)
		return -EBUSY;
	return err == -EINTR ? -ERESTARTSYS : err;
}

static int submit_steps(struct svm_test_submission *sub)
{
	int err;

	err = submit_find_queue(sub);
	if (!err)
		err = submit_check_queue(sub);
	if (!err)
		err = submit_alloc(sub);
	if (!err)
		err = submit_copy_cmds(sub);
	if (!err)
		err = submit_find_in_syncs(sub);
	if (!err)
		err = submit_find_out_syncs(sub);
	if (err)
		return err;
	return sub->queue->engine->buffers ? submit_publish_buffers(sub) : submit_publish(sub);
}

/**
 * svm_test_ioctl_submit() - DRM_IOCTL_SVM_TEST_SUBMIT
 * @drm: the device
 * @data: struct drm_svm_test_submit
 * @drm_file: the file
 *
 * Return: 0, or an error after which nothing was submitted.
 */
int svm_test_ioctl_submit(struct drm_device *drm, void *data,
			  struct drm_file *drm_file)
{
	struct svm_test_submission sub = {
		.file = to_svm_test_file(drm_file),
		.vm = svm_test_file_vm(drm_file),
		.drm_file = drm_file,
		.args = data,
	};
	int err;

	err = submit_check(sub.args);
	if (err)
		return err;
	err = svm_test_vm_check_own(sub.vm);
	if (err)
		return err;

	err = submit_steps(&sub);
	submit_cleanup(&sub);
	return err;
}

static struct svm_test_job *wait_lookup(struct svm_test_file *file, u64 id)
{
	struct svm_test_job *job;

	xa_lock(&file->results);
	job = xa_load(&file->results, id);
	if (job)
		svm_test_job_get(job);
	xa_unlock(&file->results);
	return job;
}

/* Wait until the absolute time @timeout. */
static int wait_done(struct svm_test_file *file, struct svm_test_job *job,
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

	err = wait_event_interruptible_hrtimeout(file->done,
						 svm_test_job_is_done(job),
						 left);
	/* The last moment counts: the job may have ended with the time. */
	return svm_test_job_is_done(job) ? 0 : err;
}

/* Take the job out of the table of results; only one waiter can. */
static int wait_fetch(struct svm_test_file *file, u64 id, struct svm_test_job *job)
{
	guard(mutex)(&file->submit_lock);

	if (xa_cmpxchg(&file->results, id, job, NULL, GFP_KERNEL) != job)
		return -EBADF;
	atomic_dec(&file->num_jobs);
	svm_test_job_put(job);
	return 0;
}

/**
 * svm_test_ioctl_wait() - DRM_IOCTL_SVM_TEST_WAIT
 * @drm: the device
 * @data: struct drm_svm_test_wait
 * @drm_file: the file
 *
 * The timeout is absolute, so that the call can be restarted as it is.
 *
 * Return: 0, -EINVAL, -EPERM, -EBADF, -ETIME or -ERESTARTSYS.
 */
int svm_test_ioctl_wait(struct drm_device *drm, void *data,
			struct drm_file *drm_file)
{
	struct drm_svm_test_wait *args = data;
	struct svm_test_file *file = to_svm_test_file(drm_file);
	struct svm_test_job *job;
	int err;

	if (args->flags)
		return -EINVAL;
	err = svm_test_vm_check_mm(svm_test_file_vm(drm_file));
	if (err)
		return err;

	job = wait_lookup(file, args->job);
	if (!job)
		return -EBADF;

	err = wait_done(file, job, args->timeout);
	if (!err)
		err = wait_fetch(file, args->job, job);
	if (!err) {
		args->out_status = job->status;
		args->out_errno = -job->err;
		args->out_cmd = job->cmd;
		args->out_addr = job->addr;
	}
	svm_test_job_put(job);
	return err;
}

static int queue_create(struct svm_test_file *file, struct drm_svm_test_queue_create *args)
{
	struct svm_test_device *gpu = file->gpu;
	struct svm_test_engine *engine;
	struct svm_test_queue *queue;
	u64 limit = args->time_limit_ns;
	u32 id = args->engine;
	int err;

	if (id == DRM_SVM_TEST_ENGINE_ANY)
		id = submit_least_engine(gpu);
	engine = gpu->engines[array_index_nospec(id, gpu->config.engines)];
	if (args->engine_class == DRM_SVM_TEST_ENGINE_CLASS_BUFFER) {
		engine = svm_test_buffer_engine(gpu);
		limit = limit ?: SVM_TEST_MAX_FENCE_NS;
	}
	queue = svm_test_queue_create(engine, args->priority, limit);
	if (!queue)
		return -ENOMEM;

	guard(mutex)(&file->submit_lock);

	if (file->closed)
		err = -ENODEV;
	else if (file->num_queues == SVM_TEST_MAX_QUEUES)
		err = -EBUSY;
	else
		err = xa_alloc(&file->queues, &id, queue, xa_limit_31b, GFP_KERNEL);
	if (err) {
		svm_test_queue_put(queue);
		return err;
	}
	file->num_queues++;
	args->out_queue = id;
	return 0;
}

static int queue_check_class(const struct svm_test_device *gpu,
			     const struct drm_svm_test_queue_create *args)
{
	unsigned int engines;

	switch (args->engine_class) {
	case DRM_SVM_TEST_ENGINE_CLASS_COMPUTE:
		engines = gpu->config.engines;
		break;
	case DRM_SVM_TEST_ENGINE_CLASS_BUFFER:
		engines = 1;
		/* Fences have to signal. */
		if (args->time_limit_ns > SVM_TEST_MAX_FENCE_NS)
			return -EINVAL;
		break;
	default:
		return -EINVAL;
	}
	return args->engine == DRM_SVM_TEST_ENGINE_ANY || args->engine < engines ? 0 : -EINVAL;
}

/**
 * svm_test_ioctl_queue_create() - DRM_IOCTL_SVM_TEST_QUEUE_CREATE
 * @drm: the device
 * @data: struct drm_svm_test_queue_create
 * @drm_file: the file
 *
 * Return: 0, -EINVAL, -EPERM, -EBUSY, -ENOMEM or -ENODEV.
 */
int svm_test_ioctl_queue_create(struct drm_device *drm, void *data,
				struct drm_file *drm_file)
{
	struct svm_test_file *file = to_svm_test_file(drm_file);
	struct drm_svm_test_queue_create *args = data;
	int err;

	if (args->flags || args->pad || args->priority >= DRM_SVM_TEST_PRIORITY_NUM ||
	    queue_check_class(file->gpu, args))
		return -EINVAL;
	err = svm_test_vm_check_mm(svm_test_file_vm(drm_file));
	return err ?: queue_create(file, args);
}

/*
 * Cancel the jobs of a queue, and let nothing in any more. It stays in the table, where
 * unplug looks for what it has to wait for. Returns it with a reference.
 */
static struct svm_test_queue *queue_begin_destroy(struct svm_test_file *file, u32 id)
{
	struct svm_test_queue *queue;

	guard(mutex)(&file->submit_lock);

	/* Those that the file has from the start stay. */
	if (id < file->gpu->config.engines)
		return ERR_PTR(-EINVAL);
	if (file->closed)
		return ERR_PTR(-ENODEV);
	queue = xa_load(&file->queues, id);
	if (!queue || READ_ONCE(queue->closing))
		return ERR_PTR(-EBADF);
	svm_test_queue_close(queue, -ECANCELED);
	return svm_test_queue_get(queue);
}

/**
 * svm_test_ioctl_queue_destroy() - DRM_IOCTL_SVM_TEST_QUEUE_DESTROY
 * @drm: the device
 * @data: struct drm_svm_test_queue_destroy
 * @drm_file: the file
 *
 * Return: 0, -EINVAL, -EPERM, -EBADF or -ENODEV.
 */
int svm_test_ioctl_queue_destroy(struct drm_device *drm, void *data,
				 struct drm_file *drm_file)
{
	struct svm_test_file *file = to_svm_test_file(drm_file);
	struct drm_svm_test_queue_destroy *args = data;
	struct svm_test_queue *queue;
	int err;

	if (args->flags)
		return -EINVAL;
	err = svm_test_vm_check_mm(svm_test_file_vm(drm_file));
	if (err)
		return err;
	queue = queue_begin_destroy(file, args->queue);
	if (IS_ERR(queue))
		return PTR_ERR(queue);

	svm_test_queue_wait_idle(queue);
	scoped_guard(mutex, &file->submit_lock) {
		xa_erase(&file->queues, args->queue);
		file->num_queues--;
	}
	svm_test_queue_put(queue);
	svm_test_queue_put(queue);
	return 0;
}

static int cancel(struct svm_test_file *file, const struct drm_svm_test_cancel *args)
{
	bool force = args->flags & DRM_SVM_TEST_CANCEL_FORCE;
	struct svm_test_queue *queue;
	struct svm_test_job *job;

	if (args->job) {
		job = wait_lookup(file, args->job);
		if (!job)
			return -EBADF;
		svm_test_queue_cancel(job->queue, job, force);
		svm_test_job_put(job);
		return 0;
	}

	guard(mutex)(&file->submit_lock);

	queue = xa_load(&file->queues, args->queue);
	if (!queue)
		return -EBADF;
	svm_test_queue_cancel(queue, NULL, force);
	return 0;
}

/**
 * svm_test_ioctl_cancel() - DRM_IOCTL_SVM_TEST_CANCEL
 * @drm: the device
 * @data: struct drm_svm_test_cancel
 * @drm_file: the file
 *
 * Return: 0, -EINVAL, -EPERM or -EBADF.
 */
int svm_test_ioctl_cancel(struct drm_device *drm, void *data,
			  struct drm_file *drm_file)
{
	struct svm_test_file *file = to_svm_test_file(drm_file);
	struct drm_svm_test_cancel *args = data;
	int err;

	if (args->flags & ~DRM_SVM_TEST_CANCEL_FORCE || (args->job && args->queue))
		return -EINVAL;
	err = svm_test_vm_check_mm(svm_test_file_vm(drm_file));
	return err ?: cancel(file, args);
}
