/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Moves: one burst from a queue of one port to a queue of another. */
#ifndef VTC__MOVE_H
#define VTC__MOVE_H

#include "feed.h"
#include "port.h"
#include "room.h"

/* Packets from a port without memory to another: as many at a time. */
#define VTC__BOUNCE_MAX 16u

#define VTC__PIECES_MAX (VTC__SEGMENTS_MAX + 1u)

/*
 * Memory for moves. A function of the caller's that is given packets may send others
 * meanwhile: "to" and its headers are for that, all else for the move under way.
 */
struct vtc__mover {
	struct vtc__burst from;
	struct vtc__burst to;
	struct vtc__burst out;
	uint8_t to_headers[VTC__BURST_MAX][VTC__HDR_LEN];
	uint8_t out_headers[VTC__BURST_MAX][VTC__HDR_LEN];
	struct vtc_segment packet[VTC__SEGMENTS_MAX]; /* without header */
	struct vtc_segment pieces[VTC__PIECES_MAX];   /* of a converted packet */
	uint8_t *bounce;			      /* or NULL */
};

/* What comes from a queue, and where it goes. */
struct vtc__flow {
	struct vtc_port *from;
	struct vtc_port *to;
	unsigned int from_queue;
	unsigned int to_queue;
	bool blocked;	   /* something is there, and no room for it */
	bool greedy;	   /* the last burst needed more room than was asked for */
	unsigned int sent; /* pieces of the next packet that are done with */
	uint64_t since_ns; /* nothing could go, from then on; 0: it could */

	/* In a relay where ports have rates. */
	uint64_t bytes;	   /* moved so far, with headers */
	uint64_t until_ns; /* the receiver's limit holds it back till then; 0: not */
};

/* Memory for packets from a port without memory. 0 or -ENOMEM; once is enough. */
int vtc__mover_add_bounce(struct vtc__mover *m);

/*
 * Move a burst; how many packets are done with. The flow says whether it is blocked. A
 * burst of more bytes is ended early.
 */
unsigned int vtc__move(struct vtc__mover *m, struct vtc__flow *flow, unsigned int packets,
		       uint32_t bytes);

/* Drop a burst, counted as that at the receiver; how many. */
unsigned int vtc__move_drop(struct vtc__mover *m, struct vtc__flow *flow,
			    unsigned int packets, enum vtc__counter why);

#endif
