/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stations: see station.h. */
#include "station.h"

#include <poll.h>
#include <string.h>

#include "vring/frame.h"
#include "vtct.h"

#define ETHERTYPE 0x88b5
#define NUMBER_AT 14u
#define PATIENCE  60000 /* ms */
#define AGAIN	  1	/* ms: nobody tells when there is room to send */
#define AGAIN_MAX (PATIENCE / AGAIN)
#define BURST	  16u
#define LEN_MAX	  70000u

/* ---- Packets ---- */

static uint32_t sum_of(const uint8_t *bytes, size_t len)
{
	uint32_t a = 1, b = 0;

	for (size_t i = 0; i < len; i++) {
		a += bytes[i];
		b += a;
	}
	return b ^ a << 16;
}

/* Number, then the sum of all bytes with itself at 0. */
static void stamp(uint8_t *bytes, size_t len, size_t at, uint32_t number)
{
	frame_put32(bytes + at, number);
	frame_put32(bytes + at + 4, 0);
	frame_put32(bytes + at + 4, sum_of(bytes, len));
}

static bool check_stamp(uint8_t *bytes, size_t len, size_t at, uint32_t *ret_number)
{
	uint32_t sum;

	if (len < at + 8)
		return false;
	*ret_number = frame_get32(bytes + at);
	sum = frame_get32(bytes + at + 4);
	frame_put32(bytes + at + 4, 0);
	return sum == sum_of(bytes, len);
}

static size_t make_small(const struct station *s, uint32_t number, uint8_t *bytes)
{
	size_t len = 60 + frame_random(s->max_len - 60 + 1);

	memset(bytes, (int)number, len);
	bytes[0] = 2;
	frame_put16(bytes + 12, ETHERTYPE);
	stamp(bytes, len, NUMBER_AT, number);
	return len;
}

static size_t make_large(uint32_t number, uint8_t *bytes, struct vtc_nethdr *header)
{
	struct frame_plan plan = { .version = number % 2 ? 4 : 6,
				   .flags = 0x10,
				   .payload = 8 + frame_random(64000),
				   .gso_size = 1400 };
	struct frame f = frame_make(&plan);
	size_t len = f.len;

	memcpy(bytes, f.bytes, len);
	*header = f.header;
	stamp(bytes, len, f.head, number);
	frame_free(&f);
	return len;
}

/* Where the number is. */
static size_t number_at(const struct vtc_packet *p, const uint8_t *bytes)
{
	if (frame_get16(bytes + 12) == ETHERTYPE)
		return NUMBER_AT;
	return p->header.gso_type == VTC_NETHDR_GSO_TCPV4 ? 54 : 74;
}

struct vtc_port_info station_info(const struct station *s)
{
	struct vtc_port_info info = { .sz = sizeof(info) };

	ck_assert_errno(vtc_port_get_info(s->port, &info), 0);
	return info;
}

/* ---- Receiving ---- */

static void check(struct station *s, unsigned int queue, const struct vtc_packet *p)
{
	static uint8_t bytes[LEN_MAX];
	uint32_t number = 0;
	size_t len;

	if (p->len < 60 || p->len > LEN_MAX) {
		s->wrong = "the length of a packet";
		return;
	}
	len = frame_join(p->segments, p->count, bytes, LEN_MAX);
	if (len != p->len || !check_stamp(bytes, len, number_at(p, bytes), &number))
		s->wrong = "the contents of a packet";
	else if (number < s->got[queue] && s->repeats)
		s->repeated++;
	else if (number != s->got[queue])
		s->wrong = number < s->got[queue] ? "a packet came twice"
						  : "a packet was lost";
	else
		s->got[queue]++;
}

static unsigned int receive(void *data, unsigned int queue,
			    const struct vtc_packet *packets, unsigned int count)
{
	struct station *s = data;

	for (unsigned int i = 0; i < count && !s->wrong; i++)
		check(s, queue, &packets[i]);
	if (s->on_got)
		s->on_got(s, queue);
	return count;
}

/* ---- Sending ---- */

static bool send_one(struct station *s, unsigned int queue)
{
	static uint8_t bytes[LEN_MAX];
	struct vtc_segment segments[2];
	struct vtc_packet p = { .segments = segments };
	uint32_t number = s->sent[queue];
	size_t len, cut;

	if (s->large && number % s->large == s->large - 1)
		len = make_large(number, bytes, &p.header);
	else
		len = make_small(s, number, bytes);
	cut = frame_random(3) ? len : 1 + frame_random((unsigned int)len - 1);
	segments[0] = (struct vtc_segment){ bytes, cut };
	segments[1] = (struct vtc_segment){ bytes + cut, len - cut };
	p.count = cut < len ? 2 : 1;
	p.len = (uint32_t)len;
	s->refused = vtc_port_send(s->port, queue, &p, 1) != 1;
	if (!s->refused)
		s->sent[queue]++;
	return !s->refused;
}

static void send_some(struct station *s)
{
	bool refused = false;

	/* A queue that is not ready yet would be taken for another one. */
	if (station_info(s).ready < s->queues)
		return;
	for (unsigned int q = 0; q < s->queues; q++) {
		for (unsigned int i = 0; i < BURST && s->sent[q] < s->total; i++) {
			if (send_one(s, q))
				continue;
			refused = true;
			break;
		}
	}
	s->refused = refused;
}

/* ---- Life ---- */

void station_come(struct station *s, const struct vtc_vhost_user_opts *opts)
{
	ck_assert_errno(vtc_port_open_vhost_user(s->ctx, opts, &s->port), 0);
	ck_assert_errno(
		vtc_relay_join(s->relay, s->port, s->echo ? s->port : s->callback), 0);
}

void station_open(struct station *s, const struct vtc_vhost_user_opts *opts)
{
	/* Nothing is dropped because somebody is slow. */
	struct vtc_relay_opts r = { .sz = sizeof(r), .stall_ms = PATIENCE };
	struct vtc_callback_opts c = { .sz = sizeof(c),
				       .flags = VTC_CALLBACK_F_OFFLOAD,
				       .packets = receive,
				       .data = s };

	s->queues = opts->queue_pairs ? opts->queue_pairs : 1;
	if (!s->max_len)
		s->max_len = 1514;
	ck_assert_errno(vtc_ctx_new(NULL, &s->ctx), 0);
	ck_assert_errno(vtc_relay_new(s->ctx, &r, &s->relay), 0);
	ck_assert_errno(vtc_port_new_callback(s->ctx, &c, &s->callback), 0);
	station_come(s, opts);
}

void station_go(struct station *s)
{
	vtc_port_close(s->port);
	s->port = NULL;
}

void station_close(struct station *s)
{
	vtc_port_close(s->port);
	vtc_port_close(s->callback);
	vtc_relay_free(s->relay);
	vtc_ctx_unref(s->ctx);
}

/* ---- Turns ---- */

unsigned int station_turn(struct station *s)
{
	unsigned int before = s->sent[0];
	int n = vtc_relay_process(s->relay, 0);

	ck_assert_int_ge(n, 0);
	if (s->port)
		send_some(s);
	return (unsigned int)n + (s->sent[0] - before);
}

bool station_sleep(struct station *const *all, unsigned int count)
{
	struct pollfd p[8];
	int wait = PATIENCE;

	for (unsigned int i = 0; i < count; i++) {
		p[i] = (struct pollfd){ vtc_relay_get_fd(all[i]->relay), POLLIN, 0 };
		if (all[i]->refused)
			wait = AGAIN;
	}
	return poll(p, count, wait) > 0 || wait == AGAIN;
}

const char *station_run(struct station *const *all, unsigned int count,
			bool (*done)(struct station *const *all))
{
	unsigned int moved, idle = 0;

	while (!done(all)) {
		moved = 0;
		for (unsigned int i = 0; i < count; i++) {
			moved += station_turn(all[i]);
			if (all[i]->wrong)
				return all[i]->wrong;
		}
		idle = moved ? 0 : idle + 1;
		if (idle > AGAIN_MAX ||
		    (!moved && !done(all) && !station_sleep(all, count)))
			return "nothing happens any more";
	}
	return NULL;
}
