// SPDX-License-Identifier: MIT
/*
 * TEST: svm commands
 * Category: Core
 * Description: Each command does what a model of it on the CPU does.
 */

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "igt.h"
#include "svm_job.h"
#include "svm_lib.h"
#include "svm_random.h"

IGT_TEST_DESCRIPTION("Each command does what a model of it on the CPU does.");

#define CANARY		0xa5

/* Memory for the GPU and the same for the model; whole, so that stray writes show */
struct pair {
	size_t size;
	uint8_t *gpu, *cpu;
};

static void pair_init(struct pair *pair, size_t size, uint32_t seed)
{
	struct svm_rng rng = svm_rng(seed, 0);

	pair->size = size;
	pair->gpu = svm_mmap_anon(size);
	pair->cpu = malloc(size);
	igt_assert(pair->cpu);
	for (size_t i = 0; i + 4 <= size; i += 4) {
		uint32_t value = seed ? svm_rng_next(&rng) : CANARY * 0x01010101u;

		memcpy(pair->cpu + i, &value, 4);
	}
	memcpy(pair->gpu, pair->cpu, size);
}

static void pair_check(struct pair *pair)
{
	for (size_t i = 0; i < pair->size; i++)
		igt_assert_f(pair->gpu[i] == pair->cpu[i], "byte %zu: %#x, not %#x\n",
			     i, pair->gpu[i], pair->cpu[i]);
}

static void pair_fini(struct pair *pair)
{
	munmap(pair->gpu, pair->size);
	free(pair->cpu);
}

static uint64_t element(const void *at, bool is64)
{
	uint64_t value64;
	uint32_t value32;

	if (is64) {
		memcpy(&value64, at, sizeof(value64));
		return value64;
	}
	memcpy(&value32, at, sizeof(value32));
	return value32;
}

static void set_element(void *at, bool is64, uint64_t value)
{
	uint32_t low = value;

	memcpy(at, is64 ? (void *)&value : &low, is64 ? 8 : 4);
}

/* Run one command and return the value that it writes to its result */
static uint64_t run_value(int fd, struct drm_svm_test_cmd cmd)
{
	uint64_t value[2] = { ~0ull, ~0ull };

	cmd.result = client_ptr(value);
	svm_run(fd, &cmd);
	igt_assert_eq_u64(READ_ONCE(value[1]), ~0ull);
	return READ_ONCE(value[0]);
}

static uint32_t flag64(bool is64)
{
	return is64 ? DRM_SVM_TEST_CMD_64 : 0;
}

static void command_fill(int fd, bool is64)
{
	size_t page = svm_page_size(), esize = is64 ? 8 : 4;
	size_t starts[] = { 0, esize, page - esize, page };
	size_t sizes[] = { esize, 3 * esize, page - esize, page, 2 * page + esize };
	uint64_t value = 0x0123456789abcdefull;
	struct pair mem;

	pair_init(&mem, 4 * page, 0);
	for (size_t s = 0; s < ARRAY_SIZE(starts); s++) {
		for (size_t n = 0; n < ARRAY_SIZE(sizes); n++) {
			struct drm_svm_test_cmd cmd = {
				.op = DRM_SVM_TEST_OP_FILL, .flags = flag64(is64),
				.dst = client_ptr(mem.gpu + starts[s]), .size = sizes[n],
			};

			value++;
			cmd.arg0 = is64 ? value : (uint32_t)value;
			svm_run(fd, &cmd);
			for (size_t i = 0; i < sizes[n]; i += esize)
				set_element(mem.cpu + starts[s] + i, is64, value);
		}
		pair_check(&mem);
	}
	pair_fini(&mem);
}

static void command_copy(int fd, bool unused)
{
	size_t page = svm_page_size(), half = 3 * page;
	struct svm_rng rng = svm_rng(77, 0);
	struct pair mem;

	pair_init(&mem, 2 * half, 5);
	for (int round = 0; round < 60; round++) {
		size_t size = 1 + svm_rng_below(&rng, round % 3 ? 70 : 2 * page);
		size_t src = svm_rng_below(&rng, half - size);
		size_t dst = half + svm_rng_below(&rng, half - size);

		svm_gpu_copy(fd, mem.gpu + dst, mem.gpu + src, size);
		memcpy(mem.cpu + dst, mem.cpu + src, size);
	}
	pair_check(&mem);
	pair_fini(&mem);
}

/* Over the border of two ranges, at odd addresses */
static void copy_ranges(int fd, bool unused)
{
	size_t range = svm_range_size(), page = svm_page_size(), size = 2 * page + 13;
	uint8_t *map = svm_mmap_aligned(2 * range, range);
	uint8_t *dst = map + range - page - 5, *src = malloc(size);

	igt_assert(src);
	for (size_t i = 0; i < size; i++)
		src[i] = i * 11 + 3;
	memset(dst - 1, CANARY, size + 2);
	svm_gpu_copy(fd, dst, src, size);
	igt_assert(!memcmp(dst, src, size));
	igt_assert_eq(dst[-1], CANARY);
	igt_assert_eq(dst[size], CANARY);
	free(src);
	munmap(map, 2 * range);
}

static void command_compare(int fd, bool unused)
{
	size_t page = svm_page_size(), size = page + 100;
	size_t diffs[] = { 0, 1, 7, 99, page - 40, page - 1, page, size - 1 };
	uint8_t *a = svm_mmap_anon(3 * page) + 13, *b = svm_mmap_anon(3 * page) + 40;
	struct drm_svm_test_cmd cmd = {
		.op = DRM_SVM_TEST_OP_COMPARE,
		.dst = client_ptr(a), .src = client_ptr(b), .size = size,
	};

	for (size_t i = 0; i < size; i++)
		a[i] = i * 3;
	memcpy(b, a, size);
	a[-1] = 1;
	a[size] = 1;
	igt_assert_eq_u64(run_value(fd, cmd), size);
	for (size_t i = ARRAY_SIZE(diffs); i--;) {
		b[diffs[i]] ^= 0x10;
		igt_assert_eq_u64(run_value(fd, cmd), diffs[i]);
	}
	munmap(a - 13, 3 * page);
	munmap(b - 40, 3 * page);
}

static void touch_read(int fd, bool is64)
{
	size_t page = svm_page_size(), esize = is64 ? 8 : 4;
	size_t strides[] = { esize, 3 * esize, 2 * esize + page, page };
	struct pair mem;

	pair_init(&mem, 5 * page, 99);
	for (size_t s = 0; s < ARRAY_SIZE(strides); s++) {
		struct drm_svm_test_cmd cmd = svm_cmd_touch(mem.gpu + esize, 3 * page + 8,
							    strides[s], false);
		uint64_t sum = 0;

		cmd.flags |= flag64(is64);
		for (size_t i = 0; i < cmd.size; i += strides[s])
			sum += element(mem.cpu + esize + i, is64);
		igt_assert_eq_u64(run_value(fd, cmd), sum);
	}
	pair_check(&mem);
	pair_fini(&mem);
}

static void touch_write(int fd, bool is64)
{
	size_t page = svm_page_size(), esize = is64 ? 8 : 4;
	size_t strides[] = { esize, 5 * esize, page, 2 * page };
	struct pair mem;

	pair_init(&mem, 5 * page, 0);
	for (size_t s = 0; s < ARRAY_SIZE(strides); s++) {
		struct drm_svm_test_cmd cmd = svm_cmd_touch(mem.gpu + page, 3 * page,
							    strides[s], true);

		cmd.flags |= flag64(is64);
		cmd.arg1 = 0x1111 * (s + 1) + (is64 ? (uint64_t)s << 40 : 0);
		svm_run(fd, &cmd);
		for (size_t i = 0; i < cmd.size; i += strides[s])
			set_element(mem.cpu + page + i, is64, cmd.arg1);
		pair_check(&mem);
	}
	pair_fini(&mem);
}

static void command_add(int fd, bool is64)
{
	size_t esize = is64 ? 8 : 4;
	struct pair mem;
	uint64_t mask = is64 ? ~0ull : 0xffffffff;
	uint64_t adds[] = { 1, 0x7fffffff, 0xffffffff, is64 ? ~0ull : 5, 0 };

	pair_init(&mem, svm_page_size(), 3);
	for (size_t i = 0; i < ARRAY_SIZE(adds); i++) {
		size_t at = esize * (i + 3);
		uint64_t old = element(mem.cpu + at, is64), count = i * 2 + 1;
		struct drm_svm_test_cmd cmd = svm_cmd_add64(mem.gpu + at, adds[i], count);

		cmd.flags = flag64(is64);
		igt_assert_eq_u64(run_value(fd, cmd), (old + adds[i] * (count - 1)) & mask);
		set_element(mem.cpu + at, is64, old + adds[i] * count);
	}
	pair_check(&mem);
	pair_fini(&mem);
}

static void command_cmpxchg(int fd, bool is64)
{
	size_t esize = is64 ? 8 : 4;
	struct pair mem;

	pair_init(&mem, svm_page_size(), 8);
	for (int hit = 0; hit < 2; hit++) {
		size_t at = esize * (5 + hit);
		uint64_t old = element(mem.cpu + at, is64);
		uint64_t new = is64 ? 0xfeedfacecafe1234ull : 0xcafe1234;
		struct drm_svm_test_cmd cmd = {
			.op = DRM_SVM_TEST_OP_ATOMIC_CMPXCHG, .flags = flag64(is64),
			.dst = client_ptr(mem.gpu + at), .arg0 = hit ? old : old ^ 1, .arg1 = new,
		};

		igt_assert_eq_u64(run_value(fd, cmd), old);
		if (hit)
			set_element(mem.cpu + at, is64, new);
	}
	pair_check(&mem);
	pair_fini(&mem);
}

/* A list whose nodes are strewn over pages, with the fields at odd places */
static void command_chase(int fd, bool is64)
{
	enum { NODES = 100, NEXT = 24, VALUE = 8 };
	uint8_t *mem = svm_mmap_anon(NODES * svm_page_size()), *nodes[NODES];
	uint64_t result[3], sum = 0, limits[] = { 0, 1, 17, NODES - 1, NODES, NODES + 9 };
	struct svm_rng rng = svm_rng(42, 0);

	for (int i = 0; i < NODES; i++)
		nodes[i] = mem + (i * 37 % NODES) * svm_page_size() + 64 * (i % 50);
	for (int i = 0; i < NODES; i++) {
		uint64_t next = i + 1 < NODES ? client_ptr(nodes[i + 1]) : 0;

		memcpy(nodes[i] + NEXT, &next, 8);
		set_element(nodes[i] + VALUE, is64, svm_rng_next(&rng));
	}
	for (size_t l = 0; l < ARRAY_SIZE(limits); l++) {
		uint64_t n = limits[l] < NODES ? limits[l] : NODES;
		struct drm_svm_test_cmd cmd = svm_cmd_chase((void *)nodes[0], limits[l], result);

		cmd.flags = flag64(is64);
		cmd.arg0 = NEXT;
		cmd.arg1 = VALUE;
		memset(result, 0xff, sizeof(result));
		svm_run(fd, &cmd);
		sum = 0;
		for (uint64_t i = 0; i < n; i++)
			sum += element(nodes[i] + VALUE, is64);
		igt_assert_eq_u64(READ_ONCE(result[0]), sum);
		igt_assert_eq_u64(READ_ONCE(result[1]), n);
		igt_assert_eq_u64(READ_ONCE(result[2]), ~0ull);
	}
	munmap(mem, NODES * svm_page_size());
}

static void chase_null(int fd, bool is64)
{
	uint64_t result[2] = { ~0ull, ~0ull };
	struct drm_svm_test_cmd cmd = svm_cmd_chase(NULL, 10, result);

	cmd.flags = flag64(is64);
	svm_run(fd, &cmd);
	igt_assert_eq_u64(READ_ONCE(result[0]), 0);
	igt_assert_eq_u64(READ_ONCE(result[1]), 0);
}

/* @scatter: of all indices, each once, so that the order does not matter */
static void gather_or_scatter(int fd, bool is64, bool scatter)
{
	size_t esize = is64 ? 8 : 4, count = 2000;
	uint32_t *index = malloc(count * sizeof(*index));
	struct svm_rng rng = svm_rng(6, 0);
	struct pair src, dst;
	struct drm_svm_test_cmd cmd = {
		.op = scatter ? DRM_SVM_TEST_OP_SCATTER : DRM_SVM_TEST_OP_GATHER,
		.flags = flag64(is64), .count = count, .arg0 = client_ptr(index),
	};

	igt_assert(index);
	pair_init(&src, count * esize, 11);
	pair_init(&dst, (count + 4) * esize, 0);
	cmd.src = client_ptr(src.gpu);
	cmd.dst = client_ptr(dst.gpu + 2 * esize);
	for (size_t i = 0; i < count; i++)
		index[i] = scatter ? i * 7 % count : svm_rng_below(&rng, count);
	svm_run(fd, &cmd);
	for (size_t i = 0; i < count; i++) {
		size_t to = scatter ? index[i] : i, from = scatter ? i : index[i];

		memcpy(dst.cpu + (to + 2) * esize, src.cpu + from * esize, esize);
	}
	pair_check(&src);
	pair_check(&dst);
	pair_fini(&src);
	pair_fini(&dst);
	free(index);
}

static void command_gather(int fd, bool is64)
{
	gather_or_scatter(fd, is64, false);
}

static void command_scatter(int fd, bool is64)
{
	gather_or_scatter(fd, is64, true);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * (uint64_t)NSEC_PER_SEC + ts.tv_nsec;
}

static void command_timestamp(int fd, bool unused)
{
	enum { STAMPS = 16 };
	uint64_t stamps[STAMPS] = {}, before = now_ns();
	struct drm_svm_test_cmd cmds[STAMPS];

	for (int i = 0; i < STAMPS; i++)
		cmds[i] = (struct drm_svm_test_cmd) {
			.op = DRM_SVM_TEST_OP_TIMESTAMP, .result = client_ptr(&stamps[i]),
		};
	svm_wait_ok(fd, svm_submit(fd, cmds, STAMPS));
	igt_assert_lte_u64(before, READ_ONCE(stamps[0]));
	for (int i = 1; i < STAMPS; i++)
		igt_assert_lte_u64(READ_ONCE(stamps[i - 1]), READ_ONCE(stamps[i]));
	igt_assert_lte_u64(READ_ONCE(stamps[STAMPS - 1]), now_ns());
}

/* Sizes of nothing are no accesses, so the address does not matter */
static void command_empty(int fd, bool unused)
{
	struct drm_svm_test_cmd cmds[] = {
		{ .op = DRM_SVM_TEST_OP_FILL },
		{ .op = DRM_SVM_TEST_OP_COPY },
		{ .op = DRM_SVM_TEST_OP_COMPARE },
		{ .op = DRM_SVM_TEST_OP_TOUCH, .arg0 = 4 },
		{ .op = DRM_SVM_TEST_OP_GATHER },
		{ .op = DRM_SVM_TEST_OP_SCATTER },
		{ .op = DRM_SVM_TEST_OP_ATOMIC_ADD },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cmds); i++) {
		struct drm_svm_test_wait result;

		svm_wait(fd, svm_submit(fd, &cmds[i], 1), &result);
		igt_assert_f(result.out_status == DRM_SVM_TEST_STATUS_OK ||
			     result.out_status == DRM_SVM_TEST_STATUS_INVALID,
			     "command %zu: status %u, errno %u\n", i,
			     result.out_status, result.out_errno);
	}
}

/* Subtests NAME-32 and NAME-64 if @sizes, else NAME */
static const struct {
	const char *name;
	const char *describe;
	void (*run)(int fd, bool is64);
	bool sizes;
} commands[] = {
	{ "fill", "FILL writes each element of its operand and nothing else.", command_fill,
	  true },
	{ "copy", "COPY of any alignment and size copies each byte.", command_copy, false },
	{ "copy-ranges", "COPY may cross a range at any byte.", copy_ranges, false },
	{ "compare", "COMPARE finds the first difference.", command_compare, false },
	{ "touch-read", "TOUCH sums the elements that it reads.", touch_read, true },
	{ "touch-write", "TOUCH writes each element of its stride and nothing else.", touch_write,
	  true },
	{ "add", "ATOMIC_ADD adds, wraps, and returns the last old value.", command_add, true },
	{ "cmpxchg", "ATOMIC_CMPXCHG swaps only when the old value matches.", command_cmpxchg,
	  true },
	{ "chase", "CHASE follows a list to its end or its limit, and sums it.", command_chase,
	  true },
	{ "chase-null", "CHASE of an empty list visits nothing.", chase_null, true },
	{ "gather", "GATHER reads through random indices.", command_gather, true },
	{ "scatter", "SCATTER writes through indices.", command_scatter, true },
	{ "timestamp", "Timestamps are of the CPU's clock and never go back.", command_timestamp,
	  false },
	{ "empty", "Operands of no bytes touch no memory.", command_empty, false },
};

int igt_main()
{
	igt_fixture()
		close(svm_open());

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		for (int is64 = 0; is64 <= commands[i].sizes; is64++) {
			svm_close_leaked();
			igt_describe(commands[i].describe);
			igt_subtest_f("%s%s", commands[i].name,
				      commands[i].sizes ? is64 ? "-64" : "-32" : "") {
				int fd = svm_open_attached();

				commands[i].run(fd, is64);
				close(fd);
			}
		}
	}
}
