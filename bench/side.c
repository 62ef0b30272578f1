// SPDX-License-Identifier: MIT
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "count.h"
#include "side.h"

#define DEVICE		"drm_svm_test_dev"
#define HELPER		"drm_svm"
#define FLOOR		"drm_svm_floor"
#define UNLOAD_TRIES	10
#define QUIESCE_MS	20000

static const char * const parameters[NUM_SETUPS] = {
	[SETUP_RAM] = "",
	[SETUP_WIDE] = "engines=16 lanes=16 fault_entries=1024",
	[SETUP_CROWD] = "engines=128 lanes=16 fault_entries=1024",
	[SETUP_TWO] = "num_devices=2",
	[SETUP_VRAM] = "vram_mb=512",
	[SETUP_LARGE] = "vram_mb=1280",
	[SETUP_SCARCE] = "vram_mb=32",
};

__attribute__((format(printf, 1, 2)))
static bool run(const char *format, ...)
{
	char command[160];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	return !system(command);
}

static const char *module_of(enum side side)
{
	return side == SIDE_FLOOR ? FLOOR : DEVICE;
}

/* A module without the parameter is loaded all the same, as what it always is. */
static bool has_backend(void)
{
	return !access("/sys/module/" DEVICE "/parameters/backend", F_OK);
}

static bool load(enum side side, enum setup setup)
{
	if (side == SIDE_FLOOR)
		return run("modprobe %s device_mb=640 2>/dev/null", FLOOR);
	if (side == SIDE_OURS)
		return run("modprobe %s %s", DEVICE, parameters[setup]);
	return run("modprobe %s backend=drm_gpusvm %s", DEVICE, parameters[setup]) &&
	       has_backend();
}

bool side_load(enum side side, enum setup setup)
{
	side_unload(side);
	if (load(side, setup)) {
		count_settle(QUIESCE_MS);
		return true;
	}
	fprintf(stderr, "%s is not there (%s)\n",
		side == SIDE_PEER ? "backend=drm_gpusvm" : module_of(side),
		parameters[setup]);
	side_unload(side);
	return false;
}

bool side_load_workers(enum side side, enum setup setup, unsigned int workers)
{
	side_unload(side);
	if (side == SIDE_OURS &&
	    (!run("modprobe -r " HELPER) || !run("modprobe " HELPER " workers=%u", workers)))
		return false;
	return load(side, setup);
}

/* The last file is closed in the background, so the module may be in use yet. */
void side_unload(enum side side)
{
	const char *name = module_of(side);
	int tries;

	for (tries = 0; tries < UNLOAD_TRIES; tries++) {
		if (!run("test -e /sys/module/%s", name) ||
		    run("modprobe -r %s 2>/dev/null", name))
			return;
		count_settle(1000);
	}
	fprintf(stderr, "cannot unload %s\n", name);
}
