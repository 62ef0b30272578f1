// SPDX-License-Identifier: MIT
/*
 * Huge pages leave VRAM though RAM is in pieces.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/io_uring.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_job.h"
#include "svm_mem.h"
#include "svm_prefetch.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("Huge pages leave VRAM though RAM has no huge page for them.");

#define MAGIC		0xa1a10000u
#define VRAM		DRM_SVM_LOCATION_VRAM
#define SPLIT_THP	"/sys/kernel/debug/split_huge_pages"
#define THP_DEFRAG	"/sys/kernel/mm/transparent_hugepage/defrag"
#define KPF_THP		(1ull << 22)

/*
 * RAM in pieces: no two megabytes of free memory in one, and none to be made. All
 * huge pages that there are were taken, by any means; of some of them all pages but
 * one are given back, and that one is pinned.
 */
#define PIECES_FREE	48

static struct pieces {
	char *map;
	size_t mapped;
	char *base;
	size_t size;
	int ring;
} pieces;

static bool is_huge(const void *addr)
{
	return svm_kpageflags(addr) & KPF_THP;
}

/*
 * More than there is. The kernel makes the huge zero page before, and keeps it for this
 * process: it is what says that the CPU would make a huge page where nothing is.
 */
static void pieces_map(void)
{
	char *zero = svm_mmap_untouched(svm_range_size(), true);

	(void)READ_ONCE(*zero);
	pieces.mapped = 8ull << 30;
	pieces.map = mmap(NULL, pieces.mapped, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	igt_assert(pieces.map != MAP_FAILED);
	pieces.base = (char *)(((uintptr_t)pieces.map + svm_range_size() - 1) /
			       svm_range_size() * svm_range_size());
	igt_assert(!madvise(pieces.map, pieces.mapped, MADV_HUGEPAGE));
}

/* Take huge pages until there was none for so many times in a row. */
static void pieces_take(unsigned int fails)
{
	size_t range = svm_range_size();
	unsigned int failed = 0;

	while (failed < fails && pieces.base + pieces.size + range <= pieces.map + pieces.mapped) {
		char *addr = pieces.base + pieces.size;

		*(volatile char *)addr = 1;
		failed = is_huge(addr) ? 0 : failed + 1;
		pieces.size += range;
		/* it takes long, and is not to look like a test that hangs */
		if (pieces.size % (256 * range) == 0)
			dprintf(STDOUT_FILENO, "progress: %zu MiB of RAM taken\n",
				pieces.size >> 20);
	}
	igt_require(pieces.size > PIECES_FREE * range);
}

/* The first page of each of the blocks to be freed becomes a buffer of an io_uring. */
static void pieces_pin(void)
{
	struct iovec iov[PIECES_FREE];
	struct io_uring_params params = {};

	for (size_t i = 0; i < PIECES_FREE; i++)
		iov[i] = (struct iovec) { pieces.base + i * svm_range_size(), svm_page_size() };
	pieces.ring = syscall(SYS_io_uring_setup, 1, &params);
	igt_require_f(pieces.ring >= 0, "no io_uring: %s\n", strerror(errno));
	igt_assert_eq(syscall(SYS_io_uring_register, pieces.ring, IORING_REGISTER_BUFFERS,
			      iov, PIECES_FREE), 0);
}

static void pieces_free_some(void)
{
	size_t range = svm_range_size(), page = svm_page_size();
	char text[96];

	snprintf(text, sizeof(text), "%d,0x%lx,0x%lx,0", getpid(), (unsigned long)pieces.base,
		 (unsigned long)(pieces.base + PIECES_FREE * range));
	igt_require_f(!access(SPLIT_THP, W_OK), "no %s\n", SPLIT_THP);
	/* a huge page that khugepaged or compaction looks at is not split */
	igt_assert(svm_until((svm_lru_drain(), svm_sys_write(SPLIT_THP, text),
			      !is_huge(pieces.base)), 10000));
	pieces_pin();
	for (size_t at = 0; at < PIECES_FREE * range; at += range)
		igt_assert(!madvise(pieces.base + at + page, range - page, MADV_DONTNEED));
}

/*
 * Taking all memory takes long, so it is done once; what was freed since then is taken
 * by each test.
 */
static void pieces_need(void)
{
	igt_require(svm_sys_set(THP_DEFRAG, "madvise"));
	if (!pieces.size) {
		pieces_map();
		pieces_take(1);
		pieces_free_some();
	}
	pieces_take(8);
}

static void pieces_end(void)
{
	if (!pieces.size)
		return;
	close(pieces.ring);
	munmap(pieces.map, pieces.mapped);
	pieces.size = 0;
}

static char *map_anon(size_t size)
{
	return svm_mmap_untouched(size, true);
}

/* Anonymous memory that has a file, and page offsets of that file */
static char *map_dev_zero(size_t size)
{
	char *base = svm_mmap_untouched(size, true);
	int file = open("/dev/zero", O_RDWR | O_CLOEXEC);

	igt_assert(mmap(base, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, file,
			3 * svm_page_size()) == base);
	igt_assert(!madvise(base, size, MADV_HUGEPAGE));
	close(file);
	return base;
}

/* Made there: RAM has no huge page to begin with. */
static char *huge_in_vram(int fd, char *(*map)(size_t size), size_t size)
{
	char *base = map(size);
	char *pattern = svm_mmap_small(svm_range_size());

	svm_pattern(pattern, svm_range_size(), MAGIC);
	igt_assert_eq(svm_prefetch(fd, base, size, VRAM), size / svm_page_size());
	for (size_t at = 0; at < size; at += svm_range_size()) {
		svm_gpu_copy(fd, base + at, pattern, svm_range_size());
		igt_assert_eq(svm_folio(fd, base + at), svm_range_size());
	}
	munmap(pattern, svm_range_size());
	return base;
}

static bool huge_ok(const char *base, size_t size)
{
	for (size_t at = 0; at < size; at += svm_range_size())
		if (!svm_pattern_ok(base + at, svm_range_size(), MAGIC))
			return false;
	return true;
}

static bool in_pieces(const char *base, size_t size)
{
	/* the last page of each: tests drop the first ones */
	for (size_t at = svm_range_size(); at <= size; at += svm_range_size())
		if (!is_huge(base + at - svm_page_size()))
			return true;
	return false;
}

/*
 * The kernel may find huge pages after all, by what was freed or compacted meanwhile. If
 * it does for each of them, nothing was tested, and there are fewer of them the next time.
 * @leave looks at the content.
 */
static void leave_in_pieces(int fd, char *(*map)(size_t size),
			    void (*leave)(int fd, char *base, size_t size))
{
	size_t size = 4 * svm_range_size();
	bool left = false;

	for (int i = 0; !left && i < 16; i++) {
		char *base;

		pieces_need();
		base = huge_in_vram(fd, map, size);
		leave(fd, base, size);
		igt_assert_eq(svm_resident(fd, base, size, VRAM), 0);
		left = in_pieces(base, size);
		munmap(base, size);
	}
	igt_assert(left);
}

static void evict_huge(int fd, char *base, size_t size)
{
	svm_evict_vram(fd);
	/* where else they are is the kernel's affair: compaction may move some */
	igt_assert_eq(svm_resident(fd, base, size, VRAM), 0);
	igt_assert(huge_ok(base, size));
}

static void fragmented_evict(int fd)
{
	leave_in_pieces(fd, map_anon, evict_huge);
}

static void evict_dev_zero(int fd)
{
	leave_in_pieces(fd, map_dev_zero, evict_huge);
}

/* The first @hole of each is gone, so that nothing is where the huge page begins */
static void evict_without(int fd, char *base, size_t size, size_t hole, bool other_mapping)
{
	size_t range = svm_range_size();
	char *at;

	for (at = base; at < base + size; at += range) {
		if (other_mapping)
			igt_assert(!mprotect(at, hole, PROT_READ));
		igt_assert(!madvise(at, hole, MADV_DONTNEED));
	}
	svm_evict_vram(fd);
	igt_assert_eq(svm_resident(fd, base, size, VRAM), 0);
	for (at = base; at < base + size; at += range) {
		igt_assert(svm_cpu_all32(at, hole, 0));
		igt_assert(svm_pattern_ok(at + hole, range - hole,
					  MAGIC + hole / 4 * 2654435761u));
	}
}

static void evict_holed_huge(int fd, char *base, size_t size)
{
	evict_without(fd, base, size, svm_page_size(), false);
}

static void evict_holed(int fd)
{
	leave_in_pieces(fd, map_anon, evict_holed_huge);
}

static void evict_half_huge(int fd, char *base, size_t size)
{
	evict_without(fd, base, size, svm_range_size() / 2, true);
}

static void evict_half(int fd)
{
	leave_in_pieces(fd, map_anon, evict_half_huge);
}

static void evict_no_access_huge(int fd, char *base, size_t size)
{
	igt_assert(!mprotect(base, size, PROT_NONE));
	svm_evict_vram(fd);
	igt_assert_eq(svm_device_pages(base, size), 0);
	igt_assert(!mprotect(base, size, PROT_READ | PROT_WRITE));
	igt_assert(huge_ok(base, size));
}

static void evict_no_access(int fd)
{
	leave_in_pieces(fd, map_anon, evict_no_access_huge);
}

/* Moved in the address space, half unmapped, and then only a child has it. */
static void owner_gone(int fd)
{
	size_t size = svm_range_size();
	int ready = svm_gate(), go = svm_gate(), done = svm_gate();
	pid_t owner;

	pieces_need();
	owner = svm_fork();
	if (!owner) {
		int own = svm_open_attached();
		char *base = huge_in_vram(own, map_anon, size), *to = svm_mmap_aligned(size, size);
		char *half = huge_in_vram(own, map_anon, size);

		munmap(half, size / 2);
		mremap(base, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to);
		if (fork())
			_exit(0);
		svm_gate_open(ready);
		svm_gate_wait(go);
		if (huge_ok(to, size) && svm_pattern_ok(half + size / 2, size / 2,
							MAGIC + size / 8 * 2654435761u))
			svm_gate_open(done);
		_exit(0);
	}
	igt_assert_eq(svm_reap(60), 0);
	svm_gate_wait(ready);
	svm_evict_vram(fd);
	svm_gate_open(go);
	svm_gate_wait(done);
}

/* Parent and child have the same huge page; both touch it at the same time. */
static void touch_shared(int fd)
{
	size_t size = svm_range_size();
	int go = svm_gate();
	char *base;

	pieces_need();
	base = huge_in_vram(fd, map_anon, size);
	for (int i = 0; i < 3; i++) {
		if (svm_fork())
			continue;
		svm_gate_wait(go);
		igt_assert(huge_ok(base, size));
		memset(base + i * size / 4, i, size / 4);
		igt_assert(svm_cpu_all32(base + i * size / 4, size / 4, i * 0x01010101));
		exit(0);
	}
	for (int i = 0; i < 3; i++)
		svm_gate_open(go);
	igt_assert(huge_ok(base, size));
	for (int i = 0; i < 3; i++)
		igt_assert_eq(svm_reap(60), 0);
	igt_assert(svm_pattern_ok(base, size, MAGIC));
	munmap(base, size);
}

/* The page that is touched comes alone, perhaps: the others are on their way. */
static void touch_huge(int fd, char *base, size_t size)
{
	for (size_t at = 0; at < size; at += svm_range_size())
		igt_assert_eq_u32(*(uint32_t *)(base + at), MAGIC);
	igt_assert(huge_ok(base, size));
}

static void fragmented_touch(int fd)
{
	leave_in_pieces(fd, map_anon, touch_huge);
}

/* The task sleeps until its page was split, and does not try again and again. */
static void touch_once(int fd, char *base, size_t size)
{
	struct rusage before, after;

	igt_assert(!getrusage(RUSAGE_THREAD, &before));
	touch_huge(fd, base, size);
	igt_assert(!getrusage(RUSAGE_THREAD, &after));
	igt_assert_lt(after.ru_minflt - before.ru_minflt, 100);
}

static void touch_slow(int fd)
{
	leave_in_pieces(fd, map_anon, touch_once);
}

/* They cannot come as they are, so they are left to be split, and are there a moment later */
static void prefetch_huge(int fd, char *base, size_t size)
{
	igt_assert(svm_until((svm_prefetch(fd, base, size, DRM_SVM_LOCATION_SYSTEM),
			      !svm_resident(fd, base, size, VRAM)), 5000));
	igt_assert(huge_ok(base, size));
}

static void fragmented_prefetch(int fd)
{
	leave_in_pieces(fd, map_anon, prefetch_huge);
}

/* Room for others is made all the same. */
static void fragmented_oversubscribe(int fd)
{
	/* the pattern needs room as well */
	size_t size = svm_vram_size(fd) - 2 * svm_range_size();
	char *base, *other;

	pieces_need();
	base = huge_in_vram(fd, map_anon, size);
	other = huge_in_vram(fd, map_anon, size);
	igt_assert(huge_ok(base, size));
	svm_evict_vram(fd);
	igt_assert(huge_ok(other, size));
	munmap(base, size);
	munmap(other, size);
}

static const struct svm_case cases[] = {
	{ "evict", "Huge pages leave VRAM in pieces.", fragmented_evict },
	{ "evict-dev-zero", "So do those of a private mapping of /dev/zero.", evict_dev_zero },
	{ "evict-holed", "So do those of which the first page is gone.", evict_holed },
	{ "evict-no-access", "So do those of a mapping without PROT_READ.", evict_no_access },
	{ "evict-half", "So do those of which all of one mapping is gone, and another one stays.",
	  evict_half },
	{ "owner-gone", "The same, and only a child has them, elsewhere.", owner_gone },
	{ "touch", "The CPU touches a huge page.", fragmented_touch },
	{ "touch-shared", "Processes that share a huge page touch it at the same time.",
	  touch_shared },
	{ "prefetch", "Huge pages are called home in pieces.", fragmented_prefetch },
	{ "oversubscribe", "Huge pages make room for each other in pieces.",
	  fragmented_oversubscribe },
};

static const struct svm_case slow_cases[] = {
	{ "touch-slow", "The CPU waits for a huge page to be split.", touch_slow },
};

int igt_main()
{
	igt_fixture()
		svm_module_load("vram_mb=16");

	svm_cases(cases);

	igt_fixture()
		svm_module_load("vram_mb=16 copy_latency_us=100000");

	svm_cases(slow_cases);

	igt_fixture() {
		pieces_end();
		svm_module_reset();
	}
}
