// SPDX-License-Identifier: MIT
/*
 * TEST: svm module
 * Category: Robustness
 * Description: Loading, parameters, unloading, and what root may look at.
 */

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <xf86drm.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_job.h"
#include "svm_mem.h"

IGT_TEST_DESCRIPTION("Loading, parameters, unloading, and what root may look at.");

#define DRIVER		"drm_svm_test_dev"
#define HELPER		"drm_svm"

static bool is_loaded(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/module/%s", name);
	return !access(path, F_OK);
}

static int refcount(void)
{
	FILE *file = fopen("/sys/module/" DRIVER "/refcnt", "r");
	int count = -1;

	igt_require(file);
	igt_assert_eq(fscanf(file, "%d", &count), 1);
	fclose(file);
	return count;
}

/* Every engine of device @index fills and copies over two ranges */
static void smoke(unsigned int index)
{
	int fd = svm_open_index_attached(index);
	size_t size = 16 * svm_page_size();
	uint8_t *map = svm_mmap_aligned(2 * svm_range_size(), svm_range_size());
	uint32_t *buf = (void *)(map + svm_range_size() - size / 2);
	struct drm_svm_test_info info;

	svm_info(fd, &info);
	for (uint32_t e = 0; e < info.out_engines; e++) {
		struct drm_svm_test_cmd cmds[] = {
			svm_cmd_fill(buf, size, e + 1),
			svm_cmd_add32(buf, 5, 1),
		};

		svm_wait_ok(fd, svm_submit_on(fd, e, cmds, ARRAY_SIZE(cmds)));
		igt_assert_eq_u32(READ_ONCE(buf[0]), e + 6);
		igt_assert(svm_cpu_all32(buf + 1, size - 4, e + 1));
	}
	close(fd);
	munmap(map, 2 * svm_range_size());
}

static void unload_open(void)
{
	int fd, copy;

	svm_module_load(NULL);
	fd = svm_open();
	igt_assert_eq(__svm_delete_module(DRIVER), -EWOULDBLOCK);
	svm_attach(fd);
	copy = dup(fd);
	close(fd);
	igt_assert_eq(__svm_delete_module(DRIVER), -EWOULDBLOCK);
	svm_gpu_touch(copy, &fd, 4, 4, false);
	close(copy);
	igt_assert(svm_until(!__svm_delete_module(DRIVER), 5000));
	igt_assert(!is_loaded(DRIVER));
}

static void unload_busy(void)
{
	struct svm_spin spin;
	int fd;

	svm_module_load(NULL);
	fd = svm_open_attached();
	svm_spin_start(&spin, fd, 0);
	igt_assert_eq(__svm_delete_module(DRIVER), -EWOULDBLOCK);
	igt_assert_eq(__svm_poll_job(fd, spin.job), -ETIME);
	close(fd);
	svm_spin_free(&spin);
	svm_module_unload();
	igt_assert(!is_loaded(DRIVER));
}

/* The helper layer stays while a driver uses it, and goes after it */
static void unload_helper(void)
{
	svm_module_load(NULL);
	igt_require_f(is_loaded(HELPER), "the helper is not a module of its own\n");
	igt_assert_eq(__svm_delete_module(HELPER), -EWOULDBLOCK);
	smoke(0);
	svm_module_unload();
	igt_assert(svm_until(!__svm_delete_module(HELPER), 5000));
	igt_assert(!is_loaded(HELPER));
	svm_module_load(NULL);
	smoke(0);
}

/*
 * Fences of jobs outlive the file, the device and the code. One of them is done,
 * the other one fails when the file is closed.
 */
static void unload_fence(void)
{
	struct drm_svm_test_submit args;
	struct drm_svm_test_sync syncs[2];
	struct drm_svm_test_cmd add;
	int fd, files[2];
	struct svm_buf buf;
	uint32_t queue;

	svm_module_load(NULL);
	fd = svm_open_attached();
	queue = svm_buffer_queue(fd, 0);
	buf = svm_buf(fd, svm_page_size(), 0);
	add = svm_cmd_add64(buf.gpu, 1, 1);
	for (int i = 0; i < 2; i++)
		syncs[i] = svm_sync_create(fd, 0);
	args = svm_submit_synced(queue, &add, 1, NULL, &syncs[0]);
	svm_wait_ok(fd, svm_submit_ioctl(fd, &args));
	svm_buf_free(&buf);
	svm_hold_start(fd, queue, &syncs[1]);
	for (int i = 0; i < 2; i++)
		igt_assert_eq(drmSyncobjExportSyncFile(fd, syncs[i].handle, &files[i]), 0);
	igt_assert_eq(svm_sync_file_status(files[1]), 0);
	close(fd);
	svm_module_unload();
	for (int i = 0; i < 2; i++) {
		igt_assert_eq(svm_sync_file_status(files[i]), i ? -ECANCELED : 1);
		close(files[i]);
	}
}

/* Mappings of a process outlive the driver, and its next life knows nothing of them */
static void unload_memory(void)
{
	size_t size = svm_range_size();
	uint32_t *buf = svm_mmap_aligned(size, size);
	int fd;

	svm_module_load(NULL);
	fd = svm_open_attached();
	svm_gpu_fill(fd, buf, size, 0x1dea);
	close(fd);
	svm_module_unload();
	igt_assert(svm_cpu_all32(buf, size, 0x1dea));
	igt_assert_eq(madvise(buf, size / 2, MADV_DONTNEED), 0);
	svm_module_load(NULL);
	fd = svm_open_attached();
	igt_assert_eq_u32(svm_query_page(fd, buf), 0);
	igt_assert_eq_u32(svm_gpu_read32(fd, buf), 0);
	igt_assert_eq_u32(svm_gpu_read32(fd, buf + size / 4 - 1), 0x1dea);
	close(fd);
	munmap(buf, size);
}

static void module_reload(void)
{
	for (int i = 0; i < 5; i++) {
		svm_module_load(NULL);
		smoke(0);
	}
}

/* Open and close leave nothing behind */
static void module_cycles(void)
{
	uint32_t *word = svm_mmap_anon(svm_page_size());
	int idle;

	svm_module_load(NULL);
	idle = refcount();
	for (int i = 0; i < 100; i++) {
		int fd = svm_open();

		/* Some are closed before they attach, some with a job on its way */
		if (i % 4) {
			struct drm_svm_test_cmd cmd = svm_cmd_add32(word, 1, 1);
			uint64_t job;

			svm_attach(fd);
			job = svm_submit(fd, &cmd, 1);
			if (i % 4 > 1)
				svm_wait_ok(fd, job);
		}
		igt_assert_lt(idle, refcount());
		close(fd);
		igt_assert(svm_until(refcount() == idle, 5000));
	}
	igt_assert_lte_u32(50, READ_ONCE(*word));
	svm_module_unload();
	munmap(word, svm_page_size());
}

/* The limits of each parameter */
static const struct param {
	const char *name;
	unsigned int min, max, other;
} params[] = {
	{ "num_devices", 1, 8, 3 },
	{ "engines", 1, 128, 5 },
	{ "tlb_entries", 1, 65536, 64 },
	{ "fault_entries", 1, 65536, 7 },
	{ "va_bits", 40, 57, 46 },
	{ "timeslice", 1, 1000000, 13 },
	{ "lanes", 1, 16, 3 },
};

static void load_with(const struct param *param, unsigned int value)
{
	char text[64];

	snprintf(text, sizeof(text), "%s=%u", param->name, value);
	svm_module_load(text);
}

/* A GPU that cannot reach the usual places gets its memory from low addresses */
static void smoke_low(void)
{
	int fd = svm_open();
	struct drm_svm_attach attach = {};
	uint32_t *low = mmap((void *)(1ull << 32), svm_page_size(), PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	struct drm_svm_test_cmd cmd;

	igt_assert(low != MAP_FAILED);
	igt_assert_eq(client_attach(fd, &attach), 0);
	svm_gpu_fill(fd, low, svm_page_size(), 9);
	igt_assert(svm_cpu_all32(low, svm_page_size(), 9));
	if (client_ptr(&fd) >= attach.out_va_end) {
		cmd = svm_cmd_touch(&fd, 4, 4, false);
		svm_run_faults(fd, &cmd, EFAULT, client_ptr(&fd));
	}
	close(fd);
	munmap(low, svm_page_size());
}

static void module_param(const struct param *param)
{
	const unsigned int values[] = { param->min, param->other, param->max };

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		load_with(param, values[i]);
		if (!strcmp(param->name, "va_bits")) {
			smoke_low();
		} else {
			smoke(0);
			if (!strcmp(param->name, "num_devices")) {
				smoke(values[i] - 1);
				igt_assert_eq(__svm_open(values[i]), -ENODEV);
			}
		}
	}
	svm_module_load(NULL);
}

static void assert_load_refused(const char *text)
{
	char command[128];
	int status;

	snprintf(command, sizeof(command), "modprobe " DRIVER " %s 2>/dev/null", text);
	status = system(command);
	igt_assert_f(WIFEXITED(status) && WEXITSTATUS(status), "%s was accepted\n", text);
	igt_assert_f(!is_loaded(DRIVER), "loaded after %s\n", text);
}

static void module_param_invalid(const struct param *param)
{
	char text[64];

	svm_module_unload();
	snprintf(text, sizeof(text), "%s=%u", param->name, param->min - 1);
	assert_load_refused(text);
	snprintf(text, sizeof(text), "%s=%u", param->name, param->max + 1);
	assert_load_refused(text);
	snprintf(text, sizeof(text), "%s=%u", param->name, ~0u);
	assert_load_refused(text);
	snprintf(text, sizeof(text), "%s=-1", param->name);
	assert_load_refused(text);
	snprintf(text, sizeof(text), "%s=many", param->name);
	assert_load_refused(text);
	if (!strcmp(param->name, "tlb_entries"))
		assert_load_refused("tlb_entries=3");
	svm_module_load(NULL);
}

/* All at their smallest, and all at their largest, but for TLBs that would take 2 GiB */
static void params_together(void)
{
	svm_module_load("num_devices=1 engines=1 tlb_entries=1 fault_entries=1 timeslice=1 lanes=1");
	smoke(0);
	svm_module_load("num_devices=8 engines=128 tlb_entries=1024 fault_entries=65536 timeslice=1000000 lanes=16");
	smoke(0);
	smoke(7);
	svm_module_load(NULL);
}

static void check_backend(uint64_t backend)
{
	struct drm_svm_test_info info;
	int fd;

	smoke(0);
	fd = svm_open();
	svm_info(fd, &info);
	igt_assert_eq_u64(info.out_backend, backend);
	/* Faults were answered, and that took some time */
	igt_assert_lt_u64(0, info.out_service_ns);
	close(fd);
}

/* The same hardware works with either manager of shared memory. */
static void module_backend(void)
{
	svm_module_unload();
	assert_load_refused("backend=none");
	svm_module_load("backend=drm_svm vram_mb=8");
	check_backend(DRM_SVM_TEST_BACKEND_DRM_SVM);
	svm_module_unload();
	/* A kernel without the other one has refused it */
	if (!system("modprobe " DRIVER " backend=drm_gpusvm 2>/dev/null")) {
		check_backend(DRM_SVM_TEST_BACKEND_DRM_GPUSVM);
		svm_module_load("backend=drm_gpusvm vram_mb=8");
		check_backend(DRM_SVM_TEST_BACKEND_DRM_GPUSVM);
	}
	svm_module_load(NULL);
}

/* The window follows the GPU's address width */
static void module_window(void)
{
	struct drm_svm_attach attach = {};
	struct drm_svm_test_info info;
	size_t page = svm_page_size();
	uint32_t state;
	int fd;

	svm_module_load("va_bits=40");
	fd = svm_open();
	svm_info(fd, &info);
	igt_assert_eq_u32(info.out_va_bits, 40);
	igt_assert_eq(client_attach(fd, &attach), 0);
	igt_assert_eq_u64(attach.out_va_end, 1ull << 40);
	igt_assert_eq(client_query(fd, attach.out_va_end - page, page, 0, &state), 0);
	igt_assert_eq(client_query(fd, attach.out_va_end, page, 0, &state), -EINVAL);
	close(fd);
	svm_module_load(NULL);
}

static int find_debugfs(char *path, size_t size)
{
	glob_t nodes;
	int found = -1;

	/* The file is there once a minor; the render node's will do */
	if (!glob("/sys/kernel/debug/dri/*/svm", 0, NULL, &nodes)) {
		snprintf(path, size, "%s", nodes.gl_pathv[0]);
		found = 0;
		globfree(&nodes);
	}
	return found;
}

static bool file_contains(const char *path, const char *text)
{
	char buf[16384] = "";
	int fd = open(path, O_RDONLY);
	ssize_t len, total = 0;

	igt_assert_lte(0, fd);
	while ((len = read(fd, buf + total, sizeof(buf) - 1 - total)) > 0)
		total += len;
	close(fd);
	return strstr(buf, text);
}

static void module_debugfs(void)
{
	char path[256], range[64];
	uint32_t *buf = svm_mmap_aligned(svm_range_size(), svm_range_size());
	struct stat st;
	int fd;

	svm_module_load(NULL);
	igt_require_f(!find_debugfs(path, sizeof(path)), "no debugfs\n");
	igt_assert_eq(stat(path, &st), 0);
	igt_assert_eq_u32(st.st_mode & 0777, 0400);
	igt_assert_eq(st.st_uid, 0);

	snprintf(range, sizeof(range), "%llx", (unsigned long long)client_ptr(buf));
	fd = svm_open_attached();
	svm_gpu_write32(fd, buf, 1);
	igt_assert(file_contains(path, range));
	close(fd);
	igt_assert(svm_until(!file_contains(path, range), 5000));

	igt_fork(child, 1) {
		igt_assert_eq(setresuid(65534, 65534, 65534), 0);
		igt_assert_eq(open(path, O_RDONLY), -1);
		igt_assert_eq(errno, EACCES);
	}
	igt_waitchildren();
	munmap(buf, svm_range_size());
}

static const struct svm_test tests[] = {
	{ "unload-open", "An open file keeps the driver; the last close frees it.", unload_open },
	{ "unload-busy", "A running job keeps the driver; closing its file frees it.",
	  unload_busy },
	{ "unload-helper", "The helper layer stays as long as its driver.", unload_helper },
	{ "unload-fence", "Fences of jobs outlive the driver.", unload_fence },
	{ "unload-memory", "Memory that was shared outlives the driver.", unload_memory },
	{ "reload", "The driver can be loaded again and again.", module_reload },
	{ "cycles", "Opening and closing leaves nothing behind.", module_cycles },
	{ "params-together", "All parameters at their smallest and largest work together.",
	  params_together },
	{ "backend", "The device works with either manager of shared memory.", module_backend },
	{ "window", "The shared window follows the address width of the GPU.", module_window },
	{ "debugfs", "Root, and no one else, sees the state of all files.", module_debugfs },
};

int igt_main()
{
	igt_fixture() {
		igt_require(geteuid() == 0);
		close(svm_open());
	}

	svm_tests(tests);

	for (size_t i = 0; i < ARRAY_SIZE(params); i++) {
		svm_close_leaked();
		igt_describe("The device works with the parameter at both limits.");
		igt_subtest_f("param-%s", params[i].name)
			module_param(&params[i]);
		igt_describe("Values out of the limits are refused, and nothing is loaded.");
		igt_subtest_f("param-invalid-%s", params[i].name)
			module_param_invalid(&params[i]);
	}
	igt_fixture() {
		svm_close_leaked();
		svm_module_load(NULL);
	}
}
