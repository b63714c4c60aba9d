/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rates of net-shapers, against a model of what the kernel keeps (queues and a node over
 * them), since hardly a driver has them yet. tests/vm/vmdq-shaper.c shows the same on a
 * kernel that has them.
 */
#include <linux/genetlink.h>
#include <stdlib.h>
#include <string.h>

#include "core/genl.h"
#include "fakekernel.h"
#include "ratepool.h"
#include "vtct.h"

#define CARD   7
#define QUEUES 8
#define MBIT   1000000ull

enum { GET = 1, SET = 2, DELETE = 3, GROUP = 4, CAP_GET = 5 };
enum { QUEUE = 2, NODE = 3 };
enum {
	HANDLE = 1,
	METRIC = 2,
	BW_MIN = 3,
	BW_MAX = 4,
	WEIGHT = 7,
	IFINDEX = 8,
	PARENT = 9,
	LEAVES = 10,
};
enum { CAP_BPS = 3, CAP_NESTING = 5, CAP_MIN = 6, CAP_MAX = 7, CAP_WEIGHT = 10 };

#define BIT(n) (1u << (n))

struct shaper {
	bool there;
	uint64_t min, max;
	uint32_t weight;
	uint32_t leaves; /* of a node */
	bool nested;	 /* below the node */
};

static struct model {
	struct shaper queues[QUEUES], node;
	uint32_t caps[4];  /* by scope */
	unsigned int sets; /* SET and GROUP */
	int error;	   /* of the next of these */
} model;

static struct vtct_tree *tree;
static struct vtct_kernel *kernel;
static struct vtc_ctx *ctx;
static struct vtc__sys sys;
static uint16_t family;

/* ---- The model ---- */

static void get_handle(const struct nlattr *attr, uint32_t *scope, uint32_t *id)
{
	const struct nlattr *tb[3];

	ck_assert_errno(vtc__nla_parse_nested(attr, tb, 2), 0);
	ck_assert_errno(vtc__nla_u32(tb[1], scope), 0);
	*id = UINT32_MAX;
	if (tb[2])
		ck_assert_errno(vtc__nla_u32(tb[2], id), 0);
}

static struct shaper *find(const struct nlattr *handle)
{
	uint32_t scope, id;

	get_handle(handle, &scope, &id);
	if (scope == NODE)
		return &model.node;
	ck_assert_uint_eq(scope, QUEUE);
	ck_assert_uint_lt(id, QUEUES);
	return &model.queues[id];
}

static void put_handle(struct vtct_buf *buf, int type, uint32_t scope, uint32_t id)
{
	size_t nest = vtct_nest(buf, type);

	vtct_put_u32(buf, 1, scope);
	vtct_put_u32(buf, 2, id);
	vtct_nest_end(buf, nest);
}

/* As the kernel sends a number: in four bytes if it fits. */
static void put_uint(struct vtct_buf *buf, int type, uint64_t value)
{
	if (value > UINT32_MAX)
		vtct_put_u64(buf, type, value);
	else if (value)
		vtct_put_u32(buf, type, (uint32_t)value);
}

static void answer_get(const struct shaper *s)
{
	struct vtct_buf buf = VTCT_BUF_INIT;

	if (!s->there) {
		vtct_genl_error(kernel, family, GET, -ENOENT);
		return;
	}
	vtct_put_u32(&buf, IFINDEX, CARD);
	if (s->nested)
		put_handle(&buf, PARENT, NODE, 3);
	put_uint(&buf, BW_MIN, s->min);
	put_uint(&buf, BW_MAX, s->max);
	if (s->weight)
		vtct_put_u32(&buf, WEIGHT, s->weight);
	vtct_genl_answer(kernel, family, GET, &buf);
	vtct_buf_free(&buf);
}

static void answer_caps(uint32_t caps)
{
	struct vtct_buf buf = VTCT_BUF_INIT;

	if (!caps) {
		vtct_genl_error(kernel, family, CAP_GET, -EOPNOTSUPP);
		return;
	}
	for (int i = CAP_BPS; i <= CAP_WEIGHT; i++)
		if (caps & BIT(i))
			vtct_put(&buf, i, NULL, 0);
	vtct_genl_answer(kernel, family, CAP_GET, &buf);
	vtct_buf_free(&buf);
}

static void take_rate(const struct nlattr **tb, struct shaper *s, uint32_t caps)
{
	uint32_t metric;

	ck_assert_errno(vtc__nla_u32(tb[METRIC], &metric), 0);
	ck_assert_uint_eq(metric, 0);
	/* The kernel adds to a shaper that is there. */
	s->there = true;
	if (tb[BW_MIN])
		ck_assert_errno(vtc__nla_u64(tb[BW_MIN], &s->min), 0);
	if (tb[BW_MAX])
		ck_assert_errno(vtc__nla_u64(tb[BW_MAX], &s->max), 0);
	if (tb[WEIGHT])
		ck_assert_errno(vtc__nla_u32(tb[WEIGHT], &s->weight), 0);
	ck_assert(!s->min || caps & BIT(CAP_MIN));
	ck_assert(!s->max || caps & BIT(CAP_MAX));
	ck_assert(!s->weight || caps & BIT(CAP_WEIGHT));
}

static void take_leaves(const struct nlmsghdr *msg)
{
	/* The model has one node, and no nodes in nodes. */
	const struct nlattr *tb[HANDLE + 1];
	const char *at = (const char *)NLMSG_DATA(msg) + GENL_HDRLEN;
	const char *end = (const char *)msg + msg->nlmsg_len;

	while (at < end) {
		const struct nlattr *attr = (const struct nlattr *)(const void *)at;

		if (vtc__nla_type(attr) == LEAVES) {
			struct shaper *leaf;

			ck_assert_errno(vtc__nla_parse_nested(attr, tb, HANDLE), 0);
			leaf = find(tb[HANDLE]);
			ck_assert(!leaf->there);
			*leaf = (struct shaper){ .there = true, .nested = true };
			model.node.leaves++;
		}
		at += NLA_ALIGN(attr->nla_len);
	}
}

static bool fails(uint8_t cmd)
{
	int error = model.error;

	model.error = 0;
	model.sets++;
	if (error)
		vtct_genl_error(kernel, family, cmd, error);
	else
		vtct_genl_answer(kernel, family, cmd, NULL);
	return error;
}

static void do_group(const struct nlmsghdr *msg, const struct nlattr **tb)
{
	struct vtct_buf buf = VTCT_BUF_INIT;
	uint32_t scope, id;

	if (fails(GROUP))
		return;
	get_handle(tb[HANDLE], &scope, &id);
	ck_assert_uint_eq(scope, NODE);
	ck_assert_uint_eq(id, UINT32_MAX);
	take_rate(tb, &model.node, model.caps[NODE]);
	take_leaves(msg);
	put_handle(&buf, HANDLE, NODE, 3);
	vtct_genl_answer(kernel, family, GROUP, &buf);
	vtct_buf_free(&buf);
}

static void do_delete(struct shaper *s)
{
	if (!s->there) {
		vtct_genl_error(kernel, family, DELETE, -ENOENT);
		return;
	}
	if (s->nested && --model.node.leaves == 0)
		model.node = (struct shaper){ 0 };
	*s = (struct shaper){ 0 };
	vtct_genl_answer(kernel, family, DELETE, NULL);
}

static void do_caps(const struct nlattr *scope)
{
	uint32_t number;

	ck_assert_errno(vtc__nla_u32(scope, &number), 0);
	ck_assert_uint_lt(number, 4);
	answer_caps(model.caps[number]);
}

static void do_command(const struct nlmsghdr *msg)
{
	const struct genlmsghdr *head = NLMSG_DATA(msg);
	const struct nlattr *tb[LEAVES + 1];
	uint32_t ifindex;

	ck_assert_errno(vtc__genl_parse(msg, tb, LEAVES), 0);
	ck_assert_errno(vtc__nla_u32(tb[head->cmd == CAP_GET ? 1 : IFINDEX], &ifindex),
			0);
	ck_assert_uint_eq(ifindex, CARD);
	if (head->cmd == GET)
		answer_get(find(tb[HANDLE]));
	else if (head->cmd == SET && !fails(SET))
		take_rate(tb, find(tb[HANDLE]), model.caps[QUEUE]);
	else if (head->cmd == DELETE)
		do_delete(find(tb[HANDLE]));
	else if (head->cmd == GROUP)
		do_group(msg, tb);
	else if (head->cmd == CAP_GET)
		do_caps(tb[2]);
}

static ssize_t modelled_send(void *priv, int fd, const void *data, size_t len)
{
	const struct nlmsghdr *msg = data;

	if (msg->nlmsg_type == family)
		do_command(msg);
	return vtct_sys.nl_send(priv, fd, data, len);
}

/* ---- The card ---- */

static void set_up(void)
{
	const uint8_t cmds[] = { GET, SET, DELETE, GROUP, CAP_GET };
	struct vtct_link link = { .ifindex = CARD, .name = "eth7", .mtu = 1500 };
	struct vtc_ctx_opts opts = VTC_CTX_OPTS_INIT;

	memset(&model, 0, sizeof(model));
	model.caps[QUEUE] = BIT(CAP_BPS) | BIT(CAP_MIN) | BIT(CAP_MAX) | BIT(CAP_NESTING);
	model.caps[NODE] = BIT(CAP_BPS) | BIT(CAP_MAX) | BIT(CAP_WEIGHT);
	tree = vtct_tree_new();
	kernel = vtct_kernel_new(tree);
	vtct_link_set(kernel, &link, false);
	family = vtct_genl_family(kernel, "net-shaper", cmds, sizeof(cmds));
	sys = vtct_sys;
	sys.nl_send = modelled_send;
	opts.sysfs_root = tree->root;
	opts.state_dir = tree->state;
	ck_assert_errno(vtc__ctx_new(&opts, &sys, kernel, &ctx), 0);
}

static void tear_down(void)
{
	vtc_ctx_unref(ctx);
	vtct_kernel_free(kernel);
	vtct_tree_free(tree);
}

static struct vtc_pool *make(const char *name, uint32_t slot, uint32_t first,
			     uint32_t count)
{
	struct vtc__pool_data data = { .backend = VTC_POOL_BACKEND_NTUPLE,
				       .slot = slot,
				       .queue_first = first,
				       .queue_count = count };

	return ratepool_make(ctx, "eth7", name, &data);
}

static void check_empty(void)
{
	ck_assert(!model.node.there);
	for (unsigned int i = 0; i < QUEUES; i++)
		ck_assert(!model.queues[i].there);
}

/* ---- The tests ---- */

START_TEST(one_queue_is_shaped_itself)
{
	struct vtc_pool *pool = make("a", 0, 5, 1);

	ck_rate(pool, 0, 3 * MBIT, 9000 * MBIT, VTC_RATE_NOT_ASKED, VTC_RATE_EXACT,
		VTC_RATE_EXACT, "net-shaper");
	ck_assert(model.queues[5].there);
	ck_assert_uint_eq(model.queues[5].min, 3 * MBIT);
	ck_assert_uint_eq(model.queues[5].max, 9000 * MBIT);
	ck_assert(!model.node.there);
	ck_rate(pool, 0, 0, 4 * MBIT, VTC_RATE_NOT_ASKED, VTC_RATE_NOT_ASKED,
		VTC_RATE_EXACT, "net-shaper");
	ck_assert_uint_eq(model.queues[5].min, 0);
	ck_assert_errno(vtc_pool_release(pool), 0);
	check_empty();
}
END_TEST

START_TEST(weights_and_several_queues_are_a_nodes)
{
	struct vtc_pool *pool = make("a", 0, 4, 3);

	ck_rate(pool, 9, 0, 5000 * MBIT, VTC_RATE_EXACT, VTC_RATE_NOT_ASKED,
		VTC_RATE_EXACT, "net-shaper");
	ck_assert_uint_eq(model.node.leaves, 3);
	ck_assert_uint_eq(model.node.weight, 9);
	ck_assert_uint_eq(model.node.max, 5000 * MBIT);
	for (unsigned int i = 0; i < QUEUES; i++)
		ck_assert_int_eq(model.queues[i].nested, i >= 4 && i < 7);
	/* A node of this driver has no minimum: that is told, and the rest is kept. */
	ck_rate(pool, 9, MBIT, 5 * MBIT, VTC_RATE_EXACT, VTC_RATE_UNSUPPORTED,
		VTC_RATE_EXACT, "net-shaper");
	ck_assert_errno(vtc_pool_release(pool), 0);
	check_empty();
}
END_TEST

START_TEST(a_queue_alone_is_a_leaf_if_only_nodes_have_weights)
{
	struct vtc_pool *pool = make("a", 0, 6, 1);

	ck_rate(pool, 2, 0, 5 * MBIT, VTC_RATE_EXACT, VTC_RATE_NOT_ASKED, VTC_RATE_EXACT,
		"net-shaper");
	ck_assert(model.queues[6].nested);
	ck_assert_uint_eq(model.node.weight, 2);
	ck_assert_errno(vtc_pool_release(pool), 0);
	check_empty();
}
END_TEST

START_TEST(somebody_elses_shapers_are_left_alone)
{
	struct vtc_pool *pool = make("a", 0, 4, 2);

	model.queues[5] = (struct shaper){ .there = true, .max = 7 * MBIT };
	ck_assert_errno(ratepool_set(pool, 1, 0, 5 * MBIT, NULL), -EOPNOTSUPP);
	ck_assert_msg(strstr(ratepool_error(ctx), "somebody else shapes"), "%s",
		      ratepool_error(ctx));
	ck_assert_uint_eq(model.queues[5].max, 7 * MBIT);
	ck_assert_uint_eq(model.sets, 0);
	ck_assert_errno(vtc_pool_release(pool), 0);
	ck_assert_uint_eq(model.queues[5].max, 7 * MBIT);
}
END_TEST

START_TEST(what_somebody_changed_stays_and_what_is_lost_comes_back)
{
	struct vtc_pool_audit audit = { .sz = sizeof(audit) };
	struct vtc_pool *pool = make("a", 0, 5, 1);

	ck_rate(pool, 0, 0, 8 * MBIT, VTC_RATE_NOT_ASKED, VTC_RATE_NOT_ASKED,
		VTC_RATE_EXACT, "net-shaper");
	model.queues[5] = (struct shaper){ 0 };
	ck_assert_errno(vtc_pool_audit(pool, &audit), 0);
	ck_assert_uint_eq(audit.repaired, 1);
	ck_assert_uint_eq(model.queues[5].max, 8 * MBIT);
	model.queues[5].max = 7 * MBIT;
	ck_assert_errno(vtc_pool_release(pool), 0);
	ck_assert(model.queues[5].there);
	ck_assert_uint_eq(model.queues[5].max, 7 * MBIT);
}
END_TEST

START_TEST(what_somebody_added_goes)
{
	struct vtc_pool_audit audit = { .sz = sizeof(audit) };
	struct vtc_pool *pool = make("a", 0, 5, 1);

	ck_rate(pool, 0, 0, 8 * MBIT, VTC_RATE_NOT_ASKED, VTC_RATE_NOT_ASKED,
		VTC_RATE_EXACT, "net-shaper");
	model.queues[5].min = 2 * MBIT;
	ck_assert_errno(vtc_pool_audit(pool, &audit), 0);
	ck_assert_uint_eq(audit.repaired, 1);
	ck_assert_uint_eq(model.queues[5].min, 0);
	ck_assert_uint_eq(model.queues[5].max, 8 * MBIT);
	ck_assert_errno(vtc_pool_audit(pool, &audit), 0);
	ck_assert_uint_eq(audit.repaired, 0);
	ck_assert_errno(vtc_pool_release(pool), 0);
	check_empty();
}
END_TEST

START_TEST(one_of_several_queues_that_is_lost_comes_back)
{
	struct vtc_pool_audit audit = { .sz = sizeof(audit) };
	struct vtc_pool *pool = make("a", 0, 4, 3);

	ck_rate(pool, 9, 0, 5 * MBIT, VTC_RATE_EXACT, VTC_RATE_NOT_ASKED, VTC_RATE_EXACT,
		"net-shaper");
	model.queues[5] = (struct shaper){ 0 };
	model.node.leaves--;
	ck_assert_errno(vtc_pool_audit(pool, &audit), 0);
	ck_assert_uint_eq(audit.repaired, 1);
	ck_assert_uint_eq(model.node.leaves, 3);
	ck_assert(model.queues[5].nested);
	ck_assert_errno(vtc_pool_release(pool), 0);
	check_empty();
}
END_TEST

START_TEST(what_the_driver_refuses_leaves_the_old_rate)
{
	struct vtc_pool *pool = make("a", 0, 5, 1);

	ck_rate(pool, 0, 0, 8 * MBIT, VTC_RATE_NOT_ASKED, VTC_RATE_NOT_ASKED,
		VTC_RATE_EXACT, "net-shaper");
	model.error = -EBUSY;
	ck_assert_errno(ratepool_set(pool, 0, 0, 9 * MBIT, NULL), -EBUSY);
	ck_assert_uint_eq(model.queues[5].max, 8 * MBIT);
	ck_assert_errno(vtc_pool_release(pool), 0);
	check_empty();
}
END_TEST

START_TEST(a_kernel_or_a_driver_without)
{
	struct vtc_pool *pool = make("a", 0, 5, 1);

	model.caps[QUEUE] = model.caps[NODE] = 0;
	ck_assert_errno(ratepool_set(pool, 1, 0, 9 * MBIT, NULL), -EOPNOTSUPP);
	ck_assert_msg(strstr(ratepool_error(ctx), "net-shaper: the driver shapes"), "%s",
		      ratepool_error(ctx));
	ck_assert_errno(vtc_pool_release(pool), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("shaper");
	TCase *tcase = tcase_create("shaper");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, one_queue_is_shaped_itself);
	tcase_add_test(tcase, weights_and_several_queues_are_a_nodes);
	tcase_add_test(tcase, a_queue_alone_is_a_leaf_if_only_nodes_have_weights);
	tcase_add_test(tcase, somebody_elses_shapers_are_left_alone);
	tcase_add_test(tcase, what_somebody_changed_stays_and_what_is_lost_comes_back);
	tcase_add_test(tcase, what_somebody_added_goes);
	tcase_add_test(tcase, one_of_several_queues_that_is_lost_comes_back);
	tcase_add_test(tcase, what_the_driver_refuses_leaves_the_old_rate);
	tcase_add_test(tcase, a_kernel_or_a_driver_without);
	suite_add_tcase(suite, tcase);
	return vtct_main(suite, NULL);
}
