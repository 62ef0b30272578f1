/* SPDX-License-Identifier: MIT */
#ifndef DEMO_CELLS_H
#define DEMO_CELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A cell of a map stands for some pages: it shows the strongest state among
 * them, the one with the highest number, and whether all of them are in it.
 */
struct cell {
	uint8_t state;
	bool all;
};

struct cell cell_of(const uint8_t *states, size_t n);

#endif
