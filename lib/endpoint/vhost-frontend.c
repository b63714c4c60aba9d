/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The frontend of a vhost-user device, as a port. Memory, rings and doorbells are ours
 * and stay; backends come and go. Each backend begins with fresh rings, into which goes
 * what the last one had not completed.
 */
#include "vhost-frontend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "core/ctx.h"
#include "core/error.h"
#include "doorbell.h"
#include "vhost-driver.h"
#include "vhost-handshake.h"

#define BIT(n) (1ull << (n))

#define OPERATION   "vhost-user open"
#define RING_SIZE   256u
#define BUFFER_SIZE 2048u
#define PATIENCE_NS 5000000000ull
#define NO_REPLY    "the backend does not reply"
#define NO_MEMORY   "the rings cannot be made: memory is out"
#define PATH_ROOM   108
#define WHY_MAX	    160

#define RECEIVE_LARGE                                            \
	(BIT(VTC_NET_F_GUEST_TSO4) | BIT(VTC_NET_F_GUEST_TSO6) | \
	 BIT(VTC_NET_F_GUEST_ECN) | BIT(VTC_NET_F_GUEST_USO4) |  \
	 BIT(VTC_NET_F_GUEST_USO6))
#define TRANSMIT_LARGE                                                                   \
	(BIT(VTC_NET_F_HOST_TSO4) | BIT(VTC_NET_F_HOST_TSO6) | BIT(VTC_NET_F_HOST_ECN) | \
	 BIT(VTC_NET_F_HOST_USO))
#define WANTED                                                                         \
	(BIT(VTC__F_VERSION_1) | BIT(VTC_VRING_F_PACKED) | BIT(VTC_VRING_F_IN_ORDER) | \
	 BIT(VTC_VRING_F_EVENT_IDX) | BIT(VTC_VRING_F_INDIRECT) |                      \
	 BIT(VTC_NET_F_MRG_RXBUF) | BIT(VTC_NET_F_CSUM) | BIT(VTC_NET_F_GUEST_CSUM) |  \
	 TRANSMIT_LARGE | RECEIVE_LARGE)

struct pair {
	struct vtc__vhost_rx rx;
	struct vtc__vhost_tx tx;
};

struct ring {
	struct vtc__watch call;
	struct frontend *frontend;
	struct vtc_vring *fresh; /* not yet in use */
	unsigned int number;
};

struct frontend {
	struct vtc_port port;
	struct vtc__vhost_link *link;
	struct vtc__vhost_handshake handshake;
	struct vtc__vhost_pool pool;
	struct pair *pairs;
	struct ring *rings;
	struct vtc__vhost_bells *bells; /* of all rings, too */
	struct vtc__timer patience;
	uint64_t carried; /* features by which packets were made that are not completed */
	uint64_t connections;
	char why[WHY_MAX];
	char name[PATH_ROOM];
};

static struct frontend *frontend_of(const struct vtc_port *port)
{
	return VTC__OWNER((struct vtc_port *)port, struct frontend, port);
}

static unsigned int count_rings(const struct frontend *f)
{
	return 2 * f->port.queue_pairs;
}

/* ---- Notifications ---- */

static void notify(struct frontend *f, unsigned int ring)
{
	(void)vtc__doorbell_ring(f->bells[ring].kick);
	vtc__count(&f->port, ring / 2, VTC__NOTIFICATIONS_SENT, 1);
}

/* The reason is a constant text: it stays when the ring goes. */
static void leave_broken(struct frontend *f, struct vtc_vring *vring)
{
	vtc__vhost_link_drop(f->link, vtc_vring_get_error(vring));
}

/* Chains were given to the backend, with this result. */
static void settle(struct frontend *f, unsigned int ring, struct vtc_vring *vring, int n)
{
	if (n < 0)
		leave_broken(f, vring);
	else if (n)
		notify(f, ring);
	else
		vtc__count(&f->port, ring / 2, VTC__NOTIFICATIONS_SUPPRESSED, 1);
}

static void heard(struct vtc__watch *watch, uint32_t events)
{
	struct ring *r = VTC__OWNER(watch, struct ring, call);

	(void)events;
	vtc__count(&r->frontend->port, r->number / 2, VTC__NOTIFICATIONS_RECEIVED, 1);
	vtc__port_kicked(&r->frontend->port);
}

/* ---- Packets ---- */

/* What had come is still given out when the backend has gone; then nothing can move. */
static void dry_up(struct frontend *f)
{
	if (f->handshake.step == VTC__VHOST_RUNNING || !f->port.ready)
		return;
	for (unsigned int i = 0; i < f->port.ready; i++) {
		if (!vtc__vhost_rx_empty(&f->pairs[i].rx))
			return;
	}
	f->port.ready = 0;
	vtc__port_changed(&f->port);
}

static void take_back(struct frontend *f, unsigned int queue, unsigned int used)
{
	struct vtc__vhost_rx *rx = &f->pairs[queue].rx;

	settle(f, 2 * queue, rx->vring, vtc__vhost_rx_give_back(rx, used));
	dry_up(f);
}

static int take(struct vtc_port *port, unsigned int queue, struct vtc__burst *burst,
		unsigned int max)
{
	struct frontend *f = frontend_of(port);
	struct vtc__vhost_rx *rx = &f->pairs[queue].rx;
	int n = vtc__vhost_rx_take(rx, burst, max);
	unsigned int bad = n ? 0 : vtc__vhost_rx_bad(rx);

	if (bad) {
		vtc__count(port, queue, VTC__RX_DROPPED_BAD, bad);
		take_back(f, queue, bad);
		n = vtc__vhost_rx_take(rx, burst, max);
	}
	if (n < 0)
		leave_broken(f, rx->vring);
	return n;
}

static void give_back(struct vtc_port *port, unsigned int queue, struct vtc__burst *burst,
		      unsigned int taken, unsigned int used)
{
	(void)burst;
	(void)taken;
	if (used)
		take_back(frontend_of(port), queue, used);
}

static int reserve(struct vtc_port *port, unsigned int queue, struct vtc__burst *burst,
		   unsigned int max)
{
	struct frontend *f = frontend_of(port);
	struct vtc__vhost_tx *tx = &f->pairs[queue].tx;
	int n = vtc__vhost_tx_reserve(tx, burst, max);

	if (n < 0)
		leave_broken(f, tx->vring);
	return n;
}

static void commit(struct vtc_port *port, unsigned int queue, struct vtc__burst *burst,
		   unsigned int taken, unsigned int used)
{
	struct frontend *f = frontend_of(port);
	struct vtc__vhost_tx *tx = &f->pairs[queue].tx;

	(void)taken;
	if (used)
		settle(f, 2 * queue + 1, tx->vring,
		       vtc__vhost_tx_commit(tx, burst, used));
}

static bool arm_take(struct vtc_port *port, unsigned int queue)
{
	return vtc__vhost_rx_arm(&frontend_of(port)->pairs[queue].rx);
}

static bool arm_reserve(struct vtc_port *port, unsigned int queue)
{
	return vtc__vhost_tx_arm(&frontend_of(port)->pairs[queue].tx);
}

/* ---- A backend comes and goes ---- */

static void set_patience(struct frontend *f)
{
	vtc__loop_set_timer(f->port.loop, &f->patience,
			    vtc__now_ns(f->port.ctx) + PATIENCE_NS);
}

static void stop_patience(struct frontend *f)
{
	if (f->port.loop)
		vtc__loop_stop_timer(f->port.loop, &f->patience);
}

static void lost_patience(struct vtc__timer *timer)
{
	struct frontend *f = VTC__OWNER(timer, struct frontend, patience);

	vtc__vhost_link_drop(f->link, NO_REPLY);
}

/* New rings, with nothing in them: what is in one that is not yet on may be lost. */
static int make_rings(struct frontend *f)
{
	const uint64_t features[2] = { f->handshake.features };
	int err = 0;

	for (unsigned int i = 0; !err && i < 2 * f->handshake.pairs; i++)
		err = vtc__vhost_pool_vring(f->port.ctx, &f->pool, i, features,
					    &f->rings[i].fresh);
	f->handshake.why = err ? NO_MEMORY : NULL;
	return err ? err : vtc__vhost_handshake_go_on(&f->handshake);
}

static void drop_rings(struct frontend *f)
{
	for (unsigned int i = 0; i < count_rings(f); i++) {
		vtc_vring_free(f->rings[i].fresh);
		f->rings[i].fresh = NULL;
	}
}

static struct vtc_vring *take_ring(struct frontend *f, unsigned int ring)
{
	struct vtc_vring *vring = f->rings[ring].fresh;

	f->rings[ring].fresh = NULL;
	return vring;
}

/* The new backend cannot be asked for what only the old one took. */
static void forget_unfit(struct frontend *f)
{
	if (!(f->carried & ~f->handshake.features))
		return;
	for (unsigned int i = 0; i < f->port.queue_pairs; i++)
		vtc__count(&f->port, i, VTC__TX_DROPPED_DOWN,
			   vtc__vhost_tx_forget(&f->pairs[i].tx));
}

static void run_pair(struct frontend *f, unsigned int queue)
{
	uint64_t features = f->handshake.features;
	struct pair *p = &f->pairs[queue];

	(void)vtc__vhost_rx_start(&p->rx, take_ring(f, 2 * queue),
				  features & BIT(VTC_NET_F_MRG_RXBUF));
	(void)vtc__vhost_tx_start(&p->tx, take_ring(f, 2 * queue + 1));
	notify(f, 2 * queue);
	notify(f, 2 * queue + 1);
}

static void run(struct frontend *f)
{
	struct vtc_port *port = &f->port;

	stop_patience(f);
	f->why[0] = '\0';
	port->ready = f->handshake.pairs;
	port->accepts[0] = f->handshake.features;
	forget_unfit(f);
	for (unsigned int i = 0; i < port->ready; i++)
		run_pair(f, i);
	f->carried = port->accepts[0] & (BIT(VTC_NET_F_CSUM) | TRANSMIT_LARGE);
	vtc__port_changed(port);
	vtc__port_kicked(port);
}

static void on_up(void *data)
{
	struct frontend *f = data;

	f->connections++;
	set_patience(f);
	if (vtc__vhost_handshake_begin(&f->handshake))
		vtc__vhost_link_drop(f->link, f->handshake.why);
}

static int on_message(void *data, struct vtc__vhost_message *message)
{
	struct frontend *f = data;
	struct vtc__vhost_handshake *h = &f->handshake;
	int err = vtc__vhost_handshake_message(h, message);

	set_patience(f);
	if (!err && h->step == VTC__VHOST_AGREED)
		err = make_rings(f);
	if (err)
		vtc__vhost_link_drop(f->link, h->why);
	else if (h->step == VTC__VHOST_RUNNING)
		run(f);
	return 0;
}

static void on_down(void *data, const char *why)
{
	struct frontend *f = data;

	snprintf(f->why, sizeof(f->why), "%s", why);
	stop_patience(f);
	f->handshake.step = VTC__VHOST_IDLE;
	drop_rings(f);
	for (unsigned int i = 0; i < f->port.queue_pairs; i++) {
		vtc__vhost_rx_stop(&f->pairs[i].rx);
		vtc__vhost_tx_stop(&f->pairs[i].tx);
	}
	dry_up(f);
	vtc__port_kicked(&f->port);
}

static const struct vtc__vhost_link_ops link_ops = {
	.up = on_up,
	.message = on_message,
	.down = on_down,
};

/* ---- Life ---- */

static void detach(struct vtc_port *port)
{
	struct frontend *f = frontend_of(port);

	for (unsigned int i = 0; i < count_rings(f); i++)
		vtc__loop_forget(port->loop, &f->rings[i].call);
	stop_patience(f);
	vtc__vhost_link_detach(f->link);
}

static int attach(struct vtc_port *port)
{
	struct frontend *f = frontend_of(port);
	enum vtc__vhost_step step = f->handshake.step;
	int err = vtc__vhost_link_attach(f->link, port->loop);

	for (unsigned int i = 0; !err && i < count_rings(f); i++)
		err = vtc__loop_watch(port->loop, &f->rings[i].call, EPOLLIN);
	if (err)
		detach(port);
	else if (step != VTC__VHOST_IDLE && step != VTC__VHOST_RUNNING)
		set_patience(f);
	return err;
}

static void info(const struct vtc_port *port, struct vtc_port_info *info)
{
	const struct frontend *f = frontend_of(port);

	info->connected = vtc__vhost_link_is_up(f->link);
	info->connections = f->connections;
	info->name = f->name;
	info->error = f->why[0] ? f->why : NULL;
}

static void close_bells(struct frontend *f)
{
	for (unsigned int i = 0; f->bells && i < count_rings(f); i++) {
		if (f->bells[i].kick >= 0)
			(void)close(f->bells[i].kick);
		if (f->bells[i].call >= 0)
			(void)close(f->bells[i].call);
	}
}

/* Also of one that was not opened wholly. */
static void close_frontend(struct vtc_port *port)
{
	struct frontend *f = frontend_of(port);

	vtc__vhost_link_close(f->link);
	if (f->rings)
		drop_rings(f);
	for (unsigned int i = 0; f->pairs && i < port->queue_pairs; i++) {
		vtc__vhost_rx_close(&f->pairs[i].rx);
		vtc__vhost_tx_close(&f->pairs[i].tx);
	}
	close_bells(f);
	vtc__vhost_pool_close(&f->pool);
	free(f->rings);
	free(f->bells);
	free(f->pairs);
	vtc__port_fini(port);
	free(f);
}

static const struct vtc__port_ops ops = {
	.kind = "vhost-user frontend",
	.attach = attach,
	.detach = detach,
	.close = close_frontend,
	.info = info,
	.take = take,
	.give_back = give_back,
	.reserve = reserve,
	.commit = commit,
	.arm_take = arm_take,
	.arm_reserve = arm_reserve,
};

static struct vtc__vhost_bells *new_bells(unsigned int count)
{
	struct vtc__vhost_bells *bells = calloc(count, sizeof(*bells));

	for (unsigned int i = 0; bells && i < count; i++)
		bells[i] = (struct vtc__vhost_bells){ -1, -1 };
	return bells;
}

static int open_bells(struct frontend *f)
{
	for (unsigned int i = 0; i < count_rings(f); i++) {
		struct vtc__vhost_bells *b = &f->bells[i];

		b->kick = vtc__doorbell_new();
		b->call = vtc__doorbell_new();
		if (b->kick < 0 || b->call < 0)
			return b->kick < 0 ? b->kick : b->call;
		f->rings[i] = (struct ring){ .call = { b->call, heard },
					     .frontend = f,
					     .number = i };
	}
	return 0;
}

static int open_pairs(struct frontend *f)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < f->port.queue_pairs; i++) {
		err = vtc__vhost_rx_open(&f->pool, 2 * i, &f->pairs[i].rx);
		if (!err)
			err = vtc__vhost_tx_open(&f->pool, 2 * i + 1, &f->pairs[i].tx);
	}
	return err;
}

/* A large packet must fit what a relay can have in hand of a ring. */
static uint64_t features_wanted(const struct frontend *f,
				const struct vtc_vhost_user_opts *o)
{
	uint64_t buffers =
		f->pool.ring_size < VTC__BURST_MAX ? f->pool.ring_size : VTC__BURST_MAX;
	uint64_t wanted = WANTED & ~o->features_off[0];

	if (buffers * f->pool.buffer_size < VTC__PACKET_MAX)
		wanted &= ~(TRANSMIT_LARGE | RECEIVE_LARGE);
	if (f->port.queue_pairs > 1)
		wanted |= BIT(VTC_NET_F_MQ) & ~o->features_off[0];
	return wanted;
}

static void prepare_handshake(struct frontend *f, const struct vtc_vhost_user_opts *o)
{
	f->handshake = (struct vtc__vhost_handshake){
		.link = f->link,
		.pool = &f->pool,
		.bells = f->bells,
		.wanted = features_wanted(f, o),
		.wanted_pairs = f->port.queue_pairs,
		.needs_mergeable =
			f->pool.buffer_size < VTC__PACKET_MAX ? RECEIVE_LARGE : 0,
	};
}

static int open_link(struct frontend *f, const struct vtc_vhost_user_opts *o)
{
	struct vtc__vhost_link_opts l = { .path = o->path,
					  .fd = o->fd,
					  .connect = o->path,
					  .listening =
						  o->flags & VTC_VHOST_USER_F_LISTENING,
					  .reader = VTC__VHOST_FRONTEND };

	snprintf(f->name, sizeof(f->name), "%s", o->path ? o->path : "");
	return vtc__vhost_link_open(f->port.ctx, &l, &link_ops, f, &f->link);
}

static int open_memory(struct frontend *f, const struct vtc_vhost_user_opts *o)
{
	unsigned int rings = count_rings(f);
	int err;

	f->pairs = calloc(f->port.queue_pairs, sizeof(*f->pairs));
	f->rings = calloc(rings, sizeof(*f->rings));
	f->bells = new_bells(rings);
	if (!f->pairs || !f->rings || !f->bells)
		return -ENOMEM;
	err = open_bells(f);
	if (!err)
		err = vtc__vhost_pool_open(
			f->port.ctx, rings, o->ring_size ? o->ring_size : RING_SIZE,
			o->buffer_size ? o->buffer_size : BUFFER_SIZE, &f->pool);
	return err ? err : open_pairs(f);
}

static int open_frontend(struct frontend *f, const struct vtc_vhost_user_opts *o)
{
	int err = open_memory(f, o);

	if (err)
		return vtc__err(f->port.ctx, err, VTC_ERROR_ORIGIN_SYSTEM, OPERATION,
				"rings and buffers of %u queue pairs",
				f->port.queue_pairs);
	err = open_link(f, o);
	if (!err)
		prepare_handshake(f, o);
	return err;
}

int vtc__vhost_frontend_open(struct vtc_ctx *ctx, const struct vtc_vhost_user_opts *opts,
			     struct vtc_port **ret_port)
{
	struct frontend *f = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return vtc__err(ctx, -ENOMEM, VTC_ERROR_ORIGIN_SYSTEM, OPERATION,
				"the port");
	err = vtc__port_init(&f->port, ctx, &ops, opts->queue_pairs);
	if (err) {
		free(f);
		return err;
	}
	f->pool.fd = -1;
	f->port.far_role = VTC_VRING_DEVICE;
	f->port.mergeable = true;
	f->patience.due = lost_patience;
	err = open_frontend(f, opts);
	if (err)
		close_frontend(&f->port);
	else
		*ret_port = &f->port;
	return err;
}
