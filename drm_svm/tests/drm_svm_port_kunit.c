// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What a driver may get wrong, and what the library says to it. The driver is a
 * whole one, as far as TTM and the library can tell; its GPU does nothing.
 */

#include <kunit/device.h>
#include <kunit/resource.h>
#include <kunit/static_stub.h>
#include <kunit/test.h>

#include <linux/dma-fence.h>
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/stddef.h>

#include <drm/drm_device.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/ttm/ttm_allocation.h>
#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_range_manager.h>
#include <drm/ttm/ttm_resource.h>
#include <drm/ttm/ttm_tt.h>

#include "drm_svm_fake_kunit.h"

#define PORT_VRAM_SIZE	SZ_2M

/* @vram_ops, @funcs: what a test may change, before port_vram_init() for the most part. */
struct port_gpu {
	struct drm_device drm;
	struct ttm_device bdev;
	struct drm_svm_device sdev;
	struct drm_svm_vram vram;
	struct drm_svm_vram_ops vram_ops;
	struct ttm_device_funcs funcs;
};

static struct dma_fence *port_copy(struct drm_svm_vram *vram,
				   const struct drm_svm_copy *segs, unsigned int n)
{
	return dma_fence_get_stub();
}

static struct dma_fence *port_clear(struct drm_svm_vram *vram,
				    const struct drm_svm_run *runs, unsigned int n)
{
	return dma_fence_get_stub();
}

static u64 port_peer_addr(struct drm_svm_vram *vram, struct drm_svm_device *peer,
			  u64 offset)
{
	return offset;
}

static const struct drm_svm_vram_ops port_vram_ops = {
	.copy = port_copy,
	.clear = port_clear,
	.peer_addr = port_peer_addr,
};

static struct ttm_tt *port_tt_create(struct ttm_buffer_object *tbo, u32 page_flags)
{
	struct ttm_tt *tt = kzalloc_obj(*tt);

	if (tt && ttm_tt_init(tt, tbo, page_flags, ttm_cached, 0)) {
		kfree(tt);
		return NULL;
	}
	return tt;
}

static void port_tt_destroy(struct ttm_device *bdev, struct ttm_tt *tt)
{
	ttm_tt_fini(tt);
	kfree(tt);
}

static void port_evict_flags(struct ttm_buffer_object *tbo,
			     struct ttm_placement *placement)
{
	if (!drm_svm_bo_evict_flags(tbo, placement))
		placement->num_placement = 0;
}

static int port_move(struct ttm_buffer_object *tbo, bool evict,
		     struct ttm_operation_ctx *ctx, struct ttm_resource *new_mem,
		     struct ttm_place *hop)
{
	if (drm_svm_bo_is_svm(tbo))
		return drm_svm_bo_move(tbo, ctx, new_mem);
	ttm_bo_move_null(tbo, new_mem);
	return 0;
}

static const struct ttm_device_funcs port_funcs = {
	.ttm_tt_create = port_tt_create,
	.ttm_tt_destroy = port_tt_destroy,
	.eviction_valuable = ttm_bo_eviction_valuable,
	.evict_flags = port_evict_flags,
	.move = port_move,
};

static const struct file_operations port_fops = {
	.owner = THIS_MODULE,
};

static const struct drm_driver port_driver = {
	.driver_features = DRIVER_GEM,
	.fops = &port_fops,
	.name = "drm_svm_port",
	.desc = "driver of a KUnit test",
};

KUNIT_DEFINE_ACTION_WRAPPER(port_device_fini, ttm_device_fini, struct ttm_device *);
KUNIT_DEFINE_ACTION_WRAPPER(port_vram_fini, drm_svm_vram_fini, struct drm_svm_vram *);

static void port_manager_fini(void *bdev)
{
	ttm_range_man_fini(bdev, TTM_PL_VRAM);
}

/* A GPU with TTM, whose VRAM the library does not know yet. */
static struct port_gpu *port_gpu_create(struct kunit *test)
{
	struct device *dev = fake_device(test);
	struct port_gpu *gpu;

	gpu = devm_drm_dev_alloc(dev, &port_driver, struct port_gpu, drm);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, gpu);
	gpu->vram_ops = port_vram_ops;
	gpu->funcs = port_funcs;
	KUNIT_ASSERT_EQ(test, drm_svm_device_init(&gpu->sdev, &gpu->drm, dev,
						  BIT_ULL(47)), 0);
	KUNIT_ASSERT_EQ(test, ttm_device_init(&gpu->bdev, &gpu->funcs, dev,
					      gpu->drm.anon_inode->i_mapping,
					      gpu->drm.vma_offset_manager, 0), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, port_device_fini,
							&gpu->bdev), 0);
	KUNIT_ASSERT_EQ(test, ttm_range_man_init(&gpu->bdev, TTM_PL_VRAM, false,
						 PORT_VRAM_SIZE >> PAGE_SHIFT), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, port_manager_fini,
							&gpu->bdev), 0);
	return gpu;
}

static int port_vram_init(struct kunit *test, struct port_gpu *gpu, const void *owner)
{
	const struct drm_svm_vram_config config = {
		.bdev = &gpu->bdev,
		.mem_type = TTM_PL_VRAM,
		.size = PORT_VRAM_SIZE,
		.ops = &gpu->vram_ops,
		.owner = owner,
		.module = THIS_MODULE,
	};
	int err = drm_svm_vram_init(&gpu->vram, &gpu->sdev, &config);

	if (!err)
		KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, port_vram_fini,
								&gpu->vram), 0);
	return err;
}

/* A function that the driver has not, and what comes of it. */
struct missing_case {
	const char *name;
	size_t offset;
	bool owner;
	int err;
};

#define MISSING(type, op, err) \
	{ #op, offsetof(struct type, op), false, err }
#define MISSING_OWNED(type, op, err) \
	{ #op " with an owner", offsetof(struct type, op), true, err }

static void forget(void *ops, size_t offset)
{
	*(void **)(ops + offset) = NULL;
}

static const struct missing_case context_ops_cases[] = {
	MISSING(drm_svm_context_ops, map_prepare, -EINVAL),
	MISSING(drm_svm_context_ops, map, -EINVAL),
	MISSING(drm_svm_context_ops, unmap, -EINVAL),
	MISSING(drm_svm_context_ops, tlb_flush_start, -EINVAL),
	MISSING(drm_svm_context_ops, tlb_flush_wait, -EINVAL),
	MISSING(drm_svm_context_ops, fault_done, -EINVAL),
	MISSING(drm_svm_context_ops, query, 0),
};

KUNIT_ARRAY_PARAM_DESC(context_ops, context_ops_cases, name);

static void attach_wants_all_ops_but_query(struct kunit *test)
{
	const struct missing_case *c = test->param_value;
	struct fake_gpu *gpu = fake_gpu_create(test);
	struct drm_svm_context_ops ops = fake_context_ops;
	struct drm_svm_context *ctx = kunit_kzalloc(test, sizeof(*ctx), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, ctx);
	forget(&ops, c->offset);
	KUNIT_EXPECT_EQ(test, drm_svm_context_attach(ctx, &gpu->sdev, &ops), c->err);
	KUNIT_EXPECT_EQ(test, !ctx->svm, !!c->err);
	drm_svm_context_detach(ctx);
}

static const struct missing_case vram_ops_cases[] = {
	MISSING(drm_svm_vram_ops, copy, -EINVAL),
	MISSING(drm_svm_vram_ops, clear, -EINVAL),
	MISSING(drm_svm_vram_ops, peer_addr, 0),
	MISSING_OWNED(drm_svm_vram_ops, peer_addr, -EINVAL),
};

KUNIT_ARRAY_PARAM_DESC(vram_ops, vram_ops_cases, name);

static void vram_wants_its_ops(struct kunit *test)
{
	const struct missing_case *c = test->param_value;
	struct port_gpu *gpu = port_gpu_create(test);

	forget(&gpu->vram_ops, c->offset);
	KUNIT_EXPECT_EQ(test, port_vram_init(test, gpu, c->owner ? gpu : NULL), c->err);
	KUNIT_EXPECT_EQ(test, !gpu->sdev.vram, !!c->err);
}

/* Poisoned pages keep it loaded. */
static void vram_wants_the_module(struct kunit *test)
{
	struct port_gpu *gpu = port_gpu_create(test);
	const struct drm_svm_vram_config config = {
		.bdev = &gpu->bdev,
		.mem_type = TTM_PL_VRAM,
		.size = PORT_VRAM_SIZE,
		.ops = &gpu->vram_ops,
	};

	KUNIT_EXPECT_EQ(test, drm_svm_vram_init(&gpu->vram, &gpu->sdev, &config),
			port_fops.owner ? -EINVAL : 0);
	KUNIT_EXPECT_EQ(test, !gpu->sdev.vram, !!port_fops.owner);
}

static const struct missing_case ttm_funcs_cases[] = {
	MISSING(ttm_device_funcs, ttm_tt_create, -EINVAL),
	MISSING(ttm_device_funcs, ttm_tt_destroy, -EINVAL),
	MISSING(ttm_device_funcs, eviction_valuable, -EINVAL),
	MISSING(ttm_device_funcs, evict_flags, -EINVAL),
	MISSING(ttm_device_funcs, move, -EINVAL),
	MISSING(ttm_device_funcs, swap_notify, 0),
};

KUNIT_ARRAY_PARAM_DESC(ttm_funcs, ttm_funcs_cases, name);

static void vram_wants_functions_for_ttm(struct kunit *test)
{
	const struct missing_case *c = test->param_value;
	struct port_gpu *gpu = port_gpu_create(test);

	forget(&gpu->funcs, c->offset);
	KUNIT_EXPECT_EQ(test, port_vram_init(test, gpu, NULL), c->err);
	KUNIT_EXPECT_EQ(test, !gpu->sdev.vram, !!c->err);
	gpu->funcs = port_funcs;
}

/* A driver that has no buffers of its own, and forgot those of the library */
static void discarding_evict_flags(struct ttm_buffer_object *tbo,
				   struct ttm_placement *placement)
{
}

static void staying_evict_flags(struct ttm_buffer_object *tbo,
				struct ttm_placement *placement)
{
	static const struct ttm_place place = { .mem_type = TTM_PL_VRAM };

	placement->num_placement = 1;
	placement->placement = &place;
}

static int forgetful_move(struct ttm_buffer_object *tbo, bool evict,
			  struct ttm_operation_ctx *ctx, struct ttm_resource *new_mem,
			  struct ttm_place *hop)
{
	ttm_bo_move_null(tbo, new_mem);
	return 0;
}

static int helpless_move(struct ttm_buffer_object *tbo, bool evict,
			 struct ttm_operation_ctx *ctx, struct ttm_resource *new_mem,
			 struct ttm_place *hop)
{
	if (tbo->resource)
		return -EIO;
	return forgetful_move(tbo, evict, ctx, new_mem, hop);
}

struct hook_case {
	const char *name;
	void (*evict_flags)(struct ttm_buffer_object *tbo,
			    struct ttm_placement *placement);
	int (*move)(struct ttm_buffer_object *tbo, bool evict,
		    struct ttm_operation_ctx *ctx, struct ttm_resource *new_mem,
		    struct ttm_place *hop);
	int err;
};

static const struct hook_case hook_cases[] = {
	{ "as it should be", port_evict_flags, port_move, 0 },
	{ "evict_flags discards", discarding_evict_flags, port_move, -EINVAL },
	{ "evict_flags lets it stay", staying_evict_flags, port_move, -EINVAL },
	{ "move does not copy", port_evict_flags, forgetful_move, -EINVAL },
	{ "move fails", port_evict_flags, helpless_move, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(hook, hook_cases, name);

/* The buffer of the trial is gone in any case, or the manager could not go. */
static void vram_init_tries_the_functions_for_ttm(struct kunit *test)
{
	const struct hook_case *c = test->param_value;
	struct port_gpu *gpu = port_gpu_create(test);
	struct ttm_resource_manager *man = ttm_manager_type(&gpu->bdev, TTM_PL_VRAM);

	gpu->funcs.evict_flags = c->evict_flags;
	gpu->funcs.move = c->move;
	KUNIT_EXPECT_EQ(test, port_vram_init(test, gpu, NULL), c->err);
	KUNIT_EXPECT_EQ(test, !gpu->sdev.vram, !!c->err);
	KUNIT_EXPECT_EQ(test, ttm_resource_manager_usage(man), 0);
	gpu->funcs = port_funcs;
}

/* Who still uses the device finds it as it was. */
static void device_with_a_context_does_not_go(struct kunit *test)
{
	struct fake_gpu *gpu = fake_gpu_create(test);

	kunit_warning_suppress(test) {
		drm_svm_device_fini(&gpu->sdev);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_NOT_NULL(test, gpu->sdev.dma_dev);
	drm_svm_context_detach(&gpu->ctx);
	drm_svm_context_detach(&gpu->ctx);
	drm_svm_device_fini(&gpu->sdev);
	KUNIT_EXPECT_NULL(test, gpu->sdev.dma_dev);
}

static void device_with_vram_does_not_go(struct kunit *test)
{
	struct port_gpu *gpu = port_gpu_create(test);

	KUNIT_ASSERT_EQ(test, port_vram_init(test, gpu, NULL), 0);
	kunit_warning_suppress(test) {
		drm_svm_device_fini(&gpu->sdev);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_PTR_EQ(test, gpu->sdev.vram, &gpu->vram);
}

static void vram_with_a_context_goes_with_a_warning(struct kunit *test)
{
	struct port_gpu *gpu = port_gpu_create(test);
	struct drm_svm_context *ctx = kunit_kzalloc(test, sizeof(*ctx), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, ctx);
	KUNIT_ASSERT_EQ(test, port_vram_init(test, gpu, NULL), 0);
	KUNIT_ASSERT_EQ(test, kunit_attach_mm(), 0);
	KUNIT_ASSERT_EQ(test, drm_svm_context_attach(ctx, &gpu->sdev, &fake_context_ops), 0);
	kunit_warning_suppress(test) {
		kunit_release_action(test, port_vram_fini, &gpu->vram);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_NULL(test, gpu->sdev.vram);
	drm_svm_context_detach(ctx);
}

/* A page of VRAM that the CPU is to touch, and its BO. */
struct taken {
	struct port_gpu *gpu;
	struct drm_svm_stats *stats;
	struct page *page;
	unsigned long addr;
};

static void taken_put(void *data)
{
	struct taken *t = data;

	if (t->page)
		put_page(t->page);
	flush_work(&t->gpu->vram.free_work);
	drm_svm_stats_put(t->stats);
}

static struct page *take_page(struct kunit *test, struct taken *t)
{
	struct drm_svm_bo *bo = drm_svm_bo_create(&t->gpu->vram, t->stats, 16, DRM_SVM_ROOM_EVICT);
	struct page *page;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, bo);
	page = drm_svm_chunk_page(bo, 0, 0);
	drm_svm_bo_fill_done(bo);
	return page;
}

/* TTM wants the room, and the driver does not tell the library. */
static void take_place_away(struct kunit *test, struct taken *t)
{
	struct ttm_device *bdev = &t->gpu->bdev;
	struct ttm_resource_manager *man = ttm_manager_type(bdev, TTM_PL_VRAM);

	t->gpu->funcs.evict_flags = discarding_evict_flags;
	KUNIT_EXPECT_EQ(test, ttm_resource_manager_evict_all(bdev, man), 0);
	t->gpu->funcs = port_funcs;
}

static struct taken *taken_create(struct kunit *test)
{
	struct taken *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->gpu = port_gpu_create(test);
	KUNIT_ASSERT_EQ(test, port_vram_init(test, t->gpu, NULL), 0);
	t->stats = drm_svm_stats_create();
	KUNIT_ASSERT_NOT_NULL(test, t->stats);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, taken_put, t), 0);
	t->page = take_page(test, t);
	KUNIT_ASSERT_NOT_NULL(test, t->page);
	unlock_page(t->page);
	t->addr = kunit_vm_mmap(test, NULL, 0, PAGE_SIZE, PROT_READ,
				MAP_PRIVATE | MAP_ANONYMOUS, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL((void *)t->addr));
	return t;
}

/* The CPU touches the page, as if it were mapped there. */
static vm_fault_t touch(struct taken *t)
{
	struct mm_struct *mm = current->mm;
	vm_fault_t ret;

	mmap_read_lock(mm);
	lock_page(t->page);
	ret = drm_svm_migrate_to_ram(&(struct vm_fault) {
		.vma = find_vma(mm, t->addr),
		.address = t->addr,
		.page = t->page,
	});
	unlock_page(t->page);
	mmap_read_unlock(mm);
	return ret;
}

static long poisoned_pages(struct taken *t)
{
	return READ_ONCE(t->gpu->vram.npoisoned);
}

/* What is in the page's place is of somebody else: nobody is shown it. */
static void page_without_its_place_is_poisoned(struct kunit *test)
{
	struct taken *t = taken_create(test);

	take_place_away(test, t);
	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, (__force u32)touch(t), (__force u32)VM_FAULT_HWPOISON);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_EQ(test, poisoned_pages(t), 1);
	KUNIT_EXPECT_EQ(test, (__force u32)touch(t), (__force u32)VM_FAULT_HWPOISON);
}

/* The next BO has the place, but not the page. */
static void page_in_use_is_not_handed_out(struct kunit *test)
{
	struct taken *t = taken_create(test);
	void *bo = t->page->zone_device_data;
	struct page *page;

	take_place_away(test, t);
	kunit_warning_suppress(test) {
		page = take_page(test, t);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_NULL(test, page);
	KUNIT_EXPECT_EQ(test, page_count(t->page), 1);
	KUNIT_EXPECT_PTR_EQ(test, t->page->zone_device_data, bo);
}

/* The end of VRAM does not wait for pages that cannot go to RAM. */
static void eviction_loses_what_has_no_place(struct kunit *test)
{
	struct taken *t = taken_create(test);

	take_place_away(test, t);
	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, drm_svm_vram_evict_all(&t->gpu->vram), 0);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_EQ(test, poisoned_pages(t), 1);
}

static void restore_notice_after(void *data)
{
	drm_svm_notice_after = (unsigned long)data;
}

/* Soon: who waits for the notice waits for it alone, however long it takes. */
static void notice_soon(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, restore_notice_after,
							(void *)drm_svm_notice_after), 0);
	drm_svm_notice_after = 1;
}

/* The fault is answered once the notice is there. */
static void answer_at_notice(struct drm_svm_context *ctx)
{
	drm_svm_context_put_busy(ctx);
}

static void detach_says_that_it_waits(struct kunit *test)
{
	struct fake_gpu *gpu = fake_gpu_create(test);

	notice_soon(test);
	kunit_activate_static_stub(test, drm_svm_notice_detach, answer_at_notice);
	atomic_inc(&gpu->ctx.busy);
	drm_svm_context_detach(&gpu->ctx);
	KUNIT_EXPECT_NULL(test, gpu->ctx.svm);
}

static const char *port_fence_name(struct dma_fence *fence)
{
	return "drm_svm_port";
}

static const struct dma_fence_ops port_fence_ops = {
	.get_driver_name = port_fence_name,
	.get_timeline_name = port_fence_name,
};

/* The copy ends once the notice is there. */
static void signal_at_notice(struct drm_svm_vram *vram, struct dma_fence *fence)
{
	dma_fence_signal(fence);
}

static void wait_for_a_copy_says_so(struct kunit *test)
{
	struct fake_vram *vram = fake_vram_create(test, fake_gpu_create(test));
	struct drm_svm_migration *m = drm_svm_migration_alloc(1, GFP_KERNEL);
	struct dma_fence *fence = kzalloc_obj(*fence);

	KUNIT_ASSERT_NOT_NULL(test, m);
	KUNIT_ASSERT_NOT_NULL(test, fence);
	notice_soon(test);
	kunit_activate_static_stub(test, drm_svm_notice_copy, signal_at_notice);
	drm_svm_migration_reset(m, &vram->vram);
	dma_fence_init(fence, &port_fence_ops, NULL, dma_fence_context_alloc(1), 1);
	m->copy = fence;
	KUNIT_EXPECT_EQ(test, drm_svm_migration_wait(m), 0);
	drm_svm_migration_free(m);
}

/* A hole in the table of counters would read as another counter. */
static void every_counter_has_a_name(struct kunit *test)
{
	struct fake_gpu *gpu = fake_gpu_create(test);
	unsigned int i;

	for (i = 0; i < DRM_SVM_COUNTER_NUM; i++) {
		KUNIT_EXPECT_NOT_NULL(test, drm_svm_counter_name(i));
		KUNIT_EXPECT_EQ(test, drm_svm_counter_read(&gpu->ctx, i), 0);
	}
	drm_svm_context_count(&gpu->ctx, DRM_SVM_STAT_FAULTS, 3);
	drm_svm_context_count(&gpu->ctx, DRM_SVM_STAT_VRAM_COPIED_IN, 2);
	drm_svm_context_count(&gpu->ctx, DRM_SVM_STAT_PAGES_MAPPED, 7);
	drm_svm_context_count(&gpu->ctx, DRM_SVM_STAT_PAGES_UNMAPPED, 5);
	drm_svm_context_count(&gpu->ctx, DRM_SVM_STAT_VRAM_PAGES, -1);
	KUNIT_EXPECT_EQ(test, drm_svm_counter_read(&gpu->ctx, DRM_SVM_COUNTER_FAULTS), 3);
	KUNIT_EXPECT_EQ(test, drm_svm_counter_read(&gpu->ctx, DRM_SVM_COUNTER_VRAM_BYTES_IN),
			2 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, drm_svm_counter_read(&gpu->ctx, DRM_SVM_COUNTER_CUR_PAGES), 2);
	/* added on another CPU: never negative */
	KUNIT_EXPECT_EQ(test, drm_svm_counter_read(&gpu->ctx, DRM_SVM_COUNTER_CUR_VRAM_PAGES), 0);
}

static struct kunit_case port_cases[] = {
	KUNIT_CASE_PARAM(attach_wants_all_ops_but_query, context_ops_gen_params),
	KUNIT_CASE_PARAM(vram_wants_its_ops, vram_ops_gen_params),
	KUNIT_CASE(vram_wants_the_module),
	KUNIT_CASE_PARAM(vram_wants_functions_for_ttm, ttm_funcs_gen_params),
	KUNIT_CASE_PARAM(vram_init_tries_the_functions_for_ttm, hook_gen_params),
	KUNIT_CASE(device_with_a_context_does_not_go),
	KUNIT_CASE(device_with_vram_does_not_go),
	KUNIT_CASE(vram_with_a_context_goes_with_a_warning),
	KUNIT_CASE(detach_says_that_it_waits),
	KUNIT_CASE(wait_for_a_copy_says_so),
	KUNIT_CASE(page_without_its_place_is_poisoned),
	KUNIT_CASE(page_in_use_is_not_handed_out),
	KUNIT_CASE(eviction_loses_what_has_no_place),
	KUNIT_CASE(every_counter_has_a_name),
	{}
};

static struct kunit_suite port_suite = {
	.name = "drm_svm_port",
	.test_cases = port_cases,
};

kunit_test_suite(port_suite);
