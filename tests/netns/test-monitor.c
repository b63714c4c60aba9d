/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The monitor on real rtnetlink, in a network namespace of its own that ip(8) changes. */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vtc/vtc.h>

#include "netns.h"
#include "nic/monitor.h"
#include "vtct.h"

#define LINKS_MAX 512

static struct vtc_ctx *ctx;
static struct vtc_monitor *mon;
static char told[16384];
static unsigned int resyncs;

/* A kind of link that stands alone, needs nothing, and has a carrier. */
static const char *kind;

/* The links, as somebody who only listens to the events would know them. */
static char known[LINKS_MAX][IF_NAMESIZE];

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *format, ...)
{
	char command[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	ck_assert_msg(system(command) == 0, "%s", command);
}

static void on_event(void *data, const struct vtc_event *event)
{
	uint32_t ifindex = vtc_event_get_ifindex(event);
	size_t len = strlen(told);
	const char *name = "";
	int up, carrier;

	(void)data;
	if (vtc_event_get_type(event) == VTC_EVENT_RESYNC)
		resyncs++;
	if (vtc_event_get_ifname(event, &name) != 1)
		return;
	ck_assert_uint_lt(ifindex, LINKS_MAX);
	if (vtc_event_get_type(event) == VTC_EVENT_LINK_REMOVED) {
		known[ifindex][0] = '\0';
		up = carrier = 0;
	} else {
		strcpy(known[ifindex], name);
		ck_assert_int_eq(vtc_event_get_link_state(event, &up, &carrier), 1);
	}
	snprintf(told + len, sizeof(told) - len, "%s %s%s%s\n",
		 vtc_event_type_name(vtc_event_get_type(event)), name, up ? " up" : "",
		 carrier ? "+" : "");
}

static bool can_make(const char *name)
{
	char command[128];

	snprintf(command, sizeof(command),
		 "ip link add probe type %s 2>/dev/null && ip link del probe", name);
	kind = name;
	return system(command) == 0;
}

static void set_up(void)
{
	vtct_netns_enter();
	if (system("ip -V >/dev/null") != 0)
		vtct_skip("ip(8) not found");
	if (!can_make("dummy") && !can_make("ifb"))
		vtct_skip("the kernel has neither dummy nor ifb");
	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	ck_assert_errno(vtc_monitor_open(ctx, on_event, NULL, &mon), 0);
}

static void tear_down(void)
{
	vtc_monitor_close(mon);
	vtc_ctx_unref(ctx);
}

static bool readable(void)
{
	struct pollfd pollfd = { .fd = vtc_monitor_get_fd(mon), .events = POLLIN };

	return poll(&pollfd, 1, 0) == 1;
}

/* rtnetlink has told all when ip(8) ends; what a carrier does may come a little later. */
static void expect(const char *lines)
{
	while (readable())
		ck_assert_int_ge(vtc_monitor_dispatch(mon), 0);
	ck_assert_str_eq(told, lines);
	told[0] = '\0';
}

static void wait_for(const char *line)
{
	struct pollfd pollfd = { .fd = vtc_monitor_get_fd(mon), .events = POLLIN };

	while (!strstr(told, line)) {
		ck_assert_msg(poll(&pollfd, 1, 10000) == 1, "no '%s' in\n%s", line, told);
		ck_assert_int_ge(vtc_monitor_dispatch(mon), 0);
	}
	told[0] = '\0';
}

START_TEST(a_link_comes_changes_and_goes)
{
	expect("");
	ck_assert_int_eq(vtc_monitor_dispatch(mon), 0);
	run("ip link add d0 type %s", kind);
	expect("link-added d0\n");
	run("ip link set d0 up");
	expect("link-changed d0 up+\n");
	run("ip link set d0 mtu 1400");
	expect("link-changed d0 up+\n");
	run("ip link set d0 mtu 1400");
	expect("");
	run("ip link set d0 down");
	expect("link-changed d0\n");
	run("ip link set d0 name lan0");
	expect("link-changed lan0\n");
	run("ip link del lan0");
	expect("link-removed lan0\n");
}
END_TEST

/* Leaving a bridge is told with RTM_DELLINK, too. */
START_TEST(a_bridge_port_stays_a_link)
{
	run("ip link add d0 type %s && ip link add br0 type bridge", kind);
	expect("link-added d0\nlink-added br0\n");
	run("ip link set d0 master br0 && ip link set d0 nomaster");
	while (readable())
		ck_assert_int_ge(vtc_monitor_dispatch(mon), 0);
	ck_assert_ptr_null(strstr(told, "removed"));
	ck_assert_ptr_null(strstr(told, "added"));
}
END_TEST

START_TEST(carrier_follows_the_peer)
{
	run("ip link add v0 type veth peer name v1");
	run("ip link set v0 up");
	wait_for("link-changed v0 up\n");
	run("ip link set v1 up");
	wait_for("link-changed v0 up+\n");
	run("ip link set v1 down");
	wait_for("link-changed v0 up\n");
	run("ip link set v0 address 02:00:00:00:00:42");
	wait_for("link-changed v0 up\n");
	run("ip link del v0");
	wait_for("link-removed v0\n");
}
END_TEST

START_TEST(a_link_that_leaves_the_namespace_is_removed)
{
	int ready[2], status;
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNET) < 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	ck_assert_int_eq((int)read(ready[0], &byte, 1), 1);
	run("ip link add d0 type %s && ip link set d0 netns %d", kind, (int)pid);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	close(ready[0]);
	close(ready[1]);
	expect("link-added d0\nlink-removed d0\n");
}
END_TEST

/* Everything that a listener was told adds up to what is there. */
static void compare_with_kernel(void)
{
	struct if_nameindex *all = if_nameindex();
	size_t expected = 0, found = 0;

	for (size_t i = 0; all && all[i].if_index; i++) {
		if (strcmp(all[i].if_name, "lo") == 0)
			continue;
		expected++;
		ck_assert_uint_lt(all[i].if_index, LINKS_MAX);
		ck_assert_str_eq(known[all[i].if_index], all[i].if_name);
	}
	if_freenameindex(all);
	for (size_t i = 0; i < LINKS_MAX; i++)
		found += known[i][0] != '\0';
	ck_assert_uint_eq(found, expected);
}

/* More broadcasts than the receive buffer holds, before the first is taken. */
static void flood(void)
{
	FILE *ip = popen("ip -batch -", "w");

	ck_assert_ptr_nonnull(ip);
	for (int i = 0; i < 60; i++)
		fprintf(ip, "link add d%d type %s\n", i, kind);
	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < 30; i++)
			fprintf(ip, "link set d%d mtu %d\n", i, 1000 + round);
	}
	for (int i = 0; i < 30; i++)
		fprintf(ip, "link set d%d name e%d\nlink del d%d\n", i, i, 59 - i);
	ck_assert_int_eq(pclose(ip), 0);
}

START_TEST(a_flood_loses_nothing_that_lasts)
{
	flood();
	while (readable()) {
		told[0] = '\0';
		ck_assert_int_ge(vtc_monitor_dispatch(mon), 0);
	}
	ck_assert_uint_ge(resyncs, 1);
	compare_with_kernel();
	told[0] = '\0';
	run("ip link add after type %s", kind);
	expect("link-added after\n");
}
END_TEST

/* Send as another process would: to the monitor itself, and to all listeners. */
static void forge(struct vtc__nl *nl, int protocol, unsigned int group, const void *data,
		  size_t len)
{
	struct sockaddr_nl to = { .nl_family = AF_NETLINK };
	socklen_t size = sizeof(to);
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	ck_assert_int_eq(getsockname(vtc__nl_fd(nl), (struct sockaddr *)&to, &size), 0);
	ck_assert_uint_ne(to.nl_pid, 0);
	to.nl_groups = 0;
	ck_assert_int_eq(
		(int)sendto(fd, data, len, 0, (struct sockaddr *)&to, sizeof(to)),
		(int)len);
	to.nl_pid = 0;
	to.nl_groups = 1u << (group - 1);
	ck_assert_int_eq(
		(int)sendto(fd, data, len, 0, (struct sockaddr *)&to, sizeof(to)),
		(int)len);
	close(fd);
}

START_TEST(only_the_kernel_is_believed)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg info;
		struct nlattr attr;
		char name[16];
	} link = {
		.head = { .nlmsg_len = sizeof(link), .nlmsg_type = RTM_NEWLINK },
		.info = { .ifi_index = 99 },
		.attr = { .nla_len = sizeof(link.attr) + 16, .nla_type = IFLA_IFNAME },
		.name = "evil0",
	};
	static const char uevent[] = "add@/devices/x\0ACTION=add\0DEVPATH=/devices/x\0"
				     "SUBSYSTEM=pci";

	forge(mon->rt, NETLINK_ROUTE, RTNLGRP_LINK, &link, sizeof(link));
	forge(mon->uevent, NETLINK_KOBJECT_UEVENT, 1, uevent, sizeof(uevent));
	ck_assert(readable());
	ck_assert_int_eq(vtc_monitor_dispatch(mon), 0);
	ck_assert(!mon->stale);
	expect("");
}
END_TEST

/* The nics whose interface is in the namespace that the tests leave. */
static char left_behind[16][VTC__ADDRESS_LEN];
static size_t left_count;

static void note_what_is_left_behind(void)
{
	struct vtc_inventory *inventory = NULL;
	const struct vtc_nic *nic = NULL;
	struct vtc_ctx *before;

	if (vtc_ctx_new(NULL, &before) < 0)
		vtct_die("no context");
	vtc_inventory_new(before, NULL, &inventory);
	while ((nic = vtc_nic_foreach_next(inventory, nic)) && left_count < 16) {
		if (strcmp(vtc_nic_get_bus(nic), "pci") == 0 &&
		    vtc_netdev_foreach_next(nic, NULL))
			strcpy(left_behind[left_count++], vtc_nic_get_address(nic));
	}
	vtc_inventory_free(inventory);
	vtc_ctx_unref(before);
}

START_TEST(a_nic_whose_interface_is_elsewhere_is_hidden)
{
	struct vtc_inventory *inventory;
	const struct vtc_nic *nic;
	enum vtc_nic_use use;

	if (!left_count)
		vtct_skip("this machine has no interface on PCI");
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("sysfs", "/sys", "sysfs", 0, NULL) < 0)
		vtct_skip("sysfs cannot be mounted: %s", strerror(errno));
	ck_assert_errno(vtc_inventory_new(ctx, NULL, &inventory), 0);
	for (size_t i = 0; i < left_count; i++) {
		ck_assert_errno(vtc_inventory_find(inventory, left_behind[i], &nic), 0);
		ck_assert_ptr_null(vtc_netdev_foreach_next(nic, NULL));
		ck_assert_int_eq(vtc_nic_get_use(nic, &use), 1);
		ck_assert_int_eq(use, VTC_NIC_USE_HIDDEN);
	}
	vtc_inventory_free(inventory);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("monitor");
	TCase *tcase = tcase_create("monitor");

	note_what_is_left_behind();
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, a_link_comes_changes_and_goes);
	tcase_add_test(tcase, a_bridge_port_stays_a_link);
	tcase_add_test(tcase, carrier_follows_the_peer);
	tcase_add_test(tcase, a_link_that_leaves_the_namespace_is_removed);
	tcase_add_test(tcase, a_flood_loses_nothing_that_lasts);
	tcase_add_test(tcase, only_the_kernel_is_believed);
	tcase_add_test(tcase, a_nic_whose_interface_is_elsewhere_is_hidden);
	suite_add_tcase(suite, tcase);
	return vtct_main(suite, NULL);
}
