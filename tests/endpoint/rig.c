/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A relay under test: see rig.h. */
#include "rig.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "vring/nethdr.h"
#include "vtct.h"

#define WAIT_MS 10000

static uint64_t now(void *data)
{
	struct rig *rig = data;

	/* It goes on by itself, too, or nobody who looks for a moment would ever stop. */
	return rig->now_ns += 100;
}

struct rig *rig_new(const struct vtc_relay_opts *opts)
{
	struct vtc_ctx_opts o = VTC_CTX_OPTS_INIT;
	struct rig *rig = vtct_alloc(sizeof(*rig));

	*rig = (struct rig){ .now_ns = 1000000000 };
	o.clock = now;
	o.clock_data = rig;
	ck_assert_errno(vtc_ctx_new(&o, &rig->ctx), 0);
	ck_assert_errno(vtc_relay_new(rig->ctx, opts, &rig->relay), 0);
	return rig;
}

void rig_free(struct rig *rig)
{
	vtc_relay_free(rig->relay);
	vtc_ctx_unref(rig->ctx);
	free(rig);
}

unsigned int rig_run(struct rig *rig)
{
	unsigned int packets = 0;

	for (int i = 0; i < 100000; i++) {
		int n = vtc_relay_process(rig->relay, 0);

		ck_assert_int_ge(n, 0);
		if (!n)
			return packets;
		packets += (unsigned int)n;
	}
	ck_abort_msg("the relay never gets to an end");
	return 0;
}

bool rig_is_ready(const struct rig *rig, bool wait)
{
	struct pollfd p = { .fd = vtc_relay_get_fd(rig->relay), .events = POLLIN };
	int n = poll(&p, 1, wait ? WAIT_MS : 0);

	ck_assert_int_ge(n, 0);
	return n;
}

void rig_fill(uint8_t *packet, size_t len, unsigned int number)
{
	for (size_t i = 0; i < len; i++)
		packet[i] = (uint8_t)(number * 31 + i + (i >> 8) * 7);
	memcpy(packet, &number, sizeof(number));
}

void rig_send(struct ringport *rp, unsigned int queue, size_t len, unsigned int number,
	      unsigned int pieces)
{
	static const uint8_t header[12];
	static uint8_t packet[RIG_PACKET_MAX];

	rig_fill(packet, len, number);
	ck_assert(ringport_send(rp, queue, header, packet, len, pieces));
	ringport_kick(rp, queue);
}

void rig_expect(struct ringport *rp, unsigned int queue, size_t len, unsigned int number)
{
	static const uint8_t want_header[10];
	static uint8_t want[RIG_PACKET_MAX], got[RIG_PACKET_MAX];
	uint8_t header[12];
	long n = ringport_receive(rp, queue, header, got, sizeof(got));

	ck_assert_msg(n == (long)len, "packet %u has %ld bytes, not %zu", number, n, len);
	rig_fill(want, len, number);
	ck_assert_mem_eq(header, want_header, 10);
	ck_assert_mem_eq(got, want, len);
}

void rig_expect_none(struct ringport *rp, unsigned int queue)
{
	static uint8_t got[RIG_PACKET_MAX];
	uint8_t header[12];

	ck_assert_int_eq(ringport_receive(rp, queue, header, got, sizeof(got)), -1);
}

struct vtc_port_stats rig_stats(struct vtc_port *port, unsigned int queue)
{
	struct vtc_port_stats s = { .sz = sizeof(s) };

	ck_assert_errno(vtc_port_get_stats(port, queue, &s), 0);
	return s;
}

struct vtc_relay_stats rig_relay_stats(struct rig *rig)
{
	struct vtc_relay_stats s = { .sz = sizeof(s) };

	ck_assert_errno(vtc_relay_get_stats(rig->relay, &s), 0);
	return s;
}

void rig_header(const struct vtc_nethdr *header, uint8_t raw[12])
{
	vtc__nethdr_encode(header, 0, raw);
}
