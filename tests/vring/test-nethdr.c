/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The header before each packet: every rule by name, and packets over several chains. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <vtc/nethdr.h>

#include "frame.h"
#include "vtct.h"

#define PACKET_LEN 1000

/* A header on the wire; num_buffers is 0x0201. */
struct raw {
	uint8_t bytes[12 + PACKET_LEN];
};

static void put_le16(uint8_t *p, unsigned int value)
{
	p[0] = (uint8_t)value;
	p[1] = (uint8_t)(value >> 8);
}

static struct raw raw_make(unsigned int flags, unsigned int gso_type,
			   unsigned int gso_size, unsigned int csum_start,
			   unsigned int csum_offset)
{
	struct raw raw = { { 0 } };

	raw.bytes[0] = (uint8_t)flags;
	raw.bytes[1] = (uint8_t)gso_type;
	put_le16(raw.bytes + 2, 0xffff); /* hdr_len, which nobody believes */
	put_le16(raw.bytes + 4, gso_size);
	put_le16(raw.bytes + 6, csum_start);
	put_le16(raw.bytes + 8, csum_offset);
	put_le16(raw.bytes + 10, 0x0201);
	return raw;
}

/* What comes of a header before a packet of this length; in memory of its exact size. */
static int get(const struct raw *raw, size_t len, struct vtc_nethdr *header)
{
	struct vtc_segment segment = { malloc(12 + len), 12 + len };
	int err;

	memcpy(segment.base, raw->bytes, 12 + len);
	err = vtc_nethdr_get(&segment, 1, 12, header);
	free(segment.base);
	return err;
}

static void check_full(const struct vtc_nethdr *h)
{
	ck_assert_uint_eq(h->flags, VTC_NETHDR_F_NEEDS_CSUM);
	ck_assert_uint_eq(h->gso_type, VTC_NETHDR_GSO_TCPV4);
	ck_assert_uint_eq(h->hdr_len, 0xffff);
	ck_assert_uint_eq(h->gso_size, 0x1234);
	ck_assert_uint_eq(h->csum_start, 34);
	ck_assert_uint_eq(h->csum_offset, 16);
}

START_TEST(fields_little_endian)
{
	struct raw raw = raw_make(1, 1, 0x1234, 34, 16);
	struct vtc_nethdr h;

	ck_assert_errno(get(&raw, PACKET_LEN, &h), 0);
	check_full(&h);
	ck_assert_uint_eq(h.num_buffers, 0x0201);
}
END_TEST

START_TEST(legacy_size_is_one_buffer)
{
	struct raw raw = raw_make(1, 1, 0x1234, 34, 16);
	struct vtc_segment segment = { raw.bytes, 10 + 100 };
	struct vtc_nethdr h;

	ck_assert_errno(vtc_nethdr_get(&segment, 1, 10, &h), 0);
	check_full(&h);
	ck_assert_uint_eq(h.num_buffers, 1);
}
END_TEST

START_TEST(over_one_byte_each)
{
	struct raw raw = raw_make(1, 1, 0x1234, 34, 16);
	struct vtc_segment segments[2 * (12 + 52)];
	struct vtc_nethdr h;

	/* With an empty one before each. */
	for (unsigned int i = 0; i < 2 * (12 + 52); i += 2) {
		segments[i] = (struct vtc_segment){ NULL, 0 };
		segments[i + 1] = (struct vtc_segment){ malloc(1), 1 };
		memcpy(segments[i + 1].base, raw.bytes + i / 2, 1);
	}
	ck_assert_errno(vtc_nethdr_get(segments, 2 * (12 + 51), 12, &h), -EPROTO);
	ck_assert_errno(vtc_nethdr_get(segments, 2 * (12 + 52), 12, &h), 0);
	check_full(&h);
	for (unsigned int i = 1; i < 2 * (12 + 52); i += 2)
		free(segments[i].base);
}
END_TEST

/* CVE-2022-2132: a header over more than two descriptors; here over any number. */
START_TEST(over_random_segments)
{
	struct raw raw = raw_make(1, 1, 0x1234, 34, 16);
	struct vtc_segment segments[FRAME_SEGMENTS_MAX];
	struct vtc_nethdr h;

	for (int i = 0; i < 2000; i++) {
		unsigned int count = frame_cut(raw.bytes, sizeof(raw.bytes),
					       FRAME_SEGMENTS_MAX, segments);

		ck_assert_errno(vtc_nethdr_get(segments, count, 12, &h), 0);
		check_full(&h);
		frame_cut_free(segments, count);
	}
}
END_TEST

START_TEST(shorter_than_header)
{
	struct raw raw = raw_make(0, 0, 0, 0, 0);
	struct vtc_nethdr h = { .flags = 77 };

	for (size_t len = 0; len < 12; len++) {
		struct vtc_segment segment = { malloc(len), len };

		if (len)
			memcpy(segment.base, raw.bytes, len);
		ck_assert_errno(vtc_nethdr_get(&segment, 1, 12, &h), -EPROTO);
		free(segment.base);
	}
	ck_assert_uint_eq(h.flags, 77);
}
END_TEST

START_TEST(shorter_than_ethernet)
{
	struct raw raw = raw_make(0, 0, 0, 0, 0);
	struct vtc_nethdr h;

	ck_assert_errno(get(&raw, 0, &h), -EPROTO);
	ck_assert_errno(get(&raw, 13, &h), -EPROTO);
	ck_assert_errno(get(&raw, 14, &h), 0);
}
END_TEST

/* CVE-2024-11614, and sums that wrap at 16 bits. */
static const struct {
	unsigned int start, offset;
	size_t len;
	int err;
} sums[] = {
	{ 34, 16, 52, 0 },
	{ 34, 16, 51, -EPROTO },
	{ 0, 0, 14, 0 },
	{ 998, 0, 1000, 0 },
	{ 999, 0, 1000, -EPROTO },
	{ 1000, 0, 1000, -EPROTO },
	{ 0, 998, 1000, 0 },
	{ 0, 999, 1000, -EPROTO },
	{ 0xffff, 0, 1000, -EPROTO },
	{ 0, 0xffff, 1000, -EPROTO },
	{ 0xfffe, 0, 1000, -EPROTO },
	{ 0xffff, 0xffff, 1000, -EPROTO },
	{ 0x8000, 0x8000, 1000, -EPROTO },
	{ 0xff00, 0x0100, 1000, -EPROTO },
};
#define SUMS (int)(sizeof(sums) / sizeof(sums[0]))

START_TEST(csum_outside)
{
	struct raw raw = raw_make(1, 0, 0, sums[_i].start, sums[_i].offset);
	struct vtc_nethdr h;

	ck_assert_errno(get(&raw, sums[_i].len, &h), sums[_i].err);
}
END_TEST

START_TEST(csum_fields_without_flag)
{
	struct raw raw = raw_make(2, 0, 99, 0xffff, 0xffff);
	struct vtc_nethdr h;

	ck_assert_errno(get(&raw, 100, &h), 0);
	ck_assert_uint_eq(h.flags, VTC_NETHDR_F_DATA_VALID);
	ck_assert_uint_eq(h.csum_start, 0);
	ck_assert_uint_eq(h.csum_offset, 0);
	ck_assert_uint_eq(h.gso_size, 0);
}
END_TEST

START_TEST(unknown_flags_ignored)
{
	struct raw raw = raw_make(0xff, 0, 0, 34, 16);
	struct vtc_nethdr h;

	ck_assert_errno(get(&raw, 100, &h), 0);
	ck_assert_uint_eq(h.flags, 3);
}
END_TEST

START_TEST(gso_type_known)
{
	static const uint8_t known[] = { 0, 1, 4, 5, 0x81, 0x84 };
	struct raw raw = raw_make(1, (unsigned int)_i, 1448, 34, 16);
	struct vtc_nethdr h;
	int want = memchr(known, _i, sizeof(known)) ? 0 : -EPROTO;

	ck_assert_errno(get(&raw, 100, &h), want);
}
END_TEST

START_TEST(gso_size_zero)
{
	struct raw raw = raw_make(1, 1, 0, 34, 16);
	struct vtc_nethdr h;

	ck_assert_errno(get(&raw, 100, &h), -EPROTO);
	raw.bytes[5] = 1; /* 256: the upper byte counts */
	ck_assert_errno(get(&raw, 100, &h), 0);
}
END_TEST

START_TEST(gso_needs_csum)
{
	struct raw raw = raw_make(0, 1, 1448, 34, 16);
	struct vtc_nethdr h;

	ck_assert_errno(get(&raw, 100, &h), -EPROTO);
	raw.bytes[0] = 2;
	ck_assert_errno(get(&raw, 100, &h), -EPROTO);
}
END_TEST

START_TEST(get_bad_parameters)
{
	struct raw raw = raw_make(0, 0, 0, 0, 0);
	struct vtc_segment segment = { raw.bytes, sizeof(raw.bytes) };
	struct vtc_nethdr h;

	ck_assert_errno(vtc_nethdr_get(NULL, 1, 12, &h), -EINVAL);
	ck_assert_errno(vtc_nethdr_get(&segment, 1, 12, NULL), -EINVAL);
	ck_assert_errno(vtc_nethdr_get(&segment, 1, 11, &h), -EINVAL);
	ck_assert_errno(vtc_nethdr_get(&segment, 1, 20, &h), -EINVAL);
	ck_assert_errno(vtc_nethdr_get(&segment, 0, 12, &h), -EPROTO);
	ck_assert_errno(vtc_nethdr_get_buffers(NULL, 1), -EINVAL);
	ck_assert_errno(vtc_nethdr_strip(NULL, 1, 12), -EINVAL);
	ck_assert_errno(vtc_nethdr_strip(&segment, 1, 13), -EINVAL);
	ck_assert_errno(vtc_nethdr_strip(&segment, 0, 12), -EPROTO);
}
END_TEST

START_TEST(buffers)
{
	struct raw raw = raw_make(0, 0, 0, 0, 0);
	struct vtc_segment segments[2] = { { raw.bytes, 11 }, { raw.bytes + 11, 1 } };

	ck_assert_int_eq(vtc_nethdr_get_buffers(segments, 2), 0x0201);
	ck_assert_errno(vtc_nethdr_get_buffers(segments, 1), -EPROTO);
	put_le16(raw.bytes + 10, 0xffff);
	ck_assert_int_eq(vtc_nethdr_get_buffers(segments, 2), 0xffff);
	put_le16(raw.bytes + 10, 0);
	ck_assert_errno(vtc_nethdr_get_buffers(segments, 2), -EPROTO);
}
END_TEST

START_TEST(strip)
{
	struct raw raw = raw_make(0, 0, 0, 0, 0);
	uint8_t joined[PACKET_LEN + 2];

	for (int i = 0; i < 2000; i++) {
		unsigned int hdr_size = frame_random(2) ? 12 : 10, count, at;
		struct vtc_segment cut[FRAME_SEGMENTS_MAX], s[FRAME_SEGMENTS_MAX];
		size_t len = hdr_size + frame_random(PACKET_LEN);
		int used;

		raw.bytes[hdr_size] = (uint8_t)i;
		count = frame_cut(raw.bytes, len, FRAME_SEGMENTS_MAX, cut);
		memcpy(s, cut, sizeof(s));
		used = vtc_nethdr_strip(s, count, hdr_size);
		ck_assert_int_ge(used, 0);
		ck_assert_uint_le((unsigned int)used, count);
		at = (unsigned int)used;
		ck_assert_uint_eq(frame_join(s + at, count - at, joined, sizeof(joined)),
				  len - hdr_size);
		ck_assert_mem_eq(joined, raw.bytes + hdr_size, len - hdr_size);
		frame_cut_free(cut, count);
	}
}
END_TEST

/* ---- A peer that rewrites the header all the time. ---- */

#define LOOKS 5000000
#define YIELD 1000

struct racer {
	uint8_t *bytes;
	atomic_int stop;
};

/* csum_start goes out of the packet and back, gso_size to 0 and back. */
static void *race(void *arg)
{
	struct racer *r = arg;

	for (unsigned int i = 0; !atomic_load_explicit(&r->stop, memory_order_relaxed);
	     i++) {
		/* Where only one thread runs at a time, both shall. */
		if (i % YIELD == 0)
			sched_yield();
		__atomic_store_n(&r->bytes[7], 0xff, __ATOMIC_RELAXED);
		__atomic_store_n(&r->bytes[4], 0, __ATOMIC_RELAXED);
		__atomic_store_n(&r->bytes[7], 0, __ATOMIC_RELAXED);
		__atomic_store_n(&r->bytes[4], 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Whatever was accepted fulfils the rules, whatever is in memory by now. */
START_TEST(only_the_snapshot_counts)
{
	struct raw raw = raw_make(1, 1, 1, 34, 16);
	struct vtc_segment segments[2] = { { raw.bytes, 7 }, { raw.bytes + 7, 105 } };
	struct racer racer = { .bytes = raw.bytes };
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, race, &racer), 0);
	for (int i = 0; i < LOOKS; i++) {
		struct vtc_nethdr h = { 0 };
		int err = vtc_nethdr_get(segments, 2, 12, &h);

		if (i % YIELD == 0)
			sched_yield();
		if (!err && (h.csum_start + h.csum_offset + 2 > 100 || !h.gso_size))
			ck_abort_msg("a header was taken that breaks the rules");
	}
	atomic_store(&racer.stop, 1);
	pthread_join(thread, NULL);
}
END_TEST

/* ---- Scatter. ---- */

/* A receive queue's chains: one readable segment that nobody may touch, then the room. */
struct room {
	struct vtc_chain chains[64];
	struct vtc_segment segments[64][6];
	unsigned int count;
};

static void room_add(struct room *room, unsigned int bytes, unsigned int pieces)
{
	struct vtc_chain *c = &room->chains[room->count];
	struct vtc_segment *s = room->segments[room->count];

	*c = (struct vtc_chain){ s, 3, bytes, 1, (uint16_t)pieces, 100 + room->count };
	s[0] = (struct vtc_segment){ malloc(3), 3 };
	memset(s[0].base, 0xee, 3);
	for (unsigned int i = 1; i <= pieces; i++) {
		unsigned int part = i == pieces ? bytes : frame_random(bytes + 1);

		s[i] = (struct vtc_segment){ malloc(part), part };
		memset(s[i].base, 0xee, part);
		bytes -= part;
	}
	room->count++;
}

static void room_free(struct room *room)
{
	for (unsigned int i = 0; i < room->count; i++)
		for (unsigned int j = 0; j < 1u + room->chains[i].writable; j++)
			free(room->segments[i][j].base);
}

static bool is_untouched(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != 0xee)
			return false;
	return true;
}

static void room_untouched(const struct room *room, unsigned int from)
{
	for (unsigned int i = from; i < room->count; i++)
		for (unsigned int j = 0; j < 1u + room->chains[i].writable; j++)
			ck_assert(is_untouched(room->segments[i][j].base,
					       room->segments[i][j].len));
}

/* What the driver would see: each chain as far as done says. */
static size_t room_read(const struct room *room, const struct vtc_done *done,
			unsigned int used, uint8_t *to, size_t size)
{
	static uint8_t whole[70000];
	size_t len = 0;

	for (unsigned int i = 0; i < used; i++) {
		const struct vtc_chain *c = &room->chains[i];
		size_t n = frame_join(c->segments + 1, c->writable, whole, sizeof(whole));

		ck_assert_uint_eq(done[i].id, 100 + i);
		ck_assert_uint_le(done[i].len, c->writable_bytes);
		ck_assert_uint_le(done[i].len, size - len);
		if (i + 1 < used)
			ck_assert_uint_eq(done[i].len, c->writable_bytes);
		memcpy(to + len, whole, done[i].len);
		len += done[i].len;
		ck_assert(is_untouched(whole + done[i].len, n - done[i].len));
		ck_assert_mem_eq(c->segments[0].base, "\xee\xee\xee", 3);
	}
	room_untouched(room, used);
	return len;
}

static const struct vtc_nethdr some = { 1, 0x81, 0x0102, 0x0304, 0x0506, 0x0708, 0x7777 };

static void check_wire(const uint8_t *wire, unsigned int hdr_size, unsigned int used)
{
	static const uint8_t fields[] = { 1, 0x81, 2, 1, 4, 3, 6, 5, 8, 7 };

	ck_assert_mem_eq(wire, fields, sizeof(fields));
	if (hdr_size == 12) {
		ck_assert_uint_eq(wire[10], used & 255);
		ck_assert_uint_eq(wire[11], used >> 8);
	}
}

/* Any packet into any chains: the same bytes come out, or nothing was touched. */
START_TEST(scatter_random)
{
	static uint8_t packet[66000], wire[66100];
	int full = 0, fitted = 0, many = 0;

	for (int i = 0; i < 1000; i++) {
		struct vtc_segment cut[FRAME_SEGMENTS_MAX];
		size_t len = frame_random(frame_random(3) ? 3000 : sizeof(packet)),
		       room = 0;
		unsigned int chains = frame_random(41), mergeable = frame_random(3) != 0;
		unsigned int hdr_size = mergeable || frame_random(2) ? 12 : 10, count;
		unsigned int most = frame_random(2) ? 300 : 5000;
		struct vtc_done done[64];
		struct room r = { .count = 0 };
		int used;

		for (size_t k = 0; k < len; k++)
			packet[k] = (uint8_t)frame_random(256);
		count = frame_cut(packet, len, FRAME_SEGMENTS_MAX, cut);
		for (unsigned int k = 0; k < chains; k++) {
			room_add(&r, 12 + frame_random(most), 1 + frame_random(5));
			if (mergeable || !k)
				room += r.chains[k].writable_bytes;
		}
		used = vtc_nethdr_scatter(&some, hdr_size, (int)mergeable, cut, count,
					  r.chains, r.count, done);
		if (room < len + hdr_size) {
			ck_assert_errno(used, -ENOSPC);
			room_untouched(&r, 0);
			full++;
		} else {
			ck_assert_int_gt(used, 0);
			ck_assert_uint_eq(room_read(&r, done, (unsigned int)used, wire,
						    sizeof(wire)),
					  len + hdr_size);
			check_wire(wire, hdr_size, (unsigned int)used);
			ck_assert_mem_eq(wire + hdr_size, packet, len);
			fitted++;
			many += used > 1;
		}
		room_free(&r);
		frame_cut_free(cut, count);
	}
	ck_assert_int_gt(full, 100);
	ck_assert_int_gt(fitted, 100);
	ck_assert_int_gt(many, 100);
}
END_TEST

START_TEST(scatter_64k)
{
	static uint8_t packet[65550], wire[65562];
	struct vtc_segment segment = { packet, sizeof(packet) };
	struct room r = { .count = 0 };
	struct vtc_done done[64];

	for (size_t i = 0; i < sizeof(packet); i++)
		packet[i] = (uint8_t)frame_random(256);
	for (int i = 0; i < 43; i++)
		room_add(&r, 1526, 1);
	ck_assert_errno(vtc_nethdr_scatter(&some, 12, 1, &segment, 1, r.chains, 42, done),
			-ENOSPC);
	ck_assert_int_eq(
		vtc_nethdr_scatter(&some, 12, 1, &segment, 1, r.chains, 43, done), 43);
	ck_assert_uint_eq(room_read(&r, done, 43, wire, sizeof(wire)), sizeof(wire));
	check_wire(wire, 12, 43);
	ck_assert_mem_eq(wire + 12, packet, sizeof(packet));
	room_free(&r);
}
END_TEST

START_TEST(scatter_exact_fit)
{
	uint8_t packet[100] = { 1 }, wire[112];
	struct vtc_segment segment = { packet, 100 };
	struct vtc_done done[64];
	struct room r = { .count = 0 };

	room_add(&r, 111, 2);
	ck_assert_errno(vtc_nethdr_scatter(&some, 12, 0, &segment, 1, r.chains, 1, done),
			-ENOSPC);
	ck_assert_errno(vtc_nethdr_scatter(&some, 12, 1, &segment, 1, r.chains, 1, done),
			-ENOSPC);
	ck_assert_int_eq(vtc_nethdr_scatter(&some, 10, 0, &segment, 1, r.chains, 1, done),
			 1);
	ck_assert_uint_eq(done[0].len, 110);
	room_free(&r);

	r.count = 0;
	room_add(&r, 112, 3);
	room_add(&r, 50, 3);
	ck_assert_int_eq(vtc_nethdr_scatter(&some, 12, 1, &segment, 1, r.chains, 2, done),
			 1);
	ck_assert_uint_eq(room_read(&r, done, 1, wire, sizeof(wire)), 112);
	check_wire(wire, 12, 1);
	room_free(&r);
}
END_TEST

START_TEST(scatter_chain_below_header)
{
	uint8_t packet[100] = { 0 };
	struct vtc_segment segment = { packet, 100 };
	struct vtc_done done[64];
	struct room r = { .count = 0 };

	room_add(&r, 50, 1);
	room_add(&r, 11, 1);
	room_add(&r, 500, 1);
	ck_assert_errno(vtc_nethdr_scatter(&some, 12, 1, &segment, 1, r.chains, 3, done),
			-EPROTO);
	ck_assert_errno(
		vtc_nethdr_scatter(&some, 12, 0, &segment, 1, r.chains + 1, 1, done),
		-EPROTO);
	room_untouched(&r, 0);
	room_free(&r);
}
END_TEST

START_TEST(scatter_more_buffers_than_can_be_said)
{
	const unsigned int count = 65536;
	uint8_t buffer[12], packet[12] = { 0 };
	struct vtc_segment all = { buffer, 12 }, *cut = calloc(count, sizeof(*cut));
	struct vtc_chain *chains = calloc(count, sizeof(*chains));
	struct vtc_done *done = calloc(count, sizeof(*done));

	for (unsigned int i = 0; i < count; i++) {
		chains[i] = (struct vtc_chain){ &all, 0, 12, 0, 1, i };
		cut[i] = (struct vtc_segment){ packet, 12 };
	}
	ck_assert_errno(
		vtc_nethdr_scatter(&some, 12, 1, cut, count - 1, chains, count, done),
		-ENOSPC);
	ck_assert_int_eq(
		vtc_nethdr_scatter(&some, 12, 1, cut, count - 2, chains, count, done),
		65535);
	free(cut);
	free(chains);
	free(done);
}
END_TEST

/* A guest that sends to itself can name the same memory twice. */
START_TEST(scatter_overlap)
{
	uint8_t memory[200], want[100];
	struct vtc_segment from = { memory, 100 }, to = { memory + 40, 160 };
	struct vtc_chain chain = { &to, 0, 160, 0, 1, 1 };
	struct vtc_done done;

	for (int i = 0; i < 200; i++)
		memory[i] = (uint8_t)i;
	ck_assert_int_eq(vtc_nethdr_scatter(&some, 12, 0, &from, 1, &chain, 1, &done), 1);
	ck_assert_uint_eq(done.len, 112);
	check_wire(memory + 40, 12, 1);
	for (int i = 0; i < 40; i++)
		want[i] = (uint8_t)i;
	ck_assert_mem_eq(memory + 52, want, 40);
}
END_TEST

START_TEST(scatter_bad_parameters)
{
	struct vtc_segment s = { NULL, 0 };
	struct vtc_chain c = { &s, 0, 0, 0, 0, 0 };
	struct vtc_done d;

	ck_assert_errno(vtc_nethdr_scatter(NULL, 12, 0, &s, 1, &c, 1, &d), -EINVAL);
	ck_assert_errno(vtc_nethdr_scatter(&some, 12, 0, NULL, 1, &c, 1, &d), -EINVAL);
	ck_assert_errno(vtc_nethdr_scatter(&some, 12, 0, &s, 1, NULL, 1, &d), -EINVAL);
	ck_assert_errno(vtc_nethdr_scatter(&some, 12, 0, &s, 1, &c, 1, NULL), -EINVAL);
	ck_assert_errno(vtc_nethdr_scatter(&some, 0, 0, &s, 1, &c, 1, &d), -EINVAL);
	ck_assert_errno(vtc_nethdr_scatter(&some, 10, 1, &s, 1, &c, 1, &d), -EINVAL);
	ck_assert_errno(vtc_nethdr_scatter(&some, 12, 1, &s, 1, &c, 0, &d), -ENOSPC);
}
END_TEST

int main(void)
{
	Suite *suite = vtct_suite(
		"nethdr", fields_little_endian, legacy_size_is_one_buffer,
		over_one_byte_each, over_random_segments, shorter_than_header,
		shorter_than_ethernet, csum_fields_without_flag, unknown_flags_ignored,
		gso_size_zero, gso_needs_csum, get_bad_parameters, buffers, strip,
		only_the_snapshot_counts, scatter_random, scatter_64k, scatter_exact_fit,
		scatter_chain_below_header, scatter_more_buffers_than_can_be_said,
		scatter_overlap, scatter_bad_parameters, NULL);
	TCase *loops = tcase_create("rules");

	tcase_add_loop_test(loops, csum_outside, 0, SUMS);
	tcase_add_loop_test(loops, gso_type_known, 0, 256);
	suite_add_tcase(suite, loops);
	return vtct_main(suite, NULL);
}
