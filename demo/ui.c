// SPDX-License-Identifier: MIT
#include <err.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ui.h"

#define INDENT		3
#define MIN_WIDTH	50
#define MAX_WIDTH	160
#define MAX_TEXT	96	/* longer lines of prose are hard to read */

static struct {
	unsigned int width;
	unsigned int scene;
	unsigned int checks, agreed;
	bool color;
} ui;

static const char * const styles[] = {
	[UI_PLAIN] = "0",
	[UI_BOLD] = "1",
	[UI_DIM] = "2",
	[UI_GOOD] = "32",
	[UI_BAD] = "1;31",
	[UI_READ] = "30;46",
	[UI_WRITE] = "30;42",
	[UI_DIRTY] = "30;43",
	[UI_SOME_READ] = "36",
	[UI_SOME_WRITE] = "32",
	[UI_SOME_DIRTY] = "33",
	[UI_SYSTEM] = "37;44",
	[UI_VRAM] = "30;43",
	[UI_SOME_SYSTEM] = "34",
	[UI_SOME_VRAM] = "33",
};

static unsigned int find_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;

	if (columns && atoi(columns) > 0)
		return atoi(columns);
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col)
		return size.ws_col;
	return 80;
}

static bool find_color(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) &&
	       term && strcmp(term, "dumb");
}

void ui_init(unsigned int width, enum ui_color color)
{
	ui.width = width ? width : find_width();
	if (ui.width < MIN_WIDTH)
		ui.width = MIN_WIDTH;
	if (ui.width > MAX_WIDTH)
		ui.width = MAX_WIDTH;
	ui.color = color == UI_COLOR_AUTO ? find_color() : color == UI_COLOR_ALWAYS;
	/* Each scene is seen when it is over, also through a pipe. */
	setvbuf(stdout, NULL, _IOLBF, 0);
}

unsigned int ui_width(void)
{
	return ui.width;
}

void ui_put(enum ui_style style, const char *text, size_t len)
{
	if (ui.color && style != UI_PLAIN)
		printf("\033[%sm%.*s\033[0m", styles[style], (int)len, text);
	else
		printf("%.*s", (int)len, text);
}

static void put_line(enum ui_style style, const char *text)
{
	ui_put(style, text, strlen(text));
	putchar('\n');
}

void ui_title(const char *title)
{
	put_line(UI_BOLD, title);
}

void ui_scene(const char *title)
{
	printf("\n");
	if (ui.color)
		printf("\033[1m");
	printf("%u. %s", ++ui.scene, title);
	printf(ui.color ? "\033[0m\n" : "\n");
}

/* How much of @text fits on a line of @room columns: up to a space, or all. */
static size_t line_length(const char *text, size_t room)
{
	size_t len = strlen(text), i;

	if (len <= room)
		return len;
	for (i = room; i > 0; i--)
		if (text[i] == ' ')
			return i;
	return strcspn(text, " ");
}

static void wrap(const char *text)
{
	size_t len, room = (ui.width < MAX_TEXT ? ui.width : MAX_TEXT) - INDENT - 1;

	while (*text) {
		len = line_length(text, room);
		printf("%*s%.*s\n", INDENT, "", (int)len, text);
		text += len;
		text += strspn(text, " ");
	}
}

void ui_text(const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		errx(EXIT_FAILURE, "out of memory");
	va_end(args);
	wrap(text);
	free(text);
}

static void count_check(bool same)
{
	ui.checks++;
	ui.agreed += same;
	printf("%*s", INDENT, "");
	if (same)
		ui_put(UI_GOOD, "[same]", 6);
	else
		ui_put(UI_BAD, "[DIFFERENT]", 11);
	putchar(' ');
}

bool ui_same(const char *what, uint64_t gpu, uint64_t cpu)
{
	count_check(gpu == cpu);
	printf("%s: GPU %" PRIu64 ", CPU %" PRIu64 "\n", what, gpu, cpu);
	return gpu == cpu;
}

bool ui_agree(bool same, const char *fmt, ...)
{
	va_list args;

	count_check(same);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	return same;
}

int ui_end(void)
{
	bool good = ui.checks && ui.agreed == ui.checks;
	char line[80];

	snprintf(line, sizeof(line), "The GPU and the CPU agreed %u times out of %u.",
		 ui.agreed, ui.checks);
	putchar('\n');
	put_line(good ? UI_GOOD : UI_BAD, line);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
