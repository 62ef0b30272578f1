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
 * drm_svm can adopt. The driver assigns an ioctl number of its own to each
 * payload. The meaning of every field and of every error is fixed here.
 *
 * These rules hold for every structure of this file:
 *
 * - Fields have fixed sizes and are aligned to their size; the layout is the
 *   same for 32-bit and 64-bit programs.
 * - Fields named pad must be zero, and unknown bits of flags must be zero.
 *   Anything else is -EINVAL and changes nothing.
 * - Fields named out_ are written by the kernel and ignored on input.
 * - Addresses are virtual addresses of the calling process, in bytes.
 * - Structures grow only at their end. A field that an older program does not
 *   know reads as zero, and zero means the behaviour before the field existed.
 * - An ioctl that was interrupted by a signal can be restarted unchanged.
 *
 * A shared address space belongs to the memory descriptor (the mm) of the
 * process that attached. A child of fork(), a process that received the file
 * descriptor from another process, and a process after execve() have another mm.
 */

/**
 * DOC: Errors
 *
 * Each errno has one meaning, for every ioctl and for every job of a driver that
 * adopts this interface. What a structure says of an errno is an instance of it.
 *
 * ============ ==============================================================
 * errno        meaning
 * ============ ==============================================================
 * EINVAL       malformed: unknown flag, non-zero padding, a value out of its
 *              bounds, misaligned or overflowing interval, interval outside the
 *              addresses that it is for, arguments that exclude each other
 * EBADF        a number that names nothing: a handle, a queue, a job, an address
 *              space, a file descriptor
 * EPERM        the caller's mm is not the one that attached
 * EEXIST       it is there already: the file is attached or has an address
 *              space, or something is bound at the address
 * ENXIO        the file, or the address space that was named, is not attached
 * ENOENT       nothing at the address: no mapping (VMA), or no binding
 * EACCES       the mapping does not allow this access
 * EFAULT       the address cannot be used: it is outside the shared addresses,
 *              in a guard region, in a poisoned page (a page whose data is
 *              lost), past the end of a file, or under a userfaultfd with
 *              UFFD_USER_MODE_ONLY; or its process is gone. Also a pointer
 *              argument that cannot be read or written
 * EOPNOTSUPP   not supported: memory of a kind that cannot be shared, which is
 *              device memory (VM_IO, VM_PFNMAP, peer-to-peer pages), secret
 *              memory, guest_memfd, shadow stacks; or a call that this device
 *              does not have
 * EAGAIN       raced with a change of the mapping, or nothing to read yet; try
 *              again
 * EBUSY        in use: others hold what is needed, or it takes a wait to get it,
 *              or as many jobs or queues as a file may have are there; try again
 *              later
 * EINTR        a signal arrived, fatal or not: call again
 * ENOSPC       no device memory, or the device has none at all
 * ENOMEM       no system memory; or the device's DMA cannot reach a page; or
 *              the limit of ranges or of the process's threads is reached
 * EIO          the device failed to copy or to clear memory
 * ENODEV       the device is unplugged
 * EMFILE       too many open files: the limit of the process is reached, or
 *              %DRM_SVM_EVENTS_MAX_FILES files of events of the address space
 * ENFILE       too many open files in the system
 * ECANCELED    a job was cancelled: by a call, with its queue or its file, or
 *              because something that it waits for failed
 * ETIME        the time is over: that of a wait, or that of a job
 * ============ ==============================================================
 *
 * The ioctls of this file return neither EBADF, EBUSY, EIO, ECANCELED nor ETIME;
 * drivers return these from other ioctls, or for jobs, and records of events can
 * carry them. Only read() of a file of events returns EAGAIN.
 */

/**
 * struct drm_svm_attach - share the caller's address space with the GPU
 *
 * After this call, the GPU resolves accesses through this file to addresses
 * from @out_va_start up to @out_va_end as the calling process would. A file can
 * attach once in its lifetime.
 *
 * The GPU's access differs from an access of the process in these points:
 *
 * - a stack does not grow: an address below its mapping is ENOENT
 * - protection keys are ignored
 * - a mapping without PROT_READ is EACCES, also for a write
 * - the handler of a userfaultfd with UFFD_USER_MODE_ONLY is not asked: EFAULT
 * - a shadow stack cannot be read either: EOPNOTSUPP
 * - where the process would get a signal, the job that made the access fails
 */
struct drm_svm_attach {
	/** @flags: must be zero. */
	__u32 flags;

	/** @pad: must be zero. */
	__u32 pad;

	/** @out_va_start: first shared address. */
	__u64 out_va_start;

	/** @out_va_end: first address past the shared addresses. */
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
/** DRM_SVM_PAGE_LEAF_SHIFT - log2 of the bytes of the GPU page-table leaf. */
#define DRM_SVM_PAGE_LEAF_SHIFT		16
/** DRM_SVM_PAGE_LEAF_MASK - bits of the leaf size. */
#define DRM_SVM_PAGE_LEAF_MASK		(0xffu << DRM_SVM_PAGE_LEAF_SHIFT)
/** DRM_SVM_PAGE_FOLIO_SHIFT - log2 of the bytes that the CPU maps as one. */
#define DRM_SVM_PAGE_FOLIO_SHIFT	24
/** DRM_SVM_PAGE_FOLIO_MASK - bits of the folio size. */
#define DRM_SVM_PAGE_FOLIO_MASK		(0xffu << DRM_SVM_PAGE_FOLIO_SHIFT)

/** DRM_SVM_PAGE_KIND_SHIFT - what there is, enum drm_svm_page_kind. */
#define DRM_SVM_PAGE_KIND_SHIFT		32
/** DRM_SVM_PAGE_KIND_MASK - bits of the kind. */
#define DRM_SVM_PAGE_KIND_MASK		(0xffull << DRM_SVM_PAGE_KIND_SHIFT)
/** DRM_SVM_PAGE_MAY_WRITE - the mapping allows the GPU to write. */
#define DRM_SVM_PAGE_MAY_WRITE		(1ull << 40)
/**
 * DRM_SVM_PAGE_DEVICE_SHIFT - which GPU has the page in its VRAM
 *
 * The number is the minor number of the GPU's render node, or of its primary
 * node if it has no render node: that of st_rdev after fstat() of an open file.
 * It has a meaning for %DRM_SVM_LOCATION_VRAM and %DRM_SVM_LOCATION_PEER only.
 */
#define DRM_SVM_PAGE_DEVICE_SHIFT	44
/** DRM_SVM_PAGE_DEVICE_MASK - bits of the number. */
#define DRM_SVM_PAGE_DEVICE_MASK	(0xfffffull << DRM_SVM_PAGE_DEVICE_SHIFT)

/**
 * enum drm_svm_page_kind - what there is at the address of a page
 *
 * Each kind also says how an access of the GPU would be answered at this moment.
 */
enum drm_svm_page_kind {
	/** @DRM_SVM_PAGE_KIND_UNKNOWN: not asked for. */
	DRM_SVM_PAGE_KIND_UNKNOWN = 0,
	/**
	 * @DRM_SVM_PAGE_KIND_PRESENT: a page. Its location is
	 * %DRM_SVM_LOCATION_NONE if the CPU may not access it for the moment, or
	 * if the memory of another driver's device has it.
	 */
	DRM_SVM_PAGE_KIND_PRESENT = 1,
	/**
	 * @DRM_SVM_PAGE_KIND_EMPTY: nothing yet, in a mapping that the GPU may
	 * access: never touched, or given up. If the mapping is of a file or of
	 * shared memory, the data can be in its page cache or in swap.
	 */
	DRM_SVM_PAGE_KIND_EMPTY = 2,
	/** @DRM_SVM_PAGE_KIND_SWAP: a page of private memory, in swap. */
	DRM_SVM_PAGE_KIND_SWAP = 3,
	/** @DRM_SVM_PAGE_KIND_MOVING: a page that is being migrated. */
	DRM_SVM_PAGE_KIND_MOVING = 4,
	/** @DRM_SVM_PAGE_KIND_UNMAPPED: no mapping (VMA): ENOENT. */
	DRM_SVM_PAGE_KIND_UNMAPPED = 5,
	/** @DRM_SVM_PAGE_KIND_NO_ACCESS: the mapping allows no access: EACCES. */
	DRM_SVM_PAGE_KIND_NO_ACCESS = 6,
	/** @DRM_SVM_PAGE_KIND_UNSUPPORTED: memory that is not shared: EOPNOTSUPP. */
	DRM_SVM_PAGE_KIND_UNSUPPORTED = 7,
	/**
	 * @DRM_SVM_PAGE_KIND_BAD: a guard region, or a page whose data is lost:
	 * EFAULT.
	 */
	DRM_SVM_PAGE_KIND_BAD = 8,
};

/**
 * enum drm_svm_location - where the data of a page is
 */
enum drm_svm_location {
	/** @DRM_SVM_LOCATION_NONE: nowhere, or unknown; see where it is used. */
	DRM_SVM_LOCATION_NONE = 0,
	/** @DRM_SVM_LOCATION_SYSTEM: system memory. */
	DRM_SVM_LOCATION_SYSTEM = 1,
	/** @DRM_SVM_LOCATION_VRAM: the VRAM of this GPU. */
	DRM_SVM_LOCATION_VRAM = 2,
	/** @DRM_SVM_LOCATION_PEER: the VRAM of another GPU. */
	DRM_SVM_LOCATION_PEER = 3,
};

/**
 * DRM_SVM_QUERY_RESIDENCE - report where all pages are, not only the GPU's
 *
 * With this flag, location and folio size come from the CPU page table. A page
 * that is not present there (never touched, or swapped out) is
 * %DRM_SVM_LOCATION_NONE.
 */
#define DRM_SVM_QUERY_RESIDENCE		(1u << 0)

/**
 * DRM_SVM_QUERY_DETAILS - report what there is at each address, and what is allowed
 *
 * With this flag a page has a word of 64 bits. Its lower half is that of
 * %DRM_SVM_QUERY_RESIDENCE, which need not be set as well. Its upper half has
 * the kind of the page, enum drm_svm_page_kind, %DRM_SVM_PAGE_MAY_WRITE, and the
 * GPU whose VRAM the page is in.
 */
#define DRM_SVM_QUERY_DETAILS		(1u << 1)

/**
 * DRM_SVM_QUERY_RUNS - report runs of pages, and not each page
 *
 * With this flag, @pages of struct drm_svm_query points to an array of struct
 * drm_svm_query_run, and the interval may be as large as the shared addresses.
 * The runs are in the order of addresses, without gaps, and two that follow each
 * other in one call differ. The call ends at the end of the interval; where the
 * array is full; or when it has looked at about %DRM_SVM_QUERY_MAX_PAGES pages,
 * for which large areas without pages count little. @out_next says where that
 * was: to get the rest, call again from there. Each call gets ahead by at least
 * one page.
 */
#define DRM_SVM_QUERY_RUNS		(1u << 2)

/**
 * struct drm_svm_query_run - contiguous pages of which the same is reported
 */
struct drm_svm_query_run {
	/** @start: first address. */
	__u64 start;

	/** @size: bytes. */
	__u64 size;

	/**
	 * @state: the word of each of its pages. Without %DRM_SVM_QUERY_DETAILS
	 * the upper half is zero.
	 */
	__u64 state;
};

/**
 * struct drm_svm_query - which pages the GPU has mapped, and how
 *
 * The result is a snapshot. The call faults nothing in and changes nothing. A
 * page for which the GPU has no translation reads as zero even if the CPU has it
 * mapped, except for what %DRM_SVM_QUERY_RESIDENCE and %DRM_SVM_QUERY_DETAILS
 * add. %DRM_SVM_PAGE_ACCESSED, %DRM_SVM_PAGE_DIRTY and the leaf size come from
 * the driver. A driver need not support them, so zero can mean unknown. The
 * folio size is reported only with one of these two flags. After EFAULT the
 * array may have been written in part.
 */
struct drm_svm_query {
	/** @start: first address, a multiple of the page size. */
	__u64 start;

	/**
	 * @size: bytes, a multiple of the page size, not zero. Without
	 * %DRM_SVM_QUERY_RUNS at most %DRM_SVM_QUERY_MAX_PAGES pages.
	 */
	__u64 size;

	/**
	 * @pages: pointer to one __u32 per page, or with %DRM_SVM_QUERY_DETAILS
	 * to one __u64 per page; or with %DRM_SVM_QUERY_RUNS to an array of
	 * struct drm_svm_query_run. The kernel writes %DRM_SVM_PAGE_READ and the
	 * other DRM_SVM_PAGE_ bits there.
	 */
	__u64 pages;

	/**
	 * @flags: %DRM_SVM_QUERY_RESIDENCE, %DRM_SVM_QUERY_DETAILS,
	 * %DRM_SVM_QUERY_RUNS.
	 */
	__u32 flags;

	/** @pad: must be zero. */
	__u32 pad;

	/**
	 * @count: entries of the array with %DRM_SVM_QUERY_RUNS, not zero;
	 * otherwise zero.
	 */
	__u32 count;

	/** @out_count: entries that were written; only with %DRM_SVM_QUERY_RUNS. */
	__u32 out_count;

	/**
	 * @out_next: first address that the runs do not cover; only with
	 * %DRM_SVM_QUERY_RUNS.
	 */
	__u64 out_next;
};

/** DRM_SVM_QUERY_MAX_PAGES - the maximum number of pages that one query looks at. */
#define DRM_SVM_QUERY_MAX_PAGES		(1u << 20)

/**
 * DRM_SVM_PREFETCH_COUNT_DENIED - count pages that the GPU may not access apart
 *
 * They are counted in out_denied, and not in out_unsupported.
 */
#define DRM_SVM_PREFETCH_COUNT_DENIED	(1u << 0)

/**
 * struct drm_svm_prefetch - migrate pages before they are used
 *
 * Migrates the pages that can be migrated, and counts the result for each page:
 * the out_ counts add up to the number of pages of the interval. A page that was
 * migrated may be evicted later. But the call itself evicts only pages outside
 * the interval. A page of the interval that does not fit into VRAM beside the
 * rest of the interval stays where it is, and is counted in out_no_space. A page
 * that has never been written to is created in VRAM directly.
 *
 * The call first checks that the whole interval is mapped; if it is not, the
 * call returns ENOENT and does nothing. If it returns an error, the out_ counts
 * are undefined, unless a signal interrupted the call. Pages can have been
 * migrated before a signal interrupted the call, before the device was unplugged
 * (ENODEV), or before memory was unmapped concurrently (ENOENT). If the call is
 * repeated, it counts these pages as resident.
 *
 * A signal ends the call with EINTR. @progress then says how much of the interval
 * was processed, and the out_ counts cover that part. If the call is repeated
 * with the same structure, it continues from there and adds to the counts.
 * drmIoctl() repeats the call in this way, and so does the kernel for SA_RESTART.
 * If the call is repeated from the start instead, it also reaches the end,
 * however often signals arrive, because a signal ends the call only after it has
 * moved a page.
 *
 * ENOSPC means that the device has no VRAM at all.
 */
struct drm_svm_prefetch {
	/** @start: first address, a multiple of the page size. */
	__u64 start;

	/** @size: bytes, a multiple of the page size, not zero. */
	__u64 size;

	/**
	 * @location: the destination: %DRM_SVM_LOCATION_VRAM for the VRAM of
	 * this file's device, or %DRM_SVM_LOCATION_SYSTEM.
	 */
	__u32 location;

	/** @flags: %DRM_SVM_PREFETCH_COUNT_DENIED or zero. */
	__u32 flags;

	/** @out_moved: pages that were moved to, or created at, the destination. */
	__u64 out_moved;

	/**
	 * @out_resident: pages that were at the destination already. For
	 * %DRM_SVM_LOCATION_SYSTEM these are all pages that are not in VRAM,
	 * present or not.
	 */
	__u64 out_resident;

	/**
	 * @out_busy: pages that could not be taken: pinned, locked by another
	 * task, in swap, or being migrated by another task. Also pages that
	 * stayed in VRAM because no system memory could be allocated for them.
	 */
	__u64 out_busy;

	/**
	 * @out_unsupported: pages of a kind that stays in system memory: pages
	 * of files, shared memory, hugetlbfs or devices, and pages that KSM may
	 * merge. Without %DRM_SVM_PREFETCH_COUNT_DENIED also pages of mappings
	 * that the GPU may not access.
	 */
	__u64 out_unsupported;

	/** @out_no_space: pages for which there was no room in VRAM. */
	__u64 out_no_space;

	/**
	 * @out_failed: pages whose copy failed, whose VRAM broke, or for which
	 * the kernel could not allocate its own memory.
	 */
	__u64 out_failed;

	/**
	 * @progress: zero for a new call. If a signal interrupted the call, the
	 * kernel writes the number of bytes from @start that are done; otherwise
	 * it writes zero. A call that continues with this value must pass the
	 * out_ counts unchanged, since the kernel reads them in this case.
	 */
	__u64 progress;

	/**
	 * @out_denied: with %DRM_SVM_PREFETCH_COUNT_DENIED pages of mappings
	 * that the GPU may not access (EACCES), which stay; otherwise zero.
	 */
	__u64 out_denied;
};

/**
 * enum drm_svm_counter - what the counters of one shared address space count
 *
 * Counts are those of one file only, and never decrease. Work that serves several
 * files of the process at once, a batch or a walk, is counted for one of them.
 * Counters named CUR are gauges: they hold the current state.
 *
 * Counters are for tools and for tests; the logic of a program must not depend on
 * them. New ones are added at the end. One that is retired keeps its number, and
 * reads zero.
 */
enum drm_svm_counter {
	/** @DRM_SVM_COUNTER_FAULTS: GPU faults taken from the device. */
	DRM_SVM_COUNTER_FAULTS,

	/**
	 * @DRM_SVM_COUNTER_DUPLICATES: faults that another fault had served
	 * already.
	 */
	DRM_SVM_COUNTER_DUPLICATES,

	/** @DRM_SVM_COUNTER_BATCHES: batches in which faults were served. */
	DRM_SVM_COUNTER_BATCHES,

	/**
	 * @DRM_SVM_COUNTER_RETRIES: tries that raced with a change of the CPU's
	 * mapping.
	 */
	DRM_SVM_COUNTER_RETRIES,

	/**
	 * @DRM_SVM_COUNTER_WAITS: faults handed to a thread because their page
	 * may block.
	 */
	DRM_SVM_COUNTER_WAITS,

	/**
	 * @DRM_SVM_COUNTER_FAILED: faults answered with an error. Not each of
	 * them fails a job, because a driver can fault ahead of accesses.
	 */
	DRM_SVM_COUNTER_FAILED,

	/** @DRM_SVM_COUNTER_WALKS: walks of the CPU page table. */
	DRM_SVM_COUNTER_WALKS,

	/** @DRM_SVM_COUNTER_PAGES_MAPPED: pages mapped for the GPU. */
	DRM_SVM_COUNTER_PAGES_MAPPED,

	/** @DRM_SVM_COUNTER_PAGES_UNMAPPED: pages unmapped from the GPU. */
	DRM_SVM_COUNTER_PAGES_UNMAPPED,

	/**
	 * @DRM_SVM_COUNTER_INVALIDATIONS: invalidations that unmapped at least
	 * one page.
	 */
	DRM_SVM_COUNTER_INVALIDATIONS,

	/** @DRM_SVM_COUNTER_FLUSHES: TLB flushes. */
	DRM_SVM_COUNTER_FLUSHES,

	/** @DRM_SVM_COUNTER_CUR_PAGES: pages mapped now. */
	DRM_SVM_COUNTER_CUR_PAGES,

	/** @DRM_SVM_COUNTER_CUR_RANGES: ranges of the address space, of all files. */
	DRM_SVM_COUNTER_CUR_RANGES,

	/**
	 * @DRM_SVM_COUNTER_CUR_DMA_PAGES: pages whose DMA address is kept for
	 * unmapping.
	 */
	DRM_SVM_COUNTER_CUR_DMA_PAGES,

	/**
	 * @DRM_SVM_COUNTER_VRAM_PAGES_IN: pages migrated to, or created in,
	 * VRAM for this file.
	 */
	DRM_SVM_COUNTER_VRAM_PAGES_IN,

	/**
	 * @DRM_SVM_COUNTER_VRAM_BYTES_IN: bytes copied for that; untouched
	 * pages are cleared instead.
	 */
	DRM_SVM_COUNTER_VRAM_BYTES_IN,

	/**
	 * @DRM_SVM_COUNTER_VRAM_PAGES_OUT: pages migrated from VRAM to system
	 * memory, for any reason.
	 */
	DRM_SVM_COUNTER_VRAM_PAGES_OUT,

	/** @DRM_SVM_COUNTER_VRAM_BYTES_OUT: bytes copied for that. */
	DRM_SVM_COUNTER_VRAM_BYTES_OUT,

	/** @DRM_SVM_COUNTER_VRAM_CPU_FAULTS: CPU faults on pages in VRAM. */
	DRM_SVM_COUNTER_VRAM_CPU_FAULTS,

	/**
	 * @DRM_SVM_COUNTER_VRAM_EVICTIONS: attempts to evict a VRAM buffer with
	 * pages: to make room, for suspend or unplug, or because a page broke.
	 */
	DRM_SVM_COUNTER_VRAM_EVICTIONS,

	/**
	 * @DRM_SVM_COUNTER_VRAM_EVICTED_PAGES: pages that these attempts moved
	 * to system memory.
	 */
	DRM_SVM_COUNTER_VRAM_EVICTED_PAGES,

	/**
	 * @DRM_SVM_COUNTER_VRAM_BUSY: pages not moved to VRAM: pinned, locked,
	 * or lost to a race.
	 */
	DRM_SVM_COUNTER_VRAM_BUSY,

	/**
	 * @DRM_SVM_COUNTER_VRAM_NO_SPACE: pages not moved to VRAM because it
	 * had no room.
	 */
	DRM_SVM_COUNTER_VRAM_NO_SPACE,

	/**
	 * @DRM_SVM_COUNTER_VRAM_FAILED: pages not moved to VRAM because an
	 * allocation or the copy failed, and pages in VRAM that were poisoned.
	 */
	DRM_SVM_COUNTER_VRAM_FAILED,

	/**
	 * @DRM_SVM_COUNTER_CUR_VRAM_PAGES: pages in VRAM that were brought in
	 * for this file.
	 */
	DRM_SVM_COUNTER_CUR_VRAM_PAGES,

	/** @DRM_SVM_COUNTER_CUR_VRAM_RESERVED: pages of VRAM allocated for them. */
	DRM_SVM_COUNTER_CUR_VRAM_RESERVED,

	/** @DRM_SVM_COUNTER_NUM: number of counters that this header knows. */
	DRM_SVM_COUNTER_NUM
};

/** DRM_SVM_COUNTERS_MAX - most entries of one call. */
#define DRM_SVM_COUNTERS_MAX	1024

/**
 * struct drm_svm_counters - read what happened in one shared address space so far
 *
 * Only the owner of the address space may read the counters. After EFAULT the
 * array may have been written in part.
 */
struct drm_svm_counters {
	/** @flags: must be zero. */
	__u32 flags;

	/** @count: entries of @values, at most DRM_SVM_COUNTERS_MAX. */
	__u32 count;

	/**
	 * @values: pointer to an array of __u64: entry n receives counter n of enum
	 * drm_svm_counter. An entry that the kernel has no counter for becomes zero.
	 */
	__u64 values;

	/** @out_count: number of counters that the kernel has. */
	__u32 out_count;

	/** @pad: must be zero. */
	__u32 pad;
};

/**
 * enum drm_svm_event_type - what a record of events tells
 *
 * Each page that migrates is in exactly one record of type MIGRATE or EVICT. So
 * the pages of these records add up to the differences of the counters
 * %DRM_SVM_COUNTER_VRAM_PAGES_IN and %DRM_SVM_COUNTER_VRAM_PAGES_OUT. A program
 * passes over types that it does not know.
 */
enum drm_svm_event_type {
	/**
	 * @DRM_SVM_EVENT_FAULT: a GPU fault was answered, with @err of the
	 * record.
	 */
	DRM_SVM_EVENT_FAULT = 1,

	/**
	 * @DRM_SVM_EVENT_MIGRATE: pages were to move to VRAM or to system memory
	 * because the GPU, the CPU or the program wanted them there. @pages of
	 * the record moved.
	 */
	DRM_SVM_EVENT_MIGRATE = 2,

	/**
	 * @DRM_SVM_EVENT_EVICT: the pages of a block of VRAM were to leave it
	 * because their VRAM was wanted, was to be switched off, or broke.
	 */
	DRM_SVM_EVENT_EVICT = 3,

	/**
	 * @DRM_SVM_EVENT_PREFETCH: a prefetch ended, or the part of it that was
	 * done before a signal interrupted it. The records of type MIGRATE
	 * before it have the same pages.
	 */
	DRM_SVM_EVENT_PREFETCH = 4,

	/**
	 * @DRM_SVM_EVENT_LOST: records were lost, and no other record has
	 * followed yet that could tell. Only @time and @lost are set.
	 */
	DRM_SVM_EVENT_LOST = 5,
};

/**
 * enum drm_svm_cause - why something happened
 */
enum drm_svm_cause {
	/** @DRM_SVM_CAUSE_NONE: no cause; of %DRM_SVM_EVENT_LOST. */
	DRM_SVM_CAUSE_NONE = 0,

	/** @DRM_SVM_CAUSE_GPU_FAULT: the GPU accessed memory. */
	DRM_SVM_CAUSE_GPU_FAULT = 1,

	/**
	 * @DRM_SVM_CAUSE_GPU_AHEAD: the driver expects that the GPU will access
	 * memory. Such a fault never blocks; its error is %EBUSY if it would
	 * have to.
	 */
	DRM_SVM_CAUSE_GPU_AHEAD = 2,

	/**
	 * @DRM_SVM_CAUSE_CPU_FAULT: the CPU, the kernel on behalf of a program,
	 * or another GPU that cannot access this VRAM wanted a page in VRAM.
	 */
	DRM_SVM_CAUSE_CPU_FAULT = 3,

	/** @DRM_SVM_CAUSE_PREFETCH: struct drm_svm_prefetch. */
	DRM_SVM_CAUSE_PREFETCH = 4,

	/** @DRM_SVM_CAUSE_ROOM: other data needed the VRAM. */
	DRM_SVM_CAUSE_ROOM = 5,

	/** @DRM_SVM_CAUSE_SUSPEND: the device is being suspended. */
	DRM_SVM_CAUSE_SUSPEND = 6,

	/** @DRM_SVM_CAUSE_DRIVER: the driver emptied the VRAM for another reason. */
	DRM_SVM_CAUSE_DRIVER = 7,

	/**
	 * @DRM_SVM_CAUSE_BAD_PAGE: a page of the VRAM broke. Its data is lost;
	 * @pages of the record are the pages around it, which moved.
	 */
	DRM_SVM_CAUSE_BAD_PAGE = 8,
};

/**
 * struct drm_svm_event - one record of a file of events
 */
struct drm_svm_event {
	/** @time: when it was over, in nanoseconds of CLOCK_MONOTONIC. */
	__u64 time;

	/** @duration: nanoseconds that it took, or zero if that is not known. */
	__u64 duration;

	/**
	 * @start: first address, a multiple of the page size. Pages that leave
	 * VRAM are reported at the address where they were when they came there,
	 * even if mremap() has moved them since.
	 */
	__u64 start;

	/** @size: bytes from @start on that were concerned. */
	__u64 size;

	/**
	 * @vram: bytes of VRAM that pages of this address space were using then,
	 * as %DRM_SVM_COUNTER_CUR_VRAM_PAGES counts them. Zero in records of
	 * type FAULT.
	 */
	__u64 vram;

	/** @type: enum drm_svm_event_type. */
	__u32 type;

	/** @cause: enum drm_svm_cause. */
	__u32 cause;

	/** @pages: number of pages of the interval that moved. */
	__u32 pages;

	/**
	 * @lost: number of records that were lost since the record before this
	 * one, because the file was full.
	 */
	__u32 lost;

	/**
	 * @from: enum drm_svm_location: where the pages were;
	 * %DRM_SVM_LOCATION_NONE for pages that had no memory yet.
	 */
	__u16 from;

	/** @to: enum drm_svm_location: where they were to move. */
	__u16 to;

	/**
	 * @err: zero, or a negative errno: why a fault failed, or why pages of
	 * the interval did not move: %EBUSY, %ENOSPC, %ENOMEM, %EINTR, or the
	 * error of a copy.
	 */
	__s32 err;
};

/** DRM_SVM_EVENTS_MAX - most records that one file of events can hold. */
#define DRM_SVM_EVENTS_MAX		(1u << 16)
/** DRM_SVM_EVENTS_MAX_FILES - most files of events of one address space. */
#define DRM_SVM_EVENTS_MAX_FILES	8

/**
 * struct drm_svm_events - open a file of events of one shared address space
 *
 * From now on, the kernel puts a record into the new file for each event that
 * concerns the address space of the file on which the ioctl is called. The
 * kernel closes the new file on execve().
 *
 * read() returns as many whole records as there are and as fit, and removes them
 * from the file. It waits for the first record unless the file has O_NONBLOCK;
 * then it fails with EAGAIN. A buffer that is smaller than a record is EINVAL. A
 * buffer that cannot be written is EFAULT, and removes nothing. poll() reports
 * POLLIN when there is a record.
 *
 * If the file is full, new records are lost. The record that comes after them
 * says how many these were; if the reader gets to that place first, a record of
 * type %DRM_SVM_EVENT_LOST says it.
 *
 * The file may stay open longer than the file that it was made for. When that one
 * is closed, or when its device is unplugged, no more records come: poll()
 * reports POLLHUP, and read() returns what is left, and then zero.
 *
 * Only the owner of the address space may read: read() fails with EPERM in a child
 * of fork(), and in a process that received the file. What another process does
 * with pages that it has from the owner by fork() is reported too, at the
 * addresses of the owner.
 *
 * EMFILE is returned for more than %DRM_SVM_EVENTS_MAX_FILES files of one address
 * space. Like any new file descriptor, the file stays open if the kernel cannot
 * write its number to the payload (EFAULT).
 */
struct drm_svm_events {
	/** @flags: must be zero. */
	__u32 flags;

	/**
	 * @entries: number of records that the file can hold, at least one, at
	 * most %DRM_SVM_EVENTS_MAX. Their memory is charged to the caller.
	 */
	__u32 entries;

	/** @out_fd: the new file. */
	__s32 out_fd;

	/**
	 * @out_size: bytes from one record to the next. Not less than the size of
	 * struct drm_svm_event in this header; a newer kernel may add to the end.
	 */
	__u32 out_size;
};

/**
 * struct drm_svm_vram_info - how much VRAM the device has, and how much is free
 *
 * The file need not be attached. The figures are those of one moment, and other
 * programs change them at any time. A limit of a cgroup is not taken into
 * account.
 */
struct drm_svm_vram_info {
	/** @flags: must be zero. */
	__u32 flags;

	/** @pad: must be zero. */
	__u32 pad;

	/** @out_size: bytes of VRAM; zero if the device has none to share. */
	__u64 out_size;

	/**
	 * @out_free: bytes that can be allocated without an eviction. VRAM that
	 * broke is not free, nor is any while the device is suspended.
	 */
	__u64 out_free;

	/**
	 * @out_own: bytes that are allocated for pages of this file's address
	 * space. Zero if the file is not attached.
	 */
	__u64 out_own;
};

#if defined(__cplusplus)
}
#endif

#endif
