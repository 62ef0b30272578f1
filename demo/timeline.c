// SPDX-License-Identifier: MIT
#include <err.h>
#include <stdlib.h>

#include "cpu.h"
#include "timeline.h"

void timeline_begin(struct timeline *timeline, struct gpu *gpu, const char *title,
		    const void *addr, size_t size)
{
	*timeline = (struct timeline) {
		.title = title,
		.addr = addr,
		.pages = size / gpu->page_size,
		.page_size = gpu->page_size,
	};
	gpu_counters(gpu, &timeline->before);
}

static enum residence residence_of(uint32_t page)
{
	uint32_t where = page & DRM_SVM_PAGE_LOCATION_MASK;

	switch (where >> DRM_SVM_PAGE_LOCATION_SHIFT) {
	case DRM_SVM_LOCATION_NONE:
		return NOWHERE;
	case DRM_SVM_LOCATION_SYSTEM:
		return IN_SYSTEM;
	default:
		return IN_VRAM;
	}
}

static uint8_t *look(const struct timeline *timeline, struct gpu *gpu)
{
	uint32_t *words = cpu_malloc(timeline->pages * sizeof(*words));
	uint8_t *pages = cpu_malloc(timeline->pages);
	size_t i;

	gpu_query(gpu, client_ptr(timeline->addr), timeline->pages * timeline->page_size,
		  DRM_SVM_QUERY_RESIDENCE, words);
	for (i = 0; i < timeline->pages; i++)
		pages[i] = residence_of(words[i]);
	free(words);
	return pages;
}

void timeline_add(struct timeline *timeline, struct gpu *gpu, const char *label)
{
	struct timeline_row *row;

	timeline->rows = reallocarray(timeline->rows, timeline->num_rows + 1, sizeof(*row));
	if (!timeline->rows)
		errx(EXIT_FAILURE, "out of memory");
	row = &timeline->rows[timeline->num_rows++];
	row->label = label;
	row->pages = look(timeline, gpu);
	gpu_counters(gpu, &row->counters);
}

void timeline_free(struct timeline *timeline)
{
	unsigned int i;

	for (i = 0; i < timeline->num_rows; i++)
		free(timeline->rows[i].pages);
	free(timeline->rows);
}

const struct client_counts *timeline_before(const struct timeline *timeline,
					    unsigned int row)
{
	return row ? &timeline->rows[row - 1].counters : &timeline->before;
}

size_t timeline_count(const struct timeline_row *row, size_t first, size_t n,
		      enum residence where)
{
	size_t count = 0, i;

	for (i = first; i < first + n; i++)
		count += row->pages[i] == where;
	return count;
}
