// SPDX-License-Identifier: MIT
#include <drm/drm_svm_test.h>

#include "driver.h"

/* A driver adds an entry. */
const struct trace_driver trace_drivers[] = {
	{
		"drm_svm_test_dev", DRM_IOCTL_SVM_TEST_ATTACH, DRM_IOCTL_SVM_TEST_EVENTS,
		DRM_IOCTL_SVM_TEST_VRAM_INFO,
	},
};

const unsigned int trace_num_drivers = sizeof(trace_drivers) / sizeof(*trace_drivers);
