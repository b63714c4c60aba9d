/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Filters of a pool. The list of them is the records "match" in the journal; what a
 * backend does for one carries the same tag.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pool.h"
#include "rate.h"

#define ADD    "add filter"
#define REMOVE "remove filter"
#define GET    "get filter"

#define VLAN_MAX 4094

/* ---- The step ---- */

static int match_apply(struct vtc__txn *txn, void *data, size_t len, bool *changed)
{
	(void)txn, (void)data, (void)len, (void)changed;
	return 0;
}

static int match_check(struct vtc__txn *txn, const void *data, size_t len, char *text,
		       size_t text_len)
{
	(void)txn, (void)data, (void)len, (void)text, (void)text_len;
	return 1;
}

static int match_undo(struct vtc__txn *txn, const void *data, size_t len)
{
	(void)txn, (void)data, (void)len;
	return 0;
}

/*
 * It says what the other steps with its tag are for. It is the last of them to be done
 * and the first to be undone: where it is not, there is no filter, but what is left of
 * one.
 */
const struct vtc__step_kind vtc__step_match = {
	.name = "match",
	.apply = match_apply,
	.check = match_check,
	.undo = match_undo,
};

/* It says that there is a pool, and what it is; the same holds for it. */
const struct vtc__step_kind vtc__step_pool = {
	.name = "pool",
	.apply = match_apply,
	.check = match_check,
	.undo = match_undo,
};

int vtc__pool_do_match(struct vtc__txn *txn, struct vtc_pool *pool,
		       const struct vtc_filter *filter, uint32_t tag)
{
	return vtc__step_do(txn, pool->name, &vtc__step_match, tag, filter,
			    sizeof(*filter), NULL);
}

/* First the new one, and as much its owner's as the old one is. */
static int move_record(struct vtc__txn *txn, const struct vtc_pool *pool, uint64_t id,
		       uint32_t tag)
{
	const struct vtc__record *record = vtc__journal_find(txn->journal, id);
	uint8_t data[VTC__JOURNAL_DATA_MAX];
	struct vtc__record old;
	uint64_t now;
	int err;

	if (!record || record->len > sizeof(data))
		return -EPROTO;
	old = *record;
	memcpy(data, record->data, record->len);
	err = vtc__journal_add(txn->journal, old.group, old.kind, tag, data, old.len,
			       &now);
	if (err)
		return err;
	txn->first = now + 1;
	if (pool->data.flags & VTC_POOL_F_KEEP)
		err = vtc__journal_own(txn->journal, pool->name, tag, true);
	return err ? err : vtc__journal_remove(txn->journal, id);
}

int vtc__pool_hand_over(struct vtc__txn *txn, struct vtc_pool *pool, uint64_t id,
			uint32_t tag)
{
	int err = move_record(txn, pool, id, tag);

	if (!err)
		return 0;
	vtc__pool_err(pool, err, VTC_ERROR_ORIGIN_SYSTEM, txn->operation);
	vtc__err_message(pool->ctx, "the journal cannot be written");
	return err;
}

/* ---- Looking for one ---- */

bool vtc__pool_match_of(const struct vtc__record *record, struct vtc_filter *ret)
{
	if (strcmp(record->kind, vtc__step_match.name) != 0 ||
	    record->len != sizeof(*ret))
		return false;
	memcpy(ret, record->data, sizeof(*ret));
	return true;
}

static bool equal(const struct vtc_filter *a, const struct vtc_filter *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

const struct vtc__record *vtc__pool_find_tag(struct vtc__txn *txn, const char *group,
					     uint32_t tag)
{
	const struct vtc__record *record = NULL;
	uint64_t id = 0;

	while ((record = vtc__step_find(txn, group, vtc__step_match.name, id))) {
		if (record->tag == tag)
			return record;
		id = record->id;
	}
	return NULL;
}

static const struct vtc__record *find_equal(struct vtc__txn *txn,
					    const struct vtc_pool *pool,
					    const struct vtc_filter *filter)
{
	const struct vtc__record *record = NULL;
	struct vtc_filter other;

	while ((record = vtc__journal_foreach_next(txn->journal, record)))
		if (strcmp(record->group, pool->name) == 0 &&
		    vtc__pool_match_of(record, &other) && equal(filter, &other))
			return record;
	return NULL;
}

/* Above all tags in use, also those of filters that are not wholly gone. */
static uint32_t free_tag(struct vtc__txn *txn, const struct vtc_pool *pool)
{
	const struct vtc__record *record = NULL;
	uint32_t last = 0;

	while ((record = vtc__journal_foreach_next(txn->journal, record)))
		if (strcmp(record->group, pool->name) == 0 &&
		    record->tag != VTC__TAG_RATE && record->tag > last)
			last = record->tag;
	return last + 1;
}

/* ---- What makes sense ---- */

static int check_mac(const struct vtc_mac *mac)
{
	static const struct vtc_mac zero;

	return mac->addr[0] & 1 || memcmp(mac, &zero, sizeof(zero)) == 0 ? -EINVAL : 0;
}

/* What is not to be matched is 0, so that equal filters are equal bytes. */
static int normalize(struct vtc_ctx *ctx, const char *operation,
		     const struct vtc_filter *given, struct vtc_filter *ret)
{
	struct vtc_filter filter = *given;

	if (!filter.match || (filter.match & ~(VTC_FILTER_MAC | VTC_FILTER_VLAN)))
		return vtc__err_arg(ctx, operation, "filter.match: no bit, or unknown");
	if (!(filter.match & VTC_FILTER_MAC))
		memset(&filter.mac, 0, sizeof(filter.mac));
	else if (check_mac(&filter.mac))
		return vtc__err_arg(ctx, operation,
				    "filter.mac: zero, or of a group of stations");
	if (!(filter.match & VTC_FILTER_VLAN))
		filter.vlan = 0;
	else if (filter.vlan > VLAN_MAX)
		return vtc__err_arg(ctx, operation, "filter.vlan: above 4094");
	*ret = filter;
	return 0;
}

static void describe(const struct vtc_filter *filter, char *buf, size_t len)
{
	char mac[VTC_MAC_TEXT_LEN] = "", vlan[16] = "";

	if (filter->match & VTC_FILTER_MAC)
		vtc_mac_format(&filter->mac, mac, sizeof(mac));
	if (filter->match & VTC_FILTER_VLAN)
		snprintf(vlan, sizeof(vlan), "%sVLAN %u", mac[0] ? " " : "",
			 filter->vlan);
	snprintf(buf, len, "%s%s", mac, vlan);
}

static int explain(const struct vtc_pool *pool, int err, const char *operation,
		   const struct vtc_filter *filter)
{
	char text[64];

	describe(filter, text, sizeof(text));
	return vtc__err(pool->ctx, err, VTC_ERROR_ORIGIN_LIBRARY, operation,
			"%s pool %s filter %s", pool->uplink.name, pool->name, text);
}

static int explain_overlap(const struct vtc_pool *pool, const struct vtc_filter *filter,
			   const struct vtc__record *record,
			   const struct vtc_filter *other)
{
	char text[64];

	describe(other, text, sizeof(text));
	if (equal(filter, other) && strcmp(record->group, pool->name) == 0) {
		explain(pool, -EEXIST, ADD, filter);
		vtc__err_message(pool->ctx, "the pool has this filter already");
		vtc__err_hint(pool->ctx, "nothing is left to do");
		return -EEXIST;
	}
	explain(pool, -EADDRINUSE, ADD, filter);
	if (equal(filter, other)) {
		vtc__err_message(pool->ctx, "pool %s has this filter", record->group);
		vtc__err_hint(pool->ctx, "remove it there first");
		return -EADDRINUSE;
	}
	vtc__err_message(pool->ctx,
			 "the card cannot tell it apart from filter %s of pool %s", text,
			 record->group);
	vtc__err_hint(pool->ctx, "name MAC and VLAN in both filters, or ask for the "
				 "backend xdp");
	return -EADDRINUSE;
}

static const struct vtc__backend *backend_of(struct vtc__txn *txn, const char *group)
{
	const struct vtc__record *record =
		vtc__step_find(txn, group, vtc__step_pool.name, 0);
	struct vtc__pool_data data;

	if (!record || vtc__pool_data_of(record, &data))
		return NULL;
	return vtc__backend_find(data.backend);
}

static bool apart(const struct vtc__backend *backend, const struct vtc__uplink *uplink,
		  const struct vtc_filter *a, const struct vtc_filter *b)
{
	return !backend || !backend->apart || backend->apart(uplink, a, b);
}

static int check_overlap(struct vtc__txn *txn, const struct vtc_pool *pool,
			 const struct vtc_filter *filter)
{
	const struct vtc__record *record = NULL;
	struct vtc_filter other;

	while ((record = vtc__journal_foreach_next(txn->journal, record))) {
		bool own = strcmp(record->group, pool->name) == 0;

		if (!vtc__pool_match_of(record, &other))
			continue;
		if (equal(filter, &other) ||
		    (!own && (!apart(pool->backend, &txn->uplink, filter, &other) ||
			      !apart(backend_of(txn, record->group), &txn->uplink, &other,
				     filter))))
			return explain_overlap(pool, filter, record, &other);
	}
	return 0;
}

/* ---- The calls ---- */

/*
 * A tree of classes that follows the filters may have followed those that did not come to
 * stay: they are others again now. The error record keeps the failure.
 */
static void refresh_again(struct vtc_pool *pool, const char *operation)
{
	struct vtc_error before = pool->ctx->error;
	struct vtc__txn txn;

	if (vtc__pool_begin(pool, operation, true, &txn) == 0) {
		(void)vtc__rate_refresh(&txn, pool);
		(void)vtc__pool_finish(pool, &txn, 0);
	}
	pool->ctx->error = before;
}

int vtc_pool_add_filter(struct vtc_pool *pool, const struct vtc_filter *given)
{
	struct vtc_filter filter;
	struct vtc__txn txn;
	uint32_t tag;
	int err;

	if (!pool)
		return -EINVAL;
	if (!given)
		return vtc__err_arg(pool->ctx, ADD, "filter");
	err = normalize(pool->ctx, ADD, given, &filter);
	if (!err)
		err = vtc__pool_begin(pool, ADD, true, &txn);
	if (err)
		return err;
	err = check_overlap(&txn, pool, &filter);
	tag = free_tag(&txn, pool);
	if (!err)
		err = pool->backend->add_filter(&txn, pool, &filter, tag);
	if (!err)
		err = vtc__pool_do_match(&txn, pool, &filter, tag);
	if (!err)
		err = vtc__rate_refresh(&txn, pool);
	/* What is to be said of it may be about this filter. */
	if (!err)
		err = vtc__pool_load(&txn, pool);
	err = vtc__pool_finish(pool, &txn, err);
	if (err)
		refresh_again(pool, ADD);
	else
		vtc__pool_tell_filters(pool);
	return err;
}

static int explain_left(const struct vtc_pool *pool, const struct vtc_filter *filter,
			const struct vtc__undone *undone, int err)
{
	explain(pool, err, REMOVE, filter);
	vtc__err_message(pool->ctx, "%u steps undone, %u not: %s", undone->undone,
			 undone->failed, undone->text);
	vtc__err_hint(pool->ctx, "what is left stays noted; the next call for the pool "
				 "tries again");
	return err;
}

/*
 * What is left of it if we die is the next one's to undo, also where the pool stays: so
 * it is this process's before there is no filter any more.
 */
static int forget_match(struct vtc__txn *txn, const struct vtc_pool *pool, uint64_t id,
			uint32_t tag)
{
	int err = vtc__journal_own(txn->journal, pool->name, tag, false);

	return err ? err : vtc__journal_remove(txn->journal, id);
}

static int undo_filter(struct vtc__txn *txn, struct vtc_pool *pool,
		       const struct vtc_filter *filter)
{
	const struct vtc__record *match = find_equal(txn, pool, filter);
	struct vtc__undone undone = { .undone = 0 };
	uint32_t tag;
	uint64_t id;
	int err;

	if (!match) {
		err = explain(pool, -ENOENT, REMOVE, filter);
		vtc__err_message(pool->ctx, "the pool has no such filter");
		vtc__err_hint(pool->ctx,
			      "vtcctl pool filter %s %s list shows those it has",
			      pool->uplink.name, pool->name);
		return err;
	}
	tag = match->tag;
	id = match->id;
	err = pool->backend->leave_filter
		      ? pool->backend->leave_filter(txn, pool, filter, tag)
		      : 0;
	if (err)
		return err;
	err = forget_match(txn, pool, id, tag);
	if (err) {
		explain(pool, err, REMOVE, filter);
		vtc__err_message(pool->ctx, "the journal cannot be written");
		return err;
	}
	err = vtc__step_undo_group(txn, pool->name, tag, &undone);
	return err ? explain_left(pool, filter, &undone, err) : 0;
}

int vtc_pool_remove_filter(struct vtc_pool *pool, const struct vtc_filter *given)
{
	struct vtc_filter filter;
	struct vtc__txn txn;
	int err;

	if (!pool)
		return -EINVAL;
	if (!given)
		return vtc__err_arg(pool->ctx, REMOVE, "filter");
	err = normalize(pool->ctx, REMOVE, given, &filter);
	if (!err)
		err = vtc__pool_begin(pool, REMOVE, true, &txn);
	if (err)
		return err;
	err = undo_filter(&txn, pool, &filter);
	if (!err)
		err = vtc__rate_refresh(&txn, pool);
	if (!err)
		err = vtc__pool_load(&txn, pool);
	err = vtc__pool_finish(pool, &txn, err);
	if (err)
		refresh_again(pool, REMOVE);
	else
		vtc__pool_tell_filters(pool);
	return err;
}

int vtc_pool_get_filter(struct vtc_pool *pool, unsigned int index,
			struct vtc_filter *ret_filter)
{
	const struct vtc__record *record = NULL;
	struct vtc__txn txn;
	uint64_t id = 0;
	int err;

	if (!pool)
		return -EINVAL;
	if (!ret_filter)
		return vtc__err_arg(pool->ctx, GET, "ret_filter");
	err = vtc__pool_begin(pool, GET, false, &txn);
	if (err)
		return err;
	do {
		record = vtc__step_find(&txn, pool->name, vtc__step_match.name, id);
		id = record ? record->id : 0;
	} while (record && index--);
	if (!record || !vtc__pool_match_of(record, ret_filter))
		err = -ENOENT;
	vtc__txn_end(&txn);
	return err;
}
