/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the fuzz targets of vrings share: see ring.h. */
#include "ring.h"

#include <stdlib.h>
#include <string.h>

#define LOG_LEN 1u /* too short for some of the pages */

static const uint64_t part_addr[] = { RING_ADDR, READ_ADDR, WRITE_ADDR };
static const uint64_t part_len[] = { RING_LEN, PART_LEN, PART_LEN };
static const uint32_t part_perm[] = { VTC_MEM_RW, VTC_MEM_READ, VTC_MEM_WRITE };

void need(bool good)
{
	if (!good)
		abort();
}

unsigned int take_byte(struct input *in)
{
	if (!in->len)
		return 0;
	in->len--;
	return *in->data++;
}

uint64_t take_bytes(struct input *in, unsigned int count)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < count; i++)
		value |= (uint64_t)take_byte(in) << 8 * i;
	return value;
}

struct vtc_ctx *fuzz_ctx(void)
{
	static struct vtc_ctx *ctx;

	if (!ctx)
		need(vtc_ctx_new(NULL, &ctx) == 0);
	return ctx;
}

bool image_add_part(struct image *image, unsigned int part)
{
	struct vtc_mem_region r = { .sz = sizeof(r),
				    .guest_addr = part_addr[part],
				    .size = part_len[part],
				    .base = image->part[part],
				    .fd = -1,
				    .perm = part_perm[part] };

	return vtc_mem_add(image->mem, &r) == 0;
}

/* The parts of the ring one behind the other, so that a short input fills them. */
static void set_opts(struct image *image, uint32_t role)
{
	static const unsigned int bits[] = { VTC_VRING_F_PACKED, VTC_VRING_F_EVENT_IDX,
					     VTC_VRING_F_IN_ORDER, VTC_VRING_F_INDIRECT };
	struct vtc_vring_opts *o = &image->opts;

	*o = (struct vtc_vring_opts)VTC_VRING_OPTS_INIT;
	o->role = role;
	o->size = image->size;
	for (unsigned int i = 0; i < 4; i++)
		o->features[0] |= image->variant >> i & 1 ? 1ull << bits[i] : 0;
	o->desc_addr = RING_ADDR;
	o->driver_addr = RING_ADDR + 16 * image->size;
	o->device_addr = (o->driver_addr + 6 + 2 * image->size + 3) / 4 * 4;
	if (role == VTC_VRING_DRIVER && image->variant & HAS_TABLES && image->size >= 4) {
		o->indirect_addr = RING_ADDR + RING_LEN / 2;
		o->indirect_len = 2;
	}
}

static unsigned int size_of(unsigned int variant, unsigned int byte)
{
	return variant & IS_PACKED ? 1 + byte % 40 : 1u << byte % 6;
}

void image_new(struct image *image, struct input *in, uint32_t role)
{
	size_t len;

	*image = (struct image){ .variant = take_byte(in) };
	image->size = size_of(image->variant, take_byte(in));
	len = take_bytes(in, 2) % RING_LEN;
	need(vtc_mem_new(fuzz_ctx(), &image->mem) == 0);
	for (unsigned int i = 0; i < 3; i++) {
		image->part[i] = aligned_alloc(64, part_len[i]);
		memset(image->part[i], 0, part_len[i]);
		need(image_add_part(image, i));
	}
	len = len < in->len ? len : in->len;
	memcpy(image->part[0], in->data, len);
	in->data += len;
	in->len -= len;
	image->log = calloc(1, LOG_LEN);
	if (image->variant & HAS_LOG)
		need(vtc_mem_set_dirty_log(image->mem, image->log, LOG_LEN) == 0);
	set_opts(image, role);
}

void image_free(struct image *image)
{
	vtc_mem_unref(image->mem);
	for (unsigned int i = 0; i < 3; i++)
		free(image->part[i]);
	free(image->log);
}

void image_poke(struct image *image, struct input *in)
{
	unsigned int off = (unsigned int)take_bytes(in, 2) % RING_LEN;
	unsigned int count = 1 + take_byte(in) % 16;

	while (count-- && off < RING_LEN)
		image->part[0][off++] = (uint8_t)take_byte(in);
}

void check_piece(const struct image *image, const struct vtc_segment *piece, bool write)
{
	const uint8_t *base = piece->base;
	bool good = false;

	for (unsigned int i = 0; i < 3; i++) {
		const uint8_t *part = image->part[i];

		good |= part_perm[i] & (write ? VTC_MEM_WRITE : VTC_MEM_READ) &&
			base >= part && base < part + part_len[i] &&
			piece->len <= (size_t)(part + part_len[i] - base);
	}
	need(good && piece->len);
}
