/* SPDX-License-Identifier: MIT */
/* A nic of the inventory as JSON, and the parts of it that tables show in one cell. */
#include "nic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "json.h"
#include "table.h"

static const char *kind_name(enum vtc_nic_kind kind)
{
	switch (kind) {
	case VTC_NIC_PF:
		return "pf";
	case VTC_NIC_VF:
		return "vf";
	default:
		return "nic";
	}
}

static const char *use_name(enum vtc_nic_use use)
{
	switch (use) {
	case VTC_NIC_USE_FREE:
		return "free";
	case VTC_NIC_USE_NO_DRIVER:
		return "no-driver";
	case VTC_NIC_USE_HIDDEN:
		return "hidden";
	case VTC_NIC_USE_PASSED:
		return "passed-through";
	case VTC_NIC_USE_OTHER:
		return "other-driver";
	default:
		return "busy";
	}
}

/* A property that a getter writes as a string, or as a number of 32 bits. */
typedef int (*text_fn)(const struct vtc_nic *nic, const char **ret);
typedef int (*number_fn)(const struct vtc_nic *nic, uint32_t *ret);

static void add_text(struct json_object *to, const char *key, const struct vtc_nic *nic,
		     text_fn get)
{
	const char *text = NULL;
	int known = get(nic, &text);

	json_add_text(to, key, known, text);
}

static void add_number(struct json_object *to, const char *key, const struct vtc_nic *nic,
		       number_fn get)
{
	uint32_t number = 0;
	int known = get(nic, &number);

	json_add_number(to, key, known, number);
}

static void add_pci_id(struct json_object *to, const struct vtc_nic *nic)
{
	uint16_t vendor = 0, device = 0;
	int known = vtc_nic_get_pci_id(nic, &vendor, &device);
	char text[5];

	snprintf(text, sizeof(text), "%04x", vendor);
	json_add_text(to, "vendor_id", known, text);
	snprintf(text, sizeof(text), "%04x", device);
	json_add_text(to, "device_id", known, text);
}

static struct json_object *netdev_json(const struct vtc_netdev *netdev)
{
	struct json_object *to = json_new();
	char mac_text[VTC_MAC_TEXT_LEN] = "";
	struct vtc_mac mac = { { 0 } };
	const char *text = NULL;
	uint32_t number = 0;
	int known, on = 0;

	json_add_text(to, "name", 1, vtc_netdev_get_name(netdev));
	json_add_number(to, "ifindex", 1, vtc_netdev_get_ifindex(netdev));
	known = vtc_netdev_get_mac(netdev, &mac);
	vtc_mac_format(&mac, mac_text, sizeof(mac_text));
	json_add_text(to, "mac", known, mac_text);
	known = vtc_netdev_get_mtu(netdev, &number);
	json_add_number(to, "mtu", known, number);
	known = vtc_netdev_get_up(netdev, &on);
	json_add_bool(to, "up", known, on);
	known = vtc_netdev_get_carrier(netdev, &on);
	json_add_bool(to, "carrier", known, on);
	known = vtc_netdev_get_speed_mbps(netdev, &number);
	json_add_number(to, "speed_mbps", known, number);
	known = vtc_netdev_get_switch_id(netdev, &text);
	json_add_text(to, "switch_id", known, text);
	known = vtc_netdev_get_port_name(netdev, &text);
	json_add_text(to, "port_name", known, text);
	return to;
}

static void add_netdevs(struct json_object *to, const struct vtc_nic *nic)
{
	struct json_object *list = json_new_list();
	const struct vtc_netdev *netdev = NULL;

	while ((netdev = vtc_netdev_foreach_next(nic, netdev)))
		json_append(list, netdev_json(netdev));
	json_add(to, "netdevs", list);
}

static void add_use(struct json_object *to, const struct vtc_nic *nic)
{
	enum vtc_nic_use use = VTC_NIC_USE_BUSY;
	int known = vtc_nic_get_use(nic, &use);

	json_add_text(to, "use", known, use_name(use));
}

static void add_pf_side(struct json_object *to, const struct vtc_nic *nic)
{
	uint32_t offset = 0, stride = 0;
	int known, on = 0;

	add_number(to, "num_vfs", nic, vtc_nic_get_num_vfs);
	add_number(to, "total_vfs", nic, vtc_nic_get_total_vfs);
	known = vtc_nic_get_vf_layout(nic, &offset, &stride);
	json_add_number(to, "vf_offset", known, offset);
	json_add_number(to, "vf_stride", known, stride);
	known = vtc_nic_get_autoprobe(nic, &on);
	json_add_bool(to, "autoprobe", known, on);
	add_number(to, "vf_total_msix", nic, vtc_nic_get_vf_total_msix);
}

static void add_vf_side(struct json_object *to, const struct vtc_nic *nic)
{
	const struct vtc_nic *pf = NULL;
	int known = vtc_nic_get_pf(nic, &pf);

	json_add_text(to, "pf", known, vtc_nic_get_address(pf));
	add_number(to, "index", nic, vtc_nic_get_vf_index);
}

static void add_iommu(struct json_object *to, const struct vtc_nic *nic)
{
	const char *address = NULL;
	struct json_object *peers;
	uint32_t group = 0;
	int known = vtc_nic_get_iommu_group(nic, &group);

	json_add_number(to, "iommu_group", known, group);
	if (known != 1)
		return;
	peers = json_new_list();
	for (uint32_t i = 0; vtc_nic_get_iommu_peer(nic, i, &address) == 1; i++)
		json_append(peers, json_new_text(address));
	json_add(to, "iommu_peers", peers);
}

/* The kernel's list of ways to reset, cut at its blanks. */
static void add_resets(struct json_object *to, const struct vtc_nic *nic)
{
	const char *methods = NULL;
	int known = vtc_nic_get_reset_methods(nic, &methods);
	struct json_object *list;
	char *copy, *rest, *word;

	if (known != 1) {
		json_add_text(to, "reset_methods", known, NULL);
		return;
	}
	copy = rest = strdup(methods);
	if (!copy)
		fail_memory();
	list = json_new_list();
	while ((word = strsep(&rest, " ")))
		if (*word)
			json_append(list, json_new_text(word));
	free(copy);
	json_add(to, "reset_methods", list);
}

static void add_caps(struct json_object *to, const struct vtc_nic *nic)
{
	static const char *const names[] = {
		[VTC_CAP_ABSENT] = "absent",
		[VTC_CAP_AVAILABLE] = "available",
		[VTC_CAP_ACTIVE] = "active",
	};
	struct json_object *caps = json_new();

	for (int i = 0; i < VTC_NIC_CAP_COUNT; i++) {
		enum vtc_nic_cap cap = (enum vtc_nic_cap)i;
		int state = vtc_nic_get_cap(nic, cap);

		if (state < 0 || state > VTC_CAP_ACTIVE)
			json_add(caps, vtc_nic_cap_name(cap), NULL);
		else
			json_add_text(caps, vtc_nic_cap_name(cap), 1, names[state]);
	}
	json_add(to, "capabilities", caps);
}

static void add_channels(struct json_object *to, const struct vtc_nic *nic)
{
	struct vtc_channels channels;
	int known = vtc_nic_get_channels(nic, &channels);
	struct json_object *counts;

	if (known != 1) {
		json_add_text(to, "channels", known, NULL);
		return;
	}
	counts = json_new();
	json_add_number(counts, "rx", 1, channels.rx);
	json_add_number(counts, "tx", 1, channels.tx);
	json_add_number(counts, "combined", 1, channels.combined);
	json_add_number(counts, "max_rx", 1, channels.max_rx);
	json_add_number(counts, "max_tx", 1, channels.max_tx);
	json_add_number(counts, "max_combined", 1, channels.max_combined);
	json_add(to, "channels", counts);
}

struct json_object *nic_json(const struct vtc_nic *nic, bool caps)
{
	struct json_object *to = json_new();

	json_add_text(to, "address", 1, vtc_nic_get_address(nic));
	json_add_text(to, "bus", 1, vtc_nic_get_bus(nic));
	json_add_text(to, "kind", 1, kind_name(vtc_nic_get_kind(nic)));
	add_text(to, "driver", nic, vtc_nic_get_driver);
	add_netdevs(to, nic);
	add_use(to, nic);
	add_pci_id(to, nic);
	add_text(to, "vendor", nic, vtc_nic_get_vendor_name);
	add_text(to, "model", nic, vtc_nic_get_device_name);
	add_pf_side(to, nic);
	add_vf_side(to, nic);
	add_iommu(to, nic);
	add_number(to, "numa_node", nic, vtc_nic_get_numa_node);
	add_text(to, "cpus", nic, vtc_nic_get_cpus);
	add_resets(to, nic);
	add_number(to, "msix", nic, vtc_nic_get_msix_count);
	if (caps) {
		add_channels(to, nic);
		add_caps(to, nic);
	}
	return to;
}

/* Kinds of queues that the driver does not have are left out. */
void nic_print_queues(FILE *out, struct json_object *nic)
{
	static const struct {
		const char *name, *used, *most;
	} kinds[] = {
		{ "combined", "channels.combined", "channels.max_combined" },
		{ "rx", "channels.rx", "channels.max_rx" },
		{ "tx", "channels.tx", "channels.max_tx" },
	};
	struct json_object *channels, *most;
	const char *gap = "";

	if (!json_object_object_get_ex(nic, "channels", &channels) || !channels) {
		table_print_value(out, nic, "channels");
		return;
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		json_object_object_get_ex(channels, strchr(kinds[i].most, '.') + 1,
					  &most);
		if (json_object_get_int64(most) == 0)
			continue;
		fprintf(out, "%s%s ", gap, kinds[i].name);
		table_print_value(out, nic, kinds[i].used);
		fputc('/', out);
		table_print_value(out, nic, kinds[i].most);
		gap = ", ";
	}
}

void nic_print_vfs(FILE *out, struct json_object *nic)
{
	if (!json_object_object_get_ex(nic, "num_vfs", NULL)) {
		fputc('-', out);
		return;
	}
	table_print_value(out, nic, "num_vfs");
	fputc('/', out);
	table_print_value(out, nic, "total_vfs");
}

void nic_print_pf(FILE *out, struct json_object *nic)
{
	table_print_value(out, nic, "pf");
	if (!json_object_object_get_ex(nic, "index", NULL))
		return;
	fputs(" vf ", out);
	table_print_value(out, nic, "index");
}

/* Without names (no libpci), the numbers still tell the model. */
void nic_print_model(FILE *out, struct json_object *nic)
{
	struct json_object *model;

	if (json_object_object_get_ex(nic, "model", &model) && model) {
		table_print_value(out, nic, "vendor");
		fputc(' ', out);
		table_print_value(out, nic, "model");
		return;
	}
	if (!json_object_object_get_ex(nic, "vendor_id", NULL)) {
		fputc('-', out);
		return;
	}
	table_print_value(out, nic, "vendor_id");
	fputc(':', out);
	table_print_value(out, nic, "device_id");
}
