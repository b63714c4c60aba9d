/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The queueing discipline that filters for received frames hang on, as a shared step.
 * "ingress", which somebody may have made before us, serves as well as "clsact"; a card
 * has one of them at most.
 */
#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "tc.h"

struct clsact {
	uint32_t made; /* by us */
	uint32_t reserved;
};

int vtc__tc_request(struct vtc__txn *txn, struct vtc__nlmsg *msg, vtc__nl_fn fn,
		    void *arg)
{
	struct vtc__nl *nl;
	int err = vtc__nl_rt(txn->ctx, &nl);

	return err ? err : vtc__nl_request(txn->ctx, nl, msg, fn, arg);
}

static int send_qdisc(struct vtc__txn *txn, uint16_t type, uint16_t flags, vtc__nl_fn fn,
		      void *arg)
{
	struct tcmsg tcm = {
		.tcm_ifindex = (int)txn->uplink.ifindex,
		.tcm_parent = TC_H_CLSACT,
	};
	struct vtc__nlmsg *msg = vtc__nlmsg_new(type, flags, 256);
	int err = msg ? 0 : -ENOMEM;

	if (type == RTM_NEWQDISC)
		tcm.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	if (!err)
		err = vtc__nlmsg_append(msg, &tcm, sizeof(tcm));
	if (!err && type != RTM_GETQDISC)
		err = vtc__nlmsg_put_str(msg, TCA_KIND, "clsact");
	if (!err)
		err = vtc__tc_request(txn, msg, fn, arg);
	if (msg)
		vtc__nlmsg_free(msg);
	return err;
}

static int take_kind(void *arg, const struct nlmsghdr *msg)
{
	const struct nlattr *tb[TCA_KIND + 1];
	const char *kind = "";
	char *name = arg;
	int err;

	if (msg->nlmsg_type != RTM_NEWQDISC)
		return 0;
	err = vtc__nlmsg_parse(msg, sizeof(struct tcmsg), tb, TCA_KIND);
	if (!err)
		err = vtc__nla_str(tb[TCA_KIND], &kind);
	if (!err)
		snprintf(name, VTC__IFNAME_LEN, "%s", kind);
	return err;
}

/*
 * What is there now: "clsact", "ingress", or "" for nothing. The kernel sends the answer
 * to a plain question only if an echo is asked for, too.
 */
static int find(struct vtc__txn *txn, char name[VTC__IFNAME_LEN])
{
	int err;

	name[0] = '\0';
	err = send_qdisc(txn, RTM_GETQDISC, NLM_F_ECHO, take_kind, name);
	return err == -ENOENT ? 0 : err;
}

static int take_filter(void *arg, const struct nlmsghdr *msg)
{
	if (msg->nlmsg_type == RTM_NEWTFILTER)
		*(bool *)arg = true;
	return 0;
}

static int has_filters(struct vtc__txn *txn, uint32_t direction, bool *ret)
{
	struct tcmsg tcm = {
		.tcm_ifindex = (int)txn->uplink.ifindex,
		.tcm_parent = TC_H_MAKE(TC_H_CLSACT, direction),
	};
	struct vtc__nlmsg *msg = vtc__nlmsg_new(RTM_GETTFILTER, NLM_F_DUMP, 128);
	int err = msg ? vtc__nlmsg_append(msg, &tcm, sizeof(tcm)) : -ENOMEM;

	if (!err)
		err = vtc__tc_request(txn, msg, take_filter, ret);
	if (msg)
		vtc__nlmsg_free(msg);
	return err;
}

static int explain(struct vtc__txn *txn, int err, const char *what)
{
	vtc__err(txn->ctx, err, VTC_ERROR_ORIGIN_NETLINK, what, "%s", txn->uplink.name);
	vtc__err_message(txn->ctx, "%s",
			 txn->ctx->rt ? vtc__nl_message(txn->ctx->rt) : "");
	return err;
}

static int apply(struct vtc__txn *txn, void *data, size_t len, bool *changed)
{
	struct clsact *clsact = data;
	uint32_t made;
	int err;

	if (len < sizeof(*clsact))
		return -EBADMSG;
	err = send_qdisc(txn, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, NULL, NULL);
	if (err && err != -EEXIST) {
		explain(txn, err == -ENOENT ? -EOPNOTSUPP : err, "add clsact");
		if (err == -ENOENT)
			vtc__err_hint(txn->ctx, "the kernel lacks it: modprobe "
						"sch_ingress, or ask for the backend "
						"xdp");
		return err == -ENOENT ? -EOPNOTSUPP : err;
	}
	made = !err;
	*changed = clsact->made != made;
	clsact->made = made;
	return 0;
}

static int check(struct vtc__txn *txn, const void *data, size_t len, char *text,
		 size_t text_len)
{
	char kind[VTC__IFNAME_LEN];
	int err = find(txn, kind);

	(void)data, (void)len;
	if (err)
		return err;
	if (kind[0])
		return 1;
	snprintf(text, text_len, "clsact is gone, and with it all filters");
	return 0;
}

/* Filters that are still there are somebody else's, who needs it. */
static int undo(struct vtc__txn *txn, const void *data, size_t len)
{
	const struct clsact *clsact = data;
	char kind[VTC__IFNAME_LEN];
	bool used = false;
	int err;

	if (len < sizeof(*clsact))
		return -EBADMSG;
	err = clsact->made ? find(txn, kind) : 0;
	if (err == -ENODEV || (!err && (!clsact->made || strcmp(kind, "clsact") != 0)))
		return 0;
	if (!err)
		err = has_filters(txn, TC_H_MIN_INGRESS, &used);
	if (!err)
		err = has_filters(txn, TC_H_MIN_EGRESS, &used);
	if (!err && !used)
		err = send_qdisc(txn, RTM_DELQDISC, 0, NULL, NULL);
	if (!err || err == -ENOENT || err == -ENODEV)
		return 0;
	return explain(txn, err, "delete clsact");
}

const struct vtc__step_kind vtc__step_clsact = {
	.name = "clsact",
	.apply = apply,
	.check = check,
	.undo = undo,
};

int vtc__tc_do_clsact(struct vtc__txn *txn)
{
	struct clsact clsact = { 0 };
	char kind[VTC__IFNAME_LEN];
	int err;

	if (vtc__step_find(txn, "", vtc__step_clsact.name, 0))
		return 0;
	err = find(txn, kind);
	if (err)
		return explain(txn, err, "look for clsact");
	clsact.made = !kind[0];
	return vtc__step_do(txn, "", &vtc__step_clsact, 0, &clsact, sizeof(clsact), NULL);
}
