// SPDX-License-Identifier: MIT
/*
 * Allocations fail while a module is initialized. Then it is not loaded, and nothing of
 * it is left; or it does without, and works.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "igt.h"
#include "svm_inject.h"
#include "svm_job.h"
#include "svm_mem.h"

IGT_TEST_DESCRIPTION("Modules for which there is no memory.");

#define HELPER	"drm_svm"
#define DRIVER	"drm_svm_test_dev"
#define PARAMS	"vram_mb=2 num_devices=1 engines=1 fault_entries=4 tlb_entries=4"
/* The kernel calls the function of a module from there. */
#define INIT	"do_one_initcall"
/*
 * Linux 7.2 oopses there when it has no memory: drm_minor_alloc_release() puts the
 * device that could not be made.
 */
#define BROKEN	"drm_dev_init"

/*
 * To load a module takes long, and most of the failures are those of the kernel's own
 * functions, one after the other. So only the first ones are tried one by one.
 */
#define ALL	24
#define STEP	23

static int open_module(const char *name)
{
	char command[64], path[256] = "";
	FILE *pipe;
	int file;

	snprintf(command, sizeof(command), "modinfo -n %s", name);
	pipe = popen(command, "re");
	igt_assert(pipe);
	igt_require(fgets(path, sizeof(path), pipe));
	pclose(pipe);
	path[strcspn(path, "\n")] = '\0';
	file = open(path, O_RDONLY | O_CLOEXEC);
	igt_require_f(file >= 0, "%s: %s\n", path, strerror(errno));
	return file;
}

static bool is_loaded(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/module/%s", name);
	return !access(path, F_OK);
}

static void check_driver(void)
{
	size_t size = 16 * svm_page_size();
	int fd = __svm_open(0);
	char *base;

	/* without a node it cannot be used, but it can be unloaded */
	if (fd >= 0) {
		svm_attach(fd);
		base = svm_mmap_small(size);
		svm_gpu_fill(fd, base, size, 1);
		igt_assert(svm_cpu_all32(base, size, 1));
		munmap(base, size);
		close(fd);
	}
	svm_module_unload();
}

static void sweep(const char *name, const char *params, void (*check)(void))
{
	unsigned int nth, tries = 0, refused = 0;
	enum svm_injected injected = SVM_INJECTED_SLAB;
	int file = open_module(name);

	svm_inject_init();
	svm_inject_except(BROKEN);
	for (nth = 1; injected; nth += nth < ALL ? 1 : STEP) {
		int err;

		svm_inject_begin(nth, INIT);
		err = syscall(SYS_finit_module, file, params, 0) ? -errno : 0;
		injected = svm_inject_end();
		/* the kernel says ENODEV where it cannot make the parent of the device */
		igt_assert_f(!err || (injected && (err == -ENOMEM || err == -ENODEV)),
			     "failure %u: %s\n", nth, strerror(-err));
		igt_assert_eq(is_loaded(name), !err);
		if (!err)
			check();
		/* who waits for us wants to see that something happens */
		if (!(tries % 8))
			igt_info("failure %u\n", nth);
		tries += !!injected;
		refused += !!err;
	}
	igt_info("%s: %u failures injected; %u times not loaded\n", name, tries, refused);
	igt_assert_lt(0, tries);
	close(file);
}

static void test_helper(void)
{
	svm_helper_unload();
	sweep(HELPER, "", svm_helper_unload);
	svm_module_load(NULL);
}

static void test_driver(void)
{
	svm_module_unload();
	sweep(DRIVER, PARAMS, check_driver);
	svm_module_load(PARAMS);
	check_driver();
}

igt_main
{
	igt_fixture {
		igt_require(geteuid() == 0);
		svm_inject_init();
		svm_module_load(NULL);
	}

	igt_describe("The helper layer is loaded.");
	igt_subtest("helper")
		test_helper();

	igt_describe("The driver is loaded.");
	igt_subtest("driver")
		test_driver();

	igt_fixture
		svm_module_reset();
}
