/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest: see guest.h. */
#include "guest.h"

#include <stdlib.h>
#include <string.h>

#include "vtct.h"

#define QUEUE_MASK (GUEST_CHAINS_MAX - 1)

static struct guest *guest_of(struct vtc_port *port)
{
	return (struct guest *)port;
}

/* ---- What it receives ---- */

static int guest_reserve(struct vtc_port *port, unsigned int queue,
			 struct vtc__burst *burst, unsigned int max)
{
	struct guest *g = guest_of(port);
	struct guest_queue *q = &g->queues[queue];
	unsigned int pieces = g->plan.pieces, n = q->end - q->first, at = 0;

	n = n < max ? n : max;
	for (unsigned int i = 0; i < n; i++, at += pieces) {
		unsigned int id = (q->first + i) & QUEUE_MASK;

		if (at + pieces > VTC__SEGMENTS_MAX)
			return (int)i;
		memcpy(&burst->segments[at], &q->segments[id * pieces],
		       pieces * sizeof(burst->segments[0]));
		burst->chains[i] =
			(struct vtc_chain){ .segments = &burst->segments[at],
					    .writable_bytes = (uint32_t)g->plan.room,
					    .writable = (uint16_t)pieces,
					    .id = id };
	}
	return (int)n;
}

static void append(struct guest_packet *p, const struct vtc_segment *segments, size_t len)
{
	p->bytes = vtct_realloc(p->bytes, p->len + len);
	for (; len; segments++) {
		size_t n = segments->len < len ? segments->len : len;

		memcpy(p->bytes + p->len, segments->base, n);
		p->len += n;
		len -= n;
	}
	p->buffers++;
}

static void guest_commit(struct vtc_port *port, unsigned int queue,
			 struct vtc__burst *burst, unsigned int taken, unsigned int used)
{
	struct guest *g = guest_of(port);
	struct guest_queue *q = &g->queues[queue];
	unsigned int more = 0;

	ck_assert_uint_le(used, taken);
	for (unsigned int i = 0; i < used; i++) {
		const struct vtc_chain *chain = &burst->chains[i];
		struct guest_packet *p;

		ck_assert_uint_eq(burst->done[i].id, (q->first + i) & QUEUE_MASK);
		ck_assert_uint_le(burst->done[i].len, chain->writable_bytes);
		if (!more) {
			ck_assert_uint_lt(q->received_count, GUEST_RECEIVED_MAX);
			q->received[q->received_count++] = (struct guest_packet){ 0 };
		}
		p = &q->received[q->received_count - 1];
		append(p, chain->segments, burst->done[i].len);
		if (!more) {
			ck_assert_uint_ge(p->len, VTC__HDR_LEN);
			more = p->bytes[10] + 256u * p->bytes[11];
			ck_assert_uint_ge(more, 1);
			ck_assert(more == 1 || g->plan.mergeable);
		}
		if (--more)
			ck_assert_uint_eq(burst->done[i].len, chain->writable_bytes);
	}
	ck_assert_uint_eq(more, 0);
	q->first += used;
	if (g->posts_again)
		q->end += used;
}

static bool guest_arm_reserve(struct vtc_port *port, unsigned int queue)
{
	const struct guest_queue *q = &guest_of(port)->queues[queue];

	return q->first == q->end;
}

void guest_post(struct guest *g, unsigned int queue, unsigned int buffers)
{
	struct guest_queue *q = &g->queues[queue];

	q->end += buffers;
	ck_assert_uint_le(q->end - q->first, GUEST_CHAINS_MAX);
	vtc__port_kicked(&g->port);
}

/* ---- What it sends ---- */

/* The header alone, and the rest in two. */
static int guest_take(struct vtc_port *port, unsigned int queue, struct vtc__burst *burst,
		      unsigned int max)
{
	struct guest_queue *q = &guest_of(port)->queues[queue];
	unsigned int n = q->to_send - q->sent;

	n = n < max ? n : max;
	for (unsigned int i = 0; i < n; i++) {
		struct guest_packet *p = &q->packets[q->sent + i];
		struct vtc_segment *s = &burst->segments[3 * i];
		size_t rest = p->len - VTC__HDR_LEN;

		s[0] = (struct vtc_segment){ p->bytes, VTC__HDR_LEN };
		s[1] = (struct vtc_segment){ p->bytes + VTC__HDR_LEN, rest / 2 };
		s[2] = (struct vtc_segment){ p->bytes + VTC__HDR_LEN + rest / 2,
					     rest - rest / 2 };
		burst->chains[i] = (struct vtc_chain){ .segments = s,
						       .readable_bytes = (uint32_t)p->len,
						       .readable = 3,
						       .id = i };
	}
	return (int)n;
}

static void guest_give_back(struct vtc_port *port, unsigned int queue,
			    struct vtc__burst *burst, unsigned int taken,
			    unsigned int used)
{
	(void)burst;
	ck_assert_uint_le(used, taken);
	guest_of(port)->queues[queue].sent += used;
}

static bool guest_arm_take(struct vtc_port *port, unsigned int queue)
{
	const struct guest_queue *q = &guest_of(port)->queues[queue];

	return q->sent == q->to_send;
}

void guest_send(struct guest *g, unsigned int queue, const uint8_t *header,
		const uint8_t *bytes, size_t len)
{
	struct guest_queue *q = &g->queues[queue];
	struct guest_packet *p = &q->packets[q->to_send++];

	ck_assert_uint_le(q->to_send, GUEST_SENT_MAX);
	p->len = VTC__HDR_LEN + len;
	p->bytes = vtct_alloc(p->len);
	memcpy(p->bytes, header, VTC__HDR_LEN);
	memcpy(p->bytes + VTC__HDR_LEN, bytes, len);
	vtc__port_kicked(&g->port);
}

/* ---- Life ---- */

static void free_queue(struct guest *g, struct guest_queue *q)
{
	for (unsigned int i = 0; i < GUEST_CHAINS_MAX * g->plan.pieces; i++)
		free(q->segments[i].base);
	free(q->segments);
	for (unsigned int i = 0; i < q->received_count; i++)
		free(q->received[i].bytes);
	for (unsigned int i = 0; i < q->to_send; i++)
		free(q->packets[i].bytes);
}

static void guest_close(struct vtc_port *port)
{
	struct guest *g = guest_of(port);

	for (unsigned int i = 0; i < port->queue_pairs; i++)
		free_queue(g, &g->queues[i]);
	vtc__port_fini(port);
	free(g);
}

static const struct vtc__port_ops guest_ops = {
	.kind = "guest",
	.close = guest_close,
	.take = guest_take,
	.give_back = guest_give_back,
	.reserve = guest_reserve,
	.commit = guest_commit,
	.arm_take = guest_arm_take,
	.arm_reserve = guest_arm_reserve,
};

static void make_buffers(const struct guest *g, struct guest_queue *q)
{
	unsigned int pieces = g->plan.pieces;
	size_t part = g->plan.room / pieces;

	q->segments = vtct_alloc(GUEST_CHAINS_MAX * pieces * sizeof(struct vtc_segment));
	for (unsigned int i = 0; i < GUEST_CHAINS_MAX * pieces; i++) {
		size_t len = part;

		if ((i + 1) % pieces == 0)
			len = g->plan.room - (pieces - 1) * part;
		q->segments[i] = (struct vtc_segment){ vtct_alloc(len), len };
		memset(q->segments[i].base, 0xee, len);
	}
}

struct guest *guest_new(struct vtc_ctx *ctx, const struct guest_plan *plan)
{
	struct guest *g = vtct_alloc(sizeof(*g));

	memset(g, 0, sizeof(*g));
	ck_assert_errno(vtc__port_init(&g->port, ctx, &guest_ops, plan->queue_pairs), 0);
	g->plan = *plan;
	if (!g->plan.pieces)
		g->plan.pieces = 1;
	for (unsigned int i = 0; i < plan->queue_pairs; i++)
		make_buffers(g, &g->queues[i]);
	g->port.far_role = VTC_VRING_DRIVER;
	g->port.mergeable = plan->mergeable;
	g->port.accepts[0] = plan->accepts;
	g->port.ready = plan->queue_pairs;
	return g;
}

void guest_accept(struct guest *g, uint64_t accepts)
{
	g->port.accepts[0] = accepts;
	vtc__port_changed(&g->port);
}

uint64_t guest_count(const struct vtc_port *port, unsigned int queue,
		     enum vtc__counter what)
{
	return atomic_load(&port->counters[queue].value[what]);
}
