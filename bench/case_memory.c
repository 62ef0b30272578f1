// SPDX-License-Identifier: MIT
/*
 * Kernel memory for each GiB that a GPU has mapped: what the kernel's allocators have
 * handed out. In "all" are whole pages too, those of the GPU's page table, which are the
 * same for all sides.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "count.h"
#include "mem.h"
#include "series.h"

#define SAMPLES		4
#define SETTLE_MS	3000

struct usage {
	int64_t objects, all;
};

/* Makes the kernel add up what each processor has counted. */
static void refresh(void)
{
	int file = open("/proc/sys/vm/stat_refresh", O_WRONLY);

	count_settle(SETTLE_MS);
	if (file < 0)
		return;
	if (write(file, "1", 1) != 1)
		perror("stat_refresh");
	close(file);
}

static int64_t sum_meminfo(const char * const *names, unsigned int n)
{
	FILE *file = fopen("/proc/meminfo", "r");
	unsigned long kib;
	char name[64];
	int64_t sum = 0;
	unsigned int i;

	while (file && fscanf(file, "%63[^:]: %lu%*[^\n]\n", name, &kib) == 2)
		for (i = 0; i < n; i++)
			sum += strcmp(name, names[i]) ? 0 : kib;
	if (file)
		fclose(file);
	return sum * KIB;
}

static struct usage usage_now(void)
{
	static const char * const objects[] = { "Slab", "VmallocUsed", "Percpu" };
	static const char * const others[] = { "MemFree", "AnonPages", "PageTables" };

	refresh();
	return (struct usage) {
		.objects = sum_meminfo(objects, 3),
		.all = -sum_meminfo(others, 3),
	};
}

static int occupy(struct bench *bench, const struct bench_case *c, struct area *area)
{
	return c->mapped ? bench_move(bench, area->start, area->size, DRM_SVM_LOCATION_VRAM) :
			   bench_touch(bench, area->start, area->size, c->stride, false);
}

static void note(struct series *series, int64_t bytes, const struct bench_case *c)
{
	int64_t gib = bytes * (int64_t)(GIB / MIB) / (int64_t)(c->size / MIB);
	struct sample s = { .figure = gib > 0 ? gib : 0, .pages = c->size / c->stride };

	series_add(series, &s);
}

static int memory(struct bench *bench, const struct bench_case *c)
{
	struct series objects = {}, all = {};
	int error = 0;
	unsigned int i;

	for (i = 0; i < SAMPLES && !error; i++) {
		struct area area = mem_map(c->size, c->huge);
		struct usage before, after;

		mem_write(&area, c->stride);
		before = usage_now();
		error = occupy(bench, c, &area);
		after = usage_now();
		note(&objects, after.objects - before.objects, c);
		note(&all, after.all - before.all, c);
		mem_unmap(&area);
	}
	if (error)
		return error;
	series_print(&objects, bench->side, FIGURE_BYTES, "%s", c->name);
	series_print(&all, bench->side, FIGURE_BYTES, "%s-all", c->name);
	return 0;
}

void add_memory_cases(void)
{
	struct bench_case c = { .run = memory };

	c.size = 8 * GIB;
	c.stride = RANGE;
	bench_add(&c, "memory-ram-sparse");
	c.size = 64 * MIB;
	c.stride = PAGE;
	bench_add(&c, "memory-ram-4k");
	c.size = 256 * MIB;
	c.huge = true;
	bench_add(&c, "memory-ram-thp");
	c.setup = SETUP_VRAM;
	c.mapped = true;
	bench_add(&c, "memory-vram-thp");
	c.size = 64 * MIB;
	c.huge = false;
	bench_add(&c, "memory-vram-4k");
}
