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
struct drm_file;
struct drm_memory_stats;
struct drm_printer;
struct drm_svm;
struct drm_svm_context;
struct drm_svm_stats;
struct drm_svm_vram;
struct ttm_buffer_object;
struct ttm_device;
struct ttm_operation_ctx;
struct ttm_place;
struct ttm_placement;
struct ttm_resource;

/**
 * struct drm_svm_device - one GPU that takes part
 *
 * Embedded in the driver's device. Constant from drm_svm_device_init() on, but for
 * @vram and @ncontexts; so that comes before drm_svm_vram_init(). No reference counting is
 * provided: the driver's device outlives its contexts.
 */
struct drm_svm_device {
	/** @drm: the DRM device. */
	struct drm_device *drm;

	/** @dma_dev: the device that does the DMA. */
	struct device *dma_dev;

	/**
	 * @va_end: first address, in bytes, past what is shared: what the
	 * GPU's MMU can translate, in whole ranges.
	 */
	u64 va_end;

	/**
	 * @track_dma: the DMA layer needs every address back, so they are kept
	 * a page each; see dma_need_unmap().
	 */
	bool track_dma;

	/** @vram: its memory, or NULL; set by drm_svm_vram_init(). */
	struct drm_svm_vram *vram;

	/** @ncontexts: contexts that are attached. */
	atomic_t ncontexts;
};

/** DRM_SVM_ACCESS_READ - the GPU wants to read. */
#define DRM_SVM_ACCESS_READ	BIT(0)
/** DRM_SVM_ACCESS_WRITE - the GPU wants to write, or to do an atomic. */
#define DRM_SVM_ACCESS_WRITE	BIT(1)
/**
 * DRM_SVM_ACCESS_AHEAD - no access waits yet: the page is likely used next
 *
 * Where the page would have to be waited for, the fault is answered with -EBUSY
 * instead, so that no work outlives what it was meant for.
 */
#define DRM_SVM_ACCESS_AHEAD	BIT(2)

/**
 * struct drm_svm_fault - one GPU access that missed
 */
struct drm_svm_fault {
	/** @addr: the virtual address, in bytes; need not be aligned. */
	u64 addr;

	/** @cookie: the driver's own, handed back with the fault. */
	u64 cookie;

	/**
	 * @access: DRM_SVM_ACCESS_READ, DRM_SVM_ACCESS_WRITE or both, and
	 * perhaps DRM_SVM_ACCESS_AHEAD.
	 */
	u32 access;
};

/**
 * struct drm_svm_run - contiguous pages of one kind
 */
struct drm_svm_run {
	/**
	 * @addr: address of the first page, in bytes: a DMA address; with
	 * %DRM_SVM_LOCATION_VRAM an offset into the memory of the device; with
	 * %DRM_SVM_LOCATION_PEER what &drm_svm_vram_ops.peer_addr returned.
	 */
	dma_addr_t addr;

	/** @npages: pages, not zero. */
	u32 npages;

	/** @location: enum drm_svm_location. */
	u16 location;

	/** @prot: DRM_SVM_PAGE_READ, with DRM_SVM_PAGE_WRITE or without. */
	u16 prot;
};

/**
 * struct drm_svm_copy - pages to copy, contiguous on both sides
 */
struct drm_svm_copy {
	/** @src: DMA address or offset, as in struct drm_svm_run. */
	u64 src;

	/** @dst: DMA address or offset, as in struct drm_svm_run. */
	u64 dst;

	/** @npages: pages, not zero. */
	u32 npages;

	/** @src_location: enum drm_svm_location. */
	u16 src_location;

	/** @dst_location: enum drm_svm_location. */
	u16 dst_location;
};

/**
 * struct drm_svm_vram_ops - the memory of one GPU
 *
 * Work is done in order of the calls. A fence must signal without waiting for
 * memory or for a GPU fault: eviction waits for it.
 */
struct drm_svm_vram_ops {
	/**
	 * @copy: start to copy @n segments; they may be freed on return.
	 *
	 * Process context, may sleep but not wait for memory with reclaim.
	 * Returns a fence, owned by the caller, whose error is set when some
	 * of it was not copied; or an ERR_PTR(). Never NULL: a copy that is done
	 * already has a fence that has signalled, see dma_fence_get_stub().
	 *
	 * Pages whose copy failed stay where they are. -EBUSY, -EAGAIN, -ENOMEM,
	 * -EINTR and -ERESTARTSYS, of the fence or as an ERR_PTR(), say that the
	 * same copy may succeed a little later: drm_svm_vram_fini() tries again
	 * for as long as it gets one of them. Any other error says that the
	 * hardware cannot copy: after some of those it gives the data up. So a
	 * device that is gone answers with another one, such as -ENODEV.
	 */
	struct dma_fence *(*copy)(struct drm_svm_vram *vram,
				  const struct drm_svm_copy *segs,
				  unsigned int n);

	/** @clear: start to fill @n runs of VRAM with zeroes; see @copy. */
	struct dma_fence *(*clear)(struct drm_svm_vram *vram,
				   const struct drm_svm_run *runs,
				   unsigned int n);

	/**
	 * @peer_addr: where @peer, a GPU with the same owner, finds @offset of
	 * this VRAM.
	 *
	 * Contiguous offsets have contiguous addresses. Must not sleep. May be
	 * NULL where there is no owner.
	 */
	u64 (*peer_addr)(struct drm_svm_vram *vram, struct drm_svm_device *peer,
			 u64 offset);
};

/**
 * struct drm_svm_vram - the VRAM of one GPU behind struct pages
 *
 * Embedded in the driver's device. Every page of the TTM memory type has a
 * device-private page, so that the CPU's page tables can say "on the GPU".
 */
struct drm_svm_vram {
	/** @sdev: the GPU. */
	struct drm_svm_device *sdev;

	/** @drm: its DRM device, of which this is a part. */
	struct drm_device *drm;

	/** @bdev: the TTM device that the memory belongs to. */
	struct ttm_device *bdev;

	/** @ops: copy and clear. */
	const struct drm_svm_vram_ops *ops;

	/** @owner: GPUs whose VRAM has the same owner reach each other's. */
	const void *owner;

	/** @mem_type: the TTM memory type, which hands out page offsets. */
	u32 mem_type;

	/** @npages: pages of it. */
	unsigned long npages;

	/** @link: in the list of all VRAM, as long as the pages have a struct page. */
	struct list_head link;

	/** @users: those that use it, or a BO of it, without a page of it. */
	atomic_t users;

	/** @pagemap: the device pages; page 0 is offset 0 of @mem_type. */
	struct dev_pagemap pagemap;

	/** @freed: BOs whose last page went, in atomic context. */
	struct llist_head freed;

	/** @free_work: drops them. */
	struct work_struct free_work;

	/** @leaving: BOs whose pages have to go home, from a work item. */
	struct llist_head leaving;

	/** @leave_work: sees to that. */
	struct work_struct leave_work;

	/** @closed: nothing comes in any more, or for as long as it is suspended. */
	bool closed;

	/** @ending: it goes for good, whatever becomes of the caller; set once. */
	bool ending;

	/** @bad: pages not to be used, by index; NULL or the BO that keeps one. */
	struct xarray bad;

	/** @lost: pages whose data is gone, but which processes still have; and one. */
	atomic_long_t lost;

	/** @lock: protects all below, and writes to @ending; a leaf. */
	spinlock_t lock;

	/** @keeps: what calls that want room must not evict for it, one for each. */
	struct list_head keeps;

	/** @locked: BOs that were filled with locked memory. */
	struct list_head locked;

	/** @nlocked: their number. */
	unsigned long nlocked;

	/** @drain_work: looks after them. */
	struct delayed_work drain_work;
};

/**
 * struct drm_svm_context_ops - the MMU functions of one GPU page table
 *
 * Addresses are virtual, in bytes, multiples of PAGE_SIZE; intervals are
 * half-open and never cross a range boundary (PMD_SIZE), but for the two TLB
 * functions, whose interval may be as wide as the address space. Calls for
 * different ranges run in parallel, so the driver locks its page table.
 *
 * @map, @unmap, @query, @tlb_flush_start and @tlb_flush_wait run inside of MMU
 * notifiers, or under a lock of drm_svm that MMU notifiers take; and these run
 * inside of reclaim. So a lock that one of the five takes must never be held
 * over an allocation that may reclaim, in @map_prepare neither.
 */
struct drm_svm_context_ops {
	/**
	 * @map_prepare: make sure that @map and @unmap of [@start, @end) need
	 * no memory.
	 *
	 * Process context, only the range's service mutex held, which is not
	 * taken in reclaim; may sleep and allocate with GFP_KERNEL, charged to
	 * the process with GFP_KERNEL_ACCOUNT. It runs in a thread of the
	 * process, in which signal_pending() may be true at any time, and
	 * stays so until it returns: what it waits for it must not wait for
	 * interruptibly.
	 *
	 * Comes before every sequence of @map calls, also where an earlier
	 * call prepared the same interval; @map need not follow. What was
	 * prepared has to stay until a @map in the range used it, or until an
	 * @unmap of the whole range: @map does not come after that without a
	 * new @map_prepare. Page tables that are empty and not promised in
	 * this way may be freed.
	 *
	 * Returns 0 or -ENOMEM.
	 */
	int (*map_prepare)(struct drm_svm_context *ctx, u64 start, u64 end);

	/**
	 * @map: write the page-table entries of @n runs, the first at @start,
	 * each next one where the last one ended.
	 *
	 * Replaces what was there. Cannot fail, must not allocate. Called once
	 * or more after @map_prepare of an interval that holds all of the runs.
	 *
	 * No flush follows. What is replaced without one is an entry for the
	 * same page that becomes writable, smaller leaves that become a larger
	 * one, or a larger one of which a part becomes writable. So an access
	 * that misses for want of permission has to drop the TLB entry that it
	 * met, and walk again, before it faults; and hardware that cannot have
	 * leaves of two sizes for one address in its TLB flushes in here.
	 */
	void (*map)(struct drm_svm_context *ctx, u64 start,
		    const struct drm_svm_run *runs, unsigned int n);

	/**
	 * @unmap: clear the page-table entries of [@start, @end).
	 *
	 * Other entries stay; a larger leaf that sticks out is split. Pages of
	 * the interval that are not mapped are skipped. Cannot fail, must not
	 * allocate.
	 */
	void (*unmap)(struct drm_svm_context *ctx, u64 start, u64 end);

	/**
	 * @tlb_flush_start: post a flush of [@start, @end) to every TLB that
	 * may hold a translation of this context.
	 *
	 * Larger leaves that overlap the interval are part of it. Called with
	 * a spinlock held: must not sleep.
	 */
	void (*tlb_flush_start)(struct drm_svm_context *ctx, u64 start, u64 end);

	/**
	 * @tlb_flush_wait: wait for every flush posted so far.
	 *
	 * On return no access that uses a translation older than these
	 * flushes is in flight or will be made. May sleep; must not wait for
	 * anything that waits for a GPU fault, or that allocates.
	 */
	void (*tlb_flush_wait)(struct drm_svm_context *ctx);

	/**
	 * @fault_done: a fault from drm_svm_fault_queue_push() is over.
	 *
	 * With @err 0 the access may be tried again; it may miss again, when
	 * the CPU was faster, or when the page was waited for and is to be
	 * mapped now. Else it must be cancelled. Called exactly once a pushed
	 * fault, from process context, with no lock held. Must not call
	 * drm_svm_context_detach(), which waits for it.
	 */
	void (*fault_done)(struct drm_svm_context *ctx,
			   const struct drm_svm_fault *fault, int err);

	/**
	 * @query: optional: add DRM_SVM_PAGE_ACCESSED, DRM_SVM_PAGE_DIRTY and
	 * the leaf size to the state of the pages of [@start, @end).
	 *
	 * @state has one element a page. Must not allocate.
	 */
	void (*query)(struct drm_svm_context *ctx, u64 start, u64 end,
		      u32 *state);
};

/**
 * struct drm_svm_context - one GPU's view of a shared address space
 *
 * Embedded in the driver's GPU VM, zeroed before drm_svm_context_attach(). No
 * reference counting is provided: the driver's VM outlives the attachment.
 */
struct drm_svm_context {
	/** @svm: the address space, NULL when not attached. */
	struct drm_svm *svm;

	/** @sdev: the GPU. Constant while attached. */
	struct drm_svm_device *sdev;

	/** @ops: the MMU functions. Constant while attached. */
	const struct drm_svm_context_ops *ops;

	/** @stats: counters; VRAM that was filled for the context has them too. */
	struct drm_svm_stats *stats;

	/**
	 * @flush: TLB flushes owed, under @flush.lock but for the last. Cleared entries take a
	 * ticket; a flush posted later than the ticket covers it.
	 */
	struct {
		/** @flush.lock: inside of the page-table lock of a range. */
		spinlock_t lock;
		/** @flush.start: lowest address owed; ~0 when none is. */
		u64 start;
		/** @flush.end: first address past what is owed. */
		u64 end;
		/** @flush.ticket: last ticket given. */
		u64 ticket;
		/** @flush.posted: last ticket for which one was posted; read without the lock. */
		u64 posted;
		/** @flush.done: last ticket for which one is over; changes without the lock. */
		u64 done;
	} flush;

	/** @busy: faults that were pushed and are not answered yet. */
	atomic_t busy;

	/** @dead: being detached: no new faults. */
	bool dead;
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

int drm_svm_vram_init(struct drm_svm_vram *vram, struct drm_svm_device *sdev,
		      struct ttm_device *bdev, u32 mem_type, u64 size,
		      const struct drm_svm_vram_ops *ops, const void *owner);
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
int drm_svm_ioctl_prefetch(struct drm_svm_context *ctx, struct drm_file *file,
			   struct drm_svm_prefetch *args);
int drm_svm_ioctl_counters(struct drm_svm_context *ctx,
			   struct drm_svm_counters *args);

void drm_svm_print(struct drm_svm_context *ctx, struct drm_printer *p);
void drm_svm_memory_stats(struct drm_svm_context *ctx,
			  struct drm_memory_stats *vram);

#endif
