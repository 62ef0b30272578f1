// SPDX-License-Identifier: MIT
/*
 * TEST: svm fault
 * Category: Security
 * Description: Accesses that cannot be served fail their job, by name, and nothing else.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "igt.h"
#include "svm_job.h"
#include "svm_mem.h"

IGT_TEST_DESCRIPTION("Accesses that cannot be served fail their job, by name, and nothing else.");

/* Read and write of one word; the fault must name the page or the very byte */
static void assert_faults(int fd, uint64_t addr, bool write, uint32_t err)
{
	struct drm_svm_test_cmd cmd = {
		.op = DRM_SVM_TEST_OP_TOUCH, .dst = addr, .size = 4, .arg0 = 4,
		.flags = write ? DRM_SVM_TEST_CMD_WRITE : 0,
	};

	svm_run_faults(fd, &cmd, err, addr);
}

static void assert_works(int fd)
{
	uint32_t word = 0;

	svm_gpu_write32(fd, &word, 0x600d);
	igt_assert_eq_u32(READ_ONCE(word), 0x600d);
}

static void fault_hole(int fd)
{
	size_t page = svm_page_size();
	uint8_t *map = svm_mmap_anon(3 * page);

	munmap(map + page, page);
	for (int write = 0; write < 2; write++)
		assert_faults(fd, client_ptr(map + page) + 8, write, ENOENT);
	svm_gpu_touch(fd, map, page, page, true);
	svm_gpu_touch(fd, map + 2 * page, page, page, true);
	igt_assert_eq_u32(svm_query_page(fd, map + page), 0);
	munmap(map, page);
	munmap(map + 2 * page, page);
}

static void fault_null(int fd)
{
	assert_faults(fd, 0, true, ENOENT);
	assert_faults(fd, 8, false, ENOENT);
	assert_works(fd);
}

static void prot_none(int fd)
{
	size_t page = svm_page_size();
	uint8_t *map = svm_mmap_anon(page);

	*map = 1;
	svm_gpu_touch(fd, map, page, page, true);
	igt_assert_eq(mprotect(map, page, PROT_NONE), 0);
	for (int write = 0; write < 2; write++)
		assert_faults(fd, client_ptr(map), write, EACCES);
	igt_assert_eq(mprotect(map, page, PROT_READ | PROT_WRITE), 0);
	igt_assert_eq_u32(svm_gpu_read32(fd, map) & 0xff, *map);
	munmap(map, page);
}

static void read_only(int fd)
{
	size_t page = svm_page_size();
	uint32_t *map = svm_mmap_anon(page);

	*map = 0x1234;
	igt_assert_eq(mprotect(map, page, PROT_READ), 0);
	assert_faults(fd, client_ptr(map), true, EACCES);
	igt_assert_eq_u32(svm_gpu_read32(fd, map), 0x1234);
	assert_faults(fd, client_ptr(map), true, EACCES);
	igt_assert_eq_u32(*map, 0x1234);
	munmap(map, page);
}

/* The gap below a stack is no mapping; a guard page is one that nobody may use */
static void fault_guard(int fd)
{
	size_t page = svm_page_size();
	uint8_t *map = svm_mmap_anon(3 * page);
	uint8_t *stack = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);

	igt_assert(stack != MAP_FAILED);
	igt_require(!madvise(map + page, page, MADV_GUARD_INSTALL));
	for (int write = 0; write < 2; write++) {
		assert_faults(fd, client_ptr(map + page), write, EFAULT);
		assert_faults(fd, client_ptr(stack) - page, write, ENOENT);
	}
	svm_gpu_touch(fd, map, page, page, true);
	svm_gpu_touch(fd, map + 2 * page, page, page, true);
	munmap(map, 3 * page);
	munmap(stack, 4 * page);
}

/* Kernel addresses, holes of the address format, the end of everything */
static void wild_addresses(int fd)
{
	struct drm_svm_test_info info;
	static const uint64_t wild[] = {
		0xffff888000000000ull, 0xffffffff81000000ull, 0xfffffffffffff000ull,
		0xfffffffffffffff0ull, 0x8000000000000000ull, 0x0000800000000000ull,
		0x00007ffffffff000ull, 0xff00000000000000ull, 0xffff800000000000ull,
	};

	svm_info(fd, &info);
	for (size_t i = 0; i < ARRAY_SIZE(wild); i++) {
		for (int write = 0; write < 2; write++) {
			struct drm_svm_test_cmd cmd = svm_cmd_touch((void *)wild[i], 4, 4, write);
			struct drm_svm_test_wait result;

			svm_wait(fd, svm_submit(fd, &cmd, 1), &result);
			igt_assert_f(result.out_status == DRM_SVM_TEST_STATUS_FAULT &&
				     (result.out_errno == EFAULT || result.out_errno == ENOENT),
				     "%#llx: status %u, errno %u\n", (unsigned long long)wild[i],
				     result.out_status, result.out_errno);
			igt_assert_eq_u64(result.out_addr, wild[i]);
		}
	}
	assert_works(fd);
}

/* Each operand of each command at a kernel address, and with a size that wraps */
static void wild_operands(int fd)
{
	uint64_t wild = 0xffff888000001000ull, ok = client_ptr(svm_mmap_anon(svm_page_size()));
	struct drm_svm_test_cmd cmds[] = {
		{ .op = DRM_SVM_TEST_OP_FILL, .dst = wild, .size = 4 },
		{ .op = DRM_SVM_TEST_OP_FILL, .dst = ok, .size = -4ull, .arg0 = 1 },
		{ .op = DRM_SVM_TEST_OP_FILL, .dst = ok, .size = 1ull << 63, .arg0 = 1 },
		{ .op = DRM_SVM_TEST_OP_COPY, .dst = wild, .src = ok, .size = 3 },
		{ .op = DRM_SVM_TEST_OP_COPY, .dst = ok, .src = wild, .size = 3 },
		{ .op = DRM_SVM_TEST_OP_COPY, .dst = ok, .src = ok + 64, .size = -1ull },
		{ .op = DRM_SVM_TEST_OP_COMPARE, .dst = wild, .src = ok, .size = 5 },
		{ .op = DRM_SVM_TEST_OP_COMPARE, .dst = ok, .src = wild, .size = 5 },
		{ .op = DRM_SVM_TEST_OP_TOUCH, .dst = wild, .size = 64, .arg0 = 8 },
		{ .op = DRM_SVM_TEST_OP_TOUCH, .dst = ok, .size = ~0ull, .arg0 = 1ull << 62 },
		{ .op = DRM_SVM_TEST_OP_ATOMIC_ADD, .dst = wild, .arg0 = 1, .count = 1 },
		{ .op = DRM_SVM_TEST_OP_ATOMIC_CMPXCHG, .dst = wild, .arg1 = 1 },
		{ .op = DRM_SVM_TEST_OP_CHASE, .src = wild, .count = 1 },
		{ .op = DRM_SVM_TEST_OP_CHASE, .src = ok, .arg0 = wild, .count = 1 },
		{ .op = DRM_SVM_TEST_OP_CHASE, .src = ok, .arg1 = wild, .count = 1 },
		{ .op = DRM_SVM_TEST_OP_GATHER, .dst = wild, .src = ok, .arg0 = ok, .count = 1 },
		{ .op = DRM_SVM_TEST_OP_GATHER, .dst = ok, .src = wild, .arg0 = ok, .count = 1 },
		{ .op = DRM_SVM_TEST_OP_GATHER, .dst = ok, .src = ok, .arg0 = wild, .count = 1 },
		{ .op = DRM_SVM_TEST_OP_GATHER, .dst = ok, .src = ok, .arg0 = ok, .count = ~0ull },
		{ .op = DRM_SVM_TEST_OP_SCATTER, .dst = wild, .src = ok, .arg0 = ok, .count = 1 },
		{ .op = DRM_SVM_TEST_OP_SCATTER, .dst = ok, .src = ok, .arg0 = wild, .count = 1 },
		{ .op = DRM_SVM_TEST_OP_TIMESTAMP, .result = wild },
		{ .op = DRM_SVM_TEST_OP_CHASE, .result = wild },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cmds); i++) {
		struct drm_svm_test_wait result;

		svm_wait(fd, svm_submit(fd, &cmds[i], 1), &result);
		igt_assert_f(result.out_status == DRM_SVM_TEST_STATUS_FAULT &&
			     result.out_errno == EFAULT, "command %zu: status %u, errno %u\n",
			     i, result.out_status, result.out_errno);
		assert_works(fd);
	}
	/* They are refused as a whole, before the good part of a range is written */
	igt_assert(svm_cpu_all32((void *)ok, svm_page_size(), 0));
	munmap((void *)ok, svm_page_size());
}

/* A range that starts in good memory faults at the first byte that is not */
static void fault_address(int fd)
{
	size_t page = svm_page_size();
	uint8_t *map = svm_mmap_anon(4 * page);
	struct drm_svm_test_cmd cmd = svm_cmd_fill(map, 3 * page, 0x11111111);

	munmap(map + 2 * page, 2 * page);
	svm_run_faults(fd, &cmd, ENOENT, client_ptr(map + 2 * page));
	igt_assert(svm_cpu_all32(map, 2 * page, 0x11111111));
	cmd = svm_cmd_copy(map, map + page + 7, page);
	svm_run_faults(fd, &cmd, ENOENT, client_ptr(map + 2 * page));
	munmap(map, 2 * page);
}

/* The result names the command; those before it ran, those after it did not */
static void fault_in_the_middle(int fd)
{
	uint32_t *words = svm_mmap_anon(svm_page_size());
	uint8_t *hole = svm_mmap_anon(svm_page_size());
	struct drm_svm_test_cmd cmds[5];
	struct drm_svm_test_wait result;

	munmap(hole, svm_page_size());
	for (int i = 0; i < 5; i++)
		cmds[i] = svm_cmd_fill(words + i, 4, i + 1);
	cmds[3].dst = client_ptr(hole) + 12;
	svm_wait(fd, svm_submit(fd, cmds, 5), &result);
	igt_assert_eq_u32(result.out_status, DRM_SVM_TEST_STATUS_FAULT);
	igt_assert_eq_u32(result.out_errno, ENOENT);
	igt_assert_eq_u32(result.out_cmd, 3);
	igt_assert_eq_u64(result.out_addr, client_ptr(hole) + 12);
	for (int i = 0; i < 5; i++)
		igt_assert_eq_u32(READ_ONCE(words[i]), i < 3 ? i + 1 : 0);
	munmap(words, svm_page_size());
}

static void next_job_runs(int fd)
{
	uint32_t *word = svm_mmap_anon(svm_page_size());
	struct drm_svm_test_cmd bad = svm_cmd_fill(NULL, 4, 1);
	struct drm_svm_test_cmd good = svm_cmd_add32(word, 1, 1);
	uint64_t jobs[20];

	for (int i = 0; i < 20; i++)
		jobs[i] = svm_submit_on(fd, 0, i % 2 ? &good : &bad, 1);
	for (int i = 0; i < 20; i++) {
		if (i % 2)
			svm_wait_ok(fd, jobs[i]);
		else
			svm_wait_failed(fd, jobs[i], DRM_SVM_TEST_STATUS_FAULT, ENOENT);
	}
	igt_assert_eq_u32(READ_ONCE(*word), 10);
	munmap(word, svm_page_size());
}

/* What is malformed whatever memory is there: nothing of the job runs */
static void malformed_commands(int fd)
{
	uint64_t ok = client_ptr(svm_mmap_anon(svm_page_size())), big = 1ull << 32;
	struct drm_svm_test_cmd bad[] = {
		{ .op = DRM_SVM_TEST_OP_INVALID },
		{ .op = DRM_SVM_TEST_OP_PREFETCH + 1 },
		{ .op = ~0u },
		{ .op = DRM_SVM_TEST_OP_FILL, .flags = 1u << 31, .dst = ok, .size = 4 },
		{ .op = DRM_SVM_TEST_OP_FILL, .flags = 1u << 2, .dst = ok, .size = 4 },
		{ .op = DRM_SVM_TEST_OP_FILL, .flags = 2, .dst = ok, .size = 4 },
		{ .op = DRM_SVM_TEST_OP_FILL, .dst = ok, .size = 6 },
		{ .op = DRM_SVM_TEST_OP_FILL, .flags = 1, .dst = ok, .size = 12 },
		{ .op = DRM_SVM_TEST_OP_FILL, .dst = ok, .size = 4, .src = ok },
		{ .op = DRM_SVM_TEST_OP_FILL, .dst = ok, .size = 4, .count = 1 },
		{ .op = DRM_SVM_TEST_OP_FILL, .dst = ok, .size = 4, .arg1 = 1 },
		{ .op = DRM_SVM_TEST_OP_FILL, .dst = ok, .size = 4, .result = ok },
		{ .op = DRM_SVM_TEST_OP_COPY, .dst = ok, .src = ok + 64, .size = 4, .arg0 = 1 },
		{ .op = DRM_SVM_TEST_OP_TOUCH, .dst = ok, .size = 4 },
		{ .op = DRM_SVM_TEST_OP_TOUCH, .dst = ok, .size = 4, .arg0 = 3 },
		{ .op = DRM_SVM_TEST_OP_TOUCH, .flags = 1, .dst = ok, .size = 4, .arg0 = 4 },
		{ .op = DRM_SVM_TEST_OP_TOUCH, .dst = ok, .size = 4, .arg0 = 4, .arg1 = 1 },
		{ .op = DRM_SVM_TEST_OP_ATOMIC_ADD, .dst = ok, .count = 1, .size = 4 },
		{ .op = DRM_SVM_TEST_OP_ATOMIC_CMPXCHG, .dst = ok, .count = 1 },
		{ .op = DRM_SVM_TEST_OP_CHASE, .src = ok, .dst = ok, .count = 1 },
		{ .op = DRM_SVM_TEST_OP_GATHER, .dst = ok, .count = 1, .size = 4 },
		{ .op = DRM_SVM_TEST_OP_TIMESTAMP, .dst = ok },
		/* Values that no element of 4 bytes can hold */
		{ .op = DRM_SVM_TEST_OP_FILL, .dst = ok, .size = 4, .arg0 = big },
		{ .op = DRM_SVM_TEST_OP_TOUCH, .flags = DRM_SVM_TEST_CMD_WRITE, .dst = ok,
		  .size = 4, .arg0 = 4, .arg1 = big },
		{ .op = DRM_SVM_TEST_OP_ATOMIC_ADD, .dst = ok, .count = 1, .arg0 = big },
		{ .op = DRM_SVM_TEST_OP_ATOMIC_CMPXCHG, .dst = ok, .arg0 = big },
		{ .op = DRM_SVM_TEST_OP_ATOMIC_CMPXCHG, .dst = ok, .arg1 = big },
	};
	uint32_t ran = 0;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct drm_svm_test_cmd cmds[] = { svm_cmd_add32(&ran, 1, 1), bad[i] };
		uint64_t job;

		igt_assert_f(client_submit_cmds(fd, cmds, 2, &job) == -EINVAL, "command %zu\n", i);
	}
	assert_works(fd);
	igt_assert_eq_u32(READ_ONCE(ran), 0);
	igt_assert(svm_cpu_all32((void *)ok, svm_page_size(), 0));
	munmap((void *)ok, svm_page_size());
}

/* What shows only in execution: INVALID, and the commands before it ran */
static void fault_misaligned(int fd)
{
	uint64_t ok = client_ptr(svm_mmap_anon(svm_page_size()));
	struct drm_svm_test_cmd bad[] = {
		{ .op = DRM_SVM_TEST_OP_FILL, .dst = ok + 2, .size = 4 },
		{ .op = DRM_SVM_TEST_OP_FILL, .flags = 1, .dst = ok + 4, .size = 8 },
		{ .op = DRM_SVM_TEST_OP_TOUCH, .dst = ok + 1, .size = 4, .arg0 = 4 },
		{ .op = DRM_SVM_TEST_OP_TOUCH, .dst = ok, .size = 64, .arg0 = 6 },
		{ .op = DRM_SVM_TEST_OP_ATOMIC_ADD, .dst = ok + 1, .count = 1 },
		{ .op = DRM_SVM_TEST_OP_ATOMIC_CMPXCHG, .flags = 1, .dst = ok + 4 },
		{ .op = DRM_SVM_TEST_OP_CHASE, .src = ok + 4, .count = 1 },
		{ .op = DRM_SVM_TEST_OP_CHASE, .src = ok, .arg0 = 1, .count = 1 },
		{ .op = DRM_SVM_TEST_OP_CHASE, .src = ok, .arg1 = 2, .count = 1 },
		{ .op = DRM_SVM_TEST_OP_GATHER, .dst = ok, .src = ok, .arg0 = ok + 2, .count = 1 },
		{ .op = DRM_SVM_TEST_OP_GATHER, .dst = ok, .src = ok + 3, .arg0 = ok, .count = 1 },
		{ .op = DRM_SVM_TEST_OP_SCATTER, .dst = ok + 2, .src = ok, .arg0 = ok, .count = 1 },
		{ .op = DRM_SVM_TEST_OP_TIMESTAMP, .result = ok + 4 },
		{ .op = DRM_SVM_TEST_OP_TIMESTAMP, .result = ok + 1 },
	};
	uint32_t ran = 0;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct drm_svm_test_cmd cmds[] = { svm_cmd_add32(&ran, 1, 1), bad[i] };
		struct drm_svm_test_wait result;

		svm_wait(fd, svm_submit(fd, cmds, 2), &result);
		igt_assert_f(result.out_status == DRM_SVM_TEST_STATUS_INVALID &&
			     result.out_errno == EINVAL && result.out_cmd == 1,
			     "command %zu: status %u, errno %u, index %u\n", i,
			     result.out_status, result.out_errno, result.out_cmd);
		igt_assert_eq_u32(READ_ONCE(ran), i + 1);
	}
	igt_assert(svm_cpu_all32((void *)ok, svm_page_size(), 0));
	munmap((void *)ok, svm_page_size());
}

/* A file shorter than its mapping, and one that is cut while it is mapped */
static void truncated_file(int fd)
{
	size_t page = svm_page_size();
	int memfd = memfd_create("svm", 0);
	uint8_t *map;

	igt_assert_eq(ftruncate(memfd, 2 * page), 0);
	map = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	igt_assert(map != MAP_FAILED);
	assert_faults(fd, client_ptr(map + 2 * page), false, EFAULT);
	assert_faults(fd, client_ptr(map + 3 * page), true, EFAULT);
	svm_gpu_touch(fd, map, 2 * page, page, true);
	igt_assert_eq(ftruncate(memfd, page), 0);
	igt_assert_eq_u32(svm_query_page(fd, map + page), 0);
	assert_faults(fd, client_ptr(map + page), false, EFAULT);
	svm_gpu_touch(fd, map, page, page, true);
	munmap(map, 4 * page);
	close(memfd);
}

static void fault_counters(int fd)
{
	struct client_counts before, after;

	svm_counters(fd, &before);
	for (int i = 0; i < 5; i++)
		assert_faults(fd, 0, false, ENOENT);
	svm_counters(fd, &after);
	igt_assert_eq_u64(client_count(&after, FAILED), client_count(&before, FAILED) + 5);
	igt_assert_eq_u64(client_count(&after, CUR_PAGES), client_count(&before, CUR_PAGES));
}

/* A private mapping of /dev/zero has a file, but its pages are not waited for */
static void dev_zero(int fd)
{
	struct client_counts before, after;
	size_t size = svm_range_size();
	int file = open("/dev/zero", O_RDWR | O_CLOEXEC);
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);

	igt_assert(map != MAP_FAILED);
	madvise(map, size, MADV_NOHUGEPAGE);
	svm_counters(fd, &before);
	svm_gpu_fill(fd, map, size, 0x2e20);
	svm_counters(fd, &after);
	igt_assert_eq_u64(client_count(&after, WAITS), client_count(&before, WAITS));
	igt_assert_lte_u64(client_counted(&before, &after, FAULTS), size / svm_page_size() / 4);
	igt_assert(svm_cpu_all32(map, size, 0x2e20));
	munmap(map, size);
	close(file);
}

static const struct svm_case cases[] = {
	{ "hole", "An address without a mapping is ENOENT; its neighbours work.", fault_hole },
	{ "null", "A null pointer is ENOENT.", fault_null },
	{ "prot-none", "PROT_NONE is EACCES, also of a page that was mapped before.", prot_none },
	{ "read-only", "A write to a read-only mapping is EACCES, a read works.", read_only },
	{ "guard", "Guard pages are EFAULT, the gap below a stack is ENOENT.", fault_guard },
	{ "wild-addresses", "Kernel and impossible addresses fail the job.", wild_addresses },
	{ "wild-operands", "No operand of any command reaches a kernel address or wraps around.",
	  wild_operands },
	{ "address", "The result names the first byte that cannot be reached.", fault_address },
	{ "in-the-middle", "A fault ends its job at the command that caused it.",
	  fault_in_the_middle },
	{ "next-job-runs", "A failed job does not hurt the jobs behind it.", next_job_runs },
	{ "malformed-commands", "Malformed commands refuse the whole job.", malformed_commands },
	{ "misaligned", "Addresses that are not aligned to the element end the job as invalid.",
	  fault_misaligned },
	{ "truncated-file", "Pages behind the end of a file are EFAULT.", truncated_file },
	{ "dev-zero", "Pages of a private mapping of /dev/zero do not have to be waited for.",
	  dev_zero },
	{ "counters", "Each failed fault is counted once.", fault_counters },
};

int igt_main()
{
	igt_fixture()
		close(svm_open());

	svm_cases(cases);
}
