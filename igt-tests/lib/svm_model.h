/* SPDX-License-Identifier: MIT */
#ifndef SVM_MODEL_H
#define SVM_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What each byte of an area of anonymous memory must be. The model is told what was
 * done to the memory, and never looks at it.
 */

enum svm_model_prot {
	SVM_MODEL_GONE,		/* not mapped */
	SVM_MODEL_NONE,
	SVM_MODEL_READ,
	SVM_MODEL_WRITE,	/* and read */
};

/*
 * After MADV_FREE a page has its content or is zero, and may become zero at any time,
 * until it is written: from then on it is what it was at that moment, which the next
 * look at it tells.
 */
enum svm_model_lazy {
	SVM_MODEL_SURE,
	SVM_MODEL_LAZY,
	SVM_MODEL_SETTLED,
};

struct svm_model {
	char *base;		/* the memory */
	size_t pages;
	char *now;		/* its content */
	char *alt;		/* the other content, of pages that are not sure */
	uint8_t *prot;		/* enum svm_model_prot of each page */
	uint8_t *lazy;		/* enum svm_model_lazy of each page */
};

/* Maps the memory too, at an address that must be free; asserts success. */
void svm_model_init(struct svm_model *m, uintptr_t addr, size_t pages);
void svm_model_fini(struct svm_model *m);

/* What was done to @n pages from page @first on */
void svm_model_protect(struct svm_model *m, size_t first, size_t n, enum svm_model_prot prot);
void svm_model_zero(struct svm_model *m, size_t first, size_t n);	/* has new pages */
void svm_model_free_lazily(struct svm_model *m, size_t first, size_t n); /* none settled */
void svm_model_move(struct svm_model *m, size_t to, size_t from, size_t n);

/* What was written to bytes from @at on */
void svm_model_write(struct svm_model *m, size_t at, const void *data, size_t size);
void svm_model_fill(struct svm_model *m, size_t at, uint32_t word, size_t size);
void svm_model_add32(struct svm_model *m, size_t at, uint32_t value);

/*
 * Is @got, read just now, what the page must be? Notes what has become sure by that. The
 * states of pages follow from what was done alone, not from what was read.
 */
bool svm_model_check(struct svm_model *m, size_t page, const void *got);
/* The first byte that is wrong, for a message */
size_t svm_model_differs(const struct svm_model *m, size_t page, const void *got);

#endif
