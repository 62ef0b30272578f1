// SPDX-License-Identifier: MIT
/*
 * TEST: svm exit
 * Category: Robustness
 * Description: Nothing that ends in the middle of its work hangs, or holds up others.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "igt.h"
#include "svm_job.h"
#include "svm_lib.h"
#include "svm_mem.h"
#include "svm_random.h"

IGT_TEST_DESCRIPTION("Nothing that ends in the middle of its work hangs, or holds up others.");

/* The device serves others, on every engine, and lets go of its module */
static void assert_device_fine(void)
{
	struct drm_svm_test_info info;
	int fd = svm_open_attached();

	svm_info(fd, &info);
	for (uint32_t e = 0; e < info.out_engines; e++) {
		uint32_t word = 0;
		struct drm_svm_test_cmd cmd = svm_cmd_fill(&word, 4, e + 1);

		svm_wait_ok(fd, svm_submit_on(fd, e, &cmd, 1));
		igt_assert_eq_u32(READ_ONCE(word), e + 1);
	}
	close(fd);
}

static void assert_unloads(void)
{
	svm_module_unload();
	svm_module_load(NULL);
	assert_device_fine();
}

/*
 * Have the GPU miss a page on each engine, whose userfaultfd nobody answers.
 * Returns the userfaultfd.
 */
static int pend_faults(int fd)
{
	struct drm_svm_test_info info;
	uint8_t *page = svm_mmap_anon(svm_page_size());
	int uffd = svm_uffd_open(page, svm_page_size());
	struct drm_svm_test_cmd cmd = svm_cmd_touch(page, 4, 4, false);
	uint64_t addr = 0, job = 0;

	svm_info(fd, &info);
	for (uint32_t e = 0; e < info.out_engines; e++)
		job = svm_submit_on(fd, e, &cmd, 1);
	igt_assert(svm_uffd_pending(uffd, 30000, &addr));
	igt_assert_eq_u64(addr, client_ptr(page));
	igt_assert_eq(__svm_poll_job(fd, job), -ETIME);
	return uffd;
}

/* A child with pending faults ends in the way of @end; its userfaultfd lives on */
static void end_child(void (*end)(int fd), int status)
{
	int sock[2], uffd;
	pid_t pid;

	igt_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sock), 0);
	pid = svm_fork();
	if (!pid) {
		int fd = svm_open_attached();

		svm_send_fd(sock[1], pend_faults(fd));
		end(fd);
		exit(0);
	}
	uffd = svm_receive_fd(sock[0]);
	if (status > 128)
		kill(pid, status - 128);
	igt_assert_eq(svm_reap(30), status);
	assert_unloads();
	close(uffd);
	close(sock[0]);
	close(sock[1]);
}

static void end_by_exit(int fd)
{
	exit(0);
}

static void end_by_signal(int fd)
{
	for (;;)
		pause();
}

static void end_by_exec(int fd)
{
	execl("/bin/true", "true", NULL);
	exit(1);
}

static void end_by_close(int fd)
{
	close(fd);
}

/* The last descriptor is closed by execve() */
static void end_by_exec_inherited(int fd)
{
	fcntl(fd, F_SETFD, 0);
	end_by_exec(fd);
}

static void exit_exit(void)
{
	end_child(end_by_exit, 0);
}

static void exit_kill(void)
{
	end_child(end_by_signal, 128 + SIGKILL);
}

static void exit_exec(void)
{
	end_child(end_by_exec, 0);
}

static void exec_inherited(void)
{
	end_child(end_by_exec_inherited, 0);
}

static void exit_close(void)
{
	end_child(end_by_close, 0);
}

/*
 * Files of one process have more faults that nobody answers than may wait at the
 * same time. The fault of another file, which is not even waited for, ends with it.
 */
static void close_queued(void)
{
	enum { FILES = 20, PAGES = 16, THREADS = 16 };
	size_t page = svm_page_size();
	uint8_t *map = svm_mmap_anon((PAGES + 1) * page);
	struct drm_svm_test_cmd many = svm_cmd_touch(map, PAGES * page, page, false);
	struct drm_svm_test_cmd one = svm_cmd_touch(map + PAGES * page, 4, 4, false);
	int uffd = svm_uffd_open(map, (PAGES + 1) * page), fd[FILES], last;
	struct drm_svm_test_info info;
	struct client_counts c;
	uint64_t waits = 0;

	for (int i = 0; i < FILES; i++) {
		fd[i] = svm_open_attached();
		svm_info(fd[i], &info);
		for (uint32_t e = 0; e < info.out_engines; e++)
			svm_submit_on(fd[i], e, &many, 1);
	}
	for (int tries = 0; tries < 10000 && waits <= THREADS; tries++, usleep(1000)) {
		waits = 0;
		for (int i = 0; i < FILES; i++) {
			svm_counters(fd[i], &c);
			waits += client_count(&c, WAITS);
		}
	}
	igt_require_f(waits > THREADS, "the GPU is too small: %d faults\n", (int)waits);

	last = svm_open_attached();
	svm_submit_on(last, 0, &one, 1);
	igt_assert(svm_until((svm_counters(last, &c), client_count(&c, WAITS)), 30000));
	igt_set_timeout(30, "close waits for a fault that nobody answers");
	close(last);
	for (int i = 0; i < FILES; i++)
		close(fd[i]);
	igt_reset_timeout();
	close(uffd);
	munmap(map, (PAGES + 1) * page);
	assert_unloads();
}

/* As on the CPU, a fault waits on when its page is unmapped; then it sees that */
static void exit_unmap(void)
{
	size_t page = svm_page_size();
	int fd = svm_open_attached(), uffd;
	uint8_t *map = svm_mmap_anon(page);
	struct drm_svm_test_cmd cmd = svm_cmd_touch(map, 4, 4, false);
	uint64_t addr, job;

	uffd = svm_uffd_open(map, page);
	job = svm_submit(fd, &cmd, 1);
	igt_assert(svm_uffd_pending(uffd, 30000, &addr));
	munmap(map, page);
	close(uffd);
	svm_wait_failed(fd, job, DRM_SVM_TEST_STATUS_FAULT, ENOENT);
	close(fd);
}

/* The answer of user space arrives, with its content */
static void exit_answer(void)
{
	size_t page = svm_page_size();
	int fd = svm_open_attached(), uffd;
	uint8_t *map = svm_mmap_anon(2 * page), *content = malloc(page);
	uint32_t word = 0;
	struct drm_svm_test_cmd cmds[2];
	uint64_t addr, jobs[2];

	memset(content, 0x3c, page);
	uffd = svm_uffd_open(map, 2 * page);
	cmds[0] = svm_cmd_copy(&word, map, 4);
	cmds[1] = svm_cmd_fill(map + page, 4, 0x77777777);
	for (int i = 0; i < 2; i++) {
		jobs[i] = svm_submit_on(fd, 0, &cmds[i], 1);
		igt_assert(svm_uffd_pending(uffd, 30000, &addr));
		igt_assert_eq_u64(addr, client_ptr(map + i * page));
		igt_assert_eq(__svm_poll_job(fd, jobs[i]), -ETIME);
		svm_uffd_copy(uffd, map + i * page, content);
		svm_wait_ok(fd, jobs[i]);
	}
	igt_assert_eq_u32(READ_ONCE(word), 0x3c3c3c3c);
	igt_assert_eq_u32(*(uint32_t *)(map + page), 0x77777777);
	igt_assert_eq(map[page + 4], 0x3c);
	close(uffd);
	close(fd);
	munmap(map, 2 * page);
	free(content);
}

/* A process that waits for user space does not delay another one */
static void blocked_neighbour(void)
{
	int sock[2], uffd;
	pid_t pid;
	char byte;

	igt_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sock), 0);
	pid = svm_fork();
	if (!pid) {
		int fd = svm_open_attached();

		svm_send_fd(sock[1], pend_faults(fd));
		for (;;)
			pause();
	}
	uffd = svm_receive_fd(sock[0]);
	for (int i = 0; i < 5; i++) {
		size_t size = 64 * svm_page_size();
		uint32_t *buf = svm_mmap_anon(size);
		int fd = svm_open_attached();

		svm_gpu_fill(fd, buf, size, i + 1);
		igt_assert(svm_cpu_all32(buf, size, i + 1));
		close(fd);
		munmap(buf, size);
	}
	assert_device_fine();
	igt_assert_eq(recv(sock[0], &byte, 1, MSG_DONTWAIT), -1);
	kill(pid, SIGKILL);
	igt_assert_eq(svm_reap(30), 128 + SIGKILL);
	close(uffd);
	close(sock[0]);
	close(sock[1]);
}

/*
 * Many files of one process, all lanes of all engines, wait for user space: more
 * faults than a small fault buffer has room for. Others must get through.
 */
static void pend_many(int sock)
{
	enum { FILES = 24, PAGES = 16 };
	size_t page = svm_page_size();
	uint8_t *map = svm_mmap_anon(PAGES * page);
	struct drm_svm_test_cmd cmd = svm_cmd_touch(map, PAGES * page, page, false);
	struct drm_svm_test_info info;
	int uffd = svm_uffd_open(map, PAGES * page);
	uint64_t addr;

	for (int i = 0; i < FILES; i++) {
		int fd = svm_open_attached();

		svm_info(fd, &info);
		for (uint32_t e = 0; e < info.out_engines; e++)
			svm_submit_on(fd, e, &cmd, 1);
	}
	igt_assert(svm_uffd_pending(uffd, 30000, &addr));
	svm_send_fd(sock, uffd);
}

static void blocked_flood(void)
{
	int sock[2], uffd;
	pid_t pid;

	svm_module_load("fault_entries=16");
	igt_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sock), 0);
	pid = svm_fork();
	if (!pid) {
		pend_many(sock[1]);
		for (;;)
			pause();
	}
	uffd = svm_receive_fd(sock[0]);
	for (int i = 0; i < 5; i++)
		assert_device_fine();
	kill(pid, SIGKILL);
	igt_assert_eq(svm_reap(30), 128 + SIGKILL);
	assert_unloads();
	close(uffd);
	close(sock[0]);
	close(sock[1]);
}

/* Nor does it delay the other faults of its own */
static void blocked_self(void)
{
	size_t size = svm_range_size();
	uint32_t *buf = svm_mmap_aligned(2 * size, size);
	int fd = svm_open_attached(), other = svm_open_attached(), uffd;
	struct drm_svm_test_cmd cmd = svm_cmd_touch(buf, 4, 4, false);
	uint64_t addr, job;

	uffd = svm_uffd_open(buf, size);
	job = svm_submit_on(fd, 0, &cmd, 1);
	igt_assert(svm_uffd_pending(uffd, 30000, &addr));
	for (int i = 0; i < 3; i++) {
		svm_gpu_fill(other, buf + size / 4, 8 * svm_page_size(), i);
		igt_assert(svm_cpu_all32(buf + size / 4, 8 * svm_page_size(), i));
	}
	igt_assert_eq(__svm_poll_job(fd, job), -ETIME);
	close(uffd);
	/* With its userfaultfd closed the page is an ordinary one */
	svm_wait_ok(fd, job);
	close(fd);
	close(other);
	munmap(buf, 2 * size);
}

/* A job over a terabyte takes for ever, but not from others, and can be closed */
static void huge_job(void)
{
	size_t size = 1ull << 40;
	int fd = svm_open_attached(), other = svm_open_attached();
	void *map = mmap(NULL, size, PROT_READ,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct drm_svm_test_cmd cmd = svm_cmd_touch(map, size, svm_page_size(), false);
	uint64_t job;

	igt_require(map != MAP_FAILED);
	madvise(map, size, MADV_NOHUGEPAGE);
	job = svm_submit_on(fd, 0, &cmd, 1);
	for (int i = 0; i < 10; i++) {
		uint32_t word = 0;
		struct drm_svm_test_cmd fill = svm_cmd_fill(&word, 4, i + 1);

		svm_wait_ok(other, svm_submit_on(other, 0, &fill, 1));
		igt_assert_eq_u32(READ_ONCE(word), i + 1);
	}
	igt_assert_eq(__svm_poll_job(fd, job), -ETIME);
	close(fd);
	close(other);
	munmap(map, size);
	assert_unloads();
}

/* A job that spins in its TLB shares the engine too */
static void endless_job(void)
{
	int fd = svm_open_attached(), other = svm_open_attached();
	struct svm_spin spin;

	svm_spin_start(&spin, fd, 0);
	for (int i = 0; i < 10; i++) {
		uint32_t word = 0;
		struct drm_svm_test_cmd fill = svm_cmd_fill(&word, 4, i + 1);

		svm_wait_ok(other, svm_submit_on(other, 0, &fill, 1));
		igt_assert_eq_u32(READ_ONCE(word), i + 1);
	}
	igt_assert_eq(__svm_poll_job(fd, spin.job), -ETIME);
	svm_spin_stop(&spin);
	close(fd);
	close(other);
}

/* Closing the file of an endless job on each engine ends them */
static void close_endless(void)
{
	struct drm_svm_test_info info;
	struct svm_spin spins[16];
	int fd = svm_open_attached();
	uint32_t engines;

	svm_info(fd, &info);
	engines = info.out_engines < 16 ? info.out_engines : 16;
	for (uint32_t e = 0; e < engines; e++)
		svm_spin_start(&spins[e], fd, e);
	igt_set_timeout(30, "close waits for an endless job");
	close(fd);
	igt_reset_timeout();
	for (uint32_t e = 0; e < engines; e++)
		svm_spin_free(&spins[e]);
	assert_unloads();
}

/* A process is killed while its threads submit, map and unmap */
struct chaos {
	int fd;
	struct svm_rng rng;
};

static void *chaos_thread(void *arg)
{
	struct chaos *chaos = arg;
	size_t page = svm_page_size();

	for (;;) {
		size_t size = page << svm_rng_below(&chaos->rng, 6);
		uint8_t *buf = svm_mmap_anon(size);
		struct drm_svm_test_cmd cmd = svm_cmd_touch(buf, size, page, true);
		uint64_t job;

		client_submit_cmds(chaos->fd, &cmd, 1, &job);
		if (svm_rng_one_in(&chaos->rng, 2))
			__svm_poll_job(chaos->fd, job);
		munmap(buf, size);
	}
	return NULL;
}

static void kill_chaos(void)
{
	for (int round = 0; round < 8; round++) {
		struct chaos chaos[3];
		pid_t pid = svm_fork();

		if (!pid) {
			int fd = svm_open_attached();

			for (int i = 0; i < 3; i++)
				chaos[i] = (struct chaos) { fd, svm_rng(round, i) };
			svm_threads(3, chaos_thread, chaos, sizeof(chaos[0]));
		}
		usleep(20000 + round * 30000);
		kill(pid, SIGKILL);
		igt_assert_eq(svm_reap(30), 128 + SIGKILL);
	}
	assert_unloads();
}

/* Children come and go while the GPU works on the parent's memory */
static void fork_storm(void)
{
	enum { CHILDREN = 20, ADDS = 200 };
	int fd = svm_open_attached();
	uint64_t *word = svm_mmap_anon(2 * svm_page_size()), *other = word + svm_page_size() / 8;
	struct drm_svm_test_cmd cmd = svm_cmd_add64(word, 1, ADDS);

	for (int i = 0; i < CHILDREN; i++) {
		uint64_t job = svm_submit(fd, &cmd, 1);

		igt_fork(child, 1) {
			uint64_t copy = READ_ONCE(*word);

			/* The child's copy of the page does not change any more */
			*other = 1;
			igt_assert_lte_u64(copy, (i + 1) * ADDS);
			igt_assert_eq_u64(READ_ONCE(*word), copy);
		}
		svm_wait_ok(fd, job);
		igt_waitchildren();
		igt_assert_eq_u64(READ_ONCE(*word), (i + 1) * ADDS);
	}
	igt_assert_eq_u64(*other, 0);
	close(fd);
	munmap(word, 2 * svm_page_size());
}

/* A file of a dead process that another one holds can still be closed */
static void exit_orphan(void)
{
	int sock[2], fd;
	pid_t pid;

	igt_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sock), 0);
	pid = svm_fork();
	if (!pid) {
		fd = svm_open_attached();
		pend_faults(fd);
		svm_send_fd(sock[1], fd);
		for (;;)
			pause();
	}
	fd = svm_receive_fd(sock[0]);
	kill(pid, SIGKILL);
	igt_assert_eq(svm_reap(30), 128 + SIGKILL);
	assert_device_fine();
	igt_set_timeout(30, "close waits for the faults of a dead process");
	close(fd);
	igt_reset_timeout();
	close(sock[0]);
	close(sock[1]);
	assert_unloads();
}

/*
 * The owner is dead, one process holds its file and its userfaultfd open and
 * serves neither: its memory is freed all the same. Shared writable mappings of
 * a memfd keep it from being sealed, so the seal tells.
 */
static void orphan_held(void)
{
	int sock[2], memfd = memfd_create("svm", MFD_ALLOW_SEALING), fd, uffd;
	size_t size = svm_page_size();
	pid_t pid;

	igt_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sock), 0);
	igt_assert_eq(ftruncate(memfd, size), 0);
	pid = svm_fork();
	if (!pid) {
		void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);

		fd = svm_open_attached();
		igt_assert(map != MAP_FAILED);
		svm_gpu_touch(fd, map, size, size, true);
		svm_send_fd(sock[1], pend_faults(fd));
		svm_send_fd(sock[1], fd);
		for (;;)
			pause();
	}
	uffd = svm_receive_fd(sock[0]);
	fd = svm_receive_fd(sock[0]);
	igt_assert_eq(fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	kill(pid, SIGKILL);
	igt_assert_eq(svm_reap(30), 128 + SIGKILL);
	igt_assert(svm_until(!fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE), 10000));
	assert_device_fine();
	close(fd);
	close(uffd);
	close(memfd);
	close(sock[0]);
	close(sock[1]);
	assert_unloads();
}

static const struct svm_test tests[] = {
	{ "uffd-answer", "A fault waits for user space and gets what it wrote.", exit_answer },
	{ "uffd-exit", "exit() with faults that nobody answers.", exit_exit },
	{ "uffd-kill", "SIGKILL with faults that nobody answers.", exit_kill },
	{ "uffd-exec", "execve() with faults that nobody answers.", exit_exec },
	{ "uffd-exec-inherited", "execve() that keeps the file, with faults that nobody answers.",
	  exec_inherited },
	{ "uffd-close", "close() with faults that nobody answers.", exit_close },
	{ "uffd-close-queued", "close() with a fault behind others that nobody answers.",
	  close_queued },
	{ "uffd-unmap", "A fault that waited for user space sees that its page was unmapped.",
	  exit_unmap },
	{ "uffd-orphan", "A file with faults that nobody answers outlives its process.",
	  exit_orphan },
	{ "uffd-orphan-held",
	  "Faults that nobody answers do not keep the memory of a dead process.", orphan_held },
	{ "blocked-neighbour", "Faults that wait for user space hold up no other process.",
	  blocked_neighbour },
	{ "blocked-flood",
	  "More faults that wait than the fault buffer holds hold up no other process.",
	  blocked_flood },
	{ "blocked-self", "Faults that wait for user space hold up no other range.",
	  blocked_self },
	{ "huge-job", "A job over a terabyte delays no other file and can be closed.", huge_job },
	{ "endless-job", "An endless job delays no other file.", endless_job },
	{ "close-endless", "Closing a file ends its endless jobs.", close_endless },
	{ "kill-chaos", "SIGKILL in the middle of submissions and mapping changes.", kill_chaos },
	{ "fork-storm", "Children that come and go disturb no job of their parent.", fork_storm },
};

int igt_main()
{
	igt_fixture()
		close(svm_open());

	svm_tests(tests);
}
