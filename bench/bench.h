/* SPDX-License-Identifier: MIT */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mem.h"
#include "svm_client.h"

#define KIB		1024ul
#define MIB		(1024 * KIB)
#define GIB		(1024 * MIB)
#define PAGE		(4 * KIB)
#define RANGE		(2 * MIB)

/*
 * A case is a piece of work that is timed, a sample is one time that it was done,
 * a side is who did it. Each case runs in a process of its own, with memory that
 * nothing has used before.
 */
enum side {
	SIDE_FLOOR,	/* what the kernel's own functions take, with nothing around */
	SIDE_PEER,	/* drm_gpusvm */
	SIDE_OURS,	/* drm_svm */
	NUM_SIDES
};

/* How the module of the GPU is loaded: cases that share it follow each other. */
enum setup {
	SETUP_RAM,	/* no VRAM */
	SETUP_WIDE,	/* no VRAM, and as many faults at once as there can be */
	SETUP_CROWD,	/* the same of more engines, of which many wait for one page */
	SETUP_TWO,	/* two of these devices */
	SETUP_VRAM,	/* VRAM for all of a case */
	SETUP_LARGE,	/* more of it than for most */
	SETUP_SCARCE,	/* less VRAM than memory */
	NUM_SETUPS
};

#define WAIT_NS		300000000000ll	/* how long anything is waited for */

#define WIDE_ENGINES	16u	/* of SETUP_WIDE */
#define CROWD_ENGINES	128u	/* of SETUP_CROWD */

/* What a figure is */
enum figure {
	FIGURE_INSNS,	/* instructions, but those of the hardware */
	FIGURE_SERVICE,	/* instructions of workers, if there were faults to serve */
	FIGURE_BYTES,
};

/*
 * For how many instructions threads of the kernel ran: workers, by which faults are
 * served, and what plays the hardware, the engines and who copies pages.
 */
struct busy {
	uint64_t workers;
	uint64_t hardware;
};

/* What is to be known of a sample; what a case has no use for is zero. */
struct sample {
	uint64_t figure;	/* instructions or bytes */
	uint64_t service;	/* instructions of workers; none if no fault waited */
	uint64_t waited;	/* instructions while a fault waited for its answer */
	struct busy busy;
	uint64_t pages;		/* of the work, to know what is divided by what */
	struct client_counts counters;	/* how much they changed */
};

struct bench {
	enum side side;
	int fd;			/* of the GPU, attached, but for the floor */
	char node[64];		/* its file in /dev */
	int floor;		/* file of the floor's device, or -1 */
};

struct bench_case {
	char name[48];
	enum setup setup;
	enum figure figure;
	unsigned int samples;	/* the first one is thrown away */
	/* Prepares, times with bench_begin() and bench_end(). Zero or -errno. */
	int (*sample)(struct bench *bench, const struct bench_case *c, struct sample *s);
	/* The same for the floor; none if nothing compares */
	int (*floor)(struct bench *bench, const struct bench_case *c, struct sample *s);
	/* In place of @sample: prints what it likes. Zero or -errno. */
	int (*run)(struct bench *bench, const struct bench_case *c);
	bool on_request;	/* only if a glob names it: takes too long or too much */

	/* What these go by, each as it needs */
	size_t size, stride;
	bool huge, touched, write, mapped;
	unsigned int count, sharers;
	int op;
};

/* Begins and ends what is timed; before it, what the last sample left is awaited. */
void bench_begin(struct bench *bench, struct sample *s);
/* Begins at once: where a GPU is busy, waiting would be nothing but dear. */
void bench_start(struct bench *bench, struct sample *s);
void bench_end(struct bench *bench, struct sample *s);

/* The GPU accesses a word each @stride bytes. Zero or -errno. */
int bench_touch(struct bench *bench, void *start, size_t size, size_t stride, bool write);
/* A job for one engine. At its end the word at @signal becomes 1, unless that is NULL. */
int bench_submit(struct bench *bench, const struct drm_svm_test_cmd *cmds, unsigned int n,
		 unsigned int engine, const volatile uint64_t *signal, uint64_t *job);
int bench_wait(struct bench *bench, uint64_t job);
/* Moves pages to VRAM or home; -EBUSY if some stay. */
int bench_move(struct bench *bench, void *start, size_t size, uint32_t location);
/* Opens a file of the GPU with number @index and attaches. It, or -errno. */
int bench_open_gpu(unsigned int index);
/* The same of the device of @bench, without a search for it. */
int bench_open(const struct bench *bench);
/* Writes a line in which @value is a setting of the kernel, if there is such a one. */
void bench_set(const char *path, const char *value);
/* Everything leaves VRAM. */
int bench_evict(struct bench *bench);
/* What the floor's module does, timed; -ENODEV without the module. */
int floor_mirror(struct bench *bench, const struct area *area, bool write, struct sample *s);
int floor_move(struct bench *bench, const struct area *area, bool home, struct sample *s);

/* Opens the side's device in this process and attaches; ends the program if not. */
void bench_open_side(struct bench *bench);

/* Where the files of cases put their cases. */
void bench_add(const struct bench_case *c, const char *name, ...)
	__attribute__((format(printf, 2, 3)));

void add_fault_cases(void);
void add_batch_cases(void);
void add_migrate_cases(void);
void add_invalidate_cases(void);
void add_evict_cases(void);
void add_oversub_cases(void);
void add_life_cases(void);
void add_memory_cases(void);
void add_job_cases(void);

#endif
