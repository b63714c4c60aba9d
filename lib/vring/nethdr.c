/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The header before each packet: read once and checked, written with the packet behind
 * it. A header and a packet may lie in any number of segments, cut anywhere.
 */
#include "nethdr.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "cursor.h"

#define HDR_LEN	       12
#define HDR_LEN_LEGACY 10
#define AT_NUM_BUFFERS 10
#define FLAGS_KNOWN    (VTC_NETHDR_F_NEEDS_CSUM | VTC_NETHDR_F_DATA_VALID)

static bool is_hdr_size(unsigned int hdr_size)
{
	return hdr_size == HDR_LEN || hdr_size == HDR_LEN_LEGACY;
}

static uint16_t get16(const uint8_t *p)
{
	uint16_t value;

	memcpy(&value, p, sizeof(value));
	return le16toh(value);
}

static void put16(uint8_t *p, uint16_t value)
{
	value = htole16(value);
	memcpy(p, &value, sizeof(value));
}

static bool is_gso_known(uint8_t gso_type)
{
	switch (gso_type) {
	case VTC_NETHDR_GSO_TCPV4:
	case VTC_NETHDR_GSO_TCPV6:
	case VTC_NETHDR_GSO_TCPV4 | VTC_NETHDR_GSO_ECN:
	case VTC_NETHDR_GSO_TCPV6 | VTC_NETHDR_GSO_ECN:
	case VTC_NETHDR_GSO_UDP_L4:
		return true;
	default:
		return false;
	}
}

int vtc__nethdr_check(const struct vtc_nethdr *header, uint64_t len)
{
	bool csum = header->flags & VTC_NETHDR_F_NEEDS_CSUM;

	if (len < VTC__ETH_LEN)
		return -EPROTO;
	if (csum && (uint64_t)header->csum_start + header->csum_offset + 2 > len)
		return -EPROTO;
	if (header->gso_type == VTC_NETHDR_GSO_NONE)
		return 0;
	/* Pieces have checksums of their own, so somebody must be asked to make them. */
	if (!is_gso_known(header->gso_type) || !header->gso_size || !csum)
		return -EPROTO;
	return 0;
}

/* Flags that are unknown, and fields that no flag makes valid, must be ignored. */
static struct vtc_nethdr decode(const uint8_t *raw, unsigned int hdr_size)
{
	struct vtc_nethdr h = { .flags = raw[0] & FLAGS_KNOWN, .gso_type = raw[1] };

	h.hdr_len = get16(raw + 2);
	if (h.gso_type != VTC_NETHDR_GSO_NONE)
		h.gso_size = get16(raw + 4);
	if (h.flags & VTC_NETHDR_F_NEEDS_CSUM) {
		h.csum_start = get16(raw + 6);
		h.csum_offset = get16(raw + 8);
	}
	h.num_buffers = hdr_size == HDR_LEN ? get16(raw + AT_NUM_BUFFERS) : 1;
	return h;
}

void vtc__nethdr_encode(const struct vtc_nethdr *header, uint16_t num_buffers,
			uint8_t *raw)
{
	raw[0] = header->flags;
	raw[1] = header->gso_type;
	put16(raw + 2, header->hdr_len);
	put16(raw + 4, header->gso_size);
	put16(raw + 6, header->csum_start);
	put16(raw + 8, header->csum_offset);
	put16(raw + AT_NUM_BUFFERS, num_buffers);
}

int vtc_nethdr_get(const struct vtc_segment *segments, unsigned int count,
		   unsigned int hdr_size, struct vtc_nethdr *ret_header)
{
	struct vtc__cursor cursor = vtc__cursor(segments, count);
	struct vtc_nethdr header;
	uint8_t raw[HDR_LEN];

	if (!segments || !ret_header || !is_hdr_size(hdr_size))
		return -EINVAL;
	if (vtc__cursor_read(&cursor, raw, hdr_size) < hdr_size)
		return -EPROTO;

	header = decode(raw, hdr_size);
	if (vtc__nethdr_check(&header, vtc__segments_len(segments, count) - hdr_size))
		return -EPROTO;

	*ret_header = header;
	return 0;
}

int vtc_nethdr_get_buffers(const struct vtc_segment *segments, unsigned int count)
{
	struct vtc__cursor cursor = vtc__cursor(segments, count);
	uint8_t raw[HDR_LEN];
	uint16_t buffers;

	if (!segments)
		return -EINVAL;
	if (vtc__cursor_read(&cursor, raw, HDR_LEN) < HDR_LEN)
		return -EPROTO;
	buffers = get16(raw + AT_NUM_BUFFERS);
	return buffers ? buffers : -EPROTO;
}

int vtc_nethdr_strip(struct vtc_segment *segments, unsigned int count,
		     unsigned int hdr_size)
{
	unsigned int i = 0;
	size_t left = hdr_size;

	if (!segments || !is_hdr_size(hdr_size))
		return -EINVAL;
	if (vtc__segments_len(segments, count) < hdr_size)
		return -EPROTO;
	while (i < count && segments[i].len <= left)
		left -= segments[i++].len;
	if (i < count) {
		segments[i].base = (uint8_t *)segments[i].base + left;
		segments[i].len -= left;
	}
	return (int)i;
}

/* How many chains it takes: known before the first byte is written. */
static int plan(uint64_t total, unsigned int hdr_size, bool mergeable,
		const struct vtc_chain *chains, unsigned int chain_count)
{
	unsigned int limit = mergeable ? UINT16_MAX : 1;
	uint64_t room = 0;

	for (unsigned int i = 0; i < chain_count && i < limit; i++) {
		if (chains[i].writable_bytes < hdr_size)
			return -EPROTO;
		room += chains[i].writable_bytes;
		if (room >= total)
			return (int)i + 1;
	}
	return -ENOSPC;
}

static struct vtc__cursor writable(const struct vtc_chain *chain)
{
	return vtc__cursor(chain->segments + chain->readable, chain->writable);
}

int vtc_nethdr_scatter(const struct vtc_nethdr *header, unsigned int hdr_size,
		       int mergeable, const struct vtc_segment *packet,
		       unsigned int count, const struct vtc_chain *chains,
		       unsigned int chain_count, struct vtc_done *done)
{
	struct vtc__cursor from = vtc__cursor(packet, count);
	uint8_t raw[HDR_LEN];
	struct vtc_segment head = { raw, hdr_size };
	struct vtc__cursor head_from = vtc__cursor(&head, 1);
	uint64_t len;
	int used;

	if (!header || !packet || !chains || !done || !is_hdr_size(hdr_size))
		return -EINVAL;
	if (mergeable && hdr_size != HDR_LEN) /* it could not say how many */
		return -EINVAL;
	len = vtc__segments_len(packet, count);
	used = plan(len + hdr_size, hdr_size, mergeable, chains, chain_count);
	if (used < 0)
		return used;

	vtc__nethdr_encode(header, (uint16_t)used, raw);
	for (int i = 0; i < used; i++) {
		struct vtc__cursor to = writable(&chains[i]);
		size_t room = chains[i].writable_bytes, wrote = 0;

		if (!i)
			wrote = vtc__cursor_copy(&to, &head_from, hdr_size);
		wrote += vtc__cursor_copy(&to, &from, room - wrote);
		done[i] = (struct vtc_done){ chains[i].id, (uint32_t)wrote };
	}
	return used;
}
