/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records of chains in flight: see vhost-inflight.h. */
#include "vhost-inflight.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "vring/vring.h"

#define ALIGN  64u
#define FORMAT 1u /* of what the protocol calls the version */

/* The layout is the protocol's; integers are in the machine's byte order. */
struct split_entry {
	uint8_t inflight;
	uint8_t padding[5];
	uint16_t next;
	uint64_t counter;
};

struct split_region {
	uint64_t features;
	uint16_t version;
	uint16_t entries;
	uint16_t last_batch_head;
	uint16_t used_idx;
	struct split_entry entry[];
};

struct packed_entry {
	uint8_t inflight;
	uint8_t padding;
	uint16_t next;
	uint16_t last;
	uint16_t num;
	uint64_t counter;
	uint16_t id;
	uint16_t flags;
	uint32_t len;
	uint64_t addr;
};

/* One aligned word, so that a crash leaves all of it old or all of it new. */
union packed_position {
	struct {
		uint16_t used_idx;
		uint16_t old_used_idx;
		uint8_t used_wrap;
		uint8_t old_used_wrap;
		uint8_t padding[2];
	} at;
	uint64_t word;
};

struct packed_region {
	uint64_t features;
	uint16_t version;
	uint16_t entries;
	uint16_t free_head;
	uint16_t old_free_head;
	union packed_position position;
	uint64_t padding;
	struct packed_entry entry[];
};

_Static_assert(sizeof(struct split_entry) == 16, "as the protocol has it");
_Static_assert(offsetof(struct split_region, entry) == 16, "as the protocol has it");
_Static_assert(sizeof(struct packed_entry) == 32, "as the protocol has it");
_Static_assert(offsetof(struct packed_region, position) == 16, "as the protocol has it");
_Static_assert(offsetof(struct packed_region, entry) == 32, "as the protocol has it");

/*
 * The frontend can write to the record at any time, and the next backend sees what there
 * is when this one is killed: so each access is whole, and writes keep their order.
 */
#define LOAD(p)	    __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define STORE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

static struct split_region *split_of(const struct vtc__vhost_record *r)
{
	return (struct split_region *)(void *)r->region;
}

static struct packed_region *packed_of(const struct vtc__vhost_record *r)
{
	return (struct packed_region *)(void *)r->region;
}

uint64_t vtc__vhost_record_size(bool packed, uint16_t entries)
{
	uint64_t size = packed ? sizeof(struct packed_region) +
					 (uint64_t)entries * sizeof(struct packed_entry)
			       : sizeof(struct split_region) +
					 (uint64_t)entries * sizeof(struct split_entry);

	return (size + ALIGN - 1) / ALIGN * ALIGN;
}

/* Version and number of entries are at the same place in both. */
int vtc__vhost_record_is_used(const struct vtc__vhost_record *r)
{
	uint16_t version = LOAD(&split_of(r)->version);

	if (!version)
		return 0;
	return version == FORMAT && LOAD(&split_of(r)->entries) == r->size ? 1 : -EPROTO;
}

void vtc__vhost_record_close(struct vtc__vhost_record *r)
{
	if (r->region)
		STORE(&split_of(r)->version, 0);
}

/* ---- Split ---- */

static void init_split(const struct vtc__vhost_record *r, uint16_t used)
{
	struct split_region *region = split_of(r);

	for (uint32_t i = 0; i < r->size; i++) {
		STORE(&region->entry[i].inflight, 0);
		STORE(&region->entry[i].next, 0);
	}
	STORE(&region->features, 0);
	STORE(&region->last_batch_head, 0);
	STORE(&region->used_idx, used);
}

/* The last batch became visible, but the predecessor did not come to unmark it. */
static int unmark_batch(const struct vtc__vhost_record *r, uint16_t used)
{
	struct split_region *region = split_of(r);
	uint16_t at = LOAD(&region->last_batch_head);
	uint16_t count = (uint16_t)(used - LOAD(&region->used_idx));

	if (count > r->size)
		return -EPROTO;
	for (; count; count--) {
		if (at >= r->size)
			return -EPROTO;
		STORE(&region->entry[at].inflight, 0);
		at = LOAD(&region->entry[at].next);
	}
	STORE(&region->used_idx, used);
	return 0;
}

struct marked {
	uint64_t counter;
	uint32_t id;
};

static int compare(const void *a, const void *b)
{
	const struct marked *x = a, *y = b;

	return (x->counter > y->counter) - (x->counter < y->counter);
}

static int list_marked(const struct vtc__vhost_record *r, uint32_t ring_size,
		       uint32_t *ids)
{
	struct split_region *region = split_of(r);
	struct marked *list = calloc(ring_size, sizeof(*list));
	int count = 0;

	if (!list)
		return -ENOMEM;
	for (uint32_t i = 0; i < ring_size; i++) {
		if (LOAD(&region->entry[i].inflight))
			list[count++] =
				(struct marked){ LOAD(&region->entry[i].counter), i };
	}
	qsort(list, (size_t)count, sizeof(*list), compare);
	for (int i = 0; i < count; i++)
		ids[i] = list[i].id;
	free(list);
	return count;
}

int vtc__vhost_record_split(struct vtc__vhost_record *r, uint16_t used,
			    uint32_t ring_size, uint32_t *ids)
{
	int count = unmark_batch(r, used);

	if (!count)
		count = list_marked(r, ring_size, ids);
	if (count > 0)
		r->again = (uint32_t)count;
	return count;
}

/* As long as nothing is marked, no list is needed to unmark it. */
static void before_split(const struct vtc__vhost_record *r, const struct vtc_done *done,
			 unsigned int count)
{
	struct split_region *region = split_of(r);

	for (unsigned int i = 0; r->again && i < count; i++) {
		STORE(&region->entry[done[i].id].next, LOAD(&region->last_batch_head));
		STORE(&region->last_batch_head, (uint16_t)done[i].id);
	}
}

static void after_split(struct vtc__vhost_record *r, const struct vtc_done *done,
			unsigned int count, uint16_t used)
{
	struct split_region *region = split_of(r);

	for (unsigned int i = 0; r->again && i < count; i++, r->again--)
		STORE(&region->entry[done[i].id].inflight, 0);
	STORE(&region->used_idx, used);
}

/* ---- Packed ---- */

static void store_position(const struct vtc__vhost_record *r, union packed_position p)
{
	STORE(&packed_of(r)->position.word, p.word);
}

static union packed_position load_position(const struct vtc__vhost_record *r)
{
	return (union packed_position){ .word = LOAD(&packed_of(r)->position.word) };
}

/* No entry is marked, and all are free. */
static void clear_entries(const struct vtc__vhost_record *r)
{
	struct packed_region *region = packed_of(r);

	for (uint32_t i = 0; i < r->size; i++) {
		STORE(&region->entry[i].inflight, 0);
		STORE(&region->entry[i].next, (uint16_t)(i + 1));
	}
	STORE(&region->free_head, 0);
	STORE(&region->old_free_head, 0);
}

static void init_packed(const struct vtc__vhost_record *r, uint16_t used, bool wrap)
{
	union packed_position p = { .at = { .used_idx = used,
					    .old_used_idx = used,
					    .used_wrap = wrap,
					    .old_used_wrap = wrap } };

	clear_entries(r);
	STORE(&packed_of(r)->features, 0);
	store_position(r, p);
}

/* What the predecessor began to publish is either visible or not. */
static void settle_position(const struct vtc__vhost_record *r, const uint8_t *ring,
			    union packed_position *p)
{
	unsigned int flags = vtc__packed_flags(
		vtc__load64(ring + p->at.old_used_idx * sizeof(struct vtc__desc) + 8,
			    __ATOMIC_ACQUIRE));
	bool is_used = !!(flags & VTC__AVAIL) == !!(flags & VTC__USED) &&
		       !!(flags & VTC__USED) == p->at.old_used_wrap;

	if (is_used) {
		p->at.old_used_idx = p->at.used_idx;
		p->at.old_used_wrap = p->at.used_wrap;
	} else {
		p->at.used_idx = p->at.old_used_idx;
		p->at.used_wrap = p->at.old_used_wrap;
	}
	store_position(r, *p);
}

static bool has_marked(const struct vtc__vhost_record *r)
{
	for (uint32_t i = 0; i < r->size; i++) {
		if (LOAD(&packed_of(r)->entry[i].inflight))
			return true;
	}
	return false;
}

int vtc__vhost_record_packed(struct vtc__vhost_record *r, const uint8_t *ring,
			     uint32_t ring_size, bool in_order,
			     struct vtc_vring_state *ret_at)
{
	union packed_position p = load_position(r);

	if (p.at.used_idx >= ring_size || p.at.old_used_idx >= ring_size ||
	    p.at.used_wrap > 1 || p.at.old_used_wrap > 1)
		return -EPROTO;
	if (p.at.used_idx != p.at.old_used_idx || p.at.used_wrap != p.at.old_used_wrap)
		settle_position(r, ring, &p);
	if (has_marked(r) && !in_order)
		return -EOPNOTSUPP;
	clear_entries(r);
	*ret_at = (struct vtc_vring_state){ .avail = p.at.used_idx,
					    .used = p.at.used_idx,
					    .avail_round = !p.at.used_wrap,
					    .used_round = !p.at.used_wrap };
	return 0;
}

static void before_packed(const struct vtc__vhost_record *r, uint16_t next, bool wrap)
{
	union packed_position p = load_position(r);

	p.at.used_idx = next;
	p.at.used_wrap = wrap;
	store_position(r, p);
}

static void after_packed(const struct vtc__vhost_record *r)
{
	union packed_position p = load_position(r);

	p.at.old_used_idx = p.at.used_idx;
	p.at.old_used_wrap = p.at.used_wrap;
	store_position(r, p);
}

/* ---- Both ---- */

void vtc__vhost_record_init(struct vtc__vhost_record *r, const struct vtc_vring_state *at)
{
	if (r->packed)
		init_packed(r, at->used, !at->used_round);
	else
		init_split(r, at->used);
	STORE(&split_of(r)->entries, r->size);
	STORE(&split_of(r)->version, FORMAT);
}

void vtc__vhost_record_before(struct vtc__vhost_record *r, const struct vtc_done *done,
			      unsigned int count, uint16_t next, bool wrap)
{
	if (r->packed)
		before_packed(r, next, wrap);
	else
		before_split(r, done, count);
}

void vtc__vhost_record_after(struct vtc__vhost_record *r, const struct vtc_done *done,
			     unsigned int count, uint16_t used)
{
	if (r->packed)
		after_packed(r);
	else
		after_split(r, done, count, used);
}
