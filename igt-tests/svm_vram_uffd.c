// SPDX-License-Identifier: MIT
/*
 * userfaultfd, and pages that are in VRAM or would go there.
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
#include "svm_job.h"
#include "svm_prefetch.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("userfaultfd and pages in VRAM.");

#define MAGIC	0xb2b20000u

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

static void move_small(int fd)
{
	size_t size = 16 * svm_page_size();

	uffd_move(fd, svm_mmap_small(size), size, EFAULT);
}

static void move_huge(int fd)
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
	igt_assert_eq(svm_prefetch(fd, base, page, DRM_SVM_LOCATION_VRAM), 0);
	job = svm_submit(fd, &cmd, 1);
	igt_assert_eq(poll(&wait, 1, 30000), 1);
	igt_assert_eq(read(wait.fd, &msg, sizeof(msg)), sizeof(msg));
	igt_assert(msg.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP);
	igt_assert(!ioctl(wait.fd, UFFDIO_WRITEPROTECT, &allow));
	svm_wait_ok(fd, job);
	close(wait.fd);
	igt_assert(svm_cpu_all32(base, page, MAGIC));
}

static const struct svm_case cases[] = {
	{ "move", "UFFDIO_MOVE refuses pages in VRAM.", move_small },
	{ "move-huge", "It refuses huge pages in VRAM.", move_huge },
	{ "wp-zero", "A protected zero page is not replaced unseen.", wp_zero },
};

int igt_main()
{
	igt_fixture()
		svm_vram_on("vram_mb=16");

	svm_cases(cases);

	igt_fixture()
		svm_vram_off();
}
