// SPDX-License-Identifier: MIT
/*
 * TEST: svm basic
 * Category: Core
 * Description: The GPU uses plain pointers of the process.
 */

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "igt.h"
#include "svm_job.h"
#include "svm_mem.h"

IGT_TEST_DESCRIPTION("The GPU uses plain pointers of the process.");

#define PATTERN	0x5a17c0deu

static unsigned int leaf_shift(uint32_t state)
{
	return (state & DRM_SVM_PAGE_LEAF_MASK) >> DRM_SVM_PAGE_LEAF_SHIFT;
}

static unsigned int location(uint32_t state)
{
	return (state & DRM_SVM_PAGE_LOCATION_MASK) >> DRM_SVM_PAGE_LOCATION_SHIFT;
}

static void malloc_write(int fd)
{
	size_t size = 3 * svm_page_size() + 64;
	uint32_t *buf = malloc(size);

	igt_assert(buf);
	memset(buf, 0xff, size);
	svm_gpu_fill(fd, buf + 1, size - 8, PATTERN);
	igt_assert_eq_u32(buf[0], ~0u);
	igt_assert(svm_cpu_all32(buf + 1, size - 8, PATTERN));
	igt_assert_eq_u32(buf[size / 4 - 1], ~0u);
	free(buf);
}

static void malloc_read(int fd)
{
	size_t size = 3 * svm_page_size() + 64;
	uint32_t *src = malloc(size), *dst = malloc(size);

	igt_assert(src && dst);
	memset(dst, 0, size);
	for (size_t i = 0; i < size / 4; i++)
		src[i] = i * PATTERN;
	svm_gpu_copy(fd, dst, src, size);
	igt_assert(!memcmp(src, dst, size));
	free(src);
	free(dst);
}

/* Untouched memory reads as zero, and the GPU may be the first to write it */
static void first_touch(int fd)
{
	size_t size = 4 * svm_page_size();
	uint32_t *buf = svm_mmap_anon(size);

	igt_assert_eq_u32(svm_gpu_read32(fd, buf), 0);
	svm_gpu_write32(fd, buf + size / 8, PATTERN);
	igt_assert_eq_u32(buf[size / 8], PATTERN);
	igt_assert_eq_u32(buf[size / 8 + 1], 0);
	munmap(buf, size);
}

static void stack_and_globals(int fd)
{
	static uint32_t global = 1, bss;
	uint32_t local = 3;

	bss = svm_gpu_read32(fd, &global) + 1;
	svm_gpu_write32(fd, &global, 7);
	svm_gpu_write32(fd, &local, 8);
	igt_assert_eq_u32(svm_gpu_read32(fd, &bss), 2);
	igt_assert_eq_u32(READ_ONCE(global), 7);
	igt_assert_eq_u32(READ_ONCE(local), 8);
}

static void basic_unaligned(int fd)
{
	size_t page = svm_page_size(), size = 3 * page;
	uint8_t *src = malloc(size), *dst = malloc(size);

	igt_assert(src && dst);
	for (size_t i = 0; i < size; i++)
		src[i] = i * 7 + (i >> 8);
	for (size_t len = 1; len <= 2 * page; len = len * 5 + 2) {
		size_t from = page - len % 61, to = page - len % 31;

		memset(dst, 0xee, size);
		svm_gpu_copy(fd, dst + to, src + from, len);
		igt_assert_f(!memcmp(dst + to, src + from, len), "%zu bytes\n", len);
		igt_assert_eq(dst[to - 1], 0xee);
		igt_assert_eq(dst[to + len], 0xee);
	}
	free(src);
	free(dst);
}

/* Several ranges, with a start and an end inside of one */
static void basic_large(int fd)
{
	size_t size = 2 * svm_range_size() + 5 * svm_page_size();
	uint8_t *map = svm_mmap_anon(2 * size + svm_page_size());
	uint32_t *dst = (uint32_t *)(map + svm_page_size());
	uint32_t *src = dst + size / 4;

	for (size_t i = 0; i < size / 4; i++)
		src[i] = i ^ PATTERN;
	svm_gpu_copy(fd, dst, src, size - svm_page_size());
	igt_assert(!memcmp(dst, src, size - svm_page_size()));
	igt_assert_eq_u32(dst[size / 4 - 1], 0);
	munmap(map, 2 * size + svm_page_size());
}

static void basic_atomics(int fd)
{
	uint64_t *value = svm_mmap_anon(svm_page_size());
	uint64_t old[2] = { ~0ull, ~0ull };
	struct drm_svm_test_cmd cmds[2] = {
		svm_cmd_add64(value, 1ull << 33, 3),
		{
			.op = DRM_SVM_TEST_OP_ATOMIC_CMPXCHG,
			.flags = DRM_SVM_TEST_CMD_64,
			.dst = client_ptr(value),
			.arg0 = 5 + (3ull << 33),
			.arg1 = 77,
		},
	};

	cmds[0].result = client_ptr(&old[0]);
	cmds[1].result = client_ptr(&old[1]);
	*value = 5;
	svm_wait_ok(fd, svm_submit(fd, cmds, 2));
	igt_assert_eq_u64(READ_ONCE(old[0]), 5 + (2ull << 33));
	igt_assert_eq_u64(READ_ONCE(old[1]), 5 + (3ull << 33));
	igt_assert_eq_u64(READ_ONCE(*value), 77);
	munmap(value, svm_page_size());
}

/* CPU and GPU take turns on the same words */
static void ping_pong(int fd)
{
	uint32_t *word = malloc(64);

	igt_assert(word);
	*word = 0;
	for (uint32_t i = 0; i < 50; i++) {
		svm_gpu_add(fd, word, 3, 1, false);
		igt_assert_eq_u32(READ_ONCE(*word), 4 * i + 3);
		WRITE_ONCE(*word, *word + 1);
	}
	free(word);
}

static void basic_query(int fd)
{
	size_t page = svm_page_size();
	uint32_t *buf = svm_mmap_anon(4 * page);
	uint32_t state[4];

	svm_query(fd, buf, 4 * page, state);
	for (int i = 0; i < 4; i++)
		igt_assert_eq_u32(state[i], 0);

	svm_gpu_write32(fd, buf + page / 4, 1);
	svm_query(fd, buf, 4 * page, state);
	igt_assert(state[1] & DRM_SVM_PAGE_READ);
	igt_assert(state[1] & DRM_SVM_PAGE_WRITE);
	igt_assert(state[1] & DRM_SVM_PAGE_ACCESSED);
	igt_assert(state[1] & DRM_SVM_PAGE_DIRTY);
	igt_assert_eq(location(state[1]), DRM_SVM_LOCATION_SYSTEM);
	igt_assert_lte(__builtin_ctzl(page), leaf_shift(state[1]));

	munmap(buf, 4 * page);
	svm_query(fd, buf, 4 * page, state);
	for (int i = 0; i < 4; i++)
		igt_assert_eq_u32(state[i], 0);
}

static void query_read_only(int fd)
{
	size_t page = svm_page_size();
	uint32_t *buf = svm_mmap_anon(page);
	uint32_t state;

	*buf = PATTERN;
	igt_assert_eq(mprotect(buf, page, PROT_READ), 0);
	igt_assert_eq_u32(svm_gpu_read32(fd, buf), PATTERN);
	state = svm_query_page(fd, buf);
	igt_assert(state & DRM_SVM_PAGE_READ);
	igt_assert(!(state & DRM_SVM_PAGE_WRITE));
	igt_assert(!(state & DRM_SVM_PAGE_DIRTY));
	munmap(buf, page);
}

/* Each leaf must be naturally aligned and say the same of all of its pages */
static unsigned int check_leaves(int fd, uint8_t *buf, size_t size)
{
	size_t page = svm_page_size(), npages = size / page;
	uint32_t *state = calloc(npages, sizeof(*state));
	unsigned int biggest = 0;

	igt_assert(state);
	svm_query(fd, buf, size, state);
	for (size_t i = 0; i < npages; i++) {
		unsigned int shift = leaf_shift(state[i]);
		size_t leaf = 1ull << shift;
		uint8_t *start = (uint8_t *)(client_ptr(buf + i * page) & ~(leaf - 1));

		igt_assert_f(state[i] & DRM_SVM_PAGE_READ, "page %zu\n", i);
		igt_assert_lte_u64(page, leaf);
		igt_assert_lte_u64(leaf, svm_range_size());
		biggest = shift > biggest ? shift : biggest;
		if (start >= buf && start + leaf <= buf + size)
			igt_assert_eq(leaf_shift(state[(start - buf) / page]), shift);
	}
	free(state);
	return biggest;
}

static void leaf_huge(int fd)
{
	size_t size = svm_range_size();
	uint32_t *buf = svm_mmap_aligned(size, size);

	igt_require(!madvise(buf, size, MADV_HUGEPAGE));
	*buf = PATTERN;
	igt_require_f(svm_smaps_kb(buf, "AnonHugePages") * 1024 == size,
		      "no huge page to be had\n");
	igt_assert_eq_u32(svm_gpu_read32(fd, buf), PATTERN);
	igt_assert_eq_u64(1ull << leaf_shift(svm_query_page(fd, buf)), size);
	svm_gpu_fill(fd, buf, size, PATTERN + 1);
	igt_assert_eq_u64(1ull << check_leaves(fd, (uint8_t *)buf, size), size);
	igt_assert(svm_cpu_all32(buf, size, PATTERN + 1));
	munmap(buf, size);
}

static void leaf_consistent(int fd)
{
	size_t size = svm_range_size();
	uint8_t *buf = svm_mmap_aligned(size, size);

	igt_assert_eq(madvise(buf, size, MADV_NOHUGEPAGE), 0);
	memset(buf, 1, size);
	svm_gpu_touch(fd, buf, size, svm_page_size(), true);
	/* Neighbours may be contiguous by chance; two megabytes never are */
	igt_assert_lte(1ull << check_leaves(fd, buf, size), size / 2);
	munmap(buf, size);
}

static void basic_counters(int fd)
{
	struct client_counts before, after;
	size_t page = svm_page_size(), size = 16 * page;
	uint8_t *buf = svm_mmap_anon(size);

	svm_counters(fd, &before);
	svm_gpu_touch(fd, buf, size, page, true);
	svm_counters(fd, &after);
	igt_assert_lt_u64(client_count(&before, FAULTS), client_count(&after, FAULTS));
	igt_assert_lt_u64(client_count(&before, BATCHES), client_count(&after, BATCHES));
	igt_assert_lte_u64(client_count(&before, PAGES_MAPPED) + 16,
			   client_count(&after, PAGES_MAPPED));
	igt_assert_lte_u64(client_count(&before, CUR_PAGES) + 16, client_count(&after, CUR_PAGES));
	igt_assert_lt_u64(0, client_count(&after, CUR_RANGES));
	igt_assert_eq_u64(client_count(&after, FAILED), client_count(&before, FAILED));
	munmap(buf, size);
}

/* A batch of one job on each engine */
static void all_engines(int fd)
{
	struct drm_svm_test_info info;
	uint32_t *buf = svm_mmap_anon(svm_page_size());
	uint64_t jobs[256];

	svm_info(fd, &info);
	igt_assert_lte(info.out_engines, 256);
	for (uint32_t i = 0; i < info.out_engines; i++) {
		struct drm_svm_test_cmd cmd = svm_cmd_fill(buf + i, 4, PATTERN + i);

		jobs[i] = svm_submit_on(fd, i, &cmd, 1);
	}
	for (uint32_t i = 0; i < info.out_engines; i++) {
		svm_wait_ok(fd, jobs[i]);
		igt_assert_eq_u32(buf[i], PATTERN + i);
	}
	munmap(buf, svm_page_size());
}

static const struct svm_case cases[] = {
	{ "malloc-write", "The GPU writes memory from malloc(), and nothing beside it.",
	  malloc_write },
	{ "malloc-read", "The GPU reads what the CPU wrote into memory from malloc().",
	  malloc_read },
	{ "first-touch", "The GPU may be the first to touch a page.", first_touch },
	{ "stack-and-globals", "Stack, data and bss are shared like the heap.",
	  stack_and_globals },
	{ "unaligned", "Operands of any alignment and size work.", basic_unaligned },
	{ "large", "A job may cross ranges and start and end inside of one.", basic_large },
	{ "atomics", "GPU atomics return the old value and store the new one.", basic_atomics },
	{ "ping-pong", "CPU and GPU take turns on the same word.", ping_pong },
	{ "query", "The query shows a page that the GPU wrote, and only that one.", basic_query },
	{ "query-read-only", "A read-only mapping is read-only for the GPU too.",
	  query_read_only },
	{ "leaf-huge", "A transparent huge page is mapped by one entry.", leaf_huge },
	{ "leaf-consistent", "Scattered pages are mapped by entries that agree with each other.",
	  leaf_consistent },
	{ "counters", "The counters show faults and mapped pages.", basic_counters },
	{ "all-engines", "Every engine executes jobs.", all_engines },
};

int igt_main()
{
	igt_fixture()
		close(svm_open());

	svm_cases(cases);
}
