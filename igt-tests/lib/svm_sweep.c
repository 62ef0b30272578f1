// SPDX-License-Identifier: MIT
/*
 * Sweeps over all failures of allocations, for the tests.
 */

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_hw.h"
#include "svm_job.h"
#include "svm_prefetch.h"
#include "svm_sweep.h"
#include "svm_vram.h"

#define MAX_FAILURES	2000
#define ONE_BY_ONE	48	/* more than that are the same for page after page */
#define STEP		67
#define LOOKS		200	/* takes more than the second that it sleeps */
#define BLOCK_PAGES	16
#define FULL_BLOCKS	8

/*
 * Memory, for setup. The GPU sees nothing but whole ranges that are unmapped after the
 * try: so no range may be left then.
 */

static size_t whole(size_t size)
{
	size_t range = svm_range_size();

	return (size + range - 1) / range * range;
}

void svm_sweep_untouched(struct svm_sweep *s, unsigned int pages)
{
	s->size = pages * svm_page_size();
	s->base = svm_mmap_small(whole(s->size));
}

void svm_sweep_small(struct svm_sweep *s, unsigned int pages)
{
	svm_sweep_untouched(s, pages);
	svm_pattern(s->base, s->size, SVM_SWEEP_SEED);
}

void svm_sweep_huge(struct svm_sweep *s)
{
	s->size = svm_range_size();
	s->base = svm_mmap_thp(s->size);
	svm_pattern(s->base, s->size, SVM_SWEEP_SEED);
}

static void to_vram(struct svm_sweep *s)
{
	svm_prefetch(s->fd, s->base, s->size, DRM_SVM_LOCATION_VRAM);
	igt_assert_eq(svm_device_pages(s->base, s->size), s->size / svm_page_size());
}

void svm_sweep_small_vram(struct svm_sweep *s, unsigned int pages)
{
	svm_sweep_small(s, pages);
	to_vram(s);
}

void svm_sweep_huge_vram(struct svm_sweep *s)
{
	svm_sweep_huge(s);
	to_vram(s);
}

/* TTM evicts what came first, so the pages, in small buffers: few failures, quick tries */
void svm_sweep_full(struct svm_sweep *s)
{
	size_t vram = svm_vram_size(s->fd), block = BLOCK_PAGES * svm_page_size();

	svm_sweep_small(s, FULL_BLOCKS * BLOCK_PAGES);
	for (size_t at = 0; at < s->size; at += block)
		svm_prefetch(s->fd, s->base + at, block, DRM_SVM_LOCATION_VRAM);
	/* so small that any free place will do */
	for (size_t left = vram - s->size; left; left -= s->size)
		svm_bo_create(s->fd, s->size, DRM_SVM_TEST_BO_VRAM);
	igt_assert_eq_u64(svm_hw_resident(s->fd, "used"), vram);
	igt_assert_eq(svm_device_pages(s->base, s->size), FULL_BLOCKS * BLOCK_PAGES);
}

bool svm_sweep_gpu_sees(int fd, const void *addr, size_t size)
{
	void *copy = svm_mmap_aligned(whole(size), svm_range_size());
	bool ok;

	/* quicker */
	madvise(copy, whole(size), size < svm_range_size() ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
	svm_gpu_copy(fd, copy, addr, size);
	ok = svm_pattern_ok(copy, size, SVM_SWEEP_SEED);
	munmap(copy, whole(size));
	return ok;
}

void svm_sweep_check(struct svm_sweep *s)
{
	igt_assert(svm_sweep_gpu_sees(s->fd, s->base, s->size));
	igt_assert(svm_pattern_ok(s->base, s->size, SVM_SWEEP_SEED));
}

int svm_sweep_load(struct svm_sweep *s)
{
	s->seen = READ_ONCE(*(uint32_t *)s->base);
	return 0;
}

void svm_sweep_load_check(struct svm_sweep *s, int err)
{
	igt_assert_eq_u32(s->seen, SVM_SWEEP_SEED);
	svm_sweep_check(s);
}

/* What is left behind after a try: nothing, and nobody who uses the module */

struct state {
	uint64_t ranges;
	uint64_t pages;
	uint64_t dma_pages;
	uint64_t vram_used;
	long module_users;
};

static struct state look(int observer)
{
	struct client_counts c = {};
	int fd = observer < 0 ? svm_open() : observer;
	struct state state;

	if (observer >= 0)
		svm_counters(observer, &c);
	state = (struct state) {
		.ranges = client_count(&c, CUR_RANGES),
		.pages = client_count(&c, CUR_PAGES),
		.dma_pages = client_count(&c, CUR_DMA_PAGES),
		.vram_used = svm_hw_resident(fd, "used"),
		.module_users = svm_sys_get("/sys/module/drm_svm_test_dev/refcnt"),
	};
	if (observer < 0)
		close(fd);
	return state;
}

static bool is_empty(int observer, long users, struct state *now)
{
	*now = look(observer);
	return !now->ranges && !now->pages && !now->dma_pages && !now->vram_used &&
	       now->module_users == users;
}

static void check_nothing_left(int observer, long users)
{
	struct state now;

	igt_assert_f(svm_until(is_empty(observer, users, &now), LOOKS),
		     "left behind: %" PRIu64 " ranges, %" PRIu64 " mapped pages, %" PRIu64
		     " DMA addresses, %" PRIu64 " bytes of VRAM, %ld users of the module\n",
		     now.ranges, now.pages, now.dma_pages, now.vram_used,
		     now.module_users - users);
}

/* Tries */

enum engine { OF_CALLER, OF_MODULES_SLAB, OF_MODULES_PAGES };

static void begin(const struct svm_path *path, enum engine engine, unsigned int nth)
{
	if (engine == OF_CALLER)
		svm_inject_begin(nth, path->within);
	else
		svm_inject_all_begin(nth, engine == OF_MODULES_SLAB ? SVM_INJECTED_SLAB :
								      SVM_INJECTED_PAGES);
}

static enum svm_injected end(enum engine engine)
{
	return engine == OF_CALLER ? svm_inject_end() : svm_inject_all_end();
}

static bool is_allowed(const struct svm_path *path, enum svm_injected injected, int err)
{
	if (!err)
		return true;
	switch (injected) {
	case SVM_INJECTED_NOTHING:
		return false;
	case SVM_INJECTED_USER:
		return err == -EFAULT;
	default:
		return err == -ENOMEM || err == -path->also;
	}
}

static void clean_up(struct svm_sweep *s)
{
	const int fds[] = { s->fd, s->other, s->file };

	if (s->base)
		igt_assert_eq(munmap(s->base, whole(s->size)), 0);
	if (s->others)
		igt_assert_eq(munmap(s->others, svm_range_size()), 0);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	*s = (struct svm_sweep) { .fd = -1, .other = -1, .file = -1 };
}

/* Static, so that the memory of one that failed can be given back */
static struct svm_sweep now = { .fd = -1, .other = -1, .file = -1 };

/* Returns what was injected; @told counts the times that act failed. */
static enum svm_injected try_once(const struct svm_path *path, enum engine engine,
				  unsigned int nth, unsigned int *told)
{
	struct svm_sweep *s = &now;
	enum svm_injected injected;
	int err;

	s->fd = path->alone ? svm_open() : svm_open_attached();
	svm_hw_write(s->fd, "inject/fail_alloc", 0);
	if (path->setup)
		path->setup(s);
	begin(path, engine, nth);
	err = path->act(s);
	injected = end(engine);
	s->injected = injected;
	igt_assert_f(is_allowed(path, injected, err), "failure %u, of kind %u: %s\n", nth,
		     injected, strerror(-err));
	path->check(s, err);
	clean_up(s);
	*told += !!err;
	return injected;
}

/* Before the first failure there is a try without, for what is allocated only once. */
static void sweep(const struct svm_path *path, enum engine engine)
{
	unsigned int nth = 0, last, tries = 0, copies = 0, told = 0;
	enum svm_injected injected;
	int observer = -1;
	long users;

	svm_inject_init();
	if (!path->alone)
		observer = svm_open_attached();
	users = look(observer).module_users;
	do {
		injected = try_once(path, engine, nth, &told);
		check_nothing_left(observer, users);
		copies += injected == SVM_INJECTED_USER;
		/* who waits for us wants to see that something happens */
		if (nth && !(tries % 16))
			igt_info("%s: failure %u\n", path->name, nth);
		tries += !!injected;
		last = nth;
		nth += nth < ONE_BY_ONE ? 1 : STEP;
	} while ((injected || !last) && nth < MAX_FAILURES);

	igt_info("%s: %u failures injected of less than %u, %u of them copies; %u were told\n",
		 path->name, tries, last, copies, told);
	igt_assert(!injected);
	igt_assert_f(path->none ? !tries : tries, "%u failures\n", tries);
	if (observer >= 0)
		close(observer);
}

static void run(const struct svm_path *path, enum engine engine)
{
	clean_up(&now);
	svm_close_leaked();
	sweep(path, engine);
	svm_sys_restore();
}

void svm_sweep_calls(const struct svm_path *paths, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		igt_describe(paths[i].describe);
		igt_subtest(paths[i].name)
			run(&paths[i], OF_CALLER);
	}
}

void svm_sweep_work(const struct svm_path *paths, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		igt_describe(paths[i].describe);
		igt_subtest_f("%s-slab", paths[i].name)
			run(&paths[i], OF_MODULES_SLAB);
		if (paths[i].slab)
			continue;
		igt_describe(paths[i].describe);
		igt_subtest_f("%s-pages", paths[i].name)
			run(&paths[i], OF_MODULES_PAGES);
	}
}
