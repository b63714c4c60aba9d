/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A stand-in for the kernel behind struct vtc__sys: files are those of a tree, with the
 * store functions of SR-IOV behind them; rtnetlink and generic netlink answer as the
 * kernel would; every step can be made to fail; time passes only by waiting. For fault
 * injection alone: README.md says where it is not the kernel.
 *
 *	struct vtct_tree *tree = vtct_tree_new();
 *	struct vtct_kernel *k = vtct_kernel_new(tree);
 *	struct vtct_pf *pf = vtct_kernel_igb(k, 0);
 *	struct vtc_ctx *ctx = vtct_kernel_ctx(k);
 *	...
 *	vtc_ctx_unref(ctx);
 *	vtct_kernel_free(k);
 *	vtct_tree_free(tree);
 */
#ifndef VTCT_FAKEKERNEL_H
#define VTCT_FAKEKERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vtc/ctx.h>

#include "buf.h"
#include "device.h"
#include "tree.h"

#define VTCT_MAX_PFS   4
#define VTCT_NS_PER_MS 1000000ull

struct vtct_kernel;

struct vtct_kernel *vtct_kernel_new(struct vtct_tree *tree);
/*
 * After the last vtc_ctx_unref(); it is an error of the test if a descriptor is still
 * open.
 */
void vtct_kernel_free(struct vtct_kernel *k);

/* A context on this kernel. opts may be NULL; its paths are replaced by the tree's. */
struct vtc_ctx *vtct_kernel_ctx(struct vtct_kernel *k);
struct vtc_ctx *vtct_kernel_ctx_opts(struct vtct_kernel *k,
				     const struct vtc_ctx_opts *opts);
/* The tree's sysfs root, for contexts that a test makes itself. */
const char *vtct_kernel_root(const struct vtct_kernel *k);
/* What vtc__ctx_new() wants, for tests that call it themselves; priv is the kernel. */
extern const struct vtc__sys vtct_sys;

/* ---- Devices ---- */

/*
 * Add a PF, to the tree as well: igb, netdevsim, or one that the test described (it is
 * copied).
 */
struct vtct_pf *vtct_kernel_igb(struct vtct_kernel *k, unsigned int port);
struct vtct_pf *vtct_kernel_netdevsim(struct vtct_kernel *k, unsigned int id);
struct vtct_pf *vtct_kernel_add_pf(struct vtct_kernel *k, const struct vtct_pf *pf);
/* virtio-net, which is no PF. */
void vtct_kernel_virtio(struct vtct_kernel *k);

/* Go straight to this many VFs, with drivers and netdevs, without a broadcast. */
void vtct_create_vfs(struct vtct_kernel *k, struct vtct_pf *pf, uint32_t count);
/*
 * Somebody else writes to sriov_numvfs: VFs come and go with all broadcasts. The kernel's
 * result.
 */
int vtct_write_num_vfs(struct vtct_kernel *k, struct vtct_pf *pf, uint32_t count);
/* Take the PF and its VFs away, as hot-unplug does: broadcasts, files, everything. */
void vtct_unplug(struct vtct_kernel *k, struct vtct_pf *pf);

/*
 * All that the kernel and drivers hold of a PF, as text: number of VFs, autoprobe, up,
 * and each VF's attributes. To compare before and after. The caller frees it.
 */
char *vtct_pf_state(const struct vtct_pf *pf);

/* ---- Network interfaces that are no PF's ---- */

struct vtct_link {
	uint32_t ifindex;
	char name[16];
	uint8_t mac[6];
	uint32_t mtu;
	bool up, carrier;
	char parent_bus[16], parent[32]; /* "": none */
};

/* Add or replace one by its index, with or without its broadcast. No files are made. */
void vtct_link_set(struct vtct_kernel *k, const struct vtct_link *link, bool broadcast);
void vtct_link_remove(struct vtct_kernel *k, uint32_t ifindex, bool broadcast);
/* NULL: there is none. */
struct vtct_link *vtct_link_find(struct vtct_kernel *k, uint32_t ifindex);

/* ---- Faults ---- */

enum vtct_call {
	VTCT_READ,
	VTCT_WRITE,
	VTCT_READLINK,
	VTCT_REALPATH,
	VTCT_LIST,
	VTCT_WRITE_SLOW,
	VTCT_LOCK,
	VTCT_REPLACE,
	VTCT_REMOVE,
	VTCT_PROCESS,
	VTCT_NETNS,
	VTCT_ETHTOOL,
	VTCT_FOREIGN,
	VTCT_NL_OPEN,
	VTCT_NL_JOIN,
	VTCT_NL_SEND,
	VTCT_NL_RECV,
	VTCT_POLL,
	VTCT_ANY, /* all of them together */
};

/* Calls so far. */
unsigned int vtct_calls(const struct vtct_kernel *k, enum vtct_call call);
/* The n-th such call from now on (1: the next) fails once with this negative errno. */
void vtct_fail_nth(struct vtct_kernel *k, enum vtct_call call, unsigned int n, int error);
/*
 * File calls of this kind on a path below the root that matches (fnmatch(3), '*' crosses
 * '/') fail with this errno; a positive error is the most bytes that a read gives.
 */
void vtct_fail_path(struct vtct_kernel *k, enum vtct_call call, const char *pattern,
		    int error);
/* Forget all faults of the two functions above. */
void vtct_fail_clear(struct vtct_kernel *k);

/*
 * Commands of SIOCETHTOOL from now on: 0 or -errno, data is in and out. NULL: every one
 * is -EOPNOTSUPP.
 */
void vtct_set_ethtool(struct vtct_kernel *k,
		      int (*fn)(void *arg, const char *name, void *data), void *arg);

/*
 * What the caller may do: false makes changes fail with -EACCES (files) and -EPERM
 * (netlink).
 */
void vtct_set_root(struct vtct_kernel *k, bool root);

/* ---- Time ---- */

/* Let time pass; what falls due happens. vtc's waiting does the same. */
void vtct_advance(struct vtct_kernel *k, uint64_t ns);
uint64_t vtct_now_ns(const struct vtct_kernel *k);
/* Do something once, at a time from now on. */
void vtct_at(struct vtct_kernel *k, uint64_t delay_ns, void (*fn)(void *arg), void *arg);

/* ---- Netlink ---- */

/* What the kernel says with each error from now on; NULL: nothing. */
void vtct_set_extack(struct vtct_kernel *k, const char *text);
/* Errors repeat the whole request, as before NETLINK_CAP_ACK. */
void vtct_set_echo(struct vtct_kernel *k, bool echo);

/*
 * Answer a request by hand: the request after the next `skip` ones of this type (0: of
 * any type) gets the steps of the script in place of the usual answer. A script without
 * steps is never answered.
 */
struct vtct_script *vtct_script(struct vtct_kernel *k, uint16_t type, unsigned int skip);
/* One datagram. fix: put the request's sequence number into each message. */
void vtct_script_data(struct vtct_script *s, const void *data, size_t len, bool fix);
/*
 * recv() fails with this negative errno once (-EAGAIN: though poll said there is
 * something).
 */
void vtct_script_error(struct vtct_script *s, int error);
/* NLMSG_ERROR with this code (0: the acknowledgement) and text (NULL: none). */
void vtct_script_ack(struct vtct_script *s, int error, const char *text);
/* What would have been answered without the script. */
void vtct_script_usual(struct vtct_script *s);
/* The steps after this one come that much later. */
void vtct_script_delay(struct vtct_script *s, uint64_t ns);
/* How many scripts have not met their request. */
unsigned int vtct_scripts_left(const struct vtct_kernel *k);

/* Requests of a type so far (0: all). */
unsigned int vtct_requests(const struct vtct_kernel *k, uint16_t type);
/* The last request of a type, as sent; NULL: none yet. */
const void *vtct_last_request(const struct vtct_kernel *k, uint16_t type,
			      size_t *ret_len);

/*
 * A datagram to those who listen: NETLINK_ROUTE with RTNLGRP_x, or NETLINK_KOBJECT_UEVENT
 * with 1.
 */
void vtct_broadcast(struct vtct_kernel *k, int protocol, unsigned int group,
		    const void *data, size_t len);
/* Broadcast of one device event; more: "KEY=value\nKEY=value" or NULL. */
void vtct_uevent(struct vtct_kernel *k, const char *action, const char *dir,
		 const char *subsystem, const char *more);
/* Drop what listeners of this protocol have not read, and tell them so (ENOBUFS). */
void vtct_overrun(struct vtct_kernel *k, int protocol);

/*
 * A generic netlink family with some commands; its number. The controller is always
 * there.
 */
uint16_t vtct_genl_family(struct vtct_kernel *k, const char *name, const uint8_t *cmds,
			  size_t count);
/*
 * From now on a command is answered with a message that holds these attributes (len 0:
 * only an acknowledgement), or with an error. It is the same for all devices. Commands
 * without an answer get -EOPNOTSUPP.
 */
void vtct_genl_answer(struct vtct_kernel *k, uint16_t family, uint8_t cmd,
		      const struct vtct_buf *attrs);
void vtct_genl_error(struct vtct_kernel *k, uint16_t family, uint8_t cmd, int error);

#endif
