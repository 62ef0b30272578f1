// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Runs: from what a walk of the CPU's page table found to calls of ops->map.
 */

#include <kunit/test.h>

#include <linux/dma-mapping.h>
#include <linux/hmm.h>
#include <linux/mm.h>

#include "drm_svm_fake_kunit.h"

#define PAGES	DRM_SVM_RANGE_PAGES
#define BASE	(16 * DRM_SVM_RANGE_SIZE)

#define RO	DRM_SVM_PAGE_READ
#define RW	(DRM_SVM_PAGE_READ | DRM_SVM_PAGE_WRITE)

#define ORDER	5U
#define HUGE	(PMD_SHIFT - PAGE_SHIFT)

struct run_test {
	struct fake_gpu *gpu;
	struct drm_svm_range *range;
	struct drm_svm_view *view;
	struct drm_svm_scratch *scratch;
	struct page *ram;
	DECLARE_BITMAP(writes, PAGES);
};

static int run_init(struct kunit *test)
{
	struct run_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->scratch = kunit_kzalloc(test, sizeof(*t->scratch), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->scratch);
	t->gpu = fake_gpu_create(test);
	t->range = fake_range(test, t->gpu, BASE);
	t->view = fake_view(test, t->range, t->gpu);
	/* dirty: mapped writable wherever the CPU can write it */
	t->ram = fake_pages(test, ORDER);
	folio_set_dirty(page_folio(t->ram));
	test->priv = t;
	return 0;
}

/* The walk found @n pages, the first one @page, from page @index of the range on. */
static void found(struct run_test *t, unsigned int index, struct page *page,
		  unsigned int n, unsigned long flags)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		t->scratch->pfns[index + i] = (page_to_pfn(page) + i) |
					      HMM_PFN_VALID | flags;
}

static void map(struct kunit *test, unsigned int first, unsigned int end)
{
	struct run_test *t = test->priv;
	int err;

	scoped_guard(mutex, &t->range->pt_lock)
		err = drm_svm_run_map_locked(t->range, t->view, t->scratch, first,
					     end, t->writes);
	KUNIT_EXPECT_EQ(test, err, 0);
	KUNIT_EXPECT_EQ(test, t->view->nmapped, bitmap_weight(t->view->mapped, PAGES));
}

/* Run number @i begins at page @index of the range. */
static void expect_run(struct kunit *test, unsigned int i, unsigned int index,
		       struct drm_svm_run want)
{
	struct run_test *t = test->priv;
	struct fake_run *run = &t->gpu->runs[i];

	KUNIT_EXPECT_GT(test, t->gpu->nruns, i);
	KUNIT_EXPECT_EQ(test, run->start, BASE + index * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, run->run.npages, want.npages);
	KUNIT_EXPECT_EQ(test, run->run.addr, want.addr);
	KUNIT_EXPECT_EQ(test, run->run.prot, want.prot);
	KUNIT_EXPECT_EQ(test, run->run.location, want.location);
}

static void expect_ram(struct kunit *test, unsigned int i, unsigned int index,
		       unsigned int npages, struct page *page, u16 prot)
{
	expect_run(test, i, index, (struct drm_svm_run) {
		.addr = page_to_phys(page), .npages = npages, .prot = prot,
		.location = DRM_SVM_LOCATION_SYSTEM,
	});
}

static void expect_calls(struct kunit *test, unsigned int nmaps,
			 unsigned int nruns)
{
	struct run_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, t->gpu->nmaps, nmaps);
	KUNIT_EXPECT_EQ(test, t->gpu->nruns, nruns);
}

static void pages_of_a_folio_are_one_run(struct kunit *test)
{
	struct run_test *t = test->priv;

	found(t, 0, t->ram, 8, HMM_PFN_WRITE);
	map(test, 0, 8);
	expect_calls(test, 1, 1);
	expect_ram(test, 0, 0, 8, t->ram, RW);
	KUNIT_EXPECT_EQ(test, bitmap_weight(t->view->mapped, PAGES), 8);
	KUNIT_EXPECT_TRUE(test, bitmap_equal(t->view->mapped, t->view->writable, PAGES));
	KUNIT_EXPECT_TRUE(test, bitmap_empty(t->view->vram, PAGES));
}

static void pages_outside_of_the_window_are_not_mapped(struct kunit *test)
{
	struct run_test *t = test->priv;

	found(t, PAGES - 4, t->ram, 4, HMM_PFN_WRITE);
	map(test, PAGES - 3, PAGES - 1);
	expect_calls(test, 1, 1);
	expect_ram(test, 0, PAGES - 3, 2, t->ram + 1, RW);
	map(test, PAGES - 4, PAGES);
	expect_calls(test, 3, 3);
	expect_ram(test, 1, PAGES - 4, 1, t->ram, RW);
	expect_ram(test, 2, PAGES - 1, 1, t->ram + 3, RW);
}

static void missing_page_ends_the_call(struct kunit *test)
{
	struct run_test *t = test->priv;

	found(t, 0, t->ram, 9, HMM_PFN_WRITE);
	t->scratch->pfns[3] = 0;
	t->scratch->pfns[8] |= HMM_PFN_ERROR;
	map(test, 0, 16);
	expect_calls(test, 2, 2);
	expect_ram(test, 0, 0, 3, t->ram, RW);
	expect_ram(test, 1, 4, 4, t->ram + 4, RW);
}

static void nothing_found_is_no_call(struct kunit *test)
{
	map(test, 0, PAGES);
	expect_calls(test, 0, 0);
}

static void pages_elsewhere_are_a_run_of_the_same_call(struct kunit *test)
{
	struct run_test *t = test->priv;

	found(t, 0, t->ram, 2, HMM_PFN_WRITE);
	found(t, 2, t->ram + 5, 3, HMM_PFN_WRITE);
	found(t, 5, t->ram + 2, 1, HMM_PFN_WRITE);
	map(test, 0, 6);
	expect_calls(test, 1, 3);
	expect_ram(test, 0, 0, 2, t->ram, RW);
	expect_ram(test, 1, 2, 3, t->ram + 5, RW);
	expect_ram(test, 2, 5, 1, t->ram + 2, RW);
}

static void permission_ends_the_run(struct kunit *test)
{
	struct run_test *t = test->priv;

	found(t, 0, t->ram, 8, HMM_PFN_WRITE);
	t->scratch->pfns[2] &= ~HMM_PFN_WRITE;
	t->scratch->pfns[3] &= ~HMM_PFN_WRITE;
	map(test, 0, 8);
	expect_calls(test, 1, 3);
	expect_ram(test, 0, 0, 2, t->ram, RW);
	expect_ram(test, 1, 2, 2, t->ram + 2, RO);
	expect_ram(test, 2, 4, 4, t->ram + 4, RW);
	KUNIT_EXPECT_EQ(test, bitmap_weight(t->view->writable, PAGES), 6);
	KUNIT_EXPECT_FALSE(test, test_bit(3, t->view->writable));
}

/* Contiguous by chance: the order of a folio is no bound. */
static void neighbouring_folios_are_one_run(struct kunit *test)
{
	struct run_test *t = test->priv;
	struct page *pages = fake_small_pages(test, 3);
	unsigned int i;

	for (i = 0; i < 8; i++)
		folio_set_dirty(page_folio(pages + i));
	found(t, 4, pages, 8, HMM_PFN_WRITE);
	map(test, 4, 12);
	expect_calls(test, 1, 1);
	expect_ram(test, 0, 4, 8, pages, RW);
}

/* The CPU's entry says how large it is, so the other pages are not looked at. */
static void huge_page_is_one_run_within_the_window(struct kunit *test)
{
	struct run_test *t = test->priv;
	struct page *huge = fake_pages(test, HUGE);

	folio_set_dirty(page_folio(huge));
	found(t, 5, huge + 5, 1,
	      HMM_PFN_WRITE | (unsigned long)HUGE << HMM_PFN_ORDER_SHIFT);
	map(test, 5, PAGES - 1);
	expect_calls(test, 1, 1);
	expect_ram(test, 0, 5, PAGES - 6, huge + 5, RW);
}

static void mapped_pages_are_left_alone(struct kunit *test)
{
	struct run_test *t = test->priv;

	found(t, 0, t->ram, 16, HMM_PFN_WRITE);
	map(test, 4, 8);
	map(test, 0, 16);
	expect_calls(test, 3, 3);
	expect_ram(test, 0, 4, 4, t->ram + 4, RW);
	expect_ram(test, 1, 0, 4, t->ram, RW);
	expect_ram(test, 2, 8, 8, t->ram + 8, RW);
	map(test, 0, 16);
	expect_calls(test, 3, 3);
}

static void page_that_becomes_writable_is_mapped_again(struct kunit *test)
{
	struct run_test *t = test->priv;

	found(t, 0, t->ram, 4, 0);
	map(test, 0, 4);
	expect_ram(test, 0, 0, 4, t->ram, RO);
	found(t, 1, t->ram + 1, 2, HMM_PFN_WRITE);
	map(test, 0, 4);
	expect_calls(test, 2, 2);
	expect_ram(test, 1, 1, 2, t->ram + 1, RW);
	/* but not one that is writable already, when it is found read-only */
	found(t, 0, t->ram, 4, 0);
	map(test, 0, 4);
	expect_calls(test, 2, 2);
	KUNIT_EXPECT_EQ(test, bitmap_weight(t->view->writable, PAGES), 2);
}

struct dirty_case {
	const char *name;
	bool requested;
	unsigned long flags;
	u16 prot;
	bool dirty;
};

static const struct dirty_case dirty_cases[] = {
	{ "read, the CPU can write", false, HMM_PFN_WRITE, RO, false },
	{ "read, the CPU cannot", false, 0, RO, false },
	{ "write, the CPU can", true, HMM_PFN_WRITE, RW, true },
	{ "write, the CPU cannot", true, 0, RO, false },
};

KUNIT_ARRAY_PARAM_DESC(dirty, dirty_cases, name);

/* A write of one page counts for its folio, which gets dirty as a whole anyway. */
static void clean_page_is_writable_when_it_is_dirtied(struct kunit *test)
{
	const struct dirty_case *c = test->param_value;
	struct run_test *t = test->priv;

	folio_clear_dirty(page_folio(t->ram));
	found(t, 0, t->ram, 8, c->flags);
	if (c->requested)
		set_bit(7, t->writes);
	map(test, 0, 8);
	expect_calls(test, 1, 1);
	expect_ram(test, 0, 0, 8, t->ram, c->prot);
	KUNIT_EXPECT_EQ(test, folio_test_dirty(page_folio(t->ram)), c->dirty);
}

/* A write just outside of the pages in question */
static void write_of_another_folio_does_not_count(struct kunit *test)
{
	struct run_test *t = test->priv;

	folio_clear_dirty(page_folio(t->ram));
	found(t, 1, t->ram, 4, HMM_PFN_WRITE);
	set_bit(0, t->writes);
	set_bit(5, t->writes);
	map(test, 0, 6);
	expect_ram(test, 0, 1, 4, t->ram, RO);
}

static void dma_addresses_are_kept_a_page_each(struct kunit *test)
{
	struct run_test *t = test->priv;
	unsigned int i;

	found(t, 2, t->ram, 4, HMM_PFN_WRITE);
	map(test, 0, 8);
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_EQ(test, t->view->dma_addr[2 + i],
				page_to_phys(t->ram + i));
	KUNIT_EXPECT_EQ(test, t->view->dma_addr[1], 0);
	KUNIT_EXPECT_EQ(test, t->view->dma_addr[6], 0);
}

static void no_dma_address_is_kept_where_none_is_needed(struct kunit *test)
{
	struct run_test *t = test->priv;
	struct fake_gpu *gpu = fake_gpu_create(test);

	gpu->sdev.track_dma = false;
	t->gpu = gpu;
	t->view = fake_view(test, t->range, gpu);
	found(t, 0, t->ram, 8, HMM_PFN_WRITE);
	map(test, 0, 8);
	expect_calls(test, 1, 1);
	expect_ram(test, 0, 0, 8, t->ram, RW);
	KUNIT_EXPECT_NULL(test, t->view->dma_addr);
	/* the DMA layer of a debug kernel wants it back all the same */
	dma_unmap_phys(gpu->sdev.dma_dev, gpu->runs[0].run.addr, 8 * PAGE_SIZE,
		       DMA_BIDIRECTIONAL,
		       DMA_ATTR_SKIP_CPU_SYNC | DMA_ATTR_REQUIRE_COHERENT);
}

static u64 fake_peer_addr(struct drm_svm_vram *vram, struct drm_svm_device *peer,
			  u64 offset)
{
	return BIT_ULL(50) + offset;
}

static const struct drm_svm_vram_ops fake_vram_ops = {
	.peer_addr = fake_peer_addr,
};

/* VRAM of the GPU of the test, or of another one, all of one owner. */
static struct fake_vram *make_vram(struct kunit *test, struct fake_gpu *gpu)
{
	struct fake_vram *vram = fake_vram_create(test, gpu);

	vram->vram.ops = &fake_vram_ops;
	vram->vram.owner = &fake_vram_ops;
	gpu->sdev.vram = &vram->vram;
	return vram;
}

static void vram_is_a_run_of_offsets(struct kunit *test)
{
	struct run_test *t = test->priv;
	struct page *vram = fake_vram_use(test, make_vram(test, t->gpu), 16, 2);

	found(t, 0, vram, 4, HMM_PFN_WRITE);
	found(t, 4, t->ram, 2, HMM_PFN_WRITE);
	set_bit(0, t->writes);
	map(test, 0, 6);
	expect_calls(test, 1, 2);
	expect_run(test, 0, 0, (struct drm_svm_run) {
		.addr = 16 * PAGE_SIZE, .npages = 4, .prot = RW,
		.location = DRM_SVM_LOCATION_VRAM,
	});
	expect_ram(test, 1, 4, 2, t->ram, RW);
	KUNIT_EXPECT_EQ(test, bitmap_weight(t->view->vram, PAGES), 4);
	KUNIT_EXPECT_TRUE(test, test_bit(3, t->view->vram));
	KUNIT_EXPECT_TRUE(test, bitmap_empty(t->view->peer, PAGES));
}

static void vram_of_a_peer_is_where_its_driver_says(struct kunit *test)
{
	struct run_test *t = test->priv;
	struct fake_gpu *other = fake_gpu_create(test);
	struct fake_vram *own = make_vram(test, t->gpu);
	struct fake_vram *peer = make_vram(test, other);

	found(t, 0, fake_vram_use(test, own, 8, 0), 1, 0);
	found(t, 1, fake_vram_use(test, peer, 9, 0), 1, 0);
	map(test, 0, 2);
	expect_calls(test, 1, 2);
	expect_run(test, 0, 0, (struct drm_svm_run) {
		.addr = 8 * PAGE_SIZE, .npages = 1, .prot = RO,
		.location = DRM_SVM_LOCATION_VRAM,
	});
	expect_run(test, 1, 1, (struct drm_svm_run) {
		.addr = BIT_ULL(50) + 9 * PAGE_SIZE, .npages = 1, .prot = RO,
		.location = DRM_SVM_LOCATION_PEER,
	});
	KUNIT_EXPECT_EQ(test, bitmap_weight(t->view->vram, PAGES), 2);
	KUNIT_EXPECT_EQ(test, bitmap_weight(t->view->peer, PAGES), 1);
	KUNIT_EXPECT_TRUE(test, test_bit(1, t->view->peer));
}

static void vram_that_is_not_reached_is_skipped(struct kunit *test)
{
	struct run_test *t = test->priv;
	struct fake_gpu *other = fake_gpu_create(test);
	struct fake_vram *own = make_vram(test, t->gpu);
	struct fake_vram *peer = make_vram(test, other);

	peer->vram.owner = NULL;
	found(t, 0, fake_vram_use(test, peer, 0, 0), 1, 0);
	found(t, 1, fake_vram_use(test, own, 0, 0), 1, 0);
	map(test, 0, 2);
	expect_calls(test, 1, 1);
	expect_run(test, 0, 1, (struct drm_svm_run) {
		.addr = 0, .npages = 1, .prot = RO,
		.location = DRM_SVM_LOCATION_VRAM,
	});
}

/* A device that goes: what has not gone to RAM yet must not be mapped again. */
static void vram_that_is_closed_is_skipped(struct kunit *test)
{
	struct run_test *t = test->priv;
	struct fake_vram *own = make_vram(test, t->gpu);

	found(t, 0, fake_vram_use(test, own, 0, 0), 1, 0);
	own->vram.closed = true;
	map(test, 0, 1);
	expect_calls(test, 0, 0);
}

static struct kunit_case run_cases[] = {
	KUNIT_CASE(pages_of_a_folio_are_one_run),
	KUNIT_CASE(pages_outside_of_the_window_are_not_mapped),
	KUNIT_CASE(missing_page_ends_the_call),
	KUNIT_CASE(nothing_found_is_no_call),
	KUNIT_CASE(pages_elsewhere_are_a_run_of_the_same_call),
	KUNIT_CASE(permission_ends_the_run),
	KUNIT_CASE(neighbouring_folios_are_one_run),
	KUNIT_CASE(huge_page_is_one_run_within_the_window),
	KUNIT_CASE(mapped_pages_are_left_alone),
	KUNIT_CASE(page_that_becomes_writable_is_mapped_again),
	KUNIT_CASE_PARAM(clean_page_is_writable_when_it_is_dirtied, dirty_gen_params),
	KUNIT_CASE(write_of_another_folio_does_not_count),
	KUNIT_CASE(dma_addresses_are_kept_a_page_each),
	KUNIT_CASE(no_dma_address_is_kept_where_none_is_needed),
	KUNIT_CASE(vram_is_a_run_of_offsets),
	KUNIT_CASE(vram_of_a_peer_is_where_its_driver_says),
	KUNIT_CASE(vram_that_is_not_reached_is_skipped),
	KUNIT_CASE(vram_that_is_closed_is_skipped),
	{}
};

static struct kunit_suite run_suite = {
	.name = "drm_svm_run",
	.init = run_init,
	.test_cases = run_cases,
};

kunit_test_suite(run_suite);
