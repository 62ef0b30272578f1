// SPDX-License-Identifier: MIT
/*
 * Each kind of memory that a program can have: the GPU reads what the CPU wrote
 * there, and the CPU reads what the GPU wrote there.
 *
 * The -write subtests let the GPU be the first to touch the memory wherever the
 * kind allows it: then the pages are allocated by the fault of the GPU.
 */

#include <string.h>
#include <unistd.h>

#include "igt.h"
#include "svm_kind.h"
#include "svm_mem.h"

IGT_TEST_DESCRIPTION("GPU access to memory of each kind.");

#define CANARY		0xa5
#define CANARY_SIZE	64

/* Every page that @mem touches must be mapped, in RAM, with @prot. */
static void check_state(int fd, const struct svm_mem *mem, uint32_t prot)
{
	size_t page = svm_page_size();
	uintptr_t first = (uintptr_t)mem->addr & ~(page - 1);
	uintptr_t end = (uintptr_t)mem->addr + mem->size;
	uintptr_t at;

	for (at = first; at < end; at += page) {
		uint32_t state = svm_query_page(fd, (void *)at);
		uint32_t location = (state & DRM_SVM_PAGE_LOCATION_MASK) >>
			DRM_SVM_PAGE_LOCATION_SHIFT;

		igt_assert_f((state & prot) == prot, "%p: state 0x%x\n", (void *)at, state);
		igt_assert_eq_u32(location, DRM_SVM_LOCATION_SYSTEM);
	}
}

static void check_read(int fd, const struct svm_mem *mem)
{
	char *copy = malloc(mem->size + 2 * CANARY_SIZE);
	size_t i;

	igt_assert(copy);
	memset(copy, CANARY, mem->size + 2 * CANARY_SIZE);
	svm_pattern(mem->addr, mem->size, 0x1000);
	svm_gpu_copy(fd, copy + CANARY_SIZE, mem->addr, mem->size);

	igt_assert(svm_pattern_ok(copy + CANARY_SIZE, mem->size, 0x1000));
	for (i = 0; i < CANARY_SIZE; i++)
		igt_assert(copy[i] == (char)CANARY &&
			   copy[CANARY_SIZE + mem->size + i] == (char)CANARY);
	check_state(fd, mem, SVM_RO);
	free(copy);
}

static void check_write(int fd, const struct svm_mem *mem)
{
	void *source = malloc(mem->size);

	igt_assert(source);
	svm_pattern(source, mem->size, 0x2000);
	svm_gpu_copy(fd, mem->addr, source, mem->size);
	check_state(fd, mem, SVM_RW);
	igt_assert(svm_pattern_ok(mem->addr, mem->size, 0x2000));
	free(source);
}

static void run_kind(const struct svm_kind *kind,
		     void (*check)(int fd, const struct svm_mem *mem))
{
	char local[SVM_LOCAL_SIZE] __attribute__((aligned(16)));
	int fd = svm_open_attached();
	struct svm_mem mem;

	svm_sys_restore();
	mem = svm_kind_make(kind, local);
	check(fd, &mem);
	svm_kind_free(&mem);
	close(fd);
	svm_sys_restore();
}

int igt_main()
{
	const struct svm_kind *kind;

	for (kind = svm_kinds; kind < svm_kinds + svm_num_kinds; kind++) {
		igt_describe("The GPU reads what the CPU wrote, and no other byte.");
		igt_subtest_f("%s-read", kind->name)
			run_kind(kind, check_read);
		igt_describe("The CPU reads what the GPU wrote, and the GPU keeps write access.");
		igt_subtest_f("%s-write", kind->name)
			run_kind(kind, check_write);
	}
}
