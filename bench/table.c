// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "table.h"

#define NAME_WIDTH	37
#define COLUMN_WIDTH	14
#define RATIO_WIDTH	13

/* Thousands apart: these have up to ten digits */
static void format_number(uint64_t number, char *text, size_t size)
{
	char digits[24];
	size_t len = snprintf(digits, sizeof(digits), "%" PRIu64, number), i, n = 0;

	for (i = 0; i < len && n + 2 < size; i++) {
		if (i && (len - i) % 3 == 0)
			text[n++] = ' ';
		text[n++] = digits[i];
	}
	text[n] = 0;
}

static void print_cell(const struct row *row, enum column column)
{
	const struct cell *cell = &row->cells[column];
	char text[40] = "-";

	if (cell->error)
		snprintf(text, sizeof(text), "errno %d", cell->error);
	else if (cell->known)
		format_number(row_figure(row, column), text, sizeof(text));
	printf(" %*s", COLUMN_WIDTH, text);
}

static void print_ratio(const struct row *row, enum column base)
{
	double ratio = row_ratio(row, COLUMN_OURS, base);

	if (ratio)
		printf(" %*.*f", RATIO_WIDTH, ratio < 100 ? 3 : 1, ratio);
	else
		printf(" %*s", RATIO_WIDTH, "-");
}

static bool is_above(const struct row *row)
{
	return row_ratio(row, COLUMN_OURS, COLUMN_PEER) > 1;
}

static void print_row(const struct rows *rows, const struct row *row)
{
	enum column column;

	printf("%-*s", NAME_WIDTH, row->name);
	for (column = 0; column < NUM_COLUMNS; column++)
		if (rows_have(rows, column))
			print_cell(row, column);
	if (rows_have(rows, COLUMN_PEER))
		print_ratio(row, COLUMN_PEER);
	if (rows_have(rows, COLUMN_FLOOR))
		print_ratio(row, COLUMN_FLOOR);
	puts(is_above(row) ? " <" : "");
}

static void print_to(const struct rows *rows, enum column base)
{
	char text[32];

	if (!rows_have(rows, base))
		return;
	snprintf(text, sizeof(text), "to %s", rows->sides[base]);
	printf(" %*s", RATIO_WIDTH, text);
}

static void print_head(const struct rows *rows)
{
	enum column column;

	printf("%-*s", NAME_WIDTH, "case");
	for (column = 0; column < NUM_COLUMNS; column++)
		if (rows_have(rows, column))
			printf(" %*s", COLUMN_WIDTH, rows->sides[column]);
	print_to(rows, COLUMN_PEER);
	print_to(rows, COLUMN_FLOOR);
	puts("");
}

static void print_sum(const struct rows *rows)
{
	unsigned int above = 0, n = 0, i;

	for (i = 0; i < rows->n; i++) {
		above += is_above(&rows->rows[i]);
		n += row_ratio(&rows->rows[i], COLUMN_OURS, COLUMN_PEER) > 0;
	}
	if (n)
		printf("\n%u of %u cases are above %s (<); geometric mean of the ratios: %.3f\n",
		       above, n, rows->sides[COLUMN_PEER],
		       rows_mean(rows, COLUMN_OURS, COLUMN_PEER));
}

static bool has_added(const struct row *row)
{
	uint64_t floor = row_figure(row, COLUMN_FLOOR);

	return floor && !row->bytes && row_figure(row, COLUMN_OURS);
}

static void print_added_cell(const struct row *row, enum column column)
{
	int64_t added = row_figure(row, column) - row_figure(row, COLUMN_FLOOR);
	char text[40] = "-";

	if (row_figure(row, column)) {
		format_number(added < 0 ? -added : added, text + 1, sizeof(text) - 1);
		text[0] = added < 0 ? '-' : ' ';
	}
	printf(" %*s", COLUMN_WIDTH, text);
}

/* One by the other means something only where both add. */
static void print_added_ratio(const struct row *row)
{
	int64_t floor = row_figure(row, COLUMN_FLOOR);
	int64_t peer = row_figure(row, COLUMN_PEER) - floor;
	int64_t ours = row_figure(row, COLUMN_OURS) - floor;

	if (row_figure(row, COLUMN_PEER) && peer > 0 && ours > 0)
		printf(" %*.3f%s", RATIO_WIDTH, (double)ours / peer, ours > peer ? " <" : "");
}

static void print_added(const struct rows *rows)
{
	unsigned int i;

	if (!rows_have(rows, COLUMN_FLOOR))
		return;
	printf("\nWhat comes on top of the floor:\n\n%-*s", NAME_WIDTH, "case");
	if (rows_have(rows, COLUMN_PEER))
		printf(" %*s", COLUMN_WIDTH, rows->sides[COLUMN_PEER]);
	printf(" %*s", COLUMN_WIDTH, rows->sides[COLUMN_OURS]);
	print_to(rows, COLUMN_PEER);
	puts("");
	for (i = 0; i < rows->n; i++) {
		const struct row *row = &rows->rows[i];

		if (!has_added(row))
			continue;
		printf("%-*s", NAME_WIDTH, row->name);
		if (rows_have(rows, COLUMN_PEER))
			print_added_cell(row, COLUMN_PEER);
		print_added_cell(row, COLUMN_OURS);
		print_added_ratio(row);
		puts("");
	}
}

void table_print(const struct rows *rows)
{
	unsigned int i;

	print_head(rows);
	for (i = 0; i < rows->n; i++) {
		if (rows_new_group(rows, i))
			puts("");
		print_row(rows, &rows->rows[i]);
	}
	print_added(rows);
	print_sum(rows);
}
