/* SPDX-License-Identifier: MIT */
#ifndef DEMO_TIMELINE_H
#define DEMO_TIMELINE_H

#include "gpu.h"

/* Where a page is; of several, a cell of a map shows the last. */
enum residence { NOWHERE, IN_SYSTEM, IN_VRAM, NUM_RESIDENCES };

/* One moment. The label names a step, and is NULL while that step goes on. */
struct timeline_row {
	const char *label;
	uint8_t *pages;			/* enum residence */
	struct client_counts counters;
};

/* Where the pages of some memory were, moment by moment. */
struct timeline {
	const char *title;
	const void *addr;
	size_t pages, page_size;
	struct client_counts before;
	struct timeline_row *rows;
	unsigned int num_rows;
};

/* Takes no row yet. */
void timeline_begin(struct timeline *timeline, struct gpu *gpu, const char *title,
		    const void *addr, size_t size);
/* Looks where the pages are now. */
void timeline_add(struct timeline *timeline, struct gpu *gpu, const char *label);
void timeline_free(struct timeline *timeline);

/* The counters at the row before, or at the beginning. */
const struct client_counts *timeline_before(const struct timeline *timeline,
					    unsigned int row);
size_t timeline_count(const struct timeline_row *row, size_t first, size_t n,
		      enum residence where);

#endif
