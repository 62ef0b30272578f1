// SPDX-License-Identifier: MIT
/*
 * TEST: svm bo
 * Category: Core
 * Description: Buffer objects in VRAM, without shared memory.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_job.h"
#include "svm_mem.h"

IGT_TEST_DESCRIPTION("Buffer objects in VRAM, without shared memory.");

#define PATTERN	0xb0b0cafeu
#define MIB	(1ull << 20)

/*
 * fdinfo counts memory of the process that is in VRAM, too. A job that writes to such
 * memory, the stack included, can leave pages there: read by read_to_ram() before this.
 */
static void check_in_vram(int fd, uint64_t size)
{
	igt_assert_eq_u64(svm_fdinfo_bytes(fd, "drm-resident-vram"), size);
}

/* A word of a buffer object, copied by the GPU to another one, which is in RAM */
static uint32_t read_to_ram(int fd, const uint32_t *gpu)
{
	uint64_t page = svm_page_size();
	uint32_t handle = svm_bo_create(fd, page, 0), value;
	uint32_t *copy = svm_bo_bind(fd, handle, svm_bo_start(fd) + 64 * MIB, page);
	uint32_t *map = svm_bo_map(fd, handle, page);

	svm_gpu_copy(fd, copy, gpu, sizeof(value));
	value = READ_ONCE(map[0]);
	munmap(map, page);
	svm_bo_unbind(fd, copy, page);
	svm_bo_close(fd, handle);
	return value;
}

/* Both sides write, both sides read, in every order of places */
static void fill_and_read(int fd, uint32_t flags, size_t size)
{
	uint32_t handle = svm_bo_create(fd, size, flags);
	uint32_t *gpu = svm_bo_bind(fd, handle, svm_bo_start(fd), size);
	uint32_t *cpu = svm_bo_map(fd, handle, size);
	uint32_t *copy = svm_mmap_anon(size);

	svm_gpu_fill(fd, gpu, size, PATTERN);
	igt_assert(svm_cpu_all32(cpu, size, PATTERN));
	memset(cpu, 0x77, size);
	svm_gpu_copy(fd, copy, gpu, size);
	igt_assert(svm_cpu_all32(copy, size, 0x77777777));
	svm_gpu_fill(fd, gpu, size, ~PATTERN);
	svm_gpu_copy(fd, copy, gpu, size);
	igt_assert(svm_cpu_all32(copy, size, ~PATTERN));
	igt_assert(svm_cpu_all32(cpu, size, ~PATTERN));

	munmap(copy, size);
	munmap(cpu, size);
	svm_bo_unbind(fd, gpu, size);
	svm_bo_close(fd, handle);
}

static void bo_vram(int fd)
{
	svm_vram_size(fd);
	fill_and_read(fd, DRM_SVM_TEST_BO_VRAM, svm_page_size());
	fill_and_read(fd, DRM_SVM_TEST_BO_VRAM, 3 * MIB + 5 * svm_page_size());
}

static void bo_system(int fd)
{
	fill_and_read(fd, 0, svm_page_size());
	fill_and_read(fd, 0, 3 * MIB + 5 * svm_page_size());
}

/* Where it is told, and where fdinfo says that it is */
static void bo_placement(int fd)
{
	uint64_t size = MIB, start = svm_bo_start(fd);
	uint32_t vram, system;
	uint32_t *map, *gpu;

	igt_assert_lte_u64(size, svm_vram_size(fd));
	vram = svm_bo_create(fd, size, DRM_SVM_TEST_BO_VRAM);
	check_in_vram(fd, size);
	system = svm_bo_create(fd, 2 * size, 0);
	check_in_vram(fd, size);
	igt_assert_eq_u64(svm_fdinfo_bytes(fd, "drm-total-vram"), size);
	igt_assert_eq_u64(svm_fdinfo_bytes(fd, "drm-total-system"), 2 * size);
	igt_assert_eq_u64(svm_fdinfo_bytes(fd, "drm-resident-system"), 2 * size);

	/* The CPU cannot see VRAM, so it comes to the CPU; the GPU gets it back */
	map = svm_bo_map(fd, vram, size);
	gpu = svm_bo_bind(fd, vram, start, size);
	check_in_vram(fd, size);
	WRITE_ONCE(map[0], PATTERN);
	check_in_vram(fd, 0);
	igt_assert_eq_u64(svm_fdinfo_bytes(fd, "drm-total-vram"), size);
	igt_assert_eq_u32(read_to_ram(fd, gpu), PATTERN);
	check_in_vram(fd, size);

	svm_bo_close(fd, system);
	igt_assert_eq_u64(svm_fdinfo_bytes(fd, "drm-total-system"), 0);
	munmap(map, size);
}

/*
 * Memory of a buffer object that is gone is not seen by the next one. The first
 * round may find the poison of power-on, the others a pattern.
 */
static void bo_cleared(int fd)
{
	uint64_t size = svm_vram_size(fd) / 4 * 3, start = svm_bo_start(fd);

	svm_evict_vram(fd);
	for (int round = 0; round < 3; round++) {
		uint32_t handle = svm_bo_create(fd, size, DRM_SVM_TEST_BO_VRAM);
		uint32_t *gpu = svm_bo_bind(fd, handle, start, size);
		uint32_t *map = svm_bo_map(fd, handle, size);

		check_in_vram(fd, size);
		if (round != 1)
			igt_assert(svm_cpu_all32(map, size, 0));
		svm_gpu_fill(fd, gpu, size, PATTERN);
		check_in_vram(fd, size);
		munmap(map, size);
		svm_bo_unbind(fd, gpu, size);
		svm_bo_close(fd, handle);
	}
}

static void cleared_system(int fd)
{
	uint64_t size = MIB;
	uint32_t handle = svm_bo_create(fd, size, 0);
	uint32_t *map = svm_bo_map(fd, handle, size);

	igt_assert(svm_cpu_all32(map, size, 0));
	munmap(map, size);
	svm_bo_close(fd, handle);
	/* Without VRAM for it, and not written before it is read */
	handle = svm_bo_create(fd, svm_vram_size(fd) + size, DRM_SVM_TEST_BO_VRAM);
	check_in_vram(fd, 0);
	map = svm_bo_map(fd, handle, size);
	igt_assert(svm_cpu_all32(map, size, 0));
	munmap(map, size);
}

/* More than fits in: others go, and everything keeps its content */
static void bo_oversubscribe(int fd)
{
	enum { COUNT = 7 };
	uint64_t start = svm_bo_start(fd);
	uint64_t size = svm_vram_size(fd) / 4 & ~(2 * MIB - 1);
	uint32_t handle[COUNT];
	uint32_t *gpu[COUNT];

	for (int i = 0; i < COUNT; i++) {
		handle[i] = svm_bo_create(fd, size, DRM_SVM_TEST_BO_VRAM);
		gpu[i] = svm_bo_bind(fd, handle[i], start + i * size, size);
		svm_gpu_fill(fd, gpu[i], size, PATTERN + i);
	}
	igt_assert_lt_u64(0, svm_fdinfo_bytes(fd, "drm-resident-vram"));
	igt_assert_lte_u64(svm_fdinfo_bytes(fd, "drm-resident-vram"), svm_vram_size(fd));

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < COUNT; i++) {
			uint64_t last = size - sizeof(uint32_t);

			igt_assert_eq_u32(svm_gpu_read32(fd, gpu[i]), PATTERN + i);
			igt_assert_eq_u32(svm_gpu_read32(fd, gpu[i] + last / 4), PATTERN + i);
		}
	}
	for (int i = 0; i < COUNT; i++) {
		uint32_t *map = svm_bo_map(fd, handle[i], size);

		igt_assert(svm_cpu_all32(map, size, PATTERN + i));
		munmap(map, size);
	}
}

/* Two that do not fit in together, and a command that needs both */
static void two_of_one(int fd)
{
	uint64_t start = svm_bo_start(fd);
	uint64_t size = svm_vram_size(fd) / 4 * 3 & ~(2 * MIB - 1);
	uint32_t a = svm_bo_create(fd, size, DRM_SVM_TEST_BO_VRAM);
	uint32_t b = svm_bo_create(fd, size, DRM_SVM_TEST_BO_VRAM);
	uint32_t *gpu_a = svm_bo_bind(fd, a, start, size);
	uint32_t *gpu_b = svm_bo_bind(fd, b, start + size, size);
	uint32_t *map;

	svm_gpu_fill(fd, gpu_a, size, PATTERN);
	svm_gpu_copy(fd, gpu_b, gpu_a, size);
	map = svm_bo_map(fd, b, size);
	igt_assert(svm_cpu_all32(map, size, PATTERN));
	munmap(map, size);
}

static void evict_all(int fd)
{
	uint64_t size = 4 * MIB;
	uint32_t handle = svm_bo_create(fd, size, DRM_SVM_TEST_BO_VRAM);
	uint32_t *gpu = svm_bo_bind(fd, handle, svm_bo_start(fd), size);

	svm_vram_size(fd);
	for (int round = 0; round < 3; round++) {
		svm_gpu_fill(fd, gpu, size, PATTERN + round);
		check_in_vram(fd, size);
		svm_evict_vram(fd);
		check_in_vram(fd, 0);
		igt_assert_eq_u32(read_to_ram(fd, gpu + size / 4 - 1), PATTERN + round);
		check_in_vram(fd, size);
	}
}

/* Evicted over and over under a job that works on it */
static void evict_busy(int fd)
{
	enum { ADDS = 200000 };
	uint64_t size = MIB;
	uint32_t handle = svm_bo_create(fd, size, DRM_SVM_TEST_BO_VRAM);
	uint32_t *gpu = svm_bo_bind(fd, handle, svm_bo_start(fd), size);
	struct drm_svm_test_cmd cmds[] = {
		svm_cmd_add32(gpu + 17, 1, ADDS),
		svm_cmd_add32(gpu + size / 4 - 1, 3, ADDS),
	};
	uint64_t job;
	int rounds = 0;

	svm_vram_size(fd);
	job = svm_submit(fd, cmds, 2);
	while (__svm_poll_job(fd, job) == -ETIME && rounds++ < 1000)
		svm_evict_vram(fd);
	igt_info("%d evictions\n", rounds);
	igt_assert(svm_until(svm_gpu_read32(fd, gpu + size / 4 - 1) == 3 * ADDS, 30000));
	igt_assert_eq_u32(svm_gpu_read32(fd, gpu + 17), ADDS);
}

/* A part of it, at another address, whose edges are not those of larger leaves */
static void bind_part(int fd)
{
	uint64_t page = svm_page_size(), size = 4 * MIB, start = svm_bo_start(fd);
	uint32_t handle = svm_bo_create(fd, size, DRM_SVM_TEST_BO_VRAM);
	uint64_t part = start + 32 * MIB - 3 * page, pages = size / page;
	struct drm_svm_test_cmd *cmds = calloc(pages, sizeof(*cmds));
	uint32_t *gpu = svm_bo_bind(fd, handle, start, size);

	igt_assert(cmds);
	for (uint64_t i = 0; i < pages; i++)
		cmds[i] = svm_cmd_fill(gpu + i * page / 4, 4, PATTERN + i);
	svm_wait_ok(fd, svm_submit(fd, cmds, pages));
	free(cmds);

	igt_assert_eq(client_bo_bind(fd, handle, part, page, 2 * MIB + 7 * page), 0);
	for (uint64_t i = 0; i < 2 * MIB / page + 7; i += 13)
		igt_assert_eq_u32(svm_gpu_read32(fd, (void *)(uintptr_t)(part + i * page)),
				  PATTERN + i + 1);
	svm_bo_unbind(fd, gpu, size);
	igt_assert_eq(__svm_gpu_read32(fd, gpu, &(uint32_t) { 0 }), -ENOENT);
	igt_assert_eq_u32(svm_gpu_read32(fd, (void *)(uintptr_t)part), PATTERN + 1);
}

static void bo_unbind(int fd)
{
	uint64_t page = svm_page_size(), size = 2 * MIB, start = svm_bo_start(fd);
	uint32_t handle = svm_bo_create(fd, size, DRM_SVM_TEST_BO_VRAM);
	uint32_t *gpu = svm_bo_bind(fd, handle, start, size);
	struct drm_svm_test_cmd cmd = svm_cmd_fill(gpu + 64, 8, PATTERN);

	/* Into the TLBs of all engines */
	for (int i = 0; i < 4; i++)
		svm_gpu_write32(fd, gpu + 64, PATTERN);
	igt_assert_eq(client_bo_unbind(fd, start, page), -ENOENT);
	igt_assert_eq(client_bo_unbind(fd, start + page, size - page), -ENOENT);
	igt_assert_eq(client_bo_unbind(fd, start, 2 * size), -ENOENT);
	svm_bo_unbind(fd, gpu, size);
	svm_run_faults(fd, &cmd, ENOENT, start + 256);
	igt_assert_eq(client_bo_unbind(fd, start, size), -ENOENT);

	/* The addresses are free again, for another */
	gpu = svm_bo_bind(fd, svm_bo_create(fd, size, 0), start, size);
	igt_assert_eq_u32(svm_gpu_read32(fd, gpu + 64), 0);
}

static void bo_unbound(int fd)
{
	uint64_t start = svm_bo_start(fd), size = MIB;
	struct drm_svm_test_cmd cmd = svm_cmd_touch((void *)(uintptr_t)start, 4, 4, false);

	svm_run_faults(fd, &cmd, ENOENT, start);
	svm_bo_bind(fd, svm_bo_create(fd, size, 0), start, size);
	svm_run(fd, &cmd);
	cmd.dst = start + size;
	svm_run_faults(fd, &cmd, ENOENT, start + size);
}

/* The handle is closed, the binding stays; so does the map of the CPU */
static void close_handle(int fd)
{
	uint64_t size = MIB;
	uint32_t handle = svm_bo_create(fd, size, DRM_SVM_TEST_BO_VRAM);
	uint32_t *gpu = svm_bo_bind(fd, handle, svm_bo_start(fd), size);
	uint32_t *map = svm_bo_map(fd, handle, size);

	svm_bo_close(fd, handle);
	svm_gpu_fill(fd, gpu, size, PATTERN);
	igt_assert(svm_cpu_all32(map, size, PATTERN));
	svm_bo_unbind(fd, gpu, size);
	igt_assert_eq_u32(READ_ONCE(map[7]), PATTERN);
	munmap(map, size);
}

static void close_bound(int fd)
{
	uint64_t size = svm_vram_size(fd) / 2;

	for (int round = 0; round < 5; round++) {
		int other = svm_open_attached();
		uint32_t handle = svm_bo_create(other, size, DRM_SVM_TEST_BO_VRAM);
		uint32_t *gpu = svm_bo_bind(other, handle, svm_bo_start(other), size);
		struct drm_svm_test_cmd cmd = svm_cmd_fill(gpu, size, PATTERN);
		uint32_t *map = svm_bo_map(other, handle, size);

		/* With a job in it or not, and with a map that stays a while */
		if (round & 1)
			svm_submit(other, &cmd, 1);
		else
			svm_run(other, &cmd);
		close(other);
		if (!(round & 1))
			igt_assert_eq_u32(READ_ONCE(map[size / 4 - 1]), PATTERN);
		munmap(map, size);
	}
}

/* Handles and addresses of one file are nothing in another */
static void other_file(int fd)
{
	uint64_t start = svm_bo_start(fd), size = MIB, offset;
	uint32_t handle = svm_bo_create(fd, size, DRM_SVM_TEST_BO_VRAM);
	uint32_t *gpu = svm_bo_bind(fd, handle, start, size);
	int other = svm_open_attached();
	uint32_t value;

	svm_gpu_write32(fd, gpu, PATTERN);
	igt_assert_eq(client_bo_bind(other, handle, start, 0, size), -EBADF);
	igt_assert_eq(client_bo_offset(other, handle, &offset), -EBADF);
	igt_assert_eq(client_bo_unbind(other, start, size), -ENOENT);
	igt_assert_eq(__svm_gpu_read32(other, gpu, &value), -ENOENT);

	/* Nor is the offset of a map */
	igt_assert_eq(client_bo_offset(fd, handle, &offset), 0);
	igt_assert(mmap(NULL, size, PROT_READ, MAP_SHARED, other, offset) == MAP_FAILED);

	svm_bo_bind(other, svm_bo_create(other, size, DRM_SVM_TEST_BO_VRAM), start, size);
	igt_assert_eq_u32(svm_gpu_read32(other, gpu), 0);
	igt_assert_eq_u32(svm_gpu_read32(fd, gpu), PATTERN);
	close(other);
}

static void create_invalid(int fd)
{
	struct drm_svm_test_info info;
	uint64_t page = svm_page_size();
	uint32_t handle;

	svm_info(fd, &info);
	igt_assert_eq(client_bo_create(fd, 0, 0, &handle), -EINVAL);
	igt_assert_eq(client_bo_create(fd, page / 2, 0, &handle), -EINVAL);
	igt_assert_eq(client_bo_create(fd, page + 1, 0, &handle), -EINVAL);
	igt_assert_eq(client_bo_create(fd, info.out_bo_size + page, 0, &handle), -EINVAL);
	igt_assert_eq(client_bo_create(fd, -page, DRM_SVM_TEST_BO_VRAM, &handle), -EINVAL);
	for (int bit = 1; bit < 32; bit++)
		igt_assert_eq(client_bo_create(fd, page, 1u << bit, &handle), -EINVAL);
	igt_assert_eq_u64(svm_fdinfo_bytes(fd, "drm-total-vram"), 0);
	igt_assert_eq_u64(svm_fdinfo_bytes(fd, "drm-total-system"), 0);
}

static int bind_args(int fd, struct drm_svm_test_bo_bind args)
{
	return ioctl(fd, DRM_IOCTL_SVM_TEST_BO_BIND, &args) ? -errno : 0;
}

static void bind_invalid(int fd)
{
	uint64_t page = svm_page_size(), size = 4 * page, start = svm_bo_start(fd), end;
	uint32_t handle = svm_bo_create(fd, size, 0);
	const struct drm_svm_test_bo_bind good = {
		.addr = start, .size = size, .handle = handle,
	};
	struct drm_svm_test_bo_bind args = good;
	struct drm_svm_test_info info;

	svm_info(fd, &info);
	end = 1ull << info.out_va_bits;

#define BAD(field, value, err) do { \
		args = good; \
		args.field = value; \
		igt_assert_eq(bind_args(fd, args), err); \
	} while (0)
	for (int bit = 0; bit < 32; bit++)
		BAD(flags, 1u << bit, -EINVAL);
	BAD(addr, start + 1, -EINVAL);
	BAD(addr, start - page, -EINVAL);
	BAD(addr, 0, -EINVAL);
	BAD(addr, end - page, -EINVAL);
	BAD(addr, end, -EINVAL);
	BAD(addr, -page, -EINVAL);
	BAD(size, 0, -EINVAL);
	BAD(size, page - 1, -EINVAL);
	BAD(size, size + page, -EINVAL);
	BAD(size, -page, -EINVAL);
	BAD(offset, 1, -EINVAL);
	BAD(offset, page, -EINVAL);
	BAD(offset, -page, -EINVAL);
	BAD(offset, size, -EINVAL);
	BAD(handle, 0, -EBADF);
	BAD(handle, handle + 1, -EBADF);
	BAD(handle, ~0u, -EBADF);
#undef BAD

	/* None of it has left anything behind; what overlaps is refused */
	igt_assert_eq(bind_args(fd, good), 0);
	igt_assert_eq(bind_args(fd, good), -EEXIST);
	args = good;
	args.addr += size - page;
	igt_assert_eq(bind_args(fd, args), -EEXIST);
	args.addr += page;
	igt_assert_eq(bind_args(fd, args), 0);
	args.addr = end - size;
	igt_assert_eq(bind_args(fd, args), 0);
	svm_gpu_write32(fd, (void *)(uintptr_t)(end - 4), PATTERN);
	igt_assert_eq_u32(svm_gpu_read32(fd, (void *)(uintptr_t)(start + size - 4)), PATTERN);
}

static void unbind_invalid(int fd)
{
	uint64_t page = svm_page_size(), start = svm_bo_start(fd);
	struct drm_svm_test_bo_unbind args;

	svm_bo_bind(fd, svm_bo_create(fd, page, 0), start, page);
	for (int bit = 0; bit < 64; bit++) {
		args = (struct drm_svm_test_bo_unbind) {
			.addr = start,
			.size = page,
			.flags = bit < 32 ? 1u << bit : 0,
			.pad = bit < 32 ? 0 : 1u << (bit - 32),
		};
		igt_assert_eq(ioctl(fd, DRM_IOCTL_SVM_TEST_BO_UNBIND, &args), -1);
		igt_assert_eq(errno, EINVAL);
	}
	igt_assert_eq(client_bo_unbind(fd, start + 1, page), -EINVAL);
	igt_assert_eq(client_bo_unbind(fd, start - page, page), -EINVAL);
	igt_assert_eq(client_bo_unbind(fd, start, 0), -EINVAL);
	igt_assert_eq(client_bo_unbind(fd, start, page + 1), -EINVAL);
	igt_assert_eq(client_bo_unbind(fd, start, -page), -EINVAL);
	svm_bo_unbind(fd, (void *)(uintptr_t)start, page);
}

/* What a debugger reads and writes, where the buffer object is and across its pages */
static void bo_debugger(int fd)
{
	uint64_t size = 4 * svm_page_size(), at = svm_page_size() - 6;
	uint32_t handle = svm_bo_create(fd, size, DRM_SVM_TEST_BO_VRAM);
	char *gpu = svm_bo_bind(fd, handle, svm_bo_start(fd), size);
	char *cpu = svm_bo_map(fd, handle, size);
	int mem = open("/proc/self/mem", O_RDWR);
	uint32_t *copy = malloc(size);

	igt_assert_lte(0, mem);
	svm_gpu_fill(fd, gpu, size, PATTERN);
	check_in_vram(fd, size);
	igt_assert_eq_u64(pread(mem, copy, size, client_ptr(cpu)), size);
	igt_assert(svm_cpu_all32(copy, size, PATTERN));
	igt_assert_eq(pwrite(mem, "a debugger's", 12, client_ptr(cpu + at)), 12);
	/* nobody has moved it, and the GPU sees what was written, and no more of it */
	check_in_vram(fd, size);
	svm_gpu_copy(fd, copy, gpu, size);
	igt_assert(!memcmp((char *)copy + at, "a debugger's", 12));
	memcpy((char *)copy + at - at % 4, copy, 16);
	igt_assert(svm_cpu_all32(copy, size, PATTERN));

	free(copy);
	close(mem);
	munmap(cpu, size);
}

static void mmap_invalid(int fd)
{
	struct drm_svm_test_bo_mmap args = { .handle = svm_bo_create(fd, MIB, 0) };
	uint64_t offset;

	for (int bit = 0; bit < 32; bit++) {
		args.flags = 1u << bit;
		igt_assert_eq(ioctl(fd, DRM_IOCTL_SVM_TEST_BO_MMAP, &args), -1);
		igt_assert_eq(errno, EINVAL);
	}
	igt_assert_eq(client_bo_offset(fd, 0, &offset), -EBADF);
	igt_assert_eq(client_bo_offset(fd, args.handle + 1, &offset), -EBADF);
	igt_assert_eq(client_bo_offset(fd, args.handle, &offset), 0);
	igt_assert(mmap(NULL, MIB, PROT_READ, MAP_PRIVATE, fd, offset) == MAP_FAILED);
	igt_assert(mmap(NULL, 2 * MIB, PROT_READ, MAP_SHARED, fd, offset) == MAP_FAILED);
}

static const struct svm_case cases[] = {
	{ "vram", "GPU and CPU see each other's writes in VRAM", bo_vram },
	{ "system", "GPU and CPU see each other's writes in system memory", bo_system },
	{ "placement", "a buffer object is where it belongs, and fdinfo knows", bo_placement },
	{ "cleared", "VRAM is cleared before somebody gets it", bo_cleared },
	{ "cleared-system", "so is system memory", cleared_system },
	{ "oversubscribe", "eviction keeps the content", bo_oversubscribe },
	{ "two-of-one", "a command whose operands do not fit in together", two_of_one },
	{ "evict-all", "all of VRAM is evicted, and comes back on use", evict_all },
	{ "evict-busy", "eviction under a running job loses no write", evict_busy },
	{ "bind-part", "a part is bound, besides the whole", bind_part },
	{ "unbind", "no engine reaches what was unbound", bo_unbind },
	{ "unbound", "addresses with nothing bound fault", bo_unbound },
	{ "close-handle", "a binding outlives the handle", close_handle },
	{ "close-bound", "a file is closed with buffer objects in use", close_bound },
	{ "other-file", "handles and addresses are of one file", other_file },
	{ "debugger", "a debugger sees VRAM as the GPU does", bo_debugger },
	{ "create-invalid", "every bad argument of BO_CREATE", create_invalid },
	{ "bind-invalid", "every bad argument of BO_BIND", bind_invalid },
	{ "unbind-invalid", "every bad argument of BO_UNBIND", unbind_invalid },
	{ "mmap-invalid", "every bad argument of BO_MMAP", mmap_invalid },
};

int igt_main()
{
	igt_fixture()
		svm_module_load("vram_mb=64");

	svm_cases(cases);

	igt_fixture()
		svm_module_reset();
}
