/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A pool's slot in the guard: which queues are its own, and where frames go that no
 * socket takes.
 *
 * The target interface is known by its index as long as the kernel has it in the guard's
 * tables, and by its name after that: the index of an interface that is gone may be
 * another one's by now. So it can be renamed, and a virtual machine that makes its tap
 * anew gets its frames back with the next audit; meanwhile they go to the stack.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pool.h"

struct slot_step {
	struct vtc__guard_slot slot;
	uint32_t number;
	uint32_t everything;
	char target[VTC__IFNAME_LEN]; /* "": none is wanted */
	char seen[VTC__IFNAME_LEN];   /* what it was called last */
};

static int load(const void *data, size_t len, struct slot_step *ret)
{
	if (len != sizeof(*ret))
		return -EBADMSG;
	memcpy(ret, data, sizeof(*ret));
	ret->target[sizeof(ret->target) - 1] = '\0';
	ret->seen[sizeof(ret->seen) - 1] = '\0';
	return ret->number < VTC__GUARD_SLOTS ? 0 : -EBADMSG;
}

static int explain(struct vtc__txn *txn, int err, const struct slot_step *step)
{
	vtc__err(txn->ctx, err, VTC_ERROR_ORIGIN_SYSTEM, txn->operation,
		 "%s: the guard's tables", txn->uplink.name);
	if (err == -EOPNOTSUPP && step->target[0]) {
		vtc__err_message(txn->ctx,
				 "interface %s takes no frames from XDP programs",
				 step->target);
		vtc__err_hint(txn->ctx, "a tap does, and a veth whose peer has GRO on: "
					"ethtool -K PEER gro on");
	}
	return err;
}

/*
 * Whether the index still means the interface that we entered. The kernel takes an
 * interface that goes, or is moved, out of the tables. If the tables are new there is
 * nothing but the name to go by.
 */
static bool is_known(struct vtc_ctx *ctx, const struct vtc__guard_slot *now,
		     const struct slot_step *step)
{
	char name[VTC__IFNAME_LEN];

	if (!step->slot.target)
		return false;
	if (now->used)
		return now->target == step->slot.target;
	return vtc__ifname(ctx, step->slot.target, name) == 0 &&
	       strcmp(name, step->seen) == 0;
}

/* The index of the target today; 0: there is none. now: what the tables have. */
static uint32_t target_now(struct vtc_ctx *ctx, const struct vtc__guard_slot *now,
			   const struct slot_step *step)
{
	uint32_t ifindex;

	if (is_known(ctx, now, step))
		return step->slot.target;
	if (!step->target[0] || vtc__ifindex(ctx, step->target, &ifindex))
		return 0;
	return ifindex;
}

/* Find out its name of today; false: it is as it was. */
static bool see(struct vtc_ctx *ctx, struct slot_step *step)
{
	char name[VTC__IFNAME_LEN] = "";

	if (!step->slot.target || vtc__ifname(ctx, step->slot.target, name) ||
	    strcmp(name, step->seen) == 0)
		return false;
	memset(step->seen, 0, sizeof(step->seen));
	memcpy(step->seen, name, strlen(name));
	return true;
}

static int enter(struct vtc__guard *guard, const struct slot_step *step)
{
	const struct vtc__guard_slot none = { .used = 0 };
	int err = vtc__guard_set_slot(guard, step->number, &step->slot);

	if (err || !step->everything)
		return err;
	err = vtc__guard_set_everything(guard, step->number);
	if (err)
		(void)vtc__guard_set_slot(guard, step->number, &none);
	return err;
}

static int slot_apply(struct vtc__txn *txn, void *data, size_t len, bool *changed)
{
	struct slot_step step = { .target = "" };
	struct vtc__guard_slot now;
	struct vtc__guard *guard;
	uint32_t target;
	int err = load(data, len, &step);

	if (!err)
		err = vtc__txn_guard(txn, &guard);
	if (!err)
		err = vtc__guard_get_slot(guard, step.number, &now);
	if (err)
		return explain(txn, err, &step);
	target = target_now(txn->ctx, &now, &step);
	*changed = target != step.slot.target;
	step.slot.target = target;
	if (see(txn->ctx, &step))
		*changed = true;
	err = enter(guard, &step);
	if (err)
		return explain(txn, err, &step);
	memcpy(data, &step, sizeof(step));
	return 0;
}

static int check_tables(struct vtc__guard *guard, const struct vtc__guard_slot *now,
			const struct slot_step *step)
{
	uint32_t everything = VTC__GUARD_SLOTS;
	int err = step->everything ? vtc__guard_get_everything(guard, &everything) : 0;

	if (err)
		return err;
	return memcmp(now, &step->slot, sizeof(*now)) == 0 &&
	       (!step->everything || everything == step->number);
}

/* That it has another name now is no loss, but has to be known once the guard is lost. */
static int note_name(struct vtc__txn *txn, struct slot_step *step)
{
	const struct vtc__record *record = NULL;
	struct slot_step other;

	if (!see(txn->ctx, step))
		return 0;
	while ((record = vtc__journal_foreach_next(txn->journal, record)))
		if (strcmp(record->kind, vtc__step_slot.name) == 0 &&
		    load(record->data, record->len, &other) == 0 &&
		    other.number == step->number)
			return vtc__journal_update(txn->journal, record->id, step,
						   sizeof(*step));
	return 0;
}

static void tell_lost(const struct slot_step *step, uint32_t target, char *text,
		      size_t len)
{
	if (target == step->slot.target)
		snprintf(text, len,
			 "the pool or its target was not in the guard's tables");
	else
		snprintf(text, len,
			 target ? "the target %s is there again"
				: "the target %s is gone: its frames go to the stack",
			 step->target);
}

static int slot_check(struct vtc__txn *txn, const void *data, size_t len, char *text,
		      size_t text_len)
{
	struct vtc__guard_slot now = { .used = 0 };
	struct vtc__guard *guard;
	struct slot_step step;
	uint32_t target;
	int ok = load(data, len, &step);

	if (ok)
		return ok;
	ok = vtc__txn_guard(txn, &guard);
	if (!ok)
		ok = vtc__guard_get_slot(guard, step.number, &now);
	if (ok && ok != -ENOENT)
		return ok;
	target = target_now(txn->ctx, &now, &step);
	ok = ok ? 0 : check_tables(guard, &now, &step);
	if (ok == 1 && target == step.slot.target) {
		ok = note_name(txn, &step);
		return ok ? ok : 1;
	}
	if (ok >= 0)
		tell_lost(&step, target, text, text_len);
	return ok < 0 ? ok : 0;
}

static int leave(struct vtc__guard *guard, const struct slot_step *step)
{
	const struct vtc__guard_slot none = { .used = 0 };
	uint32_t everything;
	int err = vtc__guard_get_everything(guard, &everything);

	if (!err && step->everything && everything == step->number)
		err = vtc__guard_set_everything(guard, VTC__GUARD_SLOTS);
	if (!err)
		err = vtc__guard_set_slot(guard, step->number, &none);
	return err;
}

static int slot_undo(struct vtc__txn *txn, const void *data, size_t len)
{
	struct slot_step step = { .target = "" };
	struct vtc__guard *guard;
	int err = load(data, len, &step);

	if (!err)
		err = vtc__txn_guard(txn, &guard);
	if (!err)
		err = leave(guard, &step);
	/* The tables are gone with the program. */
	if (err == -ENOENT || err == -ENODEV)
		return 0;
	return err ? explain(txn, err, &step) : 0;
}

const struct vtc__step_kind vtc__step_slot = {
	.name = "slot",
	.apply = slot_apply,
	.check = slot_check,
	.undo = slot_undo,
};

int vtc__pool_do_slot(struct vtc__txn *txn, struct vtc_pool *pool)
{
	const struct vtc__pool_data *data = &pool->data;
	bool own = pool->backend->own_queues;
	struct slot_step step = {
		.slot = {
			.used = 1,
			.group_copy = !!(data->flags & VTC_POOL_F_GROUP_COPY),
			.target = data->target,
			.queue_first = own ? data->queue_first : 0,
			.queue_count = own ? data->queue_count : 0,
		},
		.number = data->slot,
		.everything = !!(data->flags & VTC_POOL_F_EVERYTHING),
	};

	memcpy(step.target, data->target_name, sizeof(step.target));
	memcpy(step.seen, data->target_name, sizeof(step.seen));
	return vtc__step_do(txn, pool->name, &vtc__step_slot, 0, &step, sizeof(step),
			    NULL);
}

uint64_t vtc__pool_used_slots(struct vtc__txn *txn)
{
	const struct vtc__record *record = NULL;
	struct slot_step step;
	uint64_t used = 0;

	while ((record = vtc__journal_foreach_next(txn->journal, record)))
		if (strcmp(record->kind, vtc__step_slot.name) == 0 &&
		    load(record->data, record->len, &step) == 0)
			used |= UINT64_C(1) << step.number;
	return used;
}

void vtc__pool_load_target(struct vtc__txn *txn, struct vtc_pool *pool)
{
	const struct vtc__record *record =
		vtc__step_find(txn, pool->name, vtc__step_slot.name, 0);
	struct slot_step step;

	if (record && load(record->data, record->len, &step) == 0)
		pool->data.target = step.slot.target;
}
