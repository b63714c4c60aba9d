/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One range of addresses for a socket that sends from a guest's memory: frames of our own
 * at its beginning, the guest's regions a second time behind them. The kernel wants it in
 * one piece, and calls each byte by its distance from the beginning.
 */
#ifndef VTC__XSK_RANGE_H
#define VTC__XSK_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vtc/mem.h>

#include "vring/vring.h"

/* A region: where vrings see it, and where it is in the range. */
struct vtc__xsk_part {
	const uint8_t *base;
	size_t len;
	uint64_t at;
};

struct vtc__xsk_range {
	uint8_t *own;	/* the range begins here */
	size_t own_len; /* of the frames of our own */
	size_t len;
	void *map; /* with what is before and behind it */
	size_t map_len;
	uint32_t count, hit; /* parts; the one that was found last */
	struct vtc__xsk_part parts[VTC_MEM_REGIONS_MAX];
};

/*
 * Regions of which the memory map has no mapping of its own, or which cannot be mapped
 * twice, make it fail: 0, -EOPNOTSUPP, or what mmap(2) and mremap(2) say.
 */
int vtc__xsk_range_open(struct vtc__xsk_range *r, const struct vtc_mem *mem,
			size_t own_len);
void vtc__xsk_range_close(struct vtc__xsk_range *r);

/* Look through all parts. */
bool vtc__xsk_range_search(struct vtc__xsk_range *r, const uint8_t *base, size_t len,
			   uint64_t *ret_at);

/* Where a piece of the guest's memory is in the range; false: it is not in one part. */
VTC__ALWAYS bool vtc__xsk_range_find(struct vtc__xsk_range *r, const uint8_t *base,
				     size_t len, uint64_t *ret_at)
{
	const struct vtc__xsk_part *p = &r->parts[r->hit];
	size_t off = (size_t)((uintptr_t)base - (uintptr_t)p->base);

	if (vtc__unlikely(off >= p->len) || vtc__unlikely(len > p->len - off))
		return vtc__xsk_range_search(r, base, len, ret_at);
	*ret_at = p->at + off;
	return true;
}

#endif
