/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The context: its options, its references, its log, its locks between processes. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vtc/ctx.h>

#include "core/ctx.h"
#include "tree.h"
#include "vtct.h"

static struct vtc_ctx_opts opts;
static struct vtc_ctx *ctx;

static void set_up(void)
{
	opts = (struct vtc_ctx_opts)VTC_CTX_OPTS_INIT;
	ctx = NULL;
}

START_TEST(defaults_are_the_real_system)
{
	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	ck_assert_str_eq(ctx->sysfs_root, "/sys");
	ck_assert_str_eq(ctx->state_dir, "/run/libvtc");
	ck_assert_ptr_eq(ctx->sys, &vtc__sys_kernel);
	ck_assert_ptr_null(vtc_ctx_unref(ctx));
}
END_TEST

START_TEST(making_one_opens_nothing)
{
	int fds = vtct_count_fds();

	opts.sysfs_root = "/does/not/exist";
	ck_assert_errno(vtc_ctx_new(&opts, &ctx), 0);
	ck_assert_int_eq(vtct_count_fds(), fds);
	vtc_ctx_unref(ctx);
}
END_TEST

START_TEST(paths_are_copied)
{
	char path[] = "/tmp/somewhere";

	opts.sysfs_root = opts.state_dir = path;
	ck_assert_errno(vtc_ctx_new(&opts, &ctx), 0);
	memset(path, 'x', sizeof(path) - 1);
	ck_assert_str_eq(ctx->sysfs_root, "/tmp/somewhere");
	ck_assert_str_eq(ctx->state_dir, "/tmp/somewhere");
	vtc_ctx_unref(ctx);
}
END_TEST

static void assert_refused(int want)
{
	ck_assert_errno(vtc_ctx_new(&opts, &ctx), want);
	ck_assert_ptr_null(ctx);
	set_up();
}

START_TEST(bad_options_are_refused)
{
	char path[300];

	ck_assert_errno(vtc_ctx_new(NULL, NULL), -EINVAL);
	opts.flags = 1;
	assert_refused(-EINVAL);
	opts.reserved = 1;
	assert_refused(-EINVAL);
	opts.log_level = 5; /* not one of ours */
	assert_refused(-EINVAL);
	opts.log_level = 8;
	assert_refused(-EINVAL);
	opts.sysfs_root = "";
	assert_refused(-EINVAL);
	opts.sysfs_root = "sys";
	assert_refused(-EINVAL);
	opts.state_dir = "";
	assert_refused(-EINVAL);
	opts.sz = sizeof(opts) - 1;
	assert_refused(-EINVAL);
	memset(path, '/', sizeof(path) - 1);
	path[256] = '\0';
	opts.sysfs_root = path;
	assert_refused(-EINVAL);
}
END_TEST

START_TEST(longest_path_is_255_bytes)
{
	char path[256];

	memset(path, '/', sizeof(path) - 1);
	path[255] = '\0';
	opts.state_dir = path;
	ck_assert_errno(vtc_ctx_new(&opts, &ctx), 0);
	ck_assert_str_eq(ctx->state_dir, path);
	vtc_ctx_unref(ctx);
}
END_TEST

START_TEST(options_of_a_newer_library)
{
	struct {
		struct vtc_ctx_opts opts;
		uint32_t added[2];
	} newer = { .opts = VTC_CTX_OPTS_INIT };

	newer.opts.sz = sizeof(newer);
	ck_assert_errno(vtc_ctx_new(&newer.opts, &ctx), 0);
	ctx = vtc_ctx_unref(ctx);
	newer.added[1] = 1;
	ck_assert_errno(vtc_ctx_new(&newer.opts, &ctx), -E2BIG);
	ck_assert_ptr_null(ctx);
}
END_TEST

START_TEST(the_last_reference_ends_it)
{
	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	ck_assert_ptr_eq(vtc_ctx_ref(ctx), ctx);
	ck_assert_ptr_null(vtc_ctx_unref(ctx));
	ck_assert_int_eq(vtc_error_get_code(vtc_ctx_last_error(ctx)), 0);
	ck_assert_ptr_null(vtc_ctx_unref(ctx));
	ck_assert_ptr_null(vtc_ctx_ref(NULL));
	ck_assert_ptr_null(vtc_ctx_unref(NULL));
}
END_TEST

/* ---- Log and clock ---- */

struct heard {
	int count, level;
	char message[1024];
};

static void hear(void *data, int level, const char *message)
{
	struct heard *heard = data;

	heard->count++;
	heard->level = level;
	snprintf(heard->message, sizeof(heard->message), "%s", message);
}

static const uint32_t limits[] = { 0, VTC_LOG_ERR, VTC_LOG_WARNING, VTC_LOG_INFO,
				   VTC_LOG_DEBUG };
static const int lines[] = { 2, 1, 2, 3, 4 };

START_TEST(log_stops_at_its_level)
{
	struct heard heard = { 0 };

	opts.log = hear;
	opts.log_data = &heard;
	opts.log_level = limits[_i];
	ck_assert_errno(vtc_ctx_new(&opts, &ctx), 0);
	vtc__log(ctx, VTC_LOG_ERR, "%s", "error");
	ck_assert_int_eq(heard.level, VTC_LOG_ERR);
	ck_assert_str_eq(heard.message, "error");
	vtc__log(ctx, VTC_LOG_WARNING, "%s", "warning");
	vtc__log(ctx, VTC_LOG_INFO, "%s", "info");
	vtc__log(ctx, VTC_LOG_DEBUG, "%s", "debug");
	ck_assert_int_eq(heard.count, lines[_i]);
	vtc_ctx_unref(ctx);
}
END_TEST

START_TEST(long_log_line_is_cut)
{
	struct heard heard = { 0 };
	char text[5000];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	opts.log = hear;
	opts.log_data = &heard;
	ck_assert_errno(vtc_ctx_new(&opts, &ctx), 0);
	vtc__log(ctx, VTC_LOG_ERR, "%s", text);
	ck_assert_int_eq(strncmp(heard.message, "aaaa", 4), 0);
	ck_assert_uint_lt(strlen(heard.message), sizeof(heard.message));
	vtc_ctx_unref(ctx);
}
END_TEST

START_TEST(without_log_nothing_is_called)
{
	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	vtc__log(ctx, VTC_LOG_ERR, "%s", "unheard");
	vtc_ctx_unref(ctx);
}
END_TEST

static uint64_t my_clock(void *data)
{
	return *(uint64_t *)data;
}

START_TEST(clock_of_the_caller_counts)
{
	uint64_t now = 4711, first;

	opts.clock = my_clock;
	opts.clock_data = &now;
	ck_assert_errno(vtc_ctx_new(&opts, &ctx), 0);
	ck_assert_uint_eq(vtc__now_ns(ctx), 4711);
	vtc_ctx_unref(ctx);
	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	first = vtc__now_ns(ctx);
	vtc__sleep_ms(ctx, 1);
	ck_assert_uint_ge(vtc__now_ns(ctx), first + VTC__NS_PER_MS);
	vtc_ctx_unref(ctx);
}
END_TEST

/* ---- Locks ---- */

/* A process that takes a lock and holds it until the pipe to it is closed. */
static pid_t start_holder(const char *name, int *ret_release)
{
	int ready[2], release[2];
	char got = 0;
	pid_t pid;

	ck_assert_int_eq(pipe(ready), 0);
	ck_assert_int_eq(pipe(release), 0);
	pid = fork();
	if (pid == 0) {
		struct vtc_ctx *own;

		close(release[1]);
		got = vtc_ctx_new(&opts, &own) == 0 && vtc__lock(own, name) >= 0;
		if (write(ready[1], &got, 1) == 1 && read(release[0], &got, 1) == 0)
			_exit(0);
		_exit(1);
	}
	close(release[0]);
	ck_assert_int_eq(read(ready[0], &got, 1), 1);
	ck_assert_int_eq(got, 1);
	close(ready[0]);
	close(ready[1]);
	*ret_release = release[1];
	return pid;
}

START_TEST(a_lock_excludes_another_process)
{
	struct vtct_tree *tree = vtct_tree_new();
	int fds = vtct_count_fds(), release, fd;
	pid_t pid;

	opts.state_dir = tree->state;
	ck_assert_errno(vtc_ctx_new(&opts, &ctx), 0);
	pid = start_holder("pf-0000:01:00.0", &release);
	ck_assert_errno(vtc__lock(ctx, "pf-0000:01:00.0"), -EAGAIN);
	fd = vtc__lock(ctx, "pf-0000:01:00.1");
	ck_assert_int_ge(fd, 0);
	vtc__unlock(ctx, fd);
	close(release);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	fd = vtc__lock(ctx, "pf-0000:01:00.0");
	ck_assert_int_ge(fd, 0);
	ck_assert_errno(vtc__lock(ctx, "pf-0000:01:00.0"), -EAGAIN);
	vtc__unlock(ctx, fd);
	vtc_ctx_unref(ctx);
	ck_assert_int_eq(vtct_count_fds(), fds);
	vtct_tree_free(tree);
}
END_TEST

START_TEST(a_killed_holder_holds_no_more)
{
	struct vtct_tree *tree = vtct_tree_new();
	int release, fd;
	pid_t pid;

	opts.state_dir = tree->state;
	ck_assert_errno(vtc_ctx_new(&opts, &ctx), 0);
	pid = start_holder("pf-x", &release);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	fd = vtc__lock(ctx, "pf-x");
	ck_assert_int_ge(fd, 0);
	vtc__unlock(ctx, fd);
	close(release);
	vtc_ctx_unref(ctx);
	vtct_tree_free(tree);
}
END_TEST

/* As another thread may do at any time. */
START_TEST(a_child_that_was_forked_under_a_lock_does_not_keep_it)
{
	struct vtct_tree *tree = vtct_tree_new();
	int fd, end[2];
	char byte;
	pid_t pid;

	opts.state_dir = tree->state;
	ck_assert_int_eq(pipe(end), 0);
	ck_assert_errno(vtc_ctx_new(&opts, &ctx), 0);
	fd = vtc__lock(ctx, "pf-x");
	ck_assert_int_ge(fd, 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		close(end[1]);
		_exit(read(end[0], &byte, 1) != 0);
	}
	close(end[0]);
	vtc__unlock(ctx, fd);
	fd = vtc__lock(ctx, "pf-x");
	ck_assert_int_ge(fd, 0);
	vtc__unlock(ctx, fd);
	close(end[1]);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	vtc_ctx_unref(ctx);
	vtct_tree_free(tree);
}
END_TEST

START_TEST(the_state_directory_is_made_when_needed)
{
	struct vtct_tree *tree = vtct_tree_new();
	char dir[200], file[250];
	int fd;

	snprintf(dir, sizeof(dir), "%s/new", tree->state);
	opts.state_dir = dir;
	ck_assert_errno(vtc_ctx_new(&opts, &ctx), 0);
	fd = vtc__lock(ctx, "pf-x");
	ck_assert_int_ge(fd, 0);
	vtc__unlock(ctx, fd);
	vtc_ctx_unref(ctx);

	/* A link in the place of the lock file could make us open anything. */
	snprintf(file, sizeof(file), "%s/pf-y.lock", dir);
	ck_assert_int_eq(symlink("/etc/hostname", file), 0);
	ck_assert_errno(vtc_ctx_new(&opts, &ctx), 0);
	ck_assert_errno(vtc__lock(ctx, "pf-y"), -ELOOP);
	vtc_ctx_unref(ctx);
	vtct_tree_free(tree);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctx");
	TCase *tcase = tcase_create("ctx");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, defaults_are_the_real_system);
	tcase_add_test(tcase, making_one_opens_nothing);
	tcase_add_test(tcase, paths_are_copied);
	tcase_add_test(tcase, bad_options_are_refused);
	tcase_add_test(tcase, longest_path_is_255_bytes);
	tcase_add_test(tcase, options_of_a_newer_library);
	tcase_add_test(tcase, the_last_reference_ends_it);
	tcase_add_loop_test(tcase, log_stops_at_its_level, 0, 5);
	tcase_add_test(tcase, long_log_line_is_cut);
	tcase_add_test(tcase, without_log_nothing_is_called);
	tcase_add_test(tcase, clock_of_the_caller_counts);
	tcase_add_test(tcase, a_lock_excludes_another_process);
	tcase_add_test(tcase, a_killed_holder_holds_no_more);
	tcase_add_test(tcase, a_child_that_was_forked_under_a_lock_does_not_keep_it);
	tcase_add_test(tcase, the_state_directory_is_made_when_needed);
	suite_add_tcase(suite, tcase);
	return vtct_main(suite, NULL);
}
