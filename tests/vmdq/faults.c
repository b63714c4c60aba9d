/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A pool's life with faults at every change: request, two filters, one of them away,
 * release. Whatever call fails, all that can be seen of the network is as it was before
 * the call, and after the release as at the very beginning; the same when the process is
 * killed before or after any change and another one recovers.
 *
 *	faults				a veth that is made here, backend xdp
 *	faults NIC BACKEND [TARGET]	that card (as root, in a guest), that backend
 *
 * BACKEND is vf, ntuple, macvlan, xdp, tc or auto. All changes go by the library's kernel
 * seam (struct vtc__sys), which is wrapped here: the k-th change fails (with -EIO,
 * -ENOMEM, -EPERM in turn), or the process kills itself before or after it, for all k
 * until a life needs fewer changes than k. In the environment FAULTS_FROM and
 * FAULTS_COUNT narrow the range of k; FAULTS_TRACE=1 tells each change. The filters name
 * a MAC and, where the backend can, a MAC and a VLAN.
 */
#include <linux/ethtool.h>
#include <linux/genetlink.h>
#include <linux/rtnetlink.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vtc/vtc.h>

#include "core/ctx.h"
#include "core/genl.h"
#include "net.h"
#include "vmdq/guard.h"
#include "vmdq/uplink.h"
#include "vtct.h"

/* More changes than that no life needs. */
#define LIMIT 1000

enum mode {
	COUNT,	     /* let all pass */
	FAIL,	     /* the k-th fails */
	FAIL_FROM,   /* it and all after it */
	FAIL_WORLD,  /* the same, but for the journal's own */
	KILL_BEFORE, /* the process dies instead of it */
	KILL_AFTER,  /* ... or right after it */
};

/* Shared with the children. */
struct fault {
	enum mode mode;
	unsigned int at, seen;
	int error;
	char what[128]; /* the k-th change */
};

static struct fault *fault;
static const struct vtc__sys *real = &vtc__sys_kernel;
static const char *nic = "vtcf0", *target;
static enum vtc_pool_backend backend = VTC_POOL_BACKEND_XDP;
static char state_dir[128];
static bool trace, own_nic = true;
static bool keep; /* the pool is one that outlives its process */

/* ---- The seam ---- */

static bool is_journal(const char *what)
{
	return strcmp(what, "replace") == 0 || strcmp(what, "remove") == 0;
}

/* A change is about to be made: 0, or what it is to fail with. */
static int before(const char *what, const char *detail)
{
	unsigned int k = ++fault->seen;

	if (trace)
		fprintf(stderr, "# %d: change %u: %s %s\n", getpid(), k, what, detail);
	/* What other libraries do ends with whatever is done next. */
	if (fault->mode == KILL_AFTER && k == fault->at + 1)
		raise(SIGKILL);
	if (k == fault->at)
		snprintf(fault->what, sizeof(fault->what), "%s %.80s", what, detail);
	if (fault->mode == KILL_BEFORE && k == fault->at)
		raise(SIGKILL);
	if ((fault->mode == FAIL && k == fault->at) ||
	    (fault->mode == FAIL_FROM && k >= fault->at) ||
	    (fault->mode == FAIL_WORLD && k >= fault->at && !is_journal(what)))
		return fault->error;
	return 0;
}

static void after(void)
{
	if (fault->mode == KILL_AFTER && fault->seen == fault->at)
		raise(SIGKILL);
}

static int fault_write(void *priv, const char *path, const void *data, size_t len)
{
	int err = before("write", path);

	if (!err)
		err = real->write(priv, path, data, len);
	after();
	return err;
}

static int fault_write_slow(void *priv, const char *path, const void *data, size_t len,
			    uint64_t timeout_ns, int *ret_helper)
{
	int err = before("write", path);

	*ret_helper = -1;
	if (!err)
		err = real->write_slow(priv, path, data, len, timeout_ns, ret_helper);
	after();
	return err;
}

static int fault_replace(void *priv, const char *dir, const char *name, const void *data,
			 size_t len)
{
	int err = before("replace", name);

	if (!err)
		err = real->replace(priv, dir, name, data, len);
	after();
	return err;
}

static int fault_remove(void *priv, const char *dir, const char *name)
{
	int err = before("remove", name);

	if (!err)
		err = real->remove(priv, dir, name);
	after();
	return err;
}

static bool ethtool_sets(uint32_t cmd)
{
	static const uint32_t sets[] = {
		ETHTOOL_SCHANNELS,  ETHTOOL_SFEATURES,	 ETHTOOL_SRSSH,
		ETHTOOL_SRXFHINDIR, ETHTOOL_SRXCLSRLINS, ETHTOOL_SRXCLSRLDEL,
		ETHTOOL_SRXFH,	    ETHTOOL_SRXNTUPLE,	 ETHTOOL_SRINGPARAM,
		ETHTOOL_SCOALESCE,  ETHTOOL_SPFLAGS,	 ETHTOOL_SFLAGS,
		ETHTOOL_RESET,
	};

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		if (sets[i] == cmd)
			return true;
	return false;
}

static int fault_ethtool(void *priv, const char *name, void *data)
{
	char detail[64];
	uint32_t cmd;
	int err;

	memcpy(&cmd, data, sizeof(cmd));
	if (!ethtool_sets(cmd))
		return real->ethtool(priv, name, data);
	snprintf(detail, sizeof(detail), "%s %#x", name, cmd);
	err = before("ethtool", detail);
	if (!err)
		err = real->ethtool(priv, name, data);
	after();
	return err;
}

static int fault_foreign(void *priv, const char *what)
{
	int err = before("foreign", what);

	(void)priv;
	return err;
}

/* The numbers of messages are of no use without the protocol. */
static unsigned char protocols[1024];
static uint16_t netdev_family;

static int fault_nl_open(void *priv, int protocol)
{
	int fd = real->nl_open(priv, protocol);

	if (fd >= 0 && (size_t)fd < sizeof(protocols))
		protocols[fd] = (unsigned char)protocol;
	return fd;
}

/*
 * rtnetlink: of four types in a row the third asks. Which commands of generic families
 * only ask is not known here, so all but dumps count: to fail them must do no harm,
 * either. The family "netdev" is only ever asked.
 */
static bool netlink_changes(int fd, const struct nlmsghdr *msg)
{
	if (protocols[fd % (int)sizeof(protocols)] == NETLINK_ROUTE)
		return (msg->nlmsg_type & 3) != 2;
	return msg->nlmsg_type > GENL_ID_CTRL && msg->nlmsg_type != netdev_family &&
	       (msg->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP;
}

static ssize_t fault_nl_send(void *priv, int fd, const void *data, size_t len)
{
	const struct nlmsghdr *msg = data;
	char detail[64];
	ssize_t n;
	int err;

	if (len < sizeof(*msg) || !netlink_changes(fd, msg))
		return real->nl_send(priv, fd, data, len);
	snprintf(detail, sizeof(detail), "type %u", msg->nlmsg_type);
	err = before("netlink", detail);
	if (err)
		return err;
	n = real->nl_send(priv, fd, data, len);
	after();
	return n;
}

static void find_families(struct vtc_ctx *ctx)
{
	struct vtc__genl_family family;

	if (vtc__genl_find(ctx, "netdev", &family) == 0)
		netdev_family = family.id;
}

static struct vtc_ctx *new_ctx(void)
{
	struct vtc_ctx_opts opts = VTC_CTX_OPTS_INIT;
	static struct vtc__sys sys;
	struct vtc_ctx *ctx;

	sys = vtc__sys_kernel;
	sys.write = fault_write;
	sys.write_slow = fault_write_slow;
	sys.replace = fault_replace;
	sys.remove = fault_remove;
	sys.ethtool = fault_ethtool;
	sys.foreign = fault_foreign;
	sys.nl_open = fault_nl_open;
	sys.nl_send = fault_nl_send;
	opts.state_dir = state_dir;
	opts.log_level = VTC_LOG_NONE;
	if (vtc__ctx_new(&opts, &sys, NULL, &ctx))
		vtct_die("context");
	find_families(ctx);
	return ctx;
}

static void arm(enum mode mode, unsigned int at)
{
	static const int errors[] = { -EIO, -ENOMEM, -EPERM };

	*fault = (struct fault){ .mode = mode, .at = at, .error = errors[at % 3] };
}

/* ---- A life ---- */

static const char *said(struct vtc_ctx *ctx)
{
	static char text[1024];

	vtc_error_format(vtc_ctx_last_error(ctx), text, sizeof(text));
	return text;
}

static const struct vtc_filter filters[2] = {
	{ .mac = { { 2, 0, 0, 0, 0xfa, 1 } }, .match = VTC_FILTER_MAC },
	{ .mac = { { 2, 0, 0, 0, 0xfa, 2 } },
	  .vlan = 7,
	  .match = VTC_FILTER_MAC | VTC_FILTER_VLAN },
};

static unsigned int filter_count = 2;
static bool has_rates;

struct life {
	struct vtc_ctx *ctx;
	struct vtc_pool *pool;
	char *at_first;	     /* snapshots: before it all, */
	char *at_last;	     /* and before the step in hand */
	bool strict;	     /* each failure leaves things as they were */
	unsigned int failed; /* steps */
	const char *step;
};

static void expect_same(const struct life *life, const char *want, const char *when)
{
	char *now = net_snapshot(nic, state_dir);
	const char *difference = net_difference(want, now);

	ck_assert_msg(!difference, "change %u (%s) in %s: not as %s\n%s", fault->at,
		      fault->what, life->step, when, difference);
	free(now);
}

/* What a step came to: it happened wholly, or not at all, and the record says why. */
static void judge(struct life *life, const char *step, int result)
{
	life->step = step;
	if (result) {
		life->failed++;
		ck_assert_msg(fault->mode != COUNT, "%s: %s", step, said(life->ctx));
		ck_assert_msg(said(life->ctx)[0] && vtc_error_get_code(vtc_ctx_last_error(
							    life->ctx)) == result,
			      "change %u (%s) in %s: %d, but \"%s\"", fault->at,
			      fault->what, step, result, said(life->ctx));
		if (life->strict)
			expect_same(life, life->at_last, "before the step");
	}
	if (!life->strict)
		return;
	free(life->at_last);
	life->at_last = net_snapshot(nic, state_dir);
}

static int request(struct life *life)
{
	struct vtc_pool_opts opts = VTC_POOL_OPTS_INIT;

	opts.name = "faults";
	opts.flags = keep ? VTC_POOL_F_KEEP : 0;
	opts.backend = backend;
	opts.target = target;
	return vtc_pool_request(life->ctx, nic, &opts, &life->pool);
}

/* A step that failed is made again: the fault was the only one. */
static void again(struct life *life, const char *step, int (*fn)(struct life *life))
{
	int result = fn(life);

	judge(life, step, result);
	if (!result || fault->mode != FAIL)
		return;
	result = fn(life);
	ck_assert_msg(!result, "%s again, after change %u (%s) had failed: %s", step,
		      fault->at, fault->what, said(life->ctx));
	judge(life, step, 0);
}

static int add_first(struct life *life)
{
	return vtc_pool_add_filter(life->pool, &filters[0]);
}

static int add_second(struct life *life)
{
	return vtc_pool_add_filter(life->pool, &filters[1]);
}

static int set_rate(struct life *life)
{
	struct vtc_rate rate = VTC_RATE_INIT;

	rate.max_bps = 3000000;
	return vtc_pool_set_rate(life->pool, &rate, NULL);
}

/* What is left of a filter that could not be removed is noted: it is not there again. */
static int remove_first(struct life *life)
{
	int result = vtc_pool_remove_filter(life->pool, &filters[0]);

	return result == -ENOENT ? 0 : result;
}

static void live(struct life *life)
{
	int result;

	again(life, "request", request);
	if (!life->pool)
		return;
	again(life, "add filter", add_first);
	if (has_rates)
		again(life, "set rate", set_rate);
	if (filter_count > 1)
		again(life, "add second filter", add_second);
	life->strict = false;
	again(life, "remove filter", remove_first);
	result = vtc_pool_release(life->pool);
	if (result == -EBUSY)
		vtc_pool_close(life->pool);
	judge(life, "release", result);
}

static void recover(struct vtc_ctx *ctx)
{
	struct vtc_pool_recovery recovery = { .sz = sizeof(recovery) };
	int err = vtc_pool_recover(ctx, nic, &recovery);

	ck_assert_msg(!err, "recover after change %u (%s): %s", fault->at, fault->what,
		      said(ctx));
}

/* A journal that could not be written has the pool as it was. */
static void release_again(struct life *life)
{
	struct vtc_pool *pool;

	if (vtc_pool_open(life->ctx, nic, "faults", &pool) == 0)
		judge(life, "release again", vtc_pool_release(pool));
}

/* How many changes it took. */
static unsigned int live_with(enum mode mode, unsigned int at)
{
	struct life life = { .strict = true, .step = "begin" };
	unsigned int seen;

	arm(mode, at);
	life.ctx = new_ctx();
	life.at_first = net_snapshot(nic, state_dir);
	life.at_last = net_snapshot(nic, state_dir);
	live(&life);
	seen = fault->seen;
	/* What could not be undone stays noted, and is undone by the next call. */
	arm(COUNT, at);
	release_again(&life);
	recover(life.ctx);
	expect_same(&life, life.at_first, "at the beginning");
	free(life.at_first);
	free(life.at_last);
	vtc_ctx_unref(life.ctx);
	return seen;
}

/* ---- Cards ---- */

static void check_filters(void)
{
	struct life life = { .step = "probe" };
	int err;

	arm(COUNT, 0);
	life.ctx = new_ctx();
	err = request(&life);
	if (err)
		vtct_skip("no such pool here: %s", said(life.ctx));
	err = add_second(&life);
	if (err)
		filter_count = 1;
	ck_assert_msg(!err || err == -EOPNOTSUPP, "%s", said(life.ctx));
	/* Those of cards have tests of their own; this one is in software. */
	has_rates = own_nic && set_rate(&life) == 0;
	ck_assert_errno(vtc_pool_release(life.pool), 0);
	vtc_ctx_unref(life.ctx);
}

static void set_up(void)
{
	fault = mmap(NULL, sizeof(*fault), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(fault, MAP_FAILED);
	if (own_nic) {
		net_enter();
		net_run("ip link add vtcf0 numrxqueues 4 numtxqueues 4 type veth "
			"peer name vtcf1 && ip link add vtcft type dummy 2>/dev/null || "
			"ip link add vtcft type bridge");
		net_run("ip link set vtcf0 up && ip link set vtcf1 up");
	}
	snprintf(state_dir, sizeof(state_dir), "%s/state-XXXXXX", vtct_dir());
	ck_assert_ptr_nonnull(mkdtemp(state_dir));
	check_filters();
}

static unsigned int number_of(const char *name, unsigned int usual)
{
	const char *text = getenv(name);

	return text ? (unsigned int)atoi(text) : usual;
}

static void for_all(unsigned int (*fn)(unsigned int k))
{
	unsigned int from = number_of("FAULTS_FROM", 1);
	unsigned int count = number_of("FAULTS_COUNT", LIMIT);
	unsigned int k, seen = LIMIT;

	for (k = from; k < from + count && k <= seen; k++)
		seen = fn(k);
	printf("# %u changes in a life, faults at %u to %u\n", seen, from, k - 1);
	fflush(stdout);
	ck_assert_uint_lt(k, LIMIT);
}

/* ---- The tests ---- */

START_TEST(a_life_without_faults_leaves_no_trace)
{
	ck_assert_uint_gt(live_with(COUNT, 0), 10);
}
END_TEST

static unsigned int fail_one(unsigned int k)
{
	return live_with(FAIL, k);
}

START_TEST(a_change_that_fails_changes_nothing)
{
	for_all(fail_one);
}
END_TEST

/* Then nothing can be undone, either; but nothing is forgotten. */
static unsigned int fail_from(enum mode mode, unsigned int k)
{
	struct life life = { .strict = false, .step = "begin" };
	unsigned int seen;

	life.at_first = net_snapshot(nic, state_dir);
	arm(mode, k);
	life.ctx = new_ctx();
	live(&life);
	seen = fault->seen;
	arm(COUNT, k);
	release_again(&life);
	recover(life.ctx);
	life.step = "recover";
	expect_same(&life, life.at_first, "at the beginning");
	free(life.at_first);
	vtc_ctx_unref(life.ctx);
	return life.failed ? LIMIT : seen;
}

static unsigned int fail_all(unsigned int k)
{
	return fail_from(FAIL_FROM, k);
}

START_TEST(what_cannot_be_undone_is_undone_later)
{
	for_all(fail_all);
}
END_TEST

static unsigned int fail_world(unsigned int k)
{
	return fail_from(FAIL_WORLD, k);
}

/* A step that failed, and whose undoing fails, is in a journal that takes all. */
START_TEST(what_could_only_be_noted_is_undone_later)
{
	for_all(fail_world);
}
END_TEST

static bool has_filter(struct vtc_pool *pool, const struct vtc_filter *filter)
{
	struct vtc_filter got;

	for (unsigned int i = 0; vtc_pool_get_filter(pool, i, &got) == 0; i++)
		if (memcmp(&got, filter, sizeof(got)) == 0)
			return true;
	return false;
}

/* What the kept pool does not have is free for another one. */
static void expect_whole_filters(struct life *life)
{
	struct vtc_pool *kept, *other;
	struct vtc_pool_opts opts = VTC_POOL_OPTS_INIT;

	if (vtc_pool_open(life->ctx, nic, "faults", &kept))
		return;
	opts.name = "other";
	opts.backend = backend;
	ck_assert_errno(vtc_pool_request(life->ctx, nic, &opts, &other), 0);
	for (unsigned int i = 0; i < filter_count; i++) {
		int want = has_filter(kept, &filters[i]) ? -EADDRINUSE : 0;
		int err = vtc_pool_add_filter(other, &filters[i]);

		ck_assert_msg(err == want, "filter %u after change %u (%s): %d, %s", i,
			      fault->at, fault->what, err, said(life->ctx));
	}
	ck_assert_errno(vtc_pool_release(other), 0);
	vtc_pool_close(kept);
}

static unsigned int die_in(enum mode mode, unsigned int k)
{
	struct life life = { .step = "a process that was killed" };
	int status;
	pid_t pid;

	life.at_first = net_snapshot(nic, state_dir);
	arm(mode, k);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		life.ctx = new_ctx();
		live(&life);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status)) {
		ck_assert_int_eq(WEXITSTATUS(status), 0);
		free(life.at_first);
		return fault->seen;
	}
	ck_assert_int_eq(WTERMSIG(status), SIGKILL);
	fault->mode = COUNT;
	life.ctx = new_ctx();
	recover(life.ctx);
	if (keep && own_nic)
		expect_whole_filters(&life);
	if (keep)
		release_again(&life);
	expect_same(&life, life.at_first, "at the beginning");
	free(life.at_first);
	vtc_ctx_unref(life.ctx);
	return LIMIT;
}

static unsigned int die_before(unsigned int k)
{
	return die_in(KILL_BEFORE, k);
}

static unsigned int die_after(unsigned int k)
{
	return die_in(KILL_AFTER, k);
}

START_TEST(killed_before_a_change)
{
	for_all(die_before);
}
END_TEST

START_TEST(killed_after_a_change)
{
	for_all(die_after);
}
END_TEST

START_TEST(a_kept_pool_fails_as_well)
{
	keep = true;
	for_all(fail_one);
}
END_TEST

START_TEST(a_kept_pool_bears_the_end_of_its_process)
{
	keep = true;
	for_all(die_after);
}
END_TEST

static Suite *suite(void)
{
	TCase *tcase = tcase_create("faults");
	Suite *s = suite_create("faults");

	tcase_set_timeout(tcase, 600);
	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, a_life_without_faults_leaves_no_trace);
	tcase_add_test(tcase, a_change_that_fails_changes_nothing);
	tcase_add_test(tcase, what_cannot_be_undone_is_undone_later);
	tcase_add_test(tcase, what_could_only_be_noted_is_undone_later);
	tcase_add_test(tcase, killed_before_a_change);
	tcase_add_test(tcase, killed_after_a_change);
	tcase_add_test(tcase, a_kept_pool_fails_as_well);
	tcase_add_test(tcase, a_kept_pool_bears_the_end_of_its_process);
	suite_add_tcase(s, tcase);
	return s;
}

static enum vtc_pool_backend backend_of(const char *name)
{
	for (int i = 0; i < VTC_POOL_BACKEND_COUNT; i++)
		if (strcmp(vtc_pool_backend_name(i), name) == 0)
			return (enum vtc_pool_backend)i;
	vtct_die("no backend is called %s", name);
}

int main(int argc, char **argv)
{
	if (argc == 2 || argc > 4)
		vtct_die("usage: %s [NIC BACKEND [TARGET]]", argv[0]);
	if (argc > 2) {
		own_nic = false;
		nic = argv[1];
		backend = backend_of(argv[2]);
		target = argv[3];
	}
	trace = getenv("FAULTS_TRACE") != NULL;
	vtct_dir();
	return vtct_main(suite(), NULL);
}
