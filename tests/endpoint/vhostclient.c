/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A vhost-user peer for tests: see vhostclient.h. */
#include "vhostclient.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vtct.h"

#define HEADER 12u

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(a.sun_path))
		vtct_die("%s: too long", path);
	strcpy(a.sun_path, path);
	return a;
}

static int new_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		vtct_die("socket: %s", strerror(errno));
	return fd;
}

int vhostclient_listen(const char *path)
{
	struct sockaddr_un a = address_of(path);
	int fd = new_socket();

	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 8))
		vtct_die("%s: %s", path, strerror(errno));
	return fd;
}

int vhostclient_accept(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0 && errno != EAGAIN)
		vtct_die("accept: %s", strerror(errno));
	return fd;
}

int vhostclient_connect(const char *path)
{
	struct sockaddr_un a = address_of(path);
	int fd = new_socket();

	if (connect(fd, (struct sockaddr *)&a, sizeof(a)))
		vtct_die("%s: %s", path, strerror(errno));
	return fd;
}

void vhostclient_pair(int ret_fds[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret_fds))
		vtct_die("socketpair: %s", strerror(errno));
}

ssize_t vhostclient_send(int fd, const void *bytes, size_t len, const int *fds,
			 unsigned int count)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * VHOSTCLIENT_FDS_MAX)];
		struct cmsghdr align;
	} control = { { 0 } };
	struct iovec iov = { (void *)bytes, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (count) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(&control.align), fds, sizeof(int) * count);
	}
	n = sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	return n < 0 ? -errno : n;
}

int vhostclient_request(int fd, uint32_t request, uint32_t flags, const void *payload,
			uint32_t size, const int *fds, unsigned int count)
{
	uint32_t header[] = { request, flags, size };
	uint8_t bytes[4096];
	ssize_t n;

	if (size > sizeof(bytes) - HEADER)
		vtct_die("a payload of %u bytes", size);
	memcpy(bytes, header, HEADER);
	if (size)
		memcpy(bytes + HEADER, payload, size);
	n = vhostclient_send(fd, bytes, HEADER + size, fds, count);
	if (n < 0)
		return (int)n;
	return n == (ssize_t)(HEADER + size) ? 0 : -EMSGSIZE;
}

static void take_fds(struct msghdr *msg, struct vhostclient_reply *r)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t len = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(r->fds, CMSG_DATA(c), len);
		r->fd_count = (unsigned int)(len / sizeof(int));
	}
}

/* All that is asked for, or nothing. */
static ssize_t read_all(int fd, void *bytes, size_t len, struct vhostclient_reply *r)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * 8)];
		struct cmsghdr align;
	} control;
	struct iovec iov = { bytes, len };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recv(fd, bytes, len, MSG_PEEK | MSG_DONTWAIT);

	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	if (n && (size_t)n < len)
		return -EAGAIN;
	n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n > 0)
		take_fds(&msg, r);
	return n < 0 ? -errno : n;
}

int vhostclient_receive(int fd, struct vhostclient_reply *reply)
{
	uint32_t header[3];
	ssize_t n;

	memset(reply, 0, sizeof(*reply));
	n = read_all(fd, header, sizeof(header), reply);
	if (n <= 0)
		return (int)n;
	reply->request = header[0];
	reply->flags = header[1];
	reply->size = header[2];
	if (reply->size > sizeof(reply->payload))
		vtct_die("a reply of %u bytes", reply->size);
	if (reply->size && read_all(fd, reply->payload, reply->size, reply) <= 0)
		vtct_die("a reply without its payload");
	return 1;
}
