// SPDX-License-Identifier: MIT
#include <err.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <xf86drm.h>

#include "bo.h"
#include "cpu.h"

static void bind(struct gpu *gpu, const struct bo *bo)
{
	struct drm_svm_test_bo_bind args = {
		.addr = bo->addr,
		.size = bo->size,
		.handle = bo->handle,
	};

	if (drmIoctl(gpu->fd, DRM_IOCTL_SVM_TEST_BO_BIND, &args))
		err(EXIT_FAILURE, "cannot bind a buffer");
}

void bo_create(struct gpu *gpu, struct bo *bo, uint64_t addr, uint64_t size)
{
	struct drm_svm_test_bo_create args = {
		.size = size,
		.flags = DRM_SVM_TEST_BO_VRAM,
	};

	if (drmIoctl(gpu->fd, DRM_IOCTL_SVM_TEST_BO_CREATE, &args))
		err(EXIT_FAILURE, "cannot make a buffer in VRAM");
	*bo = (struct bo) { .handle = args.out_handle, .addr = addr, .size = size };
	bind(gpu, bo);
}

void bo_destroy(struct gpu *gpu, struct bo *bo)
{
	struct drm_svm_test_bo_unbind unbind = { .addr = bo->addr, .size = bo->size };
	struct drm_gem_close close = { .handle = bo->handle };

	if (drmIoctl(gpu->fd, DRM_IOCTL_SVM_TEST_BO_UNBIND, &unbind) ||
	    drmIoctl(gpu->fd, DRM_IOCTL_GEM_CLOSE, &close))
		err(EXIT_FAILURE, "cannot free a buffer");
}

void bo_fill(struct gpu *gpu, const struct bo *bo, uint32_t value)
{
	const struct drm_svm_test_cmd cmd = {
		.op = DRM_SVM_TEST_OP_FILL,
		.dst = bo->addr,
		.size = bo->size,
		.arg0 = value,
	};
	int error = gpu_run(gpu, &cmd, 1, NULL);

	if (error)
		warnx("the GPU cannot fill a buffer: %s", gpu_strerror(error));
}

uint64_t bo_sum(struct gpu *gpu, const struct bo *bo)
{
	/* The result must not be a reason for pages to move. */
	uint64_t *result = cpu_map_shared(sizeof(*result)), sum;
	const struct drm_svm_test_cmd cmd = {
		.op = DRM_SVM_TEST_OP_TOUCH,
		.dst = bo->addr,
		.size = bo->size,
		.arg0 = gpu->page_size,
		.result = gpu_ptr(result),
	};
	int error = gpu_run(gpu, &cmd, 1, NULL);

	if (error)
		warnx("the GPU cannot read a buffer: %s", gpu_strerror(error));
	sum = *result;
	munmap(result, sizeof(*result));
	return sum;
}
