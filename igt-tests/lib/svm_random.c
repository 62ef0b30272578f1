// SPDX-License-Identifier: MIT
/*
 * Random numbers that can be had again, for the tests.
 */

#include <stdlib.h>
#include <time.h>

#include "svm_random.h"

/* splitmix64: any state is a good one, and neighbouring seeds have nothing in common */
uint64_t svm_rng_next(struct svm_rng *rng)
{
	uint64_t z = (rng->state += 0x9e3779b97f4a7c15ull);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

struct svm_rng svm_rng(uint64_t seed, uint64_t stream)
{
	struct svm_rng rng = { seed };

	rng.state = svm_rng_next(&rng) + stream;
	rng.state = svm_rng_next(&rng);
	return rng;
}

uint64_t svm_rng_below(struct svm_rng *rng, uint64_t n)
{
	return svm_rng_next(rng) % n;
}

bool svm_rng_one_in(struct svm_rng *rng, uint64_t n)
{
	return svm_rng_below(rng, n) == 0;
}

const struct svm_op *svm_op_pick(struct svm_rng *rng, const struct svm_op *ops, size_t n)
{
	uint64_t sum = 0, at;
	size_t i;

	for (i = 0; i < n; i++)
		sum += ops[i].weight;
	at = svm_rng_below(rng, sum);
	for (i = 0; at >= ops[i].weight; i++)
		at -= ops[i].weight;
	return &ops[i];
}

uint64_t svm_env_seed(const char *name)
{
	const char *text = getenv(name);
	struct timespec now;

	if (text && *text)
		return strtoull(text, NULL, 0);
	clock_gettime(CLOCK_REALTIME, &now);
	/* short enough to be typed */
	return (now.tv_sec * 1000003ull + now.tv_nsec) & 0xffffffffu;
}

unsigned int svm_env_seconds(const char *name, unsigned int usual)
{
	const char *text = getenv(name);

	return text && *text ? strtoul(text, NULL, 0) : usual;
}

bool svm_env_is_set(const char *name)
{
	const char *text = getenv(name);

	return text && *text;
}

uint64_t svm_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}
