// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Decisions: windows, chunks, what may move, what is mapped writable.
 */

#include <kunit/test.h>

#include <linux/hmm.h>
#include <linux/mm.h>

#include "drm_svm_compat.h"
#include "drm_svm_fake_kunit.h"

#define PAGES	DRM_SVM_RANGE_PAGES
#define LEAF	((unsigned int)(DRM_SVM_CHUNK_MIN >> PAGE_SHIFT))

static struct drm_svm_view *make_view(struct kunit *test)
{
	struct drm_svm_view *view = kunit_kzalloc(test, sizeof(*view), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, view);
	return view;
}

/* Of the range [mapped, mapped + nmapped) is mapped; page index faults. */
struct window_case {
	const char *name;
	unsigned int growth;
	unsigned int mapped;
	unsigned int nmapped;
	unsigned int index;
	unsigned int first;
	unsigned int end;
};

#define MAP	DRM_SVM_GROWTH_MAP
#define MOVE	DRM_SVM_GROWTH_MOVE

static const struct window_case window_cases[] = {
	{ "empty, first page", MAP, 0, 0, 0, 0, LEAF },
	{ "empty, last page of a leaf", MAP, 0, 0, LEAF - 1, 0, LEAF },
	{ "empty, first page of the next leaf", MAP, 0, 0, LEAF, LEAF, 2 * LEAF },
	{ "empty, last page", MAP, 0, 0, PAGES - 1, PAGES - LEAF, PAGES },
	{ "neighbour full", MAP, 0, LEAF, LEAF, 0, 2 * LEAF },
	{ "neighbour has one page", MAP, 0, 1, LEAF, 0, 2 * LEAF },
	{ "neighbour of another pair", MAP, LEAF, LEAF, 2 * LEAF, 2 * LEAF, 3 * LEAF },
	{ "a half of four, with the leaf", MAP, 0, LEAF, 2 * LEAF, 2 * LEAF, 3 * LEAF },
	{ "a page more than a half of four", MAP, 0, LEAF + 1, 2 * LEAF, 0, 4 * LEAF },
	{ "own leaf counts once", MAP, 0, LEAF, 0, 0, LEAF },
	{ "half of the range", MAP, 0, PAGES / 2, PAGES / 2, 0, PAGES },
	{ "half of the range less a leaf", MAP, 0, PAGES / 2 - LEAF, PAGES / 2,
	  PAGES / 2, PAGES / 2 + LEAF },
	{ "all", MAP, 0, PAGES, PAGES - 1, 0, PAGES },
	{ "empty, to move", MOVE, 0, 0, 0, 0, LEAF },
	{ "own leaf counts once, to move", MOVE, 0, LEAF, 0, 0, 4 * LEAF },
	{ "neighbour full, to move", MOVE, 0, LEAF, LEAF, 0, 8 * LEAF },
	{ "an eighth, to move", MOVE, 0, 3 * LEAF, 3 * LEAF, 0, 16 * LEAF },
	{ "a page more than an eighth, to move", MOVE, 0, 3 * LEAF + 1, 4 * LEAF, 0, PAGES },
};

KUNIT_ARRAY_PARAM_DESC(window, window_cases, name);

static void window_grows_where_most_is_mapped(struct kunit *test)
{
	const struct window_case *c = test->param_value;
	struct drm_svm_view *view = make_view(test);
	unsigned int first, end;

	fake_mapped(view, c->mapped, c->nmapped);
	drm_svm_policy_window(view, c->index, c->growth, &first, &end);
	KUNIT_EXPECT_EQ(test, first, c->first);
	KUNIT_EXPECT_EQ(test, end, c->end);
}

static void window_without_view_is_a_leaf(struct kunit *test)
{
	unsigned int first, end;

	drm_svm_policy_window(NULL, PAGES - 1, MOVE, &first, &end);
	KUNIT_EXPECT_EQ(test, first, PAGES - LEAF);
	KUNIT_EXPECT_EQ(test, end, PAGES);
}

struct in_use_case {
	const char *name;
	bool vram;
	bool has_view;
	unsigned int nmapped;
	bool more;
	bool in_use;
};

static const struct in_use_case in_use_cases[] = {
	{ "first fault", false, false, 0, false, false },
	{ "nothing is left of it", false, true, 0, false, false },
	{ "a page is mapped", false, true, 1, false, true },
	{ "two pages at a time", false, false, 0, true, true },
	{ "two pages at a time, to move", true, false, 0, true, false },
	{ "a page is mapped, to move", true, true, 1, false, false },
};

KUNIT_ARRAY_PARAM_DESC(in_use, in_use_cases, name);

static void range_is_in_use_where_the_gpu_comes_back(struct kunit *test)
{
	const struct in_use_case *c = test->param_value;
	struct fake_gpu *gpu = fake_gpu_create(test);
	struct drm_svm_view *view = make_view(test);

	if (c->vram)
		gpu->sdev.vram = &fake_vram_create(test, gpu)->vram;
	fake_mapped(view, PAGES - 1, c->nmapped);
	KUNIT_EXPECT_EQ(test, c->in_use,
			drm_svm_policy_is_in_use(&gpu->ctx, c->has_view ? view : NULL,
						 c->more));
	gpu->sdev.vram = NULL;
}

/* A GPU that reads on and on: what the comment of the function promises. */
static unsigned int faults_of_a_scan(struct kunit *test, unsigned int growth)
{
	struct drm_svm_view *view = make_view(test);
	unsigned int first, end = 0, faults = 0, index;

	for (index = 0; index < PAGES; index = end, faults++) {
		drm_svm_policy_window(view, index, growth, &first, &end);
		KUNIT_ASSERT_GT(test, end, index);
		fake_mapped(view, first, end - first);
	}
	return faults;
}

static void window_of_a_scan_takes_three_or_six_faults(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, faults_of_a_scan(test, MAP), 6);
	KUNIT_EXPECT_EQ(test, faults_of_a_scan(test, MOVE), 3);
}

/* Pages [there, there + nthere) are there; of [from, to) index is missing. */
struct ahead_case {
	const char *name;
	unsigned int there;
	unsigned int nthere;
	unsigned int from;
	unsigned int to;
	unsigned int index;
	unsigned int first;
	unsigned int end;
};

static const struct ahead_case ahead_cases[] = {
	{ "alone", 0, 1, 0, PAGES, 0, 0, 0 },
	{ "half of a leaf but one", 0, LEAF / 2 - 1, 0, PAGES, 0, 0, 0 },
	{ "half of a leaf", 0, LEAF / 2, 0, PAGES, 0, 0, LEAF },
	{ "a page more", 0, LEAF / 2 + 1, 0, PAGES, LEAF / 2, 0, LEAF },
	{ "a leaf and a page", 0, LEAF + 1, 0, PAGES, LEAF, 0, 2 * LEAF },
	{ "half of the range but one", 0, PAGES / 2 - 1, 0, PAGES, PAGES / 2 - 1, 0, PAGES / 2 },
	{ "half of the range", 0, PAGES / 2, 0, PAGES, PAGES / 2 - 1, 0, PAGES },
	{ "one page of two", LEAF, 1, LEAF, LEAF + 2, LEAF, LEAF, LEAF },
	{ "one page to look at", LEAF, 1, LEAF, LEAF + 1, LEAF, LEAF, LEAF + 1 },
	{ "part of a leaf", LEAF + 1, 2, LEAF + 1, LEAF + 4, LEAF + 2, LEAF + 1, LEAF + 4 },
};

KUNIT_ARRAY_PARAM_DESC(ahead, ahead_cases, name);

static void ahead_makes_the_rest_of_what_is_there(struct kunit *test)
{
	const struct ahead_case *c = test->param_value;
	unsigned int first = c->from, end = c->to;
	DECLARE_BITMAP(there, PAGES) = {};

	bitmap_set(there, c->there, c->nthere);
	drm_svm_policy_ahead(there, c->index, &first, &end);
	KUNIT_EXPECT_EQ(test, first, c->first);
	KUNIT_EXPECT_EQ(test, end, c->end);
}

/* Pages from in_vram on are there; NO_VRAM: none. */
struct chunk_case {
	const char *name;
	unsigned int in_vram;
	unsigned int first;
	unsigned int end;
	unsigned int size;
};

#define NO_VRAM	PAGES

static const struct chunk_case chunk_cases[] = {
	{ "all of the range", NO_VRAM, 0, PAGES, PAGES },
	{ "a leaf", NO_VRAM, 0, LEAF, LEAF },
	{ "a page short of two", NO_VRAM, 0, 2 * LEAF - 1, LEAF },
	{ "a page short of a leaf", NO_VRAM, 0, LEAF - 1, 0 },
	{ "alignment bounds it", NO_VRAM, LEAF, PAGES, LEAF },
	{ "alignment to two", NO_VRAM, 2 * LEAF, PAGES, 2 * LEAF },
	{ "second half", NO_VRAM, PAGES / 2, PAGES, PAGES / 2 },
	{ "last leaf", NO_VRAM, PAGES - LEAF, PAGES, LEAF },
	{ "first page in VRAM", 0, 0, PAGES, 0 },
	{ "last page of the leaf in VRAM", LEAF - 1, 0, PAGES, 0 },
	{ "the next leaf in VRAM", LEAF, 0, PAGES, LEAF },
	{ "last page of two in VRAM", 2 * LEAF - 1, 0, PAGES, LEAF },
	{ "last page of all in VRAM", PAGES - 1, 0, PAGES, PAGES / 2 },
};

KUNIT_ARRAY_PARAM_DESC(chunk, chunk_cases, name);

static void chunk_is_aligned_and_ends_before_vram(struct kunit *test)
{
	const struct chunk_case *c = test->param_value;
	struct drm_svm_view *view = make_view(test);

	if (c->in_vram != NO_VRAM)
		set_bit(c->in_vram, view->vram);
	KUNIT_EXPECT_EQ(test, drm_svm_policy_chunk(view, c->first, c->end),
			c->size);
}

static void chunk_does_not_look_before_first(struct kunit *test)
{
	struct drm_svm_view *view = make_view(test);

	set_bit(LEAF - 1, view->vram);
	KUNIT_EXPECT_EQ(test, drm_svm_policy_chunk(view, LEAF, PAGES), LEAF);
	KUNIT_EXPECT_EQ(test, drm_svm_policy_chunk(NULL, 0, PAGES), PAGES);
}

struct move_case {
	const char *name;
	vm_flags_t flags;
	u32 access;
	bool has;
	bool move;
};

#define RD	DRM_SVM_ACCESS_READ
#define WR	DRM_SVM_ACCESS_WRITE

static const struct move_case move_cases[] = {
	{ "readable", VM_READ, RD, true, true },
	{ "readable, write", VM_READ, WR, false, false },
	{ "writable", VM_READ | VM_WRITE, WR, true, true },
	{ "writable only", VM_WRITE, WR, false, false },
	{ "PROT_NONE", 0, RD, false, false },
	{ "VM_IO", VM_READ | VM_IO, RD, false, false },
	{ "VM_PFNMAP", VM_READ | VM_PFNMAP, RD, false, false },
	{ "VM_MIXEDMAP", VM_READ | VM_MIXEDMAP, RD, false, false },
	{ "VM_DONTEXPAND", VM_READ | VM_DONTEXPAND, RD, false, false },
	{ "locked", VM_READ | VM_LOCKED, RD, true, true },
	{ "mergeable", VM_READ | VM_MERGEABLE, RD, true, false },
	{ "access taken away", VM_READ | VM_UFFD_RWP, RD, true, VM_UFFD_RWP == VM_NONE },
};

KUNIT_ARRAY_PARAM_DESC(move, move_cases, name);

static void move_by_flags_of_the_mapping(struct kunit *test)
{
	const struct move_case *c = test->param_value;
	struct vm_area_struct *vma = kunit_kzalloc(test, sizeof(*vma), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, vma);
	vm_flags_init(vma, c->flags);
	KUNIT_EXPECT_EQ(test, drm_svm_policy_has_vram(vma, c->access), c->has);
	KUNIT_EXPECT_EQ(test, drm_svm_policy_may_move(vma, c->access), c->move);
}

/* A mapping with operations is one of a file; the private one may have copies. */
static void move_only_private_mappings(struct kunit *test)
{
	static const struct vm_operations_struct ops;
	struct vm_area_struct *vma = kunit_kzalloc(test, sizeof(*vma), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, vma);
	vm_flags_init(vma, VM_READ | VM_MAYWRITE);
	KUNIT_EXPECT_TRUE(test, drm_svm_policy_may_move(vma, RD));
	vma->vm_ops = &ops;
	KUNIT_EXPECT_TRUE(test, drm_svm_policy_may_move(vma, RD));
	vm_flags_init(vma, VM_READ | VM_MAYWRITE | VM_UFFD_WP);
	KUNIT_EXPECT_FALSE(test, drm_svm_policy_may_move(vma, RD));
	vm_flags_init(vma, VM_READ | VM_MAYWRITE | VM_HUGETLB);
	KUNIT_EXPECT_FALSE(test, drm_svm_policy_may_move(vma, RD));
	vm_flags_init(vma, VM_READ | VM_MAYWRITE | VM_SHARED);
	KUNIT_EXPECT_FALSE(test, drm_svm_policy_may_move(vma, RD));
	vm_flags_init(vma, VM_READ);
	KUNIT_EXPECT_FALSE(test, drm_svm_policy_may_move(vma, RD));
	KUNIT_EXPECT_FALSE(test, drm_svm_policy_may_move(NULL, RD));
}

/* A mapping around the range at RANGE, in pages before its start and past its end. */
struct whole_case {
	const char *name;
	int before;
	int past;
	vm_flags_t flags;
	unsigned long pfn;
	bool whole;
	bool may_be;
};

#define RANGE		(16 * DRM_SVM_RANGE_SIZE)
#define PFN_OF(order)	(HMM_PFN_VALID | (unsigned long)(order) << HMM_PFN_ORDER_SHIFT)
#define HUGE_ORDER	(PMD_SHIFT - PAGE_SHIFT)

static const struct whole_case whole_cases[] = {
	{ "huge page, just the range", 0, 0, 0, PFN_OF(HUGE_ORDER), true, true },
	{ "huge page, more around it", 3, 5, 0, PFN_OF(HUGE_ORDER), true, true },
	{ "mapping begins a page late", -1, 0, VM_HUGEPAGE, PFN_OF(HUGE_ORDER), false, false },
	{ "mapping ends a page early", 0, -1, VM_HUGEPAGE, PFN_OF(HUGE_ORDER), false, false },
	{ "half of a huge page", 0, 0, VM_HUGEPAGE, PFN_OF(HUGE_ORDER - 1), false, true },
	{ "small page", 0, 0, VM_HUGEPAGE, PFN_OF(0), false, true },
	{ "nothing yet", 0, 0, 0, 0, false, true },
	{ "nothing yet, wants huge pages", 0, 0, VM_HUGEPAGE, 0, false, true },
	{ "nothing yet, wants none", 0, 0, VM_NOHUGEPAGE, 0, false, false },
	{ "nothing yet, waits for user space", 0, 0, VM_UFFD_MISSING, 0, false, false },
	{ "nothing yet, too short a mapping", 0, -1, VM_HUGEPAGE, 0, false, false },
};

KUNIT_ARRAY_PARAM_DESC(whole, whole_cases, name);

static void whole_needs_mapping_and_huge_page(struct kunit *test)
{
	const struct whole_case *c = test->param_value;
	struct vm_area_struct *vma = kunit_kzalloc(test, sizeof(*vma), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, vma);
	vma->vm_start = RANGE - c->before * PAGE_SIZE;
	vma->vm_end = RANGE + DRM_SVM_RANGE_SIZE + c->past * PAGE_SIZE;
	vm_flags_init(vma, c->flags);
	KUNIT_EXPECT_EQ(test, drm_svm_policy_is_whole(vma, RANGE, c->pfn),
			c->whole);
	KUNIT_EXPECT_EQ(test, drm_svm_policy_may_be_whole(vma, RANGE), c->may_be);
}

static void cpu_window_is_the_block_around_an_address(struct kunit *test)
{
	unsigned long start, end;

	drm_svm_policy_cpu_window(RANGE - 1, false, 0, &start, &end);
	KUNIT_EXPECT_EQ(test, start, RANGE - DRM_SVM_CHUNK_MIN);
	KUNIT_EXPECT_EQ(test, end, RANGE);
	drm_svm_policy_cpu_window(RANGE, false, 2 * LEAF - 1, &start, &end);
	KUNIT_EXPECT_EQ(test, start, RANGE);
	KUNIT_EXPECT_EQ(test, end, RANGE + DRM_SVM_CHUNK_MIN);
	drm_svm_policy_cpu_window(RANGE + DRM_SVM_CHUNK_MIN, false, 2 * LEAF, &start, &end);
	KUNIT_EXPECT_EQ(test, start, RANGE);
	KUNIT_EXPECT_EQ(test, end, RANGE + 2 * DRM_SVM_CHUNK_MIN);
	drm_svm_policy_cpu_window(RANGE - 1, false, PAGES - 1, &start, &end);
	KUNIT_EXPECT_EQ(test, start, RANGE - DRM_SVM_RANGE_SIZE / 2);
	KUNIT_EXPECT_EQ(test, end, RANGE);
	drm_svm_policy_cpu_window(RANGE - 1, true, 0, &start, &end);
	KUNIT_EXPECT_EQ(test, start, RANGE - DRM_SVM_RANGE_SIZE);
	KUNIT_EXPECT_EQ(test, end, RANGE);
}

/* What a folio is, and what follows when the GPU only read. */
struct writable_case {
	const char *name;
	bool anon;
	bool dirty;
	bool swapbacked;
	bool swapcache;
	bool writable;
};

static const struct writable_case writable_cases[] = {
	{ "anonymous", true, false, true, false, true },
	{ "anonymous, copy in swap", true, false, true, true, false },
	{ "anonymous, copy in swap, dirty", true, true, true, true, true },
	{ "MADV_FREE", true, false, false, false, false },
	{ "MADV_FREE, dirty", true, true, false, false, true },
	{ "clean file", false, false, false, false, false },
	{ "dirty file", false, true, false, false, true },
	{ "clean tmpfs", false, false, true, false, false },
};

KUNIT_ARRAY_PARAM_DESC(writable, writable_cases, name);

static void writable_if_it_is_written_back_anyway(struct kunit *test)
{
	const struct writable_case *c = test->param_value;
	struct folio *folio = page_folio(fake_pages(test, 0));

	if (c->anon)
		folio->mapping = (void *)FOLIO_MAPPING_ANON;
	if (c->dirty)
		folio_set_dirty(folio);
	if (c->swapbacked)
		__folio_set_swapbacked(folio);
	if (c->swapcache)
		folio_set_swapcache(folio);
	KUNIT_EXPECT_EQ(test, drm_svm_policy_may_write(folio), c->writable);

	/* as the page allocator wants it back */
	folio->mapping = NULL;
	folio_clear_dirty(folio);
	folio_clear_swapcache(folio);
	__folio_clear_swapbacked(folio);
}

static struct kunit_case policy_cases[] = {
	KUNIT_CASE_PARAM(window_grows_where_most_is_mapped, window_gen_params),
	KUNIT_CASE(window_without_view_is_a_leaf),
	KUNIT_CASE(window_of_a_scan_takes_three_or_six_faults),
	KUNIT_CASE_PARAM(range_is_in_use_where_the_gpu_comes_back, in_use_gen_params),
	KUNIT_CASE_PARAM(ahead_makes_the_rest_of_what_is_there, ahead_gen_params),
	KUNIT_CASE_PARAM(chunk_is_aligned_and_ends_before_vram, chunk_gen_params),
	KUNIT_CASE(chunk_does_not_look_before_first),
	KUNIT_CASE_PARAM(move_by_flags_of_the_mapping, move_gen_params),
	KUNIT_CASE(move_only_private_mappings),
	KUNIT_CASE_PARAM(whole_needs_mapping_and_huge_page, whole_gen_params),
	KUNIT_CASE(cpu_window_is_the_block_around_an_address),
	KUNIT_CASE_PARAM(writable_if_it_is_written_back_anyway, writable_gen_params),
	{}
};

static struct kunit_suite policy_suite = {
	.name = "drm_svm_policy",
	.test_cases = policy_cases,
};

kunit_test_suite(policy_suite);
