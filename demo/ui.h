/* SPDX-License-Identifier: MIT */
#ifndef DEMO_UI_H
#define DEMO_UI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "svm_client.h"

struct gpu;
struct timeline;

/*
 * What the demo prints: numbered scenes of a paragraph, a map of what the GPU
 * sees, what was counted meanwhile, and comparisons of the GPU with the CPU.
 * Maps and counts come from the query and counters ioctls, at the moment of
 * the call; nothing here knows what they should show.
 */

enum ui_color { UI_COLOR_AUTO, UI_COLOR_NEVER, UI_COLOR_ALWAYS };

/* @width: columns, or zero to find out. */
void ui_init(unsigned int width, enum ui_color color);

void ui_title(const char *title);
void ui_scene(const char *title);

/* A paragraph, wrapped to the width. */
void ui_text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

void ui_legend(const struct gpu *gpu);

/* The ranges of [addr, addr + size), a row each; ui_map_leaves() with leaves. */
void ui_map(struct gpu *gpu, const void *addr, size_t size);
void ui_map_leaves(struct gpu *gpu, const void *addr, size_t size);
/* How many pages of [addr, addr + size) the GPU reaches, and may write. */
void ui_count_pages(struct gpu *gpu, const void *addr, size_t size,
		    size_t *mapped, size_t *writable);

/* Where the pages of a buffer are over time: addresses, then a row a moment. */
void ui_timeline_legend(void);
void ui_timeline_scale(const struct timeline *timeline);
void ui_timeline_row(const struct timeline *timeline, unsigned int row);

/* The differences that are not zero, in words. */
void ui_counted(const struct client_counts *before,
		const struct client_counts *after);
/* The same of the counters of VRAM alone. */
void ui_counted_vram(const struct client_counts *before,
		     const struct client_counts *after);
/* All counters before and after, with what each means; zeros just named. */
void ui_counters_table(const struct client_counts *before,
		       const struct client_counts *after);

/* Comparisons; all of them are counted, and each prints one line. */
bool ui_same(const char *what, uint64_t gpu, uint64_t cpu);
bool ui_agree(bool same, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The last line. Returns the exit status. */
int ui_end(void);

/* Used by the files that draw: attributes of the terminal, columns of text. */
enum ui_style {
	UI_PLAIN, UI_BOLD, UI_DIM, UI_GOOD, UI_BAD,
	UI_READ, UI_WRITE, UI_DIRTY,
	UI_SOME_READ, UI_SOME_WRITE, UI_SOME_DIRTY,
	UI_SYSTEM, UI_VRAM, UI_SOME_SYSTEM, UI_SOME_VRAM,
};

void ui_put(enum ui_style style, const char *text, size_t len);
unsigned int ui_width(void);

/* Columns before the cells of a map. */
#define UI_MARGIN	15
#define UI_MAX_CELLS	128

/* A state in a map: where all pages of the cell are in it, or only some. */
struct ui_look {
	char all, some;
	enum ui_style all_style, some_style;
};

/* How many cells a row of @pages has in this width. */
unsigned int ui_cells(size_t pages);
/* A row of cells, to the end of the line; a state is an index of @looks. */
void ui_put_cells(const struct ui_look *looks, const uint8_t *states, size_t n);
void ui_put_sample(const struct ui_look *look, const char *meaning);

#endif
