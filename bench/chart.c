// SPDX-License-Identifier: MIT
#include <math.h>
#include <stdio.h>

#include "chart.h"

/* Pixels */
#define MARGIN		24
#define BARS_X		290
#define BARS_WIDTH	620
#define WIDTH		(BARS_X + BARS_WIDTH + 90)
#define ROW_HEIGHT	16
#define BAR_HEIGHT	10
#define GROUP_GAP	12
#define HEAD_HEIGHT	112

/* Of the scale, each side of 1.0; what is off the scale is at its end. */
#define MIN_SPAN	1.5
#define MAX_SPAN	20

struct chart {
	FILE *out;
	const struct rows *rows;
	enum column base;	/* what the bars are a ratio to */
	double span;		/* the scale goes from 1 / span to span */
	unsigned int height;
};

static const char style[] =
	"<style>\n"
	"text { font: 12px system-ui, 'Segoe UI', 'DejaVu Sans', Arial, sans-serif; fill: #24292f }\n"
	".title { font-size: 18px; font-weight: bold }\n"
	".small { font-size: 11px; fill: #57606a }\n"
	".num { text-anchor: end }\n"
	".mid { text-anchor: middle }\n"
	".paper { fill: #ffffff }\n"
	".line { stroke: #d0d7de; fill: none }\n"
	".one { stroke: #24292f; fill: none }\n"
	".less { fill: #3f7fbf }\n"
	".more { fill: #ee8a1d }\n"
	".floor { fill: none; stroke: #57606a; stroke-width: 1.5 }\n"
	"@media (prefers-color-scheme: dark) {\n"
	"text { fill: #e6edf3 }\n"
	".small { fill: #9198a1 }\n"
	".paper { fill: #0d1117 }\n"
	".line { stroke: #30363d }\n"
	".one { stroke: #e6edf3 }\n"
	".less { fill: #4f94d8 }\n"
	".more { fill: #f29a3a }\n"
	".floor { stroke: #9198a1 }\n"
	"}\n"
	"</style>\n";

static double ratio_of(const struct chart *chart, unsigned int i, enum column base)
{
	return row_ratio(&chart->rows->rows[i], COLUMN_OURS, base);
}

static bool is_drawn(const struct chart *chart, unsigned int i)
{
	return ratio_of(chart, i, chart->base) > 0;
}

static double x_of(const struct chart *chart, double ratio)
{
	double at = (log(ratio) / log(chart->span) + 1) / 2;

	return BARS_X + BARS_WIDTH * fmin(fmax(at, 0), 1);
}

static void measure(struct chart *chart)
{
	double ratio;
	unsigned int i;

	chart->span = MIN_SPAN;
	chart->height = HEAD_HEIGHT + MARGIN;
	for (i = 0; i < chart->rows->n; i++) {
		if (rows_new_group(chart->rows, i))
			chart->height += GROUP_GAP;
		if (!is_drawn(chart, i))
			continue;
		ratio = ratio_of(chart, i, chart->base);
		chart->span = fmax(chart->span, fmax(ratio, 1 / ratio) * 1.05);
		chart->height += ROW_HEIGHT;
	}
	chart->span = fmin(chart->span, MAX_SPAN);
}

static void draw_text(const struct chart *chart, double x, unsigned int y, const char *class,
		      const char *words)
{
	fprintf(chart->out, "<text x=\"%.1f\" y=\"%u\" class=\"%s\">%s</text>\n", x, y, class,
		words);
}

static void draw_mark(const struct chart *chart, double ratio)
{
	double x = x_of(chart, ratio);
	char text[16];

	if (ratio > chart->span || ratio < 1 / chart->span)
		return;
	snprintf(text, sizeof(text), "%g", ratio);
	draw_text(chart, x, HEAD_HEIGHT - 8, "small mid", text);
	fprintf(chart->out, "<path class=\"%s\" d=\"M%.1f %uV%u\"/>\n",
		ratio == 1 ? "one" : "line", x, HEAD_HEIGHT, chart->height - MARGIN + 8);
}

static void draw_scale(const struct chart *chart)
{
	static const double marks[] = {
		0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 2, 5, 10, 20, 50, 100, 1,
	};
	unsigned int i;

	for (i = 0; i < sizeof(marks) / sizeof(*marks); i++)
		draw_mark(chart, marks[i]);
}

static void draw_bar(const struct chart *chart, double ratio, unsigned int y)
{
	double one = x_of(chart, 1), end = x_of(chart, ratio);

	fprintf(chart->out, "<rect class=\"%s\" x=\"%.1f\" y=\"%u\" width=\"%.1f\" height=\"%u\"/>\n",
		ratio > 1 ? "more" : "less", fmin(one, end), y - BAR_HEIGHT,
		fmax(fabs(end - one), 1), BAR_HEIGHT);
}

static void draw_floor(const struct chart *chart, double ratio, unsigned int y)
{
	fprintf(chart->out, "<circle class=\"floor\" cx=\"%.1f\" cy=\"%u\" r=\"4\"/>\n",
		x_of(chart, ratio), y - BAR_HEIGHT / 2);
}

static void draw_row(const struct chart *chart, unsigned int i, unsigned int y)
{
	double ratio = ratio_of(chart, i, chart->base);
	double floor = ratio_of(chart, i, COLUMN_FLOOR);
	char text[16];

	draw_text(chart, BARS_X - 10, y, "num", chart->rows->rows[i].name);
	draw_bar(chart, ratio, y);
	if (floor && chart->base != COLUMN_FLOOR)
		draw_floor(chart, floor, y);
	snprintf(text, sizeof(text), ratio < 100 ? "%.3f" : "%.0f", ratio);
	draw_text(chart, WIDTH - MARGIN, y, "small num", text);
}

static void draw_rows(const struct chart *chart)
{
	unsigned int y = HEAD_HEIGHT, i;

	for (i = 0; i < chart->rows->n; i++) {
		if (rows_new_group(chart->rows, i))
			y += GROUP_GAP;
		if (!is_drawn(chart, i))
			continue;
		y += ROW_HEIGHT;
		draw_row(chart, i, y);
	}
}

static void draw_head(const struct chart *chart)
{
	const char * const *sides = chart->rows->sides;
	char text[160];

	fprintf(chart->out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %u %u\"",
		WIDTH, chart->height);
	fprintf(chart->out, " width=\"%u\" height=\"%u\">\n", WIDTH, chart->height);
	snprintf(text, sizeof(text), "%s compared to %s", sides[COLUMN_OURS], sides[chart->base]);
	fprintf(chart->out, "<title>%s</title>\n%s", text, style);
	fprintf(chart->out, "<rect class=\"paper\" width=\"100%%\" height=\"100%%\"/>\n");
	draw_text(chart, MARGIN, 36, "title", text);
	snprintf(text, sizeof(text), "Bars: instructions, or bytes, of %s by those of %s; to the left of 1 is less. Logarithmic scale.",
		 sides[COLUMN_OURS], sides[chart->base]);
	draw_text(chart, MARGIN, 56, "small", text);
	if (chart->base != COLUMN_FLOOR && rows_have(chart->rows, COLUMN_FLOOR))
		draw_text(chart, MARGIN, 74, "small",
			  "Circles: the same to the kernel's own functions, with nothing around; at the border if off the scale.");
}

bool chart_write(const struct rows *rows, const char *path)
{
	struct chart chart = { .out = fopen(path, "w"), .rows = rows };
	bool good;

	if (!chart.out)
		return false;
	chart.base = rows_have(rows, COLUMN_PEER) ? COLUMN_PEER : COLUMN_FLOOR;
	measure(&chart);
	draw_head(&chart);
	draw_scale(&chart);
	draw_rows(&chart);
	fputs("</svg>\n", chart.out);
	good = !ferror(chart.out);
	return !fclose(chart.out) && good;
}
