// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The fault buffer of a device, and the interrupt handler that empties it.
 *
 * Data model. The buffer has room for a fixed number of misses, of all address
 * spaces. Engines post; a work item, in the place of an interrupt handler,
 * takes the misses out and hands them on to the fault queues of their
 * processes. When the buffer is full an engine cannot post: its job stalls, and
 * is tried again when the handler has made room.
 *
 * The fault queue of a process may be full as well. Then the miss is parked, in
 * a list of the driver with no limit but that of the misses that a queue can
 * have in flight, and handed on later by a second work item. So nothing is
 * lost, and a process whose faults are not served holds up no other: it
 * neither fills the buffer nor makes the handler look at its misses again.
 *
 * The cost of faults is measured here: for how long there was a miss that was
 * handed on and not answered. Under an emulator that counts instructions, the
 * figure is a number of instructions. A port has no such measurement.
 *
 * Locking. handler_lock, a mutex, is held from the moment that a miss is taken
 * out until it is handed on or parked; whoever holds it sees every miss that
 * was not handed on. Inside of it are the lock of the buffer and cost_lock,
 * spinlocks with nothing inside.
 */

#include <linux/cleanup.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include <drm/drm_svm.h>

#include "svm_test_bind.h"
#include "svm_test_device.h"
#include "svm_test_engine.h"
#include "svm_test_fault.h"
#include "svm_test_gpusvm.h"
#include "svm_test_job.h"
#include "svm_test_queue.h"
#include "svm_test_vm.h"

/* Jiffies until misses that were parked are handed on again */
#define RETRY_DELAY	1

struct svm_test_fault_buffer {
	struct svm_test_device *gpu;
	struct workqueue_struct *wq;
	struct work_struct handler;
	struct delayed_work retry;
	/* @handler_lock: protects @parked, and misses on their way */
	struct mutex handler_lock;
	/* @parked: misses whose process has a full queue */
	struct list_head parked;
	/* @cost_lock: protects the fields up to @cost */
	spinlock_t cost_lock;
	/* @unanswered: misses that were handed on and not answered */
	unsigned int unanswered;
	/* @since: since when there is one, in nanoseconds */
	u64 since;
	/* @cost: for how long there was one, before that */
	u64 cost;
	/* @lock: protects all below */
	spinlock_t lock;
	/* @pending: misses in the buffer, in the order of posting */
	struct list_head pending;
	/* @used: length of @pending, up to svm_test_config.fault_entries */
	unsigned int used;
	/* @overflows: times that an engine found the buffer full */
	u64 overflows;
};

static bool fault_post_one(struct svm_test_fault_buffer *buffer,
			   struct svm_test_slot *slot)
{
	guard(spinlock)(&buffer->lock);

	if (buffer->used == buffer->gpu->config.fault_entries) {
		buffer->overflows++;
		return false;
	}
	buffer->used++;
	svm_test_job_get(slot->job);
	list_add_tail(&slot->link, &buffer->pending);
	return true;
}

/**
 * svm_test_fault_post() - an engine posts misses
 * @buffer: the fault buffer
 * @slots: the misses, of one job
 * @n: how many
 *
 * For each miss that was posted svm_test_queue_fault_done() comes once.
 *
 * Return: how many were posted, from the first one on.
 */
unsigned int svm_test_fault_post(struct svm_test_fault_buffer *buffer,
				 struct svm_test_slot *slots, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (!fault_post_one(buffer, &slots[i]))
			break;

	/* Raise the interrupt. A full buffer has its handler coming. */
	if (i)
		queue_work(buffer->wq, &buffer->handler);
	return i;
}

/**
 * svm_test_fault_has_room() - is there room in the buffer?
 * @buffer: the fault buffer
 *
 * Return: whether a post would succeed at this moment.
 */
bool svm_test_fault_has_room(struct svm_test_fault_buffer *buffer)
{
	guard(spinlock)(&buffer->lock);

	return buffer->used < buffer->gpu->config.fault_entries;
}

/**
 * svm_test_fault_overflows() - how often the buffer was full
 * @buffer: the fault buffer
 *
 * Return: the number of posts that found no room.
 */
u64 svm_test_fault_overflows(struct svm_test_fault_buffer *buffer)
{
	guard(spinlock)(&buffer->lock);

	return buffer->overflows;
}

/* Take the oldest miss out of the buffer; NULL when there is none. */
static struct svm_test_slot *fault_take(struct svm_test_fault_buffer *buffer)
{
	struct svm_test_slot *slot;

	lockdep_assert_held(&buffer->handler_lock);
	guard(spinlock)(&buffer->lock);

	slot = list_first_entry_or_null(&buffer->pending, struct svm_test_slot,
					link);
	if (slot) {
		list_del(&slot->link);
		buffer->used--;
	}
	return slot;
}

static void cost_begin(struct svm_test_fault_buffer *buffer)
{
	guard(spinlock)(&buffer->cost_lock);

	if (!buffer->unanswered++)
		buffer->since = ktime_get_ns();
}

static void cost_end(struct svm_test_fault_buffer *buffer)
{
	guard(spinlock)(&buffer->cost_lock);

	if (!--buffer->unanswered)
		buffer->cost += ktime_get_ns() - buffer->since;
}

/**
 * svm_test_fault_cost_ns() - for how long misses waited for their answer
 * @buffer: the fault buffer
 *
 * Return: nanoseconds.
 */
u64 svm_test_fault_cost_ns(struct svm_test_fault_buffer *buffer)
{
	guard(spinlock)(&buffer->cost_lock);

	if (!buffer->unanswered)
		return buffer->cost;
	return buffer->cost + ktime_get_ns() - buffer->since;
}

/* Zero when svm_test_fault_done() will come; else it will not. */
static int fault_push(struct svm_test_fault_buffer *buffer,
		      struct svm_test_slot *slot)
{
	const struct drm_svm_fault fault = {
		.addr = slot->addr,
		.cookie = (uintptr_t)slot,
		.access = slot->access,
	};
	struct svm_test_vm *vm = slot->job->vm;
	int err;

	/* Before: the answer may be given at once. */
	cost_begin(buffer);
	if (svm_test_on_gpusvm(buffer->gpu))
		err = svm_test_gpusvm_push_fault(vm, slot);
	else
		err = drm_svm_fault_queue_push(&vm->ctx, &fault);
	if (err)
		cost_end(buffer);
	return err;
}

/**
 * svm_test_fault_done() - a miss that was handed on is answered
 * @slot: the miss
 * @err: 0 when the access can be tried again
 */
void svm_test_fault_done(struct svm_test_slot *slot, int err)
{
	cost_end(slot->job->vm->gpu->faults);
	svm_test_queue_fault_done(slot, err);
}

/* Hand a miss on, or park it. From then on the slot may be gone. */
static void fault_hand_on(struct svm_test_fault_buffer *buffer,
			  struct svm_test_slot *slot)
{
	int err;

	lockdep_assert_held(&buffer->handler_lock);

	if (svm_test_bind_covers(slot->job->vm, slot->addr)) {
		svm_test_bind_push_fault(slot->job->vm, slot);
		return;
	}

	err = fault_push(buffer, slot);
	if (err == -ENOSPC) {
		list_add_tail(&slot->link, &buffer->parked);
		queue_delayed_work(buffer->wq, &buffer->retry, RETRY_DELAY);
	} else if (err) {
		svm_test_queue_fault_done(slot, err);
	}
}

static void fault_unstall(struct svm_test_fault_buffer *buffer)
{
	struct svm_test_device *gpu = buffer->gpu;
	unsigned int i;

	for (i = 0; i < gpu->config.engines; i++)
		svm_test_engine_unstall(gpu->engines[i]);
}

static void fault_handler(struct work_struct *work)
{
	struct svm_test_fault_buffer *buffer =
		container_of(work, struct svm_test_fault_buffer, handler);
	unsigned int n = buffer->gpu->config.fault_entries;
	struct svm_test_slot *slot;

	/* What was posted meanwhile raised the interrupt again: leave it. */
	scoped_guard(mutex, &buffer->handler_lock)
		while (n-- && (slot = fault_take(buffer)))
			fault_hand_on(buffer, slot);

	fault_unstall(buffer);
}

static void fault_retry(struct work_struct *work)
{
	struct svm_test_fault_buffer *buffer =
		container_of(to_delayed_work(work),
			     struct svm_test_fault_buffer, retry);
	struct svm_test_slot *slot, *next;
	LIST_HEAD(parked);

	guard(mutex)(&buffer->handler_lock);

	list_splice_init(&buffer->parked, &parked);
	list_for_each_entry_safe(slot, next, &parked, link)
		fault_hand_on(buffer, slot);
}

/* Collect the misses of @vm that were not handed on. */
static void fault_cancel(struct svm_test_fault_buffer *buffer,
			 struct svm_test_vm *vm, struct list_head *cancelled)
{
	struct svm_test_slot *slot, *next;

	guard(mutex)(&buffer->handler_lock);

	list_for_each_entry_safe(slot, next, &buffer->parked, link)
		if (slot->job->vm == vm)
			list_move_tail(&slot->link, cancelled);

	guard(spinlock)(&buffer->lock);

	list_for_each_entry_safe(slot, next, &buffer->pending, link) {
		if (slot->job->vm != vm)
			continue;
		list_move_tail(&slot->link, cancelled);
		buffer->used--;
	}
}

/**
 * svm_test_fault_purge() - forget the faults of an address space
 * @buffer: the fault buffer
 * @vm: address space, for which no engine posts any more
 *
 * On return nothing is handed on for @vm, or will be: what was on its way is
 * handed on before this gets the lock, what was not is answered here.
 */
void svm_test_fault_purge(struct svm_test_fault_buffer *buffer,
			  struct svm_test_vm *vm)
{
	struct svm_test_slot *slot, *next;
	LIST_HEAD(cancelled);

	fault_cancel(buffer, vm, &cancelled);
	list_for_each_entry_safe(slot, next, &cancelled, link)
		svm_test_queue_fault_done(slot, -ECANCELED);
	fault_unstall(buffer);
}

/**
 * svm_test_fault_buffer_create() - make a fault buffer
 * @gpu: the device
 *
 * Return: the fault buffer, or NULL when there is no memory.
 */
struct svm_test_fault_buffer *
svm_test_fault_buffer_create(struct svm_test_device *gpu)
{
	struct svm_test_fault_buffer *buffer;

	buffer = kzalloc_obj(*buffer);
	if (!buffer)
		return NULL;

	buffer->wq = alloc_workqueue("svm_test%u_fault", WQ_UNBOUND | WQ_HIGHPRI,
				     1, gpu->index);
	if (!buffer->wq) {
		kfree(buffer);
		return NULL;
	}

	buffer->gpu = gpu;
	INIT_WORK(&buffer->handler, fault_handler);
	INIT_DELAYED_WORK(&buffer->retry, fault_retry);
	mutex_init(&buffer->handler_lock);
	INIT_LIST_HEAD(&buffer->parked);
	spin_lock_init(&buffer->cost_lock);
	spin_lock_init(&buffer->lock);
	INIT_LIST_HEAD(&buffer->pending);
	return buffer;
}

/**
 * svm_test_fault_buffer_destroy() - free a fault buffer
 * @buffer: the fault buffer, with nothing pending, or NULL
 */
void svm_test_fault_buffer_destroy(struct svm_test_fault_buffer *buffer)
{
	if (!buffer)
		return;
	WARN_ON(!list_empty(&buffer->pending) || !list_empty(&buffer->parked));
	cancel_delayed_work_sync(&buffer->retry);
	destroy_workqueue(buffer->wq);
	mutex_destroy(&buffer->handler_lock);
	kfree(buffer);
}
