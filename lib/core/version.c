/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The version that the program runs with, maybe newer than the one it was built with.
 */
#include <vtc/version.h>

uint32_t vtc_version_get_number(void)
{
	return VTC_VERSION_NUMBER;
}

const char *vtc_version_get_string(void)
{
	return VTC_VERSION_STRING;
}
