/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A relay's loop: epoll, an eventfd to be woken by, a timerfd for the next moment. */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "core/ctx.h"
#include "core/error.h"

#define EVENTS_MAX 64

struct vtc__loop {
	struct vtc_ctx *ctx;
	int epoll;
	struct vtc__watch wake;
	struct vtc__watch clock; /* the timerfd */
	struct vtc__timer *timers;
	uint64_t armed_ns; /* what the timerfd is set to; 0: nothing */

	/* Events that have been collected and not yet told. */
	struct epoll_event events[EVENTS_MAX];
	int count, at;
};

/* ---- Timers ---- */

/* The timerfd counts from now on, because the context's clock may be another one. */
static void arm_clock(struct vtc__loop *l, uint64_t now)
{
	struct itimerspec its = { 0 };
	uint64_t left;

	if (!l->timers || (l->armed_ns && l->armed_ns <= l->timers->at_ns))
		return;
	left = l->timers->at_ns > now ? l->timers->at_ns - now : 1;
	its.it_value.tv_sec = (time_t)(left / 1000000000u);
	its.it_value.tv_nsec = (long)(left % 1000000000u);
	if (!timerfd_settime(l->clock.fd, 0, &its, NULL))
		l->armed_ns = l->timers->at_ns;
}

static void insert_timer(struct vtc__loop *l, struct vtc__timer *timer)
{
	struct vtc__timer **at = &l->timers;

	while (*at && (*at)->at_ns <= timer->at_ns)
		at = &(*at)->next;
	timer->next = *at;
	timer->set = true;
	*at = timer;
}

/* The timerfd is left as it is: one that fires for nothing is set anew then. */
void vtc__loop_stop_timer(struct vtc__loop *loop, struct vtc__timer *timer)
{
	struct vtc__timer **at = &loop->timers;

	while (*at && *at != timer)
		at = &(*at)->next;
	if (*at)
		*at = timer->next;
	timer->set = false;
}

void vtc__loop_set_timer(struct vtc__loop *loop, struct vtc__timer *timer, uint64_t at_ns)
{
	vtc__loop_stop_timer(loop, timer);
	timer->at_ns = at_ns;
	insert_timer(loop, timer);
	arm_clock(loop, vtc__now_ns(loop->ctx));
}

/* Those that are set meanwhile have to wait for the next time, so this ends. */
static unsigned int count_due(const struct vtc__loop *l, uint64_t now)
{
	unsigned int n = 0;

	for (const struct vtc__timer *t = l->timers; t && t->at_ns <= now; t = t->next)
		n++;
	return n;
}

static void clock_ready(struct vtc__watch *watch, uint32_t events)
{
	struct vtc__loop *l = VTC__OWNER(watch, struct vtc__loop, clock);
	uint64_t now = vtc__now_ns(l->ctx);

	(void)events;
	l->armed_ns = 0;
	for (unsigned int n = count_due(l, now); n && l->timers; n--) {
		struct vtc__timer *timer = l->timers;

		if (timer->at_ns > now)
			break;
		vtc__loop_stop_timer(l, timer);
		timer->due(timer);
	}
	arm_clock(l, now);
}

/* ---- Descriptors ---- */

static void wake_ready(struct vtc__watch *watch, uint32_t events)
{
	uint64_t count;

	(void)events;
	/* Nothing to read: somebody else was told, too. */
	if (read(watch->fd, &count, sizeof(count)) < 0)
		return;
}

int vtc__loop_watch(struct vtc__loop *loop, struct vtc__watch *watch, uint32_t events)
{
	struct epoll_event event = { .events = events | EPOLLET, .data.ptr = watch };

	return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, watch->fd, &event) ? -errno : 0;
}

void vtc__loop_forget(struct vtc__loop *loop, struct vtc__watch *watch)
{
	struct epoll_event event = { 0 };

	if (watch->fd >= 0)
		(void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, watch->fd, &event);
	for (int i = loop->at; i < loop->count; i++) {
		if (loop->events[i].data.ptr == watch)
			loop->events[i].data.ptr = NULL;
	}
}

int vtc__loop_serve(struct vtc__loop *loop)
{
	int n = epoll_wait(loop->epoll, loop->events, EVENTS_MAX, 0);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	loop->count = n;
	for (loop->at = 0; loop->at < n;) {
		struct epoll_event *event = &loop->events[loop->at++];
		struct vtc__watch *watch = event->data.ptr;

		if (watch)
			watch->ready(watch, event->events);
	}
	loop->at = loop->count = 0;
	return n;
}

int vtc__loop_wake(struct vtc__loop *loop)
{
	uint64_t one = 1;

	while (write(loop->wake.fd, &one, sizeof(one)) < 0) {
		if (errno == EAGAIN) /* full: it is readable */
			return 0;
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

int vtc__loop_fd(const struct vtc__loop *loop)
{
	return loop->epoll;
}

/* ---- Life ---- */

static int open_fds(struct vtc__loop *l)
{
	int err;

	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0)
		return -errno;
	l->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->wake.fd < 0)
		return -errno;
	l->clock.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (l->clock.fd < 0)
		return -errno;
	err = vtc__loop_watch(l, &l->wake, EPOLLIN);
	return err ? err : vtc__loop_watch(l, &l->clock, EPOLLIN);
}

int vtc__loop_new(struct vtc_ctx *ctx, struct vtc__loop **ret_loop)
{
	struct vtc__loop *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return vtc__err(ctx, -ENOMEM, VTC_ERROR_ORIGIN_SYSTEM, "relay new",
				"loop");
	l->ctx = vtc_ctx_ref(ctx);
	l->epoll = -1;
	l->wake = (struct vtc__watch){ -1, wake_ready };
	l->clock = (struct vtc__watch){ -1, clock_ready };
	err = open_fds(l);
	if (err) {
		vtc__loop_free(l);
		return vtc__err(ctx, err, VTC_ERROR_ORIGIN_SYSTEM, "relay new",
				"descriptors of the loop");
	}
	*ret_loop = l;
	return 0;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

void vtc__loop_free(struct vtc__loop *loop)
{
	if (!loop)
		return;
	close_fd(loop->epoll);
	close_fd(loop->wake.fd);
	close_fd(loop->clock.fd);
	vtc_ctx_unref(loop->ctx);
	free(loop);
}
