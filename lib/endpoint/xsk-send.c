/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packets that go: the relay writes them to free frames, header first, and the kernel is
 * given what is behind the header. Frames come back when somebody looks for them.
 */
#include <errno.h>

#include "core/ctx.h"
#include "xsk-place.h"

/*
 * The packet then begins at a good place for copies; but not all at the same place in
 * their frames, as these would be in the same few lines of the cache.
 */
#define HEADER_AT 4u
#define COLOURS	  16u
#define LINE	  64u
#define ROOM	  (VTC__FRAME_SIZE - HEADER_AT - (COLOURS - 1) * LINE)

/* Nobody tells that sent frames came back, or that the kernel has room again. */
#define RETRY_NS 200000u

/* The kernel sends some 32 packets at a time. */
#define KICKS_MAX 128
#define BUSY_MAX  3

#define SEND_MS 20

#define LEN_MIN 14u /* of a packet */
#define TAG_LEN 4u

static uint32_t header_at(uint32_t frame)
{
	return HEADER_AT + frame % COLOURS * LINE;
}

/* Packets of a queue keep their order: while there is a place, all go there. */
static struct vtc__xsk_socket *socket_of(struct vtc__xsk *x, unsigned int queue)
{
	struct vtc__xsk_socket *place = vtc__xsk_place_socket(x);

	return vtc__unlikely(place) ? place : &x->sockets[queue % x->count];
}

/* The queue pair that system calls are counted for. */
static unsigned int queue_of(const struct vtc__xsk_socket *s)
{
	return s->index % s->xsk->port.queue_pairs;
}

/* ---- The kernel ---- */

static void retry_later(struct vtc__xsk_socket *s)
{
	struct vtc_port *port = &s->xsk->port;

	if (port->loop && port->ready && !s->timer.set)
		vtc__loop_set_timer(port->loop, &s->timer,
				    vtc__now_ns(port->ctx) + RETRY_NS);
}

/* True: once more, there is a point in it. */
static bool push(struct vtc__xsk_socket *s, int *busy)
{
	uint32_t before = vtc__ring_unread(&s->tx);
	int err;

	if (!before || !vtc__ring_wants_wakeup(&s->tx))
		return false;
	err = vtc__xsk_socket_send(s->sender);
	vtc__count(&s->xsk->port, queue_of(s), VTC__SYS_CALLS, 1);
	if (err == -ENXIO || err == -ENETDOWN)
		vtc__xsk_heard(s->xsk, err);
	if (err != -EAGAIN && err != -EBUSY)
		return false;
	return vtc__ring_unread(&s->tx) != before || ++*busy < BUSY_MAX;
}

void vtc__xsk_kick(struct vtc__xsk_socket *s)
{
	int busy = 0;

	for (int i = 0; i < KICKS_MAX && push(s, &busy); i++)
		;
	if (vtc__ring_wants_wakeup(&s->tx) && vtc__ring_unread(&s->tx))
		retry_later(s);
}

/* ---- Room ---- */

/* How many packets can be sent now, up to most: places in the ring, and frames. */
static uint32_t room_of(struct vtc__xsk_socket *s, uint32_t most)
{
	uint32_t n = vtc__ring_room(&s->tx, most);

	return vtc__umem_room(s->umem, &s->user, n < most ? n : most);
}

int vtc__xsk_reserve(struct vtc_port *port, unsigned int queue, struct vtc__burst *burst,
		     unsigned int max)
{
	struct vtc__xsk_socket *s = socket_of(vtc__xsk_of(port), queue);
	struct vtc__umem *u = s->umem;
	uint32_t n;

	s->user.weight = port->rate.weight ? port->rate.weight : 1;
	/* What came back last is the first to be used: it is in the cache. */
	vtc__umem_reap(u);
	n = room_of(s, max);
	if (n < max) {
		vtc__xsk_kick(s);
		vtc__umem_reap(u);
		n = room_of(s, max);
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t frame = vtc__umem_send(u, &s->user);

		burst->segments[i] = (struct vtc_segment){
			vtc__umem_frame(u, frame) + header_at(frame), ROOM
		};
		burst->chains[i] = (struct vtc_chain){ .segments = &burst->segments[i],
						       .writable_bytes = ROOM,
						       .writable = 1,
						       .id = frame };
	}
	return (int)n;
}

bool vtc__xsk_arm_reserve(struct vtc_port *port, unsigned int queue)
{
	struct vtc__xsk_socket *s = socket_of(vtc__xsk_of(port), queue);

	vtc__xsk_kick(s);
	vtc__umem_reap(s->umem);
	if (!room_of(s, 1)) {
		retry_later(s);
		return true;
	}
	return false;
}

/* ---- What was written ---- */

/* A tag may come on top; what is longer drivers drop, or are upset by. */
void vtc__xsk_set_mtu(struct vtc__xsk *x, uint32_t mtu)
{
	uint32_t most =
		(x->port.mergeable ? VTC__XSK_FRAMES_MAX : 1) * ROOM - VTC__HDR_LEN;
	uint64_t len = (uint64_t)mtu + LEN_MIN + TAG_LEN;

	x->port.len_max = len < most ? (uint32_t)len : most;
}

/* How many frames a packet is in, as its header says. */
static unsigned int buffers_of(const struct vtc__burst *burst, unsigned int i,
			       unsigned int used)
{
	const uint8_t *header = burst->chains[i].segments->base;
	unsigned int n = header[VTC__HDR_LEN - 2] | (unsigned int)header[VTC__HDR_LEN - 1]
							    << 8;

	n = n ? n : 1;
	return n < used - i ? n : used - i;
}

/* False: no packet, or not one that goes to a wire. */
static bool is_sound(const struct vtc__burst *burst, unsigned int first,
		     unsigned int count)
{
	if (burst->done[first].len < VTC__HDR_LEN + LEN_MIN)
		return false;
	for (unsigned int i = first; i < first + count; i++) {
		if (!burst->done[i].len || burst->done[i].len > ROOM)
			return false;
	}
	return true;
}

static void put_packet(struct vtc__xsk_socket *s, const struct vtc__burst *burst,
		       unsigned int first, unsigned int count, uint32_t at)
{
	for (unsigned int i = 0; i < count; i++) {
		uint32_t frame = burst->chains[first + i].id, skip = i ? 0 : VTC__HDR_LEN;

		*vtc__ring_packet(&s->tx, at + i) =
			(struct vtc__xsk_slot){ ((uint64_t)frame << VTC__FRAME_SHIFT) +
							header_at(frame) + skip,
						burst->done[first + i].len - skip,
						i + 1 < count ? VTC__XSK_MORE : 0 };
	}
}

static void unsend(struct vtc__umem *u, const struct vtc__burst *burst,
		   unsigned int first, unsigned int end)
{
	for (unsigned int i = first; i < end; i++)
		vtc__umem_unsend(u, burst->chains[i].id);
}

void vtc__xsk_commit(struct vtc_port *port, unsigned int queue, struct vtc__burst *burst,
		     unsigned int taken, unsigned int used)
{
	struct vtc__xsk_socket *s = socket_of(vtc__xsk_of(port), queue);
	uint64_t bytes = 0;
	uint32_t count = 0;

	for (unsigned int i = 0, n; i < used; i += n) {
		bytes += burst->done[i].len;
		n = port->mergeable ? buffers_of(burst, i, used) : 1;
		if (vtc__likely(is_sound(burst, i, n))) {
			put_packet(s, burst, i, n, s->tx.own + count);
			count += n;
		} else {
			unsend(s->umem, burst, i, i + n);
			vtc__count(port, queue, VTC__TX_DROPPED_ERROR, 1);
		}
	}
	unsend(s->umem, burst, used, taken);
	if (!count)
		return;
	vtc__umem_note(&s->user, used, bytes);
	vtc__ring_submit(&s->tx, count);
	vtc__count(port, queue,
		   vtc__ring_wants_wakeup(&s->tx) ? VTC__NOTIFICATIONS_SENT
						  : VTC__NOTIFICATIONS_SUPPRESSED,
		   1);
	vtc__xsk_kick(s);
}

/*
 * Without copy the driver is at the ring by itself: what it has not sent in this time it
 * may still send, so the frames are not used again as long as there is the area.
 */
static void let_send(struct vtc__xsk_socket *s)
{
	struct vtc_ctx *ctx = s->xsk->port.ctx;

	for (int i = 0; i < SEND_MS && s->user.sent; i++) {
		vtc__xsk_kick(s);
		vtc__umem_reap(s->umem);
		if (s->user.sent)
			vtc__sleep_ms(ctx, 1);
	}
}

void vtc__xsk_unsend(struct vtc__xsk_socket *s)
{
	if (s->umem->base.zerocopy) {
		let_send(s);
		return;
	}
	for (uint32_t n = vtc__ring_unread(&s->tx); n && n <= s->tx.mask + 1; n--) {
		uint64_t addr = vtc__ring_packet(&s->tx, s->tx.own - n)->addr;

		if (vtc__umem_is(s->umem, addr, VTC__FRAME_SENT))
			vtc__umem_unsend(s->umem, (uint32_t)(addr >> VTC__FRAME_SHIFT));
	}
}
