/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The memory map against a plain list of regions: what is added, removed and translated
 * in any order.
 */
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "ring.h"

#define REGIONS 64
#define MEMORY	0x400u

struct region {
	uint64_t addr, size;
	uint8_t *base;
	uint32_t perm;
};

static uint8_t memory[MEMORY];
static struct region regions[REGIONS];
static unsigned int count;

/* Near a few places, the ends of all addresses among them. */
static uint64_t take_addr(struct input *in)
{
	static const uint64_t places[] = { 0, 0x1000, 1ull << 32, 0ull - 0x400 };
	unsigned int byte = take_byte(in);

	return places[byte % 4] + (uint64_t)(byte / 4) * 16 + take_byte(in) % 16;
}

static const struct region *find(uint64_t addr)
{
	for (unsigned int i = 0; i < count; i++) {
		if (addr - regions[i].addr < regions[i].size)
			return &regions[i];
	}
	return NULL;
}

static int overlap_of(const struct vtc_mem_region *r)
{
	for (unsigned int i = 0; i < count; i++) {
		if (regions[i].addr - r->guest_addr < r->size ||
		    r->guest_addr - regions[i].addr < regions[i].size)
			return -EEXIST;
	}
	return 0;
}

static void add(struct vtc_mem *mem, struct input *in)
{
	struct vtc_mem_region r = { .sz = sizeof(r), .fd = -1 };
	int want = 0;

	r.guest_addr = take_addr(in);
	r.size = take_byte(in) % 128;
	r.base = memory + take_bytes(in, 2) % (MEMORY - 128);
	r.perm = take_byte(in) % 5;
	if (!r.size || !r.perm || r.perm > VTC_MEM_RW ||
	    r.guest_addr + r.size <= r.guest_addr)
		want = -EINVAL;
	if (!want)
		want = overlap_of(&r);
	if (!want && count == REGIONS)
		return;
	need(vtc_mem_add(mem, &r) == want);
	if (!want)
		regions[count++] =
			(struct region){ r.guest_addr, r.size, r.base, r.perm };
}

static void remove_one(struct vtc_mem *mem, struct input *in)
{
	unsigned int i = take_byte(in);

	if (i >= count) {
		need(vtc_mem_remove(mem, take_addr(in), 1000) == -ENOENT);
		return;
	}
	need(vtc_mem_remove(mem, regions[i].addr, regions[i].size) == 0);
	regions[i] = regions[--count];
}

static bool is_allowed(uint64_t addr, uint64_t len, uint32_t perm)
{
	for (uint64_t i = 0; i < len; i++) {
		const struct region *r = find(addr + i);

		if (!r || (r->perm & perm) != perm)
			return false;
	}
	return true;
}

static void translate(struct vtc_mem *mem, struct input *in)
{
	struct vtc_segment s[REGIONS];
	uint64_t addr = take_addr(in), len = 1 + take_byte(in), at = addr;
	uint32_t perm = 1 + take_byte(in) % 3;
	int n = vtc_mem_translate(mem, addr, len, (enum vtc_mem_perm)perm, s, REGIONS);

	need(n == -EFAULT ? !is_allowed(addr, len, perm) : n > 0);
	for (int i = 0; i < n; i++) {
		for (size_t j = 0; j < s[i].len; j++, at++) {
			const struct region *r = find(at);

			need(r && (r->perm & perm) == perm);
			need((uint8_t *)s[i].base + j == r->base + (at - r->addr));
		}
	}
	need(n < 0 || at == addr + len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = { data, len };
	struct vtc_mem *mem = NULL;

	count = 0;
	need(vtc_mem_new(fuzz_ctx(), &mem) == 0);
	for (unsigned int i = 0; in.len && i < 400; i++) {
		unsigned int op = take_byte(&in);

		if (op % 8 < 3)
			add(mem, &in);
		else if (op % 8 == 3)
			remove_one(mem, &in);
		else
			translate(mem, &in);
	}
	vtc_mem_unref(mem);
	return 0;
}
