/* SPDX-License-Identifier: MIT */
#ifndef SVM_HW_H
#define SVM_HW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What is done to the hardware of a device: its files in debugfs, for root. A port
 * to another driver leaves out the tests that need this.
 */

/* Files are named relative to the device's directory. */
void svm_hw_path(int fd, const char *name, char *path, size_t size);
/* 0 or -errno */
int __svm_hw_write(int fd, const char *name, const char *value);
/* The same for a file that is open; asks for no memory */
int __svm_hw_put(int file, const char *value);
void svm_hw_write(int fd, const char *name, uint64_t value);
int svm_hw_open(int fd, const char *name, int flags);

/* The next @jobs copies fail, after @skip that do not; 0: none any more. */
void svm_hw_fail_copy(int fd, unsigned int skip, unsigned int jobs);
uint64_t svm_hw_resident(int fd, const char *key);	/* "size", "used", "backed" */
/* Where in VRAM the GPU finds @addr; -ENOENT when it is not there */
int64_t svm_hw_offset(int fd, const void *addr);

/*
 * Memory that the GPU has filled with a word: all of it in VRAM, or none, although
 * there is VRAM. In the latter case no VRAM is to be had afterwards.
 */
#define SVM_HW_MAGIC	0x93930000u
char *svm_hw_memory(int fd, size_t size, bool vram);

/* Remove the device, which takes its nodes and its debugfs away. */
enum svm_hw_unplug {
	SVM_HW_ORDERLY = 1,	/* memory can be brought home */
	SVM_HW_SURPRISE = 2,	/* memory is gone */
};

void svm_hw_unplug(int fd, enum svm_hw_unplug how);

/* Whether a thread of the kernel, or any other, is in this function of the kernel */
bool svm_hw_waits_in(const char *function);

/* Read a word; false when that is answered by SIGBUS. */
bool svm_hw_load(const volatile void *addr, uint32_t *value);
/* Whoever touches any page of it gets a signal. */
bool svm_hw_all_lost(const char *base, size_t size);

#endif
