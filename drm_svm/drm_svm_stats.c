// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/export.h>
#include <linux/slab.h>

#include <drm/drm_file.h>

#include "drm_svm_internal.h"

/**
 * DOC: Counters
 *
 * A context counts what is done for it, one copy a CPU: an atomic would bounce
 * between workers. Its counters outlive it where VRAM that was filled for it is
 * still in use, by a child of the process perhaps: each BO has a reference.
 *
 * Counters only grow, but for two of VRAM that are gauges: there what goes out is
 * added as a negative number, on whatever CPU, and only the sum means something.
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

/* What went in, less what came out: read in that order, so never negative. */
static u64 drm_svm_stat_left(struct drm_svm_context *ctx, enum drm_svm_stat in,
			     enum drm_svm_stat out)
{
	u64 left = drm_svm_stat_read(ctx, out);

	return drm_svm_stat_read(ctx, in) - left;
}

/* Added and taken away on different CPUs: a sum may be caught half way. */
static u64 drm_svm_stat_gauge(struct drm_svm_context *ctx,
			      enum drm_svm_stat stat)
{
	s64 sum = drm_svm_stat_read(ctx, stat);

	return max(sum, 0);
}

static void drm_svm_counters_vram(struct drm_svm_context *ctx,
				  struct drm_svm_counters *args)
{
	args->out_vram_pages_in = drm_svm_stat_read(ctx, DRM_SVM_STAT_VRAM_IN);
	args->out_vram_bytes_in =
		drm_svm_stat_read(ctx, DRM_SVM_STAT_VRAM_COPIED_IN) << PAGE_SHIFT;
	args->out_vram_pages_out = drm_svm_stat_read(ctx, DRM_SVM_STAT_VRAM_OUT);
	/* every page that goes home is copied */
	args->out_vram_bytes_out = args->out_vram_pages_out << PAGE_SHIFT;
	args->out_vram_cpu_faults =
		drm_svm_stat_read(ctx, DRM_SVM_STAT_VRAM_CPU_FAULTS);
	args->out_vram_evictions =
		drm_svm_stat_read(ctx, DRM_SVM_STAT_VRAM_EVICTIONS);
	args->out_vram_evicted_pages =
		drm_svm_stat_read(ctx, DRM_SVM_STAT_VRAM_EVICTED);
	args->out_vram_busy = drm_svm_stat_read(ctx, DRM_SVM_STAT_VRAM_BUSY);
	args->out_vram_no_space =
		drm_svm_stat_read(ctx, DRM_SVM_STAT_VRAM_NO_SPACE);
	args->out_vram_failed = drm_svm_stat_read(ctx, DRM_SVM_STAT_VRAM_FAILED);
	args->out_cur_vram_pages =
		drm_svm_stat_gauge(ctx, DRM_SVM_STAT_VRAM_PAGES);
	args->out_cur_vram_reserved =
		drm_svm_stat_gauge(ctx, DRM_SVM_STAT_VRAM_RESERVED);
}

/**
 * drm_svm_ioctl_counters() - body of a counters ioctl
 * @ctx: the context
 * @args: the payload
 *
 * Return: 0, -EINVAL, -ENXIO or -EPERM.
 */
int drm_svm_ioctl_counters(struct drm_svm_context *ctx,
			   struct drm_svm_counters *args)
{
	int err;

	if (args->flags || args->pad)
		return -EINVAL;
	err = drm_svm_context_check_mm(ctx);
	if (err)
		return err;

	args->out_faults = drm_svm_stat_read(ctx, DRM_SVM_STAT_FAULTS);
	args->out_duplicates = drm_svm_stat_read(ctx, DRM_SVM_STAT_DUPLICATES);
	args->out_batches = drm_svm_stat_read(ctx, DRM_SVM_STAT_BATCHES);
	args->out_retries = drm_svm_stat_read(ctx, DRM_SVM_STAT_RETRIES);
	args->out_waits = drm_svm_stat_read(ctx, DRM_SVM_STAT_WAITS);
	args->out_failed = drm_svm_stat_read(ctx, DRM_SVM_STAT_FAILED);
	args->out_walks = drm_svm_stat_read(ctx, DRM_SVM_STAT_WALKS);
	args->out_pages_mapped =
		drm_svm_stat_read(ctx, DRM_SVM_STAT_PAGES_MAPPED);
	args->out_pages_unmapped =
		drm_svm_stat_read(ctx, DRM_SVM_STAT_PAGES_UNMAPPED);
	args->out_invalidations =
		drm_svm_stat_read(ctx, DRM_SVM_STAT_INVALIDATIONS);
	args->out_flushes = drm_svm_stat_read(ctx, DRM_SVM_STAT_FLUSHES);
	args->out_cur_pages = drm_svm_stat_left(ctx, DRM_SVM_STAT_PAGES_MAPPED,
						DRM_SVM_STAT_PAGES_UNMAPPED);
	args->out_cur_ranges = atomic_long_read(&ctx->svm->nranges);
	args->out_cur_dma_pages = drm_svm_stat_left(ctx, DRM_SVM_STAT_DMA_MAPPED,
						    DRM_SVM_STAT_DMA_UNMAPPED);
	drm_svm_counters_vram(ctx, args);
	return 0;
}
EXPORT_SYMBOL_GPL(drm_svm_ioctl_counters);

/**
 * drm_svm_memory_stats() - add what a context has of VRAM, for fdinfo
 * @ctx: the context; one that is not attached has nothing
 * @vram: sums of the driver for its VRAM, in bytes: buffers are added to what is
 *	private, pages in use to what is resident
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
