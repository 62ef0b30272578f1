/* SPDX-License-Identifier: MIT */
#ifndef _UAPI_DRM_SVM_H_
#define _UAPI_DRM_SVM_H_

#include "drm.h"

#if defined(__cplusplus)
extern "C" {
#endif

/**
 * DOC: Introduction
 *
 * Payloads of the shared virtual memory ioctls that any DRM driver built on
 * drm_svm can adopt. A driver gives each payload an ioctl number of its own;
 * the meaning of every field and of every error is fixed here.
 *
 * Rules, which hold for every structure of this file:
 *
 * - Fields have fixed sizes and are aligned to their size; the layout is the
 *   same for 32 and 64 bit programs.
 * - Fields named pad must be zero, unknown bits of flags must be zero;
 *   anything else is -EINVAL and changes nothing.
 * - Fields named out_ are written by the kernel and ignored on input.
 * - Addresses are virtual addresses of the calling process, in bytes.
 * - Structures grow at their end only. A field that an older program does
 *   not know reads as zero, and zero means the behaviour before the field.
 * - An ioctl that was interrupted by a signal can be restarted unchanged.
 *
 * A shared address space belongs to the process memory (the mm) that
 * attached. A child of fork(), a process that was handed the file descriptor,
 * and a process after execve() have another mm.
 */

/**
 * DOC: Errors
 *
 * ============ ==============================================================
 * errno        meaning
 * ============ ==============================================================
 * EINVAL       malformed call: unknown flag, non-zero padding, misaligned or
 *              overflowing range, range outside of the shared window
 * EPERM        the caller's mm is not the one that attached
 * EEXIST       this file is already attached
 * ENXIO        this file is not attached
 * ENOENT       no mapping (VMA) at the address
 * EACCES       the mapping does not allow this access
 * EFAULT       the address cannot be used: outside of the shared window, a
 *              guard region, a poisoned page, past the end of a file, a
 *              userfaultfd with UFFD_USER_MODE_ONLY; the process is gone, or
 *              the file is being closed; or a pointer argument cannot be read
 *              or written
 * EOPNOTSUPP   memory of a kind that cannot be mirrored: device memory
 *              (VM_IO, VM_PFNMAP, peer-to-peer pages), secret memory,
 *              guest_memfd, shadow stacks
 * EAGAIN       raced with a change of the mapping; try again
 * EBUSY        best-effort work gave up
 * EINTR        a signal came, fatal or not: call again
 * ENOSPC       no device memory; the device has none at all
 * ENOMEM       no system memory, a page that the device's DMA cannot reach, or
 *              the limit of ranges or of the process's threads is reached
 * ENODEV       the device is unplugged
 * ============ ==============================================================
 *
 * EAGAIN and EBUSY have their meaning, but nothing of this file returns them yet.
 */

/**
 * struct drm_svm_attach - share the caller's address space with the GPU
 *
 * From then on the GPU resolves accesses through this file to addresses from
 * @out_va_start to @out_va_end the way the calling process would. A file
 * attaches once, for its life.
 *
 * The GPU's access differs from the process's own in this:
 *
 * - a stack does not grow: an address below its mapping is ENOENT
 * - protection keys are not looked at
 * - a mapping without PROT_READ is EACCES, also for a write
 * - a userfaultfd with UFFD_USER_MODE_ONLY is not asked: EFAULT
 * - a shadow stack cannot even be read: EOPNOTSUPP
 * - where the process would get a signal, the job that made the access fails
 */
struct drm_svm_attach {
	/** @flags: must be zero. */
	__u32 flags;

	/** @pad: must be zero. */
	__u32 pad;

	/** @out_va_start: first shared address. */
	__u64 out_va_start;

	/** @out_va_end: first address past the shared window. */
	__u64 out_va_end;

	/** @out_page_size: bytes of a page, the unit of sharing. */
	__u32 out_page_size;

	/** @out_range_size: bytes of a range, the unit of policy. */
	__u32 out_range_size;
};

/** DRM_SVM_PAGE_READ - the GPU has a translation that allows reads. */
#define DRM_SVM_PAGE_READ		(1u << 0)
/** DRM_SVM_PAGE_WRITE - the GPU has a translation that allows writes. */
#define DRM_SVM_PAGE_WRITE		(1u << 1)
/** DRM_SVM_PAGE_ACCESSED - the GPU used the translation. */
#define DRM_SVM_PAGE_ACCESSED		(1u << 2)
/** DRM_SVM_PAGE_DIRTY - the GPU wrote through the translation. */
#define DRM_SVM_PAGE_DIRTY		(1u << 3)
/** DRM_SVM_PAGE_LOCATION_SHIFT - where the page is, enum drm_svm_location. */
#define DRM_SVM_PAGE_LOCATION_SHIFT	8
/** DRM_SVM_PAGE_LOCATION_MASK - bits of the location. */
#define DRM_SVM_PAGE_LOCATION_MASK	(0xffu << DRM_SVM_PAGE_LOCATION_SHIFT)
/** DRM_SVM_PAGE_LEAF_SHIFT - log2 of the bytes of the page-table leaf. */
#define DRM_SVM_PAGE_LEAF_SHIFT		16
/** DRM_SVM_PAGE_LEAF_MASK - bits of the leaf size. */
#define DRM_SVM_PAGE_LEAF_MASK		(0xffu << DRM_SVM_PAGE_LEAF_SHIFT)
/** DRM_SVM_PAGE_FOLIO_SHIFT - log2 of the bytes that the CPU maps as one. */
#define DRM_SVM_PAGE_FOLIO_SHIFT	24
/** DRM_SVM_PAGE_FOLIO_MASK - bits of the folio size. */
#define DRM_SVM_PAGE_FOLIO_MASK		(0xffu << DRM_SVM_PAGE_FOLIO_SHIFT)

/**
 * enum drm_svm_location - where a page lives
 */
enum drm_svm_location {
	/** @DRM_SVM_LOCATION_NONE: nowhere, or not known; see the use. */
	DRM_SVM_LOCATION_NONE = 0,
	/** @DRM_SVM_LOCATION_SYSTEM: system memory. */
	DRM_SVM_LOCATION_SYSTEM = 1,
	/** @DRM_SVM_LOCATION_VRAM: the memory of this GPU. */
	DRM_SVM_LOCATION_VRAM = 2,
	/** @DRM_SVM_LOCATION_PEER: the memory of another GPU. */
	DRM_SVM_LOCATION_PEER = 3,
};

/**
 * DRM_SVM_QUERY_RESIDENCE - where the pages are, whatever the GPU has of them
 *
 * Location and folio size are those of the CPU's page table then: a page that
 * is not present there, as it was never touched or is in swap, has none.
 */
#define DRM_SVM_QUERY_RESIDENCE		(1u << 0)

/**
 * struct drm_svm_query - what the GPU sees of some pages
 *
 * A snapshot: it faults nothing in and changes nothing. A page with no
 * translation reads as zero, mapped by the CPU or not, but for what
 * %DRM_SVM_QUERY_RESIDENCE adds. %DRM_SVM_PAGE_ACCESSED, %DRM_SVM_PAGE_DIRTY and the
 * leaf size come from the driver, which need not know: zero may mean that it does not.
 * The folio size comes with %DRM_SVM_QUERY_RESIDENCE only.
 */
struct drm_svm_query {
	/** @start: first address, a multiple of the page size. */
	__u64 start;

	/**
	 * @size: bytes, a multiple of the page size, not zero, at most
	 * %DRM_SVM_QUERY_MAX_PAGES pages.
	 */
	__u64 size;

	/**
	 * @pages: pointer to one __u32 a page, written by the kernel with
	 * %DRM_SVM_PAGE_READ and the other bits of that name.
	 */
	__u64 pages;

	/** @flags: %DRM_SVM_QUERY_RESIDENCE or zero. */
	__u32 flags;

	/** @pad: must be zero. */
	__u32 pad;
};

/** DRM_SVM_QUERY_MAX_PAGES - the most pages of one query. */
#define DRM_SVM_QUERY_MAX_PAGES		(1u << 20)

/** DRM_SVM_SYNC_TIMELINE - the syncobj is a timeline, at @point. */
#define DRM_SVM_SYNC_TIMELINE		(1u << 0)

/**
 * struct drm_svm_sync - a syncobj to wait for or to signal
 */
struct drm_svm_sync {
	/** @handle: syncobj handle of this file. */
	__u32 handle;

	/** @flags: %DRM_SVM_SYNC_TIMELINE or zero. */
	__u32 flags;

	/**
	 * @point: point of a timeline, not zero; zero for a binary syncobj. Else
	 * EINVAL.
	 */
	__u64 point;
};

/** DRM_SVM_PREFETCH_MAX_SYNCS - the most in-syncs, and out-syncs, of a prefetch. */
#define DRM_SVM_PREFETCH_MAX_SYNCS	64

/**
 * struct drm_svm_prefetch - move pages before they are used
 *
 * Moves what can be moved, and says of each page what became of it: the out_
 * counts add up to the pages of the interval. To be moved is no promise to stay, but
 * the call itself makes room at the cost of other memory only: what does not fit in
 * besides the rest of the interval stays where it is, and is counted as out_no_space.
 * Pages to which nobody has written yet are made in VRAM right away.
 *
 * The call first looks whether all of the interval is mapped, else it says ENOENT and
 * does nothing; then it waits for the in-syncs, works, signals the out-syncs, and
 * returns when all that is done. After an error no out-sync is signalled and the out_
 * counts say nothing. Some pages may have moved when a signal interrupted it, when the
 * device was unplugged (ENODEV), or memory was unmapped meanwhile (ENOENT); called
 * again it counts them as resident.
 *
 * A signal ends the call (EINTR) where @progress says how far it came, and the out_ counts
 * are those of the pages up to there. Called again with that structure, as drmIoctl() does
 * and the kernel does by itself for SA_RESTART, it goes on there and adds to the counts.
 * Called again from the start instead, it gets to the end as well, however often signals
 * come: it ends for one only after it has moved a page.
 *
 * Errors besides those of above: ENOENT also when a syncobj handle is unknown, or
 * an in-sync has no fence; ENOSPC when the device has no VRAM at all. The error
 * of an in-sync that failed is returned, and nothing is moved.
 */
struct drm_svm_prefetch {
	/** @start: first address, a multiple of the page size. */
	__u64 start;

	/** @size: bytes, a multiple of the page size, not zero. */
	__u64 size;

	/**
	 * @location: where to: %DRM_SVM_LOCATION_VRAM, of this file's device, or
	 * %DRM_SVM_LOCATION_SYSTEM.
	 */
	__u32 location;

	/** @flags: must be zero. */
	__u32 flags;

	/** @in_syncs: pointer to an array of struct drm_svm_sync. */
	__u64 in_syncs;

	/** @out_syncs: pointer to an array of struct drm_svm_sync. */
	__u64 out_syncs;

	/** @num_in_syncs: length of @in_syncs. */
	__u32 num_in_syncs;

	/** @num_out_syncs: length of @out_syncs. */
	__u32 num_out_syncs;

	/** @out_moved: pages that were moved, or made there. */
	__u64 out_moved;

	/**
	 * @out_resident: pages that were there already. To the system that
	 * includes all that are not in VRAM, present or not.
	 */
	__u64 out_resident;

	/**
	 * @out_busy: pages that could not be had: pinned, locked, in swap,
	 * being moved by others.
	 */
	__u64 out_busy;

	/**
	 * @out_unsupported: pages of a kind that stays in system memory: of
	 * files, shared, of hugetlbfs, of devices, mergeable by KSM; and
	 * mappings that the GPU may not access.
	 */
	__u64 out_unsupported;

	/** @out_no_space: pages for which there was no VRAM. */
	__u64 out_no_space;

	/** @out_failed: pages whose copy failed, or that found no system memory. */
	__u64 out_failed;

	/**
	 * @progress: zero for a new call. When a signal interrupted the call, bytes from
	 * @start on that it is done with; else the kernel writes zero. Given back, it has
	 * to fit the out_ counts, which are not ignored then.
	 */
	__u64 progress;
};

/**
 * struct drm_svm_counters - what happened in one shared address space so far
 *
 * Counts are of this file alone and never decrease; what was done once for
 * several files of the process, a batch or a walk, is counted for one of them.
 * Fields called out_cur_ are gauges, the state of the moment. Only the owner of
 * the address space may read them.
 */
struct drm_svm_counters {
	/** @flags: must be zero. */
	__u32 flags;

	/** @pad: must be zero. */
	__u32 pad;

	/** @out_faults: GPU faults taken from the device. */
	__u64 out_faults;

	/** @out_duplicates: faults already served by another fault. */
	__u64 out_duplicates;

	/** @out_batches: batches in which faults were served. */
	__u64 out_batches;

	/** @out_retries: tries that met a change of the CPU's mapping. */
	__u64 out_retries;

	/** @out_waits: faults handed to a thread, as their page may take long. */
	__u64 out_waits;

	/**
	 * @out_failed: faults answered with an error; not each of them fails a job, as
	 * a driver may fault ahead of accesses.
	 */
	__u64 out_failed;

	/** @out_walks: walks of the CPU page table. */
	__u64 out_walks;

	/** @out_pages_mapped: pages mapped for the GPU. */
	__u64 out_pages_mapped;

	/** @out_pages_unmapped: pages whose mapping was taken away. */
	__u64 out_pages_unmapped;

	/** @out_invalidations: invalidations that met a mapped page. */
	__u64 out_invalidations;

	/** @out_flushes: TLB flushes. */
	__u64 out_flushes;

	/** @out_cur_pages: gauge: pages mapped now. */
	__u64 out_cur_pages;

	/** @out_cur_ranges: gauge: ranges of the address space, of all files. */
	__u64 out_cur_ranges;

	/** @out_cur_dma_pages: gauge: pages whose DMA address is kept for undo. */
	__u64 out_cur_dma_pages;

	/** @out_vram_pages_in: pages that came to VRAM, for this file. */
	__u64 out_vram_pages_in;

	/** @out_vram_bytes_in: bytes copied for that; untouched pages are cleared. */
	__u64 out_vram_bytes_in;

	/** @out_vram_pages_out: pages that went home from VRAM, whoever wanted it. */
	__u64 out_vram_pages_out;

	/** @out_vram_bytes_out: bytes copied for that. */
	__u64 out_vram_bytes_out;

	/** @out_vram_cpu_faults: CPU faults on pages in VRAM. */
	__u64 out_vram_cpu_faults;

	/** @out_vram_evictions: times that buffers of VRAM had to go, to make room. */
	__u64 out_vram_evictions;

	/** @out_vram_evicted_pages: pages that went home for that. */
	__u64 out_vram_evicted_pages;

	/** @out_vram_busy: pages not moved to VRAM: pinned, locked, raced. */
	__u64 out_vram_busy;

	/** @out_vram_no_space: pages not moved to VRAM: no room was left. */
	__u64 out_vram_no_space;

	/** @out_vram_failed: pages not moved either way: no RAM, or a copy failed. */
	__u64 out_vram_failed;

	/** @out_cur_vram_pages: gauge: pages in VRAM that came for this file. */
	__u64 out_cur_vram_pages;

	/** @out_cur_vram_reserved: gauge: pages of VRAM allocated for them. */
	__u64 out_cur_vram_reserved;
};

#if defined(__cplusplus)
}
#endif

#endif
