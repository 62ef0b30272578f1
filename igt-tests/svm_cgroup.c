// SPDX-License-Identifier: MIT
/*
 * Whose memory is it: what the kernel allocates because a GPU uses the memory of
 * a process counts as the process's own, in its memory cgroup. Threads of the
 * kernel do the work, and theirs is no cgroup, so this takes care.
 */

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "igt.h"
#include "svm_job.h"
#include "svm_mem.h"

IGT_TEST_DESCRIPTION("What the GPU causes is charged to the cgroup of the process.");

#define RANGES		256

/* Smallest size of what the helper layer and the driver keep of a range */
#define RANGE_BYTES	256

/* How long the kernel may keep numbers for itself */
#define SETTLE_MS	10000

static void *mmap_sparse(void)
{
	void *map = mmap(NULL, RANGES * svm_range_size(), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	igt_assert(map != MAP_FAILED);
	madvise(map, RANGES * svm_range_size(), MADV_NOHUGEPAGE);
	return map;
}

static void gpu_read_sparse(int fd, const void *map)
{
	svm_gpu_touch(fd, map, RANGES * svm_range_size(), svm_range_size(), false);
}

/* The CPU had all pages before, so its page tables do not grow */
static void charge_ranges(int fd)
{
	char *map = mmap_sparse();
	uint64_t slab, kernel;

	svm_cgroup_enter();
	for (size_t i = 0; i < RANGES; i++)
		(void)READ_ONCE(map[i * svm_range_size()]);
	slab = svm_cgroup_stat("slab");
	kernel = svm_cgroup_stat("kernel");
	gpu_read_sparse(fd, map);
	igt_assert(svm_until(svm_cgroup_stat("slab") >= slab + RANGES * RANGE_BYTES,
			     SETTLE_MS));
	/* a page of the GPU's page table each */
	igt_assert(svm_until(svm_cgroup_stat("kernel") >= kernel + RANGES * svm_page_size(),
			     SETTLE_MS));

	/* workers that the faults called keep theirs */
	slab = svm_cgroup_stat("slab");
	munmap(map, RANGES * svm_range_size());
	igt_assert(svm_until(svm_cgroup_stat("slab") + RANGES * RANGE_BYTES < slab,
			     SETTLE_MS));
	svm_cgroup_leave();
}

/* The CPU's page tables, when it is the GPU that needs them first */
static void charge_tables(int fd)
{
	void *map = mmap_sparse();
	uint64_t tables;

	svm_cgroup_enter();
	tables = svm_cgroup_stat("pagetables");
	gpu_read_sparse(fd, map);
	igt_assert(svm_until(svm_cgroup_stat("pagetables") >=
			     tables + RANGES * svm_page_size(), SETTLE_MS));
	munmap(map, RANGES * svm_range_size());
	svm_cgroup_leave();
}

static void charge_anon(int fd)
{
	size_t size = svm_range_size();
	void *map = svm_mmap_small(size);
	uint64_t anon;

	svm_cgroup_enter();
	anon = svm_cgroup_stat("anon");
	svm_gpu_fill(fd, map, size, 1);
	igt_assert(svm_until(svm_cgroup_stat("anon") >= anon + size / 2, SETTLE_MS));
	munmap(map, size);
	svm_cgroup_leave();
}

/*
 * A thread that may wait for the disk reads the pages of a file. It is to read all
 * of them, so nothing is read ahead.
 */
static void charge_file(int fd)
{
	size_t size = svm_range_size() / 2;
	int file = svm_tmpfile(svm_scratch_dir(), size);
	struct drm_svm_counters c;
	uint64_t cached;
	void *map;

	map = svm_mmap_fd(file, size, MAP_SHARED);
	igt_assert(!madvise(map, size, MADV_RANDOM));
	svm_cgroup_enter();
	cached = svm_cgroup_stat("file");
	svm_gpu_touch(fd, map, size, svm_page_size(), false);
	svm_counters(fd, &c);
	igt_assert_lt_u64(0, c.out_waits);
	igt_assert(svm_until(svm_cgroup_stat("file") >= cached + size / 4 * 3, SETTLE_MS));
	munmap(map, size);
	close(file);
	svm_cgroup_leave();
}

#define VRAM_LIMIT	(4u << 20)
#define DMEM_REGION	"drm/drm_svm_test_dev.0/vram"

/* Faults are served by a worker, whose cgroup has no limit. */
static void test_vram(void)
{
	size_t size = 4 * svm_range_size();
	char *map = svm_mmap_small(size), text[64];
	int fd;

	svm_module_load("vram_mb=16");
	igt_require_f(svm_sys_write("/sys/fs/cgroup/cgroup.subtree_control", "+dmem"),
		      "the kernel has no dmem controller\n");
	svm_cgroup_enter();
	fd = svm_open_attached();
	svm_gpu_fill(fd, map, svm_range_size(), 1);
	igt_assert_eq_u64(svm_cgroup_key("dmem.current", DMEM_REGION), svm_range_size());
	snprintf(text, sizeof(text), "%s %u", DMEM_REGION, VRAM_LIMIT);
	igt_assert(svm_cgroup_set("dmem.max", text));
	svm_gpu_fill(fd, map, size, 2);
	igt_assert_lte_u64(svm_cgroup_key("dmem.current", DMEM_REGION), VRAM_LIMIT);
	igt_assert_lt_u64(0, svm_vram_pages(fd, map, size));
	igt_assert(svm_cpu_all32(map, size, 2));
	close(fd);
	munmap(map, size);
	svm_cgroup_leave();
}

/*
 * Accesses of a small page, and beside it of what can be a huge one, miss together: both
 * go to VRAM, one while the other is on its way. The first huge page of a cgroup takes a
 * fault of the CPU besides.
 */
static void test_vram_mixed(void)
{
	size_t page = svm_page_size(), size = svm_range_size(), from = 9 * page;
	char *map = svm_mmap_small(size);
	int fd;

	svm_module_load("vram_mb=16");
	svm_cgroup_enter();
	fd = svm_open_attached();
	memset(map, 1, 16 * page);
	/* khugepaged would make one huge page of them */
	igt_require(svm_sys_set("/sys/kernel/mm/transparent_hugepage/khugepaged/max_ptes_none",
				"0"));
	igt_require(!madvise(map, size, MADV_HUGEPAGE));
	svm_gpu_fill(fd, map + from, size - from, 2);
	igt_assert_lt_u64(0, svm_vram_pages(fd, map, size));
	igt_assert(svm_cpu_all32(map, from, 0x01010101));
	igt_assert(svm_cpu_all32(map + from, size - from, 2));
	close(fd);
	munmap(map, size);
	svm_sys_restore();
}

static const struct svm_case cases[] = {
	{ "ranges", "Ranges and the GPU's page tables are charged to the process.",
	  charge_ranges },
	{ "page-tables", "Page tables that the GPU needs first are charged to the process.",
	  charge_tables },
	{ "anon", "Pages that the GPU writes first are charged to the process.", charge_anon },
	{ "file", "Pages that the GPU reads from disk are charged to the process.",
	  charge_file },
};

igt_main
{
	svm_cases(cases);

	igt_describe("VRAM that GPU faults take is charged to the process, and limited.");
	igt_subtest("vram")
		test_vram();

	igt_describe("Small pages and holes for huge ones go to VRAM together.");
	igt_subtest("vram-mixed")
		test_vram_mixed();

	igt_fixture
		svm_module_reset();
}
