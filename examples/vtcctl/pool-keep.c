/* SPDX-License-Identifier: MIT */
/* vtcctl pool audit, remove and recover: keep pools as they are, and give them back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "json.h"
#include "pool.h"

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

static void report_audit(const struct tool *tool, const struct vtc_pool_audit *audit)
{
	struct json_object *to, *lines = lines_json(audit->text);

	if (tool->settings.json) {
		to = json_new();
		json_add_text(to, "nic", 1, tool->args[0]);
		json_add_text(to, "name", 1, tool->args[1]);
		json_add_number(to, "checked", 1, audit->checked);
		json_add_number(to, "repaired", 1, audit->repaired);
		json_add_number(to, "failed", 1, audit->failed);
		json_add(to, "lost", lines);
		json_print(stdout, to);
		return;
	}
	printf("%s: pool %s: steps checked: %u, repaired: %u, failed: %u\n",
	       tool->args[0], tool->args[1], audit->checked, audit->repaired,
	       audit->failed);
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
		report_audit(tool, &audit);
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
	printf("%s: pool %s %s\n", tool->args[0], tool->args[1],
	       dry ? "would be removed" : "removed");
	json_object_put(json);
}

static int run_remove(struct tool *tool)
{
	struct json_object *json;
	struct vtc_pool *pool;
	int r = 0, code = pool_open(tool, &pool);

	if (code)
		return code;
	json = pool_json(pool);
	if (tool->settings.dry_run)
		vtc_pool_close(pool);
	else
		r = pool_release(pool);
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
	  .help = "look whether it is there, change nothing" },
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
	.details = "Every command that changes a card's pools does that first. pool list "
		   "shows what\nis left behind. Pools that are kept stay.",
	.example = "pool recover",
	.max_args = 1,
	.run = run_recover,
};
