/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A chain that the device side takes from a ring: the fast way for one descriptor within
 * the span of the last one, and the general one.
 */
#ifndef VTC__CHAIN_H
#define VTC__CHAIN_H

#include "vring.h"

/* A chain under construction. */
struct vtc__walk {
	struct vtc_vring *v;
	struct vtc_segment *segments;
	unsigned int room;
	unsigned int count; /* segments so far */
	uint32_t readable;  /* of them */
	uint32_t descs;	    /* descriptors so far */
	uint64_t readable_bytes;
	uint64_t writable_bytes;
};

/*
 * Add a descriptor's buffer, or all of an indirect table. 0, -EPROTO (the ring is broken
 * now), -ENOSPC, or -ESTALE (the memory map has changed meanwhile).
 */
int vtc__walk_buffer(struct vtc__walk *w, uint64_t addr, uint32_t len, bool write);
int vtc__walk_table(struct vtc__walk *w, uint64_t addr, uint32_t len);

/* After a walk: whether to do it again, with the map of now; else *err is its result. */
bool vtc__walk_again(struct vtc_vring *v, int *err);

/*
 * A chain was taken: note it as the one with this sequence number. Loops keep the number
 * in a register, and vtc_vring.seq follows at their end.
 */
VTC__ALWAYS void vtc__chain_note(struct vtc_vring *v, uint32_t seq,
				 const struct vtc_chain *chain, uint32_t slots)
{
	v->flight[chain->id] = (struct vtc__flight){ chain->writable_bytes, seq,
						     (uint16_t)slots, VTC__IN_FLIGHT };
	v->pulled[seq & v->pulled_mask] = (uint16_t)chain->id;
}

/*
 * Whether a buffer is in one span and may be accessed so, and where. In a map of one
 * span the last one is the likely one. In a map of many, guessing wrong would cost
 * more than the search.
 */
VTC__ALWAYS bool vtc__locate(const struct vtc_vring *v, uint64_t addr, uint32_t len,
			     unsigned int write, bool many, uint8_t **ret_base)
{
	const struct vtc__hit *hit = &v->hit[write];
	uint64_t off, size;

	if (many) {
		const struct vtc__span *span = vtc__map_near(v->map, addr);

		off = addr - span->addr;
		if (vtc__unlikely(off >= span->size) ||
		    vtc__unlikely((uint64_t)len - 1 >= span->size - off) ||
		    vtc__unlikely(!(span->perm & (VTC_MEM_READ + write))))
			return false;
		*ret_base = span->base + off;
		return true;
	}
	off = addr - hit->addr;
	size = hit->size;
	if (vtc__unlikely(off >= size) || vtc__unlikely((uint64_t)len - 1 >= size - off))
		return false;
	*ret_base = hit->base + off;
	return true;
}

/* A chain of one buffer, if that is in one span. */
VTC__ALWAYS bool vtc__chain_fast(const struct vtc_vring *v, uint64_t addr, uint32_t len,
				 unsigned int flags, uint16_t id, bool many,
				 struct vtc_chain *chain, struct vtc_segment *segment)
{
	unsigned int write = (flags / VTC__WRITE) & 1;
	uint32_t writable = write ? len : 0;
	uint8_t *base;

	if (vtc__unlikely(!vtc__locate(v, addr, len, write, many, &base)))
		return false;
	segment->base = base;
	segment->len = len;
	*chain = (struct vtc_chain){ segment,	      len - writable,
				     writable,	      (uint16_t)(1 - write),
				     (uint16_t)write, id };
	return true;
}

static inline void vtc__walk_begin(struct vtc__walk *w, struct vtc_vring *v,
				   struct vtc_segment *segments, unsigned int room)
{
	*w = (struct vtc__walk){ .v = v, .segments = segments, .room = room };
}

static inline void vtc__walk_end(const struct vtc__walk *w, uint16_t id,
				 struct vtc_chain *chain)
{
	chain->segments = w->segments;
	chain->readable_bytes = (uint32_t)w->readable_bytes;
	chain->writable_bytes = (uint32_t)w->writable_bytes;
	chain->readable = (uint16_t)w->readable;
	chain->writable = (uint16_t)(w->count - w->readable);
	chain->id = id;
}

/* The same for a chain that is not simply in flight: nobody's, or older than the map. */
bool vtc__chain_done_old(struct vtc_vring *v, const struct vtc__flight *f,
			 const struct vtc_done *done, bool in_order);

/* Take a chain out of flight that push() is told of; whether it may. */
VTC__ALWAYS bool vtc__chain_done(struct vtc_vring *v, const struct vtc_done *done,
				 bool in_order, struct vtc__flight **ret_flight)
{
	struct vtc__flight *f;

	if (vtc__unlikely(done->id >= v->flights))
		return false;
	f = &v->flight[done->id];
	if (vtc__unlikely(f->state != VTC__IN_FLIGHT) &&
	    !vtc__chain_done_old(v, f, done, in_order))
		return false;
	if (vtc__unlikely(done->len > f->writable))
		return false;
	if (in_order && vtc__unlikely(f->seq != v->push_seq))
		return false;
	if (in_order)
		v->push_seq++;
	f->state = VTC__FREE;
	*ret_flight = f;
	return true;
}

/* Record what was written to a chain; only if there is a log. */
void vtc__chain_log(struct vtc_vring *v, uint16_t id, uint32_t len);

/* The id of the chain that was pulled last, out of flight again. */
uint16_t vtc__chain_undo(struct vtc_vring *v);

#endif
