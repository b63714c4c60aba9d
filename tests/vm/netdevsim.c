/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's netdevsim: a PF on another bus than PCI, with every VF setting that igb
 * lacks, and with as many VFs as one likes, up to more than the kernel can list.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab.h"

#define DEVICE	"netdevsim10"
#define SYSFS	"bus/netdevsim/devices/" DEVICE
#define DEBUGFS "kernel/debug/netdevsim/" DEVICE

static struct vtc_ctx *ctx;
static struct vtc_pf *pf;
static struct vtc_vf_config *config;
static const char *netdev;

static int make_device(void)
{
	return lab_write("10 1 4", "bus/netdevsim/new_device");
}

static const char *device_netdev(void)
{
	return lab_output("ls /sys/" SYSFS "/net | head -n 1");
}

static void set_max(const char *max)
{
	int err = lab_write("0", SYSFS "/sriov_numvfs");

	if (!err)
		err = lab_write(max, DEBUGFS "/max_vfs");
	if (err)
		vtct_die("max_vfs %s: %s", max, strerror(-err));
}

static void set_vfs(const char *count)
{
	int err;

	set_max(count);
	err = lab_write(count, SYSFS "/sriov_numvfs");
	if (err)
		vtct_die("%s VFs: %s", count, strerror(-err));
}

static void setup(void)
{
	set_vfs("4");
	netdev = device_netdev();
	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	ck_assert_msg(vtc_pf_open(ctx, DEVICE, &pf) == 0, "%s", lab_error(ctx));
	ck_assert_errno(vtc_vf_config_new(1, &config), 0);
}

static void teardown(void)
{
	vtc_vf_config_free(config);
	vtc_pf_close(pf);
	vtc_ctx_unref(ctx);
}

static void new_config(void)
{
	vtc_vf_config_free(config);
	ck_assert_errno(vtc_vf_config_new(1, &config), 0);
}

static int apply(void)
{
	return vtc_vf_apply(pf, &config, 1, NULL);
}

#define expect_apply(want)                                                         \
	do {                                                                       \
		int got = apply();                                                 \
		ck_assert_msg(got == (want), "apply: %d, not %d: %s", got, (want), \
			      lab_error(ctx));                                     \
	} while (0)

static struct vtc_vf_list *list_vfs(uint32_t flags)
{
	struct vtc_vf_list_opts opts = VTC_VF_LIST_OPTS_INIT;
	struct vtc_vf_list *list = NULL;

	opts.flags = flags;
	ck_assert_msg(vtc_vf_list_new(pf, &opts, &list) == 0, "%s", lab_error(ctx));
	return list;
}

static const struct vtc_vf *vf_of(const struct vtc_vf_list *list, uint32_t index)
{
	const struct vtc_vf *vf = NULL;

	ck_assert_errno(vtc_vf_list_get(list, index, &vf), 0);
	return vf;
}

/* ---- the device ---- */

START_TEST(the_device_in_the_inventory)
{
	struct vtc_inventory_opts opts = VTC_INVENTORY_OPTS_INIT;
	struct vtc_inventory *inventory = NULL;
	const struct vtc_netdev *port;
	const struct vtc_nic *nic = NULL;
	struct vtc_channels channels;
	const char *text = NULL;
	uint16_t id;
	uint32_t number = 0;

	opts.flags = VTC_INVENTORY_F_CAPS;
	ck_assert_errno(vtc_inventory_new(ctx, &opts, &inventory), 0);
	ck_assert_errno(vtc_inventory_find(inventory, netdev, &nic), 0);
	ck_assert_str_eq(vtc_nic_get_bus(nic), "netdevsim");
	ck_assert_str_eq(vtc_nic_get_address(nic), DEVICE);
	ck_assert_int_eq(vtc_nic_get_kind(nic), VTC_NIC_PF);
	ck_assert_int_eq(vtc_nic_get_driver(nic, &text), 1);
	ck_assert_str_eq(text, lab_link(SYSFS "/driver"));
	ck_assert_int_eq(vtc_nic_get_pci_id(nic, &id, &id), 0);
	ck_assert_int_eq(vtc_nic_get_num_vfs(nic, &number), 1);
	ck_assert_uint_eq(number, 4);
	ck_assert_errno(vtc_nic_get_total_vfs(nic, &number), -ENODATA);

	port = vtc_netdev_foreach_next(nic, NULL);
	ck_assert_ptr_nonnull(port);
	ck_assert_str_eq(vtc_netdev_get_name(port), netdev);
	ck_assert_int_eq(vtc_netdev_get_port_name(port, &text), 1);
	ck_assert_str_eq(text, lab_read("class/net/%s/phys_port_name", netdev));
	ck_assert_int_eq(vtc_netdev_get_switch_id(port, &text), 1);
	ck_assert_str_eq(text, lab_read("class/net/%s/phys_switch_id", netdev));

	ck_assert_has(lab_do("devlink dev show"), "netdevsim/" DEVICE);
	ck_assert_int_gt(vtc_nic_get_cap(nic, VTC_NIC_CAP_DEVLINK), VTC_CAP_ABSENT);
	/* ethtool -k: "hw-tc-offload: off", not fixed; "ntuple-filters: off [fixed]" */
	ck_assert_str_eq(lab_field(lab_do("ethtool -k %s", netdev), "hw-tc-offload:"),
			 "off");
	ck_assert_int_eq(vtc_nic_get_cap(nic, VTC_NIC_CAP_HW_TC), VTC_CAP_AVAILABLE);
	lab_do("ethtool -K %s hw-tc-offload on", netdev);
	ck_assert_int_eq(vtc_nic_get_cap(nic, VTC_NIC_CAP_NTUPLE), VTC_CAP_ABSENT);
	ck_assert_int_eq(vtc_nic_get_channels(nic, &channels), 1);
	ck_assert_uint_eq(channels.max_combined, 4);
	vtc_inventory_free(inventory);

	ck_assert_errno(vtc_inventory_new(ctx, &opts, &inventory), 0);
	ck_assert_errno(vtc_inventory_find(inventory, DEVICE, &nic), 0);
	ck_assert_int_eq(vtc_nic_get_cap(nic, VTC_NIC_CAP_HW_TC), VTC_CAP_ACTIVE);
	lab_do("ethtool -K %s hw-tc-offload off", netdev);
	vtc_inventory_free(inventory);
}
END_TEST

START_TEST(the_number_of_vfs)
{
	struct vtc_pf_num_vfs_opts opts = VTC_PF_NUM_VFS_OPTS_INIT;
	uint32_t total = 0;

	opts.down = VTC_PF_DOWN_IGNORE;
	opts.flags = VTC_PF_F_DESTROY;
	ck_assert_errno(vtc_pf_get_total_vfs(pf, &total), -ENODATA);
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 4, &opts), 0);
	ck_assert_msg(vtc_pf_set_num_vfs(pf, 2, &opts) == 1, "%s", lab_error(ctx));
	ck_assert_int_eq(lab_read_number(SYSFS "/sriov_numvfs"), 2);

	/* PCI says ERANGE to too many; this driver says ENOMEM, and it is passed on */
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 5, &opts), -ENOMEM);
	ck_assert_str_ne(vtc_error_get_hint(vtc_ctx_last_error(ctx)), "");
	ck_assert_int_eq(vtc_error_get_origin(vtc_ctx_last_error(ctx)),
			 VTC_ERROR_ORIGIN_SYSFS);
	ck_assert_int_eq(lab_read_number(SYSFS "/sriov_numvfs"), 2);
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 0, &opts), 1);
}
END_TEST

/* ---- attributes ---- */

static void ask_for_all(void)
{
	struct vtc_vlan vlan = { .id = 300, .qos = 6, .proto = VTC_VLAN_PROTO_8021AD };
	struct vtc_mac mac = { { 0x02, 0x11, 0x22, 0x33, 0x44, 0x55 } };

	vtc_vf_config_set_mac(config, &mac);
	vtc_vf_config_set_vlan(config, &vlan);
	vtc_vf_config_set_min_rate_mbps(config, 100);
	vtc_vf_config_set_max_rate_mbps(config, 200);
	vtc_vf_config_set_spoof_check(config, 1);
	vtc_vf_config_set_trust(config, 1);
	vtc_vf_config_set_link_state(config, VTC_VF_LINK_ENABLE);
	vtc_vf_config_set_rss_query(config, 1);
}

static const enum vtc_vf_attr all[] = {
	VTC_VF_ATTR_MAC,	VTC_VF_ATTR_VLAN,	 VTC_VF_ATTR_MIN_RATE,
	VTC_VF_ATTR_MAX_RATE,	VTC_VF_ATTR_SPOOF_CHECK, VTC_VF_ATTR_TRUST,
	VTC_VF_ATTR_LINK_STATE, VTC_VF_ATTR_RSS_QUERY,
};

static void expect_results(int want)
{
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		int got = vtc_vf_config_get_result(config, all[i]);

		ck_assert_msg(got == want, "%s: %d, not %d", vtc_vf_attr_name(all[i]),
			      got, want);
	}
}

static void check_all_read(const struct vtc_vf *vf)
{
	enum vtc_vf_link_state state = VTC_VF_LINK_AUTO;
	struct vtc_vlan vlan = { 0 };
	uint32_t rate = 0;
	int on = -1;

	ck_assert_int_eq(vtc_vf_get_vlan(vf, &vlan), 1);
	ck_assert_int_eq(vlan.id, 300);
	ck_assert_int_eq(vlan.qos, 6);
	ck_assert_int_eq(vlan.proto, VTC_VLAN_PROTO_8021AD);
	ck_assert_int_eq(vtc_vf_get_min_rate_mbps(vf, &rate), 1);
	ck_assert_uint_eq(rate, 100);
	ck_assert_int_eq(vtc_vf_get_max_rate_mbps(vf, &rate), 1);
	ck_assert_uint_eq(rate, 200);
	ck_assert_int_eq(vtc_vf_get_link_state(vf, &state), 1);
	ck_assert_int_eq(state, VTC_VF_LINK_ENABLE);
	ck_assert_int_eq(vtc_vf_get_rss_query(vf, &on), 1);
	ck_assert_int_eq(on, 1);
	ck_assert_int_eq(vtc_vf_get_trust(vf, &on), 1);
	ck_assert_int_eq(on, 1);
}

START_TEST(every_attribute_is_set_and_cleared)
{
	const char *line;
	struct vtc_vf_list *list;

	ask_for_all();
	expect_apply(0);
	expect_results(1);
	line = lab_ip_vf(netdev, 1);
	ck_assert_has(line, "02:11:22:33:44:55");
	ck_assert_has(line, "vlan 300, qos 6, vlan protocol 802.1ad,");
	ck_assert_has(line, "max_tx_rate 200Mbps");
	ck_assert_has(line, "min_tx_rate 100Mbps");
	ck_assert_has(line, "spoof checking on");
	ck_assert_has(line, "trust on");
	ck_assert_has(line, "link-state enable");
	ck_assert_has(line, "query_rss on");
	list = list_vfs(0);
	check_all_read(vf_of(list, 1));
	vtc_vf_list_free(list);

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		ck_assert_errno(vtc_vf_config_clear(config, all[i]), 0);
	expect_apply(0);
	expect_results(1);
	line = lab_ip_vf(netdev, 1);
	ck_assert_has(line, "00:00:00:00:00:00");
	ck_assert_has_not(line, "vlan");
	ck_assert_has_not(line, "tx_rate");
	ck_assert_has(line, "spoof checking on");
	ck_assert_has(line, "trust off");
	ck_assert_has(line, "link-state auto");
	ck_assert_has(line, "query_rss off");
}
END_TEST

START_TEST(setting_one_rate_keeps_the_other)
{
	vtc_vf_config_set_min_rate_mbps(config, 100);
	vtc_vf_config_set_max_rate_mbps(config, 200);
	expect_apply(0);
	new_config();
	vtc_vf_config_set_min_rate_mbps(config, 150);
	expect_apply(0);
	ck_assert_has(lab_ip_vf(netdev, 1), "max_tx_rate 200Mbps, min_tx_rate 150Mbps");
	new_config();
	vtc_vf_config_set_max_rate_mbps(config, 300);
	expect_apply(0);
	ck_assert_has(lab_ip_vf(netdev, 1), "max_tx_rate 300Mbps, min_tx_rate 150Mbps");

	new_config();
	vtc_vf_config_set_min_rate_mbps(config, 400);
	expect_apply(-EINVAL);
	ck_assert_has(lab_ip_vf(netdev, 1), "max_tx_rate 300Mbps, min_tx_rate 150Mbps");
	new_config();
	ck_assert_errno(vtc_vf_config_clear(config, VTC_VF_ATTR_MAX_RATE), 0);
	expect_apply(0);
	ck_assert_has(lab_ip_vf(netdev, 1), "min_tx_rate 150Mbps");
	ck_assert_has_not(lab_ip_vf(netdev, 1), "max_tx_rate");
}
END_TEST

START_TEST(a_guid_is_refused_and_all_is_undone)
{
	const char *before;

	ask_for_all();
	expect_apply(0);
	before = lab_ip_vf(netdev, 1);
	new_config();
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		ck_assert_errno(vtc_vf_config_clear(config, all[i]), 0);
	vtc_vf_config_set_node_guid(config, 0x0011223344556677);
	expect_apply(-EOPNOTSUPP);
	ck_assert_str_eq(lab_ip_vf(netdev, 1), before);
	ck_assert_errno(vtc_vf_config_get_result(config, VTC_VF_ATTR_NODE_GUID),
			-EOPNOTSUPP);
	expect_results(-ECANCELED);
}
END_TEST

/* ---- many ---- */

static void ask_for_numbered_macs(struct vtc_vf_config **configs, uint32_t count)
{
	struct vtc_mac mac = { { 0x02, 0x11, 0x22, 0x33, 0, 0 } };

	for (uint32_t i = 0; i < count; i++) {
		mac.addr[4] = (uint8_t)(i >> 8);
		mac.addr[5] = (uint8_t)i;
		ck_assert_errno(vtc_vf_config_new(i, &configs[i]), 0);
		ck_assert_errno(vtc_vf_config_set_mac(configs[i], &mac), 0);
		ck_assert_errno(vtc_vf_config_set_trust(configs[i], i % 2), 0);
	}
}

static void check_numbered(const struct vtc_vf_list *list, uint32_t count)
{
	struct vtc_mac mac;
	int on = -1;

	for (uint32_t i = 0; i < count; i++) {
		const struct vtc_vf *vf = vf_of(list, i);

		ck_assert_uint_eq(vtc_vf_get_index(vf), i);
		ck_assert_int_eq(vtc_vf_get_mac(vf, &mac), 1);
		ck_assert_uint_eq((uint32_t)mac.addr[4] << 8 | mac.addr[5], i);
		ck_assert_int_eq(vtc_vf_get_trust(vf, &on), 1);
		ck_assert_int_eq(on, i % 2);
	}
}

static void set_numbered_macs(uint32_t count)
{
	struct vtc_vf_config **configs =
		vtct_alloc(count * sizeof(struct vtc_vf_config *));

	ask_for_numbered_macs(configs, count);
	ck_assert_msg(vtc_vf_apply(pf, configs, count, NULL) == 0, "%s", lab_error(ctx));
	for (uint32_t i = 0; i < count; i++)
		vtc_vf_config_free(configs[i]);
	free(configs);
}

START_TEST(two_hundred_and_fifty_six_vfs)
{
	const struct vtc_vf *vf;
	struct vtc_vf_list *list;

	set_vfs("256");
	set_numbered_macs(256);
	list = list_vfs(0);
	ck_assert_uint_eq(vtc_vf_list_get_count(list), 256);
	check_numbered(list, 256);
	ck_assert_errno(vtc_vf_list_get(list, 256, &vf), -ERANGE);
	vtc_vf_list_free(list);
	/* ip 6.1 itself shows the first few only */
	ck_assert_has(lab_ip_vf(netdev, 7), "02:11:22:33:00:07");
}
END_TEST

/*
 * The list outgrows the 64 KiB of a netlink attribute. Linux 6.12 sends it all the same,
 * under a length that is wrong; others cut it. Either way nothing is missed silently.
 */
static void check_long_list(uint32_t count, uint32_t flags)
{
	struct vtc_vf_list *list = list_vfs(flags);
	const struct vtc_vf *vf = NULL;
	uint32_t reported = 0;

	ck_assert_uint_eq(vtc_vf_list_get_count(list), count);
	while (vtc_vf_list_get(list, reported, &vf) == 0)
		reported++;
	ck_assert_uint_gt(reported, 128);
	check_numbered(list, reported);
	for (uint32_t i = reported; i < count; i++)
		ck_assert_errno(vtc_vf_list_get(list, i, &vf), -EOVERFLOW);
	ck_assert_errno(vtc_vf_list_get(list, count, &vf), -ERANGE);
	vtc_vf_list_free(list);
}

START_TEST(more_vfs_than_fit_in_an_attribute)
{
	set_vfs("600");
	set_numbered_macs(600);
	check_long_list(600, 0);
	check_long_list(600, VTC_VF_LIST_F_STATS);
}
END_TEST

START_TEST(counters_and_what_is_not_reported)
{
	struct vtc_vf_stats stats;
	struct vtc_mac mac;
	const char *address;
	uint64_t guid;
	struct vtc_vf_list *list = list_vfs(0);

	ck_assert_errno(vtc_vf_get_stats(vf_of(list, 0), &stats, sizeof(stats)),
			-ENODATA);
	ck_assert_errno(vtc_vf_get_node_guid(vf_of(list, 0), &guid), -ENODATA);
	ck_assert_int_eq(vtc_vf_get_address(vf_of(list, 0), &address), 0);
	ck_assert_int_eq(vtc_vf_get_mac(vf_of(list, 0), &mac), 0);
	vtc_vf_list_free(list);
	list = list_vfs(VTC_VF_LIST_F_STATS);
	ck_assert_int_eq(vtc_vf_get_stats(vf_of(list, 0), &stats, sizeof(stats)), 1);
	ck_assert_uint_eq(stats.rx_packets, 0);
	vtc_vf_list_free(list);
}
END_TEST

/* ---- switchdev: representors are ports, not the PF's own interface ---- */

START_TEST(representors_are_told_from_the_pf)
{
	struct vtc_inventory *inventory = NULL;
	const struct vtc_netdev *port = NULL;
	const struct vtc_nic *nic = NULL;
	unsigned int ports = 0;
	const char *text;

	lab_do("devlink dev eswitch set netdevsim/" DEVICE " mode switchdev");
	ck_assert_errno(vtc_inventory_new(ctx, NULL, &inventory), 0);
	ck_assert_errno(vtc_inventory_find(inventory, DEVICE, &nic), 0);
	while ((port = vtc_netdev_foreach_next(nic, port))) {
		const char *name = vtc_netdev_get_name(port);

		ports++;
		ck_assert_int_eq(vtc_netdev_get_port_name(port, &text), 1);
		ck_assert_str_eq(text, lab_read("class/net/%s/phys_port_name", name));
		ck_assert_int_eq(vtc_netdev_get_switch_id(port, &text), 1);
		ck_assert_str_eq(text, lab_read("class/net/%s/phys_switch_id", name));
	}
	ck_assert_uint_eq(ports, 5);
	vtc_inventory_free(inventory);
	/* the PF is still found by the interface that is its own */
	vtc_vf_list_free(list_vfs(0));
	vtc_vf_config_set_trust(config, 1);
	expect_apply(0);
	ck_assert_has(lab_ip_vf(netdev, 1), "trust on");
	lab_do("devlink dev eswitch set netdevsim/" DEVICE " mode legacy");
}
END_TEST

/* ---- events ---- */

struct watch {
	char name[32];	       /* of the last event about a link */
	unsigned int seen[16]; /* by type */
	int up;
};

static void note(void *data, const struct vtc_event *event)
{
	enum vtc_event_type type = vtc_event_get_type(event);
	struct watch *watch = data;
	const char *name = "";
	int carrier;

	ck_assert_uint_lt(type, 16);
	watch->seen[type]++;
	if (vtc_event_get_ifname(event, &name) == 1)
		snprintf(watch->name, sizeof(watch->name), "%s", name);
	(void)vtc_event_get_link_state(event, &watch->up, &carrier);
}

static bool see(struct vtc_monitor *monitor, const struct watch *watch,
		enum vtc_event_type type)
{
	struct pollfd pfd = { .fd = vtc_monitor_get_fd(monitor), .events = POLLIN };
	unsigned int before = watch->seen[type];

	while (watch->seen[type] == before && poll(&pfd, 1, LAB_WAIT_S * 1000) == 1)
		if (vtc_monitor_dispatch(monitor) < 0)
			return false;
	return watch->seen[type] > before;
}

START_TEST(events_of_a_device_that_comes_and_goes)
{
	struct vtc_monitor *monitor = NULL;
	struct watch watch = { .up = -1 };
	uint32_t count;

	ck_assert_errno(vtc_monitor_open(ctx, note, &watch, &monitor), 0);
	ck_assert_int_eq(vtc_monitor_dispatch(monitor), 0);
	lab_do("ip link set %s up", netdev);
	ck_assert(see(monitor, &watch, VTC_EVENT_LINK_CHANGED));
	ck_assert_str_eq(watch.name, netdev);
	ck_assert_int_eq(watch.up, 1);
	lab_do("ip link set %s down && ip link set %s name vtc0", netdev, netdev);
	while (strcmp(watch.name, "vtc0") != 0)
		ck_assert(see(monitor, &watch, VTC_EVENT_LINK_CHANGED));

	ck_assert_int_eq(lab_write("10", "bus/netdevsim/del_device"), 0);
	ck_assert(watch.seen[VTC_EVENT_LINK_REMOVED] ||
		  see(monitor, &watch, VTC_EVENT_LINK_REMOVED));
	ck_assert_str_eq(watch.name, "vtc0");
	ck_assert_errno(vtc_pf_get_num_vfs(pf, &count), -ENODEV);
	ck_assert_int_eq(make_device(), 0);
	ck_assert(see(monitor, &watch, VTC_EVENT_LINK_ADDED));
	ck_assert_uint_eq(watch.seen[VTC_EVENT_RESYNC], 0);
	vtc_monitor_close(monitor);
}
END_TEST

static bool load(void)
{
	const char *modules = getenv("VTC_LAB_MODULES");
	const char *text =
		lab_output("modprobe netdevsim 2>&1 || { modprobe -a psample macsec "
			   "udp_tunnel && insmod %s/netdevsim.ko; } 2>&1",
			   modules ? modules : ".");

	if (make_device() == 0)
		return true;
	printf("1..0 # SKIP this guest's kernel has no netdevsim: %s\n", text);
	return false;
}

int main(void)
{
	Suite *suite = suite_create("netdevsim");
	TCase *tcase = tcase_create("netdevsim");

	if (!load())
		return 0;
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, the_device_in_the_inventory);
	tcase_add_test(tcase, the_number_of_vfs);
	tcase_add_test(tcase, every_attribute_is_set_and_cleared);
	tcase_add_test(tcase, setting_one_rate_keeps_the_other);
	tcase_add_test(tcase, a_guid_is_refused_and_all_is_undone);
	tcase_add_test(tcase, two_hundred_and_fifty_six_vfs);
	tcase_add_test(tcase, more_vfs_than_fit_in_an_attribute);
	tcase_add_test(tcase, counters_and_what_is_not_reported);
	tcase_add_test(tcase, representors_are_told_from_the_pf);
	tcase_add_test(tcase, events_of_a_device_that_comes_and_goes);
	suite_add_tcase(suite, tcase);
	return vtct_main(suite, NULL);
}
