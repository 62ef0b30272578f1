// SPDX-License-Identifier: MIT
/*
 * One GPU fault, or the few that a job takes for one piece of memory.
 */

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "mem.h"

#define SAMPLES	7

static int fault(struct bench *bench, const struct bench_case *c, struct sample *s)
{
	struct area area = mem_prepare(c);
	int error;

	bench_begin(bench, s);
	error = bench_touch(bench, area.start, area.size, PAGE, c->write);
	bench_end(bench, s);
	mem_unmap(&area);
	return error;
}

static int fault_floor(struct bench *bench, const struct bench_case *c, struct sample *s)
{
	struct area area = mem_prepare(c);
	int error;

	error = c->setup == SETUP_VRAM ? floor_move(bench, &area, false, s) :
					 floor_mirror(bench, &area, c->write, s);
	mem_unmap(&area);
	return error;
}

/* Of a large mapping with nothing in it the GPU wants one page. */
static int fault_sparse(struct bench *bench, const struct bench_case *c, struct sample *s)
{
	struct area area = mem_prepare(c);
	int error;

	s->pages = 1;
	bench_begin(bench, s);
	error = bench_touch(bench, area.start, PAGE, PAGE, c->write);
	bench_end(bench, s);
	mem_unmap(&area);
	return error;
}

/* The GPU has had it before: the same access, and no fault, or one for another page. */
static int fault_again(struct bench *bench, const struct bench_case *c, struct sample *s)
{
	struct area area = mem_prepare(c);
	int error;

	error = bench_touch(bench, area.start, area.size, PAGE, c->write);
	if (!c->mapped) {
		madvise(area.start, area.size, MADV_DONTNEED);
		mem_write(&area, PAGE);
	}
	bench_begin(bench, s);
	if (!error)
		error = bench_touch(bench, area.start, area.size, PAGE, c->write);
	bench_end(bench, s);
	mem_unmap(&area);
	return error;
}

/* Mapped for reading until then, as the page of zeroes or for it being shared */
static int fault_upgrade(struct bench *bench, const struct bench_case *c, struct sample *s)
{
	struct area area = mem_prepare(c);
	int error = bench_touch(bench, area.start, area.size, PAGE, false);

	bench_begin(bench, s);
	if (!error)
		error = bench_touch(bench, area.start, area.size, PAGE, true);
	bench_end(bench, s);
	mem_unmap(&area);
	return error;
}

/* The first device has the page already, and the second one wants it too. */
static int fault_second(struct bench *bench, const struct bench_case *c, struct sample *s)
{
	struct area area = mem_prepare(c);
	struct bench other = *bench;
	int error;

	other.fd = bench_open_gpu(1);
	if (other.fd < 0)
		return other.fd;
	error = bench_touch(bench, area.start, area.size, PAGE, c->write);
	bench_begin(&other, s);
	if (!error)
		error = bench_touch(&other, area.start, area.size, PAGE, c->write);
	bench_end(&other, s);
	close(other.fd);
	mem_unmap(&area);
	return error;
}

static int unmap_of_two(struct bench *bench, const struct bench_case *c, struct sample *s)
{
	struct area area = mem_prepare(c);
	struct bench other = *bench;
	int error;

	other.fd = bench_open_gpu(1);
	if (other.fd < 0)
		return other.fd;
	error = bench_touch(bench, area.start, area.size, PAGE, c->write);
	if (!error && c->count == 2)
		error = bench_touch(&other, area.start, area.size, PAGE, c->write);
	bench_begin(bench, s);
	munmap(area.start, area.size);
	bench_end(bench, s);
	close(other.fd);
	mem_unmap(&area);
	return error;
}

static const struct {
	const char *name;
	size_t size;
	bool huge;
} sizes[] = {
	{ "4k", PAGE },
	{ "64k", 64 * KIB },
	{ "2m", RANGE },
	{ "thp", RANGE, true },
};

/* Each size, new or touched by the CPU, read or written */
static void add_faults(enum setup setup, const char *where)
{
	unsigned int i;

	for (i = 0; i < 4 * sizeof(sizes) / sizeof(*sizes); i++) {
		struct bench_case c = {
			.setup = setup,
			.figure = FIGURE_SERVICE,
			.samples = SAMPLES,
			.sample = fault,
			.floor = fault_floor,
			.size = sizes[i / 4].size,
			.huge = sizes[i / 4].huge,
			.touched = i & 2,
			.write = i & 1,
		};

		/* To read what was never written maps the page of zeroes, and moves none */
		if (setup == SETUP_VRAM && !c.touched && !c.write)
			c.floor = NULL;

		bench_add(&c, "fault-%s-%s-%s-%s", sizes[i / 4].name, c.touched ? "cpu" : "new",
			  c.write ? "write" : "read", where);
	}
}

static void add_again(void)
{
	struct bench_case c = {
		.figure = FIGURE_SERVICE,
		.samples = SAMPLES,
		.sample = fault_again,
		.size = PAGE,
		.touched = true,
		.write = true,
	};

	bench_add(&c, "fault-4k-again-write-ram");
	c.mapped = true;
	c.figure = FIGURE_INSNS;
	bench_add(&c, "fault-4k-valid-write-ram");
	c.touched = false;
	c.figure = FIGURE_SERVICE;
	c.sample = fault_upgrade;
	bench_add(&c, "fault-4k-upgrade-write-ram");
	c.sample = fault_sparse;
	c.size = RANGE;
	bench_add(&c, "fault-4k-sparse-write-ram");
}

static void add_two(void)
{
	struct bench_case c = {
		.setup = SETUP_TWO,
		.figure = FIGURE_SERVICE,
		.samples = SAMPLES,
		.sample = fault_second,
		.touched = true,
		.write = true,
		.size = PAGE,
	};

	bench_add(&c, "two-fault-4k-second");
	c.size = RANGE;
	bench_add(&c, "two-fault-2m-second");
	c.sample = unmap_of_two;
	c.figure = FIGURE_INSNS;
	c.count = 1;
	bench_add(&c, "two-munmap-2m-one-maps");
	c.count = 2;
	bench_add(&c, "two-munmap-2m-both-map");
}

void add_fault_cases(void)
{
	add_faults(SETUP_RAM, "ram");
	add_again();
	add_faults(SETUP_VRAM, "vram");
	add_two();
}
