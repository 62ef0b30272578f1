// SPDX-License-Identifier: MIT
/*
 * Allocations fail while a module is initialized. Then it is not loaded, and nothing of
 * it is left; or it does without, and works. They fail while a device is removed, too:
 * it goes all the same, and no memory is lost that could come home.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "igt.h"
#include "svm_hw.h"
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
 * Linux oopses there when it has no memory: drm_minor_alloc_release() puts the
 * device that could not be made.
 */
#define BROKEN	"drm_dev_init"

/*
 * To load a module takes long, and most of the failures are those of the kernel's own
 * functions, one after the other. So only the first ones are tried one by one.
 */
#define ALL	24

static unsigned int next_failure(unsigned int nth)
{
	return nth < ALL ? nth + 1 : nth + nth / 3;
}

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

/* @try_once has the @nth allocation fail, and says what failed. */
static void sweep(enum svm_injected (*try_once)(void *data, unsigned int nth), void *data)
{
	unsigned int nth, tries = 0;
	enum svm_injected injected = SVM_INJECTED_SLAB;

	for (nth = 1; injected; nth = next_failure(nth)) {
		injected = try_once(data, nth);
		/* who waits for us wants to see that something happens */
		if (!(tries % 8))
			igt_info("failure %u\n", nth);
		tries += !!injected;
	}
	igt_info("%u failures injected\n", tries);
	igt_assert_lt(0, tries);
}

struct load {
	const char *name;
	const char *params;
	void (*check)(void);	/* that it works; unloads it */
	int file;
	unsigned int refused;
};

static enum svm_injected load_once(void *data, unsigned int nth)
{
	struct load *load = data;
	enum svm_injected injected;
	int err;

	svm_inject_begin(nth, INIT);
	err = syscall(SYS_finit_module, load->file, load->params, 0) ? -errno : 0;
	injected = svm_inject_end();
	/* the kernel says ENODEV where it cannot make the parent of the device */
	igt_assert_f(!err || (injected && (err == -ENOMEM || err == -ENODEV)),
		     "failure %u: %s\n", nth, strerror(-err));
	igt_assert_eq(is_loaded(load->name), !err);
	if (!err)
		load->check();
	load->refused += !!err;
	return injected;
}

static void load_module(struct load load)
{
	load.file = open_module(load.name);
	svm_inject_init();
	svm_inject_except(BROKEN);
	sweep(load_once, &load);
	igt_info("%s: %u times not loaded\n", load.name, load.refused);
	close(load.file);
}

static void load_helper(void)
{
	svm_helper_unload();
	load_module((struct load) { .name = HELPER, .params = "", .check = svm_helper_unload });
	svm_module_load(NULL);
}

static void load_driver(void)
{
	svm_module_unload();
	load_module((struct load) { .name = DRIVER, .params = PARAMS, .check = check_driver });
	svm_module_load(PARAMS);
	check_driver();
}

/* A device is removed. */
static enum svm_injected unplug_once(void *data, unsigned int nth)
{
	const enum svm_hw_unplug how = *(enum svm_hw_unplug *)data;
	const char text[] = { '0' + how, '\0' };
	size_t size = 16 * svm_page_size();
	enum svm_injected injected;
	int fd, file, err;
	char *base;

	svm_module_load(PARAMS);
	fd = svm_open_attached();
	base = svm_hw_memory(fd, size, true);
	file = svm_hw_open(fd, "unplug", O_WRONLY);
	svm_inject_begin(nth, NULL);
	err = __svm_hw_put(file, text);
	injected = svm_inject_end();
	if (injected == SVM_INJECTED_USER && err == -EFAULT)
		err = __svm_hw_put(file, text);
	igt_assert_f(!err, "failure %u: %s\n", nth, strerror(-err));
	close(file);
	if (how == SVM_HW_SURPRISE)
		igt_assert(svm_hw_all_lost(base, size));
	else
		igt_assert(svm_cpu_all32(base, size, SVM_HW_MAGIC));
	munmap(base, size);
	close(fd);
	svm_module_unload();
	return injected;
}

static void unplug(enum svm_hw_unplug how)
{
	svm_module_unload();
	sweep(unplug_once, &how);
}

static void unplug_orderly(void)
{
	unplug(SVM_HW_ORDERLY);
}

static void unplug_gone(void)
{
	unplug(SVM_HW_SURPRISE);
}

static const struct svm_test tests[] = {
	{ "helper", "The helper layer is loaded.", load_helper },
	{ "driver", "The driver is loaded.", load_driver },
	{ "unplug-orderly", "A device goes whose memory comes home.", unplug_orderly },
	{ "unplug-gone", "A device is gone, and its memory.", unplug_gone },
};

int igt_main()
{
	igt_fixture() {
		igt_require(geteuid() == 0);
		svm_inject_init();
		svm_module_load(NULL);
	}

	svm_tests(tests);

	igt_fixture()
		svm_module_reset();
}
