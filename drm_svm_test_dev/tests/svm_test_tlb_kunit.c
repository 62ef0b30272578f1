// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The TLB of an engine: hits, permission, flushes, replacement.
 */

#include <kunit/resource.h>
#include <kunit/test.h>

#include <linux/bits.h>
#include <linux/mm.h>

#include "../svm_test_pt.h"
#include "../svm_test_tlb.h"

#define ENTRIES	64
#define WAYS	4

#define L12	PAGE_SHIFT
#define L16	SVM_TEST_LEAF_MEDIUM_SHIFT
#define L21	SVM_TEST_LEAF_LARGE_SHIFT

/* Aligned as the largest leaf */
#define VA	(5 * BIT_ULL(L21))
#define MEM	(96 * BIT_ULL(L21))

struct tlb_test {
	struct svm_test_tlb *tlb;
	struct svm_test_asid asid;
	struct svm_test_asid other;
};

KUNIT_DEFINE_ACTION_WRAPPER(tlb_destroy, svm_test_tlb_destroy, struct svm_test_tlb *);

static struct svm_test_tlb *make_tlb(struct kunit *test, unsigned int entries)
{
	struct svm_test_tlb *tlb = svm_test_tlb_create(entries);

	KUNIT_ASSERT_NOT_NULL(test, tlb);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, tlb_destroy, tlb), 0);
	return tlb;
}

static int tlb_init(struct kunit *test)
{
	struct tlb_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->tlb = make_tlb(test, ENTRIES);
	t->asid.id = 1;
	t->other.id = 2;
	test->priv = t;
	return 0;
}

/* A leaf of 1 << @shift bytes at @va; @addr is that of the byte in question. */
static void insert(struct tlb_test *t, u64 va, u64 addr, u8 shift, bool write)
{
	struct svm_test_translation tr = {
		.addr = addr, .shift = shift, .write = write,
	};

	svm_test_tlb_insert(t->tlb, &t->asid, atomic64_read(&t->asid.flushes), va,
			    &tr);
}

static bool hits(struct tlb_test *t, u64 va, bool write)
{
	u64 dma;

	return svm_test_tlb_lookup(t->tlb, &t->asid, va, write, &dma);
}

/* Where @va leads; ~0 where it misses. */
static u64 dma_of(struct tlb_test *t, u64 va)
{
	u64 dma = ~0ULL;

	svm_test_tlb_lookup(t->tlb, &t->asid, va, false, &dma);
	return dma;
}

static void flush(struct tlb_test *t, u64 start, u64 end)
{
	atomic64_inc(&t->asid.flushes);
	svm_test_tlb_flush(t->tlb, &t->asid, start, end);
}

struct shift_case {
	const char *name;
	u8 shift;
};

static const struct shift_case shift_cases[] = {
	{ "page", L12 }, { "64 KiB", L16 }, { "2 MiB", L21 },
};

KUNIT_ARRAY_PARAM_DESC(shift, shift_cases, name);

static void leaf_translates_all_its_bytes_and_no_more(struct kunit *test)
{
	const struct shift_case *c = test->param_value;
	struct tlb_test *t = test->priv;
	u64 size = BIT_ULL(c->shift);

	KUNIT_EXPECT_EQ(test, dma_of(t, VA), ~0ULL);
	insert(t, VA + size / 2, MEM, c->shift, false);
	KUNIT_EXPECT_EQ(test, dma_of(t, VA), MEM);
	KUNIT_EXPECT_EQ(test, dma_of(t, VA + size - 1), MEM + size - 1);
	KUNIT_EXPECT_EQ(test, dma_of(t, VA - 1), ~0ULL);
	KUNIT_EXPECT_EQ(test, dma_of(t, VA + size), ~0ULL);
}

static void read_only_leaf_misses_for_writes(struct kunit *test)
{
	struct tlb_test *t = test->priv;

	insert(t, VA, MEM, L12, false);
	KUNIT_EXPECT_TRUE(test, hits(t, VA, false));
	KUNIT_EXPECT_FALSE(test, hits(t, VA, true));
	insert(t, VA, MEM, L12, true);
	KUNIT_EXPECT_TRUE(test, hits(t, VA, true));
}

/* A leaf that was split beside the old one: whichever permits it is taken. */
static void write_finds_the_leaf_that_permits_it(struct kunit *test)
{
	struct tlb_test *t = test->priv;

	insert(t, VA, MEM, L12, false);
	insert(t, VA, MEM, L21, true);
	KUNIT_EXPECT_TRUE(test, hits(t, VA, true));
	flush(t, VA, VA + 1);
	insert(t, VA, MEM, L21, false);
	insert(t, VA, MEM, L16, true);
	KUNIT_EXPECT_TRUE(test, hits(t, VA, true));
	KUNIT_EXPECT_FALSE(test, hits(t, VA + BIT_ULL(L16), true));
}

static void leaf_is_of_one_address_space(struct kunit *test)
{
	struct tlb_test *t = test->priv;
	u64 dma;

	insert(t, VA, MEM, L12, true);
	KUNIT_EXPECT_FALSE(test, svm_test_tlb_lookup(t->tlb, &t->other, VA, false, &dma));
	svm_test_tlb_flush(t->tlb, &t->other, 0, U64_MAX);
	KUNIT_EXPECT_TRUE(test, hits(t, VA, true));
}

/* A walk may have read an entry that was cleared, and flushed, since. */
static void walk_older_than_a_flush_is_not_remembered(struct kunit *test)
{
	struct svm_test_translation tr = { .addr = MEM, .shift = L12 };
	struct tlb_test *t = test->priv;
	u64 before = atomic64_read(&t->asid.flushes);

	flush(t, VA, VA + 1);
	svm_test_tlb_insert(t->tlb, &t->asid, before, VA, &tr);
	KUNIT_EXPECT_FALSE(test, hits(t, VA, false));
	svm_test_tlb_insert(t->tlb, &t->asid, before + 1, VA, &tr);
	KUNIT_EXPECT_TRUE(test, hits(t, VA, false));
}

/* A leaf at VA, and a flush from there, both by offset. */
struct flush_case {
	const char *name;
	u8 shift;
	s64 start;
	s64 end;
	bool stays;
};

static const struct flush_case flush_cases[] = {
	{ "page, itself", L12, 0, PAGE_SIZE, false },
	{ "page, first byte", L12, 0, 1, false },
	{ "page, last byte", L12, PAGE_SIZE - 1, PAGE_SIZE, false },
	{ "page, up to it", L12, -PAGE_SIZE, 0, true },
	{ "page, from its end", L12, PAGE_SIZE, 2 * PAGE_SIZE, true },
	{ "64 KiB, last page", L16, BIT(L16) - PAGE_SIZE, BIT(L16), false },
	{ "64 KiB, from its end", L16, BIT(L16), 2 * BIT(L16), true },
	{ "64 KiB, up to it", L16, -PAGE_SIZE, 0, true },
	{ "2 MiB, a page in it", L21, 77 * PAGE_SIZE, 78 * PAGE_SIZE, false },
	{ "2 MiB, last page", L21, BIT(L21) - PAGE_SIZE, BIT(L21), false },
	{ "2 MiB, from its end", L21, BIT(L21), BIT(L21) + PAGE_SIZE, true },
	{ "empty interval", L21, PAGE_SIZE, PAGE_SIZE, true },
	{ "wider than there are sets", L12, -(s64)BIT(30), BIT(30), false },
	{ "wide, up to it", L12, -(s64)BIT(20), 0, true },
};

KUNIT_ARRAY_PARAM_DESC(flush, flush_cases, name);

#define FAR	(512 * BIT_ULL(L21))

static void flush_drops_what_overlaps(struct kunit *test)
{
	const struct flush_case *c = test->param_value;
	struct tlb_test *t = test->priv;

	insert(t, FAR, MEM, c->shift, true);
	flush(t, FAR + c->start, FAR + c->end);
	KUNIT_EXPECT_EQ(test, hits(t, FAR, false), c->stays);
}

static void flush_of_everything_drops_all(struct kunit *test)
{
	struct tlb_test *t = test->priv;
	unsigned int i;

	for (i = 0; i < 8; i++) {
		insert(t, VA + i * BIT_ULL(L12), MEM, L12, true);
		insert(t, 2 * VA + i * BIT_ULL(L16), MEM, L16, true);
		insert(t, 4 * VA + i * BIT_ULL(L21), MEM, L21, true);
	}
	flush(t, 0, BIT_ULL(57));
	for (i = 0; i < 8; i++) {
		KUNIT_EXPECT_FALSE(test, hits(t, VA + i * BIT_ULL(L12), false));
		KUNIT_EXPECT_FALSE(test, hits(t, 2 * VA + i * BIT_ULL(L16), false));
		KUNIT_EXPECT_FALSE(test, hits(t, 4 * VA + i * BIT_ULL(L21), false));
	}
}

/* Pages of one set, by number */
static u64 in_set(unsigned int i)
{
	return VA + i * (ENTRIES / WAYS) * PAGE_SIZE;
}

static unsigned int count_hits(struct tlb_test *t, unsigned int n)
{
	unsigned int i, count = 0;

	for (i = 0; i < n; i++)
		count += hits(t, in_set(i), false);
	return count;
}

static void full_set_replaces_one_entry(struct kunit *test)
{
	struct tlb_test *t = test->priv;
	unsigned int i;

	for (i = 0; i < WAYS; i++)
		insert(t, in_set(i), MEM + i * PAGE_SIZE, L12, false);
	KUNIT_EXPECT_EQ(test, count_hits(t, WAYS), WAYS);
	insert(t, VA + PAGE_SIZE, MEM, L12, false);
	KUNIT_EXPECT_EQ(test, count_hits(t, WAYS), WAYS);
	insert(t, in_set(WAYS), MEM, L12, false);
	KUNIT_EXPECT_TRUE(test, hits(t, in_set(WAYS), false));
	KUNIT_EXPECT_EQ(test, count_hits(t, WAYS + 1), WAYS);
	KUNIT_EXPECT_TRUE(test, hits(t, VA + PAGE_SIZE, false));
}

static void leaf_that_is_there_is_updated(struct kunit *test)
{
	struct tlb_test *t = test->priv;
	unsigned int i;

	for (i = 0; i < WAYS; i++)
		insert(t, in_set(i), MEM, L12, false);
	for (i = 0; i < 2 * WAYS; i++)
		insert(t, in_set(1), MEM + i * PAGE_SIZE, L12, true);
	KUNIT_EXPECT_EQ(test, count_hits(t, WAYS), WAYS);
	KUNIT_EXPECT_EQ(test, dma_of(t, in_set(1)), MEM + (2 * WAYS - 1) * PAGE_SIZE);
	/* its way is free for another one after a flush */
	flush(t, in_set(1), in_set(1) + PAGE_SIZE);
	insert(t, in_set(WAYS), MEM, L12, false);
	KUNIT_EXPECT_EQ(test, count_hits(t, WAYS + 1), WAYS);
	KUNIT_EXPECT_TRUE(test, hits(t, in_set(0), false));
}

static void tlb_of_one_entry_has_the_last_one(struct kunit *test)
{
	struct tlb_test *t = test->priv;

	t->tlb = make_tlb(test, 1);
	insert(t, VA, MEM, L21, false);
	insert(t, VA + PAGE_SIZE, MEM, L12, false);
	KUNIT_EXPECT_FALSE(test, hits(t, VA, false));
	KUNIT_EXPECT_TRUE(test, hits(t, VA + PAGE_SIZE, false));
	flush(t, VA, VA + PAGE_SIZE);
	KUNIT_EXPECT_TRUE(test, hits(t, VA + PAGE_SIZE, false));
	flush(t, VA, VA + PAGE_SIZE + 1);
	KUNIT_EXPECT_FALSE(test, hits(t, VA + PAGE_SIZE, false));
}

static struct kunit_case tlb_cases[] = {
	KUNIT_CASE_PARAM(leaf_translates_all_its_bytes_and_no_more, shift_gen_params),
	KUNIT_CASE(read_only_leaf_misses_for_writes),
	KUNIT_CASE(write_finds_the_leaf_that_permits_it),
	KUNIT_CASE(leaf_is_of_one_address_space),
	KUNIT_CASE(walk_older_than_a_flush_is_not_remembered),
	KUNIT_CASE_PARAM(flush_drops_what_overlaps, flush_gen_params),
	KUNIT_CASE(flush_of_everything_drops_all),
	KUNIT_CASE(full_set_replaces_one_entry),
	KUNIT_CASE(leaf_that_is_there_is_updated),
	KUNIT_CASE(tlb_of_one_entry_has_the_last_one),
	{}
};

static struct kunit_suite tlb_suite = {
	.name = "svm_test_tlb",
	.init = tlb_init,
	.test_cases = tlb_cases,
};

kunit_test_suite(tlb_suite);
