// SPDX-License-Identifier: MIT
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <xf86drm.h>

#include "gpu.h"

#define DRIVER_NAME	"drm_svm_test_dev"
#define FIRST_RENDER	128
#define NUM_RENDER	64
#define WAIT_SECONDS	300

static bool is_virtual_gpu(int fd)
{
	drmVersionPtr version = drmGetVersion(fd);
	bool found = version && !strcmp(version->name, DRIVER_NAME);

	drmFreeVersion(version);
	return found;
}

static int open_render_node(unsigned int n)
{
	char path[32];
	int fd, i;

	for (i = FIRST_RENDER; i < FIRST_RENDER + NUM_RENDER; i++) {
		snprintf(path, sizeof(path), "/dev/dri/renderD%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (is_virtual_gpu(fd) && !n--)
			return fd;
		close(fd);
	}
	return -1;
}

static void load_module(const char *params)
{
	char command[128];

	snprintf(command, sizeof(command), "modprobe %s %s", DRIVER_NAME, params);
	if (system(command))
		warnx("cannot load the module: %s", command);
}

static void attach(struct gpu *gpu)
{
	struct drm_svm_attach args = {};

	if (drmIoctl(gpu->fd, DRM_IOCTL_SVM_TEST_ATTACH, &args))
		err(EXIT_FAILURE, "cannot attach the GPU to this process");
	gpu->va_start = args.out_va_start;
	gpu->va_end = args.out_va_end;
	gpu->page_size = args.out_page_size;
	gpu->range_size = args.out_range_size;
}

void gpu_open_nth(struct gpu *gpu, unsigned int n, const char *params)
{
	memset(gpu, 0, sizeof(*gpu));
	gpu->fd = open_render_node(n);
	if (gpu->fd < 0) {
		load_module(params);
		gpu->fd = open_render_node(n);
	}
	if (gpu->fd < 0)
		errx(EXIT_FAILURE, "no virtual GPU in /dev/dri (modprobe %s %s, as root)",
		     DRIVER_NAME, params);
	if (drmIoctl(gpu->fd, DRM_IOCTL_SVM_TEST_INFO, &gpu->info))
		err(EXIT_FAILURE, "the GPU does not say what it is made of");
	attach(gpu);
}

void gpu_open(struct gpu *gpu, const char *params)
{
	gpu_open_nth(gpu, 0, params);
}

void gpu_close(struct gpu *gpu)
{
	close(gpu->fd);
}

int gpu_submit(struct gpu *gpu, const struct drm_svm_test_cmd *cmds, unsigned int n,
	       uint64_t *job)
{
	struct drm_svm_test_submit args = {
		.cmds = gpu_ptr(cmds),
		.num_cmds = n,
		.engine = DRM_SVM_TEST_ENGINE_ANY,
	};

	if (drmIoctl(gpu->fd, DRM_IOCTL_SVM_TEST_SUBMIT, &args))
		return -errno;
	*job = args.out_job;
	return 0;
}

void gpu_wait(struct gpu *gpu, uint64_t job, struct drm_svm_test_wait *result)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	*result = (struct drm_svm_test_wait) {
		.job = job,
		.timeout = (now.tv_sec + WAIT_SECONDS) * 1000000000ll,
	};
	if (drmIoctl(gpu->fd, DRM_IOCTL_SVM_TEST_WAIT, result))
		err(EXIT_FAILURE, "the GPU's job %llu does not end",
		    (unsigned long long)job);
}

int gpu_run(struct gpu *gpu, const struct drm_svm_test_cmd *cmds, unsigned int n,
	    struct drm_svm_test_wait *result)
{
	struct drm_svm_test_wait unused;
	uint64_t job = 0;
	int ret;

	ret = gpu_submit(gpu, cmds, n, &job);
	if (ret)
		errx(EXIT_FAILURE, "cannot submit to the GPU: %s", strerror(-ret));
	if (!result)
		result = &unused;
	gpu_wait(gpu, job, result);
	return result->out_errno;
}

const char *gpu_strerror(int error)
{
	switch (error) {
	case 0:
		return "no error";
	case ENOENT:
		return "nothing is mapped there";
	case EACCES:
		return "the mapping does not allow this access";
	case EFAULT:
		return "the memory there cannot be used";
	case EOPNOTSUPP:
		return "memory of a kind that a GPU cannot share";
	default:
		return strerror(error);
	}
}

static void query(struct gpu *gpu, uint64_t start, size_t size, uint32_t *pages,
		  uint32_t flags)
{
	struct drm_svm_query args = {
		.start = start,
		.size = size,
		.pages = gpu_ptr(pages),
		.flags = flags,
	};

	if (drmIoctl(gpu->fd, DRM_IOCTL_SVM_TEST_QUERY, &args))
		err(EXIT_FAILURE, "the GPU does not say what it sees at 0x%llx",
		    (unsigned long long)start);
}

void gpu_query(struct gpu *gpu, uint64_t start, size_t size, uint32_t *pages)
{
	query(gpu, start, size, pages, 0);
}

void gpu_residence(struct gpu *gpu, uint64_t start, size_t size, uint32_t *pages)
{
	query(gpu, start, size, pages, DRM_SVM_QUERY_RESIDENCE);
}

void gpu_prefetch(struct gpu *gpu, struct drm_svm_prefetch *args)
{
	if (drmIoctl(gpu->fd, DRM_IOCTL_SVM_TEST_PREFETCH, args))
		err(EXIT_FAILURE, "the GPU does not move the pages at 0x%llx",
		    (unsigned long long)args->start);
}

void gpu_counters(struct gpu *gpu, struct drm_svm_counters *counters)
{
	memset(counters, 0, sizeof(*counters));
	if (drmIoctl(gpu->fd, DRM_IOCTL_SVM_TEST_COUNTERS, counters))
		err(EXIT_FAILURE, "the GPU does not say what it counted");
}
