/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The handshake. The configuration goes out in portions, each of which ends with a
 * question, so that a backend that reads slowly never has more unread than a socket
 * holds.
 */
#include "vhost-handshake.h"

#include <errno.h>
#include <stddef.h>

#include <vtc/port.h>

#define BIT(n) (1ull << (n))

#define PROTOCOL_WANTED (BIT(VTC__VHOST_PF_MQ) | BIT(VTC__VHOST_PF_REPLY_ACK))

/* Packed: both positions are 0, with their wrap counters at 1. */
#define PACKED_BASE 0x80008000u

/* A feature is worth nothing without those that it builds on. */
static const struct {
	uint64_t of;
	uint64_t needs; /* one of them */
} dependencies[] = {
	{ BIT(VTC_NET_F_HOST_TSO4) | BIT(VTC_NET_F_HOST_TSO6) | BIT(VTC_NET_F_HOST_USO),
	  BIT(VTC_NET_F_CSUM) },
	{ BIT(VTC_NET_F_HOST_ECN), BIT(VTC_NET_F_HOST_TSO4) | BIT(VTC_NET_F_HOST_TSO6) },
	{ BIT(VTC_NET_F_GUEST_TSO4) | BIT(VTC_NET_F_GUEST_TSO6) |
		  BIT(VTC_NET_F_GUEST_USO4) | BIT(VTC_NET_F_GUEST_USO6),
	  BIT(VTC_NET_F_GUEST_CSUM) },
	{ BIT(VTC_NET_F_GUEST_ECN),
	  BIT(VTC_NET_F_GUEST_TSO4) | BIT(VTC_NET_F_GUEST_TSO6) },
};

static uint64_t complete(const struct vtc__vhost_handshake *h, uint64_t features)
{
	if (!(features & BIT(VTC_NET_F_MRG_RXBUF)))
		features &= ~h->needs_mergeable;
	for (unsigned int i = 0; i < sizeof(dependencies) / sizeof(*dependencies); i++) {
		if (!(features & dependencies[i].needs))
			features &= ~dependencies[i].of;
	}
	return features;
}

static int fail(struct vtc__vhost_handshake *h, const char *why)
{
	h->why = why;
	return -EPROTO;
}

/* ---- Messages ---- */

static int send(struct vtc__vhost_handshake *h, struct vtc__vhost_message *m,
		uint32_t request)
{
	int err;

	m->request = request;
	m->flags = VTC__VHOST_VERSION;
	if (h->protocol & BIT(VTC__VHOST_PF_REPLY_ACK) &&
	    !vtc__vhost_has_reply(request, h->protocol))
		m->flags |= VTC__VHOST_NEED_REPLY;
	err = vtc__vhost_link_send(h->link, m);
	if (err)
		h->why = "a message cannot be sent";
	return err;
}

static int send_empty(struct vtc__vhost_handshake *h, uint32_t request)
{
	struct vtc__vhost_message m = { 0 };

	return send(h, &m, request);
}

static int send_u64(struct vtc__vhost_handshake *h, uint32_t request, uint64_t u64)
{
	struct vtc__vhost_message m = { .size = sizeof(u64), .payload.u64 = u64 };

	return send(h, &m, request);
}

static int send_state(struct vtc__vhost_handshake *h, uint32_t request, uint32_t index,
		      uint32_t num)
{
	struct vtc__vhost_message m = { .size = sizeof(struct vtc__vhost_state),
					.payload.state = { index, num } };

	return send(h, &m, request);
}

static int send_fd(struct vtc__vhost_handshake *h, uint32_t request, uint32_t index,
		   int fd)
{
	struct vtc__vhost_message m = { .size = sizeof(uint64_t),
					.fd_count = 1,
					.fds = { fd },
					.payload.u64 = index };

	return send(h, &m, request);
}

static int send_memory(struct vtc__vhost_handshake *h)
{
	struct vtc__vhost_message m = { .fd_count = 1, .fds = { h->pool->fd } };

	m.size = offsetof(struct vtc__vhost_memory, region[1]);
	m.payload.memory.count = 1;
	m.payload.memory.region[0] = vtc__vhost_pool_region(h->pool);
	return send(h, &m, VTC__VHOST_SET_MEM_TABLE);
}

static int send_addr(struct vtc__vhost_handshake *h, uint32_t ring)
{
	struct vtc__vhost_message m = { .size = sizeof(struct vtc__vhost_addr),
					.payload.addr =
						vtc__vhost_pool_addr(h->pool, ring) };

	return send(h, &m, VTC__VHOST_SET_VRING_ADDR);
}

static int send_ring(struct vtc__vhost_handshake *h, uint32_t ring)
{
	const struct vtc__vhost_bells *bells = &h->bells[ring];
	uint32_t base = h->features & BIT(VTC_VRING_F_PACKED) ? PACKED_BASE : 0;
	int err = send_state(h, VTC__VHOST_SET_VRING_NUM, ring, h->pool->ring_size);

	if (!err)
		err = send_state(h, VTC__VHOST_SET_VRING_BASE, ring, base);
	if (!err)
		err = send_addr(h, ring);
	if (!err)
		err = send_fd(h, VTC__VHOST_SET_VRING_KICK, ring, bells->kick);
	if (!err)
		err = send_fd(h, VTC__VHOST_SET_VRING_CALL, ring, bells->call);
	if (!err && h->features & BIT(VTC__VHOST_F_PROTOCOL_FEATURES))
		err = send_state(h, VTC__VHOST_SET_VRING_ENABLE, ring, 1);
	return err;
}

/* ---- Steps ---- */

static int ask(struct vtc__vhost_handshake *h, uint32_t request,
	       enum vtc__vhost_step step)
{
	h->step = step;
	return send_empty(h, request);
}

int vtc__vhost_handshake_begin(struct vtc__vhost_handshake *h)
{
	int err;

	h->protocol = 0;
	h->next = 0;
	h->why = NULL;
	err = send_empty(h, VTC__VHOST_SET_OWNER);
	return err ? err : ask(h, VTC__VHOST_GET_FEATURES, VTC__VHOST_WAIT_FEATURES);
}

static int agree(struct vtc__vhost_handshake *h, uint64_t pairs)
{
	h->pairs = pairs < h->wanted_pairs ? (uint32_t)pairs : h->wanted_pairs;
	if (!h->pairs)
		return fail(h, "the backend has no queues");
	h->step = VTC__VHOST_AGREED;
	return 0;
}

static int has_features(struct vtc__vhost_handshake *h, uint64_t offered)
{
	h->offered = offered;
	h->features = complete(h, offered & h->wanted);
	if (!(h->features & BIT(VTC__F_VERSION_1)))
		return fail(h, "the backend does not offer VERSION_1");
	if (offered & BIT(VTC__VHOST_F_PROTOCOL_FEATURES))
		return ask(h, VTC__VHOST_GET_PROTOCOL_FEATURES, VTC__VHOST_WAIT_PROTOCOL);
	return agree(h, 1);
}

static int has_protocol(struct vtc__vhost_handshake *h, uint64_t offered)
{
	uint64_t protocol = offered & PROTOCOL_WANTED;
	int err;

	h->features |= BIT(VTC__VHOST_F_PROTOCOL_FEATURES);
	err = send_u64(h, VTC__VHOST_SET_PROTOCOL_FEATURES, protocol);
	if (err)
		return err;
	h->protocol = protocol;
	vtc__vhost_link_set_protocol(h->link, protocol);
	if (protocol & BIT(VTC__VHOST_PF_MQ) && h->features & BIT(VTC_NET_F_MQ))
		return ask(h, VTC__VHOST_GET_QUEUE_NUM, VTC__VHOST_WAIT_QUEUES);
	return agree(h, 1);
}

int vtc__vhost_handshake_go_on(struct vtc__vhost_handshake *h)
{
	int err = send_u64(h, VTC__VHOST_SET_FEATURES, h->features);

	if (!err)
		err = send_memory(h);
	return err ? err : ask(h, VTC__VHOST_GET_FEATURES, VTC__VHOST_WAIT_RINGS);
}

static int next_ring(struct vtc__vhost_handshake *h)
{
	int err;

	if (h->next == 2 * h->pairs) {
		h->step = VTC__VHOST_RUNNING;
		return 0;
	}
	err = send_ring(h, h->next++);
	return err ? err : ask(h, VTC__VHOST_GET_FEATURES, VTC__VHOST_WAIT_RINGS);
}

static int acknowledged(struct vtc__vhost_handshake *h,
			const struct vtc__vhost_message *m)
{
	if (!m->payload.u64)
		return 0;
	switch (m->request) {
	case VTC__VHOST_SET_FEATURES:
		return fail(h, "the backend refused the features");
	case VTC__VHOST_SET_MEM_TABLE:
		return fail(h, "the backend refused the memory");
	default:
		return fail(h, "the backend refused a ring");
	}
}

static uint32_t question(const struct vtc__vhost_handshake *h)
{
	switch (h->step) {
	case VTC__VHOST_WAIT_FEATURES:
	case VTC__VHOST_WAIT_RINGS:
		return VTC__VHOST_GET_FEATURES;
	case VTC__VHOST_WAIT_PROTOCOL:
		return VTC__VHOST_GET_PROTOCOL_FEATURES;
	case VTC__VHOST_WAIT_QUEUES:
		return VTC__VHOST_GET_QUEUE_NUM;
	default:
		return 0;
	}
}

int vtc__vhost_handshake_message(struct vtc__vhost_handshake *h,
				 const struct vtc__vhost_message *m)
{
	if (h->step == VTC__VHOST_WAIT_RINGS &&
	    !vtc__vhost_has_reply(m->request, h->protocol))
		return acknowledged(h, m);
	if (m->request != question(h))
		return fail(h, "the backend replied to what it was not asked");
	switch (h->step) {
	case VTC__VHOST_WAIT_FEATURES:
		return has_features(h, m->payload.u64);
	case VTC__VHOST_WAIT_PROTOCOL:
		return has_protocol(h, m->payload.u64);
	case VTC__VHOST_WAIT_QUEUES:
		return agree(h, m->payload.u64);
	default:
		return next_ring(h);
	}
}
