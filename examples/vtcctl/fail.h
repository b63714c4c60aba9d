/* SPDX-License-Identifier: MIT */
/* Saying what went wrong, on stderr: one line for a person, or with --json one object. */
#ifndef VTCCTL_FAIL_H
#define VTCCTL_FAIL_H

#include "vtcctl.h"

/* The command line is wrong. Returns EXIT_USAGE. */
int fail_usage(const struct tool *tool, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same, with a word that may have been meant; it may be NULL. */
int fail_unknown(const struct tool *tool, const char *what, const char *typed,
		 const char *meant);

/* A call of libvtc failed with code: its error record is said. Returns the exit code. */
int fail_vtc(const struct tool *tool, int code);

/*
 * Something failed with the negative errno number code, and libvtc keeps no record of it.
 * subject and hint may be NULL. Returns the exit code.
 */
int fail_plain(const struct tool *tool, int code, const char *operation,
	       const char *subject, const char *hint);

/* There is no thing of this name at a device. Returns EXIT_NO_DEVICE. */
int fail_missing(const struct tool *tool, const char *what, const char *name,
		 const char *at, const char *hint);

/* The exit code for a negative errno number. */
int fail_exit_code(int code);

/* The error record of the context as one line; free() it. */
char *fail_record_text(const struct tool *tool);

/* A text of libvtc, with options where it names flags; free() it. */
char *fail_with_options(const char *text);

/* Say on stderr what is wrong with a thing, and go on. */
void fail_note(const struct tool *tool, const char *subject, const char *text);

/* Memory is out: say so and leave, there is nothing to undo. */
_Noreturn void fail_memory(void);

#endif
