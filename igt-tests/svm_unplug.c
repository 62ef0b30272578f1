// SPDX-License-Identifier: MIT
/*
 * TEST: svm unplug
 * Category: Robustness
 * Description: The device goes while programs use it.
 *
 * Each subtest in four ways: the device goes in an orderly way, or is gone, and
 * the memory that counts is in VRAM, or in RAM although there is VRAM.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "igt.h"
#include "igt_thread.h"
#include "svm_bo.h"
#include "svm_hw.h"
#include "svm_job.h"
#include "svm_mem.h"
#include "svm_prefetch.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("The device goes while programs use it.");

#define MAGIC	SVM_HW_MAGIC
#define MIB	(1ull << 20)
#define MANY	1000000		/* more than a subtest can use up */

struct unplug {
	enum svm_hw_unplug how;
	bool vram;
};

/* What programs see of a device that is gone */
static void assert_gone(int fd)
{
	struct drm_svm_test_cmd nop = { .op = DRM_SVM_TEST_OP_TIMESTAMP };
	struct client_counts counters;
	struct drm_svm_test_wait result;
	struct drm_svm_attach attach = {};
	uint32_t handle;
	uint64_t job;

	igt_assert_eq(client_submit_cmds(fd, &nop, 1, &job), -ENODEV);
	igt_assert_eq(client_wait(fd, 1, 0, &result), -ENODEV);
	igt_assert_eq(client_counters(fd, &counters), -ENODEV);
	igt_assert_eq(client_attach(fd, &attach), -ENODEV);
	igt_assert_eq(client_bo_create(fd, MIB, DRM_SVM_TEST_BO_VRAM, &handle), -ENODEV);
	igt_assert_eq(__svm_open(0), -ENODEV);
}

/* The memory was @vram: it came home, or is lost */
static void assert_after(const struct unplug *u, const char *base, size_t size)
{
	if (u->vram && u->how == SVM_HW_SURPRISE)
		igt_assert(svm_hw_all_lost(base, size));
	else
		igt_assert(svm_cpu_all32(base, size, MAGIC));
}

static void unplug_open(int fd, const struct unplug *u)
{
	size_t size = 64 * svm_page_size();
	char *base = svm_hw_memory(fd, size, u->vram);
	int file = svm_hw_open(fd, "unplug", O_WRONLY), idle = svm_open();

	svm_hw_unplug(fd, u->how);
	assert_gone(fd);
	/* The file is gone, but was open */
	igt_assert(write(file, "1", 1) == -1 && errno == ENODEV);
	close(file);
	assert_after(u, base, size);
	munmap(base, size);
	close(idle);
	close(fd);
}

/* The memory stays longer than the file */
static void unplug_memory(int fd, const struct unplug *u)
{
	size_t size = 64 * svm_page_size();
	char *base = svm_hw_memory(fd, size, u->vram);

	svm_hw_unplug(fd, u->how);
	close(fd);
	assert_after(u, base, size);
	if (u->vram && u->how == SVM_HW_SURPRISE) {
		/* What is lost is waited for by nobody */
		usleep(100000);
		igt_assert(!svm_hw_waits_in("memunmap_pages"));
		/* It keeps the driver */
		igt_assert_lt(__svm_delete_module("drm_svm_test_dev"), 0);
		igt_assert_eq(madvise(base, size, MADV_DONTNEED), 0);
		igt_assert(svm_cpu_all32(base, size, 0));
	} else {
		svm_module_unload();
		igt_assert(svm_cpu_all32(base, size, MAGIC));
	}
	munmap(base, size);
}

struct waiter {
	int fd;
	uint64_t job;
	pthread_t thread;
};

static void *wait_for_job(void *data)
{
	struct waiter *waiter = data;
	struct drm_svm_test_wait result;

	igt_assert_eq(client_wait(waiter->fd, waiter->job, 60ll * NSEC_PER_SEC, &result), 0);
	igt_assert_eq_u32(result.out_status, DRM_SVM_TEST_STATUS_CANCELLED);
	igt_assert_eq_u32(result.out_errno, ENODEV);
	return NULL;
}

static void waiter_start(struct waiter *waiter, int fd, uint64_t job)
{
	*waiter = (struct waiter) { .fd = fd, .job = job };
	igt_assert_eq(pthread_create(&waiter->thread, NULL, wait_for_job, waiter), 0);
}

/* Jobs that run and that wait behind them, threads and a child that wait for their end */
static void unplug_busy(int fd, const struct unplug *u)
{
	size_t size = 16 * svm_page_size();
	char *base = svm_hw_memory(fd, size, u->vram);
	struct drm_svm_test_cmd cmd = svm_cmd_fill(base, size, MAGIC + 1);
	struct drm_svm_test_submit behind = svm_submit_args(&cmd, 1);
	struct waiter waiters[3];
	struct svm_spin spin[2];
	int event = svm_event();

	for (int i = 0; i < 2; i++)
		svm_spin_start(&spin[i], fd, i);
	behind.queue = 0;
	behind.flags = DRM_SVM_TEST_SUBMIT_EVENTFD;
	behind.eventfd = event;
	svm_submit_ioctl(fd, &behind);

	igt_fork(child, 1) {
		igt_assert(svm_event_wait(event, 1, 60000));
		assert_after(u, base, size);
	}
	for (int i = 0; i < 2; i++)
		waiter_start(&waiters[i], fd, spin[i].job);
	waiter_start(&waiters[2], fd, behind.out_job);
	usleep(200000);
	svm_hw_unplug(fd, u->how);
	for (int i = 0; i < 3; i++)
		pthread_join(waiters[i].thread, NULL);
	igt_thread_assert_no_failures();
	igt_waitchildren();

	close(event);
	assert_after(u, base, size);
	munmap(base, size);
	for (int i = 0; i < 2; i++)
		svm_spin_free(&spin[i]);
	close(fd);
}

/* Faults on their way: waited for, and as many as there can be */
static void unplug_faults(int fd, const struct unplug *u)
{
	size_t size = svm_range_size();
	char *base = svm_mmap_small(size), *page = svm_mmap_anon(svm_page_size());
	int uffd = svm_uffd_open(page, svm_page_size());
	struct drm_svm_test_cmd cmd = svm_cmd_touch(page, 4, 4, false);
	uint64_t addr;

	if (!u->vram)
		svm_hw_write(fd, "inject/fail_alloc", MANY);
	svm_submit_on(fd, 0, &cmd, 1);
	igt_assert(svm_uffd_pending(uffd, 30000, &addr));
	cmd = svm_cmd_touch(base, size, svm_page_size(), true);
	svm_submit_on(fd, 1, &cmd, 1);
	usleep(20000);
	svm_hw_unplug(fd, u->how);
	close(fd);
	close(uffd);
	munmap(base, size);
	munmap(page, svm_page_size());
}

/* Buffer objects: one that the GPU uses, one that the CPU has mapped */
static void unplug_bo(int fd, const struct unplug *u)
{
	uint64_t size = 4 * MIB, start = svm_bo_start(fd);
	uint32_t flags = u->vram ? DRM_SVM_TEST_BO_VRAM : 0, value;
	uint32_t used = svm_bo_create(fd, size, flags);
	uint32_t mapped = svm_bo_create(fd, size, flags);
	uint32_t *gpu = svm_bo_bind(fd, used, start, size);
	uint32_t *cpu[2] = { svm_bo_map(fd, used, size), svm_bo_map(fd, mapped, size) };
	struct drm_svm_test_cmd add = svm_cmd_add32(gpu, 1, UINT32_MAX);
	int mem = open("/proc/self/mem", O_RDWR);

	svm_bo_bind(fd, mapped, start + size, size);
	svm_submit_on(fd, 0, &add, 1);
	igt_assert_eq_u32(READ_ONCE(*cpu[1]), 0);
	igt_assert_eq(pread(mem, &value, 4, client_ptr(cpu[1])), 4);

	svm_hw_unplug(fd, u->how);
	for (int i = 0; i < 2; i++) {
		igt_assert(!svm_hw_load(cpu[i], &value));
		igt_assert_eq(pread(mem, &value, 4, client_ptr(cpu[i])), -1);
	}
	close(mem);
	munmap(cpu[0], size);
	/* One of the maps stays longer than the file */
	close(fd);
	igt_assert(!svm_hw_load(cpu[1], &value));
	munmap(cpu[1], size);
}

struct caller {
	int fd;
	uint64_t bo_start;
};

static void *call_until_gone(void *data)
{
	struct drm_svm_test_cmd nop = { .op = DRM_SVM_TEST_OP_TIMESTAMP };
	struct caller *caller = data;
	int fd = caller->fd, err[4] = {};
	struct client_counts counters;
	uint32_t state[16], handle;
	void *base = svm_mmap_anon(sizeof(state) / 4 * svm_page_size());
	uint64_t job;

	do {
		int own = __svm_open(0);

		err[0] = client_submit_cmds(fd, &nop, 1, &job);
		err[1] = client_query(fd, client_ptr(base), 16 * svm_page_size(), 0, state);
		err[2] = client_counters(fd, &counters);
		err[3] = client_bo_create(fd, MIB, DRM_SVM_TEST_BO_VRAM, &handle);
		if (!err[3])
			client_bo_bind(fd, handle, caller->bo_start, 0, MIB);
		if (own >= 0)
			close(own);
		for (int i = 0; i < 4; i++)
			igt_assert(!err[i] || err[i] == -ENODEV || err[i] == -EBUSY);
	} while (err[0] != -ENODEV || err[1] != -ENODEV || err[2] != -ENODEV ||
		 err[3] != -ENODEV);
	return NULL;
}

/* Calls of all kinds meet the unplug */
static void unplug_calls(int fd, const struct unplug *u)
{
	size_t size = 64 * svm_page_size();
	char *base = svm_hw_memory(fd, size, u->vram);
	struct caller caller = { fd, svm_bo_start(fd) };
	pthread_t threads[4];
	uint32_t value;

	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, call_until_gone, &caller);
	usleep(300000);
	svm_hw_unplug(fd, u->how);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	igt_thread_assert_no_failures();
	/* Some of it may have been evicted before */
	for (size_t at = 0; at < size; at += svm_page_size())
		if (svm_hw_load(base + at, &value))
			igt_assert_eq_u32(value, MAGIC);
		else
			igt_assert(u->vram && u->how == SVM_HW_SURPRISE);
	munmap(base, size);
	close(fd);
}

static void *use_files(void *data)
{
	static const char * const names[] = { "svm", "inject/resident", "evict_vram", "suspend" };
	char path[ARRAY_SIZE(names)][96], text[512];
	bool gone = false;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		svm_hw_path(*(int *)data, names[i], path[i], sizeof(path[i]));
	while (!gone) {
		for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
			int file = open(path[i], i < 2 ? O_RDONLY : O_WRONLY);

			gone = file < 0;
			if (gone)
				break;
			while (i < 2 && read(file, text, sizeof(text)) > 0)
				;
			/* Those that another thread makes fail are not missed */
			if (i >= 2 && write(file, "1", 1) < 0)
				usleep(1000);
			if (i == 3 && write(file, "0", 1) < 0)
				usleep(1000);
			close(file);
		}
	}
	return NULL;
}

/* Files of debugfs are read and written while they are removed */
static void unplug_debugfs(int fd, const struct unplug *u)
{
	size_t size = 64 * svm_page_size();
	char *base = svm_hw_memory(fd, size, u->vram);
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, use_files, &fd);
	for (int i = 0; i < 20; i++)
		svm_gpu_touch(fd, base, size, svm_page_size(), true);
	svm_hw_unplug(fd, u->how);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	munmap(base, size);
	close(fd);
}

/* Processes with jobs, memory and buffer objects are killed at the same moment */
static void unplug_killed(int fd, const struct unplug *u)
{
	enum { CHILDREN = 4 };
	size_t size = 16 * svm_page_size();
	int gate = svm_gate();

	for (int i = 0; i < CHILDREN; i++) {
		pid_t pid = svm_fork();
		struct svm_spin spin;
		int own;

		if (pid)
			continue;
		own = svm_open_attached();
		svm_hw_memory(own, size, u->vram);
		svm_bo_bind(own, svm_bo_create(own, MIB, DRM_SVM_TEST_BO_VRAM),
			    svm_bo_start(own), MIB);
		svm_spin_start(&spin, own, i % 2);
		svm_gate_open(gate);
		pause();
	}
	for (int i = 0; i < CHILDREN; i++)
		svm_gate_wait(gate);
	igt_kill_children(SIGKILL);
	svm_hw_unplug(fd, u->how);
	igt_assert_eq(svm_reap(60), 128 + SIGKILL);
	close(gate);
	close(fd);
}

struct prefetch {
	int fd;
	struct drm_svm_prefetch args;
	volatile int err;
};

static void *prefetch_thread(void *data)
{
	struct prefetch *p = data;

	p->err = __svm_prefetch(p->fd, &p->args);
	return NULL;
}

/* To and fro, until the device is gone */
static void *prefetch_for_ever(void *data)
{
	struct prefetch *p = data;

	do {
		p->args.location ^= DRM_SVM_LOCATION_VRAM ^ DRM_SVM_LOCATION_SYSTEM;
		prefetch_thread(p);
	} while (!p->err);
	return NULL;
}

/* Prefetches by an ioctl and in a queue; those of the ioctl move other memory. */
static void unplug_prefetch(int fd, const struct unplug *u)
{
	size_t size = 16 * svm_page_size();
	char *base = svm_hw_memory(fd, size, u->vram), *other = svm_mmap_small(size);
	struct drm_svm_test_cmd cmd = {
		.op = DRM_SVM_TEST_OP_PREFETCH,
		.dst = client_ptr(base), .size = size, .arg0 = DRM_SVM_LOCATION_VRAM,
	};
	struct prefetch p = {
		.fd = fd,
		.args.start = client_ptr(other),
		.args.size = size,
		.args.location = DRM_SVM_LOCATION_VRAM,
	};
	pthread_t thread;

	memset(other, 1, size);
	prefetch_thread(&p);
	igt_require(p.err != -EOPNOTSUPP);
	for (int i = 0; i < 100; i++)
		svm_submit(fd, &cmd, 1);
	pthread_create(&thread, NULL, prefetch_for_ever, &p);
	usleep(100000);
	svm_hw_unplug(fd, u->how);
	pthread_join(thread, NULL);
	igt_assert_eq(p.err, -ENODEV);
	assert_after(u, base, size);
	munmap(other, size);
	munmap(base, size);
	close(fd);
}

/* The other device, which uses the memory of the one that goes, stays */
static void unplug_peer(int fd, const struct unplug *u)
{
	size_t size = 64 * svm_page_size();
	int other = svm_open_index_attached(1);
	char *base = svm_hw_memory(fd, size, u->vram);
	struct drm_svm_test_cmd touch = svm_cmd_touch(base, 4, 4, false);

	svm_run(other, &touch);
	svm_hw_unplug(fd, u->how);
	if (u->vram && u->how == SVM_HW_SURPRISE)
		igt_assert_neq(__svm_run(other, &touch), 0);
	else
		igt_assert_eq_u32(svm_gpu_read32(other, base), MAGIC);
	assert_after(u, base, size);
	munmap(base, size);

	base = svm_mmap_small(size);
	svm_gpu_fill(other, base, size, MAGIC + 1);
	igt_assert(svm_cpu_all32(base, size, MAGIC + 1));
	munmap(base, size);
	close(other);
	close(fd);
}

/*
 * The other device faults on memory of which every second block is in VRAM that goes. The
 * other blocks are missing: to bring them in takes its time, with what is known of the VRAM.
 * The file that has filled it is closed, so that the unplug waits for no fault.
 */
static void unplug_peer_faults(int fd, const struct unplug *u)
{
	size_t block = 16 * svm_page_size(), size = 4 * svm_range_size();
	int other = svm_open_index_attached(1), idle = svm_open();
	char *base = svm_mmap_small(size);
	struct drm_svm_test_cmd fill = svm_cmd_fill(base, size, MAGIC + 1);
	struct drm_svm_test_wait result;
	uint64_t job;

	if (!u->vram)
		svm_hw_write(fd, "inject/fail_alloc", MANY);
	for (size_t at = 0; at < size; at += 2 * block)
		svm_gpu_fill(fd, base + at, block, MAGIC);
	close(fd);
	job = svm_submit_on(other, 0, &fill, 1);
	svm_hw_unplug(idle, u->how);
	igt_assert_eq(client_wait(other, job, 60ll * NSEC_PER_SEC, &result), 0);
	if (!u->vram || u->how == SVM_HW_ORDERLY) {
		igt_assert_eq_u32(result.out_status, DRM_SVM_TEST_STATUS_OK);
		igt_assert(svm_cpu_all32(base, size, MAGIC + 1));
	}
	munmap(base, size);
	close(other);
	close(idle);
}

static void unplug_suspended(int fd, const struct unplug *u)
{
	size_t size = svm_range_size();
	char *base = svm_hw_memory(fd, size, u->vram);
	struct svm_spin spin;

	svm_spin_start(&spin, fd, 0);
	svm_hw_write(fd, "suspend", 1);
	svm_hw_unplug(fd, u->how);
	/* All was at home already */
	igt_assert(svm_cpu_all32(base, size, MAGIC));
	svm_spin_free(&spin);
	munmap(base, size);
	close(fd);
}

static void end_by_unplug(int fd)
{
	svm_hw_unplug(fd, SVM_HW_ORDERLY);
}

static void end_by_unload(int fd)
{
	close(fd);
	igt_assert_eq(svm_until(!__svm_delete_module("drm_svm_test_dev"), 5000), true);
}

/*
 * The process that has the device go is killed while pages go home: some are there, and each
 * copy takes long. The pages are those of another process, which gets them all the same.
 * False: all were there before the kill.
 */
static bool is_signalled(void (*end)(int fd))
{
	size_t size = 6 * svm_range_size();
	int ready = svm_gate(), fd, status;
	char *base;
	pid_t pid;

	svm_close_leaked();
	svm_module_load("vram_mb=16 copy_latency_us=60000");
	fd = svm_open_attached();
	base = svm_hw_memory(fd, size, true);
	pid = svm_fork();
	if (!pid) {
		svm_gate_open(ready);
		end(fd);
		exit(0);
	}
	close(fd);
	svm_gate_wait(ready);
	igt_assert(svm_until(svm_device_pages(base, size) < size / svm_page_size(), 60000));
	kill(pid, SIGKILL);
	status = svm_reap(60);
	igt_assert(!status || status == 128 + SIGKILL);
	igt_assert(svm_cpu_all32(base, size, MAGIC));
	munmap(base, size);
	/* nothing is left that keeps the driver */
	svm_module_load(NULL);
	return status;
}

static void signalled(void (*end)(int fd))
{
	igt_assert(is_signalled(end) || is_signalled(end) || is_signalled(end));
}

static void signalled_unplug(void)
{
	signalled(end_by_unplug);
}

static void signalled_unload(void)
{
	signalled(end_by_unload);
}

static const struct svm_test tests[] = {
	{ "signalled-unplug", "The process that unplugs the device is killed.",
	  signalled_unplug },
	{ "signalled-unload", "The process that unloads the driver is killed.",
	  signalled_unload },
};

/* Subtests HOW-NAME-PLACE */
static const struct {
	const char *name;
	const char *describe;
	void (*run)(int fd, const struct unplug *u);
} by_place[] = {
	{ "open", "Files are open, nothing goes on.", unplug_open },
	{ "memory", "Memory outlives files and driver.", unplug_memory },
	{ "busy", "Jobs run, threads and a child wait for them.", unplug_busy },
	{ "faults", "Faults are on their way.", unplug_faults },
	{ "bo", "Buffer objects are bound, in use and mapped.", unplug_bo },
	{ "debugfs", "Files of debugfs are in use.", unplug_debugfs },
	{ "killed", "Processes are killed at the same moment.", unplug_killed },
	{ "prefetch", "Prefetches are under way.", unplug_prefetch },
	{ "calls", "Calls of all kinds are on their way.", unplug_calls },
	{ "peer", "Another device uses the same memory.", unplug_peer },
	{ "peer-faults", "Another device faults beside it meanwhile.", unplug_peer_faults },
	{ "suspended", "The device is suspended.", unplug_suspended },
};

static void run(size_t i, const struct unplug *u)
{
	igt_describe(by_place[i].describe);
	igt_subtest_f("%s-%s-%s", u->how == SVM_HW_ORDERLY ? "orderly" : "gone",
		      by_place[i].name, u->vram ? "vram" : "ram") {
		svm_close_leaked();
		svm_module_load("num_devices=2 vram_mb=16");
		by_place[i].run(svm_open_attached(), u);
		/* Nothing is left that keeps the driver */
		svm_module_unload();
	}
}

int igt_main()
{
	for (size_t i = 0; i < ARRAY_SIZE(by_place); i++)
		for (int how = SVM_HW_ORDERLY; how <= SVM_HW_SURPRISE; how++)
			for (int vram = 0; vram < 2; vram++)
				run(i, &(struct unplug) { how, vram });

	svm_tests(tests);

	igt_fixture()
		svm_vram_off();
}
