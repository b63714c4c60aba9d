/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One ring of a vhost-user backend: from its parts, which come in any order, to a vring,
 * and what the relay does with that. The counters are those of its queue pair.
 */
#ifndef VTC__VHOST_RING_H
#define VTC__VHOST_RING_H

#include <stdbool.h>
#include <stdint.h>

#include <vtc/vring.h>

#include "loop.h"
#include "port.h"
#include "vhost-inflight.h"
#include "vhost-memory.h"

struct vtc__vhost_ring {
	struct vtc_vring *vring; /* NULL: stopped */
	struct vtc_port *port;
	unsigned int index; /* even: to the guest; odd: from it */
	bool enabled;
	bool off; /* not just not on yet: what the guest sends is thrown away */
	bool packed;
	int call;
	struct vtc__watch kick;
	void (*heard)(struct vtc__vhost_ring *ring); /* a kick */
	int err;

	bool started;	    /* by the frontend: it may still lack something */
	const char *broken; /* why, until it is stopped */
	bool has_addr;
	uint32_t size;
	uint32_t base; /* as in SET_VRING_BASE */
	struct vtc__vhost_addr addr;
	uint64_t at[3]; /* guest addresses: descriptors, driver's part, device's part */
	struct vtc__vhost_record record;
};

/* What rings start with. */
struct vtc__vhost_setting {
	uint64_t features;
	const struct vtc__vhost_space *space;
	struct vtc__vhost_mapping inflight; /* no base: there are no records */
	uint16_t inflight_queues;
	uint16_t inflight_entries;
};

void vtc__vhost_ring_init(struct vtc__vhost_ring *r, struct vtc_port *port,
			  unsigned int index,
			  void (*heard)(struct vtc__vhost_ring *ring));

/*
 * Stop it, close what it has, forget all. Its record stays as it is: what is not done is
 * done by a successor.
 */
void vtc__vhost_ring_clear(struct vtc__vhost_ring *r);

/*
 * Start a ring that has all that it needs, and go on elsewhere with one whose addresses
 * mean another place now; one whose addresses are nowhere waits. -EPROTO: what is in its
 * memory makes no sense, so that it is to be taken out of use; other errors are the
 * frontend's, or ours.
 */
int vtc__vhost_ring_update(struct vtc__vhost_ring *r, struct vtc_ctx *ctx,
			   const struct vtc__vhost_setting *setting,
			   const char **ret_why);

/* Stop it for good, with nothing in flight; the base says where. */
void vtc__vhost_ring_stop(struct vtc__vhost_ring *r);

/* Descriptors are taken over; -1: there is none. 0, -EPROTO if it is no eventfd, ... */
int vtc__vhost_ring_set_kick(struct vtc__vhost_ring *r, int fd);
int vtc__vhost_ring_set_call(struct vtc__vhost_ring *r, int fd);
int vtc__vhost_ring_set_err(struct vtc__vhost_ring *r, int fd);

/* Watch the kick, in the loop of the port; without a kick there is nothing to watch. */
int vtc__vhost_ring_watch(struct vtc__vhost_ring *r);
void vtc__vhost_ring_forget(struct vtc__vhost_ring *r);

/*
 * For the relay, on a ring that runs. Negative: the ring cannot go on, and is to be taken
 * out of use; -ENOSPC: because of a chain that is too long.
 */
int vtc__vhost_ring_take(struct vtc__vhost_ring *r, struct vtc__burst *burst,
			 unsigned int max);
int vtc__vhost_ring_complete(struct vtc__vhost_ring *r, const struct vtc_done *done,
			     unsigned int taken, unsigned int used);
/* Chains that were taken are not done with; only those that were not used go back. */
int vtc__vhost_ring_hold(struct vtc__vhost_ring *r, unsigned int taken,
			 unsigned int used);
/* Give back what the guest has sent, unread, but at most as much as the ring holds. */
int vtc__vhost_ring_discard(struct vtc__vhost_ring *r, struct vtc__burst *burst);
/* 1: there is nothing, and a notification will come; 0: look again. */
int vtc__vhost_ring_arm(struct vtc__vhost_ring *r);

/* Take a ring out of use, for a constant reason, and tell the frontend. */
void vtc__vhost_ring_fail(struct vtc__vhost_ring *r, const char *why);

static inline bool vtc__vhost_ring_is_usable(const struct vtc__vhost_ring *r)
{
	return r->vring && r->enabled;
}

#endif
