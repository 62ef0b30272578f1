// SPDX-License-Identifier: MIT
/*
 * TEST: svm sync
 * Category: Core
 * Description: Jobs wait for syncobjs and signal them, with success and with errors.
 */

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <xf86drm.h>

#include "igt.h"
#include "svm_job.h"
#include "svm_mem.h"

IGT_TEST_DESCRIPTION("Jobs wait for syncobjs and signal them, with success and with errors.");

static struct drm_svm_test_submit with_syncs(const struct drm_svm_test_cmd *cmd,
					     const struct drm_svm_sync *in,
					     const struct drm_svm_sync *out)
{
	struct drm_svm_test_submit args = svm_submit_args(cmd, 1);

	args.in_syncs = client_ptr(in);
	args.num_in_syncs = !!in;
	args.out_syncs = client_ptr(out);
	args.num_out_syncs = !!out;
	return args;
}

static int other_engine(int fd)
{
	struct drm_svm_test_info info;

	svm_info(fd, &info);
	return info.out_engines - 1;
}

/* @point 0: binary. The sync is pending while the job runs, and then done. */
static void sync_out(int fd, uint64_t point)
{
	struct drm_svm_sync sync = svm_sync_create(fd, point);
	uint32_t *word = svm_mmap_anon(svm_page_size());
	struct drm_svm_test_cmd cmd = svm_cmd_add32(word, 1, 1);
	struct drm_svm_test_submit args = with_syncs(&cmd, NULL, &sync);
	struct svm_spin spin;

	svm_spin_start(&spin, fd, 0);
	args.queue = 0;
	svm_submit_ioctl(fd, &args);
	igt_assert(!svm_sync_wait(fd, &sync, 1));
	igt_assert_eq(svm_sync_status(fd, &sync), 0);
	svm_spin_stop(&spin);
	igt_assert(svm_sync_wait(fd, &sync, 30000));
	igt_assert_eq_u32(READ_ONCE(*word), 1);
	igt_assert_eq(svm_sync_status(fd, &sync), 1);
	svm_wait_ok(fd, args.out_job);
	svm_sync_destroy(fd, &sync);
	munmap(word, svm_page_size());
}

/* A job on one engine waits for a job on another */
static void sync_in(int fd, uint64_t point)
{
	struct drm_svm_sync sync = svm_sync_create(fd, point);
	uint32_t *word = svm_mmap_anon(svm_page_size());
	struct drm_svm_test_cmd first = svm_cmd_fill(word, 4, 1);
	struct drm_svm_test_cmd second = svm_cmd_add32(word, 10, 1);
	struct drm_svm_test_submit a = with_syncs(&first, NULL, &sync);
	struct drm_svm_test_submit b = with_syncs(&second, &sync, NULL);
	struct svm_spin spin;

	a.queue = 0;
	b.queue = other_engine(fd);
	svm_spin_start(&spin, fd, 0);
	svm_submit_ioctl(fd, &a);
	svm_submit_ioctl(fd, &b);
	igt_assert_eq(__svm_poll_job(fd, b.out_job), -ETIME);
	igt_assert_eq_u32(READ_ONCE(*word), 0);
	svm_spin_stop(&spin);
	svm_wait_ok(fd, b.out_job);
	igt_assert_eq_u32(READ_ONCE(*word), 11);
	svm_wait_ok(fd, a.out_job);
	svm_sync_destroy(fd, &sync);
	munmap(word, svm_page_size());
}

/* Jobs on alternating engines, tied by one timeline, in the order of its points */
static void sync_chain(int fd)
{
	struct drm_svm_sync sync = svm_sync_create(fd, 1);
	uint64_t *word = svm_mmap_anon(svm_page_size());
	int engines = other_engine(fd) + 1;
	uint64_t jobs[20];

	for (int i = 0; i < 20; i++) {
		struct drm_svm_sync in = sync, out = sync;
		struct drm_svm_test_cmd cmd = {
			.op = DRM_SVM_TEST_OP_ATOMIC_CMPXCHG,
			.flags = DRM_SVM_TEST_CMD_64,
			.dst = client_ptr(word), .arg0 = i, .arg1 = i + 1,
		};
		struct drm_svm_test_submit args;

		in.point = i * 10;
		out.point = (i + 1) * 10;
		args = with_syncs(&cmd, i ? &in : NULL, &out);
		args.queue = i % engines;
		jobs[i] = svm_submit_ioctl(fd, &args);
	}
	for (int i = 0; i < 20; i++)
		svm_wait_ok(fd, jobs[i]);
	igt_assert_eq_u64(READ_ONCE(*word), 20);
	svm_sync_destroy(fd, &sync);
	munmap(word, svm_page_size());
}

/* The most syncs, both ways, binary and timeline mixed */
static void sync_many(int fd)
{
	struct drm_svm_test_info info;
	struct drm_svm_sync *syncs;
	struct drm_svm_test_cmd nop = { .op = DRM_SVM_TEST_OP_TIMESTAMP };
	struct drm_svm_test_submit args = svm_submit_args(&nop, 1);
	uint64_t job;

	svm_info(fd, &info);
	syncs = calloc(info.out_max_syncs, sizeof(*syncs));
	igt_assert(syncs);
	for (uint32_t i = 0; i < info.out_max_syncs; i++)
		syncs[i] = svm_sync_create(fd, i % 2 * (i + 7));
	args.out_syncs = client_ptr(syncs);
	args.num_out_syncs = info.out_max_syncs;
	job = svm_submit_ioctl(fd, &args);
	args.in_syncs = args.out_syncs;
	args.num_in_syncs = args.num_out_syncs;
	args.num_out_syncs = 0;
	svm_wait_ok(fd, svm_submit_ioctl(fd, &args));
	svm_wait_ok(fd, job);
	for (uint32_t i = 0; i < info.out_max_syncs; i++) {
		igt_assert_eq(svm_sync_status(fd, &syncs[i]), 1);
		svm_sync_destroy(fd, &syncs[i]);
	}
	free(syncs);
}

/* A failed job signals its error; what depends on it does not run */
static void sync_error(int fd, uint64_t point)
{
	struct drm_svm_sync first = svm_sync_create(fd, point);
	struct drm_svm_sync second = svm_sync_create(fd, point);
	uint32_t *word = svm_mmap_anon(svm_page_size());
	uint8_t *hole = svm_mmap_anon(svm_page_size());
	struct drm_svm_test_cmd bad = svm_cmd_fill(hole, 4, 1);
	struct drm_svm_test_cmd good = svm_cmd_fill(word, 4, 1);
	struct drm_svm_test_submit a = with_syncs(&bad, NULL, &first);
	struct drm_svm_test_submit b = with_syncs(&good, &first, &second);
	struct drm_svm_test_submit c = with_syncs(&good, &second, NULL);
	struct drm_svm_test_wait result;

	munmap(hole, svm_page_size());
	svm_submit_ioctl(fd, &a);
	svm_submit_ioctl(fd, &b);
	svm_submit_ioctl(fd, &c);
	svm_wait_failed(fd, a.out_job, DRM_SVM_TEST_STATUS_FAULT, ENOENT);
	svm_wait(fd, b.out_job, &result);
	igt_assert_eq_u32(result.out_status, DRM_SVM_TEST_STATUS_CANCELLED);
	igt_assert_eq_u32(result.out_cmd, 0);
	svm_wait(fd, c.out_job, &result);
	igt_assert_eq_u32(result.out_status, DRM_SVM_TEST_STATUS_CANCELLED);
	igt_assert_eq_u32(READ_ONCE(*word), 0);
	igt_assert_eq(svm_sync_status(fd, &first), -ENOENT);
	igt_assert_lt(svm_sync_status(fd, &second), 0);

	/* Without the sync the same commands run */
	svm_run(fd, &good);
	igt_assert_eq_u32(READ_ONCE(*word), 1);
	svm_sync_destroy(fd, &first);
	svm_sync_destroy(fd, &second);
	munmap(word, svm_page_size());
}

/* Each sync wrong in one way: the submission fails, and nothing runs */
static void sync_invalid(int fd)
{
	struct drm_svm_sync binary = svm_sync_create(fd, 0);
	struct drm_svm_sync timeline = svm_sync_create(fd, 5);
	uint32_t *word = svm_mmap_anon(svm_page_size());
	struct drm_svm_test_cmd cmd = svm_cmd_add32(word, 1, 1);
	const struct {
		struct drm_svm_sync sync;
		bool out;
		int err;
	} bad[] = {
		{ { 0, 0, 0 }, false, -ENOENT },
		{ { 0, 0, 0 }, true, -ENOENT },
		{ { 0xdead, 0, 0 }, false, -ENOENT },
		{ { 0xdead, 0, 0 }, true, -ENOENT },
		{ { ~0u, 1, 1 }, true, -ENOENT },
		{ { binary.handle, 2, 0 }, false, -EINVAL },
		{ { binary.handle, 1u << 31, 0 }, true, -EINVAL },
		{ { binary.handle, 0, 1 }, false, -EINVAL },
		{ { binary.handle, 0, 1 }, true, -EINVAL },
		{ { timeline.handle, 1, 0 }, true, -EINVAL },
		/* Nothing will ever signal these */
		{ { binary.handle, 0, 0 }, false, -ENOENT },
		{ { timeline.handle, 1, 5 }, false, -ENOENT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct drm_svm_test_submit args =
			with_syncs(&cmd, bad[i].out ? NULL : &bad[i].sync,
				   bad[i].out ? &bad[i].sync : NULL);
		int err = client_submit(fd, &args);

		igt_assert_f(err == bad[i].err, "case %zu: %d, not %d\n", i, err, bad[i].err);
	}
	igt_assert(!svm_sync_wait(fd, &timeline, 1));
	svm_run(fd, &cmd);
	igt_assert_eq_u32(READ_ONCE(*word), 1);
	svm_sync_destroy(fd, &binary);
	svm_sync_destroy(fd, &timeline);
	munmap(word, svm_page_size());
}

/* A good out-sync before a bad one must not be signalled or replaced */
static void all_or_none(int fd)
{
	struct drm_svm_sync syncs[2] = { svm_sync_create(fd, 0), { .handle = 0xdead } };
	struct drm_svm_test_cmd nop = { .op = DRM_SVM_TEST_OP_TIMESTAMP };
	struct drm_svm_test_submit args = svm_submit_args(&nop, 1);
	int file;

	args.out_syncs = client_ptr(syncs);
	args.num_out_syncs = 2;
	igt_assert_eq(client_submit(fd, &args), -ENOENT);
	igt_assert_neq(drmSyncobjExportSyncFile(fd, syncs[0].handle, &file), 0);

	args.num_out_syncs = 1;
	svm_wait_ok(fd, svm_submit_ioctl(fd, &args));
	igt_assert_eq(svm_sync_status(fd, &syncs[0]), 1);
	svm_sync_destroy(fd, &syncs[0]);
}

/* A syncobj of another file of this driver works by its fence, not its handle */
static void across_files(void)
{
	int fd = svm_open_attached(), other = svm_open_attached(), handle_fd;
	struct drm_svm_sync out = svm_sync_create(fd, 0), in = out;
	uint32_t *word = svm_mmap_anon(svm_page_size());
	struct drm_svm_test_cmd cmd = svm_cmd_add32(word, 1, 1);
	struct drm_svm_test_submit a = with_syncs(&cmd, NULL, &out);
	struct drm_svm_test_submit b;
	struct svm_spin spin;

	igt_assert_eq(drmSyncobjHandleToFD(fd, out.handle, &handle_fd), 0);
	igt_assert_eq(drmSyncobjFDToHandle(other, handle_fd, &in.handle), 0);
	close(handle_fd);
	svm_spin_start(&spin, fd, 0);
	a.queue = 0;
	svm_submit_ioctl(fd, &a);
	b = with_syncs(&cmd, &in, NULL);
	b.queue = other_engine(fd);
	svm_submit_ioctl(other, &b);
	igt_assert_eq(__svm_poll_job(other, b.out_job), -ETIME);
	igt_assert_eq_u32(READ_ONCE(*word), 0);

	/* The file that was to signal is closed: its jobs end as cancelled */
	close(fd);
	svm_wait_failed(other, b.out_job, DRM_SVM_TEST_STATUS_CANCELLED, ECANCELED);
	igt_assert_eq_u32(READ_ONCE(*word), 0);
	svm_spin_free(&spin);
	munmap(word, svm_page_size());
	close(other);
}

/* Closing a file must not wait for a fence that its jobs wait for */
static void close_waiting(void)
{
	int fd = svm_open_attached(), other = svm_open_attached(), handle_fd;
	struct drm_svm_sync out = svm_sync_create(fd, 0), in = out;
	struct drm_svm_test_cmd nop = { .op = DRM_SVM_TEST_OP_TIMESTAMP };
	struct drm_svm_test_submit a = with_syncs(&nop, NULL, &out), b;
	struct svm_spin spin;

	igt_assert_eq(drmSyncobjHandleToFD(fd, out.handle, &handle_fd), 0);
	igt_assert_eq(drmSyncobjFDToHandle(other, handle_fd, &in.handle), 0);
	close(handle_fd);
	svm_spin_start(&spin, fd, 0);
	a.queue = 0;
	svm_submit_ioctl(fd, &a);
	b = with_syncs(&nop, &in, NULL);
	b.queue = other_engine(fd);
	svm_submit_ioctl(other, &b);
	igt_set_timeout(20, "close waits for a job of another file");
	close(other);
	igt_reset_timeout();
	svm_spin_stop(&spin);
	svm_wait_ok(fd, a.out_job);
	svm_sync_destroy(fd, &out);
	close(fd);
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
};

static const struct svm_case cases[] = {
	{ "chain", "Points of a timeline order jobs over all engines.", sync_chain },
	{ "many", "A job takes the most syncs that the device allows.", sync_many },
	{ "invalid", "Bad handles, flags and points, and syncs without a fence, are refused.",
	  sync_invalid },
	{ "all-or-none", "A refused submission leaves every syncobj as it was.", all_or_none },
};

static const struct svm_test tests[] = {
	{ "across-files", "Closing a file cancels its jobs and what waits for them elsewhere.",
	  across_files },
	{ "close-waiting", "Closing a file does not wait for the fences its jobs wait for.",
	  close_waiting },
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
}
