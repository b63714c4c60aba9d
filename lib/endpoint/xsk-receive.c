/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packets that come: from the sockets' rings to the queue pairs' lists, from there lent
 * to the relay where they lie, and their frames back to the kernel.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plain.h"
#include "xsk-port.h"

#define FIFO_MIN 1024u

/* ---- Lists ---- */

int vtc__xsk_make_fifos(struct vtc__xsk *x, uint32_t frame_count)
{
	uint32_t size = frame_count > FIFO_MIN ? frame_count : FIFO_MIN;

	for (unsigned int i = 0; i < x->port.queue_pairs; i++) {
		struct vtc__xsk_fifo *f = &x->fifos[i];

		f->mask = size - 1;
		f->pieces = malloc(size * sizeof(f->pieces[0]));
		if (!f->pieces)
			return -ENOMEM;
	}
	return 0;
}

void vtc__xsk_free_fifos(struct vtc__xsk *x)
{
	for (unsigned int i = 0; x->fifos && i < x->port.queue_pairs; i++)
		free(x->fifos[i].pieces);
	free(x->fifos);
}

VTC__ALWAYS struct vtc__xsk_piece *piece_at(const struct vtc__xsk_fifo *f, uint32_t at)
{
	return &f->pieces[at & f->mask];
}

VTC__ALWAYS uint32_t filled(const struct vtc__xsk_fifo *f)
{
	return f->end - f->first;
}

/* ---- Out of the ring ---- */

/*
 * Is it a frame that the kernel may give us? If so it is ours from now on, and cannot be
 * given again.
 */
VTC__ALWAYS bool hold(struct vtc__umem *u, const struct vtc__xsk_slot *slot)
{
	uint32_t at = slot->addr & (VTC__FRAME_SIZE - 1);

	if (vtc__unlikely(!vtc__umem_is(u, slot->addr, VTC__FRAME_FILL)))
		return false;
	u->state[slot->addr >> VTC__FRAME_SHIFT] = VTC__FRAME_HELD;
	if (vtc__likely(slot->len) && vtc__likely(slot->len <= VTC__FRAME_SIZE - at))
		return true;
	vtc__umem_drop(u, (uint32_t)(slot->addr >> VTC__FRAME_SHIFT));
	return false;
}

/* How many slots a packet has; 0: its end is not there yet. */
static uint32_t slots_of(const struct vtc__xsk_ring *rx, uint32_t at, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (!(vtc__ring_packet(rx, at + i)->options & VTC__XSK_MORE))
			return i + 1;
	}
	/* It never comes. */
	return count > rx->mask ? count : 0;
}

/* All its frames, or what of them are ours, back. */
static void refuse(struct vtc__umem *u, const struct vtc__xsk_ring *rx, uint32_t at,
		   uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint64_t addr = vtc__ring_packet(rx, at + i)->addr;

		if (vtc__umem_is(u, addr, VTC__FRAME_FILL))
			vtc__umem_drop(u, (uint32_t)(addr >> VTC__FRAME_SHIFT));
	}
}

/* What went into the list of a packet whose next piece is bad. */
static void take_out(struct vtc__umem *u, struct vtc__xsk_fifo *f, uint32_t end)
{
	while (f->end != end)
		vtc__umem_drop(u, vtc__umem_number(u, piece_at(f, --f->end)->data));
}

static bool put_in(struct vtc__xsk_socket *s, struct vtc__xsk_fifo *f, uint32_t at,
		   uint32_t count)
{
	struct vtc__umem *u = s->umem;
	uint32_t end = f->end;

	for (uint32_t i = 0; i < count; i++) {
		const struct vtc__xsk_slot slot = *vtc__ring_packet(&s->rx, at + i);

		if (vtc__unlikely(!hold(u, &slot))) {
			take_out(u, f, end);
			refuse(u, &s->rx, at + i + 1, count - i - 1);
			return false;
		}
		*piece_at(f, f->end++) =
			(struct vtc__xsk_piece){ u->base.area + slot.addr, slot.len,
						 (uint16_t)s->index,
						 (uint16_t)(i + 1 < count) };
		__builtin_prefetch(u->base.area + slot.addr);
	}
	return true;
}

/* The list that a packet goes to; a bad one to any, where it will be found to be so. */
static struct vtc__xsk_fifo *list_of(const struct vtc__xsk_socket *s, uint32_t at)
{
	const struct vtc__xsk_slot slot = *vtc__ring_packet(&s->rx, at);
	struct vtc__xsk *x = s->xsk;
	uint32_t in = slot.addr & (VTC__FRAME_SIZE - 1);

	if (!x->spread)
		return &x->fifos[s->index % x->port.queue_pairs];
	if (!vtc__umem_is(s->umem, slot.addr, VTC__FRAME_FILL) ||
	    slot.len > VTC__FRAME_SIZE - in)
		return &x->fifos[0];
	return &x->fifos[vtc__xsk_spread(s->umem->base.area + slot.addr, slot.len,
					 x->port.queue_pairs)];
}

/* Of a socket, up to so many slots. */
static void pull(struct vtc__xsk_socket *s, const struct vtc__xsk_fifo *wanted,
		 uint32_t max)
{
	uint32_t n = vtc__ring_filled(&s->rx, max + VTC__XSK_PIECES);
	uint32_t used = 0, count, bad = 0;

	while (used < n && used < max) {
		uint32_t at = s->rx.own + used;
		struct vtc__xsk_fifo *f = list_of(s, at);

		count = slots_of(&s->rx, at, n - used);
		if (!count || filled(f) + count > f->mask + 1)
			break;
		if (f != wanted && !filled(f))
			vtc__port_kicked(&s->xsk->port);
		if (vtc__likely(count <= VTC__XSK_PIECES)) {
			bad += !put_in(s, f, at, count);
		} else {
			refuse(s->umem, &s->rx, at, count);
			bad++;
		}
		used += count;
	}
	if (used)
		vtc__ring_release(&s->rx, used);
	if (vtc__unlikely(bad))
		vtc__count(&s->xsk->port, s->index % s->xsk->port.queue_pairs,
			   VTC__RX_DROPPED_BAD, bad);
}

/* The sockets that packets of a queue pair may come from. */
static unsigned int first_of(const struct vtc__xsk *x, unsigned int queue)
{
	return x->spread ? 0 : queue;
}

static unsigned int step_of(const struct vtc__xsk *x)
{
	return x->spread ? 1 : x->port.queue_pairs;
}

static void pull_all(struct vtc__xsk *x, unsigned int queue, uint32_t max)
{
	for (unsigned int i = first_of(x, queue); i < x->count; i += step_of(x))
		pull(&x->sockets[i], &x->fifos[queue], max);
}

/* ---- To the relay ---- */

static unsigned int take_group(struct vtc__xsk *x, struct vtc__burst *burst,
			       unsigned int max)
{
	unsigned int n = vtc__xsk_group_take(x->group, burst->segments, max);

	for (unsigned int i = 0; i < n; i++) {
		burst->chains[i] =
			(struct vtc_chain){ .segments = &burst->segments[i],
					    .readable_bytes =
						    (uint32_t)burst->segments[i].len,
					    .readable = 1 };
	}
	return n;
}

/*
 * One packet; how many segments, 0: there is none, or no room for it. The header lies
 * elsewhere: what the kernel wrote is only read, so it need not fetch it back to write
 * the next one there.
 */
VTC__ALWAYS uint32_t lend(const struct vtc__xsk_fifo *f, uint32_t at,
			  struct vtc_chain *chain, struct vtc_segment *to, uint32_t room)
{
	static const uint8_t header[VTC__HDR_LEN];
	const struct vtc__xsk_piece *p;
	uint32_t n = 1, bytes = VTC__HDR_LEN;

	if (at == f->end)
		return 0;
	to[0] = (struct vtc_segment){ (void *)(uintptr_t)header, VTC__HDR_LEN };
	do {
		if (vtc__unlikely(n == room))
			return 0;
		p = piece_at(f, at + n - 1);
		to[n++] = (struct vtc_segment){ p->data, p->len };
		bytes += p->len;
	} while (vtc__unlikely(p->more));
	*chain = (struct vtc_chain){ .segments = to,
				     .readable_bytes = bytes,
				     .readable = (uint16_t)n };
	return n;
}

int vtc__xsk_take(struct vtc_port *port, unsigned int queue, struct vtc__burst *burst,
		  unsigned int max)
{
	struct vtc__xsk *x = vtc__xsk_of(port);
	struct vtc__xsk_fifo *f = &x->fifos[queue];
	unsigned int n = 0;
	uint32_t at = f->first, segments, count;

	if (x->group && !queue)
		n = take_group(x, burst, max);
	x->group_taken = n;
	if (filled(f) < max)
		pull_all(x, queue, max);
	for (segments = n; n < max && segments < VTC__SEGMENTS_MAX; n++) {
		count = lend(f, at, &burst->chains[n], burst->segments + segments,
			     VTC__SEGMENTS_MAX - segments);
		if (!count)
			break;
		at += count - 1;
		segments += count;
	}
	return (int)n;
}

static void refill(struct vtc__xsk *x, unsigned int queue)
{
	for (unsigned int i = first_of(x, queue); i < x->count; i += step_of(x)) {
		struct vtc__xsk_socket *s = &x->sockets[i];

		if (s->umem->rx_count < s->umem->rx_most)
			vtc__umem_refill(s->umem);
		if (vtc__unlikely(vtc__ring_wants_wakeup(&s->umem->base.fill))) {
			(void)vtc__xsk_socket_fill(s->watch.fd);
			vtc__count(&x->port, queue, VTC__SYS_CALLS, 1);
		}
	}
}

static void forget(struct vtc__xsk *x, struct vtc__xsk_fifo *f, uint32_t end)
{
	while (f->first != end) {
		const struct vtc__xsk_piece *p = piece_at(f, f->first++);
		struct vtc__umem *u = x->sockets[p->socket].umem;

		vtc__umem_drop(u, vtc__umem_number(u, p->data));
	}
}

void vtc__xsk_give_back(struct vtc_port *port, unsigned int queue,
			struct vtc__burst *burst, unsigned int taken, unsigned int used)
{
	struct vtc__xsk *x = vtc__xsk_of(port);
	unsigned int of_group = queue ? 0 : x->group_taken;
	uint32_t end = x->fifos[queue].first;

	(void)taken;
	of_group = of_group < used ? of_group : used;
	if (of_group)
		vtc__xsk_group_drop(x->group, of_group);
	for (unsigned int i = of_group; i < used; i++)
		end += burst->chains[i].readable - 1u;
	forget(x, &x->fifos[queue], end);
	refill(x, queue);
}

/* Frames of a socket that may wait, of those that it has together with others. */
static uint32_t waiting_max(const struct vtc__xsk *x, const struct vtc__xsk_socket *s)
{
	uint32_t most = s->umem->rx_most;

	/* One part is nobody's, so that there always are some to receive in. */
	if (s->umem->refs > 1 || x->spread)
		most /= s->umem->refs + 1;
	return x->spread ? most / x->port.queue_pairs : most;
}

unsigned int vtc__xsk_excess(struct vtc_port *port, unsigned int queue)
{
	struct vtc__xsk *x = vtc__xsk_of(port);
	struct vtc__xsk_fifo *f = &x->fifos[queue];
	bool shared = x->spread;
	uint32_t most = 0;

	for (unsigned int i = first_of(x, queue); i < x->count; i += step_of(x)) {
		shared = shared || x->sockets[i].umem->refs > 1;
		most += waiting_max(x, &x->sockets[i]);
	}
	if (!shared)
		return 0;
	/* What is still in rings waits, too. */
	pull_all(x, queue, f->mask + 1);
	return filled(f) > most ? filled(f) - most : 0;
}

bool vtc__xsk_arm_take(struct vtc_port *port, unsigned int queue)
{
	struct vtc__xsk *x = vtc__xsk_of(port);

	refill(x, queue);
	pull_all(x, queue, 1);
	return !filled(&x->fifos[queue]) &&
	       (queue || !x->group || vtc__xsk_group_is_empty(x->group));
}

void vtc__xsk_drain(struct vtc__xsk *x)
{
	for (unsigned int i = 0; i < x->port.queue_pairs; i++)
		forget(x, &x->fifos[i], x->fifos[i].end);
	for (unsigned int i = 0; i < x->count; i++) {
		struct vtc__xsk_socket *s = &x->sockets[i];
		uint32_t n = vtc__ring_filled(&s->rx, s->rx.mask + 1);

		refuse(s->umem, &s->rx, s->rx.own, n);
		vtc__ring_release(&s->rx, n);
		vtc__umem_refill(s->umem);
		/* Others may have waited for just these. */
		if (vtc__ring_wants_wakeup(&s->umem->base.fill))
			(void)vtc__xsk_socket_fill(s->watch.fd);
	}
}
