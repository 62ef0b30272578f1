/* SPDX-License-Identifier: MIT */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

#include <stdbool.h>
#include <stdint.h>

/* A figure of one side */
struct cell {
	bool known;
	int error;		/* the side refused: an errno */
	uint64_t figure, service;
};

enum column { COLUMN_FLOOR, COLUMN_PEER, COLUMN_OURS, NUM_COLUMNS };

/* What is known of a case */
struct row {
	char name[64];
	unsigned int seen;	/* its place in the file */
	bool by_service, bytes;
	struct cell cells[NUM_COLUMNS];
};

struct rows {
	struct row *rows;
	unsigned int n;
	const char *sides[NUM_COLUMNS];	/* their names in the file */
};

/* Reads lines of svm_bench; what is not of it, or of another side, is passed over. */
bool rows_read(struct rows *rows, const char *path);
void rows_free(struct rows *rows);

/*
 * The figure that is compared, zero if there is none. Where a case goes by service, but
 * a side does not know of it, all go by what the process sees.
 */
uint64_t row_figure(const struct row *row, enum column column);
/* One figure by another, zero if there is none. */
double row_ratio(const struct row *row, enum column column, enum column base);
/* Whether the row begins another group: names begin with that of the group. */
bool rows_new_group(const struct rows *rows, unsigned int i);
bool rows_have(const struct rows *rows, enum column column);
/* The geometric mean of the ratios that there are, zero if there is none. */
double rows_mean(const struct rows *rows, enum column column, enum column base);

#endif
