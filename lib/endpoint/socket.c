/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* UNIX stream sockets: see socket.h. */
#include "socket.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 8

int vtc__socket_set_name(struct vtc__socket_name *name, const char *path)
{
	size_t len = strlen(path);

	if (len >= sizeof(name->address.sun_path))
		return -ENAMETOOLONG;
	*name = (struct vtc__socket_name){ .address.sun_family = AF_UNIX };
	memcpy(name->address.sun_path, path, len);
	return 0;
}

/* ---- Connect ---- */

static int connect_to(const struct sockaddr_un *address, int *ret_fd)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err;

	if (fd < 0)
		return -errno;
	if (!connect(fd, (const struct sockaddr *)address, sizeof(*address))) {
		*ret_fd = fd;
		return 0;
	}
	err = -errno;
	(void)close(fd);
	return err;
}

int vtc__socket_connect(const struct vtc__socket_name *name, int *ret_fd)
{
	return connect_to(&name->address, ret_fd);
}

/* ---- Listen ---- */

/* A socket that refuses connections has lost its listener. */
static bool is_stale(const struct sockaddr_un *address, const struct stat *file)
{
	int fd, err;

	if (!S_ISSOCK(file->st_mode))
		return false;
	err = connect_to(address, &fd);
	if (!err)
		(void)close(fd);
	return err == -ECONNREFUSED;
}

static bool is_same(const char *path, dev_t dev, ino_t ino)
{
	struct stat now;

	return !lstat(path, &now) && now.st_dev == dev && now.st_ino == ino;
}

static int remove_stale(const struct sockaddr_un *address)
{
	struct stat file;

	if (lstat(address->sun_path, &file))
		return errno == ENOENT ? 0 : -errno;
	if (!is_stale(address, &file) ||
	    !is_same(address->sun_path, file.st_dev, file.st_ino))
		return -EADDRINUSE;
	return unlink(address->sun_path) && errno != ENOENT ? -errno : 0;
}

static int bind_at(int fd, const struct sockaddr_un *address)
{
	const struct sockaddr *a = (const struct sockaddr *)address;
	int err;

	if (!bind(fd, a, sizeof(*address)))
		return 0;
	if (errno != EADDRINUSE)
		return -errno;
	err = remove_stale(address);
	if (err)
		return err;
	return bind(fd, a, sizeof(*address)) ? -errno : 0;
}

static int note_file(struct vtc__socket_name *name)
{
	struct stat file;

	if (lstat(name->address.sun_path, &file))
		return -errno;
	name->dev = file.st_dev;
	name->ino = file.st_ino;
	name->made = true;
	return 0;
}

int vtc__socket_listen(struct vtc__socket_name *name, int *ret_fd)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err;

	if (fd < 0)
		return -errno;
	err = bind_at(fd, &name->address);
	if (!err)
		err = note_file(name);
	if (!err && listen(fd, BACKLOG))
		err = -errno;
	if (err) {
		vtc__socket_remove(name);
		(void)close(fd);
		return err;
	}
	*ret_fd = fd;
	return 0;
}

/*
 * The file's number tells it from one that was put in its place: it cannot be given to
 * another file as long as the socket is open.
 */
void vtc__socket_remove(struct vtc__socket_name *name)
{
	if (name->made && is_same(name->address.sun_path, name->dev, name->ino))
		(void)unlink(name->address.sun_path);
	name->made = false;
}

/* ---- Passed in ---- */

static int get_option(int fd, int option)
{
	int value;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) ? -errno : value;
}

static int check_socket(int fd, bool listening)
{
	struct sockaddr_un peer;
	socklen_t len = sizeof(peer);
	int domain = get_option(fd, SO_DOMAIN);

	if (domain < 0)
		return domain;
	if (domain != AF_UNIX || get_option(fd, SO_TYPE) != SOCK_STREAM)
		return -ENOTSOCK;
	if (get_option(fd, SO_ACCEPTCONN) != listening)
		return -EINVAL;
	if (!listening && getpeername(fd, (struct sockaddr *)&peer, &len))
		return -errno;
	return 0;
}

/* Whoever shares a listening socket may be faster: accept() must not wait then. */
static int set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		return -errno;
	return 0;
}

int vtc__socket_copy(int fd, bool listening, int *ret_fd)
{
	int err = check_socket(fd, listening), copy;

	if (!err && listening)
		err = set_nonblocking(fd);
	if (err)
		return err;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return -errno;
	*ret_fd = copy;
	return 0;
}

const char *vtc__socket_hint(int err)
{
	switch (err) {
	case -EADDRINUSE:
		return "a program listens there, or a file is there that is no socket: "
		       "take another path";
	case -ENAMETOOLONG:
		return "a socket's path has at most 107 bytes";
	case -ENOENT:
		return "make the directory first";
	case -EACCES:
	case -EPERM:
		return "get write access to the directory and the socket";
	case -EPROTOTYPE:
	case -ENOTSOCK:
		return "vhost-user needs a UNIX stream socket";
	case -EBADF:
		return "pass a descriptor that is open";
	case -ENOTCONN:
		return "connect the socket first";
	case -EINVAL:
		return "the flag VTC_VHOST_USER_F_LISTENING is for listening sockets, and "
		       "for no others";
	default:
		return NULL;
	}
}
