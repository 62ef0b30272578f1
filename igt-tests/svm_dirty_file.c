// SPDX-License-Identifier: MIT
/*
 * What the GPU writes to a shared mapping of a file reaches the disk. The disk
 * is read past the page cache, so a page that nobody marked dirty shows its old
 * content.
 */

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "igt.h"
#include "svm_mem.h"

IGT_TEST_DESCRIPTION("GPU writes to files reach the disk.");

#define PAGES	32
#define NEW	0x2e2e2e2eu

struct disk_file {
	int file;
	int direct;	/* the same file, past the page cache */
	char *base;
};

static size_t area_size(void)
{
	return PAGES * svm_page_size();
}

/* All zeroes, on the disk and in clean pages of the cache */
static struct disk_file open_file(int flags)
{
	struct disk_file d = { .file = svm_tmpfile(svm_scratch_dir(), area_size()) };
	char *zeroes = calloc(1, area_size());
	char path[64];

	igt_assert(zeroes && write(d.file, zeroes, area_size()) == (ssize_t)area_size());
	igt_assert(!fsync(d.file));
	free(zeroes);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", d.file);
	d.direct = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	igt_require_fd(d.direct);
	d.base = svm_mmap_fd(d.file, area_size(), flags);
	return d;
}

static void close_file(struct disk_file *d)
{
	close(d->direct);
	close(d->file);
	if (d->base)
		munmap(d->base, area_size());
}

static void check_disk(const struct disk_file *d, uint32_t value)
{
	void *data = aligned_alloc(svm_page_size(), area_size());

	igt_assert(data);
	igt_assert(pread(d->direct, data, area_size(), 0) == (ssize_t)area_size());
	igt_assert(svm_cpu_all32(data, area_size(), value));
	free(data);
}

static void check_cache(const struct disk_file *d, uint32_t value)
{
	void *data = malloc(area_size());

	igt_assert(data);
	igt_assert(pread(d->file, data, area_size(), 0) == (ssize_t)area_size());
	igt_assert(svm_cpu_all32(data, area_size(), value));
	free(data);
}

static void write_msync(int fd)
{
	struct disk_file d = open_file(MAP_SHARED);

	svm_gpu_fill(fd, d.base, area_size(), NEW);
	igt_assert(!msync(d.base, area_size(), MS_SYNC));
	check_disk(&d, NEW);
	close_file(&d);
}

static void write_fsync(int fd)
{
	struct disk_file d = open_file(MAP_SHARED);

	svm_gpu_fill(fd, d.base, area_size(), NEW);
	igt_assert(!fsync(d.file));
	check_disk(&d, NEW);
	close_file(&d);
}

/* The CPU has read before: pages are in its page table, read-only and clean */
static void cpu_read_write(int fd)
{
	struct disk_file d = open_file(MAP_SHARED);

	igt_assert(svm_cpu_all32(d.base, area_size(), 0));
	svm_gpu_fill(fd, d.base, area_size(), NEW);
	igt_assert(!msync(d.base, area_size(), MS_SYNC));
	check_disk(&d, NEW);
	close_file(&d);
}

static void gpu_read_write(int fd)
{
	struct disk_file d = open_file(MAP_SHARED);

	svm_gpu_touch(fd, d.base, area_size(), svm_page_size(), false);
	igt_assert(svm_prot_all(fd, d.base, area_size(), SVM_RO));
	svm_gpu_fill(fd, d.base, area_size(), NEW);
	igt_assert(!msync(d.base, area_size(), MS_SYNC));
	check_disk(&d, NEW);
	close_file(&d);
}

/* Write-back protects the pages; the second write has to fault and mark again */
static void second_write(int fd)
{
	struct disk_file d = open_file(MAP_SHARED);
	uint32_t i;

	for (i = 0; i < 4; i++) {
		svm_gpu_fill(fd, d.base, area_size(), NEW + i);
		igt_assert(!msync(d.base, area_size(), MS_SYNC));
		igt_assert(!(svm_prot(fd, d.base) & DRM_SVM_PAGE_WRITE));
		check_disk(&d, NEW + i);
	}
	close_file(&d);
}

/* Written by the CPU, so that a GPU read maps it writable at once; then cleaned */
static void cpu_dirty_gpu_write(int fd)
{
	struct disk_file d = open_file(MAP_SHARED);

	memset(d.base, 1, area_size());
	svm_gpu_touch(fd, d.base, area_size(), svm_page_size(), false);
	igt_assert(!msync(d.base, area_size(), MS_SYNC));
	check_disk(&d, 0x01010101);
	svm_gpu_fill(fd, d.base, area_size(), NEW);
	igt_assert(!msync(d.base, area_size(), MS_SYNC));
	check_disk(&d, NEW);
	close_file(&d);
}

/* The page is writable and dirty for the CPU when the GPU writes */
static void cpu_dirty_read_write(int fd)
{
	struct disk_file d = open_file(MAP_SHARED);

	memset(d.base, 1, area_size());
	svm_gpu_touch(fd, d.base, area_size(), svm_page_size(), false);
	svm_gpu_fill(fd, d.base, area_size(), NEW);
	igt_assert(!msync(d.base, area_size(), MS_SYNC));
	check_disk(&d, NEW);
	close_file(&d);
}

static void sync_range(int fd)
{
	const unsigned int flags = SYNC_FILE_RANGE_WAIT_BEFORE |
		SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
	struct disk_file d = open_file(MAP_SHARED);

	svm_gpu_fill(fd, d.base, area_size(), NEW);
	igt_assert(!sync_file_range(d.file, 0, area_size(), flags));
	svm_gpu_fill(fd, d.base, area_size(), NEW + 1);
	igt_assert(!msync(d.base, area_size(), MS_SYNC));
	check_disk(&d, NEW + 1);
	close_file(&d);
}

static void drop_caches(int fd)
{
	struct disk_file d = open_file(MAP_SHARED);

	svm_gpu_fill(fd, d.base, area_size(), NEW);
	igt_assert(!munmap(d.base, area_size()));
	d.base = NULL;
	svm_drop_caches();
	check_cache(&d, NEW);
	close_file(&d);
}

static void munmap_at_once(int fd)
{
	struct disk_file d = open_file(MAP_SHARED);

	svm_gpu_fill(fd, d.base, area_size(), NEW);
	igt_assert(!munmap(d.base, area_size()));
	d.base = NULL;
	check_cache(&d, NEW);
	igt_assert(!fsync(d.file));
	check_disk(&d, NEW);
	close_file(&d);
}

static void device_closed(int fd)
{
	struct disk_file d = open_file(MAP_SHARED);
	int own = svm_open_attached();

	svm_gpu_fill(own, d.base, area_size(), NEW);
	close(own);
	igt_assert(!fsync(d.file));
	check_disk(&d, NEW);
	close_file(&d);
}

static bool not_resident(const void *addr, size_t size)
{
	return svm_smaps_kb(addr, "Rss") == 0;
}

static void dirty_pageout(int fd)
{
	struct disk_file d = open_file(MAP_SHARED);

	svm_gpu_fill(fd, d.base, area_size(), NEW);
	igt_assert(svm_try_pageout(d.base, area_size(), not_resident));
	igt_assert_eq_u32(svm_gpu_read32(fd, d.base), NEW);
	igt_assert(svm_cpu_all32(d.base, area_size(), NEW));
	close_file(&d);
}

/* Pages of a hole: blocks are allocated by the GPU's fault */
static void dirty_hole(int fd)
{
	struct disk_file d = open_file(MAP_SHARED);

	igt_assert(!ftruncate(d.file, 0) && !ftruncate(d.file, area_size()));
	svm_gpu_fill(fd, d.base, area_size(), NEW);
	igt_assert(!msync(d.base, area_size(), MS_SYNC));
	check_disk(&d, NEW);
	close_file(&d);
}

/* Nobody lives to unmap anything in order */
static void dirty_killed(int fd)
{
	struct disk_file d = open_file(MAP_SHARED);
	int written = svm_gate();
	pid_t pid = fork();

	igt_assert(pid >= 0);
	if (!pid) {
		int own = __svm_open(0);
		struct drm_svm_attach args = {};

		if (own < 0 || client_attach(own, &args) ||
		    __svm_gpu_fill(own, d.base, area_size(), NEW))
			_exit(1);
		svm_gate_open(written);
		for (;;)
			pause();
	}
	svm_gate_wait(written);
	kill(pid, SIGKILL);
	igt_assert(waitpid(pid, NULL, 0) == pid);
	igt_assert(!fsync(d.file));
	check_disk(&d, NEW);
	close_file(&d);
}

static void private_mapping(int fd)
{
	struct disk_file d = open_file(MAP_PRIVATE);

	svm_gpu_fill(fd, d.base, area_size(), NEW);
	igt_assert(!msync(d.base, area_size(), MS_SYNC));
	igt_assert(!fsync(d.file));
	check_disk(&d, 0);
	check_cache(&d, 0);
	igt_assert(svm_cpu_all32(d.base, area_size(), NEW));
	close_file(&d);
}

/* A write through the mapping changes the time of the file, by whomever */
static void modification_time(int fd)
{
	struct disk_file d = open_file(MAP_SHARED);
	struct stat before, after;

	igt_assert(!fstat(d.file, &before));
	usleep(50000);
	svm_gpu_fill(fd, d.base, area_size(), NEW);
	igt_assert(!msync(d.base, area_size(), MS_SYNC));
	igt_assert(!fstat(d.file, &after));
	igt_assert(memcmp(&before.st_mtim, &after.st_mtim, sizeof(before.st_mtim)));
	close_file(&d);
}

static bool find_mount(const char *dir, char *dev, size_t dev_size, char *type,
		       size_t type_size)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	struct mntent *m;
	bool found = false;

	if (!mounts)
		return false;
	while (!found && (m = getmntent(mounts))) {
		found = !strcmp(m->mnt_dir, dir);
		if (found) {
			snprintf(dev, dev_size, "%s", m->mnt_fsname);
			snprintf(type, type_size, "%s", m->mnt_type);
		}
	}
	endmntent(mounts);
	return found;
}

static void write_named(int fd, const char *path)
{
	int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char *base;

	igt_assert_fd(file);
	igt_assert(!ftruncate(file, area_size()));
	base = svm_mmap_fd(file, area_size(), MAP_SHARED);
	svm_gpu_fill(fd, base, area_size(), NEW);
	igt_assert(!munmap(base, area_size()));
	close(file);
}

/* Nothing but what is on the disk is left after the file system was unmounted */
static void dirty_remount(int fd)
{
	const char *dir = svm_scratch_dir();
	char dev[128], type[32], path[128];
	struct disk_file d = {};

	igt_require(find_mount(dir, dev, sizeof(dev), type, sizeof(type)));
	snprintf(path, sizeof(path), "%s/svm-remount", dir);
	write_named(fd, path);
	igt_require_f(!umount(dir), "%s is busy\n", dir);
	igt_assert(!mount(dev, dir, type, 0, NULL));
	d.file = open(path, O_RDONLY | O_CLOEXEC);
	igt_assert_fd(d.file);
	check_cache(&d, NEW);
	close(d.file);
	unlink(path);
}

static const struct svm_case cases[] = {
	/* first, as files that a failed subtest leaves open would keep it from unmounting */
	{ "remount", "The data is there after unmounting and mounting.", dirty_remount },
	{ "msync", "msync writes what the GPU wrote.", write_msync },
	{ "fsync", "fsync writes what the GPU wrote.", write_fsync },
	{ "cpu-read-write", "Pages that the CPU has read, then written by the GPU.",
	  cpu_read_write },
	{ "gpu-read-write", "Pages that the GPU has read, then written.", gpu_read_write },
	{ "second-write", "Each write after a write-back reaches the disk.", second_write },
	{ "cpu-dirty-gpu-write", "Pages cleaned by write-back, then written by the GPU.",
	  cpu_dirty_gpu_write },
	{ "cpu-dirty-read-write", "Pages that the CPU has written, then the GPU.",
	  cpu_dirty_read_write },
	{ "sync-range", "A write after a write-back of the range reaches the disk.", sync_range },
	{ "drop-caches", "The data is there after the cache was dropped.", drop_caches },
	{ "munmap-at-once", "Unmapped after the write, read from the file.", munmap_at_once },
	{ "device-closed", "The device file is closed before write-back.", device_closed },
	{ "pageout", "Pages are reclaimed and read again.", dirty_pageout },
	{ "hole", "The GPU writes into a hole of the file.", dirty_hole },
	{ "killed", "The process is killed after the write.", dirty_killed },
	{ "private", "Writes to a private mapping do not reach the file.", private_mapping },
	{ "mtime", "A GPU write changes the time of the file.", modification_time },
};

int igt_main()
{
	svm_cases(cases);
}
