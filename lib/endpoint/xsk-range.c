/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The addresses that a socket sends from: see xsk-range.h. */
#include "xsk-range.h"

#include <errno.h>
#include <sys/mman.h>

#include "vring/mem.h"

/* Huge pages can only be mapped to where such a page may begin. */
#define ALIGN ((size_t)2 << 20)

/* What makes no sense to send from, and would make sums wrap. */
#define LEN_MAX ((size_t)1 << 46)

static size_t round_up(size_t n)
{
	return (n + ALIGN - 1) / ALIGN * ALIGN;
}

static int measure(const struct vtc_mem *mem, size_t *len)
{
	struct vtc__mapping m;

	for (uint32_t i = 0; vtc__mem_mapping(mem, i, &m); i++) {
		if (!m.mapping || !m.writable)
			return -EOPNOTSUPP;
		if (m.mapping_len > LEN_MAX - *len)
			return -E2BIG;
		*len += m.mapping_len;
	}
	return 0;
}

static int reserve(struct vtc__xsk_range *r)
{
	uintptr_t at;

	r->map_len = r->len + ALIGN;
	r->map = mmap(NULL, r->map_len, PROT_NONE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (r->map == MAP_FAILED) {
		r->map = NULL;
		return -errno;
	}
	at = (uintptr_t)r->map;
	r->own = (uint8_t *)r->map + (round_up(at) - at);
	if (mprotect(r->own, r->own_len, PROT_READ | PROT_WRITE))
		return -errno;
	/* A child would get a copy of them at once, because the kernel holds them. */
	(void)madvise(r->own, r->own_len, MADV_DONTFORK);
	return 0;
}

/* Of a shared mapping, mremap() makes a second one if the old length is said to be 0. */
static int add(struct vtc__xsk_range *r, const struct vtc__mapping *m, size_t *at)
{
	uint8_t *to = r->own + *at;

	if (mremap(m->mapping, 0, m->mapping_len, MREMAP_MAYMOVE | MREMAP_FIXED, to) ==
	    MAP_FAILED)
		return -errno;
	r->parts[r->count++] =
		(struct vtc__xsk_part){ .base = m->base,
					.len = m->size,
					.at = *at +
					      (size_t)(m->base - (uint8_t *)m->mapping) };
	*at += m->mapping_len;
	return 0;
}

int vtc__xsk_range_open(struct vtc__xsk_range *r, const struct vtc_mem *mem,
			size_t own_len)
{
	struct vtc__mapping m;
	size_t at = round_up(own_len);
	int err;

	r->map = NULL;
	r->count = r->hit = 0;
	r->parts[0] = (struct vtc__xsk_part){ 0 };
	r->own_len = r->len = at;
	err = mem ? measure(mem, &r->len) : 0;
	if (!err)
		err = reserve(r);
	for (uint32_t i = 0; !err && mem && vtc__mem_mapping(mem, i, &m); i++)
		err = add(r, &m, &at);
	if (err)
		vtc__xsk_range_close(r);
	return err;
}

void vtc__xsk_range_close(struct vtc__xsk_range *r)
{
	if (r->map)
		(void)munmap(r->map, r->map_len);
	r->map = NULL;
	r->count = r->hit = 0;
	r->parts[0].len = 0;
}

bool vtc__xsk_range_search(struct vtc__xsk_range *r, const uint8_t *base, size_t len,
			   uint64_t *ret_at)
{
	for (uint32_t i = 0; i < r->count; i++) {
		const struct vtc__xsk_part *p = &r->parts[i];
		size_t off = (size_t)((uintptr_t)base - (uintptr_t)p->base);

		if (off >= p->len || len > p->len - off)
			continue;
		r->hit = i;
		*ret_at = p->at + off;
		return true;
	}
	return false;
}
