/* SPDX-License-Identifier: MIT */
/* The help, from the same tables that the parser uses. */
#ifndef VTCCTL_HELP_H
#define VTCCTL_HELP_H

#include <stdbool.h>
#include <stdio.h>

#include "vtcctl.h"

/* All commands, in the order of the help; NULL ends the list. */
extern const struct command *const commands[];

/* Options that go with every command. */
extern const struct option global_options[];

/* Whether name is the first word of commands that have two. */
bool help_is_group(const char *name);

/* How a command is called, one line; NULL: the tool. */
void help_usage(FILE *out, const struct command *command);

void help_command(const struct command *command);

/* The commands of a group; NULL: all. */
void help_tool(const char *group);

#endif
