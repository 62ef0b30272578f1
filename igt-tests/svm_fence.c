// SPDX-License-Identifier: MIT
/*
 * TEST: svm fence
 * Category: Core
 * Description: User fences: jobs, threads and the CPU signal words in memory, and wait for them.
 */

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xf86drm.h>

#include "igt.h"
#include "igt_thread.h"
#include "svm_bo.h"
#include "svm_job.h"
#include "svm_mem.h"
#include "svm_random.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("Jobs, threads and the CPU signal words in memory, and wait for them.");

#define SEC		((int64_t)NSEC_PER_SEC)
#define KERNEL_ADDR	0xffff888000000000ull
#define HOLE		((uint64_t *)0x8000ul)	/* no program has memory there */
#define ANY		DRM_SVM_TEST_FENCE_WAIT_ANY

/* The fence is the first word. The GPU has not seen the page yet. */
static uint64_t *fence_page(void)
{
	return svm_mmap_small(svm_page_size());
}

static void free_page(void *page)
{
	igt_assert_eq(munmap(page, svm_page_size()), 0);
}

/* Spins, so that the caller goes on at the moment of the signal */
static void spin_for(const uint64_t *fence, uint64_t value)
{
	uint64_t end = svm_now_ms() + 60000;

	while (svm_fence_value(fence) < value)
		igt_assert_f(svm_now_ms() < end, "the fence stays at %llu\n",
			     (unsigned long long)svm_fence_value(fence));
}

/* Signal */

/*
 * What is written last is in memory that the GPU has to fault in again each time: so
 * it comes late, and a fence that does not wait for it is early.
 */
static void signal_last(int fd)
{
	enum { PAGES = 8, ROUNDS = 300 };
	size_t page = svm_page_size(), size = PAGES * page;
	uint32_t *area = svm_mmap_small(size), *last = area + size / sizeof(*area) - 1;
	uint64_t *fence = fence_page(), *sum = fence_page();

	for (uint32_t i = 1; i <= ROUNDS; i++) {
		struct drm_svm_test_cmd cmds[] = {
			svm_cmd_fill(area, size, i), svm_cmd_touch(last, 4, 4, false),
		};
		struct drm_svm_test_submit args = svm_submit_args(cmds, 1 + i % 2);

		igt_assert_eq(madvise(i % 2 ? (char *)sum : (char *)area + size - page, page,
				      MADV_DONTNEED), 0);
		cmds[1].result = client_ptr(sum);
		args.signal = svm_fence(fence, i);
		svm_submit_ioctl(fd, &args);
		spin_for(fence, i);
		igt_assert_eq_u32(READ_ONCE(*last), i);
		if (i % 2)
			igt_assert_eq_u64(READ_ONCE(*sum), i);
		svm_wait_ok(fd, args.out_job);
	}
	igt_assert(svm_cpu_all32(area, size, ROUNDS));
	free_page(sum);
	free_page(fence);
	munmap(area, size);
}

/* A job signals and waits in its midst */
static void signal_command(int fd)
{
	uint64_t *fence = fence_page(), *answer = fence + 8, *data = fence + 16, job;
	struct drm_svm_test_cmd cmds[] = {
		svm_cmd_add64(data, 1, 1), svm_cmd_signal(fence, 1), svm_cmd_wait(answer, 1),
		svm_cmd_add64(data, 1, 1), svm_cmd_signal(fence, 2),
	};

	job = svm_submit(fd, cmds, ARRAY_SIZE(cmds));
	spin_for(fence, 1);
	igt_assert_eq_u64(READ_ONCE(*data), 1);
	svm_assert_pending(fd, job);
	igt_assert_eq_u64(svm_fence_value(fence), 1);
	igt_assert_eq_u64(READ_ONCE(*data), 1);
	svm_fence_set(answer, 1);
	spin_for(fence, 2);
	igt_assert_eq_u64(READ_ONCE(*data), 2);
	svm_wait_ok(fd, job);
	free_page(fence);
}

/* Wait */

/* A queue of a file */
struct side {
	int fd;
	uint32_t queue;
};

static struct side side(int fd, unsigned int engine)
{
	return (struct side) { fd, svm_queue(fd, engine) };
}

/*
 * A job of @to waits for one of @from, which is submitted before or after it, and
 * copies what that one has written. The queues are destroyed.
 */
static void hand_over(struct side to, struct side from, bool wait_first)
{
	uint64_t *fence = fence_page(), *data = fence + 8, *copy = fence + 16, job;
	struct drm_svm_test_cmd wait[] = {
		svm_cmd_wait(fence, 7), svm_cmd_copy(copy, data, sizeof(*data)),
	};
	struct drm_svm_test_cmd write = svm_cmd_add64(data, 0x1234, 1);
	struct drm_svm_test_submit args = svm_submit_args(&write, 1);
	struct svm_spin spin;

	args.queue = from.queue;
	args.signal = svm_fence(fence, 7);
	svm_spin_start(&spin, from.fd, from.queue);
	if (!wait_first)
		svm_submit_ioctl(from.fd, &args);
	job = svm_submit_on(to.fd, to.queue, wait, ARRAY_SIZE(wait));
	svm_assert_pending(to.fd, job);
	if (wait_first)
		svm_submit_ioctl(from.fd, &args);
	svm_spin_stop(&spin);
	svm_wait_ok(to.fd, job);
	igt_assert_eq_u64(READ_ONCE(*copy), 0x1234);
	svm_wait_ok(from.fd, args.out_job);
	svm_queue_destroy(to.fd, to.queue);
	svm_queue_destroy(from.fd, from.queue);
	free_page(fence);
}

/* Queues of one engine, and of two if there are so many */
static void hand_over_engines(int fd, bool wait_first)
{
	struct drm_svm_test_info info;

	svm_info(fd, &info);
	for (uint32_t engine = 0; engine < info.out_engines && engine < 2; engine++)
		hand_over(side(fd, 0), side(fd, engine), wait_first);
}

static void wait_job(int fd)
{
	hand_over_engines(fd, false);
}

static void wait_before_signal(int fd)
{
	hand_over_engines(fd, true);
}

/* Jobs and threads compare alike */
static void wait_satisfied(int fd)
{
	static const struct {
		uint64_t word, value;
		bool there;
	} tries[] = {
		{ 0, 0, true }, { 5, 4, true }, { 5, 5, true }, { 5, 6, false },
		{ 1ull << 63, 1, true }, { 1, 1ull << 63, false },
		{ 1ull << 32, UINT32_MAX, true }, { UINT32_MAX, 1ull << 32, false },
		{ UINT64_MAX, UINT64_MAX, true }, { UINT64_MAX - 1, UINT64_MAX, false },
	};
	uint64_t *word = fence_page();

	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		struct drm_svm_test_fence fence = svm_fence(word, tries[i].value);
		uint64_t job;

		svm_fence_set(word, tries[i].word);
		igt_assert_eq(client_fence_wait(fd, &fence, 1, 0, 0, NULL),
			      tries[i].there ? 0 : -ETIME);
		job = svm_submit_waiter(fd, 0, word, tries[i].value);
		if (!tries[i].there) {
			svm_assert_pending(fd, job);
			svm_fence_set(word, tries[i].value);
		}
		svm_wait_ok(fd, job);
	}
	free_page(word);
}

/* The CPU signals sooner and later after the beginning of the wait */
static void cpu_signal(int fd)
{
	enum { QUEUES = 4, ROUNDS = 40 };
	uint64_t *fence = fence_page(), jobs[QUEUES];
	uint32_t queues[QUEUES];

	for (int i = 0; i < QUEUES; i++)
		queues[i] = svm_queue(fd, i);
	for (uint64_t value = 1; value <= ROUNDS; value++) {
		for (int i = 0; i < QUEUES; i++)
			jobs[i] = svm_submit_waiter(fd, queues[i], fence, value);
		usleep(value * 300);
		svm_fence_set(fence, value);
		for (int i = 0; i < QUEUES; i++)
			svm_wait_ok(fd, jobs[i]);
	}
	free_page(fence);
}

/* Each value lets one waiter go on, and that one alone */
static void atomic_signal(int fd)
{
	enum { WAITERS = 8, STEP = 10 };
	uint64_t *fence = fence_page(), jobs[WAITERS];

	for (int i = 0; i < WAITERS; i++)
		jobs[i] = svm_submit_waiter(fd, svm_queue(fd, i), fence, (i + 1) * STEP);
	for (int i = 0; i < WAITERS; i++) {
		svm_gpu_add(fd, fence, 1, STEP - 1, true);
		svm_assert_pending(fd, jobs[i]);
		igt_assert_eq_u64(svm_gpu_add(fd, fence, 1, 1, true), (i + 1) * STEP - 1);
		svm_wait_ok(fd, jobs[i]);
	}
	free_page(fence);
}

/* One signal is for all that wait for it */
static void fence_broadcast(int fd)
{
	enum { WAITERS = 64 };
	uint64_t *fence = fence_page(), jobs[WAITERS];

	for (int i = 0; i < WAITERS; i++)
		jobs[i] = svm_submit_waiter(fd, svm_queue(fd, i), fence, 1);
	for (int i = 0; i < WAITERS; i++)
		igt_assert_eq(__svm_poll_job(fd, jobs[i]), -ETIME);
	svm_submit_signal(fd, DRM_SVM_TEST_QUEUE_ANY, fence, 1);
	for (int i = 0; i < WAITERS; i++)
		svm_wait_ok(fd, jobs[i]);
	free_page(fence);
}

/* Job i waits for value i of the fence, counts, and signals i + 1. The queues take turns. */
static void submit_chain(int fd, const uint32_t *queues, unsigned int n, uint64_t *fence,
			 uint64_t *count, unsigned int links)
{
	for (uint64_t i = 0; i < links; i++) {
		struct drm_svm_test_cmd cmds[] = {
			svm_cmd_wait(fence, i), svm_cmd_next64(count, i),
		};
		struct drm_svm_test_submit args = svm_submit_args(cmds, ARRAY_SIZE(cmds));

		args.queue = queues[i % n];
		args.flags = DRM_SVM_TEST_SUBMIT_NO_RESULT;
		args.signal = svm_fence(fence, i + 1);
		svm_submit_ioctl(fd, &args);
	}
}

static void fence_chain(int fd)
{
	enum { QUEUES = 3, LINKS = 200 };
	uint64_t *fence = fence_page(), *count = fence + 8;
	uint32_t queues[QUEUES];

	for (int i = 0; i < QUEUES; i++)
		queues[i] = svm_queue(fd, i);
	submit_chain(fd, queues, QUEUES, fence, count, LINKS);
	igt_assert(svm_until(svm_fence_value(fence) == LINKS, 30000));
	/* A job that did not come in its turn has not counted */
	igt_assert_eq_u64(READ_ONCE(*count), LINKS);
	free_page(fence);
}

/*
 * Many wait in vain, and links of a chain for each other. No job looks for itself, so
 * the signal of an engine has to wake what waits for it, each time.
 */
static void fence_crowd(void)
{
	enum { CROWD = 128, LINKS = 2000 };
	uint64_t *fence, *count, *gate, jobs[CROWD];
	struct drm_svm_test_cmd open_gate;
	uint32_t queues[2];
	int fd;

	svm_module_load("look=0");
	fd = svm_open_attached();
	fence = fence_page();
	count = fence + 8;
	gate = fence + 16;
	for (int i = 0; i < CROWD; i++)
		jobs[i] = svm_submit_waiter(fd, svm_queue(fd, 0), gate, 1);
	for (int i = 0; i < 2; i++)
		queues[i] = svm_queue(fd, 0);
	submit_chain(fd, queues, 2, fence, count, LINKS);
	/* the time is for a test that would hang, and decides nothing else */
	igt_assert(svm_until(svm_fence_value(fence) == LINKS, 100000));
	igt_assert_eq_u64(READ_ONCE(*count), LINKS);

	igt_assert_eq(__svm_poll_job(fd, jobs[0]), -ETIME);
	open_gate = svm_cmd_signal(gate, 1);
	svm_run(fd, &open_gate);
	for (int i = 0; i < CROWD; i++)
		svm_wait_ok(fd, jobs[i]);
	free_page(fence);
	close(fd);
	svm_module_reset();
}

/* Nobody tells of what the CPU writes, and yet none is forgotten. */
static void crowd_cpu(int fd)
{
	enum { CROWD = 128 };
	uint64_t *gate = fence_page(), jobs[CROWD];

	for (int i = 0; i < CROWD; i++)
		jobs[i] = svm_submit_waiter(fd, svm_queue(fd, 0), gate, 1);
	svm_fence_set(gate, 1);
	for (int i = 0; i < CROWD; i++)
		svm_wait_ok(fd, jobs[i]);
	free_page(gate);
}

static void other_file(int fd)
{
	int other = svm_open_attached();

	for (int first = 0; first < 2; first++) {
		hand_over(side(fd, 0), side(other, 0), first);
		hand_over(side(other, 0), side(fd, 0), first);
	}
	close(other);
}

static void other_device(void)
{
	int fds[2];

	svm_module_load("num_devices=2");
	for (int i = 0; i < 2; i++)
		fds[i] = svm_open_index_attached(i);
	for (int first = 0; first < 2; first++) {
		hand_over(side(fds[0], 0), side(fds[1], 0), first);
		hand_over(side(fds[1], 0), side(fds[0], 0), first);
	}
	close(fds[0]);
	close(fds[1]);
}

/* The ioctl that waits */

static int fence_ioctl(int fd, struct drm_svm_test_fence_wait *args)
{
	return drmIoctl(fd, DRM_IOCTL_SVM_TEST_FENCE_WAIT, args) ? -errno : 0;
}

/* Signalled in the reverse of their order, by jobs and by the CPU */
static void ioctl_wait(int fd)
{
	enum { N = 4 };
	uint64_t *words = fence_page();
	struct drm_svm_test_fence fences[N];
	uint32_t first;

	for (int i = 0; i < N; i++)
		fences[i] = svm_fence(&words[i * 8], 5);
	igt_assert_eq(client_fence_wait(fd, fences, N, ANY, SEC / 20, NULL), -ETIME);
	for (int i = N - 1; i >= 0; i--) {
		igt_assert_eq(client_fence_wait(fd, fences, N, 0, SEC / 50, NULL), -ETIME);
		if (i % 2)
			svm_submit_signal(fd, 0, &words[i * 8], 5);
		else
			svm_fence_set(&words[i * 8], 6);
		igt_assert_eq(client_fence_wait(fd, &fences[i], 1, 0, 60 * SEC, &first), 0);
		igt_assert_eq_u32(first, 0);
		igt_assert_eq(client_fence_wait(fd, fences, N, ANY, 60 * SEC, &first), 0);
		igt_assert_eq_u32(first, i);
	}
	igt_assert_eq(client_fence_wait(fd, fences, N, 0, INT64_MAX, &first), 0);
	igt_assert_eq_u32(first, 0);

	/* The same one twice, and of two values */
	fences[1] = fences[0];
	fences[2] = svm_fence(&words[0], 7);
	igt_assert_eq(client_fence_wait(fd, fences, 2, 0, 60 * SEC, NULL), 0);
	igt_assert_eq(client_fence_wait(fd, fences, 3, 0, SEC / 50, NULL), -ETIME);
	svm_submit_signal(fd, 0, &words[0], 7);
	igt_assert_eq(client_fence_wait(fd, fences, 3, 0, 60 * SEC, NULL), 0);
	free_page(words);
}

/* A time in the past looks once */
static void ioctl_past(int fd)
{
	static const int64_t past[] = { 0, -1, INT64_MIN, 1 };
	uint64_t *word = fence_page();
	struct drm_svm_test_fence fence = svm_fence(word, 1);

	for (int there = 0; there < 2; there++) {
		svm_fence_set(word, there);
		for (size_t i = 0; i < ARRAY_SIZE(past); i++) {
			struct drm_svm_test_fence_wait args = {
				.fences = client_ptr(&fence), .count = 1, .timeout = past[i],
			};

			igt_assert_eq(fence_ioctl(fd, &args), there ? 0 : -ETIME);
		}
	}
	free_page(word);
}

/* The most fences of one wait: the last that is missing decides */
static void ioctl_many(int fd)
{
	struct drm_svm_test_fence *fences;
	struct drm_svm_test_info info;
	uint64_t *words = fence_page();

	svm_info(fd, &info);
	fences = calloc(info.out_max_syncs, sizeof(*fences));
	igt_assert(fences);
	for (uint32_t i = 0; i < info.out_max_syncs; i++)
		fences[i] = svm_fence(&words[i], 1);
	for (uint32_t i = 0; i < info.out_max_syncs; i++) {
		igt_assert_eq(client_fence_wait(fd, fences, info.out_max_syncs, 0, 0, NULL),
			      -ETIME);
		svm_submit_signal(fd, 0, &words[info.out_max_syncs - 1 - i], 1);
	}
	igt_assert_eq(client_fence_wait(fd, fences, info.out_max_syncs, 0, 60 * SEC, NULL), 0);
	free(fences);
	free_page(words);
}

/* A thread that waits for one value after the other */
struct follower {
	int fd;
	uint64_t *fence, *seen;
	uint64_t values;
};

static void *follow(void *arg)
{
	struct follower *f = arg;

	for (uint64_t value = 1; value <= f->values; value++) {
		struct drm_svm_test_fence fence = svm_fence(f->fence, value);

		igt_assert_eq(client_fence_wait(f->fd, &fence, 1, 0, 60 * SEC, NULL), 0);
		igt_assert_lte_u64(value, svm_fence_value(f->fence));
		svm_fence_set(f->seen, value);
	}
	return NULL;
}

/* The signal comes before the wait, in its beginning and after it */
static void ioctl_signal_race(int fd)
{
	uint64_t *fence = fence_page(), *seen = fence_page();
	struct follower follower = { fd, fence, seen, 500 };
	pthread_t thread;

	igt_assert_eq(pthread_create(&thread, NULL, follow, &follower), 0);
	for (uint64_t value = 1; value <= follower.values; value++) {
		svm_submit_signal(fd, 0, fence, value);
		/* Every third signal does not wait for the thread */
		if (value % 3)
			spin_for(seen, value);
		usleep(value % 5 * 50);
	}
	igt_assert_eq(pthread_join(thread, NULL), 0);
	igt_thread_assert_no_failures();
	igt_assert_eq_u64(READ_ONCE(*seen), follower.values);
	free_page(seen);
	free_page(fence);
}

static void *set_late(void *fence)
{
	sigset_t alarm_set;

	/* The signals are for the thread that waits */
	sigemptyset(&alarm_set);
	sigaddset(&alarm_set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarm_set, NULL);
	usleep(100000);
	svm_fence_set(fence, 1);
	return NULL;
}

static void ioctl_interrupted(int fd)
{
	uint64_t *word = fence_page();
	struct drm_svm_test_fence fence = svm_fence(word, 1);
	struct drm_svm_test_fence_wait args = {
		.fences = client_ptr(&fence), .count = 1, .timeout = INT64_MAX,
	};
	pthread_t thread;

	/* The call ends for a handler that is not to restart it, and goes on for others */
	for (int restart = 0; restart < 2; restart++) {
		svm_alarms(restart, 3000);
		igt_assert_eq(client_fence_wait(fd, &fence, 1, 0, SEC / 10, NULL), -ETIME);
		if (!restart) {
			igt_assert_eq(ioctl(fd, DRM_IOCTL_SVM_TEST_FENCE_WAIT, &args), -1);
			igt_assert_eq(errno, EINTR);
		}
	}
	igt_assert_eq(pthread_create(&thread, NULL, set_late, word), 0);
	igt_assert_eq(ioctl(fd, DRM_IOCTL_SVM_TEST_FENCE_WAIT, &args), 0);
	svm_alarms(false, 0);
	signal(SIGALRM, SIG_DFL);
	igt_assert_eq(pthread_join(thread, NULL), 0);
	igt_assert_eq_u64(svm_fence_value(word), 1);
	free_page(word);
}

static void ioctl_kill(void)
{
	int ready = svm_gate();
	pid_t pid = svm_fork();

	if (!pid) {
		int fd = svm_open_attached();
		struct drm_svm_test_fence fence = svm_fence(fence_page(), 1);

		svm_gate_open(ready);
		client_fence_wait(fd, &fence, 1, 0, INT64_MAX, NULL);
		exit(0);
	}
	svm_gate_wait(ready);
	usleep(50000);
	kill(pid, SIGKILL);
	igt_assert_eq(svm_reap(30), 128 + SIGKILL);
	close(ready);
}

static void assert_wait_refused(int fd, struct drm_svm_test_fence_wait args, int err,
				const char *what)
{
	int ret = fence_ioctl(fd, &args);

	igt_assert_f(ret == err, "%s: %d, not %d\n", what, ret, err);
}

#define REFUSED(field, value, err) \
	do { \
		struct drm_svm_test_fence_wait bad_ = good; \
		bad_.field = (value); \
		assert_wait_refused(fd, bad_, err, #field " = " #value); \
	} while (0)

static void ioctl_invalid(int fd)
{
	struct drm_svm_test_fence fence = svm_fence(fence_page(), 0);
	const struct drm_svm_test_fence_wait good = {
		.fences = client_ptr(&fence), .count = 1,
	};
	struct drm_svm_test_info info;

	svm_info(fd, &info);
	for (int bit = 1; bit < 32; bit++)
		REFUSED(flags, 1u << bit, -EINVAL);
	for (int bit = 0; bit < 32; bit++)
		REFUSED(pad, 1u << bit, -EINVAL);
	REFUSED(count, 0, -EINVAL);
	REFUSED(count, info.out_max_syncs + 1, -EINVAL);
	REFUSED(count, 0x10000001, -EINVAL);
	REFUSED(count, UINT32_MAX, -EINVAL);
	REFUSED(fences, 0, -EFAULT);
	REFUSED(fences, client_ptr(HOLE), -EFAULT);
	REFUSED(fences, KERNEL_ADDR, -EFAULT);
	REFUSED(flags, 0, 0);
	free_page((void *)(uintptr_t)fence.addr);
}

static void ioctl_address(int fd)
{
	uint64_t *page = fence_page(), *none = fence_page();
	const struct {
		uint64_t addr;
		int err;
	} bad[] = {
		{ 0, -EINVAL }, { client_ptr(page) + 1, -EINVAL },
		{ client_ptr(page) + 4, -EINVAL }, { client_ptr(HOLE), -EFAULT },
		{ client_ptr(none), -EFAULT }, { KERNEL_ADDR, -EFAULT },
		{ UINT64_MAX - 7, -EFAULT },
	};

	igt_assert_eq(mprotect(none, svm_page_size(), PROT_NONE), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		/* The other one is not there, so that the wait would go on */
		struct drm_svm_test_fence fences[] = { svm_fence(page, 1), { bad[i].addr, 0 } };
		int err = client_fence_wait(fd, fences, 2, i % 2 ? ANY : 0, 10 * SEC, NULL);

		igt_assert_f(err == bad[i].err, "case %zu: %d, not %d\n", i, err, bad[i].err);
	}
	free_page(none);
	free_page(page);
}

/* Memory that goes while a thread waits for a fence in it */
static void *unmap_late(void *page)
{
	usleep(100000);
	free_page(page);
	return NULL;
}

static void ioctl_unmapped(int fd)
{
	uint64_t *page = fence_page();
	struct drm_svm_test_fence fence = svm_fence(page, 1);
	pthread_t thread;

	igt_assert_eq(pthread_create(&thread, NULL, unmap_late, page), 0);
	igt_assert_eq(client_fence_wait(fd, &fence, 1, 0, 60 * SEC, NULL), -EFAULT);
	igt_assert_eq(pthread_join(thread, NULL), 0);
	igt_thread_assert_no_failures();
}

static void ioctl_foreign(int fd)
{
	uint64_t *page = fence_page();
	struct drm_svm_test_fence fence = svm_fence(page, 0);
	int own = svm_open();

	igt_assert_eq(client_fence_wait(own, &fence, 1, 0, 0, NULL), -ENXIO);
	svm_attach(own);
	igt_assert_eq(client_fence_wait(own, &fence, 1, 0, 0, NULL), 0);
	igt_fork(child, 1)
		igt_assert_eq(client_fence_wait(fd, &fence, 1, 0, 0, NULL), -EPERM);
	igt_waitchildren();
	close(own);
	free_page(page);
}

/* eventfd */

static uint64_t submit_event(int fd, uint32_t queue, const uint64_t *fence, uint64_t value,
			     int event)
{
	struct drm_svm_test_cmd wait = svm_cmd_wait(fence, value);
	struct drm_svm_test_submit args = svm_submit_args(&wait, 1);

	args.queue = queue;
	args.flags = DRM_SVM_TEST_SUBMIT_EVENTFD;
	args.eventfd = event;
	return svm_submit_ioctl(fd, &args);
}

static void fence_poll(int fd)
{
	int event = svm_event(), epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event want = { .events = EPOLLIN }, got;
	struct pollfd pollfd = { .fd = event, .events = POLLIN };
	uint64_t *fence = fence_page(), count;
	uint32_t queue = svm_queue(fd, 0);

	igt_assert_lte(0, epoll);
	igt_assert_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, event, &want), 0);
	for (uint64_t value = 1; value <= 20; value++) {
		uint64_t job = submit_event(fd, queue, fence, value, event);

		igt_assert_eq(poll(&pollfd, 1, 10), 0);
		igt_assert_eq(epoll_wait(epoll, &got, 1, 0), 0);
		if (value % 2)
			svm_fence_set(fence, value);
		else
			svm_submit_signal(fd, 0, fence, value);
		if (value % 4 < 2)
			igt_assert_eq(poll(&pollfd, 1, 60000), 1);
		else
			igt_assert_eq(epoll_wait(epoll, &got, 1, 60000), 1);
		/* It is signalled when the job has ended */
		igt_assert_eq(__svm_poll_job(fd, job), 0);
		igt_assert_eq(read(event, &count, sizeof(count)), sizeof(count));
		igt_assert_eq_u64(count, 1);
	}
	close(epoll);
	close(event);
	free_page(fence);
}

/* Jobs share one, which is closed before the last of them ends */
static void poll_shared(int fd)
{
	enum { JOBS = 3 };
	int event = svm_event();
	uint64_t *fence = fence_page(), jobs[JOBS], last;

	for (int i = 0; i < JOBS; i++)
		jobs[i] = submit_event(fd, svm_queue(fd, i), fence, 1, event);
	last = submit_event(fd, svm_queue(fd, 0), fence, 2, event);
	svm_fence_set(fence, 1);
	for (int i = 0; i < JOBS; i++)
		svm_wait_ok(fd, jobs[i]);
	/* A job can be waited for a moment before it signals */
	igt_assert(svm_event_wait(event, JOBS, 30000));
	close(event);
	svm_fence_set(fence, 2);
	svm_wait_ok(fd, last);
	free_page(fence);
}

static void eventfd_invalid(int fd)
{
	uint64_t *word = fence_page();
	struct drm_svm_test_cmd add = svm_cmd_add64(word, 1, 1);
	struct drm_svm_test_submit args = svm_submit_args(&add, 1);
	int memfd = svm_memfd(svm_page_size()), event = svm_event();
	int closed = dup(memfd);
	const int bad[] = { memfd, closed, fd, -1, INT32_MIN, INT32_MAX };

	igt_assert_lte(0, closed);
	close(closed);
	args.flags = DRM_SVM_TEST_SUBMIT_EVENTFD;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		args.eventfd = bad[i];
		igt_assert_eq(client_submit(fd, &args), -EBADF);
	}
	args.eventfd = event;
	args.flags = 0;
	igt_assert_eq(client_submit(fd, &args), -EINVAL);
	args.flags = DRM_SVM_TEST_SUBMIT_EVENTFD;
	svm_wait_ok(fd, svm_submit_ioctl(fd, &args));
	igt_assert_eq_u64(READ_ONCE(*word), 1);
	close(event);
	close(memfd);
	free_page(word);
}

/* Memory that is not there */

static void wait_unmapped(int fd)
{
	uint64_t *word = fence_page(), job;
	struct drm_svm_test_cmd wait = svm_cmd_wait(HOLE + 3, 1);
	struct drm_svm_test_cmd add = svm_cmd_add64(word, 1, 1);
	struct drm_svm_test_info info;

	svm_info(fd, &info);
	svm_run_faults(fd, &wait, ENOENT, client_ptr(HOLE + 3));
	/* A job behind it runs */
	job = svm_submit_on(fd, 0, &wait, 1);
	svm_wait_ok(fd, svm_submit_on(fd, 0, &add, 1));
	svm_wait_failed(fd, job, DRM_SVM_TEST_STATUS_FAULT, ENOENT);
	igt_assert_eq_u64(READ_ONCE(*word), 1);
	/* No GPU address at all */
	wait.src = 1ull << info.out_va_bits;
	svm_run_faults(fd, &wait, EFAULT, wait.src);
	free_page(word);
}

static void unmapped_waiting(int fd)
{
	uint64_t *page = fence_page(), *other = fence_page(), job, behind, beside;
	struct drm_svm_test_wait result;
	uint32_t queue = svm_queue(fd, 0);

	job = svm_submit_waiter(fd, queue, page, 1);
	behind = svm_submit_waiter(fd, queue, other, 1);
	beside = svm_submit_waiter(fd, svm_queue(fd, 1), other, 1);
	svm_assert_pending(fd, job);
	free_page(page);
	svm_wait(fd, job, &result);
	igt_assert_eq_u32(result.out_status, DRM_SVM_TEST_STATUS_FAULT);
	igt_assert_eq_u32(result.out_errno, ENOENT);
	igt_assert_eq_u64(result.out_addr, client_ptr(page));
	svm_assert_pending(fd, beside);
	igt_assert_eq(__svm_poll_job(fd, behind), -ETIME);
	svm_fence_set(other, 1);
	svm_wait_ok(fd, beside);
	svm_wait_ok(fd, behind);
	free_page(other);
}

/* The fence of a job gives @err: its commands have run, and other jobs do */
static void assert_signal_fails(int fd, const uint64_t *fence, uint32_t err)
{
	uint64_t *word = fence_page();
	struct drm_svm_test_cmd cmds[] = {
		svm_cmd_add64(word, 1, 1), svm_cmd_add64(word, 1, 1),
	};
	struct drm_svm_test_submit args = svm_submit_args(cmds, 2);
	struct drm_svm_test_wait result;
	uint64_t behind;

	args.queue = 0;
	args.signal = svm_fence(fence, 5);
	svm_submit_ioctl(fd, &args);
	behind = svm_submit_on(fd, 0, cmds, 1);
	svm_wait(fd, args.out_job, &result);
	igt_assert_eq_u32(result.out_status, DRM_SVM_TEST_STATUS_FAULT);
	igt_assert_eq_u32(result.out_errno, err);
	igt_assert_eq_u32(result.out_cmd, 2);
	igt_assert_eq_u64(result.out_addr, client_ptr(fence));
	svm_wait_ok(fd, behind);
	igt_assert_eq_u64(READ_ONCE(*word), 3);
	free_page(word);
}

static void signal_unmapped(int fd)
{
	assert_signal_fails(fd, HOLE, ENOENT);
}

static void signal_read_only(int fd)
{
	uint64_t *fence = fence_page();

	igt_assert_eq(mprotect(fence, svm_page_size(), PROT_READ), 0);
	assert_signal_fails(fd, fence, EACCES);
	igt_assert_eq_u64(READ_ONCE(*fence), 0);
	free_page(fence);
}

/* A report that cannot be written is no reason to keep the fence back */
static void report_unmapped(int fd)
{
	uint64_t *fence = fence_page();
	struct drm_svm_test_submit args = svm_submit_args(NULL, 0);
	struct drm_svm_test_wait result;

	args.signal = svm_fence(fence, 5);
	args.report = client_ptr(HOLE);
	svm_submit_ioctl(fd, &args);
	svm_wait(fd, args.out_job, &result);
	igt_assert_eq_u32(result.out_status, DRM_SVM_TEST_STATUS_FAULT);
	igt_assert_eq_u32(result.out_errno, ENOENT);
	igt_assert_eq_u64(result.out_addr, args.report);
	igt_assert_eq_u64(svm_fence_value(fence), 5);
	free_page(fence);
}

static void assert_refused(int fd, struct drm_svm_test_submit args, const char *what)
{
	int err = client_submit(fd, &args);

	igt_assert_f(err == -EINVAL, "%s: %d\n", what, err);
}

/* One command that is @off from being good, behind one that would be seen */
static void refuse_commands(int fd, uint64_t *page, uint64_t off)
{
	struct drm_svm_test_cmd cmds[] = { svm_cmd_add64(page, 1, 1), {} };
	struct drm_svm_test_submit args = svm_submit_args(cmds, 2);

	cmds[1] = svm_cmd_wait(page, 0);
	cmds[1].src += off;
	assert_refused(fd, args, "OP_WAIT");
	cmds[1] = svm_cmd_signal(page + 8, 1);
	cmds[1].dst += off;
	assert_refused(fd, args, "OP_SIGNAL");
}

static void fence_misaligned(int fd)
{
	static const uint64_t off[] = { 1, 2, 4, 7 };
	uint64_t *page = fence_page();
	struct drm_svm_test_cmd add = svm_cmd_add64(page, 1, 1), odd = svm_cmd_wait(page, 0);
	const struct drm_svm_test_submit good = svm_submit_args(&add, 1);
	struct drm_svm_test_submit args;

	for (size_t i = 0; i < ARRAY_SIZE(off); i++) {
		refuse_commands(fd, page, off[i]);
		args = good;
		args.signal = svm_fence(page + 8, 1);
		args.signal.addr += off[i];
		assert_refused(fd, args, "signal");
	}
	for (size_t i = 1; i < sizeof(struct drm_svm_test_report); i += i < 8 ? 1 : 4) {
		args = good;
		args.report = client_ptr(page + 8) + i;
		assert_refused(fd, args, "report");
	}
	args = good;
	args.signal.value = 1;
	assert_refused(fd, args, "value with no address");
	args.cmds = client_ptr(&odd);
	args.signal.value = 0;
	odd.flags = DRM_SVM_TEST_CMD_64;
	assert_refused(fd, args, "OP_WAIT with a flag");

	igt_assert_eq_u64(svm_gpu_add(fd, page, 1, 1, true), 0);
	igt_assert_eq_u64(READ_ONCE(page[8]), 0);
	free_page(page);
}

/* Reports */

/* What a job tells by memory */
struct told {
	uint64_t fence;
	uint64_t word;
	struct drm_svm_test_report report
		__attribute__((aligned(sizeof(struct drm_svm_test_report))));
};

static void assert_report(const struct drm_svm_test_report *report, uint64_t job,
			  uint32_t status, uint32_t err, uint32_t cmd, uint64_t addr)
{
	igt_assert_eq_u64(READ_ONCE(report->job), job);
	igt_assert_eq_u64(READ_ONCE(report->addr), addr);
	igt_assert_eq_u32(READ_ONCE(report->status), status);
	igt_assert_eq_u32(READ_ONCE(report->error), err);
	igt_assert_eq_u32(READ_ONCE(report->cmd), cmd);
	igt_assert_eq_u32(READ_ONCE(report->pad), 0);
}

/*
 * The GPU has to fault the report in again each time, and not the fence: so a fence
 * that is signalled too early is seen before the report.
 */
static void fence_report(int fd)
{
	size_t page = svm_page_size();
	struct told *told = (struct told *)fence_page();
	struct drm_svm_test_report *report = (void *)fence_page();
	struct drm_svm_test_cmd cmds[] = {
		svm_cmd_add64(&told->word, 1, 1), svm_cmd_add64(&told->word, 1, 1),
	};
	struct drm_svm_test_submit args = svm_submit_args(cmds, 2);

	args.report = client_ptr(report);
	for (uint64_t value = 1; value <= 200; value++) {
		bool fetch = value % 4;

		igt_assert_eq(madvise(report, page, MADV_DONTNEED), 0);
		memset(report, 0xff, sizeof(*report));
		args.signal = svm_fence(&told->fence, value);
		args.flags = fetch ? 0 : DRM_SVM_TEST_SUBMIT_NO_RESULT;
		svm_submit_ioctl(fd, &args);
		spin_for(&told->fence, value);
		assert_report(report, args.out_job, DRM_SVM_TEST_STATUS_OK, 0, 2, 0);
		igt_assert_eq(!args.out_job, !fetch);
		if (fetch)
			svm_wait_ok(fd, args.out_job);
	}
	free_page(report);
	free_page(told);
}

/* A job whose second command is @cmd: result, report and fence say the same */
static void assert_tells(int fd, struct drm_svm_test_cmd cmd, uint32_t status, uint32_t err,
			 uint64_t addr)
{
	struct told *told = (struct told *)fence_page();
	struct drm_svm_test_cmd cmds[] = {
		svm_cmd_add64(&told->word, 1, 1), cmd, svm_cmd_add64(&told->word, 1, 1),
	};
	struct drm_svm_test_submit args = svm_submit_args(cmds, 3);
	struct drm_svm_test_wait result;

	args.signal = svm_fence(&told->fence, 9);
	args.report = client_ptr(&told->report);
	svm_submit_ioctl(fd, &args);
	spin_for(&told->fence, 9);
	igt_assert_eq_u64(READ_ONCE(told->fence), 9);
	assert_report(&told->report, args.out_job, status, err, 1, addr);
	svm_wait(fd, args.out_job, &result);
	igt_assert_eq_u32(result.out_status, status);
	igt_assert_eq_u32(result.out_errno, err);
	igt_assert_eq_u32(result.out_cmd, 1);
	igt_assert_eq_u64(result.out_addr, addr);
	igt_assert_eq_u64(READ_ONCE(told->word), 1);
	free_page(told);
}

static void failed_job_signals(int fd)
{
	char *fixed = (char *)fence_page();

	igt_assert_eq(mprotect(fixed, svm_page_size(), PROT_READ), 0);
	assert_tells(fd, svm_cmd_fill(HOLE + 1, 4, 1), DRM_SVM_TEST_STATUS_FAULT, ENOENT,
		     client_ptr(HOLE + 1));
	assert_tells(fd, svm_cmd_fill(fixed, 4, 1), DRM_SVM_TEST_STATUS_FAULT, EACCES,
		     client_ptr(fixed));
	assert_tells(fd, svm_cmd_wait(HOLE, 1), DRM_SVM_TEST_STATUS_FAULT, ENOENT,
		     client_ptr(HOLE));
	/* An element that is not aligned */
	assert_tells(fd, svm_cmd_fill(fixed + 2, 4, 1), DRM_SVM_TEST_STATUS_INVALID, EINVAL, 0);
	free_page(fixed);
}

/* Without commands, and with nothing at all; in its turn all the same */
static void empty_job(int fd)
{
	uint64_t *fence = fence_page(), *gate = fence + 8, job;
	struct drm_svm_test_submit args = svm_submit_args(NULL, 0);
	struct drm_svm_test_wait result;

	args.queue = 0;
	svm_wait(fd, svm_submit_ioctl(fd, &args), &result);
	igt_assert_eq_u32(result.out_status, DRM_SVM_TEST_STATUS_OK);
	igt_assert_eq_u32(result.out_cmd, 0);
	igt_assert_eq_u64(result.out_addr, 0);

	job = svm_submit_waiter(fd, 0, gate, 1);
	args.signal = svm_fence(fence, 3);
	svm_submit_ioctl(fd, &args);
	svm_assert_pending(fd, args.out_job);
	igt_assert_eq_u64(svm_fence_value(fence), 0);
	svm_fence_set(gate, 1);
	svm_wait_ok(fd, job);
	svm_wait_ok(fd, args.out_job);
	igt_assert_eq_u64(svm_fence_value(fence), 3);
	free_page(fence);
}

/* Another process has the page of the file at another address; so has its GPU */
static void signal_elsewhere(int file, const uint64_t *theirs, uint64_t value)
{
	uint64_t *fence = svm_mmap_fd(file, svm_page_size(), MAP_SHARED);

	igt_assert(fence != theirs);
	if (value % 2) {
		svm_fence_set(fence, value);
	} else {
		int own = svm_open_attached();

		svm_submit_signal(own, 0, fence, value);
		igt_assert(svm_until(svm_fence_value(fence) == value, 30000));
		close(own);
	}
}

static void file_mapping(int fd)
{
	size_t page = svm_page_size();
	int file = svm_memfd(page);
	uint64_t *word = svm_mmap_fd(file, page, MAP_SHARED);

	for (uint64_t value = 1; value <= 4; value++) {
		struct drm_svm_test_fence fence = svm_fence(word, value);
		uint64_t job = svm_submit_waiter(fd, 0, word, value);

		svm_assert_pending(fd, job);
		igt_fork(child, 1)
			signal_elsewhere(file, word, value);
		igt_assert_eq(client_fence_wait(fd, &fence, 1, 0, 60 * SEC, NULL), 0);
		svm_wait_ok(fd, job);
		igt_waitchildren();
	}
	free_page(word);
	close(file);
}

/* Memory that moves */

static void move_protect(int fd, uint64_t *page)
{
	igt_assert_eq(mprotect(page, svm_page_size(), PROT_READ), 0);
	usleep(5000);
	igt_assert_eq(mprotect(page, svm_page_size(), PROT_READ | PROT_WRITE), 0);
}

/* What the child stores is in its own copy of the page */
static void move_fork(int fd, uint64_t *page)
{
	igt_fork(child, 1)
		svm_fence_set(page, 2);
	igt_waitchildren();
}

static void move_discard(int fd, uint64_t *page)
{
	igt_assert_eq(madvise(page, svm_page_size(), MADV_DONTNEED), 0);
}

static void move_replace(int fd, uint64_t *page)
{
	svm_mmap_fixed(page, svm_page_size(), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static void move_to_vram(int fd, uint64_t *page)
{
	svm_to_vram(fd, page, svm_page_size());
}

static void move_evict(int fd, uint64_t *page)
{
	svm_to_vram(fd, page, svm_page_size());
	svm_evict_vram(fd);
}

/* The page moves while a job waits; then the CPU signals, or the GPU */
static void fence_moved(int fd)
{
	static const struct {
		void (*move)(int fd, uint64_t *page);
	} how[] = {
		{ move_protect }, { move_fork }, { move_discard }, { move_replace },
		{ move_to_vram }, { move_evict },
	};
	uint32_t queue = svm_queue(fd, 0);

	for (size_t i = 0; i < 2 * ARRAY_SIZE(how); i++) {
		uint64_t *fence = fence_page(), job;

		svm_fence_set(fence, 1);
		job = svm_submit_waiter(fd, queue, fence, 2);
		svm_assert_pending(fd, job);
		how[i / 2].move(fd, fence);
		svm_assert_pending(fd, job);
		if (i % 2)
			svm_fence_set(fence, 2);
		else
			svm_submit_signal(fd, DRM_SVM_TEST_QUEUE_ANY, fence, 2);
		svm_wait_ok(fd, job);
		free_page(fence);
	}
}

static void in_vram(int fd)
{
	uint64_t *fence = fence_page();
	uint32_t queue = svm_queue(fd, 0);

	svm_fence_set(fence, 0);
	for (uint64_t value = 1; value <= 12; value++) {
		uint64_t job;

		svm_to_vram(fd, fence, svm_page_size());
		job = svm_submit_waiter(fd, queue, fence, value);
		svm_assert_pending(fd, job);
		if (value % 3 == 1)
			svm_evict_vram(fd);
		svm_submit_signal(fd, DRM_SVM_TEST_QUEUE_ANY, fence, value);
		if (value % 3 == 2)
			svm_evict_vram(fd);
		svm_wait_ok(fd, job);
		igt_assert_eq_u64(svm_fence_value(fence), value);
	}
	free_page(fence);
}

static const struct svm_case cases[] = {
	{ "signal", "A job signals its fence after all that it wrote.", signal_last },
	{ "signal-command", "A job signals and waits between its commands.", signal_command },
	{ "wait", "A job waits for the job of another queue.", wait_job },
	{ "wait-before-signal", "A job waits for one that is submitted later.",
	  wait_before_signal },
	{ "wait-satisfied", "The word is there when it is the value, or greater.",
	  wait_satisfied },
	{ "cpu-signal", "Jobs wait for what the CPU stores.", cpu_signal },
	{ "atomic-signal", "Additions let jobs go on, each at its value.", atomic_signal },
	{ "broadcast", "Many jobs wait for the same value.", fence_broadcast },
	{ "chain", "Jobs of several queues take turns by one word.", fence_chain },
	{ "crowd-cpu", "The CPU signals what many jobs wait for.", crowd_cpu },
	{ "other-file", "Files of one process wait for each other.", other_file },
	{ "ioctl-wait", "A thread waits for one fence, for all, for any.", ioctl_wait },
	{ "ioctl-past", "A time in the past polls.", ioctl_past },
	{ "ioctl-many", "A thread waits for the most fences of one call.", ioctl_many },
	{ "ioctl-signal-race", "A thread sees each of many signals.", ioctl_signal_race },
	{ "ioctl-interrupted", "A wait that signals interrupt ends, or is restarted.",
	  ioctl_interrupted },
	{ "ioctl-invalid", "Unknown flags, counts and arrays are refused.", ioctl_invalid },
	{ "ioctl-address", "Addresses at which there is no fence are refused.", ioctl_address },
	{ "ioctl-unmapped", "A wait ends when the memory of its fence goes.", ioctl_unmapped },
	{ "ioctl-foreign", "A file has to be attached, to the memory of the caller.",
	  ioctl_foreign },
	{ "poll", "poll() and epoll tell when a job that waits has ended.", fence_poll },
	{ "poll-shared", "Several jobs signal one eventfd, which may be closed.", poll_shared },
	{ "eventfd-invalid", "What is no eventfd is refused.", eventfd_invalid },
	{ "unmapped", "A job that waits where there is no memory fails alone.", wait_unmapped },
	{ "unmapped-while-waiting", "A job fails when the memory of its fence goes.",
	  unmapped_waiting },
	{ "signal-unmapped", "A job fails whose fence is in no memory, and no other.",
	  signal_unmapped },
	{ "signal-read-only", "So does one whose fence cannot be written.", signal_read_only },
	{ "report-unmapped", "A job whose report is in no memory signals its fence.",
	  report_unmapped },
	{ "misaligned", "Words and reports that are not aligned are refused.",
	  fence_misaligned },
	{ "report", "A job reports its end before it signals.", fence_report },
	{ "failed-job-signals", "A job that fails signals, and reports why.",
	  failed_job_signals },
	{ "empty-job", "A job without commands signals in its turn.", empty_job },
	{ "file-mapping", "Another process signals in the page of a file.", file_mapping },
};

static const struct svm_test tests[] = {
	{ "ioctl-kill", "A thread that waits for ever can be killed.", ioctl_kill },
	{ "crowd", "A signal wakes its job among many that wait in vain.", fence_crowd },
	{ "other-device", "Two devices wait for each other.", other_device },
};

static const struct svm_case vram_cases[] = {
	{ "in-vram", "A fence is in VRAM, and is evicted now and then.", in_vram },
	{ "moved", "The page of a fence moves while a job waits.", fence_moved },
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
