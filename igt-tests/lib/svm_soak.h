/* SPDX-License-Identifier: MIT */
#ifndef SVM_SOAK_H
#define SVM_SOAK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "svm_model.h"
#include "svm_random.h"

/*
 * What svm_soak is made of: a worker, which owns an area of memory and knows what must
 * be in it, and the ways to reach the area.
 */

#define SOAK_RANGES	3	/* of an area, 2 MiB each */
#define SOAK_BUF_PAGES	256	/* the most pages that a job of the GPU moves about */
#define SOAK_WORDS	32	/* words that all workers of a process add to */
#define SOAK_DEVICES	2

struct soak_span {
	size_t first, n;	/* pages */
};

struct soak_team;

struct soak_worker {
	struct soak_team *team;
	unsigned int index;
	struct svm_rng rng;
	uint64_t step;
	const char *what;	/* the operation that is under way */
	bool ok;
	bool child;		/* in a child of fork(), which ends soon */
	struct svm_model model;
	char *buf;		/* GPU and CPU give each other data here */
	char *page;		/* one page that is the CPU's alone */
	uint64_t *result;	/* of a command */
	uint64_t added[SOAK_WORDS];
	struct soak_span last;	/* where something was done */
	bool stay;		/* and is to be done again */
	struct soak_span busy;	/* a job is writing here */
	uint64_t job;
	int job_fd;
	uint32_t job_word;
	uint32_t bo, bo_word;	/* handle, or zero, and content */
	size_t bo_size;
	int bo_fd;
	pid_t pid;		/* of a child, or zero */
};

/* The workers of a process, threads, and what they share */
struct soak_team {
	uint64_t seed;
	unsigned int devices, threads;
	bool inject;		/* copies fail now and then */
	int fds[SOAK_DEVICES];
	char *bo_start;		/* GPU addresses of buffer objects */
	char *shared;		/* SOAK_WORDS of 64 bits, with other pages between them */
	uint64_t *pulse;	/* counts what shows that something happens */
	bool trace;
	bool stop;
};

/* Say what is wrong, and how to see it again; returns false */
__attribute__((format(printf, 2, 3)))
bool soak_bad(struct soak_worker *w, const char *fmt, ...);

void soak_worker_init(struct soak_worker *w, struct soak_team *team, unsigned int index);
void soak_worker_fini(struct soak_worker *w);
uint64_t *soak_word(struct soak_team *team, unsigned int i);
void soak_shared_init(struct soak_team *team);
void soak_shared_fini(struct soak_team *team);

/* Where to do something: @n is zero when there is no such place. Never in the busy span. */
typedef bool (*soak_fits)(const struct svm_model *m, size_t page);
bool soak_is_any(const struct svm_model *m, size_t page);
bool soak_is_mapped(const struct svm_model *m, size_t page);
bool soak_is_readable(const struct svm_model *m, size_t page);
bool soak_is_writable(const struct svm_model *m, size_t page);
bool soak_is_sure(const struct svm_model *m, size_t page);	/* and readable */
bool soak_is_unsettled(const struct svm_model *m, size_t page);	/* and mapped */
struct soak_span soak_pick(struct soak_worker *w, soak_fits fits, size_t max);
/* Two places of the same size, that of the first one zero if there are none */
struct soak_span soak_pick_two(struct soak_worker *w, soak_fits fits_from, soak_fits fits_to,
			       size_t max, struct soak_span *to);
static inline bool soak_overlap(struct soak_span a, struct soak_span b)
{
	return a.first < b.first + b.n && b.first < a.first + a.n;
}

/*
 * Accesses by the CPU. Where copies fail on purpose they may be answered by SIGBUS: then
 * they are tried again.
 */
enum soak_access {
	SOAK_GET,	/* from @mem to @own */
	SOAK_PUT,	/* the other way */
	SOAK_ADD32,	/* atomic, of the word at @own */
	SOAK_ADD64,
};

void soak_catch_bus(void);
bool soak_cpu(struct soak_worker *w, enum soak_access access, void *mem, void *own, size_t size);

struct drm_svm_test_cmd;

/* Run commands; where copies fail on purpose, what failed is tried again. */
bool soak_may_fail(const struct soak_worker *w, int err);	/* a positive errno */
bool soak_gpu_on(struct soak_worker *w, int fd, struct drm_svm_test_cmd *cmds, uint32_t n);
bool soak_gpu(struct soak_worker *w, struct drm_svm_test_cmd *cmds, uint32_t n);
int soak_fd(struct soak_worker *w);	/* of any device */

/* Are the pages what they must be, for the CPU or for the GPU? */
bool soak_check(struct soak_worker *w, struct soak_span span, bool gpu);
bool soak_check_all(struct soak_worker *w, bool gpu);
/* All that is mapped becomes writable, so that all of it can be looked at */
bool soak_unprotect(struct soak_worker *w);

/* Do something; and when all is done, see that everything is right, whatever its protection */
bool soak_step(struct soak_worker *w);
bool soak_end(struct soak_worker *w);

#endif
