// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Ranges: lookup, creation, removal, the limit; and views of them.
 */

#include <kunit/test.h>

#include <linux/jiffies.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/mmu_notifier.h>
#include <linux/pagemap.h>
#include <linux/sched/task.h>

#include "drm_svm_fake_kunit.h"

#define SIZE	DRM_SVM_RANGE_SIZE
#define BASE	(16 * SIZE)

/* The module parameter max_ranges, which nobody sets here. */
#define MAX_RANGES	((long)BIT(20))

/* Ranges that one scan removes. */
#define SCAN_BATCH	64

static int range_init(struct kunit *test)
{
	test->priv = fake_gpu_create(test);
	return 0;
}

static struct drm_svm *svm_of(struct kunit *test)
{
	struct fake_gpu *gpu = test->priv;

	return gpu->ctx.svm;
}

static struct drm_svm_range *lookup(struct kunit *test, unsigned long addr)
{
	struct drm_svm_range *range = drm_svm_range_lookup(svm_of(test), addr);

	/* the address space has it, or the test */
	drm_svm_range_put(range);
	return range;
}

static long count(struct kunit *test)
{
	return atomic_long_read(&svm_of(test)->nranges);
}

static void nothing_is_found_before_a_fault(struct kunit *test)
{
	fake_range(test, test->priv, BASE);
	KUNIT_EXPECT_NULL(test, lookup(test, BASE - 1));
	KUNIT_EXPECT_NULL(test, lookup(test, BASE + SIZE));
	KUNIT_EXPECT_NULL(test, lookup(test, 0));
}

static void a_hole_ends_at_the_next_range(struct kunit *test)
{
	struct drm_svm *svm = svm_of(test);
	unsigned long far = BASE + 12345 * SIZE, end = far + 777 * SIZE;
	unsigned long at;

	KUNIT_EXPECT_EQ(test, drm_svm_range_skip_hole(svm, PAGE_SIZE, end), end);
	fake_range(test, test->priv, BASE);
	fake_range(test, test->priv, far);
	KUNIT_EXPECT_EQ(test, drm_svm_range_skip_hole(svm, PAGE_SIZE, end), BASE);
	KUNIT_EXPECT_EQ(test, drm_svm_range_skip_hole(svm, BASE + PAGE_SIZE, end),
			BASE + PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, drm_svm_range_skip_hole(svm, far + SIZE, end), end);
	for (at = BASE + SIZE; at < far; at += 1023 * PAGE_SIZE)
		KUNIT_EXPECT_EQ(test, drm_svm_range_skip_hole(svm, at, end), far);
}

struct addr_case {
	const char *name;
	unsigned long offset;
};

static const struct addr_case addr_cases[] = {
	{ "first byte", 0 },
	{ "second byte", 1 },
	{ "last byte of the first page", PAGE_SIZE - 1 },
	{ "middle", SIZE / 2 },
	{ "last byte", SIZE - 1 },
};

KUNIT_ARRAY_PARAM_DESC(addr, addr_cases, name);

static void any_address_finds_the_aligned_range(struct kunit *test)
{
	const struct addr_case *c = test->param_value;
	struct drm_svm_range *range = fake_range(test, test->priv, BASE + c->offset);

	KUNIT_EXPECT_EQ(test, range->start, BASE);
	KUNIT_EXPECT_PTR_EQ(test, lookup(test, BASE), range);
	KUNIT_EXPECT_PTR_EQ(test, lookup(test, BASE + SIZE - 1), range);
	KUNIT_EXPECT_PTR_EQ(test, fake_range(test, test->priv, BASE), range);
	KUNIT_EXPECT_EQ(test, count(test), 1);
}

static void neighbours_are_ranges_of_their_own(struct kunit *test)
{
	struct drm_svm_range *a = fake_range(test, test->priv, BASE + SIZE - 1);
	struct drm_svm_range *b = fake_range(test, test->priv, BASE + SIZE);

	KUNIT_EXPECT_PTR_NE(test, a, b);
	KUNIT_EXPECT_EQ(test, b->start, a->start + SIZE);
	KUNIT_EXPECT_EQ(test, count(test), 2);
}

static void first_and_last_window_of_a_process(struct kunit *test)
{
	unsigned long last = svm_of(test)->mm->task_size - 1;

	KUNIT_EXPECT_EQ(test, fake_range(test, test->priv, 0)->start, 0);
	KUNIT_EXPECT_EQ(test, fake_range(test, test->priv, last)->start,
			last & DRM_SVM_RANGE_MASK);
	KUNIT_EXPECT_EQ(test, count(test), 2);
}

static void lookup_returns_a_reference(struct kunit *test)
{
	struct drm_svm_range *range = fake_range(test, test->priv, BASE);
	unsigned int refs = kref_read(&range->ref);

	KUNIT_EXPECT_PTR_EQ(test, drm_svm_range_lookup(svm_of(test), BASE), range);
	KUNIT_EXPECT_EQ(test, kref_read(&range->ref), refs + 1);
	drm_svm_range_put(range);
	KUNIT_EXPECT_EQ(test, kref_read(&range->ref), refs);
	drm_svm_range_put(NULL);
}

static void removed_range_is_marked_and_made_anew(struct kunit *test)
{
	struct drm_svm_range *range = fake_range(test, test->priv, BASE);

	fake_range(test, test->priv, BASE + SIZE);
	drm_svm_range_remove_all(svm_of(test));
	KUNIT_EXPECT_TRUE(test, test_bit(DRM_SVM_RANGE_REMOVED, &range->flags));
	KUNIT_EXPECT_NULL(test, lookup(test, BASE));
	KUNIT_EXPECT_NULL(test, lookup(test, BASE + SIZE));
	KUNIT_EXPECT_EQ(test, count(test), 0);
	/* ours: the test has the only reference */
	KUNIT_EXPECT_EQ(test, kref_read(&range->ref), 1);
	KUNIT_EXPECT_PTR_NE(test, fake_range(test, test->priv, BASE), range);
}

static unsigned long map_memory(struct kunit *test, unsigned long len)
{
	unsigned long addr = kunit_vm_mmap(test, NULL, 0, len, PROT_READ | PROT_WRITE,
					   MAP_PRIVATE | MAP_ANONYMOUS, 0);

	KUNIT_ASSERT_NE(test, addr, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));
	return addr;
}

/* Of three ranges' memory the middle one's goes, and a page of the next one's. */
static void range_goes_with_the_last_of_its_memory(struct kunit *test)
{
	unsigned long addr = ALIGN(map_memory(test, 4 * SIZE), SIZE);
	struct drm_svm *svm = svm_of(test);

	fake_range(test, test->priv, addr);
	fake_range(test, test->priv, addr + SIZE);
	fake_range(test, test->priv, addr + 2 * SIZE);
	KUNIT_EXPECT_EQ(test, vm_munmap(addr + SIZE, SIZE + PAGE_SIZE), 0);
	flush_delayed_work(&svm->gc.work);
	KUNIT_EXPECT_NOT_NULL(test, lookup(test, addr));
	KUNIT_EXPECT_NULL(test, lookup(test, addr + SIZE));
	KUNIT_EXPECT_NOT_NULL(test, lookup(test, addr + 2 * SIZE));
	KUNIT_EXPECT_EQ(test, count(test), 2);
}

/* Has the address space count so many ranges that @room more can be made. */
static void leave_room(struct kunit *test, long room)
{
	atomic_long_set(&svm_of(test)->nranges, MAX_RANGES - room);
}

static void settle(struct kunit *test, long there)
{
	atomic_long_set(&svm_of(test)->nranges, there);
}

static void limit_removes_a_range_that_is_idle(struct kunit *test)
{
	fake_range(test, test->priv, BASE);
	leave_room(test, 1);
	fake_range(test, test->priv, BASE + SIZE);
	KUNIT_EXPECT_NOT_NULL(test, lookup(test, BASE));
	fake_range(test, test->priv, BASE + 2 * SIZE);
	KUNIT_EXPECT_NULL(test, lookup(test, BASE));
	KUNIT_EXPECT_NULL(test, lookup(test, BASE + SIZE));
	KUNIT_EXPECT_NOT_NULL(test, lookup(test, BASE + 2 * SIZE));
	settle(test, 1);
}

static void limit_keeps_what_is_mapped(struct kunit *test)
{
	struct drm_svm_range *range = fake_range(test, test->priv, BASE);
	struct drm_svm_view *view = fake_view(test, range, test->priv);
	struct drm_svm *svm = svm_of(test);

	/* in VRAM: there is no DMA address to give back */
	fake_mapped(view, DRM_SVM_RANGE_PAGES - 1, 1);
	set_bit(DRM_SVM_RANGE_PAGES - 1, view->vram);
	leave_room(test, 0);
	KUNIT_EXPECT_PTR_EQ(test, drm_svm_range_obtain(svm, BASE + SIZE),
			    ERR_PTR(-ENOMEM));
	KUNIT_EXPECT_PTR_EQ(test, drm_svm_range_obtain(svm, BASE), range);
	drm_svm_range_put(range);
	settle(test, 1);
}

/* Nothing was found: the next fault does not look, until time has passed. */
static void limit_is_scanned_now_and_then(struct kunit *test)
{
	struct drm_svm *svm = svm_of(test);

	fake_range(test, test->priv, BASE);
	leave_room(test, 0);
	svm->gc.next_scan = jiffies + 60 * HZ;
	KUNIT_EXPECT_PTR_EQ(test, drm_svm_range_obtain(svm, BASE + SIZE),
			    ERR_PTR(-ENOMEM));
	KUNIT_EXPECT_NOT_NULL(test, lookup(test, BASE));
	svm->gc.next_scan = jiffies;
	fake_range(test, test->priv, BASE + SIZE);
	KUNIT_EXPECT_NULL(test, lookup(test, BASE));
	settle(test, 1);
}

static void limit_is_scanned_by_one_at_a_time(struct kunit *test)
{
	struct drm_svm *svm = svm_of(test);

	fake_range(test, test->priv, BASE);
	leave_room(test, 0);
	set_bit(0, &svm->gc.scanning);
	KUNIT_EXPECT_PTR_EQ(test, drm_svm_range_obtain(svm, BASE + SIZE),
			    ERR_PTR(-EAGAIN));
	KUNIT_EXPECT_NOT_NULL(test, lookup(test, BASE));
	clear_bit(0, &svm->gc.scanning);
	settle(test, 1);
}

static void limit_removes_so_many_at_once(struct kunit *test)
{
	unsigned int i, left = 0;

	for (i = 0; i < SCAN_BATCH + 2; i++)
		fake_range(test, test->priv, BASE + i * SIZE);
	leave_room(test, 0);
	fake_range(test, test->priv, BASE + i * SIZE);
	/* which of them stay is not said */
	while (i--)
		left += !!lookup(test, BASE + i * SIZE);
	KUNIT_EXPECT_EQ(test, left, 2);
	KUNIT_EXPECT_EQ(test, count(test), MAX_RANGES - SCAN_BATCH + 1);
	settle(test, 3);
}

static void context_has_one_view(struct kunit *test)
{
	struct fake_gpu *a = test->priv, *b = fake_gpu_create(test);
	struct drm_svm_range *range = fake_range(test, a, BASE);
	struct drm_svm_view *view;

	KUNIT_EXPECT_PTR_EQ(test, a->ctx.svm, b->ctx.svm);
	guard(mutex)(&range->service_lock);
	KUNIT_EXPECT_NULL(test, drm_svm_range_find_view(range, &a->ctx));
	view = drm_svm_range_obtain_view(range, &a->ctx);
	KUNIT_EXPECT_NOT_NULL(test, view);
	KUNIT_EXPECT_PTR_EQ(test, drm_svm_range_obtain_view(range, &a->ctx), view);
	KUNIT_EXPECT_NULL(test, drm_svm_range_find_view(range, &b->ctx));
	KUNIT_EXPECT_PTR_NE(test, drm_svm_range_obtain_view(range, &b->ctx), view);
	KUNIT_EXPECT_PTR_EQ(test, drm_svm_range_find_view(range, &a->ctx), view);
}

/* The GPU is told of the whole range, and flushed, before the view goes. */
static void views_of_one_context_are_dropped(struct kunit *test)
{
	struct fake_gpu *a = test->priv, *b = fake_gpu_create(test);
	struct drm_svm_range *range = fake_range(test, a, BASE);
	struct drm_svm_view *view = fake_view(test, range, a);

	fake_view(test, range, b);
	fake_mapped(view, 3, 1);
	set_bit(3, view->vram);
	guard(mutex)(&range->service_lock);
	drm_svm_range_drop_views(range, &b->ctx);
	KUNIT_EXPECT_EQ(test, a->nunmaps + b->nunmaps, 0);
	KUNIT_EXPECT_NULL(test, drm_svm_range_find_view(range, &b->ctx));
	KUNIT_EXPECT_PTR_EQ(test, drm_svm_range_find_view(range, &a->ctx), view);
	drm_svm_range_drop_views(range, NULL);
	KUNIT_EXPECT_EQ(test, a->nunmaps, 1);
	KUNIT_EXPECT_EQ(test, a->unmap_start, BASE);
	KUNIT_EXPECT_EQ(test, a->unmap_end, BASE + SIZE);
	KUNIT_EXPECT_EQ(test, a->nflushes, 1);
	KUNIT_EXPECT_TRUE(test, list_empty(&range->views));
}

/* -1 if it would have had to wait for what it must not wait for */
static int invalidate(struct drm_svm_range *range, unsigned int flags, unsigned int first,
		      unsigned int end)
{
	struct mmu_interval_notifier *notifier = &range->notifier;
	struct mmu_interval_notifier_finish *finish = NULL;
	struct mmu_notifier_range invalid;

	mmu_notifier_range_init(&invalid, MMU_NOTIFY_CLEAR, flags, range->svm->mm,
				drm_svm_page_addr(range, first),
				drm_svm_page_addr(range, end));
	if (!notifier->ops->invalidate_start(notifier, &invalid,
					     notifier->invalidate_seq, &finish))
		return -1;
	return finish ? 1 : 0;
}

/* As the OOM reaper does it, which must not wait */
static int reap(struct drm_svm_range *range, unsigned int first, unsigned int end)
{
	return invalidate(range, 0, first, end);
}

static void expect_mapped(struct kunit *test, const struct drm_svm_view *view,
			  unsigned int npages)
{
	KUNIT_EXPECT_EQ(test, view->nmapped, npages);
	KUNIT_EXPECT_EQ(test, bitmap_weight(view->mapped, DRM_SVM_RANGE_PAGES), npages);
	KUNIT_EXPECT_EQ(test, bitmap_weight(view->vram, DRM_SVM_RANGE_PAGES), npages);
	KUNIT_EXPECT_EQ(test, bitmap_weight(view->writable, DRM_SVM_RANGE_PAGES), npages);
}

/* One page of three, then more than is left. */
static void invalid_pages_are_forgotten(struct kunit *test)
{
	struct fake_gpu *gpu = test->priv;
	struct drm_svm_range *range = fake_range(test, gpu, BASE);
	struct drm_svm_view *view = fake_view(test, range, gpu);

	fake_mapped(view, 3, 3);
	bitmap_set(view->vram, 3, 3);
	bitmap_set(view->writable, 3, 3);
	invalidate(range, MMU_NOTIFIER_RANGE_BLOCKABLE, 4, 5);
	expect_mapped(test, view, 2);
	KUNIT_EXPECT_FALSE(test, test_bit(4, view->mapped));
	invalidate(range, MMU_NOTIFIER_RANGE_BLOCKABLE, 0, 8);
	expect_mapped(test, view, 0);
	KUNIT_EXPECT_EQ(test, gpu->nunmaps, 2);
	invalidate(range, MMU_NOTIFIER_RANGE_BLOCKABLE, 0, 8);
	KUNIT_EXPECT_EQ(test, gpu->nunmaps, 2);
}

static void reaper_takes_what_no_gpu_maps(struct kunit *test)
{
	struct fake_gpu *gpu = test->priv;
	struct drm_svm_range *range = fake_range(test, gpu, BASE);
	struct drm_svm_view *view = fake_view(test, range, gpu);

	fake_mapped(view, 3, 1);
	set_bit(3, view->vram);
	KUNIT_EXPECT_EQ(test, reap(range, 0, 3), 0);
	KUNIT_EXPECT_EQ(test, reap(range, 4, DRM_SVM_RANGE_PAGES), 0);
	KUNIT_EXPECT_EQ(test, reap(range, 3, 4), -1);
	KUNIT_EXPECT_EQ(test, reap(range, 0, DRM_SVM_RANGE_PAGES), -1);
	KUNIT_EXPECT_EQ(test, gpu->nunmaps, 0);
	KUNIT_EXPECT_TRUE(test, test_bit(3, view->mapped));
	/* somebody writes the GPU's page table */
	guard(mutex)(&range->pt_lock);
	KUNIT_EXPECT_EQ(test, reap(range, 0, 3), -1);
}

/* What others do to a range that is held wins: its holder collects no more. */
static void hold_is_broken_by_others(struct kunit *test)
{
	struct drm_svm_range *range = fake_range(test, test->priv, BASE);
	struct migrate_vma args = { .flags = MIGRATE_VMA_SELECT_DEVICE_PRIVATE };
	unsigned long addr = kunit_vm_mmap(test, NULL, BASE, DRM_SVM_RANGE_SIZE, PROT_READ,
					   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, 0);

	/* the holder has seen a page there, so there are page tables */
	KUNIT_ASSERT_EQ(test, addr, BASE);
	KUNIT_ASSERT_EQ(test, fault_in_readable((const char __user *)addr, PAGE_SIZE), 0);
	guard(mmap_read_lock)(current->mm);
	KUNIT_ASSERT_TRUE(test, drm_svm_quirk_hold(range, &args));
	KUNIT_EXPECT_FALSE(test, drm_svm_quirk_hold(range, &args));
	/* what the holder does to it */
	KUNIT_EXPECT_EQ(test, reap(range, 0, DRM_SVM_RANGE_PAGES), 0);
	KUNIT_EXPECT_NE(test, args.flags, 0);
	/* what others do, which do not wait */
	range->holder = &init_task;
	KUNIT_EXPECT_EQ(test, reap(range, 0, DRM_SVM_RANGE_PAGES), 0);
	KUNIT_EXPECT_EQ(test, args.flags, 0);
	drm_svm_quirk_release(range);
	KUNIT_EXPECT_NULL(test, range->holder);
}

static void range_that_goes_is_not_held(struct kunit *test)
{
	struct drm_svm_range *range = fake_range(test, test->priv, BASE);
	struct migrate_vma args = {};

	set_bit(DRM_SVM_RANGE_REMOVED, &range->flags);
	scoped_guard(mmap_read_lock, current->mm)
		KUNIT_EXPECT_FALSE(test, drm_svm_quirk_hold(range, &args));
	KUNIT_EXPECT_NULL(test, range->holder);
	clear_bit(DRM_SVM_RANGE_REMOVED, &range->flags);
}

static struct kunit_case range_cases[] = {
	KUNIT_CASE(nothing_is_found_before_a_fault),
	KUNIT_CASE(a_hole_ends_at_the_next_range),
	KUNIT_CASE_PARAM(any_address_finds_the_aligned_range, addr_gen_params),
	KUNIT_CASE(neighbours_are_ranges_of_their_own),
	KUNIT_CASE(first_and_last_window_of_a_process),
	KUNIT_CASE(lookup_returns_a_reference),
	KUNIT_CASE(removed_range_is_marked_and_made_anew),
	KUNIT_CASE(range_goes_with_the_last_of_its_memory),
	KUNIT_CASE(limit_removes_a_range_that_is_idle),
	KUNIT_CASE(limit_keeps_what_is_mapped),
	KUNIT_CASE(limit_is_scanned_now_and_then),
	KUNIT_CASE(limit_is_scanned_by_one_at_a_time),
	KUNIT_CASE(limit_removes_so_many_at_once),
	KUNIT_CASE(context_has_one_view),
	KUNIT_CASE(views_of_one_context_are_dropped),
	KUNIT_CASE(invalid_pages_are_forgotten),
	KUNIT_CASE(reaper_takes_what_no_gpu_maps),
	KUNIT_CASE(hold_is_broken_by_others),
	KUNIT_CASE(range_that_goes_is_not_held),
	{}
};

static struct kunit_suite range_suite = {
	.name = "drm_svm_range",
	.init = range_init,
	.test_cases = range_cases,
};

kunit_test_suite(range_suite);
