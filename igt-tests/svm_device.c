// SPDX-License-Identifier: MIT
/*
 * TEST: svm device
 * Category: Robustness
 * Description: Hardware that fails, sleeps, goes, or has company.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/sync_file.h>
#include <xf86drm.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_hw.h"
#include "svm_job.h"
#include "svm_mem.h"

IGT_TEST_DESCRIPTION("Hardware that fails, sleeps, goes, or has company.");

#define MAGIC	0x93930000u
#define MIB	(1ull << 20)
#define MANY	1000000		/* more than a subtest can use up */

static char *in_vram(int fd, size_t size)
{
	char *base = svm_mmap_small(size);

	svm_gpu_fill(fd, base, size, MAGIC);
	igt_assert_eq(svm_vram_pages(fd, base, size), size / svm_page_size());
	return base;
}

/* Memory that is in VRAM, or one that is not although there is VRAM */
static char *memory(int fd, size_t size, bool vram)
{
	char *base;

	if (vram)
		return in_vram(fd, size);
	svm_hw_write(fd, "inject/fail_alloc", MANY);
	base = svm_mmap_small(size);
	svm_gpu_fill(fd, base, size, MAGIC);
	igt_assert_eq(svm_vram_pages(fd, base, size), 0);
	return base;
}

/* Of [base, base + size) every word is lost; or none of it is */
static bool cpu_all_lost(const char *base, size_t size)
{
	uint32_t value;

	for (size_t at = 0; at < size; at += svm_page_size())
		if (svm_hw_load(base + at, &value))
			return false;
	return true;
}

/* VRAM that is used, shared and broken */

static uint64_t available(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128];
	uint64_t kb = 0;

	igt_assert(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %" SCNu64, &kb) == 1)
			break;
	fclose(file);
	return kb * 1024;
}

static void test_lazy(void)
{
	uint64_t before, taken, backed, size = 4096 * MIB;
	char *base;
	int fd;

	svm_module_unload();
	before = available();
	svm_module_load("vram_mb=4096");
	fd = svm_open_attached();
	taken = before - available();
	/* A struct page for each, and that is it */
	igt_assert_f((int64_t)taken < (int64_t)(size / 16), "%" PRIu64 " bytes\n", taken);
	igt_assert_eq_u64(svm_hw_resident(fd, "size"), size);
	igt_assert_eq_u64(svm_hw_resident(fd, "used"), 0);
	igt_assert_eq_u64(svm_hw_resident(fd, "backed"), 0);

	base = in_vram(fd, MIB);
	backed = svm_hw_resident(fd, "backed");
	igt_assert_lte_u64(MIB, svm_hw_resident(fd, "used"));
	igt_assert_lte_u64(svm_hw_resident(fd, "used"), backed);
	igt_assert_lte_u64(backed, 4 * MIB);

	/* What was backed stays, and is what is given out next */
	munmap(base, MIB);
	igt_assert(svm_until(!svm_hw_resident(fd, "used"), 5000));
	igt_assert_eq_u64(svm_hw_resident(fd, "backed"), backed);
	close(fd);
}

static void peer(bool on)
{
	size_t size = 16 * svm_page_size();
	int a, b;
	char *base;

	svm_module_load(on ? "num_devices=2 vram_mb=16 peer=1" :
			     "num_devices=2 vram_mb=16 peer=0");
	a = svm_open_index_attached(0);
	b = svm_open_index_attached(1);
	base = in_vram(a, size);
	igt_assert(svm_gpu_add(b, base, 1, 10, false) == MAGIC + 9);
	if (on) {
		igt_assert_eq(svm_location(b, base), DRM_SVM_LOCATION_PEER);
		igt_assert_eq(svm_location(a, base), DRM_SVM_LOCATION_VRAM);
	} else {
		igt_assert_neq(svm_location(b, base), DRM_SVM_LOCATION_PEER);
	}
	igt_assert(svm_gpu_add(a, base, 1, 10, false) == MAGIC + 19);

	/* Whoever has it mapped, it is evicted from where it is */
	svm_evict_vram(a);
	svm_evict_vram(b);
	igt_assert_eq_u32(*(uint32_t *)base, MAGIC + 20);
	igt_assert(svm_cpu_all32(base + 4, size - 4, MAGIC));
	munmap(base, size);
	close(a);
	close(b);
}

static void test_peer(void)
{
	peer(true);
}

static void test_no_peer(void)
{
	peer(false);
}

static void test_offset(int fd)
{
	size_t page = svm_page_size(), size = 16 * page;
	char *base = in_vram(fd, size);
	int64_t first = svm_hw_offset(fd, base);

	igt_assert_lte_s64(0, first);
	for (size_t at = 0; at < size; at += page + 4)
		igt_assert_eq_s64(svm_hw_offset(fd, base + at), first + (int64_t)at);
	igt_assert(svm_cpu_all32(base, size, MAGIC));
	igt_assert_eq_s64(svm_hw_offset(fd, base), -ENOENT);
	munmap(base, size);
}

/* A copy to VRAM fails: the GPU works on what is in RAM */
static void test_fail_copy_in(int fd)
{
	size_t size = 16 * svm_page_size();
	char *base = svm_mmap_small(size);

	svm_pattern(base, size, MAGIC);
	svm_hw_fail_copy(fd, 0, MANY);
	igt_assert(svm_gpu_pattern_ok(fd, base, size, MAGIC));
	igt_assert_eq(svm_vram_pages(fd, base, size), 0);
	svm_gpu_fill(fd, base, svm_page_size(), MAGIC);
	svm_hw_fail_copy(fd, 0, 0);
	igt_assert(svm_cpu_all32(base, svm_page_size(), MAGIC));
	munmap(base, size);
}

/* The same where nothing was before: it must read as zero */
static void test_fail_clear(int fd)
{
	size_t size = svm_range_size();
	char *base = svm_mmap_small(size);

	svm_hw_fail_copy(fd, 0, MANY);
	svm_gpu_write32(fd, base + size / 2, MAGIC);
	igt_assert_eq(svm_vram_pages(fd, base, size), 0);
	svm_hw_fail_copy(fd, 0, 0);
	igt_assert_eq_u32(*(uint32_t *)(base + size / 2), MAGIC);
	igt_assert(svm_cpu_all32(base, size / 2, 0));
	igt_assert(svm_cpu_all32(base + size / 2 + 4, size / 2 - 4, 0));
	munmap(base, size);
}

/* Some copies succeed, one does not, then all do */
static void test_fail_copy_skip(int fd)
{
	size_t size = 64 * svm_page_size();

	for (unsigned int skip = 0; skip < 4; skip++) {
		char *base = svm_mmap_small(size);

		svm_pattern(base, size, MAGIC + skip);
		svm_hw_fail_copy(fd, skip, 1);
		for (int i = 0; i < 2; i++)
			igt_assert(svm_gpu_pattern_ok(fd, base, size, MAGIC + skip));
		svm_hw_fail_copy(fd, 0, 0);
		igt_assert(svm_pattern_ok(base, size, MAGIC + skip));
		munmap(base, size);
	}
}

/* A copy home fails: who wants the data gets a signal, and no other data */
static void test_fail_copy_home(int fd)
{
	size_t size = 16 * svm_page_size();
	char *base = in_vram(fd, size);
	uint32_t value;

	svm_hw_fail_copy(fd, 0, MANY);
	igt_assert(!svm_hw_load(base, &value));
	igt_assert(!svm_hw_load(base + size - 4, &value));
	igt_assert_eq_u32(svm_gpu_add(fd, base, 1, 1, false), MAGIC);
	igt_assert_eq(svm_location(fd, base), DRM_SVM_LOCATION_VRAM);
	svm_hw_fail_copy(fd, 0, 0);
	igt_assert_eq_u32(*(uint32_t *)base, MAGIC + 1);
	igt_assert(svm_cpu_all32(base + 4, size - 4, MAGIC));
	munmap(base, size);
}

/* An eviction that fails leaves everything where it is */
static void test_fail_copy_evict(int fd)
{
	size_t size = 2 * svm_range_size();
	char *base = in_vram(fd, size);

	svm_hw_fail_copy(fd, 0, MANY);
	igt_assert_neq(__svm_hw_write(fd, "evict_vram", "1"), 0);
	svm_hw_fail_copy(fd, 0, 0);
	igt_assert_eq_u32(svm_gpu_read32(fd, base), MAGIC);
	igt_assert_lt_u64(0, svm_vram_pages(fd, base, size));
	svm_evict_vram(fd);
	igt_assert(svm_cpu_all32(base, size, MAGIC));
	munmap(base, size);
}

static void test_fail_alloc(int fd)
{
	size_t size = 64 * svm_page_size();
	char *base = memory(fd, size, false);

	svm_hw_write(fd, "inject/fail_alloc", 0);
	igt_assert(svm_cpu_all32(base, size, MAGIC));
	munmap(base, size);
	base = in_vram(fd, size);
	igt_assert(svm_cpu_all32(base, size, MAGIC));
	munmap(base, size);
}

/* A page breaks: its data is lost, nobody else's is, and it is not used again */
static void test_bad_page(int fd)
{
	size_t page = svm_page_size(), size = 16 * page;
	char *base = in_vram(fd, size), *again;
	struct drm_svm_test_cmd touch = svm_cmd_touch(base + 3 * page, 4, 4, false);
	int64_t bad = svm_hw_offset(fd, base + 3 * page);
	uint32_t value;

	igt_assert_lte_s64(0, bad);
	svm_hw_write(fd, "inject/bad_page", bad);
	igt_assert(!svm_hw_load(base + 3 * page, &value));
	igt_assert_neq(__svm_run(fd, &touch), 0);
	igt_assert(svm_cpu_all32(base, 3 * page, MAGIC));
	igt_assert(svm_cpu_all32(base + 4 * page, size - 4 * page, MAGIC));
	munmap(base, size);

	again = svm_mmap_small(svm_vram_size(fd));
	svm_gpu_fill(fd, again, svm_vram_size(fd), MAGIC + 1);
	for (size_t at = 0; at < svm_vram_size(fd); at += page)
		igt_assert_neq(svm_hw_offset(fd, again + at), bad);
	igt_assert(svm_cpu_all32(again, svm_vram_size(fd), MAGIC + 1));
	munmap(again, svm_vram_size(fd));
	igt_assert_eq(__svm_hw_write(fd, "inject/bad_page", "0x1000000000"), -EINVAL);
}

/* Unplug */

struct unplug {
	enum svm_hw_unplug how;
	bool vram;
};

/* What programs see of a device that is gone */
static void assert_gone(int fd)
{
	struct drm_svm_test_cmd nop = { .op = DRM_SVM_TEST_OP_TIMESTAMP };
	struct drm_svm_counters counters;
	struct drm_svm_test_wait result;
	struct drm_svm_attach attach = {};
	uint32_t handle;
	uint64_t job;

	igt_assert_eq(__svm_submit(fd, &nop, 1, &job), -ENODEV);
	igt_assert_eq(__svm_wait(fd, 1, 0, &result), -ENODEV);
	igt_assert_eq(__svm_counters(fd, &counters), -ENODEV);
	igt_assert_eq(__svm_attach(fd, &attach), -ENODEV);
	igt_assert_eq(__svm_bo_create(fd, MIB, DRM_SVM_TEST_BO_VRAM, &handle), -ENODEV);
	igt_assert_eq(__svm_open(0), -ENODEV);
}

/* The memory was @vram: it came home, or is lost */
static void assert_after(const struct unplug *u, const char *base, size_t size)
{
	if (u->vram && u->how == SVM_HW_SURPRISE)
		igt_assert(cpu_all_lost(base, size));
	else
		igt_assert(svm_cpu_all32(base, size, MAGIC));
}

static void unplug_open(int fd, const struct unplug *u)
{
	size_t size = 64 * svm_page_size();
	char *base = memory(fd, size, u->vram);
	int file = svm_hw_open(fd, "unplug", O_WRONLY), idle = svm_open();

	svm_hw_unplug(fd, u->how);
	assert_gone(fd);
	/* The file is gone, but was open */
	igt_assert(write(file, "1", 1) == -1 && errno == ENODEV);
	close(file);
	assert_after(u, base, size);
	munmap(base, size);
	close(idle);
	close(fd);
}

/* The memory stays longer than the file */
static void unplug_memory(int fd, const struct unplug *u)
{
	size_t size = 64 * svm_page_size();
	char *base = memory(fd, size, u->vram);

	svm_hw_unplug(fd, u->how);
	close(fd);
	assert_after(u, base, size);
	if (u->vram && u->how == SVM_HW_SURPRISE) {
		/* What is lost keeps the driver */
		igt_assert_eq(syscall(SYS_delete_module, "drm_svm_test_dev", O_NONBLOCK), -1);
		igt_assert_eq(madvise(base, size, MADV_DONTNEED), 0);
		igt_assert(svm_cpu_all32(base, size, 0));
	} else {
		svm_module_unload();
		igt_assert(svm_cpu_all32(base, size, MAGIC));
	}
	munmap(base, size);
}

static void *wait_for_job(void *data)
{
	struct svm_spin *spin = data;
	struct drm_svm_test_wait result;

	igt_assert_eq(__svm_wait(spin->fd, spin->job, 60ll * NSEC_PER_SEC, &result), 0);
	igt_assert_eq_u32(result.out_status, DRM_SVM_TEST_STATUS_CANCELLED);
	igt_assert_eq_u32(result.out_errno, ENODEV);
	return NULL;
}

static int fence_status(int file)
{
	struct sync_fence_info fence = {};
	struct sync_file_info info = { .num_fences = 1, .sync_fence_info = svm_va(&fence) };

	igt_assert_eq(ioctl(file, SYNC_IOC_FILE_INFO, &info), 0);
	return info.status;
}

/* Jobs that run and that wait behind them, threads and a child that wait for them */
static void unplug_busy(int fd, const struct unplug *u)
{
	size_t size = 16 * svm_page_size();
	char *base = memory(fd, size, u->vram);
	struct drm_svm_test_cmd cmd = svm_cmd_fill(base, size, MAGIC + 1);
	struct drm_svm_test_submit behind = svm_submit_args(&cmd, 1);
	struct drm_svm_sync sync = svm_sync_create(fd, 0);
	struct svm_spin spin[2];
	pthread_t threads[2];
	int file;

	for (int i = 0; i < 2; i++)
		svm_spin_start(&spin[i], fd, i);
	behind.out_syncs = svm_va(&sync);
	behind.num_out_syncs = 1;
	behind.engine = 0;
	svm_submit_ioctl(fd, &behind);
	igt_assert_eq(drmSyncobjExportSyncFile(fd, sync.handle, &file), 0);

	igt_fork(child, 1) {
		struct svm_spin own = { .fd = fd, .job = spin[1].job };

		wait_for_job(&own);
		assert_after(u, base, size);
	}
	pthread_create(&threads[0], NULL, wait_for_job, &spin[0]);
	usleep(200000);
	svm_hw_unplug(fd, u->how);
	pthread_join(threads[0], NULL);
	igt_thread_assert_no_failures();
	igt_waitchildren();

	igt_assert_eq(fence_status(file), -ENODEV);
	close(file);
	assert_after(u, base, size);
	munmap(base, size);
	for (int i = 0; i < 2; i++)
		svm_spin_free(&spin[i]);
	close(fd);
}

/* Faults on their way: waited for, and as many as there can be */
static void unplug_faults(int fd, const struct unplug *u)
{
	size_t size = svm_range_size();
	char *base = svm_mmap_small(size), *page = svm_mmap_anon(svm_page_size());
	int uffd = svm_uffd_open(page, svm_page_size());
	struct drm_svm_test_cmd cmd = svm_cmd_touch(page, 4, 4, false);
	uint64_t addr;

	if (!u->vram)
		svm_hw_write(fd, "inject/fail_alloc", MANY);
	svm_submit_on(fd, 0, &cmd, 1);
	igt_assert(svm_uffd_pending(uffd, 30000, &addr));
	cmd = svm_cmd_touch(base, size, svm_page_size(), true);
	svm_submit_on(fd, 1, &cmd, 1);
	usleep(20000);
	svm_hw_unplug(fd, u->how);
	close(fd);
	close(uffd);
	munmap(base, size);
	munmap(page, svm_page_size());
}

/* Buffer objects: one that the GPU uses, one that the CPU has mapped */
static void unplug_bo(int fd, const struct unplug *u)
{
	uint64_t size = 4 * MIB, start = svm_bo_start(fd);
	uint32_t flags = u->vram ? DRM_SVM_TEST_BO_VRAM : 0, value;
	uint32_t used = svm_bo_create(fd, size, flags);
	uint32_t mapped = svm_bo_create(fd, size, flags);
	uint32_t *gpu = svm_bo_bind(fd, used, start, size);
	uint32_t *cpu[2] = { svm_bo_map(fd, used, size), svm_bo_map(fd, mapped, size) };
	struct drm_svm_test_cmd add = svm_cmd_add32(gpu, 1, UINT32_MAX);
	int mem = open("/proc/self/mem", O_RDWR);

	svm_bo_bind(fd, mapped, start + size, size);
	svm_submit_on(fd, 0, &add, 1);
	igt_assert_eq_u32(READ_ONCE(*cpu[1]), 0);
	igt_assert_eq(pread(mem, &value, 4, svm_va(cpu[1])), 4);

	svm_hw_unplug(fd, u->how);
	for (int i = 0; i < 2; i++) {
		igt_assert(!svm_hw_load(cpu[i], &value));
		igt_assert_eq(pread(mem, &value, 4, svm_va(cpu[i])), -1);
	}
	close(mem);
	munmap(cpu[0], size);
	/* One of the maps stays longer than the file */
	close(fd);
	igt_assert(!svm_hw_load(cpu[1], &value));
	munmap(cpu[1], size);
}

struct caller {
	int fd;
	uint64_t bo_start;
};

static void *call_until_gone(void *data)
{
	struct drm_svm_test_cmd nop = { .op = DRM_SVM_TEST_OP_TIMESTAMP };
	struct caller *caller = data;
	int fd = caller->fd, err[4] = {};
	struct drm_svm_counters counters;
	uint32_t state[16], handle;
	void *base = svm_mmap_anon(sizeof(state) / 4 * svm_page_size());
	uint64_t job;

	do {
		int own = __svm_open(0);

		err[0] = __svm_submit(fd, &nop, 1, &job);
		err[1] = __svm_query(fd, base, 16 * svm_page_size(), state);
		err[2] = __svm_counters(fd, &counters);
		err[3] = __svm_bo_create(fd, MIB, DRM_SVM_TEST_BO_VRAM, &handle);
		if (!err[3])
			__svm_bo_bind(fd, handle, caller->bo_start, 0, MIB);
		if (own >= 0)
			close(own);
		for (int i = 0; i < 4; i++)
			igt_assert(!err[i] || err[i] == -ENODEV || err[i] == -EBUSY);
	} while (err[0] != -ENODEV || err[1] != -ENODEV || err[2] != -ENODEV ||
		 err[3] != -ENODEV);
	return NULL;
}

/* Calls of all kinds meet the unplug */
static void unplug_calls(int fd, const struct unplug *u)
{
	size_t size = 64 * svm_page_size();
	char *base = memory(fd, size, u->vram);
	struct caller caller = { fd, svm_bo_start(fd) };
	pthread_t threads[4];
	uint32_t value;

	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, call_until_gone, &caller);
	usleep(300000);
	svm_hw_unplug(fd, u->how);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	igt_thread_assert_no_failures();
	/* Some of it may have been evicted before */
	for (size_t at = 0; at < size; at += svm_page_size())
		if (svm_hw_load(base + at, &value))
			igt_assert_eq_u32(value, MAGIC);
		else
			igt_assert(u->vram && u->how == SVM_HW_SURPRISE);
	munmap(base, size);
	close(fd);
}

/* The other device, which uses the memory of the one that goes, stays */
static void unplug_peer(int fd, const struct unplug *u)
{
	size_t size = 64 * svm_page_size();
	int other = svm_open_index_attached(1);
	char *base = memory(fd, size, u->vram);
	struct drm_svm_test_cmd touch = svm_cmd_touch(base, 4, 4, false);

	svm_run(other, &touch);
	svm_hw_unplug(fd, u->how);
	if (u->vram && u->how == SVM_HW_SURPRISE)
		igt_assert_neq(__svm_run(other, &touch), 0);
	else
		igt_assert_eq_u32(svm_gpu_read32(other, base), MAGIC);
	assert_after(u, base, size);
	munmap(base, size);

	base = svm_mmap_small(size);
	svm_gpu_fill(other, base, size, MAGIC + 1);
	igt_assert(svm_cpu_all32(base, size, MAGIC + 1));
	munmap(base, size);
	close(other);
	close(fd);
}

static void unplug_suspended(int fd, const struct unplug *u)
{
	size_t size = svm_range_size();
	char *base = memory(fd, size, u->vram);
	struct svm_spin spin;

	svm_spin_start(&spin, fd, 0);
	svm_hw_write(fd, "suspend", 1);
	svm_hw_unplug(fd, u->how);
	/* All was at home already */
	igt_assert(svm_cpu_all32(base, size, MAGIC));
	svm_spin_free(&spin);
	munmap(base, size);
	close(fd);
}

/* Suspend */

static void test_suspend(int fd)
{
	size_t size = 2 * svm_range_size();
	char *base = in_vram(fd, size);

	svm_hw_write(fd, "suspend", 1);
	igt_assert_eq_u64(svm_hw_resident(fd, "used"), 0);
	igt_assert(svm_cpu_all32(base, size, MAGIC));
	svm_hw_write(fd, "suspend", 0);
	svm_gpu_fill(fd, base, size, MAGIC + 1);
	igt_assert_eq(svm_vram_pages(fd, base, size), size / svm_page_size());
	igt_assert(svm_cpu_all32(base, size, MAGIC + 1));
	munmap(base, size);
}

/* Pages that the CPU does not touch until the GPU has them again */
static void test_suspend_gpu(int fd)
{
	size_t size = 2 * svm_range_size();
	char *base = in_vram(fd, size);

	svm_hw_write(fd, "suspend", 1);
	svm_hw_write(fd, "suspend", 0);
	igt_assert_eq_u32(svm_gpu_read32(fd, base), MAGIC);
	igt_assert_eq_u32(svm_gpu_read32(fd, base + size - 4), MAGIC);
	igt_assert(svm_cpu_all32(base, size, MAGIC));
	munmap(base, size);
}

static void test_suspend_job(int fd)
{
	enum { ADDS = 3000000 };
	uint32_t *word = svm_mmap_small(svm_page_size());
	struct drm_svm_test_cmd add = svm_cmd_add32(word, 1, ADDS);
	uint64_t job = svm_submit(fd, &add, 1);
	uint32_t seen;

	igt_assert(svm_until(READ_ONCE(*word), 10000));
	for (int i = 0; i < 3; i++) {
		svm_hw_write(fd, "suspend", 1);
		seen = READ_ONCE(*word);
		igt_assert(i || seen < ADDS);
		usleep(50000);
		igt_assert_eq_u32(READ_ONCE(*word), seen);
		svm_hw_write(fd, "suspend", 0);
		igt_assert(seen == ADDS || svm_until(READ_ONCE(*word) != seen, 10000));
	}
	svm_wait_ok(fd, job);
	igt_assert_eq_u32(*word, ADDS);
	munmap(word, svm_page_size());
}

/* A fault that is pending when the device is suspended, and answered before it runs */
static void test_suspend_fault(int fd)
{
	char *page = svm_mmap_anon(svm_page_size()), *from = svm_mmap_anon(svm_page_size());
	int uffd = svm_uffd_open(page, svm_page_size());
	struct drm_svm_test_cmd add = svm_cmd_add32(page, 1, 10);
	uint64_t addr, job = svm_submit(fd, &add, 1);

	memset(from, 0, svm_page_size());
	igt_assert(svm_uffd_pending(uffd, 30000, &addr));
	svm_hw_write(fd, "suspend", 1);
	svm_uffd_copy(uffd, page, from);
	usleep(50000);
	igt_assert_eq(__svm_poll_job(fd, job), -ETIME);
	igt_assert_eq_u32(READ_ONCE(*(uint32_t *)page), 0);
	svm_hw_write(fd, "suspend", 0);
	svm_wait_ok(fd, job);
	igt_assert_eq_u32(*(uint32_t *)page, 10);
	close(uffd);
	munmap(page, svm_page_size());
	munmap(from, svm_page_size());
}

static void test_suspend_bo(int fd)
{
	uint64_t size = 4 * MIB;
	uint32_t handle = svm_bo_create(fd, size, DRM_SVM_TEST_BO_VRAM);
	uint32_t *gpu = svm_bo_bind(fd, handle, svm_bo_start(fd), size), *cpu;

	svm_gpu_fill(fd, gpu, size, MAGIC);
	svm_hw_write(fd, "suspend", 1);
	/* There is no VRAM now, but there are buffer objects */
	svm_bo_close(fd, svm_bo_create(fd, size, DRM_SVM_TEST_BO_VRAM));
	igt_assert_eq_u64(svm_hw_resident(fd, "used"), 0);
	svm_hw_write(fd, "suspend", 0);
	igt_assert_eq_u32(svm_gpu_read32(fd, gpu), MAGIC);
	cpu = svm_bo_map(fd, handle, size);
	igt_assert(svm_cpu_all32(cpu, size, MAGIC));
	munmap(cpu, size);
}

static void test_suspend_close(int fd)
{
	struct svm_spin spin;
	int other = svm_open_attached();

	svm_spin_start(&spin, other, 0);
	svm_hw_write(fd, "suspend", 1);
	close(other);
	svm_hw_write(fd, "suspend", 0);
	svm_spin_free(&spin);
}

struct load {
	int fd;
	uint32_t *word;
	volatile bool stop;
	uint32_t sum;
};

static void *load_thread(void *data)
{
	struct load *load = data;

	while (!load->stop) {
		svm_gpu_add(load->fd, load->word, 1, 1000, false);
		__atomic_fetch_add(load->word, 1, __ATOMIC_SEQ_CST);
		load->sum += 1001;
	}
	return NULL;
}

static void test_suspend_load(int fd)
{
	enum { THREADS = 4, ROUNDS = 10 };
	struct load loads[THREADS] = {};
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++) {
		loads[i].fd = fd;
		loads[i].word = svm_mmap_small(svm_page_size());
		pthread_create(&threads[i], NULL, load_thread, &loads[i]);
	}
	for (int i = 0; i < ROUNDS; i++) {
		usleep(50000);
		svm_hw_write(fd, "suspend", 1);
		svm_hw_write(fd, "suspend", 0);
	}
	for (int i = 0; i < THREADS; i++)
		loads[i].stop = true;
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	igt_thread_assert_no_failures();
	for (int i = 0; i < THREADS; i++) {
		igt_assert_eq_u32(*loads[i].word, loads[i].sum);
		munmap(loads[i].word, svm_page_size());
	}
}

/* Something cannot go home: the device stays awake */
static void test_suspend_refused(int fd)
{
	size_t size = 16 * svm_page_size();
	char *base = in_vram(fd, size);

	svm_hw_fail_copy(fd, 0, MANY);
	igt_assert_neq(__svm_hw_write(fd, "suspend", "1"), 0);
	igt_assert_eq(__svm_hw_write(fd, "suspend", "0"), -EINVAL);
	svm_hw_fail_copy(fd, 0, 0);
	igt_assert_eq_u32(svm_gpu_add(fd, base, 1, 1, false), MAGIC);
	svm_hw_write(fd, "suspend", 1);
	igt_assert_eq_u32(*(uint32_t *)base, MAGIC + 1);
	igt_assert(svm_cpu_all32(base + 4, size - 4, MAGIC));
	svm_hw_write(fd, "suspend", 0);
	munmap(base, size);
}

static void test_suspend_invalid(int fd)
{
	igt_assert_eq(__svm_hw_write(fd, "suspend", "0"), -EINVAL);
	igt_assert_eq(__svm_hw_write(fd, "suspend", "2"), -EINVAL);
	igt_assert_eq(__svm_hw_write(fd, "unplug", "0"), -EINVAL);
	igt_assert_eq(__svm_hw_write(fd, "unplug", "3"), -EINVAL);
	svm_hw_write(fd, "suspend", 1);
	igt_assert_eq(__svm_hw_write(fd, "suspend", "1"), -EBUSY);
	svm_hw_write(fd, "suspend", 0);
	igt_assert_eq(__svm_hw_write(fd, "suspend", "0"), -EINVAL);
	svm_gpu_touch(fd, &fd, 4, 4, false);
}

/* The system goes to sleep, as far as to the freezer, and wakes up again */
static void test_suspend_system(int fd)
{
	size_t size = svm_range_size();
	char *base = in_vram(fd, size);
	struct svm_spin spin;

	igt_require(svm_sys_set("/sys/module/suspend/parameters/pm_test_delay", "1"));
	igt_require(svm_sys_set("/sys/power/pm_test", "freezer"));
	svm_spin_start(&spin, fd, 0);
	for (int i = 0; i < 2; i++) {
		/* The second time it is suspended by the test as well */
		if (i)
			svm_hw_write(fd, "suspend", 1);
		igt_assert(svm_sys_write("/sys/power/state", "freeze"));
		igt_assert_eq(svm_vram_pages(fd, base, size), 0);
		if (i)
			svm_hw_write(fd, "suspend", 0);
		igt_assert(svm_cpu_all32(base, size, MAGIC));
		svm_gpu_fill(fd, base, size, MAGIC);
	}
	svm_spin_stop(&spin);
	svm_sys_restore();
	munmap(base, size);
}

static const struct {
	const char *name;
	void (*fn)(void);
	const char *desc;
} loads[] = {
	{ "lazy", test_lazy, "VRAM that is not used costs nothing." },
	{ "peer", test_peer, "A device uses the VRAM of another one." },
	{ "no-peer", test_no_peer, "Devices that cannot, share memory all the same." },
};

static const struct {
	const char *name;
	void (*fn)(int fd);
	const char *desc;
} cases[] = {
	{ "offset", test_offset, "An address leads to a place in VRAM." },
	{ "fail-copy-in", test_fail_copy_in, "A copy to VRAM fails." },
	{ "fail-clear", test_fail_clear, "Clearing VRAM fails." },
	{ "fail-copy-skip", test_fail_copy_skip, "One copy of several fails." },
	{ "fail-copy-home", test_fail_copy_home, "A copy for the CPU fails." },
	{ "fail-copy-evict", test_fail_copy_evict, "Copies of an eviction fail." },
	{ "fail-alloc", test_fail_alloc, "No VRAM is to be had." },
	{ "bad-page", test_bad_page, "A page of VRAM breaks." },
	{ "suspend", test_suspend, "Memory is kept over a suspend." },
	{ "suspend-gpu", test_suspend_gpu, "The GPU finds it after the suspend." },
	{ "suspend-job", test_suspend_job, "A job stops and goes on." },
	{ "suspend-fault", test_suspend_fault, "A fault is pending during the suspend." },
	{ "suspend-bo", test_suspend_bo, "Buffer objects keep their content." },
	{ "suspend-close", test_suspend_close, "A file with jobs is closed meanwhile." },
	{ "suspend-load", test_suspend_load, "Suspend again and again under load." },
	{ "suspend-refused", test_suspend_refused, "VRAM cannot be emptied." },
	{ "suspend-invalid", test_suspend_invalid, "What does not make sense is refused." },
	{ "suspend-system", test_suspend_system, "The system sleeps." },
};

static const struct {
	const char *name;
	void (*fn)(int fd, const struct unplug *u);
	const char *desc;
} unplugs[] = {
	{ "open", unplug_open, "Files are open, nothing goes on." },
	{ "memory", unplug_memory, "Memory outlives files and driver." },
	{ "busy", unplug_busy, "Jobs run, threads and a child wait for them." },
	{ "faults", unplug_faults, "Faults are on their way." },
	{ "bo", unplug_bo, "Buffer objects are bound, in use and mapped." },
	{ "calls", unplug_calls, "Calls of all kinds are on their way." },
	{ "peer", unplug_peer, "Another device uses the same memory." },
	{ "suspended", unplug_suspended, "The device is suspended." },
};

static void run_unplug(size_t i, const struct unplug *u)
{
	igt_describe(unplugs[i].desc);
	igt_subtest_f("%s-%s-%s", u->how == SVM_HW_ORDERLY ? "unplug" : "lose",
		      unplugs[i].name, u->vram ? "vram" : "ram") {
		svm_close_leaked();
		svm_module_load("num_devices=2 vram_mb=16");
		unplugs[i].fn(svm_open_attached(), u);
		/* Nothing is left that keeps the driver */
		svm_module_unload();
	}
}

igt_main
{
	for (size_t i = 0; i < ARRAY_SIZE(loads); i++) {
		igt_describe(loads[i].desc);
		igt_subtest(loads[i].name) {
			svm_close_leaked();
			loads[i].fn();
			svm_module_unload();
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		igt_describe(cases[i].desc);
		igt_subtest(cases[i].name) {
			int fd;

			svm_close_leaked();
			svm_module_load("vram_mb=16");
			fd = svm_open_attached();
			cases[i].fn(fd);
			close(fd);
			svm_module_unload();
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(unplugs); i++)
		for (int how = SVM_HW_ORDERLY; how <= SVM_HW_SURPRISE; how++)
			for (int vram = 0; vram < 2; vram++)
				run_unplug(i, &(struct unplug) { how, vram });

	/* The tests of other files count on memory that stays where it is. */
	igt_fixture {
		svm_close_leaked();
		svm_module_load(NULL);
	}
}
