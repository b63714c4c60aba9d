/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The memory map: regions as the caller added them, and the table that vrings search, in
 * which regions that adjoin in both address spaces are one.
 */
#include "mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/ctx.h"
#include "core/error.h"
#include "core/opts.h"

#define REGION_FIRST sizeof(struct vtc_mem_region)
#define LOG_SHIFT    12

struct vtc__region {
	uint64_t addr;
	uint64_t size;
	uint8_t *base;
	void *mapping; /* what munmap() gets; NULL: the memory is borrowed */
	uint64_t mapping_len;
	uint32_t perm;
	uint64_t gone; /* epoch of the first table without it; 0: it is in */
};

bool vtc__mem_mapping(const struct vtc_mem *mem, uint32_t n, struct vtc__mapping *ret)
{
	for (uint32_t i = 0; i < mem->count; i++) {
		const struct vtc__region *r = &mem->regions[i];

		if (r->gone || n--)
			continue;
		*ret = (struct vtc__mapping){ .base = r->base,
					      .size = r->size,
					      .mapping = r->mapping,
					      .mapping_len = r->mapping_len,
					      .writable = r->perm & VTC_MEM_WRITE };
		return true;
	}
	return false;
}

static struct vtc__map *current_map(const struct vtc_mem *mem)
{
	return atomic_load_explicit(&((struct vtc_mem *)mem)->map, memory_order_relaxed);
}

/* ---- Tables ---- */

static bool adjoins(const struct vtc__span *span, const struct vtc__region *r)
{
	return span->addr + span->size == r->addr && span->base + span->size == r->base &&
	       span->perm == r->perm;
}

static void fill_spans(struct vtc__map *map, const struct vtc_mem *mem)
{
	for (uint32_t i = 0; i < mem->count; i++) {
		const struct vtc__region *r = &mem->regions[i];

		if (r->gone)
			continue;
		if (map->count && adjoins(&map->span[map->count - 1], r)) {
			map->span[map->count - 1].size += r->size;
			continue;
		}
		map->span[map->count++] =
			(struct vtc__span){ r->addr, r->size, r->base, r->perm };
	}
}

static void choose_shift(struct vtc__map *map)
{
	const struct vtc__span *last = &map->span[map->count - 1];
	uint64_t reach = last->addr + last->size - 1 - map->first;

	while (reach >> map->shift >= VTC__MAP_BUCKETS)
		map->shift++;
}

/* The first wraps if it begins at 0, but a search never looks at it. */
static void fill_before(struct vtc__map *map)
{
	size_t all = sizeof(map->before) / sizeof(map->before[0]);

	for (size_t i = 0; i < all; i++)
		map->before[i] = i < map->count ? map->span[i].addr - 1 : UINT64_MAX;
}

/* An empty map keeps one span of size 0, so that a search needs no special case. */
static void fill_buckets(struct vtc__map *map)
{
	uint32_t at = 0, most = 0;

	map->first = map->span[0].addr;
	if (map->count)
		choose_shift(map);
	for (uint64_t b = 0; b < VTC__MAP_BUCKETS; b++) {
		uint32_t before = at;

		while (at + 1 < map->count &&
		       map->span[at + 1].addr - map->first <= b << map->shift)
			at++;
		map->bucket[b] = (uint16_t)at;
		most = at - before > most ? at - before : most;
	}
	/* Behind the last bucket's beginning there may be more. */
	most = map->count && map->count - 1 - at > most ? map->count - 1 - at : most;
	for (map->stride = most ? 1 : 0; map->stride * 2 <= most && most;)
		map->stride *= 2;
	fill_before(map);
}

static struct vtc__map *make_map(const struct vtc_mem *mem, uint64_t epoch)
{
	struct vtc__map *map =
		calloc(1, sizeof(*map) + (mem->count + 1) * sizeof(map->span[0]));

	if (!map)
		return NULL;
	map->epoch = epoch;
	map->log = mem->log;
	map->log_pages = mem->log_pages;
	fill_spans(map, mem);
	fill_buckets(map);
	return map;
}

/* Whether nobody can hold anything of tables before this epoch. */
static bool quiet(struct vtc_mem *mem, uint64_t epoch)
{
	for (struct vtc__reader *r = mem->readers; r; r = r->next) {
		uint64_t pin = atomic_load(&r->pin);

		if (pin && pin < epoch)
			return false;
	}
	return !atomic_load(&mem->visitors);
}

static void free_maps(struct vtc__map *map)
{
	while (map) {
		struct vtc__map *older = map->older;

		free(map);
		map = older;
	}
}

/* All retired tables are older than the present one, so they go together. */
static void free_retired(struct vtc_mem *mem)
{
	if (!mem->retired || !quiet(mem, atomic_load(&mem->epoch)))
		return;
	free_maps(mem->retired);
	mem->retired = NULL;
}

static int publish(struct vtc_mem *mem)
{
	struct vtc__map *old = current_map(mem);
	struct vtc__map *map = make_map(mem, old->epoch + 1);

	if (!map)
		return -ENOMEM;
	old->older = mem->retired;
	mem->retired = old;
	atomic_store(&mem->map, map);
	atomic_store(&mem->epoch, map->epoch);
	free_retired(mem);
	return 0;
}

/* ---- Life ---- */

int vtc_mem_new(struct vtc_ctx *ctx, struct vtc_mem **ret_mem)
{
	struct vtc_mem *mem;
	struct vtc__map *map;

	if (!ctx || !ret_mem)
		return vtc__err_arg(ctx, "mem new", "a parameter is NULL");
	mem = calloc(1, sizeof(*mem));
	map = mem ? make_map(mem, 1) : NULL;
	if (!map) {
		free(mem);
		return vtc__err(ctx, -ENOMEM, VTC_ERROR_ORIGIN_SYSTEM, "mem new",
				"memory map");
	}
	atomic_init(&mem->epoch, 1);
	atomic_init(&mem->map, map);
	atomic_init(&mem->visitors, 0);
	atomic_init(&mem->refs, 1);
	mem->ctx = vtc_ctx_ref(ctx);
	*ret_mem = mem;
	return 0;
}

struct vtc_mem *vtc__mem_ref(struct vtc_mem *mem)
{
	atomic_fetch_add(&mem->refs, 1);
	return mem;
}

static void unmap(const struct vtc__region *r)
{
	if (r->mapping)
		(void)munmap(r->mapping, r->mapping_len);
}

struct vtc_mem *vtc_mem_unref(struct vtc_mem *mem)
{
	if (!mem || atomic_fetch_sub(&mem->refs, 1) != 1)
		return NULL;
	for (uint32_t i = 0; i < mem->count; i++)
		unmap(&mem->regions[i]);
	free_maps(mem->retired);
	free(current_map(mem));
	free(mem->regions);
	vtc_ctx_unref(mem->ctx);
	free(mem);
	return NULL;
}

void vtc__mem_attach(struct vtc_mem *mem, struct vtc__reader *reader)
{
	atomic_init(&reader->pin, 0);
	reader->next = mem->readers;
	mem->readers = reader;
}

void vtc__mem_detach(struct vtc_mem *mem, struct vtc__reader *reader)
{
	struct vtc__reader **at = &mem->readers;

	while (*at && *at != reader)
		at = &(*at)->next;
	if (*at)
		*at = reader->next;
}

/* ---- Regions ---- */

/* Where in the sorted list an address belongs: behind all that begin before it. */
static uint32_t place_of(const struct vtc_mem *mem, uint64_t addr)
{
	uint32_t low = 0, high = mem->count;

	while (low < high) {
		uint32_t mid = (low + high) / 2;

		if (mem->regions[mid].addr < addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool overlaps(const struct vtc_mem *mem, uint32_t at, uint64_t addr, uint64_t size)
{
	if (at < mem->count && mem->regions[at].addr - addr < size)
		return true;
	return at && addr - mem->regions[at - 1].addr < mem->regions[at - 1].size;
}

static int check_region(const struct vtc_mem_region *r)
{
	if (r->flags & ~VTC_MEM_F_TRUSTED || !r->size || !r->perm || r->perm > VTC_MEM_RW)
		return -EINVAL;
	if (r->guest_addr + r->size <= r->guest_addr || r->size > PTRDIFF_MAX)
		return -EINVAL;
	if (r->base)
		return r->fd != -1 || r->fd_offset ||
				       (uintptr_t)r->base + r->size < (uintptr_t)r->base
			       ? -EINVAL
			       : 0;
	if (r->fd < 0 || r->fd_offset + r->size < r->size ||
	    r->fd_offset + r->size > INT64_MAX)
		return -EINVAL;
	return 0;
}

/* A mapping must begin and end on these; huge pages are their file system's block. */
static int check_file(const struct vtc_mem_region *r, uint64_t *ret_page)
{
	struct stat st;
	struct statfs fs;
	int seals = fcntl(r->fd, F_GET_SEALS);
	bool huge;

	if (fstat(r->fd, &st) || fstatfs(r->fd, &fs))
		return -errno;
	huge = fs.f_type == HUGETLBFS_MAGIC;
	if (!(r->flags & VTC_MEM_F_TRUSTED) && (seals < 0 || !(seals & F_SEAL_SHRINK)))
		return -EPERM;
	if (st.st_size < 0 || (uint64_t)st.st_size < r->fd_offset + r->size)
		return -ENXIO;
	*ret_page = huge ? (uint64_t)st.st_blksize : (uint64_t)sysconf(_SC_PAGESIZE);
	return 0;
}

static int map_file(const struct vtc_mem_region *r, struct vtc__region *region)
{
	int prot = r->perm & VTC_MEM_WRITE ? PROT_READ | PROT_WRITE : PROT_READ;
	uint64_t page = 0, skip;
	void *p;
	int err = check_file(r, &page);

	if (err)
		return err;
	skip = r->fd_offset % page;
	if (r->size > PTRDIFF_MAX - 2 * page)
		return -EINVAL;
	region->mapping_len = (skip + r->size + page - 1) / page * page;
	p = mmap(NULL, region->mapping_len, prot, MAP_SHARED, r->fd,
		 (off_t)(r->fd_offset - skip));
	if (p == MAP_FAILED)
		return -errno;
	region->mapping = p;
	region->base = (uint8_t *)p + skip;
	return 0;
}

static int make_room(struct vtc_mem *mem)
{
	uint32_t room = mem->room ? mem->room * 2 : 8;
	struct vtc__region *regions;

	if (mem->count < mem->room)
		return 0;
	regions = realloc(mem->regions, room * sizeof(*regions));
	if (!regions)
		return -ENOMEM;
	mem->regions = regions;
	mem->room = room;
	return 0;
}

static void take_out(struct vtc_mem *mem, uint32_t at)
{
	mem->count--;
	memmove(&mem->regions[at], &mem->regions[at + 1],
		(mem->count - at) * sizeof(mem->regions[0]));
}

static int insert(struct vtc_mem *mem, uint32_t at, const struct vtc__region *region)
{
	int err;

	memmove(&mem->regions[at + 1], &mem->regions[at],
		(mem->count - at) * sizeof(mem->regions[0]));
	mem->regions[at] = *region;
	mem->count++;
	err = publish(mem);
	if (err)
		take_out(mem, at);
	return err;
}

static int add(struct vtc_mem *mem, const struct vtc_mem_region *r)
{
	struct vtc__region region = {
		.addr = r->guest_addr, .size = r->size, .base = r->base, .perm = r->perm
	};
	uint32_t at = place_of(mem, r->guest_addr);
	int err;

	if (overlaps(mem, at, r->guest_addr, r->size))
		return -EEXIST;
	if (mem->count == VTC_MEM_REGIONS_MAX)
		return -ENOSPC;
	err = make_room(mem);
	if (!err && !r->base)
		err = map_file(r, &region);
	if (err)
		return err;
	err = insert(mem, at, &region);
	if (err)
		unmap(&region);
	return err;
}

int vtc_mem_add(struct vtc_mem *mem, const struct vtc_mem_region *region)
{
	struct vtc_mem_region r;
	int err;

	if (!mem || !region)
		return -EINVAL;
	err = vtc__opts_load(&r, sizeof(r), REGION_FIRST, region);
	if (!err)
		err = check_region(&r);
	if (!err)
		err = add(mem, &r);
	if (err)
		return vtc__err(mem->ctx, err, VTC_ERROR_ORIGIN_ARG, "mem add",
				"region %#llx+%#llx", (unsigned long long)r.guest_addr,
				(unsigned long long)r.size);
	return 0;
}

int vtc_mem_remove(struct vtc_mem *mem, uint64_t guest_addr, uint64_t size)
{
	struct vtc__region *r;
	uint32_t at;

	if (!mem)
		return -EINVAL;
	at = place_of(mem, guest_addr);
	if (at == mem->count)
		return -ENOENT;
	r = &mem->regions[at];
	if (r->addr != guest_addr || r->size != size)
		return -ENOENT;
	if (!r->gone) {
		r->gone = current_map(mem)->epoch + 1;
		if (publish(mem)) {
			r->gone = 0;
			return -ENOMEM;
		}
	}
	if (!quiet(mem, r->gone))
		return -EAGAIN;
	free_retired(mem);
	unmap(r);
	take_out(mem, at);
	return 0;
}

/* ---- Translation ---- */

void *vtc__map_range(const struct vtc__map *map, uint64_t addr, uint64_t len,
		     unsigned int perm)
{
	const struct vtc__span *span = vtc__map_find(map, addr);

	if (!span || (span->perm & perm) != perm ||
	    len > span->size - (addr - span->addr))
		return NULL;
	return span->base + (addr - span->addr);
}

static int translate(const struct vtc__map *map, uint64_t addr, uint64_t len,
		     unsigned int perm, struct vtc_segment *segments, unsigned int max)
{
	unsigned int n = 0;

	while (len) {
		const struct vtc__span *span = vtc__map_find(map, addr);
		uint64_t off, part;

		if (!span || (span->perm & perm) != perm)
			return -EFAULT;
		off = addr - span->addr;
		part = span->size - off < len ? span->size - off : len;
		if (n < max)
			segments[n] = (struct vtc_segment){ span->base + off, part };
		n++;
		addr += part;
		len -= part;
	}
	return n > max ? -ENOSPC : (int)n;
}

int vtc_mem_translate(const struct vtc_mem *mem, uint64_t guest_addr, uint64_t len,
		      enum vtc_mem_perm perm, struct vtc_segment *segments,
		      unsigned int max)
{
	struct vtc_mem *m = (struct vtc_mem *)mem;
	unsigned int want = (unsigned int)perm;
	int n;

	if (!mem || !segments || !len || !want || want > VTC_MEM_RW)
		return -EINVAL;
	atomic_fetch_add(&m->visitors, 1);
	n = translate(atomic_load(&m->map), guest_addr, len, want, segments, max);
	atomic_fetch_sub(&m->visitors, 1);
	return n;
}

/* ---- Dirty pages ---- */

int vtc_mem_set_dirty_log(struct vtc_mem *mem, void *bits, size_t len)
{
	uint8_t *old = mem ? mem->log : NULL;
	uint64_t old_pages = mem ? mem->log_pages : 0;

	if (!mem)
		return -EINVAL;
	mem->log = bits;
	mem->log_pages = bits ? (uint64_t)len * 8 : 0;
	if (publish(mem)) {
		mem->log = old;
		mem->log_pages = old_pages;
		return -ENOMEM;
	}
	return 0;
}

void vtc__map_log(const struct vtc__map *map, uint64_t addr, uint64_t len)
{
	uint64_t page = addr >> LOG_SHIFT, last = (addr + len - 1) >> LOG_SHIFT;

	if (!map->log || !len)
		return;
	for (; page <= last && page < map->log_pages; page++)
		__atomic_fetch_or(&map->log[page / 8], (uint8_t)(1u << page % 8),
				  __ATOMIC_RELEASE);
}
