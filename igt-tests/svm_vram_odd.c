// SPDX-License-Identifier: MIT
/*
 * Pages that may go to VRAM with care only: of KSM, given up by MADV_FREE, under
 * userfaultfd, zero pages, huge pages that are mapped in parts.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/userfaultfd.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_hw.h"
#include "svm_job.h"
#include "svm_mem.h"
#include "svm_prefetch.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("Pages that the kernel treats in a special way, and VRAM.");

#define MAGIC	0xb2b20000u
#define VRAM	DRM_SVM_LOCATION_VRAM
#define SYSTEM	DRM_SVM_LOCATION_SYSTEM

/* KSM compares its pages by the CPU, so they must stay where it can. */
static void migrate_ksm(int fd)
{
	size_t page = svm_page_size(), n = 32;
	char *base = svm_mmap_small(n * page);

	memset(base, 0x5a, n * page);
	svm_ksm_merge(base, n * page);
	igt_assert_eq(svm_prefetch(fd, base, page, VRAM), 0);
	igt_assert_eq_u32(svm_gpu_read32(fd, base), 0x5a5a5a5a);
	igt_assert_eq(svm_resident(fd, base, page, SYSTEM), 1);
	/* a write makes a page of its own */
	svm_gpu_write32(fd, base, MAGIC);
	igt_assert_eq_u32(*(uint32_t *)base, MAGIC);
	igt_assert_eq_u32(*(uint32_t *)(base + page), 0x5a5a5a5a);
	svm_ksm_scan();
	igt_assert_eq_u32(*(uint32_t *)(base + (n - 1) * page), 0x5a5a5a5a);
}

/* What was written after MADV_FREE must not be dropped, wherever it was written. */
static void migrate_lazyfree(int fd)
{
	size_t page = svm_page_size(), size = 16 * page;
	char *base = svm_mmap_small(size);

	svm_need_swap();
	memset(base, 1, size);
	svm_lru_drain();
	igt_assert(!madvise(base, size, MADV_FREE));
	/* lists of the kernel hold them for a moment */
	igt_assert(svm_until((svm_lru_drain(), svm_prefetch(fd, base, size, VRAM),
			      svm_resident(fd, base, size, VRAM) == 16), 1000));
	svm_gpu_fill(fd, base, size, MAGIC);
	igt_assert_eq(svm_resident(fd, base, size, VRAM), 16);
	svm_evict_vram(fd);
	igt_assert_eq(svm_resident(fd, base, size, SYSTEM), 16);
	svm_lru_drain();
	/* what is dropped is neither there nor in swap */
	svm_try_pageout(base, size, svm_swapped);
	igt_assert(svm_cpu_all32(base, size, MAGIC));
}

static int uffd_open(void *addr, size_t size, uint64_t feature, uint64_t mode)
{
	struct uffdio_api api = { .api = UFFD_API, .features = feature };
	struct uffdio_register reg = { .range = { (uintptr_t)addr, size }, .mode = mode };
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	igt_require_f(uffd >= 0, "no userfaultfd: %s\n", strerror(errno));
	igt_require(!ioctl(uffd, UFFDIO_API, &api));
	igt_assert(!ioctl(uffd, UFFDIO_REGISTER, &reg));
	return uffd;
}

static int uffd_wp(void *addr, size_t size)
{
	struct uffdio_writeprotect wp = {
		.range = { (uintptr_t)addr, size }, .mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	int uffd = uffd_open(addr, size, UFFD_FEATURE_PAGEFAULT_FLAG_WP,
			     UFFDIO_REGISTER_MODE_WP);

	igt_assert(!ioctl(uffd, UFFDIO_WRITEPROTECT, &wp));
	return uffd;
}

/* Linux moves pages in RAM only; in VRAM they stay where they are, unharmed. */
static void uffd_move(int fd, char *base, size_t size, int err)
{
	char *to = svm_mmap_aligned(size, svm_range_size());
	struct uffdio_move move = {
		.src = (uintptr_t)base, .dst = (uintptr_t)to, .len = size,
	};
	int uffd = uffd_open(to, size, UFFD_FEATURE_MOVE, UFFDIO_REGISTER_MODE_MISSING);

	svm_pattern(base, size, MAGIC);
	svm_to_vram(fd, base, size);
	igt_assert_eq(ioctl(uffd, UFFDIO_MOVE, &move) ? errno : 0, err);
	igt_assert_eq(svm_device_pages(base, size), size / svm_page_size());
	/* at home they can be moved */
	igt_assert(svm_pattern_ok(base, size, MAGIC));
	igt_assert_eq(svm_device_pages(base, size), 0);
	igt_assert(!ioctl(uffd, UFFDIO_MOVE, &move));
	igt_assert(svm_gpu_pattern_ok(fd, to, size, MAGIC));
	close(uffd);
	munmap(to, size);
}

static void uffd_move_small(int fd)
{
	size_t size = 16 * svm_page_size();

	uffd_move(fd, svm_mmap_small(size), size, EFAULT);
}

static void uffd_move_huge(int fd)
{
	uffd_move(fd, svm_mmap_thp(svm_range_size()), svm_range_size(), ENOENT);
}

/* The first write to a protected zero page is told, though it is the GPU's. */
static void wp_zero(int fd)
{
	size_t page = svm_page_size();
	char *base = svm_mmap_small(page);
	struct drm_svm_test_cmd cmd = svm_cmd_fill(base, page, MAGIC);
	struct uffdio_writeprotect allow = { .range = { (uintptr_t)base, page } };
	struct uffd_msg msg;
	struct pollfd wait;
	uint64_t job;

	(void)READ_ONCE(*base);
	wait = (struct pollfd) { .fd = uffd_wp(base, page), .events = POLLIN };
	igt_assert_eq(svm_prefetch(fd, base, page, VRAM), 0);
	job = svm_submit(fd, &cmd, 1);
	igt_assert_eq(poll(&wait, 1, 30000), 1);
	igt_assert_eq(read(wait.fd, &msg, sizeof(msg)), sizeof(msg));
	igt_assert(msg.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP);
	igt_assert(!ioctl(wait.fd, UFFDIO_WRITEPROTECT, &allow));
	svm_wait_ok(fd, job);
	close(wait.fd);
	igt_assert(svm_cpu_all32(base, page, MAGIC));
}

static void read_zero_huge(int fd)
{
	size_t size = svm_range_size();
	char *base = svm_mmap_aligned(size, size);
	struct drm_svm_counters counters;

	igt_assert(!madvise(base, size, MADV_HUGEPAGE));
	(void)READ_ONCE(*base);
	svm_gpu_touch(fd, base, size, svm_page_size(), false);
	svm_counters(fd, &counters);
	igt_assert_eq_u64(counters.out_cur_vram_reserved, 0);
	igt_assert_eq_u64(counters.out_vram_busy, 0);
}

/* Of a huge page in VRAM each page is mapped for itself. */
static char *huge_in_parts(int fd)
{
	size_t page = svm_page_size(), size = svm_range_size();
	char *base = svm_mmap_thp(size);

	svm_pattern(base, size, MAGIC);
	igt_assert_eq(svm_prefetch(fd, base, size, VRAM), size / page);
	igt_assert_eq(svm_folio(fd, base), size);
	igt_assert(!mprotect(base + size - page, page, PROT_READ));
	return base;
}

static void parts_touch(int fd)
{
	size_t page = svm_page_size(), size = svm_range_size();
	char *base = huge_in_parts(fd);

	igt_assert_eq_u32(*(uint32_t *)(base + 100 * page),
			  MAGIC + 100 * page / 4 * 2654435761u);
	igt_assert(svm_pattern_ok(base, size, MAGIC));
	svm_evict_vram(fd);
	igt_assert_eq(svm_resident(fd, base, size, SYSTEM), size / page);
}

/* The first page does not move, and must not stay locked. */
static void parts_copy_fails(int fd)
{
	size_t page = svm_page_size(), size = svm_range_size();
	char *base = huge_in_parts(fd);
	uint32_t value;

	svm_hw_fail_copy(fd, 0, 1000);
	igt_assert(!svm_hw_load(base + 100 * page, &value));
	svm_hw_fail_copy(fd, 0, 0);
	igt_assert_eq_u32(svm_gpu_read32(fd, base), MAGIC);
	svm_evict_vram(fd);
	igt_assert_eq(svm_resident(fd, base, size, SYSTEM), size / page);
	igt_assert(svm_pattern_ok(base, size, MAGIC));
}

static void parts_fork(int fd)
{
	size_t page = svm_page_size(), size = svm_range_size();
	char *base = huge_in_parts(fd);

	igt_fork(child, 2) {
		for (size_t at = child * page; at < size; at += 7 * page)
			igt_assert_eq_u32(*(uint32_t *)(base + at),
					  MAGIC + at / 4 * 2654435761u);
		igt_assert(svm_pattern_ok(base, size, MAGIC));
	}
	svm_evict_vram(fd);
	igt_waitchildren();
	igt_assert(svm_pattern_ok(base, size, MAGIC));
}

static const struct svm_case cases[] = {
	{ "ksm", "Merged pages stay where KSM can compare them.", migrate_ksm },
	{ "lazyfree", "What the GPU writes in VRAM after MADV_FREE is not dropped.",
	  migrate_lazyfree },
	{ "uffd-move", "UFFDIO_MOVE refuses pages in VRAM.", uffd_move_small },
	{ "uffd-move-huge", "It refuses huge pages in VRAM.", uffd_move_huge },
	{ "wp-zero", "A protected zero page is not replaced unseen.", wp_zero },
	{ "read-zero-huge", "A read of the huge zero page takes no VRAM.", read_zero_huge },
	{ "parts-touch", "The CPU touches a huge page that is mapped in parts.", parts_touch },
	{ "parts-copy-fails", "The same, and the copy fails.", parts_copy_fails },
	{ "parts-fork", "Children and an eviction meet at such a page.", parts_fork },
};

int igt_main()
{
	igt_fixture()
		svm_module_load("vram_mb=16");

	svm_cases(cases);

	igt_fixture()
		svm_module_reset();
}
