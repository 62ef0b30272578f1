// SPDX-License-Identifier: MIT
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <xf86drm.h>

#include "bench.h"
#include "busy.h"
#include "count.h"

#define SETTLE_MS	100
#define FLOOR_DEVICE	"/dev/drm_svm_floor"

void bench_open_side(struct bench *bench)
{
	char link[32];
	ssize_t len;

	bench->floor = -1;
	if (bench->side == SIDE_FLOOR) {
		bench->floor = open(FLOOR_DEVICE, O_RDWR | O_CLOEXEC);
		return;
	}
	gpu_open(&bench->gpu, "");
	snprintf(link, sizeof(link), "/proc/self/fd/%d", bench->gpu.fd);
	len = readlink(link, bench->node, sizeof(bench->node) - 1);
	if (len < 0)
		err(EXIT_FAILURE, "%s", link);
	bench->node[len] = 0;
}

/* Of all devices, as a fault of one may be what another one waits for. */
static uint64_t waited_ns(struct bench *bench)
{
	struct drm_svm_test_info info = {};

	if (drmIoctl(bench->gpu.fd, DRM_IOCTL_SVM_TEST_INFO, &info))
		return 0;
	return info.out_service_ns;
}

static struct drm_svm_counters read_counters(struct bench *bench)
{
	struct drm_svm_counters counters = {};

	/* A side that does not count leaves zeroes */
	drmIoctl(bench->gpu.fd, DRM_IOCTL_SVM_TEST_COUNTERS, &counters);
	return counters;
}

static void subtract_counters(struct drm_svm_counters *after,
			      const struct drm_svm_counters *before)
{
	const __u64 *from = &before->out_faults;
	__u64 *to = &after->out_faults;
	size_t n = (sizeof(*after) - offsetof(struct drm_svm_counters, out_faults)) /
		   sizeof(*to);

	while (n--)
		*to++ -= *from++;
}

/* In a sample that is under way there is what was before */
void bench_start(struct bench *bench, struct sample *s)
{
	if (bench->side != SIDE_FLOOR) {
		s->counters = read_counters(bench);
		s->waited = waited_ns(bench);
	}
	s->busy = busy_now(bench->side);
	s->figure = count_now();
}

void bench_begin(struct bench *bench, struct sample *s)
{
	count_settle(SETTLE_MS);
	bench_start(bench, s);
}

void bench_end(struct bench *bench, struct sample *s)
{
	struct drm_svm_counters after;

	s->figure = count_now() - s->figure;
	s->busy = busy_since(bench->side, &s->busy);
	s->figure -= s->busy.hardware;
	if (bench->side == SIDE_FLOOR)
		return;
	s->waited = waited_ns(bench) - s->waited;
	s->service = s->waited ? s->busy.workers : 0;
	after = read_counters(bench);
	subtract_counters(&after, &s->counters);
	s->counters = after;
}

int bench_touch(struct bench *bench, void *start, size_t size, size_t stride, bool write)
{
	struct drm_svm_test_cmd cmd = {
		.op = DRM_SVM_TEST_OP_TOUCH,
		.flags = write ? DRM_SVM_TEST_CMD_WRITE : 0,
		.dst = gpu_ptr(start),
		.size = size,
		.arg0 = stride,
		.arg1 = write,
	};

	/* What the kernel does by itself is the floor then */
	if (bench->side == SIDE_FLOOR)
		return 0;
	return -gpu_run(&bench->gpu, &cmd, 1, NULL);
}

int bench_submit(struct bench *bench, const struct drm_svm_test_cmd *cmd,
		 unsigned int engine, const struct drm_svm_sync *in,
		 const struct drm_svm_sync *out, uint64_t *job)
{
	struct drm_svm_test_submit args = {
		.cmds = gpu_ptr(cmd),
		.num_cmds = 1,
		.engine = engine,
		.in_syncs = gpu_ptr(in),
		.num_in_syncs = !!in,
		.out_syncs = gpu_ptr(out),
		.num_out_syncs = !!out,
	};

	if (drmIoctl(bench->gpu.fd, DRM_IOCTL_SVM_TEST_SUBMIT, &args))
		return -errno;
	*job = args.out_job;
	return 0;
}

int bench_wait(struct bench *bench, uint64_t job)
{
	struct drm_svm_test_wait result;

	gpu_wait(&bench->gpu, job, &result);
	return -(int)result.out_errno;
}

int bench_move(struct bench *bench, void *start, size_t size, uint32_t location)
{
	struct drm_svm_prefetch args = {
		.start = gpu_ptr(start),
		.size = size,
		.location = location,
	};

	if (bench->side == SIDE_FLOOR)
		return 0;
	if (drmIoctl(bench->gpu.fd, DRM_IOCTL_SVM_TEST_PREFETCH, &args))
		return -errno;
	return args.out_moved + args.out_resident == size / bench->gpu.page_size ? 0 : -EBUSY;
}

int bench_open(const struct bench *bench)
{
	struct drm_svm_attach args = {};
	int fd = open(bench->node, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (!ioctl(fd, DRM_IOCTL_SVM_TEST_ATTACH, &args))
		return fd;
	close(fd);
	return -errno;
}

void bench_set(const char *path, const char *value)
{
	int file = open(path, O_WRONLY);

	if (file < 0)
		return;
	if (write(file, value, strlen(value)) < 0)
		warn("%s", path);
	close(file);
}

int bench_evict(struct bench *bench)
{
	char path[96];
	struct stat st;
	int file, error;

	if (fstat(bench->gpu.fd, &st))
		return -errno;
	snprintf(path, sizeof(path), "/sys/kernel/debug/dri/%u/evict_vram", minor(st.st_rdev));
	file = open(path, O_WRONLY);
	if (file < 0)
		return -errno;
	error = write(file, "1", 1) == 1 ? 0 : -errno;
	close(file);
	return error;
}
