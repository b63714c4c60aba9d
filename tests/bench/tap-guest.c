/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest: see tap-guest.h. */
#include "tap-guest.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vtc/vring.h>

#include "bench.h"
#include "tap-bed.h"

#define RING_BYTES 16384u     /* 256 descriptors and the rest */
#define HUGE_PAGE  (2u << 20) /* so that no side has better luck with its memory */

static struct guest *guest_of(struct vtc_port *port)
{
	return (struct guest *)port;
}

/* ---- The port ---- */

static int guest_take(struct vtc_port *port, unsigned int queue, struct vtc__burst *b,
		      unsigned int max)
{
	(void)queue;
	return vtc_vring_pull(guest_of(port)->tx.device, b->chains, max, b->segments,
			      VTC__SEGMENTS_MAX);
}

static void put_back(struct guest *g, struct vtc_vring *ring, struct vtc__burst *b,
		     unsigned int taken, unsigned int used)
{
	if (taken > used)
		vtc_vring_unpull(ring, taken - used);
	if (!used)
		return;
	vtc_vring_push(ring, b->done, used);
	g->doorbells += vtc_vring_flush(ring) == 1;
}

static void guest_give_back(struct vtc_port *port, unsigned int queue,
			    struct vtc__burst *b, unsigned int taken, unsigned int used)
{
	(void)queue;
	for (unsigned int i = 0; i < used; i++)
		b->done[i] = (struct vtc_done){ b->chains[i].id, 0 };
	put_back(guest_of(port), guest_of(port)->tx.device, b, taken, used);
}

static void guest_hold(struct vtc_port *port, unsigned int queue, struct vtc__burst *b,
		       unsigned int taken, unsigned int used)
{
	(void)queue;
	(void)b;
	if (taken > used)
		vtc_vring_unpull(guest_of(port)->tx.device, taken - used);
}

static void guest_release(struct vtc_port *port, unsigned int queue,
			  const struct vtc_done *done, unsigned int count)
{
	struct guest *g = guest_of(port);

	(void)queue;
	vtc_vring_push(g->tx.device, done, count);
	g->doorbells += vtc_vring_flush(g->tx.device) == 1;
}

static const struct vtc_mem *guest_memory(struct vtc_port *port, unsigned int queue,
					  uint32_t *ret_chains)
{
	(void)queue;
	*ret_chains = GUEST_RING;
	return guest_of(port)->mem;
}

static int guest_reserve(struct vtc_port *port, unsigned int queue, struct vtc__burst *b,
			 unsigned int max)
{
	(void)queue;
	return vtc_vring_pull(guest_of(port)->rx.device, b->chains, max, b->segments,
			      VTC__SEGMENTS_MAX);
}

static void guest_commit(struct vtc_port *port, unsigned int queue, struct vtc__burst *b,
			 unsigned int taken, unsigned int used)
{
	(void)queue;
	put_back(guest_of(port), guest_of(port)->rx.device, b, taken, used);
}

static bool guest_arm_take(struct vtc_port *port, unsigned int queue)
{
	(void)queue;
	return vtc_vring_needs_poll(guest_of(port)->tx.device) == 1;
}

static bool guest_arm_reserve(struct vtc_port *port, unsigned int queue)
{
	(void)queue;
	return vtc_vring_needs_poll(guest_of(port)->rx.device) == 1;
}

static void guest_close(struct vtc_port *port)
{
	vtc__port_fini(port);
}

static const struct vtc__port_ops ops = {
	.kind = "guest of a benchmark",
	.close = guest_close,
	.take = guest_take,
	.give_back = guest_give_back,
	.hold = guest_hold,
	.release = guest_release,
	.memory = guest_memory,
	.reserve = guest_reserve,
	.commit = guest_commit,
	.arm_take = guest_arm_take,
	.arm_reserve = guest_arm_reserve,
};

/* ---- Life ---- */

static void add_own(struct guest *g, struct vtc_mem_region *region)
{
	region->base = aligned_alloc(HUGE_PAGE, (region->size + HUGE_PAGE - 1) /
							HUGE_PAGE * HUGE_PAGE);
	if (!region->base)
		bench_die("memory is out");
	memset(region->base, 0, region->size);
	if (vtc_mem_add(g->mem, region) < 0)
		bench_die("no memory map");
}

/* The map has a mapping of its own. */
static void *add_shared(struct guest *g, struct vtc_mem_region *region)
{
	void *memory;

	region->fd = memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (region->fd < 0 || ftruncate(region->fd, (off_t)region->size) ||
	    fcntl(region->fd, F_ADD_SEALS, F_SEAL_SHRINK))
		bench_die("no shared memory");
	memory = mmap(NULL, region->size, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_POPULATE, region->fd, 0);
	if (memory == MAP_FAILED || vtc_mem_add(g->mem, region) < 0)
		bench_die("no memory map");
	close(region->fd);
	return memory;
}

static void make_ring(struct vtc_ctx *ctx, struct guest *g, struct guest_ring *r,
		      uint64_t addr, uint32_t room, bool shared)
{
	struct vtc_mem_region region = { .sz = sizeof(region),
					 .fd = -1,
					 .perm = VTC_MEM_RW };
	struct vtc_vring_opts o = VTC_VRING_OPTS_INIT;
	uint8_t *memory;

	region.size = RING_BYTES + (uint64_t)GUEST_RING * room;
	region.guest_addr = addr;
	if (shared) {
		memory = add_shared(g, &region);
		r->map_len = region.size;
	} else {
		add_own(g, &region);
		memory = region.base;
	}
	o.size = GUEST_RING;
	o.features[0] = UINT64_C(1) << VTC_VRING_F_EVENT_IDX;
	o.desc_addr = addr;
	o.driver_addr = addr + 4096;
	o.device_addr = addr + 8192;
	o.role = VTC_VRING_DRIVER;
	if (vtc_vring_new(ctx, g->mem, &o, &r->driver) < 0)
		bench_die("no ring");
	o.role = VTC_VRING_DEVICE;
	if (vtc_vring_new(ctx, g->mem, &o, &r->device) < 0)
		bench_die("no ring");
	r->buffers = memory + RING_BYTES;
	r->addr = addr + RING_BYTES;
	r->room = room;
	r->free = GUEST_RING;
}

static struct guest *make_guest(struct vtc_ctx *ctx, uint32_t room, uint32_t len,
				bool shared)
{
	struct guest *g = calloc(1, sizeof(*g));

	if (!g || vtc__port_init(&g->port, ctx, &ops, 1) || vtc_mem_new(ctx, &g->mem))
		bench_die("memory is out");
	make_ring(ctx, g, &g->rx, 1 << 20, room, shared);
	make_ring(ctx, g, &g->tx, 1 << 28, BED_HDR + len, shared);
	for (unsigned int i = 0; i < GUEST_RING; i++)
		bed_packet(g->tx.buffers + (size_t)i * g->tx.room, len);
	g->port.far_role = VTC_VRING_DRIVER;
	g->port.mergeable = true;
	g->port.ready = 1;
	if (len > 1514 || room > 1526 + 522)
		g->port.accepts[0] = UINT64_C(1) << VTC_NET_F_GUEST_CSUM |
				     UINT64_C(1) << VTC_NET_F_GUEST_TSO4 |
				     UINT64_C(1) << VTC_NET_F_GUEST_TSO6;
	return g;
}

struct guest *guest_new(struct vtc_ctx *ctx, uint32_t room, uint32_t len)
{
	return make_guest(ctx, room, len, false);
}

struct guest *guest_new_shared(struct vtc_ctx *ctx, uint32_t room, uint32_t len)
{
	return make_guest(ctx, room, len, true);
}

static void free_ring(struct guest_ring *r)
{
	vtc_vring_free(r->driver);
	vtc_vring_free(r->device);
	if (r->map_len)
		munmap(r->buffers - RING_BYTES, r->map_len);
	else
		free(r->buffers - RING_BYTES);
}

void guest_free(struct guest *guest)
{
	vtc_port_close(&guest->port);
	free_ring(&guest->rx);
	free_ring(&guest->tx);
	vtc_mem_unref(guest->mem);
	free(guest);
}

/* ---- The driver ---- */

static void reap(struct guest_ring *r)
{
	struct vtc_done done[GUEST_RING];
	int n = vtc_vring_reap(r->driver, done, GUEST_RING);

	if (n < 0)
		bench_die("a ring broke: %s", vtc_vring_get_error(r->driver));
	r->free += (uint32_t)n;
}

static void add(struct guest_ring *r, unsigned int count, bool writable)
{
	struct vtc_buffer buffers[GUEST_RING];
	struct vtc_add adds[GUEST_RING];

	for (unsigned int i = 0; i < count; i++) {
		uint32_t at = r->next++ % GUEST_RING;

		buffers[i] = (struct vtc_buffer){ r->addr + (uint64_t)at * r->room,
						  r->room, 0 };
		adds[i] = (struct vtc_add){ .buffers = &buffers[i],
					    .readable = !writable,
					    .writable = writable };
	}
	if (count && vtc_vring_add(r->driver, adds, count) != (int)count)
		bench_die("a ring is full");
	r->free -= count;
	vtc_vring_kick(r->driver);
}

void guest_turn(struct guest *guest, unsigned int packets)
{
	reap(&guest->rx);
	reap(&guest->tx);
	add(&guest->rx, guest->rx.free, true);
	add(&guest->tx, packets < guest->tx.free ? packets : guest->tx.free, false);
}
