/* SPDX-License-Identifier: MIT */
/* vtcctl pool list and pool show: which pools there are, and what one is. */
#include <stdio.h>

#include "fail.h"
#include "json.h"
#include "pool.h"
#include "table.h"

/* ---- List ---- */

static const char *state_of(const struct vtc_pool_entry *entry)
{
	if (entry->owner == 0)
		return "kept";
	return entry->alive ? "in-use" : "left-behind";
}

static struct json_object *entry_json(const struct vtc_pool_entry *entry)
{
	struct json_object *to = json_new();

	json_add_text(to, "nic", 1, entry->nic);
	json_add_text(to, "name", 1, entry->name);
	json_add_text(to, "backend", 1, vtc_pool_backend_name(entry->backend));
	json_add_text(to, "state", 1, state_of(entry));
	json_add_number(to, "owner", entry->owner != 0, entry->owner);
	return to;
}

int pool_list_json(struct tool *tool, const char *nic, struct json_object **ret_list)
{
	struct vtc_pool_entry entry = { .sz = sizeof(entry) };
	struct vtc_pool_list *list;
	int r = vtc_pool_list_new(tool->ctx, nic, &list);

	if (r < 0)
		return r;
	*ret_list = json_new_list();
	for (unsigned int i = 0; vtc_pool_list_get(list, i, &entry) == 0; i++)
		json_append(*ret_list, entry_json(&entry));
	vtc_pool_list_free(list);
	return 0;
}

static const struct column list_columns[] = {
	{ .heading = "NIC", .key = "nic" },
	{ .heading = "POOL", .key = "name" },
	{ .heading = "BACKEND", .key = "backend" },
	{ .heading = "STATE", .key = "state" },
	{ .heading = "OWNER", .key = "owner", .number = true },
	{ .heading = NULL },
};

static int run_list(struct tool *tool)
{
	struct json_object *list;
	int r = pool_list_json(tool, tool->arg_count ? tool->args[0] : NULL, &list);

	if (r < 0)
		return fail_vtc(tool, r);
	if (tool->settings.json) {
		json_print(stdout, list);
		return EXIT_DONE;
	}
	table_print(list, list_columns);
	json_object_put(list);
	return EXIT_DONE;
}

const struct command command_pool_list = {
	.name = "pool list",
	.args = "[NIC]",
	.summary = "Show the pools of a card, or of all.",
	.details =
		"STATE is kept (until pool remove), in-use (it belongs to the process\n"
		"OWNER) or left-behind (by a process that died; see pool recover).",
	.example = "pool list eth0",
	.max_args = 1,
	.run = run_list,
};

/* ---- Show ---- */

static void print_queues(FILE *out, struct json_object *row)
{
	struct json_object *first = NULL, *count = NULL;
	int64_t from, number;

	json_object_object_get_ex(row, "queue_first", &first);
	json_object_object_get_ex(row, "queue_count", &count);
	from = json_object_get_int64(first);
	number = json_object_get_int64(count);
	if (number == 0)
		fputc('-', out);
	else if (number == 1)
		fprintf(out, "%lld", (long long)from);
	else
		fprintf(out, "%lld-%lld", (long long)from,
			(long long)(from + number - 1));
}

static const struct column columns[] = {
	{ .heading = "nic", .key = "nic" },
	{ .heading = "pool", .key = "name" },
	{ .heading = "backend", .key = "backend" },
	{ .heading = "hardware", .key = "hardware" },
	{ .heading = "guard", .key = "guard" },
	{ .heading = "queues", .print = print_queues },
	{ .heading = "interface", .key = "netdev" },
	{ .heading = "target", .key = "target" },
	{ .heading = "filters", .key = "filters" },
	{ .heading = "everything", .key = "everything" },
	{ .heading = "group copy", .key = "group_copy" },
	{ .heading = "VLAN stripped", .key = "vlan_stripped" },
	{ .heading = "rate", .print = pool_print_rate },
	{ .heading = "kept", .key = "kept" },
	{ .heading = "owner", .key = "owner" },
	{ .heading = "note", .key = "note", .optional = true },
	{ .heading = NULL },
};

static int run_show(struct tool *tool)
{
	struct json_object *json;
	struct vtc_pool *pool;
	int r, code = pool_open(tool, &pool);

	if (code)
		return code;
	json = pool_json(pool, &r);
	vtc_pool_close(pool);
	if (r < 0) {
		json_object_put(json);
		return fail_vtc(tool, r);
	}
	if (tool->settings.json) {
		json_print(stdout, json);
		return EXIT_DONE;
	}
	table_print_record(json, columns);
	json_object_put(json);
	return EXIT_DONE;
}

const struct command command_pool_show = {
	.name = "pool show",
	.args = "NIC POOL",
	.summary = "Show what a pool is.",
	.example = "pool show eth0 vm1",
	.min_args = 2,
	.max_args = 2,
	.run = run_show,
};
