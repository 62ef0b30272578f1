// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cpu.h"
#include "scenes.h"
#include "ui.h"

#define NUM_LINKS	8
#define BAD_LINK	5

struct link {
	struct link *next;
	uint64_t value;
};

/* Follows the list until it ends well, or a signal ends it. */
static void walk_list(void *arg)
{
	const volatile struct link *link = arg;

	while (link)
		link = link->next;
}

static void build_links(struct link *links, struct link *bad)
{
	unsigned int i;

	for (i = 0; i < NUM_LINKS; i++) {
		links[i].next = i + 1 < NUM_LINKS ? &links[i + 1] : NULL;
		links[i].value = i;
	}
	links[BAD_LINK].next = bad;
}

/* Three commands, of which the second one runs into the bad pointer. */
static int run_into(struct gpu *gpu, struct link *links, uint32_t *marks,
		    struct drm_svm_test_wait *result)
{
	const struct drm_svm_test_cmd cmds[] = { {
		.op = DRM_SVM_TEST_OP_FILL, .dst = client_ptr(&marks[0]),
		.size = sizeof(*marks), .arg0 = 1,
	}, {
		.op = DRM_SVM_TEST_OP_CHASE, .flags = DRM_SVM_TEST_CMD_64,
		.src = client_ptr(links), .count = NUM_LINKS,
		.arg0 = offsetof(struct link, next),
		.arg1 = offsetof(struct link, value),
	}, {
		.op = DRM_SVM_TEST_OP_FILL, .dst = client_ptr(&marks[1]),
		.size = sizeof(*marks), .arg0 = 1,
	} };

	return gpu_run(gpu, cmds, 3, result);
}

static void compare(struct gpu *gpu, struct link *links)
{
	uint32_t marks[2] = {};
	struct drm_svm_test_wait result;
	uint64_t cpu_addr;
	int error;

	error = run_into(gpu, links, marks, &result);
	cpu_segfaults(walk_list, links, &cpu_addr);
	ui_text("GPU: command %u failed at 0x%" PRIx64 ", %s: %s.", result.out_cmd,
		(uint64_t)result.out_addr, error ? strerrorname_np(error) : "0",
		gpu_strerror(error));
	ui_text("CPU: segmentation fault at 0x%" PRIx64 ".", cpu_addr);
	ui_agree(error && result.out_addr == cpu_addr, "both stop at this address");
	ui_agree(marks[0] == 1 && !marks[1],
		 "command 0 was executed, command 2 after the failure was not");
	links[BAD_LINK].next = NULL;
	error = run_into(gpu, links, marks, &result);
	ui_agree(!error && marks[1] == 1, "the pointer mended, the same job runs well");
}

void scene_bad_pointer(struct gpu *gpu)
{
	struct link *links = cpu_malloc(NUM_LINKS * sizeof(*links));
	void *hole = cpu_map_ranges(gpu, 1, false);

	ui_scene("A bad pointer");
	ui_text("Command 1 of a job follows a list into memory that was unmapped.");
	munmap(hole, gpu->range_size);
	build_links(links, hole);
	compare(gpu, links);
	free(links);
}
