// SPDX-License-Identifier: MIT
/*
 * Allocations that fail, for the tests.
 *
 * The kernel counts down for one thread (fail-nth), but not for all threads together.
 * There it fails each allocation whose number, counted since boot, is a multiple of
 * "interval". So the count is brought to such a multiple first, with allocations of
 * this program: then the next one to fail is the interval-th.
 *
 * A failure uses up one of the "times" of its kind, which says what it was that failed.
 */

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "igt.h"
#include "svm_inject.h"
#include "svm_mem.h"

#define BURN_PAGES	16
#define MAX_BURN	100000
#define NO_END		1000000

static const char * const names[] = {
	[SVM_INJECTED_SLAB] = "failslab",
	[SVM_INJECTED_PAGES] = "fail_page_alloc",
	[SVM_INJECTED_USER] = "fail_usercopy",
};

struct text {
	uint64_t start, end;
};

static struct text everything = { 0, UINT64_MAX };
/* What the leak checker is told of an allocation, for which it allocates itself */
static struct text checkers;
static struct text except;	/* that, or what a test wants instead */
static int fail_nth = -1;
static bool no_huge;
static char *burn_area;

static void path_of(enum svm_injected what, const char *file, char *path, size_t size)
{
	snprintf(path, size, "/sys/kernel/debug/%s/%s", names[what], file);
}

static void set(enum svm_injected what, const char *file, uint64_t value)
{
	char path[96], text[24];

	path_of(what, file, path, sizeof(path));
	snprintf(text, sizeof(text), "%#" PRIx64, value);
	igt_assert_f(svm_sys_write(path, text), "%s: %s\n", path, strerror(errno));
}

/* A truth value is not a number there */
static void set_bool(enum svm_injected what, const char *file, bool value)
{
	char path[96];

	path_of(what, file, path, sizeof(path));
	igt_assert(svm_sys_write(path, value ? "Y" : "N"));
}

static long times(enum svm_injected what)
{
	char path[96];

	path_of(what, "times", path, sizeof(path));
	return svm_sys_get(path);
}

static void set_filter(enum svm_injected what, struct text text)
{
	bool all = text.end == UINT64_MAX;

	set(what, "require-start", text.start);
	set(what, "require-end", text.end);
	set(what, "reject-start", what == SVM_INJECTED_USER ? 0 : except.start);
	set(what, "reject-end", what == SVM_INJECTED_USER ? 0 : except.end);
	set(what, "stacktrace-depth", all && what == SVM_INJECTED_USER ? 0 : 32);
}

/* The address of @name, or the lowest one after @after; UINT64_MAX when there is none */
static uint64_t find_symbol(FILE *file, const char *name, uint64_t after)
{
	uint64_t addr, found = UINT64_MAX;
	char line[256], symbol[128];

	rewind(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%" SCNx64 " %*c %127s", &addr, symbol) != 2)
			continue;
		if (name ? !strcmp(symbol, name) : addr > after && addr < found)
			found = addr;
		if (name && found != UINT64_MAX)
			break;
	}
	return found;
}

/*
 * It takes long, so the last one is kept. Those of a module are listed in no order, so
 * what follows a function there may be anywhere.
 */
static struct text find_function(const char *name)
{
	static struct text text;
	static char last[64];
	FILE *file;

	if (!strcmp(name, last))
		return text;
	snprintf(last, sizeof(last), "%s", name);
	file = fopen("/proc/kallsyms", "re");
	igt_assert(file);
	text = (struct text) { .start = find_symbol(file, name, 0) };
	if (text.start != UINT64_MAX)
		text.end = find_symbol(file, NULL, text.start);
	fclose(file);
	return text;
}

/* Modules of the project; what lies between them may be others, which do nothing here */
static struct text find_modules(void)
{
	FILE *file = fopen("/proc/modules", "re");
	struct text text = { UINT64_MAX, 0 };
	uint64_t addr, size;
	char line[512];

	igt_assert(file);
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, "drm_svm", 7) ||
		    sscanf(line, "%*s %" SCNu64 " %*s %*s %*s %" SCNx64, &size, &addr) != 2)
			continue;
		if (addr < text.start)
			text.start = addr;
		if (addr + size > text.end)
			text.end = addr + size;
	}
	fclose(file);
	igt_require_f(text.start && text.end, "no addresses of modules\n");
	return text;
}

static void calm(enum svm_injected what)
{
	set(what, "times", 0);
	set(what, "probability", 0);
}

static void calm_all(void)
{
	for (size_t i = SVM_INJECTED_SLAB; i <= SVM_INJECTED_USER; i++)
		calm(i);
	if (no_huge)
		set(SVM_INJECTED_PAGES, "min-order", 0);
	no_huge = false;
}

static void calm_at_exit(int sig)
{
	for (size_t i = SVM_INJECTED_SLAB; i <= SVM_INJECTED_USER; i++) {
		char path[96];

		path_of(i, "probability", path, sizeof(path));
		svm_sys_write(path, "0");
	}
}

static void configure(enum svm_injected what)
{
	calm(what);
	set(what, "verbose", 0);
	set(what, "space", 0);
	set(what, "interval", 1);
	set_filter(what, everything);
	if (what == SVM_INJECTED_USER)
		return;
	set_bool(what, "task-filter", false);
	set_bool(what, "ignore-gfp-wait", false);
}

/*
 * The kernel counts down to the failure for all kinds together: it must not be one of
 * those that nobody asks for here, as of the disk that a program is read from.
 */
static void ignore_others(void)
{
	glob_t found;
	size_t i;

	if (glob("/sys/kernel/debug/fail*/require-end", 0, NULL, &found))
		return;
	for (i = 0; i < found.gl_pathc; i++)
		igt_assert(svm_sys_write(found.gl_pathv[i], "0"));
	globfree(&found);
}

void svm_inject_init(void)
{
	if (fail_nth < 0)
		fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	igt_require_f(fail_nth >= 0, "a kernel without fault injection\n");
	for (size_t i = SVM_INJECTED_SLAB; i <= SVM_INJECTED_USER; i++) {
		char path[96];

		path_of(i, "require-start", path, sizeof(path));
		igt_require_f(!access(path, W_OK), "no %s\n", path);
	}
	if (!burn_area) {
		igt_install_exit_handler(calm_at_exit);
		checkers = find_function("kmemleak_alloc");
		burn_area = svm_mmap_small(BURN_PAGES * svm_page_size());
	}
	except = checkers;
	ignore_others();
	for (size_t i = SVM_INJECTED_SLAB; i <= SVM_INJECTED_USER; i++)
		configure(i);
	set_bool(SVM_INJECTED_PAGES, "ignore-gfp-highmem", false);
	set(SVM_INJECTED_PAGES, "min-order", 0);
}

void svm_inject_except(const char *function)
{
	except = find_function(function);
	igt_require_f(except.end, "no address of %s\n", function);
}

static struct text find_text(const char *function)
{
	struct text text;

	if (!function)
		return everything;
	if (!strcmp(function, SVM_INJECT_MODULES))
		return find_modules();
	text = find_function(function);
	igt_require_f(text.end, "no address of %s\n", function);
	return text;
}

void svm_inject_begin(unsigned int nth, const char *function)
{
	struct text text = find_text(function);
	char number[16];
	int len;

	for (size_t i = SVM_INJECTED_SLAB; i <= SVM_INJECTED_USER; i++) {
		set_filter(i, text);
		set(i, "times", 1);
	}
	len = snprintf(number, sizeof(number), "%u", nth);
	igt_assert_eq(pwrite(fail_nth, number, len, 0), len);
}

/*
 * To look, and to stop, copies from and to user space: these may fail as well, and
 * then what was to be tested was over before.
 */
static bool was_reached(void)
{
	char left[16] = "";
	ssize_t len = pread(fail_nth, left, sizeof(left) - 1, 0);

	while (pwrite(fail_nth, "0", 1, 0) != 1)
		igt_assert_eq(errno, EFAULT);
	return len > 0 && !strcmp(left, "0\n");
}

enum svm_injected svm_inject_end(void)
{
	enum svm_injected injected = SVM_INJECTED_NOTHING;
	bool reached = was_reached();

	for (size_t i = SVM_INJECTED_SLAB; i <= SVM_INJECTED_USER && reached; i++)
		if (!times(i))
			injected = i;
	calm_all();
	return injected;
}

/* Some allocations of the kind, by this program */
static void burn(enum svm_injected what)
{
	size_t size = BURN_PAGES * svm_page_size();

	if (what == SVM_INJECTED_SLAB) {
		close(eventfd(0, EFD_CLOEXEC));
		return;
	}
	madvise(burn_area, size, MADV_POPULATE_WRITE);
	madvise(burn_area, size, MADV_DONTNEED);
}

/* Bring the kernel's count to a multiple of @n */
static void align_count(enum svm_injected what, unsigned int n)
{
	unsigned int tries = 0;

	set_filter(what, everything);
	set_bool(what, "task-filter", true);
	svm_sys_write("/proc/thread-self/make-it-fail", "1");
	set(what, "interval", n);
	set(what, "probability", 100);
	set(what, "times", 1);
	while (times(what) && tries++ < MAX_BURN)
		burn(what);
	igt_assert_lt(tries, MAX_BURN);
	svm_sys_write("/proc/thread-self/make-it-fail", "0");
	set_bool(what, "task-filter", false);
}

static enum svm_injected all_what;
static bool all_fails;

void svm_inject_all_begin(unsigned int nth, enum svm_injected what)
{
	all_what = what;
	all_fails = nth;
	if (nth > 1)
		align_count(what, nth);
	if (!nth)
		return;
	set(what, "interval", nth);
	set_filter(what, find_modules());
	set(what, "probability", 100);
	set(what, "times", 1);
}

enum svm_injected svm_inject_all_end(void)
{
	bool injected = all_fails && !times(all_what);

	calm_all();
	return injected ? all_what : SVM_INJECTED_NOTHING;
}

void svm_inject_no_huge(void)
{
	set_filter(SVM_INJECTED_PAGES, find_modules());
	set(SVM_INJECTED_PAGES, "interval", 1);
	set(SVM_INJECTED_PAGES, "probability", 100);
	set(SVM_INJECTED_PAGES, "min-order", 9);
	set(SVM_INJECTED_PAGES, "times", NO_END);
	no_huge = true;
}
