/* SPDX-License-Identifier: MIT */
#ifndef SVM_COMPAT_H
#define SVM_COMPAT_H

#include <sys/mman.h>

#include "igt.h"

/* What the headers of the C library and of IGT may be too old for. */

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE	0x100000
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP	4
#endif
#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT		1
#endif

#ifndef MADV_COLD
#define MADV_COLD		20
#define MADV_PAGEOUT		21
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED	24
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#define MADV_GUARD_REMOVE	103
#endif

/*
 * The tests are written for IGT 2.3, which made igt_main() look like a function and gave
 * parentheses to igt_fixture() and igt_subtest_group(). Up to 2.2 the plain name
 * igt_fixture expands to a loop, whose first word is "for"; since 2.3 the plain name stays
 * as it is, because a macro with parentheses is not expanded without them.
 */
#define SVM_OLD_IGT_for(loop...)	1

#if !defined(igt_fixture) || igt_tokencat(SVM_OLD_IGT_, igt_fixture)

#undef igt_main_args
#define igt_main_args(short_opts, long_opts, help, handler, data) \
	main(int argc, char **argv); \
	static void igt_unique(svm_main_)(void); \
	int main(int argc, char **argv) \
	{ \
		igt_subtest_init_parse_opts(&argc, argv, short_opts, long_opts, \
					    help, handler, data); \
		igt_unique(svm_main_)(); \
		igt_exit(); \
	} \
	static void igt_unique(svm_main_)(void)

#undef igt_main
#define igt_main() igt_main_args(NULL, NULL, NULL, NULL, NULL)

/* Loops that run their block at most once */

#undef igt_fixture
#define igt_fixture() \
	for (volatile int igt_unique(svm_once_) = 0; \
	     igt_unique(svm_once_) == 0 && __igt_fixture() && \
	     sigsetjmp(igt_subtest_jmpbuf, 1) == 0; \
	     igt_unique(svm_once_)++, __igt_fixture_complete())

#undef igt_subtest_group
#define igt_subtest_group() \
	for (int igt_unique(svm_once_) = 0, igt_unique(svm_save_) = 0, \
		 igt_unique(svm_desc_) = 0; \
	     igt_unique(svm_once_) == 0 && \
	     (__igt_subtest_group_save(&igt_unique(svm_save_), \
				       &igt_unique(svm_desc_)), true); \
	     igt_unique(svm_once_)++, \
	     __igt_subtest_group_restore(igt_unique(svm_save_), \
					 igt_unique(svm_desc_)))

#endif

#endif
