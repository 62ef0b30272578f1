/* SPDX-License-Identifier: MIT */
#ifndef BENCH_MEM_H
#define BENCH_MEM_H

#include <stdbool.h>
#include <stddef.h>

struct bench_case;

/* A mapping that has no neighbours, at a multiple of 2 MiB. */
struct area {
	char *start;
	size_t size;
	void *reserve;		/* with what is around it, which nobody may use */
	size_t reserved;
};

/* Private memory, of huge pages or of small ones alone; ends the program if not. */
struct area mem_map(size_t size, bool huge);
/*
 * One page at the beginning of each 2 MiB, and nothing else: a mapping of many ranges
 * would be filled by whoever serves a whole range for one page of it.
 */
struct area mem_map_pages(size_t n);
/* What a case says: its size and kind of pages, touched by the CPU or not. */
struct area mem_prepare(const struct bench_case *c);
void mem_unmap(struct area *area);
/* The CPU writes a word each @stride bytes. */
void mem_write(const struct area *area, size_t stride);
/* It reads one: what was never written is a page of zeroes then, a huge one too. */
void mem_read(const struct area *area, size_t stride);

#endif
