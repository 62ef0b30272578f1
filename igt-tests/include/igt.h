/* SPDX-License-Identifier: MIT */
#ifndef SVM_IGT_H
#define SVM_IGT_H

/*
 * The part of libigt that the tests of this folder use.
 *
 * Distributions ship libigt.so.0, but not the headers that declare it. This
 * file declares what we need with the binary interface of IGT 2.0 and under
 * IGT's own names, so that the test sources build unchanged here, where
 * include/ is on the include path, and inside of an IGT tree, where IGT's igt.h
 * comes first. igt_main(), igt_fixture() and igt_subtest_group() are missing here:
 * lib/svm_compat.h defines them, because IGT up to 2.2 lacks them in this form too.
 *
 * An IGT tree that gets this folder also needs the headers of uapi/drm/, and svm_client.c
 * and svm_client.h of client/: meson.build names nothing else from outside of the folder.
 *
 * IGT's flow control rests on sigsetjmp(): local variables that are changed in
 * a subtest and read after a failed assertion would have to be volatile. The
 * tests keep their bodies in functions for that reason.
 */

#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#ifndef IGT_LOG_DOMAIN
#define IGT_LOG_DOMAIN NULL
#endif

#ifndef __noreturn
#define __noreturn __attribute__((noreturn))
#endif
#ifndef __maybe_unused
#define __maybe_unused __attribute__((unused))
#endif
#define IGT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

#ifndef READ_ONCE
#define READ_ONCE(x)		(*(volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, v)	(*(volatile typeof(x) *)&(x) = (v))
#endif

#define IGT_EXIT_SUCCESS	0
#define IGT_EXIT_SKIP		77
#define IGT_EXIT_INVALID	79
#define IGT_EXIT_FAILURE	98
#define IGT_EXIT_ABORT		112

#define NSEC_PER_SEC		1000000000u
#define NSEC_PER_MSEC		1000000u
#define USEC_PER_SEC		1000000u

#define igt_tokencat_(a, b)	a##b
#define igt_tokencat(a, b)	igt_tokencat_(a, b)
#define igt_unique(name)	igt_tokencat(name, __LINE__)

/* Start, options, end */

typedef int (*igt_opt_handler_t)(int opt, int opt_index, void *data);
#define IGT_OPT_HANDLER_SUCCESS	0
#define IGT_OPT_HANDLER_ERROR	-2

extern const char *__igt_test_description __attribute__((weak));
#define IGT_TEST_DESCRIPTION(text) const char *__igt_test_description = text

int igt_subtest_init_parse_opts(int *argc, char **argv, const char *short_opts,
				const struct option *long_opts, const char *help,
				igt_opt_handler_t handler, void *data);
__noreturn void igt_exit(void);

/* Fixtures, groups, subtests. Each is a loop that runs its block at most once. */

extern jmp_buf igt_subtest_jmpbuf;

bool __igt_fixture(void);
void __igt_fixture_complete(void);
bool __igt_run_subtest(const char *name, const char *file, const int line);
void __igt_subtest_group_save(int *save, int *desc);
void __igt_subtest_group_restore(int save, int desc);
IGT_PRINTF(1, 2) void igt_describe_f(const char *fmt, ...);
const char *igt_subtest_name(void);
const char *igt_test_name(void);
bool igt_only_list_subtests(void);
void igt_success(void);

#define igt_subtest(name) \
	for (; __igt_run_subtest(name, __FILE__, __LINE__) && \
	       sigsetjmp(igt_subtest_jmpbuf, 1) == 0; igt_success())

#define igt_subtest_f(fmt...) \
	for (char igt_unique(svm_name_)[256]; \
	     snprintf(igt_unique(svm_name_), sizeof(igt_unique(svm_name_)), fmt) > 0 && \
	     __igt_run_subtest(igt_unique(svm_name_), __FILE__, __LINE__) && \
	     sigsetjmp(igt_subtest_jmpbuf, 1) == 0; igt_success())

#define igt_describe(text)	igt_describe_f("%s", text)

/* Assertions. The code is in the library; a failure leaves the subtest. */

__noreturn IGT_PRINTF(6, 7)
void __igt_fail_assert(const char *domain, const char *file, const int line,
		       const char *func, const char *assertion,
		       const char *fmt, ...);
__noreturn IGT_PRINTF(6, 7)
void __igt_abort(const char *domain, const char *file, const int line,
		 const char *func, const char *expression, const char *fmt, ...);
__noreturn void igt_fail(int exitcode);

#define igt_fail_here(what, fmt...) \
	__igt_fail_assert(IGT_LOG_DOMAIN, __FILE__, __LINE__, __func__, what, fmt)

#define igt_assert_f(expr, fmt...) \
	do { \
		if (!(expr)) \
			igt_fail_here(#expr, fmt); \
	} while (0)
#define igt_assert(expr)		igt_assert_f(expr, NULL)
#define igt_fail_on(expr)		igt_assert(!(expr))
#define igt_fail_on_f(expr, fmt...)	igt_assert_f(!(expr), fmt)

#define igt_abort_on_f(expr, fmt...) \
	do { \
		if (expr) \
			__igt_abort(IGT_LOG_DOMAIN, __FILE__, __LINE__, __func__, \
				    #expr, fmt); \
	} while (0)

/* Both sides are converted to @type first, as IGT's own macros do */
#define igt_compare(type, ptype, pfmt, a, op, b) \
	do { \
		type svm_a_ = (a), svm_b_ = (b); \
		if (!(svm_a_ op svm_b_)) \
			igt_fail_here(#a " " #op " " #b, \
				      "error: not " pfmt " " #op " " pfmt "\n", \
				      (ptype)svm_a_, (ptype)svm_b_); \
	} while (0)
#define igt_compare_s32(a, op, b) igt_compare(int, int, "%d", a, op, b)
#define igt_compare_u32(a, op, b) igt_compare(uint32_t, unsigned int, "%#x", a, op, b)
#define igt_compare_s64(a, op, b) igt_compare(int64_t, long long, "%lld", a, op, b)
#define igt_compare_u64(a, op, b) igt_compare(uint64_t, unsigned long long, "%#llx", a, op, b)

#define igt_assert_eq(a, b)		igt_compare_s32(a, ==, b)
#define igt_assert_neq(a, b)		igt_compare_s32(a, !=, b)
#define igt_assert_lt(a, b)		igt_compare_s32(a, <, b)
#define igt_assert_lte(a, b)		igt_compare_s32(a, <=, b)
#define igt_assert_eq_u32(a, b)		igt_compare_u32(a, ==, b)
#define igt_assert_neq_u32(a, b)	igt_compare_u32(a, !=, b)
#define igt_assert_lt_u32(a, b)		igt_compare_u32(a, <, b)
#define igt_assert_lte_u32(a, b)	igt_compare_u32(a, <=, b)
#define igt_assert_eq_s64(a, b)		igt_compare_s64(a, ==, b)
#define igt_assert_lt_s64(a, b)		igt_compare_s64(a, <, b)
#define igt_assert_lte_s64(a, b)	igt_compare_s64(a, <=, b)
#define igt_assert_eq_u64(a, b)		igt_compare_u64(a, ==, b)
#define igt_assert_neq_u64(a, b)	igt_compare_u64(a, !=, b)
#define igt_assert_lt_u64(a, b)		igt_compare_u64(a, <, b)
#define igt_assert_lte_u64(a, b)	igt_compare_u64(a, <=, b)
#define igt_assert_fd(fd) \
	igt_assert_f((fd) >= 0, "file descriptor " #fd " failed\n")

/* Requirements: a subtest that cannot be tried here is skipped. */

__noreturn IGT_PRINTF(1, 2) void igt_skip(const char *fmt, ...);
__noreturn IGT_PRINTF(5, 6)
void __igt_skip_check(const char *file, const int line, const char *func,
		      const char *check, const char *fmt, ...);

#define igt_require_f(expr, fmt...) \
	do { \
		if (!(expr)) \
			__igt_skip_check(__FILE__, __LINE__, __func__, #expr, fmt); \
	} while (0)
#define igt_require(expr)		igt_require_f(expr, NULL)
#define igt_skip_on_f(expr, fmt...)	igt_require_f(!(expr), fmt)
#define igt_skip_on(expr)		igt_skip_on_f(expr, NULL)
#define igt_require_fd(fd)		igt_require((fd) >= 0)

/* Children */

struct igt_helper_process {
	bool running;
	bool use_SIGKILL;
	pid_t pid;
	int id;
};

bool __igt_fork(void);
bool __igt_fork_helper(struct igt_helper_process *proc);
int __igt_waitchildren(void);
void igt_waitchildren(void);
void igt_waitchildren_timeout(int seconds, const char *reason);
void igt_kill_children(int signal);
int igt_wait_helper(struct igt_helper_process *proc);
void igt_stop_helper(struct igt_helper_process *proc);

/* A child that fails an assertion fails the subtest in igt_waitchildren() */
#define igt_fork(child, num) \
	for (int child = 0; child < (num); child++) \
		for (; __igt_fork(); exit(0))
#define igt_fork_helper(proc) \
	for (; __igt_fork_helper(proc); exit(0))

/* Messages and time */

enum igt_log_level {
	IGT_LOG_DEBUG,
	IGT_LOG_INFO,
	IGT_LOG_WARN,
	IGT_LOG_CRITICAL,
	IGT_LOG_NONE,
};

IGT_PRINTF(3, 4)
void igt_log(const char *domain, enum igt_log_level level, const char *fmt, ...);
IGT_PRINTF(1, 2) void igt_kmsg(const char *fmt, ...);

#define igt_debug(fmt...)	igt_log(IGT_LOG_DOMAIN, IGT_LOG_DEBUG, fmt)
#define igt_info(fmt...)	igt_log(IGT_LOG_DOMAIN, IGT_LOG_INFO, fmt)
#define igt_warn(fmt...)	igt_log(IGT_LOG_DOMAIN, IGT_LOG_WARN, fmt)
#define igt_critical(fmt...)	igt_log(IGT_LOG_DOMAIN, IGT_LOG_CRITICAL, fmt)

#define igt_warn_on(expr) \
	({ \
		typeof(expr) svm_val_ = (expr); \
		if (svm_val_) \
			igt_warn("%s:%d: %s\n", __FILE__, __LINE__, #expr); \
		svm_val_; \
	})

#define KMSG_ERR		"<3>[IGT] "
#define KMSG_WARNING		"<4>[IGT] "
#define KMSG_INFO		"<6>[IGT] "

typedef void (*igt_exit_handler_t)(int sig);
void igt_install_exit_handler(igt_exit_handler_t fn);

void igt_set_timeout(unsigned int seconds, const char *what);
void igt_reset_timeout(void);
int igt_gettime(struct timespec *ts);
uint64_t igt_nsec_elapsed(struct timespec *start);

#endif
