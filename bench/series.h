/* SPDX-License-Identifier: MIT */
#ifndef BENCH_SERIES_H
#define BENCH_SERIES_H

#include "bench.h"

#define SERIES_MAX	32

/* The samples of a case; the first one is not among them. */
struct series {
	unsigned int n, seen;
	struct sample samples[SERIES_MAX];
};

void series_add(struct series *series, const struct sample *s);
/* One line of JSON on stdout: medians, and the extremes of the figure. */
void series_print(const struct series *series, enum side side, enum figure figure,
		  const char *name, ...) __attribute__((format(printf, 4, 5)));
/* The same for a case that the side refuses. */
void series_print_errno(enum side side, const char *name, int error);

const char *side_name(enum side side);

#endif
