// SPDX-License-Identifier: MIT
#include <sys/ioctl.h>

#include <drm/drm_svm_test.h>

#include "driver.h"

static uint64_t test_vram_size(int fd)
{
	struct drm_svm_test_info info = {};

	return ioctl(fd, DRM_IOCTL_SVM_TEST_INFO, &info) ? 0 : info.out_vram_size;
}

/* A driver adds an entry. */
const struct trace_driver trace_drivers[] = {
	{
		"drm_svm_test_dev", DRM_IOCTL_SVM_TEST_ATTACH, DRM_IOCTL_SVM_TEST_EVENTS,
		test_vram_size,
	},
};

const unsigned int trace_num_drivers = sizeof(trace_drivers) / sizeof(*trace_drivers);
