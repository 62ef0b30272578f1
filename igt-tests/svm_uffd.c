// SPDX-License-Identifier: MIT
/*
 * userfaultfd: a page that a program provides when it is asked for. A fault of
 * the GPU waits for the program as one of the CPU does, holds up nobody else,
 * and ends when the program goes away.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/userfaultfd.h>

#include "igt.h"
#include "svm_job.h"
#include "svm_mem.h"

IGT_TEST_DESCRIPTION("GPU faults in memory that user space provides.");

#define PAGES	32
#define SEED	0x0ffd0000u

struct handler {
	int uffd;
	int stop[2];
	pthread_t thread;
	char *base;
	char *twin;		/* second mapping, for minor faults */
	unsigned int delay_ms;
	unsigned int missing, wp, minor;	/* events */
	int err;
};

static size_t area_size(void)
{
	return PAGES * svm_page_size();
}

static int uffd_open(uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	igt_require_f(uffd >= 0, "no userfaultfd\n");
	igt_require_f(!ioctl(uffd, UFFDIO_API, &api), "feature 0x%llx is not there\n",
		      (unsigned long long)features);
	return uffd;
}

static void uffd_register(int uffd, void *base, size_t size, uint64_t mode)
{
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)base, .len = size },
		.mode = mode,
	};

	igt_require_f(!ioctl(uffd, UFFDIO_REGISTER, &reg), "register: %s\n",
		      strerror(errno));
}

static int uffd_unregister(int uffd, void *base, size_t size)
{
	struct uffdio_range range = { .start = (uintptr_t)base, .len = size };

	return ioctl(uffd, UFFDIO_UNREGISTER, &range);
}

static int uffd_protect(int uffd, void *base, size_t size, bool protect)
{
	struct uffdio_writeprotect wp = {
		.range = { .start = (uintptr_t)base, .len = size },
		.mode = protect ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	return ioctl(uffd, UFFDIO_WRITEPROTECT, &wp);
}

/* What page @n is filled with */
static uint32_t seed_of(size_t n)
{
	return SEED + (n << 8);
}

static int provide(struct handler *h, uintptr_t at)
{
	struct uffdio_copy copy = { .dst = at, .len = svm_page_size() };
	size_t n = (at - (uintptr_t)h->base) / svm_page_size();
	void *page = aligned_alloc(svm_page_size(), svm_page_size());
	int ret;

	if (!page)
		return -ENOMEM;
	svm_pattern(page, svm_page_size(), seed_of(n));
	copy.src = (uintptr_t)page;
	ret = ioctl(h->uffd, UFFDIO_COPY, &copy);
	free(page);
	/* asked for twice, answered once: the other one only has to wake */
	return ret && errno != EEXIST ? -errno : 0;
}

static int carry_on(struct handler *h, uintptr_t at)
{
	struct uffdio_continue cont = {
		.range = { .start = at, .len = svm_page_size() },
	};
	size_t n = (at - (uintptr_t)h->base) / svm_page_size();

	svm_pattern(svm_page(h->twin, n), svm_page_size(), seed_of(n));
	return ioctl(h->uffd, UFFDIO_CONTINUE, &cont) && errno != EEXIST ? -errno : 0;
}

static int answer(struct handler *h, const struct uffd_msg *msg)
{
	uintptr_t at = msg->arg.pagefault.address & ~(svm_page_size() - 1);

	usleep(h->delay_ms * 1000);
	if (msg->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP) {
		h->wp++;
		return uffd_protect(h->uffd, (void *)at, svm_page_size(), false);
	}
	if (msg->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_MINOR) {
		h->minor++;
		return carry_on(h, at);
	}
	h->missing++;
	return provide(h, at);
}

static void *handler_main(void *data)
{
	struct handler *h = data;
	struct pollfd fds[] = {
		{ .fd = h->uffd, .events = POLLIN },
		{ .fd = h->stop[0], .events = POLLIN },
	};
	struct uffd_msg msg;

	while (poll(fds, 2, -1) > 0 && !fds[1].revents) {
		if (read(h->uffd, &msg, sizeof(msg)) != sizeof(msg))
			continue;
		if (msg.event == UFFD_EVENT_PAGEFAULT && !h->err)
			h->err = answer(h, &msg);
	}
	return NULL;
}

static void handler_start(struct handler *h, uint64_t features, uint64_t mode)
{
	h->uffd = uffd_open(features);
	uffd_register(h->uffd, h->base, area_size(), mode);
	igt_assert(!pipe(h->stop));
	igt_assert(!pthread_create(&h->thread, NULL, handler_main, h));
}

static void handler_stop(struct handler *h)
{
	igt_assert(write(h->stop[1], "", 1) == 1);
	pthread_join(h->thread, NULL);
	close(h->uffd);
	close(h->stop[0]);
	close(h->stop[1]);
	igt_assert_eq(h->err, 0);
}

static void check_pages(int fd, const char *base)
{
	size_t i;

	for (i = 0; i < PAGES; i++)
		igt_assert(svm_gpu_pattern_ok(fd, svm_page(base, i), svm_page_size(),
					      seed_of(i)));
}

/* Each page gets its own data, asked for by the GPU alone */
static void missing_read(int fd)
{
	struct handler h = { .base = svm_mmap_small(svm_range_size()) };

	handler_start(&h, 0, UFFDIO_REGISTER_MODE_MISSING);
	check_pages(fd, h.base);
	handler_stop(&h);
	igt_assert_lte(1, h.missing);
}

static void missing_write(int fd)
{
	struct handler h = { .base = svm_mmap_small(svm_range_size()) };

	handler_start(&h, 0, UFFDIO_REGISTER_MODE_MISSING);
	svm_gpu_write32(fd, h.base, 1);
	handler_stop(&h);
	igt_assert_eq(h.missing, 1);
	igt_assert_eq_u32(*(uint32_t *)h.base, 1);
}

/* One job that runs over all pages meets one fault after the other */
static void missing_one_job(int fd)
{
	struct handler h = { .base = svm_mmap_small(svm_range_size()) };
	char *copy = svm_mmap_anon(area_size());
	size_t i;

	handler_start(&h, 0, UFFDIO_REGISTER_MODE_MISSING);
	svm_gpu_copy(fd, copy, h.base, area_size());
	handler_stop(&h);
	for (i = 0; i < PAGES; i++)
		igt_assert(svm_pattern_ok(svm_page(copy, i), svm_page_size(), seed_of(i)));
}

static void missing_shared(int fd)
{
	struct handler h = {
		.base = svm_mmap_fd(svm_memfd(area_size()), area_size(), MAP_SHARED),
	};

	handler_start(&h, UFFD_FEATURE_MISSING_SHMEM, UFFDIO_REGISTER_MODE_MISSING);
	check_pages(fd, h.base);
	handler_stop(&h);
}

static void minor_shared(int fd)
{
	int file = svm_memfd(area_size());
	struct handler h = {
		.base = svm_mmap_fd(file, area_size(), MAP_SHARED),
		.twin = svm_mmap_fd(file, area_size(), MAP_SHARED),
	};

	memset(h.twin, 0, area_size());
	handler_start(&h, UFFD_FEATURE_MINOR_SHMEM, UFFDIO_REGISTER_MODE_MINOR);
	check_pages(fd, h.base);
	handler_stop(&h);
	igt_assert_lte(1, h.minor);
}

static void wp_area(int fd, struct handler *h, bool mapped)
{
	h->base = svm_mmap_small(svm_range_size());
	memset(h->base, 0x11, area_size());
	if (mapped)
		svm_gpu_touch(fd, h->base, area_size(), svm_page_size(), true);
	memset(h->base, 0x11, area_size());
	handler_start(h, UFFD_FEATURE_PAGEFAULT_FLAG_WP, UFFDIO_REGISTER_MODE_WP);
	igt_require(!uffd_protect(h->uffd, h->base, area_size(), true));
}

/* Protecting takes write access from the GPU; its write asks the program */
static void wp_write(int fd)
{
	struct handler h = {};

	wp_area(fd, &h, true);
	igt_assert(!(svm_prot(fd, h.base) & DRM_SVM_PAGE_WRITE));
	svm_gpu_write32(fd, h.base, 5);
	handler_stop(&h);
	igt_assert_eq(h.wp, 1);
	igt_assert_eq_u32(*(uint32_t *)h.base, 5);
}

static void wp_read(int fd)
{
	struct handler h = {};

	wp_area(fd, &h, false);
	igt_assert_eq_u32(svm_gpu_read32(fd, h.base), 0x11111111);
	igt_assert_eq_u32(svm_prot(fd, h.base), SVM_RO);
	handler_stop(&h);
	igt_assert_eq(h.wp, 0);
}

/* Asynchronous protection has no handler: the kernel only keeps a record */
static void wp_async(int fd)
{
	char *base = svm_mmap_small(svm_range_size());
	int uffd;

#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC	(1 << 15)
#endif
	uffd = uffd_open(UFFD_FEATURE_WP_ASYNC);
	svm_gpu_fill(fd, base, area_size(), 1);
	uffd_register(uffd, base, area_size(), UFFDIO_REGISTER_MODE_WP);
	igt_require(!uffd_protect(uffd, base, area_size(), true));
	igt_assert(svm_pagemap(base) & (1ull << 57));
	svm_gpu_write32(fd, base, 2);
	igt_assert(!(svm_pagemap(base) & (1ull << 57)));
	igt_assert(svm_pagemap(svm_page(base, 1)) & (1ull << 57));
	igt_assert_eq_u32(*(uint32_t *)base, 2);
	close(uffd);
}

/* A fault that waits holds up neither another file of this process ... */
static void slow_handler_other_file(int fd)
{
	struct handler h = {
		.base = svm_mmap_small(svm_range_size()),
		.delay_ms = 1500,
	};
	struct drm_svm_test_cmd cmd = {
		.op = DRM_SVM_TEST_OP_FILL,
		.dst = (uintptr_t)h.base,
		.size = 8,
		.arg0 = 3,
	};
	struct drm_svm_test_wait result;
	char *other = svm_mmap_small(svm_range_size());
	int own = svm_open_attached();
	uint64_t job;

	handler_start(&h, 0, UFFDIO_REGISTER_MODE_MISSING);
	job = svm_submit(fd, &cmd, 1);
	svm_gpu_fill(own, other, area_size(), 4);
	igt_assert_eq(client_wait(fd, job, 0, &result), -ETIME);
	svm_wait(fd, job, &result);
	igt_assert_eq_u32(result.out_errno, 0);
	handler_stop(&h);
	igt_assert_eq_u32(*(uint32_t *)h.base, 3);
	close(own);
}

/* Submits a write to memory that nobody will ever provide. */
static uint64_t submit_unanswered(int fd, int uffd, char *base)
{
	struct drm_svm_test_cmd cmd = {
		.op = DRM_SVM_TEST_OP_FILL,
		.dst = (uintptr_t)base,
		.size = 4,
		.arg0 = 6,
	};
	struct pollfd event = { .fd = uffd, .events = POLLIN };
	uint64_t job;

	uffd_register(uffd, base, area_size(), UFFDIO_REGISTER_MODE_MISSING);
	job = svm_submit(fd, &cmd, 1);
	/* the fault is there */
	igt_assert_eq(poll(&event, 1, 30 * 1000), 1);
	return job;
}

static void uffd_unregistered(int fd)
{
	char *base = svm_mmap_small(svm_range_size());
	int uffd = uffd_open(0);
	uint64_t job = submit_unanswered(fd, uffd, base);
	struct drm_svm_test_wait result;

	igt_assert(!uffd_unregister(uffd, base, area_size()));
	svm_wait(fd, job, &result);
	igt_assert_eq_u32(result.out_errno, 0);
	igt_assert_eq_u32(*(uint32_t *)base, 6);
	close(uffd);
}

static void close_uffd(int fd)
{
	char *base = svm_mmap_small(svm_range_size());
	int uffd = uffd_open(0);
	uint64_t job = submit_unanswered(fd, uffd, base);
	struct drm_svm_test_wait result;

	close(uffd);
	svm_wait(fd, job, &result);
	igt_assert_eq_u32(result.out_errno, 0);
	igt_assert_eq_u32(*(uint32_t *)base, 6);
}

/*
 * The mapping goes while the fault waits. Linux wakes nobody for that, be it
 * CPU or GPU, before the userfaultfd goes; then there is no mapping.
 */
static void munmap_waiting(int fd)
{
	char *base = svm_mmap_small(svm_range_size());
	int uffd = uffd_open(0);
	uint64_t job = submit_unanswered(fd, uffd, base);
	struct drm_svm_test_wait result;

	igt_assert(!munmap(base, svm_range_size()));
	close(uffd);
	svm_wait(fd, job, &result);
	igt_assert_eq_u32(result.out_errno, ENOENT);
}

/* Closing the file cancels the fault that waits */
static void close_waiting(int fd)
{
	char *base = svm_mmap_small(svm_range_size());
	int uffd = uffd_open(0), own = svm_open_attached();

	submit_unanswered(own, uffd, base);
	igt_assert(!close(own));
	svm_gpu_write32(fd, svm_mmap_anon(svm_page_size()), 1);
	close(uffd);
}

static void wait_reaped(pid_t pid, int seconds)
{
	int i, status = 0;

	for (i = 0; i < seconds * 20; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid) {
			igt_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
			return;
		}
		usleep(50000);
	}
	igt_assert_f(false, "process %d cannot be killed\n", pid);
}

/* More such processes than any pool has threads; each is killed and reaped */
static void kill_waiting(int fd, unsigned int num)
{
	int ready = svm_gate();
	char *other = svm_mmap_small(svm_range_size());
	pid_t pids[32];
	unsigned int i;

	for (i = 0; i < num; i++) {
		pids[i] = fork();
		igt_assert(pids[i] >= 0);
		if (!pids[i]) {
			int own = __svm_open(0), uffd = uffd_open(0);

			svm_attach(own);
			submit_unanswered(own, uffd, svm_mmap_small(svm_range_size()));
			svm_gate_open(ready);
			for (;;)
				pause();
		}
	}
	for (i = 0; i < num; i++)
		svm_gate_wait(ready);
	/* served while they wait */
	svm_gpu_fill(fd, other, area_size(), 8);
	for (i = 0; i < num; i++)
		kill(pids[i], SIGKILL);
	for (i = 0; i < num; i++)
		wait_reaped(pids[i], 30);
	svm_gpu_fill(fd, other, area_size(), 9);
	igt_assert(svm_cpu_all32(other, area_size(), 9));
}

static void kill_one(int fd)
{
	kill_waiting(fd, 1);
}

static void kill_many(int fd)
{
	kill_waiting(fd, 12);
}

/* GPU and CPU ask for the same pages at the same time */
static void cpu_and_gpu(int fd)
{
	struct handler h = { .base = svm_mmap_small(svm_range_size()) };
	struct drm_svm_test_cmd cmd = {
		.op = DRM_SVM_TEST_OP_TOUCH,
		.dst = (uintptr_t)h.base,
		.size = area_size(),
		.arg0 = svm_page_size(),
	};
	struct drm_svm_test_wait result;
	uint64_t job;
	size_t i;

	handler_start(&h, 0, UFFDIO_REGISTER_MODE_MISSING);
	job = svm_submit(fd, &cmd, 1);
	for (i = PAGES; i-- > 0;)
		igt_assert(svm_pattern_ok(svm_page(h.base, i), svm_page_size(), seed_of(i)));
	svm_wait(fd, job, &result);
	igt_assert_eq_u32(result.out_errno, 0);
	handler_stop(&h);
}

static void uffd_poison(int fd)
{
#ifdef UFFDIO_POISON
	char *base = svm_mmap_small(svm_range_size());
	struct uffdio_poison args = {
		.range = { .start = (uintptr_t)base, .len = svm_page_size() },
	};
	int uffd = uffd_open(UFFD_FEATURE_POISON);

	uffd_register(uffd, base, area_size(), UFFDIO_REGISTER_MODE_MISSING);
	igt_require(!ioctl(uffd, UFFDIO_POISON, &args));
	igt_assert_eq(__svm_gpu_touch(fd, base, 4, 4, false), -EFAULT);
	igt_assert_eq_u32(svm_query_page(fd, base), 0);
	close(uffd);
#else
	igt_skip("built without UFFDIO_POISON\n");
#endif
}

/* Registers all of an area from page @first on with a program that stays silent */
static int silent_from(char *base, size_t first)
{
	int uffd = uffd_open(0);

	uffd_register(uffd, svm_page(base, first), area_size() - first * svm_page_size(),
		      UFFDIO_REGISTER_MODE_MISSING);
	return uffd;
}

/* The comparison ends in its first page; what lies behind is never read */
static void ahead_not_needed(int fd)
{
	char *dst = svm_mmap_small(svm_range_size()), *src = svm_mmap_small(svm_range_size());
	struct drm_svm_test_wait result;
	uint64_t value = ~0ull;
	struct drm_svm_test_cmd cmd = {
		.op = DRM_SVM_TEST_OP_COMPARE,
		.dst = client_ptr(dst),
		.src = client_ptr(src),
		.size = area_size(),
		.result = client_ptr(&value),
	};
	int uffd = silent_from(dst, 2);

	src[0] = 1;
	svm_wait(fd, svm_submit(fd, &cmd, 1), &result);
	igt_assert_eq_u32(result.out_status, DRM_SVM_TEST_STATUS_OK);
	igt_assert_eq_u64(value, 0);
	close(uffd);
}

/* The write fails in the second page; it never comes to the silent ones */
static void ahead_of_error(int fd)
{
	char *base = svm_mmap_small(svm_range_size());
	struct drm_svm_test_cmd cmd = svm_cmd_fill(base, area_size(), 7);
	int uffd = silent_from(base, 3);

	igt_assert(!mprotect(svm_page(base, 1), svm_page_size(), PROT_READ));
	svm_run_faults(fd, &cmd, EACCES, client_ptr(svm_page(base, 1)));
	igt_assert_eq_u32(*(uint32_t *)base, 7);
	close(uffd);
}

/* The program answers a page only when it has seen what was written before it */
static void ahead_in_turn(int fd)
{
	char *base = svm_mmap_small(svm_range_size()), *page = svm_mmap_anon(svm_page_size());
	struct drm_svm_test_cmd cmd = svm_cmd_fill(base, area_size(), 5);
	int uffd = silent_from(base, 1);
	struct drm_svm_test_wait result;
	uint64_t job = svm_submit(fd, &cmd, 1);
	size_t i;

	for (i = 0; i < PAGES; i++) {
		volatile uint32_t *word = (void *)svm_page(base, i);

		if (i)
			svm_uffd_copy(uffd, (void *)word, page);
		igt_assert(svm_until(*word == 5, 30 * 1000));
	}
	svm_wait(fd, job, &result);
	igt_assert_eq_u32(result.out_errno, 0);
	close(uffd);
}

static const struct svm_case cases[] = {
	{ "missing-read", "A GPU read waits for the page and gets its data.", missing_read },
	{ "missing-write", "A GPU write waits for the page.", missing_write },
	{ "missing-one-job", "One job waits for many pages in turn.", missing_one_job },
	{ "missing-shared", "Pages of shared memory are provided.", missing_shared },
	{ "minor-shared", "Pages that exist are released to the GPU when asked for.",
	  minor_shared },
	{ "wp-write", "A GPU write to a protected page asks the program.", wp_write },
	{ "wp-read", "A GPU read of a protected page does not ask.", wp_read },
	{ "wp-async", "A GPU write is recorded by asynchronous protection.", wp_async },
	{ "slow-other-file", "A fault that waits holds up no other file.",
	  slow_handler_other_file },
	{ "unregister", "Unregistering answers a fault that waits.", uffd_unregistered },
	{ "close-uffd", "Closing the userfaultfd answers a fault that waits.", close_uffd },
	{ "munmap-waiting", "The mapping of a fault that waits goes away.", munmap_waiting },
	{ "close-waiting", "Closing the device file cancels a fault that waits.", close_waiting },
	{ "kill-waiting", "A process whose fault is never answered can be killed.", kill_one },
	{ "kill-many-waiting", "Many such processes hold up nobody and can be killed.",
	  kill_many },
	{ "cpu-and-gpu", "CPU and GPU wait for the same pages.", cpu_and_gpu },
	{ "ahead-not-needed", "Memory that a job never comes to does not delay it.",
	  ahead_not_needed },
	{ "ahead-of-error", "Memory behind an error does not delay the error.", ahead_of_error },
	{ "ahead-in-turn", "A page is provided when the one before it was written.",
	  ahead_in_turn },
	{ "poison", "A poisoned page cannot be read.", uffd_poison },
};

int igt_main()
{
	svm_cases(cases);
}
