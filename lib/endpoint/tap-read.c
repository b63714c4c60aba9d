/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packets from a tap: into the chains where they are to lie. Neither their number nor
 * their lengths are known before. So a batch of reads has one chain for each packet and a
 * slot behind it, in case that it is longer. What went into slots, or cannot stay where
 * it is because the chains in use must be the first ones, is copied once or twice; while
 * long packets come, they are read one by one instead, each into as many chains as the
 * longest may take.
 */
#include <errno.h>
#include <string.h>

#include "core/ctx.h"
#include "tap.h"
#include "vring/cursor.h"

#define HEAD_LEN     sizeof(((struct vtc__tap_slot *)0)->head)
#define TAIL_LEN     sizeof(((struct vtc__tap_slot *)0)->tail)
#define SEGMENTS_MAX 1023u /* of chains in one read: the kernel's limit, and the slot */
#define LEN_MIN	     ((int32_t)VTC__HDR_LEN + 14)
#define SMALL_ENOUGH 64u /* packets in a row that end the reading one by one */
#define RETRY_NS     200000u
#define STALL_NS     10000000u
#define DRAIN_MOST   4096u /* four times a tap's usual queue */

/* One call of produce(). */
struct out {
	struct vtc__tap_queue *q;
	const struct vtc_chain *chains;
	struct vtc_done *done;
	unsigned int count; /* chains */
	unsigned int used;  /* of them */
	unsigned int packets;
	uint64_t bytes;
	bool mergeable;
};

/* ---- Chains ---- */

static unsigned int segments_of(const struct vtc_chain *chain)
{
	return chain->writable < SEGMENTS_MAX ? chain->writable : SEGMENTS_MAX;
}

static const struct vtc_segment *first_of(const struct vtc_chain *chain)
{
	return chain->segments + chain->readable;
}

static uint32_t room_of(const struct vtc_chain *chain)
{
	if (chain->writable <= SEGMENTS_MAX)
		return chain->writable_bytes;
	return (uint32_t)vtc__segments_len(first_of(chain), SEGMENTS_MAX);
}

static struct vtc__cursor cursor_of(const struct vtc_chain *chain)
{
	return vtc__cursor(first_of(chain), segments_of(chain));
}

/* How many chains from the first unused one on a packet takes; 0: there are too few. */
static unsigned int chains_for(const struct out *out, uint32_t len)
{
	unsigned int most = out->mergeable ? out->count - out->used : 1;
	uint64_t room = 0;

	for (unsigned int i = 0; i < most && out->used + i < out->count; i++) {
		room += room_of(&out->chains[out->used + i]);
		if (room >= len)
			return i + 1;
	}
	return 0;
}

/* ---- Packets that are done ---- */

/* The kernel leaves the number of buffers as it was. */
static void put_buffers(const struct vtc_chain *chain, unsigned int count)
{
	uint8_t raw[2] = { (uint8_t)count, (uint8_t)(count >> 8) };
	const struct vtc_segment *first = first_of(chain);
	struct vtc_segment number = { raw, sizeof(raw) };
	struct vtc__cursor to = cursor_of(chain), from = vtc__cursor(&number, 1);

	if (chain->writable && first->len >= VTC__HDR_LEN) {
		memcpy((uint8_t *)first->base + VTC__HDR_LEN - sizeof(raw), raw,
		       sizeof(raw));
		return;
	}
	vtc__cursor_skip(&to, VTC__HDR_LEN - sizeof(raw));
	(void)vtc__cursor_copy(&to, &from, sizeof(raw));
}

/* The packet lies in the next count chains. */
static void deliver(struct out *out, unsigned int count, uint32_t len)
{
	uint32_t left = len;

	put_buffers(&out->chains[out->used], count);
	for (unsigned int i = out->used; i < out->used + count; i++) {
		uint32_t room = room_of(&out->chains[i]);
		uint32_t part = left < room ? left : room;

		out->done[i] = (struct vtc_done){ out->chains[i].id, part };
		left -= part;
	}
	out->used += count;
	out->packets++;
	out->bytes += len - VTC__HDR_LEN;
}

static void count_copy(struct vtc__tap_queue *q)
{
	vtc__count(&q->tap->port, q->index, VTC__COPIES, 1);
}

static void count_at_peer(struct vtc__tap_queue *q, enum vtc__counter what)
{
	struct vtc_port *peer = q->tap->port.peer;

	if (peer)
		vtc__count(peer,
			   q->index % (peer->ready ? peer->ready : peer->queue_pairs),
			   what, 1);
}

/* The packet was read, but does not go further. */
static void drop(struct vtc__tap_queue *q, uint32_t len, enum vtc__counter reason)
{
	struct vtc_port *port = &q->tap->port;

	vtc__count(port, q->index, VTC__RX_PACKETS, 1);
	vtc__count(port, q->index, VTC__RX_BYTES, len - VTC__HDR_LEN);
	count_at_peer(q, reason);
}

/* ---- Packets in slots ---- */

/* Copy what lies in the chains before the tail. */
static void hold(struct vtc__tap_queue *q, unsigned int slot,
		 const struct vtc_chain *chains, unsigned int count, uint32_t len)
{
	uint8_t *tail = q->slots[slot].tail;
	uint64_t room = 0;
	uint32_t head;

	for (unsigned int i = 0; i < count; i++)
		room += room_of(&chains[i]);
	head = room < len ? (uint32_t)room : len;
	if (head > HEAD_LEN || len - head > TAIL_LEN) {
		drop(q, len, VTC__TX_DROPPED_SIZE);
		return;
	}
	q->held[slot] = (struct vtc__tap_held){ tail - head, len };
	for (unsigned int i = 0; i < count && head; i++) {
		struct vtc__cursor from = cursor_of(&chains[i]);

		head -= (uint32_t)vtc__cursor_read(&from, tail - head, head);
	}
	if (q->first == q->end)
		q->first = slot;
	q->end = slot + 1;
	count_copy(q);
}

static void copy_out(struct out *out, const struct vtc__tap_held *held,
		     unsigned int count)
{
	struct vtc_segment packet = { held->packet, held->len };
	struct vtc__cursor from = vtc__cursor(&packet, 1);

	for (unsigned int i = out->used; i < out->used + count; i++) {
		struct vtc__cursor to = cursor_of(&out->chains[i]);

		(void)vtc__cursor_copy(&to, &from, room_of(&out->chains[i]));
	}
	count_copy(out->q);
	deliver(out, count, held->len);
}

/*
 * A packet that all chains of a call are too few for waits for more, though nobody will
 * tell when they come; at last it is dropped, as if there had been none.
 */
static bool is_stuck(struct vtc__tap_queue *q)
{
	struct vtc_port *port = &q->tap->port;
	uint64_t now = vtc__now_ns(port->ctx);

	if (!q->stuck)
		q->stuck_since = now;
	q->stuck = q->waiting = now - q->stuck_since < STALL_NS;
	if (q->waiting)
		vtc__loop_set_timer(port->loop, &q->timer, now + RETRY_NS);
	return q->waiting;
}

/* False: it stays, and so do all that came after it. */
static bool release(struct out *out, const struct vtc__tap_held *held)
{
	unsigned int count = chains_for(out, held->len);

	if (count) {
		copy_out(out, held, count);
		out->q->stuck = out->q->waiting = false;
		return true;
	}
	if (!out->mergeable && out->used < out->count) {
		drop(out->q, held->len, VTC__TX_DROPPED_SIZE);
		return true;
	}
	if (out->used || is_stuck(out->q))
		return false;
	drop(out->q, held->len, VTC__TX_DROPPED_ROOM);
	return true;
}

static void release_all(struct out *out)
{
	struct vtc__tap_queue *q = out->q;

	for (; q->first < q->end; q->first++) {
		struct vtc__tap_held *held = &q->held[q->first];

		if (held->len && !release(out, held))
			return;
		held->len = 0;
	}
}

static bool holds(const struct vtc__tap_queue *q)
{
	return q->first < q->end;
}

void vtc__tap_forget(struct vtc__tap_queue *q)
{
	for (; q->first < q->end; q->first++) {
		struct vtc__tap_held *held = &q->held[q->first];

		if (held->len)
			drop(q, held->len, VTC__TX_DROPPED_DOWN);
		held->len = 0;
	}
	q->stuck = q->waiting = false;
}

/* ---- Reading ---- */

/* What was read, or whether that was the last for now; 0: no packet. */
static uint32_t result_of(struct vtc__tap_queue *q, int32_t result)
{
	if (result >= LEN_MIN)
		return (uint32_t)result;
	if (result == -EAGAIN)
		q->empty = true;
	else if (result == -EBADFD)
		vtc__tap_broken(q->tap);
	else
		vtc__count(&q->tap->port, q->index, VTC__RX_DROPPED_BAD, 1);
	return 0;
}

/* Chains, and a slot behind them if the longest packet may need it: how many pieces. */
static unsigned int gather(struct out *out, unsigned int chain, unsigned int count,
			   unsigned int slot, struct iovec *iov)
{
	struct vtc__tap_slot *s = &out->q->slots[slot];
	unsigned int n = 0;
	uint64_t room = 0;

	for (unsigned int i = chain; i < chain + count; i++) {
		const struct vtc_segment *from = first_of(&out->chains[i]);

		for (unsigned int k = 0; k < segments_of(&out->chains[i]); k++)
			iov[n++] = (struct iovec){ from[k].base, from[k].len };
		room += room_of(&out->chains[i]);
	}
	if (room < VTC__PACKET_MAX)
		iov[n++] = (struct iovec){ s->tail, sizeof(s->tail) };
	return n;
}

/* ---- Many packets, one chain each ---- */

static void move(struct out *out, unsigned int chain, uint32_t len)
{
	struct vtc__cursor from = cursor_of(&out->chains[chain]);
	struct vtc__cursor to = cursor_of(&out->chains[out->used]);

	(void)vtc__cursor_copy(&to, &from, len);
	count_copy(out->q);
	deliver(out, 1, len);
}

/* A packet of this length was read to this chain, and to the slot if it is longer. */
static void settle(struct out *out, unsigned int chain, unsigned int slot, uint32_t len)
{
	bool fits = len <= room_of(&out->chains[chain]);

	if (!fits)
		out->q->large = true;
	if (!fits && !out->mergeable)
		drop(out->q, len, VTC__TX_DROPPED_SIZE);
	else if (!fits || holds(out->q) || room_of(&out->chains[out->used]) < len)
		hold(out->q, slot, &out->chains[chain], 1, len);
	else if (chain == out->used)
		deliver(out, 1, len);
	else
		move(out, chain, len);
}

static void read_batch(struct out *out, unsigned int count)
{
	struct vtc__tap *tap = out->q->tap;
	unsigned int base = out->used, pieces = 0;

	for (unsigned int i = 0; i < count; i++) {
		struct iovec *iov = tap->iov + pieces;
		unsigned int n = gather(out, base + i, 1, i, iov);

		tap->ios[i] = (struct vtc__io){ iov, n, 0 };
		pieces += n;
	}
	vtc__tap_transfer(out->q, VTC__IO_READ, count);
	for (unsigned int i = 0; i < count; i++) {
		uint32_t len = result_of(out->q, tap->ios[i].result);

		if (len)
			settle(out, base + i, i, len);
	}
	release_all(out);
}

/* ---- One packet, many chains ---- */

/* As many as the longest packet takes, if there are so many. */
static unsigned int plenty(const struct out *out, uint64_t *ret_room)
{
	unsigned int n = 0, pieces = 0;
	uint64_t room = 0;

	while (out->used + n < out->count && room < VTC__PACKET_MAX) {
		const struct vtc_chain *chain = &out->chains[out->used + n];

		pieces += segments_of(chain);
		if (n && pieces > SEGMENTS_MAX)
			break;
		room += room_of(chain);
		n++;
	}
	*ret_room = room;
	return n;
}

static void note_length(struct vtc__tap_queue *q, bool small)
{
	q->small = small ? (uint16_t)(q->small + 1) : 0;
	if (q->small < SMALL_ENOUGH)
		return;
	q->large = false;
	q->small = 0;
}

static void read_large(struct out *out, unsigned int chains, uint64_t room)
{
	struct vtc__tap *tap = out->q->tap;
	const struct vtc_chain *first = &out->chains[out->used];
	unsigned int n = gather(out, out->used, chains, 0, tap->iov);
	uint32_t len;

	tap->ios[0] = (struct vtc__io){ tap->iov, n, 0 };
	vtc__tap_transfer(out->q, VTC__IO_READ, 1);
	len = result_of(out->q, tap->ios[0].result);
	if (!len)
		return;
	note_length(out->q, len <= room_of(first));
	if (len <= room) {
		deliver(out, chains_for(out, len), len);
		return;
	}
	hold(out->q, 0, first, chains, len);
	release_all(out);
}

/* ---- The port's operation ---- */

static bool goes_on(const struct out *out)
{
	const struct vtc__tap_queue *q = out->q;

	return out->used < out->count && !q->empty && !holds(q) && q->tap->port.ready;
}

/* True: go on. False: the other chains may be too few for the next packet. */
static bool read_one_long(struct out *out)
{
	uint64_t room;
	unsigned int chains = plenty(out, &room);

	if (out->used && room < VTC__PACKET_MAX)
		return false;
	read_large(out, chains, room);
	return true;
}

/*
 * One that may find nothing, which is often so; then, the more came last time, the more
 * at once.
 */
static void read_many_short(struct out *out)
{
	struct vtc__tap_queue *q = out->q;
	unsigned int left = out->count - out->used, before = out->packets;
	bool first = !before;
	unsigned int n = first ? 1 : q->batch;

	read_batch(out, n < left ? n : left);
	if (q->empty)
		q->batch = (q->batch + out->packets - before + 1) / 2;
	else if (!first)
		q->batch = q->batch < VTC__TAP_READS / 2 ? 2 * q->batch : VTC__TAP_READS;
}

int vtc__tap_produce(struct vtc_port *port, unsigned int queue, struct vtc__burst *to,
		     unsigned int count, bool mergeable, unsigned int *ret_packets)
{
	struct vtc__tap_queue *q = &vtc__tap_of(port)->queues[queue];
	struct out out = { .q = q,
			   .chains = to->chains,
			   .done = to->done,
			   .count = count,
			   .mergeable = mergeable };

	release_all(&out);
	while (goes_on(&out)) {
		if (!q->large || !mergeable)
			read_many_short(&out);
		else if (!read_one_long(&out))
			break;
	}
	vtc__count(port, queue, VTC__RX_PACKETS, out.packets);
	vtc__count(port, queue, VTC__RX_BYTES, out.bytes);
	*ret_packets = out.packets;
	return (int)out.used;
}

/*
 * What is read is no packet any more, but its first bytes are enough to take it off the
 * queue. The bound is for a sender that goes on.
 */
void vtc__tap_drain(struct vtc__tap_queue *q)
{
	struct vtc_port *port = &q->tap->port;
	uint8_t head[VTC__HDR_LEN];
	struct iovec iov = { head, sizeof(head) };

	vtc__tap_forget(q);
	for (unsigned int i = 0; i < DRAIN_MOST; i++) {
		q->tap->ios[0] = (struct vtc__io){ &iov, 1, 0 };
		vtc__tap_transfer(q, VTC__IO_READ, 1);
		if (q->tap->ios[0].result < 0)
			return;
		vtc__count(port, q->index, VTC__RX_PACKETS, 1);
		count_at_peer(q, VTC__TX_DROPPED_DOWN);
	}
}
