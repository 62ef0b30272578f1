// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Suspend: the device is without power for a while, and VRAM forgets.
 *
 * What is in VRAM goes home before. That is done in a notifier of the system's
 * sleep and not in a callback of the device: it needs memory, perhaps that of a
 * swap device, which may be asleep already when the callbacks are called. When
 * something cannot go home the system stays awake.
 *
 * The engines are stopped first. They hold no translation between two units of
 * work, so a job need not be saved: its queue is not served until the device is
 * resumed. Its faults may be answered meanwhile, with memory of the system;
 * nothing gets a place in VRAM.
 *
 * Jobs with fences are another matter: TTM may wait for them, to bring their buffer
 * objects home, and so may anybody else. So none is submitted any more, those that were
 * end before the last engine is stopped.
 *
 * Locking. svm_test_device.power_lock, over all of it. A device that is unplugged
 * is left alone.
 */

#include <linux/cleanup.h>
#include <linux/suspend.h>

#include <drm/drm_print.h>
#include <drm/drm_svm.h>

#include "svm_test_copy.h"
#include "svm_test_device.h"
#include "svm_test_engine.h"
#include "svm_test_gpusvm.h"
#include "svm_test_pm.h"
#include "svm_test_vram.h"

/**
 * svm_test_pm_enter() - submit a job with fences
 * @gpu: the device
 *
 * Until svm_test_pm_leave() it is not suspended. Waits while it is.
 *
 * Return: 0 or -ERESTARTSYS.
 */
int svm_test_pm_enter(struct svm_test_device *gpu)
{
	int err;

	for (;;) {
		err = down_read_interruptible(&gpu->pm.gate);
		if (err)
			return -ERESTARTSYS;
		if (!gpu->pm.closed)
			return 0;
		up_read(&gpu->pm.gate);
		err = wait_event_interruptible(gpu->pm.opened, !READ_ONCE(gpu->pm.closed));
		if (err)
			return err;
	}
}

/**
 * svm_test_pm_leave() - end what svm_test_pm_enter() began
 * @gpu: the device
 */
void svm_test_pm_leave(struct svm_test_device *gpu)
{
	up_read(&gpu->pm.gate);
}

/**
 * svm_test_pm_open() - let jobs with fences in
 * @gpu: the device, resumed or unplugged
 */
void svm_test_pm_open(struct svm_test_device *gpu)
{
	scoped_guard(rwsem_write, &gpu->pm.gate)
		WRITE_ONCE(gpu->pm.closed, false);
	wake_up_all(&gpu->pm.opened);
}

static void pm_resume_engines(struct svm_test_device *gpu)
{
	unsigned int i;

	WRITE_ONCE(gpu->vram_closed, false);
	for (i = 0; i < svm_test_num_engines(gpu); i++)
		svm_test_engine_resume(gpu->engines[i]);
	svm_test_pm_open(gpu);
}

/* Bring home what VRAM holds; nothing comes in meanwhile. */
static int pm_empty_vram(struct svm_test_device *gpu)
{
	int err;

	if (!svm_test_config_vram_size(&gpu->config))
		return 0;

	if (svm_test_on_gpusvm(gpu))
		err = svm_test_gpusvm_evict_all(gpu);
	else
		err = drm_svm_vram_suspend(&gpu->vram);
	if (err)
		return err;
	/* Places are given up before they are copied. */
	svm_test_copy_flush(gpu->copy);
	return 0;
}

static void pm_resume_vram(struct svm_test_device *gpu)
{
	if (svm_test_config_vram_size(&gpu->config) && !svm_test_on_gpusvm(gpu))
		drm_svm_vram_resume(&gpu->vram);
}

static int pm_suspend_locked(struct svm_test_device *gpu,
			     enum svm_test_pm_by by)
{
	unsigned int i;
	int err;

	lockdep_assert_held(&gpu->power_lock);

	scoped_guard(rwsem_write, &gpu->pm.gate)
		WRITE_ONCE(gpu->pm.closed, true);
	for (i = 0; i < gpu->config.engines; i++)
		svm_test_engine_pause(gpu->engines[i]);
	WRITE_ONCE(gpu->vram_closed, true);

	err = pm_empty_vram(gpu);
	if (!err) {
		err = svm_test_engine_wait_idle(svm_test_buffer_engine(gpu));
		if (err)
			pm_resume_vram(gpu);
	}
	if (err) {
		drm_err(&gpu->drm, "VRAM cannot be emptied: %pe\n", ERR_PTR(err));
		pm_resume_engines(gpu);
		return err;
	}
	svm_test_engine_pause(svm_test_buffer_engine(gpu));
	svm_test_memory_lose(gpu->memory);
	gpu->pm.by = by;
	return 0;
}

static void pm_resume_locked(struct svm_test_device *gpu)
{
	lockdep_assert_held(&gpu->power_lock);

	gpu->pm.by = SVM_TEST_PM_NOBODY;
	pm_resume_vram(gpu);
	pm_resume_engines(gpu);
}

/**
 * svm_test_pm_suspend() - suspend a device, for a test
 * @gpu: the device
 *
 * Return: 0; -EBUSY when it is suspended, or when something cannot leave VRAM,
 * which may give other errors as well; -ENODEV.
 */
int svm_test_pm_suspend(struct svm_test_device *gpu)
{
	guard(mutex)(&gpu->power_lock);

	if (gpu->unplugged)
		return -ENODEV;
	if (gpu->pm.by != SVM_TEST_PM_NOBODY)
		return -EBUSY;
	return pm_suspend_locked(gpu, SVM_TEST_PM_TEST);
}

/**
 * svm_test_pm_resume() - undo svm_test_pm_suspend()
 * @gpu: the device
 *
 * Return: 0, -EINVAL when no test has suspended it, or -ENODEV.
 */
int svm_test_pm_resume(struct svm_test_device *gpu)
{
	guard(mutex)(&gpu->power_lock);

	if (gpu->unplugged)
		return -ENODEV;
	if (gpu->pm.by != SVM_TEST_PM_TEST)
		return -EINVAL;
	pm_resume_locked(gpu);
	return 0;
}

/* One that a test has suspended already has nothing to lose. */
static int pm_system_sleeps(struct svm_test_device *gpu)
{
	guard(mutex)(&gpu->power_lock);

	if (gpu->unplugged || gpu->pm.by != SVM_TEST_PM_NOBODY)
		return 0;
	return pm_suspend_locked(gpu, SVM_TEST_PM_SYSTEM);
}

static void pm_system_wakes(struct svm_test_device *gpu)
{
	guard(mutex)(&gpu->power_lock);

	if (!gpu->unplugged && gpu->pm.by == SVM_TEST_PM_SYSTEM)
		pm_resume_locked(gpu);
}

static int pm_notify(struct notifier_block *nb, unsigned long event, void *unused)
{
	struct svm_test_device *gpu = container_of(nb, struct svm_test_device,
						   pm.notifier);

	switch (event) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
		return notifier_from_errno(pm_system_sleeps(gpu));
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
		pm_system_wakes(gpu);
		break;
	}
	return NOTIFY_DONE;
}

/**
 * svm_test_pm_init() - suspend a device when the system sleeps
 * @gpu: the device
 */
void svm_test_pm_init(struct svm_test_device *gpu)
{
	init_rwsem(&gpu->pm.gate);
	init_waitqueue_head(&gpu->pm.opened);
	gpu->pm.notifier.notifier_call = pm_notify;
	/* Fails only for one that is registered */
	register_pm_notifier(&gpu->pm.notifier);
}

/**
 * svm_test_pm_fini() - undo svm_test_pm_init()
 * @gpu: the device, suspended or not
 */
void svm_test_pm_fini(struct svm_test_device *gpu)
{
	unregister_pm_notifier(&gpu->pm.notifier);
}
