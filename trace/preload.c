// SPDX-License-Identifier: MIT
/*
 * The part of svm-trace that is in the traced program, by LD_PRELOAD. It takes the place of
 * ioctl(), through which libdrm and everybody else attaches a file. After each attach it opens
 * the events of that address space, and a thread writes them to a file. Only the program
 * itself may read its events, so this cannot be done from outside.
 *
 * The files have high numbers, so that the program gets the numbers that it would get without
 * being traced. The thread blocks all signals, so none is delivered to it.
 *
 * When the program ends by exit() or _exit(), the thread writes what is left. When it is
 * killed, or becomes another one by execve(), what came in the last milliseconds is missing.
 * A child of fork() is traced if it attaches a file of its own.
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <drm.h>

#include "driver.h"
#include "raw.h"

#define HIGH_FD		512
#define ENTRIES		DRM_SVM_EVENTS_MAX
#define BUFFER		(64 * 1024)
#define PAUSE_US	2000	/* lets records gather, which saves the program time */
#define LOOK_MS		200	/* how soon the end is seen if the program closed our files */
#define MOST_FILES	1000

#define VISIBLE	__attribute__((visibility("default")))

struct tracer {
	struct tracer *next;
	pthread_t thread;
	int events;
	int out;
	int stop;		/* an eventfd */
	bool stopping;
	uint32_t event_size;
	uint64_t written, dropped, limit;
	char buffer[BUFFER];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct tracer *tracers;	/* of this process; a child of fork() has none of them */
static pid_t owner;

static int (*real_ioctl)(int fd, unsigned long request, ...);

static void complain(const char *what)
{
	dprintf(STDERR_FILENO, "svm-trace: %s: %s\n", what, strerror(errno));
}

/* Out of the way of the program */
static int move_high(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);

	if (high < 0)
		return fd;
	close(fd);
	return high;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* The thread */

static bool write_all(int file, const char *data, size_t size)
{
	while (size) {
		ssize_t len = write(file, data, size);

		if (len < 0 && errno == EINTR)
			continue;
		if (len <= 0)
			return false;
		data += len;
		size -= len;
	}
	return true;
}

static void keep(struct tracer *t, size_t size)
{
	uint64_t n = size / t->event_size, left = t->limit - t->written;
	uint64_t kept = n < left ? n : left;

	if (kept && !write_all(t->out, t->buffer, kept * t->event_size))
		kept = 0;
	t->written += kept;
	t->dropped += n - kept;
}

/* Read all that there is; returns false at the end. */
static bool drain(struct tracer *t)
{
	ssize_t len;

	while ((len = read(t->events, t->buffer, sizeof(t->buffer))) > 0)
		keep(t, len);
	return len < 0 && (errno == EAGAIN || errno == EINTR);
}

static void write_end(struct tracer *t)
{
	struct drm_svm_event end = {
		.type = TRACE_END,
		.size = t->dropped,
	};

	memset(t->buffer, 0, t->event_size);
	memcpy(t->buffer, &end, sizeof(end));
	write_all(t->out, t->buffer, t->event_size);
}

static void *tracer_main(void *data)
{
	struct tracer *t = data;
	struct pollfd fds[] = {
		{ .fd = t->events, .events = POLLIN },
		{ .fd = t->stop, .events = POLLIN },
	};
	bool stopping;

	do {
		poll(fds, 2, LOOK_MS);
		stopping = __atomic_load_n(&t->stopping, __ATOMIC_ACQUIRE);
		if (!stopping)
			usleep(PAUSE_US);
	} while (drain(t) && !stopping);
	write_end(t);
	return NULL;
}

/* The beginning */

static int open_out(void)
{
	const char *dir = getenv(TRACE_DIR_ENV);
	char path[4096];
	int fd = -1;

	errno = ENOENT;
	for (int i = 0; dir && fd < 0 && i < MOST_FILES; i++) {
		snprintf(path, sizeof(path), "%s/%d-%d", dir, (int)getpid(), i);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0 && errno != EEXIST)
			break;
	}
	return fd;
}

/* Bytes, or 0 if the driver does not tell */
static uint64_t vram_size(int fd, const struct trace_driver *driver)
{
	struct drm_svm_vram_info info = {};

	return real_ioctl(fd, driver->vram_info, &info) ? 0 : info.out_size;
}

static bool write_head(struct tracer *t, const struct trace_driver *driver, int fd)
{
	struct trace_head head = {
		.magic = TRACE_MAGIC,
		.event_size = t->event_size,
		.page_size = sysconf(_SC_PAGESIZE),
		.pid = getpid(),
		.time = now_ns(),
		.vram_size = vram_size(fd, driver),
	};

	snprintf(head.driver, sizeof(head.driver), "%s", driver->name);
	snprintf(head.program, sizeof(head.program), "%s", program_invocation_short_name);
	return write_all(t->out, (const char *)&head, sizeof(head));
}

static bool start_thread(struct tracer *t)
{
	sigset_t all, old;
	bool ok;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	errno = pthread_create(&t->thread, NULL, tracer_main, t);
	ok = !errno;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ok;
}

static void free_tracer(struct tracer *t)
{
	close(t->events);
	close(t->out);
	close(t->stop);
	free(t);
}

/* The child has no thread for them. */
static void forget_tracers(void)
{
	pthread_mutex_init(&lock, NULL);
	while (tracers) {
		struct tracer *t = tracers;

		tracers = t->next;
		close(t->events);
		close(t->out);
		close(t->stop);
	}
	owner = 0;
}

static void add_tracer(struct tracer *t)
{
	pthread_mutex_lock(&lock);
	if (owner != getpid())
		pthread_atfork(NULL, NULL, forget_tracers);
	owner = getpid();
	t->next = tracers;
	tracers = t;
	pthread_mutex_unlock(&lock);
}

static bool trace_to(struct tracer *t, const struct trace_driver *driver, int fd)
{
	const char *limit = getenv(TRACE_LIMIT_ENV);

	t->limit = limit ? strtoull(limit, NULL, 10) : UINT64_MAX;
	t->out = open_out();
	t->stop = eventfd(0, EFD_CLOEXEC);
	if (t->out < 0 || t->stop < 0 || !write_head(t, driver, fd))
		return false;
	t->out = move_high(t->out);
	t->stop = move_high(t->stop);
	t->events = move_high(t->events);
	fcntl(t->events, F_SETFL, O_NONBLOCK);
	return start_thread(t);
}

static void trace_file(int fd, const struct trace_driver *driver)
{
	struct drm_svm_events args = { .entries = ENTRIES };
	struct tracer *t;

	if (real_ioctl(fd, driver->events, &args)) {
		complain("no events");
		return;
	}
	t = calloc(1, sizeof(*t));
	if (!t || args.out_size > BUFFER) {
		close(args.out_fd);
		free(t);
		return;
	}
	t->events = args.out_fd;
	t->event_size = args.out_size;
	if (trace_to(t, driver, fd)) {
		add_tracer(t);
	} else {
		complain("cannot trace");
		free_tracer(t);
	}
}

/* Other drivers have other calls under the same number. */
static bool is_of_driver(int fd, const char *driver)
{
	char name[32] = "";
	struct drm_version version = { .name = name, .name_len = sizeof(name) - 1 };

	return !real_ioctl(fd, DRM_IOCTL_VERSION, &version) && !strcmp(name, driver);
}

static bool is_same_call(unsigned long a, unsigned long b)
{
	return _IOC_TYPE(a) == _IOC_TYPE(b) && _IOC_NR(a) == _IOC_NR(b);
}

static void find_real_ioctl(void)
{
	if (!real_ioctl)
		*(void **)&real_ioctl = dlsym(RTLD_NEXT, "ioctl");
}

VISIBLE int ioctl(int fd, unsigned long request, ...)
{
	int ret, error;
	void *argument;
	va_list args;

	va_start(args, request);
	argument = va_arg(args, void *);
	va_end(args);
	find_real_ioctl();
	ret = real_ioctl(fd, request, argument);
	if (ret)
		return ret;
	error = errno;
	for (unsigned int i = 0; i < trace_num_drivers; i++)
		if (is_same_call(request, trace_drivers[i].attach) &&
		    is_of_driver(fd, trace_drivers[i].name))
			trace_file(fd, &trace_drivers[i]);
	errno = error;
	return ret;
}

/* The end */

static void end_tracers(void)
{
	uint64_t one = 1;

	/* a child of vfork() shares the memory of its parent, whose tracers go on */
	if (owner != getpid())
		return;
	pthread_mutex_lock(&lock);
	for (struct tracer *t = tracers; t; t = t->next) {
		__atomic_store_n(&t->stopping, true, __ATOMIC_RELEASE);
		write_all(t->stop, (const char *)&one, sizeof(one));
		pthread_join(t->thread, NULL);
	}
	tracers = NULL;
	pthread_mutex_unlock(&lock);
}

__attribute__((destructor))
static void trace_exit(void)
{
	end_tracers();
}

static void __attribute__((noreturn)) exit_at_once(const char *name, int status)
{
	void (*real_exit)(int status);

	*(void **)&real_exit = dlsym(RTLD_NEXT, name);
	end_tracers();
	real_exit(status);
	__builtin_unreachable();
}

VISIBLE void _exit(int status)
{
	exit_at_once("_exit", status);
}

VISIBLE void _Exit(int status)
{
	exit_at_once("_Exit", status);
}
