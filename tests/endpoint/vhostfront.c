/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A vhost-user frontend: see vhostfront.h. */
#include "vhostfront.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rig.h"
#include "vtct.h"

#define BIT(n) (1ull << (n))
#define HDR    12u

#define RINGS_GUEST   0x100000ull
#define RINGS_USER    0x7f1200000000ull
#define RINGS_STRIDE  0x20000ull
#define DRIVER_OFFSET 0x8000ull
#define DEVICE_OFFSET 0x10000ull
#define RINGS_SIZE    (VHOSTFRONT_RINGS * RINGS_STRIDE)
#define DATA_GUEST    0x140000000ull
#define DATA_USER     0x550000000000ull

/* ---- Memory and driver ---- */

uint8_t *vhostfront_at(const struct vhostfront *f, uint64_t guest_addr)
{
	for (unsigned int i = 0; i < VHOSTFRONT_REGIONS; i++) {
		const struct vtc__vhost_region *r = &f->regions[i];

		if (guest_addr - r->guest_addr < r->size)
			return f->memory + r->mmap_offset + (guest_addr - r->guest_addr);
	}
	vtct_die("no memory at %#llx", (unsigned long long)guest_addr);
}

uint64_t vhostfront_user(const struct vhostfront *f, uint64_t guest_addr)
{
	for (unsigned int i = 0; i < VHOSTFRONT_REGIONS; i++) {
		const struct vtc__vhost_region *r = &f->regions[i];

		if (guest_addr - r->guest_addr < r->size)
			return guest_addr - r->guest_addr + r->user_addr;
	}
	return guest_addr;
}

uint64_t vhostfront_slot(const struct vhostfront *f, unsigned int ring, unsigned int slot)
{
	return f->regions[1].guest_addr +
	       (ring * f->plan.ring_size + slot) * (uint64_t)f->plan.buffer_len;
}

static void make_memory(struct vhostfront *f)
{
	uint64_t data = (uint64_t)f->rings * f->plan.ring_size * f->plan.buffer_len;

	data = (data + 0xfff) & ~0xfffull;
	f->memfd = memfd_create("vhostfront", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (f->memfd < 0 || ftruncate(f->memfd, (off_t)(RINGS_SIZE + data)))
		vtct_die("memfd: %s", strerror(errno));
	if (!f->plan.unsealed && fcntl(f->memfd, F_ADD_SEALS, F_SEAL_SHRINK))
		vtct_die("seals: %s", strerror(errno));
	f->memory = mmap(NULL, RINGS_SIZE + data, PROT_READ | PROT_WRITE, MAP_SHARED,
			 f->memfd, 0);
	if (f->memory == MAP_FAILED)
		vtct_die("mmap: %s", strerror(errno));
	/* The data come first in the file. */
	f->regions[0] =
		(struct vtc__vhost_region){ RINGS_GUEST, RINGS_SIZE, RINGS_USER, data };
	f->regions[1] = (struct vtc__vhost_region){ DATA_GUEST, data, DATA_USER, 0 };
	ck_assert_errno(vtc_mem_new(f->ctx, &f->mem), 0);
	for (unsigned int i = 0; i < VHOSTFRONT_REGIONS; i++) {
		struct vtc_mem_region r = { .sz = sizeof(r),
					    .guest_addr = f->regions[i].guest_addr,
					    .size = f->regions[i].size,
					    .base = f->memory + f->regions[i].mmap_offset,
					    .fd = -1,
					    .perm = VTC_MEM_RW };

		ck_assert_errno(vtc_mem_add(f->mem, &r), 0);
	}
}

static int new_bell(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		vtct_die("eventfd: %s", strerror(errno));
	return fd;
}

static void make_vring(struct vhostfront *f, struct vhostfront_ring *r)
{
	struct vtc_vring_opts o = VTC_VRING_OPTS_INIT;

	o.role = VTC_VRING_DRIVER;
	o.size = f->plan.ring_size;
	o.features[0] = f->features;
	o.desc_addr = r->at[0];
	o.driver_addr = r->at[1];
	o.device_addr = r->at[2];
	ck_assert_errno(vtc_vring_new(f->ctx, f->mem, &o, &r->vring), 0);
	r->base = f->features & BIT(VTC_VRING_F_PACKED) ? BIT(31) | BIT(15) : 0;
	r->free_count = f->plan.ring_size;
	for (unsigned int i = 0; i < r->free_count; i++)
		r->free[i] = r->free_count - 1 - i;
}

void vhostfront_reset_rings(struct vhostfront *f)
{
	for (unsigned int i = 0; i < f->rings; i++) {
		vtc_vring_free(f->ring[i].vring);
		make_vring(f, &f->ring[i]);
	}
}

struct vhostfront *vhostfront_new(struct vtc_ctx *ctx, const struct vhostfront_plan *plan,
				  void (*step)(void *data), void *data)
{
	struct vhostfront *f = vtct_alloc(sizeof(*f));

	memset(f, 0, sizeof(*f));
	if (plan)
		f->plan = *plan;
	f->plan.queue_pairs = f->plan.queue_pairs ? f->plan.queue_pairs : 1;
	f->plan.ring_size = f->plan.ring_size ? f->plan.ring_size : 64;
	f->plan.buffer_len = f->plan.buffer_len ? f->plan.buffer_len : 2048;
	f->ctx = vtc_ctx_ref(ctx);
	f->step = step;
	f->data = data;
	f->fd = f->inflight_fd = -1;
	f->rings = 2 * f->plan.queue_pairs;
	make_memory(f);
	for (unsigned int i = 0; i < f->rings; i++) {
		struct vhostfront_ring *r = &f->ring[i];

		r->kick = new_bell();
		r->call = new_bell();
		r->err = new_bell();
		r->at[0] = RINGS_GUEST + i * RINGS_STRIDE;
		r->at[1] = r->at[0] + DRIVER_OFFSET;
		r->at[2] = r->at[0] + DEVICE_OFFSET;
		r->free = vtct_alloc(f->plan.ring_size * sizeof(r->free[0]));
	}
	return f;
}

void vhostfront_free(struct vhostfront *f)
{
	vhostfront_disconnect(f);
	for (unsigned int i = 0; i < f->rings; i++) {
		vtc_vring_free(f->ring[i].vring);
		close(f->ring[i].kick);
		close(f->ring[i].call);
		close(f->ring[i].err);
		free(f->ring[i].free);
	}
	munmap(f->memory, RINGS_SIZE + f->regions[1].size);
	close(f->memfd);
	if (f->inflight_fd >= 0)
		close(f->inflight_fd);
	vtc_mem_unref(f->mem);
	vtc_ctx_unref(f->ctx);
	free(f);
}

uint64_t vhostfront_heard(int eventfd)
{
	uint64_t count = 0;

	return read(eventfd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

static void ring_bell(int eventfd)
{
	uint64_t one = 1;

	ck_assert_int_eq(write(eventfd, &one, sizeof(one)), sizeof(one));
}

static void reap(struct vhostfront_ring *r)
{
	struct vtc_done done;
	int n;

	while ((n = vtc_vring_reap(r->vring, &done, 1)) == 1)
		r->free[r->free_count++] = done.id;
	ck_assert_msg(!n, "the device broke the ring: %s", vtc_vring_get_error(r->vring));
}

static void kick(struct vhostfront_ring *r)
{
	int n = vtc_vring_kick(r->vring);

	ck_assert_int_ge(n, 0);
	if (n)
		ring_bell(r->kick);
}

unsigned int vhostfront_post(struct vhostfront *f, unsigned int pair, unsigned int count)
{
	struct vhostfront_ring *r = &f->ring[2 * pair];
	unsigned int n;

	for (n = 0; n < count && r->free_count; n++) {
		unsigned int slot = r->free[--r->free_count];
		struct vtc_buffer b = { .guest_addr = vhostfront_slot(f, 2 * pair, slot),
					.len = f->plan.buffer_len };
		struct vtc_add add = { .buffers = &b, .writable = 1, .id = slot };

		ck_assert_int_eq(vtc_vring_add(r->vring, &add, 1), 1);
	}
	kick(r);
	return n;
}

void vhostfront_send(struct vhostfront *f, unsigned int pair, unsigned int len,
		     unsigned int number, unsigned int pieces, bool quiet)
{
	unsigned int ring = 2 * pair + 1, n = 0;
	struct vhostfront_ring *r = &f->ring[ring];
	struct vtc_buffer b[16] = { { 0 } };
	struct vtc_add add = { .buffers = b };
	uint32_t left = HDR + len;
	uint64_t at;

	reap(r);
	ck_assert_uint_gt(r->free_count, 0);
	ck_assert_uint_le(left, f->plan.buffer_len);
	add.id = r->free[--r->free_count];
	at = vhostfront_slot(f, ring, add.id);
	memset(vhostfront_at(f, at), 0, HDR);
	rig_fill(vhostfront_at(f, at) + HDR, len, number);
	for (; n + 1 < pieces && left > 20; n++, left -= 20, at += 20)
		b[n] = (struct vtc_buffer){ .guest_addr = at, .len = 20 };
	b[n++] = (struct vtc_buffer){ .guest_addr = at, .len = left };
	add.readable = (uint16_t)n;
	ck_assert_int_eq(vtc_vring_add(r->vring, &add, 1), 1);
	if (quiet)
		ck_assert_int_ge(vtc_vring_kick(r->vring), 0);
	else
		kick(r);
}

unsigned int vhostfront_unsent(struct vhostfront *f, unsigned int pair)
{
	struct vhostfront_ring *r = &f->ring[2 * pair + 1];

	reap(r);
	return f->plan.ring_size - r->free_count;
}

long vhostfront_receive(struct vhostfront *f, unsigned int pair, uint8_t *packet,
			unsigned int room)
{
	struct vhostfront_ring *r = &f->ring[2 * pair];
	unsigned int left = 1, skip = HDR;
	struct vtc_done done;
	long len = 0;

	for (bool first = true; left; left--, first = false, skip = 0) {
		const uint8_t *at;
		int n = vtc_vring_reap(r->vring, &done, 1);

		ck_assert_msg(n >= 0, "the device broke the ring: %s",
			      vtc_vring_get_error(r->vring));
		if (!n) {
			ck_assert_msg(first, "a packet ends in the middle");
			return -1;
		}
		at = vhostfront_at(f, vhostfront_slot(f, 2 * pair, done.id));
		if (first && !done.len) {
			r->free[r->free_count++] = done.id;
			return 0;
		}
		ck_assert_uint_ge(done.len, skip);
		if (first)
			left = at[10] | (unsigned int)at[11] << 8;
		ck_assert_uint_ge(left, 1);
		ck_assert_uint_le((unsigned long)len + done.len - skip, room);
		memcpy(packet + len, at + skip, done.len - skip);
		len += done.len - skip;
		r->free[r->free_count++] = done.id;
	}
	return len;
}

void vhostfront_expect(struct vhostfront *f, unsigned int pair, unsigned int len,
		       unsigned int number)
{
	static uint8_t want[RIG_PACKET_MAX], got[RIG_PACKET_MAX];
	long n = vhostfront_receive(f, pair, got, sizeof(got));

	ck_assert_msg(n == (long)len, "packet %u has %ld bytes, not %u", number, n, len);
	rig_fill(want, len, number);
	ck_assert_mem_eq(got, want, len);
}

void vhostfront_expect_none(struct vhostfront *f, unsigned int pair)
{
	static uint8_t got[RIG_PACKET_MAX];

	ck_assert_int_eq(vhostfront_receive(f, pair, got, sizeof(got)), -1);
}

/* ---- Messages ---- */

void vhostfront_connect(struct vhostfront *f, const char *path)
{
	f->fd = vhostclient_connect(path);
	f->protocol = 0;
}

void vhostfront_disconnect(struct vhostfront *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

bool vhostfront_is_alone(struct vhostfront *f)
{
	char c;

	f->step(f->data);
	return recv(f->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static struct vhostclient_reply wait_reply(struct vhostfront *f, uint32_t request)
{
	struct vhostclient_reply r;
	int n = -EAGAIN;

	for (int i = 0; i < 1000 && n == -EAGAIN; i++) {
		n = vhostclient_receive(f->fd, &r);
		if (n == -EAGAIN)
			f->step(f->data);
	}
	ck_assert_msg(n == 1, "no reply to %s: %d", vtc__vhost_name(request), n);
	ck_assert_uint_eq(r.request, request);
	ck_assert_uint_eq(r.flags, VTC__VHOST_VERSION | VTC__VHOST_REPLY);
	return r;
}

static void put(struct vhostfront *f, uint32_t request, uint32_t flags,
		const void *payload, uint32_t size, int fd)
{
	ck_assert_errno(vhostclient_request(f->fd, request, VTC__VHOST_VERSION | flags,
					    payload, size, &fd, fd >= 0),
			0);
}

void vhostfront_say(struct vhostfront *f, uint32_t request, const void *payload,
		    uint32_t size, int fd)
{
	put(f, request, 0, payload, size, fd);
}

static uint64_t wait_ack(struct vhostfront *f, uint32_t request)
{
	struct vhostclient_reply r = wait_reply(f, request);
	uint64_t value;

	ck_assert_uint_eq(r.size, sizeof(value));
	memcpy(&value, r.payload, sizeof(value));
	return value;
}

uint64_t vhostfront_tell(struct vhostfront *f, uint32_t request, const void *payload,
			 uint32_t size, int fd)
{
	bool acks = f->protocol & BIT(VTC__VHOST_PF_REPLY_ACK);

	put(f, request, acks ? VTC__VHOST_NEED_REPLY : 0, payload, size, fd);
	if (acks)
		return wait_ack(f, request);
	f->step(f->data);
	return 0;
}

uint64_t vhostfront_tell_u64(struct vhostfront *f, uint32_t request, uint64_t value)
{
	return vhostfront_tell(f, request, &value, sizeof(value), -1);
}

struct vhostclient_reply vhostfront_ask(struct vhostfront *f, uint32_t request,
					const void *payload, uint32_t size)
{
	put(f, request, 0, payload, size, -1);
	return wait_reply(f, request);
}

uint64_t vhostfront_ask_u64(struct vhostfront *f, uint32_t request)
{
	struct vhostclient_reply r = vhostfront_ask(f, request, NULL, 0);
	uint64_t value;

	ck_assert_uint_eq(r.size, sizeof(value));
	memcpy(&value, r.payload, sizeof(value));
	return value;
}

/* ---- Sequences ---- */

uint64_t vhostfront_set_features(struct vhostfront *f, uint64_t more)
{
	return vhostfront_tell_u64(f, VTC__VHOST_SET_FEATURES, f->features | more);
}

static uint64_t add_region(struct vhostfront *f, const struct vtc__vhost_region *region)
{
	const struct vtc__vhost_mem_reg r = { .region = *region };

	return vhostfront_tell(f, VTC__VHOST_ADD_MEM_REG, &r, sizeof(r), f->memfd);
}

static uint64_t set_table(struct vhostfront *f)
{
	struct vtc__vhost_memory m = { .count = VHOSTFRONT_REGIONS };
	bool acks = f->protocol & BIT(VTC__VHOST_PF_REPLY_ACK);
	int fds[VHOSTFRONT_REGIONS];

	for (unsigned int i = 0; i < VHOSTFRONT_REGIONS; i++) {
		m.region[i] = f->regions[i];
		fds[i] = f->memfd;
	}
	ck_assert_errno(vhostclient_request(
				f->fd, VTC__VHOST_SET_MEM_TABLE,
				VTC__VHOST_VERSION | (acks ? VTC__VHOST_NEED_REPLY : 0),
				&m,
				(uint32_t)(8 + VHOSTFRONT_REGIONS * sizeof(m.region[0])),
				fds, VHOSTFRONT_REGIONS),
			0);
	if (acks)
		return wait_ack(f, VTC__VHOST_SET_MEM_TABLE);
	f->step(f->data);
	return 0;
}

uint64_t vhostfront_set_memory(struct vhostfront *f)
{
	uint64_t ack = 0;

	if (!(f->protocol & BIT(VTC__VHOST_PF_MEM_SLOTS)))
		return set_table(f);
	for (unsigned int i = 0; i < VHOSTFRONT_REGIONS && !ack; i++)
		ack = add_region(f, &f->regions[i]);
	return ack;
}

static uint64_t tell_ring(struct vhostfront *f, uint32_t request, unsigned int ring,
			  uint32_t num)
{
	const struct vtc__vhost_state s = { ring, num };

	return vhostfront_tell(f, request, &s, sizeof(s), -1);
}

static uint64_t tell_fd(struct vhostfront *f, uint32_t request, unsigned int ring, int fd)
{
	uint64_t value = ring;

	return vhostfront_tell(f, request, &value, sizeof(value), fd);
}

uint64_t vhostfront_set_addr(struct vhostfront *f, unsigned int ring)
{
	const struct vhostfront_ring *r = &f->ring[ring];
	const struct vtc__vhost_addr a = { .index = ring,
					   .desc = vhostfront_user(f, r->at[0]),
					   .avail = vhostfront_user(f, r->at[1]),
					   .used = vhostfront_user(f, r->at[2]) };

	return vhostfront_tell(f, VTC__VHOST_SET_VRING_ADDR, &a, sizeof(a), -1);
}

void vhostfront_enable(struct vhostfront *f, unsigned int ring, bool on)
{
	if (!f->plan.old)
		ck_assert_uint_eq(tell_ring(f, VTC__VHOST_SET_VRING_ENABLE, ring, on), 0);
}

void vhostfront_kick_off(struct vhostfront *f, unsigned int ring)
{
	ck_assert_uint_eq(tell_fd(f, VTC__VHOST_SET_VRING_KICK, ring, f->ring[ring].kick),
			  0);
}

static void agree(struct vhostfront *f)
{
	uint64_t offered = vhostfront_ask_u64(f, VTC__VHOST_GET_FEATURES);

	f->features = offered & ~f->plan.features_off & ~BIT(VTC__VHOST_F_LOG_ALL);
	if (f->plan.old) {
		f->features &= ~BIT(VTC__VHOST_F_PROTOCOL_FEATURES);
		return;
	}
	f->protocol = vhostfront_ask_u64(f, VTC__VHOST_GET_PROTOCOL_FEATURES) &
		      ~f->plan.protocol_off;
	ck_assert_errno(vhostclient_request(f->fd, VTC__VHOST_SET_PROTOCOL_FEATURES,
					    VTC__VHOST_VERSION, &f->protocol, 8, NULL, 0),
			0);
}

void vhostfront_hello(struct vhostfront *f)
{
	agree(f);
	if (f->protocol & BIT(VTC__VHOST_PF_MQ))
		ck_assert_uint_ge(vhostfront_ask_u64(f, VTC__VHOST_GET_QUEUE_NUM),
				  f->plan.queue_pairs);
	if (f->protocol & BIT(VTC__VHOST_PF_MEM_SLOTS))
		ck_assert_uint_eq(vhostfront_ask_u64(f, VTC__VHOST_GET_MAX_MEM_SLOTS),
				  VTC_MEM_REGIONS_MAX);
	ck_assert_uint_eq(vhostfront_tell(f, VTC__VHOST_SET_OWNER, NULL, 0, -1), 0);
	for (unsigned int i = 0; i < f->rings; i++)
		ck_assert_uint_eq(
			tell_fd(f, VTC__VHOST_SET_VRING_CALL, i, f->ring[i].call), 0);
	if (!f->ring[0].vring)
		vhostfront_reset_rings(f);
}

static void give_inflight(struct vhostfront *f)
{
	struct vtc__vhost_inflight *i = &f->inflight;

	if (f->inflight_fd < 0) {
		struct vtc__vhost_inflight want = { .queues = (uint16_t)f->rings,
						    .queue_size =
							    (uint16_t)f->plan.ring_size };
		struct vhostclient_reply r =
			vhostfront_ask(f, VTC__VHOST_GET_INFLIGHT_FD, &want, 20);

		ck_assert_uint_eq(r.fd_count, 1);
		memset(i, 0, sizeof(*i));
		memcpy(i, r.payload, 20);
		ck_assert_uint_gt(i->size, 0);
		f->inflight_fd = r.fds[0];
	}
	ck_assert_uint_eq(
		vhostfront_tell(f, VTC__VHOST_SET_INFLIGHT_FD, i, 20, f->inflight_fd), 0);
}

void vhostfront_start_ring(struct vhostfront *f, unsigned int ring)
{
	const struct vhostfront_ring *r = &f->ring[ring];

	ck_assert_uint_eq(tell_ring(f, VTC__VHOST_SET_VRING_NUM, ring, f->plan.ring_size),
			  0);
	ck_assert_uint_eq(tell_ring(f, VTC__VHOST_SET_VRING_BASE, ring, r->base), 0);
	ck_assert_uint_eq(vhostfront_set_addr(f, ring), 0);
	vhostfront_kick_off(f, ring);
	ck_assert_uint_eq(tell_fd(f, VTC__VHOST_SET_VRING_CALL, ring, r->call), 0);
	ck_assert_uint_eq(tell_fd(f, VTC__VHOST_SET_VRING_ERR, ring, r->err), 0);
}

/* QEMU has one device for each pair, and each of them sets the features. */
void vhostfront_start(struct vhostfront *f)
{
	ck_assert_uint_eq(vhostfront_set_features(f, 0), 0);
	ck_assert_uint_eq(vhostfront_set_memory(f), 0);
	if (f->plan.inflight)
		give_inflight(f);
	for (unsigned int i = 0; i < f->rings; i++) {
		if (i && i % 2 == 0)
			ck_assert_uint_eq(vhostfront_set_features(f, 0), 0);
		vhostfront_start_ring(f, i);
		if (i % 2) {
			vhostfront_enable(f, i - 1, true);
			vhostfront_enable(f, i, true);
		}
	}
}

void vhostfront_start_dpdk(struct vhostfront *f)
{
	ck_assert_uint_eq(vhostfront_tell(f, VTC__VHOST_SET_OWNER, NULL, 0, -1), 0);
	agree(f);
	if (!f->ring[0].vring)
		vhostfront_reset_rings(f);
	for (unsigned int i = 0; i < f->rings; i++)
		ck_assert_uint_eq(
			tell_fd(f, VTC__VHOST_SET_VRING_CALL, i, f->ring[i].call), 0);
	ck_assert_uint_eq(vhostfront_set_features(f, 0), 0);
	ck_assert_uint_eq(set_table(f), 0);
	for (unsigned int i = 0; i < f->rings; i++) {
		uint32_t base = f->features & BIT(VTC_VRING_F_PACKED) ? BIT(15) : 0;

		ck_assert_uint_eq(
			tell_ring(f, VTC__VHOST_SET_VRING_NUM, i, f->plan.ring_size), 0);
		ck_assert_uint_eq(tell_ring(f, VTC__VHOST_SET_VRING_BASE, i, base), 0);
		ck_assert_uint_eq(vhostfront_set_addr(f, i), 0);
		vhostfront_kick_off(f, i);
	}
	for (unsigned int i = 0; i < f->rings; i++)
		vhostfront_enable(f, i, true);
}

uint32_t vhostfront_stop_ring(struct vhostfront *f, unsigned int ring)
{
	const struct vtc__vhost_state s = { ring, 0 };
	struct vtc__vhost_state got;
	struct vhostclient_reply r =
		vhostfront_ask(f, VTC__VHOST_GET_VRING_BASE, &s, sizeof(s));

	ck_assert_uint_eq(r.size, sizeof(got));
	memcpy(&got, r.payload, sizeof(got));
	ck_assert_uint_eq(got.index, ring);
	return f->ring[ring].base = got.num;
}

void vhostfront_stop(struct vhostfront *f)
{
	for (unsigned int i = 0; i < f->rings; i++)
		vhostfront_stop_ring(f, i);
}
