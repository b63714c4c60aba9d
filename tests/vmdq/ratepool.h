/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools without a backend's work, for tests of what keeps their rates: only their records
 * are in the journal, so that any card and any number of queues will do.
 */
#ifndef RATEPOOL_H
#define RATEPOOL_H

#include "vmdq/rate.h"

/* data.backend, slot, queues and vf as the test likes. Ends with vtc_pool_release(). */
struct vtc_pool *ratepool_make(struct vtc_ctx *ctx, const char *nic, const char *name,
			       const struct vtc__pool_data *data);
/* Its frames have this source address, last byte. */
void ratepool_add_mac(struct vtc_pool *pool, uint8_t last);

/* Set a rate: the result, and what became of it. */
int ratepool_set(struct vtc_pool *pool, uint32_t weight, uint64_t min_bps,
		 uint64_t max_bps, struct vtc_rate_answer *answer);

/* A port that only notes what its relay is told. */
struct ratepool_port {
	struct vtc__pool_port port;
	uint32_t weight;
	uint64_t max_bps;
	unsigned int calls;
	int error; /* what it answers */
};

/* As it is before it is opened; the rest is the caller's. */
void ratepool_prepare_port(struct ratepool_port *port);
void ratepool_open_port(struct vtc_pool *pool, struct ratepool_port *port);

/* The text of the context's last error; static. */
const char *ratepool_error(const struct vtc_ctx *ctx);

/* What a shell command prints. The caller frees it. */
char *ratepool_output(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The result of set is 0, and the parts are kept so. */
#define ck_rate(pool, w, n, x, want_w, want_n, want_x, want_mechanism)          \
	do {                                                                    \
		struct vtc_rate_answer got = { .sz = sizeof(got) };             \
		int err = ratepool_set(pool, w, n, x, &got);                    \
		ck_assert_msg(err == 0, "set_rate: %d: %s", err,                \
			      ratepool_error((pool)->ctx));                     \
		ck_assert_str_eq(got.mechanism, want_mechanism);                \
		ck_assert_msg(got.weight == (want_w) && got.min == (want_n) &&  \
				      got.max == (want_x),                      \
			      "weight %u, min %u, max %u", got.weight, got.min, \
			      got.max);                                         \
	} while (0)

#endif
