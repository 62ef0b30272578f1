// SPDX-License-Identifier: MIT
/*
 * The virtual GPU with the kernel's own manager of shared memory, drm_gpusvm, which
 * drm_svm is compared with: what both promise works there too. Otherwise a comparison
 * would say little. What drm_gpusvm does not promise is not asked here.
 */

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_job.h"
#include "svm_mem.h"
#include "svm_prefetch.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("The virtual GPU on drm_gpusvm.");

#define SEED	0x0bac0000u

/* The GPU reads what the CPU wrote, and the other way round, in memory of either kind */
static void backend_share(int fd, bool huge)
{
	size_t size = 2 * svm_range_size();
	char *base = huge ? svm_mmap_thp(size) : svm_mmap_small(size);

	svm_pattern(base, size, SEED);
	igt_assert(svm_gpu_pattern_ok(fd, base, size, SEED));
	svm_gpu_pattern(fd, base, size, SEED + 1);
	igt_assert(svm_pattern_ok(base, size, SEED + 1));
	igt_assert(!munmap(base, size));
}

/* What was unmapped is gone for the GPU, and new memory at its place is new */
static void backend_replace(int fd, bool huge)
{
	size_t size = svm_range_size(), part = size / 4;
	char *base = huge ? svm_mmap_thp(size) : svm_mmap_small(size);

	svm_gpu_pattern(fd, base, size, SEED);
	igt_assert(!munmap(base + part, part));
	igt_assert(__svm_gpu_touch(fd, base + part, 4, 4, false));
	igt_assert(svm_gpu_pattern_ok(fd, base, part, SEED));
	svm_mmap_fixed(base + part, part, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1);
	svm_gpu_fill(fd, base + part, 4, 7);
	igt_assert_eq_u32(*(uint32_t *)(base + part), 7);
	igt_assert(svm_cpu_all32(base + part + 4, part - 4, 0));
	igt_assert(!munmap(base, size));
}

/* Pages go to VRAM where the GPU uses them, and come home where the CPU does */
static void backend_move(int fd, bool huge)
{
	struct svm_area area = svm_area_sized(fd, huge, svm_range_size(), SEED);

	svm_area_check(fd, &area, SEED);
	svm_to_vram(fd, area.base, area.size);
	igt_assert(svm_pattern_ok(area.base, area.size, SEED + 1));
	igt_assert_eq(svm_device_pages(area.base, area.size), 0);
	svm_area_free(&area);
}

/* More than there is of VRAM: what was there first makes room */
static void backend_crowd(int fd, bool huge)
{
	size_t size = 12 * svm_range_size(), part = svm_range_size(), i;
	char *base = huge ? svm_mmap_thp(size) : svm_mmap_small(size);

	for (i = 0; i < size; i += part)
		svm_gpu_pattern(fd, base + i, part, SEED + i);
	igt_assert_lt(0, svm_device_pages(base, size));
	for (i = 0; i < size; i += part)
		igt_assert(svm_gpu_pattern_ok(fd, base + i, part, SEED + i));
	for (i = 0; i < size; i += part)
		igt_assert(svm_pattern_ok(base + i, part, SEED + i));
	igt_assert(!munmap(base, size));
}

/* A part of what is in VRAM is unmapped, the rest stays what it is */
static void backend_part(int fd, bool huge)
{
	struct svm_area area = svm_area_sized(fd, huge, svm_range_size(), SEED);
	size_t gone = area.size / 2;

	igt_assert(!munmap(area.base + gone, area.size - gone));
	igt_assert(svm_gpu_pattern_ok(fd, area.base, gone, SEED));
	igt_assert(svm_pattern_ok(area.base, gone, SEED));
	igt_assert(!munmap(area.base, gone));
}

/* The file is closed while VRAM has pages: the CPU reads them, and VRAM is free then */
static void backend_end(int fd, bool huge)
{
	int other = svm_open_attached();
	struct svm_area area = svm_area_sized(other, huge, svm_range_size(), SEED);

	close(other);
	igt_assert(svm_pattern_ok(area.base, area.size, SEED));
	svm_area_free(&area);
	svm_vram_all_free();
}

static int counters_ioctl(int fd, struct drm_svm_counters *args)
{
	return ioctl(fd, DRM_IOCTL_SVM_TEST_COUNTERS, args) ? -errno : 0;
}

/* An array that is shorter than what the kernel knows, and one that is longer */
static void backend_counters(int fd, bool huge)
{
	uint32_t *word = svm_mmap_anon(svm_page_size());
	uint64_t values[2 * DRM_SVM_COUNTER_NUM];
	struct drm_svm_counters args = { .values = client_ptr(values) };

	svm_gpu_write32(fd, word, SEED);
	for (args.count = 1; args.count < ARRAY_SIZE(values); args.count++) {
		memset(values, 0xff, sizeof(values));
		igt_assert_eq(counters_ioctl(fd, &args), 0);
		igt_assert_lt_u64(0, values[DRM_SVM_COUNTER_FAULTS]);
		for (uint32_t i = 0; i < args.count; i++)
			igt_assert_neq_u64(values[i], UINT64_MAX);
		igt_assert_eq_u64(values[args.count], UINT64_MAX);
	}
	args.count = DRM_SVM_COUNTERS_MAX + 1;
	igt_assert_eq(counters_ioctl(fd, &args), -EINVAL);
	args.count = 1;
	args.values = 0;
	igt_assert_eq(counters_ioctl(fd, &args), -EFAULT);
	munmap(word, svm_page_size());
}

/* What only drm_svm can tell; what is malformed is malformed all the same */
static void backend_lacks(int fd, bool huge)
{
	size_t page = svm_page_size();
	char *base = svm_mmap_small(page);
	struct drm_svm_prefetch args = svm_prefetch_args(base, page, DRM_SVM_LOCATION_SYSTEM);
	struct drm_svm_events events = { .entries = 1 };
	struct drm_svm_query_run run;
	struct drm_svm_vram_info info;
	uint32_t state, count = 1;
	uint64_t word, next;

	base[0] = 1;
	igt_assert_eq(client_events(fd, &events), -EOPNOTSUPP);
	igt_assert_eq(client_vram_info(fd, &info), -EOPNOTSUPP);
	igt_assert_eq(client_query(fd, client_ptr(base), page, DRM_SVM_QUERY_RESIDENCE, &state),
		      -EOPNOTSUPP);
	igt_assert_eq(client_query_details(fd, client_ptr(base), page, &word), -EOPNOTSUPP);
	igt_assert_eq(client_query_runs(fd, client_ptr(base), page, 0, &run, &count, &next),
		      -EOPNOTSUPP);
	igt_assert_eq(client_query(fd, client_ptr(base), page, 1u << 31, &state), -EINVAL);
	args.flags = DRM_SVM_PREFETCH_COUNT_DENIED;
	igt_assert_eq(__svm_prefetch(fd, &args), -EOPNOTSUPP);
	args.flags = 1u << 31;
	igt_assert_eq(__svm_prefetch(fd, &args), -EINVAL);
	munmap(base, page);
}

static const struct svm_vram_case cases[] = {
	{ "share", "GPU and CPU read what the other one wrote.", backend_share },
	{ "replace", "Memory that was unmapped is gone for the GPU.", backend_replace },
	{ "counters", "Programs get the counters that they ask for.", backend_counters,
	  .one = true },
	{ "lacks", "What it does not have is refused.", backend_lacks, .one = true },
};

static const struct svm_vram_case vram_cases[] = {
	{ "vram-share", "The same with VRAM.", backend_share },
	{ "vram-replace", "The same with VRAM.", backend_replace },
	{ "vram-move", "Pages go to VRAM, and come home.", backend_move },
	{ "vram-crowd", "Pages make room in VRAM for others.", backend_crowd },
	{ "vram-part", "A part of what is in VRAM is unmapped.", backend_part },
	{ "vram-close", "A file is closed that has pages in VRAM.", backend_end },
};

static const struct svm_test tests[] = {
	{ "unload", "The module goes with nothing left behind.", svm_module_unload },
};

int igt_main()
{
	igt_fixture()
		svm_vram_on("backend=drm_gpusvm");
	svm_vram_cases(cases);

	igt_fixture()
		svm_vram_on("backend=drm_gpusvm vram_mb=16");
	svm_vram_cases(vram_cases);
	svm_tests(tests);

	igt_fixture()
		svm_vram_off();
}
