// SPDX-License-Identifier: MIT
#include <err.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "bench.h"
#include "mem.h"

/* What is around cannot be merged with it, as it has another protection. */
struct area mem_map(size_t size, bool huge)
{
	struct area area = { .size = size, .reserved = size + 3 * RANGE };
	uintptr_t first;

	area.reserve = mmap(NULL, area.reserved, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (area.reserve == MAP_FAILED)
		err(EXIT_FAILURE, "mmap");
	first = ((uintptr_t)area.reserve + RANGE) / RANGE * RANGE;
	area.start = (char *)first;
	if (mprotect(area.start, size, PROT_READ | PROT_WRITE) ||
	    madvise(area.start, size, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE))
		err(EXIT_FAILURE, "cannot prepare %zu bytes", size);
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
