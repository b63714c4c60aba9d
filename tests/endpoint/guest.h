/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A port with memory and no ring: a guest whose buffers the test posts and whose packets
 * it makes, to look at what another port does with them. Buffers have exact sizes, so
 * that a byte too many is seen.
 */
#ifndef VTCT_GUEST_H
#define VTCT_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "endpoint/port.h"

#define GUEST_QUEUES	   2
#define GUEST_CHAINS_MAX   1024
#define GUEST_RECEIVED_MAX 4096
#define GUEST_SENT_MAX	   1024

struct guest_plan {
	unsigned int queue_pairs;
	unsigned int pieces; /* of each buffer; 0: 1 */
	size_t room;	     /* of a buffer */
	bool mergeable;
	uint64_t accepts;
};

/* With header. */
struct guest_packet {
	uint8_t *bytes;
	size_t len;
	unsigned int buffers; /* that it came in */
};

struct guest_queue {
	/* Receive buffers: [first, end) can be written to, modulo GUEST_CHAINS_MAX. */
	struct vtc_segment *segments; /* GUEST_CHAINS_MAX times pieces */
	unsigned int first, end;
	struct guest_packet received[GUEST_RECEIVED_MAX];
	unsigned int received_count;

	/* Packets to send: [sent, to_send). */
	struct guest_packet packets[GUEST_SENT_MAX];
	unsigned int sent, to_send;
};

struct guest {
	struct vtc_port port;
	struct guest_plan plan;
	bool posts_again; /* each buffer, as soon as it was used */
	struct guest_queue queues[GUEST_QUEUES];
};

struct guest *guest_new(struct vtc_ctx *ctx, const struct guest_plan *plan);
void guest_post(struct guest *g, unsigned int queue, unsigned int buffers);
void guest_send(struct guest *g, unsigned int queue, const uint8_t *header,
		const uint8_t *bytes, size_t len);

/* What the driver takes has changed. */
void guest_accept(struct guest *g, uint64_t accepts);

uint64_t guest_count(const struct vtc_port *port, unsigned int queue,
		     enum vtc__counter what);

#endif
