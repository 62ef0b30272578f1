// SPDX-License-Identifier: MIT
#include <err.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "html.h"

/*
 * The map: a row for some ranges that follow each other among those that something happened
 * to, a column for some time. The colour is how much of what a row ever had in VRAM is there
 * at the end of that time. A mark below it tells why pages left meanwhile.
 *
 * A row has so few ranges, and a column so little time, that the number of elements stays
 * below a limit; neighbours that look the same are one element.
 */

#define MOST_ROWS	40
#define MOST_COLUMNS	1024
#define FEWEST_COLUMNS	32
#define MOST_ELEMENTS	4000
#define ROW_HEIGHT	14
#define MARK_HEIGHT	5

/* Levels of a cell: nothing known yet, all in system memory, and quarters in VRAM */
#define LEVELS	6

enum mark {
	MARK_ROOM = 1,
	MARK_CPU = 2,
};

struct cell {
	uint8_t level;
	uint8_t marks;
};

struct row {
	uint64_t now, most;	/* bytes in VRAM */
	unsigned int drawn;	/* columns */
	bool known;		/* there was a record */
};

struct map {
	const struct model *model;
	struct row rows[MOST_ROWS];
	unsigned int num_rows, columns, column;
	struct cell *cells;
};

static const char * const level_styles[LEVELS] = { "none", "sys", "v1", "v2", "v3", "v4" };

static struct cell *cell_at(const struct map *map, unsigned int row, unsigned int column)
{
	return &map->cells[row * map->columns + column];
}

static unsigned int row_of(const struct map *map, size_t range)
{
	return range * map->num_rows / map->model->num_ranges;
}

static uint8_t level_of(const struct row *row)
{
	if (!row->now)
		return 1;
	return 2 + (row->now >= row->most ? 3 : 4 * row->now / row->most);
}

/* Columns up to @column look as the row does now. */
static void draw_until(struct map *map, unsigned int index, unsigned int column, uint8_t level)
{
	struct row *row = &map->rows[index];

	for (; row->drawn < column; row->drawn++)
		cell_at(map, index, row->drawn)->level = level;
}

static void move_part(struct row *row, const struct record *r, uint64_t bytes)
{
	if (way_of(&r->e) == WAY_TO_VRAM)
		row->now += bytes;
	else if (way_of(&r->e) != WAY_FAULTS)
		row->now -= bytes < row->now ? bytes : row->now;
}

static void measure_part(void *data, size_t range, const struct record *r, uint64_t bytes)
{
	struct map *map = data;
	struct row *row = &map->rows[row_of(map, range)];

	move_part(row, r, bytes);
	if (row->now > row->most)
		row->most = row->now;
}

static void draw_part(void *data, size_t range, const struct record *r, uint64_t bytes)
{
	struct map *map = data;
	unsigned int index = row_of(map, range);
	struct row *row = &map->rows[index];
	struct cell *cell = cell_at(map, index, map->column);

	draw_until(map, index, map->column, row->known ? level_of(row) : 0);
	row->known = true;
	move_part(row, r, bytes);
	if (r->e.type == DRM_SVM_EVENT_EVICT && r->e.cause == DRM_SVM_CAUSE_ROOM)
		cell->marks |= MARK_ROOM;
	if (way_of(&r->e) == WAY_HOME && r->e.cause == DRM_SVM_CAUSE_CPU_FAULT)
		cell->marks |= MARK_CPU;
}

/* Go through all records once more, with so many columns. */
static void fill(struct map *map, unsigned int columns)
{
	const struct trace *trace = map->model->trace;

	map->columns = columns;
	memset(map->cells, 0, sizeof(*map->cells) * map->num_rows * columns);
	for (unsigned int i = 0; i < map->num_rows; i++)
		map->rows[i] = (struct row) { .most = map->rows[i].most };
	for (size_t i = 0; i < trace->num_records; i++) {
		map->column = time_slot(trace, trace->records[i].e.time, columns);
		model_split(map->model, &trace->records[i], draw_part, map);
	}
	for (unsigned int i = 0; i < map->num_rows; i++)
		draw_until(map, i, columns, level_of(&map->rows[i]));
}

/* The column past those that look like @first, by level or by marks */
static unsigned int same_until(const struct map *map, unsigned int row, unsigned int first,
			       bool marks)
{
	const struct cell *cell = cell_at(map, row, first);
	unsigned int end = first + 1;

	for (; end < map->columns; end++) {
		const struct cell *other = cell_at(map, row, end);

		if (marks ? other->marks != cell->marks : other->level != cell->level)
			break;
	}
	return end;
}

static unsigned int count_elements(const struct map *map)
{
	unsigned int n = 0;

	for (unsigned int row = 0; row < map->num_rows; row++) {
		for (unsigned int i = 0; i < map->columns; i = same_until(map, row, i, false))
			n++;
		for (unsigned int i = 0; i < map->columns; i = same_until(map, row, i, true))
			n += !!cell_at(map, row, i)->marks;
	}
	return n;
}

/* Writing */

static void write_row_name(FILE *out, const struct map *map, unsigned int row)
{
	size_t n = map->model->num_ranges;
	size_t first = (row * n + map->num_rows - 1) / map->num_rows;
	size_t end = ((row + 1) * n + map->num_rows - 1) / map->num_rows;
	const struct range *range = &map->model->ranges[first];

	fprintf(out, "%#" PRIx64, range->addr);
	if (map->model->trace->num_sources > 1)
		fprintf(out, " of %u", map->model->trace->sources[range->source].pid);
	if (end - first > 1)
		fprintf(out, " and %zu more", end - first - 1);
}

static void begin_rect(FILE *out, const struct map *map, const char *style, unsigned int first,
		       unsigned int end)
{
	fprintf(out, "<rect class=\"%s\" x=\"%.2f\" width=\"%.2f\"", style,
		(double)first * PLOT_WIDTH / map->columns,
		(double)(end - first) * PLOT_WIDTH / map->columns);
}

static void write_tip(FILE *out, const struct map *map, unsigned int row, unsigned int column,
		      const char *what)
{
	fputs(" data-t=\"", out);
	write_row_name(out, map, row);
	fprintf(out, ", %s: %s\"/>\n",
		show_ns(slot_time(map->model->trace, column, map->columns)), what);
}

static void write_levels(FILE *out, const struct map *map, unsigned int row)
{
	static const char * const names[LEVELS] = {
		"nothing known yet", "in system memory", "up to a quarter in VRAM",
		"up to a half in VRAM", "up to three quarters in VRAM", "in VRAM",
	};
	unsigned int end;

	for (unsigned int i = 0; i < map->columns; i = end) {
		uint8_t level = cell_at(map, row, i)->level;

		end = same_until(map, row, i, false);
		begin_rect(out, map, level_styles[level], i, end);
		fprintf(out, " y=\"%u\" height=\"%u\"", row * ROW_HEIGHT, ROW_HEIGHT - 1);
		write_tip(out, map, row, i, names[level]);
	}
}

static void write_marks(FILE *out, const struct map *map, unsigned int row)
{
	static const char * const names[] = {
		"", "evicted to make room", "the CPU touched it",
		"evicted to make room; the CPU touched it",
	};
	unsigned int end;

	for (unsigned int i = 0; i < map->columns; i = end) {
		uint8_t marks = cell_at(map, row, i)->marks;

		end = same_until(map, row, i, true);
		if (!marks)
			continue;
		begin_rect(out, map, marks & MARK_ROOM ? "room" : "cpu", i, end);
		fprintf(out, " y=\"%u\" height=\"%u\"",
			(row + 1) * ROW_HEIGHT - 1 - MARK_HEIGHT, MARK_HEIGHT);
		write_tip(out, map, row, i, names[marks]);
	}
}

static void write_map(FILE *out, const struct map *map)
{
	unsigned int height = map->num_rows * ROW_HEIGHT;

	fprintf(out, "<h2>Address space</h2>\n<div class=\"row\"><div class=\"label names\" style=\"line-height:%upx\">",
		ROW_HEIGHT);
	for (unsigned int row = 0; row < map->num_rows; row++) {
		fputs("<div>", out);
		write_row_name(out, map, row);
		fputs("</div>", out);
	}
	fprintf(out, "</div><svg class=\"t\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %u %u\" data-h=\"%u\" style=\"height:%upx\" preserveAspectRatio=\"none\">\n",
		PLOT_WIDTH, height, height, height);
	for (unsigned int row = 0; row < map->num_rows; row++) {
		write_levels(out, map, row);
		write_marks(out, map, row);
	}
	fputs("</svg></div>\n<div class=\"row\"><div class=\"label\"></div><div class=\"legend\"><span><i class=\"none\"></i>nothing known yet</span><span><i class=\"sys\"></i>system memory</span><span><i class=\"v1\"></i><i class=\"v2\"></i><i class=\"v3\"></i><i class=\"v4\"></i>VRAM, of what was there at most</span><span><i class=\"room\"></i>evicted to make room</span><span><i class=\"cpu\"></i>the CPU touched it</span></div></div>\n",
	      out);
	fputs("<p class=\"sub\">Addresses are those in steps of 2 MiB at which something happened. The map follows records; memory that was unmapped in VRAM has none, and is shown there until its address is used again.</p>\n",
	      out);
}

void map_write(FILE *out, const struct model *model)
{
	struct map map = { .model = model };
	const struct trace *trace = model->trace;
	unsigned int columns = MOST_COLUMNS;

	if (!model->num_ranges)
		return;
	map.num_rows = model->num_ranges < MOST_ROWS ? model->num_ranges : MOST_ROWS;
	map.cells = calloc(map.num_rows * MOST_COLUMNS, sizeof(*map.cells));
	if (!map.cells)
		err(EXIT_FAILURE, "no memory");
	for (size_t i = 0; i < trace->num_records; i++)
		model_split(model, &trace->records[i], measure_part, &map);
	fill(&map, columns);
	while (columns > FEWEST_COLUMNS && count_elements(&map) > MOST_ELEMENTS) {
		columns /= 2;
		fill(&map, columns);
	}
	write_map(out, &map);
	free(map.cells);
}
