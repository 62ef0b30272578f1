// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * One virtual GPU: its parts, made in order and undone in reverse.
 *
 * The device sits on the faux bus, which gives it a struct device for the DMA
 * layer and nothing else. Its DMA is done by the CPU, which finds the page of a
 * DMA address by the page frame number; see svm_test_vram.c. That is right only where a DMA
 * address is a physical address, so a device behind an IOMMU, and a machine
 * with encrypted memory, are refused.
 */

#include <linux/cc_platform.h>
#include <linux/cleanup.h>
#include <linux/device/faux.h>
#include <linux/dma-mapping.h>
#include <linux/iommu.h>

#include <drm/drm_drv.h>
#include <drm/drm_print.h>
#include <drm/drm_svm.h>

#include "svm_test_copy.h"
#include "svm_test_device.h"
#include "svm_test_engine.h"
#include "svm_test_fault.h"
#include "svm_test_file.h"
#include "svm_test_ttm.h"
#include "svm_test_vram.h"

static int device_init_dma(struct device *dev)
{
	int err;

	if (device_iommu_mapped(dev)) {
		dev_err(dev, "the DMA of a virtual GPU must not be translated\n");
		return -EOPNOTSUPP;
	}
	if (cc_platform_has(CC_ATTR_MEM_ENCRYPT)) {
		dev_err(dev, "memory is encrypted\n");
		return -EOPNOTSUPP;
	}

	err = dma_coerce_mask_and_coherent(dev, DMA_BIT_MASK(64));
	if (err)
		dev_err(dev, "no 64 bit DMA: %pe\n", ERR_PTR(err));
	return err;
}

static void device_fini_hardware(struct svm_test_device *gpu)
{
	unsigned int i;

	/* The worker of the fault buffer wakes engines, so it goes first. */
	svm_test_fault_buffer_destroy(gpu->faults);
	for (i = 0; i < svm_test_num_engines(gpu); i++)
		svm_test_engine_destroy(gpu->engines[i]);
	svm_test_copy_destroy(gpu->copy);
	svm_test_memory_destroy(gpu->memory);
}

static int device_init_memory(struct svm_test_device *gpu)
{
	struct svm_test_copy *copy;

	gpu->memory = svm_test_memory_create(gpu->index);
	if (!gpu->memory)
		return -ENOMEM;

	copy = svm_test_copy_create(gpu);
	if (IS_ERR(copy))
		return PTR_ERR(copy);
	gpu->copy = copy;
	return 0;
}

static int device_init_hardware(struct svm_test_device *gpu)
{
	unsigned int i;
	int err;

	err = device_init_memory(gpu);
	if (err)
		goto err_fini;

	err = -ENOMEM;
	gpu->faults = svm_test_fault_buffer_create(gpu);
	if (!gpu->faults)
		goto err_fini;

	for (i = 0; i < svm_test_num_engines(gpu); i++) {
		struct svm_test_engine *engine = svm_test_engine_create(gpu, i);

		if (IS_ERR(engine)) {
			err = PTR_ERR(engine);
			goto err_fini;
		}
		gpu->engines[i] = engine;
	}
	return 0;

err_fini:
	device_fini_hardware(gpu);
	return err;
}

static struct svm_test_device *
device_alloc(struct faux_device *faux, const struct drm_driver *driver,
	     const struct svm_test_config *config, unsigned int index)
{
	struct svm_test_device *gpu;

	gpu = devm_drm_dev_alloc(&faux->dev, driver, struct svm_test_device,
				 drm);
	if (IS_ERR(gpu))
		return gpu;

	gpu->faux = faux;
	gpu->config = *config;
	gpu->index = index;
	mutex_init(&gpu->power_lock);
	mutex_init(&gpu->vms_lock);
	INIT_LIST_HEAD(&gpu->vms);
	return gpu;
}

/* Everything between a device on the bus and one that can be registered */
static struct svm_test_device *
device_probe(struct faux_device *faux, const struct drm_driver *driver,
	     const struct svm_test_config *config, unsigned int index)
{
	struct svm_test_device *gpu;
	int err;

	err = device_init_dma(&faux->dev);
	if (err)
		return ERR_PTR(err);

	gpu = device_alloc(faux, driver, config, index);
	if (IS_ERR(gpu))
		return gpu;

	err = device_init_hardware(gpu);
	if (err)
		return ERR_PTR(err);

	err = drm_svm_device_init(&gpu->sdev, &gpu->drm, &faux->dev,
				  svm_test_config_bind_start(config));
	if (err)
		goto err_hardware;

	err = svm_test_ttm_init(gpu);
	if (err)
		goto err_svm;
	return gpu;

err_svm:
	drm_svm_device_fini(&gpu->sdev);
err_hardware:
	device_fini_hardware(gpu);
	return ERR_PTR(err);
}

/**
 * svm_test_device_create() - make a virtual GPU
 * @driver: the DRM driver
 * @config: what it is made of, validated
 * @index: its number
 *
 * Return: the device, or an ERR_PTR().
 */
struct svm_test_device *
svm_test_device_create(const struct drm_driver *driver,
		       const struct svm_test_config *config, unsigned int index)
{
	struct svm_test_device *gpu;
	struct faux_device *faux;
	char name[32];

	snprintf(name, sizeof(name), "%s.%u", driver->name, index);
	faux = faux_device_create(name, NULL, NULL);
	if (!faux)
		return ERR_PTR(-ENODEV);

	gpu = device_probe(faux, driver, config, index);
	if (IS_ERR(gpu)) {
		faux_device_destroy(faux);
		return gpu;
	}
	svm_test_pm_init(gpu);
	return gpu;
}

/**
 * svm_test_device_register() - let programs open a virtual GPU
 * @gpu: the device
 *
 * Return: 0, or an error after which the device can only be destroyed.
 */
int svm_test_device_register(struct svm_test_device *gpu)
{
	int err;

	err = drm_dev_register(&gpu->drm, 0);
	if (err)
		drm_err(&gpu->drm, "cannot be registered: %pe\n", ERR_PTR(err));
	gpu->registered = !err;
	return err;
}

/* The hardware goes in the middle of whatever it does, and VRAM with it. */
static void device_lose_hardware(struct svm_test_device *gpu)
{
	unsigned int i;

	for (i = 0; i < gpu->config.engines; i++)
		svm_test_engine_pause(gpu->engines[i]);
	svm_test_copy_kill(gpu->copy);
	svm_test_memory_lose(gpu->memory);
}

/**
 * svm_test_device_unplug() - what a driver does when its device is removed
 * @gpu: the device, which programs may have open
 * @surprise: the hardware is gone already, nothing can be copied home
 *
 * Programs see the end of their jobs, ENODEV from then on, and SIGBUS where they
 * mapped a buffer object. Not the end of their files: what these hold on to, and
 * what there is in software only, is left for svm_test_device_destroy().
 *
 * No lock is held over drm_dev_unplug(): it waits for files of debugfs that are
 * being read or written, and these take locks.
 *
 * Return: 0, or -ENODEV the second time.
 */
int svm_test_device_unplug(struct svm_test_device *gpu, bool surprise)
{
	scoped_guard(mutex, &gpu->power_lock) {
		if (gpu->unplugged)
			return -ENODEV;
		/* The device may be suspended, and stays so. */
		gpu->unplugged = true;
		if (surprise)
			device_lose_hardware(gpu);
		/*
		 * Jobs with fences end, with errors, those that are submitted from now on
		 * included: TTM may wait for them, and drm_dev_unplug() for TTM. The engine
		 * may have been paused.
		 */
		svm_test_engine_kill(svm_test_buffer_engine(gpu));
		svm_test_pm_open(gpu);
	}

	/* No ioctl begins, and none that uses buffer objects is under way. */
	if (gpu->registered)
		drm_dev_unplug(&gpu->drm);
	svm_test_file_unplug_all(gpu);
	svm_test_ttm_unplug(gpu);
	return 0;
}

/**
 * svm_test_device_destroy() - unplug a virtual GPU, if it is not, and free it
 * @gpu: the device, which nobody has open
 */
void svm_test_device_destroy(struct svm_test_device *gpu)
{
	struct faux_device *faux = gpu->faux;

	svm_test_pm_fini(gpu);
	svm_test_device_unplug(gpu, false);
	svm_test_ttm_fini(gpu);
	drm_svm_device_fini(&gpu->sdev);
	device_fini_hardware(gpu);
	WARN_ON(!list_empty(&gpu->vms));
	/* The DRM device is a resource of that one, and goes with it. */
	faux_device_destroy(faux);
}
