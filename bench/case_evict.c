// SPDX-License-Identifier: MIT
/*
 * VRAM is taken away, and memory of which some is there is copied by fork().
 */

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "mem.h"

static int go_in(struct bench *bench, const struct area *area, struct sample *s)
{
	if (bench->side == SIDE_FLOOR)
		return floor_move(bench, area, false, s);
	return bench_move(bench, area->start, area->size, DRM_SVM_LOCATION_VRAM);
}

/* What goes is what the GPU has used, so it has to lose it first. */
static int evict(struct bench *bench, const struct bench_case *c, struct sample *s)
{
	struct area area = mem_prepare(c);
	int error;

	error = go_in(bench, &area, s);
	if (!error)
		error = bench_touch(bench, area.start, area.size, PAGE, false);
	bench_begin(bench, s);
	if (!error)
		error = bench_evict(bench);
	bench_end(bench, s);
	mem_unmap(&area);
	return error;
}

/* Nothing takes memory away from the floor's device, but it can be told to. */
static int evict_floor(struct bench *bench, const struct bench_case *c, struct sample *s)
{
	struct area area = mem_prepare(c);
	int error;

	error = go_in(bench, &area, s);
	if (!error)
		error = floor_move(bench, &area, true, s);
	mem_unmap(&area);
	return error;
}

/* The child ends at once, and is not waited for while it is timed. */
static int copy_process(struct bench *bench, const struct bench_case *c, struct sample *s)
{
	struct area area = mem_prepare(c);
	int error;
	pid_t child;

	error = go_in(bench, &area, s);
	bench_begin(bench, s);
	child = fork();
	if (!child)
		_exit(0);
	bench_end(bench, s);
	waitpid(child, NULL, 0);
	mem_unmap(&area);
	return child < 0 ? -EAGAIN : error;
}

/* Memory that is in VRAM goes away. */
static int unmap(struct bench *bench, const struct bench_case *c, struct sample *s)
{
	struct area area = mem_prepare(c);
	int error;

	error = go_in(bench, &area, s);
	bench_begin(bench, s);
	mem_unmap(&area);
	bench_end(bench, s);
	return error;
}

static void add_large(void)
{
	struct bench_case c = {
		.setup = SETUP_LARGE,
		.size = GIB,
		.huge = true,
		.touched = true,
		.samples = 4,
		.sample = evict,
	};

	bench_add(&c, "evict-all-1g-thp");
}

static void add_kind(const char *kind, bool huge)
{
	struct bench_case c = { .setup = SETUP_VRAM, .huge = huge, .touched = true };

	c.size = huge ? 256 * MIB : 64 * MIB;
	c.samples = 6;
	c.sample = evict;
	c.floor = evict_floor;
	bench_add(&c, "evict-all-%s-%s", huge ? "256m" : "64m", kind);
	c.size = 64 * MIB;
	c.sample = copy_process;
	c.floor = copy_process;
	bench_add(&c, "evict-fork-64m-%s", kind);
	c.sample = unmap;
	c.floor = unmap;
	bench_add(&c, "evict-munmap-64m-%s", kind);
}

void add_evict_cases(void)
{
	add_kind("4k", false);
	add_kind("thp", true);
	add_large();
}
