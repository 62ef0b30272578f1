/* SPDX-License-Identifier: MIT */
#ifndef BENCH_TABLE_H
#define BENCH_TABLE_H

#include "rows.h"

/* Prints the rows, and in how many of them ours is above the peer. */
void table_print(const struct rows *rows);

#endif
