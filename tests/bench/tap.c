/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Taps: the port of the library, in a relay with a guest's rings, beside loops of write()
 * and read() that have no rings at all, and beside a relay that makes one system call for
 * each packet. Windows of both sides take turns.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <vtc/relay.h>

#include "bench.h"
#include "endpoint/uring.h"
#include "tap-bed.h"
#include "tap-guest.h"
#include "tap-peer.h"

#define ROUNDS	  25
#define WINDOW_NS 40000000u
#define BURSTS	  GUEST_RING
#define BATCH	  64

#define BATCH_NOTE \
	"64 packets in one call, no rings, no relay: what batches alone gain here"
#define RINGS_NOTE  "ours comes from a guest's ring, the peer's from memory"
#define RELAY_NOTE  "256 packets each way at a time, split rings, event index"
#define ONE_NOTE    "a frame comes, is given to the guest, and its answer goes out"
#define MERGED_NOTE "65226 bytes of TCP, to buffers of 1536 bytes"
#define LARGE_NOTE  "65226 bytes of TCP, to be cut into 45 segments"

enum side { OWN, PEER, SIDES };
static const char *const names[SIDES] = { "own", "peer" };

/* One side's tap, guest, and what joins them. */
struct bed {
	struct guest *guest;
	struct vtc_relay *relay; /* of ours */
	struct vtc_port *port;
	struct vtc__uring *uring; /* ours, alone */
	struct peer_relay *peer;
	int tap; /* the peer's, or that of the ring alone */
	int host;
};

struct test {
	const char *name, *peer, *note;
	size_t len;
	uint32_t room;
	double target;
	/* The packets of one round; only what is between start() and stop() counts. */
	unsigned int (*round[SIDES])(struct bed *bed, const struct test *test);
};

static struct vtc_ctx *ctx;
static uint64_t timed, begun;

/* Time of this thread alone: what else the machine does is not counted. */
static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void start(void)
{
	begun = cpu_ns();
}

static void stop(void)
{
	timed += cpu_ns() - begun;
}

/* ---- Beds ---- */

static void make_own(struct bed *bed, const struct test *test)
{
	struct vtc_relay_opts relay = VTC_RELAY_OPTS_INIT;
	struct vtc_tap_opts tap = VTC_TAP_OPTS_INIT;

	relay.spin_ns = 1; /* who looks for more packets does not sleep: no work */
	tap.name = names[OWN];
	bed->guest = guest_new(ctx, test->room, (uint32_t)test->len);
	if (vtc_relay_new(ctx, &relay, &bed->relay) ||
	    vtc_port_open_tap(ctx, &tap, &bed->port) ||
	    vtc_relay_join(bed->relay, bed->port, &bed->guest->port))
		bench_die("no relay");
	bed->host = bed_host(names[OWN]);
	vtc_relay_process(bed->relay, 0);
}

static void make_peer(struct bed *bed, const struct test *test)
{
	bed->guest = guest_new(ctx, test->room, (uint32_t)test->len);
	bed->tap = bed_tap(names[PEER], bed->guest->port.accepts[0]);
	bed->peer = peer_relay_new(bed->tap, bed->guest);
	bed->host = bed_host(names[PEER]);
}

static bool make_bare(struct bed *bed, const struct test *test)
{
	bed->guest = guest_new(ctx, test->room, (uint32_t)test->len);
	bed->tap = bed_tap(names[OWN], false);
	bed->host = bed_host(names[OWN]);
	return vtc__uring_new(&bed->tap, 1, &bed->uring) == 0;
}

static void free_bed(struct bed *bed)
{
	vtc__uring_free(bed->uring);
	vtc_port_close(bed->port);
	if (bed->peer)
		peer_relay_free(bed->peer);
	if (bed->tap)
		close(bed->tap);
	close(bed->host);
	guest_free(bed->guest);
	vtc_relay_free(bed->relay);
}

/* ---- Rounds ---- */

static unsigned int run_own(struct bed *bed)
{
	unsigned int packets = 0;
	int n;

	start();
	while ((n = vtc_relay_process(bed->relay, 0)) > 0)
		packets += (unsigned int)n;
	stop();
	return packets;
}

static unsigned int send_own(struct bed *bed, const struct test *test)
{
	(void)test;
	guest_turn(bed->guest, BURSTS);
	return run_own(bed);
}

/* What there is to gain: packets in batches, and nothing else. */
static unsigned int batch_own(struct bed *bed, const struct test *test)
{
	struct iovec iov[BATCH];
	struct vtc__io ios[BATCH];

	start();
	for (unsigned int i = 0; i < BURSTS; i += BATCH) {
		for (unsigned int k = 0; k < BATCH; k++) {
			uint8_t *packet = bed->guest->tx.buffers +
					  (size_t)(i + k) * bed->guest->tx.room;

			iov[k] = (struct iovec){ packet, BED_HDR + test->len };
			ios[k] = (struct vtc__io){ &iov[k], 1, 0 };
		}
		if (vtc__uring_run(bed->uring, VTC__IO_WRITE, 0, ios, BATCH))
			bench_die("io_uring refuses");
	}
	stop();
	return BURSTS;
}

static unsigned int send_peer(struct bed *bed, const struct test *test)
{
	start();
	peer_write(bed->tap, bed->guest, test->len, BURSTS);
	stop();
	return BURSTS;
}

static unsigned int fill_of(const struct test *test)
{
	return test->len > 1514 ? 5 : BED_FILL;
}

static unsigned int receive_own(struct bed *bed, const struct test *test)
{
	guest_turn(bed->guest, 0);
	bed_fill(bed->host, test->len, fill_of(test));
	return run_own(bed);
}

static unsigned int receive_peer(struct bed *bed, const struct test *test)
{
	unsigned int n;

	bed_fill(bed->host, test->len, fill_of(test));
	start();
	n = peer_read(bed->tap, bed->guest, test->len);
	stop();
	return n;
}

static unsigned int both_own(struct bed *bed, const struct test *test)
{
	guest_turn(bed->guest, BURSTS);
	bed_fill(bed->host, test->len, BED_FILL);
	return run_own(bed);
}

static unsigned int run_peer(struct bed *bed)
{
	unsigned int packets;

	start();
	packets = peer_relay_process(bed->peer);
	stop();
	return packets;
}

static unsigned int both_peer(struct bed *bed, const struct test *test)
{
	guest_turn(bed->guest, BURSTS);
	bed_fill(bed->host, test->len, BED_FILL);
	return run_peer(bed);
}

/* Sleeping is not measured, but all that leads to it, and from it. */
static unsigned int one_own(struct bed *bed, const struct test *test)
{
	struct pollfd p = { .fd = vtc_relay_get_fd(bed->relay), .events = POLLIN };
	unsigned int n = 0;

	bed_fill(bed->host, test->len, 1);
	start();
	if (poll(&p, 1, -1) == 1)
		while (vtc_relay_process(bed->relay, 0) > 0)
			;
	stop();
	guest_turn(bed->guest, 1);
	start();
	while (vtc_relay_process(bed->relay, 0) > 0)
		n++;
	stop();
	return n ? 1 : 0;
}

static unsigned int one_peer(struct bed *bed, const struct test *test)
{
	bed_fill(bed->host, test->len, 1);
	run_peer(bed);
	guest_turn(bed->guest, 1);
	run_peer(bed);
	return 1;
}

static const struct test tests[] = {
	{ "batch-64", "write()", BATCH_NOTE, 64, 2048, 0, { batch_own, send_peer } },
	{ "batch-1514", "write()", BATCH_NOTE, 1514, 2048, 0, { batch_own, send_peer } },
	{ "tx-64", "write()", RINGS_NOTE, 64, 2048, 1.45, { send_own, send_peer } },
	{ "tx-1514", "write()", RINGS_NOTE, 1514, 2048, 1.6, { send_own, send_peer } },
	{ "tx-64k",
	  "write()",
	  LARGE_NOTE,
	  BED_LARGE,
	  2048,
	  1.1,
	  { send_own, send_peer } },
	{ "rx-64", "read()", RINGS_NOTE, 64, 2048, 1.35, { receive_own, receive_peer } },
	{ "rx-1514",
	  "read()",
	  RINGS_NOTE,
	  1514,
	  2048,
	  1.2,
	  { receive_own, receive_peer } },
	{ "rx-64k",
	  "read()",
	  LARGE_NOTE,
	  BED_LARGE,
	  66000,
	  0,
	  { receive_own, receive_peer } },
	{ "rx-64k-merged",
	  "readv()",
	  MERGED_NOTE,
	  BED_LARGE,
	  1536,
	  0,
	  { receive_own, receive_peer } },
	{ "one-64",
	  "epoll, readv(), writev()",
	  ONE_NOTE,
	  64,
	  2048,
	  0.95,
	  { one_own, one_peer } },
	{ "relay-64",
	  "epoll, readv(), writev()",
	  RELAY_NOTE,
	  64,
	  2048,
	  1.3,
	  { both_own, both_peer } },
	{ "relay-1514",
	  "epoll, readv(), writev()",
	  RELAY_NOTE,
	  1514,
	  2048,
	  1.3,
	  { both_own, both_peer } },
};
#define TESTS (sizeof(tests) / sizeof(tests[0]))

/* ---- Windows ---- */

/* Time of a packet in ns. */
static double window(struct bed *bed, const struct test *test, enum side side)
{
	uint64_t until = bench_now_ns() + WINDOW_NS, packets = 0;

	timed = 0;
	do {
		packets += test->round[side](bed, test);
	} while (bench_now_ns() < until);
	if (!packets)
		bench_die("%s: no packet", test->name);
	return (double)timed / (double)packets;
}

static void print_absent(const struct test *test, const char *why)
{
	char name[64];

	snprintf(name, sizeof(name), "tap.%s", test->name);
	bench_print(&(struct bench_row){ .name = name, .unit = "ns", .note = why });
}

static void measure(const struct test *test)
{
	struct bench_samples samples[SIDES] = { 0 };
	struct bed beds[SIDES] = { 0 };
	char name[64];

	if (test->round[OWN] != batch_own)
		make_own(&beds[OWN], test);
	else if (!make_bare(&beds[OWN], test)) {
		free_bed(&beds[OWN]);
		print_absent(test, "not measured: there is no io_uring");
		return;
	}
	make_peer(&beds[PEER], test);
	for (int round = 0; round < 2 * ROUNDS; round++) {
		enum side side = round % SIDES;

		bench_add(&samples[side], window(&beds[side], test, side));
	}
	free_bed(&beds[OWN]);
	free_bed(&beds[PEER]);
	snprintf(name, sizeof(name), "tap.%s", test->name);
	bench_print(&(struct bench_row){
		.name = name,
		.unit = "ns",
		.own = &samples[OWN],
		.peer = test->peer,
		.theirs = &samples[PEER],
		.target = test->target,
		.note = test->note,
	});
}

int main(int argc, char **argv)
{
	const char *why = bed_enter();

	if (why) {
		for (size_t i = 0; i < TESTS; i++)
			print_absent(&tests[i], why);
		return 0;
	}
	if (vtc_ctx_new(NULL, &ctx))
		bench_die("no context");
	for (size_t i = 0; i < TESTS; i++)
		if (argc < 2 || strcmp(argv[1], tests[i].name) == 0)
			measure(&tests[i]);
	vtc_ctx_unref(ctx);
	return 0;
}
