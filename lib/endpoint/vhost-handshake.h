/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a frontend and a backend say to each other until the rings run. The backend's
 * replies drive it: nothing here waits.
 */
#ifndef VTC__VHOST_HANDSHAKE_H
#define VTC__VHOST_HANDSHAKE_H

#include <stdint.h>

#include "vhost-link.h"
#include "vhost-pool.h"

/* What it has come to. */
enum vtc__vhost_step {
	VTC__VHOST_IDLE,
	VTC__VHOST_WAIT_FEATURES,
	VTC__VHOST_WAIT_PROTOCOL,
	VTC__VHOST_WAIT_QUEUES,
	VTC__VHOST_AGREED, /* rings can be made; then go_on() */
	VTC__VHOST_WAIT_RINGS,
	VTC__VHOST_RUNNING,
};

/* Of a ring: what the backend hears, and what we hear. */
struct vtc__vhost_bells {
	int kick;
	int call;
};

struct vtc__vhost_handshake {
	/* Set by the owner, who is also to set step to IDLE when the backend goes. */
	struct vtc__vhost_link *link;
	const struct vtc__vhost_pool *pool;
	const struct vtc__vhost_bells *bells; /* of all rings */
	uint64_t wanted;		      /* features */
	uint64_t needs_mergeable;	      /* of these, those not without MRG_RXBUF */
	uint32_t wanted_pairs;

	enum vtc__vhost_step step;
	uint64_t offered;
	uint64_t features;
	uint64_t protocol;
	uint32_t pairs;
	uint32_t next;	 /* ring to set up */
	const char *why; /* it failed */
};

/* A backend is there. */
int vtc__vhost_handshake_begin(struct vtc__vhost_handshake *h);
/* A reply. 0: look at the step; else negative, with a reason in why. */
int vtc__vhost_handshake_message(struct vtc__vhost_handshake *h,
				 const struct vtc__vhost_message *m);
int vtc__vhost_handshake_go_on(struct vtc__vhost_handshake *h);

#endif
