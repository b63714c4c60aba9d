/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Netlink requests whose answer comes late, in pieces, twice, not at all, or makes no
 * sense.
 */
#include <linux/genetlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "core/genl.h"
#include "core/netlink.h"
#include "fakekernel.h"
#include "vtct.h"

static struct vtct_tree *tree;
static struct vtct_kernel *k;
static struct vtc_ctx *ctx;
static struct vtc__nl *nl;

static void set_up(void)
{
	tree = vtct_tree_new();
	k = vtct_kernel_new(tree);
	vtct_kernel_igb(k, 0);
	ctx = vtct_kernel_ctx(k);
	ck_assert_errno(vtc__nl_rt(ctx, &nl), 0);
}

static void tear_down(void)
{
	vtc_ctx_unref(ctx);
	vtct_kernel_free(k);
	vtct_tree_free(tree);
}

static int count_messages(void *arg, const struct nlmsghdr *msg)
{
	int *count = arg;

	ck_assert_uint_eq(msg->nlmsg_type, RTM_NEWLINK);
	++*count;
	return 0;
}

/* RTM_GETLINK of the PF, or of all; how many messages came in *ret_count. */
static int get_links(uint16_t flags, int *ret_count)
{
	struct ifinfomsg head = { .ifi_index = flags & NLM_F_DUMP ? 0 : 3 };
	struct vtc__nlmsg *msg = vtc__nlmsg_new(RTM_GETLINK, flags, 256);
	int err = vtc__nlmsg_append(msg, &head, sizeof(head));

	*ret_count = 0;
	if (!err)
		err = vtc__nl_request(ctx, nl, msg, count_messages, ret_count);
	vtc__nlmsg_free(msg);
	return err;
}

static int get_link(void)
{
	int count;

	return get_links(0, &count);
}

/* A request that only wants an acknowledgement. */
static int set_link_up(void)
{
	struct ifinfomsg head = { .ifi_index = 3, .ifi_flags = 1, .ifi_change = 1 };
	struct vtc__nlmsg *msg = vtc__nlmsg_new(RTM_SETLINK, 0, 256);
	int err = vtc__nlmsg_append(msg, &head, sizeof(head));

	if (!err)
		err = vtc__nl_request(ctx, nl, msg, NULL, NULL);
	vtc__nlmsg_free(msg);
	return err;
}

/* After whatever went wrong, the next request is answered as if nothing had been. */
static void assert_recovered(void)
{
	int count;

	ck_assert_errno(get_links(0, &count), 0);
	ck_assert_int_eq(count, 1);
	ck_assert_uint_eq(vtct_scripts_left(k), 0);
}

START_TEST(one_request_one_answer)
{
	int count;

	ck_assert_errno(get_links(0, &count), 0);
	ck_assert_int_eq(count, 1);
	ck_assert_str_eq(vtc__nl_message(nl), "");
	ck_assert_errno(set_link_up(), 0);
}
END_TEST

START_TEST(a_dump_has_many_messages)
{
	int count;

	ck_assert_errno(get_links(NLM_F_DUMP, &count), 0);
	ck_assert_int_eq(count, 2);
}
END_TEST

START_TEST(large_answers_are_taken_whole)
{
	struct vtct_pf *pf = vtct_kernel_igb(k, 1);
	struct ifinfomsg head = { .ifi_index = 4 };
	struct vtc__nlmsg *msg = vtc__nlmsg_new(RTM_GETLINK, 0, 256);
	int count = 0;

	pf->total_vfs = 200; /* 58 KiB, more than the first buffer */
	vtct_create_vfs(k, pf, 200);
	ck_assert_errno(vtc__nlmsg_append(msg, &head, sizeof(head)), 0);
	ck_assert_errno(vtc__nlmsg_put_u32(msg, IFLA_EXT_MASK, RTEXT_FILTER_VF), 0);
	ck_assert_errno(vtc__nl_request(ctx, nl, msg, count_messages, &count), 0);
	ck_assert_int_eq(count, 1);
	vtc__nlmsg_free(msg);
}
END_TEST

START_TEST(the_kernels_number_and_words_are_kept)
{
	struct vtct_script *s = vtct_script(k, RTM_GETLINK, 0);

	vtct_script_ack(s, -EPROTONOSUPPORT, "VLAN protocol is not supported");
	ck_assert_errno(get_link(), -EPROTONOSUPPORT);
	ck_assert_str_eq(vtc__nl_message(nl), "VLAN protocol is not supported");
	assert_recovered();
	ck_assert_str_eq(vtc__nl_message(nl), "");
}
END_TEST

START_TEST(words_are_found_behind_a_repeated_request)
{
	vtct_set_echo(k, true);
	vtct_script_ack(vtct_script(k, RTM_SETLINK, 0), -EBUSY, "words");
	ck_assert_errno(set_link_up(), -EBUSY);
	ck_assert_str_eq(vtc__nl_message(nl), "words");
	vtct_script_ack(vtct_script(k, RTM_GETLINK, 0), -EBUSY, NULL);
	ck_assert_errno(get_link(), -EBUSY);
	ck_assert_str_eq(vtc__nl_message(nl), "");
}
END_TEST

START_TEST(long_words_are_cut)
{
	char text[2000];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	vtct_script_ack(vtct_script(k, RTM_GETLINK, 0), -EINVAL, text);
	ck_assert_errno(get_link(), -EINVAL);
	ck_assert_int_eq(strncmp(vtc__nl_message(nl), text, 100), 0);
	ck_assert_uint_lt(strlen(vtc__nl_message(nl)), sizeof(text));
	assert_recovered();
}
END_TEST

START_TEST(no_answer_is_a_timeout_without_waiting_for_ever)
{
	uint64_t before = vtct_now_ns(k);

	vtct_script(k, RTM_GETLINK, 0);
	ck_assert_errno(get_link(), -ETIMEDOUT);
	ck_assert_uint_ge(vtct_now_ns(k) - before, 1000 * VTCT_NS_PER_MS);
	ck_assert_uint_le(vtct_now_ns(k) - before, 60000 * VTCT_NS_PER_MS);
	assert_recovered();
}
END_TEST

START_TEST(a_late_answer_is_waited_for)
{
	struct vtct_script *s = vtct_script(k, RTM_GETLINK, 0);

	vtct_script_delay(s, 3000 * VTCT_NS_PER_MS);
	vtct_script_usual(s);
	assert_recovered();
}
END_TEST

START_TEST(an_answer_after_the_timeout_does_not_answer_the_next_request)
{
	struct vtct_script *s = vtct_script(k, RTM_SETLINK, 0);

	vtct_script_delay(s, 20000 * VTCT_NS_PER_MS);
	vtct_script_ack(s, -EIO, NULL);
	ck_assert_errno(set_link_up(), -ETIMEDOUT);
	vtct_advance(k, 20000 * VTCT_NS_PER_MS);
	assert_recovered();
}
END_TEST

START_TEST(an_answer_to_another_request_is_skipped)
{
	struct vtct_script *s = vtct_script(k, RTM_GETLINK, 0);
	struct nlmsgerr body = { .error = -EIO };
	struct vtct_buf buf = VTCT_BUF_INIT;
	size_t msg = vtct_msg(&buf, NLMSG_ERROR, 0, 0xdead, &body, sizeof(body));

	vtct_msg_end(&buf, msg);
	vtct_script_data(s, buf.data, buf.len, false);
	vtct_script_usual(s);
	assert_recovered();
	vtct_buf_free(&buf);
}
END_TEST

static const struct {
	int error, want;
} receive_errors[] = {
	{ -ENOBUFS, -ENOBUFS },
	{ -ENOMEM, -ENOMEM },
	{ -EAGAIN, 0 },
	{ -EINTR, 0 },
};

START_TEST(receive_error)
{
	struct vtct_script *s = vtct_script(k, RTM_GETLINK, 0);

	vtct_script_error(s, receive_errors[_i].error);
	vtct_script_usual(s);
	ck_assert_errno(get_link(), receive_errors[_i].want);
	assert_recovered();
}
END_TEST

static const struct {
	enum vtct_call call;
	int error;
} system_errors[] = {
	{ VTCT_NL_SEND, -ENOBUFS },
	{ VTCT_NL_SEND, -EPERM },
	{ VTCT_POLL, -ENOMEM },
};

START_TEST(system_error)
{
	vtct_fail_nth(k, system_errors[_i].call, 1, system_errors[_i].error);
	if (system_errors[_i].call == VTCT_POLL)
		vtct_script(k, RTM_GETLINK, 0); /* so that it has to wait */
	ck_assert_errno(get_link(), system_errors[_i].error);
	assert_recovered();
}
END_TEST

START_TEST(no_socket_left)
{
	struct vtc__nl *genl = NULL;
	int fds = vtct_count_fds();

	vtct_fail_nth(k, VTCT_NL_OPEN, 1, -EMFILE);
	ck_assert_errno(vtc__nl_genl(ctx, &genl), -EMFILE);
	ck_assert_ptr_null(genl);
	ck_assert_int_eq(vtct_count_fds(), fds);
	ck_assert_errno(vtc__nl_genl(ctx, &genl), 0);
	ck_assert_ptr_nonnull(genl);
}
END_TEST

/* ---- Answers that make no sense ---- */

/* One datagram as the answer to a request of that type, and what comes of it. */
static int answered_by(const void *data, size_t len)
{
	vtct_script_data(vtct_script(k, RTM_GETLINK, 0), data, len, true);
	return get_link();
}

START_TEST(length_of_the_message)
{
	struct ifinfomsg head = { .ifi_index = 3 };
	struct vtct_buf buf = VTCT_BUF_INIT;
	const uint32_t lengths[] = { 0, 1, 15, 16, 33, 36, 4096, INT32_MAX, UINT32_MAX };
	size_t msg = vtct_msg(&buf, RTM_NEWLINK, 0, 0, &head, sizeof(head));
	int err;

	vtct_msg_end(&buf, msg);
	memcpy(buf.data, &lengths[_i], sizeof(lengths[_i]));
	err = answered_by(buf.data, buf.len);
	/*
	 * A shorter length leaves bytes that are no message; 16 fits, and the answer
	 * never ends.
	 */
	ck_assert_msg(err == -EPROTO || (_i == 3 && err == -ETIMEDOUT), "%d", err);
	assert_recovered();
	vtct_buf_free(&buf);
}
END_TEST

START_TEST(short_datagram)
{
	static const unsigned char bytes[15] = { 15 };

	ck_assert_errno(answered_by(bytes, (size_t)_i), _i ? -EPROTO : -ETIMEDOUT);
	assert_recovered();
}
END_TEST

START_TEST(short_error_message)
{
	struct vtct_buf buf = VTCT_BUF_INIT;
	const int error = -EIO;
	size_t msg =
		vtct_msg(&buf, _i ? NLMSG_DONE : NLMSG_ERROR, 0, 0, &error, _i ? 2 : 4);

	vtct_msg_end(&buf, msg);
	ck_assert_errno(answered_by(buf.data, buf.len), -EPROTO);
	assert_recovered();
	vtct_buf_free(&buf);
}
END_TEST

START_TEST(positive_error_number)
{
	vtct_script_ack(vtct_script(k, RTM_GETLINK, 0), 5, NULL);
	ck_assert_errno(get_link(), -EPROTO);
	assert_recovered();
}
END_TEST

START_TEST(words_with_hostile_lengths)
{
	struct nlmsgerr body = { .error = -EINVAL };
	struct vtct_buf buf = VTCT_BUF_INIT;
	const uint32_t inner[] = {
		0, 16, 20, 4096, INT32_MAX, UINT32_MAX, UINT32_MAX - 15
	};
	size_t msg;

	body.msg.nlmsg_len = inner[_i];
	msg = vtct_msg(&buf, NLMSG_ERROR, NLM_F_ACK_TLVS, 0, &body, sizeof(body));
	vtct_put(&buf, NLMSGERR_ATTR_MSG, "not ended", 9);
	vtct_msg_end(&buf, msg);
	ck_assert_errno(answered_by(buf.data, buf.len), -EINVAL);
	ck_assert_str_eq(vtc__nl_message(nl), "");
	assert_recovered();
	vtct_buf_free(&buf);
}
END_TEST

START_TEST(junk_of_any_length)
{
	unsigned char junk[256];
	int i, err;

	srandom((unsigned int)_i);
	for (i = 0; i < (int)sizeof(junk); i++)
		junk[i] = (unsigned char)(random() % 5 ? 0 : random());
	/* Most often the length is to be right, else nothing behind it is looked at. */
	if (_i % 4)
		memcpy(junk, &(uint32_t){ (uint32_t)sizeof(junk) }, 4);
	memcpy(junk + 4, &(uint16_t){ (uint16_t)(_i % 2 ? NLMSG_ERROR : NLMSG_DONE) }, 2);
	err = answered_by(junk, sizeof(junk));
	ck_assert_int_le(err, 0);
	assert_recovered();
}
END_TEST

START_TEST(a_dump_that_changed_under_way)
{
	struct ifinfomsg head = { .ifi_index = 3 };
	struct vtct_buf buf = VTCT_BUF_INIT;
	const int zero = 0;
	int count;
	size_t msg = vtct_msg(&buf, RTM_NEWLINK, NLM_F_MULTI | NLM_F_DUMP_INTR, 0, &head,
			      sizeof(head));

	vtct_msg_end(&buf, msg);
	msg = vtct_msg(&buf, NLMSG_DONE, NLM_F_MULTI, 0, &zero, sizeof(zero));
	vtct_msg_end(&buf, msg);
	vtct_script_data(vtct_script(k, RTM_GETLINK, 0), buf.data, buf.len, true);
	ck_assert_errno(get_links(NLM_F_DUMP, &count), -EAGAIN);
	ck_assert_errno(get_links(NLM_F_DUMP, &count), 0);
	vtct_buf_free(&buf);
}
END_TEST

START_TEST(a_dump_that_ends_in_an_error)
{
	struct vtct_buf buf = VTCT_BUF_INIT;
	const int error = -EMSGSIZE;
	size_t msg = vtct_msg(&buf, NLMSG_DONE, NLM_F_MULTI, 0, &error, sizeof(error));
	int count;

	vtct_msg_end(&buf, msg);
	vtct_script_data(vtct_script(k, RTM_GETLINK, 0), buf.data, buf.len, true);
	ck_assert_errno(get_links(NLM_F_DUMP, &count), -EMSGSIZE);
	ck_assert_errno(get_links(NLM_F_DUMP, &count), 0);
	vtct_buf_free(&buf);
}
END_TEST

START_TEST(a_dump_whose_end_is_lost)
{
	struct vtct_script *s = vtct_script(k, RTM_GETLINK, 0);
	int count;

	vtct_script_error(s, -ENOBUFS);
	vtct_script_usual(s);
	ck_assert_errno(get_links(NLM_F_DUMP, &count), -ENOBUFS);
	/* The rest of the old dump is still there, and is not taken for the new one. */
	ck_assert_errno(get_links(NLM_F_DUMP, &count), 0);
	ck_assert_int_eq(count, 2);
}
END_TEST

START_TEST(noop_means_nothing)
{
	struct vtct_script *s = vtct_script(k, RTM_GETLINK, 0);
	struct vtct_buf buf = VTCT_BUF_INIT;
	size_t msg = vtct_msg(&buf, NLMSG_NOOP, 0, 0, NULL, 0);

	vtct_msg_end(&buf, msg);
	vtct_script_data(s, buf.data, buf.len, true);
	vtct_script_usual(s);
	assert_recovered();
	vtct_buf_free(&buf);
}
END_TEST

static int refuse(void *arg, const struct nlmsghdr *msg)
{
	(void)arg;
	(void)msg;
	return -ECANCELED;
}

START_TEST(the_receiver_may_refuse)
{
	struct ifinfomsg head = { .ifi_index = 0 };
	struct vtc__nlmsg *msg = vtc__nlmsg_new(RTM_GETLINK, NLM_F_DUMP, 256);

	ck_assert_errno(vtc__nlmsg_append(msg, &head, sizeof(head)), 0);
	ck_assert_errno(vtc__nl_request(ctx, nl, msg, refuse, NULL), -ECANCELED);
	vtc__nlmsg_free(msg);
	assert_recovered();
}
END_TEST

/* ---- Generic netlink ---- */

START_TEST(families_are_found_by_name)
{
	static const uint8_t cmds[] = { 0, 1, 31, 32, 255 };
	struct vtc__genl_family family;
	uint16_t id = vtct_genl_family(k, "ethtool", cmds, sizeof(cmds));

	ck_assert_errno(vtc__genl_find(ctx, "ethtool", &family), 0);
	ck_assert_uint_eq(family.id, id);
	ck_assert(vtc__genl_has_op(&family, 0));
	ck_assert(vtc__genl_has_op(&family, 32));
	ck_assert(vtc__genl_has_op(&family, 255));
	ck_assert(!vtc__genl_has_op(&family, 2));
	ck_assert(!vtc__genl_has_op(&family, 33));
	ck_assert_errno(vtc__genl_find(ctx, "net-shaper", &family), -ENOENT);
	ck_assert_uint_eq(family.id, id); /* untouched */
}
END_TEST

static int count_attributes(void *arg, const struct nlmsghdr *msg)
{
	const struct nlattr *tb[4];

	ck_assert_errno(vtc__genl_parse(msg, tb, 3), 0);
	return vtc__nla_u32(tb[2], arg);
}

START_TEST(commands_of_a_family)
{
	static const uint8_t cmds[] = { 5, 6 };
	uint16_t id = vtct_genl_family(k, "ethtool", cmds, sizeof(cmds));
	struct vtct_buf attrs = VTCT_BUF_INIT;
	struct vtc__genl_family family;
	struct vtc__nlmsg *msg;
	uint32_t got = 0;
	int i;

	vtct_put_u32(&attrs, 2, 4711);
	vtct_genl_answer(k, id, 5, &attrs);
	ck_assert_errno(vtc__genl_find(ctx, "ethtool", &family), 0);
	ck_assert_errno(vtc__nl_genl(ctx, &nl), 0);
	for (i = 5; i <= 7; i++) {
		msg = vtc__genl_msg(&family, (uint8_t)i, 0, 128);
		ck_assert_errno(vtc__nl_request(ctx, nl, msg, count_attributes, &got),
				i == 5 ? 0 : -EOPNOTSUPP);
		vtc__nlmsg_free(msg);
	}
	ck_assert_uint_eq(got, 4711);
	vtct_buf_free(&attrs);
}
END_TEST

/*
 * The controller's answer with one thing wrong: what is missing, or has a wrong length.
 */
static void put_family(struct vtct_buf *buf, int wrong)
{
	struct genlmsghdr head = { .cmd = CTRL_CMD_NEWFAMILY };
	size_t msg =
		vtct_msg(buf, GENL_ID_CTRL, 0, 0, &head, wrong == 0 ? 0 : sizeof(head));

	if (wrong == 1)
		vtct_put_u8(buf, CTRL_ATTR_FAMILY_ID, 1);
	else if (wrong != 2)
		vtct_put_u16(buf, CTRL_ATTR_FAMILY_ID, wrong == 3 ? 0 : 0x20);
	if (wrong != 4)
		vtct_put_u32(buf, CTRL_ATTR_VERSION, 1);
	vtct_msg_end(buf, msg);
	if (wrong == 5)
		buf->data[NLMSG_HDRLEN + GENL_HDRLEN] =
			200; /* the first attribute's length */
}

START_TEST(controller_that_makes_no_sense)
{
	struct vtct_script *s = vtct_script(k, GENL_ID_CTRL, 0);
	struct vtc__genl_family family = { .id = 4711 };
	struct vtct_buf buf = VTCT_BUF_INIT;

	put_family(&buf, _i);
	vtct_script_data(s, buf.data, buf.len, true);
	vtct_script_ack(s, 0, NULL);
	ck_assert_errno(vtc__genl_find(ctx, "ethtool", &family), -EPROTO);
	ck_assert_uint_eq(family.id, 4711);
	vtct_buf_free(&buf);
}
END_TEST

START_TEST(controller_that_says_nothing)
{
	struct vtc__genl_family family = { .id = 4711 };

	vtct_script_ack(vtct_script(k, GENL_ID_CTRL, 0), 0, NULL);
	ck_assert_errno(vtc__genl_find(ctx, "ethtool", &family), -EPROTO);
	vtct_script_ack(vtct_script(k, GENL_ID_CTRL, 0), -EPERM, NULL);
	ck_assert_errno(vtc__genl_find(ctx, "ethtool", &family), -EPERM);
}
END_TEST

/* ---- Listening ---- */

START_TEST(broadcasts_are_taken_one_by_one)
{
	const void *data;
	struct vtc__nl *own;
	size_t len;

	ck_assert_errno(vtc__nl_open(ctx, NETLINK_KOBJECT_UEVENT, &own), 0);
	ck_assert_errno(vtc__nl_join(ctx, own, 1), 0);
	ck_assert_errno(vtc__nl_next(ctx, own, &data, &len), 0);
	vtct_uevent(k, "add", "devices/a", "net", NULL);
	vtct_uevent(k, "add", "devices/b", "net", NULL);
	ck_assert_int_eq(vtct_sys.poll(k, vtc__nl_fd(own), 0), 1);
	ck_assert_int_eq(vtc__nl_next(ctx, own, &data, &len), 1);
	ck_assert_str_eq((const char *)data, "add@/devices/a");
	vtct_overrun(k, NETLINK_KOBJECT_UEVENT);
	ck_assert_errno(vtc__nl_next(ctx, own, &data, &len), -ENOBUFS);
	ck_assert_errno(vtc__nl_next(ctx, own, &data, &len), 0);
	vtct_fail_nth(k, VTCT_NL_RECV, 1, -EINTR);
	ck_assert_errno(vtc__nl_next(ctx, own, &data, &len), 0);
	vtc__nl_close(ctx, own);
}
END_TEST

START_TEST(a_group_that_cannot_be_joined)
{
	struct vtc__nl *own;

	ck_assert_errno(vtc__nl_open(ctx, NETLINK_ROUTE, &own), 0);
	vtct_fail_nth(k, VTCT_NL_JOIN, 1, -EPERM);
	ck_assert_errno(vtc__nl_join(ctx, own, RTNLGRP_LINK), -EPERM);
	vtc__nl_close(ctx, own);
	vtc__nl_close(ctx, NULL);
}
END_TEST

static TCase *malformed_case(void)
{
	TCase *tcase = tcase_create("malformed");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, length_of_the_message, 0, 9);
	tcase_add_loop_test(tcase, short_datagram, 0, 16);
	tcase_add_loop_test(tcase, short_error_message, 0, 2);
	tcase_add_test(tcase, positive_error_number);
	tcase_add_loop_test(tcase, words_with_hostile_lengths, 0, 7);
	tcase_add_loop_test(tcase, junk_of_any_length, 0, 40);
	tcase_add_test(tcase, a_dump_that_changed_under_way);
	tcase_add_test(tcase, a_dump_that_ends_in_an_error);
	tcase_add_test(tcase, a_dump_whose_end_is_lost);
	tcase_add_test(tcase, noop_means_nothing);
	tcase_add_test(tcase, the_receiver_may_refuse);
	tcase_add_test(tcase, families_are_found_by_name);
	tcase_add_test(tcase, commands_of_a_family);
	tcase_add_loop_test(tcase, controller_that_makes_no_sense, 0, 6);
	tcase_add_test(tcase, controller_that_says_nothing);
	tcase_add_test(tcase, broadcasts_are_taken_one_by_one);
	tcase_add_test(tcase, a_group_that_cannot_be_joined);
	return tcase;
}

int main(void)
{
	Suite *suite = suite_create("netlink");
	TCase *tcase = tcase_create("request");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, one_request_one_answer);
	tcase_add_test(tcase, a_dump_has_many_messages);
	tcase_add_test(tcase, large_answers_are_taken_whole);
	tcase_add_test(tcase, the_kernels_number_and_words_are_kept);
	tcase_add_test(tcase, words_are_found_behind_a_repeated_request);
	tcase_add_test(tcase, long_words_are_cut);
	tcase_add_test(tcase, no_answer_is_a_timeout_without_waiting_for_ever);
	tcase_add_test(tcase, a_late_answer_is_waited_for);
	tcase_add_test(tcase,
		       an_answer_after_the_timeout_does_not_answer_the_next_request);
	tcase_add_test(tcase, an_answer_to_another_request_is_skipped);
	tcase_add_loop_test(tcase, receive_error, 0, 4);
	tcase_add_loop_test(tcase, system_error, 0, 3);
	tcase_add_test(tcase, no_socket_left);
	suite_add_tcase(suite, tcase);
	suite_add_tcase(suite, malformed_case());
	return vtct_main(suite, NULL);
}
