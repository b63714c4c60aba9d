/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What every test program starts with: libcheck suites in, TAP out. A program is
 *
 *	START_TEST(name) { ... } END_TEST
 *	int main(void) { return vtct_main(suite(), NULL); }
 *
 * and `prog` prints TAP, `CK_RUN_CASE=x prog` runs one case, `CK_FORK=no prog` suits a
 * debugger.
 */
#ifndef VTCT_H
#define VTCT_H

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

/* Run the suites up to NULL. Returns 0 if nothing failed, else 1. */
int vtct_main(Suite *first, ...) __attribute__((sentinel));

/*
 * A suite of one case with these tests, up to NULL. For most programs that is all they
 * need.
 */
Suite *vtct_suite(const char *name, ...) __attribute__((sentinel));

/* Leave the running test as skipped, with the reason. */
#define vtct_skip(...) ck_abort_msg("SKIP: " __VA_ARGS__)

/* Leave a test program that cannot go on (the helpers' own errors, never a finding). */
void vtct_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* malloc() and friends that cannot fail. */
void *vtct_alloc(size_t size);
void *vtct_realloc(void *old, size_t size);

/*
 * How deep we are inside the test helpers. An allocation that is made there is not the
 * library's: fake/test-oom neither fails nor counts it.
 */
extern int vtct_inside;

/* A directory that vtct_main() removes when all tests have ended, however they did. */
const char *vtct_dir(void);
void vtct_remove_dir(const char *path);

/* How many descriptors this process has open; to find what a call left behind. */
int vtct_count_fds(void);

/* Result is exactly this errno: ck_assert_errno(vtc_x(...), -EINVAL). */
#define ck_assert_errno(call, want)                                                      \
	do {                                                                             \
		int vtct_got = (call);                                                   \
		ck_assert_msg(vtct_got == (want), "%s is %d (%s), not %s", #call,        \
			      vtct_got, vtct_got < 0 ? strerror(-vtct_got) : "no error", \
			      #want);                                                    \
	} while (0)

#endif
