/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Filters of traffic control that hand frames to an interface (flower with mirred), as
 * steps. Each has a priority and a handle that we choose before it is made, so that it is
 * found again after a crash; what is there under them but is not as we made it is
 * somebody else's.
 *
 * When flower looks at a received frame, the kernel has taken the outer tag off the
 * packet already, and keeps it beside: a VLAN is always seen.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/gen_stats.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <stdio.h>
#include <string.h>

#include "tc.h"

/* Ours are the priorities from here on: far from those that people and kernels choose. */
#define PRIORITY_GROUP	22016u
#define PRIORITY_FILTER (PRIORITY_GROUP + VTC_POOL_MAX)

/* Slots are told apart by a part of their filters' handles. */
#define SLOT(handle) ((handle) >> 24)

#define MESSAGE_MAX 512

static bool has_mac(const struct vtc__flower *flower)
{
	return flower->filter.match & VTC_FILTER_MAC;
}

static bool has_vlan(const struct vtc__flower *flower)
{
	return flower->filter.match & VTC_FILTER_VLAN;
}

bool vtc__flower_is_group(const struct vtc__flower *flower)
{
	return flower->shape >= VTC__FLOWER_GROUP_TAGGED;
}

static bool is_tagged(const struct vtc__flower *flower)
{
	return flower->shape == VTC__FLOWER_TAGGED ||
	       flower->shape == VTC__FLOWER_GROUP_TAGGED;
}

static bool is_untagged(const struct vtc__flower *flower)
{
	return flower->shape == VTC__FLOWER_UNTAGGED ||
	       flower->shape == VTC__FLOWER_GROUP_UNTAGGED;
}

/* MAC and VLAN before MAC, MAC before VLAN, VLAN before everything. */
static uint32_t rank_of(const struct vtc__flower *flower)
{
	uint32_t rank = has_mac(flower) ? 0 : 3;

	if (!has_vlan(flower))
		return rank + 2;
	return rank + is_untagged(flower);
}

void vtc__flower_init(struct vtc__flower *flower, enum vtc__flower_shape shape,
		      uint32_t slot, uint32_t number)
{
	flower->shape = shape;
	flower->handle = (slot + 1) << 24 | (number & 0xffffff);
	flower->priority = vtc__flower_is_group(flower)
				   ? PRIORITY_GROUP + slot
				   : PRIORITY_FILTER + rank_of(flower);
}

/* ---- The message ---- */

/* Of one priority and protocol one filter at most looks at a frame and does something. */
static uint16_t protocol_of(const struct vtc__flower *flower)
{
	return flower->shape == VTC__FLOWER_TAGGED ? ETH_P_8021Q : ETH_P_ALL;
}

static struct tcmsg header_of(struct vtc__txn *txn, const struct vtc__flower *flower)
{
	return (struct tcmsg){
		.tcm_ifindex = (int)txn->uplink.ifindex,
		.tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS),
		.tcm_handle = flower->handle,
		.tcm_info = TC_H_MAKE(flower->priority << 16, htons(protocol_of(flower))),
	};
}

/* Frames to groups go to the stack: a filter without address takes unicast only. */
static void address_of(const struct vtc__flower *flower, uint8_t *address, uint8_t *mask)
{
	static const uint8_t group_bit[ETH_ALEN] = { 1 };

	memset(address, 0, ETH_ALEN);
	memset(mask, 0xff, ETH_ALEN);
	if (has_mac(flower)) {
		memcpy(address, flower->filter.mac.addr, ETH_ALEN);
		return;
	}
	memcpy(mask, group_bit, ETH_ALEN);
	if (vtc__flower_is_group(flower))
		memcpy(address, group_bit, ETH_ALEN);
}

static int put_key(struct vtc__nlmsg *msg, const struct vtc__flower *flower)
{
	uint8_t address[ETH_ALEN], mask[ETH_ALEN], none = 0;
	uint16_t type = htons(ETH_P_8021Q);
	int err;

	address_of(flower, address, mask);
	err = vtc__nlmsg_put(msg, TCA_FLOWER_KEY_ETH_DST, address, ETH_ALEN);
	if (!err)
		err = vtc__nlmsg_put(msg, TCA_FLOWER_KEY_ETH_DST_MASK, mask, ETH_ALEN);
	if (!err && is_untagged(flower))
		err = vtc__nlmsg_put(msg, TCA_FLOWER_KEY_NUM_OF_VLANS, &none,
				     sizeof(none));
	if (err || !is_tagged(flower))
		return err;
	err = vtc__nlmsg_put(msg, TCA_FLOWER_KEY_ETH_TYPE, &type, sizeof(type));
	if (!err)
		err = vtc__nlmsg_put(msg, TCA_FLOWER_KEY_VLAN_ID, &flower->filter.vlan,
				     sizeof(flower->filter.vlan));
	return err;
}

/* A copy goes on to the filters behind this one, whoever made them. */
static struct tc_mirred mirred_of(const struct vtc__flower *flower)
{
	bool copy = vtc__flower_is_group(flower);

	return (struct tc_mirred){
		.action = copy ? TC_ACT_UNSPEC : TC_ACT_STOLEN,
		.eaction = copy ? TCA_EGRESS_MIRROR : TCA_EGRESS_REDIR,
		.ifindex = flower->target,
	};
}

static int put_mirred(struct vtc__nlmsg *msg, const struct vtc__flower *flower)
{
	struct tc_mirred mirred = mirred_of(flower);
	struct nlattr *options;
	int err = vtc__nlmsg_put_str(msg, TCA_ACT_KIND, "mirred");

	options = err ? NULL : vtc__nlmsg_nest(msg, TCA_ACT_OPTIONS | NLA_F_NESTED);
	if (!options)
		return -EMSGSIZE;
	err = vtc__nlmsg_put(msg, TCA_MIRRED_PARMS, &mirred, sizeof(mirred));
	vtc__nlmsg_nest_end(msg, options);
	return err;
}

static int put_action(struct vtc__nlmsg *msg, const struct vtc__flower *flower)
{
	struct nlattr *list = vtc__nlmsg_nest(msg, TCA_FLOWER_ACT | NLA_F_NESTED);
	struct nlattr *first = list ? vtc__nlmsg_nest(msg, 1 | NLA_F_NESTED) : NULL;
	int err = first ? put_mirred(msg, flower) : -EMSGSIZE;

	if (!err) {
		vtc__nlmsg_nest_end(msg, first);
		vtc__nlmsg_nest_end(msg, list);
	}
	return err;
}

static int put_options(struct vtc__nlmsg *msg, const struct vtc__flower *flower)
{
	struct nlattr *options = vtc__nlmsg_nest(msg, TCA_OPTIONS | NLA_F_NESTED);
	int err = options ? put_key(msg, flower) : -EMSGSIZE;

	if (!err)
		err = put_action(msg, flower);
	if (!err)
		vtc__nlmsg_nest_end(msg, options);
	return err;
}

static int send_filter(struct vtc__txn *txn, uint16_t type, uint16_t flags,
		       const struct vtc__flower *flower, vtc__nl_fn fn, void *arg)
{
	struct tcmsg tcm = header_of(txn, flower);
	struct vtc__nlmsg *msg = vtc__nlmsg_new(type, flags, MESSAGE_MAX);
	int err = msg ? vtc__nlmsg_append(msg, &tcm, sizeof(tcm)) : -ENOMEM;

	if (!err)
		err = vtc__nlmsg_put_str(msg, TCA_KIND, "flower");
	if (!err && type == RTM_NEWTFILTER)
		err = put_options(msg, flower);
	if (!err)
		err = vtc__tc_request(txn, msg, fn, arg);
	if (msg)
		vtc__nlmsg_free(msg);
	return err;
}

/* ---- The answer ---- */

/* What the kernel has under our priority and handle. */
struct found {
	const struct vtc__flower *flower;
	bool there;
	bool same_key;	 /* it looks at what we look at, and does the same */
	uint32_t target; /* 0: the interface is gone */
	struct vtc__flower_count count;
};

static bool is_value(const struct nlattr *attr, const void *value, size_t len)
{
	return attr && vtc__nla_len(attr) == len &&
	       memcmp(vtc__nla_data(attr), value, len) == 0;
}

static bool is_key(const struct vtc__flower *flower, const struct nlattr **tb)
{
	uint8_t address[ETH_ALEN], mask[ETH_ALEN], none = 0;

	address_of(flower, address, mask);
	if (!is_value(tb[TCA_FLOWER_KEY_ETH_DST], address, ETH_ALEN) ||
	    !is_value(tb[TCA_FLOWER_KEY_ETH_DST_MASK], mask, ETH_ALEN))
		return false;
	if (is_tagged(flower) != is_value(tb[TCA_FLOWER_KEY_VLAN_ID],
					  &flower->filter.vlan,
					  sizeof(flower->filter.vlan)))
		return false;
	return is_untagged(flower) ==
	       is_value(tb[TCA_FLOWER_KEY_NUM_OF_VLANS], &none, sizeof(none));
}

static int take_count(const struct nlattr *nest, struct vtc__flower_count *ret)
{
	const struct nlattr *tb[TCA_STATS_MAX + 1];
	struct gnet_stats_basic basic;
	int err = vtc__nla_parse_nested(nest, tb, TCA_STATS_MAX);

	/* The kernel's struct has padding at its end, which it may leave out. */
	memset(&basic, 0, sizeof(basic));
	if (err || !tb[TCA_STATS_BASIC] || vtc__nla_len(tb[TCA_STATS_BASIC]) < 12)
		return err;
	memcpy(&basic, vtc__nla_data(tb[TCA_STATS_BASIC]), 12);
	ret->bytes = basic.bytes;
	ret->packets = basic.packets;
	if (tb[TCA_STATS_PKT64])
		err = vtc__nla_u64(tb[TCA_STATS_PKT64], &ret->packets);
	return err;
}

static int take_mirred(struct found *found, const struct nlattr *options)
{
	struct tc_mirred want = mirred_of(found->flower), is;
	const struct nlattr *tb[TCA_MIRRED_MAX + 1];
	int err = vtc__nla_parse_nested(options, tb, TCA_MIRRED_MAX);

	if (!err)
		err = vtc__nla_struct(tb[TCA_MIRRED_PARMS], &is, sizeof(is));
	if (err)
		return err == -ENODATA ? -EPROTO : err;
	found->same_key = is.action == want.action && is.eaction == want.eaction;
	found->target = is.ifindex;
	return 0;
}

/* Something else than one redirection is not ours. */
static int take_action(struct found *found, const struct nlattr *list)
{
	const struct nlattr *first = vtc__nla_foreach_next(list, NULL);
	const struct nlattr *tb[TCA_ACT_MAX + 1];
	const char *kind = "";
	int err;

	found->same_key = false;
	if (!first || vtc__nla_foreach_next(list, first))
		return 0;
	err = vtc__nla_parse_nested(first, tb, TCA_ACT_MAX);
	if (!err)
		err = vtc__nla_str(tb[TCA_ACT_KIND], &kind);
	if (err || strcmp(kind, "mirred") != 0 || !tb[TCA_ACT_OPTIONS])
		return err;
	err = take_mirred(found, tb[TCA_ACT_OPTIONS]);
	if (!err && tb[TCA_ACT_STATS])
		err = take_count(tb[TCA_ACT_STATS], &found->count);
	return err;
}

static int take_filter(void *arg, const struct nlmsghdr *msg)
{
	const struct nlattr *tb[TCA_MAX + 1], *keys[TCA_FLOWER_KEY_NUM_OF_VLANS + 1];
	struct found *found = arg;
	const char *kind = "";
	int err;

	if (msg->nlmsg_type != RTM_NEWTFILTER)
		return 0;
	err = vtc__nlmsg_parse(msg, sizeof(struct tcmsg), tb, TCA_MAX);
	if (!err)
		err = vtc__nla_str(tb[TCA_KIND], &kind);
	if (err)
		return err;
	found->there = true;
	if (strcmp(kind, "flower") != 0 || !tb[TCA_OPTIONS])
		return 0;
	err = vtc__nla_parse_nested(tb[TCA_OPTIONS], keys, TCA_FLOWER_KEY_NUM_OF_VLANS);
	if (err || !keys[TCA_FLOWER_ACT] || !is_key(found->flower, keys))
		return err;
	return take_action(found, keys[TCA_FLOWER_ACT]);
}

/*
 * The kernel says -EINVAL where there is no discipline, or the priority is of another
 * protocol: both mean that ours is not there.
 */
static int find(struct vtc__txn *txn, const struct vtc__flower *flower, struct found *ret)
{
	int err;

	memset(ret, 0, sizeof(*ret));
	ret->flower = flower;
	err = send_filter(txn, RTM_GETTFILTER, 0, flower, take_filter, ret);
	return err == -ENOENT || err == -EINVAL ? 0 : err;
}

/* ---- The step ---- */

static int explain(struct vtc__txn *txn, int err, const char *what)
{
	vtc__err(txn->ctx, err, VTC_ERROR_ORIGIN_NETLINK, what, "%s", txn->uplink.name);
	vtc__err_message(txn->ctx, "%s",
			 txn->ctx->rt ? vtc__nl_message(txn->ctx->rt) : "");
	return err;
}

/* The kernel calls a module that it cannot find by the errno of a missing file. */
static int explain_add(struct vtc__txn *txn, int err)
{
	bool lacks = err == -ENOENT || err == -EOPNOTSUPP;

	explain(txn, lacks ? -EOPNOTSUPP : err, "add flower filter");
	if (lacks)
		vtc__err_hint(txn->ctx, "the kernel lacks a part: modprobe cls_flower "
					"act_mirred, or ask for the backend xdp");
	return lacks ? -EOPNOTSUPP : err;
}

static int remove_filter(struct vtc__txn *txn, const struct vtc__flower *flower)
{
	int err = send_filter(txn, RTM_DELTFILTER, 0, flower, NULL, NULL);

	if (!err || err == -ENOENT || err == -EINVAL || err == -ENODEV)
		return 0;
	return explain(txn, err, "delete flower filter");
}

/*
 * Whether a filter of the pool leads to this target as the kernel sees it: then its index
 * still means the same interface. That of one which is gone may be another's by now.
 */
static int is_held(struct vtc__txn *txn, const struct vtc__flower *flower)
{
	const struct vtc__record *record = NULL;
	struct vtc__flower other;
	struct found found;

	while ((record = vtc__journal_foreach_next(txn->journal, record))) {
		int err;

		if (strcmp(record->kind, vtc__step_flower.name) != 0 ||
		    record->len < sizeof(other))
			continue;
		memcpy(&other, record->data, sizeof(other));
		if (SLOT(other.handle) != SLOT(flower->handle) ||
		    other.target != flower->target)
			continue;
		err = find(txn, &other, &found);
		if (err)
			return err;
		if (found.same_key && found.target == flower->target)
			return 1;
	}
	return 0;
}

/* The target of that name today: the one of then is gone. */
static int renew_target(struct vtc__txn *txn, struct vtc__flower *flower, bool *changed)
{
	uint32_t before = flower->target;
	int err = vtc__ifindex(txn->ctx, flower->target_name, &flower->target);

	*changed = !err && flower->target != before;
	if (!err)
		return 0;
	vtc__err(txn->ctx, err, VTC_ERROR_ORIGIN_SYSTEM, "add flower filter", "target %s",
		 flower->target_name);
	vtc__err_message(txn->ctx, "there is no such interface");
	return err;
}

/* Older kernels skip what they do not know: then the filter would take too much. */
static int read_back(struct vtc__txn *txn, const struct vtc__flower *flower)
{
	struct found found;
	int err = find(txn, flower, &found);

	if (!err && found.same_key && found.target == flower->target)
		return 0;
	(void)remove_filter(txn, flower);
	if (err)
		return explain(txn, err, "read flower filter back");
	explain(txn, -EOPNOTSUPP, "read flower filter back");
	vtc__err_message(txn->ctx, "the kernel took the filter, but made another of it");
	vtc__err_hint(txn->ctx, "filters for untagged frames need Linux 5.19, or the "
				"backend xdp");
	return -EOPNOTSUPP;
}

/* One of ours whose target vanished stays there, and loses frames. */
static int apply(struct vtc__txn *txn, void *data, size_t len, bool *changed)
{
	struct vtc__flower *flower = data;
	struct found found;
	int err, held;

	if (len < sizeof(*flower))
		return -EBADMSG;
	err = find(txn, flower, &found);
	held = err ? err : is_held(txn, flower);
	if (held < 0)
		return explain(txn, held, "look for flower filter");
	if (found.same_key)
		err = remove_filter(txn, flower);
	if (!err && !held)
		err = renew_target(txn, flower, changed);
	if (err)
		return err;
	err = send_filter(txn, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, flower, NULL,
			  NULL);
	return err ? explain_add(txn, err) : read_back(txn, flower);
}

static int check(struct vtc__txn *txn, const void *data, size_t len, char *text,
		 size_t text_len)
{
	const struct vtc__flower *flower = data;
	struct found found;
	int err;

	if (len < sizeof(*flower))
		return -EBADMSG;
	err = find(txn, flower, &found);
	if (err)
		return err;
	if (found.same_key && found.target == flower->target)
		return 1;
	snprintf(text, text_len, "flower filter %#x of priority %u %s", flower->handle,
		 flower->priority,
		 !found.there	  ? "is gone"
		 : found.same_key ? "has lost its target"
				  : "was changed");
	return 0;
}

/* The target as it was noted, or as it is called: an audit that was killed noted less. */
static bool is_target(struct vtc__txn *txn, const struct vtc__flower *flower,
		      uint32_t ifindex)
{
	char name[VTC__IFNAME_LEN];

	return !ifindex || ifindex == flower->target ||
	       (vtc__ifname(txn->ctx, ifindex, name) == 0 &&
		strcmp(name, flower->target_name) == 0);
}

static int undo(struct vtc__txn *txn, const void *data, size_t len)
{
	const struct vtc__flower *flower = data;
	struct found found;
	int err;

	if (len < sizeof(*flower))
		return -EBADMSG;
	err = find(txn, flower, &found);
	if (err == -ENODEV)
		return 0;
	if (err)
		return explain(txn, err, "look for flower filter");
	if (!found.same_key || !is_target(txn, flower, found.target))
		return 0;
	return remove_filter(txn, flower);
}

const struct vtc__step_kind vtc__step_flower = {
	.name = "flower",
	.apply = apply,
	.check = check,
	.undo = undo,
};

int vtc__flower_count(struct vtc__txn *txn, const struct vtc__flower *flower,
		      struct vtc__flower_count *ret)
{
	struct found found;
	int err = find(txn, flower, &found);

	if (err)
		return explain(txn, err, "read counters of flower filter");
	if (!found.same_key)
		return -ENOENT;
	*ret = found.count;
	return 0;
}
