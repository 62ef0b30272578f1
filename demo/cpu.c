// SPDX-License-Identifier: MIT
#include <err.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "cpu.h"
#include "gpu.h"

uint32_t cpu_random(void)
{
	static uint32_t state = 2463534242u;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

void *cpu_malloc(size_t size)
{
	void *p = malloc(size);

	if (!p)
		errx(EXIT_FAILURE, "out of memory");
	return p;
}

void *cpu_map_ranges(const struct gpu *gpu, unsigned int ranges, bool huge)
{
	size_t size = ranges * gpu->range_size, head;
	char *p;

	p = mmap(NULL, size + gpu->range_size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		err(EXIT_FAILURE, "mmap");
	head = -(uintptr_t)p & (gpu->range_size - 1);
	if (head)
		munmap(p, head);
	munmap(p + head + size, gpu->range_size - head);
	madvise(p + head, size, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return p + head;
}

void *cpu_map_shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		err(EXIT_FAILURE, "mmap");
	return p;
}

void cpu_write_pages(const struct gpu *gpu, void *start, size_t size, uint32_t value)
{
	size_t at;

	for (at = 0; at < size; at += gpu->page_size)
		*(volatile uint32_t *)((char *)start + at) = value;
}

uint64_t cpu_sum_pages(const struct gpu *gpu, const void *start, size_t size)
{
	uint64_t sum = 0;
	size_t at;

	for (at = 0; at < size; at += gpu->page_size)
		sum += *(const volatile uint32_t *)((const char *)start + at);
	return sum;
}

static sigjmp_buf segfault_jmp;
static volatile uint64_t segfault_addr;

static void on_segfault(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	segfault_addr = (uintptr_t)info->si_addr;
	siglongjmp(segfault_jmp, 1);
}

bool cpu_segfaults(void (*access)(void *arg), void *arg, uint64_t *addr)
{
	struct sigaction action = {
		.sa_sigaction = on_segfault,
		.sa_flags = SA_SIGINFO,
	}, old;
	volatile bool hit = true;

	sigaction(SIGSEGV, &action, &old);
	if (!sigsetjmp(segfault_jmp, 1)) {
		access(arg);
		hit = false;
	}
	sigaction(SIGSEGV, &old, NULL);
	*addr = hit ? segfault_addr : 0;
	return hit;
}
