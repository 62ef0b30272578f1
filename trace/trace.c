// SPDX-License-Identifier: MIT
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "raw.h"
#include "trace.h"

static void *grow(void *array, size_t n, size_t size)
{
	array = reallocarray(array, n, size);
	if (!array)
		err(EXIT_FAILURE, "no memory");
	return array;
}

static void add_record(struct trace *trace, const struct drm_svm_event *event,
		       unsigned int source)
{
	struct source *s = &trace->sources[source];

	if (event->type == TRACE_END) {
		s->complete = true;
		s->dropped = event->size;
		return;
	}
	s->lost += event->lost;
	if (trace->num_records == trace->room) {
		trace->room = trace->room ? 2 * trace->room : 4096;
		trace->records = grow(trace->records, trace->room, sizeof(*trace->records));
	}
	trace->records[trace->num_records++] = (struct record) { *event, source };
}

static unsigned int add_source(struct trace *trace, const struct trace_head *head)
{
	struct source *s;

	trace->sources = grow(trace->sources, trace->num_sources + 1, sizeof(*s));
	s = &trace->sources[trace->num_sources];
	*s = (struct source) {
		.pid = head->pid,
		.page_size = head->page_size,
		.vram_size = head->vram_size,
		.attached = head->time,
	};
	snprintf(s->driver, sizeof(s->driver), "%s", head->driver);
	snprintf(s->program, sizeof(s->program), "%s", head->program);
	return trace->num_sources++;
}

static bool is_head(const struct trace_head *head)
{
	return head->magic == TRACE_MAGIC && head->page_size &&
	       head->event_size >= sizeof(struct drm_svm_event) && head->event_size <= 4096 &&
	       !head->driver[sizeof(head->driver) - 1] &&
	       !head->program[sizeof(head->program) - 1];
}

void trace_load(struct trace *trace, const char *path)
{
	FILE *file = fopen(path, "re");
	struct drm_svm_event event;
	struct trace_head head;
	unsigned int source;
	char buffer[4096];

	if (!file) {
		warn("%s", path);
		return;
	}
	if (fread(&head, sizeof(head), 1, file) == 1 && is_head(&head)) {
		source = add_source(trace, &head);
		/* a record that was cut off by the end of the program is left */
		while (fread(buffer, head.event_size, 1, file) == 1) {
			memcpy(&event, buffer, sizeof(event));
			add_record(trace, &event, source);
		}
	} else {
		warnx("%s: not a file of svm-trace", path);
	}
	fclose(file);
}

static int by_time(const void *a, const void *b)
{
	const struct record *x = a, *y = b;

	if (x->e.time != y->e.time)
		return x->e.time < y->e.time ? -1 : 1;
	return (int)x->source - (int)y->source;
}

void trace_sort(struct trace *trace)
{
	trace->begin = UINT64_MAX;
	for (unsigned int i = 0; i < trace->num_sources; i++)
		if (trace->sources[i].attached < trace->begin)
			trace->begin = trace->sources[i].attached;
	if (!trace->num_sources)
		trace->begin = 0;
	trace->end = trace->begin + 1;
	if (!trace->num_records)
		return;
	/* the records of one address space are in order already */
	if (trace->num_sources > 1)
		qsort(trace->records, trace->num_records, sizeof(*trace->records), by_time);
	if (trace->records[0].e.time < trace->begin)
		trace->begin = trace->records[0].e.time;
	if (trace->records[trace->num_records - 1].e.time > trace->end)
		trace->end = trace->records[trace->num_records - 1].e.time;
}

void trace_free(struct trace *trace)
{
	free(trace->sources);
	free(trace->records);
}

const char *trace_cause_name(uint32_t cause)
{
	static const char * const names[CAUSES] = {
		[DRM_SVM_CAUSE_NONE] = "none",
		[DRM_SVM_CAUSE_GPU_FAULT] = "GPU fault",
		[DRM_SVM_CAUSE_GPU_AHEAD] = "GPU fault ahead",
		[DRM_SVM_CAUSE_CPU_FAULT] = "CPU fault",
		[DRM_SVM_CAUSE_PREFETCH] = "prefetch",
		[DRM_SVM_CAUSE_ROOM] = "room for others",
		[DRM_SVM_CAUSE_SUSPEND] = "suspend",
		[DRM_SVM_CAUSE_DRIVER] = "the driver",
		[DRM_SVM_CAUSE_BAD_PAGE] = "broken VRAM",
	};

	return cause < CAUSES ? names[cause] : "unknown";
}

const char *trace_location_name(uint32_t location)
{
	static const char * const names[] = {
		[DRM_SVM_LOCATION_NONE] = "nowhere",
		[DRM_SVM_LOCATION_SYSTEM] = "system",
		[DRM_SVM_LOCATION_VRAM] = "VRAM",
		[DRM_SVM_LOCATION_PEER] = "other VRAM",
	};

	return location < sizeof(names) / sizeof(*names) ? names[location] : "unknown";
}
