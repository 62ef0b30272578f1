/* SPDX-License-Identifier: MIT */
#ifndef DEMO_GPU_H
#define DEMO_GPU_H

#include <stddef.h>
#include <stdint.h>

#include "svm_client.h"

/*
 * The virtual GPU, opened and attached to the memory of this process.
 *
 * What cannot fail on a working machine ends the program with a message, so
 * callers look only at how their job ended.
 */
struct gpu {
	int fd;
	size_t page_size, range_size;
	struct drm_svm_test_info info;
};

/* Ends the program with a message if @error, a negative errno, is not zero. */
void gpu_must(int error, const char *message);

/* Opens the GPU and attaches; loads its module if need be, with @params. */
void gpu_open(struct gpu *gpu, const char *params);
void gpu_close(struct gpu *gpu);

/* Waits for the end of a job, and says in @result how it ended. */
void gpu_wait(struct gpu *gpu, uint64_t job, struct drm_svm_test_wait *result);
/* Submits and waits. Zero, or the errno with which the job failed. */
int gpu_run(struct gpu *gpu, const struct drm_svm_test_cmd *cmds, unsigned int n,
	    struct drm_svm_test_wait *result);

/* What an errno of a job says of the memory, in words. */
const char *gpu_strerror(int error);

/* What the GPU sees: one word a page, DRM_SVM_PAGE_*. @flags: DRM_SVM_QUERY_* */
void gpu_query(struct gpu *gpu, uint64_t start, size_t size, uint32_t flags, uint32_t *pages);
/* Moves pages to VRAM or home, as @args says; returns when that is done. */
void gpu_prefetch(struct gpu *gpu, struct drm_svm_prefetch *args);
void gpu_counters(struct gpu *gpu, struct client_counts *counters);

#endif
