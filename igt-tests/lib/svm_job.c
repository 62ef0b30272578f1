// SPDX-License-Identifier: MIT
/*
 * Jobs, syncobjs, threads and children for the tests.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <linux/sync_file.h>
#include <linux/userfaultfd.h>
#include <xf86drm.h>

#include "igt.h"
#include "igt_thread.h"
#include "svm_job.h"
#include "svm_lib.h"

/* Commands */

struct drm_svm_test_cmd svm_cmd_fill(void *dst, size_t size, uint32_t value)
{
	return (struct drm_svm_test_cmd) {
		.op = DRM_SVM_TEST_OP_FILL,
		.dst = client_ptr(dst),
		.size = size,
		.arg0 = value,
	};
}

struct drm_svm_test_cmd svm_cmd_copy(void *dst, const void *src, size_t size)
{
	return (struct drm_svm_test_cmd) {
		.op = DRM_SVM_TEST_OP_COPY,
		.dst = client_ptr(dst),
		.src = client_ptr(src),
		.size = size,
	};
}

struct drm_svm_test_cmd svm_cmd_touch(const void *addr, size_t size, size_t stride, bool write)
{
	return (struct drm_svm_test_cmd) {
		.op = DRM_SVM_TEST_OP_TOUCH,
		.flags = write ? DRM_SVM_TEST_CMD_WRITE : 0,
		.dst = client_ptr(addr),
		.size = size,
		.arg0 = stride,
	};
}

struct drm_svm_test_cmd svm_cmd_add32(void *addr, uint32_t value, uint64_t count)
{
	return (struct drm_svm_test_cmd) {
		.op = DRM_SVM_TEST_OP_ATOMIC_ADD,
		.dst = client_ptr(addr),
		.count = count,
		.arg0 = value,
	};
}

struct drm_svm_test_cmd svm_cmd_add64(void *addr, uint64_t value, uint64_t count)
{
	return (struct drm_svm_test_cmd) {
		.op = DRM_SVM_TEST_OP_ATOMIC_ADD,
		.flags = DRM_SVM_TEST_CMD_64,
		.dst = client_ptr(addr),
		.count = count,
		.arg0 = value,
	};
}

struct drm_svm_test_cmd svm_cmd_next64(uint64_t *addr, uint64_t n)
{
	return (struct drm_svm_test_cmd) {
		.op = DRM_SVM_TEST_OP_ATOMIC_CMPXCHG,
		.flags = DRM_SVM_TEST_CMD_64,
		.dst = client_ptr(addr),
		.arg0 = n,
		.arg1 = n + 1,
	};
}

struct drm_svm_test_cmd svm_cmd_wait(const uint64_t *fence, uint64_t value)
{
	return (struct drm_svm_test_cmd) {
		.op = DRM_SVM_TEST_OP_WAIT,
		.src = client_ptr(fence),
		.arg0 = value,
	};
}

struct drm_svm_test_cmd svm_cmd_signal(uint64_t *fence, uint64_t value)
{
	return (struct drm_svm_test_cmd) {
		.op = DRM_SVM_TEST_OP_SIGNAL,
		.dst = client_ptr(fence),
		.arg0 = value,
	};
}

struct drm_svm_test_cmd svm_cmd_chase(const struct svm_node *node, uint64_t count, void *result)
{
	return (struct drm_svm_test_cmd) {
		.op = DRM_SVM_TEST_OP_CHASE,
		.flags = DRM_SVM_TEST_CMD_64,
		.src = client_ptr(node),
		.count = count,
		.arg0 = offsetof(struct svm_node, next),
		.arg1 = offsetof(struct svm_node, value),
		.result = client_ptr(result),
	};
}

/* Submission and results */

struct drm_svm_test_submit svm_submit_args(const struct drm_svm_test_cmd *cmds, uint32_t n)
{
	return (struct drm_svm_test_submit) {
		.cmds = client_ptr(cmds),
		.num_cmds = n,
		.queue = DRM_SVM_TEST_QUEUE_ANY,
	};
}

uint64_t svm_submit_ioctl(int fd, struct drm_svm_test_submit *args)
{
	igt_assert_eq(client_submit(fd, args), 0);
	return args->out_job;
}

uint64_t svm_submit_on(int fd, uint32_t queue, const struct drm_svm_test_cmd *cmds, uint32_t n)
{
	struct drm_svm_test_submit args = svm_submit_args(cmds, n);

	args.queue = queue;
	return svm_submit_ioctl(fd, &args);
}

struct drm_svm_test_submit svm_submit_synced(uint32_t queue, const struct drm_svm_test_cmd *cmds,
					     uint32_t n, const struct drm_svm_test_sync *in,
					     const struct drm_svm_test_sync *out)
{
	struct drm_svm_test_submit args = svm_submit_args(cmds, n);

	args.queue = queue;
	args.in_syncs = client_ptr(in);
	args.num_in_syncs = !!in;
	args.out_syncs = client_ptr(out);
	args.num_out_syncs = !!out;
	return args;
}

int __svm_poll_job(int fd, uint64_t job)
{
	struct drm_svm_test_wait result;

	return client_wait(fd, job, 0, &result);
}

void svm_wait_ok(int fd, uint64_t job)
{
	svm_wait_failed(fd, job, DRM_SVM_TEST_STATUS_OK, 0);
}

void svm_wait_failed(int fd, uint64_t job, uint32_t status, uint32_t err)
{
	struct drm_svm_test_wait result;

	svm_wait(fd, job, &result);
	igt_assert_f(result.out_status == status && result.out_errno == err,
		     "status %u errno %u (command %u, address %#llx), not %u and %u\n",
		     result.out_status, result.out_errno, result.out_cmd,
		     (unsigned long long)result.out_addr, status, err);
}

void svm_run_faults(int fd, const struct drm_svm_test_cmd *cmd, uint32_t err, uint64_t addr)
{
	struct drm_svm_test_wait result;

	svm_wait(fd, svm_submit(fd, cmd, 1), &result);
	igt_assert_eq_u32(result.out_status, DRM_SVM_TEST_STATUS_FAULT);
	igt_assert_eq_u32(result.out_errno, err);
	igt_assert_eq_u32(result.out_cmd, 0);
	igt_assert_eq_u64(result.out_addr, addr);
}

/* Queues and user fences */

#define A_WHILE_US	20000

uint32_t svm_queue_create(int fd, uint32_t engine, uint32_t priority, uint64_t limit_ns)
{
	struct drm_svm_test_queue_create args = {
		.engine = engine,
		.priority = priority,
		.time_limit_ns = limit_ns,
	};

	igt_assert_eq(client_queue_create(fd, &args), 0);
	return args.out_queue;
}

uint32_t svm_queue(int fd, unsigned int n)
{
	struct drm_svm_test_info info;

	svm_info(fd, &info);
	return svm_queue_create(fd, n % info.out_engines, DRM_SVM_TEST_PRIORITY_NORMAL, 0);
}

uint32_t svm_buffer_queue(int fd, uint64_t limit_ns)
{
	struct drm_svm_test_queue_create args = {
		.engine_class = DRM_SVM_TEST_ENGINE_CLASS_BUFFER,
		.engine = DRM_SVM_TEST_ENGINE_ANY,
		.priority = DRM_SVM_TEST_PRIORITY_NORMAL,
		.time_limit_ns = limit_ns,
	};

	igt_assert_eq(client_queue_create(fd, &args), 0);
	return args.out_queue;
}

void svm_queue_destroy(int fd, uint32_t queue)
{
	igt_assert_eq(client_queue_destroy(fd, queue), 0);
}

uint64_t svm_submit_waiter(int fd, uint32_t queue, const uint64_t *fence, uint64_t value)
{
	struct drm_svm_test_cmd wait = svm_cmd_wait(fence, value);

	return svm_submit_on(fd, queue, &wait, 1);
}

void svm_submit_signal(int fd, uint32_t queue, uint64_t *fence, uint64_t value)
{
	struct drm_svm_test_submit args = svm_submit_args(NULL, 0);

	args.queue = queue;
	args.flags = DRM_SVM_TEST_SUBMIT_NO_RESULT;
	args.signal = svm_fence(fence, value);
	svm_submit_ioctl(fd, &args);
}

void svm_assert_pending(int fd, uint64_t job)
{
	usleep(A_WHILE_US);
	igt_assert_eq(__svm_poll_job(fd, job), -ETIME);
}

int svm_event(void)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	igt_assert_lte(0, event);
	return event;
}

static bool event_seen(int event, uint64_t n, uint64_t *seen)
{
	uint64_t more;

	if (read(event, &more, sizeof(more)) == sizeof(more))
		*seen += more;
	return *seen >= n;
}

bool svm_event_wait(int event, uint64_t n, unsigned int ms)
{
	uint64_t seen = 0;

	return svm_until(event_seen(event, n, &seen), ms) && seen == n;
}

/* Syncobjs */

struct drm_svm_test_sync svm_sync_create(int fd, uint64_t point)
{
	struct drm_svm_test_sync sync = {
		.flags = point ? DRM_SVM_TEST_SYNC_TIMELINE : 0,
		.point = point,
	};

	igt_assert_eq(drmSyncobjCreate(fd, 0, &sync.handle), 0);
	return sync;
}

void svm_sync_destroy(int fd, const struct drm_svm_test_sync *sync)
{
	igt_assert_eq(drmSyncobjDestroy(fd, sync->handle), 0);
}

bool svm_sync_wait(int fd, const struct drm_svm_test_sync *sync, unsigned int ms)
{
	uint32_t handle = sync->handle;
	uint64_t point = sync->point;
	struct timespec now;
	int64_t end;

	clock_gettime(CLOCK_MONOTONIC, &now);
	end = (now.tv_sec * 1000ll + ms) * NSEC_PER_MSEC + now.tv_nsec;
	if (sync->flags & DRM_SVM_TEST_SYNC_TIMELINE)
		return !drmSyncobjTimelineWait(fd, &handle, &point, 1, end, 0, NULL);
	return !drmSyncobjWait(fd, &handle, 1, end, 0, NULL);
}

int svm_sync_file_status(int file)
{
	/* The node of a timeline has no error of its own; the fences in it have */
	struct sync_fence_info fences[32] = {};
	struct sync_file_info info = { .num_fences = 32, .sync_fence_info = client_ptr(fences) };

	igt_assert_eq(ioctl(file, SYNC_IOC_FILE_INFO, &info), 0);
	return info.status;
}

int svm_sync_status(int fd, const struct drm_svm_test_sync *sync)
{
	int file = -1, status;
	uint32_t tmp;

	/* Only a binary syncobj can be exported, so copy the point to one */
	igt_assert_eq(drmSyncobjCreate(fd, 0, &tmp), 0);
	igt_assert_eq(drmSyncobjTransfer(fd, tmp, 0, sync->handle, sync->point, 0), 0);
	igt_assert_eq(drmSyncobjExportSyncFile(fd, tmp, &file), 0);
	status = svm_sync_file_status(file);
	close(file);
	igt_assert_eq(drmSyncobjDestroy(fd, tmp), 0);

	return status;
}

/* Endless jobs */

struct svm_spin_mem {
	struct svm_node node;
	uint32_t running;
};

void svm_spin_submit(struct svm_spin *spin, int fd, uint32_t engine)
{
	struct svm_spin_mem *mem = svm_mmap_anon(sizeof(*mem));
	struct drm_svm_test_cmd cmds[] = {
		svm_cmd_fill(&mem->running, sizeof(mem->running), 1),
		svm_cmd_chase(&mem->node, UINT64_MAX, NULL),
	};

	mem->node.next = &mem->node;
	spin->fd = fd;
	spin->mem = mem;
	spin->job = svm_submit_on(fd, engine, cmds, 2);
}

void svm_spin_start(struct svm_spin *spin, int fd, uint32_t engine)
{
	svm_spin_submit(spin, fd, engine);
	igt_assert(svm_until(READ_ONCE(spin->mem->running), 30000));
	igt_assert_eq(__svm_poll_job(fd, spin->job), -ETIME);
}

void svm_spin_release(struct svm_spin *spin)
{
	WRITE_ONCE(spin->mem->node.next, NULL);
}

void svm_spin_stop(struct svm_spin *spin)
{
	svm_spin_release(spin);
	svm_wait_ok(spin->fd, spin->job);
	svm_spin_free(spin);
}

void svm_spin_free(struct svm_spin *spin)
{
	munmap(spin->mem, sizeof(*spin->mem));
}

/* Threads and children */

void svm_threads(unsigned int n, void *(*fn)(void *arg), void *args, size_t size)
{
	pthread_t *threads = calloc(n, sizeof(*threads));

	igt_assert(threads);
	for (unsigned int i = 0; i < n; i++)
		igt_assert_eq(pthread_create(&threads[i], NULL, fn, (char *)args + i * size), 0);
	for (unsigned int i = 0; i < n; i++)
		igt_assert_eq(pthread_join(threads[i], NULL), 0);
	free(threads);
	igt_thread_assert_no_failures();
}

pid_t svm_fork(void)
{
	int ends[2];
	pid_t pid;

	igt_assert_eq(pipe(ends), 0);
	if (__igt_fork()) {
		pid = getpid();
		igt_assert_eq(write(ends[1], &pid, sizeof(pid)), sizeof(pid));
		close(ends[0]);
		close(ends[1]);
		return 0;
	}
	igt_assert_eq(read(ends[0], &pid, sizeof(pid)), sizeof(pid));
	close(ends[0]);
	close(ends[1]);
	return pid;
}

int svm_reap(unsigned int seconds)
{
	int status;

	igt_set_timeout(seconds, "a child does not end");
	status = __igt_waitchildren();
	igt_reset_timeout();
	return status;
}

void svm_send_fd(int sock, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = {}, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &fd, sizeof(int));
	igt_assert_eq(sendmsg(sock, &msg, 0), 1);
}

int svm_receive_fd(int sock)
{
	char control[CMSG_SPACE(sizeof(int))] = {}, byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd;

	igt_assert_eq(recvmsg(sock, &msg, 0), 1);
	igt_assert(CMSG_FIRSTHDR(&msg));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	return fd;
}

static void on_alarm(int sig)
{
}

void svm_alarms(bool restart, long us)
{
	struct sigaction action = {
		.sa_handler = on_alarm, .sa_flags = restart ? SA_RESTART : 0,
	};
	struct itimerval often = { { 0, us }, { 0, us } };

	igt_assert_eq(sigaction(SIGALRM, &action, NULL), 0);
	igt_assert_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
}

/* userfaultfd */

int svm_uffd_open(void *addr, size_t size)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { .start = client_ptr(addr), .len = size },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	igt_require_f(uffd >= 0, "no userfaultfd: %s\n", strerror(errno));
	igt_assert_eq(ioctl(uffd, UFFDIO_API, &api), 0);
	igt_assert_eq(ioctl(uffd, UFFDIO_REGISTER, &reg), 0);
	return uffd;
}

bool svm_uffd_pending(int uffd, unsigned int ms, uint64_t *addr)
{
	struct pollfd pollfd = { .fd = uffd, .events = POLLIN };
	struct uffd_msg msg;

	if (poll(&pollfd, 1, ms) != 1 || read(uffd, &msg, sizeof(msg)) != sizeof(msg))
		return false;
	igt_assert_eq(msg.event, UFFD_EVENT_PAGEFAULT);
	*addr = msg.arg.pagefault.address;
	return true;
}

void svm_uffd_copy(int uffd, void *page, const void *from)
{
	struct uffdio_copy copy = {
		.dst = client_ptr(page),
		.src = client_ptr(from),
		.len = svm_page_size(),
	};

	igt_assert_eq(ioctl(uffd, UFFDIO_COPY, &copy), 0);
}

/* The map of a buffer object keeps the file open. */
static void unmap_leaked(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end;
	char line[512];

	igt_assert(maps);
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, "/dev/dri/render") &&
		    sscanf(line, "%lx-%lx", &start, &end) == 2)
			munmap((void *)start, end - start);
	fclose(maps);
}

/* Close all files whose name begins with @name. */
static void close_named(const char *name)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t size = strlen(name);
	struct dirent *entry;

	igt_assert(dir);
	while ((entry = readdir(dir))) {
		char target[64];
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target));

		if (len >= (ssize_t)size && !memcmp(target, name, size))
			close(atoi(entry->d_name));
	}
	closedir(dir);
}

void svm_close_events(void)
{
	close_named("anon_inode:[drm_svm_events]");
}

void svm_close_leaked(void)
{
	unmap_leaked();
	svm_close_events();
	close_named("/dev/dri/render");
}
