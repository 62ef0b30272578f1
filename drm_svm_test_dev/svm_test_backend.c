// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Who manages shared memory: drm_svm, or what the kernel has, drm_gpusvm.
 *
 * The hardware and its driver are the same for both, so whatever differs, in
 * what works or in what it costs, is the manager's. The cost of faults is taken
 * here: for how long there was a miss that the backend had not answered. Under an
 * emulator that counts instructions this is their number.
 */

#include <linux/array_size.h>
#include <linux/cleanup.h>
#include <linux/kconfig.h>
#include <linux/ktime.h>
#include <linux/string.h>

#include "svm_test_backend.h"
#include "svm_test_device.h"
#include "svm_test_engine.h"
#include "svm_test_job.h"
#include "svm_test_vm.h"

static const struct svm_test_backend *const backends[] = {
	&svm_test_svm_backend,
#if IS_ENABLED(CONFIG_DRM_GPUSVM)
	&svm_test_gpusvm_backend,
#endif
};

/**
 * svm_test_backend_find() - find a backend
 * @name: its name
 *
 * Return: the backend, or NULL when there is none, in this kernel.
 */
const struct svm_test_backend *svm_test_backend_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(backends); i++)
		if (!strcmp(backends[i]->name, name))
			return backends[i];
	return NULL;
}

static void service_begin(struct svm_test_service *service)
{
	guard(spinlock)(&service->lock);

	if (!service->faults++)
		service->since = ktime_get_ns();
}

static void service_end(struct svm_test_service *service)
{
	guard(spinlock)(&service->lock);

	if (!--service->faults)
		service->total += ktime_get_ns() - service->since;
}

/**
 * svm_test_backend_push_fault() - hand a miss on
 * @vm: address space
 * @slot: the miss
 *
 * Return: 0 when svm_test_engine_fault_done() will come; else it will not.
 */
int svm_test_backend_push_fault(struct svm_test_vm *vm,
				struct svm_test_slot *slot)
{
	int err;

	/* Before: the answer may be given at once. */
	service_begin(&vm->gpu->service);
	err = vm->gpu->backend->push_fault(vm, slot);
	if (err)
		service_end(&vm->gpu->service);
	return err;
}

/**
 * svm_test_backend_fault_done() - a miss that was handed on is answered
 * @slot: the miss
 * @err: 0 when the access can be tried again
 */
void svm_test_backend_fault_done(struct svm_test_slot *slot, int err)
{
	service_end(&slot->job->vm->gpu->service);
	svm_test_engine_fault_done(slot, err);
}

/**
 * svm_test_backend_service_ns() - for how long misses waited for the backend
 * @gpu: the device
 *
 * Return: nanoseconds.
 */
u64 svm_test_backend_service_ns(struct svm_test_device *gpu)
{
	struct svm_test_service *service = &gpu->service;

	guard(spinlock)(&service->lock);

	if (!service->faults)
		return service->total;
	return service->total + ktime_get_ns() - service->since;
}
