/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a far side cannot do, done in software: complete a checksum, cut a large packet.
 * What comes out is private headers and slices of the packet where it lies. The headers
 * are copied once and only the copy is looked at, so the near side can change the packet
 * at any time and spoils nothing but its own payload.
 *
 * The checksum field of a packet that needs one holds the sum of the pseudo header
 * (VIRTIO 5.1.6.2), with the length of the whole packet. So a piece needs no pseudo
 * header built: the length is replaced in the sum. This is right also where the
 * destination of the pseudo header is not that of the IP header (IPv6 routing headers).
 */
#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <vtc/nethdr.h>

#include "core/error.h"
#include "csum.h"
#include "cursor.h"
#include "nethdr.h"
#include "packet.h"

/* Longest headers: VLAN tags, IP with options or extensions, TCP with options. */
#define HEAD_MAX 256

#define IPV6_LEN   40
#define UDP_CSUM   6
#define TCP_CSUM   16
#define TCP_FIN	   0x01
#define TCP_PSH	   0x08
#define TCP_CWR	   0x80
#define TCP_SEQ	   4
#define TCP_FLAGS  13
#define UDP_LENGTH 4

/* What the far side takes. */
struct able {
	bool csum;
	bool tso4, tso6, ecn;
	bool uso4, uso6;
};

struct vtc_offload {
	struct able able;
	bool to_driver;

	/* Where the present packet stands. */
	struct vtc_nethdr header;  /* of all that comes out */
	struct vtc__cursor cursor; /* on the payload that is left */
	uint32_t rest;		   /* its length */
	uint32_t piece;		   /* most payload per packet that comes out */
	uint32_t index, left;	   /* packets that came out, and that are to come */
	uint16_t private_len;	   /* of head[] goes before each piece; 0: none does */
	bool cut;

	/* What the packet's headers said. */
	struct vtc__packet packet;
	uint16_t csum_start, csum_at;
	uint16_t seed; /* of the checksum; without the length if the packet is cut */
	uint16_t ip_id;
	uint32_t tcp_seq;
	uint8_t tcp_flags;
	uint8_t head[HEAD_MAX];
};

static bool has(const uint64_t features[2], unsigned int bit)
{
	return features[bit / 64] >> bit % 64 & 1;
}

/* No large packet without checksums: VIRTIO 5.1.3.1. */
static struct able able_driver(const uint64_t f[2])
{
	bool csum = has(f, VTC_NET_F_GUEST_CSUM);

	return (struct able){
		.csum = csum,
		.tso4 = csum && has(f, VTC_NET_F_GUEST_TSO4),
		.tso6 = csum && has(f, VTC_NET_F_GUEST_TSO6),
		.ecn = has(f, VTC_NET_F_GUEST_ECN),
		.uso4 = csum && has(f, VTC_NET_F_GUEST_USO4),
		.uso6 = csum && has(f, VTC_NET_F_GUEST_USO6),
	};
}

static struct able able_device(const uint64_t f[2])
{
	bool csum = has(f, VTC_NET_F_CSUM);

	return (struct able){
		.csum = csum,
		.tso4 = csum && has(f, VTC_NET_F_HOST_TSO4),
		.tso6 = csum && has(f, VTC_NET_F_HOST_TSO6),
		.ecn = has(f, VTC_NET_F_HOST_ECN),
		.uso4 = csum && has(f, VTC_NET_F_HOST_USO),
		.uso6 = csum && has(f, VTC_NET_F_HOST_USO),
	};
}

int vtc_offload_new(struct vtc_ctx *ctx, const uint64_t features[2],
		    enum vtc_vring_role role, struct vtc_offload **ret_offload)
{
	struct vtc_offload *o;

	if (!ctx || !features || !ret_offload)
		return vtc__err_arg(ctx, "offload new", "a parameter is NULL");
	if (role != VTC_VRING_DEVICE && role != VTC_VRING_DRIVER)
		return vtc__err_arg(ctx, "offload new", "the role is unknown");
	o = calloc(1, sizeof(*o));
	if (!o)
		return vtc__err(ctx, -ENOMEM, VTC_ERROR_ORIGIN_SYSTEM, "offload new",
				"offloads of a packet");
	o->to_driver = role == VTC_VRING_DRIVER;
	o->able = o->to_driver ? able_driver(features) : able_device(features);

	*ret_offload = o;
	return 0;
}

void vtc_offload_free(struct vtc_offload *offload)
{
	free(offload);
}

static uint16_t load16(const uint8_t *p)
{
	uint16_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static void store16(uint8_t *p, uint16_t value)
{
	memcpy(p, &value, sizeof(value));
}

static void store_be16(uint8_t *p, uint32_t value)
{
	store16(p, htobe16((uint16_t)value));
}

/* As it is, but for what the far side must not see. */
static void begin_pass(struct vtc_offload *o, const struct vtc_nethdr *header,
		       uint16_t head_len)
{
	o->header = *header;
	o->header.hdr_len = head_len;
	o->header.num_buffers = 1;
	/*
	 * Only a device may say that a checksum was verified, to a driver that wants to
	 * know.
	 */
	if (!o->to_driver || !o->able.csum)
		o->header.flags &= VTC_NETHDR_F_NEEDS_CSUM;
	o->piece = o->rest;
	o->left = 1;
}

/* The first bytes of the packet become private; the cursor goes behind them. */
static int take_head(struct vtc_offload *o, size_t len)
{
	if (len > HEAD_MAX || vtc__cursor_read(&o->cursor, o->head, len) < len)
		return -EPROTO;
	o->private_len = (uint16_t)len;
	o->rest -= (uint32_t)len;
	return 0;
}

static int begin_csum(struct vtc_offload *o, const struct vtc_nethdr *header)
{
	size_t at = (size_t)header->csum_start + header->csum_offset;
	int err = take_head(o, at + sizeof(o->seed));

	if (err)
		return err;
	o->header = (struct vtc_nethdr){ .num_buffers = 1 };
	o->csum_start = header->csum_start;
	o->csum_at = (uint16_t)at;
	o->seed = load16(o->head + at);
	o->piece = o->rest;
	o->left = 1;
	return 0;
}

/* Does the packet hold what its header says? */
static bool agrees(const struct vtc__packet *p, const struct vtc_nethdr *header)
{
	unsigned int type = header->gso_type & ~(unsigned int)VTC_NETHDR_GSO_ECN;
	bool udp = type == VTC_NETHDR_GSO_UDP_L4;

	if (p->proto != (udp ? VTC__IPPROTO_UDP : VTC__IPPROTO_TCP))
		return false;
	if (!udp && p->version != (type == VTC_NETHDR_GSO_TCPV4 ? 4 : 6))
		return false;
	return header->csum_start == p->l4 &&
	       header->csum_offset == (udp ? UDP_CSUM : TCP_CSUM);
}

static bool is_able(const struct able *able, const struct vtc__packet *p,
		    const struct vtc_nethdr *header)
{
	bool v4 = p->version == 4;

	if (p->proto == VTC__IPPROTO_UDP)
		return v4 ? able->uso4 : able->uso6;
	if (header->gso_type & VTC_NETHDR_GSO_ECN && !able->ecn)
		return false;
	return v4 ? able->tso4 : able->tso6;
}

/* Payload of one piece must fit the 16-bit length of its IP header. */
static bool fits_ip(const struct vtc__packet *p, uint32_t piece)
{
	uint32_t len = p->head - p->l3 + piece;

	return (p->version == 4 ? len : len - IPV6_LEN) <= UINT16_MAX;
}

static int begin_cut(struct vtc_offload *o, const struct vtc_nethdr *header)
{
	const struct vtc__packet *p = &o->packet;
	const uint8_t *l4 = o->head + p->l4;
	uint32_t whole = (uint32_t)(p->head - p->l4) + o->rest;

	o->piece = header->gso_size;
	o->left = o->rest ? (o->rest - 1) / o->piece + 1 : 1;
	if (!fits_ip(p, o->rest < o->piece ? o->rest : o->piece)) {
		o->left = 0;
		return -EPROTO;
	}
	o->cut = true;
	o->csum_start = p->l4;
	o->csum_at = (uint16_t)(p->l4 + header->csum_offset);
	o->seed = vtc__csum_fold((uint64_t)load16(o->head + o->csum_at) +
				 (uint16_t)~vtc__csum_number(whole));
	o->ip_id = be16toh(load16(o->head + p->l3 + 4));
	if (p->proto == VTC__IPPROTO_TCP) {
		memcpy(&o->tcp_seq, l4 + TCP_SEQ, sizeof(o->tcp_seq));
		o->tcp_seq = be32toh(o->tcp_seq);
		o->tcp_flags = l4[TCP_FLAGS];
	}
	o->header = (struct vtc_nethdr){ .num_buffers = 1 };
	if (o->able.csum) {
		o->header.flags = VTC_NETHDR_F_NEEDS_CSUM;
		o->header.csum_start = header->csum_start;
		o->header.csum_offset = header->csum_offset;
	}
	return 0;
}

static int begin_large(struct vtc_offload *o, const struct vtc_nethdr *header)
{
	struct vtc__cursor start = o->cursor;
	size_t len = vtc__cursor_read(&start, o->head,
				      o->rest < HEAD_MAX ? o->rest : HEAD_MAX);
	int err = vtc__packet_parse(o->head, len, &o->packet);

	if (err)
		return err;
	if (!agrees(&o->packet, header))
		return -EPROTO;
	if (is_able(&o->able, &o->packet, header)) {
		begin_pass(o, header, o->packet.head);
		return 0;
	}
	vtc__cursor_skip(&o->cursor, o->packet.head);
	o->private_len = o->packet.head;
	o->rest -= o->packet.head;
	return begin_cut(o, header);
}

int vtc_offload_begin(struct vtc_offload *offload, const struct vtc_nethdr *header,
		      const struct vtc_segment *packet, unsigned int count)
{
	struct vtc_offload *o = offload;
	uint64_t len;
	int err = 0;

	if (!o || !header || !packet)
		return -EINVAL;
	o->left = 0;
	len = vtc__segments_len(packet, count);
	if (len > INT_MAX || vtc__nethdr_check(header, len))
		return -EPROTO;

	o->cursor = vtc__cursor(packet, count);
	o->rest = (uint32_t)len;
	o->index = 0;
	o->private_len = 0;
	o->cut = false;
	if (header->gso_type != VTC_NETHDR_GSO_NONE)
		err = begin_large(o, header);
	else if (header->flags & VTC_NETHDR_F_NEEDS_CSUM && !o->able.csum)
		err = begin_csum(o, header);
	else
		begin_pass(o, header, 0);
	return err ? err : (int)o->left;
}

static void edit_ip(struct vtc_offload *o, uint32_t piece)
{
	const struct vtc__packet *p = &o->packet;
	uint8_t *ip = o->head + p->l3;
	uint32_t len = p->head - p->l3 + piece;

	if (p->version == 6) {
		store_be16(ip + 4, len - IPV6_LEN);
		return;
	}
	store_be16(ip + 2, len);
	store_be16(ip + 4, o->ip_id + o->index);
	store16(ip + 10, 0);
	store16(ip + 10, (uint16_t)~vtc__csum_bytes(ip, (size_t)(p->l4 - p->l3)));
}

/* Signs of an end are true of the last piece only, a sign of less speed of the first. */
static void edit_tcp(struct vtc_offload *o)
{
	uint8_t *tcp = o->head + o->packet.l4;
	uint32_t seq = htobe32(o->tcp_seq + o->index * o->piece);
	unsigned int flags = o->tcp_flags;

	memcpy(tcp + TCP_SEQ, &seq, sizeof(seq));
	if (o->left > 1)
		flags &= ~(unsigned int)(TCP_FIN | TCP_PSH);
	if (o->index)
		flags &= ~(unsigned int)TCP_CWR;
	tcp[TCP_FLAGS] = (uint8_t)flags;
}

static void edit_csum(struct vtc_offload *o, const struct vtc_segment *segments,
		      unsigned int count, uint32_t piece)
{
	uint16_t seed = o->seed;

	if (o->cut) {
		uint32_t len = (uint32_t)(o->packet.head - o->packet.l4) + piece;

		seed = vtc__csum_fold((uint64_t)seed + vtc__csum_number(len));
	}
	store16(o->head + o->csum_at, seed);
	if (o->able.csum)
		return;
	store16(o->head + o->csum_at,
		vtc__csum_finish(vtc__csum_segments(segments, count, o->csum_start)));
}

static void edit(struct vtc_offload *o, const struct vtc_segment *segments,
		 unsigned int count, uint32_t piece)
{
	const struct vtc__packet *p = &o->packet;

	if (o->cut) {
		edit_ip(o, piece);
		if (p->proto == VTC__IPPROTO_TCP)
			edit_tcp(o);
		else
			store_be16(o->head + p->l4 + UDP_LENGTH,
				   (uint32_t)(p->head - p->l4) + piece);
	}
	edit_csum(o, segments, count, piece);
}

/* Private headers and a piece of payload; how many segments. */
static int slice(struct vtc_offload *o, struct vtc__cursor *cursor, uint32_t piece,
		 struct vtc_segment *segments, unsigned int max)
{
	unsigned int count = 0;

	if (o->private_len) {
		if (!max)
			return -ENOSPC;
		segments[count++] = (struct vtc_segment){ o->head, o->private_len };
	}
	while (piece) {
		struct vtc_segment next = vtc__cursor_take(cursor, piece);

		if (count == max)
			return -ENOSPC;
		segments[count++] = next;
		piece -= (uint32_t)next.len;
	}
	return (int)count;
}

int vtc_offload_next(struct vtc_offload *offload, struct vtc_nethdr *ret_header,
		     struct vtc_segment *segments, unsigned int max)
{
	struct vtc_offload *o = offload;
	struct vtc__cursor cursor;
	uint32_t piece;
	int count;

	if (!o || !ret_header || !segments)
		return -EINVAL;
	if (!o->left)
		return 0;
	cursor = o->cursor;
	piece = o->rest < o->piece ? o->rest : o->piece;
	count = slice(o, &cursor, piece, segments, max);
	if (count < 0)
		return count;
	if (o->private_len)
		edit(o, segments, (unsigned int)count, piece);

	o->cursor = cursor;
	o->rest -= piece;
	o->index++;
	o->left--;
	*ret_header = o->header;
	return count;
}
