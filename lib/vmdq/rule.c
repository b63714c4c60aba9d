/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of flow rules of a card. */
#include "rule.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "ethtool.h"
#include "rss.h"

#define RULES_MAX 65536u

/* Somebody else may add rules between the two questions. */
#define LIST_TRIES 8u
#define LIST_SPARE 16u

/* ---- Which rules there are ---- */

static int read_counts(struct vtc__uplink *uplink, struct vtc__rules *ret)
{
	struct ethtool_rxnfc ask = { .cmd = ETHTOOL_GRXCLSRLCNT };
	int err = vtc__ethtool(uplink, &ask);

	if (err)
		return err;
	*ret = (struct vtc__rules){ .count = ask.rule_cnt,
				    .size = (uint32_t)ask.data & ~RX_CLS_LOC_SPECIAL,
				    .picks = ask.data & RX_CLS_LOC_SPECIAL };
	return ret->count > RULES_MAX ? -EPROTO : 0;
}

static int read_list(struct vtc__uplink *uplink, struct vtc__rules *rules)
{
	uint32_t room = rules->count + LIST_SPARE;
	struct ethtool_rxnfc *ask =
		calloc(1, sizeof(*ask) + room * sizeof(*rules->location));
	uint32_t *location = calloc(room, sizeof(*location));
	int err = -ENOMEM;

	if (ask && location) {
		ask->cmd = ETHTOOL_GRXCLSRLALL;
		ask->rule_cnt = room;
		err = vtc__ethtool(uplink, ask);
	}
	if (!err && ask->rule_cnt > room)
		err = -EPROTO;
	if (err) {
		free(location);
	} else {
		/* They begin in what is padding at the end of the struct. */
		memcpy(location,
		       (const uint8_t *)ask + offsetof(struct ethtool_rxnfc, rule_locs),
		       ask->rule_cnt * sizeof(*location));
		rules->count = ask->rule_cnt;
		rules->location = location;
	}
	free(ask);
	return err;
}

int vtc__rules_get(struct vtc__uplink *uplink, struct vtc__rules *ret)
{
	struct vtc__rules rules;
	int err = -EMSGSIZE;

	for (unsigned int i = 0; err == -EMSGSIZE && i < LIST_TRIES; i++) {
		err = read_counts(uplink, &rules);
		if (!err)
			err = read_list(uplink, &rules);
	}
	if (!err)
		*ret = rules;
	return err;
}

void vtc__rules_free(struct vtc__rules *rules)
{
	free(rules->location);
	*rules = (struct vtc__rules){ .count = 0 };
}

/* ---- One rule ---- */

/* The kernel's masks: ones are compared. */
static void fill_spec(const struct vtc__rule *rule, struct ethtool_rx_flow_spec *spec)
{
	spec->flow_type = ETHER_FLOW;
	if (rule->filter.match & VTC_FILTER_MAC) {
		memcpy(spec->h_u.ether_spec.h_dest, rule->filter.mac.addr, ETH_ALEN);
		memset(spec->m_u.ether_spec.h_dest, 0xff, ETH_ALEN);
	}
	if (rule->filter.match & VTC_FILTER_VLAN) {
		spec->flow_type |= FLOW_EXT;
		spec->h_ext.vlan_tci = htons(rule->filter.vlan);
		spec->m_ext.vlan_tci = htons((uint16_t)rule->vlan_mask);
	}
	spec->ring_cookie = rule->queue;
}

/* With a context the queue is counted from its first one. */
static int fill(struct vtc__uplink *uplink, const struct vtc__rule *rule,
		struct ethtool_rxnfc *rxnfc)
{
	int found;

	fill_spec(rule, &rxnfc->fs);
	if (rule->queues <= 1)
		return 0;
	found = vtc__context_find(uplink, rule->queue, rule->queues, &rxnfc->rss_context);
	if (found <= 0)
		return found ? found : -ENOENT;
	rxnfc->fs.flow_type |= FLOW_RSS;
	rxnfc->fs.ring_cookie = 0;
	return 0;
}

/*
 * What the driver tells may have more bits than were set where there is no matter, so the
 * parts are compared that decide which frames go where.
 */
static bool is_same(const struct ethtool_rxnfc *a, const struct ethtool_rxnfc *b)
{
	static const struct ethtool_flow_ext none;
	const uint32_t kind = ~(uint32_t)(FLOW_EXT | FLOW_MAC_EXT);
	const struct ethtool_flow_ext *am, *bm;

	am = a->fs.flow_type & FLOW_EXT ? &a->fs.m_ext : &none;
	bm = b->fs.flow_type & FLOW_EXT ? &b->fs.m_ext : &none;
	return (a->fs.flow_type & kind) == (b->fs.flow_type & kind) &&
	       a->fs.ring_cookie == b->fs.ring_cookie &&
	       memcmp(&a->fs.m_u.ether_spec, &b->fs.m_u.ether_spec,
		      sizeof(a->fs.m_u.ether_spec)) == 0 &&
	       memcmp(a->fs.h_u.ether_spec.h_dest, b->fs.h_u.ether_spec.h_dest,
		      ETH_ALEN) == 0 &&
	       am->vlan_tci == bm->vlan_tci &&
	       (a->fs.h_ext.vlan_tci & am->vlan_tci) ==
		       (b->fs.h_ext.vlan_tci & bm->vlan_tci) &&
	       (!(a->fs.flow_type & FLOW_RSS) || a->rss_context == b->rss_context);
}

int vtc__rule_is(struct vtc__uplink *uplink, const struct vtc__rule *rule,
		 uint32_t location)
{
	struct ethtool_rxnfc want = { .cmd = 0 };
	struct ethtool_rxnfc ask = { .cmd = ETHTOOL_GRXCLSRULE };
	int err = fill(uplink, rule, &want);

	if (err)
		return err == -ENOENT ? 0 : err;
	ask.fs.location = location;
	err = vtc__ethtool(uplink, &ask);
	/* What drivers say of a place where no rule is. */
	if (err == -ENOENT || err == -EINVAL || err == -EOPNOTSUPP)
		return 0;
	return err ? err : is_same(&ask, &want);
}

int vtc__rule_insert(struct vtc__uplink *uplink, const struct vtc__rule *rule,
		     uint32_t *location)
{
	struct ethtool_rxnfc ask = { .cmd = ETHTOOL_SRXCLSRLINS };
	int err = fill(uplink, rule, &ask);

	if (err)
		return err;
	ask.fs.location = *location == VTC__RULE_ANYWHERE ? RX_CLS_LOC_ANY : *location;
	err = vtc__ethtool(uplink, &ask);
	if (!err)
		*location = ask.fs.location;
	return err;
}

int vtc__rule_delete(struct vtc__uplink *uplink, uint32_t location)
{
	struct ethtool_rxnfc ask = { .cmd = ETHTOOL_SRXCLSRLDEL };

	ask.fs.location = location;
	return vtc__ethtool(uplink, &ask);
}
