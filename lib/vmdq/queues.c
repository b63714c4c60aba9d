/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Queues of a card set aside for pools. */
#include "queues.h"

#include <errno.h>
#include <string.h>

#include "channels.h"
#include "rss.h"

static bool claims_queues(const struct vtc__pool_data *pool)
{
	return vtc__backend_find(pool->backend)->uses_guard && pool->queue_count;
}

/* Pools, other than this one, whose ports have sockets on queues. */
static const struct vtc__record *next_pool(struct vtc__txn *txn, const char *group,
					   uint64_t id, struct vtc__pool_data *ret)
{
	const struct vtc__record *r = vtc__journal_find_next(txn->journal, id);

	while (r && (strcmp(r->kind, vtc__step_pool.name) != 0 ||
		     strcmp(r->group, group) == 0 || vtc__pool_data_of(r, ret) ||
		     !claims_queues(ret)))
		r = vtc__journal_foreach_next(txn->journal, r);
	return r;
}

/* The first queue above all pools that overlap with these; 0: none do. */
static uint32_t above(struct vtc__txn *txn, const char *group, uint32_t first,
		      uint32_t count)
{
	const struct vtc__record *record;
	struct vtc__pool_data pool;
	uint32_t end = 0;
	uint64_t id = 0;

	while ((record = next_pool(txn, group, id, &pool))) {
		uint32_t pool_end = pool.queue_first + pool.queue_count;

		id = record->id;
		if (pool.queue_first < first + count && first < pool_end &&
		    pool_end > end)
			end = pool_end;
	}
	return end;
}

/* Each step passes a pool, of which there are not many. */
static uint32_t find_gap(struct vtc__txn *txn, const char *group, uint32_t from,
			 uint32_t count)
{
	uint32_t end;

	for (unsigned int i = 0; i <= VTC_POOL_MAX; i++) {
		end = above(txn, group, from, count);
		if (!end)
			break;
		from = end;
	}
	return from;
}

/* On queues that the guard has no place for a pool could never have a port. */
int vtc__queues_plan(struct vtc__txn *txn, const char *group, uint32_t count,
		     struct vtc__queues *ret)
{
	struct vtc__channels channels;
	struct vtc__queues plan;
	uint32_t limit;
	int err = vtc__channels_get(&txn->uplink, &channels);

	if (err)
		return err;
	plan.channels_now = channels.count;
	plan.base_now = vtc__rss_base(txn);
	plan.base = plan.base_now ? plan.base_now : channels.count;
	plan.first = find_gap(txn, group, plan.base, count);
	limit = channels.max < VTC__GUARD_QUEUES ? channels.max : VTC__GUARD_QUEUES;
	if (plan.first + count > limit) {
		if (plan.base > limit)
			plan.base = limit;
		/* One queue at least is for all the others. */
		if (plan.base <= count)
			return -ENOSPC;
		plan.base -= count;
		plan.first = plan.base;
		/* A pool that the guard alone sorts for has them all. */
		if (above(txn, group, plan.first, count))
			return -ENOSPC;
	}
	plan.channels =
		plan.first + count > channels.count ? plan.first + count : channels.count;
	*ret = plan;
	return 0;
}

/*
 * With an RSS table that was set drivers refuse to change channels: those first. But then
 * the driver makes its default anew, so the table is looked at before.
 */
int vtc__do_queues(struct vtc__txn *txn, const struct vtc__queues *plan)
{
	bool lower = plan->base != plan->base_now;
	struct vtc__rss_before before;
	int err = 0;

	if (lower)
		err = vtc__rss_keep(txn, plan->channels_now, &before);
	if (!err)
		err = vtc__do_channels(txn, plan->channels);
	return err || !lower ? err : vtc__do_rss(txn, plan->base, &before);
}
