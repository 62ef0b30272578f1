// SPDX-License-Identifier: MIT
/*
 * TEST: svm submit
 * Category: Core
 * Description: Submission, syncobjs, waiting and results.
 */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <xf86drm.h>

#include "igt.h"
#include "svm_job.h"
#include "svm_mem.h"

IGT_TEST_DESCRIPTION("Submission, syncobjs, waiting and results.");

#define KERNEL_ADDR	0xffff888000000000ull
#define NON_CANONICAL	0x8000000000000000ull

/* A job that says by one word whether it ran */
struct probe {
	uint32_t *word;
	struct drm_svm_test_cmd cmd;
	struct drm_svm_test_submit args;
};

static void probe_init(struct probe *probe)
{
	probe->word = svm_mmap_anon(svm_page_size());
	probe->cmd = svm_cmd_add32(probe->word, 1, 1);
	probe->args = svm_submit_args(&probe->cmd, 1);
}

static void probe_fini(struct probe *probe)
{
	munmap(probe->word, svm_page_size());
}

/* Refused, with no trace: the job did not run, and a good one still does */
static void assert_refused(int fd, struct probe *probe,
			   struct drm_svm_test_submit *bad, int err, const char *what)
{
	uint32_t before = READ_ONCE(*probe->word);
	int ret = client_submit(fd, bad);

	igt_assert_f(ret == err, "%s: %d, not %d\n", what, ret, err);
	svm_wait_ok(fd, svm_submit_ioctl(fd, &probe->args));
	igt_assert_eq_u32(READ_ONCE(*probe->word), before + 1);
}

/* All is good in @good, but for one field */
#define REFUSED_OF(good, field, value, err) \
	do { \
		struct drm_svm_test_submit bad_ = (good); \
		bad_.field = (value); \
		assert_refused(fd, &probe, &bad_, err, #field " = " #value); \
	} while (0)
#define REFUSED(field, value, err)	REFUSED_OF(probe.args, field, value, err)

static void submit_invalid(int fd)
{
	struct drm_svm_test_info info;
	struct probe probe;

	svm_info(fd, &info);
	probe_init(&probe);
	for (int bit = 2; bit < 32; bit++)
		REFUSED(flags, 1u << bit, -EINVAL);
	for (int bit = 0; bit < 32; bit++)
		REFUSED(eventfd, 1u << bit, -EINVAL);
	REFUSED(queue, info.out_engines, -EBADF);
	REFUSED(queue, 0xfffffffe, -EBADF);
	REFUSED(queue, 0x80000000, -EBADF);
	probe_fini(&probe);
}

static void huge_counts(int fd)
{
	const struct drm_svm_test_submit synced =
		svm_submit_synced(svm_buffer_queue(fd, 0), NULL, 0, NULL, NULL);
	struct drm_svm_test_info info;
	struct probe probe;

	svm_info(fd, &info);
	probe_init(&probe);
	REFUSED(num_cmds, info.out_max_cmds + 1, -EINVAL);
	REFUSED(num_cmds, 0x80000000, -EINVAL);
	REFUSED(num_cmds, ~0u, -EINVAL);
	/* A count that is within the limit is not what is wrong */
	REFUSED_OF(synced, num_in_syncs, info.out_max_syncs, -EFAULT);
	REFUSED_OF(synced, num_in_syncs, info.out_max_syncs + 1, -EINVAL);
	REFUSED_OF(synced, num_in_syncs, 0x10000001, -EINVAL);
	REFUSED_OF(synced, num_in_syncs, ~0u, -EINVAL);
	REFUSED_OF(synced, num_out_syncs, info.out_max_syncs, -EFAULT);
	REFUSED_OF(synced, num_out_syncs, info.out_max_syncs + 1, -EINVAL);
	REFUSED_OF(synced, num_out_syncs, 0x10000001, -EINVAL);
	REFUSED_OF(synced, num_out_syncs, ~0u, -EINVAL);
	probe_fini(&probe);
}

static void submit_pointers(int fd)
{
	size_t page = svm_page_size();
	uint8_t *map = svm_mmap_anon(2 * page);
	uint64_t bad[] = {
		0, 8, client_ptr(map + page), client_ptr(map + page) - 8,
		KERNEL_ADDR, NON_CANONICAL, -(uint64_t)page,
	};
	const struct drm_svm_test_submit none =
		svm_submit_synced(svm_buffer_queue(fd, 0), NULL, 0, NULL, NULL);
	struct drm_svm_test_submit cmds = none, in = none, out = none;
	struct probe probe;

	igt_assert_eq(mprotect(map + page, page, PROT_NONE), 0);
	probe_init(&probe);
	cmds.num_cmds = 1;
	in.num_in_syncs = 1;
	out.num_out_syncs = 1;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		REFUSED(cmds, bad[i], -EFAULT);
		REFUSED_OF(cmds, cmds, bad[i], -EFAULT);
		REFUSED_OF(in, in_syncs, bad[i], -EFAULT);
		REFUSED_OF(out, out_syncs, bad[i], -EFAULT);
	}
	probe_fini(&probe);
	munmap(map, 2 * page);
}

static void submit_lengths(int fd)
{
	unsigned long request = DRM_IOCTL_SVM_TEST_SUBMIT & ~(_IOC_SIZEMASK << _IOC_SIZESHIFT);
	struct { struct drm_svm_test_submit args; uint64_t more; } longer = { .more = ~0ull };
	struct probe probe;

	probe_init(&probe);
	/* Without syncs, flags and the number of the job */
	igt_assert_eq(ioctl(fd, request | 16ul << _IOC_SIZESHIFT, &probe.args), 0);
	igt_assert_eq_u64(probe.args.out_job, 0);
	igt_assert(svm_until(READ_ONCE(*probe.word) == 1, 10000));

	longer.args = probe.args;
	igt_assert_eq(ioctl(fd, request | sizeof(longer) << _IOC_SIZESHIFT, &longer), 0);
	igt_assert_eq_u64(longer.more, ~0ull);
	svm_wait_ok(fd, longer.args.out_job);
	igt_assert_eq_u32(READ_ONCE(*probe.word), 2);

	/* Without the number of commands */
	igt_assert_eq(ioctl(fd, request | 8ul << _IOC_SIZESHIFT, &probe.args), -1);
	igt_assert_eq(errno, EINVAL);
	probe_fini(&probe);
}

/* The most commands of a job, in order */
static void max_cmds(int fd)
{
	struct drm_svm_test_info info;
	struct drm_svm_test_wait result;
	struct drm_svm_test_cmd *cmds;
	uint64_t *word = svm_mmap_anon(svm_page_size());

	svm_info(fd, &info);
	cmds = calloc(info.out_max_cmds, sizeof(*cmds));
	igt_assert(cmds);
	for (uint32_t i = 0; i < info.out_max_cmds; i++) {
		cmds[i] = (struct drm_svm_test_cmd) {
			.op = DRM_SVM_TEST_OP_ATOMIC_CMPXCHG,
			.flags = DRM_SVM_TEST_CMD_64,
			.dst = client_ptr(word), .arg0 = i, .arg1 = i + 1,
		};
	}
	svm_wait(fd, svm_submit(fd, cmds, info.out_max_cmds), &result);
	igt_assert_eq_u32(result.out_status, DRM_SVM_TEST_STATUS_OK);
	igt_assert_eq_u32(result.out_cmd, info.out_max_cmds);
	igt_assert_eq_u64(READ_ONCE(*word), info.out_max_cmds);
	free(cmds);
	munmap(word, svm_page_size());
}

/* The kernel copied the commands: changing them later changes nothing */
static void commands_copied(int fd)
{
	struct svm_spin spin;
	struct probe probe;
	uint64_t job;

	probe_init(&probe);
	svm_spin_start(&spin, fd, 0);
	probe.args.queue = 0;
	job = svm_submit_ioctl(fd, &probe.args);
	memset(&probe.cmd, 0xff, sizeof(probe.cmd));
	svm_spin_stop(&spin);
	svm_wait_ok(fd, job);
	igt_assert_eq_u32(READ_ONCE(*probe.word), 1);
	probe_fini(&probe);
}

/* Jobs of an engine run in order; other engines go on meanwhile */
static void submit_order(int fd)
{
	struct drm_svm_test_info info;
	struct svm_spin spin;
	struct probe probe;
	uint64_t jobs[2];

	svm_info(fd, &info);
	probe_init(&probe);
	svm_spin_start(&spin, fd, 0);
	for (int i = 0; i < 2; i++)
		jobs[i] = svm_submit_on(fd, 0, &probe.cmd, 1);
	if (info.out_engines > 1) {
		svm_wait_ok(fd, svm_submit_on(fd, 1, &probe.cmd, 1));
		igt_assert_eq_u32(READ_ONCE(*probe.word), 1);
	}
	igt_assert_eq(__svm_poll_job(fd, jobs[0]), -ETIME);
	igt_assert_eq(__svm_poll_job(fd, jobs[1]), -ETIME);
	svm_spin_stop(&spin);
	svm_wait_ok(fd, jobs[1]);
	igt_assert_eq(__svm_poll_job(fd, jobs[0]), 0);
	probe_fini(&probe);
}

/* Waiting */

static void wait_invalid(int fd)
{
	struct probe probe;
	uint64_t job;
	int other = svm_open_attached();

	probe_init(&probe);
	job = svm_submit_ioctl(fd, &probe.args);
	for (int bit = 0; bit < 32; bit++) {
		struct drm_svm_test_wait args = { .job = job, .flags = 1u << bit };

		igt_assert_eq(drmIoctl(fd, DRM_IOCTL_SVM_TEST_WAIT, &args), -1);
		igt_assert_eq(errno, EINVAL);
	}
	igt_assert_eq(__svm_poll_job(fd, 0), -EBADF);
	igt_assert_eq(__svm_poll_job(fd, job + 1000), -EBADF);
	igt_assert_eq(__svm_poll_job(fd, ~0ull), -EBADF);
	igt_assert_eq(__svm_poll_job(fd, job | 1ull << 32), -EBADF);
	igt_assert_eq(__svm_poll_job(other, job), -EBADF);
	svm_wait_ok(fd, job);
	close(other);
	probe_fini(&probe);
}

static void wait_time(int fd)
{
	static const int64_t past[] = { 0, -1, INT64_MIN, 1 };
	struct svm_spin spin;
	struct drm_svm_test_wait result;

	svm_spin_start(&spin, fd, DRM_SVM_TEST_QUEUE_ANY);
	for (size_t i = 0; i < ARRAY_SIZE(past); i++) {
		struct drm_svm_test_wait args = { .job = spin.job, .timeout = past[i] };

		igt_assert_eq(drmIoctl(fd, DRM_IOCTL_SVM_TEST_WAIT, &args), -1);
		igt_assert_eq(errno, ETIME);
	}
	igt_assert_eq(client_wait(fd, spin.job, NSEC_PER_SEC / 20, &result), -ETIME);
	svm_spin_release(&spin);

	/* The longest time there is, and then the result is gone */
	memset(&result, 0xff, sizeof(result));
	result.job = spin.job;
	result.timeout = INT64_MAX;
	result.flags = 0;
	igt_assert_eq(drmIoctl(fd, DRM_IOCTL_SVM_TEST_WAIT, &result), 0);
	igt_assert_eq_u32(result.out_status, DRM_SVM_TEST_STATUS_OK);
	igt_assert_eq_u32(result.out_errno, 0);
	igt_assert_eq_u32(result.out_cmd, 2);
	igt_assert_eq_u64(result.out_addr, 0);
	igt_assert_eq(__svm_poll_job(fd, spin.job), -EBADF);
	svm_spin_free(&spin);
}

struct waiter {
	int fd, err;
	uint64_t job;
};

static void *waiter_thread(void *arg)
{
	struct waiter *waiter = arg;
	struct drm_svm_test_wait result;

	waiter->err = client_wait(waiter->fd, waiter->job, 30ll * NSEC_PER_SEC, &result);
	return NULL;
}

static void *release_thread(void *arg)
{
	usleep(20000);
	svm_spin_release(arg);
	return NULL;
}

static void wait_once(int fd)
{
	struct waiter waiters[4];
	struct svm_spin spin;
	pthread_t release;
	int won = 0;

	svm_spin_start(&spin, fd, 0);
	igt_assert_eq(pthread_create(&release, NULL, release_thread, &spin), 0);
	for (int i = 0; i < 4; i++)
		waiters[i] = (struct waiter) { fd, 1, spin.job };
	svm_threads(4, waiter_thread, waiters, sizeof(waiters[0]));
	pthread_join(release, NULL);
	for (int i = 0; i < 4; i++) {
		won += !waiters[i].err;
		igt_assert(!waiters[i].err || waiters[i].err == -EBADF);
	}
	igt_assert_eq(won, 1);
	svm_spin_free(&spin);
}

static void wait_signals(int fd)
{
	struct drm_svm_test_wait result;
	struct svm_spin spin;

	svm_spin_start(&spin, fd, 0);
	for (int restart = 0; restart < 2; restart++) {
		svm_alarms(restart, 3000);
		igt_assert_eq(client_wait(fd, spin.job, NSEC_PER_SEC / 10, &result), -ETIME);
		svm_alarms(restart, 0);
	}
	signal(SIGALRM, SIG_DFL);
	svm_spin_stop(&spin);
}

/* Few jobs, so that it is soon that there is no room for more */
static int open_few_jobs(void)
{
	svm_module_load("max_jobs=200");
	return svm_open_attached();
}

static void result_cap(int fd)
{
	struct drm_svm_test_info info;
	struct drm_svm_test_cmd nop = { .op = DRM_SVM_TEST_OP_TIMESTAMP };
	struct drm_svm_test_submit args = svm_submit_args(&nop, 1);
	uint64_t *jobs;

	svm_info(fd, &info);
	jobs = calloc(info.out_max_jobs, sizeof(*jobs));
	igt_assert(jobs);
	for (uint32_t i = 0; i < info.out_max_jobs; i++)
		jobs[i] = svm_submit_ioctl(fd, &args);
	igt_assert_eq(client_submit(fd, &args), -EBUSY);
	svm_wait_ok(fd, jobs[0]);
	jobs[0] = svm_submit_ioctl(fd, &args);
	igt_assert_eq(client_submit(fd, &args), -EBUSY);
	for (uint32_t i = 0; i < info.out_max_jobs; i++)
		svm_wait_ok(fd, jobs[i]);
	free(jobs);
}

static void no_result(int fd)
{
	struct drm_svm_test_info info;
	struct probe probe;
	struct svm_spin spin;

	svm_info(fd, &info);
	probe_init(&probe);
	probe.args.flags = DRM_SVM_TEST_SUBMIT_NO_RESULT;
	probe.args.queue = 0;
	for (uint32_t i = 0; i < info.out_max_jobs + 3; i++) {
		int err;

		/* Those that did not end yet count */
		igt_assert(svm_until((err = client_submit(fd, &probe.args)) != -EBUSY, 20000));
		igt_assert_eq(err, 0);
	}
	igt_assert(svm_until(READ_ONCE(*probe.word) == info.out_max_jobs + 3, 20000));

	/* Neither a running one nor one that is over can be waited for */
	svm_spin_start(&spin, fd, 0);
	igt_assert_eq(client_submit(fd, &probe.args), 0);
	igt_assert_eq(__svm_poll_job(fd, probe.args.out_job), -EBADF);
	svm_spin_stop(&spin);
	igt_assert(svm_until(READ_ONCE(*probe.word) == info.out_max_jobs + 4, 10000));
	igt_assert_eq(__svm_poll_job(fd, probe.args.out_job), -EBADF);
	probe_fini(&probe);
}

/* Jobs whose result nobody wants are limited as well, until they end */
static void no_result_cap(int fd)
{
	struct drm_svm_test_info info;
	struct probe probe;
	struct svm_spin spin;

	svm_info(fd, &info);
	probe_init(&probe);
	svm_spin_start(&spin, fd, 0);
	probe.args.flags = DRM_SVM_TEST_SUBMIT_NO_RESULT;
	probe.args.queue = 0;
	for (uint32_t i = 1; i < info.out_max_jobs; i++)
		igt_assert_eq(client_submit(fd, &probe.args), 0);
	igt_assert_eq(client_submit(fd, &probe.args), -EBUSY);
	svm_spin_stop(&spin);
	igt_assert(svm_until(READ_ONCE(*probe.word) == info.out_max_jobs - 1, 20000));
	igt_assert_eq(client_submit(fd, &probe.args), 0);
	probe_fini(&probe);
}

/* A pile of queued jobs, and a close: none may run afterwards, none may leak */
static void close_queued(int fd)
{
	int own = svm_open_attached();
	struct svm_spin spin;
	struct probe probe;

	probe_init(&probe);
	svm_spin_start(&spin, own, 0);
	probe.args.queue = 0;
	for (int i = 0; i < 16; i++)
		svm_submit_ioctl(own, &probe.args);
	close(own);
	svm_wait_ok(fd, svm_submit_on(fd, 0, &(struct drm_svm_test_cmd) {
		.op = DRM_SVM_TEST_OP_TIMESTAMP }, 1));
	igt_assert_eq_u32(READ_ONCE(*probe.word), 0);
	svm_spin_free(&spin);
	probe_fini(&probe);
}

static const struct svm_case cases[] = {
	{ "invalid", "Unknown flags and queues are refused.", submit_invalid },
	{ "huge-counts", "Counts beyond the limits are refused, up to the largest number.",
	  huge_counts },
	{ "pointers", "Arrays that cannot be read fail with EFAULT.", submit_pointers },
	{ "lengths", "A shorter or longer structure works as DRM defines it.", submit_lengths },
	{ "max-cmds", "A job of the most commands runs all of them in order.", max_cmds },
	{ "commands-copied", "Commands that change after the submission are not seen.",
	  commands_copied },
	{ "order", "An engine runs the jobs of a file in order, and engines run side by side.",
	  submit_order },
	{ "wait-invalid",
	  "Unknown jobs and flags are refused; a result stays until it is fetched.",
	  wait_invalid },
	{ "wait-time", "A wait times out, can be repeated, and fetches a result once.",
	  wait_time },
	{ "wait-once", "Of several waiters exactly one fetches the result.", wait_once },
	{ "wait-signals", "A wait that signals interrupt can be restarted and still times out.",
	  wait_signals },
	{ "close-queued", "Closing a file cancels what it has queued.", close_queued },
};

static const struct svm_case few_jobs_cases[] = {
	{ "result-cap", "The number of results that nobody fetches is limited.", result_cap },
	{ "no-result",
	  "Jobs without a result are forgotten when they end and cannot be waited for.",
	  no_result },
	{ "no-result-cap",
	  "The number of jobs that did not end is limited, whoever wants their results.",
	  no_result_cap },
};

int igt_main()
{
	igt_fixture()
		close(svm_open());

	svm_cases(cases);
	svm_cases_of(few_jobs_cases, open_few_jobs);
	igt_fixture()
		svm_module_reset();
}
