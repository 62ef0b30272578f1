// SPDX-License-Identifier: MIT
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cpu.h"
#include "scenes.h"
#include "ui.h"

/* Reads the first element of each page; the sum, or zero after an error. */
static uint64_t gpu_sum_pages(struct gpu *gpu, const void *start, size_t size)
{
	uint64_t sum = 0;
	const struct drm_svm_test_cmd cmd = {
		.op = DRM_SVM_TEST_OP_TOUCH,
		.dst = client_ptr(start),
		.size = size,
		.arg0 = gpu->page_size,
		.result = client_ptr(&sum),
	};
	int error = gpu_run(gpu, &cmd, 1, NULL);

	if (error)
		ui_text("GPU: reading failed: %s", gpu_strerror(error));
	return sum;
}

/* Writes @value to the first element of each page. Zero or the job's errno. */
static int gpu_write_pages(struct gpu *gpu, void *start, size_t size,
			   uint32_t value, struct drm_svm_test_wait *result)
{
	const struct drm_svm_test_cmd cmd = {
		.op = DRM_SVM_TEST_OP_TOUCH,
		.flags = DRM_SVM_TEST_CMD_WRITE,
		.dst = client_ptr(start),
		.size = size,
		.arg0 = gpu->page_size,
		.arg1 = value,
	};

	return gpu_run(gpu, &cmd, 1, result);
}

static void compare_sums(struct gpu *gpu, const char *what, const void *start,
			 size_t size)
{
	/* The GPU first: it must not find what the CPU has just faulted in. */
	uint64_t sum = gpu_sum_pages(gpu, start, size);

	ui_same(what, sum, cpu_sum_pages(gpu, start, size));
}

void scene_huge_page(struct gpu *gpu)
{
	size_t size = gpu->range_size;
	char *p = cpu_map_ranges(gpu, 1, true);
	struct client_counts before, after;

	ui_scene("Large pages stay large");
	ui_text("madvise(MADV_HUGEPAGE), then the GPU writes all of it. Below the map: the leaves of the GPU's page table.");
	p[0] = 1;
	gpu_counters(gpu, &before);
	gpu_write_pages(gpu, p, size, 7, NULL);
	gpu_counters(gpu, &after);
	ui_map_leaves(gpu, p, size);
	ui_counted(&before, &after);
	compare_sums(gpu, "sum over all pages", p, size);
	ui_text("The CPU gives an eighth back by MADV_DONTNEED, and the GPU reads all:");
	madvise(p + size / 2, size / 8, MADV_DONTNEED);
	compare_sums(gpu, "sum with a hole of zeros", p, size);
	ui_map_leaves(gpu, p, size);
	munmap(p, size);
}

void scene_remap(struct gpu *gpu)
{
	size_t size = gpu->range_size;
	char *p = cpu_map_ranges(gpu, 1, false), *again;

	ui_scene("The same address, other memory");
	ui_text("The GPU reads half of a mapping. Then munmap(), mmap() at the same address; the CPU writes a quarter. An old translation would give old data.");
	cpu_write_pages(gpu, p, size, 3);
	compare_sums(gpu, "sum of the old memory", p, size / 2);
	munmap(p, size);
	ui_map(gpu, p, size);
	again = mmap(p, size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (again == MAP_FAILED)
		err(EXIT_FAILURE, "mmap");
	madvise(p, size, MADV_NOHUGEPAGE);
	cpu_write_pages(gpu, p, size / 4, 5);
	compare_sums(gpu, "sum of the new memory", p, size / 2);
	ui_map(gpu, p, size);
	munmap(p, size);
}

void scene_dontneed(struct gpu *gpu)
{
	size_t size = gpu->range_size;
	char *p = cpu_map_ranges(gpu, 1, false);
	struct client_counts before, after;
	size_t mapped, left, writable;

	ui_scene("Only what changed is taken away");
	ui_text("The GPU has written all pages; MADV_DONTNEED gives an eighth back.");
	gpu_write_pages(gpu, p, size, 9, NULL);
	ui_count_pages(gpu, p, size, &mapped, &writable);
	gpu_counters(gpu, &before);
	madvise(p + size / 4, size / 8, MADV_DONTNEED);
	gpu_counters(gpu, &after);
	ui_count_pages(gpu, p, size, &left, &writable);
	ui_map(gpu, p, size);
	ui_counted(&before, &after);
	ui_same("pages taken away, and no others", mapped - left,
		size / 8 / gpu->page_size);
	compare_sums(gpu, "sum, the eighth being zero", p, size);
	munmap(p, size);
}

static void write_one(void *p)
{
	*(volatile uint32_t *)p = 13;
}

void scene_read_only(struct gpu *gpu)
{
	size_t size = gpu->range_size;
	char *p = cpu_map_ranges(gpu, 1, false);
	struct drm_svm_test_wait result;
	uint64_t addr;
	int error;

	ui_scene("What the CPU may not do, the GPU may not");
	ui_text("The second half becomes read-only by mprotect(). The GPU reads everything, then both try to write there.");
	cpu_write_pages(gpu, p, size, 11);
	gpu_write_pages(gpu, p, size, 11, NULL);
	mprotect(p + size / 2, size / 2, PROT_READ);
	compare_sums(gpu, "sum over all pages", p, size);
	ui_map(gpu, p, size);
	error = gpu_write_pages(gpu, p + size / 2, gpu->page_size, 13, &result);
	ui_agree(cpu_segfaults(write_one, p + size / 2, &addr) &&
		 error == EACCES && result.out_addr == addr,
		 "write at 0x%" PRIx64 ": GPU %s, CPU segmentation fault",
		 (uint64_t)result.out_addr,
		 error ? strerrorname_np(error) : "no error");
	munmap(p, size);
}

/* In the child: the memory is as it was at fork(). Its exit status. */
static int look_in_child(const struct gpu *gpu, const void *p, size_t size,
			 int parent_wrote, uint64_t expected)
{
	char byte;

	if (read(parent_wrote, &byte, 1) != 1)
		return EXIT_FAILURE;
	return cpu_sum_pages(gpu, p, size) == expected ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void fork_and_write(struct gpu *gpu, char *p, size_t size)
{
	uint64_t expected = cpu_sum_pages(gpu, p, size);
	size_t mapped, writable;
	int pipe_fd[2], status = -1;
	pid_t child;

	if (pipe(pipe_fd))
		err(EXIT_FAILURE, "pipe");
	child = fork();
	if (child < 0)
		err(EXIT_FAILURE, "fork");
	if (!child)
		_exit(look_in_child(gpu, p, size, pipe_fd[0], expected));
	ui_count_pages(gpu, p, size, &mapped, &writable);
	ui_same("pages that may be written after fork()", writable, 0);
	gpu_write_pages(gpu, p, size / 2, 19, NULL);
	if (write(pipe_fd[1], "", 1) != 1)
		err(EXIT_FAILURE, "pipe");
	waitpid(child, &status, 0);
	ui_agree(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS,
		 "the child still has the old data");
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

void scene_fork(struct gpu *gpu)
{
	size_t size = gpu->range_size;
	char *p = cpu_map_ranges(gpu, 1, false);

	ui_scene("fork() and copy on write");
	ui_text("The GPU has written all pages; fork() shares them with a child. Then the GPU writes half of them, and has to get copies.");
	gpu_write_pages(gpu, p, size, 17, NULL);
	fork_and_write(gpu, p, size);
	compare_sums(gpu, "sum in the parent", p, size);
	ui_map(gpu, p, size);
	munmap(p, size);
}
