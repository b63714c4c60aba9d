/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools by the guard program: frames to a guest's ring past the bridge, beside the bridge
 * with a tap, and beside loops of AF_XDP alone; what the guard costs those whom it does
 * not concern; and what a filter costs. Everything is on veth, so AF_XDP copies.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <vtc/agency.h>
#include <vtc/relay.h>

#include "bench.h"
#include "tap-guest.h"
#include "vmdq-bare.h"
#include "vmdq-net.h"

#define ROUNDS	   15
#define WARM_NS	   20000000u
#define WINDOW_NS  100000000u
#define PASSED	   262144u /* frames of one window through a bridge */
#define PASSED_SKB 65536u
#define FILTERS	   4096
#define TX_WINDOWS 200 /* rings full of packets to send, in one window */
#define SORTED	   1048576u
#define RAN_SHARE  0.95 /* of a window that counts, for both threads */
#define TRIES	   10

#define RX_NOTE \
	"XDP frames on one processor, taken on the other; ours with the guest's own work"
#define TX_NOTE \
	"ours are copied from a guest's ring, the peer's lie in place; dropped by XDP"
#define PLACE_NOTE "what is sent lies in the guest's memory; dropped by XDP"
#define PASS_NOTE  "through a bridge, by one processor; the peer has no guard"
#define SORT_NOTE  "from the wire to a socket that is full, less what it takes to drop it"

/* A pool with a port, a guest, and what joins them. */
struct pool {
	struct vtc_pool *pool;
	struct vtc_port *port;
	struct vtc_relay *relay;
	struct guest *guest;
};

static struct vtc_ctx *ctx;
static char state_dir[] = "/dev/shm/vtc-bench-XXXXXX";

static void check(int err, const char *what)
{
	char text[1024];

	if (err >= 0)
		return;
	vtc_error_format(vtc_ctx_last_error(ctx), text, sizeof(text));
	bench_die("%s: %s (%s)", what, strerror(-err), text);
}

/* Time of this thread alone: what else the machine does is not counted. */
static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* ---- Pools ---- */

static void add_filter(struct vtc_pool *pool, unsigned int number)
{
	struct vtc_filter filter = { .match = VTC_FILTER_MAC };
	uint8_t frame[NET_SMALL];

	net_frame(frame, sizeof(frame), number);
	memcpy(&filter.mac, frame, 6);
	check(vtc_pool_add_filter(pool, &filter), "filter");
}

static struct vtc_pool *request(const struct net_wire *wire, uint32_t flags)
{
	struct vtc_pool_opts opts = VTC_POOL_OPTS_INIT;
	struct vtc_pool *pool;

	opts.name = "vm";
	opts.backend = VTC_POOL_BACKEND_XDP;
	opts.flags = flags;
	check(vtc_pool_request(ctx, wire->out, &opts, &pool), "pool");
	return pool;
}

static void open_pool(struct pool *p, const struct net_wire *wire, uint32_t len,
		      bool in_place)
{
	struct vtc_pool_port_opts port = VTC_POOL_PORT_OPTS_INIT;
	struct vtc_relay_opts opts = VTC_RELAY_OPTS_INIT;

	port.flags = in_place ? VTC_POOL_PORT_F_TX_IN_PLACE : 0;
	opts.spin_ns = 1; /* who looks for more packets does not sleep: no work */
	p->pool = request(wire, 0);
	add_filter(p->pool, 1);
	p->guest =
		in_place ? guest_new_shared(ctx, 2048, len) : guest_new(ctx, 2048, len);
	check(vtc_pool_open_port(p->pool, &port, &p->port), "port");
	check(vtc_relay_new(ctx, &opts, &p->relay), "relay");
	check(vtc_relay_join(p->relay, p->port, &p->guest->port), "join");
	guest_turn(p->guest, 0);
	vtc_relay_process(p->relay, 0);
}

static void close_pool(struct pool *p)
{
	vtc_port_close(p->port);
	guest_free(p->guest);
	vtc_relay_free(p->relay);
	check(vtc_pool_release(p->pool), "release");
}

/* ---- Receiving: the sender on processor 0, the receiver here on processor 1 ---- */

static unsigned int take_own(void *arg)
{
	struct pool *p = arg;
	uint32_t before = p->guest->rx.next;

	/* A guest gives new buffers before it has used up the others. */
	vtc_relay_process(p->relay, GUEST_RING / 4);
	guest_turn(p->guest, 0);
	return p->guest->rx.next - before;
}

static unsigned int take_tap(void *arg)
{
	uint8_t frame[NET_LARGE + 4];

	return read(*(int *)arg, frame, sizeof(frame)) > 0;
}

static unsigned int take_bare(void *arg)
{
	return bare_take(arg, false);
}

static unsigned int take_copy(void *arg)
{
	return bare_take(arg, true);
}

struct taker {
	struct net_wire wire;
	unsigned int (*take)(void *arg);
	void *arg;
};

static uint64_t take_for(struct taker *t, uint64_t ns)
{
	uint64_t until = bench_now_ns() + ns, packets = 0;

	do {
		for (int i = 0; i < 32; i++)
			packets += t->take(t->arg);
	} while (bench_now_ns() < until);
	return packets;
}

/* One window: time of a packet in ns; whether both threads ran all the time. */
static bool receive_once(struct taker *t, size_t len, double *ret_ns)
{
	uint64_t begun, ran, flooded, packets;
	double ns;

	net_flood_begin(&t->wire, len);
	take_for(t, WARM_NS);
	ran = cpu_ns();
	flooded = net_flood_ns();
	begun = bench_now_ns();
	packets = take_for(t, WINDOW_NS);
	ns = (double)(bench_now_ns() - begun);
	ran = cpu_ns() - ran;
	flooded = net_flood_ns() - flooded;
	net_flood_end();
	take_for(t, WARM_NS / 4);
	if (packets)
		*ret_ns = ns / (double)packets;
	return packets && (double)ran > RAN_SHARE * ns &&
	       (double)flooded > RAN_SHARE * ns;
}

/* On a machine that is busy all the time the last window is as good as any. */
static double receive(struct taker *t, size_t len)
{
	double ns = 0;

	for (int i = 0; i < TRIES; i++)
		if (receive_once(t, len, &ns))
			return ns;
	if (ns <= 0)
		bench_die("nothing came out of %s", t->wire.out);
	return ns;
}

static void print(const char *what, size_t len, const struct bench_samples *own,
		  const char *peer, const struct bench_samples *theirs, double target,
		  const char *note)
{
	char name[64];

	snprintf(name, sizeof(name), "vmdq.%s-%zu", what, len);
	bench_print(&(struct bench_row){ .name = name,
					 .unit = "ns",
					 .own = own,
					 .peer = peer,
					 .theirs = theirs,
					 .target = target,
					 .note = note });
}

static void print_count(const char *what, size_t len, double count, const char *note)
{
	struct bench_samples sample = { .count = 0 };
	char name[64];

	bench_add(&sample, count);
	snprintf(name, sizeof(name), "vmdq.%s-%zu", what, len);
	bench_print(&(struct bench_row){
		.name = name, .unit = "", .own = &sample, .note = note });
}

/* What was done for packets, in all windows together. */
struct work {
	uint64_t packets, copies, sys_calls, doorbells;
};

static struct work work_of(const struct pool *p, bool received)
{
	struct vtc_port_stats s = { .sz = sizeof(s) }, g = { .sz = sizeof(g) };

	check(vtc_port_get_stats(p->port, 0, &s), "statistics");
	check(vtc_port_get_stats(&p->guest->port, 0, &g), "statistics");
	return (struct work){ .packets = received ? s.rx_packets : s.tx_packets,
			      .copies = s.copies + g.copies,
			      .sys_calls = s.sys_calls + g.sys_calls,
			      .doorbells = p->guest->doorbells };
}

static void print_work(const char *way, size_t len, const struct work *from,
		       const struct work *to)
{
	double packets = (double)(to->packets - from->packets);
	char what[32];

	snprintf(what, sizeof(what), "%s-copies", way);
	print_count(what, len, (double)(to->copies - from->copies) / packets,
		    "copies by the library, of a packet");
	snprintf(what, sizeof(what), "%s-syscalls", way);
	print_count(what, len, (double)(to->sys_calls - from->sys_calls) / packets,
		    "system calls, for a packet");
	snprintf(what, sizeof(what), "%s-doorbells", way);
	print_count(what, len, (double)(to->doorbells - from->doorbells) / packets,
		    "notifications to the guest, for a packet");
}

static struct taker own, bridge, bare;
static struct net_wire placed; /* with a queue more to send by */

static void make_takers(struct pool *pool, int *tap)
{
	int drop;

	net_wire(&own.wire, "own");
	own.take = take_own;
	own.arg = pool;

	net_wire(&bridge.wire, "bridge");
	*tap = net_tap("tap");
	net_bridge("br", bridge.wire.out, "tap");
	bridge.take = take_tap;
	bridge.arg = tap;

	net_wire(&bare.wire, "bare");
	net_wire_more(&placed, "placed");

	/* What is sent against the stream ends there, for both. */
	drop = net_program_drop();
	net_attach(own.wire.in_index, drop);
	net_attach(bare.wire.in_index, drop);
	net_attach(placed.in_index, drop);
	close(drop);
}

static struct bare *open_bare(size_t len)
{
	struct bare *b = bare_new(bare.wire.out, len);
	int map = bpf_map_create(BPF_MAP_TYPE_XSKMAP, "vtc_bench", 4, 4, 1, NULL);
	const int queue = 0;
	int fd = bare_fd(b), program;

	if (map < 0 || bpf_map_update_elem(map, &queue, &fd, 0))
		bench_die("no table of sockets: %s", strerror(errno));
	program = net_program_to_socket(map);
	net_attach(bare.wire.out_index, program);
	close(program);
	close(map);
	bare.arg = b;
	return b;
}

static void measure_receiving(struct pool *pool, size_t len)
{
	struct bench_samples ours = { .count = 0 }, taps = { .count = 0 };
	struct bench_samples bares = { .count = 0 }, copies = { .count = 0 };
	const struct work before = work_of(pool, true);
	struct work behind;

	for (int round = 0; round < ROUNDS; round++) {
		bench_add(&ours, receive(&own, len));
		bench_add(&taps, receive(&bridge, len));
		bare.take = take_bare;
		bench_add(&bares, receive(&bare, len));
		bare.take = take_copy;
		bench_add(&copies, receive(&bare, len));
	}
	print("rx", len, &ours, "bridge, tap, read()", &taps, 3, RX_NOTE);
	print("rx-bare", len, &ours, "AF_XDP, dropped", &bares, 0.9, RX_NOTE);
	print("rx-copy", len, &ours, "AF_XDP, copied", &copies, 0, RX_NOTE);
	behind = work_of(pool, true);
	print_work("rx", len, &before, &behind);
}

/* ---- Sending: all on this processor ---- */

static double send_own(struct pool *p)
{
	uint64_t packets = 0, timed = 0, begun;
	struct vtc_port_stats s = { .sz = sizeof(s) };

	check(vtc_port_get_stats(p->port, 0, &s), "statistics");
	packets = s.tx_packets;
	for (int i = 0; i < TX_WINDOWS; i++) {
		guest_turn(p->guest, GUEST_RING);
		begun = cpu_ns();
		while (vtc_relay_process(p->relay, 0) > 0)
			;
		timed += cpu_ns() - begun;
	}
	check(vtc_port_get_stats(p->port, 0, &s), "statistics");
	return (double)timed / (double)(s.tx_packets - packets);
}

static double send_bare(struct bare *b)
{
	uint64_t begun = cpu_ns();

	for (int i = 0; i < TX_WINDOWS; i++)
		bare_send(b, GUEST_RING);
	return (double)(cpu_ns() - begun) / (TX_WINDOWS * GUEST_RING);
}

/* Until nothing is copied any more: the first queue that it had has been let go. */
static void await_place(struct pool *p)
{
	struct vtc_port_stats s = { .sz = sizeof(s) };
	uint64_t before = UINT64_MAX;

	for (int i = 0; i < 1000 && before != s.copies; i++) {
		before = s.copies;
		usleep(i ? 11000 : 0);
		send_own(p);
		check(vtc_port_get_stats(p->port, 0, &s), "statistics");
	}
	if (before != s.copies)
		bench_die("packets are never sent in place");
}

static void measure_sending(struct pool *pool, struct pool *in_place, struct bare *b,
			    size_t len)
{
	struct bench_samples ours = { .count = 0 }, bares = { .count = 0 };
	struct bench_samples places = { .count = 0 };
	const struct work before = work_of(pool, false);
	struct work behind;

	if (in_place)
		await_place(in_place);
	for (int round = 0; round < ROUNDS; round++) {
		bench_add(&ours, send_own(pool));
		bench_add(&bares, send_bare(b));
		if (in_place)
			bench_add(&places, send_own(in_place));
	}
	print("tx", len, &ours, "AF_XDP, frames in place", &bares, 0.95, TX_NOTE);
	behind = work_of(pool, false);
	print_work("tx", len, &before, &behind);
	if (!in_place)
		return;
	print("tx-place", len, &places, "AF_XDP, frames in place", &bares, 0.95,
	      PLACE_NOTE);
	print("tx-place-copy", len, &places, "the same by a copy", &ours, 1, PLACE_NOTE);
}

static void measure_ports(size_t len)
{
	struct pool pool = { .pool = NULL }, in_place = { .pool = NULL };
	bool large = len > NET_SMALL; /* small ones are copied anyway */
	struct bare *b;

	own.arg = &pool;
	open_pool(&pool, &own.wire, (uint32_t)len, false);
	b = open_bare(len);
	net_pin(1);
	measure_receiving(&pool, len);
	if (large)
		open_pool(&in_place, &placed, (uint32_t)len, true);
	measure_sending(&pool, large ? &in_place : NULL, b, len);
	if (large)
		close_pool(&in_place);
	net_attach(bare.wire.out_index, -1);
	bare_free(b);
	close_pool(&pool);
}

/* ---- Who is not concerned ---- */

/* A wire into a bridge, and one out of it. */
struct way {
	struct net_wire in, out;
	int packets; /* socket into it */
};

static void make_way(struct way *way, const char *name)
{
	char wire[16];

	snprintf(wire, sizeof(wire), "%s0", name);
	net_wire(&way->in, wire);
	snprintf(wire, sizeof(wire), "%s1", name);
	net_wire(&way->out, wire);
	snprintf(wire, sizeof(wire), "br%s", name);
	/* Out of the bridge it goes the other way: in at "b...", out at "a...". */
	net_bridge(wire, way->in.out, way->out.out);
	way->packets = net_socket(&way->in);
}

static double pass(struct way *way, size_t len, bool frames)
{
	uint64_t before = net_received(way->out.in), begun = cpu_ns(), ns;

	if (frames)
		net_send_frames(&way->in, len, 1, PASSED);
	else
		net_send_packets(way->packets, len, PASSED_SKB);
	ns = cpu_ns() - begun;
	usleep(2000);
	before = net_received(way->out.in) - before;
	if (!before)
		bench_die("nothing came through the bridge of %s", way->in.out);
	return (double)ns / (double)before;
}

static void measure_passing(struct way *guarded, struct way *free_way, const char *mode,
			    bool frames, size_t len, double target)
{
	struct bench_samples with = { .count = 0 }, without = { .count = 0 };
	char what[32];

	pass(guarded, len, frames);
	for (int round = 0; round < ROUNDS; round++) {
		bench_add(&with, pass(guarded, len, frames));
		bench_add(&without, pass(free_way, len, frames));
	}
	snprintf(what, sizeof(what), "bridge-%s-%s", frames ? "frames" : "skbs", mode);
	print(what, len, &with, "no guard", &without, target, PASS_NOTE);
}

static void measure_default(void)
{
	static struct way guarded, free_way;
	const size_t lens[] = { NET_SMALL, NET_LARGE };
	struct vtc_pool *pool;

	make_way(&guarded, "g");
	make_way(&free_way, "n");
	for (int generic = 0; generic < 2; generic++) {
		const char *mode = generic ? "generic" : "native";

		pool = request(&guarded.in, generic ? VTC_POOL_F_GENERIC_XDP : 0);
		add_filter(pool, 2);
		for (int i = 0; i < 2; i++) {
			measure_passing(&guarded, &free_way, mode, true, lens[i],
					generic ? 0 : 0.95);
			measure_passing(&guarded, &free_way, mode, false, lens[i],
					generic ? 0 : 0.95);
		}
		check(vtc_pool_release(pool), "release");
	}
}

/* ---- Filters ---- */

static double sort_once(const struct net_wire *wire, unsigned int receivers)
{
	uint64_t begun = cpu_ns();

	net_send_frames(wire, NET_SMALL, receivers, SORTED);
	return (double)(cpu_ns() - begun) / SORTED;
}

/* What sorting costs, beside a wire whose end drops all. */
static double sort(unsigned int receivers)
{
	double dropped = sort_once(&bare.wire, receivers);

	return sort_once(&own.wire, receivers) - dropped;
}

static void measure_sorting(void)
{
	struct bench_samples few = { .count = 0 }, many = { .count = 0 };
	struct bench_samples all = { .count = 0 };
	struct pool pool = { .pool = NULL };
	int drop = net_program_drop();

	net_attach(bare.wire.out_index, drop);
	close(drop);
	open_pool(&pool, &own.wire, NET_SMALL, false);
	sort(1);
	for (int round = 0; round < ROUNDS; round++)
		bench_add(&few, sort(1));
	for (unsigned int i = 2; i <= FILTERS; i++)
		add_filter(pool.pool, i);
	for (int round = 0; round < ROUNDS; round++) {
		bench_add(&many, sort(1));
		bench_add(&all, sort(FILTERS));
	}
	print("sort-4096-filters", NET_SMALL, &many, "1 filter", &few, 1 / 1.1,
	      SORT_NOTE);
	print("sort-4096-receivers", NET_SMALL, &all, "1 filter", &few, 0,
	      "the same with frames to all of them, by chance");
	net_attach(bare.wire.out_index, -1);
	close_pool(&pool);
}

static void absent(const char *why)
{
	static const char *const names[] = { "rx",
					     "rx-bare",
					     "tx",
					     "bridge-frames-native",
					     "bridge-skbs-native",
					     "sort-4096-filters" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		print(names[i], NET_SMALL, NULL, NULL, NULL, 0, why);
}

static bool wanted(int argc, char **argv, const char *what)
{
	return argc < 2 || strcmp(argv[1], what) == 0;
}

int main(int argc, char **argv)
{
	struct vtc_ctx_opts opts = VTC_CTX_OPTS_INIT;
	const char *why = net_enter();
	struct pool none;
	int tap;

	if (why) {
		absent(why);
		return 0;
	}
	if (!mkdtemp(state_dir))
		bench_die("%s: %s", state_dir, strerror(errno));
	opts.state_dir = state_dir;
	if (vtc_ctx_new(&opts, &ctx))
		bench_die("no context");
	make_takers(&none, &tap);
	/* One processor sends, the other takes; what needs one is on the first. */
	if (wanted(argc, argv, "ports")) {
		measure_ports(NET_SMALL);
		measure_ports(NET_LARGE);
	}
	net_pin(0);
	if (wanted(argc, argv, "default"))
		measure_default();
	if (wanted(argc, argv, "sort"))
		measure_sorting();
	vtc_ctx_unref(ctx);
	net_run("rm -r %s", state_dir);
	return 0;
}
