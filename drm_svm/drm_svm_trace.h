/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#if !defined(_DRM_SVM_TRACE_H_) || defined(TRACE_HEADER_MULTI_READ)
#define _DRM_SVM_TRACE_H_

#include <linux/tracepoint.h>

#include "drm_svm_vram.h"

#undef TRACE_SYSTEM
#define TRACE_SYSTEM drm_svm

#define drm_svm_show_access(access)				\
	__print_flags(access, "|",				\
		      { DRM_SVM_ACCESS_READ, "read" },		\
		      { DRM_SVM_ACCESS_WRITE, "write" },	\
		      { DRM_SVM_ACCESS_AHEAD, "ahead" })

DECLARE_EVENT_CLASS(drm_svm_context_class,
	TP_PROTO(const struct drm_svm_context *ctx),
	TP_ARGS(ctx),
	TP_STRUCT__entry(
		__field(const void *, svm)
		__field(const void *, ctx)
	),
	TP_fast_assign(
		__entry->svm = ctx->svm;
		__entry->ctx = ctx;
	),
	TP_printk("svm=%p ctx=%p", __entry->svm, __entry->ctx)
);

DEFINE_EVENT(drm_svm_context_class, drm_svm_attach,
	TP_PROTO(const struct drm_svm_context *ctx),
	TP_ARGS(ctx)
);

DEFINE_EVENT(drm_svm_context_class, drm_svm_detach,
	TP_PROTO(const struct drm_svm_context *ctx),
	TP_ARGS(ctx)
);

DECLARE_EVENT_CLASS(drm_svm_range_class,
	TP_PROTO(const struct drm_svm *svm, unsigned long start),
	TP_ARGS(svm, start),
	TP_STRUCT__entry(
		__field(const void *, svm)
		__field(unsigned long, start)
	),
	TP_fast_assign(
		__entry->svm = svm;
		__entry->start = start;
	),
	TP_printk("svm=%p start=0x%lx", __entry->svm, __entry->start)
);

DEFINE_EVENT(drm_svm_range_class, drm_svm_range_create,
	TP_PROTO(const struct drm_svm *svm, unsigned long start),
	TP_ARGS(svm, start)
);

DEFINE_EVENT(drm_svm_range_class, drm_svm_range_remove,
	TP_PROTO(const struct drm_svm *svm, unsigned long start),
	TP_ARGS(svm, start)
);

DECLARE_EVENT_CLASS(drm_svm_fault_class,
	TP_PROTO(const struct drm_svm_context *ctx,
		 const struct drm_svm_fault *fault),
	TP_ARGS(ctx, fault),
	TP_STRUCT__entry(
		__field(const void *, ctx)
		__field(u64, addr)
		__field(u32, access)
	),
	TP_fast_assign(
		__entry->ctx = ctx;
		__entry->addr = fault->addr;
		__entry->access = fault->access;
	),
	TP_printk("ctx=%p addr=0x%llx access=%s", __entry->ctx, __entry->addr,
		  drm_svm_show_access(__entry->access))
);

/* the driver has pushed a fault */
DEFINE_EVENT(drm_svm_fault_class, drm_svm_fault,
	TP_PROTO(const struct drm_svm_context *ctx,
		 const struct drm_svm_fault *fault),
	TP_ARGS(ctx, fault)
);

/* a fault is left to a thread that waits for its page */
DEFINE_EVENT(drm_svm_fault_class, drm_svm_wait,
	TP_PROTO(const struct drm_svm_context *ctx,
		 const struct drm_svm_fault *fault),
	TP_ARGS(ctx, fault)
);

/* a fault was answered */
TRACE_EVENT(drm_svm_fault_done,
	TP_PROTO(const struct drm_svm_context *ctx,
		 const struct drm_svm_fault *fault, int err),
	TP_ARGS(ctx, fault, err),
	TP_STRUCT__entry(
		__field(const void *, ctx)
		__field(u64, addr)
		__field(u32, access)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->ctx = ctx;
		__entry->addr = fault->addr;
		__entry->access = fault->access;
		__entry->err = err;
	),
	TP_printk("ctx=%p addr=0x%llx access=%s err=%d", __entry->ctx,
		  __entry->addr, drm_svm_show_access(__entry->access),
		  __entry->err)
);

TRACE_EVENT(drm_svm_batch,
	TP_PROTO(const struct drm_svm *svm, unsigned int nfaults),
	TP_ARGS(svm, nfaults),
	TP_STRUCT__entry(
		__field(const void *, svm)
		__field(unsigned int, nfaults)
	),
	TP_fast_assign(
		__entry->svm = svm;
		__entry->nfaults = nfaults;
	),
	TP_printk("svm=%p nfaults=%u", __entry->svm, __entry->nfaults)
);

/* the CPU page table was read */
TRACE_EVENT(drm_svm_walk,
	TP_PROTO(const struct drm_svm *svm, unsigned long start,
		 unsigned int npages, int err),
	TP_ARGS(svm, start, npages, err),
	TP_STRUCT__entry(
		__field(const void *, svm)
		__field(unsigned long, start)
		__field(unsigned int, npages)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->svm = svm;
		__entry->start = start;
		__entry->npages = npages;
		__entry->err = err;
	),
	TP_printk("svm=%p start=0x%lx npages=%u err=%d", __entry->svm,
		  __entry->start, __entry->npages, __entry->err)
);

/* the GPU page table was written */
TRACE_EVENT(drm_svm_map,
	TP_PROTO(const struct drm_svm_context *ctx, unsigned long start,
		 unsigned int npages, unsigned int nruns),
	TP_ARGS(ctx, start, npages, nruns),
	TP_STRUCT__entry(
		__field(const void *, ctx)
		__field(unsigned long, start)
		__field(unsigned int, npages)
		__field(unsigned int, nruns)
	),
	TP_fast_assign(
		__entry->ctx = ctx;
		__entry->start = start;
		__entry->npages = npages;
		__entry->nruns = nruns;
	),
	TP_printk("ctx=%p start=0x%lx npages=%u nruns=%u", __entry->ctx,
		  __entry->start, __entry->npages, __entry->nruns)
);

/* npages pages of [start, end) were unmapped */
TRACE_EVENT(drm_svm_unmap,
	TP_PROTO(const struct drm_svm_context *ctx, unsigned long start,
		 unsigned long end, unsigned int npages),
	TP_ARGS(ctx, start, end, npages),
	TP_STRUCT__entry(
		__field(const void *, ctx)
		__field(unsigned long, start)
		__field(unsigned long, end)
		__field(unsigned int, npages)
	),
	TP_fast_assign(
		__entry->ctx = ctx;
		__entry->start = start;
		__entry->end = end;
		__entry->npages = npages;
	),
	TP_printk("ctx=%p start=0x%lx end=0x%lx npages=%u", __entry->ctx,
		  __entry->start, __entry->end, __entry->npages)
);

/* pages were moved to VRAM, others were left */
TRACE_EVENT(drm_svm_to_vram,
	TP_PROTO(const struct drm_svm *svm, unsigned long start,
		 unsigned long end, unsigned int moved, unsigned int left),
	TP_ARGS(svm, start, end, moved, left),
	TP_STRUCT__entry(
		__field(const void *, svm)
		__field(unsigned long, start)
		__field(unsigned long, end)
		__field(unsigned int, moved)
		__field(unsigned int, left)
	),
	TP_fast_assign(
		__entry->svm = svm;
		__entry->start = start;
		__entry->end = end;
		__entry->moved = moved;
		__entry->left = left;
	),
	TP_printk("svm=%p start=0x%lx end=0x%lx moved=%u left=%u", __entry->svm,
		  __entry->start, __entry->end, __entry->moved, __entry->left)
);

/* pages of a mapping were migrated to RAM */
TRACE_EVENT(drm_svm_to_ram,
	TP_PROTO(unsigned long start, unsigned long end, u64 moved, int err),
	TP_ARGS(start, end, moved, err),
	TP_STRUCT__entry(
		__field(unsigned long, start)
		__field(unsigned long, end)
		__field(u64, moved)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->start = start;
		__entry->end = end;
		__entry->moved = moved;
		__entry->err = err;
	),
	TP_printk("start=0x%lx end=0x%lx moved=%llu err=%d", __entry->start,
		  __entry->end, __entry->moved, __entry->err)
);

/* pages of a BO were migrated to RAM by an eviction */
TRACE_EVENT(drm_svm_evict,
	TP_PROTO(const struct drm_svm_bo *bo, u64 moved, long left),
	TP_ARGS(bo, moved, left),
	TP_STRUCT__entry(
		__field(const void *, bo)
		__field(u64, moved)
		__field(long, left)
	),
	TP_fast_assign(
		__entry->bo = bo;
		__entry->moved = moved;
		__entry->left = left;
	),
	TP_printk("bo=%p moved=%llu left=%ld", __entry->bo, __entry->moved,
		  __entry->left)
);

TRACE_EVENT(drm_svm_flush,
	TP_PROTO(const struct drm_svm_context *ctx, u64 start, u64 end),
	TP_ARGS(ctx, start, end),
	TP_STRUCT__entry(
		__field(const void *, ctx)
		__field(u64, start)
		__field(u64, end)
	),
	TP_fast_assign(
		__entry->ctx = ctx;
		__entry->start = start;
		__entry->end = end;
	),
	TP_printk("ctx=%p start=0x%llx end=0x%llx", __entry->ctx,
		  __entry->start, __entry->end)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE drm_svm_trace
#include <trace/define_trace.h>
