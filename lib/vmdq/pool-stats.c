/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was counted for a pool: by the guard, by its backend, by its port. */
#include <errno.h>
#include <stddef.h>

#include "core/opts.h"
#include "pool.h"

#define OPERATION   "get pool statistics"
#define STATS_FIRST sizeof(struct vtc_pool_stats)

static int read_guard(struct vtc__txn *txn, const struct vtc_pool *pool,
		      struct vtc_pool_stats *stats)
{
	struct vtc__guard_stats counted;
	struct vtc__guard *guard;
	int err = vtc__txn_guard(txn, &guard);

	if (!err)
		err = vtc__guard_get_stats(guard, pool->data.slot, &counted);
	/* It was taken off; the next audit puts it on again. */
	if (err)
		return err == -ENOENT ? 0 : err;
	stats->rx_packets = counted.packets;
	stats->rx_bytes = counted.bytes;
	stats->missort = counted.missort;
	stats->to_target = counted.to_target;
	stats->to_stack = counted.to_stack;
	stats->valid |= VTC_POOL_STAT_RX_PACKETS | VTC_POOL_STAT_RX_BYTES |
			VTC_POOL_STAT_MISSORT | VTC_POOL_STAT_TO_TARGET |
			VTC_POOL_STAT_TO_STACK;
	return 0;
}

/* An interface of the pool's own has counted already what the port sends. */
static void read_port(const struct vtc_pool *pool, struct vtc_pool_stats *stats)
{
	const struct vtc_pool_stats own = *stats;

	pool->port->stats(pool->port, stats);
	if (own.valid & VTC_POOL_STAT_TX_PACKETS)
		stats->tx_packets = own.tx_packets;
	if (own.valid & VTC_POOL_STAT_TX_BYTES)
		stats->tx_bytes = own.tx_bytes;
}

static int read_all(struct vtc__txn *txn, struct vtc_pool *pool,
		    struct vtc_pool_stats *stats)
{
	int err = 0;

	if (pool->backend->uses_guard)
		err = read_guard(txn, pool, stats);
	if (!err && pool->backend->stats)
		err = pool->backend->stats(txn, pool, stats);
	if (!err && pool->port && pool->port->stats)
		read_port(pool, stats);
	if (err) {
		vtc__pool_err(pool, err, VTC_ERROR_ORIGIN_SYSTEM, OPERATION);
		vtc__err_message(pool->ctx, "the counters cannot be read");
	}
	return err;
}

int vtc_pool_get_stats(struct vtc_pool *pool, struct vtc_pool_stats *stats)
{
	struct vtc_pool_stats now = { .sz = sizeof(now) };
	struct vtc__txn txn;
	int err;

	if (!pool)
		return -EINVAL;
	if (!stats || stats->sz < STATS_FIRST)
		return vtc__err_arg(pool->ctx, OPERATION, stats ? "stats.sz" : "stats");
	err = vtc__pool_begin(pool, OPERATION, false, &txn);
	if (err)
		return err;
	err = read_all(&txn, pool, &now);
	vtc__txn_end(&txn);
	if (!err)
		vtc__opts_give(stats, &now, sizeof(now));
	return err;
}
