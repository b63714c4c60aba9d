/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Room at a far side: see room.h. */
#include "room.h"

#include <errno.h>

#include "move.h"
#include "vring/cursor.h"
#include "vring/nethdr.h"

void vtc__room_take(struct vtc__room *room, struct vtc_port *port, unsigned int queue,
		    struct vtc__burst *burst, unsigned int want)
{
	int got;

	want = want < VTC__BURST_MAX ? want : VTC__BURST_MAX;
	got = port->ops->reserve(port, queue, burst, want);
	*room = (struct vtc__room){ .port = port,
				    .queue = queue,
				    .burst = burst,
				    .want = want,
				    .got = got > 0 ? (unsigned int)got : 0 };
}

void vtc__room_give(struct vtc__room *room)
{
	struct vtc_port *port = room->port;
	unsigned int q = room->queue;

	if (room->packets) {
		vtc__count(port, q, VTC__TX_PACKETS, room->packets);
		vtc__count(port, q, VTC__TX_BYTES, room->bytes);
		vtc__count(port, q, VTC__COPIES, room->packets);
	}
	if (room->too_large)
		vtc__count(port, q, VTC__TX_DROPPED_SIZE, room->too_large);
	if (!room->got)
		return;
	if (vtc__unlikely(port->capture) && room->used)
		vtc__capture_tx(port, q, room->burst->chains, room->burst->done,
				room->used);
	port->ops->commit(port, q, room->burst, room->got, room->used);
}

/* One packet that the far side takes as it is. */
static int scatter(struct vtc__room *room, const struct vtc_nethdr *header,
		   const struct vtc_segment *segments, unsigned int count)
{
	int n = -EFBIG;

	if (vtc__segments_len(segments, count) <= room->port->len_max)
		n = vtc_nethdr_scatter(header, VTC__HDR_LEN, room->port->mergeable,
				       segments, count, room->burst->chains + room->used,
				       room->got - room->used,
				       room->burst->done + room->used);
	if (n < 0)
		return n;
	for (int i = 0; i < n; i++)
		room->bytes += room->burst->done[room->used + (unsigned int)i].len;
	room->bytes -= VTC__HDR_LEN;
	room->used += (unsigned int)n;
	room->packets++;
	return 0;
}

static int put_unseen(struct vtc__room *room, const struct vtc_nethdr *header,
		      const struct vtc_segment *segments, unsigned int count)
{
	if (vtc__nethdr_check(header, vtc__segments_len(segments, count)))
		return -EBADMSG;
	return scatter(room, header, segments, count);
}

static int convert(struct vtc__room *room, struct vtc__mover *m,
		   const struct vtc_nethdr *header, const struct vtc_segment *segments,
		   unsigned int count)
{
	struct vtc_offload *o = room->port->offload;
	struct vtc_nethdr out;
	int n, err = 0;

	if (vtc_offload_begin(o, header, segments, count) < 0)
		return -EBADMSG;
	while (!err && (n = vtc_offload_next(o, &out, m->pieces, VTC__PIECES_MAX)) > 0)
		err = scatter(room, &out, m->pieces, (unsigned int)n);
	return err;
}

/*
 * Would it ever fit? A whole burst is all there can be; without mergeable buffers, or if
 * the driver's are no good, there is no use in waiting for others.
 */
static bool never_fits(const struct vtc__room *room, unsigned int reached, int err)
{
	if (err == -EPROTO || err == -EFBIG)
		return true;
	if (!room->port->mergeable && reached < room->got)
		return true;
	return !room->used && room->got == VTC__BURST_MAX;
}

int vtc__room_put(struct vtc__room *room, struct vtc__mover *m,
		  const struct vtc_nethdr *header, const struct vtc_segment *segments,
		  unsigned int count)
{
	const struct vtc__room before = *room;
	unsigned int reached;
	int err = room->port->accepts_all ? put_unseen(room, header, segments, count)
					  : convert(room, m, header, segments, count);

	if (!err)
		return 0;
	reached = room->used;
	*room = before;
	if (err == -EBADMSG)
		return -EPROTO;
	if (!never_fits(room, reached, err))
		return -ENOSPC;
	room->too_large++;
	return 0;
}
