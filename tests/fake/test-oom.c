/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory runs out at every single allocation of every scenario: the library's own,
 * libnl's and the C library's. Each time the call must fail with -ENOMEM or do without;
 * nothing may be leaked, no descriptor stay open, and no change stay half done.
 *
 * malloc() and its kin are replaced in this program, which a sanitizer does as well: such
 * builds leave it out.
 */
#include <dlfcn.h>
#include <linux/ethtool_netlink.h>
#include <linux/rtnetlink.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vtc/monitor.h>
#include <vtc/nic.h>
#include <vtc/relay.h>
#include <vtc/vf.h>

#include "core/ctx.h"
#include "core/genl.h"
#include "core/netlink.h"
#include "core/sysfs.h"
#include "endpoint/port.h"
#include "fakekernel.h"
#include "vtct.h"

/* ---- An allocator that fails once ---- */

#define PLACES (1u << 14)
#define GONE   ((void *)1)

/* Those of the C library, which ours stand before. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *old);

static bool armed;
static unsigned int allocations, fail_at, live;
static void *places[PLACES]; /* what was allocated while armed: a hash table */

static size_t place_of(const void *p)
{
	return ((uintptr_t)p >> 4) * 2654435761u % PLACES;
}

static void *note(void *p)
{
	size_t i = place_of(p);

	if (!p || !armed || vtct_inside)
		return p;
	while (places[i] && places[i] != GONE)
		i = (i + 1) % PLACES;
	places[i] = p;
	live++;
	return p;
}

static void forget(const void *p)
{
	size_t i = place_of(p);

	if (!p || !live)
		return;
	for (; places[i]; i = (i + 1) % PLACES) {
		if (places[i] != p)
			continue;
		places[i] = GONE;
		live--;
		return;
	}
}

static bool fails(void)
{
	if (!armed || vtct_inside)
		return false;
	if (++allocations != fail_at)
		return false;
	errno = ENOMEM;
	return true;
}

#define EXPORTED __attribute__((visibility("default")))

EXPORTED void *malloc(size_t size)
{
	return fails() ? NULL : note(__libc_malloc(size));
}

EXPORTED void *calloc(size_t count, size_t size)
{
	return fails() ? NULL : note(__libc_calloc(count, size));
}

EXPORTED void *realloc(void *old, size_t size)
{
	void *new;

	if (fails())
		return NULL;
	new = __libc_realloc(old, size);
	if (!new &&size)
		return NULL;
	forget(old);
	return note(new);
}

EXPORTED void *aligned_alloc(size_t alignment, size_t size)
{
	return fails() ? NULL : note(__libc_memalign(alignment, size));
}

EXPORTED void free(void *old)
{
	forget(old);
	__libc_free(old);
}

/*
 * libpci is left out. Its first allocations end the process if they fail, before anybody
 * can tell it not to, and some of those while it reads its database are not checked at
 * all (3.9).
 */
struct pci_access;
EXPORTED struct pci_access *pci_alloc(void);
EXPORTED char *pci_lookup_name(struct pci_access *access, char *buf, int size, int flags,
			       ...);

static void *symbol_behind_ours(const char *name)
{
	void *symbol = dlsym(RTLD_NEXT, name);

	if (!symbol)
		vtct_die("%s is nowhere", name);
	return symbol;
}

EXPORTED struct pci_access *pci_alloc(void)
{
	struct pci_access *(*next)(void);
	struct pci_access *access;

	vtct_inside++;
	*(void **)&next = symbol_behind_ours("pci_alloc");
	access = next();
	vtct_inside--;
	return access;
}

/* As libvtc calls it: one number for a vendor, two for a device. */
EXPORTED char *pci_lookup_name(struct pci_access *access, char *buf, int size, int flags,
			       ...)
{
	char *(*next)(struct pci_access *, char *, int, int, ...);
	const int device_flag = 2;
	int vendor, device = 0;
	char *name;
	va_list ap;

	va_start(ap, flags);
	vendor = va_arg(ap, int);
	if (flags & device_flag)
		device = va_arg(ap, int);
	va_end(ap);
	vtct_inside++;
	*(void **)&next = symbol_behind_ours("pci_lookup_name");
	name = next(access, buf, size, flags, vendor, device);
	vtct_inside--;
	return name;
}

/* ---- Scenarios: what a program does, with its result ---- */

struct world {
	struct vtct_tree *tree;
	struct vtct_kernel *k;
	struct vtct_pf *pf;
	int seen; /* what the scenario found; the same whenever it succeeds */
};

static int new_ctx(struct world *w, struct vtc_ctx **ret_ctx)
{
	struct vtc_ctx_opts opts = VTC_CTX_OPTS_INIT;

	opts.sysfs_root = w->tree->root;
	opts.state_dir = w->tree->state;
	return vtc__ctx_new(&opts, &vtct_sys, w->k, ret_ctx);
}

static int count_message(void *arg, const struct nlmsghdr *msg)
{
	(void)msg;
	++*(int *)arg;
	return 0;
}

static int dump_links(struct vtc_ctx *ctx, int *ret_count)
{
	struct ifinfomsg head = { .ifi_index = 0 };
	struct vtc__nlmsg *msg;
	struct vtc__nl *nl;
	int err = vtc__nl_rt(ctx, &nl);

	if (err)
		return err;
	msg = vtc__nlmsg_new(RTM_GETLINK, NLM_F_DUMP, 64);
	if (!msg)
		return -ENOMEM;
	err = vtc__nlmsg_append(msg, &head, sizeof(head));
	if (!err)
		err = vtc__nl_request(ctx, nl, msg, count_message, ret_count);
	vtc__nlmsg_free(msg);
	return err;
}

static int use_core(struct world *w, struct vtc_ctx *ctx)
{
	struct vtc__genl_family family;
	char path[200];
	int err = dump_links(ctx, &w->seen);

	if (!err)
		err = vtc__genl_find(ctx, "ethtool", &family);
	if (err)
		return err;
	w->pf->numvfs_ns = 200 * VTCT_NS_PER_MS;
	snprintf(path, sizeof(path), "%s/sriov_numvfs", w->pf->dir);
	err = vtc__sysfs_write_slow(ctx, path, "0",
				    vtc__now_ns(ctx) + 100 * VTC__NS_PER_MS);
	return err == -ETIMEDOUT ? 0 : err;
}

static int use_inventory(struct world *w, struct vtc_ctx *ctx)
{
	struct vtc_inventory_opts opts = VTC_INVENTORY_OPTS_INIT;
	struct vtc_inventory *inventory;
	const struct vtc_nic *nic = NULL;
	int err;

	opts.flags = VTC_INVENTORY_F_CAPS | VTC_INVENTORY_F_NAMES;
	err = vtc_inventory_new(ctx, &opts, &inventory);
	if (err)
		return err;
	while ((nic = vtc_nic_foreach_next(inventory, nic))) {
		w->seen += 1000;
		if (vtc_netdev_foreach_next(nic, NULL))
			w->seen += 100;
		w->seen += vtc_nic_get_kind(nic);
	}
	vtc_inventory_free(inventory);
	return 0;
}

static void ignore_event(void *data, const struct vtc_event *event)
{
	(void)data;
	(void)event;
}

/* A VF comes and goes; a dispatch that fails is made good by a later one. */
static int watch(struct world *w, struct vtc_monitor *monitor)
{
	int i, err, first = 0;

	vtct_inside++;
	vtct_write_num_vfs(w->k, w->pf, 1);
	vtct_inside--;
	err = vtc_monitor_dispatch(monitor);
	first = err;
	vtct_inside++;
	vtct_overrun(w->k, NETLINK_ROUTE);
	vtct_write_num_vfs(w->k, w->pf, 0);
	vtct_inside--;
	for (i = 0; i < 4; i++) {
		err = vtc_monitor_dispatch(monitor);
		if (err < 0 && !(first < 0))
			first = err;
	}
	w->seen = err; /* 0: memory is back by then, and all is told */
	return first < 0 ? first : 0;
}

static int use_monitor(struct world *w, struct vtc_ctx *ctx)
{
	struct vtc_monitor *monitor;
	int err = vtc_monitor_open(ctx, ignore_event, NULL, &monitor);

	if (err)
		return err;
	err = watch(w, monitor);
	vtc_monitor_close(monitor);
	return err;
}

static int use_pf(struct world *w, struct vtc_ctx *ctx)
{
	struct vtc_pf_num_vfs_opts opts = VTC_PF_NUM_VFS_OPTS_INIT;
	struct vtc_pf *pf;
	int err = vtc_pf_open(ctx, "enp1s0f0", &pf);

	if (err)
		return err;
	w->pf->netdev_delay_ns = 20 * VTCT_NS_PER_MS;
	opts.flags = VTC_PF_F_DESTROY;
	opts.wait = VTC_PF_WAIT_NETDEV;
	opts.autoprobe = VTC_PF_AUTOPROBE_ON;
	err = vtc_pf_set_num_vfs(pf, 3, &opts);
	vtc_pf_close(pf);
	return err < 0 ? err : 0;
}

static int list_vfs(struct world *w, struct vtc_pf *pf)
{
	struct vtc_vf_list_opts opts = VTC_VF_LIST_OPTS_INIT;
	struct vtc_vf_list *list;
	const struct vtc_vf *vf;
	struct vtc_mac mac;
	uint32_t i;
	int err;

	opts.flags = VTC_VF_LIST_F_STATS;
	err = vtc_vf_list_new(pf, &opts, &list);
	if (err)
		return err;
	for (i = 0; i < vtc_vf_list_get_count(list); i++)
		w->seen += vtc_vf_list_get(list, i, &vf) == 0 &&
			   vtc_vf_get_mac(vf, &mac) == 1;
	vtc_vf_list_free(list);
	return 0;
}

static int use_vfs(struct world *w, struct vtc_ctx *ctx)
{
	struct vtc_pf *pf;
	int err = vtc_pf_open(ctx, "0000:01:00.0", &pf);

	if (err)
		return err;
	err = list_vfs(w, pf);
	vtc_pf_close(pf);
	return err;
}

static int fill_config(struct vtc_vf_config *config, uint8_t index)
{
	const struct vtc_mac mac = { { 0x02, 0x11, 0x22, 0x33, 0x44, index } };
	const struct vtc_vlan vlan = { .id = 100, .qos = 3 };
	int err = vtc_vf_config_set_mac(config, &mac);

	if (!err)
		err = vtc_vf_config_set_vlan(config, &vlan);
	if (!err)
		err = vtc_vf_config_set_max_rate_mbps(config, 500);
	if (!err)
		err = vtc_vf_config_set_spoof_check(config, 0);
	if (!err)
		err = vtc_vf_config_set_trust(config, 1);
	return err;
}

static int apply(struct vtc_pf *pf)
{
	struct vtc_vf_config *configs[2] = { NULL, NULL };
	int err = vtc_vf_config_new(0, &configs[0]);

	if (!err)
		err = vtc_vf_config_new(2, &configs[1]);
	if (!err)
		err = fill_config(configs[0], 0);
	if (!err)
		err = fill_config(configs[1], 2);
	if (!err)
		err = vtc_vf_apply(pf, configs, 2, NULL);
	vtc_vf_config_free(configs[0]);
	vtc_vf_config_free(configs[1]);
	return err;
}

static int use_config(struct world *w, struct vtc_ctx *ctx)
{
	struct vtc_pf *pf;
	int err = vtc_pf_open(ctx, "0000:01:00.0", &pf);

	(void)w;
	if (err)
		return err;
	err = apply(pf);
	vtc_pf_close(pf);
	return err;
}

static unsigned int take_packets(void *data, unsigned int queue,
				 const struct vtc_packet *packets, unsigned int count)
{
	(void)data;
	(void)queue;
	(void)packets;
	return count;
}

static int join_ports(struct vtc_ctx *ctx, struct vtc_relay *relay,
		      struct vtc_port *ports[2])
{
	struct vtc_vhost_user_opts machine = VTC_VHOST_USER_OPTS_INIT;
	struct vtc_callback_opts function = VTC_CALLBACK_OPTS_INIT;
	char path[100];
	int err;

	snprintf(path, sizeof(path), "%s/machine.sock", vtct_dir());
	machine.path = path;
	function.packets = take_packets;
	err = vtc_port_open_vhost_user(ctx, &machine, &ports[0]);
	if (!err)
		err = vtc_port_new_callback(ctx, &function, &ports[1]);
	return err ? err : vtc_relay_join(relay, ports[0], ports[1]);
}

static int use_relay(struct world *w, struct vtc_ctx *ctx)
{
	struct vtc_port *ports[2] = { NULL, NULL };
	struct vtc_relay *relay;
	int err = vtc_relay_new(ctx, NULL, &relay);

	if (err)
		return err;
	err = join_ports(ctx, relay, ports);
	if (!err) {
		err = vtc_relay_process(relay, 0);
		w->seen = ports[0]->relay == relay && ports[1]->relay == relay;
	}
	vtc_port_close(ports[0]);
	vtc_relay_free(relay);
	vtc_port_close(ports[1]);
	return err;
}

static const struct scenario {
	const char *name;
	int (*use)(struct world *w, struct vtc_ctx *ctx);
	uint32_t vfs; /* that are there before */
} scenarios[] = {
	{ "core", use_core, 0 },	{ "inventory", use_inventory, 2 },
	{ "monitor", use_monitor, 0 },	{ "number of VFs", use_pf, 0 },
	{ "VFs destroyed", use_pf, 2 }, { "VF list", use_vfs, 3 },
	{ "VF config", use_config, 3 }, { "relay", use_relay, 0 },
};
#define SCENARIOS (int)(sizeof(scenarios) / sizeof(scenarios[0]))

/* ---- Each of them with memory that runs out ---- */

static void make_world(struct world *w, const struct scenario *scenario)
{
	static const uint8_t commands[] = { ETHTOOL_MSG_FEATURES_GET,
					    ETHTOOL_MSG_CHANNELS_GET };

	vtct_inside++;
	memset(w, 0, sizeof(*w));
	w->tree = vtct_tree_new();
	w->k = vtct_kernel_new(w->tree);
	w->pf = vtct_kernel_igb(w->k, 0);
	vtct_create_vfs(w->k, w->pf, scenario->vfs);
	vtct_genl_family(w->k, "ethtool", commands, sizeof(commands));
	vtct_inside--;
}

static void end_world(struct world *w)
{
	vtct_inside++;
	vtct_kernel_free(w->k);
	vtct_tree_free(w->tree);
	vtct_inside--;
}

static int run(const struct scenario *scenario, struct world *w, unsigned int n)
{
	struct vtc_ctx *ctx;
	int err;

	memset(places, 0, sizeof(places));
	allocations = live = 0;
	fail_at = n;
	armed = true;
	err = new_ctx(w, &ctx);
	if (!err) {
		err = scenario->use(w, ctx);
		vtc_ctx_unref(ctx);
	}
	armed = false;
	return err;
}

/* One run in which the n-th allocation fails. False: there are not so many. */
static bool fail_one(const struct scenario *scenario, unsigned int n, const char *wanted,
		     int wanted_seen)
{
	char *before, *after;
	struct world w;
	int fds, err;
	bool hit;

	make_world(&w, scenario);
	fds = vtct_count_fds();
	before = vtct_pf_state(w.pf);
	err = run(scenario, &w, n);
	hit = allocations >= n;
	ck_assert_msg(err == 0 || (hit && err == -ENOMEM), "%s, %u: %s", scenario->name,
		      n, strerror(-err));
	ck_assert_msg(live == 0, "%s, %u: %u allocations leaked (result %d)",
		      scenario->name, n, live, err);
	ck_assert_msg(vtct_count_fds() == fds, "%s, %u: a descriptor leaked",
		      scenario->name, n);
	if (!err)
		ck_assert_msg(w.seen == wanted_seen,
			      "%s, %u: success with %d in place of %d", scenario->name, n,
			      w.seen, wanted_seen);
	after = vtct_pf_state(w.pf);
	ck_assert_msg(strcmp(after, err ? before : wanted) == 0,
		      "%s, %u:\n%sin place of\n%s", scenario->name, n, after,
		      err ? before : wanted);
	free(before);
	free(after);
	end_world(&w);
	return hit;
}

START_TEST(memory_runs_out)
{
	const struct scenario *scenario = &scenarios[_i];
	unsigned int n = 1;
	struct world w;
	char *wanted;

	make_world(&w, scenario);
	ck_assert_errno(run(scenario, &w, 0), 0);
	ck_assert_uint_gt(allocations, 1);
	wanted = vtct_pf_state(w.pf);
	end_world(&w);
	while (fail_one(scenario, n, wanted, w.seen))
		n++;
	free(wanted);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("oom");
	TCase *tcase = tcase_create("oom");

	tcase_set_timeout(tcase, 300);
	tcase_add_loop_test(tcase, memory_runs_out, 0, SCENARIOS);
	suite_add_tcase(suite, tcase);
	return vtct_main(suite, NULL);
}
