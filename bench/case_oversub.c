// SPDX-License-Identifier: MIT
/*
 * More memory than VRAM, piece by piece: in order, again and again, or in no order.
 * What is not to be counted in instructions is how much moves for that.
 */

#include "bench.h"
#include "mem.h"
#include "series.h"

#define VRAM	(32 * MIB)
#define PIECE	RANGE

static uint32_t random_below(uint32_t n)
{
	static uint32_t state = 2463534242u;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % n;
}

/* Once around, or as many pieces anywhere */
static int pass(struct bench *bench, const struct area *area, bool in_order)
{
	unsigned int n = area->size / PIECE, i;
	int error = 0;

	for (i = 0; i < n && !error; i++) {
		unsigned int piece = in_order ? i : random_below(n);

		error = bench_touch(bench, area->start + piece * PIECE, PIECE, PAGE, true);
	}
	return error;
}

static struct sample bytes_of(const struct sample *s)
{
	struct sample bytes = *s;

	bytes.figure = (client_count(&s->counters, VRAM_PAGES_IN) +
			client_count(&s->counters, VRAM_PAGES_OUT)) * PAGE;
	return bytes;
}

/* The first pass fills VRAM, and is thrown away. */
static int oversub(struct bench *bench, const struct bench_case *c)
{
	struct area area = mem_map(c->size, c->huge);
	struct series insns = {}, bytes = {};
	unsigned int i;
	int error = 0;

	/* Else the size of pages is up to who makes them: huge ones, also where it says not */
	mem_write(&area, PAGE);
	for (i = 0; i < c->samples && !error; i++) {
		struct sample s = { .pages = c->size / PAGE }, moved;

		bench_begin(bench, &s);
		error = pass(bench, &area, c->op);
		bench_end(bench, &s);
		moved = bytes_of(&s);
		series_add(&insns, &s);
		series_add(&bytes, &moved);
	}
	mem_unmap(&area);
	if (error)
		return error;
	series_print(&insns, bench->side, FIGURE_INSNS, "%s", c->name);
	series_print(&bytes, bench->side, FIGURE_BYTES, "%s-moved", c->name);
	return 0;
}

static void add(unsigned int percent, bool in_order, bool huge)
{
	struct bench_case c = {
		.setup = SETUP_SCARCE,
		.samples = 6,
		.run = oversub,
		.size = (VRAM * percent / 100 + PIECE - 1) / PIECE * PIECE,
		.huge = huge,
		.op = in_order,
	};

	bench_add(&c, "oversub-%s-%u.%02ux-%s", in_order ? "stream" : "random", percent / 100,
		  percent % 100, huge ? "thp" : "4k");
}

void add_oversub_cases(void)
{
	static const unsigned int percents[] = { 110, 125, 150, 200 };
	unsigned int i;

	for (i = 0; i < 2 * sizeof(percents) / sizeof(*percents); i++)
		add(percents[i / 2], i & 1, true);
	add(125, true, false);
	add(125, false, false);
}
