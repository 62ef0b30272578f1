// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The fault buffer of a device.
 *
 * Data model. A fixed number of entries, each free or pending. Engines post
 * misses of all address spaces; a work item, in the place of an interrupt
 * handler, hands them on to the fault queue of their address space. When there
 * is no free entry an engine cannot post: its job stalls, and is tried again
 * when the worker has made room.
 *
 * The fault queue of an address space may be full as well. Then the entry
 * stays pending and the worker comes again a little later. A pass of the
 * worker that met a full queue skips the other entries of that address space,
 * so that one file with many faults does not hold up the rest.
 *
 * Locking. svm_test_fault_buffer.lock, a spinlock with nothing inside. A pass
 * takes all pending entries off the list, so that entries posted meanwhile are
 * of the next pass, and works on them with no lock held.
 */

#include <linux/cleanup.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "svm_test_device.h"
#include "svm_test_engine.h"
#include "svm_test_fault.h"
#include "svm_test_job.h"
#include "svm_test_svm.h"
#include "svm_test_vm.h"

struct svm_test_fault_entry {
	struct list_head link;
	struct svm_test_vm *vm;
	struct svm_test_slot *slot;
};

struct svm_test_fault_buffer {
	struct svm_test_device *gpu;
	struct workqueue_struct *wq;
	struct delayed_work work;
	/* @pass: number of the pass, of the worker alone */
	u64 pass;
	/* @lock: protects all below */
	spinlock_t lock;
	struct list_head free;
	/* @pending: in the order of posting */
	struct list_head pending;
	/* @overflows: times that an engine found no free entry */
	u64 overflows;
	/* @num_entries: entries of the buffer, constant */
	unsigned int num_entries;
	struct svm_test_fault_entry entries[] __counted_by(num_entries);
};

static bool fault_post_one(struct svm_test_fault_buffer *buffer,
			   struct svm_test_vm *vm, struct svm_test_slot *slot)
{
	struct svm_test_fault_entry *entry;

	guard(spinlock)(&buffer->lock);

	entry = list_first_entry_or_null(&buffer->free,
					 struct svm_test_fault_entry, link);
	if (!entry) {
		buffer->overflows++;
		return false;
	}
	entry->vm = vm;
	entry->slot = slot;
	svm_test_job_get(slot->job);
	list_move_tail(&entry->link, &buffer->pending);
	return true;
}

/**
 * svm_test_fault_post() - an engine posts misses
 * @buffer: the fault buffer
 * @vm: address space
 * @slots: the misses, of one job
 * @n: how many
 *
 * For each miss that was posted svm_test_engine_fault_done() comes once.
 *
 * Return: how many were posted, from the first one on.
 */
unsigned int svm_test_fault_post(struct svm_test_fault_buffer *buffer,
				 struct svm_test_vm *vm,
				 struct svm_test_slot *slots, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (!fault_post_one(buffer, vm, &slots[i]))
			break;

	/*
	 * Raise the interrupt, also if a retry is due only later. When nothing
	 * was posted there is no news: a full buffer has its worker coming.
	 */
	if (i)
		mod_delayed_work(buffer->wq, &buffer->work, 0);
	return i;
}

/**
 * svm_test_fault_has_room() - is there a free entry?
 * @buffer: the fault buffer
 *
 * Return: whether a post would succeed at this moment.
 */
bool svm_test_fault_has_room(struct svm_test_fault_buffer *buffer)
{
	guard(spinlock)(&buffer->lock);

	return !list_empty(&buffer->free);
}

/**
 * svm_test_fault_overflows() - how often the buffer was full
 * @buffer: the fault buffer
 *
 * Return: the number of posts that found no free entry.
 */
u64 svm_test_fault_overflows(struct svm_test_fault_buffer *buffer)
{
	guard(spinlock)(&buffer->lock);

	return buffer->overflows;
}

static void fault_free(struct svm_test_fault_buffer *buffer,
		       struct svm_test_fault_entry *entry)
{
	guard(spinlock)(&buffer->lock);

	list_move(&entry->link, &buffer->free);
}

/* Hand one entry on. Returns false if it has to stay for the next pass. */
static bool fault_hand_on(struct svm_test_fault_buffer *buffer,
			  struct svm_test_fault_entry *entry)
{
	struct svm_test_slot *slot = entry->slot;
	struct svm_test_vm *vm = entry->vm;
	int err;

	if (vm->fault_pass == buffer->pass)
		return false;

	err = svm_test_svm_push_fault(vm, slot);
	if (err == -ENOSPC) {
		vm->fault_pass = buffer->pass;
		return false;
	}

	/* The slot belongs to the fault queue now, or else is to be answered. */
	fault_free(buffer, entry);
	if (err)
		svm_test_engine_fault_done(slot, err);
	return true;
}

static void fault_unstall(struct svm_test_fault_buffer *buffer)
{
	struct svm_test_device *gpu = buffer->gpu;
	unsigned int i;

	for (i = 0; i < gpu->config.engines; i++)
		svm_test_engine_unstall(gpu->engines[i]);
}

static void fault_work(struct work_struct *work)
{
	struct svm_test_fault_buffer *buffer =
		container_of(to_delayed_work(work),
			     struct svm_test_fault_buffer, work);
	struct svm_test_fault_entry *entry, *next;
	bool again, room = false;
	LIST_HEAD(batch);

	spin_lock(&buffer->lock);
	list_splice_init(&buffer->pending, &batch);
	spin_unlock(&buffer->lock);

	buffer->pass++;
	list_for_each_entry_safe(entry, next, &batch, link)
		room |= fault_hand_on(buffer, entry);

	spin_lock(&buffer->lock);
	again = !list_empty(&batch);
	/* What stays was first, and is first again. */
	list_splice(&batch, &buffer->pending);
	spin_unlock(&buffer->lock);

	if (again)
		queue_delayed_work(buffer->wq, &buffer->work, 1);
	if (room)
		fault_unstall(buffer);
}

static void fault_cancel_pending(struct svm_test_fault_buffer *buffer,
				 struct svm_test_vm *vm)
{
	struct svm_test_fault_entry *entry, *next;
	LIST_HEAD(cancelled);

	spin_lock(&buffer->lock);
	list_for_each_entry_safe(entry, next, &buffer->pending, link)
		if (entry->vm == vm)
			list_move_tail(&entry->link, &cancelled);
	spin_unlock(&buffer->lock);

	list_for_each_entry_safe(entry, next, &cancelled, link) {
		struct svm_test_slot *slot = entry->slot;

		fault_free(buffer, entry);
		svm_test_engine_fault_done(slot, -ECANCELED);
	}
	fault_unstall(buffer);
}

/**
 * svm_test_fault_purge() - forget the faults of an address space
 * @buffer: the fault buffer
 * @vm: address space, for which no engine posts any more
 *
 * On return nothing is handed on for @vm, or will be.
 */
void svm_test_fault_purge(struct svm_test_fault_buffer *buffer,
			  struct svm_test_vm *vm)
{
	fault_cancel_pending(buffer, vm);
	/* A pass may have had entries in hand, and have given them back. */
	flush_delayed_work(&buffer->work);
	fault_cancel_pending(buffer, vm);
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
	unsigned int n = gpu->config.fault_entries, i;
	struct svm_test_fault_buffer *buffer;

	buffer = kvzalloc_flex(*buffer, entries, n);
	if (!buffer)
		return NULL;

	buffer->wq = alloc_workqueue("svm_test%u_fault", WQ_UNBOUND | WQ_HIGHPRI,
				     1, gpu->index);
	if (!buffer->wq) {
		kvfree(buffer);
		return NULL;
	}

	buffer->gpu = gpu;
	buffer->num_entries = n;
	INIT_DELAYED_WORK(&buffer->work, fault_work);
	spin_lock_init(&buffer->lock);
	INIT_LIST_HEAD(&buffer->free);
	INIT_LIST_HEAD(&buffer->pending);
	for (i = 0; i < n; i++)
		list_add_tail(&buffer->entries[i].link, &buffer->free);
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
	WARN_ON(!list_empty(&buffer->pending));
	cancel_delayed_work_sync(&buffer->work);
	destroy_workqueue(buffer->wq);
	kvfree(buffer);
}
