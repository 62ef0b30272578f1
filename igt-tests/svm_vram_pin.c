// SPDX-License-Identifier: MIT
/*
 * Pages that the kernel holds on to cannot move to VRAM, and those in VRAM come home
 * to be held. The GPU uses them where they are, so that it and whoever holds them see
 * the same data; and they can move again when they are let go.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/io_uring.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_job.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("Pages in VRAM that the kernel wants to hold on to.");

#define OLD	0x91900000u
#define NEW	0x92920000u

/* The least of an io_uring that does one request at a time */
struct ring {
	int fd;
	char *sq, *cq;
	struct io_uring_sqe *sqes;
	struct io_uring_params p;
};

static void *ring_map(int fd, size_t size, uint64_t offset)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);

	igt_assert(map != MAP_FAILED);
	return map;
}

static void ring_open(struct ring *ring)
{
	struct io_uring_params *p = &ring->p;

	memset(ring, 0, sizeof(*ring));
	ring->fd = syscall(SYS_io_uring_setup, 1, p);
	igt_require_f(ring->fd >= 0, "no io_uring: %s\n", strerror(errno));
	ring->sq = ring_map(ring->fd, p->sq_off.array + p->sq_entries * sizeof(uint32_t),
			    IORING_OFF_SQ_RING);
	ring->cq = ring_map(ring->fd,
			    p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe),
			    IORING_OFF_CQ_RING);
	ring->sqes = ring_map(ring->fd, p->sq_entries * sizeof(*ring->sqes), IORING_OFF_SQES);
}

static int ring_register(struct ring *ring, void *base, size_t size)
{
	struct iovec iov = { base, size };

	return syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_BUFFERS, &iov, 1);
}

static int ring_unregister(struct ring *ring)
{
	return syscall(SYS_io_uring_register, ring->fd, IORING_UNREGISTER_BUFFERS, NULL, 0);
}

static uint32_t *ring_word(char *ring, uint32_t offset)
{
	return (uint32_t *)(ring + offset);
}

/* Read or write @file by the registered buffer; returns what the request says */
static int ring_do(struct ring *ring, int op, int file, void *base, size_t size)
{
	uint32_t *tail = ring_word(ring->sq, ring->p.sq_off.tail);
	uint32_t *head = ring_word(ring->cq, ring->p.cq_off.head);
	struct io_uring_cqe *cqes = (void *)(ring->cq + ring->p.cq_off.cqes);
	uint32_t mask = *ring_word(ring->cq, ring->p.cq_off.ring_mask);
	int result;

	ring->sqes[0] = (struct io_uring_sqe) {
		.opcode = op,
		.fd = file,
		.addr = client_ptr(base),
		.len = size,
	};
	ring_word(ring->sq, ring->p.sq_off.array)[0] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	igt_assert_eq(syscall(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS,
			      NULL, 0), 1);
	result = cqes[*head & mask].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return result;
}

static void ring_close(struct ring *ring)
{
	munmap(ring->sq, ring->p.sq_off.array + ring->p.sq_entries * sizeof(uint32_t));
	munmap(ring->cq, ring->p.cq_off.cqes +
	       ring->p.cq_entries * sizeof(struct io_uring_cqe));
	munmap(ring->sqes, ring->p.sq_entries * sizeof(*ring->sqes));
	close(ring->fd);
}

/* The frame of the first page; also asserts that it is in RAM */
static uint64_t frame(const void *addr)
{
	uint64_t entry = svm_pagemap(addr);

	igt_assert(entry & SVM_PM_PRESENT);
	return entry & SVM_PM_PFN;
}

/* The GPU writes @seed to pages that are held, and they stay where they are */
static void gpu_writes_held(int fd, const struct svm_area *area, uint32_t seed)
{
	uint64_t first = frame(area->base), last = frame(area->base + area->size - 1);

	svm_gpu_pattern(fd, area->base, area->size, seed);
	igt_assert_eq(svm_vram_pages(fd, area->base, area->size), 0);
	igt_assert_eq_u32(svm_gpu_read32(fd, area->base), seed);
	igt_assert_eq(svm_location(fd, area->base), DRM_SVM_LOCATION_SYSTEM);
	igt_assert(svm_pattern_ok(area->base, area->size, seed));
	igt_assert_eq_u64(frame(area->base), first);
	igt_assert_eq_u64(frame(area->base + area->size - 1), last);
}

/* Device to file and file to device, by pages that are registered */
static void ring_io(int fd, struct ring *ring, const struct svm_area *area)
{
	int file = svm_tmpfile(svm_scratch_dir(), area->size);
	char *copy = svm_mmap_small(area->size);

	gpu_writes_held(fd, area, NEW);
	igt_assert_eq(ring_do(ring, IORING_OP_WRITE_FIXED, file, area->base, area->size),
		      area->size);
	igt_assert_eq(pread(file, copy, area->size, 0), area->size);
	igt_assert(svm_pattern_ok(copy, area->size, NEW));

	svm_pattern(copy, area->size, OLD);
	igt_assert_eq(pwrite(file, copy, area->size, 0), area->size);
	igt_assert_eq(ring_do(ring, IORING_OP_READ_FIXED, file, area->base, area->size),
		      area->size);
	igt_assert(svm_gpu_pattern_ok(fd, area->base, area->size, OLD));
	close(file);
}

static void io_uring(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	struct ring ring;

	ring_open(&ring);
	igt_require_f(!ring_register(&ring, area.base, area.size), "register: %s\n",
		      strerror(errno));
	igt_assert_eq(svm_device_pages(area.base, area.size), 0);
	igt_assert(svm_pattern_ok(area.base, area.size, OLD));
	ring_io(fd, &ring, &area);
	svm_evict_vram(fd);
	ring_io(fd, &ring, &area);
	igt_assert(!ring_unregister(&ring));
	ring_close(&ring);
	svm_to_vram(fd, area.base, area.size);
	svm_area_check(fd, &area, OLD);
}

/* Registered over and over while the GPU brings the pages to VRAM: no write is lost */
static void io_uring_race(int fd, bool huge)
{
	enum { ROUNDS = 10, ADDS = 500 };
	struct svm_area area = svm_area(fd, huge, OLD);
	uint64_t *word = (uint64_t *)area.base;
	struct drm_svm_test_cmd cmds[] = {
		svm_cmd_add64(word, 1, ADDS),
		svm_cmd_touch(area.base + svm_page_size(), area.size - svm_page_size(),
			      svm_page_size(), true),
		svm_cmd_add64(word, 1, ADDS),
	};
	struct ring ring;

	ring_open(&ring);
	*word = 0;
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t job;

		svm_to_vram(fd, area.base, area.size);
		job = svm_submit(fd, cmds, ARRAY_SIZE(cmds));
		igt_require(!ring_register(&ring, area.base, area.size));
		__atomic_fetch_add(word, 1, __ATOMIC_SEQ_CST);
		svm_wait_ok(fd, job);
		igt_assert(!ring_unregister(&ring));
	}
	igt_assert_eq_u64(*word, ROUNDS * (2 * ADDS + 1));
	ring_close(&ring);
}

/* A pipe holds the pages until they are read from it */
static void pin_vmspliced(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	size_t size = 8 * svm_page_size();
	struct iovec iov = { area.base, size };
	char *copy = svm_mmap_small(size);
	uint64_t held;
	int ends[2];

	igt_assert(!pipe(ends));
	igt_assert_eq(vmsplice(ends[1], &iov, 1, 0), size);
	held = frame(area.base);
	svm_gpu_pattern(fd, area.base, size, NEW);
	igt_assert_eq(svm_vram_pages(fd, area.base, size), 0);
	igt_assert_eq_u64(frame(area.base), held);
	igt_assert_eq(read(ends[0], copy, size), size);
	igt_assert(svm_pattern_ok(copy, size, NEW));
	close(ends[0]);
	close(ends[1]);
	svm_to_vram(fd, area.base, area.size);
	svm_evict_vram(fd);
	igt_assert(svm_pattern_ok(area.base, size, NEW));
}

/* The pipe is the last one that has the pages */
static void vmspliced_unmapped(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	size_t size = 8 * svm_page_size();
	struct iovec iov = { area.base, size };
	char *copy = svm_mmap_small(size);
	int ends[2];

	igt_assert(!pipe(ends));
	igt_assert_eq(vmsplice(ends[1], &iov, 1, 0), size);
	svm_area_free(&area);
	svm_evict_vram(fd);
	igt_assert_eq(read(ends[0], copy, size), size);
	igt_assert(svm_pattern_ok(copy, size, OLD));
	close(ends[0]);
	close(ends[1]);
}

/* One page in the middle is held; the others may be anywhere, nothing is lost */
static void one_page(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	size_t page = svm_page_size(), at = area.size / 2;
	struct ring ring;

	ring_open(&ring);
	igt_require(!ring_register(&ring, area.base + at, page));
	svm_gpu_pattern(fd, area.base, area.size, NEW);
	igt_assert_eq(svm_vram_pages(fd, area.base + at, page), 0);
	svm_area_check(fd, &area, NEW);
	igt_assert(!ring_unregister(&ring));
	ring_close(&ring);
	svm_to_vram(fd, area.base, area.size);
	svm_area_check(fd, &area, NEW + 1);
}

/*
 * A command needs two pages at a time, of one range, that are both held: what the
 * driver tries to move for the one must not take the other away for ever.
 */
static void copy_held(int fd, char *base, size_t half)
{
	struct drm_svm_test_cmd cmd = svm_cmd_copy(base + half, base, half);
	uint64_t job = svm_submit(fd, &cmd, 1);

	igt_assert_f(svm_until(__svm_poll_job(fd, job) != -ETIME, 15000), "it does not end\n");
	igt_assert(svm_pattern_ok(base, half, OLD));
	igt_assert(svm_pattern_ok(base + half, half, OLD));
}

static void copy_within(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	struct ring ring;

	ring_open(&ring);
	igt_require(!ring_register(&ring, area.base, area.size));
	copy_held(fd, area.base, area.size / 2);
	igt_assert(!ring_unregister(&ring));
	ring_close(&ring);
}

/* Held in a way that the driver does not see before it has tried to move them */
static void copy_within_spliced(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	size_t size = 32 * svm_page_size();
	struct iovec iov = { area.base, size };
	int ends[2];

	igt_assert(!pipe(ends));
	igt_assert_eq(fcntl(ends[1], F_SETPIPE_SZ, size), size);
	igt_assert_eq(vmsplice(ends[1], &iov, 1, 0), size);
	copy_held(fd, area.base, size / 2);
	close(ends[0]);
	close(ends[1]);
}

/* A page that is held stays its owner's when it forks: the child gets the copy */
static void pin_forked(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	struct ring ring;
	int written;

	ring_open(&ring);
	igt_require(!ring_register(&ring, area.base, area.size));
	written = svm_gate();
	igt_fork(child, 1) {
		svm_gate_wait(written);
		igt_assert(svm_pattern_ok(area.base, area.size, OLD));
	}
	gpu_writes_held(fd, &area, NEW);
	svm_gate_open(written);
	igt_waitchildren();
	ring_io(fd, &ring, &area);
	igt_assert(!ring_unregister(&ring));
	ring_close(&ring);
}

static const struct svm_vram_case cases[] = {
	{ "io-uring", "Registered buffers stay in RAM, where the GPU uses them.", io_uring },
	{ "io-uring-race", "Buffers are registered under GPU atomics.", io_uring_race },
	{ "vmsplice", "Pages in a pipe stay in RAM.", pin_vmspliced },
	{ "vmsplice-unmapped", "Pages in a pipe outlive their mapping.", vmspliced_unmapped },
	{ "one-page", "A single page is held.", one_page },
	{ "copy-within", "The GPU copies between pages that are held.", copy_within },
	{ "fork", "A process with registered buffers has a child.", pin_forked },
};

static const struct svm_vram_case lane_cases[] = {
	{ "one-lane", "The GPU copies between pages that are held, and asks for one at a time.",
	  copy_within },
	{ "one-lane-spliced", "The same of pages in a pipe.", copy_within_spliced },
};

int igt_main()
{
	igt_fixture()
		svm_vram_on("vram_mb=16");

	svm_vram_cases(cases);

	igt_fixture()
		svm_vram_on("vram_mb=16 lanes=1");

	svm_vram_cases(lane_cases);

	igt_fixture()
		svm_vram_off();
}
