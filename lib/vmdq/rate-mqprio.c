/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rates of mqprio's traffic classes in channel mode, for pools that have queues of their
 * own: the whole port is parted, a class for the queues of each pool and one for all
 * others. Frames get to a class by the queue that they are sent on, never by priority.
 * The qdisc is what the journal's records of kind "mqprio" and "pool" say, and nothing else.
 */
#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "qdisc.h"
#include "rate.h"

#define CLASSES TC_QOPT_MAX_QUEUE /* 16 */

static const char kind[] = "mqprio";

struct mqprio_step {
	uint64_t min_bps, max_bps;
	uint32_t slot;
	uint32_t first, count; /* queues */
	uint32_t reserved;
};

struct part {
	uint32_t first, count;
	uint64_t min_bps, max_bps;
};

struct plan {
	struct part parts[CLASSES];
	size_t count;
	bool rated; /* some pool has a rate */
};

/* ---- What the journal asks for ---- */

static struct part *part_at(struct plan *plan, uint32_t first, uint32_t count)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->parts[i].first == first)
			return &plan->parts[i];
	if (plan->count == CLASSES || !count)
		return NULL;
	plan->parts[plan->count] = (struct part){ .first = first, .count = count };
	return &plan->parts[plan->count++];
}

static int take_pool(const struct vtc__record *record, struct plan *plan)
{
	struct vtc__pool_data data;

	if (vtc__pool_data_of(record, &data) ||
	    !vtc__backend_find(data.backend)->own_queues || !data.queue_count)
		return 0;
	return part_at(plan, data.queue_first, data.queue_count) ? 0 : -ENOSPC;
}

static int take_rate(const struct vtc__record *record, uint32_t but_slot,
		     struct plan *plan)
{
	struct mqprio_step step;
	struct part *part;

	if (record->len < sizeof(step))
		return 0;
	memcpy(&step, record->data, sizeof(step));
	if (step.slot == but_slot)
		return 0;
	part = part_at(plan, step.first, step.count);
	if (!part)
		return -ENOSPC;
	part->min_bps = step.min_bps;
	part->max_bps = step.max_bps;
	plan->rated = true;
	return 0;
}

static void sort(struct plan *plan)
{
	for (size_t i = 1; i < plan->count; i++) {
		struct part part = plan->parts[i];
		size_t j = i;

		for (; j && plan->parts[j - 1].first > part.first; j--)
			plan->parts[j] = plan->parts[j - 1];
		plan->parts[j] = part;
	}
}

/* A class for each run of queues between those of pools; drivers want no holes. */
static int fill_holes(struct plan *plan)
{
	uint32_t next = 0;
	size_t pools = plan->count;

	sort(plan);
	for (size_t i = 0; i < pools; i++) {
		struct part *part = &plan->parts[i];

		if (part->first < next)
			return -EBADMSG;
		if (part->first > next && !part_at(plan, next, part->first - next))
			return -ENOSPC;
		next = part->first + part->count;
	}
	sort(plan);
	return 0;
}

static int make_plan(struct vtc__txn *txn, uint32_t but_slot, struct plan *plan)
{
	const struct vtc__record *record = NULL;
	int err = 0;

	memset(plan, 0, sizeof(*plan));
	while (!err && (record = vtc__journal_foreach_next(txn->journal, record))) {
		if (strcmp(record->kind, vtc__step_pool.name) == 0)
			err = take_pool(record, plan);
		else if (strcmp(record->kind, vtc__step_mqprio.name) == 0)
			err = take_rate(record, but_slot, plan);
	}
	return err ? err : fill_holes(plan);
}

/* ---- The message ---- */

static int put_u16(struct vtc__nlmsg *msg, int type, uint16_t value)
{
	return vtc__nlmsg_put(msg, type, &value, sizeof(value));
}

static int put_rates(struct vtc__nlmsg *msg, const struct plan *plan, int type, bool max)
{
	struct nlattr *nest = vtc__nlmsg_nest(msg, type);
	int err = nest ? 0 : -EMSGSIZE;

	for (size_t i = 0; i < plan->count && !err; i++) {
		const struct part *part = &plan->parts[i];
		uint64_t bytes = (max ? part->max_bps : part->min_bps) / 8;

		err = vtc__nlmsg_put(msg, type, &bytes, sizeof(bytes));
	}
	if (!err)
		vtc__nlmsg_nest_end(msg, nest);
	return err;
}

static bool has_min(const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->parts[i].min_bps)
			return true;
	return false;
}

static struct tc_mqprio_qopt make_qopt(const struct plan *plan)
{
	struct tc_mqprio_qopt qopt;

	/* All priorities are those of class 0, whose queues are no pool's. */
	memset(&qopt, 0, sizeof(qopt));
	qopt.num_tc = (uint8_t)plan->count;
	qopt.hw = 1;
	for (size_t i = 0; i < plan->count; i++) {
		qopt.offset[i] = (uint16_t)plan->parts[i].first;
		qopt.count[i] = (uint16_t)plan->parts[i].count;
	}
	return qopt;
}

static int put_options(struct vtc__nlmsg *msg, const struct plan *plan)
{
	struct tc_mqprio_qopt qopt = make_qopt(plan);
	struct nlattr *options = vtc__nlmsg_nest(msg, TCA_OPTIONS);
	int err = options ? vtc__nlmsg_append(msg, &qopt, sizeof(qopt)) : -EMSGSIZE;

	if (!err)
		err = put_u16(msg, TCA_MQPRIO_MODE, TC_MQPRIO_MODE_CHANNEL);
	if (!err)
		err = put_u16(msg, TCA_MQPRIO_SHAPER, TC_MQPRIO_SHAPER_BW_RATE);
	if (!err && has_min(plan))
		err = put_rates(msg, plan, TCA_MQPRIO_MIN_RATE64, false);
	if (!err)
		err = put_rates(msg, plan, TCA_MQPRIO_MAX_RATE64, true);
	if (!err)
		vtc__nlmsg_nest_end(msg, options);
	return err;
}

/*
 * A qdisc of ours that is there already makes room first: mqprio cannot be changed, and
 * to replace it by itself is refused by drivers whose channels are in use.
 */
static int to_plan(struct vtc__txn *txn, uint32_t but_slot)
{
	struct vtc__nlmsg *msg;
	struct plan plan;
	int err = make_plan(txn, but_slot, &plan);

	if (!err)
		err = vtc__qdisc_remove(txn->ctx, txn->uplink.ifindex, kind);
	if (err || !plan.rated)
		return err;
	msg = vtc__tc_msg(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, txn->uplink.ifindex,
			  TC_H_ROOT, VTC__QDISC_HANDLE, kind);
	return vtc__tc_send(txn->ctx, msg, msg ? put_options(msg, &plan) : 0);
}

/* ---- The mechanism ---- */

static int probe(struct vtc__txn *txn, struct vtc_pool *pool, const struct vtc_rate *rate,
		 struct vtc_rate_answer *answer, char *why, size_t len)
{
	if (!pool->backend->own_queues || !pool->data.queue_count) {
		snprintf(why, len, "the pool has no queues of its own");
		return -EOPNOTSUPP;
	}
	if (!pool->data.queue_first) {
		snprintf(why, len, "the pool has the queues that all others would get");
		return -EOPNOTSUPP;
	}
	if (rate->min_bps)
		answer->min = VTC_RATE_EXACT;
	if (rate->max_bps)
		answer->max = VTC_RATE_EXACT;
	return vtc__qdisc_may_be_ours(txn->ctx, txn->uplink.ifindex, kind, why, len);
}

static int try(struct vtc__txn *txn, struct vtc_pool *pool, uint64_t min, uint64_t max)
{
	struct mqprio_step step = { .min_bps = min,
				    .max_bps = max,
				    .slot = pool->data.slot,
				    .first = pool->data.queue_first,
				    .count = pool->data.queue_count };

	return vtc__step_do(txn, pool->name, &vtc__step_mqprio, VTC__TAG_RATE, &step,
			    sizeof(step), NULL);
}

static int set(struct vtc__txn *txn, struct vtc_pool *pool, const struct vtc_rate *rate,
	       struct vtc_rate_answer *answer)
{
	int err = try(txn, pool, rate->min_bps, rate->max_bps);

	/* Most drivers take no minimum. */
	if (err == -EOPNOTSUPP && rate->min_bps && rate->max_bps) {
		answer->min = VTC_RATE_UNSUPPORTED;
		err = try(txn, pool, 0, rate->max_bps);
	}
	return err;
}

const struct vtc__rate_mechanism vtc__rate_mqprio = { "mqprio", probe, set };

/* ---- The step ---- */

static int load(const void *data, size_t len, struct mqprio_step *step)
{
	if (len < sizeof(*step))
		return -EBADMSG;
	memcpy(step, data, sizeof(*step));
	return 0;
}

static int fail(struct vtc__txn *txn, int err, const char *says)
{
	/* The kernel has no mqprio, or the driver refuses it in one of its ways. */
	if (err == -ENOENT || err == -EINVAL || err == -ENOSPC)
		err = -EOPNOTSUPP;
	vtc__err(txn->ctx, err, VTC_ERROR_ORIGIN_NETLINK, txn->operation, "%s",
		 txn->uplink.name);
	vtc__err_message(txn->ctx, "mqprio at its root%s%s", says[0] ? ": " : "", says);
	return err;
}

static int apply(struct vtc__txn *txn, void *data, size_t len, bool *changed)
{
	struct mqprio_step step;
	char says[256] = "";
	int err = load(data, len, &step);

	(void)changed;
	if (err)
		return err;
	err = to_plan(txn, UINT32_MAX);
	if (!err)
		return 0;
	if (txn->ctx->rt)
		snprintf(says, sizeof(says), "%s", vtc__nl_message(txn->ctx->rt));
	(void)to_plan(txn, step.slot);
	return fail(txn, err, says);
}

struct seen {
	uint32_t ifindex;
	struct tc_mqprio_qopt qopt; /* num_tc 0: none of ours is there */
	uint64_t min[CLASSES], max[CLASSES];
};

/* One attribute for each class; what is not there is no limit. */
static int take_rates(const struct nlattr *nest, uint64_t rates[CLASSES])
{
	const struct nlattr *rate = NULL;
	int err = 0;

	for (size_t i = 0; !err && i < CLASSES && nest; i++) {
		rate = vtc__nla_foreach_next(nest, rate);
		if (!rate)
			break;
		err = vtc__nla_u64(rate, &rates[i]);
	}
	return err;
}

/* A struct, and attributes behind it. */
static int take_options(const struct nlattr *options, struct seen *seen)
{
	const struct nlattr *tb[TCA_MQPRIO_MAX + 1] = { NULL };
	const size_t head = (size_t)NLA_ALIGN((int)sizeof(seen->qopt));
	int err = vtc__nla_struct(options, &seen->qopt, sizeof(seen->qopt));

	if (!err && vtc__nla_len(options) > head)
		err = vtc__nla_parse(tb, TCA_MQPRIO_MAX,
				     (const uint8_t *)vtc__nla_data(options) + head,
				     vtc__nla_len(options) - head);
	if (!err)
		err = take_rates(tb[TCA_MQPRIO_MIN_RATE64], seen->min);
	return err ? err : take_rates(tb[TCA_MQPRIO_MAX_RATE64], seen->max);
}

static int take_qdisc(void *arg, const struct nlmsghdr *msg)
{
	const struct tcmsg *head = NLMSG_DATA(msg);
	const struct nlattr *tb[TCA_OPTIONS + 1];
	struct seen *seen = arg;

	if (msg->nlmsg_type != RTM_NEWQDISC ||
	    msg->nlmsg_len < NLMSG_LENGTH(sizeof(*head)) ||
	    (uint32_t)head->tcm_ifindex != seen->ifindex ||
	    head->tcm_handle != VTC__QDISC_HANDLE)
		return 0;
	if (vtc__nlmsg_parse(msg, sizeof(*head), tb, TCA_OPTIONS))
		return -EPROTO;
	return take_options(tb[TCA_OPTIONS], seen);
}

/* What was set is told again, in bytes. */
static bool same_rates(const struct seen *seen, const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (seen->min[i] != plan->parts[i].min_bps / 8 ||
		    seen->max[i] != plan->parts[i].max_bps / 8)
			return false;
	return true;
}

static bool same_parts(const struct tc_mqprio_qopt *a, const struct tc_mqprio_qopt *b)
{
	return a->num_tc == b->num_tc &&
	       memcmp(a->offset, b->offset, a->num_tc * sizeof(a->offset[0])) == 0 &&
	       memcmp(a->count, b->count, a->num_tc * sizeof(a->count[0])) == 0;
}

static int check(struct vtc__txn *txn, const void *data, size_t len, char *text,
		 size_t text_len)
{
	struct seen seen = { .ifindex = txn->uplink.ifindex };
	struct tc_mqprio_qopt want;
	struct vtc__qdisc root;
	struct plan plan;
	int err = make_plan(txn, UINT32_MAX, &plan);

	(void)data, (void)len;
	if (!err)
		err = vtc__qdisc_root(txn->ctx, txn->uplink.ifindex, &root);
	if (!err && vtc__qdisc_is_ours(&root, kind))
		err = vtc__tc_dump(txn->ctx, RTM_GETQDISC, txn->uplink.ifindex, 0,
				   take_qdisc, &seen);
	if (err)
		return err;
	want = make_qopt(&plan);
	if (same_parts(&seen.qopt, &want) && same_rates(&seen, &plan))
		return 1;
	snprintf(text, text_len,
		 "the card's mqprio queueing discipline is gone, or parts "
		 "it otherwise, or has other rates");
	return 0;
}

static int undo(struct vtc__txn *txn, const void *data, size_t len)
{
	struct vtc__qdisc root;
	struct mqprio_step step;
	int err = load(data, len, &step);

	if (!err)
		err = vtc__qdisc_root(txn->ctx, txn->uplink.ifindex, &root);
	if (err == -ENODEV || (!err && !vtc__qdisc_is_ours(&root, kind)))
		return 0;
	if (!err)
		err = to_plan(txn, step.slot);
	return err && err != -ENODEV ? fail(txn, err, "") : 0;
}

const struct vtc__step_kind vtc__step_mqprio = { "mqprio", apply, check, undo };
