/* SPDX-License-Identifier: MIT */
#ifndef SVM_BO_H
#define SVM_BO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "svm_client.h"

/* Buffer objects. As in svm_lib.h: __svm_x() returns -errno, svm_x() asserts. */

uint32_t svm_bo_create(int fd, uint64_t size, uint32_t flags);
void svm_bo_close(int fd, uint32_t handle);
void *svm_bo_map(int fd, uint32_t handle, size_t size);

/* A binding of the whole buffer object; the address is the GPU's */
void *svm_bo_bind(int fd, uint32_t handle, uint64_t addr, uint64_t size);
void svm_bo_unbind(int fd, const void *addr, uint64_t size);

uint64_t svm_bo_start(int fd);	/* first GPU address for buffer objects */

/*
 * A buffer object of less than 64 MiB, with GPU addresses of its own and a map
 * for the CPU. The pages before it and behind it are not bound. The map keeps the
 * file open. What is NULL or zero is gone already, and is not freed.
 */
struct svm_buf {
	int fd;
	uint32_t handle;
	size_t size;
	uint64_t *gpu, *cpu;
};

struct svm_buf svm_buf(int fd, size_t size, uint32_t flags);
void svm_buf_unmap(struct svm_buf *buf);	/* the map of the CPU */
void svm_buf_free(struct svm_buf *buf);

/*
 * A job on a buffer object that runs until it is cancelled, or until the time
 * limit of its queue. So it holds up the jobs behind it, which then run.
 */
struct svm_hold {
	struct svm_buf buf;	/* not mapped */
	uint64_t job;
};

/* It runs, in a queue of svm_buffer_queue(). @out is its syncobj, or NULL. */
struct svm_hold svm_hold_start(int fd, uint32_t queue, const struct drm_svm_test_sync *out);
/* Cancels it; asserts that it has not ended before */
void svm_hold_end(struct svm_hold *hold);

uint64_t svm_vram_size(int fd);
/* Everything out of VRAM, of all files; for root. -EBUSY: something is in use, the rest went */
int __svm_evict_vram(int fd);
void svm_evict_vram(int fd);
/* Bytes of a key such as "drm-resident-vram" of the file's fdinfo */
uint64_t svm_fdinfo_bytes(int fd, const char *key);

#endif
