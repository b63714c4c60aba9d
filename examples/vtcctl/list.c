/* SPDX-License-Identifier: MIT */
/* vtcctl list: all nics, one line each. */
#include "fail.h"
#include "json.h"
#include "nic.h"
#include "table.h"

static const struct column columns[] = {
	{ .heading = "ADDRESS", .key = "address" },
	{ .heading = "KIND", .key = "kind" },
	{ .heading = "DRIVER", .key = "driver" },
	{ .heading = "NETDEVS", .key = "netdevs" },
	{ .heading = "VFS", .print = nic_print_vfs, .number = true },
	{ .heading = "PF", .print = nic_print_pf },
	{ .heading = "USE", .key = "use" },
	{ .heading = "MODEL", .print = nic_print_model },
	{ .heading = NULL },
};

static struct json_object *all_nics(const struct vtc_inventory *inventory)
{
	struct json_object *list = json_new_list();
	const struct vtc_nic *nic = NULL;

	while ((nic = vtc_nic_foreach_next(inventory, nic)))
		json_append(list, nic_json(nic, false));
	return list;
}

static int run(struct tool *tool)
{
	struct vtc_inventory_opts opts = VTC_INVENTORY_OPTS_INIT;
	struct vtc_inventory *inventory;
	struct json_object *list;
	int r;

	opts.flags = VTC_INVENTORY_F_NAMES;
	r = vtc_inventory_new(tool->ctx, &opts, &inventory);
	if (r < 0)
		return fail_vtc(tool, r);
	list = all_nics(inventory);
	vtc_inventory_free(inventory);
	if (tool->settings.json) {
		json_print(stdout, list);
		return EXIT_DONE;
	}
	table_print(list, columns);
	json_object_put(list);
	return EXIT_DONE;
}

const struct command command_list = {
	.name = "list",
	.args = "",
	.summary = "Show all network functions.",
	.details = "'-' stands for unset or none, '?' for unknown (not reported, or not "
		   "readable).",
	.run = run,
};
