// SPDX-License-Identifier: MIT
/*
 * TEST: svm threads
 * Category: Robustness
 * Description: Threads of a process serve its faults. They are stopped, frozen and killed
 *	with the process, and hold up no other process.
 */

#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "igt.h"
#include "svm_fuse.h"
#include "svm_job.h"
#include "svm_lib.h"
#include "svm_mem.h"

IGT_TEST_DESCRIPTION("Threads of the process serve its faults, and end with it.");

#define SETTLE_MS	20000
#define MAX_TASKS	64

/* All threads of a process */
static unsigned int list_tasks(pid_t pid, pid_t *tids)
{
	struct dirent *entry;
	unsigned int n = 0;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	igt_assert(dir);
	while (n < MAX_TASKS && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			tids[n++] = atoi(entry->d_name);
	}
	closedir(dir);
	return n;
}

/* Have the GPU read a page that does not come; returns the job, not the page */
static uint64_t read_page(int fd, const void *page)
{
	struct drm_svm_test_cmd cmd = svm_cmd_touch(page, 4, 4, false);

	return svm_submit(fd, &cmd, 1);
}

struct pending {
	uint32_t *page;
	int uffd;
	uint64_t job;
};

static struct pending pend(int fd)
{
	struct pending p = { .page = svm_mmap_anon(svm_page_size()) };
	uint64_t addr;

	p.uffd = svm_uffd_open(p.page, svm_page_size());
	p.job = read_page(fd, p.page);
	igt_assert(svm_uffd_pending(p.uffd, 60000, &addr));
	return p;
}

static void answer(int fd, struct pending *p)
{
	uint32_t *from = svm_mmap_anon(svm_page_size());

	*from = 42;
	svm_uffd_copy(p->uffd, p->page, from);
	svm_wait_ok(fd, p->job);
	igt_assert_eq_u32(svm_gpu_read32(fd, p->page), 42);
	close(p->uffd);
}

/* The child that is stopped, with a fault that waits; it goes on when told to */
static pid_t fork_pending(int *sock, int gate)
{
	pid_t pid = svm_fork();

	if (!pid) {
		int fd = svm_open_attached();
		struct pending p = pend(fd);

		svm_send_fd(sock[1], fd);
		svm_gate_wait(gate);
		answer(fd, &p);
		svm_assert_works(fd);
		close(fd);
		exit(0);
	}
	return pid;
}

/* Another engine never comes to the end of its faults */
static void fault_on(int fd)
{
	struct drm_svm_test_cmd cmd;
	size_t size = 1ul << 40;
	void *map;

	map = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	igt_assert(map != MAP_FAILED);
	cmd = svm_cmd_touch(map, size, svm_page_size(), false);
	svm_submit_on(fd, 1, &cmd, 1);
}

/* The child has given its file away, and has a fault that nobody will answer */
static pid_t fork_giver(int *sock, int gate)
{
	pid_t pid = svm_fork();

	if (!pid) {
		int fd = svm_open_attached();

		pend(fd);
		fault_on(fd);
		svm_send_fd(sock[1], fd);
		close(fd);
		svm_gate_wait(gate);
		exit(0);
	}
	return pid;
}

static void assert_closes(int fd)
{
	igt_set_timeout(60, "close waits for another process");
	close(fd);
	igt_reset_timeout();
}

struct stage {
	int sock[2];
	int gate;
	pid_t pid;
	int fd;
};

static void stage_begin(struct stage *s, pid_t (*start)(int *sock, int gate))
{
	igt_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, s->sock), 0);
	s->gate = svm_gate();
	s->pid = start(s->sock, s->gate);
	s->fd = svm_receive_fd(s->sock[0]);
}

static void stage_end(struct stage *s)
{
	svm_gate_open(s->gate);
	igt_assert_eq(svm_reap(60), 0);
	close(s->gate);
	close(s->sock[0]);
	close(s->sock[1]);
}

static void stop_child(pid_t pid)
{
	int status;

	kill(pid, SIGSTOP);
	igt_set_timeout(60, "a process does not stop");
	igt_assert_eq(waitpid(pid, &status, WUNTRACED), pid);
	igt_reset_timeout();
	igt_assert(WIFSTOPPED(status));
}

/* A fault that waits keeps no process from being stopped, and goes on with it */
static void threads_stop(void)
{
	struct stage s;

	stage_begin(&s, fork_pending);
	stop_child(s.pid);
	kill(s.pid, SIGCONT);
	stage_end(&s);
	close(s.fd);
}

static void stop_close(void)
{
	struct stage s;

	stage_begin(&s, fork_giver);
	stop_child(s.pid);
	assert_closes(s.fd);
	kill(s.pid, SIGCONT);
	stage_end(&s);
}

static bool is_frozen(const char *dir)
{
	char path[128], line[64];
	bool frozen = false;
	FILE *file;

	snprintf(path, sizeof(path), "%s/cgroup.events", dir);
	file = fopen(path, "r");
	igt_assert(file);
	while (fgets(line, sizeof(line), file))
		frozen |= !strcmp(line, "frozen 1\n");
	fclose(file);
	return frozen;
}

static void freeze(struct stage *s, bool close_it)
{
	const char *dir = "/sys/fs/cgroup/svm-freeze";
	char path[64], text[16];

	igt_require(!mkdir(dir, 0755) || errno == EEXIST);
	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	snprintf(text, sizeof(text), "%d", s->pid);
	igt_assert(svm_sys_write(path, text));
	snprintf(path, sizeof(path), "%s/cgroup.freeze", dir);
	igt_assert(svm_sys_write(path, "1"));
	igt_assert(svm_until(is_frozen(dir), SETTLE_MS));
	if (close_it)
		assert_closes(s->fd);
	igt_assert(svm_sys_write(path, "0"));
	igt_assert(svm_until(!is_frozen(dir), SETTLE_MS));
	stage_end(s);
	igt_assert(svm_until(!rmdir(dir), SETTLE_MS));
}

static void threads_freeze(void)
{
	struct stage s;

	stage_begin(&s, fork_pending);
	freeze(&s, false);
	close(s.fd);
}

static void freeze_close(void)
{
	struct stage s;

	stage_begin(&s, fork_giver);
	freeze(&s, true);
}

/* A debugger stops each thread that it finds */
static void threads_trace(void)
{
	pid_t tids[MAX_TASKS];
	struct stage s;
	unsigned int n;
	int status;

	stage_begin(&s, fork_pending);
	n = list_tasks(s.pid, tids);
	igt_assert_lt(2, n);
	for (unsigned int i = 0; i < n; i++) {
		igt_assert_eq(ptrace(PTRACE_SEIZE, tids[i], 0, 0), 0);
		igt_assert_eq(ptrace(PTRACE_INTERRUPT, tids[i], 0, 0), 0);
		igt_set_timeout(60, "a thread does not stop");
		igt_assert_eq(waitpid(tids[i], &status, __WALL), tids[i]);
		igt_reset_timeout();
		igt_assert(WIFSTOPPED(status));
	}
	for (unsigned int i = 0; i < n; i++)
		igt_assert_eq(ptrace(PTRACE_DETACH, tids[i], 0, 0), 0);
	stage_end(&s);
	close(s.fd);
}

static void *attach_thread(void *arg)
{
	svm_attach(*(int *)arg);
	return NULL;
}

/* The thread that attached ends before the GPU faults */
static void thread_gone(void)
{
	int fd = svm_open();

	svm_threads(1, attach_thread, &fd, 0);
	svm_assert_works(fd);
	close(fd);
}

static void threads_exec(void)
{
	int sock[2], fd;

	igt_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sock), 0);
	if (!svm_fork()) {
		fd = svm_open_attached();
		pend(fd);
		svm_send_fd(sock[1], fd);
		execl("/bin/true", "true", NULL);
		exit(1);
	}
	fd = svm_receive_fd(sock[0]);
	igt_assert_eq(svm_reap(60), 0);
	assert_closes(fd);
	close(sock[0]);
	close(sock[1]);
}

static const char *map_file(const struct svm_fuse *fuse)
{
	int file = open(fuse->path, O_RDONLY);
	void *map;

	igt_assert(file >= 0);
	map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, file, 0);
	igt_assert(map != MAP_FAILED);
	close(file);
	return map;
}

/* The file system answers, so the child goes on, and ends */
static void let_child_end(struct svm_fuse *fuse, const int *sock, int gate)
{
	svm_fuse_answer(fuse);
	svm_gate_open(gate);
	igt_assert_eq(svm_reap(60), 0);
	svm_fuse_stop(fuse);
	close(gate);
	close(sock[0]);
	close(sock[1]);
}

/* Only the process that maps the file waits for a file system that does not answer */
static void fuse_close(void)
{
	struct svm_fuse fuse;
	int sock[2], gate = svm_gate(), fd;

	svm_fuse_start(&fuse);
	igt_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sock), 0);
	if (!svm_fork()) {
		fd = svm_open_attached();
		read_page(fd, map_file(&fuse));
		svm_send_fd(sock[1], fd);
		close(fd);
		svm_gate_wait(gate);
		exit(0);
	}
	fd = svm_receive_fd(sock[0]);
	igt_assert(svm_until(READ_ONCE(fuse.nreads), SETTLE_MS));
	assert_closes(fd);
	let_child_end(&fuse, sock, gate);
}

/* The child of fuse_kill(): a job of its own waits for the file system */
static void read_and_give(const struct svm_fuse *fuse, int sock, int event)
{
	struct drm_svm_test_cmd cmd = svm_cmd_touch(map_file(fuse), 4, 4, false);
	struct drm_svm_test_submit args = svm_submit_args(&cmd, 1);
	int fd = svm_open_attached();

	args.flags = DRM_SVM_TEST_SUBMIT_EVENTFD;
	args.eventfd = event;
	svm_submit_ioctl(fd, &args);
	svm_send_fd(sock, fd);
	pause();
}

/* The jobs of a killed process end, though no signal reaches one of its threads */
static void fuse_kill(void)
{
	int sock[2], event = svm_event(), fd;
	struct svm_fuse fuse;
	pid_t pid;

	svm_fuse_start(&fuse);
	igt_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sock), 0);
	pid = svm_fork();
	if (!pid)
		read_and_give(&fuse, sock[1], event);
	fd = svm_receive_fd(sock[0]);
	igt_assert(svm_until(READ_ONCE(fuse.nreads), SETTLE_MS));
	igt_assert(!svm_event_wait(event, 1, 0));
	kill(pid, SIGKILL);
	igt_assert(svm_event_wait(event, 1, SETTLE_MS));
	close(event);
	assert_closes(fd);
	svm_fuse_answer(&fuse);
	igt_assert_eq(svm_reap(60), 128 + SIGKILL);
	svm_fuse_stop(&fuse);
	close(sock[0]);
	close(sock[1]);
}

/* The thread that uses a file last gives it back, although it never returns to user space */
static void fuse_file(void)
{
	int fd = svm_open_attached();
	struct svm_fuse fuse;
	const char *map;

	svm_fuse_start(&fuse);
	map = map_file(&fuse);
	read_page(fd, map);
	igt_assert(svm_until(READ_ONCE(fuse.nreads), SETTLE_MS));
	igt_assert_eq(munmap((void *)map, 4096), 0);
	svm_fuse_answer(&fuse);
	igt_assert(svm_until(READ_ONCE(fuse.nreleases), SETTLE_MS));
	svm_assert_works(fd);
	svm_fuse_stop(&fuse);
	close(fd);
}

struct holder {
	const char *map;
	int gate;
	volatile bool mapped;
};

/* A read of /proc/self/mem holds mmap_lock while the page comes */
static void *read_mem(void *arg)
{
	struct holder *h = arg;
	int mem = open("/proc/self/mem", O_RDONLY);
	char byte = 0;

	igt_assert_eq(pread(mem, &byte, 1, (uintptr_t)h->map), 1);
	close(mem);
	return NULL;
}

/* A writer waits behind that reader, and keeps all other readers out */
static void *map_more(void *arg)
{
	struct holder *h = arg;

	svm_gate_wait(h->gate);
	svm_mmap_anon(svm_page_size());
	h->mapped = true;
	return NULL;
}

/*
 * The child of lock_close(). Nobody gets its mmap_lock until the page comes, so it makes
 * all that it needs before.
 */
static void hold_lock(const struct svm_fuse *fuse, int *sock, int gate)
{
	struct holder h = { .map = map_file(fuse), .gate = svm_gate() };
	uint32_t *page = svm_mmap_anon(svm_page_size());
	int fd = svm_open_attached();
	pthread_t threads[2];

	igt_assert_eq(pthread_create(&threads[1], NULL, map_more, &h), 0);
	igt_assert_eq(pthread_create(&threads[0], NULL, read_mem, &h), 0);
	svm_gate_wait(gate);
	svm_gate_open(h.gate);
	/* the thread is about to take the lock, which nothing shows */
	usleep(200000);
	igt_assert(!h.mapped);
	read_page(fd, page);
	/* by now the worker no longer tries the lock, but waits for it, which nothing shows */
	usleep(500000);
	svm_send_fd(sock[1], fd);
	close(fd);
	svm_gate_wait(gate);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	exit(0);
}

/* A process that holds its mmap_lock holds up its own faults only */
static void lock_close(void)
{
	int sock[2], gate = svm_gate(), fd;
	struct svm_fuse fuse;

	svm_fuse_start(&fuse);
	igt_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sock), 0);
	if (!svm_fork())
		hold_lock(&fuse, sock, gate);
	igt_assert(svm_until(READ_ONCE(fuse.nreads), SETTLE_MS));
	svm_gate_open(gate);
	fd = svm_receive_fd(sock[0]);
	assert_closes(fd);
	let_child_end(&fuse, sock, gate);
}

static const struct svm_test tests[] = {
	{ "stop", "A process with a fault that waits stops, and goes on.", threads_stop },
	{ "stop-close", "The file of a stopped process can be closed.", stop_close },
	{ "freeze", "A process with a fault that waits freezes, and goes on.", threads_freeze },
	{ "freeze-close", "The file of a frozen process can be closed.", freeze_close },
	{ "trace", "A debugger stops all threads, and lets them go on.", threads_trace },
	{ "thread-gone", "Faults outlive the thread that attached.", thread_gone },
	{ "exec", "execve() ends them, also if another process has the file.", threads_exec },
	{ "fuse-close",
	  "A file system that does not answer keeps nobody from closing a file of its user.",
	  fuse_close },
	{ "fuse-kill",
	  "The jobs of a killed process end, though a file system holds one of its threads.",
	  fuse_kill },
	{ "fuse-file", "A file that is unmapped while a fault reads it goes.", fuse_file },
	{ "lock-close", "A process that holds its mmap_lock keeps nobody from closing its file.",
	  lock_close },
};

int igt_main()
{
	igt_fixture()
		svm_module_reset();

	svm_tests(tests);
}
