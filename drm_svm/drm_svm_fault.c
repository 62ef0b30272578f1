// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/delay.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "drm_svm_migrate.h"
#include "drm_svm_trace.h"

/**
 * DOC: Serving faults
 *
 * A batch is sorted by page and cut into groups of one range. The faults of a
 * group, of whatever context, are served under the range's service_lock by
 * drm_svm_mirror_try(), window by window. A try that raced with the CPU, or
 * that found mmap_lock contended, is repeated, with a growing pause, a bounded
 * number of times. Then all faults of the group are answered as if they had
 * been served: the GPU repeats its accesses, misses again, and the new faults
 * queue up behind all others. So no storm of mapping changes can make a job
 * fail, and none can keep a worker busy.
 */

/* Tries of one fault, how many of them without a pause, and the first pause. */
#define DRM_SVM_TRIES		16
#define DRM_SVM_TRIES_AT_ONCE	4
#define DRM_SVM_PAUSE_US	20

static void drm_svm_fault_pause(unsigned int try)
{
	if (try < DRM_SVM_TRIES_AT_ONCE)
		cond_resched();
	else
		fsleep(DRM_SVM_PAUSE_US << (try - DRM_SVM_TRIES_AT_ONCE));
}

/* Memory that a worker needs for a batch, or NULL. */
struct drm_svm_scratch *drm_svm_scratch_alloc(void)
{
	return kvzalloc_obj(struct drm_svm_scratch, GFP_KERNEL_ACCOUNT);
}

void drm_svm_scratch_free(struct drm_svm_scratch *scratch)
{
	if (scratch)
		drm_svm_migrator_free(scratch->migrator);
	kvfree(scratch);
}

/* Answer the faults whose pages another fault has mapped in the meantime. */
VISIBLE_IF_KUNIT
void drm_svm_fault_skip_served(struct drm_svm_range *range,
			       struct drm_svm_fault_entry *entries,
			       unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct drm_svm_fault_entry *entry = &entries[i];
		struct drm_svm_view *view;

		if (entry->answer != DRM_SVM_PENDING)
			continue;
		view = drm_svm_range_find_view(range, entry->ctx);
		if (!view ||
		    !drm_svm_view_covers(view,
					 drm_svm_page_index(entry->fault.addr),
					 entry->fault.access))
			continue;
		entry->answer = 0;
		drm_svm_context_count(entry->ctx, DRM_SVM_STAT_DUPLICATES, 1);
	}
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_fault_skip_served);

VISIBLE_IF_KUNIT
unsigned int drm_svm_fault_first_pending(struct drm_svm_fault_entry *entries,
					 unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n && entries[i].answer != DRM_SVM_PENDING; i++)
		;
	return i;
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_fault_first_pending);

VISIBLE_IF_KUNIT
void drm_svm_fault_answer_pending(struct drm_svm_fault_entry *entries,
				  unsigned int n, int err)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (entries[i].answer == DRM_SVM_PENDING)
			entries[i].answer = err;
	}
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_fault_answer_pending);

/*
 * Move the pages of faults to VRAM. A contended mmap_lock is tried again, and
 * waited for in the end, as for drm_svm_mirror_try(). Otherwise the pages would
 * be mapped in RAM, and stay there until a neighbour faults.
 */
static void drm_svm_fault_move(struct drm_svm_range *range,
			       struct drm_svm_scratch *scratch,
			       struct drm_svm_fault_entry *entries, unsigned int n)
{
	unsigned int try = 0;

	while (drm_svm_migrate_to_vram(range, scratch, entries, n,
				       try >= DRM_SVM_TRIES_AT_ONCE)) {
		/* the process is to stop, or a context is being detached */
		if (signal_pending(current))
			return;
		drm_svm_context_count(entries[0].ctx, DRM_SVM_STAT_RETRIES, 1);
		drm_svm_fault_pause(try++);
	}
}

/*
 * Try until every fault of the group is answered. -EAGAIN: the range was
 * removed, so look it up again.
 */
static int drm_svm_fault_serve_locked(struct drm_svm_range *range,
				      struct drm_svm_scratch *scratch,
				      struct drm_svm_fault_entry *entries,
				      unsigned int n)
{
	unsigned int i, try = 0;
	int err;

	if (test_bit(DRM_SVM_RANGE_REMOVED, &range->flags))
		return -EAGAIN;

	drm_svm_fault_skip_served(range, entries, n);
	drm_svm_fault_move(range, scratch, entries, n);
	for (;;) {
		i = drm_svm_fault_first_pending(entries, n);
		if (i == n)
			return 0;
		err = drm_svm_mirror_try(range, scratch, entries + i, n - i,
					 try >= DRM_SVM_TRIES_AT_ONCE);
		if (err != -EAGAIN) {
			if (err)
				entries[i].answer = err;
			try = 0;
			continue;
		}
		drm_svm_context_count(entries[i].ctx, DRM_SVM_STAT_RETRIES, 1);
		/*
		 * also when the process is to stop, or a context is being
		 * detached
		 */
		if (++try == DRM_SVM_TRIES || signal_pending(current) ||
		    READ_ONCE(entries[i].ctx->dead)) {
			drm_svm_fault_answer_pending(entries, n, 0);
			return 0;
		}
		drm_svm_fault_pause(try);
	}
}

/*
 * Detach must not wait for the owner of service_lock, so an interrupted wait
 * answers the faults for the GPU to try again.
 */
static int drm_svm_fault_serve_range(struct drm_svm_range *range,
				     struct drm_svm_scratch *scratch,
				     struct drm_svm_fault_entry *entries,
				     unsigned int n)
{
	int err;

	if (mutex_lock_interruptible(&range->service_lock)) {
		drm_svm_fault_answer_pending(entries, n, 0);
		return 0;
	}
	err = drm_svm_fault_serve_locked(range, scratch, entries, n);
	mutex_unlock(&range->service_lock);
	return err;
}

/*
 * Hand the fault to a thread that may wait for the page. A fault that no access
 * waits for is not worth that.
 */
static void drm_svm_fault_wait(struct drm_svm *svm,
			       struct drm_svm_fault_entry *entry)
{
	if (entry->fault.access & DRM_SVM_ACCESS_AHEAD) {
		entry->answer = -EBUSY;
		drm_svm_fault_finish(entry);
	} else {
		drm_svm_wait_start(svm, entry);
	}
}

/* Answer a group; faults that have to wait for their page are handed on. */
static void drm_svm_fault_finish_group(struct drm_svm *svm,
				       struct drm_svm_fault_entry *entries,
				       unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (entries[i].answer == DRM_SVM_MUST_WAIT)
			drm_svm_fault_wait(svm, &entries[i]);
		else
			drm_svm_fault_finish(&entries[i]);
	}
}

/* Serve the faults of one range. */
static void drm_svm_fault_serve_group(struct drm_svm *svm,
				      struct drm_svm_scratch *scratch,
				      struct drm_svm_fault_entry *entries,
				      unsigned int n)
{
	struct drm_svm_range *range;
	unsigned int try;
	int err = -EAGAIN;

	for (try = 0; try < DRM_SVM_TRIES && err == -EAGAIN; try++) {
		range = drm_svm_range_obtain(svm, entries[0].fault.addr);
		err = PTR_ERR_OR_ZERO(range);
		if (!err) {
			err = drm_svm_fault_serve_range(range, scratch, entries, n);
			drm_svm_range_put(range);
		}
		if (err == -EAGAIN)
			drm_svm_fault_pause(try);
	}
	/* the range was removed each time: the GPU tries again */
	drm_svm_fault_answer_pending(entries, n, err == -EAGAIN ? 0 : err);
	drm_svm_fault_finish_group(svm, entries, n);
}

/* Check what makes a fault fail whatever the CPU page table says. */
VISIBLE_IF_KUNIT
int drm_svm_fault_check(const struct drm_svm_fault_entry *entry)
{
	struct drm_svm_context *ctx = entry->ctx;

	if (READ_ONCE(ctx->dead))
		return -EFAULT;
	if (entry->fault.addr >= drm_svm_context_va_end(ctx))
		return -EFAULT;
	return DRM_SVM_PENDING;
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_fault_check);

VISIBLE_IF_KUNIT
unsigned int drm_svm_fault_group(const struct drm_svm_fault_entry *entries,
				 unsigned int n)
{
	u64 window = entries[0].fault.addr >> PMD_SHIFT;
	unsigned int i;

	for (i = 1; i < n && entries[i].fault.addr >> PMD_SHIFT == window; i++)
		;
	return i;
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_fault_group);

/* Sort order: by page; for one page writes first; then by arrival. */
#define DRM_SVM_KEY_INDEX	(DRM_SVM_BATCH_MAX - 1)

static u64 drm_svm_fault_key(const struct drm_svm_fault *fault, unsigned int index)
{
	u64 key = (fault->addr >> PAGE_SHIFT) * 2;

	BUILD_BUG_ON(!is_power_of_2(DRM_SVM_BATCH_MAX));
	BUILD_BUG_ON(DRM_SVM_BATCH_MAX * 2 > PAGE_SIZE);
	if (!(fault->access & DRM_SVM_ACCESS_WRITE))
		key++;
	return key * DRM_SVM_BATCH_MAX + index;
}

/* Merge the keys of [@a, @b) with those of [@b, @end), each sorted. */
static void drm_svm_fault_merge(const u64 *from, u64 *to, unsigned int a,
				unsigned int b, unsigned int end)
{
	unsigned int i = a, mid = b;

	while (a < mid && b < end)
		to[i++] = from[a] < from[b] ? from[a++] : from[b++];
	while (a < mid)
		to[i++] = from[a++];
	while (b < end)
		to[i++] = from[b++];
}

/*
 * The kernel's sort() takes 420 instructions for each fault of a large batch, a
 * quarter of what all else here takes; this takes a hundred. Returns the array
 * that has the sorted keys.
 */
static const u64 *drm_svm_fault_sort_keys(u64 *keys, u64 *room, unsigned int n)
{
	unsigned int width, i;

	for (width = 1; width < n; width *= 2) {
		for (i = 0; i < n; i += 2 * width)
			drm_svm_fault_merge(keys, room, i, min(i + width, n),
					    min(i + 2 * width, n));
		swap(keys, room);
	}
	return keys;
}

/*
 * Faults of a GPU that goes through memory arrive sorted; with several engines
 * they do not.
 */
VISIBLE_IF_KUNIT
void drm_svm_fault_sort(struct drm_svm_scratch *scratch, unsigned int n)
{
	struct drm_svm_fault_entry *batch = scratch->batch;
	u64 *keys = scratch->keys[0];
	const u64 *sorted;
	bool ordered = true;
	unsigned int i;

	for (i = 0; i < n; i++) {
		keys[i] = drm_svm_fault_key(&batch[i].fault, i);
		ordered &= !i || keys[i - 1] < keys[i];
	}
	if (ordered)
		return;
	sorted = drm_svm_fault_sort_keys(keys, scratch->keys[1], n);
	memcpy(scratch->unsorted, batch, n * sizeof(*batch));
	for (i = 0; i < n; i++)
		batch[i] = scratch->unsorted[sorted[i] & DRM_SVM_KEY_INDEX];
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_fault_sort);

/**
 * drm_svm_fault_serve() - serve a batch of faults
 * @svm: the address space of all of them
 * @scratch: its batch array holds the faults
 * @n: number of faults, not zero
 *
 * Context: process context of a thread of the process, no lock held. Each fault
 * is answered, or handed to drm_svm_wait_start(), before this returns.
 */
void drm_svm_fault_serve(struct drm_svm *svm, struct drm_svm_scratch *scratch,
			 unsigned int n)
{
	struct drm_svm_fault_entry *batch = scratch->batch;
	unsigned int i, group;

	drm_svm_context_count(batch[0].ctx, DRM_SVM_STAT_BATCHES, 1);
	trace_drm_svm_batch(svm, n);

	for (i = 0; i < n; i++)
		batch[i].answer = drm_svm_fault_check(&batch[i]);
	drm_svm_fault_sort(scratch, n);

	for (i = 0; i < n; i += group) {
		group = drm_svm_fault_group(&batch[i], n - i);
		/* a process that is killed must not wait for the whole batch */
		if (fatal_signal_pending(current))
			drm_svm_fault_answer_pending(&batch[i], group, -EFAULT);
		if (drm_svm_fault_first_pending(&batch[i], group) == group)
			drm_svm_fault_finish_group(svm, &batch[i], group);
		else
			drm_svm_fault_serve_group(svm, scratch, &batch[i], group);
		cond_resched();
	}
}
