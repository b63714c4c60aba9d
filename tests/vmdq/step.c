/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Steps and transactions on a world of eight numbers: whatever fails, and whoever dies
 * where, the numbers are in the end as before or as asked for.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vtc/ctx.h>

#include "fakekernel.h"
#include "vmdq/step.h"
#include "vtct.h"

#define CARD	7
#define NUMBERS 8

static struct vtct_tree *tree;
static struct vtct_kernel *kernel;
static struct vtc_ctx *ctx;
static struct vtc__uplink card;
static struct vtc__sys sys;
static char log_text[4096];

/* The world, which a child changes as well; and what was done to it. */
static struct world {
	uint32_t number[NUMBERS];
	/* Bits, by place; late: it fails when it was done. */
	uint32_t apply_fails, apply_late, undo_fails;
	char trace[512];
	bool gone;
} * world;

/* The step "set": put a number in a place. */
struct set {
	uint32_t place, value, before, done;
};

static void trace(char what, uint32_t place)
{
	size_t used = strlen(world->trace);

	snprintf(world->trace + used, sizeof(world->trace) - used, "%c%u ", what, place);
}

static int set_apply(struct vtc__txn *txn, void *data, size_t len, bool *changed)
{
	struct set *set = data;

	ck_assert_uint_eq(len, sizeof(*set));
	if (world->apply_late & 1u << set->place)
		world->number[set->place] = set->value;
	if ((world->apply_fails | world->apply_late) & 1u << set->place) {
		vtc__err(txn->ctx, -EIO, VTC_ERROR_ORIGIN_LIBRARY, txn->operation, "set");
		vtc__err_message(txn->ctx, "place %u is stuck", set->place);
		return -EIO;
	}
	set->before = world->number[set->place];
	set->done = 1;
	world->number[set->place] = set->value;
	trace('+', set->place);
	*changed = true;
	return 0;
}

/*
 * What it was before is not known if it was killed before the journal had it; then it is
 * known to the world, where 0 was in all places.
 */
static int set_undo(struct vtc__txn *txn, const void *data, size_t len)
{
	const struct set *set = data;

	ck_assert_uint_eq(len, sizeof(*set));
	if (world->undo_fails & 1u << set->place) {
		vtc__err(txn->ctx, -EPERM, VTC_ERROR_ORIGIN_LIBRARY, txn->operation,
			 "set");
		vtc__err_message(txn->ctx, "place %u is locked", set->place);
		return -EPERM;
	}
	trace('-', set->place);
	if (world->number[set->place] == set->value)
		world->number[set->place] = set->done ? set->before : 0;
	world->gone = !txn->uplink.name[0];
	return 0;
}

static int pool_apply(struct vtc__txn *txn, void *data, size_t len, bool *changed)
{
	(void)txn, (void)data, (void)len, (void)changed;
	return 0;
}

static int pool_undo(struct vtc__txn *txn, const void *data, size_t len)
{
	(void)txn, (void)data, (void)len;
	return 0;
}

static const struct vtc__step_kind set_kind = { .name = "set",
						.apply = set_apply,
						.undo = set_undo };
static const struct vtc__step_kind pool_kind = { .name = "pool",
						 .apply = pool_apply,
						 .undo = pool_undo };
static const struct vtc__step_kind *const kinds[] = { &pool_kind, &set_kind, NULL };
static const struct vtc__step_kind *const no_kinds[] = { &pool_kind, NULL };

static struct {
	unsigned int kill, calls;
} killer;

static void count_call(void)
{
	if (++killer.calls == killer.kill)
		raise(SIGKILL);
}

static int counted_replace(void *priv, const char *dir, const char *name,
			   const void *data, size_t len)
{
	int err;

	count_call();
	err = vtct_sys.replace(priv, dir, name, data, len);
	count_call();
	return err;
}

static int counted_remove(void *priv, const char *dir, const char *name)
{
	int err;

	count_call();
	err = vtct_sys.remove(priv, dir, name);
	count_call();
	return err;
}

static int counted_lock(void *priv, const char *dir, const char *name)
{
	count_call();
	return vtct_sys.lock(priv, dir, name);
}

static void take_log(void *data, int level, const char *line)
{
	size_t used = strlen(log_text);

	(void)data, (void)level;
	snprintf(log_text + used, sizeof(log_text) - used, "%s\n", line);
}

static void set_up(void)
{
	struct vtct_link link = { .ifindex = CARD, .name = "eth7", .mtu = 1500 };
	struct vtc_ctx_opts opts = VTC_CTX_OPTS_INIT;

	memset(&killer, 0, sizeof(killer));
	log_text[0] = '\0';
	world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(world, MAP_FAILED);
	tree = vtct_tree_new();
	kernel = vtct_kernel_new(tree);
	vtct_link_set(kernel, &link, false);
	sys = vtct_sys;
	sys.replace = counted_replace;
	sys.remove = counted_remove;
	sys.lock = counted_lock;
	opts.sysfs_root = tree->root;
	opts.state_dir = tree->state;
	opts.log = take_log;
	ck_assert_errno(vtc__ctx_new(&opts, &sys, kernel, &ctx), 0);
	ck_assert_errno(vtc__uplink_find(ctx, "eth7", "test", &card), 0);
}

static void tear_down(void)
{
	vtc_ctx_unref(ctx);
	vtct_kernel_free(kernel);
	vtct_tree_free(tree);
	munmap(world, sizeof(*world));
}

static int begin(struct vtc__txn *txn)
{
	return vtc__txn_begin_kinds(ctx, &card, "change numbers", kinds, txn);
}

static int do_set(struct vtc__txn *txn, const char *group, uint32_t tag, uint32_t place,
		  uint32_t value)
{
	struct set set = { .place = place, .value = value };

	return vtc__step_do(txn, group, &set_kind, tag, &set, sizeof(set), NULL);
}

static int do_pool(struct vtc__txn *txn, const char *group)
{
	return vtc__step_do(txn, group, &pool_kind, 0, NULL, 0, NULL);
}

/* A pool as it is: its record, a shared step if it is the first, two of its own. */
static int do_request(struct vtc__txn *txn, const char *group, uint32_t place)
{
	int err = do_pool(txn, group);

	if (!err && !vtc__step_find(txn, "", "set", 0))
		err = do_set(txn, "", 0, 0, 100);
	if (!err)
		err = do_set(txn, group, 1, place, 10 * place);
	if (!err)
		err = do_set(txn, group, 2, place + 1, 10 * place + 10);
	return err;
}

static const char *numbers(void)
{
	static char text[128];
	size_t used = 0;

	for (int i = 0; i < NUMBERS; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%u ",
					 world->number[i]);
	return text;
}

#define NOTHING "0 0 0 0 0 0 0 0 "

static unsigned int count_records(struct vtc__txn *txn)
{
	const struct vtc__record *r = NULL;
	unsigned int count = 0;

	while ((r = vtc__journal_foreach_next(txn->journal, r)))
		count++;
	return count;
}

/* Nothing is left, neither of changes nor of records. */
static void assert_nothing(void)
{
	struct vtc__txn txn;

	ck_assert_errno(begin(&txn), 0);
	ck_assert_uint_eq(count_records(&txn), 0);
	vtc__txn_end(&txn);
	ck_assert_str_eq(numbers(), NOTHING);
}

/* ---- Doing and undoing ---- */

START_TEST(steps_stay_and_are_undone_backwards)
{
	struct vtc__undone undone = { .undone = 0 };
	struct vtc__txn txn;

	ck_assert_errno(begin(&txn), 0);
	ck_assert_errno(do_request(&txn, "vm", 1), 0);
	vtc__txn_end(&txn);
	ck_assert_str_eq(numbers(), "100 10 20 0 0 0 0 0 ");
	ck_assert_errno(begin(&txn), 0);
	ck_assert_uint_eq(count_records(&txn), 4);
	ck_assert_errno(vtc__step_undo_group(&txn, "vm", 0, &undone), 0);
	ck_assert_errno(vtc__step_undo_shared(&txn, &undone), 0);
	vtc__txn_end(&txn);
	ck_assert_str_eq(world->trace, "+0 +1 +2 -2 -1 -0 ");
	ck_assert_uint_eq(undone.undone, 4);
	ck_assert_uint_eq(undone.failed, 0);
	assert_nothing();
}
END_TEST

START_TEST(abort_undoes_its_own_and_no_more)
{
	struct vtc__txn txn;

	ck_assert_errno(begin(&txn), 0);
	ck_assert_errno(do_request(&txn, "vm", 1), 0);
	vtc__txn_end(&txn);
	world->trace[0] = '\0';
	ck_assert_errno(begin(&txn), 0);
	ck_assert_errno(do_set(&txn, "", 0, 7, 7), 0);
	ck_assert_errno(do_set(&txn, "vm", 3, 1, 11), 0);
	ck_assert_errno(do_request(&txn, "other", 3), 0);
	vtc__txn_abort(&txn);
	ck_assert_str_eq(world->trace, "+7 +1 +3 +4 -4 -3 -1 -7 ");
	ck_assert_str_eq(numbers(), "100 10 20 0 0 0 0 0 ");
}
END_TEST

START_TEST(a_step_that_fails_leaves_no_record)
{
	struct vtc__txn txn;

	world->apply_fails = 1u << 3;
	ck_assert_errno(begin(&txn), 0);
	ck_assert_errno(do_set(&txn, "vm", 0, 2, 2), 0);
	ck_assert_errno(do_set(&txn, "vm", 0, 3, 3), -EIO);
	ck_assert_uint_eq(count_records(&txn), 1);
	vtc__txn_abort(&txn);
	ck_assert_str_eq(vtc_error_get_message(vtc_ctx_last_error(ctx)),
			 "place 3 is stuck");
	assert_nothing();
}
END_TEST

/* Whether it was done or not is not known, and looked at. */
START_TEST(a_step_that_failed_late_is_undone)
{
	struct vtc__txn txn;

	world->apply_late = 1u << 3;
	ck_assert_errno(begin(&txn), 0);
	ck_assert_errno(do_set(&txn, "vm", 0, 3, 3), -EIO);
	ck_assert_str_eq(numbers(), NOTHING);
	ck_assert_uint_eq(count_records(&txn), 0);
	vtc__txn_abort(&txn);
	ck_assert_str_eq(vtc_error_get_message(vtc_ctx_last_error(ctx)),
			 "place 3 is stuck");
	assert_nothing();
}
END_TEST

START_TEST(a_step_that_failed_late_and_cannot_be_undone_stays_noted)
{
	struct vtc__txn txn;

	world->apply_late = world->undo_fails = 1u << 3;
	ck_assert_errno(begin(&txn), 0);
	ck_assert_errno(do_set(&txn, "vm", 0, 3, 3), -EIO);
	ck_assert_str_eq(vtc_error_get_message(vtc_ctx_last_error(ctx)),
			 "place 3 is stuck");
	ck_assert_uint_eq(count_records(&txn), 1);
	vtc__txn_end(&txn);
	world->undo_fails = 0;
	assert_nothing();
}
END_TEST

START_TEST(what_cannot_be_noted_is_not_done)
{
	struct vtc__txn txn;

	ck_assert_errno(begin(&txn), 0);
	vtct_fail_nth(kernel, VTCT_REPLACE, 1, -ENOSPC);
	ck_assert_errno(do_set(&txn, "vm", 0, 2, 2), -ENOSPC);
	ck_assert_str_eq(vtc_error_get_operation(vtc_ctx_last_error(ctx)),
			 "change numbers");
	ck_assert_str_eq(vtc_error_get_subject(vtc_ctx_last_error(ctx)), "eth7");
	ck_assert_str_eq(world->trace, "");
	vtc__txn_abort(&txn);
	assert_nothing();
}
END_TEST

START_TEST(what_cannot_be_completed_is_taken_back)
{
	struct vtc__txn txn;

	ck_assert_errno(begin(&txn), 0);
	vtct_fail_nth(kernel, VTCT_REPLACE, 2, -ENOSPC);
	ck_assert_errno(do_set(&txn, "vm", 0, 2, 2), -ENOSPC);
	ck_assert_str_eq(world->trace, "+2 -2 ");
	ck_assert_uint_eq(count_records(&txn), 0);
	/* If that fails as well, the record is all that is known of it. */
	world->undo_fails = 1u << 2;
	vtct_fail_nth(kernel, VTCT_REPLACE, 2, -ENOSPC);
	ck_assert_errno(do_set(&txn, "vm", 0, 2, 2), -ENOSPC);
	ck_assert_uint_eq(count_records(&txn), 1);
	world->undo_fails = 0;
	vtc__txn_abort(&txn);
	assert_nothing();
}
END_TEST

START_TEST(parts_of_a_group_are_undone_by_their_tag)
{
	struct vtc__txn txn;

	ck_assert_errno(begin(&txn), 0);
	ck_assert_errno(do_request(&txn, "vm", 1), 0);
	ck_assert_errno(do_request(&txn, "other", 3), 0);
	ck_assert_errno(vtc__step_undo_group(&txn, "vm", 2, NULL), 0);
	ck_assert_str_eq(numbers(), "100 10 0 30 40 0 0 0 ");
	ck_assert_errno(vtc__step_undo(&txn, vtc__step_find(&txn, "other", "set", 0)->id),
			0);
	ck_assert_str_eq(numbers(), "100 10 0 0 40 0 0 0 ");
	vtc__txn_abort(&txn);
	assert_nothing();
}
END_TEST

START_TEST(shared_steps_live_as_long_as_any_group)
{
	struct vtc__undone undone = { .undone = 0 };
	struct vtc__txn txn;

	ck_assert_errno(begin(&txn), 0);
	ck_assert_errno(do_request(&txn, "first", 1), 0);
	ck_assert_errno(do_request(&txn, "second", 3), 0);
	ck_assert_errno(vtc__step_undo_group(&txn, "first", 0, NULL), 0);
	ck_assert_errno(vtc__step_undo_shared(&txn, &undone), 0);
	vtc__txn_end(&txn);
	ck_assert_str_eq(numbers(), "100 0 0 30 40 0 0 0 ");
	ck_assert_uint_eq(undone.undone, 0);
	ck_assert_errno(begin(&txn), 0);
	ck_assert_errno(vtc__step_undo_group(&txn, "second", 0, NULL), 0);
	ck_assert_errno(vtc__step_undo_shared(&txn, &undone), 0);
	vtc__txn_end(&txn);
	ck_assert_uint_eq(undone.undone, 1);
	assert_nothing();
}
END_TEST

/* ---- Undoing that fails ---- */

START_TEST(an_abort_tells_what_it_could_not_undo)
{
	struct vtc__txn txn;
	const char *message;

	world->undo_fails = 1u << 1;
	world->apply_fails = 1u << 2;
	ck_assert_errno(begin(&txn), 0);
	ck_assert_errno(do_request(&txn, "vm", 1), -EIO);
	vtc__txn_abort(&txn);
	message = vtc_error_get_message(vtc_ctx_last_error(ctx));
	ck_assert_str_eq(message, "place 2 is stuck; not undone: set: place 1 is locked");
	ck_assert_int_eq(vtc_error_get_code(vtc_ctx_last_error(ctx)), -EIO);
	ck_assert_str_eq(numbers(), "0 10 0 0 0 0 0 0 ");
}
END_TEST

START_TEST(what_was_not_undone_is_tried_again)
{
	struct vtc__txn txn;

	ck_assert_errno(begin(&txn), 0);
	ck_assert_errno(do_request(&txn, "vm", 1), 0);
	world->undo_fails = 1u << 1 | 1u << 0;
	ck_assert_errno(vtc__step_undo_group(&txn, "vm", 0, NULL), -EPERM);
	vtc__txn_end(&txn);
	ck_assert_str_eq(numbers(), "100 10 0 0 0 0 0 0 ");

	/* A pool without its record is nobody's, even while who made it lives. */
	log_text[0] = '\0';
	ck_assert_errno(begin(&txn), 0);
	ck_assert_uint_eq(txn.recovered.failed, 1);
	ck_assert_int_eq(txn.recovered.error, -EPERM);
	ck_assert_uint_eq(txn.recovered_pools, 0);
	ck_assert_ptr_nonnull(strstr(log_text, "place 1 is locked"));
	ck_assert_errno(do_request(&txn, "other", 3), 0);
	vtc__txn_end(&txn);
	ck_assert_str_eq(numbers(), "100 10 0 30 40 0 0 0 ");

	world->undo_fails = 1u << 0;
	ck_assert_errno(begin(&txn), 0);
	ck_assert_uint_eq(txn.recovered.undone, 1);
	ck_assert_uint_eq(txn.recovered.failed, 0);
	ck_assert_errno(vtc__step_undo_group(&txn, "other", 0, NULL), 0);
	ck_assert_errno(vtc__step_undo_shared(&txn, NULL), -EPERM);
	vtc__txn_end(&txn);
	ck_assert_str_eq(numbers(), "100 0 0 0 0 0 0 0 ");
	world->undo_fails = 0;
	assert_nothing();
}
END_TEST

START_TEST(an_unknown_kind_stays)
{
	struct vtc__txn txn;

	ck_assert_errno(begin(&txn), 0);
	ck_assert_errno(do_request(&txn, "vm", 1), 0);
	vtc__txn_end(&txn);
	ck_assert_errno(vtc__txn_begin_kinds(ctx, &card, "undo", no_kinds, &txn), 0);
	ck_assert_errno(vtc__step_undo_group(&txn, "vm", 0, NULL), -EOPNOTSUPP);
	ck_assert_str_eq(vtc_error_get_operation(vtc_ctx_last_error(ctx)), "undo");
	ck_assert_uint_eq(count_records(&txn), 3);
	vtc__txn_end(&txn);
	assert_nothing();
}
END_TEST

/* ---- The dead ---- */

/* A process that makes a pool and ends, or is killed before a call; true: it ended. */
static bool request_in_child(const char *group, uint32_t place, bool keep,
			     unsigned int kill)
{
	struct vtc__txn txn;
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		killer.calls = 0;
		killer.kill = kill;
		if (begin(&txn) || do_request(&txn, group, place) ||
		    (keep && vtc__journal_own(txn.journal, group, 0, true)))
			_exit(1);
		vtc__txn_end(&txn);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
	return !WIFSIGNALED(status);
}

START_TEST(what_the_dead_left_is_undone)
{
	struct vtc__txn txn;

	ck_assert(request_in_child("vm", 1, false, 0));
	ck_assert_str_eq(numbers(), "100 10 20 0 0 0 0 0 ");
	ck_assert_errno(begin(&txn), 0);
	ck_assert_str_eq(world->trace, "+0 +1 +2 -2 -1 -0 ");
	ck_assert_uint_eq(txn.recovered.undone, 4);
	ck_assert_uint_eq(txn.recovered_pools, 1);
	ck_assert_int_eq(vtc_error_get_code(vtc_ctx_last_error(ctx)), 0);
	vtc__txn_end(&txn);
	assert_nothing();
}
END_TEST

START_TEST(what_the_dead_kept_stays)
{
	struct vtc__txn txn;

	ck_assert(request_in_child("kept", 1, true, 0));
	ck_assert(request_in_child("vm", 3, false, 0));
	ck_assert_errno(begin(&txn), 0);
	ck_assert_str_eq(numbers(), "100 10 20 0 0 0 0 0 ");
	ck_assert_uint_eq(txn.recovered_pools, 1);
	/* It goes as it came: owned first, then undone. */
	ck_assert_errno(vtc__journal_own(txn.journal, "kept", 0, false), 0);
	ck_assert_errno(vtc__step_undo_group(&txn, "kept", 0, NULL), 0);
	ck_assert_errno(vtc__step_undo_shared(&txn, NULL), 0);
	vtc__txn_end(&txn);
	assert_nothing();
}
END_TEST

START_TEST(a_filter_of_the_dead_goes_from_what_is_kept)
{
	struct vtc__txn txn;
	pid_t pid;

	ck_assert(request_in_child("kept", 1, true, 0));
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(begin(&txn) || do_set(&txn, "kept", 9, 5, 50));
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_str_eq(numbers(), "100 10 20 0 0 50 0 0 ");
	ck_assert_errno(begin(&txn), 0);
	ck_assert_str_eq(numbers(), "100 10 20 0 0 0 0 0 ");
	ck_assert_uint_eq(txn.recovered.undone, 1);
	ck_assert_uint_eq(txn.recovered_pools, 0);
	vtc__txn_end(&txn);
}
END_TEST

START_TEST(shared_steps_alone_are_undone)
{
	struct vtc__txn txn;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(begin(&txn) || do_set(&txn, "", 0, 0, 100));
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_str_eq(numbers(), "100 0 0 0 0 0 0 0 ");
	assert_nothing();
}
END_TEST

START_TEST(somebody_elses_change_is_left_alone)
{
	struct vtc__txn txn;

	ck_assert(request_in_child("vm", 1, false, 0));
	world->number[1] = 4711;
	ck_assert_errno(begin(&txn), 0);
	ck_assert_uint_eq(txn.recovered.failed, 0);
	ck_assert_uint_eq(count_records(&txn), 0);
	ck_assert_str_eq(numbers(), "0 4711 0 0 0 0 0 0 ");
	vtc__txn_end(&txn);
}
END_TEST

START_TEST(a_card_that_is_gone_is_forgotten)
{
	struct vtc__uplink gone;
	struct vtc__txn txn;

	ck_assert(request_in_child("vm", 1, false, 0));
	vtct_link_remove(kernel, CARD, false);
	ck_assert_errno(vtc__uplink_by_index(ctx, CARD, &gone), -ENODEV);
	ck_assert_errno(vtc__txn_begin_kinds(ctx, &gone, "recover", kinds, &txn), 0);
	ck_assert_uint_eq(txn.recovered.undone, 4);
	ck_assert(world->gone);
	vtc__txn_end(&txn);
	ck_assert_str_eq(numbers(), NOTHING);
}
END_TEST

START_TEST(killed_anywhere_it_is_before_or_after)
{
	struct vtc__txn txn;
	unsigned int k;
	bool ended = false, after = false;

	for (k = 1; k < 200 && !ended; k++) {
		ended = request_in_child("vm", 1, true, k);
		ck_assert_errno(begin(&txn), 0);
		ck_assert_uint_eq(txn.recovered.failed, 0);
		if (vtc__step_find(&txn, "vm", "pool", 0)) {
			after = true;
			ck_assert_str_eq(numbers(), "100 10 20 0 0 0 0 0 ");
			ck_assert_errno(vtc__step_undo_group(&txn, "vm", 0, NULL), 0);
			ck_assert_errno(vtc__step_undo_shared(&txn, NULL), 0);
		} else {
			ck_assert(!after);
		}
		vtc__txn_end(&txn);
		assert_nothing();
	}
	ck_assert(ended && after);
	ck_assert_uint_gt(k, 16);
}
END_TEST

/* ---- Everything that can fail does ---- */

static int request_and_release(void)
{
	struct vtc__txn txn;
	int err = begin(&txn);

	if (err)
		return err;
	err = do_request(&txn, "vm", 1);
	if (err) {
		vtc__txn_abort(&txn);
		return err;
	}
	vtc__txn_end(&txn);
	err = begin(&txn);
	if (err)
		return err;
	err = vtc__step_undo_group(&txn, "vm", 0, NULL);
	if (!err)
		err = vtc__step_undo_shared(&txn, NULL);
	vtc__txn_end(&txn);
	return err;
}

/* Whatever is left is put back by the next, or is whole. */
static void assert_whole(unsigned int n)
{
	struct vtc__txn txn;

	ck_assert_errno(begin(&txn), 0);
	ck_assert_msg(txn.recovered.failed == 0, "call %u: %s", n, txn.recovered.text);
	if (vtc__step_find(&txn, "vm", "pool", 0)) {
		ck_assert_errno(vtc__step_undo_group(&txn, "vm", 0, NULL), 0);
		ck_assert_errno(vtc__step_undo_shared(&txn, NULL), 0);
	}
	vtc__txn_end(&txn);
	assert_nothing();
}

START_TEST(each_call_may_fail)
{
	unsigned int n, calls, failed = 0;

	for (n = 1; n < 200; n++) {
		calls = vtct_calls(kernel, VTCT_ANY);
		vtct_fail_nth(kernel, VTCT_ANY, n, -EIO);
		if (request_and_release())
			failed++;
		else if (vtct_calls(kernel, VTCT_ANY) - calls < n)
			break;
		vtct_fail_clear(kernel);
		assert_whole(n);
	}
	vtct_fail_clear(kernel);
	ck_assert_uint_lt(n, 200);
	ck_assert_uint_gt(failed, 10);
}
END_TEST

START_TEST(a_journal_that_is_held_or_damaged_stops_all)
{
	const struct vtc_error *error = vtc_ctx_last_error(ctx);
	struct vtc__txn txn, second;
	char name[64], path[VTCT_PATH_MAX];
	FILE *file;

	ck_assert_errno(begin(&txn), 0);
	ck_assert_errno(begin(&second), -EBUSY);
	ck_assert_str_eq(vtc_error_get_operation(error), "change numbers");
	ck_assert_str_eq(vtc_error_get_subject(error), "eth7");
	vtc__txn_end(&txn);
	ck_assert_errno(vtc__uplink_journal_name(&card, name, sizeof(name)), 0);
	snprintf(path, sizeof(path), "%s/%s.journal", tree->state, name);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fputs("no journal", file);
	fclose(file);
	ck_assert_errno(begin(&txn), -EBADMSG);
	ck_assert_str_eq(vtc_error_get_operation(error), "change numbers");
	ck_assert_ptr_nonnull(strstr(vtc_error_get_message(error), path));
}
END_TEST

/* ---- Cards ---- */

static int drvinfo(void *arg, const char *name, void *data)
{
	/* struct ethtool_drvinfo: a command, then the driver. */
	if (strcmp(name, "eth7") != 0)
		return -ENODEV;
	strcpy((char *)data + 4, arg);
	return 0;
}

START_TEST(a_card_is_found_by_name_and_by_address)
{
	struct vtct_link second = { .ifindex = 20,
				    .name = "eth20",
				    .parent = "0000:03:00.0",
				    .parent_bus = "pci" };
	struct vtc__uplink found;
	char driver[] = "veth";

	vtct_set_ethtool(kernel, drvinfo, driver);
	ck_assert_errno(vtc__uplink_find(ctx, "eth7", "test", &found), 0);
	ck_assert_uint_eq(found.ifindex, CARD);
	ck_assert_str_eq(found.driver, "veth");
	ck_assert_str_eq(found.pci, "");

	vtct_link_set(kernel, &second, false);
	second.ifindex = 12;
	strcpy(second.name, "eth12");
	vtct_link_set(kernel, &second, false);
	vtct_tree_add(tree, "class/net/eth12/device/driver -> bus/pci/drivers/ice");
	ck_assert_errno(vtc__uplink_find(ctx, "3:0.0", "test", &found), 0);
	ck_assert_str_eq(found.name, "eth12");
	ck_assert_str_eq(found.pci, "0000:03:00.0");
	ck_assert_str_eq(found.driver, "ice");
	ck_assert_errno(vtc__uplink_find(ctx, "eth20", "test", &found), 0);
	ck_assert_str_eq(found.pci, "0000:03:00.0");
	ck_assert_str_eq(found.driver, "");
}
END_TEST

START_TEST(an_old_kernel_tells_the_device_in_sysfs)
{
	struct vtc__uplink found;

	vtct_tree_add(tree, "class/net/eth7/device -> devices/netdevsim7");
	ck_assert_errno(vtc__uplink_find(ctx, "netdevsim7", "test", &found), 0);
	ck_assert_uint_eq(found.ifindex, CARD);
	ck_assert_str_eq(found.pci, "netdevsim7");
}
END_TEST

START_TEST(no_such_card)
{
	const char *const names[] = {
		"",	 "eth8",	 "eth",
		"eth77", "0000:01:00.0", "a-name-that-no-interface-can-have"
	};
	const struct vtc_error *error = vtc_ctx_last_error(ctx);
	struct vtc__uplink found;
	uint32_t ifindex;
	char name[VTC__IFNAME_LEN];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ck_assert_errno(vtc__uplink_find(ctx, names[i], "test", &found), -ENODEV);
		ck_assert_str_eq(vtc_error_get_operation(error), "test");
		ck_assert_str_eq(vtc_error_get_subject(error), names[i]);
		ck_assert_errno(vtc__ifindex(ctx, names[i], &ifindex), -ENODEV);
	}
	ck_assert_errno(vtc__uplink_find(ctx, NULL, "test", &found), -EINVAL);
	ck_assert_errno(vtc__ifname(ctx, 8, name), -ENODEV);
	ck_assert_errno(vtc__ifname(ctx, 0, name), -ENODEV);
	ck_assert_errno(vtc__ifname(ctx, UINT32_MAX, name), -ENODEV);
}
END_TEST

START_TEST(a_card_keeps_its_index_when_it_is_renamed)
{
	struct vtct_link link = { .ifindex = CARD, .name = "wan", .mtu = 1500 };

	vtct_link_set(kernel, &link, false);
	ck_assert_errno(vtc__uplink_refresh(&card), 0);
	ck_assert_str_eq(card.name, "wan");
	vtct_link_remove(kernel, CARD, false);
	ck_assert_errno(vtc__uplink_refresh(&card), -ENODEV);
	ck_assert_str_eq(card.name, "wan");
}
END_TEST

START_TEST(the_journal_of_a_card_is_known_by_its_name)
{
	char name[64], other[80];
	uint32_t ifindex = 0;

	ck_assert_errno(vtc__uplink_journal_name(&card, name, sizeof(name)), 0);
	ck_assert_errno(vtc__uplink_journal_name(&card, other, 10), -ENAMETOOLONG);
	ck_assert_int_eq(vtc__uplink_of_journal(ctx, name, &ifindex), 1);
	ck_assert_uint_eq(ifindex, CARD);
	snprintf(other, sizeof(other), "%sx", name);
	ck_assert_int_eq(vtc__uplink_of_journal(ctx, other, &ifindex), 0);
	snprintf(other, sizeof(other), "%.*s-0", (int)(strrchr(name, '-') - name), name);
	ck_assert_int_eq(vtc__uplink_of_journal(ctx, other, &ifindex), 0);
	ck_assert_int_eq(vtc__uplink_of_journal(ctx, "vmdq-1-7", &ifindex), 0);
	ck_assert_int_eq(vtc__uplink_of_journal(ctx, "pf-7", &ifindex), 0);
	vtct_fail_nth(kernel, VTCT_NETNS, 1, -EACCES);
	ck_assert_errno(vtc__uplink_of_journal(ctx, name, &ifindex), -EACCES);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("step");
	TCase *t = tcase_create("step");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, steps_stay_and_are_undone_backwards);
	tcase_add_test(t, abort_undoes_its_own_and_no_more);
	tcase_add_test(t, a_step_that_fails_leaves_no_record);
	tcase_add_test(t, a_step_that_failed_late_is_undone);
	tcase_add_test(t, a_step_that_failed_late_and_cannot_be_undone_stays_noted);
	tcase_add_test(t, what_cannot_be_noted_is_not_done);
	tcase_add_test(t, what_cannot_be_completed_is_taken_back);
	tcase_add_test(t, parts_of_a_group_are_undone_by_their_tag);
	tcase_add_test(t, shared_steps_live_as_long_as_any_group);
	tcase_add_test(t, an_abort_tells_what_it_could_not_undo);
	tcase_add_test(t, what_was_not_undone_is_tried_again);
	tcase_add_test(t, an_unknown_kind_stays);
	tcase_add_test(t, what_the_dead_left_is_undone);
	tcase_add_test(t, what_the_dead_kept_stays);
	tcase_add_test(t, a_filter_of_the_dead_goes_from_what_is_kept);
	tcase_add_test(t, shared_steps_alone_are_undone);
	tcase_add_test(t, somebody_elses_change_is_left_alone);
	tcase_add_test(t, a_card_that_is_gone_is_forgotten);
	tcase_add_test(t, killed_anywhere_it_is_before_or_after);
	tcase_add_test(t, each_call_may_fail);
	tcase_add_test(t, a_journal_that_is_held_or_damaged_stops_all);
	tcase_add_test(t, a_card_is_found_by_name_and_by_address);
	tcase_add_test(t, an_old_kernel_tells_the_device_in_sysfs);
	tcase_add_test(t, no_such_card);
	tcase_add_test(t, a_card_keeps_its_index_when_it_is_renamed);
	tcase_add_test(t, the_journal_of_a_card_is_known_by_its_name);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return vtct_main(suite(), NULL);
}
