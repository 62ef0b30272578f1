// SPDX-License-Identifier: MIT
/*
 * A process that has reached the limit of its memory cgroup, with pages in VRAM,
 * which count as well. Who only gets back what is his needs no more of it; who wants
 * more ends, and nobody else loses anything.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_job.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("Pages in VRAM of processes that may not have more memory.");

#define OLD	0x00f00000u
#define NEW	0x00e00000u
#define MIB	(1024 * 1024)

/* A child in a memory cgroup of its own, without swap; it waits for limited_run() */
struct limited {
	int ready, go;
};

static bool limited_start(struct limited *limited)
{
	limited->ready = svm_gate();
	limited->go = svm_gate();
	svm_cgroup_enter();
	igt_require(svm_cgroup_set("memory.swap.max", "0"));
	if (!svm_fork())
		return true;
	/* the child stays in it, alone */
	igt_assert(svm_sys_write("/sys/fs/cgroup/cgroup.procs", "0"));
	return false;
}

/* In the child: say that all is prepared, and wait for the limit */
static void limited_wait(struct limited *limited)
{
	svm_gate_open(limited->ready);
	svm_gate_wait(limited->go);
}

/* Returns how the child ended, with @bytes more than it has now at most */
static int limited_run(struct limited *limited, size_t bytes)
{
	char text[32];
	int status;

	svm_gate_wait(limited->ready);
	snprintf(text, sizeof(text), "%zu", svm_cgroup_current() + bytes);
	igt_assert(svm_cgroup_set("memory.max", text));
	svm_gate_open(limited->go);
	status = svm_reap(120);
	svm_cgroup_leave();
	return status;
}

/* Its own pages come home by an eviction: they are counted already */
static void evict_at_limit(int fd, bool huge)
{
	struct limited limited;

	if (limited_start(&limited)) {
		int own = svm_open_attached();
		struct svm_area area = svm_area_sized(own, huge, 2 * svm_range_size(), OLD);

		limited_wait(&limited);
		svm_evict_vram(own);
		igt_assert_eq(svm_device_pages(area.base, area.size), 0);
		igt_assert(svm_pattern_ok(area.base, area.size, OLD));
		exit(0);
	}
	igt_assert_eq(limited_run(&limited, MIB), 0);
}

static void home_at_limit(int fd, bool huge)
{
	struct limited limited;

	if (limited_start(&limited)) {
		int own = svm_open_attached();
		struct svm_area area = svm_area_sized(own, huge, 2 * svm_range_size(), OLD);

		limited_wait(&limited);
		igt_assert(svm_pattern_ok(area.base, area.size, OLD));
		exit(0);
	}
	igt_assert_eq(limited_run(&limited, MIB), 0);
}

/* To VRAM and back, over and over */
static void moves_at_limit(int fd, bool huge)
{
	struct limited limited;

	if (limited_start(&limited)) {
		int own = svm_open_attached();
		struct svm_area area = svm_area_sized(own, huge, svm_range_size(), OLD);

		limited_wait(&limited);
		for (int i = 0; i < 5; i++) {
			svm_gpu_touch(own, area.base, area.size, svm_page_size(), false);
			svm_evict_vram(own);
			igt_assert(svm_pattern_ok(area.base, area.size, OLD));
		}
		exit(0);
	}
	igt_assert_eq(limited_run(&limited, 2 * MIB), 0);
}

/* Ends with 0 if the GPU is told that there is no memory; it may be killed before */
static void want_too_much(struct limited *limited, bool huge)
{
	int own = svm_open_attached();
	size_t size = 16 * MIB;
	char *base = svm_mmap_untouched(size, huge);

	limited_wait(limited);
	exit(__svm_gpu_fill(own, base, size, NEW) != -ENOMEM);
}

static void check_ended(int status)
{
	igt_assert_f(!status || status == 128 + SIGKILL, "status %d\n", status);
}

/* Neither the pages nor the jobs of another process suffer */
static void too_much(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	struct limited limited;

	if (limited_start(&limited))
		want_too_much(&limited, huge);
	check_ended(limited_run(&limited, 4 * MIB));
	svm_area_check(fd, &area, OLD);
}

/* The same under an eviction of everybody's pages */
static void too_much_evicted(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	struct limited limited;

	if (limited_start(&limited))
		want_too_much(&limited, huge);
	svm_evictor_start(fd);
	check_ended(limited_run(&limited, 4 * MIB));
	svm_evictor_stop();
	svm_area_check(fd, &area, OLD);
}

/* The limit goes below what is in VRAM, from where nothing can be reclaimed */
static void oom_lowered(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	struct limited limited;

	if (limited_start(&limited)) {
		int own = svm_open_attached();

		svm_area_sized(own, huge, 4 * MIB, NEW);
		limited_wait(&limited);
		for (;;)
			pause();
	}
	svm_gate_wait(limited.ready);
	svm_cgroup_set("memory.max", "1048576");
	igt_assert_eq(svm_reap(120), 128 + SIGKILL);
	svm_cgroup_leave();
	svm_area_check(fd, &area, OLD);
}

/* Pages of a parent and a child, of whom one has no memory for copies of its own */
static void fork_at_limit(int fd, bool huge)
{
	struct svm_area area = svm_area_sized(fd, huge, 2 * svm_range_size(), OLD);
	struct limited limited;

	if (limited_start(&limited)) {
		limited_wait(&limited);
		svm_pattern(area.base, area.size, NEW);
		exit(0);
	}
	/* it is killed by its first writes, or by later ones */
	igt_assert_eq(limited_run(&limited, MIB), 128 + SIGKILL);
	svm_area_check(fd, &area, OLD);
}

static const struct svm_vram_case cases[] = {
	{ "evict", "Eviction gives a process what it has, and takes nothing.", evict_at_limit },
	{ "home", "Pages that come home are counted already.", home_at_limit },
	{ "moves", "Pages move to VRAM and back.", moves_at_limit },
	{ "too-much", "Who wants too much ends, and nobody else suffers.", too_much },
	{ "too-much-evicted", "The same while all pages are evicted.", too_much_evicted },
	{ "lowered", "The limit goes below what is in VRAM.", oom_lowered },
	{ "fork", "A child has no memory for copies.", fork_at_limit },
};

int igt_main()
{
	igt_fixture()
		svm_vram_on("vram_mb=16");

	svm_vram_cases(cases);

	igt_fixture()
		svm_vram_off();
}
