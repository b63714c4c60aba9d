/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guard program on a card: a step that all pools share, and the filters in it. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "feature.h"
#include "pool.h"

struct filter_step {
	struct vtc_filter filter;
	uint32_t slot;
};

static int explain(struct vtc__txn *txn, int err, const char *what)
{
	vtc__err(txn->ctx, err, VTC_ERROR_ORIGIN_SYSTEM, txn->operation, "%s: %s",
		 txn->uplink.name, what);
	return err;
}

/* ---- VLAN tags that the driver keeps beside the packet ---- */

/* A frame with two tags that loses the outer one would be taken for one of the inner. */
static const char *const tag_features[] = { VTC__FEATURE_RX_VLAN, VTC__FEATURE_RX_STAG };

#define TAG_FEATURES (sizeof(tag_features) / sizeof(tag_features[0]))

/* 1: the driver takes such tags off; 0: it does not, or cannot; -errno. */
static int takes_tags(struct vtc__txn *txn, const char *name, bool *ret_fixed)
{
	struct vtc__feature now;
	int err = vtc__feature_get(&txn->uplink, name, &now);

	if (err)
		return err == -ENOENT ? 0 : err;
	*ret_fixed = now.fixed;
	return now.on;
}

/* Where neither the program nor the driver can be brought to see them. */
static void note_lost_tags(struct vtc__txn *txn, struct vtc__guard_step *step)
{
	size_t at = strlen(step->note);
	bool fixed = false;

	if (step->id.sees_tags || txn->uplink.quirks.tags_hidden)
		return;
	for (size_t i = 0; i < TAG_FEATURES; i++) {
		if (takes_tags(txn, tag_features[i], &fixed) != 1 || !fixed)
			continue;
		snprintf(step->note + at, sizeof(step->note) - at,
			 "%sVLAN tags that the driver takes off are not seen, and lost "
			 "on the way to a pool",
			 at ? "; " : "");
		return;
	}
}

/*
 * Where the program cannot see such tags the driver has to leave them in the packet. If
 * it does not, filters that name a VLAN are refused; all else still works.
 */
static int show_tags(struct vtc__txn *txn)
{
	const struct vtc__guard_step *step = vtc__pool_guard_step(txn);
	int err = 0;

	if (!step || step->id.sees_tags || txn->uplink.quirks.tags_hidden)
		return 0;
	for (size_t i = 0; !err && i < TAG_FEATURES; i++) {
		bool fixed = true;

		if (takes_tags(txn, tag_features[i], &fixed) == 1 && !fixed)
			err = vtc__do_feature(txn, tag_features[i], false);
	}
	return err;
}

static bool tags_shown(struct vtc__txn *txn)
{
	const struct vtc__guard_step *step = vtc__pool_guard_step(txn);
	bool fixed;

	if (step && step->id.sees_tags)
		return true;
	if (txn->uplink.quirks.tags_hidden)
		return false;
	for (size_t i = 0; i < TAG_FEATURES; i++)
		if (takes_tags(txn, tag_features[i], &fixed))
			return false;
	return true;
}

/* ---- The program ---- */

static int load_guard(const void *data, size_t len, struct vtc__guard_step *ret)
{
	if (len != sizeof(*ret))
		return -EBADMSG;
	memcpy(ret, data, sizeof(*ret));
	return 0;
}

/* What it takes to find the program again is on the disk before it is on the card. */
static int note_guard(struct vtc__txn *txn, const struct vtc__guard_step *step)
{
	const struct vtc__record *record =
		vtc__step_find(txn, "", vtc__step_guard.name, 0);
	int err = record ? vtc__journal_update(txn->journal, record->id, step,
					       sizeof(*step))
			 : -ENOENT;

	return err ? explain(txn, err, "the journal cannot be written") : 0;
}

/* What may be left of the guard that was lost: copies must not be made twice. */
static int clear(struct vtc__txn *txn, const struct vtc__guard_id *id)
{
	int err = 0;

	if (id->tables)
		err = vtc__guard_flood_detach(txn->ctx, id);
	if (!err && id->tables)
		err = vtc__guard_detach(txn->ctx, id);
	return err ? explain(txn, err, "the rest of the lost guard") : 0;
}

static int guard_apply(struct vtc__txn *txn, void *data, size_t len, bool *changed)
{
	struct vtc__guard_step step;
	struct vtc__guard *guard;
	uint32_t mode;
	int err = load_guard(data, len, &step);

	if (err)
		return explain(txn, err, "the journal's record of the guard");
	vtc__txn_drop_guard(txn);
	err = clear(txn, &step.id);
	if (err)
		return err;
	err = vtc__guard_load(txn->ctx, txn->uplink.ifindex, step.flags, step.tags_hidden,
			      &guard, &step.id, step.note, sizeof(step.note));
	if (err)
		return explain(txn, err, "the guard program cannot be loaded");
	err = note_guard(txn, &step);
	memcpy(data, &step, sizeof(step));
	mode = step.id.mode;
	if (!err)
		err = vtc__guard_attach(guard, &step.id);
	if (err) {
		vtc__guard_close(guard);
		return err;
	}
	if (step.id.mode != mode)
		snprintf(step.note, sizeof(step.note),
			 "no dispatcher: libxdp has none that this kernel takes");
	note_lost_tags(txn, &step);
	memcpy(data, &step, sizeof(step));
	*changed = true;
	txn->guard = guard;
	return 0;
}

static int guard_check(struct vtc__txn *txn, const void *data, size_t len, char *text,
		       size_t text_len)
{
	struct vtc__guard_step step;
	int err = load_guard(data, len, &step);

	if (!err)
		err = vtc__guard_attached(txn->ctx, &step.id);
	if (err == 0)
		snprintf(text, text_len, "the guard program was not on %s any more",
			 txn->uplink.name);
	return err;
}

static int guard_undo(struct vtc__txn *txn, const void *data, size_t len)
{
	struct vtc__guard_step step;
	int err = load_guard(data, len, &step);

	vtc__txn_drop_guard(txn);
	/* Never loaded. */
	if (!err && !step.id.tables)
		return 0;
	if (!err)
		err = vtc__guard_detach(txn->ctx, &step.id);
	if (err == -ENODEV)
		return 0;
	return err ? explain(txn, err, "the guard program cannot be detached") : 0;
}

const struct vtc__step_kind vtc__step_guard = {
	.name = "guard",
	.apply = guard_apply,
	.check = guard_check,
	.undo = guard_undo,
};

const struct vtc__guard_step *vtc__pool_guard_step(struct vtc__txn *txn)
{
	const struct vtc__record *record =
		vtc__step_find(txn, "", vtc__step_guard.name, 0);

	return record && record->len == sizeof(struct vtc__guard_step) ? record->data
								       : NULL;
}

/* ---- What a pool needs of it ---- */

/* Works on a copy: it may change the journal. */
static int do_again(struct vtc__txn *txn, const struct vtc__step_kind *kind,
		    const struct vtc__record *record)
{
	_Alignas(max_align_t) char data[VTC__JOURNAL_DATA_MAX];
	uint64_t id = record->id;
	size_t len = record->len;
	bool changed = false;
	int err;

	memcpy(data, record->data, len);
	err = kind->apply(txn, data, len, &changed);
	return !err && changed ? vtc__journal_update(txn->journal, id, data, len) : err;
}

/* What all pools have in the guard; what cannot be entered is left to their audits. */
static void fill_guard(struct vtc__txn *txn)
{
	const struct vtc__step_kind *const kinds[] = { &vtc__step_flood, &vtc__step_slot,
						       &vtc__step_filter };
	const struct vtc__record *record;
	uint64_t id = 0;

	while ((record = vtc__journal_find_next(txn->journal, id))) {
		id = record->id;
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
			if (strcmp(record->kind, kinds[i]->name) != 0)
				continue;
			if (do_again(txn, kinds[i], record))
				vtc__log(txn->ctx, VTC_LOG_WARNING,
					 "%s: a step (%s) of the lost guard is not back",
					 txn->uplink.name, kinds[i]->name);
			break;
		}
	}
}

/* It may have been taken off, and pools that are only kept are audited by nobody. */
static int keep_guard(struct vtc__txn *txn)
{
	const struct vtc__record *record =
		vtc__step_find(txn, "", vtc__step_guard.name, 0);
	char text[160] = "";
	int state = guard_check(txn, record->data, record->len, text, sizeof(text));
	int err;

	if (state == 1)
		return 0;
	if (state < 0)
		return explain(txn, state, "the guard program cannot be looked at");
	vtc__log(txn->ctx, VTC_LOG_WARNING, "%s; it is put on again", text);
	err = do_again(txn, &vtc__step_guard, record);
	if (!err)
		fill_guard(txn);
	return err;
}

static int bring_guard(struct vtc__txn *txn, const struct vtc_pool *pool)
{
	struct vtc__guard_step step = {
		.id = { .ifindex = txn->uplink.ifindex },
		.flags = pool->data.flags &
			 (VTC_POOL_F_GENERIC_XDP | VTC_POOL_F_PLAIN_XDP),
		.tags_hidden = txn->uplink.quirks.tags_hidden,
	};

	if (vtc__pool_guard_step(txn))
		return keep_guard(txn);
	return vtc__step_do(txn, "", &vtc__step_guard, 0, &step, sizeof(step), NULL);
}

int vtc__pool_do_guard(struct vtc__txn *txn, struct vtc_pool *pool)
{
	const struct vtc__guard_step *step;
	int err = bring_guard(txn, pool);

	if (!err)
		err = show_tags(txn);
	if (!err)
		err = vtc__pool_do_vlans(txn);
	if (!err)
		err = vtc__pool_do_slot(txn, pool);
	if (!err && (pool->data.flags & VTC_POOL_F_GROUP_COPY))
		err = vtc__pool_do_flood(txn);
	if (err)
		return err;
	step = vtc__pool_guard_step(txn);
	if (step)
		snprintf(pool->note, sizeof(pool->note), "%.*s",
			 (int)sizeof(step->note) - 1, step->note);
	return 0;
}

/* ---- A filter ---- */

static int load_filter(const void *data, size_t len, struct filter_step *ret)
{
	if (len != sizeof(*ret))
		return -EBADMSG;
	memcpy(ret, data, sizeof(*ret));
	return 0;
}

/* 1: it is there, for this slot; 0: it is not there; -EEXIST: it is another slot's. */
static int look(struct vtc__guard *guard, const struct filter_step *step)
{
	uint32_t slot;
	int err = vtc__guard_get_filter(guard, &step->filter, &slot);

	if (err)
		return err == -ENOENT ? 0 : err;
	return slot == step->slot ? 1 : -EEXIST;
}

static int filter_apply(struct vtc__txn *txn, void *data, size_t len, bool *changed)
{
	struct vtc__guard *guard;
	struct filter_step step;
	int err = load_filter(data, len, &step);

	(void)changed;
	if (!err)
		err = vtc__txn_guard(txn, &guard);
	if (!err)
		err = look(guard, &step);
	if (err == 1)
		return 0;
	if (!err)
		err = vtc__guard_add_filter(guard, &step.filter, step.slot);
	if (!err)
		return 0;
	explain(txn, err, "the guard's table of filters");
	if (err == -ENOSPC)
		vtc__err_message(txn->ctx, "it has %u, and more do not fit",
				 VTC__GUARD_FILTERS);
	return err;
}

static int filter_check(struct vtc__txn *txn, const void *data, size_t len, char *text,
			size_t text_len)
{
	struct vtc__guard *guard;
	struct filter_step step;
	int err = load_filter(data, len, &step);

	if (!err)
		err = vtc__txn_guard(txn, &guard);
	if (!err)
		err = look(guard, &step);
	if (err == 0 || err == -ENOENT) {
		snprintf(text, text_len, "a filter was not in the guard's table");
		return 0;
	}
	return err;
}

static int filter_undo(struct vtc__txn *txn, const void *data, size_t len)
{
	struct vtc__guard *guard;
	struct filter_step step;
	int err = load_filter(data, len, &step);

	if (!err)
		err = vtc__txn_guard(txn, &guard);
	if (!err)
		err = look(guard, &step);
	if (err == 1)
		err = vtc__guard_remove_filter(guard, &step.filter);
	if (err == -ENOENT || err == -ENODEV || err == -EEXIST)
		return 0;
	return err ? explain(txn, err, "the guard's table of filters") : 0;
}

const struct vtc__step_kind vtc__step_filter = {
	.name = "filter",
	.apply = filter_apply,
	.check = filter_check,
	.undo = filter_undo,
};

static int explain_hidden(struct vtc__txn *txn)
{
	explain(txn, -EOPNOTSUPP, "VLAN filter");
	vtc__err_message(txn->ctx,
			 "the driver %s takes VLAN tags off before the guard "
			 "program sees the frame",
			 txn->uplink.driver);
	vtc__err_hint(txn->ctx, "match the MAC alone, or ask for the backend tc");
	return -EOPNOTSUPP;
}

int vtc__pool_do_guard_filter(struct vtc__txn *txn, struct vtc_pool *pool,
			      const struct vtc_filter *filter, uint32_t tag)
{
	struct filter_step step = { .filter = *filter, .slot = pool->data.slot };
	int err;

	if (filter->match & VTC_FILTER_VLAN && !tags_shown(txn))
		return explain_hidden(txn);
	err = vtc__step_do(txn, pool->name, &vtc__step_filter, tag, &step, sizeof(step),
			   NULL);
	return err ? err : vtc__pool_do_address(txn, pool, filter, tag);
}
