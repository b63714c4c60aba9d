/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packets: see frame.h. */
#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "vtct.h"

unsigned int frame_random(unsigned int limit)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned int)((state >> 32) % limit);
}

unsigned int frame_get16(const uint8_t *p)
{
	return p[0] * 256u + p[1];
}

uint32_t frame_get32(const uint8_t *p)
{
	return frame_get16(p) << 16 | frame_get16(p + 2);
}

void frame_put16(uint8_t *p, unsigned int value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

void frame_put32(uint8_t *p, uint32_t value)
{
	frame_put16(p, value >> 16);
	frame_put16(p + 2, value & 0xffff);
}

unsigned int frame_sum(unsigned int sum, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		sum += i % 2 ? bytes[i] : bytes[i] * 256u;
		sum = sum % 65536 + sum / 65536;
	}
	return sum;
}

/* RFC 8200, 8.1: the destination is the final one. */
unsigned int frame_pseudo(const struct frame *f, const uint8_t *bytes, size_t len)
{
	const uint8_t *ip = bytes + f->l3;
	uint8_t tail[8] = { 0 };
	unsigned int sum;

	frame_put32(tail, (uint32_t)(len - f->l4));
	tail[7] = f->plan.udp ? 17 : 6;
	if (f->plan.version == 4)
		sum = frame_sum(0, ip + 12, 8);
	else
		sum = frame_sum(frame_sum(0, ip + 8, 16),
				f->plan.route ? bytes + f->l4 - 16 : ip + 24, 16);
	return frame_sum(sum, tail, sizeof(tail));
}

static void fill(uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)frame_random(256);
}

static void make_ipv4(struct frame *f)
{
	uint8_t *ip = f->bytes + f->l3;

	ip[0] = (uint8_t)(0x40 | (f->l4 - f->l3) / 4);
	frame_put16(ip + 2, (unsigned int)(f->len - f->l3));
	frame_put16(ip + 6, 0x4000);
	ip[9] = f->plan.udp ? 17 : 6;
	for (unsigned int i = 0; i < f->plan.ip_words * 4; i++)
		ip[20 + i] = 1; /* no operation */
	frame_put16(ip + 10, 0);
	frame_put16(ip + 10, ~frame_sum(0, ip, f->l4 - f->l3) & 0xffff);
}

/* Destination options of 8 bytes, or a routing header with one address, to the end. */
static void make_ipv6(struct frame *f)
{
	uint8_t proto = f->plan.udp ? 17 : 6, *ip = f->bytes + f->l3;
	uint8_t *end = f->bytes + f->l4, *ext = ip + 40, *next = ip + 6;

	ip[0] = 0x60;
	frame_put16(ip + 4, (unsigned int)(f->len - f->l3 - 40));
	if (f->plan.route)
		end -= 24;
	for (; ext < end; next = ext, ext += 8) {
		*next = 60;
		memcpy(ext, "\0\0\1\4\0\0\0\0", 8);
	}
	if (f->plan.route) {
		*next = 43;
		next = ext;
		ext[1] = 2;
		ext[2] = 4;
		ext[3] = 1;
	}
	*next = proto;
}

static void make_l4(struct frame *f)
{
	uint8_t *l4 = f->bytes + f->l4;
	unsigned int at = f->plan.udp ? 6 : 16;

	if (f->plan.udp) {
		frame_put16(l4 + 4, (unsigned int)(f->len - f->l4));
	} else {
		l4[12] = (uint8_t)((f->head - f->l4) / 4 << 4);
		l4[13] = (uint8_t)f->plan.flags;
		for (unsigned int i = 0; i < f->plan.tcp_words * 4; i++)
			l4[20 + i] = 1; /* no operation */
	}
	frame_put16(l4 + at, frame_pseudo(f, f->bytes, f->len));
}

static void make_header(struct frame *f)
{
	struct vtc_nethdr *h = &f->header;

	h->flags = VTC_NETHDR_F_NEEDS_CSUM;
	h->csum_start = (uint16_t)f->l4;
	h->csum_offset = f->plan.udp ? 6 : 16;
	h->gso_size = f->plan.gso_size;
	h->hdr_len = 0xbad;
	if (!h->gso_size)
		return;
	h->gso_type = f->plan.version == 4 ? VTC_NETHDR_GSO_TCPV4 : VTC_NETHDR_GSO_TCPV6;
	if (f->plan.udp)
		h->gso_type = VTC_NETHDR_GSO_UDP_L4;
	else if (f->plan.flags & 0x80)
		h->gso_type |= VTC_NETHDR_GSO_ECN;
}

struct frame frame_make(const struct frame_plan *plan)
{
	struct frame f = { .plan = *plan };
	size_t at = 14 + 4 * (size_t)plan->vlans;

	f.l3 = at;
	if (plan->version == 4)
		f.l4 = f.l3 + 20 + 4 * (size_t)plan->ip_words;
	else
		f.l4 = f.l3 + 40 + 8 * (size_t)plan->ip_words + (plan->route ? 24 : 0);
	f.head = f.l4 + (plan->udp ? 8 : 20 + 4 * (size_t)plan->tcp_words);
	f.len = f.head + plan->payload;
	f.bytes = vtct_alloc(f.len);
	fill(f.bytes, f.len);
	f.bytes[0] = 2; /* an address of this machine's, and for one */
	frame_put16(f.bytes + at - 2, plan->version == 4 ? 0x0800 : 0x86dd);
	for (unsigned int i = 0; i < plan->vlans; i++)
		frame_put16(f.bytes + 12 + 4 * i, i + 1 < plan->vlans ? 0x88a8 : 0x8100);
	if (plan->version == 4)
		make_ipv4(&f);
	else
		make_ipv6(&f);
	make_l4(&f);
	make_header(&f);
	return f;
}

void frame_free(struct frame *frame)
{
	free(frame->bytes);
}

struct frame_plan frame_random_plan(void)
{
	struct frame_plan plan = {
		.version = frame_random(2) ? 4 : 6,
		.udp = frame_random(3) == 0,
		.vlans = frame_random(3),
		.ip_words = frame_random(5),
		.tcp_words = frame_random(11),
		.flags = frame_random(256),
		.payload = frame_random(frame_random(4) ? 3000 : 65000),
	};

	plan.route = plan.version == 6 && frame_random(3) == 0;
	plan.gso_size = (uint16_t)(1 + frame_random(frame_random(2) ? 1460 : 9000));
	if (plan.payload / plan.gso_size > 300)
		plan.gso_size = (uint16_t)(plan.payload / 300 + 1);
	return plan;
}

unsigned int frame_cut(const uint8_t *bytes, size_t len, unsigned int max,
		       struct vtc_segment *segments)
{
	unsigned int count = 1 + frame_random(max);
	size_t done = 0;

	for (unsigned int i = 0; i < count; i++) {
		size_t part = frame_random(2) ? frame_random(40) : frame_random(4000);

		if (frame_random(8) == 0)
			part = 0;
		if (part > len - done || i + 1 == count)
			part = len - done;
		segments[i].len = part;
		segments[i].base = malloc(part);
		if (part)
			memcpy(segments[i].base, bytes + done, part);
		done += part;
	}
	return count;
}

void frame_cut_free(struct vtc_segment *segments, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		free(segments[i].base);
}

size_t frame_join(const struct vtc_segment *segments, unsigned int count, uint8_t *to,
		  size_t room)
{
	size_t done = 0;

	for (unsigned int i = 0; i < count; i++) {
		ck_assert_uint_le(segments[i].len, room - done);
		if (segments[i].len)
			memcpy(to + done, segments[i].base, segments[i].len);
		done += segments[i].len;
	}
	return done;
}
