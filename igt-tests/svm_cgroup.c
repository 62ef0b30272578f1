// SPDX-License-Identifier: MIT
/*
 * Whose memory is it: what the kernel allocates because a GPU uses the memory of
 * a process counts as the process's own, in its memory cgroup: threads of the process do
 * the work.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "igt.h"
#include "svm_job.h"
#include "svm_mem.h"
#include "svm_prefetch.h"
#include "svm_vram.h"

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

static void *mmap_shared(size_t size)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	igt_assert(map != MAP_FAILED);
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
	struct client_counts c;
	uint64_t cached;
	void *map;

	map = svm_mmap_fd(file, size, MAP_SHARED);
	igt_assert(!madvise(map, size, MADV_RANDOM));
	svm_cgroup_enter();
	cached = svm_cgroup_stat("file");
	svm_gpu_touch(fd, map, size, svm_page_size(), false);
	svm_counters(fd, &c);
	igt_assert_lt_u64(0, client_count(&c, WAITS));
	igt_assert(svm_until(svm_cgroup_stat("file") >= cached + size / 4 * 3, SETTLE_MS));
	munmap(map, size);
	close(file);
	svm_cgroup_leave();
}

/*
 * What a worker keeps to move pages: an array of a range's pages, of 48 bytes each. The
 * page tables do not count as slab.
 */
static void vram_arrays(void)
{
	size_t size = 16 * svm_page_size();
	uint64_t arrays = svm_range_size() / svm_page_size() * 48, slab;
	char *map = svm_mmap_small(size);
	int fd;

	svm_module_load("vram_mb=16");
	memset(map, 1, size);
	svm_cgroup_enter();
	fd = svm_open_attached();
	slab = svm_cgroup_stat("slab");
	svm_gpu_write32(fd, map, 2);
	igt_assert_lt_u64(0, svm_vram_pages(fd, map, size));
	igt_assert(svm_until(svm_cgroup_stat("slab") >= slab + arrays, SETTLE_MS));
	close(fd);
	munmap(map, size);
	svm_cgroup_leave();
}

#define VRAM_LIMIT	(4u << 20)
#define DMEM_REGION	"drm/drm_svm_test_dev.0/vram"

static void dmem_require(void)
{
	igt_require_f(svm_sys_write("/sys/fs/cgroup/cgroup.subtree_control", "+dmem"),
		      "the kernel has no dmem controller\n");
}

static bool dmem_set(const char *file, uint64_t bytes)
{
	char text[64];

	snprintf(text, sizeof(text), "%s %" PRIu64, DMEM_REGION, bytes);
	return svm_cgroup_set(file, text);
}

static uint64_t dmem_current(void)
{
	return svm_cgroup_key("dmem.current", DMEM_REGION);
}

/* Faults are served by a thread of the process, which the limit is for. */
static void cgroup_vram(void)
{
	size_t size = 4 * svm_range_size();
	char *map = svm_mmap_small(size);
	int fd;

	svm_module_load("vram_mb=16");
	dmem_require();
	svm_cgroup_enter();
	fd = svm_open_attached();
	svm_gpu_fill(fd, map, svm_range_size(), 1);
	igt_assert_eq_u64(dmem_current(), svm_range_size());
	igt_assert(dmem_set("dmem.max", VRAM_LIMIT));
	svm_gpu_fill(fd, map, size, 2);
	igt_assert_lte_u64(dmem_current(), VRAM_LIMIT);
	igt_assert_lt_u64(0, svm_vram_pages(fd, map, size));
	igt_assert(svm_cpu_all32(map, size, 2));
	close(fd);
	munmap(map, size);
	svm_cgroup_leave();
}

/*
 * A limit below what is in use: Linux 7.3 has the driver evict until it is kept, before
 * the write to dmem.max returns. Earlier kernels only refuse what comes then.
 */
static void lowered(bool huge)
{
	/*
	 * A copy by the GPU has two ranges in use at a time. With room for one of them, each
	 * page that it copies would move both.
	 */
	size_t size = 3 * svm_range_size(), limit = 2 * svm_range_size();
	char *map;
	int fd;

	svm_module_load("vram_mb=16");
	dmem_require();
	svm_cgroup_enter();
	igt_require_f(svm_cgroup_has("dmem.peak"), "VRAM in use is not reclaimed before Linux 7.3\n");
	fd = svm_open_attached();
	map = huge ? svm_mmap_thp(size) : svm_mmap_small(size);
	svm_pattern(map, size, 1);
	svm_to_vram(fd, map, size);
	igt_assert_eq_u64(dmem_current(), size);

	igt_assert(dmem_set("dmem.max", limit));
	igt_assert_lte_u64(dmem_current(), limit);
	/* a BO has a range at most, so not all of them had to go */
	igt_assert_lt(0, svm_device_pages(map, size));
	igt_assert(svm_gpu_pattern_ok(fd, map, size, 1));
	igt_assert_lte_u64(dmem_current(), limit);

	igt_assert(dmem_set("dmem.max", 0));
	igt_assert_eq_u64(dmem_current(), 0);
	igt_assert(svm_pattern_ok(map, size, 1));
	svm_gpu_pattern(fd, map, size, 2);
	igt_assert_eq(svm_device_pages(map, size), 0);

	igt_assert(dmem_set("dmem.max", size));
	igt_assert(!mprotect(map, size, PROT_READ));
	igt_assert(!mprotect(map, size, PROT_READ | PROT_WRITE));
	svm_to_vram(fd, map, size);
	igt_assert(svm_pattern_ok(map, size, 2));
	close(fd);
	munmap(map, size);
	svm_cgroup_leave();
}

static void vram_lowered(void)
{
	lowered(false);
}

static void vram_lowered_huge(void)
{
	lowered(true);
}

/*
 * Groups that compete have one parent: from Linux 7.3 on nothing protects the top-level
 * groups from each other, as the root is no group that has a limit.
 */
#define RIVALS	"/sys/fs/cgroup/svm-rivals"

/* A process in a cgroup of its own that wants VRAM, and notes how it went */
static void want_vram(size_t size, struct client_counts *c)
{
	pid_t pid = svm_fork();
	char *map;
	int fd;

	if (!pid) {
		svm_cgroup_enter_below(RIVALS);
		fd = svm_open_attached();
		map = svm_mmap_small(size);
		svm_gpu_pattern(fd, map, size, 3);
		igt_assert(svm_gpu_pattern_ok(fd, map, size, 3));
		svm_counters(fd, c);
		igt_assert(svm_pattern_ok(map, size, 3));
		munmap(map, size);
		close(fd);
		svm_cgroup_leave();
		exit(0);
	}
	igt_assert_eq(svm_reap(60), 0);
}

/* dmem.min protects all of VRAM: it stays, and a process that finds no room uses RAM */
static void vram_protected(void)
{
	size_t size = 2 * svm_range_size();
	struct client_counts *c = mmap_shared(sizeof(*c));
	char *map = svm_mmap_small(size);
	int fd;

	svm_module_load("vram_mb=4");
	dmem_require();
	igt_assert(!mkdir(RIVALS, 0755) || errno == EEXIST);
	igt_assert(svm_sys_write(RIVALS "/cgroup.subtree_control", "+dmem +memory"));
	igt_assert(svm_sys_write(RIVALS "/dmem.min", DMEM_REGION " 4194304"));
	svm_cgroup_enter_below(RIVALS);
	fd = svm_open_attached();
	svm_pattern(map, size, 1);
	igt_assert_eq_u64(svm_prefetch(fd, map, size, DRM_SVM_LOCATION_VRAM),
			  size / svm_page_size());
	igt_assert(dmem_set("dmem.min", size));
	want_vram(size / 2, c);
	igt_assert_eq(svm_device_pages(map, size), size / svm_page_size());
	igt_assert_lt_u64(0, client_count(c, VRAM_NO_SPACE));
	igt_assert_eq_u64(client_count(c, VRAM_PAGES_IN), 0);

	/* what a parent has and its groups do not claim is theirs, up to Linux 7.2 */
	igt_assert(svm_sys_write(RIVALS "/dmem.min", DMEM_REGION " 0"));
	igt_assert(dmem_set("dmem.min", 0));
	want_vram(size / 2, c);
	igt_assert_lt(svm_device_pages(map, size), size / svm_page_size());
	igt_assert_eq_u64(client_count(c, VRAM_NO_SPACE), 0);
	igt_assert_lt_u64(0, client_count(c, VRAM_PAGES_IN));
	igt_assert(svm_gpu_pattern_ok(fd, map, size, 1));
	igt_assert(svm_pattern_ok(map, size, 1));
	close(fd);
	munmap(map, size);
	svm_cgroup_leave();
	igt_assert(!rmdir(RIVALS));
}

/* The limit goes up and down while pages move, and while the device goes */
static void vram_lowered_unload(void)
{
	size_t size = 64 * svm_page_size();
	char *map = svm_mmap_small(size);
	volatile bool *stop = mmap_shared(sizeof(*stop));
	unsigned int i, pass;
	int fd;

	svm_module_load("vram_mb=16");
	dmem_require();
	svm_cgroup_enter();
	if (!svm_fork()) {
		/* fails between two lives of the device */
		for (i = 0; !*stop; i++) {
			dmem_set("dmem.max", i % 2 ? size : size / 4);
			usleep(50 * 1000);
		}
		exit(0);
	}
	for (pass = 0; pass < 4; pass++) {
		fd = svm_open_attached();
		for (i = 0; i < 4; i++) {
			svm_gpu_pattern(fd, map, size, pass);
			igt_assert(svm_gpu_pattern_ok(fd, map, size, pass));
		}
		close(fd);
		svm_module_load("vram_mb=16");
		igt_assert(svm_pattern_ok(map, size, pass));
	}
	*stop = true;
	igt_assert_eq(svm_reap(60), 0);
	munmap(map, size);
	svm_cgroup_leave();
}

/*
 * Accesses of a small page, and beside it of what can be a huge one, miss together: both
 * go to VRAM, one while the other is on its way. The first huge page of a cgroup takes a
 * fault of the CPU besides.
 */
static void vram_mixed(void)
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

static const struct svm_test tests[] = {
	{ "vram-arrays", "What workers keep to move pages to VRAM is charged to the process.",
	  vram_arrays },
	{ "vram", "VRAM that GPU faults take is charged to the process, and limited.",
	  cgroup_vram },
	{ "vram-lowered", "VRAM goes home when the limit is set below what is in use.",
	  vram_lowered },
	{ "vram-lowered-huge", "So do huge pages.", vram_lowered_huge },
	{ "vram-lowered-unload", "The limit changes while pages move and the device goes.",
	  vram_lowered_unload },
	{ "vram-protected", "Protected VRAM stays, others use RAM.", vram_protected },
	{ "vram-mixed", "Small pages and holes for huge ones go to VRAM together.", vram_mixed },
};

int igt_main()
{
	svm_cases(cases);
	svm_tests(tests);

	igt_fixture()
		svm_module_reset();
}
