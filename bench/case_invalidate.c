// SPDX-License-Identifier: MIT
/*
 * The process changes its memory, some of which a GPU has mapped. The floor is a
 * process without a GPU.
 */

#include <errno.h>
#include <sys/mman.h>

#include "bench.h"
#include "mem.h"

#define SAMPLES		6
#define SAMPLES_LARGE	3	/* to have it takes seconds */

enum { OP_UNMAP, OP_PROTECT, OP_DISCARD, NUM_OPS };

static const char * const ops[NUM_OPS] = { "munmap", "mprotect", "dontneed" };

static int change(const struct area *area, int op)
{
	int ret = op == OP_UNMAP ? munmap(area->start, area->size) :
		  op == OP_PROTECT ? mprotect(area->start, area->size, PROT_READ) :
				     madvise(area->start, area->size, MADV_DONTNEED);

	return ret ? -errno : 0;
}

/* The GPU has something else in any case, so it does not look at an empty list. */
static int invalidate(struct bench *bench, const struct bench_case *c, struct sample *s)
{
	struct area other = mem_map(PAGE, false), area = mem_map(c->size, c->huge);
	int error = bench_touch(bench, other.start, other.size, PAGE, true), failed;

	if (c->write)
		mem_write(&area, c->stride);
	else
		mem_read(&area, c->stride);
	if (!error && c->mapped)
		error = bench_touch(bench, area.start, area.size, c->stride, c->write);
	bench_begin(bench, s);
	failed = change(&area, c->op);
	bench_end(bench, s);
	mem_unmap(&area);
	mem_unmap(&other);
	return error ?: failed;
}

static const struct {
	const char *name;
	size_t size, stride;
	bool huge, zero;
} shapes[] = {
	{ "4k", PAGE, PAGE },
	{ "2m", RANGE, PAGE },
	{ "thp", RANGE, PAGE, true },
	{ "64m-thp", 64 * MIB, PAGE, true },
	{ "1g-4k", GIB, PAGE },
	{ "1g-zero", GIB, RANGE, true, true },
};

static void add_shape(unsigned int i)
{
	unsigned int op, mapped;

	for (op = 0; op < NUM_OPS; op++)
		for (mapped = 0; mapped < 2; mapped++) {
			struct bench_case c = {
				.samples = shapes[i].size < GIB ? SAMPLES : SAMPLES_LARGE,
				.sample = invalidate,
				.floor = invalidate,
				.size = shapes[i].size,
				.stride = shapes[i].stride,
				.huge = shapes[i].huge,
				.write = !shapes[i].zero,
				.mapped = mapped,
				.op = op,
			};

			bench_add(&c, "invalidate-%s-%s-%s", ops[op], shapes[i].name,
				  mapped ? "mapped" : "unmapped");
		}
}

void add_invalidate_cases(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
		add_shape(i);
}
