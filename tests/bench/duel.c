/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Time of a contender, see duel.h. */
#include "duel.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "bench.h"

#define TURNS_NS    2000000u /* of one window */
#define DUEL_NS	    5000000u /* of one window */
#define PROBE_NS    1000000u
#define SLOW_NS	    250 /* round trips of 100 to 140 ns are common, and of 500 to 600 */
#define RAN_SHARE   0.93
#define ROUND_TRIPS 64 /* between two looks at the clock */
#define DEVICE	    0
#define DRIVER	    1

static inline uint64_t cycles_now(void)
{
#ifdef __x86_64__
	return __builtin_ia32_rdtsc();
#else
	return 0;
#endif
}

static inline void relax(void)
{
#ifdef __x86_64__
	__builtin_ia32_pause();
#endif
}

/* ---- Did this thread run? ---- */

struct span {
	uint64_t wall, cpu;
};

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static struct span span_begin(void)
{
	return (struct span){ bench_now_ns(), cpu_ns() };
}

static bool span_ran(const struct span *from)
{
	uint64_t cpu = cpu_ns() - from->cpu, wall = bench_now_ns() - from->wall;

	return (double)cpu >= RAN_SHARE * (double)wall;
}

/* ---- One processor ---- */

static void all_of(unsigned int (*step)(struct contender *, unsigned int),
		   struct contender *c, unsigned int burst, unsigned int count)
{
	for (unsigned int done = 0; done < count;)
		done += step(c, burst < count - done ? burst : count - done);
}

bool duel_one(struct contender *c, unsigned int burst, unsigned int in_flight,
	      struct duel_time *ret_time)
{
	struct span span = span_begin();
	uint64_t device = 0, packets = 0, now = span.wall, cycles = cycles_now(), at;

	while (now - span.wall < TURNS_NS) {
		all_of(c->give, c, burst, in_flight);
		at = bench_now_ns();
		all_of(c->serve, c, burst, in_flight);
		now = bench_now_ns();
		device += now - at;
		all_of(c->take, c, burst, in_flight);
		packets += in_flight;
		now = bench_now_ns();
	}
	cycles = cycles_now() - cycles;
	*ret_time = (struct duel_time){
		(double)(now - span.wall) / (double)packets,
		(double)device / (double)packets,
		(double)cycles / (double)packets,
	};
	return span_ran(&span);
}

/* ---- Two processors ---- */

struct job {
	struct contender *c; /* NULL: probe */
	unsigned int burst;
	bool end;
};

static struct job job;
static pthread_barrier_t barrier;
static pthread_t device_thread;
static cpu_set_t mine;
static bool device_ran;
static atomic_bool stop __attribute__((aligned(128)));
static atomic_uint ball __attribute__((aligned(128)));
static struct bench_samples round_trips __attribute__((aligned(128)));

/* Of those that this program may use. */
static bool pin(size_t processor)
{
	cpu_set_t one;
	size_t i, seen = 0;

	CPU_ZERO(&one);
	for (i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &mine) && seen++ == processor)
			CPU_SET(i, &one);
	return CPU_COUNT(&one) == 1 &&
	       pthread_setaffinity_np(pthread_self(), sizeof(one), &one) == 0;
}

static void serve_until_stop(struct contender *c, unsigned int burst)
{
	while (!atomic_load_explicit(&stop, memory_order_relaxed))
		if (!c->serve(c, burst))
			relax();
}

static void return_balls(void)
{
	unsigned int seen = 0;

	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		unsigned int now = atomic_load_explicit(&ball, memory_order_acquire);

		if (now == seen)
			continue;
		seen = now + 1;
		atomic_store_explicit(&ball, seen, memory_order_release);
	}
}

static void *device_side(void *unused)
{
	for (;;) {
		struct span span;

		pthread_barrier_wait(&barrier);
		if (job.end)
			return unused;
		span = span_begin();
		if (job.c)
			serve_until_stop(job.c, job.burst);
		else
			return_balls();
		device_ran = span_ran(&span);
		pthread_barrier_wait(&barrier);
	}
}

static void *device_entry(void *unused)
{
	if (!pin(DEVICE))
		bench_die("cannot choose a processor");
	return device_side(unused);
}

bool duel_begin(void)
{
	if (sched_getaffinity(0, sizeof(mine), &mine) < 0 || CPU_COUNT(&mine) < 2)
		return false;
	pthread_barrier_init(&barrier, NULL, 2);
	if (pthread_create(&device_thread, NULL, device_entry, NULL))
		bench_die("no thread");
	return pin(DRIVER);
}

void duel_end(void)
{
	job.end = true;
	pthread_barrier_wait(&barrier);
	pthread_join(device_thread, NULL);
	pthread_barrier_destroy(&barrier);
}

static void start(struct contender *c, unsigned int burst)
{
	job = (struct job){ c, burst, false };
	atomic_store(&stop, false);
	atomic_store(&ball, 0);
	pthread_barrier_wait(&barrier);
}

/* Whether the device's thread ran all the time. */
static bool finish(void)
{
	atomic_store(&stop, true);
	pthread_barrier_wait(&barrier);
	return device_ran;
}

double duel_probe(void)
{
	struct span span;
	uint64_t now;
	unsigned int trips = 0;
	bool ran;

	start(NULL, 0);
	span = span_begin();
	do {
		for (int i = 0; i < ROUND_TRIPS; i++, trips++) {
			atomic_store_explicit(&ball, 2 * trips + 1, memory_order_release);
			while (atomic_load_explicit(&ball, memory_order_acquire) !=
			       2 * trips + 2)
				;
		}
		now = bench_now_ns();
	} while (now - span.wall < PROBE_NS);
	ran = span_ran(&span);
	return finish() && ran ? (double)(now - span.wall) / trips : 0;
}

static uint64_t drive(struct contender *c, unsigned int burst, uint64_t until)
{
	uint64_t packets = 0;
	uint32_t flying = 0;
	bool adding = true;

	for (unsigned int i = 1; adding || flying; i++) {
		unsigned int back = c->take(c, burst);

		packets += back;
		flying -= back;
		if (adding && c->plan.size - flying >= burst)
			flying += c->give(c, burst);
		else if (!back)
			relax();
		if (i % ROUND_TRIPS == 0)
			adding = bench_now_ns() < until;
	}
	return packets;
}

static bool drive_window(struct contender *c, unsigned int burst, struct duel_time *ret)
{
	struct span span;
	uint64_t packets, cycles;
	bool ran;

	start(c, burst);
	span = span_begin();
	cycles = cycles_now();
	packets = drive(c, burst, span.wall + DUEL_NS);
	cycles = cycles_now() - cycles;
	ret->ns = (double)(bench_now_ns() - span.wall) / (double)packets;
	ret->cycles = (double)cycles / (double)packets;
	ran = span_ran(&span);
	return finish() && ran;
}

static void note_round_trip(double ns)
{
	if (round_trips.count < BENCH_RUNS_MAX)
		bench_add(&round_trips, ns);
}

bool duel_same_state(double before, double after, enum duel_state *ret_state)
{
	if (before <= 0 || after <= 0 || (before < SLOW_NS) != (after < SLOW_NS))
		return false;
	note_round_trip(before);
	*ret_state = before < SLOW_NS ? DUEL_FAST : DUEL_SLOW;
	return true;
}

bool duel_two(struct contender *c, unsigned int burst, struct duel_time *ret_time,
	      enum duel_state *ret_state)
{
	double before = duel_probe();
	bool ran = drive_window(c, burst, ret_time);

	return duel_same_state(before, duel_probe(), ret_state) && ran;
}

double duel_round_trip(void)
{
	return round_trips.count ? bench_median(&round_trips) : 0;
}
