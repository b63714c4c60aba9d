/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Peers that are programs: each run is one process, from its start to its end. */
#ifndef COMMAND_H
#define COMMAND_H

/*
 * Run a command without output, and wait. It must succeed. The line is split at blanks.
 */
void command_run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, and hand over what it wrote, NUL-terminated; free() it. */
char *command_read(const char *line);

#endif
