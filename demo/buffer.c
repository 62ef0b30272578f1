// SPDX-License-Identifier: MIT
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "buffer.h"
#include "cpu.h"
#include "timeline.h"

/* Words of a page that are written and compared: the first one and the last. */
#define WORDS	2

/*
 * What the GPU is told and what it answers, in memory that stays where it is: it
 * must not take part in what it is there to observe.
 */
struct exchange {
	uint32_t *index;	/* words of the buffer, from its start */
	uint32_t *value;
	size_t n, size;
};

static struct exchange *exchange_create(size_t n)
{
	struct exchange *exchange = cpu_malloc(sizeof(*exchange));

	exchange->n = 0;
	exchange->size = n * sizeof(uint32_t);
	exchange->index = cpu_map_shared(2 * exchange->size);
	exchange->value = exchange->index + n;
	return exchange;
}

static void exchange_destroy(struct exchange *exchange)
{
	munmap(exchange->index, 2 * exchange->size);
	free(exchange);
}

void buffer_create(struct buffer *buffer, struct gpu *gpu, unsigned int ranges)
{
	size_t size = ranges * gpu->range_size;

	*buffer = (struct buffer) {
		.gpu = gpu,
		.size = size,
		.pages = size / gpu->page_size,
		.start = cpu_map_ranges(gpu, ranges, false),
	};
	buffer->account = calloc(buffer->pages * WORDS, sizeof(*buffer->account));
	if (!buffer->account)
		errx(EXIT_FAILURE, "out of memory");
	buffer->exchange = exchange_create(buffer->pages * WORDS);
}

void buffer_destroy(struct buffer *buffer)
{
	exchange_destroy(buffer->exchange);
	free(buffer->account);
	munmap(buffer->start, buffer->size);
}

/* Index of the word @i of @page, as the GPU takes it. */
static uint32_t word_index(const struct buffer *buffer, size_t page, unsigned int i)
{
	size_t words = buffer->gpu->page_size / sizeof(uint32_t);

	return page * words + i * (words - 1) / (WORDS - 1);
}

static volatile uint32_t *word(const struct buffer *buffer, size_t page, unsigned int i)
{
	return (uint32_t *)buffer->start + word_index(buffer, page, i);
}

static uint32_t *account(const struct buffer *buffer, size_t page)
{
	return buffer->account + page * WORDS;
}

/* Puts down what the pages are to contain; never zero, which is "not written". */
static void new_values(struct buffer *buffer, size_t first, size_t n)
{
	size_t i;

	buffer->writes++;
	for (i = first * WORDS; i < (first + n) * WORDS; i++)
		buffer->account[i] = buffer->writes << 24 | (i + 1);
}

static bool is_written(const struct buffer *buffer, size_t page)
{
	return *account(buffer, page);
}

void buffer_cpu_write(struct buffer *buffer, size_t first, size_t n)
{
	size_t page;
	unsigned int i;

	new_values(buffer, first, n);
	for (page = first; page < first + n; page++)
		for (i = 0; i < WORDS; i++)
			*word(buffer, page, i) = account(buffer, page)[i];
}

void buffer_cpu_read(struct buffer *buffer, size_t first, size_t n)
{
	size_t page;
	unsigned int i;

	for (page = first; page < first + n; page++) {
		bool right = true;

		for (i = 0; i < WORDS; i++)
			right &= *word(buffer, page, i) == account(buffer, page)[i];
		buffer->wrong += !right;
	}
	buffer->cpu_read += n;
}

/* One more page for the GPU to read or write. */
static void exchange_add(struct buffer *buffer, size_t page)
{
	struct exchange *exchange = buffer->exchange;
	unsigned int i;

	for (i = 0; i < WORDS; i++)
		exchange->index[exchange->n++] = word_index(buffer, page, i);
}

static void exchange_run(struct buffer *buffer, uint32_t op, const void *dst,
			 const void *src)
{
	const struct drm_svm_test_cmd cmd = {
		.op = op,
		.dst = client_ptr(dst),
		.src = client_ptr(src),
		.count = buffer->exchange->n,
		.arg0 = client_ptr(buffer->exchange->index),
	};
	int error = gpu_run(buffer->gpu, &cmd, 1, NULL);

	if (error)
		warnx("the GPU failed at a buffer: %s", gpu_strerror(error));
}

void buffer_gpu_write(struct buffer *buffer, size_t first, size_t n)
{
	struct exchange *exchange = buffer->exchange;
	size_t page;

	new_values(buffer, first, n);
	exchange->n = 0;
	for (page = first; page < first + n; page++)
		exchange_add(buffer, page);
	memcpy(exchange->value, account(buffer, first), n * WORDS * sizeof(uint32_t));
	exchange_run(buffer, DRM_SVM_TEST_OP_SCATTER, buffer->start, exchange->value);
}

/*
 * Has the GPU fetch the pages that were added, and compares them. No page should
 * contain what is there before it does.
 */
static void exchange_read(struct buffer *buffer)
{
	struct exchange *exchange = buffer->exchange;
	size_t page, i;

	memset(exchange->value, 0xff, exchange->size);
	exchange_run(buffer, DRM_SVM_TEST_OP_GATHER, exchange->value, buffer->start);
	for (i = 0; i < exchange->n; i += WORDS) {
		page = exchange->index[i] * sizeof(uint32_t) / buffer->gpu->page_size;
		buffer->wrong += memcmp(exchange->value + i, account(buffer, page),
					WORDS * sizeof(uint32_t)) != 0;
	}
	buffer->gpu_read += exchange->n / WORDS;
}

void buffer_gpu_read(struct buffer *buffer, size_t first, size_t n)
{
	size_t page;

	buffer->exchange->n = 0;
	for (page = first; page < first + n; page++)
		exchange_add(buffer, page);
	exchange_read(buffer);
}

void buffer_read_in_place(struct buffer *buffer, const uint8_t *pages)
{
	size_t page;

	buffer->exchange->n = 0;
	for (page = 0; page < buffer->pages; page++) {
		if (pages[page] == IN_VRAM)
			exchange_add(buffer, page);
		else if (is_written(buffer, page))
			buffer_cpu_read(buffer, page, 1);
	}
	exchange_read(buffer);
}
