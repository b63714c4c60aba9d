/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the fuzz targets of vrings share: input that is read piece by piece, and a small
 * memory with a ring in it, which the input fills.
 *
 * Input: variant (1 byte), size (1), length of the image (2), the image, and then
 * operations.
 */
#ifndef VTCT_FUZZ_RING_H
#define VTCT_FUZZ_RING_H

#include <stdbool.h>
#include <stdint.h>

#include <vtc/vtc.h>

/*
 * Guest addresses: the ring and more, then what may only be read, then only be written.
 */
#define RING_ADDR	 0x1000u
#define RING_LEN	 0x1000u
#define READ_ADDR	 (RING_ADDR + RING_LEN)
#define WRITE_ADDR	 (READ_ADDR + PART_LEN)
#define PART_LEN	 0x400u
#define SIZE_MAX_OF_RING 64u

#define IS_PACKED  1u
#define IS_EVENT   2u
#define IS_ORDER   4u
#define HAS_TABLES 8u
#define IS_GENERIC 16u
#define HAS_LOG	   32u

struct input {
	const uint8_t *data;
	size_t len;
};

/* In pieces of memory of their own, so that a byte too far is found. */
struct image {
	struct vtc_mem *mem;
	uint8_t *part[3];
	uint8_t *log;
	struct vtc_vring_opts opts;
	unsigned int variant;
	unsigned int size;
};

void need(bool good);

/* The next bytes of the input; 0 where there are none. */
unsigned int take_byte(struct input *in);
uint64_t take_bytes(struct input *in, unsigned int count);

/* The one context of the process. */
struct vtc_ctx *fuzz_ctx(void);

/* Takes variant, size and image from the input. */
void image_new(struct image *image, struct input *in, uint32_t role);
void image_free(struct image *image);
bool image_add_part(struct image *image, unsigned int part);

/* Writes some bytes of the input somewhere into the ring. */
void image_poke(struct image *image, struct input *in);

/* A piece must be within one part, with the right to it. */
void check_piece(const struct image *image, const struct vtc_segment *piece, bool write);

#endif
