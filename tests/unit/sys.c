/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The real seam, where a wrong result would not be noticed by those above it. */
#include <linux/ethtool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/sys.h"
#include "tree.h"
#include "vtct.h"

static const struct vtc__sys *const sys = &vtc__sys_kernel;
static struct vtct_tree *tree;
static char dir[VTCT_PATH_MAX];
static int fds;

/*
 * What is done in which order, as letters: the calls of the C library that the seam makes
 * are these here.
 */
static char trace[32];

static void note(char what)
{
	size_t used = strlen(trace);

	if (used < sizeof(trace) - 1)
		trace[used] = what;
}

/* 'f': a file with what is in it, '0': without; 'd': a directory. */
int fsync(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -1;
	note(S_ISDIR(st.st_mode) ? 'd' : st.st_size ? 'f' : '0');
	return (int)syscall(SYS_fsync, fd);
}

int renameat(int old_dir, const char *old, int new_dir, const char *new)
{
	note('r');
	return (int)syscall(SYS_renameat2, old_dir, old, new_dir, new, 0);
}

int unlinkat(int at, const char *name, int flags)
{
	note('u');
	return (int)syscall(SYS_unlinkat, at, name, flags);
}

static void set_up(void)
{
	tree = vtct_tree_new();
	snprintf(dir, sizeof(dir), "%s/new", tree->dir);
	fds = vtct_count_fds();
}

static void tear_down(void)
{
	ck_assert_int_eq(vtct_count_fds(), fds);
	vtct_tree_free(tree);
}

static const char *path_of(const char *name)
{
	static char path[VTCT_PATH_MAX + 64];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void assert_content(const char *want)
{
	char text[64];
	ssize_t n = sys->read(NULL, path_of("file"), text, sizeof(text));

	ck_assert_int_eq(n, (ssize_t)strlen(want));
	ck_assert_mem_eq(text, want, strlen(want));
}

START_TEST(replace_makes_what_is_missing)
{
	struct stat st;

	ck_assert_errno(sys->replace(NULL, dir, "file", "one", 3), 0);
	ck_assert_int_eq(stat(dir, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0700);
	ck_assert_int_eq(stat(path_of("file"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	assert_content("one");
	ck_assert_errno(sys->replace(NULL, dir, "file", "longer", 6), 0);
	assert_content("longer");
	ck_assert_errno(sys->replace(NULL, dir, "file", "", 0), 0);
	assert_content("");
	ck_assert_int_ne(access(path_of("file.new"), F_OK), 0);
}
END_TEST

START_TEST(replace_follows_no_link)
{
	char outside[VTCT_PATH_MAX + 16];

	snprintf(outside, sizeof(outside), "%s/outside", tree->dir);
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	ck_assert_int_eq(symlink(outside, path_of("file.new")), 0);
	ck_assert_errno(sys->replace(NULL, dir, "file", "one", 3), -ELOOP);
	ck_assert_int_ne(access(outside, F_OK), 0);
	ck_assert_int_ne(access(path_of("file"), F_OK), 0);
}
END_TEST

START_TEST(replace_that_fails_leaves_the_old)
{
	char name[260];

	ck_assert_int_eq(mkdir(dir, 0700), 0);
	ck_assert_int_eq(mkdir(path_of("file"), 0700), 0);
	ck_assert_errno(sys->replace(NULL, dir, "file", "one", 3), -EISDIR);
	ck_assert_int_ne(access(path_of("file.new"), F_OK), 0);
	ck_assert_int_eq(access(path_of("file"), F_OK), 0);
	ck_assert_errno(sys->replace(NULL, path_of("none/deeper"), "file", "", 0),
			-ENOENT);
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ck_assert_errno(sys->replace(NULL, dir, name, "", 0), -ENAMETOOLONG);
}
END_TEST

START_TEST(remove_tells_what_was_not_there)
{
	ck_assert_errno(sys->replace(NULL, dir, "file", "one", 3), 0);
	ck_assert_errno(sys->remove(NULL, dir, "file"), 0);
	ck_assert_int_ne(access(path_of("file"), F_OK), 0);
	ck_assert_errno(sys->remove(NULL, dir, "file"), -ENOENT);
	ck_assert_errno(sys->replace(NULL, dir, "file", "one", 3), 0);
	ck_assert_errno(sys->remove(NULL, path_of("file"), "file"), -ENOTDIR);
}
END_TEST

/* Whenever the power fails: the old content or the new one, and that from then on. */
START_TEST(what_is_replaced_or_removed_is_on_the_disk)
{
	ck_assert_errno(sys->replace(NULL, dir, "file", "one", 3), 0);
	memset(trace, 0, sizeof(trace));
	ck_assert_errno(sys->replace(NULL, dir, "file", "two", 3), 0);
	ck_assert_str_eq(trace, "frd");
	memset(trace, 0, sizeof(trace));
	ck_assert_errno(sys->remove(NULL, dir, "file"), 0);
	ck_assert_str_eq(trace, "ud");
}
END_TEST

START_TEST(a_process_is_there_or_not)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(0);
	ck_assert_errno(sys->process(NULL, (uint32_t)getpid()), 0);
	ck_assert_errno(sys->process(NULL, 1), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_errno(sys->process(NULL, (uint32_t)pid), -ESRCH);
}
END_TEST

START_TEST(ethtool_wants_an_interface)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };

	ck_assert_errno(sys->ethtool(NULL, "", &info), -ENODEV);
	ck_assert_errno(sys->ethtool(NULL, "no-such-card", &info), -ENODEV);
	ck_assert_errno(sys->ethtool(NULL, "a-name-of-sixteen", &info), -ENODEV);
}
END_TEST

START_TEST(nobody_stands_in_the_way_of_libraries)
{
	ck_assert_errno(sys->foreign(NULL, "load a program"), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("sys");
	TCase *t = tcase_create("sys");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, replace_makes_what_is_missing);
	tcase_add_test(t, replace_follows_no_link);
	tcase_add_test(t, replace_that_fails_leaves_the_old);
	tcase_add_test(t, remove_tells_what_was_not_there);
	tcase_add_test(t, what_is_replaced_or_removed_is_on_the_disk);
	tcase_add_test(t, a_process_is_there_or_not);
	tcase_add_test(t, ethtool_wants_an_interface);
	tcase_add_test(t, nobody_stands_in_the_way_of_libraries);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return vtct_main(suite(), NULL);
}
