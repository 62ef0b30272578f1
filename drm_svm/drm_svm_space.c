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
 * All GPUs of a process share one &struct drm_svm. Attach looks it up by mm, and so does an
 * eviction, which knows the mm of a page and nothing else.
 */

/*
 * Address spaces by mm. They come and go by attach and the last detach, under the mutex;
 * an eviction looks them up under RCU.
 */
static DEFINE_MUTEX(drm_svm_spaces_lock);
static DEFINE_HASHTABLE(drm_svm_spaces, 6);

/*
 * The address space of @mm, with a reference, or else @spare, if that is not NULL. One whose
 * threads ended, as the process that attached first shares its memory with another one,
 * is not for new contexts.
 */
struct drm_svm *drm_svm_space_find(struct mm_struct *mm, struct drm_svm *spare)
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

/* Attach makes a new address space instead of this one, and evictions pass over it. */
void drm_svm_space_remove(struct drm_svm *svm)
{
	guard(mutex)(&drm_svm_spaces_lock);
	hash_del_rcu(&svm->node);
}

/* Nobody waits for memory with the mutex, so reclaim could take it; tell lockdep. */
void __init drm_svm_space_teach_lockdep(void)
{
	fs_reclaim_acquire(GFP_KERNEL);
	might_lock(&drm_svm_spaces_lock);
	fs_reclaim_release(GFP_KERNEL);
}

/**
 * drm_svm_range_find() - find a range of a process, which may or may not share memory
 * @mm: its memory
 * @addr: an address
 *
 * Return: the range with a reference, or NULL. It keeps nobody from removing it.
 */
struct drm_svm_range *drm_svm_range_find(struct mm_struct *mm,
					 unsigned long addr)
{
	struct drm_svm_range *range;
	struct drm_svm *svm;

	guard(rcu)();
	hash_for_each_possible_rcu(drm_svm_spaces, svm, node, (unsigned long)mm) {
		if (svm->mm != mm)
			continue;
		/* one that is being freed has no ranges */
		range = drm_svm_range_lookup(svm, addr);
		if (range)
			return range;
	}
	return NULL;
}
