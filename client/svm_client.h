/* SPDX-License-Identifier: MIT */
#ifndef SVM_CLIENT_H
#define SVM_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include <drm/drm_svm_test.h>

/*
 * The ioctls of the virtual GPU.
 *
 * This is all that a runtime needs: open, attach once, submit commands whose operands are
 * plain pointers, wait. Nothing is allocated, registered or copied for the GPU.
 *
 * Functions return zero or a negative errno. They print nothing, and never end the program.
 * An ioctl that a signal interrupts is repeated.
 */

#define CLIENT_DRIVER	"drm_svm_test_dev"

/* An address as a command or an ioctl holds it. */
static inline uint64_t client_ptr(const volatile void *p)
{
	return (uintptr_t)p;
}

/* Opens the virtual GPU with number @index: a file, or -ENODEV. */
int client_open(unsigned int index);
int client_info(int fd, struct drm_svm_test_info *info);

/* Shares the memory of this process. @args returns the limits; zero it before. */
int client_attach(int fd, struct drm_svm_attach *args);
/* Returns a word of DRM_SVM_PAGE_* for each page. @flags is DRM_SVM_QUERY_* or zero. */
int client_query(int fd, uint64_t start, size_t size, uint32_t flags, uint32_t *pages);
/* The same with DRM_SVM_QUERY_DETAILS: a word of 64 bits for each page. */
int client_query_details(int fd, uint64_t start, size_t size, uint64_t *pages);
/*
 * The same as runs. @count is the length of @runs, and returns how many there are. @next
 * returns where they end: call again from there, until that is @start + @size.
 */
int client_query_runs(int fd, uint64_t start, uint64_t size, uint32_t flags,
		      struct drm_svm_query_run *runs, uint32_t *count, uint64_t *next);
/* Moves pages to VRAM or to system memory; @args says which, and returns the counts. */
int client_prefetch(int fd, struct drm_svm_prefetch *args);

/* How much VRAM there is, how much of it is free, and how much this file's memory has. */
int client_vram_info(int fd, struct drm_svm_vram_info *info);

/* What the counters of a file say; client_count(&c, FAULTS) is one of them. */
struct client_counts {
	uint64_t v[DRM_SVM_COUNTER_NUM];
};

#define client_count(counts, name)	((counts)->v[DRM_SVM_COUNTER_##name])
#define client_counted(before, after, name) \
	(client_count(after, name) - client_count(before, name))

/* Returns zeroes if that fails. */
int client_counters(int fd, struct client_counts *counts);

/*
 * Opens a file of events, from which read() returns records of struct drm_svm_event. @args says
 * how many it can hold, and returns the file. The program closes it.
 */
int client_events(int fd, struct drm_svm_events *args);

/*
 * Has @fd use the address space with number @join, unless that is zero. @vm returns the number
 * of the one that it uses.
 */
int client_vm(int fd, uint64_t join, uint64_t *vm);

/* Makes a queue, on an engine and with a priority. @args->out_queue returns its number. */
int client_queue_create(int fd, struct drm_svm_test_queue_create *args);
int client_queue_destroy(int fd, uint32_t queue);

/* Submits a job, which runs while the CPU goes on. @args->out_job returns its number. */
int client_submit(int fd, struct drm_svm_test_submit *args);
/* The same, on any engine and without syncobjs. */
int client_submit_cmds(int fd, const struct drm_svm_test_cmd *cmds, uint32_t n, uint64_t *job);
/* Waits for the end of a job. @result returns how it ended; an error of the job is there. */
int client_wait(int fd, uint64_t job, int64_t timeout_ns, struct drm_svm_test_wait *result);
/* Submits and waits. */
int client_run(int fd, const struct drm_svm_test_cmd *cmds, uint32_t n, int64_t timeout_ns,
	       struct drm_svm_test_wait *result);
/*
 * Has a job end, or all that are in a queue now; does not wait. @flags is
 * DRM_SVM_TEST_CANCEL_FORCE or zero.
 */
int client_cancel_job(int fd, uint64_t job, uint32_t flags);
int client_cancel_queue(int fd, uint32_t queue, uint32_t flags);

/*
 * Waits for user fences: for all, or with DRM_SVM_TEST_FENCE_WAIT_ANY for one. @first, unless
 * NULL, returns the index of the first one that is there.
 */
int client_fence_wait(int fd, const struct drm_svm_test_fence *fences, uint32_t n, uint32_t flags,
		      int64_t timeout_ns, uint32_t *first);

/* Buffers, which have a handle and GPU addresses of their own. @flags: DRM_SVM_TEST_BO_* */
int client_bo_create(int fd, uint64_t size, uint32_t flags, uint32_t *handle);
int client_bo_close(int fd, uint32_t handle);
/* Returns the offset for mmap() of @fd. */
int client_bo_offset(int fd, uint32_t handle, uint64_t *offset);
int client_bo_bind(int fd, uint32_t handle, uint64_t addr, uint64_t offset, uint64_t size);
int client_bo_unbind(int fd, uint64_t addr, uint64_t size);

#endif
