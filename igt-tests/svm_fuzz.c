// SPDX-License-Identifier: MIT
/*
 * Calls and jobs that are nearly right, or not at all. Whatever a program says, each
 * ioctl comes back soon, with an error that is documented; nothing is written but where
 * it may be; and when all is closed nothing is left.
 *
 * All that is random follows from a seed, which is printed, and which SVM_FUZZ_SEED
 * sets. SVM_FUZZ_SECONDS is the time for all subtests together, SVM_FUZZ_TRACE=1 prints
 * each call.
 */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xf86drm.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_fuzz.h"
#include "svm_job.h"
#include "svm_lib.h"
#include "svm_mem.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("Calls and jobs that are nearly right.");

/* Far from all that the C library and the kernel place: what is not mapped stays so */
#define PLACE		0x200000000000ull
#define CANARY_PAGES	16
#define CANARY_SEED	0xca7a7a00u
#define USUAL_SECONDS	32
#define SIGNAL_MS	3000		/* then an ioctl that waits is interrupted */
#define BOUND_MS	90000		/* then the test gives up */

struct variant {
	const char *name;
	const char *describe;
	unsigned int submissions;	/* of a hundred calls */
	unsigned int processes;
	bool evict;
};

static const struct variant variants[] = {
	{ "ioctls", "All ioctls.", 5, 1, false },
	{ "submissions", "Jobs in memory that comes and goes.", 90, 1, false },
	{ "evict", "Both, while everything is evicted.", 50, 1, true },
	{ "processes", "Both, by two processes, each with a file of the other's.", 50, 2, false },
};

struct fuzzer {
	struct fuzz_gen gen;
	uint64_t seed, end_ms;
	const struct variant *variant;
	char *canaries[4];
	int foreign;		/* a file that another process has attached */
	bool trace;
	/* the call that is under way, for the watch */
	struct fuzz_try now;
	uint64_t step, since, good;	/* good: calls that succeeded */
	pthread_t thread;
	bool stop;
};

/* The place, and what must not change beside it, in the midst of it, and elsewhere */

static char *canary_at(uintptr_t addr)
{
	size_t size = CANARY_PAGES * svm_page_size();
	char *canary = svm_mmap_fixed((void *)addr, size, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1);

	svm_pattern(canary, size, CANARY_SEED);
	return canary;
}

static void place_init(struct fuzzer *f)
{
	size_t canary = CANARY_PAGES * svm_page_size();
	struct fuzz_place *place = &f->gen.place;

	place->size = 2 * svm_range_size();
	place->base = svm_mmap_fixed((void *)PLACE, place->size, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1);
	place->out = svm_mmap_anon(DRM_SVM_QUERY_MAX_PAGES * sizeof(struct drm_svm_query_run));
	f->canaries[0] = canary_at(PLACE - canary);
	f->canaries[1] = canary_at(PLACE + svm_range_size());
	f->canaries[2] = canary_at(PLACE + place->size);
	for (int i = 0; i < 3; i++)
		igt_assert(!mprotect(f->canaries[i], canary, PROT_READ));
	/* nobody is told of this one, so it may be writable */
	f->canaries[3] = canary_at(PLACE + 0xa5500000000ull);
}

static void check_canaries(struct fuzzer *f)
{
	for (int i = 0; i < 4; i++)
		igt_assert_f(svm_pattern_ok(f->canaries[i], CANARY_PAGES * svm_page_size(),
					    CANARY_SEED), "canary %d\n", i);
}

static void place_fini(struct fuzzer *f)
{
	size_t canary = CANARY_PAGES * svm_page_size();

	check_canaries(f);
	for (int i = 0; i < 4; i++)
		munmap(f->canaries[i], canary);
	munmap(f->gen.place.base, f->gen.place.size);
	munmap(f->gen.place.out, DRM_SVM_QUERY_MAX_PAGES * sizeof(struct drm_svm_query_run));
}

/* Memory comes and goes: in the half before or behind the canary in the middle */
static void change_mapping(struct svm_rng *rng)
{
	static const int advices[] = {
		MADV_DONTNEED, MADV_FREE, MADV_HUGEPAGE, MADV_NOHUGEPAGE,
	};
	static const int prots[] = {
		PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE,
	};
	size_t page = svm_page_size(), half = svm_range_size() / page;
	size_t skip = svm_rng_one_in(rng, 2) ? half + CANARY_PAGES : 0;
	size_t room = skip ? half - CANARY_PAGES : half;
	size_t first = svm_rng_below(rng, room);
	size_t n = 1 + svm_rng_below(rng, svm_rng_one_in(rng, 4) ? room - first : 1);
	void *addr = (void *)(PLACE + (skip + first) * page);

	switch (svm_rng_below(rng, 4)) {
	case 0:
		munmap(addr, n * page);
		break;
	case 1:
		madvise(addr, n * page, svm_rng_of(rng, advices));
		break;
	case 2:
		mprotect(addr, n * page, svm_rng_of(rng, prots));
		break;
	default:
		mmap(addr, (n + 16 < room - first ? n + 16 : n) * page,
		     svm_rng_of(rng, prots), MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	}
}

static void *mapper_main(void *data)
{
	struct fuzzer *f = data;
	struct svm_rng rng = svm_rng(f->seed, 1);

	while (!READ_ONCE(f->stop)) {
		change_mapping(&rng);
		usleep(300);
	}
	return NULL;
}

/* Nothing may take long; what waits for a fence gets a signal */

static void on_signal(int sig)
{
}

static void *watch_main(void *data)
{
	struct fuzzer *f = data;

	while (!READ_ONCE(f->stop)) {
		uint64_t since = __atomic_load_n(&f->since, __ATOMIC_SEQ_CST);
		uint64_t ms = since ? svm_now_ms() - since : 0;

		if (ms > SIGNAL_MS)
			pthread_kill(f->thread, SIGUSR2);
		if (ms > BOUND_MS) {
			dprintf(STDOUT_FILENO, "SVM_FUZZ_SEED=%#" PRIx64 ", step %" PRIu64
				": no end of ", f->seed, f->step);
			fuzz_print(&f->now);
			abort();
		}
		usleep(200000);
	}
	return NULL;
}

static void watch(struct fuzzer *f, bool on)
{
	__atomic_store_n(&f->since, on ? svm_now_ms() : 0, __ATOMIC_SEQ_CST);
}

/* A file */

static void open_file(struct fuzzer *f, bool foreign)
{
	struct fuzz_file *file = &f->gen.file;
	struct drm_svm_attach attach = {};
	struct client_counts c;

	memset(file, 0, sizeof(*file));
	file->fd = foreign ? dup(f->foreign) : svm_open();
	file->foreign = foreign;
	file->va_end = 1ull << 47;
	svm_info(file->fd, &file->info);
	for (int i = 0; i < FUZZ_SYNCS; i++)
		igt_assert(!drmSyncobjCreate(file->fd, i & 1 ? 0 : DRM_SYNCOBJ_CREATE_SIGNALED,
					     &file->syncs[i]));
	if (foreign) {
		file->attached = true;
		return;
	}
	/* a few stay as they are */
	if (svm_rng_one_in(&f->gen.rng, 10))
		return;
	igt_assert_eq(client_attach(file->fd, &attach), 0);
	file->attached = true;
	file->va_end = attach.out_va_end;
	svm_counters(file->fd, &c);
	igt_assert_eq_u64(client_count(&c, CUR_PAGES) | client_count(&c, CUR_RANGES) |
			  client_count(&c, CUR_DMA_PAGES) | client_count(&c, CUR_VRAM_PAGES) |
			  client_count(&c, CUR_VRAM_RESERVED), 0);
	igt_assert_eq_u64(svm_fdinfo_bytes(file->fd, "drm-resident-vram"), 0);
	fuzz_prepare(&f->gen);
}

/* Jobs may have no end, but their file has */
static void close_file(struct fuzzer *f)
{
	struct fuzz_file *file = &f->gen.file;
	uint64_t limit = svm_now_ms() + 500;
	struct drm_svm_test_wait result;

	for (int i = 0; i < FUZZ_JOBS; i++) {
		int64_t left = limit - svm_now_ms();

		if (!file->jobs[i] ||
		    client_wait(file->fd, file->jobs[i],
				left > 0 ? left * NSEC_PER_MSEC : 0, &result))
			continue;
		igt_assert_f(fuzz_job_may_fail(&result), "a job: status %u, errno %u\n",
			     result.out_status, result.out_errno);
	}
	for (int i = 0; file->foreign && i < FUZZ_SYNCS; i++)
		drmSyncobjDestroy(file->fd, file->syncs[i]);
	watch(f, true);
	close(file->fd);
	/* they outlive the file */
	for (int i = 0; i < FUZZ_EVENTS; i++)
		if (file->events[i])
			fuzz_close_events(file->events[i]);
	watch(f, false);
}

/* Steps */

static bool try_ioctl(struct fuzzer *f)
{
	struct fuzz_try *t = &f->now;
	int err;

	if (f->trace)
		fuzz_print(t);
	watch(f, true);
	err = ioctl(f->gen.file.fd, t->request, t->args) ? errno : 0;
	watch(f, false);
	if (!err)
		fuzz_note(&f->gen, t);
	f->good += !err;
	if (fuzz_may_return(&f->gen, t, err))
		return true;
	dprintf(STDOUT_FILENO, "%s%s%s, answered with %s: ", t->invalid ? "invalid, " : "",
		f->gen.file.attached ? "attached" : "not attached",
		f->gen.file.foreign ? " by another process" : "", strerror(err));
	fuzz_print(t);
	return false;
}

static bool op_call(void *data)
{
	struct fuzzer *f = data;

	if (svm_rng_below(&f->gen.rng, 100) < f->variant->submissions)
		fuzz_make_submit(&f->gen, &f->now);
	else
		fuzz_make_call(&f->gen, &f->now);
	return try_ioctl(f);
}

static bool op_canaries(void *data)
{
	check_canaries(data);
	return true;
}

static bool op_reopen(void *data)
{
	struct fuzzer *f = data;
	bool foreign = f->foreign >= 0 && svm_rng_one_in(&f->gen.rng, 8);

	close_file(f);
	open_file(f, foreign);
	return true;
}

static const struct svm_op ops[] = {
	{ "call", 200, op_call },
	{ "canaries", 1, op_canaries },
	{ "reopen", 2, op_reopen },
};

static void step(struct fuzzer *f)
{
	const struct svm_op *op = svm_op_pick(&f->gen.rng, ops, ARRAY_SIZE(ops));

	f->step++;
	igt_assert_f(op->fn(f), "SVM_FUZZ_SEED=%#" PRIx64 ", step %" PRIu64 ": %s\n", f->seed,
		     f->step, op->name);
}

static void tell(const struct fuzzer *f)
{
	dprintf(STDOUT_FILENO, "progress: %" PRIu64 " steps, %" PRIu64 " calls succeeded\n",
		f->step, f->good);
}

static void run_steps(struct fuzzer *f)
{
	uint64_t told = svm_now_ms();

	while (svm_now_ms() < f->end_ms) {
		step(f);
		if (svm_now_ms() - told < 8000)
			continue;
		told = svm_now_ms();
		tell(f);
	}
	tell(f);
}

static void fuzz(const struct variant *v, uint64_t seed, uint64_t end_ms, int foreign)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct fuzzer f = {
		.seed = seed,
		.end_ms = end_ms,
		.variant = v,
		.foreign = foreign,
		.trace = svm_env_is_set("SVM_FUZZ_TRACE"),
		.thread = pthread_self(),
	};
	pthread_t mapper, watcher;

	f.gen.rng = svm_rng(seed, 0);
	igt_assert(!sigaction(SIGUSR2, &action, NULL));
	place_init(&f);
	open_file(&f, false);
	igt_assert(!pthread_create(&mapper, NULL, mapper_main, &f));
	igt_assert(!pthread_create(&watcher, NULL, watch_main, &f));
	run_steps(&f);
	close_file(&f);
	WRITE_ONCE(f.stop, true);
	pthread_join(mapper, NULL);
	pthread_join(watcher, NULL);
	open_file(&f, false);
	close(f.gen.file.fd);
	place_fini(&f);
}

static void run(const struct variant *v)
{
	unsigned int seconds = svm_env_seconds("SVM_FUZZ_SECONDS", USUAL_SECONDS);
	uint64_t seed = svm_env_seed("SVM_FUZZ_SEED"), end_ms;
	int foreign = -1, evictor;

	svm_vram_on("vram_mb=8");
	dprintf(STDOUT_FILENO, "progress: SVM_FUZZ_SEED=%#" PRIx64 "\n", seed);
	end_ms = svm_now_ms() + seconds * 1000ull / ARRAY_SIZE(variants);
	if (v->processes > 1)
		foreign = svm_open_attached();
	igt_fork(child, v->processes)
		fuzz(v, seed + child, end_ms, foreign);
	evictor = svm_open();
	if (v->evict)
		svm_evictor_start(evictor);
	igt_waitchildren();
	if (v->evict)
		svm_evictor_stop();
	close(evictor);
	if (foreign >= 0)
		close(foreign);
	svm_vram_all_free();
}

int igt_main()
{
	for (size_t i = 0; i < ARRAY_SIZE(variants); i++) {
		igt_describe(variants[i].describe);
		igt_subtest(variants[i].name)
			run(&variants[i]);
	}

	igt_fixture()
		svm_vram_off();
}
