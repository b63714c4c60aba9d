/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A tap port: its queues, and how packets are read and written. */
#ifndef VTC__TAP_H
#define VTC__TAP_H

#include <linux/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "port.h"
#include "uring.h"

#define VTC__TAP_READS 32u /* at once */

struct vtc__tap;

/*
 * Room for what is longer than the chain that it was read to: the kernel drops what does
 * not fit, and does not tell a packet's length before. Touched only when that happens.
 */
struct vtc__tap_slot {
	uint8_t head[69632]; /* the end of it: what was in the chain */
	uint8_t tail[69632];
};

/* A packet in a slot; length 0: there is none. */
struct vtc__tap_held {
	uint8_t *packet;
	uint32_t len;
};

struct vtc__tap_queue {
	struct vtc__tap *tap;
	unsigned int index;
	struct vtc__watch watch;
	struct vtc__timer timer;
	bool empty;	/* nothing to read since the last event */
	bool full;	/* no room to write, likewise */
	bool limited;	/* somebody gave the tap a send buffer that can be full */
	bool large;	/* read one by one, each to many chains */
	bool stuck;	/* the packets below are too long for the chains there are */
	bool waiting;	/* and will be tried again when the timer is due */
	uint16_t small; /* in a row, while large */
	unsigned int batch;
	uint64_t stuck_since; /* ns */

	/* Packets that were read and are in slots, from the first to before the end. */
	unsigned int first, end;
	struct vtc__tap_held held[VTC__TAP_READS];
	struct vtc__tap_slot *slots;
};

struct vtc__tap {
	struct vtc_port port;
	struct vtc__uring *uring; /* NULL: one by one */
	bool wants_uring;
	unsigned int few; /* packets that go faster one by one are fewer than that */
	bool renewed;	  /* the ring is new and has not worked yet */
	bool takes_uso;
	unsigned int offload;	     /* TUN_F_ bits that the kernel follows */
	struct vtc__tap_slot *slots; /* of all queues */
	const char *error;
	char name[IFNAMSIZ];

	/* Only within a call. */
	struct vtc__io ios[VTC__URING_MAX];
	struct iovec iov[VTC__SEGMENTS_MAX + VTC__TAP_READS];

	struct vtc__tap_queue queues[]; /* port.queue_pairs */
};

_Static_assert(sizeof(((struct vtc__tap_slot *)0)->tail) >= VTC__PACKET_MAX,
	       "the longest packet fits");

static inline struct vtc__tap *vtc__tap_of(struct vtc_port *port)
{
	return (struct vtc__tap *)port;
}

/* ---- The interface (tap-device.c) ---- */

/* Fill the watches' descriptors, and the name. */
int vtc__tap_open_name(struct vtc__tap *tap, const char *name);
int vtc__tap_open_fds(struct vtc__tap *tap, const int32_t *fds);

/* Headers of 12 bytes in the order of VIRTIO 1; what offloads there are. */
int vtc__tap_configure(struct vtc__tap *tap);

/* What the kernel may leave undone in packets for the peer. */
int vtc__tap_set_offload(struct vtc__tap *tap, const struct vtc_port *peer);

/* ---- Packets ---- */

int vtc__tap_produce(struct vtc_port *port, unsigned int queue, struct vtc__burst *to,
		     unsigned int count, bool mergeable, unsigned int *ret_packets);
unsigned int vtc__tap_consume(struct vtc_port *port, unsigned int queue,
			      const struct vtc_chain *chains, unsigned int count);

/* Forget what was read and not delivered; and what came so far, too. */
void vtc__tap_forget(struct vtc__tap_queue *q);
void vtc__tap_drain(struct vtc__tap_queue *q);

/*
 * Read or write the first of tap->ios. After one with -EAGAIN there may be others that
 * were done all the same.
 */
void vtc__tap_transfer(struct vtc__tap_queue *q, enum vtc__io_direction direction,
		       unsigned int count);

int vtc__tap_new_uring(struct vtc__tap *tap);

/* With a ring: from how many packets on it is faster. */
void vtc__tap_measure(struct vtc__tap *tap);

/* The interface is gone. */
void vtc__tap_broken(struct vtc__tap *tap);

#endif
