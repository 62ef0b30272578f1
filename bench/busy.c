// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <dirent.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "busy.h"

#define WORKERS		"kworker/"
#define OWN_WORKERS	"drm_svm"	/* threads of this process */
#define HARDWARE	"svm_test"
#define FLOOR_COPIES	"/sys/module/drm_svm_floor/parameters/copied_ns"

/* The first line of a file; without the file, none. */
static const char *read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "r");

	*line = 0;
	if (!file)
		return line;
	if (!fgets(line, size, file))
		*line = 0;
	fclose(file);
	return line;
}

static uint64_t read_number(const char *path)
{
	char line[64];

	return strtoull(read_line(path, line, sizeof(line)), NULL, 10);
}

static void add_thread(struct busy *busy, const char *dir, const char *tid)
{
	char path[64], name[64];

	snprintf(path, sizeof(path), "%s/%.16s/comm", dir, tid);
	read_line(path, name, sizeof(name));
	snprintf(path, sizeof(path), "%s/%.16s/schedstat", dir, tid);
	if (!strncmp(name, WORKERS, strlen(WORKERS)) ||
	    !strncmp(name, OWN_WORKERS, strlen(OWN_WORKERS)))
		busy->workers += read_number(path);
	else if (!strncmp(name, HARDWARE, strlen(HARDWARE)))
		busy->hardware += read_number(path);
}

static void add_threads(struct busy *busy, const char *path)
{
	struct dirent *entry;
	DIR *dir = opendir(path);

	if (!dir)
		err(EXIT_FAILURE, "%s", path);
	while ((entry = readdir(dir)))
		if (isdigit(entry->d_name[0]))
			add_thread(busy, path, entry->d_name);
	closedir(dir);
}

struct busy busy_now(enum side side)
{
	struct busy busy = {};

	/* The floor has no threads, and copies by itself. */
	if (side == SIDE_FLOOR) {
		busy.hardware = read_number(FLOOR_COPIES);
		return busy;
	}
	add_threads(&busy, "/proc");
	add_threads(&busy, "/proc/self/task");
	return busy;
}

struct busy busy_since(enum side side, const struct busy *before)
{
	struct busy busy = busy_now(side);

	/* A worker that went took its count along */
	busy.workers = busy.workers > before->workers ? busy.workers - before->workers : 0;
	busy.hardware -= before->hardware;
	return busy;
}
