/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The error record: what is written is what is read, whatever its length. */
#include <stdio.h>
#include <string.h>
#include <vtc/ctx.h>

#include "core/error.h"
#include "vtct.h"

static struct vtc_ctx *ctx;
static const struct vtc_error *error;

static void set_up(void)
{
	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	error = vtc_ctx_last_error(ctx);
}

static void tear_down(void)
{
	vtc_ctx_unref(ctx);
}

START_TEST(a_fresh_context_has_no_error)
{
	char line[64];

	ck_assert_ptr_nonnull(error);
	ck_assert_int_eq(vtc_error_get_code(error), 0);
	ck_assert_int_eq(vtc_error_get_origin(error), VTC_ERROR_ORIGIN_NONE);
	ck_assert_str_eq(vtc_error_get_operation(error), "");
	ck_assert_int_eq(vtc_error_format(error, line, sizeof(line)), (int)strlen(line));
	ck_assert_int_gt((int)strlen(line), 0);
}
END_TEST

START_TEST(no_record_is_no_error)
{
	char line[64];

	ck_assert_int_eq(vtc_error_get_code(NULL), 0);
	ck_assert_int_eq(vtc_error_get_origin(NULL), VTC_ERROR_ORIGIN_NONE);
	ck_assert_str_eq(vtc_error_get_operation(NULL), "");
	ck_assert_str_eq(vtc_error_get_subject(NULL), "");
	ck_assert_str_eq(vtc_error_get_message(NULL), "");
	ck_assert_str_eq(vtc_error_get_hint(NULL), "");
	ck_assert_int_ge(vtc_error_format(NULL, line, sizeof(line)), 0);
	ck_assert_ptr_null(vtc_ctx_last_error(NULL));
}
END_TEST

START_TEST(origin_is_kept)
{
	ck_assert_errno(
		vtc__err(ctx, -EIO, (enum vtc_error_origin)_i, "try", "%s %d", "vf", 4),
		-EIO);
	ck_assert_int_eq(vtc_error_get_code(error), -EIO);
	ck_assert_int_eq(vtc_error_get_origin(error), _i);
	ck_assert_str_eq(vtc_error_get_operation(error), "try");
	ck_assert_str_eq(vtc_error_get_subject(error), "vf 4");
	ck_assert_str_eq(vtc_error_get_message(error), "");
}
END_TEST

START_TEST(a_new_error_replaces_all_of_the_old_one)
{
	vtc__err(ctx, -EIO, VTC_ERROR_ORIGIN_SYSFS, "first", "%s", "a path");
	vtc__err_message(ctx, "words");
	vtc__err_hint(ctx, "advice");
	ck_assert_errno(vtc__err_arg(ctx, "second", "name"), -EINVAL);
	ck_assert_int_eq(vtc_error_get_origin(error), VTC_ERROR_ORIGIN_ARG);
	ck_assert_str_eq(vtc_error_get_subject(error), "name");
	ck_assert_str_eq(vtc_error_get_message(error), "");
	ck_assert_ptr_null(strstr(vtc_error_get_hint(error), "advice"));
}
END_TEST

START_TEST(missing_rights_have_a_hint)
{
	vtc__err(ctx, -EPERM, VTC_ERROR_ORIGIN_NETLINK, "set VF VLAN", "vf %d", 1);
	ck_assert_str_ne(vtc_error_get_hint(error), "");
	vtc__err_hint(ctx, "better %s", "advice");
	ck_assert_str_eq(vtc_error_get_hint(error), "better advice");
}
END_TEST

START_TEST(line_tells_everything_in_order)
{
	static const char *const parts[] = { "set VF VLAN", "0000:01:00.0 vf 1",
					     "Protocol not supported",
					     "the kernel's words", "what to do" };
	char line[512];
	const char *at = line;
	size_t i;

	vtc__err(ctx, -EPROTONOSUPPORT, VTC_ERROR_ORIGIN_NETLINK, parts[0], "%s",
		 parts[1]);
	vtc__err_message(ctx, "%s", parts[3]);
	vtc__err_hint(ctx, "%s", parts[4]);
	ck_assert_int_eq(vtc_error_format(error, line, sizeof(line)), (int)strlen(line));
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		at = strstr(at, parts[i]);
		ck_assert_msg(at != NULL, "%s is not in its place in: %s", parts[i],
			      line);
	}
}
END_TEST

START_TEST(line_is_cut_to_the_buffer)
{
	char whole[512], cut[512];
	int len;

	vtc__err(ctx, -EIO, VTC_ERROR_ORIGIN_SYSFS, "write", "%s", "a path");
	len = vtc_error_format(error, whole, sizeof(whole));
	ck_assert_int_eq(vtc_error_format(error, NULL, 0), len);
	memset(cut, 'x', sizeof(cut));
	ck_assert_int_eq(vtc_error_format(error, cut, 6), len);
	ck_assert_int_eq(strncmp(cut, whole, 5), 0);
	ck_assert_int_eq(cut[5], '\0');
	ck_assert_int_eq(cut[6], 'x');
	ck_assert_int_eq(vtc_error_format(error, cut, 1), len);
	ck_assert_str_eq(cut, "");
	ck_assert_errno(vtc_error_format(error, NULL, 6), -EINVAL);
}
END_TEST

START_TEST(long_parts_are_cut_not_overrun)
{
	char long_text[5000];

	memset(long_text, 'a', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	vtc__err(ctx, -EIO, VTC_ERROR_ORIGIN_SYSFS, long_text, "%s", long_text);
	vtc__err_message(ctx, "%s", long_text);
	vtc__err_hint(ctx, "%s", long_text);
	ck_assert_uint_lt(strlen(vtc_error_get_operation(error)),
			  sizeof(error->operation));
	ck_assert_uint_lt(strlen(vtc_error_get_subject(error)), sizeof(error->subject));
	ck_assert_uint_lt(strlen(vtc_error_get_message(error)), sizeof(error->message));
	ck_assert_uint_lt(strlen(vtc_error_get_hint(error)), sizeof(error->hint));
	ck_assert_int_eq(vtc_error_get_code(error), -EIO);
}
END_TEST

START_TEST(unknown_number_has_a_line_too)
{
	char line[256];

	vtc__err(ctx, -4095, VTC_ERROR_ORIGIN_SYSTEM, "try", "%s", "it");
	ck_assert_int_gt(vtc_error_format(error, line, sizeof(line)), 0);
	ck_assert_ptr_nonnull(strstr(line, "try on it"));
}
END_TEST

START_TEST(without_context_only_the_number_is_passed_on)
{
	ck_assert_errno(vtc__err(NULL, -EIO, VTC_ERROR_ORIGIN_SYSTEM, "try", "%s", "it"),
			-EIO);
	ck_assert_errno(vtc__err_arg(NULL, "try", "name"), -EINVAL);
	vtc__err_message(NULL, "%s", "words");
	vtc__err_hint(NULL, "%s", "advice");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("error");
	TCase *tcase = tcase_create("error");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, a_fresh_context_has_no_error);
	tcase_add_test(tcase, no_record_is_no_error);
	tcase_add_loop_test(tcase, origin_is_kept, VTC_ERROR_ORIGIN_ARG,
			    VTC_ERROR_ORIGIN_LIBRARY + 1);
	tcase_add_test(tcase, a_new_error_replaces_all_of_the_old_one);
	tcase_add_test(tcase, missing_rights_have_a_hint);
	tcase_add_test(tcase, line_tells_everything_in_order);
	tcase_add_test(tcase, line_is_cut_to_the_buffer);
	tcase_add_test(tcase, long_parts_are_cut_not_overrun);
	tcase_add_test(tcase, unknown_number_has_a_line_too);
	tcase_add_test(tcase, without_context_only_the_number_is_passed_on);
	suite_add_tcase(suite, tcase);
	return vtct_main(suite, NULL);
}
