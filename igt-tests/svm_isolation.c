// SPDX-License-Identifier: MIT
/*
 * TEST: svm isolation
 * Category: Security
 * Description: An address space belongs to the memory that attached, and to no one else.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <grp.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_job.h"
#include "svm_lib.h"
#include "svm_mem.h"

IGT_TEST_DESCRIPTION("An address space belongs to the memory that attached, and to no one else.");

#define NOBODY	65534

/* What whoever is not the owner gets from every ioctl that concerns memory */
static bool is_foreign(int fd)
{
	struct drm_svm_test_cmd cmd = { .op = DRM_SVM_TEST_OP_TIMESTAMP };
	uint64_t page = svm_page_size(), start = svm_bo_start(fd), job;
	struct drm_svm_events events = { .entries = 1 };
	struct client_counts counters;
	struct drm_svm_vram_info vram;
	struct drm_svm_test_wait wait;
	uint32_t state, word, handle;
	bool foreign = true;

	const struct {
		const char *name;
		int err;
	} calls[] = {
		{ "query", client_query(fd, client_ptr(&word) & -page, page, 0, &state) },
		{ "counters", client_counters(fd, &counters) },
		{ "events", client_events(fd, &events) },
		{ "vram_info", client_vram_info(fd, &vram) },
		{ "submit", client_submit_cmds(fd, &cmd, 1, &job) },
		{ "wait", client_wait(fd, 1, 0, &wait) },
		{ "bo_create", client_bo_create(fd, page, 0, &handle) },
		{ "bo_mmap", client_bo_offset(fd, 1, &job) },
		{ "bo_bind", client_bo_bind(fd, 1, start, 0, page) },
		{ "bo_unbind", client_bo_unbind(fd, start, page) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		if (calls[i].err == -EPERM)
			continue;
		igt_info("%s: %d\n", calls[i].name, calls[i].err);
		foreign = false;
	}
	return foreign;
}

static void assert_owner(int fd)
{
	struct client_counts counters;
	uint32_t word = 0;

	svm_gpu_write32(fd, &word, 0x600d);
	igt_assert_eq_u32(READ_ONCE(word), 0x600d);
	svm_counters(fd, &counters);
	igt_assert_lt_u64(0, client_count(&counters, FAULTS));
}

static void isolation_fork(void)
{
	int fd = svm_open_attached();

	igt_fork(child, 1)
		igt_assert(is_foreign(fd));
	igt_waitchildren();
	assert_owner(fd);
	close(fd);
}

/* A child must not reach the memory of its parent through the parent's file */
static void fork_memory(void)
{
	int fd = svm_open_attached();
	uint32_t *private = svm_mmap_anon(svm_page_size());

	*private = 1;
	svm_gpu_write32(fd, private, 2);
	igt_fork(child, 1) {
		struct drm_svm_test_cmd cmd = svm_cmd_fill(private, 4, 3);
		uint64_t job;

		igt_assert_eq_u32(*private, 2);
		igt_assert_eq(client_submit_cmds(fd, &cmd, 1, &job), -EPERM);
		igt_assert_eq_u32(READ_ONCE(*private), 2);
		*private = 4;
	}
	igt_waitchildren();
	igt_assert_eq_u32(READ_ONCE(*private), 2);
	igt_assert_eq_u32(svm_gpu_read32(fd, private), 2);
	munmap(private, svm_page_size());
	close(fd);
}

/* Attached by the child of fork(): the parent is the foreigner */
static void fork_attach(void)
{
	int fd = svm_open();

	igt_fork(child, 1) {
		svm_attach(fd);
		assert_owner(fd);
	}
	igt_waitchildren();
	igt_assert(is_foreign(fd));
	close(fd);
}

static void isolation_passed(void)
{
	int sock[2];

	igt_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sock), 0);
	igt_fork(child, 1) {
		int fd = svm_receive_fd(sock[1]);

		igt_assert(is_foreign(fd));
		close(fd);
	}
	int fd = svm_open_attached();

	svm_send_fd(sock[0], fd);
	igt_waitchildren();
	assert_owner(fd);
	close(fd);
	close(sock[0]);
	close(sock[1]);
}

/* Threads and CLONE_VM children have the owner's memory */
static void *owner_thread(void *arg)
{
	assert_owner(*(int *)arg);
	return NULL;
}

static int clone_vm_child(void *arg)
{
	struct client_counts counters;

	return client_counters(*(int *)arg, &counters) ? 1 : 0;
}

static void same_memory(void)
{
	int fd = svm_open_attached(), status;
	size_t stack = 1 << 16;
	char *mem = svm_mmap_anon(stack);
	pid_t pid;

	svm_threads(1, owner_thread, &fd, 0);
	pid = clone(clone_vm_child, mem + stack, CLONE_VM | SIGCHLD, &fd);
	igt_assert_lt(0, pid);
	igt_assert(svm_until(waitpid(pid, &status, WNOHANG) == pid, 10000));
	igt_assert_eq(status, 0);
	munmap(mem, stack);
	close(fd);
}

/* Runs in place of the tests when the program is started with --foreign=FD */
static int check_after_exec(int opt, int index, void *data)
{
	if (opt != 'f')
		return IGT_OPT_HANDLER_ERROR;
	_exit(is_foreign(atoi(optarg)) ? 0 : 1);
}

static const struct option long_options[] = {
	{ "foreign", required_argument, NULL, 'f' },
	{}
};

static void exec_self(int fd)
{
	char option[32];

	fcntl(fd, F_SETFD, 0);
	snprintf(option, sizeof(option), "--foreign=%d", fd);
	execl("/proc/self/exe", "svm_isolation", option, NULL);
	_exit(2);
}

static void isolation_exec(void)
{
	if (!svm_fork()) {
		int fd = svm_open_attached();

		assert_owner(fd);
		exec_self(fd);
	}
	igt_assert_eq(svm_reap(30), 0);
}

/* The job of the old memory ends; the file stays foreign to the new one */
static void exec_busy(void)
{
	if (!svm_fork()) {
		struct svm_spin spin;
		int fd = svm_open_attached();

		svm_spin_start(&spin, fd, 0);
		exec_self(fd);
	}
	igt_assert_eq(svm_reap(30), 0);

	int fd = svm_open_attached();
	struct drm_svm_test_cmd cmd = { .op = DRM_SVM_TEST_OP_TIMESTAMP };

	svm_wait_ok(fd, svm_submit_on(fd, 0, &cmd, 1));
	close(fd);
}

/*
 * A dead owner's memory is freed although its file lives on. Shared writable
 * mappings of a memfd keep it from being sealed, so the seal tells.
 */
static void owner_dies(void)
{
	int sock[2], memfd = memfd_create("svm", MFD_ALLOW_SEALING), fd;
	size_t size = 4 * svm_page_size();
	pid_t pid;

	igt_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sock), 0);
	igt_assert_eq(ftruncate(memfd, size), 0);
	pid = svm_fork();
	if (!pid) {
		void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);

		fd = svm_open_attached();
		svm_gpu_touch(fd, map, size, svm_page_size(), true);
		svm_send_fd(sock[1], fd);
		pause();
	}
	fd = svm_receive_fd(sock[0]);
	igt_assert_eq(fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	kill(pid, SIGKILL);
	igt_assert_eq(svm_reap(20), 128 + SIGKILL);
	igt_assert(svm_until(!fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE), 10000));
	igt_assert(is_foreign(fd));
	close(fd);
	close(memfd);
	close(sock[0]);
	close(sock[1]);
}

/* A job of a dead owner neither hangs nor keeps the engine */
static void owner_dies_busy(void)
{
	int sock[2], fd;
	struct drm_svm_test_wait result;
	uint64_t job;
	pid_t pid;

	igt_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sock), 0);
	pid = svm_fork();
	if (!pid) {
		struct svm_spin spin;

		fd = svm_open_attached();
		svm_spin_start(&spin, fd, 0);
		svm_send_fd(sock[1], fd);
		igt_assert_eq(write(sock[1], &spin.job, 8), 8);
		pause();
	}
	fd = svm_receive_fd(sock[0]);
	igt_assert_eq(read(sock[0], &job, 8), 8);
	kill(pid, SIGKILL);
	igt_assert_eq(svm_reap(20), 128 + SIGKILL);
	/* Only a process that may not wait for it cannot see how it ended */
	if (client_wait(fd, job, 30ll * NSEC_PER_SEC, &result) != -EPERM)
		igt_assert_neq(result.out_status, DRM_SVM_TEST_STATUS_OK);
	close(fd);

	fd = svm_open_attached();
	struct drm_svm_test_cmd cmd = { .op = DRM_SVM_TEST_OP_TIMESTAMP };

	svm_wait_ok(fd, svm_submit_on(fd, 0, &cmd, 1));
	close(fd);
	close(sock[0]);
	close(sock[1]);
}

static void drop_privileges(void)
{
	struct rlimit none = { 0, 0 };

	igt_assert_eq(setrlimit(RLIMIT_MEMLOCK, &none), 0);
	igt_assert_eq(setgroups(0, NULL), 0);
	igt_assert_eq(setresgid(NOBODY, NOBODY, NOBODY), 0);
	igt_assert_eq(setresuid(NOBODY, NOBODY, NOBODY), 0);
}

/* No privilege is needed, and nothing is pinned that counts as locked */
static void isolation_unprivileged(void)
{
	int fd = svm_open();

	igt_require(geteuid() == 0);
	igt_fork(child, 1) {
		size_t size = svm_range_size();
		uint32_t *buf = svm_mmap_anon(size);

		drop_privileges();
		svm_attach(fd);
		svm_gpu_fill(fd, buf, size, 0x1234);
		igt_assert(svm_cpu_all32(buf, size, 0x1234));
	}
	igt_waitchildren();
	close(fd);
}

/* Faults that any user can cause must not fill the kernel log */
static void isolation_quiet(void)
{
	int fd = svm_open_attached(), log = svm_log_open();
	uint8_t *hole = svm_mmap_anon(svm_page_size());
	struct drm_svm_test_cmd cmd = svm_cmd_fill(hole, 4, 1);

	munmap(hole, svm_page_size());
	for (int i = 0; i < 100; i++) {
		svm_run_faults(fd, &cmd, ENOENT, client_ptr(hole));
		igt_assert_eq(client_query(fd, 1, 0, 0, NULL), -EINVAL);
	}
	igt_assert_lt_u32(svm_log_count(log, ""), 30);
	close(log);
	close(fd);
}

static const struct svm_test tests[] = {
	{ "fork", "A child of fork() is refused, the parent goes on.", isolation_fork },
	{ "fork-memory", "A child of fork() cannot change its parent's memory.", fork_memory },
	{ "fork-attach", "A child that attaches is the owner, its parent is not.", fork_attach },
	{ "passed", "A process that was handed the file is refused.", isolation_passed },
	{ "same-memory", "Threads and children that share the memory are accepted.", same_memory },
	{ "exec", "After execve() the process is a foreigner to its own file.", isolation_exec },
	{ "exec-busy", "execve() ends a running job and frees its engine.", exec_busy },
	{ "owner-dies", "A file that outlives its owner does not keep the memory.", owner_dies },
	{ "owner-dies-busy", "The running job of a killed owner ends.", owner_dies_busy },
	{ "unprivileged", "An unprivileged process without lockable memory can use it all.",
	  isolation_unprivileged },
	{ "quiet", "Failing faults and calls do not fill the kernel log.", isolation_quiet },
};

int igt_main_args("", long_options, "  --foreign=FD\n", check_after_exec, NULL)
{
	igt_fixture()
		close(svm_open());

	svm_tests(tests);
}
