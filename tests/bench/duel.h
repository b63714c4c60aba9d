/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Time of a contender: both sides in turn on one processor, or on two processors at once.
 * What another program disturbed is not counted.
 */
#ifndef DUEL_H
#define DUEL_H

#include <stdbool.h>

#include "contender.h"

/* For one packet. */
struct duel_time {
	double ns;
	double device_ns; /* of it in pull, push and flush; one processor only */
	double cycles;	  /* of the time stamp counter; 0: there is none */
};

/* How fast a cache line goes from one processor to the other and back. */
enum duel_state {
	DUEL_FAST,
	DUEL_SLOW,
	DUEL_STATES,
};

/* Whether it is of worth: this thread ran all the time. */
bool duel_one(struct contender *c, unsigned int burst, unsigned int in_flight,
	      struct duel_time *ret_time);

/* Two threads on two processors; false: there is only one. */
bool duel_begin(void);
void duel_end(void);

/* Whether both threads ran all the time, and the state was the same before and after. */
bool duel_two(struct contender *c, unsigned int burst, struct duel_time *ret_time,
	      enum duel_state *ret_state);

/*
 * For windows of somebody else's: a cache line's round trip between the two threads in ns
 * (0: disturbed), and what it was before and after; false: that is no state.
 */
double duel_probe(void);
bool duel_same_state(double before, double after, enum duel_state *ret_state);

/* Median of the round trips that were probed so far. */
double duel_round_trip(void);

#endif
