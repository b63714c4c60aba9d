/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Processes, see command.h. */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define LINE_MAX_LEN 160
#define WORDS_MAX    16

static void split(char *line, char *argv[WORDS_MAX])
{
	size_t count = 0;
	char *rest;

	for (; (argv[count] = strtok_r(line, " ", &rest)); line = NULL)
		if (++count == WORDS_MAX)
			bench_die("a command of too many words");
}

static pid_t start(const char *line, int out)
{
	char text[LINE_MAX_LEN], *argv[WORDS_MAX];
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int err;

	if ((size_t)snprintf(text, sizeof(text), "%s", line) >= sizeof(text))
		bench_die("a command is too long");
	split(text, argv);
	posix_spawn_file_actions_init(&actions);
	if (out < 0)
		posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	else
		posix_spawn_file_actions_adddup2(&actions, out, 1);
	err = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (err)
		bench_die("%s: %s", line, strerror(err));
	return pid;
}

static void finish(pid_t pid, const char *line)
{
	int status;

	if (waitpid(pid, &status, 0) < 0 || status != 0)
		bench_die("failed: %s", line);
}

void command_run(const char *format, ...)
{
	char line[LINE_MAX_LEN];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	finish(start(line, -1), line);
}

char *command_read(const char *line)
{
	char *text = NULL;
	size_t len = 0, room = 0;
	ssize_t n;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		bench_die("pipe: %s", strerror(errno));
	pid = start(line, ends[1]);
	close(ends[1]);
	do {
		if (room - len < 4096) {
			room = 2 * room + 8192;
			text = realloc(text, room);
			if (!text)
				bench_die("memory is out");
		}
		n = read(ends[0], text + len, room - len - 1);
		len += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	close(ends[0]);
	finish(pid, line);
	text[len] = '\0';
	return text;
}
