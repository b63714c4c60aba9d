/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packets to give to the library, and a second opinion on what it makes of them: nothing
 * here uses the library's own checksums or parsers.
 */
#ifndef VTCT_FRAME_H
#define VTCT_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vtc/nethdr.h>

#define FRAME_SEGMENTS_MAX 64

/* What a packet is made of. */
struct frame_plan {
	unsigned int version; /* of IP */
	bool udp;
	bool route; /* IPv6: the last extension is a routing header, not yet at its end */
	unsigned int vlans;
	unsigned int ip_words;	/* of IPv4 options, or IPv6 extension headers */
	unsigned int tcp_words; /* of TCP options */
	unsigned int flags;	/* of TCP */
	size_t payload;
	uint16_t gso_size; /* 0: one packet whose checksum is missing */
};

/* A packet with its virtio-net header, and where things are. */
struct frame {
	struct frame_plan plan;
	struct vtc_nethdr header;
	size_t l3, l4, head, len;
	uint8_t *bytes;
};

struct frame frame_make(const struct frame_plan *plan);
void frame_free(struct frame *frame);

/* Random numbers that are the same in each run: 0 to limit - 1. */
unsigned int frame_random(unsigned int limit);

struct frame_plan frame_random_plan(void);

/*
 * Bytes, cut anywhere, each piece in memory of its own and exact size; some pieces may be
 * empty. How many there are.
 */
unsigned int frame_cut(const uint8_t *bytes, size_t len, unsigned int max,
		       struct vtc_segment *segments);
void frame_cut_free(struct vtc_segment *segments, unsigned int count);

/* Put the pieces together; how many bytes. */
size_t frame_join(const struct vtc_segment *segments, unsigned int count, uint8_t *to,
		  size_t room);

/* Numbers in network byte order. */
unsigned int frame_get16(const uint8_t *p);
uint32_t frame_get32(const uint8_t *p);
void frame_put16(uint8_t *p, unsigned int value);
void frame_put32(uint8_t *p, uint32_t value);

/* One's complement sum of bytes, as RFC 1071 words it; and that of a pseudo header. */
unsigned int frame_sum(unsigned int sum, const uint8_t *bytes, size_t len);
unsigned int frame_pseudo(const struct frame *frame, const uint8_t *bytes, size_t len);

#endif
