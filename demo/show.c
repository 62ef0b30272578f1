// SPDX-License-Identifier: MIT
#include <err.h>
#include <stdlib.h>

#include "show.h"
#include "ui.h"

struct show *show_begin(struct gpu *gpu, struct timeline *timeline,
			const char *title, size_t size)
{
	struct show *show = calloc(1, sizeof(*show));

	if (!show)
		errx(EXIT_FAILURE, "out of memory");
	show->gpu = gpu;
	show->timeline = timeline;
	buffer_create(&show->buffer, gpu, size / gpu->range_size);
	timeline_begin(timeline, gpu, title, show->buffer.start, show->buffer.size);
	ui_timeline_scale(timeline);
	return show;
}

/* Compares all of the buffer with what it should be, and moves nothing for it. */
static void check(struct show *show, const char *label)
{
	const struct timeline *timeline = show->timeline;
	struct buffer *buffer = &show->buffer;

	buffer_read_in_place(buffer, timeline->rows[timeline->num_rows - 1].pages);
	if (!buffer->cpu_read && !buffer->gpu_read)
		return;
	show->steps[show->num_steps++] = (struct show_step) {
		.label = label,
		.cpu_read = buffer->cpu_read,
		.gpu_read = buffer->gpu_read,
		.wrong = buffer->wrong,
	};
	buffer->cpu_read = 0;
	buffer->gpu_read = 0;
	buffer->wrong = 0;
}

void show_step(struct show *show, const char *label, show_action_fn action,
	       size_t first, size_t n, unsigned int rows)
{
	unsigned int i;

	for (i = 0; i < rows; i++) {
		action(show, first + n / rows * i, n / rows);
		timeline_add(show->timeline, show->gpu, i ? NULL : label);
		ui_timeline_row(show->timeline, show->timeline->num_rows - 1);
	}
	check(show, label);
}

static void compare_step(const struct show_step *step)
{
	ui_agree(!step->wrong, "%-12s %5zu pages read by the GPU, %5zu by the CPU, %zu wrong",
		 step->label, step->gpu_read, step->cpu_read, step->wrong);
}

/* The counts are those of the kernel; the map was asked for after it. */
static void compare_prefetch(const struct show *show, const struct show_prefetch *prefetch)
{
	const struct drm_svm_prefetch *args = &prefetch->args;
	uint64_t left = args->out_busy + args->out_unsupported + args->out_no_space +
			args->out_failed;
	bool in = args->location == DRM_SVM_LOCATION_VRAM;
	size_t first, n, there;

	first = (args->start - client_ptr(show->buffer.start)) / show->gpu->page_size;
	n = args->size / show->gpu->page_size;
	there = timeline_count(&show->timeline->rows[prefetch->row], first, n, IN_VRAM);
	if (!in)
		there = n - there;
	ui_agree(args->out_moved + args->out_resident == there && there + left == n,
		 "%-12s %5llu pages moved, %llu were there, %llu stayed",
		 in ? "prefetch in" : "prefetch out", (unsigned long long)args->out_moved,
		 (unsigned long long)args->out_resident, (unsigned long long)left);
}

void show_end(struct show *show)
{
	const struct timeline *timeline = show->timeline;
	unsigned int i;

	ui_counted_vram(&timeline->before, timeline_before(timeline, timeline->num_rows));
	for (i = 0; i < show->num_prefetches; i++)
		compare_prefetch(show, &show->prefetches[i]);
	for (i = 0; i < show->num_steps; i++)
		compare_step(&show->steps[i]);
	buffer_destroy(&show->buffer);
	free(show);
}

void show_prefetch(struct show *show, size_t first, size_t n, uint32_t location)
{
	struct show_prefetch *prefetch = &show->prefetches[show->num_prefetches++];

	prefetch->args = (struct drm_svm_prefetch) {
		.start = client_ptr(show->buffer.start) + first * show->gpu->page_size,
		.size = n * show->gpu->page_size,
		.location = location,
	};
	prefetch->row = show->timeline->num_rows;
	gpu_prefetch(show->gpu, &prefetch->args);
}
