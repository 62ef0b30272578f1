/* SPDX-License-Identifier: MIT */
#ifndef DEMO_BUFFER_H
#define DEMO_BUFFER_H

#include "gpu.h"

struct exchange;

/*
 * Memory in small pages, written by CPU and GPU, of which the CPU keeps an
 * account: every page has its own values, different after every write.
 */
struct buffer {
	struct gpu *gpu;
	char *start;
	size_t size, pages;
	uint32_t writes;
	uint32_t *account;
	struct exchange *exchange;
	/* Pages that were compared since buffer_create(), and what that found. */
	size_t cpu_read, gpu_read, wrong;
};

void buffer_create(struct buffer *buffer, struct gpu *gpu, unsigned int ranges);
void buffer_destroy(struct buffer *buffer);

/* Of pages @first to @first + @n; what is read is compared with the account. */
void buffer_cpu_write(struct buffer *buffer, size_t first, size_t n);
void buffer_gpu_write(struct buffer *buffer, size_t first, size_t n);
void buffer_cpu_read(struct buffer *buffer, size_t first, size_t n);
void buffer_gpu_read(struct buffer *buffer, size_t first, size_t n);

/*
 * Reads all pages that have content, each where it is, as @pages says (enum
 * residence): the GPU in VRAM, the CPU elsewhere. So none has to move.
 */
void buffer_read_in_place(struct buffer *buffer, const uint8_t *pages);

#endif
