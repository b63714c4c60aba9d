/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rates: which of the card's mechanisms keeps one. Each mechanism is a file of its own
 * (rate-vf.c, rate-shaper.c, ...), and does its work in steps with the tag VTC__TAG_RATE.
 */
#ifndef VTC__RATE_H
#define VTC__RATE_H

#include "pool.h"

struct vtc__rate_mechanism {
	const char *name;
	/*
	 * What it would keep of a rate for this pool, without changing anything: fills
	 * answer. -EOPNOTSUPP: nothing, and the reason in why.
	 */
	int (*probe)(struct vtc__txn *txn, struct vtc_pool *pool,
		     const struct vtc_rate *rate, struct vtc_rate_answer *answer,
		     char *why, size_t len);
	/*
	 * Steps of group pool->name. answer is what probe() said; it gets worse if the
	 * driver refuses a part. -EOPNOTSUPP: nothing is kept after all. Writes the error
	 * record.
	 */
	int (*set)(struct vtc__txn *txn, struct vtc_pool *pool,
		   const struct vtc_rate *rate, struct vtc_rate_answer *answer);
};

extern const struct vtc__rate_mechanism vtc__rate_devlink, vtc__rate_htb,
	vtc__rate_maxrate, vtc__rate_mqprio, vtc__rate_port, vtc__rate_shaper,
	vtc__rate_vf;

/* The best first; ends with NULL. */
extern const struct vtc__rate_mechanism *const vtc__rate_mechanisms[];

#define VTC__RATE_MECHANISMS 7

#define VTC__RATE_OPERATION "set pool rate"

/*
 * Let the best mechanism keep a rate, and a port's relay what the card does not, or the
 * other way round. Writes the error record; then steps may be left to undo.
 */
int vtc__rate_choose(struct vtc__txn *txn, struct vtc_pool *pool,
		     const struct vtc_rate *rate, struct vtc_rate_answer *answer);

bool vtc__rate_asks_nothing(const struct vtc_rate *rate);

/* The data of the step "rate": what was asked for, and what became of it. */
struct vtc__rate_step {
	uint64_t min_bps, max_bps;
	uint32_t weight;
	uint32_t got_weight, got_min, got_max; /* enum vtc_rate_result */
	char mechanism[16];
};

extern const struct vtc__step_kind vtc__step_devlink_rate, vtc__step_htb,
	vtc__step_maxrate, vtc__step_mqprio, vtc__step_rate, vtc__step_shaper;

/*
 * The filters of a pool are others now: a mechanism that knows its frames by them has to
 * follow. Call it after the "match" steps were done or undone. Writes the error record.
 */
int vtc__rate_refresh(struct vtc__txn *txn, struct vtc_pool *pool);

/*
 * Let the best mechanism of now keep the pool's rate, if it has one: a port was opened or
 * closed, whose frames go another way, or what kept it is lost. A rate that nothing keeps
 * is no failure: it is remembered as that. Writes the error record.
 */
int vtc__rate_renew(struct vtc__txn *txn, struct vtc_pool *pool);
/*
 * Whether the pool has a rate whose steps are gone: who set another one was killed, or
 * neither that nor the old one could be set.
 */
bool vtc__rate_is_lost(struct vtc__txn *txn, const struct vtc_pool *pool);

/* An answer of which no part is kept; parts that were not asked for say so. */
void vtc__rate_answer_init(struct vtc_rate_answer *answer, const struct vtc_rate *rate,
			   const char *mechanism);

/* Whole units of so many bits a second, at least one; *exact: nothing was rounded. */
uint64_t vtc__rate_round(uint64_t bps, uint64_t unit, bool *exact);

/*
 * Frames of the pool are sent by a port that goes past queueing disciplines, on queues
 * that may be other pools', too.
 */
bool vtc__rate_goes_past(const struct vtc_pool *pool);

#endif
