/* SPDX-License-Identifier: MIT */
#ifndef BENCH_CHART_H
#define BENCH_CHART_H

#include "rows.h"

/* Draws the ratios as an SVG; false if the file cannot be written. */
bool chart_write(const struct rows *rows, const char *path);

#endif
