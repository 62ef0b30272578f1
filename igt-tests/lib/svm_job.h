/* SPDX-License-Identifier: MIT */
#ifndef SVM_JOB_H
#define SVM_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <unistd.h>

#include "svm_client.h"

/*
 * Beside svm_lib.h: commands, submission with all of its fields, syncobjs, jobs
 * that run until they are stopped, threads and children.
 */

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif

/* Commands */
struct drm_svm_test_cmd svm_cmd_fill(void *dst, size_t size, uint32_t value);
struct drm_svm_test_cmd svm_cmd_copy(void *dst, const void *src, size_t size);
struct drm_svm_test_cmd svm_cmd_touch(const void *addr, size_t size, size_t stride, bool write);
struct drm_svm_test_cmd svm_cmd_add32(void *addr, uint32_t value, uint64_t count);
struct drm_svm_test_cmd svm_cmd_add64(void *addr, uint64_t value, uint64_t count);
/* Sets @addr from @n to @n + 1, if it is @n */
struct drm_svm_test_cmd svm_cmd_next64(uint64_t *addr, uint64_t n);
struct drm_svm_test_cmd svm_cmd_wait(const uint64_t *fence, uint64_t value);
struct drm_svm_test_cmd svm_cmd_signal(uint64_t *fence, uint64_t value);

/* Submission. The ones without __ assert that the ioctl succeeds. */
struct drm_svm_test_submit svm_submit_args(const struct drm_svm_test_cmd *cmds, uint32_t n);
uint64_t svm_submit_ioctl(int fd, struct drm_svm_test_submit *args);
uint64_t svm_submit_on(int fd, uint32_t queue, const struct drm_svm_test_cmd *cmds, uint32_t n);
/* For a queue of svm_buffer_queue(). It waits for @in and signals @out, or NULL. */
struct drm_svm_test_submit svm_submit_synced(uint32_t queue, const struct drm_svm_test_cmd *cmds,
					     uint32_t n, const struct drm_svm_test_sync *in,
					     const struct drm_svm_test_sync *out);
int __svm_poll_job(int fd, uint64_t job);	/* client_wait() without waiting */

/* Wait; assert how the job ended. @err is a positive errno. */
void svm_wait_ok(int fd, uint64_t job);
void svm_wait_failed(int fd, uint64_t job, uint32_t status, uint32_t err);
/* Submit one command and assert that it faults at @addr with @err. */
void svm_run_faults(int fd, const struct drm_svm_test_cmd *cmd, uint32_t err, uint64_t addr);

/*
 * Queues. svm_queue() makes one of normal priority with no limit, on engine @n
 * modulo the number of engines. svm_buffer_queue() makes one for jobs on buffer
 * objects.
 */
uint32_t svm_queue_create(int fd, uint32_t engine, uint32_t priority, uint64_t limit_ns);
uint32_t svm_queue(int fd, unsigned int n);
uint32_t svm_buffer_queue(int fd, uint64_t limit_ns);
void svm_queue_destroy(int fd, uint32_t queue);

/* User fences, words of 64 bits, and what the CPU does with them */
static inline struct drm_svm_test_fence svm_fence(const uint64_t *word, uint64_t value)
{
	return (struct drm_svm_test_fence) { .addr = client_ptr(word), .value = value };
}

static inline uint64_t svm_fence_value(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void svm_fence_set(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* A job that only waits. Another one that only signals, and has no result. */
uint64_t svm_submit_waiter(int fd, uint32_t queue, const uint64_t *fence, uint64_t value);
void svm_submit_signal(int fd, uint32_t queue, uint64_t *fence, uint64_t value);

/* Assert that a job does not end, for a while */
void svm_assert_pending(int fd, uint64_t job);

/* An eventfd. Whether it was signalled @n times in all since the last wait */
int svm_event(void);
bool svm_event_wait(int event, uint64_t n, unsigned int ms);

/* Syncobjs. @point is zero for a binary one. */
struct drm_svm_test_sync svm_sync_create(int fd, uint64_t point);
void svm_sync_destroy(int fd, const struct drm_svm_test_sync *sync);
bool svm_sync_wait(int fd, const struct drm_svm_test_sync *sync, unsigned int ms);
/* 0: pending, 1: done, or -errno */
int svm_sync_status(int fd, const struct drm_svm_test_sync *sync);
int svm_sync_file_status(int file);

/* A node of a list for the CHASE command */
struct svm_node {
	struct svm_node *next;
	uint64_t value;
};

struct drm_svm_test_cmd svm_cmd_chase(const struct svm_node *node, uint64_t count, void *result);

/*
 * A job that runs until it is stopped: it chases a list of one node whose next
 * pointer leads back to the node, until the CPU makes it null.
 */
struct svm_spin {
	int fd;
	uint64_t job;
	struct svm_spin_mem *mem;
};

void svm_spin_submit(struct svm_spin *spin, int fd, uint32_t engine); /* may be queued */
void svm_spin_start(struct svm_spin *spin, int fd, uint32_t engine);  /* returns when it runs */
void svm_spin_release(struct svm_spin *spin);	/* let it end, do not wait */
void svm_spin_stop(struct svm_spin *spin);	/* let it end, wait, assert success */
void svm_spin_free(struct svm_spin *spin);	/* of one whose file is closed */

/* Run @fn with &args[i * size] in @n threads; join them; assert that none failed. */
void svm_threads(unsigned int n, void *(*fn)(void *arg), void *args, size_t size);

/*
 * fork() of a child that may fail assertions and that the parent may kill: as
 * igt_fork(), but the parent learns its id. The child ends with exit().
 * svm_reap() waits for it, fails the subtest when it does not end in time, and
 * returns 0, its exit status, or 128 and the signal that killed it.
 */
pid_t svm_fork(void);
int svm_reap(unsigned int seconds);
void svm_send_fd(int sock, int fd);	/* SCM_RIGHTS over a Unix stream socket */
int svm_receive_fd(int sock);
/* Sleep 1 ms at a time until @cond or for @ms: the bound of a state, no measure of time. */
#define svm_until(cond, ms) \
	({ \
		unsigned int svm_left_ = (ms); \
		bool svm_ok_; \
		while (!(svm_ok_ = (cond)) && svm_left_--) \
			usleep(1000); \
		svm_ok_; \
	})

/* SIGALRM, with an empty handler, every @us microseconds; none with zero */
void svm_alarms(bool restart, long us);

/* A userfaultfd on missing pages of [addr, addr + size), which no one serves yet */
int svm_uffd_open(void *addr, size_t size);
bool svm_uffd_pending(int uffd, unsigned int ms, uint64_t *addr);
void svm_uffd_copy(int uffd, void *page, const void *from);

/* Close all files of events that the process has, whoever opened them */
void svm_close_events(void);
/* Close the devices that a failed subtest left open or mapped: its jobs end */
void svm_close_leaked(void);

#endif
