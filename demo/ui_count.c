// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <drm/drm_svm.h>

#include "ui.h"

struct counter {
	enum drm_svm_counter counter;
	const char *name;
	const char *one, *many;		/* in a sentence, after the number */
	const char *meaning;
};

#define COUNTER(id, name, one, many, meaning) \
	{ DRM_SVM_COUNTER_##id, name, one, many, meaning }

#define VRAM_PREFIX	"vram_"

static const struct counter counters[] = {
	COUNTER(FAULTS, "faults", "fault", "faults",
		"accesses that found no translation"),
	COUNTER(DUPLICATES, "duplicates", "of them a duplicate", "of them duplicates",
		"faults that another fault had served"),
	COUNTER(BATCHES, "batches", "batch", "batches",
		"groups in which faults were served"),
	COUNTER(RETRIES, "retries", "try repeated", "tries repeated",
		"the CPU changed the page meanwhile: again"),
	COUNTER(WAITS, "waits", "fault had to wait", "faults had to wait",
		"left to a thread that may wait for I/O"),
	COUNTER(FAILED, "failed", "fault refused", "faults refused",
		"what the CPU may not do either"),
	COUNTER(WALKS, "walks", "walk", "walks",
		"walks of the CPU's page table"),
	COUNTER(PAGES_MAPPED, "pages_mapped", "page mapped", "pages mapped",
		"entries written to the GPU's page table"),
	COUNTER(PAGES_UNMAPPED, "pages_unmapped", "page taken away", "pages taken away",
		"entries cleared again"),
	COUNTER(INVALIDATIONS, "invalidations", "change by the CPU", "changes by the CPU",
		"changes that met a page of the GPU's"),
	COUNTER(FLUSHES, "flushes", "TLB flush", "TLB flushes",
		"old translations thrown out of the GPU"),
	COUNTER(VRAM_PAGES_IN, "vram_pages_in", "page to VRAM", "pages to VRAM",
		"pages that came to VRAM"),
	COUNTER(VRAM_PAGES_OUT, "vram_pages_out", "page home", "pages home",
		"pages that went home, whoever wanted it"),
	COUNTER(VRAM_CPU_FAULTS, "vram_cpu_faults", "CPU fault on VRAM", "CPU faults on VRAM",
		"accesses of the CPU to what was in VRAM"),
	COUNTER(VRAM_EVICTIONS, "vram_evictions", "eviction", "evictions",
		"times that pages had to make room"),
	COUNTER(VRAM_EVICTED_PAGES, "vram_evicted_pages", "page evicted", "pages evicted",
		"pages that went home for that"),
	COUNTER(VRAM_BUSY, "vram_busy", "page not to be had", "pages not to be had",
		"not moved to VRAM: pinned, locked, raced"),
	COUNTER(VRAM_NO_SPACE, "vram_no_space", "page without room", "pages without room",
		"not moved to VRAM: it was full"),
	COUNTER(VRAM_FAILED, "vram_failed", "page that failed", "pages that failed",
		"not moved: no RAM, or a copy failed"),
	{ }
};

static uint64_t value(const struct client_counts *c, const struct counter *which)
{
	return c->v[which->counter];
}

/* Those whose name begins with @prefix. */
static void counted(const struct client_counts *before,
		    const struct client_counts *after, const char *prefix,
		    const char *nothing)
{
	char line[1024] = "";
	size_t i, len = 0;

	for (i = 0; counters[i].name; i++) {
		uint64_t n = value(after, &counters[i]) - value(before, &counters[i]);

		if (n && !strncmp(counters[i].name, prefix, strlen(prefix)))
			len += snprintf(line + len, sizeof(line) - len,
					"%s%" PRIu64 " %s", len ? ", " : "", n,
					n == 1 ? counters[i].one : counters[i].many);
	}
	ui_text("counted: %s", len ? line : nothing);
}

void ui_counted(const struct client_counts *before,
		const struct client_counts *after)
{
	counted(before, after, "", "nothing, no fault and no change");
}

void ui_counted_vram(const struct client_counts *before,
		     const struct client_counts *after)
{
	counted(before, after, VRAM_PREFIX, "nothing moved");
}

static void name_zeros(const struct client_counts *counts)
{
	const struct counter *c;
	char line[512] = "";
	size_t len = 0;

	for (c = counters; c->name; c++)
		if (!value(counts, c))
			len += snprintf(line + len, sizeof(line) - len, " %s", c->name);
	ui_text("zero:%s", line);
}

void ui_counters_table(const struct client_counts *before,
		       const struct client_counts *after)
{
	const struct counter *c;

	printf("   %-18s %7s %7s  %s\n", "counter", "before", "after", "what it counts");
	for (c = counters; c->name; c++)
		if (value(after, c))
			printf("   %-18s %7" PRIu64 " %7" PRIu64 "  %s\n", c->name,
			       value(before, c), value(after, c), c->meaning);
	name_zeros(after);
}
