/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Vhost-user connections on real sockets: peers that come, go, wait, stutter, send too
 * much or do not read; sockets that are stale, foreign or none; callbacks that leave the
 * peer while they are called. Each test ends with the descriptors it began with.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/ctx.h"
#include "endpoint/vhost-link.h"
#include "vhostclient.h"
#include "vtct.h"

#include <vtc/vtc.h>

#define PATIENCE  120000 /* ms; only what is lost takes that long */
#define TURNS	  10000
#define MESSAGES  300
#define SET_OWNER VTC__VHOST_SET_OWNER
#define FEATURES  VTC__VHOST_SET_FEATURES
#define SET_KICK  VTC__VHOST_SET_VRING_KICK
#define REPLY_ACK (1ull << VTC__VHOST_PF_REPLY_ACK)

static struct vtc_ctx *ctx;
static struct vtc__loop *loop;
static struct vtc__vhost_link *peer_link;
static struct vtc__vhost_link_opts opts;
static char path[200];
static int fds_before;

/* What the callbacks saw, and what they shall do. */
static struct {
	unsigned int ups, downs, messages;
	struct vtc__vhost_message last;
	char why[200];
	bool keep_fds, drop_in_up, drop_in_message, drop_in_down, refuse, reply;
	uint64_t protocol; /* to set in up() */
	int kept[VTC__VHOST_FDS_MAX];
	unsigned int sum; /* of the numbers in the messages */
} seen;

static void up(void *data)
{
	ck_assert_ptr_eq(data, &seen);
	ck_assert(vtc__vhost_link_is_up(peer_link));
	seen.ups++;
	vtc__vhost_link_set_protocol(peer_link, seen.protocol);
	if (seen.drop_in_up)
		vtc__vhost_link_drop(peer_link, "dropped in up");
}

static void reply_to(const struct vtc__vhost_message *m)
{
	struct vtc__vhost_message r = { .size = 8, .payload.u64 = 7 };

	ck_assert_errno(vtc__vhost_link_reply(peer_link, m, &r), 0);
}

static int message(void *data, struct vtc__vhost_message *m)
{
	ck_assert_ptr_eq(data, &seen);
	seen.messages++;
	seen.last = *m;
	seen.sum += (unsigned int)m->payload.u64;
	for (unsigned int i = 0; i < VTC__VHOST_FDS_MAX; i++) {
		ck_assert_int_eq(m->fds[i] >= 0, i < m->fd_count);
		if (m->fds[i] >= 0)
			ck_assert_int_eq(fcntl(m->fds[i], F_GETFD), FD_CLOEXEC);
		if (seen.keep_fds) {
			seen.kept[i] = m->fds[i];
			m->fds[i] = -1;
		}
	}
	if (seen.reply)
		reply_to(m);
	if (seen.drop_in_message)
		vtc__vhost_link_drop(peer_link, "dropped in message");
	return seen.refuse ? -EINVAL : 0;
}

static void down(void *data, const char *why)
{
	ck_assert_ptr_eq(data, &seen);
	ck_assert(!vtc__vhost_link_is_up(peer_link));
	seen.downs++;
	ck_assert_uint_eq(seen.ups, seen.downs);
	snprintf(seen.why, sizeof(seen.why), "%s", why);
	if (seen.drop_in_down)
		vtc__vhost_link_drop(peer_link, "there is none");
}

static const struct vtc__vhost_link_ops ops = { up, message, down };

static void setup(void)
{
	fds_before = vtct_count_fds();
	memset(&seen, 0, sizeof(seen));
	snprintf(path, sizeof(path), "%s/link", vtct_dir());
	opts = (struct vtc__vhost_link_opts){ .path = path,
					      .fd = -1,
					      .reader = VTC__VHOST_BACKEND };
	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	ck_assert_errno(vtc__loop_new(ctx, &loop), 0);
	peer_link = NULL;
}

static void teardown(void)
{
	vtc__vhost_link_close(peer_link);
	vtc__loop_free(loop);
	ctx = vtc_ctx_unref(ctx);
	unlink(path);
	ck_assert_int_eq(vtct_count_fds(), fds_before);
}

static void open_link(void)
{
	ck_assert_errno(vtc__vhost_link_open(ctx, &opts, &ops, &seen, &peer_link), 0);
	ck_assert_errno(vtc__vhost_link_attach(peer_link, loop), 0);
}

/* Until nothing is left to do now. */
static void serve(void)
{
	int n = 1;

	for (int i = 0; n && i < TURNS; i++)
		n = vtc__loop_serve(loop);
	ck_assert_int_eq(n, 0);
}

/* Wait for what comes with the time. */
static void serve_until(const unsigned int *count, unsigned int value)
{
	struct pollfd p = { .fd = vtc__loop_fd(loop), .events = POLLIN };

	serve();
	for (int i = 0; *count < value && i < TURNS; i++) {
		ck_assert_int_eq(poll(&p, 1, PATIENCE), 1);
		serve();
	}
	ck_assert_uint_eq(*count, value);
}

static int connect_client(void)
{
	int fd = vhostclient_connect(path);

	serve();
	return fd;
}

static void hang_up(int fd)
{
	(void)close(fd);
	serve();
}

static void request(int fd, uint32_t number, uint64_t value, uint32_t size)
{
	ck_assert_errno(vhostclient_request(fd, number, 1, &value, size, NULL, 0), 0);
}

static bool is_open(int fd)
{
	struct vhostclient_reply r;

	return vhostclient_receive(fd, &r) == -EAGAIN;
}

static bool has_socket(void)
{
	struct stat st;

	return !lstat(path, &st) && S_ISSOCK(st.st_mode);
}

/* ---- Peers come and go ---- */

START_TEST(a_peer_comes_talks_and_goes)
{
	struct vhostclient_reply r;
	int fd;

	open_link();
	serve();
	ck_assert_uint_eq(seen.ups, 0);
	for (unsigned int i = 1; i <= 3; i++) {
		fd = connect_client();
		ck_assert_uint_eq(seen.ups, i);
		seen.reply = true;
		request(fd, VTC__VHOST_GET_FEATURES, 0, 0);
		serve();
		ck_assert_uint_eq(seen.messages, i);
		ck_assert_errno(vhostclient_receive(fd, &r), 1);
		ck_assert_uint_eq(r.request, VTC__VHOST_GET_FEATURES);
		ck_assert_uint_eq(r.flags, 5);
		ck_assert_uint_eq(r.size, 8);
		ck_assert_uint_eq(r.payload[0], 7);
		hang_up(fd);
		ck_assert_uint_eq(seen.downs, i);
		ck_assert_str_eq(seen.why, "the peer closed the connection");
	}
}
END_TEST

START_TEST(the_last_words_are_heard)
{
	int fd;

	open_link();
	fd = vhostclient_connect(path);
	request(fd, SET_OWNER, 0, 0);
	request(fd, FEATURES, 1, 8);
	(void)close(fd);
	serve();
	ck_assert_uint_eq(seen.ups, 1);
	ck_assert_uint_eq(seen.messages, 2);
	ck_assert_uint_eq(seen.downs, 1);
}
END_TEST

START_TEST(a_half_closed_peer_is_gone)
{
	int fd;

	open_link();
	fd = connect_client();
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	serve();
	ck_assert_uint_eq(seen.downs, 1);
	ck_assert(!is_open(fd));
	hang_up(fd);
}
END_TEST

START_TEST(the_second_peer_waits)
{
	int first, second, third;

	open_link();
	first = connect_client();
	second = connect_client();
	third = connect_client();
	request(third, FEATURES, 3, 8);
	request(second, FEATURES, 2, 8);
	serve();
	ck_assert_uint_eq(seen.ups, 1);
	ck_assert_uint_eq(seen.messages, 0);
	ck_assert(is_open(second));
	hang_up(first);
	ck_assert_uint_eq(seen.ups, 2);
	ck_assert_uint_eq(seen.last.payload.u64, 2);
	hang_up(second);
	ck_assert_uint_eq(seen.ups, 3);
	ck_assert_uint_eq(seen.last.payload.u64, 3);
	hang_up(third);
	ck_assert_uint_eq(seen.downs, 3);
}
END_TEST

START_TEST(what_was_negotiated_ends_with_the_peer)
{
	uint64_t mtu = 1500;
	int fd;

	seen.protocol = 1ull << VTC__VHOST_PF_MTU;
	open_link();
	fd = connect_client();
	request(fd, VTC__VHOST_NET_SET_MTU, mtu, 8);
	serve();
	ck_assert_uint_eq(seen.messages, 1);
	hang_up(fd);
	seen.protocol = 0;
	fd = connect_client();
	request(fd, VTC__VHOST_NET_SET_MTU, mtu, 8);
	serve();
	ck_assert_uint_eq(seen.messages, 1);
	ck_assert_uint_eq(seen.downs, 2);
	ck_assert_str_eq(seen.why,
			 "NET_SET_MTU: its protocol feature was not negotiated");
	hang_up(fd);
}
END_TEST

START_TEST(a_connection_survives_a_pause)
{
	uint8_t bytes[20] = { FEATURES, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 9 };
	int fd;

	open_link();
	fd = connect_client();
	ck_assert_int_eq(vhostclient_send(fd, bytes, 7, NULL, 0), 7);
	serve();
	vtc__vhost_link_detach(peer_link);
	ck_assert_int_eq(vhostclient_send(fd, bytes + 7, 13, NULL, 0), 13);
	serve();
	ck_assert_uint_eq(seen.messages, 0);
	ck_assert_errno(vtc__vhost_link_attach(peer_link, loop), 0);
	serve();
	ck_assert_uint_eq(seen.ups, 1);
	ck_assert_uint_eq(seen.messages, 1);
	ck_assert_uint_eq(seen.last.payload.u64, 9);
	vtc__vhost_link_detach(peer_link);
	(void)close(fd);
	ck_assert_errno(vtc__vhost_link_attach(peer_link, loop), 0);
	serve();
	ck_assert_uint_eq(seen.downs, 1);
}
END_TEST

START_TEST(closing_tells_nobody)
{
	int fd;

	open_link();
	fd = connect_client();
	vtc__vhost_link_close(peer_link);
	peer_link = NULL;
	ck_assert_uint_eq(seen.downs, 0);
	ck_assert(!is_open(fd));
	ck_assert(!has_socket());
	(void)close(fd);
}
END_TEST

/* ---- Bytes ---- */

START_TEST(bytes_come_one_by_one)
{
	uint8_t bytes[20] = { SET_KICK, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 2 };
	int fd, bell = eventfd(0, EFD_CLOEXEC);

	open_link();
	fd = connect_client();
	for (size_t with = 0; with < sizeof(bytes); with++) {
		for (size_t i = 0; i < sizeof(bytes); i++) {
			ck_assert_uint_eq(seen.messages, with);
			ck_assert_int_eq(
				vhostclient_send(fd, bytes + i, 1, &bell, i == with), 1);
			serve();
		}
		ck_assert_uint_eq(seen.messages, with + 1);
		ck_assert_uint_eq(seen.last.payload.u64, 2);
		ck_assert_uint_eq(seen.last.fd_count, 1);
	}
	ck_assert_uint_eq(seen.downs, 0);
	hang_up(fd);
	(void)close(bell);
}
END_TEST

START_TEST(many_messages_come_at_once)
{
	uint8_t bytes[20 * MESSAGES] = { 0 };
	unsigned int sum = 0;
	int fd;

	for (uint32_t i = 0; i < MESSAGES; i++) {
		uint32_t words[5] = { FEATURES, 1, 8, i, 0 };

		memcpy(bytes + 20 * i, words, 20);
		sum += i;
	}
	open_link();
	fd = connect_client();
	ck_assert_int_eq(vhostclient_send(fd, bytes, sizeof(bytes), NULL, 0),
			 sizeof(bytes));
	/* A peer that talks all the time leaves others their turn. */
	ck_assert_int_gt(vtc__loop_serve(loop), 0);
	ck_assert_uint_gt(seen.messages, 0);
	ck_assert_uint_lt(seen.messages, MESSAGES);
	serve();
	ck_assert_uint_eq(seen.messages, MESSAGES);
	ck_assert_uint_eq(seen.sum, sum);
	hang_up(fd);
}
END_TEST

START_TEST(a_peer_may_stop_at_any_byte)
{
	uint8_t bytes[20] = { SET_KICK, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 2 };
	int bell = eventfd(0, EFD_CLOEXEC);

	open_link();
	for (size_t len = 1; len < sizeof(bytes); len++) {
		int fd = connect_client();

		ck_assert_int_eq(vhostclient_send(fd, bytes, len, &bell, 1), len);
		serve();
		hang_up(fd);
		ck_assert_uint_eq(seen.downs, len);
		ck_assert_str_eq(seen.why, "the peer closed in the middle of a message");
	}
	ck_assert_uint_eq(seen.messages, 0);
	(void)close(bell);
}
END_TEST

START_TEST(what_is_no_message_ends_the_connection)
{
	static const struct {
		uint32_t words[3];
		const char *why;
	} bad[] = {
		{ { FEATURES, 0, 8 }, "SET_FEATURES: the version is not 1" },
		{ { FEATURES, 5, 8 }, "SET_FEATURES: a reply where a request belongs" },
		{ { FEATURES, 1, 9 }, "SET_FEATURES: the size does not fit the request" },
		{ { FEATURES, 1, UINT32_MAX },
		  "SET_FEATURES: the size does not fit the request" },
		{ { 0, 1, 0 }, "request 0: the request is unknown" },
		{ { UINT32_MAX, 1, 0 }, "request 4294967295: the request is unknown" },
		{ { SET_KICK, 1, 8 },
		  "SET_VRING_KICK: the number of descriptors does not fit" },
	};

	open_link();
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint8_t bytes[20] = { 0 };
		int fd = connect_client();

		memcpy(bytes, bad[i].words, 12);
		ck_assert_int_eq(vhostclient_send(fd, bytes, 20, NULL, 0), 20);
		serve();
		ck_assert_uint_eq(seen.downs, i + 1);
		ck_assert_str_eq(seen.why, bad[i].why);
		ck_assert(!is_open(fd));
		(void)close(fd);
	}
	ck_assert_uint_eq(seen.messages, 0);
}
END_TEST

/* ---- Descriptors ---- */

START_TEST(descriptors_are_closed_unless_taken)
{
	uint64_t queue = 1;
	int fd, before, bell = eventfd(0, EFD_CLOEXEC);

	open_link();
	fd = connect_client();
	before = vtct_count_fds();
	for (int i = 0; i < 100; i++) {
		ck_assert_errno(vhostclient_request(fd, SET_KICK, 1, &queue, 8, &bell, 1),
				0);
		serve();
	}
	ck_assert_uint_eq(seen.messages, 100);
	ck_assert_int_eq(vtct_count_fds(), before);
	seen.keep_fds = true;
	ck_assert_errno(vhostclient_request(fd, SET_KICK, 1, &queue, 8, &bell, 1), 0);
	serve();
	ck_assert_int_eq(vtct_count_fds(), before + 1);
	ck_assert_int_eq(close(seen.kept[0]), 0);
	hang_up(fd);
	(void)close(bell);
}
END_TEST

START_TEST(surplus_descriptors_end_the_connection)
{
	static const unsigned int counts[] = { 2, 8, 9, 10, 64, VHOSTCLIENT_FDS_MAX };
	int fds[VHOSTCLIENT_FDS_MAX];
	uint64_t queue = 0;

	for (int i = 0; i < VHOSTCLIENT_FDS_MAX; i++)
		fds[i] = STDERR_FILENO;
	open_link();
	for (unsigned int i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		int fd = connect_client();

		ck_assert_errno(
			vhostclient_request(fd, SET_KICK, 1, &queue, 8, fds, counts[i]),
			0);
		serve();
		ck_assert_uint_eq(seen.downs, i + 1);
		(void)close(fd);
		serve();
	}
	ck_assert_uint_eq(seen.messages, 0);
}
END_TEST

START_TEST(surplus_descriptors_come_in_parts)
{
	uint8_t bytes[20] = { SET_KICK, 0, 0, 0, 1, 0, 0, 0, 8 };
	int fd, fds[] = { 2, 2, 2, 2, 2 };

	open_link();
	fd = connect_client();
	ck_assert_int_eq(vhostclient_send(fd, bytes, 12, fds, 5), 12);
	serve();
	ck_assert_uint_eq(seen.downs, 0);
	ck_assert_int_eq(vhostclient_send(fd, bytes, 1, fds, 5), 1);
	serve();
	ck_assert_uint_eq(seen.downs, 1);
	ck_assert(!is_open(fd));
	(void)close(fd);
}
END_TEST

/* It has its own limit of descriptors, which the kernel does not know. */
static bool in_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

/* No more of them can be opened: what comes then is lost, and so is the peer. */
START_TEST(descriptors_run_out)
{
	struct rlimit old, low;
	uint64_t queue = 0;
	int fd, bell;

	if (in_valgrind())
		vtct_skip("valgrind has a limit of descriptors of its own");
	bell = eventfd(0, EFD_CLOEXEC);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	open_link();
	fd = connect_client();
	low = old;
	low.rlim_cur = (rlim_t)bell + 1;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	ck_assert_errno(vhostclient_request(fd, SET_KICK, 1, &queue, 8, &bell, 1), 0);
	serve();
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	ck_assert_uint_eq(seen.messages, 0);
	ck_assert_uint_eq(seen.downs, 1);
	hang_up(fd);
	(void)close(bell);
}
END_TEST

START_TEST(a_peer_that_cannot_be_accepted_waits)
{
	struct rlimit old, low;
	int fd, spare;

	if (in_valgrind())
		vtct_skip("valgrind has a limit of descriptors of its own");
	spare = dup(STDERR_FILENO);

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	open_link();
	serve();
	fd = vhostclient_connect(path);
	low = old;
	low.rlim_cur = (rlim_t)spare;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	serve();
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	ck_assert_uint_eq(seen.ups, 0);
	serve_until(&seen.ups, 1);
	hang_up(fd);
	(void)close(spare);
}
END_TEST

/* ---- Callbacks that leave the peer ---- */

START_TEST(a_refused_message_ends_the_connection)
{
	int fd;

	open_link();
	seen.refuse = true;
	fd = connect_client();
	request(fd, SET_OWNER, 0, 0);
	request(fd, SET_OWNER, 0, 0);
	serve();
	ck_assert_uint_eq(seen.messages, 1);
	ck_assert_uint_eq(seen.downs, 1);
	ck_assert_str_eq(seen.why, "SET_OWNER: refused");
	hang_up(fd);
}
END_TEST

START_TEST(any_callback_may_drop)
{
	int fd, next, bell = eventfd(0, EFD_CLOEXEC);
	uint64_t queue = 0;

	seen.drop_in_up = _i & 1;
	seen.drop_in_message = _i & 2;
	seen.drop_in_down = _i & 4;
	seen.refuse = _i & 8;
	open_link();
	fd = vhostclient_connect(path);
	next = vhostclient_connect(path);
	for (int i = 0; i < 2; i++)
		ck_assert_errno(vhostclient_request(fd, SET_KICK, 1, &queue, 8, &bell, 1),
				0);
	request(next, FEATURES, 0, 8);
	serve();
	if (seen.drop_in_up) {
		ck_assert_uint_eq(seen.messages, 0);
		ck_assert_str_eq(seen.why, "dropped in up");
	} else if (seen.drop_in_message) {
		ck_assert_uint_eq(seen.messages, 2);
		ck_assert_str_eq(seen.why, "dropped in message");
	} else if (seen.refuse) {
		ck_assert_uint_eq(seen.messages, 2);
		ck_assert_str_eq(seen.why, "SET_FEATURES: refused");
	} else {
		ck_assert_uint_eq(seen.messages, 2);
		ck_assert_uint_eq(seen.downs, 0);
		ck_assert_uint_eq(seen.last.request, SET_KICK);
	}
	if (seen.downs) {
		ck_assert_uint_eq(seen.downs, 2);
		ck_assert(!is_open(fd));
		ck_assert(!is_open(next));
	}
	vtc__vhost_link_close(peer_link);
	peer_link = NULL;
	(void)close(fd);
	(void)close(next);
	(void)close(bell);
}
END_TEST

START_TEST(a_drop_from_outside)
{
	int fd;

	open_link();
	vtc__vhost_link_drop(peer_link, "nobody is there");
	ck_assert_uint_eq(seen.downs, 0);
	fd = connect_client();
	vtc__vhost_link_drop(peer_link, "had enough");
	ck_assert_uint_eq(seen.downs, 1);
	ck_assert_str_eq(seen.why, "had enough");
	ck_assert(!is_open(fd));
	hang_up(fd);
	fd = connect_client();
	ck_assert_uint_eq(seen.ups, 2);
	hang_up(fd);
}
END_TEST

/* ---- Sending ---- */

START_TEST(descriptors_are_sent)
{
	struct vtc__vhost_message m = { .request = VTC__VHOST_GET_INFLIGHT_FD,
					.flags = 5,
					.size = 24,
					.fd_count = 1 };
	struct vhostclient_reply r;
	int fd, bell = eventfd(0, EFD_CLOEXEC);
	uint64_t one = 1;

	open_link();
	fd = connect_client();
	m.fds[0] = bell;
	m.payload.inflight.size = 4096;
	ck_assert_errno(vtc__vhost_link_send(peer_link, &m), 0);
	ck_assert_errno(vhostclient_receive(fd, &r), 1);
	ck_assert_uint_eq(r.size, 24);
	ck_assert_uint_eq(r.fd_count, 1);
	ck_assert_int_eq(write(r.fds[0], &one, 8), 8);
	ck_assert_int_eq(read(bell, &one, 8), 8);
	(void)close(r.fds[0]);
	(void)close(bell);
	hang_up(fd);
}
END_TEST

START_TEST(who_does_not_read_is_left)
{
	struct vtc__vhost_message m = { .request = 1, .flags = 5, .size = 8 };
	int fd, err = 0;

	open_link();
	fd = connect_client();
	for (int i = 0; !err && i < 100000; i++)
		err = vtc__vhost_link_send(peer_link, &m);
	ck_assert_errno(err, -EAGAIN);
	ck_assert_uint_eq(seen.downs, 0);
	ck_assert_errno(vtc__vhost_link_send(peer_link, &m), -ENOTCONN);
	request(fd, SET_OWNER, 0, 0);
	serve();
	ck_assert_uint_eq(seen.messages, 0);
	ck_assert_uint_eq(seen.downs, 1);
	ck_assert_str_eq(seen.why, "the peer does not read");
	ck_assert_errno(vtc__vhost_link_send(peer_link, &m), -ENOTCONN);
	(void)close(fd);
}
END_TEST

/* A peer that asks and never reads the answers: the replies come from message(). */
START_TEST(questions_without_end)
{
	unsigned int ups = 1;
	int fd;

	open_link();
	fd = connect_client();
	for (int i = 0; seen.downs < ups && i < 100000; i++) {
		struct vtc__vhost_message m = { .request = 1, .flags = 5, .size = 8 };

		(void)vhostclient_request(fd, 1, 1, NULL, 0, NULL, 0);
		serve();
		if (vtc__vhost_link_is_up(peer_link))
			(void)vtc__vhost_link_send(peer_link, &m);
	}
	ck_assert_uint_eq(seen.downs, 1);
	(void)close(fd);
}
END_TEST

START_TEST(sending_to_the_dead_is_an_error)
{
	struct vtc__vhost_message m = { .request = 1, .flags = 5, .size = 8 };
	int fd;

	open_link();
	fd = connect_client();
	(void)close(fd);
	ck_assert_errno(vtc__vhost_link_send(peer_link, &m), -EPIPE);
	serve();
	ck_assert_uint_eq(seen.downs, 1);
}
END_TEST

/* ---- Connecting ---- */

static void open_connecting(void)
{
	opts.connect = true;
	opts.reader = VTC__VHOST_FRONTEND;
	open_link();
}

START_TEST(the_other_side_comes_later)
{
	int listener, fd;

	open_connecting();
	serve();
	ck_assert_uint_eq(seen.ups, 0);
	listener = vhostclient_listen(path);
	serve_until(&seen.ups, 1);
	fd = vhostclient_accept(listener);
	ck_assert_int_ge(fd, 0);
	/* It goes, and comes again. */
	(void)close(fd);
	(void)close(listener);
	serve();
	ck_assert_uint_eq(seen.downs, 1);
	unlink(path);
	listener = vhostclient_listen(path);
	serve_until(&seen.ups, 2);
	ck_assert_int_ge(fd = vhostclient_accept(listener), 0);
	(void)close(fd);
	(void)close(listener);
}
END_TEST

START_TEST(the_other_side_is_there)
{
	uint64_t value = 5;
	int listener = vhostclient_listen(path), fd;

	open_connecting();
	/* Told by the loop alone, so that the port is complete by then. */
	ck_assert_uint_eq(seen.ups, 0);
	serve();
	ck_assert_uint_eq(seen.ups, 1);
	fd = vhostclient_accept(listener);
	ck_assert_errno(vhostclient_request(fd, 1, 5, &value, 8, NULL, 0), 0);
	serve();
	ck_assert_uint_eq(seen.messages, 1);
	ck_assert_uint_eq(seen.last.payload.u64, 5);
	ck_assert_int_eq(vhostclient_accept(listener), -1);
	vtc__vhost_link_close(peer_link);
	peer_link = NULL;
	ck_assert(has_socket());
	(void)close(fd);
	(void)close(listener);
}
END_TEST

START_TEST(a_socket_without_listener_is_tried_again)
{
	int listener = vhostclient_listen(path), fd;

	(void)close(listener);
	open_connecting();
	serve();
	ck_assert_uint_eq(seen.ups, 0);
	unlink(path);
	listener = vhostclient_listen(path);
	serve_until(&seen.ups, 1);
	ck_assert_int_ge(fd = vhostclient_accept(listener), 0);
	(void)close(fd);
	(void)close(listener);
}
END_TEST

/* ---- Paths ---- */

static void refuses(int want)
{
	struct vtc__vhost_link *none = (struct vtc__vhost_link *)&seen;
	const struct vtc_error *e;
	int before = vtct_count_fds();

	ck_assert_errno(vtc__vhost_link_open(ctx, &opts, &ops, &seen, &none), want);
	ck_assert_ptr_eq(none, &seen);
	ck_assert_int_eq(vtct_count_fds(), before);
	e = vtc_ctx_last_error(ctx);
	ck_assert_int_eq(vtc_error_get_code(e), want);
	ck_assert_str_eq(vtc_error_get_operation(e), "vhost-user open");
	ck_assert_ptr_nonnull(vtc_error_get_hint(e));
	ck_assert_str_ne(vtc_error_get_hint(e), "");
}

START_TEST(a_stale_socket_is_replaced)
{
	int fd = vhostclient_listen(path);

	(void)close(fd);
	ck_assert(has_socket());
	open_link();
	fd = connect_client();
	ck_assert_uint_eq(seen.ups, 1);
	hang_up(fd);
	vtc__vhost_link_close(peer_link);
	peer_link = NULL;
	ck_assert(!has_socket());
}
END_TEST

START_TEST(a_live_socket_is_not)
{
	int listener = vhostclient_listen(path);

	refuses(-EADDRINUSE);
	/* Its backlog is full now, which is a sign of life, too. */
	ck_assert_int_eq(listen(listener, 0), 0);
	refuses(-EADDRINUSE);
	ck_assert(has_socket());
	(void)close(listener);
}
END_TEST

START_TEST(another_kind_of_file_is_not)
{
	char name[230];
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	struct stat st;

	ck_assert_int_eq(write(fd, "x", 1), 1);
	(void)close(fd);
	refuses(-EADDRINUSE);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_size, 1);
	unlink(path);

	ck_assert_int_eq(mkdir(path, 0700), 0);
	refuses(-EADDRINUSE);
	ck_assert_int_eq(rmdir(path), 0);

	snprintf(name, sizeof(name), "%s-target", path);
	ck_assert_int_eq(symlink(name, path), 0);
	refuses(-EADDRINUSE);
	(void)close(vhostclient_listen(name));
	refuses(-EADDRINUSE);
	unlink(name);
}
END_TEST

START_TEST(a_datagram_socket_is_not)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strcpy(a.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	refuses(-EADDRINUSE);
	opts.connect = true;
	refuses(-EPROTOTYPE);
	(void)close(fd);
}
END_TEST

START_TEST(what_replaced_our_socket_stays)
{
	int other;

	open_link();
	unlink(path);
	other = vhostclient_listen(path);
	vtc__vhost_link_close(peer_link);
	peer_link = NULL;
	ck_assert(has_socket());
	(void)close(other);
}
END_TEST

START_TEST(paths_have_an_end)
{
	char name[300];
	size_t len = strlen(vtct_dir());

	memset(name, 'x', sizeof(name));
	memcpy(name, vtct_dir(), len);
	name[len] = '/';
	opts.path = name;
	name[108] = '\0';
	refuses(-ENAMETOOLONG);
	opts.connect = true;
	refuses(-ENAMETOOLONG);
	opts.connect = false;
	name[107] = '\0';
	open_link();
	vtc__vhost_link_close(peer_link);
	peer_link = NULL;
	ck_assert_int_ne(access(name, F_OK), 0);
	snprintf(name, sizeof(name), "%s/none/link", vtct_dir());
	refuses(-ENOENT);
}
END_TEST

/* ---- Descriptors that are passed in ---- */

START_TEST(a_connection_is_passed_in)
{
	int pair[2];

	vhostclient_pair(pair);
	opts.path = NULL;
	opts.fd = pair[0];
	open_link();
	(void)close(pair[0]);
	serve();
	ck_assert_uint_eq(seen.ups, 1);
	request(pair[1], SET_OWNER, 0, 0);
	serve();
	ck_assert_uint_eq(seen.messages, 1);
	hang_up(pair[1]);
	ck_assert_uint_eq(seen.downs, 1);
	vtc__vhost_link_detach(peer_link);
	ck_assert_errno(vtc__vhost_link_attach(peer_link, loop), 0);
	serve();
	ck_assert_uint_eq(seen.ups, 1);
}
END_TEST

/* The one who passes it in may have wanted it to block. */
START_TEST(a_blocking_connection_does_not_block)
{
	struct vtc__vhost_message m = { .request = 1, .flags = 5, .size = 8 };
	int pair[2], err = 0;

	vhostclient_pair(pair);
	ck_assert_int_eq(fcntl(pair[0], F_SETFL, 0), 0);
	opts.path = NULL;
	opts.fd = pair[0];
	open_link();
	serve();
	for (int i = 0; !err && i < 100000; i++)
		err = vtc__vhost_link_send(peer_link, &m);
	ck_assert_errno(err, -EAGAIN);
	ck_assert_int_eq(fcntl(pair[0], F_GETFL) & O_NONBLOCK, 0);
	(void)close(pair[0]);
	(void)close(pair[1]);
	serve();
	ck_assert_uint_eq(seen.downs, 1);
}
END_TEST

START_TEST(a_listener_is_passed_in)
{
	int listener = vhostclient_listen(path), fd;

	ck_assert_int_eq(fcntl(listener, F_SETFL, 0), 0);
	opts.path = NULL;
	opts.fd = listener;
	opts.listening = true;
	open_link();
	(void)close(listener);
	for (unsigned int i = 1; i <= 2; i++) {
		fd = connect_client();
		ck_assert_uint_eq(seen.ups, i);
		hang_up(fd);
		ck_assert_uint_eq(seen.downs, i);
	}
	vtc__vhost_link_close(peer_link);
	peer_link = NULL;
	ck_assert(has_socket());
}
END_TEST

static void refuses_fd(int fd, int want)
{
	opts.path = NULL;
	opts.fd = fd;
	opts.listening = false;
	refuses(want);
	opts.listening = true;
	refuses(want);
	(void)close(fd);
}

START_TEST(other_descriptors_are_refused)
{
	int pair[2], listener;

	ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
	refuses_fd(pair[0], -ENOTSOCK);
	refuses_fd(pair[1], -ENOTSOCK);
	refuses_fd(eventfd(0, EFD_CLOEXEC), -ENOTSOCK);
	refuses_fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), -ENOTSOCK);
	for (int type = SOCK_DGRAM; type <= SOCK_SEQPACKET; type += 3) {
		ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair), 0);
		refuses_fd(pair[0], -ENOTSOCK);
		refuses_fd(pair[1], -ENOTSOCK);
	}
	opts.path = NULL;
	opts.listening = false;
	opts.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	refuses(-ENOTCONN);
	opts.listening = true;
	refuses(-EINVAL);
	(void)close(opts.fd);
	listener = vhostclient_listen(path);
	opts.fd = listener;
	opts.listening = false;
	refuses(-EINVAL);
	(void)close(listener);
	vhostclient_pair(pair);
	opts.fd = pair[0];
	opts.listening = true;
	refuses(-EINVAL);
	(void)close(pair[0]);
	(void)close(pair[1]);
	opts.listening = false;
	refuses(-EBADF);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_peer_comes_talks_and_goes,
		the_last_words_are_heard,
		a_half_closed_peer_is_gone,
		the_second_peer_waits,
		what_was_negotiated_ends_with_the_peer,
		a_connection_survives_a_pause,
		closing_tells_nobody,
		bytes_come_one_by_one,
		many_messages_come_at_once,
		a_peer_may_stop_at_any_byte,
		what_is_no_message_ends_the_connection,
		descriptors_are_closed_unless_taken,
		surplus_descriptors_end_the_connection,
		surplus_descriptors_come_in_parts,
		descriptors_run_out,
		a_peer_that_cannot_be_accepted_waits,
		a_refused_message_ends_the_connection,
		a_drop_from_outside,
		descriptors_are_sent,
		who_does_not_read_is_left,
		questions_without_end,
		sending_to_the_dead_is_an_error,
		the_other_side_comes_later,
		the_other_side_is_there,
		a_socket_without_listener_is_tried_again,
		a_stale_socket_is_replaced,
		a_live_socket_is_not,
		another_kind_of_file_is_not,
		a_datagram_socket_is_not,
		what_replaced_our_socket_stays,
		paths_have_an_end,
		a_connection_is_passed_in,
		a_blocking_connection_does_not_block,
		a_listener_is_passed_in,
		other_descriptors_are_refused,
	};
	Suite *s = suite_create("vhost-user links");
	TCase *tc = tcase_create("links");

	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	tcase_add_loop_test(tc, any_callback_may_drop, 0, 16);
	suite_add_tcase(s, tc);
	return vtct_main(s, NULL);
}
