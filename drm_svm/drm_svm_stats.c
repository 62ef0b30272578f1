// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/export.h>
#include <linux/slab.h>

#include <drm/drm_file.h>

#include "drm_svm_core.h"

/**
 * DOC: Counters
 *
 * A context counts what is done for it, in one copy per CPU, because an atomic
 * would bounce between workers. The counters outlive the context while VRAM
 * that was filled for it is still in use, perhaps by a child of the process:
 * each BO has a reference.
 *
 * Counters only grow, except for two gauges of VRAM: pages that leave are added
 * as a negative number, on any CPU, so only the sum is meaningful.
 */

/**
 * drm_svm_stats_create() - make the counters of a context
 *
 * Return: the counters, all zero, or NULL.
 */
struct drm_svm_stats *drm_svm_stats_create(void)
{
	struct drm_svm_stats *stats;

	stats = kzalloc_obj(*stats, GFP_KERNEL_ACCOUNT);
	if (!stats)
		return NULL;
	kref_init(&stats->ref);
	stats->values = alloc_percpu_gfp(struct drm_svm_stat_values,
					 GFP_KERNEL_ACCOUNT);
	if (!stats->values) {
		kfree(stats);
		return NULL;
	}
	return stats;
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_stats_create);

static void drm_svm_stats_release(struct kref *ref)
{
	struct drm_svm_stats *stats =
		container_of(ref, struct drm_svm_stats, ref);

	free_percpu(stats->values);
	kfree(stats);
}

struct drm_svm_stats *drm_svm_stats_get(struct drm_svm_stats *stats)
{
	kref_get(&stats->ref);
	return stats;
}

/* NULL-safe; process context. */
void drm_svm_stats_put(struct drm_svm_stats *stats)
{
	if (stats)
		kref_put(&stats->ref, drm_svm_stats_release);
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_stats_put);

u64 drm_svm_stat_read(struct drm_svm_context *ctx, enum drm_svm_stat stat)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(ctx->stats->values, cpu)->v[stat]);
	return sum;
}

/* Returns @in minus @out; @out is read first, so that is never negative. */
u64 drm_svm_stat_left(struct drm_svm_context *ctx, enum drm_svm_stat in,
		      enum drm_svm_stat out)
{
	u64 left = drm_svm_stat_read(ctx, out);

	return drm_svm_stat_read(ctx, in) - left;
}

/* Added and subtracted on different CPUs, so a sum may be read half way. */
u64 drm_svm_stat_gauge(struct drm_svm_context *ctx, enum drm_svm_stat stat)
{
	s64 sum = drm_svm_stat_read(ctx, stat);

	return max(sum, 0);
}

/**
 * drm_svm_memory_stats() - add the VRAM of a context, for fdinfo
 * @ctx: the context; one that is not attached has nothing
 * @vram: sums of the driver for its VRAM, in bytes: the size of buffers is
 *	added to what is private, pages in use to what is resident
 *
 * Context: the driver keeps @ctx from being detached.
 */
void drm_svm_memory_stats(struct drm_svm_context *ctx,
			  struct drm_memory_stats *vram)
{
	/* pairs with the release in drm_svm_context_attach() */
	if (!smp_load_acquire(&ctx->svm))
		return;
	vram->private += drm_svm_stat_gauge(ctx, DRM_SVM_STAT_VRAM_RESERVED) <<
			 PAGE_SHIFT;
	vram->resident += drm_svm_stat_gauge(ctx, DRM_SVM_STAT_VRAM_PAGES) <<
			  PAGE_SHIFT;
}
EXPORT_SYMBOL_GPL(drm_svm_memory_stats);
