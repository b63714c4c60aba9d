/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the messages of a frontend do to a backend. */
#include <endian.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "feed.h"
#include "memfd.h"
#include "vhost-backend.h"

#define BIT(n) (1ull << (n))
#define PF(n)  BIT(VTC__VHOST_PF_##n)

#define PROTOCOL                                                                         \
	(PF(MQ) | PF(LOG_SHMFD) | PF(RARP) | PF(REPLY_ACK) | PF(MTU) | PF(BACKEND_REQ) | \
	 PF(CONFIG) | PF(INFLIGHT) | PF(RESET_DEVICE) | PF(MEM_SLOTS) | PF(STATUS))

#define REFUSED 1

#define MTU_MIN	  68u
#define MTU_MAX	  65535u
#define FRAME_LEN 60u

/* VIRTIO 5.1.4 */
struct net_config {
	uint8_t mac[6];
	uint16_t status;
	uint16_t queue_pairs;
	uint16_t mtu;
};
#define LINK_UP 1u

typedef struct vtc__vhost_message message;

static int fail(int err, const char *why, const char **ret_why)
{
	*ret_why = why;
	return err;
}

static int take_fd(message *m)
{
	int fd = m->fds[0];

	m->fds[0] = -1;
	return fd;
}

static int reply_u64(struct vtc__vhost_backend *b, const message *m, uint64_t value)
{
	message reply = { .size = sizeof(value), .payload.u64 = value };

	(void)vtc__vhost_link_reply(b->link, m, &reply);
	return 0;
}

static struct vtc__vhost_ring *ring_at(struct vtc__vhost_backend *b, uint32_t index,
				       const char **ret_why)
{
	if (index < 2 * b->port.queue_pairs)
		return &b->rings[index];
	*ret_why = "there is no such ring";
	return NULL;
}

static bool is_running(const struct vtc__vhost_backend *b)
{
	for (unsigned int i = 0; i < 2 * b->port.queue_pairs; i++) {
		if (b->rings[i].vring)
			return true;
	}
	return false;
}

/* ---- Features ---- */

static int get_features(struct vtc__vhost_backend *b, message *m, const char **ret_why)
{
	(void)ret_why;
	return reply_u64(b, m, b->offered);
}

/* Rings that start without the protocol features are on at once. */
static void enable_without_asking(struct vtc__vhost_backend *b)
{
	if (b->setting.features & BIT(VTC__VHOST_F_PROTOCOL_FEATURES))
		return;
	for (unsigned int i = 0; i < 2 * b->port.queue_pairs; i++)
		b->rings[i].enabled = true;
}

static int use_log(struct vtc__vhost_backend *b, const char **ret_why)
{
	bool on = b->setting.features & BIT(VTC__VHOST_F_LOG_ALL);

	return vtc__vhost_space_use_log(&b->space, on, ret_why);
}

/* Each queue pair may come with the same features again, also while others run. */
static int set_features(struct vtc__vhost_backend *b, message *m, const char **ret_why)
{
	uint64_t features = m->payload.u64, changed = features ^ b->setting.features;
	int err;

	if (features & ~b->offered)
		return fail(-EPROTO, "a feature was not offered", ret_why);
	if (!(features & BIT(VTC__F_VERSION_1)))
		return fail(-EPROTO,
			    "the driver does not take VIRTIO_F_VERSION_1: legacy devices "
			    "are not supported",
			    ret_why);
	if (changed & ~BIT(VTC__VHOST_F_LOG_ALL) && is_running(b))
		return fail(-EPROTO, "features change while a ring runs", ret_why);
	b->setting.features = features;
	enable_without_asking(b);
	err = use_log(b, ret_why);
	return err ? err : vtc__vhost_backend_update(b, ret_why);
}

static int get_protocol_features(struct vtc__vhost_backend *b, message *m,
				 const char **ret_why)
{
	(void)ret_why;
	return reply_u64(b, m, PROTOCOL);
}

static int set_protocol_features(struct vtc__vhost_backend *b, message *m,
				 const char **ret_why)
{
	if (m->payload.u64 & ~PROTOCOL)
		return fail(-EPROTO, "a protocol feature was not offered", ret_why);
	b->protocol = m->payload.u64;
	vtc__vhost_link_set_protocol(b->link, b->protocol);
	return 0;
}

static int get_queue_num(struct vtc__vhost_backend *b, message *m, const char **ret_why)
{
	(void)ret_why;
	return reply_u64(b, m, b->port.queue_pairs);
}

static int get_max_mem_slots(struct vtc__vhost_backend *b, message *m,
			     const char **ret_why)
{
	(void)ret_why;
	return reply_u64(b, m, VTC_MEM_REGIONS_MAX);
}

/* ---- Memory ---- */

static int set_mem_table(struct vtc__vhost_backend *b, message *m, const char **ret_why)
{
	int err = vtc__vhost_space_set(&b->space, &m->payload.memory, m->fds, ret_why);

	return err ? err : vtc__vhost_backend_update(b, ret_why);
}

static int add_mem_reg(struct vtc__vhost_backend *b, message *m, const char **ret_why)
{
	int err = vtc__vhost_space_add(&b->space, &m->payload.mem_reg.region, m->fds[0],
				       ret_why);

	return err ? err : vtc__vhost_backend_update(b, ret_why);
}

static int rem_mem_reg(struct vtc__vhost_backend *b, message *m, const char **ret_why)
{
	int err = vtc__vhost_space_remove(&b->space, &m->payload.mem_reg.region, ret_why);

	return err ? err : vtc__vhost_backend_update(b, ret_why);
}

static int set_log_base(struct vtc__vhost_backend *b, message *m, const char **ret_why)
{
	int err;

	if (!(b->protocol & PF(LOG_SHMFD)))
		return fail(-EPROTO, "the log comes without a descriptor", ret_why);
	err = vtc__vhost_space_set_log(&b->space, m->fds[0], &m->payload.log, ret_why);
	if (!err)
		err = use_log(b, ret_why);
	return err ? err : reply_u64(b, m, 0);
}

/* ---- Rings ---- */

static int set_vring_num(struct vtc__vhost_backend *b, message *m, const char **ret_why)
{
	const struct vtc__vhost_state *s = &m->payload.state;
	struct vtc__vhost_ring *r = ring_at(b, s->index, ret_why);

	if (!r)
		return -EPROTO;
	if (!s->num || s->num > VTC_VRING_SIZE_MAX)
		return fail(-EPROTO, "the size of a ring is not 1 to 32768", ret_why);
	if (r->vring && s->num != r->size)
		return fail(-EPROTO, "the size changes while the ring runs", ret_why);
	r->size = s->num;
	return vtc__vhost_backend_update(b, ret_why);
}

static int set_vring_addr(struct vtc__vhost_backend *b, message *m, const char **ret_why)
{
	struct vtc__vhost_ring *r = ring_at(b, m->payload.addr.index, ret_why);

	if (!r)
		return -EPROTO;
	r->addr = m->payload.addr;
	r->has_addr = true;
	return vtc__vhost_backend_update(b, ret_why);
}

static int set_vring_base(struct vtc__vhost_backend *b, message *m, const char **ret_why)
{
	struct vtc__vhost_ring *r = ring_at(b, m->payload.state.index, ret_why);

	if (!r)
		return -EPROTO;
	if (r->vring)
		return fail(-EPROTO, "the base changes while the ring runs", ret_why);
	r->base = m->payload.state.num;
	return 0;
}

static int get_vring_base(struct vtc__vhost_backend *b, message *m, const char **ret_why)
{
	struct vtc__vhost_ring *r = ring_at(b, m->payload.state.index, ret_why);
	message reply = { .size = sizeof(reply.payload.state) };
	int err;

	if (!r)
		return -EPROTO;
	vtc__vhost_ring_stop(r);
	reply.payload.state = (struct vtc__vhost_state){ r->index, r->base };
	err = vtc__vhost_backend_update(b, ret_why);
	if (!err)
		(void)vtc__vhost_link_reply(b->link, m, &reply);
	return err;
}

static int set_vring_fd(struct vtc__vhost_backend *b, message *m,
			int (*set)(struct vtc__vhost_ring *r, int fd),
			const char **ret_why, struct vtc__vhost_ring **ret_ring)
{
	struct vtc__vhost_ring *r =
		ring_at(b, m->payload.u64 & VTC__VHOST_QUEUE_MASK, ret_why);
	int err;

	if (!r)
		return -EPROTO;
	err = set(r, take_fd(m));
	*ret_ring = r;
	return err ? fail(err, "the descriptor is no eventfd", ret_why) : 0;
}

static int set_vring_kick(struct vtc__vhost_backend *b, message *m, const char **ret_why)
{
	struct vtc__vhost_ring *r;
	int err = set_vring_fd(b, m, vtc__vhost_ring_set_kick, ret_why, &r);

	if (err)
		return err;
	r->started = true;
	return vtc__vhost_backend_update(b, ret_why);
}

static int set_vring_call(struct vtc__vhost_backend *b, message *m, const char **ret_why)
{
	struct vtc__vhost_ring *r;

	return set_vring_fd(b, m, vtc__vhost_ring_set_call, ret_why, &r);
}

static int set_vring_err(struct vtc__vhost_backend *b, message *m, const char **ret_why)
{
	struct vtc__vhost_ring *r;

	return set_vring_fd(b, m, vtc__vhost_ring_set_err, ret_why, &r);
}

static int set_vring_enable(struct vtc__vhost_backend *b, message *m,
			    const char **ret_why)
{
	struct vtc__vhost_ring *r = ring_at(b, m->payload.state.index, ret_why);

	if (!r)
		return -EPROTO;
	r->enabled = m->payload.state.num;
	r->off = !r->enabled;
	return vtc__vhost_backend_update(b, ret_why);
}

/* ---- The device ---- */

static int get_status(struct vtc__vhost_backend *b, message *m, const char **ret_why)
{
	(void)ret_why;
	return reply_u64(b, m, b->status);
}

static int set_status(struct vtc__vhost_backend *b, message *m, const char **ret_why)
{
	if (m->payload.u64 > UINT8_MAX)
		return fail(-EPROTO, "the status is above 255", ret_why);
	b->status = (uint8_t)m->payload.u64;
	return 0;
}

/*
 * As new, but for what belongs to the connection: memory, log, in-flight records and the
 * frontend's descriptors.
 */
static int reset_device(struct vtc__vhost_backend *b, message *m, const char **ret_why)
{
	(void)m;
	for (unsigned int i = 0; i < 2 * b->port.queue_pairs; i++) {
		struct vtc__vhost_ring *r = &b->rings[i];

		vtc__vhost_ring_stop(r);
		r->enabled = r->off = false;
		r->base = 0;
		r->size = 0;
	}
	b->setting.features = 0;
	b->status = 0;
	b->mtu = b->own_mtu;
	(void)use_log(b, ret_why);
	return vtc__vhost_backend_update(b, ret_why);
}

static void fill_config(const struct vtc__vhost_backend *b, struct net_config *config)
{
	memcpy(config->mac, b->mac, sizeof(config->mac));
	config->status = htole16(LINK_UP);
	config->queue_pairs = htole16((uint16_t)b->port.queue_pairs);
	config->mtu = htole16(b->mtu);
}

/* A reply without payload: there is no such part of the configuration. */
static int get_config(struct vtc__vhost_backend *b, message *m, const char **ret_why)
{
	const struct vtc__vhost_config *want = &m->payload.config;
	uint8_t bytes[VTC__VHOST_CONFIG_MAX] = { 0 };
	struct net_config config;
	message reply = { .size = 0 };

	(void)ret_why;
	if (want->offset <= sizeof(bytes) && want->size <= sizeof(bytes) - want->offset) {
		fill_config(b, &config);
		memcpy(bytes, &config, sizeof(config));
		reply.payload.config = *want;
		memcpy(reply.payload.config.bytes, bytes + want->offset, want->size);
		reply.size =
			(uint32_t)offsetof(struct vtc__vhost_config, bytes) + want->size;
	}
	(void)vtc__vhost_link_reply(b->link, m, &reply);
	return 0;
}

/* All of it is read-only for a modern driver. */
static int set_config(struct vtc__vhost_backend *b, message *m, const char **ret_why)
{
	(void)b;
	(void)m;
	return fail(REFUSED, "the configuration is read-only", ret_why);
}

static int net_set_mtu(struct vtc__vhost_backend *b, message *m, const char **ret_why)
{
	uint64_t mtu = m->payload.u64;

	if (mtu < MTU_MIN || mtu > MTU_MAX)
		return fail(REFUSED, "the MTU is not 68 to 65535", ret_why);
	b->mtu = (uint16_t)mtu;
	return 0;
}

static int set_backend_req_fd(struct vtc__vhost_backend *b, message *m,
			      const char **ret_why)
{
	(void)ret_why;
	if (b->channel >= 0)
		(void)close(b->channel);
	b->channel = take_fd(m);
	return 0;
}

static int ignore(struct vtc__vhost_backend *b, message *m, const char **ret_why)
{
	(void)b;
	(void)m;
	(void)ret_why;
	return 0;
}

/* ---- RARP: tells the switches behind us where the guest is now ---- */

/* Reverse request (RFC 903) for the address itself. */
static void fill_rarp(uint8_t frame[FRAME_LEN], const uint8_t mac[6])
{
	static const uint8_t fixed[] = { 0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3 };

	memset(frame, 0, FRAME_LEN);
	memset(frame, 0xff, 6);
	memcpy(frame + 6, mac, 6);
	memcpy(frame + 12, fixed, sizeof(fixed));
	memcpy(frame + 22, mac, 6);
	memcpy(frame + 32, mac, 6);
}

static void consume_frame(struct vtc_port *peer, const uint8_t *frame)
{
	uint8_t header[VTC__HDR_LEN] = { 0 };
	struct vtc_segment segments[] = { { header, sizeof(header) },
					  { (void *)frame, FRAME_LEN } };
	const struct vtc_chain chain = { .segments = segments,
					 .readable = 2,
					 .readable_bytes = VTC__HDR_LEN + FRAME_LEN };

	(void)vtc__feed_chains(peer, 0, &chain, 1);
}

/* Lost if there is no room: frontends ask several times. */
static int send_rarp(struct vtc__vhost_backend *b, message *m, const char **ret_why)
{
	struct vtc_port *peer = b->port.peer;
	uint8_t frame[FRAME_LEN], mac[6];
	const struct vtc_segment segment = { frame, FRAME_LEN };
	const struct vtc_packet packet = { .segments = &segment,
					   .count = 1,
					   .len = FRAME_LEN };

	(void)ret_why;
	memcpy(mac, &m->payload.u64, sizeof(mac));
	fill_rarp(frame, mac);
	if (peer && peer->ops->consume)
		consume_frame(peer, frame);
	else if (peer)
		(void)vtc_port_send(peer, 0, &packet, 1);
	return 0;
}

/* ---- Records of what is in flight ---- */

static int check_inflight(const struct vtc__vhost_backend *b,
			  const struct vtc__vhost_inflight *f, const char **ret_why)
{
	if (!f->queues || f->queues > 2 * b->port.queue_pairs)
		return fail(-EPROTO, "the number of rings is impossible", ret_why);
	if (!f->queue_size || f->queue_size > VTC_VRING_SIZE_MAX)
		return fail(-EPROTO, "the size of a ring is not 1 to 32768", ret_why);
	return 0;
}

static uint64_t inflight_size(const struct vtc__vhost_backend *b,
			      const struct vtc__vhost_inflight *f)
{
	bool packed = b->setting.features & BIT(VTC_VRING_F_PACKED);

	return f->queues * vtc__vhost_record_size(packed, f->queue_size);
}

/* The frontend is to give it back to us, and then we use it. */
static int get_inflight_fd(struct vtc__vhost_backend *b, message *m, const char **ret_why)
{
	message reply = { .size = m->size, .fd_count = 1, .payload = m->payload };
	struct vtc__vhost_inflight *f = &reply.payload.inflight;
	int err = check_inflight(b, f, ret_why);

	if (err)
		return err;
	f->size = inflight_size(b, f);
	f->offset = 0;
	reply.fds[0] = vtc__memfd_new("vhost-inflight", f->size);
	if (reply.fds[0] < 0)
		return fail(reply.fds[0], "memory for the record cannot be had", ret_why);
	(void)vtc__vhost_link_reply(b->link, m, &reply);
	(void)close(reply.fds[0]);
	return 0;
}

static int set_inflight_fd(struct vtc__vhost_backend *b, message *m, const char **ret_why)
{
	const struct vtc__vhost_inflight *f = &m->payload.inflight;
	struct vtc__vhost_mapping mapping;
	int err = check_inflight(b, f, ret_why);

	if (err)
		return err;
	if (is_running(b))
		return fail(-EPROTO, "the record changes while a ring runs", ret_why);
	if (f->size < inflight_size(b, f) || f->offset % 8)
		return fail(-EPROTO, "the record is too small, or not aligned", ret_why);
	err = vtc__vhost_map(b->port.ctx, m->fds[0], f->offset, f->size, b->space.trusted,
			     &mapping, ret_why);
	if (err)
		return err;
	vtc__vhost_unmap(&b->setting.inflight);
	b->setting.inflight = mapping;
	b->setting.inflight_queues = f->queues;
	b->setting.inflight_entries = f->queue_size;
	return 0;
}

/* ---- All of them ---- */

typedef int (*handler)(struct vtc__vhost_backend *b, message *m, const char **ret_why);

static const handler handlers[] = {
	[VTC__VHOST_GET_FEATURES] = get_features,
	[VTC__VHOST_SET_FEATURES] = set_features,
	[VTC__VHOST_SET_OWNER] = ignore,
	[VTC__VHOST_RESET_OWNER] = ignore,
	[VTC__VHOST_SET_MEM_TABLE] = set_mem_table,
	[VTC__VHOST_SET_LOG_BASE] = set_log_base,
	[VTC__VHOST_SET_LOG_FD] = ignore,
	[VTC__VHOST_SET_VRING_NUM] = set_vring_num,
	[VTC__VHOST_SET_VRING_ADDR] = set_vring_addr,
	[VTC__VHOST_SET_VRING_BASE] = set_vring_base,
	[VTC__VHOST_GET_VRING_BASE] = get_vring_base,
	[VTC__VHOST_SET_VRING_KICK] = set_vring_kick,
	[VTC__VHOST_SET_VRING_CALL] = set_vring_call,
	[VTC__VHOST_SET_VRING_ERR] = set_vring_err,
	[VTC__VHOST_GET_PROTOCOL_FEATURES] = get_protocol_features,
	[VTC__VHOST_SET_PROTOCOL_FEATURES] = set_protocol_features,
	[VTC__VHOST_GET_QUEUE_NUM] = get_queue_num,
	[VTC__VHOST_SET_VRING_ENABLE] = set_vring_enable,
	[VTC__VHOST_SEND_RARP] = send_rarp,
	[VTC__VHOST_NET_SET_MTU] = net_set_mtu,
	[VTC__VHOST_SET_BACKEND_REQ_FD] = set_backend_req_fd,
	[VTC__VHOST_GET_CONFIG] = get_config,
	[VTC__VHOST_SET_CONFIG] = set_config,
	[VTC__VHOST_GET_INFLIGHT_FD] = get_inflight_fd,
	[VTC__VHOST_SET_INFLIGHT_FD] = set_inflight_fd,
	[VTC__VHOST_RESET_DEVICE] = reset_device,
	[VTC__VHOST_GET_MAX_MEM_SLOTS] = get_max_mem_slots,
	[VTC__VHOST_ADD_MEM_REG] = add_mem_reg,
	[VTC__VHOST_REM_MEM_REG] = rem_mem_reg,
	[VTC__VHOST_SET_STATUS] = set_status,
	[VTC__VHOST_GET_STATUS] = get_status,
};

/* The effect comes first; a frontend that is to be left hears that, too. */
int vtc__vhost_request(struct vtc__vhost_backend *b, struct vtc__vhost_message *m,
		       const char **ret_why)
{
	bool acks = b->protocol & PF(REPLY_ACK) && m->flags & VTC__VHOST_NEED_REPLY &&
		    !vtc__vhost_has_reply(m->request, b->protocol);
	int err;

	if (m->request >= sizeof(handlers) / sizeof(handlers[0]) || !handlers[m->request])
		return fail(-EPROTO, "the request is unknown", ret_why);
	err = handlers[m->request](b, m, ret_why);
	if (acks)
		(void)reply_u64(b, m, !!err);
	return err;
}
