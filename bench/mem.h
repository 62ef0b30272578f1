/* SPDX-License-Identifier: MIT */
#ifndef BENCH_MEM_H
#define BENCH_MEM_H

#include <stdbool.h>
#include <stddef.h>

/* A mapping that has no neighbours, at a multiple of 2 MiB. */
struct area {
	char *start;
	size_t size;
	void *reserve;		/* with what is around it, which nobody may use */
	size_t reserved;
};

/* Private memory, of huge pages or of small ones alone; ends the program if not. */
struct area mem_map(size_t size, bool huge);
void mem_unmap(struct area *area);
/* The CPU writes a word each @stride bytes. */
void mem_write(const struct area *area, size_t stride);

#endif
