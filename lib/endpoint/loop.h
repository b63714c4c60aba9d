/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a relay waits for: descriptors, and moments. All watches are edge-triggered, so an
 * owner reads until there is no more, and a doorbell need not be read at all.
 */
#ifndef VTC__LOOP_H
#define VTC__LOOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vtc_ctx;

struct vtc__watch {
	int fd;
	void (*ready)(struct vtc__watch *watch, uint32_t events); /* EPOLLIN, ... */
};

struct vtc__timer {
	uint64_t at_ns; /* on the clock of vtc__now_ns() */
	void (*due)(struct vtc__timer *timer);
	struct vtc__timer *next; /* in order of time */
	bool set;
};

/* What a watch or a timer is a part of. */
#define VTC__OWNER(part, type, member) \
	((type *)(void *)((char *)(part)-offsetof(type, member)))

struct vtc__loop;

int vtc__loop_new(struct vtc_ctx *ctx, struct vtc__loop **ret_loop);
void vtc__loop_free(struct vtc__loop *loop);

/* The one descriptor that stands for all. */
int vtc__loop_fd(const struct vtc__loop *loop);

/*
 * Watch a descriptor; what is ready already is told, too. The watch must stay where it is
 * until vtc__loop_forget(); after that it is never called again, not even for an event
 * that has been collected. forget() of what is not watched does nothing.
 */
int vtc__loop_watch(struct vtc__loop *loop, struct vtc__watch *watch, uint32_t events);
void vtc__loop_forget(struct vtc__loop *loop, struct vtc__watch *watch);

/* Call due() once, at that time or a little later; set again, the new time holds. */
void vtc__loop_set_timer(struct vtc__loop *loop, struct vtc__timer *timer,
			 uint64_t at_ns);
void vtc__loop_stop_timer(struct vtc__loop *loop, struct vtc__timer *timer);

/* Serve what is ready now, at most 64 events; how many, or -errno. Never waits. */
int vtc__loop_serve(struct vtc__loop *loop);

/* Make the descriptor readable; from any thread. */
int vtc__loop_wake(struct vtc__loop *loop);

#endif
