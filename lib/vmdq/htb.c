/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The plan of the HTB tree: see htb.h. What is guaranteed to a pool is its class's rate;
 * all else is given out in turns, by quanta that are in the ratio of the weights, and the
 * link's own class sees to it that the frames wait here and not behind us.
 */
#include "htb.h"

#include <stdlib.h>
#include <string.h>

#include "core/sysfs.h"

#define CLASSID_LINK 0x76740001u
#define CLASSID_REST 0x76740002u

/* Where the link's speed is not known nothing is to be held up. */
#define NO_LIMIT_BPS 1000000000000u

/* A class must have a rate: one that no one notices. */
#define LEAST_BPS 8000u

/* No packet is larger than the smallest quantum, or turns would be by packets. */
#define LEAST_QUANTUM 65536u

/* Preamble, start of frame, checksum, gap. */
#define WIRE_OVERHEAD 24u

#define BPS_IN_MBPS 1000000u

uint64_t vtc__htb_link_bps(struct vtc__txn *txn)
{
	char path[VTC__PATH_MAX];
	uint32_t mbps;

	if (vtc__path(path, sizeof(path), "class/net/%s/speed", txn->uplink.name) ||
	    vtc__sysfs_read_u32(txn->ctx, path, &mbps) || mbps == UINT32_MAX)
		return 0;
	return (uint64_t)mbps * BPS_IN_MBPS;
}

/*
 * In order of slots, so that the tree does not depend on who came first. A pool has two
 * records where the rate of before could not be undone: the later counts.
 */
static struct vtc__htb_pool *pool_of(struct vtc__htb *htb, uint32_t slot)
{
	size_t i = 0;

	while (i < htb->count && htb->of[i].step.slot < slot)
		i++;
	if (i < htb->count && htb->of[i].step.slot == slot)
		return &htb->of[i];
	if (htb->count == VTC__HTB_POOLS)
		return NULL;
	memmove(&htb->of[i + 1], &htb->of[i], (htb->count - i) * sizeof(htb->of[0]));
	htb->count++;
	return &htb->of[i];
}

static void take_pools(struct vtc__txn *txn, uint32_t but_slot, struct vtc__htb *htb)
{
	const struct vtc__record *record = NULL;

	while ((record = vtc__journal_foreach_next(txn->journal, record))) {
		struct vtc__htb_pool *pool;
		struct vtc__htb_step step;

		if (strcmp(record->kind, vtc__step_htb.name) != 0 ||
		    record->len < sizeof(step))
			continue;
		memcpy(&step, record->data, sizeof(step));
		if (step.slot == but_slot || step.slot >= VTC__HTB_POOLS)
			continue;
		pool = pool_of(htb, step.slot);
		if (!pool)
			return;
		pool->step = step;
		memcpy(pool->group, record->group, sizeof(pool->group));
	}
}

/* A journal could hold any weight. */
static uint32_t weight_of(const struct vtc__htb_pool *pool, uint32_t lightest)
{
	uint32_t weight = pool->step.weight ? pool->step.weight : lightest;

	return weight > 1000 ? 1000 : weight;
}

/* Who asked for no weight counts as the lightest of those who did. */
static void find_weights(const struct vtc__htb *htb, uint32_t *lightest,
			 uint32_t *heaviest)
{
	*lightest = UINT32_MAX;
	for (size_t i = 0; i < htb->count; i++) {
		uint32_t weight = htb->of[i].step.weight;

		if (weight && weight < *lightest)
			*lightest = weight;
	}
	if (*lightest == UINT32_MAX)
		*lightest = 1;
	*heaviest = *lightest;
	for (size_t i = 0; i < htb->count; i++)
		if (weight_of(&htb->of[i], *lightest) > *heaviest)
			*heaviest = weight_of(&htb->of[i], *lightest);
}

static uint64_t link_of(struct vtc__txn *txn, const struct vtc__htb *htb)
{
	uint64_t bps = vtc__htb_link_bps(txn);

	/* A link that is down has no speed; it had one when it was up. */
	for (size_t i = 0; i < htb->count && !bps; i++)
		bps = htb->of[i].step.link_bps;
	return bps ? bps : NO_LIMIT_BPS;
}

static uint32_t quantum(uint32_t weight, uint32_t lightest)
{
	return (uint32_t)((uint64_t)LEAST_QUANTUM * weight / lightest);
}

static struct vtc__htb_class plan_pool(const struct vtc__htb_pool *pool, uint64_t link,
				       uint32_t lightest)
{
	const struct vtc__htb_step *step = &pool->step;
	struct vtc__htb_class class = {
		.classid = vtc__htb_classid(step->slot),
		.parent = CLASSID_LINK,
		.rate_bps = step->min_bps > LEAST_BPS ? step->min_bps : LEAST_BPS,
		.ceil_bps = step->max_bps > 7 ? step->max_bps : link,
		.quantum = quantum(weight_of(pool, lightest), lightest),
	};

	if (class.rate_bps > class.ceil_bps)
		class.rate_bps = class.ceil_bps;
	return class;
}

/* The rest of the machine is never worse off than a pool. */
static void plan_classes(struct vtc__txn *txn, struct vtc__htb *htb)
{
	uint64_t link = link_of(txn, htb);
	uint32_t lightest, heaviest;

	find_weights(htb, &lightest, &heaviest);
	htb->link = (struct vtc__htb_class){ .classid = CLASSID_LINK,
					     .parent = VTC__HTB_ROOT,
					     .rate_bps = link,
					     .ceil_bps = link,
					     .overhead = WIRE_OVERHEAD };
	htb->rest = (struct vtc__htb_class){ .classid = CLASSID_REST,
					     .parent = CLASSID_LINK,
					     .rate_bps = LEAST_BPS,
					     .ceil_bps = link,
					     .quantum = quantum(heaviest, lightest) };
	for (size_t i = 0; i < htb->count; i++)
		htb->pools[i] = plan_pool(&htb->of[i], link, lightest);
}

int vtc__htb_plan(struct vtc__txn *txn, uint32_t but_slot, struct vtc__htb *ret)
{
	memset(ret, 0, sizeof(*ret));
	take_pools(txn, but_slot, ret);
	plan_classes(txn, ret);
	return vtc__htb_program(txn, ret);
}

void vtc__htb_free(struct vtc__htb *htb)
{
	free(htb->program);
}
