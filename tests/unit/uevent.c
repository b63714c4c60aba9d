/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Kernel uevents, as they are broadcast, and what only looks like them. */
#include <stdlib.h>
#include <string.h>

#include "core/uevent.h"
#include "vtct.h"

#define VF                                                                              \
	"add@/devices/pci0000:00/0000:00:01.0/0000:01:10.0\0ACTION=add\0"               \
	"DEVPATH=/devices/pci0000:00/0000:00:01.0/0000:01:10.0\0SUBSYSTEM=pci\0"        \
	"DRIVER=igbvf\0PCI_CLASS=20000\0PCI_ID=8086:10CA\0PCI_SLOT_NAME=0000:01:10.0\0" \
	"SEQNUM=1234"

/*
 * Exactly these bytes in memory of their own, so that a sanitizer sees a step beyond
 * them.
 */
static int parse(const char *data, size_t len, struct vtc__uevent *ret)
{
	char *copy = malloc(len ? len : 1);
	struct vtc__uevent in_copy = { 0 };
	int err;

	memcpy(copy, data, len);
	err = vtc__uevent_parse(copy, len, &in_copy);
	if (!err) {
		memset(ret, 0, sizeof(*ret));
		ret->action = strcmp(in_copy.action, "add") == 0 ? "add" : "other";
	}
	free(copy);
	return err;
}

START_TEST(a_vf_that_appears)
{
	static const char data[] = VF;
	struct vtc__uevent ev;

	ck_assert_errno(vtc__uevent_parse(data, sizeof(data), &ev), 0);
	ck_assert_str_eq(ev.action, "add");
	ck_assert_str_eq(ev.devpath, "/devices/pci0000:00/0000:00:01.0/0000:01:10.0");
	ck_assert_str_eq(ev.subsystem, "pci");
	ck_assert_str_eq(ev.driver, "igbvf");
	ck_assert_str_eq(ev.pci_slot, "0000:01:10.0");
	ck_assert_str_eq(ev.interface, "");
}
END_TEST

START_TEST(an_interface_that_vanishes)
{
	static const char data[] =
		"remove@/devices/x/net/eth0\0ACTION=remove\0"
		"DEVPATH=/devices/x/net/eth0\0SUBSYSTEM=net\0INTERFACE=eth0";
	struct vtc__uevent ev;

	ck_assert_errno(vtc__uevent_parse(data, sizeof(data), &ev), 0);
	ck_assert_str_eq(ev.action, "remove");
	ck_assert_str_eq(ev.interface, "eth0");
	ck_assert_str_eq(ev.driver, "");
}
END_TEST

static const struct {
	const char *data;
	size_t len;
} bad[] = {
	{ "", 0 },
	{ "", 1 },
	{ "add@/x", 6 },			  /* no NUL at the end */
	{ "add@/x\0ACTION=add\0DEVPATH=/x", 28 }, /* nor here */
	{ "libudev\0\xfe\xed\xca\xfe", 13 },	  /* udev's own */
	{ "libudev\0ACTION=add\0DEVPATH=/x@y", 32 },
	{ "add@/x\0SUBSYSTEM=pci", 21 }, /* neither action nor path */
	{ "add@/x\0ACTION=add", 18 },
	{ "add@/x\0DEVPATH=/x", 18 },
	{ "add@/x\0ACTION=\0DEVPATH=", 24 },
	{ "add@/x\0ACTIONS=add\0DEVPATHS=/x", 31 },
	{ "no at sign\0ACTION=add\0DEVPATH=/x", 33 },
};
#define BAD (int)(sizeof(bad) / sizeof(bad[0]))

START_TEST(no_kernel_event)
{
	struct vtc__uevent ev = { .action = "untouched" };

	ck_assert_errno(parse(bad[_i].data, bad[_i].len, &ev), -EPROTO);
	ck_assert_str_eq(ev.action, "untouched");
}
END_TEST

START_TEST(cut_anywhere_it_is_never_read_beyond_its_end)
{
	static const char data[] = VF;
	struct vtc__uevent ev;
	size_t len;
	int err;

	for (len = 0; len <= sizeof(data); len++) {
		err = parse(data, len > sizeof(data) ? sizeof(data) : len, &ev);
		ck_assert(err == 0 || err == -EPROTO);
	}
}
END_TEST

START_TEST(empty_lines_are_harmless)
{
	static const char data[] = "add@/x\0\0\0ACTION=add\0\0DEVPATH=/x\0\0";
	struct vtc__uevent ev;

	ck_assert_errno(vtc__uevent_parse(data, sizeof(data), &ev), 0);
	ck_assert_str_eq(ev.devpath, "/x");
}
END_TEST

int main(void)
{
	Suite *suite = vtct_suite("uevent", a_vf_that_appears, an_interface_that_vanishes,
				  cut_anywhere_it_is_never_read_beyond_its_end,
				  empty_lines_are_harmless, NULL);
	TCase *tables = tcase_create("tables");

	tcase_add_loop_test(tables, no_kernel_event, 0, BAD);
	suite_add_tcase(suite, tables);
	return vtct_main(suite, NULL);
}
