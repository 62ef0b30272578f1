// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The ioctls of drm_svm as far as drm_gpusvm can do the same: a prefetch is no
 * command of a job, a query does not say where pages are that the GPU has not mapped, few
 * counters count, and those of VRAM are of all files. What is missing is -EOPNOTSUPP.
 */

#include <linux/cleanup.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include <drm/drm_file.h>
#include <drm/drm_ioctl.h>
#include <drm/drm_pagemap.h>
#include <drm/drm_print.h>
#include <drm/drm_svm.h>
#include <drm/drm_svm_test.h>

#include "svm_test_device.h"
#include "svm_test_file.h"
#include "svm_test_gpusvm.h"
#include "svm_test_gpusvm_priv.h"
#include "svm_test_pt.h"
#include "svm_test_vm.h"
#include "svm_test_vram.h"

/**
 * svm_test_gpusvm_check_mm() - is it the memory of the calling process?
 * @vm: address space
 *
 * Return: 0, -ENXIO when it is not attached, or -EPERM.
 */
int svm_test_gpusvm_check_mm(struct svm_test_vm *vm)
{
	struct svm_test_gpusvm *peer = READ_ONCE(vm->gpusvm);

	if (!peer)
		return -ENXIO;
	return peer->base.mm == current->mm ? 0 : -EPERM;
}

static int peer_check_interval(struct svm_test_vm *vm, u64 start, u64 size)
{
	int err = svm_test_gpusvm_check_mm(vm);

	if (err)
		return err;
	if (!size || !PAGE_ALIGNED(start | size) || start + size < start ||
	    start + size > vm->gpu->sdev.va_end)
		return -EINVAL;
	return 0;
}

static u32 peer_query_page(struct svm_test_vm *vm, u64 addr)
{
	u32 state = 0, location = DRM_SVM_LOCATION_SYSTEM;
	struct svm_test_translation tr;

	if (!svm_test_pt_probe(vm->pt, addr, DRM_SVM_ACCESS_READ))
		return 0;
	svm_test_pt_query(vm->pt, addr, addr + PAGE_SIZE, &state);
	/* Marks the page as accessed, so it comes after the query. */
	if (svm_test_pt_walk(vm->pt, addr, DRM_SVM_ACCESS_READ, &tr) &&
	    tr.addr & SVM_TEST_BUS_VRAM)
		location = DRM_SVM_LOCATION_VRAM;
	if (svm_test_pt_probe(vm->pt, addr, DRM_SVM_ACCESS_WRITE))
		state |= DRM_SVM_PAGE_WRITE;
	return state | DRM_SVM_PAGE_READ | location << DRM_SVM_PAGE_LOCATION_SHIFT;
}

/* What it cannot tell: more than the GPU has mapped, and no more than a page at a time. */
#define PEER_UNKNOWN	(DRM_SVM_QUERY_RESIDENCE | DRM_SVM_QUERY_DETAILS | DRM_SVM_QUERY_RUNS)

static int peer_query(struct svm_test_vm *vm, struct drm_svm_query *args)
{
	u32 __user *out = u64_to_user_ptr(args->pages);
	u64 addr;
	int err;

	err = peer_check_interval(vm, args->start, args->size);
	if (err)
		return err;
	if (args->flags & PEER_UNKNOWN)
		return -EOPNOTSUPP;
	if (args->flags || args->pad || args->count ||
	    args->size >> PAGE_SHIFT > DRM_SVM_QUERY_MAX_PAGES)
		return -EINVAL;

	for (addr = args->start; addr < args->start + args->size;
	     addr += PAGE_SIZE) {
		if (put_user(peer_query_page(vm, addr), out++))
			return -EFAULT;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/* Bring a range home. drm_gpusvm has nothing for this but a fault of the CPU. */
static int prefetch_home(struct svm_test_gpusvm *peer, u64 start, u64 end)
{
	struct drm_gpusvm_ctx ctx = {
		.device_private_page_owner =
			svm_test_gpusvm_vram_owner(peer->vm->gpu),
		.devmem_possible = true,
	};
	struct drm_gpusvm_range *range;

	guard(mutex)(&peer->lock);

	svm_test_gpusvm_gc(peer);
	range = drm_gpusvm_range_find_or_insert(&peer->base, start, start, end,
						&ctx);
	if (IS_ERR(range))
		return PTR_ERR(range);
	return drm_gpusvm_range_evict(&peer->base, range);
}

static int prefetch_piece(struct svm_test_gpusvm *peer,
			  struct drm_svm_prefetch *args, u64 start, u64 end)
{
	u64 npages = (end - start) >> PAGE_SHIFT;
	struct drm_pagemap *dpagemap;
	int err;

	if (args->location == DRM_SVM_LOCATION_SYSTEM) {
		err = prefetch_home(peer, start, end);
	} else {
		dpagemap = svm_test_gpusvm_vram_pagemap(peer->vm->gpu);
		if (!dpagemap)
			return -ENOSPC;
		err = drm_pagemap_populate_mm(dpagemap, start, end,
					      peer->base.mm, 0);
	}
	switch (err) {
	case 0:
		args->out_moved += npages;
		return 0;
	case -EBUSY:
		args->out_busy += npages;
		return 0;
	case -ENOSPC:
		args->out_no_space += npages;
		return 0;
	default:
		return err;
	}
}

static int peer_prefetch(struct svm_test_vm *vm, struct drm_svm_prefetch *args)
{
	u64 start, next, end = args->start + args->size;
	int err;

	err = peer_check_interval(vm, args->start, args->size);
	if (err)
		return err;
	if (args->flags & ~DRM_SVM_PREFETCH_COUNT_DENIED || args->progress ||
	    (args->location != DRM_SVM_LOCATION_SYSTEM &&
	     args->location != DRM_SVM_LOCATION_VRAM))
		return -EINVAL;
	/* It does not say why pages stay. */
	if (args->flags)
		return -EOPNOTSUPP;

	args->out_moved = 0;
	args->out_resident = 0;
	args->out_busy = 0;
	args->out_unsupported = 0;
	args->out_no_space = 0;
	args->out_failed = 0;
	args->out_denied = 0;
	for (start = args->start; start < end && !err; start = next) {
		next = min((start | ~PMD_MASK) + 1, end);
		err = prefetch_piece(vm->gpusvm, args, start, next);
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	return err;
}

/* What it has no counter for reads as zero. */
static int put_counters(struct drm_svm_counters *args, const u64 *values)
{
	unsigned int n = min_t(unsigned int, args->count, DRM_SVM_COUNTER_NUM);
	u64 __user *to = u64_to_user_ptr(args->values);

	if (copy_to_user(to, values, n * sizeof(*to)) ||
	    clear_user(to + n, (args->count - n) * sizeof(*to)))
		return -EFAULT;
	args->out_count = DRM_SVM_COUNTER_NUM;
	return 0;
}

static int peer_counters(struct svm_test_vm *vm, struct drm_svm_counters *args)
{
	u64 values[DRM_SVM_COUNTER_NUM] = { 0 };
	struct svm_test_gpusvm_counts counts;
	struct svm_test_gpusvm *peer;
	int err;

	err = svm_test_gpusvm_check_mm(vm);
	if (err)
		return err;
	if (args->flags || args->pad || args->count > DRM_SVM_COUNTERS_MAX)
		return -EINVAL;

	peer = vm->gpusvm;
	svm_test_gpusvm_vram_counts(vm->gpu, &counts);
	values[DRM_SVM_COUNTER_FAULTS] = atomic64_read(&peer->num_faults);
	values[DRM_SVM_COUNTER_FAILED] = atomic64_read(&peer->num_failed);
	values[DRM_SVM_COUNTER_DUPLICATES] = atomic64_read(&peer->num_duplicates);
	values[DRM_SVM_COUNTER_PAGES_MAPPED] = atomic64_read(&peer->pages_mapped);
	values[DRM_SVM_COUNTER_INVALIDATIONS] = atomic64_read(&peer->invalidations);
	values[DRM_SVM_COUNTER_VRAM_PAGES_IN] = counts.pages_in;
	values[DRM_SVM_COUNTER_VRAM_BYTES_IN] = counts.copied_in << PAGE_SHIFT;
	values[DRM_SVM_COUNTER_VRAM_PAGES_OUT] = counts.pages_out;
	values[DRM_SVM_COUNTER_VRAM_BYTES_OUT] = counts.pages_out << PAGE_SHIFT;
	return put_counters(args, values);
}

/**
 * svm_test_gpusvm_print() - print what happened so far
 * @vm: address space
 * @p: where to
 */
void svm_test_gpusvm_print(struct svm_test_vm *vm, struct drm_printer *p)
{
	struct svm_test_gpusvm *peer = vm->gpusvm;

	if (peer)
		drm_printf(p, "faults %lld, pages mapped %lld\n",
			   atomic64_read(&peer->num_faults),
			   atomic64_read(&peer->pages_mapped));
}

static int peer_ioctl_attach(struct drm_device *drm, void *data,
			     struct drm_file *file)
{
	struct svm_test_vm *vm = svm_test_file_vm(file);
	int err = svm_test_vm_enter(vm);

	if (err)
		return err;
	scoped_guard(mutex, &vm->attach_lock) {
		const void *mm = vm->mm;

		vm->mm = mm ?: current->mm;
		err = svm_test_gpusvm_attach(vm, data);
		if (err)
			vm->mm = mm;
	}
	svm_test_vm_leave(vm);
	return err;
}

static int peer_ioctl_query(struct drm_device *drm, void *data,
			    struct drm_file *file)
{
	struct svm_test_vm *vm = svm_test_file_vm(file);
	int err = svm_test_vm_enter(vm);

	if (err)
		return err;
	err = peer_query(vm, data);
	svm_test_vm_leave(vm);
	return err;
}

static int peer_ioctl_prefetch(struct drm_device *drm, void *data,
			       struct drm_file *file)
{
	struct svm_test_vm *vm = svm_test_file_vm(file);
	int err = svm_test_vm_enter(vm);

	if (err)
		return err;
	err = peer_prefetch(vm, data);
	svm_test_vm_leave(vm);
	return err;
}

static int peer_ioctl_counters(struct drm_device *drm, void *data,
			       struct drm_file *file)
{
	struct svm_test_vm *vm = svm_test_file_vm(file);
	int err = svm_test_vm_enter(vm);

	if (err)
		return err;
	err = peer_counters(vm, data);
	svm_test_vm_leave(vm);
	return err;
}

/* drm_gpusvm has nothing for this ioctl. */
static int peer_ioctl_refuse(struct drm_device *drm, void *data,
			     struct drm_file *file)
{
	return -EOPNOTSUPP;
}

/**
 * svm_test_gpusvm_take_ioctls() - take the ioctls of shared memory over
 * @ioctls: those of the driver
 */
void svm_test_gpusvm_take_ioctls(struct drm_ioctl_desc *ioctls)
{
	ioctls[DRM_SVM_TEST_ATTACH].func = peer_ioctl_attach;
	ioctls[DRM_SVM_TEST_QUERY].func = peer_ioctl_query;
	ioctls[DRM_SVM_TEST_PREFETCH].func = peer_ioctl_prefetch;
	ioctls[DRM_SVM_TEST_COUNTERS].func = peer_ioctl_counters;
	ioctls[DRM_SVM_TEST_EVENTS].func = peer_ioctl_refuse;
	ioctls[DRM_SVM_TEST_VRAM_INFO].func = peer_ioctl_refuse;
}
