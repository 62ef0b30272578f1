// SPDX-License-Identifier: MIT
/*
 * TEST: svm errno
 * Category: Core
 * Description: Each errno has one meaning: a subtest for each row of the table in drm_svm.h.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_hw.h"
#include "svm_job.h"
#include "svm_mem.h"
#include "svm_prefetch.h"

IGT_TEST_DESCRIPTION("Each errno has one meaning, for every ioctl and every job.");

#define NOBODY	65534
#define NOTHING	0xdeadu		/* a number that no object of these tests has */
#define VRAM	DRM_SVM_LOCATION_VRAM
#define SYSTEM	DRM_SVM_LOCATION_SYSTEM

/* All ioctls, and where their flags are */
static const struct any_ioctl {
	const char *name;
	unsigned long request;
	size_t flags;
	bool memory;	/* only for a file that is attached */
} ioctls[] = {
#define IOCTL(NAME, type, memory) \
	{ #NAME, DRM_IOCTL_SVM_TEST_##NAME, offsetof(struct type, flags), memory }
	IOCTL(ATTACH, drm_svm_attach, false),
	IOCTL(QUERY, drm_svm_query, true),
	IOCTL(COUNTERS, drm_svm_counters, true),
	IOCTL(INFO, drm_svm_test_info, false),
	IOCTL(SUBMIT, drm_svm_test_submit, true),
	IOCTL(WAIT, drm_svm_test_wait, false),
	IOCTL(BO_CREATE, drm_svm_test_bo_create, false),
	IOCTL(BO_MMAP, drm_svm_test_bo_mmap, false),
	IOCTL(BO_BIND, drm_svm_test_bo_bind, false),
	IOCTL(BO_UNBIND, drm_svm_test_bo_unbind, false),
	IOCTL(PREFETCH, drm_svm_prefetch, true),
	IOCTL(VM, drm_svm_test_vm, false),
	IOCTL(QUEUE_CREATE, drm_svm_test_queue_create, false),
	IOCTL(QUEUE_DESTROY, drm_svm_test_queue_destroy, false),
	IOCTL(CANCEL, drm_svm_test_cancel, false),
	IOCTL(FENCE_WAIT, drm_svm_test_fence_wait, true),
	IOCTL(EVENTS, drm_svm_events, true),
	IOCTL(VRAM_INFO, drm_svm_vram_info, false),
};

/* A payload with which an ioctl would succeed, or would not find what it names */
union payload {
	uint8_t bytes[256];
	struct drm_svm_query query;
	struct drm_svm_counters counters;
	struct drm_svm_prefetch prefetch;
	struct drm_svm_test_bo_create bo_create;
	struct drm_svm_test_bo_bind bo_bind;
	struct drm_svm_test_bo_unbind bo_unbind;
	struct drm_svm_test_queue_destroy queue_destroy;
	struct drm_svm_test_cancel cancel;
	struct drm_svm_test_fence_wait fence_wait;
	struct drm_svm_events events;
};

static struct drm_svm_test_fence some_fence;

static union payload payload_of(int fd, const struct any_ioctl *call)
{
	static uint32_t *page;
	size_t size = svm_page_size();
	union payload p = {};

	if (!page)
		page = svm_mmap_anon(size);
	some_fence = svm_fence((uint64_t *)page, 0);
	switch (call->request) {
	case DRM_IOCTL_SVM_TEST_QUERY:
		p.query.start = client_ptr(page);
		p.query.size = size;
		p.query.pages = client_ptr(page);
		break;
	case DRM_IOCTL_SVM_TEST_PREFETCH:
		p.prefetch = svm_prefetch_args(page, size, SYSTEM);
		break;
	case DRM_IOCTL_SVM_TEST_BO_CREATE:
		p.bo_create.size = size;
		break;
	case DRM_IOCTL_SVM_TEST_BO_BIND:
		p.bo_bind.addr = svm_bo_start(fd);
		p.bo_bind.size = size;
		p.bo_bind.handle = NOTHING;
		break;
	case DRM_IOCTL_SVM_TEST_BO_UNBIND:
		p.bo_unbind.addr = svm_bo_start(fd);
		p.bo_unbind.size = size;
		break;
	case DRM_IOCTL_SVM_TEST_QUEUE_DESTROY:
		p.queue_destroy.queue = NOTHING;
		break;
	case DRM_IOCTL_SVM_TEST_CANCEL:
		p.cancel.queue = NOTHING;
		break;
	case DRM_IOCTL_SVM_TEST_FENCE_WAIT:
		p.fence_wait.fences = client_ptr(&some_fence);
		p.fence_wait.count = 1;
		break;
	case DRM_IOCTL_SVM_TEST_EVENTS:
		p.events.entries = 1;
		break;
	}
	return p;
}

static int call_ioctl(int fd, unsigned long request, void *args)
{
	return ioctl(fd, request, args) ? -errno : 0;
}

static void assert_returns(int fd, const struct any_ioctl *call, union payload *p, int err)
{
	int got = call_ioctl(fd, call->request, p);

	igt_assert_f(got == err, "%s: %d, not %d\n", call->name, got, err);
}

static int prefetch(int fd, const void *addr, size_t size, uint32_t location)
{
	struct drm_svm_prefetch args = svm_prefetch_args(addr, size, location);

	return __svm_prefetch(fd, &args);
}

/* How a prefetch in a queue ends: its errno */
static int queued_prefetch(int fd, const void *addr, size_t size, uint32_t location)
{
	struct drm_svm_test_cmd cmd = {
		.op = DRM_SVM_TEST_OP_PREFETCH, .dst = client_ptr(addr), .size = size,
		.arg0 = location,
	};

	return __svm_run(fd, &cmd);
}

/* How a job ends that fills a part of a buffer, or why it is refused */
static int buffer_fill(int fd, uint32_t queue, uint64_t addr)
{
	struct drm_svm_test_cmd cmd = svm_cmd_fill((void *)(uintptr_t)addr, 4, 1);
	struct drm_svm_test_submit args = svm_submit_synced(queue, &cmd, 1, NULL, NULL);
	struct drm_svm_test_wait result;
	int err = client_submit(fd, &args);

	if (err)
		return err;
	svm_wait(fd, args.out_job, &result);
	return -(int)result.out_errno;
}

/* EINVAL: malformed */
static void row_einval(int fd)
{
	struct drm_svm_test_sync unsignalled = svm_sync_create(fd, 0);
	uint32_t queue = svm_buffer_queue(fd, 0);
	struct drm_svm_test_submit args = svm_submit_synced(queue, NULL, 0, &unsignalled, NULL);
	size_t page = svm_page_size();
	char *base = svm_mmap_small(page);
	uint32_t state;

	for (size_t i = 0; i < ARRAY_SIZE(ioctls); i++) {
		union payload p = payload_of(fd, &ioctls[i]);

		p.bytes[ioctls[i].flags + 3] |= 0x80;
		assert_returns(fd, &ioctls[i], &p, -EINVAL);
	}
	igt_assert_eq(client_query(fd, 1ull << 63, page, 0, &state), -EINVAL);
	igt_assert_eq(prefetch(fd, base + 1, page, SYSTEM), -EINVAL);
	igt_assert_eq(prefetch(fd, (void *)(1ull << 62), page, SYSTEM), -EINVAL);
	igt_assert_eq(client_queue_destroy(fd, 0), -EINVAL);
	igt_assert_eq(client_submit(fd, &args), -EINVAL);
	igt_assert_eq(__svm_gpu_fill(fd, base + 1, 4, 1), -EINVAL);
	svm_sync_destroy(fd, &unsignalled);
}

/* EBADF: a number that names nothing */
static void row_ebadf(int fd)
{
	struct drm_svm_test_sync sync = { .handle = NOTHING };
	uint32_t queue = svm_buffer_queue(fd, 0), gone = svm_queue(fd, 0);
	struct drm_svm_test_submit args = svm_submit_args(NULL, 0);
	uint64_t start = svm_bo_start(fd), offset, vm, job;
	int own = svm_open(), event = svm_event();

	svm_queue_destroy(fd, gone);
	job = svm_submit(fd, NULL, 0);
	svm_wait_ok(fd, job);
	igt_assert_eq(__svm_poll_job(fd, NOTHING), -EBADF);
	igt_assert_eq(__svm_poll_job(fd, job), -EBADF);
	igt_assert_eq(client_cancel_job(fd, job, 0), -EBADF);
	igt_assert_eq(client_cancel_queue(fd, gone, 0), -EBADF);
	igt_assert_eq(client_queue_destroy(fd, gone), -EBADF);
	args.queue = gone;
	igt_assert_eq(client_submit(fd, &args), -EBADF);
	args = svm_submit_synced(queue, NULL, 0, &sync, NULL);
	igt_assert_eq(client_submit(fd, &args), -EBADF);
	args = svm_submit_synced(queue, NULL, 0, NULL, &sync);
	igt_assert_eq(client_submit(fd, &args), -EBADF);
	args = svm_submit_args(NULL, 0);
	args.flags = DRM_SVM_TEST_SUBMIT_EVENTFD;
	args.eventfd = fd;
	igt_assert_eq(client_submit(fd, &args), -EBADF);
	close(event);
	args.eventfd = event;
	igt_assert_eq(client_submit(fd, &args), -EBADF);
	igt_assert_eq(client_bo_bind(fd, NOTHING, start, 0, svm_page_size()), -EBADF);
	igt_assert_eq(client_bo_offset(fd, NOTHING, &offset), -EBADF);
	igt_assert_eq(client_vm(own, UINT64_MAX, &vm), -EBADF);
	close(own);
}

/* EPERM: the memory of another process; only the device itself may be asked about */
static void row_eperm(int fd)
{
	igt_fork(child, 1) {
		for (size_t i = 0; i < ARRAY_SIZE(ioctls); i++) {
			union payload p = payload_of(fd, &ioctls[i]);
			int err = -EPERM;

			if (ioctls[i].request == DRM_IOCTL_SVM_TEST_INFO)
				err = 0;
			if (ioctls[i].request == DRM_IOCTL_SVM_TEST_ATTACH)
				err = -EEXIST;
			assert_returns(fd, &ioctls[i], &p, err);
		}
	}
	igt_waitchildren();
}

/* EEXIST: it is there already */
static void row_eexist(int fd)
{
	uint64_t size = svm_page_size(), start = svm_bo_start(fd), vm;
	uint32_t handle = svm_bo_create(fd, size, 0);
	struct drm_svm_attach args = {};
	int other = svm_open_attached();

	igt_assert_eq(client_attach(fd, &args), -EEXIST);
	svm_bo_bind(fd, handle, start, size);
	igt_assert_eq(client_bo_bind(fd, handle, start, 0, size), -EEXIST);
	igt_assert_eq(client_vm(fd, 0, &vm), 0);
	igt_assert_eq(client_vm(other, vm, &vm), -EEXIST);
	close(other);
}

/* ENXIO: not attached */
static void row_enxio(int fd)
{
	int own = svm_open(), other = svm_open();
	uint64_t vm;

	for (size_t i = 0; i < ARRAY_SIZE(ioctls); i++) {
		union payload p = payload_of(own, &ioctls[i]);

		if (ioctls[i].memory)
			assert_returns(own, &ioctls[i], &p, -ENXIO);
		else if (ioctls[i].request != DRM_IOCTL_SVM_TEST_ATTACH)
			igt_assert_neq(call_ioctl(own, ioctls[i].request, &p), -ENXIO);
	}
	igt_assert_eq(client_vm(other, 0, &vm), 0);
	igt_assert_eq(client_vm(own, vm, &vm), -ENXIO);
	close(other);
	close(own);
}

/* ENOENT: nothing at the address, whoever is told of it */
static void row_enoent(int fd)
{
	size_t page = svm_page_size();
	char *base = svm_mmap_small(2 * page);
	uint64_t start = svm_bo_start(fd);

	memset(base, 1, 2 * page);
	munmap(base + page, page);
	igt_assert_eq(__svm_gpu_touch(fd, base + page, 4, 4, false), -ENOENT);
	igt_assert_eq(__svm_gpu_touch(fd, base + page, 4, 4, true), -ENOENT);
	igt_assert_eq(prefetch(fd, base, 2 * page, VRAM), -ENOENT);
	igt_assert_eq(prefetch(fd, base, 2 * page, SYSTEM), -ENOENT);
	igt_assert_eq(queued_prefetch(fd, base, 2 * page, VRAM), -ENOENT);
	igt_assert_eq(client_bo_unbind(fd, start, page), -ENOENT);
	igt_assert_eq(__svm_gpu_touch(fd, (void *)(uintptr_t)start, 4, 4, false), -ENOENT);
	igt_assert_eq(buffer_fill(fd, svm_buffer_queue(fd, 0), start), -ENOENT);
	igt_assert_eq(svm_page_kind(fd, base + page), DRM_SVM_PAGE_KIND_UNMAPPED);
	munmap(base, page);
}

/* EACCES: the mapping does not allow it */
static void row_eacces(int fd)
{
	size_t page = svm_page_size();
	char *base = svm_mmap_small(2 * page);

	memset(base, 1, 2 * page);
	igt_assert(!mprotect(base, page, PROT_READ));
	igt_assert(!mprotect(base + page, page, PROT_NONE));
	igt_assert_eq(__svm_gpu_touch(fd, base, 4, 4, false), 0);
	igt_assert_eq(__svm_gpu_touch(fd, base, 4, 4, true), -EACCES);
	igt_assert_eq(__svm_gpu_touch(fd, base + page, 4, 4, false), -EACCES);
	igt_assert_eq(svm_page_kind(fd, base + page), DRM_SVM_PAGE_KIND_NO_ACCESS);
	munmap(base, 2 * page);
}

/* EFAULT: the address cannot be used, by the GPU or as an argument */
static void row_efault(int fd)
{
	size_t page = svm_page_size();
	char *base = svm_mmap_small(page), *file = svm_mmap_fd(svm_memfd(page), 2 * page,
								MAP_SHARED);
	struct drm_svm_test_submit args = svm_submit_args(NULL, 1);
	struct drm_svm_counters counters = { .count = 1 };
	struct drm_svm_test_info info;

	svm_info(fd, &info);
	igt_require(!madvise(base, page, MADV_GUARD_INSTALL));
	igt_assert_eq(__svm_gpu_touch(fd, base, 4, 4, false), -EFAULT);
	igt_assert_eq(svm_page_kind(fd, base), DRM_SVM_PAGE_KIND_BAD);
	igt_assert_eq(__svm_gpu_touch(fd, file + page, 4, 4, false), -EFAULT);
	igt_assert_eq(__svm_gpu_touch(fd, (void *)(1ul << info.out_va_bits), 4, 4, false),
		      -EFAULT);

	igt_assert_eq(client_query(fd, client_ptr(base), page, 0, NULL), -EFAULT);
	igt_assert_eq(call_ioctl(fd, DRM_IOCTL_SVM_TEST_COUNTERS, &counters), -EFAULT);
	igt_assert_eq(client_submit(fd, &args), -EFAULT);
	igt_assert_eq(client_fence_wait(fd, NULL, 1, 0, 0, NULL), -EFAULT);
	for (size_t i = 0; i < ARRAY_SIZE(ioctls); i++)
		assert_returns(fd, &ioctls[i], NULL, -EFAULT);
	munmap(base, page);
	munmap(file, 2 * page);
}

/* EOPNOTSUPP: memory that is not shared */
static void row_eopnotsupp(int fd)
{
	uintptr_t start, end;

	igt_require(svm_vma_named("[vvar]", &start, &end));
	igt_assert_eq(__svm_gpu_touch(fd, (void *)start, 4, 4, false), -EOPNOTSUPP);
	igt_assert_eq(svm_page_kind(fd, (void *)start), DRM_SVM_PAGE_KIND_UNSUPPORTED);
	/* it stays where it is, which is no error */
	igt_assert_eq(prefetch(fd, (void *)start, svm_page_size(), SYSTEM), 0);
}

struct changer {
	char *base;
	size_t size;
	bool stop;
};

static void *change(void *data)
{
	struct changer *c = data;

	while (!READ_ONCE(c->stop)) {
		mprotect(c->base, c->size / 2, PROT_READ);
		mprotect(c->base, c->size / 2, PROT_READ | PROT_WRITE);
		madvise(c->base, c->size, MADV_DONTNEED);
	}
	return NULL;
}

/* EAGAIN: nothing to read yet. No ioctl returns it, however often the mapping changes */
static void row_eagain(int fd)
{
	struct changer c = { .size = 64 * svm_page_size() };
	struct drm_svm_events events = { .entries = 1 };
	struct drm_svm_event event;
	pthread_t thread;
	uint64_t words[64];

	igt_assert_eq(client_events(fd, &events), 0);
	igt_assert_eq(fcntl(events.out_fd, F_SETFL, O_NONBLOCK), 0);
	igt_assert_eq(read(events.out_fd, &event, sizeof(event)), -1);
	igt_assert_eq(errno, EAGAIN);
	close(events.out_fd);

	c.base = svm_mmap_small(c.size);
	igt_assert(!pthread_create(&thread, NULL, change, &c));
	for (int i = 0; i < 20; i++) {
		int err = __svm_gpu_touch(fd, c.base, c.size, svm_page_size(), i & 1);

		/* a write can meet the time in which there is none */
		igt_assert(!err || (i & 1 && err == -EACCES));
		igt_assert_eq(prefetch(fd, c.base, c.size, i & 1 ? SYSTEM : VRAM), 0);
		svm_details(fd, c.base, c.size, words);
	}
	WRITE_ONCE(c.stop, true);
	pthread_join(thread, NULL);
	munmap(c.base, c.size);
}

/* EINTR: a signal arrived, and the same call can be made again */
static void row_eintr(int fd)
{
	uint64_t *fence = svm_mmap_anon(svm_page_size());
	struct drm_svm_test_fence wanted = svm_fence(fence, 1);
	struct drm_svm_test_wait wait = { .timeout = INT64_MAX };
	struct drm_svm_test_fence_wait fences = {
		.fences = client_ptr(&wanted), .count = 1, .timeout = INT64_MAX,
	};

	wait.job = svm_submit_waiter(fd, svm_queue(fd, 0), fence, 1);
	svm_alarms(false, 20000);
	igt_assert_eq(call_ioctl(fd, DRM_IOCTL_SVM_TEST_WAIT, &wait), -EINTR);
	igt_assert_eq(call_ioctl(fd, DRM_IOCTL_SVM_TEST_FENCE_WAIT, &fences), -EINTR);
	svm_alarms(false, 0);
	signal(SIGALRM, SIG_DFL);
	svm_fence_set(fence, 1);
	igt_assert_eq(call_ioctl(fd, DRM_IOCTL_SVM_TEST_FENCE_WAIT, &fences), 0);
	igt_assert_eq(call_ioctl(fd, DRM_IOCTL_SVM_TEST_WAIT, &wait), 0);
	munmap(fence, svm_page_size());
}

/* EMFILE: as many files as the address space, or as the process, may have */
static void row_emfile(int fd)
{
	int files[DRM_SVM_EVENTS_MAX_FILES], err;
	struct drm_svm_events args = { .entries = 1 };
	struct rlimit limit, none;

	for (int i = 0; i < DRM_SVM_EVENTS_MAX_FILES; i++) {
		igt_assert_eq(client_events(fd, &args), 0);
		files[i] = args.out_fd;
	}
	igt_assert_eq(client_events(fd, &args), -EMFILE);
	for (int i = 0; i < DRM_SVM_EVENTS_MAX_FILES; i++)
		close(files[i]);

	igt_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit) { 0, limit.rlim_max };
	igt_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	err = client_events(fd, &args);
	igt_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	igt_assert_eq(err, -EMFILE);
	igt_assert_eq(client_events(fd, &args), 0);
	close(args.out_fd);
}

/* EIO: the device failed to clear memory */
static void row_eio(int fd)
{
	uint32_t handle;

	svm_hw_fail_copy(fd, 0, 1);
	igt_assert_eq(client_bo_create(fd, svm_page_size(), DRM_SVM_TEST_BO_VRAM, &handle), -EIO);
	svm_hw_fail_copy(fd, 0, 0);
	igt_assert_eq(client_bo_create(fd, svm_page_size(), DRM_SVM_TEST_BO_VRAM, &handle), 0);
}

/* A submission that waits for @in, or a job of it that did not run because of that */
static void assert_cancelled_behind(int fd, const struct drm_svm_test_sync *in)
{
	struct drm_svm_test_submit args =
		svm_submit_synced(svm_buffer_queue(fd, 0), NULL, 0, in, NULL);

	svm_wait_failed(fd, svm_submit_ioctl(fd, &args), DRM_SVM_TEST_STATUS_CANCELLED, ECANCELED);
}

/* ECANCELED: by a call, with the queue, or because what it waits for failed */
static void row_ecanceled(int fd)
{
	struct drm_svm_test_sync sync = svm_sync_create(fd, 0);
	uint32_t queue = svm_buffer_queue(fd, 0);
	uint64_t *fence = svm_mmap_anon(svm_page_size()), job;
	struct svm_hold hold = svm_hold_start(fd, queue, &sync);

	/* asserts that the job ends with this error */
	svm_hold_end(&hold);
	igt_assert_eq(svm_sync_status(fd, &sync), -ECANCELED);
	assert_cancelled_behind(fd, &sync);

	queue = svm_queue(fd, 0);
	job = svm_submit_waiter(fd, queue, fence, 1);
	svm_queue_destroy(fd, queue);
	svm_wait_failed(fd, job, DRM_SVM_TEST_STATUS_CANCELLED, ECANCELED);
	svm_sync_destroy(fd, &sync);
	munmap(fence, svm_page_size());
}

/* ETIME: the time of a wait, or that of a job. A job behind it has not run out of time. */
static void row_etime(int fd)
{
	struct drm_svm_test_sync sync = svm_sync_create(fd, 0);
	/* longer than a job needs to begin, on any machine */
	uint32_t queue = svm_buffer_queue(fd, 5ull * NSEC_PER_SEC);
	struct svm_hold hold = svm_hold_start(fd, queue, &sync);
	uint64_t *fence = svm_mmap_anon(svm_page_size());
	struct drm_svm_test_fence wanted = svm_fence(fence, 1);

	igt_assert_eq(client_fence_wait(fd, &wanted, 1, 0, 1000, NULL), -ETIME);
	igt_assert_eq(__svm_poll_job(fd, svm_submit_waiter(fd, svm_queue(fd, 0), fence, 1)),
		      -ETIME);
	svm_wait_failed(fd, hold.job, DRM_SVM_TEST_STATUS_TIMEOUT, ETIME);
	igt_assert_eq(svm_sync_status(fd, &sync), -ETIME);
	assert_cancelled_behind(fd, &sync);
	svm_fence_set(fence, 1);
	svm_buf_free(&hold.buf);
	svm_sync_destroy(fd, &sync);
}

static const struct svm_case cases[] = {
	{ "einval", "EINVAL: a call or a command is malformed.", row_einval },
	{ "ebadf", "EBADF: a number names nothing.", row_ebadf },
	{ "eperm", "EPERM: the memory of another process.", row_eperm },
	{ "eexist", "EEXIST: it is there already.", row_eexist },
	{ "enxio", "ENXIO: not attached.", row_enxio },
	{ "enoent", "ENOENT: nothing at the address.", row_enoent },
	{ "eacces", "EACCES: the mapping does not allow it.", row_eacces },
	{ "efault", "EFAULT: the address cannot be used.", row_efault },
	{ "eopnotsupp", "EOPNOTSUPP: memory that is not shared.", row_eopnotsupp },
	{ "eagain", "EAGAIN: nothing to read yet, and from no ioctl.", row_eagain },
	{ "eintr", "EINTR: a signal, after which the call works.", row_eintr },
	{ "emfile", "EMFILE: too many files of the process, or of the address space.",
	  row_emfile },
	{ "eio", "EIO: the device could not clear memory.", row_eio },
	{ "ecanceled", "ECANCELED: a job was cancelled, or what it waits for failed.",
	  row_ecanceled },
	{ "etime", "ETIME: a wait or a job took too long.", row_etime },
};

/* EBUSY: as many as a file may have are there, and then room again */
static void row_ebusy(void)
{
	uint64_t *fence = svm_mmap_anon(svm_page_size()), jobs[8];
	struct drm_svm_test_queue_create args = { .engine = DRM_SVM_TEST_ENGINE_ANY };
	struct drm_svm_test_cmd wait = svm_cmd_wait(fence, 1);
	struct drm_svm_test_info info;
	uint64_t job;
	int fd;

	svm_module_load("max_jobs=8");
	fd = svm_open_attached();
	svm_info(fd, &info);
	for (int i = 0; i < 8; i++)
		jobs[i] = svm_submit(fd, &wait, 1);
	igt_assert_eq(client_submit_cmds(fd, &wait, 1, &job), -EBUSY);
	svm_fence_set(fence, 1);
	for (int i = 0; i < 8; i++)
		svm_wait_ok(fd, jobs[i]);
	svm_wait_ok(fd, svm_submit(fd, &wait, 1));

	for (uint32_t i = info.out_engines; i < info.out_max_queues; i++)
		igt_assert_eq(client_queue_create(fd, &args), 0);
	igt_assert_eq(client_queue_create(fd, &args), -EBUSY);
	svm_queue_destroy(fd, args.out_queue);
	igt_assert_eq(client_queue_create(fd, &args), 0);
	close(fd);
	munmap(fence, svm_page_size());
}

/* ENOSPC: there is no device memory */
static void row_enospc(void)
{
	size_t page = svm_page_size();
	char *base = svm_mmap_small(page);
	int fd;

	svm_module_load(NULL);
	fd = svm_open_attached();
	base[0] = 1;
	igt_assert_eq(prefetch(fd, base, page, VRAM), -ENOSPC);
	igt_assert_eq(queued_prefetch(fd, base, page, VRAM), -ENOSPC);
	igt_assert_eq(prefetch(fd, base, page, SYSTEM), 0);
	close(fd);
	munmap(base, page);
}

/* ENOMEM: the process may have no more threads */
static void row_enomem(void)
{
	struct drm_svm_attach args = {};
	int fd = svm_open();

	if (!svm_fork()) {
		struct rlimit limit = { 1, 1000 };

		igt_assert_eq(setresuid(NOBODY, NOBODY, NOBODY), 0);
		igt_assert_eq(setrlimit(RLIMIT_NPROC, &limit), 0);
		igt_assert_eq(client_attach(fd, &args), -ENOMEM);
		exit(0);
	}
	igt_assert_eq(svm_reap(60), 0);
	svm_attach(fd);
	svm_assert_works(fd);
	close(fd);
}

/* ENFILE: the system may have no more open files, except those of root */
static void row_enfile(void)
{
	igt_assert(svm_sys_set("/proc/sys/fs/file-max", "0"));
	if (!svm_fork()) {
		struct drm_svm_events args = { .entries = 1 };
		int fd = svm_open_attached();

		igt_assert_eq(client_events(fd, &args), 0);
		close(args.out_fd);
		igt_assert_eq(setresuid(NOBODY, NOBODY, NOBODY), 0);
		igt_assert_eq(client_events(fd, &args), -ENFILE);
		exit(0);
	}
	igt_assert_eq(svm_reap(60), 0);
	svm_sys_restore();
}

/* ENODEV: the device is gone, for each call */
static void row_enodev(void)
{
	uint64_t *fence = svm_mmap_anon(svm_page_size());
	struct drm_svm_test_fence wanted = svm_fence(fence, 1);
	int fd;

	svm_module_load("vram_mb=16");
	fd = svm_open_attached();
	svm_submit_waiter(fd, 0, fence, 1);
	svm_hw_unplug(fd, SVM_HW_ORDERLY);
	for (size_t i = 0; i < ARRAY_SIZE(ioctls); i++) {
		union payload p = {};

		assert_returns(fd, &ioctls[i], &p, -ENODEV);
	}
	igt_assert_eq(client_fence_wait(fd, &wanted, 1, 0, 0, NULL), -ENODEV);
	close(fd);
	munmap(fence, svm_page_size());
	svm_module_unload();
}

static const struct svm_test tests[] = {
	{ "ebusy", "EBUSY: as many as a file may have are there.", row_ebusy },
	{ "enospc", "ENOSPC: a device without memory of its own.", row_enospc },
	{ "enomem", "ENOMEM: no more threads for the process.", row_enomem },
	{ "enfile", "ENFILE: too many files in the system.", row_enfile },
	{ "enodev", "ENODEV: the device is gone.", row_enodev },
};

int igt_main()
{
	igt_fixture()
		svm_module_load("vram_mb=16");

	svm_cases(cases);
	svm_tests(tests);

	igt_fixture()
		svm_module_reset();
}
