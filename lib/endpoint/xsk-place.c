/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packets that are sent where they lie: see xsk-place.h. */
#include "xsk-place.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <stdlib.h>
#include <string.h>

#include "core/ctx.h"
#include "xsk-range.h"

/* Shorter ones are copied sooner than looked after. */
#define SMALL 256u

/* Of one packet: the kernel puts one piece in a buffer's head, 17 behind it. */
#define PIECES_MAX 16u

/* In flight where they lie: chains of a queue, and pieces of all. */
#define PLACED_MAX   128u
#define PLACED_SHARE 4u /* one of so many that the ring has */
#define PIECES	     512u

/* Chains that are held, of a queue. */
#define HELD 1024u

#define LEN_MIN 14u /* of a packet */

/* When to look for what was sent: nobody tells. */
#define LOOK_NS 200000u

/*
 * Who takes no packets must not keep the guest's: after this time they are taken from it,
 * and for a while all are copied.
 */
#define STALL_NS (10 * VTC__NS_PER_MS)
#define PAUSE_NS (1000 * VTC__NS_PER_MS)

#define SETTLE_MS 10

/* A socket that was closed lets go of its queue some time later. */
#define BUSY_NS	   (10 * VTC__NS_PER_MS)
#define BUSY_TRIES 100
#define BUSY_MS	   2

/* A piece in flight, of the chain at this position of the queue's list. */
struct piece {
	uint64_t addr;
	uint32_t at;
	uint16_t queue;
	bool busy;
};

struct held_chain {
	uint32_t id;
	uint32_t left; /* pieces in flight */
};

/* Chains of a queue of the far side, in the order of its ring. */
struct held {
	uint32_t first, end;
	uint32_t placed; /* of them, with pieces in flight */
	struct held_chain chain[HELD];
};

struct vtc__xsk_place {
	struct vtc__xsk_socket socket; /* umem is NULL: there is none, or not yet */
	struct vtc__umem *umem;	       /* that of the socket, once it is on the queue */
	struct vtc__xsk_plan plan;
	uint32_t ring_size;
	struct vtc__xsk_range range;
	const struct vtc_mem *mem; /* that the range is of */
	uint64_t epoch;
	uint64_t pause_until_ns;
	uint64_t since_ns;    /* from then on the oldest piece is in flight */
	uint32_t since_first; /* which that was */

	uint32_t most; /* chains to place, of the burst's queue */
	uint64_t packets, bytes, copies;

	uint32_t first, end;
	struct piece pieces[PIECES];
	struct held *held[VTC_PORT_QUEUE_PAIRS_MAX];
};

static struct vtc__xsk_place *place_of(struct vtc_port *port)
{
	return vtc__xsk_of(port)->place;
}

static struct vtc_port *port_of(const struct vtc__xsk_place *p)
{
	return &p->socket.xsk->port;
}

static bool is_open(const struct vtc__xsk_place *p)
{
	return p->socket.umem;
}

struct vtc__xsk_socket *vtc__xsk_place_socket(struct vtc__xsk *x)
{
	return x->place && is_open(x->place) ? &x->place->socket : NULL;
}

VTC__ALWAYS struct held_chain *chain_at(struct held *h, uint32_t at)
{
	return &h->chain[at % HELD];
}

VTC__ALWAYS struct piece *piece_at(struct vtc__xsk_place *p, uint32_t at)
{
	return &p->pieces[at % PIECES];
}

/* ---- What was sent ---- */

static void piece_done(struct vtc__xsk_place *p, struct piece *piece)
{
	struct held *h = p->held[piece->queue];

	piece->busy = false;
	if (!--chain_at(h, piece->at)->left)
		h->placed--;
}

static void skip_done(struct vtc__xsk_place *p)
{
	while (p->first != p->end && !piece_at(p, p->first)->busy)
		p->first++;
}

/*
 * The kernel names one of ours, mostly the oldest; anything else is not believed. Some
 * kernels (6.17) use the lowest bit of the address for themselves and clear it.
 */
static void on_sent(struct vtc__umem *umem, uint64_t addr)
{
	struct vtc__xsk_place *p = umem->sent_data;

	for (uint32_t i = p->first; i != p->end; i++) {
		struct piece *piece = piece_at(p, i);

		if (!piece->busy || (piece->addr | 1) != (addr | 1))
			continue;
		piece_done(p, piece);
		skip_done(p);
		return;
	}
}

/* Give back the oldest chains of which nothing is in flight. */
static void release(struct vtc__xsk_place *p, unsigned int queue)
{
	struct vtc_port *peer = port_of(p)->peer;
	struct held *h = p->held[queue];
	struct vtc_done done[64];
	unsigned int n;

	do {
		for (n = 0; n < 64 && h->first != h->end; n++) {
			const struct held_chain *c = chain_at(h, h->first);

			if (c->left)
				break;
			done[n] = (struct vtc_done){ c->id, 0 };
			h->first++;
		}
		if (n && peer)
			peer->ops->release(peer, queue, done, n);
	} while (n == 64);
}

static void release_all(struct vtc__xsk_place *p)
{
	for (unsigned int i = 0; i < VTC_PORT_QUEUE_PAIRS_MAX; i++) {
		if (p->held[i])
			release(p, i);
	}
}

static void watch_over(struct vtc__xsk_place *p)
{
	struct vtc_port *port = port_of(p);

	if (port->loop && p->first != p->end && !p->socket.timer.set)
		vtc__loop_set_timer(port->loop, &p->socket.timer,
				    vtc__now_ns(port->ctx) + LOOK_NS);
}

/* ---- The socket ---- */

/* What is in flight now never comes back. */
static void give_up(struct vtc__xsk_place *p)
{
	for (; p->first != p->end; p->first++) {
		struct piece *piece = piece_at(p, p->first);

		if (piece->busy)
			piece_done(p, piece);
	}
}

/* What the kernel has not looked at goes with the socket. */
static void count_lost(struct vtc__xsk_place *p)
{
	struct vtc__xsk_ring *tx = &p->socket.tx;
	uint32_t unread = vtc__ring_unread(tx);
	uint64_t packets = 0;

	if (!unread || unread > tx->mask + 1)
		return;
	for (uint32_t i = 0; i < unread; i++) {
		const struct vtc__xsk_slot *slot = vtc__ring_packet(tx, tx->own - 1 - i);

		packets += !(slot->options & VTC__XSK_MORE);
	}
	vtc__count(port_of(p), 0, VTC__TX_DROPPED_ROOM, packets);
}

static void close_socket(struct vtc__xsk_place *p)
{
	struct vtc__xsk_socket *s = &p->socket;

	if (!p->umem)
		return;
	if (is_open(p))
		count_lost(p);
	if (port_of(p)->loop)
		vtc__loop_stop_timer(port_of(p)->loop, &s->timer);
	vtc__xsk_ring_close(&s->tx);
	vtc__xsk_base_close(&p->umem->base);
	vtc__umem_free_alone(p->umem);
	p->umem = s->umem = NULL;
	vtc__xsk_range_close(&p->range);
	p->mem = NULL;
	give_up(p);
}

/* The memory is what vrings see; a range of its own is what the kernel sees. */
static int open_socket(struct vtc__xsk_place *p, const struct vtc_mem *mem)
{
	struct vtc__xsk_lent lent = { .ring_size = p->ring_size };
	struct vtc__umem *u;
	int err = vtc__xsk_range_open(&p->range, mem,
				      (size_t)p->plan.frame_count << VTC__FRAME_SHIFT);

	if (err)
		return err;
	lent.area = p->range.own;
	lent.len = p->range.len;
	u = vtc__umem_new_alone(&p->plan);
	err = u ? vtc__xsk_base_open_lent(&p->plan, &lent, &u->base, &p->socket.tx)
		: -ENOMEM;
	if (err) {
		vtc__umem_free_alone(u);
		vtc__xsk_range_close(&p->range);
		return err;
	}
	vtc__umem_join(u, &p->socket.user);
	u->sent = on_sent;
	u->sent_data = p;
	p->umem = u;
	p->mem = mem;
	p->epoch = mem ? atomic_load(&mem->epoch) : 0;
	return 0;
}

static int bind_socket(struct vtc__xsk_place *p)
{
	int err = vtc__xsk_base_bind(port_of(p)->ctx, &p->plan, &p->umem->base);

	if (err)
		return err;
	p->socket.umem = p->umem;
	p->socket.sender = p->umem->base.fd;
	p->since_ns = 0;
	return 0;
}

/* Nothing that was sent before by another socket may come after what is sent by this. */
static bool is_drained(struct vtc__xsk *x)
{
	for (unsigned int i = 0; i < x->count; i++) {
		if (!vtc__ring_unread(&x->sockets[i].tx))
			continue;
		vtc__xsk_kick(&x->sockets[i]);
		if (vtc__ring_unread(&x->sockets[i].tx))
			return false;
	}
	return true;
}

static bool is_of(const struct vtc__xsk_place *p, const struct vtc_mem *mem)
{
	return p->umem && p->mem == mem && p->epoch == atomic_load(&mem->epoch);
}

/* What is tried again soon is not the part that takes its time. */
static int try_open(struct vtc__xsk_place *p, const struct vtc_mem *mem)
{
	uint64_t now = vtc__now_ns(port_of(p)->ctx);
	int err = 0;

	if (now < p->pause_until_ns || !is_drained(p->socket.xsk))
		return -EAGAIN;
	if (!is_of(p, mem)) {
		close_socket(p);
		err = open_socket(p, mem);
	}
	if (!err)
		err = bind_socket(p);
	if (!err)
		return 0;
	if (err != -EBUSY)
		close_socket(p);
	p->pause_until_ns = now + (err == -EBUSY ? BUSY_NS : PAUSE_NS);
	return err;
}

/* ---- To an end ---- */

static bool is_under_way(struct vtc__xsk_place *p, bool all)
{
	vtc__umem_reap(p->socket.umem);
	return p->first != p->end || (all && vtc__ring_unread(&p->socket.tx));
}

/* True: all that is held was sent, and with all, what was copied has gone, too. */
static bool finish(struct vtc__xsk_place *p, bool all)
{
	for (int i = 0; i < SETTLE_MS; i++) {
		if (!is_under_way(p, all))
			return true;
		vtc__xsk_kick(&p->socket);
		if (!is_under_way(p, all))
			return true;
		vtc__sleep_ms(port_of(p)->ctx, 1);
	}
	return !is_under_way(p, all);
}

static void pause_placing(struct vtc__xsk_place *p)
{
	close_socket(p);
	p->pause_until_ns = vtc__now_ns(port_of(p)->ctx) + PAUSE_NS;
}

static void settle(struct vtc_port *port, bool forget)
{
	struct vtc__xsk_place *p = place_of(port);

	if (!p)
		return;
	if (is_open(p) && !finish(p, forget))
		pause_placing(p);
	else if (forget)
		close_socket(p);
	release_all(p);
}

/* Is the same piece in flight for too long? Time counts from when it was first seen. */
static bool is_stalled(struct vtc__xsk_place *p)
{
	uint64_t now;

	if (p->first == p->end) {
		p->since_ns = 0;
		return false;
	}
	now = vtc__now_ns(port_of(p)->ctx);
	if (!p->since_ns || p->since_first != p->first) {
		p->since_ns = now;
		p->since_first = p->first;
	}
	return now - p->since_ns > STALL_NS;
}

/* It may be that the kernel was not asked for long. */
static bool is_stuck(struct vtc__xsk_place *p)
{
	vtc__xsk_kick(&p->socket);
	vtc__umem_reap(p->socket.umem);
	return is_stalled(p);
}

static void collect(struct vtc__xsk_place *p)
{
	vtc__umem_reap(p->socket.umem);
	if (vtc__unlikely(is_stalled(p)) && is_stuck(p))
		pause_placing(p);
	release_all(p);
}

static void on_due(struct vtc__timer *timer)
{
	struct vtc__xsk_socket *s = VTC__OWNER(timer, struct vtc__xsk_socket, timer);
	struct vtc__xsk_place *p = s->xsk->place;

	if (!is_open(p))
		return;
	vtc__xsk_kick(s);
	collect(p);
	watch_over(p);
	vtc__port_kicked(&s->xsk->port);
}

/* ---- Bursts ---- */

static struct held *list_of(struct vtc__xsk_place *p, unsigned int from)
{
	if (!p->held[from])
		p->held[from] = calloc(1, sizeof(*p->held[from]));
	return p->held[from];
}

/* Open, with the memory as it is now. */
static int follow(struct vtc__xsk_place *p, const struct vtc_mem *mem)
{
	if (is_open(p))
		collect(p);
	if (is_open(p) && !is_of(p, mem))
		settle(port_of(p), true);
	return is_open(p) ? 0 : try_open(p, mem);
}

static int begin(struct vtc_port *port, unsigned int queue, unsigned int from)
{
	struct vtc__xsk_place *p = place_of(port);
	const struct vtc_mem *mem;
	uint32_t chains = 0;
	struct held *h;
	int err;

	(void)queue;
	if (!p)
		return -EOPNOTSUPP;
	mem = port->peer->ops->memory(port->peer, from, &chains);
	h = mem ? list_of(p, from) : NULL;
	if (!h) {
		settle(port, false);
		return -EAGAIN;
	}
	err = follow(p, mem);
	if (err)
		return err;
	p->most = chains / PLACED_SHARE < PLACED_MAX ? chains / PLACED_SHARE : PLACED_MAX;
	p->packets = p->bytes = p->copies = 0;
	return (int)(HELD - (h->end - h->first));
}

static void hold_chain(struct held *h, uint32_t id, uint32_t pieces)
{
	*chain_at(h, h->end++) = (struct held_chain){ id, pieces };
	h->placed += pieces > 0;
}

static void pass(struct vtc_port *port, unsigned int from, uint32_t id)
{
	hold_chain(place_of(port)->held[from], id, 0);
}

static void count(struct vtc_port *port, unsigned int queue, struct vtc__xsk_place *p)
{
	bool wanted = vtc__ring_wants_wakeup(&p->socket.tx);

	vtc__count(port, queue, VTC__TX_PACKETS, p->packets);
	vtc__count(port, queue, VTC__TX_BYTES, p->bytes);
	vtc__count(port, queue, VTC__COPIES, p->copies);
	vtc__count(port, queue,
		   wanted ? VTC__NOTIFICATIONS_SENT : VTC__NOTIFICATIONS_SUPPRESSED, 1);
	p->packets = 0;
}

static void end(struct vtc_port *port, unsigned int queue)
{
	struct vtc__xsk_place *p = place_of(port);

	if (p->packets)
		count(port, queue, p);
	if (!is_open(p))
		return;
	vtc__xsk_kick(&p->socket);
	collect(p);
	watch_over(p);
}

/* ---- One packet, where it lies ---- */

struct pieces {
	unsigned int count;
	uint64_t addr[PIECES_MAX];
	uint32_t len[PIECES_MAX];
};

/* Without copy by the kernel a piece must not go on in another page. */
static bool add_piece(const struct vtc__xsk_place *p, struct pieces *to, uint64_t addr,
		      uint32_t len)
{
	bool crosses = (addr & (VTC__FRAME_SIZE - 1)) + len > VTC__FRAME_SIZE;

	if (to->count == PIECES_MAX || (crosses && p->socket.umem->base.zerocopy))
		return false;
	to->addr[to->count] = addr;
	to->len[to->count++] = len;
	return true;
}

static bool add_segment(struct vtc__xsk_place *p, struct pieces *to,
			const struct vtc_segment *segment)
{
	size_t left = segment->len;
	uint64_t addr;

	if (!left)
		return true;
	if (!vtc__xsk_range_find(&p->range, segment->base, left, &addr))
		return false;
	while (left) {
		uint32_t len = left < VTC__FRAME_SIZE ? (uint32_t)left : VTC__FRAME_SIZE;

		if (!add_piece(p, to, addr, len))
			return false;
		addr += len;
		left -= len;
	}
	return true;
}

static bool find_pieces(struct vtc__xsk_place *p, struct pieces *to,
			const struct vtc_segment *segments, unsigned int count)
{
	to->count = 0;
	for (unsigned int i = 0; i < count; i++) {
		if (!add_segment(p, to, &segments[i]))
			return false;
	}
	return to->count == 1 || p->socket.umem->base.multi;
}

static void send_pieces(struct vtc__xsk_place *p, const struct pieces *pieces,
			unsigned int from, uint32_t at)
{
	struct vtc__xsk_ring *tx = &p->socket.tx;
	unsigned int n = pieces->count;

	for (unsigned int i = 0; i < n; i++) {
		*piece_at(p, p->end++) = (struct piece){ .addr = pieces->addr[i],
							 .at = at,
							 .queue = (uint16_t)from,
							 .busy = true };
		*vtc__ring_packet(tx, tx->own + i) =
			(struct vtc__xsk_slot){ pieces->addr[i], pieces->len[i],
						i + 1 < n ? VTC__XSK_MORE : 0 };
	}
	vtc__ring_submit(tx, n);
}

/* False: by a copy. */
static bool put_in_place(struct vtc__xsk_place *p, unsigned int from, uint32_t id,
			 const struct vtc_segment *segments, unsigned int count)
{
	struct held *h = p->held[from];
	struct pieces pieces;

	if (h->placed >= p->most || !find_pieces(p, &pieces, segments, count) ||
	    PIECES - (p->end - p->first) < pieces.count ||
	    vtc__ring_room(&p->socket.tx, pieces.count) < pieces.count)
		return false;
	send_pieces(p, &pieces, from, h->end);
	hold_chain(h, id, pieces.count);
	return true;
}

/* ---- And by a copy ---- */

struct reader {
	const struct vtc_segment *segment;
	size_t at; /* in it */
};

static void read_to(struct reader *r, uint8_t *to, uint32_t len)
{
	while (len) {
		size_t part = r->segment->len - r->at;

		part = part < len ? part : len;
		memcpy(to, (const uint8_t *)r->segment->base + r->at, part);
		to += part;
		len -= (uint32_t)part;
		r->at += part;
		if (r->at == r->segment->len)
			*r = (struct reader){ r->segment + 1, 0 };
	}
}

static void send_copy(struct vtc__xsk_place *p, const struct vtc_segment *segments,
		      uint32_t len, uint32_t frames)
{
	struct vtc__umem *u = p->socket.umem;
	struct vtc__xsk_ring *tx = &p->socket.tx;
	struct reader r = { segments, 0 };

	for (uint32_t i = 0; i < frames; i++) {
		uint32_t part = len < VTC__FRAME_SIZE ? len : VTC__FRAME_SIZE;
		uint32_t frame = vtc__umem_send(u, &p->socket.user);

		read_to(&r, vtc__umem_frame(u, frame), part);
		len -= part;
		*vtc__ring_packet(tx, tx->own + i) =
			(struct vtc__xsk_slot){ (uint64_t)frame << VTC__FRAME_SHIFT, part,
						len ? VTC__XSK_MORE : 0 };
	}
	vtc__ring_submit(tx, frames);
}

static bool has_room(struct vtc__xsk_place *p, uint32_t frames)
{
	struct vtc__umem *u = p->socket.umem;

	for (int i = 0; i < 2; i++) {
		if (vtc__ring_room(&p->socket.tx, frames) >= frames &&
		    vtc__umem_room(u, &p->socket.user, frames) >= frames)
			return true;
		if (!i)
			vtc__xsk_kick(&p->socket);
		vtc__umem_reap(u);
	}
	return false;
}

static int put_copy(struct vtc__xsk_place *p, unsigned int from, uint32_t id,
		    const struct vtc_segment *segments, uint32_t len)
{
	uint32_t frames = (len + VTC__FRAME_SIZE - 1) / VTC__FRAME_SIZE;

	if (!has_room(p, frames))
		return -ENOSPC;
	send_copy(p, segments, len, frames);
	p->copies++;
	hold_chain(p->held[from], id, 0);
	return 0;
}

static int drop(struct vtc_port *port, unsigned int from, uint32_t id,
		enum vtc__counter why)
{
	vtc__count(port, from % port->queue_pairs, why, 1);
	pass(port, from, id);
	return 0;
}

static int put(struct vtc_port *port, unsigned int from, uint32_t id,
	       const struct vtc_segment *segments, unsigned int count)
{
	struct vtc__xsk_place *p = place_of(port);
	size_t len = 0;
	int err = 0;

	for (unsigned int i = 0; i < count; i++)
		len += segments[i].len;
	if (len < LEN_MIN)
		return drop(port, from, id, VTC__TX_DROPPED_ERROR);
	if (len > port->len_max || len > PIECES_MAX * VTC__FRAME_SIZE ||
	    (len > VTC__FRAME_SIZE && !p->socket.umem->base.multi))
		return drop(port, from, id, VTC__TX_DROPPED_SIZE);
	if (len <= SMALL || !put_in_place(p, from, id, segments, count))
		err = put_copy(p, from, id, segments, (uint32_t)len);
	if (err)
		return err;
	p->packets++;
	p->bytes += len;
	return 0;
}

const struct vtc__place_ops vtc__xsk_place_ops = {
	.begin = begin,
	.put = put,
	.pass = pass,
	.end = end,
	.settle = settle,
};

/* ---- Life ---- */

/* Queues of the card: those to receive by, and all. */
static int count_queues(struct vtc__xsk *x, uint32_t *rx, uint32_t *tx)
{
	struct ethtool_channels c = { .cmd = ETHTOOL_GCHANNELS };
	struct vtc_ctx *ctx = x->port.ctx;

	if (ctx->sys->ethtool(ctx->sys_priv, x->name, &c))
		return -EOPNOTSUPP;
	/* Which numbers the queues of a pair have beside others is up to the driver. */
	*rx = c.combined_count + c.rx_count;
	*tx = c.combined_count + c.tx_count;
	return 0;
}

static int try_queue(struct vtc__xsk_place *p, uint32_t queue)
{
	int err;

	p->plan.queue = queue;
	err = open_socket(p, NULL);
	if (!err)
		err = bind_socket(p);
	if (err)
		close_socket(p);
	return err;
}

/*
 * A queue that nothing is received by is no pool's, and never will be. It is held by a
 * socket without memory of a guest until there is some.
 */
static int find_queue(struct vtc__xsk_place *p)
{
	uint32_t rx = 0, tx = 0;
	int err = count_queues(p->socket.xsk, &rx, &tx);

	if (!err && tx <= rx)
		err = -EOPNOTSUPP;
	for (uint32_t i = tx; !err && i > rx; i--) {
		int n = try_queue(p, i - 1);

		if (n != -EBUSY)
			return n;
	}
	return err ? err : -EBUSY;
}

static int await_queue(struct vtc__xsk_place *p)
{
	int err = find_queue(p);

	for (int i = 0; i < BUSY_TRIES && err == -EBUSY; i++) {
		vtc__sleep_ms(port_of(p)->ctx, BUSY_MS);
		err = find_queue(p);
	}
	return err == -EBUSY ? -EOPNOTSUPP : err;
}

int vtc__xsk_place_new(struct vtc__xsk *x, const struct vtc__xsk_opts *opts)
{
	struct vtc__xsk_place *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->ring_size = opts->ring_size;
	p->plan = (struct vtc__xsk_plan){ .ifindex = opts->ifindex,
					  .frame_count = opts->ring_size,
					  .zerocopy = opts->zerocopy,
					  .copy = opts->copy || opts->generic };
	p->socket.xsk = x;
	p->socket.timer.due = on_due;
	x->place = p;
	return await_queue(p);
}

void vtc__xsk_place_free(struct vtc__xsk *x)
{
	struct vtc__xsk_place *p = x->place;

	if (!p)
		return;
	close_socket(p);
	for (unsigned int i = 0; i < VTC_PORT_QUEUE_PAIRS_MAX; i++)
		free(p->held[i]);
	free(p);
	x->place = NULL;
}
