/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The devices, as seen in the lab's guest. */
#include <linux/if.h>
#include <stdio.h>
#include <string.h>

#include "device.h"
#include "vtct.h"

#define BRIDGE "devices/pci0000:00/0000:00:01.0"

static void format_mac(const uint8_t mac[6], char text[18])
{
	snprintf(text, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
}

void vtct_pf_igb(struct vtct_pf *pf, unsigned int port)
{
	static const uint8_t mac[6] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x50 };

	memset(pf, 0, sizeof(*pf));
	pf->bus = "pci";
	snprintf(pf->address, sizeof(pf->address), "0000:01:00.%u", port);
	snprintf(pf->dir, sizeof(pf->dir), BRIDGE "/%s", pf->address);
	snprintf(pf->ifname, sizeof(pf->ifname), "enp1s0f%u", port);
	strcpy(pf->driver, "igb");
	strcpy(pf->vf_driver, "igbvf");
	memcpy(pf->mac, mac, sizeof(mac));
	pf->mac[5] = (uint8_t)(mac[5] + port);
	pf->ifindex = 3 + port;
	pf->group = 10 + 100 * port;
	pf->total_vfs = 7;
	pf->offset = 128;
	pf->stride = 2;
	pf->up = pf->autoprobe = pf->vf_netdevs = true;
	pf->only_8021q = pf->no_min_rate = true;
	pf->unreported = 1u << IFLA_VF_RSS_QUERY_EN;
	pf->error[IFLA_VF_LINK_STATE] = pf->error[IFLA_VF_RSS_QUERY_EN] = -EOPNOTSUPP;
}

void vtct_pf_netdevsim(struct vtct_pf *pf, unsigned int id)
{
	memset(pf, 0, sizeof(*pf));
	pf->bus = "netdevsim";
	snprintf(pf->address, sizeof(pf->address), "netdevsim%u", id);
	snprintf(pf->dir, sizeof(pf->dir), "devices/%s", pf->address);
	snprintf(pf->ifname, sizeof(pf->ifname), "eth%u", id);
	strcpy(pf->driver, "netdevsim");
	pf->mac[0] = 0x02;
	pf->mac[5] = (uint8_t)id;
	pf->ifindex = 20 + id;
	pf->total_vfs = 4;
	pf->up = pf->autoprobe = true;
}

static bool is_pci(const struct vtct_pf *pf)
{
	return strcmp(pf->bus, "pci") == 0;
}

/* ---- Names ---- */

const char *vtct_vf_address(const struct vtct_pf *pf, uint32_t index)
{
	static char address[32];
	unsigned int domain, bus, device, function, rid;

	if (sscanf(pf->address, "%x:%x:%x.%u", &domain, &bus, &device, &function) != 4)
		vtct_die("no PCI address: %s", pf->address);
	rid = (bus << 8 | device << 3 | function) + pf->offset + index * pf->stride;
	snprintf(address, sizeof(address), "%04x:%02x:%02x.%u", domain, rid >> 8,
		 rid >> 3 & 31, rid & 7);
	return address;
}

const char *vtct_vf_dir(const struct vtct_pf *pf, uint32_t index)
{
	static char dir[128];
	int parent = (int)(strrchr(pf->dir, '/') - pf->dir);

	snprintf(dir, sizeof(dir), "%.*s/%s", parent, pf->dir,
		 vtct_vf_address(pf, index));
	return dir;
}

const char *vtct_vf_ifname(const struct vtct_pf *pf, uint32_t index)
{
	static char ifname[32];

	snprintf(ifname, sizeof(ifname), "%sv%u", pf->ifname, index);
	return ifname;
}

uint32_t vtct_vf_ifindex(const struct vtct_pf *pf, uint32_t index)
{
	return pf->ifindex * 10000 + index;
}

/* ---- Netdevs ---- */

void vtct_tree_set_up(struct vtct_tree *tree, const char *device_dir, const char *ifname,
		      bool up)
{
	char net[VTCT_PATH_MAX];

	snprintf(net, sizeof(net), "%s/net/%s", device_dir, ifname);
	vtct_tree_addf(tree, "%s/flags = 0x%x\n%s/operstate = %s\n", net,
		       IFF_BROADCAST | IFF_MULTICAST | (up ? IFF_UP : 0), net,
		       up ? "up" : "down");
	/* The kernel answers EINVAL for both while the interface is down. */
	vtct_tree_addf(tree,
		       up ? "%s/carrier = 1\n%s/speed = 1000\n"
			  : "%s/carrier ! 22\n%s/speed ! 22\n",
		       net, net);
}

void vtct_tree_add_netdev(struct vtct_tree *tree, const char *device_dir,
			  const char *ifname, uint32_t ifindex, const uint8_t mac[6],
			  bool up)
{
	char net[VTCT_PATH_MAX], text[18];

	format_mac(mac, text);
	snprintf(net, sizeof(net), "%s/net/%s", device_dir, ifname);
	vtct_tree_addf(tree, "%s/address = %s\n%s/ifindex = %u\n%s/mtu = 1500\n", net,
		       text, net, ifindex, net);
	vtct_tree_addf(tree, "%s/type = 1\n%s/addr_len = 6\n%s/dev_port = 0\n", net, net,
		       net);
	vtct_tree_addf(tree, "%s/phys_switch_id ! 95\n%s/phys_port_name ! 95\n", net,
		       net);
	vtct_tree_addf(tree, "%s/device -> %s\n%s/subsystem -> class/net\n", net,
		       device_dir, net);
	vtct_tree_addf(tree, "class/net/%s -> %s\n", ifname, net);
	vtct_tree_set_up(tree, device_dir, ifname, up);
}

void vtct_tree_remove_netdev(struct vtct_tree *tree, const char *device_dir,
			     const char *ifname)
{
	char path[VTCT_PATH_MAX];

	snprintf(path, sizeof(path), "class/net/%s", ifname);
	vtct_tree_remove(tree, path);
	snprintf(path, sizeof(path), "%s/net", device_dir);
	vtct_tree_remove(tree, path);
}

/* ---- PCI functions ---- */

static void put16(unsigned char *at, unsigned int value)
{
	at[0] = (unsigned char)value;
	at[1] = (unsigned char)(value >> 8);
}

/* Header and the chain of capabilities: PM, MSI, MSI-X, PCI Express; AER, ARI, SR-IOV. */
static void fill_config(unsigned char *config, uint16_t vendor, uint16_t device,
			unsigned int msix_count)
{
	static const unsigned char chain[][3] = {
		{ 0x40, 0x01, 0x50 },
		{ 0x50, 0x05, 0x70 },
		{ 0x70, 0x11, 0xa0 },
		{ 0xa0, 0x10, 0 },
	};
	size_t i;

	put16(config, vendor);
	put16(config + 2, device);
	put16(config + 4, 0x0406);
	put16(config + 6, 0x0010); /* there are capabilities */
	config[8] = 0x01;
	config[11] = 0x02; /* network controller, Ethernet */
	config[0x34] = 0x40;
	for (i = 0; i < sizeof(chain) / sizeof(chain[0]); i++) {
		config[chain[i][0]] = chain[i][1];
		config[chain[i][0] + 1] = chain[i][2];
	}
	put16(config + 0x72, msix_count - 1);
	put16(config + 0x100, 0x0001);
	put16(config + 0x102, 0x1502); /* version 2, next at 0x150 */
	put16(config + 0x150, 0x000e);
	put16(config + 0x152, 0x0001);
}

static void fill_sriov(unsigned char *config, const struct vtct_pf *pf)
{
	put16(config + 0x152, 0x1601);
	put16(config + 0x160, 0x0010);
	put16(config + 0x162, 0x0001);
	put16(config + 0x16c, 8); /* the hardware's count; the driver allows one fewer */
	put16(config + 0x16e, 8);
	put16(config + 0x170, pf->num_vfs);
	put16(config + 0x174, pf->offset);
	put16(config + 0x176, pf->stride);
	put16(config + 0x17a, 0x10ca);
	put16(config + 0x17c, 0x0553);
}

static void add_function(struct vtct_tree *tree, const char *dir, const char *address,
			 unsigned int device, uint32_t group)
{
	vtct_tree_addf(tree, "bus/pci/devices/%s -> %s\n%s/subsystem -> bus/pci\n",
		       address, dir, dir);
	vtct_tree_addf(tree,
		       "%s/vendor = 0x8086\n%s/device = 0x%04x\n%s/class = 0x020000\n",
		       dir, dir, device, dir);
	vtct_tree_addf(tree,
		       "%s/subsystem_vendor = 0x8086\n%s/subsystem_device = 0xa02b\n",
		       dir, dir);
	vtct_tree_addf(tree,
		       "%s/revision = 0x01\n%s/ari_enabled = 1\n%s/numa_node = -1\n", dir,
		       dir, dir);
	vtct_tree_addf(tree, "%s/local_cpulist = 0-1\n%s/driver_override = (null)\n", dir,
		       dir);
	vtct_tree_addf(
		tree, "%s/modalias = pci:v00008086d%08Xsv00008086sd0000A02Bbc02sc00i00\n",
		dir, device);
	if (!group)
		return;
	vtct_tree_addf(tree, "%s/iommu_group -> kernel/iommu_groups/%u\n", dir, group);
	vtct_tree_addf(tree, "kernel/iommu_groups/%u/devices/%s -> %s\n", group, address,
		       dir);
	vtct_tree_addf(tree, "kernel/iommu_groups/%u/type = DMA\n", group);
}

static void bind_driver(struct vtct_tree *tree, const char *bus, const char *dir,
			const char *address, const char *driver)
{
	if (!driver[0])
		return;
	vtct_tree_addf(tree, "%s/driver -> bus/%s/drivers/%s\n", dir, bus, driver);
	vtct_tree_addf(tree, "bus/%s/drivers/%s/%s -> %s\n", bus, driver, address, dir);
}

static void add_pci_pf(struct vtct_tree *tree, const struct vtct_pf *pf)
{
	unsigned char config[4096] = { 0 };
	char path[VTCT_PATH_MAX];

	add_function(tree, pf->dir, pf->address, 0x10c9, pf->group);
	vtct_tree_addf(tree, "%s/sriov_totalvfs = %u\n%s/sriov_drivers_autoprobe = %d\n",
		       pf->dir, pf->total_vfs, pf->dir, pf->autoprobe);
	vtct_tree_addf(tree, "%s/sriov_offset = %u\n%s/sriov_stride = %u\n", pf->dir,
		       pf->offset, pf->dir, pf->stride);
	vtct_tree_addf(tree, "%s/sriov_vf_device = 10ca\n%s/sriov_vf_total_msix = 0\n",
		       pf->dir, pf->dir);
	vtct_tree_addf(tree, "%s/reset_method = flr pm bus\n", pf->dir);
	fill_config(config, 0x8086, 0x10c9, 10);
	fill_sriov(config, pf);
	snprintf(path, sizeof(path), "%s/config", pf->dir);
	vtct_tree_set(tree, path, config, sizeof(config));
}

void vtct_tree_add_vf(struct vtct_tree *tree, const struct vtct_pf *pf, uint32_t index)
{
	const char *dir = vtct_vf_dir(pf, index);
	unsigned char config[4096] = { 0 };
	char path[VTCT_PATH_MAX];

	if (!is_pci(pf))
		return;
	add_function(tree, dir, vtct_vf_address(pf, index), 0x10ca,
		     pf->group ? pf->group + 1 + index : 0);
	vtct_tree_addf(tree, "%s/reset_method = flr\n%s/sriov_vf_msix_count = 0\n", dir,
		       dir);
	vtct_tree_addf(tree, "%s/physfn -> %s\n%s/virtfn%u -> %s\n", dir, pf->dir,
		       pf->dir, index, dir);
	fill_config(config, 0xffff, 0xffff, 3);
	config[0x34] = 0x70; /* no PM, no MSI */
	snprintf(path, sizeof(path), "%s/config", dir);
	vtct_tree_set(tree, path, config, sizeof(config));
}

void vtct_tree_bind_vf(struct vtct_tree *tree, const struct vtct_pf *pf, uint32_t index,
		       const char *driver)
{
	if (is_pci(pf))
		bind_driver(tree, pf->bus, vtct_vf_dir(pf, index),
			    vtct_vf_address(pf, index), driver);
}

void vtct_tree_unbind_vf(struct vtct_tree *tree, const struct vtct_pf *pf, uint32_t index,
			 const char *driver)
{
	char path[VTCT_PATH_MAX];

	if (!driver[0] || !is_pci(pf))
		return;
	snprintf(path, sizeof(path), "%s/driver", vtct_vf_dir(pf, index));
	vtct_tree_remove(tree, path);
	snprintf(path, sizeof(path), "bus/%s/drivers/%s/%s", pf->bus, driver,
		 vtct_vf_address(pf, index));
	vtct_tree_remove(tree, path);
}

static void remove_function(struct vtct_tree *tree, const char *dir, const char *address,
			    uint32_t group)
{
	char path[VTCT_PATH_MAX];

	snprintf(path, sizeof(path), "bus/pci/devices/%s", address);
	vtct_tree_remove(tree, path);
	vtct_tree_remove(tree, dir);
	snprintf(path, sizeof(path), "kernel/iommu_groups/%u", group);
	if (group)
		vtct_tree_remove(tree, path);
}

void vtct_tree_remove_vf(struct vtct_tree *tree, const struct vtct_pf *pf, uint32_t index)
{
	char path[VTCT_PATH_MAX];

	if (!is_pci(pf))
		return;
	snprintf(path, sizeof(path), "%s/virtfn%u", pf->dir, index);
	vtct_tree_remove(tree, path);
	vtct_tree_unbind_vf(tree, pf, index, pf->vf_driver);
	vtct_tree_remove_netdev(tree, vtct_vf_dir(pf, index), vtct_vf_ifname(pf, index));
	remove_function(tree, vtct_vf_dir(pf, index), vtct_vf_address(pf, index),
			pf->group ? pf->group + 1 + index : 0);
}

void vtct_tree_remove_pf(struct vtct_tree *tree, const struct vtct_pf *pf)
{
	char path[VTCT_PATH_MAX];

	snprintf(path, sizeof(path), "bus/%s/drivers/%s/%s", pf->bus, pf->driver,
		 pf->address);
	if (pf->driver[0])
		vtct_tree_remove(tree, path);
	vtct_tree_remove_netdev(tree, pf->dir, pf->ifname);
	snprintf(path, sizeof(path), "bus/%s/devices/%s", pf->bus, pf->address);
	vtct_tree_remove(tree, path);
	remove_function(tree, pf->dir, pf->address, pf->group);
}

void vtct_tree_add_pf(struct vtct_tree *tree, const struct vtct_pf *pf)
{
	uint32_t i;

	if (is_pci(pf))
		add_pci_pf(tree, pf);
	else
		vtct_tree_addf(tree, "bus/%s/devices/%s -> %s\n%s/subsystem -> bus/%s\n",
			       pf->bus, pf->address, pf->dir, pf->dir, pf->bus);
	vtct_tree_addf(tree, "%s/sriov_numvfs = %u\n", pf->dir, pf->num_vfs);
	bind_driver(tree, pf->bus, pf->dir, pf->address, pf->driver);
	if (pf->ifname[0])
		vtct_tree_add_netdev(tree, pf->dir, pf->ifname, pf->ifindex, pf->mac,
				     pf->up);
	for (i = 0; i < pf->num_vfs; i++) {
		uint8_t mac[6] = { 0x02, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i };

		vtct_tree_add_vf(tree, pf, i);
		vtct_tree_bind_vf(tree, pf, i, pf->vf_driver);
		if (pf->vf_netdevs)
			vtct_tree_add_netdev(tree, vtct_vf_dir(pf, i),
					     vtct_vf_ifname(pf, i),
					     vtct_vf_ifindex(pf, i), mac, false);
	}
}

void vtct_tree_add_virtio(struct vtct_tree *tree)
{
	static const uint8_t mac[6] = { 0x52, 0x54, 0x00, 0x00, 0x00, 0x02 };
	const char *dir = "devices/pci0000:00/0000:00:02.0";
	const char *child = "devices/pci0000:00/0000:00:02.0/virtio0";

	add_function(tree, dir, "0000:00:02.0", 0x1041, 1);
	vtct_tree_addf(tree, "%s/vendor = 0x1af4\n%s/subsystem_vendor = 0x1af4\n", dir,
		       dir);
	vtct_tree_addf(tree, "%s/subsystem_device = 0x1100\n%s/reset_method = bus\n", dir,
		       dir);
	bind_driver(tree, "pci", dir, "0000:00:02.0", "virtio-pci");
	vtct_tree_addf(tree,
		       "bus/virtio/devices/virtio0 -> %s\n%s/subsystem -> bus/virtio\n",
		       child, child);
	bind_driver(tree, "virtio", child, "virtio0", "virtio_net");
	vtct_tree_add_netdev(tree, child, "enp0s2", 2, mac, true);
}
