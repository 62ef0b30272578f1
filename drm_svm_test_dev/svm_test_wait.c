// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Jobs and threads that wait for user fences, and how they are woken.
 *
 * A user fence is a word of 64 bits in the memory of the process, and has no object in
 * the kernel. Jobs and threads of the process wait until its value is large enough.
 * They look at the value for themselves: jobs by the page table of the GPU, threads
 * by that of the CPU. This file tells them when to look.
 *
 * An engine that has written a word which may be a fence wakes the jobs and threads
 * that wait for that address. The kernel does not learn of a write by the CPU, by a GPU
 * of another driver, or by a process that has the same memory at another address. So
 * jobs and threads look from time to time as well. That decides how long a wait takes,
 * and never how it ends.
 *
 * No wake-up is lost: a job or thread is in the list before it looks at the value, an
 * engine looks at the list after it wrote the value, and both have a full barrier in
 * between.
 *
 * Locking. The lock of a bucket, a spinlock in process context. Inside of it
 * svm_test_wait.wake() takes the lock of an engine, or that of a wait queue.
 */

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/cleanup.h>
#include <linux/hash.h>
#include <linux/ktime.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include <drm/drm_device.h>
#include <drm/drm_file.h>
#include <drm/drm_svm_test.h>

#include "svm_test_device.h"
#include "svm_test_file.h"
#include "svm_test_vm.h"
#include "svm_test_wait.h"

#define BUCKET_BITS	6

/* A thread looks at fences that the CPU may signal this often, in nanoseconds. */
#define LOOK_MIN	(100 * NSEC_PER_USEC)
#define LOOK_MAX	(10 * NSEC_PER_MSEC)

struct wait_bucket {
	spinlock_t lock;
	struct hlist_head waits;
};

static struct wait_bucket buckets[1 << BUCKET_BITS] = {
	[0 ... (1 << BUCKET_BITS) - 1] = {
		.lock = __SPIN_LOCK_UNLOCKED(buckets.lock),
	},
};

/* Number of waits, so that an engine's write costs little when there are none */
static atomic_t num_waits = ATOMIC_INIT(0);

static struct wait_bucket *wait_bucket(const void *mm, u64 addr)
{
	return &buckets[hash_64(addr ^ (uintptr_t)mm, BUCKET_BITS)];
}

/**
 * svm_test_wait_begin() - have svm_test_wait.wake() called when a fence may have changed
 * @wait: waits for nothing
 * @mm: whose address it is
 * @addr: address of the fence
 *
 * Look at the value afterwards.
 */
void svm_test_wait_begin(struct svm_test_wait *wait, const void *mm, u64 addr)
{
	struct wait_bucket *bucket = wait_bucket(mm, addr);

	wait->mm = mm;
	wait->addr = addr;
	scoped_guard(spinlock, &bucket->lock)
		hlist_add_head(&wait->node, &bucket->waits);
	atomic_inc(&num_waits);
	/* Pairs with svm_test_wait_wake() */
	smp_mb__after_atomic();
}

/**
 * svm_test_wait_end() - undo svm_test_wait_begin(), if it was called
 * @wait: waits or not; svm_test_wait.wake() is over on return
 */
void svm_test_wait_end(struct svm_test_wait *wait)
{
	struct wait_bucket *bucket;

	if (hlist_unhashed(&wait->node))
		return;
	bucket = wait_bucket(wait->mm, wait->addr);
	scoped_guard(spinlock, &bucket->lock)
		hlist_del_init(&wait->node);
	atomic_dec(&num_waits);
}

/**
 * svm_test_wait_wake() - a word that may be a fence was written
 * @mm: whose address it is
 * @addr: address of the word, or of a part of it
 *
 * Process context, not in an access section.
 */
void svm_test_wait_wake(const void *mm, u64 addr)
{
	struct wait_bucket *bucket;
	struct svm_test_wait *wait;

	addr = ALIGN_DOWN(addr, sizeof(u64));
	/* Pairs with svm_test_wait_begin() */
	smp_mb();
	if (!atomic_read(&num_waits))
		return;

	bucket = wait_bucket(mm, addr);
	guard(spinlock)(&bucket->lock);

	hlist_for_each_entry(wait, &bucket->waits, node)
		if (wait->mm == mm && wait->addr == addr)
			wait->wake(wait);
}

/* One of the fences that a thread waits for */
struct fence_waiter {
	struct svm_test_wait wait;
	struct fence_waiters *all;
	u64 value;
};

struct fence_waiters {
	wait_queue_head_t queue;
	/* @woken: look again */
	bool woken;
	/* @any: one of them is enough */
	bool any;
	/* @seen: those whose value was large enough when it was looked at */
	DECLARE_BITMAP(seen, SVM_TEST_MAX_SYNCS);
	/* @first: the first that was seen */
	u32 first;
	u32 n;
	struct fence_waiter waiters[] __counted_by(n);
};

static void fence_wake(struct svm_test_wait *wait)
{
	struct fence_waiters *all = container_of(wait, struct fence_waiter, wait)->all;

	WRITE_ONCE(all->woken, true);
	wake_up_all(&all->queue);
}

/* Look at all that were not seen: 1 when the wait is over, 0 when it is not, or -EFAULT. */
static int fence_look(struct fence_waiters *all)
{
	u64 value;
	u32 i;

	for (i = 0; i < all->n; i++) {
		struct fence_waiter *waiter = &all->waiters[i];

		if (test_bit(i, all->seen))
			continue;
		if (get_user(value, (u64 __user *)u64_to_user_ptr(waiter->wait.addr)))
			return -EFAULT;
		if (value < waiter->value)
			continue;
		/* Before what the caller does next: it may read what was written before. */
		smp_mb();
		__set_bit(i, all->seen);
		all->first = min(all->first, i);
	}
	return all->any ? !bitmap_empty(all->seen, all->n) :
			  bitmap_full(all->seen, all->n);
}

static int fence_wait(struct svm_test_file *file, struct fence_waiters *all, s64 timeout)
{
	ktime_t look = LOOK_MIN, left = KTIME_MAX;
	int err;

	for (;;) {
		/* Full barrier: a wake that comes after is for a value not looked at. */
		xchg(&all->woken, false);
		err = fence_look(all);
		if (err)
			return min(err, 0);
		if (READ_ONCE(file->closed))
			return -ENODEV;
		if (timeout != KTIME_MAX)
			left = ktime_sub(max_t(s64, timeout, 0), ktime_get());
		if (left <= 0)
			return -ETIME;

		err = wait_event_interruptible_hrtimeout(all->queue, READ_ONCE(all->woken),
							 min(left, look));
		if (err == -ERESTARTSYS)
			return err;
		look = min_t(ktime_t, 2 * look, LOOK_MAX);
	}
}

/* Copy the fences from user space and wait for all of them. */
static struct fence_waiters *fence_begin(const struct drm_svm_test_fence_wait *args)
{
	struct drm_svm_test_fence __user *from = u64_to_user_ptr(args->fences);
	struct drm_svm_test_fence fence;
	struct fence_waiters *all;
	u32 i;

	all = kzalloc_flex(*all, waiters, args->count, GFP_KERNEL_ACCOUNT);
	if (!all)
		return ERR_PTR(-ENOMEM);

	all->n = args->count;
	init_waitqueue_head(&all->queue);
	all->any = args->flags & DRM_SVM_TEST_FENCE_WAIT_ANY;
	all->first = U32_MAX;
	for (i = 0; i < all->n; i++) {
		struct fence_waiter *waiter = &all->waiters[i];
		int err = 0;

		if (copy_from_user(&fence, from + i, sizeof(fence)))
			err = -EFAULT;
		else if (!fence.addr || !IS_ALIGNED(fence.addr, sizeof(u64)))
			err = -EINVAL;
		if (err) {
			kfree(all);
			return ERR_PTR(err);
		}
		waiter->all = all;
		waiter->value = fence.value;
		waiter->wait.addr = fence.addr;
		waiter->wait.wake = fence_wake;
	}
	for (i = 0; i < all->n; i++)
		svm_test_wait_begin(&all->waiters[i].wait, current->mm,
				    all->waiters[i].wait.addr);
	return all;
}

/**
 * svm_test_ioctl_fence_wait() - DRM_IOCTL_SVM_TEST_FENCE_WAIT
 * @drm: the device
 * @data: struct drm_svm_test_fence_wait
 * @drm_file: the file
 *
 * The timeout is absolute, so that the call can be restarted as it is.
 *
 * Return: 0, -EINVAL, -EPERM, -ENXIO, -EFAULT, -ENOMEM, -ETIME, -ENODEV or
 * -ERESTARTSYS.
 */
int svm_test_ioctl_fence_wait(struct drm_device *drm, void *data,
			      struct drm_file *drm_file)
{
	struct svm_test_file *file = to_svm_test_file(drm_file);
	struct drm_svm_test_fence_wait *args = data;
	struct fence_waiters *all;
	int err;
	u32 i;

	if (args->flags & ~DRM_SVM_TEST_FENCE_WAIT_ANY || args->pad ||
	    !args->count || args->count > SVM_TEST_MAX_SYNCS)
		return -EINVAL;
	err = svm_test_vm_check_own(svm_test_file_vm(drm_file));
	if (err)
		return err;

	all = fence_begin(args);
	if (IS_ERR(all))
		return PTR_ERR(all);
	err = fence_wait(file, all, args->timeout);
	if (!err)
		args->out_first = all->first;
	for (i = 0; i < all->n; i++)
		svm_test_wait_end(&all->waiters[i].wait);
	kfree(all);
	return err;
}
