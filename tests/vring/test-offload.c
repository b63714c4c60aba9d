/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the far side cannot do: whatever comes out is put together again here and compared
 * with what went in, with checksums of the test's own.
 */
#include <stdlib.h>
#include <string.h>
#include <vtc/ctx.h>
#include <vtc/nethdr.h>

#include "frame.h"
#include "vring/csum.h"
#include "vring/packet.h"
#include "vtct.h"

#define BIT(n) (1ull << (n))

static const uint64_t nothing[2];
static const uint64_t driver_csum[2] = { BIT(VTC_NET_F_GUEST_CSUM) };
static const uint64_t device_csum[2] = { BIT(VTC_NET_F_CSUM) };
static const uint64_t driver_all[2] = {
	BIT(VTC_NET_F_GUEST_CSUM) | BIT(VTC_NET_F_GUEST_TSO4) |
	BIT(VTC_NET_F_GUEST_TSO6) | BIT(VTC_NET_F_GUEST_ECN) | BIT(VTC_NET_F_GUEST_USO4) |
	BIT(VTC_NET_F_GUEST_USO6)
};
static const uint64_t device_all[2] = { BIT(VTC_NET_F_CSUM) | BIT(VTC_NET_F_HOST_TSO4) |
					BIT(VTC_NET_F_HOST_TSO6) |
					BIT(VTC_NET_F_HOST_ECN) |
					BIT(VTC_NET_F_HOST_USO) };

static const struct frame_plan tcp4 = { .version = 4, .payload = 5000, .gso_size = 1448 };
static const struct frame_plan tcp6 = { .version = 6, .payload = 5000, .gso_size = 1428 };
static const struct frame_plan udp4 = {
	.version = 4, .udp = true, .payload = 5000, .gso_size = 1200
};
static const struct frame_plan udp6 = {
	.version = 6, .udp = true, .payload = 5000, .gso_size = 1200
};

static struct vtc_offload *make(const uint64_t features[2], enum vtc_vring_role role)
{
	struct vtc_offload *o = NULL;
	struct vtc_ctx *ctx;

	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	ck_assert_errno(vtc_offload_new(ctx, features, role, &o), 0);
	vtc_ctx_unref(ctx);
	return o;
}

/* ---- One packet, and what comes out. ---- */

struct out {
	struct vtc_nethdr header;
	uint8_t *bytes;
	size_t len;
};

/* In goes a packet cut anywhere; it must be the same after. */
struct run {
	struct frame frame;
	struct vtc_segment cut[FRAME_SEGMENTS_MAX];
	unsigned int cut_count;
	struct vtc_offload *offload;
	struct out *outs;
	int count; /* of them, or an error */
};

static void run_next(struct run *r, struct out *out)
{
	struct vtc_segment segments[FRAME_SEGMENTS_MAX + 1];
	size_t room = r->frame.len + 100;
	int n = vtc_offload_next(r->offload, &out->header, segments, r->cut_count + 1);

	ck_assert_int_gt(n, 0);
	out->bytes = malloc(room);
	out->len = frame_join(segments, (unsigned int)n, out->bytes, room);
}

static void run_begin(struct run *r, const struct frame *frame,
		      const uint64_t features[2], enum vtc_vring_role role)
{
	r->frame = *frame;
	r->cut_count = frame_cut(frame->bytes, frame->len, FRAME_SEGMENTS_MAX, r->cut);
	r->offload = make(features, role);
	r->outs = NULL;
	r->count = vtc_offload_begin(r->offload, &frame->header, r->cut, r->cut_count);
}

static void run_end(struct run *r)
{
	for (int i = 0; i < r->count; i++)
		free(r->outs[i].bytes);
	free(r->outs);
	vtc_offload_free(r->offload);
	frame_cut_free(r->cut, r->cut_count);
	frame_free(&r->frame);
}

static void run_plan(struct run *r, const struct frame_plan *plan,
		     const uint64_t features[2], enum vtc_vring_role role)
{
	struct vtc_segment segments[FRAME_SEGMENTS_MAX + 1];
	struct frame frame = frame_make(plan);
	struct vtc_nethdr header;
	uint8_t *after;

	run_begin(r, &frame, features, role);
	ck_assert_int_gt(r->count, 0);
	r->outs = calloc((size_t)r->count, sizeof(*r->outs));
	for (int i = 0; i < r->count; i++)
		run_next(r, &r->outs[i]);
	ck_assert_int_eq(vtc_offload_next(r->offload, &header, segments, 65), 0);
	after = malloc(frame.len);
	ck_assert_uint_eq(frame_join(r->cut, r->cut_count, after, frame.len), frame.len);
	ck_assert_mem_eq(after, frame.bytes, frame.len); /* never written */
	free(after);
}

/* ---- Is a packet right? ---- */

/* Checksum completed, or the pseudo header's sum where the far side completes it. */
static void check_l4_csum(const struct frame *f, const struct out *out, bool partial)
{
	unsigned int at = f->plan.udp ? 6 : 16,
		     want = frame_pseudo(f, out->bytes, out->len);
	const uint8_t *l4 = out->bytes + f->l4;

	if (partial) {
		ck_assert_uint_eq(out->header.flags, VTC_NETHDR_F_NEEDS_CSUM);
		ck_assert_uint_eq(out->header.csum_start, f->l4);
		ck_assert_uint_eq(out->header.csum_offset, at);
		ck_assert_uint_eq(frame_get16(l4 + at) % 65535, want % 65535);
		return;
	}
	ck_assert_uint_eq(out->header.flags, 0);
	ck_assert_uint_eq(out->header.csum_start, 0);
	ck_assert_uint_eq(out->header.csum_offset, 0);
	ck_assert_uint_eq(frame_sum(want, l4, out->len - f->l4), 65535);
	ck_assert_uint_ne(frame_get16(l4 + at), 0);
}

/* All bytes of two headers, but those whose numbers, from 1, are in but. */
static void check_same(const uint8_t *a, const uint8_t *b, size_t len, const char *but)
{
	for (size_t i = 0; i < len; i++)
		if (!memchr(but, (int)i + 1, strlen(but)) && a[i] != b[i])
			ck_abort_msg("byte %zu of a header differs", i);
}

static void check_ip(const struct frame *f, const struct out *out, unsigned int index)
{
	const uint8_t *was = f->bytes + f->l3, *ip = out->bytes + f->l3;

	if (f->plan.version == 6) {
		ck_assert_uint_eq(frame_get16(ip + 4), out->len - f->l3 - 40);
		check_same(was, ip, f->l4 - f->l3, "\5\6");
		return;
	}
	ck_assert_uint_eq(frame_get16(ip + 2), out->len - f->l3);
	ck_assert_uint_eq(frame_get16(ip + 4), (frame_get16(was + 4) + index) & 0xffff);
	ck_assert_uint_eq(frame_sum(0, ip, f->l4 - f->l3), 65535);
	check_same(was, ip, f->l4 - f->l3, "\3\4\5\6\13\14");
}

static void check_tcp(const struct frame *f, const struct out *out, size_t off,
		      unsigned int flags)
{
	const uint8_t *was = f->bytes + f->l4, *tcp = out->bytes + f->l4;

	ck_assert_uint_eq(frame_get32(tcp + 4), frame_get32(was + 4) + (uint32_t)off);
	ck_assert_uint_eq(tcp[13], flags);
	check_same(was, tcp, f->head - f->l4, "\5\6\7\10\16\21\22");
}

static void check_piece(const struct run *r, int index, bool partial)
{
	const struct frame *f = &r->frame;
	const struct out *out = &r->outs[index];
	size_t off = (size_t)index * f->plan.gso_size, len = f->plan.payload - off;
	unsigned int flags = f->plan.flags;

	if (len > f->plan.gso_size)
		len = f->plan.gso_size;
	if (index + 1 < r->count)
		flags &= ~0x09u; /* PSH, FIN */
	if (index)
		flags &= ~0x80u; /* CWR */
	ck_assert_uint_eq(out->header.gso_type, 0);
	ck_assert_uint_eq(out->header.gso_size, 0);
	ck_assert_uint_eq(out->header.num_buffers, 1);
	ck_assert_uint_eq(out->len, f->head + len);
	ck_assert_mem_eq(out->bytes, f->bytes, f->l3);
	check_ip(f, out, (unsigned int)index);
	if (f->plan.udp) {
		ck_assert_uint_eq(frame_get16(out->bytes + f->l4 + 4), 8 + len);
		ck_assert_mem_eq(out->bytes + f->l4, f->bytes + f->l4, 4);
	} else {
		check_tcp(f, out, off, flags);
	}
	if (len)
		ck_assert_mem_eq(out->bytes + f->head, f->bytes + f->head + off, len);
	check_l4_csum(f, out, partial);
}

static void check_cut(const struct frame_plan *plan, const uint64_t features[2],
		      enum vtc_vring_role role, bool partial)
{
	size_t want = plan->payload ? (plan->payload - 1) / plan->gso_size + 1 : 1;
	struct run r;

	run_plan(&r, plan, features, role);
	ck_assert_uint_eq((size_t)r.count, want);
	for (int i = 0; i < r.count; i++)
		check_piece(&r, i, partial);
	run_end(&r);
}

/* Comes out as it went in, with this header. */
static void check_pass(const struct frame_plan *plan, const uint64_t features[2],
		       enum vtc_vring_role role)
{
	struct run r;

	run_plan(&r, plan, features, role);
	ck_assert_int_eq(r.count, 1);
	ck_assert_uint_eq(r.outs[0].len, r.frame.len);
	ck_assert_mem_eq(r.outs[0].bytes, r.frame.bytes, r.frame.len);
	ck_assert_uint_eq(r.outs[0].header.flags, VTC_NETHDR_F_NEEDS_CSUM);
	ck_assert_uint_eq(r.outs[0].header.gso_type, r.frame.header.gso_type);
	ck_assert_uint_eq(r.outs[0].header.gso_size, r.frame.header.gso_size);
	ck_assert_uint_eq(r.outs[0].header.csum_start, r.frame.header.csum_start);
	ck_assert_uint_eq(r.outs[0].header.csum_offset, r.frame.header.csum_offset);
	ck_assert_uint_eq(r.outs[0].header.num_buffers, 1);
	/* Not the hint that came in, which was bad. */
	ck_assert_uint_eq(r.outs[0].header.hdr_len, plan->gso_size ? r.frame.head : 0);
	run_end(&r);
}

static int begin(const struct frame *frame, const uint64_t features[2])
{
	struct run r;
	int err;

	run_begin(&r, frame, features, VTC_VRING_DRIVER);
	err = r.count;
	r.count = 0;
	run_end(&r);
	return err;
}

/* ---- Checksums. ---- */

START_TEST(sum_is_that_of_rfc_1071)
{
	static uint8_t bytes[4000];
	struct vtc_segment cut[FRAME_SEGMENTS_MAX];

	for (int i = 0; i < 20000; i++) {
		size_t len = frame_random(i % 2 ? sizeof(bytes) : 70), skip;
		unsigned int count, want;
		uint16_t got;

		for (size_t k = 0; k < len; k++)
			bytes[k] = (uint8_t)(i % 3 ? frame_random(256) : 0xff);
		count = frame_cut(bytes, len, FRAME_SEGMENTS_MAX, cut);
		skip = cut[0].len ? frame_random((unsigned int)cut[0].len) : 0;
		want = frame_sum(0, bytes + skip, len - skip);
		got = be16toh(vtc__csum_segments(cut, count, skip));
		if (got % 65535u != want % 65535)
			ck_abort_msg("%zu bytes: %x is not %x", len, got, want);
		frame_cut_free(cut, count);
	}
}
END_TEST

START_TEST(csum_completed)
{
	for (int i = 0; i < 500; i++) {
		struct frame_plan plan = frame_random_plan();
		struct run r;

		plan.gso_size = 0;
		run_plan(&r, &plan, nothing, i % 2 ? VTC_VRING_DRIVER : VTC_VRING_DEVICE);
		ck_assert_int_eq(r.count, 1);
		ck_assert_uint_eq(r.outs[0].len, r.frame.len);
		check_l4_csum(&r.frame, &r.outs[0], false);
		memcpy(r.outs[0].bytes + r.frame.header.csum_start +
			       r.frame.header.csum_offset,
		       r.frame.bytes + r.frame.header.csum_start +
			       r.frame.header.csum_offset,
		       2);
		ck_assert_mem_eq(r.outs[0].bytes, r.frame.bytes, r.frame.len);
		run_end(&r);
	}
}
END_TEST

START_TEST(csum_left_to_the_far_side)
{
	struct frame_plan plan = tcp4;

	plan.gso_size = 0;
	check_pass(&plan, driver_csum, VTC_VRING_DRIVER);
	check_pass(&plan, device_csum, VTC_VRING_DEVICE);
}
END_TEST

/* A checksum of 0 would say that there is none. */
START_TEST(csum_never_zero)
{
	struct frame_plan plan = udp4;
	struct frame f;
	struct run r;

	plan.gso_size = 0;
	plan.payload = 2;
	f = frame_make(&plan);
	memset(f.bytes + f.head, 0, 2);
	frame_put16(f.bytes + f.head, 65535 - frame_sum(0, f.bytes + f.l4, 10));
	run_begin(&r, &f, nothing, VTC_VRING_DRIVER);
	ck_assert_int_eq(r.count, 1);
	r.outs = calloc(1, sizeof(*r.outs));
	run_next(&r, r.outs);
	ck_assert_uint_eq(frame_get16(r.outs->bytes + f.l4 + 6), 0xffff);
	run_end(&r);
}
END_TEST

START_TEST(csum_field_beyond_private_memory)
{
	struct frame_plan plan = { .version = 4, .payload = 500 };
	struct frame f = frame_make(&plan);

	f.header.csum_start = 200;
	f.header.csum_offset = 55;
	ck_assert_errno(begin(&f, nothing), -EPROTO);
	f = frame_make(&plan);
	f.header.csum_start = 200;
	f.header.csum_offset = 54;
	ck_assert_errno(begin(&f, nothing), 1);
}
END_TEST

/* ---- Large packets. ---- */

START_TEST(cut_tcp4)
{
	check_cut(&tcp4, nothing, VTC_VRING_DRIVER, false);
}
END_TEST

START_TEST(cut_tcp6)
{
	check_cut(&tcp6, nothing, VTC_VRING_DRIVER, false);
}
END_TEST

START_TEST(cut_udp4)
{
	check_cut(&udp4, nothing, VTC_VRING_DRIVER, false);
}
END_TEST

START_TEST(cut_udp6)
{
	check_cut(&udp6, nothing, VTC_VRING_DRIVER, false);
}
END_TEST

START_TEST(cut_with_csum_left_to_the_far_side)
{
	check_cut(&tcp4, driver_csum, VTC_VRING_DRIVER, true);
	check_cut(&tcp6, device_csum, VTC_VRING_DEVICE, true);
	check_cut(&udp4, device_csum, VTC_VRING_DEVICE, true);
	check_cut(&udp6, driver_csum, VTC_VRING_DRIVER, true);
}
END_TEST

START_TEST(cut_flags)
{
	struct frame_plan plan = tcp4;

	for (plan.flags = 0; plan.flags < 256; plan.flags++)
		check_cut(&plan, nothing, VTC_VRING_DRIVER, false);
}
END_TEST

START_TEST(cut_sizes)
{
	static const size_t payloads[] = { 0, 1, 1447, 1448, 1449, 2896, 2897, 65000 };
	struct frame_plan plan = tcp4;

	for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
		plan.payload = payloads[i];
		check_cut(&plan, nothing, VTC_VRING_DEVICE, false);
	}
	plan.payload = 300;
	plan.gso_size = 1;
	check_cut(&plan, nothing, VTC_VRING_DEVICE, false);
	plan.gso_size = 65495;
	plan.payload = 65495; /* with the IP header 65535 */
	check_cut(&plan, nothing, VTC_VRING_DEVICE, false);
}
END_TEST

START_TEST(cut_too_long_for_ip)
{
	struct frame_plan plan = { .version = 4, .payload = 65496, .gso_size = 65535 };
	struct frame f = frame_make(&plan);

	ck_assert_errno(begin(&f, nothing), -EPROTO);
	plan.version = 6;
	plan.payload = 65515;
	f = frame_make(&plan);
	ck_assert_errno(begin(&f, nothing), 1);
	plan.payload = 65516;
	f = frame_make(&plan);
	ck_assert_errno(begin(&f, nothing), -EPROTO);
}
END_TEST

START_TEST(cut_random)
{
	for (int i = 0; i < 400; i++) {
		struct frame_plan plan = frame_random_plan();
		bool partial = frame_random(2), driver = frame_random(2);

		check_cut(&plan,
			  !partial ? nothing
			  : driver ? driver_csum
				   : device_csum,
			  driver ? VTC_VRING_DRIVER : VTC_VRING_DEVICE, partial);
	}
}
END_TEST

START_TEST(pass_what_the_far_side_can)
{
	for (int i = 0; i < 100; i++) {
		struct frame_plan plan = frame_random_plan();

		check_pass(&plan, driver_all, VTC_VRING_DRIVER);
		check_pass(&plan, device_all, VTC_VRING_DEVICE);
	}
}
END_TEST

/* Each large packet needs its own bit, and the checksum's with it. */
static const struct {
	const struct frame_plan *plan;
	unsigned int flags, driver_bit, device_bit;
} bits[] = {
	{ &tcp4, 0, VTC_NET_F_GUEST_TSO4, VTC_NET_F_HOST_TSO4 },
	{ &tcp6, 0, VTC_NET_F_GUEST_TSO6, VTC_NET_F_HOST_TSO6 },
	{ &tcp4, 0x80, VTC_NET_F_GUEST_ECN, VTC_NET_F_HOST_ECN },
	{ &tcp6, 0x80, VTC_NET_F_GUEST_ECN, VTC_NET_F_HOST_ECN },
	{ &udp4, 0, VTC_NET_F_GUEST_USO4, VTC_NET_F_HOST_USO },
	{ &udp6, 0, VTC_NET_F_GUEST_USO6, VTC_NET_F_HOST_USO },
};
#define BITS (int)(sizeof(bits) / sizeof(bits[0]))

START_TEST(cut_without_the_feature)
{
	uint64_t driver[2] = { driver_all[0] & ~BIT(bits[_i].driver_bit) };
	uint64_t device[2] = { device_all[0] & ~BIT(bits[_i].device_bit) };
	struct frame_plan plan = *bits[_i].plan;

	plan.flags = bits[_i].flags;
	check_cut(&plan, driver, VTC_VRING_DRIVER, true);
	check_cut(&plan, device, VTC_VRING_DEVICE, true);
	driver[0] = driver_all[0] & ~BIT(VTC_NET_F_GUEST_CSUM);
	device[0] = device_all[0] & ~BIT(VTC_NET_F_CSUM);
	check_cut(&plan, driver, VTC_VRING_DRIVER, false);
	check_cut(&plan, device, VTC_VRING_DEVICE, false);
	/* The other role's bits say nothing. */
	check_cut(&plan, device_all, VTC_VRING_DRIVER, false);
	check_cut(&plan, driver_all, VTC_VRING_DEVICE, false);
}
END_TEST

/* ---- Packets that are not what they say. ---- */

/* One byte of a packet that was good. */
static const struct {
	const struct frame_plan *plan;
	size_t at; /* from the IP header */
	uint8_t value;
	const char *why;
} lies[] = {
	{ &tcp4, 0, 0x65, "IP version" },
	{ &tcp4, 0, 0x44, "IP header shorter than it can be" },
	{ &tcp4, 0, 0x46, "checksum not where TCP begins" },
	{ &tcp4, 0, 0x4f, "IP header longer" },
	{ &tcp4, 6, 0x20, "more fragments" },
	{ &tcp4, 7, 0x01, "fragment offset" },
	{ &tcp4, 9, 17, "UDP, said to be TCP" },
	{ &tcp4, 9, 47, "a tunnel" },
	{ &tcp4, 20 + 12, 0x40, "TCP header shorter than it can be" },
	{ &udp4, 9, 6, "TCP, said to be UDP" },
	{ &tcp6, 0, 0x40, "IP version" },
	{ &tcp6, 6, 17, "UDP, said to be TCP" },
	{ &tcp6, 6, 44, "a fragment" },
	{ &tcp6, 6, 51, "authenticated" },
	{ &tcp6, 6, 59, "nothing" },
	{ &udp6, 6, 0, "extension, not where UDP begins" },
};
#define LIES (int)(sizeof(lies) / sizeof(lies[0]))

START_TEST(lie)
{
	struct frame f = frame_make(lies[_i].plan);
	int err;

	f.bytes[f.l3 + lies[_i].at] = lies[_i].value;
	err = begin(&f, _i % 2 ? nothing : driver_all);
	ck_assert_msg(err == -EPROTO, "%s: %d", lies[_i].why, err);
}
END_TEST

START_TEST(lie_about_the_type)
{
	static const uint8_t types[] = { 1, 0x81, 4, 0x84, 5 };

	for (size_t i = 0; i < 4; i++) {
		const struct frame_plan *plans[] = { &tcp4, &tcp6, &udp4, &udp6 };

		for (size_t k = 0; k < sizeof(types); k++) {
			struct frame f = frame_make(plans[i]);
			bool right = types[k] == f.header.gso_type ||
				     types[k] == (f.header.gso_type | 0x80);

			if (plans[i]->udp)
				right = types[k] == 5;
			f.header.gso_type = types[k];
			ck_assert_errno(begin(&f, driver_all), right ? 1 : -EPROTO);
		}
	}
}
END_TEST

START_TEST(lie_about_the_checksum)
{
	struct frame f = frame_make(&tcp4);

	f.header.csum_offset = 6;
	ck_assert_errno(begin(&f, nothing), -EPROTO);
	f = frame_make(&tcp4);
	f.header.csum_start--;
	ck_assert_errno(begin(&f, nothing), -EPROTO);
	f = frame_make(&tcp4);
	f.header.flags = 0;
	ck_assert_errno(begin(&f, nothing), -EPROTO);
	f = frame_make(&tcp4);
	f.header.gso_size = 0;
	ck_assert_errno(begin(&f, nothing), -EPROTO);
}
END_TEST

/* Cut anywhere: an error before the payload, and never a byte that is not there. */
START_TEST(cut_short)
{
	struct frame_plan plan = { .version = 6,
				   .route = true,
				   .vlans = 2,
				   .ip_words = 3,
				   .tcp_words = 10,
				   .payload = 10,
				   .gso_size = 3 };

	for (int v = 0; v < 2; v++, plan.version = 4, plan.route = false) {
		struct frame whole = frame_make(&plan);

		for (size_t len = 0; len < whole.len; len++) {
			struct frame f = whole;

			f.bytes = malloc(len ? len : 1);
			memcpy(f.bytes, whole.bytes, len);
			f.len = len;
			if (len < whole.head)
				ck_assert_errno(begin(&f, nothing), -EPROTO);
			else
				ck_assert_int_gt(begin(&f, nothing), 0);
		}
		frame_free(&whole);
	}
}
END_TEST

/* What follows would be good headers, but it is not the packet's. */
START_TEST(parse_stays_within_the_length)
{
	const struct frame_plan plans[] = {
		{ .version = 4, .vlans = 2, .ip_words = 10, .tcp_words = 10 },
		{ .version = 4, .udp = true, .ip_words = 1 },
		{ .version = 6,
		  .route = true,
		  .vlans = 1,
		  .ip_words = 2,
		  .tcp_words = 1 },
		{ .version = 6, .route = true, .udp = true, .ip_words = 1 },
	};

	for (int i = 0; i < 4; i++) {
		struct frame f = frame_make(&plans[i]);
		struct vtc__packet packet;

		for (size_t len = 0; len < f.head; len++) {
			uint8_t *exact = malloc(len + !len);

			memcpy(exact, f.bytes, len);
			ck_assert_errno(vtc__packet_parse(f.bytes, len, &packet),
					-EPROTO);
			ck_assert_errno(vtc__packet_parse(exact, len, &packet), -EPROTO);
			free(exact);
		}
		ck_assert_errno(vtc__packet_parse(f.bytes, f.head, &packet), 0);
		ck_assert_uint_eq(packet.l3, f.l3);
		ck_assert_uint_eq(packet.l4, f.l4);
		ck_assert_uint_eq(packet.head, f.head);
		frame_free(&f);
	}
}
END_TEST

START_TEST(headers_beyond_private_memory)
{
	struct frame_plan plan = {
		.version = 6, .ip_words = 20, .payload = 100, .gso_size = 10
	};
	struct frame f;

	for (; plan.ip_words < 30; plan.ip_words++) {
		f = frame_make(&plan);
		ck_assert_int_eq(begin(&f, nothing), f.head <= 256 ? 10 : -EPROTO);
	}
	plan.ip_words = 0;
	plan.vlans = 100;
	f = frame_make(&plan);
	ck_assert_errno(begin(&f, nothing), -EPROTO);
}
END_TEST

/* The far side must not be told what nobody knows. */
START_TEST(data_valid_only_to_a_driver_that_asked)
{
	struct frame_plan plan = { .version = 4, .payload = 100 };
	struct frame f = frame_make(&plan);
	struct vtc_nethdr in = { .flags = VTC_NETHDR_F_DATA_VALID }, out;
	struct vtc_segment whole = { f.bytes, f.len }, got[2];
	const struct {
		const uint64_t *features;
		enum vtc_vring_role role;
		uint8_t flags;
	} cases[] = {
		{ driver_csum, VTC_VRING_DRIVER, VTC_NETHDR_F_DATA_VALID },
		{ nothing, VTC_VRING_DRIVER, 0 },
		{ device_csum, VTC_VRING_DEVICE, 0 },
	};

	for (int i = 0; i < 3; i++) {
		struct vtc_offload *o = make(cases[i].features, cases[i].role);

		ck_assert_int_eq(vtc_offload_begin(o, &in, &whole, 1), 1);
		ck_assert_int_eq(vtc_offload_next(o, &out, got, 2), 1);
		ck_assert_uint_eq(out.flags, cases[i].flags);
		ck_assert_ptr_eq(got[0].base, f.bytes); /* no copy */
		vtc_offload_free(o);
	}
	frame_free(&f);
}
END_TEST

START_TEST(room_too_small_can_be_asked_again)
{
	struct frame f = frame_make(&tcp4);
	struct vtc_segment cut[4], segments[6];
	struct vtc_offload *o = make(nothing, VTC_VRING_DRIVER);
	struct vtc_nethdr header = { .flags = 77 };
	uint8_t joined[6000];

	for (size_t i = 0; i < 4; i++)
		cut[i] = (struct vtc_segment){ f.bytes + 500 * i,
					       i < 3 ? 500 : f.len - 1500 };
	ck_assert_int_eq(vtc_offload_begin(o, &f.header, cut, 4), 4);
	for (unsigned int max = 0; max < 5; max++)
		ck_assert_errno(vtc_offload_next(o, &header, segments, max), -ENOSPC);
	ck_assert_uint_eq(header.flags, 77);
	ck_assert_int_eq(vtc_offload_next(o, &header, segments, 5), 5);
	ck_assert_uint_eq(frame_join(segments, 5, joined, sizeof(joined)), f.head + 1448);
	ck_assert_mem_eq(joined + f.head, f.bytes + f.head, 1448);
	/* Beginning again forgets the rest. */
	ck_assert_int_eq(vtc_offload_begin(o, &f.header, cut, 4), 4);
	ck_assert_errno(vtc_offload_begin(o, &f.header, cut, 0), -EPROTO);
	ck_assert_int_eq(vtc_offload_next(o, &header, segments, 6), 0);
	vtc_offload_free(o);
	frame_free(&f);
}
END_TEST

/* The peer rewrites headers after they were looked at: nothing of that comes out. */
START_TEST(only_the_snapshot_counts)
{
	struct frame f = frame_make(&tcp4), again = f;
	struct vtc_offload *o = make(nothing, VTC_VRING_DRIVER);
	struct vtc_segment whole = { f.bytes, f.len }, segments[2];
	struct vtc_nethdr header;
	struct run r = { .count = 4, .frame = again };
	struct out outs[4];

	r.outs = outs;
	ck_assert_int_eq(vtc_offload_begin(o, &f.header, &whole, 1), 4);
	r.frame.bytes = malloc(f.len);
	memcpy(r.frame.bytes, f.bytes, f.len);
	memset(f.bytes, 0xff, f.head);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(vtc_offload_next(o, &header, segments, 2), 2);
		outs[i] = (struct out){ header, malloc(f.len), 0 };
		outs[i].len = frame_join(segments, 2, outs[i].bytes, f.len);
		check_piece(&r, i, false);
		free(outs[i].bytes);
	}
	vtc_offload_free(o);
	frame_free(&r.frame);
	frame_free(&f);
}
END_TEST

START_TEST(bad_parameters)
{
	struct vtc_offload *o = make(nothing, VTC_VRING_DRIVER), *other = o;
	struct vtc_nethdr header = { 0 };
	struct vtc_segment s = { NULL, 0 };
	struct vtc_ctx *ctx;

	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	ck_assert_errno(vtc_offload_new(NULL, nothing, VTC_VRING_DRIVER, &other),
			-EINVAL);
	ck_assert_errno(vtc_offload_new(ctx, NULL, VTC_VRING_DRIVER, &other), -EINVAL);
	ck_assert_errno(vtc_offload_new(ctx, nothing, VTC_VRING_DRIVER, NULL), -EINVAL);
	ck_assert_errno(vtc_offload_new(ctx, nothing, (enum vtc_vring_role)2, &other),
			-EINVAL);
	ck_assert_ptr_eq(other, o);
	vtc_ctx_unref(ctx);
	ck_assert_errno(vtc_offload_begin(NULL, &header, &s, 1), -EINVAL);
	ck_assert_errno(vtc_offload_begin(o, NULL, &s, 1), -EINVAL);
	ck_assert_errno(vtc_offload_begin(o, &header, NULL, 1), -EINVAL);
	ck_assert_errno(vtc_offload_begin(o, &header, &s, 1), -EPROTO);
	ck_assert_errno(vtc_offload_next(NULL, &header, &s, 1), -EINVAL);
	ck_assert_errno(vtc_offload_next(o, NULL, &s, 1), -EINVAL);
	ck_assert_errno(vtc_offload_next(o, &header, NULL, 1), -EINVAL);
	ck_assert_int_eq(vtc_offload_next(o, &header, &s, 1), 0);
	vtc_offload_free(o);
	vtc_offload_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = vtct_suite(
		"offload", sum_is_that_of_rfc_1071, csum_completed,
		csum_left_to_the_far_side, csum_never_zero,
		csum_field_beyond_private_memory, cut_tcp4, cut_tcp6, cut_udp4, cut_udp6,
		cut_with_csum_left_to_the_far_side, cut_flags, cut_sizes,
		cut_too_long_for_ip, cut_random, pass_what_the_far_side_can,
		lie_about_the_type, lie_about_the_checksum, cut_short,
		parse_stays_within_the_length, headers_beyond_private_memory,
		data_valid_only_to_a_driver_that_asked, room_too_small_can_be_asked_again,
		only_the_snapshot_counts, bad_parameters, NULL);
	TCase *loops = tcase_create("rules");

	tcase_add_loop_test(loops, cut_without_the_feature, 0, BITS);
	tcase_add_loop_test(loops, lie, 0, LIES);
	suite_add_tcase(suite, loops);
	return vtct_main(suite, NULL);
}
