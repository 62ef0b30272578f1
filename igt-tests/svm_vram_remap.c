// SPDX-License-Identifier: MIT
/*
 * The CPU changes mappings whose pages are in VRAM: it moves, unmaps, protects and
 * splits them, whole or in parts that no huge page survives.
 */

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("Mappings of pages in VRAM change.");

#define OLD	0x13130000u
#define NEW	0x31310000u

static size_t pages_of(const struct svm_area *area)
{
	return area->size / svm_page_size();
}

/* Where the word of svm_pattern() is that a part of the area begins with */
static uint32_t seed_at(uint32_t seed, size_t offset)
{
	return seed + offset / sizeof(uint32_t) * 2654435761u;
}

/* [at, at + size) of the area has its part of the pattern: GPU, eviction, CPU */
static void check_part(int fd, const char *base, size_t at, size_t size)
{
	const struct svm_area part = { .base = (char *)base + at, .size = size };

	svm_area_check(fd, &part, seed_at(OLD, at));
}

static void move(char *from, size_t size, char *to)
{
	igt_assert(mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
}

static void remap_moved(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	char *from = area.base, *to = svm_mmap_small(area.size);

	move(from, area.size, to);
	igt_assert_eq(svm_device_pages(to, area.size), pages_of(&area));
	igt_assert_eq(__svm_gpu_touch(fd, from, 4, 4, false), -ENOENT);
	area.base = to;
	svm_area_check(fd, &area, OLD);
}

/* To where no huge page can be, and no block of the GPU's */
static void moved_unaligned(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	char *to = svm_mmap_small(area.size + svm_range_size());

	to += svm_range_size() - svm_page_size();
	move(area.base, area.size, to);
	igt_assert_eq(svm_device_pages(to, area.size), pages_of(&area));
	area.base = to;
	svm_area_check(fd, &area, OLD);
}

static void moved_part(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	size_t page = svm_page_size(), at = 5 * page, size = 9 * page;
	char *to = svm_mmap_small(svm_range_size());

	move(area.base + at, size, to);
	igt_assert_eq(svm_device_pages(to, size), 9);
	igt_assert_eq(__svm_gpu_touch(fd, area.base + at, 4, 4, false), -ENOENT);
	check_part(fd, area.base, 0, at);
	check_part(fd, area.base, at + size, area.size - at - size);
	check_part(fd, to - at, at, size);
}

/* A part that goes home before the rest of it does */
static void moved_part_home(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	size_t half = area.size / 2;
	char *to = svm_mmap_small(half);

	move(area.base + half, half, to);
	igt_assert(svm_pattern_ok(to, half, seed_at(OLD, half)));
	igt_assert_eq(svm_device_pages(to, half), 0);
	check_part(fd, area.base, 0, half);
	check_part(fd, to - half, half, half);
}

static void moved_twice(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	char *first = area.base, *to = svm_mmap_small(2 * svm_range_size());

	move(first, area.size, to + svm_page_size());
	igt_assert(svm_gpu_pattern_ok(fd, to + svm_page_size(), area.size, OLD));
	move(to + svm_page_size(), area.size, first);
	svm_area_check(fd, &area, OLD);
}

static void remap_exchanged(int fd, bool huge)
{
	struct svm_area a = svm_area(fd, huge, OLD), b = svm_area(fd, huge, NEW);
	char *spare = svm_mmap_small(a.size);

	move(a.base, a.size, spare);
	move(b.base, b.size, a.base);
	move(spare, a.size, b.base);
	svm_area_check(fd, &a, NEW);
	svm_area_check(fd, &b, OLD);
}

/* The old mapping stays, with nothing in it */
static void moved_dontunmap(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	char *from = area.base, *to = svm_mmap_small(area.size);

	igt_require(mremap(from, area.size, area.size,
			   MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to) == to);
	igt_assert_eq(svm_device_pages(to, area.size), pages_of(&area));
	igt_assert_eq(svm_device_pages(from, area.size), 0);
	igt_assert_eq_u32(svm_gpu_read32(fd, from), 0);
	svm_gpu_fill(fd, from, area.size, NEW);
	igt_assert(svm_cpu_all32(from, area.size, NEW));
	area.base = to;
	svm_area_check(fd, &area, OLD);
}

/* What is new is zero, and the GPU can have it in VRAM */
static void remap_grown(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	char *to = mremap(area.base, area.size, 2 * area.size, MREMAP_MAYMOVE);

	igt_assert(to != MAP_FAILED);
	igt_assert_eq_u32(svm_gpu_read32(fd, to + area.size), 0);
	svm_gpu_fill(fd, to + area.size, area.size, NEW);
	igt_assert(svm_cpu_all32(to + area.size, area.size, NEW));
	area.base = to;
	svm_area_check(fd, &area, OLD);
}

static void remap_shrunk(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	size_t size = area.size - 3 * svm_page_size();

	igt_assert(mremap(area.base, area.size, size, 0) == area.base);
	igt_assert_eq(__svm_gpu_touch(fd, area.base + size, 4, 4, false), -ENOENT);
	check_part(fd, area.base, 0, size);
}

static void unmapped_first(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	size_t page = svm_page_size();

	igt_assert(!munmap(area.base, page));
	igt_assert_eq(__svm_gpu_touch(fd, area.base, 4, 4, false), -ENOENT);
	check_part(fd, area.base, page, area.size - page);
}

static void unmapped_middle(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	size_t page = svm_page_size(), at = 7 * page, size = 3 * page;

	igt_assert(!munmap(area.base + at, size));
	igt_assert_eq(__svm_gpu_touch(fd, area.base + at, 4, 4, false), -ENOENT);
	check_part(fd, area.base, 0, at);
	check_part(fd, area.base, at + size, area.size - at - size);
}

/* All but one page goes; that one is found by the eviction all the same */
static void unmapped_but_one(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	size_t page = svm_page_size(), at = 11 * page;

	igt_assert(!munmap(area.base, at));
	igt_assert(!munmap(area.base + at + page, area.size - at - page));
	check_part(fd, area.base, at, page);
}

/* Every second page, while the others are used; each is evicted, each comes again */
static void unmapped_holes(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	size_t page = svm_page_size(), at;

	for (at = 0; at < area.size; at += 2 * page)
		igt_assert(!munmap(area.base + at, page));
	for (at = page; at < area.size; at += 16 * page)
		igt_assert(svm_gpu_pattern_ok(fd, area.base + at, page, seed_at(OLD, at)));
	svm_evict_vram(fd);
	for (at = page; at < area.size; at += 2 * page)
		igt_assert(svm_pattern_ok(area.base + at, page, seed_at(OLD, at)));
	for (at = page; at < area.size; at += 16 * page)
		svm_gpu_fill(fd, area.base + at, page, NEW);
	for (at = page; at < area.size; at += 16 * page)
		igt_assert(svm_cpu_all32(area.base + at, page, NEW));
}

/* Unmapped and mapped anew at the same address: no page of before is left */
static void mapped_again(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);

	svm_mmap_fixed(area.base, area.size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1);
	igt_assert_eq_u32(svm_gpu_read32(fd, area.base), 0);
	igt_assert(svm_cpu_all32(area.base, area.size, 0));
	svm_gpu_pattern(fd, area.base, area.size, NEW);
	svm_area_check(fd, &area, NEW);
}

/* A file takes the place of some pages in VRAM */
static void replaced_part(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	size_t page = svm_page_size(), at = 4 * page, size = 8 * page;
	int file = svm_memfd(size);

	svm_mmap_fixed(area.base + at, size, PROT_READ | PROT_WRITE, MAP_SHARED, file);
	igt_assert_eq_u32(svm_gpu_read32(fd, area.base + at), 0);
	svm_gpu_fill(fd, area.base + at, size, NEW);
	igt_assert_eq(svm_location(fd, area.base + at), DRM_SVM_LOCATION_SYSTEM);
	check_part(fd, area.base, 0, at);
	check_part(fd, area.base, at + size, area.size - at - size);
	igt_assert(svm_cpu_all32(area.base + at, size, NEW));
	close(file);
}

static void remap_protected(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);

	igt_assert(!mprotect(area.base, area.size, PROT_READ));
	igt_assert_eq(__svm_gpu_write32(fd, area.base, NEW), -EACCES);
	igt_assert(svm_gpu_pattern_ok(fd, area.base, area.size, OLD));
	igt_assert_eq(svm_vram_pages(fd, area.base, area.size), pages_of(&area));
	svm_evict_vram(fd);
	igt_assert_eq(__svm_gpu_write32(fd, area.base, NEW), -EACCES);
	igt_assert(svm_pattern_ok(area.base, area.size, OLD));
	igt_assert(!mprotect(area.base, area.size, PROT_READ | PROT_WRITE));
	svm_area_check(fd, &area, OLD);
}

/* Read-only and writable again while all stays in VRAM */
static void protected_and_back(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);

	igt_assert(!mprotect(area.base, area.size, PROT_READ));
	igt_assert_eq(__svm_gpu_write32(fd, area.base, NEW), -EACCES);
	igt_assert(!mprotect(area.base, area.size, PROT_READ | PROT_WRITE));
	igt_assert_eq(svm_device_pages(area.base, area.size), pages_of(&area));
	svm_gpu_pattern(fd, area.base, area.size, NEW);
	svm_area_check(fd, &area, NEW);
}

static void protected_none(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);

	igt_assert(!mprotect(area.base, area.size, PROT_NONE));
	igt_assert_eq(__svm_gpu_touch(fd, area.base, 4, 4, false), -EACCES);
	igt_assert_eq(__svm_gpu_write32(fd, area.base, NEW), -EACCES);
	svm_evict_vram(fd);
	igt_assert(!mprotect(area.base, area.size, PROT_READ | PROT_WRITE));
	svm_area_check(fd, &area, OLD);
}

static void protected_part(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	size_t page = svm_page_size(), at = 9 * page, size = 2 * page;

	igt_assert(!mprotect(area.base + at, size, PROT_READ));
	igt_assert_eq(__svm_gpu_write32(fd, area.base + at + page, NEW), -EACCES);
	check_part(fd, area.base, 0, at);
	check_part(fd, area.base, at + size, area.size - at - size);
	igt_assert(svm_gpu_pattern_ok(fd, area.base + at, size, seed_at(OLD, at)));
	igt_assert(!mprotect(area.base + at, size, PROT_READ | PROT_WRITE));
	check_part(fd, area.base, at, size);
}

/* The mapping is split, its pages are not: all of it works as before */
static void remap_split(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	size_t at = 6 * svm_page_size();

	igt_assert(!madvise(area.base, at, MADV_DONTDUMP));
	igt_assert_eq(svm_device_pages(area.base, area.size), pages_of(&area));
	svm_area_check(fd, &area, OLD);
}

/* The parts of a mapping that was split come to VRAM and go home one by one */
static void split_mappings(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	size_t page = svm_page_size(), part = 5 * page, at;

	for (at = 0; at < area.size; at += 2 * part)
		igt_assert(!madvise(area.base + at, at + part < area.size ? part : page,
				    MADV_DONTDUMP));
	igt_assert(svm_pattern_ok(area.base + part, page, seed_at(OLD, part)));
	svm_gpu_touch(fd, area.base, area.size, page, true);
	for (at = 0; at < area.size; at += page) {
		igt_assert_eq_u32(*(uint32_t *)(area.base + at), 0);
		igt_assert(svm_pattern_ok(area.base + at + 4, page - 4, seed_at(OLD, at + 4)));
	}
}

static const struct svm_vram_case cases[] = {
	{ "mremap", "All of it moves.", remap_moved },
	{ "mremap-unaligned", "It moves to an address that is not aligned.", moved_unaligned },
	{ "mremap-part", "A part from the middle moves.", moved_part },
	{ "mremap-part-home", "A part moves and goes home before the rest.", moved_part_home },
	{ "mremap-twice", "It moves to an unaligned address and back.", moved_twice },
	{ "mremap-exchange", "Two areas change places.", remap_exchanged },
	{ "mremap-dontunmap", "It moves, and its old mapping stays empty.", moved_dontunmap },
	{ "mremap-grow", "The mapping grows.", remap_grown },
	{ "mremap-shrink", "The mapping shrinks.", remap_shrunk },
	{ "munmap-first", "The first page is unmapped.", unmapped_first },
	{ "munmap-middle", "Pages in the middle are unmapped.", unmapped_middle },
	{ "munmap-but-one", "All pages but one are unmapped.", unmapped_but_one },
	{ "munmap-holes", "Every second page is unmapped.", unmapped_holes },
	{ "mmap-again", "New memory takes the place of all of it.", mapped_again },
	{ "mmap-part", "A file takes the place of a part.", replaced_part },
	{ "mprotect-read", "It becomes read-only and is evicted.", remap_protected },
	{ "mprotect-and-back", "It becomes read-only and writable again.", protected_and_back },
	{ "mprotect-none", "It cannot be accessed for a while.", protected_none },
	{ "mprotect-part", "A part becomes read-only.", protected_part },
	{ "split", "The mapping is split and its pages are not.", remap_split },
	{ "split-mappings", "The mapping is split into many.", split_mappings },
};

int igt_main()
{
	igt_fixture()
		svm_vram_on("vram_mb=16");

	svm_vram_cases(cases);

	igt_fixture()
		svm_vram_off();
}
