/* SPDX-License-Identifier: MIT */
#ifndef SVM_KIND_H
#define SVM_KIND_H

#include <stddef.h>

/*
 * Each kind of memory that a program can have, for the tests that are to go over
 * all of them.
 */

#define SVM_KIND_SIZE		(256 * 1024)	/* of a kind that has no size of its own */

/* Keeps the pages of a test away from what the program uses beside them */
#define SVM_MARGIN		(64 * 1024)
/*
 * The program goes on using the stack on both sides of the memory. If the CPU touches a
 * page in VRAM there, its neighbours move to RAM too, up to a whole range of them.
 */
#define SVM_STACK_MARGIN	(2 * 1024 * 1024)
#define SVM_LOCAL_SIZE		(SVM_KIND_SIZE + 2 * SVM_STACK_MARGIN)

struct svm_mem {
	void *addr;
	size_t size;
	char *local;	/* memory on the stack of the runner, SVM_LOCAL_SIZE bytes */
	void *map;	/* to be unmapped in the end, unless NULL */
	size_t map_size;
};

struct svm_kind {
	const char *name;
	void (*make)(struct svm_mem *mem, const struct svm_kind *kind);
	int flags;	/* of mmap() */
	int (*file)(size_t size);
	size_t size;
};

extern const struct svm_kind svm_kinds[];
extern const size_t svm_num_kinds;

/* Asserts success, and requires what not each kernel has */
struct svm_mem svm_kind_make(const struct svm_kind *kind, void *local);
void svm_kind_free(struct svm_mem *mem);

#endif
