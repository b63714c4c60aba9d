/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A place to send from: a socket whose memory is the guest's own, with some frames of
 * ours for what is copied. It needs a queue of the card where no other socket is.
 *
 * Packets that are sent where they lie are in flight until the kernel says so, and their
 * chains are held until then, with those behind them. How many are in flight is bounded;
 * what comes beyond that, what is small, and what the kernel would not take as it lies
 * goes by a copy, in the same ring. While there is no socket (its queue is not free, or
 * memory may not be locked) the port sends as one without a place does.
 */
#ifndef VTC__XSK_PLACE_H
#define VTC__XSK_PLACE_H

#include "xsk-port.h"

/*
 * Look for a queue and see that it can be had. -EOPNOTSUPP: there is none; others are
 * those of the socket.
 */
int vtc__xsk_place_new(struct vtc__xsk *x, const struct vtc__xsk_opts *opts);
/* The port is not joined any more. */
void vtc__xsk_place_free(struct vtc__xsk *x);

/* What the port sends by while there is one, or NULL. */
struct vtc__xsk_socket *vtc__xsk_place_socket(struct vtc__xsk *x);

extern const struct vtc__place_ops vtc__xsk_place_ops;

#endif
