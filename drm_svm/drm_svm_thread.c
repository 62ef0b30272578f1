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
 * What a fault of a GPU needs is done by threads of the process whose memory it is, as
 * KVM and vhost have them (vhost_task). Linux takes from the thread that runs where memory
 * comes from and who pays for it: memory policy, cpuset, and the memory, dmem, io, cpu and
 * pids cgroups. These are those of the process then, and a thread of it stops, freezes
 * and ends with the process.
 *
 * The first thread is made by attach, more by a thread that there is. They never leave the
 * kernel and have no files. All signals are blocked but SIGKILL and SIGSTOP; what they
 * wait for looks at signal_pending(), so that a process which is to stop or to freeze does
 * so. drm_svm_thread_interrupt() uses the same way to end a wait that nobody needs
 * any longer.
 *
 * At the end of the process, and at exec, each thread is killed and leaves. With the first
 * one the address space is dead: whatever is pushed is answered with -EFAULT, by a work
 * item, also where another thread never leaves because a file system does not look at
 * signals. At the end of the address space the threads are told to leave, and are joined
 * only after they all did: to join one that is stopped or frozen waits until it goes on.
 * The process waits for that a little, so that a program which closed its file has no more
 * threads than before; then it is left to the last one of them, or to a work item.
 */

/* How long the end of an address space waits for its threads. Nothing depends on it. */
#define DRM_SVM_THREADS_PATIENCE	(5 * HZ)

/* With the lock of the threads held */
static void drm_svm_thread_leave_last(struct drm_svm *svm)
{
	struct drm_svm_threads *threads = &svm->threads;

	if (!threads->abandoned) {
		wake_up_all(&threads->left);
		return;
	}
	/* unloading the module waits for the work item, and that for us */
	queue_work(drm_svm_idle_wq, &threads->free_work);
	module_put(THIS_MODULE);
}

/* Once for each thread, by itself. The address space may be gone when it returns. */
static void drm_svm_thread_leave(struct drm_svm_thread *thread)
{
	struct drm_svm *svm = thread->svm;

	if (thread->has_left)
		return;
	thread->has_left = true;
	guard(spinlock)(&svm->threads.lock);
	/* each time: the others may have queued something meanwhile, or never leave */
	if (!svm->threads.ended)
		svm->threads.killed(svm);
	if (!--svm->threads.n && svm->threads.ended)
		drm_svm_thread_leave_last(svm);
}

/* It is being killed, with its process, or by exec. */
static void drm_svm_thread_killed(void *data)
{
	drm_svm_thread_leave(data);
}

/*
 * Called again and again, in TASK_INTERRUPTIBLE; the thread sleeps when false is
 * returned. What is put off until a return to user space, as the end of a file, would be
 * put off for ever: it is done where signals are looked at.
 */
static bool drm_svm_thread_run(void *data)
{
	struct drm_svm_thread *thread = data;
	bool more;

	if (!thread->self) {
		WRITE_ONCE(thread->self, current);
		/* pairs with the one in drm_svm_threads_end(): it wakes us, or we see it */
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
 * @run: what it does, in pieces: called with the state TASK_INTERRUPTIBLE, to be set to
 *	TASK_RUNNING where there is something to do; returns false when there is not,
 *	and is called again after drm_svm_thread_wake()
 * @name: its name
 *
 * Context: process context of a thread of the process, no lock held that @run takes.
 * Return: 0; -ENOMEM, also when the process may not have more threads; -ERESTARTNOINTR
 * when a signal is pending.
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
 * Context: any; the thread does not end meanwhile.
 */
void drm_svm_thread_interrupt(struct drm_svm_thread *thread)
{
	struct task_struct *self = READ_ONCE(thread->self);

	/* one that has not run yet waits for nothing */
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
 * drm_svm_threads_init() - make an address space ready for threads
 * @svm: the address space, zeroed
 * @killed: called in each thread that leaves because the process ends, with the lock of the
 *	threads held
 * @free_work: frees @svm after drm_svm_threads_wait() has left that to the last thread
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
 * Each does so when it runs next, so the caller wakes or interrupts all of them.
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
 * Context: process context; may be a thread of the process, one of these too.
 * Return: true when all have left, and the caller is to free @svm. Else that is done later,
 * and @svm must not be used any longer.
 */
bool drm_svm_threads_wait(struct drm_svm *svm)
{
	struct drm_svm_threads *threads = &svm->threads;

	/*
	 * Other processes do not wait; nor does one of these threads, which may be the task
	 * that puts the last file.
	 */
	bool waits = current->signal == threads->owner && !(current->flags & PF_USER_WORKER);

	if (waits)
		wait_event_interruptible_timeout(threads->left, !READ_ONCE(threads->n),
						 DRM_SVM_THREADS_PATIENCE);
	guard(spinlock)(&threads->lock);
	if (!threads->n && waits)
		return true;
	if (!threads->n) {
		/* to join one that was stopped after it left takes until it goes on */
		queue_work(drm_svm_idle_wq, &threads->free_work);
		return false;
	}
	__module_get(THIS_MODULE);
	threads->abandoned = true;
	return false;
}
