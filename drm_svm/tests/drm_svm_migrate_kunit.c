// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Migration: what is copied and cleared, in as few segments as possible.
 */

#include <kunit/resource.h>
#include <kunit/test.h>

#include <linux/dma-mapping.h>
#include <linux/mm.h>

#include <drm/ttm/ttm_resource.h>

#include "drm_svm_fake_kunit.h"

#define NPAGES	16U

struct migrate_test {
	struct fake_vram *vram;
	struct drm_svm_migration *m;
	struct page *ram;
};

/* DMA mappings go back, also where an assertion failed. */
static void migrate_end(void *data)
{
	struct drm_svm_migration *m = data;

	drm_svm_migration_wait(m);
	drm_svm_migration_free(m);
}

static int migrate_init(struct kunit *test)
{
	struct migrate_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->vram = fake_vram_create(test, fake_gpu_create(test));
	t->ram = fake_pages(test, ilog2(NPAGES));
	t->m = drm_svm_migration_alloc(NPAGES, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->m);
	drm_svm_migration_reset(t->m, &t->vram->vram);
	t->m->npages = NPAGES;
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, migrate_end, t->m), 0);
	test->priv = t;
	return 0;
}

static struct page *vram_page(struct migrate_test *t, unsigned int index)
{
	return fake_vram_page(t->vram, index);
}

/* Copies page @ram of the test's RAM from or to page @vram of its VRAM. */
static void copy(struct kunit *test, unsigned int i, unsigned int ram,
		 unsigned int vram, unsigned int npages, bool to_vram)
{
	struct migrate_test *t = test->priv;

	KUNIT_EXPECT_EQ(test,
			drm_svm_migration_add_copy(t->m, i, t->ram + ram,
						   vram_page(t, vram), npages,
						   to_vram ? DRM_SVM_TO_VRAM : DRM_SVM_TO_RAM), 0);
}

static u64 ram_addr(struct migrate_test *t, unsigned int index)
{
	return page_to_phys(t->ram + index);
}

static void pages_in_order_are_one_segment(struct kunit *test)
{
	struct migrate_test *t = test->priv;
	const struct drm_svm_copy *seg = t->m->segs;
	unsigned int i;

	for (i = 0; i < NPAGES; i++)
		copy(test, i, i, 100 + i, 1, true);
	KUNIT_EXPECT_EQ(test, t->m->nsegs, 1);
	KUNIT_EXPECT_EQ(test, seg->npages, NPAGES);
	KUNIT_EXPECT_EQ(test, seg->src, ram_addr(t, 0));
	KUNIT_EXPECT_EQ(test, seg->dst, 100 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, seg->src_location, DRM_SVM_LOCATION_SYSTEM);
	KUNIT_EXPECT_EQ(test, seg->dst_location, DRM_SVM_LOCATION_VRAM);
}

static void pages_to_ram_swap_source_and_destination(struct kunit *test)
{
	struct migrate_test *t = test->priv;
	const struct drm_svm_copy *seg = t->m->segs;

	copy(test, 0, 4, 7, 2, false);
	copy(test, 2, 6, 9, 1, false);
	KUNIT_EXPECT_EQ(test, t->m->nsegs, 1);
	KUNIT_EXPECT_EQ(test, seg->npages, 3);
	KUNIT_EXPECT_EQ(test, seg->src, 7 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, seg->dst, ram_addr(t, 4));
	KUNIT_EXPECT_EQ(test, seg->src_location, DRM_SVM_LOCATION_VRAM);
	KUNIT_EXPECT_EQ(test, seg->dst_location, DRM_SVM_LOCATION_SYSTEM);
}

/* Two copies of one page, and whether they are one segment. */
struct seg_case {
	const char *name;
	unsigned int ram;
	unsigned int vram;
	bool to_vram;
	unsigned int nsegs;
};

static const struct seg_case seg_cases[] = {
	{ "both go on", 5, 9, true, 1 },
	{ "gap in RAM", 6, 9, true, 2 },
	{ "gap in VRAM", 5, 10, true, 2 },
	{ "backwards in RAM", 3, 9, true, 2 },
	{ "backwards in VRAM", 5, 7, true, 2 },
	{ "the other way", 5, 9, false, 2 },
};

KUNIT_ARRAY_PARAM_DESC(seg, seg_cases, name);

/* After page 4 to page 8 of VRAM. */
static void segment_goes_on_only_on_both_sides(struct kunit *test)
{
	const struct seg_case *c = test->param_value;
	struct migrate_test *t = test->priv;

	copy(test, 0, 4, 8, 1, true);
	copy(test, 1, c->ram, c->vram, 1, c->to_vram);
	KUNIT_EXPECT_EQ(test, t->m->nsegs, c->nsegs);
	KUNIT_EXPECT_EQ(test, t->m->segs[0].npages, 3 - c->nsegs);
}

/* Of entries that stand for several pages, with gaps where one does not move. */
static void segment_counts_all_pages_before(struct kunit *test)
{
	struct migrate_test *t = test->priv;

	copy(test, 0, 0, 32, 4, true);
	copy(test, 5, 4, 36, 8, true);
	copy(test, 13, 13, 45, 1, true);
	KUNIT_EXPECT_EQ(test, t->m->nsegs, 2);
	KUNIT_EXPECT_EQ(test, t->m->segs[0].npages, 12);
	KUNIT_EXPECT_EQ(test, t->m->segs[1].npages, 1);
}

static void clears_are_runs_of_vram(struct kunit *test)
{
	struct migrate_test *t = test->priv;

	drm_svm_migration_add_clear(t->m, vram_page(t, 3), 2);
	drm_svm_migration_add_clear(t->m, vram_page(t, 5), 1);
	drm_svm_migration_add_clear(t->m, vram_page(t, 7), 1);
	drm_svm_migration_add_clear(t->m, vram_page(t, 6), 1);
	KUNIT_EXPECT_EQ(test, t->m->nclears, 3);
	KUNIT_EXPECT_EQ(test, t->m->clears[0].addr, 3 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, t->m->clears[0].npages, 3);
	KUNIT_EXPECT_EQ(test, t->m->clears[0].location, DRM_SVM_LOCATION_VRAM);
	KUNIT_EXPECT_EQ(test, t->m->clears[1].addr, 7 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, t->m->clears[2].addr, 6 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, t->m->nsegs, 0);
}

/* As many as there can be: the entries between them do not move. */
static void clears_have_room(struct kunit *test)
{
	struct migrate_test *t = test->priv;
	unsigned int i;

	for (i = 0; i < NPAGES; i += 2)
		drm_svm_migration_add_clear(t->m, vram_page(t, i), 1);
	KUNIT_EXPECT_EQ(test, t->m->nclears, NPAGES / 2);
	/* what comes behind them in memory */
	KUNIT_EXPECT_LE(test, (unsigned long)&t->m->clears[t->m->nclears],
			(unsigned long)t->m->dma);
}

/* A page to clear lies between two to copy. */
static void clears_do_not_join_copies(struct kunit *test)
{
	struct migrate_test *t = test->priv;

	copy(test, 0, 0, 20, 1, true);
	drm_svm_migration_add_clear(t->m, vram_page(t, 21), 1);
	copy(test, 2, 1, 22, 1, true);
	KUNIT_EXPECT_EQ(test, t->m->nsegs, 2);
	KUNIT_EXPECT_EQ(test, t->m->nclears, 1);
}

static void stride_of_a_huge_page_ends_with_the_migration(struct kunit *test)
{
	struct migrate_test *t = test->priv;
	struct drm_svm_migration *m = t->m;

	KUNIT_EXPECT_EQ(test, drm_svm_migration_stride(m, 0), 1);
	m->src[0] = MIGRATE_PFN_COMPOUND;
	KUNIT_EXPECT_EQ(test, drm_svm_migration_stride(m, 0), NPAGES);
	m->dst[3] = MIGRATE_PFN_COMPOUND;
	KUNIT_EXPECT_EQ(test, drm_svm_migration_stride(m, 3), NPAGES - 3);
	KUNIT_EXPECT_EQ(test, drm_svm_migration_stride(m, NPAGES - 1), 1);
	m->npages = 2 * HPAGE_PMD_NR;
	KUNIT_EXPECT_EQ(test, drm_svm_migration_stride(m, 3), HPAGE_PMD_NR);
	m->npages = NPAGES;
	m->dst[3] = 0;
}

static void wait_undoes_each_dma_mapping(struct kunit *test)
{
	struct migrate_test *t = test->priv;

	copy(test, 0, 0, 0, 4, true);
	copy(test, NPAGES - 1, 8, 8, 1, true);
	KUNIT_EXPECT_NE(test, t->m->dma[0], 0);
	KUNIT_EXPECT_EQ(test, drm_svm_migration_wait(t->m), 0);
	KUNIT_EXPECT_EQ(test, t->m->dma[0], 0);
	KUNIT_EXPECT_EQ(test, t->m->dma[NPAGES - 1], 0);
}

/* Nothing was copied: no destination may be handed over. */
static void failed_copy_drops_all_destinations(struct kunit *test)
{
	struct migrate_test *t = test->priv;
	struct page *dst = alloc_page(GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, dst);
	lock_page(dst);
	t->m->dst[NPAGES - 1] = migrate_pfn(page_to_pfn(dst));
	t->m->copy = ERR_PTR(-EIO);
	KUNIT_EXPECT_EQ(test, drm_svm_migration_wait(t->m), -EIO);
	KUNIT_EXPECT_EQ(test, t->m->dst[NPAGES - 1], 0);
}

static struct dma_fence *no_copy(struct drm_svm_vram *vram,
				 const struct drm_svm_copy *segs, unsigned int n)
{
	return NULL;
}

static struct dma_fence *no_clear(struct drm_svm_vram *vram,
				  const struct drm_svm_run *runs, unsigned int n)
{
	return NULL;
}

static const struct drm_svm_vram_ops no_fence_ops = {
	.copy = no_copy,
	.clear = no_clear,
};

/* A driver that says nothing about its copy has not copied. */
static void no_fence_is_a_failed_copy(struct kunit *test)
{
	struct migrate_test *t = test->priv;

	t->vram->vram.ops = &no_fence_ops;
	copy(test, 0, 0, 0, 1, true);
	kunit_warning_suppress(test) {
		drm_svm_migration_start(t->m);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_EQ(test, drm_svm_migration_wait(t->m), -EIO);
}

static void no_fence_is_a_failed_clear(struct kunit *test)
{
	struct migrate_test *t = test->priv;

	t->vram->vram.ops = &no_fence_ops;
	drm_svm_migration_add_clear(t->m, vram_page(t, 0), 1);
	kunit_warning_suppress(test) {
		drm_svm_migration_start(t->m);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_EQ(test, drm_svm_migration_wait(t->m), -EIO);
}

/* As a destination is: locked, with a reference */
static void take_for_destination(struct kunit *test, unsigned int i, unsigned int vram)
{
	struct migrate_test *t = test->priv;
	struct page *page = fake_vram_use(test, t->vram, vram, 0);

	get_page(page);
	lock_page(page);
	t->m->dst[i] = migrate_pfn(page_to_pfn(page));
}

/* Neither the page before nor the one past it. */
static void page_that_broke_is_no_destination(struct kunit *test)
{
	struct migrate_test *t = test->priv;
	unsigned int i;

	for (i = 0; i < 3; i++)
		take_for_destination(test, i, 100 + i);
	KUNIT_ASSERT_EQ(test, xa_err(xa_store(&t->vram->vram.bad, 101,
					      xa_mk_value(0), GFP_KERNEL)), 0);
	drm_svm_chunk_drop_bad(t->m);
	xa_destroy(&t->vram->vram.bad);
	KUNIT_EXPECT_NE(test, t->m->dst[0], 0);
	KUNIT_EXPECT_EQ(test, t->m->dst[1], 0);
	KUNIT_EXPECT_NE(test, t->m->dst[2], 0);
	for (i = 0; i < 3; i++)
		drm_svm_migration_drop(t->m, i);
}

/* Who closed it evicts what is there next, and would have to do it again. */
static void closed_vram_is_not_filled(struct kunit *test)
{
	struct migrate_test *t = test->priv;
	struct drm_svm_bo *bo = &t->vram->bo;
	struct ttm_resource place = { .mem_type = t->vram->vram.mem_type };

	bo->vram = &t->vram->vram;
	bo->tbo.resource = &place;
	KUNIT_EXPECT_TRUE(test, drm_svm_bo_trylock_resident(bo));
	dma_resv_unlock(&t->vram->resv);
	t->vram->vram.closed = true;
	KUNIT_EXPECT_FALSE(test, drm_svm_bo_trylock_resident(bo));
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(&t->vram->resv));
	bo->tbo.resource = NULL;
}

static void reset_forgets_the_last_migration(struct kunit *test)
{
	struct migrate_test *t = test->priv;

	copy(test, 0, 0, 0, 1, true);
	drm_svm_migration_add_clear(t->m, vram_page(t, 1), 1);
	KUNIT_EXPECT_EQ(test, drm_svm_migration_wait(t->m), 0);
	drm_svm_migration_reset(t->m, &t->vram->vram);
	KUNIT_EXPECT_EQ(test, t->m->nsegs, 0);
	KUNIT_EXPECT_EQ(test, t->m->nclears, 0);
	KUNIT_EXPECT_EQ(test, t->m->npages, 0);
	KUNIT_EXPECT_PTR_EQ(test, t->m->args.src, t->m->src);
	KUNIT_EXPECT_PTR_EQ(test, t->m->args.dst, t->m->dst);
}

static struct kunit_case migrate_cases[] = {
	KUNIT_CASE(pages_in_order_are_one_segment),
	KUNIT_CASE(pages_to_ram_swap_source_and_destination),
	KUNIT_CASE_PARAM(segment_goes_on_only_on_both_sides, seg_gen_params),
	KUNIT_CASE(segment_counts_all_pages_before),
	KUNIT_CASE(clears_are_runs_of_vram),
	KUNIT_CASE(clears_have_room),
	KUNIT_CASE(clears_do_not_join_copies),
	KUNIT_CASE(stride_of_a_huge_page_ends_with_the_migration),
	KUNIT_CASE(wait_undoes_each_dma_mapping),
	KUNIT_CASE(failed_copy_drops_all_destinations),
	KUNIT_CASE(no_fence_is_a_failed_copy),
	KUNIT_CASE(no_fence_is_a_failed_clear),
	KUNIT_CASE(closed_vram_is_not_filled),
	KUNIT_CASE(page_that_broke_is_no_destination),
	KUNIT_CASE(reset_forgets_the_last_migration),
	{}
};

static struct kunit_suite migrate_suite = {
	.name = "drm_svm_migrate",
	.init = migrate_init,
	.test_cases = migrate_cases,
};

kunit_test_suite(migrate_suite);
