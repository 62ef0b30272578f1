// SPDX-License-Identifier: MIT
/*
 * Shared virtual memory shown at work, in a dozen scenes that each check what
 * the GPU sees against what the CPU sees.
 */
#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "gpu.h"
#include "scenes.h"
#include "ui.h"

static void (* const scenes[])(struct gpu *gpu) = {
	scene_list,
	scene_gather,
	scene_atomic,
	scene_huge_page,
	scene_remap,
	scene_dontneed,
	scene_read_only,
	scene_fork,
	scene_bad_pointer,
	NULL
};

static void usage(FILE *out)
{
	fputs("usage: svm_demo [--color | --no-color] [--width COLUMNS]\n"
	      "\n"
	      "Shows a GPU that shares the memory of its process. Colours are used on a\n"
	      "terminal unless NO_COLOR is set; the width is that of the terminal, or\n"
	      "COLUMNS. Exit status 0: GPU and CPU agreed in all that was compared.\n", out);
}

static void parse_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "color", no_argument, NULL, 'c' },
		{ "no-color", no_argument, NULL, 'n' },
		{ "width", required_argument, NULL, 'w' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	enum ui_color color = UI_COLOR_AUTO;
	unsigned int width = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			color = UI_COLOR_ALWAYS;
			break;
		case 'n':
			color = UI_COLOR_NEVER;
			break;
		case 'w':
			width = strtoul(optarg, NULL, 10);
			break;
		case 'h':
			usage(stdout);
			exit(EXIT_SUCCESS);
		default:
			usage(stderr);
			exit(2);
		}
	}
	if (optind < argc)
		errx(2, "what is '%s'? see --help", argv[optind]);
	ui_init(width, color);
}

static void introduce(const struct gpu *gpu)
{
	ui_title("drm_svm: a GPU that uses the memory of its process");
	ui_text("This GPU is a virtual one (%u engines, %u TLB entries each), but it reaches memory only by its own page table, as hardware does. A page gets in when the GPU faults on it, and leaves when the CPU changes its mapping. The maps show that table:",
		gpu->info.out_engines, gpu->info.out_tlb_entries);
	ui_legend(gpu);
}

static void conclude(struct gpu *gpu, const struct drm_svm_counters *before)
{
	struct drm_svm_counters after;

	gpu_counters(gpu, &after);
	ui_scene("All that was counted, and what it means");
	ui_counters_table(before, &after);
}

int main(int argc, char **argv)
{
	struct drm_svm_counters before;
	struct gpu gpu;
	size_t i;

	parse_options(argc, argv);
	gpu_open(&gpu);
	gpu_counters(&gpu, &before);
	introduce(&gpu);
	for (i = 0; scenes[i]; i++)
		scenes[i](&gpu);
	conclude(&gpu, &before);
	gpu_close(&gpu);
	return ui_end();
}
