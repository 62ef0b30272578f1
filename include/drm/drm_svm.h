/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _DRM_SVM_H_
#define _DRM_SVM_H_

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/llist.h>
#include <linux/memremap.h>
#include <linux/mm_types.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include <uapi/drm/drm_svm.h>

struct dentry;
struct device;
struct dma_fence;
struct drm_device;
struct drm_memory_stats;
struct drm_printer;
struct drm_svm;
struct drm_svm_context;
struct drm_svm_stats;
struct drm_svm_vram;
struct ttm_buffer_object;
struct module;
struct ttm_device;
struct ttm_operation_ctx;
struct ttm_place;
struct ttm_placement;
struct ttm_resource;

/**
 * struct drm_svm_device - one GPU that uses drm_svm
 *
 * Embedded in the driver's device. All members except @vram and @ncontexts are
 * constant after drm_svm_device_init(), so call drm_svm_device_init() before
 * drm_svm_vram_init(). There is no reference count: the driver's device must
 * outlive its contexts.
 */
struct drm_svm_device {
	/** @drm: the DRM device. */
	struct drm_device *drm;

	/** @dma_dev: the device that does the DMA. */
	struct device *dma_dev;

	/**
	 * @va_end: first address, in bytes, past the shared addresses: the
	 * limit of the GPU's MMU, rounded down to whole ranges.
	 */
	u64 va_end;

	/**
	 * @track_dma: the DMA layer needs each address back for unmapping, so
	 * the library keeps one DMA address per page; see dma_need_unmap().
	 */
	bool track_dma;

	/** @vram: the GPU's VRAM, or NULL; set by drm_svm_vram_init(). */
	struct drm_svm_vram *vram;

	/** @ncontexts: number of attached contexts. */
	atomic_t ncontexts;
};

/** DRM_SVM_ACCESS_READ - the GPU wants to read. */
#define DRM_SVM_ACCESS_READ	BIT(0)
/** DRM_SVM_ACCESS_WRITE - the GPU wants to write or to do an atomic operation. */
#define DRM_SVM_ACCESS_WRITE	BIT(1)
/**
 * DRM_SVM_ACCESS_AHEAD - no access is waiting yet, but the page is likely next
 *
 * If the page cannot be provided without blocking, the fault is answered with
 * -EBUSY, because a speculative fault must not outlive the work it was made for.
 */
#define DRM_SVM_ACCESS_AHEAD	BIT(2)

/**
 * struct drm_svm_fault - one GPU access that found no usable translation
 */
struct drm_svm_fault {
	/** @addr: the virtual address, in bytes; need not be aligned. */
	u64 addr;

	/** @cookie: for the driver; the library returns it with the fault. */
	u64 cookie;

	/**
	 * @access: DRM_SVM_ACCESS_READ, DRM_SVM_ACCESS_WRITE or both;
	 * optionally with DRM_SVM_ACCESS_AHEAD.
	 */
	u32 access;
};

/**
 * struct drm_svm_run - contiguous pages with one location and one protection
 */
struct drm_svm_run {
	/**
	 * @addr: address of the first page, in bytes. A DMA address; with
	 * %DRM_SVM_LOCATION_VRAM an offset into the VRAM of the device; with
	 * %DRM_SVM_LOCATION_PEER what &drm_svm_vram_ops.peer_addr returned.
	 */
	dma_addr_t addr;

	/** @npages: number of pages, not zero. */
	u32 npages;

	/** @location: enum drm_svm_location. */
	u16 location;

	/** @prot: DRM_SVM_PAGE_READ, with or without DRM_SVM_PAGE_WRITE. */
	u16 prot;
};

/**
 * struct drm_svm_copy - pages to copy, contiguous in source and destination
 */
struct drm_svm_copy {
	/** @src: DMA address or offset, as in struct drm_svm_run. */
	u64 src;

	/** @dst: DMA address or offset, as in struct drm_svm_run. */
	u64 dst;

	/** @npages: number of pages, not zero. */
	u32 npages;

	/** @src_location: enum drm_svm_location. */
	u16 src_location;

	/** @dst_location: enum drm_svm_location. */
	u16 dst_location;
};

/**
 * struct drm_svm_vram_ops - functions for the VRAM of one GPU
 *
 * The GPU executes the work in the order of the calls. A fence must signal
 * without waiting for a memory allocation or for a GPU fault, because eviction
 * waits for the fence.
 */
struct drm_svm_vram_ops {
	/**
	 * @copy: start to copy @n segments; the caller may free @segs after the
	 * call.
	 *
	 * Process context. May sleep, but must not allocate in a way that waits
	 * for reclaim. Returns a fence, which the caller owns, or an ERR_PTR().
	 * Set the error of the fence if any of the segments was not copied.
	 * Never returns NULL: for a copy that is done already, return a
	 * signalled fence, see dma_fence_get_stub().
	 *
	 * Pages whose copy failed stay where they are. An error is reported by
	 * the fence or as an ERR_PTR(). -EBUSY, -EAGAIN, -ENOMEM, -EINTR and
	 * -ERESTARTSYS mean that the same copy may succeed a little later:
	 * drm_svm_vram_fini() retries as long as it gets one of them. Any other
	 * error means that the hardware cannot copy: after several of those
	 * drm_svm_vram_fini() gives the data up. So for a device that is gone,
	 * return one of the others, such as -ENODEV.
	 */
	struct dma_fence *(*copy)(struct drm_svm_vram *vram,
				  const struct drm_svm_copy *segs,
				  unsigned int n);

	/** @clear: start to fill @n runs of VRAM with zeroes; see @copy. */
	struct dma_fence *(*clear)(struct drm_svm_vram *vram,
				   const struct drm_svm_run *runs,
				   unsigned int n);

	/**
	 * @peer_addr: the address at which @peer, a GPU with the same owner,
	 * accesses @offset of this VRAM.
	 *
	 * Contiguous offsets must have contiguous addresses. Must not sleep.
	 * May be NULL if the VRAM has no owner.
	 */
	u64 (*peer_addr)(struct drm_svm_vram *vram, struct drm_svm_device *peer,
			 u64 offset);
};

/**
 * struct drm_svm_vram_config - the VRAM of a GPU, for drm_svm_vram_init()
 */
struct drm_svm_vram_config {
	/** @bdev: the TTM device that manages the VRAM. */
	struct ttm_device *bdev;

	/** @mem_type: the TTM memory type; its resources start at page offsets. */
	u32 mem_type;

	/** @size: bytes of VRAM, a multiple of PAGE_SIZE. */
	u64 size;

	/** @ops: the driver's functions: copy, clear, peer addresses. */
	const struct drm_svm_vram_ops *ops;

	/**
	 * @owner: GPUs whose VRAM has the same owner can access each other's;
	 * NULL: no other GPU can access it.
	 */
	const void *owner;

	/**
	 * @module: THIS_MODULE of the driver. A process that has a poisoned page
	 * keeps it loaded, because the page is freed by its functions.
	 */
	struct module *module;
};

/**
 * struct drm_svm_vram - the VRAM of one GPU, with struct pages
 *
 * Embedded in the driver's device. Each page of the TTM memory type has a
 * device-private struct page, so that the CPU page tables can refer to data in
 * VRAM.
 *
 * A page is called poisoned when its data is lost: its VRAM broke, or the
 * device is gone. Processes keep a poisoned page mapped until they unmap it.
 */
struct drm_svm_vram {
	/** @sdev: the GPU. */
	struct drm_svm_device *sdev;

	/** @drm: the DRM device of the GPU; this structure is a part of it. */
	struct drm_device *drm;

	/** @bdev: the TTM device that manages the VRAM. */
	struct ttm_device *bdev;

	/** @ops: the driver's functions: copy, clear, peer addresses. */
	const struct drm_svm_vram_ops *ops;

	/** @owner: GPUs whose VRAM has the same owner can access each other's. */
	const void *owner;

	/** @mem_type: the TTM memory type; its resources are page offsets. */
	u32 mem_type;

	/** @npages: size of the VRAM, in pages. */
	unsigned long npages;

	/* private: of the library */

	/* the driver's; poisoned pages keep it loaded. */
	struct module *module;

	/* in the list of all VRAM, while the struct pages exist. */
	struct list_head link;

	/*
	 * number of tasks that use the VRAM, or one of its BOs, without
	 * holding a reference to one of its pages.
	 */
	atomic_t users;

	/* the device pages; page 0 is offset 0 of @mem_type. */
	struct dev_pagemap pagemap;

	/* BOs whose last page was freed, possibly in atomic context. */
	struct llist_head freed;

	/* releases the BOs on @freed. */
	struct work_struct free_work;

	/* BOs to be evicted by @evict_work. */
	struct llist_head to_evict;

	/* evicts the BOs on @to_evict. */
	struct work_struct evict_work;

	/* suspended or being removed; nothing migrates to the VRAM. */
	bool closed;

	/*
	 * drm_svm_vram_fini() was called. Evictions then continue even
	 * if the caller is being killed. Set once.
	 */
	bool ending;

	/*
	 * broken pages, by index. The entry is a value, or the BO that
	 * keeps the page allocated so that it is never used again.
	 */
	struct xarray bad;

	/* no other lock of drm_svm is taken under it; for the three below. */
	spinlock_t poison_lock;

	/* number of poisoned pages that are still referenced. */
	unsigned long npoisoned;

	/* they hold a reference to @module. */
	bool module_held;

	/* drm_svm_vram_fini() is over; the last of them queues @release_work. */
	bool release_last;

	/* releases what drm_svm_vram_fini() has kept for poisoned pages. */
	struct work_struct release_work;

	/* leaf lock; protects the members below and writes to @ending. */
	spinlock_t lock;

	/* for each prefetch that evicts, the blocks it must not evict. */
	struct list_head keeps;

	/* BOs that were filled with locked memory (mlock()). */
	struct list_head locked;

	/* number of BOs on @locked. */
	unsigned long nlocked;

	/* frees pages of @locked BOs from per-CPU munlock batches. */
	struct delayed_work drain_work;
};

/**
 * struct drm_svm_context_ops - the MMU functions of one GPU page table
 *
 * Addresses are virtual, in bytes, and multiples of PAGE_SIZE. Intervals are
 * half-open. They never cross a range boundary (PMD_SIZE), except for the two
 * TLB functions, whose interval can be as wide as the address space. The library
 * calls the functions for different ranges in parallel, so the driver must lock
 * its page table.
 *
 * @map, @unmap, @query, @tlb_flush_start and @tlb_flush_wait run inside MMU
 * notifiers, or under a lock of drm_svm that MMU notifiers take, and MMU
 * notifiers run inside reclaim. So a lock that one of these five functions takes
 * must never be held over an allocation that may enter reclaim, not even in
 * @map_prepare.
 */
struct drm_svm_context_ops {
	/**
	 * @map_prepare: make sure that @map and @unmap of [@start, @end) do not
	 * need memory.
	 *
	 * Process context. The caller holds only the service mutex of the
	 * range, which is not taken in reclaim. May sleep and allocate with
	 * GFP_KERNEL, or with GFP_KERNEL_ACCOUNT to charge the process. The
	 * function runs in a thread of the process. In this thread
	 * signal_pending() can become true at any time and then stays true
	 * until the function returns, so the function must not use
	 * interruptible waits.
	 *
	 * The library calls this before every sequence of @map calls, even if
	 * an earlier call prepared the same interval. @map need not follow. The
	 * driver must keep what it prepared until a @map in the range has used
	 * it, or until an @unmap of the whole range: after such an @unmap the
	 * library does not call @map without a new @map_prepare. The driver may
	 * free other page tables that are empty.
	 *
	 * Returns 0 or -ENOMEM.
	 */
	int (*map_prepare)(struct drm_svm_context *ctx, u64 start, u64 end);

	/**
	 * @map: write the page-table entries of @n runs. The first run begins
	 * at @start, each other run where the previous one ends.
	 *
	 * Replaces existing entries. Cannot fail and must not allocate. Called
	 * once or several times after @map_prepare of an interval that contains
	 * all of the runs.
	 *
	 * The library does not flush TLBs afterwards. Without a flush, @map
	 * replaces an entry by a writable entry for the same page, smaller
	 * leaves by a larger one, or a larger leaf by smaller ones of which some
	 * are writable. Therefore an access that lacks permission must drop the
	 * TLB entry it used, and walk the page table again, before it faults.
	 * If the TLB of the hardware cannot hold leaves of two sizes for one
	 * address, the driver must flush in this function.
	 */
	void (*map)(struct drm_svm_context *ctx, u64 start,
		    const struct drm_svm_run *runs, unsigned int n);

	/**
	 * @unmap: clear the page-table entries of [@start, @end).
	 *
	 * Keeps all other entries: the driver splits a larger leaf that extends
	 * beyond the interval. Skips pages that are not mapped. Cannot fail and
	 * must not allocate.
	 */
	void (*unmap)(struct drm_svm_context *ctx, u64 start, u64 end);

	/**
	 * @tlb_flush_start: post a flush of [@start, @end) to every TLB that
	 * may hold a translation of this context.
	 *
	 * The flush includes larger leaves that overlap the interval. The
	 * caller holds a spinlock, so the function must not sleep.
	 */
	void (*tlb_flush_start)(struct drm_svm_context *ctx, u64 start, u64 end);

	/**
	 * @tlb_flush_wait: wait for all flushes posted so far.
	 *
	 * When the function returns, no access that uses a translation older
	 * than these flushes is in flight or will start. May sleep. Must not
	 * wait for anything that waits for a GPU fault or that allocates memory.
	 */
	void (*tlb_flush_wait)(struct drm_svm_context *ctx);

	/**
	 * @fault_done: the answer to a fault from drm_svm_fault_queue_push().
	 *
	 * If @err is 0, the driver replays the access. The access can fault
	 * again: when the CPU changed the mapping in between, or when the
	 * library had to wait for the page and will map it for the second
	 * fault. If @err is not 0, the driver must cancel the access. Called
	 * exactly once for each pushed fault, in process context, with no lock
	 * held. Must not call drm_svm_context_detach(), which waits for this
	 * function.
	 */
	void (*fault_done)(struct drm_svm_context *ctx,
			   const struct drm_svm_fault *fault, int err);

	/**
	 * @query: optional: add DRM_SVM_PAGE_ACCESSED, DRM_SVM_PAGE_DIRTY and
	 * the leaf size to the state of the pages of [@start, @end).
	 *
	 * @state has one element per page. Must not allocate.
	 */
	void (*query)(struct drm_svm_context *ctx, u64 start, u64 end,
		      u32 *state);
};

/**
 * struct drm_svm_context - one GPU page table that follows a shared address space
 *
 * Embedded in the driver's GPU VM, and zeroed before drm_svm_context_attach().
 * There is no reference count: the driver's VM must outlive the attachment.
 */
struct drm_svm_context {
	/** @svm: the address space, NULL when not attached. */
	struct drm_svm *svm;

	/** @sdev: the GPU. Constant while attached. */
	struct drm_svm_device *sdev;

	/** @ops: the MMU functions. Constant while attached. */
	const struct drm_svm_context_ops *ops;

	/** @stats: counters; shared with the BOs allocated for this context. */
	struct drm_svm_stats *stats;

	/**
	 * @flush: the TLB flushes that this context owes. @flush.lock protects
	 * all of it except @flush.done. Clearing entries takes a ticket; any
	 * flush posted after that covers the ticket.
	 */
	struct {
		/** @flush.lock: nests inside the page-table lock of a range. */
		spinlock_t lock;
		/** @flush.start: lowest address to flush; ~0 if there is none. */
		u64 start;
		/** @flush.end: first address past those to flush. */
		u64 end;
		/** @flush.ticket: last ticket given out. */
		u64 ticket;
		/** @flush.posted: last ticket with a posted flush; also read without the lock. */
		u64 posted;
		/** @flush.done: last ticket with a completed flush; changes without the lock. */
		u64 done;
	} flush;

	/** @busy: number of pushed faults and queued prefetches that are not over. */
	atomic_t busy;

	/** @dead: being detached; new faults are refused. */
	bool dead;
};

/* Of the library: what a thread of the process is to do for a context. */
struct drm_svm_pool_item {
	struct list_head link;
	struct drm_svm_context *ctx;
	bool cancelled;
};

/**
 * struct drm_svm_prefetch_work - a prefetch in the order of a driver's queue
 */
struct drm_svm_prefetch_work {
	/**
	 * @args: what to move, as in the ioctl; with @progress zero. It has the
	 * counts when @done is called without an error.
	 */
	struct drm_svm_prefetch args;

	/**
	 * @done: the end of the work, which is the driver's again.
	 *
	 * @err is 0, an error of &struct drm_svm_prefetch, or -ECANCELED: after
	 * drm_svm_prefetch_cancel(), or when the process has ended or the
	 * context is being detached. Process context, no lock held. Must not
	 * call drm_svm_context_detach(), which waits for this function.
	 */
	void (*done)(struct drm_svm_prefetch_work *work, int err);

	/* private: of the library */
	struct drm_svm_pool_item item;
};

int drm_svm_device_init(struct drm_svm_device *sdev, struct drm_device *drm,
			struct device *dma_dev, u64 va_end);
void drm_svm_device_fini(struct drm_svm_device *sdev);

int drm_svm_context_attach(struct drm_svm_context *ctx,
			   struct drm_svm_device *sdev,
			   const struct drm_svm_context_ops *ops);
void drm_svm_context_detach(struct drm_svm_context *ctx);
int drm_svm_context_check_mm(struct drm_svm_context *ctx);

int drm_svm_fault_queue_push(struct drm_svm_context *ctx,
			     const struct drm_svm_fault *fault);

int drm_svm_prefetch_queue(struct drm_svm_context *ctx,
			   struct drm_svm_prefetch_work *work);
void drm_svm_prefetch_cancel(struct drm_svm_prefetch_work *work);

int drm_svm_vram_init(struct drm_svm_vram *vram, struct drm_svm_device *sdev,
		      const struct drm_svm_vram_config *config);
void drm_svm_vram_fini(struct drm_svm_vram *vram);
int drm_svm_vram_evict_all(struct drm_svm_vram *vram);
int drm_svm_vram_suspend(struct drm_svm_vram *vram);
void drm_svm_vram_resume(struct drm_svm_vram *vram);
int drm_svm_vram_mark_bad(struct drm_svm_vram *vram, u64 offset);

bool drm_svm_bo_evict_flags(struct ttm_buffer_object *tbo,
			    struct ttm_placement *placement);
bool drm_svm_bo_eviction_valuable(struct ttm_buffer_object *tbo,
				  const struct ttm_place *place);
bool drm_svm_bo_is_svm(struct ttm_buffer_object *tbo);
int drm_svm_bo_move(struct ttm_buffer_object *tbo,
		    struct ttm_operation_ctx *ctx,
		    struct ttm_resource *new_mem);

int drm_svm_ioctl_attach(struct drm_svm_context *ctx,
			 struct drm_svm_device *sdev,
			 const struct drm_svm_context_ops *ops,
			 struct drm_svm_attach *args);
int drm_svm_ioctl_query(struct drm_svm_context *ctx,
			struct drm_svm_query *args);
int drm_svm_ioctl_prefetch(struct drm_svm_context *ctx,
			   struct drm_svm_prefetch *args);
int drm_svm_ioctl_counters(struct drm_svm_context *ctx,
			   struct drm_svm_counters *args);
int drm_svm_ioctl_events(struct drm_svm_context *ctx,
			 struct drm_svm_events *args);
int drm_svm_ioctl_vram_info(struct drm_svm_context *ctx,
			    struct drm_svm_device *sdev,
			    struct drm_svm_vram_info *args);

void drm_svm_print(struct drm_svm_context *ctx, struct drm_printer *p);
void drm_svm_memory_stats(struct drm_svm_context *ctx,
			  struct drm_memory_stats *vram);

#endif
