/* SPDX-License-Identifier: MIT */
/* vtcctl pool audit, remove and recover: keep pools as they are, and give them back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "json.h"
#include "pool.h"
#include "table.h"

/* ---- Audit ---- */

/* A text's lines as a list. */
static struct json_object *lines_json(const char *text)
{
	struct json_object *list = json_new_list();
	char *copy = strdup(text ? text : ""), *rest = copy, *line;

	if (!copy)
		fail_memory();
	while ((line = strsep(&rest, "\n")))
		if (*line)
			json_append(list, json_new_text(line));
	free(copy);
	return list;
}

static void report_audit(const struct tool *tool, struct vtc_pool *pool,
			 const struct vtc_pool_audit *audit)
{
	struct json_object *to = json_new(), *lines = lines_json(audit->text);

	pool_add_names(to, pool);
	if (tool->settings.json) {
		json_add_number(to, "checked", 1, audit->checked);
		json_add_number(to, "repaired", 1, audit->repaired);
		json_add_number(to, "failed", 1, audit->failed);
		json_add(to, "lost", lines);
		json_print(stdout, to);
		return;
	}
	table_print_value(stdout, to, "nic");
	fputs(": pool ", stdout);
	table_print_value(stdout, to, "name");
	printf(": steps checked: %u, repaired: %u, failed: %u\n", audit->checked,
	       audit->repaired, audit->failed);
	json_object_put(to);
	for (size_t i = 0; i < json_object_array_length(lines); i++)
		printf("  %s\n",
		       json_object_get_string(json_object_array_get_idx(lines, i)));
	json_object_put(lines);
}

static int run_audit(struct tool *tool)
{
	struct vtc_pool_audit audit = { .sz = sizeof(audit) };
	struct vtc_pool *pool;
	int r, code = pool_open(tool, &pool);

	if (code)
		return code;
	r = vtc_pool_audit(pool, &audit);
	if (r == 0 || audit.checked > 0)
		report_audit(tool, pool, &audit);
	vtc_pool_close(pool);
	return r < 0 ? fail_vtc(tool, r) : EXIT_DONE;
}

const struct command command_pool_audit = {
	.name = "pool audit",
	.args = "NIC POOL",
	.summary = "Look whether a pool is all there, and repair it.",
	.details = "Rules, queues and rates get lost when an interface goes down, is "
		   "reset, or has its\nchannels changed.",
	.example = "pool audit eth0 vm1",
	.min_args = 2,
	.max_args = 2,
	.run = run_audit,
};

/* ---- Remove ---- */

static void report_removed(const struct tool *tool, struct json_object *json)
{
	const bool dry = tool->settings.dry_run > 0;

	if (tool->settings.json) {
		json_add_bool(json, "dry_run", 1, dry);
		json_print(stdout, json);
		return;
	}
	table_print_value(stdout, json, "nic");
	fputs(": pool ", stdout);
	table_print_value(stdout, json, "name");
	puts(dry ? " would be removed" : " removed");
	json_object_put(json);
}

/* The pool of a process that is alive cannot be removed by another one. */
static int try_remove(const struct tool *tool, struct vtc_pool *pool)
{
	struct vtc_pool_info info = { .sz = sizeof(info) };
	int r = vtc_pool_get_info(pool, &info);
	int code = EXIT_DONE;

	if (r == 0 && info.flags & VTC_POOL_INFO_FOREIGN)
		code = fail_plain(tool, -EBUSY, "remove the pool", info.name,
				  "it belongs to a process that is alive");
	vtc_pool_close(pool);
	return code;
}

static int run_remove(struct tool *tool)
{
	struct json_object *json;
	struct vtc_pool *pool;
	int r = 0, unread, code = pool_open(tool, &pool);

	if (code)
		return code;
	json = pool_json(pool, &unread);
	if (tool->settings.dry_run)
		code = try_remove(tool, pool);
	else
		r = pool_release(pool);
	if (code) {
		json_object_put(json);
		return code;
	}
	if (r == 0) {
		report_removed(tool, json);
		return EXIT_DONE;
	}
	json_object_put(json);
	return fail_vtc(tool, r);
}

#define SETTING(field) .offset = offsetof(struct settings, field)

static const struct option remove_options[] = {
	{ .name = "dry-run",
	  SETTING(dry_run),
	  .help = "look whether it could be, change nothing" },
	{ .name = NULL },
};

const struct command command_pool_remove = {
	.name = "pool remove",
	.args = "NIC POOL",
	.summary = "Give a pool back.",
	.details = "What was done for it is undone, last step first. What somebody else "
		   "changed meanwhile\nis left alone.",
	.example = "pool remove eth0 vm1",
	.options = remove_options,
	.min_args = 2,
	.max_args = 2,
	.run = run_remove,
};

/* ---- Recover ---- */

static void report_recovery(const struct tool *tool,
			    const struct vtc_pool_recovery *recovery)
{
	struct json_object *to;

	if (!tool->settings.json) {
		printf("pools left behind: %u, steps undone: %u, failed: %u\n",
		       recovery->pools, recovery->undone, recovery->failed);
		return;
	}
	to = json_new();
	json_add_number(to, "pools", 1, recovery->pools);
	json_add_number(to, "undone", 1, recovery->undone);
	json_add_number(to, "failed", 1, recovery->failed);
	json_print(stdout, to);
}

static int run_recover(struct tool *tool)
{
	struct vtc_pool_recovery recovery = { .sz = sizeof(recovery) };
	const char *nic = tool->arg_count ? tool->args[0] : NULL;
	int r = vtc_pool_recover(tool->ctx, nic, &recovery);

	if (r == 0 || recovery.pools > 0)
		report_recovery(tool, &recovery);
	return r < 0 ? fail_vtc(tool, r) : EXIT_DONE;
}

const struct command command_pool_recover = {
	.name = "pool recover",
	.args = "[NIC]",
	.summary = "Put back what processes that died had changed.",
	.details =
		"Every command for a card's pools but pool list does that first; that one "
		"shows what is\nleft behind. Kept pools stay; without NIC, those of "
		"cards that are gone are forgotten.",
	.example = "pool recover",
	.max_args = 1,
	.run = run_recover,
};
