/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _SVM_TEST_PM_H_
#define _SVM_TEST_PM_H_

#include <linux/notifier.h>
#include <linux/rwsem.h>
#include <linux/wait.h>

struct svm_test_device;

/**
 * enum svm_test_pm_by - who has suspended a device
 */
enum svm_test_pm_by {
	/** @SVM_TEST_PM_NOBODY: it runs. */
	SVM_TEST_PM_NOBODY = 0,
	/** @SVM_TEST_PM_TEST: a test. */
	SVM_TEST_PM_TEST,
	/** @SVM_TEST_PM_SYSTEM: the system sleeps, or is about to. */
	SVM_TEST_PM_SYSTEM,
};

/**
 * struct svm_test_pm - the power of a device
 */
struct svm_test_pm {
	/** @notifier: tells that the system is going to sleep, or has slept. */
	struct notifier_block notifier;
	/** @by: who has suspended it; under svm_test_device.power_lock. */
	enum svm_test_pm_by by;
	/**
	 * @gate: held for reading while a job with fences is submitted, for writing to
	 * change @closed.
	 */
	struct rw_semaphore gate;
	/** @closed: no such job is submitted: nobody would end it. */
	bool closed;
	/** @opened: woken when @closed becomes false. */
	wait_queue_head_t opened;
};

void svm_test_pm_init(struct svm_test_device *gpu);
void svm_test_pm_fini(struct svm_test_device *gpu);

int svm_test_pm_suspend(struct svm_test_device *gpu);
int svm_test_pm_resume(struct svm_test_device *gpu);

int svm_test_pm_enter(struct svm_test_device *gpu);
void svm_test_pm_leave(struct svm_test_device *gpu);
void svm_test_pm_open(struct svm_test_device *gpu);

#endif
