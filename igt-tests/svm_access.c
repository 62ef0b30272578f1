// SPDX-License-Identifier: MIT
/*
 * What the GPU must not reach: each access ends its job with the errno that
 * drm_svm.h names for it, maps nothing and leaves the rest of the address space
 * as usable as before.
 */

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "igt.h"
#include "svm_mem.h"

/* Last, for IGT's headers refuse to be included after one that defines _AC() */
#include <linux/kvm.h>

IGT_TEST_DESCRIPTION("GPU access to memory that it must not or cannot reach.");

#ifndef SYS_memfd_secret
#define SYS_memfd_secret	447
#endif
#ifndef KVM_CREATE_GUEST_MEMFD
struct kvm_create_guest_memfd {
	uint64_t size;
	uint64_t flags;
	uint64_t reserved[6];
};

#define KVM_CREATE_GUEST_MEMFD	_IOWR(KVMIO, 0xd4, struct kvm_create_guest_memfd)
#endif
#define GMEM_FLAG_MMAP		(1ull << 0)
#define GMEM_FLAG_INIT_SHARED	(1ull << 1)

#define BIOS_ROM		0xf0000
#define MAGIC			0x5eed5eedu

static int gpu_access(int fd, const void *addr, bool write)
{
	return __svm_gpu_touch(fd, addr, sizeof(uint32_t), sizeof(uint32_t), write);
}

/* The file still serves accesses to other memory. */
static void check_alive(int fd)
{
	uint32_t *good = svm_mmap_anon(svm_page_size());

	svm_gpu_write32(fd, good, MAGIC);
	igt_assert_eq_u32(*good, MAGIC);
	munmap(good, svm_page_size());
}

static void check_refused(int fd, const void *addr, bool write, int err)
{
	igt_assert_eq(gpu_access(fd, addr, write), -err);
	igt_assert_eq_u32(svm_query_page(fd, addr), 0);
	check_alive(fd);
}

static void *map_prot(int prot)
{
	void *addr = svm_mmap_anon(svm_page_size());

	igt_assert(!mprotect(addr, svm_page_size(), prot));
	return addr;
}

static void prot_none_read(int fd)
{
	check_refused(fd, map_prot(PROT_NONE), false, EACCES);
}

static void prot_none_write(int fd)
{
	check_refused(fd, map_prot(PROT_NONE), true, EACCES);
}

static void exec_only_read(int fd)
{
	check_refused(fd, map_prot(PROT_EXEC), false, EACCES);
}

static void exec_only_write(int fd)
{
	check_refused(fd, map_prot(PROT_EXEC), true, EACCES);
}

static uint32_t *map_read_only(void)
{
	uint32_t *addr = svm_mmap_anon(svm_page_size());

	svm_pattern(addr, svm_page_size(), MAGIC);
	igt_assert(!mprotect(addr, svm_page_size(), PROT_READ));
	return addr;
}

static void read_only_read(int fd)
{
	uint32_t *addr = map_read_only();

	igt_assert(svm_gpu_pattern_ok(fd, addr, svm_page_size(), MAGIC));
	igt_assert_eq_u32(svm_prot(fd, addr), SVM_RO);
}

static void read_only_write(int fd)
{
	uint32_t *addr = map_read_only();

	igt_assert_eq(__svm_gpu_fill(fd, addr, svm_page_size(), 0), -EACCES);
	igt_assert(svm_pattern_ok(addr, svm_page_size(), MAGIC));
	igt_assert(!(svm_prot(fd, addr) & DRM_SVM_PAGE_WRITE));
}

/* A read made the page present: the write must be refused all the same */
static void read_only_read_then_write(int fd)
{
	uint32_t *addr = map_read_only();

	svm_gpu_read32(fd, addr);
	igt_assert_eq(__svm_gpu_write32(fd, addr, 0), -EACCES);
	igt_assert(svm_pattern_ok(addr, svm_page_size(), MAGIC));
}

static void read_only_file_write(int fd)
{
	int file = svm_tmpfile(svm_scratch_dir(), svm_page_size());
	void *addr = mmap(NULL, svm_page_size(), PROT_READ, MAP_SHARED, file, 0);

	igt_assert(addr != MAP_FAILED);
	igt_assert_eq(gpu_access(fd, addr, true), -EACCES);
	igt_assert_eq(gpu_access(fd, addr, false), 0);
	igt_assert_eq_u32(svm_prot(fd, addr), SVM_RO);
	close(file);
}

static void text_write(int fd)
{
	const void *text = (const void *)(uintptr_t)check_alive;

	igt_assert_eq(gpu_access(fd, (void *)((uintptr_t)text & ~3ul), true), -EACCES);
}

static void text_read(int fd)
{
	const char *text = (const char *)(uintptr_t)check_alive;
	char copy[64];

	svm_gpu_copy(fd, copy, text, sizeof(copy));
	igt_assert(!memcmp(copy, text, sizeof(copy)));
}

/* Fault-around must neither widen nor lose the permissions of single pages */
static void access_alternating(int fd)
{
	const int prots[] = { PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE };
	const int read_err[] = { 0, 0, -EACCES }, write_err[] = { 0, -EACCES, -EACCES };
	char *base = svm_mmap_small(svm_range_size());
	unsigned int i;

	memset(base, 1, svm_range_size());
	for (i = 0; i < 48; i++)
		igt_assert(!mprotect(svm_page(base, i), svm_page_size(), prots[i % 3]));
	for (i = 0; i < 48; i++) {
		igt_assert_eq(gpu_access(fd, svm_page(base, i), false), read_err[i % 3]);
		igt_assert_eq(gpu_access(fd, svm_page(base, i), true), write_err[i % 3]);
	}
}

/* The result names the page; what lies before it has been written, nothing else */
static void result_names_page(int fd)
{
	size_t page = svm_page_size();
	char *base = svm_mmap_small(svm_range_size());
	struct drm_svm_test_cmd cmd = {
		.op = DRM_SVM_TEST_OP_FILL,
		.dst = (uintptr_t)base,
		.size = 4 * page,
		.arg0 = MAGIC,
	};
	struct drm_svm_test_wait result;

	memset(base, 0, 4 * page);
	igt_assert(!mprotect(base + 2 * page, page, PROT_READ));
	svm_wait(fd, svm_submit(fd, &cmd, 1), &result);
	igt_assert_eq_u32(result.out_status, DRM_SVM_TEST_STATUS_FAULT);
	igt_assert_eq_u32(result.out_errno, EACCES);
	igt_assert_eq_u32(result.out_cmd, 0);
	igt_assert_eq_u64(result.out_addr & ~(page - 1), (uintptr_t)base + 2 * page);
	igt_assert(svm_cpu_all32(base, 2 * page, MAGIC));
	igt_assert(svm_cpu_all32(base + 2 * page, 2 * page, 0));
}

static void *make_hole(void)
{
	char *base = svm_mmap_small(svm_range_size());
	void *hole = svm_page(base, 7);

	memset(base, 1, svm_range_size());
	igt_assert(!munmap(hole, svm_page_size()));
	return hole;
}

static void hole_read(int fd)
{
	check_refused(fd, make_hole(), false, ENOENT);
}

static void hole_write(int fd)
{
	check_refused(fd, make_hole(), true, ENOENT);
}

static void null_read(int fd)
{
	check_refused(fd, NULL, false, ENOENT);
}

static void hole_range(int fd)
{
	void *base = svm_mmap_small(svm_range_size());

	igt_assert(!munmap(base, svm_range_size()));
	check_refused(fd, base, true, ENOENT);
}

/* No errno is promised, but an end of the job, and a device that goes on */
static void beyond_end(int fd)
{
	struct drm_svm_attach args = {};
	const uint64_t beyond[] = {
		(1ull << 47) - svm_page_size(), 1ull << 47, 1ull << 63, -8ull,
	};
	int other = svm_open();
	unsigned int i;

	igt_assert_eq(client_attach(other, &args), 0);
	igt_assert(gpu_access(other, (void *)(uintptr_t)args.out_va_end, true) != 0);
	for (i = 0; i < sizeof(beyond) / sizeof(*beyond); i++)
		igt_assert(gpu_access(other, (void *)(uintptr_t)beyond[i], false) != 0);
	check_alive(other);
	close(other);
	check_alive(fd);
}

static void *special_mapping(const char *name)
{
	uintptr_t start, end;

	igt_require_f(svm_vma_named(name, &start, &end), "no %s\n", name);
	return (void *)start;
}

static void access_vvar(int fd)
{
	check_refused(fd, special_mapping("[vvar]"), false, EOPNOTSUPP);
}

static void vvar_vclock(int fd)
{
	check_refused(fd, special_mapping("[vvar_vclock]"), false, EOPNOTSUPP);
}

/* Ordinary pages that the kernel maps into each program: these can be read */
static void access_vdso(int fd)
{
	const uint32_t *elf = special_mapping("[vdso]");

	igt_assert_eq_u32(svm_gpu_read32(fd, elf), *elf);
}

static void *map_dev_mem(int prot)
{
	int mem = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	void *addr;

	igt_require_fd(mem);
	addr = mmap(NULL, svm_page_size(), prot, MAP_SHARED, mem, BIOS_ROM);
	close(mem);
	igt_require_f(addr != MAP_FAILED, "/dev/mem: %s\n", strerror(errno));
	return addr;
}

static void dev_mem_read(int fd)
{
	check_refused(fd, map_dev_mem(PROT_READ), false, EOPNOTSUPP);
}

static void dev_mem_write(int fd)
{
	check_refused(fd, map_dev_mem(PROT_READ | PROT_WRITE), true, EOPNOTSUPP);
}

static void *map_first(const char *pattern)
{
	void *addr = MAP_FAILED;
	glob_t files;
	size_t i;

	igt_require_f(!glob(pattern, 0, NULL, &files), "no %s\n", pattern);
	for (i = 0; i < files.gl_pathc && addr == MAP_FAILED; i++) {
		int fd = open(files.gl_pathv[i], O_RDWR | O_CLOEXEC);

		if (fd < 0)
			continue;
		addr = mmap(NULL, svm_page_size(), PROT_READ | PROT_WRITE,
			    MAP_SHARED, fd, 0);
		close(fd);
	}
	globfree(&files);
	igt_require_f(addr != MAP_FAILED, "%s cannot be mapped\n", pattern);
	return addr;
}

static void pci_resource(int fd)
{
	check_refused(fd, map_first("/sys/bus/pci/devices/*/resource[0-5]"), false,
		      EOPNOTSUPP);
}

/* Device memory at one end of a range must not spoil the rest of it */
static void device_neighbour(int fd)
{
	char *base = svm_mmap_small(svm_range_size());
	void *device = map_dev_mem(PROT_READ);

	igt_assert(mremap(device, svm_page_size(), svm_page_size(),
			  MREMAP_MAYMOVE | MREMAP_FIXED, svm_page(base, 3)) != MAP_FAILED);
	svm_gpu_fill(fd, base, 3 * svm_page_size(), MAGIC);
	svm_gpu_fill(fd, svm_page(base, 4), 8 * svm_page_size(), MAGIC);
	igt_assert_eq(gpu_access(fd, svm_page(base, 3), false), -EOPNOTSUPP);
	igt_assert(svm_cpu_all32(svm_page(base, 4), 8 * svm_page_size(), MAGIC));
}

static int secret_file(size_t size)
{
	int secret = syscall(SYS_memfd_secret, 0);

	igt_require_f(secret >= 0, "memfd_secret: %s\n", strerror(errno));
	igt_assert(!ftruncate(secret, size));
	return secret;
}

static uint32_t *map_secret(void)
{
	int secret = secret_file(svm_page_size());
	uint32_t *addr = mmap(NULL, svm_page_size(), PROT_READ | PROT_WRITE,
			      MAP_SHARED, secret, 0);

	igt_require_f(addr != MAP_FAILED, "secret memory: %s\n", strerror(errno));
	close(secret);
	addr[0] = MAGIC;
	return addr;
}

static void secret_read(int fd)
{
	uint32_t *addr = map_secret(), copy = 0;

	igt_assert_eq(__svm_gpu_read32(fd, addr, &copy), -EOPNOTSUPP);
	igt_assert_eq_u32(copy, 0);
	check_refused(fd, addr, false, EOPNOTSUPP);
}

static void secret_write(int fd)
{
	uint32_t *addr = map_secret();

	check_refused(fd, addr, true, EOPNOTSUPP);
	igt_assert_eq_u32(*addr, MAGIC);
}

/* Not even the fault of a neighbour may map it */
static void secret_neighbour(int fd)
{
	char *base = svm_mmap_small(svm_range_size());
	uint32_t *secret = svm_page(base, 5);

	svm_mmap_fixed(secret, svm_page_size(), PROT_READ | PROT_WRITE, MAP_SHARED,
		       secret_file(svm_page_size()));
	secret[0] = MAGIC;
	svm_gpu_fill(fd, base, 5 * svm_page_size(), MAGIC);
	svm_gpu_fill(fd, svm_page(base, 6), 8 * svm_page_size(), MAGIC);
	igt_assert_eq_u32(svm_query_page(fd, secret), 0);
	/* nor one that takes all of the range that the CPU has */
	memset(svm_page(base, 100), 1, svm_page_size());
	memset(svm_page(base, 200), 1, svm_page_size());
	svm_gpu_fill(fd, svm_page(base, 100), svm_page_size(), MAGIC);
	igt_assert(svm_query_page(fd, svm_page(base, 200)));
	igt_assert_eq_u32(svm_query_page(fd, secret), 0);
	check_refused(fd, secret, false, EOPNOTSUPP);
}

static void *map_guest_memfd(void)
{
	struct kvm_create_guest_memfd args = {
		.size = svm_page_size(),
		.flags = GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED,
	};
	int kvm, vm, gmem;
	void *addr;

	svm_require_patching();		/* schedule() asks whether there are virtual machines */
	igt_require(!system("modprobe -q kvm_amd || modprobe -q kvm_intel"));
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	igt_require_fd(kvm);
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	igt_require_fd(vm);
	gmem = ioctl(vm, KVM_CREATE_GUEST_MEMFD, &args);
	igt_require_fd(gmem);
	addr = mmap(NULL, svm_page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, gmem, 0);
	igt_require(addr != MAP_FAILED);
	return addr;
}

static void guest_memfd(int fd)
{
	uint32_t *addr = map_guest_memfd();

	addr[0] = MAGIC;
	check_refused(fd, addr, false, EOPNOTSUPP);
	check_refused(fd, addr, true, EOPNOTSUPP);
}

static void *map_guarded(void)
{
	char *base = svm_mmap_small(svm_range_size());

	memset(base, 1, 16 * svm_page_size());
	igt_require_f(!madvise(svm_page(base, 4), svm_page_size(), MADV_GUARD_INSTALL),
		      "no guard regions\n");
	return base;
}

static void guard_read(int fd)
{
	check_refused(fd, svm_page(map_guarded(), 4), false, EFAULT);
}

static void guard_write(int fd)
{
	check_refused(fd, svm_page(map_guarded(), 4), true, EFAULT);
}

static void guard_neighbour(int fd)
{
	char *base = map_guarded();

	svm_gpu_fill(fd, base, 4 * svm_page_size(), MAGIC);
	svm_gpu_fill(fd, svm_page(base, 5), 4 * svm_page_size(), MAGIC);
	igt_assert_eq_u32(svm_query_page(fd, svm_page(base, 4)), 0);
}

static void guard_installed_later(int fd)
{
	char *base = svm_mmap_small(svm_range_size());

	svm_gpu_fill(fd, base, 16 * svm_page_size(), MAGIC);
	igt_require(!madvise(svm_page(base, 4), svm_page_size(), MADV_GUARD_INSTALL));
	check_refused(fd, svm_page(base, 4), false, EFAULT);
}

static void guard_removed(int fd)
{
	char *base = map_guarded();

	check_refused(fd, svm_page(base, 4), true, EFAULT);
	igt_assert(!madvise(svm_page(base, 4), svm_page_size(), MADV_GUARD_REMOVE));
	svm_gpu_write32(fd, svm_page(base, 4), MAGIC);
	igt_assert_eq_u32(*(uint32_t *)svm_page(base, 4), MAGIC);
}

/* The CPU's fault would grow the stack; the GPU's must not */
static void stack_gap(int fd)
{
	uintptr_t start, end, now;

	igt_assert(svm_vma_named("[stack]", &start, &end));
	check_refused(fd, (void *)(start - svm_page_size()), true, ENOENT);
	igt_assert(svm_vma_named("[stack]", &now, &end));
	igt_assert_eq_u64(now, start);
}

static void growsdown_gap(int fd)
{
	char *base = svm_mmap_small(svm_range_size());
	char *stack = base + svm_range_size() / 2;

	igt_assert(!munmap(base, svm_range_size() / 2));
	svm_mmap_fixed(stack, 2 * svm_page_size(), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1);
	svm_gpu_write32(fd, stack, MAGIC);
	check_refused(fd, stack - svm_page_size(), true, ENOENT);
}

static void past_end_of_file(int fd)
{
	int file = svm_tmpfile(svm_scratch_dir(), svm_page_size());
	char *addr = svm_mmap_fd(file, 4 * svm_page_size(), MAP_SHARED);

	check_refused(fd, svm_page(addr, 1), false, EFAULT);
	check_refused(fd, svm_page(addr, 1), true, EFAULT);
	svm_gpu_write32(fd, addr, MAGIC);
	close(file);
}

static const struct svm_case cases[] = {
	{ "prot-none-read", "PROT_NONE is not read.", prot_none_read },
	{ "prot-none-write", "PROT_NONE is not written.", prot_none_write },
	{ "exec-only-read", "Memory that can only be executed is not read.", exec_only_read },
	{ "exec-only-write", "Memory that can only be executed is not written.", exec_only_write },
	{ "read-only-read", "Read-only memory is read, and mapped without write access.",
	  read_only_read },
	{ "read-only-write", "Read-only memory is not written.", read_only_write },
	{ "read-only-read-then-write", "A read does not open the door for a write.",
	  read_only_read_then_write },
	{ "read-only-file-write", "A read-only mapping of a file is read, not written.",
	  read_only_file_write },
	{ "text-read", "Program text can be read.", text_read },
	{ "text-write", "Program text is not written.", text_write },
	{ "alternating", "Permissions that differ from page to page hold for each page.",
	  access_alternating },
	{ "result-names-page", "A job stops at the refused page and names it.",
	  result_names_page },
	{ "hole-read", "A page without a mapping is not read.", hole_read },
	{ "hole-write", "A page without a mapping is not written.", hole_write },
	{ "hole-range", "A range without any mapping is not written.", hole_range },
	{ "null-read", "The null page has no mapping.", null_read },
	{ "beyond-end", "Addresses past the end of user space fail.", beyond_end },
	{ "vvar", "Data of the kernel is not mirrored.", access_vvar },
	{ "vvar-vclock", "Memory mapped by frame number is not mirrored.", vvar_vclock },
	{ "vdso", "Code that the kernel maps by pages can be read.", access_vdso },
	{ "dev-mem-read", "A read of /dev/mem is refused.", dev_mem_read },
	{ "dev-mem-write", "A write of /dev/mem is refused.", dev_mem_write },
	{ "pci-resource", "The registers of a PCI device are refused.", pci_resource },
	{ "device-neighbour", "Pages around device memory stay usable.", device_neighbour },
	{ "secretmem-read", "Secret memory is not read.", secret_read },
	{ "secretmem-write", "Secret memory is not written.", secret_write },
	{ "secretmem-neighbour", "Pages around secret memory stay usable, it is not mapped.",
	  secret_neighbour },
	{ "guest-memfd", "Memory of a virtual machine (guest_memfd) is refused.", guest_memfd },
	{ "guard-read", "A guard region is not read.", guard_read },
	{ "guard-write", "A guard region is not written.", guard_write },
	{ "guard-neighbour", "Pages around a guard region stay usable.", guard_neighbour },
	{ "guard-installed-later", "A guard region takes a GPU mapping away.",
	  guard_installed_later },
	{ "guard-removed", "A guard region that is gone is memory again.", guard_removed },
	{ "stack-gap", "A GPU access below the stack does not grow it.", stack_gap },
	{ "growsdown-gap", "A GPU access does not grow a mapping that grows down.",
	  growsdown_gap },
	{ "past-end-of-file", "A mapping is unusable past the end of its file.",
	  past_end_of_file },
};

int igt_main()
{
	svm_cases(cases);
}
