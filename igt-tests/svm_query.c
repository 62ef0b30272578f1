// SPDX-License-Identifier: MIT
/*
 * TEST: svm query
 * Category: Core
 * Description: What there is at each address, and the same as runs of pages.
 */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "igt.h"
#include "igt_thread.h"
#include "svm_bo.h"
#include "svm_hw.h"
#include "svm_job.h"
#include "svm_mem.h"
#include "svm_prefetch.h"
#include "svm_random.h"

IGT_TEST_DESCRIPTION("What there is at each address, and the same as runs of pages.");

#define MAGIC	0xc1c10000u
#define VRAM	DRM_SVM_LOCATION_VRAM
#define SYSTEM	DRM_SVM_LOCATION_SYSTEM
#define TIB	(1ull << 40)
#define GIB	(1ull << 30)

#define KIND(name)	DRM_SVM_PAGE_KIND_##name

static unsigned int word_location(uint64_t word)
{
	return (word & DRM_SVM_PAGE_LOCATION_MASK) >> DRM_SVM_PAGE_LOCATION_SHIFT;
}

static unsigned int word_device(uint64_t word)
{
	return (word & DRM_SVM_PAGE_DEVICE_MASK) >> DRM_SVM_PAGE_DEVICE_SHIFT;
}

static bool may_write(int fd, const void *addr)
{
	return svm_detail(fd, addr) & DRM_SVM_PAGE_MAY_WRITE;
}

/* Kinds */

static void kind_unmapped(int fd)
{
	size_t page = svm_page_size();
	char *base = svm_mmap_small(4 * page);

	memset(base, 1, 4 * page);
	igt_assert(!munmap(base + page, page));
	igt_assert_eq(svm_page_kind(fd, base), KIND(PRESENT));
	igt_assert_eq_u64(svm_detail(fd, base + page),
			  (uint64_t)KIND(UNMAPPED) << DRM_SVM_PAGE_KIND_SHIFT);
	igt_assert_eq(svm_count_kind(fd, base + 2 * page, 2 * page, KIND(PRESENT)), 2);
	svm_mmap_fixed(base + page, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	igt_assert_eq(svm_page_kind(fd, base + page), KIND(EMPTY));
	munmap(base, 4 * page);
}

static void kind_empty(int fd)
{
	size_t page = svm_page_size(), size = 4 * page;
	char *base = svm_mmap_small(size);

	igt_assert_eq(svm_count_kind(fd, base, size, KIND(EMPTY)), 4);
	igt_assert(may_write(fd, base));
	igt_assert_eq_u64(svm_pagemap(base) & SVM_PM_PRESENT, 0);
	/* the zero page, and a page */
	igt_assert_eq(READ_ONCE(base[0]), 0);
	base[page] = 1;
	igt_assert_eq(svm_count_kind(fd, base, 2 * page, KIND(PRESENT)), 2);
	igt_assert_eq(word_location(svm_detail(fd, base + page)), SYSTEM);
	igt_assert_eq(svm_count_kind(fd, base + 2 * page, 2 * page, KIND(EMPTY)), 2);
	igt_assert(!madvise(base, size, MADV_DONTNEED));
	igt_assert_eq(svm_count_kind(fd, base, size, KIND(EMPTY)), 4);
	munmap(base, size);
}

static void kind_no_access(int fd)
{
	size_t page = svm_page_size();
	char *base = svm_mmap_small(2 * page);

	memset(base, 1, 2 * page);
	svm_gpu_write32(fd, base, MAGIC);
	igt_assert(!mprotect(base, page, PROT_NONE));
	igt_assert_eq_u64(svm_detail(fd, base),
			  (uint64_t)KIND(NO_ACCESS) << DRM_SVM_PAGE_KIND_SHIFT);
	igt_assert_eq(svm_page_kind(fd, base + page), KIND(PRESENT));
	/* the GPU cannot write what it may not read */
	igt_assert(!mprotect(base, page, PROT_WRITE));
	igt_assert_eq(svm_page_kind(fd, base), KIND(NO_ACCESS));
	igt_assert(!may_write(fd, base));
	igt_assert(!mprotect(base, page, PROT_READ | PROT_WRITE));
	igt_assert_eq(svm_page_kind(fd, base), KIND(PRESENT));
	igt_assert_eq_u32(*(uint32_t *)base, MAGIC);
	munmap(base, 2 * page);
}

static void kind_read_only(int fd)
{
	size_t page = svm_page_size();
	char *base = svm_mmap_small(2 * page);

	base[0] = 1;
	igt_assert(may_write(fd, base) && may_write(fd, base + page));
	igt_assert(!mprotect(base, 2 * page, PROT_READ));
	igt_assert_eq(svm_page_kind(fd, base), KIND(PRESENT));
	igt_assert_eq(svm_page_kind(fd, base + page), KIND(EMPTY));
	igt_assert(!may_write(fd, base) && !may_write(fd, base + page));
	igt_assert(!mprotect(base, 2 * page, PROT_READ | PROT_WRITE));
	igt_assert(may_write(fd, base) && may_write(fd, base + page));
	munmap(base, 2 * page);
}

/* A page that is shared after fork() is not writable yet, but may be written. */
static void kind_forked(int fd)
{
	size_t page = svm_page_size();
	char *base = svm_mmap_small(page);
	int leave = svm_gate();
	uint64_t word;

	svm_gpu_write32(fd, base, MAGIC);
	igt_fork(child, 1)
		svm_gate_wait(leave);
	igt_assert_eq_u32(svm_gpu_read32(fd, base), MAGIC);
	word = svm_detail(fd, base);
	igt_assert_eq_u64(word & SVM_PROT, SVM_RO);
	igt_assert(word & DRM_SVM_PAGE_MAY_WRITE);
	svm_gpu_write32(fd, base, MAGIC + 1);
	igt_assert_eq_u64(svm_detail(fd, base) & SVM_PROT, SVM_RW);
	svm_gate_open(leave);
	igt_waitchildren();
	munmap(base, page);
}

static void kind_swap(int fd)
{
	size_t page = svm_page_size(), size = 16 * page;
	char *base = svm_mmap_small(size + page);

	svm_need_swap();
	svm_pattern(base, size, MAGIC);
	svm_swap_out(base, size);
	igt_assert_eq(svm_count_kind(fd, base, size, KIND(SWAP)), 16);
	igt_assert_eq(svm_page_kind(fd, base + size), KIND(EMPTY));
	igt_assert(may_write(fd, base));
	igt_assert_eq(svm_resident(fd, base, size, DRM_SVM_LOCATION_NONE), 16);
	igt_assert(svm_swapped(base, size));
	igt_assert(svm_pattern_ok(base, size, MAGIC));
	igt_assert_eq(svm_count_kind(fd, base, size, KIND(PRESENT)), 16);
	munmap(base, size + page);
}

static void kind_file(int fd)
{
	size_t page = svm_page_size(), size = 2 * page;
	int file = svm_memfd(size);
	char *shared = svm_mmap_fd(file, size, MAP_SHARED);
	char *private = svm_mmap_fd(file, size, MAP_PRIVATE);
	char *read_only = mmap(NULL, size, PROT_READ, MAP_SHARED, file, 0);

	igt_assert(read_only != MAP_FAILED);
	igt_assert_eq(svm_count_kind(fd, shared, size, KIND(EMPTY)), 2);
	shared[0] = 1;
	igt_assert_eq(svm_page_kind(fd, shared), KIND(PRESENT));
	igt_assert_eq(svm_page_kind(fd, shared + page), KIND(EMPTY));
	igt_assert_eq(svm_page_kind(fd, private), KIND(EMPTY));
	igt_assert(may_write(fd, shared) && may_write(fd, private));
	igt_assert(!may_write(fd, read_only));
	igt_assert_eq(svm_gpu_read32(fd, read_only), 1);
	igt_assert_eq_u64(svm_detail(fd, read_only) & SVM_PROT, SVM_RO);
	munmap(shared, size);
	munmap(private, size);
	munmap(read_only, size);
	close(file);
}

static void kind_unsupported(int fd)
{
	uintptr_t start, end;

	igt_require(svm_vma_named("[vvar]", &start, &end));
	igt_assert_eq(svm_count_kind(fd, (void *)start, end - start, KIND(UNSUPPORTED)),
		      (end - start) / svm_page_size());
	igt_assert(!may_write(fd, (void *)start));
}

static void kind_guard(int fd)
{
	size_t page = svm_page_size();
	char *base = svm_mmap_small(3 * page);

	memset(base, 1, 3 * page);
	igt_require(!madvise(base + page, page, MADV_GUARD_INSTALL));
	igt_assert_eq(svm_page_kind(fd, base), KIND(PRESENT));
	igt_assert_eq(svm_page_kind(fd, base + page), KIND(BAD));
	igt_assert_eq(__svm_gpu_touch(fd, base + page, 4, 4, false), -EFAULT);
	igt_assert(!madvise(base + page, page, MADV_GUARD_REMOVE));
	igt_assert_eq(svm_page_kind(fd, base + page), KIND(EMPTY));
	munmap(base, 3 * page);
}

static void kind_huge(int fd)
{
	size_t size = svm_range_size(), pages = size / svm_page_size();
	char *base = svm_mmap_thp(size);

	igt_assert_eq(svm_count_kind(fd, base, size, KIND(PRESENT)), pages);
	svm_prefetch(fd, base, size, VRAM);
	igt_assert_eq(svm_count_kind(fd, base, size, KIND(PRESENT)), pages);
	igt_assert_eq(word_location(svm_detail(fd, base + size / 2)), VRAM);
	igt_assert(!madvise(base, size, MADV_DONTNEED));
	igt_assert_eq(svm_count_kind(fd, base, size, KIND(EMPTY)), pages);
	munmap(base, size);
}

/* The lower half is what the residence says, in the same order. */
static void details_lower_half(int fd)
{
	size_t page = svm_page_size(), n = 24, size = n * page;
	char *base = svm_mmap_small(size);
	uint64_t details[24];
	uint32_t words[24];

	memset(base, 1, 12 * page);
	svm_prefetch(fd, base, 4 * page, VRAM);
	svm_gpu_touch(fd, base + 2 * page, 4 * page, page, true);
	svm_gpu_touch(fd, base + 8 * page, 2 * page, page, false);
	igt_assert(!munmap(base + 20 * page, page));
	svm_residence(fd, base, size, words);
	svm_details(fd, base, size, details);
	for (size_t i = 0; i < n; i++)
		igt_assert_eq_u32((uint32_t)details[i], words[i]);
	munmap(base, size);
}

static void details_passive(int fd)
{
	size_t page = svm_page_size(), size = 8 * page;
	char *base = svm_mmap_small(size);
	struct drm_svm_query_run runs[16];
	struct client_counts before, after;
	uint64_t words[8], next;
	uint32_t count = 16;

	base[page] = 1;
	svm_counters(fd, &before);
	svm_details(fd, base, size, words);
	igt_assert_eq(client_query_runs(fd, client_ptr(base), size, DRM_SVM_QUERY_DETAILS, runs,
					&count, &next), 0);
	svm_counters(fd, &after);
	igt_assert(!memcmp(&before, &after, sizeof(before)));
	igt_assert_eq_u64(svm_pagemap(base) & SVM_PM_PRESENT, 0);
	igt_assert_eq_u64(svm_pagemap(base + page) & SVM_PM_PRESENT, SVM_PM_PRESENT);
	munmap(base, size);
}

/* The largest array of words of 64 bits, across holes */
static void details_limits(int fd)
{
	size_t page = svm_page_size(), most = DRM_SVM_QUERY_MAX_PAGES;
	uint64_t *words = svm_mmap_anon((most + 1) * sizeof(*words));
	char *base = svm_mmap_small(2 * page);
	uint64_t start = client_ptr(base) - (most - 1) * page;

	base[0] = 1;
	words[most] = MAGIC;
	igt_assert_eq(client_query_details(fd, start, (most + 1) * page, words), -EINVAL);
	igt_assert_eq(client_query_details(fd, start, most * page, words), 0);
	igt_assert_eq_u64(words[most], MAGIC);
	igt_assert_eq_u64(words[most - 1], svm_detail(fd, base));
	for (size_t i = 0; i < most; i++)
		igt_assert(words[i] & DRM_SVM_PAGE_KIND_MASK);
	munmap(base, 2 * page);
	munmap(words, (most + 1) * sizeof(*words));
}

/* Runs */

static const uint32_t forms[] = {
	0, DRM_SVM_QUERY_RESIDENCE, DRM_SVM_QUERY_DETAILS,
	DRM_SVM_QUERY_RESIDENCE | DRM_SVM_QUERY_DETAILS,
};

/* What the other form says of each page */
static void page_form(int fd, const char *base, size_t n, uint32_t flags, uint64_t *words)
{
	size_t size = n * svm_page_size();
	uint32_t *states;

	if (flags & DRM_SVM_QUERY_DETAILS) {
		svm_details(fd, base, size, words);
		return;
	}
	states = calloc(n, sizeof(*states));
	igt_assert(states);
	igt_assert_eq(client_query(fd, client_ptr(base), size, flags, states), 0);
	for (size_t i = 0; i < n; i++)
		words[i] = states[i];
	free(states);
}

/*
 * Checks that runs are in order and differ, and calls @fn, unless NULL, for each. Returns the
 * number of calls of the ioctl.
 */
static unsigned int each_run(int fd, uint64_t start, uint64_t size, uint32_t flags,
			     uint32_t entries,
			     void (*fn)(const struct drm_svm_query_run *run, void *data),
			     void *data)
{
	struct drm_svm_query_run *runs = calloc(entries + 1, sizeof(*runs));
	uint64_t at = start, next;
	unsigned int calls = 0;
	uint32_t count;

	igt_assert(runs);
	for (; at < start + size; at = next, calls++) {
		count = entries;
		runs[entries].size = MAGIC;
		igt_assert_eq(client_query_runs(fd, at, start + size - at, flags, runs, &count,
						&next), 0);
		igt_assert_eq_u64(runs[entries].size, MAGIC);
		igt_assert_lte_u32(1, count);
		igt_assert_lte_u32(count, entries);
		for (uint32_t i = 0; i < count; i++) {
			igt_assert_eq_u64(runs[i].start, at);
			igt_assert(runs[i].size && !(runs[i].size % svm_page_size()));
			igt_assert(!i || runs[i].state != runs[i - 1].state);
			at += runs[i].size;
			if (fn)
				fn(&runs[i], data);
		}
		igt_assert_eq_u64(at, next);
		igt_assert_lte_u64(next, start + size);
	}
	free(runs);
	return calls;
}

struct expected {
	uint64_t start;
	const uint64_t *words;
	uint32_t flags;
};

static void compare_run(const struct drm_svm_query_run *run, void *data)
{
	size_t page = svm_page_size(), first, i;
	struct expected *e = data;

	first = (run->start - e->start) / page;
	for (i = 0; i < run->size / page; i++)
		igt_assert_f(run->state == e->words[first + i],
			     "flags %#x, page %zu: %#" PRIx64 " as a run, %#" PRIx64 " alone\n",
			     e->flags, first + i, (uint64_t)run->state, e->words[first + i]);
}

static void assert_forms_agree(int fd, const char *base, size_t size)
{
	static const uint32_t entries[] = { 5, 8192 };
	size_t n = size / svm_page_size();
	uint64_t *words = calloc(n, sizeof(*words));

	igt_assert(words);
	for (size_t f = 0; f < ARRAY_SIZE(forms); f++) {
		struct expected e = { client_ptr(base), words, forms[f] };

		page_form(fd, base, n, forms[f], words);
		for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
			each_run(fd, e.start, size, forms[f], entries[i], compare_run, &e);
	}
	free(words);
}

/* One change of a part of the memory. What is not possible there is left out. */
static void change(int fd, struct svm_rng *rng, char *base, size_t size)
{
	static const int prots[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE };
	size_t page = svm_page_size(), first = svm_rng_below(rng, size / page);
	size_t left = size / page - first, n = 1 + svm_rng_below(rng, left < 96 ? left : 96);
	char *addr = svm_page(base, first);
	struct drm_svm_prefetch args = svm_prefetch_args(addr, n * page, VRAM);
	int file;

	switch (svm_rng_below(rng, 9)) {
	case 0:
		munmap(addr, n * page);
		break;
	case 1:
		svm_mmap_fixed(addr, n * page, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1);
		madvise(addr, n * page, MADV_NOHUGEPAGE);
		break;
	case 2:
		file = svm_memfd(n * page);
		svm_mmap_fixed(addr, n * page, PROT_READ | PROT_WRITE, MAP_SHARED, file);
		close(file);
		break;
	case 3:
		mprotect(addr, n * page, svm_rng_of(rng, prots));
		break;
	case 4:
		madvise(addr, n * page, MADV_DONTNEED);
		break;
	case 5:
		madvise(addr, n * page, MADV_POPULATE_WRITE);
		break;
	case 6:
		madvise(addr, n * page, MADV_POPULATE_READ);
		break;
	case 7:
		__svm_gpu_touch(fd, addr, n * page, page, svm_rng_one_in(rng, 2));
		break;
	default:
		__svm_prefetch(fd, &args);
	}
}

static void runs_equal_pages(int fd)
{
	size_t size = 3 * svm_range_size();
	char *base = svm_mmap_small(size);

	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct svm_rng rng = svm_rng(MAGIC, seed);

		for (int i = 0; i < 60; i++) {
			change(fd, &rng, base, size);
			if (i % 20 == 19)
				assert_forms_agree(fd, base, size);
		}
	}
	munmap(base, size);
}

static void count_runs(const struct drm_svm_query_run *run, void *data)
{
	++*(unsigned int *)data;
}

static char *reserve(size_t size, int prot)
{
	char *base = mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	igt_require_f(base != MAP_FAILED, "mmap: %s\n", strerror(errno));
	return base;
}

/* Nothing may be read there: one run, and one call */
static void runs_reserved(int fd)
{
	char *base = reserve(TIB, PROT_NONE);

	for (size_t f = 0; f < ARRAY_SIZE(forms); f++) {
		unsigned int runs = 0;

		igt_assert_eq(each_run(fd, client_ptr(base), TIB, forms[f], 64, count_runs, &runs),
			      1);
		igt_assert_eq(runs, 1);
	}
	munmap(base, TIB);
}

/* A few pages, far from each other */
static void runs_sparse(int fd)
{
	enum { PAGES = 5 };
	char *base = reserve(TIB, PROT_READ | PROT_WRITE);

	igt_assert(!madvise(base, TIB, MADV_NOHUGEPAGE));
	for (uint64_t i = 0; i < PAGES; i++)
		base[(2 * i + 1) * 100 * GIB + i * 7 * svm_page_size()] = 1;
	for (size_t f = 0; f < ARRAY_SIZE(forms); f++) {
		unsigned int runs = 0;

		igt_assert_eq(each_run(fd, client_ptr(base), TIB, forms[f], 64, count_runs, &runs),
			      1);
		igt_assert_eq(runs, forms[f] ? 2 * PAGES + 1 : 1);
	}
	for (uint64_t i = 0; i < PAGES; i++)
		svm_gpu_write32(fd, base + (2 * i + 1) * 100 * GIB, MAGIC);
	for (size_t f = 0; f < ARRAY_SIZE(forms); f++) {
		unsigned int runs = 0;

		igt_assert_eq(each_run(fd, client_ptr(base), TIB, forms[f], 64, count_runs, &runs),
			      1);
		igt_assert_lte(2 * PAGES + 1, runs);
	}
	munmap(base, TIB);
}

/* A call looks at a bounded number of pages: here they are all the huge zero page. */
static void runs_bounded(int fd)
{
	size_t size = DRM_SVM_QUERY_MAX_PAGES * svm_page_size() + 4 * svm_range_size();
	char *map = reserve(size + svm_range_size(), PROT_READ | PROT_WRITE);
	char *base = (char *)((client_ptr(map) | (svm_range_size() - 1)) + 1);
	struct drm_svm_query_run run;
	uint32_t count = 1;
	uint64_t next;

	igt_require(!madvise(base, size, MADV_HUGEPAGE));
	igt_assert(!madvise(base, size, MADV_POPULATE_READ));
	igt_require_f(svm_folio(fd, base) == svm_range_size(), "no huge zero page\n");
	igt_assert_eq(client_query_runs(fd, client_ptr(base), size, DRM_SVM_QUERY_RESIDENCE, &run,
					&count, &next), 0);
	igt_assert_eq_u64(next, client_ptr(base) + DRM_SVM_QUERY_MAX_PAGES * svm_page_size());
	igt_assert_eq_u64(run.size, next - run.start);
	igt_assert_eq(word_location(run.state), SYSTEM);
	munmap(map, size + svm_range_size());
}

static void add_sizes(const struct drm_svm_query_run *run, void *data)
{
	*(uint64_t *)data += run->size;
}

/* All that can be shared, with all mappings of this program */
static void runs_everything(int unused)
{
	struct drm_svm_attach attach = {};
	int fd = svm_open();

	igt_assert_eq(client_attach(fd, &attach), 0);
	for (size_t f = 0; f < ARRAY_SIZE(forms); f++) {
		uint64_t size = attach.out_va_end - attach.out_va_start, sum = 0;

		igt_assert_lte(each_run(fd, attach.out_va_start, size, forms[f], 65536, add_sizes,
					&sum), 16);
		igt_assert_eq_u64(sum, size);
	}
	close(fd);
}

/* An array that is too small is filled, and the rest comes with further calls. */
static void runs_continue(int fd)
{
	size_t page = svm_page_size(), n = 40;
	char *base = svm_mmap_small(n * page);

	for (size_t i = 0; i < n; i += 2)
		base[i * page] = 1;
	for (uint32_t entries = 1; entries <= n + 1; entries++) {
		unsigned int runs = 0;

		igt_assert_eq(each_run(fd, client_ptr(base), n * page, DRM_SVM_QUERY_DETAILS,
				       entries, count_runs, &runs),
			      (n + entries - 1) / entries);
		igt_assert_eq(runs, n);
	}
	munmap(base, n * page);
}

static int runs_ioctl(int fd, uint64_t start, uint64_t size, void *runs, uint32_t count)
{
	struct drm_svm_query args = {
		.start = start, .size = size, .pages = client_ptr(runs), .count = count,
		.flags = DRM_SVM_QUERY_RUNS | DRM_SVM_QUERY_DETAILS,
	};

	return ioctl(fd, DRM_IOCTL_SVM_TEST_QUERY, &args) ? -errno : 0;
}

static void runs_invalid(int unused)
{
	size_t page = svm_page_size();
	struct drm_svm_query_run runs[2] = { { .size = 1 }, { .size = 1 } };
	struct drm_svm_query args = { .size = page, .pages = client_ptr(runs), .count = 1 };
	struct drm_svm_attach attach = {};
	int fd = svm_open();
	uint64_t end;

	igt_assert_eq(runs_ioctl(fd, page, page, runs, 2), -ENXIO);
	igt_assert_eq(client_attach(fd, &attach), 0);
	end = attach.out_va_end;
	const struct {
		uint64_t start, size;
		uint32_t count;
	} bad[] = {
		{ page, page, 0 },
		{ page, 0, 2 },
		{ page, page + 1, 2 },
		{ page + 1, page, 2 },
		{ page, -page, 2 },
		{ page, end, 2 },
		{ end, page, 2 },
		{ -page, page, 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		igt_assert_f(runs_ioctl(fd, bad[i].start, bad[i].size, runs, bad[i].count) ==
			     -EINVAL, "case %zu\n", i);
	/* a count belongs to runs alone */
	for (size_t f = 0; f < ARRAY_SIZE(forms); f++) {
		args.flags = forms[f];
		igt_assert_eq(ioctl(fd, DRM_IOCTL_SVM_TEST_QUERY, &args), -1);
		igt_assert_eq(errno, EINVAL);
	}
	igt_assert_eq_u64(runs[0].size, 1);
	igt_assert_eq_u64(runs[1].size, 1);
	igt_fork(child, 1)
		igt_assert_eq(runs_ioctl(fd, page, page, runs, 2), -EPERM);
	igt_waitchildren();
	close(fd);
}

/* Nothing is written past the array, and what cannot be written is EFAULT. */
static void runs_pointer(int fd)
{
	size_t page = svm_page_size();
	char *base = svm_mmap_small(2 * page), *edge = svm_mmap_small(2 * page) + page;
	struct drm_svm_query_run *last = (struct drm_svm_query_run *)edge - 1;
	uint64_t start = client_ptr(base);

	base[0] = 1;
	igt_assert(!munmap(edge, page));
	igt_assert_eq(runs_ioctl(fd, start, 2 * page, NULL, 2), -EFAULT);
	igt_assert_eq(runs_ioctl(fd, start, 2 * page, last, 2), -EFAULT);
	igt_assert_eq(runs_ioctl(fd, start, 2 * page, (char *)last + 8, 1), -EFAULT);
	igt_assert_eq(runs_ioctl(fd, start, 2 * page, last, 1), 0);
	igt_assert_eq_u64(last->start, start);
	igt_assert_eq_u64(last->size, page);
	/* the array is a part of what is looked at */
	igt_assert_eq(runs_ioctl(fd, client_ptr(edge) - page, page, last, 1), 0);
	munmap(base, 2 * page);
	munmap(edge - page, page);
}

static const struct svm_case cases[] = {
	{ "unmapped", "Where nothing is mapped, the query says so.", kind_unmapped },
	{ "empty", "Untouched memory is told from none.", kind_empty },
	{ "no-access", "A mapping that the GPU may not access is told from both.",
	  kind_no_access },
	{ "read-only", "Whether the GPU may write is known before it does.", kind_read_only },
	{ "forked", "The GPU may write a page that has to be copied first.", kind_forked },
	{ "swap", "A page in swap is told from nothing, and stays there.", kind_swap },
	{ "file", "Pages of files, shared, private, and not for writing.", kind_file },
	{ "unsupported", "Memory that is not shared with GPUs.", kind_unsupported },
	{ "guard", "Guard regions are bad addresses.", kind_guard },
	{ "huge", "Huge pages, in system memory and in VRAM.", kind_huge },
	{ "lower-half", "Details begin with what the residence is.", details_lower_half },
	{ "passive", "Details and runs fault nothing in and change no counter.",
	  details_passive },
	{ "limits", "The largest array of details.", details_limits },
	{ "runs-equal-pages", "Runs say of each page what words do, in any layout.",
	  runs_equal_pages },
	{ "runs-reserved", "A TiB without access takes one call.", runs_reserved },
	{ "runs-sparse", "So does a TiB with a few pages.", runs_sparse },
	{ "runs-everything", "All addresses of a program.", runs_everything },
	{ "runs-bounded", "A call does a part of a large work and says how far it came.",
	  runs_bounded },
	{ "runs-continue", "An array of any length is enough.", runs_continue },
	{ "runs-invalid", "Wrong arguments are refused and write nothing.", runs_invalid },
	{ "runs-pointer", "Arrays that cannot be written.", runs_pointer },
};

/* A page that broke, and those beside it */
static void kind_poisoned(void)
{
	size_t page = svm_page_size(), size = 16 * page;
	char *base;
	int fd;

	svm_module_load("vram_mb=16");
	fd = svm_open_attached();
	base = svm_mmap_small(size);
	svm_pattern(base, size, MAGIC);
	svm_prefetch(fd, base, size, VRAM);
	svm_gpu_touch(fd, base, size, page, false);
	igt_assert_eq(svm_count_kind(fd, base, size, KIND(PRESENT)), 16);
	svm_hw_write(fd, "inject/bad_page", svm_hw_offset(fd, base + 5 * page));
	igt_assert_eq(svm_page_kind(fd, base + 5 * page), KIND(BAD));
	igt_assert_eq(svm_count_kind(fd, base, size, KIND(PRESENT)), 15);
	igt_assert_eq(svm_resident(fd, base, size, SYSTEM), 15);
	munmap(base, size);
	close(fd);
}

struct mover {
	int fd;
	char *base;
	size_t size;
};

static void *move(void *data)
{
	struct mover *mover = data;

	svm_prefetch(mover->fd, mover->base, mover->size, VRAM);
	return NULL;
}

/* While a slow copy is under way, its pages are neither here nor there. */
static void kind_moving(void)
{
	struct mover mover = { .size = svm_range_size() };
	pthread_t thread;

	svm_module_load("vram_mb=16 copy_latency_us=500000");
	mover.fd = svm_open_attached();
	mover.base = svm_mmap_small(mover.size);
	svm_pattern(mover.base, mover.size, MAGIC);
	igt_assert(!pthread_create(&thread, NULL, move, &mover));
	igt_assert(svm_until(svm_count_kind(mover.fd, mover.base, mover.size, KIND(MOVING)),
			     30000));
	pthread_join(thread, NULL);
	igt_thread_assert_no_failures();
	igt_assert_eq(svm_count_kind(mover.fd, mover.base, mover.size, KIND(MOVING)), 0);
	igt_assert_eq(svm_resident(mover.fd, mover.base, mover.size, VRAM),
		      mover.size / svm_page_size());
	munmap(mover.base, mover.size);
	close(mover.fd);
}

static unsigned int device_of(int fd)
{
	struct stat st;

	igt_assert_eq(fstat(fd, &st), 0);
	return minor(st.st_rdev);
}

/* Each GPU names the one that has the page by its node. */
static void device_names(void)
{
	size_t page = svm_page_size(), size = 16 * page;
	char *base;
	int a, b;

	svm_module_load("num_devices=2 vram_mb=16");
	a = svm_open_index_attached(0);
	b = svm_open_index_attached(1);
	igt_assert_neq(device_of(a), device_of(b));
	base = svm_mmap_small(2 * size);
	svm_pattern(base, size, MAGIC);
	igt_assert_eq(word_device(svm_detail(a, base)), 0);
	for (int i = 0; i < 2; i++) {
		int to = i ? b : a, other = i ? a : b;

		svm_prefetch(to, base, size, VRAM);
		igt_assert_eq(word_location(svm_detail(to, base)), VRAM);
		igt_assert_eq(word_location(svm_detail(other, base)), DRM_SVM_LOCATION_PEER);
		igt_assert_eq(word_device(svm_detail(to, base)), device_of(to));
		igt_assert_eq(word_device(svm_detail(other, base)), device_of(to));
	}
	/* two halves in two devices are two runs */
	svm_prefetch(a, base + size / 2, size / 2, VRAM);
	for (int i = 0; i < 2; i++) {
		unsigned int runs = 0;

		each_run(i ? b : a, client_ptr(base), size, DRM_SVM_QUERY_DETAILS, 64, count_runs,
			 &runs);
		igt_assert_eq(runs, 2);
	}
	munmap(base, 2 * size);
	close(a);
	close(b);
}

struct watcher {
	int fd;
	char *base;
	size_t size;
	bool stop;
};

static void *watch(void *data)
{
	struct watcher *w = data;

	while (!READ_ONCE(w->stop))
		each_run(w->fd, client_ptr(w->base), w->size, DRM_SVM_QUERY_DETAILS, 64, NULL,
			 NULL);
	return NULL;
}

/* The GPU that has the pages goes while another one is asked about them. */
static void peer_leaves(enum svm_hw_unplug how)
{
	struct watcher w = { .size = 2 * svm_range_size() };
	pthread_t thread;
	int a;

	svm_module_load("num_devices=2 vram_mb=16");
	a = svm_open_index_attached(0);
	w.fd = svm_open_index_attached(1);
	w.base = svm_mmap_small(w.size);
	svm_pattern(w.base, w.size, MAGIC);
	svm_prefetch(a, w.base, w.size, VRAM);
	igt_assert(!pthread_create(&thread, NULL, watch, &w));
	usleep(20000);
	svm_hw_unplug(a, how);
	WRITE_ONCE(w.stop, true);
	pthread_join(thread, NULL);
	igt_thread_assert_no_failures();
	if (how == SVM_HW_ORDERLY) {
		igt_assert_eq(svm_resident(w.fd, w.base, w.size, SYSTEM),
			      w.size / svm_page_size());
		igt_assert(svm_pattern_ok(w.base, w.size, MAGIC));
	} else {
		igt_assert_lt(0, svm_count_kind(w.fd, w.base, w.size, KIND(BAD)));
	}
	munmap(w.base, w.size);
	close(a);
	close(w.fd);
	svm_module_unload();
}

static void peer_unplugged(void)
{
	peer_leaves(SVM_HW_ORDERLY);
}

static void peer_gone(void)
{
	peer_leaves(SVM_HW_SURPRISE);
}

static const struct svm_test tests[] = {
	{ "poisoned", "A page of VRAM that broke is a bad address.", kind_poisoned },
	{ "moving", "Pages that a copy is under way for.", kind_moving },
	{ "device", "The query names the GPU that has a page.", device_names },
	{ "peer-unplugged", "The GPU that has the pages is unplugged meanwhile.",
	  peer_unplugged },
	{ "peer-gone", "The GPU that has the pages is gone, and they with it.", peer_gone },
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
