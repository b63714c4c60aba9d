/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A vring from the inside, and what the four hot files share. Words of shared memory are
 * read and written through the helpers here only: each once, whole, and in little endian.
 */
#ifndef VTC__VRING_H
#define VTC__VRING_H

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <vtc/vring.h>

#include "core/ctx.h"
#include "mem.h"

#define vtc__likely(x)	 __builtin_expect(!!(x), 1)
#define vtc__unlikely(x) __builtin_expect(!!(x), 0)
#define VTC__ALWAYS	 static inline __attribute__((always_inline))
#define VTC__COLD	 __attribute__((cold, noinline))

/* Descriptor flags (VIRTIO 2.7.5, 2.8.1), as they stand in vtc__desc_flags(). */
#define VTC__NEXT     1u
#define VTC__WRITE    2u
#define VTC__INDIRECT 4u
#define VTC__AVAIL    (1u << 7)
#define VTC__USED     (1u << 15)

/* Split: flags of the available and the used ring. Packed: of the event structures. */
#define VTC__NO_NOTIFY	   1u
#define VTC__EVENT_ENABLE  0u
#define VTC__EVENT_DISABLE 1u
#define VTC__EVENT_DESC	   2u

/* A descriptor: split and packed differ only in where id, next and flags are. */
struct vtc__desc {
	uint64_t addr;
	uint64_t word;
};

struct vtc__used {
	uint32_t id;
	uint32_t len;
};

/* Packed: a place in the ring. Loops keep it in registers. */
struct vtc__pos {
	uint32_t slot;
	uint32_t wrap;
};

/* What a used descriptor (packed) or element (split, in order) gets, and where. */
struct vtc__used_slot {
	uint64_t word;
	struct vtc__pos pos;
};

/*
 * The device side's memory of a chain in flight, by head (split) or buffer id (packed).
 */
struct vtc__flight {
	uint32_t writable;
	uint32_t seq;
	uint16_t slots;
	uint16_t state;
};

/* The driver side's, by head or buffer id. */
struct vtc__owned {
	uint32_t id;
	uint32_t writable;
	uint32_t slots; /* descriptors of the ring that it takes; 0: not in flight */
};

enum vtc__flight_state {
	VTC__FREE = 0,
	VTC__IN_FLIGHT = 1,
	VTC__IN_FLIGHT_OLD =
		2, /* translated with a table before the vring's present one */
};

/* The span that the last buffer was in; one for each permission that a buffer needs. */
struct vtc__hit {
	uint64_t addr;
	uint64_t size;
	uint8_t *base;
};

struct vtc__ops {
	int (*pull)(struct vtc_vring *v, struct vtc_chain *chains, unsigned int max,
		    struct vtc_segment *segments, unsigned int room);
	int (*unpull)(struct vtc_vring *v, unsigned int count);
	int (*push)(struct vtc_vring *v, const struct vtc_done *done, unsigned int count);
	int (*flush)(struct vtc_vring *v);
	int (*add)(struct vtc_vring *v, const struct vtc_add *chains, unsigned int count);
	int (*kick)(struct vtc_vring *v);
	int (*reap)(struct vtc_vring *v, struct vtc_done *done, unsigned int max);
	int (*needs_poll)(struct vtc_vring *v);
};

/*
 * Positions are indices modulo 2^16 (split) or slots with a wrap counter (packed).
 * "avail" is where this side pulls or adds next, "used" where it publishes or reaps next.
 */
struct vtc_vring {
	/* Read by every call, written hardly ever. */
	const struct vtc__ops *ops;
	struct vtc_mem *mem;
	const struct vtc__map *map;
	uint64_t epoch; /* of that map */
	const char *broken;
	uint8_t *desc;
	uint8_t *driver;
	uint8_t *device;

	/* What pull and add write. */
	struct vtc__hit hit[2] __attribute__((aligned(64)));
	uint32_t seq;	     /* of the next chain to pull */
	uint32_t since_push; /* chains pulled since the last push */
	uint16_t size;
	uint16_t mask; /* split: size - 1 */
	uint16_t avail;
	uint16_t seen; /* split: the other side's index when last looked at */

	/* What push and reap write. */
	uint16_t used __attribute__((aligned(64)));
	uint8_t avail_wrap;
	uint8_t used_wrap;
	uint32_t in_flight;  /* chains pulled and not pushed; driver side: not reaped */
	uint32_t pending;    /* chains pushed and not flushed, or added and not kicked */
	uint32_t used_count; /* used elements that stand for them */
	uint32_t used_slots; /* packed: descriptors that they skip */
	uint32_t busy;	     /* packed: descriptors between the two positions */
	uint32_t push_seq;   /* in order: of the next chain to push */
	uint32_t old;	     /* chains in flight that hold the pin */
	bool in_order;
	bool event_idx;
	bool indirect;
	bool armed;	/* the other side has been asked to notify */
	bool signalled; /* what was published before this is known */
	bool pinned;
	bool pin_old; /* the pin is older than the map, because chains in flight are */
	bool packed;
	bool only_read; /* see vtc__vring_set_only_read() */
	/*
	 * In order. Device side: the last used element may still be taken over by the
	 * next chain. Driver side: batch_id and batch_len are set.
	 */
	bool batch;
	struct vtc__flight *flight;
	union {
		struct vtc__used *used_elems;
		struct vtc__used_slot *used_ring;
	};

	/* Driver side. */
	struct vtc__owned *owned;
	uint16_t *free; /* FIFO of free heads or ids; descriptors keep their order so */
	uint16_t *next; /* split: chains, as they were written */
	uint64_t
		head_word; /* packed: flags of the first added, withheld until the kick */
	uint32_t free_head, free_tail;
	uint32_t batch_id, batch_len;
	uint32_t added;	      /* packed: descriptors since the last kick */
	struct vtc__pos head; /* and its place */

	/* Device side, rarely. */
	uint16_t *pulled;	/* ids by seq & pulled_mask */
	struct vtc__desc *copy; /* packed: by id; then as many nodes for longer chains */
	uint32_t nodes;		/* first free node */
	uint32_t pulled_mask;
	uint32_t flights; /* length of flight[] */
	uint16_t *again;  /* chains to pull before new ones */
	uint32_t again_next, again_count, again_pulled;
	uint32_t expected; /* in flight by the state, and not yet resubmitted */

	struct vtc__reader reader __attribute__((aligned(64)));
	struct vtc_vring_opts opts;
	uint8_t *indirect_base;
};

extern const struct vtc__ops vtc__split_device, vtc__split_device_in_order;
extern const struct vtc__ops vtc__packed_device, vtc__packed_device_in_order;
extern const struct vtc__ops vtc__split_driver, vtc__packed_driver;

/*
 * The same rings without fast paths, for tests that compare the two. Only before the
 * first pull.
 */
void vtc__vring_set_generic(struct vtc_vring *v);
extern const struct vtc__ops vtc__split_device_generic, vtc__packed_device_generic;

/*
 * The driver only sends: the write flag of descriptors in indirect tables says nothing.
 * DPDK's driver sets it there in packed rings. Only before the first pull.
 */
void vtc__vring_set_only_read(struct vtc_vring *v);

/* ---- Words of shared memory ---- */

VTC__ALWAYS uint16_t vtc__load16(const void *p, int order)
{
	return le16toh(__atomic_load_n((const uint16_t *)p, order));
}

VTC__ALWAYS void vtc__store16(void *p, uint16_t value, int order)
{
	__atomic_store_n((uint16_t *)p, htole16(value), order);
}

VTC__ALWAYS uint32_t vtc__load32(const void *p, int order)
{
	return le32toh(__atomic_load_n((const uint32_t *)p, order));
}

VTC__ALWAYS void vtc__store32(void *p, uint32_t value, int order)
{
	__atomic_store_n((uint32_t *)p, htole32(value), order);
}

VTC__ALWAYS uint64_t vtc__load64(const void *p, int order)
{
	return le64toh(__atomic_load_n((const uint64_t *)p, order));
}

VTC__ALWAYS void vtc__store64(void *p, uint64_t value, int order)
{
	__atomic_store_n((uint64_t *)p, htole64(value), order);
}

/*
 * ---- Descriptors: word is len, then flags and next (split) or id and flags (packed)
 * ----
 */

VTC__ALWAYS uint32_t vtc__word_len(uint64_t word)
{
	return (uint32_t)word;
}

VTC__ALWAYS unsigned int vtc__split_flags(uint64_t word)
{
	return (unsigned int)(word >> 32) & 0xffff;
}

VTC__ALWAYS uint16_t vtc__split_next(uint64_t word)
{
	return (uint16_t)(word >> 48);
}

VTC__ALWAYS uint16_t vtc__packed_id(uint64_t word)
{
	return (uint16_t)(word >> 32);
}

VTC__ALWAYS unsigned int vtc__packed_flags(uint64_t word)
{
	return (unsigned int)(word >> 48);
}

/* Is there a notification to send, after going from old to now (VIRTIO 2.7.10)? */
VTC__ALWAYS bool vtc__need_event(uint16_t event, uint16_t now, uint16_t old)
{
	return (uint16_t)(now - event - 1) < (uint16_t)(now - old);
}

/* ---- State ---- */

/* The first reason stays. Always -EPROTO. */
int vtc__vring_break(struct vtc_vring *v, const char *reason);

/*
 * The map has changed: look up everything again. 0, or -EPROTO: the ring is not in it.
 * The second does so at the begin of a call.
 */
int vtc__vring_follow(struct vtc_vring *v);
int vtc__vring_enter_anew(struct vtc_vring *v);

/* The last chain that was older than the map has gone. */
void vtc__vring_raise(struct vtc_vring *v);

/* Begin of every call that touches shared memory; see mem.h for what it promises. */
VTC__ALWAYS int vtc__vring_enter(struct vtc_vring *v)
{
	if (vtc__unlikely(v->broken))
		return -EPROTO;
	if (!v->pinned) {
		v->pinned = true;
		atomic_store(&v->reader.pin, v->epoch);
	}
	if (vtc__unlikely(atomic_load(&v->mem->epoch) != v->epoch))
		return vtc__vring_enter_anew(v);
	return 0;
}

VTC__ALWAYS void vtc__vring_unpin(struct vtc_vring *v)
{
	v->pinned = false;
	v->pin_old = false;
	atomic_store_explicit(&v->reader.pin, 0, memory_order_release);
}

/*
 * End of it, device side. Chains in flight hold the map, and pushed ones hold the ring
 * until they are flushed.
 */
VTC__ALWAYS void vtc__device_leave(struct vtc_vring *v)
{
	if (v->in_flight + v->pending == 0)
		vtc__vring_unpin(v);
	else if (vtc__unlikely(v->pin_old && !v->old))
		vtc__vring_raise(v);
}

/*
 * Driver side: it hands out no pointers; what was added holds the ring until it is
 * kicked.
 */
VTC__ALWAYS void vtc__driver_leave(struct vtc_vring *v)
{
	if (v->pending == 0)
		vtc__vring_unpin(v);
}

/* Note in the dirty log that a part of the ring was written. */
void vtc__vring_log(const struct vtc_vring *v, uint64_t addr, uint64_t len);

/* Packed: go on by some descriptors. */
VTC__ALWAYS void vtc__advance(struct vtc__pos *pos, uint32_t by, uint32_t size)
{
	pos->slot += by;
	if (pos->slot >= size) {
		pos->slot -= size;
		pos->wrap ^= 1;
	}
}

VTC__ALWAYS struct vtc__pos vtc__avail_pos(const struct vtc_vring *v)
{
	return (struct vtc__pos){ v->avail, v->avail_wrap };
}

VTC__ALWAYS struct vtc__pos vtc__used_pos(const struct vtc_vring *v)
{
	return (struct vtc__pos){ v->used, v->used_wrap };
}

VTC__ALWAYS void vtc__set_avail_pos(struct vtc_vring *v, struct vtc__pos pos)
{
	v->avail = (uint16_t)pos.slot;
	v->avail_wrap = (uint8_t)pos.wrap;
}

VTC__ALWAYS void vtc__set_used_pos(struct vtc_vring *v, struct vtc__pos pos)
{
	v->used = (uint16_t)pos.slot;
	v->used_wrap = (uint8_t)pos.wrap;
}

/*
 * Packed: ask the other side to notify when it is at this position, and whether it asked
 * us, now that we have come to this position by some steps.
 */
void vtc__packed_arm(struct vtc_vring *v, uint8_t *event, struct vtc__pos pos);
bool vtc__packed_wants(const struct vtc_vring *v, const uint8_t *event,
		       struct vtc__pos pos, uint32_t steps, bool known);

#endif
