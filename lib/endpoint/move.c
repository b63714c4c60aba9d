/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Moves: see move.h. Which way a burst goes depends on who has memory: both (one copy,
 * here, or none), one (the other port works in it), or none (by a buffer of the relay's).
 */
#include "move.h"

#include <errno.h>
#include <stdlib.h>

int vtc__mover_add_bounce(struct vtc__mover *m)
{
	if (!m->bounce)
		m->bounce = malloc((size_t)VTC__BOUNCE_MAX * VTC__PACKET_MAX);
	return m->bounce ? 0 : -ENOMEM;
}

/* ---- What a source gives ---- */

struct source {
	struct vtc__flow *flow;
	struct vtc__burst *burst;
	unsigned int taken;
	unsigned int used;
	uint64_t bytes; /* of those used, with headers */
	uint64_t bad;
};

static bool take(struct source *s, struct vtc__mover *m, struct vtc__flow *f,
		 unsigned int max)
{
	int n = f->from->ops->take(f->from, f->from_queue, &m->from, max);

	*s = (struct source){ .flow = f,
			      .burst = &m->from,
			      .taken = n > 0 ? (unsigned int)n : 0 };
	return n > 0;
}

static void count_rx(struct vtc_port *port, unsigned int queue, uint64_t packets,
		     uint64_t bytes)
{
	uint64_t headers = packets * VTC__HDR_LEN;

	vtc__count(port, queue, VTC__RX_PACKETS, packets);
	vtc__count(port, queue, VTC__RX_BYTES, bytes > headers ? bytes - headers : 0);
}

static void count_used(const struct source *s)
{
	struct vtc_port *port = s->flow->from;
	unsigned int queue = s->flow->from_queue;

	s->flow->bytes += s->bytes;
	if (!s->used)
		return;
	count_rx(port, queue, s->used, s->bytes);
	if (s->bad)
		vtc__count(port, queue, VTC__RX_DROPPED_BAD, s->bad);
	if (vtc__unlikely(port->capture))
		vtc__capture_rx(port, queue, s->burst->chains, NULL, s->used);
}

static unsigned int give_back(const struct source *s)
{
	struct vtc_port *port = s->flow->from;

	count_used(s);
	port->ops->give_back(port, s->flow->from_queue, s->burst, s->taken, s->used);
	return s->used;
}

static unsigned int hold(const struct source *s)
{
	struct vtc_port *port = s->flow->from;

	count_used(s);
	port->ops->hold(port, s->flow->from_queue, s->burst, s->taken, s->used);
	return s->used;
}

/*
 * A packet's header, checked, and the packet without it. How many segments, or -EPROTO.
 * The burst's own segments stay as they are, for a capture.
 */
static int open_packet(struct vtc__mover *m, const struct vtc_chain *chain,
		       struct vtc_nethdr *ret_header, struct vtc_segment **ret_segments)
{
	unsigned int n = chain->readable;
	int used;

	if (chain->readable_bytes > VTC__PACKET_MAX || n > VTC__SEGMENTS_MAX ||
	    vtc_nethdr_get(chain->segments, n, VTC__HDR_LEN, ret_header))
		return -EPROTO;
	memcpy(m->packet, chain->segments, n * sizeof(m->packet[0]));
	used = vtc_nethdr_strip(m->packet, n, VTC__HDR_LEN);
	if (used < 0)
		return -EPROTO;
	*ret_segments = m->packet + used;
	return (int)n - used;
}

/* ---- Memory to memory ---- */

static unsigned int want_room(const struct source *s, bool greedy)
{
	unsigned int want = 0;

	if (greedy)
		return VTC__BURST_MAX;
	for (unsigned int i = 0; i < s->taken; i++)
		want += vtc__room_for(s->burst->chains[i].readable_bytes);
	return want;
}

static int put_closely(struct vtc__room *room, struct vtc__mover *m, struct source *s,
		       const struct vtc_chain *chain)
{
	struct vtc_segment *segments;
	struct vtc_nethdr header;
	int n = open_packet(m, chain, &header, &segments);
	int err = n < 0 ? n : vtc__room_put(room, m, &header, segments, (unsigned int)n);

	if (err != -EPROTO)
		return err;
	s->bad++;
	return 0;
}

VTC__ALWAYS void fetch_from(const struct source *s, bool silent, unsigned int i)
{
	const uint8_t *at;

	if (i >= s->taken)
		return;
	at = s->burst->chains[i].segments->base;
	if (!silent)
		__builtin_prefetch(at);
	__builtin_prefetch(at + VTC__HDR_LEN);
}

static unsigned int from_memory_to_memory(struct vtc__mover *m, struct vtc__flow *f,
					  unsigned int max, uint32_t bytes)
{
	const bool silent = f->from->silent, takes_csum = f->to->takes_csum;
	struct vtc__plain plain;
	struct vtc__room room;
	struct source s;
	int err = 0;

	if (!take(&s, m, f, max)) {
		f->blocked = false;
		return 0;
	}
	vtc__room_take(&room, f->to, f->to_queue, &m->to, want_room(&s, f->greedy));
	for (unsigned int i = 0; i < VTC__AHEAD; i++) {
		fetch_from(&s, silent, i);
		vtc__room_fetch(&room, i);
	}
	while (s.used < s.taken && s.bytes < bytes) {
		const struct vtc_chain *chain = &s.burst->chains[s.used];

		fetch_from(&s, silent, s.used + VTC__AHEAD);
		vtc__room_fetch(&room, room.used + VTC__AHEAD);
		if (vtc__unlikely(!vtc__plain_get(chain, silent, takes_csum, &plain)) ||
		    vtc__unlikely(!vtc__room_put_plain(&room, &plain))) {
			err = put_closely(&room, m, &s, chain);
			if (err)
				break;
		}
		s.bytes += chain->readable_bytes;
		s.used++;
	}
	f->blocked = err;
	f->greedy = err && room.got == room.want;
	vtc__room_give(&room);
	return give_back(&s);
}

/* ---- From where they lie ---- */

static bool asks_nothing(const struct vtc_nethdr *header)
{
	return !(header->flags & VTC_NETHDR_F_NEEDS_CSUM) &&
	       header->gso_type == VTC_NETHDR_GSO_NONE;
}

/* There is work to do on it: it goes by a copy, like any. */
static int convert_one(struct source *s, struct vtc__mover *m,
		       const struct vtc_chain *chain)
{
	struct vtc__flow *f = s->flow;
	struct vtc__room room;
	int err;

	vtc__room_take(&room, f->to, f->to_queue, &m->to,
		       f->greedy ? VTC__BURST_MAX : vtc__room_for(chain->readable_bytes));
	err = put_closely(&room, m, s, chain);
	f->greedy = err && room.got == room.want;
	vtc__room_give(&room);
	if (!err)
		f->to->ops->place->pass(f->to, f->from_queue, chain->id);
	return err;
}

static int put_in_place(struct source *s, const struct vtc_chain *chain,
			const struct vtc_segment *segments, unsigned int count)
{
	struct vtc__flow *f = s->flow;
	struct vtc_port *to = f->to;
	int err = to->ops->place->put(to, f->from_queue, chain->id, segments, count);

	if (!err && vtc__unlikely(to->capture))
		vtc__capture_tx(to, f->to_queue, chain, NULL, 1);
	return err;
}

static int place_one(struct source *s, struct vtc__mover *m,
		     const struct vtc_chain *chain)
{
	struct vtc_segment *segments;
	struct vtc_nethdr header;
	struct vtc__plain plain;
	int n;

	if (vtc__likely(vtc__plain_get(chain, s->flow->from->silent, false, &plain)))
		return put_in_place(s, chain,
				    &(struct vtc_segment){
					    (void *)(uintptr_t)plain.packet, plain.len },
				    1);
	n = open_packet(m, chain, &header, &segments);
	if (n >= 0 && asks_nothing(&header))
		return put_in_place(s, chain, segments, (unsigned int)n);
	return convert_one(s, m, chain);
}

/* The port has begun, and can take so many. */
static unsigned int from_memory_in_place(struct vtc__mover *m, struct vtc__flow *f,
					 unsigned int max, uint32_t bytes)
{
	struct source s = { .flow = f };
	int err = max ? 0 : -ENOSPC;

	if (!max || !take(&s, m, f, max)) {
		f->blocked = err;
		f->to->ops->place->end(f->to, f->to_queue);
		return 0;
	}
	for (unsigned int i = 0; i < VTC__AHEAD; i++)
		fetch_from(&s, f->from->silent, i);
	while (s.used < s.taken && s.bytes < bytes) {
		const struct vtc_chain *chain = &s.burst->chains[s.used];

		fetch_from(&s, f->from->silent, s.used + VTC__AHEAD);
		err = place_one(&s, m, chain);
		if (err)
			break;
		s.bytes += chain->readable_bytes;
		s.used++;
	}
	f->blocked = err;
	(void)hold(&s);
	f->to->ops->place->end(f->to, f->to_queue);
	return s.used;
}

static unsigned int from_memory(struct vtc__mover *m, struct vtc__flow *f,
				unsigned int max, uint32_t bytes)
{
	const struct vtc__place_ops *place = f->to->ops->place;
	int n = -EOPNOTSUPP;

	if (vtc__unlikely(place) && f->from->ops->hold)
		n = place->begin(f->to, f->to_queue, f->from_queue);
	if (vtc__likely(n < 0))
		return from_memory_to_memory(m, f, max, bytes);
	return from_memory_in_place(m, f, (unsigned int)n < max ? (unsigned int)n : max,
				    bytes);
}

/* ---- To a port that sends them itself ---- */

static void note(struct source *s, unsigned int count)
{
	for (; count; count--)
		s->bytes += s->burst->chains[s->used++].readable_bytes;
}

/* What was collected goes; true: all of it is done with. */
static bool flush(struct source *s, struct vtc__feed *feed)
{
	unsigned int count = feed->count;
	unsigned int n = vtc__feed_flush(feed);

	note(s, n);
	return n == count;
}

static int convert(struct source *s, struct vtc__mover *m, struct vtc__feed *feed,
		   const struct vtc_nethdr *header, const struct vtc_segment *segments,
		   unsigned int n)
{
	if (!flush(s, feed))
		return -ENOSPC;
	if (!vtc__feed_convert(feed, m, header, segments, n, &s->flow->sent))
		return -ENOSPC;
	note(s, 1);
	return 0;
}

/* One packet: collected, or done with. -ENOSPC: the port takes no more. */
static int offer(struct source *s, struct vtc__mover *m, struct vtc__feed *feed,
		 const struct vtc_chain *chain)
{
	struct vtc_segment *segments;
	struct vtc_nethdr header;
	int n = open_packet(m, chain, &header, &segments);
	int err = n;

	if (n >= 0)
		err = vtc__feed_add(feed, m, &header, segments, (unsigned int)n);
	if (err == -ENOSPC) {
		if (!flush(s, feed))
			return -ENOSPC;
		err = vtc__feed_add(feed, m, &header, segments, (unsigned int)n);
	}
	if (err == 1)
		return convert(s, m, feed, &header, segments, (unsigned int)n);
	if (err != -EPROTO)
		return err;
	if (!flush(s, feed))
		return -ENOSPC;
	s->bad++;
	note(s, 1);
	return 0;
}

static bool feed_checked(struct source *s, struct vtc__mover *m, uint32_t bytes)
{
	const bool silent = s->flow->from->silent;
	struct vtc__feed feed = { .port = s->flow->to,
				  .queue = s->flow->to_queue,
				  .burst = &m->out,
				  .headers = m->out_headers };
	struct vtc__plain plain;
	uint64_t offered = 0;

	for (unsigned int i = 0; i < VTC__AHEAD; i++)
		fetch_from(s, silent, s->used + i);
	while (s->used + feed.count < s->taken && offered < bytes) {
		const struct vtc_chain *chain = &s->burst->chains[s->used + feed.count];

		fetch_from(s, silent, s->used + feed.count + VTC__AHEAD);
		offered += chain->readable_bytes;
		if (vtc__likely(vtc__plain_get(chain, silent, feed.port->takes_csum,
					       &plain)) &&
		    vtc__likely(vtc__feed_add_plain(&feed, &plain)))
			continue;
		if (offer(s, m, &feed, chain))
			return false;
	}
	return flush(s, &feed);
}

static bool feed_unseen(struct source *s, uint32_t bytes)
{
	unsigned int count = 0, n;

	for (uint64_t sum = 0; count < s->taken && sum < bytes; count++)
		sum += s->burst->chains[count].readable_bytes;
	n = vtc__feed_chains(s->flow->to, s->flow->to_queue, s->burst->chains, count);
	note(s, n);
	return n == count;
}

/* True: the port took all. */
static bool feed(struct source *s, struct vtc__mover *m, uint32_t bytes)
{
	return s->flow->to->accepts_all ? feed_unseen(s, bytes)
					: feed_checked(s, m, bytes);
}

static unsigned int from_memory_to_port(struct vtc__mover *m, struct vtc__flow *f,
					unsigned int max, uint32_t bytes)
{
	struct source s;

	f->blocked = false;
	if (!take(&s, m, f, max))
		return 0;
	f->blocked = !feed(&s, m, bytes);
	return give_back(&s);
}

/* ---- From a port that reads them itself ---- */

static uint64_t sum_done(const struct vtc_done *done, unsigned int count)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < count; i++)
		sum += done[i].len;
	return sum;
}

static unsigned int from_port_to_memory(struct vtc__mover *m, struct vtc__flow *f,
					unsigned int max)
{
	struct vtc_port *from = f->from, *to = f->to;
	unsigned int want = f->greedy ? VTC__BURST_MAX : max;
	unsigned int packets = 0;
	struct vtc__room room;
	int n;

	/* It knows; taking room for nothing is what costs. */
	f->blocked = false;
	if (from->ops->arm_take(from, f->from_queue))
		return 0;
	vtc__room_take(&room, to, f->to_queue, &m->to, want);
	f->blocked = room.got < room.want;
	if (!room.got)
		return 0;
	n = from->ops->produce(from, f->from_queue, &m->to, room.got, to->mergeable,
			       &packets);
	room.used = n > 0 ? (unsigned int)n : 0;
	f->blocked = f->blocked && room.used == room.got;
	f->greedy = room.used > room.got / 2;
	if (room.used && from->capture)
		vtc__capture_rx(from, f->from_queue, m->to.chains, m->to.done, room.used);
	if (room.used) {
		uint64_t bytes = sum_done(m->to.done, room.used);

		f->bytes += bytes;
		vtc__count(to, f->to_queue, VTC__TX_PACKETS, packets);
		vtc__count(to, f->to_queue, VTC__TX_BYTES,
			   bytes - (uint64_t)packets * VTC__HDR_LEN);
	}
	vtc__room_give(&room);
	return packets;
}

/* Packets in the bounce buffer, as if they had been taken; how many. */
static unsigned int bounce(struct vtc__mover *m, struct vtc__flow *f)
{
	struct vtc_port *from = f->from;
	unsigned int packets = 0;
	int n;

	for (unsigned int i = 0; i < VTC__BOUNCE_MAX; i++) {
		m->from.segments[i] =
			(struct vtc_segment){ m->bounce + (size_t)i * VTC__PACKET_MAX,
					      VTC__PACKET_MAX };
		m->from.chains[i] = (struct vtc_chain){ .segments = &m->from.segments[i],
							.writable_bytes = VTC__PACKET_MAX,
							.writable = 1,
							.id = i };
	}
	n = from->ops->produce(from, f->from_queue, &m->from, VTC__BOUNCE_MAX, false,
			       &packets);
	for (int i = 0; i < n; i++) {
		struct vtc_chain *chain = &m->from.chains[i];

		chain->segments->len = m->from.done[i].len;
		chain->readable_bytes = m->from.done[i].len;
		chain->writable_bytes = chain->writable = 0;
		chain->readable = 1;
	}
	if (n > 0 && from->capture)
		vtc__capture_rx(from, f->from_queue, m->from.chains, NULL,
				(unsigned int)n);
	return n > 0 ? (unsigned int)n : 0;
}

/* What the receiver does not take is lost: there is nowhere to leave it. */
static unsigned int from_port_to_port(struct vtc__mover *m, struct vtc__flow *f)
{
	struct source s = { .flow = f, .burst = &m->from };

	f->blocked = false;
	s.taken = bounce(m, f);
	if (!s.taken)
		return 0;
	(void)feed(&s, m, UINT32_MAX);
	f->bytes += s.bytes;
	vtc__count(f->to, f->to_queue, VTC__COPIES, s.used - s.bad);
	vtc__count(f->from, f->from_queue, VTC__RX_DROPPED_BAD, s.bad);
	vtc__count(f->to, f->to_queue, VTC__TX_DROPPED_ROOM, s.taken - s.used);
	f->sent = 0;
	return s.taken;
}

/* ---- All of them ---- */

static bool has_room(struct vtc__mover *m, const struct vtc__flow *f)
{
	int got = f->to->ops->reserve(f->to, f->to_queue, &m->to, 1);

	if (got <= 0)
		return false;
	f->to->ops->commit(f->to, f->to_queue, &m->to, (unsigned int)got, 0);
	return true;
}

unsigned int vtc__move(struct vtc__mover *m, struct vtc__flow *flow, unsigned int packets,
		       uint32_t bytes)
{
	bool takes = flow->from->ops->take, reserves = flow->to->ops->reserve;

	/* Do not take what has to be given back. */
	if (vtc__unlikely(flow->blocked) && reserves && !has_room(m, flow))
		return 0;
	if (takes && reserves)
		return from_memory(m, flow, packets, bytes);
	if (takes)
		return from_memory_to_port(m, flow, packets, bytes);
	return reserves ? from_port_to_memory(m, flow, packets)
			: from_port_to_port(m, flow);
}

static unsigned int drop_taken(struct vtc__mover *m, struct vtc__flow *f,
			       unsigned int max)
{
	struct source s;

	/* Those that are held go back before these. */
	vtc__port_settle(f->from, false);
	if (!take(&s, m, f, max))
		return 0;
	note(&s, s.taken);
	return give_back(&s);
}

unsigned int vtc__move_drop(struct vtc__mover *m, struct vtc__flow *flow,
			    unsigned int packets, enum vtc__counter why)
{
	unsigned int n =
		flow->from->ops->take ? drop_taken(m, flow, packets) : bounce(m, flow);

	flow->sent = 0;
	if (n)
		vtc__count(flow->to, flow->to_queue, why, n);
	return n;
}
