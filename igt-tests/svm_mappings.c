// SPDX-License-Identifier: MIT
/*
 * Each kind of memory that a program can have: the GPU reads what the CPU wrote
 * there, and the CPU reads what the GPU wrote there. With VRAM private memory,
 * copies of pages of a file among it, moves there when the GPU uses it and comes
 * back when the CPU does or when it is evicted; all other memory stays in RAM
 * and is mapped there.
 *
 * The -write subtests let the GPU be the first to touch the memory wherever the
 * kind allows it: then the pages are allocated by the fault of the GPU.
 */

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_kind.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("GPU access to memory of each kind.");

#define IN		0x1000u
#define OUT		0x2000u
#define CANARY		0xa5
#define CANARY_SIZE	64

static uintptr_t first_page(const struct svm_mem *mem)
{
	return (uintptr_t)mem->addr & ~(svm_page_size() - 1);
}

/* Bytes of the pages that @mem touches */
static size_t span(const struct svm_mem *mem)
{
	uintptr_t end = (uintptr_t)mem->addr + mem->size;

	return ((end + svm_page_size() - 1) & ~(svm_page_size() - 1)) - first_page(mem);
}

/*
 * Every page that @mem touches must be mapped, in RAM, with @prot. The kernel may have
 * unmapped some again, for instance because khugepaged made a huge page of them; then the
 * counters of the file say so since @before, and false is returned.
 */
static bool check_state(int fd, const struct svm_mem *mem, uint32_t prot,
			const struct client_counts *before)
{
	uintptr_t start = first_page(mem), at;
	struct client_counts after;
	size_t missing = 0;

	for (at = start; at < start + span(mem); at += svm_page_size()) {
		uint32_t state = svm_query_page(fd, (void *)at);
		uint32_t location = (state & DRM_SVM_PAGE_LOCATION_MASK) >>
			DRM_SVM_PAGE_LOCATION_SHIFT;

		if (!state) {
			missing++;
			continue;
		}
		igt_assert_f((state & prot) == prot, "%p: state 0x%x\n", (void *)at, state);
		igt_assert_eq_u32(location, DRM_SVM_LOCATION_SYSTEM);
	}
	svm_counters(fd, &after);
	igt_assert_lte_u64(missing, client_counted(before, &after, PAGES_UNMAPPED));
	return !missing;
}

static bool check_read(int fd, const struct svm_mem *mem)
{
	char *copy = malloc(mem->size + 2 * CANARY_SIZE);
	struct client_counts before;
	bool mapped;
	size_t i;

	igt_assert(copy);
	memset(copy, CANARY, mem->size + 2 * CANARY_SIZE);
	svm_pattern(mem->addr, mem->size, IN);
	svm_counters(fd, &before);
	svm_gpu_copy(fd, copy + CANARY_SIZE, mem->addr, mem->size);

	igt_assert(svm_pattern_ok(copy + CANARY_SIZE, mem->size, IN));
	for (i = 0; i < CANARY_SIZE; i++)
		igt_assert(copy[i] == (char)CANARY &&
			   copy[CANARY_SIZE + mem->size + i] == (char)CANARY);
	mapped = check_state(fd, mem, SVM_RO, &before);
	free(copy);
	return mapped;
}

static bool check_write(int fd, const struct svm_mem *mem)
{
	void *source = malloc(mem->size);
	struct client_counts before;
	bool mapped;

	igt_assert(source);
	svm_pattern(source, mem->size, OUT);
	svm_counters(fd, &before);
	svm_gpu_copy(fd, mem->addr, source, mem->size);
	mapped = check_state(fd, mem, SVM_RW, &before);
	igt_assert(svm_pattern_ok(mem->addr, mem->size, OUT));
	free(source);
	return mapped;
}

/* Pages of [start, end) in the mapping that @line of /proc/self/maps describes */
static size_t anon_pages_of(const char *line, uintptr_t start, uintptr_t end)
{
	uintptr_t from, to;
	char perms[5];

	/* all of it was written to: private pages of a file are copies */
	if (sscanf(line, "%lx-%lx %4s", &from, &to, perms) != 3 ||
	    perms[3] != 'p' || strstr(line, "hugepage"))
		return 0;
	if (from < start)
		from = start;
	if (to > end)
		to = end;
	return from < to ? (to - from) / svm_page_size() : 0;
}

static size_t anon_pages(const struct svm_mem *mem)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	uintptr_t start = first_page(mem);
	size_t pages = 0;
	char line[512];

	igt_assert(maps);
	while (fgets(line, sizeof(line), maps))
		pages += anon_pages_of(line, start, start + span(mem));
	fclose(maps);
	return pages;
}

/* Pages that the GPU has mapped, and which of them are in VRAM */
struct where {
	size_t mapped;
	size_t vram;
};

/* Touches nothing but the stack and memory of its own: @mem may be anywhere else */
static struct where look(int fd, const struct svm_mem *mem)
{
	size_t n = span(mem) / svm_page_size();
	uint32_t *state = svm_mmap_anon(n * sizeof(*state));
	struct where where = {};

	svm_query(fd, (void *)first_page(mem), span(mem), state);
	for (size_t i = 0; i < n; i++) {
		where.mapped += !!(state[i] & DRM_SVM_PAGE_READ);
		where.vram += (state[i] & DRM_SVM_PAGE_LOCATION_MASK) >>
			DRM_SVM_PAGE_LOCATION_SHIFT == DRM_SVM_LOCATION_VRAM;
	}
	munmap(state, n * sizeof(*state));
	return where;
}

/*
 * Whether the GPU has all pages mapped, and those in VRAM that can be there. A
 * page stays where it is while a thread has its lock, since moving is best effort.
 */
static bool is_where_it_should(int fd, const struct svm_mem *mem)
{
	size_t pages = span(mem) / svm_page_size();
	struct where where = look(fd, mem);
	size_t anon = anon_pages(mem);

	if (where.mapped == pages && where.vram == anon)
		return true;
	igt_info("%zu pages: %zu mapped, %zu in VRAM, %zu anonymous\n", pages,
		 where.mapped, where.vram, anon);
	return false;
}

static void check_in_ram(int fd, const struct svm_mem *mem)
{
	igt_assert_eq(look(fd, mem).vram, 0);
	igt_assert_eq(svm_device_pages((void *)first_page(mem), span(mem)), 0);
}

/* The GPU reads what the CPU wrote, and the CPU reads it again. */
static bool check_in(int fd, const struct svm_mem *mem, void *copy)
{
	bool moved;

	svm_pattern(mem->addr, mem->size, IN);
	svm_gpu_copy(fd, copy, mem->addr, mem->size);
	moved = is_where_it_should(fd, mem);
	igt_assert(svm_pattern_ok(copy, mem->size, IN));
	igt_assert(svm_pattern_ok(mem->addr, mem->size, IN));
	check_in_ram(fd, mem);
	return moved;
}

/* The CPU reads what the GPU wrote, after an eviction of all VRAM. */
static bool check_out(int fd, const struct svm_mem *mem, void *copy)
{
	bool moved;

	svm_pattern(copy, mem->size, OUT);
	svm_gpu_copy(fd, mem->addr, copy, mem->size);
	moved = is_where_it_should(fd, mem);
	svm_evict_vram(fd);
	check_in_ram(fd, mem);
	igt_assert(svm_pattern_ok(mem->addr, mem->size, OUT));
	memset(copy, 0, mem->size);
	svm_gpu_copy(fd, copy, mem->addr, mem->size);
	igt_assert(svm_pattern_ok(copy, mem->size, OUT));
	return moved;
}

static bool check_vram(int fd, const struct svm_mem *mem)
{
	void *copy = svm_mmap_small(span(mem));
	bool moved;

	moved = check_in(fd, mem, copy);
	moved = check_out(fd, mem, copy) && moved;
	munmap(copy, span(mem));
	return moved;
}

/* Returns false if a page was not where it should be, or not mapped. */
static bool run_once(const struct svm_kind *kind,
		     bool (*check)(int fd, const struct svm_mem *mem))
{
	char local[SVM_LOCAL_SIZE] __attribute__((aligned(16)));
	int fd = svm_open_attached();
	struct svm_mem mem;
	bool ok;

	svm_sys_restore();
	mem = svm_kind_make(kind, local);
	ok = check(fd, &mem);
	svm_kind_free(&mem);
	close(fd);
	svm_sys_restore();
	return ok;
}

static void run_kind(const struct svm_kind *kind,
		     bool (*check)(int fd, const struct svm_mem *mem))
{
	enum { TRIES = 3 };
	int tries = 0;

	while (!run_once(kind, check))
		igt_assert_lt(++tries, TRIES);
}

int igt_main()
{
	const struct svm_kind *kind;

	igt_fixture()
		svm_vram_on("vram_mb=64");

	/* first, while the heap and the data are as the program found them */
	for (kind = svm_kinds; kind < svm_kinds + svm_num_kinds; kind++) {
		igt_describe("It moves, or stays, and each side reads what the other wrote.");
		igt_subtest_f("%s-vram", kind->name)
			run_kind(kind, check_vram);
	}

	igt_fixture()
		svm_vram_off();

	for (kind = svm_kinds; kind < svm_kinds + svm_num_kinds; kind++) {
		igt_describe("The GPU reads what the CPU wrote, and no other byte.");
		igt_subtest_f("%s-read", kind->name)
			run_kind(kind, check_read);
		igt_describe("The CPU reads what the GPU wrote, and the GPU keeps write access.");
		igt_subtest_f("%s-write", kind->name)
			run_kind(kind, check_write);
	}
}
