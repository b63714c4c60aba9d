/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packets of the caller's own, sent to the far side of a port. */
#include <errno.h>

#include <vtc/port.h>

#include "move.h"
#include "relay.h"

static unsigned int want_room(const struct vtc_packet *packets, unsigned int count,
			      bool greedy)
{
	unsigned int want = 0;

	if (greedy)
		return VTC__BURST_MAX;
	for (unsigned int i = 0; i < count && want < VTC__BURST_MAX; i++)
		want += vtc__room_for(packets[i].len);
	return want;
}

VTC__ALWAYS bool put_plain(struct vtc__room *room, const struct vtc_packet *p)
{
	struct vtc__plain plain = { .header.second = VTC__RAW_ONE, .len = p->len };

	if (p->header.flags | p->header.gso_type || p->count != 1 ||
	    p->segments->len != p->len || p->len < VTC__PLAIN_MIN ||
	    p->len > VTC__PLAIN_MAX)
		return false;
	plain.packet = p->segments->base;
	return vtc__room_put_plain(room, &plain);
}

/* A header that is no good never fits. */
static int put(struct vtc__room *room, struct vtc__mover *m, const struct vtc_packet *p)
{
	int err;

	if (vtc__likely(put_plain(room, p)))
		return 0;
	err = vtc__room_put(room, m, &p->header, p->segments, p->count);
	if (err != -EPROTO)
		return err;
	room->too_large++;
	return 0;
}

static unsigned int send_burst(struct vtc_port *port, unsigned int queue,
			       const struct vtc_packet *packets, unsigned int count,
			       bool greedy)
{
	struct vtc__mover *m = vtc__relay_mover(port->relay);
	struct vtc__room room;
	unsigned int n = 0;

	vtc__room_take(&room, port, queue, &m->to, want_room(packets, count, greedy));
	for (unsigned int i = 0; i < VTC__AHEAD; i++)
		vtc__room_fetch(&room, i);
	for (; n < count; n++) {
		vtc__room_fetch(&room, room.used + VTC__AHEAD);
		if (put(&room, m, &packets[n]))
			break;
	}
	vtc__room_give(&room);
	return n;
}

static unsigned int send_to_memory(struct vtc_port *port, unsigned int queue,
				   const struct vtc_packet *packets, unsigned int count)
{
	unsigned int sent = 0, burst, n;
	bool greedy = false, again;

	/* Once more with all the room there is, then it is enough. */
	do {
		burst = count - sent < VTC__BURST_MAX ? count - sent : VTC__BURST_MAX;
		n = send_burst(port, queue, packets + sent, burst, greedy);
		sent += n;
		again = n || !greedy;
		greedy = !n;
	} while (sent < count && again);
	return sent;
}

/* What is left of a packet of which a part has gone is dropped. */
static bool send_converted(struct vtc__feed *feed, struct vtc__mover *m,
			   const struct vtc_packet *p)
{
	unsigned int sent = 0;

	if (vtc__feed_convert(feed, m, &p->header, p->segments, p->count, &sent))
		return true;
	if (sent)
		vtc__count(feed->port, feed->queue, VTC__TX_DROPPED_ROOM, 1);
	return sent;
}

/* 0: collected; 1: done with; -ENOSPC: the port takes no more now. */
static int offer(struct vtc__feed *feed, struct vtc__mover *m, const struct vtc_packet *p)
{
	int err = vtc__feed_add(feed, m, &p->header, p->segments, p->count);

	if (err <= 0 && err != -EPROTO)
		return err;
	/* In order: what was collected before goes first. */
	if (feed->count)
		return -ENOSPC;
	if (err == 1)
		return send_converted(feed, m, p) ? 1 : -ENOSPC;
	vtc__count(feed->port, feed->queue, VTC__TX_DROPPED_SIZE, 1);
	return 1;
}

static unsigned int send_to_port(struct vtc_port *port, unsigned int queue,
				 const struct vtc_packet *packets, unsigned int count)
{
	struct vtc__mover *m = vtc__relay_mover(port->relay);
	struct vtc__feed feed = {
		.port = port, .queue = queue, .burst = &m->to, .headers = m->to_headers
	};
	unsigned int sent = 0, collected, n;
	int err;

	for (;;) {
		while (sent + feed.count < count) {
			err = offer(&feed, m, &packets[sent + feed.count]);
			if (err < 0)
				break;
			sent += (unsigned int)err;
		}
		collected = feed.count;
		n = vtc__feed_flush(&feed);
		sent += n;
		if (!n || n < collected)
			return sent;
	}
}

int vtc_port_send(struct vtc_port *port, unsigned int queue,
		  const struct vtc_packet *packets, unsigned int count)
{
	if (!port || (!packets && count) || !vtc__port_gives(port) || !port->relay)
		return -EINVAL;
	count = count < INT32_MAX ? count : INT32_MAX;
	if (!port->ready || !port->offload)
		return 0;
	queue %= port->ready;
	return (int)(port->ops->reserve ? send_to_memory(port, queue, packets, count)
					: send_to_port(port, queue, packets, count));
}
