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
 * The ioctls of /dev/drm_svm_floor, for benchmarks only: bare loops that do what
 * the kernel's own functions make anybody do who shares memory with a device, and
 * nothing else. What a library costs on top is the difference to them.
 *
 * All of them work on the memory of the caller, in windows of 2 MiB at most, which
 * end where a multiple of 2 MiB or a mapping ends. The device has memory of its own,
 * one half for single pages and one for huge pages; the CPU gets a page back when it
 * touches it.
 *
 * A figure is written only when all of the range was worked on. Errors:
 *
 * - EINVAL: an unknown flag, @pad is not zero, @size is zero, or @start or @size is
 *   no multiple of the page size; or memory that the kernel does not migrate
 * - EFAULT: the range, or a part of it, is not mapped, or the kernel cannot bring in
 *   a page of it
 * - EOPNOTSUPP: not anonymous memory, where pages are to move
 * - EPERM: not writable, where it is to be mirrored so
 * - EINTR: the caller is being killed
 * - ENOMEM: no memory
 * - ENOTTY: no such ioctl
 */

/** DRM_SVM_FLOOR_WRITE - flag: make the pages writable. */
#define DRM_SVM_FLOOR_WRITE		(1 << 0)

/**
 * struct drm_svm_floor_mirror - walk the CPU's page table, write one of a device
 *
 * Missing pages are brought in. To have them walked only, touch them first.
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

	/** @out_ns: nanoseconds, without those to register the notifier. */
	__u64 out_ns;
};

/**
 * struct drm_svm_floor_migrate - move pages to the device, or back
 *
 * Pages that are there already stay, and so do those for which there is no memory
 * on the other side. What the CPU did not touch yet is cleared on the device.
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

	/** @out_ns: nanoseconds, those to copy and to clear included. */
	__u64 out_ns;

	/** @out_pages: pages that moved; 512 for a huge one. */
	__u64 out_pages;

	/** @out_copied: bytes that were copied or cleared. */
	__u64 out_copied;
};

/** DRM_SVM_FLOOR_IOCTL_BASE - type of the ioctls. */
#define DRM_SVM_FLOOR_IOCTL_BASE	0xf5

/** DRM_IOCTL_SVM_FLOOR_MIRROR - walk the CPU's page table. */
#define DRM_IOCTL_SVM_FLOOR_MIRROR \
	_IOWR(DRM_SVM_FLOOR_IOCTL_BASE, 0x00, struct drm_svm_floor_mirror)
/** DRM_IOCTL_SVM_FLOOR_MIGRATE_TO_DEVICE - move pages to the device. */
#define DRM_IOCTL_SVM_FLOOR_MIGRATE_TO_DEVICE \
	_IOWR(DRM_SVM_FLOOR_IOCTL_BASE, 0x01, struct drm_svm_floor_migrate)
/** DRM_IOCTL_SVM_FLOOR_MIGRATE_TO_SYSTEM - move pages back. */
#define DRM_IOCTL_SVM_FLOOR_MIGRATE_TO_SYSTEM \
	_IOWR(DRM_SVM_FLOOR_IOCTL_BASE, 0x02, struct drm_svm_floor_migrate)

#if defined(__cplusplus)
}
#endif

#endif
