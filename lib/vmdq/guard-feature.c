/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel tells of an interface and programs, by the netdev family. */
#include <errno.h>

#include "core/genl.h"
#include "guard-internal.h"

/* linux/netdev.h, which is newer than the oldest headers that we build with. */
enum {
	NETDEV_CMD_DEV_GET = 1,
	NETDEV_A_DEV_IFINDEX = 1,
	NETDEV_A_DEV_XDP_FEATURES = 3,
	NETDEV_A_DEV_XDP_RX_METADATA_FEATURES = 5,
};

#define NETDEV_XDP_ACT_NDO_XMIT		(1u << 2)
#define NETDEV_XDP_ACT_NDO_XMIT_SG	(1u << 6)
#define NETDEV_XDP_RX_METADATA_VLAN_TAG (1u << 2)

static int take(void *arg, const struct nlmsghdr *msg)
{
	const struct nlattr *tb[NETDEV_A_DEV_XDP_RX_METADATA_FEATURES + 1];
	uint64_t features = 0, metadata = 0;
	uint32_t *ret = arg;
	int err = vtc__genl_parse(msg, tb, NETDEV_A_DEV_XDP_RX_METADATA_FEATURES);

	if (err < 0)
		return err;
	err = vtc__nla_u64(tb[NETDEV_A_DEV_XDP_FEATURES], &features);
	if (err < 0 && err != -ENODATA)
		return err;
	err = vtc__nla_u64(tb[NETDEV_A_DEV_XDP_RX_METADATA_FEATURES], &metadata);
	if (err < 0 && err != -ENODATA)
		return err;
	if (features & NETDEV_XDP_ACT_NDO_XMIT)
		*ret |= VTC__GUARD_CAN_TAKE;
	if (features & NETDEV_XDP_ACT_NDO_XMIT_SG)
		*ret |= VTC__GUARD_CAN_TAKE_PARTS;
	if (metadata & NETDEV_XDP_RX_METADATA_VLAN_TAG)
		*ret |= VTC__GUARD_CAN_TELL_TAGS;
	return 0;
}

int vtc__guard_features(struct vtc_ctx *ctx, uint32_t ifindex, uint32_t *ret)
{
	struct vtc__genl_family family;
	struct vtc__nlmsg *msg;
	uint32_t features = 0;
	struct vtc__nl *nl;
	int err = vtc__genl_find(ctx, "netdev", &family);

	if (err == 0)
		err = vtc__nl_genl(ctx, &nl);
	if (err < 0)
		return err;
	msg = vtc__genl_msg(&family, NETDEV_CMD_DEV_GET, 0, 64);
	if (!msg)
		return -ENOMEM;
	err = vtc__nlmsg_put_u32(msg, NETDEV_A_DEV_IFINDEX, ifindex);
	if (err == 0)
		err = vtc__nl_request(ctx, nl, msg, take, &features);
	vtc__nlmsg_free(msg);
	if (err == 0)
		*ret = features;
	return err;
}
