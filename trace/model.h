/* SPDX-License-Identifier: MIT */
#ifndef TRACE_MODEL_H
#define TRACE_MODEL_H

#include "trace.h"

/* What the records say in sum: totals by cause, and what became of each range. */

#define RANGE_SIZE	(2ull << 20)
#define MAX_FINDINGS	12

/* The ways that pages go; FAULTS are of the GPU, and move nothing themselves. */
enum way {
	WAY_TO_VRAM,
	WAY_HOME,
	WAY_EVICTED,
	WAY_FAULTS,
	WAY_PREFETCHES,
	NUM_WAYS
};

struct total {
	uint64_t records;
	uint64_t failed;	/* of these, with an error */
	uint64_t pages;
	uint64_t bytes;
	uint64_t ns;
};

/*
 * 2 MiB of an address space. @now: bytes in VRAM, as far as records tell; there is no record
 * when memory in VRAM is unmapped. @away_room, @away_cpu: bytes that left for that reason and
 * have not come back; @back_room, @back_cpu: bytes that came back after that. @most: the most
 * that @now was.
 */
struct range {
	unsigned int source;
	uint64_t addr;
	uint64_t faults;
	uint64_t in;	/* bytes that went to VRAM in all */
	uint64_t now, most;
	uint64_t away_room, away_cpu;
	uint64_t back_room, back_cpu;
};

/* How many times the memory of a range came back, if @back bytes did */
static inline uint64_t range_trips(const struct range *range, uint64_t back)
{
	return back ? (back + range->most - 1) / range->most : 0;
}

struct finding {
	bool bad;	/* a reason to be slow */
	char text[240];
};

struct model {
	const struct trace *trace;
	struct total totals[NUM_WAYS][CAUSES];
	struct range *ranges;	/* by source and address */
	size_t num_ranges;
	uint64_t *vram;		/* bytes after each record, of all address spaces together */
	uint64_t vram_most;	/* the most of these */
	uint64_t vram_size;	/* of the device with most; 0: not known */
	struct finding findings[MAX_FINDINGS];
	unsigned int num_findings;
};

void model_make(struct model *model, const struct trace *trace);
void model_free(struct model *model);

enum way way_of(const struct drm_svm_event *e);
const char *way_name(enum way way);
struct total model_sum(const struct model *model, enum way way);

/*
 * Calls @part for each range that a record is about, with its share of the bytes that moved.
 * Records that move nothing, other than faults, have none.
 */
void model_split(const struct model *model, const struct record *r,
		 void (*part)(void *data, size_t range, const struct record *r, uint64_t bytes),
		 void *data);

/* Ranges by what came back to them, most first; returns an array of @n or fewer indices. */
size_t *model_worst(const struct model *model, size_t *n);

/* "12.3 MiB", "4.5 ms", into a buffer that is used again by the sixth call after this one */
const char *show_bytes(uint64_t bytes);
const char *show_ns(uint64_t ns);

#endif
