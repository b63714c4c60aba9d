/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files below the sysfs root: what is in them is believed only after a look. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vtc/ctx.h>

#include "core/sysfs.h"
#include "tree.h"
#include "vtct.h"

static struct vtct_tree *tree;
static struct vtc_ctx *ctx;
static int fds;

static void set_up(void)
{
	struct vtc_ctx_opts opts = VTC_CTX_OPTS_INIT;

	tree = vtct_tree_new();
	fds = vtct_count_fds();
	opts.sysfs_root = tree->root;
	opts.state_dir = tree->state;
	ck_assert_errno(vtc_ctx_new(&opts, &ctx), 0);
}

static void tear_down(void)
{
	vtc_ctx_unref(ctx);
	ck_assert_int_eq(vtct_count_fds(), fds);
	vtct_tree_free(tree);
}

START_TEST(text_comes_without_its_newline)
{
	char buf[16];

	vtct_tree_add(tree, "a = 0x8086\nempty =");
	ck_assert_int_eq(vtc__sysfs_read(ctx, "a", buf, sizeof(buf)), 6);
	ck_assert_str_eq(buf, "0x8086");
	ck_assert_int_eq(vtc__sysfs_read(ctx, "empty", buf, sizeof(buf)), 0);
	ck_assert_str_eq(buf, "");
	vtct_tree_set(tree, "nothing", "", 0);
	ck_assert_int_eq(vtc__sysfs_read(ctx, "nothing", buf, sizeof(buf)), 0);
	vtct_tree_set(tree, "spaces", "a b \t\n\n", 7);
	ck_assert_int_eq(vtc__sysfs_read(ctx, "spaces", buf, sizeof(buf)), 3);
	ck_assert_str_eq(buf, "a b");
}
END_TEST

START_TEST(text_that_does_not_fit_is_an_error)
{
	char buf[8] = "old";

	vtct_tree_set(tree, "seven", "1234567", 7);
	vtct_tree_set(tree, "eight", "12345678", 8);
	vtct_tree_set(tree, "nul",
		      "12\0"
		      "4\n",
		      5);
	ck_assert_int_eq(vtc__sysfs_read(ctx, "seven", buf, sizeof(buf)), 7);
	ck_assert_str_eq(buf, "1234567");
	ck_assert_int_eq(vtc__sysfs_read(ctx, "eight", buf, sizeof(buf)), -EOVERFLOW);
	ck_assert_int_eq(vtc__sysfs_read(ctx, "nul", buf, sizeof(buf)), -EPROTO);
}
END_TEST

START_TEST(raw_bytes_are_left_as_they_are)
{
	unsigned char buf[4] = { 0 };

	vtct_tree_add(tree, "config : 8680 0a00 2000");
	ck_assert_int_eq(vtc__sysfs_read_raw(ctx, "config", buf, sizeof(buf)), 4);
	ck_assert_mem_eq(buf, "\x86\x80\x0a\x00", 4);
}
END_TEST

START_TEST(numbers_are_exactly_numbers)
{
	static const char *const junk[] = { "",
					    "x",
					    "-1",
					    "1 2",
					    "4294967296",
					    "0x1ffffffff",
					    "99999999999999999999999999999999999999" };
	uint32_t value = 4711;
	size_t i;

	vtct_tree_add(tree, "a = 65535\nb = 0x10\nnone = -1");
	ck_assert_errno(vtc__sysfs_read_u32(ctx, "a", &value), 0);
	ck_assert_uint_eq(value, 65535);
	ck_assert_errno(vtc__sysfs_read_u32(ctx, "b", &value), 0);
	ck_assert_uint_eq(value, 16);
	for (i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
		vtct_tree_addf(tree, "junk = %s", junk[i]);
		ck_assert_msg(vtc__sysfs_read_u32(ctx, "junk", &value) == -EPROTO, "%s",
			      junk[i]);
	}
	ck_assert_uint_eq(value, 16);
}
END_TEST

START_TEST(errors_are_those_of_the_system)
{
	char buf[16];
	uint32_t value;

	vtct_tree_add(tree, "dir/\nloop -> loop");
	ck_assert_int_eq(vtc__sysfs_read(ctx, "missing", buf, sizeof(buf)), -ENOENT);
	ck_assert_errno(vtc__sysfs_read_u32(ctx, "missing", &value), -ENOENT);
	ck_assert_int_eq(vtc__sysfs_read(ctx, "dir", buf, sizeof(buf)), -EISDIR);
	ck_assert_int_eq(vtc__sysfs_read(ctx, "loop", buf, sizeof(buf)), -ELOOP);
	ck_assert_errno(vtc__sysfs_write(ctx, "missing", "1"), -ENOENT);
	ck_assert_errno(vtc__sysfs_write(ctx, "dir", "1"), -EISDIR);
	ck_assert_int_eq(vtc__sysfs_read(ctx, "class/missing/x", buf, sizeof(buf)),
			 -ENOENT);
}
END_TEST

START_TEST(a_path_that_does_not_fit_is_an_error)
{
	char path[VTC__PATH_MAX + 1], buf[16];

	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	ck_assert_int_eq(vtc__sysfs_read(ctx, path, buf, sizeof(buf)), -ENAMETOOLONG);
	ck_assert_errno(vtc__sysfs_write(ctx, path, "1"), -ENAMETOOLONG);
	ck_assert_errno(vtc__sysfs_link_name(ctx, path, buf, sizeof(buf)), -ENAMETOOLONG);
	ck_assert_errno(vtc__sysfs_real(ctx, path, buf, sizeof(buf)), -ENAMETOOLONG);
	ck_assert_int_eq(vtc__sysfs_exists(ctx, path), 0);
	ck_assert_errno(vtc__path(buf, 5, "%s", "12345"), -ENAMETOOLONG);
	ck_assert_errno(vtc__path(buf, 6, "%s", "12345"), 0);
}
END_TEST

START_TEST(writing_changes_the_file)
{
	vtct_tree_add(tree, "sriov_numvfs = 0");
	ck_assert_errno(vtc__sysfs_write(ctx, "sriov_numvfs", "7"), 0);
	ck_assert_int_eq(vtct_tree_get(tree, "sriov_numvfs")[0], '7');
}
END_TEST

START_TEST(links_give_their_last_part)
{
	char buf[8] = "old";

	vtct_tree_add(tree, "dev/driver -> bus/pci/drivers/igb\nplain = 1\n"
			    "dev/long -> a/very-long-name");
	ck_assert_errno(vtc__sysfs_link_name(ctx, "dev/driver", buf, sizeof(buf)), 0);
	ck_assert_str_eq(buf, "igb");
	ck_assert_errno(vtc__sysfs_link_name(ctx, "dev/missing", buf, sizeof(buf)),
			-ENOENT);
	ck_assert_errno(vtc__sysfs_link_name(ctx, "plain", buf, sizeof(buf)), -EINVAL);
	ck_assert_errno(vtc__sysfs_link_name(ctx, "dev/long", buf, sizeof(buf)),
			-EOVERFLOW);
	ck_assert_str_eq(buf, "igb");
}
END_TEST

START_TEST(real_paths_are_relative_to_the_root)
{
	char buf[64], outside[200];

	vtct_tree_add(tree, "devices/pci/x/\nclass/net/eth0 -> devices/pci/x");
	ck_assert_errno(vtc__sysfs_real(ctx, "class/net/eth0", buf, sizeof(buf)), 0);
	ck_assert_str_eq(buf, "devices/pci/x");
	ck_assert_int_eq(vtc__sysfs_exists(ctx, "class/net/eth0"), 1);
	ck_assert_int_eq(vtc__sysfs_exists(ctx, "class/net/eth1"), 0);
	ck_assert_errno(vtc__sysfs_real(ctx, "class/net/eth1", buf, sizeof(buf)),
			-ENOENT);
	snprintf(outside, sizeof(outside), "%s/outside", tree->root);
	ck_assert_int_eq(symlink("/etc", outside), 0);
	ck_assert_errno(vtc__sysfs_real(ctx, "outside", buf, sizeof(buf)), -EXDEV);
}
END_TEST

static int count_names(void *arg, const char *name)
{
	int *count = arg;

	ck_assert_int_ne(name[0], '.');
	return ++*count == 2 ? -ECANCELED : 0;
}

START_TEST(names_are_told_until_it_is_enough)
{
	int count = 0;

	vtct_tree_add(tree, "d/a = 1\nd/.hidden = 1\nd/b = 1\nd/c = 1\ne/one = 1");
	ck_assert_errno(vtc__sysfs_list(ctx, "d", count_names, &count), -ECANCELED);
	ck_assert_int_eq(count, 2);
	count = 0;
	ck_assert_errno(vtc__sysfs_list(ctx, "e", count_names, &count), 0);
	ck_assert_int_eq(count, 1);
	ck_assert_errno(vtc__sysfs_list(ctx, "missing", count_names, &count), -ENOENT);
	ck_assert_errno(vtc__sysfs_list(ctx, "e/one", count_names, &count), -ENOTDIR);
}
END_TEST

START_TEST(names_from_outside)
{
	char long_name[200];

	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	ck_assert_int_eq(vtc__name_ok("enp1s0f0"), 1);
	ck_assert_int_eq(vtc__name_ok("0000:01:00.0"), 1);
	ck_assert_int_eq(vtc__name_ok("..."), 1);
	ck_assert_int_eq(vtc__name_ok(""), 0);
	ck_assert_int_eq(vtc__name_ok("."), 0);
	ck_assert_int_eq(vtc__name_ok(".."), 0);
	ck_assert_int_eq(vtc__name_ok("a/b"), 0);
	ck_assert_int_eq(vtc__name_ok("../../etc"), 0);
	ck_assert_int_eq(vtc__name_ok(long_name), 0);
}
END_TEST

START_TEST(a_fifo_does_not_hold_the_reader)
{
	char fifo[200], buf[16];

	snprintf(fifo, sizeof(fifo), "%s/fifo", tree->root);
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	ck_assert_int_eq(vtc__sysfs_read(ctx, "fifo", buf, sizeof(buf)), 0);
	ck_assert_errno(vtc__sysfs_write(ctx, "fifo", "1"), -ENXIO);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sysfs");
	TCase *tcase = tcase_create("sysfs");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, text_comes_without_its_newline);
	tcase_add_test(tcase, text_that_does_not_fit_is_an_error);
	tcase_add_test(tcase, raw_bytes_are_left_as_they_are);
	tcase_add_test(tcase, numbers_are_exactly_numbers);
	tcase_add_test(tcase, errors_are_those_of_the_system);
	tcase_add_test(tcase, a_path_that_does_not_fit_is_an_error);
	tcase_add_test(tcase, writing_changes_the_file);
	tcase_add_test(tcase, links_give_their_last_part);
	tcase_add_test(tcase, real_paths_are_relative_to_the_root);
	tcase_add_test(tcase, names_are_told_until_it_is_enough);
	tcase_add_test(tcase, names_from_outside);
	tcase_add_test(tcase, a_fifo_does_not_hold_the_reader);
	suite_add_tcase(suite, tcase);
	return vtct_main(suite, NULL);
}
