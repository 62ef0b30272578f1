// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/hashtable.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/sched/mm.h>

#include "drm_svm_core.h"

/**
 * DOC: Address spaces by mm
 *
 * All GPUs of a process share one &struct drm_svm. Attach looks it up by mm,
 * and so does eviction, which knows nothing but the mm that maps a page.
 */

/*
 * All address spaces, hashed by mm. Attach adds them and the last detach
 * removes them under the mutex; eviction looks them up under RCU.
 */
static DEFINE_MUTEX(drm_svm_spaces_lock);
static DEFINE_HASHTABLE(drm_svm_spaces, 6);

/*
 * Find the address space of @mm and take a reference; if there is none, add and
 * return @spare, which may be NULL. An address space whose threads have ended
 * is skipped, because it cannot serve new contexts: its process has ended, but
 * shared the mm with another one.
 */
struct drm_svm *drm_svm_space_lookup(struct mm_struct *mm, struct drm_svm *spare)
{
	struct drm_svm *svm;

	guard(mutex)(&drm_svm_spaces_lock);
	hash_for_each_possible(drm_svm_spaces, svm, node, (unsigned long)mm) {
		if (svm->mm == mm && !READ_ONCE(svm->queue.dead) &&
		    kref_get_unless_zero(&svm->ref))
			return svm;
	}
	if (spare)
		hash_add_rcu(drm_svm_spaces, &spare->node, (unsigned long)mm);
	return spare;
}

/* Attach then makes a new address space, and evictions do not find this one. */
void drm_svm_space_remove(struct drm_svm *svm)
{
	guard(mutex)(&drm_svm_spaces_lock);
	hash_del_rcu(&svm->node);
}

/*
 * No holder of the mutex waits for memory, so reclaim may take it; tell
 * lockdep.
 */
void __init drm_svm_space_teach_lockdep(void)
{
	fs_reclaim_acquire(GFP_KERNEL);
	might_lock(&drm_svm_spaces_lock);
	fs_reclaim_release(GFP_KERNEL);
}

/**
 * drm_svm_space_lookup_range() - find a range by mm
 * @mm: the memory of a process, which may or may not share it
 * @addr: an address, in bytes
 *
 * Return: the range with a reference, or NULL. The reference does not prevent
 * the removal of the range.
 */
struct drm_svm_range *drm_svm_space_lookup_range(struct mm_struct *mm,
						 unsigned long addr)
{
	struct drm_svm_range *range;
	struct drm_svm *svm;

	guard(rcu)();
	hash_for_each_possible_rcu(drm_svm_spaces, svm, node, (unsigned long)mm) {
		if (svm->mm != mm)
			continue;
		/* an address space that is being freed has no ranges */
		range = drm_svm_range_lookup(svm, addr);
		if (range)
			return range;
	}
	return NULL;
}
