// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The copy engine: moves memory between RAM and VRAM, and clears VRAM.
 *
 * Data model. A queue of jobs, each a list of segments, which a thread does in
 * order. It works with addresses on the bus, past all page tables. Every job
 * has a fence. To be as slow as a device is, a job can be made to take time:
 * the time passes before anything is copied, so that who does not wait for the
 * fence reads what was there before.
 *
 * No memory is needed to make progress, since eviction waits for these fences.
 * A job that cannot be allocated at once is done by a job on the stack of the
 * caller, a segment at a time, who waits for it. The order is kept: such jobs
 * go through the queue as well. The thread never allocates, nor does it take a
 * lock that is held over an allocation.
 *
 * Locking. svm_test_copy.lock, a spinlock in process context with nothing
 * inside. The thread works on a job with no lock held.
 */

#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/dma-fence.h>
#include <linux/err.h>
#include <linux/highmem.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/math64.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include <drm/drm_svm.h>

#include "svm_test_copy.h"
#include "svm_test_device.h"
#include "svm_test_vram.h"

struct svm_test_copy_job {
	struct list_head link;
	/* @fence: NULL for a job on the stack, which has @done and @err instead */
	struct dma_fence *fence;
	struct completion *done;
	int err;
	unsigned int n;
	/* @segs: a source of DRM_SVM_LOCATION_NONE stands for zeroes */
	const struct drm_svm_copy *segs;
	struct drm_svm_copy own[];
};

struct svm_test_copy {
	struct svm_test_device *gpu;
	struct task_struct *task;
	/* @fence_context: of the fences; constant */
	u64 fence_context;
	/* @dead: the hardware is gone; set once */
	bool dead;
	/* @lock: protects all below */
	spinlock_t lock;
	/* @jobs: the first one may be under way */
	struct list_head jobs;
	/* @fence_seqno: of the last one */
	u64 fence_seqno;
	/* @wait: where the thread waits for @jobs */
	wait_queue_head_t wait;
};

static const char *copy_fence_driver_name(struct dma_fence *fence)
{
	return "drm_svm_test_dev";
}

static const char *copy_fence_timeline_name(struct dma_fence *fence)
{
	return "svm_test_copy";
}

/* No release and no wait, so that a signalled fence can outlive the module. */
static const struct dma_fence_ops copy_fence_ops = {
	.get_driver_name = copy_fence_driver_name,
	.get_timeline_name = copy_fence_timeline_name,
};

static int copy_page_run(struct svm_test_device *gpu,
			 const struct drm_svm_copy *seg, u64 offset)
{
	struct svm_test_memory *memory = gpu->memory;
	struct page *src = NULL, *dst;

	dst = svm_test_memory_page(memory,
				   svm_test_bus_addr(seg->dst + offset,
						     seg->dst_location));
	if (seg->src_location != DRM_SVM_LOCATION_NONE) {
		src = svm_test_memory_page(memory,
					   svm_test_bus_addr(seg->src + offset,
							     seg->src_location));
		if (!src)
			return -EIO;
	}
	if (!dst || (seg->src_location == DRM_SVM_LOCATION_VRAM &&
		     svm_test_inject_copy_page(&gpu->inject, seg->src + offset)))
		return -EIO;

	if (src)
		copy_highpage(dst, src);
	else
		clear_highpage(dst);
	return 0;
}

static int copy_job_run(struct svm_test_copy *engine,
			const struct svm_test_copy_job *job)
{
	unsigned int i, page;
	int err;

	/* It is only waited for, see svm_test_copy_flush(). */
	if (!job->n)
		return 0;
	if (READ_ONCE(engine->dead))
		return -ENODEV;
	err = svm_test_inject_copy(&engine->gpu->inject);
	if (err)
		return err;

	for (i = 0; i < job->n; i++) {
		for (page = 0; page < job->segs[i].npages; page++) {
			err = copy_page_run(engine->gpu, &job->segs[i],
					    (u64)page << PAGE_SHIFT);
			if (err)
				return err;
			cond_resched();
		}
	}
	return 0;
}

/* Take as long as the configuration says. */
static void copy_job_delay(struct svm_test_copy *engine,
			   const struct svm_test_copy_job *job)
{
	const struct svm_test_config *config = &engine->gpu->config;
	u64 us = config->copy_latency_us, bytes = 0;
	unsigned int i;

	for (i = 0; i < job->n; i++)
		bytes += (u64)job->segs[i].npages << PAGE_SHIFT;
	/* A megabyte per second is a byte per microsecond. */
	if (config->copy_mbps)
		us += div_u64(bytes, config->copy_mbps);
	if (us && job->n && !READ_ONCE(engine->dead))
		fsleep(us);
}

/* The job belongs to the thread, or to its waiter, and is gone afterwards. */
static void copy_job_end(struct svm_test_copy_job *job, int err)
{
	if (!job->fence) {
		job->err = err;
		complete(job->done);
		return;
	}
	if (err)
		dma_fence_set_error(job->fence, err);
	dma_fence_signal(job->fence);
	dma_fence_put(job->fence);
	kfree(job);
}

static struct svm_test_copy_job *copy_next(struct svm_test_copy *engine)
{
	struct svm_test_copy_job *job;

	spin_lock(&engine->lock);
	job = list_first_entry_or_null(&engine->jobs, struct svm_test_copy_job,
				       link);
	if (job)
		list_del_init(&job->link);
	spin_unlock(&engine->lock);
	return job;
}

static int copy_main(void *data)
{
	struct svm_test_copy *engine = data;
	struct svm_test_copy_job *job;
	bool cookie;

	/* Whatever is queued is done before the thread ends. */
	while ((job = copy_next(engine)) || !kthread_should_stop()) {
		if (!job) {
			wait_event_idle(engine->wait,
					!list_empty_careful(&engine->jobs) ||
					kthread_should_stop());
			continue;
		}
		cookie = dma_fence_begin_signalling();
		copy_job_delay(engine, job);
		copy_job_end(job, copy_job_run(engine, job));
		dma_fence_end_signalling(cookie);
	}
	return 0;
}

/* Returns a reference to the fence of the job, which may be over by then. */
static struct dma_fence *copy_queue(struct svm_test_copy *engine,
				    struct svm_test_copy_job *job)
{
	struct dma_fence *fence = job->fence;

	spin_lock(&engine->lock);
	if (fence) {
		dma_fence_init(fence, &copy_fence_ops, NULL,
			       engine->fence_context, ++engine->fence_seqno);
		dma_fence_get(fence);
	}
	list_add_tail(&job->link, &engine->jobs);
	spin_unlock(&engine->lock);
	wake_up(&engine->wait);
	return fence;
}

/* Room for @n segments, if there is memory at hand */
static struct svm_test_copy_job *copy_job_alloc(unsigned int n)
{
	struct svm_test_copy_job *job;

	job = kzalloc_flex(*job, own, n, GFP_NOWAIT | __GFP_NOWARN);
	if (!job)
		return NULL;

	job->fence = kzalloc_obj(*job->fence, GFP_NOWAIT | __GFP_NOWARN);
	if (!job->fence) {
		kfree(job);
		return NULL;
	}
	job->segs = job->own;
	job->n = n;
	return job;
}

/* Do @n segments in the order of the queue, without an allocation. */
static int copy_sync(struct svm_test_copy *engine,
		     const struct drm_svm_copy *segs, unsigned int n)
{
	DECLARE_COMPLETION_ONSTACK(done);
	struct svm_test_copy_job job = {
		.done = &done,
		.n = n,
		.segs = segs,
	};

	copy_queue(engine, &job);
	wait_for_completion(&done);
	return job.err;
}

static struct drm_svm_copy copy_seg_clear(const struct drm_svm_run *run)
{
	return (struct drm_svm_copy) {
		.dst = run->addr,
		.npages = run->npages,
		.src_location = DRM_SVM_LOCATION_NONE,
		.dst_location = run->location,
	};
}

/**
 * svm_test_copy_submit() - start to copy
 * @engine: the copy engine
 * @segs: what to copy; may be freed on return
 * @n: length of @segs
 *
 * May sleep, does not wait for memory.
 *
 * Return: a fence, which has an error if not all was copied, or an ERR_PTR().
 */
struct dma_fence *svm_test_copy_submit(struct svm_test_copy *engine,
				       const struct drm_svm_copy *segs,
				       unsigned int n)
{
	struct svm_test_copy_job *job = copy_job_alloc(n);
	unsigned int i;

	if (job) {
		memcpy(job->own, segs, flex_array_size(job, own, n));
		return copy_queue(engine, job);
	}

	for (i = 0; i < n; i++) {
		int err = copy_sync(engine, &segs[i], 1);

		if (err)
			return ERR_PTR(err);
	}
	return dma_fence_get_stub();
}

/**
 * svm_test_copy_clear() - start to fill memory with zeroes
 * @engine: the copy engine
 * @runs: the memory; may be freed on return
 * @n: length of @runs
 *
 * May sleep, does not wait for memory.
 *
 * Return: a fence, which has an error if not all was cleared, or an ERR_PTR().
 */
struct dma_fence *svm_test_copy_clear(struct svm_test_copy *engine,
				      const struct drm_svm_run *runs,
				      unsigned int n)
{
	struct svm_test_copy_job *job = copy_job_alloc(n);
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct drm_svm_copy seg = copy_seg_clear(&runs[i]);
		int err;

		if (job) {
			job->own[i] = seg;
			continue;
		}
		err = copy_sync(engine, &seg, 1);
		if (err)
			return ERR_PTR(err);
	}
	return job ? copy_queue(engine, job) : dma_fence_get_stub();
}

/**
 * svm_test_copy_flush() - wait for the jobs that are queued
 * @engine: the copy engine
 */
void svm_test_copy_flush(struct svm_test_copy *engine)
{
	copy_sync(engine, NULL, 0);
}

/**
 * svm_test_copy_kill() - the hardware is gone
 * @engine: the copy engine
 *
 * On return nothing is copied any more: all jobs that are not over fail with
 * -ENODEV, as does each that is submitted later.
 */
void svm_test_copy_kill(struct svm_test_copy *engine)
{
	WRITE_ONCE(engine->dead, true);
	svm_test_copy_flush(engine);
}

/**
 * svm_test_copy_create() - make the copy engine of a device and start it
 * @gpu: the device, whose memory is there
 *
 * Return: the copy engine, or an ERR_PTR().
 */
struct svm_test_copy *svm_test_copy_create(struct svm_test_device *gpu)
{
	struct svm_test_copy *engine;

	engine = kzalloc_obj(*engine);
	if (!engine)
		return ERR_PTR(-ENOMEM);

	engine->gpu = gpu;
	engine->fence_context = dma_fence_context_alloc(1);
	spin_lock_init(&engine->lock);
	INIT_LIST_HEAD(&engine->jobs);
	init_waitqueue_head(&engine->wait);

	engine->task = kthread_run(copy_main, engine, "svm_test%u/copy",
				   gpu->index);
	if (IS_ERR(engine->task)) {
		struct task_struct *task = engine->task;

		kfree(engine);
		return ERR_CAST(task);
	}
	return engine;
}

/**
 * svm_test_copy_destroy() - finish what is queued, and free the copy engine
 * @engine: the copy engine, or NULL; nobody submits any more
 */
void svm_test_copy_destroy(struct svm_test_copy *engine)
{
	if (!engine)
		return;
	kthread_stop(engine->task);
	WARN_ON(!list_empty(&engine->jobs));
	kfree(engine);
}
