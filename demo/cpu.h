/* SPDX-License-Identifier: MIT */
#ifndef DEMO_CPU_H
#define DEMO_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gpu;

/* The same numbers on every run. */
uint32_t cpu_random(void);

/* malloc() that ends the program when there is no memory. */
void *cpu_malloc(size_t size);

/*
 * Anonymous memory of whole ranges, aligned to a range, so that its map starts
 * at the left; of small pages only, or of huge ones if the system has them.
 */
void *cpu_map_ranges(const struct gpu *gpu, unsigned int ranges, bool huge);

/*
 * Shared anonymous memory, zero. It stays in system memory when the GPU uses it:
 * only what belongs to one process moves.
 */
void *cpu_map_shared(size_t size);

/* Writes @value to the first element of each page. */
void cpu_write_pages(const struct gpu *gpu, void *start, size_t size, uint32_t value);
/* Sum of the first elements of the pages. */
uint64_t cpu_sum_pages(const struct gpu *gpu, const void *start, size_t size);

/*
 * Calls @access(@arg). True when it hit an address that this process may not
 * use so, which is then in @addr: what would else have killed the process.
 */
bool cpu_segfaults(void (*access)(void *arg), void *arg, uint64_t *addr);

#endif
