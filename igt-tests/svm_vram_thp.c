// SPDX-License-Identifier: MIT
/*
 * Where nothing is yet, a GPU's write or a prefetch makes a huge page in VRAM just where
 * the CPU's write would make one in RAM. Settings of the machine, the process and the
 * mapping decide that; each case sets them, and lets the CPU write first, elsewhere.
 * Once there, it may be mapped in parts.
 */

#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_hw.h"
#include "svm_job.h"
#include "svm_prefetch.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("Huge pages in VRAM, just where the CPU would make one in RAM.");

#define THP	"/sys/kernel/mm/transparent_hugepage/"
#define MAGIC	0x7a7a0000u
#define AT	37	/* the page that is written first */

#ifndef PR_THP_DISABLE_EXCEPT_ADVISED
#define PR_THP_DISABLE_EXCEPT_ADVISED	(1 << 1)
#endif

struct setting {
	const char *name;
	const char *describe;
	const char *enabled;	/* of the machine, */
	const char *size;	/* of it for huge pages of this size, */
	int disable;		/* of the process: the flags of PR_SET_THP_DISABLE, or -1, */
	int advice;		/* of the mapping, or -1 */
	bool huge;		/* what the CPU makes by them */
};

static const struct setting settings[] = {
	{ "always", "The machine makes huge pages everywhere.",
	  "always", "inherit", -1, -1, true },
	{ "always-refused", "The program wants none here.",
	  "always", "inherit", -1, MADV_NOHUGEPAGE, false },
	{ "madvise", "The machine makes them where they are wanted; the program is silent.",
	  "madvise", "inherit", -1, -1, false },
	{ "madvise-wanted", "The machine makes them where they are wanted, as here.",
	  "madvise", "inherit", -1, MADV_HUGEPAGE, true },
	{ "never-wanted", "The machine makes none, wanted or not.",
	  "never", "inherit", -1, MADV_HUGEPAGE, false },
	{ "size-never-wanted", "The machine makes none of this size.",
	  "always", "never", -1, MADV_HUGEPAGE, false },
	{ "size-always", "The machine makes those of this size only.",
	  "never", "always", -1, -1, true },
	{ "process-never-wanted", "The process has turned them off.",
	  "always", "inherit", 0, MADV_HUGEPAGE, false },
	{ "process-advised", "The process has turned off those that are not wanted.",
	  "always", "inherit", PR_THP_DISABLE_EXCEPT_ADVISED, -1, false },
	{ "process-advised-wanted", "The process has left those that are wanted.",
	  "always", "inherit", PR_THP_DISABLE_EXCEPT_ADVISED, MADV_HUGEPAGE, true },
};

static void use(const struct setting *s)
{
	char path[128];

	snprintf(path, sizeof(path), THP "hugepages-%zukB/enabled", svm_range_size() / 1024);
	igt_require(svm_sys_set(THP "enabled", s->enabled));
	igt_require(svm_sys_set(path, s->size));
	/* khugepaged would make huge pages of what the test has filled in part */
	igt_require(svm_sys_set(THP "khugepaged/max_ptes_none", "0"));
	igt_assert(!prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0));
	if (s->disable >= 0)
		igt_require(!prctl(PR_SET_THP_DISABLE, 1, s->disable, 0, 0));
}

static char *memory(const struct setting *s)
{
	char *base = svm_mmap_aligned(svm_range_size(), svm_range_size());

	if (s->advice >= 0)
		igt_assert(!madvise(base, svm_range_size(), s->advice));
	return base;
}

/* The GPU was the first to write to page AT, which had nothing, nor its neighbours */
static void check_made(int fd, char *base, size_t folio)
{
	size_t size = svm_range_size(), page = svm_page_size();
	char *at = svm_page(base, AT);

	igt_assert_eq(svm_folio(fd, at), folio);
	if (folio == size)
		igt_assert_eq(svm_device_pages(base, size), size / page);
	else
		igt_assert_lt(svm_device_pages(base, size), size / page / 2);
	svm_evict_vram(fd);
	igt_assert_eq(svm_folio(fd, at), folio);
	igt_assert_eq_u32(*(uint32_t *)at, MAGIC);
	igt_assert(svm_cpu_all32(base, at - base, 0));
	igt_assert(svm_cpu_all32(at + page, base + size - at - page, 0));
}

static void run(int fd, const struct setting *s)
{
	size_t size = svm_range_size(), folio = s->huge ? size : svm_page_size();
	char *cpu = memory(s), *gpu = memory(s), *fetched = memory(s);

	*(volatile char *)svm_page(cpu, AT) = 1;
	igt_require_f(svm_folio(fd, svm_page(cpu, AT)) == folio,
		      "the CPU makes a page of %zu bytes\n", svm_folio(fd, svm_page(cpu, AT)));

	svm_gpu_write32(fd, svm_page(gpu, AT), MAGIC);
	check_made(fd, gpu, folio);
	svm_prefetch(fd, fetched, size, DRM_SVM_LOCATION_VRAM);
	igt_assert_eq(svm_device_pages(fetched, size), size / svm_page_size());
	igt_assert_eq(svm_folio(fd, fetched), folio);
	svm_evict_vram(fd);
	igt_assert(svm_cpu_all32(fetched, size, 0));
}

/* A CPU that has one small page of a range makes small ones of the rest */
static void beside_a_page(int fd)
{
	const struct setting *s = &settings[0];
	char *base;

	use(s);
	base = memory(s);
	igt_assert(!madvise(base, svm_range_size(), MADV_NOHUGEPAGE));
	*(volatile char *)base = 0;
	igt_assert(!madvise(base, svm_range_size(), MADV_HUGEPAGE));
	svm_gpu_write32(fd, svm_page(base, AT), MAGIC);
	check_made(fd, base, svm_page_size());
}

/* A mapping that is a page too short for a huge page */
static void too_short(int fd)
{
	const struct setting *s = &settings[0];
	char *base;

	use(s);
	base = memory(s);
	igt_assert(!munmap(base + svm_range_size() - svm_page_size(), svm_page_size()));
	svm_gpu_write32(fd, svm_page(base, AT), MAGIC);
	igt_assert_eq(svm_folio(fd, svm_page(base, AT)), svm_page_size());
	igt_assert_eq_u32(*(uint32_t *)svm_page(base, AT), MAGIC);
}

/* Then a CPU that reads makes a huge page at once, which is to move */
static void no_zero_page(int fd)
{
	const struct setting *s = &settings[0];
	char *base;

	use(s);
	igt_require(svm_sys_set(THP "use_zero_page", "0"));
	base = memory(s);
	svm_gpu_write32(fd, svm_page(base, AT), MAGIC);
	check_made(fd, base, svm_range_size());
}

static void read_zero_page(int fd)
{
	size_t size = svm_range_size();
	char *base = svm_mmap_aligned(size, size);
	struct client_counts counters;

	igt_assert(!madvise(base, size, MADV_HUGEPAGE));
	(void)READ_ONCE(*base);
	svm_gpu_touch(fd, base, size, svm_page_size(), false);
	svm_counters(fd, &counters);
	igt_assert_eq_u64(client_count(&counters, CUR_VRAM_RESERVED), 0);
	igt_assert_eq_u64(client_count(&counters, VRAM_BUSY), 0);
}

/* Of a huge page in VRAM each page is mapped for itself. */
static char *huge_in_parts(int fd)
{
	size_t page = svm_page_size(), size = svm_range_size();
	char *base = svm_mmap_thp(size);

	svm_pattern(base, size, MAGIC);
	igt_assert_eq(svm_prefetch(fd, base, size, DRM_SVM_LOCATION_VRAM), size / page);
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
	igt_assert_eq(svm_resident(fd, base, size, DRM_SVM_LOCATION_SYSTEM), size / page);
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
	igt_assert_eq(svm_resident(fd, base, size, DRM_SVM_LOCATION_SYSTEM), size / page);
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

static void leave(int fd)
{
	prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	close(fd);
	svm_sys_restore();
}

static const struct svm_case cases[] = {
	{ "beside-a-page", "The CPU has a small page of the range.", beside_a_page },
	{ "too-short", "The mapping is a page shorter than a huge page.", too_short },
	{ "no-zero-page", "The machine does not use the huge zero page.", no_zero_page },
	{ "read-zero-page", "A read of the huge zero page takes no VRAM.", read_zero_page },
	{ "parts-touch", "The CPU touches a huge page that is mapped in parts.", parts_touch },
	{ "parts-copy-fails", "The same, and the copy fails.", parts_copy_fails },
	{ "parts-fork", "Children and an eviction meet at such a page.", parts_fork },
};

int igt_main()
{
	igt_fixture()
		svm_vram_on("vram_mb=16");

	svm_cases(cases);

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		igt_describe(settings[i].describe);
		igt_subtest(settings[i].name) {
			int fd = svm_open_attached();

			use(&settings[i]);
			run(fd, &settings[i]);
			leave(fd);
		}
	}
	igt_fixture()
		svm_vram_off();
}
