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
 * What a pool is: the data of the step "pool", which is the last to be done when a pool
 * is made and the first to be undone: a group without is no pool, but what is left of
 * one. Fixed for the pool's life.
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
	char target_name[VTC__IFNAME_LEN]; /* as it was asked for */
};

struct vtc__backend;

/* What ports on the pool want to be told; the port is the owner of the struct. */
struct vtc__pool_port {
	bool takes_parts; /* its sockets take frames that do not lie in one piece */
	/* The scheduler of the port's relay keeps a rate: what of it it can keep. */
	int (*set_rate)(struct vtc__pool_port *port, const struct vtc_rate *rate,
			struct vtc_rate_answer *answer);
	/* The socket on the n-th queue of the pool; -1: none. */
	int (*socket)(struct vtc__pool_port *port, unsigned int queue);
	/* A pool of the port's own, which is audited with this one. May be NULL. */
	struct vtc_pool *(*inner)(struct vtc__pool_port *port);
	/*
	 * What was sent, and found no room: fills tx_ numbers, adds to rx_dropped, and
	 * sets their valid bits. May be NULL.
	 */
	void (*stats)(struct vtc__pool_port *port, struct vtc_pool_stats *stats);
	/* Filters were added or removed; no transaction is under way. */
	void (*filters_changed)(struct vtc__pool_port *port);
};

struct vtc_pool {
	struct vtc_ctx *ctx;
	struct vtc__uplink uplink;
	char name[VTC__GROUP_LEN];
	uint64_t id; /* of its record "pool": another pool of the same name has another */
	struct vtc__pool_data data;
	const struct vtc__backend *backend;
	bool foreign; /* another living process owns it */
	bool closed;  /* by its user, while a port is on it */
	uint32_t owner;
	uint32_t guard_mode; /* enum vtc_pool_guard, as last seen */
	struct vtc_pool_choice *choice;
	struct vtc__pool_port *port;
	struct vtc__pool_watch *watch; /* events and timer; pool-watch.c */
	char netdev[VTC__IFNAME_LEN];
	char note[256];
	char *findings; /* text of the last audit */
};

/* ---- Handles (pool.c) ---- */

struct vtc_pool *vtc__pool_new(const struct vtc__uplink *uplink, const char *name);
/* A record of kind "pool". -EBADMSG: it makes no sense. */
int vtc__pool_data_of(const struct vtc__record *record, struct vtc__pool_data *ret);
/* Read from the journal what it is today. -ENOENT. Leaves the error record alone. */
int vtc__pool_load(struct vtc__txn *txn, struct vtc_pool *pool);

/*
 * Begin to change a pool, or (change false) to look at it: locks the card's journal and
 * takes notice of what others did meanwhile. -ENOENT: somebody released it; -EBUSY: it is
 * another living process's; -ENODEV: the card is gone. Writes the error record. Ends with
 * vtc__txn_end() or vtc__txn_abort().
 */
int vtc__pool_begin(struct vtc_pool *pool, const char *operation, bool change,
		    struct vtc__txn *txn);
/* The end of a change: end (and keep what is to be kept), or abort, by result; it. */
int vtc__pool_finish(struct vtc_pool *pool, struct vtc__txn *txn, int result);
/* Begin an error record whose subject is the pool. Hands code on. */
int vtc__pool_err(const struct vtc_pool *pool, int code, enum vtc_error_origin origin,
		  const char *operation);

struct vtc__backend {
	enum vtc_pool_backend id;
	const char *name;
	bool hardware;
	bool vlan_stripped;
	bool uses_guard;
	bool own_queues; /* nobody else's frames are meant to come on its queues */
	bool by_card;	 /* the card itself receives its frames, as any others */

	/*
	 * Whether it can make such a pool, without changing anything: 0, or -errno and
	 * the reason in why (a sentence without full stop). With 0, why is what it would
	 * use.
	 */
	int (*probe)(struct vtc__txn *txn, const struct vtc_pool_opts *opts, char *why,
		     size_t len);
	/*
	 * Make it: pool->data is filled, but for what the backend picks (queues, vf,
	 * netdev; queue_count is how many are asked for); steps as need be, of group
	 * pool->name. The step "pool" is done by the caller after. Writes the error
	 * record.
	 */
	int (*request)(struct vtc__txn *txn, struct vtc_pool *pool);
	/*
	 * Steps of group pool->name with this tag. The step "match" is done by the caller
	 * after. Writes the error record.
	 */
	int (*add_filter)(struct vtc__txn *txn, struct vtc_pool *pool,
			  const struct vtc_filter *filter, uint32_t tag);
	/*
	 * Before the steps with this tag are undone: give to other filters of the pool
	 * what they share with this one. Writes the error record. May be NULL.
	 */
	int (*leave_filter)(struct vtc__txn *txn, struct vtc_pool *pool,
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
	/*
	 * What is not as one might expect of this pool, for a person: "" if there is
	 * nothing. May be NULL.
	 */
	const char *(*note)(struct vtc__txn *txn, const struct vtc_pool *pool);
};

extern const struct vtc__backend vtc__backend_vf, vtc__backend_ntuple,
	vtc__backend_macvlan, vtc__backend_xdp, vtc__backend_tc;

/* In the order in which they are tried; ends with NULL. */
extern const struct vtc__backend *const vtc__backends[];

/* ---- Which backend (choice.c) ---- */

struct vtc_pool_choice {
	enum vtc_pool_backend backend; /* that is taken; AUTO: none */
	struct {
		int result;
		char text[192];
	} of[VTC_POOL_BACKEND_COUNT];
};

/* Ask all backends; what refused before (result below 0) is not asked again. */
void vtc__choice_make(struct vtc__txn *txn, const struct vtc_pool_opts *opts,
		      struct vtc_pool_choice *choice);
/* Nobody can do it: the error record, with all reasons. The result for the caller. */
int vtc__choice_explain(const struct vtc_pool *pool, const struct vtc_pool_opts *opts,
			const char *operation);
const struct vtc__backend *vtc__backend_find(uint32_t id); /* NULL: none */
/* Options as the caller gave them, checked. Writes the error record. */
int vtc__pool_load_opts(struct vtc_ctx *ctx, const char *operation,
			const struct vtc_pool_opts *given, struct vtc_pool_opts *ret);
bool vtc__pool_name_ok(const char *name);

/* ---- Filters (pool-filter.c) ---- */

/* A record of a filter (kind "match") and what it is; false: it makes no sense. */
bool vtc__pool_match_of(const struct vtc__record *record, struct vtc_filter *ret);
/* The filter of a group with this tag; NULL: none. */
const struct vtc__record *vtc__pool_find_tag(struct vtc__txn *txn, const char *group,
					     uint32_t tag);
/*
 * A step of a filter that goes is another filter's from now on, also if what comes after
 * fails. Nothing but the journal changes. Writes the error record.
 */
int vtc__pool_hand_over(struct vtc__txn *txn, struct vtc_pool *pool, uint64_t id,
			uint32_t tag);

/* ---- What backends share (pool-guard.c, pool-slot.c) ---- */

extern const struct vtc__step_kind vtc__step_address, vtc__step_filter, vtc__step_flood,
	vtc__step_guard, vtc__step_match, vtc__step_pool, vtc__step_slot;

/* Data of the step "guard". */
struct vtc__guard_step {
	struct vtc__guard_id id;
	uint32_t flags; /* VTC_POOL_F_ of the pool that brought it */
	uint32_t tags_hidden;
	char note[160];
};

/* The card's record of it; NULL: no guard is there. Valid as any record's data. */
const struct vtc__guard_step *vtc__pool_guard_step(struct vtc__txn *txn);
/* Slots that records tell of, as bits. */
uint64_t vtc__pool_used_slots(struct vtc__txn *txn);
/* The target of today, which may have been deleted and made again. */
void vtc__pool_load_target(struct vtc__txn *txn, struct vtc_pool *pool);

/*
 * The guard on the card (shared step "guard", if it is not there yet), and this pool's
 * slot in it (step "slot"); fills pool->note.
 */
int vtc__pool_do_guard(struct vtc__txn *txn, struct vtc_pool *pool);
/* Its parts. */
int vtc__pool_do_slot(struct vtc__txn *txn, struct vtc_pool *pool);
int vtc__pool_do_flood(struct vtc__txn *txn);
/* The guard's entry of a filter (step "filter"). */
int vtc__pool_do_guard_filter(struct vtc__txn *txn, struct vtc_pool *pool,
			      const struct vtc_filter *filter, uint32_t tag);

/*
 * That the card receives the frames of a filter (pool-address.c): step "address", and
 * the shared step "feature". Write the error record.
 */
int vtc__pool_do_address(struct vtc__txn *txn, struct vtc_pool *pool,
			 const struct vtc_filter *filter, uint32_t tag);
int vtc__pool_do_vlans(struct vtc__txn *txn);
/* Why it may not do so, for a person; "" if there is no reason. */
const char *vtc__pool_receive_note(struct vtc__txn *txn, const struct vtc_pool *pool);

/* The step that is the filter itself (kind "match", data struct vtc_filter). */
int vtc__pool_do_match(struct vtc__txn *txn, struct vtc_pool *pool,
		       const struct vtc_filter *filter, uint32_t tag);

/* ---- For the agency (pool-port.c) ---- */

/* One port on a pool; its sockets go into the guard, again after each repair. */
int vtc__pool_set_port(struct vtc_pool *pool, struct vtc__pool_port *port);
void vtc__pool_drop_port(struct vtc_pool *pool, struct vtc__pool_port *port);
/* The pool's filters have changed; no transaction is under way. */
void vtc__pool_tell_filters(struct vtc_pool *pool);

/* Put the sockets of the pool's port, if there is one, into the guard. */
int vtc__pool_enter_sockets(struct vtc__txn *txn, struct vtc_pool *pool);

/* ---- Events (pool-watch.c) ---- */

void vtc__watch_close(struct vtc_pool *pool);

/* ---- Rates (rate.c) ---- */

/* Tag of the steps that keep a pool's rate. */
#define VTC__TAG_RATE UINT32_MAX

#endif
