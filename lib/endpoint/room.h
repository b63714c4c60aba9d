/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Room at a far side: chains reserved for one burst, that packets are written to. Plain
 * packets, in one piece and with nothing left to do, go the fast way in here.
 */
#ifndef VTC__ROOM_H
#define VTC__ROOM_H

#include <endian.h>
#include <string.h>

#include "port.h"
#include "vring/vring.h"

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

/*
 * A header as two words, in private memory. The low 16 bits of the first are flags and
 * type, the upper 16 the beginning of the checksum; the low 16 of the second are its
 * place, the upper 16 the number of buffers.
 */
struct vtc__raw_header {
	uint64_t first;
	uint32_t second;
};

/* Flags that are known, and the type. */
#define VTC__RAW_ASKS	    0xff03u
#define VTC__RAW_CSUM_START 48
#define VTC__RAW_ONE	    (1u << 16) /* one buffer */

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

VTC__ALWAYS void vtc__copy16(uint8_t *to, const uint8_t *from)
{
	__builtin_memcpy(to, from, 16);
}

VTC__ALWAYS void vtc__copy64(uint8_t *to, const uint8_t *from)
{
	vtc__copy16(to, from);
	vtc__copy16(to + 16, from + 16);
	vtc__copy16(to + 32, from + 32);
	vtc__copy16(to + 48, from + 48);
}

/*
 * At least 16 bytes. The last piece overlaps with the one before it, so that no length
 * needs a loop of single bytes. Source and destination may overlap: a guest can send to
 * itself, and gets what it gets.
 */
VTC__ALWAYS void vtc__copy(uint8_t *to, const uint8_t *from, size_t len)
{
	if (vtc__unlikely(len > 256)) {
		memmove(to, from, len);
		return;
	}
	for (; len >= 64; len -= 64, to += 64, from += 64)
		vtc__copy64(to, from);
	for (; len >= 16; len -= 16, to += 16, from += 16)
		vtc__copy16(to, from);
	if (len)
		vtc__copy16(to + len - 16, from + len - 16);
}

/* A packet in one piece of at least 16 bytes; false: not that simple. */
VTC__ALWAYS bool vtc__room_put_plain(struct vtc__room *room, struct vtc__raw_header h,
				     const uint8_t *packet, size_t len)
{
	const struct vtc_chain *chain = &room->burst->chains[room->used];
	const struct vtc_segment *to;
	uint8_t *base;

	if (vtc__unlikely(room->used == room->got) || vtc__unlikely(!chain->writable))
		return false;
	to = chain->segments + chain->readable;
	if (vtc__unlikely(to->len < len + VTC__HDR_LEN))
		return false;
	base = to->base;
	h.first = htole64(h.first);
	h.second = htole32(h.second);
	memcpy(base, &h.first, 8);
	memcpy(base + 8, &h.second, 4);
	vtc__copy(base + VTC__HDR_LEN, packet, len);
	room->burst->done[room->used++] =
		(struct vtc_done){ chain->id, (uint32_t)len + VTC__HDR_LEN };
	room->packets++;
	room->bytes += len;
	return true;
}

#endif
