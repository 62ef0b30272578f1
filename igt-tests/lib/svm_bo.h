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
uint64_t svm_vram_size(int fd);
/* Everything out of VRAM, of all files; for root. -EBUSY: something is in use, the rest went */
int __svm_evict_vram(int fd);
void svm_evict_vram(int fd);
/* Bytes of a key such as "drm-resident-vram" of the file's fdinfo */
uint64_t svm_fdinfo_bytes(int fd, const char *key);

#endif
