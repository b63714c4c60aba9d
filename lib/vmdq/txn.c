/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Transactions: a card's journal, held while its pools are changed. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "guard.h"
#include "step.h"

/* How long another process may take for its change. */
#define LOCK_NS (5000 * VTC__NS_PER_MS)

/* The error record of what is below, in the words of the change. */
static int begin_err(struct vtc__txn *txn, int err)
{
	struct vtc_error *e = &txn->ctx->error;

	snprintf(e->operation, sizeof(e->operation), "%s", txn->operation);
	snprintf(e->subject, sizeof(e->subject), "%s", txn->uplink.name);
	return err;
}

static int open_journal(struct vtc__txn *txn)
{
	char name[64];
	int err = vtc__uplink_journal_name(&txn->uplink, name, sizeof(name));

	if (err) {
		vtc__err(txn->ctx, err, VTC_ERROR_ORIGIN_SYSTEM, txn->operation, "%s",
			 txn->uplink.name);
		vtc__err_message(txn->ctx, "cannot tell the network namespace");
		return err;
	}
	err = vtc__journal_open(txn->ctx, name, vtc__now_ns(txn->ctx) + LOCK_NS,
				&txn->journal);
	return err ? begin_err(txn, err) : 0;
}

int vtc__txn_begin_kinds(struct vtc_ctx *ctx, const struct vtc__uplink *uplink,
			 const char *operation, const struct vtc__step_kind *const *kinds,
			 struct vtc__txn *txn)
{
	const struct vtc__record *last;
	int err;

	*txn = (struct vtc__txn){ .ctx = ctx, .operation = operation, .kinds = kinds };
	txn->uplink = *uplink;
	err = open_journal(txn);
	if (err)
		return err;
	vtc__step_recover(txn);
	last = vtc__journal_find_last(txn->journal, UINT64_MAX);
	txn->first = last ? last->id + 1 : 1;
	return 0;
}

int vtc__txn_begin(struct vtc_ctx *ctx, const struct vtc__uplink *uplink,
		   const char *operation, struct vtc__txn *txn)
{
	return vtc__txn_begin_kinds(ctx, uplink, operation, vtc__step_kinds, txn);
}

void vtc__txn_end(struct vtc__txn *txn)
{
	vtc__txn_drop_guard(txn);
	vtc__journal_close(txn->journal);
	txn->journal = NULL;
}

void vtc__txn_abort(struct vtc__txn *txn)
{
	struct vtc_error error = txn->ctx->error;
	struct vtc__undone undone = { .undone = 0 };
	size_t used = strlen(error.message);

	(void)vtc__step_undo_since(txn, txn->first, &undone);
	if (undone.failed)
		snprintf(error.message + used, sizeof(error.message) - used,
			 "%snot undone: %s", used ? "; " : "", undone.text);
	txn->ctx->error = error;
	vtc__txn_end(txn);
}

/* ---- The guard ---- */

int vtc__txn_guard(struct vtc__txn *txn, struct vtc__guard **ret_guard)
{
	const struct vtc__record *record = vtc__step_find(txn, "", "guard", 0);
	struct vtc__guard_id id;
	int err;

	if (!txn->guard) {
		if (!record || record->len < sizeof(id))
			return -ENOENT;
		memcpy(&id, record->data, sizeof(id));
		err = vtc__guard_open(txn->ctx, &id, &txn->guard);
		if (err)
			return err;
	}
	*ret_guard = txn->guard;
	return 0;
}

void vtc__txn_drop_guard(struct vtc__txn *txn)
{
	vtc__guard_close(txn->guard);
	txn->guard = NULL;
}
