/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Steps and transactions. */
#include <errno.h>
#include <stddef.h>

#include "step.h"

int vtc__txn_begin(struct vtc_ctx *ctx, const struct vtc__uplink *uplink,
		   const char *operation, struct vtc__txn *txn)
{
	(void)ctx, (void)uplink, (void)operation, (void)txn;
	return -EOPNOTSUPP;
}

void vtc__txn_end(struct vtc__txn *txn)
{
	(void)txn;
}

void vtc__txn_abort(struct vtc__txn *txn)
{
	(void)txn;
}

int vtc__txn_guard(struct vtc__txn *txn, struct vtc__guard **ret_guard)
{
	(void)txn, (void)ret_guard;
	return -EOPNOTSUPP;
}

void vtc__txn_drop_guard(struct vtc__txn *txn)
{
	(void)txn;
}

int vtc__step_do(struct vtc__txn *txn, const char *group,
		 const struct vtc__step_kind *kind, uint32_t tag, const void *data,
		 size_t len, uint64_t *ret_id)
{
	(void)txn, (void)group, (void)kind, (void)tag, (void)data, (void)len,
		(void)ret_id;
	return -EOPNOTSUPP;
}

int vtc__step_undo(struct vtc__txn *txn, uint64_t id)
{
	(void)txn, (void)id;
	return -EOPNOTSUPP;
}

int vtc__step_undo_group(struct vtc__txn *txn, const char *group, uint32_t tag,
			 struct vtc__undone *undone)
{
	(void)txn, (void)group, (void)tag, (void)undone;
	return -EOPNOTSUPP;
}

int vtc__step_undo_shared(struct vtc__txn *txn, struct vtc__undone *undone)
{
	(void)txn, (void)undone;
	return -EOPNOTSUPP;
}

const struct vtc__record *vtc__step_find(struct vtc__txn *txn, const char *group,
					 const char *kind, uint64_t id)
{
	(void)txn, (void)group, (void)kind, (void)id;
	return NULL;
}
