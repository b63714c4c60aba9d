/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads all that a result holds, so that a sanitizer sees what is not there. */
#include <stdlib.h>
#include <string.h>
#include <vtc/nic.h>
#include <vtc/vf.h>

#include "fuzz.h"
#include "nic/nic.h"
#include "vtct.h"

/*
 * In the place of lib/nic/names.c: names are in no input, and libpci reads its whole database for each
 * inventory, which would make a target a hundred times slower.
 */
int vtc__names_fill(struct vtc_inventory *inventory)
{
	(void)inventory;
	return 0;
}

static void remove_files(void)
{
	vtct_remove_dir(vtct_dir());
}

struct vtct_kernel *vtct_fuzz_kernel(void)
{
	static struct vtct_kernel *k;

	if (!k) {
		k = vtct_kernel_new(vtct_tree_new());
		vtct_create_vfs(k, vtct_kernel_igb(k, 0), 2);
		atexit(remove_files);
	}
	return k;
}

/* Text that came from outside must at least end. */
static void read_text(const char *text)
{
	static volatile size_t sink;

	sink = sink + strlen(text);
}

static void walk_netdev(const struct vtc_netdev *netdev)
{
	const char *text = NULL;
	struct vtc_mac mac;
	uint32_t number;
	int on;

	read_text(vtc_netdev_get_name(netdev));
	(void)vtc_netdev_get_ifindex(netdev);
	(void)vtc_netdev_get_mac(netdev, &mac);
	(void)vtc_netdev_get_mtu(netdev, &number);
	(void)vtc_netdev_get_up(netdev, &on);
	(void)vtc_netdev_get_carrier(netdev, &on);
	(void)vtc_netdev_get_speed_mbps(netdev, &number);
	if (vtc_netdev_get_switch_id(netdev, &text) == 1)
		read_text(text);
	if (vtc_netdev_get_port_name(netdev, &text) == 1)
		read_text(text);
}

static void walk_numbers(const struct vtc_nic *nic)
{
	struct vtc_channels channels;
	enum vtc_nic_use use;
	uint32_t a, b;
	uint16_t c, d;
	int on;

	(void)vtc_nic_get_kind(nic);
	(void)vtc_nic_get_use(nic, &use);
	(void)vtc_nic_get_pci_id(nic, &c, &d);
	(void)vtc_nic_get_total_vfs(nic, &a);
	(void)vtc_nic_get_num_vfs(nic, &a);
	(void)vtc_nic_get_vf_layout(nic, &a, &b);
	(void)vtc_nic_get_autoprobe(nic, &on);
	(void)vtc_nic_get_vf_index(nic, &a);
	(void)vtc_nic_get_iommu_group(nic, &a);
	(void)vtc_nic_get_numa_node(nic, &a);
	(void)vtc_nic_get_msix_count(nic, &a);
	(void)vtc_nic_get_vf_total_msix(nic, &a);
	(void)vtc_nic_get_channels(nic, &channels);
	for (on = 0; on < VTC_NIC_CAP_COUNT; on++)
		(void)vtc_nic_get_cap(nic, (enum vtc_nic_cap)on);
}

static void walk_nic(const struct vtc_nic *nic)
{
	const struct vtc_netdev *netdev = NULL;
	const struct vtc_nic *other = NULL;
	const char *text = NULL;
	uint32_t i;

	read_text(vtc_nic_get_bus(nic));
	read_text(vtc_nic_get_address(nic));
	if (vtc_nic_get_driver(nic, &text) == 1)
		read_text(text);
	if (vtc_nic_get_vendor_name(nic, &text) == 1)
		read_text(text);
	if (vtc_nic_get_device_name(nic, &text) == 1)
		read_text(text);
	if (vtc_nic_get_cpus(nic, &text) == 1)
		read_text(text);
	if (vtc_nic_get_reset_methods(nic, &text) == 1)
		read_text(text);
	for (i = 0; i < 8; i++) {
		if (vtc_nic_get_iommu_peer(nic, i, &text) == 1)
			read_text(text);
		if (vtc_nic_get_vf(nic, i, &other) == 1)
			read_text(vtc_nic_get_address(other));
	}
	if (vtc_nic_get_pf(nic, &other) == 1)
		read_text(vtc_nic_get_address(other));
	walk_numbers(nic);
	while ((netdev = vtc_netdev_foreach_next(nic, netdev)))
		walk_netdev(netdev);
}

void vtct_walk_inventory(const struct vtc_inventory *inventory)
{
	const struct vtc_nic *nic = NULL;

	while ((nic = vtc_nic_foreach_next(inventory, nic)))
		walk_nic(nic);
}

static void walk_vf(const struct vtc_vf *vf)
{
	enum vtc_vf_link_state state;
	struct vtc_vf_stats stats;
	const char *text = NULL;
	struct vtc_vlan vlan;
	struct vtc_mac mac;
	uint32_t rate;
	uint64_t guid;
	int on;

	if (vtc_vf_get_address(vf, &text) == 1)
		read_text(text);
	(void)vtc_vf_get_index(vf);
	(void)vtc_vf_get_mac(vf, &mac);
	(void)vtc_vf_get_effective_mac(vf, &mac);
	(void)vtc_vf_get_vlan(vf, &vlan);
	(void)vtc_vf_get_min_rate_mbps(vf, &rate);
	(void)vtc_vf_get_max_rate_mbps(vf, &rate);
	(void)vtc_vf_get_spoof_check(vf, &on);
	(void)vtc_vf_get_trust(vf, &on);
	(void)vtc_vf_get_link_state(vf, &state);
	(void)vtc_vf_get_rss_query(vf, &on);
	(void)vtc_vf_get_node_guid(vf, &guid);
	(void)vtc_vf_get_port_guid(vf, &guid);
	(void)vtc_vf_get_stats(vf, &stats, sizeof(stats));
}

void vtct_walk_vfs(const struct vtc_vf_list *list)
{
	uint32_t i, count = vtc_vf_list_get_count(list);
	const struct vtc_vf *vf;

	for (i = 0; i < count && i < 4096; i++)
		if (vtc_vf_list_get(list, i, &vf) == 0)
			walk_vf(vf);
}
