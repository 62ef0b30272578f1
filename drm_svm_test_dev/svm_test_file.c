// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * An open file: its address space, its queues, and the jobs in them.
 *
 * A file is opened with an address space of its own. It may use that of another
 * file of the same process in its place, once and for all: then several files
 * need one attach. The address space is shut down with the last file that uses it.
 *
 * The same is done when the device is unplugged while files are open; only for
 * these two to meet there are reference counts.
 */

#include <linux/cleanup.h>
#include <linux/slab.h>

#include <drm/drm_device.h>
#include <drm/drm_svm_test.h>

#include "svm_test_device.h"
#include "svm_test_engine.h"
#include "svm_test_file.h"
#include "svm_test_job.h"
#include "svm_test_queue.h"
#include "svm_test_vm.h"

static void file_release(struct kref *ref)
{
	struct svm_test_file *file = container_of(ref, struct svm_test_file, ref);
	struct svm_test_queue *queue;
	struct svm_test_job *job;
	unsigned long id;

	xa_for_each(&file->results, id, job)
		svm_test_job_put(job);
	xa_destroy(&file->results);
	xa_for_each(&file->queues, id, queue)
		svm_test_queue_put(queue);
	xa_destroy(&file->queues);
	mutex_destroy(&file->submit_lock);
	kfree(file);
}

/**
 * svm_test_file_open() - make what an open file has
 * @gpu: the device
 *
 * Return: the file, with an address space that is not attached, and a queue for
 * each engine; or NULL when there is no memory.
 */
struct svm_test_file *svm_test_file_open(struct svm_test_device *gpu)
{
	struct svm_test_file *file;

	file = kzalloc_obj(*file, GFP_KERNEL_ACCOUNT);
	if (!file)
		return NULL;

	kref_init(&file->ref);
	file->gpu = gpu;
	mutex_init(&file->submit_lock);
	xa_init_flags(&file->queues, XA_FLAGS_ALLOC | XA_FLAGS_ACCOUNT);
	xa_init_flags(&file->results, XA_FLAGS_ACCOUNT);
	init_waitqueue_head(&file->done);

	if (svm_test_queue_create_first(file))
		goto err_file;
	file->own = svm_test_vm_create(gpu);
	if (!file->own)
		goto err_file;

	file->vm = file->own;
	scoped_guard(mutex, &gpu->vms_lock)
		list_add_tail(&file->link, &file->vm->files);
	return file;

err_file:
	kref_put(&file->ref, file_release);
	return NULL;
}

/* Cancel what is queued with @err, and let nothing in any more; does not wait. */
static void file_cancel(struct svm_test_file *file, int err)
{
	struct svm_test_queue *queue;
	unsigned long id;

	guard(mutex)(&file->submit_lock);

	WRITE_ONCE(file->closed, true);
	xa_for_each(&file->queues, id, queue)
		svm_test_queue_close(queue, err);
}

/* The next queue from number @id on, with a reference, or NULL */
static struct svm_test_queue *file_next_queue(struct svm_test_file *file, unsigned long *id)
{
	struct svm_test_queue *queue;

	guard(mutex)(&file->submit_lock);

	queue = xa_find(&file->queues, id, ULONG_MAX, XA_PRESENT);
	return queue ? svm_test_queue_get(queue) : NULL;
}

/* Wait for the end of the jobs, after file_cancel(): no queue comes any more. */
static void file_wait_idle(struct svm_test_file *file)
{
	struct svm_test_queue *queue;
	unsigned long id = 0;

	for (; (queue = file_next_queue(file, &id)); id++) {
		svm_test_queue_wait_idle(queue);
		svm_test_queue_put(queue);
	}
}

/**
 * svm_test_file_close() - end all that a file does, and free it
 * @file: the file, on which no ioctl is under way
 */
void svm_test_file_close(struct svm_test_file *file)
{
	struct svm_test_vm *vm = file->vm;
	bool last;

	file_cancel(file, -ECANCELED);
	file_wait_idle(file);

	scoped_guard(mutex, &file->gpu->vms_lock) {
		list_del(&file->link);
		last = list_empty(&vm->files);
	}
	if (last)
		svm_test_vm_destroy(vm);
	/* If it joined another one, it does not use its own. */
	if (vm != file->own)
		svm_test_vm_destroy(file->own);
	kref_put(&file->ref, file_release);
}

/* The next one that unplug has to look after, with a reference */
static struct svm_test_file *file_next_to_unplug(struct svm_test_device *gpu)
{
	struct svm_test_file *file;
	struct svm_test_vm *vm;

	guard(mutex)(&gpu->vms_lock);

	list_for_each_entry(vm, &gpu->vms, link) {
		list_for_each_entry(file, &vm->files, link) {
			if (file->unplugged)
				continue;
			file->unplugged = true;
			kref_get(&file->ref);
			return file;
		}
	}
	return NULL;
}

/**
 * svm_test_file_unplug_all() - end all that the files of a device do
 * @gpu: the device, on which no ioctl begins any more
 *
 * Files may be open, and stay so. On return none of them has a job or is
 * attached. All jobs are cancelled before anything is waited for, and no lock is
 * held meanwhile that the close of another file takes.
 */
void svm_test_file_unplug_all(struct svm_test_device *gpu)
{
	struct svm_test_file *file;
	struct svm_test_vm *vm;

	scoped_guard(mutex, &gpu->vms_lock) {
		list_for_each_entry(vm, &gpu->vms, link) {
			WRITE_ONCE(vm->closed, true);
			list_for_each_entry(file, &vm->files, link)
				file_cancel(file, -ENODEV);
		}
	}

	while ((file = file_next_to_unplug(gpu))) {
		file_wait_idle(file);
		kref_put(&file->ref, file_release);
	}
	svm_test_vm_unplug_all(gpu);
}

/* Have a file use the address space with number @id, which stays for its files. */
static int file_join(struct svm_test_file *file, u64 id)
{
	struct svm_test_device *gpu = file->gpu;
	struct svm_test_vm *vm;
	int err;

	guard(mutex)(&gpu->vms_lock);

	vm = svm_test_vm_find(gpu, id);
	if (!vm || list_empty(&vm->files))
		return -EBADF;
	/* Only a detach holds it for writing, and is not waited for with vms_lock held. */
	if (!svm_test_vm_try_enter(vm))
		return -ENODEV;
	err = svm_test_vm_check_attached(vm);
	svm_test_vm_leave(vm);
	if (err)
		return err;
	if (vm == file->vm)
		return 0;
	if (file->vm != file->own || svm_test_vm_is_used(file->own))
		return -EEXIST;

	list_move_tail(&file->link, &vm->files);
	/* Pairs with svm_test_file_vm() */
	smp_store_release(&file->vm, vm);
	return 0;
}

/**
 * svm_test_ioctl_vm() - DRM_IOCTL_SVM_TEST_VM
 * @drm: the device
 * @data: struct drm_svm_test_vm
 * @drm_file: the file
 *
 * Return: 0, -EINVAL, -EPERM, -ENXIO, -EBADF, -EEXIST or -ENODEV.
 */
int svm_test_ioctl_vm(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct svm_test_file *file = to_svm_test_file(drm_file);
	struct drm_svm_test_vm *args = data;
	int err;

	if (args->flags || args->pad)
		return -EINVAL;
	err = svm_test_vm_check_mm(svm_test_file_vm(drm_file));
	if (!err && args->vm)
		err = file_join(file, args->vm);
	if (!err)
		args->out_vm = svm_test_file_vm(drm_file)->asid.id;
	return err;
}
