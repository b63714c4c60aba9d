/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Attributes of VFs on igb, with ip as the second opinion: those it has are set, read
 * back and cleared; those it lacks give the documented error and leave everything as it
 * was.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "igb-vfs.h"
#include "lab.h"

#define VFS 3

static struct vtc_ctx *ctx;
static struct vtc_pf *pf;
static struct vtc_vf_config *config;
static const char *bdf, *netdev;

static void setup(void)
{
	bdf = lab_pf(0);
	netdev = lab_netdev(bdf);
	lab_set_vfs(bdf, VFS, false);
	lab_up(bdf);
	for (int i = 0; i < VFS; i++)
		lab_do("ip link set %s vf %d mac 00:00:00:00:00:00 vlan 0 max_tx_rate 0 "
		       "spoofchk on trust off",
		       netdev, i);
	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	ck_assert_msg(vtc_pf_open(ctx, bdf, &pf) == 0, "%s", lab_error(ctx));
	ck_assert_errno(vtc_vf_config_new(1, &config), 0);
}

static void teardown(void)
{
	vtc_vf_config_free(config);
	vtc_pf_close(pf);
	vtc_ctx_unref(ctx);
}

static int apply(uint32_t flags)
{
	struct vtc_vf_apply_opts opts = VTC_VF_APPLY_OPTS_INIT;

	opts.flags = flags;
	return vtc_vf_apply(pf, &config, 1, &opts);
}

#define expect_apply(flags, want)                                                  \
	do {                                                                       \
		int got = apply(flags);                                            \
		ck_assert_msg(got == (want), "apply: %d, not %d: %s", got, (want), \
			      lab_error(ctx));                                     \
	} while (0)

#define expect_result(attr, want) \
	ck_assert_errno(vtc_vf_config_get_result(config, VTC_VF_ATTR_##attr), (want))

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

static struct vtc_mac mac_of(const char *text)
{
	struct vtc_mac mac;

	if (vtc_mac_parse(text, &mac))
		vtct_die("'%s' is no address", text);
	return mac;
}

static void set_mac(const char *text)
{
	struct vtc_mac mac = mac_of(text);

	ck_assert_errno(vtc_vf_config_set_mac(config, &mac), 0);
}

static void set_vlan(uint16_t id, uint8_t qos, uint16_t proto)
{
	struct vtc_vlan vlan = { .id = id, .qos = qos, .proto = proto };

	ck_assert_errno(vtc_vf_config_set_vlan(config, &vlan), 0);
}

static void set_everything(void)
{
	set_mac("02:11:22:33:44:55");
	set_vlan(100, 3, 0);
	ck_assert_errno(vtc_vf_config_set_max_rate_mbps(config, 100), 0);
	ck_assert_errno(vtc_vf_config_set_spoof_check(config, 0), 0);
	ck_assert_errno(vtc_vf_config_set_trust(config, 1), 0);
}

START_TEST(a_new_vf_has_nothing_set)
{
	struct vtc_vf_list *list = list_vfs(0);
	enum vtc_vf_link_state state = VTC_VF_LINK_DISABLE;
	const struct vtc_vf *vf;
	struct vtc_vf_stats stats;
	struct vtc_vlan vlan;
	struct vtc_mac mac;
	const char *address = NULL;
	uint32_t rate;
	uint64_t guid;
	int on = -1;

	ck_assert_uint_eq(vtc_vf_list_get_count(list), VFS);
	ck_assert_errno(vtc_vf_list_get(list, VFS, &vf), -ERANGE);
	vf = vf_of(list, 2);
	ck_assert_uint_eq(vtc_vf_get_index(vf), 2);
	ck_assert_int_eq(vtc_vf_get_address(vf, &address), 1);
	ck_assert_str_eq(address, lab_vf(bdf, 2));
	ck_assert_int_eq(vtc_vf_get_mac(vf, &mac), 0);
	ck_assert_int_eq(vtc_vf_get_effective_mac(vf, &mac), 0);
	ck_assert_int_eq(vtc_vf_get_vlan(vf, &vlan), 0);
	ck_assert_int_eq(vtc_vf_get_min_rate_mbps(vf, &rate), 0);
	ck_assert_int_eq(vtc_vf_get_max_rate_mbps(vf, &rate), 0);
	ck_assert_int_eq(vtc_vf_get_spoof_check(vf, &on), 1);
	ck_assert_int_eq(on, 1);
	ck_assert_int_eq(vtc_vf_get_trust(vf, &on), 1);
	ck_assert_int_eq(on, 0);
	ck_assert_int_eq(vtc_vf_get_link_state(vf, &state), 1);
	ck_assert_int_eq(state, VTC_VF_LINK_AUTO);
	/* igb reports neither, and that is not the same as off */
	ck_assert_errno(vtc_vf_get_rss_query(vf, &on), -ENODATA);
	ck_assert_errno(vtc_vf_get_node_guid(vf, &guid), -ENODATA);
	ck_assert_errno(vtc_vf_get_port_guid(vf, &guid), -ENODATA);
	ck_assert_errno(vtc_vf_get_stats(vf, &stats, sizeof(stats)), -ENODATA);
	vtc_vf_list_free(list);
}
END_TEST

START_TEST(counters_come_when_asked_for)
{
	struct vtc_vf_list *list = list_vfs(VTC_VF_LIST_F_STATS);
	struct vtc_vf_stats stats;

	memset(&stats, 0xff, sizeof(stats));
	ck_assert_int_eq(vtc_vf_get_stats(vf_of(list, 0), &stats, sizeof(stats)), 1);
	ck_assert_uint_eq(stats.rx_packets, 0);
	ck_assert_uint_eq(stats.tx_dropped, 0);
	vtc_vf_list_free(list);
}
END_TEST

static void check_everything_set(const struct vtc_vf *vf)
{
	struct vtc_mac mac, want = mac_of("02:11:22:33:44:55");
	struct vtc_vlan vlan = { 0 };
	uint32_t rate = 0;
	int on = -1;

	ck_assert_int_eq(vtc_vf_get_mac(vf, &mac), 1);
	ck_assert_mem_eq(&mac, &want, sizeof(mac));
	ck_assert_int_eq(vtc_vf_get_vlan(vf, &vlan), 1);
	ck_assert_int_eq(vlan.id, 100);
	ck_assert_int_eq(vlan.qos, 3);
	ck_assert_int_eq(vlan.proto, VTC_VLAN_PROTO_8021Q);
	ck_assert_int_eq(vtc_vf_get_max_rate_mbps(vf, &rate), 1);
	ck_assert_uint_eq(rate, 100);
	ck_assert_int_eq(vtc_vf_get_spoof_check(vf, &on), 1);
	ck_assert_int_eq(on, 0);
	ck_assert_int_eq(vtc_vf_get_trust(vf, &on), 1);
	ck_assert_int_eq(on, 1);
}

static void clear_everything(void)
{
	static const enum vtc_vf_attr attrs[] = {
		VTC_VF_ATTR_MAC,	 VTC_VF_ATTR_VLAN,  VTC_VF_ATTR_MAX_RATE,
		VTC_VF_ATTR_SPOOF_CHECK, VTC_VF_ATTR_TRUST,
	};

	for (size_t i = 0; i < sizeof(attrs) / sizeof(attrs[0]); i++)
		ck_assert_errno(vtc_vf_config_clear(config, attrs[i]), 0);
}

START_TEST(all_that_igb_has_is_set_and_cleared)
{
	const char *before = lab_ip_vf(netdev, 1), *other = lab_ip_vf(netdev, 2), *line;
	struct vtc_vf_list *list;

	set_everything();
	expect_apply(0, 0);
	expect_result(MAC, 1);
	expect_result(VLAN, 1);
	expect_result(MAX_RATE, 1);
	expect_result(SPOOF_CHECK, 1);
	expect_result(TRUST, 1);
	expect_result(LINK_STATE, -ENODATA);
	expect_result(MIN_RATE, -ENODATA);

	line = lab_ip_vf(netdev, 1);
	ck_assert_has(line, "link/ether 02:11:22:33:44:55 ");
	ck_assert_has(line, "vlan 100, qos 3,");
	ck_assert_has(line, "max_tx_rate 100Mbps");
	ck_assert_has(line, "spoof checking off");
	ck_assert_has(line, "trust on");
	list = list_vfs(0);
	check_everything_set(vf_of(list, 1));
	vtc_vf_list_free(list);

	clear_everything();
	expect_apply(0, 0);
	expect_result(MAC, 1);
	expect_result(VLAN, 1);
	ck_assert_str_eq(lab_ip_vf(netdev, 1), before);
	ck_assert_str_eq(lab_ip_vf(netdev, 2), other);
}
END_TEST

START_TEST(several_vfs_in_one_go)
{
	struct vtc_vf_config *configs[VFS];
	struct vtc_mac mac = mac_of("02:00:00:00:07:00");
	uint32_t i;

	for (i = 0; i < VFS; i++) {
		mac.addr[5] = (uint8_t)i;
		ck_assert_errno(vtc_vf_config_new(i, &configs[i]), 0);
		ck_assert_errno(vtc_vf_config_set_mac(configs[i], &mac), 0);
	}
	ck_assert_msg(vtc_vf_apply(pf, configs, VFS, NULL) == 0, "%s", lab_error(ctx));
	for (i = 0; i < VFS; i++) {
		char want[VTC_MAC_TEXT_LEN];

		mac.addr[5] = (uint8_t)i;
		vtc_mac_format(&mac, want, sizeof(want));
		ck_assert_has(lab_ip_vf(netdev, i), want);
		vtc_vf_config_free(configs[i]);
	}
}
END_TEST

START_TEST(priority_tagging_is_a_vlan_without_number)
{
	struct vtc_vlan vlan = { 0 };
	struct vtc_vf_list *list;

	set_vlan(0, 5, 0);
	expect_apply(0, 0);
	ck_assert_has(lab_ip_vf(netdev, 1), "qos 5,");
	list = list_vfs(0);
	ck_assert_int_eq(vtc_vf_get_vlan(vf_of(list, 1), &vlan), 1);
	ck_assert_int_eq(vlan.id, 0);
	ck_assert_int_eq(vlan.qos, 5);
	vtc_vf_list_free(list);
}
END_TEST

/* What igb lacks, and what it refuses. Each comes behind attributes that it has. */
static const struct {
	const char *what;
	enum vtc_vf_attr attr;
	int error;
} lacking[] = {
	{ "link state", VTC_VF_ATTR_LINK_STATE, -EOPNOTSUPP },
	{ "RSS query", VTC_VF_ATTR_RSS_QUERY, -EOPNOTSUPP },
	{ "node GUID", VTC_VF_ATTR_NODE_GUID, -EOPNOTSUPP },
	{ "port GUID", VTC_VF_ATTR_PORT_GUID, -EOPNOTSUPP },
	{ "min rate", VTC_VF_ATTR_MIN_RATE, -EINVAL },
	{ "a rate above the link's", VTC_VF_ATTR_MAX_RATE, -EINVAL },
	{ "802.1ad", VTC_VF_ATTR_VLAN, -EPROTONOSUPPORT },
};

static void ask_for(enum vtc_vf_attr attr)
{
	switch (attr) {
	case VTC_VF_ATTR_LINK_STATE:
		vtc_vf_config_set_link_state(config, VTC_VF_LINK_ENABLE);
		break;
	case VTC_VF_ATTR_RSS_QUERY:
		vtc_vf_config_set_rss_query(config, 1);
		break;
	case VTC_VF_ATTR_NODE_GUID:
		vtc_vf_config_set_node_guid(config, 1);
		break;
	case VTC_VF_ATTR_PORT_GUID:
		vtc_vf_config_set_port_guid(config, 1);
		break;
	case VTC_VF_ATTR_MIN_RATE:
		vtc_vf_config_set_min_rate_mbps(config, 50);
		break;
	case VTC_VF_ATTR_MAX_RATE:
		vtc_vf_config_set_max_rate_mbps(config, 100000);
		break;
	default:
		set_vlan(100, 0, VTC_VLAN_PROTO_8021AD);
	}
}

START_TEST(what_igb_lacks_leaves_all_as_before)
{
	const char *before = lab_ip_vf(netdev, 1);

	set_mac("02:11:22:33:44:55");
	vtc_vf_config_set_trust(config, 1);
	if (lacking[_i].attr != VTC_VF_ATTR_VLAN)
		set_vlan(100, 3, 0);
	ask_for(lacking[_i].attr);
	expect_apply(0, lacking[_i].error);
	ck_assert_errno(vtc_vf_config_get_result(config, lacking[_i].attr),
			lacking[_i].error);
	expect_result(MAC, -ECANCELED);
	expect_result(TRUST, -ECANCELED);
	ck_assert_str_eq(lab_ip_vf(netdev, 1), before);
	ck_assert_has(lab_error(ctx), "vf 1");
	ck_assert_int_eq(vtc_error_get_origin(vtc_ctx_last_error(ctx)),
			 VTC_ERROR_ORIGIN_NETLINK);
}
END_TEST

/* What stood there before is put back, not merely cleared. */
START_TEST(undoing_restores_earlier_values)
{
	const char *before;

	set_everything();
	expect_apply(0, 0);
	before = lab_ip_vf(netdev, 1);
	set_mac("02:66:66:66:66:66");
	set_vlan(200, 1, 0);
	vtc_vf_config_set_max_rate_mbps(config, 300);
	vtc_vf_config_set_trust(config, 0);
	vtc_vf_config_set_spoof_check(config, 1);
	vtc_vf_config_set_link_state(config, VTC_VF_LINK_ENABLE);
	expect_apply(0, -EOPNOTSUPP);
	ck_assert_str_eq(lab_ip_vf(netdev, 1), before);
}
END_TEST

START_TEST(best_effort_keeps_what_worked)
{
	const char *line;

	set_mac("02:11:22:33:44:55");
	vtc_vf_config_set_trust(config, 1);
	vtc_vf_config_set_link_state(config, VTC_VF_LINK_ENABLE);
	vtc_vf_config_set_rss_query(config, 1);
	expect_apply(VTC_VF_APPLY_F_BEST_EFFORT, -EOPNOTSUPP);
	expect_result(MAC, 1);
	expect_result(TRUST, 1);
	expect_result(LINK_STATE, -EOPNOTSUPP);
	expect_result(RSS_QUERY, -EOPNOTSUPP);
	line = lab_ip_vf(netdev, 1);
	ck_assert_has(line, "02:11:22:33:44:55");
	ck_assert_has(line, "trust on");
}
END_TEST

START_TEST(a_dry_run_changes_nothing)
{
	const char *before = lab_ip_vf(netdev, 1);

	set_everything();
	expect_apply(VTC_VF_APPLY_F_DRY_RUN, 0);
	ck_assert_str_eq(lab_ip_vf(netdev, 1), before);
}
END_TEST

START_TEST(vfs_that_are_not_there_or_twice)
{
	struct vtc_vf_config *configs[2] = { config, NULL };

	vtc_vf_config_set_trust(config, 1);
	ck_assert_errno(vtc_vf_config_new(VFS, &configs[1]), 0);
	vtc_vf_config_set_trust(configs[1], 1);
	ck_assert_errno(vtc_vf_apply(pf, configs, 2, NULL), -ERANGE);
	vtc_vf_config_free(configs[1]);
	configs[1] = config;
	ck_assert_errno(vtc_vf_apply(pf, configs, 2, NULL), -EINVAL);
	ck_assert_has(lab_ip_vf(netdev, 1), "trust off");
}
END_TEST

/* The address that the administrator gave is used when the VF's driver starts anew. */
START_TEST(the_address_given_and_the_one_in_use)
{
	struct vtc_mac mac, given = mac_of("02:11:22:33:44:55");
	const char *vf = lab_vf(bdf, 1), *vf_netdev, *used;
	struct vtc_vf_list *list;

	lab_bind(vf, "igbvf");
	ck_assert(lab_wait(lab_netdev(vf)[0]));
	used = lab_read("class/net/%s/address", lab_netdev(vf));
	set_mac("02:11:22:33:44:55");
	expect_apply(0, 0);
	list = list_vfs(0);
	ck_assert_int_eq(vtc_vf_get_mac(vf_of(list, 1), &mac), 1);
	ck_assert_mem_eq(&mac, &given, sizeof(mac));
	ck_assert_int_eq(vtc_vf_get_effective_mac(vf_of(list, 1), &mac), 1);
	given = mac_of(used);
	ck_assert_mem_eq(&mac, &given, sizeof(mac));
	vtc_vf_list_free(list);

	lab_bind(vf, "igbvf");
	ck_assert(lab_wait(lab_netdev(vf)[0]));
	ck_assert_str_eq(lab_read("class/net/%s/address", lab_netdev(vf)),
			 "02:11:22:33:44:55");
	list = list_vfs(0);
	given = mac_of("02:11:22:33:44:55");
	ck_assert_int_eq(vtc_vf_get_effective_mac(vf_of(list, 1), &mac), 1);
	ck_assert_mem_eq(&mac, &given, sizeof(mac));
	vtc_vf_list_free(list);

	vf_netdev = lab_netdev(vf);
	lab_do("ip netns add far && ip link set %s netns far", vf_netdev);
	list = list_vfs(0);
	ck_assert_int_eq(vtc_vf_get_mac(vf_of(list, 1), &mac), 1);
	ck_assert_errno(vtc_vf_get_effective_mac(vf_of(list, 1), &mac), -ENODATA);
	vtc_vf_list_free(list);
	lab_do("ip -n far link set %s netns 1 && ip netns del far", vf_netdev);
	lab_bind(vf, "");
}
END_TEST

START_TEST(a_rate_needs_a_link)
{
	const char *before;

	lab_do("ip link set %s down", netdev);
	before = lab_ip_vf(netdev, 1);
	set_vlan(100, 0, 0);
	vtc_vf_config_set_max_rate_mbps(config, 100);
	expect_apply(0, -EINVAL);
	ck_assert_str_eq(lab_ip_vf(netdev, 1), before);
	vtc_vf_config_free(config);
	ck_assert_errno(vtc_vf_config_new(1, &config), 0);
	set_vlan(100, 0, 0);
	expect_apply(0, 0);
	ck_assert_has(lab_ip_vf(netdev, 1), "vlan 100,");
}
END_TEST

START_TEST(reading_needs_no_rights_but_setting_does)
{
	struct vtc_vf_list *list;
	int err;

	if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
		vtct_die("rights cannot be dropped: %s", strerror(errno));
	list = list_vfs(VTC_VF_LIST_F_STATS);
	ck_assert_uint_eq(vtc_vf_list_get_count(list), VFS);
	vf_of(list, VFS - 1);
	vtc_vf_list_free(list);
	vtc_vf_config_set_trust(config, 1);
	err = apply(0);
	ck_assert_msg(err == -EPERM || err == -EACCES, "%d: %s", err, lab_error(ctx));
	ck_assert_has(lab_ip_vf(netdev, 1), "trust off");
}
END_TEST

Suite *attr_suite(void)
{
	Suite *suite = suite_create("attr");
	TCase *tcase = tcase_create("attr");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, a_new_vf_has_nothing_set);
	tcase_add_test(tcase, counters_come_when_asked_for);
	tcase_add_test(tcase, all_that_igb_has_is_set_and_cleared);
	tcase_add_test(tcase, several_vfs_in_one_go);
	tcase_add_test(tcase, priority_tagging_is_a_vlan_without_number);
	tcase_add_loop_test(tcase, what_igb_lacks_leaves_all_as_before, 0,
			    (int)(sizeof(lacking) / sizeof(lacking[0])));
	tcase_add_test(tcase, undoing_restores_earlier_values);
	tcase_add_test(tcase, best_effort_keeps_what_worked);
	tcase_add_test(tcase, a_dry_run_changes_nothing);
	tcase_add_test(tcase, vfs_that_are_not_there_or_twice);
	tcase_add_test(tcase, the_address_given_and_the_one_in_use);
	tcase_add_test(tcase, a_rate_needs_a_link);
	tcase_add_test(tcase, reading_needs_no_rights_but_setting_does);
	suite_add_tcase(suite, tcase);
	return suite;
}
