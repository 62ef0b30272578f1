// SPDX-License-Identifier: GPL-2.0-only OR MIT

/**
 * DOC: Overview
 *
 * drm_svm_test_dev is a virtual GPU with shared virtual memory: a DRM driver
 * whose hardware is a few kernel threads. It exists to test drm_svm where no
 * GPU is, and as the example of a port.
 *
 * The hardware is true to life where that matters for drm_svm. Engines reach
 * memory only through a page table of their own and through TLBs that keep what
 * they know until it is flushed, so an invalidation that is missed reads or
 * writes the wrong memory, as on a real device. Accesses that miss go into a
 * fault buffer of limited size, and their job waits.
 *
 * The port to drm_svm is svm_test_port.c and calls of the library elsewhere,
 * each where any driver would have it. The rest is the hardware and its
 * scheduler.
 *
 * For a comparison the same device runs on drm_gpusvm, by the module parameter
 * "backend". That is svm_test_gpusvm*.c, with ioctls of its own; the other
 * files call it after svm_test_on_gpusvm(). A driver has no such calls.
 */

#define pr_fmt(fmt)	KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/string.h>

#include <drm/drm_debugfs.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_ioctl.h>
#include <drm/drm_print.h>
#include <drm/drm_svm_test.h>

#include "svm_test_bind.h"
#include "svm_test_config.h"
#include "svm_test_device.h"
#include "svm_test_exec.h"
#include "svm_test_fault.h"
#include "svm_test_file.h"
#include "svm_test_gem.h"
#include "svm_test_gpusvm.h"
#include "svm_test_inject.h"
#include "svm_test_pm.h"
#include "svm_test_port.h"
#include "svm_test_queue.h"
#include "svm_test_ttm.h"
#include "svm_test_vm.h"
#include "svm_test_wait.h"

#ifndef CONFIG_64BIT
#error "drm_svm_test_dev needs 64 bit: its 64 bit atomics have to be those of the CPU"
#endif

static struct svm_test_config config = {
	.num_devices = 1,
	.engines = 2,
	.tlb_entries = 256,
	.fault_entries = 256,
	.va_bits = 48,
	.timeslice = 64,
	.lanes = 8,
	.max_jobs = 16384,
	.look = true,
	.vram_mb = 0,
	.peer = true,
};

module_param_named(num_devices, config.num_devices, uint, 0444);
MODULE_PARM_DESC(num_devices, "Devices (default 1)");
module_param_named(engines, config.engines, uint, 0444);
MODULE_PARM_DESC(engines, "Engines of a device (default 2)");
module_param_named(tlb_entries, config.tlb_entries, uint, 0444);
MODULE_PARM_DESC(tlb_entries, "TLB entries of an engine, a power of two (default 256)");
module_param_named(fault_entries, config.fault_entries, uint, 0444);
MODULE_PARM_DESC(fault_entries, "Entries of the fault buffer of a device (default 256)");
module_param_named(va_bits, config.va_bits, uint, 0444);
MODULE_PARM_DESC(va_bits, "Bits of a GPU virtual address (default 48)");
module_param_named(timeslice, config.timeslice, uint, 0444);
MODULE_PARM_DESC(timeslice, "Units of work, a page at most, before a job yields (default 64)");
module_param_named(lanes, config.lanes, uint, 0444);
MODULE_PARM_DESC(lanes, "Faults that a job posts at the same time (default 8)");
module_param_named(max_jobs, config.max_jobs, uint, 0444);
MODULE_PARM_DESC(max_jobs, "Jobs that a file can have (default 16384)");
module_param_named(look, config.look, bool, 0444);
MODULE_PARM_DESC(look, "Jobs that wait look at their fences for what the CPU signals (default Y)");

module_param_named(vram_mb, config.vram_mb, uint, 0444);
MODULE_PARM_DESC(vram_mb, "MiB of VRAM of a device (default 0: none)");
module_param_named(peer, config.peer, bool, 0444);
MODULE_PARM_DESC(peer, "Devices reach the VRAM of each other (default Y)");
module_param_named(copy_latency_us, config.copy_latency_us, uint, 0444);
MODULE_PARM_DESC(copy_latency_us, "Microseconds that any copy takes (default 0)");
module_param_named(copy_mbps, config.copy_mbps, uint, 0444);
MODULE_PARM_DESC(copy_mbps, "MB copied per second, or 0 for no limit (default 0)");

static char *backend = "drm_svm";
module_param(backend, charp, 0444);
MODULE_PARM_DESC(backend, "Manager of shared memory: drm_svm (default), drm_gpusvm");

/* What can be written to the file "unplug" */
#define UNPLUG_ORDERLY	1
#define UNPLUG_SURPRISE	2

static struct svm_test_device *devices[SVM_TEST_MAX_DEVICES];

static int svm_test_ioctl_info(struct drm_device *drm, void *data,
			       struct drm_file *file)
{
	struct svm_test_device *gpu = to_svm_test_device(drm);
	struct drm_svm_test_info *args = data;

	if (args->flags || args->pad)
		return -EINVAL;

	args->out_index = gpu->index;
	args->out_engines = gpu->config.engines;
	args->out_tlb_entries = gpu->config.tlb_entries;
	args->out_fault_entries = gpu->config.fault_entries;
	args->out_va_bits = gpu->config.va_bits;
	args->out_max_cmds = SVM_TEST_MAX_CMDS;
	args->out_max_jobs = gpu->config.max_jobs;
	args->out_max_syncs = SVM_TEST_MAX_SYNCS;
	args->out_max_queues = SVM_TEST_MAX_QUEUES;
	args->out_fault_overflows = svm_test_fault_overflows(gpu->faults);
	args->out_vram_size = svm_test_config_vram_size(&gpu->config);
	args->out_bo_start = svm_test_config_bind_start(&gpu->config);
	args->out_bo_size = SVM_TEST_MAX_BO_SIZE;
	args->out_backend = svm_test_on_gpusvm(gpu) ?
			    DRM_SVM_TEST_BACKEND_DRM_GPUSVM :
			    DRM_SVM_TEST_BACKEND_DRM_SVM;
	args->out_service_ns = svm_test_fault_cost_ns(gpu->faults);
	return 0;
}

#define SVM_TEST_IOCTL(name, func) \
	DRM_IOCTL_DEF_DRV(SVM_TEST_##name, svm_test_ioctl_##func, DRM_RENDER_ALLOW)

static struct drm_ioctl_desc svm_test_ioctls[] __ro_after_init = {
	SVM_TEST_IOCTL(ATTACH, attach),
	SVM_TEST_IOCTL(QUERY, query),
	SVM_TEST_IOCTL(COUNTERS, counters),
	SVM_TEST_IOCTL(INFO, info),
	SVM_TEST_IOCTL(SUBMIT, submit),
	SVM_TEST_IOCTL(WAIT, wait),
	SVM_TEST_IOCTL(BO_CREATE, bo_create),
	SVM_TEST_IOCTL(BO_MMAP, bo_mmap),
	SVM_TEST_IOCTL(BO_BIND, bo_bind),
	SVM_TEST_IOCTL(BO_UNBIND, bo_unbind),
	SVM_TEST_IOCTL(PREFETCH, prefetch),
	SVM_TEST_IOCTL(VM, vm),
	SVM_TEST_IOCTL(QUEUE_CREATE, queue_create),
	SVM_TEST_IOCTL(QUEUE_DESTROY, queue_destroy),
	SVM_TEST_IOCTL(CANCEL, cancel),
	SVM_TEST_IOCTL(FENCE_WAIT, fence_wait),
	SVM_TEST_IOCTL(EVENTS, events),
	SVM_TEST_IOCTL(VRAM_INFO, vram_info),
};

static int svm_test_open(struct drm_device *drm, struct drm_file *file)
{
	file->driver_priv = svm_test_file_open(to_svm_test_device(drm));
	return file->driver_priv ? 0 : -ENOMEM;
}

static void svm_test_postclose(struct drm_device *drm, struct drm_file *file)
{
	svm_test_file_close(to_svm_test_file(file));
}

static int svm_test_debugfs_show(struct seq_file *m, void *unused)
{
	struct svm_test_device *gpu = m->private;
	struct drm_printer p = drm_seq_file_printer(m);
	struct svm_test_vm *vm;

	guard(mutex)(&gpu->vms_lock);

	list_for_each_entry(vm, &gpu->vms, link) {
		if (!svm_test_vm_try_enter(vm))
			continue;
		drm_printf(&p, "vm %llu\n", vm->asid.id);
		if (svm_test_on_gpusvm(gpu))
			svm_test_gpusvm_print(vm, &p);
		else
			drm_svm_print(&vm->ctx, &p);
		svm_test_vm_leave(vm);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(svm_test_debugfs);

static int svm_test_debugfs_evict(void *data, u64 value)
{
	return svm_test_ttm_evict_all(data);
}
DEFINE_DEBUGFS_ATTRIBUTE(svm_test_debugfs_evict_fops, NULL,
			 svm_test_debugfs_evict, "%llu\n");

static int svm_test_debugfs_suspend(void *data, u64 value)
{
	if (value > 1)
		return -EINVAL;
	return value ? svm_test_pm_suspend(data) : svm_test_pm_resume(data);
}
DEFINE_DEBUGFS_ATTRIBUTE(svm_test_debugfs_suspend_fops, NULL,
			 svm_test_debugfs_suspend, "%llu\n");

/*
 * Removes the file it is written to. So this is not counted as a use of the file,
 * for which the removal would wait; the open file keeps the module, and the device.
 */
static ssize_t svm_test_debugfs_unplug(struct file *file,
				       const char __user *buf, size_t len,
				       loff_t *pos)
{
	unsigned int how;
	int err;

	err = kstrtouint_from_user(buf, len, 0, &how);
	if (err)
		return err;
	if (how != UNPLUG_ORDERLY && how != UNPLUG_SURPRISE)
		return -EINVAL;
	err = svm_test_device_unplug(file->private_data, how == UNPLUG_SURPRISE);
	return err ?: len;
}

static const struct file_operations svm_test_debugfs_unplug_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = svm_test_debugfs_unplug,
	.llseek = noop_llseek,
};

/* Root only: they show the addresses of all files, or take their memory away. */
static void svm_test_debugfs_init(struct drm_minor *minor)
{
	struct svm_test_device *gpu = to_svm_test_device(minor->dev);
	struct dentry *root = minor->debugfs_root;

	debugfs_create_file("svm", 0400, root, gpu, &svm_test_debugfs_fops);
	debugfs_create_file_unsafe("evict_vram", 0200, root, gpu,
				   &svm_test_debugfs_evict_fops);
	debugfs_create_file_unsafe("suspend", 0200, root, gpu,
				   &svm_test_debugfs_suspend_fops);
	debugfs_create_file_unsafe("unplug", 0200, root, gpu,
				   &svm_test_debugfs_unplug_fops);
	svm_test_inject_debugfs_init(gpu, root);
}

/* The owner keeps the module, and so the devices, while a file is open. */
static const struct file_operations svm_test_fops = {
	.owner = THIS_MODULE,
	DRM_GEM_FOPS,
	.show_fdinfo = drm_show_fdinfo,
};

static const struct drm_driver svm_test_driver = {
	.driver_features = DRIVER_RENDER | DRIVER_GEM | DRIVER_SYNCOBJ |
			   DRIVER_SYNCOBJ_TIMELINE,
	.open = svm_test_open,
	.postclose = svm_test_postclose,
	.debugfs_init = svm_test_debugfs_init,
	.show_fdinfo = svm_test_show_fdinfo,
	.ioctls = svm_test_ioctls,
	.num_ioctls = ARRAY_SIZE(svm_test_ioctls),
	.fops = &svm_test_fops,
	.name = "drm_svm_test_dev",
	.desc = "virtual GPU with shared virtual memory",
	.major = 1,
	.minor = 0,
};

/* Destroy the devices from number @first on, which nobody has open. */
static void svm_test_destroy_devices(unsigned int first)
{
	unsigned int i;

	for (i = SVM_TEST_MAX_DEVICES; i-- > first;) {
		if (devices[i])
			svm_test_device_destroy(devices[i]);
		devices[i] = NULL;
	}
	/* Page tables are freed by RCU callbacks of this module. */
	rcu_barrier();
}

static int __init svm_test_choose_backend(void)
{
	if (!strcmp(backend, "drm_svm"))
		return 0;
	if (IS_ENABLED(CONFIG_DRM_GPUSVM) && !strcmp(backend, "drm_gpusvm")) {
		config.gpusvm = true;
		svm_test_gpusvm_take_ioctls(svm_test_ioctls);
		return 0;
	}
	pr_err("backend=%s: no such manager of memory, or not in this kernel\n", backend);
	return -EINVAL;
}

static int __init svm_test_create_devices(void)
{
	struct svm_test_device *gpu;
	unsigned int i;

	for (i = 0; i < config.num_devices; i++) {
		gpu = svm_test_device_create(&svm_test_driver, &config, i);
		if (IS_ERR(gpu)) {
			svm_test_destroy_devices(0);
			return PTR_ERR(gpu);
		}
		devices[i] = gpu;
	}
	return 0;
}

/*
 * From the first registration on programs can have a device open, and their
 * files need it and this module, which goes when its initialization fails. So
 * make all devices before, and go on with those that could be registered.
 */
static int __init svm_test_init(void)
{
	unsigned int i;
	int err;

	err = svm_test_choose_backend();
	if (!err)
		err = svm_test_config_validate(&config);
	if (!err)
		err = svm_test_create_devices();
	if (err)
		return err;

	for (i = 0; i < config.num_devices; i++) {
		err = svm_test_device_register(devices[i]);
		if (err)
			break;
	}
	if (err)
		svm_test_destroy_devices(i);
	return i ? 0 : err;
}

static void __exit svm_test_exit(void)
{
	svm_test_destroy_devices(0);
}

module_init(svm_test_init);
module_exit(svm_test_exit);

MODULE_DESCRIPTION("Virtual GPU with shared virtual memory");
MODULE_LICENSE("Dual MIT/GPL");
