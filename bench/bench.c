// SPDX-License-Identifier: MIT
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

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
	bench->fd = bench_open_gpu(0);
	if (bench->fd < 0)
		errx(EXIT_FAILURE, "no virtual GPU: %s", strerror(-bench->fd));
	snprintf(link, sizeof(link), "/proc/self/fd/%d", bench->fd);
	len = readlink(link, bench->node, sizeof(bench->node) - 1);
	if (len < 0)
		err(EXIT_FAILURE, "%s", link);
	bench->node[len] = 0;
}

/* Of all devices, as a fault of one may be what another one waits for. */
static uint64_t waited_ns(struct bench *bench)
{
	struct drm_svm_test_info info;

	return client_info(bench->fd, &info) ? 0 : info.out_service_ns;
}

static struct client_counts read_counters(struct bench *bench)
{
	struct client_counts counters;

	/* A side that does not count leaves zeroes */
	client_counters(bench->fd, &counters);
	return counters;
}

static void subtract_counters(struct client_counts *after,
			      const struct client_counts *before)
{
	unsigned int i;

	for (i = 0; i < DRM_SVM_COUNTER_NUM; i++)
		after->v[i] -= before->v[i];
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
	struct client_counts after;

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
		.dst = client_ptr(start),
		.size = size,
		.arg0 = stride,
		.arg1 = write,
	};
	struct drm_svm_test_wait result;
	int error;

	/* What the kernel does by itself is the floor then */
	if (bench->side == SIDE_FLOOR)
		return 0;
	error = client_run(bench->fd, &cmd, 1, WAIT_NS, &result);
	return error ?: -(int)result.out_errno;
}

int bench_submit(struct bench *bench, const struct drm_svm_test_cmd *cmds, unsigned int n,
		 unsigned int engine, const volatile uint64_t *signal, uint64_t *job)
{
	struct drm_svm_test_submit args = {
		.cmds = client_ptr(cmds),
		.num_cmds = n,
		/* Each file has a queue for each engine */
		.queue = engine,
		.signal = { .addr = client_ptr(signal), .value = !!signal },
	};
	int error = client_submit(bench->fd, &args);

	*job = args.out_job;
	return error;
}

int bench_wait(struct bench *bench, uint64_t job)
{
	struct drm_svm_test_wait result;
	int error = client_wait(bench->fd, job, WAIT_NS, &result);

	return error ?: -(int)result.out_errno;
}

int bench_move(struct bench *bench, void *start, size_t size, uint32_t location)
{
	struct drm_svm_prefetch args = {
		.start = client_ptr(start),
		.size = size,
		.location = location,
	};
	int error;

	if (bench->side == SIDE_FLOOR)
		return 0;
	error = client_prefetch(bench->fd, &args);
	if (error)
		return error;
	return args.out_moved + args.out_resident == size / PAGE ? 0 : -EBUSY;
}

static int attach(int fd)
{
	struct drm_svm_attach args = {};
	int error;

	if (fd < 0)
		return fd;
	error = client_attach(fd, &args);
	if (!error)
		return fd;
	close(fd);
	return error;
}

int bench_open_gpu(unsigned int index)
{
	return attach(client_open(index));
}

int bench_open(const struct bench *bench)
{
	int fd = open(bench->node, O_RDWR | O_CLOEXEC);

	return attach(fd < 0 ? -errno : fd);
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

	if (fstat(bench->fd, &st))
		return -errno;
	snprintf(path, sizeof(path), "/sys/kernel/debug/dri/%u/evict_vram", minor(st.st_rdev));
	file = open(path, O_WRONLY);
	if (file < 0)
		return -errno;
	error = write(file, "1", 1) == 1 ? 0 : -errno;
	close(file);
	return error;
}
