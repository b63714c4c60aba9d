/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The memory that a frontend shares with its backend: rings, split or packed in the same
 * place, and for each descriptor of each ring a buffer. It outlives connections.
 */
#ifndef VTC__VHOST_POOL_H
#define VTC__VHOST_POOL_H

#include <stdint.h>

#include <vtc/mem.h>
#include <vtc/vring.h>

#include "vhost-message.h"

struct vtc__vhost_pool {
	struct vtc_mem *mem;
	uint8_t *base;
	uint64_t size;
	int fd; /* sealed; -1: there is no pool */
	uint32_t ring_size;
	uint32_t buffer_size;
	uint32_t buffer_stride;
	uint32_t table_len;	/* descriptors of an indirect table, 0: none */
	uint64_t driver_offset; /* from the ring's beginning, as the next two */
	uint64_t device_offset;
	uint64_t table_offset;
	uint64_t ring_stride;
	uint64_t buffer_offset;
};

/* 0, -EINVAL: too large, or -errno. */
int vtc__vhost_pool_open(struct vtc_ctx *ctx, uint32_t rings, uint32_t ring_size,
			 uint32_t buffer_size, struct vtc__vhost_pool *pool);
void vtc__vhost_pool_close(struct vtc__vhost_pool *pool);

/* The driver side of a ring, from its beginning. */
int vtc__vhost_pool_vring(struct vtc_ctx *ctx, const struct vtc__vhost_pool *pool,
			  uint32_t ring, const uint64_t features[2],
			  struct vtc_vring **ret_vring);

/* What the backend is to be told: the region, and where in it a ring is. */
struct vtc__vhost_region vtc__vhost_pool_region(const struct vtc__vhost_pool *pool);
struct vtc__vhost_addr vtc__vhost_pool_addr(const struct vtc__vhost_pool *pool,
					    uint32_t ring);

static inline uint64_t vtc__vhost_pool_offset(const struct vtc__vhost_pool *pool,
					      uint32_t ring, uint32_t buffer)
{
	uint64_t n = (uint64_t)ring * pool->ring_size + buffer;

	return pool->buffer_offset + n * pool->buffer_stride;
}

/* A buffer, as we see it, and as the ring names it. */
static inline uint8_t *vtc__vhost_pool_at(const struct vtc__vhost_pool *pool,
					  uint32_t ring, uint32_t buffer)
{
	return pool->base + vtc__vhost_pool_offset(pool, ring, buffer);
}

#define VTC__VHOST_GUEST_BASE (1ull << 32)

static inline struct vtc_buffer vtc__vhost_pool_buffer(const struct vtc__vhost_pool *pool,
						       uint32_t ring, uint32_t buffer,
						       uint32_t len)
{
	return (struct vtc_buffer){
		VTC__VHOST_GUEST_BASE + vtc__vhost_pool_offset(pool, ring, buffer), len, 0
	};
}

#endif
