/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Vhost-user the other way round: a frontend whose backend replies what it likes, and
 * writes to the memory that they share where it likes. Whatever it does, the frontend
 * closes with nothing left open.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../endpoint/vhostclient.h"
#include "endpoint/vhost-message.h"
#include "fuzz.h"
#include "vtct.h"

#include <vtc/vtc.h>

#define BIT(n)	    (1ull << (n))
#define QUEUE_PAIRS 2
#define RINGS	    (2 * QUEUE_PAIRS)
#define RING_SIZE   8
#define BUFFER_SIZE 128
#define TURNS	    64
#define ACTIONS	    200

struct input {
	const uint8_t *data;
	size_t len;
};

struct backend {
	int fd;
	int call[RINGS];
	uint8_t *memory;
	struct vtc__vhost_region region;
	struct vtc__vhost_addr addr[RINGS];
	uint64_t features;
};

static struct vtc_relay *relay;
static struct vtc_port *port;
static volatile uint8_t sink;

static void need(bool x)
{
	if (!x)
		abort();
}

static uint32_t take(struct input *in)
{
	if (!in->len)
		return 0;
	in->len--;
	return *in->data++;
}

static uint64_t take64(struct input *in)
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++)
		value = value << 8 | take(in);
	return value;
}

static void serve(void)
{
	for (int i = 0; i < TURNS && vtc_relay_process(relay, 64) > 0; i++)
		;
}

/* ---- What the backend is told ---- */

static void share(struct backend *b, const struct vhostclient_reply *r)
{
	struct vtc__vhost_memory table;

	memcpy(&table, r->payload, sizeof(table));
	need(r->fd_count == 1 && table.count == 1);
	if (b->memory)
		(void)munmap(b->memory, b->region.size);
	b->region = table.region[0];
	b->memory = mmap(NULL, b->region.size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 r->fds[0], 0);
	need(b->memory != MAP_FAILED);
}

static void note(struct backend *b, struct vhostclient_reply *r)
{
	struct vtc__vhost_addr addr;
	uint32_t index = r->payload[0];

	if (r->request == VTC__VHOST_SET_MEM_TABLE)
		share(b, r);
	if (r->request == VTC__VHOST_SET_VRING_ADDR) {
		memcpy(&addr, r->payload, sizeof(addr));
		need(addr.index < RINGS);
		b->addr[addr.index] = addr;
	}
	if (r->request == VTC__VHOST_SET_VRING_CALL && r->fd_count) {
		need(index < RINGS);
		if (b->call[index] >= 0)
			(void)close(b->call[index]);
		b->call[index] = r->fds[0];
		r->fds[0] = -1;
	}
	for (unsigned int i = 0; i < r->fd_count; i++) {
		if (r->fds[i] >= 0)
			(void)close(r->fds[i]);
	}
}

static void reply(struct backend *b, uint32_t request, uint64_t value)
{
	(void)vhostclient_request(b->fd, request, VTC__VHOST_VERSION | VTC__VHOST_REPLY,
				  &value, sizeof(value), NULL, 0);
}

static void answer(struct backend *b, const struct vhostclient_reply *r)
{
	switch (r->request) {
	case VTC__VHOST_GET_FEATURES:
		reply(b, r->request, b->features);
		return;
	case VTC__VHOST_GET_PROTOCOL_FEATURES:
		reply(b, r->request,
		      BIT(VTC__VHOST_PF_MQ) | BIT(VTC__VHOST_PF_REPLY_ACK));
		return;
	case VTC__VHOST_GET_QUEUE_NUM:
		reply(b, r->request, QUEUE_PAIRS);
		return;
	default:
		if (r->flags & VTC__VHOST_NEED_REPLY)
			reply(b, r->request, 0);
	}
}

/* ---- What it does ---- */

static void answer_all(struct backend *b)
{
	struct vhostclient_reply r;

	for (int i = 0; i < TURNS && vhostclient_receive(b->fd, &r) == 1; i++) {
		note(b, &r);
		answer(b, &r);
		serve();
	}
}

static void answer_one(struct backend *b, struct input *in)
{
	struct vhostclient_reply r;
	uint32_t how = take(in);

	if (vhostclient_receive(b->fd, &r) != 1)
		return;
	note(b, &r);
	if (how & 1)
		reply(b, r.request, take64(in));
	if (how & 2)
		answer(b, &r);
}

static void say(struct backend *b, struct input *in)
{
	uint8_t payload[64];
	uint32_t request = take(in) % 42, size = take(in) % sizeof(payload);
	int fds[] = { STDERR_FILENO, STDERR_FILENO };

	for (uint32_t i = 0; i < size; i++)
		payload[i] = (uint8_t)take(in);
	(void)vhostclient_request(b->fd, request, take(in) & 1 ? 1 : 5, payload, size,
				  fds, take(in) % 3);
}

static void say_bytes(struct backend *b, struct input *in)
{
	uint8_t bytes[16];
	size_t len = 1 + take(in) % sizeof(bytes);

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)take(in);
	(void)vhostclient_send(b->fd, bytes, len, NULL, 0);
}

/* In a part of a ring, or anywhere. */
static void write_memory(struct backend *b, struct input *in)
{
	uint32_t how = take(in), ring = how % RINGS;
	const struct vtc__vhost_addr *a = &b->addr[ring];
	uint64_t at[] = { a->used, a->desc, a->avail, take(in) * 64ull };
	uint64_t offset = at[how / 4 % 4];
	size_t len = how / 16;

	if (!b->memory)
		return;
	if (how / 4 % 4 < 3)
		offset -= b->region.user_addr;
	offset += take(in);
	for (size_t i = 0; i < len; i++) {
		uint8_t byte = (uint8_t)take(in);

		if (offset + i < b->region.size)
			b->memory[offset + i] = byte;
	}
}

/* Give back buffers on a split ring as a device does it; ids and lengths may be wrong. */
static void use(struct backend *b, struct input *in)
{
	uint32_t how = take(in), elem[2] = { how / 4 % RING_SIZE, take(in) };
	const struct vtc__vhost_addr *a = &b->addr[how % RINGS];
	uint8_t *used;
	uint16_t idx;

	if (!b->memory ||
	    a->used - b->region.user_addr > b->region.size - 4 - 8 * RING_SIZE)
		return;
	if (how & 0x80)
		elem[how / 64 % 2] ^= (uint32_t)take64(in);
	used = b->memory + (a->used - b->region.user_addr);
	memcpy(&idx, used + 2, sizeof(idx));
	memcpy(used + 4 + 8 * (idx % RING_SIZE), elem, sizeof(elem));
	idx++;
	memcpy(used + 2, &idx, sizeof(idx));
}

/* The same on a packed ring. */
static void use_packed(struct backend *b, struct input *in)
{
	uint32_t how = take(in), at = how / 4 % RING_SIZE, len = take(in);
	const struct vtc__vhost_addr *a = &b->addr[how % RINGS];
	uint16_t id = (uint16_t)(how & 0x80 ? take(in) : at);
	uint16_t flags = how & 0x20 ? 0 : 1u << 7 | 1u << 15;
	uint8_t *desc;

	if (!b->memory || a->desc - b->region.user_addr > b->region.size - 16 * RING_SIZE)
		return;
	desc = b->memory + (a->desc - b->region.user_addr) + 16 * at;
	if (how & 0x40)
		len ^= (uint32_t)take64(in);
	memcpy(desc + 8, &len, sizeof(len));
	memcpy(desc + 12, &id, sizeof(id));
	memcpy(desc + 14, &flags, sizeof(flags));
}

static void call(struct backend *b, struct input *in)
{
	uint64_t one = 1;
	int fd = b->call[take(in) % RINGS];

	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
		need(errno == EAGAIN);
}

/* ---- What the frontend's owner does ---- */

static void send_packet(struct input *in)
{
	static uint8_t bytes[4096];
	uint32_t how = take(in);
	struct vtc_segment segment = { bytes, 14 + take(in) * (how & 1 ? 16 : 1) };
	struct vtc_packet packet = { &segment, 1, (uint32_t)segment.len, { 0 }, 0 };

	need(vtc_port_send(port, how / 2 % 3, &packet, 1) >= 0);
}

static unsigned int take_packets(void *data, unsigned int queue,
				 const struct vtc_packet *packets, unsigned int count)
{
	(void)data;
	(void)queue;
	for (unsigned int i = 0; i < count; i++) {
		for (uint32_t n = 0; n < packets[i].count; n++) {
			const struct vtc_segment *s = &packets[i].segments[n];

			for (size_t at = 0; at < s->len; at++)
				sink = ((const uint8_t *)s->base)[at];
		}
	}
	return count;
}

static void act(struct backend *b, struct input *in)
{
	switch (take(in) % 12) {
	case 0:
	case 1:
		answer_all(b);
		break;
	case 2:
		answer_one(b, in);
		break;
	case 3:
		say(b, in);
		break;
	case 4:
		say_bytes(b, in);
		break;
	case 5:
		write_memory(b, in);
		break;
	case 6:
	case 7:
		use(b, in);
		break;
	case 8:
		use_packed(b, in);
		break;
	case 9:
		call(b, in);
		break;
	default:
		send_packet(in);
	}
}

/* ---- Both ---- */

static uint64_t take_features(struct input *in)
{
	uint64_t features = BIT(VTC__F_VERSION_1) | BIT(VTC_NET_F_CSUM);
	uint32_t how = take(in);

	if (!(how & 1))
		features |= BIT(VTC__VHOST_F_PROTOCOL_FEATURES) | BIT(VTC_NET_F_MQ);
	if (how & 2)
		features |= BIT(VTC_VRING_F_PACKED);
	if (how & 4)
		features |= BIT(VTC_VRING_F_EVENT_IDX);
	if (how & 8)
		features |= BIT(VTC_VRING_F_IN_ORDER);
	if (how & 16)
		features |= BIT(VTC_NET_F_MRG_RXBUF) | BIT(VTC_NET_F_HOST_TSO4);
	if (how & 32)
		features |= BIT(VTC_VRING_F_INDIRECT);
	if (how & 128)
		features ^= take64(in);
	return features;
}

static void open_port(struct vtc_ctx *ctx, int fd)
{
	struct vtc_vhost_user_opts o = VTC_VHOST_USER_OPTS_INIT;

	o.role = VTC_VRING_DRIVER;
	o.fd = fd;
	o.queue_pairs = QUEUE_PAIRS;
	o.ring_size = RING_SIZE;
	o.buffer_size = BUFFER_SIZE;
	need(!vtc_port_open_vhost_user(ctx, &o, &port));
	(void)close(fd);
}

static void hang_up(struct backend *b)
{
	for (unsigned int i = 0; i < RINGS; i++) {
		if (b->call[i] >= 0)
			(void)close(b->call[i]);
	}
	if (b->memory)
		(void)munmap(b->memory, b->region.size);
	(void)close(b->fd);
}

static void attack(struct vtc_ctx *ctx, struct input *in)
{
	struct backend b = { .call = { -1, -1, -1, -1 }, .features = take_features(in) };
	struct vtc_callback_opts co = VTC_CALLBACK_OPTS_INIT;
	struct vtc_relay_opts ro = VTC_RELAY_OPTS_INIT;
	struct vtc_port *callback;
	int pair[2];

	vhostclient_pair(pair);
	b.fd = pair[1];
	open_port(ctx, pair[0]);
	ro.spin_ns = 1;
	co.packets = take_packets;
	need(!vtc_relay_new(ctx, &ro, &relay));
	need(!vtc_port_new_callback(ctx, &co, &callback));
	need(!vtc_relay_join(relay, port, callback));
	serve();
	for (int i = 0; in->len && i < ACTIONS; i++) {
		act(&b, in);
		serve();
	}
	hang_up(&b);
	serve();
	vtc_port_close(port);
	vtc_port_close(callback);
	vtc_relay_free(relay);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = { data, len };
	int before = vtct_count_fds();
	struct vtc_ctx *ctx;

	need(!vtc_ctx_new(NULL, &ctx));
	attack(ctx, &in);
	vtc_ctx_unref(ctx);
	need(vtct_count_fds() == before);
	return 0;
}
