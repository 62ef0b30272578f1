// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Faults of the hardware, for tests: files in the directory inject/ of the
 * device's debugfs, for root.
 *
 * fail_copy		so many of the next jobs of the copy engine fail with EIO,
 *			before anything is copied; counts down
 * fail_copy_skip	so many of them succeed before; write it first
 * fail_alloc		so many of the next allocations of VRAM fail with ENOSPC;
 *			an eviction that makes room is followed by another one
 * fail_page		copies from the page at this offset in VRAM fail with EIO;
 *			zero: none
 * bad_page		write the offset in VRAM, in bytes, of a page that breaks
 * offset		write a GPU address of the own process, then read where in
 *			VRAM it leads; ENOENT when it does not lead there
 * resident		bytes of VRAM, of these in use, of these with memory behind
 *
 * Locking. The counts are atomic. What a test asks of a broken device, it asks
 * from one thread.
 */

#include <linux/cleanup.h>
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include <drm/drm_svm.h>
#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_resource.h>

#include "svm_test_device.h"
#include "svm_test_gpusvm.h"
#include "svm_test_inject.h"
#include "svm_test_pt.h"
#include "svm_test_vm.h"
#include "svm_test_vram.h"

static bool count_down(atomic_t *count)
{
	return atomic_dec_if_positive(count) >= 0;
}

/**
 * svm_test_inject_copy() - does a job of the copy engine fail?
 * @inject: what is to go wrong
 *
 * Return: 0 or -EIO.
 */
int svm_test_inject_copy(struct svm_test_inject *inject)
{
	if (atomic_read(&inject->fail_copy) <= 0 ||
	    count_down(&inject->fail_copy_skip))
		return 0;
	return count_down(&inject->fail_copy) ? -EIO : 0;
}

/**
 * svm_test_inject_copy_page() - does the copy of one page fail?
 * @inject: what is to go wrong
 * @offset: where it is in VRAM
 *
 * Return: 0 or -EIO.
 */
int svm_test_inject_copy_page(struct svm_test_inject *inject, u64 offset)
{
	return offset && READ_ONCE(inject->fail_page) == offset ? -EIO : 0;
}

/**
 * svm_test_inject_alloc() - does an allocation of VRAM fail?
 * @inject: what is to go wrong
 *
 * Return: 0 or -ENOSPC.
 */
int svm_test_inject_alloc(struct svm_test_inject *inject)
{
	return count_down(&inject->fail_alloc) ? -ENOSPC : 0;
}

static int inject_bad_page(void *data, u64 offset)
{
	struct svm_test_device *gpu = data;

	if (!svm_test_config_vram_size(&gpu->config))
		return -ENXIO;
	if (svm_test_on_gpusvm(gpu))
		return -EOPNOTSUPP;
	return drm_svm_vram_mark_bad(&gpu->vram, offset);
}
DEFINE_DEBUGFS_ATTRIBUTE(inject_bad_page_fops, NULL, inject_bad_page, "%llu\n");

/* Where @addr leads on the bus, if @vm is of the caller; else zero */
static u64 inject_translate(struct svm_test_vm *vm, u64 addr)
{
	struct svm_test_translation tr;
	u64 bus = 0;

	if (!svm_test_vm_try_enter(vm))
		return 0;
	if (!svm_test_vm_check_attached(vm) &&
	    svm_test_pt_walk(vm->pt, addr, DRM_SVM_ACCESS_READ, &tr))
		bus = tr.addr + (addr & (BIT_ULL(tr.shift) - 1));
	svm_test_vm_leave(vm);
	return bus;
}

static u64 inject_find(struct svm_test_device *gpu, u64 addr)
{
	struct svm_test_vm *vm;
	u64 bus = 0;

	guard(mutex)(&gpu->vms_lock);

	list_for_each_entry(vm, &gpu->vms, link) {
		bus = inject_translate(vm, addr);
		if (bus)
			break;
	}
	return bus;
}

static int inject_offset_set(void *data, u64 addr)
{
	struct svm_test_device *gpu = data;
	u64 bus = inject_find(gpu, addr);

	/* Window 0: the VRAM of the device itself */
	if ((bus & ~SVM_TEST_BUS_OFFSET) != SVM_TEST_BUS_VRAM)
		return -ENOENT;
	gpu->inject.offset = bus & SVM_TEST_BUS_OFFSET;
	return 0;
}

static int inject_offset_get(void *data, u64 *offset)
{
	struct svm_test_device *gpu = data;

	*offset = gpu->inject.offset;
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(inject_offset_fops, inject_offset_get,
			 inject_offset_set, "%llu\n");

static int inject_resident_show(struct seq_file *m, void *unused)
{
	struct svm_test_device *gpu = m->private;
	struct ttm_resource_manager *man = ttm_manager_type(&gpu->bdev,
							    TTM_PL_VRAM);

	seq_printf(m, "size: %llu\n", svm_test_config_vram_size(&gpu->config));
	seq_printf(m, "used: %llu\n", man ? ttm_resource_manager_usage(man) : 0);
	seq_printf(m, "backed: %llu\n", svm_test_memory_backed(gpu->memory));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(inject_resident);

/**
 * svm_test_inject_debugfs_init() - make the files
 * @gpu: the device
 * @root: where; they go with it
 */
void svm_test_inject_debugfs_init(struct svm_test_device *gpu,
				  struct dentry *root)
{
	struct svm_test_inject *inject = &gpu->inject;
	struct dentry *dir = debugfs_create_dir("inject", root);

	debugfs_create_atomic_t("fail_copy", 0600, dir, &inject->fail_copy);
	debugfs_create_atomic_t("fail_copy_skip", 0600, dir,
				&inject->fail_copy_skip);
	debugfs_create_u64("fail_page", 0600, dir, &inject->fail_page);
	debugfs_create_atomic_t("fail_alloc", 0600, dir, &inject->fail_alloc);
	debugfs_create_file_unsafe("bad_page", 0200, dir, gpu,
				   &inject_bad_page_fops);
	debugfs_create_file_unsafe("offset", 0600, dir, gpu,
				   &inject_offset_fops);
	debugfs_create_file("resident", 0400, dir, gpu, &inject_resident_fops);
}
