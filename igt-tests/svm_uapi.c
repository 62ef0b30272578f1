// SPDX-License-Identifier: MIT
/*
 * TEST: svm uapi
 * Category: Core
 * Description: Attach, query, counters, info: every field and every error.
 */

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "igt.h"
#include "svm_job.h"
#include "svm_mem.h"

IGT_TEST_DESCRIPTION("Attach, query, counters, info: every field and every error.");

/* First address that no process of a 4- or 5-level x86-64 machine can have */
#define KERNEL_ADDR	0xffff888000000000ull
#define NON_CANONICAL	0x8000000000000000ull

static int raw_ioctl(int fd, unsigned long request, void *args)
{
	int ret = ioctl(fd, request, args);

	return ret ? -errno : 0;
}

/* Attach */

static void attach_invalid(int fd)
{
	struct client_counts counters;

	for (int bit = 0; bit < 64; bit++) {
		struct drm_svm_attach args = {
			.flags = bit < 32 ? 1u << bit : 0,
			.pad = bit < 32 ? 0 : 1u << (bit - 32),
		};

		igt_assert_eq(client_attach(fd, &args), -EINVAL);
		igt_assert_eq(client_counters(fd, &counters), -ENXIO);
	}
	svm_attach(fd);
}

static void attach_outputs(int fd)
{
	struct drm_svm_attach args;
	int local;

	memset(&args, 0xff, sizeof(args));
	args.flags = 0;
	args.pad = 0;
	igt_assert_eq(client_attach(fd, &args), 0);
	igt_assert_eq_u32(args.out_page_size, svm_page_size());
	igt_assert_eq_u32(args.out_range_size, svm_range_size());
	igt_assert_lt_u64(args.out_va_start, svm_page_size() + 1);
	igt_assert_lt_u64(client_ptr(&local), args.out_va_end);
	igt_assert_eq_u64(args.out_va_start % svm_page_size(), 0);
	igt_assert_eq_u64(args.out_va_end % svm_page_size(), 0);
	igt_assert_lte_u64(args.out_va_end, 1ull << 56);
}

static void attach_twice(int fd)
{
	struct drm_svm_attach args = {};
	uint32_t word = 1;

	svm_attach(fd);
	igt_assert_eq(client_attach(fd, &args), -EEXIST);
	svm_gpu_write32(fd, &word, 2);
	igt_assert_eq_u32(READ_ONCE(word), 2);
}

struct attach_race {
	int fd, err;
	pthread_barrier_t *barrier;
};

static void *attach_race_thread(void *arg)
{
	struct attach_race *race = arg;
	struct drm_svm_attach args = {};

	pthread_barrier_wait(race->barrier);
	race->err = client_attach(race->fd, &args);
	return NULL;
}

static void attach_race(int unused)
{
	enum { THREADS = 4, ROUNDS = 20 };
	struct attach_race race[THREADS];
	pthread_barrier_t barrier;

	pthread_barrier_init(&barrier, NULL, THREADS);
	for (int round = 0; round < ROUNDS; round++) {
		int fd = svm_open(), won = 0;
		uint32_t word = 0;

		for (int i = 0; i < THREADS; i++)
			race[i] = (struct attach_race) { fd, 1, &barrier };
		svm_threads(THREADS, attach_race_thread, race, sizeof(race[0]));
		for (int i = 0; i < THREADS; i++) {
			won += !race[i].err;
			igt_assert(!race[i].err || race[i].err == -EEXIST);
		}
		igt_assert_eq(won, 1);
		svm_gpu_write32(fd, &word, round + 1);
		igt_assert_eq_u32(READ_ONCE(word), round + 1);
		close(fd);
	}
	pthread_barrier_destroy(&barrier);
}

static void not_attached(int fd)
{
	struct drm_svm_test_cmd cmd = { .op = DRM_SVM_TEST_OP_TIMESTAMP };
	struct drm_svm_test_wait wait;
	struct client_counts counters;
	struct drm_svm_test_info info;
	uint32_t state;
	uint64_t job;
	int err;

	igt_assert_eq(client_query(fd, 0, svm_page_size(), 0, &state), -ENXIO);
	igt_assert_eq(client_counters(fd, &counters), -ENXIO);
	igt_assert_eq(client_submit_cmds(fd, &cmd, 1, &job), -ENXIO);
	err = client_wait(fd, 1, 0, &wait);
	igt_assert_eq(err, -EBADF);
	svm_info(fd, &info);
}

/* The last close ends the sharing, the ones before do not */
static void uapi_close(int unused)
{
	int fd = svm_open_attached(), copy = dup(fd);
	struct client_counts counters;
	uint32_t *word = svm_mmap_anon(svm_page_size());

	svm_gpu_write32(fd, word, 1);
	close(fd);
	igt_assert_eq(client_counters(fd, &counters), -EBADF);
	svm_gpu_write32(copy, word + 1, 2);
	close(copy);
	igt_assert_eq(client_counters(copy, &counters), -EBADF);
	igt_assert_eq_u32(word[0] + word[1], 3);

	fd = svm_open_attached();
	igt_assert_eq_u32(svm_query_page(fd, word), 0);
	igt_assert_eq_u32(svm_gpu_read32(fd, word + 1), 2);
	close(fd);
	munmap(word, svm_page_size());
}

/* Query */

static int query_ioctl(int fd, uint64_t start, uint64_t size, void *pages)
{
	struct drm_svm_query args = { .start = start, .size = size, .pages = client_ptr(pages) };

	return raw_ioctl(fd, DRM_IOCTL_SVM_TEST_QUERY, &args);
}

static void query_invalid(int fd)
{
	size_t page = svm_page_size();
	struct drm_svm_attach attach = {};
	uint32_t state[4] = { 1, 1, 1, 1 };
	uint64_t start = client_ptr(svm_mmap_anon(4 * page)), end;

	igt_assert_eq(client_attach(fd, &attach), 0);
	end = attach.out_va_end;
	const struct {
		uint64_t start, size;
	} bad[] = {
		{ start, 0 },
		{ start, 1 },
		{ start, page - 1 },
		{ start, page + 1 },
		{ start + 1, page },
		{ start + page / 2, page },
		{ start, (DRM_SVM_QUERY_MAX_PAGES + 1ull) * page },
		{ start, -page },
		{ start, -start },
		{ start, ~0ull },
		{ end, page },
		{ end - page, 2 * page },
		{ end + page, page },
		{ -page, page },
		{ -page, 2 * page },
		{ KERNEL_ADDR, page },
		{ NON_CANONICAL, page },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		igt_assert_f(query_ioctl(fd, bad[i].start, bad[i].size, state) == -EINVAL,
			     "case %zu\n", i);
	/* bits 0 to 2 are flags; one of them needs a count */
	for (int bit = 2; bit < 64; bit++) {
		struct drm_svm_query args = {
			.start = start, .size = page, .pages = client_ptr(state),
			.flags = bit < 32 ? 1u << bit : 0,
			.pad = bit < 32 ? 0 : 1u << (bit - 32),
		};

		igt_assert_eq(raw_ioctl(fd, DRM_IOCTL_SVM_TEST_QUERY, &args), -EINVAL);
	}
	for (int i = 0; i < 4; i++)
		igt_assert_eq_u32(state[i], 1);
	munmap((void *)start, 4 * page);
}

static void query_limits(int fd)
{
	size_t page = svm_page_size(), most = DRM_SVM_QUERY_MAX_PAGES;
	struct drm_svm_attach attach = {};
	uint32_t *state = svm_mmap_anon(most * sizeof(*state));
	uint8_t *buf = svm_mmap_anon(page);
	uint64_t start = client_ptr(buf) - most / 2 * page;

	igt_assert_eq(client_attach(fd, &attach), 0);
	if (start + most * page > attach.out_va_end)
		start = attach.out_va_end - most * page;
	igt_assert_eq(query_ioctl(fd, attach.out_va_end - page, page, state), 0);
	igt_assert_eq(query_ioctl(fd, attach.out_va_start, page, state), 0);

	svm_gpu_touch(fd, buf, page, page, true);
	igt_assert_eq(query_ioctl(fd, start, most * page, state), 0);
	igt_assert(state[(client_ptr(buf) - start) / page] & DRM_SVM_PAGE_WRITE);
	munmap(buf, page);
	munmap(state, most * sizeof(*state));
}

/* Looking does not touch */
static void query_passive(int fd)
{
	size_t page = svm_page_size();
	uint8_t *buf = svm_mmap_anon(8 * page);
	struct client_counts before, after;
	uint32_t state[8];

	svm_attach(fd);
	buf[page] = 1;
	svm_counters(fd, &before);
	svm_query(fd, buf, 8 * page, state);
	svm_counters(fd, &after);
	for (int i = 0; i < 8; i++)
		igt_assert_eq_u32(state[i], 0);
	igt_assert(!memcmp(&before, &after, sizeof(before)));
	igt_assert_eq_u64(svm_pagemap(buf) >> 63, 0);
	igt_assert_eq_u64(svm_pagemap(buf + page) >> 63, 1);
	munmap(buf, 8 * page);
}

/* Info and counters */

static void uapi_info(int fd)
{
	struct drm_svm_test_info info;
	struct drm_svm_test_info dirty;

	svm_info(fd, &info);
	igt_assert_eq_u32(info.out_index, 0);
	igt_assert_lt_u32(0, info.out_engines);
	igt_assert_lt_u32(0, info.out_tlb_entries);
	igt_assert_lt_u32(0, info.out_fault_entries);
	igt_assert_lt_u32(0, info.out_max_cmds);
	igt_assert_lt_u32(0, info.out_max_jobs);
	igt_assert_lt_u32(0, info.out_max_syncs);
	igt_assert_lte_u32(32, info.out_va_bits);

	memset(&dirty, 0xff, sizeof(dirty));
	dirty.flags = 0;
	dirty.pad = 0;
	igt_assert_eq(raw_ioctl(fd, DRM_IOCTL_SVM_TEST_INFO, &dirty), 0);
	igt_assert_eq_u32(dirty.out_engines, info.out_engines);
	igt_assert_eq_u32(dirty.out_max_syncs, info.out_max_syncs);
	igt_assert_eq_u64(dirty.out_fault_overflows, info.out_fault_overflows);
}

static void info_counters_invalid(int fd)
{
	uint64_t value = 1;

	svm_attach(fd);
	for (int bit = 0; bit < 64; bit++) {
		uint32_t flags = bit < 32 ? 1u << bit : 0;
		uint32_t pad = bit < 32 ? 0 : 1u << (bit - 32);
		struct drm_svm_test_info info = { .flags = flags, .pad = pad };
		struct drm_svm_counters counters = {
			.flags = flags, .pad = pad, .count = 1, .values = client_ptr(&value),
		};

		igt_assert_eq(raw_ioctl(fd, DRM_IOCTL_SVM_TEST_INFO, &info), -EINVAL);
		igt_assert_eq(raw_ioctl(fd, DRM_IOCTL_SVM_TEST_COUNTERS, &counters), -EINVAL);
		igt_assert_eq_u32(info.out_engines, 0);
		igt_assert_eq_u64(value, 1);
	}
}

static int read_counters(int fd, void *values, uint32_t count, uint32_t *known)
{
	struct drm_svm_counters args = { .count = count, .values = client_ptr(values) };
	int err = raw_ioctl(fd, DRM_IOCTL_SVM_TEST_COUNTERS, &args);

	*known = args.out_count;
	return err;
}

/*
 * A program that knows fewer counters than the kernel gets those, one that knows more gets
 * zeroes for the others. Nothing past the array is written.
 */
static void counters_array(int fd)
{
	uint64_t values[DRM_SVM_COUNTERS_MAX + 1], canary;
	char *end = svm_mmap_anon(2 * svm_page_size()) + svm_page_size();
	uint32_t known;

	svm_attach(fd);
	svm_gpu_write32(fd, (uint32_t *)end, 1);
	igt_assert_eq(munmap(end, svm_page_size()), 0);
	igt_assert_eq(read_counters(fd, NULL, 0, &known), 0);
	igt_assert_lte_u32(DRM_SVM_COUNTER_NUM, known);
	memset(&canary, 0xc5, sizeof(canary));
	for (uint32_t count = 1; count <= DRM_SVM_COUNTERS_MAX; count++) {
		memset(values, 0xc5, sizeof(values));
		igt_assert_eq(read_counters(fd, values, count, &known), 0);
		igt_assert_lt_u64(0, values[DRM_SVM_COUNTER_FAULTS]);
		for (uint32_t i = 0; i < count; i++) {
			igt_assert_neq_u64(values[i], canary);
			igt_assert(i < known || !values[i]);
		}
		igt_assert_eq_u64(values[count], canary);
	}
	igt_assert_eq(read_counters(fd, values, DRM_SVM_COUNTERS_MAX + 1, &known), -EINVAL);
	igt_assert_eq(read_counters(fd, values, UINT32_MAX, &known), -EINVAL);
	/* an array that ends after the first entry, after what the kernel knows, and none */
	igt_assert_eq(read_counters(fd, end - 8, 1, &known), 0);
	igt_assert_eq(read_counters(fd, end - 8, 2, &known), -EFAULT);
	igt_assert_eq(read_counters(fd, values, 1, &known), 0);
	igt_assert_eq(read_counters(fd, end - 8 * known, known, &known), 0);
	igt_assert_eq(read_counters(fd, end - 8 * known, known + 1, &known), -EFAULT);
	igt_assert_eq(read_counters(fd, NULL, 1, &known), -EFAULT);
	munmap(end - svm_page_size(), svm_page_size());
}

static void counters_add_up(int fd)
{
	size_t page = svm_page_size(), npages = 64, size = npages * page;
	uint8_t *buf = svm_mmap_aligned(svm_range_size(), svm_range_size());
	struct client_counts c[4];

	svm_attach(fd);
	madvise(buf, svm_range_size(), MADV_NOHUGEPAGE);
	svm_counters(fd, &c[0]);
	igt_assert_eq_u64(client_count(&c[0], FAULTS) | client_count(&c[0], PAGES_MAPPED) |
			  client_count(&c[0], CUR_PAGES) |
			  client_count(&c[0], CUR_RANGES) | client_count(&c[0], CUR_DMA_PAGES), 0);

	svm_gpu_touch(fd, buf, size, page, true);
	svm_counters(fd, &c[1]);
	igt_assert_lt_u64(0, client_count(&c[1], FAULTS));
	igt_assert_lt_u64(0, client_count(&c[1], WALKS));
	igt_assert_lte_u64(client_count(&c[1], BATCHES), client_count(&c[1], FAULTS));
	igt_assert_lt_u64(client_count(&c[1], DUPLICATES), client_count(&c[1], FAULTS));
	igt_assert_lte_u64(npages, client_count(&c[1], PAGES_MAPPED));
	igt_assert_eq_u64(client_count(&c[1], CUR_PAGES),
			  client_count(&c[1], PAGES_MAPPED) - client_count(&c[1], PAGES_UNMAPPED));
	igt_assert_lt_u64(0, client_count(&c[1], CUR_RANGES));
	igt_assert(client_count(&c[1], CUR_DMA_PAGES) == 0 ||
		   client_count(&c[1], CUR_DMA_PAGES) == client_count(&c[1], CUR_PAGES));

	/* Again: no fault, nothing new */
	svm_gpu_touch(fd, buf, size, page, true);
	svm_counters(fd, &c[2]);
	igt_assert_eq_u64(client_count(&c[2], FAULTS), client_count(&c[1], FAULTS));
	igt_assert_eq_u64(client_count(&c[2], PAGES_MAPPED), client_count(&c[1], PAGES_MAPPED));

	munmap(buf, svm_range_size());
	svm_counters(fd, &c[3]);
	igt_assert_lte_u64(client_count(&c[2], PAGES_UNMAPPED) + npages,
			   client_count(&c[3], PAGES_UNMAPPED));
	igt_assert_lt_u64(client_count(&c[2], INVALIDATIONS), client_count(&c[3], INVALIDATIONS));
	igt_assert_lt_u64(client_count(&c[2], FLUSHES), client_count(&c[3], FLUSHES));
	igt_assert_eq_u64(client_count(&c[3], CUR_PAGES),
			  client_count(&c[3], PAGES_MAPPED) - client_count(&c[3], PAGES_UNMAPPED));
	igt_assert_eq_u64(client_count(&c[3], CUR_PAGES), 0);
	igt_assert_eq_u64(client_count(&c[3], CUR_DMA_PAGES), 0);
	igt_assert(svm_until((svm_counters(fd, &c[3]), !client_count(&c[3], CUR_RANGES)), 10000));
}

static void counters_own(int fd)
{
	struct client_counts counters;
	int other = svm_open_attached();
	uint32_t word = 0;

	svm_attach(fd);
	svm_gpu_write32(other, &word, 1);
	svm_counters(other, &counters);
	igt_assert_lt_u64(0, client_count(&counters, FAULTS));
	svm_counters(fd, &counters);
	igt_assert_eq_u64(client_count(&counters, FAULTS), 0);
	igt_assert_eq_u64(client_count(&counters, CUR_PAGES), 0);
	close(other);
}

/* Length and place of the argument */

static unsigned long with_size(unsigned long request, size_t size)
{
	return (request & ~((unsigned long)_IOC_SIZEMASK << _IOC_SIZESHIFT)) |
		size << _IOC_SIZESHIFT;
}

/*
 * Issue @request with a structure cut or grown to @size. DRM reads what is cut
 * as zero, and ignores what is too much; neither is written.
 */
static int sized_ioctl(int fd, unsigned long request, size_t size, void *args)
{
	size_t full = _IOC_SIZE(request), given = size < full ? size : full;
	uint8_t buf[512], canary[512];
	int err;

	igt_assert_lte_u64(size + 64, sizeof(buf));
	memset(buf, 0xc5, sizeof(buf));
	memset(canary, 0xc5, sizeof(canary));
	memcpy(buf, args, given);
	err = raw_ioctl(fd, with_size(request, size), buf);
	memcpy(args, buf, given);
	igt_assert(!memcmp(buf + given, canary, sizeof(buf) - given));
	return err;
}

static void lengths_attach(int unused)
{
	static const size_t sizes[] = {
		0, 4, 8, 16, sizeof(struct drm_svm_attach) - 1,
		sizeof(struct drm_svm_attach) + 1, 256,
	};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct drm_svm_attach args = {};
		struct client_counts counters;
		int fd = svm_open();

		igt_assert_eq(sized_ioctl(fd, DRM_IOCTL_SVM_TEST_ATTACH, sizes[i], &args), 0);
		svm_counters(fd, &counters);
		if (sizes[i] >= 16)
			igt_assert_lt_u32(0, args.out_va_end >> 32 || sizes[i] == 16);
		close(fd);
	}
}

static void uapi_lengths(int fd)
{
	size_t page = svm_page_size();
	uint32_t state[2] = { 1, 1 };
	struct drm_svm_query query = {
		.start = client_ptr(state) & -page, .size = page, .pages = client_ptr(state),
	};
	uint64_t value = 0;
	struct drm_svm_counters counters = { .count = 1, .values = client_ptr(&value) };
	struct drm_svm_test_info info = {};

	svm_attach(fd);
	igt_assert_eq(sized_ioctl(fd, DRM_IOCTL_SVM_TEST_QUERY, 24, &query), 0);
	igt_assert_eq(sized_ioctl(fd, DRM_IOCTL_SVM_TEST_QUERY, 200, &query), 0);
	/* Without pages, and without size */
	igt_assert_eq(sized_ioctl(fd, DRM_IOCTL_SVM_TEST_QUERY, 16, &query), -EFAULT);
	igt_assert_eq(sized_ioctl(fd, DRM_IOCTL_SVM_TEST_QUERY, 8, &query), -EINVAL);
	igt_assert_eq(sized_ioctl(fd, DRM_IOCTL_SVM_TEST_QUERY, 0, &query), -EINVAL);
	/* Without a count, and without a pointer */
	igt_assert_eq(sized_ioctl(fd, DRM_IOCTL_SVM_TEST_COUNTERS, 0, &counters), 0);
	igt_assert_eq(sized_ioctl(fd, DRM_IOCTL_SVM_TEST_COUNTERS, 4, &counters), 0);
	igt_assert_eq(sized_ioctl(fd, DRM_IOCTL_SVM_TEST_COUNTERS, 8, &counters), -EFAULT);
	igt_assert_eq(sized_ioctl(fd, DRM_IOCTL_SVM_TEST_COUNTERS, 16, &counters), 0);
	igt_assert_eq(sized_ioctl(fd, DRM_IOCTL_SVM_TEST_COUNTERS, 300, &counters), 0);
	igt_assert_eq(sized_ioctl(fd, DRM_IOCTL_SVM_TEST_INFO, 16, &info), 0);
	igt_assert_lt_u32(0, info.out_engines);
	igt_assert_eq_u32(info.out_va_bits, 0);
	igt_assert_eq(sized_ioctl(fd, DRM_IOCTL_SVM_TEST_INFO, 400, &info), 0);
	igt_assert_lt_u32(0, info.out_va_bits);
}

static void unknown_ioctl(int fd)
{
	uint8_t args[64] = {};

	svm_attach(fd);
	igt_assert_eq(raw_ioctl(fd, DRM_IOWR(DRM_COMMAND_END - 1, args), args), -EINVAL);
	igt_assert_eq(raw_ioctl(fd, _IOWR('x', DRM_COMMAND_BASE, args), args), -ENOTTY);
}

static void argument_pointer(int fd)
{
	static const unsigned long requests[] = {
		DRM_IOCTL_SVM_TEST_ATTACH, DRM_IOCTL_SVM_TEST_QUERY,
		DRM_IOCTL_SVM_TEST_COUNTERS, DRM_IOCTL_SVM_TEST_INFO,
		DRM_IOCTL_SVM_TEST_SUBMIT, DRM_IOCTL_SVM_TEST_WAIT,
		DRM_IOCTL_SVM_TEST_EVENTS,
	};
	size_t page = svm_page_size();
	uint8_t *edge = svm_mmap_anon(2 * page);
	void *const bad[] = {
		NULL, (void *)8, edge + page, edge + page - 4,
		(void *)KERNEL_ADDR, (void *)NON_CANONICAL, (void *)-page,
	};

	igt_assert_eq(mprotect(edge + page, page, PROT_NONE), 0);
	for (size_t r = 0; r < ARRAY_SIZE(requests); r++)
		for (size_t b = 0; b < ARRAY_SIZE(bad); b++)
			igt_assert_f(raw_ioctl(fd, requests[r], bad[b]) == -EFAULT,
				     "request %zu, pointer %p\n", r, bad[b]);
	/* None of them attached */
	svm_attach(fd);
	munmap(edge, 2 * page);
}

static void query_pointer(int fd)
{
	size_t page = svm_page_size();
	uint8_t *map = svm_mmap_anon(4 * page);
	uint32_t *last = (uint32_t *)(map + page) - 1;
	uint64_t start = client_ptr(map);

	svm_attach(fd);
	igt_assert_eq(mprotect(map + page, page, PROT_NONE), 0);
	igt_assert_eq(mprotect(map + 2 * page, page, PROT_READ), 0);
	igt_assert_eq(query_ioctl(fd, start, page, NULL), -EFAULT);
	igt_assert_eq(query_ioctl(fd, start, page, map + page), -EFAULT);
	igt_assert_eq(query_ioctl(fd, start, page, map + 2 * page), -EFAULT);
	igt_assert_eq(query_ioctl(fd, start, page, (void *)KERNEL_ADDR), -EFAULT);
	igt_assert_eq(query_ioctl(fd, start, page, (void *)NON_CANONICAL), -EFAULT);
	igt_assert_eq(query_ioctl(fd, start, 2 * page, last), -EFAULT);
	igt_assert_eq(query_ioctl(fd, start, page, last), 0);
	munmap(map, 4 * page);
}

static const struct svm_case cases[] = {
	{ "attach-invalid", "Unknown flags and padding are refused and attach nothing.",
	  attach_invalid },
	{ "attach-outputs",
	  "Attach tells the window, page and range size, and ignores its outputs on input.",
	  attach_outputs },
	{ "attach-twice", "A file attaches once; the second try changes nothing.", attach_twice },
	{ "attach-race", "Of several threads that attach a file exactly one succeeds.",
	  attach_race },
	{ "not-attached", "A file that is not attached shares no memory.", not_attached },
	{ "close", "Sharing lasts until the last descriptor of the file is closed.", uapi_close },
	{ "query-invalid", "Malformed queries are refused and write nothing.", query_invalid },
	{ "query-limits", "The largest query and the edges of the window work.", query_limits },
	{ "query-passive", "A query faults nothing in and changes no counter.", query_passive },
	{ "query-pointer", "A query whose result cannot be written fails with EFAULT.",
	  query_pointer },
	{ "info", "The device describes itself.", uapi_info },
	{ "info-counters-invalid", "Unknown flags and padding are refused.",
	  info_counters_invalid },
	{ "counters-array", "Programs that know fewer or more counters get what they ask for.",
	  counters_array },
	{ "counters-add-up", "Pages mapped and unmapped add up, and the gauges return to zero.",
	  counters_add_up },
	{ "counters-own", "A file sees its own counters only.", counters_own },
	{ "lengths-attach", "A shorter or longer attach structure means the same.",
	  lengths_attach },
	{ "lengths",
	  "Shorter structures read as zero at the end, longer ones are not written there.",
	  uapi_lengths },
	{ "unknown-ioctl", "Unknown ioctl numbers are refused.", unknown_ioctl },
	{ "argument-pointer",
	  "An argument that cannot be read fails with EFAULT and changes nothing.",
	  argument_pointer },
};

int igt_main()
{
	igt_fixture()
		close(svm_open());

	svm_cases_of(cases, svm_open);
}
