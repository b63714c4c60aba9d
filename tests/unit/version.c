/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The running library reports the version that its header announces.
 */
#include <stdio.h>
#include <vtc/vtc.h>

#include "vtct.h"

START_TEST(number_orders_versions)
{
	ck_assert_uint_eq(vtc_version_get_number(), VTC_VERSION_NUMBER);
	ck_assert_uint_lt(VTC_VERSION_ENCODE(0, 1, 255), VTC_VERSION_ENCODE(0, 2, 0));
	ck_assert_uint_lt(VTC_VERSION_ENCODE(0, 255, 255), VTC_VERSION_ENCODE(1, 0, 0));
}
END_TEST

START_TEST(text_is_the_number)
{
	char text[32];

	snprintf(text, sizeof(text), "%d.%d.%d", VTC_VERSION_MAJOR, VTC_VERSION_MINOR,
		 VTC_VERSION_PATCH);
	ck_assert_str_eq(vtc_version_get_string(), text);
	ck_assert_str_eq(vtc_version_get_string(), VTC_VERSION_STRING);
}
END_TEST

int main(void)
{
	return vtct_main(
		vtct_suite("version", number_orders_versions, text_is_the_number, NULL),
		NULL);
}
