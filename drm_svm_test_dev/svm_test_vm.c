// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The GPU address space of a file.
 *
 * It is created when the file is opened, attaches to the memory of a process
 * once, and is destroyed when the file is closed. There is no reference count:
 * an ioctl holds the file open, and whatever else may look at it is ended, in
 * order, before it is freed; see svm_test_vm_destroy().
 */

/**
 * DOC: Locking
 *
 * The locks of the virtual GPU, outermost first. Locks in one line are never
 * held together.
 *
 * 1. svm_test_device.vms_lock, svm_test_vm.attach_lock, the handler_lock of
 *    the fault buffer: mutexes, held over calls of drm_svm. Never taken in a
 *    function that drm_svm calls.
 * 2. svm_test_vm.submit_lock: a mutex; fences are armed under it, and handed to
 *    syncobjs, so the lock of a syncobj is inside of it.
 *    svm_test_bindings.lock: a mutex, then the dma_resv of a buffer object.
 * 3. the locks of drm_svm, of which the last is the page-table lock of a range
 * 4. an access section of an engine, see svm_test_mmu_enter(): no lock, but what
 *    is waited for by a flush, under the page-table lock of a range.
 * 5. the lock of a window of the page table; the lock of a TLB; the locks of
 *    the fault buffer, of svm_test_bindings.faults and of the copy engine:
 *    spinlocks in process context, with nothing inside. In an access section
 *    the lock of the TLB alone is taken.
 * 6. the lock of a fence, then svm_test_engine.lock: with interrupts off.
 *
 * So nothing in an access section may wait for a lock of drm_svm or of a
 * window: whoever holds that may be waiting for the section. The locks of line
 * 5 are taken in MMU notifiers, but for those of faults, so no allocation is
 * made under any of them.
 */

#include <linux/overflow.h>
#include <linux/slab.h>

#include <drm/drm_svm.h>

#include "svm_test_device.h"
#include "svm_test_engine.h"
#include "svm_test_fault.h"
#include "svm_test_job.h"
#include "svm_test_pt.h"
#include "svm_test_svm.h"
#include "svm_test_vm.h"

/* Tags are not used again, so a TLB entry of a file that is gone is harmless. */
static atomic64_t last_asid = ATOMIC64_INIT(0);

/**
 * svm_test_vm_create() - make the address space of a file
 * @gpu: the device
 *
 * Return: the address space, not attached, or NULL when there is no memory.
 */
struct svm_test_vm *svm_test_vm_create(struct svm_test_device *gpu)
{
	struct svm_test_vm *vm;
	unsigned int i;

	vm = kzalloc(struct_size(vm, queues, gpu->config.engines),
		     GFP_KERNEL_ACCOUNT);
	if (!vm)
		return NULL;

	vm->pt = svm_test_pt_create(gpu->config.va_bits);
	if (!vm->pt) {
		kfree(vm);
		return NULL;
	}

	vm->gpu = gpu;
	vm->asid.id = atomic64_inc_return(&last_asid);
	mutex_init(&vm->attach_lock);
	INIT_LIST_HEAD(&vm->link);
	mutex_init(&vm->submit_lock);
	xa_init_flags(&vm->results, XA_FLAGS_ACCOUNT);
	init_waitqueue_head(&vm->done);
	svm_test_bind_init(vm);
	for (i = 0; i < gpu->config.engines; i++)
		svm_test_queue_init(&vm->queues[i]);
	return vm;
}

/**
 * svm_test_vm_attach() - share the memory of the calling process
 * @vm: address space
 * @args: the ioctl's payload
 *
 * Return: 0, or an error of drm_svm_ioctl_attach(), after which it can be tried
 * again unless it is -EEXIST.
 */
int svm_test_vm_attach(struct svm_test_vm *vm, struct drm_svm_attach *args)
{
	struct svm_test_device *gpu = vm->gpu;
	int err;

	guard(mutex)(&vm->attach_lock);

	err = drm_svm_ioctl_attach(&vm->ctx, &gpu->sdev, &svm_test_context_ops,
				   args);
	if (err)
		return err;

	scoped_guard(mutex, &gpu->vms_lock)
		list_add_tail(&vm->link, &gpu->vms);
	return 0;
}

static void vm_cancel_jobs(struct svm_test_vm *vm)
{
	struct svm_test_device *gpu = vm->gpu;
	unsigned int i;

	for (i = 0; i < gpu->config.engines; i++)
		svm_test_queue_close(gpu->engines[i], &vm->queues[i]);
	for (i = 0; i < gpu->config.engines; i++)
		svm_test_queue_wait_idle(gpu->engines[i], &vm->queues[i]);
}

static void vm_free_results(struct svm_test_vm *vm)
{
	struct svm_test_job *job;
	unsigned long id;

	xa_for_each(&vm->results, id, job)
		svm_test_job_put(job);
	xa_destroy(&vm->results);
}

/**
 * svm_test_vm_destroy() - end all that an address space does, and free it
 * @vm: address space of a file that is closed
 *
 * In the order of who uses what: jobs post faults, faults in the buffer go to
 * drm_svm, drm_svm changes the page table. Each step does nothing for a file
 * that never attached.
 */
void svm_test_vm_destroy(struct svm_test_vm *vm)
{
	struct svm_test_device *gpu = vm->gpu;

	scoped_guard(mutex, &gpu->vms_lock)
		list_del(&vm->link);

	vm_cancel_jobs(vm);
	svm_test_fault_purge(gpu->faults, vm);
	drm_svm_context_detach(&vm->ctx);
	svm_test_bind_fini(vm);

	vm_free_results(vm);
	svm_test_pt_destroy(vm->pt);
	mutex_destroy(&vm->submit_lock);
	mutex_destroy(&vm->attach_lock);
	kfree(vm);
}
