/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names from the PCI ID database, with the real libpci: from the real database, from one
 * that makes libpci give up (and end the process, if it could), and from an empty one,
 * put in place in a mount namespace of the test's own.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>
#include <vtc/vtc.h>

#include "device.h"
#include "netns.h"
#include "tree.h"
#include "vtct.h"

static struct vtct_tree *tree;
static struct vtc_ctx *ctx;
static struct vtc_inventory *inv;

static void set_up(void)
{
	struct vtc_ctx_opts opts = VTC_CTX_OPTS_INIT;
	struct vtct_pf pf;

#ifndef HAVE_LIBPCI
	vtct_skip("built without libpci");
#endif
	tree = vtct_tree_new();
	vtct_pf_igb(&pf, 0);
	vtct_tree_add_pf(tree, &pf);
	opts.sysfs_root = tree->root;
	ck_assert_errno(vtc_ctx_new(&opts, &ctx), 0);
	inv = NULL;
}

static void tear_down(void)
{
	vtc_inventory_free(inv);
	vtc_ctx_unref(ctx);
	vtct_tree_free(tree);
}

/* Where distributions put it; NULL: nowhere. */
static const char *database(void)
{
	static const char *const paths[] = { "/usr/share/misc/pci.ids",
					     "/usr/share/hwdata/pci.ids" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (access(paths[i], R_OK) == 0)
			return paths[i];
	}
	return NULL;
}

static void replace_database(const char *contents)
{
	char file[VTCT_PATH_MAX];

	if (!database())
		vtct_skip("there is no pci.ids");
	vtct_tree_set(tree, "pci.ids", contents, strlen(contents));
	snprintf(file, sizeof(file), "%s/pci.ids", tree->root);
	vtct_netns_enter();
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(file, database(), NULL, MS_BIND, NULL) < 0)
		vtct_skip("no mount namespace: %s", strerror(errno));
}

static const struct vtc_nic *take(void)
{
	const struct vtc_nic *nic = NULL;

	ck_assert_errno(vtc_inventory_new(ctx, NULL, &inv), 0);
	ck_assert_errno(vtc_inventory_find(inv, "0000:01:00.0", &nic), 0);
	return nic;
}

START_TEST(the_real_database_knows_igb)
{
	const struct vtc_nic *nic;
	const char *text;

	if (!database())
		vtct_skip("there is no pci.ids");
	nic = take();
	ck_assert_int_eq(vtc_nic_get_vendor_name(nic, &text), 1);
	ck_assert_str_eq(text, "Intel Corporation");
	ck_assert_int_eq(vtc_nic_get_device_name(nic, &text), 1);
	ck_assert_ptr_nonnull(strstr(text, "82576"));
}
END_TEST

START_TEST(what_is_not_in_the_database_is_unknown)
{
	const struct vtc_nic *nic;
	const char *text;

	replace_database("8086  Somebody\n\t10ca  Something else\n");
	nic = take();
	ck_assert_int_eq(vtc_nic_get_vendor_name(nic, &text), 1);
	ck_assert_str_eq(text, "Somebody");
	ck_assert_int_eq(vtc_nic_get_device_name(nic, &text), -ENODATA);
}
END_TEST

START_TEST(a_broken_database_does_not_end_the_process)
{
	const struct vtc_nic *nic;
	const char *text;
	int fds = vtct_count_fds();

	replace_database("8086  Somebody\n\t\t\t\tnot this way\nzzzz\n");
	nic = take();
	ck_assert_int_eq(vtc_nic_get_vendor_name(nic, &text), -ENODATA);
	ck_assert_int_eq(vtc_nic_get_device_name(nic, &text), -ENODATA);
	ck_assert_int_eq(vtc_nic_get_kind(nic), VTC_NIC_PF); /* everything else is told */
	ck_assert_int_eq(vtct_count_fds(), fds);
}
END_TEST

START_TEST(an_empty_database_names_nothing)
{
	const char *text;

	replace_database("");
	ck_assert_int_eq(vtc_nic_get_vendor_name(take(), &text), -ENODATA);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("names");
	TCase *tcase = tcase_create("names");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, the_real_database_knows_igb);
	tcase_add_test(tcase, what_is_not_in_the_database_is_unknown);
	tcase_add_test(tcase, a_broken_database_does_not_end_the_process);
	tcase_add_test(tcase, an_empty_database_names_nothing);
	suite_add_tcase(suite, tcase);
	return vtct_main(suite, NULL);
}
