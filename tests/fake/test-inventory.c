/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The inventory, over sysfs trees of real devices and of broken ones. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vtc/vtc.h>

#include "core/ctx.h"
#include "fakekernel.h"
#include "nic/nic.h"
#include "vtct.h"

#define PF_DIR	   "devices/pci0000:00/0000:00:01.0/0000:01:00.0"
#define VF_DIR	   "devices/pci0000:00/0000:00:01.0/0000:01:10.0"
#define VIRTIO_DIR "devices/pci0000:00/0000:00:02.0"

static struct vtct_tree *tree;
static struct vtct_kernel *k;
static struct vtct_pf *pf;
static struct vtc_ctx *ctx;
static struct vtc_inventory *inv;

static void set_up(void)
{
	tree = vtct_tree_new();
	k = vtct_kernel_new(tree);
	pf = vtct_kernel_igb(k, 0);
	vtct_create_vfs(k, pf, 7);
	vtct_kernel_virtio(k);
	vtct_kernel_netdevsim(k, 1);
	ctx = vtct_kernel_ctx(k);
	inv = NULL;
}

static void tear_down(void)
{
	vtc_inventory_free(inv);
	vtc_ctx_unref(ctx);
	vtct_kernel_free(k);
	vtct_tree_free(tree);
}

static void take(void)
{
	vtc_inventory_free(inv);
	inv = NULL;
	ck_assert_errno(vtc_inventory_new(ctx, NULL, &inv), 0);
}

static const struct vtc_nic *find(const char *name)
{
	const struct vtc_nic *nic = NULL;

	ck_assert_errno(vtc_inventory_find(inv, name, &nic), 0);
	return nic;
}

static bool is_there(const char *name)
{
	const struct vtc_nic *nic;

	return vtc_inventory_find(inv, name, &nic) == 0;
}

static enum vtc_nic_use use_of(const char *name)
{
	enum vtc_nic_use use = (enum vtc_nic_use)99;

	ck_assert_int_eq(vtc_nic_get_use(find(name), &use), 1);
	return use;
}

/* Addresses of all nics, separated by spaces. */
static const char *all(void)
{
	static char text[1024];
	const struct vtc_nic *nic = NULL;

	text[0] = '\0';
	while ((nic = vtc_nic_foreach_next(inv, nic))) {
		strcat(text, vtc_nic_get_address(nic));
		strcat(text, " ");
	}
	return text;
}

/* A second igb port has no VFs, and functions that are no network controllers. */
START_TEST(nics_come_in_order_of_bus_and_number)
{
	vtct_kernel_netdevsim(k, 10);
	vtct_kernel_igb(k, 1);
	vtct_tree_add(tree, "bus/pci/devices/10000:00:00.0/class = 0x020000\n"
			    "bus/pci/devices/0000:00:01.0/class = 0x060400\n"
			    "bus/pci/devices/junk/class = 0x020000\n"
			    "bus/pci/devices/0000:0A:00.0/class = 0x020000\n");
	take();
	ck_assert_str_eq(all(), "netdevsim1 netdevsim10 0000:00:02.0 0000:01:00.0 "
				"0000:01:00.1 0000:01:10.0 0000:01:10.2 0000:01:10.4 "
				"0000:01:10.6 0000:01:11.0 0000:01:11.2 0000:01:11.4 "
				"10000:00:00.0 ");
}
END_TEST

START_TEST(a_pf_tells_what_sysfs_says)
{
	const struct vtc_nic *nic;
	const char *text;
	uint16_t vendor, device;
	uint32_t a, b;
	int on;

	take();
	nic = find("0000:01:00.0");
	ck_assert_str_eq(vtc_nic_get_bus(nic), "pci");
	ck_assert_int_eq(vtc_nic_get_kind(nic), VTC_NIC_PF);
	ck_assert_int_eq(vtc_nic_get_driver(nic, &text), 1);
	ck_assert_str_eq(text, "igb");
	ck_assert_int_eq(vtc_nic_get_pci_id(nic, &vendor, &device), 1);
	ck_assert_uint_eq(vendor, 0x8086);
	ck_assert_uint_eq(device, 0x10c9);
	ck_assert_int_eq(vtc_nic_get_total_vfs(nic, &a), 1);
	ck_assert_uint_eq(a, 7);
	ck_assert_int_eq(vtc_nic_get_num_vfs(nic, &a), 1);
	ck_assert_uint_eq(a, 7);
	ck_assert_int_eq(vtc_nic_get_vf_layout(nic, &a, &b), 1);
	ck_assert_uint_eq(a, 128);
	ck_assert_uint_eq(b, 2);
	ck_assert_int_eq(vtc_nic_get_autoprobe(nic, &on), 1);
	ck_assert_int_eq(on, 1);
	ck_assert_int_eq(vtc_nic_get_iommu_group(nic, &a), 1);
	ck_assert_uint_eq(a, 10);
	ck_assert_int_eq(vtc_nic_get_iommu_peer(nic, 0, &text), 0);
	ck_assert_int_eq(vtc_nic_get_numa_node(nic, &a), -ENODATA);
	ck_assert_int_eq(vtc_nic_get_cpus(nic, &text), 1);
	ck_assert_str_eq(text, "0-1");
	ck_assert_int_eq(vtc_nic_get_reset_methods(nic, &text), 1);
	ck_assert_str_eq(text, "flr pm bus");
	ck_assert_int_eq(vtc_nic_get_msix_count(nic, &a), 1);
	ck_assert_uint_eq(a, 10);
	ck_assert_int_eq(vtc_nic_get_vf_total_msix(nic, &a), 0);
	ck_assert_int_eq(vtc_nic_get_pf(nic, &nic), 0);
	ck_assert_int_eq(vtc_nic_get_vf_index(nic, &a), 0);
}
END_TEST

START_TEST(a_vf_has_its_ids_from_sysfs)
{
	const struct vtc_nic *nic;
	const char *text;
	uint16_t vendor, device;
	uint32_t n, m;
	int on;

	take();
	nic = find("0000:01:11.4");
	ck_assert_int_eq(vtc_nic_get_kind(nic), VTC_NIC_VF);
	ck_assert_int_eq(vtc_nic_get_pci_id(nic, &vendor, &device), 1);
	ck_assert_uint_eq(vendor, 0x8086);
	ck_assert_uint_eq(device, 0x10ca);
	ck_assert_int_eq(vtc_nic_get_driver(nic, &text), 1);
	ck_assert_str_eq(text, "igbvf");
	ck_assert_int_eq(vtc_nic_get_msix_count(nic, &n), 1);
	ck_assert_uint_eq(n, 3);
	ck_assert_int_eq(vtc_nic_get_vf_index(nic, &n), 1);
	ck_assert_uint_eq(n, 6);
	ck_assert_int_eq(vtc_nic_get_reset_methods(nic, &text), 1);
	ck_assert_str_eq(text, "flr");
	ck_assert_int_eq(vtc_nic_get_total_vfs(nic, &n), 0);
	ck_assert_int_eq(vtc_nic_get_num_vfs(nic, &n), 0);
	ck_assert_int_eq(vtc_nic_get_vf_layout(nic, &n, &m), 0);
	ck_assert_int_eq(vtc_nic_get_autoprobe(nic, &on), 0);
	ck_assert_int_eq(vtc_nic_get_vf_total_msix(nic, &n), 0);
	ck_assert_int_eq(vtc_nic_get_vf(nic, 0, &nic), 0);
}
END_TEST

START_TEST(pf_and_vfs_find_each_other)
{
	const struct vtc_nic *nic, *vf, *back;
	uint32_t index;

	take();
	nic = find("enp1s0f0");
	for (uint32_t i = 0; i < 7; i++) {
		ck_assert_int_eq(vtc_nic_get_vf(nic, i, &vf), 1);
		ck_assert_str_eq(vtc_nic_get_address(vf), vtct_vf_address(pf, i));
		ck_assert_int_eq(vtc_nic_get_pf(vf, &back), 1);
		ck_assert_ptr_eq(back, nic);
		ck_assert_int_eq(vtc_nic_get_vf_index(vf, &index), 1);
		ck_assert_uint_eq(index, i);
	}
	ck_assert_int_eq(vtc_nic_get_vf(nic, 7, &vf), 0);
	ck_assert_int_eq(vtc_nic_get_vf(nic, UINT32_MAX, &vf), 0);
}
END_TEST

START_TEST(a_netdev_tells_what_sysfs_says)
{
	const struct vtc_netdev *netdev;
	struct vtc_mac mac;
	const char *text;
	uint32_t n;
	int on;

	take();
	netdev = vtc_netdev_foreach_next(find("0000:01:00.0"), NULL);
	ck_assert_str_eq(vtc_netdev_get_name(netdev), "enp1s0f0");
	ck_assert_uint_eq(vtc_netdev_get_ifindex(netdev), 3);
	ck_assert_int_eq(vtc_netdev_get_mac(netdev, &mac), 1);
	ck_assert_mem_eq(mac.addr, pf->mac, 6);
	ck_assert_int_eq(vtc_netdev_get_mtu(netdev, &n), 1);
	ck_assert_uint_eq(n, 1500);
	ck_assert_int_eq(vtc_netdev_get_up(netdev, &on), 1);
	ck_assert_int_eq(on, 1);
	ck_assert_int_eq(vtc_netdev_get_carrier(netdev, &on), 1);
	ck_assert_int_eq(on, 1);
	ck_assert_int_eq(vtc_netdev_get_speed_mbps(netdev, &n), 1);
	ck_assert_uint_eq(n, 1000);
	ck_assert_int_eq(vtc_netdev_get_switch_id(netdev, &text), 0);
	ck_assert_int_eq(vtc_netdev_get_port_name(netdev, &text), 0);
	ck_assert_ptr_null(vtc_netdev_foreach_next(find("0000:01:00.0"), netdev));

	netdev = vtc_netdev_foreach_next(find("0000:01:10.0"), NULL);
	ck_assert_int_eq(vtc_netdev_get_up(netdev, &on), 1);
	ck_assert_int_eq(on, 0);
	ck_assert_int_eq(vtc_netdev_get_carrier(netdev, &on), -ENODATA);
	ck_assert_int_eq(vtc_netdev_get_speed_mbps(netdev, &n), -ENODATA);
}
END_TEST

START_TEST(speed_is_unknown_in_all_ways_of_saying_so)
{
	static const char *const speeds[] = { "-1", "0", "4294967295", "", "fast" };
	uint32_t n;

	for (size_t i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++) {
		vtct_tree_addf(tree, PF_DIR "/net/enp1s0f0/speed = %s", speeds[i]);
		take();
		ck_assert_int_eq(
			vtc_netdev_get_speed_mbps(
				vtc_netdev_foreach_next(find("enp1s0f0"), NULL), &n),
			-ENODATA);
	}
}
END_TEST

START_TEST(an_infiniband_address_is_no_mac)
{
	struct vtc_mac mac;

	vtct_tree_add(tree,
		      PF_DIR "/net/enp1s0f0/address = 80:00:02:08:fe:80:00:00:00:00:00:"
			     "00:7c:fe:90:03:00:29:26:52");
	take();
	ck_assert_int_eq(
		vtc_netdev_get_mac(vtc_netdev_foreach_next(find("enp1s0f0"), NULL), &mac),
		-ENODATA);
}
END_TEST

START_TEST(virtio_netdev_belongs_to_the_pci_function)
{
	const struct vtc_nic *nic;

	take();
	nic = find("enp0s2");
	ck_assert_str_eq(vtc_nic_get_address(nic), "0000:00:02.0");
	ck_assert_int_eq(vtc_nic_get_kind(nic), VTC_NIC_PLAIN);
	ck_assert_int_eq(use_of("enp0s2"), VTC_NIC_USE_BUSY);
	ck_assert(!is_there("virtio0"));
}
END_TEST

START_TEST(virtio_netdev_in_another_namespace_is_hidden)
{
	vtct_tree_remove_netdev(tree, VIRTIO_DIR "/virtio0", "enp0s2");
	vtct_tree_add(tree, VIRTIO_DIR "/virtio0/net/");
	take();
	ck_assert_int_eq(use_of("0000:00:02.0"), VTC_NIC_USE_HIDDEN);
}
END_TEST

START_TEST(netdevsim_is_a_pf_on_its_own_bus)
{
	const struct vtc_nic *nic, *vf;
	uint16_t vendor, device;
	const char *text;
	uint32_t n;

	vtct_tree_add(tree, "devices/netdevsim1/sriov_numvfs = 2");
	take();
	nic = find("netdevsim1");
	ck_assert_ptr_eq(nic, find("eth1"));
	ck_assert_str_eq(vtc_nic_get_bus(nic), "netdevsim");
	ck_assert_int_eq(vtc_nic_get_kind(nic), VTC_NIC_PF);
	ck_assert_int_eq(vtc_nic_get_num_vfs(nic, &n), 1);
	ck_assert_uint_eq(n, 2);
	ck_assert_int_eq(vtc_nic_get_total_vfs(nic, &n), -ENODATA);
	ck_assert_int_eq(vtc_nic_get_vf_layout(nic, &n, &n), -ENODATA);
	ck_assert_int_eq(vtc_nic_get_vf(nic, 1, &vf), -ENODATA);
	ck_assert_int_eq(vtc_nic_get_vf(nic, 2, &vf), 0);
	ck_assert_int_eq(vtc_nic_get_pci_id(nic, &vendor, &device), 0);
	ck_assert_int_eq(vtc_nic_get_vendor_name(nic, &text), 0);
	ck_assert_int_eq(vtc_nic_get_msix_count(nic, &n), 0);
	ck_assert_int_eq(vtc_nic_get_iommu_group(nic, &n), 0);
	ck_assert_int_eq(vtc_nic_get_cpus(nic, &text), -ENODATA);
}
END_TEST

START_TEST(netdevs_without_device_are_no_nics)
{
	vtct_tree_add(tree, "devices/virtual/net/lo/ifindex = 1\n"
			    "class/net/lo -> devices/virtual/net/lo\n"
			    "class/net/bonding_masters = bond0");
	take();
	ck_assert(!is_there("lo"));
	ck_assert(!is_there("bonding_masters"));
	ck_assert(is_there("enp1s0f0"));
}
END_TEST

START_TEST(a_usb_nic_is_not_its_pci_host_controller)
{
	const char *usb = "devices/pci0000:00/0000:00:14.0/usb1/1-1/1-1:1.0";

	vtct_tree_add(tree,
		      "bus/pci/devices/0000:00:14.0 -> devices/pci0000:00/0000:00:14.0\n"
		      "devices/pci0000:00/0000:00:14.0/class = 0x0c0330");
	vtct_tree_addf(tree, "%s/subsystem -> bus/usb", usb);
	vtct_tree_add_netdev(tree, usb, "enx0", 77, pf->mac, false);
	take();
	ck_assert_str_eq(vtc_nic_get_bus(find("enx0")), "usb");
	ck_assert_str_eq(vtc_nic_get_address(find("enx0")), "1-1:1.0");
	ck_assert(!is_there("0000:00:14.0"));
}
END_TEST

START_TEST(all_netdevs_of_a_function_are_its_own)
{
	const char *sub = PF_DIR "/mlx5_core.sf.4";
	const struct vtc_netdev *netdev = NULL;
	const struct vtc_nic *nic;
	const char *text;
	static const uint32_t order[] = { 3, 101, 102 };

	vtct_tree_add_netdev(tree, PF_DIR, "rep1", 102, pf->mac, false);
	vtct_tree_add_netdev(tree, sub, "sf4", 101, pf->mac, false);
	vtct_tree_add(tree, PF_DIR "/net/rep1/phys_switch_id = 525400aabbcc\n" PF_DIR
				   "/net/rep1/phys_port_name = pf0vf3");
	take();
	nic = find("0000:01:00.0");
	for (size_t i = 0; i < 3; i++) {
		netdev = vtc_netdev_foreach_next(nic, netdev);
		ck_assert_uint_eq(vtc_netdev_get_ifindex(netdev), order[i]);
	}
	ck_assert_int_eq(vtc_netdev_get_switch_id(netdev, &text), 1);
	ck_assert_str_eq(text, "525400aabbcc");
	ck_assert_int_eq(vtc_netdev_get_port_name(netdev, &text), 1);
	ck_assert_str_eq(text, "pf0vf3");
	ck_assert_ptr_null(vtc_netdev_foreach_next(nic, netdev));
	ck_assert_ptr_null(vtc_netdev_foreach_next(find("enp0s2"), netdev));
}
END_TEST

START_TEST(use_of_a_vf)
{
	take();
	ck_assert_int_eq(use_of("0000:01:10.0"), VTC_NIC_USE_FREE);
	vtct_tree_set_up(tree, VF_DIR, "enp1s0f0v0", true);
	take();
	ck_assert_int_eq(use_of("0000:01:10.0"), VTC_NIC_USE_BUSY);
	vtct_tree_set_up(tree, VF_DIR, "enp1s0f0v0", false);
	vtct_tree_add(tree,
		      VF_DIR "/net/enp1s0f0v0/upper_br0 -> devices/virtual/net/br0");
	take();
	ck_assert_int_eq(use_of("0000:01:10.0"), VTC_NIC_USE_BUSY);

	vtct_tree_remove_netdev(tree, VF_DIR, "enp1s0f0v0");
	take();
	ck_assert_int_eq(use_of("0000:01:10.0"), VTC_NIC_USE_OTHER);
	vtct_tree_add(tree, VF_DIR "/net/");
	take();
	ck_assert_int_eq(use_of("0000:01:10.0"), VTC_NIC_USE_HIDDEN);
	vtct_tree_unbind_vf(tree, pf, 0, "igbvf");
	take();
	ck_assert_int_eq(use_of("0000:01:10.0"), VTC_NIC_USE_NO_DRIVER);
}
END_TEST

START_TEST(pass_through_drivers_own_their_device)
{
	static const char *const drivers[] = { "vfio-pci",	  "mlx5_vfio_pci",
					       "uio_pci_generic", "igb_uio",
					       "pci-stub",	  "xen-pciback" };

	vtct_tree_remove_netdev(tree, VF_DIR, "enp1s0f0v0");
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
		vtct_tree_remove(tree, VF_DIR "/driver");
		vtct_tree_bind_vf(tree, pf, 0, drivers[i]);
		take();
		ck_assert_int_eq(use_of("0000:01:10.0"), VTC_NIC_USE_PASSED);
	}
}
END_TEST

START_TEST(use_is_unknown_if_its_reasons_are)
{
	enum vtc_nic_use use;

	vtct_tree_add(tree, VF_DIR "/net/enp1s0f0v0/flags ! 5");
	take();
	ck_assert_int_eq(vtc_nic_get_use(find("0000:01:10.0"), &use), -ENODATA);
	vtct_tree_remove_netdev(tree, VF_DIR, "enp1s0f0v0");
	vtct_fail_path(k, VTCT_READLINK, "*0000:01:10.0/driver", -EIO);
	take();
	ck_assert_int_eq(vtc_nic_get_use(find("0000:01:10.0"), &use), -ENODATA);
}
END_TEST

START_TEST(nics_are_found_by_all_their_names)
{
	static const char *const names[] = { "0000:01:10.2", "01:10.2", "1:10.2",
					     "enp1s0f0v1" };
	char longest[200];
	const struct vtc_nic *nic = NULL;

	take();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_str_eq(vtc_nic_get_address(find(names[i])), "0000:01:10.2");
	ck_assert_errno(vtc_inventory_find(inv, "0000:01:10.1", &nic), -ENODEV);
	ck_assert_errno(vtc_inventory_find(inv, "0001:01:10.2", &nic), -ENODEV);
	ck_assert_errno(vtc_inventory_find(inv, "eth99", &nic), -ENODEV);
	ck_assert_errno(vtc_inventory_find(inv, "", &nic), -EINVAL);
	ck_assert_errno(vtc_inventory_find(inv, "..", &nic), -EINVAL);
	ck_assert_errno(vtc_inventory_find(inv, "net/eth0", &nic), -EINVAL);
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	ck_assert_errno(vtc_inventory_find(inv, longest, &nic), -EINVAL);
	ck_assert_errno(vtc_inventory_find(inv, NULL, &nic), -EINVAL);
	ck_assert_errno(vtc_inventory_find(NULL, "eth0", &nic), -EINVAL);
	ck_assert_errno(vtc_inventory_find(inv, "eth0", NULL), -EINVAL);
	ck_assert_ptr_null(nic);
}
END_TEST

START_TEST(members_of_a_group_are_each_others_peers)
{
	static const char *const group =
		"kernel/iommu_groups/10/devices/0000:01:10.0 -> " VF_DIR "\n"
		"kernel/iommu_groups/10/devices/0000:00:1f.3/\n" VF_DIR
		"/iommu_group -> kernel/iommu_groups/10";
	const char *peer;

	vtct_tree_remove(tree, VF_DIR "/iommu_group");
	vtct_tree_add(tree, group);
	take();
	ck_assert_int_eq(vtc_nic_get_iommu_peer(find("01:10.0"), 0, &peer), 1);
	ck_assert_str_eq(peer, "0000:00:1f.3");
	ck_assert_int_eq(vtc_nic_get_iommu_peer(find("01:10.0"), 1, &peer), 1);
	ck_assert_str_eq(peer, "0000:01:00.0");
	ck_assert_int_eq(vtc_nic_get_iommu_peer(find("01:10.0"), 2, &peer), 0);
	ck_assert_int_eq(vtc_nic_get_iommu_peer(find("01:00.0"), 1, &peer), 1);
	ck_assert_str_eq(peer, "0000:01:10.0");
	ck_assert_int_eq(vtc_nic_get_iommu_peer(find("01:00.0"), UINT32_MAX, &peer), 0);

	vtct_tree_remove(tree, "kernel/iommu_groups/10");
	vtct_tree_remove(tree, VF_DIR "/iommu_group");
	vtct_tree_add(tree, PF_DIR "/iommu_group -> kernel/iommu_groups/10");
	take();
	ck_assert_int_eq(vtc_nic_get_iommu_peer(find("01:00.0"), 0, &peer), -ENODATA);
	ck_assert_int_eq(vtc_nic_get_iommu_peer(find("01:10.0"), 0, &peer), 0);
}
END_TEST

START_TEST(reset_is_none_only_if_no_file_says_otherwise)
{
	const char *text;

	vtct_tree_remove(tree, VF_DIR "/reset_method");
	take();
	ck_assert_int_eq(vtc_nic_get_reset_methods(find("01:10.0"), &text), 0);
	vtct_tree_add(tree, VF_DIR "/reset = ");
	take();
	ck_assert_int_eq(vtc_nic_get_reset_methods(find("01:10.0"), &text), -ENODATA);
	vtct_tree_add(tree, VF_DIR "/reset_method = ");
	take();
	ck_assert_int_eq(vtc_nic_get_reset_methods(find("01:10.0"), &text), 0);
}
END_TEST

START_TEST(a_lost_virtfn_leaves_the_index_unknown)
{
	const struct vtc_nic *vf;
	uint32_t index;

	vtct_tree_remove(tree, PF_DIR "/virtfn3");
	take();
	ck_assert_int_eq(vtc_nic_get_vf(find("enp1s0f0"), 3, &vf), -ENODATA);
	ck_assert_int_eq(vtc_nic_get_vf_index(find("01:10.6"), &index), -ENODATA);
	ck_assert_int_eq(vtc_nic_get_pf(find("01:10.6"), &vf), 1);
	ck_assert_int_eq(vtc_nic_get_vf(find("enp1s0f0"), 4, &vf), 1);
}
END_TEST

START_TEST(links_that_disagree_are_not_believed)
{
	const struct vtc_nic *vf;
	uint32_t index;

	vtct_kernel_igb(k, 1);
	vtct_tree_remove(tree, PF_DIR "/virtfn0");
	vtct_tree_remove(tree, PF_DIR "/virtfn1");
	vtct_tree_remove(tree, PF_DIR "/virtfn2");
	vtct_tree_remove(tree, VF_DIR "/physfn");
	vtct_tree_add(tree,
		      PF_DIR "/virtfn0 -> " VF_DIR "\n" /* VF of another PF */
		      PF_DIR "/virtfn1 -> " PF_DIR "\n" /* itself */
		      PF_DIR "/virtfn2 -> devices/platform/junk\n" PF_DIR
			     "/virtfn99999999999 -> " VF_DIR "\n" PF_DIR
			     "/virtfnx -> " VF_DIR "\n" VF_DIR
			     "/physfn -> devices/pci0000:00/0000:00:01.0/0000:01:00.1");
	take();
	for (uint32_t i = 0; i < 3; i++)
		ck_assert_int_eq(vtc_nic_get_vf(find("01:00.0"), i, &vf), -ENODATA);
	ck_assert_int_eq(vtc_nic_get_vf_index(find("01:10.0"), &index), -ENODATA);
	ck_assert_int_eq(vtc_nic_get_pf(find("01:10.0"), &vf), 1);
	ck_assert_str_eq(vtc_nic_get_address(vf), "0000:01:00.1");
}
END_TEST

START_TEST(a_pf_that_cannot_be_seen_is_unknown)
{
	const struct vtc_nic *nic;

	vtct_tree_add(tree, PF_DIR "/class = 0x120000");
	take();
	ck_assert_int_eq(vtc_nic_get_pf(find("01:10.0"), &nic), 1); /* its netdev tells */
	vtct_tree_remove_netdev(tree, PF_DIR, "enp1s0f0");
	take();
	ck_assert_int_eq(vtc_nic_get_kind(find("01:10.0")), VTC_NIC_VF);
	ck_assert_int_eq(vtc_nic_get_pf(find("01:10.0"), &nic), -ENODATA);
}
END_TEST

START_TEST(a_vanished_device_is_left_out)
{
	vtct_fail_path(k, VTCT_REALPATH, "bus/pci/devices/0000:01:10.0", -ENOENT);
	vtct_fail_path(k, VTCT_READ, "class/net/enp1s0f0v1/ifindex", -ENODEV);
	take();
	ck_assert(!is_there("0000:01:10.0"));
	ck_assert(!is_there("enp1s0f0v0"));
	ck_assert(is_there("0000:01:10.2"));
	ck_assert(!is_there("enp1s0f0v1"));
	ck_assert(is_there("enp1s0f0v2"));
}
END_TEST

/* A nic that never answers wrongly: each getter is one of its documented results. */
static void ask_everything(const struct vtc_nic *nic)
{
	const struct vtc_netdev *netdev = NULL;
	const struct vtc_nic *other;
	struct vtc_channels channels;
	enum vtc_nic_use use;
	uint16_t vendor, device;
	const char *text;
	uint32_t a, b;
	int on;
	const int results[] = {
		vtc_nic_get_use(nic, &use),
		vtc_nic_get_driver(nic, &text),
		vtc_nic_get_pci_id(nic, &vendor, &device),
		vtc_nic_get_vendor_name(nic, &text),
		vtc_nic_get_device_name(nic, &text),
		vtc_nic_get_total_vfs(nic, &a),
		vtc_nic_get_num_vfs(nic, &a),
		vtc_nic_get_vf_layout(nic, &a, &b),
		vtc_nic_get_autoprobe(nic, &on),
		vtc_nic_get_vf(nic, 0, &other),
		vtc_nic_get_pf(nic, &other),
		vtc_nic_get_vf_index(nic, &a),
		vtc_nic_get_iommu_group(nic, &a),
		vtc_nic_get_iommu_peer(nic, 0, &text),
		vtc_nic_get_numa_node(nic, &a),
		vtc_nic_get_cpus(nic, &text),
		vtc_nic_get_reset_methods(nic, &text),
		vtc_nic_get_msix_count(nic, &a),
		vtc_nic_get_vf_total_msix(nic, &a),
		vtc_nic_get_channels(nic, &channels),
	};

	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++)
		ck_assert_msg(results[i] == 1 || results[i] == 0 ||
				      results[i] == -ENODATA,
			      "getter %zu says %d", i, results[i]);
	while ((netdev = vtc_netdev_foreach_next(nic, netdev)))
		ck_assert_uint_ne(vtc_netdev_get_ifindex(netdev), 0);
}

/* Whichever step fails, the rest is told; only the lists of devices must be read. */
START_TEST(any_step_may_fail)
{
	static const int errors[] = { -ENOENT, -ENODEV, -EIO, -EACCES };
	unsigned int steps = vtct_calls(k, VTCT_ANY);

	take();
	steps = vtct_calls(k, VTCT_ANY) - steps;
	ck_assert_uint_gt(steps, 100);
	for (unsigned int n = 1; n <= steps; n++) {
		const struct vtc_nic *nic = NULL;
		int error = errors[n % 4], err;

		vtc_inventory_free(inv);
		inv = NULL;
		vtct_fail_nth(k, VTCT_ANY, n, error);
		err = vtc_inventory_new(ctx, NULL, &inv);
		vtct_fail_clear(k);
		if (err) {
			ck_assert_int_eq(err, error);
			ck_assert_int_eq(vtc_error_get_code(vtc_ctx_last_error(ctx)),
					 err);
			ck_assert_ptr_null(inv);
			continue;
		}
		while ((nic = vtc_nic_foreach_next(inv, nic)))
			ask_everything(nic);
	}
}
END_TEST

START_TEST(junk_in_any_file_is_unknown)
{
	static const char *const files[] = {
		"vendor",	"device",	 "sriov_totalvfs",
		"sriov_numvfs", "sriov_offset",	 "sriov_stride",
		"numa_node",	"local_cpulist", "sriov_drivers_autoprobe",
		"reset_method", "config",	 "sriov_vf_total_msix",
	};
	static const char *const netdev_files[] = { "address",	     "mtu",
						    "flags",	     "carrier",
						    "speed",	     "phys_switch_id",
						    "phys_port_name" };
	static char huge[6000];
	const struct {
		const char *data;
		size_t len;
	} junks[] = { { "", 0 },
		      { "\n", 1 },
		      { "xyzzy\n", 6 },
		      { "-7\n", 3 },
		      { "0x\n", 3 },
		      { "12 13\n", 6 },
		      { "1\0002\n", 4 },
		      { "\377\376\n", 3 },
		      { "\033[2J\n", 5 },
		      { "99999999999999999999999\n", 24 },
		      { huge, sizeof(huge) } };
	char path[VTCT_PATH_MAX];

	memset(huge, '1', sizeof(huge));
	for (size_t j = 0; j < sizeof(junks) / sizeof(junks[0]); j++) {
		uint16_t vendor, device;
		uint32_t n;

		for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
			snprintf(path, sizeof(path), PF_DIR "/%s", files[i]);
			vtct_tree_set(tree, path, junks[j].data, junks[j].len);
		}
		for (size_t i = 0; i < sizeof(netdev_files) / sizeof(netdev_files[0]);
		     i++) {
			snprintf(path, sizeof(path), PF_DIR "/net/enp1s0f0/%s",
				 netdev_files[i]);
			vtct_tree_set(tree, path, junks[j].data, junks[j].len);
		}
		take();
		ask_everything(find("0000:01:00.0"));
		ck_assert_int_eq(vtc_nic_get_pci_id(find("enp1s0f0"), &vendor, &device),
				 -ENODATA);
		ck_assert_int_eq(vtc_nic_get_total_vfs(find("enp1s0f0"), &n), -ENODATA);
		ck_assert_int_eq(vtc_nic_get_numa_node(find("enp1s0f0"), &n), -ENODATA);
	}
}
END_TEST

START_TEST(junk_class_or_ifindex_hides_the_device)
{
	vtct_tree_set(tree, PF_DIR "/class", "class\n", 6);
	vtct_tree_set(tree, VIRTIO_DIR "/virtio0/net/enp0s2/ifindex", "0\n", 2);
	take();
	ck_assert(!is_there("enp0s2"));
	ck_assert(is_there("0000:00:02.0"));
}
END_TEST

static int msix(const uint8_t *config, size_t len, uint32_t *ret)
{
	struct vtc__num num = { .state = 7 };

	vtc__function_msix(config, len, &num);
	return vtc__num_get(&num, ret);
}

START_TEST(capability_chains_end)
{
	uint8_t config[256] = { [6] = 0x10, [0x34] = 0x40, [0x40] = 0x01 };
	uint32_t n = 0;

	ck_assert_int_eq(msix(config, 256, &n), 0); /* no MSI-X in it */
	config[0x41] = 0x40;			    /* to itself */
	ck_assert_int_eq(msix(config, 256, &n), -ENODATA);
	config[0x41] = 0x80;
	config[0x80] = 0x05;
	config[0x81] = 0x40; /* back again */
	ck_assert_int_eq(msix(config, 256, &n), -ENODATA);
	config[0x81] = 0x3c; /* into the header */
	ck_assert_int_eq(msix(config, 256, &n), -ENODATA);
	config[0x81] = 0xf3; /* the two low bits do not count */
	config[0xf0] = 0x11;
	config[0xf2] = 0xff;
	config[0xf3] = 0xff;
	ck_assert_int_eq(msix(config, 256, &n), 1);
	ck_assert_uint_eq(n, 2048);
	ck_assert_int_eq(msix(config, 0xf3, &n), -ENODATA); /* cut within it */
	ck_assert_int_eq(msix(config, 64, &n), -ENODATA);   /* what users may read */
	ck_assert_int_eq(msix(config, 0, &n), -ENODATA);
	config[0x80] = 0xff; /* the device is gone */
	ck_assert_int_eq(msix(config, 256, &n), -ENODATA);
	config[6] = 0;
	ck_assert_int_eq(msix(config, 256, &n), 0);
	memset(config, 0xff, sizeof(config));
	ck_assert_int_eq(msix(config, 256, &n), -ENODATA);
}
END_TEST

START_TEST(without_rights_config_space_is_unknown)
{
	uint32_t n;

	vtct_fail_path(k, VTCT_READ, "*/config", 64);
	take();
	ck_assert_int_eq(vtc_nic_get_msix_count(find("enp1s0f0"), &n), -ENODATA);
}
END_TEST

START_TEST(no_sysfs_is_an_error)
{
	struct vtct_tree *none = vtct_tree_new();
	struct vtct_kernel *other = vtct_kernel_new(none);
	struct vtc_ctx *c = vtct_kernel_ctx(other);
	struct vtc_inventory *i = NULL;
	const struct vtc_error *error = vtc_ctx_last_error(c);

	vtct_tree_remove(none, "bus");
	vtct_tree_remove(none, "class");
	ck_assert_errno(vtc_inventory_new(c, NULL, &i), -ENOENT);
	ck_assert_ptr_null(i);
	ck_assert_int_eq(vtc_error_get_origin(error), VTC_ERROR_ORIGIN_SYSFS);
	ck_assert_str_eq(vtc_error_get_operation(error), "take inventory");

	vtct_tree_add(none, "bus/");
	ck_assert_errno(vtc_inventory_new(c, NULL, &i), 0);
	ck_assert_ptr_null(vtc_nic_foreach_next(i, NULL));
	vtc_inventory_free(i);
	vtc_ctx_unref(c);
	vtct_kernel_free(other);
	vtct_tree_free(none);
}
END_TEST

START_TEST(options_are_checked)
{
	struct {
		struct vtc_inventory_opts opts;
		uint32_t future;
	} newer = { { sizeof(newer), 0 }, 0 };
	struct vtc_inventory_opts opts = VTC_INVENTORY_OPTS_INIT;

	ck_assert_errno(vtc_inventory_new(NULL, NULL, &inv), -EINVAL);
	ck_assert_errno(vtc_inventory_new(ctx, NULL, NULL), -EINVAL);
	ck_assert_str_eq(vtc_error_get_subject(vtc_ctx_last_error(ctx)), "ret_inventory");
	opts.flags = 1u << 31;
	ck_assert_errno(vtc_inventory_new(ctx, &opts, &inv), -EINVAL);
	opts = (struct vtc_inventory_opts){ 4, 0 };
	ck_assert_errno(vtc_inventory_new(ctx, &opts, &inv), -EINVAL);
	newer.future = 1;
	ck_assert_errno(vtc_inventory_new(ctx, &newer.opts, &inv), -E2BIG);
	ck_assert_ptr_null(inv);
	newer.future = 0;
	ck_assert_errno(vtc_inventory_new(ctx, &newer.opts, &inv), 0);
}
END_TEST

START_TEST(null_is_an_error_everywhere)
{
	const struct vtc_nic *nic;
	const struct vtc_netdev *netdev;
	struct vtc_channels channels;
	enum vtc_nic_use use;
	struct vtc_mac mac;
	const char *text;
	uint16_t id;
	uint32_t n;
	int on;

	take();
	nic = find("enp1s0f0");
	netdev = vtc_netdev_foreach_next(nic, NULL);
	vtc_inventory_free(NULL);
	ck_assert_ptr_null(vtc_nic_foreach_next(NULL, NULL));
	ck_assert_ptr_null(vtc_netdev_foreach_next(NULL, NULL));
	ck_assert_ptr_null(vtc_nic_get_bus(NULL));
	ck_assert_ptr_null(vtc_nic_get_address(NULL));
	ck_assert_int_eq(vtc_nic_get_kind(NULL), VTC_NIC_PLAIN);
	ck_assert_ptr_null(vtc_netdev_get_name(NULL));
	ck_assert_uint_eq(vtc_netdev_get_ifindex(NULL), 0);

#define BOTH(call_without_object, call_without_place)  \
	ck_assert_errno(call_without_object, -EINVAL); \
	ck_assert_errno(call_without_place, -EINVAL)
	BOTH(vtc_nic_get_use(NULL, &use), vtc_nic_get_use(nic, NULL));
	BOTH(vtc_nic_get_driver(NULL, &text), vtc_nic_get_driver(nic, NULL));
	BOTH(vtc_nic_get_pci_id(NULL, &id, &id), vtc_nic_get_pci_id(nic, &id, NULL));
	ck_assert_errno(vtc_nic_get_pci_id(nic, NULL, &id), -EINVAL);
	BOTH(vtc_nic_get_vendor_name(NULL, &text), vtc_nic_get_vendor_name(nic, NULL));
	BOTH(vtc_nic_get_device_name(NULL, &text), vtc_nic_get_device_name(nic, NULL));
	BOTH(vtc_nic_get_total_vfs(NULL, &n), vtc_nic_get_total_vfs(nic, NULL));
	BOTH(vtc_nic_get_num_vfs(NULL, &n), vtc_nic_get_num_vfs(nic, NULL));
	BOTH(vtc_nic_get_vf_layout(NULL, &n, &n), vtc_nic_get_vf_layout(nic, &n, NULL));
	ck_assert_errno(vtc_nic_get_vf_layout(nic, NULL, &n), -EINVAL);
	BOTH(vtc_nic_get_autoprobe(NULL, &on), vtc_nic_get_autoprobe(nic, NULL));
	BOTH(vtc_nic_get_vf(NULL, 0, &nic), vtc_nic_get_vf(nic, 0, NULL));
	BOTH(vtc_nic_get_pf(NULL, &nic), vtc_nic_get_pf(nic, NULL));
	BOTH(vtc_nic_get_vf_index(NULL, &n), vtc_nic_get_vf_index(nic, NULL));
	BOTH(vtc_nic_get_iommu_group(NULL, &n), vtc_nic_get_iommu_group(nic, NULL));
	BOTH(vtc_nic_get_iommu_peer(NULL, 0, &text),
	     vtc_nic_get_iommu_peer(nic, 0, NULL));
	BOTH(vtc_nic_get_numa_node(NULL, &n), vtc_nic_get_numa_node(nic, NULL));
	BOTH(vtc_nic_get_cpus(NULL, &text), vtc_nic_get_cpus(nic, NULL));
	BOTH(vtc_nic_get_reset_methods(NULL, &text),
	     vtc_nic_get_reset_methods(nic, NULL));
	BOTH(vtc_nic_get_msix_count(NULL, &n), vtc_nic_get_msix_count(nic, NULL));
	BOTH(vtc_nic_get_vf_total_msix(NULL, &n), vtc_nic_get_vf_total_msix(nic, NULL));
	BOTH(vtc_nic_get_channels(NULL, &channels), vtc_nic_get_channels(nic, NULL));
	BOTH(vtc_netdev_get_mac(NULL, &mac), vtc_netdev_get_mac(netdev, NULL));
	BOTH(vtc_netdev_get_mtu(NULL, &n), vtc_netdev_get_mtu(netdev, NULL));
	BOTH(vtc_netdev_get_up(NULL, &on), vtc_netdev_get_up(netdev, NULL));
	BOTH(vtc_netdev_get_carrier(NULL, &on), vtc_netdev_get_carrier(netdev, NULL));
	BOTH(vtc_netdev_get_speed_mbps(NULL, &n),
	     vtc_netdev_get_speed_mbps(netdev, NULL));
	BOTH(vtc_netdev_get_switch_id(NULL, &text),
	     vtc_netdev_get_switch_id(netdev, NULL));
	BOTH(vtc_netdev_get_port_name(NULL, &text),
	     vtc_netdev_get_port_name(netdev, NULL));
#undef BOTH
}
END_TEST

START_TEST(the_inventory_asks_no_netlink)
{
	take();
	ck_assert_uint_eq(vtct_requests(k, 0), 0);
	ck_assert_uint_eq(vtct_calls(k, VTCT_WRITE), 0);
}
END_TEST

/* How many steps an inventory of so many VFs takes. */
static unsigned int steps_for(uint32_t vfs)
{
	struct vtct_tree *t = vtct_tree_new();
	struct vtct_kernel *big = vtct_kernel_new(t);
	struct vtct_pf *shape = vtct_alloc(sizeof(*shape));
	struct vtc_ctx *c = vtct_kernel_ctx(big);
	const struct vtc_nic *vf;
	struct vtc_inventory *i;
	unsigned int steps;

	vtct_pf_igb(shape, 0);
	shape->total_vfs = 256;
	shape->stride = 1;
	vtct_create_vfs(big, vtct_kernel_add_pf(big, shape), vfs);
	steps = vtct_calls(big, VTCT_ANY);
	ck_assert_errno(vtc_inventory_new(c, NULL, &i), 0);
	steps = vtct_calls(big, VTCT_ANY) - steps;
	ck_assert_errno(vtc_inventory_find(i, "enp1s0f0", &vf), 0);
	ck_assert_int_eq(vtc_nic_get_vf(vf, vfs - 1, &vf), 1);
	vtc_inventory_free(i);
	vtc_ctx_unref(c);
	vtct_kernel_free(big);
	vtct_tree_free(t);
	free(shape);
	return steps;
}

START_TEST(steps_grow_with_the_number_of_vfs)
{
	unsigned int few = steps_for(64), more = steps_for(128), many = steps_for(256);

	ck_assert_uint_eq(many - more, 2 * (more - few));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("inventory");
	TCase *tcase = tcase_create("inventory");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, nics_come_in_order_of_bus_and_number);
	tcase_add_test(tcase, a_pf_tells_what_sysfs_says);
	tcase_add_test(tcase, a_vf_has_its_ids_from_sysfs);
	tcase_add_test(tcase, pf_and_vfs_find_each_other);
	tcase_add_test(tcase, a_netdev_tells_what_sysfs_says);
	tcase_add_test(tcase, speed_is_unknown_in_all_ways_of_saying_so);
	tcase_add_test(tcase, an_infiniband_address_is_no_mac);
	tcase_add_test(tcase, virtio_netdev_belongs_to_the_pci_function);
	tcase_add_test(tcase, virtio_netdev_in_another_namespace_is_hidden);
	tcase_add_test(tcase, netdevsim_is_a_pf_on_its_own_bus);
	tcase_add_test(tcase, netdevs_without_device_are_no_nics);
	tcase_add_test(tcase, a_usb_nic_is_not_its_pci_host_controller);
	tcase_add_test(tcase, all_netdevs_of_a_function_are_its_own);
	tcase_add_test(tcase, use_of_a_vf);
	tcase_add_test(tcase, pass_through_drivers_own_their_device);
	tcase_add_test(tcase, use_is_unknown_if_its_reasons_are);
	tcase_add_test(tcase, nics_are_found_by_all_their_names);
	tcase_add_test(tcase, members_of_a_group_are_each_others_peers);
	tcase_add_test(tcase, reset_is_none_only_if_no_file_says_otherwise);
	tcase_add_test(tcase, a_lost_virtfn_leaves_the_index_unknown);
	tcase_add_test(tcase, links_that_disagree_are_not_believed);
	tcase_add_test(tcase, a_pf_that_cannot_be_seen_is_unknown);
	tcase_add_test(tcase, a_vanished_device_is_left_out);
	tcase_add_test(tcase, any_step_may_fail);
	tcase_add_test(tcase, junk_in_any_file_is_unknown);
	tcase_add_test(tcase, junk_class_or_ifindex_hides_the_device);
	tcase_add_test(tcase, capability_chains_end);
	tcase_add_test(tcase, without_rights_config_space_is_unknown);
	tcase_add_test(tcase, no_sysfs_is_an_error);
	tcase_add_test(tcase, options_are_checked);
	tcase_add_test(tcase, null_is_an_error_everywhere);
	tcase_add_test(tcase, the_inventory_asks_no_netlink);
	tcase_add_test(tcase, steps_grow_with_the_number_of_vfs);
	suite_add_tcase(suite, tcase);
	return vtct_main(suite, NULL);
}
