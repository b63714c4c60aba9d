/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A frontend of the library that sends one packet and waits, polling, until it is back;
 * prints the median and the 99th percentile of the round trips, in ns. With one more
 * argument it keeps so many packets on their way instead, sleeps when none comes, and
 * prints how many came back and how many doorbells there were.
 */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vtc/vtc.h>

#include "bench.h"

#define BYTES	   64
#define BURST	   32u
#define WARM	   1000u
#define PINGS_MAX  1000000u
#define SECOND	   1000000000ull
#define PATIENCE_S 10

static uint32_t back;
static uint8_t bytes[BYTES] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8 };
static struct vtc_segment segment = { bytes, BYTES };
static struct vtc_packet packets[BURST];

static int check(int err, const char *what)
{
	if (err < 0)
		bench_die("%s: %s", what, strerror(-err));
	return err;
}

static unsigned int take(void *data, unsigned int queue, const struct vtc_packet *got,
			 unsigned int count)
{
	(void)data;
	(void)queue;
	(void)got;
	back += count;
	return count;
}

static struct vtc_port *open_port(struct vtc_ctx *ctx, struct vtc_relay *relay,
				  const char *path, bool packed)
{
	struct vtc_vhost_user_opts opts = VTC_VHOST_USER_OPTS_INIT;
	struct vtc_callback_opts callback = VTC_CALLBACK_OPTS_INIT;
	struct vtc_port *port, *taker;

	opts.role = VTC_VRING_DRIVER;
	opts.path = path;
	if (!packed)
		opts.features_off[0] = 1ull << VTC_VRING_F_PACKED;
	callback.packets = take;
	check(vtc_port_open_vhost_user(ctx, &opts, &port), path);
	check(vtc_port_new_callback(ctx, &callback, &taker), "callback");
	check(vtc_relay_join(relay, port, taker), "join");
	return port;
}

static bool serve(struct vtc_relay *relay, int timeout_ms)
{
	struct pollfd p = { .fd = vtc_relay_get_fd(relay), .events = POLLIN };

	if (check(vtc_relay_process(relay, 0), "process"))
		return true;
	if (timeout_ms)
		poll(&p, 1, timeout_ms);
	return false;
}

static void wait_ready(struct vtc_relay *relay, const struct vtc_port *port)
{
	uint64_t until = bench_now_ns() + PATIENCE_S * SECOND;
	struct vtc_port_info info = { .sz = sizeof(info) };

	while (!info.ready) {
		serve(relay, 10);
		check(vtc_port_get_info(port, &info), "info");
		if (bench_now_ns() > until)
			bench_die("no backend: %s", info.error ? info.error : "silence");
	}
}

static double ping(struct vtc_relay *relay, struct vtc_port *port)
{
	uint64_t start = bench_now_ns(), now = start;
	uint32_t want = back + 1;

	while (check(vtc_port_send(port, 0, packets, 1), "send") == 0)
		serve(relay, 0);
	while (back != want) {
		serve(relay, 0);
		now = bench_now_ns();
		if (now - start > PATIENCE_S * SECOND)
			bench_die("a packet did not come back");
	}
	return (double)(now - start);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void pings(struct vtc_relay *relay, struct vtc_port *port, uint32_t count)
{
	double *ns = calloc(count, sizeof(*ns));
	uint32_t i;

	if (!ns)
		bench_die("memory is out");
	for (i = 0; i < WARM; i++)
		ping(relay, port);
	for (i = 0; i < count; i++)
		ns[i] = ping(relay, port);
	qsort(ns, count, sizeof(*ns), compare);
	printf("median: %.0f\n99th: %.0f\n", ns[count / 2], ns[count * 99ull / 100]);
	free(ns);
}

/* Who sleeps wants doorbells, and who sends rings them. */
static void load(struct vtc_relay *relay, struct vtc_port *port, uint32_t count,
		 uint32_t in_flight)
{
	uint64_t until = bench_now_ns() + PATIENCE_S * SECOND;
	struct vtc_port_stats s = { .sz = sizeof(s) };
	uint32_t sent = 0;

	while (back < count && bench_now_ns() < until) {
		if (in_flight - (sent - back) >= BURST)
			sent += (uint32_t)check(vtc_port_send(port, 0, packets, BURST),
						"send");
		serve(relay, 1);
	}
	check(vtc_port_get_stats(port, 0, &s), "stats");
	printf("packets: %u\nsent: %ju\nreceived: %ju\n", back,
	       (uintmax_t)s.notifications_sent, (uintmax_t)s.notifications_received);
}

int main(int argc, char **argv)
{
	uint32_t count = argc > 3 ? (uint32_t)atoi(argv[3]) : 0;
	struct vtc_relay *relay;
	struct vtc_port *port;
	struct vtc_ctx *ctx;

	if (!count || count > PINGS_MAX || argc > 5)
		bench_die("usage: vhost-ping split | packed SOCKET COUNT [IN-FLIGHT]");
	for (unsigned int i = 0; i < BURST; i++)
		packets[i] = (struct vtc_packet){ .segments = &segment,
						  .count = 1,
						  .len = BYTES };
	check(vtc_ctx_new(NULL, &ctx), "context");
	check(vtc_relay_new(ctx, NULL, &relay), "relay");
	port = open_port(ctx, relay, argv[2], strcmp(argv[1], "packed") == 0);
	wait_ready(relay, port);
	if (argc > 4)
		load(relay, port, count, (uint32_t)atoi(argv[4]));
	else
		pings(relay, port, count);
	return 0;
}
