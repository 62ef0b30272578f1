// SPDX-License-Identifier: MIT
/*
 * TEST: svm sync
 * Category: Core
 * Description: Jobs on buffer objects wait for syncobjs and signal them.
 *
 * A job that does not end by itself holds up those behind it in its queue. When
 * it is cancelled they run.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xf86drm.h>

#include "igt.h"
#include "igt_thread.h"
#include "svm_bo.h"
#include "svm_hw.h"
#include "svm_job.h"
#include "svm_mem.h"

IGT_TEST_DESCRIPTION("Jobs on buffer objects wait for syncobjs and signal them.");

#define MIB		(1ull << 20)
#define SEC		((int64_t)NSEC_PER_SEC)
#define VRAM		DRM_SVM_TEST_BO_VRAM
#define INVALID		DRM_SVM_TEST_STATUS_INVALID
#define CANCELLED	DRM_SVM_TEST_STATUS_CANCELLED
#define TIMEOUT		DRM_SVM_TEST_STATUS_TIMEOUT
#define PATTERN		0x5caff01du

/* Microseconds in which what must not happen could */
#define A_WHILE		20000
/* A job that needs a moment does not need as long, on any machine */
#define LIMIT_S		5
/* The longest limit of a queue whose jobs may have syncobjs */
#define MAX_LIMIT_NS	(10ull * NSEC_PER_SEC)

/* It did not begin, because what it waited for has failed, whatever the error of that is. */
static void assert_cancelled(int fd, uint64_t job)
{
	struct drm_svm_test_wait result;

	svm_wait(fd, job, &result);
	igt_assert_eq_u32(result.out_status, CANCELLED);
	igt_assert_eq_u32(result.out_errno, ECANCELED);
	igt_assert_eq_u32(result.out_cmd, 0);
	igt_assert_eq_u64(result.out_addr, 0);
}

/* Whether a job that was submitted signals it */
static bool has_fence(int fd, const struct drm_svm_test_sync *sync)
{
	int file;

	if (drmSyncobjExportSyncFile(fd, sync->handle, &file))
		return false;
	close(file);
	return true;
}

/* @point 0: binary. The sync is pending while the job is, and then done. */
static void sync_out(int fd, uint64_t point)
{
	struct drm_svm_test_sync sync = svm_sync_create(fd, point);
	struct svm_buf buf = svm_buf(fd, svm_page_size(), 0);
	uint32_t queue = svm_buffer_queue(fd, 0);
	struct svm_hold hold = svm_hold_start(fd, queue, NULL);
	struct drm_svm_test_cmd add = svm_cmd_add64(buf.gpu, 1, 1);
	struct drm_svm_test_submit args = svm_submit_synced(queue, &add, 1, NULL, &sync);

	svm_submit_ioctl(fd, &args);
	igt_assert(!svm_sync_wait(fd, &sync, 1));
	igt_assert_eq(svm_sync_status(fd, &sync), 0);
	igt_assert_eq_u64(READ_ONCE(*buf.cpu), 0);
	svm_hold_end(&hold);
	igt_assert(svm_sync_wait(fd, &sync, 30000));
	igt_assert_eq_u64(READ_ONCE(*buf.cpu), 1);
	igt_assert_eq(svm_sync_status(fd, &sync), 1);
	svm_wait_ok(fd, args.out_job);
	svm_buf_free(&buf);
	svm_sync_destroy(fd, &sync);
}

/* A job of one queue waits for a job of another. */
static void sync_in(int fd, uint64_t point)
{
	struct drm_svm_test_sync sync = svm_sync_create(fd, point);
	struct svm_buf buf = svm_buf(fd, svm_page_size(), 0);
	uint32_t queue = svm_buffer_queue(fd, 0);
	struct svm_hold hold = svm_hold_start(fd, queue, NULL);
	struct drm_svm_test_cmd first = svm_cmd_fill(buf.gpu, 4, 1);
	struct drm_svm_test_cmd second = svm_cmd_add32(buf.gpu, 10, 1);
	struct drm_svm_test_submit a = svm_submit_synced(queue, &first, 1, NULL, &sync);
	struct drm_svm_test_submit b =
		svm_submit_synced(svm_buffer_queue(fd, 0), &second, 1, &sync, NULL);

	svm_submit_ioctl(fd, &a);
	svm_submit_ioctl(fd, &b);
	svm_assert_pending(fd, b.out_job);
	igt_assert_eq_u64(READ_ONCE(*buf.cpu), 0);
	svm_hold_end(&hold);
	svm_wait_ok(fd, b.out_job);
	igt_assert_eq_u64(READ_ONCE(*buf.cpu), 11);
	svm_wait_ok(fd, a.out_job);
	svm_buf_free(&buf);
	svm_sync_destroy(fd, &sync);
}

/* Queues take turns. One timeline ties their jobs in the order of its points. */
static void sync_chain(int fd)
{
	enum { QUEUES = 3, JOBS = 20 };
	struct drm_svm_test_sync sync = svm_sync_create(fd, 1);
	struct svm_buf buf = svm_buf(fd, svm_page_size(), 0);
	uint64_t jobs[JOBS];
	uint32_t queues[QUEUES];
	struct svm_hold hold;

	for (int i = 0; i < QUEUES; i++)
		queues[i] = svm_buffer_queue(fd, 0);
	hold = svm_hold_start(fd, queues[0], NULL);
	for (int i = 0; i < JOBS; i++) {
		struct drm_svm_test_sync in = sync, out = sync;
		struct drm_svm_test_cmd next = svm_cmd_next64(buf.gpu, i);
		struct drm_svm_test_submit args;

		in.point = i * 10;
		out.point = (i + 1) * 10;
		args = svm_submit_synced(queues[i % QUEUES], &next, 1, i ? &in : NULL, &out);
		jobs[i] = svm_submit_ioctl(fd, &args);
	}
	svm_assert_pending(fd, jobs[1]);
	igt_assert_eq_u64(READ_ONCE(*buf.cpu), 0);
	svm_hold_end(&hold);
	for (int i = 0; i < JOBS; i++)
		svm_wait_ok(fd, jobs[i]);
	/* A job that did not come in its turn has not counted */
	igt_assert_eq_u64(READ_ONCE(*buf.cpu), JOBS);
	svm_buf_free(&buf);
	svm_sync_destroy(fd, &sync);
}

/* The most syncs, both ways, binary and timeline mixed */
static void sync_many(int fd)
{
	uint32_t queue = svm_buffer_queue(fd, 0), other = svm_buffer_queue(fd, 0);
	struct svm_hold hold = svm_hold_start(fd, queue, NULL);
	struct drm_svm_test_submit a, b;
	struct drm_svm_test_sync *syncs;
	struct drm_svm_test_info info;

	svm_info(fd, &info);
	syncs = calloc(info.out_max_syncs, sizeof(*syncs));
	igt_assert(syncs);
	for (uint32_t i = 0; i < info.out_max_syncs; i++)
		syncs[i] = svm_sync_create(fd, i % 2 * (i + 7));
	a = svm_submit_synced(queue, NULL, 0, NULL, syncs);
	b = svm_submit_synced(other, NULL, 0, syncs, NULL);
	a.num_out_syncs = info.out_max_syncs;
	b.num_in_syncs = info.out_max_syncs;
	svm_submit_ioctl(fd, &a);
	svm_submit_ioctl(fd, &b);
	svm_assert_pending(fd, b.out_job);
	svm_hold_end(&hold);
	svm_wait_ok(fd, b.out_job);
	svm_wait_ok(fd, a.out_job);
	for (uint32_t i = 0; i < info.out_max_syncs; i++) {
		igt_assert_eq(svm_sync_status(fd, &syncs[i]), 1);
		svm_sync_destroy(fd, &syncs[i]);
	}
	free(syncs);
}

/* Errors */

/* A job, one that waits for it, one that waits for that one; in three queues */
struct row {
	int fd;
	struct svm_buf buf;
	struct drm_svm_test_sync sync[2];
	struct drm_svm_test_cmd add;
	struct drm_svm_test_submit last;
	uint64_t jobs[3];
};

/* The first one is not aligned, or it has no end. Then it counts in word 8. */
static void row_submit(struct row *row, int fd, uint64_t point, uint32_t queue, bool endless)
{
	struct drm_svm_test_submit args[3];
	struct drm_svm_test_cmd first;

	*row = (struct row) { .fd = fd, .buf = svm_buf(fd, svm_page_size(), 0) };
	for (int i = 0; i < 2; i++)
		row->sync[i] = svm_sync_create(fd, point);
	row->add = svm_cmd_add64(row->buf.gpu, 1, 1);
	first = endless ? svm_cmd_add64(row->buf.gpu + 8, 1, UINT64_MAX) :
			  svm_cmd_add64((char *)row->buf.gpu + 4, 1, 1);
	args[0] = svm_submit_synced(queue, &first, 1, NULL, &row->sync[0]);
	args[1] = svm_submit_synced(svm_buffer_queue(fd, 0), &row->add, 1, &row->sync[0],
				    &row->sync[1]);
	args[2] = svm_submit_synced(svm_buffer_queue(fd, 0), &row->add, 1, &row->sync[1], NULL);
	for (int i = 0; i < 3; i++)
		row->jobs[i] = svm_submit_ioctl(fd, &args[i]);
	row->last = args[2];
}

/* The first one has failed with @err. A job that comes late does not run either. */
static void row_failed(struct row *row, uint32_t err)
{
	int fd = row->fd;

	assert_cancelled(fd, row->jobs[1]);
	assert_cancelled(fd, row->jobs[2]);
	assert_cancelled(fd, svm_submit_ioctl(fd, &row->last));
	igt_assert_eq(svm_sync_status(fd, &row->sync[0]), -(int)err);
	igt_assert_eq(svm_sync_status(fd, &row->sync[1]), -ECANCELED);
	igt_assert_eq_u64(READ_ONCE(*row->buf.cpu), 0);

	/* Without the sync the same commands run */
	row->last.num_in_syncs = 0;
	svm_wait_ok(fd, svm_submit_ioctl(fd, &row->last));
	igt_assert_eq_u64(READ_ONCE(*row->buf.cpu), 1);
	for (int i = 0; i < 2; i++)
		svm_sync_destroy(fd, &row->sync[i]);
	svm_buf_free(&row->buf);
}

static void sync_error(int fd, uint64_t point)
{
	uint32_t queue = svm_buffer_queue(fd, 0);
	struct svm_hold hold = svm_hold_start(fd, queue, NULL);
	struct row row;

	row_submit(&row, fd, point, queue, false);
	svm_assert_pending(fd, row.jobs[2]);
	igt_assert_eq(svm_sync_status(fd, &row.sync[1]), 0);
	svm_hold_end(&hold);
	svm_wait_failed(fd, row.jobs[0], INVALID, EINVAL);
	row_failed(&row, EINVAL);
}

static void sync_cancelled(int fd, uint64_t point)
{
	struct row row;

	row_submit(&row, fd, point, svm_buffer_queue(fd, 0), true);
	igt_assert(svm_until(READ_ONCE(row.buf.cpu[8]), 30000));
	svm_assert_pending(fd, row.jobs[2]);
	igt_assert_eq(svm_sync_status(fd, &row.sync[1]), 0);
	igt_assert_eq(client_cancel_job(fd, row.jobs[0], 0), 0);
	svm_wait_failed(fd, row.jobs[0], CANCELLED, ECANCELED);
	row_failed(&row, ECANCELED);
}

/* Submissions that are refused */

/* Each sync is wrong in one way: the submission fails, and nothing runs. */
static void sync_invalid(int fd)
{
	struct drm_svm_test_sync binary = svm_sync_create(fd, 0), timeline = svm_sync_create(fd, 5);
	struct svm_buf buf = svm_buf(fd, svm_page_size(), 0);
	struct drm_svm_test_cmd add = svm_cmd_add64(buf.gpu, 1, 1);
	uint32_t queue = svm_buffer_queue(fd, 0);
	const struct {
		struct drm_svm_test_sync sync;
		bool out;
		int err;
	} bad[] = {
		{ { 0, 0, 0 }, false, -EBADF },
		{ { 0, 0, 0 }, true, -EBADF },
		{ { 0xdead, 0, 0 }, false, -EBADF },
		{ { 0xdead, 0, 0 }, true, -EBADF },
		{ { ~0u, 1, 1 }, true, -EBADF },
		{ { binary.handle, 2, 0 }, false, -EINVAL },
		{ { binary.handle, 1u << 31, 0 }, true, -EINVAL },
		{ { binary.handle, 0, 1 }, false, -EINVAL },
		{ { binary.handle, 0, 1 }, true, -EINVAL },
		{ { timeline.handle, 1, 0 }, true, -EINVAL },
		/* Nothing will ever signal these */
		{ { binary.handle, 0, 0 }, false, -EINVAL },
		{ { timeline.handle, 1, 5 }, false, -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct drm_svm_test_submit args =
			svm_submit_synced(queue, &add, 1, bad[i].out ? NULL : &bad[i].sync,
					  bad[i].out ? &bad[i].sync : NULL);
		int err = client_submit(fd, &args);

		igt_assert_f(err == bad[i].err, "case %zu: %d, not %d\n", i, err, bad[i].err);
	}
	igt_assert(!has_fence(fd, &binary) && !has_fence(fd, &timeline));
	svm_wait_ok(fd, svm_submit_on(fd, queue, &add, 1));
	igt_assert_eq_u64(READ_ONCE(*buf.cpu), 1);
	svm_buf_free(&buf);
	svm_sync_destroy(fd, &binary);
	svm_sync_destroy(fd, &timeline);
}

/* A good out-sync before a bad one stays as it was, or if an address is bad. */
static void all_or_none(int fd)
{
	struct drm_svm_test_sync syncs[2] = { svm_sync_create(fd, 0), { .handle = 0xdead } };
	struct svm_buf buf = svm_buf(fd, svm_page_size(), 0);
	struct drm_svm_test_cmd add = svm_cmd_add64((char *)buf.gpu + buf.size, 1, 1);
	uint32_t queue = svm_buffer_queue(fd, 0);
	struct drm_svm_test_submit args = svm_submit_synced(queue, NULL, 0, NULL, syncs);

	args.num_out_syncs = 2;
	igt_assert_eq(client_submit(fd, &args), -EBADF);
	igt_assert(!has_fence(fd, &syncs[0]));

	args = svm_submit_synced(queue, &add, 1, NULL, syncs);
	igt_assert_eq(client_submit(fd, &args), -ENOENT);
	igt_assert(!has_fence(fd, &syncs[0]));

	add.dst = client_ptr(buf.gpu);
	svm_wait_ok(fd, svm_submit_ioctl(fd, &args));
	igt_assert_eq(svm_sync_status(fd, &syncs[0]), 1);
	svm_buf_free(&buf);
	svm_sync_destroy(fd, &syncs[0]);
}

/* Queues whose jobs can fault: those of a file from the start, and others */
static void compute_refused(int fd)
{
	struct drm_svm_test_sync done = svm_sync_create(fd, 0), sync = svm_sync_create(fd, 0);
	uint32_t queues[] = { 0, DRM_SVM_TEST_QUEUE_ANY, svm_queue(fd, 0) };
	uint64_t *word = svm_mmap_small(svm_page_size());
	struct drm_svm_test_cmd add = svm_cmd_add64(word, 1, 1);

	igt_assert_eq(drmSyncobjSignal(fd, &done.handle, 1), 0);
	for (size_t i = 0; i < ARRAY_SIZE(queues); i++) {
		for (uint32_t n = 0; n < 2; n++) {
			struct drm_svm_test_submit in, out;

			in = svm_submit_synced(queues[i], n ? &add : NULL, n, &done, NULL);
			out = svm_submit_synced(queues[i], n ? &add : NULL, n, NULL, &sync);
			igt_assert_eq(client_submit(fd, &in), -EINVAL);
			igt_assert_eq(client_submit(fd, &out), -EINVAL);
		}
		svm_wait_ok(fd, svm_submit_on(fd, queues[i], &add, 1));
		igt_assert_eq_u64(READ_ONCE(*word), i + 1);
	}
	igt_assert(!has_fence(fd, &sync));
	svm_sync_destroy(fd, &done);
	svm_sync_destroy(fd, &sync);
	munmap(word, svm_page_size());
}

/* Commands of all operations that are allowed, with all operands in @buf */
#define NUM_GOOD	9
#define GOOD_PAGES	4

static void good_cmds(const struct svm_buf *buf, struct drm_svm_test_cmd *cmds)
{
	char *dst = svm_page(buf->gpu, 0), *src = svm_page(buf->gpu, 1);
	const struct drm_svm_test_cmd good[NUM_GOOD] = {
		svm_cmd_fill(dst, 64, 1),
		svm_cmd_copy(dst, src, 64),
		svm_cmd_touch(dst, 64, 8, false),
		svm_cmd_touch(dst, 64, 8, true),
		svm_cmd_add32(dst, 1, 2),
		svm_cmd_add64(dst, 1, 2),
		svm_cmd_next64((uint64_t *)dst, 0),
		{ .op = DRM_SVM_TEST_OP_COMPARE, .dst = client_ptr(dst), .src = client_ptr(src),
		  .size = 64 },
		{ .op = DRM_SVM_TEST_OP_TIMESTAMP },
	};

	/* All but the first two have a value. */
	for (int i = 0; i < NUM_GOOD; i++) {
		cmds[i] = good[i];
		if (i >= 2)
			cmds[i].result = client_ptr(svm_page(buf->gpu, 2));
	}
}

/* Counts the jobs that run */
static struct drm_svm_test_cmd good_count(const struct svm_buf *buf)
{
	return svm_cmd_add64(svm_page(buf->gpu, 3), 1, 1);
}

/* Each operand of each command in turn is at @addr: the job is refused. */
static void operands_refused(const struct svm_buf *buf, uint32_t queue, uint64_t addr, int err)
{
	struct drm_svm_test_cmd good[NUM_GOOD];

	good_cmds(buf, good);
	for (int i = 0; i < NUM_GOOD; i++) {
		for (int n = 0; n < 3; n++) {
			struct drm_svm_test_cmd cmds[] = { good_count(buf), good[i] };
			__u64 *const operands[] = {
				&cmds[1].dst, &cmds[1].src, &cmds[1].result,
			};
			struct drm_svm_test_submit args;
			int ret;

			if (!*operands[n])
				continue;
			*operands[n] = addr;
			args = svm_submit_synced(queue, cmds, 2, NULL, NULL);
			ret = client_submit(buf->fd, &args);
			igt_assert_f(ret == err, "command %d, operand %d at %#llx: %d, not %d\n",
				     i, n, (unsigned long long)addr, ret, err);
		}
	}
}

/* As they are the commands run; before that no job did. */
static void good_run(const struct svm_buf *buf, uint32_t queue)
{
	struct drm_svm_test_cmd cmds[NUM_GOOD + 1];

	good_cmds(buf, cmds);
	cmds[NUM_GOOD] = good_count(buf);
	svm_wait_ok(buf->fd, svm_submit_on(buf->fd, queue, cmds, NUM_GOOD + 1));
	igt_assert_eq_u64(*(uint64_t *)svm_page(buf->cpu, 3), 1);
}

static void shared_memory_refused(int fd)
{
	size_t page = svm_page_size();
	struct svm_buf buf = svm_buf(fd, GOOD_PAGES * page, 0);
	uint32_t queue = svm_buffer_queue(fd, 0);
	char *memory = svm_mmap_small(page);
	const uint64_t addrs[] = {
		client_ptr(memory), client_ptr(buf.cpu), svm_bo_start(fd) - 8, 8,
		/* past the end of all addresses */
		UINT64_MAX - 3,
	};

	/* A job that can fault would not have to */
	svm_gpu_touch(fd, memory, page, page, true);
	for (size_t i = 0; i < ARRAY_SIZE(addrs); i++)
		operands_refused(&buf, queue, addrs[i], -EINVAL);
	good_run(&buf, queue);
	igt_assert(svm_cpu_all32(memory, page, 0));
	svm_buf_free(&buf);
	munmap(memory, page);
}

/* What reaches for more than its operands, or for memory of the process only */
static void ops_refused(int fd)
{
	struct svm_buf buf = svm_buf(fd, svm_page_size(), 0);
	uint64_t gpu = client_ptr(buf.gpu);
	const struct drm_svm_test_cmd cmds[] = {
		svm_cmd_chase((struct svm_node *)buf.gpu, 1, NULL),
		{ .op = DRM_SVM_TEST_OP_GATHER, .dst = gpu, .src = gpu + 64, .count = 1,
		  .arg0 = gpu + 128 },
		{ .op = DRM_SVM_TEST_OP_SCATTER, .dst = gpu, .src = gpu + 64, .count = 1,
		  .arg0 = gpu + 128 },
		svm_cmd_wait(buf.gpu, 0),
		svm_cmd_signal(buf.gpu, 1),
		{ .op = DRM_SVM_TEST_OP_PREFETCH, .dst = gpu, .size = buf.size,
		  .arg0 = DRM_SVM_LOCATION_SYSTEM },
	};
	uint32_t queue = svm_buffer_queue(fd, 0);
	struct drm_svm_test_wait result;

	for (size_t i = 0; i < ARRAY_SIZE(cmds); i++) {
		struct drm_svm_test_submit args = svm_submit_synced(queue, &cmds[i], 1, NULL, NULL);
		int err = client_submit(fd, &args);

		igt_assert_f(err == -EINVAL, "operation %u: %d\n", cmds[i].op, err);
	}
	igt_assert(svm_cpu_all32(buf.cpu, buf.size, 0));
	/* In another queue they are good enough */
	for (size_t i = 0; i < ARRAY_SIZE(cmds); i++)
		svm_wait(fd, svm_submit_on(fd, 0, &cmds[i], 1), &result);
	igt_assert_eq_u64(READ_ONCE(*buf.cpu), 1);
	svm_buf_free(&buf);
}

/* User fences and reports, in memory of the process or in a buffer object */
static void signal_and_report_refused(int fd)
{
	uint64_t *memory = svm_mmap_small(svm_page_size());
	struct svm_buf buf = svm_buf(fd, svm_page_size(), 0);
	struct drm_svm_test_cmd add = svm_cmd_add64(buf.gpu, 1, 1);
	uint32_t queue = svm_buffer_queue(fd, 0);
	const struct drm_svm_test_submit good = svm_submit_synced(queue, &add, 1, NULL, NULL);
	uint64_t *const words[] = { memory, buf.gpu + 8 };
	struct drm_svm_test_submit args;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		for (int value = 0; value < 2; value++) {
			args = good;
			args.signal = svm_fence(words[i], value);
			igt_assert_eq(client_submit(fd, &args), -EINVAL);
		}
		args = good;
		args.report = client_ptr(words[i]);
		igt_assert_eq(client_submit(fd, &args), -EINVAL);
	}
	args = good;
	svm_wait_ok(fd, svm_submit_ioctl(fd, &args));
	igt_assert_eq_u64(READ_ONCE(*buf.cpu), 1);
	igt_assert_eq_u64(READ_ONCE(buf.cpu[8]), 0);
	igt_assert(svm_cpu_all32(memory, svm_page_size(), 0));
	svm_buf_free(&buf);
	munmap(memory, svm_page_size());
}

/* The shortest operand has 4 bytes, so 3 bytes off each one is bound partly. */
static void sync_unbound(int fd)
{
	struct svm_buf buf = svm_buf(fd, GOOD_PAGES * svm_page_size(), 0);
	uint64_t start = client_ptr(buf.gpu), end = start + buf.size;
	struct drm_svm_test_cmd last = svm_cmd_touch((void *)(uintptr_t)(end - 4), 1, 8, true);
	uint32_t queue = svm_buffer_queue(fd, 0);

	operands_refused(&buf, queue, end, -ENOENT);
	operands_refused(&buf, queue, end - 3, -ENOENT);
	operands_refused(&buf, queue, start - 3, -ENOENT);
	operands_refused(&buf, queue, start - svm_page_size(), -ENOENT);
	good_run(&buf, queue);
	/* The size ends in time, but not the element, which is not aligned */
	last.flags |= DRM_SVM_TEST_CMD_64;
	last.arg1 = PATTERN;
	svm_wait_failed(fd, svm_submit_on(fd, queue, &last, 1), INVALID, EINVAL);
	igt_assert_eq_u64(buf.cpu[buf.size / 8 - 1], 0);

	svm_bo_unbind(fd, buf.gpu, buf.size);
	operands_refused(&buf, queue, start, -ENOENT);
	buf.gpu = NULL;
	svm_buf_free(&buf);
}

static int fill_pages(int fd, uint32_t queue, void *dst, unsigned int pages, uint32_t value)
{
	struct drm_svm_test_cmd fill = svm_cmd_fill(dst, pages * svm_page_size(), value);
	struct drm_svm_test_submit args = svm_submit_synced(queue, &fill, 1, NULL, NULL);
	int err = client_submit(fd, &args);

	if (!err)
		svm_wait_ok(fd, args.out_job);
	return err;
}

/* Two buffer objects are one interval, and then one with a hole in it. */
static void bound_partly(int fd)
{
	size_t page = svm_page_size();
	uint32_t queue = svm_buffer_queue(fd, 0), handle = svm_bo_create(fd, page, 0);
	struct svm_buf buf = svm_buf(fd, 2 * page, 0);
	uint32_t *map = svm_bo_map(fd, handle, page);
	char *base = (char *)buf.gpu;

	svm_bo_bind(fd, handle, client_ptr(base + 2 * page), page);
	igt_assert_eq(fill_pages(fd, queue, base, 3, PATTERN), 0);
	igt_assert(svm_cpu_all32(buf.cpu, 2 * page, PATTERN));
	igt_assert(svm_cpu_all32(map, page, PATTERN));
	igt_assert_eq(fill_pages(fd, queue, base, 4, 1), -ENOENT);
	igt_assert_eq(fill_pages(fd, queue, base - page, 4, 1), -ENOENT);

	/* Of the first one its second page, at the address of its first page */
	svm_bo_unbind(fd, base, 2 * page);
	igt_assert_eq(fill_pages(fd, queue, base, 3, 1), -ENOENT);
	igt_assert_eq(client_bo_bind(fd, buf.handle, client_ptr(base), page, page), 0);
	igt_assert_eq(fill_pages(fd, queue, base, 3, 1), -ENOENT);
	igt_assert_eq(fill_pages(fd, queue, base + page, 2, 1), -ENOENT);
	igt_assert(svm_cpu_all32(buf.cpu, 2 * page, PATTERN));
	igt_assert_eq(fill_pages(fd, queue, base, 1, 1), 0);
	igt_assert(svm_cpu_all32(buf.cpu, page, PATTERN));
	igt_assert(svm_cpu_all32(svm_page(buf.cpu, 1), page, 1));
	igt_assert(svm_cpu_all32(map, page, PATTERN));

	munmap(map, page);
	svm_bo_unbind(fd, base, page);
	buf.gpu = NULL;
	svm_buf_free(&buf);
}

/* Ends and limits */

/* Of jobs that end well, or are cancelled */
static void sync_eventfd(int fd)
{
	uint32_t queue = svm_buffer_queue(fd, 0);
	int event = svm_event();

	for (int cancel = 0; cancel < 2; cancel++) {
		struct svm_hold hold = svm_hold_start(fd, queue, NULL);
		struct drm_svm_test_submit args = svm_submit_synced(queue, NULL, 0, NULL, NULL);

		args.flags = DRM_SVM_TEST_SUBMIT_EVENTFD;
		args.eventfd = event;
		svm_submit_ioctl(fd, &args);
		if (cancel)
			igt_assert_eq(client_cancel_job(fd, args.out_job, 0), 0);
		igt_assert(!svm_event_wait(event, 1, 20));
		svm_hold_end(&hold);
		igt_assert(svm_event_wait(event, 1, 30000));
		svm_wait_failed(fd, args.out_job, cancel ? CANCELLED : DRM_SVM_TEST_STATUS_OK,
				cancel ? ECANCELED : 0);
	}
	close(event);
}

/* How many jobs of @n ended well; the others reached their limit. */
static unsigned int count_ok(int fd, const uint64_t *jobs, unsigned int n)
{
	struct drm_svm_test_wait result;
	unsigned int ok = 0;

	for (unsigned int i = 0; i < n; i++) {
		svm_wait(fd, jobs[i], &result);
		igt_assert(result.out_status == DRM_SVM_TEST_STATUS_OK ||
			   result.out_status == TIMEOUT);
		ok += result.out_status == DRM_SVM_TEST_STATUS_OK;
	}
	return ok;
}

/* Zero is the longest limit. That of the job behind began at the same time. */
static void sync_limit(int fd)
{
	static const uint64_t limits[] = { LIMIT_S * SEC, 0 };
	struct drm_svm_test_sync syncs[] = { svm_sync_create(fd, 0), svm_sync_create(fd, 3) };
	struct svm_buf buf = svm_buf(fd, svm_page_size(), 0);
	struct drm_svm_test_cmd add = svm_cmd_add64(buf.gpu, 1, 1);
	struct svm_hold holds[2];
	uint64_t behind[2], waiting[2];
	unsigned int ok;

	for (int i = 0; i < 2; i++) {
		uint32_t queue = svm_buffer_queue(fd, limits[i]);
		struct drm_svm_test_submit wait =
			svm_submit_synced(svm_buffer_queue(fd, 0), &add, 1, &syncs[i], NULL);

		holds[i] = svm_hold_start(fd, queue, &syncs[i]);
		behind[i] = svm_submit_on(fd, queue, &add, 1);
		waiting[i] = svm_submit_ioctl(fd, &wait);
	}
	for (int i = 0; i < 2; i++) {
		svm_wait_failed(fd, holds[i].job, TIMEOUT, ETIME);
		igt_assert_eq(svm_sync_status(fd, &syncs[i]), -ETIME);
		assert_cancelled(fd, waiting[i]);
		svm_buf_free(&holds[i].buf);
		svm_sync_destroy(fd, &syncs[i]);
	}
	ok = count_ok(fd, behind, 2);
	igt_assert_eq_u64(READ_ONCE(*buf.cpu), ok);
	svm_buf_free(&buf);
}

static int create_queue(int fd, uint32_t engine, uint64_t limit, uint32_t *queue)
{
	struct drm_svm_test_queue_create args = {
		.engine_class = DRM_SVM_TEST_ENGINE_CLASS_BUFFER,
		.engine = engine,
		.time_limit_ns = limit,
	};
	int err = client_queue_create(fd, &args);

	*queue = args.out_queue;
	return err;
}

/* There is one engine. */
static void queue_invalid(int fd)
{
	static const uint64_t limits[] = { MAX_LIMIT_NS + 1, 1ull << 63, UINT64_MAX };
	static const uint32_t engines[] = { 1, 1u << 31, DRM_SVM_TEST_ENGINE_ANY - 1 };
	uint32_t queue;

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		igt_assert_eq(create_queue(fd, 0, limits[i], &queue), -EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(engines); i++)
		igt_assert_eq(create_queue(fd, engines[i], 0, &queue), -EINVAL);
	igt_assert_eq(create_queue(fd, 0, MAX_LIMIT_NS, &queue), 0);
	svm_wait_ok(fd, svm_submit_on(fd, queue, NULL, 0));
}

/* It waits for its syncobj for as long as its limit, and not longer. */
static void limit_waiting(int fd)
{
	struct drm_svm_test_sync sync = svm_sync_create(fd, 0);
	uint32_t queue = svm_buffer_queue(fd, 0), limited = svm_buffer_queue(fd, LIMIT_S * SEC);
	struct svm_hold hold = svm_hold_start(fd, queue, NULL);
	struct drm_svm_test_submit first = svm_submit_synced(queue, NULL, 0, NULL, &sync);
	struct drm_svm_test_submit second = svm_submit_synced(limited, NULL, 0, &sync, NULL);

	svm_submit_ioctl(fd, &first);
	svm_submit_ioctl(fd, &second);
	svm_wait_failed(fd, second.out_job, TIMEOUT, ETIME);
	svm_assert_pending(fd, first.out_job);
	svm_hold_end(&hold);
	svm_wait_ok(fd, first.out_job);
	svm_sync_destroy(fd, &sync);
}

/* Files */

/* The syncobj, as another file has it */
static struct drm_svm_test_sync share_sync(int fd, const struct drm_svm_test_sync *sync, int other)
{
	struct drm_svm_test_sync shared = *sync;
	int file;

	igt_assert_eq(drmSyncobjHandleToFD(fd, sync->handle, &file), 0);
	igt_assert_eq(drmSyncobjFDToHandle(other, file, &shared.handle), 0);
	close(file);
	return shared;
}

/* A job waits for one of another file, which ends well, or with its file. */
static void across_files(void)
{
	for (int closed = 0; closed < 2; closed++) {
		int fd = svm_open_attached(), other = svm_open_attached();
		struct drm_svm_test_sync out = svm_sync_create(fd, 0);
		struct drm_svm_test_sync in = share_sync(fd, &out, other);
		struct svm_buf buf = svm_buf(other, svm_page_size(), 0);
		struct drm_svm_test_cmd add = svm_cmd_add64(buf.gpu, 1, 1);
		uint32_t queue = svm_buffer_queue(fd, 0);
		struct svm_hold hold = svm_hold_start(fd, queue, NULL);
		struct drm_svm_test_submit a = svm_submit_synced(queue, NULL, 0, NULL, &out);
		struct drm_svm_test_submit b =
			svm_submit_synced(svm_buffer_queue(other, 0), &add, 1, &in, NULL);

		svm_submit_ioctl(fd, &a);
		svm_submit_ioctl(other, &b);
		svm_assert_pending(other, b.out_job);
		if (closed) {
			close(fd);
			assert_cancelled(other, b.out_job);
		} else {
			svm_hold_end(&hold);
			svm_wait_ok(other, b.out_job);
			close(fd);
		}
		igt_assert_eq_u64(READ_ONCE(*buf.cpu), !closed);
		svm_buf_free(&buf);
		close(other);
	}
}

/* When the file is closed, the job that its own job waits for has not ended. */
static void close_waiting(void)
{
	int fd = svm_open_attached(), other = svm_open_attached();
	struct drm_svm_test_sync out = svm_sync_create(fd, 0);
	struct drm_svm_test_sync in = share_sync(fd, &out, other);
	uint32_t queue = svm_buffer_queue(fd, 0);
	struct svm_hold hold = svm_hold_start(fd, queue, NULL);
	struct drm_svm_test_submit a = svm_submit_synced(queue, NULL, 0, NULL, &out);
	struct drm_svm_test_submit b =
		svm_submit_synced(svm_buffer_queue(other, 0), NULL, 0, &in, NULL);

	svm_submit_ioctl(fd, &a);
	svm_submit_ioctl(other, &b);
	igt_set_timeout(60, "close waits for a job of another file");
	close(other);
	igt_reset_timeout();
	igt_assert_eq(svm_sync_status(fd, &out), 0);
	svm_hold_end(&hold);
	svm_wait_ok(fd, a.out_job);
	svm_sync_destroy(fd, &out);
	close(fd);
}

/* Buffer objects that a job uses */

/* A call that has to wait, in a thread of its own */
struct call {
	int (*fn)(void *arg);
	void *arg;
	pthread_t thread;
	int ret;
	bool begun, ended;
};

static void *call_main(void *data)
{
	struct call *call = data;

	__atomic_store_n(&call->begun, true, __ATOMIC_RELEASE);
	call->ret = call->fn(call->arg);
	__atomic_store_n(&call->ended, true, __ATOMIC_RELEASE);
	return NULL;
}

static void call_start(struct call *call, int (*fn)(void *arg), void *arg)
{
	*call = (struct call) { .fn = fn, .arg = arg };
	igt_assert_eq(pthread_create(&call->thread, NULL, call_main, call), 0);
	igt_assert(svm_until(READ_ONCE(call->begun), 30000));
}

static void call_waits(const struct call *call)
{
	usleep(A_WHILE);
	igt_assert(!READ_ONCE(call->ended));
}

static int call_end(struct call *call)
{
	igt_set_timeout(60, "a call does not return");
	igt_assert_eq(pthread_join(call->thread, NULL), 0);
	igt_reset_timeout();
	igt_thread_assert_no_failures();
	return call->ret;
}

static uint64_t in_vram(int fd)
{
	return svm_fdinfo_bytes(fd, "drm-resident-vram");
}

/*
 * A buffer object in VRAM, and two jobs of a queue that use it. The first one
 * counts in word 0 until it is cancelled, the other one adds up in word 1. Each
 * of them has a syncobj.
 */
#define BUSY_ADDS	1000
#define BUSY_SUM	(7 * BUSY_ADDS)

struct busy {
	int fd;
	uint32_t queue;
	struct svm_buf buf, seen;
	struct drm_svm_test_sync sync[2];
	uint64_t jobs[2];
};

/* Returns when the first job runs. @flags: of the buffer object that the jobs use. */
static void busy_start_in(struct busy *busy, int fd, uint32_t flags)
{
	struct drm_svm_test_cmd cmds[2], add;
	struct drm_svm_test_submit args;

	*busy = (struct busy) { .fd = fd, .queue = svm_buffer_queue(fd, 0) };
	busy->buf = svm_buf(fd, MIB, flags);
	busy->seen = svm_buf(fd, svm_page_size(), 0);
	for (int i = 0; i < 2; i++)
		busy->sync[i] = svm_sync_create(fd, 0);

	cmds[0] = svm_cmd_fill(busy->seen.gpu, 8, 1);
	cmds[1] = svm_cmd_add64(busy->buf.gpu, 1, UINT64_MAX);
	args = svm_submit_synced(busy->queue, cmds, 2, NULL, &busy->sync[0]);
	busy->jobs[0] = svm_submit_ioctl(fd, &args);
	add = svm_cmd_add64(busy->buf.gpu + 1, BUSY_SUM / BUSY_ADDS, BUSY_ADDS);
	args = svm_submit_synced(busy->queue, &add, 1, NULL, &busy->sync[1]);
	busy->jobs[1] = svm_submit_ioctl(fd, &args);

	igt_assert(svm_until(READ_ONCE(*busy->seen.cpu), 30000));
	svm_buf_unmap(&busy->seen);
	igt_assert_eq_u64(in_vram(fd), flags == VRAM ? MIB : 0);
}

static void busy_start(struct busy *busy, int fd)
{
	busy_start_in(busy, fd, VRAM);
}

static void busy_end(struct busy *busy)
{
	igt_assert_eq(client_cancel_job(busy->fd, busy->jobs[0], 0), 0);
	svm_wait_failed(busy->fd, busy->jobs[0], CANCELLED, ECANCELED);
	svm_wait_ok(busy->fd, busy->jobs[1]);
}

/* The content is what the jobs left behind. */
static void busy_free(struct busy *busy)
{
	igt_assert_lt_u64(0, READ_ONCE(busy->buf.cpu[0]));
	igt_assert_eq_u64(READ_ONCE(busy->buf.cpu[1]), BUSY_SUM);
	for (int i = 0; i < 2; i++)
		svm_sync_destroy(busy->fd, &busy->sync[i]);
	svm_buf_free(&busy->buf);
	svm_buf_free(&busy->seen);
}

static int put_one(void *file)
{
	return __svm_hw_put(*(int *)file, "1");
}

static void stays_in_vram(int fd)
{
	int file = svm_hw_open(fd, "evict_vram", O_WRONLY);
	struct busy busy;
	struct call evict;

	busy_start(&busy, fd);
	call_start(&evict, put_one, &file);
	call_waits(&evict);
	igt_assert_eq_u64(in_vram(fd), MIB);
	busy_end(&busy);
	igt_assert_eq(call_end(&evict), 0);
	igt_assert_eq_u64(in_vram(fd), 0);
	busy_free(&busy);
	close(file);
}

static int load_word(void *word)
{
	return READ_ONCE(*(uint64_t *)word);
}

/* The thread may hold mmap_lock while it waits, so nobody may need that lock. */
static void cpu_map_waits(int fd)
{
	struct busy busy;
	struct call load;

	busy_start(&busy, fd);
	call_start(&load, load_word, &busy.buf.cpu[1]);
	call_waits(&load);
	busy_end(&busy);
	igt_assert_eq(call_end(&load), BUSY_SUM);
	igt_assert_eq_u64(in_vram(fd), 0);
	busy_free(&busy);
}

static int unbind_buf(void *data)
{
	struct svm_buf *buf = data;

	return client_bo_unbind(buf->fd, client_ptr(buf->gpu), buf->size);
}

static void unbind_waits(int fd)
{
	struct drm_svm_test_submit args;
	struct drm_svm_test_cmd add;
	struct call unbind;
	struct busy busy;

	busy_start(&busy, fd);
	call_start(&unbind, unbind_buf, &busy.buf);
	call_waits(&unbind);
	busy_end(&busy);
	igt_assert_eq(call_end(&unbind), 0);
	add = svm_cmd_add64(busy.buf.gpu + 1, 1, 1);
	args = svm_submit_synced(busy.queue, &add, 1, NULL, NULL);
	igt_assert_eq(client_submit(fd, &args), -ENOENT);
	busy.buf.gpu = NULL;
	busy_free(&busy);
}

static void close_handle(int fd)
{
	struct busy busy;

	busy_start(&busy, fd);
	svm_bo_close(fd, busy.buf.handle);
	busy.buf.handle = 0;
	svm_assert_pending(fd, busy.jobs[0]);
	busy_end(&busy);
	busy_free(&busy);
}

struct submission {
	int fd;
	struct drm_svm_test_submit args;
};

static int submit_job(void *data)
{
	struct submission *sub = data;

	return client_submit(sub->fd, &sub->args);
}

/* A handler that does not restart the call ends it. Nothing is submitted. */
static void submit_interrupted(struct submission sub)
{
	svm_alarms(false, 3000);
	igt_assert_eq(ioctl(sub.fd, DRM_IOCTL_SVM_TEST_SUBMIT, &sub.args), -1);
	igt_assert_eq(errno, EINTR);
	svm_alarms(false, 0);
}

/*
 * The device waits for such jobs, and takes no more until it is resumed. Their
 * buffer objects leave VRAM only when they have ended; for those in RAM the
 * device has to wait for the jobs themselves.
 */
static void suspend_in(int fd, uint32_t flags)
{
	int file = svm_hw_open(fd, "suspend", O_WRONLY);
	struct submission sub = { .fd = fd };
	struct call suspend, submit;
	struct svm_buf buf = svm_buf(fd, svm_page_size(), 0);
	struct drm_svm_test_cmd add = svm_cmd_add64(buf.gpu, 1, 1);
	struct busy busy;

	busy_start_in(&busy, fd, flags);
	call_start(&suspend, put_one, &file);
	call_waits(&suspend);
	busy_end(&busy);
	igt_assert_eq(call_end(&suspend), 0);
	igt_assert_eq_u64(svm_hw_resident(fd, "used"), 0);

	sub.args = svm_submit_synced(busy.queue, &add, 1, NULL, NULL);
	submit_interrupted(sub);
	call_start(&submit, submit_job, &sub);
	call_waits(&submit);
	igt_assert_eq_u64(READ_ONCE(*buf.cpu), 0);
	svm_hw_write(fd, "suspend", 0);
	igt_assert_eq(call_end(&submit), 0);
	svm_wait_ok(fd, sub.args.out_job);
	igt_assert_eq_u64(READ_ONCE(*buf.cpu), 1);
	svm_buf_free(&buf);
	busy_free(&busy);
	close(file);
}

static void sync_suspend(int fd)
{
	suspend_in(fd, VRAM);
}

static void sync_suspend_ram(int fd)
{
	suspend_in(fd, 0);
}

/*
 * Two buffer objects that do not fit in together. Jobs use them in turn, in the
 * order of a timeline. Every third job copies what it has counted from its own
 * buffer object to the other one.
 */
static void sync_oversubscribed(int fd)
{
	enum { JOBS = 24 };
	size_t size = svm_vram_size(fd) / 4 * 3 & ~(2 * MIB - 1), last = size / 8 - 1;
	struct svm_buf bufs[] = { svm_buf(fd, size, VRAM), svm_buf(fd, size, VRAM) };
	uint32_t queues[] = { svm_buffer_queue(fd, 0), svm_buffer_queue(fd, 0) };
	struct drm_svm_test_sync in = svm_sync_create(fd, 1), out = in;
	uint64_t jobs[JOBS];

	for (int i = 0; i < JOBS; i++) {
		const struct svm_buf *own = &bufs[i % 2], *other = &bufs[(i + 1) % 2];
		struct drm_svm_test_cmd cmds[] = {
			svm_cmd_next64(own->gpu + last, i / 2),
			svm_cmd_copy(other->gpu + i, own->gpu + last, 8),
		};
		struct drm_svm_test_submit args;

		in.point = i;
		out.point = i + 1;
		args = svm_submit_synced(queues[i % 2], cmds, i % 3 ? 1 : 2, i ? &in : NULL, &out);
		jobs[i] = svm_submit_ioctl(fd, &args);
	}
	for (int i = 0; i < JOBS; i++)
		svm_wait_ok(fd, jobs[i]);
	for (int i = 0; i < JOBS; i++)
		igt_assert_eq_u64(bufs[(i + 1) % 2].cpu[i], i % 3 ? 0 : i / 2 + 1);
	for (int i = 0; i < 2; i++) {
		igt_assert_eq_u64(bufs[i].cpu[last], JOBS / 2);
		svm_buf_free(&bufs[i]);
	}
	svm_sync_destroy(fd, &in);
}

/*
 * The CPU ties jobs of both kinds: it sees that one on a buffer object has
 * ended, and signals the user fence of one that can fault. And the other way
 * round.
 */
static void sync_tie(int fd)
{
	uint64_t *fence = svm_mmap_small(svm_page_size()), *copy = fence + 8, *back = fence + 16;
	struct drm_svm_test_fence answer = svm_fence(back, 1);
	struct svm_buf buf = svm_buf(fd, svm_page_size(), VRAM);
	struct drm_svm_test_sync sync = svm_sync_create(fd, 0);
	uint32_t queue = svm_buffer_queue(fd, 0);
	struct svm_hold hold = svm_hold_start(fd, queue, NULL);
	struct drm_svm_test_cmd add = svm_cmd_add64(buf.gpu, 5, 10), cmds[] = {
		svm_cmd_wait(fence, 1), svm_cmd_copy(copy, buf.gpu, 8),
		svm_cmd_add64(buf.gpu, 1, 1), svm_cmd_signal(back, 1),
	};
	struct drm_svm_test_submit args = svm_submit_synced(queue, &add, 1, NULL, &sync);
	int event = svm_event();
	uint64_t job;

	args.flags = DRM_SVM_TEST_SUBMIT_EVENTFD;
	args.eventfd = event;
	svm_submit_ioctl(fd, &args);
	job = svm_submit_on(fd, 0, cmds, ARRAY_SIZE(cmds));
	svm_assert_pending(fd, job);
	svm_hold_end(&hold);
	igt_assert(svm_event_wait(event, 1, 30000));
	igt_assert_eq(svm_sync_status(fd, &sync), 1);
	svm_fence_set(fence, 1);

	igt_assert_eq(client_fence_wait(fd, &answer, 1, 0, 60 * SEC, NULL), 0);
	igt_assert_eq_u64(READ_ONCE(*copy), 50);
	svm_wait_ok(fd, svm_submit_on(fd, queue, &add, 1));
	igt_assert_eq_u64(READ_ONCE(*buf.cpu), 101);
	svm_wait_ok(fd, job);
	close(event);
	svm_sync_destroy(fd, &sync);
	svm_buf_free(&buf);
	munmap(fence, svm_page_size());
}

/* The device goes */

struct ending {
	int fd;
	uint64_t job;
	struct drm_svm_test_wait result;
};

static int wait_for_end(void *data)
{
	struct ending *ending = data;

	return client_wait(ending->fd, ending->job, 60 * SEC, &ending->result);
}

/* A job that has no end ends with the device, as does the one behind it. */
static void unplug_held(enum svm_hw_unplug how)
{
	struct ending endings[2];
	struct call calls[2];
	struct busy busy;
	int fd, files[2];

	svm_module_load("vram_mb=16");
	fd = svm_open_attached();
	busy_start(&busy, fd);
	for (int i = 0; i < 2; i++) {
		igt_assert_eq(drmSyncobjExportSyncFile(fd, busy.sync[i].handle, &files[i]), 0);
		endings[i] = (struct ending) { .fd = fd, .job = busy.jobs[i] };
		call_start(&calls[i], wait_for_end, &endings[i]);
	}
	call_waits(&calls[0]);
	call_waits(&calls[1]);
	igt_set_timeout(60, "an unplug waits for jobs");
	svm_hw_unplug(fd, how);
	igt_reset_timeout();
	for (int i = 0; i < 2; i++) {
		igt_assert_eq(call_end(&calls[i]), 0);
		igt_assert_eq_u32(endings[i].result.out_status, CANCELLED);
		igt_assert_eq_u32(endings[i].result.out_errno, ENODEV);
		igt_assert_eq(svm_sync_file_status(files[i]), -ENODEV);
		close(files[i]);
	}
	svm_buf_unmap(&busy.buf);
	close(fd);
	svm_module_unload();
}

static void unplug_orderly(void)
{
	unplug_held(SVM_HW_ORDERLY);
}

static void unplug_surprise(void)
{
	unplug_held(SVM_HW_SURPRISE);
}

static const struct {
	const char *name;
	const char *what;
	uint64_t point;
} kinds[] = {
	{ "binary", "binary syncobj", 0 },
	{ "timeline", "point of a timeline", 3 },
};

/* Subtests NAME-KIND; %s is what the kind is. */
static const struct {
	const char *name;
	const char *describe;
	void (*run)(int fd, uint64_t point);
} by_kind[] = {
	{ "out", "A job signals its %s when it ends, not before.", sync_out },
	{ "in", "A job waits for its %s.", sync_in },
	{ "error", "An error goes through a %s to the jobs that depend on it.", sync_error },
	{ "cancelled", "A cancelled job takes along the jobs that wait for its %s.",
	  sync_cancelled },
};

static const struct svm_case cases[] = {
	{ "chain", "Points of a timeline order the jobs of several queues.", sync_chain },
	{ "many", "A job takes the most syncs that the device allows.", sync_many },
	{ "invalid", "Bad handles, flags and points, and syncs without a fence, are refused.",
	  sync_invalid },
	{ "all-or-none", "A refused submission leaves every syncobj as it was.", all_or_none },
	{ "compute-refused", "A job that can fault may not have syncobjs.", compute_refused },
	{ "shared-memory-refused", "A job on buffer objects reaches for nothing else.",
	  shared_memory_refused },
	{ "ops-refused", "Operations are refused whose accesses cannot be told before.",
	  ops_refused },
	{ "signal-and-report-refused", "A job on buffer objects has no user fence, and no report.",
	  signal_and_report_refused },
	{ "unbound", "A job is refused that reaches for what is not bound.", sync_unbound },
	{ "bound-partly", "All of an interval has to be bound, in one piece or in several.",
	  bound_partly },
	{ "eventfd", "A job on buffer objects signals an eventfd at its end.", sync_eventfd },
	{ "limit", "A job that has no end reaches its limit, and its fence fails.", sync_limit },
	{ "limit-waiting", "A job that waits for its syncobj reaches its limit as well.",
	  limit_waiting },
	{ "queue-invalid", "A limit above ten seconds, and an unknown engine, are refused.",
	  queue_invalid },
};

static const struct svm_test tests[] = {
	{ "across-files", "A job waits for one of another file, and for the end of that file.",
	  across_files },
	{ "close-waiting", "Closing a file does not wait for the fences its jobs wait for.",
	  close_waiting },
	{ "unplug-orderly", "The device goes in an orderly way under a job that has no end.",
	  unplug_orderly },
	{ "unplug-surprise", "The device is gone under a job that has no end.", unplug_surprise },
};

static const struct svm_case vram_cases[] = {
	{ "stays-in-vram", "VRAM is evicted when the job that uses it has ended.",
	  stays_in_vram },
	{ "cpu-map-waits", "The CPU gets a buffer object when the job that uses it has ended.",
	  cpu_map_waits },
	{ "unbind-waits", "A binding is removed when the job that uses it has ended.",
	  unbind_waits },
	{ "close-handle-while-queued", "The handle is closed while jobs use the buffer object.",
	  close_handle },
	{ "suspend", "The device is suspended when jobs on buffer objects have ended.",
	  sync_suspend },
	{ "suspend-ram", "The same where their buffer objects are in RAM.", sync_suspend_ram },
	{ "oversubscribed", "Jobs in turn need buffer objects that do not fit in together.",
	  sync_oversubscribed },
	{ "tie", "The CPU ties jobs on buffer objects to jobs that can fault.", sync_tie },
};

static void run(size_t i, size_t kind)
{
	int fd;

	svm_close_leaked();
	fd = svm_open_attached();
	by_kind[i].run(fd, kinds[kind].point);
	close(fd);
}

int igt_main()
{
	igt_fixture()
		close(svm_open());

	for (size_t i = 0; i < ARRAY_SIZE(by_kind); i++) {
		for (size_t kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
			igt_describe_f(by_kind[i].describe, kinds[kind].what);
			igt_subtest_f("%s-%s", by_kind[i].name, kinds[kind].name)
				run(i, kind);
		}
	}
	svm_cases(cases);
	svm_tests(tests);
	svm_cases_of(vram_cases, svm_open_vram);

	igt_fixture() {
		svm_close_leaked();
		svm_module_reset();
	}
}
