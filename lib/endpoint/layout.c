/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The layout of a channel's memory: header, rings, buffers. */
#include "layout.h"

#include <errno.h>
#include <stdbool.h>

#define DESC_SIZE    16u
#define LINE	     64u
#define PAGE	     4096u
#define TABLE_LEN    8u
#define SIZE_MAX_LOG 40

/* With sizes far below, sums of an address and a size cannot wrap. */
#define ADDR_MAX (1ull << 62)
#define MEM_MAX	 (1ull << SIZE_MAX_LOG)

static uint64_t round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

static bool has(const struct vtc__layout *l, unsigned int bit)
{
	return l->features[bit / 64] >> bit % 64 & 1;
}

static uint64_t driver_len(const struct vtc__layout *l)
{
	return has(l, VTC_VRING_F_PACKED) ? 4 : 6 + 2ull * l->ring_size;
}

static uint64_t device_len(const struct vtc__layout *l)
{
	return has(l, VTC_VRING_F_PACKED) ? 4 : 6 + 8ull * l->ring_size;
}

static uint32_t table_len(const struct vtc__layout *l)
{
	if (!has(l, VTC_VRING_F_INDIRECT) || l->ring_size < 2)
		return 0;
	return l->ring_size < TABLE_LEN ? l->ring_size : TABLE_LEN;
}

/* Indirect tables are the driver side's own affair: nothing tells the other of them. */
static uint64_t table_offset(const struct vtc__layout *l)
{
	return round_up(l->device_offset + device_len(l), LINE);
}

uint64_t vtc__layout_buffers(const struct vtc__layout *l)
{
	return (uint64_t)l->buffers * l->buffer_size;
}

/* What the two sides write stands in lines of their own. */
static void place(struct vtc__layout *l)
{
	uint64_t n = l->ring_size;

	l->driver_offset = round_up(n * DESC_SIZE, LINE);
	l->device_offset = round_up(l->driver_offset + driver_len(l), LINE);
	l->ring_offset = PAGE;
	l->ring_stride = round_up(table_offset(l) + n * table_len(l) * DESC_SIZE, LINE);
	l->buffer_offset = round_up(l->ring_offset + l->rings * l->ring_stride, PAGE);
	l->size = round_up(l->buffer_offset + vtc__layout_buffers(l), PAGE);
}

int vtc__layout_make(struct vtc__layout *l, const struct vtc_channel_opts *o)
{
	if (!o->rings || o->rings > VTC_CHANNEL_RINGS_MAX || !o->ring_size ||
	    o->ring_size > VTC_VRING_SIZE_MAX || !o->buffer_size || o->buffer_size % LINE)
		return -EINVAL;
	l->magic = VTC__LAYOUT_MAGIC;
	l->version = VTC__LAYOUT_VERSION;
	l->features[0] = o->features[0];
	l->features[1] = o->features[1];
	l->rings = o->rings;
	l->ring_size = o->ring_size;
	l->buffers = o->buffers;
	l->buffer_size = o->buffer_size;
	if (vtc__layout_buffers(l) > MEM_MAX)
		return -EINVAL;
	place(l);
	return vtc__layout_check(l) ? -EINVAL : 0;
}

static bool check_pools(const struct vtc__layout *l)
{
	if (l->pools > VTC_CHANNEL_POOLS_MAX)
		return false;
	for (uint32_t i = 0; i < l->pools; i++) {
		const struct vtc__pool *p = &l->pool[i];

		if (p->guest_addr > ADDR_MAX || !p->size || p->size > MEM_MAX ||
		    p->offset > MEM_MAX)
			return false;
	}
	return true;
}

/* Whether descriptors, the driver's part and the device's follow each other in a ring. */
static bool check_ring(const struct vtc__layout *l)
{
	uint64_t stride = l->ring_stride;

	if (!l->ring_size || l->ring_size > VTC_VRING_SIZE_MAX || stride > MEM_MAX)
		return false;
	if (l->driver_offset > stride || l->device_offset > stride)
		return false;
	return (uint64_t)l->ring_size * DESC_SIZE <= l->driver_offset &&
	       l->driver_offset + driver_len(l) <= l->device_offset &&
	       l->device_offset + device_len(l) <= stride;
}

static bool check_areas(const struct vtc__layout *l)
{
	if (l->ring_offset > l->size || l->buffer_offset > l->size)
		return false;
	return l->ring_offset >= sizeof(*l) &&
	       l->rings * l->ring_stride <= l->size - l->ring_offset &&
	       l->ring_offset + l->rings * l->ring_stride <= l->buffer_offset &&
	       vtc__layout_buffers(l) <= l->size - l->buffer_offset;
}

const char *vtc__layout_check(const struct vtc__layout *l)
{
	if (l->magic != VTC__LAYOUT_MAGIC)
		return "this is no channel";
	if (l->version != VTC__LAYOUT_VERSION)
		return "the channel has another version";
	if (l->size > MEM_MAX || l->guest_addr > ADDR_MAX)
		return "its size or address is impossible";
	if (!l->rings || l->rings > VTC_CHANNEL_RINGS_MAX)
		return "its number of rings is impossible";
	if (!check_ring(l))
		return "the parts of a ring overlap or are cut off";
	if (!check_areas(l))
		return "its rings and buffers overlap or are cut off";
	if (!l->buffer_size || l->buffer_size % LINE || l->buffer_offset % LINE)
		return "its buffers are not aligned";
	if (!check_pools(l))
		return "its pools are impossible";
	return NULL;
}

void vtc__layout_ring(const struct vtc__layout *l, uint32_t ring, uint32_t role,
		      struct vtc_vring_opts *o)
{
	uint64_t addr = l->guest_addr + l->ring_offset + ring * l->ring_stride;

	*o = (struct vtc_vring_opts)VTC_VRING_OPTS_INIT;
	o->role = role;
	o->size = l->ring_size;
	o->features[0] = l->features[0];
	o->features[1] = l->features[1];
	o->desc_addr = addr;
	o->driver_addr = addr + l->driver_offset;
	o->device_addr = addr + l->device_offset;
	if (role != VTC_VRING_DRIVER || !table_len(l))
		return;
	o->indirect_addr = addr + table_offset(l);
	o->indirect_len = table_len(l);
}
