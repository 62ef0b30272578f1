/* SPDX-License-Identifier: MIT */
#ifndef SVM_FUSE_H
#define SVM_FUSE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define SVM_FUSE_HELD	16

/*
 * A file system with one file, of one page, whose server lets every reader wait until
 * svm_fuse_answer(). What reads it waits where signals do not reach.
 */
struct svm_fuse {
	char dir[64];
	char path[72];		/* of the file */
	int dev;
	pthread_t server;
	pthread_mutex_t lock;
	uint64_t held[SVM_FUSE_HELD];	/* requests that wait for their answer */
	unsigned int nheld;
	bool answers;
	unsigned int nreads;	/* so many came */
	unsigned int nreleases;	/* so often the last user of an open file went */
};

#define SVM_FUSE_BYTE	0x5a	/* what is in the file */

void svm_fuse_start(struct svm_fuse *fuse);	/* igt_require()s FUSE */
void svm_fuse_answer(struct svm_fuse *fuse);	/* all readers, from now on too */
void svm_fuse_stop(struct svm_fuse *fuse);	/* answers, and unmounts */

#endif
