/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Capabilities: what generic netlink answers, does not answer, and answers wrongly. */
#include <linux/devlink.h>
#include <linux/ethtool_netlink.h>
#include <linux/genetlink.h>
#include <stdlib.h>
#include <string.h>
#include <vtc/vtc.h>

#include "fakekernel.h"
#include "vtct.h"

/* linux/netdev.h and linux/net_shaper.h are younger than the oldest build machine. */
#define DEV_GET	     1
#define XDP_FEATURES 3
#define CAP_GET	     5

static const uint8_t ethtool_ops[] = { ETHTOOL_MSG_FEATURES_GET,
				       ETHTOOL_MSG_CHANNELS_GET };
static const uint8_t one[] = { 1 }, five[] = { CAP_GET };

static struct vtct_tree *tree;
static struct vtct_kernel *k;
static struct vtc_ctx *ctx;
static struct vtc_inventory *inv;
static uint16_t ethtool, netdev, devlink, shaper;

static void set_up(void)
{
	tree = vtct_tree_new();
	k = vtct_kernel_new(tree);
	vtct_kernel_igb(k, 0);
	ctx = vtct_kernel_ctx(k);
	inv = NULL;
}

static void add_families(void)
{
	ethtool = vtct_genl_family(k, "ethtool", ethtool_ops, sizeof(ethtool_ops));
	netdev = vtct_genl_family(k, "netdev", one, 1);
	devlink = vtct_genl_family(k, "devlink", one, 1);
	shaper = vtct_genl_family(k, "net-shaper", five, 1);
}

static void tear_down(void)
{
	vtc_inventory_free(inv);
	vtc_ctx_unref(ctx);
	vtct_kernel_free(k);
	vtct_tree_free(tree);
}

static const struct vtc_nic *take(void)
{
	struct vtc_inventory_opts opts = VTC_INVENTORY_OPTS_INIT;
	const struct vtc_nic *nic = NULL;

	opts.flags = VTC_INVENTORY_F_CAPS;
	vtc_inventory_free(inv);
	inv = NULL;
	ck_assert_errno(vtc_inventory_new(ctx, &opts, &inv), 0);
	ck_assert_errno(vtc_inventory_find(inv, "enp1s0f0", &nic), 0);
	return nic;
}

static void all_are(const struct vtc_nic *nic, int want)
{
	for (int cap = 0; cap < VTC_NIC_CAP_COUNT; cap++)
		ck_assert_msg(vtc_nic_get_cap(nic, (enum vtc_nic_cap)cap) == want,
			      "%s is %d", vtc_nic_cap_name((enum vtc_nic_cap)cap),
			      vtc_nic_get_cap(nic, (enum vtc_nic_cap)cap));
}

/* A set as ethtool lists it; masked: with a mask, and only names with a "+" are set. */
static void put_set(struct vtct_buf *buf, int type, bool masked, const char *const *names)
{
	size_t set = vtct_nest(buf, type), bits;

	if (!masked)
		vtct_put(buf, ETHTOOL_A_BITSET_NOMASK, NULL, 0);
	vtct_put_u32(buf, ETHTOOL_A_BITSET_SIZE, 64);
	bits = vtct_nest(buf, ETHTOOL_A_BITSET_BITS);
	for (; *names; names++) {
		size_t bit = vtct_nest(buf, ETHTOOL_A_BITSET_BITS_BIT);
		bool value = **names == '+';

		vtct_put_u32(buf, ETHTOOL_A_BITSET_BIT_INDEX, 9);
		vtct_put_str(buf, ETHTOOL_A_BITSET_BIT_NAME, *names + value);
		if (value)
			vtct_put(buf, ETHTOOL_A_BITSET_BIT_VALUE, NULL, 0);
		vtct_nest_end(buf, bit);
	}
	vtct_nest_end(buf, bits);
	vtct_nest_end(buf, set);
}

static void answer_features(bool masked, const char *const *hw, const char *const *active)
{
	struct vtct_buf buf = VTCT_BUF_INIT;

	put_set(&buf, ETHTOOL_A_FEATURES_HW, masked, hw);
	put_set(&buf, ETHTOOL_A_FEATURES_ACTIVE, masked, active);
	vtct_genl_answer(k, ethtool, ETHTOOL_MSG_FEATURES_GET, &buf);
	vtct_buf_free(&buf);
}

START_TEST(unknown_unless_asked_for)
{
	struct vtc_channels channels;
	const struct vtc_nic *nic;

	add_families();
	ck_assert_errno(vtc_inventory_new(ctx, NULL, &inv), 0);
	ck_assert_errno(vtc_inventory_find(inv, "enp1s0f0", &nic), 0);
	all_are(nic, -ENODATA);
	ck_assert_int_eq(vtc_nic_get_channels(nic, &channels), -ENODATA);
	ck_assert_uint_eq(vtct_requests(k, 0), 0);
}
END_TEST

START_TEST(unknown_if_the_kernel_has_no_such_operation)
{
	struct vtc_channels channels;
	const struct vtc_nic *nic = take();

	all_are(nic, -ENODATA);
	ck_assert_int_eq(vtc_nic_get_channels(nic, &channels), -ENODATA);

	/* The families, with other operations than ours: nothing may be asked of them. */
	ethtool = vtct_genl_family(k, "ethtool", five, 1);
	netdev = vtct_genl_family(k, "netdev", five, 1);
	devlink = vtct_genl_family(k, "devlink", five, 1);
	shaper = vtct_genl_family(k, "net-shaper", one, 1);
	all_are(take(), -ENODATA);
	ck_assert_uint_eq(vtct_requests(k, ethtool), 0);
	ck_assert_uint_eq(vtct_requests(k, shaper), 0);
}
END_TEST

START_TEST(absent_if_the_device_does_not_support_it)
{
	struct vtc_channels channels;
	const struct vtc_nic *nic;

	add_families(); /* the fake kernel refuses what has no answer: EOPNOTSUPP */
	nic = take();
	all_are(nic, VTC_CAP_ABSENT);
	ck_assert_int_eq(vtc_nic_get_channels(nic, &channels), 0);
	vtct_genl_error(k, devlink, DEVLINK_CMD_GET, -ENODEV);
	ck_assert_int_eq(vtc_nic_get_cap(take(), VTC_NIC_CAP_DEVLINK), VTC_CAP_ABSENT);
}
END_TEST

START_TEST(other_refusals_leave_it_unknown)
{
	static const int errors[] = { -EPERM, -EINVAL, -EBUSY, -ENODEV };

	add_families();
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct vtc_channels channels;
		const struct vtc_nic *nic;

		vtct_genl_error(k, ethtool, ETHTOOL_MSG_FEATURES_GET, errors[i]);
		vtct_genl_error(k, ethtool, ETHTOOL_MSG_CHANNELS_GET, errors[i]);
		vtct_genl_error(k, netdev, DEV_GET, errors[i]);
		vtct_genl_error(k, devlink, DEVLINK_CMD_GET,
				errors[i] == -ENODEV ? -EPERM : errors[i]);
		vtct_genl_error(k, shaper, CAP_GET, errors[i]);
		nic = take();
		all_are(nic, -ENODATA);
		ck_assert_int_eq(vtc_nic_get_channels(nic, &channels), -ENODATA);
	}
}
END_TEST

START_TEST(features_are_absent_available_or_active)
{
	static const char *const hw[] = { "rx-ntuple-filter", "hw-tc-offload",
					  "rx-hashing", "rx-checksum", NULL };
	static const char *const active[] = { "rx-hashing", "rx-vlan-filter", "rx-gro",
					      NULL };
	const struct vtc_nic *nic;

	add_families();
	answer_features(false, hw, active);
	nic = take();
	ck_assert_int_eq(vtc_nic_get_cap(nic, VTC_NIC_CAP_NTUPLE), VTC_CAP_AVAILABLE);
	ck_assert_int_eq(vtc_nic_get_cap(nic, VTC_NIC_CAP_HW_TC), VTC_CAP_AVAILABLE);
	ck_assert_int_eq(vtc_nic_get_cap(nic, VTC_NIC_CAP_L2_FORWARD), VTC_CAP_ABSENT);
	/* Always on, and cannot be switched. */
	ck_assert_int_eq(vtc_nic_get_cap(nic, VTC_NIC_CAP_VLAN_FILTER), VTC_CAP_ACTIVE);
	ck_assert_int_eq(vtc_nic_get_cap(nic, VTC_NIC_CAP_RX_HASH), VTC_CAP_ACTIVE);
}
END_TEST

START_TEST(a_masked_set_has_values)
{
	static const char *const hw[] = { "+rx-ntuple-filter", "hw-tc-offload", NULL };
	static const char *const active[] = { "rx-ntuple-filter", "+rx-hashing", NULL };
	const struct vtc_nic *nic;

	add_families();
	answer_features(true, hw, active);
	nic = take();
	ck_assert_int_eq(vtc_nic_get_cap(nic, VTC_NIC_CAP_NTUPLE), VTC_CAP_AVAILABLE);
	ck_assert_int_eq(vtc_nic_get_cap(nic, VTC_NIC_CAP_HW_TC), VTC_CAP_ABSENT);
	ck_assert_int_eq(vtc_nic_get_cap(nic, VTC_NIC_CAP_RX_HASH), VTC_CAP_ACTIVE);
}
END_TEST

static void features_unknown(const struct vtct_buf *buf)
{
	const struct vtc_nic *nic;

	vtct_genl_answer(k, ethtool, ETHTOOL_MSG_FEATURES_GET, buf);
	nic = take();
	for (int cap = VTC_NIC_CAP_NTUPLE; cap <= VTC_NIC_CAP_RX_HASH; cap++)
		ck_assert_int_eq(vtc_nic_get_cap(nic, (enum vtc_nic_cap)cap), -ENODATA);
	ck_assert_int_eq(vtc_nic_get_cap(nic, VTC_NIC_CAP_XDP), VTC_CAP_ABSENT);
}

START_TEST(malformed_features_are_unknown)
{
	static const char *const none[] = { NULL };
	struct vtct_buf buf = VTCT_BUF_INIT;
	size_t set, bits, bit;

	add_families();
	vtct_genl_answer(k, ethtool, ETHTOOL_MSG_FEATURES_GET,
			 NULL); /* only acknowledged */
	features_unknown(NULL);

	put_set(&buf, ETHTOOL_A_FEATURES_HW, false, none); /* one set is missing */
	features_unknown(&buf);

	set = vtct_nest(
		&buf, ETHTOOL_A_FEATURES_ACTIVE); /* compact, which we did not ask for */
	vtct_put_u32(&buf, ETHTOOL_A_BITSET_SIZE, 32);
	vtct_put_u32(&buf, ETHTOOL_A_BITSET_VALUE, UINT32_MAX);
	vtct_nest_end(&buf, set);
	features_unknown(&buf);

	buf.len = 0;
	put_set(&buf, ETHTOOL_A_FEATURES_HW, false, none);
	set = vtct_nest(&buf, ETHTOOL_A_FEATURES_ACTIVE);
	bits = vtct_nest(&buf, ETHTOOL_A_BITSET_BITS);
	bit = vtct_nest(&buf, ETHTOOL_A_BITSET_BITS_BIT);
	vtct_put(&buf, ETHTOOL_A_BITSET_BIT_NAME, "rx-hashing", 10); /* no NUL */
	vtct_nest_end(&buf, bit);
	vtct_nest_end(&buf, bits);
	vtct_nest_end(&buf, set);
	features_unknown(&buf);

	buf.len = 0;
	put_set(&buf, ETHTOOL_A_FEATURES_HW, false, none);
	vtct_put_u32(&buf, ETHTOOL_A_FEATURES_ACTIVE, UINT32_MAX); /* no nest at all */
	features_unknown(&buf);
	vtct_buf_free(&buf);
}
END_TEST

START_TEST(channels_of_all_kinds)
{
	struct vtct_buf buf = VTCT_BUF_INIT;
	struct vtc_channels channels;

	add_families();
	vtct_put_u32(&buf, ETHTOOL_A_CHANNELS_COMBINED_MAX, 8);
	vtct_put_u32(&buf, ETHTOOL_A_CHANNELS_COMBINED_COUNT, 2);
	vtct_genl_answer(k, ethtool, ETHTOOL_MSG_CHANNELS_GET, &buf);
	ck_assert_int_eq(vtc_nic_get_channels(take(), &channels), 1);
	ck_assert_uint_eq(channels.max_combined, 8);
	ck_assert_uint_eq(channels.combined, 2);
	ck_assert_uint_eq(channels.rx | channels.max_rx | channels.tx | channels.max_tx,
			  0);

	vtct_put_u32(&buf, ETHTOOL_A_CHANNELS_RX_MAX, 5);
	vtct_put_u32(&buf, ETHTOOL_A_CHANNELS_TX_MAX, 6);
	vtct_put_u32(&buf, ETHTOOL_A_CHANNELS_RX_COUNT, 3);
	vtct_put_u32(&buf, ETHTOOL_A_CHANNELS_TX_COUNT, 4);
	vtct_genl_answer(k, ethtool, ETHTOOL_MSG_CHANNELS_GET, &buf);
	ck_assert_int_eq(vtc_nic_get_channels(take(), &channels), 1);
	ck_assert_uint_eq(channels.rx, 3);
	ck_assert_uint_eq(channels.tx, 4);
	ck_assert_uint_eq(channels.max_rx, 5);
	ck_assert_uint_eq(channels.max_tx, 6);

	vtct_put_u16(&buf, ETHTOOL_A_CHANNELS_RX_MAX, 5); /* too short */
	vtct_genl_answer(k, ethtool, ETHTOOL_MSG_CHANNELS_GET, &buf);
	ck_assert_int_eq(vtc_nic_get_channels(take(), &channels), -ENODATA);
	vtct_genl_answer(k, ethtool, ETHTOOL_MSG_CHANNELS_GET, NULL);
	ck_assert_int_eq(vtc_nic_get_channels(take(), &channels), -ENODATA);
	vtct_buf_free(&buf);
}
END_TEST

static void xdp_is(uint64_t features, int xdp, int redirect, int zerocopy)
{
	struct vtct_buf buf = VTCT_BUF_INIT;
	const struct vtc_nic *nic;

	vtct_put_u32(&buf, 1, 3);
	vtct_put_u64(&buf, XDP_FEATURES, features);
	vtct_genl_answer(k, netdev, DEV_GET, &buf);
	vtct_buf_free(&buf);
	nic = take();
	ck_assert_int_eq(vtc_nic_get_cap(nic, VTC_NIC_CAP_XDP), xdp);
	ck_assert_int_eq(vtc_nic_get_cap(nic, VTC_NIC_CAP_XDP_REDIRECT), redirect);
	ck_assert_int_eq(vtc_nic_get_cap(nic, VTC_NIC_CAP_XDP_ZEROCOPY), zerocopy);
}

START_TEST(xdp_features)
{
	struct vtct_buf buf = VTCT_BUF_INIT;

	add_families();
	xdp_is(0, VTC_CAP_ABSENT, VTC_CAP_ABSENT, VTC_CAP_ABSENT);
	xdp_is(1, VTC_CAP_AVAILABLE, VTC_CAP_ABSENT, VTC_CAP_ABSENT);
	xdp_is(3, VTC_CAP_AVAILABLE, VTC_CAP_AVAILABLE, VTC_CAP_ABSENT);
	xdp_is(7, VTC_CAP_AVAILABLE, VTC_CAP_ACTIVE, VTC_CAP_ABSENT);
	xdp_is(0xffffffffffffff09u, VTC_CAP_AVAILABLE, VTC_CAP_ABSENT, VTC_CAP_AVAILABLE);

	vtct_put_u32(&buf, XDP_FEATURES, 7); /* half the width */
	vtct_genl_answer(k, netdev, DEV_GET, &buf);
	ck_assert_int_eq(vtc_nic_get_cap(take(), VTC_NIC_CAP_XDP), -ENODATA);
	buf.len = 0;
	vtct_put_u32(&buf, 1, 3); /* none at all */
	vtct_genl_answer(k, netdev, DEV_GET, &buf);
	ck_assert_int_eq(vtc_nic_get_cap(take(), VTC_NIC_CAP_XDP), -ENODATA);
	vtct_buf_free(&buf);
}
END_TEST

START_TEST(devlink_and_shaper_are_there_if_they_answer)
{
	struct vtct_buf buf = VTCT_BUF_INIT;
	const struct nlmsghdr *request;
	size_t len;

	add_families();
	vtct_put_str(&buf, DEVLINK_ATTR_BUS_NAME, "pci");
	vtct_genl_answer(k, devlink, DEVLINK_CMD_GET, &buf);
	vtct_genl_answer(k, shaper, CAP_GET, &buf);
	ck_assert_int_eq(vtc_nic_get_cap(take(), VTC_NIC_CAP_DEVLINK), VTC_CAP_ACTIVE);
	ck_assert_int_eq(vtc_nic_get_cap(take(), VTC_NIC_CAP_SHAPER), VTC_CAP_AVAILABLE);
	request = vtct_last_request(k, devlink, &len);
	ck_assert_ptr_nonnull(memmem(request, len, "0000:01:00.0", 13));

	/* No scope that it could shape. */
	vtct_genl_answer(k, shaper, CAP_GET, NULL);
	ck_assert_int_eq(vtc_nic_get_cap(take(), VTC_NIC_CAP_SHAPER), VTC_CAP_ABSENT);
	vtct_buf_free(&buf);
}
END_TEST

START_TEST(a_broken_answer_of_the_controller_is_no_family)
{
	static const unsigned char junk[] = {
		20, 0, 0, 0, GENL_ID_CTRL, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0
	};

	add_families();
	for (unsigned int i = 0; i < 4; i++)
		vtct_script_data(vtct_script(k, GENL_ID_CTRL, 0), junk, sizeof(junk),
				 true);
	all_are(take(), -ENODATA);
}
END_TEST

START_TEST(a_nic_without_netdev_is_not_asked)
{
	const struct vtc_nic *nic;

	add_families();
	vtct_tree_remove_netdev(tree, "devices/pci0000:00/0000:00:01.0/0000:01:00.0",
				"enp1s0f0");
	vtct_kernel_igb(k, 1);
	vtc_inventory_free(inv);
	inv = NULL;
	ck_assert_errno(vtc_inventory_new(ctx,
					  &(struct vtc_inventory_opts){
						  sizeof(struct vtc_inventory_opts),
						  VTC_INVENTORY_F_CAPS },
					  &inv),
			0);
	ck_assert_errno(vtc_inventory_find(inv, "0000:01:00.0", &nic), 0);
	all_are(nic, -ENODATA);
	ck_assert_uint_eq(vtct_requests(k, netdev), 1);
}
END_TEST

START_TEST(caps_have_names)
{
	for (int cap = 0; cap < VTC_NIC_CAP_COUNT; cap++)
		ck_assert_ptr_nonnull(vtc_nic_cap_name((enum vtc_nic_cap)cap));
	ck_assert_str_eq(vtc_nic_cap_name(VTC_NIC_CAP_XDP_ZEROCOPY), "xdp-zerocopy");
	ck_assert_ptr_null(vtc_nic_cap_name((enum vtc_nic_cap)VTC_NIC_CAP_COUNT));
	ck_assert_ptr_null(vtc_nic_cap_name((enum vtc_nic_cap) - 1));
	ck_assert_int_eq(vtc_nic_get_cap(NULL, VTC_NIC_CAP_XDP), -EINVAL);
	ck_assert_int_eq(vtc_nic_get_cap(take(), (enum vtc_nic_cap)VTC_NIC_CAP_COUNT),
			 -EINVAL);
	ck_assert_int_eq(vtc_nic_get_cap(take(), (enum vtc_nic_cap) - 1), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("caps");
	TCase *tcase = tcase_create("caps");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, unknown_unless_asked_for);
	tcase_add_test(tcase, unknown_if_the_kernel_has_no_such_operation);
	tcase_add_test(tcase, absent_if_the_device_does_not_support_it);
	tcase_add_test(tcase, other_refusals_leave_it_unknown);
	tcase_add_test(tcase, features_are_absent_available_or_active);
	tcase_add_test(tcase, a_masked_set_has_values);
	tcase_add_test(tcase, malformed_features_are_unknown);
	tcase_add_test(tcase, channels_of_all_kinds);
	tcase_add_test(tcase, xdp_features);
	tcase_add_test(tcase, devlink_and_shaper_are_there_if_they_answer);
	tcase_add_test(tcase, a_broken_answer_of_the_controller_is_no_family);
	tcase_add_test(tcase, a_nic_without_netdev_is_not_asked);
	tcase_add_test(tcase, caps_have_names);
	suite_add_tcase(suite, tcase);
	return vtct_main(suite, NULL);
}
