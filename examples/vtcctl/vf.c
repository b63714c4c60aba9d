/* SPDX-License-Identifier: MIT */
/* The VFs of a PF as JSON and as tables: what "vf show" and "show" have in common. */
#include "vf.h"

#include <errno.h>

#include "fail.h"
#include "json.h"
#include "table.h"
#include "vfattr.h"

static void print_vlan(FILE *out, struct json_object *row)
{
	struct json_object *vlan;

	if (!json_object_object_get_ex(row, "vlan", &vlan) || !vlan) {
		table_print_value(out, row, "vlan");
		return;
	}
	table_print_value(out, vlan, "id");
	fputs(" qos ", out);
	table_print_value(out, vlan, "qos");
	fputc(' ', out);
	table_print_value(out, vlan, "proto");
}

static const struct column columns[] = {
	{ .heading = "VF", .key = "index", .number = true },
	{ .heading = "ADDRESS", .key = "address" },
	{ .heading = "MAC", .key = "mac" },
	{ .heading = "EFFECTIVE", .key = "effective_mac" },
	{ .heading = "VLAN", .print = print_vlan },
	{ .heading = "MIN-RATE", .key = "min_rate_mbps", .number = true },
	{ .heading = "MAX-RATE", .key = "max_rate_mbps", .number = true },
	{ .heading = "SPOOF-CHECK", .key = "spoof_check" },
	{ .heading = "TRUST", .key = "trust" },
	{ .heading = "LINK", .key = "link_state" },
	{ .heading = "RSS-QUERY", .key = "rss_query" },
	{ .heading = "NODE-GUID", .key = "node_guid", .optional = true },
	{ .heading = "PORT-GUID", .key = "port_guid", .optional = true },
	{ .heading = NULL },
};

static const struct column stat_columns[] = {
	{ .heading = "VF", .key = "index", .number = true },
	{ .heading = "RX-PACKETS", .key = "stats.rx_packets", .number = true },
	{ .heading = "RX-BYTES", .key = "stats.rx_bytes", .number = true },
	{ .heading = "RX-BROADCAST", .key = "stats.rx_broadcast", .number = true },
	{ .heading = "RX-MULTICAST", .key = "stats.rx_multicast", .number = true },
	{ .heading = "RX-DROPPED", .key = "stats.rx_dropped", .number = true },
	{ .heading = "TX-PACKETS", .key = "stats.tx_packets", .number = true },
	{ .heading = "TX-BYTES", .key = "stats.tx_bytes", .number = true },
	{ .heading = "TX-DROPPED", .key = "stats.tx_dropped", .number = true },
	{ .heading = NULL },
};

static void add_stats(struct json_object *to, const struct vtc_vf *vf)
{
	struct vtc_vf_stats stats = { 0 };
	int known = vtc_vf_get_stats(vf, &stats, sizeof(stats));
	struct json_object *counters = json_new();

	json_add_number(counters, "rx_packets", known, stats.rx_packets);
	json_add_number(counters, "tx_packets", known, stats.tx_packets);
	json_add_number(counters, "rx_bytes", known, stats.rx_bytes);
	json_add_number(counters, "tx_bytes", known, stats.tx_bytes);
	json_add_number(counters, "rx_broadcast", known, stats.rx_broadcast);
	json_add_number(counters, "rx_multicast", known, stats.rx_multicast);
	json_add_number(counters, "rx_dropped", known, stats.rx_dropped);
	json_add_number(counters, "tx_dropped", known, stats.tx_dropped);
	json_add(to, "stats", counters);
}

/* A VF that was not reported (vf NULL) keeps its place, with everything unknown. */
static struct json_object *vf_json(uint32_t index, const struct vtc_vf *vf,
				   const char *report, bool stats)
{
	struct json_object *to = json_new();
	const char *address = NULL;
	int known = vtc_vf_get_address(vf, &address);

	json_add_number(to, "index", 1, index);
	json_add_text(to, "address", known, address);
	json_add_text(to, "report", 1, report);
	vfattr_json(to, vf);
	if (stats)
		add_stats(to, vf);
	return to;
}

static int add_vf(struct json_object *to, const struct vtc_vf_list *list, uint32_t index,
		  bool stats)
{
	const struct vtc_vf *vf = NULL;
	const char *report = "complete";
	int r = vtc_vf_list_get(list, index, &vf);

	if (r == -ENODATA)
		report = "missing";
	else if (r == -EOVERFLOW)
		report = "cut";
	else if (r < 0)
		return r;
	json_append(to, vf_json(index, vf, report, stats));
	return 0;
}

static int all_vfs(struct json_object *to, const struct vtc_vf_list *list,
		   const struct index_set *set, bool stats)
{
	uint32_t count = set ? INDEX_LIMIT : vtc_vf_list_get_count(list);
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < count; i++)
		if (!set || set->has[i])
			r = add_vf(to, list, i, stats);
	return r;
}

int vf_list_json(struct tool *tool, const char *pf_name, const struct index_set *set,
		 struct json_object **ret_list)
{
	struct vtc_vf_list_opts opts = VTC_VF_LIST_OPTS_INIT;
	struct json_object *json;
	struct vtc_vf_list *list;
	struct vtc_pf *pf;
	int r = vtc_pf_open(tool->ctx, pf_name, &pf);

	if (r < 0)
		return r;
	if (tool->settings.stats)
		opts.flags = VTC_VF_LIST_F_STATS;
	r = vtc_vf_list_new(pf, &opts, &list);
	vtc_pf_close(pf);
	if (r < 0)
		return r;
	json = json_new_list();
	r = all_vfs(json, list, set, tool->settings.stats);
	vtc_vf_list_free(list);
	if (r < 0)
		json_object_put(json);
	else
		*ret_list = json;
	return r;
}

void vf_list_print(const struct tool *tool, struct json_object *list)
{
	table_print(list, columns);
	if (!tool->settings.stats)
		return;
	putchar('\n');
	table_print(list, stat_columns);
}
