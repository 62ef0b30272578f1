// SPDX-License-Identifier: MIT
#include <err.h>
#include <sys/mman.h>

#include "bo.h"
#include "cpu.h"

void bo_create(struct gpu *gpu, struct bo *bo, uint64_t addr, uint64_t size)
{
	*bo = (struct bo) { .addr = addr, .size = size };
	gpu_must(client_bo_create(gpu->fd, size, DRM_SVM_TEST_BO_VRAM, &bo->handle),
		 "cannot make a buffer in VRAM");
	gpu_must(client_bo_bind(gpu->fd, bo->handle, addr, 0, size), "cannot bind a buffer");
}

void bo_destroy(struct gpu *gpu, struct bo *bo)
{
	gpu_must(client_bo_unbind(gpu->fd, bo->addr, bo->size), "cannot unbind a buffer");
	gpu_must(client_bo_close(gpu->fd, bo->handle), "cannot free a buffer");
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
		.result = client_ptr(result),
	};
	int error = gpu_run(gpu, &cmd, 1, NULL);

	if (error)
		warnx("the GPU cannot read a buffer: %s", gpu_strerror(error));
	sum = *result;
	munmap(result, sizeof(*result));
	return sum;
}
