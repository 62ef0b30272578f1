/* SPDX-License-Identifier: MIT */
#ifndef SVM_FUZZ_H
#define SVM_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <drm/drm_svm_test.h>

#include "svm_random.h"

/* What svm_fuzz is made of: calls and commands that are nearly right. */

#define FUZZ_CMDS	16	/* the most of a job */
#define FUZZ_SYNCS	8
#define FUZZ_BOS	4
#define FUZZ_JOBS	64
#define FUZZ_QUEUES	8
#define FUZZ_EVENTS	4

/* Where jobs and ioctls may write: pages that come and go, with others between them */
struct fuzz_place {
	char *base;
	size_t size;
	char *out;		/* of the process; for the results of a query */
};

/* The file, as far as it is known to the generator */
struct fuzz_file {
	int fd;
	bool attached, foreign;
	struct drm_svm_test_info info;
	uint64_t va_end;
	uint32_t syncs[FUZZ_SYNCS];	/* odd ones are timelines */
	uint32_t bos[FUZZ_BOS];
	uint32_t queues[FUZZ_QUEUES];	/* that were created, or zero */
	uint32_t buffer_queues[FUZZ_QUEUES];	/* those of them for buffer objects alone */
	uint64_t jobs[FUZZ_JOBS];	/* to be waited for, or zero */
	int events[FUZZ_EVENTS];	/* files of events, or zero */
};

struct fuzz_gen {
	struct svm_rng rng;
	struct fuzz_place place;
	struct fuzz_file file;
	bool buffers;		/* the call is about jobs on buffer objects */
	struct drm_svm_test_cmd cmds[FUZZ_CMDS];
	struct drm_svm_test_sync in[FUZZ_SYNCS], out[FUZZ_SYNCS];
	struct drm_svm_test_fence fences[FUZZ_SYNCS];
};

struct fuzz_call;

/* An ioctl with all that is needed to judge it */
struct fuzz_try {
	const struct fuzz_call *call;
	unsigned long request;
	size_t size;			/* of the structure, as the request says */
	bool invalid;			/* a flag is unknown, or padding is not zero */
	uint8_t args[512];
};

/* Bind a buffer object, and make queues for jobs on it. The file is attached. */
void fuzz_prepare(struct fuzz_gen *gen);
void fuzz_make_call(struct fuzz_gen *gen, struct fuzz_try *t);
void fuzz_make_submit(struct fuzz_gen *gen, struct fuzz_try *t);
const char *fuzz_name(const struct fuzz_try *t);
/* Is @err, zero or positive, one that the ioctl may return? */
bool fuzz_may_return(const struct fuzz_gen *gen, const struct fuzz_try *t, int err);
bool fuzz_job_may_fail(const struct drm_svm_test_wait *result);
/* Keep what a call has made, forget what it used up */
void fuzz_note(struct fuzz_gen *gen, const struct fuzz_try *t);
void fuzz_print(const struct fuzz_try *t);
/* Read what a file of events has, and close it */
void fuzz_close_events(int events);

#endif
