/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How many queues a card uses ("ethtool -l"), and the step that makes them more. */
#ifndef VTC__CHANNELS_H
#define VTC__CHANNELS_H

#include <stdbool.h>
#include <stdint.h>

#include "step.h"

/* Receive queues; those of a pair with a transmit queue if the card has such. */
struct vtc__channels {
	uint32_t count, max;
	bool combined;
};

/*
 * -EOPNOTSUPP: the driver does not tell, or has queues of both sorts in use. Leaves the
 * error record alone.
 */
int vtc__channels_get(struct vtc__uplink *uplink, struct vtc__channels *ret);

/*
 * At least so many, as long as the card has pools: a shared step. Nothing is done if they
 * are so many. Writes the error record.
 */
int vtc__do_channels(struct vtc__txn *txn, uint32_t count);

extern const struct vtc__step_kind vtc__step_channels;

#endif
