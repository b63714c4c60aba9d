/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The share of a port in its relay: see rate.h. */
#include "rate.h"

#include <errno.h>

#include "core/error.h"
#include "core/opts.h"
#include "port.h"
#include "relay.h"

/* The size of 0.4, which callers of any later version reach. */
#define RATE_FIRST sizeof(struct vtc_port_rate)

#define WEIGHT_MAX 1000u

/* 8 Tbit/s: no product below leaves 64 bits. */
#define MAX_BPS	  8000000000000u
#define PASSED_NS 1000000000000u

#define NS_PER_S 1000000000u
#define TICK_NS	 10000000u
#define TICKS	 (NS_PER_S / TICK_NS)

/* How much may go at once after a pause: this long, but a large packet in any case. */
#define BUCKETS_PER_S 200u
#define BUCKET_MIN    VTC__PACKET_MAX

/*
 * Bytes that come in so many ns. A relay that is busy looks every few of them, so what
 * is less than a byte counts, too: it is kept.
 */
static uint64_t earn(struct vtc__port_rate *rate, uint64_t ns)
{
	/* In two parts, so that the products are small. */
	uint64_t ticks = rate->max_bytes * (ns / TICK_NS);
	uint64_t parts =
		rate->max_bytes * (ns % TICK_NS) + ticks % TICKS * TICK_NS + rate->rest;

	rate->rest = (uint32_t)(parts % NS_PER_S);
	return ticks / TICKS + parts / NS_PER_S;
}

static void fill(struct vtc__port_rate *rate, uint64_t now_ns)
{
	uint64_t passed = rate->at_ns ? now_ns - rate->at_ns : NS_PER_S;
	int64_t most = (int64_t)(rate->max_bytes / BUCKETS_PER_S);

	if (most < BUCKET_MIN)
		most = BUCKET_MIN;
	rate->at_ns = now_ns;
	rate->tokens += (int64_t)earn(rate, passed < PASSED_NS ? passed : PASSED_NS);
	if (rate->tokens > most)
		rate->tokens = most;
}

uint64_t vtc__rate_allows(struct vtc__port_rate *rate, uint64_t now_ns,
			  uint64_t *ret_until)
{
	uint64_t need;

	if (!rate->max_bytes)
		return UINT64_MAX;
	fill(rate, now_ns);
	if (rate->tokens > 0)
		return (uint64_t)rate->tokens;
	need = (uint64_t)-rate->tokens + 1;
	*ret_until = now_ns + (need * NS_PER_S - rate->rest) / rate->max_bytes + 1;
	return 0;
}

int vtc_port_set_rate(struct vtc_port *port, const struct vtc_port_rate *rate)
{
	struct vtc_port_rate r = { 0 };
	int err;

	if (!port)
		return -EINVAL;
	err = vtc__opts_load(&r, sizeof(r), RATE_FIRST, rate);
	if (err)
		return vtc__err(port->ctx, err, VTC_ERROR_ORIGIN_ARG, "set port rate",
				"rate");
	if (r.weight > WEIGHT_MAX || r.max_bps > MAX_BPS)
		return vtc__err_arg(
			port->ctx, "set port rate",
			"the weight is above 1000, or the limit above 8 Tbit/s");
	port->rate = (struct vtc__port_rate){
		.weight = r.weight, .max_bytes = r.max_bps / 8 + (r.max_bps % 8 != 0)
	};
	vtc__port_changed(port);
	return 0;
}
