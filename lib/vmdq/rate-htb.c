/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rates kept in software, by HTB classes at the card's root: for what the machine itself
 * sends (from a tap by way of a bridge, from the stack), not for VFs and AF_XDP ports,
 * whose frames never come by. Weights are shares of the link, so its speed must be known.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "htb.h"
#include "qdisc.h"

static int no(char *why, size_t len, const char *reason)
{
	snprintf(why, len, "%s", reason);
	return -EOPNOTSUPP;
}

static int probe(struct vtc__txn *txn, struct vtc_pool *pool, const struct vtc_rate *rate,
		 struct vtc_rate_answer *answer, char *why, size_t len)
{
	if (pool->data.backend == VTC_POOL_BACKEND_VF)
		return no(why, len, "what a VF sends is not seen by the card's qdiscs");
	if (vtc__rate_goes_past(pool))
		return no(why, len, "what an AF_XDP port sends goes past qdiscs");
	if (rate->weight && vtc__htb_link_bps(txn))
		answer->weight = VTC_RATE_APPROXIMATE;
	if (rate->min_bps)
		answer->min = VTC_RATE_APPROXIMATE;
	if (rate->max_bps)
		answer->max = VTC_RATE_APPROXIMATE;
	if (rate->weight && !answer->weight && !rate->min_bps && !rate->max_bps)
		return no(why, len, "a share of a link whose speed is not known");
	return vtc__qdisc_may_be_ours(txn->ctx, txn->uplink.ifindex, "htb", why, len);
}

static int set(struct vtc__txn *txn, struct vtc_pool *pool, const struct vtc_rate *rate,
	       struct vtc_rate_answer *answer)
{
	struct vtc__htb_step step = { .min_bps = rate->min_bps,
				      .max_bps = rate->max_bps,
				      .link_bps = vtc__htb_link_bps(txn),
				      .weight = answer->weight ? rate->weight : 0,
				      .slot = pool->data.slot,
				      .pool_flags = pool->data.flags };

	return vtc__step_do(txn, pool->name, &vtc__step_htb, VTC__TAG_RATE, &step,
			    sizeof(step), NULL);
}

const struct vtc__rate_mechanism vtc__rate_htb = { "htb", probe, set };

/* ---- The step ---- */

static int to_plan(struct vtc__txn *txn, uint32_t but_slot)
{
	struct vtc__htb htb;
	int err = vtc__htb_plan(txn, but_slot, &htb);

	if (!err)
		err = vtc__htb_make(txn, &htb);
	vtc__htb_free(&htb);
	return err;
}

static int fail(struct vtc__txn *txn, int err, const char *says)
{
	/* The kernel has no such discipline or filter. */
	if (err == -ENOENT)
		err = -EOPNOTSUPP;
	vtc__err(txn->ctx, err, VTC_ERROR_ORIGIN_NETLINK, txn->operation, "%s",
		 txn->uplink.name);
	vtc__err_message(txn->ctx, "HTB at its root: %s", says);
	return err;
}

static const char *kernel_says(struct vtc__txn *txn)
{
	return txn->ctx->rt ? vtc__nl_message(txn->ctx->rt) : "";
}

static int load(const void *data, size_t len, struct vtc__htb_step *step)
{
	if (len < sizeof(*step))
		return -EBADMSG;
	memcpy(step, data, sizeof(*step));
	return 0;
}

/* The record is in the journal already. */
static int apply(struct vtc__txn *txn, void *data, size_t len, bool *changed)
{
	struct vtc__htb_step step;
	char says[256];
	int err = load(data, len, &step);

	(void)changed;
	if (err)
		return err;
	err = to_plan(txn, UINT32_MAX);
	if (!err)
		return 0;
	snprintf(says, sizeof(says), "%s", kernel_says(txn));
	(void)to_plan(txn, step.slot);
	return fail(txn, err, says);
}

static int check(struct vtc__txn *txn, const void *data, size_t len, char *text,
		 size_t text_len)
{
	struct vtc__htb_step step;
	struct vtc__htb htb;
	int err = load(data, len, &step);

	if (err)
		return err;
	err = vtc__htb_plan(txn, UINT32_MAX, &htb);
	if (!err)
		err = vtc__htb_check(txn, &htb, step.slot, text, text_len);
	vtc__htb_free(&htb);
	return err;
}

/* Somebody else's discipline in place of ours is left alone, and so is its tree. */
static int undo(struct vtc__txn *txn, const void *data, size_t len)
{
	struct vtc__htb_step step;
	struct vtc__qdisc root;
	int err = load(data, len, &step);

	if (!err)
		err = vtc__qdisc_root(txn->ctx, txn->uplink.ifindex, &root);
	if (err == -ENODEV || (!err && !vtc__qdisc_is_ours(&root, "htb")))
		return 0;
	if (!err)
		err = to_plan(txn, step.slot);
	if (err == -ENODEV)
		return 0;
	return err ? fail(txn, err, kernel_says(txn)) : 0;
}

const struct vtc__step_kind vtc__step_htb = { "htb", apply, check, undo };

int vtc__rate_refresh(struct vtc__txn *txn, struct vtc_pool *pool)
{
	int err;

	if (!vtc__step_find(txn, pool->name, vtc__step_htb.name, 0))
		return 0;
	err = to_plan(txn, UINT32_MAX);
	return err ? fail(txn, err, kernel_says(txn)) : 0;
}
