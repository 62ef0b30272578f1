/* SPDX-License-Identifier: MIT */
#ifndef TRACE_RAW_H
#define TRACE_RAW_H

#include <stdint.h>

#include <drm/drm_svm.h>

/*
 * What the library in the traced program writes and svm-trace reads: a file for each address
 * space that was attached, named PID-NUMBER. It has a head, and then records as the kernel
 * gives them, @event_size bytes each.
 */

#define TRACE_MAGIC	0x6563617274766d73ull	/* "svmtrace" */

struct trace_head {
	uint64_t magic;
	uint32_t event_size;
	uint32_t page_size;
	uint32_t pid;
	uint32_t pad;
	uint64_t time;		/* of the attach, in ns of CLOCK_MONOTONIC */
	uint64_t vram_size;	/* bytes, or 0 if it is not known */
	char driver[32];
	char program[32];
};

/*
 * The last record of a file that ends in order. Its size is the number of records that were
 * read but not written, because the file had reached its limit or could not be written.
 */
#define TRACE_END	0x80000000u

/* Environment of the traced program */
#define TRACE_DIR_ENV	"SVM_TRACE_DIR"		/* where the files go */
#define TRACE_LIMIT_ENV	"SVM_TRACE_LIMIT"	/* most records of a file */

#endif
