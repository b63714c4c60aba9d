/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pools that are records alone: see ratepool.h. */
#include "ratepool.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vtct.h"

#define OPERATION "test"

const char *ratepool_error(const struct vtc_ctx *ctx)
{
	static char text[1024];

	vtc_error_format(vtc_ctx_last_error(ctx), text, sizeof(text));
	return text;
}

struct vtc_pool *ratepool_make(struct vtc_ctx *ctx, const char *nic, const char *name,
			       const struct vtc__pool_data *data)
{
	struct vtc__uplink uplink;
	struct vtc_pool *pool = NULL;
	struct vtc__txn txn;

	ck_assert_msg(vtc__uplink_find(ctx, nic, OPERATION, &uplink) == 0, "%s",
		      ratepool_error(ctx));
	ck_assert_msg(vtc__txn_begin(ctx, &uplink, OPERATION, &txn) == 0, "%s",
		      ratepool_error(ctx));
	ck_assert_errno(
		vtc__step_do(&txn, name, &vtc__step_pool, 0, data, sizeof(*data), NULL),
		0);
	vtc__txn_end(&txn);
	ck_assert_msg(vtc_pool_open(ctx, nic, name, &pool) == 0, "%s",
		      ratepool_error(ctx));
	return pool;
}

void ratepool_add_mac(struct vtc_pool *pool, uint8_t last)
{
	struct vtc_filter filter = { .match = VTC_FILTER_MAC };
	struct vtc__txn txn;

	memcpy(filter.mac.addr, (uint8_t[]){ 2, 0, 0, 0, 0, last }, 6);
	ck_assert_errno(vtc__pool_begin(pool, OPERATION, true, &txn), 0);
	ck_assert_errno(vtc__pool_do_match(&txn, pool, &filter, last), 0);
	ck_assert_errno(vtc__rate_refresh(&txn, pool), 0);
	ck_assert_errno(vtc__pool_finish(pool, &txn, 0), 0);
}

int ratepool_set(struct vtc_pool *pool, uint32_t weight, uint64_t min_bps,
		 uint64_t max_bps, struct vtc_rate_answer *answer)
{
	struct vtc_rate rate = VTC_RATE_INIT;

	rate.weight = weight;
	rate.min_bps = min_bps;
	rate.max_bps = max_bps;
	return vtc_pool_set_rate(pool, &rate, answer);
}

static int note_rate(struct vtc__pool_port *base, const struct vtc_rate *rate,
		     struct vtc_rate_answer *answer)
{
	struct ratepool_port *port = (struct ratepool_port *)base;

	port->calls++;
	if (port->error)
		return port->error;
	port->weight = rate->weight;
	port->max_bps = rate->max_bps;
	if (rate->weight)
		answer->weight = VTC_RATE_APPROXIMATE;
	if (rate->max_bps)
		answer->max = VTC_RATE_APPROXIMATE;
	return 0;
}

void ratepool_prepare_port(struct ratepool_port *port)
{
	port->port = (struct vtc__pool_port){ .set_rate = note_rate };
}

void ratepool_open_port(struct vtc_pool *pool, struct ratepool_port *port)
{
	*port = (struct ratepool_port){ .calls = 0 };
	ratepool_prepare_port(port);
	ck_assert_errno(vtc__pool_set_port(pool, &port->port), 0);
}

char *ratepool_output(const char *format, ...)
{
	char command[1024];
	size_t len = 0, room = 65536;
	char *text = vtct_alloc(room);
	FILE *pipe;
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	pipe = popen(command, "re");
	if (!pipe)
		vtct_die("popen: %s", strerror(errno));
	while (len < room - 1 && !feof(pipe) && !ferror(pipe))
		len += fread(text + len, 1, room - len - 1, pipe);
	text[len] = '\0';
	pclose(pipe);
	return text;
}
