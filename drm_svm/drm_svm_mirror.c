// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/hmm.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/userfaultfd_k.h>

#include "drm_svm_compat.h"
#include "drm_svm_migrate.h"
#include "drm_svm_trace.h"

/**
 * DOC: Mirroring
 *
 * One try to copy pages of the CPU page table into the GPU page table.
 *
 * Collect, under mmap_lock: choose a window within one VMA around the first
 * fault; read the CPU page table there; make just the pages present that
 * faulted and are missing; read again. Prepare, under the range's service_lock
 * only: get memory for page tables. Commit, under pt_lock: if no invalidation
 * came in between, write the GPU page table.
 *
 * The walk is hmm_range_fault() without any request to fault; missing pages are
 * brought in by handle_mm_fault() one by one. Faulting by HMM would fill the
 * whole hole around a missing page, so that a write to one page would allocate
 * all of the window; and it cannot be told not to wait. The rest of a block is
 * brought in only if at least half of the block is present: otherwise a GPU
 * that fills memory would fault for each page, and this way no more pages are
 * allocated speculatively than were requested. For a write, a page that is
 * present but write-protected, as after fork(), counts as missing.
 *
 * The first tries do not wait for a contended mmap_lock, because its owner may
 * be blocked on user space. No try waits for a page: one whose fault may have
 * to wait is reported as %DRM_SVM_MUST_WAIT, and left to a thread
 * (drm_svm_wait.c). These are
 *
 * - pages under userfaultfd
 * - pages of a file that are not cached
 * - the first write to a page of a shared file mapping: the file system makes
 *   it writable, and may wait for its server or for writeback
 * - anonymous pages whose swap-in is not over at once, and locked ones
 *
 * Memory of shmem and of hugetlbfs is brought in by the try itself, also from
 * swap; and the try waits for a page that is being migrated.
 */

/* State of one try, for one window */
struct drm_svm_mirror {
	struct drm_svm_range *range;
	struct drm_svm_scratch *scratch;
	/* the faults; the first @n are within the window, [0] is pending */
	struct drm_svm_fault_entry *entries;
	unsigned int n;
	unsigned int total;
	/* the window as it was chosen, in pages of the range */
	unsigned int block_first;
	unsigned int block_end;
	/* the part that is walked, and mapped from the walk */
	unsigned int first;
	unsigned int end;
	unsigned long seq;
	/* the mapping may have pages that cannot be shared */
	bool special;
	/* pages in VRAM count as missing, see drm_svm_mirror_hide_vram() */
	bool hide_vram;
};

static unsigned int drm_svm_entry_index(const struct drm_svm_fault_entry *entry)
{
	return drm_svm_page_index(entry->fault.addr);
}

static void drm_svm_mirror_admit(struct drm_svm_fault_entry *entry,
				 struct vm_area_struct *vma)
{
	if (entry->answer == DRM_SVM_PENDING)
		entry->answer = drm_svm_policy_check_vma(vma, entry->fault.access) ?:
				DRM_SVM_PENDING;
}

/*
 * The window for page @index, extended to all pages whose migration was just
 * attempted. Otherwise two pages of one access that both fail to migrate
 * livelock: each attempt unmaps the other.
 */
static void drm_svm_mirror_want(struct drm_svm_mirror *m, struct drm_svm_view *view,
				unsigned int index, unsigned int *first,
				unsigned int *end)
{
	const unsigned long *unmapped = m->scratch->unmapped;

	drm_svm_policy_window(view, index, DRM_SVM_GROWTH_MAP, first, end);
	if (!unmapped || !test_bit(index, unmapped))
		return;
	*end = max_t(unsigned int, *end,
		     find_next_zero_bit(unmapped, DRM_SVM_RANGE_PAGES, index));
	while (*first && test_bit(*first - 1, unmapped))
		--*first;
}

/*
 * Trim pages already mapped with sufficient access from both ends of the
 * window; a GPU that streams has half of each window mapped already.
 */
static void drm_svm_mirror_trim(struct drm_svm_mirror *m)
{
	const struct drm_svm_fault_entry *entry = &m->entries[0];
	struct drm_svm_view *view = drm_svm_range_find_view(m->range, entry->ctx);
	unsigned int i, faults_end = drm_svm_entry_index(&m->entries[m->n - 1]) + 1;
	const unsigned long *has;
	u32 access = 0;

	for (i = 0; i < m->n; i++) {
		if (m->entries[i].ctx != entry->ctx)
			return;
		access |= m->entries[i].fault.access;
	}
	if (!view || !view->nmapped)
		return;
	has = access & DRM_SVM_ACCESS_WRITE ? view->writable : view->mapped;
	m->first = find_next_zero_bit(has, drm_svm_entry_index(entry), m->first);
	while (m->end > faults_end && test_bit(m->end - 1, has))
		m->end--;
}

/*
 * Choose the window: take in the faults of the VMA whose own windows overlap or
 * adjoin it.
 */
static void drm_svm_mirror_window(struct drm_svm_mirror *m,
				  struct vm_area_struct *vma)
{
	struct drm_svm_range *range = m->range;
	unsigned int vma_first, vma_end, first, end, index;

	drm_svm_policy_bounds(range, vma, &vma_first, &vma_end);
	for (m->n = 0; m->n < m->total; m->n++) {
		struct drm_svm_fault_entry *entry = &m->entries[m->n];

		index = drm_svm_entry_index(entry);
		if (index >= vma_end)
			break;
		/* nothing migrates: this window serves the fault too */
		if (m->n && index < m->end && !m->scratch->unmapped) {
			drm_svm_mirror_admit(entry, vma);
			continue;
		}
		drm_svm_mirror_want(m, drm_svm_range_find_view(range, entry->ctx),
				    index, &first, &end);
		first = max(first, vma_first);
		end = min(end, vma_end);
		if (!m->n) {
			m->first = first;
			m->end = end;
		}
		if (first > m->end)
			break;
		m->first = min(m->first, first);
		m->end = max(m->end, end);
		drm_svm_mirror_admit(entry, vma);
	}
	m->block_first = m->first;
	m->block_end = m->end;
	drm_svm_mirror_trim(m);
}

/*
 * Treat device pages as missing where userfaultfd has taken away the access to
 * pages. The entry of such a page in RAM traps reads too, but that of a device
 * page cannot: the walk reports it as readable. The CPU fault that migrates the
 * page to RAM restores the trap.
 */
static void drm_svm_mirror_hide_vram(unsigned long *pfns, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (drm_svm_pfn_is_vram(pfns[i]))
			pfns[i] = 0;
	}
}

static int drm_svm_mirror_walk(struct drm_svm_mirror *m, unsigned int first,
			       unsigned int end)
{
	unsigned long *pfns = m->scratch->pfns + first;
	struct hmm_range hmm = {
		.notifier = &m->range->notifier,
		.notifier_seq = m->seq,
		.start = drm_svm_page_addr(m->range, first),
		.end = drm_svm_page_addr(m->range, end),
		.hmm_pfns = pfns,
		/* all VRAM of drm_svm; pages of other owners go to RAM first */
		.dev_private_owner = (void *)&drm_svm_pagemap_owner,
	};
	int err;

	if (first == end)
		return 0;
	/* flags of the previous walk would stick */
	memset(pfns, 0, (end - first) * sizeof(*pfns));
	err = hmm_range_fault(&hmm);
	drm_svm_context_count(m->entries[0].ctx, DRM_SVM_STAT_WALKS, 1);
	trace_drm_svm_walk(m->range->svm, hmm.start, end - first, err);
	if (m->hide_vram)
		drm_svm_mirror_hide_vram(pfns, end - first);
	return err == -EBUSY ? -EAGAIN : err;
}

/*
 * Return whether the page is present for this fault; one in VRAM that the GPU
 * cannot reach has to go to RAM first.
 */
static bool drm_svm_entry_is_present(const struct drm_svm_fault_entry *entry,
				     unsigned long pfn)
{
	if (!(pfn & HMM_PFN_VALID) ||
	    !drm_svm_pfn_is_usable(pfn, entry->ctx->sdev))
		return false;
	return !(entry->fault.access & DRM_SVM_ACCESS_WRITE) ||
	       pfn & HMM_PFN_WRITE;
}

/*
 * Make the pages present that faulted and are missing.
 *
 * Entries are sorted, writes before reads of the same page, so once an entry
 * has brought its page in, the other entries of that page need nothing more.
 *
 * Returns the number of pages brought in.
 */
static unsigned int drm_svm_mirror_populate(struct drm_svm_mirror *m,
					    struct vm_area_struct *vma)
{
	unsigned int i, index, done = UINT_MAX, n = 0;

	for (i = 0; i < m->n; i++) {
		struct drm_svm_fault_entry *entry = &m->entries[i];

		index = drm_svm_entry_index(entry);
		if (entry->answer != DRM_SVM_PENDING || index == done ||
		    drm_svm_entry_is_present(entry, m->scratch->pfns[index]))
			continue;
		entry->answer = drm_svm_populate_page(vma, entry->fault.addr,
						      entry->fault.access);
		if (entry->answer != DRM_SVM_PENDING)
			continue;
		done = index;
		n++;
	}
	return n;
}

/*
 * Return whether the page need not be brought in for @access: the CPU has it,
 * or cannot have it, or it stays merged by KSM.
 */
static bool drm_svm_mirror_is_there(unsigned long pfn, u32 access)
{
	if (pfn & HMM_PFN_ERROR)
		return true;
	if (!(pfn & HMM_PFN_VALID))
		return false;
	return !(access & DRM_SVM_ACCESS_WRITE) || pfn & HMM_PFN_WRITE ||
	       drm_svm_pfn_is_ksm(pfn);
}

/*
 * The pages that need not be brought in ahead: those that are present, and
 * those that were just brought in.
 */
static void drm_svm_mirror_find_there(const struct drm_svm_mirror *m, u32 access,
				      unsigned long *there)
{
	struct drm_svm_view *view = drm_svm_range_find_view(m->range, m->entries[0].ctx);
	const unsigned long *pfns = m->scratch->pfns;
	unsigned int i;

	if (view)
		bitmap_copy(there, access & DRM_SVM_ACCESS_WRITE ? view->writable :
			    view->mapped, DRM_SVM_RANGE_PAGES);
	for (i = m->first; i < m->end; i++)
		if (drm_svm_mirror_is_there(pfns[i], access))
			__set_bit(i, there);
	/* the walk was done before missing pages were brought in */
	for (i = 0; i < m->n; i++)
		if (m->entries[i].answer == DRM_SVM_PENDING)
			__set_bit(drm_svm_entry_index(&m->entries[i]), there);
}

/*
 * The GPU fills memory that was never touched, or that fork() has
 * write-protected: where at least half of a block is present, bring in the rest
 * of it. The first page that cannot be brought in at once ends this. Pages
 * merged by KSM are left alone.
 */
static void drm_svm_mirror_populate_ahead(struct drm_svm_mirror *m,
					  struct vm_area_struct *vma)
{
	const struct drm_svm_fault *fault = &m->entries[0].fault;
	unsigned int i, first = m->block_first, end = m->block_end;
	DECLARE_BITMAP(there, DRM_SVM_RANGE_PAGES) = {};

	/* userfaultfd may track accesses: touch only what was requested */
	if (!vma_is_anonymous(vma) || uffd_disable_fault_around(vma))
		return;
	drm_svm_mirror_find_there(m, fault->access, there);
	drm_svm_policy_ahead(there, drm_svm_page_index(fault->addr), &first, &end);

	for (i = find_next_zero_bit(there, end, first); i < end;
	     i = find_next_zero_bit(there, end, i + 1))
		if (drm_svm_populate_page(vma, drm_svm_page_addr(m->range, i),
					  fault->access) != DRM_SVM_PENDING)
			return;
}

/* All of [@first, @end) of the range is known, and is to be mapped. */
static void drm_svm_mirror_take(struct drm_svm_mirror *m,
				struct vm_area_struct *vma, unsigned int first,
				unsigned int end)
{
	for (; m->n < m->total && drm_svm_entry_index(&m->entries[m->n]) < end; m->n++)
		drm_svm_mirror_admit(&m->entries[m->n], vma);
	m->first = first;
	m->end = end;
}

/*
 * If the CPU mapping is as large as the range, any one of its pages describes
 * all others: map the range whole, without walking it. The mapping does not
 * cross the end of the VMA, because core mm splits a huge page before that
 * happens.
 */
static bool drm_svm_mirror_widen(struct drm_svm_mirror *m,
				 struct vm_area_struct *vma)
{
	unsigned long *pfns = m->scratch->pfns;
	unsigned long base;
	unsigned int i;

	if (!drm_svm_pfn_is_valid(pfns[m->first]) ||
	    !drm_svm_pfn_is_huge(pfns[m->first]))
		return false;

	/*
	 * The memory is aligned like the range. Subtracting the index would be
	 * wrong: for a huge device page the walk counts from its own start and
	 * not from the start of the page.
	 */
	base = pfns[m->first] & ~(unsigned long)(DRM_SVM_RANGE_PAGES - 1);
	for (i = 0; i < DRM_SVM_RANGE_PAGES; i++)
		pfns[i] = base + i;
	drm_svm_mirror_take(m, vma, 0, DRM_SVM_RANGE_PAGES);
	return true;
}

/*
 * Extend the window to the part of the range within the VMA; trimmed pages stay
 * out, they are mapped.
 */
static int drm_svm_mirror_extend(struct drm_svm_mirror *m,
				 struct vm_area_struct *vma)
{
	unsigned int first, end;
	int err;

	drm_svm_policy_bounds(m->range, vma, &first, &end);
	if (m->block_first == first)
		first = m->first;
	if (m->block_end == end)
		end = m->end;
	err = drm_svm_mirror_walk(m, first, m->first);
	if (!err)
		err = drm_svm_mirror_walk(m, m->end, end);
	drm_svm_mirror_take(m, vma, first, end);
	return err;
}

/* Return whether to map more of the range than the window. */
static bool drm_svm_mirror_is_in_use(const struct drm_svm_mirror *m)
{
	const struct drm_svm_fault_entry *first = &m->entries[0];
	const struct drm_svm_fault_entry *last = &m->entries[m->total - 1];

	return drm_svm_policy_is_in_use(first->ctx,
					drm_svm_range_find_view(m->range, first->ctx),
					drm_svm_entry_index(first) !=
					drm_svm_entry_index(last));
}

/* Called under mmap_lock: choose a window for the first fault and walk it. */
static int drm_svm_mirror_collect(struct drm_svm_mirror *m)
{
	struct drm_svm_fault_entry *entry = &m->entries[0];
	struct mm_struct *mm = m->range->svm->mm;
	struct vm_area_struct *vma;
	unsigned int missing;
	int err;

	vma = vma_lookup(mm, entry->fault.addr);
	err = drm_svm_policy_check_vma(vma, entry->fault.access);
	if (err) {
		entry->answer = err;
		m->n = 0;
		return 0;
	}
	m->hide_vram = userfaultfd_rwp(vma);
	drm_svm_mirror_window(m, vma);
	err = drm_svm_mirror_walk(m, m->first, m->end);
	if (err)
		return err;
	missing = drm_svm_mirror_populate(m, vma);
	if (missing) {
		drm_svm_mirror_populate_ahead(m, vma);
		/*
		 * A page that was copied on write called our own notifier. This
		 * walk reads everything anew, so the sequence can begin here.
		 */
		m->seq = mmu_interval_read_begin(&m->range->notifier);
		err = drm_svm_mirror_walk(m, m->first, m->end);
	}
	if (!err && !drm_svm_mirror_widen(m, vma) && !missing &&
	    drm_svm_mirror_is_in_use(m))
		err = drm_svm_mirror_extend(m, vma);
	m->special = vma->vm_flags & VM_MIXEDMAP;
	return err;
}

/* Fail the fault if its view is NULL, for want of memory, or has an error. */
static void drm_svm_mirror_fail(struct drm_svm_fault_entry *entry,
				struct drm_svm_view *view)
{
	if (!view)
		entry->answer = -ENOMEM;
	else if (view->err)
		entry->answer = view->err;
}

/* Get memory for views and for page tables, for each context that faulted. */
static void drm_svm_mirror_prepare(struct drm_svm_mirror *m)
{
	unsigned long start = drm_svm_page_addr(m->range, m->first);
	unsigned long end = drm_svm_page_addr(m->range, m->end);
	struct drm_svm_view *view;
	unsigned int i;

	list_for_each_entry(view, &m->range->views, link)
		WRITE_ONCE(view->prepared, false);
	for (i = 0; i < m->n; i++) {
		struct drm_svm_context *ctx = m->entries[i].ctx;

		if (m->entries[i].answer != DRM_SVM_PENDING)
			continue;
		view = drm_svm_range_obtain_view(m->range, ctx);
		if (view && !READ_ONCE(view->prepared)) {
			/*
			 * before the call: an eviction may end the promise at
			 * any time
			 */
			WRITE_ONCE(view->prepared, true);
			view->err = ctx->ops->map_prepare(ctx, start, end);
		}
		drm_svm_mirror_fail(&m->entries[i], view);
	}
}

/*
 * Return whether @ctx has a fault in the window, and in @writes which pages it
 * writes.
 */
static bool drm_svm_mirror_wants(struct drm_svm_mirror *m,
				 struct drm_svm_context *ctx,
				 unsigned long *writes)
{
	bool wants = false;
	unsigned int i;

	bitmap_zero(writes, DRM_SVM_RANGE_PAGES);
	for (i = 0; i < m->n; i++) {
		struct drm_svm_fault_entry *entry = &m->entries[i];

		if (entry->ctx != ctx || entry->answer != DRM_SVM_PENDING)
			continue;
		wants = true;
		if (entry->fault.access & DRM_SVM_ACCESS_WRITE)
			__set_bit(drm_svm_entry_index(entry), writes);
	}
	return wants;
}

/*
 * True if the page can never be mirrored. The walk also reports a huge device
 * page of another owner as an error, but a CPU fault migrates that to RAM; only
 * mappings of special pages have errors that last.
 */
static bool drm_svm_mirror_is_refused(const struct drm_svm_mirror *m,
				      const struct drm_svm_fault_entry *entry)
{
	unsigned long pfn = m->scratch->pfns[drm_svm_entry_index(entry)];

	if (pfn & HMM_PFN_ERROR)
		return m->special;
	return drm_svm_pfn_is_valid(pfn) &&
	       is_pci_p2pdma_page(hmm_pfn_to_page(pfn));
}

/*
 * Write the page tables if the sequence is still good. A view whose promise an
 * eviction has ended is left out, so that the next try prepares it again.
 */
static int drm_svm_mirror_commit(struct drm_svm_mirror *m)
{
	DECLARE_BITMAP(writes, DRM_SVM_RANGE_PAGES);
	struct drm_svm_range *range = m->range;
	struct drm_svm_view *view;
	unsigned int i;

	guard(mutex)(&range->pt_lock);
	if (mmu_interval_read_retry(&range->notifier, m->seq))
		return -EAGAIN;

	list_for_each_entry(view, &range->views, link) {
		if (READ_ONCE(view->prepared) &&
		    drm_svm_mirror_wants(m, view->ctx, writes))
			view->err = drm_svm_run_map_locked(range, view, m->scratch,
							   m->first, m->end,
							   writes);
	}
	/* accesses struct pages, which stay while the lock is held */
	for (i = 0; i < m->n; i++) {
		if (m->entries[i].answer == DRM_SVM_PENDING &&
		    drm_svm_mirror_is_refused(m, &m->entries[i]))
			m->entries[i].answer = -EOPNOTSUPP;
	}
	return 0;
}

static bool drm_svm_mirror_is_duplicate(const struct drm_svm_mirror *m,
					unsigned int i)
{
	unsigned int index = drm_svm_entry_index(&m->entries[i]);
	struct drm_svm_context *ctx = m->entries[i].ctx;

	while (i-- && drm_svm_entry_index(&m->entries[i]) == index) {
		if (m->entries[i].ctx == ctx)
			return true;
	}
	return false;
}

/*
 * Answer the faults whose pages are mapped now. A page that is not could not be
 * mapped, or lost a race. Every pending fault has a view, because
 * drm_svm_mirror_prepare() fails the others.
 */
static int drm_svm_mirror_answer(struct drm_svm_mirror *m)
{
	unsigned int i;

	for (i = 0; i < m->n; i++) {
		struct drm_svm_fault_entry *entry = &m->entries[i];
		struct drm_svm_view *view;

		if (entry->answer != DRM_SVM_PENDING)
			continue;
		view = drm_svm_range_find_view(m->range, entry->ctx);
		if (!drm_svm_view_covers(view, drm_svm_entry_index(entry),
					 entry->fault.access)) {
			drm_svm_mirror_fail(entry, view);
			continue;
		}
		entry->answer = 0;
		if (drm_svm_mirror_is_duplicate(m, i))
			drm_svm_context_count(entry->ctx, DRM_SVM_STAT_DUPLICATES, 1);
	}
	return m->entries[0].answer == DRM_SVM_PENDING ? -EAGAIN : 0;
}

/**
 * drm_svm_mirror_try() - serve the first of some faults, and its neighbours
 * @range: the range of the faults
 * @scratch: arrays of the worker
 * @entries: faults, sorted by page, writes first; the first one is pending
 * @n: number of @entries
 * @patient: wait for mmap_lock instead of trying it
 *
 * Context: process context of a thread of the process, service_lock of @range
 * held. Takes mmap_lock for reading; with @patient interruptibly, else by a
 * trylock.
 * Return: 0 when the first fault was answered (others may have been too): its
 * answer is 0, a negative errno, or DRM_SVM_MUST_WAIT. -EAGAIN when the CPU
 * changes its mapping concurrently, when the trylock of mmap_lock fails, or
 * when the thread was interrupted. Another errno is the answer to the first
 * fault.
 */
int drm_svm_mirror_try(struct drm_svm_range *range,
		       struct drm_svm_scratch *scratch,
		       struct drm_svm_fault_entry *entries, unsigned int n,
		       bool patient)
{
	struct drm_svm_mirror m = {
		.range = range, .scratch = scratch, .entries = entries, .total = n,
	};
	int err;

	lockdep_assert_held(&range->service_lock);

	m.seq = mmu_interval_read_begin(&range->notifier);
	if (!drm_svm_mmap_read_lock(range->svm->mm, patient))
		return -EAGAIN;
	err = drm_svm_mirror_collect(&m);
	mmap_read_unlock(range->svm->mm);
	if (err || !m.n)
		return err;

	drm_svm_mirror_prepare(&m);
	err = drm_svm_mirror_commit(&m);
	return err ?: drm_svm_mirror_answer(&m);
}
