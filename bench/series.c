// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "series.h"

static const char * const side_names[NUM_SIDES] = { "floor", "drm_gpusvm", "drm_svm" };

static const char * const figure_names[] = {
	[FIGURE_INSNS] = "insns",
	[FIGURE_SERVICE] = "service",
	[FIGURE_BYTES] = "bytes",
};

/* Counters that say how the work was done */
static const struct {
	const char *name;
	enum drm_svm_counter counter;
} counters[] = {
	{ "faults", DRM_SVM_COUNTER_FAULTS },
	{ "duplicates", DRM_SVM_COUNTER_DUPLICATES },
	{ "batches", DRM_SVM_COUNTER_BATCHES },
	{ "walks", DRM_SVM_COUNTER_WALKS },
	{ "retries", DRM_SVM_COUNTER_RETRIES },
	{ "mapped", DRM_SVM_COUNTER_PAGES_MAPPED },
	{ "invalidations", DRM_SVM_COUNTER_INVALIDATIONS },
	{ "flushes", DRM_SVM_COUNTER_FLUSHES },
	{ "in", DRM_SVM_COUNTER_VRAM_PAGES_IN },
	{ "out", DRM_SVM_COUNTER_VRAM_PAGES_OUT },
};

const char *side_name(enum side side)
{
	return side_names[side];
}

void series_add(struct series *series, const struct sample *s)
{
	if (series->seen++ && series->n < SERIES_MAX)
		series->samples[series->n++] = *s;
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

static void sorted(const struct series *series, size_t offset, uint64_t *values)
{
	unsigned int i;

	for (i = 0; i < series->n; i++)
		values[i] = *(const uint64_t *)((const char *)&series->samples[i] + offset);
	qsort(values, series->n, sizeof(*values), compare);
}

static uint64_t median(const uint64_t *sorted, unsigned int n)
{
	uint64_t low = sorted[(n - 1) / 2], high = sorted[n / 2];

	return low + (high - low) / 2;
}

static void print_counters(const struct sample *s)
{
	unsigned int i;

	for (i = 0; i < sizeof(counters) / sizeof(*counters); i++) {
		uint64_t value = s->counters.v[counters[i].counter];

		if (value)
			printf(",\"%s\":%" PRIu64, counters[i].name, value);
	}
}

static void print_head(enum side side, const char *name)
{
	printf("{\"case\":\"%s\",\"side\":\"%s\"", name, side_names[side]);
}

void series_print(const struct series *series, enum side side, enum figure figure,
		  const char *name, ...)
{
	uint64_t values[SERIES_MAX];
	char full[64];
	va_list args;

	if (!series->n)
		return;
	va_start(args, name);
	vsnprintf(full, sizeof(full), name, args);
	va_end(args);
	print_head(side, full);
	sorted(series, offsetof(struct sample, figure), values);
	printf(",\"by\":\"%s\",\"n\":%u,\"%s\":%" PRIu64 ",\"min\":%" PRIu64 ",\"max\":%" PRIu64,
	       figure_names[figure], series->n, figure == FIGURE_BYTES ? "bytes" : "insns",
	       median(values, series->n), values[0], values[series->n - 1]);
	sorted(series, offsetof(struct sample, service), values);
	printf(",\"service\":%" PRIu64 ",\"pages\":%" PRIu64, median(values, series->n),
	       series->samples[0].pages);
	sorted(series, offsetof(struct sample, waited), values);
	printf(",\"waited\":%" PRIu64, median(values, series->n));
	print_counters(&series->samples[series->n - 1]);
	printf("}\n");
	fflush(stdout);
}

void series_print_errno(enum side side, const char *name, int error)
{
	print_head(side, name);
	printf(",\"errno\":%d}\n", error);
	fflush(stdout);
}
