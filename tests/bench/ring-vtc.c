/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The library's rings, driver against device over one memory map. */
#include <stdlib.h>
#include <vtc/vtc.h>

#include "bench.h"
#include "contender.h"

#define GUEST	  0x40000000ull
#define GUEST_GAP 0x10000ull /* between regions */
#define PAGE	  4096u

struct vtc_side {
	struct vtc_vring *vring;
	struct vtc_done done[CONTENDER_BURST_MAX];
} __attribute__((aligned(128)));

struct ours {
	struct contender c;
	struct vtc_side driver, device;
	struct vtc_chain chains[CONTENDER_BURST_MAX];
	struct vtc_segment segments[CONTENDER_BURST_MAX];
	struct vtc_ctx *ctx;
	struct vtc_mem *mem;
	uint8_t *base;
	size_t len, ring_len;
	struct vtc_buffer *buffers;
	struct vtc_add *adds;
	uint32_t at; /* next of them */
};

static void check(int err, const char *what)
{
	if (err < 0)
		bench_die("%s: error %d", what, err);
}

/* ---- Steps ---- */

static unsigned int give(struct contender *c, unsigned int max)
{
	struct ours *o = (struct ours *)c;
	uint32_t left = c->plan.buffers - o->at;
	int n = vtc_vring_add(o->driver.vring, &o->adds[o->at], max < left ? max : left);

	check(n, "add");
	o->at = (o->at + (uint32_t)n) % c->plan.buffers;
	check(vtc_vring_kick(o->driver.vring), "kick");
	return (unsigned int)n;
}

static unsigned int serve(struct contender *c, unsigned int max)
{
	struct ours *o = (struct ours *)c;
	struct vtc_done *done = o->device.done;
	int n = vtc_vring_pull(o->device.vring, o->chains, max, o->segments, max);

	check(n, "pull");
	if (!n)
		return 0;
	for (int i = 0; i < n; i++) {
		if (c->plan.touch)
			contender_touch(o->chains[i].segments->base,
					o->chains[i].readable_bytes);
		done[i] = (struct vtc_done){ o->chains[i].id, 0 };
	}
	check(vtc_vring_push(o->device.vring, done, (unsigned int)n), "push");
	check(vtc_vring_flush(o->device.vring), "flush");
	return (unsigned int)n;
}

static unsigned int take(struct contender *c, unsigned int max)
{
	struct ours *o = (struct ours *)c;
	int n = vtc_vring_reap(o->driver.vring, o->driver.done, max);

	check(n, "reap");
	return (unsigned int)n;
}

static void free_ours(struct contender *c)
{
	struct ours *o = (struct ours *)c;

	vtc_vring_free(o->driver.vring);
	vtc_vring_free(o->device.vring);
	vtc_mem_unref(o->mem);
	vtc_ctx_unref(o->ctx);
	contender_unmap(o->base, o->len);
	free(o->buffers);
	free(o->adds);
	free(o);
}

/* ---- Memory: the ring, and the buffers cut into regions ---- */

static size_t pages(size_t len)
{
	return (len + PAGE - 1) / PAGE * PAGE;
}

static uint32_t buffers_per_region(const struct ours *o)
{
	return o->c.plan.buffers / o->c.plan.regions;
}

static uint32_t region_of(const struct ours *o, uint32_t buffer)
{
	uint32_t region = buffer / buffers_per_region(o);

	return region < o->c.plan.regions ? region : o->c.plan.regions - 1;
}

static void add_region(struct ours *o, uint32_t i)
{
	size_t per = (size_t)buffers_per_region(o) * CONTENDER_STRIDE;
	size_t from = i ? o->ring_len + i * per : 0;
	size_t to = i + 1 < o->c.plan.regions ? o->ring_len + (i + 1) * per : o->len;

	check(vtc_mem_add(o->mem,
			  &(struct vtc_mem_region){
				  .sz = sizeof(struct vtc_mem_region),
				  .guest_addr = GUEST + from + i * GUEST_GAP,
				  .size = to - from,
				  .base = o->base + from,
				  .fd = -1,
				  .perm = VTC_MEM_RW,
			  }),
	      "mem add");
}

static void make_buffers(struct ours *o)
{
	uint32_t count = o->c.plan.buffers;

	o->buffers = calloc(count, sizeof(*o->buffers));
	o->adds = calloc(count, sizeof(*o->adds));
	if (!o->buffers || !o->adds)
		bench_die("memory is out");
	for (uint32_t i = 0; i < count; i++) {
		uint32_t n = contender_scatter(i, count);

		o->buffers[i].guest_addr = GUEST + o->ring_len +
					   (uint64_t)n * CONTENDER_STRIDE +
					   region_of(o, n) * GUEST_GAP;
		o->buffers[i].len = o->c.plan.bytes;
		o->adds[i] = (struct vtc_add){ &o->buffers[i], 1, 0, i };
	}
}

static struct vtc_vring *make_vring(struct ours *o, uint32_t role)
{
	struct vtc_vring_opts opts = VTC_VRING_OPTS_INIT;
	struct vtc_vring *vring;

	opts.role = role;
	opts.size = o->c.plan.size;
	if (o->c.plan.packed)
		opts.features[0] = 1ull << VTC_VRING_F_PACKED;
	opts.desc_addr = GUEST;
	opts.driver_addr = opts.desc_addr + pages((size_t)opts.size * 16);
	opts.device_addr = opts.driver_addr + pages((size_t)opts.size * 2 + 6);
	check(vtc_vring_new(o->ctx, o->mem, &opts, &vring), "vring new");
	return vring;
}

struct contender *contender_vtc(const struct contender_plan *plan)
{
	struct ours *o = aligned_alloc(128, sizeof(*o));
	uint32_t i;

	if (!o)
		bench_die("memory is out");
	*o = (struct ours){ .c = { give, serve, take, free_ours, *plan } };
	o->ring_len = pages((size_t)plan->size * 16) + pages((size_t)plan->size * 2 + 6) +
		      pages((size_t)plan->size * 8 + 6);
	o->len = o->ring_len + (size_t)plan->buffers * CONTENDER_STRIDE;
	o->base = contender_pages(o->len, plan->huge);
	if (!o->base) {
		free(o);
		return NULL;
	}
	check(vtc_ctx_new(NULL, &o->ctx), "ctx new");
	check(vtc_mem_new(o->ctx, &o->mem), "mem new");
	for (i = 0; i < plan->regions; i++)
		add_region(o, i);
	make_buffers(o);
	o->driver.vring = make_vring(o, VTC_VRING_DRIVER);
	o->device.vring = make_vring(o, VTC_VRING_DEVICE);
	return &o->c;
}
