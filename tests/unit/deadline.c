/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes with a deadline, with real processes: a FIFO that is full holds its writer as
 * long as we like. What a kernel does that cannot be killed out of, fake/test-core-sysfs
 * shows.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vtc/ctx.h>

#include "core/ctx.h"
#include "core/sysfs.h"
#include "tree.h"
#include "vtct.h"

static struct vtct_tree *tree;
static struct vtc_ctx *ctx;
static int fds;
static volatile sig_atomic_t signals;

static void count_signal(int number)
{
	(void)number;
	signals++;
}

static void set_up(void)
{
	struct vtc_ctx_opts opts = VTC_CTX_OPTS_INIT;

	tree = vtct_tree_new();
	fds = vtct_count_fds();
	opts.sysfs_root = tree->root;
	ck_assert_errno(vtc_ctx_new(&opts, &ctx), 0);
	signals = 0;
	signal(SIGCHLD, count_signal);
}

/* Nothing may be left behind: no descriptor, no child of any kind, no signal. */
static void tear_down(void)
{
	siginfo_t info;

	vtc_ctx_unref(ctx);
	ck_assert_int_eq(vtct_count_fds(), fds);
	ck_assert_int_eq(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | __WALL), -1);
	ck_assert_int_eq(errno, ECHILD);
	ck_assert_int_eq(signals, 0);
	vtct_tree_free(tree);
}

static int write_within(const char *path, unsigned int ms)
{
	return vtc__sysfs_write_slow(ctx, path, "4",
				     vtc__now_ns(ctx) + ms * VTC__NS_PER_MS);
}

/* A FIFO with no room left; the descriptor keeps it so. */
static int full_fifo(const char *name)
{
	static const char block[4096];
	char path[200];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", tree->root, name);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	while (write(fd, block, sizeof(block)) > 0)
		;
	return fd;
}

START_TEST(a_quick_write_is_a_write)
{
	vtct_tree_add(tree, "sriov_numvfs = 0");
	ck_assert_errno(write_within("sriov_numvfs", 10000), 0);
	ck_assert_int_eq(vtct_tree_get(tree, "sriov_numvfs")[0], '4');
}
END_TEST

START_TEST(errors_come_back_from_the_writer)
{
	vtct_tree_add(tree, "dir/");
	ck_assert_errno(write_within("missing", 10000), -ENOENT);
	ck_assert_errno(write_within("dir", 10000), -EISDIR);
}
END_TEST

START_TEST(errors_of_the_write_itself_come_back)
{
	char path[200];

	/* Linux answers each write to this device so. */
	if (access("/dev/full", W_OK) < 0)
		vtct_skip("/dev/full is not writable");
	snprintf(path, sizeof(path), "%s/full", tree->root);
	ck_assert_int_eq(symlink("/dev/full", path), 0);
	ck_assert_errno(write_within("full", 10000), -ENOSPC);
}
END_TEST

START_TEST(a_write_that_hangs_ends_with_its_deadline)
{
	int fd = full_fifo("fifo");

	ck_assert_errno(write_within("fifo", 50), -ETIMEDOUT);
	/* This writer could be killed, so nothing stands against the next one. */
	ck_assert_errno(write_within("fifo", 50), -ETIMEDOUT);
	ck_assert_ptr_null(ctx->stuck);
	close(fd);
}
END_TEST

START_TEST(a_writer_that_comes_through_in_time_is_no_failure)
{
	int fd = full_fifo("fifo");
	pid_t reader = fork();

	if (reader == 0) {
		char block[4096];

		usleep(100000);
		while (read(fd, block, sizeof(block)) > 0)
			;
		_exit(0);
	}
	ck_assert_errno(write_within("fifo", 50000), 0);
	ck_assert_int_eq(waitpid(reader, NULL, 0), reader);
	signals = 0; /* the reader's own */
	close(fd);
}
END_TEST

START_TEST(no_time_left_means_no_write)
{
	vtct_tree_add(tree, "sriov_numvfs = 0");
	ck_assert_errno(vtc__sysfs_write_slow(ctx, "sriov_numvfs", "4", 0), -ETIMEDOUT);
	ck_assert_str_eq(vtct_tree_get(tree, "sriov_numvfs"), "0");
}
END_TEST

START_TEST(signals_of_the_caller_do_not_disturb)
{
	int fd = full_fifo("fifo"), i;
	pid_t self = getpid(), sender;
	struct sigaction action = { .sa_handler = count_signal };

	ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0); /* without SA_RESTART */
	sender = fork();
	if (sender == 0) {
		for (i = 0; i < 20; i++) {
			kill(self, SIGUSR1);
			usleep(5000);
		}
		_exit(0);
	}
	ck_assert_errno(write_within("fifo", 200), -ETIMEDOUT);
	ck_assert_int_eq(waitpid(sender, NULL, 0), sender);
	ck_assert_int_gt(signals, 0);
	signals = 0;
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("deadline");
	TCase *tcase = tcase_create("deadline");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, a_quick_write_is_a_write);
	tcase_add_test(tcase, errors_come_back_from_the_writer);
	tcase_add_test(tcase, errors_of_the_write_itself_come_back);
	tcase_add_test(tcase, a_write_that_hangs_ends_with_its_deadline);
	tcase_add_test(tcase, a_writer_that_comes_through_in_time_is_no_failure);
	tcase_add_test(tcase, no_time_left_means_no_write);
	tcase_add_test(tcase, signals_of_the_caller_do_not_disturb);
	suite_add_tcase(suite, tcase);
	return vtct_main(suite, NULL);
}
