/* SPDX-License-Identifier: MIT */
/* The tables of commands and global options, and the help that is made of them. */
#include "help.h"

#include <string.h>

const struct command *const commands[] = {
	&command_list,
	&command_show,
	&command_vf_create,
	&command_vf_set,
	&command_vf_show,
	&command_vf_remove,
	&command_explain,
	&command_pool_create,
	&command_pool_list,
	&command_pool_show,
	&command_pool_filter,
	&command_pool_rate,
	&command_pool_stats,
	&command_pool_audit,
	&command_pool_remove,
	&command_pool_recover,
	&command_watch,
	&command_switch,
	NULL,
};

#define GLOBAL(field) .offset = offsetof(struct settings, field)

const struct option global_options[] = {
	{ .name = "json", GLOBAL(json), .help = "print JSON, errors too" },
	{ .name = "sysfs",
	  GLOBAL(sysfs_root),
	  .kind = OPTION_TEXT,
	  .value = "DIR",
	  .help = "where sysfs is mounted (/sys)" },
	{ .name = "state-dir",
	  GLOBAL(state_dir),
	  .kind = OPTION_TEXT,
	  .value = "DIR",
	  .help = "where locks and journals are kept (/run/libvtc)" },
	{ .name = "verbose",
	  GLOBAL(verbose),
	  .letter = 'v',
	  .help = "tell on stderr what is done; twice: each request to the kernel" },
	{ .name = "help",
	  GLOBAL(help),
	  .letter = 'h',
	  .help = "print help, for a command too" },
	{ .name = "version",
	  GLOBAL(version),
	  .letter = 'V',
	  .help = "print the version" },
	{ .name = NULL },
};

bool help_is_group(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; commands[i]; i++)
		if (strncmp(commands[i]->name, name, len) == 0 &&
		    commands[i]->name[len] == ' ')
			return true;
	return false;
}

static bool has_options(const struct command *command)
{
	return command->options && command->options[0].name;
}

void help_usage(FILE *out, const struct command *command)
{
	if (!command) {
		fputs("usage: vtcctl [OPTION]... COMMAND [ARGUMENT]...; see vtcctl "
		      "--help\n",
		      out);
		return;
	}
	fprintf(out, "usage: vtcctl %s%s%s%s\n", command->name,
		command->args[0] ? " " : "", command->args,
		has_options(command) ? " [OPTION]..." : "");
}

static void print_options(const struct option *options)
{
	for (size_t i = 0; options && options[i].name; i++) {
		const struct option *o = &options[i];
		char letter[5] = "    ", name[48];

		if (o->letter)
			snprintf(letter, sizeof(letter), "-%c, ", o->letter);
		snprintf(name, sizeof(name), "%s %s", o->name, o->value ? o->value : "");
		printf("  %s--%-30s %s\n", letter, name, o->help);
	}
}

void help_command(const struct command *command)
{
	help_usage(stdout, command);
	printf("\n%s\n", command->summary);
	if (command->details)
		printf("\n%s\n", command->details);
	if (command->explain)
		command->explain();
	if (command->example)
		printf("\nExample:\n  vtcctl %s\n", command->example);
	if (has_options(command)) {
		printf("\nOptions:\n");
		print_options(command->options);
	}
	printf("\nOptions of every command:\n");
	print_options(global_options);
}

static void print_commands(const char *group)
{
	size_t len = group ? strlen(group) : 0;

	for (size_t i = 0; commands[i]; i++) {
		const struct command *c = commands[i];

		if (group && strncmp(c->name, group, len) != 0)
			continue;
		printf("  %s %-*s %s\n", c->name, 43 - (int)strlen(c->name), c->args,
		       c->summary);
	}
}

void help_tool(const char *group)
{
	help_usage(stdout, NULL);
	printf("\nShow network functions, create and configure virtual functions, sort a\n"
	       "card's frames into pools for virtual machines, and switch packets "
	       "between\nthem.\n"
	       "\nCommands:\n");
	print_commands(group);
	printf("\nOptions of every command:\n");
	print_options(global_options);
	printf("\nDEV, PF and NIC are a network interface (eth0), a PCI address "
	       "(0000:01:00.0\n"
	       "or 01:00.0) or a device on another bus (netdevsim1).\n"
	       "\nExit codes: 0 done (or so already), 1 failed, 2 wrong command line, 3 "
	       "no such\n"
	       "device, 4 not permitted, 5 busy, 6 timed out, 7 not supported.\n");
}
