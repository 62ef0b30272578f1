// SPDX-License-Identifier: MIT
/*
 * Each allocation that a call needs fails once: the first, the second, and so on. The
 * call says so or does without, leaves all as it was, leaves nothing behind, and does
 * its work when it is called again. The same for faults of the CPU, which a process
 * does not call, and which the kernel tries again.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_hw.h"
#include "svm_job.h"
#include "svm_prefetch.h"
#include "svm_sweep.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("Calls of a process for which there is no memory.");

#define PAGES	20	/* two blocks of 64 KiB, of which one is not full */
#define VRAM	DRM_SVM_LOCATION_VRAM
#define SYSTEM	DRM_SVM_LOCATION_SYSTEM

/* Files */

static char node[32];

static int open_act(struct svm_sweep *s)
{
	s->other = open(node, O_RDWR | O_CLOEXEC);
	return s->other < 0 ? -errno : 0;
}

static void open_setup(struct svm_sweep *s)
{
	ssize_t len;
	char link[32];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", s->fd);
	len = readlink(link, node, sizeof(node) - 1);
	igt_assert_lt(0, len);
	node[len] = '\0';
}

static void open_check(struct svm_sweep *s, int err)
{
	if (err)
		igt_assert_eq(open_act(s), 0);
	svm_attach(s->other);
	svm_attach(s->fd);
	svm_sweep_small(s, PAGES);
	igt_assert(svm_sweep_gpu_sees(s->other, s->base, s->size));
	svm_sweep_check(s);
}

static int attach_act(struct svm_sweep *s)
{
	struct drm_svm_attach args = {};

	return client_attach(s->fd, &args);
}

static void attach_check(struct svm_sweep *s, int err)
{
	/* the answer got lost on its way */
	bool done = !err || s->injected == SVM_INJECTED_USER;

	err = attach_act(s);
	igt_assert(!err || (done && err == -EEXIST));
	svm_sweep_small(s, PAGES);
	svm_sweep_check(s);
}

/* All that a file can have: pages in VRAM, in RAM, buffer objects, a job that runs */
static void close_setup(struct svm_sweep *s)
{
	size_t page = svm_page_size();
	uint64_t addr = svm_bo_start(s->fd);
	struct drm_svm_test_cmd cmd;
	uint32_t handle;

	svm_sweep_small_vram(s, PAGES);
	igt_assert(svm_pattern_ok(s->base, page, SVM_SWEEP_SEED));
	svm_gpu_touch(s->fd, s->base, s->size, page, false);
	handle = svm_bo_create(s->fd, 16 * page, DRM_SVM_TEST_BO_VRAM);
	svm_bo_bind(s->fd, handle, addr, 16 * page);
	cmd = svm_cmd_touch((void *)(uintptr_t)addr, 16 * page, page, true);
	svm_submit(s->fd, &cmd, 1);
}

static int close_act(struct svm_sweep *s)
{
	int err = close(s->fd) ? -errno : 0;

	s->fd = -1;
	return err;
}

static void close_check(struct svm_sweep *s, int err)
{
	igt_assert_eq(err, 0);
	igt_assert(svm_pattern_ok(s->base, s->size, SVM_SWEEP_SEED));
}

/* What a file can ask */

static void small_setup(struct svm_sweep *s)
{
	svm_sweep_small(s, PAGES);
	svm_gpu_touch(s->fd, s->base, s->size, svm_page_size(), false);
}

static uint32_t pages[PAGES];

static int query_act(struct svm_sweep *s)
{
	return client_query(s->fd, client_ptr(s->base), s->size, 0, pages);
}

static void query_check(struct svm_sweep *s, int err)
{
	igt_assert(svm_prot_all(s->fd, s->base, s->size, SVM_RW));
	svm_sweep_check(s);
}

static int residence_act(struct svm_sweep *s)
{
	return client_query(s->fd, client_ptr(s->base), s->size, DRM_SVM_QUERY_RESIDENCE, pages);
}

static void residence_check(struct svm_sweep *s, int err)
{
	igt_assert_eq(svm_resident(s->fd, s->base, s->size, VRAM), PAGES);
	svm_sweep_check(s);
}

static int runs_act(struct svm_sweep *s)
{
	static struct drm_svm_query_run runs[PAGES];
	uint32_t count = PAGES;
	uint64_t next;

	return client_query_runs(s->fd, client_ptr(s->base), s->size, DRM_SVM_QUERY_DETAILS, runs,
				 &count, &next);
}

static void runs_check(struct svm_sweep *s, int err)
{
	igt_assert_eq(svm_count_kind(s->fd, s->base, s->size, DRM_SVM_PAGE_KIND_PRESENT), PAGES);
	svm_sweep_check(s);
}

static int vram_info_act(struct svm_sweep *s)
{
	struct drm_svm_vram_info info;

	return client_vram_info(s->fd, &info);
}

static void vram_info_check(struct svm_sweep *s, int err)
{
	igt_assert_lte_u64(s->size, svm_vram_info(s->fd).out_own);
	svm_sweep_check(s);
}

static int counters_act(struct svm_sweep *s)
{
	struct drm_svm_test_info info;
	struct client_counts c;

	return client_counters(s->fd, &c) ?: client_info(s->fd, &info);
}

static void counters_check(struct svm_sweep *s, int err)
{
	igt_assert_eq(counters_act(s), 0);
	svm_sweep_check(s);
}

static int events_act(struct svm_sweep *s)
{
	struct drm_svm_events args = { .entries = 600 };
	int err = client_events(s->fd, &args);

	s->other = err ? -1 : args.out_fd;
	return err;
}

/* The file tells what happens. One whose number got lost on its way is open all the same. */
static void events_check(struct svm_sweep *s, int err)
{
	struct drm_svm_event e[2];

	if (err) {
		svm_close_events();
		igt_assert_eq(events_act(s), 0);
	}
	svm_sweep_small(s, PAGES);
	svm_prefetch(s->fd, s->base, s->size, VRAM);
	igt_assert_eq(read(s->other, e, sizeof(e)), sizeof(e));
	igt_assert_eq_u32(e[0].type, DRM_SVM_EVENT_MIGRATE);
	igt_assert_eq_u32(e[0].pages, PAGES);
	igt_assert_eq_u32(e[1].type, DRM_SVM_EVENT_PREFETCH);
	svm_sweep_check(s);
}

/* What is printed of a file: fdinfo, and what root sees of all files */
static int show_act(struct svm_sweep *s)
{
	static char text[8192];
	ssize_t len;

	s->other = open(node, O_RDONLY | O_CLOEXEC);
	if (s->other < 0)
		return -errno;
	do {
		len = read(s->other, text, sizeof(text));
	} while (len > 0);
	return len ? -errno : 0;
}

static void fdinfo_setup(struct svm_sweep *s)
{
	svm_sweep_small_vram(s, PAGES);
	svm_bo_create(s->fd, svm_page_size(), 0);
	snprintf(node, sizeof(node), "/proc/self/fdinfo/%d", s->fd);
}

static void fdinfo_check(struct svm_sweep *s, int err)
{
	igt_assert_eq_u64(svm_fdinfo_bytes(s->fd, "drm-resident-vram"), s->size);
	svm_sweep_check(s);
}

/*
 * Jobs that can fault: each adds one to the first word of the memory, signals an
 * eventfd, reports, and signals the next value of a fence.
 */

static uint64_t *sweep_fence(const struct svm_sweep *s)
{
	return svm_page(s->base, 1);
}

static const struct drm_svm_test_report *sweep_report(const struct svm_sweep *s)
{
	return svm_page(s->base, 2);
}

static void submit_setup(struct svm_sweep *s)
{
	small_setup(s);
	s->other = svm_event();
	*sweep_fence(s) = 0;
}

static int submit_act(struct svm_sweep *s)
{
	struct drm_svm_test_cmd cmd = svm_cmd_add32(s->base, 1, 1);
	struct drm_svm_test_submit args = svm_submit_args(&cmd, 1);
	int err;

	args.queue = 0;
	args.flags = DRM_SVM_TEST_SUBMIT_EVENTFD;
	args.eventfd = s->other;
	args.signal = svm_fence(sweep_fence(s), ++s->seen);
	args.report = client_ptr(sweep_report(s));
	err = client_submit(s->fd, &args);
	s->job = args.out_job;
	return err;
}

static void submit_check(struct svm_sweep *s, int err)
{
	/* the answer got lost, the job not */
	bool lost = err && s->injected == SVM_INJECTED_USER;
	bool ran = svm_event_wait(s->other, 1, err && !lost ? 0 : 1000);

	if (err) {
		igt_assert(!ran || lost);
		igt_assert_eq(submit_act(s), 0);
		igt_assert(svm_event_wait(s->other, 1, 1000));
	} else {
		igt_assert(ran);
	}
	svm_wait_ok(s->fd, s->job);
	igt_assert_eq_u32(*(uint32_t *)s->base, SVM_SWEEP_SEED + ran + !!err);
	igt_assert_eq_u64(*sweep_fence(s), s->seen);
	igt_assert_eq_u64(sweep_report(s)->job, s->job);
	igt_assert_eq_u32(sweep_report(s)->status, DRM_SVM_TEST_STATUS_OK);
	svm_pattern(s->base, s->size, SVM_SWEEP_SEED);
	svm_sweep_check(s);
}

static void wait_setup(struct svm_sweep *s)
{
	submit_setup(s);
	igt_assert_eq(submit_act(s), 0);
}

static int wait_act(struct svm_sweep *s)
{
	struct drm_svm_test_wait result;

	return client_wait(s->fd, s->job, NSEC_PER_SEC, &result);
}

static void wait_check(struct svm_sweep *s, int err)
{
	int again = wait_act(s);

	/* a result is fetched once, also when it got lost */
	igt_assert(again == -EBADF || (err && !again));
	igt_assert_eq_u32(*(uint32_t *)s->base, SVM_SWEEP_SEED + 1);
	svm_pattern(s->base, s->size, SVM_SWEEP_SEED);
	svm_sweep_check(s);
}

/* Prefetch */

static void touched_setup(struct svm_sweep *s)
{
	svm_sweep_small(s, PAGES);
}

static void huge_setup(struct svm_sweep *s)
{
	svm_sweep_huge(s);
}

static int prefetch(struct svm_sweep *s, unsigned int location)
{
	struct drm_svm_prefetch args = svm_prefetch_args(s->base, s->size, location);

	return __svm_prefetch(s->fd, &args);
}

static int to_vram_act(struct svm_sweep *s)
{
	return prefetch(s, VRAM);
}

static void to_vram_check(struct svm_sweep *s, int err)
{
	size_t n = s->size / svm_page_size();

	/* what failed the first time goes the second time */
	svm_prefetch(s->fd, s->base, s->size, VRAM);
	igt_assert_eq(svm_resident(s->fd, s->base, s->size, VRAM), n);
	svm_sweep_check(s);
}

static void holes_setup(struct svm_sweep *s)
{
	svm_sweep_untouched(s, PAGES);
}

static void holes_check(struct svm_sweep *s, int err)
{
	svm_prefetch(s->fd, s->base, s->size, VRAM);
	igt_assert(svm_cpu_all32(s->base, s->size, 0));
	svm_pattern(s->base, s->size, SVM_SWEEP_SEED);
	svm_sweep_check(s);
}

static void small_vram_setup(struct svm_sweep *s)
{
	svm_sweep_small_vram(s, PAGES);
	svm_gpu_touch(s->fd, s->base, s->size, svm_page_size(), false);
}

static void huge_vram_setup(struct svm_sweep *s)
{
	svm_sweep_huge_vram(s);
	svm_gpu_touch(s->fd, s->base, s->size, svm_range_size() / 2, false);
}

static int to_system_act(struct svm_sweep *s)
{
	return prefetch(s, SYSTEM);
}

static void to_system_check(struct svm_sweep *s, int err)
{
	svm_prefetch(s->fd, s->base, s->size, SYSTEM);
	/* a huge page that found no memory is on its way in pieces */
	igt_assert(svm_until(!svm_device_pages(s->base, s->size), 5000));
	svm_sweep_check(s);
}

/* The CPU touches what is in VRAM. */

static int store_act(struct svm_sweep *s)
{
	WRITE_ONCE(*(uint32_t *)(s->base + s->size / 2), 0);
	return 0;
}

static void store_check(struct svm_sweep *s, int err)
{
	uint32_t *word = (uint32_t *)(s->base + s->size / 2), *first = (uint32_t *)s->base;

	igt_assert_eq_u32(*word, 0);
	/* what svm_pattern() has there */
	*word = first[0] + s->size / 2 / sizeof(*word) * (first[1] - first[0]);
	svm_sweep_check(s);
}

/* A huge page of which the CPU has the pages one by one */
static void split_setup(struct svm_sweep *s)
{
	size_t page = svm_page_size();

	svm_sweep_huge_vram(s);
	igt_assert(!mprotect(s->base + page, page, PROT_READ));
	igt_assert(!mprotect(s->base + page, page, PROT_READ | PROT_WRITE));
}

/* The kernel touches it for the program; this call knows no error but EFAULT. */
static int gup_act(struct svm_sweep *s)
{
	struct iovec local = { &s->seen, sizeof(s->seen) }, remote = { s->base, sizeof(s->seen) };

	if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == sizeof(s->seen))
		return 0;
	return -errno;
}

static void gup_check(struct svm_sweep *s, int err)
{
	if (!err)
		igt_assert_eq_u32(s->seen, SVM_SWEEP_SEED);
	igt_assert_eq(gup_act(s), 0);
	svm_sweep_check(s);
}

static int fork_act(struct svm_sweep *s)
{
	pid_t pid = syscall(SYS_fork);

	/* not yet the memory of the test's own library */
	if (!pid)
		_exit(READ_ONCE(*(uint32_t *)s->base) != SVM_SWEEP_SEED);
	s->job = pid;
	return pid < 0 ? -errno : 0;
}

static void fork_check(struct svm_sweep *s, int err)
{
	int status;

	if (err)
		igt_assert_eq(fork_act(s), 0);
	igt_assert_eq(waitpid(s->job, &status, 0), (pid_t)s->job);
	igt_assert_eq(status, 0);
	svm_sweep_check(s);
}

/* VRAM is emptied. */

static int evict_act(struct svm_sweep *s)
{
	return __svm_hw_put(s->file, "1");
}

static void evict_small_setup(struct svm_sweep *s)
{
	small_vram_setup(s);
	s->file = svm_hw_open(s->fd, "evict_vram", O_WRONLY);
}

static void evict_huge_setup(struct svm_sweep *s)
{
	huge_vram_setup(s);
	s->file = svm_hw_open(s->fd, "evict_vram", O_WRONLY);
}

static void evict_check(struct svm_sweep *s, int err)
{
	if (err)
		svm_evict_vram(s->fd);
	igt_assert_eq(svm_device_pages(s->base, s->size), 0);
	svm_sweep_check(s);
}

static void suspend_setup(struct svm_sweep *s)
{
	small_vram_setup(s);
	s->file = svm_hw_open(s->fd, "suspend", O_WRONLY);
}

static void suspend_check(struct svm_sweep *s, int err)
{
	if (err)
		igt_assert_eq(evict_act(s), 0);
	igt_assert_eq(svm_device_pages(s->base, s->size), 0);
	svm_hw_write(s->fd, "suspend", 0);
	svm_sweep_check(s);
}

/* Nothing of the modules may need memory when the kernel takes memory away. */

static int unmap_act(struct svm_sweep *s)
{
	size_t page = svm_page_size(), half = s->size / 2;

	if (mprotect(s->base, half, PROT_READ) ||
	    madvise(s->base + 4 * page, 2 * page, MADV_DONTNEED) ||
	    munmap(s->base + half, half - page))
		return -errno;
	return 0;
}

static void unmap_check(struct svm_sweep *s, int err)
{
	size_t page = svm_page_size();

	igt_assert_eq(err, 0);
	igt_assert(svm_sweep_gpu_sees(s->fd, s->base, 4 * page));
	igt_assert(svm_pattern_ok(s->base, 4 * page, SVM_SWEEP_SEED));
	igt_assert(svm_cpu_all32(s->base + 4 * page, 2 * page, 0));
}

/* Buffer objects */

#define BO_SIZE	(64 * 1024)

static int bo_create(struct svm_sweep *s, uint32_t flags)
{
	return client_bo_create(s->fd, BO_SIZE, flags, &s->handle);
}

static void bo_check_content(struct svm_sweep *s)
{
	void *gpu = svm_bo_bind(s->fd, s->handle, svm_bo_start(s->fd), BO_SIZE);
	uint32_t *map = svm_bo_map(s->fd, s->handle, BO_SIZE);

	igt_assert(svm_cpu_all32(map, BO_SIZE, 0));
	svm_pattern(map, BO_SIZE, SVM_SWEEP_SEED);
	igt_assert(svm_sweep_gpu_sees(s->fd, gpu, BO_SIZE));
	igt_assert(svm_pattern_ok(map, BO_SIZE, SVM_SWEEP_SEED));
	munmap(map, BO_SIZE);
	svm_bo_unbind(s->fd, gpu, BO_SIZE);
	svm_bo_close(s->fd, s->handle);
}

static int bo_create_act(struct svm_sweep *s)
{
	return bo_create(s, 0);
}

static int bo_create_vram_act(struct svm_sweep *s)
{
	return bo_create(s, DRM_SVM_TEST_BO_VRAM);
}

static void bo_create_check(struct svm_sweep *s, int err)
{
	if (err)
		igt_assert_eq(bo_create(s, DRM_SVM_TEST_BO_VRAM), 0);
	bo_check_content(s);
}

static void bo_evicts_check(struct svm_sweep *s, int err)
{
	bo_create_check(s, err);
	igt_assert(svm_pattern_ok(s->base, s->size, SVM_SWEEP_SEED));
}

static void bo_setup(struct svm_sweep *s)
{
	s->handle = svm_bo_create(s->fd, BO_SIZE, DRM_SVM_TEST_BO_VRAM);
}

static int bo_offset_act(struct svm_sweep *s)
{
	uint64_t offset;

	return client_bo_offset(s->fd, s->handle, &offset);
}

static void bo_check(struct svm_sweep *s, int err)
{
	bo_check_content(s);
}

/* Jobs on a buffer object that goes to VRAM: each adds one to its first word */

static void submit_buffer_setup(struct svm_sweep *s)
{
	struct drm_svm_test_submit args;
	uint64_t *map;

	bo_setup(s);
	s->gpu = svm_bo_bind(s->fd, s->handle, svm_bo_start(s->fd), BO_SIZE);
	s->queue = svm_buffer_queue(s->fd, 0);
	s->in = svm_sync_create(s->fd, 0);
	s->out = svm_sync_create(s->fd, 3);
	args = svm_submit_synced(s->queue, NULL, 0, NULL, &s->in);
	svm_wait_ok(s->fd, svm_submit_ioctl(s->fd, &args));
	map = svm_bo_map(s->fd, s->handle, BO_SIZE);
	WRITE_ONCE(*map, 0);
	munmap(map, BO_SIZE);
}

static int submit_buffer_act(struct svm_sweep *s)
{
	struct drm_svm_test_cmd add = svm_cmd_add64(s->gpu, 1, 1);
	struct drm_svm_test_submit args = svm_submit_synced(s->queue, &add, 1, &s->in, &s->out);
	int err = client_submit(s->fd, &args);

	s->job = args.out_job;
	return err;
}

static void submit_buffer_check(struct svm_sweep *s, int err)
{
	/* the answer got lost, the job not */
	bool lost = err && s->injected == SVM_INJECTED_USER;
	bool ran = svm_sync_wait(s->fd, &s->out, err && !lost ? 0 : 1000);
	uint64_t *map;

	if (err) {
		igt_assert(!ran || lost);
		s->out.point++;
		igt_assert_eq(submit_buffer_act(s), 0);
		igt_assert(svm_sync_wait(s->fd, &s->out, 1000));
	} else {
		igt_assert(ran);
	}
	svm_wait_ok(s->fd, s->job);
	map = svm_bo_map(s->fd, s->handle, BO_SIZE);
	igt_assert_eq_u64(READ_ONCE(*map), ran + !!err);
	WRITE_ONCE(*map, 0);
	munmap(map, BO_SIZE);
	svm_bo_unbind(s->fd, s->gpu, BO_SIZE);
	bo_check_content(s);
}

/* VRAM comes back, and the buffer object into it. */

static void resume_setup(struct svm_sweep *s)
{
	bo_setup(s);
	suspend_setup(s);
	igt_assert_eq(evict_act(s), 0);
}

static int resume_act(struct svm_sweep *s)
{
	return __svm_hw_put(s->file, "0");
}

static void resume_check(struct svm_sweep *s, int err)
{
	if (err)
		igt_assert_eq(resume_act(s), 0);
	svm_sweep_check(s);
	bo_check_content(s);
}

static void bo_offset_setup(struct svm_sweep *s)
{
	bo_setup(s);
	igt_assert_eq(client_bo_offset(s->fd, s->handle, &s->job), 0);
}

/* Maps it, and has the CPU use it, for which it has to leave VRAM */
static int bo_mmap_act(struct svm_sweep *s)
{
	void *map = mmap(NULL, BO_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, s->job);

	if (map == MAP_FAILED)
		return -errno;
	WRITE_ONCE(*(uint32_t *)map, 7);
	s->seen = READ_ONCE(*(uint32_t *)map);
	WRITE_ONCE(*(uint32_t *)map, 0);
	return munmap(map, BO_SIZE) ? -errno : 0;
}

static void bo_mmap_check(struct svm_sweep *s, int err)
{
	if (err)
		igt_assert_eq(bo_mmap_act(s), 0);
	igt_assert_eq_u32(s->seen, 7);
	bo_check_content(s);
}

static int bo_bind_act(struct svm_sweep *s)
{
	return client_bo_bind(s->fd, s->handle, s->job, 0, BO_SIZE);
}

static void bo_bind_setup(struct svm_sweep *s)
{
	bo_setup(s);
	s->job = svm_bo_start(s->fd);
}

static void bo_bind_check(struct svm_sweep *s, int err)
{
	int again = err ? bo_bind_act(s) : 0;

	/* the answer got lost on its way */
	igt_assert(!again || (s->injected == SVM_INJECTED_USER && again == -EEXIST));
	svm_gpu_touch(s->fd, (void *)(uintptr_t)s->job, BO_SIZE, svm_page_size(), true);
	igt_assert_eq(client_bo_unbind(s->fd, s->job, BO_SIZE), 0);
	bo_check_content(s);
}

/* More of them, so that the table of bindings has to change its shape */
#define BINDINGS	40

static void bo_unbind_setup(struct svm_sweep *s)
{
	bo_bind_setup(s);
	for (int i = 0; i < BINDINGS; i++)
		svm_bo_bind(s->fd, s->handle, s->job + 2ull * i * BO_SIZE, BO_SIZE);
}

static int bo_unbind_act(struct svm_sweep *s)
{
	int err = 0;

	while (!err && s->size < BINDINGS) {
		err = client_bo_unbind(s->fd, s->job + 2 * s->size * BO_SIZE, BO_SIZE);
		s->size += !err;
	}
	return err;
}

static void bo_unbind_check(struct svm_sweep *s, int err)
{
	int again = bo_unbind_act(s);

	if (s->injected == SVM_INJECTED_USER && again == -ENOENT) {
		s->size++;
		again = bo_unbind_act(s);
	}
	igt_assert_eq(again, 0);
	igt_assert_eq(client_bo_unbind(s->fd, s->job, BO_SIZE), -ENOENT);
	bo_check_content(s);
}

static const struct svm_path paths[] = {
	{ "open", "A file is opened.", open_setup, open_act, open_check, .alone = true },
	{ "attach", "A file attaches.", NULL, attach_act, attach_check, .alone = true },
	{ "close", "A file is closed that has all that one can have.",
	  close_setup, close_act, close_check, .within = SVM_INJECT_MODULES, .none = true },
	{ "query", "What the GPU has of pages.", small_setup, query_act, query_check },
	{ "residence", "Where pages are.", small_vram_setup, residence_act, residence_check },
	{ "query-runs", "What there is, as runs.", small_vram_setup, runs_act, runs_check },
	{ "vram-info", "How much VRAM is free.", small_vram_setup, vram_info_act,
	  vram_info_check },
	{ "counters", "Counters, and what the device is.", small_setup, counters_act,
	  counters_check },
	{ "events", "A file of events.", NULL, events_act, events_check },
	{ "fdinfo", "What the kernel shows of a file.", fdinfo_setup, show_act, fdinfo_check },
	{ "submit", "A job with a fence, a report and an eventfd; it runs once, or not at all.",
	  submit_setup, submit_act, submit_check },
	{ "submit-buffer", "A job on a buffer object, with syncobjs; the same.",
	  submit_buffer_setup, submit_buffer_act, submit_buffer_check },
	{ "wait", "The result of a job.", wait_setup, wait_act, wait_check },
	{ "prefetch-vram", "Pages go to VRAM.", touched_setup, to_vram_act, to_vram_check },
	{ "prefetch-vram-holes", "Untouched pages are made in VRAM.",
	  holes_setup, to_vram_act, holes_check },
	{ "prefetch-vram-huge", "A huge page goes to VRAM.",
	  huge_setup, to_vram_act, to_vram_check },
	{ "prefetch-system", "Pages go home.", small_vram_setup, to_system_act, to_system_check },
	{ "prefetch-system-huge", "A huge page goes home.",
	  huge_vram_setup, to_system_act, to_system_check },
	{ "cpu-load", "The CPU reads from VRAM.",
	  small_vram_setup, svm_sweep_load, svm_sweep_load_check },
	{ "cpu-store", "The CPU writes to VRAM.", small_vram_setup, store_act, store_check },
	{ "cpu-load-huge", "The CPU reads from a huge page in VRAM.",
	  huge_vram_setup, svm_sweep_load, svm_sweep_load_check },
	{ "cpu-store-huge", "The CPU writes to a huge page in VRAM.",
	  huge_vram_setup, store_act, store_check },
	{ "cpu-load-split", "The CPU reads from one page of a huge page in VRAM.",
	  split_setup, svm_sweep_load, svm_sweep_load_check },
	{ "gup", "The kernel reads from VRAM for the program.",
	  small_vram_setup, gup_act, gup_check, EFAULT },
	{ "fork", "A process with pages in VRAM has a child; its page table has no memory.",
	  small_vram_setup, fork_act, fork_check, .within = "copy_page_range" },
	{ "evict", "All pages leave VRAM.", evict_small_setup, evict_act, evict_check, EBUSY },
	{ "evict-huge", "A huge page leaves VRAM.",
	  evict_huge_setup, evict_act, evict_check, EBUSY },
	{ "suspend", "The device is suspended.", suspend_setup, evict_act, suspend_check, EBUSY },
	{ "resume", "The device is resumed.", resume_setup, resume_act, resume_check },
	{ "unmap", "What the CPU takes away needs no memory.",
	  small_vram_setup, unmap_act, unmap_check, .within = SVM_INJECT_MODULES, .none = true },
	{ "unmap-huge", "What the CPU takes away of a huge page needs no memory.",
	  huge_vram_setup, unmap_act, unmap_check, .within = SVM_INJECT_MODULES, .none = true },
	{ "bo-create", "A buffer object.", NULL, bo_create_act, bo_create_check },
	{ "bo-create-vram", "A buffer object in VRAM.",
	  NULL, bo_create_vram_act, bo_create_check },
	{ "bo-create-evicts", "A buffer object for which pages leave VRAM.",
	  svm_sweep_full, bo_create_vram_act, bo_evicts_check },
	{ "bo-offset", "A buffer object is to be mapped.", bo_setup, bo_offset_act, bo_check },
	{ "bo-mmap", "A buffer object is mapped, and the CPU uses it.",
	  bo_offset_setup, bo_mmap_act, bo_mmap_check },
	{ "bo-bind", "A buffer object is bound.", bo_bind_setup, bo_bind_act, bo_bind_check },
	{ "bo-unbind", "Buffer objects are unbound.",
	  bo_unbind_setup, bo_unbind_act, bo_unbind_check },
};

int igt_main()
{
	igt_fixture() {
		igt_require(geteuid() == 0);
		svm_inject_init();
		svm_vram_on("vram_mb=4");
	}

	svm_sweep_calls(paths, ARRAY_SIZE(paths));

	igt_fixture()
		svm_vram_off();
}
