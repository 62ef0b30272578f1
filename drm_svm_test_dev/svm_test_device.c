// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * One virtual GPU: its parts, made in order and undone in reverse.
 *
 * The device sits on the faux bus, which gives it a struct device for the DMA
 * layer and nothing else. Its DMA is done by the CPU: an engine finds the page
 * of a DMA address by the page frame number. That is right only where a DMA
 * address is a physical address, so a device behind an IOMMU, and a machine
 * with encrypted memory, are refused.
 */

#include <linux/cc_platform.h>
#include <linux/device/faux.h>
#include <linux/dma-mapping.h>
#include <linux/iommu.h>

#include <drm/drm_drv.h>
#include <drm/drm_print.h>
#include <drm/drm_svm.h>

#include "svm_test_device.h"
#include "svm_test_engine.h"
#include "svm_test_fault.h"

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

static void device_fini_hardware(struct svm_test_device *sdev)
{
	unsigned int i;

	/* The worker of the fault buffer wakes engines, so it goes first. */
	svm_test_fault_buffer_destroy(sdev->faults);
	for (i = 0; i < sdev->config.engines; i++)
		svm_test_engine_destroy(sdev->engines[i]);
}

static int device_init_hardware(struct svm_test_device *sdev)
{
	unsigned int i;

	sdev->faults = svm_test_fault_buffer_create(sdev);
	if (!sdev->faults)
		return -ENOMEM;

	for (i = 0; i < sdev->config.engines; i++) {
		struct svm_test_engine *engine = svm_test_engine_create(sdev, i);

		if (IS_ERR(engine)) {
			device_fini_hardware(sdev);
			return PTR_ERR(engine);
		}
		sdev->engines[i] = engine;
	}
	return 0;
}

static struct svm_test_device *
device_alloc(struct faux_device *faux, const struct drm_driver *driver,
	     const struct svm_test_config *config, unsigned int index)
{
	struct svm_test_device *sdev;

	sdev = devm_drm_dev_alloc(&faux->dev, driver, struct svm_test_device,
				  drm);
	if (IS_ERR(sdev))
		return sdev;

	sdev->faux = faux;
	sdev->config = *config;
	sdev->index = index;
	mutex_init(&sdev->vms_lock);
	INIT_LIST_HEAD(&sdev->vms);
	return sdev;
}

/* Everything between a device on the bus and one that programs can open */
static struct svm_test_device *
device_probe(struct faux_device *faux, const struct drm_driver *driver,
	     const struct svm_test_config *config, unsigned int index)
{
	struct svm_test_device *sdev;
	int err;

	err = device_init_dma(&faux->dev);
	if (err)
		return ERR_PTR(err);

	sdev = device_alloc(faux, driver, config, index);
	if (IS_ERR(sdev))
		return sdev;

	err = device_init_hardware(sdev);
	if (err)
		return ERR_PTR(err);

	err = drm_svm_device_init(&sdev->svm, &sdev->drm, &faux->dev,
				  BIT_ULL(config->va_bits));
	if (err)
		goto err_hardware;

	err = drm_dev_register(&sdev->drm, 0);
	if (err)
		goto err_svm;
	return sdev;

err_svm:
	drm_svm_device_fini(&sdev->svm);
err_hardware:
	device_fini_hardware(sdev);
	return ERR_PTR(err);
}

/**
 * svm_test_device_create() - make a virtual GPU and register it
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
	struct svm_test_device *sdev;
	struct faux_device *faux;
	char name[32];

	snprintf(name, sizeof(name), "%s.%u", driver->name, index);
	faux = faux_device_create(name, NULL, NULL);
	if (!faux)
		return ERR_PTR(-ENODEV);

	if (!devres_open_group(&faux->dev, NULL, GFP_KERNEL)) {
		faux_device_destroy(faux);
		return ERR_PTR(-ENOMEM);
	}

	sdev = device_probe(faux, driver, config, index);
	if (IS_ERR(sdev)) {
		devres_release_group(&faux->dev, NULL);
		faux_device_destroy(faux);
	}
	return sdev;
}

/**
 * svm_test_device_destroy() - unregister a virtual GPU and free it
 * @sdev: the device, which nobody has open
 */
void svm_test_device_destroy(struct svm_test_device *sdev)
{
	struct faux_device *faux = sdev->faux;

	drm_dev_unplug(&sdev->drm);
	drm_svm_device_fini(&sdev->svm);
	device_fini_hardware(sdev);
	WARN_ON(!list_empty(&sdev->vms));
	devres_release_group(&faux->dev, NULL);
	faux_device_destroy(faux);
}
