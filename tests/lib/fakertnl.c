/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rtnetlink of the fake kernel: RTM_GETLINK and RTM_SETLINK, and the broadcasts that
 * follow.
 */
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "fakekernel-internal.h"

/* ---- Links ---- */

struct vtct_link *vtct_link_find(struct vtct_kernel *k, uint32_t ifindex)
{
	size_t i;

	for (i = 0; i < k->link_count; i++)
		if (k->links[i].ifindex == ifindex)
			return &k->links[i];
	return NULL;
}

static void put_vfs(struct vtct_buf *buf, const struct vtct_pf *pf, bool stats)
{
	size_t list;
	uint32_t i;

	vtct_put_u32(buf, IFLA_NUM_VF, pf->num_vfs);
	list = vtct_nest(buf, IFLA_VFINFO_LIST);
	for (i = 0; i < pf->num_vfs; i++)
		vtct_put_vf_info(buf, pf, i, stats);
	vtct_nest_end(buf, list);
}

/* One RTM_NEWLINK or _DELLINK; mask: RTEXT_FILTER_. */
static void put_link(struct vtct_kernel *k, struct vtct_buf *buf, uint16_t type,
		     const struct nlmsghdr *request, uint16_t flags,
		     const struct vtct_link *link, uint32_t mask)
{
	struct ifinfomsg head = { .ifi_index = (int)link->ifindex };
	const struct vtct_pf *pf = vtct_pf_of_ifindex(k, link->ifindex);
	size_t msg;

	head.ifi_type = (unsigned short)(link->ifindex == 1 ? 772 : 1);
	head.ifi_flags = (link->up ? IFF_UP : 0u) |
			 (link->carrier ? IFF_RUNNING | IFF_LOWER_UP : 0u);
	msg = vtct_msg(buf, type, flags, request ? request->nlmsg_seq : 0, &head,
		       sizeof(head));
	vtct_put_str(buf, IFLA_IFNAME, link->name);
	vtct_put_u8(buf, IFLA_OPERSTATE, link->carrier ? 6 : 2);
	vtct_put_u32(buf, IFLA_MTU, link->mtu);
	vtct_put_u8(buf, IFLA_CARRIER, link->carrier);
	vtct_put(buf, IFLA_ADDRESS, link->mac, 6);
	if (pf && mask & RTEXT_FILTER_VF)
		put_vfs(buf, pf, !(mask & RTEXT_FILTER_SKIP_STATS));
	if (link->parent[0]) {
		vtct_put_str(buf, IFLA_PARENT_DEV_NAME, link->parent);
		vtct_put_str(buf, IFLA_PARENT_DEV_BUS_NAME, link->parent_bus);
	}
	vtct_msg_end(buf, msg);
}

static void broadcast_link(struct vtct_kernel *k, uint16_t type,
			   const struct vtct_link *link)
{
	struct vtct_buf buf = VTCT_BUF_INIT;

	put_link(k, &buf, type, NULL, 0, link, 0);
	vtct_broadcast(k, NETLINK_ROUTE, RTNLGRP_LINK, buf.data, buf.len);
	vtct_buf_free(&buf);
}

void vtct_link_set(struct vtct_kernel *k, const struct vtct_link *link, bool broadcast)
{
	struct vtct_link *old = vtct_link_find(k, link->ifindex);

	if (!old) {
		k->links =
			vtct_realloc(k->links, (k->link_count + 1) * sizeof(*k->links));
		old = &k->links[k->link_count++];
	}
	*old = *link;
	if (broadcast)
		broadcast_link(k, RTM_NEWLINK, link);
}

void vtct_link_remove(struct vtct_kernel *k, uint32_t ifindex, bool broadcast)
{
	struct vtct_link *link = vtct_link_find(k, ifindex);
	struct vtct_link gone;

	if (!link)
		return;
	gone = *link;
	*link = k->links[--k->link_count];
	if (broadcast)
		broadcast_link(k, RTM_DELLINK, &gone);
}

/* ---- RTM_GETLINK ---- */

static uint32_t mask_of(const struct nlattr *const *tb)
{
	uint32_t mask = 0;

	if (tb[IFLA_EXT_MASK] && tb[IFLA_EXT_MASK]->nla_len >= NLA_HDRLEN + sizeof(mask))
		memcpy(&mask, (const char *)tb[IFLA_EXT_MASK] + NLA_HDRLEN, sizeof(mask));
	return mask;
}

static struct vtct_link *find_by_name(struct vtct_kernel *k, const struct nlattr *name)
{
	size_t i, len = name ? name->nla_len - (size_t)NLA_HDRLEN : 0;

	for (i = 0; len && i < k->link_count; i++)
		if (strncmp(k->links[i].name, (const char *)name + NLA_HDRLEN, len) == 0)
			return &k->links[i];
	return NULL;
}

static int get_link(const struct vtct_call_msg *call, const struct ifinfomsg *head,
		    const struct nlattr *const *tb)
{
	struct vtct_buf buf = VTCT_BUF_INIT;
	uint32_t mask = mask_of(tb);
	const struct vtct_link *link;
	const struct vtct_pf *pf;

	link = head->ifi_index ? vtct_link_find(call->k, (uint32_t)head->ifi_index)
			       : find_by_name(call->k, tb[IFLA_IFNAME]);
	if (!link)
		return -ENODEV;
	pf = vtct_pf_of_ifindex(call->k, link->ifindex);
	if (pf && mask & RTEXT_FILTER_VF && pf->list_error)
		return pf->list_error;
	put_link(call->k, &buf, RTM_NEWLINK, call->msg, 0, link, mask);
	vtct_answer(call, &buf);
	vtct_buf_free(&buf);
	return 0;
}

/* One datagram for each link, so that a dump has several; then NLMSG_DONE. */
static int dump_links(const struct vtct_call_msg *call, const struct nlattr *const *tb)
{
	struct vtct_buf buf = VTCT_BUF_INIT;
	const int zero = 0;
	size_t i, msg;

	for (i = 0; i < call->k->link_count; i++) {
		put_link(call->k, &buf, RTM_NEWLINK, call->msg, NLM_F_MULTI,
			 &call->k->links[i], mask_of(tb));
		vtct_answer(call, &buf);
		buf.len = 0;
	}
	msg = vtct_msg(&buf, NLMSG_DONE, NLM_F_MULTI, call->msg->nlmsg_seq, &zero,
		       sizeof(zero));
	vtct_msg_end(&buf, msg);
	vtct_answer(call, &buf);
	vtct_buf_free(&buf);
	return 0;
}

/* ---- RTM_SETLINK ---- */

static int set_up(struct vtct_kernel *k, struct vtct_link *link, bool up)
{
	struct vtct_pf *pf = vtct_pf_of_ifindex(k, link->ifindex);

	if (link->up == up)
		return 0;
	if (pf && pf->up_error)
		return pf->up_error;
	link->up = link->carrier = up;
	if (pf) {
		pf->up = up;
		vtct_tree_set_up(k->tree, pf->dir, pf->ifname, up);
	}
	broadcast_link(k, RTM_NEWLINK, link);
	return 0;
}

static int set_vfs(struct vtct_kernel *k, struct vtct_pf *pf, const struct nlattr *list)
{
	const char *at = (const char *)list + NLA_HDRLEN;
	const char *end = (const char *)list + list->nla_len;
	int err = 0;

	while (!err && end - at >= NLA_HDRLEN) {
		const struct nlattr *info = (const void *)at;

		if (info->nla_len < NLA_HDRLEN || info->nla_len > end - at ||
		    (info->nla_type & NLA_TYPE_MASK) != IFLA_VF_INFO)
			return -EINVAL;
		err = vtct_set_vf_info(k, pf, info);
		at += NLA_ALIGN(info->nla_len);
	}
	return err;
}

static int set_link(const struct vtct_call_msg *call, const struct ifinfomsg *head,
		    const struct nlattr *const *tb)
{
	struct vtct_kernel *k = call->k;
	struct vtct_link *link;
	struct vtct_pf *pf;
	int err = 0;

	if (k->not_root)
		return -EPERM;
	link = head->ifi_index ? vtct_link_find(k, (uint32_t)head->ifi_index)
			       : find_by_name(k, tb[IFLA_IFNAME]);
	if (!link)
		return -ENODEV;
	if (head->ifi_change & IFF_UP)
		err = set_up(k, link, head->ifi_flags & IFF_UP);
	if (err || !tb[IFLA_VFINFO_LIST])
		return err;
	pf = vtct_pf_of_ifindex(k, link->ifindex);
	return pf ? set_vfs(k, pf, tb[IFLA_VFINFO_LIST]) : -EOPNOTSUPP;
}

int vtct_rtnl_request(const struct vtct_call_msg *call)
{
	const struct ifinfomsg *head = NLMSG_DATA(call->msg);
	const struct nlattr *tb[IFLA_MAX + 1];

	if (call->msg->nlmsg_len < NLMSG_LENGTH(sizeof(*head)))
		return -EINVAL;
	vtct_parse(tb, IFLA_MAX, head + 1,
		   call->msg->nlmsg_len - NLMSG_LENGTH(sizeof(*head)));
	switch (call->msg->nlmsg_type) {
	case RTM_GETLINK:
		if (call->msg->nlmsg_flags & NLM_F_DUMP)
			return dump_links(call, tb);
		return get_link(call, head, tb);
	case RTM_SETLINK:
	case RTM_NEWLINK:
		return set_link(call, head, tb);
	default:
		return -EOPNOTSUPP;
	}
}
