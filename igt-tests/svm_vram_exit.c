// SPDX-License-Identifier: MIT
/*
 * Processes, files and the module end while pages are on their way to VRAM or home.
 * Copies are slow here, so that there is something on its way. In the end no VRAM is
 * lost, and who lives on has its data.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_job.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("Everything may end while pages are on their way.");

#define OLD	0x4d4d0000u
#define NEW	0x4c4c0000u
static const char slow[] = "vram_mb=8 copy_latency_us=10000";

static bool is_vram_free(int fd)
{
	size_t size = svm_vram_size(fd);
	uint32_t handle;
	bool fits;

	svm_evict_vram(fd);
	handle = svm_bo_create(fd, size, DRM_SVM_TEST_BO_VRAM);
	fits = svm_fdinfo_bytes(fd, "drm-resident-vram") == size;
	svm_bo_close(fd, handle);
	return fits;
}

/* A buffer object as large as all of VRAM fits in: nobody has kept a part of it */
static void check_vram_free(void)
{
	int fd = svm_open_attached();

	igt_assert(svm_until(is_vram_free(fd), 5000));
	close(fd);
}

/* Jobs that bring memory to VRAM, some of it written by the CPU before, some not */
static uint64_t submit_fills(int fd, char *base, size_t size, int n)
{
	struct drm_svm_test_cmd cmds[2];
	uint64_t job = 0;

	svm_pattern(base, size / 2, OLD);
	cmds[0] = svm_cmd_fill(base, size, NEW);
	cmds[1] = svm_cmd_touch(base, size, svm_page_size(), true);
	while (n--)
		job = svm_submit(fd, cmds, 2);
	return job;
}

/* What a child does until it ends, or is ended; @own is its file */
static void go_on(int own, char *base, size_t size)
{
	for (;;) {
		submit_fills(own, base, size, 1);
		svm_gpu_touch(own, base, size, 16 * svm_page_size(), false);
	}
}

static void go_home(int own, char *base, size_t size)
{
	for (;;) {
		svm_gpu_fill(own, base, size, NEW);
		svm_cpu_all32(base, size, NEW);
	}
}

static void kill_amid(bool huge, void (*work)(int own, char *base, size_t size))
{
	enum { ROUNDS = 5 };
	size_t size = svm_range_size();

	for (int round = 0; round < ROUNDS; round++) {
		pid_t pid = svm_fork();

		if (!pid) {
			int own = svm_open_attached();

			work(own, svm_mmap_untouched(size, huge), size);
		}
		usleep(20000 + round * 23000);
		kill(pid, SIGKILL);
		igt_assert_eq(svm_reap(60), 128 + SIGKILL);
	}
	check_vram_free();
}

static void killed_going(int fd, bool huge)
{
	kill_amid(huge, go_on);
}

static void killed_coming(int fd, bool huge)
{
	kill_amid(huge, go_home);
}

/* A child that ends by itself, with jobs on their way */
static void end_amid(bool huge, void (*end)(int own))
{
	enum { ROUNDS = 3 };
	size_t size = svm_range_size();

	for (int round = 0; round < ROUNDS; round++) {
		if (!svm_fork()) {
			int own = svm_open_attached();

			submit_fills(own, svm_mmap_untouched(size, huge), size, 4);
			usleep(round * 15000);
			end(own);
			exit(1);
		}
		igt_assert_eq(svm_reap(60), 0);
	}
	check_vram_free();
}

static void end_by_exit(int own)
{
	_exit(0);
}

static void end_by_exec(int own)
{
	execl("/bin/true", "true", NULL);
}

static void end_by_exec_inherited(int own)
{
	fcntl(own, F_SETFD, 0);
	end_by_exec(own);
}

static void exit_exited(int fd, bool huge)
{
	end_amid(huge, end_by_exit);
}

static void exit_execed(int fd, bool huge)
{
	end_amid(huge, end_by_exec);
	end_amid(huge, end_by_exec_inherited);
}

/* Each word is old or new, and does not change any more */
static void check_settled(const uint32_t *word, size_t size)
{
	uint32_t *copy = svm_mmap_small(size), n = size / sizeof(*word);

	memcpy(copy, word, size);
	for (uint32_t i = 0; i < n; i++) {
		bool touched = i % (svm_page_size() / sizeof(*word)) == 0;
		uint32_t old = i < n / 2 ? OLD + i * 2654435761u : 0;

		igt_assert_f(copy[i] == NEW || copy[i] == old || (touched && !copy[i]),
			     "word %u: %#x\n", i, copy[i]);
	}
	check_vram_free();
	igt_assert(!memcmp(copy, word, size));
	munmap(copy, size);
}

static void exit_closed(int fd, bool huge)
{
	enum { ROUNDS = 3 };
	size_t size = svm_range_size();

	for (int round = 0; round < ROUNDS; round++) {
		int own = svm_open_attached();
		char *base = svm_mmap_untouched(size, huge);

		submit_fills(own, base, size, 2);
		usleep(round * 15000);
		close(own);
		check_settled((uint32_t *)base, size);
		munmap(base, size);
	}
}

/* The memory goes while its pages are on their way */
static void exit_unmapped(int fd, bool huge)
{
	enum { ROUNDS = 4 };
	size_t size = svm_range_size();

	for (int round = 0; round < ROUNDS; round++) {
		char *base = svm_mmap_untouched(size, huge);
		uint64_t job = submit_fills(fd, base, size, 1);
		struct drm_svm_test_wait result;

		usleep(round * 10000);
		igt_assert(!munmap(base, size));
		svm_wait(fd, job, &result);
		igt_assert(!result.out_errno || result.out_errno == ENOENT);
	}
	check_vram_free();
}

struct toucher {
	char *base;
	size_t size;
};

static void *toucher_main(void *data)
{
	struct toucher *toucher = data;

	svm_cpu_all32(toucher->base, toucher->size, NEW);
	return NULL;
}

/* Several threads wait for pages that come home when their process is killed */
static void touch_by_threads(int own, char *base, size_t size)
{
	struct toucher touchers[4];

	svm_gpu_fill(own, base, size, NEW);
	for (int i = 0; i < 4; i++)
		touchers[i] = (struct toucher) { base + i * size / 8, size / 2 };
	for (;;) {
		svm_gpu_fill(own, base, size, NEW);
		svm_threads(4, toucher_main, touchers, sizeof(touchers[0]));
	}
}

static void killed_threads(int fd, bool huge)
{
	kill_amid(huge, touch_by_threads);
}

/* Something happens to an area while its pages are evicted, at several moments of it */
static void *evict_main(void *data)
{
	return (void *)(intptr_t)__svm_evict_vram(*(int *)data);
}

static void during_eviction(int fd, bool huge, void (*change)(struct svm_area *area))
{
	enum { ROUNDS = 6 };

	for (int round = 0; round < ROUNDS; round++) {
		struct svm_area area = svm_area(fd, huge, OLD);
		pthread_t thread;
		void *err;

		igt_assert(!pthread_create(&thread, NULL, evict_main, &fd));
		usleep(round * 2000);
		change(&area);
		pthread_join(thread, &err);
		igt_assert(!err || (intptr_t)err == -EBUSY);
	}
	check_vram_free();
}

static void change_munmap(struct svm_area *area)
{
	svm_area_free(area);
}

static void change_dontneed(struct svm_area *area)
{
	igt_assert(!madvise(area->base, area->size, MADV_DONTNEED));
	igt_assert(svm_cpu_all32(area->base, area->size, 0));
}

static void change_mremap(struct svm_area *area)
{
	char *to = svm_mmap_small(area->size);

	igt_assert(mremap(area->base, area->size, area->size, MREMAP_MAYMOVE | MREMAP_FIXED,
			  to) == to);
	igt_assert(svm_pattern_ok(to, area->size, OLD));
}

static void change_mprotect(struct svm_area *area)
{
	igt_assert(!mprotect(area->base, area->size / 2, PROT_READ));
	igt_assert(svm_pattern_ok(area->base, area->size, OLD));
}

static void change_fork(struct svm_area *area)
{
	igt_fork(child, 1) {
		igt_assert(svm_pattern_ok(area->base, area->size, OLD));
		svm_pattern(area->base, area->size, NEW);
	}
	igt_waitchildren();
	igt_assert(svm_pattern_ok(area->base, area->size, OLD));
}

static void evict_munmap(int fd, bool huge)
{
	during_eviction(fd, huge, change_munmap);
}

static void evict_dontneed(int fd, bool huge)
{
	during_eviction(fd, huge, change_dontneed);
}

static void evict_mremap(int fd, bool huge)
{
	during_eviction(fd, huge, change_mremap);
}

static void evict_mprotect(int fd, bool huge)
{
	during_eviction(fd, huge, change_mprotect);
}

static void evict_fork(int fd, bool huge)
{
	during_eviction(fd, huge, change_fork);
}

static void *home_main(void *data)
{
	struct svm_area *area = data;

	for (size_t at = 0; at < area->size; at += svm_page_size())
		(void)*(volatile uint32_t *)(area->base + at);
	return NULL;
}

/* Pages are dropped that another thread of the process calls home */
static void home_dontneed(int fd, bool huge)
{
	enum { ROUNDS = 6 };

	for (int round = 0; round < ROUNDS; round++) {
		struct svm_area area = svm_area(fd, huge, OLD);
		pthread_t thread;

		igt_assert(!pthread_create(&thread, NULL, home_main, &area));
		usleep(round * 2000);
		change_dontneed(&area);
		pthread_join(thread, NULL);
		igt_assert(svm_cpu_all32(area.base, area.size, 0));
	}
	check_vram_free();
}

/*
 * Children with pages in VRAM, whose files are closed already. They wait for @go, and
 * then look at their pages, or are looking all the time.
 */
enum { CHILDREN = 3 };

static void start_children(bool huge, int ready, int go, bool looking)
{
	igt_fork(child, CHILDREN) {
		int own = svm_open_attached();
		struct svm_area area = svm_area(own, huge, NEW + child);

		close(own);
		svm_gate_open(ready);
		for (int i = 0; looking && i < 20; i++)
			igt_assert(svm_pattern_ok(svm_page(area.base, i), svm_page_size(),
						  NEW + child + i * svm_page_size() /
						  sizeof(uint32_t) * 2654435761u));
		svm_gate_wait(go);
		igt_assert(svm_pattern_ok(area.base, area.size, NEW + child));
	}
	for (int i = 0; i < CHILDREN; i++)
		svm_gate_wait(ready);
}

static void unloaded(int fd, bool huge, bool looking)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	int ready = svm_gate(), go = svm_gate();

	close(fd);
	start_children(huge, ready, go, looking);
	svm_module_unload();
	igt_assert_eq(svm_device_pages(area.base, area.size), 0);
	igt_assert(svm_pattern_ok(area.base, area.size, OLD));
	for (int i = 0; i < CHILDREN; i++)
		svm_gate_open(go);
	igt_waitchildren();
	svm_vram_on(slow);
	check_vram_free();
}

static void unloaded_quiet(int fd, bool huge)
{
	unloaded(fd, huge, false);
}

static void unloaded_looking(int fd, bool huge)
{
	unloaded(fd, huge, true);
}

/* Their owners are killed while the module brings the pages home */
static void unloaded_killed(int fd, bool huge)
{
	int ready = svm_gate(), go = svm_gate();
	pid_t pid = svm_fork();

	if (!pid) {
		int own;

		close(fd);
		own = svm_open_attached();
		svm_area_sized(own, huge, 2 * svm_range_size(), NEW);
		close(own);
		svm_gate_open(ready);
		svm_gate_wait(go);
		exit(0);
	}
	close(fd);
	svm_gate_wait(ready);
	if (!fork()) {
		usleep(15000);
		kill(pid, SIGKILL);
		_exit(0);
	}
	svm_module_unload();
	igt_assert_eq(svm_reap(60), 128 + SIGKILL);
	svm_vram_on(slow);
	check_vram_free();
}

/*
 * A page on its way home cannot be evicted at the moment; all others can. Copies take
 * so long that it is surely under way: the GPU has no mapping of it any more.
 */
static pthread_t start_home(int fd, struct svm_area *area)
{
	pthread_t thread;

	igt_assert(!pthread_create(&thread, NULL, home_main, area));
	igt_assert(svm_until(!svm_query_page(fd, area->base), 30000));
	return thread;
}

static void evict_past_busy(int fd, bool huge)
{
	struct svm_area first = svm_area(fd, huge, OLD), other = svm_area(fd, huge, NEW);
	pthread_t thread = start_home(fd, &first);
	int err = __svm_evict_vram(fd);

	igt_assert(!err || err == -EBUSY);
	igt_assert_eq(svm_device_pages(other.base, other.size), 0);
	pthread_join(thread, NULL);
	igt_assert(svm_pattern_ok(first.base, first.size, OLD));
	igt_assert(svm_pattern_ok(other.base, other.size, NEW));
}

/* The first one that has to go cannot, so the next one has to */
static void room_past_busy(int fd, bool huge)
{
	size_t range = svm_range_size(), rest = svm_vram_size(fd) - range;
	struct svm_area first, other;
	pthread_t thread;
	uint32_t handle;

	svm_evict_vram(fd);
	first = svm_area_sized(fd, huge, range, OLD);
	other = svm_area_sized(fd, huge, rest, NEW);
	thread = start_home(fd, &first);
	handle = svm_bo_create(fd, range, DRM_SVM_TEST_BO_VRAM);
	pthread_join(thread, NULL);
	/* it has its room, whoever made it; what is left of the others counts as well */
	igt_assert_eq_u64(svm_fdinfo_bytes(fd, "drm-resident-vram"),
			  range + svm_device_pages(other.base, other.size) * svm_page_size());
	igt_assert(svm_pattern_ok(first.base, first.size, OLD));
	igt_assert(svm_pattern_ok(other.base, other.size, NEW));
	svm_bo_close(fd, handle);
}

/*
 * The GPU writes to an area, and its pages are on their way home. Of the same address in
 * the eyes of Linux others have pages, which it then looks for here too.
 */
static void start_eviction(int fd, const struct svm_area *area)
{
	svm_gpu_pattern(fd, area->base, area->size, NEW);
	igt_assert_lt(0, svm_device_pages(area->base, area->size));
	svm_evictor_start(fd);
	igt_assert(svm_until(!svm_query_page(fd, area->base), 30000));
}

static void end_eviction(const struct svm_area *area)
{
	svm_evictor_stop();
	igt_assert(svm_pattern_ok(area->base, area->size, NEW));
}

/* A huge page is split */
static void split(char *base, size_t size)
{
	igt_assert(!madvise(base, size / 2, MADV_COLD));
	igt_assert(svm_pattern_ok(base, size, OLD));
}

static void split_childs(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	int go = svm_gate();

	svm_evict_vram(fd);
	igt_fork(child, 1) {
		svm_gate_wait(go);
		split(area.base, area.size);
	}
	igt_assert(!madvise(area.base, area.size, MADV_DONTNEED));
	start_eviction(fd, &area);
	svm_gate_open(go);
	igt_waitchildren();
	end_eviction(&area);
}

/* The parent's mapping comes first, then that of the child that came first */
static void split_siblings(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	int dropped = svm_gate(), go = svm_gate();

	svm_evict_vram(fd);
	igt_fork(first, 1) {
		int own = svm_open_attached();

		svm_gate_wait(dropped);
		igt_assert(!madvise(area.base, area.size, MADV_DONTNEED));
		start_eviction(own, &area);
		svm_gate_open(go);
		end_eviction(&area);
	}
	igt_fork(second, 1) {
		svm_gate_wait(go);
		split(area.base, area.size);
	}
	igt_assert(!madvise(area.base, area.size, MADV_DONTNEED));
	svm_gate_open(dropped);
	igt_waitchildren();
}

/* They moved away, and what is mapped instead has become one with its neighbours */
static void split_moved(int fd, bool huge)
{
	size_t range = svm_range_size();
	char *base = svm_mmap_untouched(3 * range, huge), *old = svm_mmap_untouched(range, huge);
	struct svm_area area = { .base = base + range, .size = range, .huge = huge };

	svm_pattern(area.base, range, OLD);
	igt_assert(mremap(area.base, range, range, MREMAP_MAYMOVE | MREMAP_FIXED, old) == old);
	svm_mmap_fixed(area.base, range, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	igt_assert(!madvise(area.base, range, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE));
	start_eviction(fd, &area);
	split(old, range);
	end_eviction(&area);
}

/*
 * Huge pages moved by half of one. What comes for two halves is a huge page at addresses
 * of both, one of which is split.
 */
static void split_displaced(int fd, bool huge)
{
	size_t range = svm_range_size(), half = range / 2;
	char *old = svm_mmap_untouched(2 * range, huge);
	char *base = svm_mmap_untouched(3 * range, huge) + half;
	struct svm_area area = { .base = base + half, .size = range, .huge = huge };

	svm_pattern(old, 2 * range, OLD);
	igt_assert(mremap(old, 2 * range, 2 * range, MREMAP_MAYMOVE | MREMAP_FIXED,
			  base) == base);
	igt_assert(!madvise(area.base, range, MADV_DONTNEED));
	svm_pattern(area.base, range, NEW);
	igt_require(!huge || svm_smaps_kb(area.base, "AnonHugePages"));
	start_eviction(fd, &area);
	split(base, half);
	end_eviction(&area);
}

static const struct svm_vram_case busy_cases[] = {
	{ "evict-past-busy", "A page on its way home does not keep others in VRAM.",
	  evict_past_busy },
	{ "room-past-busy", "Others make room when a page on its way home cannot.",
	  room_past_busy },
	{ "split-childs", "A child's pages are split while those that came after are evicted.",
	  split_childs },
	{ "split-siblings", "A child's are split while those of its sibling are evicted.",
	  split_siblings },
	{ "split-displaced", "Pages that moved by half of one are split meanwhile.",
	  split_displaced },
	{ "split-moved", "Pages that moved are split while those that came after are evicted.",
	  split_moved },
};

static const struct svm_vram_case cases[] = {
	{ "kill-going", "SIGKILL while pages go to VRAM.", killed_going },
	{ "kill-coming", "SIGKILL while pages come home.", killed_coming },
	{ "kill-threads", "SIGKILL while several threads wait for pages.", killed_threads },
	{ "exit", "exit() while pages go to VRAM.", exit_exited },
	{ "exec", "execve() while pages go to VRAM.", exit_execed },
	{ "close", "close() while pages go to VRAM.", exit_closed },
	{ "munmap", "munmap() while pages go to VRAM.", exit_unmapped },
	{ "evict-mremap", "Pages move in the address space while they are evicted.",
	  evict_mremap },
	{ "evict-mprotect", "Pages are protected while they are evicted.", evict_mprotect },
	{ "evict-fork", "A child is born while pages are evicted.", evict_fork },
	{ "evict-munmap", "Pages are unmapped while they are evicted.", evict_munmap },
	{ "evict-dontneed", "Pages are dropped while they are evicted.", evict_dontneed },
	/* Linux can miss to drop a huge page that is called home: docs/design.rst */
	{ "home-dontneed", "Pages are dropped while another thread calls them home.",
	  home_dontneed, true },
	{ "unload", "The module goes while processes have pages in VRAM.", unloaded_quiet },
	{ "unload-looking", "The module goes while processes look at pages in VRAM.",
	  unloaded_looking },
	{ "unload-killed", "The module goes while a process is killed.", unloaded_killed },
};

/* What takes memory away while it is copied has its effect, and what comes instead stays. */
static void slow_dontneed(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);

	start_eviction(fd, &area);
	igt_assert(!madvise(area.base, area.size, MADV_DONTNEED));
	igt_assert(svm_cpu_all32(area.base, area.size / 2, 0));
	svm_pattern(area.base + area.size / 2, area.size / 2, OLD);
	svm_evictor_stop();
	igt_assert(svm_cpu_all32(area.base, area.size / 2, 0));
	igt_assert(svm_pattern_ok(area.base + area.size / 2, area.size / 2, OLD));
}

/* A part of it */
static void slow_hole(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	size_t hole = svm_page_size();

	start_eviction(fd, &area);
	igt_assert(!madvise(area.base, hole, MADV_DONTNEED));
	svm_evictor_stop();
	igt_assert(svm_cpu_all32(area.base, hole, 0));
	igt_assert(svm_pattern_ok(area.base + hole, area.size - hole,
				  NEW + hole / 4 * 2654435761u));
}

static void slow_munmap(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);

	start_eviction(fd, &area);
	igt_assert(mmap(area.base, area.size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == area.base);
	igt_assert(svm_cpu_all32(area.base, area.size, 0));
	svm_evictor_stop();
	igt_assert(svm_cpu_all32(area.base, area.size, 0));
}

static const struct svm_vram_case slow_cases[] = {
	{ "slow-dontneed", "Pages are dropped while a copy takes long.", slow_dontneed },
	{ "slow-hole", "A page is dropped while a copy takes long.", slow_hole },
	{ "slow-munmap", "Pages are unmapped while a copy takes long.", slow_munmap },
};

int igt_main()
{
	igt_fixture() {
		svm_vram_on(slow);
	}

	svm_vram_cases(cases);

	igt_fixture()
		svm_vram_on("vram_mb=4 copy_latency_us=200000");

	svm_vram_cases(busy_cases);

	igt_fixture()
		svm_vram_on("vram_mb=4 copy_latency_us=300000");

	svm_vram_cases(slow_cases);

	igt_fixture()
		svm_vram_off();
}
