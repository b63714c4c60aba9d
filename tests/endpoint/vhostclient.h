/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The other end of a vhost-user connection, without any manners of its own: sends any
 * bytes with any descriptors, and shows what comes back. Never waits; dies (vtct_die) of
 * what a test cannot have meant.
 */
#ifndef VTCT_VHOSTCLIENT_H
#define VTCT_VHOSTCLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define VHOSTCLIENT_FDS_MAX 253 /* the kernel's limit */

int vhostclient_listen(const char *path);
int vhostclient_accept(int listener); /* or -1: nobody waits */
int vhostclient_connect(const char *path);
void vhostclient_pair(int ret_fds[2]);

/* How many bytes went, or -errno. */
ssize_t vhostclient_send(int fd, const void *bytes, size_t len, const int *fds,
			 unsigned int count);

/* One message, whole; 0 or -errno. */
int vhostclient_request(int fd, uint32_t request, uint32_t flags, const void *payload,
			uint32_t size, const int *fds, unsigned int count);

struct vhostclient_reply {
	uint32_t request, flags, size;
	uint8_t payload[512];
	int fds[8];
	unsigned int fd_count;
};

/* 1: a message, whole; 0: the end; -EAGAIN: nothing there (or not all of it). */
int vhostclient_receive(int fd, struct vhostclient_reply *reply);

#endif
