/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The backend of a vhost-user device: see vhost-backend.h. */
#include "vhost-backend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "vring/vring.h"

#define BIT(n) (1ull << (n))

#define OPERATION   "vhost-user open"
#define NEEDS_RESET 0x40u

#define LARGE                                                                            \
	(BIT(VTC_NET_F_HOST_TSO4) | BIT(VTC_NET_F_HOST_TSO6) | BIT(VTC_NET_F_HOST_ECN) | \
	 BIT(VTC_NET_F_HOST_USO) | BIT(VTC_NET_F_GUEST_TSO4) |                           \
	 BIT(VTC_NET_F_GUEST_TSO6) | BIT(VTC_NET_F_GUEST_ECN) |                          \
	 BIT(VTC_NET_F_GUEST_USO4) | BIT(VTC_NET_F_GUEST_USO6))

/*
 * The control queue is the frontend's. What it needs the device for is not offered: the
 * filters (MAC, VLAN), and offloads that change while the device runs.
 */
#define OFFERED                                                                        \
	(BIT(VTC__F_VERSION_1) | BIT(VTC_VRING_F_PACKED) | BIT(VTC_VRING_F_IN_ORDER) | \
	 BIT(VTC_VRING_F_EVENT_IDX) | BIT(VTC_VRING_F_INDIRECT) |                      \
	 BIT(VTC_NET_F_MRG_RXBUF) | BIT(VTC_NET_F_CSUM) | BIT(VTC_NET_F_GUEST_CSUM) |  \
	 LARGE | BIT(VTC_NET_F_STATUS) | BIT(VTC_NET_F_CTRL_VQ) |                      \
	 BIT(VTC_NET_F_CTRL_RX) | BIT(VTC_NET_F_GUEST_ANNOUNCE) |                      \
	 BIT(VTC__VHOST_F_LOG_ALL) | BIT(VTC__VHOST_F_PROTOCOL_FEATURES))

static struct vtc__vhost_backend *backend_of(const struct vtc_port *port)
{
	return VTC__OWNER((struct vtc_port *)port, struct vtc__vhost_backend, port);
}

static unsigned int count_rings(const struct vtc__vhost_backend *b)
{
	return 2 * b->port.queue_pairs;
}

static struct vtc__vhost_ring *rx_ring(struct vtc__vhost_backend *b, unsigned int queue)
{
	return &b->rings[2 * queue];
}

static struct vtc__vhost_ring *tx_ring(struct vtc__vhost_backend *b, unsigned int queue)
{
	return &b->rings[2 * queue + 1];
}

/* ---- What can move packets ---- */

static unsigned int count_ready(struct vtc__vhost_backend *b)
{
	unsigned int n = 0;

	while (n < b->port.queue_pairs && vtc__vhost_ring_is_usable(rx_ring(b, n)))
		n++;
	return n;
}

static bool has_broken(const struct vtc__vhost_backend *b)
{
	for (unsigned int i = 0; i < count_rings(b); i++) {
		if (b->rings[i].broken)
			return true;
	}
	return false;
}

/* Why the last peer was left matters until this one moves packets. */
static void set_ready(struct vtc__vhost_backend *b)
{
	struct vtc_port *p = &b->port;
	uint64_t features = b->setting.features;
	unsigned int ready = count_ready(b);

	if (ready == p->ready && features == p->accepts[0])
		return;
	if (ready && !p->ready && !has_broken(b))
		b->error[0] = '\0';
	p->ready = ready;
	p->accepts[0] = features;
	p->mergeable = features & BIT(VTC_NET_F_MRG_RXBUF);
	p->silent = !(features & BIT(VTC_NET_F_CSUM));
	vtc__port_changed(p);
}

/* The other rings go on. Who holds chains of this one is not to name them any more. */
static void fail_ring(struct vtc__vhost_backend *b, struct vtc__vhost_ring *r,
		      const char *why)
{
	vtc__port_settle(&b->port, false);
	vtc__vhost_ring_fail(r, why);
	if (b->protocol & BIT(VTC__VHOST_PF_STATUS))
		b->status |= NEEDS_RESET;
	set_ready(b);
	snprintf(b->error, sizeof(b->error), "ring %u: %s", r->index, why);
}

static void fail_vring(struct vtc__vhost_backend *b, struct vtc__vhost_ring *r, int err)
{
	const char *why = vtc_vring_get_error(r->vring);

	if (!why)
		why = err == -ENOSPC ? "a chain has more buffers than can be handled"
				     : "chains cannot be given back";
	fail_ring(b, r, why);
}

/* ---- A ring that is off: what the guest sends is thrown away ---- */

static void discard(struct vtc__vhost_backend *b, struct vtc__vhost_ring *r)
{
	int n = vtc__vhost_ring_discard(r, b->burst);

	if (n >= 0)
		n = vtc__vhost_ring_arm(r);
	if (n < 0)
		fail_vring(b, r, n);
	else if (!n && b->port.loop)
		vtc__loop_set_timer(b->port.loop, &b->timer, 1);
}

static bool is_off(const struct vtc__vhost_ring *r)
{
	return r->index % 2 && r->vring && r->off;
}

static void discard_all(struct vtc__vhost_backend *b)
{
	for (unsigned int i = 0; i < count_rings(b); i++) {
		if (is_off(&b->rings[i]))
			discard(b, &b->rings[i]);
	}
}

static void timer_due(struct vtc__timer *timer)
{
	discard_all(VTC__OWNER(timer, struct vtc__vhost_backend, timer));
}

static void heard(struct vtc__vhost_ring *ring)
{
	if (is_off(ring))
		discard(backend_of(ring->port), ring);
	vtc__port_kicked(ring->port);
}

/* The driver does not kick a ring again for what it kicked before. */
int vtc__vhost_backend_update(struct vtc__vhost_backend *b, const char **ret_why)
{
	int err = 0;

	for (unsigned int i = 0; i < count_rings(b) && !err; i++) {
		err = vtc__vhost_ring_update(&b->rings[i], b->port.ctx, &b->setting,
					     ret_why);
		if (err == -EPROTO) {
			fail_ring(b, &b->rings[i], *ret_why);
			err = 0;
		}
	}
	set_ready(b);
	discard_all(b);
	vtc__port_kicked(&b->port);
	return err;
}

/* ---- Packets ---- */

static int take_from(struct vtc__vhost_backend *b, struct vtc__vhost_ring *r,
		     struct vtc__burst *burst, unsigned int max)
{
	int n = vtc__vhost_ring_take(r, burst, max);

	if (vtc__unlikely(n < 0))
		fail_vring(b, r, n);
	return n;
}

static int take(struct vtc_port *port, unsigned int queue, struct vtc__burst *burst,
		unsigned int max)
{
	struct vtc__vhost_backend *b = backend_of(port);
	struct vtc__vhost_ring *r = tx_ring(b, queue);

	if (vtc__unlikely(!vtc__vhost_ring_is_usable(r)))
		return 0;
	return take_from(b, r, burst, max);
}

static void give_back(struct vtc_port *port, unsigned int queue, struct vtc__burst *burst,
		      unsigned int taken, unsigned int used)
{
	struct vtc__vhost_backend *b = backend_of(port);
	struct vtc__vhost_ring *r = tx_ring(b, queue);
	int err;

	for (unsigned int i = 0; i < used; i++)
		burst->done[i] = (struct vtc_done){ burst->chains[i].id, 0 };
	err = vtc__vhost_ring_complete(r, burst->done, taken, used);
	if (vtc__unlikely(err))
		fail_vring(b, r, err);
}

static void hold(struct vtc_port *port, unsigned int queue, struct vtc__burst *burst,
		 unsigned int taken, unsigned int used)
{
	struct vtc__vhost_backend *b = backend_of(port);
	struct vtc__vhost_ring *r = tx_ring(b, queue);
	int err = vtc__vhost_ring_hold(r, taken, used);

	(void)burst;
	if (vtc__unlikely(err))
		fail_vring(b, r, err);
}

/* Of a ring that broke meanwhile nothing can go back. */
static void release(struct vtc_port *port, unsigned int queue,
		    const struct vtc_done *done, unsigned int count)
{
	struct vtc__vhost_backend *b = backend_of(port);
	struct vtc__vhost_ring *r = tx_ring(b, queue);
	int err;

	if (vtc__unlikely(!r->vring))
		return;
	err = vtc__vhost_ring_complete(r, done, count, count);
	if (vtc__unlikely(err))
		fail_vring(b, r, err);
}

static const struct vtc_mem *memory(struct vtc_port *port, unsigned int queue,
				    uint32_t *ret_chains)
{
	struct vtc__vhost_backend *b = backend_of(port);
	const struct vtc__vhost_ring *r = tx_ring(b, queue);

	*ret_chains = r->size;
	return vtc__vhost_ring_is_usable(r) ? b->space.mem : NULL;
}

static int reserve(struct vtc_port *port, unsigned int queue, struct vtc__burst *burst,
		   unsigned int max)
{
	struct vtc__vhost_backend *b = backend_of(port);
	struct vtc__vhost_ring *r = rx_ring(b, queue);

	if (vtc__unlikely(!vtc__vhost_ring_is_usable(r)))
		return 0;
	return take_from(b, r, burst, max);
}

static void commit(struct vtc_port *port, unsigned int queue, struct vtc__burst *burst,
		   unsigned int taken, unsigned int used)
{
	struct vtc__vhost_backend *b = backend_of(port);
	struct vtc__vhost_ring *r = rx_ring(b, queue);
	int err = vtc__vhost_ring_complete(r, burst->done, taken, used);

	if (vtc__unlikely(err))
		fail_vring(b, r, err);
}

/* Of a ring that does not run nothing will come until a message starts it. */
static bool arm(struct vtc__vhost_backend *b, struct vtc__vhost_ring *r)
{
	int n;

	if (!vtc__vhost_ring_is_usable(r))
		return true;
	n = vtc__vhost_ring_arm(r);
	if (n < 0)
		fail_vring(b, r, n);
	return n;
}

static bool arm_take(struct vtc_port *port, unsigned int queue)
{
	struct vtc__vhost_backend *b = backend_of(port);

	return arm(b, tx_ring(b, queue));
}

static bool arm_reserve(struct vtc_port *port, unsigned int queue)
{
	struct vtc__vhost_backend *b = backend_of(port);

	return arm(b, rx_ring(b, queue));
}

/* ---- A frontend comes and goes ---- */

static void forget_connection(struct vtc__vhost_backend *b)
{
	for (unsigned int i = 0; i < count_rings(b); i++)
		vtc__vhost_ring_clear(&b->rings[i]);
	vtc__vhost_space_clear(&b->space);
	vtc__vhost_unmap(&b->setting.inflight);
	b->setting = (struct vtc__vhost_setting){ .space = &b->space };
	b->protocol = 0;
	b->status = 0;
	b->mtu = b->own_mtu;
	if (b->channel >= 0)
		(void)close(b->channel);
	b->channel = -1;
}

static void on_up(void *data)
{
	((struct vtc__vhost_backend *)data)->connections++;
}

static void on_down(void *data, const char *why)
{
	struct vtc__vhost_backend *b = data;

	vtc__port_settle(&b->port, true);
	forget_connection(b);
	snprintf(b->error, sizeof(b->error), "%s", why);
	set_ready(b);
}

static void leave(struct vtc__vhost_backend *b, uint32_t request, const char *why)
{
	char text[VTC__VHOST_WHY_MAX];

	snprintf(text, sizeof(text), "%s: %s", vtc__vhost_name(request), why);
	vtc__vhost_link_drop(b->link, text);
}

static bool changes_memory(uint32_t request)
{
	return request == VTC__VHOST_SET_MEM_TABLE || request == VTC__VHOST_ADD_MEM_REG ||
	       request == VTC__VHOST_REM_MEM_REG;
}

/* Almost any message can stop a ring or move it: while it is at work nothing is held. */
static int on_message(void *data, struct vtc__vhost_message *message)
{
	struct vtc__vhost_backend *b = data;
	const char *why = "refused";

	vtc__port_settle(&b->port, changes_memory(message->request));
	if (vtc__vhost_request(b, message, &why) < 0)
		leave(b, message->request, why);
	return 0;
}

static const struct vtc__vhost_link_ops link_ops = {
	.up = on_up,
	.message = on_message,
	.down = on_down,
};

/* ---- Life ---- */

static void detach(struct vtc_port *port)
{
	struct vtc__vhost_backend *b = backend_of(port);

	for (unsigned int i = 0; i < count_rings(b); i++)
		vtc__vhost_ring_forget(&b->rings[i]);
	vtc__loop_stop_timer(port->loop, &b->timer);
	vtc__vhost_link_detach(b->link);
}

static int attach(struct vtc_port *port)
{
	struct vtc__vhost_backend *b = backend_of(port);
	int err = vtc__vhost_link_attach(b->link, port->loop);

	if (err)
		return err;
	for (unsigned int i = 0; i < count_rings(b) && !err; i++)
		err = vtc__vhost_ring_watch(&b->rings[i]);
	if (err)
		detach(port);
	else
		discard_all(b);
	return err;
}

static void info(const struct vtc_port *port, struct vtc_port_info *info)
{
	const struct vtc__vhost_backend *b = backend_of(port);

	info->connected = vtc__vhost_link_is_up(b->link);
	info->connections = b->connections;
	info->name = b->name;
	info->error = b->error[0] ? b->error : NULL;
}

static void close_backend(struct vtc_port *port)
{
	struct vtc__vhost_backend *b = backend_of(port);

	vtc__vhost_link_close(b->link);
	if (b->rings)
		forget_connection(b);
	free(b->rings);
	free(b->burst);
	vtc__port_fini(&b->port);
	free(b);
}

static const struct vtc__port_ops ops = {
	.kind = "vhost-user backend",
	.attach = attach,
	.detach = detach,
	.close = close_backend,
	.info = info,
	.take = take,
	.give_back = give_back,
	.hold = hold,
	.release = release,
	.memory = memory,
	.reserve = reserve,
	.commit = commit,
	.arm_take = arm_take,
	.arm_reserve = arm_reserve,
};

static bool is_mac(const uint8_t mac[6])
{
	static const uint8_t none[6];

	return memcmp(mac, none, sizeof(none));
}

static uint64_t choose_features(const struct vtc_vhost_user_opts *o)
{
	uint64_t features = OFFERED;

	if (o->queue_pairs > 1)
		features |= BIT(VTC_NET_F_MQ);
	if (o->mtu)
		features |= BIT(VTC_NET_F_MTU);
	if (is_mac(o->mac))
		features |= BIT(VTC_NET_F_MAC);
	return features & ~o->features_off[0];
}

static int prepare(struct vtc__vhost_backend *b, const struct vtc_vhost_user_opts *o)
{
	unsigned int rings = count_rings(b);

	b->channel = -1;
	b->burst = malloc(sizeof(*b->burst));
	b->rings = calloc(rings, sizeof(*b->rings));
	for (unsigned int i = 0; b->rings && i < rings; i++)
		vtc__vhost_ring_init(&b->rings[i], &b->port, i, heard);
	if (!b->burst || !b->rings)
		return vtc__err(b->port.ctx, -ENOMEM, VTC_ERROR_ORIGIN_SYSTEM, OPERATION,
				"%u rings", rings);
	b->port.far_role = VTC_VRING_DRIVER;
	b->timer.due = timer_due;
	b->space.ctx = b->port.ctx;
	b->space.trusted = o->flags & VTC_VHOST_USER_F_TRUSTED;
	b->setting.space = &b->space;
	b->offered = choose_features(o);
	b->own_mtu = b->mtu = o->mtu;
	memcpy(b->mac, o->mac, sizeof(b->mac));
	snprintf(b->name, sizeof(b->name), "%s", o->path ? o->path : "");
	return 0;
}

static int open_link(struct vtc__vhost_backend *b, const struct vtc_vhost_user_opts *o)
{
	const struct vtc__vhost_link_opts opts = {
		.path = o->path,
		.fd = o->fd,
		.connect = o->flags & VTC_VHOST_USER_F_CONNECT,
		.listening = o->flags & VTC_VHOST_USER_F_LISTENING,
		.reader = VTC__VHOST_BACKEND,
	};

	return vtc__vhost_link_open(b->port.ctx, &opts, &link_ops, b, &b->link);
}

int vtc__vhost_backend_open(struct vtc_ctx *ctx, const struct vtc_vhost_user_opts *opts,
			    struct vtc_port **ret_port)
{
	struct vtc__vhost_backend *b = calloc(1, sizeof(*b));
	int err;

	if (!b)
		return vtc__err(ctx, -ENOMEM, VTC_ERROR_ORIGIN_SYSTEM, OPERATION, "port");
	err = vtc__port_init(&b->port, ctx, &ops, opts->queue_pairs);
	if (err) {
		free(b);
		return err;
	}
	err = prepare(b, opts);
	if (!err)
		err = open_link(b, opts);
	if (err) {
		close_backend(&b->port);
		return err;
	}
	*ret_port = &b->port;
	return 0;
}
