/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The macvlan interface of a pool. No attribute of it says whether the card sorts its
 * frames; but if the kernel does, the card has to take the address beside its own, and
 * lists it.
 */
#include "link.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "core/netlink.h"

#define MESSAGE_SIZE 512

/* ---- What is there ---- */

struct found {
	const struct vtc__link *want;
	struct rtnl_link_stats64 stats;
	uint32_t ifindex; /* 0: none that is ours */
	bool up;
};

static bool is_ours(const struct vtc__link *want, const struct nlattr **tb)
{
	const struct nlattr *info[IFLA_INFO_KIND + 1];
	struct vtc_mac mac;
	const char *kind;
	uint32_t lower;

	return !vtc__nla_u32(tb[IFLA_LINK], &lower) && lower == want->lower &&
	       tb[IFLA_ADDRESS] && vtc__nla_len(tb[IFLA_ADDRESS]) == sizeof(mac) &&
	       !memcmp(vtc__nla_data(tb[IFLA_ADDRESS]), &want->mac, sizeof(mac)) &&
	       tb[IFLA_LINKINFO] &&
	       !vtc__nla_parse_nested(tb[IFLA_LINKINFO], info, IFLA_INFO_KIND) &&
	       !vtc__nla_str(info[IFLA_INFO_KIND], &kind) && !strcmp(kind, "macvlan");
}

static int take_link(void *arg, const struct nlmsghdr *msg)
{
	const struct nlattr *tb[IFLA_STATS64 + 1];
	const struct ifinfomsg *info = NLMSG_DATA(msg);
	struct found *found = arg;

	if (msg->nlmsg_type != RTM_NEWLINK ||
	    msg->nlmsg_len < NLMSG_LENGTH(sizeof(*info)) || info->ifi_index <= 0 ||
	    vtc__nlmsg_parse(msg, sizeof(*info), tb, IFLA_STATS64))
		return -EPROTO;
	if (!is_ours(found->want, tb))
		return 0;
	found->ifindex = (uint32_t)info->ifi_index;
	found->up = info->ifi_flags & IFF_UP;
	if (tb[IFLA_STATS64])
		memcpy(&found->stats, vtc__nla_data(tb[IFLA_STATS64]),
		       vtc__nla_len(tb[IFLA_STATS64]) < sizeof(found->stats)
			       ? vtc__nla_len(tb[IFLA_STATS64])
			       : sizeof(found->stats));
	return 0;
}

/* Send a message that was built with this result, and be done with it. */
static int request(struct vtc_ctx *ctx, struct vtc__nlmsg *msg, int err, vtc__nl_fn fn,
		   void *arg)
{
	struct vtc__nl *nl;

	if (!err)
		err = vtc__nl_rt(ctx, &nl);
	if (!err)
		err = vtc__nl_request(ctx, nl, msg, fn, arg);
	vtc__nlmsg_free(msg);
	return err;
}

static struct vtc__nlmsg *link_msg(uint16_t type, uint16_t flags,
				   const struct ifinfomsg *info, int *ret_err)
{
	struct vtc__nlmsg *msg = vtc__nlmsg_new(type, flags, MESSAGE_SIZE);

	*ret_err = msg ? vtc__nlmsg_append(msg, info, sizeof(*info)) : -ENOMEM;
	return msg;
}

static int ask(struct vtc_ctx *ctx, const struct vtc__link *want, uint32_t ifindex,
	       struct found *found)
{
	struct ifinfomsg info = { .ifi_index = (int)ifindex };
	struct vtc__nlmsg *msg;
	int err;

	*found = (struct found){ .want = want };
	msg = link_msg(RTM_GETLINK, 0, &info, &err);
	if (!err && !ifindex)
		err = vtc__nlmsg_put_str(msg, IFLA_IFNAME, want->name);
	err = request(ctx, msg, err, take_link, found);
	return err == -ENODEV ? 0 : err;
}

/*
 * By index, since it can be renamed; by name if that is not known, or was not noted when
 * it was made anew with another. found->ifindex 0: it is not there.
 */
static int find(struct vtc_ctx *ctx, const struct vtc__link *want, struct found *found)
{
	int err = want->ifindex ? ask(ctx, want, want->ifindex, found) : 0;

	if (err || (want->ifindex && found->ifindex))
		return err;
	return ask(ctx, want, 0, found);
}

/* ---- Whether the card sorts ---- */

struct addresses {
	const struct vtc__link *link;
	bool listed;
};

static int take_address(void *arg, const struct nlmsghdr *msg)
{
	const struct nlattr *tb[NDA_LLADDR + 1];
	const struct ndmsg *nd = NLMSG_DATA(msg);
	struct addresses *addresses = arg;
	const struct vtc__link *link = addresses->link;

	if (msg->nlmsg_type != RTM_NEWNEIGH ||
	    msg->nlmsg_len < NLMSG_LENGTH(sizeof(*nd)) ||
	    vtc__nlmsg_parse(msg, sizeof(*nd), tb, NDA_LLADDR))
		return -EPROTO;
	if ((uint32_t)nd->ndm_ifindex == link->lower && nd->ndm_flags & NTF_SELF &&
	    tb[NDA_LLADDR] && vtc__nla_len(tb[NDA_LLADDR]) == sizeof(link->mac) &&
	    !memcmp(vtc__nla_data(tb[NDA_LLADDR]), &link->mac, sizeof(link->mac)))
		addresses->listed = true;
	return 0;
}

/* 1: the card does; 0: the kernel. */
static int is_offloaded(struct vtc_ctx *ctx, const struct vtc__link *link)
{
	struct addresses addresses = { .link = link };
	struct ifinfomsg info = { .ifi_family = PF_BRIDGE,
				  .ifi_index = (int)link->lower };
	struct vtc__nlmsg *msg;
	int err;

	msg = link_msg(RTM_GETNEIGH, NLM_F_DUMP, &info, &err);
	err = request(ctx, msg, err, take_address, &addresses);
	return err ? err : !addresses.listed;
}

/* ---- Making and ending it ---- */

static int put_kind(struct vtc__nlmsg *msg)
{
	struct nlattr *info = vtc__nlmsg_nest(msg, IFLA_LINKINFO), *data;
	int err = info ? vtc__nlmsg_put_str(msg, IFLA_INFO_KIND, "macvlan") : -EMSGSIZE;

	if (err)
		return err;
	data = vtc__nlmsg_nest(msg, IFLA_INFO_DATA);
	err = data ? vtc__nlmsg_put_u32(msg, IFLA_MACVLAN_MODE, MACVLAN_MODE_PRIVATE)
		   : -EMSGSIZE;
	if (data)
		vtc__nlmsg_nest_end(msg, data);
	vtc__nlmsg_nest_end(msg, info);
	return err;
}

/* With the index that it had before, if it was lost: others may know it by that. */
static int create(struct vtc_ctx *ctx, const struct vtc__link *link)
{
	struct ifinfomsg info = { .ifi_index = (int)link->ifindex,
				  .ifi_flags = IFF_UP,
				  .ifi_change = IFF_UP };
	struct vtc__nlmsg *msg;
	int err;

	msg = link_msg(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info, &err);
	if (!err)
		err = vtc__nlmsg_put_str(msg, IFLA_IFNAME, link->name);
	if (!err)
		err = vtc__nlmsg_put_u32(msg, IFLA_LINK, link->lower);
	if (!err)
		err = vtc__nlmsg_put(msg, IFLA_ADDRESS, &link->mac, sizeof(link->mac));
	if (!err)
		err = vtc__nlmsg_put_u32(msg, IFLA_NUM_TX_QUEUES, 1);
	if (!err)
		err = put_kind(msg);
	return request(ctx, msg, err, NULL, NULL);
}

static int delete (struct vtc_ctx *ctx, uint32_t ifindex)
{
	struct ifinfomsg info = { .ifi_index = (int)ifindex };
	struct vtc__nlmsg *msg;
	int err;

	msg = link_msg(RTM_DELLINK, 0, &info, &err);
	return request(ctx, msg, err, NULL, NULL);
}

static int set_up(struct vtc_ctx *ctx, uint32_t ifindex, bool up)
{
	struct ifinfomsg info = { .ifi_index = (int)ifindex,
				  .ifi_flags = up ? IFF_UP : 0,
				  .ifi_change = IFF_UP };
	struct vtc__nlmsg *msg;
	int err;

	msg = link_msg(RTM_SETLINK, 0, &info, &err);
	return request(ctx, msg, err, NULL, NULL);
}

/* ---- The step ---- */

static int load(const void *data, size_t len, struct vtc__link *ret)
{
	if (len < sizeof(*ret))
		return -EPROTO;
	memcpy(ret, data, sizeof(*ret));
	return memchr(ret->name, 0, sizeof(ret->name)) ? 0 : -EPROTO;
}

static int explain(struct vtc__txn *txn, const struct vtc__link *link, int err)
{
	struct vtc__nl *nl;

	vtc__err(txn->ctx, err, VTC_ERROR_ORIGIN_NETLINK, txn->operation,
		 "%s: macvlan %s", txn->uplink.name, link->name);
	if (vtc__nl_rt(txn->ctx, &nl) == 0)
		vtc__err_message(txn->ctx, "%s", vtc__nl_message(nl));
	if (err == -EBUSY)
		vtc__err_hint(txn->ctx, "a card cannot be a port of a bridge and carry "
					"macvlans");
	if (err == -EOPNOTSUPP)
		vtc__err_hint(txn->ctx, "load the kernel module macvlan");
	return err;
}

/* The card is asked to sort when the interface goes up. */
static int bring_up(struct vtc_ctx *ctx, const struct found *found)
{
	int err = found->up ? set_up(ctx, found->ifindex, false) : 0;

	return err ? err : set_up(ctx, found->ifindex, true);
}

static int make(struct vtc_ctx *ctx, struct vtc__link *link)
{
	struct found found;
	int err = find(ctx, link, &found);

	if (err)
		return err;
	if (found.ifindex)
		return bring_up(ctx, &found);
	err = create(ctx, link);
	/* Somebody else has its index by now. */
	if (err == -EBUSY && link->ifindex) {
		link->ifindex = 0;
		err = create(ctx, link);
	}
	return err;
}

/* What the kernel chose. */
static int learn(struct vtc_ctx *ctx, struct vtc__link *link)
{
	int err = vtc__ifindex(ctx, link->name, &link->ifindex);
	int offloaded = err ? err : is_offloaded(ctx, link);

	if (offloaded < 0)
		return offloaded;
	link->offloaded = (uint16_t)offloaded;
	return 0;
}

static int link_apply(struct vtc__txn *txn, void *data, size_t len, bool *changed)
{
	struct vtc__link link;
	int err = load(data, len, &link);

	if (err)
		return err;
	err = make(txn->ctx, &link);
	if (err)
		return explain(txn, &link, err);
	err = learn(txn->ctx, &link);
	if (err) {
		explain(txn, &link, err);
		if (link.ifindex)
			(void)delete (txn->ctx, link.ifindex);
		return err;
	}
	memcpy(data, &link, sizeof(link));
	*changed = true;
	return 0;
}

static int link_check(struct vtc__txn *txn, const void *data, size_t len, char *text,
		      size_t text_len)
{
	struct vtc__link link;
	struct found found = { .up = false };
	int err = load(data, len, &link);

	if (!err)
		err = find(txn->ctx, &link, &found);
	if (err)
		return err;
	if (!found.ifindex || !found.up) {
		snprintf(text, text_len, "interface %s is %s", link.name,
			 found.ifindex ? "down" : "gone");
		return 0;
	}
	if (!link.offloaded)
		return 1;
	err = is_offloaded(txn->ctx, &link);
	if (err == 0)
		snprintf(text, text_len, "the card does not sort for %s any more",
			 link.name);
	return err;
}

static int link_undo(struct vtc__txn *txn, const void *data, size_t len)
{
	struct vtc__link link;
	struct found found = { .up = false };
	int err = load(data, len, &link);

	if (err)
		return err;
	err = find(txn->ctx, &link, &found);
	if (!err && found.ifindex)
		err = delete (txn->ctx, found.ifindex);
	return err && err != -ENODEV ? explain(txn, &link, err) : 0;
}

const struct vtc__step_kind vtc__step_link = {
	.name = "link",
	.apply = link_apply,
	.check = link_check,
	.undo = link_undo,
};

int vtc__link_of(struct vtc__txn *txn, const char *group, struct vtc__link *ret)
{
	const struct vtc__record *record =
		vtc__step_find(txn, group, vtc__step_link.name, 0);

	return record && !load(record->data, record->len, ret);
}

int vtc__link_stats(struct vtc_ctx *ctx, const struct vtc__link *link,
		    struct vtc_pool_stats *stats)
{
	struct found found;
	int err = find(ctx, link, &found);

	if (err)
		return err;
	if (!found.ifindex)
		return -ENODEV;
	stats->rx_packets = found.stats.rx_packets;
	stats->rx_bytes = found.stats.rx_bytes;
	stats->rx_dropped = found.stats.rx_dropped;
	stats->tx_packets = found.stats.tx_packets;
	stats->tx_bytes = found.stats.tx_bytes;
	stats->tx_dropped = found.stats.tx_dropped;
	stats->valid |= VTC_POOL_STAT_RX_PACKETS | VTC_POOL_STAT_RX_BYTES |
			VTC_POOL_STAT_RX_DROPPED | VTC_POOL_STAT_TX_PACKETS |
			VTC_POOL_STAT_TX_BYTES | VTC_POOL_STAT_TX_DROPPED;
	return 0;
}
