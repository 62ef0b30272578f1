// SPDX-License-Identifier: MIT
/*
 * A file from open() to close(), and what many ranges cost the next one.
 */

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "mem.h"
#include "series.h"

#define SAMPLES	7
#define CHUNK	4096u	/* ranges that a job touches */

static int open_attach(struct bench *bench, const struct bench_case *c, struct sample *s)
{
	int fd;

	s->pages = 0;
	bench_begin(bench, s);
	fd = bench_open(bench);
	bench_end(bench, s);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int close_mapped(struct bench *bench, const struct bench_case *c, struct sample *s)
{
	struct area area = mem_map(c->size, c->huge);
	struct bench other = *bench;
	int error;

	mem_write(&area, PAGE);
	other.fd = bench_open(bench);
	if (other.fd < 0)
		return other.fd;
	error = bench_touch(&other, area.start, area.size, PAGE, true);
	bench_begin(bench, s);
	close(other.fd);
	bench_end(bench, s);
	mem_unmap(&area);
	return error;
}

/* The page of zeroes, many times, each in a range of its own */
static int map_ranges(struct bench *bench, char *start, unsigned int n)
{
	int error = 0;
	unsigned int i, some;

	for (i = 0; i < n && !error; i += some) {
		some = n - i < CHUNK ? n - i : CHUNK;
		error = bench_touch(bench, start + i * RANGE, some * RANGE, RANGE, false);
	}
	return error;
}

static int fault_one(struct bench *bench, char *at, struct series *series)
{
	struct sample s = { .pages = 1 };
	int error;

	bench_begin(bench, &s);
	error = bench_touch(bench, at, PAGE, PAGE, false);
	bench_end(bench, &s);
	series_add(series, &s);
	return error;
}

static int unmap_one(struct bench *bench, char *at, struct series *series)
{
	struct sample s = { .pages = 1 };
	int error;

	bench_begin(bench, &s);
	error = munmap(at, PAGE) ? -errno : 0;
	bench_end(bench, &s);
	series_add(series, &s);
	return error;
}

/* The range after the others is the next one; it is in their middle that one goes. */
static int ranges(struct bench *bench, const struct bench_case *c)
{
	struct area area = mem_map_pages(c->count + SAMPLES);
	struct series faults = {}, unmaps = {};
	int error = map_ranges(bench, area.start, c->count);
	size_t i;

	for (i = 0; i < SAMPLES && !error; i++)
		error = fault_one(bench, area.start + (c->count + i) * RANGE, &faults);
	for (i = 0; i < SAMPLES && !error; i++)
		error = unmap_one(bench, area.start + (c->count / 2 + i * 2) * RANGE, &unmaps);
	mem_unmap(&area);
	if (error)
		return error;
	series_print(&faults, bench->side, FIGURE_SERVICE, "%s-fault", c->name);
	series_print(&unmaps, bench->side, FIGURE_INSNS, "%s-munmap", c->name);
	return 0;
}

static void add_file_cases(void)
{
	struct bench_case c = { .samples = SAMPLES, .sample = open_attach };

	bench_add(&c, "life-open-attach");
	c.sample = close_mapped;
	c.size = 64 * MIB;
	bench_add(&c, "life-close-64m-4k");
	c.huge = true;
	bench_add(&c, "life-close-64m-thp");
}

void add_life_cases(void)
{
	unsigned int power, n = 10;

	add_file_cases();
	for (power = 2; power <= 6; power++) {
		struct bench_case c = {
			.run = ranges,
			.count = n *= 10,
			.on_request = power > 5,
		};

		bench_add(&c, "life-ranges-1e%u", power);
	}
}
