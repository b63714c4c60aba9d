/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The audit: every step of a pool, and those that it shares with others, is looked at and
 * done again if it was lost. What is shared comes first; what builds on it after, in the
 * order in which it was made.
 *
 * A guard program that was attached anew has empty tables, for all pools of the card, so
 * whoever brings it back fills in the slots and filters of all. Sockets can only be
 * entered by the process that has them: each audit does so for its own.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/opts.h"
#include "pool.h"
#include "rate.h"

#define OPERATION   "audit pool"
#define AUDIT_FIRST sizeof(struct vtc_pool_audit)
#define FINDINGS    4096

struct audit {
	struct vtc__txn txn;
	struct vtc_pool *pool;
	struct vtc_pool_audit result;
	int error; /* the first repair that failed */
	bool guard_new;
	_Alignas(uint64_t) uint8_t data[VTC__JOURNAL_DATA_MAX]; /* of the step in hand */
};

/* A line that does not fit is left out. */
__attribute__((format(printf, 2, 3))) static void tell(struct audit *a,
						       const char *format, ...)
{
	char *text = a->pool->findings;
	size_t at = strlen(text);
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text + at, FINDINGS - at, format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= FINDINGS - at)
		text[at] = '\0';
}

static void failed(struct audit *a, const char *lost, int err)
{
	a->result.failed++;
	tell(a, "%s: not repaired: %s\n", lost, strerrordesc_np(-err));
	if (!a->error)
		a->error = err;
}

/* What came to be elsewhere than before goes again, if that cannot be noted. */
static int note(struct audit *a, const struct vtc__step_kind *kind, uint64_t id,
		size_t len)
{
	int err = vtc__journal_update(a->txn.journal, id, a->data, len);

	if (!err)
		return 0;
	(void)kind->undo(&a->txn, a->data, len);
	vtc__pool_err(a->pool, err, VTC_ERROR_ORIGIN_SYSTEM, OPERATION);
	vtc__err_message(a->pool->ctx, "the journal cannot be written");
	return err;
}

/* before: the error record of before; it is to be about the first that failed. */
static void tell_repair(struct audit *a, const char *lost, int err,
			const struct vtc_error *before)
{
	if (!err) {
		a->result.repaired++;
		tell(a, "%s: repaired\n", lost);
		return;
	}
	failed(a, lost, err);
	if (a->error != err || a->result.failed > 1)
		a->pool->ctx->error = *before;
}

static void repair(struct audit *a, const struct vtc__step_kind *kind, uint64_t id,
		   size_t len, const char *lost)
{
	struct vtc_error before = a->pool->ctx->error;
	bool changed = false;
	int err = kind->apply(&a->txn, a->data, len, &changed);

	if (!err && changed)
		err = note(a, kind, id, len);
	tell_repair(a, lost, err, &before);
	if (!err && kind == &vtc__step_guard)
		a->guard_new = true;
}

/* Works on a copy: a repair may change the journal. */
static void look_at(struct audit *a, const struct vtc__record *record)
{
	const struct vtc__step_kind *kind = vtc__step_kind_find(&a->txn, record->kind);
	char lost[160] = "", line[256];
	uint64_t id = record->id;
	size_t len = record->len;
	int state;

	if (!kind || len > sizeof(a->data))
		return;
	snprintf(line, sizeof(line), "%s%s%s", record->group, record->group[0] ? " " : "",
		 record->kind);
	memcpy(a->data, record->data, len);
	a->result.checked++;
	state = kind->check(&a->txn, a->data, len, lost, sizeof(lost));
	if (state == 1)
		return;
	snprintf(line + strlen(line), sizeof(line) - strlen(line), ": %s",
		 lost[0] ? lost : "lost");
	if (state == 0)
		repair(a, kind, id, len, line);
	else
		failed(a, line, state);
}

static bool is_table(const struct vtc__record *record)
{
	return strcmp(record->kind, vtc__step_slot.name) == 0 ||
	       strcmp(record->kind, vtc__step_filter.name) == 0;
}

static bool is_shared(const struct audit *a, const struct vtc__record *record)
{
	(void)a;
	return !record->group[0];
}

static bool is_own(const struct audit *a, const struct vtc__record *record)
{
	return strcmp(record->group, a->pool->name) == 0;
}

static bool is_of_others(const struct audit *a, const struct vtc__record *record)
{
	return !is_shared(a, record) && !is_own(a, record) && is_table(record);
}

static void walk(struct audit *a,
		 bool (*wanted)(const struct audit *a, const struct vtc__record *record))
{
	const struct vtc__record *record;
	uint64_t id = 0;

	while ((record = vtc__journal_find_next(a->txn.journal, id))) {
		id = record->id;
		if (wanted(a, record))
			look_at(a, record);
	}
}

static void enter_sockets(struct audit *a)
{
	int err = vtc__pool_enter_sockets(&a->txn, a->pool);

	if (!err || a->error)
		return;
	vtc__pool_err(a->pool, err, VTC_ERROR_ORIGIN_SYSTEM, OPERATION);
	vtc__err_message(a->pool->ctx, "sockets of the port cannot be entered");
	failed(a, "sockets of the port", err);
}

static void look_at_rate(struct audit *a)
{
	struct vtc_error before = a->pool->ctx->error;
	char lost[VTC__GROUP_LEN + 64];

	if (!vtc__rate_is_lost(&a->txn, a->pool))
		return;
	snprintf(lost, sizeof(lost), "%s rate: nothing kept it", a->pool->name);
	tell_repair(a, lost, vtc__rate_renew(&a->txn, a->pool), &before);
}

static void run(struct audit *a)
{
	walk(a, is_shared);
	walk(a, is_own);
	look_at_rate(a);
	if (a->guard_new)
		walk(a, is_of_others);
	enter_sockets(a);
	/* It may have another target, or another mode, than before. */
	(void)vtc__pool_load(&a->txn, a->pool);
}

static int audit_all(struct vtc_pool *pool, struct vtc_pool_audit *ret)
{
	struct audit *a = calloc(1, sizeof(*a));
	char *text = a ? calloc(1, FINDINGS) : NULL;
	int err;

	if (!text) {
		free(a);
		return vtc__pool_err(pool, -ENOMEM, VTC_ERROR_ORIGIN_SYSTEM, OPERATION);
	}
	err = vtc__pool_begin(pool, OPERATION, true, &a->txn);
	if (err) {
		free(text);
		free(a);
		return err;
	}
	a->pool = pool;
	free(pool->findings);
	pool->findings = text;
	run(a);
	/* What was made anew of a pool that stays is to stay, too. */
	(void)vtc__pool_finish(pool, &a->txn, 0);
	a->result.text = text;
	*ret = a->result;
	err = a->error;
	free(a);
	return err;
}

/* Where the card delivers to an interface, the pool that its port has there. */
static int audit_inner(struct vtc_pool *pool, struct vtc_pool_audit *found)
{
	struct vtc__pool_port *port = pool->port;
	struct vtc_pool *inner = port && port->inner ? port->inner(port) : NULL;
	struct vtc_pool_audit more = { .text = "" };
	int err = inner ? audit_all(inner, &more) : 0;

	found->checked += more.checked;
	found->repaired += more.repaired;
	found->failed += more.failed;
	if (more.text[0])
		strncat(pool->findings, more.text, FINDINGS - 1 - strlen(found->text));
	return err;
}

int vtc_pool_audit(struct vtc_pool *pool, struct vtc_pool_audit *audit)
{
	struct vtc_pool_audit found = { .text = "" };
	int err;

	if (!pool)
		return -EINVAL;
	if (audit && audit->sz < AUDIT_FIRST)
		return vtc__err_arg(pool->ctx, OPERATION, "audit.sz");
	err = audit_all(pool, &found);
	if (!err)
		err = audit_inner(pool, &found);
	if (audit)
		vtc__opts_give(audit, &found, sizeof(found));
	return err;
}
