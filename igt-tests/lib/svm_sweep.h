/* SPDX-License-Identifier: MIT */
#ifndef SVM_SWEEP_H
#define SVM_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <drm/drm_svm_test.h>

#include "svm_inject.h"

/*
 * Sweeps: something is done again and again, and of its allocations the first one
 * fails, then the second one, and so on until there are none left to fail.
 */

/* What a path works with, new for each try; a sweep closes and unmaps what is set. */
struct svm_sweep {
	int fd;			/* attached, unless the path is alone */
	int other;
	int file;
	char *base;		/* set by svm_sweep_small() and the like */
	size_t size;
	char *others;		/* one more range */
	uint32_t handle;
	void *gpu;		/* where it is bound */
	uint32_t queue;
	uint64_t job;
	uint32_t seen;		/* what the CPU has read */
	struct drm_svm_test_sync in, out;
	enum svm_injected injected;	/* for check */
};

struct svm_path {
	const char *name;
	const char *describe;
	/* make what is needed; nothing fails yet */
	void (*setup)(struct svm_sweep *s);
	/* do it: 0 or -errno; asserts nothing */
	int (*act)(struct svm_sweep *s);
	/* all is as it should be after act returned @err, and it can be done again */
	void (*check)(struct svm_sweep *s, int err);
	int also;	/* may fail with it, besides ENOMEM, or EFAULT of a copy */
	bool alone;	/* no other file of this process is attached */
	const char *within;	/* as of svm_inject_begin() */
	bool none;	/* asks for no memory there */
	bool slab;	/* no sweep over pages: none are needed, or they fail all the time */
};

/* Memory that is unmapped after the try; the CPU has written svm_pattern() to it */
#define SVM_SWEEP_SEED	0x0a110c00u
void svm_sweep_small(struct svm_sweep *s, unsigned int pages);
void svm_sweep_untouched(struct svm_sweep *s, unsigned int pages);
void svm_sweep_huge(struct svm_sweep *s);
/* The same, all of it in VRAM */
void svm_sweep_small_vram(struct svm_sweep *s, unsigned int pages);
void svm_sweep_huge_vram(struct svm_sweep *s);
/* Small pages in VRAM, of which there is no more then */
void svm_sweep_full(struct svm_sweep *s);
/* Whether the GPU finds the pattern at @addr; it, and then the CPU, find it in the memory. */
bool svm_sweep_gpu_sees(int fd, const void *addr, size_t size);
void svm_sweep_check(struct svm_sweep *s);
/* Acts and checks of more than one sweep: the CPU reads the first word */
int svm_sweep_load(struct svm_sweep *s);
void svm_sweep_load_check(struct svm_sweep *s, int err);

/* A subtest for each path: what this thread allocates fails. */
void svm_sweep_calls(const struct svm_path *paths, size_t n);
/* Two subtests for each path, or one: what all threads allocate in the modules fails. */
void svm_sweep_work(const struct svm_path *paths, size_t n);

#endif
