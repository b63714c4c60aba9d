/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rings: time for a packet from the driver to the device and back, with the library
 * and with rings of a simpler kind, one after the other in short windows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "contender.h"
#include "duel.h"

#define IN_FLIGHT    256
#define ONE_ROUNDS   31
#define TWO_ROUNDS   31
#define TWO_SECONDS  30 /* at most */
#define SELF_ROUNDS  31
#define BURST	     32
#define REGIONS	     509
#define MANY	     (REGIONS * 16) /* buffers */
#define HUGE_BUFFERS 4096
#define COUNTED	     64 /* rounds under callgrind */

#define ONE_NOTE                                                                   \
	"One processor: 256 packets of one readable buffer are added, then "       \
	"pulled, pushed and flushed, then reaped, all in such bursts; both sides " \
	"together. t: the device reads all bytes. Windows of 2 ms in turn with "   \
	"the peer, without those in which this thread ran less than 93 %."
#define DEVICE_NOTE                                                       \
	"As before, but the device side alone: pull with validation and " \
	"translation, push, flush"
#define CYCLES_NOTE "As before, cycles of the time stamp counter, both sides together"
#define TWO_NOTE                                                                    \
	"Two threads on two processors, ring of 256, both poll. Windows of 5 ms "   \
	"in turn with the peer, between probes of the round trip of a cache line: " \
	"fast below 250 ns, slow above. Without windows in which a thread ran "     \
	"less than 93 % or the state changed. The peer publishes each packet and "  \
	"never looks whether to notify. A burst of 256 is all of the ring, so "     \
	"that the sides wait for each other."
#define SIZE_NOTE                                                                \
	"Device side, burst 32, 64 B, not touched, against itself in a ring of " \
	"256 in the same run; 256 in flight, or the full ring"
#define REGION_NOTE                                                            \
	"Device side, burst 32, 64 B, not touched; 8144 buffers in scattered " \
	"order in so many regions, against itself with one region in the same run"
#define PAGES_NOTE                                                                \
	"Device side, burst 32, 64 B, touched; ring of 256 and 4096 buffers in "  \
	"scattered order, 8 MiB in pages of 4 KiB, against itself in pages of 2 " \
	"MiB in the same run"

static const char *const peers[] = { "split ring, unbatched", "ring with owner flags" };
static const char *const singles[] = { "split ring, one by one",
				       "owner flags, one by one" };
static const char *const formats[] = { "split", "packed" };

/* ---- The matrix: formats, bursts, packets ---- */

struct cell {
	bool packed, touch;
	uint32_t bytes;
	unsigned int burst;
	struct contender *ours, *peer;
	struct bench_samples one, one_peer, device, device_peer, cycles, cycles_peer;
	struct bench_samples two[DUEL_STATES], two_peer[DUEL_STATES];
	struct bench_samples two_cycles, two_cycles_peer;
};

static const unsigned int bursts[] = { 1, 32, 256 };
static const uint32_t packets[] = { 64, 1500 };

#define CELLS	   (2 * 3 * 2 * 2)
#define BURST_STEP 4 /* to the same with the next burst */

static struct cell cells[CELLS];

static struct contender_plan plan_of(bool packed)
{
	return (struct contender_plan){
		.packed = packed,
		.size = IN_FLIGHT,
		.bytes = 64,
		.buffers = IN_FLIGHT,
		.regions = 1,
	};
}

static void make_cells(void)
{
	for (unsigned int i = 0; i < CELLS; i++) {
		struct cell *cell = &cells[i];
		struct contender_plan plan = plan_of(i / 12);

		cell->packed = plan.packed;
		cell->burst = bursts[i / BURST_STEP % 3];
		cell->bytes = plan.bytes = packets[i / 2 % 2];
		cell->touch = plan.touch = i % 2;
		cell->ours = contender_vtc(&plan);
		cell->peer = contender_peer(&plan);
	}
}

static void free_cells(void)
{
	for (unsigned int i = 0; i < CELLS; i++) {
		cells[i].ours->free(cells[i].ours);
		cells[i].peer->free(cells[i].peer);
	}
}

static void turn_one(struct cell *cell)
{
	struct duel_time ours, peer;

	if (!duel_one(cell->ours, cell->burst, IN_FLIGHT, &ours) ||
	    !duel_one(cell->peer, cell->burst, IN_FLIGHT, &peer))
		return;
	bench_add(&cell->one, ours.ns);
	bench_add(&cell->one_peer, peer.ns);
	bench_add(&cell->device, ours.device_ns);
	bench_add(&cell->device_peer, peer.device_ns);
	bench_add(&cell->cycles, ours.cycles);
	bench_add(&cell->cycles_peer, peer.cycles);
}

static void turn_two(struct cell *cell)
{
	enum duel_state state;
	struct duel_time time;

	if (duel_two(cell->ours, cell->burst, &time, &state)) {
		bench_add(&cell->two[state], time.ns);
		if (state == DUEL_FAST)
			bench_add(&cell->two_cycles, time.cycles);
	}
	if (duel_two(cell->peer, cell->burst, &time, &state)) {
		bench_add(&cell->two_peer[state], time.ns);
		if (state == DUEL_FAST)
			bench_add(&cell->two_cycles_peer, time.cycles);
	}
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

static void print_cell(const struct cell *cell, const char *what, const char *unit,
		       const struct bench_samples *own,
		       const struct bench_samples *theirs, double target,
		       const char *note)
{
	char name[64];

	snprintf(name, sizeof(name), "ring.%s-b%u-%u%s.%s", formats[cell->packed],
		 cell->burst, cell->bytes, cell->touch ? "t" : "", what);
	print(name, unit, own, peers[cell->packed], theirs, target, note);
}

static bool is_small(const struct cell *cell)
{
	return cell->bytes == 64 && !cell->touch;
}

/* The one of which the targets speak. */
static bool is_usual(const struct cell *cell)
{
	return cell->burst == BURST && is_small(cell);
}

/* A time to reach stands as the peer's, so that the ratio says by how much it was. */
static void print_goal(const struct cell *cell)
{
	struct bench_samples goal = { .at = { cell->packed ? 14 : 18 }, .count = 1 };
	char name[64];

	if (!is_usual(cell))
		return;
	snprintf(name, sizeof(name), "ring.%s-b32-64.goal", formats[cell->packed]);
	print(name, "ns", &cell->device, "the time to reach", &goal, 1, DEVICE_NOTE);
}

static void print_one(const struct cell *cell)
{
	print_cell(cell, "one", "ns", &cell->one, &cell->one_peer, 0, ONE_NOTE);
	print_cell(cell, "device", "ns", &cell->device, &cell->device_peer, 0,
		   DEVICE_NOTE);
	if (is_small(cell) && cell->cycles.count && bench_median(&cell->cycles) > 0)
		print_cell(cell, "one-cycles", "cyc", &cell->cycles, &cell->cycles_peer,
			   0, CYCLES_NOTE);
	print_goal(cell);
}

/* The kernel's ring test adds and takes one packet at a time, whatever its batch. */
static void print_two_goal(const struct cell *cell)
{
	const struct cell *unbatched = cell - BURST_STEP;
	char name[64];

	if (!is_usual(cell))
		return;
	snprintf(name, sizeof(name), "ring.%s-b32-64.two-goal", formats[cell->packed]);
	print(name, "ns", &cell->two[DUEL_FAST], singles[cell->packed],
	      &unbatched->two_peer[DUEL_FAST], cell->packed ? 1 : 1 / 0.3, TWO_NOTE);
}

static void print_two(const struct cell *cell)
{
	print_cell(cell, "two", "ns", &cell->two[DUEL_FAST], &cell->two_peer[DUEL_FAST],
		   0, TWO_NOTE);
	print_two_goal(cell);
	if (is_small(cell) && cell->two_cycles.count &&
	    bench_median(&cell->two_cycles) > 0)
		print_cell(cell, "two-cycles", "cyc", &cell->two_cycles,
			   &cell->two_cycles_peer, 0, TWO_NOTE);
	if (cell->two[DUEL_SLOW].count && cell->two_peer[DUEL_SLOW].count)
		print_cell(cell, "two-slow", "ns", &cell->two[DUEL_SLOW],
			   &cell->two_peer[DUEL_SLOW], 0, TWO_NOTE);
}

static void matrix(void)
{
	struct cell *cell;
	uint64_t until;
	bool two;

	make_cells();
	for (int round = 0; round < ONE_ROUNDS; round++)
		for (cell = cells; cell < cells + CELLS; cell++)
			turn_one(cell);
	two = duel_begin();
	until = bench_now_ns() + TWO_SECONDS * 1000000000ull;
	for (int round = 0; two && round < TWO_ROUNDS && bench_now_ns() < until; round++)
		for (cell = cells; cell < cells + CELLS; cell++)
			turn_two(cell);
	if (two)
		duel_end();
	for (cell = cells; cell < cells + CELLS; cell++)
		print_one(cell);
	for (cell = cells; cell < cells + CELLS; cell++)
		print_two(cell);
	free_cells();
	fprintf(stderr, "bench: round trip of a cache line: %.0f ns\n",
		duel_round_trip());
}

/* ---- The library against itself ---- */

struct variant {
	const char *name;
	struct contender_plan plan;
	unsigned int in_flight;
	double target;
	struct contender *c;
	struct bench_samples device;
};

static void measure_variants(struct variant *v, unsigned int count)
{
	struct duel_time time;
	unsigned int i;

	for (i = 0; i < count; i++)
		v[i].c = contender_vtc(&v[i].plan);
	for (int round = 0; round < SELF_ROUNDS; round++)
		for (i = 0; i < count; i++)
			if (v[i].c && duel_one(v[i].c, BURST, v[i].in_flight, &time))
				bench_add(&v[i].device, time.device_ns);
	for (i = 0; i < count; i++)
		if (v[i].c)
			v[i].c->free(v[i].c);
}

/* The first is what the others are compared with. */
static void print_variants(const struct variant *v, unsigned int count, bool packed,
			   const char *peer, const char *note)
{
	char name[64];

	for (unsigned int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "ring.%s-%s.device", formats[packed],
			 v[i].name);
		print(name, "ns", &v[i].device, i ? peer : NULL, i ? &v[0].device : NULL,
		      v[i].target, note);
	}
}

static struct contender_plan sized(bool packed, uint32_t size)
{
	struct contender_plan plan = plan_of(packed);

	plan.size = size;
	return plan;
}

static void sizes(bool packed)
{
	struct variant v[] = {
		{ .name = "size-256",
		  .plan = sized(packed, 256),
		  .in_flight = IN_FLIGHT },
		{ .name = "size-1024",
		  .plan = sized(packed, 1024),
		  .in_flight = IN_FLIGHT },
		{ .name = "size-4096",
		  .plan = sized(packed, 4096),
		  .in_flight = IN_FLIGHT },
		{ .name = "size-32768",
		  .plan = sized(packed, 32768),
		  .in_flight = IN_FLIGHT },
		{ .name = "size-4096-full",
		  .plan = sized(packed, 4096),
		  .in_flight = 4096 },
		{ .name = "size-32768-full",
		  .plan = sized(packed, 32768),
		  .in_flight = 32768 },
	};

	for (unsigned int i = 1; i < 6; i++)
		v[i].target = 1 / 1.2;
	measure_variants(v, 6);
	print_variants(v, 6, packed, "itself, ring of 256", SIZE_NOTE);
}

static struct contender_plan cut(bool packed, uint32_t regions)
{
	struct contender_plan plan = plan_of(packed);

	plan.buffers = MANY;
	plan.regions = regions;
	return plan;
}

static void regions(bool packed)
{
	struct variant v[] = {
		{ .name = "regions-1", .plan = cut(packed, 1), .in_flight = IN_FLIGHT },
		{ .name = "regions-8", .plan = cut(packed, 8), .in_flight = IN_FLIGHT },
		{ .name = "regions-64", .plan = cut(packed, 64), .in_flight = IN_FLIGHT },
		{ .name = "regions-509",
		  .plan = cut(packed, 509),
		  .in_flight = IN_FLIGHT },
	};

	for (unsigned int i = 1; i < 4; i++)
		v[i].target = 1 / 1.2;
	measure_variants(v, 4);
	print_variants(v, 4, packed, "itself, one region", REGION_NOTE);
}

static struct contender_plan paged(bool packed, bool huge)
{
	struct contender_plan plan = plan_of(packed);

	plan.buffers = HUGE_BUFFERS;
	plan.huge = huge;
	plan.touch = true;
	return plan;
}

static void page_sizes(bool packed)
{
	struct variant v[] = {
		{ .name = "pages-2m",
		  .plan = paged(packed, true),
		  .in_flight = IN_FLIGHT },
		{ .name = "pages-4k",
		  .plan = paged(packed, false),
		  .in_flight = IN_FLIGHT },
	};

	v[1].target = 1 / 1.3;
	measure_variants(v, 2);
	print_variants(v, 2, packed, "itself, pages of 2 MiB", PAGES_NOTE);
}

/* ---- For callgrind, which counts what counted_serve() does ---- */

static __attribute__((noinline)) void counted_serve(struct contender *c)
{
	for (unsigned int done = 0; done < IN_FLIGHT;)
		done += c->serve(c, BURST);
}

static void count(bool packed)
{
	struct contender_plan plan = plan_of(packed);
	struct contender *c = contender_vtc(&plan);

	for (int round = 0; round < COUNTED; round++) {
		for (unsigned int done = 0; done < IN_FLIGHT;)
			done += c->give(c, BURST);
		counted_serve(c);
		for (unsigned int done = 0; done < IN_FLIGHT;)
			done += c->take(c, BURST);
	}
	c->free(c);
	printf("%d\n", COUNTED * IN_FLIGHT);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--count") == 0) {
		count(strcmp(argv[2], "packed") == 0);
		return 0;
	}
	if (argc != 1)
		bench_die("usage: ring [--count split | packed]");
	matrix();
	for (int packed = 0; packed < 2; packed++) {
		sizes(packed);
		regions(packed);
		page_sizes(packed);
	}
	return 0;
}
