// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "findings.h"
#include "model.h"

/* Without a prefetch call, more GPU faults than this are a finding. */
#define MANY_FAULTS	1000

__attribute__((format(printf, 3, 4)))
static void find(struct model *model, bool bad, const char *format, ...)
{
	struct finding *finding = &model->findings[model->num_findings];
	va_list args;

	if (model->num_findings == MAX_FINDINGS)
		return;
	finding->bad = bad;
	va_start(args, format);
	vsnprintf(finding->text, sizeof(finding->text), format, args);
	va_end(args);
	model->num_findings++;
}

/* Ranges to which something came back, how much, and how often to the worst of them */
struct returns {
	size_t ranges;
	uint64_t bytes;
	uint64_t most;
};

static void add_return(struct returns *returns, const struct range *range, uint64_t back)
{
	uint64_t trips = range_trips(range, back);

	returns->ranges += trips > 0;
	returns->bytes += back;
	if (trips > returns->most)
		returns->most = trips;
}

static void find_return(struct model *model, const struct returns *returns,
			const char *what, const char *why)
{
	if (returns->bytes)
		find(model, true, "%s %s, in %zu ranges of 2 MiB, up to %" PRIu64 " times. %s",
		     show_bytes(returns->bytes), what, returns->ranges, returns->most, why);
}

static void find_returns(struct model *model)
{
	struct returns room = {}, cpu = {};

	for (size_t i = 0; i < model->num_ranges; i++) {
		const struct range *range = &model->ranges[i];

		add_return(&room, range, range->back_room);
		add_return(&cpu, range, range->back_cpu);
	}
	find_return(model, &room, "were evicted to make room and brought back later",
		    "The program uses more at a time than fits into VRAM.");
	find_return(model, &cpu,
		    "went to system memory because the CPU touched them, and came back",
		    "CPU and GPU take turns there.");
}

static uint64_t count_errors(const struct model *model, enum way way, int err)
{
	uint64_t n = 0;

	for (size_t i = 0; i < model->trace->num_records; i++) {
		const struct drm_svm_event *e = &model->trace->records[i].e;

		n += way_of(e) == way && e->err == err;
	}
	return n;
}

static void find_failures(struct model *model)
{
	const struct total *gpu = &model->totals[WAY_FAULTS][DRM_SVM_CAUSE_GPU_FAULT];
	const struct total *bad = &model->totals[WAY_EVICTED][DRM_SVM_CAUSE_BAD_PAGE];
	uint64_t full = count_errors(model, WAY_TO_VRAM, -ENOSPC);

	if (full)
		find(model, true, "%" PRIu64 " times there was no room in VRAM: nothing that was there could leave. These pages stayed in system memory.",
		     full);
	if (gpu->failed)
		find(model, true, "%" PRIu64 " GPU faults failed: the GPU may not use these addresses, or there was no memory.",
		     gpu->failed);
	if (bad->records)
		find(model, true, "%" PRIu64 " times a page of VRAM broke.", bad->records);
}

static void find_costs(struct model *model)
{
	struct total home = model->totals[WAY_HOME][DRM_SVM_CAUSE_CPU_FAULT];
	struct total moved = model->totals[WAY_TO_VRAM][DRM_SVM_CAUSE_GPU_FAULT];
	uint64_t span = model->trace->end - model->trace->begin;
	struct total faults = model_sum(model, WAY_FAULTS);

	if (home.ns > span / 10)
		find(model, true, "CPU threads waited %s for %" PRIu64 " copies from VRAM; the trace is %s long.",
		     show_ns(home.ns), home.records, show_ns(span));
	if (faults.records > MANY_FAULTS && !model_sum(model, WAY_PREFETCHES).records)
		find(model, false, "The GPU made %" PRIu64 " faults, which moved %s piece by piece. The program never calls prefetch, which moves memory before the GPU uses it.",
		     faults.records, show_bytes(moved.bytes));
}

static void find_gaps(struct model *model)
{
	uint64_t lost = trace_lost(model->trace);
	unsigned int open = 0;

	for (unsigned int i = 0; i < model->trace->num_sources; i++)
		open += !model->trace->sources[i].complete;
	if (lost)
		find(model, false, "%" PRIu64 " records are missing: the sums are lower bounds, and the map may show memory in VRAM that has left it.",
		     lost);
	if (open)
		find(model, false, "The last records of %u address spaces are missing, because the process was killed or became another program.",
		     open);
}

void findings_make(struct model *model)
{
	find_returns(model);
	find_failures(model);
	find_costs(model);
	if (!model->num_findings)
		find(model, false, "Nothing that left VRAM came back: svm-trace sees no reason why the program would be slow.");
	find_gaps(model);
}
