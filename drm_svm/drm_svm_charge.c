// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/cgroup.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>

#include <drm/ttm/ttm_device.h>
#include <drm/ttm/ttm_resource.h>

#include "drm_svm_internal.h"
#include "drm_svm_vram.h"

/**
 * DOC: Who pays for VRAM
 *
 * The dmem controller charges VRAM to the cgroup of the task that allocates it. For a
 * prefetch that is the process. For a GPU fault it is a worker, which is in the root
 * cgroup, where no limit is; and there is no call that charges somebody else. So where
 * VRAM is charged at all a thread of the address space allocates it, which joins the
 * cgroups of the process, as those of vhost do. It leaves them when it has had nothing
 * to do for a while, for a cgroup with a task in it cannot be removed.
 */

#define DRM_SVM_CHARGE_IDLE	HZ

struct drm_svm_charger {
	struct kthread_worker *worker;
	struct kthread_delayed_work leave;
	struct mm_struct *mm;
};

struct drm_svm_charge_request {
	struct kthread_work work;
	struct drm_svm_charger *charger;
	const struct drm_svm_slice *slice;
	bool evict;
	struct drm_svm_bo *bo;
};

/* In the same cgroup of the unified hierarchy, the only one that dmem is in. */
static bool drm_svm_charge_is_with(struct task_struct *task)
{
	guard(rcu)();
	return task_dfl_cgroup(task) == task_dfl_cgroup(current);
}

static struct task_struct *drm_svm_charge_get_owner(struct mm_struct *mm)
{
	struct task_struct *owner = NULL;

#ifdef CONFIG_MEMCG
	guard(rcu)();
	owner = rcu_dereference(mm->owner);
	if (owner)
		get_task_struct(owner);
#endif
	return owner;
}

/* Failing that, the root cgroup is charged. */
static void drm_svm_charge_join(struct mm_struct *mm)
{
	struct task_struct *owner = drm_svm_charge_get_owner(mm);

	if (!owner)
		return;
	if (!drm_svm_charge_is_with(owner))
		cgroup_attach_task_all(owner, current);
	put_task_struct(owner);
}

static void drm_svm_charge_leave(struct kthread_work *work)
{
	if (!drm_svm_charge_is_with(&init_task))
		cgroup_attach_task_all(&init_task, current);
}

static void drm_svm_charge_work(struct kthread_work *work)
{
	struct drm_svm_charge_request *request =
		container_of(work, struct drm_svm_charge_request, work);
	struct drm_svm_charger *charger = request->charger;

	drm_svm_charge_join(charger->mm);
	request->bo = drm_svm_bo_create(request->slice->vram,
					request->slice->stats,
					request->slice->npages, request->evict);
	kthread_mod_delayed_work(charger->worker, &charger->leave,
				 DRM_SVM_CHARGE_IDLE);
}

static struct drm_svm_charger *drm_svm_charger_create(struct drm_svm *svm)
{
	struct drm_svm_charger *charger;

	charger = kzalloc_obj(*charger, GFP_KERNEL_ACCOUNT);
	if (!charger)
		return NULL;
	charger->mm = svm->mm;
	kthread_init_delayed_work(&charger->leave, drm_svm_charge_leave);
	charger->worker = kthread_run_worker(0, "drm_svm_charge");
	if (IS_ERR(charger->worker)) {
		kfree(charger);
		return NULL;
	}
	return charger;
}

void drm_svm_charger_destroy(struct drm_svm *svm)
{
	struct drm_svm_charger *charger = svm->charger;

	if (!charger)
		return;
	kthread_cancel_delayed_work_sync(&charger->leave);
	kthread_destroy_worker(charger->worker);
	kfree(charger);
}

/* Made when it is needed first; several workers may be here at once. */
static struct drm_svm_charger *drm_svm_charger_obtain(struct drm_svm *svm)
{
	guard(mutex)(&svm->charger_lock);
	if (!svm->charger)
		svm->charger = drm_svm_charger_create(svm);
	return svm->charger;
}

static bool drm_svm_charge_is_needed(struct drm_svm *svm,
				     struct drm_svm_vram *vram)
{
	return ttm_manager_type(vram->bdev, vram->mem_type)->cg &&
	       current->mm != svm->mm;
}

/**
 * drm_svm_charge_bo() - allocate VRAM at the cost of the process that it is for
 * @svm: the address space
 * @slice: what for
 * @evict: where there is no room, evict others
 *
 * Context: process context, no lock held that eviction takes.
 * Return: as drm_svm_bo_create().
 */
struct drm_svm_bo *drm_svm_charge_bo(struct drm_svm *svm,
				     const struct drm_svm_slice *slice,
				     bool evict)
{
	struct drm_svm_charge_request request = { .slice = slice, .evict = evict };

	if (!drm_svm_charge_is_needed(svm, slice->vram))
		return drm_svm_bo_create(slice->vram, slice->stats,
					 slice->npages, evict);
	request.charger = drm_svm_charger_obtain(svm);
	if (!request.charger)
		return ERR_PTR(-ENOMEM);
	kthread_init_work(&request.work, drm_svm_charge_work);
	kthread_queue_work(request.charger->worker, &request.work);
	kthread_flush_work(&request.work);
	return request.bo;
}
