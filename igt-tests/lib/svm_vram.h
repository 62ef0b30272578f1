/* SPDX-License-Identifier: MIT */
#ifndef SVM_VRAM_H
#define SVM_VRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "svm_mem.h"

/* Memory in VRAM, and subtests about it. */

/* Load the module with @params, such as "vram_mb=16"; and without VRAM, as others want it */
void svm_vram_on(const char *params);
void svm_vram_off(void);
/* Asserts that nothing is in VRAM, or soon will be no more */
void svm_vram_all_free(void);

/*
 * Have the GPU bring [addr, addr + size) to VRAM, whose pages all exist, and assert
 * that all of it is there.
 */
void svm_to_vram(int fd, void *addr, size_t size);

/* New small pages with svm_pattern() of @seed, all of which a prefetch has moved to VRAM */
char *svm_prefetched(int fd, size_t size, uint32_t seed);

/* Pages that are VRAM in the page table of the CPU, whatever any GPU has mapped */
size_t svm_device_pages(const void *addr, size_t size);

/*
 * An area of small or of huge pages that the GPU has written. All of it is in
 * VRAM, except on a driver that has none: there the GPU has it mapped in RAM.
 */
struct svm_area {
	char *base;
	size_t size;
	bool huge;
	bool ram;
};

/* The content is svm_pattern() of @seed; without a size, it is one that is quick to check */
struct svm_area svm_area(int fd, bool huge, uint32_t seed);
struct svm_area svm_area_sized(int fd, bool huge, size_t size, uint32_t seed);
void svm_area_free(const struct svm_area *area);
/* Asserts that all pages of the area are in VRAM, or none if the driver has no VRAM */
void svm_area_check_place(const struct svm_area *area);
/* Evicts all VRAM, if the driver has any. */
void svm_area_evict(int fd, const struct svm_area *area);

/*
 * The area has the pattern of @seed, wherever its pages are: for the GPU, for the CPU
 * after an eviction of all VRAM, and both see what the other one writes. The area has
 * the pattern of @seed + 1 afterwards.
 */
void svm_area_check(int fd, const struct svm_area *area, uint32_t seed);

/* A thread that evicts all VRAM of the device over and over */
void svm_evictor_start(int fd);
void svm_evictor_stop(void);

/* A subtest NAME with small pages, and one NAME-huge with huge pages unless @one is set */
struct svm_vram_case {
	const char *name;
	const char *describe;
	void (*run)(int fd, bool huge);
	bool one;
};

void svm_run_vram_cases(const struct svm_vram_case *cases, size_t n, const char *suffix);
#define svm_vram_cases(cases) \
	svm_run_vram_cases(cases, sizeof(cases) / sizeof((cases)[0]), "")

/*
 * For programs whose cases run in RAM and in VRAM. svm_in_ram() has subtests NAME
 * with small pages, and wants a driver without VRAM. svm_in_vram() has subtests
 * NAME-vram and NAME-vram-huge, and wants a driver with VRAM.
 */
void svm_run_ram_cases(const struct svm_vram_case *cases, size_t n);
#define svm_in_ram(cases) svm_run_ram_cases(cases, sizeof(cases) / sizeof((cases)[0]))
#define svm_in_vram(cases) \
	svm_run_vram_cases(cases, sizeof(cases) / sizeof((cases)[0]), "-vram")

#endif
