/* SPDX-License-Identifier: MIT */
#ifndef BENCH_COUNT_H
#define BENCH_COUNT_H

#include <stdbool.h>
#include <stdint.h>

/* Instructions so far: the time stamp counter of tools/vm --icount counts them. */
uint64_t count_now(void);
/* Whether the counter does that, and nothing else runs; says what it found. */
bool count_gate(void);
/* Lets what others have begun come to its end. */
void count_settle(unsigned int milliseconds);

#endif
