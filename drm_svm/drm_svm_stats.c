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
	spin_lock_init(&stats->listeners.lock);
	INIT_LIST_HEAD(&stats->listeners.list);
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

static u64 drm_svm_stat_read(struct drm_svm_stats *stats, enum drm_svm_stat stat)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(stats->values, cpu)->v[stat]);
	return sum;
}

/* Returns @in minus @out; @out is read first, so that is never negative. */
static u64 drm_svm_stat_left(struct drm_svm_stats *stats, enum drm_svm_stat in,
			     enum drm_svm_stat out)
{
	u64 left = drm_svm_stat_read(stats, out);

	return drm_svm_stat_read(stats, in) - left;
}

/* Added and subtracted on different CPUs, so a sum may be read half way. */
static u64 drm_svm_stat_gauge(struct drm_svm_stats *stats, enum drm_svm_stat stat)
{
	s64 sum = drm_svm_stat_read(stats, stat);

	return max(sum, 0);
}

/* Bytes of VRAM that pages of the context use. Context: any. */
u64 drm_svm_stats_vram(struct drm_svm_stats *stats)
{
	return drm_svm_stat_gauge(stats, DRM_SVM_STAT_VRAM_PAGES) << PAGE_SHIFT;
}

/*
 * How a counter comes from the statistics: not at all, because it was retired;
 * as it is; in bytes, of a number of pages; as the difference of two that only
 * grow; as a sum that also shrinks; or as the number of ranges.
 */
enum drm_svm_counter_kind {
	DRM_SVM_KIND_NONE,
	DRM_SVM_KIND_COUNT,
	DRM_SVM_KIND_BYTES,
	DRM_SVM_KIND_LEFT,
	DRM_SVM_KIND_GAUGE,
	DRM_SVM_KIND_RANGES,
};

static const struct drm_svm_counter_info {
	const char *name;
	enum drm_svm_counter_kind kind;
	enum drm_svm_stat stat;
	enum drm_svm_stat minus;
} drm_svm_counter_infos[] = {
	[DRM_SVM_COUNTER_FAULTS] = { "faults", DRM_SVM_KIND_COUNT, DRM_SVM_STAT_FAULTS },
	[DRM_SVM_COUNTER_DUPLICATES] = {
		"duplicates", DRM_SVM_KIND_COUNT, DRM_SVM_STAT_DUPLICATES,
	},
	[DRM_SVM_COUNTER_BATCHES] = { "batches", DRM_SVM_KIND_COUNT, DRM_SVM_STAT_BATCHES },
	[DRM_SVM_COUNTER_RETRIES] = { "retries", DRM_SVM_KIND_COUNT, DRM_SVM_STAT_RETRIES },
	[DRM_SVM_COUNTER_WAITS] = { "waits", DRM_SVM_KIND_COUNT, DRM_SVM_STAT_WAITS },
	[DRM_SVM_COUNTER_FAILED] = { "failed", DRM_SVM_KIND_COUNT, DRM_SVM_STAT_FAILED },
	[DRM_SVM_COUNTER_WALKS] = { "walks", DRM_SVM_KIND_COUNT, DRM_SVM_STAT_WALKS },
	[DRM_SVM_COUNTER_PAGES_MAPPED] = {
		"pages-mapped", DRM_SVM_KIND_COUNT, DRM_SVM_STAT_PAGES_MAPPED,
	},
	[DRM_SVM_COUNTER_PAGES_UNMAPPED] = {
		"pages-unmapped", DRM_SVM_KIND_COUNT, DRM_SVM_STAT_PAGES_UNMAPPED,
	},
	[DRM_SVM_COUNTER_INVALIDATIONS] = {
		"invalidations", DRM_SVM_KIND_COUNT, DRM_SVM_STAT_INVALIDATIONS,
	},
	[DRM_SVM_COUNTER_FLUSHES] = { "flushes", DRM_SVM_KIND_COUNT, DRM_SVM_STAT_FLUSHES },
	[DRM_SVM_COUNTER_CUR_PAGES] = {
		"cur-pages", DRM_SVM_KIND_LEFT, DRM_SVM_STAT_PAGES_MAPPED,
		DRM_SVM_STAT_PAGES_UNMAPPED,
	},
	[DRM_SVM_COUNTER_CUR_RANGES] = { "cur-ranges", DRM_SVM_KIND_RANGES },
	[DRM_SVM_COUNTER_CUR_DMA_PAGES] = {
		"cur-dma-pages", DRM_SVM_KIND_LEFT, DRM_SVM_STAT_DMA_MAPPED,
		DRM_SVM_STAT_DMA_UNMAPPED,
	},
	[DRM_SVM_COUNTER_VRAM_PAGES_IN] = {
		"vram-pages-in", DRM_SVM_KIND_COUNT, DRM_SVM_STAT_VRAM_IN,
	},
	[DRM_SVM_COUNTER_VRAM_BYTES_IN] = {
		"vram-bytes-in", DRM_SVM_KIND_BYTES, DRM_SVM_STAT_VRAM_COPIED_IN,
	},
	[DRM_SVM_COUNTER_VRAM_PAGES_OUT] = {
		"vram-pages-out", DRM_SVM_KIND_COUNT, DRM_SVM_STAT_VRAM_OUT,
	},
	[DRM_SVM_COUNTER_VRAM_BYTES_OUT] = {
		"vram-bytes-out", DRM_SVM_KIND_BYTES, DRM_SVM_STAT_VRAM_OUT,
	},
	[DRM_SVM_COUNTER_VRAM_CPU_FAULTS] = {
		"vram-cpu-faults", DRM_SVM_KIND_COUNT, DRM_SVM_STAT_VRAM_CPU_FAULTS,
	},
	[DRM_SVM_COUNTER_VRAM_EVICTIONS] = {
		"vram-evictions", DRM_SVM_KIND_COUNT, DRM_SVM_STAT_VRAM_EVICTIONS,
	},
	[DRM_SVM_COUNTER_VRAM_EVICTED_PAGES] = {
		"vram-evicted-pages", DRM_SVM_KIND_COUNT, DRM_SVM_STAT_VRAM_EVICTED,
	},
	[DRM_SVM_COUNTER_VRAM_BUSY] = { "vram-busy", DRM_SVM_KIND_COUNT, DRM_SVM_STAT_VRAM_BUSY },
	[DRM_SVM_COUNTER_VRAM_NO_SPACE] = {
		"vram-no-space", DRM_SVM_KIND_COUNT, DRM_SVM_STAT_VRAM_NO_SPACE,
	},
	[DRM_SVM_COUNTER_VRAM_FAILED] = {
		"vram-failed", DRM_SVM_KIND_COUNT, DRM_SVM_STAT_VRAM_FAILED,
	},
	[DRM_SVM_COUNTER_CUR_VRAM_PAGES] = {
		"cur-vram-pages", DRM_SVM_KIND_GAUGE, DRM_SVM_STAT_VRAM_PAGES,
	},
	[DRM_SVM_COUNTER_CUR_VRAM_RESERVED] = {
		"cur-vram-reserved", DRM_SVM_KIND_GAUGE, DRM_SVM_STAT_VRAM_RESERVED,
	},
};

static_assert(ARRAY_SIZE(drm_svm_counter_infos) == DRM_SVM_COUNTER_NUM);

/* The name of a counter, for debugfs, or NULL if it was retired. */
const char *drm_svm_counter_name(enum drm_svm_counter counter)
{
	return drm_svm_counter_infos[counter].name;
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_counter_name);

/**
 * drm_svm_counter_read() - read one counter of a context
 * @ctx: the context, attached
 * @counter: which one
 *
 * Return: its value.
 */
u64 drm_svm_counter_read(struct drm_svm_context *ctx, enum drm_svm_counter counter)
{
	const struct drm_svm_counter_info *info = &drm_svm_counter_infos[counter];

	switch (info->kind) {
	case DRM_SVM_KIND_COUNT:
		return drm_svm_stat_read(ctx->stats, info->stat);
	case DRM_SVM_KIND_BYTES:
		return drm_svm_stat_read(ctx->stats, info->stat) << PAGE_SHIFT;
	case DRM_SVM_KIND_LEFT:
		return drm_svm_stat_left(ctx->stats, info->stat, info->minus);
	case DRM_SVM_KIND_GAUGE:
		return drm_svm_stat_gauge(ctx->stats, info->stat);
	case DRM_SVM_KIND_RANGES:
		return atomic_long_read(&ctx->svm->nranges);
	default:
		return 0;
	}
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_counter_read);

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
	vram->private += drm_svm_stat_gauge(ctx->stats, DRM_SVM_STAT_VRAM_RESERVED) <<
			 PAGE_SHIFT;
	vram->resident += drm_svm_stats_vram(ctx->stats);
}
EXPORT_SYMBOL_GPL(drm_svm_memory_stats);
