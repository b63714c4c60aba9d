/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The peers, and what all contenders share. They do the least that a ring of their
 * shape can: no check, no translation, addresses are pointers.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bench.h"
#include "contender.h"

#define LOAD(p)	      __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define STORE(p, v)   __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define HUGE_PAGE     (2u << 20)
#define OURS_TO_GIVE  0
#define OURS_TO_SERVE 1

static size_t whole(size_t len, size_t page)
{
	return (len + page - 1) / page * page;
}

void *contender_pages(size_t len, bool huge)
{
	void *p = mmap(NULL, whole(len, HUGE_PAGE), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | (huge ? MAP_HUGETLB : 0), -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	if (!huge)
		madvise(p, whole(len, HUGE_PAGE), MADV_NOHUGEPAGE);
	memset(p, 0, len);
	return p;
}

void contender_unmap(void *p, size_t len)
{
	munmap(p, whole(len, HUGE_PAGE));
}

uint32_t contender_scatter(uint32_t i, uint32_t count)
{
	static const uint32_t primes[] = { 7919, 7927, 7933 };
	size_t p = 0;

	while (count % primes[p] == 0)
		p++;
	return (uint32_t)((uint64_t)i * primes[p] % count);
}

/* ---- Split: descriptors, and a ring of heads and an index for each direction ---- */

struct split_desc {
	void *addr;
	uint32_t len;
	uint16_t flags, next;
};

struct split_avail {
	uint16_t flags, index;
	uint16_t ring[];
};

struct split_used {
	uint16_t flags, index;
	struct {
		uint32_t id, len;
	} ring[];
};

/* Of one side; the other never looks at it. */
struct side {
	uint16_t next, back; /* to give or to serve; to take */
	uint16_t free;	     /* split: first of the free descriptors */
	uint32_t buffer;
	uint32_t outstanding;
} __attribute__((aligned(128)));

struct flagged_desc {
	void *addr;
	uint32_t len;
	uint16_t id, flags;
};

struct peer {
	struct contender c;
	struct side driver, device;
	struct split_desc *desc;
	struct split_avail *avail;
	struct split_used *used;
	struct flagged_desc *slots;
	void **tokens; /* by head or id, the driver's own */
	void **order;  /* of the packets */
	uint8_t *packets;
	uint32_t mask;
	size_t packets_len;
};

static void *next_packet(struct peer *p)
{
	void *packet = p->order[p->driver.buffer++];

	if (p->driver.buffer == p->c.plan.buffers)
		p->driver.buffer = 0;
	return packet;
}

static unsigned int split_give(struct contender *c, unsigned int max)
{
	struct peer *p = (struct peer *)c;
	struct side *d = &p->driver;
	unsigned int i;

	for (i = 0; i < max && d->outstanding < c->plan.size; i++, d->outstanding++) {
		uint16_t head = d->free;

		p->desc[head].addr = p->tokens[head] = next_packet(p);
		p->desc[head].len = c->plan.bytes;
		p->desc[head].flags = 0;
		d->free = p->desc[head].next;
		p->avail->ring[d->next & p->mask] = head;
		STORE(&p->avail->index, ++d->next);
	}
	return i;
}

static unsigned int split_serve(struct contender *c, unsigned int max)
{
	struct peer *p = (struct peer *)c;
	struct side *d = &p->device;
	unsigned int i;

	for (i = 0; i < max && LOAD(&p->avail->index) != d->next; i++) {
		uint16_t head = p->avail->ring[d->next & p->mask];

		if (c->plan.touch)
			contender_touch(p->desc[head].addr, p->desc[head].len);
		p->used->ring[d->next & p->mask].id = head;
		p->used->ring[d->next & p->mask].len = p->desc[head].len;
		STORE(&p->used->index, ++d->next);
	}
	return i;
}

static unsigned int split_take(struct contender *c, unsigned int max)
{
	struct peer *p = (struct peer *)c;
	struct side *d = &p->driver;
	unsigned int i;

	for (i = 0; i < max && LOAD(&p->used->index) != d->back; i++, d->back++) {
		uint16_t head = (uint16_t)p->used->ring[d->back & p->mask].id;

		p->tokens[head] = NULL;
		p->desc[head].next = d->free;
		d->free = head;
		d->outstanding--;
	}
	return i;
}

static void make_split(struct peer *p)
{
	uint32_t size = p->c.plan.size;

	p->c.give = split_give;
	p->c.serve = split_serve;
	p->c.take = split_take;
	p->desc = contender_pages(size * sizeof(*p->desc), false);
	p->avail = contender_pages(size * 2 + 4, false);
	p->used = contender_pages(size * 8 + 4, false);
	if (!p->desc || !p->avail || !p->used)
		bench_die("memory is out");
	for (uint32_t i = 0; i < size; i++)
		p->desc[i].next = (uint16_t)(i + 1);
}

/* ---- Flagged: one ring, each slot the driver's or the device's ---- */

static unsigned int flagged_give(struct contender *c, unsigned int max)
{
	struct peer *p = (struct peer *)c;
	struct side *d = &p->driver;
	unsigned int i;

	for (i = 0; i < max && d->outstanding < c->plan.size; i++, d->outstanding++) {
		uint16_t id = (uint16_t)(d->next++ & p->mask);
		struct flagged_desc *slot = &p->slots[id];

		slot->addr = p->tokens[id] = next_packet(p);
		slot->len = c->plan.bytes;
		slot->id = id;
		STORE(&slot->flags, OURS_TO_SERVE);
	}
	return i;
}

static unsigned int flagged_serve(struct contender *c, unsigned int max)
{
	struct peer *p = (struct peer *)c;
	struct side *d = &p->device;
	unsigned int i;

	for (i = 0; i < max; i++, d->next++) {
		struct flagged_desc *slot = &p->slots[d->next & p->mask];

		if (LOAD(&slot->flags) != OURS_TO_SERVE)
			break;
		if (c->plan.touch)
			contender_touch(slot->addr, slot->len);
		slot->len--;
		STORE(&slot->flags, OURS_TO_GIVE);
	}
	return i;
}

static unsigned int flagged_take(struct contender *c, unsigned int max)
{
	struct peer *p = (struct peer *)c;
	struct side *d = &p->driver;
	unsigned int i;

	for (i = 0; i < max && d->outstanding; i++, d->back++, d->outstanding--) {
		struct flagged_desc *slot = &p->slots[d->back & p->mask];

		if (LOAD(&slot->flags) != OURS_TO_GIVE)
			break;
		contender_use(slot->len);
		p->tokens[slot->id] = NULL;
	}
	return i;
}

static void make_flagged(struct peer *p)
{
	p->c.give = flagged_give;
	p->c.serve = flagged_serve;
	p->c.take = flagged_take;
	p->slots = contender_pages(p->c.plan.size * sizeof(*p->slots), false);
	if (!p->slots)
		bench_die("memory is out");
}

/* ---- Both ---- */

static void free_pages(void *pages, size_t len)
{
	if (pages)
		contender_unmap(pages, len);
}

static void free_peer(struct contender *c)
{
	struct peer *p = (struct peer *)c;
	uint32_t size = c->plan.size;

	free_pages(p->desc, size * sizeof(*p->desc));
	free_pages(p->avail, size * 2 + 4);
	free_pages(p->used, size * 8 + 4);
	free_pages(p->slots, size * sizeof(*p->slots));
	free_pages(p->packets, p->packets_len);
	free(p->tokens);
	free(p->order);
	free(p);
}

struct contender *contender_peer(const struct contender_plan *plan)
{
	struct peer *p = aligned_alloc(128, sizeof(*p));

	if (!p)
		bench_die("memory is out");
	*p = (struct peer){ .c = { .free = free_peer, .plan = *plan } };
	p->mask = plan->size - 1;
	p->packets_len = (size_t)plan->buffers * CONTENDER_STRIDE;
	p->packets = contender_pages(p->packets_len, false);
	p->tokens = calloc(plan->size, sizeof(*p->tokens));
	p->order = calloc(plan->buffers, sizeof(*p->order));
	if (!p->packets || !p->tokens || !p->order)
		bench_die("memory is out");
	for (uint32_t i = 0; i < plan->buffers; i++)
		p->order[i] = p->packets + (size_t)contender_scatter(i, plan->buffers) *
						   CONTENDER_STRIDE;
	if (plan->packed)
		make_flagged(p);
	else
		make_split(p);
	return &p->c;
}
