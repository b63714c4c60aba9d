/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The step that makes a flow rule. Drivers differ in where a rule may go and in which
 * bits of a VLAN tag they compare; what this one takes is tried, each try as a step of
 * its own, so that the journal knows at any time what may be on the card.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rule.h"

static int load(const void *data, size_t len, struct vtc__rule *ret)
{
	if (len < sizeof(*ret))
		return -EPROTO;
	memcpy(ret, data, sizeof(*ret));
	return 0;
}

/* ---- Where ---- */

static bool is_used(const struct vtc__rules *rules, uint32_t location)
{
	for (uint32_t i = 0; i < rules->count; i++)
		if (rules->location[i] == location)
			return true;
	return false;
}

/*
 * The lower location counts first with most cards: what matches more goes before what
 * matches less.
 */
static uint32_t preferred(const struct vtc_filter *filter, uint32_t size)
{
	if (!(filter->match & VTC_FILTER_MAC))
		return size / 3 * 2;
	return filter->match & VTC_FILTER_VLAN ? 0 : size / 3;
}

static int find_free(const struct vtc__rules *rules, const struct vtc_filter *filter,
		     uint32_t *ret)
{
	uint32_t first = preferred(filter, rules->size);

	for (uint32_t i = 0; i < rules->size; i++) {
		uint32_t location = (first + i) % rules->size;

		if (!is_used(rules, location)) {
			*ret = location;
			return 0;
		}
	}
	return -ENOSPC;
}

static int pick_location(struct vtc__uplink *uplink, struct vtc__rule *rule)
{
	struct vtc__rules rules;
	int err;

	if (rule->picked & 1u) {
		rule->location = VTC__RULE_ANYWHERE;
		return 0;
	}
	err = vtc__rules_get(uplink, &rules);
	if (err)
		return err;
	if (rule->location == VTC__RULE_ANYWHERE || is_used(&rules, rule->location))
		err = find_free(&rules, &rule->filter, &rule->location);
	vtc__rules_free(&rules);
	return err;
}

/*
 * 1 and where it is; 0: it is not on the card. Where it is not known, or another than was
 * noted, the rule is known by what it does: its queue is the pool's alone.
 */
static int find(struct vtc__uplink *uplink, const struct vtc__rule *rule, uint32_t *ret)
{
	struct vtc__rules rules;
	int is = 0;

	if (rule->location != VTC__RULE_ANYWHERE)
		is = vtc__rule_is(uplink, rule, *ret = rule->location);
	if (is)
		return is;
	is = vtc__rules_get(uplink, &rules);
	if (is)
		return is;
	for (uint32_t i = 0; !is && i < rules.count; i++)
		is = vtc__rule_is(uplink, rule, *ret = rules.location[i]);
	vtc__rules_free(&rules);
	return is;
}

/* ---- The step ---- */

static void print_rule(const struct vtc__rule *rule, char *text, size_t len)
{
	const uint8_t *m = rule->filter.mac.addr;
	char mac[32] = "", vlan[32] = "";

	if (rule->filter.match & VTC_FILTER_MAC)
		snprintf(mac, sizeof(mac), " MAC %02x:%02x:%02x:%02x:%02x:%02x", m[0],
			 m[1], m[2], m[3], m[4], m[5]);
	if (rule->filter.match & VTC_FILTER_VLAN)
		snprintf(vlan, sizeof(vlan), " VLAN %u (mask %#06x)", rule->filter.vlan,
			 rule->vlan_mask);
	snprintf(text, len, "flow rule%s%s to queue %u", mac, vlan, rule->queue);
}

static int explain(struct vtc__txn *txn, const struct vtc__rule *rule, int err)
{
	char text[128];

	print_rule(rule, text, sizeof(text));
	vtc__err(txn->ctx, err,
		 err == -EIO ? VTC_ERROR_ORIGIN_DEVICE : VTC_ERROR_ORIGIN_SYSTEM,
		 txn->operation, "%s: %s", txn->uplink.name, text);
	if (err == -ENOSPC)
		vtc__err_message(txn->ctx, "the card has no room for a rule left");
	if (err == -EAGAIN)
		vtc__err_hint(txn->ctx,
			      "the driver takes rules only while the interface is up: "
			      "ip link set %s up",
			      txn->uplink.name);
	return err;
}

/* Drivers drop parts of a rule silently. If it fails, location is where it may be. */
static int insert(struct vtc__txn *txn, struct vtc__rule *rule)
{
	int err = vtc__rule_insert(&txn->uplink, rule, &rule->location);
	int is;

	if (err)
		return explain(txn, rule, err);
	is = vtc__rule_is(&txn->uplink, rule, rule->location);
	if (is == 1)
		return 0;
	err = vtc__rule_delete(&txn->uplink, rule->location);
	if (err)
		rule->picked |= VTC__RULE_ALTERED;
	explain(txn, rule, is ? is : -EIO);
	if (!is)
		vtc__err_message(txn->ctx, "the driver took the rule, but not all of it");
	if (err)
		vtc__err_hint(txn->ctx, "the rule at location %u could not be deleted",
			      rule->location);
	return is ? is : -EIO;
}

static int rule_apply(struct vtc__txn *txn, void *data, size_t len, bool *changed)
{
	struct vtc__rule rule;
	struct vtc__rule noted;
	int err = load(data, len, &rule);

	if (err)
		return err;
	noted = rule;
	rule.picked &= ~VTC__RULE_ALTERED;
	err = pick_location(&txn->uplink, &rule);
	if (err)
		return explain(txn, &rule, err);
	err = insert(txn, &rule);
	*changed = memcmp(&rule, &noted, sizeof(rule)) != 0;
	memcpy(data, &rule, sizeof(rule));
	return err;
}

static int rule_check(struct vtc__txn *txn, const void *data, size_t len, char *text,
		      size_t text_len)
{
	struct vtc__rule rule;
	uint32_t location;
	int there = load(data, len, &rule);

	if (!there)
		there = find(&txn->uplink, &rule, &location);
	if (!there)
		print_rule(&rule, text, text_len);
	return there;
}

static int rule_undo(struct vtc__txn *txn, const void *data, size_t len)
{
	struct vtc__rule rule;
	uint32_t location;
	int err = load(data, len, &rule);

	if (err)
		return err;
	err = find(&txn->uplink, &rule, &location);
	if (!err && rule.picked & VTC__RULE_ALTERED) {
		location = rule.location;
		err = 1;
	}
	if (err == 1)
		err = vtc__rule_delete(&txn->uplink, location);
	if (!err || err == -ENODEV || err == -ENOENT)
		return 0;
	return explain(txn, &rule, err);
}

const struct vtc__step_kind vtc__step_rule = {
	.name = "rule",
	.apply = rule_apply,
	.check = rule_check,
	.undo = rule_undo,
};

/* ---- Finding out what the driver takes ---- */

/* Records of rules of all groups. */
static const struct vtc__record *next_rule(struct vtc__txn *txn, uint64_t id,
					   struct vtc__rule *ret)
{
	const struct vtc__record *r = vtc__journal_find_next(txn->journal, id);

	while (r &&
	       (strcmp(r->kind, vtc__step_rule.name) != 0 || load(r->data, r->len, ret)))
		r = vtc__journal_foreach_next(txn->journal, r);
	return r;
}

/* The mask that this card took before; 0: none yet. */
static uint32_t known_mask(struct vtc__txn *txn)
{
	const struct vtc__record *record;
	struct vtc__rule rule;
	uint64_t id = 0;

	while ((record = next_rule(txn, id, &rule))) {
		if (rule.filter.match & VTC_FILTER_VLAN)
			return rule.vlan_mask;
		id = record->id;
	}
	return 0;
}

/* At a place that we pick, and if the driver wants none of that, at one that it picks. */
static int try_places(struct vtc__txn *txn, const char *group, uint32_t tag,
		      struct vtc__rule *rule, bool picks)
{
	int err = -EINVAL;

	rule->picked = 0;
	rule->location = VTC__RULE_ANYWHERE;
	if (!picks) {
		err = pick_location(&txn->uplink, rule);
		if (err)
			return explain(txn, rule, err);
		err = vtc__step_do(txn, group, &vtc__step_rule, tag, rule, sizeof(*rule),
				   NULL);
	}
	if (err != -EINVAL)
		return err;
	rule->picked = 1;
	rule->location = VTC__RULE_ANYWHERE;
	return vtc__step_do(txn, group, &vtc__step_rule, tag, rule, sizeof(*rule), NULL);
}

static bool is_refusal(int err)
{
	return err == -EINVAL || err == -EOPNOTSUPP;
}

static int try_masks(struct vtc__txn *txn, const char *group, uint32_t tag,
		     struct vtc__rule *rule, bool picks)
{
	uint32_t known = txn->uplink.quirks.vlan_mask;
	int err;

	if (!known)
		known = known_mask(txn);
	rule->vlan_mask = known ? known : 0x0fff;
	err = try_places(txn, group, tag, rule, picks);
	if (known || !is_refusal(err))
		return err;
	rule->vlan_mask = 0xffff;
	return try_places(txn, group, tag, rule, picks);
}

int vtc__do_rule(struct vtc__txn *txn, const char *group, uint32_t tag,
		 const struct vtc_filter *filter, uint32_t queue, uint32_t queues)
{
	struct vtc__rule rule = { .filter = *filter, .queue = queue, .queues = queues };
	struct vtc__rules rules;
	bool picks;
	int err = vtc__rules_get(&txn->uplink, &rules);

	if (err)
		return explain(txn, &rule, err);
	picks = rules.picks || txn->uplink.quirks.location_any;
	vtc__rules_free(&rules);
	if (filter->match & VTC_FILTER_VLAN)
		err = try_masks(txn, group, tag, &rule, picks);
	else
		err = try_places(txn, group, tag, &rule, picks);
	if (is_refusal(err))
		vtc__err_message(txn->ctx, "the driver takes no rule for this filter");
	return is_refusal(err) ? -EOPNOTSUPP : err;
}

/* ---- Off the card for a while ---- */

int vtc__rules_lift(struct vtc__txn *txn)
{
	const struct vtc__record *record;
	struct vtc__rule rule;
	uint64_t id = 0;
	int err = 0;

	while (!err && (record = next_rule(txn, id, &rule))) {
		id = record->id;
		err = rule_undo(txn, &rule, sizeof(rule));
	}
	return err;
}

/* One that was never taken off is there. */
static int bring_back(struct vtc__txn *txn, uint64_t id, struct vtc__rule *rule)
{
	bool changed = false;
	uint32_t location;
	int err = find(&txn->uplink, rule, &location);

	if (err)
		return err == 1 ? 0 : explain(txn, rule, err);
	err = rule_apply(txn, rule, sizeof(*rule), &changed);
	if (!err && changed)
		err = vtc__journal_update(txn->journal, id, rule, sizeof(*rule));
	return err;
}

int vtc__rules_lower(struct vtc__txn *txn)
{
	const struct vtc__record *record;
	struct vtc__rule rule;
	uint64_t id = 0;
	int first = 0;

	while ((record = next_rule(txn, id, &rule))) {
		int err;

		id = record->id;
		err = bring_back(txn, id, &rule);
		if (!first)
			first = err;
	}
	return first;
}
