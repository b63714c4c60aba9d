/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What can be asked of a nic and of a network interface in an inventory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nic.h"
#include "use.h"

static int pf_num(const struct vtc_nic *nic, const struct vtc__num *num, uint32_t *ret)
{
	return nic->kind == VTC_NIC_PF ? vtc__num_get(num, ret) : 0;
}

/* ---- nics ---- */

const char *vtc_nic_get_bus(const struct vtc_nic *nic)
{
	return nic ? nic->bus : NULL;
}

const char *vtc_nic_get_address(const struct vtc_nic *nic)
{
	return nic ? nic->address : NULL;
}

enum vtc_nic_kind vtc_nic_get_kind(const struct vtc_nic *nic)
{
	return nic ? nic->kind : VTC_NIC_PLAIN;
}

/* 1: some interface is in use; 0: none is; -ENODATA: that cannot be told. */
static int netdevs_busy(const struct vtc_nic *nic)
{
	int result = 0;

	for (size_t i = 0; i < nic->netdev_count; i++) {
		const struct vtc_netdev *netdev = &nic->netdevs[i];

		if ((netdev->up.state == 1 && netdev->up.value) ||
		    (netdev->upper.state == 1 && netdev->upper.value))
			return 1;
		if (netdev->up.state != 1 || netdev->upper.state != 1)
			result = -ENODATA;
	}
	return result;
}

int vtc_nic_get_use(const struct vtc_nic *nic, enum vtc_nic_use *ret_use)
{
	int busy;

	if (!nic || !ret_use)
		return -EINVAL;
	busy = netdevs_busy(nic);
	if (nic->driver.state == 1 && vtc__nic_driver_passes(nic->driver.text))
		*ret_use = VTC_NIC_USE_PASSED;
	else if (nic->netdev_count && busy < 0)
		return busy;
	else if (nic->netdev_count)
		*ret_use = busy ? VTC_NIC_USE_BUSY : VTC_NIC_USE_FREE;
	else if (nic->driver.state < 0)
		return nic->driver.state;
	else if (nic->driver.state == 0)
		*ret_use = VTC_NIC_USE_NO_DRIVER;
	else
		*ret_use = nic->net_dir ? VTC_NIC_USE_HIDDEN : VTC_NIC_USE_OTHER;
	return 1;
}

int vtc_nic_get_driver(const struct vtc_nic *nic, const char **ret_driver)
{
	return nic && ret_driver ? vtc__str_get(&nic->driver, ret_driver) : -EINVAL;
}

int vtc_nic_get_pci_id(const struct vtc_nic *nic, uint16_t *ret_vendor,
		       uint16_t *ret_device)
{
	if (!nic || !ret_vendor || !ret_device)
		return -EINVAL;
	if (nic->vendor.state != 1)
		return nic->vendor.state;
	if (nic->device.state != 1)
		return nic->device.state;
	*ret_vendor = (uint16_t)nic->vendor.value;
	*ret_device = (uint16_t)nic->device.value;
	return 1;
}

int vtc_nic_get_vendor_name(const struct vtc_nic *nic, const char **ret_name)
{
	return nic && ret_name ? vtc__str_get(&nic->vendor_name, ret_name) : -EINVAL;
}

int vtc_nic_get_device_name(const struct vtc_nic *nic, const char **ret_name)
{
	return nic && ret_name ? vtc__str_get(&nic->device_name, ret_name) : -EINVAL;
}

int vtc_nic_get_total_vfs(const struct vtc_nic *nic, uint32_t *ret_count)
{
	return nic && ret_count ? pf_num(nic, &nic->total_vfs, ret_count) : -EINVAL;
}

int vtc_nic_get_num_vfs(const struct vtc_nic *nic, uint32_t *ret_count)
{
	return nic && ret_count ? pf_num(nic, &nic->num_vfs, ret_count) : -EINVAL;
}

int vtc_nic_get_vf_layout(const struct vtc_nic *nic, uint32_t *ret_offset,
			  uint32_t *ret_stride)
{
	if (!nic || !ret_offset || !ret_stride)
		return -EINVAL;
	if (nic->kind != VTC_NIC_PF)
		return 0;
	if (nic->offset.state != 1 || nic->stride.state != 1)
		return -ENODATA;
	*ret_offset = nic->offset.value;
	*ret_stride = nic->stride.value;
	return 1;
}

int vtc_nic_get_autoprobe(const struct vtc_nic *nic, int *ret_on)
{
	uint32_t on;
	int state;

	if (!nic || !ret_on)
		return -EINVAL;
	state = pf_num(nic, &nic->autoprobe, &on);
	if (state == 1)
		*ret_on = (int)on;
	return state;
}

static const struct vtc__vf_link *find_vf(const struct vtc_nic *nic, uint32_t index)
{
	size_t low = 0, high = nic->vf_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (nic->vfs[middle].index == index)
			return &nic->vfs[middle];
		if (nic->vfs[middle].index > index)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

int vtc_nic_get_vf(const struct vtc_nic *nic, uint32_t index,
		   const struct vtc_nic **ret_vf)
{
	const struct vtc__vf_link *link;

	if (!nic || !ret_vf)
		return -EINVAL;
	if (nic->kind != VTC_NIC_PF)
		return 0;
	link = find_vf(nic, index);
	if (link && link->nic) {
		*ret_vf = link->nic;
		return 1;
	}
	/* The PF has so many, but no link: it may be on its way, or not be PCI. */
	if (link || nic->num_vfs.state != 1 || index < nic->num_vfs.value)
		return -ENODATA;
	return 0;
}

int vtc_nic_get_pf(const struct vtc_nic *nic, const struct vtc_nic **ret_pf)
{
	if (!nic || !ret_pf)
		return -EINVAL;
	if (nic->kind != VTC_NIC_VF)
		return 0;
	if (!nic->pf)
		return -ENODATA;
	*ret_pf = nic->pf;
	return 1;
}

int vtc_nic_get_vf_index(const struct vtc_nic *nic, uint32_t *ret_index)
{
	return nic && ret_index ? vtc__num_get(&nic->index, ret_index) : -EINVAL;
}

int vtc_nic_get_iommu_group(const struct vtc_nic *nic, uint32_t *ret_group)
{
	return nic && ret_group ? vtc__num_get(&nic->iommu_group, ret_group) : -EINVAL;
}

static int member_cmp(const void *a, const void *b)
{
	return vtc__address_cmp("", a, "", b);
}

int vtc_nic_get_iommu_peer(const struct vtc_nic *nic, uint32_t index,
			   const char **ret_address)
{
	const struct vtc__names *members;
	const char(*self)[VTC__ADDRESS_LEN];
	size_t place = index;

	if (!nic || !ret_address)
		return -EINVAL;
	if (nic->iommu_group.state != 1)
		return nic->iommu_group.state;
	if (!nic->group || !nic->group->known)
		return -ENODATA;
	members = &nic->group->members;
	if (place >= members->count)
		return 0;
	self = bsearch(nic->address, members->name, members->count,
		       sizeof(members->name[0]), member_cmp);
	if (self && &members->name[place] >= self)
		place++;
	if (place >= members->count)
		return 0;
	*ret_address = members->name[place];
	return 1;
}

int vtc_nic_get_numa_node(const struct vtc_nic *nic, uint32_t *ret_node)
{
	return nic && ret_node ? vtc__num_get(&nic->numa, ret_node) : -EINVAL;
}

int vtc_nic_get_cpus(const struct vtc_nic *nic, const char **ret_cpus)
{
	return nic && ret_cpus ? vtc__str_get(&nic->cpus, ret_cpus) : -EINVAL;
}

int vtc_nic_get_reset_methods(const struct vtc_nic *nic, const char **ret_methods)
{
	return nic && ret_methods ? vtc__str_get(&nic->reset, ret_methods) : -EINVAL;
}

int vtc_nic_get_msix_count(const struct vtc_nic *nic, uint32_t *ret_count)
{
	return nic && ret_count ? vtc__num_get(&nic->msix, ret_count) : -EINVAL;
}

int vtc_nic_get_vf_total_msix(const struct vtc_nic *nic, uint32_t *ret_count)
{
	return nic && ret_count ? pf_num(nic, &nic->vf_msix, ret_count) : -EINVAL;
}

int vtc_nic_get_cap(const struct vtc_nic *nic, enum vtc_nic_cap cap)
{
	if (!nic || (unsigned int)cap >= VTC_NIC_CAP_COUNT)
		return -EINVAL;
	return nic->caps[cap];
}

const char *vtc_nic_cap_name(enum vtc_nic_cap cap)
{
	static const char *const names[VTC_NIC_CAP_COUNT] = {
		[VTC_NIC_CAP_NTUPLE] = "ntuple",
		[VTC_NIC_CAP_HW_TC] = "hw-tc",
		[VTC_NIC_CAP_L2_FORWARD] = "l2-forward",
		[VTC_NIC_CAP_VLAN_FILTER] = "vlan-filter",
		[VTC_NIC_CAP_RX_HASH] = "rx-hash",
		[VTC_NIC_CAP_XDP] = "xdp",
		[VTC_NIC_CAP_XDP_REDIRECT] = "xdp-redirect",
		[VTC_NIC_CAP_XDP_ZEROCOPY] = "xdp-zerocopy",
		[VTC_NIC_CAP_DEVLINK] = "devlink",
		[VTC_NIC_CAP_SHAPER] = "shaper",
	};

	return (unsigned int)cap < VTC_NIC_CAP_COUNT ? names[cap] : NULL;
}

int vtc_nic_get_channels(const struct vtc_nic *nic, struct vtc_channels *ret_channels)
{
	if (!nic || !ret_channels)
		return -EINVAL;
	if (nic->channels_state == 1)
		*ret_channels = nic->channels;
	return nic->channels_state;
}

/* ---- Network interfaces ---- */

const struct vtc_netdev *vtc_netdev_foreach_next(const struct vtc_nic *nic,
						 const struct vtc_netdev *netdev)
{
	size_t next;

	if (!nic || !nic->netdev_count || (netdev && netdev->nic != nic))
		return NULL;
	next = netdev ? (size_t)(netdev - nic->netdevs) + 1 : 0;
	return next < nic->netdev_count ? &nic->netdevs[next] : NULL;
}

const char *vtc_netdev_get_name(const struct vtc_netdev *netdev)
{
	return netdev ? netdev->name : NULL;
}

uint32_t vtc_netdev_get_ifindex(const struct vtc_netdev *netdev)
{
	return netdev ? netdev->ifindex : 0;
}

int vtc_netdev_get_mac(const struct vtc_netdev *netdev, struct vtc_mac *ret_mac)
{
	if (!netdev || !ret_mac)
		return -EINVAL;
	if (netdev->mac_state == 1)
		*ret_mac = netdev->mac;
	return netdev->mac_state;
}

int vtc_netdev_get_mtu(const struct vtc_netdev *netdev, uint32_t *ret_mtu)
{
	return netdev && ret_mtu ? vtc__num_get(&netdev->mtu, ret_mtu) : -EINVAL;
}

static int get_flag(const struct vtc__num *num, int *ret)
{
	if (num->state == 1)
		*ret = (int)num->value;
	return num->state;
}

int vtc_netdev_get_up(const struct vtc_netdev *netdev, int *ret_up)
{
	return netdev && ret_up ? get_flag(&netdev->up, ret_up) : -EINVAL;
}

int vtc_netdev_get_carrier(const struct vtc_netdev *netdev, int *ret_carrier)
{
	return netdev && ret_carrier ? get_flag(&netdev->carrier, ret_carrier) : -EINVAL;
}

int vtc_netdev_get_speed_mbps(const struct vtc_netdev *netdev, uint32_t *ret_mbps)
{
	return netdev && ret_mbps ? vtc__num_get(&netdev->speed, ret_mbps) : -EINVAL;
}

int vtc_netdev_get_switch_id(const struct vtc_netdev *netdev, const char **ret_id)
{
	return netdev && ret_id ? vtc__str_get(&netdev->switch_id, ret_id) : -EINVAL;
}

int vtc_netdev_get_port_name(const struct vtc_netdev *netdev, const char **ret_name)
{
	return netdev && ret_name ? vtc__str_get(&netdev->port_name, ret_name) : -EINVAL;
}
