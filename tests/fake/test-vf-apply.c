/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Giving attributes to VFs: what is sent, what comes of it, and what is put back. */
#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vtc/vf.h>

#include "core/ctx.h"
#include "fakekernel.h"
#include "vtct.h"

#define ADDRESS "0000:01:00.0"
#define NETDEV	"enp1s0f0"

static const struct vtc_mac some_mac = { { 0x52, 0x54, 0, 0x12, 0x34, 0x56 } };

/* More than there are calls to the kernel in the longest test of each_step_fails_once. */
#define STEPS_TRIED 200

static struct vtct_tree *tree;
static struct vtct_kernel *k;
static struct vtct_pf *fake;
static struct vtc_ctx *ctx;
static struct vtc_pf *pf;
static struct vtc_vf_config *config[8];
static char log_text[16384];

static void take_log(void *data, int level, const char *line)
{
	size_t used = strlen(log_text);

	(void)data;
	if (level == VTC_LOG_INFO)
		snprintf(log_text + used, sizeof(log_text) - used, "%s\n", line);
}

/* netdevsim has every attribute; 4 VFs. */
static void set_up(void)
{
	struct vtc_ctx_opts opts = VTC_CTX_OPTS_INIT;

	opts.log = take_log;
	opts.log_level = VTC_LOG_DEBUG;
	log_text[0] = '\0';
	tree = vtct_tree_new();
	k = vtct_kernel_new(tree);
	fake = vtct_kernel_netdevsim(k, 1);
	vtct_create_vfs(k, fake, 4);
	ctx = vtct_kernel_ctx_opts(k, &opts);
	ck_assert_errno(vtc_pf_open(ctx, "netdevsim1", &pf), 0);
	for (uint32_t i = 0; i < 8; i++)
		ck_assert_errno(vtc_vf_config_new(i, &config[i]), 0);
}

static void tear_down(void)
{
	for (int i = 0; i < 8; i++)
		vtc_vf_config_free(config[i]);
	vtc_pf_close(pf);
	vtc_ctx_unref(ctx);
	vtct_kernel_free(k);
	vtct_tree_free(tree);
}

/* Go on with an igb at 0000:01:00.0 instead. */
static void use_igb(void)
{
	vtc_pf_close(pf);
	fake = vtct_kernel_igb(k, 0);
	vtct_create_vfs(k, fake, 4);
	ck_assert_errno(vtc_pf_open(ctx, ADDRESS, &pf), 0);
}

static const char *message(void)
{
	return vtc_error_get_message(vtc_ctx_last_error(ctx));
}

static const char *hint(void)
{
	return vtc_error_get_hint(vtc_ctx_last_error(ctx));
}

static int apply(size_t count, uint32_t flags)
{
	struct vtc_vf_apply_opts opts = VTC_VF_APPLY_OPTS_INIT;

	opts.flags = flags;
	return vtc_vf_apply(pf, config, count, &opts);
}

static int result(uint32_t vf, enum vtc_vf_attr attr)
{
	return vtc_vf_config_get_result(config[vf], attr);
}

/* The call fails with this, and the kernel's state is what it was. */
static void fails(size_t count, uint32_t flags, int err)
{
	char *before = vtct_pf_state(fake), *after;

	ck_assert_errno(apply(count, flags), err);
	ck_assert_int_eq(vtc_error_get_code(vtc_ctx_last_error(ctx)), err);
	after = vtct_pf_state(fake);
	ck_assert_str_eq(before, after);
	free(before);
	free(after);
}

static void ask_all(uint32_t vf)
{
	struct vtc_vlan vlan = { .id = 100, .qos = 3, .proto = VTC_VLAN_PROTO_8021AD };

	ck_assert_errno(vtc_vf_config_set_mac(config[vf], &some_mac), 0);
	ck_assert_errno(vtc_vf_config_set_vlan(config[vf], &vlan), 0);
	ck_assert_errno(vtc_vf_config_set_min_rate_mbps(config[vf], 10), 0);
	ck_assert_errno(vtc_vf_config_set_max_rate_mbps(config[vf], 1000), 0);
	ck_assert_errno(vtc_vf_config_set_spoof_check(config[vf], 0), 0);
	ck_assert_errno(vtc_vf_config_set_trust(config[vf], 1), 0);
	ck_assert_errno(vtc_vf_config_set_link_state(config[vf], VTC_VF_LINK_ENABLE), 0);
	ck_assert_errno(vtc_vf_config_set_rss_query(config[vf], 1), 0);
}

/* ---- Configurations ---- */

START_TEST(bad_values)
{
	struct vtc_vlan vlan = { .id = 1 };
	struct vtc_mac mac = { { 0 } };
	struct vtc_vf_config *c = config[0], *other = NULL;

	ck_assert_errno(vtc_vf_config_new(0, NULL), -EINVAL);
	ck_assert_errno(vtc_vf_config_new(65535, &other), -EINVAL);
	ck_assert_ptr_null(other);
	ck_assert_errno(vtc_vf_config_new(65534, &other), 0);
	vtc_vf_config_free(other);
	vtc_vf_config_free(NULL);

	ck_assert_errno(vtc_vf_config_set_mac(NULL, &some_mac), -EINVAL);
	ck_assert_errno(vtc_vf_config_set_mac(c, NULL), -EINVAL);
	ck_assert_errno(vtc_vf_config_set_mac(c, &mac), -EINVAL);
	mac.addr[0] = 1;
	ck_assert_errno(vtc_vf_config_set_mac(c, &mac), -EINVAL);
	ck_assert_errno(vtc_vf_config_set_vlan(NULL, &vlan), -EINVAL);
	ck_assert_errno(vtc_vf_config_set_vlan(c, NULL), -EINVAL);
	vlan.id = 4095;
	ck_assert_errno(vtc_vf_config_set_vlan(c, &vlan), -EINVAL);
	vlan.id = 0;
	ck_assert_errno(vtc_vf_config_set_vlan(c, &vlan), -EINVAL);
	vlan.qos = 8;
	ck_assert_errno(vtc_vf_config_set_vlan(c, &vlan), -EINVAL);
	vlan.qos = 7;
	vlan.proto = 0x9100;
	ck_assert_errno(vtc_vf_config_set_vlan(c, &vlan), -EINVAL);
	vlan.proto = 0;
	vlan.reserved = 1;
	ck_assert_errno(vtc_vf_config_set_vlan(c, &vlan), -EINVAL);
	ck_assert_errno(vtc_vf_config_set_min_rate_mbps(NULL, 1), -EINVAL);
	ck_assert_errno(vtc_vf_config_set_max_rate_mbps(NULL, 1), -EINVAL);
	ck_assert_errno(vtc_vf_config_set_spoof_check(NULL, 1), -EINVAL);
	ck_assert_errno(vtc_vf_config_set_spoof_check(c, 2), -EINVAL);
	ck_assert_errno(vtc_vf_config_set_trust(NULL, 1), -EINVAL);
	ck_assert_errno(vtc_vf_config_set_trust(c, -1), -EINVAL);
	ck_assert_errno(vtc_vf_config_set_rss_query(NULL, 1), -EINVAL);
	ck_assert_errno(vtc_vf_config_set_rss_query(c, 2), -EINVAL);
	ck_assert_errno(vtc_vf_config_set_link_state(NULL, VTC_VF_LINK_AUTO), -EINVAL);
	ck_assert_errno(vtc_vf_config_set_link_state(c, (enum vtc_vf_link_state)3),
			-EINVAL);
	ck_assert_errno(vtc_vf_config_set_node_guid(NULL, 1), -EINVAL);
	ck_assert_errno(vtc_vf_config_set_node_guid(c, 0), -EINVAL);
	ck_assert_errno(vtc_vf_config_set_port_guid(NULL, 1), -EINVAL);
	ck_assert_errno(vtc_vf_config_set_port_guid(c, 0), -EINVAL);
	ck_assert_errno(vtc_vf_config_clear(NULL, VTC_VF_ATTR_MAC), -EINVAL);
	ck_assert_errno(vtc_vf_config_clear(c, (enum vtc_vf_attr)VTC_VF_ATTR_COUNT),
			-EINVAL);
	ck_assert_errno(vtc_vf_config_get_result(NULL, VTC_VF_ATTR_MAC), -EINVAL);
	ck_assert_errno(vtc_vf_config_get_result(c, (enum vtc_vf_attr)VTC_VF_ATTR_COUNT),
			-EINVAL);

	/* None of that was noted. */
	ck_assert_errno(apply(1, 0), 0);
	ck_assert_uint_eq(vtct_requests(k, RTM_SETLINK), 0);
	for (int i = 0; i < VTC_VF_ATTR_COUNT; i++)
		ck_assert_errno(result(0, (enum vtc_vf_attr)i), -ENODATA);
}
END_TEST

START_TEST(bad_parameters)
{
	struct vtc_vf_apply_opts opts = VTC_VF_APPLY_OPTS_INIT;
	struct {
		struct vtc_vf_apply_opts opts;
		uint32_t more;
	} longer = { VTC_VF_APPLY_OPTS_INIT, 1 };
	struct vtc_vf_config *twice[] = { config[1], config[2], config[1] };
	struct vtc_vf_config *hole[] = { config[1], NULL };

	ask_all(1);
	ck_assert_errno(vtc_vf_apply(NULL, config, 1, NULL), -EINVAL);
	ck_assert_errno(vtc_vf_apply(pf, NULL, 1, NULL), -EINVAL);
	ck_assert_errno(vtc_vf_apply(pf, config, 65536, NULL), -EINVAL);
	ck_assert_errno(vtc_vf_apply(pf, twice, 3, NULL), -EINVAL);
	ck_assert_ptr_nonnull(strstr(message(), "same VF"));
	ck_assert_errno(vtc_vf_apply(pf, hole, 2, NULL), -EINVAL);
	opts.flags = 4;
	ck_assert_errno(vtc_vf_apply(pf, config, 1, &opts), -EINVAL);
	opts.flags = 0;
	opts.reserved = 1;
	ck_assert_errno(vtc_vf_apply(pf, config, 1, &opts), -EINVAL);
	opts.reserved = 0;
	opts.sz = 8;
	ck_assert_errno(vtc_vf_apply(pf, config, 1, &opts), -EINVAL);
	longer.opts.sz = sizeof(longer);
	ck_assert_errno(vtc_vf_apply(pf, config, 1, &longer.opts), -E2BIG);
	ck_assert_uint_eq(vtct_requests(k, 0), 0);
	ck_assert_errno(result(1, VTC_VF_ATTR_MAC), -ENODATA);
	ck_assert_errno(vtc_vf_apply(pf, NULL, 0, NULL), 0);
}
END_TEST

/* ---- Setting ---- */

START_TEST(everything_at_once)
{
	ask_all(2);
	ck_assert_errno(apply(3, 0), 0);
	ck_assert_mem_eq(fake->vfs[2].mac, some_mac.addr, 6);
	ck_assert_uint_eq(fake->vfs[2].vlan, 100);
	ck_assert_uint_eq(fake->vfs[2].qos, 3);
	ck_assert_uint_eq(fake->vfs[2].vlan_proto, 0x88a8);
	ck_assert_uint_eq(fake->vfs[2].min_rate, 10);
	ck_assert_uint_eq(fake->vfs[2].max_rate, 1000);
	ck_assert_uint_eq(fake->vfs[2].spoof_check, 0);
	ck_assert_uint_eq(fake->vfs[2].trust, 1);
	ck_assert_uint_eq(fake->vfs[2].link_state, IFLA_VF_LINK_STATE_ENABLE);
	ck_assert_uint_eq(fake->vfs[2].rss_query, 1);
	for (int i = 0; i < VTC_VF_ATTR_NODE_GUID; i++)
		ck_assert_errno(result(2, (enum vtc_vf_attr)i), 1);
	ck_assert_errno(result(2, VTC_VF_ATTR_NODE_GUID), -ENODATA);
	ck_assert_errno(result(1, VTC_VF_ATTR_MAC), -ENODATA);
	ck_assert_ptr_nonnull(
		strstr(log_text, "netdevsim1 vf 2: mac 52:54:00:12:34:56\n"));
	ck_assert_ptr_nonnull(strstr(log_text, "netdevsim1 vf 2: max-rate 1000\n"));
}
END_TEST

/*
 * 8 attributes of 4 VFs are 28 messages (the rates share one), one look before, one
 * after.
 */
START_TEST(no_more_messages_than_needed)
{
	for (uint32_t vf = 0; vf < 4; vf++)
		ask_all(vf);
	ck_assert_errno(apply(4, 0), 0);
	ck_assert_uint_eq(vtct_requests(k, RTM_SETLINK), 28);
	ck_assert_uint_eq(vtct_requests(k, RTM_GETLINK), 2);
	ck_assert_uint_eq(vtct_calls(k, VTCT_NL_SEND), 30);
}
END_TEST

START_TEST(what_is_there_is_sent_again)
{
	ask_all(0);
	ck_assert_errno(apply(1, 0), 0);
	ck_assert_errno(apply(1, 0), 0);
	ck_assert_uint_eq(vtct_requests(k, RTM_SETLINK), 14);
	ck_assert_errno(result(0, VTC_VF_ATTR_MAC), 1);
}
END_TEST

START_TEST(one_rate_keeps_the_other)
{
	fake->vfs[0].min_rate = 20;
	fake->vfs[0].max_rate = 200;
	ck_assert_errno(vtc_vf_config_set_max_rate_mbps(config[0], 300), 0);
	ck_assert_errno(apply(1, 0), 0);
	ck_assert_uint_eq(fake->vfs[0].min_rate, 20);
	ck_assert_uint_eq(fake->vfs[0].max_rate, 300);
	ck_assert_errno(result(0, VTC_VF_ATTR_MIN_RATE), -ENODATA);

	fake->vfs[1].min_rate = 20;
	fake->vfs[1].max_rate = 200;
	ck_assert_errno(vtc_vf_config_clear(config[1], VTC_VF_ATTR_MIN_RATE), 0);
	ck_assert_errno(apply(2, 0), 0);
	ck_assert_uint_eq(fake->vfs[1].min_rate, 0);
	ck_assert_uint_eq(fake->vfs[1].max_rate, 200);
	ck_assert_errno(result(1, VTC_VF_ATTR_MIN_RATE), 1);
}
END_TEST

START_TEST(rates_that_contradict)
{
	fake->vfs[0].min_rate = 200;
	ck_assert_errno(vtc_vf_config_set_max_rate_mbps(config[0], 100), 0);
	fails(1, 0, -EINVAL);
	ck_assert_ptr_nonnull(
		strstr(message(), "guaranteed rate 200 is above the limit 100"));
	ck_assert_uint_eq(vtct_requests(k, RTM_SETLINK), 0);
	ck_assert_errno(vtc_vf_config_set_min_rate_mbps(config[0], 100), 0);
	ck_assert_errno(apply(1, 0), 0);
	ck_assert_errno(vtc_vf_config_clear(config[0], VTC_VF_ATTR_MAX_RATE), 0);
	ck_assert_errno(apply(1, 0), 0);
	ck_assert_uint_eq(fake->vfs[0].min_rate, 100);
	ck_assert_uint_eq(fake->vfs[0].max_rate, 0);
}
END_TEST

START_TEST(a_rate_whose_partner_is_unknown)
{
	ck_assert_errno(vtc_vf_config_set_max_rate_mbps(config[1], 100), 0);
	fake->vfs[1].silent = true;
	fails(2, 0, -EOPNOTSUPP);
	ck_assert_errno(result(1, VTC_VF_ATTR_MAX_RATE), -EOPNOTSUPP);
	fails(2, VTC_VF_APPLY_F_DRY_RUN, -EOPNOTSUPP);
	ck_assert_errno(vtc_vf_config_set_min_rate_mbps(config[1], 0), 0);
	ck_assert_errno(apply(2, 0), 0);
	ck_assert_errno(result(1, VTC_VF_ATTR_MAX_RATE), 0);
}
END_TEST

START_TEST(clearing)
{
	fake->infiniband = true;
	for (int i = 0; i < VTC_VF_ATTR_COUNT; i++)
		ck_assert_errno(vtc_vf_config_clear(config[0], (enum vtc_vf_attr)i), 0);
	ask_all(1);
	ck_assert_errno(vtc_vf_config_set_node_guid(config[1], 5), 0);
	ck_assert_errno(vtc_vf_config_set_port_guid(config[1], 6), 0);
	ck_assert_errno(apply(2, 0), 0);
	ck_assert_uint_eq(fake->vfs[1].node_guid, 5);
	ck_assert_uint_eq(fake->vfs[1].port_guid, 6);
	ck_assert_uint_eq(fake->vfs[0].spoof_check, 1);
	for (int i = 0; i < VTC_VF_ATTR_COUNT; i++)
		ck_assert_errno(result(0, (enum vtc_vf_attr)i), 1);

	/* And what was set goes, too. */
	for (int i = 0; i < VTC_VF_ATTR_COUNT; i++)
		ck_assert_errno(vtc_vf_config_clear(config[1], (enum vtc_vf_attr)i), 0);
	ck_assert_errno(apply(2, 0), 0);
	fake->vfs[1].vlan_proto = fake->vfs[0].vlan_proto;
	ck_assert_mem_eq(&fake->vfs[0], &fake->vfs[1], sizeof(fake->vfs[0]));
}
END_TEST

START_TEST(a_driver_that_refuses_zeros)
{
	static const uint8_t nobody[6] = { 2, 0, 0, 0, 0, 0 };

	fake->refuses_zero_mac = true;
	ck_assert_errno(vtc_vf_config_clear(config[0], VTC_VF_ATTR_MAC), 0);
	ck_assert_errno(apply(1, 0), 0);
	ck_assert_mem_eq(fake->vfs[0].mac, nobody, 6);
	ck_assert_errno(result(0, VTC_VF_ATTR_MAC), 1);
}
END_TEST

START_TEST(vlan_protocols)
{
	struct vtc_vlan vlan = { .id = 5 };

	ck_assert_errno(vtc_vf_config_set_vlan(config[0], &vlan), 0);
	ck_assert_errno(apply(1, 0), 0);
	ck_assert_uint_eq(fake->vfs[0].vlan_proto, 0x8100);
	vlan.id = 0;
	vlan.qos = 4;
	vlan.proto = VTC_VLAN_PROTO_8021Q;
	ck_assert_errno(vtc_vf_config_set_vlan(config[0], &vlan), 0);
	ck_assert_errno(apply(1, 0), 0);
	ck_assert_uint_eq(fake->vfs[0].vlan, 0);
	ck_assert_uint_eq(fake->vfs[0].qos, 4);
	ck_assert_errno(result(0, VTC_VF_ATTR_VLAN), 1);
}
END_TEST

/* The order matters (trust before the address), and each message holds one attribute. */
START_TEST(the_order_of_messages)
{
	static const char *const order[] = { "trust",	    "mac",	"vlan",
					     "spoof-check", "min-rate", "max-rate",
					     "link-state",  "rss-query" };
	const char *at = log_text;

	ask_all(0);
	ck_assert_errno(apply(1, 0), 0);
	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
		at = strstr(at, order[i]);
		ck_assert_ptr_nonnull(at);
	}
}
END_TEST

/* The bytes, against the structs of the kernel. */
START_TEST(a_message_is_as_the_kernel_wants_it)
{
	const struct nlmsghdr *msg;
	const struct ifinfomsg *ifi;
	const struct nlattr *list, *info, *attr;
	struct ifla_vf_vlan_info vlan;
	size_t len;

	ck_assert_errno(vtc_vf_config_set_vlan(
				config[3],
				&(struct vtc_vlan){ .id = 7, .qos = 2, .proto = 0x88a8 }),
			0);
	ck_assert_errno(apply(4, 0), 0);
	msg = vtct_last_request(k, RTM_SETLINK, &len);
	ck_assert_uint_eq(msg->nlmsg_len, len);
	ck_assert_uint_eq(msg->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
	ifi = NLMSG_DATA(msg);
	ck_assert_uint_eq((uint32_t)ifi->ifi_index, fake->ifindex);
	ck_assert_uint_eq(ifi->ifi_change, 0);
	list = (const void *)(ifi + 1);
	ck_assert_uint_eq(list->nla_type & NLA_TYPE_MASK, IFLA_VFINFO_LIST);
	info = list + 1;
	ck_assert_uint_eq(info->nla_type & NLA_TYPE_MASK, IFLA_VF_INFO);
	attr = info + 1;
	ck_assert_uint_eq(attr->nla_type & NLA_TYPE_MASK, IFLA_VF_VLAN_LIST);
	attr++;
	ck_assert_uint_eq(attr->nla_type & NLA_TYPE_MASK, IFLA_VF_VLAN_INFO);
	ck_assert_ptr_eq((const char *)attr + NLA_ALIGN(attr->nla_len),
			 (const char *)msg + len);
	memcpy(&vlan, attr + 1, sizeof(vlan));
	ck_assert_uint_eq(vlan.vf, 3);
	ck_assert_uint_eq(vlan.vlan, 7);
	ck_assert_uint_eq(vlan.qos, 2);
	ck_assert_uint_eq(vlan.vlan_proto, htons(0x88a8));
	ck_assert_int_eq(((const char *)(attr + 1))[14], 0);
	ck_assert_int_eq(((const char *)(attr + 1))[15], 0);
}
END_TEST

/* ---- Failing ---- */

START_TEST(a_vf_that_does_not_exist)
{
	ask_all(0);
	ask_all(4);
	fails(5, 0, -ERANGE);
	ck_assert_ptr_nonnull(strstr(message(), "4 VFs"));
	ck_assert_uint_eq(vtct_requests(k, RTM_SETLINK), 0);
	ck_assert_errno(result(0, VTC_VF_ATTR_MAC), -ECANCELED);
	fails(5, VTC_VF_APPLY_F_DRY_RUN, -ERANGE);
	fails(5, VTC_VF_APPLY_F_BEST_EFFORT, -ERANGE);
}
END_TEST

START_TEST(what_the_kernel_says_is_kept)
{
	struct vtc_vlan vlan = { .id = 9, .proto = VTC_VLAN_PROTO_8021AD };

	use_igb();
	fake->only_8021q = true;
	vtct_set_extack(k, "no such tag here");
	ck_assert_errno(vtc_vf_config_set_vlan(config[3], &vlan), 0);
	fails(4, 0, -EPROTONOSUPPORT);
	ck_assert_str_eq(vtc_error_get_operation(vtc_ctx_last_error(ctx)), "set VF VLAN");
	ck_assert_str_eq(vtc_error_get_subject(vtc_ctx_last_error(ctx)), ADDRESS " vf 3");
	ck_assert_int_eq(vtc_error_get_origin(vtc_ctx_last_error(ctx)),
			 VTC_ERROR_ORIGIN_NETLINK);
	ck_assert_str_eq(message(), "no such tag here");
	ck_assert_ptr_nonnull(strstr(hint(), "802.1Q"));
	ck_assert_errno(result(3, VTC_VF_ATTR_VLAN), -EPROTONOSUPPORT);
}
END_TEST

START_TEST(hints)
{
	use_igb();
	fake->error[IFLA_VF_TRUST] = -EOPNOTSUPP;
	ck_assert_errno(vtc_vf_config_set_trust(config[0], 1), 0);
	fails(1, 0, -EOPNOTSUPP);
	ck_assert_ptr_nonnull(strstr(hint(), "driver igb does not offer"));
	fake->error[IFLA_VF_TRUST] = -EINVAL;
	fails(1, 0, -EINVAL);
	ck_assert_ptr_nonnull(strstr(hint(), "kernel log"));

	fake->error[IFLA_VF_TRUST] = 0;
	fake->no_min_rate = true;
	ck_assert_errno(vtc_vf_config_set_min_rate_mbps(config[0], 5), 0);
	fails(1, 0, -EINVAL);
	ck_assert_ptr_nonnull(strstr(hint(), "guarantee"));
	vtct_tree_set_up(tree, fake->dir, fake->ifname, false);
	fails(1, 0, -EINVAL);
	ck_assert_ptr_nonnull(strstr(hint(), "no link"));

	vtct_set_root(k, false);
	fails(1, 0, -EPERM);
	ck_assert_ptr_nonnull(strstr(hint(), "CAP_NET_ADMIN"));
}
END_TEST

/* IFLA_VF_ in the order of the steps. */
static const int step_types[] = { IFLA_VF_TRUST,       IFLA_VF_MAC,  IFLA_VF_VLAN_LIST,
				  IFLA_VF_SPOOFCHK,    IFLA_VF_RATE, IFLA_VF_LINK_STATE,
				  IFLA_VF_RSS_QUERY_EN };
static const enum vtc_vf_attr step_attrs[] = {
	VTC_VF_ATTR_TRUST,	 VTC_VF_ATTR_MAC,      VTC_VF_ATTR_VLAN,
	VTC_VF_ATTR_SPOOF_CHECK, VTC_VF_ATTR_MAX_RATE, VTC_VF_ATTR_LINK_STATE,
	VTC_VF_ATTR_RSS_QUERY,
};

/* The last VF fails at one step: all that all VFs got before is put back. */
START_TEST(all_or_nothing)
{
	fake->vfs[0].vlan = 5;
	fake->vfs[0].trust = 1;
	fake->vfs[1].max_rate = 70;
	fake->vfs[1].link_state = IFLA_VF_LINK_STATE_DISABLE;
	fake->vfs[2].error[step_types[_i]] = -EIO;
	for (uint32_t vf = 0; vf < 4; vf++)
		ask_all(vf);
	fails(4, 0, -EIO);
	for (uint32_t vf = 0; vf < 4; vf++) {
		for (int i = 0; i < VTC_VF_ATTR_NODE_GUID; i++) {
			bool failed = vf == 2 && (i == (int)step_attrs[_i] ||
						  (i == VTC_VF_ATTR_MIN_RATE &&
						   step_types[_i] == IFLA_VF_RATE));

			ck_assert_errno(result(vf, (enum vtc_vf_attr)i),
					failed ? -EIO : -ECANCELED);
		}
	}
	ck_assert_ptr_null(strstr(message(), "not put back"));
	ck_assert_str_eq(vtc_error_get_subject(vtc_ctx_last_error(ctx)),
			 "netdevsim1 vf 2");
}
END_TEST

START_TEST(best_effort)
{
	fake->vfs[0].error[IFLA_VF_MAC] = -EADDRNOTAVAIL;
	fake->error[IFLA_VF_RSS_QUERY_EN] = -EOPNOTSUPP;
	ask_all(0);
	ask_all(1);
	ck_assert_errno(apply(2, VTC_VF_APPLY_F_BEST_EFFORT), -EADDRNOTAVAIL);
	ck_assert_str_eq(vtc_error_get_operation(vtc_ctx_last_error(ctx)), "set VF MAC");
	ck_assert_errno(result(0, VTC_VF_ATTR_MAC), -EADDRNOTAVAIL);
	ck_assert_errno(result(0, VTC_VF_ATTR_RSS_QUERY), -EOPNOTSUPP);
	ck_assert_errno(result(0, VTC_VF_ATTR_VLAN), 1);
	ck_assert_errno(result(1, VTC_VF_ATTR_MAC), 1);
	ck_assert_uint_eq(fake->vfs[1].trust, 1);
	ck_assert_uint_eq(fake->vfs[0].max_rate, 1000);
}
END_TEST

START_TEST(putting_back_fails)
{
	struct vtct_script *s;

	ask_all(0);
	fake->vfs[0].error[IFLA_VF_SPOOFCHK] = -EIO;
	s = vtct_script(k, RTM_SETLINK,
			5); /* trust, mac, vlan, spoof, then undo vlan, mac */
	vtct_script_ack(s, -EADDRINUSE, NULL);
	ck_assert_errno(apply(1, 0), -EIO);
	ck_assert_ptr_nonnull(
		strstr(message(), "not put back: vf 0 MAC (Address already"));
	ck_assert_ptr_null(strstr(message(), "trust"));
	ck_assert_int_eq(vtc_error_get_code(vtc_ctx_last_error(ctx)), -EIO);
	ck_assert_errno(result(0, VTC_VF_ATTR_MAC), 0);
	ck_assert_errno(result(0, VTC_VF_ATTR_VLAN), -ECANCELED);
	ck_assert_errno(result(0, VTC_VF_ATTR_SPOOF_CHECK), -EIO);
	ck_assert_uint_eq(fake->vfs[0].trust, 0);
	ck_assert_mem_eq(fake->vfs[0].mac, some_mac.addr, 6);
}
END_TEST

START_TEST(what_was_not_known_cannot_be_put_back)
{
	fake->unreported = 1u << IFLA_VF_TRUST;
	fake->error[IFLA_VF_MAC] = -EIO;
	ask_all(0);
	ck_assert_errno(apply(1, 0), -EIO);
	ck_assert_ptr_nonnull(
		strstr(message(), "vf 0 trust (its old value is not known)"));
	ck_assert_errno(result(0, VTC_VF_ATTR_TRUST), 0);
}
END_TEST

/* ---- Reading back ---- */

START_TEST(what_is_not_reported_is_not_waited_for)
{
	uint64_t start = vtct_now_ns(k);

	fake->unreported = 1u << IFLA_VF_TRUST | 1u << IFLA_VF_SPOOFCHK;
	fake->ignored = 1u << IFLA_VF_LINK_STATE;
	ask_all(0);
	ck_assert_errno(apply(1, 0), 0);
	ck_assert_errno(result(0, VTC_VF_ATTR_TRUST), 0);
	ck_assert_errno(result(0, VTC_VF_ATTR_SPOOF_CHECK), 0);
	ck_assert_errno(result(0, VTC_VF_ATTR_LINK_STATE), 0);
	ck_assert_errno(result(0, VTC_VF_ATTR_MAC), 1);
	ck_assert_uint_eq(vtct_now_ns(k), start);
}
END_TEST

START_TEST(what_comes_late_is_waited_for)
{
	fake->mac_delay_ns = 400 * VTCT_NS_PER_MS;
	ask_all(0);
	ck_assert_errno(apply(1, 0), 0);
	ck_assert_errno(result(0, VTC_VF_ATTR_MAC), 1);
}
END_TEST

START_TEST(what_does_not_come_is_an_error)
{
	fake->clamp_rate = 500;
	ask_all(0);
	ask_all(1);
	fails(2, 0, -ETIMEDOUT);
	ck_assert_str_eq(message(),
			 "max-rate was accepted as 1000 but reads back as 500");
	ck_assert_int_eq(vtc_error_get_origin(vtc_ctx_last_error(ctx)),
			 VTC_ERROR_ORIGIN_DEVICE);
	ck_assert_errno(result(0, VTC_VF_ATTR_MAX_RATE), -ETIMEDOUT);
	ck_assert_errno(result(1, VTC_VF_ATTR_MAX_RATE), -ETIMEDOUT);
	ck_assert_errno(result(1, VTC_VF_ATTR_MAC), -ECANCELED);
	ck_assert_errno(apply(2, VTC_VF_APPLY_F_BEST_EFFORT), -ETIMEDOUT);
	ck_assert_errno(result(0, VTC_VF_ATTR_MAX_RATE), -ETIMEDOUT);
	ck_assert_errno(result(0, VTC_VF_ATTR_MAC), 1);
	ck_assert_uint_eq(fake->vfs[0].max_rate, 500);
}
END_TEST

START_TEST(the_time_for_reading_back)
{
	struct vtc_vf_apply_opts opts = VTC_VF_APPLY_OPTS_INIT;
	uint64_t start = vtct_now_ns(k);

	opts.timeout_ms = 300;
	fake->ignored = 1u << IFLA_VF_TRUST;
	ck_assert_errno(vtc_vf_config_set_trust(config[0], 1), 0);
	ck_assert_errno(vtc_vf_apply(pf, config, 1, &opts), -ETIMEDOUT);
	ck_assert_uint_ge(vtct_now_ns(k) - start, 300 * VTCT_NS_PER_MS);
	ck_assert_uint_lt(vtct_now_ns(k) - start, 400 * VTCT_NS_PER_MS);
}
END_TEST

START_TEST(reading_back_fails)
{
	ask_all(0);
	vtct_script_ack(vtct_script(k, RTM_GETLINK, 1), -EMSGSIZE, NULL);
	fails(1, 0, -EMSGSIZE);
	ck_assert_errno(result(0, VTC_VF_ATTR_MAC), -ECANCELED);
}
END_TEST

/* ---- Rough weather ---- */

START_TEST(a_pf_that_vanished)
{
	ask_all(0);
	vtct_unplug(k, fake);
	ck_assert_errno(apply(1, 0), -ENODEV);
	ck_assert_ptr_nonnull(strstr(message(), "gone"));
}
END_TEST

START_TEST(a_pf_that_vanishes_under_way)
{
	ask_all(0);
	vtct_script_ack(vtct_script(k, RTM_SETLINK, 3), -ENODEV, NULL);
	ck_assert_errno(apply(1, 0), -ENODEV);
	ck_assert_uint_eq(vtct_requests(k, RTM_SETLINK), 4);
	ck_assert_errno(result(0, VTC_VF_ATTR_TRUST), -ECANCELED);
	ck_assert_errno(result(0, VTC_VF_ATTR_SPOOF_CHECK), -ENODEV);
}
END_TEST

/* The change may have been made although its answer was lost, so it is undone as well. */
START_TEST(a_lost_answer)
{
	struct vtct_script *s = vtct_script(k, RTM_SETLINK, 1);

	vtct_script_error(s, -ENOBUFS);
	ask_all(0);
	fails(1, 0, -ENOBUFS);
	ck_assert_uint_eq(vtct_requests(k, RTM_SETLINK), 4);
	ck_assert_errno(result(0, VTC_VF_ATTR_MAC), -ENOBUFS);
	ck_assert_errno(result(0, VTC_VF_ATTR_TRUST), -ECANCELED);
}
END_TEST

START_TEST(interrupted)
{
	struct vtct_script *s = vtct_script(k, RTM_SETLINK, 1);

	vtct_script_error(s, -EINTR);
	vtct_script_error(s, -EAGAIN);
	vtct_script_usual(s);
	ask_all(0);
	ck_assert_errno(apply(1, 0), 0);
}
END_TEST

START_TEST(another_process_holds_the_lock)
{
	int fd = vtc__lock(ctx, "pf-netdevsim1");

	ck_assert_int_ge(fd, 0);
	ask_all(0);
	fails(1, 0, -EBUSY);
	ck_assert_errno(apply(1, VTC_VF_APPLY_F_DRY_RUN), 0);
	vtc__unlock(ctx, fd);
	ck_assert_errno(apply(1, 0), 0);
	fd = vtc__lock(ctx, "pf-netdevsim1");
	ck_assert_int_ge(fd, 0);
	vtc__unlock(ctx, fd);
}
END_TEST

START_TEST(a_dry_run_changes_nothing)
{
	char *before = vtct_pf_state(fake), *after;

	ask_all(0);
	ck_assert_errno(apply(1, VTC_VF_APPLY_F_DRY_RUN), 0);
	after = vtct_pf_state(fake);
	ck_assert_str_eq(before, after);
	ck_assert_uint_eq(vtct_requests(k, RTM_SETLINK), 0);
	ck_assert_uint_eq(vtct_calls(k, VTCT_LOCK), 0);
	ck_assert_errno(result(0, VTC_VF_ATTR_MAC), -ECANCELED);
	free(before);
	free(after);
}
END_TEST

/* Whatever fails: either it is all done, or it is as before and the record says why. */
START_TEST(each_step_fails_once)
{
	char *before, *after;
	unsigned int calls;
	int got;

	fake->vfs[1].trust = 1;
	before = vtct_pf_state(fake);
	ask_all(0);
	ask_all(1);
	calls = vtct_calls(k, VTCT_ANY);
	vtct_fail_nth(k, VTCT_ANY, (unsigned int)_i + 1, -ENOBUFS);
	got = apply(2, 0);
	calls = vtct_calls(k, VTCT_ANY) - calls;
	/* The loop is long enough if its end meets no call any more. */
	ck_assert(_i + 1 < STEPS_TRIED || calls < STEPS_TRIED);
	if (got == 0) {
		ck_assert_uint_eq(fake->vfs[1].rss_query, 1);
	} else {
		after = vtct_pf_state(fake);
		ck_assert_str_eq(before, after);
		ck_assert_int_eq(vtc_error_get_code(vtc_ctx_last_error(ctx)), got);
		free(after);
	}
	free(before);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vf-apply");
	TCase *tc = tcase_create("vf-apply");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, bad_values);
	tcase_add_test(tc, bad_parameters);
	tcase_add_test(tc, everything_at_once);
	tcase_add_test(tc, no_more_messages_than_needed);
	tcase_add_test(tc, what_is_there_is_sent_again);
	tcase_add_test(tc, one_rate_keeps_the_other);
	tcase_add_test(tc, rates_that_contradict);
	tcase_add_test(tc, a_rate_whose_partner_is_unknown);
	tcase_add_test(tc, clearing);
	tcase_add_test(tc, a_driver_that_refuses_zeros);
	tcase_add_test(tc, vlan_protocols);
	tcase_add_test(tc, the_order_of_messages);
	tcase_add_test(tc, a_message_is_as_the_kernel_wants_it);
	tcase_add_test(tc, a_vf_that_does_not_exist);
	tcase_add_test(tc, what_the_kernel_says_is_kept);
	tcase_add_test(tc, hints);
	tcase_add_loop_test(tc, all_or_nothing, 0, 7);
	tcase_add_test(tc, best_effort);
	tcase_add_test(tc, putting_back_fails);
	tcase_add_test(tc, what_was_not_known_cannot_be_put_back);
	tcase_add_test(tc, what_is_not_reported_is_not_waited_for);
	tcase_add_test(tc, what_comes_late_is_waited_for);
	tcase_add_test(tc, what_does_not_come_is_an_error);
	tcase_add_test(tc, the_time_for_reading_back);
	tcase_add_test(tc, reading_back_fails);
	tcase_add_test(tc, a_pf_that_vanished);
	tcase_add_test(tc, a_pf_that_vanishes_under_way);
	tcase_add_test(tc, a_lost_answer);
	tcase_add_test(tc, interrupted);
	tcase_add_test(tc, another_process_holds_the_lock);
	tcase_add_test(tc, a_dry_run_changes_nothing);
	tcase_add_loop_test(tc, each_step_fails_once, 0, STEPS_TRIED);
	suite_add_tcase(s, tc);
	return vtct_main(s, NULL);
}
