// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/export.h>
#include <linux/hmm.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>

#include "drm_svm_migrate.h"

/**
 * DOC: Prefetch
 *
 * A program says where its pages are to be, before they are used. The calling
 * task, which owns the memory, does the work: it is charged for it, it can be
 * killed, and it is told what became of each page.
 *
 * Parts of the interval that lie in one range and one mapping are looked at
 * with one page-table walk each. To VRAM, several of them go into a migrator,
 * and are moved together. Only a huge page has a range made for it, and no
 * service_lock is held: if a GPU fault moves the same pages concurrently, each
 * page goes with the migration that locks it first.
 *
 * Free VRAM is taken first. Once there is none, the interval is scanned for
 * pages that are in VRAM already, which the call keeps, see drm_svm_keep.c.
 * Then others are evicted. Pages that find no room even so stay, and are
 * counted.
 */

/* A part may be spread over this many other GPUs; the rest is left there. */
#define DRM_SVM_TO_RAM_TRIES	8

/* Parts that are looked at before mmap_lock is dropped */
#define DRM_SVM_PARTS		64

/*
 * Chunks at a time: with more, others might evict the first BO before it is
 * filled.
 */
#define DRM_SVM_PREFETCH_CHUNKS	8U

struct drm_svm_prefetcher {
	struct drm_svm_context *ctx;
	const struct drm_svm_prefetch *args;
	/* set when a queued prefetch is cancelled; NULL in an ioctl */
	const bool *stop;
	struct drm_svm_migrator *migrator;
	struct drm_svm_moved moved;
	/* the current part */
	struct vm_area_struct *vma;
	unsigned long start;
	unsigned long end;
	/*
	 * a VRAM with pages of the part, other than the one whose pages stay;
	 * counted in its users
	 */
	struct drm_svm_vram *other;
	/* pages in such VRAM; pages to move, within [@want_first, @want_end) */
	unsigned int others;
	unsigned int want;
	unsigned int want_first;
	unsigned int want_end;
	unsigned long pfns[DRM_SVM_RANGE_PAGES];
};

/*
 * Returns 0 or the error with which the call ends. An ioctl ends here only for a
 * fatal signal, because it may have moved nothing yet. A thread that works
 * through a driver's queue ends for any signal, and starts again later.
 */
static int drm_svm_prefetch_lock(const struct drm_svm_prefetcher *p)
{
	struct mm_struct *mm = p->ctx->svm->mm;

	if (p->stop)
		return drm_svm_mmap_read_lock(mm, true) ? 0 : -ERESTARTSYS;
	return mmap_read_lock_killable(mm) ? -EINTR : 0;
}

static unsigned long drm_svm_part_pages(const struct drm_svm_prefetcher *p)
{
	return (p->end - p->start) >> PAGE_SHIFT;
}

/*
 * Find the next part from @start on, with mmap_lock held. Returns false at the
 * end, or where the memory was unmapped in the meantime.
 */
static bool drm_svm_part_find(struct drm_svm_prefetcher *p, unsigned long start,
			      unsigned long end)
{
	mmap_assert_locked(p->ctx->svm->mm);
	if (start == end)
		return false;
	p->vma = find_vma_intersection(p->ctx->svm->mm, start, start + 1);
	if (!p->vma)
		return false;
	p->start = start;
	p->end = min3((start | (DRM_SVM_RANGE_SIZE - 1)) + 1, p->vma->vm_end, end);
	return true;
}

/*
 * Read what the CPU has in the part. The first page of a huge page describes
 * it all, and most of what is prefetched is of huge pages.
 */
static bool drm_svm_part_peek(struct drm_svm_prefetcher *p)
{
	struct mm_struct *mm = p->vma->vm_mm;

	if (drm_svm_walk_peek(mm, p->start, p->start + PAGE_SIZE, p->pfns))
		return false;
	return drm_svm_pfn_is_huge(p->pfns[0]) ||
	       !drm_svm_walk_peek(mm, p->start, p->end, p->pfns);
}

/* Count where the pages of the part are; those in the VRAM @keep stay. */
static void drm_svm_part_scan(struct drm_svm_prefetcher *p,
			      struct drm_svm_vram *keep)
{
	unsigned int i, n, npages = drm_svm_part_pages(p);
	struct drm_svm_vram *vram;

	drm_svm_vram_put(p->other);
	p->other = NULL;
	p->others = 0;
	p->want = 0;
	p->want_first = 0;
	p->want_end = 0;
	guard(rcu)();
	for (i = 0; i < npages; i += n) {
		n = drm_svm_pfn_is_huge(p->pfns[i]) ? npages - i : 1;
		vram = drm_svm_pfn_vram(p->pfns[i]);
		if (vram && vram == keep) {
			/* a huge page may begin before the part */
			if (p->migrator->keep)
				drm_svm_keep_add(p->migrator->keep,
						 PFN_PHYS(p->pfns[i] & ~HMM_PFN_FLAGS) -
						 vram->pagemap.range.start, n);
			continue;
		}
		if (vram && !p->other) {
			atomic_inc(&vram->users);
			p->other = vram;
		}
		if (vram)
			p->others += n;
		if (!p->want)
			p->want_first = i;
		p->want += n;
		p->want_end = i + n;
	}
}

/*
 * Migrate the pages in VRAM to RAM, except those in @keep. Returns the number
 * of pages that were in VRAM; the counts in @p are of the pages that are left.
 */
static unsigned int drm_svm_part_to_ram(struct drm_svm_prefetcher *p,
					struct drm_svm_vram *keep,
					struct drm_svm_moved *moved)
{
	unsigned int try, n;

	drm_svm_part_scan(p, keep);
	n = p->others;
	for (try = 0; try < DRM_SVM_TO_RAM_TRIES && p->other; try++) {
		if (!drm_svm_migrate_vma_to_ram(p->migrator->m[0], p->other, p->vma,
						p->start, p->end, moved) ||
		    !drm_svm_part_peek(p))
			break;
		drm_svm_part_scan(p, keep);
	}
	drm_svm_vram_put(p->other);
	p->other = NULL;
	return n;
}

/* Return whether a chunk is, or becomes, a huge page. */
static bool drm_svm_chunk_is_huge(const struct drm_svm_chunk *chunk,
				  struct vm_area_struct *vma, unsigned long pfn)
{
	if (chunk->end - chunk->start != DRM_SVM_RANGE_SIZE)
		return false;
	if (!(pfn & (HMM_PFN_VALID | HMM_PFN_ERROR)))
		pfn = drm_svm_chunk_ask_cpu(vma, chunk->start, chunk->start);
	return drm_svm_policy_is_whole(vma, chunk->start, pfn);
}

/* Make a chunk of the pages of the part that are not in our VRAM yet. */
static void drm_svm_part_to_chunk(struct drm_svm_prefetcher *p)
{
	struct drm_svm_chunk *chunk = &p->migrator->chunks[p->migrator->n];

	if (!p->want)
		return;
	*chunk = (struct drm_svm_chunk) {
		.vram = p->ctx->sdev->vram,
		.stats = p->ctx->stats,
		.start = p->start + ((unsigned long)p->want_first << PAGE_SHIFT),
		.end = p->start + ((unsigned long)p->want_end << PAGE_SHIFT),
		.holes = true,
		.want = p->want,
	};
	drm_svm_chunk_set_block(chunk);
	chunk->whole = drm_svm_chunk_is_huge(chunk, p->vma, p->pfns[p->want_first]);
	p->migrator->n++;
}

/*
 * Of a mapping of a file only the copied pages move, so end the part where
 * they begin or end. Returns whether the part moves.
 */
static bool drm_svm_part_cut(struct drm_svm_prefetcher *p)
{
	unsigned int i = 1, npages = drm_svm_part_pages(p);
	bool own = drm_svm_pfn_is_anon(p->pfns[0]);

	if (vma_is_anonymous(p->vma))
		return true;
	/* of a huge page only the first entry is known */
	if (drm_svm_pfn_is_huge(p->pfns[0]))
		i = npages;
	while (i < npages && drm_svm_pfn_is_anon(p->pfns[i]) == own)
		i++;
	p->end = p->start + ((unsigned long)i << PAGE_SHIFT);
	if (!own)
		p->moved.unsupported += i;
	return own;
}

/* Pass over the rest of the mapping, all of which stays. */
static void drm_svm_part_skip(struct drm_svm_prefetcher *p, unsigned long end)
{
	int err = drm_svm_policy_check_vma(p->vma, DRM_SVM_ACCESS_READ);

	p->end = min(p->vma->vm_end, end);
	if (err == -EACCES)
		p->moved.denied += drm_svm_part_pages(p);
	else
		p->moved.unsupported += drm_svm_part_pages(p);
}

/*
 * Called with mmap_lock held. Returns where to go on; @start if nothing is
 * there.
 */
static unsigned long drm_svm_prefetch_choose(struct drm_svm_prefetcher *p,
					     unsigned long start,
					     unsigned long end)
{
	struct drm_svm_moved to_ram = { 0 };
	unsigned int i;

	for (i = 0; i < DRM_SVM_PARTS && p->migrator->n < DRM_SVM_PREFETCH_CHUNKS &&
	     drm_svm_part_find(p, start, end); i++) {
		if (drm_svm_policy_may_move(p->vma, DRM_SVM_ACCESS_READ) &&
		    drm_svm_part_peek(p)) {
			if (drm_svm_part_cut(p)) {
				drm_svm_part_to_ram(p, p->ctx->sdev->vram, &to_ram);
				drm_svm_part_to_chunk(p);
			}
		} else {
			drm_svm_part_skip(p, end);
		}
		start = p->end;
	}
	return start;
}

/*
 * Keep what some parts from @start on have in our VRAM, with mmap_lock held.
 * Returns where to go on.
 */
static unsigned long drm_svm_prefetch_keep_some(struct drm_svm_prefetcher *p,
						unsigned long start,
						unsigned long end)
{
	unsigned int i;

	for (i = 0; i < DRM_SVM_PARTS; i++) {
		if (!drm_svm_part_find(p, start, end))
			return end;
		if (!drm_svm_policy_may_move(p->vma, DRM_SVM_ACCESS_READ))
			p->end = min(p->vma->vm_end, end);
		else if (drm_svm_part_peek(p))
			drm_svm_part_scan(p, p->ctx->sdev->vram);
		start = p->end;
	}
	return start;
}

/* There is no room: keep what the interval has in VRAM from being evicted. */
static int drm_svm_prefetch_keep(struct drm_svm_prefetcher *p)
{
	unsigned long start = p->args->start, end = start + p->args->size;
	struct drm_svm_migrator *migrator = p->migrator;
	struct mm_struct *mm = p->ctx->svm->mm;
	unsigned int i;
	int err;

	migrator->keep = drm_svm_keep_create(p->ctx->sdev->vram);
	if (!migrator->keep)
		return -ENOMEM;
	/* these BOs have no pages yet */
	for (i = 0; i < migrator->n; i++) {
		if (migrator->chunks[i].bo)
			drm_svm_keep_add_bo(migrator->keep, migrator->chunks[i].bo);
	}
	while (start < end) {
		err = drm_svm_prefetch_lock(p);
		if (err)
			return err;
		start = drm_svm_prefetch_keep_some(p, start, end);
		mmap_read_unlock(mm);
		if (fatal_signal_pending(current))
			return -EINTR;
		if (p->stop && signal_pending(current))
			return READ_ONCE(*p->stop) ? -ECANCELED : -ERESTARTSYS;
		cond_resched();
	}
	return 0;
}

static int drm_svm_prefetch_make_bos(struct drm_svm_prefetcher *p)
{
	int err;

	if (!p->migrator->keep && !drm_svm_migrator_try_bos(p->migrator)) {
		err = drm_svm_prefetch_keep(p);
		if (err)
			return err;
	}
	drm_svm_migrator_make_bos(p->migrator);
	return 0;
}

/*
 * A huge page leaves VRAM whole only where it has a range, see
 * drm_svm_quirk_evict.c. If there is no memory for a range, it will be split.
 */
static void drm_svm_prefetch_make_ranges(struct drm_svm_prefetcher *p)
{
	struct drm_svm_range *range;
	unsigned int i;

	for (i = 0; i < p->migrator->n; i++) {
		if (!p->migrator->chunks[i].whole || !p->migrator->chunks[i].bo)
			continue;
		range = drm_svm_range_obtain(p->ctx->svm, p->migrator->chunks[i].base);
		if (!IS_ERR(range))
			drm_svm_range_put(range);
	}
}

/* Returns 0 and in @start where to go on, or an error. */
static int drm_svm_prefetch_to_vram(struct drm_svm_prefetcher *p,
				    unsigned long *start, unsigned long end)
{
	struct drm_svm_moved before = p->moved, filled = p->migrator->moved;
	struct mm_struct *mm = p->ctx->svm->mm;
	unsigned long from = *start;
	int err;

	err = drm_svm_prefetch_lock(p);
	if (err)
		return err;
	*start = drm_svm_prefetch_choose(p, from, end);
	mmap_read_unlock(mm);
	if (*start == from)
		return -ENOENT;
	err = drm_svm_prefetch_make_bos(p);
	if (!err) {
		drm_svm_prefetch_make_ranges(p);
		err = drm_svm_prefetch_lock(p);
	}
	if (!err) {
		drm_svm_migrator_run(p->migrator);
		mmap_read_unlock(mm);
	} else {
		/* a call that goes on does this part again */
		p->moved = before;
		p->migrator->moved = filled;
		*start = from;
	}
	drm_svm_migrator_release(p->migrator);
	return err;
}

/* The same to system memory, for one part. */
static int drm_svm_prefetch_to_system(struct drm_svm_prefetcher *p,
				      unsigned long *start, unsigned long end)
{
	struct mm_struct *mm = p->ctx->svm->mm;
	struct drm_svm_moved to_ram = { 0 };
	u64 n, gone;
	int err;

	err = drm_svm_prefetch_lock(p);
	if (err)
		return err;
	if (!drm_svm_part_find(p, *start, end)) {
		mmap_read_unlock(mm);
		return -ENOENT;
	}
	if (drm_svm_policy_has_vram(p->vma, DRM_SVM_ACCESS_READ) &&
	    drm_svm_part_peek(p)) {
		n = drm_svm_part_to_ram(p, NULL, &to_ram);
		gone = min(to_ram.moved, n);
		p->moved.moved += gone;
		p->moved.failed += min(to_ram.failed, n - gone);
		p->moved.busy += n - gone - min(to_ram.failed, n - gone);
	} else if (drm_svm_policy_check_vma(p->vma, DRM_SVM_ACCESS_READ)) {
		drm_svm_part_skip(p, end);
	} else {
		p->end = min(p->vma->vm_end, end);
	}
	*start = p->end;
	mmap_read_unlock(mm);
	return 0;
}

/*
 * Return the error with which to end early: because the device goes, or for a
 * signal. Signals may come faster than the interval can be processed. So a call
 * ends for a signal only once it has moved a page, which the next call finds
 * there, or if its caller passes @progress on.
 */
static int drm_svm_prefetch_check_end(struct drm_svm_prefetcher *p)
{
	if (drm_dev_is_unplugged(p->ctx->sdev->drm))
		return -ENODEV;
	if (p->stop && READ_ONCE(*p->stop))
		return -ECANCELED;
	if (fatal_signal_pending(current))
		return -EINTR;
	if (!signal_pending(current))
		return 0;
	return p->stop || p->args->progress || p->moved.moved || p->migrator->moved.moved ?
	       -ERESTARTSYS : 0;
}

/* Returns an error, and in @progress how far it came. */
static int drm_svm_prefetch_run(struct drm_svm_prefetcher *p,
				const struct drm_svm_prefetch *args, u64 *progress)
{
	unsigned long end = args->start + args->size;
	unsigned long start = args->start + args->progress;
	int err = 0;

	while (start < end && !err) {
		if (args->location == DRM_SVM_LOCATION_VRAM)
			err = drm_svm_prefetch_to_vram(p, &start, end);
		else
			err = drm_svm_prefetch_to_system(p, &start, end);
		if (!err && start < end)
			err = drm_svm_prefetch_check_end(p);
		cond_resched();
	}
	*progress = start - args->start;
	return err;
}

/* Add up to @n pages to a count, and take them from those that are @left. */
static void drm_svm_prefetch_count(u64 *out, u64 n, u64 *left)
{
	n = min(n, *left);
	*out += n;
	*left -= n;
}

/*
 * Add what became of @npages to the counts. The pages that remain were where
 * they should be. The counts of a call may have a page twice, so each is
 * limited to the pages that remain.
 */
static void drm_svm_prefetch_report(struct drm_svm_prefetcher *p,
				    struct drm_svm_prefetch *args, u64 npages)
{
	struct drm_svm_moved *m = &p->moved, *filled = &p->migrator->moved;
	u64 *denied = args->flags & DRM_SVM_PREFETCH_COUNT_DENIED ?
		      &args->out_denied : &args->out_unsupported;

	drm_svm_prefetch_count(&args->out_moved, m->moved + filled->moved, &npages);
	drm_svm_prefetch_count(&args->out_unsupported, m->unsupported, &npages);
	drm_svm_prefetch_count(denied, m->denied, &npages);
	drm_svm_prefetch_count(&args->out_busy, m->busy + filled->busy, &npages);
	drm_svm_prefetch_count(&args->out_no_space, filled->no_space, &npages);
	drm_svm_prefetch_count(&args->out_failed, m->failed + filled->failed, &npages);
	args->out_resident += npages;
}

/*
 * A call that goes on after an interruption keeps its counts; else they begin
 * at zero. Returns false if @args->progress and the counts do not fit.
 */
static bool drm_svm_prefetch_begin_counts(struct drm_svm_prefetch *args)
{
	u64 *counts[] = {
		&args->out_moved, &args->out_resident, &args->out_busy,
		&args->out_unsupported, &args->out_no_space, &args->out_failed,
		&args->out_denied,
	};
	u64 left = args->progress >> PAGE_SHIFT;
	unsigned int i;

	if (!(args->flags & DRM_SVM_PREFETCH_COUNT_DENIED))
		args->out_denied = 0;
	if (!PAGE_ALIGNED(args->progress) || args->progress >= args->size)
		return false;
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		if (!args->progress)
			*counts[i] = 0;
		if (*counts[i] > left)
			return false;
		left -= *counts[i];
	}
	return !left;
}

/**
 * drm_svm_prefetch_check() - check the payload of a prefetch
 * @ctx: the context
 * @args: the payload; its counts become zero in a new call
 *
 * Context: any that may sleep; looks at no memory of the process.
 * Return: 0, -EINVAL or -ENOSPC.
 */
int drm_svm_prefetch_check(struct drm_svm_context *ctx,
			   struct drm_svm_prefetch *args)
{
	if (args->flags & ~DRM_SVM_PREFETCH_COUNT_DENIED ||
	    (args->location != DRM_SVM_LOCATION_VRAM &&
	     args->location != DRM_SVM_LOCATION_SYSTEM) ||
	    drm_svm_context_check_interval(ctx, args->start, args->size) ||
	    !drm_svm_prefetch_begin_counts(args))
		return -EINVAL;
	if (args->location == DRM_SVM_LOCATION_VRAM && !drm_svm_context_vram(ctx))
		return -ENOSPC;
	return 0;
}

/* Check that all that is left of the interval is mapped. */
static int drm_svm_prefetch_check_mapped(struct drm_svm_prefetcher *p)
{
	unsigned long end = p->args->start + p->args->size;
	unsigned long start = p->args->start + p->args->progress;
	struct mm_struct *mm = p->ctx->svm->mm;
	struct vm_area_struct *vma;
	int err;

	err = drm_svm_prefetch_lock(p);
	if (err)
		return err;
	while (start < end && !err) {
		vma = find_vma_intersection(mm, start, start + 1);
		if (vma)
			start = vma->vm_end;
		else
			err = -ENOENT;
	}
	mmap_read_unlock(mm);
	return err;
}

/* Report what the call did: what is before @progress now and was not at its start. */
static void drm_svm_prefetch_event(const struct drm_svm_prefetcher *p, u64 begun,
				   u64 progress, int err)
{
	const struct drm_svm_prefetch *args = p->args;
	u64 size = progress - args->progress;

	if (!drm_svm_event_is_wanted(p->ctx->stats))
		return;
	drm_svm_event_add(p->ctx->stats, begun, &(struct drm_svm_event) {
		.type = DRM_SVM_EVENT_PREFETCH,
		.cause = DRM_SVM_CAUSE_PREFETCH,
		.start = args->start + args->progress,
		.size = size,
		/* limited as in drm_svm_prefetch_report() */
		.pages = min(p->moved.moved + p->migrator->moved.moved, size >> PAGE_SHIFT),
		.to = args->location,
		.err = err,
	});
}

/**
 * drm_svm_prefetch_work() - move the pages of an interval
 * @ctx: the context
 * @args: the payload, checked; its counts and its progress are updated
 * @stop: becomes true when the work is not wanted any longer; NULL in an ioctl
 *
 * Context: process context of the process, no lock held that eviction takes.
 * Return: 0, or an error of struct drm_svm_prefetch; -ERESTARTSYS when it was
 * interrupted, and can go on; -ECANCELED for @stop.
 */
int drm_svm_prefetch_work(struct drm_svm_context *ctx,
			  struct drm_svm_prefetch *args, const bool *stop)
{
	u64 progress = args->progress, begun = drm_svm_event_begin();
	struct drm_svm_prefetcher *p;
	int err = -ENOMEM;

	p = kzalloc_obj(*p);
	if (!p)
		return -ENOMEM;
	p->ctx = ctx;
	p->args = args;
	p->stop = stop;
	p->migrator = drm_svm_migrator_alloc(ctx->svm, DRM_SVM_CAUSE_PREFETCH);
	if (p->migrator) {
		err = drm_svm_prefetch_check_mapped(p) ?:
		      drm_svm_prefetch_run(p, args, &progress);
		if (!err || err == -ERESTARTSYS)
			drm_svm_prefetch_report(p, args, (progress - args->progress) >>
							 PAGE_SHIFT);
		drm_svm_prefetch_event(p, begun, progress, err);
		drm_svm_keep_destroy(p->migrator->keep);
	}
	drm_svm_vram_put(p->other);
	args->progress = progress;
	drm_svm_migrator_free(p->migrator);
	kfree(p);
	return err;
}
