/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The HTB tree in the kernel: see htb.h. Classes come before the filter that sends frames
 * to them, and go after it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "htb.h"
#include "qdisc.h"

/* Version of the struct, and a number that explicit quanta make void. */
#define HTB_VERSION	 3
#define HTB_RATE2QUANTUM 10

/* Nanoseconds in a tick of struct tc_htb_opt, since Linux 2.6.27. */
#define TICK_NS 64u

/* What a class may send at once: a large packet, and so long at its rate. */
#define BURST_BYTES 65536u
#define BURST_NS    1000000u

#define FILTER_PRIO   1u
#define FILTER_HANDLE 1u
#define FILTER_KIND   "bpf"

_Static_assert(VTC__HTB_ROOT == VTC__QDISC_HANDLE, "ours is known by its handle");

static const char kind[] = "htb";

/* ---- Messages ---- */

static uint32_t bytes32(uint64_t bps)
{
	return bps / 8 > UINT32_MAX ? UINT32_MAX : (uint32_t)(bps / 8);
}

/* Ticks that a burst takes. */
static uint32_t burst(uint64_t bps)
{
	uint64_t ns = (uint64_t)BURST_BYTES * 8 * 1000000000u / bps + BURST_NS;

	return ns / TICK_NS > UINT32_MAX ? UINT32_MAX : (uint32_t)(ns / TICK_NS);
}

static struct tc_ratespec spec(uint64_t bps, uint16_t overhead)
{
	return (struct tc_ratespec){ .linklayer = TC_LINKLAYER_ETHERNET,
				     .overhead = overhead,
				     .rate = bytes32(bps) };
}

static int put_u64(struct vtc__nlmsg *msg, int type, uint64_t value)
{
	return vtc__nlmsg_put(msg, type, &value, sizeof(value));
}

static int put_class(struct vtc__nlmsg *msg, const struct vtc__htb_class *class)
{
	struct tc_htb_opt opt = {
		.rate = spec(class->rate_bps, class->overhead),
		.ceil = spec(class->ceil_bps, class->overhead),
		.buffer = burst(class->rate_bps),
		.cbuffer = burst(class->ceil_bps),
		.quantum = class->quantum,
	};
	struct nlattr *options = vtc__nlmsg_nest(msg, TCA_OPTIONS);
	int err = options ? 0 : -EMSGSIZE;

	if (!err)
		err = vtc__nlmsg_put(msg, TCA_HTB_PARMS, &opt, sizeof(opt));
	if (!err && class->rate_bps / 8 > UINT32_MAX)
		err = put_u64(msg, TCA_HTB_RATE64, class->rate_bps / 8);
	if (!err && class->ceil_bps / 8 > UINT32_MAX)
		err = put_u64(msg, TCA_HTB_CEIL64, class->ceil_bps / 8);
	if (!err)
		vtc__nlmsg_nest_end(msg, options);
	return err;
}

static int set_class(struct vtc__txn *txn, const struct vtc__htb_class *class)
{
	struct vtc__nlmsg *msg =
		vtc__tc_msg(RTM_NEWTCLASS, NLM_F_CREATE, txn->uplink.ifindex,
			    class->parent, class->classid, kind);

	return vtc__tc_send(txn->ctx, msg, msg ? put_class(msg, class) : 0);
}

static int put_root(struct vtc__nlmsg *msg, const struct vtc__htb *htb)
{
	struct tc_htb_glob glob = { .version = HTB_VERSION,
				    .rate2quantum = HTB_RATE2QUANTUM,
				    .defcls = TC_H_MIN(htb->rest.classid) };
	struct nlattr *options = vtc__nlmsg_nest(msg, TCA_OPTIONS);
	int err = options ? vtc__nlmsg_put(msg, TCA_HTB_INIT, &glob, sizeof(glob))
			  : -EMSGSIZE;

	if (!err)
		vtc__nlmsg_nest_end(msg, options);
	return err;
}

/* EXCL: the kernel's default makes room, somebody else's does not. */
static int set_root(struct vtc__txn *txn, const struct vtc__htb *htb)
{
	struct vtc__nlmsg *msg =
		vtc__tc_msg(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, txn->uplink.ifindex,
			    TC_H_ROOT, VTC__HTB_ROOT, kind);

	return vtc__tc_send(txn->ctx, msg, msg ? put_root(msg, htb) : 0);
}

static int put_filter(struct vtc__nlmsg *msg, const struct vtc__htb *htb)
{
	struct nlattr *options = vtc__nlmsg_nest(msg, TCA_OPTIONS);
	int err = options ? vtc__nlmsg_put(msg, TCA_BPF_OPS_LEN, &htb->program_len,
					   sizeof(htb->program_len))
			  : -EMSGSIZE;

	if (!err)
		err = vtc__nlmsg_put(msg, TCA_BPF_OPS, htb->program,
				     htb->program_len * sizeof(*htb->program));
	if (!err)
		vtc__nlmsg_nest_end(msg, options);
	return err;
}

static int set_filter(struct vtc__txn *txn, const struct vtc__htb *htb)
{
	struct vtc__nlmsg *msg =
		vtc__tc_msg(RTM_NEWTFILTER, NLM_F_CREATE, txn->uplink.ifindex,
			    VTC__HTB_ROOT, FILTER_HANDLE, FILTER_KIND);
	struct tcmsg *head = msg ? NLMSG_DATA(vtc__nlmsg_header(msg)) : NULL;

	if (head)
		head->tcm_info = TC_H_MAKE(FILTER_PRIO << 16, htons(ETH_P_ALL));
	return vtc__tc_send(txn->ctx, msg, msg ? put_filter(msg, htb) : 0);
}

/* ---- What is there ---- */

struct seen {
	const struct vtc__htb *htb;
	uint32_t stale[VTC__HTB_POOLS]; /* classes of pools that are no more */
	size_t count;
	const struct vtc__htb_class *wanted;
	bool found, filter;
};

static const struct vtc__htb_class *find(const struct vtc__htb *htb, uint32_t classid)
{
	for (size_t i = 0; i < htb->count; i++)
		if (htb->pools[i].classid == classid)
			return &htb->pools[i];
	return NULL;
}

static bool equal(const struct nlattr *options, const struct vtc__htb_class *class)
{
	const struct nlattr *tb[TCA_HTB_PARMS + 1];
	struct tc_htb_opt opt;

	if (!options || vtc__nla_parse_nested(options, tb, TCA_HTB_PARMS) ||
	    vtc__nla_struct(tb[TCA_HTB_PARMS], &opt, sizeof(opt)))
		return false;
	return opt.rate.rate == bytes32(class->rate_bps) &&
	       opt.ceil.rate == bytes32(class->ceil_bps) && opt.quantum == class->quantum;
}

static int take_class(void *arg, const struct nlmsghdr *msg)
{
	const struct tcmsg *head = NLMSG_DATA(msg);
	const struct nlattr *tb[TCA_OPTIONS + 1];
	struct seen *seen = arg;

	if (msg->nlmsg_type != RTM_NEWTCLASS ||
	    msg->nlmsg_len < NLMSG_LENGTH(sizeof(*head)))
		return 0;
	if (seen->wanted && head->tcm_handle == seen->wanted->classid &&
	    !vtc__nlmsg_parse(msg, sizeof(*head), tb, TCA_OPTIONS))
		seen->found = equal(tb[TCA_OPTIONS], seen->wanted);
	if (head->tcm_handle < vtc__htb_classid(0) ||
	    head->tcm_handle >= vtc__htb_classid(VTC__HTB_POOLS) ||
	    seen->count == VTC__HTB_POOLS || find(seen->htb, head->tcm_handle))
		return 0;
	seen->stale[seen->count++] = head->tcm_handle;
	return 0;
}

static bool runs(const struct nlattr *options, const struct vtc__htb *htb)
{
	const struct nlattr *tb[TCA_BPF_OPS + 1];
	size_t len = htb->program_len * sizeof(*htb->program);

	if (!options || vtc__nla_parse_nested(options, tb, TCA_BPF_OPS) ||
	    !tb[TCA_BPF_OPS])
		return false;
	return vtc__nla_len(tb[TCA_BPF_OPS]) == len &&
	       memcmp(vtc__nla_data(tb[TCA_BPF_OPS]), htb->program, len) == 0;
}

static int take_filter(void *arg, const struct nlmsghdr *msg)
{
	const struct tcmsg *head = NLMSG_DATA(msg);
	const struct nlattr *tb[TCA_OPTIONS + 1];
	struct seen *seen = arg;

	if (msg->nlmsg_type != RTM_NEWTFILTER ||
	    msg->nlmsg_len < NLMSG_LENGTH(sizeof(*head)) ||
	    head->tcm_handle != FILTER_HANDLE)
		return 0;
	if (!vtc__nlmsg_parse(msg, sizeof(*head), tb, TCA_OPTIONS))
		seen->filter = runs(tb[TCA_OPTIONS], seen->htb);
	return 0;
}

static int look(struct vtc__txn *txn, struct seen *seen)
{
	return vtc__tc_dump(txn->ctx, RTM_GETTCLASS, txn->uplink.ifindex, 0, take_class,
			    seen);
}

/* ---- Making it ---- */

static int remove_stale(struct vtc__txn *txn, const struct vtc__htb *htb)
{
	struct seen seen = { .htb = htb };
	int err = look(txn, &seen);

	for (size_t i = 0; i < seen.count && !err; i++)
		err = vtc__tc_send(txn->ctx,
				   vtc__tc_msg(RTM_DELTCLASS, 0, txn->uplink.ifindex, 0,
					       seen.stale[i], NULL),
				   0);
	return err;
}

static int set_classes(struct vtc__txn *txn, const struct vtc__htb *htb)
{
	int err = set_class(txn, &htb->link);

	if (!err)
		err = set_class(txn, &htb->rest);
	for (size_t i = 0; i < htb->count && !err; i++)
		err = set_class(txn, &htb->pools[i]);
	return err;
}

static int make(struct vtc__txn *txn, const struct vtc__htb *htb)
{
	struct vtc__qdisc root;
	int err = vtc__qdisc_root(txn->ctx, txn->uplink.ifindex, &root);

	if (!err && !vtc__qdisc_is_ours(&root, kind))
		err = set_root(txn, htb);
	if (!err)
		err = set_classes(txn, htb);
	if (!err)
		err = set_filter(txn, htb);
	if (!err)
		err = remove_stale(txn, htb);
	return err;
}

int vtc__htb_make(struct vtc__txn *txn, const struct vtc__htb *htb)
{
	if (htb->count)
		return make(txn, htb);
	return vtc__qdisc_remove(txn->ctx, txn->uplink.ifindex, kind);
}

/* ---- Looking ---- */

static int lost(char *text, size_t len, const char *what)
{
	snprintf(text, len, "%s", what);
	return 0;
}

int vtc__htb_check(struct vtc__txn *txn, const struct vtc__htb *htb, uint32_t slot,
		   char *text, size_t len)
{
	struct seen seen = { .htb = htb, .wanted = find(htb, vtc__htb_classid(slot)) };
	struct vtc__qdisc root;
	int err = vtc__qdisc_root(txn->ctx, txn->uplink.ifindex, &root);

	if (err)
		return err;
	if (!vtc__qdisc_is_ours(&root, kind))
		return lost(text, len, "the card's HTB queueing discipline is gone");
	err = look(txn, &seen);
	if (!err)
		err = vtc__tc_dump(txn->ctx, RTM_GETTFILTER, txn->uplink.ifindex,
				   VTC__HTB_ROOT, take_filter, &seen);
	if (err)
		return err;
	if (!seen.found)
		return lost(text, len, "the pool's HTB class is gone or another");
	if (!seen.filter)
		return lost(text, len,
			    "the filter of the HTB classes is gone or another");
	return 1;
}
