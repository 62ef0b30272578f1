// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <xf86drm.h>

#include "svm_client.h"

#define FIRST_RENDER	128
#define NUM_RENDER	64
#define NSEC_PER_SEC	1000000000ll

static int client_ioctl(int fd, unsigned long request, void *args)
{
	return drmIoctl(fd, request, args) ? -errno : 0;
}

/* The time @timeout_ns from now, or the last that there is */
static int64_t client_deadline(int64_t timeout_ns)
{
	struct timespec now;
	int64_t ns;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ns = now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
	return timeout_ns > INT64_MAX - ns ? INT64_MAX : ns + timeout_ns;
}

static bool is_device(int fd, unsigned int index)
{
	drmVersionPtr version = drmGetVersion(fd);
	struct drm_svm_test_info info;
	bool found = version && !strcmp(version->name, CLIENT_DRIVER);

	drmFreeVersion(version);
	return found && !client_info(fd, &info) && info.out_index == index;
}

int client_open(unsigned int index)
{
	char path[32];
	int fd, i;

	for (i = FIRST_RENDER; i < FIRST_RENDER + NUM_RENDER; i++) {
		snprintf(path, sizeof(path), "/dev/dri/renderD%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (is_device(fd, index))
			return fd;
		close(fd);
	}
	return -ENODEV;
}

int client_info(int fd, struct drm_svm_test_info *info)
{
	memset(info, 0, sizeof(*info));
	return client_ioctl(fd, DRM_IOCTL_SVM_TEST_INFO, info);
}

int client_attach(int fd, struct drm_svm_attach *args)
{
	return client_ioctl(fd, DRM_IOCTL_SVM_TEST_ATTACH, args);
}

static int client_query_pages(int fd, uint64_t start, size_t size, uint32_t flags, void *pages)
{
	struct drm_svm_query args = {
		.start = start,
		.size = size,
		.pages = client_ptr(pages),
		.flags = flags,
	};

	return client_ioctl(fd, DRM_IOCTL_SVM_TEST_QUERY, &args);
}

int client_query(int fd, uint64_t start, size_t size, uint32_t flags, uint32_t *pages)
{
	return client_query_pages(fd, start, size, flags, pages);
}

int client_query_details(int fd, uint64_t start, size_t size, uint64_t *pages)
{
	return client_query_pages(fd, start, size, DRM_SVM_QUERY_DETAILS, pages);
}

int client_query_runs(int fd, uint64_t start, uint64_t size, uint32_t flags,
		      struct drm_svm_query_run *runs, uint32_t *count, uint64_t *next)
{
	struct drm_svm_query args = {
		.start = start,
		.size = size,
		.pages = client_ptr(runs),
		.flags = flags | DRM_SVM_QUERY_RUNS,
		.count = *count,
	};
	int error = client_ioctl(fd, DRM_IOCTL_SVM_TEST_QUERY, &args);

	*count = args.out_count;
	*next = args.out_next;
	return error;
}

int client_prefetch(int fd, struct drm_svm_prefetch *args)
{
	return client_ioctl(fd, DRM_IOCTL_SVM_TEST_PREFETCH, args);
}

int client_counters(int fd, struct client_counts *counts)
{
	struct drm_svm_counters args = {
		.count = DRM_SVM_COUNTER_NUM, .values = client_ptr(counts->v),
	};

	memset(counts, 0, sizeof(*counts));
	return client_ioctl(fd, DRM_IOCTL_SVM_TEST_COUNTERS, &args);
}

int client_events(int fd, struct drm_svm_events *args)
{
	return client_ioctl(fd, DRM_IOCTL_SVM_TEST_EVENTS, args);
}

int client_vram_info(int fd, struct drm_svm_vram_info *info)
{
	memset(info, 0, sizeof(*info));
	return client_ioctl(fd, DRM_IOCTL_SVM_TEST_VRAM_INFO, info);
}

int client_vm(int fd, uint64_t join, uint64_t *vm)
{
	struct drm_svm_test_vm args = { .vm = join };
	int error = client_ioctl(fd, DRM_IOCTL_SVM_TEST_VM, &args);

	*vm = args.out_vm;
	return error;
}

int client_queue_create(int fd, struct drm_svm_test_queue_create *args)
{
	return client_ioctl(fd, DRM_IOCTL_SVM_TEST_QUEUE_CREATE, args);
}

int client_queue_destroy(int fd, uint32_t queue)
{
	struct drm_svm_test_queue_destroy args = { .queue = queue };

	return client_ioctl(fd, DRM_IOCTL_SVM_TEST_QUEUE_DESTROY, &args);
}

int client_submit(int fd, struct drm_svm_test_submit *args)
{
	return client_ioctl(fd, DRM_IOCTL_SVM_TEST_SUBMIT, args);
}

int client_submit_cmds(int fd, const struct drm_svm_test_cmd *cmds, uint32_t n, uint64_t *job)
{
	struct drm_svm_test_submit args = {
		.cmds = client_ptr(cmds),
		.num_cmds = n,
		.queue = DRM_SVM_TEST_QUEUE_ANY,
	};
	int error = client_submit(fd, &args);

	*job = args.out_job;
	return error;
}

int client_wait(int fd, uint64_t job, int64_t timeout_ns, struct drm_svm_test_wait *result)
{
	*result = (struct drm_svm_test_wait) {
		.job = job,
		.timeout = client_deadline(timeout_ns),
	};
	return client_ioctl(fd, DRM_IOCTL_SVM_TEST_WAIT, result);
}

int client_run(int fd, const struct drm_svm_test_cmd *cmds, uint32_t n, int64_t timeout_ns,
	       struct drm_svm_test_wait *result)
{
	uint64_t job;
	int error;

	error = client_submit_cmds(fd, cmds, n, &job);
	return error ?: client_wait(fd, job, timeout_ns, result);
}

int client_cancel_job(int fd, uint64_t job, uint32_t flags)
{
	struct drm_svm_test_cancel args = { .job = job, .flags = flags };

	return client_ioctl(fd, DRM_IOCTL_SVM_TEST_CANCEL, &args);
}

int client_cancel_queue(int fd, uint32_t queue, uint32_t flags)
{
	struct drm_svm_test_cancel args = { .queue = queue, .flags = flags };

	return client_ioctl(fd, DRM_IOCTL_SVM_TEST_CANCEL, &args);
}

int client_fence_wait(int fd, const struct drm_svm_test_fence *fences, uint32_t n, uint32_t flags,
		      int64_t timeout_ns, uint32_t *first)
{
	struct drm_svm_test_fence_wait args = {
		.fences = client_ptr(fences),
		.count = n,
		.flags = flags,
		.timeout = client_deadline(timeout_ns),
	};
	int error = client_ioctl(fd, DRM_IOCTL_SVM_TEST_FENCE_WAIT, &args);

	if (first)
		*first = args.out_first;
	return error;
}

int client_bo_create(int fd, uint64_t size, uint32_t flags, uint32_t *handle)
{
	struct drm_svm_test_bo_create args = { .size = size, .flags = flags };
	int error = client_ioctl(fd, DRM_IOCTL_SVM_TEST_BO_CREATE, &args);

	*handle = args.out_handle;
	return error;
}

int client_bo_close(int fd, uint32_t handle)
{
	struct drm_gem_close args = { .handle = handle };

	return client_ioctl(fd, DRM_IOCTL_GEM_CLOSE, &args);
}

int client_bo_offset(int fd, uint32_t handle, uint64_t *offset)
{
	struct drm_svm_test_bo_mmap args = { .handle = handle };
	int error = client_ioctl(fd, DRM_IOCTL_SVM_TEST_BO_MMAP, &args);

	*offset = args.out_offset;
	return error;
}

int client_bo_bind(int fd, uint32_t handle, uint64_t addr, uint64_t offset, uint64_t size)
{
	struct drm_svm_test_bo_bind args = {
		.addr = addr,
		.size = size,
		.offset = offset,
		.handle = handle,
	};

	return client_ioctl(fd, DRM_IOCTL_SVM_TEST_BO_BIND, &args);
}

int client_bo_unbind(int fd, uint64_t addr, uint64_t size)
{
	struct drm_svm_test_bo_unbind args = { .addr = addr, .size = size };

	return client_ioctl(fd, DRM_IOCTL_SVM_TEST_BO_UNBIND, &args);
}
