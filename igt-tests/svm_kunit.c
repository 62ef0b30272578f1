// SPDX-License-Identifier: MIT
/*
 * The KUnit tests of both modules. They run when their modules are loaded; what came
 * of them is read from debugfs.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "igt.h"
#include "svm_job.h"
#include "svm_mem.h"

IGT_TEST_DESCRIPTION("Functions of the modules by themselves, where the kernel has KUnit.");

#define DEBUGFS	"/sys/kernel/debug/kunit"

static const struct suite {
	const char *name;
	const char *describe;
} suites[] = {
	{ "drm_svm_fault", "Faults of a batch are sorted, cut into ranges and refused." },
	{ "drm_svm_fault_queue", "Faults are queued in order, in shares, and answered once." },
	{ "drm_svm_migrate", "Pages to copy and to clear become few segments." },
	{ "drm_svm_policy", "Windows, slices, and what may move or be written." },
	{ "drm_svm_port", "Mistakes of a driver are refused or reported." },
	{ "drm_svm_range", "Ranges are found, made and removed, up to the limit." },
	{ "drm_svm_run", "Pages that a walk found become runs for the driver." },
	{ "drm_svm_chunk", "Chunks for VRAM are chosen around a fault." },
	{ "svm_test_config", "Limits of the virtual GPU's parameters." },
	{ "svm_test_pt", "The virtual GPU's page table: leaves, splits, merges, use." },
	{ "svm_test_tlb", "The virtual GPU's TLB: hits, flushes, replacement." },
};

/* In the order in which they are loaded */
static const char * const modules[] = { "drm_svm_kunit", "drm_svm_test_dev_kunit" };

static void unload(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(modules); i++) {
		int err = __svm_delete_module(modules[i]);

		igt_assert_f(!err || err == -ENOENT, "cannot unload %s: %s\n",
			     modules[i], strerror(-err));
	}
}

static void load(void)
{
	char command[64];

	for (size_t i = 0; i < ARRAY_SIZE(modules); i++) {
		snprintf(command, sizeof(command), "exec modprobe %s", modules[i]);
		igt_info("loading %s: runs its tests\n", modules[i]);
		igt_assert_f(!system(command), "cannot load %s\n", modules[i]);
	}
}

/* A case that failed, or was skipped for a reason that the tests do not know of */
static bool is_bad(const char *line)
{
	return strstr(line, "not ok ") || strstr(line, "# SKIP");
}

/* "    ok 3 name": the result of a case, or if deeper of one of its parameters */
static bool is_case_result(const char *line)
{
	return !strncmp(line, "    ok ", 7) || !strncmp(line, "    not ok ", 11);
}

/*
 * The lines between two results say why the second one is what it is. All of them are
 * shown if something is bad.
 */
static void check_suite(const char *name)
{
	char path[128], line[512], last[512] = "", all[160];
	unsigned int planned = 0, results = 0, bad = 0;
	FILE *file;

	snprintf(path, sizeof(path), DEBUGFS "/%s/results", name);
	file = fopen(path, "r");
	igt_assert_f(file, "no results of %s (%s); kunit.enable=1 kunit.autorun=1 runs them\n",
		     name, strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		/* deeper is the plan of parameters, the outermost one is of suites */
		if (!strncmp(line, "    1..", 7))
			planned = atoi(line + 7);
		results += is_case_result(line);
		if (is_bad(line))
			bad++;
		strcpy(last, line);
	}
	if (bad) {
		rewind(file);
		while (fgets(line, sizeof(line), file))
			if (!strstr(line, " ok ") || is_bad(line))
				igt_info("%s", line);
	}
	fclose(file);

	igt_info("%s: %u cases\n", name, results);
	igt_assert_eq(bad, 0);
	igt_assert_f(planned && results == planned, "%u of %u cases have a result\n",
		     results, planned);
	snprintf(all, sizeof(all), "ok 1 %s\n", name);
	igt_assert_f(!strcmp(last, all), "the last line is: %s", last);
}

static bool is_listed(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(suites); i++)
		if (!strcmp(name, suites[i].name))
			return true;
	return false;
}

static bool is_ours(const char *name)
{
	return !strncmp(name, "drm_svm_", 8) || !strncmp(name, "svm_test_", 9);
}

/* A suite that is not listed here would run, and nobody would look at its results. */
static void check_list(void)
{
	size_t found = 0;
	struct dirent *entry;
	DIR *dir = opendir(DEBUGFS);

	igt_assert(dir);
	while ((entry = readdir(dir))) {
		if (!is_ours(entry->d_name))
			continue;
		igt_assert_f(is_listed(entry->d_name), "%s is not listed\n",
			     entry->d_name);
		found++;
	}
	closedir(dir);
	igt_assert_eq(found, ARRAY_SIZE(suites));
}

static const struct svm_test tests[] = {
	{ "listed", "Each suite of the modules is listed here.", check_list },
};

int igt_main()
{
	igt_fixture() {
		igt_require_f(!access(DEBUGFS, F_OK), "a kernel without KUnit\n");
		unload();
		/* the tests want the modules as they are by default */
		svm_helper_unload();
		load();
	}

	for (size_t i = 0; i < ARRAY_SIZE(suites); i++) {
		igt_describe(suites[i].describe);
		igt_subtest(suites[i].name)
			check_suite(suites[i].name);
	}

	svm_tests(tests);

	igt_fixture() {
		unload();
		svm_module_reset();
	}
}
