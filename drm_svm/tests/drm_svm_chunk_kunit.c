// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * To VRAM: which pages move for a fault, as chunks.
 */

#include <kunit/test.h>

#include <linux/hmm.h>
#include <linux/mm.h>

#include "drm_svm_fake_kunit.h"

#define PAGES	DRM_SVM_RANGE_PAGES
#define LEAF	((unsigned int)(DRM_SVM_CHUNK_MIN >> PAGE_SHIFT))
#define BASE	(16 * DRM_SVM_RANGE_SIZE)
#define RD	DRM_SVM_ACCESS_READ
#define WR	DRM_SVM_ACCESS_WRITE

/* A range, a mapping and a fault, all made up. */
struct chunk_test {
	struct fake_gpu *gpu;
	struct drm_svm_range *range;
	struct drm_svm_view *view;
	struct drm_svm_migrator *migrator;
	struct vm_area_struct *vma;
	struct drm_svm_fault_entry entry;
};

static int chunk_init(struct kunit *test)
{
	struct chunk_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->migrator = kunit_kzalloc(test, sizeof(*t->migrator), GFP_KERNEL);
	t->vma = kunit_kzalloc(test, sizeof(*t->vma), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->migrator);
	KUNIT_ASSERT_NOT_NULL(test, t->vma);
	t->gpu = fake_gpu_create(test);
	/* what is mapped here has no DMA address that could be undone */
	t->gpu->sdev.track_dma = false;
	t->range = fake_range(test, t->gpu, BASE);
	t->view = fake_view(test, t->range, t->gpu);
	t->vma->vm_start = BASE;
	t->vma->vm_end = BASE + DRM_SVM_RANGE_SIZE;
	t->entry.ctx = &t->gpu->ctx;
	t->entry.fault.access = RD;
	test->priv = t;
	return 0;
}

static unsigned long page_addr(unsigned int index)
{
	return BASE + index * PAGE_SIZE;
}

/* The chunks for a fault of page @index; returns the page past the window. */
static unsigned int choose(struct chunk_test *t, unsigned int index)
{
	t->entry.fault.addr = page_addr(index);
	guard(mutex)(&t->range->service_lock);
	return drm_svm_chunk_window(t->migrator, t->range, &t->entry, t->vma);
}

static void expect_chunk(struct kunit *test, unsigned int i, unsigned int first,
			 unsigned int npages, unsigned int want)
{
	struct chunk_test *t = test->priv;
	struct drm_svm_chunk *chunk = &t->migrator->chunks[i];

	KUNIT_EXPECT_GT(test, t->migrator->n, i);
	KUNIT_EXPECT_EQ(test, chunk->base, page_addr(first));
	KUNIT_EXPECT_EQ(test, chunk->npages, npages);
	KUNIT_EXPECT_EQ(test, chunk->want, want);
}

static void first_fault_takes_a_leaf(struct kunit *test)
{
	struct chunk_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, choose(t, 2 * LEAF - 1), 2 * LEAF);
	KUNIT_EXPECT_EQ(test, t->migrator->n, 1);
	expect_chunk(test, 0, LEAF, LEAF, 1);
	KUNIT_EXPECT_EQ(test, t->migrator->chunks[0].start, page_addr(LEAF));
	KUNIT_EXPECT_EQ(test, t->migrator->chunks[0].end, page_addr(2 * LEAF));
	KUNIT_EXPECT_FALSE(test, t->migrator->chunks[0].holes);
}

static void write_fault_fills_holes(struct kunit *test)
{
	struct chunk_test *t = test->priv;

	t->entry.fault.access = RD | WR;
	choose(t, 0);
	KUNIT_EXPECT_TRUE(test, t->migrator->chunks[0].holes);
}

/* What is mapped in RAM moves with the fault that makes the window large. */
static void window_in_ram_moves_as_one(struct kunit *test)
{
	struct chunk_test *t = test->priv;

	fake_mapped(t->view, 0, PAGES / 2);
	KUNIT_EXPECT_EQ(test, choose(t, PAGES / 2), PAGES);
	KUNIT_EXPECT_EQ(test, t->migrator->n, 1);
	expect_chunk(test, 0, 0, PAGES, 1);
}

/* Leaf 1 is there: leaf 0, then 2 and 3 together. */
static void window_leaves_out_what_is_in_vram(struct kunit *test)
{
	struct chunk_test *t = test->priv;

	t->vma->vm_end = page_addr(4 * LEAF);
	fake_mapped(t->view, 0, 3 * LEAF);
	bitmap_set(t->view->vram, LEAF, LEAF);
	KUNIT_EXPECT_EQ(test, choose(t, 3 * LEAF), 4 * LEAF);
	KUNIT_EXPECT_EQ(test, t->migrator->n, 2);
	expect_chunk(test, 0, 0, LEAF, 0);
	expect_chunk(test, 1, 2 * LEAF, 2 * LEAF, 1);
	/* what is to be mapped, then */
	KUNIT_EXPECT_EQ(test, bitmap_weight(t->migrator->tried, PAGES), 4 * LEAF);
	KUNIT_EXPECT_EQ(test, find_next_zero_bit(t->migrator->tried, PAGES, 0), 4 * LEAF);
}

/* A page that went to RAM alone: its block moves again, others in part there do not. */
static void block_of_the_fault_moves_again(struct kunit *test)
{
	struct chunk_test *t = test->priv;

	t->vma->vm_end = page_addr(2 * LEAF);
	fake_mapped(t->view, 0, 2 * LEAF);
	clear_bit(LEAF + 1, t->view->mapped);
	t->view->nmapped--;
	set_bit(0, t->view->vram);
	set_bit(LEAF, t->view->vram);
	KUNIT_EXPECT_EQ(test, choose(t, LEAF + 1), 2 * LEAF);
	KUNIT_EXPECT_EQ(test, t->migrator->n, 1);
	expect_chunk(test, 0, LEAF, LEAF, 1);
}

static void chunks_are_cut_to_the_mapping(struct kunit *test)
{
	struct chunk_test *t = test->priv;

	t->vma->vm_start = page_addr(LEAF + 1);
	t->vma->vm_end = page_addr(2 * LEAF - 1);
	/* what is next may be of another mapping */
	KUNIT_EXPECT_EQ(test, choose(t, LEAF + 1), 2 * LEAF - 1);
	KUNIT_EXPECT_EQ(test, bitmap_weight(t->migrator->tried, PAGES), LEAF - 2);
	KUNIT_EXPECT_EQ(test, t->migrator->n, 1);
	expect_chunk(test, 0, LEAF, LEAF, 1);
	KUNIT_EXPECT_EQ(test, t->migrator->chunks[0].start, page_addr(LEAF + 1));
	KUNIT_EXPECT_EQ(test, t->migrator->chunks[0].end, page_addr(2 * LEAF - 1));
}

/* Leaf 1 is in VRAM, so that leaf 0 is a chunk of its own, in the mapping or not. */
static void chunk_outside_of_the_mapping_is_none(struct kunit *test)
{
	struct chunk_test *t = test->priv;

	fake_mapped(t->view, 0, 3 * LEAF);
	bitmap_set(t->view->vram, LEAF, LEAF);
	t->vma->vm_start = page_addr(LEAF);
	t->vma->vm_end = page_addr(4 * LEAF);
	choose(t, 3 * LEAF);
	KUNIT_EXPECT_EQ(test, t->migrator->n, 1);
	expect_chunk(test, 0, 2 * LEAF, 2 * LEAF, 1);

	t->migrator->n = 0;
	t->vma->vm_start = page_addr(LEAF - 1);
	choose(t, 3 * LEAF);
	KUNIT_EXPECT_EQ(test, t->migrator->n, 2);
	expect_chunk(test, 0, 0, LEAF, 0);
	KUNIT_EXPECT_EQ(test, t->migrator->chunks[0].start, page_addr(LEAF - 1));
}

/* Every other leaf is in VRAM: as many chunks as there can be. */
static void there_is_room_for_all_chunks(struct kunit *test)
{
	struct chunk_test *t = test->priv;
	unsigned int i;

	fake_mapped(t->view, 0, PAGES - LEAF);
	for (i = LEAF; i < PAGES; i += 2 * LEAF)
		bitmap_set(t->view->vram, i, LEAF);
	KUNIT_EXPECT_EQ(test, choose(t, PAGES - 1), PAGES);
	KUNIT_EXPECT_EQ(test, t->migrator->n, DRM_SVM_MIGRATOR_CHUNKS);
	expect_chunk(test, DRM_SVM_MIGRATOR_CHUNKS - 1, PAGES - LEAF, LEAF, 1);
}

/* A migrator that is half full takes what it has room for. */
static void chunks_are_no_more_than_there_is_room(struct kunit *test)
{
	struct chunk_test *t = test->priv;
	unsigned int i;

	t->migrator->n = DRM_SVM_MIGRATOR_CHUNKS - 1;
	fake_mapped(t->view, 0, 3 * LEAF);
	for (i = LEAF; i < 4 * LEAF; i += 2 * LEAF)
		bitmap_set(t->view->vram, i, LEAF);
	KUNIT_EXPECT_EQ(test, choose(t, 3 * LEAF - 1), LEAF);
	KUNIT_EXPECT_EQ(test, t->migrator->n, DRM_SVM_MIGRATOR_CHUNKS);
	expect_chunk(test, DRM_SVM_MIGRATOR_CHUNKS - 1, 0, LEAF, 0);
}

/* The last range of all: its end is not a number of that many bits. */
static void chunk_at_the_end_of_all_addresses(struct kunit *test)
{
	struct chunk_test *t = test->priv;
	struct drm_svm_range *range = kunit_kzalloc(test, sizeof(*range), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, range);
	INIT_LIST_HEAD(&range->views);
	mutex_init(&range->service_lock);
	range->start = -DRM_SVM_RANGE_SIZE;
	t->vma->vm_start = range->start;
	t->vma->vm_end = -PAGE_SIZE;
	t->entry.fault.addr = -2 * PAGE_SIZE;
	scoped_guard(mutex, &range->service_lock)
		drm_svm_chunk_window(t->migrator, range, &t->entry, t->vma);
	KUNIT_EXPECT_EQ(test, t->migrator->n, 1);
	KUNIT_EXPECT_EQ(test, t->migrator->chunks[0].start, -DRM_SVM_CHUNK_MIN);
	KUNIT_EXPECT_EQ(test, t->migrator->chunks[0].end, -PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, t->migrator->chunks[0].want, 1);
}

static void wanted_is_what_is_in_ram_or_written(struct kunit *test)
{
	struct chunk_test *t = test->priv;
	struct page *anon = fake_pages(test, 0), *file = fake_pages(test, 0);
	unsigned long valid = HMM_PFN_VALID;
	struct drm_svm_fault read = { .access = RD }, write = { .access = WR };
	struct page *vram = fake_vram_use(test, fake_vram_create(test, t->gpu), 0, 0);

	anon->mapping = (void *)FOLIO_MAPPING_ANON;
	vram->mapping = (void *)FOLIO_MAPPING_ANON;
	KUNIT_EXPECT_TRUE(test, drm_svm_chunk_is_wanted(&read, page_to_pfn(anon) | valid));
	KUNIT_EXPECT_FALSE(test, drm_svm_chunk_is_wanted(&read, page_to_pfn(vram) | valid));
	KUNIT_EXPECT_FALSE(test, drm_svm_chunk_is_wanted(&write, page_to_pfn(vram) | valid));
	/* a zero page looks like one of a file */
	KUNIT_EXPECT_FALSE(test, drm_svm_chunk_is_wanted(&read, page_to_pfn(file) | valid));
	KUNIT_EXPECT_TRUE(test, drm_svm_chunk_is_wanted(&write, page_to_pfn(file) | valid));
	KUNIT_EXPECT_FALSE(test, drm_svm_chunk_is_wanted(&read, 0));
	KUNIT_EXPECT_TRUE(test, drm_svm_chunk_is_wanted(&write, 0));
	KUNIT_EXPECT_FALSE(test, drm_svm_chunk_is_wanted(&write, HMM_PFN_ERROR));
	/* pinned */
	folio_ref_add(page_folio(anon), GUP_PIN_COUNTING_BIAS);
	KUNIT_EXPECT_FALSE(test, drm_svm_chunk_is_wanted(&write, page_to_pfn(anon) | valid));
	folio_put_refs(page_folio(anon), GUP_PIN_COUNTING_BIAS);
	anon->mapping = NULL;
	vram->mapping = NULL;
}

static struct kunit_case chunk_test_cases[] = {
	KUNIT_CASE(first_fault_takes_a_leaf),
	KUNIT_CASE(write_fault_fills_holes),
	KUNIT_CASE(window_in_ram_moves_as_one),
	KUNIT_CASE(window_leaves_out_what_is_in_vram),
	KUNIT_CASE(block_of_the_fault_moves_again),
	KUNIT_CASE(chunks_are_cut_to_the_mapping),
	KUNIT_CASE(chunk_outside_of_the_mapping_is_none),
	KUNIT_CASE(there_is_room_for_all_chunks),
	KUNIT_CASE(chunks_are_no_more_than_there_is_room),
	KUNIT_CASE(chunk_at_the_end_of_all_addresses),
	KUNIT_CASE(wanted_is_what_is_in_ram_or_written),
	{}
};

static struct kunit_suite chunk_suite = {
	.name = "drm_svm_chunk",
	.init = chunk_init,
	.test_cases = chunk_test_cases,
};

kunit_test_suite(chunk_suite);
