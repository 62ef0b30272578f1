// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The same port to the manager that the kernel has: drm_gpusvm.
 *
 * It is here to compare with: what does it do, what does it cost? So it is
 * written as a driver's author would, by the examples in the kernel and by xe:
 * ranges of 2 MiB, 64 KiB or 4 KiB, a mutex for all faults of an address space,
 * faults served one by one, ranges that were unmapped removed by a work item or by the
 * next fault.
 *
 * What drm_gpusvm cannot do is not made up for: reads fault for writing where the
 * mapping is writable, a page written by the GPU is not marked as dirty, what is in
 * VRAM moves as a whole.
 *
 * Locking. svm_test_gpusvm.lock, a mutex, is the driver_svm_lock of drm_gpusvm's
 * documentation; inside of it are the locks of drm_gpusvm, of which the last is its
 * notifier_lock, and inside of that those of the page table, and gc_lock, a spinlock.
 */

#include <linux/cleanup.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/sched/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include <drm/drm_gpusvm.h>
#include <drm/drm_pagemap.h>
#include <drm/drm_svm_test.h>
#include <drm/ttm/ttm_bo.h>

#include "drm_svm_compat.h"
#include "svm_test_device.h"
#include "svm_test_fault.h"
#include "svm_test_gpusvm.h"
#include "svm_test_gpusvm_priv.h"
#include "svm_test_job.h"
#include "svm_test_port.h"
#include "svm_test_pt.h"
#include "svm_test_vm.h"

/* What drm_gpusvm recommends */
#define NOTIFIER_SIZE	SZ_512M

/* Times that a fault is tried while the CPU's mapping changes */
#define MAX_TRIES	32

static const unsigned long chunk_sizes[] = { SZ_2M, SZ_64K, SZ_4K };

struct gpusvm_range {
	struct drm_svm_compat_range compat;
	struct list_head gc_link;
	/* @mapped: the page table has it; under notifier_lock */
	bool mapped;
	/* @writable: for writing as well */
	bool writable;
};

static struct svm_test_gpusvm *to_peer(struct drm_gpusvm *base)
{
	return container_of(base, struct svm_test_gpusvm, base);
}

static struct gpusvm_range *to_range(struct drm_gpusvm_range *base)
{
	return container_of(base, struct gpusvm_range, compat.base);
}

static struct drm_gpusvm_pages *range_pages(struct gpusvm_range *range)
{
	return drm_svm_compat_range_pages(&range->compat);
}

static struct drm_gpusvm_range *gpusvm_range_alloc(struct drm_gpusvm *base)
{
	struct gpusvm_range *range;

	range = kzalloc_obj(*range, GFP_KERNEL_ACCOUNT);
	if (!range)
		return NULL;
	INIT_LIST_HEAD(&range->gc_link);
	drm_svm_compat_range_init(&range->compat, &to_peer(base)->vm->gpu->drm);
	return &range->compat.base;
}

static void gpusvm_range_free(struct drm_gpusvm_range *base)
{
	struct gpusvm_range *range = to_range(base);

	drm_svm_compat_range_fini(&range->compat);
	kfree(range);
}

/*
 * Take a range out of the page table; a flush of it is owed. Its end may be that
 * of a window, as no range is larger.
 */
static bool range_unmap(struct svm_test_gpusvm *peer, struct gpusvm_range *range)
{
	if (!range->mapped)
		return false;
	range->mapped = false;
	svm_test_pt_unmap(peer->vm->pt, drm_gpusvm_range_start(&range->compat.base),
			  drm_gpusvm_range_end(&range->compat.base));
	return true;
}

static void gc_add(struct svm_test_gpusvm *peer, struct gpusvm_range *range,
		   const struct mmu_notifier_range *mmu_range)
{
	drm_gpusvm_range_set_unmapped(&range->compat.base, range_pages(range), 1,
				      mmu_range);
	scoped_guard(spinlock, &peer->gc_lock)
		if (list_empty(&range->gc_link))
			list_add_tail(&range->gc_link, &peer->gc);
	queue_work(system_dfl_wq, &peer->gc_work);
}

/* With notifier_lock held for writing */
static void gpusvm_invalidate(struct drm_gpusvm *base,
			      struct drm_gpusvm_notifier *notifier,
			      const struct mmu_notifier_range *mmu_range)
{
	struct drm_gpusvm_ctx ctx = { .in_notifier = true };
	struct svm_test_gpusvm *peer = to_peer(base);
	struct drm_gpusvm_range *range = NULL;
	unsigned long start = ULONG_MAX, end = 0;

	drm_gpusvm_for_each_range(range, notifier, mmu_range->start,
				  mmu_range->end) {
		if (!range_unmap(peer, to_range(range)))
			continue;
		start = min(start, drm_gpusvm_range_start(range));
		end = max(end, drm_gpusvm_range_end(range));
	}
	if (end) {
		atomic64_inc(&peer->invalidations);
		svm_test_port_flush(peer->vm, start, end);
	}

	range = NULL;
	drm_gpusvm_for_each_range(range, notifier, mmu_range->start,
				  mmu_range->end) {
		drm_gpusvm_unmap_pages(base, range_pages(to_range(range)),
				       drm_gpusvm_range_size(range) >> PAGE_SHIFT, &ctx);
		if (mmu_range->event == MMU_NOTIFY_UNMAP)
			gc_add(peer, to_range(range), mmu_range);
	}
}

static const struct drm_gpusvm_ops gpusvm_ops = {
	.range_alloc = gpusvm_range_alloc,
	.range_free = gpusvm_range_free,
	.invalidate = gpusvm_invalidate,
};

static struct gpusvm_range *gc_take(struct svm_test_gpusvm *peer)
{
	struct gpusvm_range *range;

	guard(spinlock)(&peer->gc_lock);

	range = list_first_entry_or_null(&peer->gc, struct gpusvm_range, gc_link);
	/* Not empty afterwards, so it is not added again. */
	if (range)
		list_del(&range->gc_link);
	return range;
}

/**
 * svm_test_gpusvm_gc() - remove ranges of which something was unmapped
 * @peer: the address space, its lock held
 *
 * They cannot be split.
 */
void svm_test_gpusvm_gc(struct svm_test_gpusvm *peer)
{
	struct gpusvm_range *range;

	lockdep_assert_held(&peer->lock);

	while ((range = gc_take(peer))) {
		if (drm_svm_compat_range_flags(&range->compat).partial_unmap)
			drm_gpusvm_range_evict(&peer->base, &range->compat.base);
		drm_svm_compat_range_unmap(&range->compat);
		drm_gpusvm_range_remove(&peer->base, &range->compat.base);
	}
}

static void gc_work(struct work_struct *work)
{
	struct svm_test_gpusvm *peer =
		container_of(work, struct svm_test_gpusvm, gc_work);

	guard(mutex)(&peer->lock);

	/* Else the ranges in the list are gone. */
	if (!peer->closed)
		svm_test_gpusvm_gc(peer);
}

/* Runs that are written to the page table together */
#define RUNS_MAX	32

/* Write what drm_gpusvm found into the page table, in as few leaves as it can. */
static unsigned long range_map_runs(struct svm_test_gpusvm *peer,
				    struct gpusvm_range *range, u16 prot)
{
	u64 start = drm_gpusvm_range_start(&range->compat.base);
	unsigned long npages = drm_gpusvm_range_size(&range->compat.base) >> PAGE_SHIFT;
	const struct drm_pagemap_addr *addrs = range_pages(range)->dma_addr;
	struct drm_svm_run runs[RUNS_MAX], next;
	unsigned long i, j, first = 0;
	unsigned int n = 0;

	/* drm_gpusvm packs its addresses: one for each run. */
	for (i = 0, j = 0; i < npages; i += next.npages, j++) {
		svm_test_gpusvm_run(&addrs[j], &next);
		next.prot = prot;
		if (n && runs[n - 1].location == next.location &&
		    runs[n - 1].addr + ((u64)runs[n - 1].npages << PAGE_SHIFT) == next.addr) {
			runs[n - 1].npages += next.npages;
			continue;
		}
		if (n == RUNS_MAX) {
			svm_test_pt_map(peer->vm->pt, start + (first << PAGE_SHIFT), runs, n);
			first = i;
			n = 0;
		}
		runs[n++] = next;
	}
	svm_test_pt_map(peer->vm->pt, start + (first << PAGE_SHIFT), runs, n);
	return npages;
}

/* Map a range whose pages are known. -EAGAIN when they are not any more */
static int range_map(struct svm_test_gpusvm *peer, struct gpusvm_range *range,
		     bool writable)
{
	u16 prot = DRM_SVM_PAGE_READ | (writable ? DRM_SVM_PAGE_WRITE : 0);
	int err;

	err = svm_test_pt_prepare(peer->vm->pt,
				  drm_gpusvm_range_start(&range->compat.base),
				  drm_gpusvm_range_end(&range->compat.base));
	if (err)
		return err;

	drm_gpusvm_notifier_lock(&peer->base);
	if (drm_gpusvm_pages_valid(&peer->base, range_pages(range))) {
		atomic64_add(range_map_runs(peer, range, prot),
			     &peer->pages_mapped);
		range->mapped = true;
		range->writable = writable;
	} else {
		err = -EAGAIN;
	}
	drm_gpusvm_notifier_unlock(&peer->base);
	return err;
}

static bool range_is_mapped(struct svm_test_gpusvm *peer,
			    struct gpusvm_range *range, bool write)
{
	bool mapped;

	drm_gpusvm_notifier_lock(&peer->base);
	mapped = range->mapped && (range->writable || !write);
	drm_gpusvm_notifier_unlock(&peer->base);
	return mapped;
}

/* Best effort: a page that cannot go to VRAM is used where it is. */
static void range_migrate(struct svm_test_gpusvm *peer,
			  struct gpusvm_range *range,
			  struct drm_pagemap *dpagemap)
{
	drm_pagemap_populate_mm(dpagemap, drm_gpusvm_range_start(&range->compat.base),
				drm_gpusvm_range_end(&range->compat.base),
				peer->base.mm, 0);
}

/* Errors of drm_gpusvm that may be over when the fault is tried again */
static bool is_race(int err)
{
	return err == -EAGAIN || err == -EBUSY || err == -EOPNOTSUPP ||
	       err == -EFAULT || err == -EPERM;
}

static int fault_try(struct svm_test_gpusvm *peer, u64 addr, bool write,
		     struct drm_gpusvm_ctx *ctx, bool migrate)
{
	struct drm_pagemap *dpagemap = svm_test_gpusvm_vram_pagemap(peer->vm->gpu);
	struct drm_gpusvm_range *base;
	struct gpusvm_range *range;
	int err;

	/* First, so that the ranges are those of the present mapping */
	svm_test_gpusvm_gc(peer);
	ctx->devmem_possible = !!dpagemap;
	ctx->check_pages_threshold = dpagemap ? SZ_64K : 0;
	base = drm_gpusvm_range_find_or_insert(&peer->base, addr, 0,
					       peer->vm->gpu->sdev.va_end, ctx);
	if (IS_ERR(base))
		return PTR_ERR(base);

	range = to_range(base);
	if (range_is_mapped(peer, range, write)) {
		atomic64_inc(&peer->num_duplicates);
		return 0;
	}
	if (migrate && dpagemap && drm_svm_compat_range_flags(&range->compat).migrate_devmem)
		range_migrate(peer, range, dpagemap);
	err = drm_gpusvm_get_pages(&peer->base, range_pages(range), peer->base.mm,
				   &base->notifier->notifier,
				   drm_gpusvm_range_start(base),
				   drm_gpusvm_range_end(base), ctx);
	if (err == -EOPNOTSUPP)
		drm_gpusvm_range_evict(&peer->base, base);
	return err ?: range_map(peer, range, !ctx->read_only);
}

static int fault_serve(struct svm_test_gpusvm *peer, u64 addr, bool write)
{
	struct drm_gpusvm_ctx ctx = {
		.device_private_page_owner =
			svm_test_gpusvm_vram_owner(peer->vm->gpu),
		.allow_mixed = true,
	};
	int err = -EAGAIN, tries;

	guard(mutex)(&peer->lock);

	for (tries = 0; is_race(err) && tries < MAX_TRIES; tries++) {
		if (READ_ONCE(peer->closed))
			return -EFAULT;
		/* Once is what xe tries where VRAM is not a must. */
		err = fault_try(peer, addr, write, &ctx, !tries);
		/* It may be readable, at least. */
		if (err == -EPERM && !write)
			ctx.read_only = true;
		else if (err == -EPERM)
			break;
		cond_resched();
	}
	return err;
}

/* As drm_svm says it */
static int fault_errno(int err)
{
	switch (err) {
	case -EPERM:
		return -EACCES;
	case -EIO:
		return -EOPNOTSUPP;
	case -EAGAIN:
	case -EBUSY:
		return -EFAULT;
	default:
		return err;
	}
}

static struct svm_test_slot *fault_take(struct svm_test_gpusvm *peer)
{
	struct svm_test_slot *slot;

	guard(spinlock)(&peer->fault_lock);

	slot = list_first_entry_or_null(&peer->faults, struct svm_test_slot, link);
	if (slot)
		list_del(&slot->link);
	return slot;
}

static void fault_work(struct work_struct *work)
{
	struct svm_test_gpusvm *peer =
		container_of(work, struct svm_test_gpusvm, fault_work);
	struct svm_test_slot *slot;
	int err;

	while ((slot = fault_take(peer))) {
		atomic64_inc(&peer->num_faults);
		err = fault_serve(peer, slot->addr,
				  slot->access & DRM_SVM_ACCESS_WRITE);
		if (err)
			atomic64_inc(&peer->num_failed);
		svm_test_fault_done(slot, fault_errno(err));
	}
}

/**
 * svm_test_gpusvm_push_fault() - take a miss
 * @vm: address space
 * @slot: the miss
 *
 * Return: 0 when svm_test_fault_done() will come, or -EFAULT.
 */
int svm_test_gpusvm_push_fault(struct svm_test_vm *vm,
			       struct svm_test_slot *slot)
{
	struct svm_test_gpusvm *peer = vm->gpusvm;

	if (!peer || READ_ONCE(peer->closed))
		return -EFAULT;
	if (slot->addr >= vm->gpu->sdev.va_end)
		return -EFAULT;
	scoped_guard(spinlock, &peer->fault_lock)
		list_add_tail(&slot->link, &peer->faults);
	queue_work(system_dfl_wq, &peer->fault_work);
	return 0;
}

static int peer_create(struct svm_test_vm *vm)
{
	struct svm_test_gpusvm *peer;
	int err;

	peer = kzalloc_obj(*peer, GFP_KERNEL_ACCOUNT);
	if (!peer)
		return -ENOMEM;

	peer->vm = vm;
	mutex_init(&peer->lock);
	spin_lock_init(&peer->fault_lock);
	INIT_LIST_HEAD(&peer->faults);
	INIT_WORK(&peer->fault_work, fault_work);
	spin_lock_init(&peer->gc_lock);
	INIT_LIST_HEAD(&peer->gc);
	INIT_WORK(&peer->gc_work, gc_work);
	err = drm_svm_compat_gpusvm_init(&peer->base, "svm_test", &vm->gpu->drm,
					 current->mm, 0, vm->gpu->sdev.va_end,
					 NOTIFIER_SIZE, &gpusvm_ops, chunk_sizes,
					 ARRAY_SIZE(chunk_sizes));
	if (err) {
		kfree(peer);
		return err;
	}
	drm_gpusvm_driver_set_lock(&peer->base, &peer->lock);
	WRITE_ONCE(vm->gpusvm, peer);
	return 0;
}

/**
 * svm_test_gpusvm_attach() - share the memory of the calling process
 * @vm: address space, its attach_lock held
 * @args: the ioctl's payload
 *
 * Return: 0 or a negative errno.
 */
int svm_test_gpusvm_attach(struct svm_test_vm *vm, struct drm_svm_attach *args)
{
	int err;

	if (args->flags || args->pad)
		return -EINVAL;
	if (vm->gpusvm)
		return -EEXIST;
	err = svm_test_gpusvm_vram_hold(vm->gpu);
	if (err)
		return err;
	err = peer_create(vm);
	if (err) {
		svm_test_gpusvm_vram_release(vm->gpu);
		return err;
	}
	args->out_va_start = 0;
	args->out_va_end = vm->gpu->sdev.va_end;
	args->out_page_size = PAGE_SIZE;
	args->out_range_size = PMD_SIZE;
	return 0;
}

static void peer_unmap_all(struct svm_test_gpusvm *peer)
{
	struct drm_gpusvm_notifier *notifier;
	struct drm_gpusvm_range *range;

	drm_gpusvm_notifier_lock(&peer->base);
	drm_gpusvm_for_each_notifier(notifier, &peer->base, 0,
				     peer->vm->gpu->sdev.va_end) {
		range = NULL;
		drm_gpusvm_for_each_range(range, notifier, 0,
					  peer->vm->gpu->sdev.va_end)
			range_unmap(peer, to_range(range));
	}
	drm_gpusvm_notifier_unlock(&peer->base);
	svm_test_port_flush(peer->vm, 0, peer->vm->gpu->sdev.va_end);

	drm_gpusvm_for_each_notifier(notifier, &peer->base, 0,
				     peer->vm->gpu->sdev.va_end) {
		range = NULL;
		drm_gpusvm_for_each_range(range, notifier, 0,
					  peer->vm->gpu->sdev.va_end)
			drm_svm_compat_range_unmap(&to_range(range)->compat);
	}
}

/**
 * svm_test_gpusvm_detach() - undo svm_test_gpusvm_attach()
 * @vm: address space, attached or not
 */
void svm_test_gpusvm_detach(struct svm_test_vm *vm)
{
	struct svm_test_gpusvm *peer = vm->gpusvm;

	if (!peer)
		return;
	WRITE_ONCE(peer->closed, true);
	flush_work(&peer->fault_work);
	flush_work(&peer->gc_work);
	scoped_guard(mutex, &peer->lock) {
		svm_test_gpusvm_gc(peer);
		peer_unmap_all(peer);
		drm_gpusvm_fini(&peer->base);
	}
	/* An invalidation may have queued it once more; there is nothing left. */
	cancel_work_sync(&peer->gc_work);
	mutex_destroy(&peer->lock);
	vm->gpusvm = NULL;
	kfree(peer);
	svm_test_gpusvm_vram_release(vm->gpu);
}
