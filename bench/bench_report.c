// SPDX-License-Identifier: MIT
/*
 * What svm_bench has found, as a table, and as a picture.
 */

#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "chart.h"
#include "rows.h"
#include "table.h"

static void usage(int status)
{
	fprintf(stderr, "usage: svm_bench_report [--svg FILE] [--peer SIDE] [--ours SIDE] FILE\n");
	exit(status);
}

static const char *parse_options(int argc, char **argv, struct rows *rows)
{
	static const struct option known[] = {
		{ "svg", required_argument, NULL, 's' },
		{ "peer", required_argument, NULL, 'p' },
		{ "ours", required_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{}
	};
	const char *svg = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 's':
			svg = optarg;
			break;
		case 'p':
			rows->sides[COLUMN_PEER] = optarg;
			break;
		case 'o':
			rows->sides[COLUMN_OURS] = optarg;
			break;
		default:
			usage(c == 'h' ? EXIT_SUCCESS : EXIT_FAILURE);
		}
	}
	return svg;
}

int main(int argc, char **argv)
{
	struct rows rows = { .sides = { "floor", "drm_gpusvm", "drm_svm" } };
	const char *svg = parse_options(argc, argv, &rows);

	if (argc - optind != 1)
		usage(EXIT_FAILURE);
	if (!rows_read(&rows, argv[optind]))
		err(EXIT_FAILURE, "%s", argv[optind]);
	table_print(&rows);
	if (svg && !chart_write(&rows, svg))
		err(EXIT_FAILURE, "%s", svg);
	rows_free(&rows);
	return 0;
}
