/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Plain packets: in one piece, with a header that asks for nothing, or for no more than
 * what the receiver does itself. Most packets are, so all that concerns them is inline.
 */
#ifndef VTC__PLAIN_H
#define VTC__PLAIN_H

#include <endian.h>
#include <string.h>

#include "port.h"
#include "vring/vring.h"

/* Shortest that is plain; shorter ones may be good, but nobody sends them. */
#define VTC__PLAIN_MIN 16u
#define VTC__PLAIN_MAX (VTC__PACKET_MAX - VTC__HDR_LEN)

/*
 * A header as two words, in private memory. The low 16 bits of the first are flags and
 * type, the upper 16 the beginning of the checksum; the low 16 of the second are its
 * place, the upper 16 the number of buffers.
 */
struct vtc__raw_header {
	uint64_t first;
	uint32_t second;
};

#define VTC__RAW_ASKS	    0xff03u /* flags that are known, and the type */
#define VTC__RAW_CSUM_START 48
#define VTC__RAW_ONE	    (1u << 16) /* one buffer */

struct vtc__plain {
	struct vtc__raw_header header;
	const uint8_t *packet; /* without header */
	uint32_t len;
};

VTC__ALWAYS struct vtc__raw_header vtc__raw_read(const uint8_t *from)
{
	struct vtc__raw_header h;

	memcpy(&h.first, from, 8);
	memcpy(&h.second, from + 8, 4);
	/* From here on in registers: the guest's memory is not looked at again. */
	__asm__ volatile("" : "+r"(h.first), "+r"(h.second));
	return (struct vtc__raw_header){ le64toh(h.first), le32toh(h.second) };
}

VTC__ALWAYS void vtc__raw_write(uint8_t *to, struct vtc__raw_header h)
{
	h.first = htole64(h.first);
	h.second = htole32(h.second);
	memcpy(to, &h.first, 8);
	memcpy(to + 8, &h.second, 4);
}

/* What the receiver is told; false: somebody must look closer. */
VTC__ALWAYS bool vtc__raw_pass(struct vtc__raw_header *h, uint32_t len, bool takes_csum)
{
	unsigned int asks = (unsigned int)h->first & VTC__RAW_ASKS;
	uint64_t start = h->first >> VTC__RAW_CSUM_START;
	uint32_t offset = h->second & 0xffff;

	h->second = VTC__RAW_ONE;
	if (vtc__likely(!asks)) {
		h->first = 0;
		return true;
	}
	if (asks != VTC_NETHDR_F_NEEDS_CSUM || !takes_csum || start + offset + 2 > len)
		return false;
	h->first = start << VTC__RAW_CSUM_START | VTC_NETHDR_F_NEEDS_CSUM;
	h->second |= offset;
	return true;
}

/* Header and packet in one segment, or one for each. */
VTC__ALWAYS const uint8_t *vtc__plain_at(const struct vtc_chain *chain)
{
	const struct vtc_segment *s = chain->segments;

	if (vtc__likely(chain->readable == 1))
		return (const uint8_t *)s->base + VTC__HDR_LEN;
	if (chain->readable == 2 && s->len == VTC__HDR_LEN)
		return s[1].base;
	return NULL;
}

/* Is it one, from this sender and for this receiver? */
VTC__ALWAYS bool vtc__plain_get(const struct vtc_chain *chain, bool silent,
				bool takes_csum, struct vtc__plain *p)
{
	p->packet = vtc__plain_at(chain);
	p->len = chain->readable_bytes - VTC__HDR_LEN;
	if (vtc__unlikely(!p->packet) ||
	    vtc__unlikely(p->len - VTC__PLAIN_MIN > VTC__PLAIN_MAX - VTC__PLAIN_MIN))
		return false;
	p->header = (struct vtc__raw_header){ 0, VTC__RAW_ONE };
	if (silent)
		return true;
	p->header = vtc__raw_read(chain->segments->base);
	return vtc__raw_pass(&p->header, p->len, takes_csum);
}

/*
 * How many packets ahead to fetch what will be read and written: the lines that header
 * and packet begin in. They are often two, as the header ends where a line does.
 */
#define VTC__AHEAD 4u

/*
 * A line that is going to be written, taken from the other processor at once: a plain
 * fetch leaves it a copy, which has to be called back. Compilers do not use the
 * instruction by themselves; what does not know it ignores it.
 */
VTC__ALWAYS void vtc__fetch_to_write(const uint8_t *at)
{
#ifdef __x86_64__
	__asm__ volatile("prefetchw %0" : : "m"(*at));
#else
	__builtin_prefetch(at, 1);
#endif
}

VTC__ALWAYS void vtc__copy16(uint8_t *to, const uint8_t *from)
{
	__builtin_memcpy(to, from, 16);
}

VTC__ALWAYS void vtc__copy64(uint8_t *to, const uint8_t *from)
{
	vtc__copy16(to, from);
	vtc__copy16(to + 16, from + 16);
	vtc__copy16(to + 32, from + 32);
	vtc__copy16(to + 48, from + 48);
}

/*
 * At least 16 bytes. The last piece overlaps with the one before it, so that no length
 * needs a loop of single bytes. Source and destination may overlap: a guest can send to
 * itself, and gets what it gets.
 */
VTC__ALWAYS void vtc__copy(uint8_t *to, const uint8_t *from, size_t len)
{
	if (vtc__unlikely(len > 256)) {
		memmove(to, from, len);
		return;
	}
	for (; len >= 64; len -= 64, to += 64, from += 64)
		vtc__copy64(to, from);
	for (; len >= 16; len -= 16, to += 16, from += 16)
		vtc__copy16(to, from);
	if (len)
		vtc__copy16(to + len - 16, from + len - 16);
}

#endif
