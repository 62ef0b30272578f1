// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdlib.h>

#include "text.h"

#define MOST_WORST	5

static void write_total(FILE *out, const char *way, const char *cause, const struct total *t)
{
	fprintf(out, "  %-18s %-16s %9" PRIu64 " %7" PRIu64 " %10" PRIu64 " %11s %10s\n", way,
		cause, t->records, t->failed, t->pages, show_bytes(t->bytes),
		t->ns ? show_ns(t->ns) : "-");
}

static void write_totals(FILE *out, const struct model *model)
{
	fprintf(out, "  %-18s %-16s %9s %7s %10s %11s %10s\n", "pages", "cause", "records",
		"failed", "pages", "bytes", "time");
	for (enum way way = 0; way < NUM_WAYS; way++)
		for (unsigned int cause = 0; cause < CAUSES; cause++)
			if (model->totals[way][cause].records)
				write_total(out, way_name(way), trace_cause_name(cause),
					    &model->totals[way][cause]);
}

static void write_worst(FILE *out, const struct model *model)
{
	size_t n = MOST_WORST, *worst = model_worst(model, &n);

	if (n)
		fprintf(out, "  Ranges of 2 MiB to which most came back:\n");
	for (size_t i = 0; i < n; i++) {
		const struct range *range = &model->ranges[worst[i]];

		fprintf(out, "    %#14" PRIx64 "  %s in all, %s of it after it made room, %s after the CPU touched it\n",
			range->addr, show_bytes(range->in), show_bytes(range->back_room),
			show_bytes(range->back_cpu));
	}
	free(worst);
}

void text_write(FILE *out, const struct model *model)
{
	const struct trace *trace = model->trace;

	fprintf(out, "svm-trace: %s, %zu records, %" PRIu64 " missing; VRAM: at most %s",
		show_ns(trace->end - trace->begin), trace->num_records, trace_lost(trace),
		show_bytes(model->vram_most));
	if (model->vram_size)
		fprintf(out, " of %s", show_bytes(model->vram_size));
	fprintf(out, "\n");
	write_totals(out, model);
	write_worst(out, model);
	for (unsigned int i = 0; i < model->num_findings; i++)
		fprintf(out, "%s %s\n", model->findings[i].bad ? "!" : " ",
			model->findings[i].text);
}
