/* SPDX-License-Identifier: MIT */
#ifndef BENCH_RATE_H
#define BENCH_RATE_H

#include <stdbool.h>

/*
 * Faults a second, by the clock, of drm_svm with more and more workers and of drm_gpusvm,
 * which take turns. Prints a table; false if a side does not work.
 */
bool rate_compare(void);

#endif
