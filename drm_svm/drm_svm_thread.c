// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/vhost_task.h>
#include <linux/task_work.h>
#include <linux/wait.h>

#include "drm_svm_core.h"

/**
 * DOC: Threads of the process
 *
 * Threads of the process serve the faults of its GPUs; they are made by
 * vhost_task, as those of KVM and vhost. The kernel derives from the running
 * thread where memory comes from and who is charged for it: memory policy,
 * cpuset, and the memory, dmem, io, cpu and pids cgroups. So these are the ones
 * of the process, and a thread of the process stops, freezes and ends with it.
 *
 * Attach makes the first thread, existing threads make more. They never leave
 * the kernel and have no files. All signals but SIGKILL and SIGSTOP are
 * blocked; all waits of the threads look at signal_pending(), so that a process
 * which is to stop or to freeze does so. drm_svm_thread_interrupt() uses the
 * same mechanism to end a wait that is not needed any longer.
 *
 * At the end of the process, and at exec, each thread is killed and leaves.
 * From the first one on the address space is dead: a work item answers whatever
 * is pushed with -EFAULT, even if another thread never leaves because a file
 * system does not look at signals. At the end of the address space the threads
 * are told to leave, and are joined only after they all did, because joining a
 * thread that is stopped or frozen waits until it goes on. The process waits a
 * little for that, so that a program which closed its file has no more threads
 * than before; after that it is left to the last thread, or to a work item.
 */

/*
 * Jiffies that the end of an address space waits for its threads at most.
 * Correctness does not depend on it.
 */
#define DRM_SVM_THREADS_PATIENCE	(5 * HZ)

/* Called by each thread for itself. The address space may be gone on return. */
static void drm_svm_thread_leave(struct drm_svm_thread *thread)
{
	struct drm_svm_threads *threads = &thread->svm->threads;

	if (thread->has_left)
		return;
	thread->has_left = true;
	guard(spinlock)(&threads->lock);
	threads->n--;
	/* each time: other threads may have queued more, or never leave */
	if (!threads->ended)
		threads->killed(thread->svm);
	else if (!threads->n && threads->abandoned)
		queue_work(drm_svm_idle_wq, &threads->free_work);
	else if (!threads->n)
		wake_up_all(&threads->left);
}

/* The thread is being killed, with its process or by exec. */
static void drm_svm_thread_killed(void *data)
{
	drm_svm_thread_leave(data);
}

/*
 * Called again and again, in TASK_INTERRUPTIBLE; the thread sleeps when false
 * is returned. Work that is deferred to the return to user space, such as the
 * last fput() of a file, would be deferred for ever: it is done where signals
 * are looked at.
 */
static bool drm_svm_thread_run(void *data)
{
	struct drm_svm_thread *thread = data;
	bool more;

	if (!thread->self) {
		WRITE_ONCE(thread->self, current);
		/*
		 * pairs with the one in drm_svm_threads_end(): it wakes us, or
		 * we see it
		 */
		smp_mb();
	}
	if (READ_ONCE(thread->svm->threads.ended)) {
		drm_svm_thread_leave(thread);
		return false;
	}
	more = thread->run(thread);
	if (task_work_pending(current)) {
		__set_current_state(TASK_RUNNING);
		set_thread_flag(TIF_NOTIFY_SIGNAL);
		more = true;
	}
	return more;
}

/**
 * drm_svm_thread_start() - make a thread of the process
 * @svm: the address space
 * @thread: the thread, zeroed
 * @run: called again and again with the state TASK_INTERRUPTIBLE; sets
 *	TASK_RUNNING if there is something to do and does some of it; returns
 *	false if there is nothing, and is called again after
 *	drm_svm_thread_wake()
 * @name: its name
 *
 * Context: process context of a thread of the process, no lock held that @run
 * takes.
 * Return: 0; -ENOMEM, also when the process may not have more threads;
 * -ERESTARTNOINTR when a signal is pending.
 */
int drm_svm_thread_start(struct drm_svm *svm, struct drm_svm_thread *thread,
			 bool (*run)(struct drm_svm_thread *thread), const char *name)
{
	struct vhost_task *task;

	thread->svm = svm;
	thread->run = run;
	task = vhost_task_create(drm_svm_thread_run, drm_svm_thread_killed, thread, name);
	if (IS_ERR(task))
		return task == ERR_PTR(-ERESTARTNOINTR) ? -ERESTARTNOINTR : -ENOMEM;
	thread->task = task;
	scoped_guard(spinlock, &svm->threads.lock)
		svm->threads.n++;
	vhost_task_start(task);
	return 0;
}

/**
 * drm_svm_thread_wake() - have a thread look for something to do
 * @thread: the thread, started
 *
 * Context: any, hard interrupts included.
 */
void drm_svm_thread_wake(struct drm_svm_thread *thread)
{
	vhost_task_wake(thread->task);
}

/**
 * drm_svm_thread_interrupt() - end what a thread waits for
 * @thread: the thread, or one that was not started
 *
 * signal_pending() is true in that thread until its function returns.
 *
 * Context: any; the thread must not end concurrently.
 */
void drm_svm_thread_interrupt(struct drm_svm_thread *thread)
{
	struct task_struct *self = READ_ONCE(thread->self);

	/* a thread that has not run yet waits for nothing */
	if (!self)
		return;
	set_tsk_thread_flag(self, TIF_NOTIFY_SIGNAL);
	wake_up_process(self);
}

/**
 * drm_svm_thread_join() - wait for the end of a thread and free it
 * @thread: the thread, which has left, or was not started
 */
void drm_svm_thread_join(struct drm_svm_thread *thread)
{
	if (thread->task)
		vhost_task_stop(thread->task);
	thread->task = NULL;
}

/**
 * drm_svm_threads_init() - prepare an address space for threads
 * @svm: the address space, zeroed
 * @killed: called in each thread that leaves because the process ends, with the
 *	lock of the threads held
 * @free_work: frees @svm after drm_svm_threads_wait() has left that to the last
 *	thread
 */
void drm_svm_threads_init(struct drm_svm *svm, void (*killed)(struct drm_svm *svm),
			  work_func_t free_work)
{
	spin_lock_init(&svm->threads.lock);
	init_waitqueue_head(&svm->threads.left);
	svm->threads.owner = current->signal;
	svm->threads.killed = killed;
	INIT_WORK(&svm->threads.free_work, free_work);
}

/**
 * drm_svm_threads_end() - tell the threads to leave
 * @svm: the address space, without contexts
 *
 * Each thread leaves when it runs next, so the caller wakes or interrupts all
 * of them.
 */
void drm_svm_threads_end(struct drm_svm *svm)
{
	scoped_guard(spinlock, &svm->threads.lock)
		WRITE_ONCE(svm->threads.ended, true);
	/* pairs with the one in drm_svm_thread_run() */
	smp_mb();
}

/**
 * drm_svm_threads_wait() - wait a little until the threads have left
 * @svm: the address space; the threads were told
 *
 * Context: process context; may be a thread of the process, even one of these.
 * Return: true when all have left, and the caller is to free @svm. Else that is
 * done later, and @svm must not be used any longer.
 */
bool drm_svm_threads_wait(struct drm_svm *svm)
{
	struct drm_svm_threads *threads = &svm->threads;

	/*
	 * Other processes do not wait; nor does one of these threads, which may
	 * be the task that closes the file last.
	 */
	bool waits = current->signal == threads->owner && !(current->flags & PF_USER_WORKER);

	if (waits)
		wait_event_interruptible_timeout(threads->left, !READ_ONCE(threads->n),
						 DRM_SVM_THREADS_PATIENCE);
	guard(spinlock)(&threads->lock);
	if (!threads->n && waits)
		return true;
	/* until the end of free_work: rmmod is told that the module is in use */
	__module_get(THIS_MODULE);
	threads->abandoned = true;
	/* joining a thread that stopped after it left waits until it goes on */
	if (!threads->n)
		queue_work(drm_svm_idle_wq, &threads->free_work);
	return false;
}
