// SPDX-License-Identifier: MIT
/*
 * TEST: svm trace
 * Category: Tools
 * Description: svm-trace runs programs and tells what became of their memory.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_job.h"
#include "svm_prefetch.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("svm-trace runs programs and tells what became of their memory.");

#define MAGIC	0x77770000u
#define VRAM	DRM_SVM_LOCATION_VRAM
#define SYSTEM	DRM_SVM_LOCATION_SYSTEM

/*
 * The checks of the files, with what python3 has. Arguments: the prefix, the file of counters
 * or "-", the number of processes, whether records may be missing.
 */
static const char check[] =
	"import json, sys\n"
	"import xml.etree.ElementTree as tree\n"
	"prefix, counts, processes, missing = sys.argv[1:]\n"
	"trace = json.load(open(prefix + '.json'))\n"
	"sums, events = trace['otherData'], trace['traceEvents']\n"
	"def of(cat): return [e for e in events if e.get('cat') == cat]\n"
	"def pages(cat): return sum(e['args']['pages'] for e in of(cat))\n"
	"ways = ['to VRAM', 'to system memory', 'evicted', 'faults answered', 'prefetch calls']\n"
	"for way in ways:\n"
	"    assert pages(way) == sums[way]['pages'], way\n"
	"    assert len(of(way)) == sums[way]['records'], way\n"
	"assert (sums['missing'] > 0) == bool(int(missing)), sums['missing']\n"
	"assert sums['omitted'] == 0\n"
	"for e in events:\n"
	"    assert e['ph'] in 'MXiC', e\n"
	"    assert e['ph'] == 'M' or 0 <= e['ts'] <= sums['ns'] / 1000 + 1, e\n"
	"    assert e['ph'] != 'X' or e['dur'] > 0, e\n"
	"names = [e for e in events if e['name'] == 'process_name']\n"
	"assert len(names) == int(processes), names\n"
	"if counts != '-':\n"
	"    c = [int(n) for n in open(counts).read().split()]\n"
	"    assert pages('to VRAM') == c[0], c\n"
	"    assert pages('to system memory') + pages('evicted') == c[1], c\n"
	"    assert pages('evicted') == c[2] and len(of('evicted')) == c[3], c\n"
	"    assert len(of('faults answered')) == c[4], c\n"
	"    assert max(e['args']['bytes'] for e in events if e['ph'] == 'C') <= c[5], c\n"
	"text = open(prefix + '.html').read()\n"
	"page = tree.fromstring(text)\n"
	"elements = list(page.iter())\n"
	"assert len(elements) < 8000, len(elements)\n"
	"rects = [e for e in elements if e.tag.endswith('}rect')]\n"
	"assert len(rects) > 0\n"
	"for w in 'http://www.w3.org/1999/xhtml', 'http://www.w3.org/2000/svg': text = text.replace(w, '')\n"
	"for w in 'http', 'src=', 'href', 'url(', '@import': assert w not in text, w\n"
	"print(len(elements), 'elements,', len(events), 'events')\n";

/* Work for the program that is traced */

static void write_counters(int fd, const char *path)
{
	FILE *file = fopen(path, "w");
	struct client_counts c;

	svm_counters(fd, &c);
	igt_assert(file);
	fprintf(file, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
		client_count(&c, VRAM_PAGES_IN), client_count(&c, VRAM_PAGES_OUT),
		client_count(&c, VRAM_EVICTED_PAGES), client_count(&c, VRAM_EVICTIONS),
		client_count(&c, FAULTS), svm_vram_size(fd));
	igt_assert(!fclose(file));
}

/* Twice the VRAM, used by the GPU, the CPU, and the GPU again */
static int work(void)
{
	int fd = svm_open_attached();
	size_t size = 2 * svm_vram_size(fd);
	char *base = svm_mmap_small(size);

	svm_gpu_fill(fd, base, size, MAGIC);
	svm_prefetch(fd, base, size / 4, VRAM);
	svm_prefetch(fd, base, size / 8, SYSTEM);
	igt_assert(svm_cpu_all32(base, size, MAGIC));
	svm_gpu_touch(fd, base, size, svm_page_size(), false);
	return fd;
}

/* Parts of more ranges than the page has rows, over and over */
static void work_much(void)
{
	size_t ranges = 160, range = svm_range_size();
	char *base = svm_mmap_small(ranges * range);
	int fd = svm_open_attached();

	for (int pass = 0; pass < 3; pass++) {
		svm_gpu_touch(fd, base, ranges * range, range, true);
		for (size_t i = 0; i < ranges; i += 3)
			WRITE_ONCE(base[i * range], pass);
	}
}

/* Runs in place of the tests when the program is started with --work=KIND:FILE */
static int run_work(int opt, int index, void *data)
{
	const char *file;

	if (opt != 'w')
		return IGT_OPT_HANDLER_ERROR;
	file = strchr(optarg, ':') + 1;
	switch (optarg[0]) {
	case 'k':
		work();
		raise(SIGKILL);
		break;
	case 'm':
		work_much();
		break;
	case 'f':
		if (!fork()) {
			work();
			exit(0);
		}
		work();
		wait(NULL);
		exit(0);
	default:
		write_counters(work(), file);
	}
	_exit(strlen(file) == 0 ? 7 : 0);
}

static const struct option long_options[] = {
	{ "work", required_argument, NULL, 'w' },
	{}
};

/* svm-trace */

static char dir[64];

static int shell(const char *format, ...)
{
	char command[1024];
	va_list args;
	int status;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	status = system(command);
	igt_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Runs this program as svm-trace does; returns the status. */
static int trace(const char *options, const char *kind, const char *file)
{
	char self[256] = "";
	int status;

	igt_assert_lt(0, readlink("/proc/self/exe", self, sizeof(self) - 1));
	status = shell("svm-trace %s -o %s/t -- %s '--work=%s:%s' '<b>&\"]]>\t' >%s/out 2>&1",
		       options, dir, self, kind, file, dir);
	shell("cat %s/out", dir);
	return status;
}

static void assert_good(const char *counts, unsigned int processes, bool missing)
{
	igt_assert_eq(shell("python3 %s/check.py %s/t %s %u %u", dir, dir, counts, processes,
			    missing), 0);
}

static void trace_totals(void)
{
	char counts[80];

	snprintf(counts, sizeof(counts), "%s/counts", dir);
	igt_assert_eq(trace("", "counts", counts), 0);
	assert_good(counts, 1, false);
	/* a person is told that what had to make room came back */
	igt_assert_eq(shell("grep -q '^! .* evicted to make room and brought back' %s/out", dir),
		      0);
	igt_assert_eq(shell("grep -q '<li class=\"bad\">.* evicted to make room' %s/t.html", dir),
		      0);
}

static void trace_demo(void)
{
	igt_assert_eq(shell("svm-trace -o %s/t svm_demo --vram --no-color >%s/out 2>&1", dir, dir),
		      0);
	assert_good("-", 1, false);
}

static void trace_much(void)
{
	igt_assert_eq(trace("", "much", "x"), 0);
	assert_good("-", 1, false);
}

static void trace_children(void)
{
	igt_assert_eq(trace("", "fork", "x"), 0);
	assert_good("-", 2, false);
}

static void trace_limit(void)
{
	igt_assert_eq(trace("-n 20", "counts", "/dev/null"), 0);
	assert_good("-", 1, true);
	igt_assert_eq(shell("grep -q 'records are missing' %s/out", dir), 0);
}

static void trace_status(void)
{
	/* that of the program, whether it uses a GPU or not */
	igt_assert_eq(trace("", "much", ""), 7);
	assert_good("-", 1, false);
	igt_assert_eq(trace("", "kill", "x"), 128 + SIGKILL);
	assert_good("-", 1, false);
	igt_assert_eq(shell("grep -q 'last records of 1 address' %s/out", dir), 0);
	igt_assert_eq(shell("svm-trace -o %s/none sh -c 'exit 9' 2>%s/out", dir, dir), 9);
	igt_assert_eq(shell("svm-trace -o %s/none true 2>%s/out", dir, dir), 125);
	igt_assert_eq(shell("svm-trace -o %s/none /nowhere 2>%s/out", dir, dir), 127);
	igt_assert_eq(shell("svm-trace 2>%s/out", dir), 125);
	igt_assert_eq(shell("svm-trace -n x true 2>%s/out", dir), 125);
	igt_assert_neq(shell("ls %s/none* >%s/out 2>&1", dir, dir), 0);
	/* nothing is left behind */
	igt_assert_neq(shell("ls -d /tmp/svm-trace.* >%s/out 2>&1", dir), 0);
}

static const struct svm_test tests[] = {
	{ "totals", "What is shown adds up to the counters.", trace_totals },
	{ "demo", "The demo is traced.", trace_demo },
	{ "much", "The page is bounded.", trace_much },
	{ "children", "A child of the program is traced too.", trace_children },
	{ "limit", "So many records are kept.", trace_limit },
	{ "status", "Programs that fail, are killed, or have no GPU.", trace_status },
};

static void prepare(void)
{
	char path[80];
	FILE *file;

	igt_require_f(!shell("command -v svm-trace python3 >/dev/null"), "no svm-trace, no python3\n");
	snprintf(dir, sizeof(dir), "/tmp/svm_trace.XXXXXX");
	igt_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/check.py", dir);
	file = fopen(path, "w");
	igt_assert(file && fputs(check, file) >= 0 && !fclose(file));
	svm_vram_on("vram_mb=8");
}

int igt_main_args("", long_options, "  --work=KIND:FILE\n", run_work, NULL)
{
	igt_fixture()
		prepare();

	svm_tests(tests);

	igt_fixture() {
		shell("rm -r %s", dir);
		svm_vram_off();
	}
}
