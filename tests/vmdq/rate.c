/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rates kept by HTB on the real kernel: what tc(8) shows of them, whose the root is, what
 * is left after failures and deaths; and that the shares are those of the weights, by the
 * bytes that come out while all have something to send.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vtc/vtc.h>

#include "core/ctx.h"
#include "net.h"
#include "ratepool.h"
#include "vtct.h"

#define MBIT 1000000ull

static struct vtc_ctx *ctx;
static char *before;
static char state[128];

/* ---- The card, and what tc shows of it ---- */

#define TC "tc qdisc show dev %1$s; tc class show dev %1$s; tc filter show dev %1$s"

static char *tc(const char *nic)
{
	return ratepool_output("{ " TC "; } | sort", nic);
}

static bool tc_has(const char *nic, const char *what)
{
	return net_try("{ " TC "; } | grep -q '%2$s'", nic, what) == 0;
}

#define ck_tc(nic, what)                                                              \
	do {                                                                          \
		char *shown = tc(nic);                                                \
		ck_assert_msg(tc_has(nic, what), "no \"%s\" in:\n%s", (what), shown); \
		free(shown);                                                          \
	} while (0)

static void new_ctx(const struct vtc__sys *sys)
{
	struct vtc_ctx_opts opts = VTC_CTX_OPTS_INIT;

	opts.state_dir = state;
	ck_assert_errno(vtc__ctx_new(&opts, sys, NULL, &ctx), 0);
}

static void setup(void)
{
	net_enter();
	snprintf(state, sizeof(state), "%s/state", vtct_dir());
	net_run("mkdir -p %s && ip link add up0 type veth peer name up1 && "
		"ip link set up0 up && ip link set up1 up",
		state);
	new_ctx(&vtc__sys_kernel);
	before = tc("up0");
}

static void check_as_before(void)
{
	char *now = tc("up0");

	ck_assert_str_eq(before, now);
	free(now);
}

static void teardown(void)
{
	vtc_ctx_unref(ctx);
	free(before);
}

static struct vtc_pool *make(const char *nic, const char *name, uint32_t slot)
{
	struct vtc__pool_data data = { .backend = VTC_POOL_BACKEND_XDP, .slot = slot };
	struct vtc_pool *pool = ratepool_make(ctx, nic, name, &data);

	ratepool_add_mac(pool, (uint8_t)(slot + 1));
	return pool;
}

/* ---- Setting ---- */

START_TEST(classes_come_and_go)
{
	struct vtc_pool *a = make("up0", "a", 0), *b = make("up0", "b", 1);

	ck_rate(a, 3, 8 * MBIT, 40 * MBIT, VTC_RATE_APPROXIMATE, VTC_RATE_APPROXIMATE,
		VTC_RATE_APPROXIMATE, "htb");
	ck_tc("up0", "qdisc htb 7674: root");
	ck_tc("up0", "class htb 7674:10 parent 7674:1 .* rate 8Mbit ceil 40Mbit");
	ck_rate(b, 1, 0, 0, VTC_RATE_APPROXIMATE, VTC_RATE_NOT_ASKED, VTC_RATE_NOT_ASKED,
		"htb");
	ck_tc("up0", "class htb 7674:11 parent 7674:1 .* ceil 10Gbit");
	ck_tc("up0", "filter parent 7674: protocol all pref 1 bpf");

	ck_assert_errno(vtc_pool_set_rate(a, NULL, NULL), 0);
	ck_assert(!tc_has("up0", "7674:10 "));
	ck_tc("up0", "7674:11 ");
	ck_assert_errno(vtc_pool_release(b), 0);
	check_as_before();
	ck_assert_errno(vtc_pool_release(a), 0);
	check_as_before();
}
END_TEST

START_TEST(a_rate_is_told_again)
{
	struct vtc_rate_answer answer = { .sz = sizeof(answer) };
	struct vtc_pool *a = make("up0", "a", 0), *again = NULL;
	struct vtc_rate rate = VTC_RATE_INIT;

	ck_assert_errno(vtc_pool_get_rate(a, &rate, &answer), 0);
	ck_rate(a, 0, 5 * MBIT, 6 * MBIT, VTC_RATE_NOT_ASKED, VTC_RATE_APPROXIMATE,
		VTC_RATE_APPROXIMATE, "htb");
	ck_assert_errno(vtc_pool_open(ctx, "up0", "a", &again), 0);
	ck_assert_errno(vtc_pool_get_rate(again, &rate, &answer), 1);
	ck_assert_uint_eq(rate.weight, 0);
	ck_assert_uint_eq(rate.min_bps, 5 * MBIT);
	ck_assert_uint_eq(rate.max_bps, 6 * MBIT);
	ck_assert_uint_eq(answer.weight, VTC_RATE_NOT_ASKED);
	ck_assert_uint_eq(answer.max, VTC_RATE_APPROXIMATE);
	ck_assert_str_eq(answer.mechanism, "htb");
	vtc_pool_close(again);

	ck_rate(a, 0, 0, 7 * MBIT, VTC_RATE_NOT_ASKED, VTC_RATE_NOT_ASKED,
		VTC_RATE_APPROXIMATE, "htb");
	ck_assert_errno(vtc_pool_get_rate(a, &rate, NULL), 1);
	ck_assert_uint_eq(rate.min_bps, 0);
	ck_assert_uint_eq(rate.max_bps, 7 * MBIT);
	ck_rate(a, 0, 0, 0, VTC_RATE_NOT_ASKED, VTC_RATE_NOT_ASKED, VTC_RATE_NOT_ASKED,
		"none");
	ck_assert_errno(vtc_pool_get_rate(a, &rate, NULL), 0);
	check_as_before();
	ck_assert_errno(vtc_pool_release(a), 0);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused)
{
	struct vtc_rate_answer answer = { .sz = sizeof(answer) };
	struct vtc_pool *a = make("up0", "a", 0);
	struct vtc_rate rate = VTC_RATE_INIT;

	ck_assert_errno(vtc_pool_set_rate(NULL, &rate, NULL), -EINVAL);
	ck_assert_errno(ratepool_set(a, 1001, 0, 0, &answer), -EINVAL);
	ck_assert_errno(ratepool_set(a, 1, 2 * MBIT, MBIT, &answer), -EINVAL);
	answer.sz = 4;
	ck_assert_errno(ratepool_set(a, 1, 0, 0, &answer), -EINVAL);
	rate.sz = 8;
	ck_assert_errno(vtc_pool_set_rate(a, &rate, NULL), -EINVAL);
	ck_assert_errno(vtc_pool_get_rate(a, &rate, NULL), -EINVAL);
	ck_assert_errno(vtc_pool_get_rate(a, NULL, NULL), -EINVAL);
	check_as_before();
	ck_assert_errno(vtc_pool_release(a), 0);
}
END_TEST

/* ---- Whose root ---- */

START_TEST(somebody_elses_root_is_left_alone)
{
	struct vtc_pool *a = make("up0", "a", 0);
	char *theirs;

	net_run("tc qdisc add dev up0 root handle 5: pfifo limit 77");
	theirs = tc("up0");
	ck_assert_errno(ratepool_set(a, 1, 0, MBIT, NULL), -EOPNOTSUPP);
	ck_assert_msg(strstr(ratepool_error(ctx), "(pfifo 5:)"), "%s",
		      ratepool_error(ctx));
	free(before);
	before = theirs;
	check_as_before();
	ck_assert_errno(vtc_pool_release(a), 0);
	check_as_before();
}
END_TEST

START_TEST(a_root_that_took_our_place_stays)
{
	struct vtc_pool *a = make("up0", "a", 0);

	ck_rate(a, 0, 0, MBIT, VTC_RATE_NOT_ASKED, VTC_RATE_NOT_ASKED,
		VTC_RATE_APPROXIMATE, "htb");
	net_run("tc qdisc replace dev up0 root handle 5: pfifo limit 77");
	free(before);
	before = tc("up0");
	ck_assert_errno(vtc_pool_release(a), 0);
	check_as_before();
}
END_TEST

START_TEST(what_is_lost_comes_back)
{
	struct vtc_pool_audit audit = { .sz = sizeof(audit) };
	struct vtc_pool *a = make("up0", "a", 0);
	char *whole;

	ck_rate(a, 2, MBIT, 2 * MBIT, VTC_RATE_APPROXIMATE, VTC_RATE_APPROXIMATE,
		VTC_RATE_APPROXIMATE, "htb");
	whole = tc("up0");
	net_run("tc qdisc del dev up0 root");
	ck_assert_errno(vtc_pool_audit(a, &audit), 0);
	ck_assert_uint_eq(audit.repaired, 1);
	ck_assert_ptr_nonnull(strstr(audit.text, "HTB"));
	free(before);
	before = whole;
	check_as_before();

	net_run("tc filter del dev up0 parent 7674:");
	ck_assert_errno(vtc_pool_audit(a, &audit), 0);
	ck_assert_uint_eq(audit.repaired, 1);
	net_run("tc class change dev up0 parent 7674:1 classid 7674:10 htb rate 3mbit");
	ck_assert_errno(vtc_pool_audit(a, &audit), 0);
	ck_assert_uint_eq(audit.repaired, 1);
	ck_assert_errno(vtc_pool_audit(a, &audit), 0);
	ck_assert_uint_eq(audit.repaired, 0);
	check_as_before();
	ck_assert_errno(vtc_pool_release(a), 0);
}
END_TEST

/* A bridge has no speed of its own while nothing is in it. */
START_TEST(a_share_of_an_unknown_speed_is_refused_and_the_old_rate_stays)
{
	struct vtc_rate rate = VTC_RATE_INIT;
	struct vtc_pool *a;

	net_run("ip link add br0 type bridge && ip link set br0 up");
	a = make("br0", "a", 0);
	ck_rate(a, 9, 0, 3 * MBIT, VTC_RATE_UNSUPPORTED, VTC_RATE_NOT_ASKED,
		VTC_RATE_APPROXIMATE, "htb");
	ck_assert_errno(ratepool_set(a, 9, 0, 0, NULL), -EOPNOTSUPP);
	ck_assert_msg(strstr(ratepool_error(ctx), "speed"), "%s", ratepool_error(ctx));
	ck_assert_errno(vtc_pool_get_rate(a, &rate, NULL), 1);
	ck_assert_uint_eq(rate.max_bps, 3 * MBIT);
	ck_tc("br0", "7674:10 .* ceil 3Mbit");
	ck_assert_errno(vtc_pool_release(a), 0);
	ck_assert(!tc_has("br0", "7674:"));
}
END_TEST

/* ---- Ports ---- */

START_TEST(what_goes_past_qdiscs_is_the_relays)
{
	struct vtc__pool_data data = { .backend = VTC_POOL_BACKEND_TC };
	struct vtc_pool *a = ratepool_make(ctx, "up0", "a", &data);
	struct ratepool_port port;

	ratepool_open_port(a, &port);
	ck_rate(a, 5, MBIT, 3 * MBIT, VTC_RATE_APPROXIMATE, VTC_RATE_UNSUPPORTED,
		VTC_RATE_APPROXIMATE, "relay");
	ck_assert_uint_eq(port.weight, 5);
	ck_assert_uint_eq(port.max_bps, 3 * MBIT);
	check_as_before();
	ck_assert_errno(ratepool_set(a, 0, MBIT, 0, NULL), -EOPNOTSUPP);
	ck_assert_uint_eq(port.weight, 5);
	ck_assert_errno(vtc_pool_set_rate(a, NULL, NULL), 0);
	ck_assert_uint_eq(port.weight, 0);
	ck_assert_uint_eq(port.max_bps, 0);
	vtc__pool_drop_port(a, &port.port);
	ck_assert_errno(vtc_pool_release(a), 0);
}
END_TEST

static void ck_told(struct vtc_pool *pool, uint32_t min, const char *mechanism)
{
	struct vtc_rate_answer got = { .sz = sizeof(got) };
	struct vtc_rate rate = VTC_RATE_INIT;

	ck_assert_errno(vtc_pool_get_rate(pool, &rate, &got), 1);
	ck_assert_uint_eq(rate.max_bps, 3 * MBIT);
	ck_assert_uint_eq(got.max, VTC_RATE_APPROXIMATE);
	ck_assert_uint_eq(got.min, min);
	ck_assert_str_eq(got.mechanism, mechanism);
}

/* Its frames do not come by the classes, and those of the stack not by the port. */
START_TEST(a_rate_goes_where_the_frames_go)
{
	struct vtc__pool_data data = { .backend = VTC_POOL_BACKEND_TC };
	struct vtc_pool *a = ratepool_make(ctx, "up0", "a", &data);
	struct ratepool_port port;

	ck_rate(a, 5, MBIT, 3 * MBIT, VTC_RATE_APPROXIMATE, VTC_RATE_APPROXIMATE,
		VTC_RATE_APPROXIMATE, "htb");
	ratepool_open_port(a, &port);
	ck_assert_uint_eq(port.weight, 5);
	ck_assert_uint_eq(port.max_bps, 3 * MBIT);
	check_as_before();
	ck_told(a, VTC_RATE_UNSUPPORTED, "relay");
	vtc__pool_drop_port(a, &port.port);
	ck_tc("up0", "7674:10 .* ceil 3Mbit");
	ck_told(a, VTC_RATE_APPROXIMATE, "htb");
	ck_assert_errno(vtc_pool_release(a), 0);
	check_as_before();
}
END_TEST

/* Then the port has none, and the pool has its own; nobody is told otherwise. */
START_TEST(a_port_that_takes_no_rate_is_not_opened)
{
	struct vtc__pool_data data = { .backend = VTC_POOL_BACKEND_TC };
	struct vtc_pool *a = ratepool_make(ctx, "up0", "a", &data);
	struct ratepool_port port = { .error = -EIO };

	ck_rate(a, 0, MBIT, 3 * MBIT, VTC_RATE_NOT_ASKED, VTC_RATE_APPROXIMATE,
		VTC_RATE_APPROXIMATE, "htb");
	ratepool_prepare_port(&port);
	ck_assert_errno(vtc__pool_set_port(a, &port.port), -EIO);
	ck_tc("up0", "7674:10 .* ceil 3Mbit");
	ck_told(a, VTC_RATE_APPROXIMATE, "htb");
	ck_assert_errno(vtc_pool_release(a), 0);
	check_as_before();
}
END_TEST

/* ---- Failures and deaths ---- */

static unsigned int sends, fail_at;

static ssize_t failing_send(void *priv, int fd, const void *data, size_t len)
{
	if (++sends == fail_at)
		return -ENOBUFS;
	return vtc__sys_kernel.nl_send(priv, fd, data, len);
}

/* Every message of a change fails in its turn: each time all is as it was. */
START_TEST(any_failure_leaves_the_rate_of_before)
{
	static struct vtc__sys sys;
	struct vtc_pool *a, *b;
	struct vtc_rate rate = VTC_RATE_INIT;
	unsigned int failures = 0;
	int err = -1;

	sys = vtc__sys_kernel;
	sys.nl_send = failing_send;
	vtc_ctx_unref(ctx);
	new_ctx(&sys);
	a = make("up0", "a", 0);
	b = make("up0", "b", 1);
	ck_assert_errno(ratepool_set(a, 2, MBIT, 2 * MBIT, NULL), 0);
	ck_assert_errno(ratepool_set(b, 1, 0, 5 * MBIT, NULL), 0);
	free(before);
	before = tc("up0");
	for (unsigned int k = 1; err && k < 200; k++) {
		sends = 0;
		fail_at = k;
		err = ratepool_set(a, 7, 0, 9 * MBIT, NULL);
		fail_at = 0;
		if (!err)
			break;
		failures++;
		ck_assert_msg(err == -ENOBUFS, "%u: %d: %s", k, err, ratepool_error(ctx));
		check_as_before();
		ck_assert_errno(vtc_pool_get_rate(a, &rate, NULL), 1);
		ck_assert_uint_eq(rate.max_bps, 2 * MBIT);
	}
	ck_assert_errno(err, 0);
	ck_assert_uint_gt(failures, 10);
	ck_tc("up0", "7674:10 .* ceil 9Mbit");
	ck_assert_errno(vtc_pool_release(a), 0);
	ck_assert_errno(vtc_pool_release(b), 0);
	ck_assert(!tc_has("up0", "7674:"));
}
END_TEST

START_TEST(who_dies_leaves_nothing)
{
	struct vtc_pool_recovery recovery = { .sz = sizeof(recovery) };
	struct vtc_pool *b = make("up0", "b", 1);
	pid_t child;
	int status;

	ck_assert_errno(ratepool_set(b, 1, 0, 5 * MBIT, NULL), 0);
	free(before);
	before = tc("up0");
	child = fork();
	if (child == 0) {
		struct vtc_pool *a = make("up0", "a", 0);

		_exit(ratepool_set(a, 4, MBIT, 0, NULL) != 0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_tc("up0", "7674:10 ");
	ck_assert_errno(vtc_pool_recover(ctx, "up0", &recovery), 0);
	ck_assert_uint_eq(recovery.failed, 0);
	check_as_before();
	ck_assert_errno(vtc_pool_release(b), 0);
	ck_assert(!tc_has("up0", "7674:"));
}
END_TEST

static unsigned int calls, kill_at;

static void count_call(void)
{
	if (++calls == kill_at)
		raise(SIGKILL);
}

static ssize_t killing_send(void *priv, int fd, const void *data, size_t len)
{
	count_call();
	return vtc__sys_kernel.nl_send(priv, fd, data, len);
}

static int killing_replace(void *priv, const char *dir, const char *name,
			   const void *data, size_t len)
{
	count_call();
	return vtc__sys_kernel.replace(priv, dir, name, data, len);
}

/* True: it was done with it before. */
static bool set_until_killed(unsigned int k)
{
	static struct vtc__sys sys;
	struct vtc_pool *a;
	int status;
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		sys = vtc__sys_kernel;
		sys.nl_send = killing_send;
		sys.replace = killing_replace;
		new_ctx(&sys);
		if (vtc_pool_open(ctx, "up0", "a", &a))
			_exit(1);
		calls = 0;
		kill_at = k;
		_exit(ratepool_set(a, 0, 0, 9 * MBIT, NULL) != 0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
	return WIFEXITED(status);
}

/* The old one or the new one, and what the pool tells is what is kept. */
START_TEST(a_kept_pool_has_a_rate_whoever_dies)
{
	struct vtc__pool_data data = { .backend = VTC_POOL_BACKEND_TC,
				       .flags = VTC_POOL_F_KEEP };
	struct vtc_pool *a = ratepool_make(ctx, "up0", "a", &data);
	struct vtc_rate rate = VTC_RATE_INIT;
	unsigned int k;

	for (k = 1; k < 200; k++) {
		bool done;

		ck_assert_errno(ratepool_set(a, 0, 0, 2 * MBIT, NULL), 0);
		done = set_until_killed(k);
		ck_assert_errno(vtc_pool_recover(ctx, "up0", NULL), 0);
		ck_assert_errno(vtc_pool_audit(a, NULL), 0);
		ck_assert_errno(vtc_pool_get_rate(a, &rate, NULL), 1);
		if (rate.max_bps == 9 * MBIT)
			ck_tc("up0", "7674:10 .* ceil 9Mbit");
		else
			ck_tc("up0", "7674:10 .* ceil 2Mbit");
		if (done)
			break;
	}
	ck_assert_uint_gt(k, 10);
	ck_assert_uint_lt(k, 200);
	ck_assert_uint_eq(rate.max_bps, 9 * MBIT);
	ck_assert_errno(vtc_pool_release(a), 0);
	check_as_before();
}
END_TEST

/* ---- Shares ---- */

#define FRAME	 1000
#define LINK	 "40" /* Mbit/s: slow enough that all queues stay full on any machine */
#define QUEUE	 "4000"
#define BACKLOG	 (4 << 20) /* of a sender, in the kernel's count */
#define WARM_UP	 2000000u
#define MEASURED 8000000u
#define SENDERS	 5

struct sender {
	int fd;
	uint8_t last; /* byte of its address */
	unsigned int burst;
	uint64_t bytes; /* that came out */
};

static int tap;

static int open_sender(int room)
{
	int fd = net_open_packet("tap0");

	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)),
			 0);
	return fd;
}

/* As much as the kernel takes, or a burst if it takes anything. */
static void fill(const struct sender *s)
{
	uint8_t frame[FRAME] = {
		2, 0, 0, 0, 0, 0xff, 2, 0, 0, 0, 0, s->last, 0x88, 0xb5
	};

	for (unsigned int i = 0; i < s->burst; i++)
		if (send(s->fd, frame, sizeof(frame), MSG_DONTWAIT) < 0 &&
		    errno == EAGAIN)
			return;
}

static uint64_t drain(struct sender *senders, unsigned int count)
{
	uint8_t frame[2048];
	uint64_t bytes = 0;
	ssize_t n;

	for (unsigned int turn = 0; turn < 1000; turn++) {
		n = read(tap, frame, sizeof(frame));
		if (n < 0)
			break;
		for (unsigned int i = 0; i < count; i++)
			if (n == FRAME && frame[11] == senders[i].last) {
				senders[i].bytes += FRAME;
				bytes += FRAME;
			}
	}
	return bytes;
}

/* Keep all queues full until so many bytes have come out; count them by sender. */
static void run(struct sender *senders, unsigned int count, uint64_t bytes)
{
	struct pollfd p = { .fd = tap, .events = POLLIN };
	uint64_t got = 0;

	for (unsigned int i = 0; i < count; i++)
		senders[i].bytes = 0;
	while (got < bytes) {
		for (unsigned int i = 0; i < count; i++)
			fill(&senders[i]);
		ck_assert_int_eq(poll(&p, 1, 10000), 1);
		got += drain(senders, count);
	}
}

static void check_shares(const struct sender *senders, const uint32_t *weights,
			 unsigned int count)
{
	uint64_t bytes = 0, weight = 0;

	for (unsigned int i = 0; i < count; i++) {
		bytes += senders[i].bytes;
		weight += weights[i];
	}
	for (unsigned int i = 0; i < count; i++) {
		double share = (double)senders[i].bytes / (double)bytes;
		double want = (double)weights[i] / (double)weight;

		printf("# sender %u: %.4f of %.4f\n", i, share, want);
		ck_assert_msg(share > want * 0.9 && share < want * 1.1,
			      "sender %u of weight %u: a share of %.4f, not %.4f", i,
			      weights[i], share, want);
	}
}

static void open_tap(void)
{
	tap = net_open_tap("tap0");
	ck_assert_int_ge(fcntl(tap, F_SETFL, O_NONBLOCK), 0);
	net_run("ip link set tap0 txqueuelen " QUEUE " && ip link set tap0 up && "
		"ethtool -s tap0 speed " LINK " duplex full");
}

/* Weights 1:2:4, and one of weight 1 that sends far more than any queue takes. */
static void check_fair(bool blocked)
{
	static const uint32_t weights[SENDERS] = { 1, 2, 4, 1, 4 };
	struct sender senders[SENDERS];
	struct vtc_pool *pools[SENDERS];
	unsigned int count = blocked ? 5 : 4;
	char name[] = "a";

	open_tap();
	for (unsigned int i = 0; i < count; i++) {
		name[0] = (char)('a' + i);
		pools[i] = make("tap0", name, i);
		/* The last one can send next to nothing. */
		ck_assert_errno(
			ratepool_set(pools[i], weights[i], 0, i == 4 ? 8000 : 0, NULL),
			0);
		senders[i] = (struct sender){ .fd = open_sender(i == 3 ? 8 * BACKLOG
								       : BACKLOG),
					      .last = (uint8_t)(i + 1),
					      .burst = i == 3 ? 1000 : 4000 };
	}
	run(senders, count, WARM_UP);
	run(senders, count, MEASURED);
	check_shares(senders, weights, 4);
	if (blocked)
		ck_assert_uint_lt(senders[4].bytes, MEASURED / 100);
	for (unsigned int i = 0; i < count; i++) {
		close(senders[i].fd);
		ck_assert_errno(vtc_pool_release(pools[i]), 0);
	}
	ck_assert(!tc_has("tap0", "7674:"));
	close(tap);
}

START_TEST(shares_are_by_weight)
{
	check_fair(false);
}
END_TEST

START_TEST(shares_are_by_weight_beside_a_blocked_pool)
{
	check_fair(true);
}
END_TEST

/* ---- Filters ---- */

static uint64_t sent_by(const char *classid)
{
	char *text =
		ratepool_output("tc -s class show dev tap0 classid %s | "
				"sed -n 's/.*Sent [0-9]* bytes \\([0-9]*\\) pkt.*/\\1/p'",
				classid);
	uint64_t packets = strtoull(text, NULL, 10);

	free(text);
	return packets;
}

static void send_one(int fd, uint8_t last, int vlan)
{
	uint8_t frame[64] = { 2, 0, 0, 0, 0, 0xff, 2, 0, 0, 0, 0, last, 0x88, 0xb5 };

	if (vlan >= 0) {
		const uint8_t tag[4] = { 0x81, 0, (uint8_t)(vlan >> 8), (uint8_t)vlan };

		memcpy(frame + 12, tag, sizeof(tag));
	}
	ck_assert_int_eq(send(fd, frame, sizeof(frame), 0), sizeof(frame));
}

static void add(struct vtc_pool *pool, uint8_t last, int vlan, uint32_t tag)
{
	struct vtc_filter filter = { .match = vlan < 0 ? 0 : VTC_FILTER_VLAN };
	struct vtc__txn txn;

	filter.vlan = (uint16_t)(vlan < 0 ? 0 : vlan);
	if (last) {
		filter.match |= VTC_FILTER_MAC;
		memcpy(filter.mac.addr, (uint8_t[]){ 2, 0, 0, 0, 0, last }, 6);
	}
	ck_assert_errno(vtc__pool_begin(pool, "add", true, &txn), 0);
	ck_assert_errno(vtc__pool_do_match(&txn, pool, &filter, tag), 0);
	ck_assert_errno(vtc__rate_refresh(&txn, pool), 0);
	ck_assert_errno(vtc__pool_finish(pool, &txn, 0), 0);
}

START_TEST(frames_go_to_the_class_of_the_most_specific_filter)
{
	struct vtc_pool *a, *b;
	int fd;

	open_tap();
	a = make("tap0", "a", 0);
	b = make("tap0", "b", 1);
	ck_assert_errno(ratepool_set(a, 1, 0, 0, NULL), 0);
	ck_assert_errno(ratepool_set(b, 1, 0, 0, NULL), 0);
	add(b, 1, 100, 50);
	add(b, 0, 200, 51);
	fd = net_open_packet("tap0");
	send_one(fd, 1, -1);  /* a: its address */
	send_one(fd, 1, 7);   /* a: in any VLAN */
	send_one(fd, 1, 200); /* a: the address counts before the VLAN */
	send_one(fd, 1, 100); /* b: both */
	send_one(fd, 9, 200); /* b: the VLAN */
	send_one(fd, 2, -1);  /* b: its address */
	send_one(fd, 9, -1);  /* nobody's */
	ck_assert_uint_eq(sent_by("7674:10"), 3);
	ck_assert_uint_eq(sent_by("7674:11"), 3);
	ck_assert_uint_ge(sent_by("7674:2"), 1);
	ck_assert_errno(vtc_pool_release(b), 0);
	send_one(fd, 1, 100);
	ck_assert_uint_eq(sent_by("7674:10"), 4);
	close(fd);
	ck_assert_errno(vtc_pool_release(a), 0);
	close(tap);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rate");
	TCase *tcase = tcase_create("rate");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, classes_come_and_go);
	tcase_add_test(tcase, a_rate_is_told_again);
	tcase_add_test(tcase, what_makes_no_sense_is_refused);
	tcase_add_test(tcase, somebody_elses_root_is_left_alone);
	tcase_add_test(tcase, a_root_that_took_our_place_stays);
	tcase_add_test(tcase, what_is_lost_comes_back);
	tcase_add_test(tcase,
		       a_share_of_an_unknown_speed_is_refused_and_the_old_rate_stays);
	tcase_add_test(tcase, what_goes_past_qdiscs_is_the_relays);
	tcase_add_test(tcase, a_rate_goes_where_the_frames_go);
	tcase_add_test(tcase, a_port_that_takes_no_rate_is_not_opened);
	tcase_add_test(tcase, any_failure_leaves_the_rate_of_before);
	tcase_add_test(tcase, who_dies_leaves_nothing);
	tcase_add_test(tcase, a_kept_pool_has_a_rate_whoever_dies);
	tcase_add_test(tcase, shares_are_by_weight);
	tcase_add_test(tcase, shares_are_by_weight_beside_a_blocked_pool);
	tcase_add_test(tcase, frames_go_to_the_class_of_the_most_specific_filter);
	suite_add_tcase(suite, tcase);
	return vtct_main(suite, NULL);
}
