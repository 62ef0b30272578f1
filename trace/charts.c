// SPDX-License-Identifier: MIT
#include <err.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "html.h"

/* The plots over time: bytes in VRAM, bytes that moved by cause, GPU faults */

#define STEPS	500	/* of the curve */
#define BARS	125
#define VRAM_HEIGHT	100
#define MOVES_HEIGHT	120
#define FAULTS_HEIGHT	40

enum series {
	IN_FAULT,
	IN_PREFETCH,
	OUT_CPU,
	OUT_PREFETCH,
	OUT_ROOM,
	OUT_OTHER,
	NUM_SERIES
};

static const struct {
	const char *style;
	const char *name;
} series[NUM_SERIES] = {
	[IN_FAULT] = { "infault", "to VRAM for GPU faults" },
	[IN_PREFETCH] = { "inpre", "to VRAM by prefetch" },
	[OUT_CPU] = { "cpu", "to system memory for the CPU" },
	[OUT_PREFETCH] = { "outpre", "to system memory by prefetch" },
	[OUT_ROOM] = { "room", "evicted to make room" },
	[OUT_OTHER] = { "outother", "evicted for another reason" },
};

struct charts {
	const struct model *model;
	uint64_t vram[STEPS];		/* the most of each step */
	uint64_t moved[BARS][NUM_SERIES];
	uint64_t faults[BARS];
};

static enum series series_of(const struct drm_svm_event *e)
{
	switch (way_of(e)) {
	case WAY_TO_VRAM:
		return e->cause == DRM_SVM_CAUSE_GPU_FAULT ? IN_FAULT : IN_PREFETCH;
	case WAY_HOME:
		return e->cause == DRM_SVM_CAUSE_CPU_FAULT ? OUT_CPU : OUT_PREFETCH;
	case WAY_EVICTED:
		return e->cause == DRM_SVM_CAUSE_ROOM ? OUT_ROOM : OUT_OTHER;
	default:
		return NUM_SERIES;
	}
}

static void collect_moves(struct charts *c)
{
	const struct trace *trace = c->model->trace;

	for (size_t i = 0; i < trace->num_records; i++) {
		const struct record *r = &trace->records[i];
		unsigned int bar = time_slot(trace, r->e.time, BARS);
		enum series s = series_of(&r->e);

		c->faults[bar] += r->e.type == DRM_SVM_EVENT_FAULT;
		if (s < NUM_SERIES)
			c->moved[bar][s] += trace_bytes(trace, r);
	}
}

/* A step without a record has the value that the one before ended with. */
static void collect_vram(struct charts *c)
{
	const struct trace *trace = c->model->trace;
	unsigned int step, done = 0;
	uint64_t sum = 0;

	for (size_t i = 0; i < trace->num_records; i++) {
		step = time_slot(trace, trace->records[i].e.time, STEPS);
		while (done < step)
			c->vram[++done] = sum;
		sum = c->model->vram[i];
		if (sum > c->vram[step])
			c->vram[step] = sum;
	}
	while (done < STEPS - 1)
		c->vram[++done] = sum;
}

/* Plots */

static void begin_plot(FILE *out, const char *label, unsigned int height)
{
	fprintf(out, "<div class=\"row\"><div class=\"label\">%s</div><svg class=\"t\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %u %u\" data-h=\"%u\" style=\"height:%upx\" preserveAspectRatio=\"none\">\n",
		label, PLOT_WIDTH, height, height, height);
}

static void end_plot(FILE *out)
{
	fputs("</svg></div>\n", out);
}

static double bar_x(unsigned int bar)
{
	return (double)bar * PLOT_WIDTH / BARS;
}

static void draw_bar(FILE *out, const char *style, unsigned int bar, double y, double height)
{
	fprintf(out, "<rect class=\"%s\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"/>\n",
		style, bar_x(bar), y, (double)PLOT_WIDTH / BARS, height);
}

/* What the mouse finds over a bar */
static void begin_hit(FILE *out, const struct charts *c, unsigned int bar, unsigned int height)
{
	fprintf(out, "<rect class=\"hit\" x=\"%.2f\" y=\"0\" width=\"%.2f\" height=\"%u\" data-t=\"%s",
		bar_x(bar), (double)PLOT_WIDTH / BARS, height,
		show_ns(slot_time(c->model->trace, bar, BARS)));
}

static void draw_vram(FILE *out, const struct charts *c)
{
	uint64_t top = c->model->vram_size > c->model->vram_most ? c->model->vram_size :
								   c->model->vram_most;
	char label[80];

	snprintf(label, sizeof(label), "bytes in VRAM (top: %s)", show_bytes(top));
	begin_plot(out, label, VRAM_HEIGHT);
	fprintf(out, "<path class=\"vram\" d=\"M0 %u", VRAM_HEIGHT);
	for (unsigned int i = 0; i < STEPS && top; i++)
		fprintf(out, "V%.2fh%.2f", VRAM_HEIGHT * (1 - (double)c->vram[i] / top),
			(double)PLOT_WIDTH / STEPS);
	fprintf(out, "V%uz\"/>\n", VRAM_HEIGHT);
	for (unsigned int bar = 0; bar < BARS; bar++) {
		uint64_t most = 0;

		for (unsigned int i = bar * STEPS / BARS; i < (bar + 1) * STEPS / BARS; i++)
			most = c->vram[i] > most ? c->vram[i] : most;
		begin_hit(out, c, bar, VRAM_HEIGHT);
		fprintf(out, ": %s in VRAM\"/>\n", show_bytes(most));
	}
	end_plot(out);
}

static uint64_t sum_of(const uint64_t *moved, enum series first, enum series end)
{
	uint64_t sum = 0;

	for (enum series s = first; s < end; s++)
		sum += moved[s];
	return sum;
}

/* Up from the middle what goes to VRAM, down what leaves it */
static void draw_moves_of(FILE *out, const struct charts *c, unsigned int bar, uint64_t top)
{
	double up = MOVES_HEIGHT / 2, down = up, height;

	for (enum series s = 0; s < NUM_SERIES; s++) {
		if (!c->moved[bar][s])
			continue;
		height = (double)c->moved[bar][s] / top * (MOVES_HEIGHT / 2);
		if (s < OUT_CPU)
			up -= height;
		draw_bar(out, series[s].style, bar, s < OUT_CPU ? up : down, height);
		if (s >= OUT_CPU)
			down += height;
	}
	begin_hit(out, c, bar, MOVES_HEIGHT);
	for (enum series s = 0; s < NUM_SERIES; s++)
		if (c->moved[bar][s])
			fprintf(out, "; %s: %s", series[s].name, show_bytes(c->moved[bar][s]));
	fputs("\"/>\n", out);
}

static void draw_moves(FILE *out, const struct charts *c)
{
	uint64_t top = 1, in, away;

	for (unsigned int bar = 0; bar < BARS; bar++) {
		in = sum_of(c->moved[bar], 0, OUT_CPU);
		away = sum_of(c->moved[bar], OUT_CPU, NUM_SERIES);
		top = in > top ? in : top;
		top = away > top ? away : top;
	}
	begin_plot(out, "bytes moved: up to VRAM, down from VRAM", MOVES_HEIGHT);
	for (unsigned int bar = 0; bar < BARS; bar++)
		draw_moves_of(out, c, bar, top);
	end_plot(out);
	fputs("<div class=\"row\"><div class=\"label\"></div><div class=\"legend\">", out);
	for (enum series s = 0; s < NUM_SERIES; s++)
		fprintf(out, "<span><i class=\"%s\"></i>%s</span>", series[s].style,
			series[s].name);
	fputs("</div></div>\n", out);
}

static void draw_faults(FILE *out, const struct charts *c)
{
	uint64_t top = 1;

	for (unsigned int bar = 0; bar < BARS; bar++)
		top = c->faults[bar] > top ? c->faults[bar] : top;
	begin_plot(out, "GPU faults", FAULTS_HEIGHT);
	for (unsigned int bar = 0; bar < BARS; bar++) {
		double height = (double)c->faults[bar] / top * FAULTS_HEIGHT;

		if (!c->faults[bar])
			continue;
		draw_bar(out, "faults", bar, FAULTS_HEIGHT - height, height);
		begin_hit(out, c, bar, FAULTS_HEIGHT);
		fprintf(out, ": %" PRIu64 " faults\"/>\n", c->faults[bar]);
	}
	end_plot(out);
}

void charts_write(FILE *out, const struct model *model)
{
	struct charts *c = calloc(1, sizeof(*c));

	if (!c)
		err(EXIT_FAILURE, "no memory");
	c->model = model;
	collect_moves(c);
	collect_vram(c);
	draw_vram(out, c);
	draw_moves(out, c);
	draw_faults(out, c);
	free(c);
}
