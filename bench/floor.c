// SPDX-License-Identifier: MIT
#include <errno.h>
#include <sys/ioctl.h>

#include <drm/drm_svm_floor.h>

#include "bench.h"

int floor_mirror(struct bench *bench, const struct area *area, bool write, struct sample *s)
{
	struct drm_svm_floor_mirror args = {
		.start = client_ptr(area->start),
		.size = area->size,
		.flags = write ? DRM_SVM_FLOOR_WRITE : 0,
	};
	int error;

	if (bench->floor < 0)
		return -ENODEV;
	bench_begin(bench, s);
	error = ioctl(bench->floor, DRM_IOCTL_SVM_FLOOR_MIRROR, &args) ? -errno : 0;
	bench_end(bench, s);
	s->service = args.out_ns;
	return error;
}

int floor_move(struct bench *bench, const struct area *area, bool home, struct sample *s)
{
	struct drm_svm_floor_migrate args = {
		.start = client_ptr(area->start),
		.size = area->size,
	};
	int error;

	if (bench->floor < 0)
		return -ENODEV;
	bench_begin(bench, s);
	error = ioctl(bench->floor, home ? DRM_IOCTL_SVM_FLOOR_MIGRATE_TO_SYSTEM :
					   DRM_IOCTL_SVM_FLOOR_MIGRATE_TO_DEVICE,
		      &args) ? -errno : 0;
	bench_end(bench, s);
	s->service = args.out_ns - s->busy.hardware;
	if (error)
		return error;
	return args.out_pages * PAGE == area->size ? 0 : -EBUSY;
}
