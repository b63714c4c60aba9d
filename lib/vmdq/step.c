/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Steps: noted, done, undone. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "step.h"

const struct vtc__step_kind *vtc__step_kind_find(const struct vtc__txn *txn,
						 const char *name)
{
	for (const struct vtc__step_kind *const *k = txn->kinds; *k; k++)
		if (strcmp((*k)->name, name) == 0)
			return *k;
	return NULL;
}

const struct vtc__record *vtc__step_find(struct vtc__txn *txn, const char *group,
					 const char *kind, uint64_t id)
{
	const struct vtc__record *r = vtc__journal_find_next(txn->journal, id);

	while (r &&
	       (strcmp(r->group, group) != 0 || (kind && strcmp(r->kind, kind) != 0)))
		r = vtc__journal_foreach_next(txn->journal, r);
	return r;
}

static int journal_err(struct vtc__txn *txn, const char *kind, int err)
{
	vtc__err(txn->ctx, err, VTC_ERROR_ORIGIN_SYSTEM, txn->operation, "%s",
		 txn->uplink.name);
	vtc__err_message(txn->ctx, "the journal in %s cannot take the step %s",
			 txn->ctx->state_dir, kind);
	return err;
}

/* ---- Doing ---- */

/* It was not done, or is undone. */
static void forget(struct vtc__txn *txn, const char *kind, uint64_t id)
{
	int err = vtc__journal_remove(txn->journal, id);

	if (err)
		vtc__log(txn->ctx, VTC_LOG_WARNING,
			 "%s: the journal keeps a step that was not done (%s): %s",
			 txn->uplink.name, kind, strerrordesc_np(-err));
}

/*
 * A step that failed may have been done half, or wholly if only the kernel's answer was
 * lost. And where the journal could not take what the kernel chose, nobody else could
 * undo it. The error record stays that of the failure.
 */
static void take_back(struct vtc__txn *txn, const struct vtc__step_kind *kind,
		      uint64_t id, const void *data, size_t len, bool changed)
{
	struct vtc_error error = txn->ctx->error;
	int err = kind->undo(txn, data, len);

	txn->ctx->error = error;
	if (!err) {
		forget(txn, kind->name, id);
		return;
	}
	if (changed)
		(void)vtc__journal_update(txn->journal, id, data, len);
	vtc__log(txn->ctx, VTC_LOG_ERR, "%s: a step (%s) could not be undone: %s",
		 txn->uplink.name, kind->name, strerrordesc_np(-err));
}

int vtc__step_do(struct vtc__txn *txn, const char *group,
		 const struct vtc__step_kind *kind, uint32_t tag, const void *data,
		 size_t len, uint64_t *ret_id)
{
	/* Aligned for any struct that a kind may have. */
	_Alignas(max_align_t) char own[VTC__JOURNAL_DATA_MAX];
	bool changed = false;
	uint64_t id;
	int err = vtc__journal_add(txn->journal, group, kind->name, tag, data, len, &id);

	if (err)
		return journal_err(txn, kind->name, err);
	if (len)
		memcpy(own, data, len);
	err = kind->apply(txn, own, len, &changed);
	if (!err && changed) {
		err = vtc__journal_update(txn->journal, id, own, len);
		if (err)
			journal_err(txn, kind->name, err);
	}
	if (err) {
		take_back(txn, kind, id, own, len, changed);
		return err;
	}
	if (ret_id)
		*ret_id = id;
	return 0;
}

/* ---- Undoing ---- */

static int undo_record(void *env, const struct vtc__record *record)
{
	struct vtc__txn *txn = env;
	const struct vtc__step_kind *kind = vtc__step_kind_find(txn, record->kind);

	if (kind)
		return kind->undo(txn, record->data, record->len);
	vtc__err(txn->ctx, -EOPNOTSUPP, VTC_ERROR_ORIGIN_LIBRARY, txn->operation, "%s",
		 txn->uplink.name);
	vtc__err_message(txn->ctx, "this version of libvtc does not know how to undo it");
	vtc__err_hint(txn->ctx, "use the version that did it");
	return -EOPNOTSUPP;
}

struct pick {
	const char *group;
	uint32_t tag;
	uint64_t id;
};

static bool is_id(void *arg, const struct vtc__record *record)
{
	const struct pick *pick = arg;

	return record->id == pick->id;
}

static bool is_since(void *arg, const struct vtc__record *record)
{
	const struct pick *pick = arg;

	return record->id >= pick->id;
}

static bool is_of_group(void *arg, const struct vtc__record *record)
{
	const struct pick *pick = arg;

	return strcmp(record->group, pick->group) == 0 &&
	       (!pick->tag || record->tag == pick->tag);
}

int vtc__step_undo(struct vtc__txn *txn, uint64_t id)
{
	struct pick pick = { .id = id };

	return vtc__journal_undo(txn->journal, undo_record, txn, is_id, &pick, NULL);
}

int vtc__step_undo_since(struct vtc__txn *txn, uint64_t id, struct vtc__undone *undone)
{
	struct pick pick = { .id = id };

	return vtc__journal_undo(txn->journal, undo_record, txn, is_since, &pick, undone);
}

int vtc__step_undo_group(struct vtc__txn *txn, const char *group, uint32_t tag,
			 struct vtc__undone *undone)
{
	struct pick pick = { .group = group, .tag = tag };

	return vtc__journal_undo(txn->journal, undo_record, txn, is_of_group, &pick,
				 undone);
}

int vtc__step_undo_shared(struct vtc__txn *txn, struct vtc__undone *undone)
{
	const struct vtc__record *r = NULL;

	while ((r = vtc__journal_foreach_next(txn->journal, r)))
		if (r->group[0])
			return 0;
	return vtc__step_undo_group(txn, "", 0, undone);
}

/* ---- What the dead left ---- */

struct dead {
	struct vtc__txn *txn;
	/*
	 * The last answer. Records of one owner follow one another, and each question is
	 * a look at /proc.
	 */
	uint32_t pid, pidns;
	uint64_t start;
	bool asked, alive;
	char group[VTC__GROUP_LEN];
	bool whole;
};

/* A pool is begun with its record and ends with it: a group without is a ruin. */
static bool is_whole(struct dead *d, const char *group)
{
	if (strcmp(d->group, group) != 0) {
		memcpy(d->group, group, sizeof(d->group));
		d->whole = vtc__step_find(d->txn, group, "pool", 0);
	}
	return d->whole;
}

static bool is_owned(struct dead *d, const struct vtc__record *r)
{
	/* What is kept is kept on a card; nobody can get hold of it without. */
	if (d->txn->uplink.gone && !r->pid)
		return false;
	if (!d->asked || r->pid != d->pid || r->pidns != d->pidns ||
	    r->start != d->start) {
		d->alive = vtc__record_alive(d->txn->journal, r);
		d->pid = r->pid;
		d->pidns = r->pidns;
		d->start = r->start;
		d->asked = true;
	}
	return d->alive;
}

static bool is_dead(void *arg, const struct vtc__record *r)
{
	struct dead *d = arg;

	/* Shared steps live as long as any group, whoever did them. */
	if (!r->group[0] || (is_owned(d, r) && is_whole(d, r->group)))
		return false;
	if (strcmp(r->kind, "pool") == 0)
		d->txn->recovered_pools++;
	return true;
}

void vtc__step_recover(struct vtc__txn *txn)
{
	struct vtc_error error = txn->ctx->error;
	struct vtc__undone *undone = &txn->recovered;
	struct dead dead = { .txn = txn };

	(void)vtc__journal_undo(txn->journal, undo_record, txn, is_dead, &dead, undone);
	(void)vtc__step_undo_shared(txn, undone);
	txn->ctx->error = error;
	if (undone->undone)
		vtc__log(txn->ctx, VTC_LOG_INFO,
			 "%s: %u steps that nobody owns any more were undone",
			 txn->uplink.name, undone->undone);
	if (undone->failed)
		vtc__log(txn->ctx, VTC_LOG_WARNING,
			 "%s: %u steps could not be undone: %s", txn->uplink.name,
			 undone->failed, undone->text);
}
