/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pool from the inside, and what a backend is. */
#ifndef VTC__POOL_H
#define VTC__POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vtc/pool.h>

#include "guard.h"
#include "step.h"

/*
 * What a pool is: the data of the step "pool", the first of its group. Fixed for its life.
 * The journal keeps it as it is, so it has no padding and grows at its end only.
 */
struct vtc__pool_data {
	uint32_t backend;
	uint32_t flags; /* VTC_POOL_F_ */
	uint32_t slot;	/* in the guard; also a number unique on the card */
	uint32_t queue_first, queue_count;
	uint32_t target; /* index of the target interface; 0: none */
	uint32_t netdev; /* index of its own interface (vf, macvlan); 0: none */
	uint32_t audit_ms;
	uint32_t vf; /* index of its VF plus 1; 0: none */
	uint32_t reserved;
};

/* A filter: the data of a backend's step for one begins with it. Its tag is its number. */
struct vtc__backend;

/* What ports on the pool want to be told; the port is the owner of the struct. */
struct vtc__pool_port {
	/* The scheduler of the port's relay keeps a rate: what of it it can keep. */
	int (*set_rate)(struct vtc__pool_port *port, const struct vtc_rate *rate,
			struct vtc_rate_answer *answer);
	/* The socket on the n-th queue of the pool; -1: none. */
	int (*socket)(struct vtc__pool_port *port, unsigned int queue);
};

struct vtc_pool {
	struct vtc_ctx *ctx;
	struct vtc__uplink uplink;
	char name[VTC__GROUP_LEN];
	struct vtc__pool_data data;
	const struct vtc__backend *backend;
	bool foreign; /* another living process owns it */
	bool kept;
	uint32_t owner;
	struct vtc_pool_choice *choice;
	struct vtc__pool_port *port;
	struct vtc__pool_watch *watch; /* events and timer; pool-watch.c */
	char target[VTC__IFNAME_LEN], netdev[VTC__IFNAME_LEN];
	char note[256];
	char *findings; /* text of the last audit */
	uint32_t next_tag;
};

struct vtc__backend {
	enum vtc_pool_backend id;
	bool hardware;
	bool vlan_stripped;
	bool uses_guard;

	/*
	 * Whether it can make such a pool, without changing anything: 0, or -errno and the
	 * reason in why (a sentence without full stop). With 0, why is what it would use.
	 */
	int (*probe)(struct vtc__txn *txn, const struct vtc_pool_opts *opts, char *why,
		     size_t len);
	/*
	 * Make it: pool->data is filled, but for what the backend picks (queues, vf,
	 * netdev); steps as need be, of group pool->name. The step "pool" is added by the
	 * caller before, and updated after. Writes the error record.
	 */
	int (*request)(struct vtc__txn *txn, struct vtc_pool *pool);
	/* Steps of group pool->name with this tag. Writes the error record. */
	int (*add_filter)(struct vtc__txn *txn, struct vtc_pool *pool,
			  const struct vtc_filter *filter, uint32_t tag);
	/*
	 * Whether a filter can be beside one of another pool: false: the hardware cannot
	 * tell them apart, or which one would win is not known.
	 */
	bool (*apart)(const struct vtc__uplink *uplink, const struct vtc_filter *a,
		      const struct vtc_filter *b);
	/* What the backend counts itself; ORs into stats->valid. May be NULL. */
	int (*stats)(struct vtc__txn *txn, struct vtc_pool *pool,
		     struct vtc_pool_stats *stats);
};

extern const struct vtc__backend vtc__backend_vf, vtc__backend_ntuple,
	vtc__backend_macvlan, vtc__backend_xdp, vtc__backend_tc;

/* In the order in which they are tried; ends with NULL. */
extern const struct vtc__backend *const vtc__backends[];

/* ---- What backends share (pool-guard.c) ---- */

/*
 * The guard on the card (shared step "guard", if it is not there yet), and this pool's
 * slot in it (step "slot"); fills pool->note.
 */
int vtc__pool_do_guard(struct vtc__txn *txn, struct vtc_pool *pool);
/* The guard's entry of a filter (step "filter"). */
int vtc__pool_do_guard_filter(struct vtc__txn *txn, struct vtc_pool *pool,
			      const struct vtc_filter *filter, uint32_t tag);

/* The step that is the filter itself (kind "match", data struct vtc_filter). */
int vtc__pool_do_match(struct vtc__txn *txn, struct vtc_pool *pool,
		       const struct vtc_filter *filter, uint32_t tag);

/* ---- For the agency (pool-port.c) ---- */

/* One port on a pool; its sockets go into the guard, again after each repair. */
int vtc__pool_set_port(struct vtc_pool *pool, struct vtc__pool_port *port);
void vtc__pool_drop_port(struct vtc_pool *pool, struct vtc__pool_port *port);

/* ---- Rates (rate.c) ---- */

/* Tag of the steps that keep a pool's rate. */
#define VTC__TAG_RATE UINT32_MAX

#endif
