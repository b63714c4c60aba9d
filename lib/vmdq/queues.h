/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Queues of a card set aside for pools. Those from the base on are the pools', those
 * below are spread over by RSS. New queues are added above as long as the card has
 * channels to switch on; then the base goes down.
 */
#ifndef VTC__QUEUES_H
#define VTC__QUEUES_H

#include <stdint.h>

#include "pool.h"

/* What would be done for a pool of so many queues. */
struct vtc__queues {
	uint32_t first;	   /* queue of the pool */
	uint32_t channels; /* the card will have */
	uint32_t base;	   /* will be */
	uint32_t channels_now, base_now;
};

/*
 * Find room beside the pools there are. -ENOSPC: there is none; -EOPNOTSUPP: the card
 * does not tell its channels. Leaves the error record alone.
 */
int vtc__queues_plan(struct vtc__txn *txn, const char *group, uint32_t count,
		     struct vtc__queues *ret);
/* Do it (shared steps). Writes the error record. */
int vtc__do_queues(struct vtc__txn *txn, const struct vtc__queues *plan);

#endif
