// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "timeline.h"
#include "ui.h"

#define MARKS	8	/* along a scale */

static const struct ui_look looks[NUM_RESIDENCES] = {
	[NOWHERE] = { '.', '.', UI_DIM, UI_DIM },
	[IN_SYSTEM] = { 'S', 's', UI_SYSTEM, UI_SOME_SYSTEM },
	[IN_VRAM] = { 'V', 'v', UI_VRAM, UI_SOME_VRAM },
};

void ui_timeline_legend(void)
{
	ui_put_sample(&looks[NOWHERE], "not present");
	ui_put_sample(&looks[IN_SYSTEM], "system memory");
	ui_put_sample(&looks[IN_VRAM], "VRAM");
	printf("   lower case: only some\n");
}

/* "|0 MiB  |       |1 MiB  ": eight marks. */
void ui_timeline_scale(const struct timeline *timeline)
{
	unsigned int each = ui_cells(timeline->pages) / MARKS, i;
	size_t kib = timeline->pages * timeline->page_size >> 10, at;
	char mark[16];

	printf("%*s", UI_MARGIN, "");
	for (i = 0; i < MARKS; i++) {
		at = kib * i / MARKS;
		if (at % 1024)
			snprintf(mark, sizeof(mark), "|");
		else
			snprintf(mark, sizeof(mark), each < 8 ? "|%zuM" : "|%zu MiB",
				 at >> 10);
		printf("%-*s", i < MARKS - 1 ? (int)each : 0, mark);
	}
	putchar('\n');
}

void ui_timeline_row(const struct timeline *timeline, unsigned int row)
{
	const char *label = timeline->rows[row].label;

	printf("  %-*s ", UI_MARGIN - 3, label ? label : "");
	ui_put_cells(looks, timeline->rows[row].pages, timeline->pages);
}
