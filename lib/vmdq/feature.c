/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Features of a card. That a driver refused a change is no error to the kernel, so what
 * was asked for is compared with what it is afterwards.
 */
#include "feature.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "ethtool.h"
#include "rule.h"

/* The kernel has 64 features in 2 words of its answer; there is room for more to come. */
#define WORDS_MAX 32u

struct feature_data {
	char name[32];
	uint32_t on;
	uint32_t old;
};

/* Where a feature is in the kernel's bit sets. */
struct place {
	uint32_t words, word, bit;
};

static int find_place(struct vtc__uplink *uplink, const char *name, struct place *ret)
{
	struct vtc__strings names;
	int err = vtc__ethtool_strings(uplink, ETH_SS_FEATURES, &names);
	int at;

	if (err)
		return err;
	at = vtc__strings_find(&names, name);
	if (at >= 0) {
		ret->words = (names.count + 31) / 32;
		ret->word = (uint32_t)at / 32;
		ret->bit = 1u << (at % 32);
	}
	vtc__strings_free(&names);
	if (at < 0)
		return at;
	return ret->words > WORDS_MAX ? -EPROTO : 0;
}

static int read_place(struct vtc__uplink *uplink, const struct place *place,
		      struct vtc__feature *ret)
{
	union {
		struct ethtool_gfeatures head;
		uint32_t room[2 + WORDS_MAX * 4];
	} ask = { .head = { .cmd = ETHTOOL_GFEATURES, .size = WORDS_MAX } };
	struct ethtool_get_features_block block;
	int err = vtc__ethtool(uplink, &ask);

	if (err)
		return err;
	memcpy(&block, &ask.room[2 + place->word * 4], sizeof(block));
	ret->on = block.active & place->bit;
	ret->fixed = !(block.available & place->bit);
	return 0;
}

int vtc__feature_get(struct vtc__uplink *uplink, const char *name,
		     struct vtc__feature *ret)
{
	struct place place;
	int err = find_place(uplink, name, &place);

	return err ? err : read_place(uplink, &place, ret);
}

static int write_place(struct vtc__uplink *uplink, const struct place *place, bool on)
{
	union {
		struct ethtool_sfeatures head;
		uint32_t room[2 + WORDS_MAX * 2];
	} ask = { .head = { .cmd = ETHTOOL_SFEATURES, .size = place->words } };

	ask.room[2 + place->word * 2] = place->bit;
	ask.room[3 + place->word * 2] = on ? place->bit : 0;
	return vtc__ethtool(uplink, &ask);
}

/* -EOPNOTSUPP: the driver does not let it be changed. -EIO: it did not do it. */
static int set_feature(struct vtc__uplink *uplink, const char *name, bool on)
{
	struct vtc__feature now;
	struct place place;
	int err = find_place(uplink, name, &place);

	if (!err)
		err = read_place(uplink, &place, &now);
	if (err || now.on == on)
		return err;
	if (now.fixed)
		return -EOPNOTSUPP;
	err = write_place(uplink, &place, on);
	if (!err)
		err = read_place(uplink, &place, &now);
	if (err || now.on == on)
		return err;
	/* The kernel would remember what was asked for, and try again some day. */
	err = write_place(uplink, &place, !on);
	return err ? err : -EIO;
}

/* ---- The step ---- */

static int load(const void *data, size_t len, struct feature_data *ret)
{
	if (len < sizeof(*ret))
		return -EPROTO;
	memcpy(ret, data, sizeof(*ret));
	return memchr(ret->name, 0, sizeof(ret->name)) ? 0 : -EPROTO;
}

static int explain(struct vtc__txn *txn, const char *name, bool on, int err)
{
	vtc__err(txn->ctx, err,
		 err == -EIO ? VTC_ERROR_ORIGIN_DEVICE : VTC_ERROR_ORIGIN_SYSTEM,
		 txn->operation, "%s: feature %s", txn->uplink.name, name);
	if (err == -EOPNOTSUPP)
		vtc__err_message(txn->ctx, "it is fixed %s", on ? "off" : "on");
	if (err == -EIO)
		vtc__err_message(txn->ctx, "the driver did not switch it %s",
				 on ? "on" : "off");
	return err;
}

static int feature_apply(struct vtc__txn *txn, void *data, size_t len, bool *changed)
{
	struct feature_data feature = { .on = 0 };
	int err = load(data, len, &feature);

	(void)changed;
	if (!err)
		err = set_feature(&txn->uplink, feature.name, feature.on);
	return err ? explain(txn, feature.name, feature.on, err) : 0;
}

static int feature_check(struct vtc__txn *txn, const void *data, size_t len, char *text,
			 size_t text_len)
{
	struct feature_data feature;
	struct vtc__feature now;
	int err = load(data, len, &feature);

	if (!err)
		err = vtc__feature_get(&txn->uplink, feature.name, &now);
	if (err)
		return err;
	if (now.on == feature.on)
		return 1;
	snprintf(text, text_len, "feature %s was switched %s", feature.name,
		 now.on ? "on" : "off");
	return 0;
}

/* Flow rules go with the feature: those of others that are there by now need it. */
static bool is_needed(struct vtc__uplink *uplink, const struct feature_data *feature)
{
	struct vtc__rules rules;
	uint32_t count;

	if (strcmp(feature->name, VTC__FEATURE_NTUPLE) != 0 || !feature->on ||
	    vtc__rules_get(uplink, &rules))
		return false;
	count = rules.count;
	vtc__rules_free(&rules);
	return count > 0;
}

static int feature_undo(struct vtc__txn *txn, const void *data, size_t len)
{
	struct feature_data feature = { .on = 0 };
	int err = load(data, len, &feature);

	/* Switched back by somebody else is what we want as well. */
	if (!err && feature.old != feature.on && !is_needed(&txn->uplink, &feature))
		err = set_feature(&txn->uplink, feature.name, feature.old);
	if (err == -ENODEV || err == -ENOENT)
		return 0;
	return err ? explain(txn, feature.name, feature.old, err) : 0;
}

const struct vtc__step_kind vtc__step_feature = {
	.name = "feature",
	.apply = feature_apply,
	.check = feature_check,
	.undo = feature_undo,
};

/* Whether some pool needs the feature already: 1 and how, or 0. */
static int find_noted(struct vtc__txn *txn, const char *name, bool *ret_on)
{
	const struct vtc__record *record = NULL;
	uint64_t id = 0;

	while ((record = vtc__step_find(txn, "", vtc__step_feature.name, id))) {
		struct feature_data noted;

		if (!load(record->data, record->len, &noted) &&
		    strcmp(noted.name, name) == 0) {
			*ret_on = noted.on;
			return 1;
		}
		id = record->id;
	}
	return 0;
}

static int explain_other(struct vtc__txn *txn, const char *name, bool on)
{
	vtc__err(txn->ctx, -EBUSY, VTC_ERROR_ORIGIN_LIBRARY, txn->operation,
		 "%s: feature %s", txn->uplink.name, name);
	vtc__err_message(txn->ctx, "another pool needs it %s", on ? "on" : "off");
	return -EBUSY;
}

int vtc__do_feature(struct vtc__txn *txn, const char *name, bool on)
{
	struct feature_data data = { .on = on };
	struct vtc__feature now;
	bool noted;
	int err;

	if (find_noted(txn, name, &noted))
		return noted == on ? 0 : explain_other(txn, name, noted);
	err = vtc__text_copy(data.name, sizeof(data.name), name);
	if (!err)
		err = vtc__feature_get(&txn->uplink, name, &now);
	if (err)
		return explain(txn, name, on, err);
	data.old = now.on;
	return vtc__step_do(txn, "", &vtc__step_feature, 0, &data, sizeof(data), NULL);
}
