/* SPDX-License-Identifier: MIT */
#ifndef _UAPI_DRM_SVM_FLOOR_H_
#define _UAPI_DRM_SVM_FLOOR_H_

#include <linux/ioctl.h>
#include <linux/types.h>

#if defined(__cplusplus)
extern "C" {
#endif

/**
 * DOC: Introduction
 *
 * The ioctls of /dev/drm_svm_floor, for benchmarks only. They are bare loops
 * around the core kernel functions that every driver has to call to share memory
 * with a device, and they do nothing else. The cost of a library is what it takes
 * in addition to these loops.
 *
 * Every ioctl works on the memory of the caller, in windows of at most 2 MiB. A
 * window ends at a multiple of 2 MiB or at the end of a mapping. The device has
 * memory of its own: one half for single pages and one half for huge pages. When
 * the CPU touches a page in device memory, the page migrates back.
 *
 * The out_ fields are written only if the whole interval was processed. Errors:
 *
 * - EINVAL: an unknown flag, @pad is not zero, @size is zero, or @start or @size
 *   is not a multiple of the page size; or memory that the kernel does not migrate
 * - EFAULT: the interval or a part of it is not mapped, or the kernel cannot
 *   provide a page of it
 * - EOPNOTSUPP: pages are to migrate, but the memory is not anonymous
 * - EPERM: pages are to be writable, but the mapping is not
 * - EINTR: the caller is being killed
 * - ENOMEM: no memory
 * - ENOTTY: no such ioctl
 */

/** DRM_SVM_FLOOR_WRITE - flag: make the pages writable. */
#define DRM_SVM_FLOOR_WRITE		(1 << 0)

/**
 * struct drm_svm_floor_mirror - walk the CPU page table, write a device page table
 *
 * The call faults missing pages in. To measure the walk alone, touch the pages
 * first.
 */
struct drm_svm_floor_mirror {
	/** @start: first address. */
	__u64 start;

	/** @size: bytes. */
	__u64 size;

	/** @flags: %DRM_SVM_FLOOR_WRITE or zero. */
	__u32 flags;

	/** @pad: must be zero. */
	__u32 pad;

	/** @out_ns: nanoseconds, without the registration of the notifier. */
	__u64 out_ns;
};

/**
 * struct drm_svm_floor_migrate - migrate pages to the device, or back
 *
 * Pages that are at the destination already stay. Pages for which the destination
 * has no memory stay where they are. A page that the CPU has not touched yet is
 * cleared on the device.
 */
struct drm_svm_floor_migrate {
	/** @start: first address. */
	__u64 start;

	/** @size: bytes. */
	__u64 size;

	/** @flags: must be zero. */
	__u32 flags;

	/** @pad: must be zero. */
	__u32 pad;

	/** @out_ns: nanoseconds, including the copying and clearing. */
	__u64 out_ns;

	/** @out_pages: pages that migrated; a huge page counts as 512. */
	__u64 out_pages;

	/** @out_copied: bytes that were copied or cleared. */
	__u64 out_copied;
};

/** DRM_SVM_FLOOR_IOCTL_BASE - the type (magic number) of the ioctls. */
#define DRM_SVM_FLOOR_IOCTL_BASE	0xf5

/** DRM_IOCTL_SVM_FLOOR_MIRROR - walk the CPU page table. */
#define DRM_IOCTL_SVM_FLOOR_MIRROR \
	_IOWR(DRM_SVM_FLOOR_IOCTL_BASE, 0x00, struct drm_svm_floor_mirror)
/** DRM_IOCTL_SVM_FLOOR_MIGRATE_TO_DEVICE - migrate pages to the device. */
#define DRM_IOCTL_SVM_FLOOR_MIGRATE_TO_DEVICE \
	_IOWR(DRM_SVM_FLOOR_IOCTL_BASE, 0x01, struct drm_svm_floor_migrate)
/** DRM_IOCTL_SVM_FLOOR_MIGRATE_TO_SYSTEM - migrate pages back. */
#define DRM_IOCTL_SVM_FLOOR_MIGRATE_TO_SYSTEM \
	_IOWR(DRM_SVM_FLOOR_IOCTL_BASE, 0x02, struct drm_svm_floor_migrate)

#if defined(__cplusplus)
}
#endif

#endif
