// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/anon_inodes.h>
#include <linux/atomic.h>
#include <linux/build_bug.h>
#include <linux/cleanup.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "drm_svm_core.h"

/**
 * DOC: Events
 *
 * A program can open files from which it reads what happens to its address
 * space, and why. Each file has a ring of records of its own. A full ring drops
 * new records and counts them, so a slow reader delays nobody, and what is in
 * the ring does not change under a reader that copies it to user space.
 *
 * Records are made with locks of the library, of TTM or of folios held, in the
 * middle of migrations. So making one allocates nothing and takes one spinlock
 * of the context, which is innermost but for the wait queues. If no file is
 * open, it costs one load.
 *
 * A file has a reference to &struct drm_svm_stats, which the context and its
 * BOs find the file by, and one to the mm that may read it. Neither keeps the
 * memory of the process. So the file may outlive the context, the BOs and the
 * driver's module; only this module is kept. A context that is detached reports
 * nothing any more, although its BOs may stay for a while.
 */

/* Open files of events of all contexts */
atomic_t drm_svm_event_files = ATOMIC_INIT(0);

/*
 * An open file of events. Records [@first, @first + @count) of the ring of
 * @size, modulo @size, wait for the reader; @lost ones were dropped after the
 * last of them. @count and @lost change under the lock of &drm_svm_stats; so
 * does @first, which only a reader with @read_lock changes.
 */
struct drm_svm_listener {
	struct list_head link;
	struct drm_svm_stats *stats;
	struct mm_struct *mm;
	wait_queue_head_t wait;
	struct mutex read_lock;
	unsigned int size;
	unsigned int first;
	unsigned int count;
	u32 lost;
	struct drm_svm_event *ring;
};

/* User space reads it as it is, so it has no holes. */
static_assert(sizeof(struct drm_svm_event) == 64);

static void drm_svm_listener_add_locked(struct drm_svm_listener *l,
					const struct drm_svm_event *event)
{
	struct drm_svm_event *slot;

	lockdep_assert_held(&l->stats->listeners.lock);
	if (l->count == l->size) {
		/* stays at the largest number instead of starting again */
		if (l->lost != U32_MAX)
			l->lost++;
		return;
	}
	slot = &l->ring[(l->first + l->count) % l->size];
	*slot = *event;
	slot->lost = l->lost;
	l->lost = 0;
	l->count++;
	wake_up_interruptible_poll(&l->wait, EPOLLIN | EPOLLRDNORM);
}

/**
 * drm_svm_event_add() - put a record into all files of a context
 * @stats: of the context, or of a BO that was made for it
 * @begun: what drm_svm_event_begin() returned at the start, or 0
 * @event: the record; time, duration, vram and lost are set here
 *
 * Records are in the order of their times.
 *
 * Context: any but NMI.
 */
void drm_svm_event_add(struct drm_svm_stats *stats, u64 begun,
		       const struct drm_svm_event *event)
{
	struct drm_svm_event done = *event;
	struct drm_svm_listener *l;

	/* a load for each CPU: much, compared with a fault that moves nothing */
	if (done.type != DRM_SVM_EVENT_FAULT)
		done.vram = drm_svm_stats_vram(stats);
	/* the kernel's own, which user space does not know */
	if (done.err == -ERESTARTSYS)
		done.err = -EINTR;
	guard(spinlock_irqsave)(&stats->listeners.lock);
	if (stats->listeners.ended)
		return;
	done.time = ktime_get_ns();
	done.duration = begun ? done.time - begun : 0;
	list_for_each_entry(l, &stats->listeners.list, link)
		drm_svm_listener_add_locked(l, &done);
}

/**
 * drm_svm_events_end() - report no more events of a context
 * @stats: of the context, which is being detached
 *
 * Readers get what is left, and then the end of the file.
 *
 * Context: any but NMI.
 */
void drm_svm_events_end(struct drm_svm_stats *stats)
{
	struct drm_svm_listener *l;

	guard(spinlock_irqsave)(&stats->listeners.lock);
	WRITE_ONCE(stats->listeners.ended, true);
	list_for_each_entry(l, &stats->listeners.list, link)
		wake_up_interruptible_poll(&l->wait, EPOLLHUP);
}

static bool drm_svm_listener_has_records(const struct drm_svm_listener *l)
{
	return READ_ONCE(l->count) || READ_ONCE(l->lost);
}

static bool drm_svm_listener_has_ended(const struct drm_svm_listener *l)
{
	return READ_ONCE(l->stats->listeners.ended);
}

/*
 * Copy up to @max records to user space and remove them. Returns their number
 * or -EFAULT: then all of them stay. The copy may fault, even on a page in VRAM,
 * whose way home adds a record; so no lock is held that adding takes.
 */
static ssize_t drm_svm_listener_copy(struct drm_svm_listener *l, char __user *buf,
				     unsigned int max)
{
	const size_t size = sizeof(*l->ring);
	unsigned int n, part;

	lockdep_assert_held(&l->read_lock);
	scoped_guard(spinlock_irqsave, &l->stats->listeners.lock)
		n = min(l->count, max);
	part = min(n, l->size - l->first);
	if (copy_to_user(buf, l->ring + l->first, part * size) ||
	    copy_to_user(buf + part * size, l->ring, (n - part) * size))
		return -EFAULT;

	guard(spinlock_irqsave)(&l->stats->listeners.lock);
	l->first = (l->first + n) % l->size;
	l->count -= n;
	return n;
}

/*
 * Tell of records that were dropped, if no record is left that could. Returns
 * the number of records written, or -EFAULT.
 */
static ssize_t drm_svm_listener_copy_lost(struct drm_svm_listener *l,
					  char __user *buf)
{
	struct drm_svm_event event = { .type = DRM_SVM_EVENT_LOST };

	lockdep_assert_held(&l->read_lock);
	scoped_guard(spinlock_irqsave, &l->stats->listeners.lock) {
		if (l->count || !l->lost)
			return 0;
		event.time = ktime_get_ns();
		event.lost = l->lost;
		l->lost = 0;
	}
	if (!copy_to_user(buf, &event, sizeof(event)))
		return 1;
	scoped_guard(spinlock_irqsave, &l->stats->listeners.lock)
		l->lost = min_t(u64, (u64)l->lost + event.lost, U32_MAX);
	return -EFAULT;
}

/* Returns bytes; 0 if there is nothing; -EFAULT or -ERESTARTSYS. */
static ssize_t drm_svm_listener_read(struct drm_svm_listener *l, char __user *buf,
				     unsigned int max)
{
	ssize_t n, more = 0;

	if (mutex_lock_interruptible(&l->read_lock))
		return -ERESTARTSYS;
	n = drm_svm_listener_copy(l, buf, max);
	if (n >= 0 && n < max)
		more = drm_svm_listener_copy_lost(l, buf + n * sizeof(*l->ring));
	mutex_unlock(&l->read_lock);
	/* what was copied has left the file, so an error comes with the next call */
	if (more > 0 || !n)
		n += more;
	return n < 0 ? n : n * (ssize_t)sizeof(*l->ring);
}

static ssize_t drm_svm_events_read(struct file *file, char __user *buf, size_t size,
				   loff_t *pos)
{
	struct drm_svm_listener *l = file->private_data;
	unsigned int max = min_t(size_t, size / sizeof(*l->ring), INT_MAX);
	ssize_t n;
	bool ended;

	/* a child of fork(), or a process that received the file */
	if (current->mm != l->mm)
		return -EPERM;
	if (!max)
		return -EINVAL;
	for (;;) {
		/* read before the records, the last of which comes before the end */
		ended = drm_svm_listener_has_ended(l);
		n = drm_svm_listener_read(l, buf, max);
		if (n || ended)
			return n;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		n = wait_event_interruptible(l->wait, drm_svm_listener_has_records(l) ||
					     drm_svm_listener_has_ended(l));
		if (n)
			return n;
	}
}

static __poll_t drm_svm_events_poll(struct file *file, poll_table *table)
{
	struct drm_svm_listener *l = file->private_data;
	__poll_t mask = 0;

	poll_wait(file, &l->wait, table);
	if (drm_svm_listener_has_ended(l))
		mask |= EPOLLHUP;
	if (drm_svm_listener_has_records(l))
		mask |= EPOLLIN | EPOLLRDNORM;
	return mask;
}

static void drm_svm_listener_free(struct drm_svm_listener *l)
{
	drm_svm_stats_put(l->stats);
	mmdrop(l->mm);
	mutex_destroy(&l->read_lock);
	kvfree(l->ring);
	kfree(l);
}

static void drm_svm_listener_remove(struct drm_svm_listener *l)
{
	struct drm_svm_listeners *all = &l->stats->listeners;

	scoped_guard(spinlock_irqsave, &all->lock) {
		list_del(&l->link);
		WRITE_ONCE(all->n, all->n - 1);
	}
	atomic_dec(&drm_svm_event_files);
}

static int drm_svm_events_release(struct inode *inode, struct file *file)
{
	struct drm_svm_listener *l = file->private_data;

	drm_svm_listener_remove(l);
	drm_svm_listener_free(l);
	return 0;
}

static const struct file_operations drm_svm_events_fops = {
	.owner = THIS_MODULE,
	.read = drm_svm_events_read,
	.poll = drm_svm_events_poll,
	.release = drm_svm_events_release,
};

static struct drm_svm_listener *drm_svm_listener_alloc(struct drm_svm_stats *stats,
						       unsigned int entries)
{
	struct drm_svm_listener *l = kzalloc_obj(*l, GFP_KERNEL_ACCOUNT);

	if (!l)
		return NULL;
	/* each record is written before it is read, so they are not zeroed */
	l->ring = kvmalloc_array(entries, sizeof(*l->ring), GFP_KERNEL_ACCOUNT);
	if (!l->ring) {
		kfree(l);
		return NULL;
	}
	l->size = entries;
	mutex_init(&l->read_lock);
	init_waitqueue_head(&l->wait);
	l->stats = drm_svm_stats_get(stats);
	l->mm = current->mm;
	mmgrab(l->mm);
	return l;
}

/* Returns false if the context has as many as it may have. */
static bool drm_svm_listener_insert(struct drm_svm_listener *l)
{
	struct drm_svm_listeners *all = &l->stats->listeners;

	guard(spinlock_irqsave)(&all->lock);
	if (all->n == DRM_SVM_EVENTS_MAX_FILES)
		return false;
	list_add_tail(&l->link, &all->list);
	WRITE_ONCE(all->n, all->n + 1);
	atomic_inc(&drm_svm_event_files);
	return true;
}

/**
 * drm_svm_events_open() - open a file of the events of a context
 * @stats: of the context, attached to the caller's memory
 * @entries: number of records that the file can hold
 *
 * Context: process context; the driver keeps the context attached.
 * Return: the file descriptor, or -EMFILE, -ENFILE or -ENOMEM.
 */
int drm_svm_events_open(struct drm_svm_stats *stats, unsigned int entries)
{
	struct drm_svm_listener *l = drm_svm_listener_alloc(stats, entries);
	int fd;

	if (!l)
		return -ENOMEM;
	if (!drm_svm_listener_insert(l)) {
		drm_svm_listener_free(l);
		return -EMFILE;
	}
	/* on success another thread may close the file before this returns */
	fd = anon_inode_getfd("[drm_svm_events]", &drm_svm_events_fops, l,
			      O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		drm_svm_listener_remove(l);
		drm_svm_listener_free(l);
	}
	return fd;
}
