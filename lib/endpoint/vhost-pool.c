/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The frontend's memory: see vhost-pool.h. */
#include "vhost-pool.h"

#include <errno.h>
#include <unistd.h>

#include "memfd.h"

#define LINE	  64u
#define PAGE	  4096u
#define DESC_SIZE 16u
#define TABLE_LEN 64u
#define MEM_MAX	  (1ull << 40)

/* Neither our own addresses nor the guest's: a backend that mixes them up shall fail. */
#define USER_BASE (1ull << 44)

static uint64_t round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

/* What the two sides write stands in lines of their own. Packed rings need less. */
static void place(struct vtc__vhost_pool *p, uint32_t rings)
{
	uint64_t n = p->ring_size;

	p->driver_offset = round_up(n * DESC_SIZE, LINE);
	p->device_offset = round_up(p->driver_offset + 6 + 2 * n, LINE);
	p->table_offset = round_up(p->device_offset + 6 + 8 * n, LINE);
	p->ring_stride = round_up(p->table_offset + n * p->table_len * DESC_SIZE, PAGE);
	p->buffer_offset = rings * p->ring_stride;
	p->size = round_up(p->buffer_offset + rings * n * p->buffer_stride, PAGE);
}

static int map(struct vtc_ctx *ctx, struct vtc__vhost_pool *p)
{
	struct vtc_mem_region region = { .sz = sizeof(region),
					 .guest_addr = VTC__VHOST_GUEST_BASE,
					 .size = p->size,
					 .fd = p->fd,
					 .perm = VTC_MEM_RW };
	struct vtc_segment segment;
	int n = vtc_mem_new(ctx, &p->mem);

	if (!n)
		n = vtc_mem_add(p->mem, &region);
	if (!n)
		n = vtc_mem_translate(p->mem, region.guest_addr, p->size, VTC_MEM_RW,
				      &segment, 1);
	if (n < 0)
		return n;
	p->base = segment.base;
	return 0;
}

int vtc__vhost_pool_open(struct vtc_ctx *ctx, uint32_t rings, uint32_t ring_size,
			 uint32_t buffer_size, struct vtc__vhost_pool *pool)
{
	struct vtc__vhost_pool p = { .ring_size = ring_size, .buffer_size = buffer_size };
	int err;

	p.buffer_stride = (uint32_t)round_up(buffer_size, LINE);
	p.table_len = ring_size < 2 ? 0 : ring_size < TABLE_LEN ? ring_size : TABLE_LEN;
	place(&p, rings);
	if (p.size > MEM_MAX)
		return -EINVAL;
	p.fd = vtc__memfd_new("vtc-frontend", p.size);
	if (p.fd < 0)
		return p.fd;
	err = map(ctx, &p);
	if (err)
		vtc__vhost_pool_close(&p);
	else
		*pool = p;
	return err;
}

void vtc__vhost_pool_close(struct vtc__vhost_pool *pool)
{
	vtc_mem_unref(pool->mem);
	if (pool->fd >= 0)
		(void)close(pool->fd);
}

int vtc__vhost_pool_vring(struct vtc_ctx *ctx, const struct vtc__vhost_pool *pool,
			  uint32_t ring, const uint64_t features[2],
			  struct vtc_vring **ret_vring)
{
	struct vtc_vring_opts o = VTC_VRING_OPTS_INIT;
	uint64_t addr = VTC__VHOST_GUEST_BASE + ring * pool->ring_stride;

	o.role = VTC_VRING_DRIVER;
	o.size = pool->ring_size;
	o.features[0] = features[0];
	o.features[1] = features[1];
	o.desc_addr = addr;
	o.driver_addr = addr + pool->driver_offset;
	o.device_addr = addr + pool->device_offset;
	o.indirect_len = pool->table_len;
	o.indirect_addr = pool->table_len ? addr + pool->table_offset : 0;
	return vtc_vring_new(ctx, pool->mem, &o, ret_vring);
}

struct vtc__vhost_region vtc__vhost_pool_region(const struct vtc__vhost_pool *pool)
{
	return (struct vtc__vhost_region){ .guest_addr = VTC__VHOST_GUEST_BASE,
					   .size = pool->size,
					   .user_addr = USER_BASE };
}

struct vtc__vhost_addr vtc__vhost_pool_addr(const struct vtc__vhost_pool *pool,
					    uint32_t ring)
{
	uint64_t addr = USER_BASE + ring * pool->ring_stride;

	return (struct vtc__vhost_addr){ .index = ring,
					 .desc = addr,
					 .used = addr + pool->device_offset,
					 .avail = addr + pool->driver_offset };
}
