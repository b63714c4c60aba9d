/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The step that makes a flow rule, on a model of a card's table: whatever fails, no rule
 * is on the card that no record tells of, and none is made twice.
 */
#include <linux/ethtool.h>
#include <stddef.h>
#include <string.h>

#include <vtc/vtc.h>

#include "fakekernel.h"
#include "vmdq/channels.h"
#include "vmdq/pool.h"
#include "vmdq/rate.h"
#include "vmdq/rule.h"
#include "vtct.h"

#define CARD  7
#define SIZE  8u
#define QUEUE 3u

static struct {
	struct ethtool_rxnfc rule[SIZE];
	bool there[SIZE];
	struct ethtool_channels channels;
	uint32_t dropped;	  /* bits of the tag's mask that the driver loses */
	unsigned int fail_delete; /* the n-th fails; 0: none */
	bool keeps;		  /* none can be deleted */
} model;

static struct vtct_tree *tree;
static struct vtct_kernel *kernel;
static struct vtc_ctx *ctx;
static struct vtc__uplink card;

/* ---- The model ---- */

static int get_counts(struct ethtool_rxnfc *ask)
{
	ask->rule_cnt = 0;
	for (uint32_t i = 0; i < SIZE; i++)
		ask->rule_cnt += model.there[i];
	ask->data = SIZE;
	return 0;
}

static int get_list(void *data)
{
	struct ethtool_rxnfc *ask = data;
	uint8_t *at = (uint8_t *)data + offsetof(struct ethtool_rxnfc, rule_locs);
	uint32_t count = 0;

	for (uint32_t i = 0; i < SIZE; i++)
		if (model.there[i] && count < ask->rule_cnt)
			memcpy(at + sizeof(i) * count++, &i, sizeof(i));
	ask->rule_cnt = count;
	return 0;
}

static int get_rule(struct ethtool_rxnfc *ask)
{
	uint32_t location = ask->fs.location;

	if (location >= SIZE || !model.there[location])
		return -EINVAL;
	*ask = model.rule[location];
	return 0;
}

static int insert(const struct ethtool_rxnfc *ask)
{
	uint32_t location = ask->fs.location;

	if (location >= SIZE)
		return -EINVAL;
	model.rule[location] = *ask;
	model.rule[location].fs.m_ext.vlan_tci &= (uint16_t)~model.dropped;
	model.there[location] = true;
	return 0;
}

static int delete_rule(const struct ethtool_rxnfc *ask)
{
	uint32_t location = ask->fs.location;

	if (model.keeps || (model.fail_delete && --model.fail_delete == 0))
		return -EIO;
	if (location >= SIZE || !model.there[location])
		return -ENOENT;
	model.there[location] = false;
	return 0;
}

static int answer(void *arg, const char *name, void *data)
{
	struct ethtool_rxnfc *ask = data;

	(void)arg, (void)name;
	switch (ask->cmd) {
	case ETHTOOL_GRXCLSRLCNT:
		return get_counts(ask);
	case ETHTOOL_GRXCLSRLALL:
		return get_list(data);
	case ETHTOOL_GRXCLSRULE:
		return get_rule(ask);
	case ETHTOOL_SRXCLSRLINS:
		return insert(ask);
	case ETHTOOL_SRXCLSRLDEL:
		return delete_rule(ask);
	case ETHTOOL_GCHANNELS:
		memcpy(data, &model.channels, sizeof(model.channels));
		return 0;
	case ETHTOOL_SCHANNELS:
		memcpy(&model.channels, data, sizeof(model.channels));
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static unsigned int count_rules(void)
{
	struct ethtool_rxnfc ask = { .cmd = 0 };

	(void)get_counts(&ask);
	return ask.rule_cnt;
}

/* As "ethtool -N" of somebody else. */
static void insert_foreign(uint32_t location)
{
	model.rule[location] =
		(struct ethtool_rxnfc){ .fs = { .flow_type = TCP_V4_FLOW } };
	model.there[location] = true;
}

/* It went, and came again elsewhere, without a record of that. */
static void move(uint32_t from, uint32_t to)
{
	model.rule[to] = model.rule[from];
	model.there[to] = true;
	insert_foreign(from);
}

/* ---- The test bed ---- */

static void set_up(void)
{
	struct vtct_link link = { .ifindex = CARD, .name = "eth7", .mtu = 1500 };
	struct vtc_ctx_opts opts = VTC_CTX_OPTS_INIT;

	memset(&model, 0, sizeof(model));
	model.channels =
		(struct ethtool_channels){ .max_combined = 8, .combined_count = 4 };
	tree = vtct_tree_new();
	kernel = vtct_kernel_new(tree);
	vtct_link_set(kernel, &link, false);
	vtct_set_ethtool(kernel, answer, NULL);
	opts.sysfs_root = tree->root;
	opts.state_dir = tree->state;
	opts.log_level = VTC_LOG_NONE;
	ck_assert_errno(vtc__ctx_new(&opts, &vtct_sys, kernel, &ctx), 0);
	ck_assert_errno(vtc__uplink_find(ctx, "eth7", "test", &card), 0);
}

static void tear_down(void)
{
	vtc_ctx_unref(ctx);
	vtct_kernel_free(kernel);
	vtct_tree_free(tree);
}

static void begin(struct vtc__txn *txn)
{
	ck_assert_errno(vtc__txn_begin(ctx, &card, "test rules", txn), 0);
}

static int add_rule(struct vtc__txn *txn, uint8_t last, int vlan)
{
	struct vtc_filter filter = { .mac = { { 2, 0, 0, 0, 0, last } },
				     .match = VTC_FILTER_MAC };

	if (vlan >= 0) {
		filter.match |= VTC_FILTER_VLAN;
		filter.vlan = (uint16_t)vlan;
	}
	return vtc__do_rule(txn, "vm", last, &filter, QUEUE, 1);
}

/* The noted location of the first rule. */
static uint32_t noted(struct vtc__txn *txn)
{
	const struct vtc__record *record =
		vtc__step_find(txn, "vm", vtc__step_rule.name, 0);
	struct vtc__rule rule;

	ck_assert_ptr_nonnull(record);
	memcpy(&rule, record->data, sizeof(rule));
	return rule.location;
}

static void undo_all(struct vtc__txn *txn)
{
	ck_assert_errno(vtc__step_undo_group(txn, "vm", 0, NULL), 0);
}

/* A pool whose queue the rules go to, without all else that a pool has. */
static struct vtc_pool *make_pool(void)
{
	struct vtc__pool_data data = { .backend = VTC_POOL_BACKEND_NTUPLE,
				       .queue_first = QUEUE,
				       .queue_count = 1,
				       .audit_ms = 1000 };
	const struct vtc_filter filter = { .mac = { { 2, 0, 0, 0, 0, 1 } },
					   .match = VTC_FILTER_MAC };
	struct vtc_pool *pool = NULL;
	struct vtc__txn txn;

	begin(&txn);
	ck_assert_errno(add_rule(&txn, 1, -1), 0);
	ck_assert_errno(vtc__step_do(&txn, "vm", &vtc__step_match, 1, &filter,
				     sizeof(filter), NULL),
			0);
	ck_assert_errno(
		vtc__step_do(&txn, "vm", &vtc__step_pool, 0, &data, sizeof(data), NULL),
		0);
	vtc__txn_end(&txn);
	ck_assert_errno(vtc_pool_open(ctx, "eth7", "vm", &pool), 0);
	return pool;
}

/* ---- The tests ---- */

START_TEST(a_rule_comes_and_goes)
{
	struct vtc__txn txn;

	begin(&txn);
	ck_assert_errno(add_rule(&txn, 1, -1), 0);
	ck_assert_errno(add_rule(&txn, 2, 7), 0);
	ck_assert_uint_eq(count_rules(), 2);
	vtc__txn_abort(&txn);
	ck_assert_uint_eq(count_rules(), 0);
}
END_TEST

/* An audit that was killed had made the rule anew, and did not get to noting where. */
START_TEST(a_rule_that_is_elsewhere_than_noted_is_found)
{
	struct vtc__txn txn;
	uint32_t location;
	char text[128];

	begin(&txn);
	ck_assert_errno(add_rule(&txn, 1, -1), 0);
	location = noted(&txn);
	move(location, (location + 1) % SIZE);
	ck_assert_int_eq(
		vtc__step_rule.check(&txn, vtc__step_find(&txn, "vm", "rule", 0)->data,
				     sizeof(struct vtc__rule), text, sizeof(text)),
		1);
	ck_assert_errno(vtc__rules_lower(&txn), 0);
	ck_assert_uint_eq(count_rules(), 2);
	undo_all(&txn);
	vtc__txn_end(&txn);
	ck_assert_uint_eq(count_rules(), 1);
	ck_assert(model.there[location]);
}
END_TEST

/* The journal takes nothing any more: then the rule cannot be at another place. */
START_TEST(an_audit_that_cannot_note_leaves_no_rule)
{
	struct vtc_pool *pool = make_pool();
	uint32_t location;
	struct vtc__txn txn;

	begin(&txn);
	location = noted(&txn);
	vtc__txn_end(&txn);
	insert_foreign(location);
	for (int i = 0; i < 3; i++) {
		vtct_fail_nth(kernel, VTCT_REPLACE, 1, -ENOSPC);
		ck_assert_errno(vtc_pool_audit(pool, NULL), -ENOSPC);
		ck_assert_uint_eq(count_rules(), 1);
	}
	ck_assert_errno(vtc_pool_audit(pool, NULL), 0);
	ck_assert_uint_eq(count_rules(), 2);
	ck_assert_errno(vtc_pool_release(pool), 0);
	ck_assert_uint_eq(count_rules(), 1);
	ck_assert(model.there[location]);
}
END_TEST

/* The driver made something else of it, and then would not delete that. */
START_TEST(an_altered_rule_is_deleted_later)
{
	struct vtc__txn txn;

	model.dropped = 0xffff;
	model.keeps = true;
	begin(&txn);
	ck_assert_errno(add_rule(&txn, 2, 7), -EIO);
	ck_assert_uint_eq(count_rules(), 1);
	vtc__txn_end(&txn);
	model.keeps = false;
	begin(&txn);
	ck_assert_uint_eq(count_rules(), 0);
	ck_assert_ptr_null(vtc__step_find(&txn, "vm", NULL, 0));
	vtc__txn_end(&txn);
}
END_TEST

/* With a driver whose rules make way: those that went come again. */
START_TEST(rules_that_only_half_made_way_are_back)
{
	struct vtc__txn txn;

	card.quirks.channels_first = true;
	begin(&txn);
	ck_assert_errno(add_rule(&txn, 1, -1), 0);
	ck_assert_errno(add_rule(&txn, 2, -1), 0);
	model.fail_delete = 2;
	ck_assert_errno(vtc__do_channels(&txn, 6), -EIO);
	ck_assert_uint_eq(model.channels.combined_count, 4);
	ck_assert_uint_eq(count_rules(), 2);
	ck_assert_errno(vtc__do_channels(&txn, 6), 0);
	ck_assert_uint_eq(model.channels.combined_count, 6);
	ck_assert_uint_eq(count_rules(), 2);
	vtc__txn_abort(&txn);
	ck_assert_uint_eq(model.channels.combined_count, 4);
	ck_assert_uint_eq(count_rules(), 0);
}
END_TEST

/* ---- A card that is gone ---- */

#define MAXRATE "class/net/eth7/queues/tx-3/tx_maxrate"

static void set_limit(struct vtc_pool *pool)
{
	const struct vtc_rate rate = { .sz = sizeof(rate), .max_bps = 5000000 };
	struct vtc_rate_answer got = { .sz = sizeof(got) };
	struct vtc__txn txn;

	begin(&txn);
	ck_assert_errno(vtc__pool_load(&txn, pool), 0);
	ck_assert_errno(vtc__rate_maxrate.set(&txn, pool, &rate, &got), 0);
	vtc__txn_end(&txn);
}

/* Another card has its name, and a limit as ours was: that is not ours to lift. */
START_TEST(another_card_of_that_name_is_left_alone)
{
	struct vtct_link other = { .ifindex = CARD + 1, .name = "eth7", .mtu = 1500 };
	struct vtc_pool *pool;
	struct vtc__txn txn;

	vtct_tree_add(tree, MAXRATE " = 0\n");
	pool = make_pool();
	set_limit(pool);
	ck_assert_str_eq(vtct_tree_get(tree, MAXRATE), "5");
	vtct_link_remove(kernel, CARD, false);
	vtct_link_set(kernel, &other, false);
	ck_assert_errno(vtc_pool_release(pool), 0);
	ck_assert_str_eq(vtct_tree_get(tree, MAXRATE), "5");
	ck_assert_uint_eq(count_rules(), 1);
	begin(&txn);
	ck_assert_ptr_null(vtc__journal_foreach_next(txn.journal, NULL));
	vtc__txn_end(&txn);
}
END_TEST

/* Then it is not known whether something is left. */
START_TEST(a_namespace_that_cannot_be_told_is_told_of)
{
	struct vtc_pool *pool = make_pool();
	struct vtc_pool_list *list;

	vtct_fail_nth(kernel, VTCT_NETNS, 1, -EMFILE);
	ck_assert_errno(vtc_pool_recover(ctx, NULL, NULL), -EMFILE);
	ck_assert_int_eq(vtc_error_get_code(vtc_ctx_last_error(ctx)), -EMFILE);
	vtct_fail_nth(kernel, VTCT_NETNS, 1, -EMFILE);
	ck_assert_errno(vtc_pool_list_new(ctx, NULL, &list), -EMFILE);
	ck_assert_int_eq(vtc_error_get_code(vtc_ctx_last_error(ctx)), -EMFILE);
	ck_assert_errno(vtc_pool_recover(ctx, NULL, NULL), 0);
	ck_assert_errno(vtc_pool_release(pool), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("rules");
	TCase *t = tcase_create("rules");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_rule_comes_and_goes);
	tcase_add_test(t, a_rule_that_is_elsewhere_than_noted_is_found);
	tcase_add_test(t, an_audit_that_cannot_note_leaves_no_rule);
	tcase_add_test(t, an_altered_rule_is_deleted_later);
	tcase_add_test(t, rules_that_only_half_made_way_are_back);
	tcase_add_test(t, another_card_of_that_name_is_left_alone);
	tcase_add_test(t, a_namespace_that_cannot_be_told_is_told_of);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return vtct_main(suite(), NULL);
}
