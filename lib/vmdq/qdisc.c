/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Root queueing disciplines: see qdisc.h. */
#include "qdisc.h"

#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "core/text.h"

#define MESSAGE_MAX (64u << 10)

/* A dump that was changed under way is begun anew, as often as this. */
#define TRIES 5

struct vtc__nlmsg *vtc__tc_msg(uint16_t type, uint16_t flags, uint32_t ifindex,
			       uint32_t parent, uint32_t handle, const char *kind)
{
	struct tcmsg head = { .tcm_ifindex = (int)ifindex,
			      .tcm_parent = parent,
			      .tcm_handle = handle };
	struct vtc__nlmsg *msg = vtc__nlmsg_new(type, flags, MESSAGE_MAX);

	if (!msg)
		return NULL;
	if (vtc__nlmsg_append(msg, &head, sizeof(head)) ||
	    (kind && vtc__nlmsg_put_str(msg, TCA_KIND, kind))) {
		vtc__nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

int vtc__tc_send(struct vtc_ctx *ctx, struct vtc__nlmsg *msg, int err)
{
	struct vtc__nl *nl;

	if (!msg)
		return -ENOMEM;
	if (!err)
		err = vtc__nl_rt(ctx, &nl);
	if (!err)
		err = vtc__nl_request(ctx, nl, msg, NULL, NULL);
	vtc__nlmsg_free(msg);
	return err;
}

static int dump_once(struct vtc_ctx *ctx, uint16_t type, uint32_t ifindex,
		     uint32_t parent, vtc__nl_fn fn, void *arg)
{
	struct vtc__nlmsg *msg = vtc__tc_msg(type, NLM_F_DUMP, ifindex, parent, 0, NULL);
	struct vtc__nl *nl;
	int err;

	if (!msg)
		return -ENOMEM;
	err = vtc__nl_rt(ctx, &nl);
	if (!err)
		err = vtc__nl_request(ctx, nl, msg, fn, arg);
	vtc__nlmsg_free(msg);
	return err;
}

int vtc__tc_dump(struct vtc_ctx *ctx, uint16_t type, uint32_t ifindex, uint32_t parent,
		 vtc__nl_fn fn, void *arg)
{
	int err = -EAGAIN;

	for (int i = 0; i < TRIES && err == -EAGAIN; i++)
		err = dump_once(ctx, type, ifindex, parent, fn, arg);
	return err;
}

struct root {
	uint32_t ifindex;
	struct vtc__qdisc qdisc;
};

static int take_root(void *arg, const struct nlmsghdr *msg)
{
	const struct tcmsg *head = NLMSG_DATA(msg);
	const struct nlattr *tb[TCA_KIND + 1];
	struct root *root = arg;
	const char *kind;

	if (msg->nlmsg_type != RTM_NEWQDISC ||
	    msg->nlmsg_len < NLMSG_LENGTH(sizeof(*head)))
		return 0;
	/* The kernel tells of all interfaces. */
	if ((uint32_t)head->tcm_ifindex != root->ifindex || head->tcm_parent != TC_H_ROOT)
		return 0;
	if (vtc__nlmsg_parse(msg, sizeof(*head), tb, TCA_KIND) ||
	    vtc__nla_str(tb[TCA_KIND], &kind))
		return -EPROTO;
	root->qdisc.handle = head->tcm_handle;
	return vtc__text_copy(root->qdisc.kind, sizeof(root->qdisc.kind), kind);
}

int vtc__qdisc_root(struct vtc_ctx *ctx, uint32_t ifindex, struct vtc__qdisc *ret)
{
	struct root root = { .ifindex = ifindex };
	int err = vtc__tc_dump(ctx, RTM_GETQDISC, ifindex, 0, take_root, &root);

	if (!err)
		*ret = root.qdisc;
	return err;
}

bool vtc__qdisc_is_ours(const struct vtc__qdisc *qdisc, const char *kind)
{
	return qdisc->handle == VTC__QDISC_HANDLE && strcmp(qdisc->kind, kind) == 0;
}

int vtc__qdisc_remove(struct vtc_ctx *ctx, uint32_t ifindex, const char *kind)
{
	struct vtc__qdisc root;
	int err = vtc__qdisc_root(ctx, ifindex, &root);

	if (!err && vtc__qdisc_is_ours(&root, kind))
		err = vtc__tc_send(ctx,
				   vtc__tc_msg(RTM_DELQDISC, 0, ifindex, TC_H_ROOT,
					       VTC__QDISC_HANDLE, NULL),
				   0);
	/* The card is gone, and everything on it. */
	return err == -ENODEV ? 0 : err;
}

int vtc__qdisc_may_be_ours(struct vtc_ctx *ctx, uint32_t ifindex, const char *kind,
			   char *why, size_t len)
{
	struct vtc__qdisc root;
	int err = vtc__qdisc_root(ctx, ifindex, &root);

	if (err || vtc__qdisc_is_default(&root) || vtc__qdisc_is_ours(&root, kind))
		return err;
	snprintf(why, len,
		 "the card has another queueing discipline at its root (%s %x:)",
		 root.kind, root.handle >> 16);
	return -EOPNOTSUPP;
}
