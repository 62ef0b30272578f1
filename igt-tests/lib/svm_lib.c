// SPDX-License-Identifier: MIT
/*
 * C library of the tests: the device, jobs, memory of the process.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/magic.h>

#include "igt.h"
#include "svm_job.h"
#include "svm_lib.h"
#include "svm_random.h"

/* Only a job that hangs takes as long: the emulator may stall a processor for a minute */
#define SVM_TIMEOUT_NS	(110ll * NSEC_PER_SEC)

/* Device */

/* $SVM_BACKEND: who manages shared memory, as the module's parameter says it */
static int modprobe(const char *params)
{
	const char *backend = getenv("SVM_BACKEND");
	char command[512];
	int status;

	snprintf(command, sizeof(command), "exec modprobe %s %s%s %s", CLIENT_DRIVER,
		 backend ? "backend=" : "", backend ?: "", params ? params : "");
	status = system(command);

	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ENODEV;
}

int __svm_open(unsigned int index)
{
	int fd = client_open(index);

	/* Loaded with fewer devices, or with other parameters: leave it alone */
	if (fd >= 0 || !access("/sys/module/" CLIENT_DRIVER, F_OK))
		return fd;

	return modprobe(NULL) ? -ENODEV : client_open(index);
}

int svm_open(void)
{
	int fd = __svm_open(0);

	igt_require_f(fd >= 0, "no device of %s\n", CLIENT_DRIVER);
	return fd;
}

int svm_open_index_attached(unsigned int index)
{
	int fd = __svm_open(index);

	igt_require_f(fd >= 0, "no device %u of %s\n", index, CLIENT_DRIVER);
	svm_attach(fd);
	return fd;
}

int svm_open_attached(void)
{
	return svm_open_index_attached(0);
}

int __svm_delete_module(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

static void unload(const char *name, int tries)
{
	int err;

	/* The last put of a closed file may still be on its way */
	do {
		err = __svm_delete_module(name);
		if (!err || err == -ENOENT)
			return;
		usleep(20000);
	} while (--tries);
	igt_assert_f(!err, "cannot unload %s: %s\n", name, strerror(-err));
}

void svm_module_unload(void)
{
	unload(CLIENT_DRIVER, 100);
}

void svm_helper_unload(void)
{
	svm_module_unload();
	unload("drm_svm", 250);
}

void svm_module_load(const char *params)
{
	svm_module_unload();
	igt_assert_f(!modprobe(params), "cannot load %s %s\n", CLIENT_DRIVER,
		     params ? params : "");
}

int svm_open_vram(void)
{
	svm_module_load("vram_mb=16");
	return svm_open_attached();
}

void svm_module_reset(void)
{
	svm_module_load(NULL);
}

/* Shared address space */

void svm_attach(int fd)
{
	struct drm_svm_attach args = {};

	igt_assert_eq(client_attach(fd, &args), 0);
	igt_assert_eq_u32(args.out_page_size, svm_page_size());
}

void svm_query(int fd, const void *addr, size_t size, uint32_t *pages)
{
	igt_assert_eq(client_query(fd, client_ptr(addr), size, 0, pages), 0);
}

uint32_t svm_query_page(int fd, const void *addr)
{
	uintptr_t page = (uintptr_t)addr & ~(svm_page_size() - 1);
	uint32_t state = 0;

	svm_query(fd, (void *)page, svm_page_size(), &state);
	return state;
}

void svm_counters(int fd, struct client_counts *c)
{
	igt_assert_eq(client_counters(fd, c), 0);
}

void svm_info(int fd, struct drm_svm_test_info *info)
{
	igt_assert_eq(client_info(fd, info), 0);
}

struct drm_svm_vram_info svm_vram_info(int fd)
{
	struct drm_svm_vram_info info;

	igt_assert_eq(client_vram_info(fd, &info), 0);
	return info;
}

/* Jobs */

uint64_t svm_submit(int fd, const struct drm_svm_test_cmd *cmds, uint32_t n)
{
	uint64_t job;

	igt_assert_eq(client_submit_cmds(fd, cmds, n, &job), 0);
	return job;
}

void svm_wait(int fd, uint64_t job, struct drm_svm_test_wait *result)
{
	igt_assert_eq(client_wait(fd, job, SVM_TIMEOUT_NS, result), 0);
	igt_assert_f(result->out_status >= DRM_SVM_TEST_STATUS_OK &&
		     result->out_status <= DRM_SVM_TEST_STATUS_TIMEOUT,
		     "job ended with status %u\n", result->out_status);
	igt_assert_f((result->out_status == DRM_SVM_TEST_STATUS_OK) == !result->out_errno,
		     "status %u, but errno %u\n", result->out_status, result->out_errno);
}

int __svm_run(int fd, const struct drm_svm_test_cmd *cmd)
{
	struct drm_svm_test_wait result;

	svm_wait(fd, svm_submit(fd, cmd, 1), &result);
	return -(int)result.out_errno;
}

void svm_run(int fd, const struct drm_svm_test_cmd *cmd)
{
	igt_assert_eq(__svm_run(fd, cmd), 0);
}

/* Shorthands */

int __svm_gpu_read32(int fd, const void *addr, uint32_t *value)
{
	return __svm_gpu_copy(fd, value, addr, sizeof(*value));
}

uint32_t svm_gpu_read32(int fd, const void *addr)
{
	uint32_t value = 0;

	igt_assert_eq(__svm_gpu_read32(fd, addr, &value), 0);
	return value;
}

int __svm_gpu_write32(int fd, void *addr, uint32_t value)
{
	return __svm_gpu_fill(fd, addr, sizeof(value), value);
}

void svm_gpu_write32(int fd, void *addr, uint32_t value)
{
	igt_assert_eq(__svm_gpu_write32(fd, addr, value), 0);
}

void svm_assert_works(int fd)
{
	uint32_t *page = svm_mmap_anon(svm_page_size());

	svm_gpu_write32(fd, page, 0x600d);
	igt_assert_eq_u32(READ_ONCE(*page), 0x600d);
	munmap(page, svm_page_size());
}

int __svm_gpu_fill(int fd, void *dst, size_t size, uint32_t value)
{
	struct drm_svm_test_cmd cmd = svm_cmd_fill(dst, size, value);

	return __svm_run(fd, &cmd);
}

void svm_gpu_fill(int fd, void *dst, size_t size, uint32_t value)
{
	igt_assert_eq(__svm_gpu_fill(fd, dst, size, value), 0);
}

int __svm_gpu_copy(int fd, void *dst, const void *src, size_t size)
{
	struct drm_svm_test_cmd cmd = svm_cmd_copy(dst, src, size);

	return __svm_run(fd, &cmd);
}

void svm_gpu_copy(int fd, void *dst, const void *src, size_t size)
{
	igt_assert_eq(__svm_gpu_copy(fd, dst, src, size), 0);
}

int __svm_gpu_touch(int fd, const void *addr, size_t size, size_t stride, bool write)
{
	struct drm_svm_test_cmd cmd = svm_cmd_touch(addr, size, stride, write);

	return __svm_run(fd, &cmd);
}

void svm_gpu_touch(int fd, const void *addr, size_t size, size_t stride, bool write)
{
	igt_assert_eq(__svm_gpu_touch(fd, addr, size, stride, write), 0);
}

uint64_t svm_gpu_add(int fd, void *addr, uint64_t value, uint64_t count, bool is64)
{
	uint64_t old __attribute__((aligned(8))) = 0;
	struct drm_svm_test_cmd cmd = is64 ? svm_cmd_add64(addr, value, count) :
					     svm_cmd_add32(addr, value, count);

	cmd.result = client_ptr(&old);
	svm_run(fd, &cmd);
	return READ_ONCE(old);
}

/* CPU side */

size_t svm_page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

size_t svm_range_size(void)
{
	static size_t size;
	FILE *file;

	if (size)
		return size;
	file = fopen("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "r");
	if (!file || fscanf(file, "%zu", &size) != 1)
		size = svm_page_size() * (svm_page_size() / sizeof(uint64_t));
	if (file)
		fclose(file);
	return size;
}

void *svm_mmap_anon(size_t size)
{
	void *addr = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	igt_assert(addr != MAP_FAILED);
	return addr;
}

void *svm_mmap_aligned(size_t size, size_t align)
{
	uintptr_t base = (uintptr_t)svm_mmap_anon(size + align);
	uintptr_t addr = (base + align - 1) & ~(align - 1);
	uintptr_t tail = addr + size;

	if (addr > base)
		igt_assert_eq(munmap((void *)base, addr - base), 0);
	if (base + size + align > tail)
		igt_assert_eq(munmap((void *)tail, base + size + align - tail), 0);
	return (void *)addr;
}

bool svm_cpu_all32(const void *addr, size_t size, uint32_t value)
{
	const uint32_t *word = addr;

	for (size_t i = 0; i < size / sizeof(*word); i++) {
		if (READ_ONCE(word[i]) == value)
			continue;
		igt_info("%p (word %zu): %#x, not %#x\n", &word[i], i, word[i], value);
		return false;
	}
	return true;
}

uint64_t svm_rss_kb(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	uint64_t kb = 0;
	char line[256];

	igt_assert(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "VmRSS: %" SCNu64, &kb) == 1)
			break;
	fclose(file);
	return kb;
}

/* Is @line the head of the VMA with @addr? -1: no head at all */
static int vma_holds(const char *line, uintptr_t addr)
{
	uintptr_t start, end;

	if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &start, &end) != 2)
		return -1;
	return addr >= start && addr < end;
}

uint64_t svm_smaps_kb(const void *addr, const char *field)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	size_t len = strlen(field);
	char line[512];
	uint64_t kb = 0;
	bool in = false;

	igt_assert(file);
	while (fgets(line, sizeof(line), file)) {
		int holds = vma_holds(line, (uintptr_t)addr);

		if (holds >= 0)
			in = holds;
		else if (in && !strncmp(line, field, len) && line[len] == ':')
			kb = strtoull(line + len + 1, NULL, 10);
	}
	fclose(file);
	return kb;
}

static bool read_u64(const char *path, uint64_t index, uint64_t *value)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t ret;

	if (fd < 0)
		return false;
	ret = pread(fd, value, sizeof(*value), index * sizeof(*value));
	close(fd);
	return ret == sizeof(*value);
}

uint64_t svm_pagemap(const void *addr)
{
	uint64_t entry = 0;

	igt_assert(read_u64("/proc/self/pagemap",
			    (uintptr_t)addr / svm_page_size(), &entry));
	return entry;
}

uint64_t svm_kpageflags(const void *addr)
{
	uint64_t entry = svm_pagemap(addr), flags = 0;

	/* Bit 63: present; the low 55 bits are the frame, for root only */
	if (!(entry >> 63))
		return 0;
	igt_require_f(read_u64("/proc/kpageflags", entry & ((1ull << 55) - 1), &flags),
		      "no /proc/kpageflags\n");
	return flags;
}

/* Environment */

/*
 * Where one processor translates code that another is patching, QEMU's software emulation
 * may keep the old translation, and the kernel dies of an int3 some time later. The debug
 * kernel is built so that it patches no branches.
 */
void svm_require_patching(void)
{
	static const char patches_nothing[] =
		"zgrep -qs '^# CONFIG_JUMP_LABEL is not set' /proc/config.gz";

	igt_require_f(sysconf(_SC_NPROCESSORS_ONLN) == 1 || !system(patches_nothing),
		      "the kernel would patch its code\n");
}

bool svm_has_lockdep(void)
{
	return !access("/proc/lockdep", F_OK);
}

int svm_log_open(void)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	igt_require_fd(log);
	lseek(log, 0, SEEK_END);
	return log;
}

unsigned int svm_log_count(int log, const char *text)
{
	unsigned int lines = 0;
	char line[8192];
	ssize_t len;

	while ((len = read(log, line, sizeof(line) - 1)) > 0 || errno == EPIPE) {
		if (len <= 0)
			continue;
		line[len] = '\0';
		lines += !!strstr(line, text);
	}
	return lines;
}

void svm_swap_on(void)
{
	const char *dev = getenv("SVM_SWAP_DEV");

	igt_require_f(dev && *dev, "SVM_SWAP_DEV names no swap device\n");
	igt_require_f(!swapon(dev, 0) || errno == EBUSY, "cannot use %s: %s\n",
		      dev, strerror(errno));
}

void svm_swap_off(void)
{
	const char *dev = getenv("SVM_SWAP_DEV");

	igt_assert(dev && !swapoff(dev));
}

const char *svm_scratch_dir(void)
{
	const char *dir = getenv("SVM_SCRATCH_DIR");
	struct statfs fs;

	if (!dir || !*dir)
		dir = "/mnt/scratch";
	igt_require_f(!statfs(dir, &fs), "no directory %s\n", dir);
	igt_require_f(fs.f_type != TMPFS_MAGIC && fs.f_type != RAMFS_MAGIC &&
		      !access(dir, W_OK), "%s is not on a disk\n", dir);
	return dir;
}
