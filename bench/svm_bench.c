// SPDX-License-Identifier: MIT
/*
 * What sharing memory costs, in instructions: drm_svm, the kernel's own drm_gpusvm in
 * the same virtual GPU, and the kernel's functions below both, in one boot. One line of
 * JSON for each case and side on stdout; how far it is on stderr.
 */

#include <err.h>
#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "count.h"
#include "rate.h"
#include "series.h"
#include "side.h"

#define MAX_CASES	256
#define QUIESCE_MS	60000

static struct bench_case cases[MAX_CASES];
static unsigned int num_cases;
static bool endless;

void bench_add(const struct bench_case *c, const char *name, ...)
{
	va_list args;

	if (num_cases == MAX_CASES)
		errx(EXIT_FAILURE, "too many cases");
	cases[num_cases] = *c;
	va_start(args, name);
	vsnprintf(cases[num_cases].name, sizeof(cases->name), name, args);
	va_end(args);
	num_cases++;
}

static void add_cases(void)
{
	add_fault_cases();
	add_batch_cases();
	add_migrate_cases();
	add_invalidate_cases();
	add_evict_cases();
	add_oversub_cases();
	add_life_cases();
	add_memory_cases();
	add_job_cases();
}

static bool is_named(const struct bench_case *c, char **globs, int num_globs)
{
	int g;

	for (g = 0; g < num_globs; g++)
		if (!fnmatch(globs[g], c->name, 0))
			return true;
	return false;
}

/* Drops the cases that no glob names, or without globs those that want to be named. */
static void choose_cases(char **globs, int num_globs)
{
	unsigned int n = 0, i;

	for (i = 0; i < num_cases; i++)
		if (is_named(&cases[i], globs, num_globs) ||
		    (!num_globs && !cases[i].on_request))
			cases[n++] = cases[i];
	num_cases = n;
}

static bool is_for(const struct bench_case *c, enum side side)
{
	return side == SIDE_FLOOR ? !!c->floor : c->run || c->sample;
}

static int run_sample(struct bench *bench, const struct bench_case *c, struct sample *s)
{
	*s = (struct sample) { .pages = c->size / (c->stride ?: PAGE) };
	return bench->side == SIDE_FLOOR ? c->floor(bench, c, s) : c->sample(bench, c, s);
}

static int run_samples(struct bench *bench, const struct bench_case *c)
{
	struct series series = {};
	struct sample s;
	unsigned int i;
	int error;

	for (i = 0; i < c->samples; i++) {
		error = run_sample(bench, c, &s);
		if (error)
			return error;
		series_add(&series, &s);
	}
	series_print(&series, bench->side, c->figure, "%s", c->name);
	return 0;
}

/* For who watches from outside; the first samples are not like the others. */
static int run_for_ever(struct bench *bench, const struct bench_case *c)
{
	struct sample s;
	unsigned int i;
	int error;

	for (i = 0;; i++) {
		error = run_sample(bench, c, &s);
		if (error)
			return error;
		if (i == c->samples)
			fprintf(stderr, "running\n");
	}
}

static int run_here(enum side side, const struct bench_case *c)
{
	struct bench bench = { .side = side };

	bench_open_side(&bench);
	if (endless)
		return c->run ? -EOPNOTSUPP : run_for_ever(&bench, c);
	return c->run ? c->run(&bench, c) : run_samples(&bench, c);
}

/* An error of a job or ioctl is its errno; anything worse is EIO. */
static void run_case(enum side side, const struct bench_case *c)
{
	int status = 0, error;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child < 0)
		err(EXIT_FAILURE, "fork");
	if (!child) {
		error = run_here(side, c);
		fflush(NULL);
		_exit(-error);
	}
	waitpid(child, &status, 0);
	error = WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
	if (!error || (side == SIDE_FLOOR && error == ENODEV))
		return;
	fprintf(stderr, "%s: %s: %s\n", side_name(side), c->name, strerror(error));
	series_print_errno(side, c->name, error);
}

static void say_case(enum side side, const struct bench_case *c)
{
	static unsigned int n;

	fprintf(stderr, "%4u %s: %s\n", ++n, side_name(side), c->name);
}

static void run_cases(enum side side, enum setup setup)
{
	unsigned int i;

	for (i = 0; i < num_cases; i++) {
		if (!is_for(&cases[i], side) ||
		    (side != SIDE_FLOOR && cases[i].setup != setup))
			continue;
		say_case(side, &cases[i]);
		run_case(side, &cases[i]);
	}
}

static bool has_cases(enum side side, enum setup setup)
{
	unsigned int i;

	for (i = 0; i < num_cases; i++)
		if (is_for(&cases[i], side) && cases[i].setup == setup)
			return true;
	return false;
}

static void run_side(enum side side)
{
	enum setup setup;

	if (side == SIDE_FLOOR) {
		side_load(side, SETUP_RAM);
		run_cases(side, SETUP_RAM);
		side_unload(side);
		return;
	}
	for (setup = 0; setup < NUM_SETUPS; setup++) {
		if (!has_cases(side, setup))
			continue;
		if (!side_load(side, setup))
			return;
		run_cases(side, setup);
		side_unload(side);
	}
}

static void pass_gate(bool force)
{
	count_settle(QUIESCE_MS);
	if (!count_gate() && !force)
		errx(EXIT_FAILURE, "instructions cannot be counted here; see tools/vm --icount");
}

/* What the kernel does from time to time would be in one sample and not in another. */
static void stop_housekeeping(void)
{
	bench_set("/sys/kernel/mm/transparent_hugepage/enabled", "madvise");
	bench_set("/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs", "4000000000");
	bench_set("/proc/sys/vm/compaction_proactiveness", "0");
	bench_set("/proc/sys/vm/stat_interval", "1000");
	bench_set("/proc/sys/vm/overcommit_memory", "1");
	bench_set("/proc/sys/vm/max_map_count", "4000000");
}

static void usage(int status)
{
	fprintf(stderr, "usage: svm_bench [--side floor|drm_gpusvm|drm_svm]... [--force] [--endless] [--rate] [--list] [GLOB]...\n"
		"Runs as root where tools/vm --icount counts instructions; --force does without.\n"
		"--rate counts faults a second instead, on however many processors there are.\n"
		"--endless repeats the first case until it is killed.\n");
	exit(status);
}

static enum side side_named(const char *name)
{
	enum side side;

	for (side = 0; side < NUM_SIDES; side++)
		if (!strcmp(name, side_name(side)))
			return side;
	usage(EXIT_FAILURE);
	return NUM_SIDES;
}

static void list_cases(void)
{
	unsigned int i;

	for (i = 0; i < num_cases; i++)
		puts(cases[i].name);
}

struct options {
	bool sides[NUM_SIDES], chosen, force, endless, rate, list;
};

static struct options parse_options(int argc, char **argv)
{
	static const struct option known[] = {
		{ "side", required_argument, NULL, 's' },
		{ "force", no_argument, NULL, 'f' },
		{ "endless", no_argument, NULL, 'e' },
		{ "rate", no_argument, NULL, 'r' },
		{ "list", no_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{}
	};
	struct options options = {};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (c == 's')
			options.sides[side_named(optarg)] = true;
		options.chosen |= c == 's';
		options.force |= c == 'f';
		options.endless |= c == 'e';
		options.rate |= c == 'r';
		options.list |= c == 'l';
		if (c == 'h' || c == '?')
			usage(c == 'h' ? EXIT_SUCCESS : EXIT_FAILURE);
	}
	return options;
}

int main(int argc, char **argv)
{
	struct options options = parse_options(argc, argv);
	enum side side;

	add_cases();
	choose_cases(argv + optind, argc - optind);
	if (options.list) {
		list_cases();
		return 0;
	}
	endless = options.endless;
	stop_housekeeping();
	if (options.rate)
		return rate_compare() ? EXIT_SUCCESS : EXIT_FAILURE;
	for (side = 0; side < NUM_SIDES; side++) {
		if (options.chosen && !options.sides[side])
			continue;
		pass_gate(options.force);
		run_side(side);
	}
	pass_gate(options.force);
	return 0;
}
