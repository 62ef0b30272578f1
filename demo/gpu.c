// SPDX-License-Identifier: MIT
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gpu.h"

#define WAIT_NS		300000000000ll

void gpu_must(int error, const char *message)
{
	if (error)
		errx(EXIT_FAILURE, "%s: %s", message, strerror(-error));
}

static void load_module(const char *params)
{
	char command[128];

	snprintf(command, sizeof(command), "modprobe %s %s", CLIENT_DRIVER, params);
	if (system(command))
		warnx("cannot load the module: %s", command);
}

void gpu_open(struct gpu *gpu, const char *params)
{
	struct drm_svm_attach args = {};

	gpu->fd = client_open(0);
	if (gpu->fd < 0) {
		load_module(params);
		gpu->fd = client_open(0);
	}
	if (gpu->fd < 0)
		errx(EXIT_FAILURE, "no virtual GPU in /dev/dri (modprobe %s %s, as root)",
		     CLIENT_DRIVER, params);
	gpu_must(client_info(gpu->fd, &gpu->info), "the GPU does not say what it is made of");
	gpu_must(client_attach(gpu->fd, &args), "cannot attach the GPU to this process");
	gpu->page_size = args.out_page_size;
	gpu->range_size = args.out_range_size;
}

void gpu_close(struct gpu *gpu)
{
	close(gpu->fd);
}

void gpu_wait(struct gpu *gpu, uint64_t job, struct drm_svm_test_wait *result)
{
	gpu_must(client_wait(gpu->fd, job, WAIT_NS, result), "the GPU's job does not end");
}

int gpu_run(struct gpu *gpu, const struct drm_svm_test_cmd *cmds, unsigned int n,
	    struct drm_svm_test_wait *result)
{
	struct drm_svm_test_wait unused;

	if (!result)
		result = &unused;
	gpu_must(client_run(gpu->fd, cmds, n, WAIT_NS, result), "the GPU does not run a job");
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

void gpu_query(struct gpu *gpu, uint64_t start, size_t size, uint32_t flags, uint32_t *pages)
{
	gpu_must(client_query(gpu->fd, start, size, flags, pages),
		 "the GPU does not say what it sees");
}

void gpu_prefetch(struct gpu *gpu, struct drm_svm_prefetch *args)
{
	gpu_must(client_prefetch(gpu->fd, args), "the GPU does not move pages");
}

void gpu_counters(struct gpu *gpu, struct client_counts *counters)
{
	gpu_must(client_counters(gpu->fd, counters), "the GPU does not say what it counted");
}
