/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening vhost-user ports: what the options may say, and what the error record tells. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vhostclient.h"
#include "vtct.h"

#include <vtc/vtc.h>

static struct vtc_ctx *ctx;
static struct vtc_port *port;
static struct vtc_vhost_user_opts opts;
static char path[200];
static int fds_before;

static void setup(void)
{
	fds_before = vtct_count_fds();
	snprintf(path, sizeof(path), "%s/open", vtct_dir());
	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	opts = (struct vtc_vhost_user_opts)VTC_VHOST_USER_OPTS_INIT;
	opts.path = path;
	port = NULL;
}

static void teardown(void)
{
	vtc_port_close(port);
	ctx = vtc_ctx_unref(ctx);
	unlink(path);
	ck_assert_int_eq(vtct_count_fds(), fds_before);
}

static void refuses(uint32_t role, int want, const char *subject)
{
	const struct vtc_error *e;

	opts.role = role;
	ck_assert_errno(vtc_port_open_vhost_user(ctx, &opts, &port), want);
	ck_assert_ptr_null(port);
	e = vtc_ctx_last_error(ctx);
	ck_assert_int_eq(vtc_error_get_code(e), want);
	ck_assert_str_eq(vtc_error_get_operation(e), "vhost-user open");
	ck_assert_msg(strstr(vtc_error_get_subject(e), subject), "\"%s\" is not \"%s\"",
		      vtc_error_get_subject(e), subject);
	ck_assert_int_ne(access(path, F_OK), 0);
}

static void refuse_both(const char *subject)
{
	refuses(VTC_VRING_DEVICE, -EINVAL, subject);
	refuses(VTC_VRING_DRIVER, -EINVAL, subject);
	opts = (struct vtc_vhost_user_opts)VTC_VHOST_USER_OPTS_INIT;
	opts.path = path;
}

static void accepts(uint32_t role, const char *kind)
{
	struct vtc_port_info info = { .sz = sizeof(info) };

	opts.role = role;
	ck_assert_errno(vtc_port_open_vhost_user(ctx, &opts, &port), 0);
	ck_assert_errno(vtc_port_get_info(port, &info), 0);
	ck_assert_str_eq(info.kind, kind);
	ck_assert_str_eq(info.name, opts.path ? opts.path : "");
	ck_assert_uint_eq(info.queue_pairs, opts.queue_pairs ? opts.queue_pairs : 1);
	ck_assert_uint_eq(info.connected, 0);
	ck_assert_uint_eq(info.ready, 0);
	ck_assert_ptr_null(info.error);
	vtc_port_close(port);
	port = NULL;
}

START_TEST(parameters_are_checked)
{
	ck_assert_errno(vtc_port_open_vhost_user(NULL, &opts, &port), -EINVAL);
	ck_assert_errno(vtc_port_open_vhost_user(ctx, NULL, &port), -EINVAL);
	ck_assert_errno(vtc_port_open_vhost_user(ctx, &opts, NULL), -EINVAL);
}
END_TEST

START_TEST(options_are_checked)
{
	opts.flags = 1u << 3;
	refuse_both("flag");
	opts.flags = 1u << 31;
	refuse_both("flag");
	opts.flags = VTC_VHOST_USER_F_LISTENING;
	refuse_both("VTC_VHOST_USER_F_LISTENING");
	opts.path = NULL;
	opts.fd = STDERR_FILENO;
	opts.flags = VTC_VHOST_USER_F_CONNECT;
	refuse_both("VTC_VHOST_USER_F_CONNECT");
	opts.path = NULL;
	refuse_both("neither a path nor a descriptor");
	opts.path = "";
	refuse_both("path is empty");
	opts.queue_pairs = VTC_PORT_QUEUE_PAIRS_MAX + 1;
	refuse_both("queue_pairs");
	opts.mac[0] = 1;
	refuse_both("mac");
	opts.reserved = 1;
	refuse_both("reserved");
	refuses(2, -EINVAL, "role");
	refuses(UINT32_MAX, -EINVAL, "role");
}
END_TEST

START_TEST(options_of_one_role)
{
	static const uint32_t sizes[] = { 3, 100, 32767, 32769, 65536, UINT32_MAX };
	static const uint32_t buffers[] = { 1, 63, (1u << 20) + 1, UINT32_MAX };

	opts.ring_size = 256;
	refuses(VTC_VRING_DEVICE, -EINVAL, "ring_size");
	opts.ring_size = 0;
	opts.buffer_size = 2048;
	refuses(VTC_VRING_DEVICE, -EINVAL, "buffer_size");
	opts.buffer_size = 0;
	opts.mtu = 67;
	refuses(VTC_VRING_DEVICE, -EINVAL, "mtu");
	opts.mtu = 1500;
	refuses(VTC_VRING_DRIVER, -EINVAL, "mtu");
	opts.mtu = 0;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		opts.ring_size = sizes[i];
		refuses(VTC_VRING_DRIVER, -EINVAL, "ring_size");
	}
	opts.ring_size = 0;
	for (size_t i = 0; i < sizeof(buffers) / sizeof(buffers[0]); i++) {
		opts.buffer_size = buffers[i];
		refuses(VTC_VRING_DRIVER, -EINVAL, "buffer_size");
	}
}
END_TEST

START_TEST(options_of_other_versions)
{
	struct {
		struct vtc_vhost_user_opts opts;
		uint32_t more;
	} newer = { .opts = VTC_VHOST_USER_OPTS_INIT };

	newer.opts.path = path;
	newer.opts.sz = sizeof(newer);
	ck_assert_errno(vtc_port_open_vhost_user(ctx, &newer.opts, &port), 0);
	vtc_port_close(port);
	port = NULL;
	newer.more = 1;
	ck_assert_errno(vtc_port_open_vhost_user(ctx, &newer.opts, &port), -E2BIG);
	opts.sz = sizeof(opts) - 1;
	refuses(VTC_VRING_DEVICE, -EINVAL, "options");
	opts.sz = 0;
	refuses(VTC_VRING_DEVICE, -EINVAL, "options");
}
END_TEST

START_TEST(good_options_are_taken)
{
	accepts(VTC_VRING_DEVICE, "vhost-user backend");
	accepts(VTC_VRING_DRIVER, "vhost-user frontend");
	opts.queue_pairs = VTC_PORT_QUEUE_PAIRS_MAX;
	opts.flags = VTC_VHOST_USER_F_CONNECT | VTC_VHOST_USER_F_TRUSTED;
	opts.mac[5] = 1;
	opts.mtu = 68;
	accepts(VTC_VRING_DEVICE, "vhost-user backend");
	opts.mtu = 0;
	opts.queue_pairs = 1;
	opts.ring_size = VTC_VRING_SIZE_MAX;
	opts.buffer_size = 64;
	accepts(VTC_VRING_DRIVER, "vhost-user frontend");
	/* A name is the port's own. */
	ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(a_backend_makes_its_socket)
{
	ck_assert_errno(vtc_port_open_vhost_user(ctx, &opts, &port), 0);
	ck_assert_int_eq(access(path, F_OK), 0);
	vtc_port_close(port);
	port = NULL;
	ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(a_frontend_makes_none)
{
	opts.role = VTC_VRING_DRIVER;
	ck_assert_errno(vtc_port_open_vhost_user(ctx, &opts, &port), 0);
	ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(sockets_that_cannot_be)
{
	char name[300];
	int listener, pair[2];

	memset(name, 'x', sizeof(name));
	name[108] = '\0';
	opts.path = name;
	refuses(VTC_VRING_DEVICE, -ENAMETOOLONG, name);
	refuses(VTC_VRING_DRIVER, -ENAMETOOLONG, name);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
	opts.path = NULL;
	opts.fd = pair[0];
	refuses(VTC_VRING_DEVICE, -ENOTSOCK, "descriptor");
	refuses(VTC_VRING_DRIVER, -ENOTSOCK, "descriptor");
	(void)close(pair[0]);
	(void)close(pair[1]);
	listener = vhostclient_listen(path);
	opts.path = path;
	opts.role = VTC_VRING_DEVICE;
	ck_assert_errno(vtc_port_open_vhost_user(ctx, &opts, &port), -EADDRINUSE);
	ck_assert_int_eq(access(path, F_OK), 0);
	(void)close(listener);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		parameters_are_checked, options_are_checked,
		options_of_one_role,	options_of_other_versions,
		good_options_are_taken, a_backend_makes_its_socket,
		a_frontend_makes_none,	sockets_that_cannot_be,
	};
	Suite *s = suite_create("opening vhost-user ports");
	TCase *tc = tcase_create("open");

	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return vtct_main(s, NULL);
}
