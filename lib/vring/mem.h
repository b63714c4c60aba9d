/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What vrings see of a memory map: immutable tables, and how a vring says which of them
 * it still uses.
 *
 * A change of the map never touches a table that is out. It makes a new one, publishes it
 * and raises the epoch; the old one lies aside until nobody can use it. Each vring has a
 * reader with a pin: 0 while the vring holds nothing of the map, else the epoch of the
 * oldest table it may hold pointers from. Writer and reader meet as in Dekker's
 * algorithm:
 *
 *	reader: pin = my epoch;  then look at the map's epoch
 *	writer: raise the epoch; then look at the pins
 *
 * All four are sequentially consistent, so at least one side sees the other: either the
 * writer finds the pin and waits (-EAGAIN), or the reader finds the new epoch and follows
 * before it uses anything. Raising the pin needs no such order, because a pin that is too
 * old only makes the writer wait; but it is a release store, and the writer's look an
 * acquire, so all use of the old table happens before it goes.
 *
 * A reader pays the ordered store only when it goes from 0 to pinned: a device side once
 * per burst that finds it idle.
 */
#ifndef VTC__MEM_H
#define VTC__MEM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vtc/mem.h>

/* One piece of guest addresses that is one piece of memory. */
struct vtc__span {
	uint64_t addr;
	uint64_t size;
	uint8_t *base;
	uint64_t perm;
};

/* Buckets narrow the search, so that it costs the same with 1 and VTC_MEM_REGIONS_MAX. */
#define VTC__MAP_BUCKETS 4096

struct vtc__map {
	uint64_t epoch;
	struct vtc__map *older; /* retired before this one */
	uint8_t *log;		/* dirty pages, or NULL */
	uint64_t log_pages;
	uint64_t first; /* address of bucket 0 */
	uint32_t shift; /* a bucket is 1 << shift bytes */
	uint32_t count;
	uint32_t stride; /* of the search's first step: a power of two, or 0 */
	/* Of the last span that begins at or before a bucket's first address. */
	uint16_t bucket[VTC__MAP_BUCKETS];
	/*
	 * The address before each span; behind the last as many that no address is behind
	 * as the steps go far.
	 */
	uint64_t before[2 * VTC_MEM_REGIONS_MAX + 2];
	struct vtc__span span[];
};

struct vtc__reader {
	struct vtc__reader *next;
	_Atomic uint64_t pin;
};

struct vtc_mem {
	_Atomic uint64_t epoch;
	struct vtc__map *_Atomic map;
	atomic_uint visitors; /* inside vtc_mem_translate() */
	atomic_uint refs;
	struct vtc_ctx *ctx;
	struct vtc__reader *readers;
	struct vtc__map *retired;
	struct vtc__region *regions; /* sorted by guest address */
	uint32_t count, room;
	uint8_t *log;
	uint64_t log_pages;
};

struct vtc_mem *vtc__mem_ref(struct vtc_mem *mem);
void vtc__mem_attach(struct vtc_mem *mem, struct vtc__reader *reader);
void vtc__mem_detach(struct vtc_mem *mem, struct vtc__reader *reader);

/* A region that is in the map, and what munmap() will get for it. */
struct vtc__mapping {
	uint8_t *base;
	uint64_t size;
	void *mapping; /* NULL: the memory is borrowed */
	size_t mapping_len;
	bool writable;
};

/*
 * The n-th region; false: there are no more. Thread of the context. The table of a vring
 * that is behind is another one: compare the epoch.
 */
bool vtc__mem_mapping(const struct vtc_mem *mem, uint32_t n, struct vtc__mapping *ret);

/* Set the bits of a range of guest addresses. */
void vtc__map_log(const struct vtc__map *map, uint64_t addr, uint64_t len);

/*
 * The span that would hold an address, if any does. There is no branch here that depends
 * on the address, but for one out of all bounds: the steps are those of the fullest
 * bucket.
 */
static inline const struct vtc__span *vtc__map_near(const struct vtc__map *map,
						    uint64_t addr)
{
	uint64_t b = (addr - map->first) >> map->shift;
	uint32_t i;

	if (b >= VTC__MAP_BUCKETS)
		return &map->span[0];
	i = map->bucket[b];
	for (uint32_t step = map->stride; step > 1; step /= 2)
		i += map->before[i + step] < addr ? step : 0;
	i += map->before[i + 1] < addr;
	return &map->span[i];
}

/* The span that holds an address, or NULL. */
static inline const struct vtc__span *vtc__map_find(const struct vtc__map *map,
						    uint64_t addr)
{
	const struct vtc__span *span = vtc__map_near(map, addr);

	return addr - span->addr < span->size ? span : NULL;
}

/* A range that must be one piece, or NULL. */
void *vtc__map_range(const struct vtc__map *map, uint64_t addr, uint64_t len,
		     unsigned int perm);

#endif
