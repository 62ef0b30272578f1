// SPDX-License-Identifier: MIT
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu.h"
#include "ui.h"

/*
 * A row is one range: its address, then a cell for every few pages. A cell
 * shows the strongest state in it, in lower case where not all of its pages
 * are in that state.
 */

enum state { NONE, READ, WRITE, DIRTY, NUM_STATES };

static const struct ui_look looks[NUM_STATES] = {
	[NONE] = { '.', '.', UI_DIM, UI_DIM },
	[READ] = { 'R', 'r', UI_READ, UI_SOME_READ },
	[WRITE] = { 'W', 'w', UI_WRITE, UI_SOME_WRITE },
	[DIRTY] = { 'D', 'd', UI_DIRTY, UI_SOME_DIRTY },
};

/* Sums over the rows of one map. */
struct totals {
	size_t pages[NUM_STATES];
	size_t bytes_by_leaf[64];
};

static enum state page_state(uint32_t page)
{
	if (page & DRM_SVM_PAGE_DIRTY)
		return DIRTY;
	if (page & DRM_SVM_PAGE_WRITE)
		return WRITE;
	return page & DRM_SVM_PAGE_READ ? READ : NONE;
}

static unsigned int page_leaf(uint32_t page)
{
	return (page & DRM_SVM_PAGE_LEAF_MASK) >> DRM_SVM_PAGE_LEAF_SHIFT;
}

static void put_states(const uint32_t *pages, size_t n)
{
	uint8_t *states = malloc(n);
	size_t i;

	if (!states)
		errx(EXIT_FAILURE, "out of memory");
	for (i = 0; i < n; i++)
		states[i] = page_state(pages[i]);
	ui_put_cells(looks, states, n);
	free(states);
}

static const char *leaf_name(unsigned int leaf, char *name, size_t size)
{
	if (leaf >= 20)
		snprintf(name, size, "%uM", 1u << (leaf - 20));
	else
		snprintf(name, size, "%uK", 1u << (leaf - 10));
	return name;
}

/* |---- 3 x 64K ----| over @width cells, or just dashes where that is too long. */
static void put_leaf_run(unsigned int leaf, size_t bytes, unsigned int width)
{
	char name[16], text[40], bar[UI_MAX_CELLS];
	int len;

	len = snprintf(text, sizeof(text), " %zu x %s ", bytes >> leaf,
		       leaf_name(leaf, name, sizeof(name)));
	if (len + 2 > (int)width)
		len = snprintf(text, sizeof(text), "%s",
			       leaf_name(leaf, name, sizeof(name)));
	memset(bar, '-', width);
	bar[0] = '|';
	bar[width - 1] = '|';
	if (len + 2 <= (int)width)
		memcpy(bar + (width - len) / 2, text, len);
	ui_put(UI_PLAIN, bar, width);
}

/* Groups cells that have leaves of one size; a cell has that of its first page. */
static void put_leaves(const uint32_t *pages, size_t n, size_t page_size)
{
	unsigned int cells = ui_cells(n), i, first = 0;
	size_t each = n / cells;

	printf("%*s", UI_MARGIN, "");
	for (i = 1; i <= cells; i++) {
		unsigned int leaf = page_leaf(pages[first * each]);

		if (i < cells && page_leaf(pages[i * each]) == leaf)
			continue;
		if (leaf)
			put_leaf_run(leaf, (i - first) * each * page_size, i - first);
		else
			printf("%*s", (int)(i - first), "");
		first = i;
	}
	putchar('\n');
}

static void add_up(struct totals *totals, const uint32_t *pages, size_t n,
		   size_t page_size)
{
	size_t i;

	for (i = 0; i < n; i++) {
		totals->pages[page_state(pages[i])]++;
		if (page_state(pages[i]) != NONE)
			totals->bytes_by_leaf[page_leaf(pages[i]) % 64] += page_size;
	}
}

/* "7 W, 5 D": the states that there are. */
static void describe_states(const struct totals *totals, char *text, size_t size)
{
	size_t len = 0;
	int state;

	for (state = READ; state < NUM_STATES; state++)
		if (totals->pages[state])
			len += snprintf(text + len, size - len, "%s%zu %c",
					len ? ", " : "", totals->pages[state],
					looks[state].all);
}

/* "; leaves: 1 x 2M"; nothing where the driver does not report leaves. */
static void describe_leaves(const struct totals *totals, char *text, size_t size)
{
	char name[16];
	size_t len = 0;
	int leaf;

	for (leaf = 63; leaf >= 10; leaf--)
		if (totals->bytes_by_leaf[leaf])
			len += snprintf(text + len, size - len, "%s%zu x %s",
					len ? ", " : "; leaves: ",
					totals->bytes_by_leaf[leaf] >> leaf,
					leaf_name(leaf, name, sizeof(name)));
}

static void put_totals(const struct totals *totals)
{
	char states[96] = "nothing mapped", leaves[128] = "";

	describe_states(totals, states, sizeof(states));
	describe_leaves(totals, leaves, sizeof(leaves));
	ui_text("pages:   %s%s", states, leaves);
}

void ui_count_pages(struct gpu *gpu, const void *addr, size_t size,
		    size_t *mapped, size_t *writable)
{
	size_t n = size / gpu->page_size, i;
	uint32_t *pages = calloc(n, sizeof(*pages));

	if (!pages)
		errx(EXIT_FAILURE, "out of memory");
	gpu_query(gpu, client_ptr(addr), size, 0, pages);
	*mapped = *writable = 0;
	for (i = 0; i < n; i++) {
		*mapped += page_state(pages[i]) != NONE;
		*writable += !!(pages[i] & DRM_SVM_PAGE_WRITE);
	}
	free(pages);
}

static void map(struct gpu *gpu, const void *addr, size_t size, bool leaves)
{
	uint64_t start = client_ptr(addr) / gpu->range_size * gpu->range_size;
	size_t n = gpu->range_size / gpu->page_size;
	uint32_t *pages = calloc(n, sizeof(*pages));
	struct totals totals = {};

	if (!pages)
		errx(EXIT_FAILURE, "out of memory");
	for (; start < client_ptr(addr) + size; start += gpu->range_size) {
		gpu_query(gpu, start, gpu->range_size, 0, pages);
		printf("  %012llx ", (unsigned long long)start);
		put_states(pages, n);
		if (leaves)
			put_leaves(pages, n, gpu->page_size);
		add_up(&totals, pages, n, gpu->page_size);
	}
	put_totals(&totals);
	free(pages);
}

void ui_map(struct gpu *gpu, const void *addr, size_t size)
{
	map(gpu, addr, size, false);
}

void ui_map_leaves(struct gpu *gpu, const void *addr, size_t size)
{
	map(gpu, addr, size, true);
}

void ui_legend(const struct gpu *gpu)
{
	size_t n = gpu->range_size / gpu->page_size;

	ui_put_sample(&looks[NONE], "not mapped");
	ui_put_sample(&looks[READ], "readable");
	ui_put_sample(&looks[WRITE], "writable too");
	ui_put_sample(&looks[DIRTY], "written by the GPU, per leaf");
	putchar('\n');
	ui_text("Row: a range of %zu KiB; character: %zu pages; lower case: only some of them.",
		gpu->range_size >> 10, n / ui_cells(n));
}
