/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _DRM_SVM_COMPAT_H_
#define _DRM_SVM_COMPAT_H_

/*
 * What the kernels of tools/kernels do not have in common. All other code is written for
 * the newest of them. An older kernel gets here, under the newest kernel's names, what it
 * lacks; names of our own, drm_svm_compat_*(), are for what has another shape there.
 * Each part says which kernel makes it unnecessary.
 */

#include <linux/cgroup_dmem.h>
#include <linux/mm.h>
#include <linux/userfaultfd_k.h>
#include <linux/version.h>

#include <drm/ttm/ttm_resource.h>

/* Linux 7.3: leafops.h includes all that it needs. */
#include <linux/swap.h>
#include <linux/leafops.h>

/* Linux 7.3: userfaultfd can take away the access to a page, reads too. */
#ifndef VM_UFFD_RWP
#define VM_UFFD_RWP	VM_NONE
static inline bool userfaultfd_rwp(struct vm_area_struct *vma)
{
	return false;
}
#endif

/* Linux 7.3: anonymous pages of a mapping that has a file have offsets of their own. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 3, 0)
static inline pgoff_t vma_start_anon_pgoff(const struct vm_area_struct *vma)
{
	return vma->vm_pgoff;
}
#endif

/* Linux 7.3: whether a mapping copies on write is asked of it, and not of its flags. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 3, 0)
static inline bool vma_is_cow_mapping(const struct vm_area_struct *vma)
{
	return is_cow_mapping(vma->vm_flags);
}
#endif

/* Linux 7.3: a region of the dmem controller can be asked to shrink. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 3, 0)
struct dmem_cgroup_ops {
	int (*reclaim)(struct dmem_cgroup_pool_state *pool, u64 target_bytes,
		       void *priv);
};

struct dmem_cgroup_init {
	u64 size;
	const struct dmem_cgroup_ops *ops;
	void *reclaim_priv;
};

#define dmem_cgroup_register_region(init, ...) \
	dmem_cgroup_register_region((init)->size, __VA_ARGS__)

static inline int
ttm_resource_manager_dmem_reclaim(struct dmem_cgroup_pool_state *pool,
				  u64 target_bytes, void *priv)
{
	return -EOPNOTSUPP;
}
#endif

/*
 * Linux 7.3: the pages of a range of drm_gpusvm, which it has mapped for DMA, are a part
 * of the driver's range. The driver has them unmapped before it removes the range.
 */
#if IS_ENABLED(CONFIG_DRM_GPUSVM)
#include <drm/drm_gpusvm.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 3, 0)
struct drm_svm_compat_range {
	struct drm_gpusvm_range base;
};

#define drm_svm_compat_gpusvm_init(gpusvm, name, drm, ...) \
	drm_gpusvm_init(gpusvm, name, drm, __VA_ARGS__)
#define drm_svm_compat_range_flags(range)	((range)->base.pages.flags)
#define drm_svm_compat_range_pages(range)	(&(range)->base.pages)

/* drm_gpusvm_range_remove() does it. */
static inline void drm_svm_compat_range_unmap(struct drm_svm_compat_range *range)
{
}

static inline void drm_svm_compat_range_init(struct drm_svm_compat_range *range,
					     struct drm_device *drm)
{
}

static inline void drm_svm_compat_range_fini(struct drm_svm_compat_range *range)
{
}

static inline bool drm_gpusvm_pages_valid(struct drm_gpusvm *gpusvm,
					  struct drm_gpusvm_pages *pages)
{
	return drm_gpusvm_range_pages_valid(gpusvm,
					    container_of(pages, struct drm_gpusvm_range,
							 pages));
}

#define drm_gpusvm_range_set_unmapped(range, pages, n, mmu_range) \
	drm_gpusvm_range_set_unmapped(range, mmu_range)
#else
struct drm_svm_compat_range {
	struct drm_gpusvm_range base;
	struct drm_gpusvm_pages pages;
};

#define drm_svm_compat_gpusvm_init(gpusvm, name, drm, ...) \
	drm_gpusvm_init(gpusvm, name, __VA_ARGS__)
#define drm_svm_compat_range_flags(range)	((range)->base.flags)
#define drm_svm_compat_range_pages(range)	(&(range)->pages)

static inline void drm_svm_compat_range_init(struct drm_svm_compat_range *range,
					     struct drm_device *drm)
{
	drm_gpusvm_init_pages(&range->pages, drm);
}

static inline void drm_svm_compat_range_unmap(struct drm_svm_compat_range *range)
{
	struct drm_gpusvm_ctx ctx = {};

	drm_gpusvm_unmap_pages(range->base.gpusvm, &range->pages,
			       drm_gpusvm_range_size(&range->base) >> PAGE_SHIFT, &ctx);
}

static inline void drm_svm_compat_range_fini(struct drm_svm_compat_range *range)
{
	drm_gpusvm_free_pages(range->base.gpusvm, &range->pages,
			      drm_gpusvm_range_size(&range->base) >> PAGE_SHIFT);
}
#endif
#endif

#endif
