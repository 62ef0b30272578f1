// SPDX-License-Identifier: MIT
/*
 * TEST: svm queue
 * Category: Core
 * Description: Queues: order, priority, time limits, cancellation, end; shared address spaces.
 */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xf86drm.h>

#include "igt.h"
#include "igt_thread.h"
#include "svm_bo.h"
#include "svm_hw.h"
#include "svm_job.h"
#include "svm_mem.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("Queues: order, priority, limits, cancellation, end; shared address spaces.");

#define SEC		((int64_t)NSEC_PER_SEC)
#define NORMAL		DRM_SVM_TEST_PRIORITY_NORMAL
#define OK		DRM_SVM_TEST_STATUS_OK
#define CANCELLED	DRM_SVM_TEST_STATUS_CANCELLED
#define TIMEOUT		DRM_SVM_TEST_STATUS_TIMEOUT

/* Microseconds in which what must not happen could */
#define A_WHILE		20000
/* A job that needs a moment does not need as long, on the slowest of machines */
#define LIMIT_NS	(5ull * NSEC_PER_SEC)

/* Jobs that tell what becomes of them */

enum probe_kind {
	PROBE_RUNS,
	PROBE_SPINS,	/* these do not end before probe_release() */
	PROBE_WAITS,
	PROBE_FAULTS,
};

struct probe_mem {
	uint64_t fence;			/* 1: the job has signalled */
	uint64_t gate;			/* 1: PROBE_WAITS goes on */
	struct svm_node node;		/* PROBE_SPINS goes round it */
	uint32_t started, ran;		/* 1: before, and after, where it may stay */
	struct drm_svm_test_report report
		__attribute__((aligned(sizeof(struct drm_svm_test_report))));
};

struct probe {
	int fd;
	enum probe_kind kind;
	struct probe_mem *mem;
	char *hole;			/* PROBE_FAULTS writes it, and nobody provides it */
	int uffd;
	uint64_t job;
};

static struct drm_svm_test_cmd probe_cmd(const struct probe *p)
{
	switch (p->kind) {
	case PROBE_SPINS:
		return svm_cmd_chase(&p->mem->node, UINT64_MAX, NULL);
	case PROBE_WAITS:
		return svm_cmd_wait(&p->mem->gate, 1);
	case PROBE_FAULTS:
		return svm_cmd_fill(p->hole, 4, 6);
	default:
		return (struct drm_svm_test_cmd) { .op = DRM_SVM_TEST_OP_TIMESTAMP };
	}
}

static struct probe probe_submit(int fd, uint32_t queue, enum probe_kind kind)
{
	struct probe p = { .fd = fd, .kind = kind, .uffd = -1 };
	struct drm_svm_test_cmd cmds[3] = {};
	struct drm_svm_test_submit args = svm_submit_args(cmds, 3);

	p.mem = svm_mmap_small(svm_page_size());
	p.mem->node.next = &p.mem->node;
	if (kind == PROBE_FAULTS) {
		p.hole = svm_mmap_small(svm_page_size());
		p.uffd = svm_uffd_open(p.hole, svm_page_size());
	}
	cmds[0] = svm_cmd_fill(&p.mem->started, 4, 1);
	cmds[1] = probe_cmd(&p);
	cmds[2] = svm_cmd_fill(&p.mem->ran, 4, 1);
	args.queue = queue;
	args.signal = svm_fence(&p.mem->fence, 1);
	args.report = client_ptr(&p.mem->report);
	p.job = svm_submit_ioctl(fd, &args);
	return p;
}

/* Returns when it has come to where it stays */
static struct probe probe_start(int fd, uint32_t queue, enum probe_kind kind)
{
	struct probe p = probe_submit(fd, queue, kind);
	uint64_t addr;

	igt_assert(svm_until(READ_ONCE(p.mem->started), 30000));
	if (kind == PROBE_FAULTS)
		igt_assert(svm_uffd_pending(p.uffd, 30000, &addr));
	return p;
}

static void probe_release(const struct probe *p)
{
	void *zeroes;

	svm_fence_set(&p->mem->gate, 1);
	WRITE_ONCE(p->mem->node.next, NULL);
	if (p->kind == PROBE_FAULTS) {
		zeroes = svm_mmap_anon(svm_page_size());
		svm_uffd_copy(p->uffd, p->hole, zeroes);
		munmap(zeroes, svm_page_size());
	}
}

/* How it ended is told by the result, and by the report; it has signalled. */
static void probe_ended(const struct probe *p, uint32_t status, uint32_t err)
{
	const struct drm_svm_test_report *report = &p->mem->report;
	struct drm_svm_test_wait result;

	igt_assert_eq(client_wait(p->fd, p->job, 100 * SEC, &result), 0);
	igt_assert_f(result.out_status == status && result.out_errno == err,
		     "status %u errno %u, not %u and %u\n", result.out_status,
		     result.out_errno, status, err);
	igt_assert_eq_u64(svm_fence_value(&p->mem->fence), 1);
	igt_assert_eq_u64(report->job, p->job);
	igt_assert_eq_u64(report->addr, result.out_addr);
	igt_assert_eq_u32(report->status, status);
	igt_assert_eq_u32(report->error, err);
	igt_assert_eq_u32(report->cmd, result.out_cmd);
	igt_assert_eq_u32(READ_ONCE(p->mem->ran), status == OK);
}

/* It ended with its queue: it says so when it is asked, and has told nobody. */
static void probe_dropped(const struct probe *p)
{
	struct drm_svm_test_wait result;

	igt_assert_eq(client_wait(p->fd, p->job, 0, &result), 0);
	igt_assert_eq_u32(result.out_status, CANCELLED);
	igt_assert_eq_u32(result.out_errno, ECANCELED);
	igt_assert_eq_u64(svm_fence_value(&p->mem->fence), 0);
	igt_assert_eq_u32(p->mem->report.status, 0);
	igt_assert_eq_u32(READ_ONCE(p->mem->ran), 0);
}

static void probe_free(const struct probe *p)
{
	if (p->uffd >= 0) {
		close(p->uffd);
		munmap(p->hole, svm_page_size());
	}
	munmap(p->mem, svm_page_size());
}

static void probe_end(const struct probe *p, uint32_t status, uint32_t err)
{
	probe_ended(p, status, err);
	probe_free(p);
}

/* A queue on engine 0, as all are that have to share an engine */
static uint32_t queue_on_first(int fd)
{
	return svm_queue_create(fd, 0, NORMAL, 0);
}

/* The queue runs a job that is submitted now */
static void assert_queue_works(int fd, uint32_t queue)
{
	struct probe p = probe_submit(fd, queue, PROBE_RUNS);

	probe_end(&p, OK, 0);
}

/* Make and destroy */

static void create_invalid(int fd)
{
	struct drm_svm_test_info info;
	const struct drm_svm_test_queue_create good = {
		.engine = DRM_SVM_TEST_ENGINE_ANY, .priority = NORMAL,
	};
	struct drm_svm_test_queue_create args;

	svm_info(fd, &info);
#define BAD(field, value) \
	do { \
		args = good; \
		args.field = (value); \
		igt_assert_f(client_queue_create(fd, &args) == -EINVAL, \
			     #field " = " #value "\n"); \
	} while (0)
	for (int bit = 0; bit < 32; bit++) {
		BAD(flags, 1u << bit);
		BAD(pad, 1u << bit);
	}
	/* Bit 0 is another class, for which see svm_sync */
	for (int bit = 1; bit < 32; bit++)
		BAD(engine_class, 1u << bit);
	BAD(engine, info.out_engines);
	BAD(engine, 0x80000000);
	BAD(engine, 0xfffffffe);
	BAD(priority, DRM_SVM_TEST_PRIORITY_NUM);
	BAD(priority, UINT32_MAX);
#undef BAD
	args = good;
	args.time_limit_ns = UINT64_MAX;
	igt_assert_eq(client_queue_create(fd, &args), 0);
	igt_assert_lte_u32(info.out_engines, args.out_queue);
	assert_queue_works(fd, args.out_queue);
	args = good;
	igt_fork(child, 1)
		igt_assert_eq(client_queue_create(fd, &args), -EPERM);
	igt_waitchildren();
}

/* Before there is memory to work on, and for a job when there is */
static void create_before_attach(void)
{
	int fd = svm_open();
	uint32_t queue = svm_queue(fd, 0);
	struct drm_svm_test_submit args = svm_submit_args(NULL, 0);

	args.queue = queue;
	igt_assert_eq(client_submit(fd, &args), -ENXIO);
	svm_attach(fd);
	assert_queue_works(fd, queue);
	close(fd);
}

static void destroy_invalid(int fd)
{
	struct drm_svm_test_submit args = svm_submit_args(NULL, 0);
	struct drm_svm_test_queue_destroy flags = { .flags = 1 };
	uint32_t queue = svm_queue(fd, 0);
	struct drm_svm_test_info info;
	int other = svm_open_attached();

	svm_info(fd, &info);
	for (uint32_t engine = 0; engine < info.out_engines; engine++)
		igt_assert_eq(client_queue_destroy(fd, engine), -EINVAL);
	igt_assert_eq(client_queue_destroy(fd, queue + 1), -EBADF);
	igt_assert_eq(client_queue_destroy(fd, UINT32_MAX), -EBADF);
	igt_assert_eq(client_queue_destroy(other, queue), -EBADF);
	flags.queue = queue;
	igt_assert_eq(drmIoctl(fd, DRM_IOCTL_SVM_TEST_QUEUE_DESTROY, &flags), -1);
	igt_assert_eq(errno, EINVAL);
	igt_fork(child, 1)
		igt_assert_eq(client_queue_destroy(fd, queue), -EPERM);
	igt_waitchildren();
	assert_queue_works(fd, queue);

	svm_queue_destroy(fd, queue);
	igt_assert_eq(client_queue_destroy(fd, queue), -EBADF);
	igt_assert_eq(client_cancel_queue(fd, queue, 0), -EBADF);
	args.queue = queue;
	igt_assert_eq(client_submit(fd, &args), -EBADF);
	for (uint32_t engine = 0; engine < info.out_engines; engine++)
		assert_queue_works(fd, engine);
	close(other);
}

/* Up to the limit, each of use, and one more when one has gone */
static void many_queues(int fd)
{
	struct drm_svm_test_queue_create args = {
		.engine = DRM_SVM_TEST_ENGINE_ANY, .priority = NORMAL,
	};
	uint64_t *word = svm_mmap_small(svm_page_size()), *jobs;
	struct drm_svm_test_cmd add = svm_cmd_add64(word, 1, 1);
	struct drm_svm_test_info info;
	uint32_t n, queue = 0;

	svm_info(fd, &info);
	n = info.out_max_queues - info.out_engines;
	jobs = calloc(n, sizeof(*jobs));
	igt_assert(jobs);
	for (uint32_t i = 0; i < n; i++) {
		queue = svm_queue(fd, i);
		jobs[i] = svm_submit_on(fd, queue, &add, 1);
	}
	igt_assert_eq(client_queue_create(fd, &args), -EBUSY);
	for (uint32_t i = 0; i < n; i++)
		svm_wait_ok(fd, jobs[i]);
	igt_assert_eq_u64(READ_ONCE(*word), n);

	svm_queue_destroy(fd, queue);
	igt_assert_eq(client_queue_create(fd, &args), 0);
	svm_wait_ok(fd, svm_submit_on(fd, args.out_queue, &add, 1));
	igt_assert_eq(client_queue_create(fd, &args), -EBUSY);
	free(jobs);
	munmap(word, svm_page_size());
}

/* Order and priority */

/* One after the other, and beside another queue of the engine */
static void queue_order(int fd)
{
	enum { JOBS = 50 };
	uint32_t queue = queue_on_first(fd);
	struct probe first = probe_start(fd, queue, PROBE_WAITS);
	uint64_t *word = svm_mmap_small(svm_page_size()), jobs[JOBS];

	for (uint64_t i = 0; i < JOBS; i++) {
		struct drm_svm_test_cmd next = svm_cmd_next64(word, i);

		jobs[i] = svm_submit_on(fd, queue, &next, 1);
	}
	assert_queue_works(fd, queue_on_first(fd));
	igt_assert_eq_u64(READ_ONCE(*word), 0);
	igt_assert_eq(__svm_poll_job(fd, first.job), -ETIME);
	probe_release(&first);
	/* When the last of them has ended all have */
	svm_wait_ok(fd, jobs[JOBS - 1]);
	for (int i = 0; i < JOBS - 1; i++)
		igt_assert_eq(__svm_poll_job(fd, jobs[i]), 0);
	igt_assert_eq_u64(READ_ONCE(*word), JOBS);
	probe_end(&first, OK, 0);
	munmap(word, svm_page_size());
}

#define RACE_JOBS	8
#define RACE_ADDS	400000

struct race {
	uint64_t gate;			/* all begin when it is 1 */
	uint64_t next;			/* the number of the next job that ends */
	uint64_t work[2];
	uint64_t number[2][RACE_JOBS];	/* of each job */
};

static void race_submit(int fd, struct race *race, int lane, uint32_t priority, uint64_t *jobs)
{
	uint32_t queue = svm_queue_create(fd, 0, priority, 0);

	svm_submit_waiter(fd, queue, &race->gate, 1);
	for (int i = 0; i < RACE_JOBS; i++) {
		struct drm_svm_test_cmd cmds[] = {
			svm_cmd_add64(&race->work[lane], 1, RACE_ADDS),
			svm_cmd_add64(&race->next, 1, 1),
		};

		cmds[1].result = client_ptr(&race->number[lane][i]);
		jobs[i] = svm_submit_on(fd, queue, cmds, 2);
	}
}

/* A queue whose jobs are as long gets to its end before one of lower priority is half way */
static void queue_priority(int fd)
{
	struct race *race = svm_mmap_small(svm_page_size());
	struct drm_svm_test_cmd go = svm_cmd_signal(&race->gate, 1);
	uint64_t jobs[2][RACE_JOBS], last;
	int before = 0;

	race_submit(fd, race, 0, DRM_SVM_TEST_PRIORITY_LOW, jobs[0]);
	race_submit(fd, race, 1, DRM_SVM_TEST_PRIORITY_HIGH, jobs[1]);
	usleep(A_WHILE);
	igt_assert_eq_u64(READ_ONCE(race->next), 0);
	svm_run(fd, &go);
	for (int i = 0; i < RACE_JOBS; i++) {
		svm_wait_ok(fd, jobs[0][i]);
		svm_wait_ok(fd, jobs[1][i]);
	}
	last = READ_ONCE(race->number[1][RACE_JOBS - 1]);
	for (int i = 0; i < RACE_JOBS; i++)
		before += READ_ONCE(race->number[0][i]) < last;
	igt_assert_lt(before, RACE_JOBS / 2);
	munmap(race, svm_page_size());
}

/* Endless jobs of higher priorities leave the engine now and then */
static void priority_starved(int fd)
{
	uint32_t queue = svm_queue_create(fd, 0, DRM_SVM_TEST_PRIORITY_LOW, 0);
	uint32_t high = svm_queue_create(fd, 0, DRM_SVM_TEST_PRIORITY_HIGH, 0);
	uint64_t *word = svm_mmap_small(svm_page_size());
	struct drm_svm_test_cmd add = svm_cmd_add64(word, 1, 100000);
	struct svm_spin spins[2];

	svm_spin_start(&spins[0], fd, high);
	svm_spin_start(&spins[1], fd, queue_on_first(fd));
	svm_wait_ok(fd, svm_submit_on(fd, queue, &add, 1));
	igt_assert_eq_u64(READ_ONCE(*word), 100000);
	for (int i = 0; i < 2; i++) {
		igt_assert_eq(__svm_poll_job(fd, spins[i].job), -ETIME);
		svm_spin_stop(&spins[i]);
	}
	munmap(word, svm_page_size());
}

/* Time limits */

/* A job before it, one that does not end, and one behind it, which has time of its own */
static void assert_limited(int fd, enum probe_kind kind)
{
	uint32_t queue = svm_queue_create(fd, 0, NORMAL, LIMIT_NS);
	struct probe endless, behind;

	assert_queue_works(fd, queue);
	endless = probe_start(fd, queue, kind);
	behind = probe_submit(fd, queue, PROBE_RUNS);
	probe_ended(&endless, TIMEOUT, ETIME);
	igt_assert_eq_u32(endless.mem->report.cmd, 1);
	probe_end(&behind, OK, 0);
	if (kind == PROBE_FAULTS) {
		probe_release(&endless);
		igt_assert_eq_u32(*(uint32_t *)endless.hole, 0);
	}
	assert_queue_works(fd, queue);
	probe_free(&endless);
}

static void time_limit(int fd)
{
	assert_limited(fd, PROBE_SPINS);
}

static void time_limit_wait(int fd)
{
	assert_limited(fd, PROBE_WAITS);
}

static void time_limit_uffd(int fd)
{
	assert_limited(fd, PROBE_FAULTS);
}

/* A job with no commands whose fence is in a page that nobody provides, waiting for it */
static uint64_t submit_fence_blocked(int fd, uint32_t queue, uint64_t *fence, int uffd)
{
	struct drm_svm_test_submit args = svm_submit_args(NULL, 0);
	uint64_t addr;

	args.queue = queue;
	args.signal = svm_fence(fence, 1);
	svm_submit_ioctl(fd, &args);
	igt_assert(svm_uffd_pending(uffd, 30000, &addr));
	igt_assert_eq_u64(addr, client_ptr(fence));
	return args.out_job;
}

static void time_limit_fence(int fd)
{
	uint64_t *fence = svm_mmap_small(svm_page_size()), job;
	int uffd = svm_uffd_open(fence, svm_page_size());
	uint32_t queue = svm_queue_create(fd, 0, NORMAL, LIMIT_NS);
	struct drm_svm_test_wait result;

	job = submit_fence_blocked(fd, queue, fence, uffd);
	igt_assert_eq(client_wait(fd, job, 100 * SEC, &result), 0);
	igt_assert_eq_u32(result.out_status, TIMEOUT);
	igt_assert_eq_u32(result.out_errno, ETIME);
	assert_queue_works(fd, queue);
	/* An ordinary page from now on, which the fault that was left alone gets */
	close(uffd);
	usleep(A_WHILE);
	igt_assert_eq_u64(READ_ONCE(*fence), 0);
	munmap(fence, svm_page_size());
}

/* Cancellation */

/* It stops where it is, signals, and leaves the queue to the next one */
static void assert_cancels(int fd, enum probe_kind kind)
{
	uint32_t queue = queue_on_first(fd);
	struct probe p = probe_start(fd, queue, kind);
	struct probe behind = probe_submit(fd, queue, PROBE_RUNS);

	svm_assert_pending(fd, behind.job);
	igt_assert_eq(client_cancel_job(fd, p.job, 0), 0);
	probe_ended(&p, CANCELLED, ECANCELED);
	igt_assert_eq_u32(p.mem->report.cmd, 1);
	probe_end(&behind, OK, 0);

	/* What it waited for comes too late, and does no harm */
	probe_release(&p);
	usleep(A_WHILE);
	igt_assert_eq_u32(READ_ONCE(p.mem->ran), 0);
	if (kind == PROBE_FAULTS) {
		igt_assert_eq_u32(*(uint32_t *)p.hole, 0);
		svm_gpu_write32(fd, p.hole, 7);
		igt_assert_eq_u32(*(uint32_t *)p.hole, 7);
	}
	assert_queue_works(fd, queue);
	probe_free(&p);
}

static void cancel_running(int fd)
{
	assert_cancels(fd, PROBE_SPINS);
}

static void cancel_waiting(int fd)
{
	assert_cancels(fd, PROBE_WAITS);
}

static void cancel_faulting(int fd)
{
	assert_cancels(fd, PROBE_FAULTS);
}

/* In its turn, and without a start */
static void cancel_queued(int fd)
{
	uint32_t queue = queue_on_first(fd);
	struct probe first = probe_start(fd, queue, PROBE_WAITS);
	struct probe second = probe_submit(fd, queue, PROBE_RUNS);
	struct probe third = probe_submit(fd, queue, PROBE_RUNS);

	igt_assert_eq(client_cancel_job(fd, second.job, 0), 0);
	svm_assert_pending(fd, second.job);
	igt_assert_eq_u64(svm_fence_value(&second.mem->fence), 0);
	igt_assert_eq(__svm_poll_job(fd, first.job), -ETIME);
	probe_release(&first);
	probe_end(&first, OK, 0);
	probe_ended(&second, CANCELLED, ECANCELED);
	igt_assert_eq_u32(second.mem->report.cmd, 0);
	igt_assert_eq_u32(READ_ONCE(second.mem->started), 0);
	probe_free(&second);
	probe_end(&third, OK, 0);
}

/* It waits for the job of another queue, which stays. The one behind it runs. */
static void cancel_in_sync(int fd)
{
	struct drm_svm_test_sync sync = svm_sync_create(fd, 0), out = svm_sync_create(fd, 0);
	struct svm_hold hold = svm_hold_start(fd, svm_buffer_queue(fd, 0), &sync);
	struct svm_buf buf = svm_buf(fd, svm_page_size(), 0);
	struct drm_svm_test_cmd add = svm_cmd_add64(buf.gpu, 1, 1);
	uint32_t queue = svm_buffer_queue(fd, 0);
	struct drm_svm_test_submit args = svm_submit_synced(queue, &add, 1, &sync, &out);
	uint64_t behind;

	svm_submit_ioctl(fd, &args);
	behind = svm_submit_on(fd, queue, &add, 1);
	svm_assert_pending(fd, args.out_job);
	igt_assert_eq(client_cancel_job(fd, args.out_job, 0), 0);
	svm_wait_failed(fd, args.out_job, CANCELLED, ECANCELED);
	igt_assert_eq(svm_sync_status(fd, &out), -ECANCELED);
	svm_wait_ok(fd, behind);
	igt_assert_eq_u64(READ_ONCE(*buf.cpu), 1);
	igt_assert_eq(svm_sync_status(fd, &sync), 0);
	svm_hold_end(&hold);
	svm_buf_free(&buf);
	svm_sync_destroy(fd, &sync);
	svm_sync_destroy(fd, &out);
}

/* The second call comes at once, when the job may just be about to signal */
static void cancel_twice(int fd)
{
	uint64_t *fence = svm_mmap_small(svm_page_size()), *gate = fence + 8;
	struct drm_svm_test_cmd wait = svm_cmd_wait(gate, 1);
	struct drm_svm_test_submit args = svm_submit_args(&wait, 1);

	svm_gpu_touch(fd, fence, 8, 8, true);
	args.queue = queue_on_first(fd);
	for (uint64_t value = 1; value <= 200; value++) {
		args.signal = svm_fence(fence, value);
		svm_submit_ioctl(fd, &args);
		usleep(value % 4 * 100);
		for (int i = 0; i < 2; i++)
			igt_assert_eq(client_cancel_job(fd, args.out_job, 0), 0);
		svm_wait_failed(fd, args.out_job, CANCELLED, ECANCELED);
		igt_assert_eq_u64(svm_fence_value(fence), value);
	}
	munmap(fence, svm_page_size());
}

/* It has nothing left to do but to signal: for that it waits on, unless it is forced. */
static void cancel_fence_blocked(int fd)
{
	uint64_t *fence = svm_mmap_small(svm_page_size()), job;
	int uffd = svm_uffd_open(fence, svm_page_size());
	uint32_t queue = queue_on_first(fd);
	struct probe behind;

	job = submit_fence_blocked(fd, queue, fence, uffd);
	behind = probe_submit(fd, queue, PROBE_RUNS);
	for (int i = 0; i < 2; i++) {
		igt_assert_eq(client_cancel_job(fd, job, 0), 0);
		svm_assert_pending(fd, job);
	}
	igt_assert_eq(client_cancel_job(fd, job, DRM_SVM_TEST_CANCEL_FORCE), 0);
	svm_wait_failed(fd, job, CANCELLED, ECANCELED);
	probe_end(&behind, OK, 0);
	close(uffd);
	usleep(A_WHILE);
	igt_assert_eq_u64(READ_ONCE(*fence), 0);
	munmap(fence, svm_page_size());
}

/* Forced before it begins, it does not even ask for the page of its fence */
static void cancel_force(int fd)
{
	uint64_t *fence = svm_mmap_small(svm_page_size()), addr;
	int uffd = svm_uffd_open(fence, svm_page_size());
	struct drm_svm_test_submit args = svm_submit_args(NULL, 0);
	uint32_t queue = queue_on_first(fd), force = DRM_SVM_TEST_CANCEL_FORCE;

	args.queue = queue;
	args.signal = svm_fence(fence, 1);
	for (int whole = 0; whole < 2; whole++) {
		struct probe first = probe_start(fd, queue, PROBE_WAITS);

		svm_submit_ioctl(fd, &args);
		if (whole) {
			igt_assert_eq(client_cancel_queue(fd, queue, force), 0);
		} else {
			igt_assert_eq(client_cancel_job(fd, args.out_job, force), 0);
			svm_assert_pending(fd, args.out_job);
			probe_release(&first);
		}
		svm_wait_failed(fd, args.out_job, CANCELLED, ECANCELED);
		igt_assert(!svm_uffd_pending(uffd, 10, &addr));
		svm_wait_failed(fd, first.job, whole ? CANCELLED : OK, whole ? ECANCELED : 0);
		probe_free(&first);
	}
	assert_queue_works(fd, queue);
	close(uffd);
	igt_assert_eq_u64(READ_ONCE(*fence), 0);
	munmap(fence, svm_page_size());
}

/* The page comes after the call */
static void cancel_fence_served(int fd)
{
	uint64_t *fence = svm_mmap_small(svm_page_size()), job;
	void *zeroes = svm_mmap_small(svm_page_size());
	int uffd = svm_uffd_open(fence, svm_page_size());
	struct drm_svm_test_wait result;

	job = submit_fence_blocked(fd, queue_on_first(fd), fence, uffd);
	igt_assert_eq(client_cancel_job(fd, job, 0), 0);
	svm_assert_pending(fd, job);
	svm_uffd_copy(uffd, fence, zeroes);
	igt_assert_eq(client_wait(fd, job, 100 * SEC, &result), 0);
	igt_assert_eq_u64(svm_fence_value(fence), 1);
	close(uffd);
	munmap(zeroes, svm_page_size());
	munmap(fence, svm_page_size());
}

/* All that are there, and none that comes later */
static void cancel_queue(int fd)
{
	uint32_t queue = queue_on_first(fd);
	struct probe there[4], later;

	there[0] = probe_start(fd, queue, PROBE_WAITS);
	for (size_t i = 1; i < ARRAY_SIZE(there); i++)
		there[i] = probe_submit(fd, queue, i % 2 ? PROBE_RUNS : PROBE_SPINS);
	igt_assert_eq(client_cancel_queue(fd, queue, 0), 0);
	later = probe_submit(fd, queue, PROBE_RUNS);
	for (size_t i = 0; i < ARRAY_SIZE(there); i++) {
		probe_ended(&there[i], CANCELLED, ECANCELED);
		igt_assert_eq_u32(READ_ONCE(there[i].mem->started), !i);
		probe_free(&there[i]);
	}
	probe_end(&later, OK, 0);

	/* One that is empty has nothing to lose */
	igt_assert_eq(client_cancel_queue(fd, queue, 0), 0);
	assert_queue_works(fd, queue);
}

/* A job that has ended stays as it is, and the next one is not taken for it */
static void cancel_ended(int fd)
{
	uint32_t queue = queue_on_first(fd);
	struct probe ended = probe_submit(fd, queue, PROBE_RUNS), next;

	igt_assert(svm_until(svm_fence_value(&ended.mem->fence), 30000));
	assert_queue_works(fd, queue);
	next = probe_start(fd, queue, PROBE_WAITS);
	for (int i = 0; i < 3; i++)
		igt_assert_eq(client_cancel_job(fd, ended.job, 0), 0);
	svm_assert_pending(fd, next.job);
	probe_end(&ended, OK, 0);
	probe_release(&next);
	probe_end(&next, OK, 0);
}

static void cancel_invalid(int fd)
{
	uint32_t queue = queue_on_first(fd);
	struct probe p = probe_start(fd, queue, PROBE_WAITS);
	struct drm_svm_test_cancel args;
	int other = svm_open_attached();

	for (int bit = 1; bit < 32; bit++) {
		args = (struct drm_svm_test_cancel) { .job = p.job, .flags = 1u << bit };
		igt_assert_eq(drmIoctl(fd, DRM_IOCTL_SVM_TEST_CANCEL, &args), -1);
		igt_assert_eq(errno, EINVAL);
	}
	args = (struct drm_svm_test_cancel) { .job = p.job, .queue = queue };
	igt_assert_eq(drmIoctl(fd, DRM_IOCTL_SVM_TEST_CANCEL, &args), -1);
	igt_assert_eq(errno, EINVAL);
	igt_assert_eq(client_cancel_job(fd, p.job + 1000, 0), -EBADF);
	igt_assert_eq(client_cancel_job(fd, UINT64_MAX, 0), -EBADF);
	igt_assert_eq(client_cancel_job(fd, p.job | 1ull << 32, 0), -EBADF);
	igt_assert_eq(client_cancel_job(other, p.job, 0), -EBADF);
	igt_assert_eq(client_cancel_queue(fd, queue + 1000, 0), -EBADF);
	igt_assert_eq(client_cancel_queue(fd, UINT32_MAX, 0), -EBADF);
	igt_assert_eq(client_cancel_queue(other, queue, 0), -EBADF);
	igt_fork(child, 1) {
		igt_assert_eq(client_cancel_job(fd, p.job, 0), -EPERM);
		igt_assert_eq(client_cancel_queue(fd, queue, 0), -EPERM);
	}
	igt_waitchildren();
	svm_assert_pending(fd, p.job);
	probe_release(&p);
	probe_end(&p, OK, 0);
	/* Nobody can name a job whose result was fetched */
	igt_assert_eq(client_cancel_job(fd, p.job, 0), -EBADF);
	close(other);
}

/* With so many faults of stopped jobs in flight, SVM_TEST_MAX_ABANDONED, no job is taken */
#define ABANDONED	64

static uint64_t count_waits(int fd)
{
	struct client_counts counts;

	svm_counters(fd, &counts);
	return client_count(&counts, WAITS);
}

/* A job waits for a page that nobody provides, and ends: as it is cancelled, or with its queue */
static void abandon_fault(int fd, void *page, bool cancelled)
{
	uint32_t queue = svm_queue(fd, 0);
	struct drm_svm_test_cmd fill = svm_cmd_fill(page, 4, 6);
	uint64_t waits = count_waits(fd), job = svm_submit_on(fd, queue, &fill, 1);

	/* Until then it may not have come to its page */
	igt_assert(svm_until(count_waits(fd) > waits, 30000));
	if (cancelled)
		igt_assert_eq(client_cancel_job(fd, job, 0), 0);
	else
		svm_queue_destroy(fd, queue);
	svm_wait_failed(fd, job, CANCELLED, ECANCELED);
}

/* Until pages come, with zeroes, in which nobody writes any more */
static void queue_abandoned(int fd)
{
	size_t page = svm_page_size(), size = (ABANDONED + 1) * page;
	struct drm_svm_test_submit args = svm_submit_args(NULL, 0);
	int other = svm_open_attached(), uffd;
	struct drm_svm_test_info info;
	char *area, *zeroes;

	svm_info(fd, &info);
	igt_require(info.out_backend == DRM_SVM_TEST_BACKEND_DRM_SVM);
	area = svm_mmap_small(size);
	zeroes = svm_mmap_small(page);
	uffd = svm_uffd_open(area, size);
	for (int i = 0; i < ABANDONED; i++)
		abandon_fault(fd, area + i * page, i % 2);
	igt_assert_eq(client_submit(fd, &args), -EBUSY);
	args.queue = svm_queue(fd, 1);
	igt_assert_eq(client_submit(fd, &args), -EBUSY);
	svm_assert_works(other);

	/* One page makes room for one fault */
	svm_uffd_copy(uffd, area, zeroes);
	igt_assert(svm_until(!client_submit(fd, &args), 30000));
	abandon_fault(fd, area + ABANDONED * page, true);
	igt_assert_eq(client_submit(fd, &args), -EBUSY);
	close(uffd);
	igt_assert(svm_until(!client_submit(fd, &args), 30000));
	assert_queue_works(fd, args.queue);
	igt_assert(svm_cpu_all32(area, size, 0));
	munmap(zeroes, page);
	munmap(area, size);
	close(other);
}

/* The end of a queue, a file, a process */

static const enum probe_kind stuck_kinds[] = { PROBE_SPINS, PROBE_WAITS, PROBE_FAULTS };

static void destroy_busy(int fd)
{
	for (size_t i = 0; i < ARRAY_SIZE(stuck_kinds); i++) {
		uint32_t queue = queue_on_first(fd), beside = queue_on_first(fd);
		struct probe first = probe_start(fd, queue, stuck_kinds[i]);
		struct probe behind = probe_submit(fd, queue, PROBE_RUNS);
		struct probe other = probe_start(fd, beside, PROBE_WAITS);

		igt_set_timeout(30, "a queue cannot be destroyed");
		svm_queue_destroy(fd, queue);
		igt_reset_timeout();
		probe_dropped(&first);
		probe_dropped(&behind);
		igt_assert_eq_u32(READ_ONCE(behind.mem->started), 0);
		probe_release(&first);
		usleep(A_WHILE);
		igt_assert_eq_u64(svm_fence_value(&first.mem->fence), 0);
		igt_assert_eq_u32(READ_ONCE(first.mem->ran), 0);
		if (first.hole)
			igt_assert_eq_u32(*(uint32_t *)first.hole, 0);
		/* The engine and its other queues are fine */
		probe_release(&other);
		probe_end(&other, OK, 0);
		probe_free(&first);
		probe_free(&behind);
	}
}

struct submitter {
	int fd;
	uint32_t queue;
	uint64_t *word;
	unsigned int accepted;
};

static void *submit_until_gone(void *arg)
{
	struct submitter *s = arg;
	struct drm_svm_test_cmd add = svm_cmd_add64(s->word, 1, 1);
	struct drm_svm_test_submit args = svm_submit_args(&add, 1);
	int err;

	args.queue = s->queue;
	args.flags = DRM_SVM_TEST_SUBMIT_NO_RESULT;
	while ((err = client_submit(s->fd, &args)) != -EBADF) {
		igt_assert(!err || err == -EBUSY);
		s->accepted += !err;
	}
	return NULL;
}

/* Jobs are submitted while the queue goes: when it has gone, none of them runs */
static void destroy_race(int fd)
{
	enum { THREADS = 2 };
	uint64_t *word = svm_mmap_small(svm_page_size());

	for (int round = 0; round < 20; round++) {
		struct submitter s[THREADS];
		pthread_t threads[THREADS];
		uint32_t queue = svm_queue(fd, round);
		uint64_t before = READ_ONCE(*word), after;

		for (int i = 0; i < THREADS; i++) {
			s[i] = (struct submitter) { fd, queue, word };
			igt_assert_eq(pthread_create(&threads[i], NULL, submit_until_gone,
						     &s[i]), 0);
		}
		igt_assert(svm_until(READ_ONCE(*word) != before, 30000));
		svm_queue_destroy(fd, queue);
		after = READ_ONCE(*word);
		for (int i = 0; i < THREADS; i++)
			igt_assert_eq(pthread_join(threads[i], NULL), 0);
		igt_thread_assert_no_failures();
		usleep(A_WHILE);
		igt_assert_eq_u64(READ_ONCE(*word), after);
		igt_assert_lte_u64(after - before, s[0].accepted + s[1].accepted);
	}
	munmap(word, svm_page_size());
}

/* Ten thousand jobs behind some that wait: none of them touches memory after the close */
static void close_10000(void)
{
	enum { JOBS = 10000, QUEUES = 4 };
	uint64_t *gate = svm_mmap_small(svm_page_size()), *word = gate + 8, *fence = gate + 16;
	struct drm_svm_test_cmd add = svm_cmd_add64(word, 1, 1);
	struct drm_svm_test_submit args = svm_submit_args(&add, 1);
	struct drm_svm_test_info info;
	int fd = svm_open_attached();
	uint32_t queues[QUEUES];

	svm_info(fd, &info);
	igt_assert_lte_u32(JOBS + QUEUES, info.out_max_jobs);
	for (int i = 0; i < QUEUES; i++) {
		queues[i] = svm_queue(fd, i);
		svm_submit_waiter(fd, queues[i], gate, 1);
	}
	args.signal = svm_fence(fence, 1);
	args.flags = DRM_SVM_TEST_SUBMIT_NO_RESULT;
	for (int i = 0; i < JOBS; i++) {
		args.queue = queues[i % QUEUES];
		svm_submit_ioctl(fd, &args);
	}
	igt_assert_eq_u64(READ_ONCE(*word), 0);
	igt_set_timeout(60, "close waits for jobs");
	close(fd);
	igt_reset_timeout();
	svm_fence_set(gate, 1);
	usleep(A_WHILE);
	igt_assert_eq_u64(READ_ONCE(*word), 0);
	igt_assert_eq_u64(svm_fence_value(fence), 0);
	munmap(gate, svm_page_size());
}

/* Jobs of all kinds that do not end, and others behind them, in many queues */
static void fill_queues(int fd)
{
	enum { QUEUES = 12, BEHIND = 8 };

	for (unsigned int i = 0; i < QUEUES; i++) {
		uint32_t queue = svm_queue(fd, i);

		probe_start(fd, queue, stuck_kinds[i % ARRAY_SIZE(stuck_kinds)]);
		for (int n = 0; n < BEHIND; n++)
			probe_submit(fd, queue, PROBE_RUNS);
	}
}

static void queue_kill(void)
{
	int ready = svm_gate(), fd;
	pid_t pid = svm_fork();

	if (!pid) {
		fill_queues(svm_open_attached());
		svm_gate_open(ready);
		for (;;)
			pause();
	}
	svm_gate_wait(ready);
	kill(pid, SIGKILL);
	igt_assert_eq(svm_reap(60), 128 + SIGKILL);
	fd = svm_open_attached();
	svm_assert_works(fd);
	close(fd);
	close(ready);
}

/* What is done to the device while queues are full of jobs that wait */

#define CROWD_QUEUES	32
#define CROWD_JOBS	128

struct crowd {
	int fd;
	uint64_t *gate;		/* all wait for 1 */
	uint64_t jobs[CROWD_JOBS];
	int event;		/* each of them signals it */
};

static void crowd_submit(struct crowd *c, int fd)
{
	uint32_t queues[CROWD_QUEUES];
	struct drm_svm_test_submit args;
	struct drm_svm_test_cmd wait;

	*c = (struct crowd) { .fd = fd, .gate = svm_mmap_small(svm_page_size()) };
	c->event = svm_event();
	for (int i = 0; i < CROWD_QUEUES; i++)
		queues[i] = svm_queue(fd, i);
	wait = svm_cmd_wait(c->gate, 1);
	args = svm_submit_args(&wait, 1);
	args.flags = DRM_SVM_TEST_SUBMIT_EVENTFD;
	args.eventfd = c->event;
	for (int i = 0; i < CROWD_JOBS; i++) {
		args.queue = queues[i % CROWD_QUEUES];
		c->jobs[i] = svm_submit_ioctl(fd, &args);
	}
}

static void crowd_pending(struct crowd *c)
{
	usleep(A_WHILE);
	igt_assert(!svm_event_wait(c->event, 1, 0));
}

/* The waits end well */
static void crowd_ok(struct crowd *c)
{
	for (int i = 0; i < CROWD_JOBS; i++)
		svm_wait_ok(c->fd, c->jobs[i]);
	igt_assert(svm_event_wait(c->event, CROWD_JOBS, 30000));
}

static void crowd_free(struct crowd *c)
{
	close(c->event);
	munmap(c->gate, svm_page_size());
}

static void evict_waiting(int fd)
{
	size_t size = 64 * svm_page_size();
	char *base = svm_hw_memory(fd, size, true);
	struct crowd crowd;

	crowd_submit(&crowd, fd);
	for (int i = 0; i < 3; i++) {
		svm_to_vram(fd, base, size);
		igt_set_timeout(60, "an eviction waits for jobs");
		svm_evict_vram(fd);
		igt_reset_timeout();
		crowd_pending(&crowd);
		igt_assert_eq(svm_device_pages(base, size), 0);
		igt_assert(svm_cpu_all32(base, size, SVM_HW_MAGIC));
	}
	svm_fence_set(crowd.gate, 1);
	crowd_ok(&crowd);
	crowd_free(&crowd);
	munmap(base, size);
}

static void suspend_waiting(int fd)
{
	struct crowd crowd;

	crowd_submit(&crowd, fd);
	crowd_pending(&crowd);
	for (int i = 0; i < 3; i++) {
		igt_set_timeout(60, "a suspend waits for jobs");
		svm_hw_write(fd, "suspend", 1);
		igt_reset_timeout();
		igt_assert_eq_u64(svm_hw_resident(fd, "used"), 0);
		/* At last the CPU signals, of which a device without power knows nothing */
		if (i == 2)
			svm_fence_set(crowd.gate, 1);
		crowd_pending(&crowd);
		svm_hw_write(fd, "suspend", 0);
		if (i < 2)
			crowd_pending(&crowd);
	}
	crowd_ok(&crowd);
	crowd_free(&crowd);
}

struct thread_wait {
	int fd, err;
	struct drm_svm_test_fence fence;
};

static void *wait_in_vain(void *arg)
{
	struct thread_wait *t = arg;

	t->err = client_fence_wait(t->fd, &t->fence, 1, 0, 100 * SEC, NULL);
	return NULL;
}

/* Jobs end, and so does a thread that waits; the driver can go */
static void unplug_waiting(enum svm_hw_unplug how)
{
	uint64_t *page = svm_mmap_small(svm_page_size());
	struct thread_wait wait = { .err = 1, .fence = svm_fence(page, 1) };
	struct crowd crowd;
	pthread_t thread;

	svm_module_load("vram_mb=16");
	wait.fd = svm_open_attached();
	crowd_submit(&crowd, wait.fd);
	igt_assert_eq(pthread_create(&thread, NULL, wait_in_vain, &wait), 0);
	crowd_pending(&crowd);
	igt_set_timeout(60, "an unplug waits for jobs");
	svm_hw_unplug(wait.fd, how);
	igt_assert_eq(pthread_join(thread, NULL), 0);
	igt_reset_timeout();
	igt_assert_eq(wait.err, -ENODEV);
	igt_assert(svm_event_wait(crowd.event, CROWD_JOBS, 30000));
	close(wait.fd);
	crowd_free(&crowd);
	svm_module_unload();
	munmap(page, svm_page_size());
}

static void unplug_orderly(void)
{
	unplug_waiting(SVM_HW_ORDERLY);
}

static void unplug_surprise(void)
{
	unplug_waiting(SVM_HW_SURPRISE);
}

/* Address spaces that files share */

static uint64_t vm_of(int fd)
{
	uint64_t vm;

	igt_assert_eq(client_vm(fd, 0, &vm), 0);
	igt_assert_neq_u64(vm, 0);
	return vm;
}

static int join(int fd, uint64_t vm)
{
	uint64_t got = 0;
	int err = client_vm(fd, vm, &got);

	igt_assert(err || got == vm);
	return err;
}

/* A file of the address space of @fd */
static int open_joined(int fd)
{
	int own = svm_open();

	igt_assert_eq(join(own, vm_of(fd)), 0);
	igt_assert_eq_u64(vm_of(own), vm_of(fd));
	return own;
}

/* What the GPU works on is the memory of the process, with no attach of the second file */
static void share_vm(void)
{
	int first = svm_open_attached(), second = open_joined(first);
	size_t size = 16 * svm_page_size();
	uint32_t *area = svm_mmap_small(size);
	struct drm_svm_attach attach = {};
	struct client_counts counts[2];
	struct probe p;

	svm_gpu_fill(second, area, size, 0x5678);
	igt_assert(svm_cpu_all32(area, size, 0x5678));
	igt_assert(svm_prot_all(first, area, size, SVM_RW));
	igt_assert_eq(client_attach(second, &attach), -EEXIST);
	svm_counters(first, &counts[0]);
	svm_counters(second, &counts[1]);
	igt_assert(!memcmp(&counts[0], &counts[1], sizeof(counts[0])));

	/* Queues and jobs are of one file alone */
	p = probe_start(first, queue_on_first(first), PROBE_WAITS);
	igt_assert_eq(__svm_poll_job(second, p.job), -EBADF);
	igt_assert_eq(client_cancel_job(second, p.job, 0), -EBADF);
	svm_assert_pending(first, p.job);
	assert_queue_works(second, 0);
	/* The one that attached can go */
	close(first);
	svm_gpu_fill(second, area, size, 0x9abc);
	igt_assert(svm_cpu_all32(area, size, 0x9abc));
	assert_queue_works(second, queue_on_first(second));
	igt_assert_eq_u64(svm_fence_value(&p.mem->fence), 0);
	close(second);
	probe_free(&p);
	munmap(area, size);
}

/* With the last file the address space goes, and before it a file that came later */
static void share_vm_end(void)
{
	int first = svm_open_attached(), second = open_joined(first), third, late = svm_open();
	uint64_t vm = vm_of(first);

	close(second);
	svm_assert_works(first);
	third = open_joined(first);
	close(first);
	svm_assert_works(third);
	igt_assert_eq(join(late, vm), 0);
	close(third);
	svm_assert_works(late);
	close(late);
	late = svm_open();
	igt_assert_eq(join(late, vm), -EBADF);
	svm_attach(late);
	svm_assert_works(late);
	close(late);
}

static void share_vm_bindings(void)
{
	int first = svm_open_attached(), second = open_joined(first);
	uint64_t size = 4 * svm_page_size(), start = svm_bo_start(first);
	uint32_t handle = svm_bo_create(first, size, 0), other = svm_bo_create(second, size, 0);
	uint32_t *gpu = svm_bo_bind(first, handle, start, size);
	struct drm_svm_test_cmd touch = svm_cmd_touch(gpu, 4, 4, false);

	svm_gpu_fill(second, gpu, size, 0xb1d);
	igt_assert_eq_u32(svm_gpu_read32(first, gpu + 1), 0xb1d);
	/* An address is there once, but handles are of one file */
	igt_assert_eq(client_bo_bind(second, other, start, 0, size), -EEXIST);
	svm_bo_bind(second, other, start + size, size);
	svm_gpu_fill(first, gpu + size / 4, size, 0xb1e);
	close(first);
	igt_assert_eq_u32(svm_gpu_read32(second, gpu + 2), 0xb1d);
	igt_assert_eq_u32(svm_gpu_read32(second, gpu + size / 4), 0xb1e);
	svm_bo_unbind(second, gpu, size);
	svm_run_faults(second, &touch, ENOENT, start);
	close(second);
}

/* A fault outlives the file of its job, when another file keeps the address space */
static void share_vm_close_faulting(void)
{
	int first = svm_open_attached(), second = open_joined(first);
	struct probe p = probe_start(second, svm_queue(second, 0), PROBE_FAULTS);

	igt_set_timeout(30, "close waits for a fault that nobody answers");
	close(second);
	igt_reset_timeout();
	svm_assert_works(first);
	probe_release(&p);
	usleep(A_WHILE);
	igt_assert_eq_u32(*(uint32_t *)p.hole, 0);
	svm_gpu_write32(first, p.hole, 8);
	igt_assert_eq_u32(*(uint32_t *)p.hole, 8);
	igt_assert_eq_u64(svm_fence_value(&p.mem->fence), 0);
	close(first);
	probe_free(&p);
}

static void share_vm_flags(int fd)
{
	for (int bit = 0; bit < 64; bit++) {
		struct drm_svm_test_vm args = {
			.flags = bit < 32 ? 1u << bit : 0,
			.pad = bit < 32 ? 0 : 1u << (bit - 32),
		};

		igt_assert_eq(drmIoctl(fd, DRM_IOCTL_SVM_TEST_VM, &args), -1);
		igt_assert_eq(errno, EINVAL);
	}
}

static void share_vm_invalid(void)
{
	int fd = svm_open_attached(), third = svm_open_attached();
	int own = svm_open(), other = svm_open();
	uint64_t vm = vm_of(fd), before = vm_of(own);

	share_vm_flags(own);
	igt_assert_eq(join(own, 0xdeadbeef), -EBADF);
	igt_assert_eq(join(own, UINT64_MAX), -EBADF);
	igt_assert_eq(join(own, before), -ENXIO);
	igt_assert_eq(join(own, vm_of(other)), -ENXIO);
	igt_assert_eq_u64(vm_of(own), before);
	igt_assert_eq(join(fd, vm), 0);
	igt_assert_eq(join(third, vm), -EEXIST);

	/* Once and for all; what it had before is gone */
	igt_assert_eq(join(own, vm), 0);
	igt_assert_eq(join(own, vm), 0);
	igt_assert_eq(join(own, vm_of(third)), -EEXIST);
	igt_assert_eq(join(other, before), -EBADF);
	igt_assert_eq_u64(vm_of(own), vm);
	svm_assert_works(own);
	close(other);
	close(own);
	close(third);
	close(fd);
}

/* A binding, while it is there, belongs to an address space that is not given up */
static void share_vm_bound(void)
{
	int fd = svm_open_attached(), own = svm_open();
	uint64_t size = svm_page_size(), start = svm_bo_start(own);
	uint32_t *gpu = svm_bo_bind(own, svm_bo_create(own, size, 0), start, size);

	igt_assert_eq(join(own, vm_of(fd)), -EEXIST);
	svm_bo_unbind(own, gpu, size);
	igt_assert_eq(join(own, vm_of(fd)), 0);
	svm_assert_works(own);
	close(own);
	close(fd);
}

/* The memory of another process */
static void share_vm_foreign(void)
{
	int fd = svm_open_attached(), own = svm_open();
	uint64_t vm = vm_of(fd);

	igt_fork(child, 1) {
		uint64_t got;
		int err;

		igt_assert_eq(client_vm(fd, 0, &got), -EPERM);
		err = join(own, vm);
		igt_assert(err == -EPERM || err == -EBADF);
		svm_attach(own);
		svm_assert_works(own);
	}
	igt_waitchildren();
	svm_assert_works(fd);
	close(own);
	close(fd);
}

struct joiner {
	uint64_t vm;
	bool may_end;	/* the files that have the address space may all be closed */
	unsigned int joined;
};

static void *join_and_close(void *arg)
{
	struct joiner *j = arg;

	for (int i = 0; i < 30; i++) {
		int fd = __svm_open(0), err;

		igt_assert_lte(0, fd);
		err = join(fd, j->vm);
		if (!err) {
			svm_assert_works(fd);
			j->joined++;
		} else {
			igt_assert(READ_ONCE(j->may_end) && err == -EBADF);
		}
		close(fd);
	}
	return NULL;
}

/* Files come and go, and then also the one that has attached, while its jobs run */
static void share_vm_close_race(void)
{
	enum { THREADS = 3 };
	int fd = svm_open_attached();
	struct joiner joiners[THREADS];
	pthread_t threads[THREADS];
	struct svm_spin spin;

	for (int i = 0; i < THREADS; i++)
		joiners[i] = (struct joiner) { .vm = vm_of(fd) };
	svm_spin_start(&spin, fd, 0);
	svm_threads(THREADS, join_and_close, joiners, sizeof(joiners[0]));
	for (int i = 0; i < THREADS; i++) {
		igt_assert_eq(joiners[i].joined, 30);
		joiners[i].may_end = true;
	}
	for (int i = 0; i < THREADS; i++)
		igt_assert_eq(pthread_create(&threads[i], NULL, join_and_close,
					     &joiners[i]), 0);
	usleep(A_WHILE);
	close(fd);
	for (int i = 0; i < THREADS; i++)
		igt_assert_eq(pthread_join(threads[i], NULL), 0);
	igt_thread_assert_no_failures();
	svm_spin_free(&spin);
}

static const struct svm_case cases[] = {
	{ "create-invalid", "Unknown flags, engines, classes and priorities are refused.",
	  create_invalid },
	{ "destroy-invalid", "Unknown queues and those of the engines stay as they are.",
	  destroy_invalid },
	{ "many-queues", "A file can have queues up to a limit, and uses each.", many_queues },
	{ "order", "Jobs of a queue run in order, those of another one beside them.",
	  queue_order },
	{ "priority", "A queue of higher priority comes first.", queue_priority },
	{ "priority-starved", "A queue of lower priority gets a turn now and then.",
	  priority_starved },
	{ "time-limit", "A job that runs for too long is stopped.", time_limit },
	{ "time-limit-wait", "So is one that waits for a fence.", time_limit_wait },
	{ "time-limit-uffd", "So is one that waits for a page.", time_limit_uffd },
	{ "time-limit-fence", "So is one that waits for the page of its fence.",
	  time_limit_fence },
	{ "cancel-running", "A job that runs is cancelled.", cancel_running },
	{ "cancel-queued", "A job that is queued is cancelled in its turn.", cancel_queued },
	{ "cancel-waiting", "A job that waits for a fence is cancelled.", cancel_waiting },
	{ "cancel-faulting", "A job that waits for a page is cancelled.", cancel_faulting },
	{ "cancel-in-sync", "A job that waits for a syncobj is cancelled.", cancel_in_sync },
	{ "cancel-twice", "Two calls in a row cost no job its fence.", cancel_twice },
	{ "cancel-fence-blocked", "A job that waits for the page of its fence is forced to end.",
	  cancel_fence_blocked },
	{ "cancel-force", "A job is forced to end before it begins.", cancel_force },
	{ "cancel-fence-served", "A job that is cancelled signals when it can.",
	  cancel_fence_served },
	{ "cancel-queue", "All jobs of a queue are cancelled.", cancel_queue },
	{ "cancel-ended", "A job that has ended cannot be cancelled any more.", cancel_ended },
	{ "cancel-invalid", "Unknown jobs and queues are refused.", cancel_invalid },
	{ "abandoned", "No job is taken while many faults of stopped ones are not answered.",
	  queue_abandoned },
	{ "destroy-busy", "A queue is destroyed whatever its jobs do.", destroy_busy },
	{ "destroy-race", "A queue is destroyed while jobs are submitted.", destroy_race },
};

static const struct svm_test tests[] = {
	{ "create-before-attach", "A queue can be made before the attach.",
	  create_before_attach },
	{ "close-10000", "A file is closed with ten thousand jobs.", close_10000 },
	{ "kill", "A process is killed with queues full of jobs.", queue_kill },
	{ "share-vm", "A file works in the address space of another one.", share_vm },
	{ "share-vm-end", "An address space stays as long as one of its files.", share_vm_end },
	{ "share-vm-bindings", "Files of an address space have the same bindings.",
	  share_vm_bindings },
	{ "share-vm-close-faulting", "A file is closed whose fault nobody answers.",
	  share_vm_close_faulting },
	{ "share-vm-invalid", "Address spaces that cannot be used are refused.",
	  share_vm_invalid },
	{ "share-vm-bound", "A file that has something bound keeps its address space.",
	  share_vm_bound },
	{ "share-vm-foreign", "The address space of another process is refused.",
	  share_vm_foreign },
	{ "share-vm-close-race", "Files join an address space and are closed meanwhile.",
	  share_vm_close_race },
	{ "unplug-waiting", "The device goes in an orderly way while jobs wait.",
	  unplug_orderly },
	{ "unplug-waiting-gone", "The device is gone while jobs wait.", unplug_surprise },
};

static const struct svm_case vram_cases[] = {
	{ "evict-waiting", "VRAM is evicted while jobs wait.", evict_waiting },
	{ "suspend-waiting", "The device is suspended while jobs wait.", suspend_waiting },
};

int igt_main()
{
	igt_fixture()
		close(svm_open());

	svm_cases(cases);
	svm_tests(tests);
	svm_cases_of(vram_cases, svm_open_vram);

	igt_fixture() {
		svm_close_leaked();
		svm_module_reset();
	}
}
