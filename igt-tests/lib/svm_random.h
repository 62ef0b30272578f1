/* SPDX-License-Identifier: MIT */
#ifndef SVM_RANDOM_H
#define SVM_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For tests that do random things. All that is random follows from one seed. */

struct svm_rng {
	uint64_t state;
};

struct svm_rng svm_rng(uint64_t seed, uint64_t stream);
uint64_t svm_rng_next(struct svm_rng *rng);
uint64_t svm_rng_below(struct svm_rng *rng, uint64_t n);	/* 0 to @n - 1 */
bool svm_rng_one_in(struct svm_rng *rng, uint64_t n);
#define svm_rng_of(rng, array) \
	((array)[svm_rng_below(rng, sizeof(array) / sizeof((array)[0]))])

/* A thing to do, the more often the larger its weight; false: something is wrong */
struct svm_op {
	const char *name;
	unsigned int weight;
	bool (*fn)(void *data);
};

const struct svm_op *svm_op_pick(struct svm_rng *rng, const struct svm_op *ops, size_t n);

/* From the environment, or a new seed, or the time that is usual */
uint64_t svm_env_seed(const char *name);
unsigned int svm_env_seconds(const char *name, unsigned int usual);
bool svm_env_is_set(const char *name);

uint64_t svm_now_ms(void);

#endif
