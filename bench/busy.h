/* SPDX-License-Identifier: MIT */
#ifndef BENCH_BUSY_H
#define BENCH_BUSY_H

#include "bench.h"

/*
 * So far. Who is on the processor is counted up to when he got it, so these are for
 * somebody else.
 */
struct busy busy_now(enum side side);
struct busy busy_since(enum side side, const struct busy *before);

#endif
