/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the fake kernel share. */
#ifndef VTCT_FAKEKERNEL_INTERNAL_H
#define VTCT_FAKEKERNEL_INTERNAL_H

#include <linux/netlink.h>
#include <sys/types.h>

#include "core/sys.h"
#include "fakekernel.h"
#include "vtct.h"

struct vtct_datagram {
	struct vtct_datagram *next;
	int error; /* recv() fails with it instead */
	size_t len;
	unsigned char data[];
};

struct vtct_sock {
	struct vtct_sock *next;
	int fd; /* eventfd that counts the datagrams */
	int protocol;
	uint64_t groups;
	struct vtct_datagram *first, **last;
};

struct vtct_fault {
	struct vtct_fault *next;
	enum vtct_call call;
	unsigned int nth;
	int error;
	char pattern[VTCT_PATH_MAX]; /* "": by number */
};

struct vtct_timer {
	struct vtct_timer *next;
	uint64_t due_ns;
	void (*fn)(void *arg);
	void *arg, *owned;
};

struct vtct_slow {
	struct vtct_slow *next;
	struct vtct_kernel *k;
	int fd;
	char path[VTCT_PATH_MAX], text[64];
};

struct vtct_request {
	struct vtct_request *next;
	uint16_t type;
	unsigned int count;
	size_t len;
	unsigned char *data;
};

struct vtct_kernel {
	struct vtct_tree *tree;
	struct vtct_pf *pfs[VTCT_MAX_PFS]; /* NULL: free, or unplugged */
	struct vtct_link *links;
	size_t link_count;
	uint64_t now_ns;
	bool not_root, echo, muted;
	const char *extack;
	unsigned int calls[VTCT_ANY + 1];
	struct vtct_fault *faults;
	struct vtct_timer *timers;
	struct vtct_slow *slow;
	struct vtct_sock *socks;
	struct vtct_script *scripts;
	struct vtct_request *requests;
	struct vtct_family *families;
	uint16_t next_family;
	int (*ethtool)(void *arg, const char *name, void *data);
	void *ethtool_arg;
};

/* A request on its way through the emulation: answers are queued on the socket. */
struct vtct_call_msg {
	struct vtct_kernel *k;
	struct vtct_sock *sock;
	const struct nlmsghdr *msg;
};

/* fakefile.c */
ssize_t vtct_file_read(void *priv, const char *path, void *buf, size_t len);
int vtct_file_write(void *priv, const char *path, const void *data, size_t len);
ssize_t vtct_file_readlink(void *priv, const char *path, char *buf, size_t len);
int vtct_file_realpath(void *priv, const char *path, char *buf, size_t len);
int vtct_file_list(void *priv, const char *path, vtc__name_fn fn, void *arg);
int vtct_file_write_slow(void *priv, const char *path, const void *data, size_t len,
			 uint64_t timeout_ns, int *ret_helper);
void vtct_file_reap(void *priv, int helper);
int vtct_file_lock(void *priv, const char *dir, const char *name);
void vtct_file_unlock(void *priv, int fd);
int vtct_file_replace(void *priv, const char *dir, const char *name, const void *data,
		      size_t len);
int vtct_file_remove(void *priv, const char *dir, const char *name);

/* fakekernel.c: the fault of this call, if it has one; path may be NULL. */
int vtct_fault(struct vtct_kernel *k, enum vtct_call call, const char *path);
/* vtct_at() that frees arg with the timer. */
void vtct_at_owned(struct vtct_kernel *k, uint64_t delay_ns, void (*fn)(void *arg),
		   void *arg);

/*
 * fakepf.c: what the kernel does on a write to sriov_numvfs or sriov_drivers_autoprobe.
 */
struct vtct_pf *vtct_pf_of_file(struct vtct_kernel *k, const char *path,
				const char *name);
int vtct_numvfs_store(struct vtct_kernel *k, struct vtct_pf *pf, const char *text);
int vtct_autoprobe_store(struct vtct_kernel *k, struct vtct_pf *pf, const char *text);
struct vtct_pf *vtct_pf_of_ifindex(struct vtct_kernel *k, uint32_t ifindex);

/* The netdev of a PF, or of one of its VFs (index -1: the PF). */
void vtct_pf_link(struct vtct_kernel *k, const struct vtct_pf *pf, int index,
		  struct vtct_link *ret_link);

/* fakevf.c: IFLA_VF_ attributes in and out. */
int vtct_set_vf_info(struct vtct_kernel *k, struct vtct_pf *pf,
		     const struct nlattr *info);
void vtct_put_vf_info(struct vtct_buf *buf, const struct vtct_pf *pf, uint32_t index,
		      bool stats);

/* fakenl.c */
int vtct_nl_open(void *priv, int protocol);
int vtct_nl_join(void *priv, int fd, unsigned int group);
ssize_t vtct_nl_send(void *priv, int fd, const void *data, size_t len);
ssize_t vtct_nl_recv(void *priv, int fd, void *buf, size_t len);
struct vtct_sock *vtct_sock_find(struct vtct_kernel *k, int fd);
void vtct_sock_close(struct vtct_kernel *k, struct vtct_sock *sock);
void vtct_nl_free(struct vtct_kernel *k);
void vtct_sock_queue(struct vtct_sock *sock, const void *data, size_t len, int error);
void vtct_answer(const struct vtct_call_msg *call, const struct vtct_buf *buf);
void vtct_answer_error(const struct vtct_call_msg *call, int error, const char *text);
/* Parse attributes by type into tb[0..max]; of those that repeat, the last one. */
void vtct_parse(const struct nlattr **tb, int max, const void *data, size_t len);

/* fakertnl.c, fakegenl.c: result 0 or the error for the acknowledgement. */
int vtct_rtnl_request(const struct vtct_call_msg *call);
int vtct_genl_request(const struct vtct_call_msg *call);
void vtct_genl_free(struct vtct_kernel *k);

#endif
