// SPDX-License-Identifier: MIT
#include "scenes.h"
#include "show.h"
#include "ui.h"

#define SMALL_BOS	(SHOW_MAX_BOS - 1)
#define NUM_PLACES	5	/* that the CPU reads */
#define PLACES_OF	64

static void nothing(struct show *show, size_t first, size_t n)
{
}

static void cpu_writes(struct show *show, size_t first, size_t n)
{
	buffer_cpu_write(&show->buffer, first, n);
}

static void cpu_reads(struct show *show, size_t first, size_t n)
{
	buffer_cpu_read(&show->buffer, first, n);
}

static void gpu_writes(struct show *show, size_t first, size_t n)
{
	buffer_gpu_write(&show->buffer, first, n);
}

static void gpu_reads(struct show *show, size_t first, size_t n)
{
	buffer_gpu_read(&show->buffer, first, n);
}

/* Single pages here and there. */
static void cpu_reads_some(struct show *show, size_t first, size_t n)
{
	static const unsigned int places[NUM_PLACES] = { 3, 17, 18, 40, 57 };
	size_t i;

	for (i = 0; i < NUM_PLACES; i++)
		buffer_cpu_read(&show->buffer, first + n * places[i] / PLACES_OF, 1);
}

static void prefetch_in(struct show *show, size_t first, size_t n)
{
	show_prefetch(show, first, n, DRM_SVM_LOCATION_VRAM);
}

static void prefetch_out(struct show *show, size_t first, size_t n)
{
	show_prefetch(show, first, n, DRM_SVM_LOCATION_SYSTEM);
}

void scene_move(struct gpu *gpu, struct timeline *timeline)
{
	const char *title = "Pages go where they are used";
	struct show *show;
	size_t n;

	ui_scene(title);
	ui_text("The CPU writes the first half. The GPU reads a sixteenth, then writes one that has no memory yet; each fault brings neighbours too. One call moves all that is left. Where the CPU reads a word, 64 KiB come home, or as much as came before. In the end one call takes the first half home, and the CPU writes all.");
	show = show_begin(gpu, timeline, title, gpu->info.out_vram_size / 2);
	n = show->buffer.pages;
	show_step(show, "mmap()", nothing, 0, n, 1);
	show_step(show, "CPU writes", cpu_writes, 0, n / 2, 1);
	show_step(show, "GPU reads", gpu_reads, 0, n / 16, 4);
	show_step(show, "GPU writes", gpu_writes, n / 2, n / 16, 4);
	show_step(show, "prefetch in", prefetch_in, 0, n, 1);
	show_step(show, "CPU reads", cpu_reads_some, 0, n, 1);
	show_step(show, "GPU writes", gpu_writes, 0, n, 1);
	show_step(show, "prefetch out", prefetch_out, 0, n / 2, 1);
	show_step(show, "CPU writes", cpu_writes, 0, n, 1);
	show_end(show);
}

static void add_bo(struct show *show, uint64_t size)
{
	struct bo *bo = &show->bos[show->num_bos];
	uint64_t addr = show->gpu->info.out_bo_start;

	if (show->num_bos)
		addr = bo[-1].addr + bo[-1].size;
	bo_create(show->gpu, bo, addr, size);
	bo_fill(show->gpu, bo, ++show->num_bos);
}

static void large_bo(struct show *show, size_t first, size_t n)
{
	add_bo(show, show->gpu->info.out_vram_size / 2);
}

static void small_bo(struct show *show, size_t first, size_t n)
{
	add_bo(show, show->gpu->info.out_vram_size / 8);
}

static void compare_bos(struct show *show, uint64_t *gpu, uint64_t *cpu)
{
	unsigned int i;

	*gpu = *cpu = 0;
	for (i = 0; i < show->num_bos; i++) {
		*gpu += bo_sum(show->gpu, &show->bos[i]);
		*cpu += (i + 1) * (show->bos[i].size / show->gpu->page_size);
	}
}

static void free_bos(struct show *show, size_t first, size_t n)
{
	while (show->num_bos)
		bo_destroy(show->gpu, &show->bos[--show->num_bos]);
}

void scene_make_room(struct gpu *gpu, struct timeline *timeline)
{
	const char *title = "Others need the room";
	unsigned long long mib = gpu->info.out_vram_size >> 20;
	uint64_t gpu_sum, cpu_sum;
	struct show *show;
	size_t n;

	ui_scene(title);
	ui_text("The buffer takes one half of the VRAM, an ordinary buffer (BO) of %llu KiB the other. Then come %u more of %llu KiB, and what was not used for longest has to go.",
		mib << 9, SMALL_BOS, mib << 7);
	show = show_begin(gpu, timeline, title, gpu->info.out_vram_size / 2);
	n = show->buffer.pages;
	show_step(show, "CPU writes", cpu_writes, 0, n, 1);
	show_step(show, "prefetch in", prefetch_in, 0, n, 1);
	show_step(show, "large BO", large_bo, 0, n, 1);
	show_step(show, "small BOs", small_bo, 0, n, SMALL_BOS);
	compare_bos(show, &gpu_sum, &cpu_sum);
	show_step(show, "BOs freed", free_bos, 0, n, 1);
	show_step(show, "GPU reads", gpu_reads, 0, n, 1);
	show_step(show, "CPU reads", cpu_reads, 0, n, 1);
	show_end(show);
	ui_same("sum over the BOs", gpu_sum, cpu_sum);
}

void scene_too_much(struct gpu *gpu, struct timeline *timeline)
{
	const char *title = "Twice as much as the VRAM holds";
	struct show *show;
	size_t n;

	ui_scene(title);
	ui_text("The GPU writes %llu MiB from one end to the other, then reads it, with %llu MiB of VRAM. What comes in pushes out what was used before.",
		(unsigned long long)gpu->info.out_vram_size >> 19,
		(unsigned long long)gpu->info.out_vram_size >> 20);
	show = show_begin(gpu, timeline, title, gpu->info.out_vram_size * 2);
	n = show->buffer.pages;
	show_step(show, "GPU writes", gpu_writes, 0, n, 8);
	show_step(show, "GPU reads", gpu_reads, 0, n, 8);
	show_step(show, "CPU reads", cpu_reads, 0, n, 1);
	show_end(show);
}
