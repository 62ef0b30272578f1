// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Faults of a batch: order, groups, and which of them need no service.
 */

#include <kunit/test.h>

#include <linux/mm.h>

#include "drm_svm_fake_kunit.h"

#define BASE	(16 * DRM_SVM_RANGE_SIZE)
#define RD	DRM_SVM_ACCESS_READ
#define WR	DRM_SVM_ACCESS_WRITE
#define AHEAD	DRM_SVM_ACCESS_AHEAD

static struct drm_svm_fault_entry make_entry(struct drm_svm_context *ctx,
					     u64 addr, u32 access)
{
	return (struct drm_svm_fault_entry) {
		.ctx = ctx,
		.fault = { .addr = addr, .access = access },
		.answer = DRM_SVM_PENDING,
	};
}

struct cmp_case {
	const char *name;
	u64 addr_a;
	u64 addr_b;
	u32 access_a;
	u32 access_b;
	int sign;
};

static const struct cmp_case cmp_cases[] = {
	{ "same", BASE, BASE, RD, RD, 0 },
	{ "same page", BASE, BASE + PAGE_SIZE - 1, RD, RD, 0 },
	{ "next page", BASE + PAGE_SIZE - 1, BASE + PAGE_SIZE, RD, RD, -1 },
	{ "write first", BASE, BASE, WR, RD, -1 },
	{ "write first in a page", BASE, BASE + 1, RD, WR, 1 },
	{ "page before write", BASE, BASE + PAGE_SIZE, RD, WR, -1 },
	{ "read and write is a write", BASE, BASE, RD, RD | WR, 1 },
	{ "ahead does not count", BASE, BASE, RD | AHEAD, RD, 0 },
	{ "far", 0, BIT_ULL(56), RD, RD, -1 },
	{ "so far that the difference is no int", BIT_ULL(44), 0, RD, RD, 1 },
};

KUNIT_ARRAY_PARAM_DESC(cmp, cmp_cases, name);

static struct drm_svm_scratch *make_scratch(struct kunit *test)
{
	struct drm_svm_scratch *scratch;

	scratch = kunit_kzalloc(test, sizeof(*scratch), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, scratch);
	return scratch;
}

/* Which of two faults comes first; what compares as the same stays in order. */
static void expect_first(struct kunit *test, struct drm_svm_fault_entry first,
			 struct drm_svm_fault_entry second, unsigned int cookie)
{
	struct drm_svm_scratch *scratch = make_scratch(test);

	first.fault.cookie = 1;
	second.fault.cookie = 2;
	scratch->batch[0] = first;
	scratch->batch[1] = second;
	drm_svm_fault_sort(scratch, 2);
	KUNIT_EXPECT_EQ(test, scratch->batch[0].fault.cookie, cookie);
	KUNIT_EXPECT_EQ(test, scratch->batch[1].fault.cookie, 3 - cookie);
}

static void order_is_by_page_and_writes_first(struct kunit *test)
{
	const struct cmp_case *c = test->param_value;
	struct drm_svm_fault_entry a = make_entry(NULL, c->addr_a, c->access_a);
	struct drm_svm_fault_entry b = make_entry(NULL, c->addr_b, c->access_b);

	expect_first(test, a, b, c->sign > 0 ? 2 : 1);
	expect_first(test, b, a, c->sign < 0 ? 2 : 1);
}

/* Those of all engines come in turns. */
static void full_batch_is_sorted(struct kunit *test)
{
	struct drm_svm_scratch *scratch = make_scratch(test);
	const unsigned int step = 37;
	unsigned int i;

	for (i = 0; i < DRM_SVM_BATCH_MAX; i++) {
		u64 page = i * step % DRM_SVM_BATCH_MAX;

		scratch->batch[i] = make_entry(NULL, BASE + page * PAGE_SIZE, WR);
		scratch->batch[i].fault.cookie = page;
	}
	drm_svm_fault_sort(scratch, DRM_SVM_BATCH_MAX);
	for (i = 0; i < DRM_SVM_BATCH_MAX; i++) {
		KUNIT_ASSERT_EQ(test, scratch->batch[i].fault.cookie, i);
		KUNIT_ASSERT_EQ(test, scratch->batch[i].fault.addr, BASE + i * PAGE_SIZE);
		KUNIT_ASSERT_EQ(test, scratch->batch[i].answer, DRM_SVM_PENDING);
	}
}

/* Pages of two ranges, pushed in disorder: what a worker makes of them. */
static void sorted_batch_is_cut_into_ranges(struct kunit *test)
{
	const u64 end = BASE + DRM_SVM_RANGE_SIZE;
	const struct drm_svm_fault_entry faults[] = {
		make_entry(NULL, end, RD),
		make_entry(NULL, end - 1, RD),
		make_entry(NULL, BASE, RD),
		make_entry(NULL, end + DRM_SVM_RANGE_SIZE - 1, WR),
		make_entry(NULL, end - PAGE_SIZE, WR),
	};
	struct drm_svm_scratch *scratch = make_scratch(test);
	struct drm_svm_fault_entry *batch = scratch->batch;

	memcpy(scratch->batch, faults, sizeof(faults));
	drm_svm_fault_sort(scratch, ARRAY_SIZE(faults));
	KUNIT_EXPECT_EQ(test, batch[0].fault.addr, BASE);
	KUNIT_EXPECT_EQ(test, batch[1].fault.access, WR);
	KUNIT_EXPECT_EQ(test, batch[2].fault.access, RD);
	KUNIT_EXPECT_EQ(test, batch[3].fault.addr, end);
	KUNIT_EXPECT_EQ(test, drm_svm_fault_group(batch, 5), 3);
	KUNIT_EXPECT_EQ(test, drm_svm_fault_group(batch + 3, 2), 2);
}

static void group_ends_with_the_batch(struct kunit *test)
{
	struct drm_svm_fault_entry batch[] = {
		make_entry(NULL, BASE, RD),
		make_entry(NULL, BASE, RD),
		make_entry(NULL, BASE + 1, RD),
	};

	KUNIT_EXPECT_EQ(test, drm_svm_fault_group(batch, 1), 1);
	KUNIT_EXPECT_EQ(test, drm_svm_fault_group(batch, 2), 2);
	KUNIT_EXPECT_EQ(test, drm_svm_fault_group(batch, 3), 3);
}

static void group_is_of_one_range_alone(struct kunit *test)
{
	struct drm_svm_fault_entry batch[] = {
		make_entry(NULL, BASE - 1, RD),
		make_entry(NULL, BASE, RD),
		make_entry(NULL, BASE + BIT_ULL(40), RD),
	};

	KUNIT_EXPECT_EQ(test, drm_svm_fault_group(batch, 3), 1);
	KUNIT_EXPECT_EQ(test, drm_svm_fault_group(batch + 1, 2), 1);
}

static void only_pending_faults_are_failed(struct kunit *test)
{
	struct drm_svm_fault_entry batch[4] = {
		{ .answer = 0 },
		{ .answer = DRM_SVM_MUST_WAIT },
		{ .answer = DRM_SVM_PENDING },
		{ .answer = DRM_SVM_PENDING },
	};

	KUNIT_EXPECT_EQ(test, drm_svm_fault_first_pending(batch, 4), 2);
	KUNIT_EXPECT_EQ(test, drm_svm_fault_first_pending(batch, 2), 2);
	drm_svm_fault_answer_pending(batch, 3, -EFAULT);
	KUNIT_EXPECT_EQ(test, batch[0].answer, 0);
	KUNIT_EXPECT_EQ(test, batch[1].answer, DRM_SVM_MUST_WAIT);
	KUNIT_EXPECT_EQ(test, batch[2].answer, -EFAULT);
	KUNIT_EXPECT_EQ(test, batch[3].answer, DRM_SVM_PENDING);
	KUNIT_EXPECT_EQ(test, drm_svm_fault_first_pending(batch, 4), 3);
}

static int check_at(struct fake_gpu *gpu, u64 addr)
{
	struct drm_svm_fault_entry entry = make_entry(&gpu->ctx, addr, RD);

	return drm_svm_fault_check(&entry);
}

/* The end is that of the process, or that of the GPU, whichever comes first. */
static void address_past_the_end_is_refused(struct kunit *test)
{
	struct fake_gpu *gpu = fake_gpu_create(test);
	u64 task_size = gpu->ctx.svm->mm->task_size;

	gpu->sdev.va_end = U64_MAX & DRM_SVM_RANGE_MASK;
	KUNIT_EXPECT_EQ(test, check_at(gpu, task_size - 1), DRM_SVM_PENDING);
	KUNIT_EXPECT_EQ(test, check_at(gpu, task_size), -EFAULT);
	gpu->sdev.va_end = BASE;
	KUNIT_EXPECT_EQ(test, check_at(gpu, BASE - 1), DRM_SVM_PENDING);
	KUNIT_EXPECT_EQ(test, check_at(gpu, BASE), -EFAULT);
	KUNIT_EXPECT_EQ(test, check_at(gpu, U64_MAX), -EFAULT);
}

static void fault_of_a_dead_context_is_refused(struct kunit *test)
{
	struct fake_gpu *gpu = fake_gpu_create(test);

	KUNIT_EXPECT_EQ(test, check_at(gpu, BASE), DRM_SVM_PENDING);
	gpu->ctx.dead = true;
	KUNIT_EXPECT_EQ(test, check_at(gpu, BASE), -EFAULT);
}

/* Of the range page 3 is mapped, page 4 is writable too; both are in VRAM. */
struct served_case {
	const char *name;
	unsigned int index;
	u32 access;
	int err;
};

static const struct served_case served_cases[] = {
	{ "page before", 2, RD, DRM_SVM_PENDING },
	{ "read", 3, RD, 0 },
	{ "write of a page that is read-only", 3, WR, DRM_SVM_PENDING },
	{ "read and write of it", 3, RD | WR, DRM_SVM_PENDING },
	{ "read of a writable page", 4, RD, 0 },
	{ "write", 4, WR, 0 },
	{ "page past", 5, RD, DRM_SVM_PENDING },
	{ "last page", DRM_SVM_RANGE_PAGES - 1, RD, DRM_SVM_PENDING },
};

KUNIT_ARRAY_PARAM_DESC(served, served_cases, name);

static void fault_is_skipped_if_mapped_well_enough(struct kunit *test)
{
	const struct served_case *c = test->param_value;
	struct fake_gpu *gpu = fake_gpu_create(test);
	struct drm_svm_range *range = fake_range(test, gpu, BASE);
	struct drm_svm_view *view = fake_view(test, range, gpu);
	u64 addr = BASE + c->index * PAGE_SIZE + PAGE_SIZE - 1;
	struct drm_svm_fault_entry entry = make_entry(&gpu->ctx, addr, c->access);

	fake_mapped(view, 3, 2);
	bitmap_set(view->vram, 3, 2);
	bitmap_set(view->writable, 4, 1);
	scoped_guard(mutex, &range->service_lock)
		drm_svm_fault_skip_served(range, &entry, 1);
	KUNIT_EXPECT_EQ(test, entry.answer, c->err);
}

/* What another GPU has does not help, and what was answered stays answered. */
static void fault_is_skipped_for_its_own_context(struct kunit *test)
{
	struct fake_gpu *gpu = fake_gpu_create(test), *other = fake_gpu_create(test);
	struct drm_svm_range *range = fake_range(test, gpu, BASE);
	struct drm_svm_view *view = fake_view(test, range, gpu);
	struct drm_svm_fault_entry entries[] = {
		make_entry(&other->ctx, BASE, RD),
		make_entry(&gpu->ctx, BASE, RD),
		make_entry(&gpu->ctx, BASE, RD),
	};

	fake_mapped(view, 0, 1);
	set_bit(0, view->vram);
	entries[2].answer = -EACCES;
	scoped_guard(mutex, &range->service_lock)
		drm_svm_fault_skip_served(range, entries, 3);
	KUNIT_EXPECT_EQ(test, entries[0].answer, DRM_SVM_PENDING);
	KUNIT_EXPECT_EQ(test, entries[1].answer, 0);
	KUNIT_EXPECT_EQ(test, entries[2].answer, -EACCES);
}

static struct kunit_case fault_cases[] = {
	KUNIT_CASE_PARAM(order_is_by_page_and_writes_first, cmp_gen_params),
	KUNIT_CASE(full_batch_is_sorted),
	KUNIT_CASE(sorted_batch_is_cut_into_ranges),
	KUNIT_CASE(group_ends_with_the_batch),
	KUNIT_CASE(group_is_of_one_range_alone),
	KUNIT_CASE(only_pending_faults_are_failed),
	KUNIT_CASE(address_past_the_end_is_refused),
	KUNIT_CASE(fault_of_a_dead_context_is_refused),
	KUNIT_CASE_PARAM(fault_is_skipped_if_mapped_well_enough, served_gen_params),
	KUNIT_CASE(fault_is_skipped_for_its_own_context),
	{}
};

static struct kunit_suite fault_suite = {
	.name = "drm_svm_fault",
	.test_cases = fault_cases,
};

kunit_test_suite(fault_suite);
