// SPDX-License-Identifier: MIT
/*
 * Each allocation that threads of the kernel need for a job fails once: the first, the
 * second, and so on. They serve faults of the GPU, wait for pages, evict, map buffer
 * objects. The job ends well, or says that there is no memory; nothing is lost and
 * nothing left behind, and the next job ends well.
 */

#include <errno.h>
#include <fcntl.h>
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

IGT_TEST_DESCRIPTION("Jobs for which there is no memory.");

#define PAGES	20	/* two blocks of 64 KiB, of which one is not full */
#define OTHERS	16
#define RANGES	3
#define VRAM	DRM_SVM_LOCATION_VRAM
#define NEW	0x77770000u

#define WAIT_NS	(20ll * NSEC_PER_SEC)

/* 0, or what submission or the job says */
static int run(int fd, struct drm_svm_test_cmd cmd)
{
	struct drm_svm_test_wait result;

	return client_run(fd, &cmd, 1, WAIT_NS, &result) ?: -(int)result.out_errno;
}

/* One word of each @stride is read by the GPU */
static int touch(int fd, void *addr, size_t size, size_t stride)
{
	return run(fd, svm_cmd_touch(addr, size, stride, false));
}

static int read_act(struct svm_sweep *s)
{
	return touch(s->fd, s->base, s->size, svm_page_size());
}

static void read_check(struct svm_sweep *s, int err)
{
	igt_assert_eq(read_act(s), 0);
	svm_sweep_check(s);
}

static int fill_act(struct svm_sweep *s)
{
	return run(s->fd, svm_cmd_fill(s->base, s->size, NEW));
}

static void fill_check(struct svm_sweep *s, int err)
{
	if (!err)
		igt_assert(svm_cpu_all32(s->base, s->size, NEW));
	igt_assert_eq(fill_act(s), 0);
	igt_assert(svm_cpu_all32(s->base, s->size, NEW));
	svm_pattern(s->base, s->size, SVM_SWEEP_SEED);
	svm_sweep_check(s);
}

/* Pages that stay in RAM */

static void no_vram(struct svm_sweep *s)
{
	/* more than any try can use up; the next one takes it back */
	svm_hw_write(s->fd, "inject/fail_alloc", 1000000);
}

static void small_setup(struct svm_sweep *s)
{
	svm_sweep_small(s, PAGES);
}

static void untouched_setup(struct svm_sweep *s)
{
	svm_sweep_untouched(s, PAGES);
}

static void huge_setup(struct svm_sweep *s)
{
	svm_sweep_huge(s);
}

static void huge_untouched_setup(struct svm_sweep *s)
{
	s->size = svm_range_size();
	s->base = svm_mmap_untouched(s->size, true);
}

static void ram_untouched_setup(struct svm_sweep *s)
{
	no_vram(s);
	untouched_setup(s);
}

static void ram_huge_setup(struct svm_sweep *s)
{
	no_vram(s);
	huge_setup(s);
}

static void ram_huge_untouched_setup(struct svm_sweep *s)
{
	no_vram(s);
	huge_untouched_setup(s);
}

static void map_file(struct svm_sweep *s, int flags)
{
	svm_sweep_untouched(s, PAGES);
	svm_mmap_fixed(s->base, s->size, PROT_READ | PROT_WRITE, flags, s->file);
}

static void shmem_setup(struct svm_sweep *s)
{
	s->file = svm_memfd(PAGES * svm_page_size());
	map_file(s, MAP_SHARED);
}

static void file_setup(struct svm_sweep *s)
{
	s->file = svm_tmpfile(svm_scratch_dir(), PAGES * svm_page_size());
	map_file(s, MAP_SHARED);
	svm_pattern(s->base, s->size, SVM_SWEEP_SEED);
}

/* The write to a page of a private mapping copies it. */
static void private_setup(struct svm_sweep *s)
{
	file_setup(s);
	svm_mmap_fixed(s->base, s->size, PROT_READ | PROT_WRITE, MAP_PRIVATE, s->file);
}

static void uncached_setup(struct svm_sweep *s)
{
	file_setup(s);
	munmap(s->base, s->size);
	igt_assert_eq(fsync(s->file), 0);
	igt_assert_eq(posix_fadvise(s->file, 0, 0, POSIX_FADV_DONTNEED), 0);
	svm_mmap_fixed(s->base, s->size, PROT_READ, MAP_PRIVATE, s->file);
}

/* A page whose fault a program serves; a thread waits for it. */

static void uffd_setup(struct svm_sweep *s)
{
	svm_sweep_untouched(s, 1);
	s->file = svm_uffd_open(s->base, s->size);
}

static uint32_t content[1024];

static int uffd_act(struct svm_sweep *s)
{
	struct drm_svm_test_cmd cmd = svm_cmd_touch(s->base, 4, 4, false);
	struct drm_svm_test_wait result;
	uint64_t addr, job;
	int err = client_submit_cmds(s->fd, &cmd, 1, &job);

	if (err)
		return err;
	do {
		if (svm_uffd_pending(s->file, 1, &addr))
			svm_uffd_copy(s->file, s->base, content);
		err = client_wait(s->fd, job, NSEC_PER_SEC / 100, &result);
	} while (err == -ETIME);
	return err ?: -(int)result.out_errno;
}

static void uffd_check(struct svm_sweep *s, int err)
{
	if (err)
		igt_assert_eq(uffd_act(s), 0);
	igt_assert(svm_cpu_all32(s->base, s->size, 0));
}

/* Several at the same time */

static void ranges_setup(struct svm_sweep *s)
{
	svm_sweep_untouched(s, RANGES * svm_range_size() / svm_page_size());
	for (int i = 0; i < RANGES; i++)
		svm_pattern(s->base + i * svm_range_size(), svm_page_size(), SVM_SWEEP_SEED);
}

static int ranges_act(struct svm_sweep *s)
{
	return touch(s->fd, s->base, s->size, svm_range_size());
}

static void ranges_check(struct svm_sweep *s, int err)
{
	size_t page = svm_page_size();

	igt_assert_eq(ranges_act(s), 0);
	for (int i = 0; i < RANGES; i++) {
		char *at = s->base + i * svm_range_size();

		igt_assert(svm_sweep_gpu_sees(s->fd, at, page));
		igt_assert(svm_pattern_ok(at, page, SVM_SWEEP_SEED));
	}
}

static void two_setup(struct svm_sweep *s)
{
	s->other = svm_open_attached();
	svm_sweep_small(s, PAGES);
}

static int two_act(struct svm_sweep *s)
{
	struct drm_svm_test_cmd cmd = svm_cmd_touch(s->base, s->size, svm_page_size(), false);
	struct drm_svm_test_wait result;
	uint64_t first;
	int other, err = client_submit_cmds(s->fd, &cmd, 1, &first);

	other = run(s->other, cmd);
	if (!err)
		err = client_wait(s->fd, first, WAIT_NS, &result) ?: -(int)result.out_errno;
	return err ?: other;
}

static void two_check(struct svm_sweep *s, int err)
{
	igt_assert_eq(two_act(s), 0);
	igt_assert(svm_sweep_gpu_sees(s->other, s->base, s->size));
	svm_sweep_check(s);
}

/* VRAM is full of pages, of which some go for others. */

static void full_setup(struct svm_sweep *s)
{
	svm_sweep_full(s);
	s->others = svm_mmap_small(svm_range_size());
	svm_pattern(s->others, OTHERS * svm_page_size(), SVM_SWEEP_SEED);
}

static void full_huge_setup(struct svm_sweep *s)
{
	s->size = svm_vram_size(s->fd);
	s->base = svm_mmap_thp(s->size);
	svm_pattern(s->base, s->size, SVM_SWEEP_SEED);
	svm_prefetch(s->fd, s->base, s->size, VRAM);
	igt_assert_eq_u64(svm_hw_resident(s->fd, "used"), s->size);
	s->others = svm_mmap_thp(svm_range_size());
	svm_pattern(s->others, OTHERS * svm_page_size(), SVM_SWEEP_SEED);
}

static int evict_act(struct svm_sweep *s)
{
	return touch(s->fd, s->others, OTHERS * svm_page_size(), svm_page_size());
}

static void evict_check(struct svm_sweep *s, int err)
{
	igt_assert_eq(evict_act(s), 0);
	igt_assert(svm_sweep_gpu_sees(s->fd, s->others, OTHERS * svm_page_size()));
	igt_assert(svm_pattern_ok(s->base, s->size, SVM_SWEEP_SEED));
}

/* The CPU touches a huge page, for which RAM has none: it comes home in pieces. */

static void pieces_setup(struct svm_sweep *s)
{
	svm_sweep_huge_vram(s);
	svm_gpu_touch(s->fd, s->base, s->size, svm_range_size() / 2, false);
	svm_inject_no_huge();
}

/* A buffer object that the GPU maps when it uses it, where another one was */

#define BO_SIZE	(256 * 1024)

static void *bo_addr(struct svm_sweep *s)
{
	return (void *)(uintptr_t)s->job;
}

static void bo_setup(struct svm_sweep *s)
{
	uint32_t *map;

	s->handle = svm_bo_create(s->fd, BO_SIZE, DRM_SVM_TEST_BO_VRAM);
	map = svm_bo_map(s->fd, s->handle, BO_SIZE);
	svm_pattern(map, BO_SIZE, SVM_SWEEP_SEED);
	munmap(map, BO_SIZE);
	s->job = svm_bo_start(s->fd);
	svm_bo_bind(s->fd, s->handle, s->job, BO_SIZE);
}

/* So that it is out of VRAM, and without a mapping of the GPU */
static void bo_full_setup(struct svm_sweep *s)
{
	bo_setup(s);
	svm_evict_vram(s->fd);
	svm_sweep_full(s);
}

static int bo_act(struct svm_sweep *s)
{
	return touch(s->fd, bo_addr(s), BO_SIZE, svm_page_size());
}

static void bo_check(struct svm_sweep *s, int err)
{
	igt_assert_eq(bo_act(s), 0);
	igt_assert(svm_sweep_gpu_sees(s->fd, bo_addr(s), BO_SIZE));
	if (s->base)
		igt_assert(svm_pattern_ok(s->base, s->size, SVM_SWEEP_SEED));
}

static const struct svm_path paths[] = {
	{ "ram-untouched", "Pages are made in RAM.", ram_untouched_setup, fill_act, fill_check },
	{ "ram-huge", "A huge page in RAM.", ram_huge_setup, read_act, read_check },
	{ "ram-huge-untouched", "A huge page is made in RAM.",
	  ram_huge_untouched_setup, fill_act, fill_check },
	{ "shmem", "Pages of shared memory are made.", shmem_setup, fill_act, fill_check },
	{ "file", "The GPU writes to a file.", file_setup, fill_act, fill_check, EFAULT },
	{ "private", "Pages of a file are copied for a write.",
	  private_setup, fill_act, fill_check },
	{ "uncached", "A file is read from its disk.",
	  uncached_setup, read_act, read_check, EFAULT },
	{ "uffd", "A program serves the fault.", uffd_setup, uffd_act, uffd_check },
	{ "vram", "Pages go to VRAM.", small_setup, read_act, read_check },
	{ "vram-untouched", "Pages are made in VRAM.", untouched_setup, fill_act, fill_check },
	{ "vram-huge", "A huge page goes to VRAM.", huge_setup, read_act, read_check },
	{ "vram-huge-untouched", "A huge page is made in VRAM.",
	  huge_untouched_setup, fill_act, fill_check },
	{ "ranges", "Pages of several ranges at the same time.",
	  ranges_setup, ranges_act, ranges_check },
	{ "two-files", "Two files use the same pages.", two_setup, two_act, two_check },
	{ "evict", "Pages leave VRAM for others.", full_setup, evict_act, evict_check },
	{ "evict-huge", "Huge pages leave VRAM for others.",
	  full_huge_setup, evict_act, evict_check },
	{ "pieces", "A huge page comes home in pieces.",
	  pieces_setup, svm_sweep_load, svm_sweep_load_check, .slab = true },
	{ "bo", "The GPU uses a buffer object.", bo_setup, bo_act, bo_check, .slab = true },
	{ "bo-evicts", "The GPU uses a buffer object, for which pages leave VRAM.",
	  bo_full_setup, bo_act, bo_check },
};

int igt_main()
{
	igt_fixture() {
		igt_require(geteuid() == 0);
		svm_inject_init();
		svm_vram_on("vram_mb=4");
	}

	svm_sweep_work(paths, ARRAY_SIZE(paths));

	igt_fixture()
		svm_vram_off();
}
