/* SPDX-License-Identifier: MIT */
#ifndef BENCH_SIDE_H
#define BENCH_SIDE_H

#include "bench.h"

/* Loads what a side needs; false, with a word on stderr, where that is not there. */
bool side_load(enum side side, enum setup setup);
void side_unload(enum side side);
/* For the clock: at once; with so many workers of drm_svm, drm_gpusvm has its own number. */
bool side_load_workers(enum side side, enum setup setup, unsigned int workers);

#endif
