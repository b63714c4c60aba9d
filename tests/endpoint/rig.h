/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A relay, its context with a clock of the test's, and packets that know their number. */
#ifndef VTCT_RIG_H
#define VTCT_RIG_H

#include <vtc/relay.h>

#include "ringport.h"

#define RIG_PACKET_MAX 70000u

struct rig {
	uint64_t now_ns;
	struct vtc_ctx *ctx;
	struct vtc_relay *relay;
};

/* opts may be NULL. */
struct rig *rig_new(const struct vtc_relay_opts *opts);
void rig_free(struct rig *rig);

/* Let the relay do all there is to do; how many packets it moved. Fails without end. */
unsigned int rig_run(struct rig *rig);

/* Is the relay's descriptor readable? Waits a bounded time if told to. */
bool rig_is_ready(const struct rig *rig, bool wait);

/* The bytes of a packet are made of its number. */
void rig_fill(uint8_t *packet, size_t len, unsigned int number);

/* Send without anything to do; fails if the ring is full. */
void rig_send(struct ringport *rp, unsigned int queue, size_t len, unsigned int number,
	      unsigned int pieces);

/* Receive just that, with a header that asks for nothing. */
void rig_expect(struct ringport *rp, unsigned int queue, size_t len, unsigned int number);
void rig_expect_none(struct ringport *rp, unsigned int queue);

struct vtc_port_stats rig_stats(struct vtc_port *port, unsigned int queue);
struct vtc_relay_stats rig_relay_stats(struct rig *rig);

/* A virtio header as the guest writes it. */
void rig_header(const struct vtc_nethdr *header, uint8_t raw[12]);

#endif
