/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Flow rules ("ethtool -n") that send frames for a MAC, in a VLAN, or both, to a queue,
 * and the step that makes one. They go by ioctl alone, and the kernel tells nobody when
 * one is made or lost.
 */
#ifndef VTC__RULE_H
#define VTC__RULE_H

#include <stdbool.h>
#include <stdint.h>

#include <vtc/pool.h>

#include "step.h"

#define VTC__RULE_ANYWHERE UINT32_MAX /* location: the card picks it */

/* One rule. The journal keeps it as it is, so it has no padding. */
struct vtc__rule {
	struct vtc_filter filter;
	uint32_t queue;
	uint32_t queues;    /* above 1: spread over so many, by an RSS context */
	uint32_t vlan_mask; /* bits of the tag that are compared, if the filter has one */
	uint32_t location;
	uint32_t picked; /* 1: the card picks locations; VTC__RULE_ALTERED beside it */
};

/* What is at the location is ours, though it is not what was asked for. */
#define VTC__RULE_ALTERED 2u

/* ---- The table (rule.c); these leave the error record alone ---- */

struct vtc__rules {
	uint32_t count, size;
	bool picks; /* the card picks locations */
	uint32_t *location;
};

/* -EOPNOTSUPP: the driver has no flow rules. */
int vtc__rules_get(struct vtc__uplink *uplink, struct vtc__rules *ret);
void vtc__rules_free(struct vtc__rules *rules);

/* 1: the rule at this location is this one; 0: it is another, or none is there. */
int vtc__rule_is(struct vtc__uplink *uplink, const struct vtc__rule *rule,
		 uint32_t location);
/* *location: where to, and where it came to be. */
int vtc__rule_insert(struct vtc__uplink *uplink, const struct vtc__rule *rule,
		     uint32_t *location);
int vtc__rule_delete(struct vtc__uplink *uplink, uint32_t location);

/* ---- The step (rule-step.c) ---- */

/*
 * A rule for a filter of a group, to queues of its own. Locations, masks and what else
 * differs between drivers is tried. Writes the error record.
 */
int vtc__do_rule(struct vtc__txn *txn, const char *group, uint32_t tag,
		 const struct vtc_filter *filter, uint32_t queue, uint32_t queues);

/*
 * Take all rules of pools off the card for a while, and bring them back, also if taking
 * them off failed half-way. Both write the error record.
 */
int vtc__rules_lift(struct vtc__txn *txn);
int vtc__rules_lower(struct vtc__txn *txn);

extern const struct vtc__step_kind vtc__step_rule;

#endif
