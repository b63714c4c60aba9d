/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What taps are compared with: one system call for each packet, waiting by epoll. */
#ifndef TAP_PEER_H
#define TAP_PEER_H

#include "tap-guest.h"

/* The packets of a guest's buffers, one after the other. */
void peer_write(int tap, const struct guest *guest, size_t len, unsigned int count);

/* All that the tap has, packets of that length; how many. */
unsigned int peer_read(int tap, struct guest *guest, size_t len);

/* A relay between the rings of a guest and a tap. */
struct peer_relay;

struct peer_relay *peer_relay_new(int tap, struct guest *guest);
void peer_relay_free(struct peer_relay *relay);

/* Until there is nothing to do; how many packets. */
unsigned int peer_relay_process(struct peer_relay *relay);

#endif
