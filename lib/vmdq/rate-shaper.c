/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rates of net-shapers (Linux 6.13), for pools that have queues of their own. One queue
 * is shaped itself where the driver can; several, or one whose driver has weights for
 * groups only, are leaves of a node that has the rate. The last leaf that goes takes its
 * node along. Queues that somebody else shapes are left alone.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/genl.h"
#include "rate.h"

#define FAMILY	    "net-shaper"
#define MESSAGE_MAX 8192

/* Numbers of the kernel's interface: headers of today need not have them. */
enum { CMD_GET = 1, CMD_SET = 2, CMD_DELETE = 3, CMD_GROUP = 4, CMD_CAP_GET = 5 };
enum { SCOPE_QUEUE = 2, SCOPE_NODE = 3 };
enum { METRIC_BPS = 0 };
enum { HANDLE_SCOPE = 1, HANDLE_ID = 2 };
enum {
	ATTR_HANDLE = 1,
	ATTR_METRIC = 2,
	ATTR_BW_MIN = 3,
	ATTR_BW_MAX = 4,
	ATTR_WEIGHT = 7,
	ATTR_IFINDEX = 8,
	ATTR_PARENT = 9,
	ATTR_LEAVES = 10,
};
enum {
	CAPS_IFINDEX = 1,
	CAPS_SCOPE = 2,
	CAPS_METRIC_BPS = 3,
	CAPS_NESTING = 5,
	CAPS_BW_MIN = 6,
	CAPS_BW_MAX = 7,
	CAPS_WEIGHT = 10,
};

#define NEW_NODE UINT32_MAX

struct handle {
	uint32_t scope, id;
};

struct shaper_step {
	uint64_t min_bps, max_bps;
	uint32_t weight;
	uint32_t first, count; /* queues */
	uint32_t node;	       /* 1: the rate is their node's */
};

struct shaper {
	uint64_t min_bps, max_bps;
	uint32_t weight;
	struct handle parent;
};

/* ---- Messages ---- */

static int put_handle(struct vtc__nlmsg *msg, int type, struct handle handle)
{
	struct nlattr *nest = vtc__nlmsg_nest(msg, type);
	int err = nest ? vtc__nlmsg_put_u32(msg, HANDLE_SCOPE, handle.scope) : -EMSGSIZE;

	/* A new node gets its number from the kernel. */
	if (!err && handle.id != NEW_NODE)
		err = vtc__nlmsg_put_u32(msg, HANDLE_ID, handle.id);
	if (!err)
		vtc__nlmsg_nest_end(msg, nest);
	return err;
}

static int put_rate(struct vtc__nlmsg *msg, const struct shaper_step *step)
{
	int err = vtc__nlmsg_put_u32(msg, ATTR_METRIC, METRIC_BPS);

	if (!err && step->min_bps)
		err = vtc__nlmsg_put(msg, ATTR_BW_MIN, &step->min_bps,
				     sizeof(step->min_bps));
	if (!err && step->max_bps)
		err = vtc__nlmsg_put(msg, ATTR_BW_MAX, &step->max_bps,
				     sizeof(step->max_bps));
	if (!err && step->weight)
		err = vtc__nlmsg_put_u32(msg, ATTR_WEIGHT, step->weight);
	return err;
}

static int put_leaf(struct vtc__nlmsg *msg, uint32_t queue)
{
	struct nlattr *nest = vtc__nlmsg_nest(msg, ATTR_LEAVES);
	int err =
		nest ? put_handle(msg, ATTR_HANDLE, (struct handle){ SCOPE_QUEUE, queue })
		     : -EMSGSIZE;

	if (!err)
		vtc__nlmsg_nest_end(msg, nest);
	return err;
}

/* A command about this card; *ret_err is 0 or why it is not complete. */
static struct vtc__nlmsg *new_msg(struct vtc__txn *txn,
				  const struct vtc__genl_family *family, uint8_t cmd,
				  int *ret_err)
{
	struct vtc__nlmsg *msg = vtc__genl_msg(family, cmd, 0, MESSAGE_MAX);

	*ret_err = msg ? vtc__nlmsg_put_u32(
				 msg, cmd == CMD_CAP_GET ? CAPS_IFINDEX : ATTR_IFINDEX,
				 txn->uplink.ifindex)
		       : -ENOMEM;
	return msg;
}

static int request(struct vtc__txn *txn, struct vtc__nlmsg *msg, int err, vtc__nl_fn fn,
		   void *arg)
{
	struct vtc__nl *nl;

	if (!err)
		err = vtc__nl_genl(txn->ctx, &nl);
	if (!err)
		err = vtc__nl_request(txn->ctx, nl, msg, fn, arg);
	vtc__nlmsg_free(msg);
	return err;
}

/* ---- What the card can ---- */

static int take_caps(void *arg, const struct nlmsghdr *msg)
{
	const struct nlattr *tb[CAPS_WEIGHT + 1];
	uint32_t *caps = arg;

	if (vtc__genl_parse(msg, tb, CAPS_WEIGHT))
		return -EPROTO;
	for (int i = CAPS_METRIC_BPS; i <= CAPS_WEIGHT; i++)
		if (tb[i])
			*caps |= 1u << i;
	return 0;
}

/* Bits 1 << CAPS_x; none if it has nothing of this scope. */
static uint32_t caps_of(struct vtc__txn *txn, const struct vtc__genl_family *family,
			uint32_t scope)
{
	uint32_t caps = 0;
	int err;
	struct vtc__nlmsg *msg = new_msg(txn, family, CMD_CAP_GET, &err);

	if (!err)
		err = vtc__nlmsg_put_u32(msg, CAPS_SCOPE, scope);
	err = request(txn, msg, err, take_caps, &caps);
	return err || !(caps & 1u << CAPS_METRIC_BPS) ? 0 : caps;
}

/* ---- What is there ---- */

/* The kernel sends such a number in four bytes if it fits. */
static int get_uint(const struct nlattr *attr, uint64_t *ret)
{
	uint32_t small;

	if (!attr)
		return 0;
	if (vtc__nla_len(attr) != sizeof(small))
		return vtc__nla_u64(attr, ret);
	if (vtc__nla_u32(attr, &small))
		return -EPROTO;
	*ret = small;
	return 0;
}

static int get_handle(const struct nlattr *attr, struct handle *ret)
{
	const struct nlattr *tb[HANDLE_ID + 1];

	if (!attr)
		return 0;
	if (vtc__nla_parse_nested(attr, tb, HANDLE_ID) ||
	    vtc__nla_u32(tb[HANDLE_SCOPE], &ret->scope))
		return -EPROTO;
	return tb[HANDLE_ID] ? vtc__nla_u32(tb[HANDLE_ID], &ret->id) : 0;
}

static int take_shaper(void *arg, const struct nlmsghdr *msg)
{
	const struct nlattr *tb[ATTR_PARENT + 1];
	struct shaper *shaper = arg;

	if (vtc__genl_parse(msg, tb, ATTR_PARENT) ||
	    get_uint(tb[ATTR_BW_MIN], &shaper->min_bps) ||
	    get_uint(tb[ATTR_BW_MAX], &shaper->max_bps) ||
	    get_handle(tb[ATTR_PARENT], &shaper->parent))
		return -EPROTO;
	return tb[ATTR_WEIGHT] ? vtc__nla_u32(tb[ATTR_WEIGHT], &shaper->weight) : 0;
}

/* -ENOENT: none is there. */
static int get(struct vtc__txn *txn, const struct vtc__genl_family *family,
	       struct handle handle, struct shaper *ret)
{
	int err;
	struct vtc__nlmsg *msg = new_msg(txn, family, CMD_GET, &err);

	memset(ret, 0, sizeof(*ret));
	if (!err)
		err = put_handle(msg, ATTR_HANDLE, handle);
	return request(txn, msg, err, take_shaper, ret);
}

/* 1: the queue has the rate of the step, itself or by its node; 0: not; -errno. */
static int is_ours(struct vtc__txn *txn, const struct vtc__genl_family *family,
		   const struct shaper_step *step, uint32_t queue)
{
	struct shaper shaper;
	int err = get(txn, family, (struct handle){ SCOPE_QUEUE, queue }, &shaper);

	if (!err && step->node) {
		if (shaper.parent.scope != SCOPE_NODE)
			return 0;
		err = get(txn, family, shaper.parent, &shaper);
	}
	if (err)
		return err == -ENOENT ? 0 : err;
	return shaper.min_bps == step->min_bps && shaper.max_bps == step->max_bps &&
	       (!step->weight || shaper.weight == step->weight);
}

static bool is_free(struct vtc__txn *txn, const struct vtc__genl_family *family,
		    const struct vtc_pool *pool)
{
	struct shaper shaper;

	for (uint32_t i = 0; i < pool->data.queue_count; i++) {
		struct handle handle = { SCOPE_QUEUE, pool->data.queue_first + i };

		if (get(txn, family, handle, &shaper) != -ENOENT)
			return false;
	}
	return true;
}

/* ---- The mechanism ---- */

static uint32_t keep(uint64_t asked, uint32_t caps, int cap)
{
	if (!asked)
		return VTC_RATE_NOT_ASKED;
	return caps & 1u << cap ? VTC_RATE_EXACT : VTC_RATE_UNSUPPORTED;
}

static void answer_by(const struct vtc_rate *rate, uint32_t caps,
		      struct vtc_rate_answer *answer)
{
	answer->weight = keep(rate->weight, caps, CAPS_WEIGHT);
	answer->min = keep(rate->min_bps, caps, CAPS_BW_MIN);
	answer->max = keep(rate->max_bps, caps, CAPS_BW_MAX);
}

static bool keeps_all(const struct vtc_rate_answer *answer)
{
	return answer->weight && answer->min && answer->max;
}

/* Whether the queues need a node for this rate; fills in the answer. */
static bool choose(struct vtc__txn *txn, const struct vtc__genl_family *family,
		   const struct vtc_pool *pool, const struct vtc_rate *rate,
		   struct vtc_rate_answer *answer)
{
	uint32_t queue = caps_of(txn, family, SCOPE_QUEUE), node;
	struct vtc_rate_answer by_node = *answer;

	answer_by(rate, pool->data.queue_count == 1 ? queue : 0, answer);
	if (keeps_all(answer) || !(queue & 1u << CAPS_NESTING))
		return false;
	node = caps_of(txn, family, SCOPE_NODE);
	answer_by(rate, node, &by_node);
	if (pool->data.queue_count == 1 && !keeps_all(&by_node))
		return false;
	*answer = by_node;
	return true;
}

static int probe(struct vtc__txn *txn, struct vtc_pool *pool, const struct vtc_rate *rate,
		 struct vtc_rate_answer *answer, char *why, size_t len)
{
	struct vtc__genl_family family;

	if (!pool->backend->own_queues || !pool->data.queue_count) {
		snprintf(why, len, "the pool has no queues of its own");
		return -EOPNOTSUPP;
	}
	if (vtc__genl_find(txn->ctx, FAMILY, &family)) {
		snprintf(why, len, "this kernel has no such thing");
		return -EOPNOTSUPP;
	}
	(void)choose(txn, &family, pool, rate, answer);
	snprintf(why, len, "the driver shapes neither such queues nor groups of them");
	return 0;
}

static int refuse(struct vtc_pool *pool, const char *reason)
{
	vtc__pool_err(pool, -EOPNOTSUPP, VTC_ERROR_ORIGIN_NONE, "set pool rate");
	vtc__err_message(pool->ctx, "%s", reason);
	return -EOPNOTSUPP;
}

static int set(struct vtc__txn *txn, struct vtc_pool *pool, const struct vtc_rate *rate,
	       struct vtc_rate_answer *answer)
{
	struct shaper_step step = { .first = pool->data.queue_first,
				    .count = pool->data.queue_count };
	struct vtc__genl_family family;
	int err = vtc__genl_find(txn->ctx, FAMILY, &family);

	if (err)
		return vtc__pool_err(pool, err, VTC_ERROR_ORIGIN_NETLINK, txn->operation);
	if (!is_free(txn, &family, pool))
		return refuse(pool, "somebody else shapes the pool's queues");
	step.node = choose(txn, &family, pool, rate, answer);
	step.min_bps = answer->min ? rate->min_bps : 0;
	step.max_bps = answer->max ? rate->max_bps : 0;
	step.weight = answer->weight ? rate->weight : 0;
	return vtc__step_do(txn, pool->name, &vtc__step_shaper, VTC__TAG_RATE, &step,
			    sizeof(step), NULL);
}

const struct vtc__rate_mechanism vtc__rate_shaper = { "net-shaper", probe, set };

/* ---- The step ---- */

static int load(const void *data, size_t len, struct shaper_step *step)
{
	if (len < sizeof(*step))
		return -EBADMSG;
	memcpy(step, data, sizeof(*step));
	return step->count > VTC_POOL_QUEUES_MAX ? -EBADMSG : 0;
}

static int fail(struct vtc__txn *txn, int err)
{
	const char *says = txn->ctx->genl ? vtc__nl_message(txn->ctx->genl) : "";

	vtc__err(txn->ctx, err, VTC_ERROR_ORIGIN_NETLINK, txn->operation, "%s",
		 txn->uplink.name);
	vtc__err_message(txn->ctx, "net-shaper%s%s", says[0] ? ": " : "", says);
	return err;
}

static int set_queue(struct vtc__txn *txn, const struct vtc__genl_family *family,
		     const struct shaper_step *step)
{
	int err;
	struct vtc__nlmsg *msg = new_msg(txn, family, CMD_SET, &err);

	if (!err)
		err = put_handle(msg, ATTR_HANDLE,
				 (struct handle){ SCOPE_QUEUE, step->first });
	if (!err)
		err = put_rate(msg, step);
	return request(txn, msg, err, NULL, NULL);
}

/* The kernel answers with the number of the node; we find it by its leaves. */
static int ignore(void *arg, const struct nlmsghdr *msg)
{
	(void)arg, (void)msg;
	return 0;
}

static int group(struct vtc__txn *txn, const struct vtc__genl_family *family,
		 const struct shaper_step *step)
{
	int err;
	struct vtc__nlmsg *msg = new_msg(txn, family, CMD_GROUP, &err);

	if (!err)
		err = put_handle(msg, ATTR_HANDLE,
				 (struct handle){ SCOPE_NODE, NEW_NODE });
	if (!err)
		err = put_rate(msg, step);
	for (uint32_t i = 0; i < step->count && !err; i++)
		err = put_leaf(msg, step->first + i);
	return request(txn, msg, err, ignore, NULL);
}

static int remove_queue(struct vtc__txn *txn, const struct vtc__genl_family *family,
			uint32_t queue)
{
	int err;
	struct vtc__nlmsg *msg = new_msg(txn, family, CMD_DELETE, &err);

	if (!err)
		err = put_handle(msg, ATTR_HANDLE, (struct handle){ SCOPE_QUEUE, queue });
	err = request(txn, msg, err, NULL, NULL);
	return err == -ENOENT ? 0 : err;
}

/*
 * The kernel only adds to a shaper that is there, and makes a new node below the one that
 * the queues are in; queues of several nodes it refuses. So what is left of a rate goes
 * before the rate comes back.
 */
static int clear(struct vtc__txn *txn, const struct vtc__genl_family *family,
		 const struct shaper_step *step)
{
	int err = 0;

	for (uint32_t i = 0; i < step->count && !err; i++)
		err = remove_queue(txn, family, step->first + i);
	return err;
}

static int apply(struct vtc__txn *txn, void *data, size_t len, bool *changed)
{
	struct vtc__genl_family family;
	struct shaper_step step;
	int err = load(data, len, &step);

	(void)changed;
	if (!err)
		err = vtc__genl_find(txn->ctx, FAMILY, &family);
	if (!err)
		err = clear(txn, &family, &step);
	if (!err)
		err = step.node ? group(txn, &family, &step)
				: set_queue(txn, &family, &step);
	return err ? fail(txn, err) : 0;
}

static int check(struct vtc__txn *txn, const void *data, size_t len, char *text,
		 size_t text_len)
{
	struct vtc__genl_family family;
	struct shaper_step step;
	int err = load(data, len, &step);

	if (!err)
		err = vtc__genl_find(txn->ctx, FAMILY, &family);
	for (uint32_t i = 0; i < step.count && !err; i++) {
		int ours = is_ours(txn, &family, &step, step.first + i);

		if (ours == 1)
			continue;
		if (ours < 0)
			return ours;
		snprintf(text, text_len, "the shaper of queue %u is gone or another",
			 step.first + i);
		return 0;
	}
	return err ? err : 1;
}

static int undo(struct vtc__txn *txn, const void *data, size_t len)
{
	struct vtc__genl_family family;
	struct shaper_step step;
	int first_err = 0, err = load(data, len, &step);

	if (err)
		return err;
	err = vtc__genl_find(txn->ctx, FAMILY, &family);
	if (err)
		return err == -ENOENT ? 0 : fail(txn, err);
	for (uint32_t i = 0; i < step.count; i++) {
		err = is_ours(txn, &family, &step, step.first + i);
		if (err == 1)
			err = remove_queue(txn, &family, step.first + i);
		if (err && err != -ENODEV && !first_err)
			first_err = fail(txn, err);
	}
	return first_err;
}

const struct vtc__step_kind vtc__step_shaper = { "shaper", apply, check, undo };
