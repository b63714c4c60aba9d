/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A port from the inside: what a relay needs of it. In each direction a port either has
 * memory that the other side can work in (a vring), or does the reading and writing
 * itself (a tap, a callback):
 *
 *	far side gives packets:  take() and give_back()  or  produce()
 *	far side gets packets:   reserve() and commit()  or  consume()
 *
 * A relay picks its way by what both ports have. Everything ends within one call of the
 * relay: no packet and no chain is in anybody's hands between two of them, but for those
 * that a port sends where they lie (struct vtc__place_ops). These it holds until they are
 * sent, and with them, because chains go back in the order of their ring, those behind
 * them. It gives all back at any time, within a bounded one, when it is told to settle:
 * who gives the packets does that before its rings or its memory change in any way.
 *
 * The relay counts what goes by take() and reserve(), and drops for want of room or size;
 * a port counts what it produces and consumes itself, its notifications and system calls.
 *
 * Packets are chains whose readable segments begin with a virtio-net header of 12 bytes,
 * as they lie in the ring; a chain to write to begins with room for one.
 */
#ifndef VTC__PORT_H
#define VTC__PORT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <vtc/nethdr.h>
#include <vtc/port.h>

#include "loop.h"
#include "rate.h"

#define VTC__HDR_LEN   12u
#define VTC__BURST_MAX 256u /* chains in one burst */

/* Longest packet with header: 64 KiB of IP, Ethernet, two tags, header. */
#define VTC__PACKET_MAX (65535u + 14u + 8u + VTC__HDR_LEN)

/*
 * Chains of one burst and room for their segments. Belongs to the relay; one for each
 * side of a move.
 */
struct vtc__burst {
	struct vtc_chain chains[VTC__BURST_MAX];
	struct vtc_done done[VTC__BURST_MAX];
	struct vtc_segment segments[4 * VTC__BURST_MAX];
};
#define VTC__SEGMENTS_MAX (4u * VTC__BURST_MAX)

/* Counters of a queue pair: written by the relay's thread, read by any. */
enum vtc__counter {
	VTC__RX_PACKETS,
	VTC__RX_BYTES,
	VTC__TX_PACKETS,
	VTC__TX_BYTES,
	VTC__RX_DROPPED_BAD,
	VTC__TX_DROPPED_ROOM,
	VTC__TX_DROPPED_SIZE,
	VTC__TX_DROPPED_ERROR,
	VTC__TX_DROPPED_DOWN,
	VTC__NOTIFICATIONS_SENT,
	VTC__NOTIFICATIONS_SUPPRESSED,
	VTC__NOTIFICATIONS_RECEIVED,
	VTC__COPIES,
	VTC__SYS_CALLS,
	VTC__COUNTERS
};

struct vtc__counters {
	_Atomic uint64_t value[VTC__COUNTERS] __attribute__((aligned(64)));
};

struct vtc_relay;
struct vtc__capture;

/*
 * Packets that are sent from where they lie in the memory of the far side; a port that
 * has these has reserve() and commit(), too. The far side has hold(), release() and
 * memory(). Queues of a far side are called by its own numbers ("from").
 */
struct vtc__place_ops {
	/*
	 * Begin a burst from one queue to another. How many chains can be taken; -errno:
	 * not this time, and none of the queue's chains is held: move them by reserve().
	 */
	int (*begin)(struct vtc_port *port, unsigned int queue, unsigned int from);
	/*
	 * A packet without header, of one of the chains that can be taken: it is sent, as
	 * it lies or by a copy. 0: the port has its chain. -ENOSPC: no room now.
	 */
	int (*put)(struct vtc_port *port, unsigned int from, uint32_t id,
		   const struct vtc_segment *segments, unsigned int count);
	/* The same for a chain that is done with already. */
	void (*pass)(struct vtc_port *port, unsigned int from, uint32_t id);
	/* End it, after hold(); also if nothing was taken. Chains may be released. */
	void (*end)(struct vtc_port *port, unsigned int queue);
	/*
	 * Wait for a bounded time until what is held was sent; what was not then is not
	 * any more. All is released. forget: the memory, too.
	 */
	void (*settle)(struct vtc_port *port, bool forget);
};

struct vtc__port_ops {
	const char *kind;

	/*
	 * Begin and end to watch descriptors in port->loop. detach() leaves everything
	 * such that attach() can follow.
	 */
	int (*attach)(struct vtc_port *port);
	void (*detach)(struct vtc_port *port);
	/* The port is not joined. Ends with vtc__port_fini() and frees the struct. */
	void (*close)(struct vtc_port *port);
	void (*info)(const struct vtc_port *port, struct vtc_port_info *info);
	/* Add what is counted elsewhere; from any thread. May be NULL. */
	void (*stats)(const struct vtc_port *port, unsigned int queue,
		      struct vtc_port_stats *stats);

	/*
	 * What packets the far side of the join takes has changed (port->peer->accepts);
	 * a port that can choose what it produces (tap) follows. May be NULL.
	 */
	void (*peer_changed)(struct vtc_port *port);

	/*
	 * Packets from the far side. take() fills chains and segments: how many, 0 if
	 * there is none, or -errno (broken: treated like 0). give_back() ends the burst:
	 * the first used of the taken ones are done with, the others are to be taken
	 * again.
	 */
	int (*take)(struct vtc_port *port, unsigned int queue, struct vtc__burst *burst,
		    unsigned int max);
	void (*give_back)(struct vtc_port *port, unsigned int queue,
			  struct vtc__burst *burst, unsigned int taken,
			  unsigned int used);

	/*
	 * Chains may stay with the far side, as above. hold() ends a burst as give_back()
	 * does, but the first used of the taken ones are not done with. release() gives
	 * back the oldest ones that are held; not between take() and hold(). memory() is
	 * where the segments lie, NULL if there is nothing now, and how many chains the
	 * ring has at most. All of them or none.
	 */
	void (*hold)(struct vtc_port *port, unsigned int queue, struct vtc__burst *burst,
		     unsigned int taken, unsigned int used);
	void (*release)(struct vtc_port *port, unsigned int queue,
			const struct vtc_done *done, unsigned int count);
	const struct vtc_mem *(*memory)(struct vtc_port *port, unsigned int queue,
					uint32_t *ret_chains);

	/*
	 * What the far side has given cannot be moved for now: how many packets are to be
	 * dropped at once, because they lie in memory that others wait for. May be NULL:
	 * none.
	 */
	unsigned int (*excess)(struct vtc_port *port, unsigned int queue);

	/*
	 * The same without memory: read packets into the writable chains to[0..n-1], in
	 * order; done[] says what was written to which, from the first on. mergeable: one
	 * packet may take many chains. Returns how many chains were written to, and in
	 * ret_packets how many packets. 0: nothing to read.
	 */
	int (*produce)(struct vtc_port *port, unsigned int queue, struct vtc__burst *to,
		       unsigned int count, bool mergeable, unsigned int *ret_packets);

	/*
	 * Memory of the far side to write to. reserve() takes chains whose writable
	 * segments are free; commit() sends the first used of them off, with done[]
	 * saying how much was written, in order; the others are given back. It also
	 * notifies.
	 */
	int (*reserve)(struct vtc_port *port, unsigned int queue,
		       struct vtc__burst *burst, unsigned int max);
	void (*commit)(struct vtc_port *port, unsigned int queue,
		       struct vtc__burst *burst, unsigned int taken, unsigned int used);
	const struct vtc__place_ops *place; /* or NULL */

	/*
	 * The same without memory: send packets (the readable segments, with header). How
	 * many are done with, sent or dropped and counted; fewer: no room now.
	 */
	unsigned int (*consume)(struct vtc_port *port, unsigned int queue,
				const struct vtc_chain *chains, unsigned int count);

	/*
	 * About to sleep: ask for a notification when there is something to take (or
	 * produce), or room to reserve (or consume). True: there is none yet, and the
	 * notification will come. False: look again.
	 */
	bool (*arm_take)(struct vtc_port *port, unsigned int queue);
	bool (*arm_reserve)(struct vtc_port *port, unsigned int queue);
};

struct vtc_port {
	const struct vtc__port_ops *ops;
	struct vtc_ctx *ctx;
	struct vtc__loop *loop;	 /* while joined */
	struct vtc_relay *relay; /* while joined */
	struct vtc_port *peer;	 /* while joined; may be the port itself */
	struct vtc__capture *capture;
	unsigned int queue_pairs; /* most */

	/*
	 * What the port's owner sets, followed by vtc__port_changed(): how many queue
	 * pairs can move packets, and what packets the far side takes: feature bits as
	 * vtc_offload_new() wants them, and the role of the far side.
	 */
	unsigned int ready;
	uint64_t accepts[2];
	uint32_t far_role; /* enum vtc_vring_role */
	bool accepts_all;  /* whatever the header asks for: never look at it */
	uint32_t len_max;  /* longest packet without header; at first any */
	bool mergeable;	   /* reserve(): one packet may take many chains */
	bool silent;	   /* headers from the far side mean nothing: do not look */

	struct vtc__counters *counters; /* queue_pairs */
	struct vtc__port_rate rate;	/* of what is given to the port */

	/* The relay's. */
	struct vtc_offload *offload; /* to what the far side takes */
	bool takes_csum;	     /* it completes checksums */
	bool changed;
};

/* ---- What all ports share (port.c) ---- */

/* Set up the common part, with a reference to the context. */
int vtc__port_init(struct vtc_port *port, struct vtc_ctx *ctx,
		   const struct vtc__port_ops *ops, unsigned int queue_pairs);
/* The reverse; the struct itself is the owner's. */
void vtc__port_fini(struct vtc_port *port);

/* Ready queues or accepted packets have changed: the relay follows at its next turn. */
void vtc__port_changed(struct vtc_port *port);

/* Something is to be done on a queue: the relay looks at the port's queues. */
void vtc__port_kicked(struct vtc_port *port);

/*
 * What this port gives to the far side is about to change: have all chains back that are
 * held there. forget: nobody may use its memory any more.
 */
void vtc__port_settle(struct vtc_port *port, bool forget);

/* Packets can come from it; not so from a callback. */
static inline bool vtc__port_gives(const struct vtc_port *port)
{
	return port->ops->take || port->ops->produce;
}

static inline void vtc__count(struct vtc_port *port, unsigned int queue,
			      enum vtc__counter what, uint64_t by)
{
	_Atomic uint64_t *p = &port->counters[queue].value[what];

	/* One writer: no locked addition. */
	atomic_store_explicit(p, atomic_load_explicit(p, memory_order_relaxed) + by,
			      memory_order_relaxed);
}

/* ---- Capture (capture.c): NULL is no capture ---- */

/*
 * Note packets that passed. They are the readable segments of the chains, or if there is
 * a done the writable ones as far as it says; a packet in several chains is joined by the
 * number of buffers in its header.
 */
void vtc__capture_rx(struct vtc_port *port, unsigned int queue,
		     const struct vtc_chain *chains, const struct vtc_done *done,
		     unsigned int count);
void vtc__capture_tx(struct vtc_port *port, unsigned int queue,
		     const struct vtc_chain *chains, const struct vtc_done *done,
		     unsigned int count);
void vtc__capture_end(struct vtc_port *port);

#endif
