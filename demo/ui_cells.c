// SPDX-License-Identifier: MIT
#include <stdio.h>

#include "cells.h"
#include "ui.h"

#define CELLS		64
#define CELLS_NARROW	32

unsigned int ui_cells(size_t pages)
{
	unsigned int cells = CELLS_NARROW;

	if (ui_width() > UI_MARGIN + UI_MAX_CELLS)
		cells = UI_MAX_CELLS;
	else if (ui_width() > UI_MARGIN + CELLS)
		cells = CELLS;
	return cells < pages ? cells : pages;
}

void ui_put_cells(const struct ui_look *looks, const uint8_t *states, size_t n)
{
	unsigned int cells = ui_cells(n), i;
	size_t each = n / cells;

	for (i = 0; i < cells; i++) {
		struct cell cell = cell_of(states + i * each, each);
		const struct ui_look *look = &looks[cell.state];

		if (cell.all)
			ui_put(look->all_style, &look->all, 1);
		else
			ui_put(look->some_style, &look->some, 1);
	}
	putchar('\n');
}

void ui_put_sample(const struct ui_look *look, const char *meaning)
{
	printf("   ");
	ui_put(look->all_style, &look->all, 1);
	printf(" %s", meaning);
}
