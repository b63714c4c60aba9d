/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The Internet checksum (RFC 1071). Sums are of 16-bit words as they stand in memory,
 * whatever this machine's byte order, so a folded sum is stored as it is.
 */
#ifndef VTC__CSUM_H
#define VTC__CSUM_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <vtc/mem.h>

static inline uint16_t vtc__csum_fold(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)((sum & UINT16_MAX) + (sum >> 16));
}

/* What a number in network byte order adds to a sum. */
static inline uint16_t vtc__csum_number(uint32_t number)
{
	return htobe16(vtc__csum_fold(number));
}

/* What goes into a packet. 0 would mean "no checksum" in UDP; both are the same number. */
static inline uint16_t vtc__csum_finish(uint64_t sum)
{
	uint16_t value = (uint16_t)~vtc__csum_fold(sum);

	return value ? value : UINT16_MAX;
}

/* Folded sum of bytes in one piece. */
uint16_t vtc__csum_bytes(const void *bytes, size_t len);

/* Folded sum of segments, but for the first bytes of the first one. */
uint16_t vtc__csum_segments(const struct vtc_segment *segments, unsigned int count,
			    size_t skip);

#endif
