/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A port without memory: see queueport.h. */
#include "queueport.h"

#include <stdlib.h>
#include <string.h>

#include "vtct.h"

struct entry {
	struct entry *next;
	size_t len;
	uint8_t bytes[];
};

struct list {
	struct entry *first, **end;
	unsigned int count;
};

struct queueport {
	struct vtc_port port;
	struct list in, out;
	unsigned int room;
	unsigned int peer_changes;
};

static void push(struct list *list, struct entry *e)
{
	e->next = NULL;
	*list->end = e;
	list->end = &e->next;
	list->count++;
}

static struct entry *pop(struct list *list)
{
	struct entry *e = list->first;

	if (!e)
		return NULL;
	list->first = e->next;
	if (!e->next)
		list->end = &list->first;
	list->count--;
	return e;
}

static struct entry *entry_new(size_t len)
{
	struct entry *e = vtct_alloc(sizeof(*e) + len);

	e->len = len;
	return e;
}

static struct queueport *queueport_of(const struct vtc_port *port)
{
	return VTC__OWNER(port, struct queueport, port);
}

/* One chain for each packet: what does not fit is not for this port to solve. */
static int produce(struct vtc_port *port, unsigned int queue, struct vtc__burst *to,
		   unsigned int count, bool mergeable, unsigned int *ret_packets)
{
	struct queueport *qp = queueport_of(port);
	unsigned int n = 0;

	(void)mergeable;
	for (; n < count && qp->in.first; n++) {
		struct entry *e = pop(&qp->in);
		const struct vtc_chain *chain = &to->chains[n];

		ck_assert_uint_le(e->len, chain->segments[chain->readable].len);
		memcpy(chain->segments[chain->readable].base, e->bytes, e->len);
		to->done[n] = (struct vtc_done){ chain->id, (uint32_t)e->len };
		vtc__count(port, queue, VTC__RX_PACKETS, 1);
		free(e);
	}
	*ret_packets = n;
	return (int)n;
}

static void keep(struct queueport *qp, const struct vtc_chain *chain)
{
	struct entry *e = entry_new(chain->readable_bytes);
	size_t at = 0;

	for (unsigned int i = 0; i < chain->readable; i++) {
		ck_assert_uint_le(at + chain->segments[i].len, e->len);
		memcpy(e->bytes + at, chain->segments[i].base, chain->segments[i].len);
		at += chain->segments[i].len;
	}
	ck_assert_uint_eq(at, e->len);
	push(&qp->out, e);
}

static unsigned int consume(struct vtc_port *port, unsigned int queue,
			    const struct vtc_chain *chains, unsigned int count)
{
	struct queueport *qp = queueport_of(port);
	unsigned int n = 0;

	for (; n < count && qp->room; n++, qp->room--)
		keep(qp, &chains[n]);
	vtc__count(port, queue, VTC__TX_PACKETS, n);
	return n;
}

static bool arm_take(struct vtc_port *port, unsigned int queue)
{
	(void)queue;
	return !queueport_of(port)->in.first;
}

static bool arm_reserve(struct vtc_port *port, unsigned int queue)
{
	(void)queue;
	return !queueport_of(port)->room;
}

static void peer_changed(struct vtc_port *port)
{
	queueport_of(port)->peer_changes++;
}

static void empty(struct list *list)
{
	for (struct entry *e; (e = pop(list));)
		free(e);
}

static void close_port(struct vtc_port *port)
{
	struct queueport *qp = queueport_of(port);

	empty(&qp->in);
	empty(&qp->out);
	vtc__port_fini(port);
	free(qp);
}

static const struct vtc__port_ops queueport_ops = {
	.kind = "queue of a test",
	.close = close_port,
	.peer_changed = peer_changed,
	.produce = produce,
	.consume = consume,
	.arm_take = arm_take,
	.arm_reserve = arm_reserve,
};

struct queueport *queueport_new(struct vtc_ctx *ctx, bool accepts_all)
{
	struct queueport *qp = vtct_alloc(sizeof(*qp));

	memset(qp, 0, sizeof(*qp));
	ck_assert_errno(vtc__port_init(&qp->port, ctx, &queueport_ops, 1), 0);
	qp->port.ready = 1;
	qp->port.accepts_all = accepts_all;
	qp->port.far_role = VTC_VRING_DEVICE;
	qp->in.end = &qp->in.first;
	qp->out.end = &qp->out.first;
	qp->room = ~0u;
	return qp;
}

struct vtc_port *queueport_port(struct queueport *qp)
{
	return &qp->port;
}

void queueport_free(struct queueport *qp)
{
	vtc_port_close(&qp->port);
}

void queueport_feed(struct queueport *qp, const uint8_t *bytes, size_t len)
{
	struct entry *e = entry_new(len);

	memcpy(e->bytes, bytes, len);
	push(&qp->in, e);
	vtc__port_kicked(&qp->port);
}

unsigned int queueport_left(const struct queueport *qp)
{
	return qp->in.count;
}

void queueport_set_room(struct queueport *qp, unsigned int room)
{
	qp->room = room;
	vtc__port_kicked(&qp->port);
}

long queueport_get(struct queueport *qp, uint8_t *bytes, size_t room)
{
	struct entry *e = pop(&qp->out);
	long len;

	if (!e)
		return -1;
	len = (long)e->len;
	ck_assert_uint_le(e->len, room);
	memcpy(bytes, e->bytes, e->len);
	free(e);
	return len;
}

unsigned int queueport_peer_changes(const struct queueport *qp)
{
	return qp->peer_changes;
}
