// SPDX-License-Identifier: MIT
/*
 * TEST: svm device
 * Category: Robustness
 * Description: Hardware that fails, sleeps, or has company.
 */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "igt.h"
#include "igt_thread.h"
#include "svm_bo.h"
#include "svm_hw.h"
#include "svm_job.h"
#include "svm_mem.h"
#include "svm_prefetch.h"

IGT_TEST_DESCRIPTION("Hardware that fails, sleeps, or has company.");

#define MAGIC	SVM_HW_MAGIC
#define MIB	(1ull << 20)
#define MANY	1000000		/* more than a subtest can use up */

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

static void device_lazy(void)
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
	/* the library has tried TTM with a page */
	igt_assert_lte_u64(svm_hw_resident(fd, "backed"), svm_page_size());

	base = svm_hw_memory(fd, MIB, true);
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
	base = svm_hw_memory(a, size, true);
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

static void device_peer(void)
{
	peer(true);
}

static void no_peer(void)
{
	peer(false);
}

static void device_offset(int fd)
{
	size_t page = svm_page_size(), size = 16 * page;
	char *base = svm_hw_memory(fd, size, true);
	int64_t first = svm_hw_offset(fd, base);

	igt_assert_lte_s64(0, first);
	for (size_t at = 0; at < size; at += page + 4)
		igt_assert_eq_s64(svm_hw_offset(fd, base + at), first + (int64_t)at);
	igt_assert(svm_cpu_all32(base, size, MAGIC));
	igt_assert_eq_s64(svm_hw_offset(fd, base), -ENOENT);
	munmap(base, size);
}

/* A copy to VRAM fails: the GPU works on what is in RAM */
static void fail_copy_in(int fd)
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
static void fail_clear(int fd)
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
static void fail_copy_skip(int fd)
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
static void fail_copy_home(int fd)
{
	size_t size = 16 * svm_page_size();
	char *base = svm_hw_memory(fd, size, true);
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
static void fail_copy_evict(int fd)
{
	size_t size = 2 * svm_range_size();
	char *base = svm_hw_memory(fd, size, true);

	svm_hw_fail_copy(fd, 0, MANY);
	igt_assert_neq(__svm_hw_write(fd, "evict_vram", "1"), 0);
	svm_hw_fail_copy(fd, 0, 0);
	igt_assert_eq_u32(svm_gpu_read32(fd, base), MAGIC);
	igt_assert_lt_u64(0, svm_vram_pages(fd, base, size));
	svm_evict_vram(fd);
	igt_assert(svm_cpu_all32(base, size, MAGIC));
	munmap(base, size);
}

static void fail_alloc(int fd)
{
	size_t size = 64 * svm_page_size();
	char *base = svm_hw_memory(fd, size, false);

	svm_hw_write(fd, "inject/fail_alloc", 0);
	igt_assert(svm_cpu_all32(base, size, MAGIC));
	munmap(base, size);
	base = svm_hw_memory(fd, size, true);
	igt_assert(svm_cpu_all32(base, size, MAGIC));
	munmap(base, size);
}

/* A page breaks: its data is lost, nobody else's is, and it is not used again */
static void bad_page(int fd)
{
	size_t page = svm_page_size(), size = 16 * page;
	char *base = svm_hw_memory(fd, size, true), *again;
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

/* Suspend */

static void device_suspend(int fd)
{
	size_t size = 2 * svm_range_size();
	char *base = svm_hw_memory(fd, size, true);

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
static void suspend_gpu(int fd)
{
	size_t size = 2 * svm_range_size();
	char *base = svm_hw_memory(fd, size, true);

	svm_hw_write(fd, "suspend", 1);
	svm_hw_write(fd, "suspend", 0);
	igt_assert_eq_u32(svm_gpu_read32(fd, base), MAGIC);
	igt_assert_eq_u32(svm_gpu_read32(fd, base + size - 4), MAGIC);
	igt_assert(svm_cpu_all32(base, size, MAGIC));
	munmap(base, size);
}

static void suspend_job(int fd)
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
static void suspend_fault(int fd)
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

static void suspend_bo(int fd)
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

/* Nothing goes to VRAM meanwhile */
static void suspend_prefetch(int fd)
{
	size_t pages = 16, size = pages * svm_page_size();
	char *base = svm_mmap_small(size);

	svm_pattern(base, size, MAGIC);
	svm_hw_write(fd, "suspend", 1);
	igt_assert_eq(svm_prefetch(fd, base, size, DRM_SVM_LOCATION_VRAM), 0);
	igt_assert_eq_u64(svm_hw_resident(fd, "used"), 0);
	svm_hw_write(fd, "suspend", 0);
	igt_assert_eq(svm_prefetch(fd, base, size, DRM_SVM_LOCATION_VRAM), pages);
	igt_assert(svm_gpu_pattern_ok(fd, base, size, MAGIC));
	munmap(base, size);
}

static void suspend_close(int fd)
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

static void suspend_load(int fd)
{
	enum { THREADS = 4, ROUNDS = 10 };
	struct load loads[THREADS] = {};
	pthread_t threads[THREADS];
	int err = 0;

	for (int i = 0; i < THREADS; i++) {
		loads[i].fd = fd;
		loads[i].word = svm_mmap_small(svm_page_size());
		pthread_create(&threads[i], NULL, load_thread, &loads[i]);
	}
	for (int i = 0; i < ROUNDS && !err; i++) {
		usleep(50000);
		err = __svm_hw_write(fd, "suspend", "1");
		if (!err)
			err = __svm_hw_write(fd, "suspend", "0");
	}
	for (int i = 0; i < THREADS; i++)
		loads[i].stop = true;
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	igt_thread_assert_no_failures();
	igt_assert_eq(err, 0);
	for (int i = 0; i < THREADS; i++) {
		igt_assert_eq_u32(*loads[i].word, loads[i].sum);
		munmap(loads[i].word, svm_page_size());
	}
}

/* Something cannot go home: the device stays awake */
static void suspend_refused(int fd)
{
	size_t size = 16 * svm_page_size();
	char *base = svm_hw_memory(fd, size, true);

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

static void suspend_invalid(int fd)
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
static void suspend_system(int fd)
{
	size_t size = svm_range_size();
	char *base = svm_hw_memory(fd, size, true);
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

static const struct svm_test tests[] = {
	{ "lazy", "VRAM that is not used costs nothing.", device_lazy },
	{ "peer", "A device uses the VRAM of another one.", device_peer },
	{ "no-peer", "Devices that cannot, share memory all the same.", no_peer },
};

static const struct svm_case cases[] = {
	{ "offset", "An address leads to a place in VRAM.", device_offset },
	{ "fail-copy-in", "A copy to VRAM fails.", fail_copy_in },
	{ "fail-clear", "Clearing VRAM fails.", fail_clear },
	{ "fail-copy-skip", "One copy of several fails.", fail_copy_skip },
	{ "fail-copy-home", "A copy for the CPU fails.", fail_copy_home },
	{ "fail-copy-evict", "Copies of an eviction fail.", fail_copy_evict },
	{ "fail-alloc", "No VRAM is to be had.", fail_alloc },
	{ "bad-page", "A page of VRAM breaks.", bad_page },
	{ "suspend", "Memory is kept over a suspend.", device_suspend },
	{ "suspend-gpu", "The GPU finds it after the suspend.", suspend_gpu },
	{ "suspend-job", "A job stops and goes on.", suspend_job },
	{ "suspend-fault", "A fault is pending during the suspend.", suspend_fault },
	{ "suspend-bo", "Buffer objects keep their content.", suspend_bo },
	{ "suspend-prefetch", "Nothing goes to VRAM meanwhile.", suspend_prefetch },
	{ "suspend-close", "A file with jobs is closed meanwhile.", suspend_close },
	{ "suspend-load", "Suspend again and again under load.", suspend_load },
	{ "suspend-refused", "VRAM cannot be emptied.", suspend_refused },
	{ "suspend-invalid", "What does not make sense is refused.", suspend_invalid },
	{ "suspend-system", "The system sleeps.", suspend_system },
};

/*
 * The driver is loaded afresh for each case. That it can be unloaded for that shows
 * that the case before has left nothing behind.
 */
static int open_fresh(void)
{
	svm_module_load("vram_mb=16");
	return svm_open_attached();
}

int igt_main()
{
	svm_tests(tests);
	svm_cases_of(cases, open_fresh);

	igt_fixture() {
		svm_close_leaked();
		svm_module_reset();
	}
}
