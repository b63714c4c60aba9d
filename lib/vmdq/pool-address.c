/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * That a card receives what is for virtual machines, also if it is not promiscuous: its
 * hardware drops frames for addresses, and of VLANs, that it was not told of.
 *
 * An address is one that the interface has beside its own ("bridge fdb ... self").
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "core/netlink.h"
#include "feature.h"
#include "pool.h"

#define MESSAGE_SIZE 256

/* The journal keeps it as it is, so it has no padding. */
struct address_step {
	struct vtc_mac mac;
	uint16_t was_there; /* 1: somebody else's, not ours to take away */
	uint32_t error;	    /* errno of a card that does not take it */
};

/* ---- The kernel ---- */

static int request(struct vtc__txn *txn, struct vtc__nlmsg *msg, int err, vtc__nl_fn fn,
		   void *arg)
{
	struct vtc__nl *nl;

	if (!err)
		err = vtc__nl_rt(txn->ctx, &nl);
	if (!err)
		err = vtc__nl_request(txn->ctx, nl, msg, fn, arg);
	vtc__nlmsg_free(msg);
	return err;
}

static int change(struct vtc__txn *txn, uint16_t type, uint16_t flags,
		  const struct vtc_mac *mac)
{
	struct ndmsg nd = { .ndm_family = AF_BRIDGE,
			    .ndm_ifindex = (int)txn->uplink.ifindex,
			    .ndm_state = NUD_PERMANENT,
			    .ndm_flags = NTF_SELF };
	struct vtc__nlmsg *msg = vtc__nlmsg_new(type, flags, MESSAGE_SIZE);
	int err = msg ? vtc__nlmsg_append(msg, &nd, sizeof(nd)) : -ENOMEM;

	if (!msg)
		return err;
	if (!err)
		err = vtc__nlmsg_put(msg, NDA_LLADDR, mac, sizeof(*mac));
	return request(txn, msg, err, NULL, NULL);
}

/* -EEXIST: it is there. */
static int add(struct vtc__txn *txn, const struct vtc_mac *mac)
{
	return change(txn, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, mac);
}

static int take_away(struct vtc__txn *txn, const struct vtc_mac *mac)
{
	return change(txn, RTM_DELNEIGH, 0, mac);
}

struct listed {
	const struct vtc_mac *mac;
	uint32_t ifindex;
	bool found;
};

static int take_address(void *arg, const struct nlmsghdr *msg)
{
	const struct nlattr *tb[NDA_LLADDR + 1];
	const struct ndmsg *nd = NLMSG_DATA(msg);
	struct listed *listed = arg;

	if (msg->nlmsg_type != RTM_NEWNEIGH ||
	    msg->nlmsg_len < NLMSG_LENGTH(sizeof(*nd)) ||
	    vtc__nlmsg_parse(msg, sizeof(*nd), tb, NDA_LLADDR))
		return -EPROTO;
	if ((uint32_t)nd->ndm_ifindex == listed->ifindex && nd->ndm_flags & NTF_SELF &&
	    tb[NDA_LLADDR] && vtc__nla_len(tb[NDA_LLADDR]) == sizeof(*listed->mac) &&
	    !memcmp(vtc__nla_data(tb[NDA_LLADDR]), listed->mac, sizeof(*listed->mac)))
		listed->found = true;
	return 0;
}

static int is_there(struct vtc__txn *txn, const struct vtc_mac *mac)
{
	struct ifinfomsg info = { .ifi_family = AF_BRIDGE,
				  .ifi_index = (int)txn->uplink.ifindex };
	struct listed listed = { .mac = mac, .ifindex = txn->uplink.ifindex };
	struct vtc__nlmsg *msg = vtc__nlmsg_new(RTM_GETNEIGH, NLM_F_DUMP, MESSAGE_SIZE);
	int err = msg ? vtc__nlmsg_append(msg, &info, sizeof(info)) : -ENOMEM;

	if (!msg)
		return err;
	err = request(txn, msg, err, take_address, &listed);
	return err ? err : listed.found;
}

/* ---- The step ---- */

static int load(const void *data, size_t len, struct address_step *ret)
{
	if (len != sizeof(*ret))
		return -EBADMSG;
	memcpy(ret, data, sizeof(*ret));
	return 0;
}

/* Filters of one address, of any pools, have a step each: how many; the first. */
static unsigned int count_steps(struct vtc__txn *txn, const struct vtc_mac *mac,
				struct address_step *ret_first)
{
	const struct vtc__record *record = NULL;
	struct address_step step;
	unsigned int count = 0;

	while ((record = vtc__journal_foreach_next(txn->journal, record))) {
		if (strcmp(record->kind, vtc__step_address.name) != 0 ||
		    load(record->data, record->len, &step) ||
		    memcmp(&step.mac, mac, sizeof(*mac)) != 0)
			continue;
		if (!count++)
			*ret_first = step;
	}
	return count;
}

static int explain(struct vtc__txn *txn, int err)
{
	vtc__err(txn->ctx, err, VTC_ERROR_ORIGIN_NETLINK, txn->operation,
		 "%s: addresses that it receives", txn->uplink.name);
	vtc__err_message(txn->ctx, "%s",
			 txn->ctx->rt ? vtc__nl_message(txn->ctx->rt) : "");
	return err;
}

/* What drivers say that have no such addresses, or have taken all they can. */
static bool is_refusal(int err)
{
	return err == -EOPNOTSUPP || err == -EINVAL || err == -ENOMEM || err == -ENOSPC;
}

/* A promiscuous card does not need it, so that it cannot be had is no failure. */
static int address_apply(struct vtc__txn *txn, void *data, size_t len, bool *changed)
{
	struct address_step step, before;
	int err = load(data, len, &step);

	if (err)
		return err;
	before = step;
	err = add(txn, &step.mac);
	step.error = 0;
	if (!err)
		step.was_there = 0;
	else if (is_refusal(err))
		step.error = (uint32_t)-err;
	else if (err != -EEXIST)
		return explain(txn, err);
	*changed = memcmp(&step, &before, sizeof(step)) != 0;
	memcpy(data, &step, sizeof(step));
	return 0;
}

/* Only one that is not there can be added: that is taken back at once. */
static int address_check(struct vtc__txn *txn, const void *data, size_t len, char *text,
			 size_t text_len)
{
	struct address_step step;
	int err = load(data, len, &step);

	if (err)
		return err;
	err = add(txn, &step.mac);
	if (err == -EEXIST || (is_refusal(err) && step.error))
		return 1;
	if (!err)
		err = take_away(txn, &step.mac);
	else if (is_refusal(err))
		err = 0;
	if (!err)
		snprintf(text, text_len, "the card was not told of an address any more");
	return err;
}

/* The last one takes it away. */
static int address_undo(struct vtc__txn *txn, const void *data, size_t len)
{
	struct address_step step, first;
	int err = load(data, len, &step);

	if (!err &&
	    (step.was_there || step.error || count_steps(txn, &step.mac, &first) > 1))
		return 0;
	if (!err)
		err = take_away(txn, &step.mac);
	if (err == -ENOENT || err == -ENODEV || is_refusal(err))
		return 0;
	return err ? explain(txn, err) : 0;
}

const struct vtc__step_kind vtc__step_address = {
	.name = "address",
	.apply = address_apply,
	.check = address_check,
	.undo = address_undo,
};

int vtc__pool_do_address(struct vtc__txn *txn, struct vtc_pool *pool,
			 const struct vtc_filter *filter, uint32_t tag)
{
	struct address_step step = { .mac = filter->mac }, first;
	int there;

	if (!(filter->match & VTC_FILTER_MAC) || txn->uplink.quirks.takes_all)
		return 0;
	there = count_steps(txn, &filter->mac, &first) ? first.was_there
						       : is_there(txn, &filter->mac);
	if (there < 0)
		return explain(txn, there);
	step.was_there = (uint16_t)there;
	return vtc__step_do(txn, pool->name, &vtc__step_address, tag, &step, sizeof(step),
			    NULL);
}

/* ---- VLANs ---- */

/* 1: the card drops VLANs that it was not told of. */
static bool filters_vlans(struct vtc__txn *txn, bool *ret_fixed)
{
	struct vtc__feature now;

	if (txn->uplink.quirks.takes_all ||
	    vtc__feature_get(&txn->uplink, VTC__FEATURE_VLAN_FILTER, &now))
		return false;
	*ret_fixed = now.fixed;
	return now.on;
}

int vtc__pool_do_vlans(struct vtc__txn *txn)
{
	struct vtc_error before = txn->ctx->error;
	bool fixed;
	int err;

	if (!filters_vlans(txn, &fixed) || fixed)
		return 0;
	err = vtc__do_feature(txn, VTC__FEATURE_VLAN_FILTER, false);
	if (err != -EIO && err != -EOPNOTSUPP)
		return err;
	txn->ctx->error = before;
	return 0;
}

/* ---- What came of it ---- */

const char *vtc__pool_receive_note(struct vtc__txn *txn, const struct vtc_pool *pool)
{
	const struct vtc__record *record;
	struct address_step step;
	uint64_t id = 0;
	bool fixed;

	while ((record = vtc__step_find(txn, pool->name, vtc__step_address.name, id))) {
		id = record->id;
		if (!load(record->data, record->len, &step) && step.error)
			return "the card cannot be told of an address: unless it is "
			       "promiscuous it may drop the frames";
	}
	if (filters_vlans(txn, &fixed))
		return "rx-vlan-filter is on: unless the card is promiscuous it may drop "
		       "frames with a tag";
	return "";
}
