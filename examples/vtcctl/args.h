/* SPDX-License-Identifier: MIT */
/* The command line: from words to a command, its settings and its parameters. */
#ifndef VTCCTL_ARGS_H
#define VTCCTL_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "vtcctl.h"

/* The highest number of a VF, and one more. */
#define INDEX_LIMIT 65535u

/* A set of VF numbers. */
struct index_set {
	uint32_t count;
	bool has[INDEX_LIMIT];
};

/*
 * Fill in tool. The words are sorted in place: parameters move to the front. Returns 0 or
 * an exit code; what is wrong has then been said.
 */
int args_parse(struct tool *tool, int argc, char **argv);

/*
 * Whether as many parameters were given as the command takes: 0 or an exit code, as
 * above.
 */
int args_check(const struct tool *tool);

/* Read a whole number. False: it is none, or above max. */
bool args_number(const char *text, uint32_t max, uint32_t *ret);

/* Read VF numbers such as "0-3,6". NULL: it is no such list (or memory is out). */
struct index_set *args_index_set(const char *text);

/* The value of a word in a list of choices. */
bool args_choice(const struct choice *choices, const char *word, uint32_t *ret);

#endif
