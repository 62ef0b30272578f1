// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <drm/drm_svm.h>

#include "ui.h"

struct counter {
	size_t offset;
	const char *name;
	const char *one, *many;		/* in a sentence, after the number */
	const char *meaning;
};

#define COUNTER(field, one, many, meaning) \
	{ offsetof(struct drm_svm_counters, out_##field), #field, one, many, meaning }

#define VRAM_PREFIX	"vram_"

static const struct counter counters[] = {
	COUNTER(faults, "fault", "faults",
		"accesses that found no translation"),
	COUNTER(duplicates, "of them a duplicate", "of them duplicates",
		"faults that another fault had served"),
	COUNTER(batches, "batch", "batches",
		"groups in which faults were served"),
	COUNTER(retries, "try repeated", "tries repeated",
		"the CPU changed the page meanwhile: again"),
	COUNTER(waits, "fault had to wait", "faults had to wait",
		"left to a thread that may wait for I/O"),
	COUNTER(failed, "fault refused", "faults refused",
		"what the CPU may not do either"),
	COUNTER(walks, "walk", "walks",
		"walks of the CPU's page table"),
	COUNTER(pages_mapped, "page mapped", "pages mapped",
		"entries written to the GPU's page table"),
	COUNTER(pages_unmapped, "page taken away", "pages taken away",
		"entries cleared again"),
	COUNTER(invalidations, "change by the CPU", "changes by the CPU",
		"changes that met a page of the GPU's"),
	COUNTER(flushes, "TLB flush", "TLB flushes",
		"old translations thrown out of the GPU"),
	COUNTER(vram_pages_in, "page to VRAM", "pages to VRAM",
		"pages that came to VRAM"),
	COUNTER(vram_pages_out, "page home", "pages home",
		"pages that went home, whoever wanted it"),
	COUNTER(vram_cpu_faults, "CPU fault on VRAM", "CPU faults on VRAM",
		"accesses of the CPU to what was in VRAM"),
	COUNTER(vram_evictions, "eviction", "evictions",
		"times that pages had to make room"),
	COUNTER(vram_evicted_pages, "page evicted", "pages evicted",
		"pages that went home for that"),
	COUNTER(vram_busy, "page not to be had", "pages not to be had",
		"not moved to VRAM: pinned, locked, raced"),
	COUNTER(vram_no_space, "page without room", "pages without room",
		"not moved to VRAM: it was full"),
	COUNTER(vram_failed, "page that failed", "pages that failed",
		"not moved: no RAM, or a copy failed"),
	{ }
};

static uint64_t value(const struct drm_svm_counters *c, const struct counter *which)
{
	uint64_t v;

	memcpy(&v, (const char *)c + which->offset, sizeof(v));
	return v;
}

/* Those whose name begins with @prefix. */
static void counted(const struct drm_svm_counters *before,
		    const struct drm_svm_counters *after, const char *prefix,
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

void ui_counted(const struct drm_svm_counters *before,
		const struct drm_svm_counters *after)
{
	counted(before, after, "", "nothing, no fault and no change");
}

void ui_counted_vram(const struct drm_svm_counters *before,
		     const struct drm_svm_counters *after)
{
	counted(before, after, VRAM_PREFIX, "nothing moved");
}

static void name_zeros(const struct drm_svm_counters *counts)
{
	const struct counter *c;
	char line[512] = "";
	size_t len = 0;

	for (c = counters; c->name; c++)
		if (!value(counts, c))
			len += snprintf(line + len, sizeof(line) - len, " %s", c->name);
	ui_text("zero:%s", line);
}

void ui_counters_table(const struct drm_svm_counters *before,
		       const struct drm_svm_counters *after)
{
	const struct counter *c;

	printf("   %-18s %7s %7s  %s\n", "counter", "before", "after", "what it counts");
	for (c = counters; c->name; c++)
		if (value(after, c))
			printf("   %-18s %7" PRIu64 " %7" PRIu64 "  %s\n", c->name,
			       value(before, c), value(after, c), c->meaning);
	name_zeros(after);
}
