// SPDX-License-Identifier: MIT
/*
 * TEST: svm resources
 * Category: Robustness
 * Description: What the helper layer keeps of an address space is bounded and given back.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "igt.h"
#include "svm_job.h"
#include "svm_lib.h"
#include "svm_mem.h"

IGT_TEST_DESCRIPTION("What the helper layer keeps of an address space is bounded and given back.");

/* Load the helper layer with @params, and the driver on top */
static void load_helper(const char *params)
{
	char command[128];

	svm_helper_unload();
	snprintf(command, sizeof(command), "modprobe drm_svm %s", params);
	igt_assert_eq(system(command), 0);
	svm_module_load(NULL);
}

static uint64_t cur_ranges(int fd)
{
	struct client_counts counters;

	svm_counters(fd, &counters);
	return client_count(&counters, CUR_RANGES);
}

static bool touch_range(int fd, uint8_t *map, int index)
{
	int err = __svm_gpu_touch(fd, map + index * svm_range_size(), 4, 4, true);

	igt_assert_f(!err || err == -ENOMEM, "error %d\n", err);
	return !err;
}

/* The limit fails the job that goes beyond it; room comes back with the memory */
static void max_ranges(void)
{
	enum { MAX = 4 };
	size_t size = svm_range_size();
	uint8_t *map;
	int fd;

	load_helper("max_ranges=4");
	fd = svm_open_attached();
	map = svm_mmap_aligned(2 * MAX * size, size);
	for (int i = 0; i < MAX; i++)
		igt_assert(touch_range(fd, map, i));
	igt_assert(!touch_range(fd, map, MAX));
	igt_assert_lte_u64(cur_ranges(fd), MAX);
	for (int i = 0; i < MAX; i++)
		igt_assert(svm_query_page(fd, map + i * size) & DRM_SVM_PAGE_WRITE);

	/* One that is unmapped, and one that has nothing in it any more */
	igt_assert_eq(munmap(map, size), 0);
	igt_assert(svm_until(touch_range(fd, map, MAX), 10000));
	igt_assert(!touch_range(fd, map, MAX + 1));
	igt_assert_eq(madvise(map + size, size, MADV_DONTNEED), 0);
	igt_assert(svm_until(touch_range(fd, map, MAX + 1), 10000));
	close(fd);
	munmap(map + size, (2 * MAX - 1) * size);
}

/* A limit of one process is none of another */
static void max_ranges_own(void)
{
	size_t size = svm_range_size();
	uint8_t *map = svm_mmap_aligned(2 * size, size);
	int fd;

	load_helper("max_ranges=1");
	fd = svm_open_attached();
	igt_assert(touch_range(fd, map, 0));
	igt_assert(!touch_range(fd, map, 1));
	igt_fork(child, 1) {
		int own = svm_open_attached();

		igt_assert(touch_range(own, map, 1));
	}
	igt_waitchildren();
	close(fd);
	munmap(map, 2 * size);
}

/* A program that maps and unmaps all day leaves no ranges behind */
static void ranges_freed(void)
{
	size_t size = svm_range_size();
	int fd;

	load_helper("");
	fd = svm_open_attached();
	for (int i = 0; i < 50; i++) {
		uint8_t *map = svm_mmap_aligned(3 * size, size);

		for (int n = 0; n < 3; n++)
			igt_assert(touch_range(fd, map, n));
		munmap(map, 3 * size);
	}
	igt_assert(svm_until(cur_ranges(fd) == 0, 10000));
	close(fd);
}

/* What is mapped for DMA is undone page by page, with huge pages as with small */
static void track_dma(bool huge)
{
	size_t page = svm_page_size(), size = svm_range_size();
	struct client_counts c;
	uint8_t *map;
	int fd;

	load_helper("track_dma=1");
	fd = svm_open_attached();
	map = svm_mmap_aligned(size, size);
	madvise(map, size, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	svm_gpu_touch(fd, map, size, page, true);
	svm_counters(fd, &c);
	igt_assert_lte_u64(size / page, client_count(&c, CUR_PAGES));
	igt_assert_eq_u64(client_count(&c, CUR_DMA_PAGES), client_count(&c, CUR_PAGES));

	/* Write access that is taken and given back maps nothing twice */
	igt_assert_eq(mprotect(map, size / 2, PROT_READ), 0);
	svm_gpu_touch(fd, map, size, page, false);
	igt_assert_eq(mprotect(map, size / 2, PROT_READ | PROT_WRITE), 0);
	svm_gpu_touch(fd, map, size, page, true);
	svm_counters(fd, &c);
	igt_assert_eq_u64(client_count(&c, CUR_PAGES), size / page);
	igt_assert_eq_u64(client_count(&c, CUR_DMA_PAGES), client_count(&c, CUR_PAGES));

	igt_assert_eq(munmap(map, 3 * page), 0);
	svm_counters(fd, &c);
	igt_assert_eq_u64(client_count(&c, CUR_DMA_PAGES), client_count(&c, CUR_PAGES));
	igt_assert_lte_u64(client_count(&c, CUR_PAGES), size / page - 3);
	munmap(map, size);
	svm_counters(fd, &c);
	igt_assert_eq_u64(client_count(&c, CUR_PAGES), 0);
	igt_assert_eq_u64(client_count(&c, CUR_DMA_PAGES), 0);
	close(fd);
}

static void resource_track_dma(void)
{
	track_dma(false);
}

static void track_dma_huge(void)
{
	track_dma(true);
}

/* A page that the GPU reads first, then writes, is the same page at the same address */
static void track_dma_upgrade(void)
{
	size_t page = svm_page_size(), size = 64 * page;
	int memfd = memfd_create("svm", 0), fd;
	struct client_counts c;
	uint8_t *map;

	load_helper("track_dma=1");
	fd = svm_open_attached();
	igt_assert_eq(ftruncate(memfd, size), 0);
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	igt_assert(map != MAP_FAILED);
	svm_gpu_touch(fd, map, size, page, false);
	/* Clean memory is mapped read-only, until the GPU writes */
	igt_require(!(svm_query_page(fd, map) & DRM_SVM_PAGE_WRITE));
	for (size_t i = 0; i < size; i += 2 * page)
		svm_gpu_write32(fd, map + i, i + 1);
	svm_counters(fd, &c);
	igt_assert_eq_u64(client_count(&c, CUR_PAGES), size / page);
	igt_assert_eq_u64(client_count(&c, CUR_DMA_PAGES), client_count(&c, CUR_PAGES));
	for (size_t i = 0; i < size; i += 2 * page)
		igt_assert_eq_u32(*(uint32_t *)(map + i), i + 1);
	munmap(map, size);
	svm_counters(fd, &c);
	igt_assert_eq_u64(client_count(&c, CUR_PAGES), 0);
	igt_assert_eq_u64(client_count(&c, CUR_DMA_PAGES), 0);
	close(fd);
	close(memfd);
}

/* With DMA tracked, a close with everything mapped, and a reload */
static void track_dma_close(void)
{
	size_t page = svm_page_size(), size = 64 * page;
	uint32_t *map = svm_mmap_anon(size);
	int fd;

	load_helper("track_dma=1");
	fd = svm_open_attached();
	svm_gpu_fill(fd, map, size, 1);
	close(fd);
	load_helper("track_dma=1");
	fd = svm_open_attached();
	svm_gpu_fill(fd, map, size, 2);
	igt_assert(svm_cpu_all32(map, size, 2));
	close(fd);
	munmap(map, size);
}

/* The only worker of an address space does not wait for user space */
static void one_worker(void)
{
	size_t page = svm_page_size();
	int fd, uffd;
	uint8_t *map = svm_mmap_anon(page);
	struct drm_svm_test_cmd cmd = svm_cmd_touch(map, 4, 4, false);
	struct client_counts c;
	uint64_t addr, job;

	load_helper("workers=1");
	fd = svm_open_attached();
	uffd = svm_uffd_open(map, page);
	job = svm_submit_on(fd, 0, &cmd, 1);
	igt_assert(svm_uffd_pending(uffd, 30000, &addr));
	for (int i = 0; i < 3; i++) {
		int other = svm_open_attached();
		uint32_t *buf = svm_mmap_anon(16 * page);

		svm_gpu_fill(other, buf, 16 * page, i + 1);
		igt_assert(svm_cpu_all32(buf, 16 * page, i + 1));
		munmap(buf, 16 * page);
		close(other);
	}
	igt_assert_eq(__svm_poll_job(fd, job), -ETIME);
	svm_counters(fd, &c);
	igt_assert_lt_u64(0, client_count(&c, WAITS));
	close(uffd);
	svm_wait_ok(fd, job);
	close(fd);
	munmap(map, page);
}

static void resource_workers(void)
{
	static const char *const params[] = {
		"workers=1", "workers=16", "workers=0", "workers=1000",
	};
	size_t size = svm_range_size();
	uint32_t *map = svm_mmap_aligned(size, size);

	/* Zero is as many as are of use; too many are as many as there can be */
	for (size_t i = 0; i < ARRAY_SIZE(params); i++) {
		int fd;

		load_helper(params[i]);
		fd = svm_open_attached();
		svm_gpu_fill(fd, map, size, i + 1);
		igt_assert(svm_cpu_all32(map, size, i + 1));
		close(fd);
	}
	munmap(map, size);
}

static const struct svm_test tests[] = {
	{ "max-ranges", "The number of ranges is limited, and room comes back.", max_ranges },
	{ "max-ranges-own", "The limit counts for each process alone.", max_ranges_own },
	{ "ranges-freed", "Ranges whose memory was unmapped are freed.", ranges_freed },
	{ "track-dma", "Each page that was mapped for DMA is unmapped once.", resource_track_dma },
	{ "track-dma-huge", "The same with huge pages, taken away in part.", track_dma_huge },
	{ "track-dma-upgrade", "A page is mapped for DMA once, for reads and writes.",
	  track_dma_upgrade },
	{ "track-dma-close", "Closing a file undoes its DMA mappings.", track_dma_close },
	{ "one-worker", "A single worker never waits for user space.", one_worker },
	{ "workers", "Any number of workers works.", resource_workers },
};

int igt_main()
{
	igt_fixture() {
		igt_require(geteuid() == 0);
		close(svm_open());
		igt_require_f(!access("/sys/module/drm_svm", F_OK),
			      "the helper is not a module of its own\n");
	}

	svm_tests(tests);
	igt_fixture() {
		svm_close_leaked();
		load_helper("");
	}
}
