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
#include "svg.h"
#include "timeline.h"
#include "ui.h"

/* Parameters of the module that the scenes with VRAM want. */
#define VRAM_PARAMS	"vram_mb=8"
#define NUM_VRAM_SCENES	3

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

static void (* const vram_scenes[NUM_VRAM_SCENES])(struct gpu *gpu, struct timeline *timeline) = {
	scene_move,
	scene_make_room,
	scene_too_much,
};

static struct {
	bool vram;
	const char *svg;
} options;

static void usage(FILE *out)
{
	fputs("usage: svm_demo [--vram [--svg FILE]] [--color | --no-color] [--width COLUMNS]\n"
	      "\n"
	      "Shows a GPU that shares the memory of its process. With --vram the GPU has\n"
	      "memory of its own and pages move; --svg draws that into a file as well.\n"
	      "\n"
	      "Colours are used on a terminal unless NO_COLOR is set; the width is that of\n"
	      "the terminal, or COLUMNS. Exit status 0: GPU and CPU agreed in all that was\n"
	      "compared.\n", out);
}

static void parse_options(int argc, char **argv)
{
	static const struct option known[] = {
		{ "vram", no_argument, NULL, 'v' },
		{ "svg", required_argument, NULL, 's' },
		{ "color", no_argument, NULL, 'c' },
		{ "no-color", no_argument, NULL, 'n' },
		{ "width", required_argument, NULL, 'w' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	enum ui_color color = UI_COLOR_AUTO;
	unsigned int width = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'v':
			options.vram = true;
			break;
		case 's':
			options.svg = optarg;
			break;
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
	if (options.svg && !options.vram)
		errx(2, "--svg needs --vram; see --help");
	ui_init(width, color);
}

static void introduce(const struct gpu *gpu)
{
	ui_title("drm_svm: a GPU that uses the memory of its process");
	ui_text("This GPU is a virtual one (%u engines, %u TLB entries each), but it reaches memory only by its own page table, as hardware does. A page gets in when the GPU faults on it, and leaves when the CPU changes its mapping. The maps show that table:",
		gpu->info.out_engines, gpu->info.out_tlb_entries);
	ui_legend(gpu);
}

static void introduce_vram(const struct gpu *gpu)
{
	ui_title("drm_svm: a GPU with memory of its own");
	ui_text("This one has %llu MiB of VRAM, which the CPU cannot reach. Pages of the process move there when the GPU uses them, and home when the CPU does, with their content. The maps show where the pages of a buffer are: addresses go to the right, time goes down. After each step the whole buffer is compared with what should be in it, by the GPU in VRAM and by the CPU elsewhere, so that nothing moves for it.",
		(unsigned long long)gpu->info.out_vram_size >> 20);
	ui_timeline_legend();
}

static void conclude(struct gpu *gpu, const struct client_counts *before)
{
	struct client_counts after;

	gpu_counters(gpu, &after);
	ui_scene("All that was counted, and what it means");
	ui_counters_table(before, &after);
}

static void show_svm(struct gpu *gpu)
{
	size_t i;

	introduce(gpu);
	for (i = 0; scenes[i]; i++)
		scenes[i](gpu);
}

static void show_vram(struct gpu *gpu)
{
	struct timeline timelines[NUM_VRAM_SCENES];
	size_t i;

	if (gpu->info.out_vram_size < 4 * gpu->range_size)
		errx(EXIT_FAILURE, "the GPU has too little VRAM; load its module with %s",
		     VRAM_PARAMS);
	introduce_vram(gpu);
	for (i = 0; i < NUM_VRAM_SCENES; i++)
		vram_scenes[i](gpu, &timelines[i]);
	if (options.svg && !svg_write(options.svg, timelines, NUM_VRAM_SCENES))
		err(EXIT_FAILURE, "%s", options.svg);
	for (i = 0; i < NUM_VRAM_SCENES; i++)
		timeline_free(&timelines[i]);
}

int main(int argc, char **argv)
{
	struct client_counts before;
	struct gpu gpu;

	parse_options(argc, argv);
	gpu_open(&gpu, options.vram ? VRAM_PARAMS : "");
	gpu_counters(&gpu, &before);
	if (options.vram)
		show_vram(&gpu);
	else
		show_svm(&gpu);
	conclude(&gpu, &before);
	gpu_close(&gpu);
	return ui_end();
}
