// SPDX-License-Identifier: MIT
#include <err.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rows.h"

/* The value behind "name": in a line, which is all of JSON that svm_bench writes. */
static const char *value_of(const char *line, const char *name)
{
	char key[32];
	const char *at;

	snprintf(key, sizeof(key), "\"%s\":", name);
	at = strstr(line, key);
	return at ? at + strlen(key) : NULL;
}

static bool read_text(const char *line, const char *name, char *text, size_t size)
{
	const char *at = value_of(line, name);
	size_t len;

	if (!at || *at != '"')
		return false;
	len = strcspn(++at, "\"");
	if (len >= size)
		return false;
	memcpy(text, at, len);
	text[len] = 0;
	return true;
}

static bool read_number(const char *line, const char *name, uint64_t *number)
{
	const char *at = value_of(line, name);
	char *end;

	if (!at)
		return false;
	*number = strtoull(at, &end, 10);
	return end != at;
}

static struct row *find_row(struct rows *rows, const char *name)
{
	struct row *row;
	unsigned int i;

	for (i = 0; i < rows->n; i++)
		if (!strcmp(rows->rows[i].name, name))
			return &rows->rows[i];
	rows->rows = realloc(rows->rows, (rows->n + 1) * sizeof(*row));
	if (!rows->rows)
		errx(EXIT_FAILURE, "out of memory");
	row = &rows->rows[rows->n++];
	*row = (struct row) {};
	row->seen = rows->n;
	snprintf(row->name, sizeof(row->name), "%s", name);
	return row;
}

static void read_cell(struct row *row, struct cell *cell, const char *line)
{
	char by[16] = "";
	uint64_t number = 0;

	if (read_number(line, "errno", &number)) {
		cell->error = number;
		return;
	}
	read_text(line, "by", by, sizeof(by));
	row->by_service |= !strcmp(by, "service");
	row->bytes |= !strcmp(by, "bytes");
	read_number(line, "service", &cell->service);
	cell->known = read_number(line, row->bytes ? "bytes" : "insns", &cell->figure);
}

static void read_line(struct rows *rows, const char *line, enum column column)
{
	char name[64], side[32];
	struct row *row;

	if (!read_text(line, "case", name, sizeof(name)) ||
	    !read_text(line, "side", side, sizeof(side)) || strcmp(rows->sides[column], side))
		return;
	row = find_row(rows, name);
	read_cell(row, &row->cells[column], line);
}

static bool read_column(struct rows *rows, const char *path, enum column column)
{
	FILE *file = fopen(path, "r");
	char line[2048];
	bool good;

	if (!file)
		return false;
	while (fgets(line, sizeof(line), file))
		read_line(rows, line, column);
	good = !ferror(file);
	fclose(file);
	return good;
}

static size_t group_length(const struct row *row)
{
	return strcspn(row->name, "-");
}

static unsigned int group_rank(const struct row *row)
{
	static const char * const groups[] = {
		"fault", "two", "batch", "migrate", "invalidate", "evict", "oversub", "life",
		"memory",
	};
	unsigned int i;

	for (i = 0; i < sizeof(groups) / sizeof(*groups); i++)
		if (strlen(groups[i]) == group_length(row) &&
		    !strncmp(groups[i], row->name, group_length(row)))
			break;
	return i;
}

static int compare(const void *a, const void *b)
{
	const struct row *left = a, *right = b;
	unsigned int rank = group_rank(left), other = group_rank(right);

	if (rank != other)
		return rank < other ? -1 : 1;
	return left->seen < right->seen ? -1 : left->seen > right->seen;
}

/* The floor comes first in the file, but it has not all of the cases. */
bool rows_read(struct rows *rows, const char *path)
{
	enum column column;

	for (column = NUM_COLUMNS; column-- > 0;)
		if (!read_column(rows, path, column))
			return false;
	qsort(rows->rows, rows->n, sizeof(*rows->rows), compare);
	return true;
}

void rows_free(struct rows *rows)
{
	free(rows->rows);
	rows->rows = NULL;
	rows->n = 0;
}

static bool all_served(const struct row *row)
{
	enum column column;
	bool all = row->by_service;

	for (column = 0; column < NUM_COLUMNS; column++)
		all &= !row->cells[column].known || row->cells[column].service;
	return all;
}

uint64_t row_figure(const struct row *row, enum column column)
{
	const struct cell *cell = &row->cells[column];

	if (!cell->known)
		return 0;
	return all_served(row) ? cell->service : cell->figure;
}

double row_ratio(const struct row *row, enum column column, enum column base)
{
	uint64_t figure = row_figure(row, column), by = row_figure(row, base);

	return figure && by ? (double)figure / by : 0;
}

bool rows_new_group(const struct rows *rows, unsigned int i)
{
	return !i || group_rank(&rows->rows[i]) != group_rank(&rows->rows[i - 1]);
}

bool rows_have(const struct rows *rows, enum column column)
{
	unsigned int i;

	for (i = 0; i < rows->n; i++)
		if (rows->rows[i].cells[column].known)
			return true;
	return false;
}

double rows_mean(const struct rows *rows, enum column column, enum column base)
{
	double sum = 0, ratio;
	unsigned int n = 0, i;

	for (i = 0; i < rows->n; i++) {
		ratio = row_ratio(&rows->rows[i], column, base);
		sum += ratio ? log(ratio) : 0;
		n += ratio > 0;
	}
	return n ? exp(sum / n) : 0;
}
