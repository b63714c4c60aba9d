/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the memory of a channel says of itself: its first bytes, as they are in the
 * file. The creator writes them once; the opener reads them once and looks at its own
 * copy only.
 */
#ifndef VTC__LAYOUT_H
#define VTC__LAYOUT_H

#include <stdint.h>

#include <vtc/channel.h>

#define VTC__LAYOUT_MAGIC   0x006e6168632d7476ull /* "vt-chan", and tells the byte order */
#define VTC__LAYOUT_VERSION 1u

/* Buffers of another channel, in its file. */
struct vtc__pool {
	uint64_t guest_addr;
	uint64_t offset;
	uint64_t size;
};

/* Ring n begins at ring_offset + n * ring_stride, with its descriptors. */
struct vtc__layout {
	uint64_t magic;
	uint32_t version;
	uint32_t pools;
	uint64_t size;	     /* of the memory */
	uint64_t guest_addr; /* of its first byte */
	uint64_t features[2];
	uint64_t ring_offset;
	uint64_t ring_stride;
	uint64_t driver_offset; /* from the ring's beginning, as the next */
	uint64_t device_offset;
	uint64_t buffer_offset;
	uint32_t rings;
	uint32_t ring_size;
	uint32_t buffers;
	uint32_t buffer_size;
	struct vtc__pool pool[VTC_CHANNEL_POOLS_MAX];
};

_Static_assert(sizeof(struct vtc__layout) == 104 + VTC_CHANNEL_POOLS_MAX * 24,
	       "the layout is the same for all compilers");

/*
 * Lay out a channel. guest_addr, pools and pool[] are set before; defaults in the options
 * too. -EINVAL if a field is out of range.
 */
int vtc__layout_make(struct vtc__layout *l, const struct vtc_channel_opts *o);

/*
 * Whether a layout is possible: NULL, or why not. What vtc_mem_add() and vtc_vring_new()
 * check is left to them.
 */
const char *vtc__layout_check(const struct vtc__layout *l);

/* Options of one ring. */
void vtc__layout_ring(const struct vtc__layout *l, uint32_t ring, uint32_t role,
		      struct vtc_vring_opts *o);

/* Bytes of all buffers. */
uint64_t vtc__layout_buffers(const struct vtc__layout *l);

#endif
