/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A vring's life and state, and the way from the public functions into the four hot
 * files.
 */
#include "vring.h"

#include <stdlib.h>

#include "core/error.h"
#include "core/opts.h"

#define OPTS_FIRST sizeof(struct vtc_vring_opts)
#define DESC_SIZE  sizeof(struct vtc__desc)
#define LINE	   64u

/* A packed driver may use any 16-bit number as a buffer id. */
#define PACKED_IDS 65536u

#define NO_MEMORY "the ring's memory has left the memory map"

static bool is_driver(const struct vtc_vring *v)
{
	return v->opts.role == VTC_VRING_DRIVER;
}

static bool has(const struct vtc_vring_opts *o, unsigned int bit)
{
	return o->features[bit / 64] >> bit % 64 & 1;
}

int vtc__vring_break(struct vtc_vring *v, const char *reason)
{
	if (!v->broken)
		v->broken = reason;
	return -EPROTO;
}

/* ---- The ring's memory ---- */

static void *resolve_part(const struct vtc_vring *v, uint64_t addr, uint64_t len,
			  unsigned int perm, unsigned int align)
{
	void *p = vtc__map_range(v->map, addr, len, perm);

	return (uintptr_t)p % align ? NULL : p;
}

static int resolve_table(struct vtc_vring *v)
{
	const struct vtc_vring_opts *o = &v->opts;

	v->indirect_base = NULL;
	if (!v->indirect || !o->indirect_len)
		return 0;
	v->indirect_base = resolve_part(v, o->indirect_addr,
					(uint64_t)o->size * o->indirect_len * DESC_SIZE,
					VTC_MEM_RW, 8);
	return v->indirect_base ? 0 : -EFAULT;
}

static int resolve(struct vtc_vring *v)
{
	const struct vtc_vring_opts *o = &v->opts;
	unsigned int event = v->event_idx ? 2 : 0, size = v->size;
	unsigned int driver_len = v->packed ? 4 : 4 + size * 2 + event;
	unsigned int device_len = v->packed ? 4 : 4 + size * 8 + event;
	bool driver = is_driver(v);

	v->desc = resolve_part(v, o->desc_addr, size * DESC_SIZE,
			       driver || v->packed ? VTC_MEM_RW : VTC_MEM_READ, 8);
	v->driver = resolve_part(v, o->driver_addr, driver_len,
				 driver ? VTC_MEM_RW : VTC_MEM_READ, v->packed ? 4 : 2);
	v->device = resolve_part(v, o->device_addr, device_len,
				 driver ? VTC_MEM_READ : VTC_MEM_RW, 4);
	return v->desc && v->driver && v->device ? resolve_table(v) : -EFAULT;
}

static void clear_ring(struct vtc_vring *v)
{
	unsigned int size = v->size, event = v->event_idx ? 2 : 0;

	memset(v->desc, 0, size * DESC_SIZE);
	memset(v->driver, 0, v->packed ? 4 : 4 + size * 2 + event);
	/*
	 * The device's part may be read-only here; a device that begins anew clears it.
	 */
	if (vtc__map_range(v->map, v->opts.device_addr, 1, VTC_MEM_WRITE))
		memset(v->device, 0, v->packed ? 4 : 4 + size * 8 + event);
}

/* ---- The map changes ---- */

/* Also those that this very call has pulled. */
static uint32_t mark_old(struct vtc_vring *v)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < v->flights; i++) {
		if (v->flight[i].state == VTC__FREE)
			continue;
		v->flight[i].state = VTC__IN_FLIGHT_OLD;
		n++;
	}
	return n;
}

void vtc__vring_raise(struct vtc_vring *v)
{
	v->pin_old = false;
	atomic_store_explicit(&v->reader.pin, v->epoch, memory_order_release);
}

static void leave(struct vtc_vring *v)
{
	if (is_driver(v))
		vtc__driver_leave(v);
	else
		vtc__device_leave(v);
}

int vtc__vring_follow(struct vtc_vring *v)
{
	v->map = atomic_load(&v->mem->map);
	v->epoch = v->map->epoch;
	v->old = mark_old(v);
	v->pin_old = v->old;
	memset(v->hit, 0, sizeof(v->hit));
	if (!v->old)
		vtc__vring_raise(v);
	if (!resolve(v))
		return 0;
	return vtc__vring_break(v, NO_MEMORY);
}

int vtc__vring_enter_anew(struct vtc_vring *v)
{
	int err = vtc__vring_follow(v);

	if (err)
		leave(v);
	return err;
}

void vtc__vring_log(const struct vtc_vring *v, uint64_t addr, uint64_t len)
{
	if (vtc__unlikely(v->map->log))
		vtc__map_log(v->map, addr, len);
}

/* ---- Packed events: 16 bits of slot and wrap counter, 16 bits of flags ---- */

void vtc__packed_arm(struct vtc_vring *v, uint8_t *event, struct vtc__pos pos)
{
	uint32_t flags = v->event_idx ? VTC__EVENT_DESC : VTC__EVENT_ENABLE;

	vtc__store32(event, pos.slot | pos.wrap << 15 | flags << 16, __ATOMIC_SEQ_CST);
	v->armed = true;
}

bool vtc__packed_wants(const struct vtc_vring *v, const uint8_t *event,
		       struct vtc__pos pos, uint32_t steps, bool known)
{
	uint32_t word = vtc__load32(event, __ATOMIC_SEQ_CST);
	uint16_t at = word & 0x7fff, now = (uint16_t)pos.slot;

	if ((word >> 16 & 3) != VTC__EVENT_DESC || !v->event_idx)
		return (word >> 16 & 3) != VTC__EVENT_DISABLE;
	if ((word >> 15 & 1) != pos.wrap)
		at = (uint16_t)(at - v->size);
	return !known || vtc__need_event(at, now, (uint16_t)(now - steps));
}

/* ---- Options ---- */

static bool check_addrs(const struct vtc_vring_opts *o, bool packed)
{
	return !(o->desc_addr % 16 || o->driver_addr % (packed ? 4 : 2) ||
		 o->device_addr % 4);
}

static bool check_indirect(const struct vtc_vring_opts *o)
{
	if (!o->indirect_len)
		return !o->indirect_addr;
	return o->role == VTC_VRING_DRIVER && o->indirect_len >= 2 &&
	       o->indirect_len <= o->size && o->indirect_addr % 16 == 0;
}

static int check_state(const struct vtc_vring_opts *o, bool packed)
{
	const struct vtc_vring_state *s = &o->state;
	bool level = s->avail == s->used && s->avail_round == s->used_round;

	if (s->in_flight > o->size || (s->in_flight && o->role == VTC_VRING_DRIVER))
		return -EINVAL;
	if (!packed)
		return s->avail_round || s->used_round ||
				       (uint16_t)(s->avail - s->used) != s->in_flight
			       ? -EINVAL
			       : 0;
	if (s->avail >= o->size || s->used >= o->size || s->avail_round > 1 ||
	    s->used_round > 1 || (!s->in_flight && !level))
		return -EINVAL;
	return s->in_flight && !has(o, VTC_VRING_F_IN_ORDER) ? -EOPNOTSUPP : 0;
}

static int check_opts(const struct vtc_vring_opts *o)
{
	bool packed = has(o, VTC_VRING_F_PACKED);

	if (o->flags || o->reserved || o->role > VTC_VRING_DRIVER || !o->size ||
	    o->size > VTC_VRING_SIZE_MAX || (!packed && o->size & (o->size - 1)))
		return -EINVAL;
	if (!check_addrs(o, packed) || !check_indirect(o))
		return -EINVAL;
	return check_state(o, packed);
}

/* ---- Life ---- */

static uint32_t power_of_two(uint32_t n)
{
	uint32_t p = 1;

	while (p < n)
		p *= 2;
	return p;
}

static bool alloc_device(struct vtc_vring *v)
{
	v->flights = v->packed ? PACKED_IDS : v->size;
	v->flight = calloc(v->flights, sizeof(*v->flight));
	v->used_ring = calloc(v->size, sizeof(*v->used_ring));
	if (v->packed)
		v->copy = calloc((size_t)v->flights + v->size, sizeof(*v->copy));
	return v->flight && v->used_ring && (!v->packed || v->copy);
}

static bool alloc_driver(struct vtc_vring *v)
{
	v->owned = calloc(v->size, sizeof(*v->owned));
	v->free = calloc(v->pulled_mask + 1, sizeof(*v->free));
	v->next = calloc(v->size, sizeof(*v->next));
	return v->owned && v->free && v->next;
}

static bool alloc_tables(struct vtc_vring *v)
{
	v->pulled_mask = power_of_two(v->size) - 1;
	v->pulled = calloc(v->pulled_mask + 1, sizeof(*v->pulled));
	return v->pulled && (is_driver(v) ? alloc_driver(v) : alloc_device(v));
}

static const struct vtc__ops *choose_ops(const struct vtc_vring *v)
{
	if (is_driver(v))
		return v->packed ? &vtc__packed_driver : &vtc__split_driver;
	if (v->in_order)
		return v->packed ? &vtc__packed_device_in_order
				 : &vtc__split_device_in_order;
	return v->packed ? &vtc__packed_device : &vtc__split_device;
}

void vtc__vring_set_generic(struct vtc_vring *v)
{
	if (!is_driver(v))
		v->ops = v->packed ? &vtc__packed_device_generic
				   : &vtc__split_device_generic;
}

void vtc__vring_set_only_read(struct vtc_vring *v)
{
	v->only_read = true;
}

static void init_device(struct vtc_vring *v)
{
	for (uint32_t i = 0; i < v->flights; i++) {
		if (v->flight[i].state != VTC__FREE)
			v->flight[i].state = VTC__FREE;
	}
	for (uint32_t i = 0; v->packed && i < v->size; i++)
		v->copy[v->flights + i].word = (uint64_t)(i + 1) << 32;
}

static void init_driver(struct vtc_vring *v)
{
	for (uint32_t i = 0; i < v->size; i++) {
		v->free[i] = (uint16_t)i;
		v->owned[i].slots = 0;
	}
	v->free_head = 0;
	v->free_tail = v->size;
}

static void clear_counts(struct vtc_vring *v)
{
	v->seq = v->push_seq = v->since_push = 0;
	v->in_flight = v->pending = v->used_count = v->used_slots = v->busy = 0;
	v->old = v->added = v->nodes = 0;
	v->again_next = v->again_count = v->again_pulled = 0;
	v->batch = v->pin_old = false;
	v->broken = NULL;
}

static bool is_new(const struct vtc_vring_state *s)
{
	return !(s->avail || s->used || s->in_flight || s->avail_round || s->used_round);
}

/* Positions as the state says. Both sides of a new ring begin with notifications on. */
static void init_state(struct vtc_vring *v, const struct vtc_vring_state *s)
{
	bool fresh = is_new(s);

	clear_counts(v);
	v->avail = s->avail;
	v->used = s->used;
	v->seen = is_driver(v) ? v->used : v->avail;
	v->avail_wrap = !s->avail_round;
	v->used_wrap = !s->used_round;
	v->expected = s->in_flight;
	v->armed = true;
	v->signalled = fresh;
	if (is_driver(v))
		init_driver(v);
	else
		init_device(v);
	if (is_driver(v) && fresh)
		clear_ring(v);
}

static void free_vring(struct vtc_vring *v)
{
	free(v->flight);
	free(v->used_ring);
	free(v->copy);
	free(v->owned);
	free(v->free);
	free(v->next);
	free(v->pulled);
	free(v->again);
	free(v);
}

static struct vtc_vring *alloc_vring(const struct vtc_vring_opts *o)
{
	size_t size = (sizeof(struct vtc_vring) + LINE - 1) / LINE * LINE;
	struct vtc_vring *v = aligned_alloc(LINE, size);

	if (!v)
		return NULL;
	memset(v, 0, size);
	v->opts = *o;
	v->size = (uint16_t)o->size;
	v->mask = (uint16_t)(o->size - 1);
	v->packed = has(o, VTC_VRING_F_PACKED);
	v->event_idx = has(o, VTC_VRING_F_EVENT_IDX);
	v->in_order = has(o, VTC_VRING_F_IN_ORDER);
	v->indirect = has(o, VTC_VRING_F_INDIRECT);
	v->ops = choose_ops(v);
	if (!alloc_tables(v)) {
		free_vring(v);
		return NULL;
	}
	return v;
}

static int make(struct vtc_mem *mem, const struct vtc_vring_opts *o,
		struct vtc_vring **ret_vring)
{
	struct vtc_vring *v = alloc_vring(o);
	int err;

	if (!v)
		return -ENOMEM;
	v->map = atomic_load(&mem->map);
	v->epoch = v->map->epoch;
	err = resolve(v);
	if (err) {
		free_vring(v);
		return err;
	}
	v->mem = vtc__mem_ref(mem);
	vtc__mem_attach(mem, &v->reader);
	init_state(v, &o->state);
	*ret_vring = v;
	return 0;
}

int vtc_vring_new(struct vtc_ctx *ctx, struct vtc_mem *mem,
		  const struct vtc_vring_opts *opts, struct vtc_vring **ret_vring)
{
	struct vtc_vring_opts o;
	int err;

	if (!ctx || !mem || !opts || !ret_vring)
		return vtc__err_arg(ctx, "vring new", "a parameter is NULL");
	err = vtc__opts_load(&o, sizeof(o), OPTS_FIRST, opts);
	if (!err)
		err = check_opts(&o);
	if (!err)
		err = make(mem, &o, ret_vring);
	if (err)
		return vtc__err(ctx, err, VTC_ERROR_ORIGIN_ARG, "vring new",
				"vring of %u descriptors at %#llx", (unsigned int)o.size,
				(unsigned long long)o.desc_addr);
	return 0;
}

void vtc_vring_free(struct vtc_vring *vring)
{
	if (!vring)
		return;
	vtc__mem_detach(vring->mem, &vring->reader);
	vtc_mem_unref(vring->mem);
	free_vring(vring);
}

int vtc_vring_reset(struct vtc_vring *vring)
{
	static const struct vtc_vring_state fresh;
	int err;

	if (!vring)
		return -EINVAL;
	vring->in_flight = vring->pending = vring->old = 0;
	vring->broken = NULL;
	err = vtc__vring_enter(vring) ? -EFAULT : resolve(vring);
	if (!err)
		init_state(vring, &fresh);
	else
		(void)vtc__vring_break(vring, NO_MEMORY);
	vtc__vring_unpin(vring);
	return err;
}

/* ---- Hot calls ---- */

int vtc_vring_needs_poll(struct vtc_vring *vring)
{
	int n;

	if (!vring)
		return -EINVAL;
	n = vtc__vring_enter(vring);
	if (n)
		return n;
	n = vring->ops->needs_poll(vring);
	leave(vring);
	return n;
}

int vtc_vring_pull(struct vtc_vring *vring, struct vtc_chain *chains, unsigned int max,
		   struct vtc_segment *segments, unsigned int max_segments)
{
	int n;

	if (!vring || !chains || !max || !segments || !max_segments || !vring->ops->pull)
		return -EINVAL;
	n = vtc__vring_enter(vring);
	if (vtc__unlikely(n))
		return n;
	n = vring->ops->pull(vring, chains, max, segments, max_segments);
	vtc__device_leave(vring);
	return n;
}

int vtc_vring_unpull(struct vtc_vring *vring, unsigned int count)
{
	if (!vring || !vring->ops->unpull)
		return -EINVAL;
	if (vring->broken)
		return -EPROTO;
	if (count > vring->since_push)
		return -EINVAL;
	(void)vring->ops->unpull(vring, count);
	vtc__device_leave(vring);
	return 0;
}

int vtc_vring_push(struct vtc_vring *vring, const struct vtc_done *done,
		   unsigned int count)
{
	int err;

	if (!vring || !done || !vring->ops->push)
		return -EINVAL;
	err = vtc__vring_enter(vring);
	if (vtc__unlikely(err))
		return err;
	err = vring->ops->push(vring, done, count);
	vring->since_push = 0;
	vring->again_pulled = 0;
	vtc__device_leave(vring);
	return err;
}

int vtc_vring_flush(struct vtc_vring *vring)
{
	int n;

	if (!vring || !vring->ops->flush)
		return -EINVAL;
	n = vtc__vring_enter(vring);
	if (vtc__unlikely(n))
		return n;
	n = vring->ops->flush(vring);
	vtc__device_leave(vring);
	return n;
}

static bool check_buffers(const struct vtc_add *a, unsigned int count)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < count; i++) {
		const struct vtc_buffer *b = &a->buffers[i];

		sum += b->len;
		if (!b->len || b->reserved || b->guest_addr + b->len < b->guest_addr)
			return false;
	}
	return sum <= UINT32_MAX;
}

static bool check_chains(const struct vtc_vring *v, const struct vtc_add *chains,
			 unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		unsigned int n = (unsigned int)chains[i].readable + chains[i].writable;

		if (!n || n > v->size || !chains[i].buffers ||
		    !check_buffers(&chains[i], n))
			return false;
	}
	return true;
}

int vtc_vring_add(struct vtc_vring *vring, const struct vtc_add *chains,
		  unsigned int count)
{
	int n;

	if (!vring || !chains || !vring->ops->add || !check_chains(vring, chains, count))
		return -EINVAL;
	n = vtc__vring_enter(vring);
	if (vtc__unlikely(n))
		return n;
	n = vring->ops->add(vring, chains, count);
	vtc__driver_leave(vring);
	return n;
}

int vtc_vring_kick(struct vtc_vring *vring)
{
	int n;

	if (!vring || !vring->ops->kick)
		return -EINVAL;
	n = vtc__vring_enter(vring);
	if (vtc__unlikely(n))
		return n;
	n = vring->ops->kick(vring);
	vtc__driver_leave(vring);
	return n;
}

int vtc_vring_reap(struct vtc_vring *vring, struct vtc_done *done, unsigned int max)
{
	int n;

	if (!vring || !done || !max || !vring->ops->reap)
		return -EINVAL;
	n = vtc__vring_enter(vring);
	if (vtc__unlikely(n))
		return n;
	n = vring->ops->reap(vring, done, max);
	vtc__driver_leave(vring);
	return n;
}

const char *vtc_vring_get_error(const struct vtc_vring *vring)
{
	return vring ? vring->broken : NULL;
}
