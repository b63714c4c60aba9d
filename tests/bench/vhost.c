/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vhost-user: the library's backend beside DPDK's, each with a virtio-user of DPDK's
 * testpmd as its driver, on two processors.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "command.h"
#include "dpdk/testpmd.h"
#include "duel.h"
#include "vhost-pair.h"

#define ROUNDS	    11
#define TRIES	    3
#define ONE_S	    150 /* most, for windows with one port */
#define TWO_S	    60
#define PINGS	    "10000"
#define LOAD	    "300000 256"
#define SECOND	    1000000000ull
#define TRIPS	    3
#define PEER_POLLS  2 /* the one that the others are compared with */
#define PEER_NAME   "DPDK 22.11 net_vhost"
#define PEER_LOOP   "the same, two copies"
#define LIMIT_NS(b) ((b) == 64 ? 13.0 : 65.0)

#define METHOD                                                                           \
	"Ring of 256, one queue, mergeable, in order; driver: testpmd net_virtio_user; " \
	"backend on one processor, driver on the other. Windows of 100 ms in turn with " \
	"the peer, between probes of the round trip of a cache line (slow: above 250 "   \
	"ns). Without windows in which a thread ran less than 93 % or waited 5 %. "
#define TIME_NOTE                                                                    \
	METHOD                                                                       \
	"Time for one packet. Target 1.2 if the peer's backend is busy 90 % of the " \
	"time, else the driver is the limit, and it is 1; vm2vm: 1.5."
#define CYCLES_NOTE                                                                    \
	METHOD                                                                         \
	"Cycles of the backend for one packet, without looks that found nothing. "     \
	"dequeue: the library lends the packets and a word of each is read, the peer " \
	"copies them. enqueue: the peer's cycles include that it makes the packets. "  \
	"loop, vm2vm: the library copies once, the peer twice."
#define LIMIT_NOTE                                                                    \
	"vm2vm beside the least time that the lines of a packet and its descriptors " \
	"need from processor to processor"
#define PAGES_NOTE                                                                       \
	METHOD "Loop of 64 B with the driver's memory in pages of 4 KiB, beside itself " \
	       "with huge pages in the same run."
#define ROUND_TRIP_NOTE                                                                \
	"A frontend of the library sends 64 B, polls, gets them back; one at a time. " \
	"The backend sends back; sleep: it waits in poll(), the peer polls."
#define LOAD_NOTE                                                                     \
	"Doorbells that were rung or heard for each packet that came or went: a "     \
	"frontend with 256 packets of 64 B on their way, both sides sleep when none " \
	"comes"
#define IDLE_NOTE "Two ports of two queue pairs, connected, nothing to do for a second"
#define MEMORY_NOTE                                                                     \
	"Process with two connected ports of two queue pairs: all pages in memory but " \
	"the guests'"

enum ring { SPLIT, PACKED, RINGS };

static const char *const rings[] = { "split", "packed" };
static const char *const modes[] = { "dequeue", "enqueue", "loop", "vm2vm" };
static const uint32_t sizes[] = { 64, 512, 1518 };
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static const char *dir, *bin;
static uint64_t until_ns; /* no more windows then */

/* ---- What is compared ---- */

struct results {
	struct bench_samples ns[DUEL_STATES], cycles[DUEL_STATES];
	unsigned int busy;
};

struct cell {
	enum mode mode;
	uint32_t bytes;
	struct results of[SIDES];
};

static struct cell cells[RINGS][MODES][SIZES];
static struct cell small[RINGS]; /* loop of 64 B in small pages */

static void make_cells(void)
{
	for (enum ring ring = 0; ring < RINGS; ring++) {
		small[ring] = (struct cell){ .mode = LOOP, .bytes = 64 };
		for (enum mode mode = 0; mode < MODES; mode++)
			for (unsigned int i = 0; i < SIZES; i++)
				cells[ring][mode][i] =
					(struct cell){ .mode = mode, .bytes = sizes[i] };
	}
}

static unsigned int taken, dropped; /* windows */

static bool turn_once(const struct pair *pair, const struct cell *cell,
		      struct results *results)
{
	double before = duel_probe();
	enum duel_state state;
	struct figure figure;
	bool ran = pair_run(pair, cell->mode, &figure);

	if (!duel_same_state(before, duel_probe(), &state) || !ran)
		return false;
	bench_add(&results->ns[state], figure.ns);
	bench_add(&results->cycles[state], figure.cycles);
	results->busy += figure.busy;
	return true;
}

/* Again if something else ran; a machine that is never quiet has no result. */
static void turn(const struct pair *pair, const struct cell *cell,
		 struct results *results)
{
	for (int i = 0; i < TRIES && bench_now_ns() < until_ns; i++) {
		pair_prepare(pair, cell->mode, cell->bytes);
		taken++;
		if (turn_once(pair, cell, results))
			return;
		dropped++;
	}
}

static void both(const struct pair of[SIDES], struct cell *cell)
{
	turn(&of[OWN], cell, &cell->of[OWN]);
	turn(&of[PEER], cell, &cell->of[PEER]);
}

/* ---- Pairs ---- */

static struct pair pairs[RINGS][PAGES][SIDES];

static void start_pairs(unsigned int ports, enum pages last)
{
	struct pair_plan plan = { .dir = dir, .bin = bin, .ports = ports, .queues = 1 };

	for (enum ring ring = 0; ring < RINGS; ring++)
		for (plan.pages = 0; plan.pages <= last; plan.pages++)
			for (plan.who = 0; plan.who < SIDES; plan.who++) {
				plan.packed = ring == PACKED;
				pairs[ring][plan.pages][plan.who] = pair_start(&plan);
			}
}

static void end_pairs(enum pages last)
{
	for (enum ring ring = 0; ring < RINGS; ring++)
		for (enum pages pages = 0; pages <= last; pages++)
			for (enum who who = 0; who < SIDES; who++)
				pair_end(&pairs[ring][pages][who]);
}

static void round_of_ring(enum ring ring)
{
	for (enum mode mode = DEQUEUE; mode <= LOOP; mode++)
		for (unsigned int i = 0; i < SIZES; i++)
			both(pairs[ring][HUGE], &cells[ring][mode][i]);
	both(pairs[ring][SMALL], &small[ring]);
}

static void one_port(unsigned int rounds)
{
	start_pairs(1, SMALL);
	until_ns = bench_now_ns() + ONE_S * SECOND;
	for (unsigned int i = 0; i < rounds; i++)
		for (enum ring ring = 0; ring < RINGS; ring++)
			round_of_ring(ring);
	end_pairs(SMALL);
}

static void two_ports(unsigned int rounds)
{
	start_pairs(2, HUGE);
	until_ns = bench_now_ns() + TWO_S * SECOND;
	for (unsigned int i = 0; i < rounds; i++)
		for (enum ring ring = 0; ring < RINGS; ring++)
			for (unsigned int j = 0; j < SIZES; j++)
				both(pairs[ring][HUGE], &cells[ring][VM2VM][j]);
	end_pairs(HUGE);
}

/* ---- Rows ---- */

static const struct bench_samples *some(const struct bench_samples *samples)
{
	return samples && samples->count ? samples : NULL;
}

static void print(const char *name, const char *unit, const struct bench_samples *own,
		  const char *peer, const struct bench_samples *theirs, double target,
		  const char *note)
{
	bench_print(&(struct bench_row){
		.name = name,
		.unit = unit,
		.own = some(own),
		.peer = peer,
		.theirs = some(theirs),
		.target = target,
		.note = note,
	});
}

static double target_of(const struct cell *cell)
{
	const struct results *peer = &cell->of[PEER];
	size_t windows = peer->ns[DUEL_FAST].count + peer->ns[DUEL_SLOW].count;

	if (cell->mode == VM2VM)
		return cell->bytes == 512 ? 1 : 1.5;
	return 2 * peer->busy > windows ? 1.2 : 1;
}

static void print_state(enum ring ring, const struct cell *cell, enum duel_state state)
{
	const char *slow = state == DUEL_SLOW ? "-slow" : "";
	const struct results *own = &cell->of[OWN], *peer = &cell->of[PEER];
	char name[64];

	if (state == DUEL_SLOW && (!own->ns[state].count || !peer->ns[state].count))
		return;
	snprintf(name, sizeof(name), "vhost.%s-%u.%s%s", rings[ring], cell->bytes,
		 modes[cell->mode], slow);
	print(name, "ns", &own->ns[state], PEER_NAME, &peer->ns[state], target_of(cell),
	      TIME_NOTE);
	snprintf(name, sizeof(name), "vhost.%s-%u.%s-cycles%s", rings[ring], cell->bytes,
		 modes[cell->mode], slow);
	print(name, "cyc", &own->cycles[state], PEER_NAME, &peer->cycles[state], 1 / 0.85,
	      CYCLES_NOTE);
}

static void print_limit(enum ring ring, const struct cell *cell)
{
	struct bench_samples limit = { .at = { LIMIT_NS(cell->bytes) }, .count = 1 };
	char name[64];

	if (cell->mode != VM2VM || cell->bytes == 512)
		return;
	snprintf(name, sizeof(name), "vhost.%s-%u.limit", rings[ring], cell->bytes);
	print(name, "ns", &cell->of[OWN].ns[DUEL_FAST], "the limit", &limit, 0,
	      LIMIT_NOTE);
}

static void print_pages(enum ring ring)
{
	const struct cell *huge = &cells[ring][LOOP][0];
	char name[64];

	snprintf(name, sizeof(name), "vhost.%s-64.loop-4k", rings[ring]);
	print(name, "ns", &small[ring].of[OWN].ns[DUEL_FAST], "itself in huge pages",
	      &huge->of[OWN].ns[DUEL_FAST], 1 / 1.3, PAGES_NOTE);
	snprintf(name, sizeof(name), "vhost.%s-64.loop-4k-dpdk", rings[ring]);
	print(name, "ns", &small[ring].of[PEER].ns[DUEL_FAST], "itself in huge pages",
	      &huge->of[PEER].ns[DUEL_FAST], 0, PAGES_NOTE);
}

static void print_cells(void)
{
	for (enum ring ring = 0; ring < RINGS; ring++)
		for (enum mode mode = 0; mode < MODES; mode++)
			for (unsigned int i = 0; i < SIZES; i++) {
				const struct cell *cell = &cells[ring][mode][i];

				print_state(ring, cell, DUEL_FAST);
				print_limit(ring, cell);
				print_state(ring, cell, DUEL_SLOW);
			}
	print_pages(SPLIT);
	print_pages(PACKED);
}

/* ---- One packet at a time, and none ---- */

struct trip {
	const char *name, *sleep;
	enum who who;
	struct bench_samples median, worst;
};

static struct trip trips[RINGS][TRIPS];

static char *run_ping(enum ring ring, const struct pair *pair, const char *arguments)
{
	char line[160];

	snprintf(line, sizeof(line), "taskset -c 1 %s/vhost-ping %s %s-0 %s", bin,
		 rings[ring], pair->socket, arguments);
	return command_read(line);
}

static void turn_trip(enum ring ring, const struct pair *pair, struct trip *trip)
{
	double before = duel_probe();
	enum duel_state state;
	char line[32], *output;

	if (trip->who == OWN) {
		snprintf(line, sizeof(line), "set sleep %s", trip->sleep);
		program_order(&pair->backend, line);
	}
	program_order(&pair->backend, "start");
	output = run_ping(ring, pair, PINGS);
	program_order(&pair->backend, "stop");
	if (duel_same_state(before, duel_probe(), &state)) {
		bench_add(&trip->median, program_value(output, "median:"));
		bench_add(&trip->worst, program_value(output, "99th:"));
	}
	free(output);
}

static void print_trips(enum ring ring)
{
	const struct trip *peer = &trips[ring][PEER_POLLS];
	char name[64];

	for (unsigned int i = 0; i < PEER_POLLS; i++) {
		const struct trip *trip = &trips[ring][i];

		snprintf(name, sizeof(name), "vhost.%s-64.%s", rings[ring], trip->name);
		print(name, "ns", &trip->median, PEER_NAME, &peer->median, 0,
		      ROUND_TRIP_NOTE);
		snprintf(name, sizeof(name), "vhost.%s-64.%s-99", rings[ring],
			 trip->name);
		print(name, "ns", &trip->worst, PEER_NAME, &peer->worst, 0,
		      ROUND_TRIP_NOTE);
	}
}

/* A result of zero has no ratio. */
static void print_limited(const char *name, const char *unit, double value, double least,
			  const char *limit_name, double limit, const char *note)
{
	struct bench_samples own = { .at = { value > least ? value : least },
				     .count = 1 };
	struct bench_samples most = { .at = { limit }, .count = 1 };

	print(name, unit, &own, limit_name, &most, 1, note);
}

static void doorbells(enum ring ring, const struct pair *pair)
{
	double packets, bells;
	char name[64], *output;

	program_order(&pair->backend, "set sleep usual");
	program_order(&pair->backend, "start");
	output = run_ping(ring, pair, LOAD);
	program_order(&pair->backend, "stop");
	packets = 2 * program_value(output, "packets:");
	bells = program_value(output, "sent:") + program_value(output, "received:");
	free(output);
	snprintf(name, sizeof(name), "vhost.%s-64.doorbells", rings[ring]);
	print_limited(name, "1", bells / packets, 1e-6, "one for 32 packets", 1.0 / 32,
		      LOAD_NOTE);
}

static void single(unsigned int rounds)
{
	struct pair_plan plan = { .dir = dir, .bin = bin, .ports = 1, .queues = 1 };
	struct pair pair[SIDES];

	for (plan.who = 0; plan.who < SIDES; plan.who++)
		pair[plan.who] = pair_start_backend(&plan);
	for (enum ring ring = 0; ring < RINGS; ring++) {
		trips[ring][0] = (struct trip){ .name = "trip", .sleep = "never" };
		trips[ring][1] = (struct trip){ .name = "trip-sleep", .sleep = "always" };
		trips[ring][PEER_POLLS] = (struct trip){ .who = PEER };
		for (unsigned int i = 0; i < rounds * TRIPS; i++) {
			struct trip *trip = &trips[ring][i % TRIPS];

			turn_trip(ring, &pair[trip->who], trip);
		}
		print_trips(ring);
		doorbells(ring, &pair[OWN]);
	}
	for (enum who who = 0; who < SIDES; who++)
		testpmd_quit(pair[who].backend.t);
}

static void idle(void)
{
	struct pair_plan plan = { .dir = dir, .bin = bin, .ports = 2, .queues = 2 };
	struct pair pair = pair_start(&plan);
	const char *output = program_order(&pair.backend, "idle 1000");
	struct bench_samples wake_ups = { .at = { program_value(output, "wake-ups:") },
					  .count = 1 };

	print("vhost.idle.wake-ups", "1", &wake_ups, NULL, NULL, 0, IDLE_NOTE);
	print_limited("vhost.idle.cpu", "us", program_value(output, "cpu:"), 1,
		      "0.1 % of a second", 1000, IDLE_NOTE);
	output = program_order(&pair.backend, "show");
	print_limited("vhost.memory", "KiB", program_value(output, "memory:"), 1,
		      "the limit", 8192, MEMORY_NOTE);
	pair_end(&pair);
}

int main(int argc, char **argv)
{
	unsigned int rounds = ROUNDS;

	if (argc < 3)
		bench_die("usage: vhost PROGRAMS SOCKETS [ROUNDS]");
	bin = argv[1];
	dir = argv[2];
	if (argc > 3)
		rounds = (unsigned int)atoi(argv[3]);
	make_cells();
	if (!testpmd_installed() || !duel_begin())
		bench_die("not possible");
	one_port(rounds);
	two_ports(rounds);
	print_cells();
	single(rounds);
	idle();
	duel_end();
	fprintf(stderr,
		"bench: windows: %u, dropped: %u; round trip of a line: %.0f ns\n", taken,
		dropped, duel_round_trip());
	return 0;
}
