// SPDX-License-Identifier: MIT
#include <err.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "bench.h"
#include "mem.h"

static struct area reserve(size_t size)
{
	struct area area = { .size = size, .reserved = size + 3 * RANGE };

	area.reserve = mmap(NULL, area.reserved, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (area.reserve == MAP_FAILED)
		err(EXIT_FAILURE, "mmap");
	area.start = (char *)(((uintptr_t)area.reserve + RANGE) / RANGE * RANGE);
	return area;
}

/* What is around cannot be merged with it, as it has another protection. */
struct area mem_map(size_t size, bool huge)
{
	struct area area = reserve(size);

	if (mprotect(area.start, size, PROT_READ | PROT_WRITE) ||
	    madvise(area.start, size, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE))
		err(EXIT_FAILURE, "cannot prepare %zu bytes", size);
	return area;
}

struct area mem_map_pages(size_t n)
{
	struct area area = reserve(n * RANGE);
	size_t i;

	for (i = 0; i < n; i++)
		if (mprotect(area.start + i * RANGE, PAGE, PROT_READ | PROT_WRITE))
			err(EXIT_FAILURE, "cannot prepare %zu mappings", n);
	return area;
}

struct area mem_prepare(const struct bench_case *c)
{
	struct area area = mem_map(c->size, c->huge);

	if (c->touched)
		mem_write(&area, PAGE);
	return area;
}

void mem_unmap(struct area *area)
{
	munmap(area->reserve, area->reserved);
}

void mem_write(const struct area *area, size_t stride)
{
	size_t at;

	for (at = 0; at < area->size; at += stride)
		*(volatile uint32_t *)(area->start + at) = at | 1;
}

void mem_read(const struct area *area, size_t stride)
{
	size_t at;

	for (at = 0; at < area->size; at += stride)
		(void)*(volatile uint32_t *)(area->start + at);
}
