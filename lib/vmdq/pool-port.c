/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The port on a pool, and its sockets in the guard. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "pool.h"
#include "rate.h"

#define OPERATION "open port on pool"

int vtc__pool_enter_sockets(struct vtc__txn *txn, struct vtc_pool *pool)
{
	struct vtc__guard *guard;
	int err;

	if (!pool->port || !pool->backend->uses_guard)
		return 0;
	err = vtc__txn_guard(txn, &guard);
	for (uint32_t i = 0; !err && i < pool->data.queue_count; i++) {
		int fd = pool->port->socket(pool->port, i);

		if (fd >= 0)
			err = vtc__guard_set_socket(guard, pool->data.slot,
						    pool->data.queue_first + i, fd);
	}
	return err ? err
		   : vtc__guard_set_parts(guard, pool->data.slot,
					  pool->port->takes_parts);
}

static int enter(struct vtc__txn *txn, struct vtc_pool *pool)
{
	int err = vtc__pool_enter_sockets(txn, pool);

	if (err) {
		vtc__pool_err(pool, err, VTC_ERROR_ORIGIN_SYSTEM, OPERATION);
		vtc__err_message(pool->ctx, "its sockets cannot be entered into the "
					    "guard's tables");
		vtc__err_hint(pool->ctx, "vtc_pool_audit() brings the guard back if "
					 "somebody took it off");
	}
	return err;
}

/*
 * The kernel would take a socket out of the guard's table when it is closed; but frames
 * must stop to come before.
 */
static void leave_guard(struct vtc__txn *txn, const struct vtc_pool *pool)
{
	struct vtc__guard *guard;

	if (!pool->backend->uses_guard || vtc__txn_guard(txn, &guard))
		return;
	for (uint32_t i = 0; i < pool->data.queue_count; i++)
		(void)vtc__guard_set_socket(guard, pool->data.slot,
					    pool->data.queue_first + i, -1);
}

/* Frames of the pool go by the card's qdiscs again, which may keep its rate. */
static void take_out(struct vtc__txn *txn, struct vtc_pool *pool)
{
	const struct vtc_error before = pool->ctx->error;

	pool->port = NULL;
	leave_guard(txn, pool);
	(void)vtc__rate_renew(txn, pool);
	pool->ctx->error = before;
}

int vtc__pool_set_port(struct vtc_pool *pool, struct vtc__pool_port *port)
{
	struct vtc__txn txn;
	int err, end;

	if (pool->port) {
		vtc__pool_err(pool, -EBUSY, VTC_ERROR_ORIGIN_LIBRARY, OPERATION);
		vtc__err_message(pool->ctx, "the pool has a port");
		return -EBUSY;
	}
	err = vtc__pool_begin(pool, OPERATION, true, &txn);
	if (err)
		return err;
	pool->port = port;
	err = enter(&txn, pool);
	if (!err)
		err = vtc__rate_renew(&txn, pool);
	if (err)
		take_out(&txn, pool);
	/* What keeps the rate now is to stay, also after a failure. */
	end = vtc__pool_finish(pool, &txn, 0);
	return err ? err : end;
}

static void leave(struct vtc_pool *pool)
{
	struct vtc__txn txn;

	if (vtc__pool_begin(pool, OPERATION, true, &txn)) {
		pool->port = NULL;
		return;
	}
	take_out(&txn, pool);
	(void)vtc__pool_finish(pool, &txn, 0);
}

void vtc__pool_drop_port(struct vtc_pool *pool, struct vtc__pool_port *port)
{
	const struct vtc_error before = pool->ctx->error;

	if (pool->port != port)
		return;
	leave(pool);
	pool->ctx->error = before;
	if (pool->closed)
		vtc_pool_close(pool);
}

void vtc__pool_tell_filters(struct vtc_pool *pool)
{
	if (pool->port && pool->port->filters_changed)
		pool->port->filters_changed(pool->port);
}
