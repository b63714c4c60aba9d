/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rates of a VF's port function in devlink: switchdev mode only, where each VF is a leaf
 * with share, limit, and with some drivers a weight. The kernel counts in bytes a second;
 * drivers want whole Mbit/s.
 */
#include <errno.h>
#include <linux/devlink.h>
#include <stdio.h>
#include <string.h>

#include "core/genl.h"
#include "core/sysfs.h"
#include "core/text.h"
#include "rate.h"

#define BPS_IN_MBPS   1000000u
#define BYTES_IN_MBIT 125000u
#define MESSAGE_MAX   512

/* Since Linux 6.2; headers of today need not have it. */
#define ATTR_RATE_TX_WEIGHT 178
/* The attribute of the highest number that we look at. */
#define ATTR_MAX	    ATTR_RATE_TX_WEIGHT

struct leaf {
	char bus[16], device[48];
	uint32_t port;
};

struct values {
	uint64_t share, max; /* bytes in a second */
	uint32_t weight;
	uint32_t has_weight; /* the kernel tells of one */
};

struct devlink_step {
	uint32_t vf;
	uint32_t reserved;
	struct values before, set;
};

/* ---- Which port ---- */

struct search {
	struct leaf *leaf;
	uint32_t vf;
	bool found;
};

static bool is_text(const struct nlattr *attr, const char *text)
{
	const char *given;

	return vtc__nla_str(attr, &given) == 0 && strcmp(given, text) == 0;
}

static int take_port(void *arg, const struct nlmsghdr *msg)
{
	const struct nlattr *tb[ATTR_MAX + 1];
	struct search *search = arg;
	uint16_t flavour, vf;

	if (vtc__genl_parse(msg, tb, ATTR_MAX))
		return -EPROTO;
	if (search->found || !is_text(tb[DEVLINK_ATTR_BUS_NAME], search->leaf->bus) ||
	    !is_text(tb[DEVLINK_ATTR_DEV_NAME], search->leaf->device) ||
	    vtc__nla_u16(tb[DEVLINK_ATTR_PORT_FLAVOUR], &flavour) ||
	    vtc__nla_u16(tb[DEVLINK_ATTR_PORT_PCI_VF_NUMBER], &vf))
		return 0;
	if (flavour == DEVLINK_PORT_FLAVOUR_PCI_VF && vf == search->vf)
		search->found = vtc__nla_u32(tb[DEVLINK_ATTR_PORT_INDEX],
					     &search->leaf->port) == 0;
	return 0;
}

/* Bus and name of the card's device. */
static int find_device(struct vtc__txn *txn, struct leaf *leaf)
{
	char path[VTC__PATH_MAX];
	int err = vtc__path(path, sizeof(path), "class/net/%s/device", txn->uplink.name);

	if (!err)
		err = vtc__sysfs_link_name(txn->ctx, path, leaf->device,
					   sizeof(leaf->device));
	if (!err)
		err = vtc__path(path, sizeof(path), "class/net/%s/device/subsystem",
				txn->uplink.name);
	if (!err)
		err = vtc__sysfs_link_name(txn->ctx, path, leaf->bus, sizeof(leaf->bus));
	return err;
}

/* Send a request about a leaf (or with leaf NULL: about all), and free it. */
static int request(struct vtc__txn *txn, struct vtc__nlmsg *msg, int err, vtc__nl_fn fn,
		   void *arg)
{
	struct vtc__nl *nl;

	if (!msg)
		return -ENOMEM;
	if (!err)
		err = vtc__nl_genl(txn->ctx, &nl);
	if (!err)
		err = vtc__nl_request(txn->ctx, nl, msg, fn, arg);
	vtc__nlmsg_free(msg);
	return err;
}

static int find_leaf(struct vtc__txn *txn, const struct vtc__genl_family *family,
		     uint32_t vf, struct leaf *leaf)
{
	struct search search = { .leaf = leaf, .vf = vf };
	int err = find_device(txn, leaf);

	if (!err)
		err = request(txn,
			      vtc__genl_msg(family, DEVLINK_CMD_PORT_GET, NLM_F_DUMP,
					    MESSAGE_MAX),
			      0, take_port, &search);
	if (!err && !search.found)
		err = -ENOENT;
	return err;
}

/* ---- Its rate ---- */

static int put_handle(struct vtc__nlmsg *msg, const struct leaf *leaf)
{
	int err = vtc__nlmsg_put_str(msg, DEVLINK_ATTR_BUS_NAME, leaf->bus);

	if (!err)
		err = vtc__nlmsg_put_str(msg, DEVLINK_ATTR_DEV_NAME, leaf->device);
	if (!err)
		err = vtc__nlmsg_put_u32(msg, DEVLINK_ATTR_PORT_INDEX, leaf->port);
	return err;
}

static int take_rate(void *arg, const struct nlmsghdr *msg)
{
	const struct nlattr *tb[ATTR_MAX + 1];
	struct values *values = arg;

	if (vtc__genl_parse(msg, tb, ATTR_MAX) ||
	    vtc__nla_u64(tb[DEVLINK_ATTR_RATE_TX_SHARE], &values->share) ||
	    vtc__nla_u64(tb[DEVLINK_ATTR_RATE_TX_MAX], &values->max))
		return -EPROTO;
	values->has_weight = vtc__nla_u32(tb[ATTR_RATE_TX_WEIGHT], &values->weight) == 0;
	return 0;
}

static int read_leaf(struct vtc__txn *txn, const struct vtc__genl_family *family,
		     const struct leaf *leaf, struct values *ret)
{
	struct vtc__nlmsg *msg =
		vtc__genl_msg(family, DEVLINK_CMD_RATE_GET, 0, MESSAGE_MAX);

	memset(ret, 0, sizeof(*ret));
	return request(txn, msg, msg ? put_handle(msg, leaf) : 0, take_rate, ret);
}

static int put_u64(struct vtc__nlmsg *msg, int type, uint64_t value)
{
	return vtc__nlmsg_put(msg, type, &value, sizeof(value));
}

/* What is as it was is not sent: a driver may lack what it never set. */
static int put_values(struct vtc__nlmsg *msg, const struct values *from,
		      const struct values *to)
{
	int err = 0;

	if (from->share != to->share)
		err = put_u64(msg, DEVLINK_ATTR_RATE_TX_SHARE, to->share);
	if (!err && from->max != to->max)
		err = put_u64(msg, DEVLINK_ATTR_RATE_TX_MAX, to->max);
	if (!err && from->weight != to->weight)
		err = vtc__nlmsg_put_u32(msg, ATTR_RATE_TX_WEIGHT, to->weight);
	return err;
}

static int write_leaf(struct vtc__txn *txn, const struct vtc__genl_family *family,
		      const struct leaf *leaf, const struct values *from,
		      const struct values *to)
{
	struct vtc__nlmsg *msg =
		vtc__genl_msg(family, DEVLINK_CMD_RATE_SET, 0, MESSAGE_MAX);
	int err = msg ? put_handle(msg, leaf) : 0;

	if (msg && !err)
		err = put_values(msg, from, to);
	return request(txn, msg, err, NULL, NULL);
}

static int find(struct vtc__txn *txn, uint32_t vf, struct vtc__genl_family *family,
		struct leaf *leaf, struct values *now)
{
	int err = vtc__genl_find(txn->ctx, DEVLINK_GENL_NAME, family);

	if (!err)
		err = find_leaf(txn, family, vf, leaf);
	return err ? err : read_leaf(txn, family, leaf, now);
}

/* ---- The mechanism ---- */

static uint32_t kept(uint64_t bps)
{
	if (!bps)
		return VTC_RATE_NOT_ASKED;
	return bps % BPS_IN_MBPS ? VTC_RATE_APPROXIMATE : VTC_RATE_EXACT;
}

static int probe(struct vtc__txn *txn, struct vtc_pool *pool, const struct vtc_rate *rate,
		 struct vtc_rate_answer *answer, char *why, size_t len)
{
	struct vtc__genl_family family;
	struct values now;
	struct leaf leaf;

	if (!pool->data.vf) {
		snprintf(why, len, "the pool is no VF");
		return -EOPNOTSUPP;
	}
	if (find(txn, pool->data.vf - 1, &family, &leaf, &now)) {
		snprintf(why, len,
			 "the VF is no leaf (the card is not in switchdev mode)");
		return -EOPNOTSUPP;
	}
	answer->min = kept(rate->min_bps);
	answer->max = kept(rate->max_bps);
	if (rate->weight && now.has_weight)
		answer->weight = VTC_RATE_EXACT;
	return 0;
}

static uint64_t bytes_of(uint64_t bps)
{
	bool exact;

	return vtc__rate_round(bps, BPS_IN_MBPS, &exact) * BYTES_IN_MBIT;
}

static int try(struct vtc__txn *txn, struct vtc_pool *pool, const struct values *now,
	       const struct vtc_rate *rate, const struct vtc_rate_answer *answer)
{
	struct devlink_step step;

	memset(&step, 0, sizeof(step));
	step.vf = pool->data.vf - 1;
	step.before = step.set = *now;
	if (rate->min_bps && answer->min)
		step.set.share = bytes_of(rate->min_bps);
	if (rate->max_bps && answer->max)
		step.set.max = bytes_of(rate->max_bps);
	if (rate->weight && answer->weight)
		step.set.weight = rate->weight;
	return vtc__step_do(txn, pool->name, &vtc__step_devlink_rate, VTC__TAG_RATE,
			    &step, sizeof(step), NULL);
}

/* Most drivers that have leaves take no weight, and some no share. */
static int set(struct vtc__txn *txn, struct vtc_pool *pool, const struct vtc_rate *rate,
	       struct vtc_rate_answer *answer)
{
	struct vtc__genl_family family;
	struct values now;
	struct leaf leaf;
	int err = find(txn, pool->data.vf - 1, &family, &leaf, &now);

	if (err)
		return vtc__pool_err(pool, err, VTC_ERROR_ORIGIN_NETLINK, txn->operation);
	err = try(txn, pool, &now, rate, answer);
	if (err == -EOPNOTSUPP && rate->weight && answer->weight) {
		answer->weight = VTC_RATE_UNSUPPORTED;
		err = try(txn, pool, &now, rate, answer);
	}
	if (err == -EOPNOTSUPP && rate->min_bps) {
		answer->min = VTC_RATE_UNSUPPORTED;
		err = try(txn, pool, &now, rate, answer);
	}
	return err;
}

const struct vtc__rate_mechanism vtc__rate_devlink = { "devlink", probe, set };

/* ---- The step ---- */

static int load(const void *data, size_t len, struct devlink_step *step)
{
	if (len < sizeof(*step))
		return -EBADMSG;
	memcpy(step, data, sizeof(*step));
	return 0;
}

static int fail(struct vtc__txn *txn, const struct devlink_step *step, int err)
{
	const char *says = txn->ctx->genl ? vtc__nl_message(txn->ctx->genl) : "";

	vtc__err(txn->ctx, err, VTC_ERROR_ORIGIN_NETLINK, txn->operation, "%s VF %u",
		 txn->uplink.name, step->vf);
	vtc__err_message(txn->ctx, "devlink rate%s%s", says[0] ? ": " : "", says);
	return err;
}

static bool same(const struct values *a, const struct values *b)
{
	return a->share == b->share && a->max == b->max && a->weight == b->weight;
}

static int apply(struct vtc__txn *txn, void *data, size_t len, bool *changed)
{
	struct vtc__genl_family family;
	struct devlink_step step;
	struct values now;
	struct leaf leaf;
	int err = load(data, len, &step);

	(void)changed;
	if (err)
		return err;
	err = find(txn, step.vf, &family, &leaf, &now);
	/* The kernel sets one after the other, and leaves what it has set. */
	if (!err && !same(&now, &step.set))
		err = write_leaf(txn, &family, &leaf, &now, &step.set);
	return err ? fail(txn, &step, err) : 0;
}

static int check(struct vtc__txn *txn, const void *data, size_t len, char *text,
		 size_t text_len)
{
	struct vtc__genl_family family;
	struct devlink_step step;
	struct values now;
	struct leaf leaf;
	int err = load(data, len, &step);

	if (!err)
		err = find(txn, step.vf, &family, &leaf, &now);
	if (err && err != -ENOENT)
		return err;
	if (!err && same(&now, &step.set))
		return 1;
	snprintf(text, text_len, "the devlink rate of VF %u %s", step.vf,
		 err ? "is gone" : "was changed");
	return 0;
}

/* Each value that is still ours. */
static struct values ours_back(const struct values *now, const struct devlink_step *step)
{
	struct values to = *now;

	if (now->share == step->set.share)
		to.share = step->before.share;
	if (now->max == step->set.max)
		to.max = step->before.max;
	if (now->weight == step->set.weight)
		to.weight = step->before.weight;
	return to;
}

static int undo(struct vtc__txn *txn, const void *data, size_t len)
{
	struct vtc__genl_family family;
	struct devlink_step step;
	struct values now, to;
	struct leaf leaf;
	int err = load(data, len, &step);

	if (err)
		return err;
	err = find(txn, step.vf, &family, &leaf, &now);
	/* No leaf, no rate. */
	if (err == -ENOENT || err == -ENODEV)
		return 0;
	if (!err) {
		to = ours_back(&now, &step);
		if (!same(&now, &to))
			err = write_leaf(txn, &family, &leaf, &now, &to);
	}
	return err ? fail(txn, &step, err) : 0;
}

const struct vtc__step_kind vtc__step_devlink_rate = { "devlink-rate", apply, check,
						       undo };
