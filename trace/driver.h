/* SPDX-License-Identifier: MIT */
#ifndef TRACE_DRIVER_H
#define TRACE_DRIVER_H

/* What svm-trace has to know of a driver that adopts the ioctls of drm_svm */
struct trace_driver {
	const char *name;	/* as DRM_IOCTL_VERSION says it */
	unsigned long attach;	/* request with struct drm_svm_attach */
	unsigned long events;	/* request with struct drm_svm_events */
	unsigned long vram_info;	/* request with struct drm_svm_vram_info */
};

extern const struct trace_driver trace_drivers[];
extern const unsigned int trace_num_drivers;

#endif
