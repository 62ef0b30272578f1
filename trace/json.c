// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdlib.h>

#include "json.h"

/*
 * Each way that pages go is a track of its process, and has more tracks for what overlaps. A
 * record without a duration is an instant.
 */

#define LANES	8

struct json {
	FILE *out;
	const struct model *model;
	const char *comma;
	uint64_t busy[NUM_WAYS][LANES];	/* until when a track is taken */
	bool named[NUM_WAYS][LANES];
};

static void write_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		unsigned char c = *text;

		/* bytes that are no ASCII may be no UTF-8 either */
		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < ' ' || c > '~')
			fprintf(out, "\\u%04x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

static void next_event(struct json *json)
{
	fprintf(json->out, "%s\n", json->comma);
	json->comma = ",";
}

/* Microseconds since the beginning */
static void write_us(FILE *out, const char *name, uint64_t ns)
{
	fprintf(out, "\"%s\":%" PRIu64 ".%03u", name, ns / 1000, (unsigned int)(ns % 1000));
}

static unsigned int track(enum way way, unsigned int lane)
{
	return 1 + way * LANES + lane;
}

/* Of all processes, because any of them may use it */
static void name_track(struct json *json, enum way way, unsigned int lane)
{
	if (json->named[way][lane])
		return;
	json->named[way][lane] = true;
	for (unsigned int i = 0; i < json->model->trace->num_sources; i++) {
		next_event(json);
		fprintf(json->out,
			"{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":%u,\"tid\":%u,\"args\":{\"name\":\"%s\"}}",
			json->model->trace->sources[i].pid, track(way, lane), way_name(way));
	}
}

/* The first track on which nothing goes on at @start, or the last one */
static unsigned int find_lane(struct json *json, enum way way, uint64_t start, uint64_t end)
{
	unsigned int lane = 0;

	while (lane < LANES - 1 && json->busy[way][lane] > start)
		lane++;
	json->busy[way][lane] = end;
	return lane;
}

static void write_args(struct json *json, const struct record *r)
{
	FILE *out = json->out;

	fprintf(out, "\"args\":{\"start\":\"0x%" PRIx64 "\",\"size\":%" PRIu64,
		(uint64_t)r->e.start, (uint64_t)r->e.size);
	fprintf(out, ",\"pages\":%u,\"bytes\":%" PRIu64, r->e.pages,
		trace_bytes(json->model->trace, r));
	fprintf(out, ",\"cause\":\"%s\",\"from\":\"%s\",\"to\":\"%s\"",
		trace_cause_name(r->e.cause), trace_location_name(r->e.from),
		trace_location_name(r->e.to));
	fprintf(out, ",\"err\":%d,\"lost\":%u}}", r->e.err, r->e.lost);
}

static void write_record(struct json *json, const struct record *r)
{
	const struct trace *trace = json->model->trace;
	uint64_t end = r->e.time - trace->begin, ns = r->e.duration;
	uint32_t pid = trace->sources[r->source].pid;
	enum way way = way_of(&r->e);
	unsigned int lane;

	if (way == NUM_WAYS)
		return;
	ns = ns < end ? ns : end;
	lane = find_lane(json, way, end - ns, end);
	name_track(json, way, lane);
	next_event(json);
	fprintf(json->out, "{\"name\":\"%s: %s\",\"cat\":\"%s\",\"pid\":%u,\"tid\":%u,",
		way_name(way), trace_cause_name(r->e.cause), way_name(way), pid,
		track(way, lane));
	write_us(json->out, "ts", end - ns);
	if (ns) {
		fprintf(json->out, ",\"ph\":\"X\",");
		write_us(json->out, "dur", ns);
	} else {
		fprintf(json->out, ",\"ph\":\"i\",\"s\":\"t\"");
	}
	fputc(',', json->out);
	write_args(json, r);
}

/* The bytes in VRAM, as a curve */
static void write_vram(struct json *json, const struct record *r)
{
	const struct trace *trace = json->model->trace;

	if (way_of(&r->e) > WAY_EVICTED)
		return;
	next_event(json);
	fprintf(json->out, "{\"name\":\"VRAM\",\"ph\":\"C\",\"pid\":%u,\"id\":%u,",
		trace->sources[r->source].pid, r->source);
	write_us(json->out, "ts", r->e.time - trace->begin);
	fprintf(json->out, ",\"args\":{\"bytes\":%" PRIu64 "}}", (uint64_t)r->e.vram);
}

static void write_processes(struct json *json)
{
	const struct trace *trace = json->model->trace;

	for (unsigned int i = 0; i < trace->num_sources; i++) {
		next_event(json);
		fprintf(json->out, "{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":%u,\"args\":{\"name\":",
			trace->sources[i].pid);
		write_string(json->out, trace->sources[i].program);
		fprintf(json->out, "}}");
	}
}

/* Sums of all records, also of those that are left out */
static void write_sums(struct json *json, size_t omitted)
{
	const struct model *model = json->model;
	const struct trace *trace = model->trace;

	fprintf(json->out, "{\"displayTimeUnit\":\"ns\",\n\"otherData\":{\"command\":");
	write_string(json->out, trace->command);
	fprintf(json->out, ",\n\"ns\":%" PRIu64 ",\"records\":%zu,\"missing\":%" PRIu64 ",\"omitted\":%zu",
		trace->end - trace->begin, trace->num_records, trace_lost(trace), omitted);
	for (enum way way = 0; way < NUM_WAYS; way++) {
		struct total sum = model_sum(model, way);

		fprintf(json->out,
			",\n\"%s\":{\"records\":%" PRIu64 ",\"failed\":%" PRIu64
			",\"pages\":%" PRIu64 ",\"ns\":%" PRIu64 "}",
			way_name(way), sum.records, sum.failed, sum.pages, sum.ns);
	}
	fprintf(json->out, "},\n\"traceEvents\":[");
}

/* GPU faults are most, and are left out first. */
static bool is_kept(const struct record *r, size_t n, size_t most, size_t *written)
{
	if (n > most && r->e.type == DRM_SVM_EVENT_FAULT)
		return false;
	return (*written)++ < most;
}

void json_write(FILE *out, const struct model *model, size_t most)
{
	struct json json = { .out = out, .model = model, .comma = "" };
	const struct trace *trace = model->trace;
	size_t written = 0, omitted = 0;

	for (size_t i = 0; i < trace->num_records; i++)
		omitted += !is_kept(&trace->records[i], trace->num_records, most, &written);
	written = 0;
	write_sums(&json, omitted);
	write_processes(&json);
	for (size_t i = 0; i < trace->num_records; i++) {
		if (!is_kept(&trace->records[i], trace->num_records, most, &written))
			continue;
		write_record(&json, &trace->records[i]);
		write_vram(&json, &trace->records[i]);
	}
	fprintf(out, "\n]}\n");
}
