/* SPDX-License-Identifier: MIT */
#ifndef DEMO_SCENES_H
#define DEMO_SCENES_H

#include "gpu.h"

struct timeline;

/*
 * The scenes, in the order in which they are shown. Each takes its own memory
 * and gives it back.
 */

/* scenes_data.c: the GPU works on the data structures of the program. */
void scene_list(struct gpu *gpu);
void scene_gather(struct gpu *gpu);
void scene_atomic(struct gpu *gpu);

/* scenes_cpu.c: the CPU changes its mappings underneath. */
void scene_huge_page(struct gpu *gpu);
void scene_remap(struct gpu *gpu);
void scene_dontneed(struct gpu *gpu);
void scene_read_only(struct gpu *gpu);
void scene_fork(struct gpu *gpu);

/* scenes_error.c */
void scene_bad_pointer(struct gpu *gpu);

/* scenes_vram.c: pages move. For a GPU with VRAM; what was seen is in @timeline. */
void scene_move(struct gpu *gpu, struct timeline *timeline);
void scene_make_room(struct gpu *gpu, struct timeline *timeline);
void scene_too_much(struct gpu *gpu, struct timeline *timeline);

#endif
