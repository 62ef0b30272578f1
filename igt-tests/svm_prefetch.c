// SPDX-License-Identifier: MIT
/*
 * Memory that is moved because the program says so, and what it is told of it.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_hw.h"
#include "svm_job.h"
#include "svm_mem.h"
#include "svm_prefetch.h"

IGT_TEST_DESCRIPTION("Programs move their pages, and learn what became of each.");

#define MAGIC	0x91910000u
#define VRAM	DRM_SVM_LOCATION_VRAM
#define SYSTEM	DRM_SVM_LOCATION_SYSTEM

static void in_and_out(int fd)
{
	size_t pages = 40, size = pages * svm_page_size();
	char *base = svm_mmap_small(size);

	svm_pattern(base, size, MAGIC);
	igt_assert_eq(svm_prefetch(fd, base, size, VRAM), pages);
	igt_assert_eq(svm_resident(fd, base, size, VRAM), pages);
	igt_assert_eq(svm_prefetch(fd, base, size, VRAM), 0);
	igt_assert(svm_gpu_pattern_ok(fd, base, size, MAGIC));
	igt_assert_eq(svm_prefetch(fd, base, size, SYSTEM), pages);
	igt_assert_eq(svm_resident(fd, base, size, SYSTEM), pages);
	igt_assert_eq(svm_prefetch(fd, base, size, SYSTEM), 0);
	igt_assert(svm_pattern_ok(base, size, MAGIC));
}

static void prefetch_untouched(int fd)
{
	size_t pages = 40, size = pages * svm_page_size();
	char *base = svm_mmap_small(size);
	struct client_counts counters;

	igt_assert_eq(svm_prefetch(fd, base, size, VRAM), pages);
	igt_assert_eq(svm_resident(fd, base, size, VRAM), pages);
	svm_counters(fd, &counters);
	igt_assert_eq_u64(client_count(&counters, VRAM_PAGES_IN), pages);
	igt_assert_eq_u64(client_count(&counters, VRAM_BYTES_IN), 0);
	igt_assert_eq_u64(client_count(&counters, VRAM_CPU_FAULTS), 0);
	igt_assert_eq_u32(svm_gpu_read32(fd, base + size - 4), 0);
	igt_assert(svm_cpu_all32(base, size, 0));
}

/* What begins amid a block lies in VRAM as in the address space, so its leaves are large */
static void prefetch_aligned(int fd)
{
	size_t page = svm_page_size(), pages = 64, block = 16;
	char *base = svm_mmap_small(svm_range_size());

	svm_prefetch(fd, svm_page(base, 4), (pages - 4) * page, VRAM);
	for (size_t i = 4; i < pages; i++) {
		int64_t offset;

		svm_gpu_touch(fd, svm_page(base, i), 4, 4, false);
		offset = svm_hw_offset(fd, svm_page(base, i));
		igt_assert_lte_s64(0, offset);
		igt_assert_eq_u64(offset / page % block, i % block);
	}
}

static void prefetch_huge(int fd)
{
	size_t size = 2 * svm_range_size(), pages = size / svm_page_size();
	char *base = svm_mmap_thp(size);

	svm_pattern(base, size, MAGIC);
	igt_assert_eq(svm_prefetch(fd, base, size, VRAM), pages);
	igt_assert_eq(svm_folio(fd, base), svm_range_size());
	igt_assert_eq_u32(svm_gpu_read32(fd, base), MAGIC);
	igt_assert_eq(svm_leaf(fd, base), svm_range_size());
	igt_assert_eq(svm_prefetch(fd, base, size, SYSTEM), pages);
	igt_assert_eq(svm_folio(fd, base), svm_range_size());
	igt_assert(svm_pattern_ok(base, size, MAGIC));
}

static void huge_untouched(int fd)
{
	size_t size = svm_range_size();
	char *base = svm_mmap_aligned(size, size);

	madvise(base, size, MADV_HUGEPAGE);
	igt_assert_eq(svm_prefetch(fd, base, size, VRAM), size / svm_page_size());
	igt_assert_eq(svm_folio(fd, base), size);
	igt_assert(svm_cpu_all32(base, size, 0));
}

/* A part of a huge page, and an interval that begins and ends within ranges */
static void prefetch_parts(int fd)
{
	size_t page = svm_page_size(), range = svm_range_size();
	char *base = svm_mmap_thp(2 * range);
	size_t pages = range / page;

	svm_pattern(base, 2 * range, MAGIC);
	igt_assert_eq(svm_prefetch(fd, base + range / 2, range, VRAM), pages);
	igt_assert_eq(svm_resident(fd, base, range / 2, SYSTEM), pages / 2);
	igt_assert_eq(svm_resident(fd, base + range / 2, range, VRAM), pages);
	igt_assert_eq(svm_prefetch(fd, base, 2 * range, VRAM), pages);
	igt_assert_eq(svm_resident(fd, base, 2 * range, VRAM), 2 * pages);
	igt_assert(svm_pattern_ok(base, 2 * range, MAGIC));
}

static void some_there(int fd)
{
	size_t page = svm_page_size(), size = 64 * page;
	char *base = svm_mmap_small(size);
	struct drm_svm_prefetch args = svm_prefetch_args(base, size, VRAM);

	svm_pattern(base, size, MAGIC);
	svm_prefetch_counts(fd, &args);
	/* a slice of 64 KiB comes home for the CPU */
	igt_assert_eq_u32(*(uint32_t *)(base + 20 * page), MAGIC + 20 * (page / 4) * 2654435761u);
	igt_assert_eq(svm_resident(fd, base, size, VRAM), 48);
	igt_assert_eq(svm_prefetch_counts(fd, &args), 16);
	igt_assert_eq_u64(args.out_resident, 48);
	igt_assert(svm_pattern_ok(base, size, MAGIC));
}

static void prefetch_kinds(int fd)
{
	size_t page = svm_page_size();
	char *base = svm_mmap_small(8 * page);
	struct drm_svm_prefetch args = svm_prefetch_args(base, 8 * page, VRAM);

	memset(base, 1, 8 * page);
	svm_mmap_fixed(base + page, page, PROT_READ | PROT_WRITE, MAP_SHARED, svm_memfd(page));
	svm_mmap_fixed(base + 3 * page, page, PROT_READ | PROT_WRITE, MAP_PRIVATE,
		       svm_tmpfile(svm_scratch_dir(), page));
	igt_assert(!mprotect(base + 5 * page, page, PROT_NONE));
	igt_assert(!mprotect(base + 6 * page, page, PROT_READ));
	igt_assert_eq(svm_prefetch_counts(fd, &args), 5);
	igt_assert_eq_u64(args.out_unsupported, 3);
	igt_assert_eq(svm_resident(fd, base + 6 * page, page, VRAM), 1);
	args.location = SYSTEM;
	igt_assert_eq(svm_prefetch_counts(fd, &args), 5);
	igt_assert_eq_u64(args.out_resident, 2);
	igt_assert_eq_u64(args.out_unsupported, 1);
}

/* What the GPU may not access is told from what never moves, if the program asks. */
static void prefetch_denied(int fd)
{
	size_t page = svm_page_size(), size = 8 * page;
	char *base = svm_mmap_small(size);
	struct drm_svm_prefetch args = svm_prefetch_args(base, size, VRAM);

	memset(base, 1, size);
	svm_mmap_fixed(base + page, page, PROT_READ | PROT_WRITE, MAP_SHARED, svm_memfd(page));
	igt_assert(!mprotect(base + 3 * page, 2 * page, PROT_NONE));
	igt_assert(!mprotect(base + 6 * page, page, PROT_READ));
	args.flags = DRM_SVM_PREFETCH_COUNT_DENIED;
	igt_assert_eq(svm_prefetch_counts(fd, &args), 5);
	igt_assert_eq_u64(args.out_unsupported, 1);
	igt_assert_eq_u64(args.out_denied, 2);
	args.location = SYSTEM;
	igt_assert_eq(svm_prefetch_counts(fd, &args), 5);
	igt_assert_eq_u64(args.out_unsupported, 0);
	igt_assert_eq_u64(args.out_denied, 2);
	igt_assert_eq_u64(args.out_resident, 1);
	/* as it was before there was that count */
	args.flags = 0;
	args.location = VRAM;
	igt_assert_eq(svm_prefetch_counts(fd, &args), 5);
	igt_assert_eq_u64(args.out_unsupported, 3);
	igt_assert_eq_u64(args.out_denied, 0);
}

/* A call that goes on takes the counts that belong to its flags, and no others. */
static void denied_goes_on(int fd)
{
	size_t page = svm_page_size();
	char *base = svm_mmap_small(8 * page);
	struct drm_svm_prefetch args = svm_prefetch_args(base, 8 * page, VRAM), bad;

	memset(base, 1, 8 * page);
	igt_assert(!mprotect(base, 4 * page, PROT_NONE));
	igt_assert(!mprotect(base + 6 * page, page, PROT_NONE));
	args.progress = 4 * page;
	args.out_denied = 4;
	igt_assert_eq(__svm_prefetch(fd, &args), -EINVAL);
	args.progress = 4 * page;
	args.out_denied = 4;
	args.flags = DRM_SVM_PREFETCH_COUNT_DENIED;
	bad = args;
	bad.out_denied = 3;
	igt_assert_eq(__svm_prefetch(fd, &bad), -EINVAL);
	igt_assert_eq(svm_prefetch_counts(fd, &args), 3);
	igt_assert_eq_u64(args.out_denied, 5);
	args = svm_prefetch_args(base, 8 * page, VRAM);
	args.progress = 4 * page;
	args.out_unsupported = 4;
	igt_assert_eq(svm_prefetch_counts(fd, &args), 0);
	igt_assert_eq_u64(args.out_unsupported, 5);
	igt_assert_eq_u64(args.out_resident, 3);
}

static void prefetch_busy(int fd)
{
	size_t page = svm_page_size();
	char *base = svm_mmap_small(16 * page);
	struct drm_svm_prefetch args = svm_prefetch_args(base, 16 * page, VRAM);
	struct iovec iov = { base + 3 * page, page };
	int ends[2];

	svm_pattern(base, 16 * page, MAGIC);
	igt_assert(!pipe(ends));
	igt_assert_eq(vmsplice(ends[1], &iov, 1, 0), page);
	igt_assert_eq(svm_prefetch_counts(fd, &args), 15);
	igt_assert_eq_u64(args.out_busy, 1);
	igt_assert_eq(svm_resident(fd, base + 3 * page, page, SYSTEM), 1);
	close(ends[0]);
	close(ends[1]);
	igt_assert_eq(svm_prefetch_counts(fd, &args), 1);
	igt_assert(svm_pattern_ok(base, 16 * page, MAGIC));
}

static void prefetch_swapped(int fd)
{
	size_t page = svm_page_size();
	char *base = svm_mmap_small(16 * page);
	struct drm_svm_prefetch args = svm_prefetch_args(base, 16 * page, VRAM);

	svm_need_swap();
	svm_pattern(base, 16 * page, MAGIC);
	svm_swap_out(base, 16 * page);
	igt_assert_eq(svm_prefetch_counts(fd, &args), 0);
	igt_assert_eq_u64(args.out_busy, 16);
	igt_assert(svm_pattern_ok(base, 16 * page, MAGIC));
}

static uint64_t evicted_pages(int fd)
{
	struct client_counts c;

	svm_counters(fd, &c);
	return client_count(&c, VRAM_EVICTED_PAGES);
}

/* More than VRAM: what fits is there and stays, also when the call is repeated. */
static void oversized_of(int fd, char *base, size_t size)
{
	size_t page = svm_page_size(), fits = svm_vram_size(fd) / page;
	struct drm_svm_prefetch args = svm_prefetch_args(base, size, VRAM);
	uint64_t evicted = evicted_pages(fd);

	svm_pattern(base, size, MAGIC);
	igt_assert_eq(svm_prefetch_counts(fd, &args), fits);
	igt_assert_eq_u64(args.out_no_space, size / page - fits);
	igt_assert_eq(svm_resident(fd, base, size, VRAM), fits);
	igt_assert_eq(svm_prefetch_counts(fd, &args), 0);
	igt_assert_eq_u64(args.out_resident, fits);
	igt_assert_eq_u64(args.out_no_space, size / page - fits);
	igt_assert_eq(svm_resident(fd, base, size, VRAM), fits);
	igt_assert_eq_u64(evicted_pages(fd), evicted);
	igt_assert(svm_gpu_pattern_ok(fd, base, size, MAGIC));
	igt_assert(svm_pattern_ok(base, size, MAGIC));
	munmap(base, size);
}

static void prefetch_oversized(int fd)
{
	size_t size = 4 * svm_vram_size(fd);

	oversized_of(fd, svm_mmap_small(size), size);
}

static void oversized_huge(int fd)
{
	size_t size = 2 * svm_vram_size(fd);

	oversized_of(fd, svm_mmap_thp(size), size);
}

/* Others make room; what the interval has in VRAM at its end does not. */
static void oversized_others(int fd)
{
	size_t page = svm_page_size(), vram = svm_vram_size(fd), size = 2 * vram;
	char *other = svm_mmap_small(vram / 2), *base = svm_mmap_small(size);
	char *end = base + size - vram / 2;
	struct drm_svm_prefetch args = svm_prefetch_args(base, size, VRAM);

	svm_pattern(base, size, MAGIC);
	svm_pattern(other, vram / 2, MAGIC + 1);
	igt_assert_eq(svm_prefetch(fd, end, vram / 2, VRAM), vram / 2 / page);
	igt_assert_eq(svm_prefetch(fd, other, vram / 2, VRAM), vram / 2 / page);
	igt_assert_eq(svm_prefetch_counts(fd, &args), vram / 2 / page);
	igt_assert_eq_u64(args.out_resident, vram / 2 / page);
	igt_assert_eq_u64(args.out_no_space, (size - vram) / page);
	igt_assert_eq(svm_resident(fd, base, vram / 2, VRAM), vram / 2 / page);
	igt_assert_eq(svm_resident(fd, end, vram / 2, VRAM), vram / 2 / page);
	igt_assert_eq(svm_resident(fd, other, vram / 2, VRAM), 0);
	igt_assert(svm_pattern_ok(base, size, MAGIC));
	igt_assert(svm_pattern_ok(other, vram / 2, MAGIC + 1));
}

static void no_room(int fd)
{
	size_t pages = 32, size = pages * svm_page_size();
	char *base = svm_mmap_small(size);
	struct drm_svm_prefetch args = svm_prefetch_args(base, size, VRAM);
	struct client_counts counters;

	svm_pattern(base, size, MAGIC);
	svm_hw_write(fd, "inject/fail_alloc", 1000);
	igt_assert_eq(svm_prefetch_counts(fd, &args), 0);
	igt_assert_eq_u64(args.out_no_space, pages);
	svm_hw_write(fd, "inject/fail_alloc", 0);
	svm_counters(fd, &counters);
	igt_assert_eq_u64(client_count(&counters, VRAM_NO_SPACE), pages);
	igt_assert_eq(svm_prefetch_counts(fd, &args), pages);
	igt_assert(svm_pattern_ok(base, size, MAGIC));
}

static void copy_fails(int fd)
{
	size_t pages = 32, size = pages * svm_page_size();
	char *base = svm_mmap_small(size);
	struct drm_svm_prefetch args = svm_prefetch_args(base, size, VRAM);

	svm_pattern(base, size, MAGIC);
	svm_hw_fail_copy(fd, 0, 1);
	igt_assert_eq(svm_prefetch_counts(fd, &args), 0);
	igt_assert_eq_u64(args.out_failed, pages);
	igt_assert_eq(svm_resident(fd, base, size, SYSTEM), pages);
	igt_assert_eq(svm_prefetch_counts(fd, &args), pages);
	svm_hw_fail_copy(fd, 0, 1);
	args.location = SYSTEM;
	igt_assert_eq(svm_prefetch_counts(fd, &args), 0);
	igt_assert_eq_u64(args.out_failed, pages);
	igt_assert_eq(svm_resident(fd, base, size, VRAM), pages);
	igt_assert(svm_pattern_ok(base, size, MAGIC));
}

static void prefetch_hole(int fd)
{
	size_t page = svm_page_size();
	char *base = svm_mmap_small(16 * page);
	struct drm_svm_prefetch args = svm_prefetch_args(base, 16 * page, VRAM);

	svm_pattern(base, 16 * page, MAGIC);
	munmap(base + 15 * page, page);
	igt_assert_eq(__svm_prefetch(fd, &args), -ENOENT);
	igt_assert_eq(svm_resident(fd, base, 15 * page, SYSTEM), 15);
}

static void prefetch_invalid(int fd)
{
	size_t page = svm_page_size();
	char *base = svm_mmap_small(page);
	const struct drm_svm_prefetch good = svm_prefetch_args(base, page, VRAM);
	struct drm_svm_prefetch bad[] = {
		good, good, good, good, good, good, good,
	};

	bad[0].start++;
	bad[1].size++;
	bad[2].size = 0;
	bad[3].size = -page;
	bad[4].location = DRM_SVM_LOCATION_NONE;
	bad[5].location = DRM_SVM_LOCATION_PEER;
	bad[6].flags = 2;
	memset(base, 1, page);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		igt_assert_eq(__svm_prefetch(fd, &bad[i]), -EINVAL);
	igt_assert_eq(svm_resident(fd, base, page, SYSTEM), 1);
}

static void not_attached(int fd)
{
	size_t page = svm_page_size();
	struct drm_svm_prefetch args = svm_prefetch_args(svm_mmap_small(page), page, VRAM);
	int other = svm_open();

	igt_assert_eq(__svm_prefetch(other, &args), -ENXIO);
	close(other);
	igt_fork(child, 1)
		igt_assert_eq(__svm_prefetch(fd, &args), -EPERM);
	igt_waitchildren();
}

/* Prefetches in a queue */

struct in_queue {
	uint64_t fence, pad[3];
	struct drm_svm_test_report report;
	uint64_t counts[8];
};

static struct drm_svm_test_cmd cmd_prefetch(const void *base, size_t size, uint32_t location,
					    const uint64_t *counts)
{
	return (struct drm_svm_test_cmd) {
		.op = DRM_SVM_TEST_OP_PREFETCH, .dst = client_ptr(base), .size = size,
		.arg0 = location, .result = client_ptr(counts),
	};
}

static uint64_t submit_in_queue(int fd, const struct drm_svm_test_cmd *cmds, uint32_t n,
				struct in_queue *q)
{
	struct drm_svm_test_submit args = svm_submit_args(cmds, n);

	args.queue = 0;
	args.signal.addr = client_ptr(&q->fence);
	args.signal.value = 10;
	args.report = client_ptr(&q->report);
	return svm_submit_ioctl(fd, &args);
}

/* After the commands before it, before those behind it, and its counts before the fence */
static void queue_order(int fd)
{
	size_t page = svm_page_size(), pages = 32, size = pages * page;
	char *base = svm_mmap_small(size), *copy = svm_mmap_small(size);
	struct in_queue *q = svm_mmap_anon(page);
	struct drm_svm_test_cmd cmds[] = {
		svm_cmd_wait(&q->fence, 1),
		svm_cmd_fill(base, size / 2, MAGIC),
		cmd_prefetch(base, size, SYSTEM, NULL),
		cmd_prefetch(base, size, VRAM, q->counts),
		svm_cmd_copy(copy, base, size),
	};
	uint64_t job = submit_in_queue(fd, cmds, ARRAY_SIZE(cmds), q);

	memset(base, 0x33, size);
	igt_assert_eq(__svm_poll_job(fd, job), -ETIME);
	igt_assert_eq(svm_resident(fd, base, size, SYSTEM), pages);
	__atomic_store_n(&q->fence, 1, __ATOMIC_SEQ_CST);
	igt_assert(svm_until(__atomic_load_n(&q->fence, __ATOMIC_ACQUIRE) == 10, 30000));
	igt_assert_eq_u64(q->counts[0] + q->counts[1], pages);
	igt_assert_lte_u64(pages / 2, q->counts[0]);
	svm_wait_ok(fd, job);
	igt_assert_eq(svm_resident(fd, base, size, VRAM), pages);
	igt_assert(svm_cpu_all32(copy, size / 2, MAGIC));
	igt_assert(svm_cpu_all32(copy + size / 2, size / 2, 0x33333333));
	igt_assert(svm_cpu_all32(base, size / 2, MAGIC));
}

/* Six counts, or seven if the command asks for the last one */
static void queue_denied(int fd)
{
	size_t page = svm_page_size(), size = 16 * page;
	char *base = svm_mmap_small(size);
	struct in_queue *q = svm_mmap_anon(page);
	struct drm_svm_test_cmd cmd = cmd_prefetch(base, size, VRAM, q->counts);

	memset(base, 1, size);
	igt_assert(!mprotect(base, 4 * page, PROT_NONE));
	memset(q->counts, 0x33, sizeof(q->counts));
	svm_run(fd, &cmd);
	igt_assert_eq_u64(q->counts[0], 12);
	igt_assert_eq_u64(q->counts[3], 4);
	igt_assert_eq_u64(q->counts[6], 0x3333333333333333ull);
	cmd.arg1 = DRM_SVM_PREFETCH_COUNT_DENIED;
	svm_run(fd, &cmd);
	igt_assert_eq_u64(q->counts[1], 12);
	igt_assert_eq_u64(q->counts[3], 0);
	igt_assert_eq_u64(q->counts[6], 4);
	igt_assert_eq_u64(q->counts[7], 0x3333333333333333ull);
}

/* A hole: the command fails, nothing is moved, and jobs behind it run */
static void queue_unmapped(int fd)
{
	size_t page = svm_page_size();
	char *base = svm_mmap_small(8 * page);
	struct in_queue *q = svm_mmap_anon(page);
	struct drm_svm_test_cmd cmds[] = {
		cmd_prefetch(base, 8 * page, VRAM, q->counts),
		svm_cmd_fill(base, page, MAGIC),
	};
	uint64_t job;

	memset(base, 1, 8 * page);
	munmap(base + 7 * page, page);
	job = submit_in_queue(fd, cmds, 2, q);
	svm_wait_failed(fd, job, DRM_SVM_TEST_STATUS_FAULT, ENOENT);
	igt_assert_eq_u64(q->fence, 10);
	igt_assert_eq_u32(q->report.status, DRM_SVM_TEST_STATUS_FAULT);
	igt_assert_eq_u32(q->report.error, ENOENT);
	igt_assert_eq_u32(q->report.cmd, 0);
	igt_assert_eq_u64(q->report.addr, client_ptr(base));
	igt_assert_eq(svm_resident(fd, base, 7 * page, SYSTEM), 7);
	igt_assert(svm_cpu_all32(base, 7 * page, 0x01010101));
	svm_wait_ok(fd, svm_submit_on(fd, 0, &cmds[1], 1));
}

static void queue_invalid(int fd)
{
	size_t page = svm_page_size();
	char *base = svm_mmap_small(page);
	const struct drm_svm_test_cmd good = cmd_prefetch(base, page, VRAM, NULL);
	struct drm_svm_test_cmd bad[] = { good, good, good, good, good, good, good, good };

	bad[0].dst++;
	bad[1].size++;
	bad[2].size = 0;
	bad[3].arg0 = DRM_SVM_LOCATION_NONE;
	bad[4].arg0 = DRM_SVM_LOCATION_PEER;
	bad[5].flags = DRM_SVM_TEST_CMD_64;
	bad[6].count = 1;
	bad[7].arg1 = 2;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct drm_svm_test_submit args = svm_submit_args(&bad[i], 1);

		igt_assert_eq(client_submit(fd, &args), -EINVAL);
	}
	/* only the device knows where its addresses end */
	bad[0] = cmd_prefetch((void *)(1ull << 47), page, VRAM, NULL);
	svm_wait_failed(fd, svm_submit(fd, bad, 1), DRM_SVM_TEST_STATUS_INVALID, EINVAL);
}

/* Other queues of the file go on, and more prefetches than there are threads all end */
static void queue_many(int fd)
{
	enum { MANY = 12 };
	size_t page = svm_page_size(), size = 16 * page;
	char *base = svm_mmap_small(MANY * size);
	uint32_t queues[MANY];
	uint64_t jobs[MANY];

	svm_pattern(base, MANY * size, MAGIC);
	for (int i = 0; i < MANY; i++) {
		struct drm_svm_test_queue_create args = { .engine = DRM_SVM_TEST_ENGINE_ANY };
		struct drm_svm_test_cmd cmd = cmd_prefetch(base + i * size, size, VRAM, NULL);

		igt_assert_eq(client_queue_create(fd, &args), 0);
		queues[i] = args.out_queue;
		jobs[i] = svm_submit_on(fd, queues[i], &cmd, 1);
	}
	for (int i = 0; i < MANY; i++)
		svm_wait_ok(fd, jobs[i]);
	igt_assert_eq(svm_resident(fd, base, MANY * size, VRAM), MANY * size / page);
	igt_assert(svm_pattern_ok(base, MANY * size, MAGIC));
	for (int i = 0; i < MANY; i++)
		igt_assert_eq(client_queue_destroy(fd, queues[i]), 0);
}

struct mover {
	int fd;
	char *base;
	size_t size;
	uint32_t location;
	bool stop;
};

static void *mover_thread(void *data)
{
	struct mover *mover = data;

	while (!READ_ONCE(mover->stop))
		svm_prefetch(mover->fd, mover->base, mover->size, mover->location);
	return NULL;
}

/* Two threads move the pages to and fro while GPU and CPU count on them. */
static void prefetch_race(int fd)
{
	size_t page = svm_page_size(), size = 16 * page;
	char *base = svm_mmap_small(size);
	struct mover movers[2] = {
		{ .fd = fd, .base = base, .size = size, .location = VRAM },
		{ .fd = fd, .base = base, .size = size, .location = SYSTEM },
	};
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		igt_assert(!pthread_create(&threads[i], NULL, mover_thread, &movers[i]));
	for (int i = 0; i < 30; i++) {
		uint64_t *word = (uint64_t *)(base + i % 16 * page);
		struct drm_svm_test_cmd cmd = svm_cmd_add64(word, 1, 500);
		uint64_t job = svm_submit(fd, &cmd, 1);

		for (int j = 0; j < 100; j++)
			__atomic_fetch_add(word, 1, __ATOMIC_SEQ_CST);
		svm_wait_ok(fd, job);
	}
	for (int i = 0; i < 2; i++)
		WRITE_ONCE(movers[i].stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 16; i++)
		igt_assert_eq_u64(*(uint64_t *)(base + i * page), i < 14 ? 1200 : 600);
}

static void prefetch_counters(int fd)
{
	size_t pages = 64, size = pages * svm_page_size();
	char *base = svm_mmap_small(size);
	struct client_counts c;

	svm_pattern(base, size, MAGIC);
	svm_prefetch(fd, base, size, VRAM);
	svm_counters(fd, &c);
	igt_assert_eq_u64(client_count(&c, VRAM_PAGES_IN), pages);
	igt_assert_eq_u64(client_count(&c, VRAM_BYTES_IN), size);
	igt_assert_eq_u64(client_count(&c, CUR_VRAM_PAGES), pages);
	igt_assert_eq_u64(client_count(&c, CUR_VRAM_RESERVED), pages);
	igt_assert_eq_u64(svm_fdinfo_bytes(fd, "drm-resident-vram"), size);
	igt_assert_eq_u64(svm_fdinfo_bytes(fd, "drm-total-vram"), size);
	igt_assert(svm_pattern_ok(base, svm_page_size(), MAGIC));
	svm_evict_vram(fd);
	svm_counters(fd, &c);
	igt_assert_eq_u64(client_count(&c, VRAM_PAGES_OUT), pages);
	igt_assert_eq_u64(client_count(&c, VRAM_BYTES_OUT), size);
	igt_assert_eq_u64(client_count(&c, VRAM_CPU_FAULTS), 1);
	igt_assert_eq_u64(client_count(&c, VRAM_EVICTED_PAGES), pages - 16);
	igt_assert_eq_u64(client_count(&c, CUR_VRAM_PAGES), 0);
	/* the BO goes a little later */
	igt_assert(svm_until((svm_counters(fd, &c), !client_count(&c, CUR_VRAM_RESERVED)), 5000));
	igt_assert_eq_u64(svm_fdinfo_bytes(fd, "drm-resident-vram"), 0);
}

/* What a file brought to VRAM and a child still has is not lost from the counts. */
static void counters_after_close(int fd)
{
	size_t size = 16 * svm_page_size();
	char *base = svm_mmap_small(size);
	int other = svm_open_attached();

	svm_pattern(base, size, MAGIC);
	igt_assert_eq(svm_prefetch(other, base, size, VRAM), 16);
	close(other);
	igt_assert_eq(svm_resident(fd, base, size, VRAM), 16);
	igt_assert(svm_pattern_ok(base, size, MAGIC));
	svm_evict_vram(fd);
}

static const struct svm_case cases[] = {
	{ "in-and-out", "Pages go to VRAM and to system memory.", in_and_out },
	{ "untouched", "Untouched memory is made in VRAM, cleared and not copied.",
	  prefetch_untouched },
	{ "aligned", "Pages lie in VRAM as they do in the address space.", prefetch_aligned },
	{ "huge", "Huge pages move whole, both ways.", prefetch_huge },
	{ "huge-untouched", "An untouched huge page is made in VRAM.", huge_untouched },
	{ "parts", "Parts of huge pages move, and the rest later.", prefetch_parts },
	{ "some-there", "Only what is not there moves.", some_there },
	{ "kinds", "Files and mappings without access stay, and are counted.", prefetch_kinds },
	{ "denied", "Pages without access for the GPU are counted apart.", prefetch_denied },
	{ "denied-goes-on", "They are so in a call that continues.", denied_goes_on },
	{ "busy", "A pinned page stays until it is let go.", prefetch_busy },
	{ "swapped", "Pages in swap are not moved.", prefetch_swapped },
	{ "oversized", "Of more than VRAM, what fits comes and stays.", prefetch_oversized },
	{ "oversized-huge", "The same with huge pages.", oversized_huge },
	{ "oversized-others", "Other memory makes room, what was named does not.",
	  oversized_others },
	{ "no-room", "Without room in VRAM pages stay in RAM, and are counted.", no_room },
	{ "copy-fails", "When a copy fails the pages stay where they are.", copy_fails },
	{ "hole", "An interval with a hole is refused, and nothing moves.", prefetch_hole },
	{ "invalid", "Each wrong argument is refused, and nothing moves.", prefetch_invalid },
	{ "not-attached", "A file without memory, and a child's memory.", not_attached },
	{ "queue-order", "In a queue a prefetch comes after what is before it, and counts.",
	  queue_order },
	{ "queue-denied", "In a queue the count of pages without access is asked for too.",
	  queue_denied },
	{ "queue-unmapped", "In a queue a hole fails the job, and nothing moves.", queue_unmapped },
	{ "queue-invalid", "Each wrong field of the command is refused.", queue_invalid },
	{ "queue-many", "More prefetches than threads, each in a queue of its own.", queue_many },
	{ "race", "Pages move to and fro under GPU and CPU atomics.", prefetch_race },
	{ "counters", "Counters and fdinfo say what moved and what is where.", prefetch_counters },
	{ "counters-after-close", "VRAM of a file that is closed.", counters_after_close },
};

static void no_vram(void)
{
	size_t page = svm_page_size();
	struct drm_svm_prefetch args;
	int fd;

	svm_module_load(NULL);
	fd = svm_open_attached();
	args = svm_prefetch_args(svm_mmap_small(page), page, VRAM);
	igt_assert_eq(__svm_prefetch(fd, &args), -ENOSPC);
	args.location = SYSTEM;
	igt_assert_eq(svm_prefetch_counts(fd, &args), 0);
	close(fd);
}

/* From the VRAM of one GPU to that of the other, with and without a way between them. */
static void two_devices(const char *params, uint32_t seen)
{
	size_t pages = 32, size = pages * svm_page_size();
	char *base = svm_mmap_small(size);
	int a, b;

	svm_module_load(params);
	a = svm_open_index_attached(0);
	b = svm_open_index_attached(1);
	svm_pattern(base, size, MAGIC);
	igt_assert_eq(svm_prefetch(a, base, size, VRAM), pages);
	igt_assert_eq(svm_resident(b, base, size, DRM_SVM_LOCATION_PEER), pages);
	svm_gpu_write32(b, base, MAGIC);
	igt_assert_eq(svm_location(b, base), seen);
	igt_assert(svm_gpu_pattern_ok(b, base, size, MAGIC));
	svm_prefetch(b, base, size, VRAM);
	igt_assert_eq(svm_resident(b, base, size, VRAM), pages);
	igt_assert_eq(svm_resident(a, base, size, DRM_SVM_LOCATION_PEER), pages);
	igt_assert(svm_gpu_pattern_ok(a, base, size, MAGIC));
	igt_assert(svm_pattern_ok(base, size, MAGIC));
	close(a);
	close(b);
}

static void prefetch_peers(void)
{
	two_devices("num_devices=2 vram_mb=16", DRM_SVM_LOCATION_PEER);
}

static void prefetch_strangers(void)
{
	two_devices("num_devices=2 vram_mb=16 peer=0", SYSTEM);
}

/* Each copy takes long. Each mapping is a copy of its own, and one CPU fault brings it home. */
#define SLOW_PARTS	6
static const char slow[] = "vram_mb=16 copy_latency_us=300000";

static size_t slow_size(void)
{
	return SLOW_PARTS * 16 * svm_page_size();
}

static char *start_slow(int fd, struct in_queue *q, uint64_t *job)
{
	size_t size = slow_size(), part = size / SLOW_PARTS;
	char *base = svm_mmap_small(size);
	struct drm_svm_test_cmd cmd = cmd_prefetch(base, size, SYSTEM, q->counts);

	svm_pattern(base, size, MAGIC);
	svm_prefetch(fd, base, size, VRAM);
	/* one mapping until here, which came to VRAM in one copy */
	for (size_t i = 1; i < SLOW_PARTS; i += 2)
		igt_assert(!mprotect(base + i * part, part, PROT_READ));
	*job = submit_in_queue(fd, &cmd, 1, q);
	igt_assert(svm_until(svm_resident(fd, base, size, SYSTEM), 30000));
	return base;
}

static void queue_cancel(void)
{
	size_t size = slow_size();
	struct in_queue *q = svm_mmap_anon(svm_page_size());
	uint64_t job;
	char *base;
	int fd;

	svm_module_load(slow);
	fd = svm_open_attached();
	base = start_slow(fd, q, &job);
	igt_assert_eq(client_cancel_job(fd, job, 0), 0);
	svm_wait_failed(fd, job, DRM_SVM_TEST_STATUS_CANCELLED, ECANCELED);
	igt_assert_lt(0, svm_resident(fd, base, size, VRAM));
	igt_assert_eq_u64(q->fence, 10);
	igt_assert_eq_u32(q->report.status, DRM_SVM_TEST_STATUS_CANCELLED);
	svm_assert_works(fd);
	igt_assert(svm_pattern_ok(base, size, MAGIC));
	close(fd);
}

static void queue_close(void)
{
	size_t size = slow_size();
	struct in_queue *q = svm_mmap_anon(svm_page_size());
	uint64_t job;
	char *base;
	int fd;

	svm_module_load(slow);
	fd = svm_open_attached();
	base = start_slow(fd, q, &job);
	igt_set_timeout(60, "close waits for a prefetch");
	close(fd);
	igt_reset_timeout();
	igt_assert_eq_u64(q->fence, 0);
	igt_assert(svm_pattern_ok(base, size, MAGIC));
}

/* One page for each queue: more of them than threads */
static void start_others(int fd)
{
	size_t page = svm_page_size();

	for (unsigned int i = 0; i < 6; i++) {
		struct drm_svm_test_cmd cmd = cmd_prefetch(svm_mmap_small(page), page, VRAM, NULL);

		svm_submit_on(fd, i ? svm_queue(fd, i) : 0, &cmd, 1);
	}
}

/* The process ends in the middle of one, with others behind it and beside it */
static void queue_kill(void)
{
	int ready[2], fd;
	char byte;
	pid_t pid;

	svm_module_load(slow);
	igt_assert_eq(pipe(ready), 0);
	pid = svm_fork();
	if (!pid) {
		struct in_queue *q = svm_mmap_anon(svm_page_size());
		uint64_t job;

		fd = svm_open_attached();
		start_slow(fd, q, &job);
		start_others(fd);
		igt_assert_eq(write(ready[1], "x", 1), 1);
		pause();
	}
	igt_assert_eq(read(ready[0], &byte, 1), 1);
	kill(pid, SIGKILL);
	igt_assert_eq(svm_reap(60), 128 + SIGKILL);
	close(ready[0]);
	close(ready[1]);
	fd = svm_open_attached();
	svm_assert_works(fd);
	close(fd);
}

static const struct svm_test tests[] = {
	{ "queue-cancel", "A prefetch in a queue ends where it is, and what moved stays.",
	  queue_cancel },
	{ "queue-close", "Closing the file ends a prefetch in a queue.", queue_close },
	{ "queue-kill", "A process that is killed has no prefetch any more.", queue_kill },
	{ "no-vram", "A GPU without VRAM.", no_vram },
	{ "peers", "Pages go from one GPU to another that reaches its memory.", prefetch_peers },
	{ "strangers", "Pages go from one GPU to another that does not.", prefetch_strangers },
};

int igt_main()
{
	igt_fixture()
		svm_module_load("vram_mb=16");

	svm_cases(cases);
	svm_tests(tests);

	igt_fixture()
		svm_module_reset();
}
