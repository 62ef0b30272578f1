/* SPDX-License-Identifier: MIT */
#ifndef SVM_IGT_THREAD_H
#define SVM_IGT_THREAD_H

#include <stdbool.h>

/*
 * IGT declares what it has for threads in a header that its igt.h does not include.
 * A failed assertion ends its thread; igt_thread_assert_no_failures(), called after
 * joining, then fails the subtest.
 */
bool igt_thread_is_main(void);
void igt_thread_assert_no_failures(void);
void igt_thread_clear_fail_state(void);
void igt_thread_fail(void);

#endif
