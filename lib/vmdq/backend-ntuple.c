/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The backend ntuple: the card's flow rules send the frames of a pool to queues that are
 * its own. The guard on the card makes it right what the rules get wrong: it looks at
 * every frame again, and a frame on a queue of somebody else is a missort.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "feature.h"
#include "pool.h"
#include "queues.h"
#include "rss.h"
#include "rule.h"

/* ---- Probe ---- */

static int probe_feature(struct vtc__txn *txn, char *why, size_t len)
{
	struct vtc__feature feature = { .on = false };
	int err;

	if (txn->uplink.quirks.no_mac_rules) {
		snprintf(why, len, "flow rules of %s cannot match a MAC",
			 txn->uplink.driver);
		return -EOPNOTSUPP;
	}
	err = vtc__feature_get(&txn->uplink, VTC__FEATURE_NTUPLE, &feature);
	if (!err && (feature.on || !feature.fixed))
		return 0;
	snprintf(why, len, "feature " VTC__FEATURE_NTUPLE " %s",
		 err ? "cannot be read" : "is fixed off");
	return err ? err : -EOPNOTSUPP;
}

static int probe_rules(struct vtc__txn *txn, struct vtc__rules *rules, char *why,
		       size_t len)
{
	int err = vtc__rules_get(&txn->uplink, rules);

	if (err) {
		snprintf(why, len, "the driver has no flow rules");
		return err;
	}
	vtc__rules_free(&(struct vtc__rules){ .location = rules->location });
	if (rules->size && rules->count >= rules->size) {
		snprintf(why, len, "all %u flow rules are in use", rules->size);
		return -ENOSPC;
	}
	return 0;
}

static int probe_queues(struct vtc__txn *txn, uint32_t count, struct vtc__queues *plan,
			char *why, size_t len)
{
	struct vtc__rss_table table;
	int err = vtc__queues_plan(txn, "", count, plan);

	if (err) {
		snprintf(why, len,
			 err == -ENOSPC ? "the card has no queues left to set aside"
					: "the driver has no channels that can be set");
		return err;
	}
	err = vtc__rss_get(&txn->uplink, 0, &table);
	if (!err) {
		vtc__rss_free(&table);
		err = vtc__rss_probe(&txn->uplink);
	}
	if (err)
		snprintf(why, len,
			 "the RSS table cannot be set, so other traffic cannot be kept "
			 "off a pool's queues");
	return err;
}

static int probe(struct vtc__txn *txn, const struct vtc_pool_opts *opts, char *why,
		 size_t len)
{
	struct vtc__queues plan = { .first = 0 };
	struct vtc__rules rules = { .count = 0 };
	int err;

	if (opts->flags & VTC_POOL_F_EVERYTHING) {
		snprintf(why, len, "flow rules name addresses, not everything");
		return -EOPNOTSUPP;
	}
	err = probe_feature(txn, why, len);
	if (!err)
		err = probe_rules(txn, &rules, why, len);
	if (!err)
		err = probe_queues(txn, opts->queues, &plan, why, len);
	if (!err && !vtc__pool_guard_step(txn))
		err = vtc__guard_probe(txn->ctx, txn->uplink.ifindex, why, len);
	if (!err)
		snprintf(why, len,
			 "flow rules (%u of %u in use), queues from %u on; all other "
			 "traffic on %u queues",
			 rules.count, rules.size, plan.first, plan.base);
	return err;
}

/* ---- Request ---- */

static int do_queues(struct vtc__txn *txn, struct vtc_pool *pool)
{
	struct vtc__queues plan;
	int err = vtc__queues_plan(txn, pool->name, pool->data.queue_count, &plan);

	if (err)
		return vtc__pool_err(pool, err, VTC_ERROR_ORIGIN_DEVICE, txn->operation);
	pool->data.queue_first = plan.first;
	return vtc__do_queues(txn, &plan);
}

/* Without a context the rules lead to the first queue, and the others stay empty. */
static int do_context(struct vtc__txn *txn, struct vtc_pool *pool)
{
	int err;

	if (pool->data.queue_count <= 1)
		return 0;
	err = vtc__do_context(txn, pool->name, pool->data.queue_first,
			      pool->data.queue_count);
	return err == -EOPNOTSUPP ? 0 : err;
}

static bool has_context(struct vtc__txn *txn, const struct vtc_pool *pool)
{
	return vtc__step_find(txn, pool->name, vtc__step_context.name, 0);
}

static int do_rule(struct vtc__txn *txn, struct vtc_pool *pool,
		   const struct vtc_filter *filter, uint32_t tag)
{
	uint32_t queues = has_context(txn, pool) ? pool->data.queue_count : 1;

	return vtc__do_rule(txn, pool->name, tag, filter, pool->data.queue_first, queues);
}

/*
 * Many drivers have flow rules, but none for a MAC. Only a try tells: with an address
 * that nobody has.
 */
static int try_rule(struct vtc__txn *txn, struct vtc_pool *pool)
{
	static const struct vtc_filter nobody = {
		.mac = { { 0x02, 'v', 't', 'c', 0, 0 } },
		.match = VTC_FILTER_MAC,
	};
	const struct vtc__record *record;
	int err = do_rule(txn, pool, &nobody, 0);

	if (err == -EOPNOTSUPP)
		vtc__err_message(txn->ctx, "the driver takes no rule that sends the "
					   "frames for a MAC to a queue");
	if (err)
		return err;
	record = vtc__step_find(txn, pool->name, vtc__step_rule.name, 0);
	return record ? vtc__step_undo(txn, record->id) : 0;
}

static int request(struct vtc__txn *txn, struct vtc_pool *pool)
{
	int err = vtc__do_feature(txn, VTC__FEATURE_NTUPLE, true);

	if (!err)
		err = do_queues(txn, pool);
	if (!err)
		err = do_context(txn, pool);
	if (!err)
		err = try_rule(txn, pool);
	return err ? err : vtc__pool_do_guard(txn, pool);
}

static const char *note(struct vtc__txn *txn, const struct vtc_pool *pool)
{
	if (pool->data.queue_count <= 1 || has_context(txn, pool))
		return "";
	return "the card has no RSS context for it: all frames come on its first queue";
}

/* ---- Filters ---- */

/*
 * What the card is to match for a filter: as close as it can; the guard does the rest.
 * -EOPNOTSUPP: it can match nothing of it. Frames without a tag cannot be told from
 * others; and where MAC and VLAN would be two filters the MAC is the one.
 */
static int on_card(const struct vtc__uplink *uplink, const struct vtc_filter *filter,
		   struct vtc_filter *ret)
{
	bool vlan = filter->match & VTC_FILTER_VLAN && filter->vlan &&
		    !uplink->quirks.and_is_or;

	*ret = *filter;
	if (!vlan) {
		ret->match &= ~VTC_FILTER_VLAN;
		ret->vlan = 0;
	}
	return ret->match ? 0 : -EOPNOTSUPP;
}

static bool is_equal(const struct vtc_filter *a, const struct vtc_filter *b)
{
	return a->match == b->match && a->vlan == b->vlan &&
	       (!(a->match & VTC_FILTER_MAC) ||
		memcmp(&a->mac, &b->mac, sizeof(a->mac)) == 0);
}

/* Two filters of a pool that are one for the card need one rule; NULL: there is none. */
static const struct vtc__record *find_rule(struct vtc__txn *txn,
					   const struct vtc_pool *pool,
					   const struct vtc_filter *filter)
{
	const struct vtc__record *record;
	uint64_t id = 0;

	while ((record = vtc__step_find(txn, pool->name, vtc__step_rule.name, id))) {
		struct vtc__rule rule;

		id = record->id;
		if (record->len < sizeof(rule))
			continue;
		memcpy(&rule, record->data, sizeof(rule));
		if (is_equal(&rule.filter, filter))
			return record;
	}
	return NULL;
}

/* Another filter of the pool that is the same for the card; 0: there is none. */
static uint32_t find_heir(struct vtc__txn *txn, const struct vtc_pool *pool,
			  const struct vtc_filter *rule, uint32_t tag)
{
	const struct vtc__record *record;
	struct vtc_filter other;
	uint64_t id = 0;

	while ((record = vtc__step_find(txn, pool->name, vtc__step_match.name, id))) {
		id = record->id;
		if (record->tag != tag && vtc__pool_match_of(record, &other) &&
		    on_card(&txn->uplink, &other, &other) == 0 && is_equal(&other, rule))
			return record->tag;
	}
	return 0;
}

static int leave_filter(struct vtc__txn *txn, struct vtc_pool *pool,
			const struct vtc_filter *filter, uint32_t tag)
{
	const struct vtc__record *record;
	struct vtc_filter rule;
	uint32_t heir;

	if (on_card(&txn->uplink, filter, &rule))
		return 0;
	record = find_rule(txn, pool, &rule);
	if (!record || record->tag != tag)
		return 0;
	heir = find_heir(txn, pool, &rule, tag);
	return heir ? vtc__pool_hand_over(txn, pool, record->id, heir) : 0;
}

static int refuse(struct vtc__txn *txn, const struct vtc_pool *pool)
{
	vtc__pool_err(pool, -EOPNOTSUPP, VTC_ERROR_ORIGIN_DEVICE, txn->operation);
	vtc__err_message(txn->ctx, "the card's flow rules cannot match %s",
			 txn->uplink.quirks.and_is_or ? "a VLAN" : "frames without tag");
	vtc__err_hint(txn->ctx, "name a MAC as well, or use the backend xdp");
	return -EOPNOTSUPP;
}

static int add_filter(struct vtc__txn *txn, struct vtc_pool *pool,
		      const struct vtc_filter *filter, uint32_t tag)
{
	struct vtc_filter rule;
	int err = on_card(&txn->uplink, filter, &rule);

	if (err)
		return refuse(txn, pool);
	err = vtc__pool_do_guard_filter(txn, pool, filter, tag);
	if (err || find_rule(txn, pool, &rule))
		return err;
	return do_rule(txn, pool, &rule, tag);
}

static bool apart(const struct vtc__uplink *uplink, const struct vtc_filter *a,
		  const struct vtc_filter *b)
{
	struct vtc_filter on_card_a, on_card_b;

	return on_card(uplink, a, &on_card_a) || on_card(uplink, b, &on_card_b) ||
	       !is_equal(&on_card_a, &on_card_b);
}

const struct vtc__backend vtc__backend_ntuple = {
	.id = VTC_POOL_BACKEND_NTUPLE,
	.name = "ntuple",
	.hardware = true,
	.uses_guard = true,
	.own_queues = true,
	.by_card = true,
	.probe = probe,
	.request = request,
	.add_filter = add_filter,
	.leave_filter = leave_filter,
	.apart = apart,
	.note = note,
};
