/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Putting back what dead processes left, without doing anything else. */
#include <errno.h>
#include <stdio.h>

#include "core/opts.h"
#include "pool.h"

#define OPERATION      "recover pools"
#define RECOVERY_FIRST sizeof(struct vtc_pool_recovery)

struct recover {
	struct vtc_ctx *ctx;
	struct vtc_pool_recovery done;
	int error;
};

static void keep_first(struct recover *r, int err)
{
	if (err && !r->error)
		r->error = err;
}

/* All the work is in beginning. */
static int recover_card(struct recover *r, const struct vtc__uplink *uplink)
{
	struct vtc__txn txn;
	int err = vtc__txn_begin(r->ctx, uplink, OPERATION, &txn);

	if (err)
		return err;
	r->done.pools += txn.recovered_pools;
	r->done.undone += txn.recovered.undone;
	r->done.failed += txn.recovered.failed;
	err = txn.recovered.error;
	if (err) {
		vtc__err(r->ctx, err, VTC_ERROR_ORIGIN_SYSTEM, OPERATION, "%s",
			 uplink->name);
		vtc__err_message(r->ctx, "%u steps undone, %u not: %s",
				 txn.recovered.undone, txn.recovered.failed,
				 txn.recovered.text);
		vtc__err_hint(r->ctx, "they stay noted; mend what is named and try "
				      "again");
	}
	vtc__txn_end(&txn);
	return err;
}

/* Of a card that is gone, too: what is noted of it has to go. */
static int recover_index(struct recover *r, uint32_t ifindex)
{
	struct vtc__uplink uplink;
	int err = vtc__uplink_by_index(r->ctx, ifindex, &uplink);

	if (err == -ENODEV)
		snprintf(uplink.name, sizeof(uplink.name), "#%u", ifindex);
	else if (err)
		return vtc__err(r->ctx, err, VTC_ERROR_ORIGIN_NETLINK, OPERATION,
				"interface %u", ifindex);
	return recover_card(r, &uplink);
}

static int recover_journal(void *arg, const char *name)
{
	struct recover *r = arg;
	struct vtc_error before = r->ctx->error;
	uint32_t ifindex;
	int err = vtc__uplink_of_journal(r->ctx, name, &ifindex);

	if (err == 0)
		return 0;
	if (err == 1)
		err = recover_index(r, ifindex);
	else
		vtc__err(r->ctx, err, VTC_ERROR_ORIGIN_SYSTEM, OPERATION,
			 "the network namespace");
	if (r->error)
		r->ctx->error = before;
	keep_first(r, err);
	return 0;
}

int vtc_pool_recover(struct vtc_ctx *ctx, const char *nic,
		     struct vtc_pool_recovery *recovery)
{
	struct recover r = { .ctx = ctx };
	struct vtc__uplink uplink;
	int err;

	if (!ctx)
		return -EINVAL;
	if (recovery && recovery->sz < RECOVERY_FIRST)
		return vtc__err_arg(ctx, OPERATION, "recovery.sz");
	if (nic) {
		err = vtc__uplink_find(ctx, nic, OPERATION, &uplink);
		if (err)
			return err;
		keep_first(&r, recover_card(&r, &uplink));
	} else {
		err = vtc__journal_list(ctx, VTC__UPLINK_JOURNAL, recover_journal, &r);
		if (err && !r.error)
			r.error = vtc__err(ctx, err, VTC_ERROR_ORIGIN_SYSTEM, OPERATION,
					   "%s", ctx->state_dir);
	}
	if (recovery)
		vtc__opts_give(recovery, &r.done, sizeof(r.done));
	return r.error;
}
