// SPDX-License-Identifier: MIT

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "igt.h"
#include "svm_job.h"
#include "svm_mem.h"

#define MAX_SETTINGS	16
#define PATTERN_STEP	2654435761u
#define KSM		"/sys/kernel/mm/ksm/"

static struct setting {
	char path[128];
	char value[128];
} settings[MAX_SETTINGS];
static unsigned int num_settings;
static pid_t settings_owner;
static bool swap_is_on;

static bool read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return false;
	len = read(fd, text, size - 1);
	close(fd);
	if (len < 0)
		return false;
	text[len] = '\0';
	return true;
}

bool svm_sys_write(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return false;
	ok = write(fd, value, strlen(value)) == (ssize_t)strlen(value);
	close(fd);
	return ok;
}

long svm_sys_get(const char *path)
{
	char text[128];

	return read_text(path, text, sizeof(text)) ? strtol(text, NULL, 0) : -1;
}

/* "always [madvise] never" stands for "madvise" */
static void keep_chosen(char *text)
{
	char *open = strchr(text, '['), *close = strchr(text, ']');

	if (open && close > open) {
		*close = '\0';
		memmove(text, open + 1, close - open);
	}
	text[strcspn(text, "\n")] = '\0';
}

static void restore_at_exit(int sig)
{
	svm_sys_restore();
}

static void restore_later(void)
{
	if (!settings_owner)
		igt_install_exit_handler(restore_at_exit);
	settings_owner = getpid();
}

static bool setting_keep(const char *path)
{
	struct setting *s = &settings[num_settings];
	unsigned int i;

	for (i = 0; i < num_settings; i++)
		if (!strcmp(settings[i].path, path))
			return true;
	restore_later();
	igt_assert(num_settings < MAX_SETTINGS && strlen(path) < sizeof(s->path));
	if (!read_text(path, s->value, sizeof(s->value)))
		return false;
	keep_chosen(s->value);
	memcpy(s->path, path, strlen(path) + 1);
	num_settings++;
	return true;
}

bool svm_sys_set(const char *path, const char *value)
{
	return setting_keep(path) && svm_sys_write(path, value);
}

void svm_sys_restore(void)
{
	/* a child must not take back what its parent still works with */
	if (settings_owner != getpid())
		return;
	svm_cgroup_leave();
	if (swap_is_on)
		svm_swap_off();
	swap_is_on = false;
	while (num_settings) {
		struct setting *s = &settings[--num_settings];

		if (!svm_sys_write(s->path, s->value))
			igt_warn("cannot put %s back to %s\n", s->path, s->value);
	}
}

static void run_case(const struct svm_case *c, int (*open)(void))
{
	int fd;

	/* after one that failed */
	svm_close_leaked();
	svm_sys_restore();
	fd = open();
	c->run(fd);
	close(fd);
	svm_sys_restore();
}

void svm_run_cases(const struct svm_case *cases, size_t n, int (*open)(void))
{
	for (size_t i = 0; i < n; i++) {
		igt_describe(cases[i].describe);
		igt_subtest(cases[i].name)
			run_case(&cases[i], open);
	}
}

static void run_test(const struct svm_test *t)
{
	/* after one that failed */
	svm_close_leaked();
	svm_sys_restore();
	t->run();
	svm_sys_restore();
}

void svm_run_tests(const struct svm_test *tests, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		igt_describe(tests[i].describe);
		igt_subtest(tests[i].name)
			run_test(&tests[i]);
	}
}

void *svm_mmap_small(size_t size)
{
	void *addr = svm_mmap_aligned(size, svm_range_size());

	igt_assert(!madvise(addr, size, MADV_NOHUGEPAGE));
	return addr;
}

void *svm_mmap_untouched(size_t size, bool huge)
{
	void *addr;

	if (!huge)
		return svm_mmap_small(size);
	addr = svm_mmap_aligned(size, svm_range_size());
	igt_require(!madvise(addr, size, MADV_HUGEPAGE));
	return addr;
}

void *svm_mmap_thp(size_t size)
{
	void *addr = svm_mmap_untouched(size, true);

	memset(addr, 0, size);
	igt_require_f(svm_smaps_kb(addr, "AnonHugePages") >= size / 1024,
		      "no huge pages to be had\n");
	return addr;
}

void *svm_mmap_fixed(void *addr, size_t size, int prot, int flags, int fd)
{
	void *got = mmap(addr, size, prot, flags | MAP_FIXED, fd, 0);

	igt_assert(got == addr);
	return got;
}

void *svm_mmap_fd(int fd, size_t size, int flags)
{
	void *addr = svm_mmap_aligned(size, svm_range_size());

	return svm_mmap_fixed(addr, size, PROT_READ | PROT_WRITE, flags, fd);
}

int svm_memfd(size_t size)
{
	int fd = memfd_create("svm", MFD_CLOEXEC);

	igt_assert(fd >= 0);
	igt_assert(!ftruncate(fd, size));
	return fd;
}

int svm_tmpfile(const char *dir, size_t size)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/svm-XXXXXX", dir);
	fd = mkostemp(path, O_CLOEXEC);
	igt_assert_f(fd >= 0, "%s: %s\n", path, strerror(errno));
	unlink(path);
	igt_assert(!ftruncate(fd, size));
	return fd;
}

void svm_hugetlb_reserve(size_t size)
{
	const char *path = "/proc/sys/vm/nr_hugepages";
	long want = size / svm_range_size(), old = svm_sys_get(path);
	char text[24];

	igt_require(old >= 0);
	snprintf(text, sizeof(text), "%ld", old + want);
	igt_require(svm_sys_set(path, text));
	igt_require(svm_sys_get(path) >= old + want);
}

bool svm_vma_named(const char *name, uintptr_t *start, uintptr_t *end)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	bool found = false;
	char line[512];

	igt_assert(maps);
	while (!found && fgets(line, sizeof(line), maps)) {
		char *at = strchr(line, '[');

		line[strcspn(line, "\n")] = '\0';
		found = at && !strcmp(at, name) &&
			sscanf(line, "%lx-%lx", start, end) == 2;
	}
	fclose(maps);
	return found;
}

void svm_pattern(void *addr, size_t size, uint32_t seed)
{
	size_t i, n = size / sizeof(uint32_t);

	/* @addr need not be aligned */
	for (i = 0; i < n; i++) {
		uint32_t word = seed + i * PATTERN_STEP;

		memcpy((char *)addr + i * sizeof(word), &word, sizeof(word));
	}
}

bool svm_pattern_ok(const void *addr, size_t size, uint32_t seed)
{
	size_t i, n = size / sizeof(uint32_t);

	for (i = 0; i < n; i++) {
		uint32_t word, want = seed + i * PATTERN_STEP;

		memcpy(&word, (const char *)addr + i * sizeof(word), sizeof(word));
		if (word != want) {
			igt_info("byte 0x%zx of 0x%zx: 0x%08x, not 0x%08x\n",
				 i * sizeof(word), size, word, want);
			return false;
		}
	}
	return true;
}

void svm_gpu_pattern(int fd, void *addr, size_t size, uint32_t seed)
{
	void *source = svm_mmap_anon(size);

	svm_pattern(source, size, seed);
	svm_gpu_copy(fd, addr, source, size);
	munmap(source, size);
}

char *svm_gpu_area(int fd, size_t size, uint32_t value)
{
	char *base = svm_mmap_small(svm_range_size());

	svm_gpu_fill(fd, base, size, value);
	igt_assert(svm_prot_all(fd, base, size, SVM_RW));
	return base;
}

bool svm_gpu_pattern_ok(int fd, const void *addr, size_t size, uint32_t seed)
{
	void *copy = svm_mmap_anon(size);
	bool ok;

	svm_gpu_copy(fd, copy, addr, size);
	ok = svm_pattern_ok(copy, size, seed);
	munmap(copy, size);
	return ok;
}

uint32_t svm_prot(int fd, const void *addr)
{
	return svm_query_page(fd, addr) & SVM_PROT;
}

bool svm_prot_all(int fd, const void *addr, size_t size, uint32_t prot)
{
	size_t i, n = size / svm_page_size();
	uint32_t *pages = calloc(n, sizeof(*pages));
	bool ok = true;

	igt_assert(pages);
	svm_query(fd, addr, size, pages);
	for (i = 0; ok && i < n; i++) {
		ok = (pages[i] & SVM_PROT) == prot;
		if (!ok)
			igt_info("page %zu of %zu: state 0x%x, not 0x%x\n",
				 i, n, pages[i], prot);
	}
	free(pages);
	return ok;
}

unsigned int svm_leaf(int fd, const void *addr)
{
	uint32_t state = svm_query_page(fd, addr);
	uint32_t shift = (state & DRM_SVM_PAGE_LEAF_MASK) >> DRM_SVM_PAGE_LEAF_SHIFT;

	return shift ? 1u << shift : 0;
}

static void run_on_engine(int fd, const struct drm_svm_test_cmd *cmd, uint32_t engine)
{
	struct drm_svm_test_wait result;

	svm_wait(fd, svm_submit_on(fd, engine, cmd, 1), &result);
	igt_assert_f(result.out_status == DRM_SVM_TEST_STATUS_OK,
		     "engine %u: errno %u at 0x%llx\n", engine, result.out_errno,
		     (unsigned long long)result.out_addr);
}

unsigned int svm_location(int fd, const void *addr)
{
	return (svm_query_page(fd, addr) & DRM_SVM_PAGE_LOCATION_MASK) >>
	       DRM_SVM_PAGE_LOCATION_SHIFT;
}

size_t svm_vram_pages(int fd, const void *addr, size_t size)
{
	size_t pages = 0;

	for (size_t at = 0; at < size; at += svm_range_size()) {
		uint32_t state[512];
		size_t chunk = size - at < svm_range_size() ? size - at : svm_range_size();

		svm_query(fd, (const char *)addr + at, chunk, state);
		for (size_t i = 0; i < chunk / svm_page_size(); i++)
			pages += (state[i] & DRM_SVM_PAGE_LOCATION_MASK) >>
				 DRM_SVM_PAGE_LOCATION_SHIFT == DRM_SVM_LOCATION_VRAM;
	}
	return pages;
}

void svm_run_each_engine(int fd, const struct drm_svm_test_cmd *cmd)
{
	struct drm_svm_test_info info;
	uint32_t i;

	svm_info(fd, &info);
	for (i = 0; i < info.out_engines; i++)
		run_on_engine(fd, cmd, i);
}

void svm_need_swap(void)
{
	restore_later();
	svm_swap_on();
	swap_is_on = true;
}

bool svm_swapped(const void *addr, size_t size)
{
	for (size_t i = 0; i < size / svm_page_size(); i++) {
		uint64_t entry = svm_pagemap(svm_page(addr, i));

		if (!(entry & SVM_PM_SWAP) || (entry & SVM_PM_TYPE) >= SVM_PM_TYPE_AREAS)
			return false;
	}
	return true;
}

/*
 * A page fresh from a fault sits in a per-CPU batch from where reclaim cannot
 * take it. The fault may have run on any CPU; move_pages() empties all batches.
 */
void svm_lru_drain(void)
{
	static int dummy;
	void *page = &dummy;
	int node = 0, status;

	syscall(SYS_move_pages, 0, 1ul, &page, &node, &status, 0);
}

bool svm_try_pageout(void *addr, size_t size, bool (*done)(const void *addr, size_t size))
{
	const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };
	int i;

	for (i = 0; i < 50; i++) {
		svm_lru_drain();
		/* EINTR and the like only mean that less was done */
		if (madvise(addr, size, MADV_PAGEOUT) && errno == EINVAL)
			return false;
		if (done(addr, size))
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

void svm_swap_out(void *addr, size_t size)
{
	igt_assert_f(svm_try_pageout(addr, size, svm_swapped), "cannot swap out\n");
}

void svm_drop_caches(void)
{
	sync();
	igt_assert(svm_sys_write("/proc/sys/vm/drop_caches", "1"));
}

void svm_ksm_run(void)
{
	igt_require(svm_sys_set(KSM "sleep_millisecs", "5"));
	igt_require(svm_sys_set(KSM "pages_to_scan", "500"));
	igt_require(svm_sys_set(KSM "run", "1"));
}

bool svm_all_ksm(const void *base, size_t size)
{
	for (size_t at = 0; at < size; at += svm_page_size())
		if (!(svm_kpageflags((const char *)base + at) & SVM_KPF_KSM))
			return false;
	return true;
}

void svm_ksm_merge(void *base, size_t size)
{
	igt_require(!madvise(base, size, MADV_MERGEABLE));
	svm_ksm_run();
	igt_assert_f(svm_until(svm_all_ksm(base, size), 30000), "pages were not merged\n");
}

/* The scan that is under way has missed some; a page is merged in its second one */
void svm_ksm_scan(void)
{
	long scans = svm_sys_get(KSM "full_scans");

	igt_require(scans >= 0);
	igt_require_f(svm_until(svm_sys_get(KSM "full_scans") >= scans + 3, 20000),
		      "KSM does not scan\n");
}

static char cgroup_dir[64];
static pid_t cgroup_owner;

bool svm_cgroup_set(const char *file, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", cgroup_dir, file);
	return svm_sys_write(path, value);
}

bool svm_cgroup_has(const char *file)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", cgroup_dir, file);
	return !access(path, F_OK);
}

uint64_t svm_cgroup_key(const char *file, const char *field)
{
	char path[128], text[8192], *line;
	size_t len = strlen(field);

	snprintf(path, sizeof(path), "%s/%s", cgroup_dir, file);
	igt_require_f(read_text(path, text, sizeof(text)), "no %s\n", path);
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (!strncmp(line, field, len) && line[len] == ' ')
			return strtoull(line + len, NULL, 10);
	igt_require_f(false, "%s has no %s\n", file, field);
	return 0;
}

uint64_t svm_cgroup_stat(const char *field)
{
	return svm_cgroup_key("memory.stat", field);
}

uint64_t svm_cgroup_current(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/memory.current", cgroup_dir);
	return svm_sys_get(path);
}

void svm_cgroup_enter_below(const char *parent)
{
	/* the group of a subtest that ended early; not that of the parent process */
	if (cgroup_owner == getpid())
		svm_cgroup_leave();
	cgroup_owner = getpid();
	snprintf(cgroup_dir, sizeof(cgroup_dir), "%s/svm-%d", parent, getpid());
	igt_require(!mkdir(cgroup_dir, 0755));
	restore_later();
	igt_require(svm_cgroup_set("memory.high", "max"));
	igt_assert(svm_cgroup_set("cgroup.procs", "0"));
}

void svm_cgroup_enter(void)
{
	svm_cgroup_enter_below("/sys/fs/cgroup");
}

void svm_cgroup_leave(void)
{
	if (!cgroup_dir[0])
		return;
	svm_sys_write("/sys/fs/cgroup/cgroup.procs", "0");
	if (rmdir(cgroup_dir))
		igt_warn("cannot remove %s: %s\n", cgroup_dir, strerror(errno));
	cgroup_dir[0] = '\0';
}

int svm_gate(void)
{
	int gate = eventfd(0, EFD_SEMAPHORE);

	igt_assert(gate >= 0);
	return gate;
}

void svm_gate_open(int gate)
{
	uint64_t one = 1;

	igt_assert_eq(write(gate, &one, sizeof(one)), sizeof(one));
}

void svm_gate_wait(int gate)
{
	struct pollfd poll_gate = { .fd = gate, .events = POLLIN };
	uint64_t one;

	igt_assert_eq(poll(&poll_gate, 1, 60 * 1000), 1);
	igt_assert_eq(read(gate, &one, sizeof(one)), sizeof(one));
}
