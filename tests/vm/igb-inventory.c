/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The inventory on real drivers: two 82576 (igb), seven VFs on the first (igbvf, vfio-
 * pci), and a virtio card. Each value is compared with sysfs, lspci, ip or ethtool,
 * never with a constant that only this emulation has, except where the absence of a
 * value is the point.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab.h"

#define PCI "bus/pci/devices/"

static struct vtc_ctx *ctx;
static struct vtc_inventory *inventory;

static void open_inventory(uint32_t flags)
{
	struct vtc_inventory_opts opts = VTC_INVENTORY_OPTS_INIT;

	opts.flags = flags;
	if (!ctx)
		ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	ck_assert_msg(vtc_inventory_new(ctx, &opts, &inventory) == 0, "%s",
		      lab_error(ctx));
}

static void close_inventory(void)
{
	vtc_inventory_free(inventory);
	inventory = NULL;
	ctx = vtc_ctx_unref(ctx);
}

static const struct vtc_nic *find(const char *name)
{
	const struct vtc_nic *nic;

	ck_assert_msg(vtc_inventory_find(inventory, name, &nic) == 0, "%s is not found",
		      name);
	return nic;
}

/* By pointer: the getter that is the argument before writes the value. */
static void check_number(const char *what, int known, const uint32_t *value, long want)
{
	ck_assert_msg(known == 1 && *value == (uint32_t)want, "%s: %d, %u; not %ld", what,
		      known, *value, want);
}

static void check_text(const char *what, int known, const char *const *value,
		       const char *want)
{
	ck_assert_msg(known == 1 && strcmp(*value, want) == 0, "%s: %d, '%s'; not '%s'",
		      what, known, known == 1 ? *value : "", want);
}

/* ---- what every PCI function has ---- */

static void check_ids(const struct vtc_nic *nic, const char *bdf)
{
	const char *lspci = lab_do("lspci -D -vmm -s %s", bdf);
	uint16_t vendor = 0, device = 0;
	const char *name = NULL;

	ck_assert_int_eq(vtc_nic_get_pci_id(nic, &vendor, &device), 1);
	ck_assert_int_eq(vendor, lab_read_number(PCI "%s/vendor", bdf));
	ck_assert_int_eq(device, lab_read_number(PCI "%s/device", bdf));
#ifdef HAVE_LIBPCI
	check_text("vendor", vtc_nic_get_vendor_name(nic, &name), &name,
		   lab_field(lspci, "Vendor:"));
	check_text("device", vtc_nic_get_device_name(nic, &name), &name,
		   lab_field(lspci, "Device:"));
#else
	(void)lspci;
	ck_assert_errno(vtc_nic_get_vendor_name(nic, &name), -ENODATA);
	ck_assert_errno(vtc_nic_get_device_name(nic, &name), -ENODATA);
#endif
}

static void check_place(const struct vtc_nic *nic, const char *bdf)
{
	const char *text = NULL;
	uint32_t number = 0;

	ck_assert_str_eq(vtc_nic_get_bus(nic), "pci");
	ck_assert_str_eq(vtc_nic_get_address(nic), bdf);
	check_number("IOMMU group", vtc_nic_get_iommu_group(nic, &number), &number,
		     atol(lab_link(PCI "%s/iommu_group", bdf)));
	ck_assert_int_eq(vtc_nic_get_iommu_peer(nic, 0, &text), 0);
	ck_assert_int_eq(lab_read_number(PCI "%s/numa_node", bdf), -1);
	ck_assert_errno(vtc_nic_get_numa_node(nic, &number), -ENODATA);
	check_text("CPUs", vtc_nic_get_cpus(nic, &text), &text,
		   lab_read(PCI "%s/local_cpulist", bdf));
}

static void check_reset_methods(const struct vtc_nic *nic, const char *bdf)
{
	const char *text = NULL;
	int known = vtc_nic_get_reset_methods(nic, &text);

	if (lab_exists(PCI "%s/reset_method", bdf))
		check_text("reset methods", known, &text,
			   lab_read(PCI "%s/reset_method", bdf));
	else
		ck_assert_int_eq(known, 0);
}

static void check_msix(const struct vtc_nic *nic, const char *bdf)
{
	const char *count = strstr(lab_do("lspci -vv -s %s", bdf), "MSI-X: ");
	uint32_t number = 0;
	int known = vtc_nic_get_msix_count(nic, &number);

	count = count ? strstr(count, "Count=") : NULL;
	ck_assert_msg(count, "lspci shows no MSI-X of %s", bdf);
	check_number("MSI-X", known, &number, atol(count + strlen("Count=")));
}

static void check_driver(const struct vtc_nic *nic, const char *bdf)
{
	const char *want = lab_link(PCI "%s/driver", bdf);
	const char *driver = NULL;
	int known = vtc_nic_get_driver(nic, &driver);

	if (want[0])
		check_text("driver", known, &driver, want);
	else
		ck_assert_int_eq(known, 0);
}

static void check_function(const char *bdf)
{
	const struct vtc_nic *nic = find(bdf);

	check_ids(nic, bdf);
	check_place(nic, bdf);
	check_driver(nic, bdf);
	check_reset_methods(nic, bdf);
	check_msix(nic, bdf);
}

/* ---- network interfaces ---- */

static void check_link(const struct vtc_netdev *netdev, const char *name)
{
	bool up = lab_read_number("class/net/%s/flags", name) & 1;
	uint32_t speed = 0;
	int on = -1;

	ck_assert_int_eq(vtc_netdev_get_up(netdev, &on), 1);
	ck_assert_int_eq(on, up);
	on = -1;
	if (!up) {
		ck_assert_errno(vtc_netdev_get_carrier(netdev, &on), -ENODATA);
		ck_assert_errno(vtc_netdev_get_speed_mbps(netdev, &speed), -ENODATA);
		return;
	}
	ck_assert_int_eq(vtc_netdev_get_carrier(netdev, &on), 1);
	ck_assert_int_eq(on, lab_read_number("class/net/%s/carrier", name));
	/* a virtio card has a link, but no speed */
	if (!on || lab_read_number("class/net/%s/speed", name) < 0)
		ck_assert_errno(vtc_netdev_get_speed_mbps(netdev, &speed), -ENODATA);
	else
		check_number("speed", vtc_netdev_get_speed_mbps(netdev, &speed), &speed,
			     lab_read_number("class/net/%s/speed", name));
}

static void check_netdev(const char *bdf)
{
	const char *name = lab_netdev(bdf);
	const struct vtc_netdev *netdev = vtc_netdev_foreach_next(find(bdf), NULL);
	char mac_text[VTC_MAC_TEXT_LEN];
	const char *text = NULL;
	struct vtc_mac mac;
	uint32_t number = 0;

	ck_assert_msg(netdev, "%s has no netdev, not %s", bdf, name);
	ck_assert_str_eq(vtc_netdev_get_name(netdev), name);
	ck_assert_ptr_null(vtc_netdev_foreach_next(find(bdf), netdev));
	ck_assert_ptr_eq(find(name), find(bdf));
	ck_assert_int_eq(vtc_netdev_get_ifindex(netdev),
			 lab_read_number("class/net/%s/ifindex", name));
	ck_assert_int_eq(vtc_netdev_get_mac(netdev, &mac), 1);
	ck_assert_int_eq(vtc_mac_format(&mac, mac_text, sizeof(mac_text)), 0);
	ck_assert_str_eq(mac_text, lab_read("class/net/%s/address", name));
	check_number("MTU", vtc_netdev_get_mtu(netdev, &number), &number,
		     lab_read_number("class/net/%s/mtu", name));
	ck_assert_int_eq(vtc_netdev_get_switch_id(netdev, &text), 0);
	ck_assert_int_eq(vtc_netdev_get_port_name(netdev, &text), 0);
	check_link(netdev, name);
}

/* ---- PFs and VFs ---- */

static void check_pf(const char *bdf)
{
	const struct vtc_nic *nic = find(bdf), *other;
	uint32_t number = 0, stride = 0;
	int on = -1;

	ck_assert_int_eq(vtc_nic_get_kind(nic), VTC_NIC_PF);
	check_number("total VFs", vtc_nic_get_total_vfs(nic, &number), &number,
		     lab_read_number(PCI "%s/sriov_totalvfs", bdf));
	check_number("VFs", vtc_nic_get_num_vfs(nic, &number), &number,
		     lab_read_number(PCI "%s/sriov_numvfs", bdf));
	ck_assert_int_eq(vtc_nic_get_vf_layout(nic, &number, &stride), 1);
	ck_assert_int_eq(number, lab_read_number(PCI "%s/sriov_offset", bdf));
	ck_assert_int_eq(stride, lab_read_number(PCI "%s/sriov_stride", bdf));
	ck_assert_int_eq(vtc_nic_get_autoprobe(nic, &on), 1);
	ck_assert_int_eq(on, lab_read_number(PCI "%s/sriov_drivers_autoprobe", bdf));
	ck_assert_int_eq(lab_read_number(PCI "%s/sriov_vf_total_msix", bdf), 0);
	ck_assert_int_eq(vtc_nic_get_vf_total_msix(nic, &number), 0);
	ck_assert_int_eq(vtc_nic_get_pf(nic, &other), 0);
	ck_assert_int_eq(vtc_nic_get_vf_index(nic, &number), 0);
}

static void check_no_pf(const struct vtc_nic *nic)
{
	uint32_t number;
	const struct vtc_nic *vf;
	int on;

	ck_assert_int_eq(vtc_nic_get_total_vfs(nic, &number), 0);
	ck_assert_int_eq(vtc_nic_get_num_vfs(nic, &number), 0);
	ck_assert_int_eq(vtc_nic_get_vf_layout(nic, &number, &number), 0);
	ck_assert_int_eq(vtc_nic_get_autoprobe(nic, &on), 0);
	ck_assert_int_eq(vtc_nic_get_vf(nic, 0, &vf), 0);
}

START_TEST(pfs_are_as_sysfs_says)
{
	open_inventory(0);
	for (unsigned int i = 0; i < 2; i++) {
		check_function(lab_pf(i));
		check_netdev(lab_pf(i));
		check_pf(lab_pf(i));
	}
	close_inventory();
}
END_TEST

START_TEST(vfs_are_as_sysfs_says)
{
	const char *pf = lab_pf(0);
	const struct vtc_nic *vf = NULL, *back = NULL;
	uint32_t index;

	open_inventory(0);
	for (unsigned int i = 0; i < 7; i++) {
		const char *bdf = lab_vf(pf, i);

		ck_assert_int_eq(vtc_nic_get_vf(find(pf), i, &vf), 1);
		ck_assert_str_eq(vtc_nic_get_address(vf), bdf);
		ck_assert_int_eq(vtc_nic_get_kind(vf), VTC_NIC_VF);
		check_number("index", vtc_nic_get_vf_index(vf, &index), &index, i);
		ck_assert_int_eq(vtc_nic_get_pf(vf, &back), 1);
		ck_assert_str_eq(vtc_nic_get_address(back),
				 lab_link(PCI "%s/physfn", bdf));
		check_no_pf(vf);
		check_function(bdf);
		check_netdev(bdf);
	}
	ck_assert_int_eq(vtc_nic_get_vf(find(pf), 7, &vf), 0);
	ck_assert_int_eq(vtc_nic_get_vf(find(lab_pf(1)), 0, &vf), 0);
	close_inventory();
}
END_TEST

/* Its interface hangs below a virtio device, which hangs below the function. */
START_TEST(a_plain_card_is_plain)
{
	const char *bdf =
		lab_do("basename $(readlink -f /sys/class/net/wire0/device/..)");
	const struct vtc_nic *nic;
	const struct vtc_netdev *netdev;

	open_inventory(0);
	nic = find("wire0");
	ck_assert_str_eq(vtc_nic_get_address(nic), bdf);
	ck_assert_ptr_eq(nic, find(bdf));
	ck_assert_int_eq(vtc_nic_get_kind(nic), VTC_NIC_PLAIN);
	check_no_pf(nic);
	check_function(bdf);
	netdev = vtc_netdev_foreach_next(nic, NULL);
	ck_assert_ptr_nonnull(netdev);
	ck_assert_str_eq(vtc_netdev_get_name(netdev), "wire0");
	check_link(netdev, "wire0");
	close_inventory();
}
END_TEST

/* ---- the whole list ---- */

START_TEST(each_network_function_is_there_once)
{
	const char *want =
		lab_do("cd /sys/bus/pci/devices; grep -l ^0x02 */class | cut -d/ -f1");
	const struct vtc_nic *nic = NULL;
	char got[LAB_TEXT] = "";

	open_inventory(0);
	while ((nic = vtc_nic_foreach_next(inventory, nic))) {
		strcat(got, got[0] ? "\n" : "");
		strcat(got, vtc_nic_get_address(nic));
	}
	ck_assert_str_eq(got, want);
	close_inventory();
}
END_TEST

START_TEST(names_that_are_found_and_not)
{
	const struct vtc_nic *nic = NULL;
	const char *pf = lab_pf(0);

	open_inventory(0);
	ck_assert_ptr_eq(find(pf), find(pf + strlen("0000:")));
	ck_assert_errno(vtc_inventory_find(inventory, "0000:ff:1f.7", &nic), -ENODEV);
	ck_assert_errno(vtc_inventory_find(inventory, "nosuch0", &nic), -ENODEV);
	ck_assert_errno(vtc_inventory_find(inventory, "../net", &nic), -EINVAL);
	ck_assert_errno(vtc_inventory_find(inventory, "", &nic), -EINVAL);
	ck_assert_ptr_null(nic);
	close_inventory();
}
END_TEST

/* ---- who uses a VF ---- */

static void check_use(const char *bdf, enum vtc_nic_use want)
{
	enum vtc_nic_use use = (enum vtc_nic_use)99;

	ck_assert_int_eq(vtc_nic_get_use(find(bdf), &use), 1);
	ck_assert_msg(use == want, "%s: use is %d, not %d", bdf, (int)use, (int)want);
}

START_TEST(who_uses_each_vf)
{
	const char *pf = lab_pf(0);
	const char *bdf[7], *far;
	unsigned int i;

	for (i = 0; i < 7; i++)
		bdf[i] = lab_vf(pf, i);
	far = lab_netdev(bdf[3]);
	lab_do("ip link set %s up", lab_netdev(bdf[1]));
	lab_do("ip link add br0 type bridge && ip link set %s master br0",
	       lab_netdev(bdf[2]));
	lab_do("ip netns add far && ip link set %s netns far", far);
	lab_bind(bdf[4], "");
	lab_bind(bdf[5], "vfio-pci");
	lab_bind(bdf[6], "pci-stub");

	open_inventory(0);
	check_use(bdf[0], VTC_NIC_USE_FREE);
	check_use(bdf[1], VTC_NIC_USE_BUSY);
	check_use(bdf[2], VTC_NIC_USE_BUSY);
	check_use(bdf[3], VTC_NIC_USE_HIDDEN);
	check_use(bdf[4], VTC_NIC_USE_NO_DRIVER);
	check_use(bdf[5], VTC_NIC_USE_PASSED);
	check_use(bdf[6], VTC_NIC_USE_PASSED);
	check_use(pf, VTC_NIC_USE_BUSY);
	check_use(lab_pf(1), VTC_NIC_USE_FREE);
	for (i = 3; i < 7; i++) {
		ck_assert_ptr_null(vtc_netdev_foreach_next(find(bdf[i]), NULL));
		check_function(bdf[i]);
	}
	close_inventory();

	lab_do("ip link del br0 && ip -n far link set %s netns 1 && ip netns del far",
	       far);
	for (i = 4; i < 7; i++)
		lab_bind(bdf[i], "igbvf");
	ck_assert(lab_wait(lab_netdev(bdf[3])[0] && lab_netdev(bdf[6])[0]));
}
END_TEST

/* ---- what drivers can do ---- */

/* "off [fixed]" cannot be changed; "off" alone can. */
static int ethtool_feature(const char *features, const char *name)
{
	const char *value = lab_field(features, name);

	ck_assert_msg(value[0], "ethtool shows no %s", name);
	if (strncmp(value, "on", 2) == 0)
		return VTC_CAP_ACTIVE;
	return strstr(value, "[fixed]") ? VTC_CAP_ABSENT : VTC_CAP_AVAILABLE;
}

static void check_features(const char *bdf)
{
	static const struct {
		enum vtc_nic_cap cap;
		const char *name;
	} features[] = {
		{ VTC_NIC_CAP_NTUPLE, "ntuple-filters:" },
		{ VTC_NIC_CAP_HW_TC, "hw-tc-offload:" },
		{ VTC_NIC_CAP_L2_FORWARD, "l2-fwd-offload:" },
		{ VTC_NIC_CAP_VLAN_FILTER, "rx-vlan-filter:" },
		{ VTC_NIC_CAP_RX_HASH, "receive-hashing:" },
	};
	const char *text = lab_do("ethtool -k %s", lab_netdev(bdf));
	const struct vtc_nic *nic = find(bdf);

	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		int want = ethtool_feature(text, features[i].name);
		int got = vtc_nic_get_cap(nic, features[i].cap);

		ck_assert_msg(got == want, "%s: %s %d, not %d", bdf, features[i].name,
			      got, want);
	}
	ck_assert_str_eq(lab_do("devlink dev show"), "");
	ck_assert_int_eq(vtc_nic_get_cap(nic, VTC_NIC_CAP_DEVLINK), VTC_CAP_ABSENT);
}

static void check_channels(const char *bdf)
{
	const char *text = lab_do("ethtool -l %s", lab_netdev(bdf));
	struct vtc_channels channels = { 0 };

	ck_assert_int_eq(vtc_nic_get_channels(find(bdf), &channels), 1);
	ck_assert_int_eq(channels.max_combined, atol(lab_field(text, "Combined:")));
	text = strstr(text, "Current");
	ck_assert_int_eq(channels.combined, atol(lab_field(text, "Combined:")));
	ck_assert_int_eq(channels.rx, 0);
	ck_assert_int_eq(channels.max_rx, 0);
	ck_assert_int_eq(channels.max_tx, 0);
}

START_TEST(capabilities_are_as_ethtool_says)
{
	struct vtc_channels channels;

	open_inventory(VTC_INVENTORY_F_CAPS);
	check_features(lab_pf(0));
	check_features(lab_pf(1));
	check_features(lab_vf(lab_pf(0), 0));
	check_channels(lab_pf(0));
	check_channels(lab_pf(1));
	/*
	 * igb runs XDP programs and redirects; zero-copy AF_XDP came to it later than
	 * 6.12
	 */
	ck_assert_int_gt(vtc_nic_get_cap(find(lab_pf(0)), VTC_NIC_CAP_XDP),
			 VTC_CAP_ABSENT);
	ck_assert_int_gt(vtc_nic_get_cap(find(lab_pf(0)), VTC_NIC_CAP_XDP_REDIRECT),
			 VTC_CAP_ABSENT);
	ck_assert_int_eq(vtc_nic_get_cap(find(lab_pf(0)), VTC_NIC_CAP_XDP_ZEROCOPY),
			 VTC_CAP_ABSENT);
	ck_assert_int_eq(vtc_nic_get_cap(find(lab_vf(lab_pf(0), 0)), VTC_NIC_CAP_XDP),
			 VTC_CAP_ABSENT);
	ck_assert_int_eq(vtc_nic_get_channels(find(lab_vf(lab_pf(0), 0)), &channels), 0);
	close_inventory();
}
END_TEST

START_TEST(capabilities_are_unknown_unless_asked_for)
{
	struct vtc_channels channels;

	open_inventory(0);
	for (int cap = 0; cap < VTC_NIC_CAP_COUNT; cap++)
		ck_assert_errno(vtc_nic_get_cap(find(lab_pf(0)), (enum vtc_nic_cap)cap),
				-ENODATA);
	ck_assert_errno(vtc_nic_get_channels(find(lab_pf(0)), &channels), -ENODATA);
	close_inventory();
}
END_TEST

/* ---- rights, and a machine that does not stand still ---- */

static void drop_rights(void)
{
	if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
		vtct_die("rights cannot be dropped: %s", strerror(errno));
}

START_TEST(reading_needs_no_rights)
{
	const char *pf = lab_pf(0), *vf = lab_vf(pf, 0);
	uint32_t number = 0;

	drop_rights();
	open_inventory(VTC_INVENTORY_F_CAPS);
	for (unsigned int i = 0; i < 2; i++) {
		check_pf(lab_pf(i));
		check_netdev(lab_pf(i));
		check_ids(find(lab_pf(i)), lab_pf(i));
		check_place(find(lab_pf(i)), lab_pf(i));
		check_driver(find(lab_pf(i)), lab_pf(i));
		check_features(lab_pf(i));
	}
	check_netdev(vf);
	check_use(vf, VTC_NIC_USE_FREE);
	ck_assert_errno(vtc_nic_get_msix_count(find(pf), &number), -ENODATA);
	ck_assert_errno(vtc_nic_get_msix_count(find(vf), &number), -ENODATA);
	close_inventory();
}
END_TEST

static void rebind_for_a_while(const char *bdf)
{
	for (int i = 0; i < 8; i++) {
		lab_bind(bdf, "");
		lab_bind(bdf, "igbvf");
	}
	_exit(0);
}

START_TEST(interfaces_may_come_and_go_meanwhile)
{
	const char *bdf = lab_vf(lab_pf(0), 6);
	int taken = 0, status = 0;
	pid_t child = fork();

	if (child == 0)
		rebind_for_a_while(bdf);
	while (waitpid(child, &status, WNOHANG) == 0) {
		open_inventory(VTC_INVENTORY_F_CAPS);
		find(bdf);
		vtc_inventory_free(inventory);
		inventory = NULL;
		taken++;
	}
	ck_assert_int_eq(status, 0);
	ck_assert_int_gt(taken, 1);
	close_inventory();
}
END_TEST

int main(void)
{
	lab_do("modprobe -a igbvf vfio-pci pci-stub");
	lab_up(lab_pf(0));
	lab_set_vfs(lab_pf(0), 7, true);
	return vtct_main(
		vtct_suite("igb-inventory", pfs_are_as_sysfs_says, vfs_are_as_sysfs_says,
			   a_plain_card_is_plain, each_network_function_is_there_once,
			   names_that_are_found_and_not, capabilities_are_as_ethtool_says,
			   capabilities_are_unknown_unless_asked_for,
			   reading_needs_no_rights, who_uses_each_vf,
			   interfaces_may_come_and_go_meanwhile, NULL),
		NULL);
}
