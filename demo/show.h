/* SPDX-License-Identifier: MIT */
#ifndef DEMO_SHOW_H
#define DEMO_SHOW_H

#include "bo.h"
#include "buffer.h"
#include "timeline.h"

#define SHOW_MAX_STEPS		10
#define SHOW_MAX_PREFETCHES	2
#define SHOW_MAX_BOS		4

struct show_step {
	const char *label;
	size_t cpu_read, gpu_read, wrong;
};

struct show_prefetch {
	struct drm_svm_prefetch args;
	unsigned int row;	/* what the map shows right after it */
};

/*
 * A buffer under observation: after every part of a step a row says where its
 * pages are; after every step, its content is compared. What was compared is
 * printed at the end, below the map.
 */
struct show {
	struct gpu *gpu;
	struct timeline *timeline;
	struct buffer buffer;
	struct show_step steps[SHOW_MAX_STEPS];
	unsigned int num_steps;
	struct show_prefetch prefetches[SHOW_MAX_PREFETCHES];
	unsigned int num_prefetches;
	struct bo bos[SHOW_MAX_BOS];	/* that want VRAM too */
	unsigned int num_bos;
};

/* What to do with @n pages from @first on. */
typedef void (*show_action_fn)(struct show *show, size_t first, size_t n);

/* @size: bytes, rounded down to ranges. */
struct show *show_begin(struct gpu *gpu, struct timeline *timeline,
			const char *title, size_t size);
void show_end(struct show *show);

/* Does something with @n pages from @first on, in @rows parts. */
void show_step(struct show *show, const char *label, show_action_fn action,
	       size_t first, size_t n, unsigned int rows);

/* For an action: the ioctl, whose counts are compared with the map. */
void show_prefetch(struct show *show, size_t first, size_t n, uint32_t location);

#endif
