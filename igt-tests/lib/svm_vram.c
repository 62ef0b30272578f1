// SPDX-License-Identifier: MIT
/*
 * Memory in VRAM, for the tests.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_hw.h"
#include "svm_job.h"
#include "svm_prefetch.h"
#include "svm_vram.h"

#define SMALL_PAGES	32

static struct {
	pthread_t thread;
	bool runs;
	bool stop;
	int fd;
} evictor;

static void *evictor_main(void *unused)
{
	while (!READ_ONCE(evictor.stop)) {
		int err = __svm_evict_vram(evictor.fd);

		if (err && err != -EBUSY)
			return (void *)(intptr_t)err;
		usleep(100);
	}
	return NULL;
}

void svm_evictor_start(int fd)
{
	evictor.fd = fd;
	evictor.stop = false;
	igt_assert(!pthread_create(&evictor.thread, NULL, evictor_main, NULL));
	evictor.runs = true;
}

static void *evictor_end(void)
{
	void *err;

	WRITE_ONCE(evictor.stop, true);
	pthread_join(evictor.thread, &err);
	evictor.runs = false;
	return err;
}

void svm_evictor_stop(void)
{
	igt_assert(!evictor_end());
}

/* What a subtest that failed left running */
static void stop_leaked(void)
{
	if (evictor.runs)
		evictor_end();
	igt_kill_children(SIGKILL);
	__igt_waitchildren();
	munlockall();
	svm_close_leaked();
	svm_sys_restore();
}

void svm_vram_on(const char *params)
{
	stop_leaked();
	svm_module_load(params);
}

void svm_vram_off(void)
{
	stop_leaked();
	svm_module_reset();
}

void svm_vram_all_free(void)
{
	int fd = svm_open();

	igt_assert_f(svm_until(!svm_hw_resident(fd, "used"), 10000),
		     "%" PRIu64 " bytes of VRAM are in use\n", svm_hw_resident(fd, "used"));
	close(fd);
}

static bool bring(int fd, void *addr, size_t size)
{
	svm_gpu_touch(fd, addr, size, svm_page_size(), false);
	if (svm_vram_pages(fd, addr, size) == size / svm_page_size())
		return true;
	/* what the GPU has no mapping of it asks for again */
	igt_assert(!mprotect(addr, size, PROT_READ));
	igt_assert(!mprotect(addr, size, PROT_READ | PROT_WRITE));
	return false;
}

/*
 * A page that somebody holds for a moment stays in RAM and is mapped there, so a
 * few tries are allowed.
 */
void svm_to_vram(int fd, void *addr, size_t size)
{
	igt_assert_f(svm_until(bring(fd, addr, size), 10), "%zu of %zu pages are in VRAM\n",
		     svm_vram_pages(fd, addr, size), size / svm_page_size());
}

char *svm_prefetched(int fd, size_t size, uint32_t seed)
{
	char *base = svm_mmap_small(size);

	svm_pattern(base, size, seed);
	igt_assert_eq_u64(svm_prefetch(fd, base, size, DRM_SVM_LOCATION_VRAM),
			  size / svm_page_size());
	return base;
}

static bool is_device_entry(uint64_t entry)
{
	uint64_t type = entry & SVM_PM_TYPE;

	return (entry & SVM_PM_SWAP) && !(entry & SVM_PM_PRESENT) &&
	       type >= SVM_PM_TYPE_DEVICE && type < SVM_PM_TYPE_MARKER;
}

size_t svm_device_pages(const void *addr, size_t size)
{
	size_t n = size / svm_page_size(), pages = 0;
	uint64_t *entries = calloc(n, sizeof(*entries));
	int file = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	igt_assert(entries && file >= 0);
	igt_assert(pread(file, entries, n * sizeof(*entries),
			 client_ptr(addr) / svm_page_size() * sizeof(*entries)) ==
		   (ssize_t)(n * sizeof(*entries)));
	for (size_t i = 0; i < n; i++)
		pages += is_device_entry(entries[i]);
	close(file);
	free(entries);
	return pages;
}

/* Whether the case that runs is one for a driver without VRAM */
static bool in_ram;

struct svm_area svm_area_sized(int fd, bool huge, size_t size, uint32_t seed)
{
	struct svm_area area = { .size = size, .huge = huge };
	struct drm_svm_test_info info;

	svm_info(fd, &info);
	area.ram = !info.out_vram_size;
	igt_assert_eq(area.ram, in_ram);
	area.base = huge ? svm_mmap_thp(size) : svm_mmap_small(size);
	svm_gpu_pattern(fd, area.base, size, seed);
	if (area.ram)
		igt_assert(svm_prot_all(fd, area.base, size, SVM_RW));
	else
		svm_to_vram(fd, area.base, size);
	svm_area_check_place(&area);
	return area;
}

struct svm_area svm_area(int fd, bool huge, uint32_t seed)
{
	size_t size = huge ? svm_range_size() : SMALL_PAGES * svm_page_size();

	return svm_area_sized(fd, huge, size, seed);
}

void svm_area_free(const struct svm_area *area)
{
	igt_assert(!munmap(area->base, area->size));
}

void svm_area_check_place(const struct svm_area *area)
{
	igt_assert_eq(svm_device_pages(area->base, area->size),
		      area->ram ? 0 : area->size / svm_page_size());
}

void svm_area_evict(int fd, const struct svm_area *area)
{
	if (!area->ram)
		svm_evict_vram(fd);
}

void svm_area_check(int fd, const struct svm_area *area, uint32_t seed)
{
	igt_assert(svm_gpu_pattern_ok(fd, area->base, area->size, seed));
	svm_area_evict(fd, area);
	igt_assert_eq(svm_device_pages(area->base, area->size), 0);
	igt_assert(svm_pattern_ok(area->base, area->size, seed));
	svm_gpu_pattern(fd, area->base, area->size, seed + 1);
	igt_assert(svm_pattern_ok(area->base, area->size, seed + 1));
	*(uint32_t *)area->base = ~seed;
	igt_assert_eq_u32(svm_gpu_read32(fd, area->base), ~seed);
	*(uint32_t *)area->base = seed + 1;
}

static void run_vram_case(const struct svm_vram_case *c, bool huge)
{
	int fd;

	stop_leaked();
	fd = svm_open_attached();
	c->run(fd, huge);
	close(fd);
	svm_sys_restore();
}

void svm_run_vram_cases(const struct svm_vram_case *cases, size_t n, const char *suffix)
{
	for (size_t i = 0; i < n; i++) {
		igt_describe(cases[i].describe);
		igt_subtest_f("%s%s", cases[i].name, suffix)
			run_vram_case(&cases[i], false);
		if (cases[i].one)
			continue;
		igt_describe(cases[i].describe);
		igt_subtest_f("%s%s-huge", cases[i].name, suffix)
			run_vram_case(&cases[i], true);
	}
}

void svm_run_ram_cases(const struct svm_vram_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		igt_describe(cases[i].describe);
		igt_subtest(cases[i].name) {
			in_ram = true;
			run_vram_case(&cases[i], false);
		}
		in_ram = false;
	}
}
