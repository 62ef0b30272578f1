/* SPDX-License-Identifier: MIT */
#ifndef SVM_INJECT_H
#define SVM_INJECT_H

#include <stdbool.h>

/*
 * Allocations that fail, by the kernel's fault injection; for root. Not counted is
 * what the kernel's own checkers allocate, which would turn themselves off.
 */

/* What failed */
enum svm_injected {
	SVM_INJECTED_NOTHING,
	SVM_INJECTED_SLAB,	/* kmalloc() and the like */
	SVM_INJECTED_PAGES,	/* pages of any order */
	SVM_INJECTED_USER,	/* a copy from or to user space */
};

/* Requires a kernel that has all of it; nothing fails yet. Put back at exit. */
void svm_inject_init(void);

/*
 * What is made within @function never fails, from now on until svm_inject_init(). Then
 * what the checkers allocate does count; a few of these do not turn them off.
 */
void svm_inject_except(const char *function);

/*
 * Of what this thread does from now on the @nth allocation or copy fails, once; with
 * zero none does. Only those count that are made within @function of the kernel, or
 * within the modules of the project as they are loaded now; all of them if it is NULL.
 * svm_inject_end() says what failed.
 */
#define SVM_INJECT_MODULES	"[drm_svm]"
void svm_inject_begin(unsigned int nth, const char *function);
enum svm_injected svm_inject_end(void);

/*
 * The same for allocations of one kind within the modules, in whatever thread.
 */
void svm_inject_all_begin(unsigned int nth, enum svm_injected what);
enum svm_injected svm_inject_all_end(void);

/* Until the end of the next injection, huge pages are not to be had for the modules. */
void svm_inject_no_huge(void);

#endif
