/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A port on real rings: see ringport.h. */
#include "ringport.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vtc/mem.h>
#include <vtc/vring.h>

#include "vtct.h"

#define HDR	VTC__HDR_LEN
#define PAGE	4096u
#define WAIT_MS 30000
#define RECEIVE 0
#define SEND	1

/* One ring, both sides, and the guest's buffers. */
struct side {
	struct vtc_vring *device;
	struct vtc_vring *driver;
	uint8_t *memory; /* ring, then buffers */
	uint64_t addr;
	uint64_t buffers; /* offset */
	unsigned int slot_len;
	unsigned int *free; /* slots */
	unsigned int free_count;
	size_t len;
	unsigned int held;
};

struct queue {
	struct vtc__watch kick;
	struct ringport *rp;
	struct side side[2];
};

struct ringport {
	struct vtc_port port;
	struct ringport_plan plan;
	struct vtc_mem *mem;
	struct queue *queues;
	int call; /* what the guest waits at */
	unsigned int interrupts;
	unsigned int added;
	int attach_err;
	bool closed;
};

static struct ringport *ringport_of(const struct vtc_port *port)
{
	return VTC__OWNER(port, struct ringport, port);
}

/* ---- The port ---- */

static void kicked(struct vtc__watch *watch, uint32_t events)
{
	struct queue *q = VTC__OWNER(watch, struct queue, kick);

	(void)events;
	vtc__port_kicked(&q->rp->port);
}

static void detach(struct vtc_port *port)
{
	struct ringport *rp = ringport_of(port);

	for (unsigned int i = 0; i < rp->plan.queue_pairs; i++)
		vtc__loop_forget(port->loop, &rp->queues[i].kick);
}

static int attach(struct vtc_port *port)
{
	struct ringport *rp = ringport_of(port);
	int err = rp->attach_err;

	rp->attach_err = 0;
	for (unsigned int i = 0; !err && i < rp->plan.queue_pairs; i++)
		err = vtc__loop_watch(port->loop, &rp->queues[i].kick, EPOLLIN);
	if (err)
		detach(port);
	return err;
}

static void ring(int fd)
{
	uint64_t one = 1;

	ck_assert_int_eq(write(fd, &one, sizeof(one)), sizeof(one));
}

static int pull(struct vtc_vring *vring, struct vtc__burst *burst, unsigned int max)
{
	return vtc_vring_pull(vring, burst->chains, max, burst->segments,
			      VTC__SEGMENTS_MAX);
}

static void put_back(struct ringport *rp, struct vtc_vring *vring,
		     const struct vtc__burst *burst, unsigned int taken,
		     unsigned int used)
{
	ck_assert_uint_le(used, taken);
	if (taken > used)
		ck_assert_errno(vtc_vring_unpull(vring, taken - used), 0);
	if (!used)
		return;
	ck_assert_errno(vtc_vring_push(vring, burst->done, used), 0);
	if (vtc_vring_flush(vring) != 1)
		return;
	rp->interrupts++;
	ring(rp->call);
}

static int take(struct vtc_port *port, unsigned int queue, struct vtc__burst *burst,
		unsigned int max)
{
	return pull(ringport_of(port)->queues[queue].side[SEND].device, burst, max);
}

static void give_back(struct vtc_port *port, unsigned int queue, struct vtc__burst *burst,
		      unsigned int taken, unsigned int used)
{
	struct ringport *rp = ringport_of(port);

	for (unsigned int i = 0; i < used; i++)
		burst->done[i] = (struct vtc_done){ burst->chains[i].id, 0 };
	put_back(rp, rp->queues[queue].side[SEND].device, burst, taken, used);
}

static void hold(struct vtc_port *port, unsigned int queue, struct vtc__burst *burst,
		 unsigned int taken, unsigned int used)
{
	struct side *s = &ringport_of(port)->queues[queue].side[SEND];

	(void)burst;
	ck_assert_uint_le(used, taken);
	if (taken > used)
		ck_assert_errno(vtc_vring_unpull(s->device, taken - used), 0);
	s->held += used;
}

static void release(struct vtc_port *port, unsigned int queue,
		    const struct vtc_done *done, unsigned int count)
{
	struct ringport *rp = ringport_of(port);
	struct side *s = &rp->queues[queue].side[SEND];

	ck_assert_uint_le(count, s->held);
	s->held -= count;
	ck_assert_errno(vtc_vring_push(s->device, done, count), 0);
	if (vtc_vring_flush(s->device) != 1)
		return;
	rp->interrupts++;
	ring(rp->call);
}

static const struct vtc_mem *memory(struct vtc_port *port, unsigned int queue,
				    uint32_t *ret_chains)
{
	(void)queue;
	*ret_chains = ringport_of(port)->plan.ring_size;
	return ringport_of(port)->mem;
}

static int reserve(struct vtc_port *port, unsigned int queue, struct vtc__burst *burst,
		   unsigned int max)
{
	return pull(ringport_of(port)->queues[queue].side[RECEIVE].device, burst, max);
}

static void commit(struct vtc_port *port, unsigned int queue, struct vtc__burst *burst,
		   unsigned int taken, unsigned int used)
{
	struct ringport *rp = ringport_of(port);

	put_back(rp, rp->queues[queue].side[RECEIVE].device, burst, taken, used);
}

static bool arm_take(struct vtc_port *port, unsigned int queue)
{
	return vtc_vring_needs_poll(ringport_of(port)->queues[queue].side[SEND].device);
}

static bool arm_reserve(struct vtc_port *port, unsigned int queue)
{
	return vtc_vring_needs_poll(
		ringport_of(port)->queues[queue].side[RECEIVE].device);
}

static void close_port(struct vtc_port *port)
{
	ringport_of(port)->closed = true;
	vtc__port_fini(port);
}

static const struct vtc__port_ops ringport_ops = {
	.kind = "rings of a test",
	.attach = attach,
	.detach = detach,
	.close = close_port,
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

/* ---- Life ---- */

static void make_ring(struct ringport *rp, struct vtc_ctx *ctx, struct side *s)
{
	unsigned int size = rp->plan.ring_size;
	struct vtc_vring_opts o = VTC_VRING_OPTS_INIT;

	o.size = size;
	o.features[0] = (uint64_t)rp->plan.packed << VTC_VRING_F_PACKED |
			(uint64_t)rp->plan.event_idx << VTC_VRING_F_EVENT_IDX;
	o.desc_addr = s->addr;
	o.driver_addr = s->addr + 16ull * size;
	o.device_addr = (o.driver_addr + 6 + 2ull * size + 3) & ~3ull;
	o.role = VTC_VRING_DRIVER;
	ck_assert_errno(vtc_vring_new(ctx, rp->mem, &o, &s->driver), 0);
	o.role = VTC_VRING_DEVICE;
	ck_assert_errno(vtc_vring_new(ctx, rp->mem, &o, &s->device), 0);
}

/* Sealed, or it is not taken. */
static int make_memfd(size_t len)
{
	int fd = memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)len), 0);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	return fd;
}

static void add_memory(struct ringport *rp, struct side *s, struct vtc_mem_region *r)
{
	s->len = r->size;
	if (!rp->plan.shared) {
		r->base = s->memory = aligned_alloc(PAGE, r->size);
		ck_assert_ptr_nonnull(s->memory);
		memset(s->memory, 0, r->size);
		ck_assert_errno(vtc_mem_add(rp->mem, r), 0);
		return;
	}
	r->fd = make_memfd(r->size);
	s->memory = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
	ck_assert_ptr_ne(s->memory, MAP_FAILED);
	ck_assert_errno(vtc_mem_add(rp->mem, r), 0);
	close(r->fd);
}

static void make_side(struct ringport *rp, struct vtc_ctx *ctx, struct side *s,
		      uint64_t addr, unsigned int slot_len)
{
	unsigned int size = rp->plan.ring_size;
	struct vtc_mem_region r = { .sz = sizeof(r), .fd = -1, .perm = VTC_MEM_RW };

	s->slot_len = slot_len;
	s->buffers = (16ull * size + 10ull * size + 32 + PAGE) & ~(PAGE - 1ull);
	r.size = (s->buffers + (uint64_t)size * slot_len + PAGE) & ~(PAGE - 1ull);
	s->addr = r.guest_addr = addr;
	add_memory(rp, s, &r);
	make_ring(rp, ctx, s);
	s->free = vtct_alloc(size * sizeof(s->free[0]));
	s->free_count = size;
	for (unsigned int i = 0; i < size; i++)
		s->free[i] = size - 1 - i;
}

static void default_plan(struct ringport_plan *p)
{
	p->queue_pairs = p->queue_pairs ? p->queue_pairs : 1;
	p->ring_size = p->ring_size ? p->ring_size : 256;
	p->buffer_len = p->buffer_len ? p->buffer_len : 2048;
	p->packet_len = p->packet_len ? p->packet_len : 2048;
}

struct ringport *ringport_new(struct vtc_ctx *ctx, const struct ringport_plan *plan)
{
	struct ringport *rp = vtct_alloc(sizeof(*rp));

	memset(rp, 0, sizeof(*rp));
	if (plan)
		rp->plan = *plan;
	default_plan(&rp->plan);
	ck_assert_errno(
		vtc__port_init(&rp->port, ctx, &ringport_ops, rp->plan.queue_pairs), 0);
	rp->port.far_role = VTC_VRING_DRIVER;
	rp->port.mergeable = rp->plan.mergeable;
	rp->port.accepts_all = rp->plan.accepts_all;
	rp->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ck_assert_errno(vtc_mem_new(ctx, &rp->mem), 0);
	rp->queues = vtct_alloc(rp->plan.queue_pairs * sizeof(rp->queues[0]));
	for (unsigned int i = 0; i < rp->plan.queue_pairs; i++) {
		struct queue *q = &rp->queues[i];

		q->rp = rp;
		q->kick = (struct vtc__watch){ eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
					       kicked };
		make_side(rp, ctx, &q->side[RECEIVE], (2ull * i + 1) << 32,
			  rp->plan.buffer_len);
		make_side(rp, ctx, &q->side[SEND], (2ull * i + 2) << 32,
			  rp->plan.packet_len);
	}
	ringport_set_features(rp, rp->plan.features);
	ringport_set_ready(rp, rp->plan.queue_pairs);
	return rp;
}

struct vtc_port *ringport_port(struct ringport *rp)
{
	return &rp->port;
}

static void free_memory(const struct ringport *rp, struct side *s)
{
	if (rp->plan.shared)
		munmap(s->memory, s->len);
	else
		free(s->memory);
}

static void free_side(struct side *s)
{
	vtc_vring_free(s->device);
	vtc_vring_free(s->driver);
	free(s->free);
}

void ringport_free(struct ringport *rp)
{
	if (!rp->closed)
		vtc_port_close(&rp->port);
	for (unsigned int i = 0; i < rp->plan.queue_pairs; i++) {
		free_side(&rp->queues[i].side[RECEIVE]);
		free_side(&rp->queues[i].side[SEND]);
		close(rp->queues[i].kick.fd);
	}
	vtc_mem_unref(rp->mem);
	for (unsigned int i = 0; i < rp->plan.queue_pairs; i++) {
		free_memory(rp, &rp->queues[i].side[RECEIVE]);
		free_memory(rp, &rp->queues[i].side[SEND]);
	}
	close(rp->call);
	free(rp->queues);
	free(rp);
}

void ringport_fail_attach(struct ringport *rp, int err)
{
	rp->attach_err = err;
}

void ringport_set_ready(struct ringport *rp, unsigned int ready)
{
	rp->port.ready = ready;
	vtc__port_changed(&rp->port);
}

void ringport_set_features(struct ringport *rp, uint64_t features)
{
	rp->port.accepts[0] = features;
	vtc__port_changed(&rp->port);
}

/* ---- The guest ---- */

static uint8_t *slot_base(const struct side *s, unsigned int slot)
{
	return s->memory + s->buffers + (size_t)slot * s->slot_len;
}

static uint64_t slot_addr(const struct side *s, unsigned int slot)
{
	return s->addr + s->buffers + (uint64_t)slot * s->slot_len;
}

static void reap_sent(struct side *s)
{
	struct vtc_done done;

	while (vtc_vring_reap(s->driver, &done, 1) == 1)
		s->free[s->free_count++] = done.id;
}

/* The header alone, then the rest in about equal parts. */
static unsigned int cut(uint64_t addr, uint32_t len, unsigned int pieces,
			struct vtc_buffer *buffers)
{
	unsigned int n = 0;

	if (pieces <= 1) {
		buffers[0] = (struct vtc_buffer){ .guest_addr = addr, .len = len };
		return 1;
	}
	buffers[n++] = (struct vtc_buffer){ .guest_addr = addr, .len = HDR };
	addr += HDR;
	len -= HDR;
	for (unsigned int left = pieces - 1; left && len; left--) {
		uint32_t part = left == 1 ? len : (len + left - 1) / left;

		buffers[n++] = (struct vtc_buffer){ .guest_addr = addr, .len = part };
		addr += part;
		len -= part;
	}
	return n;
}

bool ringport_send(struct ringport *rp, unsigned int queue, const uint8_t *header,
		   const uint8_t *packet, size_t len, unsigned int pieces)
{
	struct side *s = &rp->queues[queue].side[SEND];
	struct vtc_buffer buffers[64];
	struct vtc_add add = { .buffers = buffers };
	unsigned int slot;

	ck_assert_uint_le(pieces, 64);
	ck_assert_uint_le(HDR + len, s->slot_len);
	reap_sent(s);
	if (!s->free_count)
		return false;
	slot = s->free[s->free_count - 1];
	memcpy(slot_base(s, slot), header, HDR);
	memcpy(slot_base(s, slot) + HDR, packet, len);
	add.readable =
		(uint16_t)cut(slot_addr(s, slot), (uint32_t)(HDR + len), pieces, buffers);
	add.id = slot;
	if (vtc_vring_add(s->driver, &add, 1) != 1)
		return false;
	s->free_count--;
	return true;
}

bool ringport_kick(struct ringport *rp, unsigned int queue)
{
	struct queue *q = &rp->queues[queue];
	int wanted = vtc_vring_kick(q->side[SEND].driver);

	ck_assert_int_ge(wanted, 0);
	if (wanted)
		ring(q->kick.fd);
	return wanted;
}

void ringport_spoil(struct ringport *rp, unsigned int queue)
{
	struct queue *q = &rp->queues[queue];

	ck_assert(!rp->plan.packed);
	memset(q->side[SEND].memory, 0xff, q->side[SEND].buffers);
	ring(q->kick.fd);
}

unsigned int ringport_unsent(struct ringport *rp, unsigned int queue)
{
	struct side *s = &rp->queues[queue].side[SEND];

	reap_sent(s);
	return rp->plan.ring_size - s->free_count;
}

unsigned int ringport_held(const struct ringport *rp, unsigned int queue)
{
	return rp->queues[queue].side[SEND].held;
}

void ringport_add_memory(struct ringport *rp)
{
	struct vtc_mem_region r = { .sz = sizeof(r), .size = PAGE, .perm = VTC_MEM_RW };

	r.guest_addr = ++rp->added * PAGE;
	r.fd = make_memfd(PAGE);
	ck_assert_errno(vtc_mem_add(rp->mem, &r), 0);
	close(r.fd);
}

unsigned int ringport_post(struct ringport *rp, unsigned int queue, unsigned int count)
{
	struct queue *q = &rp->queues[queue];
	struct side *s = &q->side[RECEIVE];
	unsigned int n = 0;

	for (; n < count && s->free_count; n++) {
		unsigned int slot = s->free[s->free_count - 1];
		struct vtc_buffer buffer = { .guest_addr = slot_addr(s, slot),
					     .len = s->slot_len };
		struct vtc_add add = { .buffers = &buffer, .writable = 1, .id = slot };

		if (vtc_vring_add(s->driver, &add, 1) != 1)
			break;
		s->free_count--;
	}
	if (vtc_vring_kick(s->driver) == 1)
		ring(q->kick.fd);
	return n;
}

static unsigned int buffers_of(const uint8_t *header)
{
	return header[10] | (unsigned int)header[11] << 8;
}

long ringport_receive(struct ringport *rp, unsigned int queue, uint8_t header[12],
		      uint8_t *packet, size_t room)
{
	struct side *s = &rp->queues[queue].side[RECEIVE];
	struct vtc_done done;
	size_t len = 0, skip = HDR;
	unsigned int left = 1;

	for (bool first = true; left; left--, first = false) {
		const uint8_t *base;

		if (vtc_vring_reap(s->driver, &done, 1) != 1) {
			ck_assert_msg(first, "a packet ends in the middle");
			return -1;
		}
		base = slot_base(s, done.id);
		ck_assert_uint_ge(done.len, skip);
		if (first) {
			memcpy(header, base, HDR);
			left = buffers_of(base);
			ck_assert_uint_ge(left, 1);
		}
		ck_assert_uint_le(len + done.len - skip, room);
		memcpy(packet + len, base + skip, done.len - skip);
		len += done.len - skip;
		skip = 0;
		s->free[s->free_count++] = done.id;
	}
	return (long)len;
}

void ringport_wait(struct ringport *rp, unsigned int queue)
{
	struct side *sides = rp->queues[queue].side;
	struct pollfd p = { .fd = rp->call, .events = POLLIN };
	uint64_t count;

	if (vtc_vring_needs_poll(sides[SEND].driver) != 1 ||
	    vtc_vring_needs_poll(sides[RECEIVE].driver) != 1)
		return;
	ck_assert_msg(poll(&p, 1, WAIT_MS) == 1, "the guest is not told");
	ck_assert_int_eq(read(rp->call, &count, sizeof(count)), sizeof(count));
}

unsigned int ringport_interrupts(const struct ringport *rp)
{
	return rp->interrupts;
}
