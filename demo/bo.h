/* SPDX-License-Identifier: MIT */
#ifndef DEMO_BO_H
#define DEMO_BO_H

#include "gpu.h"

/*
 * An ordinary buffer in VRAM, as drivers have had them all along: it has a
 * handle and GPU addresses of its own.
 */
struct bo {
	uint32_t handle;
	uint64_t addr, size;
};

void bo_create(struct gpu *gpu, struct bo *bo, uint64_t addr, uint64_t size);
void bo_destroy(struct gpu *gpu, struct bo *bo);

/* The GPU writes all of it, with @value. */
void bo_fill(struct gpu *gpu, const struct bo *bo, uint32_t value);
/* The sum of the first words of its pages, by the GPU. */
uint64_t bo_sum(struct gpu *gpu, const struct bo *bo);

#endif
