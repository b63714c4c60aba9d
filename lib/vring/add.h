/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What both driver sides share: chains to add, and the FIFO of free heads or buffer ids.
 */
#ifndef VTC__ADD_H
#define VTC__ADD_H

#include "vring.h"

/* What the device side may write to a chain. */
VTC__ALWAYS uint32_t vtc__add_writable(const struct vtc_add *a)
{
	uint32_t sum = 0;

	for (unsigned int i = a->readable; i < (unsigned int)a->readable + a->writable;
	     i++)
		sum += a->buffers[i].len;
	return sum;
}

VTC__ALWAYS bool vtc__add_uses_table(const struct vtc_vring *v, unsigned int descs)
{
	return v->indirect_base && descs > 1 && descs <= v->opts.indirect_len;
}

/* Guest address and memory of the table that belongs to a head or buffer id. */
VTC__ALWAYS uint64_t vtc__add_table(const struct vtc_vring *v, uint16_t id, uint8_t **ret)
{
	uint64_t off = (uint64_t)id * v->opts.indirect_len * sizeof(struct vtc__desc);

	*ret = v->indirect_base + off;
	return v->opts.indirect_addr + off;
}

/* Loops keep the FIFO's ends in registers. */
VTC__ALWAYS uint16_t vtc__free_take(struct vtc_vring *v, uint32_t *head)
{
	return v->free[(*head)++ & v->pulled_mask];
}

VTC__ALWAYS void vtc__free_give(struct vtc_vring *v, uint32_t *tail, uint16_t id)
{
	v->free[(*tail)++ & v->pulled_mask] = id;
}

/* In order: the chain is the newest. */
VTC__ALWAYS void vtc__order_add(struct vtc_vring *v, uint16_t id)
{
	if (v->in_order)
		v->pulled[v->seq++ & v->pulled_mask] = id;
}

/*
 * A chain that the device side says is done, or NULL: the ring is broken. How much was
 * written to a chain that is not writable is not said (VIRTIO 2.8.1), and some devices
 * leave a number there.
 */
VTC__ALWAYS struct vtc__owned *vtc__reap_check(struct vtc_vring *v, uint32_t id,
					       uint32_t *len)
{
	struct vtc__owned *o;

	if (vtc__unlikely(id >= v->size) || vtc__unlikely(!v->owned[id].slots)) {
		(void)vtc__vring_break(v, "a used id is not in flight");
		return NULL;
	}
	o = &v->owned[id];
	if (!o->writable)
		*len = 0;
	if (vtc__unlikely(*len > o->writable)) {
		(void)vtc__vring_break(
			v, "a used length is more than the chain's writable bytes");
		return NULL;
	}
	return o;
}

/*
 * In order: the oldest chain, which is done, because it or a younger one was said to be.
 * Its length was said only if it is that one; otherwise it was written in full.
 */
VTC__ALWAYS uint16_t vtc__order_reap(struct vtc_vring *v, struct vtc_done *done)
{
	uint16_t id = v->pulled[v->push_seq++ & v->pulled_mask];
	const struct vtc__owned *o = &v->owned[id];

	done->id = o->id;
	done->len = o->writable;
	if (id == v->batch_id) {
		done->len = v->batch_len;
		v->batch = false;
	}
	return id;
}

#endif
