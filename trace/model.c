// SPDX-License-Identifier: MIT
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "findings.h"
#include "model.h"

enum way way_of(const struct drm_svm_event *e)
{
	switch (e->type) {
	case DRM_SVM_EVENT_FAULT:
		return WAY_FAULTS;
	case DRM_SVM_EVENT_MIGRATE:
		return e->to == DRM_SVM_LOCATION_VRAM ? WAY_TO_VRAM : WAY_HOME;
	case DRM_SVM_EVENT_EVICT:
		return WAY_EVICTED;
	case DRM_SVM_EVENT_PREFETCH:
		return WAY_PREFETCHES;
	default:
		return NUM_WAYS;
	}
}

const char *way_name(enum way way)
{
	static const char * const names[NUM_WAYS] = {
		[WAY_TO_VRAM] = "to VRAM",
		[WAY_HOME] = "to system memory",
		[WAY_EVICTED] = "evicted",
		[WAY_FAULTS] = "faults answered",
		[WAY_PREFETCHES] = "prefetch calls",
	};

	return names[way];
}

struct total model_sum(const struct model *model, enum way way)
{
	struct total sum = {};

	for (unsigned int cause = 0; cause < CAUSES; cause++) {
		const struct total *t = &model->totals[way][cause];

		sum.records += t->records;
		sum.failed += t->failed;
		sum.pages += t->pages;
		sum.bytes += t->bytes;
		sum.ns += t->ns;
	}
	return sum;
}

static void add_total(struct model *model, const struct record *r)
{
	enum way way = way_of(&r->e);
	struct total *t;

	if (way == NUM_WAYS)
		return;
	t = &model->totals[way][r->e.cause < CAUSES ? r->e.cause : 0];
	t->records++;
	t->failed += r->e.err < 0;
	t->pages += r->e.pages;
	t->bytes += trace_bytes(model->trace, r);
	t->ns += r->e.duration;
}

/* Ranges */

static int by_place(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	if (x->source != y->source)
		return x->source < y->source ? -1 : 1;
	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static bool has_ranges(const struct record *r)
{
	enum way way = way_of(&r->e);

	/* a record of a prefetch repeats others, and may be about terabytes */
	return r->e.size && (way == WAY_FAULTS || (way <= WAY_EVICTED && r->e.pages));
}

/* Parts beyond these are counted for the last of them: no record of the kernel has so many. */
#define MOST_PARTS	64

static uint64_t num_parts(const struct record *r)
{
	uint64_t first = r->e.start / RANGE_SIZE, last = r->e.start + r->e.size - 1;
	uint64_t n = last < r->e.start ? 1 : last / RANGE_SIZE - first + 1;

	return n < MOST_PARTS ? n : MOST_PARTS;
}

static void find_ranges(struct model *model)
{
	const struct trace *trace = model->trace;
	struct range *ranges;
	size_t n = 0, kept = 0;

	for (size_t i = 0; i < trace->num_records; i++)
		n += has_ranges(&trace->records[i]) ? num_parts(&trace->records[i]) : 0;
	ranges = calloc(n + 1, sizeof(*ranges));
	if (!ranges)
		err(EXIT_FAILURE, "no memory");
	n = 0;
	for (size_t i = 0; i < trace->num_records; i++) {
		const struct record *r = &trace->records[i];
		uint64_t parts = has_ranges(r) ? num_parts(r) : 0;

		for (uint64_t part = 0; part < parts; part++) {
			ranges[n].source = r->source;
			ranges[n++].addr = (r->e.start / RANGE_SIZE + part) * RANGE_SIZE;
		}
	}
	qsort(ranges, n, sizeof(*ranges), by_place);
	for (size_t i = 0; i < n; i++)
		if (!kept || by_place(&ranges[kept - 1], &ranges[i]))
			ranges[kept++] = ranges[i];
	model->ranges = ranges;
	model->num_ranges = kept;
}

static size_t find_range(const struct model *model, unsigned int source, uint64_t addr)
{
	const struct range key = { .source = source, .addr = addr / RANGE_SIZE * RANGE_SIZE };
	const struct range *range = bsearch(&key, model->ranges, model->num_ranges,
					    sizeof(key), by_place);

	return range - model->ranges;
}

void model_split(const struct model *model, const struct record *r,
		 void (*part)(void *data, size_t range, const struct record *r, uint64_t bytes),
		 void *data)
{
	uint64_t parts = has_ranges(r) ? num_parts(r) : 0, left = trace_bytes(model->trace, r);
	uint64_t addr = r->e.start, end = r->e.start + r->e.size, share, next;

	for (uint64_t i = 0; i < parts; i++) {
		next = (addr / RANGE_SIZE + 1) * RANGE_SIZE;
		share = i == parts - 1 ? left :
			(uint64_t)((double)trace_bytes(model->trace, r) *
				   (next - addr) / r->e.size);
		share = share < left ? share : left;
		left -= share;
		part(data, find_range(model, r->source, addr), r, share);
		addr = next < end ? next : end;
	}
}

/* Takes @bytes that go to VRAM from @away, adds them to @back. Returns how many were not away. */
static uint64_t come_back(uint64_t *away, uint64_t *back, uint64_t bytes)
{
	uint64_t n = bytes < *away ? bytes : *away;

	*away -= n;
	*back += n;
	return bytes - n;
}

static void follow_part(void *data, size_t index, const struct record *r, uint64_t bytes)
{
	struct model *model = data;
	struct range *range = &model->ranges[index];

	switch (way_of(&r->e)) {
	case WAY_FAULTS:
		range->faults++;
		return;
	case WAY_TO_VRAM:
		range->in += bytes;
		range->now = range->now + bytes < RANGE_SIZE ? range->now + bytes : RANGE_SIZE;
		bytes = come_back(&range->away_room, &range->back_room, bytes);
		come_back(&range->away_cpu, &range->back_cpu, bytes);
		break;
	default:
		range->now -= bytes < range->now ? bytes : range->now;
		range->away_room += r->e.cause == DRM_SVM_CAUSE_ROOM ? bytes : 0;
		range->away_cpu += r->e.cause == DRM_SVM_CAUSE_CPU_FAULT ? bytes : 0;
	}
	if (range->now > range->most)
		range->most = range->now;
}

static const struct model *compared;

static int by_trips(const void *a, const void *b)
{
	const struct range *x = &compared->ranges[*(const size_t *)a];
	const struct range *y = &compared->ranges[*(const size_t *)b];
	uint64_t s = x->back_room + x->back_cpu, t = y->back_room + y->back_cpu;

	if (s != t)
		return s > t ? -1 : 1;
	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

size_t *model_worst(const struct model *model, size_t *n)
{
	size_t *worst = calloc(model->num_ranges + 1, sizeof(*worst)), found = 0;

	if (!worst)
		err(EXIT_FAILURE, "no memory");
	for (size_t i = 0; i < model->num_ranges; i++)
		if (model->ranges[i].back_room || model->ranges[i].back_cpu)
			worst[found++] = i;
	compared = model;
	qsort(worst, found, sizeof(*worst), by_trips);
	*n = found < *n ? found : *n;
	return worst;
}

/* Bytes in VRAM, of all address spaces: the last that each one said */
static void follow_vram(struct model *model)
{
	const struct trace *trace = model->trace;
	uint64_t *last = calloc(trace->num_sources + 1, sizeof(*last)), sum = 0;

	model->vram = calloc(trace->num_records + 1, sizeof(*model->vram));
	if (!last || !model->vram)
		err(EXIT_FAILURE, "no memory");
	for (size_t i = 0; i < trace->num_records; i++) {
		const struct record *r = &trace->records[i];

		/* other records do not tell it */
		if (way_of(&r->e) != NUM_WAYS && way_of(&r->e) != WAY_FAULTS) {
			sum += r->e.vram - last[r->source];
			last[r->source] = r->e.vram;
		}
		model->vram[i] = sum;
		if (sum > model->vram_most)
			model->vram_most = sum;
	}
	free(last);
	for (unsigned int i = 0; i < trace->num_sources; i++)
		if (trace->sources[i].vram_size > model->vram_size)
			model->vram_size = trace->sources[i].vram_size;
}

void model_make(struct model *model, const struct trace *trace)
{
	*model = (struct model) { .trace = trace };
	find_ranges(model);
	for (size_t i = 0; i < trace->num_records; i++) {
		add_total(model, &trace->records[i]);
		model_split(model, &trace->records[i], follow_part, model);
	}
	follow_vram(model);
	findings_make(model);
}

void model_free(struct model *model)
{
	free(model->ranges);
	free(model->vram);
}

/* Numbers */

static char *next_buffer(size_t *size)
{
	static char buffers[6][32];
	static unsigned int next;

	*size = sizeof(buffers[0]);
	return buffers[next++ % 6];
}

const char *show_bytes(uint64_t bytes)
{
	static const char * const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double value = bytes;
	unsigned int i = 0;
	size_t size;
	char *text = next_buffer(&size);

	for (; value >= 1024 && i < 4; i++)
		value /= 1024;
	snprintf(text, size, value == (uint64_t)value || value >= 100 ? "%.0f %s" : "%.1f %s",
		 value, units[i]);
	return text;
}

const char *show_ns(uint64_t ns)
{
	size_t size;
	char *text = next_buffer(&size);

	if (ns < 1000)
		snprintf(text, size, "%" PRIu64 " ns", ns);
	else if (ns < 1000000)
		snprintf(text, size, "%.1f us", ns / 1e3);
	else if (ns < 1000000000)
		snprintf(text, size, "%.1f ms", ns / 1e6);
	else
		snprintf(text, size, "%.2f s", ns / 1e9);
	return text;
}
