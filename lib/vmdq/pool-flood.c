/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copies of group frames: the guard's second program, a step that all pools of the card
 * share from the first one on that wants copies.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "pool.h"
#include "tc.h"

static int explain(struct vtc__txn *txn, int err, const char *what)
{
	vtc__err(txn->ctx, err, VTC_ERROR_ORIGIN_SYSTEM, txn->operation, "%s: %s",
		 txn->uplink.name, what);
	return err;
}

static int flood_apply(struct vtc__txn *txn, void *data, size_t len, bool *changed)
{
	struct vtc__guard *guard;
	int err = vtc__txn_guard(txn, &guard);

	(void)data, (void)len, (void)changed;
	if (!err)
		err = vtc__guard_flood_attach(guard);
	return err ? explain(txn, err, "the program that copies group frames") : 0;
}

static int flood_check(struct vtc__txn *txn, const void *data, size_t len, char *text,
		       size_t text_len)
{
	const struct vtc__guard_step *guard = vtc__pool_guard_step(txn);
	int err = guard ? vtc__guard_flood_attached(txn->ctx, &guard->id) : 0;

	(void)data, (void)len;
	if (err == 0)
		snprintf(text, text_len,
			 "the program that copies group frames was not on %s any more",
			 txn->uplink.name);
	return err;
}

static int flood_undo(struct vtc__txn *txn, const void *data, size_t len)
{
	const struct vtc__guard_step *guard = vtc__pool_guard_step(txn);
	int err = 0;

	(void)data, (void)len;
	if (guard && guard->id.tables)
		err = vtc__guard_flood_detach(txn->ctx, &guard->id);
	if (err == -ENODEV)
		return 0;
	return err ? explain(txn, err, "the program that copies group frames") : 0;
}

const struct vtc__step_kind vtc__step_flood = {
	.name = "flood",
	.apply = flood_apply,
	.check = flood_check,
	.undo = flood_undo,
};

int vtc__pool_do_flood(struct vtc__txn *txn)
{
	int err;

	if (vtc__step_find(txn, "", vtc__step_flood.name, 0))
		return 0;
	err = vtc__tc_do_clsact(txn);
	if (err)
		return err;
	return vtc__step_do(txn, "", &vtc__step_flood, 0, NULL, 0, NULL);
}
