/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel seam: every way in which the library touches the outside world is an entry
 * of this table, so that a test can stand in for the kernel and fail any single step. All
 * results are 0, a count or -errno; errno itself is never looked at by a caller.
 */
#ifndef VTC__SYS_H
#define VTC__SYS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Told the names in a directory, one by one; a negative result ends the walk with it. */
typedef int (*vtc__name_fn)(void *arg, const char *name);

struct vtc__sys {
	/* Files. Paths are absolute. read() takes the file from its start. */
	ssize_t (*read)(void *priv, const char *path, void *buf, size_t len);
	int (*write)(void *priv, const char *path, const void *data, size_t len);
	ssize_t (*readlink)(void *priv, const char *path, char *buf, size_t len);
	int (*realpath)(void *priv, const char *path, char *buf, size_t len);
	int (*list)(void *priv, const char *path, vtc__name_fn fn, void *arg);

	/*
	 * A write that the kernel may hold for minutes. -ETIMEDOUT: it is still going on
	 * if *ret_helper is not -1 then. Such a helper polls readable when it is over;
	 * reap() ends it in any case.
	 */
	int (*write_slow)(void *priv, const char *path, const void *data, size_t len,
			  uint64_t timeout_ns, int *ret_helper);
	void (*reap)(void *priv, int helper);

	/*
	 * Exclusive lock between processes: a descriptor that holds it, -EAGAIN if it is
	 * held. unlock() lets go of it, and leaves the descriptor to be closed.
	 */
	int (*lock)(void *priv, const char *dir, const char *name);
	void (*unlock)(void *priv, int fd);

	/*
	 * Durable files in a directory of ours (0700, made if need be). replace(): the
	 * file (0600) has either its old or its new content, whatever happens; when it
	 * returns 0 the new one survives a crash of the machine, as does a removal.
	 */
	int (*replace)(void *priv, const char *dir, const char *name, const void *data,
		       size_t len);
	int (*remove)(void *priv, const char *dir, const char *name);

	/* Whether there is a process of this number: 0, or -ESRCH. */
	int (*process)(void *priv, uint32_t pid);

	/* A number of this network namespace that no other one gets before a restart. */
	int (*netns)(void *priv, uint64_t *ret);

	/* SIOCETHTOOL on an interface of this network namespace; data is in and out. */
	int (*ethtool)(void *priv, const char *name, void *data);

	/*
	 * A change is about to be made by a library that does its own system calls
	 * (libbpf, libxdp): not 0 means to fail with that instead.
	 */
	int (*foreign)(void *priv, const char *what);

	/*
	 * Netlink datagrams, never blocking. recv() with size 0 gives the length of the
	 * next.
	 */
	int (*nl_open)(void *priv, int protocol);
	int (*nl_join)(void *priv, int fd, unsigned int group);
	ssize_t (*nl_send)(void *priv, int fd, const void *data, size_t len);
	ssize_t (*nl_recv)(void *priv, int fd, void *buf, size_t len);

	/* 1: readable, 0: time over. fd -1 only lets the time pass. */
	int (*poll)(void *priv, int fd, uint64_t timeout_ns);
	void (*close)(void *priv, int fd);
	uint64_t (*now_ns)(void *priv);
};

/* The real kernel; its priv is unused. */
extern const struct vtc__sys vtc__sys_kernel;

/* The real write_slow() and reap(), in a file of their own: deadline.c. */
int vtc__deadline_write(void *priv, const char *path, const void *data, size_t len,
			uint64_t timeout_ns, int *ret_helper);
void vtc__deadline_reap(void *priv, int helper);

#endif
