/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which backend takes a pool, and why not the others. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool.h"

#define OPERATION "choose backend"

/* So that the reasons of all backends fit into an error record. */
#define REASON_MAX 52

const struct vtc__backend *vtc__backend_find(uint32_t id)
{
	for (const struct vtc__backend *const *b = vtc__backends; *b; b++)
		if ((*b)->id == id)
			return *b;
	return NULL;
}

const char *vtc_pool_backend_name(enum vtc_pool_backend backend)
{
	const struct vtc__backend *found = vtc__backend_find((uint32_t)backend);

	if (backend == VTC_POOL_BACKEND_AUTO)
		return "auto";
	return found ? found->name : "unknown";
}

static void ask(struct vtc__txn *txn, const struct vtc_pool_opts *opts,
		const struct vtc__backend *backend, struct vtc_pool_choice *choice)
{
	char *text = choice->of[backend->id].text;
	size_t len = sizeof(choice->of[backend->id].text);
	int *result = &choice->of[backend->id].result;

	if (*result < 0)
		return;
	text[0] = '\0';
	if (opts->backend && opts->backend != backend->id) {
		*result = -ECANCELED;
		snprintf(text, len, "not asked for");
		return;
	}
	*result = backend->probe(txn, opts, text, len);
	if (*result < 0 && !text[0])
		snprintf(text, len, "%s", strerrordesc_np(-*result));
	if (*result >= 0 && !choice->backend)
		choice->backend = backend->id;
}

void vtc__choice_make(struct vtc__txn *txn, const struct vtc_pool_opts *opts,
		      struct vtc_pool_choice *choice)
{
	struct vtc_error before = txn->ctx->error;

	choice->backend = VTC_POOL_BACKEND_AUTO;
	for (const struct vtc__backend *const *b = vtc__backends; *b; b++)
		ask(txn, opts, *b, choice);
	txn->ctx->error = before;
}

/* The first that says more than "cannot" is what the caller can do something about. */
static int result_of(const struct vtc_pool_choice *choice)
{
	for (const struct vtc__backend *const *b = vtc__backends; *b; b++) {
		int result = choice->of[(*b)->id].result;

		if (result < 0 && result != -EOPNOTSUPP && result != -ECANCELED)
			return result;
	}
	return -EOPNOTSUPP;
}

int vtc__choice_explain(const struct vtc_pool *pool, const struct vtc_pool_opts *opts,
			const char *operation)
{
	const struct vtc_pool_choice *choice = pool->choice;
	char all[VTC_POOL_BACKEND_COUNT * (REASON_MAX + 16)] = "";
	int err = result_of(choice);
	size_t at = 0;

	vtc__pool_err(pool, err, VTC_ERROR_ORIGIN_LIBRARY, operation);
	if (opts->backend) {
		vtc__err_message(pool->ctx, "%s: %s",
				 vtc_pool_backend_name(opts->backend),
				 choice->of[opts->backend].text);
		vtc__err_hint(pool->ctx, "leave the choice of the backend to the "
					 "library, or see vtcctl explain");
		return err;
	}
	for (const struct vtc__backend *const *b = vtc__backends; *b; b++) {
		const char *text = choice->of[(*b)->id].text;
		bool cut = strlen(text) > REASON_MAX;

		at += (size_t)snprintf(all + at, sizeof(all) - at, "%s%s: %.*s%s",
				       at ? "; " : "", vtc_pool_backend_name((*b)->id),
				       cut ? REASON_MAX - 3 : REASON_MAX, text,
				       cut ? "..." : "");
	}
	vtc__err_message(pool->ctx, "%s", all);
	vtc__err_hint(pool->ctx, "the reasons in full: vtc_pool_choice_new(), or "
				 "vtcctl explain");
	return err;
}

int vtc_pool_choice_new(struct vtc_ctx *ctx, const char *nic,
			const struct vtc_pool_opts *given,
			struct vtc_pool_choice **ret_choice)
{
	struct vtc_pool_choice *choice;
	struct vtc_pool_opts opts;
	struct vtc__uplink uplink;
	struct vtc__txn txn;
	int err;

	if (!ctx)
		return -EINVAL;
	if (!nic || !ret_choice)
		return vtc__err_arg(ctx, OPERATION, nic ? "ret_choice" : "nic");
	err = vtc__pool_load_opts(ctx, OPERATION, given, &opts);
	if (!err)
		err = vtc__uplink_find(ctx, nic, OPERATION, &uplink);
	if (err)
		return err;
	choice = calloc(1, sizeof(*choice));
	if (!choice)
		return vtc__err(ctx, -ENOMEM, VTC_ERROR_ORIGIN_SYSTEM, OPERATION,
				"memory");
	err = vtc__txn_begin(ctx, &uplink, OPERATION, &txn);
	if (err) {
		free(choice);
		return err;
	}
	vtc__choice_make(&txn, &opts, choice);
	vtc__txn_end(&txn);
	*ret_choice = choice;
	return 0;
}

void vtc_pool_choice_free(struct vtc_pool_choice *choice)
{
	free(choice);
}

enum vtc_pool_backend vtc_pool_choice_get_backend(const struct vtc_pool_choice *choice)
{
	return choice ? choice->backend : VTC_POOL_BACKEND_AUTO;
}

int vtc_pool_choice_get_reason(const struct vtc_pool_choice *choice,
			       enum vtc_pool_backend backend, const char **ret_text)
{
	if (!choice || !ret_text || !vtc__backend_find(backend))
		return -EINVAL;
	*ret_text = choice->of[backend].text;
	return choice->of[backend].result >= 0;
}

const struct vtc_pool_choice *vtc_pool_get_choice(const struct vtc_pool *pool)
{
	return pool ? pool->choice : NULL;
}
