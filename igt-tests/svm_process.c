// SPDX-License-Identifier: MIT
/*
 * TEST: svm process
 * Category: Robustness
 * Description: A GPU fault uses what belongs to the process, as a CPU fault does: its
 *	threads, its disk bandwidth, the memory of its nodes.
 */

#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/mempolicy.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_hw.h"
#include "svm_job.h"
#include "svm_lib.h"
#include "svm_mem.h"
#include "svm_prefetch.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("What the GPU's faults need is taken from the process.");

#define NOBODY		65534
#define SETTLE_MS	20000
#define MAX_TASKS	64
#define POLICY_PAGES	64

/* The threads that this process did not make itself */
static unsigned int list_tasks(pid_t *tids)
{
	char path[300], comm[32];
	unsigned int n = 0;
	struct dirent *entry;
	FILE *file;
	DIR *dir;

	dir = opendir("/proc/self/task");
	igt_assert(dir);
	while (n < MAX_TASKS && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
		file = fopen(path, "r");
		/* it may have ended meanwhile */
		if (!file)
			continue;
		if (!fgets(comm, sizeof(comm), file))
			comm[0] = '\0';
		fclose(file);
		if (!strncmp(comm, "drm_svm", 7))
			tids[n++] = atoi(entry->d_name);
	}
	closedir(dir);
	return n;
}

static unsigned int count_ours(void)
{
	pid_t tids[MAX_TASKS];

	return list_tasks(tids);
}

/* The threads exist as long as the file is open */
static void process_listed(void)
{
	struct drm_svm_attach args = { 0 };
	int fd = svm_open();

	igt_assert_eq(count_ours(), 0);
	igt_assert_eq(client_attach(fd, &args), 0);
	igt_assert_lt(0, count_ours());
	svm_assert_works(fd);
	close(fd);
	igt_assert(svm_until(!count_ours(), SETTLE_MS));
}

/* Some threads are told to leave before they have run once */
static void at_once(void)
{
	struct drm_svm_attach args = { 0 };

	for (int i = 0; i < 200; i++) {
		int fd = svm_open();

		igt_assert_eq(client_attach(fd, &args), 0);
		close(fd);
	}
	igt_assert(svm_until(!count_ours(), SETTLE_MS));
}

static void process_nproc(void)
{
	struct drm_svm_attach args = { 0 };
	int fd = svm_open();

	if (!svm_fork()) {
		struct rlimit limit = { 1, 1000 };

		igt_assert_eq(setresuid(NOBODY, NOBODY, NOBODY), 0);
		igt_assert_eq(setrlimit(RLIMIT_NPROC, &limit), 0);
		igt_assert_eq(client_attach(fd, &args), -ENOMEM);
		limit.rlim_cur = limit.rlim_max;
		igt_assert_eq(setrlimit(RLIMIT_NPROC, &limit), 0);
		igt_assert_eq(client_attach(fd, &args), 0);
		svm_assert_works(fd);
		exit(0);
	}
	igt_assert_eq(svm_reap(60), 0);
	close(fd);
}

/* A process is a member of the pids cgroup with all of its threads */
static void process_pids(void)
{
	struct drm_svm_attach args = { 0 };
	int fd = svm_open();

	svm_sys_write("/sys/fs/cgroup/cgroup.subtree_control", "+pids");
	svm_cgroup_enter();
	igt_require(svm_cgroup_has("pids.max"));
	igt_assert(svm_cgroup_set("pids.max", "1"));
	igt_assert_eq(client_attach(fd, &args), -ENOMEM);
	igt_assert_eq(count_ours(), 0);
	igt_assert(svm_cgroup_set("pids.max", "2"));
	igt_assert_eq(client_attach(fd, &args), 0);
	igt_assert_eq(count_ours(), 1);
	/* the faults need no more threads than the one that there is */
	svm_assert_works(fd);
	svm_cgroup_leave();
	close(fd);
}

/* The threads move with the process to another cgroup, and serve its faults there */
static void process_cgroup(void)
{
	int fd = svm_open_attached();
	char path[64], line[256];
	pid_t tids[MAX_TASKS];
	unsigned int n;
	FILE *file;

	svm_assert_works(fd);
	svm_cgroup_enter();
	n = list_tasks(tids);
	igt_assert_lt(0, n);
	for (unsigned int i = 0; i < n; i++) {
		bool inside = false;

		snprintf(path, sizeof(path), "/proc/self/task/%d/cgroup", tids[i]);
		file = fopen(path, "r");
		igt_assert(file);
		while (fgets(line, sizeof(line), file))
			inside |= !!strstr(line, "/svm-");
		fclose(file);
		igt_assert(inside);
	}
	svm_assert_works(fd);
	svm_cgroup_leave();
	close(fd);
}

/* Bytes that the devices have read for the cgroup */
static uint64_t io_rbytes(void)
{
	char path[64], line[512], *at;
	uint64_t sum = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/fs/cgroup/svm-%d/io.stat", getpid());
	file = fopen(path, "r");
	igt_assert(file);
	while (fgets(line, sizeof(line), file)) {
		at = strstr(line, "rbytes=");
		sum += at ? strtoull(at + 7, NULL, 10) : 0;
	}
	fclose(file);
	return sum;
}

/* What a GPU fault reads from a disk is counted for the cgroup of the process */
static void process_io(void)
{
	size_t size = svm_range_size() / 2;
	int fd = svm_open_attached(), file;
	char name[128], *map;

	svm_sys_write("/sys/fs/cgroup/cgroup.subtree_control", "+io");
	svm_cgroup_enter();
	igt_require(svm_cgroup_has("io.max"));
	snprintf(name, sizeof(name), "%s/svm-io-XXXXXX", svm_scratch_dir());
	file = mkstemp(name);
	igt_assert(file >= 0);
	unlink(name);
	map = malloc(size);
	memset(map, 7, size);
	igt_assert_eq(write(file, map, size), (ssize_t)size);
	free(map);
	igt_assert_eq(fsync(file), 0);
	igt_assert_eq(posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED), 0);
	map = svm_mmap_fd(file, size, MAP_SHARED);
	igt_assert_lt_u64(io_rbytes(), size / 2);
	svm_gpu_touch(fd, map, size, svm_page_size(), false);
	igt_assert_lte_u64(size / 2, io_rbytes());
	munmap(map, size);
	close(file);
	svm_cgroup_leave();
	close(fd);
}

/* For the memory policy of the process; needs a guest with numa=fake=2 */
static void require_nodes(void)
{
	igt_require_f(!access("/sys/devices/system/node/node1", F_OK), "one node\n");
}

static void assert_on_node(void *area, int node)
{
	void *pages[POLICY_PAGES];
	int status[POLICY_PAGES];

	for (int i = 0; i < POLICY_PAGES; i++)
		pages[i] = svm_page(area, i);
	igt_assert_eq(syscall(SYS_move_pages, 0, POLICY_PAGES, pages, NULL, status, 0), 0);
	for (int i = 0; i < POLICY_PAGES; i++)
		igt_assert_eq(status[i], node);
}

/* The GPU touches the pages first */
static void assert_gpu_makes(int fd, int node, bool bind)
{
	size_t size = POLICY_PAGES * svm_page_size();
	unsigned long mask = 1ul << node;
	void *area = svm_mmap_small(size);

	if (bind)
		igt_assert_eq(syscall(SYS_mbind, area, size, MPOL_BIND, &mask, 64, 0), 0);
	svm_gpu_fill(fd, area, size, 1);
	assert_on_node(area, node);
	munmap(area, size);
}

static void process_policy(void)
{
	require_nodes();
	for (int node = 0; node < 2; node++) {
		unsigned long mask = 1ul << node;

		if (!svm_fork()) {
			int fd;

			igt_assert_eq(syscall(SYS_set_mempolicy, MPOL_BIND, &mask, 64), 0);
			fd = svm_open_attached();
			assert_gpu_makes(fd, node, false);
			close(fd);
			exit(0);
		}
		igt_assert_eq(svm_reap(60), 0);
	}
}

static void policy_range(void)
{
	int fd;

	require_nodes();
	fd = svm_open_attached();
	assert_gpu_makes(fd, 0, true);
	assert_gpu_makes(fd, 1, true);
	close(fd);
}

static void bind_parts(char *area, size_t part)
{
	for (int node = 0; node < 2; node++) {
		unsigned long mask = 1ul << node;

		igt_assert_eq(syscall(SYS_mbind, area + node * part, part, MPOL_BIND, &mask,
				      64, 0), 0);
	}
}

/* Neighbours have different policies; they are in one BO. */
static void policy_evicted(bool huge)
{
	size_t size = POLICY_PAGES * svm_page_size();
	size_t part = huge ? svm_range_size() : size;
	char *area = huge ? svm_mmap_untouched(2 * part, true) : svm_mmap_small(2 * part);
	int fd;

	require_nodes();
	svm_module_load("vram_mb=16");
	fd = svm_open_attached();
	bind_parts(area, part);
	memset(area, 1, 2 * part);
	svm_to_vram(fd, area, 2 * part);
	svm_evict_vram(fd);
	for (int node = 0; node < 2; node++)
		for (size_t at = 0; at < part; at += size)
			assert_on_node(area + node * part + at, node);
	igt_assert(svm_cpu_all32(area, 2 * part, 0x01010101));
	munmap(area, 2 * part);
	close(fd);
	svm_module_load(NULL);
}

static void policy_evicted_small(void)
{
	policy_evicted(false);
}

static void policy_evicted_huge(void)
{
	policy_evicted(true);
}

/* Of a BO whose last page broke unnoticed, the other pages leave one by one. */
static void policy_evicted_singly(void)
{
	size_t page = svm_page_size(), part = POLICY_PAGES * page, size = 2 * part + page;
	char *area = svm_mmap_small(size), *last = area + 2 * part;
	uint32_t value;
	int fd;

	require_nodes();
	svm_module_load("vram_mb=16");
	fd = svm_open_attached();
	memset(area, 1, size);
	igt_assert_eq(svm_prefetch(fd, area, size, DRM_SVM_LOCATION_VRAM), size / page);
	/* not before: each mapping would have a BO of its own */
	bind_parts(area, part);
	/* the offset is looked up by what the GPU has */
	svm_gpu_touch(fd, last, 4, 4, false);
	svm_hw_write(fd, "inject/fail_page", svm_hw_offset(fd, last));
	svm_hw_unplug(fd, SVM_HW_ORDERLY);
	for (int node = 0; node < 2; node++)
		assert_on_node(area + node * part, node);
	igt_assert(svm_cpu_all32(area, 2 * part, 0x01010101));
	igt_assert(!svm_hw_load(last, &value));
	munmap(area, size);
	close(fd);
	svm_module_load(NULL);
}

static void process_cpuset(void)
{
	int fd;

	require_nodes();
	svm_sys_write("/sys/fs/cgroup/cgroup.subtree_control", "+cpuset");
	fd = svm_open_attached();
	svm_cgroup_enter();
	igt_require(svm_cgroup_has("cpuset.mems"));
	igt_assert(svm_cgroup_set("cpuset.mems", "1"));
	assert_gpu_makes(fd, 1, false);
	igt_assert(svm_cgroup_set("cpuset.mems", "0"));
	assert_gpu_makes(fd, 0, false);
	svm_cgroup_leave();
	close(fd);
}

static const struct svm_test tests[] = {
	{ "listed", "They are threads of the process while a file is attached.", process_listed },
	{ "at-once", "None stays when a file is closed as soon as it is attached.", at_once },
	{ "nproc", "RLIMIT_NPROC counts them.", process_nproc },
	{ "pids", "The pids cgroup counts them.", process_pids },
	{ "cgroup", "They move to another cgroup with the process.", process_cgroup },
	{ "io", "What a fault reads from a disk is read by the process's cgroup.", process_io },
	{ "policy", "The GPU's first touch heeds set_mempolicy().", process_policy },
	{ "policy-range", "The GPU's first touch heeds mbind().", policy_range },
	{ "policy-evicted", "So does the eviction of small pages.", policy_evicted_small },
	{ "policy-evicted-huge", "So does that of huge pages.", policy_evicted_huge },
	{ "policy-evicted-singly", "So does that of single pages.", policy_evicted_singly },
	{ "cpuset", "The GPU's first touch heeds cpuset.mems.", process_cpuset },
};

int igt_main()
{
	igt_fixture()
		svm_module_reset();

	svm_tests(tests);
}
