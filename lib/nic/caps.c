/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What drivers can do, by generic netlink. Whether the kernel can be asked is taken from
 * each family's own list of operations; without an answer the capability stays unknown.
 */
#include <errno.h>
#include <linux/devlink.h>
#include <linux/ethtool_netlink.h>
#include <string.h>

#include "core/genl.h"
#include "nic.h"

/* From include/uapi/linux/netdev.h, which came with Linux 6.3. */
#define NETDEV_NAME		"netdev"
#define NETDEV_DEV_GET		1
#define NETDEV_DEV_IFINDEX	1
#define NETDEV_DEV_XDP_FEATURES 3
#define NETDEV_DEV_XDP_BASIC	(1u << 0)
#define NETDEV_DEV_XDP_REDIRECT (1u << 1)
#define NETDEV_DEV_XDP_NDO_XMIT (1u << 2)
#define NETDEV_DEV_XSK_ZEROCOPY (1u << 3)

/* From include/uapi/linux/net_shaper.h, which came with Linux 6.13. */
#define SHAPER_NAME	    "net-shaper"
#define SHAPER_CAP_GET	    5
#define SHAPER_CAPS_IFINDEX 1

#define REQUEST_SIZE  256
#define FEATURE_COUNT 5

struct families {
	struct vtc__genl_family ethtool, netdev, devlink, shaper;
};

/* A family that cannot be found has no operations. */
static int find_family(struct vtc_ctx *ctx, const char *name,
		       struct vtc__genl_family *ret)
{
	int err = vtc__genl_find(ctx, name, ret);

	if (err)
		*ret = (struct vtc__genl_family){ .id = 0 };
	return err == -ENOMEM ? err : 0;
}

static int find_families(struct vtc_ctx *ctx, struct families *families)
{
	int err = find_family(ctx, ETHTOOL_GENL_NAME, &families->ethtool);

	if (!err)
		err = find_family(ctx, NETDEV_NAME, &families->netdev);
	if (!err)
		err = find_family(ctx, DEVLINK_GENL_NAME, &families->devlink);
	if (!err)
		err = find_family(ctx, SHAPER_NAME, &families->shaper);
	return err;
}

/* Send a request that was built with this result, and be done with it. */
static int ask(struct vtc_ctx *ctx, struct vtc__nlmsg *msg, int err, vtc__nl_fn fn,
	       void *arg)
{
	struct vtc__nl *nl;

	if (!err)
		err = vtc__nl_genl(ctx, &nl);
	if (!err)
		err = vtc__nl_request(ctx, nl, msg, fn, arg);
	vtc__nlmsg_free(msg);
	return err;
}

static void set_caps(int *caps, enum vtc_nic_cap first, size_t count, int value)
{
	for (size_t i = 0; i < count; i++)
		caps[(size_t)first + i] = value;
}

/* ---- ethtool: features and channels ---- */

static struct vtc__nlmsg *ethtool_msg(const struct vtc__genl_family *family, uint8_t cmd,
				      uint32_t ifindex, int *ret_err)
{
	struct vtc__nlmsg *msg = vtc__genl_msg(family, cmd, 0, REQUEST_SIZE);
	struct nlattr *nest;

	*ret_err = -ENOMEM;
	if (!msg)
		return NULL;
	/* Number 1 is the header in the requests of all ethtool commands. */
	nest = vtc__nlmsg_nest(msg, ETHTOOL_A_FEATURES_HEADER);
	*ret_err = nest ? vtc__nlmsg_put_u32(msg, ETHTOOL_A_HEADER_DEV_INDEX, ifindex)
			: -EMSGSIZE;
	if (nest)
		vtc__nlmsg_nest_end(msg, nest);
	return msg;
}

static void set_feature(const char *name, int level, int *caps)
{
	static const char *const names[FEATURE_COUNT] = {
		[VTC_NIC_CAP_NTUPLE] = "rx-ntuple-filter",
		[VTC_NIC_CAP_HW_TC] = "hw-tc-offload",
		[VTC_NIC_CAP_L2_FORWARD] = "l2-fwd-offload",
		[VTC_NIC_CAP_VLAN_FILTER] = "rx-vlan-filter",
		[VTC_NIC_CAP_RX_HASH] = "rx-hashing",
	};

	for (size_t i = 0; i < FEATURE_COUNT; i++) {
		if (strcmp(names[i], name) == 0)
			caps[i] = level;
	}
}

/* A set lists its members by name; with a mask, it lists others, too, without a value. */
static int take_feature_set(const struct nlattr *set, int level, int *caps)
{
	const struct nlattr *tb[ETHTOOL_A_BITSET_MAX + 1];
	const struct nlattr *bit = NULL;
	bool masked;

	if (!set || vtc__nla_parse_nested(set, tb, ETHTOOL_A_BITSET_MAX) ||
	    !tb[ETHTOOL_A_BITSET_BITS])
		return -EPROTO;
	masked = !tb[ETHTOOL_A_BITSET_NOMASK];
	while ((bit = vtc__nla_foreach_next(tb[ETHTOOL_A_BITSET_BITS], bit))) {
		const struct nlattr *member[ETHTOOL_A_BITSET_BIT_MAX + 1];
		const char *name;

		if (vtc__nla_parse_nested(bit, member, ETHTOOL_A_BITSET_BIT_MAX) ||
		    vtc__nla_str(member[ETHTOOL_A_BITSET_BIT_NAME], &name))
			return -EPROTO;
		if (!masked || member[ETHTOOL_A_BITSET_BIT_VALUE])
			set_feature(name, level, caps);
	}
	return 0;
}

static int take_features(void *arg, const struct nlmsghdr *msg)
{
	const struct nlattr *tb[ETHTOOL_A_FEATURES_MAX + 1];
	int err = vtc__genl_parse(msg, tb, ETHTOOL_A_FEATURES_MAX);

	set_caps(arg, VTC_NIC_CAP_NTUPLE, FEATURE_COUNT, VTC_CAP_ABSENT);
	if (!err)
		err = take_feature_set(tb[ETHTOOL_A_FEATURES_HW], VTC_CAP_AVAILABLE, arg);
	if (!err)
		err = take_feature_set(tb[ETHTOOL_A_FEATURES_ACTIVE], VTC_CAP_ACTIVE,
				       arg);
	return err;
}

static int probe_features(struct vtc_ctx *ctx, const struct vtc__genl_family *family,
			  uint32_t ifindex, int *caps)
{
	int answer[FEATURE_COUNT];
	struct vtc__nlmsg *msg;
	int err;

	if (!vtc__genl_has_op(family, ETHTOOL_MSG_FEATURES_GET))
		return 0;
	set_caps(answer, VTC_NIC_CAP_NTUPLE, FEATURE_COUNT, -ENODATA);
	msg = ethtool_msg(family, ETHTOOL_MSG_FEATURES_GET, ifindex, &err);
	err = ask(ctx, msg, err, take_features, answer);
	if (!err)
		memcpy(caps, answer, sizeof(answer));
	if (err == -EOPNOTSUPP)
		set_caps(caps, VTC_NIC_CAP_NTUPLE, FEATURE_COUNT, VTC_CAP_ABSENT);
	return err;
}

struct channels_answer {
	struct vtc_channels channels;
	bool complete;
};

static int take_channels(void *arg, const struct nlmsghdr *msg)
{
	const struct nlattr *tb[ETHTOOL_A_CHANNELS_MAX + 1];
	struct channels_answer *answer = arg;
	struct vtc_channels *c = &answer->channels;
	const struct {
		int type;
		uint32_t *place;
	} counts[] = {
		{ ETHTOOL_A_CHANNELS_RX_COUNT, &c->rx },
		{ ETHTOOL_A_CHANNELS_TX_COUNT, &c->tx },
		{ ETHTOOL_A_CHANNELS_COMBINED_COUNT, &c->combined },
		{ ETHTOOL_A_CHANNELS_RX_MAX, &c->max_rx },
		{ ETHTOOL_A_CHANNELS_TX_MAX, &c->max_tx },
		{ ETHTOOL_A_CHANNELS_COMBINED_MAX, &c->max_combined },
	};

	if (vtc__genl_parse(msg, tb, ETHTOOL_A_CHANNELS_MAX))
		return -EPROTO;
	/* The kernel leaves out the kinds of queue that the device does not have. */
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		int err = vtc__nla_u32(tb[counts[i].type], counts[i].place);

		if (err && err != -ENODATA)
			return err;
	}
	answer->complete = true;
	return 0;
}

static int probe_channels(struct vtc_ctx *ctx, const struct vtc__genl_family *family,
			  uint32_t ifindex, struct vtc_nic *nic)
{
	struct channels_answer answer = { .complete = false };
	struct vtc__nlmsg *msg;
	int err;

	if (!vtc__genl_has_op(family, ETHTOOL_MSG_CHANNELS_GET))
		return 0;
	msg = ethtool_msg(family, ETHTOOL_MSG_CHANNELS_GET, ifindex, &err);
	err = ask(ctx, msg, err, take_channels, &answer);
	if (!err && answer.complete) {
		nic->channels = answer.channels;
		nic->channels_state = 1;
	}
	if (err == -EOPNOTSUPP)
		nic->channels_state = 0;
	return err;
}

/* ---- netdev: XDP ---- */

static int take_xdp(void *arg, const struct nlmsghdr *msg)
{
	const struct nlattr *tb[NETDEV_DEV_XDP_FEATURES + 1];
	int *caps = arg;
	uint64_t features;

	if (vtc__genl_parse(msg, tb, NETDEV_DEV_XDP_FEATURES) ||
	    vtc__nla_u64(tb[NETDEV_DEV_XDP_FEATURES], &features))
		return -EPROTO;
	set_caps(caps, VTC_NIC_CAP_XDP, 3, VTC_CAP_ABSENT);
	if (features & NETDEV_DEV_XDP_BASIC)
		caps[VTC_NIC_CAP_XDP] = VTC_CAP_AVAILABLE;
	/* Many drivers take redirected packets only while they run a program. */
	if (features & NETDEV_DEV_XDP_REDIRECT)
		caps[VTC_NIC_CAP_XDP_REDIRECT] = features & NETDEV_DEV_XDP_NDO_XMIT
							 ? VTC_CAP_ACTIVE
							 : VTC_CAP_AVAILABLE;
	if (features & NETDEV_DEV_XSK_ZEROCOPY)
		caps[VTC_NIC_CAP_XDP_ZEROCOPY] = VTC_CAP_AVAILABLE;
	return 0;
}

static int probe_xdp(struct vtc_ctx *ctx, const struct vtc__genl_family *family,
		     uint32_t ifindex, int *caps)
{
	struct vtc__nlmsg *msg;
	int err;

	if (!vtc__genl_has_op(family, NETDEV_DEV_GET))
		return 0;
	msg = vtc__genl_msg(family, NETDEV_DEV_GET, 0, REQUEST_SIZE);
	err = msg ? vtc__nlmsg_put_u32(msg, NETDEV_DEV_IFINDEX, ifindex) : -ENOMEM;
	err = ask(ctx, msg, err, take_xdp, caps);
	if (err == -EOPNOTSUPP)
		set_caps(caps, VTC_NIC_CAP_XDP, 3, VTC_CAP_ABSENT);
	return err;
}

/* ---- devlink and net-shaper: is there one? ---- */

static int take_any(void *arg, const struct nlmsghdr *msg)
{
	bool *seen = arg;

	(void)msg;
	*seen = true;
	return 0;
}

static int probe_devlink(struct vtc_ctx *ctx, const struct vtc__genl_family *family,
			 const struct vtc_nic *nic, int *caps)
{
	struct vtc__nlmsg *msg;
	bool seen = false;
	int err;

	if (!vtc__genl_has_op(family, DEVLINK_CMD_GET))
		return 0;
	msg = vtc__genl_msg(family, DEVLINK_CMD_GET, 0, REQUEST_SIZE);
	err = msg ? vtc__nlmsg_put_str(msg, DEVLINK_ATTR_BUS_NAME, nic->bus) : -ENOMEM;
	if (!err)
		err = vtc__nlmsg_put_str(msg, DEVLINK_ATTR_DEV_NAME, nic->address);
	err = ask(ctx, msg, err, take_any, &seen);
	if (!err && seen)
		caps[VTC_NIC_CAP_DEVLINK] = VTC_CAP_ACTIVE;
	if (err == -ENODEV || err == -EOPNOTSUPP)
		caps[VTC_NIC_CAP_DEVLINK] = VTC_CAP_ABSENT;
	return err;
}

static int probe_shaper(struct vtc_ctx *ctx, const struct vtc__genl_family *family,
			uint32_t ifindex, int *caps)
{
	struct vtc__nlmsg *msg;
	bool seen = false;
	int err;

	if (!vtc__genl_has_op(family, SHAPER_CAP_GET))
		return 0;
	/* A dump: there is one answer for each scope that the device can shape. */
	msg = vtc__genl_msg(family, SHAPER_CAP_GET, NLM_F_DUMP, REQUEST_SIZE);
	err = msg ? vtc__nlmsg_put_u32(msg, SHAPER_CAPS_IFINDEX, ifindex) : -ENOMEM;
	err = ask(ctx, msg, err, take_any, &seen);
	if (!err || err == -EOPNOTSUPP)
		caps[VTC_NIC_CAP_SHAPER] =
			!err && seen ? VTC_CAP_AVAILABLE : VTC_CAP_ABSENT;
	return err;
}

static int probe(struct vtc_ctx *ctx, const struct families *families,
		 struct vtc_nic *nic)
{
	uint32_t ifindex = nic->netdevs[0].ifindex;
	int results[] = {
		probe_features(ctx, &families->ethtool, ifindex, nic->caps),
		probe_channels(ctx, &families->ethtool, ifindex, nic),
		probe_xdp(ctx, &families->netdev, ifindex, nic->caps),
		probe_devlink(ctx, &families->devlink, nic, nic->caps),
		probe_shaper(ctx, &families->shaper, ifindex, nic->caps),
	};

	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		if (results[i] == -ENOMEM)
			return -ENOMEM;
	}
	return 0;
}

int vtc__caps_fill(struct vtc_ctx *ctx, struct vtc_inventory *inventory)
{
	struct families families;
	int err = find_families(ctx, &families);

	for (size_t i = 0; !err && i < inventory->nic_count; i++) {
		if (inventory->nics[i].netdev_count)
			err = probe(ctx, &families, &inventory->nics[i]);
	}
	return err;
}
