/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A journal: what was changed, by whom, and what it takes to undo it. A record is on the
 * disk before the change is made, so that whoever comes after a crash can put things
 * back. One journal is one file in the state directory and one lock; it is open only
 * while something is being changed.
 *
 *	open -> [add -> change]... -> close		what was added stays
 *	open -> [add -> change]... failure -> undo	back in reverse order
 *
 * The journal knows nothing of what its records mean: that is in the kinds that the
 * caller passes for undoing.
 */
#ifndef VTC__JOURNAL_H
#define VTC__JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctx.h"

#define VTC__JOURNAL_DATA_MAX 8192u
#define VTC__GROUP_LEN	      32
#define VTC__KIND_LEN	      16

struct vtc__record {
	uint64_t id;		    /* rising in the order of adding, never used twice */
	uint32_t pid;		    /* owner; 0: nobody, the change is to stay */
	uint64_t start;		    /* its start time, of /proc/PID/stat */
	uint32_t pidns;		    /* where pid counts, see process.h; 0: not known */
	char group[VTC__GROUP_LEN]; /* what belongs together; "": shared by all groups */
	char kind[VTC__KIND_LEN];   /* how to undo it */
	uint32_t tag; /* the caller's number for a part of a group; 0: none */
	uint32_t len;
	const void *data;
};

struct vtc__journal;

/*
 * Lock and read the journal of a name (letters, digits, '.', '_', '-'). Records of before
 * the machine's last start are dropped: what they tell of went with it. -EBUSY: still
 * locked by another process at the deadline (on vtc__now_ns()). -EBADMSG: damaged, or of
 * a later version; the file is left as it is. The error record says what to do; its
 * operation and subject are the caller's to replace.
 */
int vtc__journal_open(struct vtc_ctx *ctx, const char *name, uint64_t deadline_ns,
		      struct vtc__journal **ret_journal);
/* Unlock. The file is removed if no record is left. */
void vtc__journal_close(struct vtc__journal *journal);

struct vtc_ctx *vtc__journal_ctx(const struct vtc__journal *journal);

/* Names of the journals that begin with prefix and are not empty. */
int vtc__journal_list(struct vtc_ctx *ctx, const char *prefix, vtc__name_fn fn,
		      void *arg);

/* Add a record owned by this process; when it returns 0 the record is on the disk. */
int vtc__journal_add(struct vtc__journal *journal, const char *group, const char *kind,
		     uint32_t tag, const void *data, size_t len, uint64_t *ret_id);
/* New data for a record, as durable. -ENOENT: there is none. */
int vtc__journal_update(struct vtc__journal *journal, uint64_t id, const void *data,
			size_t len);
int vtc__journal_remove(struct vtc__journal *journal, uint64_t id);
/*
 * The records of a group that have this tag (0: all) to this process (keep false) or to
 * nobody (true), at once.
 */
int vtc__journal_own(struct vtc__journal *journal, const char *group, uint32_t tag,
		     bool keep);

/*
 * In order of id; prev NULL: the first. Valid until the next call that changes the
 * journal; a loop that changes it goes by ids: find_next() gives the first above id,
 * find_last() the last below it.
 */
const struct vtc__record *vtc__journal_foreach_next(const struct vtc__journal *journal,
						    const struct vtc__record *prev);
const struct vtc__record *vtc__journal_find(const struct vtc__journal *journal,
					    uint64_t id);
const struct vtc__record *vtc__journal_find_next(const struct vtc__journal *journal,
						 uint64_t id);
const struct vtc__record *vtc__journal_find_last(const struct vtc__journal *journal,
						 uint64_t id);

/*
 * Whether nobody owns it, or a process that lives. One whose number counts in another
 * PID namespace cannot be looked for: it is alive as long as that namespace may be.
 */
bool vtc__record_alive(const struct vtc__journal *journal,
		       const struct vtc__record *record);
bool vtc__record_mine(const struct vtc__journal *journal,
		      const struct vtc__record *record);

/*
 * How to undo a record. It must bear that the change was never made, or is undone
 * already, or that somebody changed the thing since (then it is left alone): all three
 * are 0. A thing that is gone needs no undoing, either. It writes the error record when
 * it fails, also if the kind is not known.
 */
typedef int (*vtc__undo_fn)(void *env, const struct vtc__record *record);

struct vtc__undone {
	unsigned int undone, failed;
	int error;	 /* the first that failed */
	char text[1024]; /* "kind: what happened", one line for each, cut if need be */
};

/*
 * Undo the records that wanted() picks, the last one first, and go on past failures. What
 * is undone is removed; what failed, or is of an unknown kind, stays. 0, or the first
 * failure. undone (may be NULL) is added to: it begins as zero.
 */
int vtc__journal_undo(struct vtc__journal *journal, vtc__undo_fn undo, void *env,
		      bool (*wanted)(void *arg, const struct vtc__record *record),
		      void *arg, struct vtc__undone *undone);

#endif
