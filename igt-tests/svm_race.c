// SPDX-License-Identifier: MIT
/*
 * A CPU thread changes the mapping in a loop while the GPU works in it. Changes
 * that keep the content must not lose one increment; changes that drop it must
 * not let the GPU write to memory that it has no right to any more.
 */

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "igt.h"
#include "svm_job.h"
#include "svm_mem.h"
#include "svm_random.h"

IGT_TEST_DESCRIPTION("The CPU changes mappings in a loop while the GPU works.");

#define PAGES		32
#define ROUNDS		6
#define ADDS		200	/* of the GPU, in each page and round */
#define CPU_ADDS	50

struct churn {
	char *base;
	char *spare;	/* reserved address space, not used by the GPU */
	size_t size;
	atomic_bool stop;
	atomic_uint loops;
	void (*change)(struct churn *churn, unsigned int loop);
	bool failed;
};

static void change_mprotect(struct churn *churn, unsigned int loop)
{
	int exec = loop & 1 ? PROT_EXEC : 0;

	if (mprotect(churn->base, churn->size, PROT_READ | PROT_WRITE | exec))
		churn->failed = true;
}

static void change_pageout(struct churn *churn, unsigned int loop)
{
	madvise(churn->base, churn->size, MADV_PAGEOUT);
}

static void change_cold(struct churn *churn, unsigned int loop)
{
	madvise(churn->base, churn->size, MADV_COLD);
}

static void change_fork(struct churn *churn, unsigned int loop)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		churn->failed = true;
}

static void change_collapse(struct churn *churn, unsigned int loop)
{
	/* the collapse may lose a race; splitting makes work for the next */
	madvise(churn->base, svm_range_size(), MADV_COLLAPSE);
	mprotect(churn->base + churn->size, svm_page_size(),
		 loop & 1 ? PROT_READ : PROT_READ | PROT_WRITE);
}

static void change_soft_dirty(struct churn *churn, unsigned int loop)
{
	if (!svm_sys_write("/proc/self/clear_refs", "4"))
		churn->failed = true;
}

static void change_lock(struct churn *churn, unsigned int loop)
{
	if (loop & 1 ? munlock(churn->base, churn->size) : mlock(churn->base, churn->size))
		churn->failed = true;
}

static void change_compact(struct churn *churn, unsigned int loop)
{
	svm_sys_write("/proc/sys/vm/compact_memory", "1");
	usleep(1000);
}

/* A neighbour in the same range comes and goes */
static void change_neighbour(struct churn *churn, unsigned int loop)
{
	char *next = churn->base + churn->size;

	if (mmap(next, svm_page_size(), PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != next ||
	    munmap(next, svm_page_size()))
		churn->failed = true;
}

static void *churn_main(void *data)
{
	struct churn *churn = data;

	while (!atomic_load(&churn->stop))
		churn->change(churn, atomic_fetch_add(&churn->loops, 1));
	return NULL;
}

static void add_everywhere(int fd, char *base)
{
	struct drm_svm_test_cmd cmds[PAGES] = {};
	struct drm_svm_test_wait result;
	uint64_t job;
	size_t i, n;

	for (i = 0; i < PAGES; i++) {
		cmds[i].op = DRM_SVM_TEST_OP_ATOMIC_ADD;
		cmds[i].dst = (uintptr_t)svm_page(base, i);
		cmds[i].count = ADDS;
		cmds[i].arg0 = 1;
	}
	job = svm_submit(fd, cmds, PAGES);
	for (n = 0; n < CPU_ADDS; n++)
		for (i = 0; i < PAGES; i++)
			__atomic_fetch_add((uint32_t *)svm_page(base, i), 1,
					   __ATOMIC_RELAXED);
	svm_wait(fd, job, &result);
	igt_assert_f(!result.out_errno, "errno %u at 0x%llx\n", result.out_errno,
		     (unsigned long long)result.out_addr);
}

/* The sum is exact in each page, whatever the CPU did to the mapping */
static void count(int fd, struct churn *churn)
{
	const uint32_t want = ROUNDS * (ADDS + CPU_ADDS);
	pthread_t thread;
	size_t i;

	igt_assert(!pthread_create(&thread, NULL, churn_main, churn));
	for (i = 0; i < ROUNDS; i++)
		add_everywhere(fd, churn->base);
	while (atomic_load(&churn->loops) < 4)
		usleep(1000);
	atomic_store(&churn->stop, true);
	pthread_join(thread, NULL);
	igt_assert(!churn->failed);
	igt_info("%u changes\n", atomic_load(&churn->loops));
	for (i = 0; i < PAGES; i++)
		igt_assert_eq_u32(*(uint32_t *)svm_page(churn->base, i), want);
	for (i = 0; i < PAGES; i++)
		igt_assert_eq_u32(svm_gpu_read32(fd, svm_page(churn->base, i)), want);
}

static void count_anon(int fd, void (*change)(struct churn *churn, unsigned int loop))
{
	struct churn churn = {
		.base = svm_mmap_small(svm_range_size()),
		.size = PAGES * svm_page_size(),
		.change = change,
	};

	count(fd, &churn);
}

static void count_disk(int fd, void (*change)(struct churn *churn, unsigned int loop))
{
	struct churn churn = {
		.size = PAGES * svm_page_size(),
		.change = change,
	};
	int file = svm_tmpfile(svm_scratch_dir(), churn.size);

	churn.base = svm_mmap_fd(file, churn.size, MAP_SHARED);
	count(fd, &churn);
	close(file);
}

static void change_msync(struct churn *churn, unsigned int loop)
{
	if (msync(churn->base, churn->size, MS_SYNC))
		churn->failed = true;
}

static void race_mprotect(int fd)
{
	count_anon(fd, change_mprotect);
}

static void race_pageout(int fd)
{
	svm_need_swap();
	count_anon(fd, change_pageout);
}

static void race_cold(int fd)
{
	count_anon(fd, change_cold);
}

static void race_fork(int fd)
{
	count_anon(fd, change_fork);
}

static void race_soft_dirty(int fd)
{
	count_anon(fd, change_soft_dirty);
}

static void race_lock(int fd)
{
	count_anon(fd, change_lock);
}

static void race_compact(int fd)
{
	count_anon(fd, change_compact);
}

static void race_neighbour(int fd)
{
	count_anon(fd, change_neighbour);
}

static void race_msync(int fd)
{
	count_disk(fd, change_msync);
}

static void race_file_pageout(int fd)
{
	count_disk(fd, change_pageout);
}

static void race_collapse(int fd)
{
	struct churn churn = {
		.base = svm_mmap_aligned(svm_range_size(), svm_range_size()),
		.size = PAGES * svm_page_size(),
		.change = change_collapse,
	};

	igt_require(!madvise(churn.base, svm_range_size(), MADV_HUGEPAGE));
	count(fd, &churn);
}

/* Runs fills over @churn->base until @loops changes have been made. */
static void fill_until(int fd, struct churn *churn, unsigned int loops, int allowed)
{
	pthread_t thread;
	int err;

	igt_assert(!pthread_create(&thread, NULL, churn_main, churn));
	do {
		err = __svm_gpu_fill(fd, churn->base, churn->size, 0xdeadbeef);
		if (err && err != allowed)
			break;
	} while (atomic_load(&churn->loops) < loops);
	atomic_store(&churn->stop, true);
	pthread_join(thread, NULL);
	igt_assert(!err || err == allowed);
	igt_assert(!churn->failed);
}

static void change_dontneed(struct churn *churn, unsigned int loop)
{
	if (madvise(churn->base, churn->size, MADV_DONTNEED))
		churn->failed = true;
	usleep(500);
}

static void race_dontneed(int fd)
{
	struct churn churn = {
		.base = svm_mmap_small(svm_range_size()),
		.size = PAGES * svm_page_size(),
		.change = change_dontneed,
	};
	size_t i;

	fill_until(fd, &churn, 150, 0);
	for (i = 0; i < churn.size / 4; i++) {
		uint32_t word = ((uint32_t *)churn.base)[i];

		igt_assert(word == 0 || word == 0xdeadbeef);
	}
	svm_gpu_fill(fd, churn.base, churn.size, 1);
	igt_assert(svm_cpu_all32(churn.base, churn.size, 1));
}

/*
 * The freed pages are taken at once for memory that the GPU has no access to. A
 * translation that outlives munmap writes into it.
 */
static void change_munmap(struct churn *churn, unsigned int loop)
{
	char *fresh;

	if (munmap(churn->base, churn->size))
		churn->failed = true;
	fresh = mmap(churn->spare, churn->size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_FIXED, -1, 0);
	usleep(300);
	if (fresh == MAP_FAILED || !svm_cpu_all32(fresh, churn->size, 0) ||
	    mprotect(fresh, churn->size, PROT_NONE))
		churn->failed = true;
	if (mmap(churn->base, churn->size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != churn->base)
		churn->failed = true;
	usleep(300);
}

static void race_munmap(int fd)
{
	struct churn churn = {
		.base = svm_mmap_small(svm_range_size()),
		.size = PAGES * svm_page_size(),
		.spare = svm_mmap_small(svm_range_size()),
		.change = change_munmap,
	};

	fill_until(fd, &churn, 150, -ENOENT);
	svm_gpu_fill(fd, churn.base, churn.size, 1);
	igt_assert(svm_cpu_all32(churn.base, churn.size, 1));
}

static void change_read_only(struct churn *churn, unsigned int loop)
{
	uint32_t *word = (uint32_t *)churn->base, before;

	if (mprotect(churn->base, churn->size, PROT_READ))
		churn->failed = true;
	before = READ_ONCE(word[loop % 16]);
	usleep(300);
	if (READ_ONCE(word[loop % 16]) != before)
		churn->failed = true;
	if (mprotect(churn->base, churn->size, PROT_READ | PROT_WRITE))
		churn->failed = true;
	WRITE_ONCE(word[loop % 16], loop);
	usleep(300);
}

/* Nothing changes while the memory is read-only */
static void race_read_only(int fd)
{
	struct churn churn = {
		.base = svm_mmap_small(svm_range_size()),
		.size = svm_page_size(),
		.change = change_read_only,
	};

	fill_until(fd, &churn, 150, -EACCES);
}

static void spin(unsigned int n)
{
	while (n--)
		__asm__ volatile("" ::: "memory");
}

/*
 * The CPU replaces pages, the zero page by others, while many files fault in the
 * window that they are in: what a fault saw of a page before that must not be
 * mapped after it. Nothing takes such an entry away again, so the GPU would go on
 * to read the old page; and the zero page does not become the new one by chance.
 */
#define REPLACE_FILES	16
#define REPLACE_PAGES	64
#define REPLACE_CMDS	16	/* the GPU is to be at it until the last page is replaced */
#define REPLACE_SPINS	20000

struct replace {
	int fd[REPLACE_FILES];
	char *page;	/* the first of the window */
	uint32_t *seen;
	struct svm_rng rng;
};

static void replace_check(const struct replace *r, int fd)
{
	struct drm_svm_test_cmd cmds[REPLACE_PAGES];
	size_t i;

	for (i = 0; i < REPLACE_PAGES; i++)
		cmds[i] = svm_cmd_copy(&r->seen[i], svm_page(r->page, i), 4);
	svm_wait_ok(fd, svm_submit(fd, cmds, REPLACE_PAGES));
	for (i = 0; i < REPLACE_PAGES; i++)
		igt_assert_eq_u32(READ_ONCE(r->seen[i]), i + 1);
}

static void replace_round(struct replace *r)
{
	struct drm_svm_test_cmd cmds[REPLACE_CMDS];
	size_t page = svm_page_size(), i;
	uint64_t job[REPLACE_FILES];

	for (i = 0; i < REPLACE_CMDS; i++)
		cmds[i] = svm_cmd_touch(r->page, REPLACE_PAGES * page, page, false);
	for (i = 0; i < REPLACE_PAGES; i++)
		igt_assert_eq_u32(READ_ONCE(*(uint32_t *)svm_page(r->page, i)), 0);
	for (i = 0; i < REPLACE_FILES; i++)
		job[i] = svm_submit(r->fd[i], cmds, REPLACE_CMDS);
	igt_assert(svm_until(svm_query_page(r->fd[0], r->page), 30000));
	for (i = 0; i < REPLACE_PAGES; i++) {
		spin(svm_rng_below(&r->rng, REPLACE_SPINS));
		WRITE_ONCE(*(uint32_t *)svm_page(r->page, i), i + 1);
	}
	for (i = 0; i < REPLACE_FILES; i++)
		svm_wait_ok(r->fd[i], job[i]);
	for (i = 0; i < REPLACE_FILES; i++)
		replace_check(r, r->fd[i]);
}

static void race_replace(int fd)
{
	enum { RANGES = 10 };
	struct replace r = { .seen = svm_mmap_anon(svm_page_size()), .rng = svm_rng(1, 0) };
	char *base = svm_mmap_small(RANGES * svm_range_size());
	struct client_counts c;
	uint64_t retries = 0;
	size_t i;

	for (i = 0; i < REPLACE_FILES; i++)
		r.fd[i] = svm_open_attached();
	for (i = 0; i < RANGES; i++) {
		r.page = base + i * svm_range_size();
		replace_round(&r);
	}
	for (i = 0; i < REPLACE_FILES; i++) {
		svm_counters(r.fd[i], &c);
		retries += client_count(&c, RETRIES);
		close(r.fd[i]);
	}
	igt_info("%llu retries\n", (unsigned long long)retries);
}

/*
 * An access on its way when its page goes is over when the CPU has its page back.
 * A comparison of two pages that differ in their last byte is the longest access
 * there is, and it says where it saw a difference first.
 */
#define FLIGHT_CMDS	64

struct flight {
	char *page;	/* the GPU reads it; moves to @away and back */
	char *away;
	char *same;
	uint64_t *results;
};

static void flight_check(const struct flight *f, unsigned int round)
{
	size_t i;

	for (i = 0; i < FLIGHT_CMDS; i++) {
		uint64_t at = READ_ONCE(f->results[i]);

		igt_assert_f(!at || at == svm_page_size() - 1,
			     "round %u, command %zu: difference at %llu\n", round, i,
			     (unsigned long long)at);
	}
}

static void flight_round(int fd, struct flight *f, unsigned int spins)
{
	struct drm_svm_test_cmd cmds[FLIGHT_CMDS] = {};
	struct drm_svm_test_wait result;
	size_t page = svm_page_size(), i;
	uint64_t job;

	for (i = 0; i < FLIGHT_CMDS; i++) {
		cmds[i].op = DRM_SVM_TEST_OP_COMPARE;
		cmds[i].dst = (uintptr_t)f->page;
		cmds[i].src = (uintptr_t)f->same;
		cmds[i].size = page;
		cmds[i].result = (uintptr_t)&f->results[i];
	}
	memset(f->results, 0, page);
	job = svm_submit(fd, cmds, FLIGHT_CMDS);
	igt_assert(svm_until(READ_ONCE(f->results[0]), 30000));
	spin(spins);
	igt_assert(mremap(f->page, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, f->away) ==
		   f->away);
	memset(f->away, 0xff, page);
	svm_wait(fd, job, &result);
	igt_assert(!result.out_errno || result.out_errno == ENOENT);
}

static void race_in_flight(int fd)
{
	enum { FLIGHTS = 200, SPINS = 5000 };
	struct flight f = {
		.page = svm_mmap_small(svm_range_size()),
		.away = svm_mmap_small(svm_range_size()),
		.same = svm_mmap_anon(svm_page_size()),
		.results = svm_mmap_anon(svm_page_size()),
	};
	size_t page = svm_page_size();
	struct svm_rng rng = svm_rng(1, 0);
	unsigned int i;

	memset(f.same, 0x5a, page);
	f.same[page - 1] = 0;
	for (i = 0; i < FLIGHTS; i++) {
		memset(f.page, 0x5a, page);
		flight_round(fd, &f, svm_rng_below(&rng, SPINS));
		flight_check(&f, i);
		igt_assert(mremap(f.away, page, page, MREMAP_MAYMOVE | MREMAP_FIXED,
				  f.page) == f.page);
	}
}

static const struct svm_case cases[] = {
	{ "mprotect", "Access changes back and forth: no increment is lost.", race_mprotect },
	{ "pageout", "Pages go to swap: no increment is lost.", race_pageout },
	{ "cold", "Pages are aged: no increment is lost.", race_cold },
	{ "fork", "The process forks: no increment is lost.", race_fork },
	{ "collapse", "Huge pages come and go: no increment is lost.", race_collapse },
	{ "soft-dirty", "Pages are write-protected: no increment is lost.", race_soft_dirty },
	{ "mlock", "Pages are locked and unlocked: no increment is lost.", race_lock },
	{ "compact", "Pages are moved: no increment is lost.", race_compact },
	{ "neighbour", "A mapping beside comes and goes: no increment is lost.",
	  race_neighbour },
	{ "msync", "The file is written back: no increment is lost.", race_msync },
	{ "file-pageout", "Pages of a file are reclaimed: no increment is lost.",
	  race_file_pageout },
	{ "dontneed", "Pages are dropped: each word is new or zero.", race_dontneed },
	{ "munmap", "Pages are given away: the GPU does not write into them.", race_munmap },
	{ "read-only", "Nothing is written while memory is read-only.", race_read_only },
	{ "replace", "Pages are replaced under faults: the GPU reads the new ones.", race_replace },
	{ "in-flight", "An access on its way ends before its page is another's.", race_in_flight },
};

int igt_main()
{
	svm_cases(cases);
}
