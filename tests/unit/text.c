/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers, PCI addresses and Ethernet addresses as text. */
#include <stdint.h>
#include <string.h>
#include <vtc/types.h>

#include "core/text.h"
#include "vtct.h"

static const struct {
	const char *text;
	uint64_t max;
	int err;
	uint64_t value;
} numbers[] = {
	{ "0", 0, 0, 0 },
	{ "7", 7, 0, 7 },
	{ "8", 7, -EPROTO, 0 },
	{ "0x10ca", UINT16_MAX, 0, 0x10ca },
	{ "0xFFff", UINT16_MAX, 0, 0xffff },
	{ "65536", UINT16_MAX, -EPROTO, 0 },
	{ "18446744073709551615", UINT64_MAX, 0, UINT64_MAX },
	{ "18446744073709551616", UINT64_MAX, -EPROTO, 0 },
	{ "99999999999999999999999", UINT64_MAX, -EPROTO, 0 },
	{ "0xffffffffffffffff", UINT64_MAX, 0, UINT64_MAX },
	{ "0x10000000000000000", UINT64_MAX, -EPROTO, 0 },
	{ "", UINT64_MAX, -EPROTO, 0 },
	{ "0x", UINT64_MAX, -EPROTO, 0 },
	{ "-1", UINT64_MAX, -EPROTO, 0 },
	{ "+1", UINT64_MAX, -EPROTO, 0 },
	{ " 1", UINT64_MAX, -EPROTO, 0 },
	{ "1 ", UINT64_MAX, -EPROTO, 0 },
	{ "1a", UINT64_MAX, -EPROTO, 0 },
	{ "0x1g", UINT64_MAX, -EPROTO, 0 },
	{ "1.5", UINT64_MAX, -EPROTO, 0 },
};
#define NUMBERS (int)(sizeof(numbers) / sizeof(numbers[0]))

START_TEST(number)
{
	uint64_t value = 4711;

	ck_assert_msg(vtc__text_u64(numbers[_i].text, numbers[_i].max, &value) ==
			      numbers[_i].err,
		      "%s", numbers[_i].text);
	ck_assert_uint_eq(value, numbers[_i].err ? 4711 : numbers[_i].value);
}
END_TEST

static const struct {
	const char *text, *address;
} addresses[] = {
	{ "0000:01:00.0", "0000:01:00.0" },
	{ "01:00.0", "0000:01:00.0" },
	{ "1:0.0", "0000:01:00.0" },
	{ "AB:1F.7", "0000:ab:1f.7" },
	{ "10000:01:10.2", "10000:01:10.2" },
	{ "", NULL },
	{ ":", NULL },
	{ "01:00", NULL },
	{ "01:00.", NULL },
	{ "01:00.8", NULL },
	{ "01:20.0", NULL },
	{ "100:00.0", NULL },
	{ "0000:01:00.0 ", NULL },
	{ "0000:01:00.0.0", NULL },
	{ "0:0000:01:00.0", NULL },
	{ "100000000:01:00.0", NULL },
	{ "0000:01:00,0", NULL },
	{ "../..:01:00.0", NULL },
	{ "enp1s0f0", NULL },
};
#define ADDRESSES (int)(sizeof(addresses) / sizeof(addresses[0]))

START_TEST(pci_address)
{
	char buf[VTC__BDF_LEN] = "untouched";
	int err = vtc__text_bdf(addresses[_i].text, buf, sizeof(buf));

	ck_assert_msg(err == (addresses[_i].address ? 0 : -EINVAL), "%s",
		      addresses[_i].text);
	if (!err)
		ck_assert_str_eq(buf, addresses[_i].address);
}
END_TEST

START_TEST(pci_address_needs_room)
{
	char buf[VTC__BDF_LEN];

	ck_assert_errno(vtc__text_bdf("0000:01:00.0", buf, 12), -EINVAL);
	ck_assert_errno(vtc__text_bdf("0000:01:00.0", buf, 13), 0);
	ck_assert_errno(vtc__text_bdf("10000000:01:00.0", buf, sizeof(buf)), -EINVAL);
}
END_TEST

START_TEST(text_is_copied_whole_or_not)
{
	char buf[4] = "old";

	ck_assert_errno(vtc__text_copy(buf, sizeof(buf), "four"), -EOVERFLOW);
	ck_assert_str_eq(buf, "old");
	ck_assert_errno(vtc__text_copy(buf, sizeof(buf), "new"), 0);
	ck_assert_str_eq(buf, "new");
}
END_TEST

START_TEST(mac_reads_and_writes)
{
	static const uint8_t want[6] = { 0x52, 0x54, 0x00, 0xab, 0xcd, 0xef };
	char text[VTC_MAC_TEXT_LEN];
	struct vtc_mac mac;

	ck_assert_errno(vtc_mac_parse("52:54:00:aB:Cd:ef", &mac), 0);
	ck_assert_mem_eq(mac.addr, want, 6);
	ck_assert_errno(vtc_mac_parse("52-54-00-AB-CD-EF", &mac), 0);
	ck_assert_mem_eq(mac.addr, want, 6);
	ck_assert_errno(vtc_mac_format(&mac, text, sizeof(text)), 0);
	ck_assert_str_eq(text, "52:54:00:ab:cd:ef");
}
END_TEST

static const char *const bad_macs[] = {
	"",
	"5",
	"52:54:00:ab:cd",
	"52:54:00:ab:cd:e",
	"52:54:00:ab:cd:ef:",
	"52:54:00:ab:cd:ef ",
	" 52:54:00:ab:cd:ef",
	"52:54-00:ab:cd:ef",
	"52-54:00:ab:cd:ef",
	"525400abcdef",
	"5254.00ab.cdef",
	"52:54:00:ab:cd:eg",
	"52:54:00:ab:cd:-1",
	"0x:54:00:ab:cd:ef",
	"52:54:00:ab:cd: f",
	"52 54 00 ab cd ef",
	"52:54:00:ab:cd:ef:01:02",
};
#define BAD_MACS (int)(sizeof(bad_macs) / sizeof(bad_macs[0]))

START_TEST(bad_mac)
{
	struct vtc_mac mac = { { 1, 2, 3, 4, 5, 6 } };

	ck_assert_msg(vtc_mac_parse(bad_macs[_i], &mac) == -EINVAL, "%s", bad_macs[_i]);
	ck_assert_int_eq(mac.addr[0], 1);
}
END_TEST

START_TEST(mac_functions_check_their_parameters)
{
	struct vtc_mac mac = { { 0 } };
	char text[VTC_MAC_TEXT_LEN] = "untouched";

	ck_assert_errno(vtc_mac_parse(NULL, &mac), -EINVAL);
	ck_assert_errno(vtc_mac_parse("52:54:00:ab:cd:ef", NULL), -EINVAL);
	ck_assert_errno(vtc_mac_format(NULL, text, sizeof(text)), -EINVAL);
	ck_assert_errno(vtc_mac_format(&mac, NULL, sizeof(text)), -EINVAL);
	ck_assert_errno(vtc_mac_format(&mac, text, sizeof(text) - 1), -ENOSPC);
	ck_assert_str_eq(text, "untouched");
}
END_TEST

int main(void)
{
	Suite *suite = vtct_suite("text", pci_address_needs_room,
				  text_is_copied_whole_or_not, mac_reads_and_writes,
				  mac_functions_check_their_parameters, NULL);
	TCase *tables = tcase_create("tables");

	tcase_add_loop_test(tables, number, 0, NUMBERS);
	tcase_add_loop_test(tables, pci_address, 0, ADDRESSES);
	tcase_add_loop_test(tables, bad_mac, 0, BAD_MACS);
	suite_add_tcase(suite, tables);
	return vtct_main(suite, NULL);
}
