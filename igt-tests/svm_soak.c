// SPDX-License-Identifier: MIT
/*
 * Everything at once, for as long as one likes: each worker does random things to its
 * own memory, knows what must be in each byte of it, and has CPU and GPU look.
 *
 * All of it follows from a seed, which is printed. SVM_SOAK_SEED does the same again:
 * exactly so with one thread, while several of them meet in another way each time.
 * SVM_SOAK_SECONDS is the time for all subtests together, SVM_SOAK_TRACE=1 prints each
 * step.
 *
 * A process works for a while, a thread for each worker, in memory that the test itself
 * has nothing in; then the next process does. The test only counts, and says so.
 */

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_hw.h"
#include "svm_job.h"
#include "svm_mem.h"
#include "svm_soak.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("Random changes of memory against a model of its content.");

#define MAX_THREADS	4
#define USUAL_SECONDS	112

struct variant {
	const char *name;
	const char *describe;
	const char *module;	/* its parameters */
	unsigned int devices, threads, processes;
	unsigned int steps;	/* of a worker; 0: as long as there is time */
	bool inject;
	const char *memory;	/* its limit, with swap */
};

static const struct variant variants[] = {
	{ "one-thread", "One thread: the same each time.", "vram_mb=8", 1, 1, 1 },
	{ "device", "Threads on one device.", "vram_mb=16", 1, 3, 1 },
	{ "devices", "Threads on two devices.", "num_devices=2 vram_mb=8", 2, 2, 1 },
	{ "small-vram", "There is hardly any VRAM.", "vram_mb=4", 1, 2, 1 },
	{ "memcg", "Less RAM than is used, and swap.", "vram_mb=8", 1, 2, 1,
	  .memory = "25165824" },
	{ "inject", "Copies fail, and VRAM is not to be had.", "num_devices=2 vram_mb=8",
	  2, 2, 1, .inject = true },
	{ "processes", "Processes come and go with all they have.", "vram_mb=8", 1, 1, 3,
	  .steps = 80 },
};

/* Of all processes together */
static struct soak_stats {
	uint64_t ops, faults, in, out, evictions, pulse;
} *stats;

static void add(uint64_t *sum, uint64_t n)
{
	__atomic_fetch_add(sum, n, __ATOMIC_RELAXED);
}

/* What has happened since the last time */
static void count(int fd, struct client_counts *last)
{
	struct client_counts now;

	if (client_counters(fd, &now))
		return;
	add(&stats->faults, client_counted(last, &now, FAULTS));
	add(&stats->in, client_counted(last, &now, VRAM_PAGES_IN));
	add(&stats->out, client_counted(last, &now, VRAM_PAGES_OUT));
	add(&stats->evictions, client_counted(last, &now, VRAM_EVICTIONS));
	*last = now;
}

/* A worker */

static uint64_t end_ms, max_steps;

static void *worker_main(void *data)
{
	struct client_counts last[SOAK_DEVICES] = {};
	struct soak_worker *w = data;
	struct soak_team *team = w->team;

	while (w->ok && !READ_ONCE(team->stop) && svm_now_ms() < end_ms &&
	       (!max_steps || w->step < max_steps)) {
		w->step++;
		soak_step(w);
		add(&stats->ops, 1);
		add(&stats->pulse, 1);
		for (unsigned int i = 0; !w->index && w->step % 8 == 0 && i < team->devices; i++)
			count(team->fds[i], &last[i]);
	}
	if (w->ok)
		soak_end(w);
	return NULL;
}

/* A process */

static void team_open(struct soak_team *team)
{
	for (unsigned int i = 0; i < team->devices; i++)
		team->fds[i] = svm_open_index_attached(i);
	team->bo_start = (char *)(uintptr_t)svm_bo_start(team->fds[0]);
	soak_catch_bus();
	soak_shared_init(team);
}

static void team_check_shared(struct soak_team *team, struct soak_worker *workers)
{
	for (unsigned int i = 0; i < SOAK_WORDS; i++) {
		uint64_t sum = 0, got = 0;

		for (unsigned int t = 0; t < team->threads; t++)
			sum += workers[t].added[i];
		igt_assert(soak_cpu(workers, SOAK_GET, soak_word(team, i), &got, sizeof(got)));
		igt_assert_f(got == sum, "SVM_SOAK_SEED=%#" PRIx64 ": shared word %u: %#" PRIx64
			     ", not %#" PRIx64 "\n", team->seed, i, got, sum);
	}
}

static void team_quiet(const struct soak_team *team)
{
	for (unsigned int i = 0; team->inject && i < team->devices; i++) {
		svm_hw_write(team->fds[i], "inject/fail_copy", 0);
		svm_hw_write(team->fds[i], "inject/fail_alloc", 0);
	}
}

/* One that leaves ends as it is, with all of its memory in VRAM or not */
static void team_run(const struct variant *v, uint64_t seed, bool leave)
{
	struct soak_team team = {
		.seed = seed,
		.devices = v->devices,
		.threads = v->threads,
		.inject = v->inject,
		.pulse = &stats->pulse,
		.trace = svm_env_is_set("SVM_SOAK_TRACE"),
	};
	struct soak_worker workers[MAX_THREADS];

	team_open(&team);
	for (unsigned int i = 0; i < team.threads; i++)
		soak_worker_init(&workers[i], &team, i);
	svm_threads(team.threads, worker_main, workers, sizeof(workers[0]));
	for (unsigned int i = 0; i < team.threads; i++)
		igt_assert(workers[i].ok);
	team_check_shared(&team, workers);
	team_quiet(&team);
	if (leave)
		return;
	for (unsigned int i = 0; i < team.threads; i++)
		soak_worker_fini(&workers[i]);
	soak_shared_fini(&team);
	for (unsigned int i = 0; i < team.devices; i++)
		close(team.fds[i]);
}

/* Progress */

static struct {
	pthread_t thread;
	bool runs, stop;
} teller;

static void tell(uint64_t seconds)
{
	dprintf(STDOUT_FILENO, "progress: %" PRIu64 " s: %" PRIu64 " operations, %" PRIu64
		" faults, %" PRIu64 " pages to VRAM, %" PRIu64 " home, %" PRIu64
		" evictions\n", seconds, stats->ops, stats->faults, stats->in, stats->out,
		stats->evictions);
}

/* Says nothing while nothing happens: then whoever runs the test may act */
static void *teller_main(void *unused)
{
	uint64_t start = svm_now_ms(), told = start, before = 0;

	while (!READ_ONCE(teller.stop)) {
		usleep(100000);
		if (svm_now_ms() - told < 8000 || stats->pulse == before)
			continue;
		told = svm_now_ms();
		before = stats->pulse;
		tell((told - start) / 1000);
	}
	tell((svm_now_ms() - start) / 1000);
	return NULL;
}

static void teller_end(void)
{
	if (!teller.runs)
		return;
	WRITE_ONCE(teller.stop, true);
	pthread_join(teller.thread, NULL);
	teller.runs = false;
}

static void teller_start(void)
{
	teller.stop = false;
	igt_assert(!pthread_create(&teller.thread, NULL, teller_main, NULL));
	teller.runs = true;
}

/* Subtests */

static void limit_memory(const struct variant *v)
{
	if (!v->memory)
		return;
	svm_need_swap();
	svm_cgroup_enter();
	igt_require(svm_cgroup_set("memory.max", v->memory));
}

static void run_processes(const struct variant *v, uint64_t seed, uint64_t last_ms)
{
	end_ms = last_ms;
	max_steps = v->steps;
	for (unsigned int round = 0; svm_now_ms() < last_ms; round++) {
		igt_fork(child, v->processes)
			team_run(v, seed + round * v->processes + child, v->steps);
		igt_waitchildren();
	}
}

static void run(const struct variant *v)
{
	unsigned int seconds = svm_env_seconds("SVM_SOAK_SECONDS", USUAL_SECONDS);
	uint64_t seed = svm_env_seed("SVM_SOAK_SEED");

	teller_end();	/* of one that failed */
	svm_vram_on(v->module);
	memset(stats, 0, sizeof(*stats));
	limit_memory(v);
	dprintf(STDOUT_FILENO, "progress: SVM_SOAK_SEED=%#" PRIx64 "\n", seed);
	teller_start();
	run_processes(v, seed, svm_now_ms() + seconds * 1000ull / ARRAY_SIZE(variants));
	teller_end();
	svm_sys_restore();
	svm_vram_all_free();
}

int igt_main()
{
	igt_fixture()
		stats = mmap(NULL, sizeof(*stats), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	for (size_t i = 0; i < ARRAY_SIZE(variants); i++) {
		igt_describe(variants[i].describe);
		igt_subtest(variants[i].name)
			run(&variants[i]);
	}

	igt_fixture()
		svm_vram_off();
}
