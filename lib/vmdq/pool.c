/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Handles of pools. A handle holds nothing but names: each call locks the card's journal
 * and reads there what the pool is today.
 */
#include "pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"

#define OPEN	"open pool"
#define RELEASE "release pool"

int vtc__pool_err(const struct vtc_pool *pool, int code, enum vtc_error_origin origin,
		  const char *operation)
{
	return vtc__err(pool->ctx, code, origin, operation, "%s pool %s",
			pool->uplink.name, pool->name);
}

struct vtc_pool *vtc__pool_new(const struct vtc__uplink *uplink, const char *name)
{
	struct vtc_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	if (vtc__text_copy(pool->name, sizeof(pool->name), name)) {
		free(pool);
		return NULL;
	}
	pool->ctx = vtc_ctx_ref(uplink->ctx);
	pool->uplink = *uplink;
	return pool;
}

static void destroy(struct vtc_pool *pool)
{
	vtc__watch_close(pool);
	vtc_pool_choice_free(pool->choice);
	free(pool->findings);
	vtc_ctx_unref(pool->ctx);
	free(pool);
}

void vtc_pool_close(struct vtc_pool *pool)
{
	if (!pool)
		return;
	pool->closed = true;
	if (!pool->port)
		destroy(pool);
}

/* ---- What the journal says of it ---- */

int vtc__pool_data_of(const struct vtc__record *record, struct vtc__pool_data *ret)
{
	if (record->len < sizeof(*ret))
		return -EBADMSG;
	memcpy(ret, record->data, sizeof(*ret));
	ret->target_name[sizeof(ret->target_name) - 1] = '\0';
	if (ret->slot >= VTC_POOL_MAX || !vtc__backend_find(ret->backend))
		return -EBADMSG;
	return 0;
}

static void load_guard(struct vtc__txn *txn, struct vtc_pool *pool)
{
	const struct vtc__guard_step *guard = vtc__pool_guard_step(txn);

	pool->note[0] = '\0';
	if (!pool->backend->uses_guard || !guard)
		return;
	pool->guard_mode = guard->id.mode;
	snprintf(pool->note, sizeof(pool->note), "%.*s", (int)sizeof(guard->note) - 1,
		 guard->note);
	vtc__pool_load_target(txn, pool);
}

static void add_note(struct vtc_pool *pool, const char *note)
{
	size_t at = strlen(pool->note);

	if (note[0])
		snprintf(pool->note + at, sizeof(pool->note) - at, "%s%s", at ? "; " : "",
			 note);
}

static void load_note(struct vtc__txn *txn, struct vtc_pool *pool)
{
	if (pool->backend->note)
		add_note(pool, pool->backend->note(txn, pool));
	if (pool->backend->by_card)
		add_note(pool, vtc__pool_receive_note(txn, pool));
}

int vtc__pool_load(struct vtc__txn *txn, struct vtc_pool *pool)
{
	const struct vtc__record *record =
		vtc__step_find(txn, pool->name, vtc__step_pool.name, 0);
	int err;

	if (!record || (pool->id && record->id != pool->id))
		return -ENOENT;
	err = vtc__pool_data_of(record, &pool->data);
	if (err)
		return err;
	pool->id = record->id;
	pool->owner = record->pid;
	pool->foreign = record->pid && !vtc__record_mine(txn->journal, record);
	pool->backend = vtc__backend_find(pool->data.backend);
	if (!pool->data.netdev || vtc__ifname(pool->ctx, pool->data.netdev, pool->netdev))
		pool->netdev[0] = '\0';
	load_guard(txn, pool);
	load_note(txn, pool);
	return 0;
}

static int explain_load(const struct vtc_pool *pool, const char *operation, int err)
{
	vtc__pool_err(pool, err, VTC_ERROR_ORIGIN_LIBRARY, operation);
	if (err == -ENOENT) {
		vtc__err_message(pool->ctx, "the card has no such pool%s",
				 pool->id ? " any more: somebody released it" : "");
		vtc__err_hint(pool->ctx, "vtcctl pool list shows the pools there are");
	}
	if (err == -EBADMSG)
		vtc__err_message(pool->ctx, "the journal's record of it makes no sense");
	return err;
}

static int explain_foreign(const struct vtc_pool *pool, const char *operation)
{
	vtc__pool_err(pool, -EBUSY, VTC_ERROR_ORIGIN_LIBRARY, operation);
	vtc__err_message(pool->ctx, "it belongs to process %u, which is alive",
			 pool->owner);
	vtc__err_hint(pool->ctx,
		      "let that process do it, or end it; pools made to be kept "
		      "may be changed by any process");
	return -EBUSY;
}

/* Also for a card that is gone: what is noted of it has to go, too. */
static int begin(struct vtc_pool *pool, const char *operation, bool change,
		 struct vtc__txn *txn)
{
	int err = vtc__txn_begin(pool->ctx, &pool->uplink, operation, txn);

	if (err)
		return err;
	err = vtc__pool_load(txn, pool);
	if (err)
		explain_load(pool, operation, err);
	else if (change && pool->foreign)
		err = explain_foreign(pool, operation);
	if (err)
		vtc__txn_end(txn);
	return err;
}

/*
 * Whether a filter has its record "match". That is mostly the next after its others, so
 * that not all are looked at for each.
 */
static bool is_whole(struct vtc__txn *txn, const struct vtc_pool *pool, uint64_t id,
		     uint32_t tag)
{
	const struct vtc__record *next =
		vtc__step_find(txn, pool->name, vtc__step_match.name, id - 1);

	return (next && next->tag == tag) || vtc__pool_find_tag(txn, pool->name, tag);
}

/*
 * A filter that could not be taken away whole has no record "match" any more: what is
 * left of it is tried again.
 */
static void sweep(struct vtc__txn *txn, const struct vtc_pool *pool)
{
	const struct vtc__record *record = NULL;
	struct vtc_error before = pool->ctx->error;
	uint64_t id = 0;

	while ((record = vtc__journal_find_next(txn->journal, id))) {
		uint32_t tag = record->tag;

		id = record->id;
		if (strcmp(record->group, pool->name) != 0 || !tag ||
		    tag == VTC__TAG_RATE || is_whole(txn, pool, id, tag))
			continue;
		(void)vtc__step_undo_group(txn, pool->name, tag, NULL);
	}
	pool->ctx->error = before;
}

int vtc__pool_begin(struct vtc_pool *pool, const char *operation, bool change,
		    struct vtc__txn *txn)
{
	int err = vtc__uplink_refresh(&pool->uplink);

	if (err) {
		vtc__pool_err(pool, err, VTC_ERROR_ORIGIN_SYSTEM, operation);
		if (err == -ENODEV)
			vtc__err_message(pool->ctx, "the card is gone, or was moved to "
						    "another network namespace");
		return err;
	}
	err = begin(pool, operation, change, txn);
	if (!err && change)
		sweep(txn, pool);
	return err;
}

int vtc__pool_finish(struct vtc_pool *pool, struct vtc__txn *txn, int result)
{
	if (!result && (pool->data.flags & VTC_POOL_F_KEEP)) {
		result = vtc__journal_own(txn->journal, pool->name, 0, true);
		if (result) {
			vtc__pool_err(pool, result, VTC_ERROR_ORIGIN_SYSTEM,
				      txn->operation);
			vtc__err_message(pool->ctx, "the journal cannot be written");
		}
	}
	if (result)
		vtc__txn_abort(txn);
	else
		vtc__txn_end(txn);
	return result;
}

/* ---- Open and release ---- */

int vtc_pool_open(struct vtc_ctx *ctx, const char *nic, const char *name,
		  struct vtc_pool **ret_pool)
{
	struct vtc__uplink uplink;
	struct vtc_pool *pool;
	struct vtc__txn txn;
	int err;

	if (!ctx)
		return -EINVAL;
	if (!nic || !ret_pool || !name || !vtc__pool_name_ok(name))
		return vtc__err_arg(ctx, OPEN,
				    !nic	? "nic"
				    : !ret_pool ? "ret_pool"
						: "name");
	err = vtc__uplink_find(ctx, nic, OPEN, &uplink);
	if (err)
		return err;
	pool = vtc__pool_new(&uplink, name);
	if (!pool)
		return vtc__err(ctx, -ENOMEM, VTC_ERROR_ORIGIN_SYSTEM, OPEN, "memory");
	err = vtc__pool_begin(pool, OPEN, false, &txn);
	if (err) {
		vtc_pool_close(pool);
		return err;
	}
	vtc__txn_end(&txn);
	*ret_pool = pool;
	return 0;
}

/*
 * Once the steps are this process's, whoever comes after a crash goes on with undoing
 * them.
 */
static int undo_all(struct vtc__txn *txn, struct vtc_pool *pool)
{
	struct vtc__undone undone = { .failed = 0 }, shared = { .failed = 0 };
	int err = vtc__journal_own(txn->journal, pool->name, 0, false);

	/* Without its record it is no pool any more, but what is left of one. */
	if (!err)
		err = vtc__journal_remove(txn->journal, pool->id);
	if (err) {
		vtc__pool_err(pool, err, VTC_ERROR_ORIGIN_SYSTEM, RELEASE);
		vtc__err_message(pool->ctx, "the journal cannot be written");
		return err;
	}
	err = vtc__step_undo_group(txn, pool->name, 0, &undone);
	if (!err)
		err = vtc__step_undo_shared(txn, &shared);
	if (!err)
		return 0;
	vtc__pool_err(pool, err, VTC_ERROR_ORIGIN_SYSTEM, RELEASE);
	vtc__err_message(pool->ctx, "%u steps undone, %u not: %s%s",
			 undone.undone + shared.undone, undone.failed + shared.failed,
			 undone.text, shared.text);
	vtc__err_hint(pool->ctx, "they stay noted; the next call for the card tries "
				 "again, as does vtcctl pool recover");
	return err;
}

static int explain_port(const struct vtc_pool *pool)
{
	vtc__pool_err(pool, -EBUSY, VTC_ERROR_ORIGIN_LIBRARY, RELEASE);
	vtc__err_message(pool->ctx, "a port is open on it");
	vtc__err_hint(pool->ctx, "close the port first");
	return -EBUSY;
}

/*
 * Somebody else's card may have its name by now: what goes by name must find none then.
 */
static int find_card(struct vtc_pool *pool)
{
	struct vtc__uplink *uplink = &pool->uplink;
	int err = vtc__uplink_refresh(uplink);

	if (err == -ENODEV) {
		uplink->gone = true;
		snprintf(uplink->name, sizeof(uplink->name), "#%u", uplink->ifindex);
		return 0;
	}
	return err ? vtc__pool_err(pool, err, VTC_ERROR_ORIGIN_NETLINK, RELEASE) : 0;
}

int vtc_pool_release(struct vtc_pool *pool)
{
	struct vtc__txn txn;
	int err;

	if (!pool)
		return 0;
	if (pool->port)
		return explain_port(pool);
	err = find_card(pool);
	if (!err)
		err = begin(pool, RELEASE, true, &txn);
	if (err == -EBUSY)
		return err;
	if (!err) {
		err = undo_all(&txn, pool);
		vtc__txn_end(&txn);
	} else if (err == -ENOENT) {
		err = 0;
	}
	vtc_pool_close(pool);
	return err;
}
