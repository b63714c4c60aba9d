/* SPDX-License-Identifier: MIT */
/*
 * What the files of vtcctl share: the settings that options fill in, and what a command
 * is. One table of commands and options serves the parser, the help and the suggestions.
 */
#ifndef VTCCTL_H
#define VTCCTL_H

#include <stddef.h>
#include <stdint.h>

#include <vtc/ctx.h>

/* Exit codes, part of the interface: vtcctl(8). */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NO_DEVICE = 3,
	EXIT_NOT_PERMITTED = 4,
	EXIT_BUSY = 5,
	EXIT_TIMED_OUT = 6,
	EXIT_NOT_SUPPORTED = 7,
};

/* Most values of an option that may be given several times. */
#define LIST_MAX 32u

struct text_list {
	uint32_t count;
	const char *items[LIST_MAX];
};

/* What the options say. Zero is the default of each. */
struct settings {
	const char *sysfs_root;
	const char *state_dir;
	uint32_t json;
	uint32_t verbose;
	uint32_t help;
	uint32_t version;
	uint32_t stats;
	uint32_t wait;
	uint32_t down;
	uint32_t autoprobe;
	uint32_t destroy;
	uint32_t destroy_in_use;
	uint32_t best_effort;
	uint32_t dry_run;
	uint32_t timeout_ms;
	uint32_t count;
	uint32_t queues;
	uint32_t trust_memory;
	uint32_t interval;
	uint32_t duration;
	uint32_t age;
	uint32_t backend;
	uint32_t everything;
	uint32_t group_copy;
	uint32_t generic;
	uint32_t weight;
	uint32_t no_rate;
	uint32_t watch; /* seconds */
	const char *tap;
	const char *target;
	const char *min_rate;
	const char *max_rate;
	struct text_list filters;
	struct text_list sockets;
	struct text_list captures;
	struct text_list macs;
};

enum option_kind {
	OPTION_FLAG,   /* counts how often it was given */
	OPTION_NUMBER, /* from 1 */
	OPTION_MAYBE,  /* a number from 1, or 1 if the next word is none */
	OPTION_CHOICE,
	OPTION_TEXT,
	OPTION_LIST, /* of texts: it may be given again */
};

/* A word that an option takes; a list of them ends with a NULL name. */
struct choice {
	const char *name;
	uint32_t value;
};

/* An option; a list of them ends with a NULL name. */
struct option {
	const char *name;  /* without its dashes */
	const char *value; /* what it takes, for the help; NULL: nothing */
	const char *help;
	const struct choice *choices;
	size_t offset; /* into struct settings */
	enum option_kind kind;
	char letter;
};

struct tool;

struct command {
	const char *name;    /* one word, or two: "vf set" */
	const char *args;    /* names of its parameters, for the help */
	const char *summary; /* one line */
	const char *details; /* more lines, or NULL */
	const char *example; /* a whole line, or NULL */
	const struct option *options;
	void (*explain)(void); /* prints the end of its help, or NULL */
	int (*run)(struct tool *tool);
	unsigned int min_args;
	unsigned int max_args;
};

/* One run of vtcctl. */
struct tool {
	struct vtc_ctx *ctx;
	const struct command *command; /* NULL until it is known */
	struct settings settings;
	char **args; /* what follows the command's name, options left out */
	unsigned int arg_count;
};

extern const struct command command_explain;
extern const struct command command_list;
extern const struct command command_pool_audit;
extern const struct command command_pool_create;
extern const struct command command_pool_filter;
extern const struct command command_pool_list;
extern const struct command command_pool_rate;
extern const struct command command_pool_recover;
extern const struct command command_pool_remove;
extern const struct command command_pool_show;
extern const struct command command_pool_stats;
extern const struct command command_show;
extern const struct command command_switch;
extern const struct command command_vf_create;
extern const struct command command_vf_set;
extern const struct command command_vf_show;
extern const struct command command_vf_remove;
extern const struct command command_watch;

#endif
