/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Undoing what a journal tells of. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctx.h"
#include "journal.h"

/* What the kernel or the library said, in the words of the error record if it is new. */
static const char *reason(const struct vtc_error *error, int err)
{
	const char *text;

	if (error->code == err && error->message[0])
		return error->message;
	text = strerrordesc_np(-err);
	return text ? text : "unknown error";
}

static void note_failure(struct vtc__undone *undone, const char *kind, const char *text,
			 int err)
{
	size_t used = strlen(undone->text);

	undone->failed++;
	if (!undone->error)
		undone->error = err;
	snprintf(undone->text + used, sizeof(undone->text) - used, "%s%s: %s",
		 used ? "\n" : "", kind, text);
}

static int undo_one(struct vtc__journal *journal, struct vtc_ctx *ctx, vtc__undo_fn undo,
		    void *env, const struct vtc__record *record,
		    struct vtc__undone *undone)
{
	char kind[VTC__KIND_LEN];
	int err;

	memcpy(kind, record->kind, sizeof(kind));
	ctx->error.code = 0;
	err = undo(env, record);
	if (err) {
		note_failure(undone, kind, reason(&ctx->error, err), err);
		return err;
	}
	err = vtc__journal_remove(journal, record->id);
	if (err)
		note_failure(undone, kind, "undone, but the journal cannot be written",
			     err);
	else
		undone->undone++;
	return err;
}

int vtc__journal_undo(struct vtc__journal *journal, vtc__undo_fn undo, void *env,
		      bool (*wanted)(void *arg, const struct vtc__record *record),
		      void *arg, struct vtc__undone *undone)
{
	struct vtc_ctx *ctx = vtc__journal_ctx(journal);
	struct vtc__undone own = { .undone = 0 };
	const struct vtc__record *record;
	uint64_t id = UINT64_MAX;
	int err, first = 0;

	if (!undone)
		undone = &own;
	while ((record = vtc__journal_find_last(journal, id))) {
		id = record->id;
		if (!wanted(arg, record))
			continue;
		err = undo_one(journal, ctx, undo, env, record, undone);
		if (!first)
			first = err;
	}
	return first;
}
