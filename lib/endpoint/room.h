/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Room at a far side: chains reserved for one burst, that packets are written to.
 */
#ifndef VTC__ROOM_H
#define VTC__ROOM_H

#include "plain.h"
#include "port.h"

struct vtc__mover;

struct vtc__room {
	struct vtc_port *port;
	unsigned int queue;
	struct vtc__burst *burst;
	unsigned int want; /* chains that were asked for */
	unsigned int got;
	unsigned int used;
	uint64_t packets; /* written */
	uint64_t bytes;
	uint64_t too_large; /* dropped */
};

/* How many chains to ask for, for a packet of so many bytes with header. */
static inline unsigned int vtc__room_for(uint32_t len)
{
	/* What fits an Ethernet frame fits all buffers that drivers make. */
	return vtc__likely(len <= 1526) ? 1 : len / 1024 + 1;
}

/* Take chains for a burst; room->got may be 0. */
void vtc__room_take(struct vtc__room *room, struct vtc_port *port, unsigned int queue,
		    struct vtc__burst *burst, unsigned int want);

/* Send off what was written, give back the rest, and count. */
void vtc__room_give(struct vtc__room *room);

/*
 * Write a packet without header, converted to what the far side takes. 0: written, or
 * dropped and counted. -ENOSPC: there is no room now; nothing is written. -EPROTO: the
 * header does not fit the packet.
 */
int vtc__room_put(struct vtc__room *room, struct vtc__mover *m,
		  const struct vtc_nethdr *header, const struct vtc_segment *segments,
		  unsigned int count);

VTC__ALWAYS void vtc__room_fetch(const struct vtc__room *room, unsigned int i)
{
	const uint8_t *at;

	if (i >= room->got)
		return;
	at = room->burst->chains[i].segments->base;
	vtc__fetch_to_write(at);
	vtc__fetch_to_write(at + VTC__HDR_LEN);
}

/* A packet in one piece; false: not that simple. */
VTC__ALWAYS bool vtc__room_put_plain(struct vtc__room *room, const struct vtc__plain *p)
{
	const struct vtc_chain *chain = &room->burst->chains[room->used];
	const struct vtc_segment *to;

	if (vtc__unlikely(room->used == room->got) || vtc__unlikely(!chain->writable))
		return false;
	to = chain->segments + chain->readable;
	if (vtc__unlikely(to->len < p->len + VTC__HDR_LEN) ||
	    vtc__unlikely(p->len > room->port->len_max))
		return false;
	vtc__raw_write(to->base, p->header);
	vtc__copy((uint8_t *)to->base + VTC__HDR_LEN, p->packet, p->len);
	room->burst->done[room->used++] =
		(struct vtc_done){ chain->id, p->len + VTC__HDR_LEN };
	room->packets++;
	room->bytes += p->len;
	return true;
}

#endif
