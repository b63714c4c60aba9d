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

int vtc__pool_set_port(struct vtc_pool *pool, struct vtc__pool_port *port)
{
	struct vtc__txn txn;
	int err;

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
		(void)vtc__rate_to_port(&txn, pool);
	if (err)
		pool->port = NULL;
	return vtc__pool_finish(pool, &txn, err);
}

/*
 * The kernel would take a socket out of the guard's table when it is closed; but frames
 * must stop to come before.
 */
static void leave(struct vtc_pool *pool)
{
	struct vtc__guard *guard;
	struct vtc__txn txn;

	if (!pool->backend->uses_guard || vtc__pool_begin(pool, OPERATION, true, &txn))
		return;
	if (!vtc__txn_guard(&txn, &guard)) {
		for (uint32_t i = 0; i < pool->data.queue_count; i++)
			(void)vtc__guard_set_socket(guard, pool->data.slot,
						    pool->data.queue_first + i, -1);
	}
	vtc__txn_end(&txn);
}

void vtc__pool_drop_port(struct vtc_pool *pool, struct vtc__pool_port *port)
{
	const struct vtc_error before = pool->ctx->error;

	if (pool->port != port)
		return;
	pool->port = NULL;
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
