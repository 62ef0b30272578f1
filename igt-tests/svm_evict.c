// SPDX-License-Identifier: MIT
/*
 * Pages that leave VRAM, by whatever way: TTM wants the room, a CPU or the
 * kernel touches them, their owner is gone.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_hw.h"
#include "svm_job.h"
#include "svm_mem.h"
#include "svm_prefetch.h"

IGT_TEST_DESCRIPTION("Pages leave VRAM with nothing lost.");

#define MAGIC		0x82820000u
#define THREADS		8

/* Unlike svm_evict_vram(): the first try has to do */
static void evict(int fd)
{
	igt_assert_eq(__svm_evict_vram(fd), 0);
}

static char *in_vram(int fd, size_t size)
{
	char *base = svm_mmap_small(size);

	svm_gpu_fill(fd, base, size, MAGIC);
	igt_assert_eq(svm_vram_pages(fd, base, size), size / svm_page_size());
	return base;
}

static void evict_all(int fd)
{
	size_t size = 2 * svm_range_size();
	char *base = in_vram(fd, size);

	evict(fd);
	igt_assert_eq(svm_vram_pages(fd, base, size), 0);
	igt_assert(svm_cpu_all32(base, size, MAGIC));
	svm_gpu_fill(fd, base, size, MAGIC + 1);
	igt_assert(svm_cpu_all32(base, size, MAGIC + 1));
}

/* Of pages that leave together a GPU's TLB is told once, and not of each. */
static void evict_flushes(int fd)
{
	size_t size = svm_range_size();
	char *base = in_vram(fd, size);
	struct client_counts before, after;

	svm_counters(fd, &before);
	evict(fd);
	svm_counters(fd, &after);
	igt_assert_lt_u64(client_counted(&before, &after, FLUSHES),
			  size / svm_page_size() / 4);
	igt_assert(svm_cpu_all32(base, size, MAGIC));
}

static void evict_huge(int fd)
{
	size_t size = 2 * svm_range_size();
	char *base = svm_mmap_thp(size);

	svm_gpu_fill(fd, base, size, MAGIC);
	igt_assert_eq(svm_vram_pages(fd, base, size), size / svm_page_size());
	evict(fd);
	igt_assert_eq(svm_vram_pages(fd, base, size), 0);
	igt_assert_eq_u64(svm_smaps_kb(base, "AnonHugePages"), size / 1024);
	igt_assert(svm_cpu_all32(base, size, MAGIC));

	/* where no GPU has faulted */
	base = svm_mmap_thp(size);
	memset(base, 1, size);
	igt_assert_eq_u64(svm_prefetch(fd, base, size, DRM_SVM_LOCATION_VRAM),
			  size / svm_page_size());
	evict(fd);
	igt_assert_eq_u64(svm_smaps_kb(base, "AnonHugePages"), size / 1024);
	igt_assert(svm_cpu_all32(base, size, 0x01010101));
}

/* The process that brought the pages to VRAM ends; its child has them still. */
static void owner_gone(int fd)
{
	size_t size = 16 * svm_page_size();
	int go[2], done[2], status;
	char byte = 0;
	pid_t owner;

	igt_assert(!pipe(go) && !pipe(done));
	owner = fork();
	if (!owner) {
		int own = svm_open_attached();
		char *base = in_vram(own, size);

		if (fork())
			_exit(0);
		if (read(go[0], &byte, 1) != 1)
			_exit(1);
		byte = svm_cpu_all32(base, size, MAGIC);
		_exit(write(done[1], &byte, 1) != 1);
	}
	igt_assert_eq(waitpid(owner, &status, 0), owner);
	evict(fd);
	igt_assert_eq(write(go[1], &byte, 1), 1);
	igt_assert_eq(read(done[0], &byte, 1), 1);
	igt_assert(byte);
	close(fd);
}

static void evict_remapped(int fd)
{
	size_t size = 16 * svm_page_size();
	char *base = in_vram(fd, size), *to = svm_mmap_small(size);

	igt_assert(mremap(base, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	evict(fd);
	igt_assert(svm_cpu_all32(to, size, MAGIC));
}

static void evict_unmapped(int fd)
{
	size_t page = svm_page_size();
	char *base = in_vram(fd, 16 * page);

	munmap(base + 3 * page, 5 * page);
	evict(fd);
	igt_assert(svm_cpu_all32(base, 3 * page, MAGIC));
	igt_assert(svm_cpu_all32(base + 8 * page, 8 * page, MAGIC));
}

static void evict_protected(int fd)
{
	size_t size = 16 * svm_page_size();
	char *base = in_vram(fd, size);

	igt_assert(!mprotect(base, size, PROT_READ));
	igt_assert_eq(__svm_gpu_write32(fd, base, 0), -EACCES);
	igt_assert_eq_u32(svm_gpu_read32(fd, base), MAGIC);
	evict(fd);
	igt_assert(svm_cpu_all32(base, size, MAGIC));
}

static void evict_discarded(int fd)
{
	size_t size = 16 * svm_page_size();
	char *base = in_vram(fd, size);

	igt_assert(!madvise(base, size / 2, MADV_DONTNEED));
	igt_assert_eq_u32(svm_gpu_read32(fd, base), 0);
	igt_assert(svm_cpu_all32(base, size / 2, 0));
	igt_assert(svm_cpu_all32(base + size / 2, size / 2, MAGIC));
}

/* The kernel touches the pages for the program. */
static void evict_syscalls(int fd)
{
	size_t size = 16 * svm_page_size();
	char *base = in_vram(fd, size), *copy = svm_mmap_small(size);
	struct iovec local = { copy, size }, remote = { base, size };
	int file = svm_tmpfile(svm_scratch_dir(), size);

	igt_assert_eq(process_vm_readv(getpid(), &local, 1, &remote, 1, 0), size);
	igt_assert(svm_cpu_all32(copy, size, MAGIC));

	svm_gpu_fill(fd, base, size, MAGIC + 1);
	igt_assert_eq(pwrite(file, base, size, 0), size);
	igt_assert_eq(pread(file, copy, size, 0), size);
	igt_assert(svm_cpu_all32(copy, size, MAGIC + 1));

	svm_gpu_fill(fd, base, size, MAGIC + 2);
	igt_assert_eq(pread(file, base, size, 0), size);
	igt_assert_eq_u32(svm_gpu_read32(fd, base + size - 4), MAGIC + 1);

	svm_gpu_fill(fd, base, size, MAGIC + 3);
	igt_assert(!fcntl(file, F_SETFL, O_DIRECT));
	igt_assert_eq(pwrite(file, base, size, 0), size);
	igt_assert_eq(pread(file, copy, size, 0), size);
	igt_assert(svm_cpu_all32(copy, size, MAGIC + 3));
	close(file);
}

/* Pages pinned for the kernel cannot move; the GPU reaches them where they are. */
static void evict_pinned(int fd)
{
	size_t size = svm_page_size();
	char *base = svm_mmap_small(size), *copy = svm_mmap_small(size);
	struct iovec iov = { base, size };
	int ends[2];

	memset(base, 0, size);
	*(uint32_t *)base = MAGIC;
	igt_assert(!pipe(ends));
	igt_assert_eq(vmsplice(ends[1], &iov, 1, 0), size);
	igt_assert_eq_u32(svm_gpu_read32(fd, base), MAGIC);
	svm_gpu_write32(fd, base, MAGIC + 1);
	igt_assert_eq_u32(svm_location(fd, base), DRM_SVM_LOCATION_SYSTEM);
	igt_assert_eq(read(ends[0], copy, size), size);
	igt_assert_eq_u32(*(uint32_t *)copy, MAGIC + 1);
	igt_assert_eq_u32(*(uint32_t *)base, MAGIC + 1);
}

struct storm {
	char *base;
	size_t size;
	unsigned int index;
	bool ok;
};

static void *storm_thread(void *data)
{
	struct storm *storm = data;

	storm->ok = svm_cpu_all32(storm->base, storm->size, MAGIC);
	return NULL;
}

static void evict_storm(int fd)
{
	size_t size = svm_range_size();
	char *base = in_vram(fd, size);
	struct storm storms[THREADS];
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++) {
		storms[i] = (struct storm) { .base = base, .size = size };
		igt_assert(!pthread_create(&threads[i], NULL, storm_thread, &storms[i]));
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		igt_assert(storms[i].ok);
	}
}

/* GPU, CPU and eviction at one page: sums are exact. */
static void evict_race(int fd)
{
	uint64_t *word = svm_mmap_small(svm_page_size());
	struct drm_svm_test_cmd cmd = {
		.op = DRM_SVM_TEST_OP_ATOMIC_ADD,
		.flags = DRM_SVM_TEST_CMD_64,
		.dst = (uintptr_t)word,
		.count = 1000,
		.arg0 = 1,
	};

	for (int i = 0; i < 20; i++) {
		struct drm_svm_test_wait result;
		uint64_t job = svm_submit(fd, &cmd, 1);

		for (int j = 0; j < 50; j++) {
			__atomic_fetch_add(word, 1, __ATOMIC_SEQ_CST);
			if (j % 10 == 0)
				evict(fd);
		}
		svm_wait(fd, job, &result);
		igt_assert_eq_u32(result.out_status, DRM_SVM_TEST_STATUS_OK);
	}
	igt_assert(*word == 20 * 1050);
}

static void evict_killed(int fd)
{
	size_t size = 4 * svm_range_size();

	for (int i = 0; i < 5; i++) {
		pid_t pid = fork();

		if (!pid) {
			int own = svm_open_attached();
			char *base = svm_mmap_small(size);

			for (;;)
				svm_gpu_fill(own, base, size, MAGIC);
		}
		usleep(50000 * (i + 1));
		kill(pid, SIGKILL);
		igt_assert_eq(waitpid(pid, NULL, 0), pid);
		evict(fd);
	}
	close(fd);
}

/* What the GPU used last stays: the one that came first, but was mapped again. */
static void used_stays(int fd)
{
	size_t range = svm_range_size(), size = 2 * range;
	char *first = svm_mmap_small(size), *second = svm_mmap_small(size);
	int other = svm_open_attached();

	svm_pattern(first, size, MAGIC);
	svm_pattern(second, size, MAGIC);
	svm_prefetch(fd, first, size, DRM_SVM_LOCATION_VRAM);
	svm_prefetch(fd, second, size, DRM_SVM_LOCATION_VRAM);
	svm_gpu_touch(other, first, size, svm_page_size(), false);
	/* needs the place of one of them */
	svm_bo_create(fd, svm_vram_size(fd) - 3 * range, DRM_SVM_TEST_BO_VRAM);
	igt_assert_eq(svm_resident(fd, first, size, DRM_SVM_LOCATION_VRAM),
		      size / svm_page_size());
	igt_assert_eq(svm_resident(fd, second, size, DRM_SVM_LOCATION_VRAM), 0);
	close(other);
	igt_assert(svm_pattern_ok(first, size, MAGIC));
	igt_assert(svm_pattern_ok(second, size, MAGIC));
}

/* What a process had that was killed is there for others before any of them is evicted. */
static void killed_room(int fd)
{
	size_t size = svm_vram_size(fd) / 2;
	char *base = in_vram(fd, size), *more = svm_mmap_small(size);

	if (!svm_fork()) {
		in_vram(svm_open_attached(), size);
		raise(SIGKILL);
	}
	igt_assert_eq(svm_reap(60), 128 + SIGKILL);
	svm_gpu_fill(fd, more, size, MAGIC + 1);
	igt_assert_eq(svm_vram_pages(fd, more, size), size / svm_page_size());
	igt_assert_eq(svm_resident(fd, base, size, DRM_SVM_LOCATION_VRAM),
		      size / svm_page_size());
	igt_assert(svm_cpu_all32(base, size, MAGIC));
	igt_assert(svm_cpu_all32(more, size, MAGIC + 1));
}

/*
 * Room is asked for, again and again, that is taken by pages which cannot go. What their
 * owner can repeat must not fill the kernel's log.
 */
static void evict_quiet(int fd)
{
	size_t size = svm_vram_size(fd) - svm_range_size(), piece = 2 * svm_range_size();
	char *base = in_vram(fd, size), *more = svm_mmap_small(piece);
	int log = svm_log_open();

	memset(more, 1, piece);
	svm_hw_fail_copy(fd, 0, 1000000);
	/* both look at all of VRAM, several times */
	svm_prefetch(fd, more, piece, DRM_SVM_LOCATION_VRAM);
	igt_assert_neq(__svm_evict_vram(fd), 0);
	svm_hw_fail_copy(fd, 0, 0);
	igt_assert_eq_u32(svm_log_count(log, "viction"), 0);
	igt_assert_eq(svm_resident(fd, base, size, DRM_SVM_LOCATION_VRAM),
		      size / svm_page_size());
	/* room is made once pages can go */
	igt_assert_eq_u64(svm_prefetch(fd, more, piece, DRM_SVM_LOCATION_VRAM),
			  piece / svm_page_size());
	igt_assert(svm_cpu_all32(base, size, MAGIC));
	igt_assert(svm_cpu_all32(more, piece, 0x01010101));
	close(log);
}

static const struct svm_case cases[] = {
	{ "all", "Every page of a process goes home, and comes again.", evict_all },
	{ "flushes", "Pages that leave together cost one flush.", evict_flushes },
	{ "huge", "Huge pages go home, and stay huge.", evict_huge },
	{ "owner-gone", "Pages of a child whose parent brought them to VRAM and ended.",
	  owner_gone },
	{ "mremap", "Pages that moved in the address space.", evict_remapped },
	{ "munmap", "What is left of a slice after a part was unmapped.", evict_unmapped },
	{ "mprotect", "Pages that became read-only.", evict_protected },
	{ "dontneed", "Pages that the program gave back read as zero.", evict_discarded },
	{ "syscalls", "read, write, direct write and process_vm_readv find the data.",
	  evict_syscalls },
	{ "pinned", "Pinned pages stay where they are, and the GPU uses them there.",
	  evict_pinned },
	{ "storm", "Eight threads touch the same pages at once.", evict_storm },
	{ "used-stays", "What the GPU used last is not what goes first.", used_stays },
	{ "killed-room", "What a killed process had is used first.", killed_room },
	{ "quiet", "Pages that cannot go do not fill the kernel's log.", evict_quiet },
	{ "race", "GPU and CPU atomics and eviction meet at one page.", evict_race },
	{ "killed", "A process is killed with pages on their way.", evict_killed },
};

static void evict_unload(void)
{
	size_t size = 2 * svm_range_size();
	int fd = svm_open_attached();
	char *base = in_vram(fd, size);

	close(fd);
	svm_module_unload();
	igt_assert(svm_cpu_all32(base, size, MAGIC));
}

static const struct svm_test tests[] = {
	{ "unload", "The module goes while a process has pages in VRAM.", evict_unload },
};

int igt_main()
{
	igt_fixture()
		svm_module_load("vram_mb=16");

	svm_cases(cases);
	svm_tests(tests);

	igt_fixture()
		svm_module_reset();
}
