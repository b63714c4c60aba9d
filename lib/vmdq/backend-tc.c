/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The backend tc: filters of traffic control hand frames to the target. The last resort:
 * it needs no BPF, and the stack has made a packet of each frame before it is sorted.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <stdio.h>
#include <string.h>

#include "pool.h"
#include "tc.h"

/* Numbers of filters of a slot that belong to no tag; a tag has two from 2 * tag on. */
#define NUMBER_TRY	  0
#define NUMBER_EVERYTHING 1

/* Of those that make copies: there is one for a VLAN, whatever filters want it. */
#define NUMBER_GROUP_ANY	  0
#define NUMBER_GROUP_UNTAGGED	  1
#define NUMBER_GROUP_TAGGED(vlan) (2u + (vlan))

/* Whether the kernel has flower is not to be known without loading modules. */
static int probe(struct vtc__txn *txn, const struct vtc_pool_opts *opts, char *why,
		 size_t len)
{
	(void)txn;
	if (!opts->target || !opts->target[0]) {
		snprintf(why, len, "a target interface is needed, as it has no sockets");
		return -EOPNOTSUPP;
	}
	snprintf(why, len, "flower filters, if the kernel has them, to %s", opts->target);
	return 0;
}

/* ---- Making filters ---- */

static int do_flower(struct vtc__txn *txn, struct vtc_pool *pool,
		     const struct vtc_filter *filter, enum vtc__flower_shape shape,
		     uint32_t number, uint32_t tag, uint64_t *ret_id)
{
	struct vtc__flower flower = { .filter = *filter, .target = pool->data.target };

	vtc__flower_init(&flower, shape, pool->data.slot, number);
	memcpy(flower.target_name, pool->data.target_name, sizeof(flower.target_name));
	return vtc__step_do(txn, pool->name, &vtc__step_flower, tag, &flower,
			    sizeof(flower), ret_id);
}

/* Only a try tells whether the kernel can: with an address that nobody has. */
static int try_flower(struct vtc__txn *txn, struct vtc_pool *pool)
{
	static const struct vtc_filter nobody = {
		.mac = { { 0x02, 'v', 't', 'c', 0, 0 } },
		.match = VTC_FILTER_MAC,
	};
	uint64_t id = 0;
	int err = do_flower(txn, pool, &nobody, VTC__FLOWER_ANY, NUMBER_TRY, 0, &id);

	return err ? err : vtc__step_undo(txn, id);
}

/* The filter that makes copies of frames of this shape; NULL: there is none. */
static const struct vtc__record *find_copy(struct vtc__txn *txn,
					   const struct vtc_pool *pool, uint32_t shape,
					   uint16_t vlan)
{
	const struct vtc__record *record;
	struct vtc__flower flower;
	uint64_t id = 0;

	while ((record = vtc__step_find(txn, pool->name, vtc__step_flower.name, id))) {
		id = record->id;
		if (record->len != sizeof(flower))
			continue;
		memcpy(&flower, record->data, sizeof(flower));
		if (flower.shape == shape && flower.filter.vlan == vlan)
			return record;
	}
	return NULL;
}

static int do_copy(struct vtc__txn *txn, struct vtc_pool *pool,
		   const struct vtc_filter *filter, enum vtc__flower_shape shape,
		   uint32_t number, uint32_t tag)
{
	struct vtc_filter vlan = { .vlan = filter->vlan,
				   .match = filter->match & VTC_FILTER_VLAN };

	if (find_copy(txn, pool, shape, vlan.vlan))
		return 0;
	return do_flower(txn, pool, &vlan, shape, number, tag, NULL);
}

/* Who has a filter for a VLAN, or for all, is a member of it. */
static int do_copies(struct vtc__txn *txn, struct vtc_pool *pool,
		     const struct vtc_filter *filter, uint32_t tag)
{
	int err;

	if (!(pool->data.flags & VTC_POOL_F_GROUP_COPY))
		return 0;
	if (!(filter->match & VTC_FILTER_VLAN))
		return do_copy(txn, pool, filter, VTC__FLOWER_GROUP_ANY, NUMBER_GROUP_ANY,
			       tag);
	err = do_copy(txn, pool, filter, VTC__FLOWER_GROUP_TAGGED,
		      NUMBER_GROUP_TAGGED(filter->vlan), tag);
	if (!err && !filter->vlan)
		err = do_copy(txn, pool, filter, VTC__FLOWER_GROUP_UNTAGGED,
			      NUMBER_GROUP_UNTAGGED, tag);
	return err;
}

static int request(struct vtc__txn *txn, struct vtc_pool *pool)
{
	static const struct vtc_filter all;
	int err = vtc__tc_do_clsact(txn);

	pool->data.queue_first = pool->data.queue_count = 0;
	if (!err)
		err = try_flower(txn, pool);
	if (!err)
		err = vtc__pool_do_vlans(txn);
	if (err || !(pool->data.flags & VTC_POOL_F_EVERYTHING))
		return err;
	err = do_flower(txn, pool, &all, VTC__FLOWER_ANY, NUMBER_EVERYTHING, 0, NULL);
	return err ? err : do_copies(txn, pool, &all, 0);
}

/* VLAN 0 is no tag, or a tag that has a priority only: two filters. */
static int do_unicast(struct vtc__txn *txn, struct vtc_pool *pool,
		      const struct vtc_filter *filter, uint32_t tag)
{
	uint32_t number = 2 * tag;
	int err;

	if (!(filter->match & VTC_FILTER_VLAN))
		return do_flower(txn, pool, filter, VTC__FLOWER_ANY, number, tag, NULL);
	err = do_flower(txn, pool, filter, VTC__FLOWER_TAGGED, number, tag, NULL);
	if (!err && !filter->vlan)
		err = do_flower(txn, pool, filter, VTC__FLOWER_UNTAGGED, number + 1, tag,
				NULL);
	return err;
}

static int add_filter(struct vtc__txn *txn, struct vtc_pool *pool,
		      const struct vtc_filter *filter, uint32_t tag)
{
	int err = do_unicast(txn, pool, filter, tag);

	if (!err)
		err = do_copies(txn, pool, filter, tag);
	return err ? err : vtc__pool_do_address(txn, pool, filter, tag);
}

/* Another filter of the pool that is about the same VLAN; 0: there is none. */
static uint32_t find_heir(struct vtc__txn *txn, const struct vtc_pool *pool,
			  const struct vtc_filter *filter, uint32_t tag)
{
	const struct vtc__record *record;
	struct vtc_filter other;
	uint64_t id = 0;

	while ((record = vtc__step_find(txn, pool->name, vtc__step_match.name, id))) {
		id = record->id;
		if (record->tag != tag && vtc__pool_match_of(record, &other) &&
		    other.vlan == filter->vlan &&
		    !((other.match ^ filter->match) & VTC_FILTER_VLAN))
			return record->tag;
	}
	return 0;
}

static int leave_filter(struct vtc__txn *txn, struct vtc_pool *pool,
			const struct vtc_filter *filter, uint32_t tag)
{
	uint32_t heir = find_heir(txn, pool, filter, tag);
	int err = 0;

	for (uint32_t shape = VTC__FLOWER_GROUP_TAGGED;
	     !err && heir && shape <= VTC__FLOWER_GROUP_ANY; shape++) {
		const struct vtc__record *record =
			find_copy(txn, pool, shape, filter->vlan);

		if (record && record->tag == tag)
			err = vtc__pool_hand_over(txn, pool, record->id, heir);
	}
	return err;
}

/* Priorities decide where two filters overlap; only equal ones collide. */
static bool apart(const struct vtc__uplink *uplink, const struct vtc_filter *a,
		  const struct vtc_filter *b)
{
	(void)uplink;
	return a->match != b->match || a->vlan != b->vlan ||
	       memcmp(&a->mac, &b->mac, sizeof(a->mac)) != 0;
}

/* ---- Numbers ---- */

/* Traffic control counts behind the Ethernet header, and without the tag. */
static void add(struct vtc_pool_stats *stats, const struct vtc__flower_count *count,
		const struct vtc__flower *flower)
{
	uint64_t header = ETH_HLEN + (flower->shape == VTC__FLOWER_TAGGED ? 4 : 0);

	stats->rx_packets += count->packets;
	stats->rx_bytes += count->bytes + header * count->packets;
	stats->to_target += count->packets;
}

static int stats(struct vtc__txn *txn, struct vtc_pool *pool,
		 struct vtc_pool_stats *stats)
{
	const struct vtc__record *record = NULL;
	struct vtc__flower_count count;
	struct vtc__flower flower;
	uint64_t id = 0;
	int err;

	stats->valid |= VTC_POOL_STAT_RX_PACKETS | VTC_POOL_STAT_RX_BYTES |
			VTC_POOL_STAT_TO_TARGET;
	while ((record = vtc__step_find(txn, pool->name, vtc__step_flower.name, id))) {
		id = record->id;
		if (record->len != sizeof(flower))
			continue;
		memcpy(&flower, record->data, sizeof(flower));
		if (vtc__flower_is_group(&flower))
			continue;
		err = vtc__flower_count(txn, &flower, &count);
		if (err && err != -ENOENT)
			return err;
		if (!err)
			add(stats, &count, &flower);
	}
	return 0;
}

const struct vtc__backend vtc__backend_tc = {
	.id = VTC_POOL_BACKEND_TC,
	.name = "tc",
	.by_card = true,
	.probe = probe,
	.request = request,
	.add_filter = add_filter,
	.leave_filter = leave_filter,
	.apart = apart,
	.stats = stats,
};
