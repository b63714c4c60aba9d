/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A port without memory, as a tap is one: it reads packets into other ports' memory from
 * a list, and keeps copies of those that it is given.
 */
#ifndef VTCT_QUEUEPORT_H
#define VTCT_QUEUEPORT_H

#include "endpoint/port.h"

struct queueport;

/* accepts_all, or else what no feature bit is needed for. */
struct queueport *queueport_new(struct vtc_ctx *ctx, bool accepts_all);
struct vtc_port *queueport_port(struct queueport *qp);
void queueport_free(struct queueport *qp);

/* A packet to read, with its header. */
void queueport_feed(struct queueport *qp, const uint8_t *bytes, size_t len);
/* How many are left to read. */
unsigned int queueport_left(const struct queueport *qp);

/* How many packets it has room for from now on; without limit at first. */
void queueport_set_room(struct queueport *qp, unsigned int room);

/* The packets that it was given, with header, in order; how long, or -1: no more. */
long queueport_get(struct queueport *qp, uint8_t *bytes, size_t room);

/* How often peer_changed() was called. */
unsigned int queueport_peer_changes(const struct queueport *qp);

#endif
