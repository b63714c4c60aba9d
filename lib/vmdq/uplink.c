/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which card. */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "core/netlink.h"
#include "core/sysfs.h"
#include "core/text.h"
#include "uplink.h"

/* ---- Interfaces, as rtnetlink tells of them ---- */

struct link {
	uint32_t ifindex; /* 0: none yet */
	char name[VTC__IFNAME_LEN];
	char parent[64]; /* "": not told */
};

static int parse_link(const struct nlmsghdr *msg, struct link *ret)
{
	const struct nlattr *tb[IFLA_PARENT_DEV_NAME + 1];
	const struct ifinfomsg *info = NLMSG_DATA(msg);
	struct link link = { .ifindex = 0 };
	const char *text;

	if (msg->nlmsg_type != RTM_NEWLINK ||
	    msg->nlmsg_len < NLMSG_LENGTH(sizeof(*info)) || info->ifi_index <= 0 ||
	    vtc__nlmsg_parse(msg, sizeof(*info), tb, IFLA_PARENT_DEV_NAME) ||
	    vtc__nla_str(tb[IFLA_IFNAME], &text) ||
	    vtc__text_copy(link.name, sizeof(link.name), text) ||
	    !vtc__name_ok(link.name))
		return -EPROTO;
	link.ifindex = (uint32_t)info->ifi_index;
	if (vtc__nla_str(tb[IFLA_PARENT_DEV_NAME], &text) ||
	    vtc__text_copy(link.parent, sizeof(link.parent), text))
		link.parent[0] = '\0';
	*ret = link;
	return 0;
}

static int take_link(void *arg, const struct nlmsghdr *msg)
{
	return parse_link(msg, arg);
}

/* By index, or if that is 0 by name. */
static int get_link(struct vtc_ctx *ctx, uint32_t ifindex, const char *name,
		    struct link *ret)
{
	struct ifinfomsg info = { .ifi_index = (int)ifindex };
	struct vtc__nlmsg *msg;
	struct vtc__nl *nl;
	int err = vtc__nl_rt(ctx, &nl);

	if (err)
		return err;
	msg = vtc__nlmsg_new(RTM_GETLINK, 0, 128);
	if (!msg)
		return -ENOMEM;
	ret->ifindex = 0;
	err = vtc__nlmsg_append(msg, &info, sizeof(info));
	if (!err && !ifindex)
		err = vtc__nlmsg_put_str(msg, IFLA_IFNAME, name);
	if (!err)
		err = vtc__nl_request(ctx, nl, msg, take_link, ret);
	vtc__nlmsg_free(msg);
	if (!err && !ret->ifindex)
		err = -EPROTO;
	return err;
}

/* Kernels before 5.14 do not tell the device of an interface. */
static void find_parent(struct vtc_ctx *ctx, struct link *link)
{
	char path[VTC__PATH_MAX];

	if (!link->parent[0] &&
	    (vtc__path(path, sizeof(path), "class/net/%s/device", link->name) ||
	     vtc__sysfs_link_name(ctx, path, link->parent, sizeof(link->parent))))
		link->parent[0] = '\0';
}

struct search {
	struct vtc_ctx *ctx;
	const char *address;
	struct link found;
};

/*
 * A device may have several interfaces: its own is the first, those of its functions'
 * representors came later.
 */
static int take_child(void *arg, const struct nlmsghdr *msg)
{
	struct search *s = arg;
	struct link link;
	int err = parse_link(msg, &link);

	if (err)
		return err;
	find_parent(s->ctx, &link);
	if (strcmp(link.parent, s->address) == 0 &&
	    (!s->found.ifindex || link.ifindex < s->found.ifindex))
		s->found = link;
	return 0;
}

static int find_child(struct vtc_ctx *ctx, const char *address, struct link *ret)
{
	struct search s = { .ctx = ctx, .address = address };
	struct ifinfomsg info = { .ifi_index = 0 };
	struct vtc__nlmsg *msg;
	struct vtc__nl *nl;
	int err = vtc__nl_rt(ctx, &nl);

	if (err)
		return err;
	msg = vtc__nlmsg_new(RTM_GETLINK, NLM_F_DUMP, 128);
	if (!msg)
		return -ENOMEM;
	err = vtc__nlmsg_append(msg, &info, sizeof(info));
	/* A dump that was changed under way has all the same told of what was found. */
	if (!err)
		err = vtc__nl_request(ctx, nl, msg, take_child, &s);
	vtc__nlmsg_free(msg);
	if (s.found.ifindex && (!err || err == -EAGAIN)) {
		*ret = s.found;
		return 0;
	}
	return err ? err : -ENODEV;
}

int vtc__ifindex(struct vtc_ctx *ctx, const char *name, uint32_t *ret)
{
	struct link link;
	int err;

	if (!name[0] || strlen(name) >= VTC__IFNAME_LEN)
		return -ENODEV;
	err = get_link(ctx, 0, name, &link);
	if (!err)
		*ret = link.ifindex;
	return err;
}

int vtc__ifname(struct vtc_ctx *ctx, uint32_t ifindex, char name[VTC__IFNAME_LEN])
{
	struct link link;
	int err;

	if (!ifindex || ifindex > INT32_MAX)
		return -ENODEV;
	err = get_link(ctx, ifindex, NULL, &link);
	if (!err)
		memcpy(name, link.name, VTC__IFNAME_LEN);
	return err;
}

/* ---- The card ---- */

static void find_driver(struct vtc_ctx *ctx, struct vtc__uplink *uplink)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	char path[VTC__PATH_MAX];

	if (ctx->sys->ethtool(ctx->sys_priv, uplink->name, &info) == 0) {
		info.driver[sizeof(info.driver) - 1] = '\0';
		if (vtc__text_copy(uplink->driver, sizeof(uplink->driver), info.driver) ==
			    0 &&
		    info.driver[0])
			return;
	}
	if (vtc__path(path, sizeof(path), "class/net/%s/device/driver", uplink->name) ||
	    vtc__sysfs_link_name(ctx, path, uplink->driver, sizeof(uplink->driver)))
		uplink->driver[0] = '\0';
}

static void fill(struct vtc_ctx *ctx, struct link *link, struct vtc__uplink *ret)
{
	struct vtc__uplink uplink = { .ctx = ctx, .ifindex = link->ifindex };

	memcpy(uplink.name, link->name, sizeof(uplink.name));
	find_parent(ctx, link);
	memcpy(uplink.pci, link->parent, sizeof(uplink.pci));
	find_driver(ctx, &uplink);
	uplink.quirks = *vtc__quirks_find(uplink.driver);
	*ret = uplink;
}

static int find_link(struct vtc_ctx *ctx, const char *nic, struct link *ret)
{
	char address[VTC__BDF_LEN];
	int err = -ENODEV;

	if (nic[0] && strlen(nic) < VTC__IFNAME_LEN)
		err = get_link(ctx, 0, nic, ret);
	if (err == -ENODEV && nic[0])
		err = find_child(
			ctx, vtc__text_bdf(nic, address, sizeof(address)) ? nic : address,
			ret);
	return err;
}

int vtc__uplink_find(struct vtc_ctx *ctx, const char *nic, const char *operation,
		     struct vtc__uplink *ret)
{
	struct link link;
	int err;

	if (!nic)
		return vtc__err_arg(ctx, operation, "nic is NULL");
	err = find_link(ctx, nic, &link);
	if (!err) {
		fill(ctx, &link, ret);
		return 0;
	}
	vtc__err(ctx, err, VTC_ERROR_ORIGIN_NETLINK, operation, "%s", nic);
	if (err == -ENODEV) {
		vtc__err_message(ctx, "there is no such network card here");
		vtc__err_hint(ctx,
			      "give the name of an interface of this network "
			      "namespace, or the bus address of a device that has one");
	}
	return err;
}

int vtc__uplink_by_index(struct vtc_ctx *ctx, uint32_t ifindex, struct vtc__uplink *ret)
{
	struct vtc__uplink gone = { .ctx = ctx, .ifindex = ifindex };
	struct link link;
	int err = get_link(ctx, ifindex, NULL, &link);

	if (!err) {
		fill(ctx, &link, ret);
	} else if (err == -ENODEV) {
		gone.gone = true;
		gone.quirks = *vtc__quirks_find("");
		*ret = gone;
	}
	return err;
}

int vtc__uplink_refresh(struct vtc__uplink *uplink)
{
	return vtc__ifname(uplink->ctx, uplink->ifindex, uplink->name);
}

/* ---- Its journal ---- */

static int get_namespace(struct vtc_ctx *ctx, uint64_t *ret)
{
	return ctx->sys->netns(ctx->sys_priv, ret);
}

int vtc__uplink_journal_name(const struct vtc__uplink *uplink, char *buf, size_t len)
{
	uint64_t ns;
	int err = get_namespace(uplink->ctx, &ns);

	return err ? err
		   : vtc__path(buf, len, VTC__UPLINK_JOURNAL "%llu-%u",
			       (unsigned long long)ns, uplink->ifindex);
}

int vtc__uplink_of_journal(struct vtc_ctx *ctx, const char *journal_name,
			   uint32_t *ret_ifindex)
{
	char want[64];
	const char *dash;
	uint64_t ns, ifindex;
	int err = get_namespace(ctx, &ns);

	if (!err)
		err = vtc__path(want, sizeof(want), VTC__UPLINK_JOURNAL "%llu-",
				(unsigned long long)ns);
	if (err)
		return err;
	dash = strrchr(journal_name, '-');
	if (!vtc__text_starts(journal_name, want) || !dash ||
	    vtc__text_u64(dash + 1, INT32_MAX, &ifindex) || !ifindex)
		return 0;
	*ret_ifindex = (uint32_t)ifindex;
	return 1;
}
