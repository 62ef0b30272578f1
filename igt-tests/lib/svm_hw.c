// SPDX-License-Identifier: MIT

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "igt.h"
#include "svm_hw.h"
#include "svm_mem.h"

void svm_hw_path(int fd, const char *name, char *path, size_t size)
{
	struct stat st;

	igt_assert_eq(fstat(fd, &st), 0);
	snprintf(path, size, "/sys/kernel/debug/dri/%u/%s", minor(st.st_rdev), name);
}

int svm_hw_open(int fd, const char *name, int flags)
{
	char path[96];
	int file;

	svm_hw_path(fd, name, path, sizeof(path));
	file = open(path, flags | O_CLOEXEC);
	igt_require_f(file >= 0, "%s: %s\n", path, strerror(errno));
	return file;
}

int __svm_hw_put(int file, const char *value)
{
	return write(file, value, strlen(value)) == (ssize_t)strlen(value) ? 0 : -errno;
}

int __svm_hw_write(int fd, const char *name, const char *value)
{
	int file = svm_hw_open(fd, name, O_WRONLY), err = __svm_hw_put(file, value);

	close(file);
	return err;
}

void svm_hw_write(int fd, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	igt_assert_eq(__svm_hw_write(fd, name, text), 0);
}

static void read_text(int fd, const char *name, char *text, size_t size)
{
	int file = svm_hw_open(fd, name, O_RDONLY);
	ssize_t len = read(file, text, size - 1);

	igt_assert_lte(0, len);
	text[len] = '\0';
	close(file);
}

void svm_hw_fail_copy(int fd, unsigned int skip, unsigned int jobs)
{
	/* Only counted down while there is something to fail */
	svm_hw_write(fd, "inject/fail_copy", 0);
	svm_hw_write(fd, "inject/fail_copy_skip", skip);
	svm_hw_write(fd, "inject/fail_copy", jobs);
}

uint64_t svm_hw_resident(int fd, const char *key)
{
	char text[256], *at;

	read_text(fd, "inject/resident", text, sizeof(text));
	at = strstr(text, key);
	igt_assert(at && at[strlen(key)] == ':');
	return strtoull(at + strlen(key) + 1, NULL, 10);
}

int64_t svm_hw_offset(int fd, const void *addr)
{
	char text[24];
	int err;

	snprintf(text, sizeof(text), "%" PRIuPTR, (uintptr_t)addr);
	err = __svm_hw_write(fd, "inject/offset", text);
	if (err)
		return err;
	read_text(fd, "inject/offset", text, sizeof(text));
	return strtoll(text, NULL, 10);
}

void svm_hw_unplug(int fd, enum svm_hw_unplug how)
{
	svm_hw_write(fd, "unplug", how);
}

char *svm_hw_memory(int fd, size_t size, bool vram)
{
	char *base = svm_mmap_small(size);

	/* More than any test can use up */
	if (!vram)
		svm_hw_write(fd, "inject/fail_alloc", 1000000);
	svm_gpu_fill(fd, base, size, SVM_HW_MAGIC);
	igt_assert_eq(svm_vram_pages(fd, base, size), vram ? size / svm_page_size() : 0);
	return base;
}

static bool stack_has(const char *path, const char *function)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	char text[8192] = "";
	ssize_t len;

	if (file < 0)
		return false;
	len = read(file, text, sizeof(text) - 1);
	close(file);
	return len > 0 && strstr(text, function);
}

bool svm_hw_waits_in(const char *function)
{
	bool found = false;
	glob_t list;

	igt_require_f(stack_has("/proc/self/stack", "stack"), "no stacks in /proc\n");
	igt_assert_eq(glob("/proc/[0-9]*/stack", 0, NULL, &list), 0);
	for (size_t i = 0; i < list.gl_pathc && !found; i++)
		found = stack_has(list.gl_pathv[i], function);
	globfree(&list);
	return found;
}

static sigjmp_buf bus_env;

static void on_bus(int sig)
{
	siglongjmp(bus_env, 1);
}

bool svm_hw_load(const volatile void *addr, uint32_t *value)
{
	struct sigaction bus = { .sa_handler = on_bus }, old;
	volatile bool ok = false;

	igt_assert_eq(sigaction(SIGBUS, &bus, &old), 0);
	if (!sigsetjmp(bus_env, 1)) {
		*value = *(const volatile uint32_t *)addr;
		ok = true;
	}
	igt_assert_eq(sigaction(SIGBUS, &old, NULL), 0);
	return ok;
}

bool svm_hw_all_lost(const char *base, size_t size)
{
	uint32_t value;

	for (size_t at = 0; at < size; at += svm_page_size())
		if (svm_hw_load(base + at, &value))
			return false;
	return true;
}
