/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Netlink attributes: what we build the kernel reads, and no length that it sends can
 * hurt.
 */
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "core/netlink.h"
#include "vtct.h"

#define MAX 5

/* The bytes in memory of their own size, so that a sanitizer sees a step beyond them. */
static unsigned char *exact(const struct vtct_buf *buf)
{
	unsigned char *copy = malloc(buf->len ? buf->len : 1);

	if (buf->len)
		memcpy(copy, buf->data, buf->len);
	return copy;
}

START_TEST(attributes_are_sorted_by_type)
{
	struct vtct_buf buf = VTCT_BUF_INIT;
	const struct nlattr *tb[MAX + 1];
	uint8_t byte;
	uint16_t half;
	uint32_t word;
	uint64_t wide;

	vtct_put_u8(&buf, 1, 8);
	vtct_put_u16(&buf, 2, 16);
	vtct_put_u32(&buf, 3 | NLA_F_NESTED, 32); /* flags are no part of the type */
	vtct_put_u64(&buf, 0, 64);
	vtct_put_u32(&buf, MAX + 1, 99);
	vtct_put_u8(&buf, 1, 9);
	ck_assert_errno(vtc__nla_parse(tb, MAX, buf.data, buf.len), 0);
	ck_assert_errno(vtc__nla_u8(tb[1], &byte), 0);
	ck_assert_uint_eq(byte, 9); /* the last one counts */
	ck_assert_errno(vtc__nla_u16(tb[2], &half), 0);
	ck_assert_uint_eq(half, 16);
	ck_assert_errno(vtc__nla_u32(tb[3], &word), 0);
	ck_assert_uint_eq(word, 32);
	ck_assert_int_eq(vtc__nla_type(tb[3]), 3);
	ck_assert_errno(vtc__nla_u64(tb[0], &wide), 0);
	ck_assert_uint_eq(wide, 64);
	ck_assert_ptr_null(tb[4]);
	vtct_buf_free(&buf);
}
END_TEST

START_TEST(nothing_is_no_attribute)
{
	const struct nlattr *tb[MAX + 1] = { NULL };
	uint32_t word = 4711;
	const char *text;

	ck_assert_errno(vtc__nla_parse(tb, MAX, "", 0), 0);
	ck_assert_errno(vtc__nla_u32(tb[1], &word), -ENODATA);
	ck_assert_errno(vtc__nla_str(tb[1], &text), -ENODATA);
	ck_assert_errno(vtc__nla_struct(tb[1], &word, sizeof(word)), -ENODATA);
	ck_assert_uint_eq(word, 4711);
}
END_TEST

START_TEST(values_must_have_their_length)
{
	struct vtct_buf buf = VTCT_BUF_INIT;
	const struct nlattr *tb[MAX + 1];
	uint32_t word = 4711;
	uint16_t half;
	uint64_t wide;
	uint8_t byte;

	vtct_put(&buf, 1, "123", 3);
	vtct_put(&buf, 2, "12345", 5);
	vtct_put(&buf, 3, NULL, 0);
	ck_assert_errno(vtc__nla_parse(tb, MAX, buf.data, buf.len), 0);
	ck_assert_errno(vtc__nla_u32(tb[1], &word), -EPROTO);
	ck_assert_errno(vtc__nla_u32(tb[2], &word), -EPROTO);
	ck_assert_errno(vtc__nla_u8(tb[3], &byte), -EPROTO);
	ck_assert_errno(vtc__nla_u16(tb[1], &half), -EPROTO);
	ck_assert_errno(vtc__nla_u64(tb[2], &wide), -EPROTO);
	ck_assert_errno(vtc__nla_struct(tb[1], &word, sizeof(word)), -EPROTO);
	ck_assert_uint_eq(word, 4711);
	ck_assert_errno(vtc__nla_struct(tb[2], &word, sizeof(word)), 0);
	ck_assert_mem_eq(&word, "1234", 4);
	vtct_buf_free(&buf);
}
END_TEST

START_TEST(text_must_end_within)
{
	struct vtct_buf buf = VTCT_BUF_INIT;
	const struct nlattr *tb[MAX + 1];
	const char *text = NULL;

	vtct_put_str(&buf, 1, "igb");
	vtct_put(&buf, 2, "abcd", 4);
	vtct_put(&buf, 3, NULL, 0);
	vtct_put(&buf, 4, "a\0b", 3);
	ck_assert_errno(vtc__nla_parse(tb, MAX, buf.data, buf.len), 0);
	ck_assert_errno(vtc__nla_str(tb[1], &text), 0);
	ck_assert_str_eq(text, "igb");
	ck_assert_errno(vtc__nla_str(tb[2], &text), -EPROTO);
	ck_assert_errno(vtc__nla_str(tb[3], &text), -EPROTO);
	ck_assert_errno(vtc__nla_str(tb[4], &text), 0);
	ck_assert_str_eq(text, "a");
	vtct_buf_free(&buf);
}
END_TEST

/*
 * An attribute length in a stream of 12 bytes: {len, type, 4 bytes, 4 bytes of
 * something}.
 */
static const struct {
	uint16_t len;
	int err;
} lengths[] = {
	{ 0, -EPROTO },	 { 1, -EPROTO },  { 3, -EPROTO },
	{ 4, -EPROTO },	 { 12, 0 },	  { 11, 0 },
	{ 13, -EPROTO }, { 16, -EPROTO }, { UINT16_MAX, -EPROTO },
};
#define LENGTHS (int)(sizeof(lengths) / sizeof(lengths[0]))

START_TEST(hostile_length)
{
	/*
	 * The four bytes behind the first attribute are no attribute: their length is 0.
	 */
	unsigned char *data = calloc(1, 12);
	const struct nlattr *tb[MAX + 1];

	memcpy(data, &lengths[_i].len, 2);
	data[2] = 1;
	ck_assert_errno(vtc__nla_parse(tb, MAX, data, 12), lengths[_i].err);
	free(data);
}
END_TEST

START_TEST(hostile_nest)
{
	struct vtct_buf buf = VTCT_BUF_INIT;
	const struct nlattr *tb[MAX + 1], *inner[MAX + 1];
	const uint16_t hostile = (uint16_t)_i;
	unsigned char *data;
	size_t nest = vtct_nest(&buf, 1);
	size_t count = 0;
	const struct nlattr *at = NULL;

	vtct_put_u32(&buf, 2, 7);
	vtct_put_u32(&buf, 3, 8);
	vtct_nest_end(&buf, nest);
	memcpy(buf.data + nest + NLA_HDRLEN, &hostile,
	       2); /* the length of the first inside */
	data = exact(&buf);
	ck_assert_errno(vtc__nla_parse(tb, MAX, data, buf.len), 0);
	if (_i != 8 && _i != 16 && _i != 5 && _i != 6 && _i != 7 && (_i < 13 || _i > 16))
		ck_assert_errno(vtc__nla_parse_nested(tb[1], inner, MAX), -EPROTO);
	while ((at = vtc__nla_foreach_next(tb[1], at)))
		ck_assert_uint_lt(count++, 4);
	free(data);
	vtct_buf_free(&buf);
}
END_TEST

START_TEST(cut_anywhere_nothing_is_read_beyond_the_end)
{
	struct vtct_buf buf = VTCT_BUF_INIT;
	const struct nlattr *tb[MAX + 1];
	size_t len, whole;
	uint32_t word;

	vtct_put_u32(&buf, 1, 1);
	vtct_put_str(&buf, 2, "text");
	vtct_put_u32(&buf, 3, 3);
	whole = buf.len;
	for (len = 0; len < whole; len++) {
		unsigned char *data;

		buf.len = len;
		data = exact(&buf);
		if (vtc__nla_parse(tb, MAX, data, len) == 0 && tb[3])
			ck_assert_errno(vtc__nla_u32(tb[3], &word), 0);
		free(data);
	}
	vtct_buf_free(&buf);
}
END_TEST

START_TEST(padding_of_the_last_one_may_be_missing)
{
	struct vtct_buf buf = VTCT_BUF_INIT;
	const struct nlattr *tb[MAX + 1];
	uint8_t byte;

	vtct_put_u8(&buf, 1, 8);
	ck_assert_errno(vtc__nla_parse(tb, MAX, buf.data, buf.len - 3), 0);
	ck_assert_errno(vtc__nla_u8(tb[1], &byte), 0);
	ck_assert_uint_eq(byte, 8);
	vtct_buf_free(&buf);
}
END_TEST

START_TEST(message_shorter_than_its_header)
{
	const struct nlattr *tb[MAX + 1];
	struct nlmsghdr msg = { .nlmsg_len = sizeof(msg) };

	ck_assert_errno(vtc__nlmsg_parse(&msg, sizeof(struct ifinfomsg), tb, MAX),
			-EPROTO);
	ck_assert_errno(vtc__nlmsg_parse(&msg, 0, tb, MAX), 0);
}
END_TEST

START_TEST(messages_are_built_as_the_kernel_reads_them)
{
	struct ifinfomsg head = { .ifi_index = 3 };
	struct vtct_buf want = VTCT_BUF_INIT;
	struct vtc__nlmsg *msg = vtc__nlmsg_new(19, NLM_F_REQUEST, 256);
	size_t start = vtct_msg(&want, 19, NLM_F_REQUEST, 0, &head, sizeof(head)), list,
	       info;
	struct nlattr *outer, *inner;

	ck_assert_errno(vtc__nlmsg_append(msg, &head, sizeof(head)), 0);
	outer = vtc__nlmsg_nest(msg, IFLA_VFINFO_LIST);
	inner = vtc__nlmsg_nest(msg, IFLA_VF_INFO);
	ck_assert_errno(vtc__nlmsg_put_u32(msg, IFLA_VF_TRUST, 1), 0);
	ck_assert_errno(vtc__nlmsg_put_str(msg, 7, "text"), 0);
	vtc__nlmsg_nest_end(msg, inner);
	vtc__nlmsg_nest_end(msg, outer);

	list = vtct_nest(&want, IFLA_VFINFO_LIST);
	info = vtct_nest(&want, IFLA_VF_INFO);
	vtct_put_u32(&want, IFLA_VF_TRUST, 1);
	vtct_put_str(&want, 7, "text");
	vtct_nest_end(&want, info);
	vtct_nest_end(&want, list);
	vtct_msg_end(&want, start);

	/* libnl may set the flag for nests, which the kernel takes either way. */
	outer->nla_type &= NLA_TYPE_MASK;
	inner->nla_type &= NLA_TYPE_MASK;
	ck_assert_uint_eq(vtc__nlmsg_header(msg)->nlmsg_len, want.len);
	ck_assert_mem_eq(vtc__nlmsg_header(msg), want.data, want.len);
	vtc__nlmsg_free(msg);
	vtct_buf_free(&want);
}
END_TEST

START_TEST(a_full_message_says_so)
{
	static const unsigned char large[256];
	struct vtc__nlmsg *msg = vtc__nlmsg_new(19, 0, 64);
	uint32_t len = vtc__nlmsg_header(msg)->nlmsg_len;

	ck_assert_errno(vtc__nlmsg_put(msg, 1, large, sizeof(large)), -EMSGSIZE);
	ck_assert_uint_eq(vtc__nlmsg_header(msg)->nlmsg_len, len);
	ck_assert_errno(vtc__nlmsg_append(msg, large, sizeof(large)), -EMSGSIZE);
	ck_assert_errno(vtc__nlmsg_put_u32(msg, 1, 1), 0);
	while (vtc__nlmsg_put_u32(msg, 1, 1) == 0)
		;
	ck_assert_ptr_null(vtc__nlmsg_nest(msg, 1));
	vtc__nlmsg_free(msg);
}
END_TEST

START_TEST(messages_of_a_datagram)
{
	struct vtct_buf buf = VTCT_BUF_INIT;
	size_t first = vtct_msg(&buf, 16, 0, 1, "abcd", 4), second;
	const struct nlmsghdr *msg;
	unsigned char *data;
	uint32_t hostile;

	vtct_msg_end(&buf, first);
	second = vtct_msg(&buf, 17, 0, 2, NULL, 0);
	vtct_msg_end(&buf, second);
	data = exact(&buf);
	msg = vtc__nlmsg_foreach_next(data, buf.len, NULL);
	ck_assert_uint_eq(msg->nlmsg_type, 16);
	msg = vtc__nlmsg_foreach_next(data, buf.len, msg);
	ck_assert_uint_eq(msg->nlmsg_type, 17);
	ck_assert_ptr_null(vtc__nlmsg_foreach_next(data, buf.len, msg));
	for (hostile = 0; hostile < 64; hostile++) {
		memcpy(data + second, &hostile, sizeof(hostile));
		msg = vtc__nlmsg_foreach_next(data, buf.len, (const void *)data);
		ck_assert((msg != NULL) == (hostile == sizeof(*msg)));
	}
	ck_assert_ptr_null(vtc__nlmsg_foreach_next(data, 0, NULL));
	ck_assert_ptr_null(vtc__nlmsg_foreach_next(data, sizeof(*msg) - 1, NULL));
	free(data);
	vtct_buf_free(&buf);
}
END_TEST

int main(void)
{
	Suite *suite = vtct_suite(
		"attr", attributes_are_sorted_by_type, nothing_is_no_attribute,
		values_must_have_their_length, text_must_end_within,
		cut_anywhere_nothing_is_read_beyond_the_end,
		padding_of_the_last_one_may_be_missing, message_shorter_than_its_header,
		messages_are_built_as_the_kernel_reads_them, a_full_message_says_so,
		messages_of_a_datagram, NULL);
	TCase *tables = tcase_create("tables");

	tcase_add_loop_test(tables, hostile_length, 0, LENGTHS);
	tcase_add_loop_test(tables, hostile_nest, 0, 20);
	suite_add_tcase(suite, tables);
	return vtct_main(suite, NULL);
}
