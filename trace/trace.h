/* SPDX-License-Identifier: MIT */
#ifndef TRACE_H
#define TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <drm/drm_svm.h>

/* All that was recorded of a program, in the order of time. */

#define CAUSES	(DRM_SVM_CAUSE_BAD_PAGE + 1)

/* An address space that was attached, by the program or by a child of it */
struct source {
	uint32_t pid;
	uint32_t page_size;
	uint64_t vram_size;
	uint64_t attached;	/* ns */
	uint64_t lost;		/* records that did not fit into the kernel's ring */
	uint64_t dropped;	/* records beyond the limit of the file */
	bool complete;		/* it was read to its end */
	char driver[32];
	char program[32];
};

struct record {
	struct drm_svm_event e;
	unsigned int source;
};

struct trace {
	const char *command;
	struct source *sources;
	unsigned int num_sources;
	struct record *records;
	size_t num_records, room;
	uint64_t begin, end;	/* ns */
};

/* Adds one file, or says that it is none of svm-trace. */
void trace_load(struct trace *trace, const char *path);
/* After the last file */
void trace_sort(struct trace *trace);
void trace_free(struct trace *trace);

static inline uint64_t trace_lost(const struct trace *trace)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < trace->num_sources; i++)
		n += trace->sources[i].lost + trace->sources[i].dropped;
	return n;
}

static inline uint64_t trace_bytes(const struct trace *trace, const struct record *r)
{
	return (uint64_t)r->e.pages * trace->sources[r->source].page_size;
}

/* "GPU fault" and the like */
const char *trace_cause_name(uint32_t cause);
const char *trace_location_name(uint32_t location);

#endif
