/* SPDX-License-Identifier: MIT */
#ifndef TRACE_HTML_H
#define TRACE_HTML_H

#include <stdio.h>

#include "model.h"

/*
 * One page that refers to nothing outside of it. It is well-formed XML too. However long the
 * trace is, the page has at most some thousand elements.
 */
void html_write(FILE *out, const struct model *model);

/* Parts of the page */
void html_text(FILE *out, const char *text);	/* with what means something to HTML escaped */
void charts_write(FILE *out, const struct model *model);
void map_write(FILE *out, const struct model *model);
extern const char page_style[], page_script[];

/* All plots show the time from the left to the right, in so many units. */
#define PLOT_WIDTH	1000

static inline unsigned int time_slot(const struct trace *trace, uint64_t time, unsigned int slots)
{
	uint64_t at = time > trace->begin ? time - trace->begin : 0;
	uint64_t span = trace->end - trace->begin + 1;
	unsigned int slot = (double)at * slots / span;

	return slot < slots ? slot : slots - 1;
}

/* The time at which a slot begins, since the beginning of the trace, in ns */
static inline uint64_t slot_time(const struct trace *trace, unsigned int slot, unsigned int slots)
{
	return (double)(trace->end - trace->begin) * slot / slots;
}

#endif
