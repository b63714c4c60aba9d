/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The driver side of a split ring (VIRTIO 2.7). */
#include "add.h"

#define IDX_AT	  2
#define RING_AT	  4
#define DESC_SIZE sizeof(struct vtc__desc)

static uint8_t *avail_at(const struct vtc_vring *v, uint16_t index)
{
	return v->driver + RING_AT + (index & v->mask) * sizeof(uint16_t);
}

static uint8_t *used_event(const struct vtc_vring *v)
{
	return v->driver + RING_AT + v->size * sizeof(uint16_t);
}

static const uint8_t *avail_event(const struct vtc_vring *v)
{
	return v->device + RING_AT + v->size * sizeof(struct vtc__used);
}

VTC__ALWAYS void put_desc(uint8_t *p, uint64_t addr, uint32_t len, unsigned int flags,
			  uint16_t next)
{
	vtc__store64(p, addr, __ATOMIC_RELAXED);
	vtc__store64(p + 8, (uint64_t)next << 48 | (uint64_t)flags << 32 | len,
		     __ATOMIC_RELAXED);
}

VTC__ALWAYS void put_buffer(const struct vtc_add *a, unsigned int i, uint8_t *p,
			    uint16_t next)
{
	unsigned int last = (unsigned int)a->readable + a->writable - 1;
	unsigned int flags =
		(i < a->readable ? 0 : VTC__WRITE) | (i < last ? VTC__NEXT : 0);

	put_desc(p, a->buffers[i].guest_addr, a->buffers[i].len, flags,
		 i < last ? next : 0);
}

static void put_table(struct vtc_vring *v, const struct vtc_add *a, unsigned int descs,
		      uint16_t head)
{
	uint8_t *table;
	uint64_t addr = vtc__add_table(v, head, &table);

	for (unsigned int i = 0; i < descs; i++)
		put_buffer(a, i, table + i * DESC_SIZE, (uint16_t)(i + 1));
	put_desc(v->desc + head * DESC_SIZE, addr, (uint32_t)(descs * DESC_SIZE),
		 VTC__INDIRECT, 0);
}

static void put_chain(struct vtc_vring *v, const struct vtc_add *a, unsigned int descs,
		      uint16_t head, uint32_t *free_head)
{
	uint16_t at = head;

	for (unsigned int i = 0; i < descs; i++) {
		uint16_t next = i + 1 < descs ? vtc__free_take(v, free_head) : 0;

		put_buffer(a, i, v->desc + at * DESC_SIZE, next);
		v->next[at] = next;
		at = next;
	}
}

VTC__ALWAYS void add_one(struct vtc_vring *v, const struct vtc_add *a, unsigned int descs,
			 bool table, uint16_t avail, uint32_t *free_head)
{
	uint16_t head = vtc__free_take(v, free_head);

	if (vtc__likely(descs == 1))
		put_buffer(a, 0, v->desc + head * DESC_SIZE, 0);
	else if (table)
		put_table(v, a, descs, head);
	else
		put_chain(v, a, descs, head, free_head);
	v->owned[head] =
		(struct vtc__owned){ a->id, vtc__add_writable(a), table ? 1 : descs };
	vtc__order_add(v, head);
	vtc__store16(avail_at(v, avail), head, __ATOMIC_RELAXED);
}

static int add(struct vtc_vring *v, const struct vtc_add *chains, unsigned int count)
{
	uint32_t free_head = v->free_head, free_tail = v->free_tail, i;
	uint16_t avail = v->avail;

	for (i = 0; i < count; i++) {
		unsigned int descs =
			(unsigned int)chains[i].readable + chains[i].writable;
		bool table = vtc__add_uses_table(v, descs);

		if (free_tail - free_head < (table ? 1 : descs))
			break;
		add_one(v, &chains[i], descs, table, avail++, &free_head);
	}
	v->free_head = free_head;
	v->avail = avail;
	v->in_flight += i;
	v->pending += i;
	return (int)i;
}

static int kick(struct vtc_vring *v)
{
	uint16_t now = v->avail, old = (uint16_t)(now - v->pending);
	bool known = v->signalled;

	if (!v->pending)
		return 0;
	/* The other side writes its wish and then looks at the index, we the reverse. */
	vtc__store16(v->driver + IDX_AT, now, __ATOMIC_SEQ_CST);
	v->pending = 0;
	v->signalled = true;
	if (!v->event_idx)
		return !(vtc__load16(v->device, __ATOMIC_SEQ_CST) & VTC__NO_NOTIFY);
	return !known ||
	       vtc__need_event(vtc__load16(avail_event(v), __ATOMIC_SEQ_CST), now, old);
}

VTC__ALWAYS void disarm(struct vtc_vring *v)
{
	v->armed = false;
	if (!v->event_idx)
		vtc__store16(v->driver, VTC__NO_NOTIFY, __ATOMIC_RELAXED);
}

VTC__ALWAYS void release(struct vtc_vring *v, uint16_t head, uint32_t *tail)
{
	uint16_t at = head;

	for (unsigned int n = v->owned[head].slots; n > 1; n--) {
		vtc__free_give(v, tail, at);
		at = v->next[at];
	}
	vtc__free_give(v, tail, at);
	v->owned[head].slots = 0;
}

/* How many are used, or -EPROTO. */
VTC__ALWAYS int returned(struct vtc_vring *v, unsigned int max)
{
	unsigned int n = (uint16_t)(v->seen - v->used);

	if (n < max) {
		v->seen = vtc__load16(v->device + IDX_AT, __ATOMIC_ACQUIRE);
		n = (uint16_t)(v->seen - v->used);
		if (vtc__unlikely(n > v->in_flight - v->pending))
			return vtc__vring_break(
				v, "the used index is ahead of what was added");
	}
	return (int)n;
}

VTC__ALWAYS const uint8_t *used_at(const struct vtc_vring *v, uint16_t index)
{
	return v->device + RING_AT + (index & v->mask) * sizeof(struct vtc__used);
}

VTC__ALWAYS bool reap_one(struct vtc_vring *v, struct vtc_done *done, uint16_t used,
			  uint32_t *tail)
{
	const uint8_t *p = used_at(v, used);
	uint32_t id = vtc__load32(p, __ATOMIC_RELAXED);
	uint32_t len = vtc__load32(p + 4, __ATOMIC_RELAXED);
	struct vtc__owned *o = vtc__reap_check(v, id, &len);

	if (vtc__unlikely(!o))
		return false;
	done->id = o->id;
	done->len = len;
	release(v, (uint16_t)id, tail);
	return true;
}

VTC__ALWAYS bool reap_in_order(struct vtc_vring *v, struct vtc_done *done, uint16_t used,
			       uint32_t *tail)
{
	if (!v->batch) {
		const uint8_t *p = used_at(v, used);

		v->batch_id = vtc__load32(p, __ATOMIC_RELAXED);
		v->batch_len = vtc__load32(p + 4, __ATOMIC_RELAXED);
		if (!vtc__reap_check(v, v->batch_id, &v->batch_len))
			return false;
		v->batch = true;
	}
	release(v, vtc__order_reap(v, done), tail);
	return true;
}

VTC__ALWAYS int reap(struct vtc_vring *v, struct vtc_done *done, unsigned int max,
		     bool in_order)
{
	int n = returned(v, max);
	unsigned int i, all = n < 0 ? 0 : (unsigned int)n;
	uint32_t tail = v->free_tail;
	uint16_t used = v->used;

	if (n <= 0)
		return n;
	if (v->armed)
		disarm(v);
	for (i = 0; i < max && i < all; i++, used++) {
		if (!(in_order ? reap_in_order(v, &done[i], used, &tail)
			       : reap_one(v, &done[i], used, &tail)))
			break;
	}
	v->used = used;
	v->free_tail = tail;
	v->in_flight -= i;
	if (i == all && v->batch)
		(void)vtc__vring_break(v, "the used index ends within a batch");
	return i ? (int)i : -EPROTO;
}

static int reap_all(struct vtc_vring *v, struct vtc_done *done, unsigned int max)
{
	return v->in_order ? reap(v, done, max, true) : reap(v, done, max, false);
}

static int needs_poll(struct vtc_vring *v)
{
	if (v->seen != v->used ||
	    vtc__load16(v->device + IDX_AT, __ATOMIC_ACQUIRE) != v->used)
		return 0;
	if (v->event_idx)
		vtc__store16(used_event(v), v->used, __ATOMIC_SEQ_CST);
	else
		vtc__store16(v->driver, 0, __ATOMIC_SEQ_CST);
	v->armed = true;
	return vtc__load16(v->device + IDX_AT, __ATOMIC_SEQ_CST) == v->used;
}

const struct vtc__ops vtc__split_driver = {
	.add = add,
	.kick = kick,
	.reap = reap_all,
	.needs_poll = needs_poll,
};
