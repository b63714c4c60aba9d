/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Our side of the tests with DPDK, see peer.h. */
#include "peer.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "testpmd.h"
#include "vtct.h"

#define FRAME_MAX  9100u
#define HEADERS	   42u /* Ethernet, IPv4, UDP */
#define IN_FLIGHT  64u
#define BURST	   16u
#define PATIENCE_S 30 /* without progress */

/* What a callback makes of frames. */
enum expect {
	NOTHING, /* must not come */
	RETURN,	 /* those that were sent */
	MADE,	 /* testpmd's own */
	ANYTHING,
};

struct end {
	struct peer *peer;
	unsigned int number;
	struct vtc_port *port, *callback;
	uint32_t sent, got;
};

struct peer {
	struct vtc_ctx *ctx;
	struct vtc_relay *relay;
	struct end ends[PEER_PORTS_MAX];
	unsigned int count;
	enum expect expect;
	enum peer_swap swap;
	const uint32_t *sizes;
	unsigned int size_count, frames;
};

/* ---- Frames ---- */

static uint32_t size_of(const struct peer *p, uint32_t seq)
{
	return p->sizes[seq % p->size_count];
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint32_t sum16(const uint8_t *at, uint32_t len)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < len; i += 2)
		sum += (uint32_t)at[i] << 8 | at[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Different addresses and ports on both sides, so that it shows if they are swapped. */
static void put_headers(uint8_t *frame, uint32_t size, bool back, bool back_mac)
{
	static const uint8_t macs[2][6] = { { 2, 0x76, 0x74, 0x63, 0, 1 },
					    { 2, 0x76, 0x74, 0x63, 0, 2 } };
	static const uint8_t addresses[2][4] = { { 198, 18, 0, 1 }, { 198, 18, 7, 2 } };
	static const uint16_t ports[2] = { 1234, 4321 };
	uint8_t *ip = frame + 14, *udp = ip + 20;

	memset(frame, 0, HEADERS);
	memcpy(frame, macs[!back_mac], 6);
	memcpy(frame + 6, macs[back_mac], 6);
	put16(frame + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, size - 14);
	ip[8] = 64;
	ip[9] = 17;
	memcpy(ip + 12, addresses[back], 4);
	memcpy(ip + 16, addresses[!back], 4);
	put16(ip + 10, 0xffff - sum16(ip, 20));
	put16(udp, ports[back]);
	put16(udp + 2, ports[!back]);
	put16(udp + 4, size - 34);
}

/* Every frame is another one. */
static void make_frame(const struct end *end, uint32_t seq, enum peer_swap swap,
		       uint8_t frame[FRAME_MAX])
{
	uint32_t size = size_of(end->peer, seq);
	uint32_t x = 2654435761u * (seq + 1) + end->number;

	put_headers(frame, size, swap == PEER_TUPLE, swap != PEER_SAME);
	for (uint32_t i = HEADERS; i < size; i++) {
		x = x * 1103515245u + 12345u;
		frame[i] = (uint8_t)(x >> 16);
	}
}

static uint32_t gather(const struct vtc_packet *packet, uint8_t frame[FRAME_MAX])
{
	uint32_t len = 0;

	for (uint32_t i = 0; i < packet->count; i++) {
		const struct vtc_segment *s = &packet->segments[i];

		ck_assert_uint_le(s->len, FRAME_MAX - len);
		memcpy(frame + len, s->base, s->len);
		len += (uint32_t)s->len;
	}
	ck_assert_uint_eq(len, packet->len);
	return len;
}

static uint32_t first_difference(const uint8_t *a, const uint8_t *b, uint32_t len)
{
	uint32_t i = 0;

	while (i < len && a[i] == b[i])
		i++;
	return i;
}

static void check_returned(struct end *end, const uint8_t *frame, uint32_t len)
{
	const struct peer *p = end->peer;
	uint8_t want[FRAME_MAX];

	ck_assert_msg(end->got < end->sent, "port %u: a frame that was never sent",
		      end->number);
	ck_assert_msg(len == size_of(p, end->got),
		      "port %u: frame %u came back with %u bytes instead of %u",
		      end->number, end->got, len, size_of(p, end->got));
	make_frame(end, end->got, p->swap, want);
	ck_assert_msg(memcmp(frame, want, len) == 0,
		      "port %u: frame %u of %u bytes is another one from byte %u on",
		      end->number, end->got, len, first_difference(frame, want, len));
}

static void check_made(const struct end *end, const uint8_t *frame, uint32_t len)
{
	ck_assert_msg(len == end->peer->sizes[0], "port %u: a frame of %u bytes",
		      end->number, len);
	ck_assert_msg(frame[12] == 8 && frame[13] == 0 && frame[14] == 0x45,
		      "port %u: no IPv4 at frame %u", end->number, end->got);
	ck_assert_uint_eq((uint32_t)frame[16] << 8 | frame[17], len - 14);
	ck_assert_uint_eq(sum16(frame + 14, 20), 0xffff);
	ck_assert_uint_eq((uint32_t)frame[38] << 8 | frame[39], len - 34);
}

static void check_frame(struct end *end, const struct vtc_packet *packet)
{
	uint8_t frame[FRAME_MAX];
	uint32_t len;

	if (end->peer->expect == ANYTHING)
		return;
	len = gather(packet, frame);
	ck_assert_msg(end->peer->expect != NOTHING, "port %u: a frame of %u bytes",
		      end->number, len);
	if (end->peer->expect == RETURN)
		check_returned(end, frame, len);
	else
		check_made(end, frame, len);
}

static unsigned int take(void *data, unsigned int queue, const struct vtc_packet *packets,
			 unsigned int count)
{
	struct end *end = data;

	(void)queue;
	for (unsigned int i = 0; i < count; i++) {
		check_frame(end, &packets[i]);
		end->got++;
	}
	return count;
}

/* In one to three pieces. */
static uint32_t cut(struct vtc_segment segments[3], uint8_t *frame, uint32_t size,
		    uint32_t seq)
{
	uint32_t count = 1 + seq % 3, at = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t len = i + 1 == count ? size - at : size / count;

		segments[i] = (struct vtc_segment){ frame + at, len };
		at += len;
	}
	return count;
}

/* ---- Ports ---- */

struct peer *peer_new(void)
{
	struct peer *p;

	if (!testpmd_installed())
		vtct_skip("there is no dpdk-testpmd (Debian: dpdk-dev)");
	p = vtct_alloc(sizeof(*p));
	*p = (struct peer){ .expect = NOTHING };
	ck_assert_errno(vtc_ctx_new(NULL, &p->ctx), 0);
	ck_assert_errno(vtc_relay_new(p->ctx, NULL, &p->relay), 0);
	return p;
}

void peer_free(struct peer *p)
{
	for (unsigned int i = 0; i < p->count; i++) {
		vtc_port_close(p->ends[i].port);
		vtc_port_close(p->ends[i].callback);
	}
	vtc_relay_free(p->relay);
	vtc_ctx_unref(p->ctx);
	free(p);
}

unsigned int peer_open(struct peer *p, const struct vtc_vhost_user_opts *opts)
{
	struct vtc_callback_opts callback = VTC_CALLBACK_OPTS_INIT;
	struct end *end = &p->ends[p->count];

	ck_assert_uint_lt(p->count, PEER_PORTS_MAX);
	*end = (struct end){ .peer = p, .number = p->count };
	callback.packets = take;
	callback.data = end;
	ck_assert_errno(vtc_port_open_vhost_user(p->ctx, opts, &end->port), 0);
	ck_assert_errno(vtc_port_new_callback(p->ctx, &callback, &end->callback), 0);
	ck_assert_errno(vtc_relay_join(p->relay, end->port, end->callback), 0);
	return p->count++;
}

struct vtc_port_info peer_info(const struct peer *p, unsigned int port)
{
	struct vtc_port_info info = { .sz = sizeof(info) };

	ck_assert_errno(vtc_port_get_info(p->ends[port].port, &info), 0);
	return info;
}

void peer_check_feature(const struct peer *p, unsigned int port, unsigned int bit,
			bool want)
{
	struct vtc_port_info info = peer_info(p, port);
	bool is = info.features[bit / 64] >> bit % 64 & 1;

	ck_assert_msg(is == want, "port %u: feature %u is %d", port, bit, is);
}

void peer_socket(char path[64], unsigned int port)
{
	snprintf(path, 64, "%s/%u", vtct_dir(), port);
}

/* A busy relay does not keep the caller for ever. */
void peer_serve(void *data)
{
	struct peer *p = data;
	struct pollfd fd = { .fd = vtc_relay_get_fd(p->relay), .events = POLLIN };
	int moved = vtc_relay_process(p->relay, 0);

	ck_assert_msg(moved >= 0, "process: %s", strerror(-moved));
	if (moved == 0)
		poll(&fd, 1, 1);
}

/* ---- Waiting ---- */

static time_t now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static unsigned int count_ready(const struct peer *p)
{
	unsigned int ready = 0;

	for (unsigned int i = 0; i < p->count; i++)
		ready += peer_info(p, i).ready > 0;
	return ready;
}

static unsigned int count_connected(const struct peer *p)
{
	unsigned int connected = 0;

	for (unsigned int i = 0; i < p->count; i++)
		connected += peer_info(p, i).connected;
	return connected;
}

static const char *any_error(const struct peer *p)
{
	for (unsigned int i = 0; i < p->count; i++)
		if (peer_info(p, i).error)
			return peer_info(p, i).error;
	return "no error";
}

void peer_wait_ready(struct peer *p, unsigned int count)
{
	time_t until = now_s() + PATIENCE_S;

	while (count_ready(p) < count) {
		ck_assert_msg(now_s() < until, "%u ports are ready; %s", count_ready(p),
			      any_error(p));
		peer_serve(p);
	}
}

void peer_wait_gone(struct peer *p)
{
	time_t until = now_s() + PATIENCE_S;

	while (count_connected(p)) {
		ck_assert_msg(now_s() < until, "%u ports are connected",
			      count_connected(p));
		peer_serve(p);
	}
}

/* ---- Traffic ---- */

/* Less than a burst if there is no room. */
static void send_some(struct end *end)
{
	static uint8_t frames[BURST][FRAME_MAX];
	struct vtc_segment segments[BURST][3];
	struct vtc_packet packets[BURST];
	const struct peer *p = end->peer;
	uint32_t seq = end->sent, n = 0;
	int sent;

	for (; n < BURST && seq < p->frames && seq - end->got < IN_FLIGHT; n++, seq++) {
		uint32_t size = size_of(p, seq);

		make_frame(end, seq, PEER_SAME, frames[n]);
		packets[n] = (struct vtc_packet){
			.segments = segments[n],
			.count = cut(segments[n], frames[n], size, seq),
			.len = size,
		};
	}
	if (!n)
		return;
	sent = vtc_port_send(end->port, 0, packets, n);
	ck_assert_msg(sent >= 0, "send: %s", strerror(-sent));
	end->sent += (uint32_t)sent;
}

static void expect(struct peer *p, enum expect what, const uint32_t *sizes,
		   unsigned int size_count, unsigned int frames)
{
	p->expect = what;
	p->sizes = sizes;
	p->size_count = size_count;
	p->frames = frames;
	for (unsigned int i = 0; i < p->count; i++)
		p->ends[i].sent = p->ends[i].got = 0;
}

static uint64_t got_all(const struct peer *p, bool *ret_done)
{
	uint64_t sum = 0;

	*ret_done = true;
	for (unsigned int i = 0; i < p->count; i++) {
		sum += p->ends[i].got;
		*ret_done &= p->ends[i].got >= p->frames;
	}
	return sum;
}

static void print_ends(const struct peer *p)
{
	for (unsigned int i = 0; i < p->count; i++) {
		struct vtc_port_stats s = { .sz = sizeof(s) };
		const struct end *end = &p->ends[i];

		vtc_port_get_stats(end->port, 0, &s);
		fprintf(stderr,
			"# port %u: sent %u, got %u of %u; rx %ju tx %ju bad %ju room %ju "
			"size %ju error %ju down %ju\n",
			i, end->sent, end->got, p->frames, (uintmax_t)s.rx_packets,
			(uintmax_t)s.tx_packets, (uintmax_t)s.rx_dropped_bad,
			(uintmax_t)s.tx_dropped_room, (uintmax_t)s.tx_dropped_size,
			(uintmax_t)s.tx_dropped_error, (uintmax_t)s.tx_dropped_down);
	}
}

static void run(struct peer *p)
{
	time_t until = now_s() + PATIENCE_S;
	uint64_t before = 0, got;
	bool done = false;

	while (!done) {
		for (unsigned int i = 0; p->expect == RETURN && i < p->count; i++)
			send_some(&p->ends[i]);
		peer_serve(p);
		got = got_all(p, &done);
		if (got > before)
			until = now_s() + PATIENCE_S;
		before = got;
		if (!done && now_s() > until) {
			print_ends(p);
			ck_abort_msg("nothing comes any more; %s", any_error(p));
		}
	}
}

void peer_order(struct testpmd *t, const char *line)
{
	ck_assert_msg(testpmd_do(t, "%s", line) != NULL, "%s: %s", line,
		      testpmd_output(t));
}

void peer_exchange(struct peer *p, struct testpmd *t, enum peer_swap swap,
		   const uint32_t *sizes, unsigned int size_count, unsigned int frames)
{
	static const char *const orders[] = { "set fwd io", "set fwd macswap",
					      "set fwd 5tswap" };

	peer_order(t, orders[swap]);
	peer_order(t, "start");
	p->swap = swap;
	expect(p, RETURN, sizes, size_count, frames);
	run(p);
	for (unsigned int i = 0; i < p->count; i++)
		ck_assert_uint_eq(p->ends[i].got, frames);
	p->expect = NOTHING;
	peer_order(t, "stop");
}

void peer_receive(struct peer *p, struct testpmd *t, const char *pieces, uint32_t size,
		  unsigned int frames)
{
	char line[64];

	peer_order(t, "set fwd txonly");
	snprintf(line, sizeof(line), "set txpkts %s", pieces);
	peer_order(t, line);
	expect(p, MADE, &size, 1, frames);
	peer_order(t, "start");
	run(p);
	p->expect = ANYTHING;
	peer_order(t, "stop");
}

void peer_ignore(struct peer *p)
{
	p->expect = ANYTHING;
}
