// SPDX-License-Identifier: MIT
/*
 * Each kind of memory that a program can have.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#include "igt.h"
#include "svm_job.h"
#include "svm_kind.h"
#include "svm_mem.h"

#define KIB		1024
#define MIB		(1024 * KIB)
#define MTHP_SIZE	(64 * KIB)
#define MTHP_ENABLED	"/sys/kernel/mm/transparent_hugepage/hugepages-64kB/enabled"
#define SHMEM_ENABLED	"/sys/kernel/mm/transparent_hugepage/shmem_enabled"
#define TMPFS_DIR	"/dev/shm"

/*
 * Aligned to what comes home with a page that the CPU touches, so that its neighbours, which
 * the program uses, bring none of it home.
 */
static uint32_t in_data[SVM_KIND_SIZE / sizeof(uint32_t)] __attribute__((aligned(65536))) = { 1 };
static char in_bss[SVM_KIND_SIZE + 2 * SVM_MARGIN] __attribute__((aligned(16)));

static void make_malloc(struct svm_mem *mem, const struct svm_kind *kind)
{
	mem->addr = malloc(mem->size);
	igt_assert(mem->addr);
}

static void make_malloc_unaligned(struct svm_mem *mem, const struct svm_kind *kind)
{
	make_malloc(mem, kind);
	mem->addr = (char *)mem->addr + 3;
	mem->size -= 2 * sizeof(uint32_t);
}

static void make_stack(struct svm_mem *mem, const struct svm_kind *kind)
{
	mem->addr = mem->local + SVM_STACK_MARGIN;
}

static void make_data(struct svm_mem *mem, const struct svm_kind *kind)
{
	mem->addr = in_data;
}

static void make_bss(struct svm_mem *mem, const struct svm_kind *kind)
{
	mem->addr = in_bss + SVM_MARGIN;
}

static void make_brk(struct svm_mem *mem, const struct svm_kind *kind)
{
	mem->addr = sbrk(mem->size);
	igt_assert(mem->addr != (void *)-1);
}

static void make_anon(struct svm_mem *mem, const struct svm_kind *kind)
{
	mem->addr = mmap(NULL, mem->size, PROT_READ | PROT_WRITE,
			 MAP_ANONYMOUS | kind->flags, -1, 0);
	igt_require_f(mem->addr != MAP_FAILED, "mmap: %s\n", strerror(errno));
	mem->map = mem->addr;
	mem->map_size = mem->size;
}

static void make_anon_exec(struct svm_mem *mem, const struct svm_kind *kind)
{
	make_anon(mem, kind);
	igt_require(!mprotect(mem->addr, mem->size, PROT_READ | PROT_WRITE | PROT_EXEC));
}

static void make_file(struct svm_mem *mem, const struct svm_kind *kind)
{
	int fd = kind->file(mem->size);

	mem->addr = mmap(NULL, mem->size, PROT_READ | PROT_WRITE, kind->flags, fd, 0);
	igt_assert(mem->addr != MAP_FAILED);
	mem->map = mem->addr;
	mem->map_size = mem->size;
	close(fd);
}

static int file_memfd(size_t size)
{
	return svm_memfd(size);
}

static int file_tmpfs(size_t size)
{
	return svm_tmpfile(TMPFS_DIR, size);
}

static int file_disk(size_t size)
{
	return svm_tmpfile(svm_scratch_dir(), size);
}

/* The page cache holds the pages before anything is mapped */
static int file_disk_cached(size_t size)
{
	int fd = file_disk(size);
	char *zeroes = calloc(1, size);

	igt_assert(zeroes && write(fd, zeroes, size) == (ssize_t)size);
	igt_assert(!fsync(fd));
	free(zeroes);
	return fd;
}

/* Anonymous, but has a file */
static int file_dev_zero(size_t size)
{
	int fd = open("/dev/zero", O_RDWR | O_CLOEXEC);

	igt_assert(fd >= 0);
	return fd;
}

static int file_hugetlb(size_t size)
{
	int fd;

	svm_hugetlb_reserve(size);
	fd = memfd_create("svm", MFD_CLOEXEC | MFD_HUGETLB);
	igt_require_fd(fd);
	igt_assert(!ftruncate(fd, size));
	return fd;
}

static void make_hugetlb(struct svm_mem *mem, const struct svm_kind *kind)
{
	svm_hugetlb_reserve(mem->size);
	make_anon(mem, kind);
}

static void make_thp(struct svm_mem *mem, const struct svm_kind *kind)
{
	mem->addr = svm_mmap_thp(mem->size);
	mem->map = mem->addr;
	mem->map_size = mem->size;
}

/* May become huge pages in the GPU's fault, as no page is there yet */
static void make_thp_fault(struct svm_mem *mem, const struct svm_kind *kind)
{
	mem->addr = svm_mmap_aligned(mem->size, svm_range_size());
	igt_require(!madvise(mem->addr, mem->size, MADV_HUGEPAGE));
	mem->map = mem->addr;
	mem->map_size = mem->size;
}

static void make_mthp(struct svm_mem *mem, const struct svm_kind *kind)
{
	igt_require_f(svm_sys_set(MTHP_ENABLED, "always"), "no huge pages of 64 KiB\n");
	mem->addr = svm_mmap_aligned(mem->size, svm_range_size());
	mem->map = mem->addr;
	mem->map_size = mem->size;
}

static void make_shmem_thp(struct svm_mem *mem, const struct svm_kind *kind)
{
	igt_require(svm_sys_set(SHMEM_ENABLED, "advise"));
	mem->addr = svm_mmap_fd(svm_memfd(mem->size), mem->size, MAP_SHARED);
	igt_require(!madvise(mem->addr, mem->size, MADV_HUGEPAGE));
	memset(mem->addr, 0, mem->size);
	igt_require_f(svm_smaps_kb(mem->addr, "ShmemPmdMapped") >= mem->size / KIB,
		      "no huge pages in tmpfs\n");
	mem->map = mem->addr;
	mem->map_size = mem->size;
}

static void make_sysv_shm(struct svm_mem *mem, const struct svm_kind *kind)
{
	int id = shmget(IPC_PRIVATE, mem->size, IPC_CREAT | 0600);

	igt_require(id >= 0);
	mem->addr = shmat(id, NULL, 0);
	shmctl(id, IPC_RMID, NULL);
	igt_assert(mem->addr != (void *)-1);
}

static void make_locked(struct svm_mem *mem, const struct svm_kind *kind)
{
	make_anon(mem, kind);
	igt_require(!mlock(mem->addr, mem->size));
}

/* Four mappings of four kinds, side by side in one range, none of it touched */
static void make_mixed(struct svm_mem *mem, const struct svm_kind *kind)
{
	const int rw = PROT_READ | PROT_WRITE;
	size_t part = svm_range_size() / 4;
	char *addr;

	mem->size = 4 * part;
	addr = svm_mmap_small(mem->size);
	svm_mmap_fixed(addr + part, part, rw, MAP_SHARED, svm_memfd(part));
	svm_mmap_fixed(addr + 2 * part, part, rw, MAP_PRIVATE, file_tmpfs(part));
	svm_mmap_fixed(addr + 3 * part, part, rw, MAP_SHARED, file_disk(part));
	mem->addr = addr;
	mem->map = addr;
	mem->map_size = mem->size;
}

/* Also what follows one range and begins the next */
static void make_two_ranges(struct svm_mem *mem, const struct svm_kind *kind)
{
	size_t range = svm_range_size();

	mem->map_size = 2 * range;
	mem->map = svm_mmap_small(mem->map_size);
	mem->addr = (char *)mem->map + range - mem->size / 2;
}

/* The range that holds it sticks out of the address space */
static void make_last_page(struct svm_mem *mem, const struct svm_kind *kind)
{
	uintptr_t end = (1ul << 47) - svm_page_size();
	void *addr = (void *)(end - svm_page_size());

	mem->addr = mmap(addr, svm_page_size(), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	igt_require_f(mem->addr == addr, "last page is in use\n");
	mem->map = mem->addr;
	mem->map_size = svm_page_size();
}

static void make_first_page(struct svm_mem *mem, const struct svm_kind *kind)
{
	long min = svm_sys_get("/proc/sys/vm/mmap_min_addr");
	void *addr;

	igt_require(min > 0);
	addr = (void *)min;
	mem->addr = mmap(addr, svm_page_size(), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	igt_require_f(mem->addr == addr, "first page is in use\n");
	mem->map = mem->addr;
	mem->map_size = svm_page_size();
}

const struct svm_kind svm_kinds[] = {
	{ "malloc-small", make_malloc, .size = 40 },
	{ "malloc-unaligned", make_malloc_unaligned, .size = 10000 },
	{ "malloc-huge", make_malloc, .size = 16 * MIB },
	{ "stack", make_stack },
	{ "data", make_data },
	{ "bss", make_bss },
	{ "brk", make_brk },
	{ "anon-private", make_anon, MAP_PRIVATE },
	{ "anon-shared", make_anon, MAP_SHARED },
	{ "anon-exec", make_anon_exec, MAP_PRIVATE },
	{ "anon-populated", make_anon, MAP_PRIVATE | MAP_POPULATE },
	{ "anon-noreserve", make_anon, MAP_PRIVATE | MAP_NORESERVE },
	{ "anon-locked", make_locked, MAP_PRIVATE },
	{ "dev-zero-private", make_file, MAP_PRIVATE, file_dev_zero },
	{ "memfd-private", make_file, MAP_PRIVATE, file_memfd },
	{ "memfd-shared", make_file, MAP_SHARED, file_memfd },
	{ "sysv-shm", make_sysv_shm },
	{ "tmpfs-private", make_file, MAP_PRIVATE, file_tmpfs },
	{ "tmpfs-shared", make_file, MAP_SHARED, file_tmpfs },
	{ "disk-private", make_file, MAP_PRIVATE, file_disk },
	{ "disk-shared", make_file, MAP_SHARED, file_disk },
	{ "disk-cached-private", make_file, MAP_PRIVATE, file_disk_cached },
	{ "disk-cached-shared", make_file, MAP_SHARED, file_disk_cached },
	{ "hugetlb-private", make_hugetlb, MAP_PRIVATE | MAP_HUGETLB, .size = 4 * MIB },
	{ "hugetlb-shared", make_hugetlb, MAP_SHARED | MAP_HUGETLB, .size = 4 * MIB },
	{ "hugetlb-memfd", make_file, MAP_SHARED, file_hugetlb, .size = 4 * MIB },
	{ "thp", make_thp, .size = 4 * MIB },
	{ "thp-fault", make_thp_fault, .size = 4 * MIB },
	{ "mthp-64k", make_mthp, .size = 8 * MTHP_SIZE },
	{ "shmem-thp", make_shmem_thp, .size = 4 * MIB },
	{ "mixed-mappings", make_mixed },
	{ "two-ranges", make_two_ranges },
	{ "last-page", make_last_page, .size = 4 * KIB },
	{ "first-page", make_first_page, .size = 4 * KIB },
};

const size_t svm_num_kinds = ARRAY_SIZE(svm_kinds);

struct svm_mem svm_kind_make(const struct svm_kind *kind, void *local)
{
	struct svm_mem mem = {
		.size = kind->size ? kind->size : SVM_KIND_SIZE,
		.local = local,
	};

	kind->make(&mem, kind);
	return mem;
}

void svm_kind_free(struct svm_mem *mem)
{
	if (mem->map)
		igt_assert(!munmap(mem->map, mem->map_size));
}
