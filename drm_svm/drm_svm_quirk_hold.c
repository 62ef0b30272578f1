// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/migrate.h>
#include <linux/mm.h>

#include "drm_svm_quirk.h"

/**
 * DOC: Quirk: the entry of a huge device page is none for a moment
 *
 * set_pmd_migration_entry() clears the entry of a huge page, and writes the
 * migration entry afterwards. A zap that looks in between, without the page
 * table lock, finds nothing and has no effect: the page survives its munmap()
 * or MADV_DONTNEED.
 *
 * Kernels: 7.2, 7.3. Remove when set_pmd_migration_entry() replaces the entry
 * at once.
 *
 * Each zap calls our notifier first. So an eviction holds the range while it
 * collects a huge page, and the notifier clears the flags of the migration,
 * under the page table lock: then the entry is not replaced at all. No notifier
 * waits for the holder, so the holder may take the lock of an anon_vma, which
 * callers of the notifier hold at times.
 */

/**
 * drm_svm_quirk_hold() - collect a huge page unless its entry is being changed
 * @range: the range, of which all is one huge page
 * @args: the argument of the migrate_vma_setup() that comes next
 *
 * Until drm_svm_quirk_release(), an invalidation by another task makes
 * migrate_vma_setup() collect nothing.
 *
 * Context: process context, mmap_lock held, no lock of a folio. Waits for the
 * end of invalidations that have begun.
 * Return: false if the range is being invalidated, is held already, or is being
 * removed.
 */
bool drm_svm_quirk_hold(struct drm_svm_range *range, struct migrate_vma *args)
{
	unsigned long seq = mmu_interval_read_begin(&range->notifier);

	mmap_assert_locked(range->svm->mm);
	guard(mutex)(&range->pt_lock);
	/* a removal sets the flag first, and then breaks the hold */
	if (range->holder || test_bit(DRM_SVM_RANGE_REMOVED, &range->flags) ||
	    mmu_interval_read_retry(&range->notifier, seq))
		return false;
	range->holder = current;
	range->held = args;
	return true;
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_quirk_hold);

/**
 * drm_svm_quirk_release() - end a hold, whether the page was collected or not
 * @range: the range, held by the caller
 */
void drm_svm_quirk_release(struct drm_svm_range *range)
{
	guard(mutex)(&range->pt_lock);
	range->holder = NULL;
	range->held = NULL;
}
EXPORT_SYMBOL_IF_KUNIT(drm_svm_quirk_release);

/**
 * drm_svm_quirk_break_hold_locked() - stop a holder that is another task
 * @range: the range
 *
 * The holder collects nothing from now on, because it looks at its flags under
 * the page table lock, which is taken here. If it has collected the page
 * before, the entry is a migration entry, which may be zapped at any time;
 * drm_svm_quirk_guard_huge() copes with that.
 *
 * Context: pt_lock held. Does not wait.
 */
void drm_svm_quirk_break_hold_locked(struct drm_svm_range *range)
{
	struct mm_struct *mm = range->svm->mm;
	spinlock_t *ptl;

	lockdep_assert_held(&range->pt_lock);
	if (!range->holder || range->holder == current)
		return;
	/* the holder saw a huge page and holds mmap_lock, so the table stays */
	ptl = pmd_lock(mm, pmd_off(mm, range->start));
	range->held->flags = 0;
	spin_unlock(ptl);
}
