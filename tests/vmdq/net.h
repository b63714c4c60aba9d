/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A little network for tests of pools: namespaces of the test's own, commands in them,
 * interfaces that frames go in and come out at, and a text of all that pools may change.
 */
#ifndef NET_H
#define NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Move this process into a network and a mount namespace, with /sys and a BPF file system
 * that belong to them. The running test is skipped with the reason where that is
 * forbidden.
 */
void net_enter(void);

/* Run a command line; anything but success ends the test (or the program). */
void net_run(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same for what may fail: its exit code. */
int net_try(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- Frames ---- */

#define NET_VLAN_NONE (-1)

/* An Ethernet frame of 64 bytes; all but the receiver and the number is made up. */
struct net_frame {
	uint8_t to[6];
	int vlan;	 /* NET_VLAN_NONE: no tag */
	uint32_t number; /* told apart by it */
};

/* A packet socket: frames that are sent here leave by the interface. */
int net_open_packet(const char *name);
/* A tap of this name; frames that the kernel sends to it are read here. */
int net_open_tap(const char *name);
void net_send(int fd, const struct net_frame *frame);
/*
 * Take frames until one has this number: true, and whether its tag is as it was sent;
 * false: it did not come within 10 seconds. Frames of other numbers are counted.
 */
bool net_receive(int fd, const struct net_frame *frame, unsigned int *ret_others);

/* ---- What there is ---- */

/*
 * Everything of the interfaces of this namespace that pools may change, as text: links,
 * queueing, filters, addresses, channels, features, flow rules, and the files of the
 * state directory. Numbers that the kernel deals out anew each time are left out. The
 * caller frees it.
 */
char *net_snapshot(const char *nic, const char *state_dir);
/* Where they differ, for a message: the first differing line of both. */
const char *net_difference(const char *before, const char *after);

#endif
