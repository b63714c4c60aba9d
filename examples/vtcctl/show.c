/* SPDX-License-Identifier: MIT */
/* vtcctl show: everything about one device. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "json.h"
#include "nic.h"
#include "table.h"
#include "vf.h"

static const struct column fields[] = {
	{ .heading = "address", .key = "address" },
	{ .heading = "bus", .key = "bus" },
	{ .heading = "kind", .key = "kind" },
	{ .heading = "model", .print = nic_print_model },
	{ .heading = "driver", .key = "driver" },
	{ .heading = "use", .key = "use" },
	{ .heading = "netdevs", .key = "netdevs" },
	{ .heading = "queues", .print = nic_print_queues },
	{ .heading = "VFs", .print = nic_print_vfs },
	{ .heading = "VF offset", .key = "vf_offset", .optional = true },
	{ .heading = "VF stride", .key = "vf_stride", .optional = true },
	{ .heading = "VF MSI-X", .key = "vf_total_msix", .optional = true },
	{ .heading = "autoprobe", .key = "autoprobe", .optional = true },
	{ .heading = "PF", .print = nic_print_pf },
	{ .heading = "IOMMU group", .key = "iommu_group" },
	{ .heading = "IOMMU peers", .key = "iommu_peers", .optional = true },
	{ .heading = "NUMA node", .key = "numa_node" },
	{ .heading = "CPUs", .key = "cpus" },
	{ .heading = "resets", .key = "reset_methods" },
	{ .heading = "MSI-X", .key = "msix" },
	{ .heading = NULL },
};

static const struct column netdev_columns[] = {
	{ .heading = "NETDEV", .key = "name" },
	{ .heading = "INDEX", .key = "ifindex", .number = true },
	{ .heading = "MAC", .key = "mac" },
	{ .heading = "MTU", .key = "mtu", .number = true },
	{ .heading = "UP", .key = "up" },
	{ .heading = "CARRIER", .key = "carrier" },
	{ .heading = "MBIT/S", .key = "speed_mbps", .number = true },
	{ .heading = "SWITCH", .key = "switch_id" },
	{ .heading = "PORT", .key = "port_name" },
	{ .heading = NULL },
};

/* Why the VFs could not be read; a VF that is not there leaves no record. */
static void add_reason(struct tool *tool, struct json_object *to, int code)
{
	char *reason = code == -ERANGE ? strdup("the PF reports fewer VFs")
				       : fail_record_text(tool);

	if (!reason)
		fail_memory();
	json_add_text(to, "vfs_error", 1, reason);
	free(reason);
}

static void add_vfs(struct tool *tool, struct json_object *to, const struct vtc_nic *pf)
{
	struct json_object *list = NULL;
	int r = vf_list_json(tool, vtc_nic_get_address(pf), NULL, &list);

	if (r < 0)
		add_reason(tool, to, r);
	json_add(to, "vfs", list);
}

/*
 * A list of the one VF, or NULL: its attributes are its PF's to tell, if that can be
 * seen.
 */
static struct json_object *own_list(struct tool *tool, struct json_object *to,
				    const struct vtc_nic *nic)
{
	struct json_object *list = NULL;
	const struct vtc_nic *pf;
	struct index_set *set;
	char number[11];
	uint32_t index;
	int r;

	if (vtc_nic_get_pf(nic, &pf) != 1 || vtc_nic_get_vf_index(nic, &index) != 1)
		return NULL;
	snprintf(number, sizeof(number), "%u", index);
	set = args_index_set(number);
	r = vf_list_json(tool, vtc_nic_get_address(pf), set, &list);
	free(set);
	if (r < 0)
		add_reason(tool, to, r);
	return list;
}

static void add_attributes(struct tool *tool, struct json_object *to,
			   const struct vtc_nic *nic)
{
	struct json_object *list = own_list(tool, to, nic);

	json_add(to, "attributes",
		 list ? json_object_get(json_object_array_get_idx(list, 0)) : NULL);
	json_object_put(list);
}

static void print_caps(struct json_object *nic)
{
	struct json_object *caps;

	if (!json_object_object_get_ex(nic, "capabilities", &caps))
		return;
	printf("\nCAPABILITY      STATE\n");
	json_object_object_foreach(caps, name, state)
		printf("%-14s  %s\n", name, state ? json_object_get_string(state) : "?");
}

static void print_vfs(const struct tool *tool, struct json_object *nic)
{
	struct json_object *value, *list = NULL;

	if (json_object_object_get_ex(nic, "vfs_error", &value)) {
		printf("\nVF attributes: ? (%s)\n", json_object_get_string(value));
		return;
	}
	if (json_object_object_get_ex(nic, "vfs", &value)) {
		list = json_object_get(value);
	} else if (json_object_object_get_ex(nic, "attributes", &value) && value) {
		list = json_new_list();
		json_append(list, json_object_get(value));
	}
	if (list && json_object_array_length(list) > 0) {
		putchar('\n');
		vf_list_print(tool, list);
	}
	json_object_put(list);
}

static void print_text(const struct tool *tool, struct json_object *nic)
{
	struct json_object *netdevs;

	table_print_record(nic, fields);
	if (json_object_object_get_ex(nic, "netdevs", &netdevs) &&
	    json_object_array_length(netdevs) > 0) {
		putchar('\n');
		table_print(netdevs, netdev_columns);
	}
	print_caps(nic);
	print_vfs(tool, nic);
}

static int show(struct tool *tool, const struct vtc_inventory *inventory)
{
	const struct vtc_nic *nic;
	struct json_object *json;
	int r = vtc_inventory_find(inventory, tool->args[0], &nic);

	if (r < 0)
		return fail_plain(tool, r, "find", tool->args[0],
				  "vtcctl list shows what there is");
	json = nic_json(nic, true);
	if (vtc_nic_get_kind(nic) == VTC_NIC_PF)
		add_vfs(tool, json, nic);
	if (vtc_nic_get_kind(nic) == VTC_NIC_VF)
		add_attributes(tool, json, nic);
	if (tool->settings.json) {
		json_print(stdout, json);
		return EXIT_DONE;
	}
	print_text(tool, json);
	json_object_put(json);
	return EXIT_DONE;
}

static int run(struct tool *tool)
{
	struct vtc_inventory_opts opts = VTC_INVENTORY_OPTS_INIT;
	struct vtc_inventory *inventory;
	int code;

	opts.flags = VTC_INVENTORY_F_CAPS;
	code = vtc_inventory_new(tool->ctx, &opts, &inventory);
	if (code < 0)
		return fail_vtc(tool, code);
	code = show(tool, inventory);
	vtc_inventory_free(inventory);
	return code;
}

static const struct option options[] = {
	{ .name = "stats",
	  .offset = offsetof(struct settings, stats),
	  .help = "traffic counters of VFs, too" },
	{ .name = NULL },
};

const struct command command_show = {
	.name = "show",
	.args = "DEV",
	.summary = "Show everything about one device.",
	.details = "For a PF also its VFs; for a VF also its attributes, read through "
		   "its PF.",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
