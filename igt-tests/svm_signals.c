// SPDX-License-Identifier: MIT
/*
 * Programs whose threads get signals all the time, as those of languages that preempt
 * threads so: their ioctls end nevertheless.
 */

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "igt.h"
#include "svm_job.h"
#include "svm_mem.h"
#include "svm_prefetch.h"

IGT_TEST_DESCRIPTION("Calls that signals interrupt again and again come to their end.");

#define MAGIC	0x51610000u
#define VRAM	DRM_SVM_LOCATION_VRAM
#define SYSTEM	DRM_SVM_LOCATION_SYSTEM
#define PERIOD	100	/* microseconds */
#define PAGES	512	/* each has a block of VRAM of its own */

static void on_signal(int sig)
{
}

/* Of all calls that can be interrupted those end with EINTR that are under way. */
static void signals_start(void)
{
	struct sigaction act = { .sa_handler = on_signal };
	struct itimerval often = { { 0, PERIOD }, { 0, PERIOD } };

	igt_assert_eq(sigaction(SIGALRM, &act, NULL), 0);
	igt_assert_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
}

static void signals_stop(void)
{
	struct itimerval off = {};

	igt_assert_eq(setitimer(ITIMER_REAL, &off, NULL), 0);
}

/* A mapping for each page, so that there is much to look at and little to move */
static char *many_mappings(size_t pages)
{
	size_t page = svm_page_size();
	char *base = svm_mmap_small(pages * page);

	svm_pattern(base, pages * page, MAGIC);
	for (size_t i = 0; i < pages; i += 2)
		igt_assert_eq(mprotect(base + i * page, page, PROT_READ), 0);
	return base;
}

/* Call it anew until it is not interrupted; returns how often it was. */
static unsigned int prefetch_anew(int fd, char *base, size_t size, uint32_t location,
				  struct drm_svm_prefetch *args)
{
	unsigned int n = 0;
	int err;

	signals_start();
	do {
		*args = svm_prefetch_args(base, size, location);
		err = __svm_prefetch(fd, args);
		n += err == -EINTR;
	} while (err == -EINTR);
	signals_stop();
	igt_assert_eq(err, 0);
	igt_assert_eq_u64(args->progress, 0);
	igt_assert_eq_u64(args->out_moved + args->out_resident, size / svm_page_size());
	igt_assert_eq(svm_resident(fd, base, size, location), size / svm_page_size());
	return n;
}

/* Each call goes over all that the ones before have moved, so not too many */
static void prefetch_pages(int fd)
{
	size_t pages = PAGES / 4, size = pages * svm_page_size();
	char *base = many_mappings(pages);
	struct drm_svm_prefetch args;

	for (int i = 0; i < 3; i++) {
		igt_info("in: interrupted %u times\n", prefetch_anew(fd, base, size, VRAM, &args));
		igt_info("out: interrupted %u times\n",
			 prefetch_anew(fd, base, size, SYSTEM, &args));
	}
	igt_assert(svm_pattern_ok(base, size, MAGIC));
}

static void prefetch_ranges(int fd)
{
	size_t size = 16 * svm_range_size();
	char *base = svm_mmap_small(size);
	struct drm_svm_prefetch args;

	svm_pattern(base, size, MAGIC);
	for (int i = 0; i < 3; i++) {
		igt_info("in: interrupted %u times\n", prefetch_anew(fd, base, size, VRAM, &args));
		igt_info("out: interrupted %u times\n",
			 prefetch_anew(fd, base, size, SYSTEM, &args));
	}
	igt_assert(svm_pattern_ok(base, size, MAGIC));
}

/* Called again with the structure as it is, it loses neither its place nor its counts. */
static void prefetch_progress(int fd)
{
	size_t pages = PAGES, size = pages * svm_page_size();
	char *base = many_mappings(pages);
	uint32_t location = VRAM;
	unsigned int n = 0;

	for (int i = 0; i < 50 && n < 4; i++) {
		struct drm_svm_prefetch args = svm_prefetch_args(base, size, location);
		uint64_t before = 0;
		int err;

		signals_start();
		while ((err = __svm_prefetch(fd, &args)) == -EINTR) {
			igt_assert_lt_u64(before, args.progress);
			igt_assert_lt_u64(args.progress, size);
			before = args.progress;
			n++;
		}
		signals_stop();
		igt_assert_eq(err, 0);
		igt_assert_eq_u64(args.progress, 0);
		igt_assert_eq_u64(args.out_moved, pages);
		igt_assert_eq_u64(args.out_resident, 0);
		location = location == VRAM ? SYSTEM : VRAM;
	}
	igt_assert_f(n, "no call was interrupted\n");
	igt_assert(svm_pattern_ok(base, size, MAGIC));
}

/* Progress that no call of the kernel left behind */
static void prefetch_invalid(int fd)
{
	size_t page = svm_page_size(), pages = 16;
	char *base = svm_mmap_small(pages * page);
	const struct drm_svm_prefetch good = svm_prefetch_args(base, pages * page, VRAM);
	struct drm_svm_prefetch bad[] = { good, good, good, good, good };

	memset(base, 1, pages * page);
	bad[0].progress = page + 1;
	bad[0].out_moved = 1;
	bad[1].progress = pages * page;
	bad[1].out_moved = pages;
	bad[2].progress = 2 * page;
	bad[2].out_moved = 1;
	bad[3].progress = 2 * page;
	bad[3].out_moved = 2;
	bad[3].out_busy = 1;
	bad[4].progress = 2 * page;
	bad[4].out_moved = UINT64_MAX;
	bad[4].out_failed = 3;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		igt_assert_eq(__svm_prefetch(fd, &bad[i]), -EINVAL);
	igt_assert_eq(svm_resident(fd, base, pages * page, SYSTEM), pages);
	bad[0].progress = 2 * page;
	bad[0].out_moved = 1;
	bad[0].out_busy = 1;
	igt_assert_eq(__svm_prefetch(fd, &bad[0]), 0);
	igt_assert_eq_u64(bad[0].progress, 0);
	igt_assert_eq_u64(bad[0].out_moved, pages - 1);
	igt_assert_eq_u64(bad[0].out_busy, 1);
	igt_assert_eq(svm_resident(fd, base, 2 * page, SYSTEM), 2);
}

static void signals_query(int fd)
{
	size_t size = 16 * svm_range_size(), pages = size / svm_page_size();
	char *base = svm_mmap_small(size);
	uint32_t *state = svm_mmap_anon(pages * sizeof(*state));

	memset(base, 1, size);
	signals_start();
	for (int i = 0; i < 10; i++)
		svm_residence(fd, base, size, state);
	signals_stop();
	igt_assert_eq(svm_resident(fd, base, size, SYSTEM), pages);
}

static void wait_for_job(int fd)
{
	uint64_t *word = svm_mmap_anon(svm_page_size());
	struct drm_svm_test_cmd cmd = svm_cmd_add64(word, 1, 1000000);
	uint64_t job = svm_submit(fd, &cmd, 1);

	signals_start();
	svm_wait_ok(fd, job);
	signals_stop();
	igt_assert_eq_u64(*word, 1000000);
}

static void cpu_faults(int fd)
{
	size_t size = 8 * svm_range_size();
	char *base = svm_mmap_small(size);

	svm_pattern(base, size, MAGIC);
	igt_assert_eq(svm_prefetch(fd, base, size, VRAM), size / svm_page_size());
	signals_start();
	igt_assert(svm_pattern_ok(base, size, MAGIC));
	signals_stop();
}

static const struct svm_case cases[] = {
	{ "prefetch-pages", "A prefetch of many mappings that begins anew.", prefetch_pages },
	{ "prefetch-ranges", "A prefetch of whole ranges that begins anew.", prefetch_ranges },
	{ "prefetch-progress", "A prefetch that goes on where it was.", prefetch_progress },
	{ "prefetch-invalid", "Progress that does not fit is refused.", prefetch_invalid },
	{ "query", "A query of much memory.", signals_query },
	{ "wait", "A wait for a job.", wait_for_job },
	{ "cpu-faults", "A CPU that touches what is in VRAM.", cpu_faults },
};

/* Linux looks at all mappings then, and ends at any signal. */
static void signals_attach(void)
{
	size_t page = svm_page_size(), n = svm_has_lockdep() ? 5000 : 50000;
	char *base = svm_mmap_anon(n * page);

	for (size_t i = 0; i < n; i += 2)
		igt_assert_eq(mprotect(base + i * page, page, PROT_READ), 0);
	for (int i = 0; i < 4; i++) {
		pid_t pid = fork();
		int status;

		if (!pid) {
			struct drm_svm_attach args = {};
			int fd = svm_open(), err;

			signals_start();
			err = client_attach(fd, &args);
			signals_stop();
			_exit(-err);
		}
		igt_assert_eq(waitpid(pid, &status, 0), pid);
		igt_assert_eq(status, 0);
	}
}

/*
 * A prefetch that finds no room looks at all of its interval, the end of which is in the VRAM of
 * another GPU. A signal ends it then, before it gets there. The driver can go all the same.
 */
static void other_gpu(void)
{
	size_t range = svm_range_size(), size = 10 * range;
	char *full = svm_mmap_small(2 * range), *base = svm_mmap_small(size);
	struct drm_svm_prefetch args;
	int a, b, err = 0;

	svm_module_load("num_devices=2 vram_mb=4");
	a = svm_open_index_attached(0);
	b = svm_open_index_attached(1);
	svm_pattern(full, 2 * range, MAGIC);
	svm_pattern(base, size, MAGIC + 1);
	for (int i = 0; i < 50 && err != -EINTR; i++) {
		svm_prefetch(a, base, size, SYSTEM);
		svm_prefetch(b, base + size - range, range, VRAM);
		svm_prefetch(a, full, 2 * range, VRAM);
		args = svm_prefetch_args(base, size, VRAM);
		signals_start();
		err = __svm_prefetch(a, &args);
		signals_stop();
	}
	igt_assert_eq(err, -EINTR);
	close(a);
	close(b);
	svm_module_unload();
	igt_assert(svm_pattern_ok(full, 2 * range, MAGIC));
	igt_assert(svm_pattern_ok(base, size, MAGIC + 1));
	munmap(full, 2 * range);
	munmap(base, size);
}

static const struct svm_test tests[] = {
	{ "attach", "A process of many mappings attaches.", signals_attach },
	{ "other-gpu", "A prefetch ends that has seen pages of another GPU, which goes.",
	  other_gpu },
};

int igt_main()
{
	igt_fixture()
		svm_module_load("vram_mb=40");

	svm_cases(cases);
	svm_tests(tests);

	igt_fixture()
		svm_module_reset();
}
