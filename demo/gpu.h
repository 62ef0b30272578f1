/* SPDX-License-Identifier: MIT */
#ifndef DEMO_GPU_H
#define DEMO_GPU_H

#include <stddef.h>
#include <stdint.h>

#include <drm/drm_svm_test.h>

/*
 * The virtual GPU, opened and attached to the memory of this process.
 *
 * This is all that a runtime needs: open, attach once, submit commands whose
 * operands are plain pointers, wait. Nothing is allocated, registered or
 * copied for the GPU.
 *
 * What cannot fail on a working machine ends the program with a message, so
 * callers look only at how their job ended.
 */
struct gpu {
	int fd;
	uint64_t va_start, va_end;	/* addresses that are shared */
	size_t page_size, range_size;
	struct drm_svm_test_info info;
};

/* An address as a command holds it. */
static inline uint64_t gpu_ptr(const void *p)
{
	return (uintptr_t)p;
}

/*
 * Opens the first virtual GPU and attaches; loads its module if need be, with
 * @params.
 */
void gpu_open(struct gpu *gpu, const char *params);
/* The same with another one: those before it are passed over. */
void gpu_open_nth(struct gpu *gpu, unsigned int n, const char *params);
void gpu_close(struct gpu *gpu);

/* Submits; the job runs while the CPU goes on. Zero or -errno of the ioctl. */
int gpu_submit(struct gpu *gpu, const struct drm_svm_test_cmd *cmds, unsigned int n,
	       uint64_t *job);
/* Waits for the end of a job, and says in @result how it ended. */
void gpu_wait(struct gpu *gpu, uint64_t job, struct drm_svm_test_wait *result);
/* Submits and waits. Zero, or the errno with which the job failed. */
int gpu_run(struct gpu *gpu, const struct drm_svm_test_cmd *cmds, unsigned int n,
	    struct drm_svm_test_wait *result);

/* What an errno of a job says of the memory, in words. */
const char *gpu_strerror(int error);

/* What the GPU sees: one word a page, DRM_SVM_PAGE_*. */
void gpu_query(struct gpu *gpu, uint64_t start, size_t size, uint32_t *pages);
/* The same, and where each page is, also when the GPU has not mapped it. */
void gpu_residence(struct gpu *gpu, uint64_t start, size_t size, uint32_t *pages);
/* Moves pages to VRAM or home, as @args says; returns when that is done. */
void gpu_prefetch(struct gpu *gpu, struct drm_svm_prefetch *args);
void gpu_counters(struct gpu *gpu, struct drm_svm_counters *counters);

#endif
