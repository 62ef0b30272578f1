/* SPDX-License-Identifier: MIT */
#ifndef SVM_LIB_H
#define SVM_LIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "svm_client.h"
#include "svm_compat.h"

/*
 * Pairs, as in IGT: __svm_x() returns 0 or a negative errno, svm_x() asserts. An ioctl has no
 * __svm_x(), because the functions of svm_client.h return 0 or a negative errno already.
 */

/*
 * Open render node number @index of drm_svm_test_dev, loading it if need be;
 * -errno when there is none.
 */
int __svm_open(unsigned int index);
int svm_open(void);		/* device 0, not attached */
int svm_open_attached(void);	/* device 0, attached */
int svm_open_vram(void);	/* the same, after loading the module with 16 MiB of VRAM */
int svm_open_index_attached(unsigned int index);

/* Reload the module with parameters such as "num_devices=2 fault_entries=4"; NULL: defaults. */
void svm_module_load(const char *params);
/* As the tests of most files want it: memory stays where it is, for there is no VRAM. */
void svm_module_reset(void);
void svm_module_unload(void);
/* And what it is on top of */
void svm_helper_unload(void);
/* Of any module, tried once: 0 or -errno */
int __svm_delete_module(const char *name);

void svm_attach(int fd);
void svm_query(int fd, const void *addr, size_t size, uint32_t *pages);
uint32_t svm_query_page(int fd, const void *addr);

void svm_counters(int fd, struct client_counts *c);
void svm_info(int fd, struct drm_svm_test_info *info);
struct drm_svm_vram_info svm_vram_info(int fd);

/* Submission */
uint64_t svm_submit(int fd, const struct drm_svm_test_cmd *cmds, uint32_t n);
/* Asserts that it ends in time, not how */
void svm_wait(int fd, uint64_t job, struct drm_svm_test_wait *result);

/* Submit one command, wait, return 0 or -errno of the job; svm_run() asserts success. */
int __svm_run(int fd, const struct drm_svm_test_cmd *cmd);
void svm_run(int fd, const struct drm_svm_test_cmd *cmd);

/* One-command shorthands over svm_run(); the __ forms return the job's -errno. */
int __svm_gpu_read32(int fd, const void *addr, uint32_t *value);
int __svm_gpu_write32(int fd, void *addr, uint32_t value);
uint32_t svm_gpu_read32(int fd, const void *addr);
void svm_gpu_write32(int fd, void *addr, uint32_t value);
void svm_assert_works(int fd);			/* the GPU makes a page and writes to it */
int __svm_gpu_fill(int fd, void *dst, size_t size, uint32_t value);
void svm_gpu_fill(int fd, void *dst, size_t size, uint32_t value);
int __svm_gpu_copy(int fd, void *dst, const void *src, size_t size);
void svm_gpu_copy(int fd, void *dst, const void *src, size_t size);
int __svm_gpu_touch(int fd, const void *addr, size_t size, size_t stride, bool write);
void svm_gpu_touch(int fd, const void *addr, size_t size, size_t stride, bool write);
uint64_t svm_gpu_add(int fd, void *addr, uint64_t value, uint64_t count, bool is64);

/* CPU helpers. */
size_t svm_page_size(void);
size_t svm_range_size(void);	/* 2 MiB: PMD size, from the attach ioctl or /sys */
void *svm_mmap_anon(size_t size);		/* populated by nobody */
void *svm_mmap_aligned(size_t size, size_t align);
bool svm_cpu_all32(const void *addr, size_t size, uint32_t value);
uint64_t svm_rss_kb(void);			/* VmRSS of /proc/self/status */
/* A field of the VMA's entry in /proc/self/smaps */
uint64_t svm_smaps_kb(const void *addr, const char *field);
uint64_t svm_pagemap(const void *addr);		/* /proc/self/pagemap entry */
/* /proc/kpageflags of the page at @addr; 0 when there is none */
uint64_t svm_kpageflags(const void *addr);
void svm_require_patching(void);	/* what follows has the kernel patch its own code */
bool svm_has_lockdep(void);	/* a debug kernel, on which calls take many times as long */
/* Lines of the kernel's log that contain @text, from the time on when it was opened */
int svm_log_open(void);
unsigned int svm_log_count(int log, const char *text);
void svm_swap_on(void);		/* swap device named by $SVM_SWAP_DEV; igt_require */
void svm_swap_off(void);
/* A directory on a real (disk) file system: /mnt/scratch, or $SVM_SCRATCH_DIR */
const char *svm_scratch_dir(void);

#endif
