// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/dma-fence-chain.h>
#include <linux/dma-fence.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_syncobj.h>

#include "drm_svm_core.h"

/**
 * DOC: Syncobjs
 *
 * For ioctls that do their work before they return: wait for in-syncs before
 * it, signal out-syncs after it. Everything that can fail is done before the
 * work, so a call with a bad handle changes nothing, and signalling cannot
 * fail.
 */

/*
 * A fence may be of a device that never signals, so wake up to check whether
 * our own device is still there.
 */
#define DRM_SVM_SYNC_LOOK	(HZ / 10)

/* A syncobj to signal; @chain is for a timeline. */
struct drm_svm_sync_out {
	struct drm_syncobj *syncobj;
	struct dma_fence_chain *chain;
	u64 point;
};

struct drm_svm_syncs {
	unsigned int n;
	struct drm_svm_sync_out outs[] __counted_by(n);
};

static int drm_svm_sync_copy(u64 syncs, unsigned int i,
			     struct drm_svm_sync *sync)
{
	struct drm_svm_sync __user *from = u64_to_user_ptr(syncs);

	if (copy_from_user(sync, from + i, sizeof(*sync)))
		return -EFAULT;
	/* a timeline has a point, and nothing else has one */
	if (sync->flags & ~DRM_SVM_SYNC_TIMELINE ||
	    !sync->point != !(sync->flags & DRM_SVM_SYNC_TIMELINE))
		return -EINVAL;
	return 0;
}

static int drm_svm_sync_wait_one(struct drm_file *file,
				 const struct drm_svm_sync *sync)
{
	struct dma_fence *fence;
	long err;

	err = drm_syncobj_find_fence(file, sync->handle, sync->point, 0, &fence);
	/* -EINVAL: the syncobj has no fence */
	if (err)
		return err == -EINVAL ? -ENOENT : err;
	do {
		err = dma_fence_wait_timeout(fence, true, DRM_SVM_SYNC_LOOK);
		if (!err && drm_dev_is_unplugged(file->minor->dev))
			err = -ENODEV;
	} while (!err);
	if (err > 0)
		err = min(dma_fence_get_status(fence), 0);
	dma_fence_put(fence);
	return err;
}

/**
 * drm_svm_syncs_wait() - wait for in-syncs
 * @file: whose syncobjs
 * @syncs: user pointer to an array of struct drm_svm_sync
 * @n: its length
 *
 * Context: process context, no lock held, because the fence of a job may wait
 * for its GPU faults.
 * Return: 0, -EFAULT, -EINVAL, -ENOENT, -ERESTARTSYS, -ENODEV, or the error of
 * a fence.
 */
int drm_svm_syncs_wait(struct drm_file *file, u64 syncs, unsigned int n)
{
	struct drm_svm_sync sync;
	unsigned int i;
	int err = 0;

	for (i = 0; i < n && !err; i++) {
		err = drm_svm_sync_copy(syncs, i, &sync);
		if (!err)
			err = drm_svm_sync_wait_one(file, &sync);
	}
	return err;
}

static int drm_svm_sync_find(struct drm_file *file, u64 syncs, unsigned int i,
			     struct drm_svm_sync_out *out)
{
	struct drm_svm_sync sync;
	int err = drm_svm_sync_copy(syncs, i, &sync);

	if (err)
		return err;
	out->point = sync.point;
	out->syncobj = drm_syncobj_find(file, sync.handle);
	if (!out->syncobj)
		return -ENOENT;
	if (!sync.point)
		return 0;
	out->chain = dma_fence_chain_alloc();
	return out->chain ? 0 : -ENOMEM;
}

/**
 * drm_svm_syncs_get() - look up out-syncs
 * @file: whose syncobjs
 * @syncs: user pointer to an array of struct drm_svm_sync
 * @n: its length
 *
 * Return: the out-syncs, for drm_svm_syncs_signal() and drm_svm_syncs_free(),
 * or an ERR_PTR(): -EFAULT, -EINVAL, -ENOENT or -ENOMEM.
 */
struct drm_svm_syncs *drm_svm_syncs_get(struct drm_file *file, u64 syncs,
					unsigned int n)
{
	struct drm_svm_syncs *s;
	unsigned int i;
	int err = 0;

	s = kzalloc_flex(*s, outs, n, GFP_KERNEL_ACCOUNT);
	if (!s)
		return ERR_PTR(-ENOMEM);
	s->n = n;
	for (i = 0; i < n && !err; i++)
		err = drm_svm_sync_find(file, syncs, i, &s->outs[i]);
	if (err) {
		drm_svm_syncs_free(s);
		return ERR_PTR(err);
	}
	return s;
}

void drm_svm_syncs_free(struct drm_svm_syncs *s)
{
	unsigned int i;

	for (i = 0; i < s->n; i++) {
		if (s->outs[i].syncobj)
			drm_syncobj_put(s->outs[i].syncobj);
		dma_fence_chain_free(s->outs[i].chain);
	}
	kfree(s);
}

/* The work is done, so the fence is one that has signalled already. */
void drm_svm_syncs_signal(struct drm_svm_syncs *s)
{
	struct dma_fence *done = dma_fence_get_stub();
	unsigned int i;

	for (i = 0; i < s->n; i++) {
		struct drm_svm_sync_out *out = &s->outs[i];

		if (!out->point) {
			drm_syncobj_replace_fence(out->syncobj, done);
			continue;
		}
		/* consumes the chain */
		drm_syncobj_add_point(out->syncobj, out->chain, done, out->point);
		out->chain = NULL;
	}
	dma_fence_put(done);
}
