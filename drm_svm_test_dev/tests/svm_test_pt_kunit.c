// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The page table of the virtual GPU: leaves, splits, merges, use, permission.
 */

#include <kunit/resource.h>
#include <kunit/test.h>

#include <linux/mm.h>
#include <linux/sizes.h>

#include <drm/drm_svm.h>

#include "../svm_test_pt.h"
#include "../svm_test_vram.h"

#define VA_BITS	48
#define LARGE	BIT_ULL(SVM_TEST_LEAF_LARGE_SHIFT)
#define MEDIUM	BIT_ULL(SVM_TEST_LEAF_MEDIUM_SHIFT)
#define PAGES	((unsigned int)(LARGE >> PAGE_SHIFT))
#define GROUP	((unsigned int)(MEDIUM >> PAGE_SHIFT))

/* The window of most tests, and where its memory is: both as aligned as can be. */
#define VA	(5 * LARGE)
#define MEM	(96 * LARGE)

#define RD	DRM_SVM_ACCESS_READ
#define WR	DRM_SVM_ACCESS_WRITE
#define RO	DRM_SVM_PAGE_READ
#define RW	(DRM_SVM_PAGE_READ | DRM_SVM_PAGE_WRITE)

#define USED	(DRM_SVM_PAGE_ACCESSED | DRM_SVM_PAGE_DIRTY)

KUNIT_DEFINE_ACTION_WRAPPER(pt_destroy, svm_test_pt_destroy, struct svm_test_pt *);

static struct svm_test_pt *make_pt(struct kunit *test, unsigned int va_bits)
{
	struct svm_test_pt *pt = svm_test_pt_create(va_bits);

	KUNIT_ASSERT_NOT_NULL(test, pt);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, pt_destroy, pt), 0);
	return pt;
}

static int pt_init(struct kunit *test)
{
	test->priv = make_pt(test, VA_BITS);
	return 0;
}

static void map_at(struct kunit *test, u64 va, u64 addr, unsigned int npages,
		   u16 prot)
{
	struct drm_svm_run run = {
		.addr = addr, .npages = npages, .prot = prot,
	};

	KUNIT_ASSERT_EQ(test, svm_test_pt_prepare(test->priv, va,
						  va + npages * PAGE_SIZE), 0);
	svm_test_pt_map(test->priv, va, &run, 1);
}

/* Pages of the window, to the same pages of its memory. */
static void map(struct kunit *test, unsigned int first, unsigned int npages,
		u16 prot)
{
	map_at(test, VA + first * PAGE_SIZE, MEM + first * PAGE_SIZE, npages, prot);
}

static void unmap(struct kunit *test, unsigned int first, unsigned int npages)
{
	u64 start = VA + first * PAGE_SIZE;

	svm_test_pt_unmap(test->priv, start, start + npages * PAGE_SIZE);
}

static u32 query(struct kunit *test, unsigned int index)
{
	u64 start = VA + index * PAGE_SIZE;
	u32 state = 0;

	svm_test_pt_query(test->priv, start, start + PAGE_SIZE, &state);
	return state;
}

/* log2 of the bytes of the leaf of a page; zero if there is none */
static unsigned int leaf(struct kunit *test, unsigned int index)
{
	return (query(test, index) & DRM_SVM_PAGE_LEAF_MASK) >> DRM_SVM_PAGE_LEAF_SHIFT;
}

static u32 used(struct kunit *test, unsigned int index)
{
	return query(test, index) & USED;
}

static bool walk(struct kunit *test, u64 va, u32 access, u64 *addr)
{
	struct svm_test_translation tr;

	if (!svm_test_pt_walk(test->priv, va, access, &tr))
		return false;
	*addr = tr.addr + (va & (BIT_ULL(tr.shift) - 1));
	return true;
}

/* Whether a page leads where it should. */
static bool is_right(struct kunit *test, unsigned int index)
{
	u64 offset = index * PAGE_SIZE + PAGE_SIZE - 1, addr;

	return walk(test, VA + offset, RD, &addr) && addr == MEM + offset;
}

static bool probe(struct kunit *test, unsigned int index, u32 access)
{
	return svm_test_pt_probe(test->priv, VA + index * PAGE_SIZE, access);
}

static void empty_table_translates_nothing(struct kunit *test)
{
	u64 addr;

	KUNIT_EXPECT_FALSE(test, walk(test, 0, RD, &addr));
	KUNIT_EXPECT_FALSE(test, walk(test, VA, RD, &addr));
	KUNIT_EXPECT_FALSE(test, probe(test, 0, RD));
	KUNIT_EXPECT_EQ(test, query(test, 0), 0);
	unmap(test, 0, PAGES);
	KUNIT_EXPECT_EQ(test, svm_test_pt_prepare(test->priv, VA, VA + PAGE_SIZE), 0);
	KUNIT_EXPECT_FALSE(test, probe(test, 0, RD));
	KUNIT_EXPECT_EQ(test, query(test, 0), 0);
}

/* A run, where in the window and off by how much in memory; the leaf of one page. */
struct leaf_case {
	const char *name;
	unsigned int first;
	unsigned int npages;
	unsigned int off;
	unsigned int page;
	unsigned int shift;
};

#define L12	PAGE_SHIFT
#define L16	SVM_TEST_LEAF_MEDIUM_SHIFT
#define L21	SVM_TEST_LEAF_LARGE_SHIFT

static const struct leaf_case leaf_cases[] = {
	{ "window, first page", 0, PAGES, 0, 0, L21 },
	{ "window, last page", 0, PAGES, 0, PAGES - 1, L21 },
	{ "window, memory off by a page", 0, PAGES, 1, GROUP, L12 },
	{ "window, memory off by 64 KiB", 0, PAGES, GROUP, 0, L16 },
	{ "window less its last page", 0, PAGES - 1, 0, 0, L16 },
	{ "window less its last page, last group", 0, PAGES - 1, 0, PAGES - 2, L12 },
	{ "window less its first page, first group", 1, PAGES - 1, 0, GROUP - 1, L12 },
	{ "window less its first page, next group", 1, PAGES - 1, 0, GROUP, L16 },
	{ "window less its first page, last page", 1, PAGES - 1, 0, PAGES - 1, L16 },
	{ "group", 3 * GROUP, GROUP, 0, 3 * GROUP, L16 },
	{ "group, a page short", 3 * GROUP, GROUP - 1, 0, 3 * GROUP, L12 },
	{ "group and a page, group", 0, GROUP + 1, 0, GROUP - 1, L16 },
	{ "group and a page, page", 0, GROUP + 1, 0, GROUP, L12 },
	{ "straddles groups, before", GROUP / 2, 2 * GROUP, 0, GROUP - 1, L12 },
	{ "straddles groups, group", GROUP / 2, 2 * GROUP, 0, GROUP, L16 },
	{ "straddles groups, past", GROUP / 2, 2 * GROUP, 0, 2 * GROUP, L12 },
	{ "group, memory aligned elsewhere", GROUP / 2, GROUP, GROUP / 2, GROUP, L12 },
	{ "page past the run", 0, GROUP, 0, GROUP, 0 },
	{ "page before the run", GROUP, GROUP, 0, GROUP - 1, 0 },
};

KUNIT_ARRAY_PARAM_DESC(leaf, leaf_cases, name);

static void leaf_is_as_large_as_both_addresses_allow(struct kunit *test)
{
	const struct leaf_case *c = test->param_value;
	u64 offset = c->first * PAGE_SIZE, addr = 0;

	map_at(test, VA + offset, MEM + offset + c->off * PAGE_SIZE, c->npages, RO);
	KUNIT_EXPECT_EQ(test, leaf(test, c->page), c->shift);
	KUNIT_EXPECT_EQ(test, walk(test, VA + c->page * PAGE_SIZE + 123, RD, &addr),
			c->shift != 0);
	if (c->shift)
		KUNIT_EXPECT_EQ(test, addr, MEM + (c->page + c->off) * PAGE_SIZE + 123);
}

static void run_ends_at_its_pages(struct kunit *test)
{
	map(test, PAGES - 1, 1, RO);
	KUNIT_EXPECT_TRUE(test, is_right(test, PAGES - 1));
	KUNIT_EXPECT_FALSE(test, is_right(test, PAGES - 2));
	KUNIT_EXPECT_FALSE(test, is_right(test, PAGES));
}

static void write_needs_permission(struct kunit *test)
{
	map(test, 0, 1, RO);
	map(test, 1, 1, RW);
	KUNIT_EXPECT_TRUE(test, probe(test, 0, RD));
	KUNIT_EXPECT_FALSE(test, probe(test, 0, WR));
	KUNIT_EXPECT_FALSE(test, probe(test, 0, RD | WR));
	KUNIT_EXPECT_TRUE(test, probe(test, 1, RD | WR));
}

/* A probe, or a write that is refused, is no use. */
static void use_is_marked_by_walks_alone(struct kunit *test)
{
	u64 addr;

	map(test, 0, 1, RO);
	map(test, 1, 2, RW);
	probe(test, 0, RD);
	KUNIT_EXPECT_FALSE(test, walk(test, VA, WR, &addr));
	KUNIT_EXPECT_EQ(test, used(test, 0), 0);
	walk(test, VA + PAGE_SIZE, RD, &addr);
	KUNIT_EXPECT_EQ(test, used(test, 1), DRM_SVM_PAGE_ACCESSED);
	walk(test, VA + PAGE_SIZE, WR, &addr);
	KUNIT_EXPECT_EQ(test, used(test, 1), USED);
	walk(test, VA + 2 * PAGE_SIZE, WR, &addr);
	KUNIT_EXPECT_EQ(test, used(test, 2), USED);
}

/* So that the first write walks, and marks the entry. */
static void translation_is_writable_once_it_is_dirty(struct kunit *test)
{
	struct svm_test_translation tr;

	map(test, 0, 1, RW);
	KUNIT_EXPECT_TRUE(test, svm_test_pt_walk(test->priv, VA, RD, &tr));
	KUNIT_EXPECT_FALSE(test, tr.write);
	KUNIT_EXPECT_TRUE(test, svm_test_pt_walk(test->priv, VA, WR, &tr));
	KUNIT_EXPECT_TRUE(test, tr.write);
	KUNIT_EXPECT_TRUE(test, svm_test_pt_walk(test->priv, VA, RD, &tr));
	KUNIT_EXPECT_TRUE(test, tr.write);
}

static void use_of_a_leaf_is_that_of_all_its_pages(struct kunit *test)
{
	u64 addr;

	map(test, 0, 2 * GROUP, RW);
	walk(test, VA + (GROUP + 3) * PAGE_SIZE, WR, &addr);
	KUNIT_EXPECT_EQ(test, used(test, GROUP - 1), 0);
	KUNIT_EXPECT_EQ(test, used(test, GROUP), USED);
	KUNIT_EXPECT_EQ(test, used(test, 2 * GROUP - 1), USED);
	map(test, 0, PAGES, RW);
	KUNIT_EXPECT_EQ(test, used(test, PAGES - 1), USED);
}

/* One page of a 2 MiB leaf goes: only its group becomes small. */
static void unmap_splits_the_leaf_around_it(struct kunit *test)
{
	unsigned int page = 2 * GROUP + 5, i;
	u64 addr;

	map(test, 0, PAGES, RW);
	walk(test, VA, WR, &addr);
	unmap(test, page, 1);
	KUNIT_EXPECT_EQ(test, leaf(test, page), 0);
	KUNIT_EXPECT_EQ(test, leaf(test, page - 1), L12);
	KUNIT_EXPECT_EQ(test, leaf(test, 2 * GROUP), L12);
	KUNIT_EXPECT_EQ(test, leaf(test, 3 * GROUP - 1), L12);
	KUNIT_EXPECT_EQ(test, leaf(test, 2 * GROUP - 1), L16);
	KUNIT_EXPECT_EQ(test, leaf(test, 3 * GROUP), L16);
	for (i = 0; i < PAGES; i++) {
		KUNIT_ASSERT_EQ(test, is_right(test, i), i != page);
		KUNIT_ASSERT_EQ(test, used(test, i), i != page ? USED : 0);
	}
}

static void unmap_of_a_group_leaves_the_others_whole(struct kunit *test)
{
	map(test, 0, PAGES, RW);
	unmap(test, GROUP, GROUP);
	KUNIT_EXPECT_EQ(test, leaf(test, GROUP - 1), L16);
	KUNIT_EXPECT_EQ(test, leaf(test, GROUP), 0);
	KUNIT_EXPECT_EQ(test, leaf(test, 2 * GROUP - 1), 0);
	KUNIT_EXPECT_EQ(test, leaf(test, 2 * GROUP), L16);
}

static void unmap_across_groups_splits_both(struct kunit *test)
{
	u64 addr;

	map(test, 0, 4 * GROUP, RW);
	walk(test, VA + GROUP * PAGE_SIZE, RD, &addr);
	unmap(test, 2 * GROUP - 1, GROUP + 2);
	KUNIT_EXPECT_EQ(test, leaf(test, GROUP - 1), L16);
	KUNIT_EXPECT_EQ(test, leaf(test, 2 * GROUP - 2), L12);
	KUNIT_EXPECT_EQ(test, used(test, 2 * GROUP - 2), DRM_SVM_PAGE_ACCESSED);
	KUNIT_EXPECT_EQ(test, leaf(test, 2 * GROUP - 1), 0);
	KUNIT_EXPECT_EQ(test, leaf(test, 3 * GROUP), 0);
	KUNIT_EXPECT_EQ(test, leaf(test, 3 * GROUP + 1), L12);
	KUNIT_EXPECT_EQ(test, used(test, 3 * GROUP + 1), 0);
}

static void unmap_of_the_window_leaves_nothing(struct kunit *test)
{
	unsigned int i;

	map(test, 0, PAGES, RW);
	unmap(test, 0, PAGES);
	for (i = 0; i < PAGES; i++)
		KUNIT_ASSERT_EQ(test, query(test, i), 0);
	map(test, 0, 1, RO);
	KUNIT_EXPECT_TRUE(test, is_right(test, 0));
	KUNIT_EXPECT_FALSE(test, is_right(test, 1));
}

/* Small pages, of which one was written, become one leaf; it is dirty. */
static void merge_carries_use_over(struct kunit *test)
{
	unsigned int i;
	u64 addr;

	for (i = 0; i < PAGES; i++)
		map(test, i, 1, RW);
	walk(test, VA + 7 * PAGE_SIZE, WR, &addr);
	KUNIT_EXPECT_EQ(test, leaf(test, 7), L12);
	map(test, 0, PAGES, RW);
	KUNIT_EXPECT_EQ(test, leaf(test, 0), L21);
	KUNIT_EXPECT_EQ(test, used(test, 0), USED);
	/* and the entries below are gone */
	unmap(test, 0, PAGES);
	KUNIT_EXPECT_EQ(test, query(test, 7), 0);
}

static void other_memory_is_not_used_yet(struct kunit *test)
{
	u64 addr;

	map(test, 0, PAGES, RW);
	walk(test, VA, WR, &addr);
	map_at(test, VA, MEM + LARGE, PAGES, RW);
	KUNIT_EXPECT_EQ(test, used(test, 0), 0);
	walk(test, VA, WR, &addr);
	KUNIT_EXPECT_EQ(test, addr, MEM + LARGE);
	map_at(test, VA, MEM + 2 * LARGE, 1, RW);
	KUNIT_EXPECT_EQ(test, used(test, 0), 0);
	KUNIT_EXPECT_EQ(test, used(test, 1), USED);
}

/* As after the first write of a page that the CPU shares copy-on-write. */
static void page_of_a_leaf_becomes_writable_alone(struct kunit *test)
{
	map(test, 0, PAGES, RO);
	map(test, GROUP + 1, 1, RW);
	KUNIT_EXPECT_TRUE(test, probe(test, GROUP + 1, WR));
	KUNIT_EXPECT_FALSE(test, probe(test, GROUP, WR));
	KUNIT_EXPECT_FALSE(test, probe(test, GROUP + 2, WR));
	KUNIT_EXPECT_TRUE(test, is_right(test, GROUP + 2));
	KUNIT_EXPECT_EQ(test, leaf(test, GROUP), L12);
	KUNIT_EXPECT_EQ(test, leaf(test, GROUP - 1), L16);
}

/* Of all of the window it does not. */
static void prepared_table_outlives_an_unmap(struct kunit *test)
{
	struct drm_svm_run run = { .addr = MEM, .npages = 1, .prot = RO };

	map(test, 0, 1, RO);
	KUNIT_EXPECT_EQ(test, svm_test_pt_prepare(test->priv, VA, VA + PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, svm_test_pt_prepare(test->priv, VA, VA + PAGE_SIZE), 0);
	unmap(test, 0, PAGES - 1);
	svm_test_pt_map(test->priv, VA, &run, 1);
	KUNIT_EXPECT_TRUE(test, is_right(test, 0));
}

/* No allocation is possible there: the table must be at hand. */
static void large_leaf_splits_without_being_prepared(struct kunit *test)
{
	map(test, 0, PAGES, RW);
	unmap(test, PAGES - 1, 1);
	unmap(test, 0, PAGES - 2);
	KUNIT_EXPECT_TRUE(test, is_right(test, PAGES - 2));
	KUNIT_EXPECT_FALSE(test, is_right(test, PAGES - 1));
	KUNIT_EXPECT_FALSE(test, is_right(test, PAGES - 3));
}

static void query_adds_to_what_is_there(struct kunit *test)
{
	u32 state[3] = { BIT(31), BIT(31), BIT(31) };

	map(test, 1, 1, RO);
	svm_test_pt_query(test->priv, VA, VA + 2 * PAGE_SIZE, state);
	KUNIT_EXPECT_EQ(test, state[0], BIT(31));
	KUNIT_EXPECT_EQ(test, state[1], BIT(31) | L12 << DRM_SVM_PAGE_LEAF_SHIFT);
	KUNIT_EXPECT_EQ(test, state[2], BIT(31));
}

static void vram_is_elsewhere_on_the_bus(struct kunit *test)
{
	struct drm_svm_run run = {
		.addr = MEM, .npages = PAGES, .prot = RW,
		.location = DRM_SVM_LOCATION_VRAM,
	};
	u64 addr = 0;

	KUNIT_EXPECT_EQ(test, svm_test_pt_prepare(test->priv, VA, VA + LARGE), 0);
	svm_test_pt_map(test->priv, VA, &run, 1);
	KUNIT_EXPECT_EQ(test, leaf(test, 0), L21);
	KUNIT_EXPECT_TRUE(test, walk(test, VA + 5, WR, &addr));
	KUNIT_EXPECT_EQ(test, addr, SVM_TEST_BUS_VRAM | (MEM + 5));
}

struct bits_case {
	const char *name;
	unsigned int va_bits;
};

static const struct bits_case bits_cases[] = {
	{ "40", 40 }, { "47", 47 }, { "48", 48 }, { "49", 49 }, { "57", 57 },
};

KUNIT_ARRAY_PARAM_DESC(bits, bits_cases, name);

/* Each bit of an address counts, the highest as well; past the end is nothing. */
static void all_bits_of_an_address_count(struct kunit *test)
{
	const struct bits_case *c = test->param_value;
	u64 end = BIT_ULL(c->va_bits), addr = 0;
	unsigned int bit;

	test->priv = make_pt(test, c->va_bits);
	map_at(test, end - PAGE_SIZE, MEM, 1, RO);
	KUNIT_EXPECT_TRUE(test, walk(test, end - 1, RD, &addr));
	KUNIT_EXPECT_EQ(test, addr, MEM + PAGE_SIZE - 1);
	KUNIT_EXPECT_FALSE(test, walk(test, end, RD, &addr));
	KUNIT_EXPECT_FALSE(test, walk(test, 2 * end - 1, RD, &addr));
	for (bit = PAGE_SHIFT; bit < c->va_bits; bit++)
		KUNIT_EXPECT_FALSE(test, walk(test, end - 1 - BIT_ULL(bit), RD, &addr));
}

static struct kunit_case pt_cases[] = {
	KUNIT_CASE(empty_table_translates_nothing),
	KUNIT_CASE_PARAM(leaf_is_as_large_as_both_addresses_allow, leaf_gen_params),
	KUNIT_CASE(run_ends_at_its_pages),
	KUNIT_CASE(write_needs_permission),
	KUNIT_CASE(use_is_marked_by_walks_alone),
	KUNIT_CASE(translation_is_writable_once_it_is_dirty),
	KUNIT_CASE(use_of_a_leaf_is_that_of_all_its_pages),
	KUNIT_CASE(unmap_splits_the_leaf_around_it),
	KUNIT_CASE(unmap_of_a_group_leaves_the_others_whole),
	KUNIT_CASE(unmap_across_groups_splits_both),
	KUNIT_CASE(unmap_of_the_window_leaves_nothing),
	KUNIT_CASE(merge_carries_use_over),
	KUNIT_CASE(other_memory_is_not_used_yet),
	KUNIT_CASE(page_of_a_leaf_becomes_writable_alone),
	KUNIT_CASE(prepared_table_outlives_an_unmap),
	KUNIT_CASE(large_leaf_splits_without_being_prepared),
	KUNIT_CASE(query_adds_to_what_is_there),
	KUNIT_CASE(vram_is_elsewhere_on_the_bus),
	KUNIT_CASE_PARAM(all_bits_of_an_address_count, bits_gen_params),
	{}
};

static struct kunit_suite pt_suite = {
	.name = "svm_test_pt",
	.init = pt_init,
	.test_cases = pt_cases,
};

kunit_test_suite(pt_suite);
