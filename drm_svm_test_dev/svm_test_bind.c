// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Buffer objects at GPU addresses.
 *
 * The upper half of the GPU's addresses is for buffer objects, where the lower
 * half is enough for the addresses of a process; see
 * svm_test_config_bind_start(). There drm_svm has no say.
 *
 * A binding is mapped in the page table, or it is not. When its buffer object
 * moves it is unmapped, with no word to the program. The next access misses;
 * such misses are not handed to drm_svm but to a work item of the address
 * space, which has the buffer object moved back and maps the binding again.
 *
 * Jobs with fences may not miss. The buffer objects that they use are mapped when they
 * are submitted, and stay mapped until their fences signal: a move of a buffer object,
 * and an unbind, wait for these fences.
 *
 * Locking. svm_test_bindings.lock protects the tree, and is held from the
 * lookup of a binding until it was mapped. Inside of it is the dma_resv of the
 * buffer object, which protects its list of bindings and whether they are
 * mapped; TTM holds that one when it moves the buffer object.
 */

#include <linux/cleanup.h>
#include <linux/dma-resv.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_exec.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_svm.h>
#include <drm/drm_svm_test.h>

#include "svm_test_bind.h"
#include "svm_test_cmd.h"
#include "svm_test_device.h"
#include "svm_test_file.h"
#include "svm_test_gem.h"
#include "svm_test_job.h"
#include "svm_test_port.h"
#include "svm_test_pt.h"
#include "svm_test_queue.h"
#include "svm_test_vm.h"

#define WINDOW_SIZE	BIT_ULL(SVM_TEST_LEAF_LARGE_SHIFT)

struct svm_test_binding {
	struct svm_test_vm *vm;
	/* @bo: referenced */
	struct svm_test_bo *bo;
	/* @link: link in svm_test_bo.bindings */
	struct list_head link;
	/* @start: first GPU address */
	u64 start;
	/* @end: first GPU address past it */
	u64 end;
	/* @offset: what of @bo is at @start */
	u64 offset;
	/* @mapped: under the dma_resv of @bo */
	bool mapped;
};

static u64 window_end(u64 addr, u64 end)
{
	return min(end, (addr | (WINDOW_SIZE - 1)) + 1);
}

static void binding_clear(struct svm_test_binding *binding, u64 end)
{
	struct svm_test_vm *vm = binding->vm;
	u64 start = binding->start, next;

	for (; start < end; start = next) {
		next = window_end(start, end);
		svm_test_pt_unmap(vm->pt, start, next);
	}
	svm_test_port_flush(vm, binding->start, end);
}

static void binding_unmap(struct svm_test_binding *binding)
{
	dma_resv_assert_held(binding->bo->tbo.base.resv);

	if (binding->mapped)
		binding_clear(binding, binding->end);
	binding->mapped = false;
}

/**
 * svm_test_bo_unmap() - no engine may reach a buffer object any more
 * @bo: the buffer object, its dma_resv held
 *
 * Does not wait for memory. On return no access is under way.
 */
void svm_test_bo_unmap(struct svm_test_bo *bo)
{
	struct svm_test_binding *binding;

	list_for_each_entry(binding, &bo->bindings, link)
		binding_unmap(binding);
}

/* Map a binding whose buffer object is resident. */
static int binding_map_resident(struct svm_test_binding *binding)
{
	struct ttm_buffer_object *tbo = &binding->bo->tbo;
	u64 pos = binding->start, end;
	struct drm_svm_run run;
	int err;

	for (; pos < binding->end; pos += (u64)run.npages << PAGE_SHIFT) {
		u64 offset = binding->offset + (pos - binding->start);

		end = window_end(pos, binding->end);
		svm_test_bo_run(tbo, tbo->resource, offset >> PAGE_SHIFT,
				(end - pos) >> PAGE_SHIFT, &run);
		err = svm_test_pt_prepare(binding->vm->pt, pos, end);
		if (err) {
			binding_clear(binding, pos);
			return err;
		}
		svm_test_pt_map(binding->vm->pt, pos, &run, 1);
	}
	binding->mapped = true;
	return 0;
}

static int binding_map(struct svm_test_binding *binding, bool interruptible)
{
	struct ttm_buffer_object *tbo = &binding->bo->tbo;
	int err;

	err = ttm_bo_reserve(tbo, interruptible, false, NULL);
	if (err)
		return err;

	err = svm_test_bo_make_resident(binding->bo, interruptible);
	if (!err && !binding->mapped)
		err = binding_map_resident(binding);
	ttm_bo_unreserve(tbo);
	return err;
}

/* What is done with each binding that a job reaches for */
typedef int (*bind_visit_fn)(struct svm_test_binding *binding, struct drm_exec *exec);

static int bind_visit_span(struct svm_test_vm *vm, const struct svm_test_span *span,
			   bind_visit_fn visit, struct drm_exec *exec)
{
	struct svm_test_binding *binding;
	u64 pos = span->addr, end;
	int err;

	if (!span->size)
		return 0;
	/* Below is memory that the job may not reach for. */
	if (check_add_overflow(span->addr, span->size, &end) ||
	    !svm_test_bind_covers(vm, span->addr))
		return -EINVAL;
	for (; pos < end; pos = binding->end) {
		binding = mtree_load(&vm->bindings.tree, pos);
		if (!binding)
			return -ENOENT;
		err = visit(binding, exec);
		if (err)
			return err;
		if (signal_pending(current))
			return -ERESTARTSYS;
		cond_resched();
	}
	return 0;
}

/* Visit what commands reach for; all of that has to be bound. */
static int bind_visit(struct svm_test_vm *vm, const struct drm_svm_test_cmd *cmds, u32 n,
		      bind_visit_fn visit, struct drm_exec *exec)
{
	struct svm_test_span spans[SVM_TEST_CMD_SPANS];
	unsigned int s;
	int err;
	u32 i;

	lockdep_assert_held(&vm->bindings.lock);

	for (i = 0; i < n; i++) {
		err = svm_test_cmd_spans(&cmds[i], spans);
		for (s = 0; s < SVM_TEST_CMD_SPANS && !err; s++)
			err = bind_visit_span(vm, &spans[s], visit, exec);
		if (err)
			return err;
	}
	return 0;
}

static int bind_visit_map(struct svm_test_binding *binding, struct drm_exec *exec)
{
	return binding_map(binding, true);
}

static int bind_visit_lock(struct svm_test_binding *binding, struct drm_exec *exec)
{
	return drm_exec_prepare_obj(exec, &binding->bo->tbo.base, 1);
}

/* One may have been evicted for another one, or for somebody else, before it was locked. */
static int bind_visit_check(struct svm_test_binding *binding, struct drm_exec *exec)
{
	return binding->mapped ? 0 : -EAGAIN;
}

/**
 * svm_test_bind_map() - have buffer objects where the GPU finds them
 * @vm: address space, its bindings.lock held
 * @cmds: commands that reach for them
 * @n: length of @cmds
 *
 * Return: 0; -EINVAL when a command may reach for anything else, -ENOENT when nothing is
 * bound there; -ENOMEM, -ERESTARTSYS.
 */
int svm_test_bind_map(struct svm_test_vm *vm, const struct drm_svm_test_cmd *cmds, u32 n)
{
	return bind_visit(vm, cmds, n, bind_visit_map, NULL);
}

/**
 * svm_test_bind_lock() - lock the buffer objects that commands reach for
 * @vm: address space, its bindings.lock held
 * @exec: to lock with; the caller goes on as drm_exec_retry_on_contention() says
 * @cmds: the commands, which svm_test_bind_map() has accepted
 * @n: length of @cmds
 *
 * Each has room for one fence more. None is moved: TTM may have to lock others for that,
 * and drm_exec is over with locking then.
 *
 * Return: 0, -ENOMEM, -ERESTARTSYS.
 */
int svm_test_bind_lock(struct svm_test_vm *vm, struct drm_exec *exec,
		       const struct drm_svm_test_cmd *cmds, u32 n)
{
	return bind_visit(vm, cmds, n, bind_visit_lock, exec);
}

/**
 * svm_test_bind_check() - are all buffer objects that commands reach for in place?
 * @vm: address space, its bindings.lock held
 * @cmds: the commands, whose buffer objects are locked
 * @n: length of @cmds
 *
 * If so they stay there as long as they are locked, or a fence is in their dma_resv.
 *
 * Return: 0; -EAGAIN when one was moved since svm_test_bind_map(); -ERESTARTSYS.
 */
int svm_test_bind_check(struct svm_test_vm *vm, const struct drm_svm_test_cmd *cmds, u32 n)
{
	return bind_visit(vm, cmds, n, bind_visit_check, NULL);
}

static struct svm_test_binding *binding_create(struct svm_test_vm *vm,
					       struct svm_test_bo *bo,
					       const struct drm_svm_test_bo_bind *args)
{
	struct svm_test_binding *binding;

	binding = kzalloc_obj(*binding, GFP_KERNEL_ACCOUNT);
	if (!binding)
		return NULL;

	binding->vm = vm;
	binding->bo = bo;
	binding->start = args->addr;
	binding->end = args->addr + args->size;
	binding->offset = args->offset;
	drm_gem_object_get(&bo->tbo.base);

	dma_resv_lock(bo->tbo.base.resv, NULL);
	list_add_tail(&binding->link, &bo->bindings);
	dma_resv_unlock(bo->tbo.base.resv);
	return binding;
}

static void binding_destroy(struct svm_test_binding *binding)
{
	struct svm_test_bo *bo = binding->bo;

	dma_resv_lock(bo->tbo.base.resv, NULL);
	binding_unmap(binding);
	list_del(&binding->link);
	dma_resv_unlock(bo->tbo.base.resv);

	drm_gem_object_put(&bo->tbo.base);
	kfree(binding);
}

static bool bind_is_free(struct svm_test_vm *vm, u64 start, u64 end)
{
	unsigned long index = start;

	return !mt_find(&vm->bindings.tree, &index, end - 1);
}

/* Bind what is free. */
static int bind_locked(struct svm_test_vm *vm, struct svm_test_bo *bo,
		       const struct drm_svm_test_bo_bind *args)
{
	struct svm_test_binding *binding;
	int err;

	lockdep_assert_held(&vm->bindings.lock);

	/* Before the page table is touched: somebody else may be there. */
	if (!bind_is_free(vm, args->addr, args->addr + args->size))
		return -EEXIST;
	binding = binding_create(vm, bo, args);
	if (!binding)
		return -ENOMEM;

	/* Last, for to take it out of the tree again could fail. */
	err = binding_map(binding, true);
	if (!err)
		err = mtree_insert_range(&vm->bindings.tree, binding->start,
					 binding->end - 1, binding,
					 GFP_KERNEL_ACCOUNT);
	if (err)
		binding_destroy(binding);
	return err;
}

static int bind(struct svm_test_vm *vm, struct drm_gem_object *obj,
		const struct drm_svm_test_bo_bind *args)
{
	if (args->size > obj->size || args->offset > obj->size - args->size)
		return -EINVAL;

	guard(mutex)(&vm->bindings.lock);

	return bind_locked(vm, container_of(obj, struct svm_test_bo, tbo.base),
			   args);
}

static int bind_check_range(const struct svm_test_vm *vm, u64 addr, u64 size)
{
	const struct svm_test_config *config = &vm->gpu->config;
	u64 end;

	if (!size || !PAGE_ALIGNED(addr) || !PAGE_ALIGNED(size))
		return -EINVAL;
	if (check_add_overflow(addr, size, &end) ||
	    addr < svm_test_config_bind_start(config) ||
	    end > BIT_ULL(config->va_bits))
		return -EINVAL;
	return 0;
}

/**
 * svm_test_ioctl_bo_bind() - DRM_IOCTL_SVM_TEST_BO_BIND
 * @drm: the device
 * @data: struct drm_svm_test_bo_bind
 * @file: the file
 *
 * Return: 0, or an error after which nothing is bound.
 */
int svm_test_ioctl_bo_bind(struct drm_device *drm, void *data,
			   struct drm_file *file)
{
	const struct drm_svm_test_bo_bind *args = data;
	struct svm_test_vm *vm = svm_test_file_vm(file);
	struct drm_gem_object *obj;
	int err, index;

	if (args->flags || !PAGE_ALIGNED(args->offset))
		return -EINVAL;
	err = bind_check_range(vm, args->addr, args->size) ?:
	      svm_test_vm_check_mm(vm);
	if (err)
		return err;

	obj = drm_gem_object_lookup(file, args->handle);
	if (!obj)
		return -EBADF;

	err = -ENODEV;
	if (drm_dev_enter(drm, &index)) {
		err = bind(vm, obj, args);
		drm_dev_exit(index);
	}
	drm_gem_object_put(obj);
	return err;
}

/**
 * svm_test_ioctl_bo_unbind() - DRM_IOCTL_SVM_TEST_BO_UNBIND
 * @drm: the device
 * @data: struct drm_svm_test_bo_unbind
 * @file: the file
 *
 * Return: 0 or a negative errno.
 */
int svm_test_ioctl_bo_unbind(struct drm_device *drm, void *data,
			     struct drm_file *file)
{
	const struct drm_svm_test_bo_unbind *args = data;
	struct svm_test_vm *vm = svm_test_file_vm(file);
	struct svm_test_binding *binding;
	int err;

	if (args->flags || args->pad)
		return -EINVAL;
	err = bind_check_range(vm, args->addr, args->size) ?:
	      svm_test_vm_check_mm(vm);
	if (err)
		return err;

	guard(mutex)(&vm->bindings.lock);

	binding = mtree_load(&vm->bindings.tree, args->addr);
	if (!binding || binding->start != args->addr ||
	    binding->end != args->addr + args->size)
		return -ENOENT;

	/* Jobs with fences use it. */
	if (dma_resv_wait_timeout(binding->bo->tbo.base.resv, DMA_RESV_USAGE_BOOKKEEP,
				  true, MAX_SCHEDULE_TIMEOUT) < 0)
		return -ERESTARTSYS;
	/* Not mtree_erase(), which does not say that there was no memory for it. */
	err = mtree_store_range(&vm->bindings.tree, binding->start,
				binding->end - 1, NULL, GFP_KERNEL);
	if (!err)
		binding_destroy(binding);
	return err;
}

/**
 * svm_test_bind_is_empty() - is no buffer object bound?
 * @vm: address space
 *
 * Return: whether nothing is, at this moment.
 */
bool svm_test_bind_is_empty(const struct svm_test_vm *vm)
{
	return mtree_empty(&vm->bindings.tree);
}

/**
 * svm_test_bind_covers() - is an address one for buffer objects?
 * @vm: address space
 * @addr: GPU address
 *
 * Return: whether svm_test_bind_push_fault() serves it.
 */
bool svm_test_bind_covers(const struct svm_test_vm *vm, u64 addr)
{
	return addr >= svm_test_config_bind_start(&vm->gpu->config);
}

static int bind_fault(struct svm_test_vm *vm, u64 addr)
{
	struct svm_test_binding *binding;

	guard(mutex)(&vm->bindings.lock);

	binding = mtree_load(&vm->bindings.tree, addr);
	return binding ? binding_map(binding, false) : -ENOENT;
}

static struct svm_test_slot *bind_next_fault(struct svm_test_bindings *bindings)
{
	struct svm_test_slot *slot;

	guard(spinlock)(&bindings->fault_lock);

	slot = list_first_entry_or_null(&bindings->faults, struct svm_test_slot,
					link);
	if (slot)
		list_del_init(&slot->link);
	return slot;
}

static void bind_work(struct work_struct *work)
{
	struct svm_test_bindings *bindings =
		container_of(work, struct svm_test_bindings, work);
	struct svm_test_vm *vm = container_of(bindings, struct svm_test_vm,
					      bindings);
	struct svm_test_slot *slot;

	while ((slot = bind_next_fault(bindings)))
		svm_test_queue_fault_done(slot, bind_fault(vm, slot->addr));
}

/**
 * svm_test_bind_push_fault() - serve a miss
 * @vm: address space
 * @slot: the miss, at an address that svm_test_bind_covers()
 *
 * svm_test_queue_fault_done() will answer.
 */
void svm_test_bind_push_fault(struct svm_test_vm *vm, struct svm_test_slot *slot)
{
	struct svm_test_bindings *bindings = &vm->bindings;

	scoped_guard(spinlock, &bindings->fault_lock)
		list_add_tail(&slot->link, &bindings->faults);
	queue_work(system_dfl_wq, &bindings->work);
}

/**
 * svm_test_bind_init() - have no buffer objects in an address space
 * @vm: address space
 */
void svm_test_bind_init(struct svm_test_vm *vm)
{
	struct svm_test_bindings *bindings = &vm->bindings;

	mutex_init(&bindings->lock);
	mt_init(&bindings->tree);
	spin_lock_init(&bindings->fault_lock);
	INIT_LIST_HEAD(&bindings->faults);
	INIT_WORK(&bindings->work, bind_work);
}

/**
 * svm_test_bind_clear() - unbind all
 * @vm: address space, for which no engine posts faults any more
 *
 * Can be called again.
 */
void svm_test_bind_clear(struct svm_test_vm *vm)
{
	struct svm_test_bindings *bindings = &vm->bindings;
	struct svm_test_binding *binding;
	unsigned long addr = 0;

	flush_work(&bindings->work);
	WARN_ON(!list_empty(&bindings->faults));

	guard(mutex)(&bindings->lock);

	mt_for_each(&bindings->tree, binding, addr, ULONG_MAX)
		binding_destroy(binding);
	mtree_destroy(&bindings->tree);
}

/**
 * svm_test_bind_fini() - undo svm_test_bind_init()
 * @vm: address space, with nothing bound
 */
void svm_test_bind_fini(struct svm_test_vm *vm)
{
	mutex_destroy(&vm->bindings.lock);
}
