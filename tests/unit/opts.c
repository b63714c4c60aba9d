/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Options structs of older and newer callers are read by one rule. */
#include <stdint.h>
#include <string.h>

#include "core/opts.h"
#include "vtct.h"

/* The struct of today, what it was in the first release, and what it may become. */
struct today {
	uint32_t sz, flags, first, second;
};
#define FIRST 12

struct later {
	struct today today;
	uint32_t third;
};

START_TEST(null_is_all_defaults)
{
	struct today got;

	memset(&got, 0xff, sizeof(got));
	ck_assert_errno(vtc__opts_load(&got, sizeof(got), FIRST, NULL), 0);
	ck_assert_uint_eq(got.flags, 0);
	ck_assert_uint_eq(got.second, 0);
}
END_TEST

START_TEST(an_older_struct_is_filled_with_zeros)
{
	struct today given = { .sz = FIRST, .flags = 1, .first = 2, .second = 3 };
	struct today got;

	ck_assert_errno(vtc__opts_load(&got, sizeof(got), FIRST, &given), 0);
	ck_assert_uint_eq(got.first, 2);
	ck_assert_uint_eq(got.second, 0);
}
END_TEST

START_TEST(a_newer_struct_may_end_in_zeros_only)
{
	struct later given = { .today = { .sz = sizeof(given), .second = 3 } };
	struct today got;

	ck_assert_errno(vtc__opts_load(&got, sizeof(got), FIRST, &given), 0);
	ck_assert_uint_eq(got.second, 3);
	given.third = 1;
	ck_assert_errno(vtc__opts_load(&got, sizeof(got), FIRST, &given), -E2BIG);
	given.third = 1u << 31;
	ck_assert_errno(vtc__opts_load(&got, sizeof(got), FIRST, &given), -E2BIG);
}
END_TEST

START_TEST(shorter_than_the_first_release_is_no_struct)
{
	struct today given = { .sz = FIRST - 1 };
	struct today got;

	ck_assert_errno(vtc__opts_load(&got, sizeof(got), FIRST, &given), -EINVAL);
	given.sz = 0;
	ck_assert_errno(vtc__opts_load(&got, sizeof(got), FIRST, &given), -EINVAL);
}
END_TEST

int main(void)
{
	return vtct_main(vtct_suite("opts", null_is_all_defaults,
				    an_older_struct_is_filled_with_zeros,
				    a_newer_struct_may_end_in_zeros_only,
				    shorter_than_the_first_release_is_no_struct, NULL),
			 NULL);
}
