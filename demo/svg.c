// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdio.h>

#include "cells.h"
#include "svg.h"

#define TITLE		"Where the pages of a buffer are"

/* Pixels. A row: the step, the cells, then a column for each count. */
#define WIDTH		1136
#define MARGIN		24
#define CELLS_X		132
#define CELLS		128
#define CELL_WIDTH	5
#define CELLS_END	(CELLS_X + CELLS * CELL_WIDTH)
#define NUM_COLUMNS	5
#define COLUMN_WIDTH	66
#define ROW_HEIGHT	14
#define STEP_GAP	5
#define HEAD_HEIGHT	88
#define PANEL_TITLE	26	/* above the title of a panel, and so on */
#define PANEL_SCALE	24
#define PANEL_CELLS	8
#define MARKS		8

struct svg {
	FILE *out;
	unsigned int y;		/* of what comes next */
};

/* The names of the colours below: all of a cell, and some of it. */
static const char * const classes[NUM_RESIDENCES][2] = {
	[NOWHERE] = { "none", "none" },
	[IN_SYSTEM] = { "sys some", "sys" },
	[IN_VRAM] = { "vram some", "vram" },
};

static const char style[] =
	"<style>\n"
	"text { font: 12px system-ui, 'Segoe UI', 'DejaVu Sans', Arial, sans-serif; fill: #24292f }\n"
	".title { font-size: 18px; font-weight: bold }\n"
	".panel { font-size: 14px; font-weight: bold }\n"
	".small { font-size: 11px; fill: #57606a }\n"
	".num { text-anchor: end }\n"
	".paper { fill: #ffffff }\n"
	".line { stroke: #8c959f; fill: none }\n"
	".none { fill: #eaeef2 }\n"
	".sys { fill: #3f7fbf }\n"
	".vram { fill: #ee8a1d }\n"
	".some { fill-opacity: .5 }\n"
	"@media (prefers-color-scheme: dark) {\n"
	"text { fill: #e6edf3 }\n"
	".small { fill: #9198a1 }\n"
	".paper { fill: #0d1117 }\n"
	".line { stroke: #656c76 }\n"
	".none { fill: #21262d }\n"
	".sys { fill: #4f94d8 }\n"
	".vram { fill: #f29a3a }\n"
	"}\n"
	"</style>\n";

static void text(struct svg *svg, unsigned int x, const char *class, const char *words)
{
	fprintf(svg->out, "<text x=\"%u\" y=\"%u\" class=\"%s\">%s</text>\n", x, svg->y,
		class, words);
}

static void box(struct svg *svg, const char *class, unsigned int x, unsigned int width)
{
	fprintf(svg->out, "<rect class=\"%s\" x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\"/>\n",
		class, x, svg->y, width, ROW_HEIGHT - 1);
}

static void number(struct svg *svg, unsigned int column, uint64_t value)
{
	if (value)
		fprintf(svg->out, "<text x=\"%u\" y=\"%u\" class=\"small num\">%" PRIu64 "</text>\n",
			CELLS_END + (column + 1) * COLUMN_WIDTH, svg->y + ROW_HEIGHT - 3, value);
}

static const char *cell_class(const struct timeline *timeline, const uint8_t *pages,
			      unsigned int i)
{
	size_t each = timeline->pages / CELLS;
	struct cell cell = cell_of(pages + i * each, each);

	return classes[cell.state][cell.all];
}

/* Neighbours of one colour are one box. */
static void draw_cells(struct svg *svg, const struct timeline *timeline,
		       const uint8_t *pages)
{
	unsigned int first = 0, i;

	for (i = 1; i <= CELLS; i++) {
		const char *class = cell_class(timeline, pages, first);

		if (i < CELLS && cell_class(timeline, pages, i) == class)
			continue;
		box(svg, class, CELLS_X + first * CELL_WIDTH, (i - first) * CELL_WIDTH);
		first = i;
	}
}

static void draw_row(struct svg *svg, const struct timeline *timeline, unsigned int i)
{
	const struct client_counts *before = timeline_before(timeline, i);
	const struct timeline_row *row = &timeline->rows[i];
	const struct client_counts *after = &row->counters;

	if (row->label) {
		svg->y += STEP_GAP;
		fprintf(svg->out, "<text x=\"%u\" y=\"%u\" class=\"num\">%s</text>\n",
			CELLS_X - 10, svg->y + ROW_HEIGHT - 3, row->label);
	}
	draw_cells(svg, timeline, row->pages);
	number(svg, 0, timeline_count(row, 0, timeline->pages, IN_VRAM));
	number(svg, 1, client_counted(before, after, VRAM_PAGES_IN));
	number(svg, 2, client_counted(before, after, VRAM_PAGES_OUT));
	number(svg, 3, client_counted(before, after, VRAM_EVICTED_PAGES));
	number(svg, 4, client_counted(before, after, VRAM_CPU_FAULTS));
	svg->y += ROW_HEIGHT;
}

static void draw_scale(struct svg *svg, const struct timeline *timeline)
{
	static const char * const columns[NUM_COLUMNS] = {
		"in VRAM", "to VRAM", "home", "evicted", "CPU faults"
	};
	size_t kib = timeline->pages * timeline->page_size >> 10, at;
	unsigned int i, x;

	for (i = 0; i <= MARKS; i++) {
		x = CELLS_X + i * CELLS / MARKS * CELL_WIDTH;
		at = kib * i / MARKS;
		fprintf(svg->out, "<path class=\"line\" d=\"M%u.5 %uv5\"/>\n", x, svg->y + 4);
		if (at % 1024 == 0)
			fprintf(svg->out, "<text x=\"%u\" y=\"%u\" class=\"small\" text-anchor=\"middle\">%zu%s</text>\n",
				x, svg->y, at >> 10, i ? "" : " MiB");
	}
	for (i = 0; i < NUM_COLUMNS; i++)
		fprintf(svg->out, "<text x=\"%u\" y=\"%u\" class=\"small num\">%s</text>\n",
			CELLS_END + (i + 1) * COLUMN_WIDTH, svg->y, columns[i]);
}

static void draw_time(struct svg *svg, unsigned int from)
{
	fprintf(svg->out, "<path class=\"line\" d=\"M%u.5 %uV%um-4 -6l4 6l4 -6\"/>\n",
		MARGIN, from, svg->y);
}

static void draw_panel(struct svg *svg, const struct timeline *timeline)
{
	unsigned int top, i;

	svg->y += PANEL_TITLE;
	text(svg, MARGIN, "panel", timeline->title);
	svg->y += PANEL_SCALE;
	text(svg, MARGIN - 4, "small", "time");
	draw_scale(svg, timeline);
	svg->y += PANEL_CELLS;
	top = svg->y + STEP_GAP;
	for (i = 0; i < timeline->num_rows; i++)
		draw_row(svg, timeline, i);
	draw_time(svg, top);
}

static unsigned int panel_height(const struct timeline *timeline)
{
	unsigned int height = PANEL_TITLE + PANEL_SCALE + PANEL_CELLS, i;

	height += timeline->num_rows * ROW_HEIGHT;
	for (i = 0; i < timeline->num_rows; i++)
		height += timeline->rows[i].label ? STEP_GAP : 0;
	return height;
}

static void sample(struct svg *svg, unsigned int x, const char *class, const char *meaning)
{
	svg->y -= ROW_HEIGHT - 3;
	box(svg, class, x, ROW_HEIGHT - 1);
	svg->y += ROW_HEIGHT - 3;
	text(svg, x + ROW_HEIGHT + 4, "", meaning);
}

static void draw_paper(struct svg *svg, unsigned int height)
{
	fprintf(svg->out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %u %u\"",
		WIDTH, height);
	fprintf(svg->out, " width=\"%u\" height=\"%u\">\n<title>%s</title>\n", WIDTH, height,
		TITLE);
	fprintf(svg->out, "%s<rect class=\"paper\" width=\"100%%\" height=\"100%%\"/>\n", style);
}

static void draw_head(struct svg *svg)
{
	svg->y = 36;
	text(svg, MARGIN, "title", TITLE);
	svg->y += 20;
	text(svg, MARGIN, "small", "Addresses go to the right, time goes down; each row is a look at the buffer. Columns: pages in VRAM; since the row before: pages moved there, home, evicted; CPU faults.");
	svg->y += 26;
	sample(svg, MARGIN, "none", "not present");
	sample(svg, 140, "sys", "system memory");
	sample(svg, 280, "vram", "VRAM");
	sample(svg, 360, "sys some", "partly system memory");
	sample(svg, 540, "vram some", "partly VRAM");
	svg->y = HEAD_HEIGHT;
}

bool svg_write(const char *path, const struct timeline *timelines, unsigned int n)
{
	unsigned int height = HEAD_HEIGHT + MARGIN, i;
	struct svg svg = { .out = fopen(path, "w") };
	bool good;

	if (!svg.out)
		return false;
	for (i = 0; i < n; i++)
		height += panel_height(&timelines[i]);
	draw_paper(&svg, height);
	draw_head(&svg);
	for (i = 0; i < n; i++)
		draw_panel(&svg, &timelines[i]);
	fputs("</svg>\n", svg.out);
	good = !ferror(svg.out);
	return !fclose(svg.out) && good;
}
