/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The Internet checksum: see csum.h. */
#include "csum.h"

/* One's complement: what is carried out comes in again. */
static inline uint64_t add(uint64_t sum, uint64_t word)
{
	sum += word;
	return sum + (sum < word);
}

/* Four sums at a time, because each addition waits for its own carry. */
uint16_t vtc__csum_bytes(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint64_t sum[4] = { 0 }, word[4];

	for (; len >= sizeof(word); len -= sizeof(word), p += sizeof(word)) {
		memcpy(word, p, sizeof(word));
		sum[0] = add(sum[0], word[0]);
		sum[1] = add(sum[1], word[1]);
		sum[2] = add(sum[2], word[2]);
		sum[3] = add(sum[3], word[3]);
	}
	memset(word, 0, sizeof(word));
	memcpy(word, p, len);
	for (int i = 0; i < 4; i++)
		sum[i] = add(sum[i], word[i]);
	return vtc__csum_fold(add(add(sum[0], sum[1]), add(sum[2], sum[3])));
}

uint16_t vtc__csum_segments(const struct vtc_segment *segments, unsigned int count,
			    size_t skip)
{
	uint64_t sum = 0;
	int odd = 0;

	for (unsigned int i = 0; i < count; i++, skip = 0) {
		size_t len = segments[i].len - skip;
		uint16_t part =
			vtc__csum_bytes((const uint8_t *)segments[i].base + skip, len);

		/* At an odd place all bytes are in the other half of their word. */
		if (odd)
			part = (uint16_t)(part << 8 | part >> 8);
		sum += part;
		odd ^= (int)(len & 1);
	}
	return vtc__csum_fold(sum);
}
