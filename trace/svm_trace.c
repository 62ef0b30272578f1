// SPDX-License-Identifier: MIT
/*
 * Runs a program, and tells what became of the memory that it shares with a GPU: a summary on
 * the terminal, a file for trace viewers, and a page with pictures.
 */

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "html.h"
#include "json.h"
#include "model.h"
#include "raw.h"
#include "text.h"
#include "trace.h"

#define LIBRARY		"libsvm_trace.so"
#define USUAL_RECORDS	"1000000"	/* of an address space: 64 MB */
#define JSON_EVENTS	200000

static struct {
	const char *prefix;
	const char *records;
} options = { "svm-trace", USUAL_RECORDS };

static char dir[PATH_MAX];

static void usage(FILE *out)
{
	fputs("usage: svm-trace [-o PREFIX] [-n RECORDS] [--] PROGRAM [ARGUMENT]...\n"
	      "\n"
	      "Runs PROGRAM and shows what became of the memory that it shares with a GPU: which\n"
	      "pages moved, when and why. Prints a summary and writes PREFIX.json, for\n"
	      "ui.perfetto.dev and other viewers of Chrome's trace format, and PREFIX.html, a page\n"
	      "with pictures. PREFIX is svm-trace if it is not given.\n"
	      "\n"
	      "  -o PREFIX   where to write\n"
	      "  -n RECORDS  the most that are kept of an address space (" USUAL_RECORDS ")\n"
	      "\n"
	      "PROGRAM must be dynamically linked. Exit status: that of PROGRAM, or 128 and the\n"
	      "number of the signal that ended it; 125 if there is nothing to show.\n", out);
}

static void parse_options(int argc, char **argv)
{
	static const struct option known[] = {
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	char *end;
	int c;

	/* "+": options after PROGRAM are its own */
	while ((c = getopt_long(argc, argv, "+o:n:h", known, NULL)) != -1) {
		switch (c) {
		case 'o':
			options.prefix = optarg;
			break;
		case 'n':
			options.records = optarg;
			if (!strtoull(optarg, &end, 10) || *end)
				errx(125, "-n: '%s' is no number of records", optarg);
			break;
		case 'h':
			usage(stdout);
			exit(EXIT_SUCCESS);
		default:
			usage(stderr);
			exit(125);
		}
	}
	if (optind == argc) {
		usage(stderr);
		exit(125);
	}
}

/* The program */

/* Beside this program, as in a build directory, or where it is installed */
static void find_library(char *path, size_t size)
{
	char self[PATH_MAX] = "";
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash = len > 0 ? strrchr(self, '/') : NULL;

	if (slash) {
		slash[1] = '\0';
		if (snprintf(path, size, "%s" LIBRARY, self) < (int)size && !access(path, R_OK))
			return;
	}
	snprintf(path, size, "%s/" LIBRARY, TRACE_LIBDIR);
	if (access(path, R_OK))
		err(125, "%s", path);
}

static void set_environment(void)
{
	const char *others = getenv("LD_PRELOAD");
	char path[PATH_MAX], list[2 * PATH_MAX];

	find_library(path, sizeof(path));
	snprintf(list, sizeof(list), "%s%s%s", path, others ? ":" : "", others ? others : "");
	setenv("LD_PRELOAD", list, 1);
	setenv(TRACE_DIR_ENV, dir, 1);
	setenv(TRACE_LIMIT_ENV, options.records, 1);
}

static int run(char **argv)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		err(125, "fork");
	if (!pid) {
		set_environment();
		execvp(argv[0], argv);
		warn("%s", argv[0]);
		_exit(errno == ENOENT ? 127 : 126);
	}
	/* Ctrl-C ends the program; svm-trace still shows what it did */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			err(125, "wait");
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* The files */

static void make_dir(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof(dir), "%s/svm-trace.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		err(125, "%s", dir);
}

/* Loads all files, and removes them. */
static void collect(struct trace *trace)
{
	char path[PATH_MAX + NAME_MAX + 2];
	struct dirent *entry;
	DIR *files = opendir(dir);

	if (!files)
		err(125, "%s", dir);
	while ((entry = readdir(files))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		trace_load(trace, path);
		unlink(path);
	}
	closedir(files);
	rmdir(dir);
	trace_sort(trace);
}

static FILE *create(const char *suffix, char *path, size_t size)
{
	FILE *file;

	snprintf(path, size, "%s.%s", options.prefix, suffix);
	file = fopen(path, "we");
	if (!file)
		err(125, "%s", path);
	return file;
}

static void finish(FILE *file, const char *path)
{
	bool bad = ferror(file);

	if (fclose(file) || bad)
		err(125, "%s", path);
	printf("wrote %s\n", path);
}

static void show(const struct trace *trace)
{
	struct model model;
	char path[PATH_MAX];
	FILE *file;

	model_make(&model, trace);
	text_write(stdout, &model);
	file = create("json", path, sizeof(path));
	json_write(file, &model, JSON_EVENTS);
	finish(file, path);
	file = create("html", path, sizeof(path));
	html_write(file, &model);
	finish(file, path);
	model_free(&model);
}

/* The command as it was given, for titles */
static char *join(char **argv)
{
	size_t size = 1, len = 0;
	char *text;

	for (char **arg = argv; *arg; arg++)
		size += strlen(*arg) + 1;
	text = calloc(1, size);
	if (!text)
		err(125, "no memory");
	for (char **arg = argv; *arg; arg++)
		len += snprintf(text + len, size - len, "%s%s", len ? " " : "", *arg);
	return text;
}

int main(int argc, char **argv)
{
	struct trace trace = {};
	char *command;
	int status;

	parse_options(argc, argv);
	make_dir();
	status = run(argv + optind);
	collect(&trace);
	if (!trace.num_sources) {
		warnx("%s attached to no GPU that svm-trace knows, or is not dynamically linked",
		      argv[optind]);
		return status ? status : 125;
	}
	command = join(argv + optind);
	trace.command = command;
	show(&trace);
	trace_free(&trace);
	free(command);
	return status;
}
