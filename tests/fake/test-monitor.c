/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The monitor on a kernel that drops, repeats, reorders and garbles its broadcasts. */
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vtc/vtc.h>

#include "core/sys.h"
#include "fakekernel.h"
#include "vtct.h"

#define BUS_DIR "devices/pci0000:00/0000:00:01.0"
#define PF_DIR	BUS_DIR "/0000:01:00.0"
#define VF_DIR	BUS_DIR "/0000:01:10.0"

static struct vtct_tree *tree;
static struct vtct_kernel *k;
static struct vtct_pf *pf;
static struct vtc_ctx *ctx;
static struct vtc_monitor *mon;

/* What the callback was told, one line for each event. */
static char told[32768];

static void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void tell(const char *format, ...)
{
	size_t len = strlen(told);
	va_list ap;

	va_start(ap, format);
	vsnprintf(told + len, sizeof(told) - len, format, ap);
	va_end(ap);
}

static void on_event(void *data, const struct vtc_event *event)
{
	const char *text;
	uint32_t index;
	int n, up, carrier;

	ck_assert_ptr_eq(data, &told);
	tell("%s", vtc_event_type_name(vtc_event_get_type(event)));
	if (vtc_event_get_ifname(event, &text) == 1)
		tell(" %u:%s", vtc_event_get_ifindex(event), text);
	if (vtc_event_get_link_state(event, &up, &carrier) == 1)
		tell(" %s%s", up ? "up" : "down", carrier ? "+" : "");
	n = vtc_event_get_address(event, &text);
	if (n)
		tell(" @%s", n == 1 ? text : "?");
	n = vtc_event_get_vf(event, &text, &index);
	if (n == 1)
		tell(" vf %u of %s", index, text);
	if (n < 0)
		tell(" vf ?");
	tell("\n");
}

static void set_up(void)
{
	tree = vtct_tree_new();
	k = vtct_kernel_new(tree);
	pf = vtct_kernel_igb(k, 0);
	ctx = vtct_kernel_ctx(k);
	mon = NULL;
	told[0] = '\0';
}

static void tear_down(void)
{
	vtc_monitor_close(mon);
	vtc_ctx_unref(ctx);
	vtct_kernel_free(k);
	vtct_tree_free(tree);
}

static void start(void)
{
	ck_assert_errno(vtc_monitor_open(ctx, on_event, &told, &mon), 0);
	ck_assert_str_eq(told, "");
}

static bool readable(void)
{
	struct pollfd pollfd = { .fd = vtc_monitor_get_fd(mon), .events = POLLIN };

	return poll(&pollfd, 1, 0) == 1;
}

/* Dispatch until nothing is left, and compare with what was told. */
static void expect(const char *lines)
{
	int events = 0, counted = 0;

	for (int i = 0; i < 100 && readable(); i++) {
		int n = vtc_monitor_dispatch(mon);

		ck_assert_int_ge(n, 0);
		events += n;
	}
	ck_assert(!readable());
	ck_assert_str_eq(told, lines);
	for (const char *at = told; (at = strchr(at, '\n')); at++)
		counted++;
	ck_assert_int_eq(events, counted);
	told[0] = '\0';
}

static void write_num_vfs(const char *text)
{
	char path[VTCT_PATH_MAX];

	snprintf(path, sizeof(path), "%s/bus/pci/devices/0000:01:00.0/sriov_numvfs",
		 tree->root);
	ck_assert_int_eq(vtct_sys.write(k, path, text, strlen(text)), 0);
}

static struct vtct_link a_link = {
	.ifindex = 50,
	.name = "dummy0",
	.mac = { 2, 0, 0, 0, 0, 1 },
	.mtu = 1500,
};

START_TEST(what_is_there_is_known_silently)
{
	vtct_create_vfs(k, pf, 3);
	start();
	ck_assert(!readable());
	ck_assert_int_eq(vtc_monitor_dispatch(mon), 0);
	expect("");
}
END_TEST

START_TEST(a_link_comes_changes_and_goes)
{
	struct vtct_link link = a_link;

	start();
	vtct_link_set(k, &link, true);
	expect("link-added 50:dummy0 down @?\n");
	vtct_link_set(k, &link, true);
	expect("");
	link.up = true;
	vtct_link_set(k, &link, true);
	expect("link-changed 50:dummy0 up @?\n");
	link.carrier = true;
	vtct_link_set(k, &link, true);
	expect("link-changed 50:dummy0 up+ @?\n");
	link.mtu = 9000;
	vtct_link_set(k, &link, true);
	expect("link-changed 50:dummy0 up+ @?\n");
	link.mac[5] = 9;
	vtct_link_set(k, &link, true);
	expect("link-changed 50:dummy0 up+ @?\n");
	strcpy(link.name, "lan0");
	vtct_link_set(k, &link, true);
	expect("link-changed 50:lan0 up+ @?\n");
	vtct_link_remove(k, 50, true);
	expect("link-removed 50:lan0 @?\n");
}
END_TEST

START_TEST(links_know_their_device)
{
	struct vtct_link link = a_link;

	start();
	vtct_tree_add(tree, "class/net/dummy0/ifindex = 50");
	vtct_link_set(k, &link, true);
	expect("link-added 50:dummy0 down\n"); /* none */

	link.ifindex = 51; /* the name is another one's by now */
	vtct_link_set(k, &link, true);
	expect("link-added 51:dummy0 down @?\n");

	link.ifindex = 52;
	strcpy(link.name, "eth9");
	vtct_tree_add_netdev(tree, PF_DIR "/virtio7", "eth9", 52, link.mac, false);
	vtct_link_set(k, &link, true);
	expect("link-added 52:eth9 down @0000:01:00.0\n");
	vtct_tree_remove_netdev(tree, PF_DIR "/virtio7", "eth9");
	vtct_link_remove(k, 52, true);
	expect("link-removed 52:eth9 @0000:01:00.0\n"); /* remembered */
}
END_TEST

START_TEST(a_device_that_was_unknown_is_asked_for_again)
{
	struct vtct_link link = a_link;

	start();
	vtct_link_set(k, &link, true);
	expect("link-added 50:dummy0 down @?\n");
	vtct_tree_add(tree, "class/net/lan0/ifindex = 50");
	strcpy(link.name, "lan0");
	vtct_link_set(k, &link, true);
	expect("link-changed 50:lan0 down\n");
}
END_TEST

/* One RTM_NEWLINK or _DELLINK of our own making; mtu 0, name NULL: without. */
static void broadcast(uint16_t type, uint8_t family, int ifindex, const char *name)
{
	struct ifinfomsg head = { .ifi_family = family, .ifi_index = ifindex };
	struct vtct_buf buf = VTCT_BUF_INIT;
	size_t msg = vtct_msg(&buf, type, 0, 0, &head, sizeof(head));

	if (name)
		vtct_put_str(&buf, IFLA_IFNAME, name);
	vtct_msg_end(&buf, msg);
	vtct_broadcast(k, NETLINK_ROUTE, RTNLGRP_LINK, buf.data, buf.len);
	vtct_buf_free(&buf);
}

START_TEST(messages_about_something_else_are_ignored)
{
	start();
	broadcast(RTM_NEWLINK, AF_BRIDGE, 3, "enp1s0f0");
	broadcast(RTM_DELLINK, AF_BRIDGE, 3, "enp1s0f0"); /* left a bridge, that is all */
	broadcast(RTM_NEWLINK, AF_UNSPEC, 3, NULL);	  /* a wireless event */
	broadcast(RTM_NEWADDR, AF_UNSPEC, 60, "eth60");
	broadcast(RTM_NEWLINK, AF_UNSPEC, 0, "eth60");
	broadcast(RTM_NEWLINK, AF_UNSPEC, -1, "eth60");
	broadcast(RTM_NEWLINK, AF_UNSPEC, 60, "a-name-of-16-char");
	broadcast(RTM_DELLINK, AF_UNSPEC, 60, "eth60"); /* never heard of */
	expect("");
}
END_TEST

START_TEST(garbled_messages_are_ignored)
{
	struct ifinfomsg head = { .ifi_index = 61 };
	struct vtct_buf buf = VTCT_BUF_INIT;
	struct nlmsghdr *msg;

	start();
	vtct_msg_end(&buf, vtct_msg(&buf, RTM_NEWLINK, 0, 0, &head, 4)); /* short head */
	vtct_broadcast(k, NETLINK_ROUTE, RTNLGRP_LINK, buf.data, buf.len);

	buf.len = 0;
	vtct_msg(&buf, RTM_NEWLINK, 0, 0, &head, sizeof(head));
	vtct_put(&buf, IFLA_IFNAME, "eth6", 4); /* no NUL */
	msg = (void *)buf.data;
	msg->nlmsg_len = (uint32_t)buf.len;
	vtct_broadcast(k, NETLINK_ROUTE, RTNLGRP_LINK, buf.data, buf.len);

	buf.len = 0;
	vtct_msg(&buf, RTM_NEWLINK, 0, 0, &head, sizeof(head));
	vtct_put_str(&buf, IFLA_IFNAME, "eth61");
	msg = (void *)buf.data;
	/* Cut within the name (padding follows), with a length that says so, or not. */
	for (uint32_t len = 0; len < buf.len - 2; len++) {
		msg->nlmsg_len = len;
		vtct_broadcast(k, NETLINK_ROUTE, RTNLGRP_LINK, buf.data, len);
	}
	msg->nlmsg_len = (uint32_t)buf.len + 4;
	vtct_broadcast(k, NETLINK_ROUTE, RTNLGRP_LINK, buf.data, buf.len);
	expect("");
	vtct_buf_free(&buf);
}
END_TEST

START_TEST(vfs_come_with_their_index_and_go)
{
	pf->vf_driver[0] = '\0';
	start();
	write_num_vfs("3");
	expect("vf-added @0000:01:10.0 vf 0 of 0000:01:00.0\n"
	       "vf-added @0000:01:10.2 vf 1 of 0000:01:00.0\n"
	       "vf-added @0000:01:10.4 vf 2 of 0000:01:00.0\n");
	write_num_vfs("0");
	expect("vf-removed @0000:01:10.4 vf 2 of 0000:01:00.0\n"
	       "vf-removed @0000:01:10.2 vf 1 of 0000:01:00.0\n"
	       "vf-removed @0000:01:10.0 vf 0 of 0000:01:00.0\n");
}
END_TEST

START_TEST(a_vf_that_is_replaced_goes_and_comes)
{
	vtct_create_vfs(k, pf, 1);
	start();
	vtct_uevent(k, "remove", VF_DIR, "pci", NULL);
	vtct_uevent(k, "add", VF_DIR, "pci", NULL);
	expect("vf-removed @0000:01:10.0 vf 0 of 0000:01:00.0\n"
	       "vf-added @0000:01:10.0 vf 0 of 0000:01:00.0\n");
}
END_TEST

START_TEST(links_between_pf_and_vf_may_come_later)
{
	start();
	vtct_tree_add_vf(tree, pf, 0);
	vtct_tree_remove(tree, VF_DIR "/physfn");
	vtct_tree_remove(tree, PF_DIR "/virtfn0");
	vtct_uevent(k, "add", VF_DIR, "pci", NULL);
	expect("");
	vtct_tree_add(tree,
		      VF_DIR "/physfn -> " PF_DIR "\n" PF_DIR "/virtfn0 -> " VF_DIR);
	vtct_uevent(k, "change", PF_DIR, "pci", NULL);
	expect("vf-added @0000:01:10.0 vf 0 of 0000:01:00.0\n");
}
END_TEST

START_TEST(an_index_may_be_unknown)
{
	start();
	vtct_tree_add_vf(tree, pf, 0);
	vtct_tree_remove(tree, PF_DIR "/virtfn0");
	vtct_uevent(k, "add", VF_DIR, "pci", NULL);
	expect("vf-added @0000:01:10.0 vf ?\n");
	vtct_tree_add(tree, PF_DIR "/virtfn0 -> " VF_DIR);
	vtct_uevent(k, "change", PF_DIR, "pci", NULL);
	expect("");
	/* While it goes, the link to it goes first. */
	vtct_tree_remove(tree, PF_DIR "/virtfn0");
	vtct_uevent(k, "change", PF_DIR, "pci", NULL);
	expect("");
	vtct_tree_remove_vf(tree, pf, 0);
	vtct_uevent(k, "remove", VF_DIR, "pci", NULL);
	expect("vf-removed @0000:01:10.0 vf 0 of 0000:01:00.0\n");
}
END_TEST

START_TEST(hot_unplug_tells_all)
{
	pf->vf_netdevs = false;
	vtct_create_vfs(k, pf, 2);
	start();
	vtct_unplug(k, pf);
	while (readable())
		ck_assert_int_ge(vtc_monitor_dispatch(mon), 0);
	ck_assert_ptr_nonnull(strstr(told, "link-removed 3:enp1s0f0 @0000:01:00.0\n"));
	ck_assert_ptr_nonnull(strstr(told,
				     "vf-removed @0000:01:10.2 vf 1 of 0000:01:00.0\n"
				     "vf-removed @0000:01:10.0 vf 0 of 0000:01:00.0\n"
				     "pf-gone @0000:01:00.0\n"));
}
END_TEST

START_TEST(no_vf_outlives_its_pf)
{
	vtct_create_vfs(k, pf, 2);
	start();
	vtct_uevent(k, "remove", PF_DIR, "pci", NULL);
	vtct_uevent(k, "remove", VF_DIR, "pci", NULL); /* the late messenger */
	expect("vf-removed @0000:01:10.2 vf 1 of 0000:01:00.0\n"
	       "vf-removed @0000:01:10.0 vf 0 of 0000:01:00.0\n"
	       "pf-gone @0000:01:00.0\n");
}
END_TEST

START_TEST(a_pf_that_was_plugged_in_later_is_known)
{
	start();
	vtct_kernel_igb(k, 1);
	vtct_uevent(k, "add", BUS_DIR "/0000:01:00.1", "pci", NULL);
	expect("");
	vtct_uevent(k, "remove", BUS_DIR "/0000:01:00.1", "pci", NULL);
	expect("pf-gone @0000:01:00.1\n");
}
END_TEST

START_TEST(uevents_of_others_are_ignored)
{
	static const char udev[] =
		"libudev\0\376\355\312\376ACTION=remove\0SUBSYSTEM=pci\0"
		"DEVPATH=/x\0PCI_SLOT_NAME=0000:01:10.0";
	static const char bare[] = "remove@/" VF_DIR;
	static const char open_end[] = { 'r', '@', '/', 'x', 0, 'A', 'C' };

	vtct_create_vfs(k, pf, 1);
	start();
	vtct_broadcast(k, NETLINK_KOBJECT_UEVENT, 1, udev, sizeof(udev));
	vtct_broadcast(k, NETLINK_KOBJECT_UEVENT, 1, bare, sizeof(bare));
	vtct_broadcast(k, NETLINK_KOBJECT_UEVENT, 1, open_end, sizeof(open_end));
	vtct_broadcast(k, NETLINK_KOBJECT_UEVENT, 1, "", 0);
	vtct_uevent(k, "remove", VF_DIR, "usb", "PCI_SLOT_NAME=0000:01:10.0");
	vtct_uevent(k, "bind", VF_DIR, "pci", NULL);
	vtct_uevent(k, "remove", BUS_DIR "/0000:77:00.0", "pci", NULL);
	vtct_uevent(k, "remove", BUS_DIR "/nonsense", "pci", NULL);
	expect("");
}
END_TEST

START_TEST(lost_link_messages_are_made_good)
{
	struct vtct_link link = a_link;

	vtct_link_set(k, &link, false);
	start();
	link.up = true;
	vtct_link_set(k, &link, false);
	vtct_link_remove(k, 3, false);
	link.ifindex = 40;
	strcpy(link.name, "new0");
	vtct_link_set(k, &link, false);
	vtct_overrun(k, NETLINK_ROUTE);
	expect("link-removed 3:enp1s0f0 @0000:01:00.0\n"
	       "link-added 40:new0 up @?\n"
	       "link-changed 50:dummy0 up @?\n"
	       "resync\n");
	vtct_overrun(k, NETLINK_ROUTE);
	expect("resync\n");
}
END_TEST

START_TEST(lost_uevents_are_made_good)
{
	struct vtct_pf *second = vtct_kernel_igb(k, 1);

	pf->vf_netdevs = second->vf_netdevs = false;
	vtct_create_vfs(k, pf, 1);
	start();
	vtct_tree_remove_vf(tree, pf, 0);
	vtct_tree_remove_pf(tree, pf);
	vtct_create_vfs(k, second, 1);
	vtct_overrun(k, NETLINK_KOBJECT_UEVENT);
	expect("vf-removed @0000:01:10.0 vf 0 of 0000:01:00.0\n"
	       "pf-gone @0000:01:00.0\n"
	       "vf-added @0000:01:10.1 vf 0 of 0000:01:00.1\n"
	       "resync\n");
}
END_TEST

/* What lies in the queue is older than what a resync reads: it must be told first. */
START_TEST(resync_comes_after_what_is_queued)
{
	struct vtct_link link = a_link;

	start();
	vtct_overrun(k, NETLINK_ROUTE);
	for (uint32_t i = 0; i < 70; i++) {
		link.ifindex = 100 + i;
		snprintf(link.name, sizeof(link.name), "d%u", i);
		vtct_link_set(k, &link, true);
	}
	vtct_link_remove(k, 100, false);		 /* lost: d0 must not come back */
	ck_assert_int_eq(vtc_monitor_dispatch(mon), 63); /* the loss is one of the 64 */
	ck_assert_ptr_null(strstr(told, "resync"));
	ck_assert(readable());
	ck_assert_int_eq(vtc_monitor_dispatch(mon), 7 + 2);
	ck_assert(!readable());
	ck_assert_ptr_nonnull(strstr(told, "link-removed 100:d0 @?\nresync\n"));
	told[0] = '\0';
	expect("");
}
END_TEST

START_TEST(a_flood_is_taken_in_portions)
{
	struct vtct_link link = a_link;

	start();
	for (uint32_t i = 0; i < 100; i++) {
		link.ifindex = 100 + i;
		snprintf(link.name, sizeof(link.name), "d%u", i);
		vtct_link_set(k, &link, true);
	}
	ck_assert_int_eq(vtc_monitor_dispatch(mon), 64);
	ck_assert(readable());
	ck_assert_int_eq(vtc_monitor_dispatch(mon), 36);
	ck_assert(!readable());
	told[0] = '\0';
}
END_TEST

/* One message in two is a uevent, and neither kind has to wait for the other to end. */
START_TEST(both_kinds_get_their_turn)
{
	struct vtct_link link = a_link;

	vtct_create_vfs(k, pf, 1);
	start();
	for (uint32_t i = 0; i < 100; i++) {
		link.mtu++;
		vtct_link_set(k, &link, true);
	}
	vtct_uevent(k, "remove", VF_DIR, "pci", NULL);
	ck_assert_int_eq(vtc_monitor_dispatch(mon), 64);
	ck_assert_ptr_nonnull(strstr(told, "vf-removed"));
}
END_TEST

static void script_interrupted(void)
{
	struct ifinfomsg head = { .ifi_index = 70 };
	struct vtct_buf buf = VTCT_BUF_INIT;
	const int zero = 0;
	size_t msg = vtct_msg(&buf, RTM_NEWLINK, NLM_F_MULTI | NLM_F_DUMP_INTR, 0, &head,
			      sizeof(head));

	vtct_put_str(&buf, IFLA_IFNAME, "half0");
	vtct_msg_end(&buf, msg);
	msg = vtct_msg(&buf, NLMSG_DONE, NLM_F_MULTI, 0, &zero, sizeof(zero));
	vtct_msg_end(&buf, msg);
	vtct_script_data(vtct_script(k, RTM_GETLINK, 0), buf.data, buf.len, true);
	vtct_buf_free(&buf);
}

START_TEST(an_interrupted_dump_is_begun_anew)
{
	start();
	script_interrupted();
	vtct_overrun(k, NETLINK_ROUTE);
	expect("resync\n");
	ck_assert_uint_eq(vtct_scripts_left(k), 0);
}
END_TEST

START_TEST(a_dump_that_never_settles_is_left_for_later)
{
	start();
	for (int i = 0; i < 8; i++)
		script_interrupted();
	vtct_overrun(k, NETLINK_ROUTE);
	ck_assert_errno(vtc_monitor_dispatch(mon), -EAGAIN);
	ck_assert_str_eq(told, "");
	ck_assert_uint_eq(vtct_scripts_left(k), 0);
	ck_assert(readable()); /* there is work left, though no message */
	expect("resync\n");
}
END_TEST

START_TEST(a_resync_that_fails_is_made_good)
{
	struct vtct_link link = a_link;

	start();
	vtct_link_set(k, &link, false);
	vtct_create_vfs(k, pf, 1);
	vtct_overrun(k, NETLINK_ROUTE);
	vtct_script_ack(vtct_script(k, RTM_GETLINK, 0), -EPERM, "not today");
	ck_assert_errno(vtc_monitor_dispatch(mon), -EPERM);
	ck_assert_int_eq(vtc_error_get_code(vtc_ctx_last_error(ctx)), -EPERM);
	ck_assert_str_eq(vtc_error_get_operation(vtc_ctx_last_error(ctx)),
			 "dispatch events");
	ck_assert_str_eq(told, "");

	vtct_fail_path(k, VTCT_LIST, "bus/pci/devices", -EIO);
	ck_assert_errno(vtc_monitor_dispatch(mon), -EIO);
	ck_assert_ptr_nonnull(strstr(told, "link-added 50:dummy0"));
	ck_assert_ptr_null(strstr(told, "resync"));
	told[0] = '\0';

	vtct_fail_clear(k);
	expect("vf-added @0000:01:10.0 vf 0 of 0000:01:00.0\nresync\n");
}
END_TEST

START_TEST(nothing_is_lost_when_receiving_fails)
{
	static const int errors[] = { -ENOMEM, -EIO };

	start();
	for (size_t i = 0; i < 2; i++) {
		struct vtct_link link = a_link;

		link.ifindex += (uint32_t)i;
		vtct_link_set(k, &link, true);
		vtct_fail_nth(k, VTCT_NL_RECV, 2, errors[i]); /* after the peek */
		ck_assert_errno(vtc_monitor_dispatch(mon), errors[i]);
		ck_assert(readable());
		ck_assert_int_ge(vtc_monitor_dispatch(mon), 2);
		ck_assert_ptr_nonnull(strstr(told, "link-added"));
		ck_assert_ptr_nonnull(strstr(told, "resync"));
		told[0] = '\0';
		expect("");
	}
}
END_TEST

START_TEST(interrupted_receiving_is_no_loss)
{
	start();
	vtct_link_set(k, &a_link, true);
	vtct_fail_nth(k, VTCT_NL_RECV, 1, -EINTR);
	expect("link-added 50:dummy0 down @?\n");
}
END_TEST

START_TEST(opening_fails_cleanly)
{
	static const enum vtct_call calls[] = {
		VTCT_NL_OPEN, VTCT_NL_OPEN, VTCT_NL_OPEN,
		VTCT_NL_JOIN, VTCT_NL_JOIN, VTCT_NL_SEND
	};
	static const unsigned int nth[] = { 1, 2, 3, 1, 2, 1 };
	int fds = vtct_count_fds();

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		vtct_fail_nth(k, calls[i], nth[i], -EMFILE);
		ck_assert_errno(vtc_monitor_open(ctx, on_event, NULL, &mon), -EMFILE);
		ck_assert_ptr_null(mon);
		ck_assert_int_eq(vtc_error_get_code(vtc_ctx_last_error(ctx)), -EMFILE);
		vtct_fail_clear(k);
	}
	/* The context keeps its connection for requests. */
	ck_assert_int_le(vtct_count_fds(), fds + 1);
	start();
}
END_TEST

START_TEST(without_pci_there_are_links)
{
	vtct_tree_remove(tree, "bus/pci");
	start();
	vtct_link_set(k, &a_link, true);
	expect("link-added 50:dummy0 down @?\n");
}
END_TEST

static void nosy(void *data, const struct vtc_event *event)
{
	struct vtc_inventory_opts opts = VTC_INVENTORY_OPTS_INIT;
	struct vtc_inventory *inventory;

	on_event(data, event);
	opts.flags = VTC_INVENTORY_F_CAPS;
	ck_assert_errno(vtc_inventory_new(ctx, &opts, &inventory), 0);
	vtc_inventory_free(inventory);
	ck_assert_errno(vtc_monitor_dispatch(mon), -EBUSY);
	vtc_monitor_close(mon); /* forbidden, and has no effect */
	ck_assert_int_ge(vtc_monitor_get_fd(mon), 0);
}

START_TEST(the_callback_may_use_the_library)
{
	struct vtct_link link = a_link;

	ck_assert_errno(vtc_monitor_open(ctx, nosy, &told, &mon), 0);
	vtct_link_set(k, &link, true);
	expect("link-added 50:dummy0 down @?\n");
	link.up = true;
	vtct_link_set(k, &link, false);
	vtct_overrun(k, NETLINK_ROUTE);
	expect("link-changed 50:dummy0 up @?\nresync\n");
}
END_TEST

START_TEST(a_monitor_keeps_its_context)
{
	start();
	ctx = vtc_ctx_unref(ctx);
	vtct_link_set(k, &a_link, true);
	expect("link-added 50:dummy0 down @?\n");
}
END_TEST

START_TEST(null_is_an_error_everywhere)
{
	const char *text;
	uint32_t n;
	int i;

	ck_assert_errno(vtc_monitor_open(NULL, on_event, NULL, &mon), -EINVAL);
	ck_assert_errno(vtc_monitor_open(ctx, NULL, NULL, &mon), -EINVAL);
	ck_assert_str_eq(vtc_error_get_subject(vtc_ctx_last_error(ctx)), "fn");
	ck_assert_errno(vtc_monitor_open(ctx, on_event, NULL, NULL), -EINVAL);
	ck_assert_ptr_null(mon);
	vtc_monitor_close(NULL);
	ck_assert_errno(vtc_monitor_get_fd(NULL), -EINVAL);
	ck_assert_errno(vtc_monitor_dispatch(NULL), -EINVAL);
	ck_assert_int_eq(vtc_event_get_type(NULL), 0);
	ck_assert_uint_eq(vtc_event_get_ifindex(NULL), 0);
	ck_assert_errno(vtc_event_get_ifname(NULL, &text), -EINVAL);
	ck_assert_errno(vtc_event_get_link_state(NULL, &i, &i), -EINVAL);
	ck_assert_errno(vtc_event_get_address(NULL, &text), -EINVAL);
	ck_assert_errno(vtc_event_get_vf(NULL, &text, &n), -EINVAL);
}
END_TEST

static void ask_wrongly(void *data, const struct vtc_event *event)
{
	const char *text;
	uint32_t n;
	int i;

	(*(int *)data)++;
	ck_assert_errno(vtc_event_get_ifname(event, NULL), -EINVAL);
	ck_assert_errno(vtc_event_get_link_state(event, NULL, &i), -EINVAL);
	ck_assert_errno(vtc_event_get_link_state(event, &i, NULL), -EINVAL);
	ck_assert_errno(vtc_event_get_address(event, NULL), -EINVAL);
	ck_assert_errno(vtc_event_get_vf(event, NULL, &n), -EINVAL);
	ck_assert_errno(vtc_event_get_vf(event, &text, NULL), -EINVAL);
}

START_TEST(getters_of_an_event_check_their_places)
{
	int events = 0;

	ck_assert_errno(vtc_monitor_open(ctx, ask_wrongly, &events, &mon), 0);
	vtct_link_set(k, &a_link, true);
	ck_assert_int_eq(vtc_monitor_dispatch(mon), 1);
	ck_assert_int_eq(events, 1);
}
END_TEST

START_TEST(types_have_names)
{
	ck_assert_str_eq(vtc_event_type_name(VTC_EVENT_LINK_ADDED), "link-added");
	ck_assert_str_eq(vtc_event_type_name(VTC_EVENT_RESYNC), "resync");
	ck_assert_str_eq(vtc_event_type_name((enum vtc_event_type)0), "unknown");
	ck_assert_str_eq(vtc_event_type_name((enum vtc_event_type)8), "unknown");
	ck_assert_str_eq(vtc_event_type_name((enum vtc_event_type) - 1), "unknown");
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, what_is_there_is_known_silently);
	tcase_add_test(tcase, a_link_comes_changes_and_goes);
	tcase_add_test(tcase, links_know_their_device);
	tcase_add_test(tcase, a_device_that_was_unknown_is_asked_for_again);
	tcase_add_test(tcase, messages_about_something_else_are_ignored);
	tcase_add_test(tcase, garbled_messages_are_ignored);
	tcase_add_test(tcase, vfs_come_with_their_index_and_go);
	tcase_add_test(tcase, a_vf_that_is_replaced_goes_and_comes);
	tcase_add_test(tcase, links_between_pf_and_vf_may_come_later);
	tcase_add_test(tcase, an_index_may_be_unknown);
	tcase_add_test(tcase, hot_unplug_tells_all);
	tcase_add_test(tcase, no_vf_outlives_its_pf);
	tcase_add_test(tcase, a_pf_that_was_plugged_in_later_is_known);
	tcase_add_test(tcase, uevents_of_others_are_ignored);
	tcase_add_test(tcase, lost_link_messages_are_made_good);
	tcase_add_test(tcase, lost_uevents_are_made_good);
	tcase_add_test(tcase, resync_comes_after_what_is_queued);
	tcase_add_test(tcase, a_flood_is_taken_in_portions);
	tcase_add_test(tcase, both_kinds_get_their_turn);
	tcase_add_test(tcase, an_interrupted_dump_is_begun_anew);
	tcase_add_test(tcase, a_dump_that_never_settles_is_left_for_later);
	tcase_add_test(tcase, a_resync_that_fails_is_made_good);
	tcase_add_test(tcase, nothing_is_lost_when_receiving_fails);
	tcase_add_test(tcase, interrupted_receiving_is_no_loss);
	tcase_add_test(tcase, opening_fails_cleanly);
	tcase_add_test(tcase, without_pci_there_are_links);
	tcase_add_test(tcase, the_callback_may_use_the_library);
	tcase_add_test(tcase, a_monitor_keeps_its_context);
	tcase_add_test(tcase, null_is_an_error_everywhere);
	tcase_add_test(tcase, getters_of_an_event_check_their_places);
	tcase_add_test(tcase, types_have_names);
}

int main(void)
{
	Suite *suite = suite_create("monitor");
	TCase *tcase = tcase_create("monitor");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	add_tests(tcase);
	suite_add_tcase(suite, tcase);
	return vtct_main(suite, NULL);
}
