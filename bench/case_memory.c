// SPDX-License-Identifier: MIT
/*
 * Kernel memory for each GiB that a GPU has mapped: what the kernel's allocators have
 * handed out, but for what the virtual GPU keeps its VRAM in. In "-all" are whole pages
 * too, above all those of the GPU's page table, of which all sides have the same. VRAM
 * has none of these: where it gets its pages is up to the virtual GPU.
 */

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "count.h"
#include "mem.h"
#include "series.h"

#define SAMPLES		4
#define SETTLE_MS	3000

struct usage {
	int64_t objects, all;
};

/* What a processor keeps for its next allocation counts as handed out until then. */
static void shrink_slabs(void)
{
	DIR *dir = opendir("/sys/kernel/slab");
	struct dirent *entry;
	char path[512];

	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", entry->d_name);
		bench_set(path, "1");
	}
	if (dir)
		closedir(dir);
}

/* Makes the kernel add up what each processor has counted. */
static void refresh(void)
{
	count_settle(SETTLE_MS);
	shrink_slabs();
	bench_set("/proc/sys/vm/stat_refresh", "1");
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

/* Free pages that a processor keeps for itself; MemFree is without them. */
static int64_t free_pages_of_cpus(void)
{
	FILE *file = fopen("/proc/zoneinfo", "r");
	unsigned long count;
	char line[256];
	int64_t sum = 0;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, " count: %lu", &count) == 1)
			sum += count;
	if (file)
		fclose(file);
	return sum * PAGE;
}

/*
 * Bytes of slabs that are not to be counted: those without an object, as whole slabs are
 * too coarse a unit, and with VRAM the nodes of radix trees. Nearly all of these are of
 * the tree in which the virtual GPU has the pages of its VRAM, one for 64 pages that have
 * been used before.
 */
static int64_t left_out_of_slabs(bool vram)
{
	char line[512], name[64];
	FILE *file = fopen("/proc/slabinfo", "r");
	unsigned long active, size, pages, slabs;
	int64_t sum = 0;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%63s %lu %*u %lu %*u %lu : tunables %*u %*u %*u : slabdata %*u %lu",
			   name, &active, &size, &pages, &slabs) == 5) {
			if (vram && !strcmp(name, "radix_tree_node"))
				active = 0;
			sum += (int64_t)(slabs * pages * PAGE) - (int64_t)(active * size);
		}
	if (file)
		fclose(file);
	return sum;
}

static struct usage usage_now(bool vram)
{
	static const char * const objects[] = { "Slab", "VmallocUsed", "Percpu" };
	static const char * const others[] = { "MemFree", "AnonPages", "PageTables" };

	refresh();
	return (struct usage) {
		.objects = sum_meminfo(objects, 3) - left_out_of_slabs(vram),
		.all = -sum_meminfo(others, 3) - free_pages_of_cpus(),
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

/* What has been freed before is used first, and does not count again: so use it up. */
static int use_up(struct bench *bench, const struct bench_case *c)
{
	struct area area = mem_map_pages(1024), huge;
	int error = bench_touch(bench, area.start, area.size, RANGE, false);

	if (error || !c->mapped)
		return error;
	huge = mem_map(256 * MIB, true);
	mem_write(&huge, PAGE);
	return bench_move(bench, huge.start, huge.size, DRM_SVM_LOCATION_VRAM);
}

static int measure(struct bench *bench, const struct bench_case *c, struct usage *added)
{
	struct area area = c->stride == RANGE ? mem_map_pages(c->size / RANGE) :
						mem_map(c->size, c->huge);
	struct usage before, after;
	int error;

	if (c->touched)
		mem_write(&area, c->stride);
	before = usage_now(c->mapped);
	error = occupy(bench, c, &area);
	after = usage_now(c->mapped);
	added->objects = after.objects - before.objects;
	added->all = after.all - before.all;
	return error;
}

/* For the same reason nothing is unmapped before the process ends. */
static int memory(struct bench *bench, const struct bench_case *c)
{
	struct series objects = {}, all = {};
	int error = use_up(bench, c);
	unsigned int i;

	for (i = 0; i < SAMPLES && !error; i++) {
		struct usage added = {};

		error = measure(bench, c, &added);
		note(&objects, added.objects, c);
		note(&all, added.all, c);
	}
	if (error)
		return error;
	series_print(&objects, bench->side, FIGURE_BYTES, "%s", c->name);
	if (!c->mapped)
		series_print(&all, bench->side, FIGURE_BYTES, "%s-all", c->name);
	return 0;
}

static void add_ram(void)
{
	struct bench_case c = { .run = memory, .touched = true };

	c.size = 8 * GIB;
	c.stride = RANGE;
	bench_add(&c, "memory-ram-sparse");
	c.size = 512 * MIB;
	c.stride = PAGE;
	c.huge = true;
	bench_add(&c, "memory-ram-thp");
	c.size = 256 * MIB;
	c.huge = false;
	bench_add(&c, "memory-ram-4k");
}

static void add_vram(void)
{
	struct bench_case c = { .run = memory, .setup = SETUP_VRAM, .mapped = true };

	c.touched = true;
	/* With what is used up before, all samples fit into VRAM */
	c.size = 48 * MIB;
	c.stride = PAGE;
	bench_add(&c, "memory-vram-4k");
	c.huge = true;
	bench_add(&c, "memory-vram-thp");
}

void add_memory_cases(void)
{
	add_ram();
	add_vram();
}
