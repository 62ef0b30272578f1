/* SPDX-License-Identifier: MIT */
#ifndef SVM_MEM_H
#define SVM_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "svm_lib.h"

/*
 * Memory of all kinds, and what the kernel knows of it. For the tests whose
 * subject is the CPU's memory management; the GPU is reached through svm_lib.h.
 */

#define SVM_PROT	(DRM_SVM_PAGE_READ | DRM_SVM_PAGE_WRITE)
#define SVM_RW		(DRM_SVM_PAGE_READ | DRM_SVM_PAGE_WRITE)
#define SVM_RO		DRM_SVM_PAGE_READ

/*
 * Bits of /proc/self/pagemap and /proc/kpageflags (see the kernel's pagemap.rst). The type
 * of an entry with SVM_PM_SWAP is the number of a swap area, or one of the largest numbers:
 * a poisoned page, a page that is being migrated (three types), a page of a device (three),
 * and the last one for a marker.
 */
#define SVM_PM_TYPE		31ull
#define SVM_PM_TYPE_AREAS	24ull
#define SVM_PM_TYPE_DEVICE	28ull
#define SVM_PM_TYPE_MARKER	31ull
#define SVM_PM_SOFT_DIRTY	(1ull << 55)
#define SVM_PM_EXCLUSIVE	(1ull << 56)
#define SVM_PM_FILE		(1ull << 61)
#define SVM_PM_SWAP		(1ull << 62)
#define SVM_PM_PRESENT		(1ull << 63)
#define SVM_PM_PFN		((1ull << 55) - 1)
#define SVM_KPF_DIRTY		(1ull << 4)
#define SVM_KPF_SWAPCACHE	(1ull << 13)
#define SVM_KPF_KSM		(1ull << 21)
#define SVM_KPF_ZERO_PAGE	(1ull << 24)

/*
 * A program declares its subtests in tables, which igt_main() runs. The function
 * of a subtest is named after what it does, without "test_". A name of one word
 * says nothing in a backtrace, and the C library may have it: the feature goes in
 * front of it, as in evict_all().
 */

/* A subtest: gets a freshly attached file, which is closed behind it. */
struct svm_case {
	const char *name;
	const char *describe;
	void (*run)(int fd);
};

void svm_run_cases(const struct svm_case *cases, size_t n, int (*open)(void));
/* The file is the one that @open returns. */
#define svm_cases_of(cases, open) \
	svm_run_cases(cases, sizeof(cases) / sizeof((cases)[0]), open)
#define svm_cases(cases) svm_cases_of(cases, svm_open_attached)

/* A subtest that opens the device itself */
struct svm_test {
	const char *name;
	const char *describe;
	void (*run)(void);
};

void svm_run_tests(const struct svm_test *tests, size_t n);
#define svm_tests(tests) svm_run_tests(tests, sizeof(tests) / sizeof((tests)[0]))

/*
 * Settings of the whole machine. The first svm_sys_set() of a file keeps the
 * old value; svm_sys_restore(), after each subtest and at exit, puts it back.
 */
bool svm_sys_set(const char *path, const char *value);	/* false: no such setting */
long svm_sys_get(const char *path);			/* -1: no such setting */
bool svm_sys_write(const char *path, const char *value); /* not put back */
void svm_sys_restore(void);

/* Memory. All assert success, and require what not each kernel has. */
void *svm_mmap_small(size_t size);	/* anonymous, range-aligned, never huge pages */
void *svm_mmap_untouched(size_t size, bool huge);	/* the same, or huge ones when touched */
void *svm_mmap_thp(size_t size);	/* anonymous, huge pages, written by the CPU */
void *svm_mmap_fd(int fd, size_t size, int flags);	/* read-write, range-aligned */
void *svm_mmap_fixed(void *addr, size_t size, int prot, int flags, int fd);
int svm_memfd(size_t size);
int svm_tmpfile(const char *dir, size_t size);	/* has no name, all holes */
void svm_hugetlb_reserve(size_t size);
bool svm_vma_named(const char *name, uintptr_t *start, uintptr_t *end);
static inline void *svm_page(const void *base, size_t n)
{
	return (char *)(uintptr_t)base + n * svm_page_size();
}

/* Word i of a pattern is @seed + i * 2654435761: differs in each word and seed. */
void svm_pattern(void *addr, size_t size, uint32_t seed);
bool svm_pattern_ok(const void *addr, size_t size, uint32_t seed);
void svm_gpu_pattern(int fd, void *addr, size_t size, uint32_t seed);	/* the GPU writes it */
/* A range of small pages. The GPU has written @value to the first @size bytes, and may write. */
char *svm_gpu_area(int fd, size_t size, uint32_t value);
/* svm_pattern_ok() for what the GPU sees: it copies, and the CPU compares the copy. */
bool svm_gpu_pattern_ok(int fd, const void *addr, size_t size, uint32_t seed);

/* What the GPU may do with a page without a fault: SVM_PROT bits. */
uint32_t svm_prot(int fd, const void *addr);
bool svm_prot_all(int fd, const void *addr, size_t size, uint32_t prot);
unsigned int svm_leaf(int fd, const void *addr);	/* bytes of the leaf, 0: none */
/* Where it is, enum drm_svm_location; pages of [addr, addr + size) in VRAM. */
unsigned int svm_location(int fd, const void *addr);
size_t svm_vram_pages(int fd, const void *addr, size_t size);
/* Run @cmd on each engine in turn: each TLB sees it. */
void svm_run_each_engine(int fd, const struct drm_svm_test_cmd *cmd);

/* Reclaim. */
void svm_need_swap(void);	/* svm_swap_on(), off again by svm_sys_restore() */
bool svm_swapped(const void *addr, size_t size);	/* all of it is in swap */
void svm_lru_drain(void);	/* makes pages fresh from a fault reclaimable */
bool svm_try_pageout(void *addr, size_t size, bool (*done)(const void *addr, size_t size));
void svm_swap_out(void *addr, size_t size);	/* asserts that it got there */
void svm_drop_caches(void);

/* Merging of equal pages, off again by svm_sys_restore() */
void svm_ksm_run(void);
bool svm_all_ksm(const void *base, size_t size);	/* all of it is merged */
void svm_ksm_merge(void *base, size_t size);		/* requires that it gets merged */
void svm_ksm_scan(void);	/* returns when all that may be merged was looked at */

/* A memory cgroup that this process enters; left by svm_sys_restore() as well. */
void svm_cgroup_enter(void);
void svm_cgroup_enter_below(const char *parent);	/* a directory */
void svm_cgroup_leave(void);
bool svm_cgroup_set(const char *file, const char *value);
bool svm_cgroup_has(const char *file);
uint64_t svm_cgroup_key(const char *file, const char *field);
uint64_t svm_cgroup_stat(const char *field);	/* of memory.stat */
uint64_t svm_cgroup_current(void);		/* memory.current */

/* A gate between processes: what passes is counted. Waits 60 s, then asserts. */
int svm_gate(void);
void svm_gate_open(int gate);
void svm_gate_wait(int gate);

#endif
