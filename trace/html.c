// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdlib.h>

#include "html.h"

#define TICKS		6
#define MOST_WORST	12

void html_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = *text;

		/* neither control characters, nor what may be no UTF-8 */
		if (c == '<' || c == '>' || c == '&' || c == '"' || c == '\'')
			fprintf(out, "&#%u;", c);
		else
			fputc(c < ' ' || c > '~' ? '?' : c, out);
	}
}

static void write_head(FILE *out, const struct model *model)
{
	const struct trace *trace = model->trace;

	fputs("<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n<title>svm-trace: ",
	      out);
	html_text(out, trace->command);
	fprintf(out, "</title>\n<style>\n%s</style>\n</head>\n<body data-ns=\"%" PRIu64 "\">\n<h1>",
		page_style, trace->end - trace->begin);
	html_text(out, trace->command);
	fprintf(out, "</h1>\n<p class=\"sub\">%s, %zu records, %" PRIu64 " missing. VRAM: at most %s",
		show_ns(trace->end - trace->begin), trace->num_records, trace_lost(trace),
		show_bytes(model->vram_most));
	if (model->vram_size)
		fprintf(out, " of %s", show_bytes(model->vram_size));
	for (unsigned int i = 0; i < trace->num_sources && i < 4; i++) {
		fprintf(out, "; process %u: ", trace->sources[i].pid);
		html_text(out, trace->sources[i].program);
		fputs(" on ", out);
		html_text(out, trace->sources[i].driver);
	}
	fputs(".</p>\n", out);
}

static void write_findings(FILE *out, const struct model *model)
{
	fputs("<ul class=\"findings\">\n", out);
	for (unsigned int i = 0; i < model->num_findings; i++) {
		fprintf(out, "<li class=\"%s\">", model->findings[i].bad ? "bad" : "note");
		html_text(out, model->findings[i].text);
		fputs("</li>\n", out);
	}
	fputs("</ul>\n", out);
}

static void write_axis(FILE *out, const struct model *model)
{
	uint64_t span = model->trace->end - model->trace->begin;

	fputs("<div class=\"row\"><div class=\"label\">wheel: zoom; drag: move; double click: all</div><div class=\"axis\">",
	      out);
	for (unsigned int i = 0; i < TICKS; i++)
		fprintf(out, "<span style=\"left:%u%%\">%s</span>", i * 100 / TICKS,
			show_ns(span * i / TICKS));
	fputs("</div></div>\n", out);
}

static void write_totals(FILE *out, const struct model *model)
{
	fputs("<h2>Causes</h2>\n<table>\n", out);
	fputs("<tr><th>pages</th><th>cause</th><th>records</th><th>with an error</th>", out);
	fputs("<th>pages</th><th>bytes</th><th>time</th></tr>\n", out);
	for (enum way way = 0; way < NUM_WAYS; way++) {
		for (unsigned int cause = 0; cause < CAUSES; cause++) {
			const struct total *t = &model->totals[way][cause];

			if (!t->records)
				continue;
			fprintf(out,
				"<tr><td>%s</td><td>%s</td><td>%" PRIu64 "</td><td>%" PRIu64
				"</td><td>%" PRIu64 "</td><td>%s</td><td>%s</td></tr>\n",
				way_name(way), trace_cause_name(cause), t->records, t->failed,
				t->pages, show_bytes(t->bytes), t->ns ? show_ns(t->ns) : "-");
		}
	}
	fputs("</table>\n", out);
}

static void write_worst(FILE *out, const struct model *model)
{
	size_t n = MOST_WORST, *worst = model_worst(model, &n);

	if (n) {
		fputs("<h2>Ranges to which most came back</h2>\n<table>\n", out);
		fputs("<tr><th>address</th><th>process</th><th>to VRAM in all</th>", out);
		fputs("<th>came back after making room</th><th>times</th>", out);
		fputs("<th>came back after the CPU</th><th>times</th><th>GPU faults</th></tr>\n",
		      out);
	}
	for (size_t i = 0; i < n; i++) {
		const struct range *range = &model->ranges[worst[i]];

		fprintf(out,
			"<tr><td>%#" PRIx64 "</td><td>%u</td><td>%s</td><td>%s</td><td>%" PRIu64
			"</td><td>%s</td><td>%" PRIu64 "</td><td>%" PRIu64 "</td></tr>\n",
			range->addr, model->trace->sources[range->source].pid,
			show_bytes(range->in), show_bytes(range->back_room),
			range_trips(range, range->back_room), show_bytes(range->back_cpu),
			range_trips(range, range->back_cpu), range->faults);
	}
	if (n)
		fputs("</table>\n", out);
	free(worst);
}

void html_write(FILE *out, const struct model *model)
{
	write_head(out, model);
	write_findings(out, model);
	write_axis(out, model);
	charts_write(out, model);
	map_write(out, model);
	write_totals(out, model);
	write_worst(out, model);
	fprintf(out, "<div id=\"tip\"></div>\n<script>\n//<![CDATA[\n%s//]]>\n</script>\n</body>\n</html>\n",
		page_script);
}
