/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Steps and transactions. All that pools do to the kernel is done in steps; a step is a
 * record in the card's journal, and a kind that knows how to do, check and undo it. What
 * the journal holds is all there is to know of a pool: there is no other copy of it.
 */
#ifndef VTC__STEP_H
#define VTC__STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "core/journal.h"
#include "uplink.h"

struct vtc__guard;

/* A change under way on one card. The journal is locked as long as it lives. */
struct vtc__txn {
	struct vtc_ctx *ctx;
	struct vtc__uplink uplink;
	struct vtc__journal *journal;
	struct vtc__guard *guard; /* opened by vtc__txn_guard() */
	const char *operation;	  /* for the error record: "request pool" */
	const struct vtc__step_kind *const *kinds;
	uint64_t first; /* records from this id on are this change's */
	/* What begin() put back: of dead processes, and of pools half undone before. */
	struct vtc__undone recovered;
	uint32_t recovered_pools; /* how many of these had a pool record */
};

struct vtc__step_kind {
	const char *name; /* in the journal; below VTC__KIND_LEN bytes */
	/*
	 * Do it, for the first time or again after it was lost. data may be completed
	 * (what the kernel chose), also if it fails; then *changed is set and it goes to
	 * the journal.
	 * Writes the error record when it fails; undo() must bear what it has done then.
	 */
	int (*apply)(struct vtc__txn *txn, void *data, size_t len, bool *changed);
	/* 1: as we left it; 0: lost; -errno. text says in words what was lost. */
	int (*check)(struct vtc__txn *txn, const void *data, size_t len, char *text,
		     size_t text_len);
	/*
	 * Undo it; see vtc__undo_fn for what it must bear. data may be what it was
	 * before apply() completed it. Writes the error record when it fails.
	 */
	int (*undo)(struct vtc__txn *txn, const void *data, size_t len);
};

/* All kinds there are (kinds.c): a list that ends with NULL. */
extern const struct vtc__step_kind *const vtc__step_kinds[];
const struct vtc__step_kind *vtc__step_kind_find(const struct vtc__txn *txn,
						 const char *name);

/*
 * Lock the card's journal, put back what dead processes left, try again what could not be
 * undone before (groups without a record of kind "pool"), and begin. What cannot be undone
 * is no failure here: it is told in txn->recovered, and logged. The error record is
 * written. end() lets go and keeps what was done; abort() undoes it first (the error
 * record keeps the first failure, what could not be undone is added to it).
 */
int vtc__txn_begin(struct vtc_ctx *ctx, const struct vtc__uplink *uplink,
		   const char *operation, struct vtc__txn *txn);
/* The same with other kinds than vtc__step_kinds. */
int vtc__txn_begin_kinds(struct vtc_ctx *ctx, const struct vtc__uplink *uplink,
			 const char *operation, const struct vtc__step_kind *const *kinds,
			 struct vtc__txn *txn);
void vtc__txn_end(struct vtc__txn *txn);
void vtc__txn_abort(struct vtc__txn *txn);

/* The guard program that is on the card; -ENOENT: none. Closed with the transaction. */
int vtc__txn_guard(struct vtc__txn *txn, struct vtc__guard **ret_guard);
/* The same after it was attached anew: forget the one that was opened. */
void vtc__txn_drop_guard(struct vtc__txn *txn);

/*
 * Note a step and do it. group "": shared by all pools of the card, undone when the last
 * of them goes. If it fails it is undone; if that fails, too, its record stays.
 */
int vtc__step_do(struct vtc__txn *txn, const char *group,
		 const struct vtc__step_kind *kind, uint32_t tag, const void *data,
		 size_t len, uint64_t *ret_id);
/* Undo one step and forget it. */
int vtc__step_undo(struct vtc__txn *txn, uint64_t id);
/*
 * Undo the steps of a group that have this tag (0: all), the last one first. undone (may
 * be NULL) is added to: it begins as zero.
 */
int vtc__step_undo_group(struct vtc__txn *txn, const char *group, uint32_t tag,
			 struct vtc__undone *undone);
/* All steps from this id on. */
int vtc__step_undo_since(struct vtc__txn *txn, uint64_t id, struct vtc__undone *undone);
/* What dead processes left, into txn->recovered; for txn.c. */
void vtc__step_recover(struct vtc__txn *txn);
/* If no group is left: undo the shared steps, too. */
int vtc__step_undo_shared(struct vtc__txn *txn, struct vtc__undone *undone);
/* First record of a group and kind (NULL: any) above id (0: from the start); or NULL. */
const struct vtc__record *vtc__step_find(struct vtc__txn *txn, const char *group,
					 const char *kind, uint64_t id);

#endif
