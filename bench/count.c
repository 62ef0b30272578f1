// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "count.h"

#define TRIES		8
#define LOOPS		1000000ul
#define CALLS		1000
#define NOISE		20	/* the timer's interrupts may be one part in so many */
#define DRIFT		100

uint64_t count_now(void)
{
	uint32_t low, high;

	asm volatile("lfence; rdtsc; lfence" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static uint64_t count_loop(void)
{
	unsigned long n = LOOPS;
	uint64_t begin = count_now();

	asm volatile("1: dec %0; jnz 1b" : "+r"(n) : : "cc");
	return count_now() - begin;
}

static uint64_t count_calls(void)
{
	uint64_t begin = count_now();
	int i;

	for (i = 0; i < CALLS; i++)
		syscall(SYS_getppid);
	return count_now() - begin;
}

struct gate {
	uint64_t min, max;
};

static struct gate repeat(uint64_t (*work)(void))
{
	struct gate gate = { .min = UINT64_MAX };
	int i;

	work();
	for (i = 0; i < TRIES; i++) {
		uint64_t took = work();

		gate.min = took < gate.min ? took : gate.min;
		gate.max = took > gate.max ? took : gate.max;
	}
	return gate;
}

static bool within(uint64_t value, uint64_t wanted, unsigned int part)
{
	return value >= wanted - wanted / part && value <= wanted + wanted / part;
}

/* With these each step of a string instruction would count as one. */
static bool has_fast_strings(void)
{
	FILE *file = fopen("/proc/cpuinfo", "r");
	bool found = false;
	char line[4096];

	while (file && fgets(line, sizeof(line), file))
		found |= !!strstr(line, " erms");
	if (file)
		fclose(file);
	return found;
}

bool count_gate(void)
{
	struct gate loop = repeat(count_loop), calls = repeat(count_calls);
	static uint64_t first_call;

	if (!first_call)
		first_call = calls.min;
	fprintf(stderr, "gate: a loop of 2 instructions takes %.3f to %.3f, getppid() %.1f to %.1f\n",
		(double)loop.min / LOOPS, (double)loop.max / LOOPS,
		(double)calls.min / CALLS, (double)calls.max / CALLS);
	if (has_fast_strings()) {
		fprintf(stderr, "gate: the processor has erms, so copies would be counted by the byte\n");
		return false;
	}
	return within(loop.min, 2 * LOOPS, DRIFT) && within(loop.max, 2 * LOOPS, NOISE) &&
	       within(calls.max, calls.min, NOISE) && within(calls.min, first_call, DRIFT);
}

void count_settle(unsigned int milliseconds)
{
	struct timespec time = {
		.tv_sec = milliseconds / 1000,
		.tv_nsec = milliseconds % 1000 * 1000000l,
	};

	nanosleep(&time, NULL);
}
