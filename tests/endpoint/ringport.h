/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A port on real rings, in one process: the port is their device side, the test plays the
 * guest. What the guest sends comes from the port; what is given to the port, the guest
 * receives.
 */
#ifndef VTCT_RINGPORT_H
#define VTCT_RINGPORT_H

#include "endpoint/port.h"

/* Zero in a field means its default. */
struct ringport_plan {
	unsigned int queue_pairs; /* 1 */
	unsigned int ring_size;	  /* 256 */
	bool packed;
	bool event_idx;
	bool mergeable;
	bool accepts_all;
	uint64_t features;	 /* of the network device; low word */
	unsigned int buffer_len; /* that the guest receives in; 2048 */
	unsigned int packet_len; /* longest that the guest sends, with header; 2048 */
	bool shared;		 /* memory by descriptor, as that of a virtual machine */
};

struct ringport;

struct ringport *ringport_new(struct vtc_ctx *ctx, const struct ringport_plan *plan);
struct vtc_port *ringport_port(struct ringport *rp);

/* The port, closed; or only the guest, if the port was closed already. */
void ringport_free(struct ringport *rp);

/* Fails attach() with this error, once. */
void ringport_fail_attach(struct ringport *rp, int err);

/* How many queues are ready, told by vtc__port_changed(). */
void ringport_set_ready(struct ringport *rp, unsigned int ready);
/* The same for what the guest takes. */
void ringport_set_features(struct ringport *rp, uint64_t features);

/* ---- The guest ---- */

/*
 * Send a packet, with its 12 bytes of header, in so many descriptors (the first with the
 * header alone if more than 1). False: the ring is full. ringport_kick() shows it.
 */
bool ringport_send(struct ringport *rp, unsigned int queue, const uint8_t *header,
		   const uint8_t *packet, size_t len, unsigned int pieces);
/* True: the port wanted to know, and was told. */
bool ringport_kick(struct ringport *rp, unsigned int queue);

/* Break the rules of the ring that the guest sends by. */
void ringport_spoil(struct ringport *rp, unsigned int queue);

/* How many packets that the guest sent have not come back to it. */
unsigned int ringport_unsent(struct ringport *rp, unsigned int queue);

/* Offer buffers to receive in, as many as there are at most. How many. */
unsigned int ringport_post(struct ringport *rp, unsigned int queue, unsigned int count);

/*
 * Receive a packet: its length without header, or -1 if there is none. The buffers are
 * not posted again.
 */
long ringport_receive(struct ringport *rp, unsigned int queue, uint8_t header[12],
		      uint8_t *packet, size_t room);

/*
 * Sleep until the port has given back a packet or a buffer; returns at once if it has
 * already. Fails if nothing comes for long.
 */
void ringport_wait(struct ringport *rp, unsigned int queue);

/* How many chains that the guest sent are held by the port's far side. */
unsigned int ringport_held(const struct ringport *rp, unsigned int queue);

/* Memory that nobody uses, so that the map is another one. */
void ringport_add_memory(struct ringport *rp);

/* How often the port notified the guest. */
unsigned int ringport_interrupts(const struct ringport *rp);

#endif
