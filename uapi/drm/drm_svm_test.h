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
 * The ioctls of drm_svm_test_dev, a virtual GPU. Its engines access memory
 * only through a page table and TLBs of the device. The rules and the errors of
 * drm_svm.h apply here too.
 *
 * A file has a GPU address space, and attaches it to the memory of its process.
 * Several files of a process can use the same one, see struct drm_svm_test_vm. Then
 * the file submits jobs. A job is a list of commands whose operands are ordinary
 * pointers. The jobs of one queue run in the order of submission; queues do not wait
 * for each other. A file has a queue for each engine from the start: queue n is on
 * engine n. A job that waits for memory does not delay those of other queues.
 *
 * A command that cannot be executed ends its job: the commands after it do not
 * run, its fence is signalled, its out-syncs signal with the error, and the result
 * names the command, the address and the error. Later jobs run.
 *
 * Once a file is attached, only the process that attached may use it: for other
 * processes all ioctls of this header except INFO return EPERM.
 *
 * The error of a job appears in its result and in its out-syncs. A job that was cancelled,
 * whose file was closed or whose in-sync failed has ECANCELED, whatever the error of that
 * in-sync is; one that reached the time limit of its queue has ETIME; one whose device is
 * unplugged is cancelled with ENODEV.
 */

/**
 * DOC: User fences
 *
 * A user fence is a word of 64 bits in the memory of the process, aligned to 8 bytes.
 * It has no handle. The end of a job, a command in a job, and the CPU can signal it: they
 * write the word. A wait names a value, and ends when the word is greater than or equal
 * to it. So one word serves for any number of jobs, and a job can wait for a value before
 * the job that will write that value is submitted.
 *
 * %DRM_SVM_TEST_OP_WAIT waits in a job, DRM_IOCTL_SVM_TEST_FENCE_WAIT in a thread. For
 * poll(), a job that waits signals an eventfd. A job signals its fence after all that
 * its commands wrote, so a reader that sees the value also sees these writes. A job that
 * failed or was cancelled signals too; @report says how it ended. A job does not signal
 * when its queue was destroyed, its file was closed or the device was unplugged; when
 * %DRM_SVM_TEST_CANCEL_FORCE, or the time limit for the second time, met memory that does
 * not come; nor when the memory of the fence is gone. Then that job fails, and no other.
 *
 * A job that signals its fence, %DRM_SVM_TEST_OP_SIGNAL and atomics wake the waits for
 * that address at once. A wait notices any other write some milliseconds later.
 */

/**
 * struct drm_svm_test_fence - a user fence, and a value of it
 */
struct drm_svm_test_fence {
	/** @addr: address of the word, a multiple of 8. */
	__u64 addr;

	/** @value: what it is set to, or what is waited for. */
	__u64 value;
};

/**
 * DOC: Syncobjs
 *
 * A syncobj holds a dma_fence, which has to signal in finite time, because the kernel
 * waits for fences in reclaim. Serving a page fault can need the memory that reclaim is
 * to free. So a job that can fault has no syncobjs; it signals a user fence.
 *
 * Jobs of queues of %DRM_SVM_TEST_ENGINE_CLASS_BUFFER may have syncobjs. Their commands are
 * FILL, COPY, COMPARE, TOUCH, the two atomics and TIMESTAMP, all of whose addresses, that
 * of the result included, are those of buffer objects that are bound when the job is
 * submitted; any other is EINVAL, or ENOENT where nothing is bound. The buffer objects
 * stay in place until the job has ended. A job with %DRM_SVM_TEST_OP_WAIT can wait for
 * what the CPU signals after it has seen such a job end, so the two kinds can be tied.
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
/** DRM_SVM_TEST_VM - ioctl number of struct drm_svm_test_vm. */
#define DRM_SVM_TEST_VM			0x0b
/** DRM_SVM_TEST_QUEUE_CREATE - ioctl number of struct drm_svm_test_queue_create. */
#define DRM_SVM_TEST_QUEUE_CREATE	0x0c
/** DRM_SVM_TEST_QUEUE_DESTROY - ioctl number of struct drm_svm_test_queue_destroy. */
#define DRM_SVM_TEST_QUEUE_DESTROY	0x0d
/** DRM_SVM_TEST_CANCEL - ioctl number of struct drm_svm_test_cancel. */
#define DRM_SVM_TEST_CANCEL		0x0e
/** DRM_SVM_TEST_FENCE_WAIT - ioctl number of struct drm_svm_test_fence_wait. */
#define DRM_SVM_TEST_FENCE_WAIT		0x0f
/**
 * DRM_SVM_TEST_EVENTS - ioctl number of struct drm_svm_events.
 *
 * The files of one address space, see struct drm_svm_test_vm, have the same events.
 * With %DRM_SVM_TEST_BACKEND_DRM_GPUSVM the ioctl fails with EOPNOTSUPP.
 */
#define DRM_SVM_TEST_EVENTS		0x10
/** DRM_SVM_TEST_VRAM_INFO - ioctl number of struct drm_svm_vram_info. */
#define DRM_SVM_TEST_VRAM_INFO		0x11

/**
 * enum drm_svm_test_backend - the library that manages shared memory for the device
 */
enum drm_svm_test_backend {
	/** @DRM_SVM_TEST_BACKEND_DRM_SVM: drm_svm. */
	DRM_SVM_TEST_BACKEND_DRM_SVM = 0,
	/** @DRM_SVM_TEST_BACKEND_DRM_GPUSVM: the kernel's drm_gpusvm. */
	DRM_SVM_TEST_BACKEND_DRM_GPUSVM = 1,
};

/**
 * struct drm_svm_test_info - properties of the device
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

	/** @out_max_cmds: maximum number of commands of one job. */
	__u32 out_max_cmds;

	/**
	 * @out_max_jobs: maximum number of jobs of a file that have not ended, or
	 * whose result has not been fetched.
	 */
	__u32 out_max_jobs;

	/**
	 * @out_max_syncs: limit of a job for in-syncs and for out-syncs, and of one wait
	 * for user fences.
	 */
	__u32 out_max_syncs;

	/** @out_fault_overflows: how often the fault buffer was full. */
	__u64 out_fault_overflows;

	/** @out_vram_size: bytes of VRAM, or zero. */
	__u64 out_vram_size;

	/**
	 * @out_bo_start: first GPU address for buffer objects. The last one is
	 * the last address of @out_va_bits. If @out_bo_start is above that, the
	 * device has no addresses for buffer objects.
	 */
	__u64 out_bo_start;

	/** @out_bo_size: maximum size of a buffer object, in bytes. */
	__u64 out_bo_size;

	/** @out_max_queues: maximum number of queues of a file. */
	__u32 out_max_queues;

	/** @out_pad: zero. */
	__u32 out_pad;

	/** @out_backend: enum drm_svm_test_backend. */
	__u64 out_backend;

	/**
	 * @out_service_ns: for how long, in nanoseconds, the device had a fault
	 * that waited for the backend.
	 */
	__u64 out_service_ns;
};

/**
 * enum drm_svm_test_op - what a command does
 *
 * An element has 4 bytes, or 8 with %DRM_SVM_TEST_CMD_64. The address of an
 * element must be aligned to the size of the element; otherwise the command
 * fails with EINVAL. An argument that is the value of an element must fit into
 * it; otherwise the submission fails with EINVAL. A command that returns a value
 * writes it to the address @result as one __u64 (aligned to 8), unless @result
 * is zero.
 */
enum drm_svm_test_op {
	/** @DRM_SVM_TEST_OP_INVALID: reserved, to detect an @op that was not set. */
	DRM_SVM_TEST_OP_INVALID = 0,
	/**
	 * @DRM_SVM_TEST_OP_FILL: fill @size bytes at @dst with elements of the
	 * value @arg0; @size is a multiple of the element size.
	 */
	DRM_SVM_TEST_OP_FILL = 1,
	/**
	 * @DRM_SVM_TEST_OP_COPY: copy @size bytes from @src to @dst, with any
	 * alignment; the two must not overlap.
	 */
	DRM_SVM_TEST_OP_COPY = 2,
	/**
	 * @DRM_SVM_TEST_OP_COMPARE: compare @size bytes at @dst and @src, with
	 * any alignment. The value is the offset of the first difference, or
	 * @size if there is none.
	 */
	DRM_SVM_TEST_OP_COMPARE = 3,
	/**
	 * @DRM_SVM_TEST_OP_TOUCH: access one element at @dst + n * @arg0 for
	 * each n with n * @arg0 < @size. The access is a read, or with
	 * %DRM_SVM_TEST_CMD_WRITE a write of @arg1. @arg0 is at least the size
	 * of one element. The value is the sum of the elements read.
	 */
	DRM_SVM_TEST_OP_TOUCH = 4,
	/**
	 * @DRM_SVM_TEST_OP_ATOMIC_ADD: add @arg0 to the element at @dst @count
	 * times, atomic with respect to the CPU. The value is what the element
	 * was before the last addition.
	 */
	DRM_SVM_TEST_OP_ATOMIC_ADD = 5,
	/**
	 * @DRM_SVM_TEST_OP_ATOMIC_CMPXCHG: if the element at @dst is @arg0, set
	 * it to @arg1, atomic with respect to the CPU. The value is the old
	 * element.
	 */
	DRM_SVM_TEST_OP_ATOMIC_CMPXCHG = 6,
	/**
	 * @DRM_SVM_TEST_OP_CHASE: start at the node at @src and follow the
	 * pointers at offset @arg0 of each node until a null pointer, or until
	 * @count nodes were visited. The value is the sum of the elements at
	 * offset @arg1 of the nodes. The number of nodes is written after it, to
	 * @result + 8.
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
	/**
	 * @DRM_SVM_TEST_OP_WAIT: go on when the __u64 at @src is at least @arg0;
	 * meanwhile other queues run. @src is a multiple of 8; otherwise the
	 * submission fails with EINVAL.
	 */
	DRM_SVM_TEST_OP_WAIT = 11,
	/**
	 * @DRM_SVM_TEST_OP_SIGNAL: set the __u64 at @dst to @arg0, after all that the
	 * commands before it wrote. @dst is a multiple of 8; otherwise the submission
	 * fails with EINVAL.
	 */
	DRM_SVM_TEST_OP_SIGNAL = 12,
	/**
	 * @DRM_SVM_TEST_OP_PREFETCH: move the @size bytes at @dst to @arg0, enum
	 * drm_svm_location, as struct drm_svm_prefetch does, after the commands before
	 * it and before those after it; meanwhile other queues run. @arg1 is the flags
	 * of that structure. @dst and @size are multiples of the page size; otherwise
	 * the submission fails with EINVAL. The values are the six counts of that
	 * structure before its progress, in its order, and with
	 * %DRM_SVM_PREFETCH_COUNT_DENIED its out_denied as the seventh. If the interval
	 * is not mapped, or there is no VRAM, the command fails.
	 */
	DRM_SVM_TEST_OP_PREFETCH = 13,
};

/** DRM_SVM_TEST_CMD_64 - elements have 8 bytes. */
#define DRM_SVM_TEST_CMD_64		(1u << 0)
/** DRM_SVM_TEST_CMD_WRITE - TOUCH writes. */
#define DRM_SVM_TEST_CMD_WRITE		(1u << 1)

/**
 * struct drm_svm_test_cmd - one command
 *
 * Fields that an operation does not use must be zero. A command whose addresses
 * wrap around or leave the GPU's virtual addresses fails when it is executed.
 */
struct drm_svm_test_cmd {
	/** @op: enum drm_svm_test_op. */
	__u32 op;

	/** @flags: %DRM_SVM_TEST_CMD_64, %DRM_SVM_TEST_CMD_WRITE. */
	__u32 flags;

	/** @dst: address to write; or the first address to compare or to touch. */
	__u64 dst;

	/** @src: address to read. */
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

/**
 * struct drm_svm_test_vm - the address space of a file
 *
 * A file that was not attached, and has nothing bound, can use the address space of
 * another file of the process in place of its own. Both then need one attach, and have
 * the same counters and bindings, but queues, jobs and handles of their own. The
 * address space lasts as long as one of its files is open, and so do its bindings. The
 * fdinfo of each file counts all of its VRAM.
 *
 * Errors: EBADF, no open file has an address space of that number; ENXIO, it is not
 * attached; EEXIST, this file has used its own one, or that of a third file.
 */
struct drm_svm_test_vm {
	/** @vm: number of the address space to use, or zero to keep the present one. */
	__u64 vm;

	/** @flags: must be zero. */
	__u32 flags;

	/** @pad: must be zero. */
	__u32 pad;

	/** @out_vm: number of the address space of this file. */
	__u64 out_vm;
};

/**
 * enum drm_svm_test_engine_class - what the engine of a queue is for
 */
enum drm_svm_test_engine_class {
	/** @DRM_SVM_TEST_ENGINE_CLASS_COMPUTE: jobs that use shared memory. */
	DRM_SVM_TEST_ENGINE_CLASS_COMPUTE = 0,
	/**
	 * @DRM_SVM_TEST_ENGINE_CLASS_BUFFER: jobs that use buffer objects alone, and may
	 * have syncobjs. There is one such engine.
	 */
	DRM_SVM_TEST_ENGINE_CLASS_BUFFER = 1,
};

/**
 * enum drm_svm_test_priority - which queues of an engine come first
 *
 * A queue of a lower priority has a turn now and then also while others are busy.
 */
enum drm_svm_test_priority {
	/** @DRM_SVM_TEST_PRIORITY_LOW: when others have nothing to do. */
	DRM_SVM_TEST_PRIORITY_LOW = 0,
	/** @DRM_SVM_TEST_PRIORITY_NORMAL: that of the queues of a new file. */
	DRM_SVM_TEST_PRIORITY_NORMAL = 1,
	/** @DRM_SVM_TEST_PRIORITY_HIGH: before others. */
	DRM_SVM_TEST_PRIORITY_HIGH = 2,
	/** @DRM_SVM_TEST_PRIORITY_NUM: number of priorities. */
	DRM_SVM_TEST_PRIORITY_NUM
};

/** DRM_SVM_TEST_ENGINE_ANY - the kernel chooses the engine. */
#define DRM_SVM_TEST_ENGINE_ANY		0xffffffffu

/**
 * struct drm_svm_test_queue_create - make a queue
 *
 * Errors: EBUSY, the file has out_max_queues.
 */
struct drm_svm_test_queue_create {
	/** @engine_class: enum drm_svm_test_engine_class. */
	__u32 engine_class;

	/** @engine: index of the engine, or %DRM_SVM_TEST_ENGINE_ANY. */
	__u32 engine;

	/** @priority: enum drm_svm_test_priority. */
	__u32 priority;

	/** @flags: must be zero. */
	__u32 flags;

	/**
	 * @time_limit_ns: for how many nanoseconds a job may be the first of the queue,
	 * what it waits for included, or zero for no limit. Then it is stopped as if it
	 * were cancelled, with %DRM_SVM_TEST_STATUS_TIMEOUT. It has the same time once
	 * more, at least a second, to signal its fence. Time goes on while the device is
	 * suspended. A queue of the class BUFFER has a limit of at most ten seconds, which
	 * is that of zero too; it begins when the job is submitted.
	 */
	__u64 time_limit_ns;

	/** @out_queue: number of the queue in this file. */
	__u32 out_queue;

	/** @pad: must be zero. */
	__u32 pad;
};

/**
 * struct drm_svm_test_queue_destroy - cancel the jobs of a queue and remove it
 *
 * On return its jobs have ended. Their fences are not signalled: cancel them before. Pages
 * that a prefetch of the queue moves may move a moment longer.
 * Errors: EBADF, there is no such queue; EINVAL, it is one of those that the file has
 * from the start.
 */
struct drm_svm_test_queue_destroy {
	/** @queue: number of the queue. */
	__u32 queue;

	/** @flags: must be zero. */
	__u32 flags;
};

/** DRM_SVM_TEST_CANCEL_FORCE - do not wait for the memory of report and fence. */
#define DRM_SVM_TEST_CANCEL_FORCE	(1u << 0)

/**
 * struct drm_svm_test_cancel - have jobs end
 *
 * The call does not wait. A job ends in its turn: when those before it in the queue have
 * ended, its commands do not run, or stop where they are; then it reports, and signals
 * its fence. With %DRM_SVM_TEST_CANCEL_FORCE it ends without, if the GPU has to fault for
 * that memory. A job that has ended stays as it is. A page that a job waits for may still
 * be made after its end.
 *
 * Errors: EBADF, there is no such job or queue.
 */
struct drm_svm_test_cancel {
	/** @job: from struct drm_svm_test_submit; or zero for all jobs of @queue. */
	__u64 job;

	/** @queue: number of the queue; zero with @job. */
	__u32 queue;

	/** @flags: %DRM_SVM_TEST_CANCEL_FORCE or zero. */
	__u32 flags;
};

/** DRM_SVM_TEST_FENCE_WAIT_ANY - one fence is enough; the first that is there is named. */
#define DRM_SVM_TEST_FENCE_WAIT_ANY	(1u << 0)

/**
 * struct drm_svm_test_fence_wait - wait for user fences
 *
 * Errors: EFAULT, a fence cannot be read; ETIME, they did not all, or with
 * %DRM_SVM_TEST_FENCE_WAIT_ANY none did, reach their value in time.
 */
struct drm_svm_test_fence_wait {
	/** @fences: pointer to an array of struct drm_svm_test_fence. */
	__u64 fences;

	/** @count: length of @fences, from 1 to the device's out_max_syncs. */
	__u32 count;

	/** @flags: %DRM_SVM_TEST_FENCE_WAIT_ANY or zero. */
	__u32 flags;

	/** @timeout: absolute, CLOCK_MONOTONIC, nanoseconds; a time in the past polls. */
	__s64 timeout;

	/** @out_first: index of the first fence that reached its value; without the flag, zero. */
	__u32 out_first;

	/** @pad: must be zero. */
	__u32 pad;
};

/**
 * struct drm_svm_test_report - how a job ended, in the memory of the process
 */
struct drm_svm_test_report {
	/** @job: number of the job, or zero. */
	__u64 job;

	/** @addr: the faulting address, or zero. */
	__u64 addr;

	/** @status: enum drm_svm_test_status. */
	__u32 status;

	/** @error: zero, or the errno as a positive number. */
	__u32 error;

	/** @cmd: index of the failed command, or the number of commands executed. */
	__u32 cmd;

	/** @pad: zero. */
	__u32 pad;
};

/** DRM_SVM_TEST_SYNC_TIMELINE - the syncobj is a timeline, at @point. */
#define DRM_SVM_TEST_SYNC_TIMELINE	(1u << 0)

/**
 * struct drm_svm_test_sync - a syncobj to wait for or to signal
 */
struct drm_svm_test_sync {
	/** @handle: syncobj handle of this file. */
	__u32 handle;

	/** @flags: %DRM_SVM_TEST_SYNC_TIMELINE or zero. */
	__u32 flags;

	/**
	 * @point: the point of a timeline, not zero; zero for a binary syncobj.
	 * Anything else is EINVAL.
	 */
	__u64 point;
};

/**
 * DRM_SVM_TEST_QUEUE_ANY - the kernel chooses one of the queues that the file has from
 * the start
 */
#define DRM_SVM_TEST_QUEUE_ANY		0xffffffffu

/** DRM_SVM_TEST_SUBMIT_NO_RESULT - the result of the job will not be fetched. */
#define DRM_SVM_TEST_SUBMIT_NO_RESULT	(1u << 0)
/** DRM_SVM_TEST_SUBMIT_EVENTFD - signal @eventfd when the job has ended. */
#define DRM_SVM_TEST_SUBMIT_EVENTFD	(1u << 1)

/**
 * struct drm_svm_test_submit - run commands, asynchronously
 *
 * Errors: EBADF, the queue or a syncobj handle is unknown, or @eventfd is not one; EBUSY,
 * the file has out_max_jobs jobs that have not ended, or whose result has not been fetched,
 * or too many faults of jobs that were stopped are not answered; EINVAL, an in-sync has no
 * fence, a job that can fault has syncobjs, or one of the class BUFFER has a user fence, a
 * report or a command that may reach for anything but buffer objects; ENOENT, nothing is
 * bound at an address of it.
 */
struct drm_svm_test_submit {
	/** @cmds: pointer to an array of struct drm_svm_test_cmd, or zero. */
	__u64 cmds;

	/** @num_cmds: length of @cmds, up to the device's out_max_cmds; zero if that is zero. */
	__u32 num_cmds;

	/** @queue: number of the queue, or %DRM_SVM_TEST_QUEUE_ANY. */
	__u32 queue;

	/** @in_syncs: pointer to an array of struct drm_svm_test_sync. */
	__u64 in_syncs;

	/** @out_syncs: pointer to an array of struct drm_svm_test_sync. */
	__u64 out_syncs;

	/** @num_in_syncs: length of @in_syncs. */
	__u32 num_in_syncs;

	/** @num_out_syncs: length of @out_syncs. */
	__u32 num_out_syncs;

	/** @flags: %DRM_SVM_TEST_SUBMIT_NO_RESULT, %DRM_SVM_TEST_SUBMIT_EVENTFD. */
	__u32 flags;

	/** @eventfd: an eventfd, with that flag; otherwise zero. */
	__s32 eventfd;

	/** @signal: the user fence to signal; all zero for none. */
	struct drm_svm_test_fence signal;

	/**
	 * @report: address for a struct drm_svm_test_report, a multiple of its size, or
	 * zero. It is written before the fence.
	 */
	__u64 report;

	/** @out_job: number of the job, for struct drm_svm_test_wait. */
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
	 * @DRM_SVM_TEST_STATUS_CANCELLED: it was cancelled, an in-sync failed, the
	 * queue was destroyed, the file was closed, or the device was unplugged.
	 */
	DRM_SVM_TEST_STATUS_CANCELLED = 4,
	/** @DRM_SVM_TEST_STATUS_TIMEOUT: it reached the time limit of its queue. */
	DRM_SVM_TEST_STATUS_TIMEOUT = 5,
};

/**
 * struct drm_svm_test_wait - wait for a job and fetch its result
 *
 * A result can be fetched once: after success the kernel forgets the job.
 * Errors: EBADF, there is no such job; ETIME, the job did not end in time and can be
 * waited for again.
 */
struct drm_svm_test_wait {
	/** @job: from struct drm_svm_test_submit. */
	__u64 job;

	/** @timeout: absolute, CLOCK_MONOTONIC, nanoseconds; a time in the past polls. */
	__s64 timeout;

	/** @flags: must be zero. */
	__u32 flags;

	/** @out_status: enum drm_svm_test_status. */
	__u32 out_status;

	/** @out_errno: zero, or the errno as a positive number. */
	__u32 out_errno;

	/** @out_cmd: index of the failed command, or the number of commands executed. */
	__u32 out_cmd;

	/** @out_addr: the faulting address, or zero. */
	__u64 out_addr;
};

/** DRM_SVM_TEST_BO_VRAM - the buffer object should be in VRAM. */
#define DRM_SVM_TEST_BO_VRAM		(1u << 0)

/**
 * struct drm_svm_test_bo_create - create a buffer object
 *
 * The buffer object reads as zeroes. With %DRM_SVM_TEST_BO_VRAM it is in VRAM
 * while the GPU uses it, if there is room; to make room, other buffers can be
 * evicted. It is in system memory while the CPU uses it. It keeps its content
 * when it moves.
 *
 * The handle belongs to this file and is closed with DRM_IOCTL_GEM_CLOSE. The
 * file need not be attached. Errors: EIO, the buffer object could not be cleared.
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
 * Errors: EBADF, the handle is unknown.
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
 * struct drm_svm_test_bo_bind - bind a buffer object to GPU addresses
 *
 * The binding stays until it is removed or the file is closed. It holds a
 * reference to the buffer object, so the handle may be closed. A buffer object
 * may be bound several times.
 *
 * Errors: EBADF, the handle is unknown; EEXIST, a buffer object is bound at one of the
 * addresses already.
 */
struct drm_svm_test_bo_bind {
	/** @addr: first GPU address, at or above the device's out_bo_start. */
	__u64 addr;

	/** @size: bytes, not zero. */
	__u64 size;

	/**
	 * @offset: first byte of the buffer object to bind. @addr, @size and
	 * @offset are multiples of the page size.
	 */
	__u64 offset;

	/** @handle: a buffer object. */
	__u32 handle;

	/** @flags: must be zero. */
	__u32 flags;
};

/**
 * struct drm_svm_test_bo_unbind - remove a binding
 *
 * Later accesses to these addresses fail with ENOENT. Errors: ENOENT, there is no
 * binding of exactly these addresses.
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
/** DRM_IOCTL_SVM_TEST_QUERY - query the state of pages. */
#define DRM_IOCTL_SVM_TEST_QUERY \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_SVM_TEST_QUERY, struct drm_svm_query)
/** DRM_IOCTL_SVM_TEST_COUNTERS - read the counters of this file. */
#define DRM_IOCTL_SVM_TEST_COUNTERS \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_SVM_TEST_COUNTERS, struct drm_svm_counters)
/** DRM_IOCTL_SVM_TEST_INFO - read the configuration of the device. */
#define DRM_IOCTL_SVM_TEST_INFO \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_SVM_TEST_INFO, struct drm_svm_test_info)
/** DRM_IOCTL_SVM_TEST_SUBMIT - submit a job. */
#define DRM_IOCTL_SVM_TEST_SUBMIT \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_SVM_TEST_SUBMIT, struct drm_svm_test_submit)
/** DRM_IOCTL_SVM_TEST_WAIT - wait for a job. */
#define DRM_IOCTL_SVM_TEST_WAIT \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_SVM_TEST_WAIT, struct drm_svm_test_wait)
/** DRM_IOCTL_SVM_TEST_BO_CREATE - create a buffer object. */
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
/** DRM_IOCTL_SVM_TEST_PREFETCH - migrate pages. */
#define DRM_IOCTL_SVM_TEST_PREFETCH \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_SVM_TEST_PREFETCH, struct drm_svm_prefetch)
/** DRM_IOCTL_SVM_TEST_VM - name the address space of this file, or use another one. */
#define DRM_IOCTL_SVM_TEST_VM \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_SVM_TEST_VM, struct drm_svm_test_vm)
/** DRM_IOCTL_SVM_TEST_QUEUE_CREATE - make a queue. */
#define DRM_IOCTL_SVM_TEST_QUEUE_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_SVM_TEST_QUEUE_CREATE, struct drm_svm_test_queue_create)
/** DRM_IOCTL_SVM_TEST_QUEUE_DESTROY - cancel the jobs of a queue and remove it. */
#define DRM_IOCTL_SVM_TEST_QUEUE_DESTROY \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_SVM_TEST_QUEUE_DESTROY, struct drm_svm_test_queue_destroy)
/** DRM_IOCTL_SVM_TEST_CANCEL - have jobs end. */
#define DRM_IOCTL_SVM_TEST_CANCEL \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_SVM_TEST_CANCEL, struct drm_svm_test_cancel)
/** DRM_IOCTL_SVM_TEST_FENCE_WAIT - wait for user fences. */
#define DRM_IOCTL_SVM_TEST_FENCE_WAIT \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_SVM_TEST_FENCE_WAIT, struct drm_svm_test_fence_wait)
/** DRM_IOCTL_SVM_TEST_EVENTS - open a file of events. */
#define DRM_IOCTL_SVM_TEST_EVENTS \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_SVM_TEST_EVENTS, struct drm_svm_events)
/** DRM_IOCTL_SVM_TEST_VRAM_INFO - read how much VRAM there is, and how much is free. */
#define DRM_IOCTL_SVM_TEST_VRAM_INFO \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_SVM_TEST_VRAM_INFO, struct drm_svm_vram_info)

#if defined(__cplusplus)
}
#endif

#endif
