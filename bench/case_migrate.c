// SPDX-License-Identifier: MIT
/*
 * Pages go to VRAM and home, because somebody said so or the CPU touches them.
 */

#include <stdio.h>

#include "bench.h"
#include "mem.h"

#define SAMPLES		6
#define FEW_SAMPLES	4	/* of what takes seconds */
#define LARGE		(256 * MIB)

static int go_in(struct bench *bench, struct area *area)
{
	return bench_move(bench, area->start, area->size, DRM_SVM_LOCATION_VRAM);
}

static int go_home(struct bench *bench, struct area *area)
{
	return bench_move(bench, area->start, area->size, DRM_SVM_LOCATION_SYSTEM);
}

static int move_in(struct bench *bench, const struct bench_case *c, struct sample *s)
{
	struct area area = mem_prepare(c);
	int error;

	bench_begin(bench, s);
	error = go_in(bench, &area);
	bench_end(bench, s);
	mem_unmap(&area);
	return error;
}

static int move_home(struct bench *bench, const struct bench_case *c, struct sample *s)
{
	struct area area = mem_prepare(c);
	int error = go_in(bench, &area);

	bench_begin(bench, s);
	if (!error)
		error = go_home(bench, &area);
	bench_end(bench, s);
	mem_unmap(&area);
	return error;
}

/* A page of it, or one after the other */
static int touch_back(struct bench *bench, const struct bench_case *c, struct sample *s)
{
	struct area area = mem_prepare(c), touched = area;
	int error = go_in(bench, &area);

	touched.size = c->count * PAGE;
	s->pages = c->count;
	bench_begin(bench, s);
	mem_write(&touched, PAGE);
	bench_end(bench, s);
	mem_unmap(&area);
	return error;
}

/* The CPU writes a page that the GPU has, then the GPU does. */
static int ping_pong(struct bench *bench, const struct bench_case *c, struct sample *s)
{
	struct area area = mem_prepare(c), page = area;
	int error = bench_touch(bench, area.start, area.size, PAGE, true);

	page.size = PAGE;
	s->pages = 1;
	bench_begin(bench, s);
	mem_write(&page, PAGE);
	if (!error)
		error = bench_touch(bench, page.start, page.size, PAGE, true);
	bench_end(bench, s);
	mem_unmap(&area);
	return error;
}

static int floor_in(struct bench *bench, const struct bench_case *c, struct sample *s)
{
	struct area area = mem_prepare(c);
	int error = floor_move(bench, &area, false, s);

	mem_unmap(&area);
	return error;
}

static int floor_home(struct bench *bench, const struct bench_case *c, struct sample *s)
{
	struct area area = mem_prepare(c);
	int error = floor_move(bench, &area, false, s);

	if (!error)
		error = floor_move(bench, &area, true, s);
	mem_unmap(&area);
	return error;
}

/* How much comes home with the page that the CPU touches */
static void set_window(bool all)
{
	FILE *file = fopen("/sys/module/drm_svm_floor/parameters/fault_window", "w");

	if (!file)
		return;
	fputs(all ? "Y" : "N", file);
	fclose(file);
}

static int floor_back(struct bench *bench, const struct bench_case *c, struct sample *s)
{
	struct area area = mem_prepare(c), touched = area;
	int error = floor_move(bench, &area, false, s);

	touched.size = c->count * PAGE;
	s->pages = c->count;
	set_window(c->count > 1);
	bench_begin(bench, s);
	mem_write(&touched, PAGE);
	bench_end(bench, s);
	mem_unmap(&area);
	return error;
}

static void add_moves(struct bench_case c, const char *size, bool both)
{
	static const char * const kinds[] = { "4k", "thp", "hole", "hole-thp" };
	unsigned int i;

	for (i = 0; i < (both ? 4 : 2); i++) {
		c.huge = i & 1;
		c.touched = i < 2;
		c.sample = move_in;
		c.floor = floor_in;
		bench_add(&c, "migrate-in-%s-%s", size, kinds[i]);
		if (!both || !c.touched)
			continue;
		c.sample = move_home;
		c.floor = floor_home;
		bench_add(&c, "migrate-home-%s-%s", size, kinds[i]);
	}
}

static void add_touches(struct bench_case c)
{
	static const char * const kinds[] = { "4k", "thp" };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		c.huge = i;
		c.touched = true;
		c.sample = touch_back;
		c.floor = floor_back;
		c.count = 1;
		bench_add(&c, "migrate-back-one-%s", kinds[i]);
		c.count = RANGE / PAGE;
		bench_add(&c, "migrate-back-all-%s", kinds[i]);
		c.sample = ping_pong;
		c.floor = NULL;
		bench_add(&c, "migrate-pingpong-%s", kinds[i]);
	}
}

void add_migrate_cases(void)
{
	struct bench_case c = { .setup = SETUP_VRAM, .samples = SAMPLES };

	c.size = RANGE;
	add_moves(c, "2m", true);
	add_touches(c);
	c.size = 64 * MIB;
	add_moves(c, "64m", true);
	c.size = LARGE;
	c.samples = FEW_SAMPLES;
	add_moves(c, "256m", false);
}
