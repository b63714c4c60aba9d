/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making a pool: what is asked for, whether there is room, and who shall do it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/opts.h"
#include "core/text.h"
#include "pool.h"

#define OPERATION "request pool"
#define FLAGS                                                              \
	(VTC_POOL_F_KEEP | VTC_POOL_F_EVERYTHING | VTC_POOL_F_GROUP_COPY | \
	 VTC_POOL_F_GENERIC_XDP | VTC_POOL_F_PLAIN_XDP)
#define AUDIT_MS 5000

bool vtc__pool_name_ok(const char *name)
{
	size_t len = strlen(name);

	return len && len <= VTC_POOL_NAME_MAX && name[0] != '.' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

static const char *find_bad_option(const struct vtc_pool_opts *opts)
{
	if (opts->flags & ~FLAGS)
		return "opts.flags: an unknown bit";
	if (opts->reserved)
		return "opts.reserved: not 0";
	if (opts->backend >= VTC_POOL_BACKEND_COUNT)
		return "opts.backend: unknown";
	if (opts->queues > VTC_POOL_QUEUES_MAX)
		return "opts.queues: above VTC_POOL_QUEUES_MAX";
	if (opts->name && !vtc__pool_name_ok(opts->name))
		return "opts.name: 1 to 31 letters, digits, '.', '_', '-', "
		       "no '.' at the start";
	if (opts->target && strlen(opts->target) >= VTC__IFNAME_LEN)
		return "opts.target: longer than a name of an interface";
	return NULL;
}

int vtc__pool_load_opts(struct vtc_ctx *ctx, const char *operation,
			const struct vtc_pool_opts *given, struct vtc_pool_opts *ret)
{
	struct vtc_pool_opts opts;
	const char *bad;
	int err = vtc__opts_load(&opts, sizeof(opts), sizeof(opts), given);

	if (err)
		return vtc__err(ctx, err, VTC_ERROR_ORIGIN_ARG, operation, "opts.sz");
	bad = find_bad_option(&opts);
	if (bad)
		return vtc__err_arg(ctx, operation, bad);
	if (opts.target && !opts.target[0])
		opts.target = NULL;
	if (!opts.queues)
		opts.queues = 1;
	if (!opts.audit_ms)
		opts.audit_ms = AUDIT_MS;
	*ret = opts;
	return 0;
}

/* ---- Whether there is room ---- */

static int find_target(const struct vtc__uplink *uplink, const struct vtc_pool_opts *opts,
		       struct vtc__pool_data *data)
{
	struct vtc_ctx *ctx = uplink->ctx;
	int err;

	if (!opts->target)
		return 0;
	err = vtc__ifindex(ctx, opts->target, &data->target);
	if (err) {
		vtc__err(ctx, err, VTC_ERROR_ORIGIN_SYSTEM, OPERATION, "target %s",
			 opts->target);
		vtc__err_message(ctx, "there is no such interface");
		vtc__err_hint(ctx, "make it first: ip tuntap add %s mode tap",
			      opts->target);
		return err;
	}
	if (data->target == uplink->ifindex)
		return vtc__err_arg(ctx, OPERATION, "opts.target: the card itself");
	return vtc__text_copy(data->target_name, sizeof(data->target_name), opts->target);
}

static int explain_exists(struct vtc__txn *txn, const struct vtc_pool *pool,
			  const struct vtc__record *record)
{
	bool whole = vtc__step_find(txn, pool->name, vtc__step_pool.name, 0);

	vtc__pool_err(pool, -EEXIST, VTC_ERROR_ORIGIN_LIBRARY, OPERATION);
	vtc__err_message(pool->ctx,
			 whole ? "the card has a pool of this name"
			       : "of a pool of this name something is left that could "
				 "not be undone: %s",
			 record->kind);
	vtc__err_hint(pool->ctx, whole ? "take another name, or release that one"
				       : "take another name, or see why with "
					 "vtcctl pool recover");
	return -EEXIST;
}

static int explain_everything(const struct vtc_pool *pool,
			      const struct vtc__record *record)
{
	vtc__pool_err(pool, -EADDRINUSE, VTC_ERROR_ORIGIN_LIBRARY, OPERATION);
	vtc__err_message(pool->ctx, "pool %s takes everything already", record->group);
	vtc__err_hint(pool->ctx, "only one pool of a card can");
	return -EADDRINUSE;
}

static int explain_full(const struct vtc_pool *pool)
{
	vtc__pool_err(pool, -ENOSPC, VTC_ERROR_ORIGIN_LIBRARY, OPERATION);
	vtc__err_message(pool->ctx, "the card has %d pools, and more there cannot be",
			 VTC_POOL_MAX);
	return -ENOSPC;
}

/* Looks at the pools there are; picks the lowest slot that none of them has. */
static int find_room(struct vtc__txn *txn, struct vtc_pool *pool)
{
	const struct vtc__record *record = NULL;
	struct vtc__pool_data other;
	uint64_t used = 0;

	while ((record = vtc__journal_foreach_next(txn->journal, record))) {
		if (strcmp(record->group, pool->name) == 0)
			return explain_exists(txn, pool, record);
		if (strcmp(record->kind, vtc__step_pool.name) != 0 ||
		    vtc__pool_data_of(record, &other))
			continue;
		used |= UINT64_C(1) << other.slot;
		if (other.flags & pool->data.flags & VTC_POOL_F_EVERYTHING)
			return explain_everything(pool, record);
	}
	used |= vtc__pool_used_slots(txn);
	if (!~used)
		return explain_full(pool);
	pool->data.slot = (uint32_t)__builtin_ctzll(~used);
	return 0;
}

/* ---- Making it ---- */

static int make(struct vtc__txn *txn, struct vtc_pool *pool)
{
	int err;

	pool->backend = vtc__backend_find(pool->choice->backend);
	pool->data.backend = pool->choice->backend;
	err = pool->backend->request(txn, pool);
	if (!err)
		err = vtc__step_do(txn, pool->name, &vtc__step_pool, 0, &pool->data,
				   sizeof(pool->data), &pool->id);
	if (!err)
		err = vtc__pool_load(txn, pool);
	return err;
}

/* A backend that promised too much: the next one may do it. */
static bool next_best(struct vtc_pool *pool, const struct vtc_pool_opts *opts, int err)
{
	enum vtc_pool_backend failed = pool->choice->backend;

	if (err != -EOPNOTSUPP || opts->backend != VTC_POOL_BACKEND_AUTO || !failed)
		return false;
	pool->choice->of[failed].result = err;
	snprintf(pool->choice->of[failed].text, sizeof(pool->choice->of[failed].text),
		 "%.190s", pool->ctx->error.message);
	return true;
}

static int try_once(struct vtc_pool *pool, const struct vtc_pool_opts *opts)
{
	struct vtc__txn txn;
	int err = vtc__txn_begin(pool->ctx, &pool->uplink, OPERATION, &txn);

	if (err)
		return err;
	err = find_room(&txn, pool);
	if (!err) {
		vtc__choice_make(&txn, opts, pool->choice);
		if (!pool->choice->backend)
			err = vtc__choice_explain(pool, opts, OPERATION);
	}
	if (!err)
		err = make(&txn, pool);
	return vtc__pool_finish(pool, &txn, err);
}

static int request(struct vtc_pool *pool, const struct vtc_pool_opts *opts)
{
	const struct vtc__pool_data wanted = pool->data;
	int err = -EOPNOTSUPP;

	for (int i = 0; i < VTC_POOL_BACKEND_COUNT; i++) {
		pool->data = wanted;
		pool->id = 0;
		err = try_once(pool, opts);
		if (!err || !next_best(pool, opts, err))
			break;
	}
	return err;
}

static int prepare(struct vtc_pool *pool, const struct vtc_pool_opts *opts)
{
	pool->data.flags = opts->flags;
	pool->data.audit_ms = opts->audit_ms;
	pool->data.queue_count = opts->queues;
	pool->choice = calloc(1, sizeof(*pool->choice));
	if (!pool->choice)
		return vtc__err(pool->ctx, -ENOMEM, VTC_ERROR_ORIGIN_SYSTEM, OPERATION,
				"memory");
	return find_target(&pool->uplink, opts, &pool->data);
}

int vtc_pool_request(struct vtc_ctx *ctx, const char *nic,
		     const struct vtc_pool_opts *given, struct vtc_pool **ret_pool)
{
	struct vtc_pool_opts opts;
	struct vtc__uplink uplink;
	struct vtc_pool *pool;
	int err;

	if (!ctx)
		return -EINVAL;
	if (!nic || !ret_pool)
		return vtc__err_arg(ctx, OPERATION, nic ? "ret_pool" : "nic");
	err = vtc__pool_load_opts(ctx, OPERATION, given, &opts);
	if (err)
		return err;
	if (!opts.name)
		return vtc__err_arg(ctx, OPERATION, "opts.name");
	err = vtc__uplink_find(ctx, nic, OPERATION, &uplink);
	if (err)
		return err;
	pool = vtc__pool_new(&uplink, opts.name);
	if (!pool)
		return vtc__err(ctx, -ENOMEM, VTC_ERROR_ORIGIN_SYSTEM, OPERATION,
				"memory");
	err = prepare(pool, &opts);
	if (!err)
		err = request(pool, &opts);
	if (err) {
		vtc_pool_close(pool);
		return err;
	}
	*ret_pool = pool;
	return 0;
}
