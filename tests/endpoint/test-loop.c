/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A relay's loop: descriptors and moments. */
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <vtc/ctx.h>

#include "endpoint/loop.h"
#include "vtct.h"

#define WAIT_MS 10000
#define WATCHES 4
#define TIMERS	5

/* A pipe, and what the loop tells of it. */
struct pipe_watch {
	struct vtc__watch watch;
	int write_fd;
	unsigned int calls;
	struct pipe_watch *victim; /* is forgotten as soon as this one is called */
	struct vtc__loop *loop;
};

struct alarm {
	struct vtc__timer timer;
	struct world *world;
	struct alarm *victim; /* is stopped */
	uint64_t again_ns;    /* sets itself again */
	unsigned int calls, order;
};

struct world {
	uint64_t now_ns;
	struct vtc_ctx *ctx;
	struct vtc__loop *loop;
	struct pipe_watch pipes[WATCHES];
	struct alarm alarms[TIMERS];
	unsigned int rung;
};

static uint64_t now(void *data)
{
	return ((struct world *)data)->now_ns;
}

static void ready(struct vtc__watch *watch, uint32_t events)
{
	struct pipe_watch *p = VTC__OWNER(watch, struct pipe_watch, watch);

	ck_assert(events & EPOLLIN);
	p->calls++;
	if (p->victim)
		vtc__loop_forget(p->loop, &p->victim->watch);
}

static void due(struct vtc__timer *timer)
{
	struct alarm *a = VTC__OWNER(timer, struct alarm, timer);

	a->calls++;
	a->order = ++a->world->rung;
	if (a->again_ns)
		vtc__loop_set_timer(a->world->loop, timer, a->again_ns);
	if (a->victim)
		vtc__loop_stop_timer(a->world->loop, &a->victim->timer);
}

static struct world world_new(void)
{
	return (struct world){ .now_ns = 1000 };
}

static void world_open(struct world *w)
{
	struct vtc_ctx_opts o = VTC_CTX_OPTS_INIT;

	o.clock = now;
	o.clock_data = w;
	ck_assert_errno(vtc_ctx_new(&o, &w->ctx), 0);
	ck_assert_errno(vtc__loop_new(w->ctx, &w->loop), 0);
	for (int i = 0; i < WATCHES; i++) {
		int fds[2];

		ck_assert_int_eq(pipe(fds), 0);
		w->pipes[i] = (struct pipe_watch){ .watch = { fds[0], ready },
						   .write_fd = fds[1],
						   .loop = w->loop };
	}
	for (int i = 0; i < TIMERS; i++) {
		w->alarms[i].timer.due = due;
		w->alarms[i].world = w;
	}
}

static void world_close(struct world *w)
{
	for (int i = 0; i < WATCHES; i++) {
		close(w->pipes[i].watch.fd);
		close(w->pipes[i].write_fd);
	}
	vtc__loop_free(w->loop);
	vtc_ctx_unref(w->ctx);
}

static bool is_ready(const struct world *w, int timeout_ms)
{
	struct pollfd p = { .fd = vtc__loop_fd(w->loop), .events = POLLIN };

	return poll(&p, 1, timeout_ms) == 1;
}

static void fill(const struct pipe_watch *p)
{
	ck_assert_int_eq(write(p->write_fd, "x", 1), 1);
}

START_TEST(an_edge_is_told_once)
{
	struct world w = world_new();

	world_open(&w);
	fill(&w.pipes[0]);
	ck_assert_errno(vtc__loop_watch(w.loop, &w.pipes[0].watch, EPOLLIN), 0);
	ck_assert(is_ready(&w, 0));
	ck_assert_int_eq(vtc__loop_serve(w.loop), 1);
	ck_assert_uint_eq(w.pipes[0].calls, 1);
	ck_assert(!is_ready(&w, 0));
	ck_assert_int_eq(vtc__loop_serve(w.loop), 0);
	fill(&w.pipes[0]);
	ck_assert_int_eq(vtc__loop_serve(w.loop), 1);
	ck_assert_uint_eq(w.pipes[0].calls, 2);
	world_close(&w);
}
END_TEST

/* Whichever comes first, the others' events have been collected by then. */
START_TEST(what_is_forgotten_is_never_called)
{
	struct world w = world_new();

	world_open(&w);
	for (int i = 0; i < WATCHES; i++) {
		w.pipes[i].victim = &w.pipes[i ^ 1];
		ck_assert_errno(vtc__loop_watch(w.loop, &w.pipes[i].watch, EPOLLIN), 0);
		fill(&w.pipes[i]);
	}
	ck_assert_int_eq(vtc__loop_serve(w.loop), WATCHES);
	for (int i = 0; i < WATCHES; i += 2)
		ck_assert_uint_eq(w.pipes[i].calls + w.pipes[i + 1].calls, 1);
	world_close(&w);
}
END_TEST

START_TEST(what_is_not_watched_can_be_forgotten)
{
	struct vtc__watch nothing = { -1, ready };
	struct world w = world_new();

	world_open(&w);
	vtc__loop_forget(w.loop, &nothing);
	vtc__loop_forget(w.loop, &w.pipes[0].watch);
	ck_assert_errno(vtc__loop_watch(w.loop, &nothing, EPOLLIN), -EBADF);
	world_close(&w);
}
END_TEST

START_TEST(a_wake_is_heard)
{
	struct world w = world_new();

	world_open(&w);
	ck_assert(!is_ready(&w, 0));
	ck_assert_errno(vtc__loop_wake(w.loop), 0);
	ck_assert_errno(vtc__loop_wake(w.loop), 0);
	ck_assert(is_ready(&w, 0));
	ck_assert_int_eq(vtc__loop_serve(w.loop), 1);
	ck_assert(!is_ready(&w, 0));
	world_close(&w);
}
END_TEST

static void serve_timers(struct world *w)
{
	ck_assert(is_ready(w, WAIT_MS));
	ck_assert_int_eq(vtc__loop_serve(w->loop), 1);
}

START_TEST(timers_come_in_order)
{
	static const uint64_t at[TIMERS] = { 5000, 2000, 4000, 1000, 3000 };
	static const unsigned int order[TIMERS] = { 5, 2, 4, 1, 3 };
	struct world w = world_new();

	world_open(&w);
	for (int i = 0; i < TIMERS; i++)
		vtc__loop_set_timer(w.loop, &w.alarms[i].timer, at[i]);
	w.now_ns = 10000;
	serve_timers(&w);
	for (int i = 0; i < TIMERS; i++) {
		ck_assert_uint_eq(w.alarms[i].calls, 1);
		ck_assert_uint_eq(w.alarms[i].order, order[i]);
		ck_assert(!w.alarms[i].timer.set);
	}
	ck_assert(!is_ready(&w, 0));
	world_close(&w);
}
END_TEST

/* The kernel's clock runs, the context's does not: nothing is due before its time. */
START_TEST(timers_keep_the_clock)
{
	struct world w = world_new();

	world_open(&w);
	vtc__loop_set_timer(w.loop, &w.alarms[0].timer, 2000);
	vtc__loop_set_timer(w.loop, &w.alarms[1].timer, 3000);
	serve_timers(&w);
	ck_assert_uint_eq(w.rung, 0);
	w.now_ns = 2000;
	serve_timers(&w);
	ck_assert_uint_eq(w.alarms[0].calls, 1);
	ck_assert_uint_eq(w.alarms[1].calls, 0);
	w.now_ns = 3000;
	serve_timers(&w);
	ck_assert_uint_eq(w.alarms[1].calls, 1);
	world_close(&w);
}
END_TEST

START_TEST(timers_are_set_anew_and_stopped)
{
	struct world w = world_new();

	world_open(&w);
	vtc__loop_set_timer(w.loop, &w.alarms[0].timer, 9000);
	vtc__loop_set_timer(w.loop, &w.alarms[0].timer, 2000);
	vtc__loop_set_timer(w.loop, &w.alarms[1].timer, 1500);
	vtc__loop_set_timer(w.loop, &w.alarms[2].timer, 2500);
	vtc__loop_stop_timer(w.loop, &w.alarms[1].timer);
	vtc__loop_stop_timer(w.loop, &w.alarms[1].timer);
	w.alarms[0].victim = &w.alarms[2];
	w.now_ns = 3000;
	serve_timers(&w);
	ck_assert_uint_eq(w.alarms[0].calls, 1);
	ck_assert_uint_eq(w.alarms[1].calls, 0);
	ck_assert_uint_eq(w.alarms[2].calls, 0);
	w.now_ns = 10000;
	ck_assert_int_eq(vtc__loop_serve(w.loop), 0);
	ck_assert_uint_eq(w.rung, 1);
	world_close(&w);
}
END_TEST

/* One that is always due does not keep the loop for itself. */
START_TEST(a_timer_sets_itself)
{
	struct world w = world_new();

	world_open(&w);
	w.alarms[0].again_ns = 1;
	vtc__loop_set_timer(w.loop, &w.alarms[0].timer, 1);
	for (unsigned int i = 1; i < 10; i++) {
		serve_timers(&w);
		ck_assert_uint_eq(w.alarms[0].calls, i);
	}
	world_close(&w);
}
END_TEST

int main(void)
{
	return vtct_main(vtct_suite("loop", an_edge_is_told_once,
				    what_is_forgotten_is_never_called,
				    what_is_not_watched_can_be_forgotten, a_wake_is_heard,
				    timers_come_in_order, timers_keep_the_clock,
				    timers_are_set_anew_and_stopped, a_timer_sets_itself,
				    NULL),
			 NULL);
}
