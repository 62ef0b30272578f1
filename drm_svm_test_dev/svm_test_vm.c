// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A GPU address space.
 *
 * It is made with a file, attaches to the memory of a process once, and is shut
 * down with the last file that uses it: see svm_test_file.c. An ioctl holds a file
 * open, and whatever else may look at the address space is ended, in order, before
 * that: see vm_shut_down(). A reference keeps the memory of the structure alone, for
 * faults that are answered late and for an unplug that meets a close.
 */

/**
 * DOC: Locking
 *
 * The locks of the virtual GPU, outermost first. Of the locks in one line one is
 * held at a time, but where one comes "then".
 *
 * 1. svm_test_device.power_lock, a mutex. svm_test_device.vms_lock, a mutex, then
 *    svm_test_vm.ctx_lock, an rwsem, then svm_test_vm.attach_lock, a mutex. The
 *    handler_lock of the fault buffer, a mutex. All of them are held over calls of
 *    drm_svm, and never taken in a function that drm_svm calls.
 *    svm_test_pm.gate, an rwsem: for writing in power_lock, for reading over the
 *    submission of a job with fences, that is over line 2.
 * 2. svm_test_bindings.lock: a mutex, then the dma_resv of buffer objects, then
 *    svm_test_file.submit_lock: a mutex; fences are armed under it, and handed to
 *    syncobjs, so the lock of a syncobj is inside of it. It is taken under
 *    svm_test_device.vms_lock too.
 * 3. the locks of drm_svm, of which the last is the page-table lock of a range
 * 4. an access section of an engine, see svm_test_mmu_enter(): no lock, but what
 *    is waited for by a flush, under the page-table lock of a range.
 * 5. the lock of a window of the page table; the lock of a TLB; the locks of
 *    the fault buffer, of svm_test_bindings.faults, of the copy engine and of the
 *    pages of VRAM: spinlocks in process context, with nothing inside. In an
 *    access section the lock of the TLB alone is taken.
 * 6. the lock of a fence, or that of a bucket of svm_test_wait.c, then
 *    svm_test_engine.lock: with interrupts off.
 *
 * drm_dev_enter() is for buffer objects, and DRM's own for fdinfo; it comes before
 * line 2. It is no lock, but drm_dev_unplug() waits for it, whatever DRM device that is for; so
 * nothing waits for user space in between, nor for a job, but for one with a fence, which
 * ends in seconds. A file of debugfs that is read or written is waited for as well, and
 * takes locks of line 1; so none is held over drm_dev_unplug().
 *
 * So nothing in an access section may wait for a lock of drm_svm or of a
 * window: whoever holds that may be waiting for the section. The locks of line
 * 5 are taken in MMU notifiers, but for those of faults and of VRAM, so no
 * allocation is made under any of them.
 */

#include <linux/cleanup.h>
#include <linux/slab.h>

#include "svm_test_device.h"
#include "svm_test_fault.h"
#include "svm_test_gpusvm.h"
#include "svm_test_pt.h"
#include "svm_test_vm.h"

/* Tags are not used again, so a TLB entry of a file that is gone is harmless. */
static atomic64_t last_asid = ATOMIC64_INIT(0);

/**
 * svm_test_vm_create() - make an address space
 * @gpu: the device
 *
 * Return: the address space, not attached, or NULL when there is no memory.
 */
struct svm_test_vm *svm_test_vm_create(struct svm_test_device *gpu)
{
	struct svm_test_vm *vm;

	vm = kzalloc_obj(*vm, GFP_KERNEL_ACCOUNT);
	if (!vm)
		return NULL;

	vm->pt = svm_test_pt_create(gpu->config.va_bits);
	if (!vm->pt) {
		kfree(vm);
		return NULL;
	}

	kref_init(&vm->ref);
	vm->gpu = gpu;
	vm->asid.id = atomic64_inc_return(&last_asid);
	init_rwsem(&vm->ctx_lock);
	mutex_init(&vm->attach_lock);
	INIT_LIST_HEAD(&vm->files);
	svm_test_bind_init(vm);

	scoped_guard(mutex, &gpu->vms_lock)
		list_add_tail(&vm->link, &gpu->vms);
	return vm;
}

/**
 * svm_test_vm_find() - look up an address space
 * @gpu: the device, its vms_lock held
 * @id: its number
 *
 * Return: the address space, or NULL.
 */
struct svm_test_vm *svm_test_vm_find(struct svm_test_device *gpu, u64 id)
{
	struct svm_test_vm *vm;

	lockdep_assert_held(&gpu->vms_lock);

	list_for_each_entry(vm, &gpu->vms, link)
		if (vm->asid.id == id)
			return vm;
	return NULL;
}

/**
 * svm_test_vm_is_used() - was anything put into an address space?
 * @vm: address space, of a file that is open
 *
 * Return: whether it is attached, or a buffer object is bound in it.
 */
bool svm_test_vm_is_used(struct svm_test_vm *vm)
{
	return svm_test_vm_check_attached(vm) != -ENXIO || !svm_test_bind_is_empty(vm);
}

static void vm_release(struct kref *ref)
{
	struct svm_test_vm *vm = container_of(ref, struct svm_test_vm, ref);

	svm_test_bind_fini(vm);
	svm_test_pt_destroy(vm->pt);
	mutex_destroy(&vm->attach_lock);
	kfree(vm);
}

/**
 * svm_test_vm_get() - take a reference, which keeps the memory of an address space
 * @vm: address space
 *
 * Return: @vm.
 */
struct svm_test_vm *svm_test_vm_get(struct svm_test_vm *vm)
{
	kref_get(&vm->ref);
	return vm;
}

/**
 * svm_test_vm_put() - drop a reference
 * @vm: address space
 */
void svm_test_vm_put(struct svm_test_vm *vm)
{
	kref_put(&vm->ref, vm_release);
}

/**
 * svm_test_vm_enter() - work with what a file shares
 * @vm: address space, of a file that is open
 *
 * Until svm_test_vm_leave() it is not detached. Unplug waits for that; so what
 * takes long in between has to end with a signal, or with the jobs of the file,
 * which unplug ends first. This is no drm_dev_enter(), since every unplug of
 * whatever DRM device waits for those.
 *
 * Return: 0, or -ENODEV when the device is gone.
 */
int svm_test_vm_enter(struct svm_test_vm *vm)
{
	down_read(&vm->ctx_lock);
	if (!READ_ONCE(vm->closed))
		return 0;
	up_read(&vm->ctx_lock);
	return -ENODEV;
}

/**
 * svm_test_vm_try_enter() - svm_test_vm_enter() that does not wait
 * @vm: address space
 *
 * Return: false when it is being detached or the device is gone.
 */
bool svm_test_vm_try_enter(struct svm_test_vm *vm)
{
	if (!down_read_trylock(&vm->ctx_lock))
		return false;
	if (!READ_ONCE(vm->closed))
		return true;
	up_read(&vm->ctx_lock);
	return false;
}

/**
 * svm_test_vm_leave() - end what svm_test_vm_enter() began
 * @vm: address space
 */
void svm_test_vm_leave(struct svm_test_vm *vm)
{
	up_read(&vm->ctx_lock);
}

/**
 * svm_test_vm_check_attached() - is a file attached to the caller's memory?
 * @vm: address space, in svm_test_vm_enter()
 *
 * Return: 0, -ENXIO when it is not attached, or -EPERM when it is attached to
 * the memory of another process.
 */
int svm_test_vm_check_attached(struct svm_test_vm *vm)
{
	if (svm_test_on_gpusvm(vm->gpu))
		return svm_test_gpusvm_check_mm(vm);
	return drm_svm_context_check_mm(&vm->ctx);
}

/**
 * svm_test_vm_check_own() - may the caller use shared memory with a file?
 * @vm: address space
 *
 * Return: 0; -ENODEV when the device is gone, or an error of
 * svm_test_vm_check_attached().
 */
int svm_test_vm_check_own(struct svm_test_vm *vm)
{
	int err = svm_test_vm_enter(vm);

	if (err)
		return err;
	err = svm_test_vm_check_attached(vm);
	svm_test_vm_leave(vm);
	return err;
}

/**
 * svm_test_vm_check_mm() - may the caller use a file that need not be attached?
 * @vm: address space
 *
 * For what does not touch the memory of a process, but belongs to it. The file of a device
 * that goes is not attached any more, or is about to be so; that is not waited for.
 *
 * Return: 0, or -EPERM when it is attached to the memory of another process.
 */
int svm_test_vm_check_mm(struct svm_test_vm *vm)
{
	int err;

	if (!svm_test_vm_try_enter(vm))
		return 0;
	err = svm_test_vm_check_attached(vm);
	svm_test_vm_leave(vm);
	return err == -ENXIO ? 0 : err;
}

/*
 * End all that an address space does, once its files have no jobs. In the order of
 * who uses what: faults in the buffer go to drm_svm, drm_svm changes the page table.
 * Each step does nothing for one that was never attached, and nothing the second
 * time: the last file may be closed while the device is unplugged.
 */
static void vm_shut_down(struct svm_test_vm *vm)
{
	struct svm_test_device *gpu = vm->gpu;

	svm_test_fault_purge(gpu->faults, vm);
	scoped_guard(rwsem_write, &vm->ctx_lock) {
		if (svm_test_on_gpusvm(gpu))
			svm_test_gpusvm_detach(vm);
		else
			drm_svm_context_detach(&vm->ctx);
	}
	svm_test_bind_clear(vm);
}

/**
 * svm_test_vm_destroy() - end all that an address space does, and free it
 * @vm: address space that no file uses any more
 */
void svm_test_vm_destroy(struct svm_test_vm *vm)
{
	WRITE_ONCE(vm->closed, true);
	vm_shut_down(vm);
	/* Until here unplug finds it, and waits for it. */
	scoped_guard(mutex, &vm->gpu->vms_lock)
		list_del(&vm->link);
	svm_test_vm_put(vm);
}

/* The next one that unplug has to look after, with a reference */
static struct svm_test_vm *vm_next_to_unplug(struct svm_test_device *gpu)
{
	struct svm_test_vm *vm;

	guard(mutex)(&gpu->vms_lock);

	list_for_each_entry(vm, &gpu->vms, link) {
		if (vm->unplugged)
			continue;
		vm->unplugged = true;
		return svm_test_vm_get(vm);
	}
	return NULL;
}

/**
 * svm_test_vm_unplug_all() - detach the address spaces of a device
 * @gpu: the device, whose files have no jobs and get none
 */
void svm_test_vm_unplug_all(struct svm_test_device *gpu)
{
	struct svm_test_vm *vm;

	while ((vm = vm_next_to_unplug(gpu))) {
		vm_shut_down(vm);
		svm_test_vm_put(vm);
	}
}
