/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The frame of the fake kernel: its life, its clock, its faults. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/ctx.h"
#include "fakekernel-internal.h"

static void drop_timer(struct vtct_kernel *k)
{
	struct vtct_timer *timer = k->timers;

	k->timers = timer->next;
	free(timer->owned);
	free(timer);
}

struct vtct_kernel *vtct_kernel_new(struct vtct_tree *tree)
{
	struct vtct_kernel *k = vtct_alloc(sizeof(*k));
	struct vtct_link lo = { .ifindex = 1, .name = "lo", .mtu = 65536, .up = true };

	k->tree = tree;
	k->now_ns = 1000 * VTCT_NS_PER_MS;
	k->next_family = 0x11;
	vtct_link_set(k, &lo, false);
	return k;
}

void vtct_kernel_free(struct vtct_kernel *k)
{
	struct vtct_slow *slow;
	size_t i;

	if (!k)
		return;
	if (k->socks)
		vtct_die("the library left a socket open");
	while ((slow = k->slow)) {
		if (slow->fd >= 0)
			vtct_die("the library left the helper of a slow write");
		k->slow = slow->next;
		free(slow);
	}
	while (k->timers)
		drop_timer(k);
	vtct_fail_clear(k);
	vtct_nl_free(k);
	vtct_genl_free(k);
	for (i = 0; i < VTCT_MAX_PFS; i++)
		free(k->pfs[i]);
	free(k->links);
	free(k);
}

const char *vtct_kernel_root(const struct vtct_kernel *k)
{
	return k->tree->root;
}

struct vtc_ctx *vtct_kernel_ctx_opts(struct vtct_kernel *k,
				     const struct vtc_ctx_opts *opts)
{
	struct vtc_ctx_opts own = VTC_CTX_OPTS_INIT;
	struct vtc_ctx *ctx;
	int err;

	if (opts)
		own = *opts;
	own.sysfs_root = k->tree->root;
	own.state_dir = k->tree->state;
	err = vtc__ctx_new(&own, &vtct_sys, k, &ctx);
	if (err)
		vtct_die("vtc__ctx_new: %s", strerror(-err));
	return ctx;
}

struct vtc_ctx *vtct_kernel_ctx(struct vtct_kernel *k)
{
	return vtct_kernel_ctx_opts(k, NULL);
}

void vtct_set_root(struct vtct_kernel *k, bool root)
{
	k->not_root = !root;
}

void vtct_set_extack(struct vtct_kernel *k, const char *text)
{
	k->extack = text;
}

void vtct_set_echo(struct vtct_kernel *k, bool echo)
{
	k->echo = echo;
}

/* ---- Faults ---- */

unsigned int vtct_calls(const struct vtct_kernel *k, enum vtct_call call)
{
	return k->calls[call];
}

static struct vtct_fault *add_fault(struct vtct_kernel *k, enum vtct_call call, int error)
{
	struct vtct_fault *fault = vtct_alloc(sizeof(*fault));

	fault->call = call;
	fault->error = error;
	fault->next = k->faults;
	k->faults = fault;
	return fault;
}

void vtct_fail_nth(struct vtct_kernel *k, enum vtct_call call, unsigned int n, int error)
{
	add_fault(k, call, error)->nth = k->calls[call] + n;
}

void vtct_fail_path(struct vtct_kernel *k, enum vtct_call call, const char *pattern,
		    int error)
{
	struct vtct_fault *fault = add_fault(k, call, error);

	if (strlen(pattern) >= sizeof(fault->pattern))
		vtct_die("pattern is too long");
	strcpy(fault->pattern, pattern);
}

void vtct_fail_clear(struct vtct_kernel *k)
{
	struct vtct_fault *fault;

	while ((fault = k->faults)) {
		k->faults = fault->next;
		free(fault);
	}
}

static bool hits(const struct vtct_kernel *k, const struct vtct_fault *fault,
		 enum vtct_call call, const char *path)
{
	if (fault->call != call && fault->call != VTCT_ANY)
		return false;
	if (fault->pattern[0])
		return path && fnmatch(fault->pattern, path, 0) == 0;
	return fault->nth == k->calls[fault->call];
}

int vtct_fault(struct vtct_kernel *k, enum vtct_call call, const char *path)
{
	const struct vtct_fault *fault;

	k->calls[call]++;
	k->calls[VTCT_ANY]++;
	for (fault = k->faults; fault; fault = fault->next)
		if (hits(k, fault, call, path))
			return fault->error;
	return 0;
}

/* ---- Time ---- */

uint64_t vtct_now_ns(const struct vtct_kernel *k)
{
	return k->now_ns;
}

static struct vtct_timer *add_timer(struct vtct_kernel *k, uint64_t delay_ns,
				    void (*fn)(void *arg), void *arg)
{
	struct vtct_timer *timer = vtct_alloc(sizeof(*timer));
	struct vtct_timer **at = &k->timers;

	timer->due_ns = k->now_ns + delay_ns;
	timer->fn = fn;
	timer->arg = arg;
	while (*at && (*at)->due_ns <= timer->due_ns)
		at = &(*at)->next;
	timer->next = *at;
	*at = timer;
	return timer;
}

void vtct_at(struct vtct_kernel *k, uint64_t delay_ns, void (*fn)(void *arg), void *arg)
{
	add_timer(k, delay_ns, fn, arg);
}

void vtct_at_owned(struct vtct_kernel *k, uint64_t delay_ns, void (*fn)(void *arg),
		   void *arg)
{
	add_timer(k, delay_ns, fn, arg)->owned = arg;
}

/* To the next timer before `until`, or to it. False: there was none. */
static bool run_timer(struct vtct_kernel *k, uint64_t until)
{
	struct vtct_timer *timer = k->timers;

	if (!timer || timer->due_ns > until) {
		k->now_ns = until;
		return false;
	}
	if (timer->due_ns > k->now_ns)
		k->now_ns = timer->due_ns;
	k->timers = timer->next;
	timer->fn(timer->arg);
	free(timer->owned);
	free(timer);
	return true;
}

static uint64_t after(const struct vtct_kernel *k, uint64_t ns)
{
	return ns > UINT64_MAX - k->now_ns ? UINT64_MAX : k->now_ns + ns;
}

void vtct_advance(struct vtct_kernel *k, uint64_t ns)
{
	uint64_t until = after(k, ns);

	while (run_timer(k, until))
		;
}

static int fake_poll(void *priv, int fd, uint64_t timeout_ns)
{
	struct vtct_kernel *k = priv;
	uint64_t until = after(k, timeout_ns);
	int fault = vtct_fault(k, VTCT_POLL, NULL);
	int ready;

	if (fault)
		return fault;
	vtct_inside++;
	do
		ready = fd < 0 ? 0 : vtc__sys_kernel.poll(NULL, fd, 0);
	while (!ready && run_timer(k, until));
	vtct_inside--;
	return ready;
}

static void fake_close(void *priv, int fd)
{
	struct vtct_kernel *k = priv;
	struct vtct_sock *sock = vtct_sock_find(k, fd);

	vtct_inside++;
	if (sock)
		vtct_sock_close(k, sock);
	else
		close(fd);
	vtct_inside--;
}

static uint64_t fake_now_ns(void *priv)
{
	return vtct_now_ns(priv);
}

/* ---- Processes, ethtool, and what other libraries do ---- */

static int fake_process(void *priv, uint32_t pid)
{
	int fault = vtct_fault(priv, VTCT_PROCESS, NULL);

	return fault ? fault : vtc__sys_kernel.process(NULL, pid);
}

static int fake_netns(void *priv, uint64_t *ret)
{
	int fault = vtct_fault(priv, VTCT_NETNS, NULL);

	if (!fault)
		*ret = 4026531840;
	return fault;
}

void vtct_set_ethtool(struct vtct_kernel *k,
		      int (*fn)(void *arg, const char *name, void *data), void *arg)
{
	k->ethtool = fn;
	k->ethtool_arg = arg;
}

static int fake_ethtool(void *priv, const char *name, void *data)
{
	struct vtct_kernel *k = priv;
	int fault = vtct_fault(k, VTCT_ETHTOOL, name);

	if (fault)
		return fault;
	return k->ethtool ? k->ethtool(k->ethtool_arg, name, data) : -EOPNOTSUPP;
}

static int fake_foreign(void *priv, const char *what)
{
	return vtct_fault(priv, VTCT_FOREIGN, what);
}

const struct vtc__sys vtct_sys = {
	.read = vtct_file_read,
	.write = vtct_file_write,
	.readlink = vtct_file_readlink,
	.realpath = vtct_file_realpath,
	.list = vtct_file_list,
	.write_slow = vtct_file_write_slow,
	.reap = vtct_file_reap,
	.lock = vtct_file_lock,
	.unlock = vtct_file_unlock,
	.replace = vtct_file_replace,
	.remove = vtct_file_remove,
	.process = fake_process,
	.netns = fake_netns,
	.ethtool = fake_ethtool,
	.foreign = fake_foreign,
	.nl_open = vtct_nl_open,
	.nl_join = vtct_nl_join,
	.nl_send = vtct_nl_send,
	.nl_recv = vtct_nl_recv,
	.poll = fake_poll,
	.close = fake_close,
	.now_ns = fake_now_ns,
};
