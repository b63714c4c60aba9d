/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernel answers to ethtool's questions is not believed: sizes that make no
 * sense, tables that change between two questions, names without an end. No driver can be
 * brought to that, so the answers are made up here; the card is the loopback interface.
 */
#include <linux/ethtool.h>
#include <stddef.h>
#include <string.h>

#include <vtc/vtc.h>

#include "core/ctx.h"
#include "vmdq/channels.h"
#include "vmdq/ethtool.h"
#include "vmdq/feature.h"
#include "vmdq/queues.h"
#include "vmdq/rss.h"
#include "vmdq/rule.h"
#include "vtct.h"

#define NAME "rx-ntuple-filter"

/* What is answered. */
static struct {
	struct ethtool_channels channels;
	uint32_t rules, listed, too_small; /* so often the list has grown meanwhile */
	uint32_t indir_size, indir_size_later;
	uint32_t names, names_later;
	uint8_t form[3]; /* how the RSS hash is formed */
	unsigned int asked;
} answer;

/* How the hash was to be formed when the table was set last. */
static uint8_t form_set[3];

#define FORM_AT (offsetof(struct ethtool_rxfh, hfunc) + 1)

static struct vtc_ctx *ctx;
static struct vtc__uplink uplink;

static int answer_list(struct ethtool_rxnfc *ask)
{
	answer.asked++;
	if (answer.too_small) {
		answer.too_small--;
		return -EMSGSIZE;
	}
	ask->rule_cnt = answer.listed;
	return 0;
}

static int answer_rss(struct ethtool_rxfh *ask)
{
	bool first = !ask->indir_size;

	ask->indir_size = first ? answer.indir_size : answer.indir_size_later;
	memcpy((uint8_t *)ask + FORM_AT, answer.form, sizeof(answer.form));
	return 0;
}

/* All of them have a name that fills its place. */
static int answer_names(struct ethtool_gstrings *ask)
{
	ask->len = answer.names_later;
	for (uint32_t i = 0; i < ask->len && i < 64; i++)
		memset(ask->data + (size_t)i * ETH_GSTRING_LEN, 'x', ETH_GSTRING_LEN);
	return 0;
}

static int fake_ethtool(void *priv, const char *name, void *data)
{
	struct ethtool_sset_info *sets = data;
	struct ethtool_rxnfc *rules = data;

	(void)priv;
	ck_assert_str_eq(name, "lo");
	switch (sets->cmd) {
	case ETHTOOL_GCHANNELS:
		answer.channels.cmd = ETHTOOL_GCHANNELS;
		memcpy(data, &answer.channels, sizeof(answer.channels));
		return 0;
	case ETHTOOL_GRXCLSRLCNT:
		rules->rule_cnt = answer.rules;
		rules->data = 16;
		return 0;
	case ETHTOOL_GRXCLSRLALL:
		return answer_list(data);
	case ETHTOOL_GRSSH:
		return answer_rss(data);
	case ETHTOOL_SRSSH:
		memcpy(form_set, (uint8_t *)data + FORM_AT, sizeof(form_set));
		return 0;
	case ETHTOOL_GSSET_INFO:
		sets->data[0] = answer.names;
		return 0;
	case ETHTOOL_GSTRINGS:
		return answer_names(data);
	default:
		return -EOPNOTSUPP;
	}
}

static void setup(void)
{
	struct vtc_ctx_opts opts = VTC_CTX_OPTS_INIT;
	static struct vtc__sys sys;

	sys = vtc__sys_kernel;
	sys.ethtool = fake_ethtool;
	memset(&answer, 0, sizeof(answer));
	opts.state_dir = vtct_dir();
	ck_assert_errno(vtc__ctx_new(&opts, &sys, NULL, &ctx), 0);
	uplink = (struct vtc__uplink){ .ctx = ctx, .ifindex = 1 };
}

static void teardown(void)
{
	vtc_ctx_unref(ctx);
}

START_TEST(channels_that_make_no_sense)
{
	static const struct ethtool_channels bad[] = {
		{ .max_combined = 0 },
		{ .max_combined = 4, .combined_count = 0 },
		{ .max_combined = 4, .combined_count = 5 },
		{ .max_combined = UINT32_MAX, .combined_count = 4 },
		{ .max_combined = 4, .combined_count = 2, .max_rx = 4, .rx_count = 2 },
		{ .max_rx = 2, .rx_count = 3 },
	};
	struct vtc__channels channels;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		answer.channels = bad[i];
		ck_assert_errno(vtc__channels_get(&uplink, &channels), -EOPNOTSUPP);
	}
	answer.channels = (struct ethtool_channels){ .max_rx = 8, .rx_count = 3 };
	ck_assert_errno(vtc__channels_get(&uplink, &channels), 0);
	ck_assert_uint_eq(channels.count, 3);
	ck_assert_uint_eq(channels.max, 8);
	ck_assert(!channels.combined);
}
END_TEST

static void expect_plan(uint32_t count, uint32_t max, uint32_t first, uint32_t base)
{
	struct vtc__queues plan;
	struct vtc__txn txn;

	answer.channels =
		(struct ethtool_channels){ .max_combined = max, .combined_count = count };
	ck_assert_errno(vtc__txn_begin(ctx, &uplink, "test", &txn), 0);
	ck_assert_errno(vtc__queues_plan(&txn, "pool", 4, &plan), 0);
	vtc__txn_end(&txn);
	ck_assert_uint_eq(plan.first, first);
	ck_assert_uint_eq(plan.base, base);
	ck_assert_uint_ge(plan.channels, count);
}

/* The guard has a place for the sockets of 128. */
START_TEST(more_queues_than_the_guard_knows)
{
	expect_plan(8, 256, 8, 8);
	expect_plan(124, 256, 124, 124);
	expect_plan(125, 256, 121, 121);
	expect_plan(128, 128, 124, 124);
	expect_plan(256, 256, 124, 124);
}
END_TEST

START_TEST(a_list_of_rules_that_grows_is_asked_for_again)
{
	struct vtc__rules rules;

	answer.rules = 2;
	answer.listed = 3;
	answer.too_small = 2;
	ck_assert_errno(vtc__rules_get(&uplink, &rules), 0);
	ck_assert_uint_eq(answer.asked, 3);
	ck_assert_uint_eq(rules.count, 3);
	ck_assert_uint_eq(rules.size, 16);
	ck_assert(!rules.picks);
	vtc__rules_free(&rules);
	/* But not for ever. */
	answer.too_small = UINT32_MAX;
	ck_assert_errno(vtc__rules_get(&uplink, &rules), -EMSGSIZE);
}
END_TEST

START_TEST(more_rules_than_there_was_room_for)
{
	struct vtc__rules rules;

	answer.rules = UINT32_MAX;
	ck_assert_errno(vtc__rules_get(&uplink, &rules), -EPROTO);
	ck_assert_uint_eq(answer.asked, 0);
	answer.rules = 2;
	answer.listed = UINT32_MAX;
	ck_assert_errno(vtc__rules_get(&uplink, &rules), -EPROTO);
}
END_TEST

START_TEST(a_table_of_another_size)
{
	struct vtc__rss_table table;

	answer.indir_size = UINT32_MAX;
	ck_assert_errno(vtc__rss_get(&uplink, 0, &table), -EPROTO);
	answer.indir_size = 0;
	ck_assert_errno(vtc__rss_get(&uplink, 0, &table), -EOPNOTSUPP);
	answer.indir_size = 128;
	answer.indir_size_later = 256;
	ck_assert_errno(vtc__rss_get(&uplink, 0, &table), -EPROTO);
	answer.indir_size_later = 128;
	ck_assert_errno(vtc__rss_get(&uplink, 0, &table), 0);
	ck_assert_uint_eq(table.size, 128);
	vtc__rss_free(&table);
}
END_TEST

/* The first byte is input_xfrm for those who know it; the others are reserved. */
START_TEST(how_the_hash_is_formed_stays)
{
	uint32_t queues[4] = { 0 };
	const struct vtc__rss_table table = { .size = 4, .queue = queues };
	uint32_t context;

	answer.indir_size = 4;
	answer.form[0] = 1;
	ck_assert_errno(vtc__rss_set(&uplink, &table), 0);
	ck_assert_int_eq(memcmp(form_set, answer.form, sizeof(form_set)), 0);
	memset(form_set, 0, sizeof(form_set));
	ck_assert_errno(vtc__rss_create(&uplink, &table, &context), 0);
	ck_assert_int_eq(memcmp(form_set, answer.form, sizeof(form_set)), 0);
}
END_TEST

START_TEST(names_without_an_end)
{
	struct vtc__strings names;
	struct vtc__feature feature;

	answer.names = UINT32_MAX;
	ck_assert_errno(vtc__ethtool_strings(&uplink, ETH_SS_FEATURES, &names), -EPROTO);
	answer.names = 64;
	answer.names_later = 65;
	ck_assert_errno(vtc__ethtool_strings(&uplink, ETH_SS_FEATURES, &names), -EAGAIN);
	answer.names_later = 64;
	ck_assert_errno(vtc__ethtool_strings(&uplink, ETH_SS_FEATURES, &names), 0);
	ck_assert_uint_eq(names.count, 64);
	ck_assert_uint_eq(strlen(names.text[63]), ETH_GSTRING_LEN - 1);
	ck_assert_errno(vtc__strings_find(&names, NAME), -ENOENT);
	vtc__strings_free(&names);
	ck_assert_errno(vtc__feature_get(&uplink, NAME, &feature), -ENOENT);
}
END_TEST

START_TEST(what_drivers_do_differently)
{
	static const struct vtc__quirks want[] = {
		{ .driver = "i40e", .no_mac_rules = true, .vf_stats = true },
		{ .driver = "fm10k", .no_mac_rules = true, .vf_stats = true },
		{ .driver = "mlx5_core", .vlan_mask = 0x0fff, .vf_stats = true },
		{ .driver = "bnxt_en", .vlan_mask = 0x0fff, .location_any = true },
		{ .driver = "igc", .vlan_mask = 0xffff },
		{ .driver = "" },
	};

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		const struct vtc__quirks *is = vtc__quirks_find(want[i].driver);

		ck_assert_str_eq(is->driver, want[i].driver);
		ck_assert_uint_eq(is->vlan_mask, want[i].vlan_mask);
		ck_assert_int_eq(is->no_mac_rules, want[i].no_mac_rules);
		ck_assert_int_eq(is->location_any, want[i].location_any);
		ck_assert_int_eq(is->vf_stats, want[i].vf_stats);
		ck_assert(!is->channels_first && !is->and_is_or && !is->tags_hidden &&
			  !is->takes_all && !is->maxrate_sticky);
	}
	ck_assert_str_eq(vtc__quirks_find("a driver of tomorrow")->driver, "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ethtool");
	TCase *tcase = tcase_create("ethtool");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, channels_that_make_no_sense);
	tcase_add_test(tcase, more_queues_than_the_guard_knows);
	tcase_add_test(tcase, a_list_of_rules_that_grows_is_asked_for_again);
	tcase_add_test(tcase, more_rules_than_there_was_room_for);
	tcase_add_test(tcase, a_table_of_another_size);
	tcase_add_test(tcase, how_the_hash_is_formed_stays);
	tcase_add_test(tcase, names_without_an_end);
	tcase_add_test(tcase, what_drivers_do_differently);
	suite_add_tcase(suite, tcase);
	return vtct_main(suite, NULL);
}
