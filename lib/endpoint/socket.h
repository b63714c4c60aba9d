/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * UNIX stream sockets by path or by descriptor. A socket file that nobody listens at any
 * more may be replaced; any other file, and the file of another one, is left alone.
 */
#ifndef VTC__SOCKET_H
#define VTC__SOCKET_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

struct vtc__socket_name {
	struct sockaddr_un address;
	bool made; /* by us, and this file: */
	dev_t dev;
	ino_t ino;
};

/* 0, or -ENAMETOOLONG. */
int vtc__socket_set_name(struct vtc__socket_name *name, const char *path);

/* Neither of them ever waits, nor do their descriptors. 0 or -errno. */
int vtc__socket_connect(const struct vtc__socket_name *name, int *ret_fd);
int vtc__socket_listen(struct vtc__socket_name *name, int *ret_fd);

/* Remove the file if we made it; before the descriptor is closed. */
void vtc__socket_remove(struct vtc__socket_name *name);

/*
 * Duplicate a connected or listening socket. One that listens is made not to block.
 * -ENOTSOCK: no UNIX stream socket; -EINVAL: the other of both kinds; -ENOTCONN: neither.
 */
int vtc__socket_copy(int fd, bool listening, int *ret_fd);

/* What helps against an error of these, or NULL. */
const char *vtc__socket_hint(int err);

#endif
