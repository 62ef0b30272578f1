/* SPDX-License-Identifier: MIT */
#ifndef _UAPI_DRM_SVM_TEST_H_
#define _UAPI_DRM_SVM_TEST_H_

#include "drm.h"
#include "drm_svm.h"

#if defined(__cplusplus)
extern "C" {
#endif

/**
 * DOC: Introduction
 *
 * The ioctls of drm_svm_test_dev, a virtual GPU whose engines reach memory
 * only through their own page table and TLBs. The rules and the errors of
 * drm_svm.h hold here too.
 *
 * A file is one GPU address space. It attaches to the memory of its process,
 * then submits jobs: lists of commands whose operands are plain pointers.
 * Jobs of one file run in the order of submission on each engine; jobs on
 * different engines and of different files run side by side, and a job that
 * waits for memory does not hold up the others.
 *
 * A command that cannot be executed ends its job: the commands after it do not
 * run, the out-syncs of the job signal with the error, and the result names
 * the command, the address and the error. Jobs after it run.
 *
 * Once a file is attached, only the process whose memory it is may use it: all ioctls of
 * this header but INFO answer EPERM to others.
 *
 * One errno is not in the table of drm_svm.h, since no ioctl returns it:
 * ECANCELED is the error of a job, in its result and in its out-syncs, that was
 * cancelled because its file was closed. A job whose in-sync failed is cancelled
 * with the error of that in-sync, and one whose device is unplugged with ENODEV.
 */

/**
 * DOC: Syncobjs and page faults
 *
 * An out-sync is a dma_fence, and a job may wait for a page fault. A driver
 * for hardware must not put these two together: fences have to signal in
 * finite time, because the kernel waits for them while it reclaims memory, and
 * serving a fault may need just that memory. Such a driver runs jobs that can
 * fault without fences, and user space waits for memory that the GPU writes.
 *
 * This device does it all the same: its syncobjs are there to test ordering,
 * errors and the end of jobs. Nothing in reclaim waits for them, unless a
 * program exports one and hands it to another driver, or adds it to a buffer
 * of one. A machine on which programs that would do so are not trusted must not
 * give them this device.
 */

/** DRM_SVM_TEST_ATTACH - ioctl number of struct drm_svm_attach. */
#define DRM_SVM_TEST_ATTACH		0x00
/** DRM_SVM_TEST_QUERY - ioctl number of struct drm_svm_query. */
#define DRM_SVM_TEST_QUERY		0x01
/** DRM_SVM_TEST_COUNTERS - ioctl number of struct drm_svm_counters. */
#define DRM_SVM_TEST_COUNTERS		0x02
/** DRM_SVM_TEST_INFO - ioctl number of struct drm_svm_test_info. */
#define DRM_SVM_TEST_INFO		0x03
/** DRM_SVM_TEST_SUBMIT - ioctl number of struct drm_svm_test_submit. */
#define DRM_SVM_TEST_SUBMIT		0x04
/** DRM_SVM_TEST_WAIT - ioctl number of struct drm_svm_test_wait. */
#define DRM_SVM_TEST_WAIT		0x05
/** DRM_SVM_TEST_BO_CREATE - ioctl number of struct drm_svm_test_bo_create. */
#define DRM_SVM_TEST_BO_CREATE		0x06
/** DRM_SVM_TEST_BO_MMAP - ioctl number of struct drm_svm_test_bo_mmap. */
#define DRM_SVM_TEST_BO_MMAP		0x07
/** DRM_SVM_TEST_BO_BIND - ioctl number of struct drm_svm_test_bo_bind. */
#define DRM_SVM_TEST_BO_BIND		0x08
/** DRM_SVM_TEST_BO_UNBIND - ioctl number of struct drm_svm_test_bo_unbind. */
#define DRM_SVM_TEST_BO_UNBIND		0x09
/** DRM_SVM_TEST_PREFETCH - ioctl number of struct drm_svm_prefetch. */
#define DRM_SVM_TEST_PREFETCH		0x0a

/**
 * enum drm_svm_test_backend - who manages shared memory for the device
 */
enum drm_svm_test_backend {
	/** @DRM_SVM_TEST_BACKEND_DRM_SVM: drm_svm. */
	DRM_SVM_TEST_BACKEND_DRM_SVM = 0,
	/** @DRM_SVM_TEST_BACKEND_DRM_GPUSVM: the kernel's drm_gpusvm. */
	DRM_SVM_TEST_BACKEND_DRM_GPUSVM = 1,
};

/**
 * struct drm_svm_test_info - what the device is made of
 */
struct drm_svm_test_info {
	/** @flags: must be zero. */
	__u32 flags;

	/** @pad: must be zero. */
	__u32 pad;

	/** @out_index: index of the device, from zero. */
	__u32 out_index;

	/** @out_engines: number of engines. */
	__u32 out_engines;

	/** @out_tlb_entries: entries of the TLB of each engine. */
	__u32 out_tlb_entries;

	/** @out_fault_entries: entries of the fault buffer. */
	__u32 out_fault_entries;

	/** @out_va_bits: bits of a GPU virtual address. */
	__u32 out_va_bits;

	/** @out_max_cmds: the most commands of one job. */
	__u32 out_max_cmds;

	/**
	 * @out_max_jobs: the most jobs of a file that did not end, or whose
	 * result is not fetched yet.
	 */
	__u32 out_max_jobs;

	/** @out_max_syncs: the most in-syncs, and the most out-syncs, of a job. */
	__u32 out_max_syncs;

	/** @out_fault_overflows: times that the fault buffer was full. */
	__u64 out_fault_overflows;

	/** @out_vram_size: bytes of VRAM, or zero. */
	__u64 out_vram_size;

	/**
	 * @out_bo_start: first GPU address for buffer objects; the last one is
	 * the last of @out_va_bits. There are none if it is past that.
	 */
	__u64 out_bo_start;

	/** @out_bo_size: the most bytes of a buffer object. */
	__u64 out_bo_size;

	/** @out_backend: enum drm_svm_test_backend. */
	__u64 out_backend;

	/**
	 * @out_service_ns: for how long, in nanoseconds, the device had a fault
	 * that waited for whoever manages shared memory.
	 */
	__u64 out_service_ns;
};

/**
 * enum drm_svm_test_op - what a command does
 *
 * "Element" is 4 bytes, or 8 with %DRM_SVM_TEST_CMD_64. Addresses of elements
 * must be aligned to the element, else the command fails with EINVAL. An
 * argument that is the value of an element must fit into it, else the
 * submission fails with EINVAL. Values that a command returns are written by
 * the GPU to the address @result as one __u64 (aligned to 8), unless @result is
 * zero.
 */
enum drm_svm_test_op {
	/** @DRM_SVM_TEST_OP_INVALID: reserved, to catch what was not set. */
	DRM_SVM_TEST_OP_INVALID = 0,
	/**
	 * @DRM_SVM_TEST_OP_FILL: write elements @arg0 to @size bytes at @dst;
	 * @size is a multiple of the element.
	 */
	DRM_SVM_TEST_OP_FILL = 1,
	/**
	 * @DRM_SVM_TEST_OP_COPY: copy @size bytes from @src to @dst, of any
	 * alignment; the two do not overlap.
	 */
	DRM_SVM_TEST_OP_COPY = 2,
	/**
	 * @DRM_SVM_TEST_OP_COMPARE: compare @size bytes at @dst and @src, of
	 * any alignment; the value is the offset of the first difference, or
	 * @size.
	 */
	DRM_SVM_TEST_OP_COMPARE = 3,
	/**
	 * @DRM_SVM_TEST_OP_TOUCH: access one element at @dst + n * @arg0 for
	 * each n with n * @arg0 < @size; a read, or with
	 * %DRM_SVM_TEST_CMD_WRITE a write of @arg1; @arg0 is at least one
	 * element. The value is the sum of the elements read.
	 */
	DRM_SVM_TEST_OP_TOUCH = 4,
	/**
	 * @DRM_SVM_TEST_OP_ATOMIC_ADD: add @arg0 to the element at @dst,
	 * atomic against the CPU, @count times; the value is the last old one.
	 */
	DRM_SVM_TEST_OP_ATOMIC_ADD = 5,
	/**
	 * @DRM_SVM_TEST_OP_ATOMIC_CMPXCHG: if the element at @dst is @arg0,
	 * make it @arg1, atomic against the CPU; the value is the old one.
	 */
	DRM_SVM_TEST_OP_ATOMIC_CMPXCHG = 6,
	/**
	 * @DRM_SVM_TEST_OP_CHASE: from the node at @src follow the pointers at
	 * offset @arg0 of each node until a null pointer, or until @count
	 * nodes were visited; sum the elements at offset @arg1. The value is
	 * the sum; the number of nodes is written behind it, to @result + 8.
	 */
	DRM_SVM_TEST_OP_CHASE = 7,
	/**
	 * @DRM_SVM_TEST_OP_GATHER: dst[i] = src[index[i]] for i < @count;
	 * @arg0 is the address of the indices, __u32 each.
	 */
	DRM_SVM_TEST_OP_GATHER = 8,
	/**
	 * @DRM_SVM_TEST_OP_SCATTER: dst[index[i]] = src[i] for i < @count;
	 * @arg0 is the address of the indices, __u32 each.
	 */
	DRM_SVM_TEST_OP_SCATTER = 9,
	/**
	 * @DRM_SVM_TEST_OP_TIMESTAMP: the value is CLOCK_MONOTONIC in
	 * nanoseconds.
	 */
	DRM_SVM_TEST_OP_TIMESTAMP = 10,
};

/** DRM_SVM_TEST_CMD_64 - elements have 8 bytes. */
#define DRM_SVM_TEST_CMD_64		(1u << 0)
/** DRM_SVM_TEST_CMD_WRITE - TOUCH writes. */
#define DRM_SVM_TEST_CMD_WRITE		(1u << 1)

/**
 * struct drm_svm_test_cmd - one command
 *
 * Fields that an operation does not use must be zero. A range that wraps
 * around or leaves the GPU's virtual addresses fails when it is executed.
 */
struct drm_svm_test_cmd {
	/** @op: enum drm_svm_test_op. */
	__u32 op;

	/** @flags: %DRM_SVM_TEST_CMD_64, %DRM_SVM_TEST_CMD_WRITE. */
	__u32 flags;

	/** @dst: address written, or the first one compared or touched. */
	__u64 dst;

	/** @src: address read. */
	__u64 src;

	/** @size: bytes. */
	__u64 size;

	/** @count: elements, nodes or repetitions. */
	__u64 count;

	/** @arg0: see the operation. */
	__u64 arg0;

	/** @arg1: see the operation. */
	__u64 arg1;

	/** @result: address for the value of the command, or zero. */
	__u64 result;
};

/** DRM_SVM_TEST_ENGINE_ANY - the kernel picks the engine. */
#define DRM_SVM_TEST_ENGINE_ANY		0xffffffffu

/** DRM_SVM_TEST_SUBMIT_NO_RESULT - nobody will fetch the job's result. */
#define DRM_SVM_TEST_SUBMIT_NO_RESULT	(1u << 0)

/**
 * struct drm_svm_test_submit - run commands, asynchronously
 *
 * Errors besides those of drm_svm.h: ENOENT, a syncobj handle is unknown or
 * an in-sync has no fence; EBUSY, the file has out_max_jobs jobs that
 * did not end, or whose result is to be fetched.
 */
struct drm_svm_test_submit {
	/** @cmds: pointer to an array of struct drm_svm_test_cmd. */
	__u64 cmds;

	/** @num_cmds: length of @cmds, from 1 to the device's out_max_cmds. */
	__u32 num_cmds;

	/** @engine: an engine, or %DRM_SVM_TEST_ENGINE_ANY. */
	__u32 engine;

	/** @in_syncs: pointer to an array of struct drm_svm_sync. */
	__u64 in_syncs;

	/** @out_syncs: pointer to an array of struct drm_svm_sync. */
	__u64 out_syncs;

	/** @num_in_syncs: length of @in_syncs. */
	__u32 num_in_syncs;

	/** @num_out_syncs: length of @out_syncs. */
	__u32 num_out_syncs;

	/** @flags: %DRM_SVM_TEST_SUBMIT_NO_RESULT or zero. */
	__u32 flags;

	/** @pad: must be zero. */
	__u32 pad;

	/** @out_job: the job, for struct drm_svm_test_wait. */
	__u64 out_job;
};

/**
 * enum drm_svm_test_status - how a job ended
 */
enum drm_svm_test_status {
	/** @DRM_SVM_TEST_STATUS_OK: every command was executed. */
	DRM_SVM_TEST_STATUS_OK = 1,
	/** @DRM_SVM_TEST_STATUS_FAULT: a memory access could not be served. */
	DRM_SVM_TEST_STATUS_FAULT = 2,
	/** @DRM_SVM_TEST_STATUS_INVALID: a command was malformed. */
	DRM_SVM_TEST_STATUS_INVALID = 3,
	/**
	 * @DRM_SVM_TEST_STATUS_CANCELLED: an in-sync failed, the file was closed, or
	 * the device was unplugged.
	 */
	DRM_SVM_TEST_STATUS_CANCELLED = 4,
};

/**
 * struct drm_svm_test_wait - wait for a job and fetch its result
 *
 * A result is fetched once: after success the job is forgotten. Errors
 * besides those of drm_svm.h: ENOENT, no such job; ETIME, the job did not end
 * in time and can be waited for again.
 */
struct drm_svm_test_wait {
	/** @job: from struct drm_svm_test_submit. */
	__u64 job;

	/** @timeout: absolute, CLOCK_MONOTONIC, nanoseconds; past: just poll. */
	__s64 timeout;

	/** @flags: must be zero. */
	__u32 flags;

	/** @out_status: enum drm_svm_test_status. */
	__u32 out_status;

	/** @out_errno: zero, or the errno, a positive number. */
	__u32 out_errno;

	/** @out_cmd: index of the command that failed, or the number executed. */
	__u32 out_cmd;

	/** @out_addr: the faulting address, or zero. */
	__u64 out_addr;
};

/** DRM_SVM_TEST_BO_VRAM - the buffer object belongs in VRAM. */
#define DRM_SVM_TEST_BO_VRAM		(1u << 0)

/**
 * struct drm_svm_test_bo_create - make a buffer object
 *
 * It reads as zeroes. With %DRM_SVM_TEST_BO_VRAM it is in VRAM while the GPU
 * uses it, if there is room, for which others may have to go; in system memory
 * while the CPU uses it; and it keeps its content wherever it goes.
 *
 * The handle is one of this file, to be closed with DRM_IOCTL_GEM_CLOSE. Files
 * need not be attached.
 */
struct drm_svm_test_bo_create {
	/** @size: bytes, a multiple of the page size, at most the device's out_bo_size. */
	__u64 size;

	/** @flags: %DRM_SVM_TEST_BO_VRAM or zero. */
	__u32 flags;

	/** @out_handle: the buffer object. */
	__u32 out_handle;
};

/**
 * struct drm_svm_test_bo_mmap - prepare to map a buffer object for the CPU
 *
 * Errors besides those of drm_svm.h: ENOENT, the handle is unknown.
 */
struct drm_svm_test_bo_mmap {
	/** @handle: a buffer object. */
	__u32 handle;

	/** @flags: must be zero. */
	__u32 flags;

	/** @out_offset: offset for mmap() of this file, with MAP_SHARED. */
	__u64 out_offset;
};

/**
 * struct drm_svm_test_bo_bind - put a buffer object at GPU addresses
 *
 * The binding stays until it is undone or the file is closed, and keeps the
 * buffer object, whose handle may be closed. A buffer object may be bound
 * several times.
 *
 * Errors besides those of drm_svm.h: ENOENT, the handle is unknown; EEXIST,
 * something is bound at one of the addresses.
 */
struct drm_svm_test_bo_bind {
	/** @addr: first GPU address; from the device's out_bo_start on. */
	__u64 addr;

	/** @size: bytes, not zero. */
	__u64 size;

	/** @offset: where in the buffer object. All three are multiples of the page size. */
	__u64 offset;

	/** @handle: a buffer object. */
	__u32 handle;

	/** @flags: must be zero. */
	__u32 flags;
};

/**
 * struct drm_svm_test_bo_unbind - undo a binding
 *
 * Accesses fail afterwards, with ENOENT. Errors besides those of drm_svm.h:
 * ENOENT, there is no binding of just these addresses.
 */
struct drm_svm_test_bo_unbind {
	/** @addr: first GPU address of the binding. */
	__u64 addr;

	/** @size: bytes of the binding. */
	__u64 size;

	/** @flags: must be zero. */
	__u32 flags;

	/** @pad: must be zero. */
	__u32 pad;
};

/** DRM_IOCTL_SVM_TEST_ATTACH - attach this file to the caller's memory. */
#define DRM_IOCTL_SVM_TEST_ATTACH \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_SVM_TEST_ATTACH, struct drm_svm_attach)
/** DRM_IOCTL_SVM_TEST_QUERY - per-page state. */
#define DRM_IOCTL_SVM_TEST_QUERY \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_SVM_TEST_QUERY, struct drm_svm_query)
/** DRM_IOCTL_SVM_TEST_COUNTERS - counters of this file. */
#define DRM_IOCTL_SVM_TEST_COUNTERS \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_SVM_TEST_COUNTERS, struct drm_svm_counters)
/** DRM_IOCTL_SVM_TEST_INFO - the device's configuration. */
#define DRM_IOCTL_SVM_TEST_INFO \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_SVM_TEST_INFO, struct drm_svm_test_info)
/** DRM_IOCTL_SVM_TEST_SUBMIT - submit a job. */
#define DRM_IOCTL_SVM_TEST_SUBMIT \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_SVM_TEST_SUBMIT, struct drm_svm_test_submit)
/** DRM_IOCTL_SVM_TEST_WAIT - wait for a job. */
#define DRM_IOCTL_SVM_TEST_WAIT \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_SVM_TEST_WAIT, struct drm_svm_test_wait)
/** DRM_IOCTL_SVM_TEST_BO_CREATE - make a buffer object. */
#define DRM_IOCTL_SVM_TEST_BO_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_SVM_TEST_BO_CREATE, \
		 struct drm_svm_test_bo_create)
/** DRM_IOCTL_SVM_TEST_BO_MMAP - prepare to map a buffer object. */
#define DRM_IOCTL_SVM_TEST_BO_MMAP \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_SVM_TEST_BO_MMAP, \
		 struct drm_svm_test_bo_mmap)
/** DRM_IOCTL_SVM_TEST_BO_BIND - bind a buffer object. */
#define DRM_IOCTL_SVM_TEST_BO_BIND \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_SVM_TEST_BO_BIND, \
		 struct drm_svm_test_bo_bind)
/** DRM_IOCTL_SVM_TEST_BO_UNBIND - undo a binding. */
#define DRM_IOCTL_SVM_TEST_BO_UNBIND \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_SVM_TEST_BO_UNBIND, \
		 struct drm_svm_test_bo_unbind)
/** DRM_IOCTL_SVM_TEST_PREFETCH - move pages. */
#define DRM_IOCTL_SVM_TEST_PREFETCH \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_SVM_TEST_PREFETCH, struct drm_svm_prefetch)

#if defined(__cplusplus)
}
#endif

#endif
